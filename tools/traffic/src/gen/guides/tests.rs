//! The guides' shapes against the counts, the list of what was planted, and the day that Genesys alone tells.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use time::macros::date;

use crate::r#gen::{GenArgs, Traffic, generate};

fn day(guides: f64) -> GenArgs {
    GenArgs { guides, ..GenArgs::calm(150, 7, date!(2026 - 03 - 02)) }
}

fn disturbed(guides: f64) -> GenArgs {
    GenArgs { duplicates: 20.0, disorder: 15.0, drift: 30.0, ..day(guides) }
}

/// Documents without an envelope.
fn flat(traffic: &Traffic) -> Vec<Value> {
    let documents = traffic.records.iter().filter(|record| !record.starts_with(b"{\"version\""));
    documents.map(|record| serde_json::from_slice(record).unwrap()).collect()
}

/// The shape of a document, by the members that the guides give it.
fn shape(document: &Value) -> &'static str {
    let has = |pointer: &str| document.pointer(pointer).is_some();
    match () {
        () if has("/auditEvent/eventType") => "audit-event",
        () if has("/audit/interactionId") || has("/audit.interactionId") => "identity-flow",
        () if has("/audit_id") && has("/data") => "audit-record",
        () if has("/eventId") && has("/payload/state") => "event-sourcing",
        () if has("/stateName") || has("/activity_name") => "interaction-log",
        () if has("/records/0/case_id") => "process-batch",
        () if has("/contact_id") => "contact-row",
        () if has("/id") && has("/startTime") => "interaction-summary",
        () => panic!("no shape: {document}"),
    }
}

/// The interactions that a document is about, once for each event in it.
fn records(document: &Value) -> Vec<String> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    if let Some(records) = document["records"].as_array() {
        return records.iter().map(|record| text(&record["case_id"])).collect();
    }
    let places = [
        "/auditEvent/interactionId",
        "/audit/interactionId",
        "/audit.interactionId",
        "/data/interactionId",
        "/interactionId",
        "/interaction_id",
        "/contact_id",
        "/id",
    ];
    vec![places.iter().find_map(|place| document.pointer(place)).map(text).unwrap()]
}

#[test]
fn what_genesys_tells_is_the_same_with_and_without_them() {
    let (alone, together) = (generate(&disturbed(0.0)), generate(&disturbed(40.0)));
    let enveloped: Vec<_> = together.records.iter().filter(|record| record.starts_with(b"{\"version\"")).collect();
    assert_eq!(enveloped, alone.records.iter().collect::<Vec<_>>());
    assert!(alone.records.len() < together.records.len());
    assert_eq!(together.records, generate(&disturbed(40.0)).records, "the same arguments, the same bytes");
}

#[test]
fn every_shape_occurs_and_is_counted_by_event_and_by_interaction() {
    let traffic = generate(&disturbed(60.0));
    let alone = generate(&disturbed(0.0)).planted;
    let (mut topics, mut per_record) = (alone.per_topic.clone(), alone.per_record.clone());
    let (mut events, mut duplicates) = (alone.counts.events, alone.counts.duplicates);
    let mut seen = BTreeSet::new();
    for document in flat(&traffic) {
        let records = records(&document);
        if !seen.insert(document.to_string()) {
            duplicates += records.len() as u64;
            continue;
        }
        events += records.len() as u64;
        *topics.entry(shape(&document).to_owned()).or_default() += records.len() as u64;
        for record in records {
            *per_record.get_mut(&record).expect("an interaction that Genesys tells of") += 1;
        }
    }
    let planted = traffic.planted;
    assert_eq!((planted.counts.events, planted.counts.duplicates), (events, duplicates));
    assert_eq!(planted.counts.documents, events + duplicates);
    assert_eq!(planted.counts.guides, events - alone.counts.events);
    assert_eq!((planted.per_topic.clone(), planted.per_record), (topics, per_record));
    for shape in [
        "audit-event",
        "identity-flow",
        "audit-record",
        "event-sourcing",
        "interaction-log",
        "process-batch",
        "contact-row",
        "interaction-summary",
    ] {
        assert!(planted.per_topic[shape] > 5, "{shape}");
    }
}

#[test]
fn an_identifier_resolves_the_interactions_of_the_documents_that_carry_it() {
    let (alone, traffic) = (generate(&disturbed(0.0)).planted, generate(&disturbed(60.0)));
    let carried = [
        ("phone", vec!["/phoneNumber", "/payload/phoneNumber", "/data/phoneNumber", "/phone_number"]),
        ("email", vec!["/payload/emailAddress", "/data/emailAddress"]),
        ("customer_id_hash", vec!["/auditEvent/resolvedCustomerId", "/audit/customerId", "/audit.customerId"]),
        ("phone_hash", vec!["/auditEvent/piiContext/phoneHash"]),
        ("email_hash", vec!["/auditEvent/piiContext/emailHash"]),
        ("account_hash", vec!["/auditEvent/piiContext/accountNumberHash"]),
    ];
    let plain = |value: &str| value.chars().filter(|c| !matches!(c, ' ' | '-') || !value.starts_with('+')).collect();
    let mut expected: BTreeMap<(&str, String), BTreeSet<String>> = BTreeMap::new();
    for identifier in alone.identifiers.iter().filter(|one| !one.resolves.is_empty()) {
        expected.insert((identifier.kind, identifier.value.clone()), identifier.resolves.clone());
    }
    for document in flat(&traffic) {
        for (kind, places) in &carried {
            for value in places.iter().filter_map(|place| document.pointer(place)?.as_str()) {
                expected.entry((kind, plain(value))).or_default().extend(records(&document));
            }
        }
    }
    let found: BTreeMap<(&str, String), BTreeSet<String>> = traffic
        .planted
        .identifiers
        .iter()
        .filter(|one| !one.resolves.is_empty())
        .map(|one| ((one.kind, one.value.clone()), one.resolves.clone()))
        .collect();
    assert_eq!(found, expected);
    for (kind, _) in &carried {
        assert!(found.keys().any(|(found, _)| found == kind), "no {kind}");
    }
}

#[test]
fn every_planted_value_is_in_the_traffic_and_nobody_real_is() {
    let traffic = generate(&day(100.0));
    let text: String = traffic.records.iter().map(|r| String::from_utf8_lossy(r).into_owned()).collect();
    let identifiers = &traffic.planted.identifiers;
    for identifier in identifiers {
        for needle in &identifier.needles {
            assert!(text.contains(needle.as_str()), "a {} needle is not in the traffic", identifier.kind);
        }
        match identifier.kind {
            "ssn" => assert!(identifier.value.starts_with("900-00-") && identifier.value.len() == 11),
            "phone" => assert!(identifier.value.starts_with("+1") && &identifier.value[5..10] == "55501"),
            "phone_hash" | "email_hash" | "account_hash" => assert_eq!(identifier.value.len(), 64),
            _ => {}
        }
    }
    for kind in ["ssn", "password", "payment_token"] {
        assert!(identifiers.iter().any(|one| one.kind == kind && one.resolves.is_empty()), "{kind}");
    }
}

#[test]
fn all_of_it_lies_within_the_day_and_within_the_organization() {
    let traffic = generate(&day(100.0));
    let times = ["timestamp", "startTime", "endTime", "start_time", "end_time"];
    let mut found = 0;
    for document in flat(&traffic) {
        assert_eq!(document["orgId"], traffic.planted.org.as_str());
        let parts = ["", "/auditEvent", "/audit", "/data"].iter().filter_map(|part| document.pointer(part));
        for part in parts.chain(document["records"].as_array().into_iter().flatten()) {
            let at = times.iter().filter_map(|name| part.get(*name)).chain(part.get("audit.timestamp"));
            for at in at.filter_map(Value::as_str) {
                assert!(at.starts_with("2026-03-02T") && at.ends_with('Z'), "{at}");
                found += 1;
            }
        }
    }
    assert!(found > 500, "only {found} times");
}

#[test]
fn a_withheld_number_stays_withheld() {
    let traffic = generate(&GenArgs { guides: 100.0, ..GenArgs::calm(400, 3, date!(2026 - 03 - 02)) });
    let unknown: BTreeSet<String> = flat(&traffic)
        .iter()
        .filter(|document| document.pointer("/audit/customerId").is_some_and(Value::is_null))
        .flat_map(records)
        .collect();
    assert!(unknown.len() > 2);
    for identifier in &traffic.planted.identifiers {
        assert!(identifier.records.is_disjoint(&unknown), "{}", identifier.kind);
    }
}

#[test]
fn a_batch_holds_several_cases_and_comes_when_the_last_has_ended() {
    let traffic = generate(&day(100.0));
    let batches: Vec<Value> = flat(&traffic).into_iter().filter(|one| shape(one) == "process-batch").collect();
    assert!(batches.iter().any(|batch| records(batch).iter().collect::<BTreeSet<_>>().len() == 3));
    let names: BTreeSet<&str> = batches.iter().map(|batch| batch["batch_id"].as_str().unwrap()).collect();
    assert_eq!(names.len(), batches.len());
    let mut elements = BTreeSet::new();
    for batch in &batches {
        for element in batch["records"].as_array().unwrap() {
            assert!(element["start_time"].as_str() <= element["end_time"].as_str());
            assert!(elements.insert(element.to_string()), "an element twice");
        }
    }
}

#[test]
fn a_broken_document_holds_no_event_and_a_drifted_one_still_does() {
    let args = GenArgs { malformed: 100.0, ..day(100.0) };
    let (whole, broken) = (generate(&day(100.0)), generate(&args));
    let calm: BTreeSet<&Vec<u8>> = whole.records.iter().collect();
    let flat: Vec<&Vec<u8>> = broken.records.iter().filter(|record| record.starts_with(b"{\"")).collect();
    let mut kinds = BTreeSet::new();
    for record in flat.iter().filter(|record| !record.starts_with(b"{\"version\"") && !calm.contains(*record)) {
        let text = String::from_utf8_lossy(record);
        let first = text.split('"').nth(1).unwrap();
        kinds.insert(match () {
            () if text.starts_with("{\"service\":\"probe\"") => "about nothing",
            () if text.starts_with("{\"\\ud83d\":") => "half a character in a key",
            () if text.starts_with(&format!("{{\"{first}\":null,\"{first}\":")) => "a key twice",
            () if serde_json::from_slice::<Value>(record).is_err() => "cut off",
            () => panic!("this is not broken: {text}"),
        });
    }
    assert_eq!(kinds.len(), 4, "{kinds:?}");
    let drifted = generate(&GenArgs { drift: 100.0, ..day(100.0) });
    assert_eq!(drifted.planted.counts.drifted, drifted.planted.counts.events);
    assert_eq!(drifted.planted.per_record, whole.planted.per_record);
    for document in super::tests::flat(&drifted) {
        assert!(!records(&document).is_empty() && !shape(&document).is_empty());
    }
}
