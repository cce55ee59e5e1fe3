//! Bronze objects that an erasure rewrote: on the day on which they would have expired nothing of them is left.

use std::collections::BTreeSet;
use std::sync::Arc;

use ledgerline_event::instant;
use ledgerline_ledger::store::StoreError;
use ledgerline_store::bucket::Put;
use ledgerline_store::expiry::{self, Expiries};
use ledgerline_store::subject::date_of;
use ledgerline_store::table::{Row, Table};
use ledgerline_testkit::calls::Calls;
use ledgerline_testkit::faults::Faults;

use crate::world::*;

const A: &str = "bronze/event_type=interaction/year=2025/month=03/day=02/hour=14/a.gz";
const B: &str = "bronze/event_type=interaction/year=2025/month=03/day=02/hour=14/b.gz";

fn day(back: i64) -> String {
    date_of(&instant::to_rfc3339(START_MS - back * DAY_MS)).to_owned()
}

/// The control table, as the eraser writes it.
fn others_see(world: &World) -> Arc<dyn Table> {
    world.control.seen_by(Faults::none(), Calls::default()).port()
}

/// Objects that expire on a day, each put so many times.
async fn rewritten(world: &World, day: &str, objects: &[(&str, usize)]) {
    for (key, versions) in objects {
        (0..*versions).for_each(|version| world.bronze.seed(key, format!("{key} {version}")));
    }
    let rows: Vec<(&str, &str)> = objects.iter().map(|(key, _)| (day, *key)).collect();
    Expiries::new(others_see(world)).put(&rows).await.unwrap();
}

/// The bronze keys that rows name still, and those of which any version is left.
fn left(world: &World) -> (BTreeSet<String>, BTreeSet<String>) {
    let rows = world.control.look(|rows| {
        let named = rows.keys().filter_map(|key| Some(expiry::parse_key(key)?.1.to_owned()));
        named.collect()
    });
    let objects = world.bronze.all().into_iter().filter(|(_, versions)| !versions.is_empty());
    (rows, objects.map(|(key, _)| key).collect())
}

fn set(keys: &[&str]) -> BTreeSet<String> {
    keys.iter().map(|key| (*key).to_owned()).collect()
}

#[tokio::test]
async fn on_its_day_every_version_and_marker_of_an_object_goes_and_nothing_else() {
    let world = World::new();
    // Of A there are two versions and a marker over them; a key that begins like it is another object's.
    let like = format!("{A}.copy");
    rewritten(&world, &day(0), &[(A, 2)]).await;
    world.bronze.delete(A);
    rewritten(&world, &day(-1), &[(B, 1)]).await;
    world.bronze.seed(&like, "another");
    let summary = world.run().await;
    assert_eq!((summary.expired, summary.failures), (1, 0));
    assert_eq!(left(&world), (set(&[B]), set(&[B, &like])));
    // Again: there is nothing to do. A day later it is the other's turn.
    assert_eq!(world.run().await.expired, 0);
    world.pass(DAY_MS);
    assert_eq!(world.run().await.expired, 1);
    assert_eq!(left(&world), (set(&[]), set(&[&like])));
}

#[tokio::test]
async fn what_an_outage_left_goes_when_its_days_turn_comes() {
    let world = World::new();
    // The minute of the start is the turn of the day 201 days before.
    rewritten(&world, &day(205), &[(A, 1)]).await;
    let mut minutes = 0;
    while world.run().await.expired == 0 {
        minutes += 1;
        assert!(minutes < 400, "never looked at");
        world.pass(MINUTE_MS);
    }
    assert_eq!(minutes, 4);
    assert_eq!(left(&world), (set(&[]), set(&[])));
}

#[tokio::test]
async fn an_object_that_the_lifecycle_took_first_only_loses_its_row() {
    let world = World::new();
    rewritten(&world, &day(0), &[(A, 1), (B, 1)]).await;
    world.bronze.erase(A);
    let summary = world.run().await;
    assert_eq!((summary.expired, summary.failures), (2, 0));
    assert_eq!(left(&world), (set(&[]), set(&[])));
}

#[tokio::test]
async fn of_very_many_a_run_takes_fifty_and_the_next_one_the_rest() {
    let world = World::new();
    let keys: Vec<String> = (0..60).map(|n| format!("{A}.{n:02}")).collect();
    let objects: Vec<(&str, usize)> = keys.iter().map(|key| (key.as_str(), 1)).collect();
    rewritten(&world, &day(0), &objects).await;
    assert_eq!((world.run().await.expired, left(&world).0.len(), left(&world).1.len()), (50, 10, 10));
    assert_eq!((world.run().await.expired, left(&world)), (10, (set(&[]), set(&[]))));
}

#[tokio::test]
async fn a_row_that_names_something_else_deletes_nothing_and_keeps_no_other() {
    let world = World::new();
    let odd = "quarantine/transform/00.jsonl.gz";
    rewritten(&world, &day(0), &[(A, 1)]).await;
    world.bronze.seed(odd, "kept");
    world.control.tamper(|rows| rows.insert(expiry::key(&day(0), odd), Row::new()));
    let summary = world.run().await;
    assert_eq!((summary.expired, summary.failures), (1, 1));
    assert_eq!(left(&world), (set(&[odd]), set(&[odd])));
}

async fn three_versions(world: World) -> World {
    // The months' keys are made.
    world.run().await;
    world.pass(MINUTE_MS);
    rewritten(&world, &day(0), &[(A, 3)]).await;
    world
}

/// Whichever write fails, the newest version is there until it is the only one, the row until none is; the next run ends it.
#[tokio::test]
async fn a_run_that_fails_in_between_is_ended_by_the_next_one() {
    matrix(4, three_versions, |world, case| async move {
        let newest = format!("{A} 2");
        let there = world.bronze.get(A);
        assert!(there.is_none_or(|bytes| bytes == newest.as_bytes()), "{case}: an older version came to light");
        let (rows, objects) = left(&world);
        assert!(objects.is_subset(&rows), "{case}: an object without its row would stay");
        world.run().await;
        assert_eq!(left(&world), (set(&[]), set(&[])), "{case}");
    })
    .await;
}

/// An erasure that read the object before puts it once more while it goes.
#[tokio::test]
async fn an_erasure_at_the_same_time_leaves_nothing_either() {
    let world = World::new();
    rewritten(&world, &day(0), &[(A, 1)]).await;
    let read = world.others.bronze.read(A).await.unwrap().unwrap();
    assert_eq!(world.run().await.expired, 1);
    let put = Put::of(A, "late", "application/octet-stream").in_place_of(Some(&read.tag));
    let late = world.bronze.seen_by(Faults::none(), Calls::default()).port().put("late", put).await;
    assert!(matches!(late, Err(StoreError::NotFound(_))), "{late:?}");
    assert_eq!(left(&world), (set(&[]), set(&[])));
}
