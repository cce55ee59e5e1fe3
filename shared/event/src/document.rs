//! The documents of one Firehose record, and the strict reading of one document.
//!
//! Invariant: every byte of a record lies in exactly one fragment or is white space between fragments; no input makes
//! it panic, and each byte is read a constant number of times. A document is an I-JSON object (RFC 7493): everything
//! else is garbage with a closed reason, kept whole.

use std::fmt;

use ledgerline_json::{Flaw, Json};

use crate::head::{Head, Scanner};

/// Why bytes are no event. Closed: the codes are stored in quarantine lines and counted by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rejection {
    /// Nothing but white space.
    Empty,
    /// Bytes that are no UTF-8.
    NotUtf8,
    /// No JSON text.
    NotJson,
    /// A JSON value that is no object.
    NotObject,
    /// An object names one member twice.
    DuplicateKey,
    /// A surrogate escape without its partner, in a member's name.
    LoneSurrogate,
    /// A number beyond what a double holds.
    NumberOutOfRange,
    /// Nested deeper than any event.
    TooDeep,
    /// An object that names neither an interaction nor an entity, or names it by something that is no id.
    NoRecord,
    /// An object that names its interaction or entity by a number as long as those of telephones and accounts.
    NumericId,
    /// A well-formed document of the guides' that is something else: a subscription, an export, a request to an API.
    NotAnEvent,
    /// An object that says nowhere when it happened, or says it in a form that cannot be read.
    NoTime,
    /// A time before 1990, or more than 48 hours ahead of the arrival.
    ImplausibleTime,
    /// A record whose documents, written as lines, outgrow an answer.
    TooMany,
    /// A line of bronze, or a record of an error object, that does not decode.
    BadEnvelope,
    /// Our own code panicked over it: a defect of ours, kept until it is mended and replayed.
    Defect,
    /// A record that came back from the stream, unprocessed, as often as it may.
    Unprocessable,
}

impl Rejection {
    /// All codes.
    pub const ALL: [Self; 17] = [
        Self::Empty,
        Self::NotUtf8,
        Self::NotJson,
        Self::NotObject,
        Self::DuplicateKey,
        Self::LoneSurrogate,
        Self::NumberOutOfRange,
        Self::TooDeep,
        Self::NoRecord,
        Self::NumericId,
        Self::NotAnEvent,
        Self::NoTime,
        Self::ImplausibleTime,
        Self::TooMany,
        Self::BadEnvelope,
        Self::Defect,
        Self::Unprocessable,
    ];

    /// The stored code.
    pub fn code(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::NotUtf8 => "not_utf8",
            Self::NotJson => "not_json",
            Self::NotObject => "not_object",
            Self::DuplicateKey => "duplicate_key",
            Self::LoneSurrogate => "lone_surrogate",
            Self::NumberOutOfRange => "number_out_of_range",
            Self::TooDeep => "too_deep",
            Self::NoRecord => "no_record",
            Self::NumericId => "numeric_id",
            Self::NotAnEvent => "not_an_event",
            Self::NoTime => "no_time",
            Self::ImplausibleTime => "implausible_time",
            Self::TooMany => "too_many",
            Self::BadEnvelope => "bad_envelope",
            Self::Defect => "defect",
            Self::Unprocessable => "unprocessable",
        }
    }

    /// The rejection with this code.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|rejection| rejection.code() == code)
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl std::error::Error for Rejection {}

impl From<Flaw> for Rejection {
    fn from(flaw: Flaw) -> Self {
        match flaw {
            Flaw::NotJson => Self::NotJson,
            Flaw::NotUtf8 => Self::NotUtf8,
            Flaw::DuplicateKey => Self::DuplicateKey,
            Flaw::LoneSurrogate => Self::LoneSurrogate,
            Flaw::NumberOutOfRange => Self::NumberOutOfRange,
            Flaw::TooDeep => Self::TooDeep,
        }
    }
}

/// A part of a record.
#[expect(
    clippy::large_enum_variant,
    reason = "nearly every fragment is a document: a box would cost more than it saves"
)]
#[derive(Debug, Clone)]
pub enum Fragment<'a> {
    /// An I-JSON object: its bytes from brace to brace, and what the pass over them found.
    Document(&'a [u8], Head<'a>),
    /// Bytes that are no document, without the white space around them.
    Garbage(&'a [u8], Rejection),
}

impl<'a> Fragment<'a> {
    /// The fragment's bytes.
    pub fn bytes(&self) -> &'a [u8] {
        match self {
            Self::Document(bytes, _) | Self::Garbage(bytes, _) => bytes,
        }
    }
}

/// The fragments of a record, in order: documents may be concatenated, one a line, or printed over many lines.
///
/// After a malformed document reading resumes at the next line that begins with a brace, counted from where the
/// grammar failed: nothing inside a document that was already read is taken for an event of its own. A record without
/// anything in it is one [`Rejection::Empty`] fragment, so that it, too, is accounted for.
pub fn split(record: &[u8]) -> Split<'_> {
    Split { scanner: Scanner::new(record), yielded: false }
}

/// See [`split`].
pub struct Split<'a> {
    scanner: Scanner<'a>,
    yielded: bool,
}

impl<'a> Iterator for Split<'a> {
    type Item = Fragment<'a>;

    fn next(&mut self) -> Option<Fragment<'a>> {
        let bytes = self.scanner.bytes();
        let Some(start) = self.scanner.skip_space() else {
            let empty = !std::mem::replace(&mut self.yielded, true);
            return empty.then_some(Fragment::Garbage(bytes, Rejection::Empty));
        };
        self.yielded = true;
        Some(match self.scanner.document() {
            Ok(head) => Fragment::Document(&bytes[start..self.scanner.at()], head),
            Err(Failure::Flaw(reason)) => Fragment::Garbage(&bytes[start..self.scanner.at()], reason),
            Err(Failure::Syntax(reason)) => {
                let end = resume_at(bytes, start, self.scanner.at());
                self.scanner.jump(end);
                let garbage = trim_end(&bytes[start..end]);
                let reason = if std::str::from_utf8(garbage).is_err() { Rejection::NotUtf8 } else { reason };
                Fragment::Garbage(garbage, reason)
            }
        })
    }
}

/// How a document failed: whole but refused, or not to be followed to its end.
pub(crate) enum Failure {
    Flaw(Rejection),
    Syntax(Rejection),
}

/// The next brace that begins a line, looked for from the byte before the one that the grammar failed on.
fn resume_at(bytes: &[u8], start: usize, failed_at: usize) -> usize {
    let from = failed_at.saturating_sub(1).max(start);
    let next = bytes[from..].windows(2).position(|pair| pair == b"\n{");
    next.map_or(bytes.len(), |ahead| from + ahead + 1)
}

fn trim_end(bytes: &[u8]) -> &[u8] {
    let end = bytes.iter().rposition(|byte| !matches!(byte, b' ' | b'\t' | b'\n' | b'\r'));
    &bytes[..end.map_or(0, |last| last + 1)]
}

/// Reads one document strictly: an I-JSON object, nothing after it but white space.
///
/// It accepts exactly what [`split`] calls a document.
///
/// # Errors
/// The reason for which [`split`] refuses it.
pub fn parse(document: &[u8]) -> Result<Json<'_>, Rejection> {
    match ledgerline_json::parse(document) {
        Ok(value @ Json::Object(_)) => Ok(value),
        Ok(_) => Err(Rejection::NotObject),
        Err(_) => Err(reason(document)),
    }
}

/// The reason for which a text that [`parse`] could not read is refused.
fn reason(document: &[u8]) -> Rejection {
    let mut fragments = split(document);
    match (fragments.next(), fragments.next()) {
        (Some(Fragment::Garbage(_, reason)), None) => reason,
        _ => Rejection::NotJson,
    }
}
