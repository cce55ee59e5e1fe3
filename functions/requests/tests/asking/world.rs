//! A deployment in memory: what transform would have stored, and a requests function over it.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use aws_lambda_events::encodings::Body;
use ledgerline_custody::own::parse_list;
use ledgerline_custody::request::machine::{Rules, Separation};
use ledgerline_lake::plan::{Header, Pointer};
use ledgerline_lambda::clock::FixedClock;
use ledgerline_ledger::log::LogId;
use ledgerline_ledger::posting::{Posting, PostingMember};
use ledgerline_privacy::{Identifier, KeyRing, Kind, PseudonymKey, RULES, Region};
use ledgerline_requests::{Function, Ports, Settings, Stores, handle};
use ledgerline_store::data_key::{DataKeys, Purpose, WrappedKey, WrappedKeys};
use ledgerline_store::orgs::Orgs;
use ledgerline_store::own::{Change, OwnNumbers};
use ledgerline_store::posting::Postings;
use ledgerline_store::record::{BronzeRow, Records};
use ledgerline_store::request::{RequestRow, Who, key, read_request, read_who, who_key};
use ledgerline_store::subject::{Link, LinkWrite, Span, SubjectName, SubjectRef, SubjectWrite, Subjects};
use ledgerline_store::tombstone::Tombs;
use ledgerline_store::wrapping::{Context, Wrapping as _};
use ledgerline_testkit::bucket::FakeBucket;
use ledgerline_testkit::calls::Calls;
use ledgerline_testkit::faults::Faults;
use ledgerline_testkit::log::{self, LevelFilter, Log};
use ledgerline_testkit::queue::FakeQueue;
use ledgerline_testkit::table::FakeTable;
use ledgerline_testkit::wrapping::FakeWrapping;
use serde_json::{Value, json};

/// 2026-03-02T14:00:00.350Z.
pub(crate) const NOW_MS: i64 = 1_772_460_000_350;
pub(crate) const HOUR_MS: i64 = 3_600_000;
pub(crate) const DAY_MS: i64 = 24 * HOUR_MS;
/// Planted: it must never be seen again.
pub(crate) const PHONE: &str = "+15555550142";
pub(crate) const CAP: u64 = 5;
const DEPLOYMENT: &str = "trial-1";
const OBJECT: &str = "0123456789abcdef0123456789abcdef";
const DAY: &str = "2026-03-01T09:00:00.000Z";

pub(crate) struct World {
    pub(crate) control: FakeTable,
    pub(crate) keys: FakeTable,
    pub(crate) staged: FakeBucket,
    pub(crate) pointers: FakeQueue,
    pub(crate) erase: FakeQueue,
    index: FakeTable,
    wrapping: FakeWrapping,
    function: Function,
    now_ms: AtomicI64,
}

impl World {
    /// A deployment that has seen events of two orgs.
    pub(crate) async fn new() -> Self {
        Self::with(settings(), Faults::none()).await
    }

    /// The same with other settings, and faults of the function's own writes.
    pub(crate) async fn with(settings: Settings, faults: Faults) -> Self {
        let world = Self::empty(settings, faults);
        world.add_key(1).await;
        for org in ["acme", "globex"] {
            Orgs::new(world.control.port()).note(org).await.unwrap();
        }
        world
    }

    /// A deployment that has seen nothing.
    pub(crate) fn empty(settings: Settings, faults: Faults) -> Self {
        captured();
        let calls = Calls::of_function("requests");
        let table = |name| FakeTable::new(name, Faults::none(), Calls::default());
        let (control, index, keys) = (table("ControlTable"), table("IndexTable"), table("KeysTable"));
        let staged = FakeBucket::new("StagedBucket", Faults::none(), Calls::default(), NOW_MS);
        let pointers = FakeQueue::new("LedgerQueue", Faults::none(), Calls::default());
        let erase = FakeQueue::new("EraseQueue", Faults::none(), Calls::default());
        let wrapping = FakeWrapping::new("DataKey", Faults::none(), Calls::default());
        let seen = |table: &FakeTable| table.seen_by(faults.clone(), calls.clone()).port();
        let ports = Ports {
            control: seen(&control),
            index: seen(&index),
            keys: seen(&keys),
            staged: staged.seen_by(faults.clone(), calls.clone()).port(),
            pointers: pointers.seen_by(faults.clone(), calls.clone()).port(),
            erase_queue: erase.seen_by(faults.clone(), calls.clone()).port(),
            wrapping: wrapping.seen_by(faults.clone(), calls.clone()).port(),
        };
        // Each draw is another one, and the same in each run.
        let drawn = AtomicU64::new(1);
        let random = move |bytes: &mut [u8]| {
            let number = drawn.fetch_add(1, Ordering::SeqCst).to_be_bytes();
            bytes.iter_mut().rev().zip(number.iter().rev()).for_each(|(byte, drawn)| *byte = *drawn);
        };
        let stores = Stores::new(ports, DEPLOYMENT, Box::new(random));
        let function = Function::new(stores, settings);
        Self { control, keys, staged, pointers, erase, index, wrapping, function, now_ms: AtomicI64::new(NOW_MS) }
    }

    pub(crate) fn pass(&self, ms: i64) {
        self.now_ms.fetch_add(ms, Ordering::SeqCst);
    }

    /// Adds a version of the pseudonym key, as the first transform, or a rotation, would.
    pub(crate) async fn add_key(&self, version: u32) {
        self.add_key_of(Purpose::Pseudonym, version).await;
    }

    /// The same of a key for another purpose.
    pub(crate) async fn add_key_of(&self, purpose: Purpose, version: u32) {
        let (deployment, purpose_name) = (DEPLOYMENT.to_owned(), purpose.as_str().to_owned());
        let context = Context { deployment, purpose: purpose_name, version: version.to_string() };
        let wrapped = self.wrapping.generate("make a key", &context).await.unwrap();
        // Of what other keys name nothing is normalised.
        let rules = if purpose == Purpose::Pseudonym { RULES } else { 1 };
        let key = WrappedKey { version, rules, wrapped };
        WrappedKeys::new(self.control.port()).create(purpose, &key, DAY).await.unwrap();
    }

    async fn key(&self) -> PseudonymKey {
        let keys = DataKeys::new(self.control.port(), self.wrapping.port(), DEPLOYMENT);
        keys.pseudonym_keys().await.unwrap().into_iter().find(|key| key.version() == 1).unwrap()
    }

    /// Puts an item on an org's list of own numbers.
    pub(crate) async fn add_own(&self, org: &str, item: &str) {
        let ring = KeyRing::new([self.key().await]);
        for item in parse_list(item, Region::US).unwrap() {
            let name = item.names(ring.as_ref()).remove(0);
            OwnNumbers::new(self.control.port()).change(org, &name, Change::Add, DAY).await.unwrap();
        }
    }

    /// Links the identifier's subject, a new one if need be, to a record, with a line in bronze and an entry.
    pub(crate) async fn link(&self, kind: Kind, raw: &str, record: &str) -> String {
        let identifier = Identifier::parse(kind, raw, Region::US).unwrap();
        let (pseudonym, subjects) = (self.key().await.pseudonym(&identifier), Subjects::new(self.keys.port()));
        let org = record.split_once('/').unwrap().0.to_owned();
        let log = LogId::first_of(&org, "interaction").unwrap();
        let span = Span { log: log.to_string(), first: DAY.to_owned(), last: DAY.to_owned() };
        let (link, party) = (Link { span: Some(span) }, self.keys.party(record).seen());
        let links = vec![LinkWrite { record: record.to_owned(), link, replaces: None, party }];
        let known = subjects.identifiers(&[(&org, pseudonym.as_str())]).await.unwrap().remove(0);
        let id = match &known {
            Some(subject) => {
                let state = self.keys.state(&subject.subject_id).unwrap();
                let limits = ledgerline_custody::subjects::Limits { cap: u64::MAX, busy: u64::MAX };
                let count = ledgerline_custody::subjects::count_links(&state, limits, DAY, 1);
                let write = SubjectWrite::Link {
                    subject_id: &subject.subject_id,
                    generation: 1,
                    links_at_most: count.links_at_most,
                    growth: count.growth,
                    links,
                };
                subjects.write(write).await.unwrap();
                subject.subject_id.clone()
            }
            None => {
                let mut random = [7; 32];
                random[..16].copy_from_slice(&pseudonym.as_str().as_bytes()[3..19]);
                random[15] = random[15].wrapping_add(org.bytes().fold(0, u8::wrapping_add));
                let subject = SubjectRef::from_random(random);
                let id = subject.subject_id.clone();
                let name = SubjectName { org, kind, pseudonym: pseudonym.as_str().to_owned() };
                let tombs = Tombs::new(self.control.port()).unchanged([]);
                let created_at = DAY.to_owned();
                let write =
                    SubjectWrite::Create { name, replaces: None, subject, created_at, fills: false, links, tombs };
                subjects.write(write).await.unwrap();
                id
            }
        };
        let dates = ["2026-03-01".to_owned()];
        let row = BronzeRow { record, object: OBJECT, key: "bronze/a", lines: 2, at: &[0, 1], dates: &dates };
        Records::new(self.index.port()).note_bronze(&[row], false).await.unwrap();
        let posting = Posting {
            record_key: record.to_owned(),
            log,
            first: 0,
            segment: "ledger/s".to_owned(),
            version_id: "v".to_owned(),
            from: DAY.to_owned(),
            to: DAY.to_owned(),
            members: vec![PostingMember { offset: 0, length: 9, first: 0, at: vec![0, 4, 5] }],
        };
        Postings::new(self.index.port()).put(&[posting]).await.unwrap();
        id
    }

    /// Calls the function: status and body.
    pub(crate) async fn call(
        &self,
        caller: Option<&Value>,
        method: &str,
        path: &str,
        body: Option<&Value>,
    ) -> (i64, Value) {
        self.handle(&Self::event(caller, method, path, body)).await
    }

    /// What is answered as it is: status, content type, body.
    pub(crate) async fn raw(&self, caller: &Value, path: &str) -> (i64, String, String) {
        let now_ms = self.now_ms.load(Ordering::SeqCst);
        let event = Self::event(Some(caller), "GET", path, None);
        let response = handle(&self.function, &FixedClock(now_ms), &event).await;
        assert_eq!(response.headers["cache-control"], "no-store");
        assert!(response.headers["content-security-policy"].to_str().unwrap().starts_with("default-src 'none'"));
        let Some(Body::Text(text)) = response.body else { panic!("no text body") };
        (response.status_code, response.headers["content-type"].to_str().unwrap().to_owned(), text)
    }

    fn event(caller: Option<&Value>, method: &str, path: &str, body: Option<&Value>) -> String {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let query: serde_json::Map<String, Value> = query
            .split('&')
            .filter_map(|one| one.split_once('='))
            .map(|(name, value)| (name.to_owned(), json!(value)))
            .collect();
        let path = format!("/api/v1/compliance/{path}");
        let event = json!({
            "resource": path, "path": path, "httpMethod": method,
            "headers": { "Content-Type": "application/json", "Authorization": "Bearer planted-token" },
            "queryStringParameters": query,
            "requestContext": { "requestId": "call-1", "authorizer": caller },
            "body": body.map(Value::to_string), "isBase64Encoded": false,
        });
        event.to_string()
    }

    /// What any payload is answered with.
    pub(crate) async fn handle(&self, payload: &str) -> (i64, Value) {
        let now_ms = self.now_ms.load(Ordering::SeqCst);
        let response = handle(&self.function, &FixedClock(now_ms), payload).await;
        assert_eq!(response.headers["cache-control"], "no-store");
        let Some(Body::Text(text)) = &response.body else { panic!("no text body") };
        assert_eq!(response.headers.contains_key("retry-after"), matches!(response.status_code, 429 | 503));
        if response.status_code >= 400 {
            assert_eq!(response.headers["content-type"], "application/problem+json");
        }
        (response.status_code, serde_json::from_str(text).unwrap())
    }

    pub(crate) async fn post(&self, caller: &Value, path: &str, body: Value) -> (i64, Value) {
        self.call(Some(caller), "POST", path, Some(&body)).await
    }

    pub(crate) async fn get(&self, caller: &Value, path: &str) -> (i64, Value) {
        self.call(Some(caller), "GET", path, None).await
    }

    /// A request that `officer` made.
    pub(crate) async fn made(&self, body: Value) -> String {
        let (status, answer) = self.post(&officer(), "requests", body).await;
        assert_eq!(status, 201, "{answer}");
        answer["requestId"].as_str().unwrap().to_owned()
    }

    /// The same, verified by `verifier`.
    pub(crate) async fn verified(&self, body: Value) -> String {
        let id = self.made(body).await;
        let (status, answer) =
            self.post(&verifier(), &format!("requests/{id}/verify"), json!({ "method": "callback" })).await;
        assert_eq!(status, 200, "{answer}");
        id
    }

    /// The digest of a request's preview.
    pub(crate) async fn digest(&self, id: &str) -> String {
        let (status, preview) = self.get(&approver(), &format!("requests/{id}/preview")).await;
        assert_eq!(status, 200, "{preview}");
        preview["digest"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn approve(&self, caller: &Value, id: &str, digest: &str) -> (i64, Value) {
        self.post(caller, &format!("requests/{id}/approve"), json!({ "previewDigest": digest })).await
    }

    pub(crate) fn row(&self, id: &str) -> RequestRow {
        read_request(self.control.peek(&key(id)).unwrap()).unwrap()
    }

    pub(crate) fn who(&self, id: &str) -> Who {
        read_who(self.keys.peek(&who_key(id)).unwrap()).unwrap()
    }

    /// How many requests there are.
    pub(crate) fn requests(&self) -> usize {
        self.control.look(|rows| rows.keys().filter(|key| ledgerline_store::request::parse_key(key).is_some()).count())
    }

    /// The planned acts: type, log and text of each, in no order.
    pub(crate) fn acts(&self) -> Vec<(String, String)> {
        let mut acts = Vec::new();
        for (_, plan) in self.staged.under("staged/acts/") {
            let (header, header_bytes) = Header::read(&plan).unwrap();
            for pointer in header.pointers(header_bytes) {
                let range = pointer.offset as usize..(pointer.offset + pointer.length) as usize;
                let lines = pointer.read(&plan[range]).unwrap();
                acts.extend(lines.iter().map(|line| (pointer.log.clone(), line.to_owned())));
            }
        }
        acts
    }

    /// Types of the planned acts, sorted.
    pub(crate) fn act_types(&self) -> Vec<String> {
        let read = |line: &str| serde_json::from_str::<Value>(line).unwrap()["type"].as_str().unwrap().to_owned();
        let mut types: Vec<String> = self.acts().iter().map(|(_, line)| read(line)).collect();
        types.sort();
        types
    }

    /// Everything that is stored, as one text.
    pub(crate) fn dump(&self) -> String {
        let messages: Vec<Pointer> =
            self.pointers.messages().iter().map(|message| Pointer::parse(&message.body).unwrap()).collect();
        format!("{}{}{}{:?}{:?}", self.control.dump(), self.keys.dump(), self.index.dump(), messages, self.acts())
    }
}

pub(crate) fn settings() -> Settings {
    Settings {
        deployment: DEPLOYMENT.to_owned(),
        region: Region::US,
        own_numbers: Vec::new(),
        fan_out_cap: CAP,
        rules: Rules { separation: Separation::Creator, cooling_off_ms: DAY_MS },
        daily_cap: 1_000,
        closed_kept_days: 30,
    }
}

/// A caller as the authorizer hands it on.
pub(crate) fn caller(sub: &str, scopes: &str, orgs: &str) -> Value {
    json!({ "iss": "https://id.example", "sub": sub, "scopes": scopes, "orgs": orgs, "client": "false", "person": "true", "principalId": sub })
}

pub(crate) fn officer() -> Value {
    caller("planted-officer", "dsar:read request:write", "*")
}

pub(crate) fn verifier() -> Value {
    caller("planted-verifier", "request:verify", "*")
}

pub(crate) fn approver() -> Value {
    caller("planted-approver", "request:approve", "*")
}

pub(crate) fn erasure() -> Value {
    json!({ "type": "ERASURE", "identifiers": [{ "kind": "phone", "value": PHONE }], "reference": "planted-ticket" })
}

/// The log of all tests of this binary.
pub(crate) fn captured() -> &'static Log {
    log::captured(LevelFilter::TRACE)
}
