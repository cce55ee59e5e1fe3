//! A small ledger in strict fakes, written by the product's own plan, commit and publication; and scheduled runs over it.
#![allow(unreachable_pub, dead_code, reason = "a test's module, of which each file uses a part")]

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use ledgerline_custody::acts::{ActKind, record_of_log};
use ledgerline_custody::publication::{self, Memory, Publication, Settings};
use ledgerline_custody::rotation;
use ledgerline_custody::watch::Watched;
use ledgerline_lambda::clock::Clock;
use ledgerline_ledger::append::plan_append;
use ledgerline_ledger::checkpoint::origin;
use ledgerline_ledger::chunk::{Chunk, ChunkId};
use ledgerline_ledger::entry::{Field, PendingEntry};
use ledgerline_ledger::head::StoredHead;
use ledgerline_ledger::log::LogId;
use ledgerline_ledger::member;
use ledgerline_ledger::ports::{
    AllowKeys as _, CommitAppend as _, ListLogs, LockMode, Put, ReadHead, WriteSegment as _,
};
use ledgerline_ledger::retention::LockPolicy;
use ledgerline_ledger::signing::{KeyKind, VerifyingKey};
use ledgerline_ledger::store::{Failure, StoreError};
use ledgerline_ledger::verify::KEY_FIELD;
use ledgerline_testkit::calls::Calls;
use ledgerline_testkit::entries::pending;
use ledgerline_testkit::evidence::FakeEvidence;
use ledgerline_testkit::fakes::control::FakeControl;
use ledgerline_testkit::fakes::index::FakeIndex;
use ledgerline_testkit::fakes::ledger::FakeLedgerBucket;
use ledgerline_testkit::fakes::signer::FakeSigner;
use ledgerline_testkit::fakes::watch::FakeWatch;
use ledgerline_testkit::faults::Faults;
use ledgerline_verify::{Look, Patience, Ports, Request, Rules, Summary, VerifyError, handle};

pub const CALLS: &str = "acme/interaction/1/0";
pub const AUDITS: &str = "acme/entity/1/0";
pub const GLOBEX: &str = "globex/interaction/1/0";
pub const QUIET_AFTER_MS: i64 = 72 * 3_600_000;
const START_MS: i64 = 1_772_460_000_000;
/// As the template has it.
const RUN_MS: i64 = 900_000;
/// More than between two signatures.
const STEP_MS: i64 = 11_000;

/// The stores of publication.
pub struct Stores {
    pub control: FakeControl,
    pub ledger: FakeLedgerBucket,
    pub index: FakeIndex,
    pub signer: FakeSigner,
}

impl publication::Ports for Stores {
    type Control = FakeControl;
    type Ledger = FakeLedgerBucket;
    type Index = FakeIndex;
    type Signer = FakeSigner;

    fn control(&self) -> &FakeControl {
        &self.control
    }

    fn ledger(&self) -> &FakeLedgerBucket {
        &self.ledger
    }

    fn index(&self) -> &FakeIndex {
        &self.index
    }

    fn signer(&self) -> &FakeSigner {
        &self.signer
    }
}

pub struct World {
    pub ports: Stores,
    pub evidence: FakeEvidence,
    /// Of what the function itself reads and writes.
    pub faults: Faults,
    pub watch: FakeWatch,
    /// The log whose head cannot be read.
    pub unreadable_head: Option<&'static str>,
    /// What runs are told, and for how long each log may be silent.
    pub quiet_hours: &'static str,
    /// What evidence is locked for, and what runs ask of locks.
    pub locks: LockPolicy,
    now_ms: AtomicI64,
    objects: AtomicU64,
}

impl World {
    pub fn new() -> Self {
        let (quiet, calls) = (Faults::none(), Calls::default());
        let ports = Stores {
            control: FakeControl::new(quiet.clone(), calls.clone()),
            ledger: FakeLedgerBucket::new(quiet.clone(), calls.clone(), START_MS as u64 / 1000),
            index: FakeIndex::new(quiet.clone(), calls.clone()),
            signer: FakeSigner::new(quiet, calls),
        };
        let evidence = FakeEvidence::new(&ports.ledger, &ports.control, &ports.index);
        let faults = Faults::none();
        let watch = FakeWatch::new(faults.clone());
        let (now_ms, objects) = (AtomicI64::new(START_MS), AtomicU64::new(0));
        let locks = LockPolicy::uniform(LockMode::Governance, 30);
        Self { ports, evidence, faults, watch, unreadable_head: None, quiet_hours: "72", locks, now_ms, objects }
    }

    pub fn now_ms(&self) -> i64 {
        self.now_ms.load(Ordering::SeqCst)
    }

    pub fn pass(&self, ms: i64) {
        let now_ms = self.now_ms.fetch_add(ms, Ordering::SeqCst) + ms;
        self.ports.ledger.set_now_s(now_ms as u64 / 1000);
    }

    /// Appends source events as a chunk, publishes it and signs it; the segment's key.
    pub async fn append(&self, log: &str, entries: u64) -> String {
        let log = LogId::parse(log).unwrap();
        self.append_chunk(&log, (0..entries).map(|line| entry(&log, line)).collect()).await
    }

    /// The same with one act of the ledger's own, about the log.
    pub async fn act(&self, log: &str, kind: ActKind, fields: &[(&str, Field)]) -> String {
        let log = LogId::parse(log).unwrap();
        let mut act = entry(&log, 0);
        act.event_type = kind.name().to_owned();
        act.activity = kind.name().to_owned();
        act.record = record_of_log(&log);
        act.fields = fields.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        self.append_chunk(&log, vec![act]).await
    }

    /// Announces the key of a seed in a log; it may sign from then on.
    pub async fn announce(&self, log: &str, seed: u8) {
        let key = Field::Text(self.vkey(log, seed));
        self.act(log, ActKind::SigningKeyAdded, &[(KEY_FIELD, key)]).await;
        let Stores { control, ledger, index, signer } = &self.ports;
        let key = |vkey: &str| VerifyingKey::parse(vkey).unwrap();
        let known = [key(&vkey(log, signer))];
        let stores = rotation::Stores { control, ledger, index };
        let log_id = LogId::parse(log).unwrap();
        let step = rotation::advance(&stores, &log_id, &key(&self.vkey(log, seed)), &known).await;
        assert_eq!(step.unwrap(), rotation::Step::Allowed);
    }

    /// What somebody with the table alone could do: lets a key sign that no entry announces now.
    pub async fn smuggle_key(&self, log: &str, seed: u8) {
        let log_id = LogId::parse(log).unwrap();
        let before = self.ports.control.stored_head(&log_id).unwrap().signing_keys;
        let after = [before.clone(), vec![self.vkey(log, seed)]].concat();
        self.ports.control.allow_signing_keys(&log_id, &before, &after).await.unwrap();
    }

    /// Deploys the key of a seed.
    pub fn deploy_key(&mut self, seed: u8) {
        self.ports.signer = signer(seed);
    }

    async fn append_chunk(&self, log: &LogId, entries: Vec<PendingEntry>) -> String {
        self.pass(STEP_MS);
        let now_ms = self.now_ms() as u64;
        let settings = Settings { deployment: "trial".to_owned(), locks: self.locks.clone() };
        let publication = Publication { ports: &self.ports, settings: &settings, memory: &Memory::default() };
        let head = publication.load_finished(log).await.unwrap();
        let object = format!("{:032x}", self.objects.fetch_add(1, Ordering::SeqCst));
        let lines = entries.len();
        let text: String = entries.into_iter().map(|entry| line_of(entry, &object)).collect();
        let id = ChunkId { object, ordinal: 0 };
        let chunk = Chunk::check(id, log, lines, member::pack(text.as_bytes())).unwrap();
        let plan = plan_append(log, &head, &[chunk]).unwrap();
        let (key, lock) = (plan.name.key(), settings.locks.lock(log, now_ms));
        let put = self.ports.ledger.put_segment(&key, &plan.bytes, &plan.sha256, &lock).await.unwrap();
        let Put::Written { version_id } = put else { panic!("{key} was there") };
        self.ports.control.commit(&plan.commit(version_id, now_ms / 1000)).await.unwrap();
        publication.catch_up(log, now_ms).await.unwrap();
        key
    }

    pub async fn run(&self, look: Look) -> Result<Summary, VerifyError> {
        self.run_for(look, RUN_MS, None).await
    }

    /// A run whose time is over as soon as anything of this log is read.
    pub async fn run_up_to(&self, look: Look, log: &str) -> Result<Summary, VerifyError> {
        self.take_read();
        self.run_for(look, RUN_MS, Some(log)).await
    }

    /// A run of so many milliseconds.
    pub async fn run_for(&self, look: Look, for_ms: i64, last: Option<&str>) -> Result<Summary, VerifyError> {
        let (evidence, folder) = (self.evidence.clone(), last.map(|log| format!("ledger/{log}/")));
        let clock = RunClock { now_ms: self.now_ms(), for_ms, folder, evidence };
        let ports = Ports {
            entries: Arc::new(self.evidence.clone().without_postings()),
            everything: Arc::new(self.evidence.clone()),
            logs: Logs { control: &self.ports.control, unreadable: self.unreadable_head },
            watch: self.watch.clone(),
            signer: self.ports.signer.clone(),
            first_signer: signer(7),
        };
        let rules = Rules {
            deployment: "trial".to_owned(),
            locks: self.locks.clone(),
            patience: Patience::parse(self.quiet_hours).unwrap(),
        };
        handle(&ports, &rules, &clock, self.now_ms() + for_ms, Request { look }).await
    }

    pub fn memory(&self, log: &str) -> Option<Watched> {
        self.watch.now(&LogId::parse(log).unwrap())
    }

    /// What is remembered of a log's evidence, whoever came by without finding it good.
    pub fn evidence_memory(&self, log: &str) -> Option<Watched> {
        self.memory(log).map(|memory| Watched { tried_at_ms: None, ..memory })
    }

    /// Leaves nothing of a log but its name in the list.
    pub fn vanish(&self, log: &str) {
        let folder = format!("ledger/{log}/");
        let keys = self.ports.ledger.all().into_keys().filter(|key| key.starts_with(&folder));
        keys.for_each(|key| self.ports.ledger.erase(&key));
        let partition = format!("LOG#{log}");
        let mut rows = self.ports.control.table.items();
        rows.retain(|(pk, _), _| *pk != partition);
        self.ports.control.table.restore(rows);
        let mut rows = self.ports.index.table.items();
        rows.retain(|(_, sk), _| !sk.starts_with(&format!("POST#{log}#")));
        self.ports.index.table.restore(rows);
    }

    /// The verification key of a seed for a log.
    pub fn vkey(&self, log: &str, seed: u8) -> String {
        vkey(log, &signer(seed))
    }

    /// The keys that runs read since this was last asked.
    pub fn take_read(&self) -> Vec<String> {
        self.evidence.take_read()
    }
}

/// The control table's logs, of which one head may be unreadable.
struct Logs<'a> {
    control: &'a FakeControl,
    unreadable: Option<&'a str>,
}

impl ListLogs for Logs<'_> {
    async fn logs(&self) -> Result<Vec<LogId>, StoreError> {
        ListLogs::logs(self.control).await
    }
}

impl ReadHead for Logs<'_> {
    async fn head(&self, log: &LogId) -> Result<Option<StoredHead>, StoreError> {
        if self.unreadable == Some(log.as_str()) {
            return Err(StoreError::Corrupt(Failure::new("a head has another format")));
        }
        self.control.head(log).await
    }
}

/// A clock that stands still until a log is read, and then jumps to the deadline.
#[derive(Clone)]
struct RunClock {
    now_ms: i64,
    for_ms: i64,
    folder: Option<String>,
    evidence: FakeEvidence,
}

impl Clock for RunClock {
    fn now_ms(&self) -> i64 {
        let late = self.folder.as_ref().is_some_and(|folder| self.evidence.has_read(folder));
        self.now_ms + if late { self.for_ms } else { 0 }
    }
}

/// The key of a seed; the deployment begins with 7.
fn signer(seed: u8) -> FakeSigner {
    FakeSigner::with_seed([seed; 32], Faults::none(), Calls::default())
}

fn vkey(log: &str, signer: &FakeSigner) -> String {
    let origin = origin("trial", &LogId::parse(log).unwrap());
    VerifyingKey::new(&origin, KeyKind::Log, &signer.key()).unwrap().vkey()
}

/// Its object comes with its chunk.
fn entry(log: &LogId, line: u64) -> PendingEntry {
    pending(log.org(), &format!("c-{}", line % 2), &format!("{:032x}", 0), line)
}

fn line_of(mut entry: PendingEntry, object: &str) -> String {
    entry.event_id = format!("{}{:08x}", &object[8..], entry.source.line);
    entry.source.object = object.to_owned();
    format!("{}\n", entry.to_line().unwrap().as_str())
}
