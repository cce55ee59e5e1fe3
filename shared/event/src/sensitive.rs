//! Sensitive authentication data (card verification values, PINs, track data, passwords) in fields that are named so:
//! found and cut on bytes, before anything is stored. A field is known by the words of its name, in five languages.
//!
//! Invariant: what [`cut`] returns holds no value of such a field, says where each stood, and nothing about what it
//! was: no length, no digest. JSON that a string holds is searched as well, and JSON in a string of that. The list of
//! places is bounded ([`CUTS_MAX`], [`POINTER_BYTES_MAX`]) whatever the document is; the cutting is not. In text that is not
//! JSON the search is lexical and errs on the side of cutting too much.
//!
//! Not searched: bytes that are neither JSON nor UTF-8, as nothing may be cut out of compressed data; strings that hold something
//! else than JSON (a form, XML, Base64), and what people say.

mod finder;
mod garbage;
mod looks;
mod memo;
mod names;
mod pointer;
mod tokens;
mod words;

use finder::Finder;
pub use garbage::cut_garbage;
pub(crate) use memo::name_of_hashed;
pub use names::is_certain;
pub(crate) use names::names_siblings;
use pointer::ELLIPSIS;

/// What kind of sensitive data a field holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SensitiveKind {
    /// A card verification value.
    CardVerification,
    /// A PIN or PIN block.
    Pin,
    /// The content of a magnetic stripe.
    Track,
    /// A password or pass phrase.
    Password,
}

impl SensitiveKind {
    /// The stored word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::CardVerification => "card_verification",
            Self::Pin => "pin",
            Self::Track => "track",
            Self::Password => "password",
        }
    }
}

/// One value that was cut.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cut {
    /// The value's pointer (RFC 6901) in the document; empty for bytes that are no JSON. It goes on through a string
    /// that holds JSON as if that stood there itself, and ends at a string that holds only part of it. A longer one ends
    /// in `…` after at most [`POINTER_BYTES_MAX`] bytes; `…` alone stands for all cuts that the list has no room for.
    pub pointer: String,
    /// What kind of data stood there.
    pub kind: SensitiveKind,
}

/// Longest pointer that is kept: keys are the source's, and each of many cuts would repeat a long one.
pub const POINTER_BYTES_MAX: usize = 256;

/// Most cuts that are listed one by one. One more entry, of the last cut's kind, stands for all others.
pub const CUTS_MAX: usize = 64;

/// Replaces the values of sensitive fields in a document by `null`. Only for documents that a pass found well-formed;
/// anything else is [`cut_garbage`]'s.
pub fn cut(document: &[u8]) -> (Vec<u8>, Vec<Cut>) {
    let mut finder = Finder::new(document);
    match finder.documents() {
        Some(()) => replace(document, finder.found),
        None => cut_garbage(document),
    }
}

/// Whether the inside of a string, its escapes still in it, holds JSON in which [`cut`] would cut anything.
pub(crate) fn is_in_string(raw: &[u8]) -> bool {
    let mut finder = Finder::new(&[]);
    finder.inside_string(raw, 0);
    !finder.found.is_empty()
}

/// A value's bytes and what it is.
struct Found {
    start: usize,
    end: usize,
    kind: SensitiveKind,
    /// Where it stood; `None` once the list is full.
    pointer: Option<String>,
}

fn replace(bytes: &[u8], mut found: Vec<Found>) -> (Vec<u8>, Vec<Cut>) {
    found.sort_by_key(|value| (value.start, std::cmp::Reverse(value.end)));
    let mut out = Vec::with_capacity(bytes.len());
    let mut cuts = Vec::with_capacity(found.len().min(CUTS_MAX + 1));
    let mut unlisted = None;
    let mut copied = 0;
    for value in found {
        // A value inside one that is cut already is gone with it.
        if value.start < copied {
            continue;
        }
        out.extend_from_slice(&bytes[copied..value.start]);
        out.extend_from_slice(b"null");
        copied = value.end;
        match value.pointer {
            Some(pointer) if cuts.len() < CUTS_MAX => cuts.push(Cut { pointer, kind: value.kind }),
            _ => unlisted = Some(value.kind),
        }
    }
    cuts.extend(unlisted.map(|kind| Cut { pointer: ELLIPSIS.to_owned(), kind }));
    out.extend_from_slice(&bytes[copied..]);
    (out, cuts)
}

#[cfg(test)]
mod tests;
