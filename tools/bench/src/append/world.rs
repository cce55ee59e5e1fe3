//! audit-write on strict fakes in virtual time: bronze objects are staged, their pointers handed over, and every call counted.

use std::time::Duration;

use aws_lambda_events::sqs::{SqsEvent, SqsMessage};
use ledgerline_audit_write::{AppendConfig, Ports, Stores, handle};
use ledgerline_custody::publication::{Memory, Settings};
use ledgerline_lake::ObjectId;
use ledgerline_lake::plan::{Counts, PlanWriter, Pointer};
use ledgerline_lambda::clock::Clock;
use ledgerline_ledger::lock::LockMode;
use ledgerline_ledger::log::LogId;
use ledgerline_ledger::retention::LockPolicy;
use ledgerline_store::object_row::ObjectRows;
use ledgerline_testkit::bucket::FakeBucket;
use ledgerline_testkit::calls::Calls;
use ledgerline_testkit::faults::Faults;
use ledgerline_testkit::queue::FakeQueue;
use ledgerline_testkit::signer::FakeSigner;
use ledgerline_testkit::table::FakeTable;
use tokio::time::Instant;

use crate::capacity::{Capacity, Metered};
use crate::entries::entry;

/// When virtual time begins, in epoch milliseconds.
const BEGIN_MS: i64 = 1_772_460_000_000;
/// The function's time-out, as in the template.
const TIMEOUT_MS: i64 = 120_000;

/// When what is appended was planned; all objects at once.
const PLANNED_AT: &str = "2026-03-02T14:00:00.000Z";

/// One log and the function that appends to it.
pub(super) struct World {
    pub(super) calls: Calls,
    pub(super) used: Capacity,
    pub(super) log: LogId,
    stores: Stores,
    fakes: Fakes,
    faults: Faults,
    config: AppendConfig,
    memory: Memory,
    clock: VirtualClock,
    objects: u64,
    entries: u64,
}

/// What lies below the stores.
#[cfg_attr(not(test), expect(dead_code, reason = "the test looks at all of them"))]
struct Fakes {
    control: FakeTable,
    index: FakeTable,
    ledger: FakeBucket,
    staged: FakeBucket,
    signer: FakeSigner,
}

impl World {
    /// An empty log, now.
    pub(super) fn new() -> Result<Self, String> {
        let (faults, calls, used) = (Faults::none(), Calls::default(), Capacity::default());
        let control = FakeTable::new("ControlTable", faults.clone(), calls.clone());
        let index = FakeTable::new("IndexTable", faults.clone(), calls.clone());
        let ledger = FakeBucket::versioned("LedgerBucket", faults.clone(), calls.clone(), BEGIN_MS);
        let staged = FakeBucket::new("StagedBucket", faults.clone(), calls.clone(), BEGIN_MS);
        let signer = FakeSigner::new("SigningKey", faults.clone(), calls.clone());
        let publication =
            Settings { deployment: "bench".to_owned(), locks: LockPolicy::uniform(LockMode::Compliance, 30) };
        let ports = Ports {
            control: Metered { fake: control.clone(), used: used.clone() }.port(),
            index: Metered { fake: index.clone(), used: used.clone() }.port(),
            ledger: ledger.port(),
            staged: staged.port(),
            queue: FakeQueue::new("LedgerQueue", faults.clone(), calls.clone()).port(),
            signer: signer.port(),
        };
        Ok(Self {
            log: LogId::parse("acme/interaction/1/0").map_err(|error| error.to_string())?,
            stores: Stores::new(ports),
            fakes: Fakes { control, index, ledger, staged, signer },
            calls,
            used,
            faults,
            config: AppendConfig { publication, marker_days: 400 },
            memory: Memory::default(),
            clock: VirtualClock(Instant::now()),
            objects: 0,
            entries: 0,
        })
    }

    /// Makes every call take so long.
    pub(super) fn set_latency(&self, latency: Duration) {
        self.faults.set_latency(latency);
    }

    /// Appends so many entries of the next bronze object in one invocation. 2,560 are ten chunks: a batch of the queue.
    pub(super) async fn append(&mut self, entries: u64) -> Result<(), String> {
        let event = self.stage(entries).await?;
        let deadline_ms = self.clock.now_ms() + TIMEOUT_MS;
        let answer = handle(&self.stores, &self.config, &self.memory, &self.clock, deadline_ms, event).await;
        let size = self.fakes.control.stored_head(&self.log).map_or(0, |head| head.size);
        if !answer.batch_item_failures.is_empty() || size != self.entries {
            return Err(format!("{size} of {} entries are committed", self.entries));
        }
        Ok(())
    }

    /// Leaves a plan and its object's row as transform does, uncounted.
    async fn stage(&mut self, entries: u64) -> Result<SqsEvent, String> {
        let key = format!("bronze/{}", self.objects);
        let object = ObjectId::of("bench", &key);
        let mut writer = PlanWriter::new(object, key.clone(), "1");
        for line in 0..entries {
            let entry = entry(&self.log, object, line, self.entries + line);
            let line = entry.to_line().map_err(|error| error.to_string())?;
            writer.push(&self.log, line.as_str().as_bytes()).map_err(|error| error.to_string())?;
        }
        let counts = Counts { input: entries, ..Counts::default() };
        let plan = writer.finish(counts).map_err(|error| error.to_string())?;
        let rows = ObjectRows::new(self.fakes.control.seen_by(Faults::none(), Calls::default()).port());
        rows.open(object, &key, PLANNED_AT).await.map_err(|error| error.to_string())?;
        rows.planned(&plan.header, PLANNED_AT).await.map_err(|error| error.to_string())?;
        self.objects += 1;
        self.entries += entries;
        let pointers = plan.header.pointers(plan.header_bytes);
        for pointer in &pointers {
            self.fakes.staged.seed(&pointer.plan, plan.bytes.clone());
        }
        let mut event = SqsEvent::default();
        event.records = pointers.iter().map(message).collect::<Result<_, _>>()?;
        Ok(event)
    }
}

fn message(pointer: &Pointer) -> Result<SqsMessage, String> {
    let mut message = SqsMessage::default();
    message.message_id = Some(pointer.deduplication_id());
    message.attributes.insert("MessageGroupId".to_owned(), pointer.group().to_owned());
    message.body = Some(pointer.to_body().map_err(|error| error.to_string())?);
    Ok(message)
}

/// tokio's time, which jumps ahead whenever everybody waits.
#[derive(Debug, Clone, Copy)]
struct VirtualClock(Instant);

impl Clock for VirtualClock {
    fn now_ms(&self) -> i64 {
        BEGIN_MS + i64::try_from(self.0.elapsed().as_millis()).unwrap_or(i64::MAX - BEGIN_MS)
    }
}

/// Runs in virtual time: waiting costs none.
pub(crate) fn in_virtual_time<T>(work: impl Future<Output = Result<T, String>>) -> Result<T, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.map_err(|error| error.to_string())?.block_on(work)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ledgerline_ledger::lock::Lock;
    use ledgerline_testkit::check::{self, check_everything};

    #[test]
    fn what_is_measured_is_a_ledger_that_holds() {
        let work = async {
            let mut world = World::new()?;
            world.set_latency(Duration::from_millis(50));
            for entries in [1, 300, 2_560] {
                world.append(entries).await?;
            }
            let until = BEGIN_MS.unsigned_abs() / 1_000 + 30 * 86_400;
            let stores = check::Stores {
                control: &world.fakes.control,
                ledger: &world.fakes.ledger,
                index: &world.fakes.index,
                staged: &world.fakes.staged,
                keys: None,
                lock: Lock { mode: LockMode::Compliance, retain_until_s: until },
                deployment: "bench",
                public_keys: &[world.fakes.signer.key()],
            };
            check_everything(&stores).map_err(|found| found.join("\n"))
        };
        let found = in_virtual_time(work).unwrap();
        assert_eq!((found.entries, found.checkpoints), (2_861, 1));
    }
}
