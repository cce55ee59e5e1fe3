//! Each write of a run, lost or kept and reported as lost; and a run after it. A lost write is a crash before it, the other one a crash behind.

use ledgerline_gold::Schedule;
use ledgerline_testkit::faults::{ALL_FAULTS, Faults};

use crate::world::{DAY_MS, NOW_MS, TODAY, World, at};

async fn delivered(faults: Faults) -> World {
    let world = World::with_faults(faults);
    world.deliver("a", &[(at(TODAY, 9), "q-1", 60_000), (at(TODAY, 11), "q-2", 60_000)]).await;
    world
}

/// What a run writes, in its order.
async fn written(run: Schedule) -> Vec<String> {
    let world = prepared(run, Faults::none()).await;
    let before = world.faults.log().len();
    world.run(run).await;
    world.faults.log().split_off(before)
}

/// Ready for a run of this schedule: for a night the date is counted, and over.
async fn prepared(run: Schedule, faults: Faults) -> World {
    let mut world = delivered(faults).await;
    if run == Schedule::Nightly {
        world.settle().await;
        world.now_ms = NOW_MS + DAY_MS;
    }
    world
}

#[tokio::test(start_paused = true)]
async fn every_write_of_a_run_can_be_lost_or_kept_in_secret() {
    for run in [Schedule::Frequent, Schedule::Nightly] {
        let clean = prepared(run, Faults::none()).await;
        for _ in 0..3 {
            clean.run(run).await;
        }
        let writes = written(run).await;
        assert!(writes.len() >= 6, "{writes:?}");
        for (nth, write) in writes.iter().enumerate() {
            for fault in ALL_FAULTS {
                let faults = Faults::none();
                let world = prepared(run, faults.clone()).await;
                faults.plan(faults.writes() + nth, fault);
                world.run(run).await;
                assert_eq!(faults.struck(), 1, "{write} {fault:?}");
                world.run(run).await;
                world.run(run).await;
                assert_eq!(world.figures(), clean.figures(), "{run:?}: {write} (write {nth}) {fault:?}");
                assert!(world.dirty().await.is_empty(), "{write} {fault:?}");
                // A night of which some dates were noted asks for the others alone, by another text.
                let (scanned, once) = (world.athena.scanned().len(), clean.athena.scanned().len());
                let more = usize::from(run == Schedule::Nightly && write.starts_with("dynamodb"));
                assert!((once..=once + more).contains(&scanned), "{write} {fault:?} scans once");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_lock_comes_first_and_the_mark_last() {
    let of_date =
        |log: Vec<String>| -> Vec<String> { log.into_iter().filter(|write| !write.starts_with("dynamodb")).collect() };
    let writes = written(Schedule::Frequent).await;
    assert!(
        writes.first().unwrap().starts_with("dynamodb") || writes.first().unwrap().starts_with("athena"),
        "{writes:?}"
    );
    assert_eq!(
        of_date(writes.clone()),
        [
            "athena:StartQueryExecution",
            "s3:PutObject gold",
            "s3:PutObject gold",
            "s3:PutObject gold",
            "s3:PutObject gold",
            "s3:PutObject gold",
            "s3:PutObject lineage"
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_read_is_told_and_the_other_dates_are_computed() {
    let world = delivered(Faults::none()).await;
    world.settle().await;
    let yesterday = TODAY.previous_day().unwrap();
    world.deliver("b", &[(at(TODAY, 12), "q-1", 60_000), (at(yesterday, 12), "q-1", 60_000)]).await;
    world.lake.seed(&ledgerline_lake::keys::gold_summary(TODAY, ledgerline_figures::summary::Granularity::Daily), "{}");
    let answer = world.run(Schedule::Frequent).await;
    assert_eq!(answer.failures, 1, "{answer:?}");
    assert!(answer.computed.contains(&"2026-03-01".to_owned()) && world.dirty().await == [TODAY], "{answer:?}");
}
