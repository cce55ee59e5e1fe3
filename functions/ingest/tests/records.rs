//! What Firehose sends and gets back: each record id once, in order, with all partition keys, within the limit.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test fails by panicking and says aloud what it skips"
)]

use std::io::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::GzEncoder;
use ledgerline_event::document::Rejection;
use ledgerline_event::{instant, replayed};
use ledgerline_ingest::{Config, Counts, Response, handle};
use ledgerline_lake::bronze::{self, BronzeLine};
use ledgerline_lambda::config::Env;
use proptest::prelude::*;
use serde_json::{Value, json};

/// 2026-03-02T14:06:40Z.
const ARRIVAL_MS: i64 = 1_772_460_400_000;
const HOUR_MS: i64 = 3_600_000;

fn config() -> Config {
    Config { default_org: "acme".to_owned(), late_after_ms: 48 * HOUR_MS }
}

fn request<T: AsRef<[u8]>>(records: impl IntoIterator<Item = T>) -> Vec<u8> {
    let records: Vec<Value> = records
        .into_iter()
        .enumerate()
        .map(|(n, data)| {
            let data = STANDARD.encode(data);
            json!({"recordId": format!("record-{n}"), "approximateArrivalTimestamp": ARRIVAL_MS, "data": data})
        })
        .collect();
    json!({"invocationId": "i", "deliveryStreamArn": "arn", "region": "r", "records": records}).to_string().into_bytes()
}

/// One answer: the result, its partition as a path, its lines.
struct Answer {
    result: String,
    path: String,
    lines: Vec<u8>,
}

fn answers(response: &Response) -> Vec<Answer> {
    let body: Value = serde_json::from_str(&response.body).unwrap();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    body["records"]
        .as_array()
        .unwrap()
        .iter()
        .map(|record| {
            let keys = &record["metadata"]["partitionKeys"];
            let part = |name: &str| text(&keys[name]);
            let (y, m, d, h) = (part("year"), part("month"), part("day"), part("hour"));
            Answer {
                result: text(&record["result"]),
                path: format!("{}/event_type={}/{y}-{m}-{d}T{h}", part("zone"), part("event_type")),
                lines: STANDARD.decode(text(&record["data"])).unwrap(),
            }
        })
        .collect()
}

fn answer_of(data: &[u8]) -> (Answer, Counts) {
    let response = handle(&config(), 0, &request([data])).unwrap();
    (answers(&response).remove(0), response.counts)
}

fn read(lines: &[u8]) -> Vec<BronzeLine<'_>> {
    lines.split_inclusive(|byte| *byte == b'\n').map(bronze::read).collect()
}

fn event(occurred_at_ms: i64) -> Vec<u8> {
    json!({"interactionId": "c-1", "eventType": "x", "timestamp": instant::to_rfc3339(occurred_at_ms)})
        .to_string()
        .into_bytes()
}

#[test]
fn the_trigger_in_events_is_answered_record_by_record() {
    let request = std::fs::read("../../events/firehose-transformation.json").unwrap();
    let response = handle(&config(), 0, &request).unwrap();
    let sent: Value = serde_json::from_slice(&request).unwrap();
    let answered: Value = serde_json::from_str(&response.body).unwrap();
    let ids = |v: &Value| v["records"].as_array().unwrap().iter().map(|r| r["recordId"].clone()).collect::<Vec<_>>();
    assert_eq!(ids(&sent), ids(&answered));
    let all = answers(&response);
    assert!(all.iter().all(|answer| answer.result == "Ok"));
    let paths: Vec<&str> = all.iter().map(|answer| answer.path.as_str()).collect();
    let (good, bad) = ("bronze/event_type=interaction/2026-03-02T14", "quarantine/event_type=unreadable/2026-03-02T14");
    assert_eq!(paths, [good, good, good, bad, bad, bad]);
    use Rejection::{DuplicateKey, Empty, NotJson, NotObject, NotUtf8};
    let quarantined = [Empty, NotUtf8, NotJson, NotObject, DuplicateKey].map(|reason| (reason, 1)).into();
    let expected = Counts { records: 6, events: 6, quarantined, unreadable_records: 3, ..Counts::default() };
    assert_eq!(response.counts, expected);
    let text = String::from_utf8(all.iter().flat_map(|answer| answer.lines.clone()).collect()).unwrap();
    for secret in ["737", "Secret-1", "Secret-2"] {
        assert!(!text.contains(secret) && !text.contains(&STANDARD.encode(secret)), "{secret}");
    }
    assert_eq!(text.matches("rawBase64").count(), 6, "the pretty-printed audit and five garbage lines");
}

#[test]
fn an_event_keeps_its_bytes() {
    let raw = b"{\"b\" : 1.50,\"interactionId\":\"c-1\", \"timestamp\":1772460000350,\"s\":\"}{\\u00e9\"}";
    let (answer, counts) = answer_of(raw);
    let lines = read(&answer.lines);
    let [BronzeLine::Event(event)] = &lines[..] else { panic!("{lines:?}") };
    assert_eq!(&*event.raw, raw);
    assert_eq!(event.occurred_at_ms, Some(1_772_460_000_350));
    assert_eq!(event.received_at_ms, Some(ARRIVAL_MS));
    assert_eq!(event.org.as_deref(), Some("acme"));
    assert_eq!((counts.events, counts.quarantined.len()), (1, 0));
}

#[test]
fn partitions_follow_occurrence_and_the_late_go_by_day_of_arrival() {
    let late = "bronze/event_type=late/2026-03-02T00";
    for (occurred_at_ms, path) in [
        (ARRIVAL_MS - 1_000, "bronze/event_type=interaction/2026-03-02T14"),
        (ARRIVAL_MS - 15 * HOUR_MS, "bronze/event_type=interaction/2026-03-01T23"),
        (ARRIVAL_MS - 48 * HOUR_MS, "bronze/event_type=interaction/2026-02-28T14"),
        (ARRIVAL_MS - 48 * HOUR_MS - 1, late),
        (ARRIVAL_MS + 60_000, "bronze/event_type=interaction/2026-03-02T14"),
        (ARRIVAL_MS + HOUR_MS, late),
    ] {
        assert_eq!(answer_of(&event(occurred_at_ms)).0.path, path);
    }
    let entity = json!({"entityType": "Queue", "entityId": "q-1", "timestamp": ARRIVAL_MS}).to_string();
    assert_eq!(answer_of(entity.as_bytes()).0.path, "bronze/event_type=entity/2026-03-02T14");
    let aws = std::fs::read("../../events/aws-service.json").unwrap();
    assert_eq!(answer_of(&aws).0.path, "bronze/event_type=entity/2026-03-02T14");
}

#[test]
fn garbage_beside_events_goes_their_way_and_alone_it_is_quarantined() {
    let mut record = b"nonsense\n".to_vec();
    record.extend(event(ARRIVAL_MS));
    record.extend(b"{\"no\":\"record\"}");
    let (answer, _) = answer_of(&record);
    assert_eq!(answer.path, "bronze/event_type=interaction/2026-03-02T14");
    let lines = read(&answer.lines);
    let reason = |line: &BronzeLine<'_>| match line {
        BronzeLine::Event(_) | BronzeLine::Erased => None,
        BronzeLine::Quarantine(kept) => Some((kept.reason, kept.bytes.to_vec())),
    };
    let reasons: Vec<_> = lines.iter().map(reason).collect();
    assert_eq!(reasons[0], Some((Rejection::NotJson, b"nonsense".to_vec())));
    // What is an object and names no record goes their way, too: transform counts it and says what it is.
    assert_eq!(reasons[1..], [None, None]);
}

#[test]
fn each_line_of_a_replayed_record_says_how_often_and_its_bytes_stay_as_they_were() {
    let bytes = [b"nonsense\n".to_vec(), event(ARRIVAL_MS), b"\n{\"no\":\"record\"}".to_vec()].concat();
    for (replayed, rounds) in [(1, 0), (3, 2)] {
        let mut record = replayed::marked(bytes.clone(), replayed, usize::MAX);
        record.extend(vec![b'\t'; rounds]);
        let (answer, _) = answer_of(&record);
        let lines = read(&answer.lines);
        let [BronzeLine::Quarantine(garbage), BronzeLine::Event(event), BronzeLine::Event(unplaced)] = &lines[..]
        else {
            panic!("{lines:?}")
        };
        assert_eq!((garbage.replayed, event.replayed, unplaced.replayed), (replayed, replayed, replayed));
        assert_eq!((&*garbage.bytes, &*unplaced.raw), (&b"nonsense"[..], &b"{\"no\":\"record\"}"[..]));
    }
    // Data that is not text, too: the marks are no part of it.
    let binary = [0xFF, 0xFE, 0];
    let (answer, _) = answer_of(&replayed::marked(binary.to_vec(), 2, usize::MAX));
    let lines = read(&answer.lines);
    let [BronzeLine::Quarantine(kept)] = &lines[..] else { panic!("{lines:?}") };
    assert_eq!((&*kept.bytes, kept.replayed), (&binary[..], 2));
}

#[test]
fn an_object_that_cannot_be_placed_lies_with_the_unsorted_of_its_hour_of_arrival() {
    let at = |members: Value| {
        let mut event = json!({"eventType": "x"});
        event.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        event.to_string().into_bytes()
    };
    for raw in [
        b"{}".to_vec(),
        at(json!({"timestamp": ARRIVAL_MS})),
        at(json!({"interactionId": "15555550142", "timestamp": ARRIVAL_MS})),
        at(json!({"interactionId": "c-1"})),
        at(json!({"interactionId": "c-1", "timestamp": "20260302"})),
        at(json!({"interactionId": "c-1", "timestamp": "1989-12-31T23:59:59.999Z"})),
        at(json!({"interactionId": "c-1", "timestamp": ARRIVAL_MS + 48 * HOUR_MS + 1})),
        br#"{"name":"AuditTrailEventStream","eventTypes":["call.stateChange"],"destinationType":"KinesisDataFirehose"}"#.to_vec(),
    ] {
        let (answer, counts) = answer_of(&raw);
        assert_eq!(answer.path, "bronze/event_type=unsorted/2026-03-02T14", "{}", String::from_utf8_lossy(&raw));
        assert_eq!((counts.events, counts.quarantined.len()), (1, 0));
        let lines = read(&answer.lines);
        let [BronzeLine::Event(event)] = &lines[..] else { panic!("{lines:?}") };
        assert_eq!(&*event.raw, raw);
        assert_eq!((event.occurred_at_ms, event.lineage_token.as_deref()), (None, None));
    }
    // Every part of a document that is placed is told of it.
    assert_eq!(
        answer_of(&at(json!({"interactionId": "c-1", "timestamp": ARRIVAL_MS + 47 * HOUR_MS}))).0.path,
        "bronze/event_type=late/2026-03-02T00"
    );
}

/// The guides' bulk ingestion of so many records.
fn bulk(records: usize, padding: &str) -> Vec<u8> {
    let record = |n: usize| {
        json!({"case_id": format!("c-{n}-voice"), "activity": "Call_Routed_To_Agent", "start_time": "2026-03-02T14:00:00Z",
            "end_time": format!("2026-03-02T14:05:{:02}Z", n % 60), "notes": padding, "cvv": "737"})
    };
    let records: Vec<Value> = (0..records).map(record).collect();
    json!({"process_name": "Customer_Support_Inbound", "batch_id": "batch_1", "records": records})
        .to_string()
        .into_bytes()
}

#[test]
fn a_batch_becomes_a_line_per_element_with_the_document_around_it() {
    let (answer, counts) = answer_of(&bulk(3, ""));
    assert_eq!((counts.events, counts.quarantined.len()), (3, 0));
    assert_eq!(answer.path, "bronze/event_type=interaction/2026-03-02T14");
    let lines = read(&answer.lines);
    for (n, line) in lines.iter().enumerate() {
        let BronzeLine::Event(event) = line else { panic!("{line:?}") };
        let raw: Value = serde_json::from_slice(&event.raw).unwrap();
        assert_eq!((raw["batch_id"].as_str(), raw["records"].as_array().unwrap().len()), (Some("batch_1"), 1));
        assert_eq!(raw["records"][0]["case_id"], format!("c-{n}-voice"));
        assert_eq!(event.occurred_at_ms, instant::parse(&format!("2026-03-02T14:05:{n:02}Z")));
        assert_eq!(event.cut, 1, "the card's code is cut from each");
    }
    assert!(!String::from_utf8_lossy(&answer.lines).contains("737"));
    assert_eq!(lines.len(), 3);
    // One element is one line, and none is a document that transform refuses.
    assert_eq!(answer_of(&bulk(1, "")).1.events, 1);
    assert_eq!(answer_of(&bulk(0, "")).0.path, "bronze/event_type=unsorted/2026-03-02T14");
}

#[test]
fn a_batch_that_outgrows_an_answer_comes_back_and_one_that_would_be_gigabytes_is_kept_alone() {
    // 1,000 elements of 300 bytes in a document whose rest has so many bytes.
    let record = |rest: usize| {
        let mut batch: Value = serde_json::from_slice(&bulk(1_000, "")).unwrap();
        batch["note"] = json!("x".repeat(rest));
        batch.to_string()
    };
    let (answer, counts) = answer_of(record(10_000).as_bytes());
    assert_eq!((answer.result.as_str(), counts.events, counts.outgrown), ("ProcessingFailed", 0, 1));
    // The pieces that redrive makes of it are answered.
    let pieces = ledgerline_event::pieces::pieces(record(10_000).as_bytes());
    let events: u64 = pieces.iter().map(|piece| answer_of(piece).1.events).sum();
    assert!(pieces.len() > 10 && events == 1_000, "{} pieces, {events} events", pieces.len());
    let beside = record(20_000) + &String::from_utf8(event(ARRIVAL_MS)).unwrap();
    let (answer, counts) = answer_of(beside.as_bytes());
    let lines = read(&answer.lines);
    let [BronzeLine::Quarantine(kept), BronzeLine::Event(_)] = &lines[..] else { panic!("{} lines", lines.len()) };
    assert_eq!((kept.reason, counts.events), (Rejection::TooMany, 1));
}

/// Case 22's record: so many small events.
fn many(events: usize) -> Vec<u8> {
    let event =
        |n: usize| format!("{{\"interactionId\":\"a-{}\",\"timestamp\":{}}}", n / 20, 1_772_460_000_000_i64 + n as i64);
    (0..events).map(event).collect::<String>().into_bytes()
}

#[test]
fn eighteen_thousand_events_in_one_record_are_as_many_lean_lines() {
    let record = many(18_000);
    let response = handle(&config(), 0, &request([&record])).unwrap();
    assert!(response.body.len() < 6_000_000, "{}", response.body.len());
    let answer = answers(&response).remove(0);
    let lines = read(&answer.lines);
    assert_eq!((lines.len(), response.counts.events, response.counts.quarantined.len()), (18_000, 18_000, 0));
    assert_eq!(answer.path, "bronze/event_type=interaction/2026-03-02T14");
    let BronzeLine::Event(event) = &lines[17_999] else { panic!("{:?}", lines[17_999]) };
    assert_eq!((&event.lineage_token, event.occurred_at_ms, event.org.as_deref()), (&None, None, Some("acme")));
    let whole: Vec<u8> = lines
        .iter()
        .flat_map(|line| match line {
            BronzeLine::Event(event) => event.raw.to_vec(),
            BronzeLine::Quarantine(_) | BronzeLine::Erased => Vec::new(),
        })
        .collect();
    assert_eq!(whole, record);
    // A few of them carry all that ingest can tell.
    assert!(
        matches!(&read(&answer_of(&many(3)).0.lines)[..], [BronzeLine::Event(event), ..] if event.lineage_token.is_some())
    );
}

#[test]
fn what_outgrows_even_that_comes_back_in_pieces_that_are_answered() {
    let record = many(24_000);
    let (answer, counts) = answer_of(&record);
    assert_eq!((answer.result.as_str(), counts.outgrown, counts.events), ("ProcessingFailed", 1, 0));
    let pieces = ledgerline_event::pieces::pieces(&record);
    let answered: Vec<Counts> = pieces.iter().map(|piece| answer_of(piece).1).collect();
    assert!(answered.iter().all(|counts| counts.put_off + counts.outgrown == 0), "{answered:?}");
    assert_eq!(answered.iter().map(|counts| counts.events).sum::<u64>(), 24_000);
}

#[test]
fn a_record_that_firehose_would_not_send_costs_none_of_the_others_its_answer() {
    let data = STANDARD.encode(event(ARRIVAL_MS));
    let good = |id: &str| json!({"recordId": id, "data": data, "approximateArrivalTimestamp": ARRIVAL_MS});
    let records = json!([
        good("first"),
        {"data": data},
        {"recordId": null, "data": data},
        {"recordId": 7, "data": data},
        "text",
        {"recordId": "no-data", "approximateArrivalTimestamp": ARRIVAL_MS},
        {"recordId": "null-data", "data": null, "approximateArrivalTimestamp": ARRIVAL_MS},
        {"recordId": "number", "data": {"cvv": "737", "text": "kept"}, "approximateArrivalTimestamp": ARRIVAL_MS},
        good("last"),
        good("last"),
    ]);
    let response = handle(&config(), 0, json!({ "records": records }).to_string().as_bytes()).unwrap();
    let body: Value = serde_json::from_str(&response.body).unwrap();
    let ids: Vec<&str> =
        body["records"].as_array().unwrap().iter().map(|record| record["recordId"].as_str().unwrap()).collect();
    assert_eq!(ids, ["first", "no-data", "null-data", "number", "last", "last"]);
    let counts = &response.counts;
    assert_eq!((counts.records, counts.without_id, counts.events), (10, 4, 3));
    assert_eq!(counts.quarantined.iter().collect::<Vec<_>>(), [(&Rejection::BadEnvelope, &3)]);
    let kept = &answers(&response)[3];
    let lines = read(&kept.lines);
    let [BronzeLine::Quarantine(line)] = &lines[..] else { panic!("{lines:?}") };
    let text = String::from_utf8_lossy(&line.bytes);
    assert!(text.contains("kept") && !text.contains("737"), "{text}");
}

#[test]
fn arrival_may_be_text_or_absent_and_other_members_are_ignored() {
    let data = STANDARD.encode(event(ARRIVAL_MS));
    let record = |id: &str, arrival: Value| {
        json!({"recordId": id, "data": data, "approximateArrivalTimestamp": arrival,
        "kinesisRecordMetadata": {"shardId": "s", "subsequenceNumber": ""}})
    };
    let records = [record("a", json!("2026-03-02T14:06:40.511Z")), record("b", Value::Null)];
    let response = handle(&config(), ARRIVAL_MS + 7, json!({ "records": records }).to_string().as_bytes()).unwrap();
    let received: Vec<Option<i64>> = answers(&response)
        .iter()
        .map(|answer| match &read(&answer.lines)[0] {
            BronzeLine::Event(event) => event.received_at_ms,
            BronzeLine::Quarantine(kept) => kept.received_at_ms,
            BronzeLine::Erased => None,
        })
        .collect();
    assert_eq!(received, [Some(ARRIVAL_MS + 511), Some(ARRIVAL_MS + 7)]);
}

#[test]
fn a_list_that_is_text_in_an_envelope_becomes_a_line_per_element() {
    let list = String::from_utf8(bulk(3, "")).unwrap();
    let enveloped = json!({"source": "etl", "detail-type": "batch", "detail": list}).to_string();
    let (answer, counts) = answer_of(enveloped.as_bytes());
    assert_eq!((counts.events, answer.path.as_str()), (3, "bronze/event_type=interaction/2026-03-02T14"));
    assert!(!String::from_utf8_lossy(&answer.lines).contains("737"));
    // One event that is text stays as it came.
    let one = json!({"source": "crm", "detail": String::from_utf8(event(ARRIVAL_MS)).unwrap()}).to_string();
    let (answer, _) = answer_of(one.as_bytes());
    let lines = read(&answer.lines);
    let BronzeLine::Event(line) = &lines[0] else { panic!("{lines:?}") };
    assert_eq!((&*line.raw, line.occurred_at_ms), (one.as_bytes(), Some(ARRIVAL_MS)));
}

#[test]
fn data_that_is_no_base64_is_kept_as_it_came() {
    let request = br#"{"records":[{"recordId":"a","approximateArrivalTimestamp":1772460400000,"data":"%%"}]}"#;
    let response = handle(&config(), 0, request).unwrap();
    let answer = answers(&response).remove(0);
    let lines = read(&answer.lines);
    let [BronzeLine::Quarantine(kept)] = &lines[..] else { panic!("{lines:?}") };
    assert_eq!((kept.reason, &*kept.bytes), (Rejection::BadEnvelope, &b"%%"[..]));
}

#[test]
fn a_request_of_another_kind_is_refused_without_repeating_it() {
    let error = handle(&config(), 0, b"{\"records\":{\"recordId\":\"secret\"}}").unwrap_err().to_string();
    assert!(error.contains("processor of a delivery stream") && !error.contains("secret"), "{error}");
}

#[test]
fn a_full_answer_puts_records_off_whole_and_stays_below_six_megabytes() {
    let padding = "x".repeat(900_000);
    let big = json!({"interactionId": "c-1", "timestamp": ARRIVAL_MS, "padding": padding}).to_string();
    let response = handle(&config(), 0, &request(vec![big; 12])).unwrap();
    assert!(response.body.len() < 6_000_000, "{}", response.body.len());
    let all = answers(&response);
    assert_eq!(all.len(), 12);
    let failed = all.iter().filter(|answer| answer.result == "ProcessingFailed").count();
    assert_eq!((failed as u64, response.counts.put_off), (8, 8));
    assert!(all.iter().all(|answer| answer.path.ends_with("/2026-03-02T14")));
    assert_eq!(response.counts.events, 4);
}

#[test]
fn a_record_that_would_never_fit_comes_back_whole() {
    for record in ["{}".repeat(500_000), "{]\n".repeat(300_000)] {
        let (answer, counts) = answer_of(record.as_bytes());
        assert_eq!((answer.result.as_str(), counts.events, counts.outgrown), ("ProcessingFailed", 0, 1));
        assert!(answer.lines.is_empty());
        let pieces = ledgerline_event::pieces::pieces(record.as_bytes());
        assert!(pieces.iter().all(|piece| answer_of(piece).0.result == "Ok"));
    }
}

#[test]
fn tens_of_thousands_of_records_are_all_answered() {
    let response = handle(&config(), 0, &request(vec!["{}"; 40_000])).unwrap();
    assert!(response.body.len() < 6_000_000, "{}", response.body.len());
    let all = answers(&response);
    assert_eq!(all.len(), 40_000);
    assert!(all.iter().all(|answer| !answer.result.is_empty()));
    assert_eq!(response.counts.events + response.counts.put_off, 40_000);
}

#[test]
fn json_test_suite_files_as_records_are_each_answered() {
    let Some(corpus) = std::env::var_os("LEDGERLINE_CORPUS") else {
        eprintln!("SKIPPED json_test_suite_files_as_records_are_each_answered: LEDGERLINE_CORPUS is not set");
        return;
    };
    let folder = std::path::Path::new(&corpus).join("badinput/json_test_suite/test_parsing");
    let files: Vec<Vec<u8>> =
        std::fs::read_dir(folder).unwrap().map(|e| std::fs::read(e.unwrap().path()).unwrap()).collect();
    let response = handle(&config(), 0, &request(&files)).unwrap();
    let all = answers(&response);
    assert_eq!(all.len(), files.len());
    // None names a record: what is an object is unsorted, all else is quarantined, and every byte is kept.
    for (answer, file) in all.iter().zip(&files) {
        assert_eq!(answer.result, "Ok");
        let lines = read(&answer.lines);
        let objects = lines.iter().any(|line| matches!(line, BronzeLine::Event(_)));
        assert!(
            answer.path.starts_with(if objects { "bronze/event_type=unsorted" } else { "quarantine" }),
            "{}",
            answer.path
        );
        let visible = |bytes: &[u8]| {
            let bytes = bytes.strip_prefix("\u{FEFF}".as_bytes()).unwrap_or(bytes);
            bytes.iter().filter(|byte| !byte.is_ascii_whitespace()).count()
        };
        let kept: usize = lines
            .iter()
            .map(|line| match line {
                BronzeLine::Quarantine(kept) => visible(&kept.bytes),
                BronzeLine::Event(event) => visible(&event.raw),
                BronzeLine::Erased => 0,
            })
            .sum();
        assert_eq!(kept, visible(file));
    }
}

#[test]
fn configuration_is_checked_at_cold_start() {
    let env = |pairs: &'static [(&str, &str)]| {
        Env::from_lookup(move |name| pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned()))
    };
    let mut good = env(&[("DEFAULT_ORG", "acme"), ("LATE_AFTER_HOURS", "24")]);
    assert_eq!(Config::from_env(&mut good).late_after_ms, 24 * HOUR_MS);
    assert!(good.finish().is_ok());
    let mut bad = env(&[("DEFAULT_ORG", "a b"), ("LATE_AFTER_HOURS", "0")]);
    Config::from_env(&mut bad);
    let message = bad.finish().unwrap_err().to_string();
    assert!(message.contains("DEFAULT_ORG is no organisation: use 1 to 64 letters"), "{message}");
    assert!(
        message.contains("LATE_AFTER_HOURS is no number in its range: set a whole number from 1 to 200"),
        "{message}"
    );
}

#[test]
fn the_marks_of_redriven_rounds_leave_no_trace_in_bronze() {
    for record in [
        event(ARRIVAL_MS),
        b"garbage".to_vec(),
        b"\x1F\x8B\n ".to_vec(),
        [event(ARRIVAL_MS), event(ARRIVAL_MS)].concat(),
    ] {
        let redriven = [&record[..], &[b'\t'; 90]].concat();
        let (first, again) = (answer_of(&record), answer_of(&redriven));
        assert_eq!((first.0.path, first.0.lines, first.1), (again.0.path, again.0.lines, again.1));
    }
}

#[test]
fn compressed_records_come_back_from_quarantine_byte_for_byte() {
    // What a log group's subscription sends: gzip, of which some is stored and not compressed, so that names stand in it.
    let mut random = 7_u64;
    let mut next = move || {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        random >> 33
    };
    let records: Vec<Vec<u8>> = (0..400)
        .map(|n| {
            let mut text: String =
                (0..next() % 60).map(|_| format!("{{\"id\":\"{:x}\",\"cvv\":\"{}\"}}\n", next(), next())).collect();
            text.push_str("pin=4711&password: x\n{");
            let level = [Compression::none(), Compression::fast(), Compression::best()][n % 3];
            let mut gzip = GzEncoder::new(Vec::new(), level);
            gzip.write_all(text.as_bytes()).unwrap();
            let mut record = gzip.finish().unwrap();
            record.extend((0..if n % 5 == 0 { next() % 40 } else { 0 }).map(|_| next() as u8 & 0xF7));
            record
        })
        .collect();
    let response = handle(&config(), 0, &request(&records)).unwrap();
    for (answer, record) in answers(&response).iter().zip(&records) {
        assert!(answer.path.starts_with("quarantine/"));
        let lines = read(&answer.lines);
        let [BronzeLine::Quarantine(kept)] = &lines[..] else { panic!("{} lines", lines.len()) };
        assert_eq!((kept.reason, &*kept.bytes), (Rejection::NotUtf8, &record[..]));
    }
    assert_eq!(response.counts.quarantined.values().sum::<u64>(), 400);
    assert!(!String::from_utf8_lossy(response.body.as_bytes()).contains("\"cut\""));
}

#[test]
fn a_document_in_latin_1_is_quarantined_without_its_card_code() {
    let (answer, _) = answer_of(b"{\"interactionId\":\"c-1\",\"name\":\"M\xFCller\",\"cvv\":\"737\"}");
    let lines = read(&answer.lines);
    let [BronzeLine::Quarantine(kept)] = &lines[..] else { panic!("{lines:?}") };
    assert_eq!(&*kept.bytes, b"{\"interactionId\":\"c-1\",\"name\":\"M\xFCller\",\"cvv\":null}");
    assert_eq!(kept.reason, Rejection::NotUtf8);
}

#[test]
fn byte_order_marks_cost_no_event() {
    let mark = "\u{FEFF}".as_bytes();
    let one = event(ARRIVAL_MS);
    let record = [mark, &one, b"\n", mark, mark, &one, b"\n{\"cut\n", mark, &one, mark].concat();
    let (answer, counts) = answer_of(&record);
    assert_eq!((counts.events, counts.quarantined.values().sum()), (3, 1_u64));
    let events =
        read(&answer.lines).into_iter().filter(|line| matches!(line, BronzeLine::Event(event) if *event.raw == *one));
    assert_eq!(events.count(), 3);
}

#[test]
fn no_card_code_of_an_agents_form_reaches_bronze() {
    let attributes = json!({"tier": "gold", "Kartenprüfnummer": "8201", "CVD Code": "822", "securityCodeInput": "823",
        "PIN Eingabe 2": "8401", "track 1": "B5555550000000000", "código de seguridad": "824", "cid": "825", "note": "8888"});
    let event = json!({"interactionId": "c-1", "timestamp": ARRIVAL_MS, "attributes": attributes}).to_string();
    let (answer, _) = answer_of(event.as_bytes());
    let text = String::from_utf8(answer.lines).unwrap();
    for secret in ["8201", "822", "823", "8401", "55555500", "824", "825"] {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
    assert_eq!(text.matches("\"pointer\"").count(), 7);
    assert!(text.contains("\"tier\":\"gold\"") && text.contains("\"note\":\"8888\""));
}

proptest! {
    #[test]
    fn whatever_the_records_hold_each_is_answered_once_and_nothing_is_lost(
        records in proptest::collection::vec(
            prop_oneof![
                proptest::collection::vec(any::<u8>(), 0..80),
                Just(event(ARRIVAL_MS)),
                Just([event(ARRIVAL_MS), event(ARRIVAL_MS - HOUR_MS)].concat()),
            ],
            0..8,
        ),
    ) {
        let response = handle(&config(), 0, &request(&records)).unwrap();
        let all = answers(&response);
        prop_assert_eq!(all.len(), records.len());
        for (answer, record) in all.iter().zip(&records) {
            prop_assert_eq!(answer.result.as_str(), "Ok");
            let kept: Vec<u8> = read(&answer.lines).iter().flat_map(|line| match line {
                BronzeLine::Event(event) => event.raw.to_vec(),
                BronzeLine::Quarantine(kept) => kept.bytes.to_vec(),
                BronzeLine::Erased => Vec::new(),
            }).collect();
            let visible = |bytes: &[u8]| bytes.iter().copied().filter(|b| !b.is_ascii_whitespace()).collect::<Vec<_>>();
            prop_assert_eq!(visible(&kept), visible(record));
        }
    }
}
