//! A deployment in memory: what transform and audit-write would have stored, and a dsar function over it whose reads can
//! be made to fail.

use std::any::Any;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use aws_lambda_events::encodings::Body;
use ledgerline_custody::own::parse_list;
use ledgerline_custody::subjects::{Count, Limits, count_links};
use ledgerline_dsar::{Config, Dsar, PATH, Ports, Stores, handle};
use ledgerline_lambda::caller::{Caller, Orgs as Allowed};
use ledgerline_lambda::clock::FixedClock;
use ledgerline_ledger::append::plan_append;
use ledgerline_ledger::chunk::{Chunk, ChunkId};
use ledgerline_ledger::entry::PendingEntry;
use ledgerline_ledger::head::{Head, SegmentRef};
use ledgerline_ledger::lock::{Lock, LockMode};
use ledgerline_ledger::log::LogId;
use ledgerline_ledger::member;
use ledgerline_ledger::origin::PlanOf;
use ledgerline_ledger::posting::{Posting, postings};
use ledgerline_ledger::segment::Segment;
use ledgerline_ledger::store::{Failure, StoreError};
use ledgerline_privacy::{Identifier, KeyRing, Kind, PseudonymKey, RULES, Region};
use ledgerline_store::Family;
use ledgerline_store::bucket::{self, Bucket, Get, Listed, Object, Opened, PutOutcome, VersionMarker, VersionPage};
use ledgerline_store::claim::Unclaimed;
use ledgerline_store::data_key::{DataKeys, Purpose, WrappedKey, WrappedKeys};
use ledgerline_store::head::parse_head_key;
use ledgerline_store::journal::{Journal, Kept, NewJournaled};
use ledgerline_store::ledger::LedgerStores;
use ledgerline_store::orgs::Orgs;
use ledgerline_store::own::{Change, OwnNumbers};
use ledgerline_store::record::Records;
use ledgerline_store::segment::Put;
use ledgerline_store::subject::{Link, LinkWrite, Span, SubjectName, SubjectRef, SubjectWrite, Subjects};
use ledgerline_store::table::{Beside, Key, Query, Returning, Row, Scan, ScanPage, Table, Write};
use ledgerline_store::tombstone::Tombs;
use ledgerline_store::wrapping::{Context, Wrapping as _};
use ledgerline_testkit::bucket::FakeBucket;
use ledgerline_testkit::calls::Calls;
use ledgerline_testkit::entries::pending;
use ledgerline_testkit::faults::Faults;
use ledgerline_testkit::log::{self, LevelFilter, Log, Targets};
use ledgerline_testkit::queue::FakeQueue;
use ledgerline_testkit::table::FakeTable;
use ledgerline_testkit::wrapping::FakeWrapping;
use serde_json::{Value, json};

/// The hour that all tests ask in: 2026-03-02T14:00:00.350Z.
pub(crate) const NOW_MS: i64 = 1_772_460_000_350;
/// How far bronze is planned in all of them: a minute before.
pub(crate) const THROUGH_MS: i64 = NOW_MS - 60_000;
/// Planted: it must never be seen again.
pub(crate) const PHONE: &str = "+15555550142";
/// No subject of these tests comes near them, unless a test says so.
const LIMITS: Limits = Limits { cap: 5_000, busy: 5_000 };
const OBJECT: &str = "0123456789abcdef0123456789abcdef";

/// How far an append has come.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Stage {
    Committed,
    Posted,
    Indexed,
}

/// A kind of store error.
pub(crate) type MakeError = fn(Failure) -> StoreError;

/// A committed segment and its postings.
pub(crate) type Appended = (SegmentRef, Vec<Posting>);

/// What goes wrong with the function's reads, and what they were.
#[derive(Clone, Debug, Default)]
pub(crate) struct Trips(Arc<Mutex<Tripping>>);

#[derive(Debug, Default)]
struct Tripping {
    /// By a part of what is read.
    errors: BTreeMap<String, MakeError>,
    read: Vec<String>,
    /// What somebody else indexes right after a head was read.
    raced: Vec<Appended>,
}

impl Trips {
    pub(crate) fn on(&self, part: &str, error: MakeError) {
        self.0.lock().unwrap().errors.insert(part.to_owned(), error);
    }

    pub(crate) fn clear(&self) {
        self.0.lock().unwrap().errors.clear();
    }

    pub(crate) fn index_after_head(&self, appended: Appended) {
        self.0.lock().unwrap().raced.push(appended);
    }

    /// How often something of this part was read.
    pub(crate) fn reads(&self, part: &str) -> usize {
        self.0.lock().unwrap().read.iter().filter(|read| read.contains(part)).count()
    }

    /// An error names `what` alone, as a real store's does: `read` may say more.
    fn check(&self, what: &str, read: String) -> Result<(), StoreError> {
        let mut tripping = self.0.lock().unwrap();
        let error = tripping.errors.iter().find(|(part, _)| read.contains(part.as_str())).map(|(_, error)| *error);
        tripping.read.push(read);
        error.map_or(Ok(()), |error| Err(error(Failure::new(what))))
    }
}

/// A store that may fail, and of which the function writes no more than that it answered.
#[derive(Clone, Debug)]
struct Tripped<T> {
    store: T,
    trips: Trips,
    ledger: LedgerStores,
}

#[async_trait]
impl Table for Tripped<FakeTable> {
    async fn get(&self, what: &str, key: &Key) -> Result<Option<Row>, StoreError> {
        self.trips.check(what, format!("{what} {}", key.pk))?;
        let row = self.store.get(what, key).await;
        if let Some(log) = parse_head_key(key) {
            let raced = std::mem::take(&mut self.trips.0.lock().unwrap().raced);
            for (segment, postings) in raced {
                self.ledger.postings.put(&postings).await?;
                self.ledger.heads.mark_indexed(&log, &segment).await?;
            }
        }
        row
    }

    async fn batch_get(&self, what: &str, keys: &[Key]) -> Result<Vec<Option<Row>>, StoreError> {
        let partitions: Vec<&str> = keys.iter().map(|key| key.pk.as_str()).collect();
        self.trips.check(what, format!("{what} {}", partitions.join(" ")))?;
        self.store.batch_get(what, keys).await
    }

    async fn query(&self, what: &str, query: &Query) -> Result<Vec<(String, Row)>, StoreError> {
        self.trips.check(what, format!("{what} {}", query.pk))?;
        self.store.query(what, query).await
    }

    async fn write(&self, what: &str, write: Write, returning: Returning) -> Result<Row, StoreError> {
        let family = Family::of_key(&write.key);
        let is_act = matches!(family, Some(Family::ObjectRow | Family::ActNote | Family::Principal));
        assert!(is_act, "an access request does not {what}");
        self.trips.check(what, format!("{what} {}", write.key.pk))?;
        self.store.write(what, write, returning).await
    }

    async fn transact(&self, what: &str, _: Vec<Write>, _: Vec<Beside>) -> Result<(), StoreError> {
        never(what)
    }

    fn as_any(&self) -> &dyn Any {
        self.store.as_any()
    }

    async fn batch_write(&self, what: &str, _: Vec<Write>) -> Result<(), StoreError> {
        never(what)
    }

    async fn scan_page(&self, what: &str, _: &Scan, _: Option<Key>) -> Result<ScanPage, StoreError> {
        never(what)
    }
}

#[async_trait]
impl Bucket for Tripped<FakeBucket> {
    async fn get(&self, what: &str, get: Get) -> Result<Object, StoreError> {
        let part = if get.range.is_some() { "range" } else { "whole" };
        self.trips.check(what, format!("{part} {}", get.key))?;
        Bucket::get(&self.store, what, get).await
    }

    async fn open(&self, what: &str, _: Get) -> Result<Opened, StoreError> {
        never(what)
    }

    async fn put(&self, what: &str, _: bucket::Put) -> Result<PutOutcome, StoreError> {
        never(what)
    }

    async fn head(&self, what: &str, _: &str, _: Option<&str>) -> Result<bucket::Head, StoreError> {
        never(what)
    }

    async fn put_retention(&self, what: &str, _: &str, _: &str, _: &Lock) -> Result<(), StoreError> {
        never(what)
    }

    async fn put_legal_hold(&self, what: &str, _: &str, _: &str, _: bool) -> Result<(), StoreError> {
        never(what)
    }

    async fn put_tag(&self, what: &str, _: &str, _: &str) -> Result<(), StoreError> {
        never(what)
    }

    async fn delete(&self, what: &str, _: &str, _: Option<&str>) -> Result<(), StoreError> {
        never(what)
    }

    async fn list(&self, what: &str, _: &str, _: &str, _: usize) -> Result<Vec<Listed>, StoreError> {
        never(what)
    }

    async fn list_versions(
        &self,
        what: &str,
        _: &str,
        _: Option<VersionMarker>,
        _: usize,
    ) -> Result<VersionPage, StoreError> {
        never(what)
    }
}

fn never(what: &str) -> ! {
    panic!("an access request does not {what}")
}

pub(crate) struct World {
    pub(crate) dsar: Dsar,
    pub(crate) control: FakeTable,
    pub(crate) keys: FakeTable,
    pub(crate) bucket: FakeBucket,
    pub(crate) staged: FakeBucket,
    /// How many random numbers were drawn: each is the next.
    pub(crate) drawn: Arc<AtomicU64>,
    pub(crate) trips: Trips,
    pub(crate) calls: Calls,
    index: FakeTable,
    wrapping: FakeWrapping,
    deployment: String,
    ledger: LedgerStores,
}

impl World {
    /// A deployment that has seen an event: there is a first key.
    pub(crate) async fn new() -> Self {
        let world = Self::empty();
        world.add_key(1).await;
        world
    }

    /// A deployment that has seen nothing but sweep.
    pub(crate) fn empty() -> Self {
        Self::with(config("trial-1"))
    }

    /// The same under another configuration.
    pub(crate) fn with(config: Config) -> Self {
        captured();
        let (calls, trips) = (Calls::of_function("dsar"), Trips::default());
        let table = |name| FakeTable::new(name, Faults::none(), Calls::default());
        let (control, index, keys) = (table("ControlTable"), table("IndexTable"), table("KeysTable"));
        control.set_planned_through(Some(THROUGH_MS));
        let bucket = FakeBucket::versioned("LedgerBucket", Faults::none(), Calls::default(), 0);
        let staged = FakeBucket::new("StagedBucket", Faults::none(), Calls::default(), 0);
        let pointers = FakeQueue::new("LedgerQueue", Faults::none(), Calls::default());
        let wrapping = FakeWrapping::new("DataKey", Faults::none(), Calls::default());
        let ledger = LedgerStores::new(&control.port(), &index.port(), &bucket.port());
        let tripped = |table: &FakeTable| -> Arc<dyn Table> {
            Arc::new(Tripped {
                store: table.seen_by(Faults::none(), calls.clone()),
                trips: trips.clone(),
                ledger: ledger.clone(),
            })
        };
        let ports = Ports {
            control: tripped(&control),
            index: tripped(&index),
            keys: tripped(&keys),
            ledger: Arc::new(Tripped {
                store: bucket.seen_by(Faults::none(), calls.clone()),
                trips: trips.clone(),
                ledger: ledger.clone(),
            }),
            staged: staged.seen_by(Faults::none(), calls.clone()).port(),
            pointers: pointers.seen_by(Faults::none(), calls.clone()).port(),
            wrapping: wrapping.seen_by(Faults::none(), calls.clone()).port(),
        };
        let deployment = config.deployment.clone();
        let drawn = Arc::new(AtomicU64::new(1));
        let next = Arc::clone(&drawn);
        let random = move |bytes: &mut [u8]| {
            let number = next.fetch_add(1, Ordering::SeqCst).to_be_bytes();
            bytes.iter_mut().rev().zip(number.iter().rev()).for_each(|(byte, drawn)| *byte = *drawn);
        };
        let dsar = Dsar::new(Stores::new(ports, &deployment, Box::new(random)), config);
        Self { dsar, control, keys, bucket, staged, drawn, trips, calls, index, wrapping, deployment, ledger }
    }

    /// Adds a version of the pseudonym key, as the first transform, or a rotation, would.
    pub(crate) async fn add_key(&self, version: u32) {
        let purpose = Purpose::Pseudonym;
        let context = Context {
            deployment: self.deployment.clone(),
            purpose: purpose.as_str().to_owned(),
            version: version.to_string(),
        };
        let wrapped = self.wrapping.generate("make a key", &context).await.unwrap();
        let key = WrappedKey { version, rules: RULES, wrapped };
        WrappedKeys::new(self.control.port()).create(purpose, &key, &time("00:00")).await.unwrap();
    }

    /// A version of the pseudonym key, as transform opens it.
    pub(crate) async fn key(&self, version: u32) -> PseudonymKey {
        let keys = DataKeys::new(self.control.port(), self.wrapping.port(), &self.deployment);
        let keys = keys.pseudonym_keys().await.unwrap();
        keys.into_iter().find(|key| key.version() == version).unwrap()
    }

    /// How often the function opened its keys.
    pub(crate) fn keys_opened(&self) -> usize {
        self.trips.reads("wrapped")
    }

    /// Changes the org's list of own numbers; a new row stands under the first version of the key.
    pub(crate) async fn change_own(&self, org: &str, item: &str, change: Change) {
        let ring = KeyRing::new([self.key(1).await]);
        for item in parse_list(item, Region::US).unwrap() {
            let name = item.names(ring.as_ref()).remove(0);
            OwnNumbers::new(self.control.port()).change(org, &name, change, &time("09:00")).await.unwrap();
        }
    }

    /// Links the identifier's subject, a new one if need be, to a record of the interaction log.
    pub(crate) async fn link(&self, identifier: &Identifier, record: &str, first: &str, last: &str) -> String {
        self.link_at(identifier, record, &time(first), &time(last)).await
    }

    /// The same with whole times.
    pub(crate) async fn link_at(&self, identifier: &Identifier, record: &str, first: &str, last: &str) -> String {
        let log = log_of(record.split_once('/').unwrap().0).as_str().to_owned();
        let span = Span { log, first: first.to_owned(), last: last.to_owned() };
        self.write_link(identifier, record, Link { span: Some(span) }).await
    }

    /// The same by filtered lines alone: they pin nothing and have no span.
    pub(crate) async fn link_filtered(&self, identifier: &Identifier, record: &str) -> String {
        self.write_link(identifier, record, Link { span: None }).await
    }

    /// Pins a record to the interaction log, as transform does before it plans an entry of it.
    pub(crate) async fn pin(&self, record: &str) {
        Records::new(self.index.port()).pin(record, &log()).await.unwrap();
    }

    /// The journal, as capture, transform and sweep write it.
    pub(crate) fn journals(&self) -> Journal {
        Journal::new(self.index.port())
    }

    /// Journals an event of a subject that is linked to the record, as capture would have done a minute ago.
    pub(crate) async fn journal(&self, record: &str, n: u8, subject: &str, occurred: &str) {
        let (subjects, tombs) = (Subjects::new(self.keys.port()), Tombs::new(self.control.port()));
        let (claim_id, occurred_at) = (claim_id(n), time(occurred));
        let new = NewJournaled {
            record,
            claim: Unclaimed { record, occurred_at_ms: NOW_MS, named_by_source: false, event: &claim_id },
            line: &json!({ "n": n, "type": "consent" }).to_string(),
            occurred_at: &occurred_at,
            received_at_ms: NOW_MS - 60_000,
            client: "flows",
            policy: "p",
            subjects: &[subject],
        };
        let seen = self.keys.party(record).seen();
        let kept = self.journals().keep(&new, seen, &subjects, tombs.unchanged([])).await.unwrap();
        assert_eq!(kept, Kept::Now);
    }

    async fn write_link(&self, identifier: &Identifier, record: &str, link: Link) -> String {
        let (pseudonym, subjects) = (self.key(1).await.pseudonym(identifier), Subjects::new(self.keys.port()));
        let party = self.keys.party(record).seen();
        let links = vec![LinkWrite { record: record.to_owned(), link, replaces: None, party }];
        let org = record.split_once('/').unwrap().0.to_owned();
        Orgs::new(self.control.port()).note(&org).await.unwrap();
        let known = subjects.identifiers(&[(&org, pseudonym.as_str())]).await.unwrap().remove(0);
        let (write, subject_id) = match &known {
            Some(subject) => {
                let (subject_id, generation) = (subject.subject_id.as_str(), 1);
                let state = self.keys.state(subject_id).unwrap();
                let Count { links_at_most, growth, .. } = count_links(&state, LIMITS, &time("00:00"), 1);
                let write = SubjectWrite::Link { subject_id, generation, links_at_most, growth, links };
                (write, subject.subject_id.clone())
            }
            None => {
                let mut random = [7; 32];
                random[..16].copy_from_slice(&pseudonym.as_str().as_bytes()[3..19]);
                // A subject is of one org.
                random[15] = random[15].wrapping_add(org.bytes().fold(0, u8::wrapping_add));
                let subject = SubjectRef::from_random(random);
                let id = subject.subject_id.clone();
                let (kind, pseudonym) = (identifier.kind(), pseudonym.as_str().to_owned());
                let (name, created_at) = (SubjectName { org, kind, pseudonym }, time("00:00"));
                let tombs = Tombs::new(self.control.port()).unchanged([]);
                let replaces = None;
                (SubjectWrite::Create { name, replaces, subject, created_at, fills: false, links, tombs }, id)
            }
        };
        subjects.write(write).await.unwrap();
        subject_id
    }

    /// Appends entries of one org as one segment of several chunks of at most `chunk` lines.
    pub(crate) async fn append(&self, entries: &[PendingEntry], chunk: usize, stage: Stage) -> Appended {
        let (LedgerStores { heads, postings: index, segments, .. }, log) = (&self.ledger, log_of(&entries[0].org));
        let head = heads.head(&log).await.unwrap();
        let head = head.map_or_else(Head::empty, |head| head.verify(&log).unwrap());
        let chunks: Vec<Chunk> = (0..)
            .zip(entries.chunks(chunk))
            .map(|(ordinal, entries)| {
                let text: String =
                    entries.iter().map(|entry| entry.to_line().unwrap().as_str().to_owned() + "\n").collect();
                let ordinal = ordinal + 1_000 * u32::try_from(head.size()).unwrap();
                let id = ChunkId { of: PlanOf::Bronze, object: OBJECT.to_owned(), ordinal };
                Chunk::check(id, &log, entries.len(), member::pack(text.as_bytes())).unwrap()
            })
            .collect();
        let plan = plan_append(&log, &head, &chunks).unwrap();
        let key = plan.name.key();
        let lock = Lock { mode: LockMode::Governance, retain_until_s: 1 };
        let Put::Written { version_id } = segments.put(&key, &plan.bytes, &plan.sha256, &lock).await.unwrap() else {
            panic!("the segment exists");
        };
        let commit = plan.commit(version_id.clone(), u64::MAX >> 20);
        heads.commit(&commit).await.unwrap();
        let postings = postings(&Segment::read(&key, &plan.bytes).unwrap(), &version_id).unwrap();
        if stage != Stage::Committed {
            index.put(&postings).await.unwrap();
        }
        if stage == Stage::Indexed {
            heads.mark_indexed(&log, &commit.segment).await.unwrap();
        }
        (commit.segment, postings)
    }

    pub(crate) async fn ask(&self, body: Value) -> (i64, Value) {
        self.ask_at(NOW_MS, body).await
    }

    pub(crate) async fn ask_at(&self, now_ms: i64, body: Value) -> (i64, Value) {
        self.ask_as(&caller(SUBJECT, Allowed::All), now_ms, body).await
    }

    /// The same by somebody else.
    pub(crate) async fn ask_as(&self, caller: &Caller, now_ms: i64, body: Value) -> (i64, Value) {
        let mut request = request(&body.to_string());
        request["requestContext"]["authorizer"] = json!(caller.context());
        let response = handle(&self.dsar, &FixedClock(now_ms), &request.to_string()).await;
        assert_eq!(response.headers["cache-control"], "no-store");
        assert_eq!(response.headers.contains_key("retry-after"), response.status_code == 503);
        assert!(serde_json::to_vec(&response).unwrap().len() < 6 * 1024 * 1024);
        let Some(Body::Text(text)) = &response.body else { panic!("no text body") };
        (response.status_code, serde_json::from_str(text).unwrap())
    }

    /// All pages of a question.
    pub(crate) async fn all(&self, mut body: Value) -> Vec<Value> {
        let mut pages = Vec::new();
        loop {
            let (status, page) = self.ask(body.clone()).await;
            assert_eq!(status, 200, "{page}");
            body["pageToken"] = page["nextPageToken"].clone();
            pages.push(page);
            assert!(pages.len() < 500, "no progress");
            if body["pageToken"].is_null() {
                return pages;
            }
        }
    }
}

pub(crate) fn config(deployment: &str) -> Config {
    let name = || "x".to_owned();
    Config {
        deployment: deployment.to_owned(),
        control_table: name(),
        index_table: name(),
        keys_table: name(),
        ledger_bucket: name(),
        staged_bucket: name(),
        ledger_queue_url: name(),
        data_key_id: name(),
        region: Region::US,
        own_numbers: Vec::new(),
        fan_out_cap: LIMITS.cap,
    }
}

pub(crate) fn log() -> LogId {
    log_of("acme")
}

fn log_of(org: &str) -> LogId {
    LogId::first_of(org, "interaction").unwrap()
}

pub(crate) fn phone(raw: &str) -> Identifier {
    Identifier::parse(Kind::Phone, raw, Region::US).unwrap()
}

pub(crate) fn by_phone() -> Value {
    json!({ "identifiers": [{ "kind": "phone", "value": PHONE }] })
}

/// The claim id of a journaled event.
pub(crate) fn claim_id(n: u8) -> String {
    format!("{n:032x}")
}

/// `HH:MM` of the second of March.
pub(crate) fn time(clock: &str) -> String {
    format!("2026-03-02T{clock}:00.000Z")
}

pub(crate) fn entry(interaction: &str, clock: &str, event_type: &str, n: u64) -> PendingEntry {
    PendingEntry {
        event_type: event_type.to_owned(),
        activity: "Activity".to_owned(),
        occurred_at: time(clock),
        masked: vec!["ani".to_owned()],
        ..pending("acme", interaction, OBJECT, n)
    }
}

pub(crate) fn request(body: &str) -> Value {
    json!({
        "resource": PATH, "path": PATH, "httpMethod": "POST",
        "headers": { "Content-Type": "application/json; charset=utf-8" },
        "requestContext": { "requestId": "req-1", "httpMethod": "POST", "authorizer": authorizer() },
        "body": body, "isBase64Encoded": false,
    })
}

/// Who asks, unless a test says so.
const SUBJECT: &str = "u-4711";

pub(crate) fn caller(subject: &str, orgs: Allowed) -> Caller {
    let (issuer, scopes) = ("https://id.example".to_owned(), ["dsar:read".to_owned()].into());
    Caller { issuer, subject: subject.to_owned(), orgs, scopes, is_client: false, is_person: false }
}

/// What API Gateway hands on of the authorizer's answer.
pub(crate) fn authorizer() -> Value {
    json!(caller(SUBJECT, Allowed::All).context())
}

/// `(interaction id, entries' lines in their object)` of a page.
pub(crate) fn given(page: &Value) -> Vec<(String, Vec<u64>)> {
    let number = |entry: &Value| entry["entry"]["source"]["line"].as_u64().unwrap();
    let interactions = page["interactions"].as_array().unwrap().iter();
    interactions
        .map(|one| {
            let entries = one["entries"].as_array().unwrap().iter().map(number).collect();
            (one["interactionId"].as_str().unwrap().to_owned(), entries)
        })
        .collect()
}

/// The log of all tests of this binary.
pub(crate) fn captured() -> &'static Log {
    log::captured(Targets::new().with_default(LevelFilter::TRACE))
}
