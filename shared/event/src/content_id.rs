//! What names an event by what it says, however often and through whatever envelope it arrives.
//!
//! Invariant: two events have one content id exactly if organisation, topic and record agree and, with a native id, it
//! and the name that the source gives itself or, without one, if their bodies differ in nothing but white space, the
//! order of members and the spelling of strings. A time that only an envelope tells counts beside a body, since nothing
//! in the body tells two such events apart. Numbers count as they are written, so that no two numbers beyond a double's
//! precision are taken for one.

use std::fmt;

use sha2::{Digest, Sha256};

use crate::catalogue::{MemberPath, built_in};
use crate::scan::{Lexer, MAX_DEPTH, Text};
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
pub fn content_id(event: &SourceEvent<'_>, document: &[u8]) -> ContentId {
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
        }
    }
    ContentId(hasher.finalize().into())
}

fn part_into(hasher: &mut Sha256, part: &[u8]) {
    hasher.update((part.len() as u64).to_be_bytes());
    hasher.update(part);
}

/// The canonical text of a document's body: members sorted by UTF-16 code units as RFC 8785 sorts them, strings with the
/// fewest escapes, numbers as written. A document that does not hold the body, or is no JSON, stands for itself.
pub fn canonical_body(document: &[u8], body: &Body<'_>) -> Vec<u8> {
    let mut out = Vec::with_capacity(document.len());
    let mut lexer = Lexer::new(document);
    let Some(mut node) = inner(&mut lexer, &body.path, 0).flatten() else { return document.to_vec() };
    if !body.except.is_empty() {
        leave_out(&mut node, body.except);
    }
    write(&mut node, &mut out);
    out
}

/// Takes out the members that a re-send may change.
fn leave_out(node: &mut Node<'_>, except: &[MemberPath]) {
    let Node::Object(members) = node else { return };
    let name_of = |key: &Text<'_>| built_in().name_of(&key.decode()).map(|spelled| spelled.name);
    members.retain_mut(|(key, value)| {
        let Some(name) = name_of(key) else { return true };
        let mut paths = except.iter().filter(|path| path.first == name).peekable();
        if let Node::Object(inside) = value {
            let inner: Vec<_> = paths.clone().filter_map(|path| path.inner).collect();
            inside.retain(|(key, _)| name_of(key).is_none_or(|name| !inner.contains(&name)));
        }
        !paths.any(|path| path.inner.is_none())
    });
}

/// What lies under `path`, `Some(None)` if nothing does; what lies beside it is followed and not kept.
fn inner<'a>(lexer: &mut Lexer<'a>, path: &[&str], depth: usize) -> Option<Option<Node<'a>>> {
    let Some((first, rest)) = path.split_first() else { return read(lexer, depth).map(Some) };
    let mut found = None;
    match lexer.after_space().ok()? {
        b'{' => {}
        // The one step into a list is the one to its first element.
        b'[' if *first == "0" => {
            elements(lexer, |lexer| {
                if found.is_none() {
                    found = Some(inner(lexer, rest, depth + 1)?);
                    Some(())
                } else {
                    skip(lexer, depth + 1)
                }
            })?;
            return Some(found.flatten());
        }
        _ => return skip(lexer, depth).map(|()| None),
    }
    members(lexer, |lexer, key| {
        if found.is_none() && spells(key, first) {
            found = Some(inner(lexer, rest, depth + 1)?);
            Some(())
        } else {
            skip(lexer, depth + 1)
        }
    })?;
    Some(found.flatten())
}

/// A document as it was written, borrowed.
enum Node<'a> {
    /// A number, `true`, `false` or `null`.
    Plain(&'a [u8]),
    String(Text<'a>),
    Array(Vec<Node<'a>>),
    Object(Vec<(Text<'a>, Node<'a>)>),
}

fn read<'a>(lexer: &mut Lexer<'a>, depth: usize) -> Option<Node<'a>> {
    if depth > MAX_DEPTH {
        return None;
    }
    match lexer.after_space().ok()? {
        b'"' => lexer.string().ok().map(Node::String),
        b'{' => {
            let mut read_members = Vec::with_capacity(USUAL_MEMBERS);
            members(lexer, |lexer, key| {
                read_members.push((key, read(lexer, depth + 1)?));
                Some(())
            })?;
            Some(Node::Object(read_members))
        }
        b'[' => {
            let mut read_elements = Vec::new();
            elements(lexer, |lexer| {
                read_elements.push(read(lexer, depth + 1)?);
                Some(())
            })?;
            Some(Node::Array(read_elements))
        }
        b'-' | b'0'..=b'9' => lexer.number().ok().map(Node::Plain),
        _ => lexer.literal().ok().map(Node::Plain),
    }
}

/// Follows a value, and keeps nothing.
pub(crate) fn skip(lexer: &mut Lexer<'_>, depth: usize) -> Option<()> {
    if depth > MAX_DEPTH {
        return None;
    }
    match lexer.after_space().ok()? {
        b'"' => lexer.string().ok().map(drop),
        b'{' => members(lexer, |lexer, _| skip(lexer, depth + 1)),
        b'[' => elements(lexer, |lexer| skip(lexer, depth + 1)),
        b'-' | b'0'..=b'9' => lexer.number().ok().map(drop),
        _ => lexer.literal().ok().map(drop),
    }
}

/// Goes through an object; `at` stands on its brace, and at each call of `member` before a value.
pub(crate) fn members<'a>(
    lexer: &mut Lexer<'a>,
    mut member: impl FnMut(&mut Lexer<'a>, Text<'a>) -> Option<()>,
) -> Option<()> {
    lexer.at += 1;
    while lexer.after_space().ok()? != b'}' {
        let key = lexer.string().ok()?;
        lexer.after_space().ok()?;
        lexer.at += 1;
        member(lexer, key)?;
        if lexer.after_space().ok()? == b',' {
            lexer.at += 1;
        }
    }
    lexer.at += 1;
    Some(())
}

/// Goes through an array; `at` stands on its bracket, and at each call of `element` before a value.
pub(crate) fn elements<'a>(lexer: &mut Lexer<'a>, mut element: impl FnMut(&mut Lexer<'a>) -> Option<()>) -> Option<()> {
    lexer.at += 1;
    while lexer.after_space().ok()? != b']' {
        element(lexer)?;
        if lexer.after_space().ok()? == b',' {
            lexer.at += 1;
        }
    }
    lexer.at += 1;
    Some(())
}

fn write(node: &mut Node<'_>, out: &mut Vec<u8>) {
    match node {
        Node::Plain(lexeme) => out.extend_from_slice(lexeme),
        Node::String(text) => write_text(*text, out),
        Node::Array(elements) => {
            out.push(b'[');
            for (index, element) in elements.iter_mut().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                write(element, out);
            }
            out.push(b']');
        }
        Node::Object(members) => {
            sort(members);
            out.push(b'{');
            for (index, (key, value)) in members.iter_mut().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                write_text(*key, out);
                out.push(b':');
                write(value, out);
            }
            out.push(b'}');
        }
    }
}

fn spells(text: Text<'_>, word: &str) -> bool {
    if text.escaped { text.decode() == word } else { text.raw == word.as_bytes() }
}

fn sort(members: &mut [(Text<'_>, Node<'_>)]) {
    // Among ASCII, code units and bytes have one order.
    if members.iter().all(|(key, _)| !key.escaped && key.raw.is_ascii()) {
        members.sort_by(|(a, _), (b, _)| a.raw.cmp(b.raw));
    } else {
        members.sort_by(|(a, _), (b, _)| a.decode().encode_utf16().cmp(b.decode().encode_utf16()));
    }
}

fn write_text(text: Text<'_>, out: &mut Vec<u8>) {
    out.push(b'"');
    if text.escaped {
        for byte in text.decode().bytes() {
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
    } else {
        out.extend_from_slice(text.raw);
    }
    out.push(b'"');
}

/// Bodies have some twelve to sixteen members; one allocation then suffices.
const USUAL_MEMBERS: usize = 16;
