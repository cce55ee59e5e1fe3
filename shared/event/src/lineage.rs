//! The lineage token, which ties an interaction's records together over all systems, and its provenance.
//!
//! Invariant: a token is never masked, so only what looks like a token is taken for one; anything else a source puts
//! into the field (a name, a number, a sentence) is ignored and the token is derived from the record's id. Provenance
//! is written in one form of at most 512 characters; every earlier form is read.

use serde_json::{Map, Value, json};
use uuid::Uuid;

/// The UUIDv5 namespace of derived tokens: UUIDv5 of `lineage.ledgerline` in the DNS namespace. Fixed for
/// ever: tokens derived at different times must agree.
pub const NAMESPACE: Uuid = Uuid::from_u128(0xBD86_E063_8107_5582_8732_B94E_6FBE_5587);
/// Longest token that a source may send.
const TOKEN_BYTES_MAX: usize = 128;
/// Longest provenance: some sources' custom fields end there.
pub const PROVENANCE_CHARS_MAX: usize = 512;

/// The token of a record whose source sent none.
pub fn derived_token(record_id: &str) -> String {
    let mut text = [0; 36];
    write_derived_token(record_id, &mut text).to_owned()
}

/// [`derived_token`] without an allocation.
pub fn write_derived_token<'a>(record_id: &str, text: &'a mut [u8; 36]) -> &'a str {
    Uuid::new_v5(&NAMESPACE, record_id.as_bytes()).hyphenated().encode_lower(text)
}

/// Whether a text is a token and nothing else: a UUID, a ULID, a W3C trace id or trace parent, each with a prefix of a
/// closed list or without. Names, numbers and sentences are none of these; free base64 or a free prefix may spell one,
/// and a digest of 40 or 64 digits may be a telephone number's.
pub fn looks_like_token(text: &str) -> bool {
    text.len() <= TOKEN_BYTES_MAX && (is_token(text) || without_prefix(text).is_some_and(is_token))
}

/// What systems put before a token.
const PREFIXES: [&str; 8] = ["lt", "lin", "lineage", "trace", "tok", "token", "corr", "id"];

fn without_prefix(text: &str) -> Option<&str> {
    let (prefix, rest) = text.split_once(['_', '-', ':', '.'])?;
    PREFIXES.contains(&prefix).then_some(rest)
}

fn is_token(text: &str) -> bool {
    let bytes = text.as_bytes();
    is_uuid(bytes) || is_trace_id(bytes) || is_ulid(bytes) || is_trace_parent(bytes)
}

fn is_uuid(b: &[u8]) -> bool {
    b.len() == 36
        && b != b"00000000-0000-0000-0000-000000000000"
        && b.iter().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => *byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

/// 32 hexadecimal digits, not all of them decimal.
fn is_trace_id(b: &[u8]) -> bool {
    b.len() == 32 && b.iter().all(u8::is_ascii_hexdigit) && b.iter().any(u8::is_ascii_alphabetic)
}

fn is_ulid(b: &[u8]) -> bool {
    let crockford = |byte: &u8| byte.is_ascii_digit() || (byte.is_ascii_uppercase() && !b"ILOU".contains(byte));
    // 48 bits of time leave the first character no more than a 7.
    b.len() == 26 && b[0] <= b'7' && b.iter().all(crockford) && b.iter().any(u8::is_ascii_alphabetic)
}

fn is_trace_parent(b: &[u8]) -> bool {
    b.len() == 55 && b.split(|byte| *byte == b'-').map(<[u8]>::len).eq([2, 32, 16, 2]) && {
        b.iter().all(|byte| *byte == b'-' || byte.is_ascii_hexdigit())
    }
}

/// Where a record came from and what was done to it, as it travels beside the data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Provenance {
    /// The lineage token.
    pub token: String,
    /// The form's version, `1.0` where the source states none.
    pub version: String,
    /// When it was processed, epoch milliseconds.
    pub processed_at_ms: Option<i64>,
    /// Which processor did it.
    pub processor_id: Option<String>,
    /// With what outcome.
    pub status: Option<String>,
    /// Which fields were masked.
    pub masked: Masked,
}

/// The masked fields: by name, or, where the names do not fit, by count and the policy's hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Masked {
    /// The names.
    Names(Vec<String>),
    /// How many, and under which policy.
    Count {
        /// How many fields.
        count: u64,
        /// The hash of the policy that says which.
        policy: String,
    },
}

/// The version that [`Provenance::write`] writes.
pub const PROVENANCE_VERSION: &str = "1.1";

impl Provenance {
    /// A bare token, the earliest form.
    fn bare(token: &str) -> Self {
        Self {
            token: token.to_owned(),
            version: "1.0".to_owned(),
            processed_at_ms: None,
            processor_id: None,
            status: None,
            masked: Masked::Names(Vec::new()),
        }
    }

    /// Reads any form: a bare token, the object, either of them as JSON in a string (once or twice over), with members
    /// that later minor versions add. `None` if there is no token in it.
    pub fn read(value: &Value) -> Option<Self> {
        Self::read_nested(value, 2)
    }

    fn read_nested(value: &Value, strings_left: u8) -> Option<Self> {
        match value {
            Value::Object(object) => Self::read_object(object),
            Value::String(text) if looks_like_token(text) => Some(Self::bare(text)),
            Value::String(text) if strings_left > 0 => {
                let inner: Value = serde_json::from_str(text).ok()?;
                Self::read_nested(&inner, strings_left - 1)
            }
            _ => None,
        }
    }

    fn read_object(object: &Map<String, Value>) -> Option<Self> {
        let token = ["id", "token", "lineageToken"].iter().find_map(|key| object.get(*key)?.as_str())?;
        if !looks_like_token(token) {
            return None;
        }
        let metadata = object.get("metadata").and_then(Value::as_object).unwrap_or(object);
        let text = |key: &str| metadata.get(key).and_then(Value::as_str).map(str::to_owned);
        let version = match metadata.get("version") {
            Some(Value::String(version)) => version.clone(),
            Some(Value::Number(version)) => version.to_string(),
            _ => "1.0".to_owned(),
        };
        Some(Self {
            version,
            processed_at_ms: metadata.get("processedAt").and_then(crate::instant::parse_value),
            processor_id: text("processorId"),
            status: text("status"),
            masked: read_masked(metadata.get("masked")),
            ..Self::bare(token)
        })
    }

    /// The stored form. A list of masked names that does not fit is written as its count and `policy_hash`; a processor
    /// id or status that still does not fit is left out.
    pub fn write(&self, policy_hash: &str) -> String {
        let whole = self.to_json(&self.masked, true);
        if fits(&whole) {
            return whole;
        }
        let counted = match &self.masked {
            Masked::Names(names) => Masked::Count { count: names.len() as u64, policy: clip(policy_hash) },
            Masked::Count { count, policy } => Masked::Count { count: *count, policy: clip(policy) },
        };
        let shorter = self.to_json(&counted, true);
        if fits(&shorter) { shorter } else { self.to_json(&counted, false) }
    }

    fn to_json(&self, masked: &Masked, everything: bool) -> String {
        let mut metadata = Map::new();
        metadata.insert("version".to_owned(), json!(PROVENANCE_VERSION));
        if let Some(at) = self.processed_at_ms {
            metadata.insert("processedAt".to_owned(), json!(crate::instant::to_rfc3339(at)));
        }
        for (key, value) in [("processorId", &self.processor_id), ("status", &self.status)] {
            if let Some(value) = value.as_ref().filter(|_| everything) {
                metadata.insert(key.to_owned(), json!(value));
            }
        }
        let masked = match masked {
            Masked::Names(names) => json!(names),
            Masked::Count { count, policy } => json!({"count": count, "policy": policy}),
        };
        metadata.insert("masked".to_owned(), masked);
        let token: String = self.token.chars().take(TOKEN_BYTES_MAX).collect();
        json!({"id": token, "metadata": metadata}).to_string()
    }
}

fn fits(text: &str) -> bool {
    text.chars().count() <= PROVENANCE_CHARS_MAX
}

/// A SHA-256 in hexadecimal has 64 characters.
fn clip(hash: &str) -> String {
    hash.chars().filter(char::is_ascii_alphanumeric).take(64).collect()
}

fn read_masked(masked: Option<&Value>) -> Masked {
    match masked {
        Some(Value::Array(names)) => {
            Masked::Names(names.iter().filter_map(|name| name.as_str().map(str::to_owned)).collect())
        }
        Some(Value::Object(counted)) => Masked::Count {
            count: counted.get("count").and_then(Value::as_u64).unwrap_or_default(),
            policy: counted.get("policy").and_then(Value::as_str).unwrap_or_default().to_owned(),
        },
        _ => Masked::Names(Vec::new()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "bd86e063-8107-5582-8732-b94e6fbe5587";

    #[test]
    fn derived_tokens_never_change() {
        // Frozen: tokens derived by earlier versions are in bronze, silver and the ledger.
        assert_eq!(derived_token("11111111-1111-4111-8111-111111111111"), "f8497fa6-8e52-5c92-984e-0446f630c77f");
        assert_eq!(NAMESPACE, Uuid::new_v5(&Uuid::NAMESPACE_DNS, b"lineage.ledgerline"));
    }

    #[test]
    fn tokens_are_told_from_what_people_write() {
        for token in [
            TOKEN,
            "lt_bd86e063-8107-5582-8732-b94e6fbe5587",
            "01ARZ3NDEKTSV4RRFFQ69G5FAV",
            "4bf92f3577b34da6a3ce929d0e0e4736",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        ] {
            assert!(looks_like_token(token), "{token}");
        }
        for other in [
            "",
            "John Smith",
            "john.smith@example.com",
            "+15555550142",
            "15555550142",
            "4111111111111111",
            "tel:+15555550142",
            "john-smith-1980-01-01",
            "a-sentence-somebody-typed-into-a-field",
            "lineage",
            "MaximilianJohannesvonMueller",
            "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
            "lt_9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
            "da39a3ee5e6b4b0d3255bfef95601890afd80709",
            "9f86d081884c7d65",
            "johnsmith-bd86e063-8107-5582-8732-b94e6fbe5587",
            "JANSMYTHBERNHARDSTRASSE123",
            "00000000-0000-0000-0000-000000000000",
            "JohnSmithBornOn19800101InBerlin",
        ] {
            assert!(!looks_like_token(other), "{other}");
        }
    }

    #[test]
    fn every_earlier_form_of_provenance_is_read() {
        let object = json!({"id": TOKEN, "metadata": {"version": "1.7", "processedAt": "2026-03-02T14:00:00Z",
            "processorId": "ivr-3", "status": "processed", "masked": ["ani"], "later": {"unknown": true}}});
        let forms = [
            json!(TOKEN),
            object.clone(),
            json!(object.to_string()),
            json!(json!(TOKEN).to_string()),
            json!(json!(object.to_string()).to_string()),
            json!({"id": TOKEN}),
            json!({"token": TOKEN, "version": 1}),
        ];
        for form in &forms {
            assert_eq!(Provenance::read(form).map(|read| read.token).as_deref(), Some(TOKEN), "{form}");
        }
        let read = Provenance::read(&object).unwrap();
        assert_eq!(read.version, "1.7");
        assert_eq!(read.processed_at_ms, Some(1_772_460_000_000));
        assert_eq!(read.masked, Masked::Names(vec!["ani".to_owned()]));
        for none in [json!(null), json!(7), json!("John Smith"), json!({"id": "John Smith"}), json!("{\"id\":")] {
            assert_eq!(Provenance::read(&none), None, "{none}");
        }
    }

    #[test]
    fn provenance_never_exceeds_its_512_characters_and_reads_back() {
        for (names, status) in [(0, 8), (10, 8), (60, 8), (500, 8), (500, 4_000)] {
            let written = Provenance {
                processed_at_ms: Some(1_772_460_000_000),
                processor_id: Some("transform".to_owned()),
                status: Some("é".repeat(status)),
                masked: Masked::Names((0..names).map(|n| format!("field_number_{n}")).collect()),
                ..Provenance::bare(TOKEN)
            };
            let text = written.write(&"a".repeat(64));
            assert!(text.chars().count() <= PROVENANCE_CHARS_MAX, "{names}: {}", text.len());
            let read = Provenance::read(&json!(text)).unwrap();
            assert_eq!((read.token.as_str(), read.processed_at_ms), (TOKEN, written.processed_at_ms));
            match read.masked {
                Masked::Names(read_names) => assert_eq!(read_names.len(), names),
                Masked::Count { count, policy } => assert_eq!((count, policy.len()), (names as u64, 64)),
            }
        }
    }
}
