//! From a source's document to the canonical event, by the description of the sources.
//!
//! Invariant: no name of a member stands here; what only code can say of a shape is a hook that the description names.

mod declared;
mod fields;
pub(crate) mod hooks;
mod identity;
mod layers;
mod numbers;
mod record;

use ledgerline_json::Json;
use ledgerline_privacy::words;

use crate::capture;
use crate::catalogue;
use crate::document::Rejection;
use crate::source_event::{Context, SourceEvent};
use declared::Reading;
use layers::Layers;

/// Reads one document as [`crate::document::parse`] returned it.
///
/// # Errors
/// It is not an object, names no record, or says nowhere when it happened in a form that can be read.
pub fn adapt<'a>(document: &'a Json<'a>, context: &Context<'a>) -> Result<SourceEvent<'a>, Rejection> {
    let object = document.as_object().ok_or(Rejection::NotObject)?;
    let mut event = Reading::of(catalogue::built_in(), object, context).event()?;
    event.damaged = document.is_damaged();
    Ok(event)
}

/// Where a document has a layer that is JSON in a string: the keys that lead to it.
pub(crate) fn text_layer<'a>(document: &'a Json<'a>) -> Option<Vec<&'a str>> {
    Layers::of(catalogue::built_in(), document.as_object()?).text().map(<[_]>::to_vec)
}

/// How the names of Genesys' partner sources begin.
const PARTNER: &str = "aws.partner/genesys.com";

/// The organisation in the name of a Genesys partner source, `aws.partner/genesys.com/cloud/<org>/<suffix>`, wherever it stands in
/// the text: what forwards an event may put a name of its own around it.
///
/// The organisation that a capture client sends for, where the source is capture's.
pub(crate) fn org_of_source(source: &str) -> Option<&str> {
    if let Some(by) = capture::read(source) {
        return by.org;
    }
    let rest = &source[source.find(PARTNER)? + PARTNER.len()..];
    let (_, rest) = rest.split_once("/cloud/")?;
    rest.split('/').next().filter(|org| is_stated_org(org))
}

/// Whether a text may name an organisation: `[A-Za-z0-9._-]{1,64}`, and no name of a directory.
pub fn is_org(text: &str) -> bool {
    !matches!(text, "." | "..")
        && (1..=64).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
}

/// Whether a document may name its organisation so: a long number there, in groups or not, is somebody's, not an organisation's.
pub(crate) fn is_stated_org(text: &str) -> bool {
    is_org(text) && !numbers::is_long(text)
}

/// Whether a text may be a record's id: `[A-Za-z0-9._:-]{1,128}`, and neither a person's address or number nor a word
/// for nothing, which would make one record of many. Ids are never masked.
pub fn is_record_id(text: &str) -> bool {
    refusal_of_id(text).is_none()
}

/// Why a text is not a record's id; `None` if it is one.
pub(crate) fn refusal_of_id(text: &str) -> Option<Rejection> {
    let bytes = text.as_bytes();
    let is_plain = (1..=128).contains(&bytes.len())
        && bytes.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-' | b':'))
        && !has_address_scheme(bytes)
        && !names_nothing(text);
    match is_plain {
        false => Some(Rejection::NoRecord),
        true => numbers::is_a_persons(text).then_some(Rejection::NumericId),
    }
}

/// The entity type as it is stored: an identifier's spelling of known words, else `Other`. It is never masked either.
pub(crate) fn entity_kind(text: &str) -> &str {
    let plain = text.len() <= 64 && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    if plain && text.starts_with(|c: char| c.is_ascii_alphabetic()) && words::is_phrase(text) { text } else { "Other" }
}

/// Whether a text is what sources write where they have no id: a word for it, zeros, or signs alone.
fn names_nothing(text: &str) -> bool {
    const WORDS: [&str; 9] = ["undefined", "null", "none", "unknown", "n/a", "na", "nil", "nan", "empty"];
    WORDS.iter().any(|word| text.eq_ignore_ascii_case(word))
        || !text.bytes().any(|b| b.is_ascii_alphanumeric() && b != b'0')
}

fn has_address_scheme(bytes: &[u8]) -> bool {
    [&b"tel:"[..], b"sip:", b"sips:", b"mailto:"]
        .iter()
        .any(|scheme| bytes.len() >= scheme.len() && bytes[..scheme.len()].eq_ignore_ascii_case(scheme))
}
