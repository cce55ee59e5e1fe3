//! What an event holds beside its clear fields: where its identifiers stand, and what no description lists, each with its place in the
//! document.

use ledgerline_event::document::{Fragment, parse, split};
use ledgerline_event::{Context, SourceEvent, Unlisted, adapt, text_layer};
use ledgerline_json::{Json, Stated};
use ledgerline_privacy::{Kind, Side};
use serde_json::{Value, json};

use crate::support::{plain, tree};

const CONTEXT: Context<'_> = Context { default_org: "acme", numeric_id_sources: &[] };

const AT: &str = "2026-03-02T14:00:00Z";

fn event_of(document: &'static Json<'static>) -> SourceEvent<'static> {
    adapt(document, &CONTEXT).unwrap()
}

/// The event of a flat document about an interaction.
fn flat(members: Value) -> SourceEvent<'static> {
    let mut document = json!({"interactionId": "i-1", "timestamp": AT});
    document.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    event_of(tree(&document))
}

fn paths(event: &SourceEvent<'_>, of: &[Unlisted<'_>]) -> Vec<String> {
    of.iter().map(|one| event.path_to(one).collect::<Vec<&str>>().join(" ")).collect()
}

/// Each identifier's kind and raw value, with what was sent of it and the list around that.
fn named(event: &SourceEvent<'_>) -> Vec<(Kind, String, Value, Option<Value>)> {
    let told = |one: &ledgerline_event::Named<'_>| {
        let (kind, raw) = &event.identifiers[one.identifier];
        (*kind, raw.expose_for_pseudonym().to_owned(), plain(&one.value), one.list.map(plain))
    };
    event.named.iter().map(told).collect()
}

#[test]
fn in_every_document_paths_lead_to_their_values_and_each_identifier_stands_somewhere() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../events");
    let (mut events, mut members, mut identifiers) = (0, 0, 0);
    for path in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        let bytes = std::fs::read(&path).unwrap();
        for fragment in split(&bytes) {
            let Fragment::Document(bytes, _) = fragment else { continue };
            let undone = text_layer::undone(bytes);
            let document = parse(&undone).unwrap();
            let Ok(event) = adapt(&document, &CONTEXT) else { continue };
            assert_leads_there(&document, &event);
            events += 1;
            members += event.extra.len() + event.bags.len();
            identifiers += event.named.len();
        }
    }
    assert!(events > 40 && members > 20 && identifiers > 40, "{events} events, {members} members, {identifiers} named");
}

fn assert_leads_there(document: &Json<'_>, event: &SourceEvent<'_>) {
    for one in event.extra.iter().chain(&event.bags) {
        let mut at = document;
        for key in event.path_to(one) {
            at = match at {
                Json::Array(items) => &items[key.parse::<usize>().unwrap()],
                other => other.as_object().unwrap().get(key).unwrap(),
            };
        }
        assert!(std::ptr::eq(at, one.value), "{:?}", event.path_to(one).collect::<Vec<_>>());
    }
    let standing: std::collections::BTreeSet<usize> = event.named.iter().map(|one| one.identifier).collect();
    assert!(standing.into_iter().eq(0..event.identifiers.len()), "{event:?}");
    for one in &event.named {
        let raw = event.identifiers[one.identifier].1.expose_for_pseudonym();
        assert!(one.value.as_str().is_none_or(|sent| raw.ends_with(sent)), "{event:?}");
        assert!(
            one.list.is_none_or(|list| list.as_array().unwrap().iter().any(|item| std::ptr::eq(item, &*one.value)))
        );
    }
}

#[test]
fn what_is_unlisted_is_told_by_its_path_in_layers_bags_and_objects() {
    let event = event_of(tree(&json!({
        "version": "0", "detail-type": "v2.detail.events.conversation.{id}.acd.end", "source": "aws.partner/genesys.com/cloud/acme/x",
        "detail": {"topicName": "x", "eventBody": {
            "conversationId": "c-1", "eventTime": 1_772_460_000_000_i64, "novel": 1, "consent": {"given": true, "by": "fax"},
        }},
    })));
    assert_eq!(paths(&event, &event.extra), ["detail eventBody consent by", "detail eventBody novel"]);
    assert!(event.bags.is_empty() && event.extra.iter().all(|one| one.side == Side::Centre));

    let event =
        event_of(tree(&json!({"auditId": "A-1", "timestamp": AT, "Data": {"interactionId": "i-1", "pay~load": 1,
        "payload": {"state": "held", "in/side": null, "compliance_flags": {"other": 2}}}})));
    let inside = ["Data pay~load", "Data payload compliance_flags other", "Data payload in/side"];
    assert_eq!(paths(&event, &event.extra), inside);
    assert_eq!(event.extra.iter().map(|one| one.name).collect::<Vec<_>>(), ["pay~load", "other", "in/side"]);

    // A member of a flat layer is named without its layer, and stands under its whole key.
    let flat_layer =
        json!({"interactionId": "i-1", "audit.timestamp": AT, "audit.resolutionMethod": "IVR", "audit.novel": 7});
    let event = event_of(tree(&flat_layer));
    assert_eq!((event.extra[0].name, paths(&event, &event.extra)), ("novel", vec!["audit.novel".to_owned()]));

    let batch = json!({"processName": "Billing", "batchId": "b-1", "records": [
        {"caseId": "c-1", "activity": "held", "endTime": AT, "novel": 1}]});
    let event = event_of(tree(&batch));
    assert_eq!(paths(&event, &event.extra), ["records 0 novel"]);
}

#[test]
fn a_bag_is_told_if_it_holds_anything_that_is_not_dropped() {
    let event = flat(json!({
        "attributes": {"tier": "gold", "lineageToken": "lt-1", "lineage_provenance": {"id": "x"}, "a": {"b": 1}},
        "context": ["x", {"y": 1}],
        "metadata": " {\"page\": 3}",
        "details": "called at six",
        "journeyContext": 7,
        "notes": {"text": "hello"},
        "transcripts": ["hello"],
        "message": {"text": "hello"},
        "password": {"is": "x"},
        "payload": {"details": {"reason": "late"}, "novel": 1},
    }));
    assert_eq!(paths(&event, &event.bags), ["attributes", "context", "metadata", "payload details"]);
    assert_eq!(paths(&event, &event.extra), ["payload novel"]);
    assert!(event.bags.iter().all(|one| one.side == Side::Centre && !one.is_named));
    let debug = format!("{:?} {:?}", event.bags, event.extra);
    assert!(!debug.contains("tier") && !debug.contains("gold"), "{debug}");

    // The first agent is a field; of the others, and of what else is said of them, the list tells.
    let event = flat(json!({"agents": [{"id": "AG-1", "name": "Robin"}, {"id": "AG-2"}]}));
    assert_eq!((paths(&event, &event.bags), event.bags[0].side), (vec!["agents".to_owned()], Side::Centre));
}

#[test]
fn an_object_where_a_value_is_known_is_told_as_its_fields_and_all_in_the_documents_order() {
    let document = r#"{"interactionId":"i-1","timestamp":"2026-03-02T14:00:00Z","novel":1,"actor":{"id":"u-1","name":"Robin"},
        "payload":{"entity":{"name":"Robin"},"other":2},"state":{"is":"held"},"notes":{"a":1},"username":["u"],"last":3}"#;
    let document = Box::leak(Box::new(ledgerline_json::parse(document.as_bytes()).unwrap().into_owned()));
    let event = event_of(document);
    let all: Vec<(String, Side, bool)> = event
        .unlisted()
        .into_iter()
        .map(|one| (event.path_to(one).collect::<Vec<_>>().join(" "), one.side, one.is_named))
        .collect();
    let told = |path: &str, side, is_named| (path.to_owned(), side, is_named);
    let expected = [
        told("novel", Side::Centre, false),
        told("actor", Side::Agent, true),
        told("state", Side::Centre, false),
        told("last", Side::Centre, false),
        told("payload entity", Side::Centre, true),
        told("payload other", Side::Centre, false),
    ];
    assert_eq!(all, expected);
}

#[test]
fn identifiers_are_told_with_every_place_that_says_them() {
    let event = flat(json!({
        "channel": "voice", "direction": "INBOUND", "ani": "tel:+15555550142", "customerPhone": "tel:+15555550142",
        "accountNumber": 4711, "conversationExternalContactIds": ["ec-1", "ec-2", "", 7.5],
        "piiContext": {"phoneHash": "ab"}, "payload": {"ani": "+1 555 555 0143"},
    }));
    let contacts = json!(["ec-1", "ec-2", "", 7.5]);
    let text = |kind, raw: &str| (kind, raw.to_owned(), json!(raw), None);
    let mut found = named(&event);
    found.sort_by_key(|(kind, raw, ..)| (*kind, raw.clone()));
    let contact = |raw: &str| (Kind::ExternalContact, raw.to_owned(), json!(raw), Some(contacts.clone()));
    let expected = [
        text(Kind::Phone, "+1 555 555 0143"),
        text(Kind::Phone, "tel:+15555550142"),
        text(Kind::Phone, "tel:+15555550142"),
        (Kind::Account, "4711".to_owned(), json!(4711), None),
        contact("ec-1"),
        contact("ec-2"),
        text(Kind::PhoneHash, "ab"),
    ];
    assert_eq!(found, expected);
    assert_eq!(event.identifiers.len(), 6);
    // A field whose place says an identifier has the place's own node.
    let nodes: Vec<&Json<'_>> = event.named.iter().map(|one| one.list.unwrap_or(&one.value)).collect();
    for name in ["ani", "customer_phone", "account_number", "conversation_external_contact_ids", "phone_hash_sent"] {
        let field = event.fields.iter().find(|field| field.name == name).unwrap();
        assert!(nodes.iter().any(|node| std::ptr::eq(*node, &*field.value)), "{name}");
    }
    let debug = format!("{:?}", event.named);
    assert!(!debug.contains("5555"), "{debug}");
}

#[test]
fn an_identifier_is_told_as_it_was_sent_whatever_it_is_read_as() {
    let whatsapp = flat(
        json!({"channel": "message", "messageType": "whatsapp", "direction": "INBOUND", "addressFrom": "15555550142"}),
    );
    let sent = (Kind::Phone, "whatsapp:15555550142".to_owned(), json!("15555550142"), None);
    assert_eq!(named(&whatsapp), [sent]);
    // A group names nobody: its address stays a field.
    let group = flat(json!({"channel": "message", "direction": "INBOUND", "addressFrom": "15555550142-1@g.us"}));
    assert!(named(&group).is_empty() && group.fields.iter().any(|field| field.name == "address_from"));
    let journey = flat(json!({"journeyCustomer": {"id": "avery@example.com", "idType": "email", "novel": 1}}));
    let id = (Kind::Email, "avery@example.com".to_owned(), json!("avery@example.com"), None);
    assert_eq!(named(&journey), [id]);
}

#[test]
fn who_a_record_is_about_is_an_identifier_or_a_field_unless_it_is_nobody() {
    let about = |kind: &str, id: &str| {
        let event = flat(json!({"interactionId": null, "entityType": kind, "entityId": id, "action": "view"}));
        let field = event.fields.iter().find(|field| field.name == "entity_id").map(|field| plain(&field.value));
        let derived = event.named.iter().all(|one| matches!(one.value, Stated::Derived(_)));
        assert!(derived && event.extra.is_empty() && !event.fields.iter().any(|field| field.name == "entity_type"));
        (named(&event), field)
    };
    let contact = (Kind::ExternalContact, "ec-1".to_owned(), json!("ec-1"), None);
    assert_eq!(about("Contact", "ec-1"), (vec![contact], None));
    assert_eq!(about("User", "u-1"), (vec![], Some(json!("u-1"))));
    assert_eq!(about("Extension", "x-1"), (vec![], Some(json!("x-1"))));
    assert_eq!(about("Queue", "q-1"), (vec![], None));
    // Its topic alone may name it.
    let event = event_of(tree(&json!({
        "version": "0", "detail-type": "v2.users.{id}.presence", "source": "aws.partner/genesys.com/cloud/acme/x",
        "detail": {"topicName": "v2.users.u-7.presence", "eventBody": {"modifiedDate": AT}},
    })));
    assert_eq!(
        event.fields.iter().map(|field| (field.name, plain(&field.value))).collect::<Vec<_>>(),
        [("entity_id", json!("u-7"))]
    );
}
