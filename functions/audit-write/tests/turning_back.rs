//! A key is deployed, and the deployment goes back before the key has signed every log: no log is left without a key.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicI64, Ordering};

use crate::world::*;
use aws_lambda_events::sqs::SqsMessage;
use ledgerline_audit_write::handle;
use ledgerline_custody::publication::Memory;
use ledgerline_custody::rotation::{RotationError, Step, advance, later_keys};
use ledgerline_lambda::clock::FixedClock;
use ledgerline_ledger::checkpoint::origin;
use ledgerline_ledger::head::SigningTurn;
use ledgerline_ledger::log::LogId;
use ledgerline_ledger::signing::{VerifyingKey, vkey};
use ledgerline_ledger::store::StoreError;
use ledgerline_ledger::verify::{LockRule, Options, Trust, verify};
use ledgerline_testkit::evidence::FakeEvidence;
use ledgerline_testkit::faults::{ALL_FAULTS, Faults};
use ledgerline_testkit::signer::FakeSigner;

/// More than lies between two signatures.
const STEP_MS: i64 = 20_000;
const A: usize = 0;
const B: usize = 1;
const C: usize = 2;

/// One log, three keys, and a process for each: what a deployment replaced may still run.
struct Rotating {
    world: World,
    keys: [FakeSigner; 3],
    memories: [Memory; 3],
    now_ms: AtomicI64,
}

impl Rotating {
    fn new(faults: &Faults) -> Self {
        let world = World::new(faults);
        let next = |seed| FakeSigner::with_seed("SigningKey", [seed; 32], Faults::none(), world.calls.clone());
        let keys = [world.signer.clone(), next(9), next(8)];
        Self { world, keys, memories: Default::default(), now_ms: AtomicI64::new(NOW_MS) }
    }

    /// A log that A signed, B and C being announced in this order.
    async fn announced() -> Self {
        let rotating = Self::new(&Faults::none());
        let [b, c] = [B, C].map(|key| rotating.world.announcement(LOG, &rotating.vkey(key)));
        rotating.run(A, &messages(&[rotating.world.plan(LOG, "a", 3), b, c].concat())).await;
        rotating
    }

    fn log() -> LogId {
        LogId::parse(LOG).unwrap()
    }

    fn vkey(&self, key: usize) -> String {
        vkey(&origin("trial", &Self::log()), &self.keys[key].key())
    }

    /// The keys that may sign.
    fn allowed(&self) -> Vec<usize> {
        let head = self.world.control.stored_head(&Self::log()).unwrap();
        let place = |listed: &String| (0..self.keys.len()).find(|key| self.vkey(*key) == *listed).unwrap();
        head.signing_keys.iter().map(place).collect()
    }

    /// How much is committed, and how much of it a checkpoint covers.
    fn signed_of(&self) -> (u64, u64) {
        let head = self.world.control.stored_head(&Self::log()).unwrap();
        (head.signed, head.size)
    }

    /// Delivers messages to the process with this key, somewhat later.
    async fn run(&self, key: usize, messages: &[SqsMessage]) {
        let now_ms = self.now_ms.fetch_add(STEP_MS, Ordering::Relaxed);
        let stores = self.world.signing_with(self.keys[key].port());
        let clock = FixedClock(now_ms);
        let answer = handle(&stores, &config(), &self.memories[key], &clock, now_ms + LONG, event(messages)).await;
        assert!(returned(&answer).is_empty(), "commits go on, whoever may sign");
    }

    /// Appends by the process with this key.
    async fn grow(&self, key: usize) {
        let object = format!("at {}", self.now_ms.load(Ordering::Relaxed));
        self.run(key, &messages(&self.world.plan(LOG, &object, 2))).await;
    }

    /// The keys that may sign after this one.
    async fn later(&self, key: usize) -> Vec<usize> {
        let vkeys: Vec<String> = (0..self.keys.len()).map(|key| self.vkey(key)).collect();
        let key = VerifyingKey::parse(&vkeys[key]).unwrap();
        let later = later_keys(&self.world.others.heads, &Self::log(), &key).await.unwrap();
        later.iter().map(|later| vkeys.iter().position(|vkey| vkey == later).unwrap()).collect()
    }

    async fn step(&self, key: usize) -> Result<Step, RotationError> {
        let mut keys = (0..self.keys.len()).map(|key| VerifyingKey::parse(&self.vkey(key)).unwrap());
        let new = keys.nth(key).unwrap();
        let known: Vec<_> = (0..self.keys.len()).filter(|other| *other != key).collect();
        let known: Vec<_> = known.into_iter().map(|key| VerifyingKey::parse(&self.vkey(key)).unwrap()).collect();
        advance(&self.world.others, &Self::log(), &new, &known).await
    }

    /// What an operator does: announces the key where it is not, waits for the deployed one to sign that, and deploys the
    /// key once it may sign; else, what is deployed stays.
    async fn turn_to(&self, key: usize, deployed: &mut usize) {
        for _ in 0..3 {
            match self.step(key).await {
                Ok(Step::Allowed) => return *deployed = key,
                Ok(Step::NotInTheLog) => {
                    self.run(*deployed, &messages(&self.world.announcement(LOG, &self.vkey(key)))).await;
                }
                Ok(Step::NotSigned { .. }) => self.grow(*deployed).await,
                Err(RotationError::Past { .. }) => return,
                Err(error) => panic!("{error}"),
            }
        }
        panic!("the deployed key {deployed} of {:?} does not sign for {key}", self.allowed());
    }

    /// What the real verification finds, from the first key on.
    fn findings(&self) -> Vec<String> {
        let evidence = FakeEvidence::new(&self.world.ledger, &self.world.control, &self.world.index);
        let trust = Trust { keys: vec![self.vkey(A)], ..Trust::default() };
        let options = Options {
            logs: Vec::new(),
            first: Vec::new(),
            threads: 1,
            now_ms: self.now_ms.load(Ordering::Relaxed) as u64 + 7_200_000,
            locks: LockRule::Ignore,
            incremental: false,
        };
        let report = verify(&evidence, &trust, &options, &mut |_| ()).unwrap();
        report.findings.iter().map(|finding| format!("{finding:?}")).collect()
    }
}

#[tokio::test(start_paused = true)]
async fn a_key_that_has_not_signed_is_withdrawn_and_allowed_again_without_another_announcement() {
    let log = Rotating::announced().await;
    assert_eq!(log.step(B).await.unwrap(), Step::Allowed);
    assert_eq!((log.later(A).await, log.later(B).await), (vec![B], vec![]));
    assert_eq!((log.allowed(), log.step(B).await.unwrap()), (vec![A, B], Step::Allowed), "again is nothing more");

    for _ in 0..2 {
        assert_eq!(log.step(A).await.unwrap(), Step::Allowed);
        assert_eq!(log.allowed(), [A]);
    }
    // The process with the other key commits, and waits.
    log.grow(B).await;
    assert_eq!((log.signed_of(), log.allowed()), ((5, 7), vec![A]));
    log.grow(A).await;
    assert_eq!((log.signed_of(), log.findings()), ((9, 9), vec![]), "signed beyond the other key's announcement");

    assert_eq!(log.step(B).await.unwrap(), Step::Allowed);
    assert_eq!(log.allowed(), [A, B]);
    log.grow(B).await;
    assert_eq!((log.signed_of(), log.allowed(), log.findings()), ((11, 11), vec![B], vec![]));
}

#[tokio::test(start_paused = true)]
async fn of_several_keys_those_after_the_one_turned_back_to_are_withdrawn() {
    let log = Rotating::announced().await;
    for key in [B, C, B] {
        assert_eq!(log.step(key).await.unwrap(), Step::Allowed);
    }
    assert_eq!(log.allowed(), [A, B]);
    assert_eq!(log.step(C).await.unwrap(), Step::Allowed);
    assert_eq!((log.step(A).await.unwrap(), log.allowed()), (Step::Allowed, vec![A]));
}

#[tokio::test(start_paused = true)]
async fn a_key_that_signs_first_keeps_its_turn_and_the_former_one_is_announced_anew() {
    let log = Rotating::announced().await;
    assert_eq!(log.step(B).await.unwrap(), Step::Allowed);
    log.grow(B).await;
    assert_eq!((log.step(A).await.unwrap(), log.allowed()), (Step::NotInTheLog, vec![B]));
    let mut deployed = B;
    log.turn_to(A, &mut deployed).await;
    assert_eq!((deployed, log.allowed()), (A, vec![B, A]));
    log.grow(A).await;
    assert_eq!((log.allowed(), log.findings()), (vec![A], vec![]));
}

#[tokio::test(start_paused = true)]
async fn a_turn_that_was_asked_for_before_the_key_was_withdrawn_is_not_had() {
    let log = Rotating::announced().await;
    assert_eq!(log.step(B).await.unwrap(), Step::Allowed);
    let loaded = log.world.control.stored_head(&Rotating::log()).unwrap().verify(&Rotating::log()).unwrap();
    let turn: SigningTurn = loaded.turn(&log.vkey(B), NOW_MS as u64 + 1).unwrap();
    assert_eq!(log.step(A).await.unwrap(), Step::Allowed);
    let late = log.world.others.heads.take_signing_turn(&Rotating::log(), &turn).await;
    assert!(matches!(late, Err(StoreError::Conflict(_))), "{late:?}");
    assert_eq!(log.allowed(), [A]);
}

#[tokio::test(start_paused = true)]
async fn of_a_withdrawal_and_a_first_signature_at_once_one_wins() {
    let mut ends = BTreeSet::new();
    for calls in 0..40 {
        let log = Rotating::announced().await;
        assert_eq!(log.step(B).await.unwrap(), Step::Allowed);
        // Every call of a fake yields once: so many of the process's calls come first.
        let operator = async {
            for _ in 0..calls {
                tokio::task::yield_now().await;
            }
            log.step(A).await
        };
        let (step, ()) = tokio::join!(operator, log.grow(B));
        let end = match step {
            Ok(step) => format!("{step:?}"),
            Err(error) => format!("{} {error}", error.is_transient()),
        };
        match log.allowed().as_slice() {
            [A] => assert_eq!((end.as_str(), log.signed_of()), ("Allowed", (5, 7)), "{calls}"),
            [B] => assert_ne!(end, "Allowed", "{calls}"),
            both => panic!("{calls}: {both:?} may sign"),
        }
        ends.insert(end.split_whitespace().next().map(str::to_owned));
        log.grow(log.allowed()[0]).await;
        assert_eq!((log.signed_of(), log.findings()), ((9, 9), vec![]), "{calls}");
    }
    let seen: Vec<&str> = ends.iter().flatten().map(String::as_str).collect();
    assert_eq!(seen, ["Allowed", "NotInTheLog", "true"], "before it, after it, and in between");
}

#[tokio::test(start_paused = true)]
async fn a_withdrawal_that_is_lost_or_not_answered_is_made_up_for_by_the_next_look() {
    for fault in ALL_FAULTS {
        let mut struck = 0;
        for nth in 0..40 {
            let faults = Faults::at(nth, fault);
            let log = Rotating::new(&faults);
            let pointers = [log.world.plan(LOG, "a", 3), log.world.announcement(LOG, &log.vkey(B))].concat();
            log.run(A, &messages(&pointers)).await;
            log.run(A, &messages(&pointers)).await;
            let allow = async |key| match log.step(key).await {
                Err(error) => assert!(error.is_transient(), "{fault:?} at {nth}: {error}"),
                Ok(step) => assert_eq!(step, Step::Allowed, "{fault:?} at {nth}"),
            };
            for key in [B, B, A, A] {
                allow(key).await;
            }
            struck += faults.struck();
            assert_eq!(log.allowed(), [A], "{fault:?} at {nth}");
        }
        assert!(struck > 12, "only {struck} writes were struck by {fault:?}");
    }
}

/// What happens to a log while keys change.
#[derive(Debug, Clone, Copy)]
enum Op {
    /// An operator rotates to a key.
    Turn(usize),
    /// A process with a key, deployed or not any more, appends and signs if it may.
    Grow(usize),
}

#[tokio::test(start_paused = true)]
async fn whatever_keys_are_turned_to_and_run_the_deployed_one_can_sign() {
    let ops = [Op::Turn(A), Op::Turn(B), Op::Turn(C), Op::Grow(A), Op::Grow(B), Op::Grow(C)];
    for case in 0..ops.len().pow(3) {
        let case: Vec<Op> = (0..3).map(|place| ops[case / ops.len().pow(place) % ops.len()]).collect();
        let log = Rotating::announced().await;
        let mut deployed = A;
        for op in &case {
            match *op {
                Op::Turn(key) => log.turn_to(key, &mut deployed).await,
                Op::Grow(key) => log.grow(key).await,
            }
        }
        log.grow(deployed).await;
        let (signed, size) = log.signed_of();
        assert_eq!(signed, size, "{case:?}: {deployed} is deployed, {:?} may sign", log.allowed());
        assert_eq!(log.findings(), Vec::<String>::new(), "{case:?}");
    }
}
