//! An event on its way: the EventBridge envelope around Genesys' own, nothing around those of other systems.
//!
//! Invariant: the envelope's field names, order and types are those of the captured samples: `detail-type` keeps the
//! literal `{id}`, `topicName` has the real one, `time` is whole seconds, nothing is null.

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::Value;
use time::OffsetDateTime;
use time::macros::format_description;

use super::dice::Dice;

/// A JSON object that keeps its order, and may hold a key twice if one pushes it twice.
#[derive(Debug, Clone, Default)]
pub(super) struct Body(pub(super) Vec<(String, Value)>);

impl Body {
    pub(super) fn put(&mut self, key: &str, value: impl Into<Value>) {
        self.0.push((key.to_owned(), value.into()));
    }

    pub(super) fn get(&self, key: &str) -> Option<&Value> {
        self.0.iter().find(|(name, _)| name == key).map(|(_, value)| value)
    }

    pub(super) fn with(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.put(key, value);
        self
    }
}

impl Serialize for Body {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (key, value) in &self.0 {
            map.serialize_entry(key, value)?;
        }
        map.end()
    }
}

/// What an event is about, and who tells it.
#[derive(Debug, Clone)]
pub(super) enum Topic {
    /// `v2.detail.events.conversation.{id}.<kind>`
    Conversation(&'static str),
    /// `v2.conversations.{id}.transcription`
    Transcription,
    /// `v2.audits.entitytype.{id}.entityid.{id}`
    Audit { entity_type: &'static str },
    /// Another system's document, in the shape that silver will name as its source.
    Flat(&'static str),
}

impl Topic {
    /// The short name under which places are listed: `customer.start`, `transcription`, `audit`, `contact-row`.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Conversation(kind) | Self::Flat(kind) => kind,
            Self::Transcription => "transcription",
            Self::Audit { .. } => "audit",
        }
    }

    /// `detail-type` and `topicName`; `None` if there is no envelope to put them on.
    fn names(&self, id: &str) -> Option<(String, String)> {
        Some(match self {
            Self::Conversation(kind) => {
                let name = |id: &str| format!("v2.detail.events.conversation.{id}.{kind}");
                (name("{id}"), name(id))
            }
            Self::Transcription => {
                let name = |id: &str| format!("v2.conversations.{id}.transcription");
                (name("{id}"), name(id))
            }
            Self::Audit { entity_type } => {
                let name = |kind: &str, id: &str| format!("v2.audits.entitytype.{kind}.entityid.{id}");
                (name("{id}", "{id}"), name(entity_type, id))
            }
            Self::Flat(_) => return None,
        })
    }
}

/// One event, before it is sent (perhaps twice).
#[derive(Debug, Clone)]
pub(super) struct Event {
    pub(super) topic: Topic,
    /// Conversation id or entity id.
    pub(super) id: String,
    pub(super) occurred_ms: i64,
    /// `detail.version`: "2" everywhere, until drift strikes; nowhere without an envelope.
    pub(super) version: &'static str,
    pub(super) body: Body,
}

impl Event {
    /// What it is about, as the ledger names it: once for every document that it counts as.
    pub(super) fn records(&self) -> Vec<String> {
        match &self.topic {
            Topic::Audit { entity_type } => vec![format!("{entity_type}/{}", self.id)],
            Topic::Conversation(_) | Topic::Transcription => vec![self.id.clone()],
            Topic::Flat(_) => {
                let records = self.body.get("records").and_then(Value::as_array);
                let case = |record: &Value| record["case_id"].as_str().unwrap_or_default().to_owned();
                records.map_or_else(|| vec![self.id.clone()], |records| records.iter().map(case).collect())
            }
        }
    }

    /// The bytes of one sending. Every sending has envelope ids of its own, if any; the body is the event.
    pub(super) fn send(&self, org: &str, dice: &mut Dice, sent_ms: i64) -> Vec<u8> {
        match self.topic.names(&self.id) {
            Some(names) => self.enveloped(names, org, dice, sent_ms),
            None => bytes(&self.body),
        }
    }

    fn enveloped(
        &self,
        (detail_type, topic_name): (String, String),
        org: &str,
        dice: &mut Dice,
        sent_ms: i64,
    ) -> Vec<u8> {
        let envelope = Envelope {
            version: "0",
            id: dice.uuid(),
            detail_type,
            source: format!("aws.partner/genesys.com/cloud/{org}/ledgerline-gen"),
            account: "123456789012",
            time: whole_seconds(sent_ms),
            region: "us-east-1",
            resources: [],
            detail: Detail {
                topic_name,
                version: self.version,
                event_body: &self.body,
                metadata: Metadata { correlation_id: dice.uuid() },
                timestamp: milliseconds(sent_ms),
            },
        };
        bytes(&envelope)
    }
}

fn bytes(document: &impl Serialize) -> Vec<u8> {
    // Unwrap safety: strings, numbers and string-keyed maps, written to memory.
    #[expect(clippy::expect_used)]
    serde_json::to_vec(document).expect("a document of plain values serializes")
}

/// RFC 3339, UTC, three decimals.
pub fn milliseconds(at_ms: i64) -> String {
    format_time(at_ms, format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z"))
}

fn whole_seconds(at_ms: i64) -> String {
    format_time(at_ms, format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]Z"))
}

fn format_time(at_ms: i64, format: &[time::format_description::BorrowedFormatItem<'_>]) -> String {
    // Unwrap safety: a calendar day parsed by `time` plus some hours is within its range, and the formats need no offset.
    #[expect(clippy::expect_used)]
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(at_ms) * 1_000_000)
        .ok()
        .and_then(|at| at.format(format).ok())
        .expect("a time within the calendar formats")
}

#[derive(Serialize)]
struct Envelope<'a> {
    version: &'static str,
    id: String,
    #[serde(rename = "detail-type")]
    detail_type: String,
    source: String,
    account: &'static str,
    time: String,
    region: &'static str,
    resources: [(); 0],
    detail: Detail<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Detail<'a> {
    topic_name: String,
    version: &'static str,
    event_body: &'a Body,
    metadata: Metadata,
    timestamp: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Metadata {
    correlation_id: String,
}
