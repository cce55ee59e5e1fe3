//! A small ledger in strict fakes, written by the product's own plan, commit and publication; and scheduled runs over it.
#![allow(unreachable_pub, reason = "a test's module")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use ledgerline_custody::publication::{self, Memory, Publication, Settings};
use ledgerline_custody::watch::Watched;
use ledgerline_ledger::append::plan_append;
use ledgerline_ledger::chunk::{Chunk, ChunkId};
use ledgerline_ledger::entry::{PendingEntry, Record, Source};
use ledgerline_ledger::log::LogId;
use ledgerline_ledger::member;
use ledgerline_ledger::ports::{CommitAppend as _, LockMode, Put, WriteSegment as _};
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

    /// Appends a chunk, publishes it and signs it; the segment's key.
    pub async fn append(&self, log: &str, entries: u64) -> String {
        self.pass(STEP_MS);
        let (log, now_ms) = (LogId::parse(log).unwrap(), self.now_ms() as u64);
        let settings = Settings {
            deployment: "trial".to_owned(),
            lock_mode: LockMode::Governance,
            retention_days: u64::from(RETENTION_DAYS),
        };
        let publication = Publication { ports: &self.ports, settings: &settings, memory: &Memory::default() };
        let head = publication.load_finished(&log).await.unwrap();
        let object = format!("{:032x}", self.objects.fetch_add(1, Ordering::SeqCst));
        let text: String = (0..entries).map(|line| entry(&log, &object, line)).collect();
        let id = ChunkId { object, ordinal: 0 };
        let chunk = Chunk::check(id, &log, entries as usize, member::pack(text.as_bytes())).unwrap();
        let plan = plan_append(&log, &head, &[chunk]).unwrap();
        let (key, lock) = (plan.name.key(), settings.lock(now_ms));
        let put = self.ports.ledger.put_segment(&key, &plan.bytes, &plan.sha256, &lock).await.unwrap();
        let Put::Written { version_id } = put else { panic!("{key} was there") };
        self.ports.control.commit(&plan.commit(version_id, now_ms / 1000)).await.unwrap();
        publication.catch_up(&log, now_ms).await.unwrap();
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

    /// The keys that runs read since this was last asked.
    pub fn take_read(&self) -> Vec<String> {
        self.evidence.take_read()
    }
}

fn entry(log: &LogId, object: &str, line: u64) -> String {
    let pending = PendingEntry {
        event_id: format!("{}{line:08x}", &object[8..]),
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
        source: Source { object: object.to_owned(), line },
        salt: [line as u8; 16],
    };
    format!("{}\n", pending.to_line().unwrap().as_str())
}
