//! The documents of one Firehose record, and the strict reading of one document.
//!
//! Invariant: every byte of a record lies in exactly one fragment or is white space between fragments; no input makes
//! it panic, and each byte is read a constant number of times. A byte order mark outside a document is white space. A document is an I-JSON object (RFC 7493): everything
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
    /// An event that is longer than an entry of the ledger may be.
    TooLong,
    /// A list of events that would become more documents than anybody can take apart.
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
    pub const ALL: [Self; 18] = [
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
        Self::TooLong,
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
            Self::TooLong => "too_long",
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
/// grammar failed: nothing inside a document that was already read is taken for an event of its own. After bytes that are not
/// UTF-8 such a line may be chance: it counts only if a document stands there, and after binary data only if nothing but
/// JSON follows to the record's end. A record without anything in it is one [`Rejection::Empty`] fragment, so that it, too,
/// is accounted for.
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
        let is_first = !std::mem::replace(&mut self.yielded, true);
        Some(match self.scanner.document() {
            Ok(head) => Fragment::Document(&bytes[start..self.scanner.at()], head),
            Err(Failure::Flaw(reason)) => Fragment::Garbage(&bytes[start..self.scanner.at()], reason),
            Err(Failure::Syntax(reason)) => self.garbage(start, is_first, reason),
        })
    }
}

impl<'a> Split<'a> {
    /// What could not be followed, up to where reading resumes.
    fn garbage(&mut self, start: usize, is_first: bool, reason: Rejection) -> Fragment<'a> {
        let bytes = self.scanner.bytes();
        let mut end = resume_at(bytes, start, self.scanner.at());
        if std::str::from_utf8(trim_end(&bytes[start..end])).is_ok() {
            self.scanner.jump(end);
            return Fragment::Garbage(trim_end(&bytes[start..end]), reason);
        }
        let to_the_end = is_binary(&bytes[start..end]);
        while end < bytes.len() {
            self.scanner.jump(end);
            if self.is_followed(to_the_end) {
                break;
            }
            end = resume_at(bytes, end, self.scanner.at());
        }
        self.scanner.jump(end);
        // What looks like white space at the ends of binary data is data, bar the tabs that redrive adds to a record.
        let start = if is_first { 0 } else { start };
        let whole = if end == bytes.len() { trim_tabs(&bytes[start..]) } else { trim_end(&bytes[start..end]) };
        Fragment::Garbage(whole, Rejection::NotUtf8)
    }

    /// Whether a whole JSON value stands here, or nothing but such values to the end. Where it fails the scanner stands.
    fn is_followed(&mut self, to_the_end: bool) -> bool {
        while self.scanner.skip_space().is_some() {
            match self.scanner.document() {
                Err(Failure::Syntax(_)) => return false,
                Ok(_) | Err(Failure::Flaw(_)) if !to_the_end => return true,
                Ok(_) | Err(Failure::Flaw(_)) => {}
            }
        }
        true
    }
}

/// Whether bytes that are not UTF-8 are no text in another encoding of bytes, either: compressed data, UTF-16.
pub(crate) fn is_binary(bytes: &[u8]) -> bool {
    bytes.iter().any(|byte| *byte < b' ' && !byte.is_ascii_whitespace())
}

/// How a document failed: whole but refused, or not to be followed to its end.
pub(crate) enum Failure {
    Flaw(Rejection),
    Syntax(Rejection),
}

/// Where reading resumes after bytes that could not be followed: at the next line that begins with a brace, byte order
/// marks before it aside, looked for from the byte before the one that the grammar failed on.
pub(crate) fn resume_at(bytes: &[u8], start: usize, failed_at: usize) -> usize {
    let mut from = failed_at.saturating_sub(1).max(start);
    while let Some(ahead) = bytes[from..].iter().position(|byte| *byte == b'\n') {
        from += ahead + 1;
        let mut line = &bytes[from..];
        while let Some(rest) = line.strip_prefix(BYTE_ORDER_MARK) {
            line = rest;
        }
        if line.first() == Some(&b'{') {
            return from;
        }
    }
    bytes.len()
}

/// U+FEFF, with which some tools begin a text.
pub const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

fn trim_end(bytes: &[u8]) -> &[u8] {
    let mut bytes = bytes;
    loop {
        let end = bytes.iter().rposition(|byte| !matches!(byte, b' ' | b'\t' | b'\n' | b'\r'));
        bytes = &bytes[..end.map_or(0, |last| last + 1)];
        let Some(before) = bytes.strip_suffix(BYTE_ORDER_MARK) else { return bytes };
        bytes = before;
    }
}

fn trim_tabs(bytes: &[u8]) -> &[u8] {
    let end = bytes.iter().rposition(|byte| *byte != b'\t');
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
