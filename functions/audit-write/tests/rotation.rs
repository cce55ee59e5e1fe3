//! Which key may sign: the first one, then those that were allowed, and never one that another has replaced.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::world::*;
use async_trait::async_trait;
use aws_lambda_events::sqs::{SqsBatchResponse, SqsMessage};
use ledgerline_audit_write::handle;
use ledgerline_custody::publication::Memory;
use ledgerline_custody::rotation::{RotationError, Step, advance};
use ledgerline_lambda::clock::FixedClock;
use ledgerline_ledger::checkpoint::{live_key, origin};
use ledgerline_ledger::log::LogId;
use ledgerline_ledger::posting::postings;
use ledgerline_ledger::segment::Segment;
use ledgerline_ledger::signing::{VerifyingKey, vkey};
use ledgerline_ledger::store::{Failure, StoreError};
use ledgerline_store::ledger::LedgerStores;
use ledgerline_store::signer::Sign;
use ledgerline_testkit::faults::{ALL_FAULTS, Fault, Faults};
use ledgerline_testkit::signer::FakeSigner;

const LATER: i64 = 20_000;

fn log() -> LogId {
    LogId::parse(LOG).unwrap()
}

/// The next key.
fn next(world: &World) -> FakeSigner {
    FakeSigner::with_seed("SigningKey", [9; 32], Faults::none(), world.calls.clone())
}

fn vkey_of(signer: &FakeSigner) -> String {
    vkey(&origin("trial", &log()), &signer.key())
}

fn allowed(world: &World) -> Vec<String> {
    world.control.stored_head(&log()).unwrap().signing_keys
}

/// What `ledgerline rotate-key` does last.
async fn allow(world: &World, key: &FakeSigner) {
    loop {
        let before = allowed(world);
        if before.contains(&vkey_of(key)) {
            return;
        }
        let after = [before.clone(), vec![vkey_of(key)]].concat();
        let _ = world.others.heads.allow_signing_keys(&log(), &before, &after).await;
    }
}

/// Delivers messages to a process that signs with another key.
async fn run_with(
    world: &World,
    signer: Arc<dyn Sign>,
    memory: &Memory,
    now_ms: i64,
    messages: &[SqsMessage],
) -> SqsBatchResponse {
    let stores = world.signing_with(signer);
    handle(&stores, &config(), memory, &FixedClock(now_ms), now_ms + LONG, event(messages)).await
}

fn signatures(world: &World) -> u64 {
    world.calls.by_name().get("kms:Sign").copied().unwrap_or_default()
}

#[tokio::test(start_paused = true)]
async fn a_key_that_was_not_allowed_signs_nothing_and_stops_nothing() {
    let world = World::new(&Faults::none());
    world.run(LONG, &messages(&world.plan(LOG, "a", 5))).await;
    assert_eq!(allowed(&world), [vkey_of(&world.signer)], "the first key to sign a log is the log's");

    let (other, memory) = (next(&world), Memory::default());
    let b = messages(&world.plan(LOG, "b", 5));
    let answer = run_with(&world, other.port(), &memory, NOW_MS + LATER, &b).await;
    assert!(returned(&answer).is_empty());
    let found = world.check().unwrap();
    assert_eq!((found.entries, found.published, found.signed, signatures(&world)), (10, 10, 5, 1));
    // It keeps the distance between two attempts, and publishes no tiles for each append meanwhile.
    let c = messages(&world.plan(LOG, "c", 5));
    run_with(&world, other.port(), &memory, NOW_MS + LATER + 9_999, &c).await;
    assert_eq!(world.check().unwrap().published, 10);
    // And it takes no turn from those who may sign.
    world.run_at(NOW_MS + LATER + 9_999, LONG, &c).await;
    let found = world.check().unwrap();
    assert_eq!((found.published, found.signed, signatures(&world)), (15, 15, 2));
    assert_eq!(allowed(&world), [vkey_of(&world.signer)]);
}

#[tokio::test(start_paused = true)]
async fn an_allowed_key_signs_from_then_on_and_retires_the_one_before_it() {
    let world = World::new(&Faults::none());
    world.run(LONG, &messages(&world.plan(LOG, "a", 5))).await;
    let new = next(&world);
    allow(&world, &new).await;
    // Until it signs, the old one does.
    world.run_at(NOW_MS + LATER, LONG, &messages(&world.plan(LOG, "b", 5))).await;
    assert_eq!(allowed(&world), [vkey_of(&world.signer), vkey_of(&new)]);
    let c = messages(&world.plan(LOG, "c", 5));
    run_with(&world, new.port(), &Memory::default(), NOW_MS + 2 * LATER, &c).await;
    assert_eq!(allowed(&world), [vkey_of(&new)]);
    let keys = [world.signer.key(), new.key()];
    assert_eq!(world.check_by(&keys).unwrap().signed, 15);

    let d = messages(&world.plan(LOG, "d", 5));
    assert!(returned(&world.run_at(NOW_MS + 3 * LATER, LONG, &d).await).is_empty());
    let found = world.check_by(&keys).unwrap();
    assert_eq!((found.entries, found.signed), (20, 15), "a retired key signs nothing");
    run_with(&world, new.port(), &Memory::default(), NOW_MS + 4 * LATER, &d).await;
    assert_eq!(world.check_by(&keys).unwrap().signed, 20);
}

/// A key whose public half may be read, and which may not be used.
#[derive(Debug)]
struct Unusable(FakeSigner);

#[async_trait]
impl Sign for Unusable {
    async fn sign(&self, _: &[u8]) -> Result<[u8; 64], StoreError> {
        Err(StoreError::Denied(Failure::new("sign")))
    }

    async fn public_key(&self) -> Result<[u8; 32], StoreError> {
        self.0.public_key().await
    }
}

#[tokio::test(start_paused = true)]
async fn a_key_that_cannot_sign_retires_none() {
    let world = World::new(&Faults::none());
    world.run(LONG, &messages(&world.plan(LOG, "a", 5))).await;
    let new = next(&world);
    allow(&world, &new).await;
    let b = messages(&world.plan(LOG, "b", 5));
    run_with(&world, Arc::new(Unusable(new.clone())), &Memory::default(), NOW_MS + LATER, &b).await;
    assert_eq!(allowed(&world), [vkey_of(&world.signer), vkey_of(&new)]);
    // The deployment goes back to the old key, at once.
    world.run_at(NOW_MS + LATER + 1, LONG, &b).await;
    assert_eq!(world.check().unwrap().signed, 10);
}

#[tokio::test(start_paused = true)]
async fn a_head_from_before_the_list_of_keys_takes_the_key_that_signs_next() {
    let world = World::new(&Faults::none());
    world.run(LONG, &messages(&world.plan(LOG, "a", 5))).await;
    world.control.tamper(|rows| rows.values_mut().for_each(|row| drop(row.remove("signingKeys"))));
    world.run_at(NOW_MS + LATER, LONG, &messages(&world.plan(LOG, "b", 5))).await;
    assert_eq!(world.check().unwrap().signed, 10);
    assert_eq!(allowed(&world), [vkey_of(&world.signer)]);
}

#[tokio::test(start_paused = true)]
async fn processes_with_both_keys_at_once_never_sign_backwards() {
    let world = World::new(&Faults::none());
    world.run(LONG, &messages(&world.plan(LOG, "a", 5))).await;
    let new = next(&world);
    allow(&world, &new).await;
    let memories = [Memory::default(), Memory::default()];
    for nth in 1..6 {
        let batch = |name: &str| messages(&world.plan(LOG, &format!("{name}{nth}"), 3));
        let (now_ms, left, right) = (NOW_MS + nth * LATER, batch("left"), batch("right"));
        let by_old = run_with(&world, world.signer.port(), &memories[0], now_ms, &left);
        let by_new = run_with(&world, new.port(), &memories[1], now_ms, &right);
        // Whoever is first has the better chance of the turn.
        let (one, two) = if nth % 2 == 1 {
            tokio::join!(by_old, by_new)
        } else {
            let (two, one) = tokio::join!(by_new, by_old);
            (one, two)
        };
        assert!(returned(&one).is_empty() && returned(&two).is_empty(), "{nth}");
        world.check_by(&[world.signer.key(), new.key()]).unwrap();
    }
    assert_eq!(allowed(&world), [vkey_of(&new)]);
}

/// A key that takes so long to sign that the next process, with the next key, has its turn meanwhile.
#[derive(Debug)]
struct Slow {
    world: Arc<World>,
    next: FakeSigner,
    batch: Vec<SqsMessage>,
    met: AtomicBool,
}

#[async_trait]
impl Sign for Slow {
    async fn sign(&self, message: &[u8]) -> Result<[u8; 64], StoreError> {
        if !self.met.swap(true, Ordering::Relaxed) {
            let run = run_with(&self.world, self.next.port(), &self.world.memory, NOW_MS + 2 * LATER, &self.batch);
            assert!(returned(&run.await).is_empty());
        }
        self.world.signer.sign(message).await
    }

    async fn public_key(&self) -> Result<[u8; 32], StoreError> {
        self.world.signer.public_key().await
    }
}

#[tokio::test(start_paused = true)]
async fn a_slow_turn_of_the_old_key_does_not_take_back_the_next_keys_checkpoint() {
    let world = Arc::new(World::new(&Faults::none()));
    world.run(LONG, &messages(&world.plan(LOG, "a", 5))).await;
    let new = next(&world);
    allow(&world, &new).await;
    let batch = messages(&world.plan(LOG, "c", 5));
    let slow = Slow { world: Arc::clone(&world), next: new.clone(), batch, met: AtomicBool::new(false) };
    run_with(&world, Arc::new(slow), &Memory::default(), NOW_MS + LATER, &messages(&world.plan(LOG, "b", 5))).await;
    let found = world.check_by(&[world.signer.key(), new.key()]).unwrap();
    assert_eq!((found.signed, found.checkpoints), (15, 3));
    let live = world.ledger.current(&live_key(&log())).unwrap().bytes;
    assert!(String::from_utf8(live.to_vec()).unwrap().starts_with("trial/acme/interaction/1/0\n15\n"));
}

fn key_of(signer: &FakeSigner) -> VerifyingKey {
    VerifyingKey::parse(&vkey_of(signer)).unwrap()
}

fn stores(world: &World) -> &LedgerStores {
    &world.others
}

#[tokio::test(start_paused = true)]
async fn a_key_is_allowed_once_a_checkpoint_of_a_known_key_covers_its_announcement() {
    let world = World::new(&Faults::none());
    let (old, new) = (world.signer.clone(), next(&world));
    let known = [key_of(&old)];
    let step = async || advance(stores(&world), &log(), &key_of(&new), &known).await.unwrap();
    assert_eq!(step().await, Step::NotInTheLog, "not even a log");
    world.run(LONG, &messages(&world.plan(LOG, "a", 300))).await;
    assert_eq!(step().await, Step::NotInTheLog);
    // Other acts of the log, and other records', are passed over.
    let third = FakeSigner::with_seed("SigningKey", [8; 32], Faults::none(), world.calls.clone());
    let acts = [world.announcement(LOG, &vkey_of(&new)), world.announcement(LOG, &vkey_of(&third))].concat();
    world.run(LONG, &messages(&acts)).await;
    assert_eq!(step().await, Step::NotSigned { entry: 300, signed: 300 });
    assert_eq!(allowed(&world), [vkey_of(&old)]);
    world.run_at(NOW_MS + LATER, LONG, &messages(&world.plan(LOG, "b", 300))).await;
    let stranger = advance(stores(&world), &log(), &key_of(&new), &[key_of(&third)]).await;
    assert!(matches!(stranger, Err(RotationError::NotByKnownKey { size: 602 })), "{stranger:?}");
    for _ in 0..2 {
        assert_eq!(step().await, Step::Allowed);
        assert_eq!(allowed(&world), [vkey_of(&old), vkey_of(&new)]);
    }
    let later = advance(stores(&world), &log(), &key_of(&third), &known).await;
    assert_eq!(later.unwrap(), Step::Allowed, "announced after the other one");
    assert_eq!(allowed(&world), [vkey_of(&old), vkey_of(&new), vkey_of(&third)]);
}

#[tokio::test(start_paused = true)]
async fn a_key_whose_time_is_over_does_not_come_back_by_its_old_announcement() {
    let world = World::new(&Faults::none());
    let (old, new) = (world.signer.clone(), next(&world));
    let third = FakeSigner::with_seed("SigningKey", [8; 32], Faults::none(), world.calls.clone());
    let acts = [world.announcement(LOG, &vkey_of(&new)), world.announcement(LOG, &vkey_of(&third))].concat();
    world.run(LONG, &messages(&acts)).await;
    assert_eq!(advance(stores(&world), &log(), &key_of(&third), &[key_of(&old)]).await.unwrap(), Step::Allowed);
    let refused = advance(stores(&world), &log(), &key_of(&new), &[key_of(&old)]).await;
    assert!(matches!(refused, Err(RotationError::Past { entry: 0, later: 1 })), "{refused:?}");
    // The first key was never announced, and may be.
    run_with(&world, third.port(), &Memory::default(), NOW_MS + LATER, &messages(&world.plan(LOG, "a", 2))).await;
    assert_eq!(allowed(&world), [vkey_of(&third)]);
    let back = [world.announcement(LOG, &vkey_of(&old)), world.plan(LOG, "b", 2)].concat();
    run_with(&world, third.port(), &Memory::default(), NOW_MS + 2 * LATER, &messages(&back)).await;
    assert_eq!(advance(stores(&world), &log(), &key_of(&old), &[key_of(&third)]).await.unwrap(), Step::Allowed);
}

#[tokio::test(start_paused = true)]
async fn an_announcement_that_is_not_in_the_signed_tree_allows_nothing() {
    let world = World::new(&Faults::none());
    let new = next(&world);
    world.run(LONG, &messages(&world.plan(LOG, "a", 5))).await;
    // A segment beside the log, and a posting that points at it: somebody with the tables and the bucket.
    let forged = World::new(&Faults::none());
    forged.run(LONG, &messages(&forged.announcement(LOG, &vkey_of(&new)))).await;
    let (key, versions) = forged.ledger.segments().into_iter().next().unwrap();
    world.ledger.seed(&key, versions[0].bytes.clone());
    let version_id = world.ledger.current(&key).unwrap().version_id;
    let segment = Segment::read(&key, &versions[0].bytes).unwrap();
    world.others.postings.put(&postings(&segment, &version_id).unwrap()).await.unwrap();
    let refused = advance(stores(&world), &log(), &key_of(&new), &[key_of(&world.signer)]).await;
    assert!(matches!(refused, Err(RotationError::NotInTheTree { entry: 0 })), "{refused:?}");
    assert_eq!(allowed(&world), [vkey_of(&world.signer)]);
}

/// The writes of the first append under the next key: segment, transaction, posting, count, head: indexed; one tile, head:
/// published; the signature that shows that it can, turn, signature, archive, live checkpoint, head: signed.
const WRITES: u64 = 12;

#[tokio::test(start_paused = true)]
async fn any_write_of_a_rotation_fails_and_is_made_up_for() {
    for fault in ALL_FAULTS {
        let mut struck = 0;
        for nth in 0.. {
            let faults = Faults::at(nth, fault);
            let world = World::new(&faults);
            rotate(&world, &faults, fault, nth).await;
            if faults.struck() == 0 {
                break;
            }
            struck += 1;
        }
        // Those of the append under the old key, too.
        assert!(struck >= 2 * WRITES, "only {struck} writes were struck by {fault:?}");
    }
}

async fn rotate(world: &World, faults: &Faults, fault: Fault, nth: usize) {
    let case = format!("{fault:?} at {nth}");
    let new = FakeSigner::with_seed("SigningKey", [9; 32], faults.clone(), world.calls.clone());
    let a = [world.plan(LOG, "a", 4), world.announcement(LOG, &vkey_of(&new))].concat();
    for seconds in [0, 20] {
        assert!(returned(&world.run_at(NOW_MS + seconds * 1_000, LONG, &messages(&a)).await).is_empty(), "{case}");
    }
    let known = [key_of(&world.signer)];
    for again in [true, false] {
        match advance(stores(world), &log(), &key_of(&new), &known).await {
            Ok(step) => assert_eq!(step, Step::Allowed, "{case}"),
            Err(error) => assert!(again && error.is_transient(), "{case}: {error}"),
        }
    }
    let b = messages(&world.plan(LOG, "b", 5));
    for seconds in [40, 60, 80] {
        let answer = run_with(world, new.port(), &Memory::default(), NOW_MS + seconds * 1_000, &b).await;
        assert!(returned(&answer).is_empty(), "{case}");
    }
    let found = world.check_by(&[world.signer.key(), new.key()]);
    let found = found.unwrap_or_else(|problems| panic!("{case}: {problems:?}"));
    assert_eq!((found.entries, found.published, found.signed), (10, 10, 10), "{case}");
    assert_eq!(allowed(world), [vkey_of(&new)], "{case}");
}
