//! The entry: one line of a ledger, RFC 8785 JSON, version 1.
//!
//! Invariant: a [`Line`] is canonical, holds no newline, and names its org, record, time and origin in valid form; it is
//! made from a [`PendingEntry`] or checked by [`Line::check`], never otherwise. An entry becomes a [`SequencedEntry`]
//! only by its place in a committed segment. Readers ignore additions that they do not know.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::{Map, Number, Value, json};

use crate::canonical::{self, CanonicalError, MAX_SAFE_INTEGER};
use crate::log::{MAX_ORG_CHARS, is_name};
use crate::tree::{Hash, leaf_hash};

pub(crate) mod scan;
mod sealed;

pub use sealed::{BLOCK_CHARS, Block, Party, Sealed, SealedError};

/// The version this crate writes, and the only one so far.
pub const VERSION: u64 = 1;
/// Longest canonical line. An entry carries codes, ids and durations, never free text: typically 700 bytes. Beside them it
/// has up to three sealed blocks: typically 1,000 bytes, and 98.4 KB at their largest. A whole 1,000 KiB source event could
/// not be reduced to more than this without free text.
pub const MAX_LINE_BYTES: usize = 256 * 1024;
/// The word in `timeFrom`: the time is that of the envelope which carried the event.
pub const TIME_FROM_ENVELOPE: &str = "envelope";

/// What an entry is about: an interaction, or an entity when the event has none.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Record {
    /// An interaction id.
    Interaction(String),
    /// An entity's type and id.
    Entity {
        /// The entity's type.
        kind: String,
        /// The entity's id.
        id: String,
    },
}

impl Record {
    /// The record's key in the tables: `<org>/<interaction id>` or `<org>/<entity type>/<entity id>`.
    pub fn key(&self, org: &str) -> String {
        match self {
            Self::Interaction(id) => format!("{org}/{id}"),
            Self::Entity { kind, id } => format!("{org}/{kind}/{id}"),
        }
    }

    fn is_valid(&self) -> bool {
        match self {
            Self::Interaction(id) => is_record_part(id),
            Self::Entity { kind, id } => is_record_part(kind) && is_record_part(id),
        }
    }
}

/// A clear value of an entry. There is no conversion from text: the masking policy's result is written out arm by arm.
#[derive(Debug, Clone, PartialEq)]
pub enum Field {
    /// A closed-vocabulary word, a UUID, a time: whatever the policy called harmless.
    Text(String),
    /// A whole number; beyond ±(2^53 − 1) it is stored as a string.
    Int(i64),
    /// A finite double; beyond ±(2^53 − 1) it is stored as a string. Not-a-number and infinities become null.
    Float(f64),
    /// A flag.
    Bool(bool),
    /// Several of them.
    List(Vec<Field>),
}

impl Field {
    fn to_json(&self) -> Value {
        match self {
            Self::Text(text) => Value::String(text.clone()),
            Self::Int(integer) if integer.unsigned_abs() <= MAX_SAFE_INTEGER => json!(integer),
            Self::Int(integer) => Value::String(integer.to_string()),
            Self::Float(double) if double.abs() > MAX_SAFE_INTEGER as f64 => Value::String(double.to_string()),
            Self::Float(double) => Number::from_f64(*double).map_or(Value::Null, Value::Number),
            Self::Bool(flag) => Value::Bool(*flag),
            Self::List(items) => Value::Array(items.iter().map(Self::to_json).collect()),
        }
    }
}

/// Where in bronze the source event lies.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Source {
    /// The bronze object's id (32 hex digits).
    pub object: String,
    /// The line in it, from 0.
    pub line: u64,
}

/// An entry that has no place in a log yet. Every value in it has passed the masking policy.
#[derive(Debug, Clone, PartialEq)]
pub struct PendingEntry {
    /// The event's id (32 hex digits), which follows from `source` and from nothing else.
    pub event_id: String,
    /// The org that the event came from.
    pub org: String,
    /// The event type, such as `customer.start`.
    pub event_type: String,
    /// The activity's name for process mining.
    pub activity: String,
    /// The interaction or entity.
    pub record: Record,
    /// When it occurred: RFC 3339, UTC, exactly three decimals.
    pub occurred_at: String,
    /// Whether that time is the envelope's, for want of one of the event's own.
    pub time_from_envelope: bool,
    /// Whether the source wrote that time without an offset, so that it was taken as UTC.
    pub zone_assumed: bool,
    /// Whether it came after its interaction had been completed.
    pub late: bool,
    /// Clear fields by canonical name.
    pub fields: BTreeMap<String, Field>,
    /// Names of the fields that were masked: they are neither in clear nor sealed.
    pub masked: Vec<String>,
    /// What is sealed of it.
    pub sealed: Sealed,
    /// The lineage token.
    pub lineage_token: String,
    /// The source schema's version.
    pub schema_version: String,
    /// The masking policy's version.
    pub policy_version: String,
    /// Where in bronze the source event lies.
    pub source: Source,
    /// 16 random bytes, so that a line cannot be guessed from its hash.
    pub salt: [u8; 16],
}

impl PendingEntry {
    /// The canonical line, checked as a reader will check it.
    pub fn to_line(&self) -> Result<Line, EntryError> {
        let header = Header {
            event_id: self.event_id.clone(),
            org: self.org.clone(),
            record: self.record.clone(),
            occurred_at: self.occurred_at.clone(),
            object: self.source.object.clone(),
        };
        header.validate()?;
        self.sealed.check()?;
        Line::new(self.canonical_text()?, header)
    }

    /// The members one by one in canonical order, which for names in ASCII is byte order: a tree of values, built only
    /// to be sorted, written and dropped, cost transform more than everything else that it does to an event.
    fn canonical_text(&self) -> Result<String, EntryError> {
        let mut line = String::with_capacity(canonical::TYPICAL_LINE_BYTES);
        text_member(&mut line, "{\"activity\":", &self.activity);
        if let Record::Entity { kind, id } = &self.record {
            text_member(&mut line, ",\"entity\":{\"id\":", id);
            text_member(&mut line, ",\"type\":", kind);
            line.push('}');
        }
        text_member(&mut line, ",\"eventId\":", &self.event_id);
        line.push_str(",\"fields\":");
        self.write_fields(&mut line)?;
        if let Record::Interaction(id) = &self.record {
            text_member(&mut line, ",\"interactionId\":", id);
        }
        line.push_str(",\"keyIds\":[");
        for (index, id) in self.sealed.key_ids.iter().enumerate() {
            text_member(&mut line, if index > 0 { "," } else { "" }, id);
        }
        line.push(']');
        if self.late {
            line.push_str(",\"late\":true");
        }
        text_member(&mut line, ",\"lineageToken\":", &self.lineage_token);
        line.push_str(",\"masked\":[");
        for (index, name) in self.masked.iter().enumerate() {
            text_member(&mut line, if index > 0 { "," } else { "" }, name);
        }
        text_member(&mut line, "],\"occurredAt\":", &self.occurred_at);
        text_member(&mut line, ",\"org\":", &self.org);
        text_member(&mut line, ",\"policyVersion\":", &self.policy_version);
        line.push_str(",\"salt\":\"");
        URL_SAFE_NO_PAD.encode_string(self.salt, &mut line);
        text_member(&mut line, "\",\"schemaVersion\":", &self.schema_version);
        line.push_str(",\"sealed\":[");
        for (index, Block { b, k, p }) in self.sealed.blocks.iter().enumerate() {
            text_member(&mut line, if index > 0 { ",{\"b\":" } else { "{\"b\":" }, b);
            line.push_str(",\"k\":");
            canonical::write_number(&mut line, &(*k).into())?;
            text_member(&mut line, ",\"p\":", p.as_str());
            line.push('}');
        }
        line.push_str("],\"source\":{\"line\":");
        canonical::write_number(&mut line, &self.source.line.into())?;
        text_member(&mut line, ",\"object\":", &self.source.object);
        line.push('}');
        if self.time_from_envelope {
            text_member(&mut line, ",\"timeFrom\":", TIME_FROM_ENVELOPE);
        }
        text_member(&mut line, ",\"type\":", &self.event_type);
        line.push_str(",\"v\":");
        canonical::write_number(&mut line, &VERSION.into())?;
        if self.zone_assumed {
            line.push_str(",\"zoneAssumed\":true");
        }
        line.push('}');
        Ok(line)
    }

    fn write_fields(&self, line: &mut String) -> Result<(), CanonicalError> {
        if !self.fields.keys().all(|name| name.is_ascii()) {
            // The map sorts by bytes, RFC 8785 by UTF-16 code units. Names of fields are our own and ASCII.
            let fields = self.fields.iter().map(|(name, field)| (name.clone(), field.to_json())).collect();
            return canonical::write_value(line, &Value::Object(fields));
        }
        line.push('{');
        for (index, (name, field)) in self.fields.iter().enumerate() {
            text_member(line, if index > 0 { "," } else { "" }, name);
            line.push(':');
            match field {
                Field::Text(text) => canonical::write_string(line, text),
                other => canonical::write_value(line, &other.to_json())?,
            }
        }
        line.push('}');
        Ok(())
    }
}

/// A canonical line with another lineage token, canonical again: what the record of an entry that is not committed yet turned
/// out to share with others is replaced.
///
/// # Errors
/// The line is not an entry, or too long with that token.
pub fn with_lineage_token(line: &str, token: &str) -> Result<String, EntryError> {
    rewritten(line, Some(token), [])
}

/// A canonical line without what it holds sealed, and with another lineage token if there is one, canonical again: what an entry
/// that is not committed yet says of an event that an erasure covers.
///
/// # Errors
/// The line is not an entry, or too long with that token.
pub fn without_sealed(line: &str, token: Option<&str>) -> Result<String, EntryError> {
    rewritten(line, token, ["keyIds", "sealed"])
}

fn rewritten<const N: usize>(line: &str, token: Option<&str>, emptied: [&str; N]) -> Result<String, EntryError> {
    let mut entry: Map<String, Value> = serde_json::from_str(line).map_err(|_| EntryError::NotJson)?;
    entry.extend(token.map(|token| ("lineageToken".to_owned(), Value::from(token))));
    entry.extend(emptied.map(|name| (name.to_owned(), Value::Array(Vec::new()))));
    let text = canonical::to_string(&Value::Object(entry))?;
    check_text(&text)?;
    Ok(text)
}

/// Longest lineage token that is derived: a UUID.
pub const DERIVED_TOKEN_BYTES: usize = 36;

/// What comes before a text, and the text as JSON.
fn text_member(line: &mut String, before: &str, text: &str) {
    line.push_str(before);
    canonical::write_string(line, text);
}

/// The members that placing and finding an entry need.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// The event's id.
    pub event_id: String,
    /// The org.
    pub org: String,
    /// The interaction or entity.
    pub record: Record,
    /// When it occurred.
    pub occurred_at: String,
    /// The bronze object that it came from.
    pub object: String,
}

impl Header {
    fn of(entry: &Value) -> Result<Self, EntryError> {
        if entry.get("v").and_then(Value::as_u64) != Some(VERSION) {
            return Err(EntryError::UnknownVersion);
        }
        let text = |value: &Value, name: &'static str| {
            value.get(name).and_then(Value::as_str).map(str::to_owned).ok_or(EntryError::Invalid(name))
        };
        let record = match (entry.get("interactionId"), entry.get("entity")) {
            (Some(Value::String(id)), None) => Record::Interaction(id.clone()),
            (None, Some(entity)) => Record::Entity { kind: text(entity, "type")?, id: text(entity, "id")? },
            _ => return Err(EntryError::Invalid("interactionId or entity")),
        };
        let source = entry.get("source").ok_or(EntryError::Invalid("source"))?;
        let header = Self {
            event_id: text(entry, "eventId")?,
            org: text(entry, "org")?,
            record,
            occurred_at: text(entry, "occurredAt")?,
            object: text(source, "object")?,
        };
        header.validate()?;
        Ok(header)
    }

    fn validate(&self) -> Result<(), EntryError> {
        let checks = [
            (is_hex_id(&self.event_id), "eventId"),
            (is_name(&self.org, MAX_ORG_CHARS), "org"),
            (self.record.is_valid(), "interactionId or entity"),
            (is_instant(&self.occurred_at), "occurredAt"),
            (is_hex_id(&self.object), "source.object"),
        ];
        checks.iter().find(|(fits, _)| !fits).map_or(Ok(()), |(_, name)| Err(EntryError::Invalid(name)))
    }
}

/// A canonical line and what was read from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    text: String,
    header: Header,
}

impl Line {
    /// Checks a stored line: JSON, canonical byte for byte, version 1, valid names.
    pub fn check(text: &str) -> Result<Self, EntryError> {
        let header = check_text(text)?;
        Line::new(text.to_owned(), header)
    }

    fn new(text: String, header: Header) -> Result<Self, EntryError> {
        if text.len() > MAX_LINE_BYTES {
            return Err(EntryError::TooLong);
        }
        Ok(Self { text, header })
    }

    /// The canonical text, without a newline.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The canonical text as its owner.
    pub fn into_text(self) -> String {
        self.text
    }

    /// What placing and finding it needs.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The RFC 6962 leaf hash over the canonical bytes.
    pub fn leaf(&self) -> Hash {
        leaf_hash(self.text.as_bytes())
    }
}

/// Checks a line without copying it.
pub(crate) fn check_text(text: &str) -> Result<Header, EntryError> {
    if text.len() > MAX_LINE_BYTES {
        return Err(EntryError::TooLong);
    }
    let entry: Value = serde_json::from_str(text).map_err(|_| EntryError::NotJson)?;
    // Duplicate names, spaces, other orders and other escapes all differ from what writing the value gives.
    if canonical::to_string(&entry)? != text {
        return Err(EntryError::NotCanonical);
    }
    let header = Header::of(&entry)?;
    Sealed::deserialize(&entry).map_err(|_| EntryError::Invalid("keyIds or sealed"))?.check()?;
    Ok(header)
}

/// A line at its place in a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SequencedEntry {
    /// Its index in the log, from 0.
    pub index: u64,
    /// The canonical text.
    pub text: String,
}

impl SequencedEntry {
    /// The RFC 6962 leaf hash.
    pub fn leaf(&self) -> Hash {
        leaf_hash(self.text.as_bytes())
    }

    /// The entry's members.
    pub fn entry(&self) -> Result<Entry, EntryError> {
        Entry::read(self.text.as_bytes())
    }
}

/// A stored entry as a reader sees it. Unknown members are ignored.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// The format's version.
    pub v: u64,
    /// The event's id.
    pub event_id: String,
    /// The org.
    pub org: String,
    /// The event type.
    #[serde(rename = "type")]
    pub event_type: String,
    /// The activity's name.
    pub activity: String,
    /// The interaction, unless the entry is about an entity.
    #[serde(default)]
    pub interaction_id: Option<String>,
    /// The entity, unless the entry is about an interaction.
    #[serde(default)]
    pub entity: Option<EntityRef>,
    /// When it occurred.
    pub occurred_at: String,
    /// Where that time is from, unless it is the event's own: [`TIME_FROM_ENVELOPE`].
    #[serde(default)]
    pub time_from: Option<String>,
    /// Whether the source wrote that time without an offset, so that it was taken as UTC.
    #[serde(default)]
    pub zone_assumed: bool,
    /// Whether it came after its interaction had been completed.
    #[serde(default)]
    pub late: bool,
    /// Clear fields by canonical name.
    #[serde(default)]
    pub fields: Map<String, Value>,
    /// Names of masked fields.
    #[serde(default)]
    pub masked: Vec<String>,
    /// The ids of the keys that seal its blocks; without blocks, of keys that an erasure destroyed, which is what its act says.
    pub key_ids: Vec<String>,
    /// The sealed blocks.
    pub sealed: Vec<Block>,
    /// The lineage token.
    pub lineage_token: String,
    /// The source schema's version.
    pub schema_version: String,
    /// The masking policy's version.
    pub policy_version: String,
    /// Where in bronze the source event lies.
    pub source: Source,
}

/// An entity as it stands in an entry.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct EntityRef {
    /// The entity's type.
    #[serde(rename = "type")]
    pub kind: String,
    /// The entity's id.
    pub id: String,
}

impl Entry {
    /// Reads a stored line of version 1.
    pub fn read(line: &[u8]) -> Result<Self, EntryError> {
        let entry: Self = serde_json::from_slice(line).map_err(|_| EntryError::NotJson)?;
        if entry.v != VERSION {
            return Err(EntryError::UnknownVersion);
        }
        Ok(entry)
    }

    /// The interaction or entity; `None` if the line names neither or both.
    pub fn record(&self) -> Option<Record> {
        match (&self.interaction_id, &self.entity) {
            (Some(id), None) => Some(Record::Interaction(id.clone())),
            (None, Some(entity)) => Some(Record::Entity { kind: entity.kind.clone(), id: entity.id.clone() }),
            _ => None,
        }
    }

    /// Each sealed block with the id of its key; none whose place names no key id, which no checked line has.
    pub fn blocks(&self) -> impl Iterator<Item = (&Block, &str)> {
        self.sealed.iter().filter_map(|block| Some((block, self.key_ids.get(block.k)?.as_str())))
    }
}

/// Why a line is no entry. Names members, never values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EntryError {
    /// No JSON, or not an entry's JSON.
    #[error("the line is not an entry's JSON")]
    NotJson,
    /// JSON, but not the canonical bytes of it.
    #[error("the line is not canonical (RFC 8785)")]
    NotCanonical,
    /// A version that this reader does not know.
    #[error("the entry has an unknown version")]
    UnknownVersion,
    /// A member is missing or has an invalid form.
    #[error("the entry's {0} is missing or invalid")]
    Invalid(&'static str),
    /// What it holds sealed has not the form that it must have.
    #[error(transparent)]
    Sealed(#[from] SealedError),
    /// Longer than [`MAX_LINE_BYTES`].
    #[error("the line is longer than an entry may be")]
    TooLong,
    /// No canonical form.
    #[error(transparent)]
    Canonical(#[from] CanonicalError),
}

fn is_hex_id(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

fn is_record_part(text: &str) -> bool {
    (1..=MAX_RECORD_CHARS).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b':' | b'-'))
}

/// `YYYY-MM-DDTHH:MM:SS.mmmZ`: text order is time order.
fn is_instant(text: &str) -> bool {
    text.len() == INSTANT_SHAPE.len()
        && text.bytes().zip(INSTANT_SHAPE.bytes()).all(|(byte, shape)| match shape {
            b'0' => byte.is_ascii_digit(),
            other => byte == other,
        })
}

const INSTANT_SHAPE: &str = "0000-00-00T00:00:00.000Z";
const MAX_RECORD_CHARS: usize = 128;

#[cfg(test)]
pub(crate) mod tests;
