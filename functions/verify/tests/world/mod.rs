//! A small ledger in strict fakes, written by the product's own plan, commit and publication; and scheduled runs over it.
#![allow(unreachable_pub, dead_code, reason = "a test's module, of which each file uses a part")]

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use ledgerline_custody::acts::{ActKind, record_of_log};
use ledgerline_custody::publication::{Memory, Publication, Settings};
use ledgerline_custody::rotation;
use ledgerline_lambda::clock::Clock;
use ledgerline_ledger::acts::is_act;
use ledgerline_ledger::append::plan_append;
use ledgerline_ledger::checkpoint::origin;
use ledgerline_ledger::chunk::{Chunk, ChunkId};
use ledgerline_ledger::entry::{Field, PendingEntry};
use ledgerline_ledger::lock::LockMode;
use ledgerline_ledger::log::LogId;
use ledgerline_ledger::member;
use ledgerline_ledger::origin::PlanOf;
use ledgerline_ledger::retention::LockPolicy;
use ledgerline_ledger::signing::{KeyKind, VerifyingKey};
use ledgerline_ledger::verify::KEY_FIELD;
use ledgerline_store::head::{Heads, head_key};
use ledgerline_store::ledger::LedgerStores;
use ledgerline_store::posting;
use ledgerline_store::segment::Put;
use ledgerline_store::table::to_row;
use ledgerline_store::watch::{self, Watch, Watched};
use ledgerline_testkit::bucket::FakeBucket;
use ledgerline_testkit::calls::Calls;
use ledgerline_testkit::entries::pending;
use ledgerline_testkit::evidence::FakeEvidence;
use ledgerline_testkit::faults::Faults;
use ledgerline_testkit::signer::FakeSigner;
use ledgerline_testkit::table::FakeTable;
use ledgerline_verify::{Look, Patience, Request, Rules, Stores, Summary, VerifyError, handle};

pub const CALLS: &str = "acme/interaction/1/0";
pub const AUDITS: &str = "acme/entity/1/0";
pub const GLOBEX: &str = "globex/interaction/1/0";
pub const QUIET_AFTER_MS: i64 = 72 * 3_600_000;
const START_MS: i64 = 1_772_460_000_000;
/// As the template has it.
const RUN_MS: i64 = 900_000;
/// More than between two signatures.
const STEP_MS: i64 = 11_000;

pub struct World {
    pub control: FakeTable,
    pub index: FakeTable,
    pub ledger: FakeBucket,
    pub signer: FakeSigner,
    /// What writes the ledger.
    pub stores: LedgerStores,
    pub evidence: FakeEvidence,
    /// Of the memories that the function reads and writes.
    pub faults: Faults,
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
        let control = FakeTable::new("ControlTable", quiet.clone(), calls.clone());
        let index = FakeTable::new("IndexTable", quiet.clone(), calls.clone());
        let ledger = FakeBucket::versioned("LedgerBucket", quiet, calls, START_MS);
        let stores = LedgerStores::new(&control.port(), &index.port(), &ledger.port());
        let evidence = FakeEvidence::new(&ledger, &control, &index);
        let (now_ms, objects) = (AtomicI64::new(START_MS), AtomicU64::new(0));
        let locks = LockPolicy::uniform(LockMode::Governance, 30);
        let (signer, faults, quiet_hours) = (signer(7), Faults::none(), "72");
        Self { control, index, ledger, signer, stores, evidence, faults, quiet_hours, locks, now_ms, objects }
    }

    pub fn now_ms(&self) -> i64 {
        self.now_ms.load(Ordering::SeqCst)
    }

    pub fn pass(&self, ms: i64) {
        let now_ms = self.now_ms.fetch_add(ms, Ordering::SeqCst) + ms;
        self.ledger.set_now_ms(now_ms);
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
        let key = |vkey: &str| VerifyingKey::parse(vkey).unwrap();
        let known = [key(&vkey(log, &self.signer))];
        let log_id = LogId::parse(log).unwrap();
        let step = rotation::advance(&self.stores, &log_id, &key(&self.vkey(log, seed)), &known).await;
        assert_eq!(step.unwrap(), rotation::Step::Allowed);
    }

    /// What somebody with the table alone could do: lets a key sign that no entry announces now.
    pub async fn smuggle_key(&self, log: &str, seed: u8) {
        let log_id = LogId::parse(log).unwrap();
        let before = self.control.stored_head(&log_id).unwrap().signing_keys;
        let after = [before.clone(), vec![self.vkey(log, seed)]].concat();
        self.stores.heads.allow_signing_keys(&log_id, &before, &after).await.unwrap();
    }

    /// Deploys the key of a seed.
    pub fn deploy_key(&mut self, seed: u8) {
        self.signer = signer(seed);
    }

    async fn append_chunk(&self, log: &LogId, entries: Vec<PendingEntry>) -> String {
        self.pass(STEP_MS);
        let now_ms = self.now_ms() as u64;
        let settings = Settings { deployment: "trial".to_owned(), locks: self.locks.clone() };
        let publication =
            Publication { stores: &self.stores, signer: &self.signer, settings: &settings, memory: &Memory::default() };
        let head = publication.load_finished(log).await.unwrap();
        let object = format!("{:032x}", self.objects.fetch_add(1, Ordering::SeqCst));
        let (lines, of) = (entries.len(), plan_of(&entries[0]));
        let text: String = entries.into_iter().map(|entry| line_of(entry, &object)).collect();
        let id = ChunkId { of, object, ordinal: 0 };
        let chunk = Chunk::check(id, log, lines, member::pack(text.as_bytes())).unwrap();
        let plan = plan_append(log, &head, &[chunk]).unwrap();
        let (key, lock) = (plan.name.key(), settings.locks.lock(log, now_ms));
        let put = self.stores.segments.put(&key, &plan.bytes, &plan.sha256, &lock).await.unwrap();
        let Put::Written { version_id } = put else { panic!("{key} was there") };
        self.stores.heads.commit(&plan.commit(version_id, now_ms / 1000)).await.unwrap();
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
        let calls = Calls::of_function("verify");
        let control = |faults: &Faults| self.control.seen_by(faults.clone(), calls.clone()).port();
        let key = |signer: &FakeSigner| signer.seen_by(Faults::none(), calls.clone()).port();
        let stores = Stores {
            entries: Arc::new(self.evidence.clone().without_postings()),
            everything: Arc::new(self.evidence.clone()),
            heads: Heads::new(control(&Faults::none())),
            watch: Watch::new(control(&self.faults)),
            signer: key(&self.signer),
            first_signer: key(&signer(7)),
        };
        let rules = Rules {
            deployment: "trial".to_owned(),
            locks: self.locks.clone(),
            patience: Patience::parse(self.quiet_hours).unwrap(),
        };
        handle(&stores, &rules, &clock, self.now_ms() + for_ms, Request { look }).await
    }

    pub fn memory(&self, log: &str) -> Option<Watched> {
        let row = self.control.peek(&watch::key(&LogId::parse(log).unwrap()));
        row.map(|row| watch::read(row).unwrap())
    }

    /// What is remembered of a log's evidence, whoever came by without finding it good.
    pub fn evidence_memory(&self, log: &str) -> Option<Watched> {
        self.memory(log).map(|memory| Watched { tried_at_ms: None, ..memory })
    }

    /// Somebody else's hand on a log's memory.
    pub fn overwrite_memory(&self, log: &str, memory: &Watched) {
        self.control.change(&watch::key(&LogId::parse(log).unwrap()), |row| *row = to_row("a memory", memory).unwrap());
    }

    /// Leaves nothing of a log but its name in the list, and its memory.
    pub fn vanish(&self, log: &str) {
        let keys = self.ledger.keys(&format!("ledger/{log}/"));
        keys.iter().for_each(|key| self.ledger.erase(key));
        let log = LogId::parse(log).unwrap();
        let head = head_key(&log);
        self.control.tamper(|rows| rows.retain(|key, _| key.pk != head.pk));
        for row in self.index.all_postings(&log) {
            self.index.tamper(|rows| rows.remove(&posting::key(&row.record_key, &row.log, row.first)));
        }
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
    FakeSigner::with_seed("SigningKey", [seed; 32], Faults::none(), Calls::default())
}

fn vkey(log: &str, signer: &FakeSigner) -> String {
    let origin = origin("trial", &LogId::parse(log).unwrap());
    VerifyingKey::new(&origin, KeyKind::Log, &signer.key()).unwrap().vkey()
}

/// Its object comes with its chunk.
fn entry(log: &LogId, line: u64) -> PendingEntry {
    pending(log.org(), &format!("c-{}", line % 2), &format!("{:032x}", 0), line)
}

fn plan_of(entry: &PendingEntry) -> PlanOf {
    if is_act(&entry.event_type) { PlanOf::Acts } else { PlanOf::Bronze }
}

fn line_of(mut entry: PendingEntry, object: &str) -> String {
    entry.event_id = plan_of(&entry).event_id(object, entry.source.line);
    entry.source.object = object.to_owned();
    format!("{}\n", entry.to_line().unwrap().as_str())
}
