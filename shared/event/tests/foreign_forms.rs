//! Forms in which events come from systems behind the guides' ones: wrapped, written as text, forwarded, damaged, about no conversation.

use crate::support::plain;
use ledgerline_event::catalogue::{Switches, built_in};
use ledgerline_event::document::{Fragment, Rejection, parse, split};
use ledgerline_event::{Context, SourceEvent, adapt, content_id, text_layer};
use ledgerline_json::Json;
use ledgerline_privacy::{Policy, PseudonymKey};
use serde_json::{Value, json};

const AT: &str = "2026-03-02T14:00:00.000Z";
const PARTNER: &str = "aws.partner/genesys.com/cloud/acme/cases";

/// Reads a document as transform does, and asks the pass for its view of the same bytes.
fn read<T>(
    text: &str,
    numeric: &[String],
    check: impl FnOnce(Result<SourceEvent<'_>, Rejection>, &Json<'_>) -> T,
) -> T {
    let undone = text_layer::undone(text.as_bytes());
    let tree = parse(&undone).unwrap_or_else(|reason| panic!("{reason}: {text}"));
    let context = Context { default_org: "default", numeric_id_sources: numeric };
    let event = adapt(&tree, &context);
    let Some(Fragment::Document(_, head)) = split(text.as_bytes()).next() else { panic!("no document: {text}") };
    if let (Some(family), Ok(event)) = (head.family(), &event) {
        assert_eq!(family, event.record.family(), "{text}");
        // What is always filtered needs no time.
        assert!(event.occurred_at_ms == 0 || head.occurred_at_ms() == Some(event.occurred_at_ms), "{text}");
        assert_eq!(head.org().unwrap_or("default"), event.org, "{text}");
    }
    check(event, &tree)
}

/// Type, record, time, organisation.
fn told(document: &Value) -> (String, String, String, String) {
    read(&document.to_string(), &[], |event, _| {
        let event = event.unwrap_or_else(|reason| panic!("{reason}: {document}"));
        let at = ledgerline_event::instant::to_rfc3339(event.occurred_at_ms);
        (event.event_type.to_owned(), event.record.id().into_owned(), at, event.org.into_owned())
    })
}

fn id_of(document: &Value) -> [u8; 32] {
    read(&document.to_string(), &[], |event, tree| *content_id(&event.unwrap(), tree).as_bytes())
}

fn refusal(document: &Value) -> Option<Rejection> {
    read(&document.to_string(), &[], |event, _| event.err())
}

fn of<'a>(event_type: &'a str, record: &'a str, at: &'a str, org: &'a str) -> (String, String, String, String) {
    (event_type.to_owned(), record.to_owned(), at.to_owned(), org.to_owned())
}

fn customer_start() -> Value {
    json!({"topicName": "v2.detail.events.conversation.c-1.customer.start", "version": "2", "timestamp": "2026-03-02T14:00:01Z",
        "eventBody": {"eventTime": 1_772_460_000_000_i64, "conversationId": "c-1", "mediaType": "VOICE",
            "direction": "INBOUND", "ani": "tel:+15555550142"}, "metadata": {"CorrelationId": "x"}})
}

fn on_the_bus(source: &str, detail: Value) -> Value {
    json!({"version": "0", "id": "e-1", "detail-type": "v2.detail.events.conversation.{id}.customer.start",
        "source": source, "time": "2026-03-02T14:00:02Z", "detail": detail})
}

fn as_text(value: &Value) -> Value {
    Value::from(value.to_string())
}

#[test]
fn an_event_is_the_same_one_however_it_was_wrapped() {
    let plain = on_the_bus(PARTNER, customer_start());
    let expected = of("customer.start", "c-1", AT, "acme");
    let mut body_as_text = customer_start();
    body_as_text["eventBody"] = as_text(&body_as_text["eventBody"].clone());
    let mut replayed = plain.clone();
    replayed["replay-name"] = json!("after-the-outage");
    replayed["id"] = json!("e-2");
    let sns = |message: Value| {
        json!({"Type": "Notification", "MessageId": "m", "TopicArn": "arn:aws:sns:eu-central-1:1:t",
        "Message": message, "Timestamp": "2026-03-02T14:00:05.000Z", "SignatureVersion": "1"})
    };
    for (how, wrapped) in [
        ("detail as text", on_the_bus(PARTNER, as_text(&customer_start()))),
        ("body as text", on_the_bus(PARTNER, body_as_text)),
        ("a replay", replayed),
        ("forwarded under a name around the source", on_the_bus(&format!("forward/{PARTNER}"), customer_start())),
        ("forwarded with its envelope", on_the_bus("example.forwarder", plain.clone())),
        ("a notification", sns(as_text(&plain))),
        ("a notification that is an object", sns(plain.clone())),
        (
            "in a CloudEvent",
            json!({"specversion": "1.0", "type": "com.example.genesys.v1", "id": "ce", "source": format!("/{PARTNER}"),
                "time": "2026-03-02T14:00:03Z", "data": customer_start()}),
        ),
        (
            "a CloudEvent on the bus",
            on_the_bus(PARTNER, json!({"specversion": "1.0", "type": "x.y", "data": customer_start()})),
        ),
    ] {
        assert_eq!(told(&wrapped), expected, "{how}");
        if how != "in a CloudEvent" {
            assert_eq!(id_of(&wrapped), id_of(&plain), "{how}");
        }
    }
    let mut other = customer_start();
    other["eventBody"]["ani"] = json!("tel:+15555550143");
    assert_ne!(id_of(&on_the_bus(PARTNER, as_text(&other))), id_of(&plain));
}

#[test]
fn a_cloud_event_is_read_by_its_data_and_named_by_its_type_where_that_has_none() {
    let event = |event_type: &str, data: Value| {
        json!({"specversion": "1.0", "type": event_type, "id": "ce-7", "source": "/calls",
            "time": "2026-03-02T14:00:06.6134321Z", "datacontenttype": "application/json", "data": data})
    };
    let own = json!({"interactionId": "i-7", "eventType": "answered", "timestamp": "2026-03-02T14:00:05.9464952Z"});
    assert_eq!(
        told(&event("interaction.completed", own)),
        of("user.start", "i-7", "2026-03-02T14:00:05.946Z", "default")
    );
    let bare = json!({"conversationId": "i-7", "durationMs": 61_000});
    let ended = of("customer.end", "i-7", "2026-03-02T14:00:06.613Z", "default");
    for event_type in ["conversation.ended", "com.example.conversation.ended", "com.example.call.ended.v2"] {
        assert_eq!(told(&event(event_type, bare.clone())), ended, "{event_type}");
        assert_eq!(told(&event(event_type, as_text(&bare))), ended, "{event_type} as text");
    }
    // Two that differ in their type alone are two events.
    let same = |event_type: &str| event(event_type, json!({"conversationId": "i-7", "timestamp": AT}));
    assert_ne!(id_of(&same("call.hold")), id_of(&same("call.transfer")));
    assert_eq!(told(&event("ivr.menu.ended", bare.clone())).0, "other", "no domain stands before it");
    // A domain is taken off where it is one; an order is not a conversation.
    assert_eq!(told(&event("com.example.order.created", bare.clone())).0, "other");
    assert_eq!(id_of(&event("conversation.ended", bare.clone())), id_of(&event("conversation.ended", as_text(&bare))));
    assert_eq!(refusal(&event("conversation.ended", json!("ended"))), Some(Rejection::NoRecord));
    // `data` without the wrapper's version is what it was.
    assert_eq!(told(&json!({"interactionId": "i-7", "timestamp": AT, "data": {"eventType": "answered"}})).1, "i-7");
}

#[test]
fn an_events_own_detail_and_source_are_not_another_envelope() {
    let event = |id: &str, word: &str| {
        on_the_bus(
            "crm",
            json!({"eventId": id, "eventType": word, "interactionId": "c-1", "timestamp": AT,
            "phoneNumber": "+15555550142", "source": "ivr", "detail": {"code": 5}}),
        )
    };
    assert_eq!(told(&event("e-1", "hold")), of("hold", "c-1", AT, "default"));
    assert_ne!(id_of(&event("e-1", "hold")), id_of(&event("e-2", "transfer")));
    read(&event("e-1", "hold").to_string(), &[], |event, _| {
        let event = event.unwrap();
        assert_eq!((event.identifiers.len(), event.native_id.as_deref()), (1, Some("e-1")));
    });
    // The organisation is that of the bus' own source, not of one that stands inside.
    let mut other = customer_start();
    other["source"] = json!("aws.partner/genesys.com/cloud/another/x");
    assert_eq!(told(&on_the_bus(PARTNER, other)).3, "acme");
}

#[test]
fn text_that_holds_no_event_is_refused_and_never_panics() {
    for detail in ["", "{", "{}", "hello", "[1]", "{\"a\":1,\"a\":2}"] {
        assert_eq!(refusal(&on_the_bus("example.app", json!(detail))), Some(Rejection::NoRecord), "{detail}");
    }
}

#[test]
fn what_aws_says_about_itself_is_filtered_by_its_source_alone() {
    let filter = |document: &Value| {
        read(&document.to_string(), &[], |event, _| built_in().filtered_by(&event.unwrap(), &Switches::default()))
    };
    for detail in [json!({}), json!("{}"), json!("text"), json!(null), json!([1]), json!({"conversationId": "c-1"})] {
        let event = json!({"id": "e", "detail-type": "Scheduled Event", "source": "aws.scheduler", "time": AT, "detail": detail});
        assert_eq!(filter(&event), Some("aws-services"), "{event}");
    }
    assert_eq!(filter(&json!({"source": "aws.s3", "detail": {}})), Some("aws-services"), "without a time");
    assert_eq!(filter(&json!({"source": "aws.partnership", "detail": {}, "time": AT})), Some("aws-services"));
    let scheduled = json!({"source": "aws.scheduler", "detail-type": "Scheduled Event", "detail": "{}"}).to_string();
    assert_eq!(filter(&json!({"TopicArn": "a", "Message": scheduled})), Some("aws-services"), "in a notification");
    // What a partner's event holds is the partner's, whatever it calls itself.
    let inside = json!({"detail-type": "x", "source": "aws.s3", "detail": customer_start()});
    assert_eq!(filter(&on_the_bus(PARTNER, inside)), None);
    assert_eq!(filter(&json!({"interactionId": "i", "eventType": "heartbeat"})), Some("heartbeats"), "without a time");
    assert_eq!(filter(&on_the_bus(PARTNER, customer_start())), None);
    for source in ["awsome", "my.aws.s3", "AWS.s3"] {
        assert_eq!(filter(&on_the_bus(source, customer_start())), None, "{source}");
    }
}

#[test]
fn a_cut_character_masks_its_field_and_loses_nothing() {
    let text = r#"{"interactionId":"i-1","timestamp":"2026-03-02T14:00:00Z","queueName":"sales \ud83d","stateName":"held","agentId":"a\ude00","customerEmail":"x\ud83d@example.com"}"#;
    let key = PseudonymKey::new(1, [7; 32]);
    read(text, &[], |event, tree| {
        let event = event.unwrap();
        assert!(event.damaged);
        let policy: &Policy = built_in().policy();
        let masked = policy.mask(&key, event.fields.iter().map(|field| (field.name, &*field.value)));
        assert_eq!(masked.clear.iter().map(|(name, _)| *name).collect::<Vec<_>>(), ["state_name"]);
        assert_eq!(masked.masked, ["agent_ref", "customer_email", "queue_name"]);
        let other = text.replace("ud83d\"", "ud83e\"");
        let first = *content_id(&event, tree).as_bytes();
        read(&other, &[], |event, tree| assert_ne!(*content_id(&event.unwrap(), tree).as_bytes(), first));
    });
    read(r#"{"interactionId":"i-1","timestamp":"2026-03-02T14:00:00Z","queueName":"sales 😀"}"#, &[], |event, _| {
        assert!(!event.unwrap().damaged);
    });
    let in_a_name = r#"{"interactionId":"i-1","timestamp":"2026-03-02T14:00:00Z","q\ud83d":1}"#;
    assert_eq!(parse(in_a_name.as_bytes()).err(), Some(Rejection::LoneSurrogate));
    let in_an_id = r#"{"interactionId":"i-\ud83d","timestamp":"2026-03-02T14:00:00Z"}"#;
    read(in_an_id, &[], |event, _| assert_eq!(event.err(), Some(Rejection::NoRecord)));
}

#[test]
fn topics_about_no_conversation_are_events_of_a_user_a_queue_or_the_platform() {
    let topic = |template: &str, id: &str, body: Value| {
        json!({"id": "e", "detail-type": template, "source": PARTNER, "time": "2026-03-02T14:00:01Z",
            "detail": {"topicName": template.replace("{id}", id), "version": "2", "eventBody": body,
                "timestamp": "2026-03-02T14:00:00.900Z"}})
    };
    let own = "2026-03-02T14:00:00.500Z";
    let envelope = "2026-03-02T14:00:00.900Z";
    let presence = json!({"presenceDefinition": {"id": "p", "systemPresence": "ON_QUEUE"}, "modifiedDate": own});
    let status = json!({"id": "u-1", "routingStatus": {"userId": "u-1", "status": "IDLE", "startTime": own}});
    let activity = json!({"id": "u-1", "routingStatus": {"status": "INTERACTING"}, "activeQueueIds": []});
    let observed = json!({"group": {"queueId": "q-1", "mediaType": "voice"}, "data": [{"metrics": []}]});
    let operational = json!({"entityId": "t", "entityName": "Main trunk", "currentValue": "DOWN", "dateCreated": own});
    for (template, id, body, event_type, record, at) in [
        ("v2.users.{id}.presence", "u-1", presence, "presence", "User/u-1", own),
        ("v2.users.{id}.routingStatus", "u-1", status, "routing.status", "User/u-1", own),
        ("v2.users.{id}.activity", "u-1", activity, "presence", "User/u-1", envelope),
        ("v2.users.{id}.outofoffice", "u-1", json!({"active": true, "modifiedDate": own}), "other", "User/u-1", own),
        ("v2.analytics.users.{id}.aggregates", "u-1", json!({"data": []}), "other", "User/u-1", envelope),
        ("v2.analytics.queues.{id}.observations", "q-1", observed, "queue.observation", "Queue/q-1", envelope),
        ("v2.routing.queues.{id}.users", "q-1", json!({"joined": true}), "other", "Queue/q-1", envelope),
        ("v2.operational.events.{id}", "o-1", operational, "operational.event", "OperationalEvent/o-1", own),
    ] {
        let document = topic(template, id, body);
        assert_eq!(told(&document), of(event_type, record, at, "acme"), "{template}");
        // The same on its way through something that kept the topic's name and not its type.
        let mut bare = document.clone();
        bare["detail-type"] = json!("Genesys");
        assert_eq!(told(&bare), of(event_type, record, at, "acme"), "{template}");
        read(&document.to_string(), &[], |event, _| {
            let event = event.unwrap();
            // A part that is not made of known words is not stored.
            assert_eq!(event.topic, template.replace("outofoffice", "*").replace("aggregates", "*"));
            let filter = built_in().filtered_by(&event, &Switches::default());
            assert_eq!(filter, (event_type == "queue.observation").then_some("queue-observations"), "{template}");
        });
    }
    // A conversation beside it does not make it the conversation's, for the pass neither.
    let both =
        topic("v2.users.{id}.presence", "u-1", json!({"conversationId": "c-1", "modifiedDate": own, "eventTime": AT}));
    assert_eq!(told(&both), of("presence", "User/u-1", own, "acme"));
    let nobody = topic("v2.users.{id}.presence", "{id}", json!({"modifiedDate": own}));
    assert_eq!(refusal(&nobody), Some(Rejection::NoRecord));
    let late = topic("v2.users.{id}.presence", "u-1", json!({"modifiedDate": "yesterday"}));
    assert_eq!(refusal(&late), Some(Rejection::NoTime));
}

#[test]
fn long_numbers_are_ids_where_a_deployment_says_so() {
    let flat = json!({"source": "crm", "interactionId": 15_555_550_142_i64, "timestamp": AT});
    let groups = json!({"source": "crm", "interactionId": "1.555.555.0142", "timestamp": AT});
    let enveloped =
        json!({"source": "example.crm", "detail-type": "row", "detail": {"caseId": "4711001122", "eventTime": AT}});
    let row = json!({"event_id": "e", "contact_id": "0049-555-0142-7", "event_type": "CONTACT", "timestamp": AT});
    for (document, source, id) in [
        (&flat, "crm", "15555550142"),
        (&groups, "crm", "1.555.555.0142"),
        (&enveloped, "example.crm", "4711001122"),
        (&row, "contact-row", "0049-555-0142-7"),
    ] {
        assert_eq!(refusal(document), Some(Rejection::NumericId), "{document}");
        let listed = [source.to_owned()];
        read(&document.to_string(), &listed, |event, _| assert_eq!(event.unwrap().record.id(), id));
        let another = ["other".to_owned()];
        read(&document.to_string(), &another, |event, _| assert_eq!(event.err(), Some(Rejection::NumericId)));
    }
    for id in ["15555550142", "1-555-555-0142"] {
        let entity = json!({"source": "crm", "entityType": "Contact", "entityId": id, "timestamp": AT});
        read(&entity.to_string(), &["crm".to_owned()], |event, _| assert_eq!(event.err(), Some(Rejection::NumericId)));
    }
    // The switch is about numbers: an address is nobody's id anywhere.
    let address = json!({"source": "crm", "interactionId": "avery@example.com", "timestamp": AT});
    read(&address.to_string(), &["crm".to_owned()], |event, _| assert_eq!(event.err(), Some(Rejection::NoRecord)));
}

#[test]
fn each_switch_filters_what_its_table_says() {
    let filter = |word: &str, media: Option<&str>, switches: &Switches| {
        let event = json!({"interactionId": "i-1", "timestamp": AT, "eventType": word, "mediaType": media});
        read(&event.to_string(), &[], |event, _| built_in().filtered_by(&event.unwrap(), switches))
    };
    let none = Switches::default();
    let states = Switches::new(true, "").unwrap();
    let voice = Switches::new(false, " voice , Email").unwrap();
    for (word, always, state) in [
        ("answered", None, None),
        ("survey", None, None),
        ("consent", None, None),
        ("identityResolved", None, None),
        ("dataDeleted", None, None),
        ("somethingNew", None, None),
        ("attributesUpdated", None, Some("state-changes-only")),
        ("transcribed", None, Some("state-changes-only")),
        ("heartbeat", Some("heartbeats"), Some("heartbeats")),
        ("agentPing", Some("heartbeats"), Some("heartbeats")),
        ("queueWaitUpdate", Some("queue-observations"), Some("queue-observations")),
    ] {
        assert_eq!(filter(word, Some("VOICE"), &none), always, "{word}");
        assert_eq!(filter(word, Some("VOICE"), &states), state, "{word}");
        assert_eq!(filter(word, Some("voice"), &voice), always, "{word}");
    }
    for (media, kept) in [
        (Some("EMAIL"), true),
        (Some("CHAT"), false),
        (Some("sms"), false),
        (None, true),
        (Some("FAX"), true),
        (Some("UNKNOWN"), true),
    ] {
        assert_eq!(filter("answered", media, &voice).is_none(), kept, "{media:?}");
        assert_eq!(filter("consent", media, &voice), None, "{media:?}");
    }
    assert_eq!(Switches::new(false, "VOICE,FAX").unwrap_err().0, "FAX");
    assert!(Switches::new(false, "fax").unwrap_err().to_string().contains("CALLBACK, CHAT"));
}

#[test]
fn a_type_that_changed_masks_its_field_and_loses_nothing() {
    for value in [json!(7), json!(true), json!(["VOICE"]), json!({"a": 1}), json!("x".repeat(5_000))] {
        let event =
            json!({"interactionId": "i-1", "timestamp": AT, "mediaType": value, "durationMs": value, "queueId": value});
        let shown = told(&event);
        assert_eq!(shown.1, "i-1", "{value}");
        assert!(plain(&parse(event.to_string().as_bytes()).unwrap()).is_object());
    }
}
