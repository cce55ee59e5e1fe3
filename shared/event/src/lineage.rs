//! The lineage token, which ties an interaction's records together over all systems, and its provenance.
//!
//! Invariant: a token is never masked, so only what looks like a token is taken for one; anything else a source puts
//! into the field (a name, a number, a sentence) is ignored and the token is derived from the record's id. Provenance
//! is written in one form of at most 512 characters; every earlier form is read.

use ledgerline_json::{Json, Object};
use serde_json::{Map, json};
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
/// closed list or without; or, with such a prefix alone, a short number or a short hexadecimal one (`lt-98765`). Names, longer
/// numbers and sentences are none of these; free base64 or a free prefix may spell one, and a digest of 40 or 64 digits may be
/// a telephone number's.
pub fn looks_like_token(text: &str) -> bool {
    let prefixed = |rest: &str| is_token(rest) || is_short_number(rest.as_bytes());
    text.len() <= TOKEN_BYTES_MAX && (is_token(text) || without_prefix(text).is_some_and(prefixed))
}

/// What a source put where a token belongs.
pub(crate) enum Sent<'a> {
    /// A token.
    Token(&'a str),
    /// A token with what was done to its record.
    Provenance(Box<Provenance>),
    /// Something that may be personal.
    Refused(String),
    /// Nothing at all.
    Nothing,
}

/// Reads what a source put where a token belongs.
pub(crate) fn sent<'a>(value: &'a Json<'a>) -> Sent<'a> {
    match value {
        Json::String(text) if text.trim().is_empty() => Sent::Nothing,
        Json::String(text) if looks_like_token(text) => Sent::Token(text),
        Json::Null | Json::Bool(_) => Sent::Nothing,
        _ => match (Provenance::read(value), value) {
            (Some(provenance), _) => Sent::Provenance(Box::new(provenance)),
            // What was wrapped is refused by itself, so that every wrapping of it is found alike.
            (None, Json::String(text)) => {
                let wrapped = in_text(text).and_then(|inner| Provenance::refused_id(&inner, NESTED_MAX));
                Sent::Refused(wrapped.unwrap_or_else(|| text.clone().into_owned()))
            }
            (None, Json::Number(number)) => Sent::Refused(number.lexeme().to_owned()),
            (None, object) => Provenance::refused_id(object, NESTED_MAX).map_or(Sent::Nothing, Sent::Refused),
        },
    }
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

/// One to six decimal digits, fewer than any telephone number has; or 8 to 31 hexadecimal ones, at least one of them a letter, and
/// never more than six decimal ones in a row.
fn is_short_number(b: &[u8]) -> bool {
    let decimal = (1..=6).contains(&b.len()) && b.iter().all(u8::is_ascii_digit);
    let hexadecimal = (8..=31).contains(&b.len()) && b.iter().all(u8::is_ascii_hexdigit);
    let runs = || b.split(u8::is_ascii_alphabetic).map(<[u8]>::len);
    decimal || (hexadecimal && b.iter().any(u8::is_ascii_alphabetic) && runs().all(|run| run <= 6))
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

/// JSON in texts and ids in ids, one inside the other, that are followed. The guides' middleware, passed twice, makes four.
const NESTED_MAX: u8 = 4 * 2;
/// Longest text that is looked into: provenance has 512 characters, and every level of JSON in JSON may double them.
const TEXT_BYTES_MAX: usize = 16 * 1024;

/// The JSON object or text in a text.
fn in_text(text: &str) -> Option<Json<'_>> {
    let holds_json = text.len() <= TEXT_BYTES_MAX && text.trim_start().starts_with(['{', '"']);
    if holds_json { ledgerline_json::parse(text.as_bytes()).ok() } else { None }
}

fn id_in<'t, 'a>(object: &'t Object<'a>) -> Option<&'t Json<'a>> {
    ["id", "token", "lineageToken"].iter().find_map(|key| object.get(key)).filter(|id| !id.is_null())
}

/// The version that [`Provenance::write`] writes.
pub const PROVENANCE_VERSION: &str = "1.1";
/// Who the provenance says processed an event.
pub const PROCESSOR: &str = "ledgerline/transform";
/// The status of an event that was processed.
pub const PROCESSED: &str = "processed";
/// The status that an answer gives of an event that an erasure covers; no stored row has it.
pub const ERASED: &str = "erased";

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

    /// Reads any form: a bare token, the object, either of them as JSON in a string, and that again, with members that later
    /// minor versions add. Middleware that is passed twice puts the whole into the `id` of another: the innermost is the token, what is
    /// told of it is the outermost. `None` if there is no token in it.
    pub fn read(value: &Json<'_>) -> Option<Self> {
        Self::read_nested(value, NESTED_MAX)
    }

    fn read_nested(value: &Json<'_>, nested: u8) -> Option<Self> {
        match value {
            Json::Object(object) => Self::read_object(object, nested),
            Json::String(text) if looks_like_token(text) => Some(Self::bare(text)),
            Json::String(text) if nested > 0 => Self::read_nested(&in_text(text)?, nested - 1),
            _ => None,
        }
    }

    fn read_object(object: &Object<'_>, nested: u8) -> Option<Self> {
        let id = id_in(object)?;
        let token = Self::read_nested(id, nested.checked_sub(1)?)?.token;
        let metadata = object.get("metadata").and_then(Json::as_object).unwrap_or(object);
        let text = |key: &str| metadata.get(key).and_then(Json::as_str).map(str::to_owned);
        let version = match metadata.get("version") {
            Some(Json::String(version)) => version.clone().into_owned(),
            Some(Json::Number(version)) => version.lexeme().to_owned(),
            _ => "1.0".to_owned(),
        };
        Some(Self {
            version,
            processed_at_ms: metadata.get("processedAt").and_then(crate::instant::parse_value),
            processor_id: text("processorId"),
            status: text("status"),
            masked: read_masked(metadata.get("masked")),
            ..Self::bare(&token)
        })
    }

    /// What stands for a token in an object that holds none.
    fn refused_id(object: &Json<'_>, nested: u8) -> Option<String> {
        let nested = nested.checked_sub(1)?;
        Self::refused_in(id_in(object.as_object()?)?, nested)
    }

    fn refused_in(id: &Json<'_>, nested: u8) -> Option<String> {
        match id {
            Json::Number(number) => Some(number.lexeme().to_owned()),
            Json::Object(_) => Self::refused_id(id, nested),
            Json::String(text) => match in_text(text) {
                Some(inner) => Self::refused_in(&inner, nested.checked_sub(1)?),
                None => Some(text.clone().into_owned()),
            },
            _ => None,
        }
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

fn read_masked(masked: Option<&Json<'_>>) -> Masked {
    match masked {
        Some(Json::Array(names)) => {
            Masked::Names(names.iter().filter_map(|name| name.as_str().map(str::to_owned)).collect())
        }
        Some(Json::Object(counted)) => Masked::Count {
            count: counted.get("count").and_then(Json::as_u64).unwrap_or_default(),
            policy: counted.get("policy").and_then(Json::as_str).unwrap_or_default().to_owned(),
        },
        _ => Masked::Names(Vec::new()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn read_form(form: &Value) -> Option<Provenance> {
        let text = form.to_string();
        Provenance::read(&ledgerline_json::parse(text.as_bytes()).unwrap())
    }

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
            "lt-98765",
            "trace_7",
            "id:00f067aa0ba902b7",
            "corr.DEADBEEF01",
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
            "98765",
            "lt-15555550142",
            "lt-jane-doe",
            "lt-1234567",
            "lt-12345678",
            "lt-",
            "lt-deadbee",
            "id-15555550142e",
            "corr-beadface-cafe",
            "jane-98765",
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
            assert_eq!(read_form(form).map(|read| read.token).as_deref(), Some(TOKEN), "{form}");
        }
        // What passed the same middleware again, and again.
        let mut passed = json!({"id": "lt-98765", "metadata": {"status": "0"}});
        for time in 1..=3 {
            passed = json!({"id": passed.to_string(), "metadata": {"status": time.to_string()}});
            let read = read_form(&json!(passed.to_string())).unwrap();
            assert_eq!((read.token.as_str(), read.status), ("lt-98765", Some(time.to_string())));
        }
        for _ in 0..20 {
            passed = json!({"id": passed.clone()});
        }
        assert_eq!(read_form(&passed), None);
        let read = read_form(&object).unwrap();
        assert_eq!(read.version, "1.7");
        assert_eq!(read.processed_at_ms, Some(1_772_460_000_000));
        assert_eq!(read.masked, Masked::Names(vec!["ani".to_owned()]));
        for none in [json!(null), json!(7), json!("John Smith"), json!({"id": "John Smith"}), json!("{\"id\":")] {
            assert_eq!(read_form(&none), None, "{none}");
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
            let read = read_form(&json!(text)).unwrap();
            assert_eq!((read.token.as_str(), read.processed_at_ms), (TOKEN, written.processed_at_ms));
            match read.masked {
                Masked::Names(read_names) => assert_eq!(read_names.len(), names),
                Masked::Count { count, policy } => assert_eq!((count, policy.len()), (names as u64, 64)),
            }
        }
    }
}
