//! How far bronze is planned is noted every minute, and never too much of it.

use ledgerline_custody::reconciliation::WINDOW_MS;
use ledgerline_lake::ObjectId;
use ledgerline_lake::plan::{Counts, Header};
use ledgerline_store::planned;
use ledgerline_sweep::planned::STATE_KEY;
use ledgerline_testkit::table::value;

use crate::logs::day;
use crate::world::*;

const NOW: &str = "2026-03-02T14:00:00.000Z";

/// A world with an object of seven minutes ago that nobody planned yet.
async fn unplanned(world: World) -> World {
    world.bronze.seed_at(&day("interaction", "a"), Vec::new(), START_MS - 7 * MINUTE_MS);
    world
}

async fn plan(world: &World, key: &str) {
    let header = Header {
        v: 1,
        object: ObjectId::of(BRONZE, key),
        key: key.to_owned(),
        policy_version: "1".to_owned(),
        counts: Counts::default(),
        chunks: Vec::new(),
        beside: None,
    };
    world.others.ledger.rows.planned(&header, NOW).await.unwrap();
}

async fn through_ms(world: &World) -> Option<i64> {
    world.others.planned.through().await.unwrap()
}

#[tokio::test]
async fn the_row_says_now_until_an_object_is_not_planned_and_again_once_it_is() {
    let world = World::new();
    assert_eq!((world.run().await.unplanned, through_ms(&world).await), (0, Some(START_MS)));
    let keys = [("entity", 2), ("late", 5), ("unsorted", 9)].map(|(family, minutes)| (day(family, "a"), minutes));
    for (key, minutes) in &keys {
        world.bronze.seed_at(key, Vec::new(), START_MS + minutes * MINUTE_MS);
    }
    world.pass(10 * MINUTE_MS);
    for (left, (key, minutes)) in [3, 2, 1].into_iter().zip(&keys) {
        let run = world.run().await;
        assert_eq!((run.unplanned, run.failures), (left, 0));
        assert_eq!(through_ms(&world).await, Some(START_MS + minutes * MINUTE_MS));
        plan(&world, key).await;
        world.pass(MINUTE_MS);
    }
    assert_eq!((world.run().await.unplanned, through_ms(&world).await), (0, Some(world.now_ms())));
}

/// Taken up is not planned.
#[tokio::test]
async fn an_object_that_is_only_taken_up_holds_the_row_back() {
    let world = unplanned(World::new()).await;
    let key = day("interaction", "a");
    world.others.ledger.rows.open(ObjectId::of(BRONZE, &key), &key, NOW).await.unwrap();
    world.run().await;
    assert_eq!(through_ms(&world).await, Some(START_MS - 7 * MINUTE_MS));
}

#[tokio::test]
async fn a_quiet_minute_costs_four_lists_one_row_and_one_state() {
    let world = World::new();
    world.run().await;
    world.pass(MINUTE_MS);
    world.calls.reset();
    let writes = world.faults.writes();
    world.run().await;
    assert_eq!(world.calls.by_name()["s3:ListObjectsV2"], 4);
    assert_eq!(world.faults.log()[writes..], ["dynamodb:UpdateItem", "s3:PutObject sweep"]);
    assert_eq!(through_ms(&world).await, Some(world.now_ms()), "the row is what was updated");
}

#[tokio::test]
async fn a_first_run_looks_back_as_far_as_the_window() {
    let world = World::new();
    world.bronze.seed_at(&day("late", "old"), Vec::new(), START_MS - WINDOW_MS - HOUR_MS);
    world.bronze.seed_at(&day("late", "older"), Vec::new(), START_MS - WINDOW_MS + HOUR_MS);
    assert_eq!(world.run().await.unplanned, 1);
    assert_eq!(through_ms(&world).await, Some(START_MS - WINDOW_MS + HOUR_MS));
}

/// The row remembers what a lost state does not: an object that is unplanned for longer than the window.
#[tokio::test]
async fn a_state_that_is_lost_or_damaged_is_built_again_from_the_row() {
    let world = unplanned(World::new()).await;
    world.run().await;
    let held = through_ms(&world).await;
    world.pass(10 * DAY_MS);
    world.staged.lose(Some(STATE_KEY));
    assert_eq!((world.run().await.unplanned, through_ms(&world).await), (1, held));
    world.pass(MINUTE_MS);
    world.staged.damage(STATE_KEY);
    assert_eq!((world.run().await.unplanned, through_ms(&world).await), (1, held));
    plan(&world, &day("interaction", "a")).await;
    world.pass(MINUTE_MS);
    world.run().await;
    assert_eq!(through_ms(&world).await, Some(world.now_ms()));
}

/// An upload in parts is dated by its beginning and listed after its end.
#[tokio::test]
async fn the_row_goes_back_to_an_object_that_turns_up_behind_it() {
    let world = World::new();
    world.run().await;
    world.pass(MINUTE_MS);
    world.bronze.seed_at(&day("interaction", "late"), Vec::new(), START_MS - 2 * MINUTE_MS);
    world.run().await;
    assert_eq!(through_ms(&world).await, Some(START_MS - 2 * MINUTE_MS));
}

#[tokio::test]
async fn an_object_that_was_removed_holds_the_row_back_for_a_day_at_most() {
    let world = unplanned(World::new()).await;
    world.bronze.seed_at(&day("interaction", "b"), Vec::new(), START_MS - 6 * MINUTE_MS);
    world.run().await;
    world.bronze.erase(&day("interaction", "a"));
    world.pass(DAY_MS - 8 * MINUTE_MS);
    assert_eq!(world.run().await.unplanned, 2, "younger than a day, it is not looked for");
    world.pass(3 * MINUTE_MS);
    let run = world.run().await;
    assert_eq!((run.unplanned, run.failures), (1, 0), "the one that is still there stays");
    assert_eq!(through_ms(&world).await, Some(START_MS - 6 * MINUTE_MS));
}

#[tokio::test]
async fn two_sweeps_at_once_write_one_row_and_neither_fails() {
    let world = unplanned(World::new()).await;
    for _ in 0..3 {
        let (one, two) = tokio::join!(world.run(), world.run());
        assert_eq!(one.failures + two.failures, 0);
        assert_eq!(through_ms(&world).await, Some(START_MS - 7 * MINUTE_MS));
        world.pass(MINUTE_MS);
    }
}

#[tokio::test]
async fn every_write_of_the_row_and_its_state_may_fail() {
    matrix(2, unplanned, |world, case| async move {
        let held = through_ms(&world).await;
        assert!(held.is_none_or(|held| held == START_MS - 7 * MINUTE_MS), "{case}: {held:?}");
        plan(&world, &day("interaction", "a")).await;
        world.pass(MINUTE_MS);
        assert_eq!(world.run().await.failures, 0, "{case}");
        assert_eq!(through_ms(&world).await, Some(world.now_ms()), "{case}");
    })
    .await;
}

/// More pages than a run has time for: the row waits where it is, and the listing goes on in the next run.
#[tokio::test]
async fn a_listing_that_takes_several_runs_moves_the_row_once_it_is_over() {
    let world = World::new();
    world.run().await;
    for at in 0..2_500 {
        let key = day("interaction", &format!("{at:04}"));
        world.bronze.seed_at(&key, Vec::new(), START_MS + 1);
        plan(&world, &key).await;
    }
    world.pass(MINUTE_MS);
    let began_ms = world.now_ms();
    let mut runs = 0;
    while through_ms(&world).await == Some(START_MS) {
        let run = world.run_of_slow_steps(1_000).await;
        assert_eq!((run.failures, run.unplanned), (0, 0));
        world.pass(MINUTE_MS);
        runs += 1;
        assert!(runs < 20, "it never goes on");
    }
    assert!(runs > 1, "one run was enough");
    let through_ms = through_ms(&world).await.unwrap();
    assert!((began_ms..began_ms + MINUTE_MS).contains(&through_ms), "when the first of them began");
}

#[tokio::test]
async fn a_row_that_nobody_can_read_stops_this_part_alone() {
    let world = unplanned(World::new()).await;
    world.bronze.seed_at(&day("interaction", "old"), Vec::new(), START_MS - HOUR_MS);
    world.control.change(&planned::key(), |row| drop(row.insert("through".to_owned(), value("soon"))));
    let run = world.run().await;
    assert_eq!((run.failures, run.notified), (1, 1));
}
