//! What is sealed of one event: gathered value by value while it is read, then laid out, one object a party.
//!
//! Invariant: an object has each name once, every value as it was sent, and fits its block; what does not is left out, what no
//! description lists first and identifiers last, and named to the caller. Every event has the digest of its bytes, and that is never
//! left out. Values are written once, into one buffer that is zeroed after each event: none outlives the line that it is from.

use std::cmp::Ordering;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use ledgerline_json::Json;
use ledgerline_ledger::canonical;
use ledgerline_ledger::entry::{Block, Party, Sealed};
use serde_json::Number;
use zeroize::{Zeroize as _, Zeroizing};

use crate::Random;
use crate::block::{CONTENT_BYTES, Padded, Place};
use crate::key::PartyKey;

/// Where the values of one event after the other are gathered.
pub struct Buffer {
    /// Names and values, one after the other.
    text: Zeroizing<String>,
    held: Vec<Held>,
}

/// The values of one event that are to be sealed. Dropped or sealed, it forgets them.
pub struct Content<'b>(&'b mut Buffer);

/// What a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Member {
    /// A listed field, by its canonical name.
    Field(&'static str),
    /// An identifier, by its kind's label.
    Identifier(&'static str),
    /// A value that no description lists. Its JSON Pointer may be personal itself.
    Unlisted,
    /// The digest of the event's bytes.
    Raw,
}

/// An event's sealed content.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seals {
    /// As its entry has it.
    pub sealed: Sealed,
    /// What did not fit its party's block: of each party in the order in which it was left out.
    pub masked: Vec<Member>,
}

/// A value in the buffer.
struct Held {
    party: Party,
    member: Member,
    /// The name, and the same as JSON.
    name: Range<usize>,
    quoted: Range<usize>,
    value: Range<usize>,
}

impl Buffer {
    /// With room for nearly every event.
    pub fn new() -> Self {
        Self { text: Zeroizing::new(String::with_capacity(USUAL_BYTES)), held: Vec::new() }
    }

    /// An event's content, of whose bytes `raw` is the SHA-256: it is the customer's where the event names a customer, else joint.
    pub fn event(&mut self, names_customer: bool, raw: &[u8; 32]) -> Content<'_> {
        let mut hex = String::with_capacity(2 * raw.len());
        for byte in raw {
            hex.push(char::from(HEX_DIGITS[usize::from(byte >> 4)]));
            hex.push(char::from(HEX_DIGITS[usize::from(byte & 0x0F)]));
        }
        let party = if names_customer { Party::Customer } else { Party::Joint };
        let mut content = Content(self);
        content.add(party, Member::Raw, RAW, &Json::from(hex));
        content
    }
}

impl Default for Buffer {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Buffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Buffer(***)")
    }
}

impl Content<'_> {
    /// Adds a listed field. Of two of one name the later stays. `null` says nothing, here and below.
    pub fn add_field(&mut self, party: Party, name: &'static str, value: &Json<'_>) {
        self.add(party, Member::Field(name), name, value);
    }

    /// Adds an identifier: a member of the event that names somebody. Several of one kind become an array, equal ones once.
    pub fn add_identifier(&mut self, party: Party, kind: &'static str, value: &Json<'_>) {
        self.add(party, Member::Identifier(kind), kind, value);
    }

    /// Adds a value that no description lists, under its JSON Pointer, as [`crate::unlisted::Walk`] gives them.
    pub fn add_unlisted(&mut self, party: Party, pointer: &str, value: &Json<'_>) {
        self.add(party, Member::Unlisted, pointer, value);
    }

    /// Seals what was added, for each party that has any, under the key that `key_of` gives for it: one for each.
    pub fn seal(self, place: &Place<'_>, random: Random<'_>, mut key_of: impl FnMut(Party) -> Arc<PartyKey>) -> Seals {
        let mut seals = Seals::default();
        let mut blocks: Vec<(Arc<PartyKey>, Party, String)> = Vec::with_capacity(Party::ALL.len());
        for party in Party::ALL {
            let slots = fitting(self.slots(party), &mut seals.masked);
            if !slots.is_empty() {
                let key = key_of(party);
                let sealed = self.write(&slots).seal(place, party, &key, random);
                blocks.push((key, party, sealed));
            }
        }
        seals.sealed.key_ids = blocks.iter().map(|(key, ..)| key.id().to_string()).collect();
        seals.sealed.key_ids.sort_unstable();
        let ids = &seals.sealed.key_ids;
        let place_of = |key: &PartyKey| ids.partition_point(|id| id.as_str() < key.id().as_str());
        seals.sealed.blocks = blocks.into_iter().map(|(key, p, b)| Block { b, k: place_of(&key), p }).collect();
        seals
    }

    fn add(&mut self, party: Party, member: Member, name: &str, value: &Json<'_>) {
        if value.is_null() {
            return;
        }
        let Buffer { text, held } = &mut *self.0;
        let start = text.len();
        text.push_str(name);
        let named = text.len();
        canonical::write_string(text, name);
        let quoted = text.len();
        write(text, value);
        held.push(Held { party, member, name: start..named, quoted: named..quoted, value: quoted..text.len() });
    }

    /// A party's members in the order of their names, each name once.
    fn slots(&self, party: Party) -> Vec<Slot<'_>> {
        let mut held: Vec<&Held> = self.0.held.iter().filter(|held| held.party == party).collect();
        let name = |held: &Held| &self.0.text[held.name.clone()];
        // Stable, so that values of one name stay in their order.
        held.sort_by(|a, b| by_code_units(name(a), name(b)));
        let mut slots = Vec::with_capacity(held.len());
        slots.extend(held.chunk_by(|a, b| name(a) == name(b)).map(|held| self.slot(held)));
        slots
    }

    fn slot(&self, held: &[&Held]) -> Slot<'_> {
        let value = |held: &&Held| &self.0.text[held.value.clone()];
        let (first, last) = (held[0], held[held.len() - 1]);
        let mut slot = Slot {
            member: first.member,
            name: &self.0.text[first.quoted.clone()],
            value: value(&last),
            more: Vec::new(),
        };
        if held.iter().any(|held| matches!(held.member, Member::Identifier(_))) {
            slot.value = value(&first);
            for value in held.iter().map(value) {
                if value != slot.value && !slot.more.contains(&value) {
                    slot.more.push(value);
                }
            }
        }
        slot
    }

    /// One object in RFC 8785's form.
    fn write(&self, slots: &[Slot<'_>]) -> Padded {
        let mut content = Padded::for_bytes(object_bytes(slots));
        content.push("{");
        for (index, Slot { name, value, more, .. }) in slots.iter().enumerate() {
            content.push(if index > 0 { "," } else { "" });
            content.push(name);
            content.push(if more.is_empty() { ":" } else { ":[" });
            content.push(value);
            for value in more {
                content.push(",");
                content.push(value);
            }
            content.push(if more.is_empty() { "" } else { "]" });
        }
        content.push("}");
        content
    }
}

impl Drop for Content<'_> {
    fn drop(&mut self) {
        if self.0.text.capacity() > BUFFER_BYTES_MAX {
            *self.0 = Buffer::new();
            return;
        }
        // Of the buffer what was used: all of it would take longer than to seal.
        self.0.text.as_mut_str().zeroize();
        self.0.text.clear();
        self.0.held.clear();
    }
}

impl fmt::Debug for Content<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Content({} values)", self.0.held.len())
    }
}

/// A member of an object.
struct Slot<'c> {
    member: Member,
    /// As JSON.
    name: &'c str,
    /// As JSON.
    value: &'c str,
    /// Further values: with the first, they are an array.
    more: Vec<&'c str>,
}

impl Slot<'_> {
    /// The bytes of its value.
    fn value_bytes(&self) -> usize {
        let brackets = if self.more.is_empty() { 0 } else { 2 };
        brackets + self.value.len() + self.more.iter().map(|value| 1 + value.len()).sum::<usize>()
    }

    /// The bytes of name, colon and value.
    fn bytes(&self) -> usize {
        self.name.len() + 1 + self.value_bytes()
    }
}

/// The bytes of an object, its braces and commas with it.
fn object_bytes(slots: &[Slot<'_>]) -> usize {
    let commas = slots.len().saturating_sub(1);
    2 + commas + slots.iter().map(Slot::bytes).sum::<usize>()
}

/// What fits a block. Until it does, members are left out: those that no description lists first, then fields, then identifiers; of
/// each sort the largest first, of equal ones the one whose name comes last.
fn fitting<'c>(mut slots: Vec<Slot<'c>>, masked: &mut Vec<Member>) -> Vec<Slot<'c>> {
    let mut bytes = object_bytes(&slots);
    if bytes <= CONTENT_BYTES {
        return slots;
    }
    let rank = |member: Member| match member {
        Member::Raw => None,
        Member::Identifier(_) => Some(0),
        Member::Field(_) => Some(1),
        Member::Unlisted => Some(2),
    };
    let ranked = slots.iter().enumerate().filter_map(|(at, slot)| Some((rank(slot.member)?, slot.bytes(), at)));
    let mut last_first: Vec<(u8, usize, usize)> = ranked.collect();
    last_first.sort_unstable();
    let mut goes = vec![false; slots.len()];
    while bytes > CONTENT_BYTES
        && let Some((_, slot_bytes, at)) = last_first.pop()
    {
        bytes = bytes.saturating_sub(slot_bytes + COMMA_BYTES);
        goes[at] = true;
        masked.push(slots[at].member);
    }
    let mut goes = goes.into_iter();
    slots.retain(|_| !goes.next().unwrap_or_default());
    slots
}

/// Writes a value in RFC 8785's form. A number that would be written otherwise than it was sent stands as its text.
fn write(text: &mut String, value: &Json<'_>) {
    match value {
        Json::Null => text.push_str("null"),
        Json::Bool(flag) => text.push_str(if *flag { "true" } else { "false" }),
        Json::Number(number) if is_canonical(number.lexeme()) => text.push_str(number.lexeme()),
        Json::Number(number) => canonical::write_string(text, number.lexeme()),
        Json::String(string) => canonical::write_string(text, string),
        Json::Array(items) => {
            text.push('[');
            for (index, item) in items.iter().enumerate() {
                text.push_str(if index > 0 { "," } else { "" });
                write(text, item);
            }
            text.push(']');
        }
        Json::Object(object) => {
            let mut members: Vec<(&str, &Json<'_>)> = object.iter().collect();
            members.sort_unstable_by(|(a, _), (b, _)| by_code_units(a, b));
            text.push('{');
            for (index, (name, value)) in members.into_iter().enumerate() {
                text.push_str(if index > 0 { "," } else { "" });
                canonical::write_string(text, name);
                text.push(':');
                write(text, value);
            }
            text.push('}');
        }
    }
}

/// Whether RFC 8785 writes the number as it is written here.
fn is_canonical(lexeme: &str) -> bool {
    let digits = lexeme.strip_prefix('-').unwrap_or(lexeme);
    if digits.len() <= SAFE_DIGITS && digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return lexeme != "-0";
    }
    let Ok(number) = lexeme.parse::<Number>() else { return false };
    let mut written = String::with_capacity(lexeme.len());
    canonical::write_number(&mut written, &number).is_ok() && written == lexeme
}

/// RFC 8785, 3.2.3: names are in the order of their UTF-16 code units. That is the order of UTF-8's bytes, but that what lies beyond
/// U+FFFF, and begins with F0 or more, comes before U+E000 to U+FFFF, which begin with EE and EF.
fn by_code_units(a: &str, b: &str) -> Ordering {
    let place = |byte: u8| if matches!(byte, 0xEE | 0xEF) { byte | 0x10 } else { byte };
    a.bytes().map(place).cmp(b.bytes().map(place))
}

const RAW: &str = "raw";
const HEX_DIGITS: &[u8; 16] = b"0123456789abcdef";

/// Every integer of so many digits is below 2⁵³.
const SAFE_DIGITS: usize = 15;

/// Names and values of nearly every event: the buffer then stays where it is.
const USUAL_BYTES: usize = 16 * 1024;

/// A buffer that grew beyond this, which no usual event comes near, is not kept for the next one.
const BUFFER_BYTES_MAX: usize = 256 * 1024;

const COMMA_BYTES: usize = 1;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn json(text: &str) -> Json<'_> {
        ledgerline_json::parse(text.as_bytes()).unwrap()
    }

    fn written(text: &str) -> String {
        let mut out = String::new();
        write(&mut out, &json(text));
        out
    }

    fn laid_out(content: &Content<'_>, party: Party) -> String {
        let slots = content.slots(party);
        let members = slots.iter().map(|Slot { name, value, more, .. }| format!("{name}:{value}{}", more.join("")));
        members.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn numbers_stand_as_they_were_sent() {
        for same in ["0", "-1", "12", "999999999999999", "9007199254740992", "0.5", "-1.25", "1e+21", "1e-7"] {
            assert_eq!(written(same), same);
        }
        for text in ["-0", "1.0", "1e3", "1E21", "0.10", "9007199254740993", "1e-06", "100000000000000000000000"] {
            assert_eq!(written(text), format!("\"{text}\""));
        }
    }

    #[test]
    fn values_are_written_in_canonical_form() {
        let value = r#" {"b":[ 1 ,1.0,null,{}], "a":"\u00e9\u0007/", "\ufb33":true,"😀":false} "#;
        assert_eq!(written(value), "{\"a\":\"é\\u0007/\",\"b\":[1,\"1.0\",null,{}],\"😀\":false,\"\u{fb33}\":true}");
    }

    proptest! {
        #[test]
        fn names_are_in_the_order_of_their_code_units(a in "[a\u{7f}\u{7ff}\u{d7ff}\u{e000}\u{efff}\u{f000}\u{ffff}\u{10000}\u{10ffff}]{0,3}", b in ".{0,3}") {
            let shorter = &a[..a.char_indices().last().map_or(0, |(at, _)| at)];
            for (a, b) in [(&*a, &*b), (&*b, &*a), (&*a, shorter), (&*a, "\u{ffff}"), (&*a, "\u{10000}")] {
                prop_assert_eq!(by_code_units(a, b), a.encode_utf16().cmp(b.encode_utf16()));
            }
        }
    }

    #[test]
    fn members_are_sorted_and_each_name_stands_once() {
        let mut buffer = Buffer::new();
        let mut content = buffer.event(false, &[0xA5; 32]);
        content.add_unlisted(Party::Customer, "/x", &json("1"));
        content.add_identifier(Party::Customer, "phone", &json(r#""+1""#));
        content.add_field(Party::Customer, "city", &json(r#""A""#));
        content.add_identifier(Party::Customer, "phone", &json(r#""+2""#));
        content.add_identifier(Party::Customer, "phone", &json(r#""+1""#));
        content.add_field(Party::Customer, "city", &json(r#""B""#));
        content.add_field(Party::Customer, "none", &json("null"));
        content.add_identifier(Party::Agent, "agent", &json(r#""u-1""#));
        assert_eq!(laid_out(&content, Party::Customer), r#""/x":1 "city":"B" "phone":"+1""+2""#);
        assert_eq!(laid_out(&content, Party::Agent), r#""agent":"u-1""#);
        assert_eq!(laid_out(&content, Party::Joint), format!(r#""raw":"{}""#, "a5".repeat(32)));
        assert_eq!(format!("{content:?}"), "Content(8 values)");
        drop(content);
        assert!(buffer.text.is_empty());
        assert_eq!(format!("{buffer:?}"), "Buffer(***)");
        let content = buffer.event(true, &[0; 32]);
        assert_eq!(laid_out(&content, Party::Customer), format!(r#""raw":"{}""#, "00".repeat(32)));
    }

    #[test]
    fn a_buffer_that_grew_is_not_kept() {
        let mut buffer = Buffer::new();
        for (length, kept) in [(100_000, true), (300_000, false)] {
            let mut content = buffer.event(true, &[0; 32]);
            content.add_field(Party::Customer, "a", &"x".repeat(length).into());
            drop(content);
            assert!(buffer.text.is_empty() && buffer.held.is_empty());
            assert_eq!(buffer.text.capacity() > USUAL_BYTES, kept, "{length}");
        }
    }

    /// [`fitting`], one member after the other.
    fn fitting_by_definition<'c>(mut slots: Vec<Slot<'c>>, masked: &mut Vec<Member>) -> Vec<Slot<'c>> {
        while object_bytes(&slots) > CONTENT_BYTES {
            let sort = |member: Member| match member {
                Member::Raw => 0,
                Member::Identifier(_) => 1,
                Member::Field(_) => 2,
                Member::Unlisted => 3,
            };
            let last = slots.iter().enumerate().max_by_key(|(at, slot)| (sort(slot.member), slot.bytes(), *at));
            let (at, _) = last.unwrap();
            masked.push(slots.remove(at).member);
        }
        slots
    }

    proptest! {
        #[test]
        fn what_fits_is_what_its_definition_says(
            sizes in prop::collection::vec((0_usize..4, prop_oneof![0_usize..40, 0_usize..9_000, 24_000_usize..25_000]), 0..200),
        ) {
            let names: Vec<String> = (0..sizes.len()).map(|at| format!("\"{at:03}\"")).collect();
            let values: Vec<String> = sizes.iter().map(|(_, size)| "1".repeat(*size)).collect();
            let slots = || -> Vec<Slot<'_>> {
                let members = [Member::Unlisted, Member::Field("f"), Member::Identifier("i"), Member::Unlisted];
                let one = |at: usize| {
                    // The digest is one, and short.
                    let (member, value) = if at == 7 { (Member::Raw, "1") } else { (members[sizes[at].0], &*values[at]) };
                    Slot { member, name: &names[at], value, more: Vec::new() }
                };
                (0..sizes.len()).map(one).collect()
            };
            let (mut masked, mut expected_masked) = (Vec::new(), Vec::new());
            let fits = fitting(slots(), &mut masked);
            let expected = fitting_by_definition(slots(), &mut expected_masked);
            let names = |slots: &[Slot<'_>]| slots.iter().map(|slot| slot.name.to_owned()).collect::<Vec<_>>();
            prop_assert_eq!(names(&fits), names(&expected));
            prop_assert_eq!(masked, expected_masked);
            prop_assert!(object_bytes(&fits) <= CONTENT_BYTES);
        }
    }
}
