//! Every source shape in `events/`, the sample corpus, and mutations of both: what each becomes in canonical terms.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::support::{plain, tree};
use ledgerline_event::document::{Fragment, Rejection, parse, split};
use ledgerline_event::{Context, Lifecycle, Record, SourceEvent, adapt, content_id, text_layer};
use ledgerline_privacy::Kind;
use proptest::prelude::*;
use serde_json::{Value, json};

const CONTEXT: Context<'_> = Context { default_org: "acme", numeric_id_sources: &[] };

fn events_dir() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../events")
}

fn load(name: &str) -> Vec<u8> {
    std::fs::read(events_dir().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// File, source, type, activity, identifiers.
const SHAPES: &[(&str, &str, &str, &str, &[Kind])] = {
    use Kind::{Account, CustomerIdHash, Email, ExternalContact, Phone, PhoneHash};
    const GENESYS: &str = "genesys-eventbridge";
    &[
        ("genesys-customer-start.json", GENESYS, "customer.start", "Customer connected", &[Phone, ExternalContact]),
        (
            "genesys-customer-start-email.json",
            GENESYS,
            "customer.start",
            "Customer connected",
            &[Email, ExternalContact],
        ),
        ("genesys-customer-end.json", GENESYS, "customer.end", "Customer disconnected", &[Phone, ExternalContact]),
        ("genesys-flow-start.json", GENESYS, "flow.start", "Flow entered", &[Phone, ExternalContact]),
        ("genesys-flow-outcome.json", GENESYS, "flow.outcome", "Flow outcome reached", &[Phone, ExternalContact]),
        ("genesys-flow-end.json", GENESYS, "flow.end", "Flow left", &[Phone, ExternalContact]),
        ("genesys-attributes.json", GENESYS, "attributes", "Attributes updated", &[ExternalContact]),
        ("genesys-acd-start.json", GENESYS, "acd.start", "Queue entered", &[Phone, ExternalContact]),
        ("genesys-acd-start-callback.json", GENESYS, "acd.start", "Queue entered", &[Phone]),
        ("genesys-acd-end.json", GENESYS, "acd.end", "Answered from queue", &[Phone, ExternalContact]),
        ("genesys-user-start.json", GENESYS, "user.start", "Agent connected", &[Phone, ExternalContact]),
        ("genesys-user-end.json", GENESYS, "user.end", "Agent transferred consulted", &[Phone, ExternalContact]),
        ("genesys-acw.json", GENESYS, "acw", "After-call work done", &[Phone, ExternalContact]),
        ("genesys-wrapup.json", GENESYS, "wrapup", "Wrap-up code set", &[Phone, ExternalContact]),
        ("genesys-contact-message.json", GENESYS, "contact", "Contact identified", &[Phone, ExternalContact]),
        ("genesys-outbound.json", GENESYS, "outbound", "Outbound contact attempted", &[Phone, Account]),
        ("genesys-voicemail-start.json", GENESYS, "voicemail.start", "Voicemail started", &[Phone]),
        ("genesys-voicemail-end.json", GENESYS, "voicemail.end", "Voicemail left", &[Phone]),
        ("genesys-unknown-topic.json", GENESYS, "other", "Other event", &[]),
        ("genesys-audit.json", GENESYS, "audit", "Audited action", &[]),
        ("genesys-transcription.json", GENESYS, "transcription", "Speech transcribed", &[]),
        ("interaction-log.json", "interaction-log", "user.start", "Agent connected", &[PhoneHash]),
        (
            "identity-resolution.json",
            "interaction-log",
            "identity.resolution",
            "Identity resolved",
            &[CustomerIdHash, CustomerIdHash],
        ),
        ("event-sourcing.json", "event-sourcing", "transfer", "Transferred", &[Phone]),
        ("audit-event.json", "audit-event", "audit", "Audited action", &[]),
        ("webhook.json", "webhook", "customer.end", "Customer disconnected", &[Email]),
        ("genesys-presence.json", GENESYS, "presence", "Presence changed", &[]),
        ("genesys-routing-status.json", GENESYS, "routing.status", "Routing status changed", &[]),
        ("genesys-user-activity.json", GENESYS, "presence", "Presence changed", &[]),
        ("genesys-queue-observation.json", GENESYS, "queue.observation", "Queue observed", &[]),
        ("genesys-operational-event.json", GENESYS, "operational.event", "Operational event", &[]),
        ("cloudevent.json", "interaction-log", "customer.end", "Customer disconnected", &[Phone]),
        ("sns-notification.json", "interaction-log", "user.start", "Agent connected", &[Email]),
        ("aws-service.json", "aws-service", "aws.service", "AWS service event", &[]),
        ("genesys-survey.json", "survey", "survey", "Survey answered", &[]),
        ("genesys-surveyed-conversation.json", "surveyed-conversation", "survey", "Survey answered", &[]),
        ("survey-csat.json", "event-sourcing", "survey", "Survey answered", &[]),
        ("complaint.json", "interaction-log", "complaint", "Complaint filed", &[Phone]),
    ]
};

fn field(event: &SourceEvent<'_>, name: &str) -> Option<Value> {
    event.fields.iter().find(|field| field.name == name).map(|field| plain(&field.value))
}

#[test]
fn every_shape_becomes_what_the_table_says() {
    for (file, source, event_type, activity, kinds) in SHAPES {
        let bytes = load(file);
        let undone = text_layer::undone(&bytes);
        let document = parse(&undone).unwrap_or_else(|reason| panic!("{file}: {reason}"));
        let event = adapt(&document, &CONTEXT).unwrap_or_else(|reason| panic!("{file}: {reason}"));
        let found: Vec<Kind> = event.identifiers.iter().map(|(kind, _)| *kind).collect();
        assert_eq!((event.source, event.event_type, event.activity), (*source, *event_type, *activity), "{file}");
        assert_eq!(found, *kinds, "{file}");
        let mut names = BTreeSet::new();
        for field in &event.fields {
            assert!(names.insert(field.name), "{file}: {} stands twice", field.name);
        }
        // What one pass says of a document is what the adapter says, where it says anything.
        let Some(Fragment::Document(_, head)) = split(&bytes).next() else { panic!("{file}: no document") };
        if let Some(family) = head.family() {
            assert_eq!(family, event.record.family(), "{file}");
            assert_eq!(head.occurred_at_ms(), Some(event.occurred_at_ms), "{file}");
            assert_eq!(head.org().unwrap_or("acme"), event.org, "{file}");
            assert!(head.lineage_token().is_none_or(|token| token == event.lineage_token), "{file}");
        }
    }
}

/// No file in `events/` goes unused: each is in the table above or named by the test of whoever reads it.
#[test]
fn every_file_in_events_is_listed_and_loaded_by_a_test() {
    let root = events_dir().join("..");
    let readme = String::from_utf8(load("README.md")).unwrap();
    let mut sources = String::new();
    for folder in ["functions", "shared", "tests", "tools"] {
        collect(&root.join(folder), &mut sources);
    }
    for entry in std::fs::read_dir(events_dir()).unwrap() {
        let name = entry.unwrap().file_name().to_string_lossy().into_owned();
        if name != "README.md" {
            assert!(readme.contains(&format!("`{name}`")), "{name} is not listed in events/README.md");
            assert!(
                sources.contains(&format!("\"{name}\"")) || sources.contains(&format!("/{name}\"")),
                "{name} is loaded by no test"
            );
        }
    }
}

fn collect(folder: &Path, sources: &mut String) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            collect(&path, sources);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            sources.push_str(&std::fs::read_to_string(&path).unwrap_or_default());
        }
    }
}

fn adapt_value<T>(document: &Value, check: impl FnOnce(Result<SourceEvent<'_>, Rejection>) -> T) -> T {
    check(adapt(tree(document), &CONTEXT))
}

fn shape(file: &str) -> Value {
    serde_json::from_slice(&load(file)).unwrap()
}

#[test]
fn occurrence_ids_and_canonical_fields_come_from_the_event_body() {
    let document = shape("genesys-user-end.json");
    let event = adapt(tree(&document), &CONTEXT).unwrap();
    assert_eq!(event.occurred_at_ms, 1_772_460_243_200);
    assert_eq!(event.org, "6f0c1d52-1c0e-4b7e-9d55-0a1b2c3d4e5f");
    assert_eq!(event.topic, "v2.detail.events.conversation.{id}.user.end");
    assert_eq!((event.schema_version.as_ref(), event.lifecycle), ("2", Lifecycle::Complete));
    assert!(matches!(event.record, Record::Interaction(_)) && event.native_id.is_none());
    for (name, value) in [
        ("media", json!("VOICE")),
        ("disconnect_type", json!("CONSULT_TRANSFER")),
        ("interacting_duration_ms", json!(150_000)),
        ("held_duration_ms", json!(30_000)),
    ] {
        assert_eq!(field(&event, name), Some(value), "{name}");
    }
    assert!(field(&event, "agent_ref").is_some() && field(&event, "queue_id").is_some());
    assert!(event.extra.is_empty());
}

#[test]
fn drift_is_reported_by_key_and_kind_and_loses_nothing() {
    let document = shape("genesys-unknown-topic.json");
    let event = adapt(tree(&document), &CONTEXT).unwrap();
    assert_eq!(event.topic, "v2.detail.events.conversation.{id}.*.start");
    assert_eq!(event.schema_version, "9");
    let extra: Vec<(&str, &str)> = event.extra.iter().map(|one| (one.name, one.kind().as_str())).collect();
    assert_eq!(extra, [("holographicDepth", "number"), ("projector", "object")]);
}

#[test]
fn the_detail_type_decides_and_the_topic_name_only_where_it_is_unknown() {
    let mut document = shape("genesys-customer-start.json");
    document["detail"]["topicName"] = json!("v2.conversations.test.attributes");
    adapt_value(&document, |event| assert_eq!(event.unwrap().event_type, "customer.start"));
    document["detail-type"] = json!("v2.something.but.conversation.{id}.customer.start");
    document["detail"]["topicName"] = json!("v2.detail.events.conversation.c-1.acd.end");
    adapt_value(&document, |event| assert_eq!(event.unwrap().event_type, "acd.end"));
}

#[test]
fn an_audit_is_about_an_entity_and_named_by_its_own_id() {
    let document = shape("genesys-audit.json");
    let event = adapt(tree(&document), &CONTEXT).unwrap();
    let Record::Entity { kind, id, .. } = &event.record else { panic!("no entity") };
    assert_eq!(
        (kind.as_ref(), id.as_ref()),
        ("User", document["detail"]["eventBody"]["entity"]["id"].as_str().unwrap())
    );
    assert_eq!(event.native_id.as_deref(), document["detail"]["eventBody"]["id"].as_str());
    assert!(event.identifiers.is_empty(), "an agent is nobody's customer");
    assert!(!format!("{event:?}").contains(&**id), "a user's id is personal");
}

#[test]
fn an_audit_of_a_contact_names_the_contact_and_no_value_of_the_audit() {
    let mut document = shape("genesys-audit.json");
    document["detail"]["eventBody"]["entityType"] = json!("Contact");
    document["detail"]["eventBody"]["customerPhone"] = json!("+15555550142");
    let event = adapt(tree(&document), &CONTEXT).unwrap();
    let id = document["detail"]["eventBody"]["entity"]["id"].as_str().unwrap();
    let named: Vec<(Kind, &str)> =
        event.identifiers.iter().map(|(kind, raw)| (*kind, raw.expose_for_pseudonym())).collect();
    assert_eq!(named, [(Kind::ExternalContact, id)]);
}

#[test]
fn tokens_and_provenance_are_taken_from_where_sources_put_them() {
    let token = |file: &str| adapt_value(&shape(file), |event| event.unwrap().lineage_token.into_owned());
    let sent = token("webhook.json");
    assert_eq!(token("identity-resolution.json"), sent);
    assert_eq!(token("event-sourcing.json"), sent);
    assert_eq!(token("genesys-attributes.json"), sent);
    let derived = token("genesys-customer-start.json");
    assert_eq!(token("genesys-customer-end.json"), derived);
    assert_ne!(derived, sent);
    let mut document = shape("identity-resolution.json");
    document["lineageToken"] = json!("Avery Quinn");
    assert_ne!(adapt_value(&document, |event| event.unwrap().lineage_token.into_owned()), sent);
}

#[test]
fn the_flat_shapes_carry_their_own_ids_sequence_and_consent() {
    let document = shape("event-sourcing.json");
    let event = adapt(tree(&document), &CONTEXT).unwrap();
    assert_eq!((event.sequence, event.schema_version.as_ref()), (Some(17), "3"));
    assert_eq!(event.native_id.as_deref(), document["eventId"].as_str());
    assert_eq!(field(&event, "duration_ms"), Some(json!(61_250)));
    assert_eq!(event.provenance.as_ref().and_then(|sent| sent.processor_id.as_deref()), Some("ivr"));
    let document = shape("identity-resolution.json");
    let event = adapt(tree(&document), &CONTEXT).unwrap();
    assert_eq!(field(&event, "consent_recording"), Some(json!(true)));
    assert_eq!(field(&event, "pii_collected"), Some(json!(true)));
    assert_eq!(field(&event, "resolution_source"), Some(json!("crm_lookup")));
    assert_eq!((event.org.as_ref(), event.source), ("acme", "interaction-log"));
}

#[test]
fn only_the_customers_side_is_resolved() {
    let numbers = |document: &Value| {
        adapt_value(document, |event| {
            let event = event.unwrap();
            event.identifiers.iter().map(|(_, value)| value.expose_for_pseudonym().to_owned()).collect::<Vec<_>>()
        })
    };
    let mut document = shape("genesys-voicemail-start.json");
    assert_eq!(numbers(&document), ["tel:+15555550177"]);
    document["detail"]["eventBody"]["direction"] = json!("UNKNOWN");
    assert!(numbers(&document).is_empty());
    let mut document = shape("genesys-outbound.json");
    assert_eq!(numbers(&document), ["tel:+15555550179", "A-1077-2231"]);
    // An agent's outbound leg may be a consultation: its number is a colleague's.
    document["detail-type"] = json!("v2.detail.events.conversation.{id}.user.start");
    assert_eq!(numbers(&document), ["A-1077-2231"]);
}

#[test]
fn a_record_id_is_no_address_of_a_person() {
    for id in
        ["+15555550177", "avery.quinn@example.com", "tel:15555550177", "SIP:15555550177", "a b", "", &"x".repeat(129)]
            .into_iter()
            .chain(["undefined", "NULL", "None", "unknown", "n/a", "NA", "nil", "0", "-", "15555550177", "5550177"])
            .chain(["00000000-0000-0000-0000-000000000000", "4111111111111111", "1234567890123456789"])
            .chain(["317-555-0142", "1.317.555.0142", "4111-1111-1111-1111", "31_755:501-42", "-555-01.77"])
    {
        assert_no_record(json!(id));
    }
    for id in [json!(15_555_550_177_i64), json!(-5_550_177), json!(u64::MAX), json!(1.5), json!(1e20), json!(0)] {
        assert_no_record(id);
    }
    let numbers = ["123456", "12-34.56", "11111111-1111-4111-8111-111111111111", "123456789-123456789-123"];
    let machines = ["2026-03-02", "20260302-000123", "1614612345.67890"];
    for id in ["test-conversation-id", "c-1", "none-7", "317-555-0142a"].into_iter().chain(numbers).chain(machines) {
        let document = json!({"interactionId": id, "timestamp": "2026-03-02T14:00:00Z"});
        adapt_value(&document, |event| assert_eq!(event.unwrap().record.id(), id));
        let document = json!({"entityType": "Queue", "entityId": id, "timestamp": "2026-03-02T14:00:00Z"});
        adapt_value(&document, |event| assert_eq!(event.unwrap().record.id(), format!("Queue/{id}")));
    }
    let document = json!({"interactionId": 77, "timestamp": 1_772_460_000_000_i64});
    adapt_value(&document, |event| assert_eq!(event.unwrap().record.id(), "77"));
    let document = json!({"interactionId": "c-1"});
    adapt_value(&document, |event| assert_eq!(event.err(), Some(Rejection::NoTime)));
}

/// Neither the adapter nor the pass takes `id` for a record's, be it an interaction's or an entity's.
fn assert_no_record(id: Value) {
    for document in [
        json!({"interactionId": id, "timestamp": "2026-03-02T14:00:00Z"}),
        json!({"entityType": "User", "entityId": id, "timestamp": "2026-03-02T14:00:00Z"}),
    ] {
        let bytes = serde_json::to_vec(&document).unwrap();
        let Some(Fragment::Document(_, head)) = split(&bytes).next() else { panic!("no document") };
        assert_eq!(head.family(), None, "{document}");
        // A number as long as a telephone's has a reason of its own: some sources number their records.
        let refused = |event: Result<SourceEvent<'_>, Rejection>| {
            matches!(event.err(), Some(Rejection::NoRecord | Rejection::NumericId))
        };
        assert!(adapt_value(&document, refused), "{document}");
    }
}

#[test]
fn a_long_number_for_an_id_has_a_reason_of_its_own() {
    for (id, reason) in [
        (json!("15555550177"), Rejection::NumericId),
        (json!("1-555-555-0177"), Rejection::NumericId),
        (json!(4_111_111_111_111_111_u64), Rejection::NumericId),
        (json!("n/a"), Rejection::NoRecord),
        (json!("avery.quinn@example.com"), Rejection::NoRecord),
    ] {
        let document = json!({"interactionId": id, "timestamp": "2026-03-02T14:00:00Z"});
        adapt_value(&document, |event| assert_eq!(event.err(), Some(reason), "{document}"));
    }
}

#[test]
fn what_is_never_masked_holds_no_free_text() {
    let document = json!({"entityType": "Avery Quinn", "entityId": "e-1", "timestamp": "2026-03-02T14:00:00Z",
        "version": "Avery", "tenantId": "15555550177", "org": ".."});
    let bytes = serde_json::to_vec(&document).unwrap();
    let Some(Fragment::Document(_, head)) = split(&bytes).next() else { panic!("no document") };
    let event = adapt(tree(&document), &CONTEXT).unwrap();
    assert_eq!((&*event.record.id(), &*event.schema_version, &*event.org), ("Other/e-1", "other", "acme"));
    assert_eq!((head.family(), head.entity().as_deref(), head.org()), (Some("entity"), Some("Other/e-1"), None));
    // It is sealed: whom the record is about stands nowhere else.
    assert_eq!(event.fields.iter().map(|field| field.name).collect::<Vec<_>>(), ["entity_id"]);
    for (detail_type, topic) in [
        ("v2.Avery Quinn", "unknown"),
        ("Avery", "unknown"),
        ("v2.routing.queues.Avery", "v2.routing.queues.*"),
        ("v2.users.presence", "v2.users.presence"),
    ] {
        let mut document = shape("genesys-unknown-topic.json");
        document["detail-type"] = json!(detail_type);
        document["detail"]["topicName"] = json!(null);
        adapt_value(&document, |event| assert_eq!(event.unwrap().topic, topic));
    }
    for (version, kept) in [("v1.2.3", true), ("2", true), ("1.2.3.4", false), ("12345", false), ("v", false)] {
        let document = json!({"interactionId": "c", "timestamp": 1_772_460_000_000_i64, "version": version});
        adapt_value(&document, |event| assert_eq!(event.unwrap().schema_version == version, kept, "{version}"));
    }
}

#[test]
fn an_event_on_the_bus_may_be_a_flat_one() {
    let document = json!({"source": "com.example.ivr", "detail-type": "log", "id": "e", "time": "2026-03-02T14:00:09Z",
        "detail": {"interactionId": "c-1", "eventType": "INTERACTION_STARTED", "timestamp": "2026-03-02T14:00:00Z"}});
    let event = adapt(tree(&document), &CONTEXT).unwrap();
    assert_eq!((event.event_type, event.occurred_at_ms), ("customer.start", 1_772_460_000_000));
    assert_eq!(event.body.path, ["detail"]);
}

fn id_of(bytes: &[u8]) -> [u8; 32] {
    let document = parse(bytes).unwrap();
    *content_id(&adapt(&document, &CONTEXT).unwrap(), &document).as_bytes()
}

#[test]
fn a_resent_event_has_the_same_content_id_and_another_body_has_not() {
    let document = shape("genesys-customer-end.json");
    let first = id_of(&serde_json::to_vec(&document).unwrap());
    let mut resent = document.clone();
    resent["id"] = json!("another");
    resent["time"] = json!("2026-03-05T00:00:00Z");
    resent["detail"]["timestamp"] = json!("2026-03-05T00:00:00.000Z");
    resent["detail"]["metadata"]["CorrelationId"] = json!("another");
    assert_eq!(id_of(&serde_json::to_vec_pretty(&resent).unwrap()), first);
    let mut other = document.clone();
    other["detail"]["eventBody"]["interactingDurationMs"] = json!(388_301);
    assert_ne!(id_of(&serde_json::to_vec(&other).unwrap()), first);
    let mut end = document;
    end["detail-type"] = json!("v2.detail.events.conversation.{id}.user.end");
    assert_ne!(id_of(&serde_json::to_vec(&end).unwrap()), first);
    let mut webhook = shape("webhook.json");
    let first = id_of(&serde_json::to_vec(&webhook).unwrap());
    webhook["attempt"] = json!(3);
    webhook["id"] = json!("another");
    assert_eq!(id_of(&serde_json::to_vec(&webhook).unwrap()), first);
}

#[test]
fn a_content_id_holds_the_record_the_sources_name_and_a_time_that_only_the_envelope_tells() {
    let of = |document: Value| id_of(&serde_json::to_vec(&document).unwrap());
    let at = "2026-03-02T14:00:00Z";
    let flat = |record: &str, source: &str| {
        of(json!({"interactionId": record, "eventId": "e-1", "timestamp": at, "source": source}))
    };
    assert_eq!(flat("c-1", "ivr"), flat("c-1", "ivr"));
    assert_ne!(flat("c-1", "ivr"), flat("c-2", "ivr"));
    assert_ne!(flat("c-1", "ivr"), flat("c-1", "crm"));
    let bus = |envelope: &str, record: &str, time: &str, body: Value| {
        of(json!({"source": "aws.partner/genesys.com/cloud/acme/x", "id": envelope, "time": time,
            "detail-type": "v2.detail.events.conversation.{id}.acw",
            "detail": {"conversationId": record, "metadata": {"CorrelationId": envelope}, "eventBody": body}}))
    };
    // The conversation stands in the envelope only, and so does the time.
    let body = || json!({"wrapupCode": "w"});
    assert_ne!(bus("1", "c-1", at, body()), bus("1", "c-2", at, body()));
    assert_ne!(bus("1", "c-1", at, body()), bus("1", "c-1", "2026-03-02T14:00:01Z", body()));
    assert_eq!(bus("1", "c-1", at, body()), bus("2", "c-1", at, body()));
    let timed = || json!({"wrapupCode": "w", "eventTime": 1_772_460_000_000_i64});
    assert_eq!(bus("1", "c-1", at, timed()), bus("2", "c-1", "2026-03-05T14:00:01Z", timed()));
}

#[test]
fn spelling_does_not_change_a_content_id_and_numbers_beyond_a_double_do() {
    let body = |inner: &str| format!("{{\"conversationId\":\"c\",\"timestamp\":1772460000000,{inner}}}").into_bytes();
    let one = id_of(&body("\"a\":\"\\u00e9/\",\"b\":[1,{\"x\":1,\"y\":2}]"));
    assert_eq!(id_of(&body("\"b\" : [ 1 , {\"y\":2,\n\"x\":1}],\"\\u0061\":\"é\\/\"")), one);
    let mut ids = BTreeSet::new();
    let numbers = [
        "9007199254740992",
        "9007199254740993",
        "0.1",
        "0.10000000000000001",
        "1e-400",
        "0",
        "\"0\"",
        "123456789012345678901234567890",
        "123456789012345678901234567891",
        "null",
        "[]",
        "{}",
    ];
    for number in numbers {
        assert!(ids.insert(id_of(&body(&format!("\"n\":{number}")))), "{number}");
    }
    assert_ne!(id_of(&body("\"a\":[[1],2]")), id_of(&body("\"a\":[[1,2]]")));
}

/// The sample corpus adapts without a rejection.
#[test]
fn the_corpus_adapts() {
    let Some(corpus) = std::env::var_os("LEDGERLINE_CORPUS") else {
        eprintln!("SKIPPED the_corpus_adapts: LEDGERLINE_CORPUS is not set");
        return;
    };
    let folder = Path::new(&corpus).join("genesys/eventbridge");
    let mut files: Vec<PathBuf> = Vec::new();
    for folder in [folder.clone(), folder.join("samples")] {
        let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        files.extend(entries.filter(|path| path.is_file()));
    }
    let (mut events, mut ids) = (0, BTreeSet::new());
    for path in files {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if ["topic_to_model.json", "LICENSE-GenesysCloudBlueprints-MIT"].contains(&&*name) || name.contains("expected")
        {
            continue;
        }
        let bytes = std::fs::read(&path).unwrap();
        for fragment in split(&bytes) {
            let Fragment::Document(bytes, head) = fragment else { panic!("{name}: {fragment:?}") };
            let document = parse(bytes).unwrap();
            let event = adapt(&document, &CONTEXT).unwrap_or_else(|reason| panic!("{name}: {reason}"));
            assert_eq!(head.family(), Some(event.record.family()), "{name}");
            assert_eq!(head.occurred_at_ms(), Some(event.occurred_at_ms), "{name}");
            let expected_extra: &[&str] = if name.starts_with("aws-kinesis") { &["_id", "duration"] } else { &[] };
            let extra: Vec<&str> = event.extra.iter().map(|one| one.name).collect();
            assert!(extra.iter().all(|name| expected_extra.contains(name)), "{name}: {extra:?}");
            ids.insert(content_id(&event, &document));
            events += 1;
        }
    }
    assert!(events >= 16 + 15 && ids.len() >= 16 + 14, "{events} events, {} ids", ids.len());
    topics_are_known(&folder);
}

/// Each topic of the catalogue has a type of its own, and each member of its model a name.
fn topics_are_known(folder: &Path) {
    let read = |path: PathBuf| serde_json::from_slice::<Value>(&std::fs::read(path).unwrap()).unwrap();
    let topics = read(folder.join("topic_to_model.json"));
    let models = read(folder.join("../genesys_models.json"));
    let mut types = BTreeSet::new();
    for (topic, model) in topics.as_object().unwrap() {
        let members = models["models"][model.as_str().unwrap()].as_object().unwrap();
        let mut body: Value = members.keys().map(|key| (key.clone(), json!("x"))).collect();
        body["eventTime"] = json!(1_772_460_000_000_i64);
        if topic.contains("audits") {
            body["entity"] = json!({"id": "e-1"});
        }
        let document = json!({"source": "aws.partner/genesys.com/cloud/acme/x", "detail-type": topic,
            "detail": {"topicName": topic, "version": "2", "eventBody": body}});
        let event = adapt(tree(&document), &CONTEXT).unwrap_or_else(|reason| panic!("{topic}: {reason}"));
        assert!(event.extra.is_empty(), "{topic}: {:?}", event.extra);
        assert_eq!(event.topic, topic.as_str());
        assert!(event.event_type != "other" && types.insert(event.event_type), "{topic}");
    }
    assert_eq!(types.len(), 18);
}

/// What silver stores of a survey: score in hundredths, answer to the question of recommendation, queue, status, when.
fn surveyed(document: &Value) -> [Option<Value>; 4] {
    adapt_value(document, |event| {
        let event = event.unwrap();
        assert_eq!(event.event_type, "survey", "{document}");
        let policy = ledgerline_event::catalogue::built_in().policy();
        let fields = event.fields.iter().map(|field| (field.name, &*field.value));
        let masked = policy.mask(&ledgerline_privacy::PseudonymKey::new(1, [7; 32]), fields);
        let of = |name: &str| masked.clear.iter().find(|(known, _)| *known == name).map(|(_, value)| value.to_json());
        ["survey_score_centi", "survey_nps", "queue_id", "status"].map(of)
    })
}

#[test]
fn surveys_have_their_score_in_hundredths_whatever_its_scale_and_form() {
    let queue = json!("5169b6fa-0543-5428-8d60-2e3d7a1d2909");
    for (file, score, nps, status) in [
        ("genesys-survey.json", 8_700, 9, json!("FINISHED")),
        ("genesys-surveyed-conversation.json", 4_250, 3, json!("FINISHED")),
        ("survey-csat.json", 450, 10, Value::Null),
    ] {
        let read = surveyed(&shape(file));
        let expected =
            [json!(score), json!(nps), queue.clone(), status].map(|value| Some(value).filter(|one| !one.is_null()));
        assert_eq!(read, expected, "{file}");
    }
    for (said, score) in [
        (json!(0), Some(0)),
        (json!(100), Some(10_000)),
        (json!(4.25), Some(425)),
        (json!(" 4.50 "), Some(450)),
        (json!("100"), Some(10_000)),
        // Not so many hundredths, not on any scale, not a number.
        (json!(4.255), None),
        (json!(101), None),
        (json!(-1), None),
        (json!("-1"), None),
        (json!("4,5"), None),
        (json!("four"), None),
        (json!("5555550142"), None),
        (json!("1e2"), None),
        (json!(""), None),
        (json!(null), None),
    ] {
        let mut survey = shape("genesys-survey.json");
        survey["oSurveyTotalScore"] = said.clone();
        assert_eq!(surveyed(&survey)[0], score.map(|score: i64| json!(score)), "{said}");
    }
    for (said, nps) in
        [(json!(10), Some(10)), (json!("0"), Some(0)), (json!(11), None), (json!(7.5), None), (json!(-1), None)]
    {
        let mut survey = shape("genesys-survey.json");
        survey["surveyPromoterScore"] = said.clone();
        assert_eq!(surveyed(&survey)[1], nps.map(|nps: i64| json!(nps)), "{said}");
    }
}

#[test]
fn a_survey_that_nobody_answered_is_not_called_answered_and_a_record_that_grew_tells_the_same_one() {
    for (status, activity) in [
        ("Finished", "Survey answered"),
        ("Sent", "Survey sent"),
        ("InProgress", "Survey sent"),
        ("optout", "Survey not answered"),
        ("Expired", "Survey not answered"),
        ("Newly invented", "Survey answered"),
    ] {
        let mut survey = shape("genesys-survey.json");
        survey["surveyStatus"] = json!(status);
        assert_eq!(adapt_value(&survey, |event| event.unwrap().activity), activity, "{status}");
    }
    let record = shape("genesys-surveyed-conversation.json");
    let id = |record: &Value| {
        let value = tree(record);
        let event = adapt(value, &CONTEXT).unwrap();
        assert_eq!(event.occurred_at_ms, 1_772_461_200_000, "when the customer answered");
        *content_id(&event, value).as_bytes()
    };
    let mut grown = record.clone();
    grown["participants"][0]["sessions"] = json!([{"mediaType": "voice"}]);
    grown["conversationEnd"] = json!("2026-03-02T14:09:00.000Z");
    assert_eq!(id(&grown), id(&record));
    grown["surveys"][0]["oSurveyTotalScore"] = json!(43);
    assert_ne!(id(&grown), id(&record), "another answer");
}

/// A document with some of its members replaced, removed or renamed.
fn mutated() -> impl Strategy<Value = Vec<u8>> {
    let edits = proptest::collection::vec((any::<prop::sample::Index>(), 0..6_u8), 0..4);
    (0..SHAPES.len(), edits).prop_map(|(which, edits)| {
        let mut document = shape(SHAPES[which].0);
        for (place, edit) in edits {
            let mut pointers = Vec::new();
            pointers_in(&document, String::new(), &mut pointers);
            let pointer = place.get(&pointers).clone();
            if let Some(value) = document.pointer_mut(&pointer) {
                *value = match edit {
                    0 => Value::Null,
                    1 => json!(["x", 7]),
                    2 => json!({"id": "x", "cvv": "1"}),
                    3 => json!(1e300),
                    4 => json!("\u{0}+15555550177 \"}{"),
                    _ => json!(true),
                };
            }
        }
        serde_json::to_vec(&document).unwrap()
    })
}

fn pointers_in(value: &Value, at: String, out: &mut Vec<String>) {
    if let Value::Object(members) = value {
        for (key, inner) in members {
            pointers_in(inner, format!("{at}/{}", key.replace('~', "~0").replace('/', "~1")), out);
        }
    }
    out.push(at);
}

proptest! {
    #[test]
    fn mutated_shapes_never_panic_and_the_pass_agrees_with_the_adapter(bytes in mutated(), cut in any::<prop::sample::Index>()) {
        for fragment in split(&bytes) {
            if let Fragment::Document(document, head) = fragment {
                let value = parse(document).unwrap();
                let event = adapt(&value, &CONTEXT);
                if let (Some(family), Ok(event)) = (head.family(), &event) {
                    prop_assert_eq!(family, event.record.family());
                    prop_assert_eq!(head.occurred_at_ms().unwrap_or(event.occurred_at_ms), event.occurred_at_ms);
                }
                if let Ok(event) = event {
                    content_id(&event, &value);
                    let shown = format!("{event:?}");
                    prop_assert!(!shown.contains("Avery"));
                }
                let (kept, cuts) = ledgerline_event::sensitive::cut(document);
                prop_assert!(cuts.is_empty() || head.is_sensitive());
                prop_assert!(parse(&kept).is_ok());
            }
        }
        // Truncated anywhere: still no panic, and nothing lost.
        let truncated = &bytes[..cut.index(bytes.len())];
        let kept: usize = split(truncated).map(|fragment| fragment.bytes().len()).sum();
        prop_assert!(kept <= truncated.len());
    }
}
