//! Tiles that vanished are derived from the segments, and the log goes on; what was altered is named and left as it is.

use std::collections::BTreeMap;

use crate::world::*;
use bytes::Bytes;
use ledgerline_custody::derivation::{Compared, DerivationError, Deriving, InPlace};
use ledgerline_ledger::checkpoint::{archive_key, origin};
use ledgerline_ledger::lock::{Lock, LockMode};
use ledgerline_ledger::log::LogId;
use ledgerline_ledger::signing::{VerifyingKey, vkey};
use ledgerline_ledger::store::StoreError;
use ledgerline_ledger::tile::{Tile, folder};
use ledgerline_ledger::verify::{LockRule, Options, Trust, verify};
use ledgerline_store::head;
use ledgerline_testkit::evidence::FakeEvidence;
use ledgerline_testkit::faults::{ALL_FAULTS, Faults};
use ledgerline_testkit::signer::FakeSigner;

const LATER: i64 = 20_000;
const LOCK: Lock =
    Lock { mode: LockMode::Governance, retain_until_s: NOW_MS as u64 / 1000 + (RETENTION_DAYS + 1) * 86_400 };

fn log() -> LogId {
    LogId::parse(LOG).unwrap()
}

fn key_of(tile: &str) -> String {
    format!("ledger/{LOG}/{tile}")
}

fn known(world: &World) -> Vec<VerifyingKey> {
    vec![VerifyingKey::parse(&vkey(&origin("trial", &log()), &world.signer.key())).unwrap()]
}

/// A log that was appended to, published and signed in steps of so many entries, whose names begin with `name`.
async fn grown_by(faults: &Faults, name: &str, steps: &[u64]) -> World {
    let world = World::new(faults);
    for (nth, entries) in (0..).zip(steps) {
        let pointers = world.plan(LOG, &format!("{name}{nth}"), *entries);
        world.run_at(NOW_MS + nth * LATER, LONG, &messages(&pointers)).await;
    }
    world
}

async fn grown(steps: &[u64]) -> World {
    grown_by(&Faults::none(), "o", steps).await
}

/// Two full tiles of leaves, a partial one, and the tile above.
const STEPS: [u64; 3] = [300, 300, 5];
const TILES: [&str; 4] = ["tile/0/000", "tile/0/001", "tile/0/002.p/93", "tile/1/000.p/2"];

struct Derived<'a> {
    world: &'a World,
}

impl<'a> Derived<'a> {
    fn of(world: &'a World) -> Self {
        Self { world }
    }

    fn deriving(&self) -> Deriving<'a> {
        Deriving(&self.world.others)
    }

    async fn compare(&self) -> Result<Compared, DerivationError> {
        self.deriving().compare(&log(), &known(self.world)).await
    }

    async fn put(&self, compared: &Compared) -> Result<u64, DerivationError> {
        self.deriving().put_missing(&log(), compared, &LOCK).await
    }
}

/// The paths of gaps, with what lies there.
fn gaps(compared: &Compared) -> Vec<(String, InPlace)> {
    compared.gaps.iter().map(|gap| (gap.tile.path(), gap.found)).collect()
}

/// What the real verification finds.
fn findings(world: &World) -> Vec<String> {
    let evidence = FakeEvidence::new(&world.ledger, &world.control, &world.index);
    let trust = Trust { keys: vec![known(world)[0].vkey()], ..Trust::default() };
    let options = Options {
        logs: Vec::new(),
        first: Vec::new(),
        threads: 1,
        now_ms: NOW_MS as u64 + 100 * 3_600_000,
        locks: LockRule::Present,
        incremental: false,
    };
    let report = verify(&evidence, &trust, &options, &mut |_| ()).unwrap();
    report.findings.iter().map(|finding| format!("{finding:?}")).collect()
}

/// Tiles that the tree needs: all but the retired.
fn tiles(world: &World) -> BTreeMap<String, Bytes> {
    let all = world.ledger.keys(&folder(&log())).into_iter();
    let current = all.filter_map(|key| Some((key.clone(), world.ledger.current(&key)?)));
    current
        .filter(|(_, version)| version.tag.as_deref() != Some("retired"))
        .map(|(key, version)| (key, version.bytes))
        .collect()
}

#[tokio::test(start_paused = true)]
async fn a_head_that_was_set_back_or_is_gone_vouches_for_nothing() {
    let world = grown(&STEPS[..1]).await;
    let yesterday = world.control.rows();
    let pointers = world.plan(LOG, "later", 5);
    world.run_at(NOW_MS + LATER, LONG, &messages(&pointers)).await;
    let derived = Derived::of(&world);
    assert_eq!(gaps(&derived.compare().await.unwrap()), []);
    for (rows, beyond) in [(yesterday, 305), (Default::default(), 300)] {
        world.control.restore(rows);
        let error = derived.compare().await.unwrap_err();
        assert!(matches!(error, DerivationError::HeadBehind { archived, .. } if archived == beyond), "{error}");
        assert!(error.is_contradiction());
    }
}

#[tokio::test(start_paused = true)]
async fn what_somebody_laid_over_a_full_tile_or_a_segment_keeps_nothing_from_being_put() {
    let world = grown(&STEPS).await;
    let (tile, segment) = (key_of(TILES[0]), world.ledger.segments().into_iter().next().unwrap().0);
    for key in [&tile, &segment] {
        world.ledger.delete(key);
        world.ledger.seed_locked(key, b"another".to_vec(), LOCK);
    }
    world.ledger.erase(&key_of(TILES[2]));
    let derived = Derived::of(&world);
    let compared = derived.compare().await.unwrap();
    let expected = [(TILES[0].to_owned(), InPlace::Hidden), (TILES[2].to_owned(), InPlace::Nothing)];
    assert_eq!((gaps(&compared), compared.is_altered()), (expected.to_vec(), false));
    assert_eq!(derived.put(&compared).await.unwrap(), 1);
}

#[tokio::test(start_paused = true)]
async fn any_tile_that_vanished_is_put_again_as_it_was_and_the_log_goes_on() {
    for steps in [&[1_u64][..], &[255], &[256], &[200, 57, 900], &STEPS] {
        let there: Vec<String> = tiles(&grown(steps).await).into_keys().collect();
        for (key, hidden) in there.iter().flat_map(|key| [(key, true), (key, false)]) {
            let case = format!("{key} of {steps:?}, hidden: {hidden}");
            let world = grown(steps).await;
            let before = tiles(&world);
            if hidden {
                world.ledger.delete(key)
            } else {
                world.ledger.erase(key)
            }
            let derived = Derived::of(&world);
            let compared = derived.compare().await.unwrap();
            let (_, tile) = Tile::parse_key(key).unwrap();
            let found = if hidden && tile.is_full() { InPlace::Hidden } else { InPlace::Nothing };
            assert_eq!(gaps(&compared), [(tile.path(), found)], "{case}");
            assert_eq!(compared.derived, there.len() as u64, "{case}");
            assert_ne!(tiles(&world), before, "comparing writes nothing: {case}");

            let put = derived.put(&compared).await.unwrap();
            if found == InPlace::Hidden {
                // A second version would be locked, and a contradiction for as long; removing the marker is none.
                assert_eq!((put, tiles(&world).len()), (0, before.len() - 1), "{case}");
                world.ledger.undelete(key);
            } else {
                let lock = world.ledger.current(key).unwrap().lock;
                assert_eq!((put, lock), (1, tile.is_full().then_some(LOCK)), "{case}");
            }
            assert_eq!(tiles(&world), before, "{case}");
            assert_eq!(derived.compare().await.unwrap().gaps, [], "{case}");
            let more = messages(&world.plan(LOG, "more", 300));
            let answer = world.run_at(NOW_MS + 9 * LATER, LONG, &more).await;
            assert!(returned(&answer).is_empty(), "{case}");
            let size = steps.iter().sum::<u64>() + 300;
            assert_eq!(world.control.stored_head(&log()).unwrap().signed, size, "{case}");
            assert_eq!(derived.compare().await.unwrap().gaps, [], "{case}");
            assert_eq!(findings(&world), Vec::<String>::new(), "{case}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_log_that_a_vanished_tile_halts_is_derived_beyond_what_is_published() {
    let world = grown(&STEPS).await;
    world.ledger.erase(&key_of("tile/0/002.p/93"));
    let more = messages(&world.plan(LOG, "more", 7));
    assert_eq!(returned(&world.run_at(NOW_MS + 5 * LATER, LONG, &more).await).len(), 1, "it halts");
    let head = world.control.stored_head(&log()).unwrap();
    assert_eq!((head.published, head.size), (605, 612), "committed, and not published");
    let derived = Derived::of(&world);
    let compared = derived.compare().await.unwrap();
    assert_eq!((compared.published, compared.signed, compared.from, compared.derived), (605, 605, 0, 4));
    assert_eq!(derived.put(&compared).await.unwrap(), 1);
    assert!(returned(&world.run_at(NOW_MS + 6 * LATER, LONG, &more).await).is_empty());
    let found = world.check().unwrap();
    assert_eq!((found.entries, found.published, found.signed), (612, 612, 612));
}

#[tokio::test(start_paused = true)]
async fn all_tiles_of_a_tree_of_three_levels_are_derived_segment_by_segment() {
    let world = grown(&[1_000; 66]).await;
    let before = tiles(&world);
    before.keys().for_each(|key| world.ledger.erase(key));
    let derived = Derived::of(&world);
    let compared = derived.compare().await.unwrap();
    assert_eq!((compared.gaps.len(), compared.derived), (before.len(), before.len() as u64));
    assert!(before.contains_key(&key_of("tile/1/000")) && before.contains_key(&key_of("tile/2/000.p/1")));
    assert_eq!(derived.put(&compared).await.unwrap(), before.len() as u64);
    assert_eq!(tiles(&world), before);
}

#[tokio::test(start_paused = true)]
async fn a_full_tile_that_was_altered_is_named_and_nothing_is_put() {
    let world = grown(&STEPS).await;
    world.ledger.erase(&key_of(TILES[0]));
    world.ledger.tamper(&key_of(TILES[1]), 40);
    let (derived, before) = (Derived::of(&world), tiles(&world));
    let compared = derived.compare().await.unwrap();
    let expected = [(TILES[0].to_owned(), InPlace::Nothing), (TILES[1].to_owned(), InPlace::OtherBytes)];
    assert_eq!((gaps(&compared), compared.is_altered()), (expected.to_vec(), true));
    let refused = derived.put(&compared).await;
    assert!(matches!(&refused, Err(DerivationError::Altered { key }) if *key == key_of(TILES[1])), "{refused:?}");
    assert_eq!(tiles(&world), before);
}

#[tokio::test(start_paused = true)]
async fn a_full_tile_that_somebody_puts_meanwhile_is_not_written_over() {
    let world = grown(&STEPS).await;
    let bytes = tiles(&world).remove(&key_of(TILES[0])).unwrap();
    world.ledger.erase(&key_of(TILES[0]));
    let derived = Derived::of(&world);
    let compared = derived.compare().await.unwrap();
    world.ledger.seed_locked(&key_of(TILES[0]), bytes, LOCK);
    assert_eq!(derived.put(&compared).await.unwrap(), 1, "the same bytes");
    world.ledger.tamper(&key_of(TILES[0]), 0);
    let refused = derived.put(&compared).await;
    assert!(matches!(refused, Err(DerivationError::Altered { .. })), "{refused:?}");
}

#[tokio::test(start_paused = true)]
async fn a_partial_tile_that_was_altered_halts_its_log_and_is_put_right() {
    let world = grown(&STEPS).await;
    world.ledger.tamper(&key_of(TILES[2]), 40);
    let derived = Derived::of(&world);
    let compared = derived.compare().await.unwrap();
    assert_eq!((gaps(&compared), compared.is_altered()), (vec![(TILES[2].to_owned(), InPlace::OtherBytes)], false));
    let more = messages(&world.plan(LOG, "more", 7));
    assert_eq!(returned(&world.run_at(NOW_MS + 5 * LATER, LONG, &more).await).len(), 1, "it halts");
    assert_eq!(derived.put(&compared).await.unwrap(), 1);
    assert!(returned(&world.run_at(NOW_MS + 6 * LATER, LONG, &more).await).is_empty());
    let compared = derived.compare().await.unwrap();
    assert_eq!((compared.signed, compared.gaps), (612, vec![]));
}

#[tokio::test(start_paused = true)]
async fn nothing_is_derived_that_is_not_the_signed_tree_and_the_heads() {
    let other = grown_by(&Faults::none(), "other", &STEPS).await;
    let note = archive_key(&log(), 605);

    let world = grown(&STEPS).await;
    world.ledger.erase(&note);
    world.ledger.seed_locked(&note, other.ledger.current(&note).unwrap().bytes, LOCK);
    let refused = Derived::of(&world).compare().await;
    assert!(matches!(refused, Err(DerivationError::NotTheSigned { size: 605 })), "{refused:?}");

    let world = grown(&STEPS).await;
    let heads = other.control.rows().into_iter().filter(|(key, _)| head::parse_head_key(key).is_some());
    world.control.tamper(|rows| rows.extend(heads));
    let refused = Derived::of(&world).compare().await;
    assert!(matches!(refused, Err(DerivationError::NotTheHeads { size: 605 })), "{refused:?}");

    let world = grown(&STEPS).await;
    let derived = Derived::of(&world);
    let stranger = FakeSigner::with_seed("SigningKey", [9; 32], Faults::none(), world.calls.clone());
    let stranger = VerifyingKey::parse(&vkey(&origin("trial", &log()), &stranger.key())).unwrap();
    let refused = derived.deriving().compare(&log(), &[stranger]).await;
    assert!(matches!(refused, Err(DerivationError::NotByKnownKey { size: 605 })), "{refused:?}");
    let unknown = derived.deriving().compare(&LogId::parse("acme/entity/1/0").unwrap(), &[]).await;
    assert_eq!(unknown.unwrap(), Compared::default(), "a log without a head has no tiles");
}

#[tokio::test(start_paused = true)]
async fn a_segment_beside_the_committed_one_is_passed_over_and_a_missing_one_is_named() {
    let (world, other) = (grown(&STEPS).await, grown_by(&Faults::none(), "other", &STEPS).await);
    for (key, versions) in other.ledger.segments() {
        world.ledger.seed(&key, versions[0].bytes.clone());
    }
    let derived = Derived::of(&world);
    assert_eq!(derived.compare().await.unwrap().gaps, []);
    let committed = world.ledger.segments();
    let middle = committed
        .keys()
        .find(|key| key.contains("/segment/00000000000000000300-") && other.ledger.current(key).is_none());
    world.ledger.erase(middle.unwrap());
    let refused = derived.compare().await;
    assert!(matches!(refused, Err(DerivationError::SegmentMissing { first: 300 })), "{refused:?}");
}

#[tokio::test(start_paused = true)]
async fn of_a_pruned_log_what_comes_after_is_derived_from_the_edge_that_is_kept() {
    let pruned = async || {
        let world = grown(&STEPS).await;
        let first = world.ledger.segments().into_keys().next().unwrap();
        world.ledger.erase(&first);
        world
    };
    // Below the edge: nothing derives it, and it is left alone.
    let world = pruned().await;
    world.ledger.erase(&key_of(TILES[0]));
    world.ledger.erase(&key_of(TILES[2]));
    let derived = Derived::of(&world);
    let compared = derived.compare().await.unwrap();
    assert_eq!((compared.from, gaps(&compared)), (300, vec![(TILES[2].to_owned(), InPlace::Nothing)]));
    assert_eq!(derived.put(&compared).await.unwrap(), 1);
    assert_eq!(derived.compare().await.unwrap().gaps, []);

    for tile in [TILES[1], TILES[3]] {
        let world = pruned().await;
        world.ledger.erase(&key_of(tile));
        let refused = Derived::of(&world).compare().await;
        let named = |key: &str| key == key_of(tile);
        assert!(matches!(&refused, Err(DerivationError::Pruned { key, from: 300 }) if named(key)), "{refused:?}");
    }
    // What a delete marker hides is there.
    let world = pruned().await;
    world.ledger.delete(&key_of(TILES[1]));
    world.ledger.delete(&key_of(TILES[2]));
    let derived = Derived::of(&world);
    let compared = derived.compare().await.unwrap();
    let expected = [(TILES[1].to_owned(), InPlace::Hidden), (TILES[2].to_owned(), InPlace::Nothing)];
    assert_eq!((gaps(&compared), derived.put(&compared).await.unwrap()), (expected.to_vec(), 1));
    // An altered edge makes another tree.
    let world = pruned().await;
    world.ledger.tamper(&key_of(TILES[1]), 0);
    let refused = Derived::of(&world).compare().await;
    assert!(matches!(refused, Err(DerivationError::NotTheSigned { size: 605 })), "{refused:?}");
}

#[tokio::test(start_paused = true)]
async fn a_log_that_was_published_further_meanwhile_gets_no_partial_tile_of_the_former_tree() {
    let world = grown(&STEPS).await;
    let derived = Derived::of(&world);
    world.ledger.erase(&key_of(TILES[0]));
    world.ledger.delete(&key_of(TILES[2]));
    let compared = derived.compare().await.unwrap();
    let first = Compared { gaps: compared.gaps[..1].to_vec(), ..compared.clone() };
    // Another run puts it right, and the log grows.
    assert_eq!(derived.put(&compared).await.unwrap(), 2);
    world.run_at(NOW_MS + 5 * LATER, LONG, &messages(&world.plan(LOG, "more", 7))).await;
    world.ledger.erase(&key_of(TILES[0]));
    let refused = derived.put(&compared).await;
    assert!(matches!(refused, Err(DerivationError::Store(StoreError::Conflict(_)))), "{refused:?}");
    assert_eq!(derived.put(&first).await.unwrap(), 1, "a full tile is one of every larger tree");
    assert_eq!(derived.compare().await.unwrap().gaps, []);
}

#[tokio::test(start_paused = true)]
async fn any_write_fails_and_the_next_run_makes_up_for_it() {
    for fault in ALL_FAULTS {
        let mut struck = 0;
        for nth in 0.. {
            // The writes of the log's own making come first.
            let faults = Faults::at(nth, fault);
            let world = grown_by(&faults, "o", &STEPS).await;
            if faults.struck() > 0 {
                continue;
            }
            TILES.iter().for_each(|tile| world.ledger.erase(&key_of(tile)));
            let derived = Derived::of(&world);
            let compared = derived.compare().await.unwrap();
            assert_eq!(gaps(&compared).len(), TILES.len());
            let first = derived.put(&compared).await;
            if faults.struck() == 0 {
                assert_eq!(first.unwrap(), TILES.len() as u64);
                break;
            }
            struck += 1;
            assert!(first.is_err(), "{fault:?} at {nth}");
            let compared = derived.compare().await.unwrap();
            assert_eq!(derived.put(&compared).await.unwrap(), compared.gaps.len() as u64, "{fault:?} at {nth}");
            assert_eq!(derived.compare().await.unwrap().gaps, [], "{fault:?} at {nth}");
        }
        assert_eq!(struck, TILES.len(), "{fault:?}");
    }
}
