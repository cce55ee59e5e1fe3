//! Error objects of every form, and every way in which reading, putting back and keeping can fail.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking and says aloud what it skips")]

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::sync::Arc;

use aws_lambda_events::sqs::SqsEvent;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use ledgerline_event::document::Rejection;
use ledgerline_event::replayed;
use ledgerline_lake::bronze::{self, BronzeLine, NewQuarantine};
use ledgerline_lake::keys::{ERRORS, QUARANTINE};
use ledgerline_lambda::disposition::Disposition;
use ledgerline_ledger::store::{Failure, StoreError};
use ledgerline_redrive::{Stores, disposition, handle};
use ledgerline_store::dead_letter::{DeadLetters, Kind, Pointer};
use ledgerline_store::error_object::ErrorObjects;
use ledgerline_testkit::bucket::{FakeBucket, FakeBuckets};
use ledgerline_testkit::calls::Calls;
use ledgerline_testkit::faults::{ALL_FAULTS, Fault, Faults};
use ledgerline_testkit::queue::FakeQueue;
use ledgerline_testkit::stream::FakeStream;
use serde_json::json;

const KEY: &str = "errors/processing-failed/year=2026/object one";
const NOW_MS: i64 = 1_772_460_400_000;

/// The bucket of errors and quarantine, and the stream, each with the faults of its own writes.
struct World {
    stores: Stores,
    bucket: FakeBucket,
    bucket_faults: Faults,
    stream: FakeStream,
    stream_faults: Faults,
    dead: FakeQueue,
    dead_faults: Faults,
}

impl World {
    fn new(object: Vec<u8>) -> Self {
        let (bucket_faults, stream_faults, calls) = (Faults::none(), Faults::none(), Calls::of_function("redrive"));
        let bucket = FakeBucket::versioned("BronzeBucket", bucket_faults.clone(), calls.clone(), NOW_MS);
        bucket.seed(KEY, object);
        let stream = FakeStream::new("EventStream", stream_faults.clone(), calls.clone());
        let dead_faults = Faults::none();
        let dead = FakeQueue::new("ErrorsDeadLetterQueue", dead_faults.clone(), calls);
        let buckets = FakeBuckets(BTreeMap::from([("bronze", bucket.clone())]));
        let stores = Stores {
            errors: ErrorObjects::new(Arc::new(buckets)),
            stream: stream.port(),
            dead_letters: DeadLetters::new(dead.port()),
        };
        Self { stores, bucket, bucket_faults, stream, stream_faults, dead, dead_faults }
    }

    /// The keys of error objects that are not deleted.
    fn errors(&self) -> Vec<String> {
        self.bucket.keys(ERRORS)
    }

    /// What was kept, in the order of its keys.
    fn kept(&self) -> Vec<Bytes> {
        let kept = self.bucket.under(QUARANTINE);
        let is_redrives = |key: &String| key.starts_with("quarantine/redrive/") && key.ends_with(".jsonl");
        assert!(kept.keys().all(is_redrives), "{:?}", kept.keys());
        kept.into_values().collect()
    }
}

fn line(data: impl AsRef<[u8]>) -> String {
    format!("{}\n", json!({"attemptsMade": 3, "errorCode": "Lambda.FunctionError", "rawData": STANDARD.encode(data)}))
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn notice_of(key: &str) -> SqsEvent {
    let s3 = json!({"Records": [{"eventName": "ObjectCreated:Put", "s3": {"bucket": {"name": "bronze"}, "object": {"key": key}}}]});
    messages(&[s3.to_string()])
}

fn messages(bodies: &[String]) -> SqsEvent {
    let records: Vec<_> =
        bodies.iter().enumerate().map(|(n, body)| json!({"messageId": format!("m{n}"), "body": body})).collect();
    serde_json::from_value(json!({"Records": records})).unwrap()
}

/// Handles a batch and returns the messages that come back.
async fn run(world: &World, event: SqsEvent) -> Vec<String> {
    let answer = handle(&world.stores, NOW_MS, event).await.unwrap();
    answer.batch_item_failures.into_iter().map(|failure| failure.item_identifier).collect()
}

#[tokio::test]
async fn plain_and_gzipped_objects_are_put_back_in_order() {
    let text = [line("{\"a\":1}"), "\r\n".to_owned(), line("two\nlines"), line([0xFF, 0xFE])].concat();
    let text = text.trim_end();
    let two_members = [gzip(&text.as_bytes()[..20]), gzip(&text.as_bytes()[20..])].concat();
    for object in [text.as_bytes().to_vec(), gzip(text.as_bytes()), two_members] {
        let world = World::new(object);
        assert!(run(&world, notice_of("errors/processing-failed/year%3D2026/object+one")).await.is_empty());
        assert_eq!(world.stream.records(), [&b"{\"a\":1}\t"[..], b"two\nlines\t", b"\xFF\xFE\t"]);
        assert!(world.kept().is_empty());
        assert!(world.errors().is_empty(), "all of it is back: the object is deleted");
    }
}

#[tokio::test]
async fn the_files_in_events_go_through_and_the_line_that_is_no_record_is_kept() {
    let event: SqsEvent =
        serde_json::from_slice(&std::fs::read("../../events/sqs-error-notification.json").unwrap()).unwrap();
    let object = std::fs::read("../../events/firehose-error-object.jsonl").unwrap();
    let body: serde_json::Value = serde_json::from_str(event.records[0].body.as_deref().unwrap()).unwrap();
    let key = body["Records"][0]["s3"]["object"]["key"].as_str().unwrap().replace("%3D", "=");
    let mut event = event;
    for record in &mut event.records {
        record.body = record.body.take().map(|body| body.replace("ledgerline-bronze", "bronze"));
    }
    let world = World::new(object.clone());
    world.bucket.seed(&key, object);
    assert!(run(&world, event).await.is_empty());
    assert_eq!(world.stream.records().len(), 3);
    let kept = world.kept();
    let BronzeLine::Quarantine(line) = bronze::read(&kept[0]) else { panic!("no quarantine line") };
    assert_eq!(line.reason, Rejection::BadEnvelope);
    assert_eq!(&*line.bytes, b"{\"attemptsMade\":3,\"rawData\":\"not base64!\"}\n");
}

#[tokio::test]
async fn a_message_that_is_no_notification_comes_back() {
    let mut event = notice_of(KEY);
    event.records[0].body = Some("by hand".to_owned());
    assert_eq!(run(&World::new(Vec::new()), event).await.len(), 1);
}

#[tokio::test]
async fn batches_keep_the_limits_of_the_service() {
    let many: String = (0..1_201).map(|n| line(format!("{{\"n\":{n}}}"))).collect();
    let world_of_many = World::new(many.into_bytes());
    run(&world_of_many, notice_of(KEY)).await;
    let sizes: Vec<usize> = world_of_many.stream.batches().iter().map(Vec::len).collect();
    assert_eq!(sizes, [500, 500, 201]);
    let big: String = (0..9).map(|_| line("x".repeat(1_000 * 1024))).collect();
    let world_of_big = World::new(gzip(big.as_bytes()));
    run(&world_of_big, notice_of(KEY)).await;
    assert_eq!(world_of_big.stream.records().len(), 9);
}

#[tokio::test]
async fn a_record_that_the_stream_never_took_is_kept() {
    let too_big = line("x".repeat(1_000 * 1024 + 1));
    let endless = "y".repeat(5 << 20);
    let world = World::new(format!("{too_big}{endless}").into_bytes());
    assert!(run(&world, notice_of(KEY)).await.is_empty());
    assert!(world.stream.records().is_empty());
    let kept: Vec<u8> = world.kept().concat();
    let bytes: usize = kept
        .split_inclusive(|byte| *byte == b'\n')
        .map(|line| match bronze::read(line) {
            BronzeLine::Quarantine(kept) => kept.bytes.len(),
            BronzeLine::Event(_) | BronzeLine::Erased => 0,
        })
        .sum();
    assert_eq!(bytes, too_big.len() + endless.len());
}

/// The bronze lines of a record's documents and garbage, as Firehose gives them back if they could not be delivered.
fn after_ingest(events: &[&[u8]], garbage: &[&[u8]]) -> String {
    let mut transformed = Vec::new();
    for raw in events {
        let event = bronze::NewEvent {
            org: "acme",
            lineage_token: Some("t"),
            received_at_ms: NOW_MS,
            occurred_at_ms: Some(NOW_MS),
            source: None,
            replayed: 0,
            cut: &[],
            raw,
            has_line_break: raw.contains(&b'\n'),
        };
        bronze::write_event(&event, &mut transformed);
    }
    for bytes in garbage {
        let kept = NewQuarantine { received_at_ms: NOW_MS, reason: Rejection::NotJson, replayed: 0, cut: &[], bytes };
        bronze::write_quarantine(&kept, &mut transformed);
    }
    line(transformed)
}

#[tokio::test]
async fn lines_that_failed_after_ingest_go_back_as_their_sources_sent_them() {
    let world = World::new(after_ingest(&[b"{\n\"conversationId\":\"c\"}"], &[b"garbage"]).into_bytes());
    run(&world, notice_of(KEY)).await;
    assert_eq!(world.stream.records(), [&b"{\n\"conversationId\":\"c\"}\ngarbage\t"[..]]);
}

#[tokio::test]
async fn a_record_of_exactly_the_largest_size_goes_back_whole() {
    let document = |bytes: usize| format!("{{\"a\":\"{}\"}}", "x".repeat(bytes - 8)).into_bytes();
    let whole = document(1_000 * 1024);
    let halves = [document(500 * 1024), document(500 * 1024)];
    let object = [
        line(&whole),
        after_ingest(&[&whole], &[]),
        // Two documents of one record that cannot be one again with a line feed between them.
        after_ingest(&[&halves[0], &halves[1]], &[]),
    ];
    let world = World::new(object.concat().into_bytes());
    run(&world, notice_of(KEY)).await;
    assert!(world.kept().is_empty(), "a record that the stream took before is refused");
    let apart = [[&halves[0][..], b"\n\t"].concat(), [&halves[1][..], b"\t"].concat()];
    assert!(world.stream.records() == [whole.clone(), whole, apart[0].clone(), apart[1].clone()]);
}

#[tokio::test]
async fn a_record_that_never_gets_through_is_kept_whole_in_the_end_and_its_neighbour_goes_on() {
    let poison = b"{\"conversationId\":\"c\"}\n".to_vec();
    let mut record = poison.clone();
    let mut rounds = 0;
    // The stream gives the record back each time, in a new object beside one that fails for the first time.
    let kept = loop {
        let object = [line(&record), line("{\"a\":1}")].concat();
        let world = World::new(object.into_bytes());
        assert!(run(&world, notice_of(KEY)).await.is_empty());
        let back = world.stream.records();
        assert_eq!(back.last().unwrap(), &b"{\"a\":1}\t"[..]);
        if back.len() == 1 {
            assert!(world.errors().is_empty());
            break world.kept()[0].clone();
        }
        record = back[0].to_vec();
        rounds += 1;
        assert!(rounds < 1_000, "it goes round for ever");
    };
    assert!(rounds >= 50, "an outage of some hours would fill the quarantine");
    let BronzeLine::Quarantine(line) = bronze::read(&kept) else { panic!("no quarantine line") };
    assert_eq!((line.reason, &*line.bytes), (Rejection::Unprocessable, &poison[..]));
}

/// A record that had all of its rounds.
fn given_up(record: &str) -> String {
    line(format!("{record}{}", "\t".repeat(1_000)))
}

const TOKEN: &str = "f8497fa6-8e52-5c92-984e-0446f630c77f";

/// An event that names a customer, an interaction and its token.
fn named_event() -> String {
    json!({"interactionId": "c-1", "eventType": "x", "timestamp": "2026-03-02T14:00:00Z", "lineageToken": TOKEN, "ani": "+13175550142"})
        .to_string()
}

#[tokio::test]
async fn what_is_given_up_is_told_of_by_interaction_and_token_and_by_nothing_that_was_typed() {
    let object = [given_up("no document of Ms Miller's"), "garbage\n".to_owned(), given_up(&named_event())].concat();
    let world = World::new(object.into_bytes());
    assert!(run(&world, notice_of(KEY)).await.is_empty());
    let bodies = world.dead.bodies();
    let mut pointers: Vec<Pointer> = bodies.iter().map(|body| Pointer::read(body).unwrap()).collect();
    pointers.sort_by_key(|pointer| pointer.line);
    let [nameless, named] = &pointers[..] else { panic!("{bodies:?}") };
    assert_eq!((nameless.line, nameless.events.len()), (0, 0));
    assert_eq!((named.line, named.kind, named.reason.as_str()), (2, Kind::Kept, "unprocessable"));
    let names = named.events[0].clone();
    assert_eq!((names.interaction_id.as_deref(), names.lineage_token.as_deref()), (Some("c-1"), Some(TOKEN)));
    assert!(bodies.iter().all(|body| !body.contains("Miller") && !body.contains("5550142")), "{bodies:?}");
    // It points at the line that holds the record.
    let kept = world.bucket.get(&named.key).unwrap();
    let line = kept.split(|byte| *byte == b'\n').nth(2).unwrap();
    let BronzeLine::Quarantine(line) = bronze::read(line) else { panic!("no quarantine line") };
    assert_eq!(&*line.bytes, named_event().as_bytes());
}

#[tokio::test]
async fn an_object_stays_until_what_is_given_up_is_told_of_whatever_fails() {
    for fault in ALL_FAULTS {
        let world = World::new(given_up(&named_event()).into_bytes());
        world.dead_faults.plan(0, fault);
        assert_eq!(run(&world, notice_of(KEY)).await, ["m0"], "{fault:?}");
        assert_eq!((world.errors().len(), world.kept().len()), (1, 1), "{fault:?}");
        assert!(run(&world, notice_of(KEY)).await.is_empty());
        assert_eq!((world.errors().len(), world.kept().len()), (0, 1), "{fault:?}");
        let told: BTreeSet<String> = world.dead.bodies().into_iter().collect();
        assert_eq!((told.len(), world.dead_faults.struck()), (1, 1), "the same message, however often");
    }
}

#[tokio::test]
async fn a_replayed_record_goes_round_with_its_count() {
    let record = replayed::marked(b"{\"a\":1}".to_vec(), 2, 1_000);
    let world = World::new([line(&record), line([&record[..], &[b'\t'; 1_000]].concat())].concat().into_bytes());
    run(&world, notice_of(KEY)).await;
    assert_eq!(world.stream.records(), [[&record[..], b"\t"].concat()]);
    let kept = world.kept()[0].clone();
    let BronzeLine::Quarantine(line) = bronze::read(&kept) else { panic!("no quarantine line") };
    assert_eq!((line.replayed, &*line.bytes), (2, &b"{\"a\":1}"[..]));
}

#[tokio::test]
async fn what_is_kept_at_last_holds_no_sensitive_authentication_data() {
    let record = format!("{{\"conversationId\":\"c\",\"cvv\":\"737\"}}{}", "\t".repeat(1_000));
    let world = World::new(line(record).into_bytes());
    run(&world, notice_of(KEY)).await;
    let kept = world.kept()[0].clone();
    let BronzeLine::Quarantine(line) = bronze::read(&kept) else { panic!("no quarantine line") };
    let text = String::from_utf8_lossy(&line.bytes);
    assert!(text.contains("conversationId") && !text.contains("737"), "{text}");
}

#[tokio::test]
async fn an_object_is_deleted_only_after_everything_in_it_is_safe() {
    // A put fails: the object stays.
    let with_fault = World::new(line("{\"a\":1}").into_bytes());
    with_fault.stream_faults.plan(0, Fault::PersistedButErrored);
    assert_eq!(run(&with_fault, notice_of(KEY)).await, ["m0"]);
    assert_eq!(with_fault.errors().len(), 1);
    // The deletion fails, or its answer is lost: the message comes back, and once more the records.
    for gone_all_the_same in [false, true] {
        let world = World::new(line("{\"a\":1}").into_bytes());
        world.bucket_faults.plan(0, if gone_all_the_same { Fault::PersistedButErrored } else { Fault::Lost });
        assert_eq!(run(&world, notice_of(KEY)).await, ["m0"]);
        assert!(run(&world, notice_of(KEY)).await.is_empty());
        assert!(world.errors().is_empty());
        assert_eq!(world.stream.records().len(), if gone_all_the_same { 1 } else { 2 });
    }
}

#[tokio::test]
async fn a_record_of_a_message_that_names_no_object_holds_back_none_of_the_others() {
    let world = World::new(line("{\"a\":1}").into_bytes());
    let of = |key: &str| json!({"eventName": "ObjectCreated:Put", "s3": {"bucket": {"name": "bronze"}, "object": {"key": key}}});
    let body = json!({"Records": [of("errors/%zz"), of("errors/gone"), of(KEY)]}).to_string();
    assert_eq!(run(&world, messages(&[body])).await, ["m0"], "somebody is told of it by the dead-letter queue");
    assert_eq!(world.stream.records().len(), 1);
    assert!(world.errors().is_empty());
}

#[tokio::test]
async fn after_a_failed_put_the_message_comes_back_and_every_record_is_put() {
    let text: String = (0..700).map(|n| line(format!("{{\"n\":{n}}}"))).collect();
    for persisted in [false, true] {
        let world = World::new(text.clone().into_bytes());
        world.stream_faults.plan(0, if persisted { Fault::PersistedButErrored } else { Fault::Lost });
        assert_eq!(run(&world, notice_of(KEY)).await, ["m0"]);
        assert!(run(&world, notice_of(KEY)).await.is_empty());
        let mut records = world.stream.records();
        // Some twice after a lost answer: the claim counts them as duplicates.
        assert_eq!(records.len(), if persisted { 1_200 } else { 700 });
        records.sort();
        records.dedup();
        assert_eq!(records.len(), 700);
    }
}

#[tokio::test]
async fn a_damaged_object_comes_back_and_one_that_is_gone_does_not() {
    let mut damaged = gzip(line("{\"a\":1}").as_bytes());
    damaged.truncate(damaged.len() - 6);
    let with_damage = World::new(damaged);
    assert_eq!(run(&with_damage, notice_of(KEY)).await, ["m0"]);
    assert!(run(&with_damage, notice_of("errors/gone")).await.is_empty());
    // Not under the error prefix: another function's.
    assert!(run(&with_damage, notice_of("bronze/x")).await.is_empty());
}

#[tokio::test]
async fn one_bad_object_does_not_hold_back_the_others() {
    let world = World::new(line("{\"a\":1}").into_bytes());
    world.bucket.seed("errors/damaged", vec![0x1F, 0x8B, 1]);
    let body = |key: &str| {
        json!({"Records": [{"eventName": "ObjectCreated:Put", "s3": {"bucket": {"name": "bronze"}, "object": {"key": key}}}]}).to_string()
    };
    let back = run(&world, messages(&[body("errors/damaged"), body(KEY)])).await;
    assert_eq!(back, ["m0"]);
    assert_eq!(world.stream.records(), [&b"{\"a\":1}\t"[..]]);
}

#[tokio::test]
async fn a_missing_permission_fails_the_invocation() {
    let world = World::new(Vec::new());
    world.bucket.set_denied(Some(ERRORS));
    let error = handle(&world.stores, NOW_MS, notice_of(KEY)).await.unwrap_err();
    assert_eq!(error.kind(), "denied");
}

#[test]
fn every_error_has_its_disposition() {
    let failure = || Failure::new("x");
    for (error, expected) in [
        (StoreError::NotFound(failure()), Disposition::Poison),
        (StoreError::Conflict(failure()), Disposition::Retry),
        (StoreError::Throttled(failure()), Disposition::Retry),
        (StoreError::Denied(failure()), Disposition::Halt),
        (StoreError::Corrupt(failure()), Disposition::Retry),
        (StoreError::Unknown(failure()), Disposition::Retry),
    ] {
        assert_eq!(disposition(&error), expected, "{}", error.kind());
    }
}
