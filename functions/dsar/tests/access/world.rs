//! A deployment in memory: what transform and audit-write would have stored, and a dsar function over it whose reads can
//! be made to fail.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::{Arc, Mutex, OnceLock};

use aws_lambda_events::encodings::Body;
use ledgerline_custody::access::{FindSubjects, ReadLinks, ReadPins, ReadPostings};
use ledgerline_custody::claims::PinLogs as _;
use ledgerline_custody::own::{Change, ChangeOwn as _, OwnLists, OwnRow, ReadOwn, parse_list};
use ledgerline_custody::planned::ReadPlanned;
use ledgerline_custody::subjects::{
    Count, Limits, Link, LinkWrite, Span, SubjectRef, SubjectState, SubjectWrite, Subjects as _, count_links,
};
use ledgerline_dsar::{Config, Dsar, PATH, Stores, handle};
use ledgerline_lambda::clock::FixedClock;
use ledgerline_ledger::append::plan_append;
use ledgerline_ledger::chunk::{Chunk, ChunkId};
use ledgerline_ledger::entry::PendingEntry;
use ledgerline_ledger::head::{Head, SegmentRef, StoredHead};
use ledgerline_ledger::log::LogId;
use ledgerline_ledger::member;
use ledgerline_ledger::ports::{
    CommitAppend as _, FinishSegments as _, ListLogs, Lock, LockMode, Put, ReadHead, ReadSegment, WritePostings as _,
    WriteSegment as _,
};
use ledgerline_ledger::posting::{Posting, postings};
use ledgerline_ledger::segment::Segment;
use ledgerline_ledger::store::{Failure, StoreError};
use ledgerline_privacy::{Identifier, KeyRing, Kind, PseudonymKey, Region};
use ledgerline_testkit::calls::Calls;
use ledgerline_testkit::entries::pending;
use ledgerline_testkit::fakes::control::FakeControl;
use ledgerline_testkit::fakes::index::FakeIndex;
use ledgerline_testkit::fakes::keys::FakeKeys;
use ledgerline_testkit::fakes::ledger::FakeLedgerBucket;
use ledgerline_testkit::fakes::own::FakeOwn;
use ledgerline_testkit::fakes::reads::FakePseudonymKeys;
use ledgerline_testkit::faults::Faults;
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

/// Errors by a part of what is read, in each port.
#[derive(Clone, Default)]
pub(crate) struct Trips(Arc<Mutex<BTreeMap<String, MakeError>>>);

/// A kind of store error.
pub(crate) type MakeError = fn(Failure) -> StoreError;

impl Trips {
    pub(crate) fn on(&self, part: &str, error: MakeError) {
        self.0.lock().unwrap().insert(part.to_owned(), error);
    }

    pub(crate) fn clear(&self) {
        self.0.lock().unwrap().clear();
    }

    fn check(&self, what: &str) -> Result<(), StoreError> {
        let trips = self.0.lock().unwrap();
        trips
            .iter()
            .find(|(part, _)| what.contains(part.as_str()))
            .map_or(Ok(()), |(_, error)| Err(error(Failure::new(what))))
    }
}

/// A port over a fake, with trips.
#[derive(Clone)]
pub(crate) struct Tripped<T>(pub(crate) T, pub(crate) Trips);

impl FindSubjects for Tripped<FakeKeys> {
    async fn subjects_of(&self, pseudonyms: &[&str]) -> Result<Vec<Option<String>>, StoreError> {
        self.1.check("identifiers")?;
        self.0.subjects_of(pseudonyms).await
    }

    async fn states(&self, subjects: &[&str]) -> Result<Vec<Option<SubjectState>>, StoreError> {
        self.1.check("states")?;
        self.0.states(subjects).await
    }
}

impl ReadLinks for Tripped<FakeKeys> {
    async fn links(&self, subject: &str) -> Result<Vec<(String, Link)>, StoreError> {
        self.1.check("links")?;
        self.0.links(subject).await
    }
}

impl ReadPostings for Tripped<FakeIndex> {
    async fn postings(&self, record: &str) -> Result<Vec<Posting>, StoreError> {
        self.1.check(&format!("postings {record}"))?;
        self.0.postings(record).await
    }
}

impl ReadPins for Tripped<FakeIndex> {
    async fn pins(&self, records: &[&str]) -> Result<Vec<Option<LogId>>, StoreError> {
        self.1.check("pins")?;
        self.0.pins(records).await
    }
}

impl ReadOwn for Tripped<FakeOwn> {
    async fn own(&self, org: &str) -> Result<Vec<OwnRow>, StoreError> {
        self.1.check("own numbers")?;
        self.0.own(org).await
    }
}

impl ReadSegment for Tripped<FakeLedgerBucket> {
    async fn segment(&self, key: &str, version_id: &str) -> Result<Vec<u8>, StoreError> {
        self.1.check(&format!("whole {key}"))?;
        self.0.segment(key, version_id).await
    }

    async fn segment_range(&self, key: &str, version: &str, offset: u64, length: u64) -> Result<Vec<u8>, StoreError> {
        self.1.check(&format!("range {key}"))?;
        self.0.segment_range(key, version, offset, length).await
    }
}

/// A committed segment and its postings.
pub(crate) type Appended = (SegmentRef, Vec<Posting>);

/// Heads; right after one was read, what was being appended may be indexed by somebody else.
#[derive(Clone)]
pub(crate) struct Heads {
    control: FakeControl,
    trips: Trips,
    pub(crate) index_after_read: Arc<Mutex<Vec<Appended>>>,
    index: FakeIndex,
}

impl ReadHead for Heads {
    async fn head(&self, log: &LogId) -> Result<Option<StoredHead>, StoreError> {
        self.trips.check("head")?;
        let head = self.control.head(log).await?;
        let raced = std::mem::take(&mut *self.index_after_read.lock().unwrap());
        for (segment, postings) in raced {
            self.index.put_postings(&postings).await?;
            self.control.mark_indexed(log, &segment).await?;
        }
        Ok(head)
    }
}

impl ReadPlanned for Heads {
    async fn planned_through(&self) -> Result<Option<i64>, StoreError> {
        self.trips.check("planned")?;
        self.control.planned_through().await
    }
}

impl ListLogs for Heads {
    async fn logs(&self) -> Result<Vec<LogId>, StoreError> {
        self.trips.check("logs")?;
        ListLogs::logs(&self.control).await
    }
}

type Ports = Stores<
    FakePseudonymKeys,
    Tripped<FakeKeys>,
    Tripped<FakeIndex>,
    Heads,
    Tripped<FakeOwn>,
    Tripped<FakeLedgerBucket>,
>;

pub(crate) struct World {
    pub(crate) dsar: Dsar<Ports>,
    pub(crate) control: FakeControl,
    pub(crate) index: FakeIndex,
    pub(crate) subjects: FakeKeys,
    pub(crate) bucket: FakeLedgerBucket,
    pub(crate) keys: FakePseudonymKeys,
    pub(crate) heads: Heads,
    pub(crate) own: FakeOwn,
    pub(crate) trips: Trips,
    pub(crate) calls: Calls,
}

impl World {
    /// A deployment that has seen an event: there is a first key.
    pub(crate) fn new() -> Self {
        let world = Self::empty();
        world.keys.add(key(1));
        world
    }

    /// A deployment that has seen nothing but sweep.
    pub(crate) fn empty() -> Self {
        Self::with(config("trial-1"))
    }

    /// The same under another configuration.
    pub(crate) fn with(config: Config) -> Self {
        captured();
        let calls = Calls::default();
        let control = FakeControl::new(Faults::none(), calls.clone());
        control.set_planned_through(Some(THROUGH_MS));
        let index = FakeIndex::new(Faults::none(), calls.clone());
        let subjects = FakeKeys::new(Faults::none(), calls.clone());
        let bucket = FakeLedgerBucket::new(Faults::none(), calls.clone(), 0);
        let own = FakeOwn::new(Faults::none(), calls.clone());
        let (keys, trips) = (FakePseudonymKeys::default(), Trips::default());
        let heads = Heads {
            control: control.clone(),
            trips: trips.clone(),
            index_after_read: Arc::default(),
            index: index.clone(),
        };
        let stores = Stores {
            keys: keys.clone(),
            subjects: Tripped(subjects.clone(), trips.clone()),
            postings: Tripped(index.clone(), trips.clone()),
            heads: heads.clone(),
            own: OwnLists::new(Tripped(own.clone(), trips.clone())),
            ledger: Tripped(bucket.clone(), trips.clone()),
        };
        let dsar = Dsar::new(stores, config);
        Self { dsar, control, index, subjects, bucket, keys, heads, own, trips, calls }
    }

    /// Changes the org's list of own numbers; a new row stands under the first version of the key.
    pub(crate) async fn change_own(&self, org: &str, item: &str, change: Change) {
        for item in parse_list(item, Region::US).unwrap() {
            let name = item.names(KeyRing::new([key(1)]).as_ref()).remove(0);
            self.own.change(org, &name, change, &time("09:00")).await.unwrap();
        }
    }

    /// Links the identifier's subject, a new one if need be, to a record of the interaction log.
    pub(crate) async fn link(&self, identifier: &Identifier, record: &str, first: &str, last: &str) -> String {
        self.link_at(identifier, record, &time(first), &time(last)).await
    }

    /// The same with whole times.
    pub(crate) async fn link_at(&self, identifier: &Identifier, record: &str, first: &str, last: &str) -> String {
        let span = Span { log: log().as_str().to_owned(), first: first.to_owned(), last: last.to_owned() };
        self.write_link(identifier, record, Link { span: Some(span) }).await
    }

    /// The same by filtered lines alone: they pin nothing and have no span.
    pub(crate) async fn link_filtered(&self, identifier: &Identifier, record: &str) -> String {
        self.write_link(identifier, record, Link { span: None }).await
    }

    /// Pins a record to the interaction log, as transform does before it plans an entry of it.
    pub(crate) async fn pin(&self, record: &str) {
        self.index.pin(record, log().as_str()).await.unwrap();
    }

    async fn write_link(&self, identifier: &Identifier, record: &str, link: Link) -> String {
        let pseudonym = key(1).pseudonym(identifier);
        let links = vec![LinkWrite { record: record.to_owned(), link, replaces: None }];
        let known = self.subjects.identifiers(&[pseudonym.as_str()]).await.unwrap().remove(0);
        let (write, subject_id) = match &known {
            Some(subject) => {
                let (subject_id, generation) = (subject.subject_id.as_str(), 1);
                let state = self.subjects.state(subject_id).unwrap();
                let Count { links_at_most, growth, .. } = count_links(&state, LIMITS, &time("00:00"), 1);
                let write = SubjectWrite::Link { subject_id, generation, links_at_most, growth, links };
                (write, subject.subject_id.clone())
            }
            None => {
                let mut random = [7; 32];
                random[..16].copy_from_slice(&pseudonym.as_str().as_bytes()[3..19]);
                let subject = SubjectRef::from_random(random);
                let id = subject.subject_id.clone();
                let (pseudonym, created_at) = (pseudonym.as_str(), time("00:00"));
                (SubjectWrite::Create { pseudonym, subject, created_at, fills: false, links }, id)
            }
        };
        self.subjects.write(&write).await.unwrap();
        subject_id
    }

    /// Appends entries as one segment of several chunks of at most `chunk` lines.
    pub(crate) async fn append(&self, entries: &[PendingEntry], chunk: usize, stage: Stage) -> Appended {
        let (control, log) = (&self.control, log());
        let head = control.head(&log).await.unwrap();
        let head = head.map_or_else(Head::empty, |head| head.verify(&log).unwrap());
        let chunks: Vec<Chunk> = (0..)
            .zip(entries.chunks(chunk))
            .map(|(ordinal, entries)| {
                let text: String =
                    entries.iter().map(|entry| entry.to_line().unwrap().as_str().to_owned() + "\n").collect();
                let ordinal = ordinal + 1_000 * u32::try_from(head.size()).unwrap();
                let id = ChunkId { object: OBJECT.to_owned(), ordinal };
                Chunk::check(id, &log, entries.len(), member::pack(text.as_bytes())).unwrap()
            })
            .collect();
        let plan = plan_append(&log, &head, &chunks).unwrap();
        let key = plan.name.key();
        let lock = Lock { mode: LockMode::Governance, retain_until_s: 1 };
        let Put::Written { version_id } =
            self.bucket.put_segment(&key, &plan.bytes, &plan.sha256, &lock).await.unwrap()
        else {
            panic!("the segment exists");
        };
        let commit = plan.commit(version_id.clone(), u64::MAX >> 20);
        control.commit(&commit).await.unwrap();
        let postings = postings(&Segment::read(&key, &plan.bytes).unwrap(), &version_id).unwrap();
        if stage != Stage::Committed {
            self.index.put_postings(&postings).await.unwrap();
        }
        if stage == Stage::Indexed {
            control.mark_indexed(&log, &commit.segment).await.unwrap();
        }
        (commit.segment, postings)
    }

    pub(crate) async fn ask(&self, body: Value) -> (i64, Value) {
        self.ask_at(NOW_MS, body).await
    }

    pub(crate) async fn ask_at(&self, now_ms: i64, body: Value) -> (i64, Value) {
        let response = handle(&self.dsar, &FixedClock(now_ms), &request(&body.to_string()).to_string()).await;
        assert_eq!(response.headers["cache-control"], "no-store");
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
        data_key_id: name(),
        region: Region::US,
        own_numbers: Vec::new(),
        fan_out_cap: LIMITS.cap,
    }
}

pub(crate) fn key(version: u32) -> PseudonymKey {
    PseudonymKey::new(version, [u8::try_from(version).unwrap(); 32])
}

pub(crate) fn log() -> LogId {
    LogId::first_of("acme", "interaction").unwrap()
}

pub(crate) fn phone(raw: &str) -> Identifier {
    Identifier::parse(Kind::Phone, raw, Region::US).unwrap()
}

pub(crate) fn by_phone() -> Value {
    json!({ "identifiers": [{ "kind": "phone", "value": PHONE }] })
}

/// `HH:MM` of the second of March.
pub(crate) fn time(clock: &str) -> String {
    format!("2026-03-02T{clock}:00.000Z")
}

pub(crate) fn entry(interaction: &str, clock: &str, event_type: &str, n: u64) -> PendingEntry {
    PendingEntry {
        event_id: format!("{n:032x}"),
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
        "requestContext": { "requestId": "req-1", "httpMethod": "POST" },
        "body": body, "isBase64Encoded": false,
    })
}

/// `(interaction id, event ids' numbers)` of a page.
pub(crate) fn given(page: &Value) -> Vec<(String, Vec<u64>)> {
    let number = |entry: &Value| u64::from_str_radix(entry["entry"]["eventId"].as_str().unwrap(), 16).unwrap();
    let interactions = page["interactions"].as_array().unwrap().iter();
    interactions
        .map(|one| {
            let entries = one["entries"].as_array().unwrap().iter().map(number).collect();
            (one["interactionId"].as_str().unwrap().to_owned(), entries)
        })
        .collect()
}

/// Everything that was logged since the process began, at every level.
#[derive(Clone, Default)]
pub(crate) struct Captured(Arc<Mutex<Vec<u8>>>);

impl Captured {
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// The log, which is installed before anything can be logged: one for the process, since a subscriber of one thread
/// misses what another thread touched first.
pub(crate) fn captured() -> &'static Captured {
    static CAPTURED: OnceLock<Captured> = OnceLock::new();
    CAPTURED.get_or_init(|| {
        let captured = Captured::default();
        let writer = captured.clone();
        let level = tracing_subscriber::filter::LevelFilter::TRACE;
        let log = tracing_subscriber::fmt().json().with_max_level(level).with_writer(move || writer.clone()).finish();
        tracing::subscriber::set_global_default(log).unwrap();
        captured
    })
}
