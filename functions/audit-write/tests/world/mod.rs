//! Strict fakes of everything that audit-write touches, plans to append, and messages that point at them.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its part")]

use std::collections::BTreeMap;
use std::sync::Arc;

use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent, SqsMessage};
use ledgerline_audit_write::{AppendConfig, Ports, Stores, handle};
use ledgerline_custody::acts::{ActKind, record_of_log};
use ledgerline_custody::publication::{Memory, Settings};
use ledgerline_lake::ObjectId;
use ledgerline_lake::keys::{PlanOf, plan_of};
use ledgerline_lake::plan::{Counts, PlanWriter, Pointer};
use ledgerline_lambda::clock::FixedClock;
use ledgerline_ledger::entry::{Field, PendingEntry};
use ledgerline_ledger::lock::{Lock, LockMode};
use ledgerline_ledger::log::LogId;
use ledgerline_ledger::retention::{Classes, LockPolicy};
use ledgerline_ledger::verify::KEY_FIELD;
use ledgerline_store::act_note;
use ledgerline_store::ledger::LedgerStores;
use ledgerline_store::signer::Sign;
use ledgerline_testkit::bucket::FakeBucket;
use ledgerline_testkit::calls::Calls;
use ledgerline_testkit::check::{self, Found, check_everything};
use ledgerline_testkit::entries::{pending, sealed};
use ledgerline_testkit::faults::Faults;
use ledgerline_testkit::queue::FakeQueue;
use ledgerline_testkit::signer::FakeSigner;
use ledgerline_testkit::table::FakeTable;

pub mod doubles;

pub const NOW_MS: i64 = 1_772_460_000_000;
pub const DEPLOYMENT: &str = "trial";
pub const LOG: &str = "acme/interaction/1/0";
/// Enough for every retry.
pub const LONG: i64 = 600_000;
/// One attempt and no more: what fails goes back to the queue at once.
pub const ONE_ATTEMPT: i64 = 0;

/// For how long evidence is locked, and that of entities, which have a class of their own.
pub const RETENTION_DAYS: u64 = 30;
pub const ENTITY_DAYS: u64 = 60;
/// Interactions of a plan that is long enough: their postings are more than one batch.
const RECORDS: u64 = 60;

pub fn config() -> AppendConfig {
    let deployment = DEPLOYMENT.to_owned();
    let classes = Classes::parse(&format!("entity={ENTITY_DAYS}"), RETENTION_DAYS).unwrap();
    let publication = Settings { deployment, locks: LockPolicy { mode: LockMode::Governance, classes } };
    AppendConfig { publication, marker_days: 400 }
}

#[derive(Debug)]
pub struct World {
    pub control: FakeTable,
    pub index: FakeTable,
    pub ledger: FakeBucket,
    pub staged: FakeBucket,
    /// Whose keys entries are sealed under; the function never sees it.
    pub keys: FakeTable,
    pub queue: FakeQueue,
    pub signer: FakeSigner,
    /// Over all of them.
    pub stores: Stores,
    /// The ledger's, as other functions and the operator see them.
    pub others: LedgerStores,
    pub calls: Calls,
    /// Of the one process that all runs are in, unless a test says otherwise.
    pub memory: Memory,
}

impl World {
    pub fn new(faults: &Faults) -> Self {
        let calls = Calls::of_function("audit-write");
        let table = |name| FakeTable::new(name, faults.clone(), calls.clone());
        let (control, index) = (table("ControlTable"), table("IndexTable"));
        let keys = FakeTable::new("KeysTable", Faults::none(), Calls::default());
        let ledger = FakeBucket::versioned("LedgerBucket", faults.clone(), calls.clone(), NOW_MS);
        let staged = FakeBucket::new("StagedBucket", faults.clone(), calls.clone(), NOW_MS);
        // It always answers, so that a message which returns and is not released is one whose log was halted.
        let queue = FakeQueue::new("LedgerQueue", Faults::none(), calls.clone());
        let signer = FakeSigner::new("SigningKey", faults.clone(), calls.clone());
        let others = LedgerStores::new(
            &control.seen_by(faults.clone(), Calls::default()).port(),
            &index.seen_by(faults.clone(), Calls::default()).port(),
            &ledger.seen_by(faults.clone(), Calls::default()).port(),
        );
        let stores = Stores::new(Ports {
            control: control.port(),
            index: index.port(),
            ledger: ledger.port(),
            staged: staged.port(),
            queue: queue.port(),
            signer: signer.port(),
        });
        Self { control, index, ledger, staged, keys, queue, signer, stores, others, calls, memory: Memory::default() }
    }

    /// Stages the plan of one bronze object: so many entries of the log, spread over a few interactions.
    pub fn plan(&self, log: &str, object: &str, entries: u64) -> Vec<Pointer> {
        let id = ObjectId::of("bronze", object);
        let log = LogId::parse(log).unwrap();
        let mut writer = PlanWriter::new(id, object, "1");
        for line in 0..entries {
            let entry = sealed(&self.keys, DEPLOYMENT, entry(&log, id, line));
            writer.push(&log, entry.to_line().unwrap().as_str().as_bytes()).unwrap();
        }
        let plan = writer.finish(Counts { input: entries, ..Counts::default() }).unwrap();
        let pointers = plan.header.pointers(plan.header_bytes);
        self.staged.seed(&pointers[0].plan, plan.bytes);
        pointers
    }

    /// Stages the plan of an act that announces a signing key.
    pub fn announcement(&self, log: &str, vkey: &str) -> Vec<Pointer> {
        let id = ObjectId::of_act(&format!("key/{log}/{vkey}"));
        let log = LogId::parse(log).unwrap();
        let act = PendingEntry {
            event_type: ActKind::SigningKeyAdded.name().to_owned(),
            record: record_of_log(&log),
            event_id: id.event_id(PlanOf::Acts, 0),
            fields: [(KEY_FIELD.to_owned(), Field::Text(vkey.to_owned()))].into(),
            ..entry(&log, id, 0)
        };
        let mut writer = PlanWriter::new(id, "act/key", "1");
        writer.push(&log, act.to_line().unwrap().as_str().as_bytes()).unwrap();
        let plan = writer.finish(Counts { input: 1, ..Counts::default() }).unwrap();
        let pointers = plan.header.pointers(plan.header_bytes);
        self.staged.seed(&pointers[0].plan, plan.bytes);
        pointers
    }

    /// Stages the plan of the object at this key, of entries of these types.
    pub fn plan_of_types(&self, key: &str, types: &[&str]) -> Vec<Pointer> {
        self.plan_under(act_note::object_of(key).unwrap_or_else(|| ObjectId::of("bronze", key)), key, types)
    }

    /// The same, under an id that need not be the key's.
    pub fn plan_under(&self, id: ObjectId, key: &str, types: &[&str]) -> Vec<Pointer> {
        let log = LogId::parse(LOG).unwrap();
        let mut writer = PlanWriter::new(id, key, "1");
        for (line, event_type) in (0..).zip(types) {
            let event_id = id.event_id(plan_of(key), line);
            let entry = PendingEntry { event_id, event_type: (*event_type).to_owned(), ..entry(&log, id, line) };
            writer.push(&log, entry.to_line().unwrap().as_str().as_bytes()).unwrap();
        }
        let plan = writer.finish(Counts { input: types.len() as u64, ..Counts::default() }).unwrap();
        let pointers = plan.header.pointers(plan.header_bytes);
        self.staged.seed(&pointers[0].plan, plan.bytes);
        pointers
    }

    pub async fn run(&self, deadline_ms: i64, messages: &[SqsMessage]) -> SqsBatchResponse {
        self.run_at(NOW_MS, deadline_ms, messages).await
    }

    pub async fn run_at(&self, now_ms: i64, deadline_ms: i64, messages: &[SqsMessage]) -> SqsBatchResponse {
        let clock = FixedClock(now_ms);
        handle(&self.stores, &config(), &self.memory, &clock, now_ms + deadline_ms, event(messages)).await
    }

    /// The same stores with another signing key.
    pub fn signing_with(&self, signer: Arc<dyn Sign>) -> Stores {
        Stores { signer, ..self.stores.clone() }
    }

    /// The receipt handles that were given back early.
    pub fn released(&self) -> Vec<String> {
        self.queue.released().into_iter().map(|(handle, _)| handle).collect()
    }

    pub fn check(&self) -> Result<Found, Vec<String>> {
        self.check_by(&[self.signer.key()])
    }

    /// Checks a ledger that was signed by these keys in turn.
    pub fn check_by(&self, public_keys: &[[u8; 32]]) -> Result<Found, Vec<String>> {
        let until = NOW_MS as u64 / 1000 + RETENTION_DAYS * 86_400;
        let stores = check::Stores {
            control: &self.control,
            ledger: &self.ledger,
            index: &self.index,
            staged: &self.staged,
            keys: Some(&self.keys),
            lock: Lock { mode: LockMode::Governance, retain_until_s: until },
            deployment: DEPLOYMENT,
            public_keys,
        };
        check_everything(&stores)
    }

    /// The committed lines of a log's segments, in order.
    pub fn lines(&self, log: &str) -> Vec<String> {
        let folder = ledgerline_ledger::segment::folder(&LogId::parse(log).unwrap());
        let all = self.ledger.segments();
        let segments = all.iter().filter(|(key, _)| key.starts_with(&folder));
        segments
            .flat_map(|(key, versions)| {
                let segment = ledgerline_ledger::segment::Segment::read(key, &versions[0].bytes).unwrap();
                segment.lines().map(str::to_owned).collect::<Vec<_>>()
            })
            .collect()
    }

    /// The kept notes by message id.
    pub fn poison(&self) -> BTreeMap<String, serde_json::Value> {
        let kept = self.staged.under("poison/audit-write/");
        kept.iter()
            .map(|(key, note)| {
                let id = key.trim_start_matches("poison/audit-write/").trim_end_matches(".json");
                (id.to_owned(), serde_json::from_slice(note).unwrap())
            })
            .collect()
    }
}

fn entry(log: &LogId, object: ObjectId, line: u64) -> PendingEntry {
    let object = object.to_string();
    PendingEntry {
        fields: [("media".to_owned(), Field::Text("VOICE".to_owned()))].into(),
        ..pending(log.org(), &format!("c-{}", line % RECORDS), &object, line)
    }
}

pub fn message(pointer: &Pointer) -> SqsMessage {
    raw_message(&pointer.deduplication_id(), &pointer.log, &pointer.to_body().unwrap())
}

pub fn raw_message(id: &str, group: &str, body: &str) -> SqsMessage {
    let mut message = SqsMessage::default();
    message.message_id = Some(id.to_owned());
    message.receipt_handle = Some(format!("handle of {id}"));
    message.attributes.insert("MessageGroupId".to_owned(), group.to_owned());
    message.body = Some(body.to_owned());
    message
}

pub fn messages(pointers: &[Pointer]) -> Vec<SqsMessage> {
    pointers.iter().map(message).collect()
}

pub fn event(messages: &[SqsMessage]) -> SqsEvent {
    let mut event = SqsEvent::default();
    event.records = messages.to_vec();
    event
}

/// The ids that go back to the queue.
pub fn returned(answer: &SqsBatchResponse) -> Vec<&str> {
    answer.batch_item_failures.iter().map(|item| item.item_identifier.as_str()).collect()
}
