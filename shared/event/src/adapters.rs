//! From a source's document to the canonical event: one file per kind of source, tried in order.
//!
//! Invariant: drift never loses an event. Unknown members are reported by name, missing ones are simply absent, an
//! unknown version is read by the newest adapter; only a document that names no record or no time is refused. Adding
//! a source takes one file and one line in [`ADAPTERS`].

mod audit_event;
mod aws_service;
mod event_sourcing;
mod fields;
mod genesys_audit;
mod genesys_conversation;
mod genesys_transcription;
mod interaction_log;
mod kinds;
mod reading;
mod webhook;

use serde_json::Value;

use crate::document::Rejection;
use crate::source_event::{Context, SourceEvent};
pub use kinds::rank_of;
use reading::Reading;

/// One source: how its documents are recognised, and how they are read.
struct Adapter {
    /// Whether the document is this source's.
    accepts: for<'a> fn(&Reading<'a>) -> bool,
    /// Reads it.
    adapt: for<'a> fn(&Reading<'a>) -> Result<SourceEvent<'a>, Rejection>,
}

/// The registry. The first that accepts a document reads it; the last accept anything that names a conversation.
const ADAPTERS: [Adapter; 8] = [
    aws_service::ADAPTER,
    genesys_audit::ADAPTER,
    genesys_transcription::ADAPTER,
    genesys_conversation::ADAPTER,
    audit_event::ADAPTER,
    webhook::ADAPTER,
    event_sourcing::ADAPTER,
    interaction_log::ADAPTER,
];

/// Reads one document as [`crate::document::parse`] returned it.
pub fn adapt<'a>(document: &'a Value, context: &Context<'a>) -> Result<SourceEvent<'a>, Rejection> {
    let reading = Reading::of(document, context)?;
    let adapter = ADAPTERS.iter().find(|adapter| (adapter.accepts)(&reading)).ok_or(Rejection::NoRecord)?;
    (adapter.adapt)(&reading)
}

/// The organisation in the name of a Genesys partner source, `aws.partner/genesys.com/cloud/<org>/<suffix>`.
pub(crate) fn org_of_source(source: &str) -> Option<&str> {
    let rest = source.strip_prefix("aws.partner/genesys.com")?;
    let (_, rest) = rest.split_once("/cloud/")?;
    rest.split('/').next().filter(|org| is_org(org))
}

/// Whether a text may name an organisation: `[A-Za-z0-9._-]{1,64}`, and no name of a directory.
pub fn is_org(text: &str) -> bool {
    !matches!(text, "." | "..")
        && (1..=64).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
}

/// Whether a document's own member may name its organisation: a long number there is somebody's, not an organisation's.
pub(crate) fn is_stated_org(text: &str) -> bool {
    is_org(text) && !is_long_number(text)
}

/// Whether a text may be a record's id: `[A-Za-z0-9._:-]{1,128}`, and neither a person's address or number nor a word
/// for nothing, which would make one record of many. Ids are never masked.
pub fn is_record_id(text: &str) -> bool {
    let bytes = text.as_bytes();
    (1..=128).contains(&bytes.len())
        && bytes.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-' | b':'))
        && !has_address_scheme(bytes)
        && !is_long_number(text)
        && !names_nothing(text)
}

/// The entity type as it is stored: an identifier's spelling, else `Other`. It is never masked either.
pub(crate) fn entity_kind(text: &str) -> &str {
    let plain = text.len() <= 64 && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    if plain && text.starts_with(|c: char| c.is_ascii_alphabetic()) { text } else { "Other" }
}

/// Whether a text is a number as long as those of telephones, accounts and cards.
fn is_long_number(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    // A JSON integer has up to 20 digits.
    (7..=20).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit())
}

/// Whether a text is what sources write where they have no id: a word for it, zeros, or signs alone.
fn names_nothing(text: &str) -> bool {
    const WORDS: [&str; 8] = ["undefined", "null", "none", "unknown", "na", "nil", "nan", "empty"];
    WORDS.iter().any(|word| text.eq_ignore_ascii_case(word))
        || !text.bytes().any(|b| b.is_ascii_alphanumeric() && b != b'0')
}

fn has_address_scheme(bytes: &[u8]) -> bool {
    [&b"tel:"[..], b"sip:", b"sips:", b"mailto:"]
        .iter()
        .any(|scheme| bytes.len() >= scheme.len() && bytes[..scheme.len()].eq_ignore_ascii_case(scheme))
}
