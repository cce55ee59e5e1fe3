//! Strict fakes of everything that sweep touches, and a small audit-write that appends what was queued.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, Ordering};

use ledgerline_custody::publication::{self, Memory, Publication};
use ledgerline_custody::retention::Triggers;
use ledgerline_lake::ObjectId;
use ledgerline_lake::plan::{Counts, PlanWriter, Pointer};
use ledgerline_lake::ports::{ReadChunk as _, SendPointers as _};
use ledgerline_lambda::clock::{Clock, FixedClock};
use ledgerline_ledger::append::plan_append;
use ledgerline_ledger::chunk::{Chunk, ChunkId};
use ledgerline_ledger::entry::{Entry, Field, PendingEntry};
use ledgerline_ledger::head::Head;
use ledgerline_ledger::log::LogId;
use ledgerline_ledger::ports::{CommitAppend as _, Lock, LockMode, Put, ReadHead as _, WriteSegment as _};
use ledgerline_ledger::retention::LockPolicy;
use ledgerline_ledger::segment::{Segment, SegmentName};
use ledgerline_sweep::config::Settings;
use ledgerline_sweep::ports::Wired;
use ledgerline_sweep::{Summary, handle};
use ledgerline_testkit::calls::Calls;
use ledgerline_testkit::check::{Found, Stores, check_everything};
use ledgerline_testkit::entries::pending;
use ledgerline_testkit::fakes::control::FakeControl;
use ledgerline_testkit::fakes::index::FakeIndex;
use ledgerline_testkit::fakes::ledger::FakeLedgerBucket;
use ledgerline_testkit::fakes::obj_rows::FakeObjectRows;
use ledgerline_testkit::fakes::objects::FakeBucket;
use ledgerline_testkit::fakes::queue::FakeQueue;
use ledgerline_testkit::fakes::signer::FakeSigner;
use ledgerline_testkit::fakes::sweep::{FakeBronzeList, FakeEvidence, FakeNotices, FakeStates};
use ledgerline_testkit::fakes::table::Table;
use ledgerline_testkit::faults::{ALL_FAULTS, Fault, Faults};

/// 2026-03-02T14:00:00Z.
pub const START_MS: i64 = 1_772_460_000_000;
pub const MINUTE_MS: i64 = 60_000;
pub const HOUR_MS: i64 = 60 * MINUTE_MS;
pub const DAY_MS: i64 = 24 * HOUR_MS;
pub const LOG: &str = "acme/interaction/1/0";
pub const BRONZE: &str = "bronze-bucket";
const DEPLOYMENT: &str = "test";
/// What segments were locked for before the policy was raised.
const LOCK_DAYS: u64 = 30;
const KEPT_DAYS: u64 = 60;
const LONG_MS: i64 = 600_000;

pub type Ports = Wired<
    FakeControl,
    FakeObjectRows,
    FakeLedgerBucket,
    FakeEvidence,
    FakeIndex,
    FakeIndex,
    FakeBucket,
    FakeStates,
    FakeBronzeList,
    FakeNotices,
    FakeQueue,
    FakeSigner,
>;

pub struct World {
    pub ports: Ports,
    pub settings: Settings,
    pub faults: Faults,
    pub calls: Calls,
    now_ms: AtomicI64,
    start_s: u64,
}

/// What an event of a test is: record, type, second of occurrence.
pub type Event<'a> = (&'a str, &'a str, u64);

impl World {
    pub fn new() -> Self {
        let (faults, calls) = (Faults::none(), Calls::default());
        let table = Table::new(faults.clone(), calls.clone());
        let start_s = START_MS as u64 / 1000;
        let ledger = FakeLedgerBucket::new(faults.clone(), calls.clone(), start_s);
        let evidence = FakeEvidence::over(ledger.clone(), faults.clone(), calls.clone());
        evidence.set_now_ms(START_MS);
        let index = FakeIndex::new(faults.clone(), calls.clone());
        let ports = Wired {
            control: FakeControl::over(table.clone()),
            rows: FakeObjectRows { table },
            ledger,
            evidence,
            index: index.clone(),
            entries: index,
            plans: FakeBucket::new(faults.clone(), calls.clone()),
            states: FakeStates::new(faults.clone(), calls.clone()),
            bronze: FakeBronzeList::over(FakeBucket::new(faults.clone(), calls.clone()), calls.clone()),
            notices: FakeNotices::new(faults.clone(), calls.clone()),
            pointers: FakeQueue::new(faults.clone(), calls.clone()),
            signer: FakeSigner::new(faults.clone(), calls.clone()),
            random: Box::new(|bytes| bytes.fill(9)),
        };
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
        Self { ports, settings, faults, calls, now_ms: AtomicI64::new(START_MS), start_s }
    }

    pub fn now_ms(&self) -> i64 {
        self.now_ms.load(Ordering::SeqCst)
    }

    pub fn pass(&self, ms: i64) {
        let now_ms = self.now_ms.fetch_add(ms, Ordering::SeqCst) + ms;
        self.ports.evidence.set_now_ms(now_ms);
    }

    /// Plans these events of one bronze object and queues them.
    pub async fn events(&self, object: &str, events: &[Event<'_>]) -> ObjectId {
        let pointers = self.plan(object, events);
        self.ports.pointers.send(&pointers).await.unwrap();
        ObjectId::of(BRONZE, object)
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
        self.ports.plans.seed(&pointers[0].plan, plan.bytes);
        pointers
    }

    /// Appends whatever is queued and not committed, as audit-write does, one segment per object; without what follows
    /// the commit if `finish` is false.
    pub async fn append_all(&self, finish: bool) {
        for message in self.ports.pointers.messages() {
            let pointer = Pointer::parse(&message.body).unwrap();
            let log = pointer.log_id().unwrap();
            let id = ChunkId { object: pointer.object.to_string(), ordinal: pointer.ordinal };
            if !self.ports.control.markers(&log, std::slice::from_ref(&id)).await.unwrap().is_empty() {
                continue;
            }
            let head = self.head(&log).await;
            let bytes = self.ports.plans.read_chunk(&pointer).await.unwrap();
            let chunk = Chunk::check(id, &log, pointer.count as usize, bytes.to_vec()).unwrap();
            let plan = plan_append(&log, &head, &[chunk]).unwrap();
            let key = plan.name.key();
            let put = self.ports.ledger.put_segment(&key, &plan.bytes, &plan.sha256, &self.lock_now()).await.unwrap();
            let Put::Written { version_id } = put else { panic!("{key} was there") };
            let commit = plan.commit(version_id, 0);
            self.ports.control.commit(&commit).await.unwrap();
            if finish {
                self.publication(&Memory::default()).finish(&log, &commit.segment, &plan.summary).await.unwrap();
            }
        }
        self.ports.evidence.set_now_ms(self.now_ms());
    }

    /// An object at the log's end that no transaction committed.
    pub async fn orphan(&self, object: &str, events: &[Event<'_>]) {
        let pointers = self.plan(object, events);
        let log = LogId::parse(LOG).unwrap();
        let id = ChunkId { object: pointers[0].object.to_string(), ordinal: 0 };
        let bytes = self.ports.plans.read_chunk(&pointers[0]).await.unwrap();
        let chunk = Chunk::check(id, &log, events.len(), bytes.to_vec()).unwrap();
        let plan = plan_append(&log, &self.head(&log).await, &[chunk]).unwrap();
        self.ports.ledger.put_segment(&plan.name.key(), &plan.bytes, &plan.sha256, &self.lock_now()).await.unwrap();
        self.ports.evidence.set_now_ms(self.now_ms());
    }

    fn publication<'a>(&'a self, memory: &'a Memory) -> Publication<'a, Ports> {
        Publication { ports: &self.ports, settings: &self.settings.publication, memory }
    }

    fn lock_now(&self) -> Lock {
        let until_s = self.now_ms() as u64 / 1000 + LOCK_DAYS * 86_400;
        Lock { mode: LockMode::Governance, retain_until_s: until_s }
    }

    pub async fn head(&self, log: &LogId) -> Head {
        let stored = self.ports.control.head(log).await.unwrap();
        stored.map_or_else(Head::empty, |stored| stored.verify(log).unwrap())
    }

    /// One run of a process that has just started.
    pub async fn run(&self) -> Summary {
        self.run_within(LONG_MS).await
    }

    pub async fn run_within(&self, ms: i64) -> Summary {
        let clock = FixedClock(self.now_ms());
        handle(&self.ports, &self.settings, &Memory::default(), &clock, self.now_ms() + ms).await
    }

    /// One run of which every look at the clock takes so long: its time goes by with its steps.
    pub async fn run_of_slow_steps(&self, ms_per_look: i64) -> Summary {
        let clock = SlowClock { now_ms: AtomicI64::new(self.now_ms()), ms_per_look };
        handle(&self.ports, &self.settings, &Memory::default(), &clock, self.now_ms() + LONG_MS).await
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
        let committed = self.ports.control.all_markers(&LogId::parse(LOG).unwrap());
        let all = self.ports.ledger.segments();
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
        let committed = self.ports.control.all_markers(&LogId::parse(LOG).unwrap());
        let all = self.ports.ledger.segments();
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
        self.ports.ledger.all()[key][0].lock.unwrap()
    }

    pub async fn check(&self) -> Result<Found, Vec<String>> {
        let until_s = self.start_s + LOCK_DAYS * 86_400;
        check_everything(&Stores {
            control: &self.ports.control,
            ledger: &self.ports.ledger,
            index: &self.ports.index,
            staged: &self.ports.plans,
            lock: Lock { mode: LockMode::Governance, retain_until_s: until_s },
            deployment: DEPLOYMENT,
            public_keys: &[self.ports.signer.key()],
        })
        .await
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
