//! More input while a run counts, and two runs at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use ledgerline_figures::summary::Granularity;
use ledgerline_gold::Schedule;
use ledgerline_store::gold_date::touched_by;

use crate::world::{NOW_MS, TODAY, World, answered, at, lay};

/// Objects that come while the first `executions` are answered, `each` to an execution. Their marks come with them.
fn pour(world: &World, executions: usize, each: usize) -> Arc<AtomicUsize> {
    let (lake, begun) = (world.lake.clone(), Arc::new(AtomicUsize::new(0)));
    let counted = Arc::clone(&begun);
    world.athena.set_answer(move |sql| {
        let answer = answered(&lake, sql);
        let nth = begun.fetch_add(1, Ordering::SeqCst);
        for object in 0..if nth < executions { each } else { 0 } {
            lay(&lake, &format!("poured-{nth}-{object}"), &[(at(TODAY, 5) + object as i64, "q-1", 1_000)]);
        }
        answer
    });
    counted
}

async fn mark(world: &World) {
    for date in touched_by([TODAY], NOW_MS) {
        world.dates.touch(date).await.unwrap();
    }
}

async fn from_scratch(world: &World) -> World {
    let fresh = World::new();
    for (key, bytes) in world.lake.under("silver/") {
        fresh.lake.seed(&key, bytes);
    }
    mark(&fresh).await;
    fresh.settle().await;
    fresh
}

#[tokio::test(start_paused = true)]
async fn fifty_objects_that_come_during_a_run_are_counted_by_it() {
    let world = World::new();
    world.deliver("a", &[(at(TODAY, 9), "q-1", 60_000)]).await;
    let begun = pour(&world, 1, 50);
    let answer = world.run(Schedule::Frequent).await;
    assert_eq!((answer.stale.len(), world.daily(TODAY).totals.figures.total_contacts), (0, 51));
    assert_eq!(begun.load(Ordering::SeqCst), 2, "once more, and no third time");
    mark(&world).await;
    world.settle().await;
    assert_eq!(world.figures(), from_scratch(&world).await.figures());
}

#[tokio::test(start_paused = true)]
async fn a_date_whose_input_does_not_rest_is_written_as_stale_and_stays_dirty() {
    let world = World::new();
    world.deliver("a", &[(at(TODAY, 9), "q-1", 60_000)]).await;
    pour(&world, 2, 5);
    let answer = world.run(Schedule::Frequent).await;
    assert_eq!(answer.stale, ["2026-03-02"]);
    let day = world.daily(TODAY);
    assert_eq!((day.stale, day.totals.figures.total_contacts), (true, 6));
    assert!(world.dirty().await.contains(&TODAY));
    world.settle().await;
    assert!(!world.daily(TODAY).stale && !world.document(TODAY, Granularity::HalfHourly).unwrap().stale);
    assert_eq!(world.daily(TODAY).totals.figures.total_contacts, 11);
    assert_eq!(world.figures(), from_scratch(&world).await.figures());
}

#[tokio::test(start_paused = true)]
async fn of_two_runs_at_once_one_writes_and_the_other_is_refused() {
    let world = World::new();
    world.deliver("a", &[(at(TODAY, 9), "q-1", 60_000)]).await;
    world.settle().await;
    world.deliver("b", &[(at(TODAY, 10), "q-1", 30_000)]).await;
    pour(&world, 1, 50);
    let (one, other) = tokio::join!(world.run(Schedule::Frequent), world.run(Schedule::Frequent));
    assert_eq!((one.failures, other.failures), (0, 0));
    mark(&world).await;
    world.settle().await;
    assert_eq!(world.daily(TODAY).totals.figures.total_contacts, 52);
    assert_eq!(world.figures(), from_scratch(&world).await.figures());
}

/// The second begins when the first has listed its input, and ends before it: what the first counted is older.
#[tokio::test(start_paused = true)]
async fn a_run_that_was_overtaken_puts_nothing_in_the_place_of_the_newer_figures() {
    let world = World::new();
    world.deliver("a", &[(at(TODAY, 9), "q-1", 60_000)]).await;
    world.settle().await;
    world.deliver("b", &[(at(TODAY, 10), "q-1", 30_000)]).await;
    let overtaken = world.stores.gold.load(&ledgerline_lake::keys::gold_intervals(TODAY)).await.unwrap().unwrap();
    world.settle().await;
    let newer = world.gold();
    let key = ledgerline_lake::keys::gold_intervals(TODAY);
    let older = ledgerline_lake::gold::write_intervals(&[]).unwrap();
    let refused = world.stores.gold.put_parquet(&key, older, Some(&overtaken)).await.unwrap_err();
    assert_eq!((refused.kind(), world.gold()), ("conflict", newer));
}

/// Two dates of UTC share a day in Berlin.
#[tokio::test(start_paused = true)]
async fn runs_of_two_dates_that_share_a_day_end_in_the_sum_of_both() {
    let world = World::zoned("Europe/Berlin");
    let yesterday = TODAY.previous_day().unwrap();
    world.deliver("a", &[(at(TODAY, 9), "q-1", 60_000), (at(yesterday, 23), "q-1", 60_000)]).await;
    let both = [TODAY, yesterday].map(ledgerline_lake::keys::iso_date);
    let (one, other) = tokio::join!(world.one(&both[0]), world.one(&both[1]));
    assert!(one.is_ok() || other.is_ok());
    world.settle().await;
    assert_eq!(world.daily(TODAY).totals.figures.total_contacts, 2);
}
