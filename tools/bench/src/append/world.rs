//! audit-write on strict fakes in virtual time: bronze objects are staged, their pointers handed over, and every call counted.

use std::time::Duration;

use aws_lambda_events::sqs::{SqsEvent, SqsMessage};
use ledgerline_audit_write::{AppendConfig, Wired, handle};
use ledgerline_custody::publication::{Memory, Settings};
use ledgerline_lake::ObjectId;
use ledgerline_lake::plan::{Counts, PlanWriter, Pointer};
use ledgerline_lambda::clock::Clock;
use ledgerline_ledger::log::LogId;
use ledgerline_ledger::ports::{LockMode, ReleaseMessages};
use ledgerline_ledger::retention::LockPolicy;
use ledgerline_ledger::store::{Failure, StoreError};
use ledgerline_testkit::calls::Calls;
use ledgerline_testkit::fakes::control::FakeControl;
use ledgerline_testkit::fakes::index::FakeIndex;
use ledgerline_testkit::fakes::ledger::FakeLedgerBucket;
use ledgerline_testkit::fakes::objects::FakeBucket;
use ledgerline_testkit::fakes::signer::FakeSigner;
use ledgerline_testkit::faults::Faults;
use tokio::time::Instant;

use super::capacity::{Capacity, Metered};
use crate::entries::entry;

/// When virtual time begins, in epoch milliseconds.
const BEGIN_MS: i64 = 1_772_460_000_000;
/// The function's time-out, as in the template.
const TIMEOUT_MS: i64 = 120_000;

type Ports =
    Wired<Metered<FakeControl>, FakeLedgerBucket, Metered<FakeIndex>, FakeSigner, FakeBucket, FakeBucket, NoWayBack>;

/// One log and the function that appends to it.
pub(super) struct World {
    pub(super) ports: Ports,
    pub(super) calls: Calls,
    pub(super) used: Capacity,
    pub(super) log: LogId,
    staged: FakeBucket,
    faults: Faults,
    config: AppendConfig,
    memory: Memory,
    clock: VirtualClock,
    objects: u64,
    entries: u64,
}

impl World {
    /// An empty log, now.
    pub(super) fn new() -> Result<Self, String> {
        let (faults, calls, used) = (Faults::none(), Calls::default(), Capacity::default());
        let staged = FakeBucket::new(faults.clone(), calls.clone());
        let control = FakeControl::new(faults.clone(), calls.clone());
        let index = FakeIndex::new(faults.clone(), calls.clone());
        let publication =
            Settings { deployment: "bench".to_owned(), locks: LockPolicy::uniform(LockMode::Compliance, 30) };
        Ok(Self {
            ports: Wired {
                control: Metered { fake: control, used: used.clone() },
                ledger: FakeLedgerBucket::new(faults.clone(), calls.clone(), BEGIN_MS.unsigned_abs() / 1_000),
                index: Metered { fake: index, used: used.clone() },
                signer: FakeSigner::new(faults.clone(), calls.clone()),
                plans: staged.clone(),
                poison: staged.clone(),
                queue: NoWayBack,
            },
            log: LogId::parse("acme/interaction/1/0").map_err(|error| error.to_string())?,
            calls,
            used,
            staged,
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
        let event = self.stage(entries)?;
        let deadline_ms = self.clock.now_ms() + TIMEOUT_MS;
        let answer = handle(&self.ports, &self.config, &self.memory, &self.clock, deadline_ms, event).await;
        let size = self.ports.control.fake.stored_head(&self.log).map_or(0, |head| head.size);
        if !answer.batch_item_failures.is_empty() || size != self.entries {
            return Err(format!("{size} of {} entries are committed", self.entries));
        }
        Ok(())
    }

    fn stage(&mut self, entries: u64) -> Result<SqsEvent, String> {
        let key = format!("bronze/{}", self.objects);
        let object = ObjectId::of("bench", &key);
        let mut writer = PlanWriter::new(object, key, "1");
        for line in 0..entries {
            let entry = entry(&self.log, object, line, self.entries + line);
            let line = entry.to_line().map_err(|error| error.to_string())?;
            writer.push(&self.log, line.as_str().as_bytes()).map_err(|error| error.to_string())?;
        }
        let counts = Counts { input: entries, ..Counts::default() };
        let plan = writer.finish(counts).map_err(|error| error.to_string())?;
        self.objects += 1;
        self.entries += entries;
        let pointers = plan.header.pointers(plan.header_bytes);
        for pointer in &pointers {
            self.staged.seed(&pointer.plan, plan.bytes.clone());
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

/// A queue that nothing returns to: nothing fails here.
#[derive(Debug, Clone, Copy)]
pub(super) struct NoWayBack;

impl ReleaseMessages for NoWayBack {
    async fn release(&self, receipt_handles: &[String], _after_s: u32) -> Result<(), StoreError> {
        Err(StoreError::Unknown(Failure::new(format!("{} messages came back", receipt_handles.len()))))
    }
}

/// Runs in virtual time: waiting costs none.
pub(super) fn in_virtual_time<T>(work: impl Future<Output = Result<T, String>>) -> Result<T, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.map_err(|error| error.to_string())?.block_on(work)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ledgerline_ledger::ports::Lock;
    use ledgerline_testkit::check::{Stores, check_everything};

    #[test]
    fn what_is_measured_is_a_ledger_that_holds() {
        let work = async {
            let mut world = World::new()?;
            world.set_latency(Duration::from_millis(50));
            for entries in [1, 300, 2_560] {
                world.append(entries).await?;
            }
            let until = BEGIN_MS.unsigned_abs() / 1_000 + 30 * 86_400;
            let stores = Stores {
                control: &world.ports.control.fake,
                ledger: &world.ports.ledger,
                index: &world.ports.index.fake,
                staged: &world.staged,
                lock: Lock { mode: LockMode::Compliance, retain_until_s: until },
                deployment: "bench",
                public_keys: &[world.ports.signer.key()],
            };
            check_everything(&stores).await.map_err(|found| found.join("\n"))
        };
        let found = in_virtual_time(work).unwrap();
        assert_eq!((found.entries, found.checkpoints), (2_861, 1));
    }
}
