//! The walk over a document, and over the JSON in its strings, that finds what is to be cut.
//!
//! Linear: a string's content is read once per level of strings around it, of which at most [`LEVELS_MAX`] are undone.

use super::garbage::{Names, values_in};
use super::looks::Looks;
use super::memo::name_of;
use super::names::{Name, is_named_value, names_siblings};
use super::pointer::Pointer;
use super::{CUTS_MAX, Found, SensitiveKind};
use crate::document::BYTE_ORDER_MARK;
use ledgerline_json::MAX_DEPTH;
use ledgerline_json::lexer::{Lexer, Text, raw_positions, unescape};

/// How many strings one within the other are read as JSON. Each level doubles the backslashes before a quote: at the
/// fifth there would be 31 of them. What lies deeper is searched lexically.
const LEVELS_MAX: usize = 4;

pub(super) struct Finder<'a> {
    lexer: Lexer<'a>,
    pointer: Pointer,
    pub(super) found: Vec<Found>,
    /// How many more pointers the list has room for.
    room: usize,
    /// How many strings these bytes are inside of.
    level: usize,
    /// What the values read so far look like.
    looks: Looks,
}

impl<'a> Finder<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self {
            lexer: Lexer::new(bytes),
            pointer: Pointer::default(),
            found: Vec::new(),
            room: CUTS_MAX,
            level: 0,
            looks: Looks::default(),
        }
    }

    /// Reads one value after the other to the end of the bytes; `None` if they are no JSON.
    pub(super) fn documents(&mut self) -> Option<()> {
        self.lexer.after_space().ok()?;
        while self.lexer.after_space().is_ok() {
            self.value(0)?;
        }
        Some(())
    }

    /// The position of the next byte that is not white space or of a byte order mark.
    pub(super) fn skip_space(&mut self) -> Option<usize> {
        while self.lexer.after_space().is_ok() {
            if !self.lexer.bytes[self.lexer.at..].starts_with(BYTE_ORDER_MARK) {
                return Some(self.lexer.at);
            }
            self.lexer.at += BYTE_ORDER_MARK.len();
        }
        None
    }

    pub(super) fn at(&self) -> usize {
        self.lexer.at
    }

    pub(super) fn jump(&mut self, at: usize) {
        self.lexer.at = at;
    }

    /// Reads the object or array at the position; `None`, and nothing of it is noted, if there is none.
    pub(super) fn structure(&mut self) -> Option<()> {
        let noted = (self.found.len(), self.room, self.pointer.mark());
        let is_one = matches!(self.lexer.peek(), Some(b'{' | b'['));
        let read = if is_one { self.value(0) } else { None };
        if read.is_none() {
            self.forget(noted);
        }
        read
    }

    /// Whether one stands here, or nothing but such to the end; nothing of them is noted.
    pub(super) fn is_followed(&mut self, to_the_end: bool) -> bool {
        let noted = (self.found.len(), self.room, self.pointer.mark());
        let mut follows = true;
        while follows && self.skip_space().is_some() {
            follows = self.structure().is_some();
            if !to_the_end {
                break;
            }
        }
        self.forget(noted);
        follows
    }

    fn forget(&mut self, (found, room, pointer): (usize, usize, (usize, bool))) {
        self.found.truncate(found);
        self.room = room;
        self.pointer.back_to(pointer);
    }

    fn value(&mut self, depth: usize) -> Option<()> {
        match self.lexer.after_space().ok()? {
            b'"' => {
                let start = self.lexer.at + 1;
                let text = self.lexer.string().ok()?;
                self.looks.note_string(text.raw, text.escaped);
                if text.escaped {
                    self.inside_string(text.raw, start);
                }
                Some(())
            }
            b'{' => self.object(depth + 1),
            b'[' => self.array(depth + 1),
            b'-' | b'0'..=b'9' => {
                let number = self.lexer.number().ok()?;
                self.looks.note_number(number);
                Some(())
            }
            _ => self.lexer.literal().ok().map(|_| ()),
        }
    }

    fn array(&mut self, depth: usize) -> Option<()> {
        if depth > MAX_DEPTH {
            return None;
        }
        self.lexer.at += 1;
        let kept = self.pointer.mark();
        for index in 0.. {
            if self.lexer.after_space().ok()? == b']' {
                break;
            }
            self.pointer.push(&index.to_string());
            self.value(depth)?;
            self.pointer.back_to(kept);
            self.separator(b']')?;
        }
        self.lexer.at += 1;
        Some(())
    }

    fn object(&mut self, depth: usize) -> Option<()> {
        if depth > MAX_DEPTH {
            return None;
        }
        self.lexer.at += 1;
        let kept = self.pointer.mark();
        let mut named: Option<Name> = None;
        let mut siblings: Vec<(Text<'a>, Member)> = Vec::new();
        while self.lexer.after_space().ok()? != b'}' {
            if self.lexer.peek() != Some(b'"') {
                return None;
            }
            let key = self.lexer.string().ok()?;
            if self.lexer.after_space().ok()? != b':' {
                return None;
            }
            self.lexer.at += 1;
            self.lexer.after_space().ok()?;
            let decoded = key.decode();
            self.pointer.push(&decoded);
            let (start, before) = (self.lexer.at, self.looks);
            self.value(depth)?;
            let end = self.lexer.at;
            let member = Member { start, end, before, after: self.looks };
            // As it stands, where it can be: what is not UTF-8 is read as Latin-1.
            self.note_member(name_of(if key.escaped { decoded.as_bytes() } else { key.raw }), member);
            if names_siblings(decoded.as_bytes()) && self.lexer.bytes[start] == b'"' {
                let content = unescape(&self.lexer.bytes[start + 1..end - 1]);
                // A certain name is not hidden by a doubtful one before it.
                named = match (named, name_of(&content)) {
                    (Some(first), Some(other)) if !first.certain && other.certain => Some(other),
                    (first, other) => first.or(other),
                };
            }
            if is_named_value(decoded.as_bytes()) {
                siblings.push((key, member));
            }
            self.pointer.back_to(kept);
            self.separator(b'}')?;
        }
        self.lexer.at += 1;
        for (key, member) in siblings {
            self.pointer.push(&key.decode());
            self.note_member(named, member);
            self.pointer.back_to(kept);
        }
        Some(())
    }

    /// Skips a comma; anything but that and the closing bracket is no JSON.
    fn separator(&mut self, closing: u8) -> Option<()> {
        match self.lexer.after_space().ok()? {
            b',' => self.lexer.at += 1,
            other if other == closing => {}
            _ => return None,
        }
        Some(())
    }

    /// Searches the JSON that the inside of a string may hold; `start` is where that begins in these bytes.
    pub(super) fn inside_string(&mut self, raw: &[u8], start: usize) {
        if !may_hold_json(raw) {
            return;
        }
        let content = unescape(raw);
        let kept = self.pointer.mark();
        let mut inner = Finder {
            lexer: Lexer::new(&content),
            pointer: std::mem::take(&mut self.pointer),
            found: Vec::new(),
            room: self.room,
            level: self.level + 1,
            looks: self.looks,
        };
        let is_json = inner.level <= LEVELS_MAX && inner.documents().is_some();
        inner.pointer.back_to(kept);
        if !is_json {
            // Prose around JSON, or JSON that somebody shortened.
            inner.found.clear();
            inner.room = self.room;
            for (start, end, kind) in values_in(&content, Names::Quoted) {
                inner.note(kind, start, end);
            }
        }
        let Finder { pointer, found, room, looks, .. } = inner;
        (self.pointer, self.room, self.looks) = (pointer, room, looks);
        let mut places: Vec<usize> = found.iter().flat_map(|value| [value.start, value.end]).collect();
        places.sort_unstable();
        let in_raw = raw_positions(raw, &places);
        let here = |place| start + places.binary_search(&place).map_or(0, |at| in_raw[at]);
        self.found.extend(found.into_iter().map(|value| Found {
            start: here(value.start),
            end: here(value.end),
            ..value
        }));
    }

    /// Notes a member's value, if its name, and where that leaves a doubt the value, are those of sensitive data.
    fn note_member(&mut self, name: Option<Name>, member: Member) {
        if let Some(name) = name.filter(|name| member.before.confirm(*name, member.after)) {
            self.note(name.kind, member.start, member.end);
        }
    }

    /// Notes a value, unless it is `null`: there is nothing to cut, or it was cut before. `true` and `false` are no code.
    fn note(&mut self, kind: SensitiveKind, start: usize, end: usize) {
        if matches!(&self.lexer.bytes[start..end], b"null" | b"true" | b"false") {
            return;
        }
        // What was found inside this value goes with it, and its place in the list is free again.
        while let Some(inside) = self.found.pop_if(|found| found.start >= start && found.end <= end) {
            self.room += usize::from(inside.pointer.is_some());
        }
        let pointer = (self.room > 0).then(|| self.pointer.to_text());
        self.room -= usize::from(pointer.is_some());
        self.found.push(Found { start, end, kind, pointer });
    }
}

/// Where a member's value stands, and what the values before it and in it look like.
#[derive(Clone, Copy)]
struct Member {
    start: usize,
    end: usize,
    before: Looks,
    after: Looks,
}

/// A necessary condition: JSON in which anything is named has quotes and a colon, of which the quotes are escaped.
fn may_hold_json(raw: &[u8]) -> bool {
    let is_coded = || raw.windows(4).any(|bytes| bytes == br"\u00");
    (raw.contains(&b'"') && raw.contains(&b':')) || is_coded()
}
