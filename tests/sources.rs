//! What systems behind the guides send, through the delivery stream of the local stack: each form is an entry, or is counted and found.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use ledgerline_event::catalogue::built_in;
use ledgerline_tests::access::ask;
use ledgerline_tests::org::{Org, assert_once_and_in_order};
use ledgerline_tests::stack::Stack;
use ledgerline_tests::{quarantine, silver};
use serde_json::{Value, json};

const AT: &str = "2026-03-02T14:00:00Z";
/// So many small documents are more than 3 MB of full lines, and less than 3 MB of lean ones.
const SMALL_EVENTS: usize = 9_000;

fn source(org: &Org<'_>) -> String {
    format!("aws.partner/genesys.com/cloud/{}/cases", org.name)
}

fn on_the_bus(source: &str, detail_type: &str, detail: Value) -> Value {
    json!({"version": "0", "id": "e", "detail-type": detail_type, "source": source, "time": "2026-03-02T14:00:02Z", "detail": detail})
}

/// An event of interaction `i-<n>`, flat.
fn flat(org: &Org<'_>, n: u32, members: Value) -> Value {
    let mut event =
        json!({"interactionId": format!("i-{n}"), "timestamp": AT, "eventType": "answered", "orgId": org.name});
    event.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    event
}

/// A topic of this name about `id`, with the body that such a topic has.
fn topic(org: &Org<'_>, template: &str, id: &str, body: Value) -> Value {
    let detail = json!({"topicName": template.replace("{id}", id), "version": "2", "eventBody": body, "timestamp": AT});
    on_the_bus(&source(org), template, detail)
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn every_foreign_form_is_an_entry_or_is_counted_and_found() {
    let Some(stack) = Stack::running() else { return };
    let org = Org::new(&stack, "foreign");
    let text = |value: &Value| Value::from(value.to_string());
    let start = |n: u32| {
        json!({"topicName": format!("v2.detail.events.conversation.i-{n}.customer.start"), "version": "2",
            "eventBody": {"eventTime": 1_772_460_000_000_i64, "conversationId": format!("i-{n}"), "mediaType": "VOICE",
                "direction": "INBOUND"}})
    };
    let start_type = "v2.detail.events.conversation.{id}.customer.start";
    let as_text = on_the_bus(&source(&org), start_type, text(&start(2)));
    let attributes = json!({"eventTime": 1_772_460_000_000_i64, "conversationId": "i-7",
        "attributes": {"customer_tier": "gold", "cardCode": "911-x", "Prüfziffer": "918-x", "PIN_attempt_1": "4712-x", "cid": "916"}});
    let marked = [
        &b"\xEF\xBB\xBF"[..],
        flat(&org, 1, json!({})).to_string().as_bytes(),
        b"\n\xEF\xBB\xBF",
        flat(&org, 1, json!({"eventType": "ended"})).to_string().as_bytes(),
    ]
    .concat();
    let cut =
        flat(&org, 5, json!({"queueName": "sales CUT", "stateName": "held"})).to_string().replace("CUT", "\\ud83d");
    let packed = gzip(format!("{{\"logGroup\":\"{}\",\"cvv\":\"737\"}}", org.name).as_bytes());
    let records: Vec<Vec<u8>> = [
        as_text.to_string(),
        // The same event again, forwarded: a duplicate.
        on_the_bus(&format!("forwarded/{}", source(&org)), "Forwarded", start(2)).to_string(),
        json!({"Type": "Notification", "TopicArn": "arn", "Message": on_the_bus(&source(&org), start_type, start(3)).to_string()})
            .to_string(),
        json!({"specversion": "1.0", "type": "com.example.conversation.ended", "id": "ce", "source": "/calls",
            "time": "2026-03-02T14:00:06.6134321Z", "data": {"conversationId": "i-4", "orgId": org.name}})
        .to_string(),
        cut,
        topic(&org, "v2.users.{id}.presence", "u-1", json!({"presenceDefinition": {"systemPresence": "ON_QUEUE"}, "modifiedDate": AT}))
            .to_string(),
        topic(&org, "v2.operational.events.{id}", "o-1", json!({"currentValue": "DOWN", "dateCreated": AT})).to_string(),
        // Filtered: an observation, and a heartbeat that names the customer.
        topic(&org, "v2.analytics.queues.{id}.observations", "q-1", json!({"group": {"queueId": "q-1"}, "data": []})).to_string(),
        flat(&org, 6, json!({"eventType": "heartbeat", "phoneHash": format!("{:0>64}", org.name.replace(|c: char| !c.is_ascii_hexdigit(), ""))}))
            .to_string(),
        on_the_bus(&source(&org), "v2.detail.events.conversation.{id}.attributes", json!({"eventBody": attributes})).to_string(),
    ]
    .into_iter()
    .map(String::into_bytes)
    .chain([marked, packed.clone()])
    .collect();
    stack.send(&records);
    let counts = org.settled(12);
    stack.drained();
    assert!(counts.reconcile(), "{counts:?}");
    assert_eq!((counts.committed, counts.filtered, counts.duplicate), (9, 2, 1), "{counts:?}");

    let entries = org.entries();
    assert_once_and_in_order(&entries);
    let mut told: Vec<(String, &str)> =
        entries.iter().map(|entry| (record_of(entry), entry["type"].as_str().unwrap())).collect();
    for (record, _) in &mut told {
        // A user's id stands as an alias, which is random.
        if record.starts_with("User/") {
            assert!(!built_in().has_raw_id(record), "{record}");
            *record = "User/x_".to_owned();
        }
    }
    told.sort();
    assert_eq!(
        told.iter().map(|(record, kind)| (record.as_str(), *kind)).collect::<Vec<_>>(),
        [
            ("OperationalEvent/o-1", "operational.event"),
            ("User/x_", "presence"),
            ("i-1", "customer.end"),
            ("i-1", "user.start"),
            ("i-2", "customer.start"),
            ("i-3", "customer.start"),
            ("i-4", "customer.end"),
            ("i-5", "user.start"),
            ("i-7", "attributes"),
        ]
    );
    let rows = silver::rows(&org);
    let damaged: Vec<_> = rows.iter().filter(|row| row.contains_key("flaws")).collect();
    assert_eq!(damaged.len(), 1);
    assert_eq!(
        (&damaged[0]["flaws"], &damaged[0]["masked_fields"]),
        (&json!("damaged_text"), &json!("queue_name,source_event_type"))
    );
    let kept = quarantine::kept(&stack, "quarantine/");
    assert!(
        kept.iter().any(|line| line.reason == "not_utf8" && line.bytes == packed),
        "the packed record is not kept as it was"
    );
    let bronze: Vec<u8> =
        stack.keys("BronzeBucket", "bronze/").iter().flat_map(|key| stack.text("BronzeBucket", key)).collect();
    let bronze = String::from_utf8_lossy(&bronze);
    for code in ["911-x", "918-x", "4712-x", "\"916\""] {
        assert!(!bronze.contains(code), "{code} is in bronze");
    }
    assert!(bronze.contains("\"customer_tier\":\"gold\""));
    assert_filtered_answer(&org);
}

/// The one interaction in which only a filtered line names the customer is told as such, and as nothing that is still to come.
fn assert_filtered_answer(org: &Org<'_>) {
    let key = org.stack.description().api_key.clone();
    let hash = format!("{:0>64}", org.name.replace(|c: char| !c.is_ascii_hexdigit(), ""));
    let (status, answer) = ask(org.stack, Some(&key), &json!({"identifiers": [{"kind": "phone_hash", "value": hash}]}));
    assert_eq!((status, &answer["filtered"], &answer["complete"]), (200, &json!(1), &json!(true)), "{answer}");
    assert_eq!(answer["interactions"].as_array().map(Vec::len), Some(0), "{answer}");
}

#[test]
fn nine_thousand_events_in_one_record_are_as_many_entries() {
    let Some(stack) = Stack::running() else { return };
    let org = Org::new(&stack, "many");
    let event = |n: usize| {
        format!(
            "{{\"interactionId\":\"a-{}\",\"timestamp\":{},\"org\":\"{}\"}}",
            n / 200,
            1_772_460_000_000_i64 + n as i64,
            org.name
        )
    };
    let record: String = (0..SMALL_EVENTS).map(event).collect();
    assert!(record.len() < 1_000 * 1024, "{} bytes", record.len());
    stack.send(&[record.into_bytes()]);
    let counts = org.committed(SMALL_EVENTS as u64);
    assert!(counts.reconcile() && counts.committed == SMALL_EVENTS as u64 && counts.quarantined == 0, "{counts:?}");
    let mut per_record: BTreeMap<String, usize> = BTreeMap::new();
    for entry in org.entries() {
        *per_record.entry(record_of(&entry)).or_default() += 1;
    }
    assert!(per_record.len() == SMALL_EVENTS / 200 && per_record.values().all(|count| *count == 200), "{per_record:?}");
}

fn record_of(entry: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    match entry.get("entity") {
        Some(entity) => format!("{}/{}", text(&entity["type"]), text(&entity["id"])),
        None => text(&entry["interactionId"]),
    }
}
