//! A deployment in memory: what transform's first start would have stored, and a capture function over it.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use aws_lambda_events::encodings::Body;
use hmac::{Hmac, KeyInit as _, Mac as _};
use ledgerline_capture::clients::Clients;
use ledgerline_capture::{Function, Ports, Settings, Stores, handle};
use ledgerline_custody::own::parse_list;
use ledgerline_custody::subjects::Limits;
use ledgerline_event::catalogue::Switches;
use ledgerline_lambda::clock::FixedClock;
use ledgerline_privacy::{Identifier, KeyRing, Kind, PseudonymKey, RULES, Region};
use ledgerline_store::data_key::{DataKeys, Purpose, WrappedKey, WrappedKeys};
use ledgerline_store::journal::{self, Journaled};
use ledgerline_store::own::{Change, OwnNumbers};
use ledgerline_store::subject::{identifier_key, link_key};
use ledgerline_store::table::Value as Stored;
use ledgerline_store::tombstone::Tombs;
use ledgerline_store::wrapping::{Context, Wrapping as _};
use ledgerline_testkit::bucket::FakeBucket;
use ledgerline_testkit::calls::Calls;
use ledgerline_testkit::faults::Faults;
use ledgerline_testkit::log::{self, LevelFilter, Log, Targets};
use ledgerline_testkit::queue::FakeQueue;
use ledgerline_testkit::stream::FakeStream;
use ledgerline_testkit::table::FakeTable;
use ledgerline_testkit::wrapping::FakeWrapping;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

/// 2026-03-02T14:00:00.350Z.
pub(crate) const NOW_MS: i64 = 1_772_460_000_350;
pub(crate) const NOW_S: i64 = NOW_MS / 1_000;
/// Planted: they must never be seen again.
pub(crate) const PHONE: &str = "+15555550142";
pub(crate) const TOKEN: &str = "planted-token";
pub(crate) const PATH_TOKEN: &str = "planted-path-token";
pub(crate) const SIGNER_TOKEN: &str = "planted-signer-token";
pub(crate) const SECRETS: [&str; 2] = ["planted-secret-of-thirty-two-chars", "planted-new-secret-of-thirty-two-chars"];
/// Whom the events of these tests name.
pub(crate) const PHONE_HASH: &str = "a591a6d40bf420404a011733cfb7b190d62c65bf0bcda32b57b277d9ad9f146e";
pub(crate) const INGEST: &str = "/api/v1/ingest";
pub(crate) const AUDIT_EVENTS: &str = "/api/v1/audit-events";
const DEPLOYMENT: &str = "trial-1";
const DAY: &str = "2026-03-01T09:00:00.000Z";

pub(crate) struct World {
    pub(crate) control: FakeTable,
    pub(crate) index: FakeTable,
    pub(crate) keys: FakeTable,
    pub(crate) bronze: FakeBucket,
    pub(crate) stream: FakeStream,
    pub(crate) dead_letters: FakeQueue,
    pub(crate) calls: Calls,
    wrapping: FakeWrapping,
    function: Function,
    now_ms: AtomicI64,
}

impl World {
    /// A deployment in which transform has started once.
    pub(crate) async fn new() -> Self {
        Self::with(Faults::none()).await
    }

    /// The same, with faults of the function's own writes.
    pub(crate) async fn with(faults: Faults) -> Self {
        let world = Self::empty(faults);
        for purpose in Purpose::ALL {
            world.add_key(purpose).await;
        }
        world
    }

    /// A deployment that has seen nothing.
    pub(crate) fn empty(faults: Faults) -> Self {
        captured();
        let calls = Calls::of_function("capture");
        let table = |name| FakeTable::new(name, Faults::none(), Calls::default());
        let (control, index, keys) = (table("ControlTable"), table("IndexTable"), table("KeysTable"));
        let bronze = FakeBucket::versioned("BronzeBucket", Faults::none(), Calls::default(), NOW_MS);
        let dead_letters = FakeQueue::new("ErrorsDeadLetterQueue", Faults::none(), Calls::default());
        let wrapping = FakeWrapping::new("DataKey", Faults::none(), Calls::default());
        let stream = FakeStream::new("EventStream", faults.clone(), calls.clone());
        let seen = |table: &FakeTable| table.seen_by(faults.clone(), calls.clone()).port();
        let ports = Ports {
            control: seen(&control),
            index: seen(&index),
            keys: seen(&keys),
            bronze: bronze.seen_by(faults.clone(), calls.clone()).port(),
            stream: stream.port(),
            dead_letters: dead_letters.seen_by(faults.clone(), calls.clone()).port(),
            wrapping: wrapping.seen_by(faults, calls.clone()).port(),
        };
        // Each draw is another one, and the same in each run.
        let drawn = AtomicU64::new(1);
        let random = move |bytes: &mut [u8]| {
            let number = drawn.fetch_add(1, Ordering::SeqCst).to_be_bytes();
            bytes.iter_mut().rev().zip(number.iter().rev()).for_each(|(byte, drawn)| *byte = *drawn);
        };
        let stores = Stores::new(ports, DEPLOYMENT, Box::new(random));
        let function = Function::new(stores, clients(), settings());
        let now_ms = AtomicI64::new(NOW_MS);
        Self { control, index, keys, bronze, stream, dead_letters, calls, wrapping, function, now_ms }
    }

    pub(crate) fn pass(&self, ms: i64) {
        self.now_ms.fetch_add(ms, Ordering::SeqCst);
    }

    /// Adds the first version of a key, as transform's first start would.
    pub(crate) async fn add_key(&self, purpose: Purpose) {
        let (deployment, purpose_name) = (DEPLOYMENT.to_owned(), purpose.as_str().to_owned());
        let context = Context { deployment, purpose: purpose_name, version: "1".to_owned() };
        let wrapped = self.wrapping.generate("make a key", &context).await.unwrap();
        // Of what other keys name nothing is normalised.
        let rules = if purpose == Purpose::Pseudonym { RULES } else { 1 };
        let key = WrappedKey { version: 1, rules, wrapped };
        WrappedKeys::new(self.control.port()).create(purpose, &key, DAY).await.unwrap();
    }

    pub(crate) fn data_keys(&self) -> DataKeys {
        DataKeys::new(self.control.port(), self.wrapping.port(), DEPLOYMENT)
    }

    pub(crate) async fn key(&self) -> PseudonymKey {
        self.data_keys().pseudonym_keys().await.unwrap().remove(0)
    }

    /// The pseudonym of whom the events name.
    pub(crate) async fn pseudonym(&self) -> String {
        let identifier = Identifier::parse(Kind::PhoneHash, PHONE_HASH, Region::US).unwrap();
        self.key().await.pseudonym(&identifier).as_str().to_owned()
    }

    /// The subject of whom the events name, in an org.
    pub(crate) async fn subject(&self, org: &str) -> Option<String> {
        let row = self.keys.peek(&identifier_key(org, &self.pseudonym().await))?;
        let Some(Stored::S(id)) = row.get("subjectId") else { panic!("an identifier without a subject") };
        Some(id.clone())
    }

    /// Until when the subject's link to a record says that the journal may know more; `None` without such a link.
    pub(crate) fn journal_until(&self, subject: &str, record: &str) -> Option<String> {
        match self.keys.peek(&link_key(subject, record))?.get("journalUntil") {
            Some(Stored::S(until)) => Some(until.clone()),
            _ => None,
        }
    }

    /// Suppresses whom the events name up to this moment, as an erasure would.
    pub(crate) async fn suppress(&self, org: &str, cutoff_ms: i64) {
        let ring = self.data_keys().suppression_ring().await.unwrap().unwrap();
        let tombs = Tombs::new(self.control.port());
        tombs.put(&ring, org, &self.pseudonym().await, cutoff_ms, NOW_S + 1_000_000).await.unwrap();
    }

    /// Puts an item on an org's list of own numbers.
    pub(crate) async fn add_own(&self, org: &str, item: &str) {
        let ring = KeyRing::new([self.key().await]);
        for item in parse_list(item, Region::US).unwrap() {
            let name = item.names(ring.as_ref()).remove(0);
            OwnNumbers::new(self.control.port()).change(org, &name, Change::Add, DAY).await.unwrap();
        }
    }

    /// The journaled events, by record.
    pub(crate) fn journaled(&self) -> Vec<(String, Journaled)> {
        self.index.look(|rows| {
            let rows = rows.iter().filter_map(|(key, row)| {
                let (record, claim_id) = journal::parse_key(key)?;
                Some((record.to_owned(), journal::read(claim_id, row.clone()).unwrap()))
            });
            rows.collect()
        })
    }

    /// Events in the lists of hours.
    pub(crate) fn listed(&self) -> usize {
        self.index.look(|rows| rows.keys().filter(|key| journal::parse_listed_key(key).is_some()).count())
    }

    /// What the stream took, as text.
    pub(crate) fn records(&self) -> Vec<String> {
        self.stream.records().iter().map(|record| String::from_utf8(record.to_vec()).unwrap()).collect()
    }

    /// Sends a body with the client's token in a header.
    pub(crate) async fn send(&self, path: &str, body: &str) -> Answer {
        self.call(path, json!({ "X-ProcessMining-Token": TOKEN, "content-type": "application/json" }), body).await
    }

    /// Sends a body, signed with a secret for a time.
    pub(crate) async fn send_signed(&self, body: &str, secret: &str, time_s: i64) -> Answer {
        let headers = json!({ "Authorization": format!("Bearer {SIGNER_TOKEN}"),
            "X-Ledgerline-Signature": signature(body.as_bytes(), secret, time_s) });
        self.call(INGEST, headers, body).await
    }

    pub(crate) async fn call(&self, path: &str, headers: Value, body: &str) -> Answer {
        self.event(&event("POST", path, headers, body)).await
    }

    /// What any payload is answered with.
    pub(crate) async fn event(&self, event: &Value) -> Answer {
        let now_ms = self.now_ms.load(Ordering::SeqCst);
        let response = handle(&self.function, &FixedClock(now_ms), &event.to_string()).await;
        assert_eq!(response.headers["cache-control"], "no-store");
        assert_eq!(response.headers.contains_key("retry-after"), matches!(response.status_code, 429 | 503));
        let problem = response.headers["content-type"] == "application/problem+json";
        assert_eq!(problem, response.status_code >= 400);
        let Some(Body::Text(text)) = &response.body else { panic!("no text body") };
        let retry_after_s = response.headers.get("retry-after").map(|value| value.to_str().unwrap().parse().unwrap());
        Answer { status: response.status_code, retry_after_s, body: serde_json::from_str(text).unwrap() }
    }

    /// Everything that is stored but the stream's own, as one text.
    pub(crate) fn dump(&self) -> String {
        let (control, index, keys) = (self.control.dump(), self.index.dump(), self.keys.dump());
        format!("{control}{index}{keys}{:?}", self.dead_letters.bodies())
    }
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: i64,
    pub(crate) retry_after_s: Option<u64>,
    pub(crate) body: Value,
}

impl Answer {
    pub(crate) fn problem(&self) -> &str {
        self.body["type"].as_str().and_then(|kind| kind.strip_prefix("urn:ledgerline:problem:")).unwrap_or_default()
    }
}

/// A call as API Gateway brings it.
pub(crate) fn event(method: &str, path: &str, headers: Value, body: &str) -> Value {
    json!({
        "resource": path, "path": path, "httpMethod": method, "headers": headers,
        "requestContext": { "requestId": "call-1" }, "body": body, "isBase64Encoded": false,
    })
}

/// An identity event of the third guide's, about an interaction, that names a customer by a hash.
pub(crate) fn identity(interaction: &str) -> Value {
    json!({ "auditEvent": {
        "eventType": "IDENTITY_RESOLUTION", "timestamp": "2026-03-02T13:59:58Z", "interactionId": interaction,
        "channelType": "VOICE", "resolutionSource": "CRM_API_LOOKUP", "piiContext": { "phoneHash": PHONE_HASH },
    } })
}

pub(crate) fn signature(body: &[u8], secret: &str, time_s: i64) -> String {
    let keyed = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    let mac = keyed.chain_update(time_s.to_string()).chain_update(".").chain_update(body).finalize().into_bytes();
    format!("t={time_s},v1={}", hex(&mac))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// One that sends for itself, one that signs and sends for an org.
fn clients() -> Clients {
    let hash = |token: &str| hex(&Sha256::digest(token.as_bytes()));
    let text = json!([
        { "id": "flows", "tokenHashes": [hash(TOKEN)], "pathTokenHashes": [hash(PATH_TOKEN)] },
        { "id": "identity-service", "source": "crm", "org": "acme", "tokenHashes": [hash(SIGNER_TOKEN)],
          "authoritative": true, "secrets": SECRETS },
    ]);
    Clients::parse(&text.to_string()).unwrap()
}

fn settings() -> Settings {
    Settings {
        deployment: DEPLOYMENT.to_owned(),
        default_org: "default".to_owned(),
        regions: Region::US.into(),
        own_numbers: Vec::new(),
        switches: Switches::default(),
        numeric_id_sources: Vec::new(),
        limits: Limits { cap: 5_000, busy: 5_000 },
    }
}

/// The log of all tests of this binary.
pub(crate) fn captured() -> &'static Log {
    log::captured(Targets::new().with_default(LevelFilter::TRACE))
}
