//! Logs to which nobody appends are finished; one part's failure stops no other.

use ledgerline_custody::publication::Memory;
use ledgerline_lambda::clock::FixedClock;
use ledgerline_ledger::log::LogId;
use ledgerline_store::head;
use ledgerline_sweep::handle;

use crate::world::*;

#[tokio::test]
async fn what_a_crash_after_the_commit_left_open_is_indexed_published_and_signed() {
    let world = World::new();
    world.events("bronze/a", &[("c-1", "customer.start", 0), ("c-1", "user.start", 1)]).await;
    world.append_all(false).await;
    let log = LogId::parse(LOG).unwrap();
    assert_eq!(world.head(&log).await.indexed(), 0);
    let summary = world.run().await;
    assert_eq!((summary.logs, summary.published, summary.signed, summary.failures), (1, 1, 1, 0));
    let head = world.head(&log).await;
    assert_eq!((head.size(), head.indexed(), head.published(), head.signed()), (2, 2, 2, 2));
    let found = world.check().unwrap();
    assert_eq!((found.entries, found.published, found.signed), (2, 2, 2));
}

#[tokio::test]
async fn every_write_of_finishing_a_log_may_fail() {
    let prepare = |world: World| async {
        world.events("bronze/a", &[("c-1", "customer.start", 0)]).await;
        world.append_all(false).await;
        world
    };
    matrix(8, prepare, |world, case| async move {
        world.pass(11_000);
        world.settle().await;
        let found = world.check().unwrap_or_else(|problems| panic!("{case}: {problems:?}"));
        assert_eq!((found.entries, found.signed), (1, 1), "{case}");
    })
    .await;
}

#[tokio::test]
async fn a_log_that_is_broken_stops_neither_bronze_nor_the_other_logs() {
    let world = World::new();
    world.events("bronze/a", &[("c-1", "customer.end", 0)]).await;
    world.append_all(true).await;
    world.settle().await;
    let (key, _) = world.segments()[&0].clone();
    world.staged.lose(None);
    world.ledger.tamper(&key, 20);
    world.bronze.seed_at(&day("interaction", "x"), Vec::new(), world.now_ms() - HOUR_MS);
    world.pass(HOUR_MS);
    let summary = world.run().await;
    assert_eq!((summary.failures, summary.notified), (1, 1));
    assert!(world.staged.get(&ledgerline_sweep::follow::state_key(&LogId::parse(LOG).unwrap())).is_some());
}

#[tokio::test]
async fn an_idle_run_writes_nothing_and_reads_little() {
    let world = World::new();
    world.events("bronze/a", &[("c-1", "customer.end", 0)]).await;
    world.append_all(true).await;
    world.pass(6 * MINUTE_MS);
    world.settle().await;
    let writes = world.faults.writes();
    world.calls.reset();
    let summary = world.run().await;
    assert_eq!((world.faults.writes(), summary.failures), (writes, 0));
    // The erasures that are due, what expires today and should have on an earlier day, and the list of logs; how far bronze is planned, and the log's head, twice; its archive and the note there, once per process; three
    // states.
    let reads =
        [("dynamodb:GetItem", 3), ("dynamodb:Query", 4), ("s3:GetObject", 4), ("s3:ListObjectVersions", 1)].into();
    assert_eq!(world.calls.by_name(), reads);
}

#[tokio::test]
async fn the_logs_that_a_run_does_not_reach_are_counted() {
    let world = World::new();
    for org in 0..40 {
        let log = LogId::first_of(&format!("org{org:02}"), "interaction").unwrap();
        world.control.change(&head::listed_key(&log), |_| ());
    }
    let whole = world.run().await;
    assert_eq!((whole.logs, whole.passed_over), (40, 0));
    world.pass(MINUTE_MS);
    let short = world.run_of_slow_steps(2_000).await;
    assert!(short.logs > 0 && short.logs < 40, "{short:?}");
    assert_eq!((short.passed_over, short.failures), (40, 0), "none was followed");
    let some = world.run_of_slow_steps(400).await;
    assert!(some.passed_over > 0 && some.passed_over < 40, "{some:?}");
}

#[tokio::test]
async fn a_run_without_time_writes_nothing() {
    let world = World::new();
    world.events("bronze/a", &[("c-1", "customer.end", 0)]).await;
    world.append_all(false).await;
    let before = world.faults.writes();
    let summary = world.run_within(5_000).await;
    assert_eq!((world.faults.writes() - before, summary.failures), (1, 0), "only that a pass over bronze begins");
    assert_eq!((summary.logs, summary.passed_over), (0, 1));
}

/// The schedule's message says nothing that a run needs: any is taken.
#[tokio::test]
async fn the_schedules_message_is_one() {
    let message: serde_json::Value =
        serde_json::from_str(include_str!("../../../../events/schedule-sweep.json")).unwrap();
    assert_eq!(message["detail-type"], "Scheduled Event");
    let world = World::new();
    let clock = FixedClock(START_MS);
    let summary = handle(&world.stores, &world.settings, &Memory::default(), &clock, START_MS + HOUR_MS).await;
    let answer = serde_json::to_value(summary).unwrap();
    assert_eq!((answer["logs"].as_u64(), answer["passedOver"].as_u64()), (Some(0), Some(0)));
}

pub fn day(family: &str, name: &str) -> String {
    format!("bronze/event_type={family}/year=2026/month=03/day=02/hour=13/{name}.gz")
}
