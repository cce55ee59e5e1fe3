//! A deployment in memory, and the traffic that goes into it.

use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent, SqsMessage};
use flate2::Compression;
use flate2::write::GzEncoder;
use ledgerline_custody::own::{OwnItem, OwnList};
use ledgerline_custody::subjects::Limits;
use ledgerline_event::catalogue::Switches;
use ledgerline_lake::bronze::{NewEvent, write_event};
use ledgerline_lambda::clock::FixedClock;
use ledgerline_privacy::{EventKey, KeyRing, PseudonymKey, SuppressionKey, SuppressionRing};
use ledgerline_store::cutoff::Cutoff;
use ledgerline_store::table::IntoValue as _;
use ledgerline_store::table::Table;
use ledgerline_store::tombstone;
use ledgerline_testkit::bucket::FakeBucket;
use ledgerline_testkit::calls::Calls;
use ledgerline_testkit::faults::Faults;
use ledgerline_testkit::log::{self, LevelFilter, Log, Targets};
use ledgerline_testkit::plans::{self, Planned, check_plans};
use ledgerline_testkit::queue::FakeQueue;
use ledgerline_testkit::table::FakeTable;
use ledgerline_testkit::wrapping::put_month_keys;
use ledgerline_transform::config::{Config, Keys, Settings};
use ledgerline_transform::handle;
use ledgerline_transform::stores::{Ports, Stores};
use serde_json::json;

/// 2026-03-02T14:00:00Z.
pub(crate) const T0: i64 = 1_772_460_000_000;
/// Its month.
pub(crate) const MONTH: &str = "2026-03";
pub(crate) const BUCKET: &str = "bronze";
pub(crate) const DEPLOYMENT: &str = "test";

/// All stores of a deployment.
#[derive(Clone)]
pub(crate) struct World {
    pub(crate) faults: Faults,
    pub(crate) calls: Calls,
    pub(crate) bronze: FakeBucket,
    pub(crate) lake: FakeBucket,
    pub(crate) staged: FakeBucket,
    pub(crate) control: FakeTable,
    pub(crate) index: FakeTable,
    pub(crate) keys: FakeTable,
    pub(crate) queue: FakeQueue,
    pub(crate) erase_queue: FakeQueue,
    pub(crate) limits: Limits,
    pub(crate) switches: Switches,
    /// The parameter `OwnNumbers`.
    pub(crate) own_numbers: Vec<OwnItem>,
    /// The keys of pseudonyms, unless they are the settings' own.
    pub(crate) pseudonyms: Option<KeyRing>,
    random: Arc<AtomicU64>,
    now_ms: Arc<AtomicU64>,
    /// How many messages were delivered.
    delivered: Arc<AtomicU64>,
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with(Faults::none())
    }

    pub(crate) fn with(faults: Faults) -> Self {
        captured();
        let calls = Calls::of_function("transform");
        let bucket = |name| FakeBucket::new(name, faults.clone(), calls.clone(), T0);
        let table = |name| FakeTable::new(name, faults.clone(), calls.clone());
        let (control, keys) = (table("ControlTable"), table("KeysTable"));
        put_month_keys(&control, DEPLOYMENT, &[MONTH]);
        keys.forbids_gone_of(&control);
        Self {
            bronze: FakeBucket::versioned("BronzeBucket", faults.clone(), calls.clone(), T0),
            lake: bucket("LakeBucket"),
            staged: bucket("StagedBucket"),
            control,
            index: table("IndexTable"),
            keys,
            queue: FakeQueue::new("LedgerQueue", faults.clone(), calls.clone()),
            erase_queue: FakeQueue::new("EraseQueue", faults.clone(), calls.clone()),
            limits: Limits { cap: 5000, busy: 1_000_000 },
            switches: Switches::default(),
            own_numbers: Vec::new(),
            pseudonyms: None,
            random: Arc::default(),
            now_ms: Arc::new(AtomicU64::new(T0 as u64 + 60_000)),
            delivered: Arc::default(),
            faults,
            calls,
        }
    }

    /// The same, where subjects have other ids than in any other world: what is logged of them tells them apart.
    pub(crate) fn seeded(seed: u64) -> Self {
        let world = Self::new();
        world.random.store(seed, Ordering::SeqCst);
        world
    }

    /// The control table as others have it: past faults and counts.
    pub(crate) fn others_control(&self) -> Arc<dyn Table> {
        self.control.seen_by(Faults::none(), Calls::default()).port()
    }

    /// The instant of the next delivery.
    pub(crate) fn set_now_ms(&self, now_ms: i64) {
        self.now_ms.store(now_ms as u64, Ordering::SeqCst);
    }

    /// Delivers one message per key and returns the ids of those that come back. Time has gone on since the last.
    pub(crate) async fn deliver(&self, keys: &[&str]) -> Vec<String> {
        let messages: Vec<String> = keys.iter().map(|key| notification(key)).collect();
        self.deliver_bodies(&messages.iter().map(String::as_str).collect::<Vec<_>>()).await
    }

    pub(crate) async fn deliver_bodies(&self, bodies: &[&str]) -> Vec<String> {
        let now_ms = self.now_ms.fetch_add(1_000, Ordering::SeqCst) as i64;
        self.delivered.fetch_add(bodies.len() as u64, Ordering::SeqCst);
        let mut settings = settings();
        settings.pseudonyms = self.pseudonyms.clone().unwrap_or(settings.pseudonyms);
        let own_numbers = OwnList::of(&self.own_numbers, Some(&settings.pseudonyms));
        let settings = Settings { switches: self.switches.clone(), limits: self.limits, own_numbers, ..settings };
        let response = handle(&self.stores(), &settings, &FixedClock(now_ms), now_ms + 300_000, batch(bodies)).await;
        failures(&response)
    }

    /// Delivers until nothing comes back.
    pub(crate) async fn settle(&self, keys: &[&str]) {
        for _ in 0..10 {
            if self.deliver(keys).await.is_empty() {
                return;
            }
        }
        panic!("messages keep coming back");
    }

    pub(crate) fn check(&self) -> Planned {
        let Self { bronze, lake, staged, control, index, keys, queue, .. } = self;
        let (event_key, default_org) = (&event_key(), "acme");
        let planned = check_plans(
            plans::Stores {
                bronze,
                lake,
                staged,
                rows: control,
                index,
                keys,
                queue,
                event_key,
                default_org,
                deployment: DEPLOYMENT,
            },
            BUCKET,
        );
        // Where no run was interrupted, lost to another or met an erasure, no row of keys is left over.
        if self.delivered.load(Ordering::SeqCst) <= planned.objects as u64 && self.erase_queue.bodies().is_empty() {
            assert_eq!(planned.unnamed.rows, 0, "rows of keys that no plan names");
        }
        planned
    }

    /// Everything that is stored anywhere but in bronze and its quarantine, unpacked, as one text.
    pub(crate) fn everything_but_bronze(&self) -> String {
        let mut all = [self.control.dump(), self.index.dump(), self.keys.dump()].concat();
        for message in self.queue.messages() {
            all.push_str(&format!("{message:?}\n"));
        }
        all.push_str(&self.erase_queue.bodies().concat());
        for (key, bytes) in self.staged.under("").into_iter().chain(self.lake.under("")) {
            all.push_str(&key);
            let mut unpacked = Vec::new();
            let mut decoder = flate2::read::MultiGzDecoder::new(&bytes[..]);
            match std::io::Read::read_to_end(&mut decoder, &mut unpacked) {
                Ok(_) => all.push_str(&String::from_utf8_lossy(&unpacked)),
                Err(_) => all.push_str(&readable(&bytes)),
            }
        }
        all
    }

    /// Plants a tombstone under the world's suppression key, as an erasure would, between two calls of anybody's.
    pub(crate) fn plant(&self, org: &str, pseudonym: &str, cutoff_ms: i64, expires_at_ms: i64) {
        for name in settings().suppression.tombstones(org, pseudonym) {
            let row = [
                ("cutoff".to_owned(), Cutoff::At(cutoff_ms).to_text().into_value()),
                ("ttl".to_owned(), (expires_at_ms / 1_000).into_value()),
            ];
            self.control.change(&tombstone::key(&name), |stored| stored.extend(row));
        }
    }

    /// The families as a cold start has them: no list of own numbers was read yet.
    pub(crate) fn stores(&self) -> Stores {
        let ports = Ports {
            control: self.control.port(),
            index: self.index.port(),
            keys: self.keys.port(),
            bronze: self.bronze.port(),
            lake: self.lake.port(),
            staged: self.staged.port(),
            queue: self.queue.port(),
            erase_queue: self.erase_queue.port(),
        };
        let random = self.random.clone();
        let fill = move |buffer: &mut [u8]| {
            if buffer.len() == 8 {
                // Jitter: no pause, so that no test waits.
                return buffer.fill(0);
            }
            for chunk in buffer.chunks_mut(8) {
                let next = random.fetch_add(0x9E37_79B9_7F4A_7C15, Ordering::SeqCst);
                let mixed = (next ^ next >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
                chunk.copy_from_slice(&mixed.to_le_bytes()[..chunk.len()]);
            }
        };
        Stores::new(ports, Box::new(fill))
    }
}

/// Lets others go on so many times.
pub(crate) async fn turns(later: usize) {
    for _ in 0..later {
        tokio::task::yield_now().await;
    }
}

/// Random bytes that are never twice the same.
pub(crate) fn counting() -> impl Fn(&mut [u8]) + Send + Sync {
    let drawn = AtomicU64::new(0);
    move |buffer| {
        buffer.fill(1);
        let number = drawn.fetch_add(1, Ordering::SeqCst).to_be_bytes();
        buffer.iter_mut().zip(number).for_each(|(byte, drawn)| *byte = drawn);
    }
}

/// A Parquet file's rows as text: values lie in compressed pages.
fn readable(parquet: &bytes::Bytes) -> String {
    use parquet::file::reader::FileReader as _;
    let reader = parquet::file::reader::SerializedFileReader::new(parquet.clone()).unwrap();
    reader.get_row_iter(None).unwrap().map(|row| format!("{}\n", row.unwrap())).collect()
}

pub(crate) fn settings() -> Settings {
    let config = Config {
        deployment_id: DEPLOYMENT.into(),
        default_org: "acme".into(),
        regions: ledgerline_privacy::Region::US.into(),
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
        limits: Limits { cap: 5000, busy: 100 },
    };
    let pseudonyms = KeyRing::new([PseudonymKey::new(1, [1; 32])]).unwrap();
    let suppression = SuppressionRing::new([SuppressionKey::new(1, [3; 32])]).unwrap();
    config.settings(Keys { pseudonyms, event_key: event_key(), suppression })
}

pub(crate) fn event_key() -> EventKey {
    EventKey::new([2; 32])
}

pub(crate) fn batch(bodies: &[&str]) -> SqsEvent {
    let message = |(n, body): (usize, &&str)| {
        let mut message = SqsMessage::default();
        message.message_id = Some(format!("m{n}"));
        message.body = Some((*body).to_owned());
        message
    };
    let mut event = SqsEvent::default();
    event.records = bodies.iter().enumerate().map(message).collect();
    event
}

pub(crate) fn failures(response: &SqsBatchResponse) -> Vec<String> {
    response.batch_item_failures.iter().map(|failure| failure.item_identifier.clone()).collect()
}

pub(crate) fn record(bucket: &str, encoded_key: &str) -> serde_json::Value {
    json!({"eventName": "ObjectCreated:Put", "s3": {"bucket": {"name": bucket}, "object": {"key": encoded_key}}})
}

/// A notification as S3 sends it, key encoded.
pub(crate) fn notification(key: &str) -> String {
    json!({"Records": [record(BUCKET, &key.replace('=', "%3D"))]}).to_string()
}

pub(crate) fn key(name: &str) -> String {
    format!("bronze/event_type=interaction/year=2026/month=03/day=02/hour=14/{name}")
}

/// A conversation's n-th event, with the caller's number and more that is personal in it.
pub(crate) fn event(conversation: u32, nth: u32) -> String {
    let id = conversation_id(conversation);
    let (topic, extra) = match nth % 4 {
        0 => ("customer.start", json!({"ani": caller(conversation), "dnis": "tel:+15555550000"})),
        1 => ("acd.start", json!({"queueId": "8b315b72-a4ce-5e30-a09f-addad0059a02"})),
        2 => (
            "attributes",
            json!({"attributes": {" customer name": "Ludmila Zaborowska", "phone": caller(conversation)}}),
        ),
        _ => {
            ("customer.end", json!({"ani": caller(conversation), "dnis": "tel:+15555550000", "disconnectType": "PEER"}))
        }
    };
    let mut body = json!({
        "eventTime": T0 + i64::from(conversation) * 1_000 + i64::from(nth) * 10,
        "conversationId": id,
        "participantId": "23dd97f1-c50f-57b8-933b-83b5600a98c3",
        "sessionId": "4c7ab29e-0f03-51b9-8a86-cbb493eedfd5",
        "mediaType": "VOICE",
        "provider": "Edge",
        "direction": "INBOUND",
        "unknownField": "Ludmila Zaborowska called",
    });
    body.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
    json!({
        "version": "0",
        "id": format!("00000000-0000-4000-8000-{conversation:06}{nth:06}"),
        "detail-type": format!("v2.detail.events.conversation.{{id}}.{topic}"),
        "source": "aws.partner/genesys.com/cloud/acme/fixture",
        "time": "2026-03-02T14:00:00Z",
        "detail": {"topicName": format!("v2.detail.events.conversation.{id}.{topic}"), "version": "2", "eventBody": body},
    })
    .to_string()
}

pub(crate) fn conversation_id(conversation: u32) -> String {
    format!("11111111-1111-4111-8111-{conversation:012}")
}

pub(crate) fn caller(conversation: u32) -> String {
    format!("tel:+1555555{:04}", 100 + conversation % 50)
}

pub(crate) fn line(raw: &str) -> Vec<u8> {
    let mut out = Vec::new();
    write_event(
        &NewEvent {
            org: "acme",
            lineage_token: Some("bd86e063-8107-5582-8732-b94e6fbe5587"),
            received_at_ms: T0 + 30_000,
            occurred_at_ms: Some(T0),
            source: None,
            replayed: 0,
            cut: &[],
            raw: raw.as_bytes(),
            has_line_break: false,
        },
        &mut out,
    );
    out
}

pub(crate) fn lines(raws: &[String]) -> Vec<u8> {
    raws.iter().flat_map(|raw| line(raw)).collect()
}

/// Gzip of several members, cut in the middle of lines.
pub(crate) fn gzip(bytes: &[u8], members: usize) -> Vec<u8> {
    let size = bytes.len().div_ceil(members).max(1);
    let member = |part: &[u8]| {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(part).unwrap();
        encoder.finish().unwrap()
    };
    bytes.chunks(size).flat_map(member).collect()
}

/// The log of all tests of this binary.
pub(crate) fn captured() -> &'static Log {
    // What metrics count, too; else the simulation's lines would fill the memory.
    log::captured(Targets::new().with_default(LevelFilter::WARN).with_target("ledgerline_lambda", LevelFilter::INFO))
}

/// How many new links `busy subject` told of a subject, line by line.
pub(crate) fn busy(subject: &str) -> Vec<u64> {
    let lines = captured().lines();
    let ours = lines.iter().filter(|line| line["message"] == "busy subject" && line["subject"] == subject);
    ours.map(|line| line["links"].as_u64().unwrap()).collect()
}
