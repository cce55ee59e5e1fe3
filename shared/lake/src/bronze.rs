//! One line of bronze: an event exactly as its source sent it, or bytes that are none, each in a small envelope.
//!
//! Invariant: what a line carries is the source's bytes, verbatim but for sensitive authentication data, and reading a
//! line gives back what was written. A reader never fails: a line that it does not understand is a quarantine line of
//! its own. Lines that others loaded, without an envelope, are events.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ledgerline_event::document::{BYTE_ORDER_MARK, Rejection};
use ledgerline_event::instant;
use ledgerline_event::sensitive::Cut;
use serde::Deserialize;
use serde_json::value::RawValue;

/// The version that is written, and the only one so far.
const VERSION: u8 = 1;

/// An event, to be written.
#[derive(Debug, Clone, Copy)]
pub struct NewEvent<'a> {
    /// The organisation.
    pub org: &'a str,
    /// The lineage token; `None` where only transform can tell it.
    pub lineage_token: Option<&'a str>,
    /// When it reached us, epoch milliseconds.
    pub received_at_ms: i64,
    /// When it happened, epoch milliseconds; `None` likewise.
    pub occurred_at_ms: Option<i64>,
    /// The envelope's `source`, where there is one.
    pub source: Option<&'a str>,
    /// How often it was replayed: put back into the stream after it was refused.
    pub replayed: u32,
    /// What was cut out of `raw`.
    pub cut: &'a [Cut],
    /// The document's bytes.
    pub raw: &'a [u8],
    /// Whether they hold a line break, so that no line can carry them as they are.
    pub has_line_break: bool,
}

/// Appends an event's line, its line feed included.
pub fn write_event(event: &NewEvent<'_>, out: &mut Vec<u8>) {
    out.reserve(ENVELOPE_BYTES + event.raw.len());
    out.extend_from_slice(b"{\"v\":1,\"org\":");
    write_string(event.org, out);
    if let Some(token) = event.lineage_token {
        out.extend_from_slice(b",\"lineageToken\":");
        write_string(token, out);
    }
    out.extend_from_slice(b",\"receivedAt\":\"");
    instant::write(event.received_at_ms, out);
    if let Some(at_ms) = event.occurred_at_ms {
        out.extend_from_slice(b"\",\"occurredAt\":\"");
        instant::write(at_ms, out);
    }
    out.extend_from_slice(b"\",\"source\":");
    match event.source {
        Some(source) => write_string(source, out),
        None => out.extend_from_slice(b"null"),
    }
    write_replayed(event.replayed, out);
    write_cut(event.cut, out);
    if event.has_line_break {
        out.extend_from_slice(b",\"rawBase64\":\"");
        write_base64(event.raw, out);
        out.extend_from_slice(b"\"}\n");
    } else {
        out.extend_from_slice(b",\"raw\":");
        out.extend_from_slice(event.raw);
        out.extend_from_slice(b"}\n");
    }
}

/// Bytes that are no event, to be written.
#[derive(Debug, Clone, Copy)]
pub struct NewQuarantine<'a> {
    /// When they reached us, epoch milliseconds.
    pub received_at_ms: i64,
    /// Why they are no event.
    pub reason: Rejection,
    /// How often they were replayed and refused again.
    pub replayed: u32,
    /// What was cut out of `bytes`.
    pub cut: &'a [Cut],
    /// The bytes.
    pub bytes: &'a [u8],
}

/// Appends a quarantine line, its line feed included.
pub fn write_quarantine(kept: &NewQuarantine<'_>, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"v\":1,\"receivedAt\":\"");
    instant::write(kept.received_at_ms, out);
    out.extend_from_slice(b"\",\"reason\":");
    write_string(kept.reason.code(), out);
    write_replayed(kept.replayed, out);
    write_cut(kept.cut, out);
    out.extend_from_slice(b",\"rawBase64\":\"");
    write_base64(kept.bytes, out);
    out.extend_from_slice(b"\"}\n");
}

/// The envelope around an event of the usual kind: members 120 bytes, times 48, organisation and token 36 each, source 64.
const ENVELOPE_BYTES: usize = 304;

fn write_replayed(replayed: u32, out: &mut Vec<u8>) {
    if replayed > 0 {
        out.extend_from_slice(b",\"replayed\":");
        out.extend_from_slice(replayed.to_string().as_bytes());
    }
}

fn write_cut(cut: &[Cut], out: &mut Vec<u8>) {
    if cut.is_empty() {
        return;
    }
    out.extend_from_slice(b",\"cut\":[");
    for (index, cut) in cut.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        out.extend_from_slice(b"{\"pointer\":");
        write_string(&cut.pointer, out);
        out.extend_from_slice(b",\"kind\":");
        write_string(cut.kind.as_str(), out);
        out.push(b'}');
    }
    out.push(b']');
}

fn write_string(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    if text.bytes().any(|byte| byte < 0x20 || byte == b'"' || byte == b'\\') {
        for character in text.chars() {
            match character {
                '"' => out.extend_from_slice(b"\\\""),
                '\\' => out.extend_from_slice(b"\\\\"),
                '\0'..='\x1F' => out.extend_from_slice(format!("\\u{:04x}", u32::from(character)).as_bytes()),
                other => out.extend_from_slice(other.encode_utf8(&mut [0; 4]).as_bytes()),
            }
        }
    } else {
        out.extend_from_slice(text.as_bytes());
    }
    out.push(b'"');
}

fn write_base64(bytes: &[u8], out: &mut Vec<u8>) {
    let start = out.len();
    // Four characters for every three bytes begun.
    out.resize(start + bytes.len().div_ceil(3) * 4, 0);
    let written = STANDARD.encode_slice(bytes, &mut out[start..]).unwrap_or_default();
    out.truncate(start + written);
}

/// A line of bronze, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BronzeLine<'a> {
    /// An event.
    Event(Event<'a>),
    /// Bytes that are none.
    Quarantine(Quarantined<'a>),
    /// An event was here, and an erasure took it out. The lines behind it keep their numbers.
    Erased,
}

/// An event as bronze holds it.
#[derive(Clone, PartialEq, Eq)]
pub struct Event<'a> {
    /// When it reached us; absent on lines that others loaded.
    pub received_at_ms: Option<i64>,
    /// What ingest took for the time of its happening.
    pub occurred_at_ms: Option<i64>,
    /// What ingest took for the organisation.
    pub org: Option<Cow<'a, str>>,
    /// What ingest took for the lineage token.
    pub lineage_token: Option<Cow<'a, str>>,
    /// The envelope's `source`.
    pub source: Option<Cow<'a, str>>,
    /// How often it was replayed.
    pub replayed: u32,
    /// How many values were cut out of `raw`.
    pub cut: usize,
    /// The document's bytes.
    pub raw: Cow<'a, [u8]>,
}

impl std::fmt::Debug for Event<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Event({} bytes)", self.raw.len())
    }
}

/// Bytes that are no event.
#[derive(Clone, PartialEq, Eq)]
pub struct Quarantined<'a> {
    /// When they reached us; absent if the line itself is what is not understood.
    pub received_at_ms: Option<i64>,
    /// Why they are no event.
    pub reason: Rejection,
    /// How often they were replayed and refused again.
    pub replayed: u32,
    /// The bytes, or the whole line if that is what is not understood.
    pub bytes: Cow<'a, [u8]>,
}

impl std::fmt::Debug for Quarantined<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Quarantined({}, {} bytes)", self.reason, self.bytes.len())
    }
}

/// The envelope. Members that later minor versions add are ignored.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Envelope<'a> {
    v: u8,
    #[serde(borrow)]
    org: Option<Cow<'a, str>>,
    #[serde(borrow)]
    lineage_token: Option<Cow<'a, str>>,
    #[serde(borrow)]
    received_at: Cow<'a, str>,
    #[serde(borrow)]
    occurred_at: Option<Cow<'a, str>>,
    #[serde(borrow)]
    source: Option<Cow<'a, str>>,
    #[serde(borrow)]
    reason: Option<Cow<'a, str>>,
    #[serde(default)]
    replayed: u32,
    #[serde(default)]
    cut: Vec<serde::de::IgnoredAny>,
    #[serde(borrow)]
    raw: Option<&'a RawValue>,
    #[serde(borrow, rename = "rawBase64")]
    raw_base64: Option<Cow<'a, str>>,
    #[serde(default)]
    erased: bool,
}

/// Reads a line; a line feed at its end and byte order marks at its beginning are ignored. A plain JSON object without our
/// envelope is an event.
pub fn read(line: &[u8]) -> BronzeLine<'_> {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    let mut line = line.strip_suffix(b"\r").unwrap_or(line);
    // The first line of an object that others loaded.
    while let Some(rest) = line.strip_prefix(BYTE_ORDER_MARK) {
        line = rest;
    }
    match serde_json::from_slice::<Envelope<'_>>(line) {
        Ok(envelope) => open(line, envelope),
        Err(_) if has_our_mark(line) => unreadable(line, Rejection::BadEnvelope),
        Err(_) => plain(line),
    }
}

fn open<'a>(line: &'a [u8], envelope: Envelope<'a>) -> BronzeLine<'a> {
    if envelope.v != VERSION {
        return unreadable(line, Rejection::BadEnvelope);
    }
    let received_at_ms = instant::parse(&envelope.received_at);
    let raw = match (envelope.raw, envelope.raw_base64) {
        (None, None) if envelope.erased && envelope.reason.is_none() => return BronzeLine::Erased,
        _ if envelope.erased => return unreadable(line, Rejection::BadEnvelope),
        (Some(raw), None) => Cow::Borrowed(raw.get().as_bytes()),
        (None, Some(text)) => match STANDARD.decode(text.as_bytes()) {
            Ok(bytes) => Cow::Owned(bytes),
            Err(_) => return unreadable(line, Rejection::BadEnvelope),
        },
        _ => return unreadable(line, Rejection::BadEnvelope),
    };
    match envelope.reason {
        Some(code) => match Rejection::from_code(&code) {
            Some(reason) => {
                BronzeLine::Quarantine(Quarantined { received_at_ms, reason, replayed: envelope.replayed, bytes: raw })
            }
            None => unreadable(line, Rejection::BadEnvelope),
        },
        None => BronzeLine::Event(Event {
            received_at_ms,
            occurred_at_ms: envelope.occurred_at.as_deref().and_then(instant::parse),
            org: envelope.org,
            lineage_token: envelope.lineage_token,
            source: envelope.source,
            replayed: envelope.replayed,
            cut: envelope.cut.len(),
            raw,
        }),
    }
}

/// Our writer begins every line with its version: a line that begins so and does not open is damaged, not foreign.
fn has_our_mark(line: &[u8]) -> bool {
    line.starts_with(b"{\"v\":")
}

fn plain(line: &[u8]) -> BronzeLine<'_> {
    let raw = Cow::Borrowed(line);
    BronzeLine::Event(Event {
        received_at_ms: None,
        occurred_at_ms: None,
        org: None,
        lineage_token: None,
        source: None,
        replayed: 0,
        cut: 0,
        raw,
    })
}

fn unreadable(line: &[u8], reason: Rejection) -> BronzeLine<'_> {
    BronzeLine::Quarantine(Quarantined { received_at_ms: None, reason, replayed: 0, bytes: Cow::Borrowed(line) })
}

#[cfg(test)]
mod tests {
    use ledgerline_event::sensitive;
    use proptest::prelude::*;

    use super::*;

    fn event<'a>(raw: &'a [u8], has_line_break: bool, cut: &'a [Cut]) -> NewEvent<'a> {
        NewEvent {
            org: "acme",
            lineage_token: Some("bd86e063-8107-5582-8732-b94e6fbe5587"),
            received_at_ms: 1_772_460_001_000,
            occurred_at_ms: Some(1_772_460_000_350),
            source: Some("a \"quoted\" source\n"),
            replayed: 0,
            cut,
            raw,
            has_line_break,
        }
    }

    fn written(new: &NewEvent<'_>) -> Vec<u8> {
        let mut out = Vec::new();
        write_event(new, &mut out);
        out
    }

    #[test]
    fn an_event_comes_back_verbatim_with_its_envelope() {
        for (raw, breaks) in [(&b"{\"a\" : 1.50, \"b\":\"\\u00e9\"}"[..], false), (b"{\r\n  \"a\": 1\n}", true)] {
            let line = written(&event(raw, breaks, &[]));
            assert_eq!(line.iter().filter(|byte| **byte == b'\n').count(), 1);
            let BronzeLine::Event(read) = read(&line) else { panic!("not an event") };
            assert_eq!(&*read.raw, raw);
            assert_eq!(read.received_at_ms, Some(1_772_460_001_000));
            assert_eq!(read.occurred_at_ms, Some(1_772_460_000_350));
            assert_eq!(read.org.as_deref(), Some("acme"));
            assert_eq!(read.source.as_deref(), Some("a \"quoted\" source\n"));
            assert_eq!(read.cut, 0);
        }
    }

    #[test]
    fn the_form_of_a_line_is_frozen() {
        let line = written(&NewEvent { source: None, ..event(b"{\"a\":1}", false, &[]) });
        let expected = "{\"v\":1,\"org\":\"acme\",\"lineageToken\":\"bd86e063-8107-5582-8732-b94e6fbe5587\",\
            \"receivedAt\":\"2026-03-02T14:00:01.000Z\",\"occurredAt\":\"2026-03-02T14:00:00.350Z\",\"source\":null,\
            \"raw\":{\"a\":1}}\n";
        assert_eq!(String::from_utf8(line).unwrap(), expected);
    }

    #[test]
    fn a_line_says_how_often_its_bytes_were_replayed_if_ever() {
        let again = written(&NewEvent { replayed: 2, ..event(b"{}", false, &[]) });
        let text = String::from_utf8(again.clone()).unwrap();
        assert!(text.contains(",\"replayed\":2,\"raw\":{}"), "{text}");
        assert!(matches!(read(&again), BronzeLine::Event(read) if read.replayed == 2));
        for replayed in [0, 3] {
            let mut line = Vec::new();
            let kept = NewQuarantine { received_at_ms: 0, reason: Rejection::NoTime, replayed, cut: &[], bytes: b"{}" };
            write_quarantine(&kept, &mut line);
            assert_eq!(String::from_utf8_lossy(&line).contains("replayed"), replayed > 0);
            assert!(matches!(read(&line), BronzeLine::Quarantine(read) if read.replayed == replayed));
        }
    }

    #[test]
    fn what_ingest_could_not_place_has_neither_token_nor_time() {
        let line = written(&NewEvent { lineage_token: None, occurred_at_ms: None, ..event(b"{\"a\":1}", false, &[]) });
        let BronzeLine::Event(read) = read(&line) else { panic!("not an event") };
        assert_eq!((read.lineage_token, read.occurred_at_ms, read.org.as_deref()), (None, None, Some("acme")));
        assert_eq!(read.received_at_ms, Some(1_772_460_001_000));
    }

    #[test]
    fn what_was_cut_is_listed_and_gone() {
        let (raw, cut) = sensitive::cut(b"{\"payment\":{\"CVV 2\":\"737\"}}");
        let line = written(&event(&raw, false, &cut));
        let text = String::from_utf8(line.clone()).unwrap();
        assert!(text.contains("\"cut\":[{\"pointer\":\"/payment/CVV 2\",\"kind\":\"card_verification\"}]"), "{text}");
        assert!(!text.contains("737"), "{text}");
        let BronzeLine::Event(read) = read(&line) else { panic!("not an event") };
        assert_eq!(read.cut, 1);
    }

    #[test]
    fn lines_without_our_envelope_are_events_and_damaged_ones_are_not() {
        let foreign = b"{\"raw\":1,\"conversationId\":\"c\"}\r\n";
        for marks in 0..3 {
            let line = [BYTE_ORDER_MARK.repeat(marks), foreign.to_vec()].concat();
            let BronzeLine::Event(read_foreign) = read(&line) else { panic!("not an event") };
            assert_eq!(&*read_foreign.raw, b"{\"raw\":1,\"conversationId\":\"c\"}");
        }
        for damaged in [
            &b"{\"v\":1,\"receivedAt\":\"2026-03-02T14:00:01.000Z\",\"raw\":{\"a\""[..],
            b"{\"v\":2,\"receivedAt\":\"2026-03-02T14:00:01.000Z\",\"raw\":{}}",
            b"{\"v\":1,\"receivedAt\":\"2026-03-02T14:00:01.000Z\"}",
            b"{\"v\":1,\"receivedAt\":\"2026-03-02T14:00:01.000Z\",\"rawBase64\":\"%\"}",
            b"{\"v\":1,\"receivedAt\":\"2026-03-02T14:00:01.000Z\",\"reason\":\"nonsense\",\"rawBase64\":\"\"}",
        ] {
            let BronzeLine::Quarantine(read) = read(damaged) else { panic!("taken for an event") };
            assert_eq!((read.reason, &*read.bytes), (Rejection::BadEnvelope, damaged));
        }
    }

    #[test]
    fn a_line_that_was_erased_is_neither_an_event_nor_in_quarantine() {
        let erased = br#"{"v":1,"org":"acme","receivedAt":"2026-03-02T14:00:01.000Z","occurredAt":null,"lineageToken":null,"source":null,"raw":null,"erased":true}"#;
        assert_eq!(read(erased), BronzeLine::Erased);
        let text = std::str::from_utf8(erased).unwrap();
        for (from, to) in [
            ("\"raw\":null", "\"raw\":{}"),
            ("\"raw\":null", "\"rawBase64\":\"e30=\""),
            ("\"erased\":true", "\"erased\":false"),
            ("\"erased\":true", "\"erased\":true,\"reason\":\"invalid_json\""),
            ("\"v\":1", "\"v\":2"),
        ] {
            let line = text.replace(from, to);
            assert!(matches!(read(line.as_bytes()), BronzeLine::Quarantine(_)), "{line}");
        }
        // What a source says of itself is its event's.
        let event = read(b"{\"v\":1,\"receivedAt\":\"2026-03-02T14:00:01.000Z\",\"raw\":{\"erased\":true}}");
        assert!(matches!(event, BronzeLine::Event(_)));
    }

    proptest! {
        #[test]
        fn quarantined_bytes_come_back(bytes in proptest::collection::vec(any::<u8>(), 0..300), code in 0..12_usize) {
            let mut line = Vec::new();
            let (received_at_ms, reason) = (1_772_460_001_000, Rejection::ALL[code]);
            write_quarantine(&NewQuarantine { received_at_ms, reason, replayed: 0, cut: &[], bytes: &bytes }, &mut line);
            let BronzeLine::Quarantine(read) = read(&line) else { panic!("taken for an event") };
            prop_assert_eq!(read.bytes.as_ref(), bytes.as_slice());
            prop_assert_eq!(read.reason, Rejection::ALL[code]);
            prop_assert_eq!(read.received_at_ms, Some(1_772_460_001_000));
        }

        #[test]
        fn any_line_reads_without_a_panic(line in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = read(&line);
        }
    }
}
