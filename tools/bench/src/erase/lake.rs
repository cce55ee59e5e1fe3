//! A lake in memory that transform and audit-write fill, and one person's erasure in it, as the eraser does it.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use aws_lambda_events::sqs::{SqsEvent, SqsMessage};
use flate2::{Compression, GzBuilder};
use ledgerline_audit_write as audit_write;
use ledgerline_custody::publication::{self, Memory, Publication};
use ledgerline_custody::request::machine::{self, Action, Actor, Rules, Separation};
use ledgerline_custody::subjects::Limits;
use ledgerline_event::catalogue::Switches;
use ledgerline_event::instant;
use ledgerline_lake::ObjectId;
use ledgerline_lake::bronze::{NewEvent, write_event};
use ledgerline_lambda::clock::{Clock, FixedClock};
use ledgerline_lambda::random::OwnedRandom;
use ledgerline_ledger::lock::LockMode;
use ledgerline_ledger::retention::LockPolicy;
use ledgerline_ledger::store::StoreError;
use ledgerline_privacy::{Identifier, KeyRing, Kind, Region};
use ledgerline_rtbf as rtbf;
use ledgerline_store::asked::Asked;
use ledgerline_store::data_key::DataKeys;
use ledgerline_store::erasing::Wakes;
use ledgerline_store::ledger::LedgerStores;
use ledgerline_store::request::{
    Approved, Method, Regime, RequestKind, RequestRow, Requests, State, Who, WhoChange, id_of_random,
};
use ledgerline_testkit::bucket::FakeBucket;
use ledgerline_testkit::calls::Calls;
use ledgerline_testkit::faults::Faults;
use ledgerline_testkit::queue::FakeQueue;
use ledgerline_testkit::signer::FakeSigner;
use ledgerline_testkit::table::FakeTable;
use ledgerline_testkit::wrapping::{FakeWrapping, put_month_keys};
use ledgerline_transform as transform;
use serde_bytes::ByteBuf;
use serde_json::json;
use tokio::time::Instant;

use super::told;
use super::weighed::{Bytes, Weighed};
use crate::capacity::{ByFamily, Capacity, Metered};

/// Events of an object.
pub(super) const EVENTS_PER_OBJECT: u32 = 40;
/// Events of an interaction.
const EVENTS: u32 = 4;
/// Other callers.
const OTHERS: u32 = 3_000;
const DEPLOYMENT: &str = "bench";
const ORG: &str = "bench";
const BUCKET: &str = "bench";
/// 2026-03-02T14:00:00Z, when all of it occurred.
const OCCURRED_MS: i64 = 1_772_460_000_000;
/// A day later, when the request comes.
const START_MS: i64 = OCCURRED_MS + 86_400_000;
/// How long an invocation of the eraser lasts at most.
const SLICE_MS: i64 = 900_000;
/// Rounds of the eraser, each at a wake-up, before it is given up.
const ROUNDS: usize = 2_000;

/// All stores, and the keys that are opened.
pub(super) struct Lake {
    control: FakeTable,
    index: FakeTable,
    keys: FakeTable,
    pub(super) bronze: FakeBucket,
    pub(super) silver: FakeBucket,
    staged: FakeBucket,
    ledger: FakeBucket,
    pointers: FakeQueue,
    erase_queue: FakeQueue,
    wrapping: FakeWrapping,
    signer: FakeSigner,
    transform: transform::config::Settings,
    memory: Memory,
    random: Arc<AtomicU64>,
    committed: AtomicU64,
    taken: AtomicU64,
}

/// What the eraser did.
pub(super) struct Worked {
    pub(super) calls: BTreeMap<&'static str, u64>,
    pub(super) used: ByFamily,
    pub(super) read_bytes: u64,
    pub(super) put_bytes: u64,
    /// Within invocations.
    pub(super) at_work: Duration,
    pub(super) invocations: u64,
}

/// The time of a run: virtual, from a moment on.
struct Virtual(Instant);

impl Clock for Virtual {
    fn now_ms(&self) -> i64 {
        START_MS + i64::try_from(self.0.elapsed().as_millis()).unwrap_or(i64::MAX)
    }
}

impl Lake {
    /// A lake in which the person has so many interactions, each in an object of its own beside those of others.
    pub(super) async fn filled(interactions: u32) -> Result<Self, String> {
        let lake = Self::empty().await?;
        for object in 0..interactions {
            let key = format!("bronze/event_type=interaction/year=2026/month=03/day=02/hour=14/{object:05}.gz");
            let of_others = EVENTS_PER_OBJECT / EVENTS - 1;
            let mut lines = call(&format!("person-{object}"), 0);
            for n in (object * of_others..).take(of_others as usize) {
                lines.extend(call(&format!("other-{n}"), 1 + n % OTHERS));
            }
            lake.bronze.seed(&key, gzip(&lines)?);
            lake.plan(&key).await?;
        }
        lake.commit(START_MS).await?;
        Ok(lake)
    }

    async fn empty() -> Result<Self, String> {
        let table = |name| FakeTable::new(name, Faults::none(), Calls::default());
        let bucket = |name| FakeBucket::new(name, Faults::none(), Calls::default(), START_MS);
        let versioned = |name| FakeBucket::versioned(name, Faults::none(), Calls::default(), START_MS);
        let queue = |name| FakeQueue::new(name, Faults::none(), Calls::default());
        let control = table("ControlTable");
        put_month_keys(&control, DEPLOYMENT, &["2026-03"]);
        let wrapping = FakeWrapping::new("DataKey", Faults::none(), Calls::default());
        let data_keys = DataKeys::new(control.port(), wrapping.port(), DEPLOYMENT);
        let opened = transform::config::open_keys(&data_keys, &FixedClock(START_MS)).await;
        Ok(Self {
            index: table("IndexTable"),
            keys: table("KeysTable"),
            bronze: versioned("BronzeBucket"),
            silver: bucket("LakeBucket"),
            staged: bucket("StagedBucket"),
            ledger: versioned("LedgerBucket"),
            pointers: queue("LedgerQueue"),
            erase_queue: queue("EraseQueue"),
            signer: FakeSigner::new("SigningKey", Faults::none(), Calls::default()),
            transform: transform_config().settings(opened.map_err(|error| error.to_string())?),
            memory: Memory::default(),
            random: Arc::default(),
            committed: AtomicU64::new(0),
            taken: AtomicU64::new(0),
            control,
            wrapping,
        })
    }

    fn random(&self) -> OwnedRandom {
        let random = Arc::clone(&self.random);
        Box::new(move |buffer: &mut [u8]| {
            for chunk in buffer.chunks_mut(8) {
                let next = random.fetch_add(0x9E37_79B9_7F4A_7C15, Ordering::Relaxed);
                let mixed = (next ^ next >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
                chunk.copy_from_slice(&mixed.to_le_bytes()[..chunk.len()]);
            }
        })
    }

    async fn plan(&self, key: &str) -> Result<(), String> {
        let ports = transform::stores::Ports {
            control: self.control.port(),
            index: self.index.port(),
            keys: self.keys.port(),
            bronze: self.bronze.port(),
            lake: self.silver.port(),
            staged: self.staged.port(),
            queue: self.pointers.port(),
            erase_queue: self.erase_queue.port(),
        };
        let stores = transform::stores::Stores::new(ports, self.random());
        let id = ObjectId::of(BUCKET, key);
        match transform::object::transform(&stores, &self.transform, START_MS, id, key).await {
            Ok(transform::object::Outcome::Planned(_)) => Ok(()),
            other => Err(format!("{key}: {other:?}")),
        }
    }

    /// What audit-write and sweep do with what is queued.
    async fn commit(&self, now_ms: i64) -> Result<(), String> {
        let all = self.pointers.messages();
        let from = self.committed.swap(all.len() as u64, Ordering::Relaxed);
        let stores = audit_write::Stores::new(audit_write::Ports {
            control: self.control.port(),
            index: self.index.port(),
            ledger: self.ledger.port(),
            staged: self.staged.port(),
            queue: self.pointers.port(),
            signer: self.signer.port(),
        });
        let publication = publication::Settings {
            deployment: DEPLOYMENT.to_owned(),
            locks: LockPolicy::uniform(LockMode::Governance, 30),
        };
        let config = audit_write::AppendConfig { publication, marker_days: 400 };
        let messages: Vec<SqsMessage> = all
            .iter()
            .skip(from as usize)
            .map(|pointer| {
                let mut sent = message(&pointer.body);
                sent.message_id = Some(pointer.deduplication_id.clone());
                sent.receipt_handle = Some(pointer.deduplication_id.clone());
                sent.attributes.insert("MessageGroupId".to_owned(), pointer.group.clone());
                sent
            })
            .collect();
        for messages in messages.chunks(10) {
            let (clock, event) = (FixedClock(now_ms), batch(messages));
            let answer = audit_write::handle(&stores, &config, &self.memory, &clock, now_ms + 600_000, event).await;
            if !answer.batch_item_failures.is_empty() {
                return Err("a chunk was not committed".to_owned());
            }
        }
        let stores = LedgerStores::new(&self.control.port(), &self.index.port(), &self.ledger.port());
        let signer = self.signer.port();
        let publication =
            Publication { stores: &stores, signer: &*signer, settings: &config.publication, memory: &self.memory };
        for log in stores.heads.logs().await.map_err(told)? {
            publication.catch_up(&log, now_ms.unsigned_abs()).await.map_err(|error| error.to_string())?;
        }
        Ok(())
    }

    fn requests(&self) -> Requests {
        Requests::new(self.control.port(), self.keys.port())
    }

    /// The person's request, made, verified and approved.
    pub(super) async fn approved(&self) -> Result<String, StoreError> {
        let mut random = [0; 16];
        (self.random())(&mut random);
        let id = id_of_random(random);
        let names = names(&self.transform.pseudonyms);
        let key = DataKeys::new(self.control.port(), self.wrapping.port(), DEPLOYMENT).new_request_key().await?;
        let duplicates = vec![format!("same-{id}")];
        let who = Who {
            identifiers: vec![names.clone()],
            pseudonyms: names.clone(),
            wrapped: Some(ByteBuf::from(key)),
            duplicates: duplicates.clone(),
            ..Who::default()
        };
        let row = machine::received(RequestKind::Erasure, Regime::Gdpr, vec![ORG.to_owned()], "u_1", START_MS);
        let pairs: Vec<(&str, &str)> = names.iter().map(|name| (ORG, name.as_str())).collect();
        Asked::new(self.keys.port()).add(&pairs, &id).await?;
        let now = instant::to_rfc3339(START_MS);
        self.requests().create(&id, &row, &who, &[], &now).await?;
        let row = self.step(&id, &row, &Action::Verify(Method::Callback), "u_2").await?;
        let most = u64::from(u32::MAX);
        let approved = Approved { digest: "00".repeat(32), records: most, shared: most, lines: most, entries: most };
        self.step(&id, &row, &Action::Approve(approved), "u_3").await?;
        Ok(id)
    }

    async fn step(&self, id: &str, row: &RequestRow, action: &Action, by: &str) -> Result<RequestRow, StoreError> {
        let actor = Actor { alias: by, is_client: false, is_person: true };
        let rules = Rules { separation: Separation::Creator, cooling_off_ms: 0 };
        let next = machine::next(row, action, actor, rules, START_MS)
            .map_err(|refused| ledgerline_store::table::corrupt(format!("a step is refused: {refused:?}")))?;
        let now = instant::to_rfc3339(START_MS);
        let wake = matches!(action, Action::Approve(_)).then(|| now.clone());
        let change = WhoChange { wake, ..WhoChange::default() };
        let times = (now.as_str(), START_MS / 1_000);
        self.requests().advance(id, (row, &next), change, &[format!("same-{id}")], times).await?;
        Ok(next)
    }

    /// Erases the person; every call of the eraser takes so long.
    pub(super) async fn erase(&self, id: &str, latency: Duration) -> Result<Worked, String> {
        let (faults, calls, used) = (Faults::none(), Calls::default(), Capacity::default());
        faults.set_latency(latency);
        let bytes = Arc::new(Bytes::default());
        let clock = Virtual(Instant::now());
        let (mut at_work, mut invocations) = (Duration::ZERO, 0);
        // One process, as it is as long as messages come: what it knows of keys it reads once.
        let stores = self.eraser(&faults, &calls, &used, &bytes);
        for _ in 0..ROUNDS {
            for body in self.due(&clock).await.map_err(told)? {
                let (began, event) = (Instant::now(), batch(&[message(&body)]));
                let deadline_ms = clock.now_ms() + SLICE_MS;
                let answer = rtbf::handle(&stores, &settings(), &clock, deadline_ms, event).await;
                at_work += began.elapsed();
                invocations += 1;
                if !answer.batch_item_failures.is_empty() {
                    return Err(format!("the eraser did not finish with {body}"));
                }
            }
            let row = self.requests().request(id).await.map_err(told)?;
            if row.is_some_and(|row| row.state == State::Done) {
                let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
                let (read_bytes, put_bytes) = (read(&bytes.read), read(&bytes.put));
                let (calls, used) = (calls.by_name(), used.by_family());
                return Ok(Worked { calls, used, read_bytes, put_bytes, at_work, invocations });
            }
            // A second for audit-write, and the minute of sweep.
            tokio::time::sleep(Duration::from_secs(60)).await;
            for bucket in [&self.bronze, &self.silver, &self.staged, &self.ledger] {
                bucket.set_now_ms(clock.now_ms());
            }
            self.commit(clock.now_ms()).await?;
        }
        Err(format!("the erasure does not end within {ROUNDS} rounds"))
    }

    fn eraser(&self, faults: &Faults, calls: &Calls, used: &Capacity, bytes: &Arc<Bytes>) -> rtbf::Stores {
        let table =
            |fake: &FakeTable| Metered { fake: fake.seen_by(faults.clone(), calls.clone()), used: used.clone() }.port();
        let bucket = |fake: &FakeBucket| -> Arc<dyn ledgerline_store::bucket::Bucket> {
            let bucket = fake.seen_by(faults.clone(), calls.clone()).port();
            Arc::new(Weighed { bucket, bytes: Arc::clone(bytes) })
        };
        let queue = |fake: &FakeQueue| fake.seen_by(faults.clone(), calls.clone()).port();
        let ports = rtbf::Ports {
            control: table(&self.control),
            index: table(&self.index),
            keys: table(&self.keys),
            bronze: bucket(&self.bronze),
            lake: bucket(&self.silver),
            staged: bucket(&self.staged),
            ledger: bucket(&self.ledger),
            erase_queue: queue(&self.erase_queue),
            pointers: queue(&self.pointers),
            wrapping: self.wrapping.seen_by(faults.clone(), calls.clone()).port(),
        };
        rtbf::Stores::new(ports, DEPLOYMENT, self.random())
    }

    /// The messages that wait, and those that sweep would send.
    async fn due(&self, clock: &Virtual) -> Result<Vec<String>, StoreError> {
        let bodies = self.erase_queue.bodies();
        let from = self.taken.swap(bodies.len() as u64, Ordering::Relaxed);
        let mut due: Vec<String> = bodies.into_iter().skip(from as usize).collect();
        if due.is_empty() {
            let now = instant::to_rfc3339(clock.now_ms());
            let woken = Wakes::new(self.control.port()).due(&now, 25).await?;
            due.extend(woken.iter().map(|(_, id)| json!({ "v": 1, "kind": "erase", "request": id }).to_string()));
        }
        Ok(due)
    }
}

/// The mean size of a bucket's objects.
pub(super) fn mean_bytes(bucket: &FakeBucket) -> u64 {
    bucket.look(|objects| {
        let bytes: u64 = objects.values().filter_map(|all| all.last()).map(|one| one.bytes.len() as u64).sum();
        bytes / (objects.len() as u64).max(1)
    })
}

/// The pseudonyms of the person's number.
fn names(ring: &KeyRing) -> Vec<String> {
    let identifier = Identifier::parse(Kind::Phone, &phone(0), Region::US);
    let names = identifier.map(|identifier| ring.pseudonyms(&identifier)).unwrap_or_default();
    names.iter().map(|name| name.as_str().to_owned()).collect()
}

/// A caller's number; 0 is the person.
fn phone(who: u32) -> String {
    format!("+1212{:03}{:04}", 200 + who / 10_000, who % 10_000)
}

/// The lines of one interaction.
fn call(interaction: &str, who: u32) -> Vec<u8> {
    let mut lines = Vec::new();
    for (n, kind) in ["answered", "held", "resumed", "ended"].into_iter().enumerate() {
        let at_ms = OCCURRED_MS + 1_000 * n as i64;
        let at = instant::to_rfc3339(at_ms);
        let mut detail = json!({ "interactionId": interaction, "eventType": kind, "timestamp": at, "mediaType": "VOICE",
            "queueName": "Support", "agentId": "agent-7" });
        // Every other event names the customer.
        if n % 2 == 0 {
            detail["customerPhone"] = json!(phone(who));
        }
        let raw = json!({ "version": "0", "detail-type": "interaction", "time": at, "detail": detail,
            "source": format!("aws.partner/genesys.com/cloud/{ORG}/fixture") });
        let raw = raw.to_string();
        let event = NewEvent {
            org: ORG,
            lineage_token: None,
            received_at_ms: at_ms + 1_000,
            occurred_at_ms: Some(at_ms),
            source: None,
            cut: &[],
            raw: raw.as_bytes(),
            has_line_break: false,
        };
        write_event(&event, &mut lines);
    }
    lines
}

fn gzip(lines: &[u8]) -> Result<Vec<u8>, String> {
    let mut gzip = GzBuilder::new().write(Vec::new(), Compression::fast());
    gzip.write_all(lines).map_err(|error| error.to_string())?;
    gzip.finish().map_err(|error| error.to_string())
}

fn message(body: &str) -> SqsMessage {
    let mut message = SqsMessage::default();
    message.message_id = Some("m".to_owned());
    message.body = Some(body.to_owned());
    message
}

fn batch(messages: &[SqsMessage]) -> SqsEvent {
    let mut event = SqsEvent::default();
    event.records = messages.to_vec();
    event
}

fn settings() -> rtbf::Settings {
    rtbf::Settings {
        deployment: DEPLOYMENT.to_owned(),
        bronze_bucket: BUCKET.to_owned(),
        default_org: ORG.to_owned(),
        regions: Region::US.into(),
        own_numbers: Vec::new(),
        numeric_id_sources: Vec::new(),
        fan_out_cap: 5_000,
        bronze_expire_days: 730,
        drain_ms: 600_000,
        records_per_day: 20_000,
        wait_days: 14,
        pool_days: 0,
        certificate_days: 30,
        kept: rtbf::Kept { quarantine_days: 30, staged_days: 30, keys_pitr_days: 1, claim_days: 400, log_days: 30 },
    }
}

fn transform_config() -> transform::config::Config {
    transform::config::Config {
        deployment_id: DEPLOYMENT.to_owned(),
        default_org: ORG.to_owned(),
        regions: Region::US.into(),
        own_numbers: Vec::new(),
        switches: Switches::default(),
        numeric_id_sources: Vec::new(),
        control_table: String::new(),
        index_table: String::new(),
        keys_table: String::new(),
        bronze_bucket: BUCKET.to_owned(),
        lake_bucket: String::new(),
        staged_bucket: String::new(),
        ledger_queue_url: String::new(),
        erase_queue_url: String::new(),
        data_key_id: String::new(),
        claim_days: 400,
        limits: Limits { cap: 5_000, busy: 1_000_000 },
    }
}
