//! What ingest needs to know of a document, taken in the one pass that also proves it I-JSON.
//!
//! No tree is built and nothing is copied. The pass knows the names that all adapters share; what it does not
//! recognise is left to [`crate::adapt`], which has the last word. Duplicate keys are found by 64-bit hashes, and a
//! hit is confirmed on the keys themselves.

use crate::document::{Failure, Rejection};
use crate::instant;
use crate::scan::{Fatal, Lexer, MAX_DEPTH, Text};
use crate::sensitive;

/// A value that a head keeps: the inside of a string or a number's text.
type Scalar<'a> = Text<'a>;

/// What one pass found in a document.
#[derive(Debug, Clone, Copy, Default)]
pub struct Head<'a> {
    source: Option<Scalar<'a>>,
    org: Best<'a>,
    interaction: Best<'a>,
    entity_type: Best<'a>,
    entity_id: Best<'a>,
    token: Best<'a>,
    /// The best candidate of each level: an unreadable one gives way to the next.
    times: [Best<'a>; 3],
    sensitive: bool,
    line_break: bool,
    unusual: bool,
}

/// The candidate of the lowest rank, the first of equals.
#[derive(Debug, Clone, Copy, Default)]
struct Best<'a>(Option<(u8, Scalar<'a>)>);

impl<'a> Best<'a> {
    #[inline]
    fn offer(&mut self, rank: u8, value: Scalar<'a>) {
        if self.0.is_none_or(|(best, _)| rank < best) {
            self.0 = Some((rank, value));
        }
    }

    fn plain(&self) -> Option<&'a str> {
        self.0.and_then(|(_, text)| text.plain())
    }
}

impl<'a> Head<'a> {
    /// The envelope's `source`.
    pub fn source(&self) -> Option<&'a str> {
        self.source.and_then(Text::plain)
    }

    /// The organisation that the document itself names.
    pub fn org(&self) -> Option<&'a str> {
        self.source()
            .and_then(crate::adapters::org_of_source)
            .or_else(|| self.org.plain().filter(|org| crate::adapters::is_stated_org(org)))
    }

    /// The interaction's id, where the document names one.
    pub fn interaction(&self) -> Option<&'a str> {
        self.interaction.plain().filter(|id| crate::adapters::is_record_id(id))
    }

    /// The family, if the names that all adapters share tell it.
    pub fn family(&self) -> Option<&'static str> {
        if self.unusual {
            return None;
        }
        if self.interaction().is_some() {
            return Some("interaction");
        }
        let is_kind = self.entity_type.plain().is_some_and(|kind| !kind.is_empty());
        let is_id = self.entity_id.plain().is_some_and(crate::adapters::is_record_id);
        (self.interaction.0.is_none() && is_kind && is_id).then_some("entity")
    }

    /// The entity's record id, `entityType/entityId`, where the document is about an entity.
    pub fn entity(&self) -> Option<String> {
        Some(format!("{}/{}", crate::adapters::entity_kind(self.entity_type.plain()?), self.entity_id.plain()?))
    }

    /// When it happened, epoch milliseconds.
    pub fn occurred_at_ms(&self) -> Option<i64> {
        self.times.iter().find_map(|best| best.plain().and_then(instant::parse))
    }

    /// The lineage token that the source sent.
    pub fn lineage_token(&self) -> Option<&'a str> {
        self.token.plain()
    }

    /// Whether a key names sensitive authentication data, so that [`sensitive::cut`] has work to do.
    pub fn is_sensitive(&self) -> bool {
        self.sensitive
    }

    /// Whether the bytes hold a line break, which no line can carry.
    pub fn has_line_break(&self) -> bool {
        self.line_break
    }
}

/// Where in a document the pass stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Root,
    Detail,
    /// `detail.eventBody`, or an `auditEvent`: what the event itself says.
    Body,
    /// `entity` of an audit.
    Entity,
    /// A bag of names in which sources put a lineage token; the number is its rank.
    Bag(u8),
    Elsewhere,
}

/// What a member of an object is to the pass.
#[derive(Debug, Clone, Copy)]
enum Slot {
    Nothing,
    Source,
    Org,
    Interaction(u8),
    EntityType,
    EntityId,
    Time(u8),
    Token,
    /// A member whose value names its siblings: `{"property": "password", "newValues": …}`.
    Names,
    /// Something only an adapter understands.
    Unusual,
    Inside(Place),
}

/// The rank of the places: an event's own body before the envelopes around it.
fn level(place: Place) -> u8 {
    match place {
        Place::Body | Place::Entity => 0,
        Place::Detail => 1,
        Place::Root => 2,
        Place::Bag(rank) => 3 + rank,
        Place::Elsewhere => u8::MAX,
    }
}

#[inline]
fn slot(place: Place, key: &[u8]) -> Slot {
    match place {
        Place::Elsewhere => names_siblings(key),
        Place::Entity => match key {
            b"id" => Slot::EntityId,
            _ => names_siblings(key),
        },
        Place::Bag(_) => match key {
            b"lineageToken" | b"lineage_token" => Slot::Token,
            b"lineageProvenance" => Slot::Unusual,
            _ => names_siblings(key),
        },
        Place::Root | Place::Detail | Place::Body => shared_slot(place, key),
    }
}

/// The names that all adapters share, by length first: most keys are none of them and should cost little.
#[inline]
fn shared_slot(place: Place, key: &[u8]) -> Slot {
    match (key.len(), key) {
        (3, b"org") | (5, b"orgId") | (8, b"tenantId") | (14, b"organizationId") => Slot::Org,
        (4, b"time") => Slot::Time(2),
        (6, b"source") if place == Place::Root => Slot::Source,
        (6, b"detail") if place == Place::Root => Slot::Inside(Place::Detail),
        (6, b"entity") => Slot::Inside(Place::Entity),
        (7, b"payload") => Slot::Inside(Place::Bag(2)),
        (8, b"metadata") => Slot::Inside(Place::Bag(3)),
        (8, b"entityId") => Slot::EntityId,
        (9, b"eventTime") | (10, b"occurredAt") => Slot::Time(0),
        (9, b"timestamp") => Slot::Time(1),
        (9, b"eventBody") | (10, b"auditEvent") => Slot::Inside(Place::Body),
        (10, b"entityType") => Slot::EntityType,
        (10, b"attributes") => Slot::Inside(Place::Bag(1)),
        (11, b"aggregateId") | (13, b"aggregateType") | (17, b"lineageProvenance") => Slot::Unusual,
        (12, b"lineageToken") | (13, b"lineage_token") => Slot::Token,
        (12, b"customFields") => Slot::Inside(Place::Bag(0)),
        (13, b"interactionId") => Slot::Interaction(1),
        (14, b"conversationId") => Slot::Interaction(0),
        _ => names_siblings(key),
    }
}

#[inline]
fn names_siblings(key: &[u8]) -> Slot {
    if sensitive::names_siblings(key) { Slot::Names } else { Slot::Nothing }
}

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
    lexer: Lexer<'a>,
    head: Head<'a>,
    /// The keys of the open objects, innermost last.
    seen: Vec<Seen<'a>>,
}

impl<'a> Scanner<'a> {
    pub(crate) fn new(record: &'a [u8]) -> Self {
        Self { lexer: Lexer::new(record), head: Head::default(), seen: Vec::with_capacity(PAIRWISE_MAX) }
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

    /// Skips white space; `None` at the end.
    pub(crate) fn skip_space(&mut self) -> Option<usize> {
        self.lexer.after_space().ok().map(|_| self.lexer.at)
    }

    /// Reads the value at the position. A flawed document has been read to its end; a syntax error stands where it is.
    pub(crate) fn document(&mut self) -> Result<Head<'a>, Failure> {
        self.head = Head::default();
        self.seen.clear();
        self.lexer.flaw = None;
        self.lexer.line_break = false;
        let is_object = self.lexer.peek() == Some(b'{');
        let start = self.lexer.at;
        let whole = if is_object { self.object(Place::Root, 1) } else { self.value(Place::Elsewhere, 0) };
        match whole {
            Err(Fatal(reason)) => Err(Failure::Syntax(reason)),
            // A bare scalar ends only where something else may begin: `truefalse` and `12ab` are no JSON.
            Ok(()) if !is_object && !self.ends_value(start) => Err(Failure::Syntax(Rejection::NotJson)),
            Ok(()) => match self.lexer.flaw {
                Some(flaw) => Err(Failure::Flaw(flaw)),
                None if !is_object => Err(Failure::Flaw(Rejection::NotObject)),
                None => {
                    self.head.line_break = self.lexer.line_break;
                    Ok(self.head)
                }
            },
        }
    }

    fn ends_value(&self, start: usize) -> bool {
        let closed = matches!(self.lexer.bytes.get(start), Some(b'[' | b'"'));
        closed || self.lexer.peek().is_none_or(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | b'{' | b'[' | b'"'))
    }

    fn value(&mut self, inside: Place, depth: usize) -> Result<(), Fatal> {
        match self.lexer.peek() {
            Some(b'"') => self.text().map(|_| ()),
            Some(b'{') => self.object(inside, depth + 1),
            Some(b'[') => self.array(depth + 1),
            Some(b'-' | b'0'..=b'9') => self.lexer.number().map(|_| ()),
            Some(_) => self.lexer.literal().map(|_| ()),
            None => Err(Fatal(Rejection::NotJson)),
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
            return Err(Fatal(Rejection::TooDeep));
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
                _ => return Err(Fatal(Rejection::NotJson)),
            }
        }
    }

    fn object(&mut self, place: Place, depth: usize) -> Result<(), Fatal> {
        if depth > MAX_DEPTH {
            return Err(Fatal(Rejection::TooDeep));
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
                return Err(Fatal(Rejection::NotJson));
            }
            let key = self.lexer.string()?;
            self.remember(base, &mut mask, key);
            if self.lexer.after_space()? != b':' {
                return Err(Fatal(Rejection::NotJson));
            }
            self.lexer.at += 1;
            self.lexer.after_space()?;
            self.member(place, key, depth)?;
            match self.lexer.after_space()? {
                b',' => self.lexer.at += 1,
                b'}' => {
                    self.lexer.at += 1;
                    break;
                }
                _ => return Err(Fatal(Rejection::NotJson)),
            }
        }
        if self.seen.len() - base > PAIRWISE_MAX && has_duplicate(&mut self.seen[base..]) {
            self.lexer.flawed(Rejection::DuplicateKey);
        }
        self.seen.truncate(base);
        Ok(())
    }

    /// Notes a key of the object whose keys begin at `base`.
    #[inline]
    fn remember(&mut self, base: usize, mask: &mut u64, key: Text<'a>) {
        let hash = if key.escaped { hash(key.decode().as_bytes()) } else { hash(key.raw) };
        let bit = 1 << (hash >> 58);
        // Only a key whose bit is taken can be a duplicate; large objects are checked when they close.
        if *mask & bit != 0 && self.seen.len() - base <= PAIRWISE_MAX {
            let again = self.seen[base..].iter().any(|seen| seen.hash == hash && same(seen.key, key));
            if again {
                self.lexer.flawed(Rejection::DuplicateKey);
            }
        }
        *mask |= bit;
        self.seen.push(Seen { hash, key });
    }

    #[inline]
    fn member(&mut self, place: Place, key: Text<'a>, depth: usize) -> Result<(), Fatal> {
        if key.escaped {
            return self.escaped_member(place, key, depth);
        }
        if sensitive::may_be_sensitive(key.raw) && sensitive::kind_of_key(key.raw).is_some() {
            self.head.sensitive = true;
        }
        self.fill(place, slot(place, key.raw), depth)
    }

    /// Escapes do not occur in the names that sources use: an adapter reads such a document.
    #[cold]
    fn escaped_member(&mut self, place: Place, key: Text<'a>, depth: usize) -> Result<(), Fatal> {
        let decoded = key.decode();
        if sensitive::kind_of_key(decoded.as_bytes()).is_some() {
            self.head.sensitive = true;
        }
        let slot = slot(place, decoded.as_bytes());
        if !matches!(slot, Slot::Nothing | Slot::Names) {
            self.head.unusual = true;
        }
        self.fill(place, slot, depth)
    }

    #[inline]
    fn fill(&mut self, place: Place, slot: Slot, depth: usize) -> Result<(), Fatal> {
        let value = match (slot, self.lexer.peek()) {
            (Slot::Nothing, _) => return self.value(Place::Elsewhere, depth),
            (Slot::Inside(inner), _) => return self.value(inner, depth),
            (_, Some(b'"')) => self.text()?,
            (_, Some(b'-' | b'0'..=b'9')) => {
                let number = self.lexer.number()?;
                // An adapter takes integers alone for names, and not as they are written.
                let names = matches!(slot, Slot::Org | Slot::Interaction(_) | Slot::EntityType | Slot::EntityId);
                self.head.unusual |= names && !number.iter().all(u8::is_ascii_digit);
                Text { raw: number, escaped: false }
            }
            _ => {
                self.head.unusual |= matches!(slot, Slot::Unusual);
                return self.value(Place::Elsewhere, depth);
            }
        };
        let rank = level(place);
        let head = &mut self.head;
        match slot {
            Slot::Source => head.source = Some(value),
            Slot::Org => head.org.offer(rank, value),
            Slot::Interaction(order) => {
                head.unusual |= value.escaped;
                head.interaction.offer(2 * rank + order, value);
            }
            Slot::EntityType => head.entity_type.offer(rank, value),
            Slot::EntityId => head.entity_id.offer(rank, value),
            Slot::Time(order) => {
                if let Some(best) = head.times.get_mut(usize::from(rank)) {
                    best.offer(order, value);
                }
            }
            Slot::Token => {
                if value.plain().is_some_and(crate::lineage::looks_like_token) {
                    head.token.offer(rank, value);
                }
            }
            Slot::Names => head.sensitive |= sensitive::kind_of_key(value.decode().as_bytes()).is_some(),
            Slot::Unusual => head.unusual = true,
            Slot::Nothing | Slot::Inside(_) => {}
        }
        Ok(())
    }
}

fn same(a: Text<'_>, b: Text<'_>) -> bool {
    if a.escaped || b.escaped { a.decode() == b.decode() } else { a.raw == b.raw }
}

/// Whether two of an object's keys are one: n log n, whatever the hashes are.
fn has_duplicate(seen: &mut [Seen<'_>]) -> bool {
    seen.sort_unstable_by(|a, b| a.hash.cmp(&b.hash).then_with(|| a.key.decode().cmp(&b.key.decode())));
    seen.windows(2).any(|pair| pair[0].hash == pair[1].hash && same(pair[0].key, pair[1].key))
}

/// Mixes a key eight bytes at a time. Not a defence: equal hashes are always confirmed on the keys.
#[inline]
fn hash(key: &[u8]) -> u64 {
    const MIX: u64 = 0x9E37_79B9_7F4A_7C15;
    let mut state = key.len() as u64;
    let mut rest = key;
    while let Some((chunk, after)) = rest.split_first_chunk::<8>() {
        state = (state.rotate_left(23) ^ u64::from_le_bytes(*chunk)).wrapping_mul(MIX);
        rest = after;
    }
    // The tail is read as the key's last eight bytes, some of them again; short keys byte by byte.
    let last = match key.last_chunk::<8>() {
        Some(chunk) => u64::from_le_bytes(*chunk),
        None => rest.iter().fold(0, |last, byte| last << 8 | u64::from(*byte)),
    };
    state = (state.rotate_left(23) ^ last).wrapping_mul(MIX);
    (state ^ (state >> 29)).wrapping_mul(MIX)
}
