//! A deployment in strict fakes with interactions of several events each, written by the product's own plan, commit and publication; and the
//! function over it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};

use aws_lambda_events::encodings::Body;
use ledgerline_custody::publication::{Memory, Publication, Settings};
use ledgerline_event::lineage::derived_token;
use ledgerline_figures::ReportZone;
use ledgerline_figures::zone::start_of_utc;
use ledgerline_insight::{Ports, Stores, handle};
use ledgerline_lake::keys::PlanOf;
use ledgerline_lake::plan::{Beside, ChunkRange, Counts, Header};
use ledgerline_lake::silver::{Row, SilverWriter};
use ledgerline_lake::{ObjectId, keys};
use ledgerline_ledger::append::plan_append;
use ledgerline_ledger::checkpoint::origin;
use ledgerline_ledger::chunk::{Chunk, ChunkId};
use ledgerline_ledger::entry::{Field, PendingEntry, Record, Sealed};
use ledgerline_ledger::lock::LockMode;
use ledgerline_ledger::log::LogId;
use ledgerline_ledger::member;
use ledgerline_ledger::retention::LockPolicy;
use ledgerline_ledger::signing::{KeyKind, VerifyingKey, VerifyingKeys};
use ledgerline_store::ledger::LedgerStores;
use ledgerline_store::record::{BronzeRow, Records};
use ledgerline_store::segment::Put;
use ledgerline_store::token::Tokens;
use ledgerline_testkit::bucket::FakeBucket;
use ledgerline_testkit::calls::Calls;
use ledgerline_testkit::entries::{block, pending};
use ledgerline_testkit::faults::Faults;
use ledgerline_testkit::signer::FakeSigner;
use ledgerline_testkit::table::FakeTable;
use serde_json::{Value, json};

use crate::world::{DAY, analyst, captured, names};

/// 2026-03-02T14:00:00Z.
pub(crate) const T0: i64 = 1_772_460_000_000;
/// The token that the source gave the interaction of most tests.
pub(crate) const TOKEN: &str = "lt-98765";
/// Planted: no answer has it.
pub(crate) const PLANTED: &str = "Ada Planted";
const DEPLOYMENT: &str = "trial";
/// The most that a segment takes at once.
const CHUNKS: usize = 10;

pub(crate) struct Deployment {
    pub(crate) control: FakeTable,
    pub(crate) index: FakeTable,
    pub(crate) ledger: FakeBucket,
    pub(crate) bronze: FakeBucket,
    pub(crate) lake: FakeBucket,
    pub(crate) calls: Calls,
    pub(crate) faults: Faults,
    stores: Stores,
    /// What writes the ledger.
    writes: LedgerStores,
    signer: FakeSigner,
    objects: AtomicU64,
    now_ms: AtomicU64,
}

/// An event of a test's interaction.
#[derive(Clone, Copy)]
pub(crate) struct Event {
    pub(crate) kind: &'static str,
    pub(crate) at_ms: i64,
    /// Fields as its entry has them.
    pub(crate) fields: &'static [(&'static str, &'static str)],
    pub(crate) times: &'static [(&'static str, i64)],
}

/// A call that waits, is answered, and ends; then the work after it.
pub(crate) const CALL: [Event; 4] = [
    Event {
        kind: "acd.start",
        at_ms: T0,
        fields: &[("queue_id", "q-1"), ("media", "VOICE"), ("direction", "INBOUND")],
        times: &[],
    },
    Event {
        kind: "acd.end",
        at_ms: T0 + 18_000,
        fields: &[("queue_id", "q-1"), ("media", "VOICE"), ("direction", "INBOUND"), ("acd_outcome", "ANSWERED")],
        times: &[("connected_duration_ms", 18_000)],
    },
    Event {
        kind: "user.end",
        at_ms: T0 + 168_000,
        fields: &[("queue_id", "q-1"), ("media", "VOICE"), ("direction", "INBOUND"), ("session_id", "s-1")],
        times: &[("interacting_duration_ms", 150_000)],
    },
    Event {
        kind: "acw",
        at_ms: T0 + 213_000,
        fields: &[("session_id", "s-1")],
        times: &[("wrapup_duration_ms", 45_000)],
    },
];

impl Deployment {
    pub(crate) fn new() -> Self {
        captured();
        let (quiet, none) = (Faults::none(), Calls::default());
        let table = |name| FakeTable::new(name, quiet.clone(), none.clone());
        let (control, index) = (table("ControlTable"), table("IndexTable"));
        let ledger = FakeBucket::versioned("LedgerBucket", quiet.clone(), none.clone(), T0);
        let bronze = FakeBucket::new("BronzeBucket", quiet.clone(), none.clone(), T0);
        let lake = FakeBucket::new("LakeBucket", quiet.clone(), none.clone(), T0);
        let (calls, faults) = (Calls::of_function("insight"), Faults::none());
        let ports = Ports {
            control: control.seen_by(faults.clone(), calls.clone()).port(),
            index: index.seen_by(faults.clone(), calls.clone()).port(),
            ledger: ledger.seen_by(faults.clone(), calls.clone()).port(),
            bronze: bronze.seen_by(faults.clone(), calls.clone()).port(),
            lake: lake.seen_by(faults.clone(), calls.clone()).port(),
        };
        let writes = LedgerStores::new(&control.port(), &index.port(), &ledger.port());
        control.set_planned_through(Some(T0 + 600_000));
        Self {
            stores: Stores::new(ports, names(), ReportZone::utc()),
            signer: FakeSigner::with_seed("SigningKey", [7; 32], Faults::none(), Calls::default()),
            objects: AtomicU64::new(1),
            now_ms: AtomicU64::new(T0.unsigned_abs()),
            control,
            index,
            ledger,
            bronze,
            lake,
            calls,
            faults,
            writes,
        }
    }

    /// An interaction whose events lie in two objects, all of the way done: `c-<name>` of acme, with the source's token.
    pub(crate) async fn with_call(name: &str) -> Self {
        let world = Self::new();
        world.call(&format!("c-{name}"), Some(TOKEN)).await;
        world
    }

    /// The events of a call, in two objects.
    pub(crate) async fn call(&self, interaction: &str, token: Option<&str>) {
        for half in CALL.chunks(2) {
            let key = self.new_key();
            self.deliver("acme", interaction, token, &key, half).await;
        }
    }

    pub(crate) fn new_key(&self) -> String {
        let number = self.objects.fetch_add(1, Ordering::SeqCst);
        format!("bronze/event_type=interaction/year=2026/month=03/day=02/hour=14/{number:08}.gz")
    }

    /// What transform and audit-write do of an object with these events, one in each line, of which the first line is another's.
    pub(crate) async fn deliver(&self, org: &str, interaction: &str, token: Option<&str>, key: &str, events: &[Event]) {
        let object = ObjectId::of("bucket", key);
        let record = format!("{org}/{interaction}");
        let derived = derived_token(interaction);
        self.pin(org, interaction).await;
        Tokens::new(self.index.port())
            .put(&token.map(|token| (token, record.as_str())).into_iter().collect::<Vec<_>>())
            .await
            .unwrap();
        let lines: Vec<u64> = (1..=events.len() as u64).collect();
        self.note(&record, key, &lines).await;
        let entries: Vec<PendingEntry> = std::iter::once(pending(org, "c-other", &object.to_hex(), 0))
            .chain(
                events
                    .iter()
                    .zip(&lines)
                    .map(|(event, line)| entry(org, interaction, token.unwrap_or(&derived), object, *line, event)),
            )
            .collect();
        self.bronze.seed(key, PLANTED);
        self.silver(object, &entries, |_| false);
        self.plan(object, key, entries.len() as u64).await;
        self.append(org, vec![(object, entries)]).await;
        self.writes.rows.count_committed(&chunk_id(object), 1 + events.len() as u64).await.unwrap();
    }

    /// Pins a record, as transform does: its derived token first.
    pub(crate) async fn pin(&self, org: &str, interaction: &str) {
        let (record, log) = (format!("{org}/{interaction}"), log_of(org));
        Tokens::new(self.index.port()).put(&[(&derived_token(interaction), &record)]).await.unwrap();
        Records::new(self.index.port()).pin(&record, &log).await.unwrap();
    }

    /// Notes that an object holds lines of a record.
    pub(crate) async fn note(&self, record: &str, key: &str, lines: &[u64]) {
        let object = ObjectId::of("bucket", key).to_hex();
        let dates = [keys::iso_date(DAY)];
        let row = BronzeRow { record, object: &object, key, lines: lines.len() as u64, at: lines, dates: &dates };
        Records::new(self.index.port()).note_bronze(&[row], false).await.unwrap();
    }

    async fn plan(&self, object: ObjectId, key: &str, planned: u64) {
        let now = "2026-03-02T14:05:00.000Z";
        self.writes.rows.open(object, key, now).await.unwrap();
        let chunk =
            ChunkRange { log: log_of("acme").to_string(), ordinal: 0, offset: 0, length: 9, count: planned as u32 };
        let header = Header {
            v: 1,
            object,
            key: key.to_owned(),
            policy_version: "1".to_owned(),
            counts: Counts { input: planned, planned, ..Counts::default() },
            chunks: vec![chunk],
            beside: Some(Beside {
                silver: vec![keys::iso_date(DAY)],
                policy_hash: "0f".repeat(32),
                code: "0.1.0".to_owned(),
            }),
        };
        self.writes.rows.planned(&header, now).await.unwrap();
    }

    /// Silver's file of an object; the rows of which `erased` says so are those of an erasure.
    pub(crate) fn silver(&self, object: ObjectId, entries: &[PendingEntry], erased: impl Fn(u64) -> bool) {
        let mut writer = SilverWriter::new(object).unwrap();
        let (extra, masked) = (BTreeMap::new(), ["customer_name"]);
        for entry in entries {
            let Record::Interaction(interaction) = &entry.record else { panic!("an interaction's") };
            let at = ledgerline_event::instant::parse(&entry.occurred_at).unwrap();
            writer
                .push(&Row {
                    org: &entry.org,
                    event_id: &entry.event_id,
                    interaction_id: Some(interaction),
                    entity_type: None,
                    entity_id: None,
                    source: "genesys",
                    topic: "v2",
                    schema_version: "1",
                    event_type: &entry.event_type,
                    activity: "x",
                    lifecycle: None,
                    occurred_at_ms: at,
                    time_from_envelope: false,
                    zone_assumed: false,
                    country_assumed: false,
                    flaws: None,
                    sequence: None,
                    event_rank: 1,
                    ingested_at_ms: None,
                    processed_at_ms: None,
                    customer_ref: Some("r_planted"),
                    crm_tier: None,
                    crm_product: None,
                    crm_owner: Some(PLANTED),
                    outcome_map: None,
                    fields: &[],
                    masked: &masked,
                    policy_version: "1",
                    lineage_token: &entry.lineage_token,
                    lineage_from: "source",
                    lineage_ref: None,
                    lineage_derived: None,
                    erased: erased(entry.source.line),
                    lineage_provenance: &provenance(entry),
                    bronze_line: entry.source.line,
                    extra: &extra,
                })
                .unwrap();
        }
        for file in writer.finish().unwrap() {
            self.lake.seed(&file.key, file.parquet);
        }
    }

    /// Appends chunks of these objects as one segment, publishes and signs.
    pub(crate) async fn append(&self, org: &str, objects: Vec<(ObjectId, Vec<PendingEntry>)>) {
        let log = log_of(org);
        let now_ms = self.now_ms.fetch_add(11_000, Ordering::SeqCst) + 11_000;
        self.ledger.set_now_ms(now_ms as i64);
        let settings =
            Settings { deployment: DEPLOYMENT.to_owned(), locks: LockPolicy::uniform(LockMode::Governance, 30) };
        let memory = Memory::default();
        let publication =
            Publication { stores: &self.writes, signer: &self.signer, settings: &settings, memory: &memory };
        let head = publication.load_finished(&log).await.unwrap();
        let chunks: Vec<Chunk> = objects
            .iter()
            .map(|(object, entries)| {
                let text: String =
                    entries.iter().map(|entry| entry.to_line().unwrap().as_str().to_owned() + "\n").collect();
                Chunk::check(chunk_id(*object), &log, entries.len(), member::pack(text.as_bytes())).unwrap()
            })
            .collect();
        let plan = plan_append(&log, &head, &chunks).unwrap();
        let lock = settings.locks.lock(&log, now_ms);
        let put = self.writes.segments.put(&plan.name.key(), &plan.bytes, &plan.sha256, &lock).await.unwrap();
        let Put::Written { version_id } = put else { panic!("the segment was there") };
        self.writes.heads.commit(&plan.commit(version_id, now_ms / 1000)).await.unwrap();
        publication.catch_up(&log, now_ms).await.unwrap();
    }

    /// So many interactions of one event each, some 256 of them an object.
    pub(crate) async fn neighbours(&self, first: usize, count: usize) {
        let mut objects = Vec::new();
        let ids: Vec<usize> = (first..first + count).collect();
        for some in ids.chunks(256) {
            let object = ObjectId::of("bucket", &self.new_key());
            let hex = object.to_hex();
            let entries =
                some.iter().zip(0..).map(|(id, line)| pending("acme", &format!("n-{id}"), &hex, line)).collect();
            objects.push((object, entries));
            if objects.len() == CHUNKS {
                self.append("acme", std::mem::take(&mut objects)).await;
            }
        }
        if !objects.is_empty() {
            self.append("acme", objects).await;
        }
    }

    /// The keys that proofs are checked by.
    pub(crate) fn keys(&self, org: &str) -> VerifyingKeys {
        let origin = origin(DEPLOYMENT, &log_of(org));
        VerifyingKeys::new([VerifyingKey::new(&origin, KeyKind::Log, &self.signer.key()).unwrap()]).unwrap()
    }

    /// An analyst's question at a path, of the organisations of a token.
    pub(crate) async fn ask(&self, orgs: &str, path: &str, query: &[(&str, &str)]) -> (i64, Value) {
        let single: serde_json::Map<String, Value> =
            query.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
        let event = json!({
            "resource": path, "path": path, "httpMethod": "GET", "headers": {}, "queryStringParameters": single,
            "multiValueQueryStringParameters": null, "body": null, "isBase64Encoded": false,
            "requestContext": { "requestId": "call-1", "authorizer": analyst("lineage:read", orgs) },
        });
        let response = handle(&self.stores, &event.to_string()).await;
        let Some(Body::Text(text)) = &response.body else { panic!("no text body") };
        assert!(!text.contains(PLANTED) && !text.contains("r_planted"), "{text}");
        (response.status_code, serde_json::from_str(text).unwrap())
    }

    /// Where a record is asked for, answered.
    pub(crate) async fn lineage(&self, record: &str, query: &[(&str, &str)]) -> Value {
        let (status, body) = self.ask("*", &format!("/api/v1/lineage/{record}"), query).await;
        assert_eq!(status, 200, "{body}");
        body
    }

    /// What gold put down of the day: one revision, which lists these files.
    pub(crate) fn count(&self, files: &[String]) {
        let listed: Vec<[&str; 2]> = files.iter().map(|key| [key.as_str(), "tag"]).collect();
        let note = json!({
            "v": 1, "date": "2026-03-02", "revision": 1, "utcDate": "2026-03-02", "countedBy": { "2026-03-02": 1 },
            "inputs": { "files": files.len(), "digest": "", "listed": listed },
        });
        self.lake.seed(&keys::gold_run(DAY, 1), note.to_string());
        let summary = crate::world::summary(DAY, ledgerline_figures::summary::Granularity::Daily, Vec::new(), 1);
        self.lake.seed(&keys::gold_summary(DAY, summary.granularity), serde_json::to_vec(&summary).unwrap());
        assert_eq!(start_of_utc(DAY) + 14 * 3_600_000, T0);
    }

    /// Silver's files.
    pub(crate) fn files(&self) -> Vec<String> {
        self.lake.under(keys::SILVER).into_keys().collect::<BTreeSet<String>>().into_iter().collect()
    }
}

/// The log of an organisation's interactions.
pub(crate) fn log_of(org: &str) -> LogId {
    LogId::parse(&format!("{org}/interaction/1/0")).unwrap()
}

fn chunk_id(object: ObjectId) -> ChunkId {
    ChunkId { of: PlanOf::Bronze, object: object.to_hex(), ordinal: 0 }
}

/// The key that seals what an object's events say of the customer: 43 characters of base64url.
pub(crate) fn key_id(object: ObjectId) -> String {
    format!("{:A<43}", object.to_hex())
}

/// An event's entry, with a block for the customer.
pub(crate) fn entry(
    org: &str,
    interaction: &str,
    token: &str,
    object: ObjectId,
    line: u64,
    event: &Event,
) -> PendingEntry {
    let text = |(name, value): &(&str, &str)| ((*name).to_owned(), Field::Text((*value).to_owned()));
    let int = |(name, value): &(&str, i64)| ((*name).to_owned(), Field::Int(*value));
    PendingEntry {
        event_type: event.kind.to_owned(),
        occurred_at: ledgerline_event::instant::to_rfc3339(event.at_ms),
        fields: event.fields.iter().map(text).chain(event.times.iter().map(int)).collect(),
        lineage_token: token.to_owned(),
        sealed: Sealed {
            key_ids: vec![key_id(object)],
            blocks: vec![block(ledgerline_ledger::entry::Party::Customer, 0)],
        },
        ..pending(org, interaction, &object.to_hex(), line)
    }
}

/// What silver has of an event's way.
pub(crate) fn provenance(entry: &PendingEntry) -> String {
    json!({
        "id": entry.lineage_token,
        "metadata": { "version": "1.1", "processedAt": "2026-03-02T14:05:00.000Z", "processorId": "ledgerline/transform", "status": "processed", "masked": ["customer_name"] },
    })
    .to_string()
}
