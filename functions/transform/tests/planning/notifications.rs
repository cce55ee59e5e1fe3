//! One object however it is announced and packed, several objects with the same events, lines that are none.

use ledgerline_lake::ObjectId;
use ledgerline_lake::keys;
use ledgerline_store::record::bronze_key;
use serde_json::json;

use crate::world::{
    BUCKET, World, batch, conversation_id, event, failures, gzip, key, lines, notification, record, settings,
};

fn events(conversations: std::ops::Range<u32>) -> Vec<String> {
    conversations.flat_map(|conversation| (0..4).map(move |nth| event(conversation, nth))).collect()
}

#[tokio::test]
async fn the_same_notification_three_times_plans_once() {
    let world = World::new();
    let key = key("a.gz");
    world.bronze.seed(&key, gzip(&lines(&events(0..5)), 1));
    for _ in 0..3 {
        assert!(world.deliver(&[&key]).await.is_empty());
    }
    let planned = world.check();
    assert_eq!((planned.counts.input, planned.counts.planned), (20, 20));
    assert_eq!(world.queue.messages().len(), 1, "an acknowledged object sends nothing again");
    assert_eq!(world.deliver(&[&key, &key]).await, Vec::<String>::new());
}

#[tokio::test]
async fn plain_and_gzip_in_many_members_give_the_same_events() {
    let bytes = lines(&events(0..30));
    let mut ids = Vec::new();
    for (name, packed) in [("plain", bytes.clone()), ("one.gz", gzip(&bytes, 1)), ("many.gz", gzip(&bytes, 9))] {
        let world = World::new();
        world.bronze.seed(&key(name), packed);
        world.settle(&[&key(name)]).await;
        let planned = world.check();
        assert_eq!(planned.counts.planned, 120);
        ids.push(planned.events.into_keys().collect::<Vec<_>>());
    }
    assert!(ids[0] == ids[1] && ids[1] == ids[2]);
}

#[tokio::test]
async fn a_fifth_of_the_events_lies_in_two_objects_and_each_is_planned_once() {
    let world = World::new();
    let first = events(0..50);
    let mut second = events(40..90);
    second.extend(first[..20].iter().cloned());
    second.push(second[0].clone());
    world.bronze.seed(&key("a.gz"), gzip(&lines(&first), 2));
    world.bronze.seed(&key("b"), lines(&second));
    // At once, so that claims interleave.
    let (a, b) = (key("a.gz"), key("b"));
    let (a, b) = ([a.as_str()], [b.as_str()]);
    tokio::join!(world.settle(&a), world.settle(&b));
    let planned = world.check();
    assert_eq!(planned.counts.input, 200 + 221);
    assert_eq!((planned.counts.planned, planned.counts.duplicate), (360, 61));
    // An object knows every record that it holds lines of, also those whose events another one owns.
    for (name, conversations) in [("a.gz", 0..50), ("b", 40..90)] {
        let object = ObjectId::of(BUCKET, &key(name));
        for conversation in conversations {
            let at = bronze_key(&format!("acme/{}", conversation_id(conversation)), &object.to_hex());
            assert!(world.index.peek(&at).is_some(), "{at}");
        }
    }
}

#[tokio::test]
async fn a_message_of_several_records_with_encoded_keys_is_done_when_all_are() {
    let world = World::new();
    let odd = key("a b+c%/é.gz");
    world.bronze.seed(&key("plain"), lines(&events(0..2)));
    world.bronze.seed(&odd, gzip(&lines(&events(2..4)), 1));
    let encoded = "bronze/event_type%3Dinteraction/year%3D2026/month%3D03/day%3D02/hour%3D14/a+b%2Bc%25/%C3%A9.gz";
    let both = json!({"Records": [record(BUCKET, &key("plain")), record(BUCKET, encoded)]}).to_string();
    assert!(world.deliver_bodies(&[&both]).await.is_empty());
    assert_eq!(world.check().counts.planned, 16);
}

#[tokio::test]
async fn a_record_of_a_message_that_cannot_be_read_is_poison_alone() {
    let world = World::new();
    world.bronze.seed(&key("a"), lines(&events(0..1)));
    world.bronze.seed(&key("b"), lines(&events(1..2)));
    let records = [record(BUCKET, &key("a")), record(BUCKET, "bronze/%zz"), json!({}), record(BUCKET, &key("b"))];
    let body = json!({"Records": records}).to_string();
    for _ in 0..2 {
        assert!(world.deliver_bodies(&[&body]).await.is_empty());
    }
    assert_eq!(world.check().counts.planned, 8);
    let notes = world.staged.under(keys::POISON);
    assert_eq!(notes.keys().collect::<Vec<_>>(), ["poison/transform/m0-1.json", "poison/transform/m0-2.json"]);
}

#[tokio::test]
async fn the_test_event_is_acknowledged_and_touches_nothing() {
    let world = World::new();
    let test = r#"{"Service":"Amazon S3","Event":"s3:TestEvent","Time":"2026-03-02T14:00:00.000Z","Bucket":"bronze"}"#;
    assert!(world.deliver_bodies(&[test]).await.is_empty());
    assert_eq!(world.calls.total(), 0);
}

#[tokio::test]
async fn what_is_no_event_is_quarantined_whole_and_stops_nothing() {
    let world = World::new();
    let mut bytes = lines(&events(0..1));
    bytes.extend_from_slice(
        b"no json at all\n\n{\"v\":1,\"broken\n{\"v\":1,\"receivedAt\":\"2026-03-02T14:00:00.000Z\",",
    );
    bytes.extend_from_slice(
        b"\"reason\":\"not_json\",\"rawBase64\":\"Z2FyYmFnZQ==\"}\n{\"conversationId\":\"tel:+15555550142\"}\n",
    );
    bytes.extend_from_slice(&[0xff, 0xfe, b'\n']);
    bytes.extend_from_slice(&lines(&events(1..2)));
    world.bronze.seed(&key("a"), bytes);
    world.settle(&[&key("a")]).await;
    let counts = world.check().counts;
    assert_eq!((counts.input, counts.planned, counts.quarantined), (13, 8, 5));
    let kept = world.bronze.get(&keys::quarantine_of(ObjectId::of(BUCKET, &key("a")))).unwrap();
    let mut text = String::new();
    std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(&kept[..]), &mut text).unwrap();
    let reasons: Vec<String> = text
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["reason"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(reasons.len(), 5);
    assert!(text.contains("Z2FyYmFnZQ=="), "a quarantine line among events is moved as it is");
}

#[tokio::test]
async fn an_object_of_garbage_alone_is_planned_with_no_chunk() {
    let world = World::new();
    world.bronze.seed(&key("a"), "garbage\n");
    world.bronze.seed(&key("empty"), "");
    world.settle(&[&key("a"), &key("empty")]).await;
    let counts = world.check().counts;
    assert_eq!((counts.input, counts.quarantined), (1, 1));
    assert!(world.queue.messages().is_empty());
}

#[tokio::test]
async fn an_aws_services_own_event_is_filtered_and_counted() {
    let world = World::new();
    let own = json!({
        "version": "0", "id": "6a7e8feb-b491-4cf7-a9f1-bf3703467718", "detail-type": "Scheduled Event", "source": "aws.events",
        "account": "123456789012", "time": "2026-03-02T14:00:00Z", "region": "us-east-1",
        "resources": ["arn:aws:events:us-east-1:123456789012:rule/r"], "detail": {},
    });
    let bytes = lines(&[own.to_string(), event(0, 0)]);
    world.bronze.seed(&key("a"), bytes);
    world.settle(&[&key("a")]).await;
    let counts = world.check().counts;
    assert_eq!((counts.input, counts.filtered, counts.planned), (2, 1, 1));
}

#[tokio::test]
async fn what_no_retry_helps_is_kept_as_poison_and_acknowledged() {
    let world = World::new();
    let good = gzip(&lines(&events(0..1)), 1);
    world.bronze.seed(&key("cut.gz"), good[..good.len() - 5].to_vec());
    let foreign = json!({"Records": [record("another-bucket", &key("x"))]}).to_string();
    let (gone, cut) = (notification(&key("gone.gz")), notification(&key("cut.gz")));
    for _ in 0..2 {
        assert!(world.deliver_bodies(&["not a notification", &foreign, &gone, &cut]).await.is_empty());
    }
    let notes = world.staged.under(keys::POISON);
    let reasons: Vec<String> = notes
        .values()
        .map(|note| serde_json::from_slice::<serde_json::Value>(note).unwrap()["reason"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(notes.len(), 4, "{:?}", notes.keys());
    for reason in ["not_a_notification", "foreign_bucket", "bronze_object_gone", "damaged_gzip"] {
        assert!(reasons.iter().any(|found| found == reason), "{reason} not in {reasons:?}");
    }
    assert!(world.index.owners().is_empty(), "a damaged object claims nothing");
}

#[tokio::test]
async fn an_object_deleted_after_its_plan_is_finished_from_the_plan() {
    let world = World::new();
    world.bronze.seed(&key("a"), lines(&events(0..3)));
    let writes_before_pointers = {
        let rehearsal = World::new();
        rehearsal.bronze.seed(&key("a"), lines(&events(0..3)));
        rehearsal.settle(&[&key("a")]).await;
        rehearsal.faults.log().iter().position(|write| write.starts_with("sqs:")).unwrap()
    };
    world.faults.plan(writes_before_pointers, ledgerline_testkit::faults::Fault::Lost);
    assert_eq!(world.deliver(&[&key("a")]).await, ["m0"]);
    let bytes = world.bronze.get(&key("a")).unwrap();
    world.bronze.erase(&key("a"));
    assert!(world.deliver(&[&key("a")]).await.is_empty());
    world.bronze.seed(&key("a"), bytes);
    assert_eq!(world.check().counts.planned, 12);
}

#[tokio::test]
async fn only_the_failed_message_comes_back_and_none_is_begun_without_time() {
    let world = World::new();
    for name in ["a", "b"] {
        world.bronze.seed(&key(name), lines(&events(0..1)));
    }
    world.faults.plan(0, ledgerline_testkit::faults::Fault::Lost);
    assert_eq!(world.deliver(&[&key("a"), &key("b")]).await, ["m0"]);
    assert!(world.deliver(&[&key("a")]).await.is_empty());
    world.check();

    let late = World::new();
    late.bronze.seed(&key("a"), lines(&events(0..1)));
    let (stores, settings, body) = (late.stores(), settings(), notification(&key("a")));
    let clock = ledgerline_lambda::clock::FixedClock(crate::world::T0);
    let response =
        ledgerline_transform::handle(&stores, &settings, &clock, crate::world::T0 + 5_000, batch(&[&body])).await;
    assert_eq!(failures(&response), ["m0"]);
    assert_eq!(late.calls.total(), 0);
}

#[tokio::test]
async fn nothing_personal_lies_anywhere_but_in_bronze() {
    let world = World::new();
    world.bronze.seed(&key("a"), lines(&events(0..8)));
    world.bronze.seed(&key("bad"), "Ludmila Zaborowska, tel:+15555550142\n");
    world.settle(&[&key("a"), &key("bad")]).await;
    assert_eq!(world.check().counts.planned, 32);
    let all = world.everything_but_bronze();
    assert!(all.contains(&conversation_id(3)), "the scan sees silver, plans and tables");
    assert!(all.contains("\"VOICE\"") && all.contains("customer.start"));
    for planted in ["Ludmila", "Zaborowska", "5555550", "15555550103", "555-0"] {
        assert!(!all.contains(planted), "{planted} is in clear");
    }
}

#[tokio::test]
async fn the_pure_path_gives_the_same_plan_as_the_whole() {
    let (world, key) = (World::new(), key("a.gz"));
    let bytes = gzip(&lines(&events(0..100)), 3);
    world.bronze.seed(&key, bytes.clone());
    world.settle(&[&key]).await;
    let planned = world.check();
    let object = ObjectId::of(BUCKET, &key);
    let salt = |buffer: &mut [u8]| buffer.fill(7);
    let alone = ledgerline_transform::output::alone(&settings(), object, &key, &bytes, 0, &salt).unwrap();
    assert_eq!(alone.plan.header.counts, planned.counts);
    assert_eq!(alone.silver.iter().map(|file| file.rows).sum::<u64>(), planned.counts.planned);
    assert_eq!(alone.claims, 100);
}

#[tokio::test]
async fn the_trigger_files_in_events_are_what_transform_reads() {
    const CREATED: &str = include_str!("../../../../events/s3-object-created.json");
    const TEST: &str = include_str!("../../../../events/s3-test-event.json");
    let batch = serde_json::from_str(include_str!("../../../../events/sqs-s3-transform.json")).unwrap();
    let world = World::new();
    let odd = key("ledgerline-1-2026-03-02-14-05-00-a b+c.gz");
    world.bronze.seed(&odd, gzip(&lines(&events(0..2)), 1));
    let clock = ledgerline_lambda::clock::FixedClock(crate::world::T0);
    let response =
        ledgerline_transform::handle(&world.stores(), &settings(), &clock, crate::world::T0 + 300_000, batch).await;
    assert!(failures(&response).is_empty());
    assert!(world.deliver_bodies(&[CREATED, TEST]).await.is_empty());
    assert_eq!(world.check().counts.planned, 8);
}
