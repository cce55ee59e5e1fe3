//! Bronze objects keep their form; what is not planned is waited for; what is expired or hidden is not forgotten.

use std::io::Read as _;

use flate2::read::GzDecoder;
use futures_util::future::join;
use ledgerline_event::instant;
use ledgerline_lake::ObjectId;
use ledgerline_lake::keys::PlanOf;
use ledgerline_privacy::Kind;
use ledgerline_store::bucket::StorageClass;
use ledgerline_store::{Family, expiry, object_row, record, waiting};

use crate::steps::{adas, filled};
use crate::traffic::{ADA, BOB, DAY, T0, call, mail};
use crate::world::{Asking, BUCKET, START, World, all, key, places};

const SECOND: i64 = 1_000;

#[tokio::test(start_paused = true)]
async fn an_object_keeps_key_lines_class_and_the_day_on_which_it_expires_and_has_one_version() {
    let world = filled().await;
    world.bronze.set_class(&key("a"), "STANDARD_IA");
    let before = world.lines();
    let row = |name: &str| {
        let object = ObjectId::of(BUCKET, &key(name));
        world.control.peek(&object_row::key(PlanOf::Bronze, object)).unwrap()
    };
    let rows = [row("a"), row("b")];
    let keys = world.bronze.keys("");
    world.pass(3 * DAY);
    world.erase(Asking::whole(ADA)).await;
    assert_eq!((world.bronze.keys(""), [row("a"), row("b")]), (keys, rows));
    assert_eq!(world.lines().keys().collect::<Vec<_>>(), before.keys().collect::<Vec<_>>());
    for name in ["a", "b"] {
        let [version] = &world.bronze.versions(&key(name))[..] else { panic!("one version of {name}") };
        assert!(version.bytes.starts_with(&[0x1f, 0x8b]));
        let mut text = Vec::new();
        GzDecoder::new(&version.bytes[..]).read_to_end(&mut text).unwrap();
        assert!(text.ends_with(b"\n"));
        let class = (name == "a").then(|| StorageClass("STANDARD_IA".to_owned()));
        assert_eq!(version.class, class);
        // As it was written first, not as it was rewritten.
        let expires = instant::to_rfc3339(START + 365 * DAY);
        assert!(world.control.peek(&expiry::key(&expires[..10], &key(name))).is_some());
    }
    assert!(world.bronze.keys("quarantine/").is_empty());
    // The rewriting notified transform's queue: it finds all of it planned.
    let (control, sent) = (world.control.rows(), world.pointers.messages().len());
    for name in ["a", "b"] {
        assert!(world.transform_once(name).await);
    }
    assert_eq!((world.control.rows(), world.pointers.messages().len()), (control, sent));
}

#[tokio::test(start_paused = true)]
async fn an_object_without_anything_that_goes_is_not_written() {
    let world = filled().await;
    world.fill("c", &[call("c-1", BOB, T0), mail("c-1", BOB, T0 + SECOND)]).await;
    let before = world.bronze.versions(&key("c"));
    world.erase(Asking::whole(ADA)).await;
    assert_eq!(world.bronze.versions(&key("c")), before);
    assert_eq!(world.redacted(), &adas() - &places("a", &[1]), "c-1 is Bob's, too");
}

#[tokio::test(start_paused = true)]
async fn two_erasures_in_one_object_at_once_take_out_both() {
    for _ in 0..3 {
        let world = World::new().await;
        let lines = [call("c-1", ADA, T0), call("c-2", BOB, T0 + SECOND), call("c-3", ADA, T0 + 2 * SECOND)];
        world.fill("a", &lines).await;
        let (one, other) = (world.approved(Asking::whole(ADA)).await, world.approved(Asking::whole(BOB)).await);
        let (note, another) = (World::erase_note(&one), World::erase_note(&other));
        join(world.invoke(&note, 1), world.invoke(&another, 1)).await;
        world.finish(&[&one, &other]).await;
        assert_eq!((world.redacted(), world.nulled()), (places("a", &[0, 1, 2]), places("a", &[0, 1, 2])));
        assert_eq!(world.bronze.versions(&key("a")).len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn where_bronze_has_expired_silver_says_whose_rows_they_are() {
    let world = filled().await;
    world.bronze.erase(&key("a"));
    world.erase(Asking::whole(ADA)).await;
    assert_eq!(world.redacted(), places("b", &[0, 1, 2]));
    let silver = world.lake.under("silver/");
    let rows: String = silver
        .values()
        .map(|bytes| {
            use parquet::file::reader::FileReader as _;
            let reader = parquet::file::reader::SerializedFileReader::new(bytes.clone()).unwrap();
            reader.get_row_iter(None).unwrap().map(|row| format!("{}\n", row.unwrap())).collect::<String>()
        })
        .collect();
    // a0, a3 by whose they are, a1 as its record went whole; b0, b1.
    assert_eq!(rows.matches("erased: true").count(), 5, "{rows}");
}

#[tokio::test(start_paused = true)]
async fn what_lies_behind_a_delete_marker_goes() {
    let world = filled().await;
    world.bronze.delete(&key("a"));
    assert_eq!(world.bronze.versions(&key("a")).len(), 2);
    world.erase(Asking::whole(ADA)).await;
    let left = world.bronze.versions(&key("a"));
    assert!(left.iter().all(|version| version.is_delete_marker), "{left:?}");
}

/// An object that transform took up, noted, and did not plan.
async fn unplanned(world: &World, name: &str) {
    let object = ObjectId::of(BUCKET, &key(name)).to_hex();
    let noted = |world: &World| {
        let linked =
            world.keys.look(|rows| rows.keys().any(|key| ledgerline_store::subject::parse_link_key(key).is_some()));
        linked
            && world
                .index
                .look(|rows| rows.keys().any(|key| record::parse_bronze_key(key).is_some_and(|(_, of)| of == object)))
    };
    assert!(!world.transform_until(name, noted).await);
}

#[tokio::test(start_paused = true)]
async fn an_object_that_is_not_planned_is_waited_for_and_then_rewritten() {
    let world = World::new().await;
    world.put("a", &[call("c-1", ADA, T0), call("c-2", BOB, T0 + SECOND)]);
    unplanned(&world, "a").await;
    let before = world.bronze.versions(&key("a"));
    let id = world.approved(Asking::whole(ADA)).await;
    for _ in 0..10 {
        world.work().await;
        world.pass(600_000);
    }
    let object = ObjectId::of(BUCKET, &key("a")).to_hex();
    assert_eq!(world.bronze.versions(&key("a")), before);
    assert!(world.control.peek(&waiting::key(&object, &id)).is_some());
    assert_eq!((world.step_of(&id).as_str(), world.erasing(&id).await.counts.waiting), ("settle", 1));
    world.lake.grow_old();
    world.transform("a").await;
    world.commit().await;
    world.finish(&[&id]).await;
    assert_eq!(world.redacted(), places("a", &[0]));
    assert!(world.control.peek(&waiting::key(&object, &id)).is_none());
    let counts = world.erasing(&id).await.counts;
    assert_eq!((counts.waiting, counts.waiting_given_up), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn an_object_that_is_never_planned_is_given_up_after_fourteen_days() {
    let world = World::new().await;
    world.put("a", &[call("c-1", ADA, T0)]);
    unplanned(&world, "a").await;
    let id = world.approved(Asking::whole(ADA)).await;
    let begun = world.now_ms();
    while world.now_ms() < begun + 13 * DAY {
        world.work().await;
        world.pass(DAY / 2);
    }
    assert_eq!(world.step_of(&id), "settle");
    world.finish(&[&id]).await;
    assert!(world.now_ms() >= begun + 14 * DAY);
    assert_eq!(world.erasing(&id).await.counts.waiting_given_up, 1);
    let waits =
        world.control.look(|rows| rows.keys().filter(|key| Family::of_key(key) == Some(Family::Waiting)).count());
    assert_eq!((waits, world.redacted().len()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_run_that_planned_between_two_passes_is_found_by_the_second() {
    // It resolved her before she ended, and plans while the first pass is at work.
    let world = World::new().await;
    world.fill("b", &[call("c-1", ADA, T0 + 5 * SECOND)]).await;
    world.put("a", &[call("c-1", ADA, T0), call("c-2", BOB, T0 + SECOND)]);
    unplanned(&world, "a").await;
    let id = world.approved(Asking::whole(ADA)).await;
    world.work().await;
    world.lake.grow_old();
    world.transform("a").await;
    world.finish(&[&id]).await;
    assert_eq!(world.redacted(), all([places("a", &[0]), places("b", &[0])]));
    assert!(world.subject("acme", ADA, Kind::Phone).await.is_none());
}
