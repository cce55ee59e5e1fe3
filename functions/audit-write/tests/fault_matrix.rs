//! Every write of an append, lost or persisted-but-errored, then retried the same, retried with other messages first, or
//! tried by two writers at once. Afterwards every hash, count and posting is derived again.

use crate::world::*;
use ledgerline_lake::plan::Pointer;
use ledgerline_testkit::faults::{ALL_FAULTS, Fault, Faults};

/// The writes of an append of three chunks to one log: segment, transaction, postings, three counts, head: indexed; three
/// tiles, head: published; turn, signature, archive, live checkpoint, head: signed.
const WRITES: usize = 16;
const ENTRIES: u64 = 300 + 7;

fn batch(world: &World) -> Vec<Pointer> {
    [world.plan(LOG, "a", 300), world.plan(LOG, "b", 7)].concat()
}

/// Runs `scenario` once per write and kind of fault, until a fault no longer strikes.
async fn matrix<F: Future<Output = ()>>(scenario: impl Fn(World, Fault, usize) -> F) {
    for fault in ALL_FAULTS {
        let mut struck = 0;
        for nth in 0.. {
            let faults = Faults::at(nth, fault);
            scenario(World::new(&faults), fault, nth).await;
            if faults.struck() == 0 {
                break;
            }
            struck += 1;
        }
        assert!(struck >= WRITES, "only {struck} writes were struck");
    }
}

async fn assert_whole(world: &World, entries: u64, case: &str) {
    match world.check() {
        Ok(found) => {
            assert_eq!((found.entries, found.open_chunks), (entries, 0), "{case}");
            // Whatever failed, the log's next messages a little later publish and sign all that there is. Two, since the
            // fault may strike the first.
            let later = messages(&world.plan(LOG, "later", 3));
            for seconds in [60, 120] {
                let answer = world.run_at(NOW_MS + seconds * 1_000, LONG, &later).await;
                assert!(returned(&answer).is_empty(), "{case}");
            }
            let found = world.check().unwrap_or_else(|problems| panic!("{case}, later: {problems:?}"));
            assert_eq!((found.published, found.signed), (entries + 3, entries + 3), "{case}");
        }
        Err(problems) => panic!("{case}: {problems:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn any_write_fails_and_is_retried_inside() {
    matrix(|world, fault, nth| async move {
        let pointers = batch(&world);
        let answer = world.run(LONG, &messages(&pointers)).await;
        assert!(returned(&answer).is_empty(), "{fault:?} at {nth}: retried until done");
        assert_whole(&world, ENTRIES, &format!("{fault:?} at {nth}")).await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn any_write_fails_and_the_same_messages_come_again() {
    matrix(|world, fault, nth| async move {
        let case = format!("{fault:?} at {nth}");
        let pointers = batch(&world);
        let first = world.run(ONE_ATTEMPT, &messages(&pointers)).await;
        if !returned(&first).is_empty() {
            // An hour later, so that an orphan's lock has become too short.
            let again = world.run_at(NOW_MS + 3_600_000, ONE_ATTEMPT, &messages(&pointers)).await;
            assert!(returned(&again).is_empty(), "{case}");
        }
        assert_whole(&world, ENTRIES, &case).await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn any_write_fails_and_other_messages_come_first() {
    matrix(|world, fault, nth| async move {
        let case = format!("{fault:?} at {nth}");
        let pointers = batch(&world);
        world.run(ONE_ATTEMPT, &messages(&pointers)).await;
        let other = world.plan(LOG, "c", 11);
        // The second half of the failed batch together with something new, then everything.
        let mixed = [vec![pointers[2].clone()], other.clone()].concat();
        world.run(ONE_ATTEMPT, &messages(&mixed)).await;
        let all = [pointers, other].concat();
        let last = world.run(ONE_ATTEMPT, &messages(&all)).await;
        assert!(returned(&last).is_empty(), "{case}");
        assert_whole(&world, ENTRIES + 11, &case).await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn any_write_fails_while_two_writers_append_the_same_and_different_chunks() {
    matrix(|world, fault, nth| async move {
        let case = format!("{fault:?} at {nth}");
        let (a, b, c) = (world.plan(LOG, "a", 300), world.plan(LOG, "b", 7), world.plan(LOG, "c", 11));
        let left = messages(&[a.clone(), b.clone()].concat());
        let right = messages(&[a.clone(), c.clone()].concat());
        let (one, two) = tokio::join!(world.run(LONG, &left), world.run(LONG, &right));
        let failed = returned(&one).len() + returned(&two).len();
        assert_eq!(failed, 0, "{case}: both retry until they are done");
        assert_whole(&world, ENTRIES + 11, &case).await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn two_writers_of_one_attempt_each_leave_nothing_half_done() {
    matrix(|world, fault, nth| async move {
        let case = format!("{fault:?} at {nth}");
        let pointers = batch(&world);
        let all = messages(&pointers);
        let (one, two) = tokio::join!(world.run(ONE_ATTEMPT, &all), world.run(ONE_ATTEMPT, &all));
        // A message is gone once either writer acknowledged it; what both returned comes again.
        let back: Vec<Pointer> = pointers
            .iter()
            .filter(|pointer| {
                let id = pointer.deduplication_id();
                returned(&one).contains(&id.as_str()) && returned(&two).contains(&id.as_str())
            })
            .cloned()
            .collect();
        if !back.is_empty() {
            let last = world.run(LONG, &messages(&back)).await;
            assert!(returned(&last).is_empty(), "{case}");
        }
        assert_whole(&world, ENTRIES, &case).await;
    })
    .await;
}
