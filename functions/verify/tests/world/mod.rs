//! A small ledger in strict fakes, written by the product's own plan, commit and publication; and scheduled runs over it.
#![allow(unreachable_pub, reason = "a test's module")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use ledgerline_custody::acts::{ActKind, record_of_log};
use ledgerline_custody::publication::{self, Memory, Publication, Settings};
use ledgerline_custody::watch::Watched;
use ledgerline_ledger::append::plan_append;
use ledgerline_ledger::checkpoint::origin;
use ledgerline_ledger::chunk::{Chunk, ChunkId};
use ledgerline_ledger::entry::{Field, PendingEntry, Record, Source};
use ledgerline_ledger::log::LogId;
use ledgerline_ledger::member;
use ledgerline_ledger::ports::{CommitAppend as _, LockMode, Put, WriteSegment as _};
use ledgerline_ledger::signing::{KeyKind, VerifyingKey};
use ledgerline_ledger::verify::KEY_FIELD;
use ledgerline_testkit::evidence::FakeEvidence;
use ledgerline_testkit::fakes::calls::Calls;
use ledgerline_testkit::fakes::control::FakeControl;
use ledgerline_testkit::fakes::index::FakeIndex;
use ledgerline_testkit::fakes::ledger::FakeLedgerBucket;
use ledgerline_testkit::fakes::signer::FakeSigner;
use ledgerline_testkit::fakes::watch::FakeWatch;
use ledgerline_testkit::faults::Faults;
use ledgerline_verify::{Look, Ports, Request, Rules, Summary, VerifyError, handle};

pub const CALLS: &str = "acme/interaction/1/0";
pub const AUDITS: &str = "acme/entity/1/0";
pub const QUIET_AFTER_MS: i64 = 72 * 3_600_000;
const START_MS: i64 = 1_772_460_000_000;
const RETENTION_DAYS: u32 = 30;
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
    watch: FakeWatch,
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
        Self { ports, evidence, faults, watch, now_ms: AtomicI64::new(START_MS), objects: AtomicU64::new(0) }
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

    /// Announces the key of a seed in a log.
    pub async fn announce(&self, log: &str, seed: u8) {
        let key = Field::Text(vkey(log, &signer(seed)));
        self.act(log, ActKind::SigningKeyAdded, &[(KEY_FIELD, key)]).await;
    }

    /// Deploys the key of a seed.
    pub fn deploy_key(&mut self, seed: u8) {
        self.ports.signer = signer(seed);
    }

    async fn append_chunk(&self, log: &LogId, entries: Vec<PendingEntry>) -> String {
        self.pass(STEP_MS);
        let now_ms = self.now_ms() as u64;
        let settings = Settings {
            deployment: "trial".to_owned(),
            lock_mode: LockMode::Governance,
            retention_days: u64::from(RETENTION_DAYS),
        };
        let publication = Publication { ports: &self.ports, settings: &settings, memory: &Memory::default() };
        let head = publication.load_finished(log).await.unwrap();
        let object = format!("{:032x}", self.objects.fetch_add(1, Ordering::SeqCst));
        let lines = entries.len();
        let text: String = entries.into_iter().map(|entry| line_of(entry, &object)).collect();
        let id = ChunkId { object, ordinal: 0 };
        let chunk = Chunk::check(id, log, lines, member::pack(text.as_bytes())).unwrap();
        let plan = plan_append(log, &head, &[chunk]).unwrap();
        let (key, lock) = (plan.name.key(), settings.lock(now_ms));
        let put = self.ports.ledger.put_segment(&key, &plan.bytes, &plan.sha256, &lock).await.unwrap();
        let Put::Written { version_id } = put else { panic!("{key} was there") };
        self.ports.control.commit(&plan.commit(version_id, now_ms / 1000)).await.unwrap();
        publication.catch_up(log, now_ms).await.unwrap();
        key
    }

    pub async fn run(&self, look: Look) -> Result<Summary, VerifyError> {
        let ports = Ports {
            entries: Arc::new(self.evidence.clone().without_postings()),
            everything: Arc::new(self.evidence.clone()),
            logs: self.ports.control.clone(),
            watch: self.watch.clone(),
            signer: self.ports.signer.clone(),
        };
        let rules = Rules {
            deployment: "trial".to_owned(),
            lock_mode: LockMode::Governance,
            retention_days: RETENTION_DAYS,
            quiet_after_ms: QUIET_AFTER_MS,
        };
        handle(&ports, &rules, self.now_ms(), Request { look }).await
    }

    pub fn memory(&self, log: &str) -> Option<Watched> {
        self.watch.now(&LogId::parse(log).unwrap())
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

/// The key of a seed; the deployment begins with 7.
fn signer(seed: u8) -> FakeSigner {
    FakeSigner::with_seed([seed; 32], Faults::none(), Calls::default())
}

fn vkey(log: &str, signer: &FakeSigner) -> String {
    let origin = origin("trial", &LogId::parse(log).unwrap());
    VerifyingKey::new(&origin, KeyKind::Log, &signer.key()).unwrap().vkey()
}

fn entry(log: &LogId, line: u64) -> PendingEntry {
    PendingEntry {
        event_id: String::new(),
        org: log.org().to_owned(),
        event_type: "user.start".to_owned(),
        activity: "Agent connected".to_owned(),
        record: Record::Interaction(format!("c-{}", line % 2)),
        occurred_at: format!("2026-03-02T14:00:{line:02}.000Z"),
        late: false,
        fields: BTreeMap::new(),
        masked: Vec::new(),
        lineage_token: "6f1c1e0e-7a3f-5a53-9a38-7e3f5f8f0b11".to_owned(),
        schema_version: "genesys/1".to_owned(),
        policy_version: "1".to_owned(),
        source: Source { object: String::new(), line },
        salt: [line as u8; 16],
    }
}

fn line_of(mut entry: PendingEntry, object: &str) -> String {
    entry.event_id = format!("{}{:08x}", &object[8..], entry.source.line);
    entry.source.object = object.to_owned();
    format!("{}\n", entry.to_line().unwrap().as_str())
}
