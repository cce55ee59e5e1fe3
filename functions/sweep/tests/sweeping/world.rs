//! Strict fakes of everything that sweep touches, and a small audit-write that appends what was queued.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, Ordering};

use ledgerline_custody::acts::ActStores;
use ledgerline_custody::publication::{self, Memory, Publication};
use ledgerline_custody::retention::Triggers;
use ledgerline_lake::ObjectId;
use ledgerline_lake::plan::{Counts, PlanWriter, Pointer};
use ledgerline_lambda::clock::{Clock, FixedClock};
use ledgerline_ledger::append::plan_append;
use ledgerline_ledger::chunk::Chunk;
use ledgerline_ledger::entry::{Entry, Field, PendingEntry};
use ledgerline_ledger::head::Head;
use ledgerline_ledger::lock::{Lock, LockMode};
use ledgerline_ledger::log::LogId;
use ledgerline_ledger::posting::Posting;
use ledgerline_ledger::retention::LockPolicy;
use ledgerline_ledger::segment::{Segment, SegmentName};
use ledgerline_store::segment::Put;
use ledgerline_sweep::config::Settings;
use ledgerline_sweep::stores::{Ports, Stores};
use ledgerline_sweep::{Summary, handle};
use ledgerline_testkit::bucket::FakeBucket;
use ledgerline_testkit::calls::Calls;
use ledgerline_testkit::check::{self, Found, check_everything};
use ledgerline_testkit::entries::pending;
use ledgerline_testkit::faults::{ALL_FAULTS, Fault, Faults};
use ledgerline_testkit::queue::FakeQueue;
use ledgerline_testkit::signer::FakeSigner;
use ledgerline_testkit::table::FakeTable;
use ledgerline_testkit::wrapping::FakeWrapping;

/// 2026-03-02T14:00:00Z.
pub const START_MS: i64 = 1_772_460_000_000;
pub const MINUTE_MS: i64 = 60_000;
pub const HOUR_MS: i64 = 60 * MINUTE_MS;
pub const DAY_MS: i64 = 24 * HOUR_MS;
pub const LOG: &str = "acme/interaction/1/0";
pub const BRONZE: &str = "bronze-bucket";
pub const DEPLOYMENT: &str = "test";
/// What segments were locked for before the policy was raised.
const LOCK_DAYS: u64 = 30;
const KEPT_DAYS: u64 = 60;
const LONG_MS: i64 = 600_000;

pub struct World {
    pub stores: Stores,
    /// The same, as other functions and the operator see them.
    pub others: Stores,
    pub control: FakeTable,
    pub ledger: FakeBucket,
    pub bronze: FakeBucket,
    pub staged: FakeBucket,
    pub notices: FakeQueue,
    pub pointers: FakeQueue,
    pub settings: Settings,
    pub faults: Faults,
    pub calls: Calls,
    index: FakeTable,
    signer: FakeSigner,
    now_ms: AtomicI64,
    start_s: u64,
}

/// What an event of a test is: record, type, second of occurrence.
pub type Event<'a> = (&'a str, &'a str, u64);

impl World {
    pub fn new() -> Self {
        let (faults, calls) = (Faults::none(), Calls::of_function("sweep"));
        let table = |name| FakeTable::new(name, faults.clone(), calls.clone());
        let versioned = |name| FakeBucket::versioned(name, faults.clone(), calls.clone(), START_MS);
        let queue = |name| FakeQueue::new(name, faults.clone(), calls.clone());
        let (control, index) = (table("ControlTable"), table("IndexTable"));
        let (ledger, bronze) = (versioned("LedgerBucket"), versioned("BronzeBucket"));
        let staged = FakeBucket::new("StagedBucket", faults.clone(), calls.clone(), START_MS);
        let (notices, pointers) = (queue("BronzeQueue"), queue("LedgerQueue"));
        let signer = FakeSigner::new("SigningKey", faults.clone(), calls.clone());
        let wrapping = FakeWrapping::new("DataKey", faults.clone(), calls.clone());
        let stores = |calls: &Calls| {
            let table = |fake: &FakeTable| fake.seen_by(faults.clone(), calls.clone()).port();
            let bucket = |fake: &FakeBucket| fake.seen_by(faults.clone(), calls.clone()).port();
            let queue = |fake: &FakeQueue| fake.seen_by(faults.clone(), calls.clone()).port();
            let ports = Ports {
                control: table(&control),
                index: table(&index),
                ledger: bucket(&ledger),
                bronze: bucket(&bronze),
                staged: bucket(&staged),
                notices: queue(&notices),
                pointers: queue(&pointers),
                signer: signer.seen_by(faults.clone(), calls.clone()).port(),
                wrapping: wrapping.seen_by(faults.clone(), calls.clone()).port(),
            };
            Stores::new(ports, Box::new(|bytes| bytes.fill(9)))
        };
        let (stores, others) = (stores(&calls), stores(&Calls::default()));
        let settings = Settings {
            bronze_bucket: BRONZE.to_owned(),
            publication: publication::Settings {
                deployment: DEPLOYMENT.to_owned(),
                locks: LockPolicy::uniform(LockMode::Governance, KEPT_DAYS),
            },
            silence_ms: DAY_MS,
            triggers: Triggers { types: vec!["survey".to_owned()], days: 400 },
            late_after_ms: 48 * HOUR_MS,
        };
        Self {
            stores,
            others,
            control,
            ledger,
            bronze,
            staged,
            notices,
            pointers,
            settings,
            faults,
            calls,
            index,
            signer,
            now_ms: AtomicI64::new(START_MS),
            start_s: START_MS as u64 / 1000,
        }
    }

    pub fn now_ms(&self) -> i64 {
        self.now_ms.load(Ordering::SeqCst)
    }

    pub fn pass(&self, ms: i64) {
        let now_ms = self.now_ms.fetch_add(ms, Ordering::SeqCst) + ms;
        [&self.ledger, &self.bronze, &self.staged].into_iter().for_each(|bucket| bucket.set_now_ms(now_ms));
    }

    /// Plans these events of one bronze object and queues them.
    pub async fn events(&self, object: &str, events: &[Event<'_>]) -> ObjectId {
        let pointers = self.plan(object, events);
        self.others.pointers.send(&pointers).await.unwrap();
        ObjectId::of(BRONZE, object)
    }

    /// Takes a journaled event away and leaves it listed, as DynamoDB's expiry of one row before the other does.
    pub fn expire_journaled(&self, record: &str, claim_id: &str) {
        self.index.tamper(|rows| drop(rows.remove(&ledgerline_store::journal::key(record, claim_id))));
    }

    pub fn plan(&self, object: &str, events: &[Event<'_>]) -> Vec<Pointer> {
        let id = ObjectId::of(BRONZE, object);
        let log = LogId::parse(LOG).unwrap();
        let mut writer = PlanWriter::new(id, object, "1");
        for (line, event) in (0..).zip(events) {
            writer.push(&log, entry(id, line, *event).to_line().unwrap().as_str().as_bytes()).unwrap();
        }
        let plan = writer.finish(Counts { input: events.len() as u64, ..Counts::default() }).unwrap();
        let pointers = plan.header.pointers(plan.header_bytes);
        self.staged.seed(&pointers[0].plan, plan.bytes);
        pointers
    }

    /// Appends whatever is queued and not committed, as audit-write does, one segment per object; without what follows
    /// the commit if `finish` is false.
    pub async fn append_all(&self, finish: bool) {
        for message in self.pointers.messages() {
            let pointer = Pointer::parse(&message.body).unwrap();
            let log = pointer.log_id().unwrap();
            let id = pointer.chunk_id().unwrap();
            if !self.others.ledger.heads.markers(&log, std::slice::from_ref(&id)).await.unwrap().is_empty() {
                continue;
            }
            let head = self.head(&log).await;
            let bytes = self.others.plans.read_chunk(&pointer).await.unwrap();
            let chunk = Chunk::check(id, &log, pointer.count as usize, bytes.to_vec()).unwrap();
            let plan = plan_append(&log, &head, &[chunk]).unwrap();
            let key = plan.name.key();
            let put = self.others.ledger.segments.put(&key, &plan.bytes, &plan.sha256, &self.lock_now()).await.unwrap();
            let Put::Written { version_id } = put else { panic!("{key} was there") };
            let commit = plan.commit(version_id, 0);
            self.others.ledger.heads.commit(&commit).await.unwrap();
            if finish {
                self.publication(&Memory::default()).finish(&log, &commit.segment, &plan.summary).await.unwrap();
            }
        }
    }

    /// An object at the log's end that no transaction committed.
    pub async fn orphan(&self, object: &str, events: &[Event<'_>]) {
        let pointers = self.plan(object, events);
        let log = LogId::parse(LOG).unwrap();
        let id = pointers[0].chunk_id().unwrap();
        let bytes = self.others.plans.read_chunk(&pointers[0]).await.unwrap();
        let chunk = Chunk::check(id, &log, events.len(), bytes.to_vec()).unwrap();
        let plan = plan_append(&log, &self.head(&log).await, &[chunk]).unwrap();
        self.others.ledger.segments.put(&plan.name.key(), &plan.bytes, &plan.sha256, &self.lock_now()).await.unwrap();
    }

    fn publication<'a>(&'a self, memory: &'a Memory) -> Publication<'a> {
        let Stores { ledger, signer, .. } = &self.others;
        Publication { stores: ledger, signer: &**signer, settings: &self.settings.publication, memory }
    }

    /// Where acts are recorded.
    pub fn act_stores(&self) -> ActStores<'_> {
        let Stores { ledger, notes, plans, pointers, .. } = &self.others;
        ActStores { plans, queue: pointers, rows: &ledger.rows, notes, random: self.others.random() }
    }

    /// A record's postings.
    pub async fn postings(&self, record: &str) -> Vec<Posting> {
        self.others.ledger.postings.of(record).await.unwrap()
    }

    fn lock_now(&self) -> Lock {
        let until_s = self.now_ms() as u64 / 1000 + LOCK_DAYS * 86_400;
        Lock { mode: LockMode::Governance, retain_until_s: until_s }
    }

    pub async fn head(&self, log: &LogId) -> Head {
        let stored = self.others.ledger.heads.head(log).await.unwrap();
        stored.map_or_else(Head::empty, |stored| stored.verify(log).unwrap())
    }

    /// One run of a process that has just started.
    pub async fn run(&self) -> Summary {
        self.run_within(LONG_MS).await
    }

    pub async fn run_within(&self, ms: i64) -> Summary {
        let clock = FixedClock(self.now_ms());
        handle(&self.stores, &self.settings, &Memory::default(), &clock, self.now_ms() + ms).await
    }

    /// One run of which every look at the clock takes so long: its time goes by with its steps.
    pub async fn run_of_slow_steps(&self, ms_per_look: i64) -> Summary {
        let clock = SlowClock { now_ms: AtomicI64::new(self.now_ms()), ms_per_look };
        handle(&self.stores, &self.settings, &Memory::default(), &clock, self.now_ms() + LONG_MS).await
    }

    /// Runs until nothing is written any more, appending what was queued, ten seconds apart so that signing keeps up.
    pub async fn settle(&self) -> Summary {
        for _ in 0..12 {
            let before = self.faults.writes();
            self.append_all(true).await;
            let summary = self.run().await;
            if self.faults.writes() == before {
                return summary;
            }
            self.pass(11_000);
        }
        panic!("never at rest: {:?}", &self.faults.log()[self.faults.writes() - 10..]);
    }

    /// All committed entries of the log, in its order.
    pub async fn entries(&self) -> Vec<Entry> {
        let mut lines = BTreeMap::new();
        let committed = self.control.all_markers(&LogId::parse(LOG).unwrap());
        let all = self.ledger.segments();
        for key in committed.iter().map(|marker| &marker.segment) {
            let Some(versions) = all.get(key) else { continue };
            let segment = Segment::read(key, &versions[0].bytes).unwrap();
            for (index, line) in (segment.name().first..).zip(segment.lines()) {
                lines.insert(index, Entry::read(line.as_bytes()).unwrap());
            }
        }
        lines.into_values().collect()
    }

    pub async fn entries_of(&self, event_type: &str) -> Vec<Entry> {
        self.entries().await.into_iter().filter(|entry| entry.event_type == event_type).collect()
    }

    /// The committed segments by first index.
    pub fn segments(&self) -> BTreeMap<u64, (String, String)> {
        let committed = self.control.all_markers(&LogId::parse(LOG).unwrap());
        let all = self.ledger.segments();
        let place = |key: &String| {
            let version_id = all.get(key)?.first()?.version_id.clone();
            Some((SegmentName::parse(key)?.first, (key.clone(), version_id)))
        };
        committed.iter().filter_map(|marker| place(&marker.segment)).collect()
    }

    /// So many days after the start, less the hour before it that events occurred in.
    pub fn start_until_days(&self, days: u64) -> u64 {
        self.start_s - 3_600 + days * 86_400
    }

    pub fn lock_of(&self, key: &str) -> Lock {
        self.ledger.versions(key)[0].lock.unwrap()
    }

    pub fn check(&self) -> Result<Found, Vec<String>> {
        let until_s = self.start_s + LOCK_DAYS * 86_400;
        check_everything(&check::Stores {
            control: &self.control,
            ledger: &self.ledger,
            index: &self.index,
            staged: &self.staged,
            keys: None,
            lock: Lock { mode: LockMode::Governance, retain_until_s: until_s },
            deployment: DEPLOYMENT,
            public_keys: &[self.signer.key()],
        })
    }
}

fn entry(object: ObjectId, line: u64, (record, event_type, second): Event<'_>) -> PendingEntry {
    PendingEntry {
        event_type: event_type.to_owned(),
        activity: event_type.to_owned(),
        occurred_at: ledgerline_event::instant::to_rfc3339(START_MS - HOUR_MS + second as i64 * 1000),
        fields: [("media".to_owned(), Field::Text("VOICE".to_owned()))].into(),
        ..pending("acme", record, &object.to_string(), line)
    }
}

/// A clock that goes on with every look at it.
struct SlowClock {
    now_ms: AtomicI64,
    ms_per_look: i64,
}

impl Clock for SlowClock {
    fn now_ms(&self) -> i64 {
        self.now_ms.fetch_add(self.ms_per_look, Ordering::SeqCst)
    }
}

/// Repeats a scenario once per write of its run and kind of fault: `prepare`, one run with the fault, whatever `after`
/// does and claims.
pub async fn matrix<P, A>(least_writes: usize, prepare: impl Fn(World) -> P, after: impl Fn(World, String) -> A)
where
    P: Future<Output = World>,
    A: Future<Output = ()>,
{
    for fault in ALL_FAULTS {
        let mut struck = 0;
        for nth in 0.. {
            let world = prepare(World::new()).await;
            world.faults.plan(world.faults.writes() + nth, fault);
            world.run().await;
            if world.faults.struck() == 0 {
                break;
            }
            struck += 1;
            let case = case(&world, fault);
            after(world, case).await;
        }
        assert!(struck >= least_writes, "only {struck} writes were struck");
    }
}

fn case(world: &World, fault: Fault) -> String {
    format!("{fault:?} within {:?}", world.faults.log())
}

/// A field of an entry as a number.
pub fn number(entry: &Entry, name: &str) -> Option<u64> {
    entry.fields.get(name)?.as_u64()
}
