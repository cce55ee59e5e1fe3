//! What names an event by what it says, however often and through whatever envelope it arrives.
//!
//! Invariant: two events have one content id exactly if organisation, topic and record agree and, with a native id, it
//! and the name that the source gives itself or, without one, if their bodies differ in nothing but white space, the
//! order of members, the spelling of strings and the members that their shape leaves out. A time that only an envelope tells counts beside a body, since nothing
//! in the body tells two such events apart. Numbers count as they are written, so that no two numbers beyond a double's
//! precision are taken for one.

use std::fmt;

use ledgerline_json::{Json, Object};
use sha2::{Digest, Sha256};

use crate::catalogue::{MemberPath, NameId, built_in};
use crate::source_event::{Body, SourceEvent};

/// A SHA-256 that stays in memory and in bronze: bodies are guessable, so that elsewhere only a keyed digest of it may
/// be stored.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ContentId([u8; 32]);

impl ContentId {
    /// The digest's bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// 64 hexadecimal digits, for a bronze line.
    pub fn to_hex(&self) -> String {
        self.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

impl fmt::Debug for ContentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ContentId(***)")
    }
}

/// The content id of `event`, which was adapted from `document`.
pub fn content_id(event: &SourceEvent<'_>, document: &Json<'_>) -> ContentId {
    let mut hasher = Sha256::new();
    hasher.update(b"ledgerline content id v2\0");
    let record = event.record.id();
    for part in [&*event.org, &*event.topic, event.record.family(), &*record] {
        part_into(&mut hasher, part.as_bytes());
    }
    match &event.native_id {
        Some(native) => {
            hasher.update(b"n");
            part_into(&mut hasher, native.as_bytes());
            part_into(&mut hasher, event.source_name.unwrap_or_default().as_bytes());
        }
        None => {
            hasher.update(b"b");
            part_into(&mut hasher, &canonical_body(document, &event.body));
            if !event.body.has_time {
                hasher.update(event.occurred_at_ms.to_be_bytes());
            }
            // Without one nothing is hashed, so that ids of earlier versions stand.
            if let Some(kind) = event.body.wrapped_kind {
                part_into(&mut hasher, kind.as_bytes());
            }
        }
    }
    ContentId(hasher.finalize().into())
}

fn part_into(hasher: &mut Sha256, part: &[u8]) {
    hasher.update((part.len() as u64).to_be_bytes());
    hasher.update(part);
}

/// The canonical text of a document's body: members sorted by UTF-16 code units as RFC 8785 sorts them, strings with the
/// fewest escapes, numbers as written. A document that does not hold the body stands for itself.
pub fn canonical_body(document: &Json<'_>, body: &Body<'_>) -> Vec<u8> {
    let mut out = Vec::with_capacity(USUAL_BYTES);
    match inner(document, &body.path) {
        Some(Json::Object(object)) if !body.except.is_empty() => write_but(object, body.except, &mut out),
        Some(value) => write(value, &mut out),
        None => write(document, &mut out),
    }
    out
}

/// What lies under `path`; `0` is a list's first element.
fn inner<'t, 'a>(value: &'t Json<'a>, path: &[&str]) -> Option<&'t Json<'a>> {
    let Some((first, rest)) = path.split_first() else { return Some(value) };
    match value {
        Json::Object(object) => inner(object.get(first)?, rest),
        Json::Array(items) if *first == "0" => inner(items.first()?, rest),
        _ => None,
    }
}

/// Writes an object without the members that a re-send may change.
fn write_but(object: &Object<'_>, except: &[MemberPath], out: &mut Vec<u8>) {
    let name_of = |key: &str| built_in().name_of(key).map(|spelled| spelled.name);
    let mut first = true;
    out.push(b'{');
    for (key, value) in sorted(object) {
        let name = name_of(key);
        let paths: Vec<&MemberPath> = except.iter().filter(|path| Some(path.first) == name).collect();
        if paths.iter().any(|path| path.inner.is_none()) {
            continue;
        }
        let left_out: Vec<NameId> = paths.iter().filter_map(|path| path.inner).collect();
        let is_left = |key: &str| name_of(key).is_none_or(|name| !left_out.contains(&name));
        match value {
            // What holds nothing else is as if it were not there.
            Json::Object(inside) if !left_out.is_empty() && inside.keys().any(|key| !is_left(key)) => {
                if inside.keys().any(is_left) {
                    write_key(key, &mut first, out);
                    write_members(sorted(inside).into_iter().filter(|(key, _)| is_left(key)), out);
                }
            }
            value => {
                write_key(key, &mut first, out);
                write(value, out);
            }
        }
    }
    out.push(b'}');
}

fn write(value: &Json<'_>, out: &mut Vec<u8>) {
    match value {
        Json::Null => out.extend_from_slice(b"null"),
        Json::Bool(flag) => out.extend_from_slice(if *flag { b"true" } else { b"false" }),
        Json::Number(number) => out.extend_from_slice(number.lexeme().as_bytes()),
        Json::String(text) => write_text(text, out),
        Json::Array(items) => {
            out.push(b'[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                write(item, out);
            }
            out.push(b']');
        }
        Json::Object(object) => write_members(sorted(object).into_iter(), out),
    }
}

fn write_members<'t, 'a: 't>(members: impl Iterator<Item = (&'t str, &'t Json<'a>)>, out: &mut Vec<u8>) {
    let mut first = true;
    out.push(b'{');
    for (key, value) in members {
        write_key(key, &mut first, out);
        write(value, out);
    }
    out.push(b'}');
}

fn write_key(key: &str, first: &mut bool, out: &mut Vec<u8>) {
    if !std::mem::take(first) {
        out.push(b',');
    }
    write_text(key, out);
    out.push(b':');
}

/// The members by their names' UTF-16 code units.
fn sorted<'t, 'a>(object: &'t Object<'a>) -> Vec<(&'t str, &'t Json<'a>)> {
    let mut members: Vec<_> = object.iter().collect();
    // Among ASCII, code units and bytes have one order.
    if members.iter().all(|(key, _)| key.is_ascii()) {
        members.sort_unstable_by_key(|(key, _)| *key);
    } else {
        members.sort_unstable_by(|(a, _), (b, _)| a.encode_utf16().cmp(b.encode_utf16()));
    }
    members
}

fn write_text(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    let plain = |byte: u8| byte >= 0x20 && byte != b'"' && byte != b'\\';
    if text.bytes().all(plain) {
        out.extend_from_slice(text.as_bytes());
    } else {
        for byte in text.bytes() {
            match byte {
                b'"' => out.extend_from_slice(b"\\\""),
                b'\\' => out.extend_from_slice(b"\\\\"),
                0x08 => out.extend_from_slice(b"\\b"),
                0x0C => out.extend_from_slice(b"\\f"),
                b'\n' => out.extend_from_slice(b"\\n"),
                b'\r' => out.extend_from_slice(b"\\r"),
                b'\t' => out.extend_from_slice(b"\\t"),
                0..=0x1F => out.extend_from_slice(format!("\\u{byte:04x}").as_bytes()),
                _ => out.push(byte),
            }
        }
    }
    out.push(b'"');
}

/// Most bodies have fewer.
const USUAL_BYTES: usize = 2048;
