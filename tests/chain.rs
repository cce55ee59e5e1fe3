//! The chain on the local stack: what goes into the stream, and what becomes of it.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ledgerline_event::document::{parse, split};
use ledgerline_event::{Context, adapt};
use ledgerline_store::{posting, record};
use ledgerline_tests::guess::Guesses;
use ledgerline_tests::org::{Org, assert_once_and_in_order, nameless, per_record};
use ledgerline_tests::stack::{Stack, corpus, key_of, number, text};
use ledgerline_tests::{quarantine, scan};
use ledgerline_traffic::r#gen::{GenArgs, generate};
use serde_json::{Value, json};
use time::OffsetDateTime;

pub(crate) const DAY: time::Duration = time::Duration::DAY;

/// A day of generated traffic that lies neither in the future nor too far back.
fn traffic(org: &Org<'_>, interactions: u32, seed: u64) -> GenArgs {
    let mut args = GenArgs::calm(interactions, seed, (now() - DAY).date());
    args.org.clone_from(&org.name);
    args
}

#[expect(clippy::disallowed_methods, reason = "events must be recent to be on time")]
pub(crate) fn now() -> OffsetDateTime {
    std::time::SystemTime::now().into()
}

/// One Genesys event in its envelope.
pub(crate) fn event(org: &Org<'_>, conversation: &str, at: OffsetDateTime, n: u64) -> Vec<u8> {
    let event_time = at.unix_timestamp() * 1000 + i64::try_from(n).unwrap();
    let body = json!({
        "version": "0", "id": uuid::Uuid::new_v4().to_string(), "account": "123456789012", "region": "us-east-1", "resources": [],
        "detail-type": "v2.detail.events.conversation.{id}.acd.end",
        "source": format!("aws.partner/genesys.com/cloud/{}/tests", org.name), "time": "2026-01-01T00:00:00Z",
        "detail": {
            "topicName": format!("v2.detail.events.conversation.{conversation}.acd.end"), "version": "2",
            "metadata": { "CorrelationId": uuid::Uuid::new_v4().to_string() }, "timestamp": "2026-01-01T00:00:00.000Z",
            "eventBody": {
                "eventTime": event_time, "conversationId": conversation, "mediaType": "VOICE", "direction": "INBOUND",
                "participantId": uuid::Uuid::from_u128(u128::from(n)).to_string(),
                "sessionId": uuid::Uuid::from_u128(u128::from(n) + 1).to_string(),
                "ani": "tel:+13175550142", "dnis": "tel:+13175550100", "acdOutcome": "ANSWERED", "connectedDurationMs": n,
            },
        },
    });
    serde_json::to_vec(&body).unwrap()
}

/// Whether these bytes are an event: a document that names a record and a time.
fn is_event(bytes: &[u8]) -> bool {
    parse(bytes)
        .is_ok_and(|document| adapt(&document, &Context { default_org: "tests", numeric_id_sources: &[] }).is_ok())
}

/// What ingest and transform kept in quarantine, as the bytes that were sent.
fn quarantined(stack: &Stack) -> BTreeSet<Vec<u8>> {
    quarantine::kept(stack, "quarantine/").into_iter().map(|kept| kept.bytes).collect()
}

#[test]
fn generated_traffic_reconciles_and_leaves_nothing_personal_behind() {
    let Some(stack) = Stack::running() else { return };
    let org = Org::new(&stack, "traffic");
    let mut args = traffic(&org, 60, 7);
    (args.duplicates, args.disorder, args.drift, args.malformed) = (20.0, 10.0, 5.0, 3.0);
    let generated = generate(&args);
    let planted = &generated.planted;
    stack.send(&generated.records);

    // Records without an event are in no object of this organisation: ingest quarantines what is not a document, and documents
    // that name no record lie among the unsorted, where transform does.
    let garbage: Vec<&[u8]> = generated
        .records
        .iter()
        .filter(|record| split(record).all(|fragment| !is_event(fragment.bytes())))
        .flat_map(|record| split(record).map(|fragment| fragment.bytes()))
        .collect();
    let lines = planted.counts.documents - garbage.len() as u64;
    let counts = org.settled(lines);
    assert_eq!(counts.seen, lines, "{counts:?}");
    assert!(counts.reconcile(), "{counts:?}");
    assert_eq!(counts.committed, planted.counts.events, "{counts:?}");
    assert_eq!(counts.duplicate, planted.counts.duplicates, "{counts:?}");
    assert_eq!(counts.quarantined + garbage.len() as u64, planted.counts.malformed, "{counts:?}");
    stack.drained();
    let kept = quarantined(&stack);
    assert!(garbage.iter().all(|bytes| kept.contains(*bytes)), "a broken record was not kept whole");

    let entries = org.entries();
    assert_once_and_in_order(&entries);
    assert_eq!(nameless(&per_record(&entries)), nameless(&planted.per_record));

    let needles: Vec<String> = planted.identifiers.iter().flat_map(|found| found.needles.iter().cloned()).collect();
    assert!(needles.len() > 50, "too little was planted to prove anything");
    let bronze: Vec<scan::Place> = stack
        .keys("BronzeBucket", "bronze/")
        .iter()
        .map(|key| scan::Place::new(key, String::from_utf8_lossy(&stack.text("BronzeBucket", key)).into_owned()))
        .collect();
    assert!(scan::found(&needles, &bronze).len() > 50, "the needles are not even in bronze");
    let places = scan::everywhere_but_bronze(&stack);
    assert_eq!(scan::found(&needles, &places), Vec::<String>::new());

    let mut guesses = Guesses::on(&stack);
    for found in &planted.identifiers {
        found.needles.iter().chain([&found.value]).for_each(|text| guesses.value(&org.name, text));
        let records = found.records.iter().filter_map(|record| record.split_once('/'));
        records.filter(|(_, id)| *id == found.value).for_each(|(kind, id)| guesses.record(&org.name, kind, id));
    }
    generated.records.iter().for_each(|record| guesses.documents(record));
    // Claims answer to an insider's guesses, so that an event sent again is known; an erasure names them, and they expire. That they
    // do here shows that the guesses are right. Nothing else may.
    let (claims, others): (Vec<_>, Vec<_>) = places.into_iter().partition(|place| place.is_claims);
    let answered = guesses.found(&claims);
    for form in ["the content id", "the record's name"] {
        assert!(answered.iter().any(|hit| hit.contains(form)), "no claim answers to a guess at {form}");
    }
    assert_eq!(guesses.found(&others), Vec::<String>::new());
}

#[test]
fn the_same_notification_three_times_changes_nothing_more() {
    let Some(stack) = Stack::running() else { return };
    let org = Org::new(&stack, "again");
    let conversation = uuid::Uuid::new_v4().to_string();
    stack.send(&(0..5).map(|n| event(&org, &conversation, now() - DAY, n)).collect::<Vec<_>>());
    let before = org.settled(5);
    let rows: Vec<String> = org.objects().into_iter().collect();
    for object in &rows {
        let row = stack.object_row(object).unwrap();
        for _ in 0..3 {
            let body = json!({ "Records": [{
                "eventSource": "aws:s3", "eventName": "ObjectCreated:Put", "awsRegion": "us-east-1",
                "s3": { "bucket": { "name": stack.bucket("BronzeBucket") },
                        "object": { "key": text(&row, "key").replace('=', "%3D"), "size": 1 } } }] });
            let send = stack.sqs.send_message().queue_url(stack.description().queue("BronzeQueue").unwrap());
            stack.block(send.message_body(body.to_string()).send()).unwrap();
        }
    }
    stack.drained();
    assert_eq!(org.counts(), before);
    assert_once_and_in_order(&org.entries());
    assert_eq!(org.entries().len(), 5);
}

#[test]
fn re_sent_events_under_other_envelopes_are_duplicates_across_objects() {
    let Some(stack) = Stack::running() else { return };
    let org = Org::new(&stack, "resent");
    let conversation = uuid::Uuid::new_v4().to_string();
    let at = now() - DAY;
    stack.send(&(0..20).map(|n| event(&org, &conversation, at, n)).collect::<Vec<_>>());
    org.settled(20);
    // Envelope id and correlation id differ; the body is the same.
    stack.send(&(0..4).map(|n| event(&org, &conversation, at, n * 5)).collect::<Vec<_>>());
    let counts = org.settled(24);
    assert_eq!((counts.committed, counts.duplicate), (20, 4), "{counts:?}");
    assert_eq!(org.entries().len(), 20);
    assert!(org.objects().len() >= 2);
}

#[test]
fn events_days_late_are_committed_under_their_own_date() {
    let Some(stack) = Stack::running() else { return };
    let org = Org::new(&stack, "late");
    let conversation = uuid::Uuid::new_v4().to_string();
    let at = now() - 9 * DAY;
    stack.send(&[event(&org, &conversation, at, 1), event(&org, &conversation, now(), 2)]);
    org.settled(2);
    let keys: Vec<String> =
        org.objects().iter().map(|object| text(&stack.object_row(object).unwrap(), "key")).collect();
    let today = now().date();
    let late = format!(
        "bronze/event_type=late/year={:04}/month={:02}/day={:02}/",
        today.year(),
        u8::from(today.month()),
        today.day()
    );
    assert!(keys.iter().any(|key| key.starts_with(&late)), "{keys:?}");
    let silver = stack.keys("LakeBucket", &format!("silver/events/date={}/", at.date()));
    assert!(org.objects().iter().any(|object| silver.iter().any(|key| key.contains(object.as_str()))), "{silver:?}");
}

#[test]
fn every_file_of_the_json_test_suite_is_accounted_for() {
    let Some(stack) = Stack::running() else { return };
    let Some(corpus) = corpus() else { return };
    let org = Org::new(&stack, "suite");
    let conversation = uuid::Uuid::new_v4().to_string();
    let mut records = Vec::new();
    for file in std::fs::read_dir(corpus.join("badinput/json_test_suite/test_parsing")).unwrap() {
        records.push(std::fs::read(file.unwrap().path()).unwrap());
    }
    assert!(records.len() > 300, "only {} files", records.len());
    // A good event on either side of every twentieth file: none may be stopped by its neighbours.
    let mut sent = Vec::new();
    let mut good = 0;
    for (n, record) in records.iter().enumerate() {
        if n % 20 == 0 {
            sent.push(event(&org, &conversation, now() - DAY, good));
            good += 1;
        }
        sent.push(record.clone());
    }
    stack.send(&sent);
    org.settled(good);
    assert_eq!(org.entries().len() as u64, good);
    // No file names a record, so each is kept whole: in one line, or in one per document that it holds.
    stack.wait_for("every file to be in quarantine", || {
        let kept = quarantined(&stack);
        let missing = records.iter().filter(|record| !accounted(record, &kept)).count();
        if missing == 0 { Ok(()) } else { Err(format!("{missing} of {} files are missing", records.len())) }
    });
}

fn accounted(record: &[u8], kept: &BTreeSet<Vec<u8>>) -> bool {
    let mut fragments = split(record).peekable();
    fragments.peek().is_some() && fragments.all(|fragment| kept.contains(fragment.bytes()))
}

#[test]
fn every_sample_of_the_event_bridge_corpus_is_committed() {
    let Some(stack) = Stack::running() else { return };
    let Some(corpus) = corpus() else { return };
    let org = Org::new(&stack, "samples");
    let mut records = Vec::new();
    for file in std::fs::read_dir(corpus.join("genesys/eventbridge/samples")).unwrap() {
        let mut sample: Value = serde_json::from_slice(&std::fs::read(file.unwrap().path()).unwrap()).unwrap();
        sample["source"] = json!(format!("aws.partner/genesys.com/cloud/{}/samples", org.name));
        records.push(serde_json::to_vec_pretty(&sample).unwrap());
    }
    assert!(records.len() >= 14, "only {} samples", records.len());
    stack.send(&records);
    let counts = org.settled(records.len() as u64);
    assert!(counts.reconcile());
    assert_eq!((counts.quarantined, counts.filtered), (0, 0), "{counts:?}");
    // Different samples share a body now and then: those are duplicates, and nothing else is.
    assert_eq!(counts.committed + counts.duplicate, records.len() as u64, "{counts:?}");
    let distinct: BTreeSet<Vec<u8>> = records
        .iter()
        .map(|record| {
            let sample: Value = serde_json::from_slice(record).unwrap();
            serde_json::to_vec(&json!([sample["detail-type"], sample["detail"]["eventBody"]])).unwrap()
        })
        .collect();
    assert_eq!(counts.committed, distinct.len() as u64, "{counts:?}");
}

#[test]
fn records_in_the_error_prefix_come_back() {
    let Some(stack) = Stack::running() else { return };
    let org = Org::new(&stack, "errors");
    let conversation = uuid::Uuid::new_v4().to_string();
    let mut lines = String::new();
    for n in 0..3 {
        let raw = STANDARD.encode(event(&org, &conversation, now() - DAY, n));
        let line = json!({ "attemptsMade": 4, "arrivalTimestamp": 1, "errorCode": "Lambda.FunctionError",
            "errorMessage": "none", "attemptEndingTimestamp": 2, "rawData": raw, "lambdaArn": "arn" });
        lines += &format!("{line}\n");
    }
    let key = format!("errors/processing-failed/year=2026/month=01/day=01/hour=00/{}", org.name);
    let put = stack.s3.put_object().bucket(stack.bucket("BronzeBucket")).key(key);
    stack.block(put.body(lines.into_bytes().into()).send()).unwrap();
    let counts = org.settled(3);
    assert_eq!(counts.committed, 3, "{counts:?}");
}

#[test]
fn a_segment_lists_what_its_postings_say() {
    let Some(stack) = Stack::running() else { return };
    let org = Org::new(&stack, "postings");
    let conversation = uuid::Uuid::new_v4().to_string();
    stack.send(&(0..7).map(|n| event(&org, &conversation, now() - DAY, n)).collect::<Vec<_>>());
    org.settled(7);
    let partition = record::partition(&format!("{}/{conversation}", org.name));
    let log = format!("{}/interaction/1/0", org.name);
    stack.wait_for("the postings", || {
        let head = stack.head(&log).unwrap();
        let indexed = number(&head, "indexed");
        if indexed == 7 { Ok(()) } else { Err(format!("indexed {indexed}")) }
    });
    let mut lines = 0;
    for posting in stack.items("IndexTable", &partition).iter().filter(|item| posting::is_key(&key_of(item))) {
        for member in posting["members"].as_l().unwrap() {
            lines += member.as_m().unwrap()["at"].as_l().unwrap().len();
        }
        assert!(!text(posting, "versionId").is_empty());
    }
    assert_eq!(lines, 7);
}
