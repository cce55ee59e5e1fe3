//! A deployment in memory: transform and audit-write fill it, requests are made and approved, and the eraser is woken as sweep wakes it.

use std::collections::{BTreeMap, BTreeSet};
use std::future::poll_fn;
use std::io::Read as _;
use std::pin::pin;
use std::sync::atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::task::Poll;

use aws_lambda_events::sqs::{SqsEvent, SqsMessage};
use ledgerline_audit_write as audit_write;
use ledgerline_certificate::{Certificate, check};
use ledgerline_custody::publication::{self, Memory, Publication};
use ledgerline_custody::request::given::Given;
use ledgerline_custody::request::machine::{self, Action, Actor, Rules, Separation};
use ledgerline_custody::subjects::Limits;
use ledgerline_event::catalogue::Switches;
use ledgerline_event::instant;
use ledgerline_lake::ObjectId;
use ledgerline_lake::bronze::{self, BronzeLine};
use ledgerline_lake::keys::{self, PlanOf};
use ledgerline_lambda::clock::{Clock, FixedClock};
use ledgerline_lambda::random::OwnedRandom;
use ledgerline_ledger::entry::Entry;
use ledgerline_ledger::lock::LockMode;
use ledgerline_ledger::retention::{Classes, LockPolicy};
use ledgerline_ledger::segment::{Segment, SegmentName};
use ledgerline_ledger::signing::{VerifyingKeys, vkey};
use ledgerline_privacy::{Identifier, KeyRing, Kind, Region};
use ledgerline_rtbf::{Kept, Ports, Settings, Stores, handle};
use ledgerline_store::asked::Asked;
use ledgerline_store::data_key::DataKeys;
use ledgerline_store::deletion::WAKES_POOL;
use ledgerline_store::erasing::{self, Erasing, ErasingRows, Wakes};
use ledgerline_store::gone;
use ledgerline_store::held::Held;
use ledgerline_store::ledger::LedgerStores;
use ledgerline_store::package::{Form, certificate_key};
use ledgerline_store::request::{
    Approved, Method, Regime, RequestKind, RequestRow, Requests, State, Who, WhoChange, id_of_random,
};
use ledgerline_store::subject::{SubjectRef, Subjects, parse_link_key};
use ledgerline_testkit::bucket::FakeBucket;
use ledgerline_testkit::calls::Calls;
use ledgerline_testkit::faults::Faults;
use ledgerline_testkit::opener::{Contents, Opener};
use ledgerline_testkit::queue::FakeQueue;
use ledgerline_testkit::signer::FakeSigner;
use ledgerline_testkit::table::FakeTable;
use ledgerline_testkit::wrapping::{FakeWrapping, put_month_keys};
use ledgerline_transform as transform;
use parquet::file::reader::{FileReader as _, SerializedFileReader};
use parquet::record::Field;
use serde_bytes::ByteBuf;

use crate::traffic::{DAY, HOUR, Line, Person, T0, gzip};

pub(crate) const BUCKET: &str = "bronze";
pub(crate) const DEPLOYMENT: &str = "test";
/// How long an invocation lasts.
pub(crate) const SLICE: i64 = 900_000;
/// How long a message that came back is hidden.
const HIDDEN: i64 = 5_400_000;
/// When the world begins.
pub(crate) const START: i64 = T0 + DAY + 350;

/// A row of silver, by column; a column that is null is not there.
pub(crate) type SilverRow = BTreeMap<String, String>;
/// An object's name and a line of it.
pub(crate) type Place = (String, u64);

/// A clock that a test moves.
#[derive(Clone, Debug)]
pub(crate) struct Hand(Arc<AtomicI64>);

impl Clock for Hand {
    fn now_ms(&self) -> i64 {
        self.0.load(Ordering::SeqCst)
    }
}

/// All stores of a deployment. Clones share them.
#[derive(Clone)]
pub(crate) struct World {
    /// The eraser's.
    pub(crate) faults: Faults,
    /// The eraser's.
    pub(crate) calls: Calls,
    pub(crate) control: FakeTable,
    pub(crate) index: FakeTable,
    pub(crate) keys: FakeTable,
    pub(crate) bronze: FakeBucket,
    pub(crate) lake: FakeBucket,
    pub(crate) staged: FakeBucket,
    pub(crate) ledger: FakeBucket,
    pub(crate) pointers: FakeQueue,
    pub(crate) erase_queue: FakeQueue,
    pub(crate) settings: Settings,
    pub(crate) clock: Hand,
    wrapping: FakeWrapping,
    signer: FakeSigner,
    transform: Arc<transform::config::Settings>,
    memory: Arc<Memory>,
    random: Arc<AtomicU64>,
    /// How many pointers audit-write has had.
    committed: Arc<AtomicUsize>,
    /// How many messages the eraser has had.
    taken: Arc<AtomicUsize>,
    /// Messages that came back, each with how often it came and when it is seen again.
    returned: Arc<Mutex<Vec<(String, u32, i64)>>>,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::capped(5_000).await
    }

    /// A deployment in which a subject may have so many links.
    pub(crate) async fn capped(cap: u64) -> Self {
        captured();
        let none = || (Faults::none(), Calls::default());
        let table = |name| FakeTable::new(name, none().0, none().1);
        let (control, index, keys) = (table("ControlTable"), table("IndexTable"), table("KeysTable"));
        put_month_keys(&control, DEPLOYMENT, &["2026-02", "2026-03", "2026-04", "2026-05"]);
        keys.forbids_gone_of(&control);
        let wrapping = FakeWrapping::new("DataKey", none().0, none().1);
        let clock = Hand(Arc::new(AtomicI64::new(START)));
        let data_keys = DataKeys::new(control.port(), wrapping.port(), DEPLOYMENT);
        let opened = transform::config::open_keys(&data_keys, &clock).await.unwrap();
        let limits = Limits { cap, busy: 1_000_000 };
        Self {
            faults: Faults::none(),
            calls: Calls::of_function("rtbf"),
            bronze: FakeBucket::versioned("BronzeBucket", none().0, none().1, START),
            lake: FakeBucket::new("LakeBucket", none().0, none().1, START),
            staged: FakeBucket::new("StagedBucket", none().0, none().1, START),
            ledger: FakeBucket::versioned("LedgerBucket", none().0, none().1, START),
            pointers: FakeQueue::new("LedgerQueue", none().0, none().1),
            erase_queue: FakeQueue::new("EraseQueue", none().0, none().1),
            settings: Settings { fan_out_cap: cap, ..settings() },
            clock,
            signer: FakeSigner::new("SigningKey", none().0, none().1),
            transform: Arc::new(transform_config(limits).settings(opened)),
            memory: Arc::default(),
            random: Arc::default(),
            committed: Arc::default(),
            taken: Arc::default(),
            returned: Arc::default(),
            control,
            index,
            keys,
            wrapping,
        }
    }

    /// The same deployment, whose eraser meets these faults from now on.
    pub(crate) fn meeting(&self, faults: Faults) -> Self {
        Self { faults, ..self.clone() }
    }

    /// The same deployment, with the eraser's calls counted from here on.
    pub(crate) fn counting(&self) -> Self {
        Self { calls: Calls::default(), ..self.clone() }
    }

    pub(crate) fn now_ms(&self) -> i64 {
        self.clock.now_ms()
    }

    /// Time goes by, for every clock.
    pub(crate) fn pass(&self, ms: i64) {
        self.clock.0.fetch_add(ms, Ordering::SeqCst);
        for bucket in [&self.bronze, &self.lake, &self.staged, &self.ledger] {
            bucket.set_now_ms(bucket.now_ms() + ms);
        }
    }

    fn random(&self) -> OwnedRandom {
        let random = Arc::clone(&self.random);
        Box::new(move |buffer: &mut [u8]| {
            if buffer.len() == 8 {
                // Jitter: no pause, so that no test waits.
                return buffer.fill(0);
            }
            for chunk in buffer.chunks_mut(8) {
                let next = random.fetch_add(0x9E37_79B9_7F4A_7C15, Ordering::SeqCst);
                let mixed = (next ^ next >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
                chunk.copy_from_slice(&mixed.to_le_bytes()[..chunk.len()]);
            }
        })
    }

    // What comes in.

    /// Puts an object of these lines, which nobody takes up yet.
    pub(crate) fn put(&self, name: &str, lines: &[Line]) {
        self.bronze.seed(&key(name), gzip(lines));
    }

    /// Puts an object and lets transform and audit-write do all of it.
    pub(crate) async fn fill(&self, name: &str, lines: &[Line]) {
        self.put(name, lines);
        self.transform(name).await;
        self.commit().await;
    }

    /// Transform, until the object is planned.
    pub(crate) async fn transform(&self, name: &str) {
        for _ in 0..10 {
            if self.transform_once(name).await {
                return;
            }
            self.lake.grow_old();
        }
        panic!("{name} is not planned");
    }

    /// One run of transform; whether its message was finished with.
    pub(crate) async fn transform_once(&self, name: &str) -> bool {
        let ports = transform::stores::Ports {
            control: self.control.port(),
            index: self.index.port(),
            keys: self.keys.port(),
            bronze: self.bronze.port(),
            lake: self.lake.port(),
            staged: self.staged.port(),
            queue: self.pointers.port(),
            erase_queue: self.erase_queue.port(),
        };
        let stores = transform::stores::Stores::new(ports, self.random());
        let body = ledgerline_store::queue::notification(BUCKET, &key(name));
        let now_ms = self.now_ms();
        let clock = FixedClock(now_ms);
        let answer =
            transform::handle(&stores, &self.transform, &clock, now_ms + 300_000, batch(&[message(&body, 1)])).await;
        answer.batch_item_failures.is_empty()
    }

    /// Audit-write, until all pointers are worked off.
    pub(crate) async fn commit(&self) {
        let all = self.pointers.messages();
        let from = self.committed.swap(all.len(), Ordering::SeqCst);
        let stores = audit_write::Stores::new(audit_write::Ports {
            control: self.control.port(),
            index: self.index.port(),
            ledger: self.ledger.port(),
            staged: self.staged.port(),
            queue: self.pointers.port(),
            signer: self.signer.port(),
        });
        let mut messages = Vec::new();
        for pointer in &all[from..] {
            let mut sent = message(&pointer.body, 1);
            sent.message_id = Some(pointer.deduplication_id.clone());
            sent.receipt_handle = Some(pointer.deduplication_id.clone());
            sent.attributes.insert("MessageGroupId".to_owned(), pointer.group.clone());
            messages.push(sent);
        }
        for messages in messages.chunks(10) {
            let (now_ms, clock) = (self.now_ms(), FixedClock(self.now_ms()));
            let config = audit_config();
            let event = batch(messages);
            let answer = audit_write::handle(&stores, &config, &self.memory, &clock, now_ms + 600_000, event).await;
            assert!(answer.batch_item_failures.is_empty(), "a chunk was not committed");
        }
        self.sign().await;
    }

    /// What sweep does for logs to which nobody appends: what was appended is published, and signed if it is time.
    async fn sign(&self) {
        let stores = LedgerStores::new(&self.control.port(), &self.index.port(), &self.ledger.port());
        let (signer, settings) = (self.signer.port(), audit_config().publication);
        let publication = Publication { stores: &stores, signer: &*signer, settings: &settings, memory: &self.memory };
        for log in stores.heads.logs().await.unwrap() {
            publication.catch_up(&log, self.now_ms().unsigned_abs()).await.unwrap();
        }
    }

    /// The acts of deletion that are committed: their records, and their whole lines.
    pub(crate) fn deletions(&self) -> Vec<(String, Entry)> {
        let mut all = Vec::new();
        for (key, versions) in self.ledger.segments() {
            for line in Segment::read(&key, &versions[0].bytes).unwrap().lines() {
                let entry = Entry::read(line.as_bytes()).unwrap();
                if entry.event_type == "DATA_DELETION" {
                    all.push((entry.record().unwrap().key(&entry.org), entry));
                }
            }
        }
        all
    }

    /// A request's certificate, checked by the key that signs.
    pub(crate) fn certificate(&self, id: &str) -> Certificate {
        let key = certificate_key(id, Form::Json);
        let bytes = self.staged.under(&key).remove(&key).expect("a certificate");
        let vkey = vkey(&format!("{DEPLOYMENT}/acme/request/1/0"), &self.signer.key());
        let checked = check(&bytes, &VerifyingKeys::parse([vkey]).unwrap());
        assert_eq!(checked.problems, [], "of {id}");
        checked.certificate.unwrap()
    }

    // Requests.

    pub(crate) fn ring(&self) -> &KeyRing {
        &self.transform.pseudonyms
    }

    pub(crate) fn requests(&self) -> Requests {
        Requests::new(self.control.port(), self.keys.port())
    }

    /// An erasure that was made, verified and approved now, and may begin.
    pub(crate) async fn approved(&self, asking: Asking) -> String {
        let (id, row) = self.made(&asking).await;
        let row = self.step(&id, &row, &Action::Verify(Method::Callback), "u_2", WhoChange::default()).await;
        let approved = asking.approved.clone().unwrap_or_else(generous);
        self.approve(&id, &row, approved, asking.erase_shared.clone()).await;
        id
    }

    /// Approves a request, for the first time or again.
    pub(crate) async fn approve(&self, id: &str, row: &RequestRow, approved: Approved, shared: Vec<String>) {
        let wake = Some(instant::to_rfc3339(self.now_ms()));
        let change = WhoChange { erase_shared: Some(shared), wake, ..WhoChange::default() };
        self.step(id, row, &Action::Approve(approved), "u_3", change).await;
    }

    async fn made(&self, asking: &Asking) -> (String, RequestRow) {
        let mut random = [0; 16];
        (self.random())(&mut random);
        let id = id_of_random(random);
        let identifiers: Vec<Vec<String>> = asking.identifiers.iter().map(|one| self.names(one)).collect();
        let pseudonyms: Vec<String> = identifiers.iter().flatten().cloned().collect();
        let orgs: Vec<String> = asking.orgs.iter().map(|org| (*org).to_owned()).collect();
        let mut subjects: BTreeSet<String> = asking.subjects.iter().cloned().collect();
        for org in &orgs {
            let names: Vec<(&str, &str)> = pseudonyms.iter().map(|name| (org.as_str(), name.as_str())).collect();
            let found = Subjects::new(self.keys.port()).identifiers(&names).await.unwrap();
            let live = found.into_iter().flatten().map(|subject| subject.subject_id);
            subjects.extend(live.filter(|subject| !self.is_gone(subject)));
        }
        let data_keys = DataKeys::new(self.control.port(), self.wrapping.port(), DEPLOYMENT);
        let (wrapped, key) = data_keys.new_open_request_key().await.unwrap();
        let who = Who {
            pseudonyms,
            identifiers,
            subjects: subjects.into_iter().collect(),
            interactions: asking.interactions.iter().map(|id| (*id).to_owned()).collect(),
            wrapped: Some(ByteBuf::from(wrapped)),
            given: asking.given.map(|given| ByteBuf::from(Given::new(given).sealed(&key))),
            duplicates: vec![format!("same-{id}")],
            ..Who::default()
        };
        let row = machine::received(RequestKind::Erasure, Regime::Gdpr, orgs.clone(), "u_1", self.now_ms());
        let names: Vec<(&str, &str)> =
            orgs.iter().flat_map(|org| who.pseudonyms.iter().map(|name| (org.as_str(), name.as_str()))).collect();
        Asked::new(self.keys.port()).add(&names, &id).await.unwrap();
        let now = instant::to_rfc3339(self.now_ms());
        self.requests().create(&id, &row, &who, &[], &now).await.unwrap();
        (id, row)
    }

    async fn step(&self, id: &str, row: &RequestRow, action: &Action, by: &str, change: WhoChange) -> RequestRow {
        let (actor, now_ms) = (Actor { alias: by, is_client: false, is_person: true }, self.now_ms());
        let rules = Rules { separation: Separation::Creator, cooling_off_ms: 0 };
        let next = machine::next(row, action, actor, rules, now_ms).unwrap();
        let now = (&*instant::to_rfc3339(now_ms), now_ms / 1_000);
        let duplicates = [format!("same-{id}")];
        self.requests().advance(id, (row, &next), change, &duplicates, now).await.unwrap();
        next
    }

    pub(crate) async fn row(&self, id: &str) -> RequestRow {
        self.requests().request(id).await.unwrap().unwrap()
    }

    pub(crate) async fn erasing(&self, id: &str) -> Erasing {
        ErasingRows::new(self.control.port()).read(id).await.unwrap().unwrap()
    }

    // The eraser.

    /// The eraser's stores, as a cold start has them.
    pub(crate) fn stores(&self) -> Stores {
        let table = |table: &FakeTable| table.seen_by(self.faults.clone(), self.calls.clone()).port();
        let bucket = |bucket: &FakeBucket| bucket.seen_by(self.faults.clone(), self.calls.clone()).port();
        let queue = |queue: &FakeQueue| queue.seen_by(self.faults.clone(), self.calls.clone()).port();
        let ports = Ports {
            control: table(&self.control),
            index: table(&self.index),
            keys: table(&self.keys),
            bronze: bucket(&self.bronze),
            lake: bucket(&self.lake),
            staged: bucket(&self.staged),
            ledger: bucket(&self.ledger),
            erase_queue: queue(&self.erase_queue),
            pointers: queue(&self.pointers),
            wrapping: self.wrapping.seen_by(self.faults.clone(), self.calls.clone()).port(),
        };
        Stores::new(ports, DEPLOYMENT, self.random())
    }

    /// One invocation of the eraser with this message, which came so often; whether it was finished with.
    pub(crate) async fn invoke(&self, body: &str, receives: u32) -> bool {
        let (deadline_ms, event) = (self.now_ms() + SLICE, batch(&[message(body, receives)]));
        let answer = handle(&self.stores(), &self.settings, &self.clock, deadline_ms, event).await;
        answer.batch_item_failures.is_empty()
    }

    /// An invocation that dies as soon as this holds, between any two of its calls; whether it ended before.
    pub(crate) async fn invoke_until(&self, body: &str, dies: impl Fn(&Self) -> bool) -> bool {
        let mut run = pin!(self.invoke(body, 1));
        poll_fn(|context| {
            if dies(self) {
                return Poll::Ready(false);
            }
            run.as_mut().poll(context).map(|_| true)
        })
        .await
    }

    /// A run of transform that dies as soon as this holds.
    pub(crate) async fn transform_until(&self, name: &str, dies: impl Fn(&Self) -> bool) -> bool {
        let mut run = pin!(self.transform_once(name));
        poll_fn(|context| {
            if dies(self) {
                return Poll::Ready(false);
            }
            run.as_mut().poll(context).map(|_| true)
        })
        .await
    }

    /// The step that a request's erasure is at; empty before it begins.
    pub(crate) fn step_of(&self, id: &str) -> String {
        let row = self.control.peek(&erasing::key(id));
        row.map(|row| erasing::read(row).unwrap().position.step).unwrap_or_default()
    }

    /// The message that says that a request is to be looked at.
    pub(crate) fn erase_note(id: &str) -> String {
        format!(r#"{{"v":1,"kind":"erase","request":"{id}"}}"#)
    }

    /// The message that sweep sends of a row that is due.
    fn wake_note(at: &str, id: &str) -> String {
        match id {
            WAKES_POOL => format!(r#"{{"v":1,"kind":"pool","day":"{}"}}"#, &at[..10]),
            id => Self::erase_note(id),
        }
    }

    /// What waits in the queue, what is seen again, and what sweep would send: each with how often it came.
    pub(crate) async fn due(&self) -> Vec<(String, u32)> {
        let bodies = self.erase_queue.bodies();
        let from = self.taken.swap(bodies.len(), Ordering::SeqCst);
        let mut due: Vec<(String, u32)> = bodies[from..].iter().map(|body| (body.clone(), 1)).collect();
        let now = instant::to_rfc3339(self.now_ms());
        let woken = Wakes::new(self.control.port()).due(&now, 25).await.unwrap();
        due.extend(woken.iter().map(|(at, id)| (Self::wake_note(at, id), 1)));
        let mut returned = self.returned.lock().unwrap();
        let (seen, hidden): (Vec<_>, Vec<_>) =
            std::mem::take(&mut *returned).into_iter().partition(|(.., at)| *at <= self.now_ms());
        *returned = hidden;
        due.extend(seen.into_iter().map(|(body, receives, _)| (body, receives + 1)));
        due
    }

    /// A message comes back once it has been hidden for long enough.
    pub(crate) fn comes_back(&self, body: &str, receives: u32) {
        self.returned.lock().unwrap().push((body.to_owned(), receives, self.now_ms() + HIDDEN));
    }

    /// Delivers what is due; whether there was anything.
    pub(crate) async fn work(&self) -> bool {
        let due = self.due().await;
        for (body, receives) in &due {
            if !self.invoke(body, *receives).await {
                self.comes_back(body, *receives);
            }
        }
        !due.is_empty()
    }

    /// Lets the eraser work, and time go by, until these requests are done and no message is left.
    pub(crate) async fn finish(&self, ids: &[&str]) {
        for _ in 0..400 {
            let was_any = self.work().await;
            self.commit().await;
            let mut is_done = true;
            for id in ids {
                is_done &= self.row(id).await.state == State::Done;
            }
            if is_done && !was_any && self.returned.lock().unwrap().is_empty() {
                return;
            }
            self.pass(self.next_ms() - self.now_ms());
        }
        let mut positions = Vec::new();
        for id in ids {
            positions.push(self.erasing(id).await);
        }
        panic!("an erasure does not end: {positions:?}, {:?}", self.returned.lock().unwrap());
    }

    /// Erases somebody, whole.
    pub(crate) async fn erase(&self, asking: Asking) -> String {
        let id = self.approved(asking).await;
        self.finish(&[&id]).await;
        id
    }

    /// When something happens next: a wake-up, or a message that is seen again.
    fn next_ms(&self) -> i64 {
        let wakes = self.control.look(|rows| {
            let wakes = rows.keys().filter_map(erasing::parse_wake_key);
            wakes.filter_map(|(at, _)| instant::parse(at)).min()
        });
        let returned = self.returned.lock().unwrap().iter().map(|(.., at)| *at).min();
        let next = wakes.into_iter().chain(returned).min().unwrap_or(self.now_ms());
        // Sweep comes once a minute.
        next.max(self.now_ms() + 60_000)
    }

    // Holds.

    pub(crate) async fn hold(&self, record: &str) {
        Held::new(self.control.port()).add(record, "case-7").await.unwrap();
    }

    /// Lifts the hold as the operator's command does, and sends the record to the eraser if something was put off.
    pub(crate) async fn lift(&self, record: &str) {
        Held::new(self.control.port()).remove(record, "case-7").await.unwrap();
        if self.keys.party(record).pending_until.is_some() {
            ledgerline_store::queue::EraseNotes::new(self.erase_queue.port()).released(record).await.unwrap();
        }
    }

    // What is there.

    /// The pseudonyms of an identifier under all versions of the key.
    pub(crate) fn names(&self, identifier: &Identifier) -> Vec<String> {
        self.ring().pseudonyms(identifier).iter().map(|name| name.as_str().to_owned()).collect()
    }

    /// Whom somebody's identifier names.
    pub(crate) async fn subject(&self, org: &str, who: Person, kind: Kind) -> Option<SubjectRef> {
        let names = self.names(&who.identifier(kind));
        let names: Vec<(&str, &str)> = names.iter().map(|name| (org, name.as_str())).collect();
        let found = Subjects::new(self.keys.port()).identifiers(&names).await.unwrap();
        found.into_iter().flatten().next()
    }

    pub(crate) fn is_gone(&self, name: &str) -> bool {
        self.control.peek(&gone::key(name)).is_some()
    }

    /// All names that are gone.
    pub(crate) fn gone(&self) -> BTreeSet<String> {
        self.control.look(|rows| rows.keys().filter_map(gone::parse_key).map(str::to_owned).collect())
    }

    /// The records that a subject is linked to.
    pub(crate) fn links(&self, subject: &str) -> BTreeSet<String> {
        self.keys.look(|rows| {
            let links = rows.keys().filter_map(parse_link_key).filter(|(of, _)| *of == subject);
            links.map(|(_, record)| record.to_owned()).collect()
        })
    }

    /// The lines of all objects, by their places.
    pub(crate) fn lines(&self) -> BTreeMap<Place, Vec<u8>> {
        let mut all = BTreeMap::new();
        for (key, bytes) in self.bronze.under(keys::BRONZE) {
            for (number, line) in unpacked(&bytes).split_inclusive(|byte| *byte == b'\n').enumerate() {
                all.insert((name_of(&key), number as u64), line.to_vec());
            }
        }
        all
    }

    /// The places of lines that were taken out.
    pub(crate) fn redacted(&self) -> BTreeSet<Place> {
        let lines = self.lines().into_iter();
        lines.filter(|(_, line)| bronze::read(line) == BronzeLine::Erased).map(|(place, _)| place).collect()
    }

    /// The rows of silver, by the places of their lines.
    pub(crate) fn silver(&self) -> BTreeMap<Place, SilverRow> {
        let names: BTreeMap<String, String> =
            self.bronze.all().into_keys().map(|key| (ObjectId::of(BUCKET, &key).to_hex(), name_of(&key))).collect();
        let mut all = BTreeMap::new();
        for (_, bytes) in self.lake.under(keys::SILVER) {
            for row in SerializedFileReader::new(bytes).unwrap().get_row_iter(None).unwrap() {
                let row = row.unwrap();
                let there = row.get_column_iter().filter(|(_, field)| !matches!(field, Field::Null));
                let text = |field: &Field| field.to_string().trim_matches('"').to_owned();
                let row: SilverRow = there.map(|(name, field)| (name.clone(), text(field))).collect();
                let place = (names[&row["bronze_object"]].clone(), row["bronze_line"].parse().unwrap());
                all.insert(place, row);
            }
        }
        all
    }

    /// The places of silver's rows whose values were taken out.
    pub(crate) fn nulled(&self) -> BTreeSet<Place> {
        let rows = self.silver().into_iter();
        rows.filter(|(_, row)| row.get("erased").is_some_and(|erased| erased == "true")).map(|(at, _)| at).collect()
    }

    /// All entries that are committed, by the places of their lines; acts are of no place.
    pub(crate) fn entries(&self) -> BTreeMap<Place, Entry> {
        let names: BTreeMap<String, String> =
            self.bronze.all().into_keys().map(|key| (ObjectId::of(BUCKET, &key).to_hex(), name_of(&key))).collect();
        let mut all = BTreeMap::new();
        for (key, versions) in self.ledger.segments() {
            let segment = Segment::read(&key, &versions[0].bytes).unwrap();
            for line in segment.lines() {
                let entry = Entry::read(line.as_bytes()).unwrap();
                if let Some(name) = names.get(&entry.source.object) {
                    all.insert((name.clone(), entry.source.line), entry);
                }
            }
        }
        all
    }

    /// The logs that hold an act of this type, one for each.
    pub(crate) fn acts(&self, act: &str) -> Vec<String> {
        let mut logs = Vec::new();
        for (key, versions) in self.ledger.segments() {
            let segment = Segment::read(&key, &versions[0].bytes).unwrap();
            let acts = segment.lines().map(|line| Entry::read(line.as_bytes()).unwrap());
            logs.extend(
                acts.filter(|entry| entry.event_type == act).map(|_| SegmentName::parse(&key).unwrap().log.to_string()),
            );
        }
        logs
    }

    /// What committed entries hold sealed, opened; `None` of a block whose key was destroyed.
    pub(crate) fn contents(&self) -> BTreeMap<Place, Contents> {
        let mut opener = Opener::of(DEPLOYMENT, &self.keys, &self.control).expect("keys that open");
        let entries = self.entries().into_iter();
        entries
            .map(|(place, entry)| (place, opener.open(&entry).unwrap_or_else(|problem| panic!("{problem}"))))
            .collect()
    }

    /// The places of entries whose block of this party does not open any more.
    pub(crate) fn closed(&self, party: ledgerline_ledger::entry::Party) -> BTreeSet<Place> {
        let contents = self.contents().into_iter();
        contents.filter(|(_, blocks)| blocks.get(&party).is_some_and(Option::is_none)).map(|(place, _)| place).collect()
    }

    /// The plans of bronze objects.
    pub(crate) fn plans(&self) -> BTreeMap<String, bytes::Bytes> {
        let mut plans = self.staged.under(keys::STAGED);
        plans.retain(|key, _| matches!(keys::parse_staged(key), Some((PlanOf::Bronze, _))));
        plans
    }

    /// Everything that is stored or sent, old versions, too, as texts with where each is; but for what says that a name is gone.
    pub(crate) fn everything(&self) -> Vec<(String, String)> {
        let mut all = Vec::new();
        for table in [&self.control, &self.index, &self.keys] {
            table.look(|rows| {
                let kept = rows.iter().filter(|(key, _)| ledgerline_store::gone::parse_key(key).is_none());
                all.extend(kept.map(|(key, row)| (key.to_string(), format!("{key} {row:?}"))));
            });
        }
        for bucket in [&self.bronze, &self.lake, &self.staged, &self.ledger] {
            for (key, versions) in bucket.all() {
                all.extend(versions.iter().map(|one| (key.clone(), format!("{key} {}", readable(&key, &one.bytes)))));
            }
        }
        let messages = self.pointers.messages().into_iter().map(|message| format!("{message:?}"));
        all.extend(messages.chain(self.erase_queue.bodies()).map(|text| ("a message".to_owned(), text)));
        all
    }

    /// What must not be found of somebody once they are erased: spellings, pseudonyms, subjects and their names in silver.
    pub(crate) async fn needles(&self, who: Person) -> Vec<String> {
        let mut needles = who.spellings();
        for kind in [Kind::Phone, Kind::Email, Kind::ExternalContact] {
            needles.extend(self.names(&who.identifier(kind)));
            for org in ["acme", "beta"] {
                let subject = self.subject(org, who, kind).await;
                needles.extend(subject.into_iter().flat_map(|one| [one.subject_id, one.customer_ref]));
            }
        }
        needles
    }

    /// Where any of these texts is.
    pub(crate) fn places_of(&self, needles: &[String]) -> Vec<String> {
        let holds = |text: &str| needles.iter().find(|needle| text.to_lowercase().contains(&needle.to_lowercase()));
        self.everything()
            .into_iter()
            .filter_map(|(place, text)| holds(&text).map(|needle| format!("{needle} in {place}")))
            .collect()
    }
}

/// What a request asks for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Asking {
    pub(crate) orgs: Vec<&'static str>,
    pub(crate) identifiers: Vec<Identifier>,
    pub(crate) subjects: Vec<String>,
    pub(crate) interactions: Vec<&'static str>,
    pub(crate) erase_shared: Vec<String>,
    pub(crate) approved: Option<Approved>,
    /// The customer's id or hash, as the caller typed it.
    pub(crate) given: Option<&'static str>,
}

impl Asking {
    /// Somebody, by these kinds of identifiers.
    pub(crate) fn of(who: Person, kinds: &[Kind]) -> Self {
        let identifiers = kinds.iter().map(|kind| who.identifier(*kind)).collect();
        Self { orgs: vec!["acme"], identifiers, ..Self::default() }
    }

    /// Somebody, by all that is known of them.
    pub(crate) fn whole(who: Person) -> Self {
        Self::of(who, &[Kind::Phone, Kind::Email, Kind::ExternalContact])
    }

    /// Interactions alone.
    pub(crate) fn listed(interactions: &[&'static str]) -> Self {
        Self { orgs: vec!["acme"], interactions: interactions.to_vec(), ..Self::default() }
    }

    pub(crate) fn erasing(self, shared: &[&str]) -> Self {
        Self { erase_shared: shared.iter().map(|record| (*record).to_owned()).collect(), ..self }
    }
}

/// More than any test erases.
pub(crate) fn generous() -> Approved {
    Approved { digest: "0".repeat(64), records: 100_000, shared: 100_000, lines: 1_000_000, entries: 1_000_000 }
}

pub(crate) fn key(name: &str) -> String {
    format!("bronze/event_type=interaction/year=2026/month=03/day=02/hour=14/{name}.gz")
}

fn name_of(key: &str) -> String {
    key.rsplit('/').next().unwrap_or_default().trim_end_matches(".gz").to_owned()
}

/// The places of lines of an object.
pub(crate) fn places(name: &str, lines: &[u64]) -> BTreeSet<Place> {
    lines.iter().map(|line| (name.to_owned(), *line)).collect()
}

/// Sets together.
pub(crate) fn all<const N: usize>(sets: [BTreeSet<Place>; N]) -> BTreeSet<Place> {
    sets.into_iter().flatten().collect()
}

pub(crate) fn unpacked(bytes: &[u8]) -> Vec<u8> {
    let mut text = Vec::new();
    flate2::read::MultiGzDecoder::new(bytes).read_to_end(&mut text).unwrap();
    text
}

/// An object's bytes as text, unpacked and decoded.
fn readable(key: &str, bytes: &bytes::Bytes) -> String {
    if key.ends_with(".parquet") {
        let reader = SerializedFileReader::new(bytes.clone()).unwrap();
        return reader.get_row_iter(None).unwrap().map(|row| format!("{}\n", row.unwrap())).collect();
    }
    let mut text = Vec::new();
    match flate2::read::MultiGzDecoder::new(&bytes[..]).read_to_end(&mut text) {
        Ok(_) => String::from_utf8_lossy(&text).into_owned(),
        Err(_) => String::from_utf8_lossy(bytes).into_owned(),
    }
}

pub(crate) fn message(body: &str, receives: u32) -> SqsMessage {
    let mut message = SqsMessage::default();
    message.message_id = Some("m-1".to_owned());
    message.body = Some(body.to_owned());
    message.attributes.insert("ApproximateReceiveCount".to_owned(), receives.to_string());
    message
}

pub(crate) fn batch(messages: &[SqsMessage]) -> SqsEvent {
    let mut event = SqsEvent::default();
    event.records = messages.to_vec();
    event
}

fn settings() -> Settings {
    Settings {
        deployment: DEPLOYMENT.to_owned(),
        bronze_bucket: BUCKET.to_owned(),
        default_org: "acme".to_owned(),
        regions: Region::US.into(),
        own_numbers: Vec::new(),
        numeric_id_sources: Vec::new(),
        fan_out_cap: 5_000,
        bronze_expire_days: 365,
        drain_ms: 600_000,
        records_per_day: 20_000,
        wait_days: 14,
        pool_days: 0,
        certificate_days: 30,
        kept: Kept { quarantine_days: 30, staged_days: 30, keys_pitr_days: 1, claim_days: 400, log_days: 30 },
    }
}

fn transform_config(limits: Limits) -> transform::config::Config {
    transform::config::Config {
        deployment_id: DEPLOYMENT.into(),
        default_org: "acme".into(),
        regions: Region::US.into(),
        own_numbers: Vec::new(),
        switches: Switches::default(),
        numeric_id_sources: Vec::new(),
        control_table: String::new(),
        index_table: String::new(),
        keys_table: String::new(),
        bronze_bucket: BUCKET.into(),
        lake_bucket: String::new(),
        staged_bucket: String::new(),
        ledger_queue_url: String::new(),
        erase_queue_url: String::new(),
        data_key_id: String::new(),
        claim_days: 400,
        limits,
    }
}

fn audit_config() -> audit_write::AppendConfig {
    let classes = Classes::parse("", 30).unwrap();
    let locks = LockPolicy { mode: LockMode::Governance, classes };
    let publication = publication::Settings { deployment: DEPLOYMENT.to_owned(), locks };
    audit_write::AppendConfig { publication, marker_days: 400 }
}

/// Everything that was logged since the process began.
#[derive(Clone, Default)]
pub(crate) struct Captured(Arc<Mutex<Vec<u8>>>);

impl Captured {
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl std::io::Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// The log: one for the process, since a subscriber of one thread misses what another thread touched first.
pub(crate) fn captured() -> &'static Captured {
    static CAPTURED: OnceLock<Captured> = OnceLock::new();
    CAPTURED.get_or_init(|| {
        let captured = Captured::default();
        let writer = captured.clone();
        let level = tracing_subscriber::filter::LevelFilter::INFO;
        let log = tracing_subscriber::fmt().json().flatten_event(true).with_max_level(level);
        tracing::subscriber::set_global_default(log.with_writer(move || writer.clone()).finish()).unwrap();
        captured
    })
}

/// An hour after the one in which something was.
pub(crate) fn next_hour(ms: i64) -> i64 {
    (ms.div_euclid(HOUR) + 1) * HOUR
}
