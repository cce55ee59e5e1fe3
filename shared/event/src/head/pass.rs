//! The pass itself: the grammar, the duplicate keys, and the members that the description names.
//!
//! Duplicate keys are found by 64-bit hashes, and a hit is confirmed on the keys themselves.

use ledgerline_json::MAX_DEPTH;
use ledgerline_json::lexer::{Fatal, Flaw, Lexer, Text};

use super::slots::{Place, Slot, slot};
use super::{Head, Outline};
use crate::adapters::is_stated_org;
use crate::catalogue::{KeyTable, PassName, hash};
use crate::document::{BYTE_ORDER_MARK, Failure, Rejection};
use crate::lineage::looks_like_token;
use crate::sensitive;

/// A key already met in an open object.
#[derive(Clone, Copy)]
struct Seen<'a> {
    hash: u64,
    key: Text<'a>,
}

/// Objects of more members than this are checked for duplicates once, by sorting, when they close.
const PAIRWISE_MAX: usize = 64;

/// The pass itself, over all documents of one record.
pub(crate) struct Scanner<'a> {
    names: &'static KeyTable<PassName>,
    audit_topic: &'static [u8],
    entity_topics: &'static [&'static str],
    lexer: Lexer<'a>,
    head: Head<'a>,
    outline: Outline,
    /// The keys of the open objects, innermost last.
    seen: Vec<Seen<'a>>,
}

impl<'a> Scanner<'a> {
    pub(crate) fn new(record: &'a [u8]) -> Self {
        let catalogue = crate::catalogue::built_in();
        Self {
            names: &catalogue.pass,
            audit_topic: catalogue.audit_topic().as_bytes(),
            entity_topics: &catalogue.entity_topics,
            lexer: Lexer::new(record),
            head: Head::default(),
            outline: Outline::default(),
            seen: Vec::with_capacity(PAIRWISE_MAX),
        }
    }

    pub(crate) fn bytes(&self) -> &'a [u8] {
        self.lexer.bytes
    }

    pub(crate) fn at(&self) -> usize {
        self.lexer.at
    }

    pub(crate) fn jump(&mut self, at: usize) {
        self.lexer.at = at;
    }

    /// Skips white space and byte order marks; `None` at the end.
    pub(crate) fn skip_space(&mut self) -> Option<usize> {
        loop {
            let next = self.lexer.after_space().ok()?;
            let at = self.lexer.at;
            if next != BYTE_ORDER_MARK[0] || !self.lexer.bytes[at..].starts_with(BYTE_ORDER_MARK) {
                return Some(at);
            }
            self.lexer.at += BYTE_ORDER_MARK.len();
        }
    }

    /// Reads the value at the position. A flawed document has been read to its end; a syntax error stands where it is.
    pub(crate) fn document(&mut self) -> Result<Head<'a>, Failure> {
        self.head = Head::default();
        self.outline = Outline::default();
        self.seen.clear();
        self.lexer.flaw = None;
        self.lexer.line_break = false;
        let is_object = self.lexer.peek() == Some(b'{');
        let start = self.lexer.at;
        let whole = if is_object { self.object(Place::Root, 1) } else { self.value(Place::Elsewhere, 0) };
        match whole {
            Err(Fatal(flaw)) => Err(Failure::Syntax(flaw.into())),
            // A bare scalar ends only where something else may begin: `truefalse` and `12ab` are no JSON.
            Ok(()) if !is_object && !self.ends_value(start) => Err(Failure::Syntax(Rejection::NotJson)),
            Ok(()) => match self.lexer.flaw {
                Some(flaw) => Err(Failure::Flaw(flaw.into())),
                None if !is_object => Err(Failure::Flaw(Rejection::NotObject)),
                None => {
                    self.head.line_break = self.lexer.line_break;
                    let level = usize::from(self.outline.event_level());
                    let batch = self.outline.batch[level] && self.outline.batch_mark[level];
                    self.head.batch = batch && !self.head.names_interaction();
                    self.head.unusual |= batch;
                    self.head.family = self.head.family_in(&self.outline);
                    Ok(self.head)
                }
            },
        }
    }

    fn ends_value(&self, start: usize) -> bool {
        match self.lexer.bytes.get(start) {
            Some(b'[') => true,
            // A name that lost its object: what follows is its value, and stays with it.
            Some(b'"') => {
                let next = self.lexer.bytes[self.lexer.at..].trim_ascii_start().first();
                !matches!(next, Some(b':' | b',' | b'}' | b']'))
            }
            _ => {
                let ends = |byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | b'{' | b'[' | b'"');
                self.lexer.peek().is_none_or(ends)
            }
        }
    }

    fn value(&mut self, inside: Place, depth: usize) -> Result<(), Fatal> {
        match self.lexer.peek() {
            Some(b'"') => self.text().map(|_| ()),
            Some(b'{') => self.object(inside, depth + 1),
            Some(b'[') => self.array(depth + 1),
            Some(b'-' | b'0'..=b'9') => self.lexer.number().map(|_| ()),
            Some(_) => self.lexer.literal().map(|_| ()),
            None => Err(Fatal(Flaw::NotJson)),
        }
    }

    /// Reads a string that is a value. JSON in it has quotes, so that only escapes make one worth a look.
    #[inline]
    fn text(&mut self) -> Result<Text<'a>, Fatal> {
        let text = self.lexer.string()?;
        if text.escaped && !self.head.sensitive {
            self.head.sensitive = sensitive::is_in_string(text.raw);
        }
        Ok(text)
    }

    fn array(&mut self, depth: usize) -> Result<(), Fatal> {
        if depth > MAX_DEPTH {
            return Err(Fatal(Flaw::TooDeep));
        }
        self.lexer.at += 1;
        if self.lexer.after_space()? == b']' {
            self.lexer.at += 1;
            return Ok(());
        }
        loop {
            self.lexer.after_space()?;
            self.value(Place::Elsewhere, depth)?;
            match self.lexer.after_space()? {
                b',' => self.lexer.at += 1,
                b']' => {
                    self.lexer.at += 1;
                    return Ok(());
                }
                _ => return Err(Fatal(Flaw::NotJson)),
            }
        }
    }

    fn object(&mut self, place: Place, depth: usize) -> Result<(), Fatal> {
        if depth > MAX_DEPTH {
            return Err(Fatal(Flaw::TooDeep));
        }
        let base = self.seen.len();
        let mut mask = 0_u64;
        self.lexer.at += 1;
        if self.lexer.after_space()? == b'}' {
            self.lexer.at += 1;
            return Ok(());
        }
        loop {
            if self.lexer.after_space()? != b'"' {
                return Err(Fatal(Flaw::NotJson));
            }
            let key = self.lexer.key()?;
            let hash = self.remember(base, &mut mask, key);
            if self.lexer.after_space()? != b':' {
                return Err(Fatal(Flaw::NotJson));
            }
            self.lexer.at += 1;
            self.lexer.after_space()?;
            self.member(place, key, hash, depth)?;
            match self.lexer.after_space()? {
                b',' => self.lexer.at += 1,
                b'}' => {
                    self.lexer.at += 1;
                    break;
                }
                _ => return Err(Fatal(Flaw::NotJson)),
            }
        }
        if self.seen.len() - base > PAIRWISE_MAX && has_duplicate(&mut self.seen[base..]) {
            self.lexer.flawed(Flaw::DuplicateKey);
        }
        self.seen.truncate(base);
        Ok(())
    }

    /// Notes a key of the object whose keys begin at `base`; its hash.
    #[inline]
    fn remember(&mut self, base: usize, mask: &mut u64, key: Text<'a>) -> u64 {
        let hash = if key.escaped { hash(key.decode().as_bytes()) } else { hash(key.raw) };
        let bit = 1 << (hash >> 58);
        // Only a key whose bit is taken can be a duplicate; large objects are checked when they close.
        if *mask & bit != 0 && self.seen.len() - base <= PAIRWISE_MAX {
            let again = self.seen[base..].iter().any(|seen| seen.hash == hash && same(seen.key, key));
            if again {
                self.lexer.flawed(Flaw::DuplicateKey);
            }
        }
        *mask |= bit;
        self.seen.push(Seen { hash, key });
        hash
    }

    #[inline]
    fn member(&mut self, place: Place, key: Text<'a>, hash: u64, depth: usize) -> Result<(), Fatal> {
        if key.escaped {
            return self.escaped_member(place, key, hash, depth);
        }
        if sensitive::name_of_hashed(hash, key.raw).is_some() {
            self.head.sensitive = true;
        }
        let found = if place == Place::Elsewhere { None } else { self.names.find(hash, key.raw) };
        self.fill(slot(place, found, key.raw), depth)
    }

    /// Escapes do not occur in the names that sources use: an adapter reads such a document.
    #[cold]
    fn escaped_member(&mut self, place: Place, key: Text<'a>, hash: u64, depth: usize) -> Result<(), Fatal> {
        let decoded = key.decode();
        if sensitive::name_of_hashed(hash, decoded.as_bytes()).is_some() {
            self.head.sensitive = true;
        }
        let slot = slot(place, self.names.find(hash, decoded.as_bytes()), decoded.as_bytes());
        if !matches!(slot, Slot::Nothing | Slot::Names) {
            self.head.unusual = true;
        }
        self.fill(slot, depth)
    }

    #[inline]
    fn fill(&mut self, slot: Slot, depth: usize) -> Result<(), Fatal> {
        let value = match (slot, self.lexer.peek()) {
            (Slot::Nothing, _) => return self.value(Place::Elsewhere, depth),
            (Slot::Inside(inner), _) => return self.value(inner, depth),
            (Slot::Envelope | Slot::Body(..), next) => {
                // A layer may be JSON in a string.
                self.head.unusual |= next == Some(b'"');
                return self.layer(slot, next == Some(b'{'), depth);
            }
            (Slot::Shaped | Slot::Batch(_) | Slot::BatchMark(_), next) => return self.mark(slot, next, depth),
            (_, Some(b'"')) => self.text()?,
            (_, Some(b'-' | b'0'..=b'9')) => {
                let number = self.lexer.number()?;
                // An adapter takes integers alone for names, and numbers not as they are written.
                let is_plain = number.len() <= INTEGER_DIGITS && number.iter().all(u8::is_ascii_digit);
                self.head.unusual |= !is_plain && !matches!(slot, Slot::Names);
                Text::unescaped(number)
            }
            _ => {
                // Something that is there and that no adapter reads as a time, or as a token, is its to judge.
                let says_something = self.lexer.peek() != Some(b'n');
                self.head.unusual |= matches!(slot, Slot::Unusual)
                    || (says_something && matches!(slot, Slot::Time(..) | Slot::Token(_)));
                self.outline.marked |= matches!(slot, Slot::Source | Slot::DetailType);
                return self.value(Place::Elsewhere, depth);
            }
        };
        self.take(slot, value);
        Ok(())
    }

    /// A member whose value, where it is an object, is one of the document's layers.
    fn layer(&mut self, slot: Slot, is_object: bool, depth: usize) -> Result<(), Fatal> {
        let outline = &mut self.outline;
        let inner = match slot {
            Slot::Envelope => {
                outline.detail |= is_object;
                Place::Detail
            }
            Slot::Body(layer, around) if is_object => {
                outline.several |= outline.body.replace((layer, around)).is_some();
                Place::Body
            }
            _ => Place::Elsewhere,
        };
        self.value(inner, depth)
    }

    /// A member that tells of a shape by standing there.
    fn mark(&mut self, slot: Slot, next: Option<u8>, depth: usize) -> Result<(), Fatal> {
        let outline = &mut self.outline;
        match slot {
            Slot::Batch(level) => outline.batch[usize::from(level)] |= next == Some(b'['),
            Slot::BatchMark(level) => outline.batch_mark[usize::from(level)] = true,
            _ => outline.shaped |= next != Some(b'n'),
        }
        self.value(Place::Elsewhere, depth)
    }

    /// Keeps a scalar for what its member is.
    #[inline]
    fn take(&mut self, slot: Slot, value: Text<'a>) {
        let (head, outline) = (&mut self.head, &mut self.outline);
        // Escapes do not occur in the values that matter, bar in those of encoders that an adapter should read.
        head.unusual |= value.escaped && !matches!(slot, Slot::Names);
        head.unusual |= matches!(slot, Slot::DetailType | Slot::Topic(_))
            && self.entity_topics.iter().any(|topic| value.raw.starts_with(topic.as_bytes()));
        match slot {
            Slot::Source => {
                head.source = Some(value);
                outline.marked = true;
            }
            Slot::DetailType => {
                outline.audit_type = value.raw.starts_with(self.audit_topic);
                outline.marked = true;
            }
            Slot::Topic(level) => {
                if let Some(is_audit) = outline.audit_topic.get_mut(usize::from(level)) {
                    *is_audit = value.raw.starts_with(self.audit_topic);
                }
            }
            Slot::Org(rank) => {
                if value.plain().is_some_and(is_stated_org) {
                    head.org.offer(rank, value);
                }
            }
            Slot::Interaction(rank) => head.interaction.offer(rank, value),
            Slot::BagInteraction => outline.bag_names_interaction = true,
            Slot::EntityType(rank) => head.entity_type.offer(rank, value),
            Slot::EntityId(rank) => head.entity_id.offer(rank, value),
            Slot::Time(level, rank) => match head.times.get_mut(usize::from(level)) {
                // A blank says nothing.
                Some(best) if !value.raw.trim_ascii().is_empty() => best.offer(rank, value),
                _ => {}
            },
            // One that is none hides a second one of the same layer: the adapter knows the rules.
            Slot::Token(rank) => match value.plain().is_some_and(looks_like_token) {
                true => head.token.offer(rank, value),
                false => head.unusual = true,
            },
            Slot::Names => {
                let name = value.decode();
                head.sensitive |= sensitive::name_of_hashed(hash(name.as_bytes()), name.as_bytes()).is_some();
            }
            Slot::Unusual => head.unusual = true,
            Slot::Nothing
            | Slot::Inside(_)
            | Slot::Envelope
            | Slot::Body(..)
            | Slot::Shaped
            | Slot::Batch(_)
            | Slot::BatchMark(_) => {}
        }
    }
}

/// As many digits as every integer of 64 bits can hold.
const INTEGER_DIGITS: usize = 18;

fn same(a: Text<'_>, b: Text<'_>) -> bool {
    if a.escaped || b.escaped { a.decode() == b.decode() } else { a.raw == b.raw }
}

/// Whether two of an object's keys are one: n log n, whatever the hashes are.
fn has_duplicate(seen: &mut [Seen<'_>]) -> bool {
    seen.sort_unstable_by(|a, b| a.hash.cmp(&b.hash).then_with(|| a.key.decode().cmp(&b.key.decode())));
    seen.windows(2).any(|pair| pair[0].hash == pair[1].hash && same(pair[0].key, pair[1].key))
}
