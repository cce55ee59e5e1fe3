//! The stores, the processes and the clock of one episode, and what a run of the product is: whole, or dropped after some of
//! its calls.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::future::poll_fn;
use std::panic;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::task::Poll;
use std::thread;

use aws_lambda_events::sqs::{SqsBatchResponse, SqsMessage};
use ledgerline_audit_write::handle;
use ledgerline_custody::publication::{LogError, Memory, Publication, Settings};
use ledgerline_custody::rotation::{RotationError, Step, advance};
use ledgerline_lake::plan::Pointer;
use ledgerline_lambda::clock::Clock;
use ledgerline_ledger::checkpoint::{UnverifiedCheckpoint, archive_folder};
use ledgerline_ledger::lock::{Lock, LockMode};
use ledgerline_ledger::log::LogId;
use ledgerline_ledger::signing::{VerifyingKey, VerifyingKeys, vkey};
use ledgerline_ledger::verify::{LockRule, Options, Trust, verify};
use ledgerline_testkit::check::{Found, Stores, check_everything};
use ledgerline_testkit::evidence::FakeEvidence;
use ledgerline_testkit::faults::Faults;
use ledgerline_testkit::signer::FakeSigner;
use tokio::time::Instant;

use crate::world::{NOW_MS, RETENTION_DAYS, World, config, event};

/// What went wrong, in words.
pub(crate) type Problem = String;

/// A clock that moves with the runtime's, and jumps when it is told to.
#[derive(Debug, Clone)]
pub(crate) struct JumpingClock {
    offset_ms: Arc<AtomicI64>,
    since: Instant,
}

impl JumpingClock {
    fn new() -> Self {
        Self { offset_ms: Arc::new(AtomicI64::new(NOW_MS)), since: Instant::now() }
    }

    pub(crate) fn jump(&self, by_ms: i64) {
        self.offset_ms.fetch_add(by_ms, Ordering::SeqCst);
    }
}

impl Clock for JumpingClock {
    fn now_ms(&self) -> i64 {
        self.offset_ms.load(Ordering::SeqCst) + self.since.elapsed().as_millis() as i64
    }
}

/// One delivery of messages to one process.
#[derive(Debug)]
pub(crate) struct Delivery {
    pub(crate) messages: Vec<SqsMessage>,
    /// What they point at, in the same order.
    pub(crate) pointers: Vec<Pointer>,
    /// The process that it meets.
    pub(crate) process: usize,
    /// How long it may take.
    pub(crate) deadline_ms: i64,
    /// After how many steps the process dies, if it does.
    pub(crate) dies_after: Option<u64>,
}

/// What a process remembers, and the key that it was told.
#[derive(Debug, Default)]
struct Process {
    memory: Memory,
    key: usize,
}

pub(crate) struct Stage {
    pub(crate) world: World,
    pub(crate) faults: Faults,
    pub(crate) clock: JumpingClock,
    processes: Vec<Process>,
    /// How many releases were asked for when this was last looked at.
    released: usize,
    /// Every key that was ever made, oldest first.
    pub(crate) signers: Vec<FakeSigner>,
    settings: Settings,
    earliest_ms: i64,
    latest_ms: i64,
}

impl Stage {
    pub(crate) fn new(seed: u64, processes: usize) -> Self {
        let faults = Faults::seeded(seed);
        let world = World::new(&faults);
        Self {
            signers: vec![world.signer.clone()],
            world,
            faults,
            clock: JumpingClock::new(),
            released: 0,
            processes: (0..processes).map(|_| Process::default()).collect(),
            settings: config().publication,
            earliest_ms: NOW_MS,
            latest_ms: NOW_MS,
        }
    }

    /// The bucket's clock is the processes' own.
    pub(crate) fn set_clocks(&mut self) {
        let now_ms = self.clock.now_ms();
        self.earliest_ms = self.earliest_ms.min(now_ms);
        self.latest_ms = self.latest_ms.max(now_ms);
        self.world.ledger.set_now_ms(now_ms);
    }

    /// The lock that whoever writes in this operation asks for, or a little less if the writer takes its time.
    pub(crate) fn lock_asked_now(&self, log: &LogId) -> Lock {
        self.lock_asked_at(log, self.world.ledger.now_ms())
    }

    /// The lock that was asked for by whoever wrote at this time of the bucket's.
    pub(crate) fn lock_asked_at(&self, log: &LogId, at_ms: i64) -> Lock {
        self.settings.locks.lock(log, at_ms as u64)
    }

    /// How many versions lie in the folders of these logs.
    pub(crate) fn versions_of(&self, logs: &[LogId]) -> usize {
        let folders: Vec<String> = logs.iter().map(|log| format!("ledger/{log}/")).collect();
        self.world.ledger.look(|objects| {
            let inside = objects.iter().filter(|(key, _)| folders.iter().any(|folder| key.starts_with(folder)));
            inside.map(|(_, versions)| versions.len()).sum()
        })
    }

    pub(crate) fn logs(&self) -> Vec<LogId> {
        self.world.control.logs()
    }

    /// The answer, or nothing if the process died. A process that died is followed by one that remembers nothing.
    pub(crate) async fn deliver(&mut self, delivery: &Delivery) -> Option<SqsBatchResponse> {
        let answer = self.delivered(delivery).await;
        if answer.is_none() {
            self.restart(delivery.process);
        }
        answer
    }

    /// Two deliveries at once.
    pub(crate) async fn deliver_both(&mut self, twins: &[Delivery; 2]) -> [Option<SqsBatchResponse>; 2] {
        let (left, right) = tokio::join!(self.delivered(&twins[0]), self.delivered(&twins[1]));
        let answers = [left, right];
        for (twin, answer) in twins.iter().zip(&answers) {
            if answer.is_none() {
                self.restart(twin.process);
            }
        }
        answers
    }

    async fn delivered(&self, delivery: &Delivery) -> Option<SqsBatchResponse> {
        let (config, deadline_ms) = (config(), self.clock.now_ms() + delivery.deadline_ms);
        let Process { memory, key } = &self.processes[delivery.process];
        let stores = self.world.signing_with(self.signers[*key].port());
        let run = handle(&stores, &config, memory, &self.clock, deadline_ms, event(&delivery.messages));
        until_death(run, delivery.dies_after).await
    }

    /// What sweep does to every log, or to these; the errors.
    pub(crate) async fn sweep(
        &mut self,
        only: Option<Vec<LogId>>,
        process: usize,
        dies_after: Option<u64>,
    ) -> Option<Vec<(LogId, LogError)>> {
        let Process { memory, key } = &self.processes[process];
        let (stores, signer) = (&self.world.others, &self.signers[*key]);
        let publication = Publication { stores, signer, settings: &self.settings, memory };
        let run = async {
            let mut errors = Vec::new();
            let logs = match only {
                Some(logs) => logs,
                None => stores.heads.logs().await.unwrap_or_default(),
            };
            for log in logs {
                let now_ms = self.clock.now_ms() as u64;
                if let Err(error) = publication.catch_up(&log, now_ms).await {
                    errors.push((log, error));
                }
            }
            errors
        };
        let outcome = until_death(run, dies_after).await;
        if outcome.is_none() {
            self.restart(process);
        }
        outcome
    }

    pub(crate) fn restart(&mut self, process: usize) {
        self.processes[process].memory = Memory::default();
    }

    /// A process of a new deployment.
    pub(crate) fn deploy_key(&mut self, process: usize, key: usize) {
        self.processes[process] = Process { memory: Memory::default(), key };
    }

    /// Makes the next key.
    pub(crate) fn add_signer(&mut self) -> usize {
        let seed = [100 + self.signers.len() as u8; 32];
        self.signers.push(FakeSigner::with_seed("SigningKey", seed, self.faults.clone(), self.world.calls.clone()));
        self.signers.len() - 1
    }

    pub(crate) fn vkey(&self, log: &LogId, key: usize) -> String {
        vkey(&self.settings.origin(log), &self.signers[key].key())
    }

    /// What `ledgerline rotate-key` does once the announcement is on its way.
    pub(crate) async fn allow_newest_key(&self, log: &LogId) -> Result<Step, RotationError> {
        let mut keys: Vec<VerifyingKey> =
            (0..self.signers.len()).filter_map(|key| VerifyingKey::parse(&self.vkey(log, key)).ok()).collect();
        match keys.pop() {
            Some(newest) => advance(&self.world.others, log, &newest, &keys).await,
            None => Ok(Step::NotInTheLog),
        }
    }

    /// The newest key that may sign a log.
    pub(crate) fn key_for(&self, log: &LogId) -> usize {
        let allowed = self.world.control.stored_head(log).map(|head| head.signing_keys).unwrap_or_default();
        (0..self.signers.len()).rfind(|key| allowed.contains(&self.vkey(log, *key))).unwrap_or_default()
    }

    /// The keys that signed a log's first archived checkpoint and its last one. That they came in order between the two is
    /// for [`Self::check`] to say.
    pub(crate) fn first_and_last_signer(&self, log: &LogId) -> Option<(String, String)> {
        let ledger = &self.world.ledger;
        let archived = ledger.keys(&archive_folder(log));
        let signed = |note: &String, by: &String| {
            let bytes = ledger.look(|objects| Some(objects.get(note)?.last()?.bytes.clone()));
            let note = UnverifiedCheckpoint::parse(&bytes.unwrap_or_default());
            note.is_ok_and(|note| VerifyingKeys::parse([by]).is_ok_and(|keys| note.verify(&keys).is_ok()))
        };
        let keys: Vec<String> = (0..self.signers.len()).map(|key| self.vkey(log, key)).collect();
        let (first, last) = (archived.first()?, archived.last()?);
        let first = keys.iter().find(|key| signed(first, key))?;
        Some((first.clone(), keys.iter().rfind(|key| signed(last, key))?.clone()))
    }

    /// The handles that the product gave back to the queue since this was last asked.
    pub(crate) fn take_released(&mut self) -> BTreeSet<String> {
        let mut released = self.world.released();
        let before = std::mem::replace(&mut self.released, released.len());
        released.drain(before..).collect()
    }

    /// Derives everything again, by the testkit and by the product's own verification.
    pub(crate) fn check(&self, notes: Vec<String>) -> Result<Found, Problem> {
        let World { control, ledger, index, staged, keys, .. } = &self.world;
        let until = self.earliest_ms as u64 / 1000 + RETENTION_DAYS * 86_400;
        let stores = Stores {
            control,
            ledger,
            index,
            staged,
            keys: Some(keys),
            lock: Lock { mode: LockMode::Governance, retain_until_s: until },
            deployment: &self.settings.deployment,
            public_keys: &self.signers.iter().map(FakeSigner::key).collect::<Vec<_>>(),
        };
        let found = check_everything(&stores).map_err(|problems| problems.join("\n"))?;
        // All of it from the key that signed first, which vouches for all others. Then as one who remembers these keys and
        // the checkpoints that were seen: from the newest, and the oldest must be below it.
        let first = self.logs().iter().filter_map(|log| Some(self.first_and_last_signer(log)?.0)).collect();
        let keys = self.verify(first, Vec::new(), false)?;
        self.verify(keys, notes, true)?;
        Ok(found)
    }

    /// Verifies, and gives the keys that count.
    fn verify(&self, keys: Vec<String>, checkpoints: Vec<String>, incremental: bool) -> Result<Vec<String>, Problem> {
        let World { control, ledger, index, .. } = &self.world;
        let evidence = FakeEvidence::new(ledger, control, index);
        let trust = Trust { keys, checkpoints, ..Trust::default() };
        let options = Options {
            logs: Vec::new(),
            first: Vec::new(),
            threads: 1,
            // Nothing is on its way any more.
            now_ms: self.latest_ms as u64 + 7_200_000,
            locks: LockRule::AtLeast(config().publication.locks),
            incremental,
        };
        let report = verify(&evidence, &trust, &options, &mut |_| ()).map_err(|fault| format!("verify: {fault}"))?;
        let findings = report.findings.iter().map(|finding| format!("verify: {finding:?}"));
        let unchecked = report.unchecked.iter().map(|log| format!("verify: {log:?}"));
        let mut problems: Vec<String> = findings.chain(unchecked).collect();
        let (seen, there) = (report.logs.len(), self.logs().len());
        if seen != there {
            problems.push(format!("verify: {seen} logs, of {there}"));
        }
        if problems.is_empty() {
            Ok(report.logs.into_iter().flat_map(|log| log.keys).collect())
        } else {
            Err(problems.join("\n"))
        }
    }
}

/// A process, or its death: it is not polled again, and dropped. Every call of a fake yields once, so that a death between
/// any two calls can occur, and one within a call cannot: a store does what it does whole.
async fn until_death<F: Future>(run: F, dies_after: Option<u64>) -> Option<F::Output> {
    let Some(mut left) = dies_after else { return Some(run.await) };
    let mut run = pin!(run);
    poll_fn(|context| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        run.as_mut().poll(context).map(Some)
    })
    .await
}

thread_local! {
    static PANIC: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Remembers panics by thread. audit-write survives one of a group's, and a strict fake's only word is a panic.
pub(crate) fn remember_panics() {
    panic::set_hook(Box::new(|info| {
        PANIC.with(|last| *last.borrow_mut() = Some(info.to_string()));
        // The threads of episodes have no names; what a test itself asserts is told at once.
        if let Some(test) = thread::current().name() {
            eprintln!("{test}: {info}");
        }
    }));
}

/// What this thread panicked with since this was last asked.
pub(crate) fn take_panic() -> Option<String> {
    PANIC.with(|last| last.borrow_mut().take())
}
