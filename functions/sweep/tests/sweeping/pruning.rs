//! Expired segments go only after a signed entry says so, and nothing else ever goes.

use ledgerline_ledger::lock::Lock;
use ledgerline_ledger::log::LogId;
use ledgerline_ledger::tree::Hash;

use crate::world::*;

const PRUNED: &str = "LOG_PRUNED";

fn log() -> LogId {
    LogId::parse(LOG).unwrap()
}

/// Two completed calls in segments of their own, the second 40 days younger, when only the first is expired.
async fn one_expired(world: World) -> World {
    world
        .events("bronze/a", &[("c-1", "customer.start", 0), ("c-2", "customer.end", 0), ("c-1", "customer.end", 1)])
        .await;
    world.append_all(true).await;
    world.run().await;
    world.pass(5 * MINUTE_MS);
    world.settle().await;
    world.pass(40 * DAY_MS);
    world.events("bronze/b", &[("c-3", "customer.end", 3)]).await;
    world.append_all(true).await;
    world.settle().await;
    world.pass(5 * MINUTE_MS);
    world.settle().await;
    world.pass(22 * DAY_MS);
    world
}

#[tokio::test]
async fn an_expired_segment_is_announced_then_covered_then_deleted() {
    let world = one_expired(World::new()).await;
    let root = world.head(&log()).await.root();
    let tiles = objects(&world, "/tile/");
    let summary = world.run().await;
    assert_eq!((summary.pruned, summary.deleted, summary.failures), (1, 0, 0));
    world.append_all(true).await;
    world.pass(HOUR_MS);
    let summary = world.run().await;
    assert_eq!((summary.pruned, summary.failures), (0, 0));
    assert!(summary.signed == 1 && summary.deleted == deleted_before(&world), "{summary:?}");
    world.pass(HOUR_MS);
    world.settle().await;
    let pruned = world.entries_of(PRUNED).await;
    assert_eq!(pruned.len(), 1);
    let to = number(&pruned[0], "prunedTo").unwrap();
    assert!(to >= 5, "the first call's segment and its completions'");
    assert!(world.segments().keys().all(|first| *first >= to));
    assert!(world.ledger.deleted().len() >= 2);
    assert!(world.postings("acme/c-1").await.is_empty(), "no posting leads to what is gone");
    assert!(!world.postings("acme/c-3").await.is_empty());
    assert!(tiles.iter().all(|key| world.ledger.current(key).is_some()), "tiles stay");
    assert_ne!(world.head(&log()).await.root(), Hash([0; 32]));
    assert_ne!(world.head(&log()).await.root(), root, "the log only grew");
}

fn deleted_before(world: &World) -> u64 {
    world.ledger.deleted().len() as u64
}

fn objects(world: &World, part: &str) -> Vec<String> {
    world.ledger.all().into_keys().filter(|key| key.contains(part)).collect()
}

#[tokio::test]
async fn nothing_goes_before_the_announcement_is_signed() {
    let world = one_expired(World::new()).await;
    world.run().await;
    // Committed, but no checkpoint covers it: the key does not sign.
    world.append_all(true).await;
    for _ in 0..5 {
        world.pass(HOUR_MS);
        let next = world.faults.writes();
        (next..next + 40).for_each(|nth| world.faults.plan(nth, ledgerline_testkit::faults::Fault::Lost));
        world.run().await;
    }
    assert!(world.ledger.deleted().is_empty());
}

#[tokio::test]
async fn a_hold_a_lock_or_an_open_interaction_keeps_a_segment() {
    for kept_by in ["hold", "lock", "open"] {
        let world = match kept_by {
            "open" => {
                let mut world = World::new();
                // It never ends, and the silence is longer than its retention.
                world.settings.silence_ms = 400 * DAY_MS;
                world.events("bronze/a", &[("c-1", "customer.start", 0)]).await;
                world.append_all(true).await;
                world.settle().await;
                world.pass(62 * DAY_MS);
                world
            }
            _ => one_expired(World::new()).await,
        };
        let (key, version_id) = world.segments()[&0].clone();
        match kept_by {
            "hold" => world.ledger.hold(&key, &version_id),
            "lock" => {
                let until_s = world.now_ms() as u64 / 1000 + 30 * 86_400;
                let longer = Lock { retain_until_s: until_s, ..world.lock_of(&key) };
                world.others.ledger.segments.extend_lock(&key, &version_id, &longer).await.unwrap();
            }
            _ => {}
        }
        for _ in 0..3 {
            world.settle().await;
            world.pass(25 * HOUR_MS);
        }
        assert!(world.ledger.deleted().is_empty(), "{kept_by}");
        assert!(world.entries_of(PRUNED).await.is_empty(), "{kept_by}: nothing before it may go either");
    }
}

#[tokio::test]
async fn every_write_of_a_pruning_may_fail() {
    // The announcement's run, then the run that deletes.
    let announced = |world: World| async {
        let world = one_expired(world).await;
        world.run().await;
        world.append_all(true).await;
        world.pass(11_000);
        world.run().await;
        world.pass(HOUR_MS);
        world
    };
    matrix(3, one_expired, |world, case| async move { assert_pruned(&world, &case).await }).await;
    matrix(4, announced, |world, case| async move { assert_pruned(&world, &case).await }).await;
}

async fn assert_pruned(world: &World, case: &str) {
    for _ in 0..3 {
        world.settle().await;
        world.pass(HOUR_MS);
    }
    let pruned = world.entries_of(PRUNED).await;
    assert_eq!(pruned.len(), 1, "{case}");
    let to = number(&pruned[0], "prunedTo").unwrap();
    assert!(world.segments().keys().all(|first| *first >= to), "{case}");
    for record in ["acme/c-1", "acme/c-2"] {
        assert!(world.postings(record).await.is_empty(), "{case}: {record}");
    }
}

#[tokio::test]
async fn a_follower_that_begins_from_nothing_begins_behind_what_is_pruned() {
    let world = one_expired(World::new()).await;
    for _ in 0..3 {
        world.settle().await;
        world.pass(HOUR_MS);
    }
    assert!(!world.ledger.deleted().is_empty());
    world.staged.lose(None);
    let completions = world.entries_of("INTERACTION_SEALED").await.len();
    let summary = world.settle().await;
    assert_eq!(summary.failures, 0);
    assert_eq!(world.entries_of("INTERACTION_SEALED").await.len(), completions);
    world.events("bronze/late", &[("c-1", "wrapup", 50)]).await;
    world.append_all(true).await;
    world.settle().await;
    world.pass(DAY_MS);
    world.settle().await;
    let last = world.entries_of("INTERACTION_SEALED").await.pop().unwrap();
    assert_eq!((last.interaction_id.as_deref(), number(&last, "count")), (Some("c-1"), Some(1)), "of what is left");
}

/// Announced, committed, covered by a checkpoint: the next look deletes.
async fn announced(world: World) -> World {
    let world = one_expired(world).await;
    world.run().await;
    world.append_all(true).await;
    world.pass(11_000);
    world.run().await;
    assert_eq!(world.entries_of(PRUNED).await.len(), 1);
    world.pass(HOUR_MS);
    world
}

#[tokio::test]
async fn a_hold_between_announcement_and_deletion_keeps_segment_and_postings() {
    for at_deletion in [false, true] {
        let world = announced(World::new()).await;
        let (key, version_id) = world.segments()[&0].clone();
        let postings = world.postings("acme/c-1").await;
        if at_deletion {
            world.ledger.hold_at_deletion(&key, &version_id);
        } else {
            world.ledger.hold(&key, &version_id);
        }
        for _ in 0..3 {
            let summary = world.run().await;
            assert_eq!((summary.deleted, summary.failures), (0, 0), "{at_deletion}");
            world.pass(HOUR_MS);
        }
        assert!(world.ledger.deleted().is_empty(), "it keeps all that follows it");
        assert_eq!(world.postings("acme/c-1").await, postings, "{at_deletion}");
        assert!(!world.postings("acme/c-2").await.is_empty(), "{at_deletion}");
        // Lifted, all of it goes.
        world.ledger.release_all();
        assert_pruned(&world, "lifted").await;
    }
}
