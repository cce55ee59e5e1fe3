//! A quick reader of canonical lines: one pass, no allocation, for whoever reads millions of them.
//!
//! Invariant: it says yes only to what [`check_text`] accepts, with the same header; whatever it is not certain of (an
//! escape, a fraction, a name beyond ASCII) is `None` and goes to [`check_text`], which alone says no.

use super::sealed::Form;
use super::{Entry, EntryError, MAX_LINE_BYTES, Record, check_text, is_hex_id, is_instant, is_record_part};
use crate::log::{MAX_ORG_CHARS, is_name};

/// What a verifier reads of an entry, borrowed from the line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Scanned<'a> {
    pub(crate) event_id: &'a str,
    pub(crate) org: &'a str,
    pub(crate) record: RecordRef<'a>,
    pub(crate) occurred_at: &'a str,
    pub(crate) event_type: &'a str,
    pub(crate) object: &'a str,
    pub(crate) line: u64,
    /// How many key ids it has.
    pub(crate) key_ids: usize,
    /// How many sealed blocks.
    pub(crate) blocks: usize,
}

/// A record id, borrowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RecordRef<'a> {
    Interaction(&'a str),
    Entity { kind: &'a str, id: &'a str },
}

impl RecordRef<'_> {
    /// Appends the record's key, as [`Record::key`] makes it.
    pub(crate) fn write_key(&self, org: &str, key: &mut String) {
        key.push_str(org);
        key.push('/');
        let id = match self {
            Self::Interaction(id) => id,
            Self::Entity { kind, id } => {
                key.push_str(kind);
                key.push('/');
                id
            }
        };
        key.push_str(id);
    }
}

impl<'a> From<&'a Record> for RecordRef<'a> {
    fn from(record: &'a Record) -> Self {
        match record {
            Record::Interaction(id) => Self::Interaction(id),
            Record::Entity { kind, id } => Self::Entity { kind, id },
        }
    }
}

/// Checks a line as [`check_text`] does, and that [`Entry::read`] reads it, too; hands what it read to `seen`.
pub(crate) fn check<T>(line: &str, seen: impl FnOnce(Scanned<'_>) -> T) -> Result<T, EntryError> {
    if let Some(scanned) = scan(line) {
        return Ok(seen(scanned));
    }
    check_text(line)?;
    read_in_full(line, seen)
}

/// Reads a stored line as [`Entry::read`] does, whatever its form, and hands what it read to `seen`.
pub(crate) fn read<T>(line: &str, seen: impl FnOnce(Scanned<'_>) -> T) -> Result<T, EntryError> {
    match scan(line) {
        Some(scanned) => Ok(seen(scanned)),
        None => read_in_full(line, seen),
    }
}

fn read_in_full<T>(line: &str, seen: impl FnOnce(Scanned<'_>) -> T) -> Result<T, EntryError> {
    let entry = Entry::read(line.as_bytes())?;
    let record = entry.record().ok_or(EntryError::Invalid("interactionId or entity"))?;
    Ok(seen(Scanned {
        event_id: &entry.event_id,
        org: &entry.org,
        record: RecordRef::from(&record),
        occurred_at: &entry.occurred_at,
        event_type: &entry.event_type,
        object: &entry.source.object,
        line: entry.source.line,
        key_ids: entry.key_ids.len(),
        blocks: entry.sealed.len(),
    }))
}

/// `None`: not certain.
fn scan(line: &str) -> Option<Scanned<'_>> {
    if line.len() > MAX_LINE_BYTES {
        return None;
    }
    let mut cursor = Cursor { text: line, at: 0 };
    let mut found = Found::default();
    cursor.object(0, &mut |cursor, name| found.member(cursor, name))?;
    if cursor.at != line.len() {
        return None;
    }
    found.finish()
}

/// The members that matter, as they pass.
#[derive(Default)]
struct Found<'a> {
    event_id: Option<&'a str>,
    org: Option<&'a str>,
    interaction: Option<&'a str>,
    entity: Option<(&'a str, &'a str)>,
    occurred_at: Option<&'a str>,
    source: Option<(&'a str, u64)>,
    event_type: Option<&'a str>,
    /// What is sealed, once both of its members passed.
    key_ids: Option<Form<'a>>,
    sealed: bool,
    version_1: bool,
    /// Members that every reader of entries asks for, counted.
    others: u32,
}

impl<'a> Found<'a> {
    fn member(&mut self, cursor: &mut Cursor<'a>, name: &str) -> Option<()> {
        match name {
            "eventId" => self.event_id = Some(cursor.string()?),
            "org" => self.org = Some(cursor.string()?),
            "interactionId" => self.interaction = Some(cursor.string()?),
            "entity" => {
                let [kind, id] = cursor.two_strings(["type", "id"])?;
                self.entity = Some((kind, id));
            }
            "occurredAt" => self.occurred_at = Some(cursor.string()?),
            "source" => self.source = Some(cursor.source()?),
            "type" => self.event_type = Some(cursor.string()?),
            "v" => {
                cursor.byte(b'1')?;
                self.version_1 = matches!(cursor.peek(), Some(b',' | b'}'));
            }
            "activity" | "lineageToken" | "policyVersion" | "schemaVersion" => {
                cursor.string()?;
                self.others += 1;
            }
            // Another form of these would be canonical JSON, too, but no entry: for the slow reader to say.
            "late" | "zoneAssumed" => cursor.literal("true")?,
            "timeFrom" => {
                cursor.string()?;
            }
            "masked" => cursor.strings()?,
            "keyIds" => {
                let mut form = Form::default();
                cursor.array(|cursor| form.key_id(cursor.string()?).ok(), 1)?;
                self.key_ids = Some(form);
            }
            "sealed" => {
                let form = self.key_ids.as_mut()?;
                cursor.array(|cursor| cursor.block(form), 1)?;
                form.finish().ok()?;
                self.sealed = true;
            }
            "fields" => cursor.object(1, &mut |cursor, _| cursor.value(2))?,
            _ => cursor.value(1)?,
        }
        Some(())
    }

    fn finish(self) -> Option<Scanned<'a>> {
        let record = match (self.interaction, self.entity) {
            (Some(id), None) if is_record_part(id) => RecordRef::Interaction(id),
            (None, Some((kind, id))) if is_record_part(kind) && is_record_part(id) => RecordRef::Entity { kind, id },
            _ => return None,
        };
        let (event_id, org, occurred_at, (object, line)) = (self.event_id?, self.org?, self.occurred_at?, self.source?);
        let fits = self.version_1
            && self.sealed
            && self.others == OTHER_MEMBERS
            && is_hex_id(event_id)
            && is_hex_id(object)
            && is_name(org, MAX_ORG_CHARS)
            && is_instant(occurred_at);
        let (event_type, Form { key_ids, blocks, .. }) = (self.event_type?, self.key_ids?);
        fits.then_some(Scanned { event_id, org, record, occurred_at, event_type, object, line, key_ids, blocks })
    }
}

struct Cursor<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Cursor<'a> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn byte(&mut self, wanted: u8) -> Option<()> {
        (self.peek()? == wanted).then(|| self.at += 1)
    }

    fn literal(&mut self, wanted: &str) -> Option<()> {
        self.text.as_bytes()[self.at..].starts_with(wanted.as_bytes()).then(|| self.at += wanted.len())
    }

    fn value(&mut self, depth: u32) -> Option<()> {
        match self.peek()? {
            b'"' => self.string().map(|_| ()),
            b'{' => self.object(depth, &mut |cursor, _| cursor.value(depth + 1)),
            b'[' => self.array(|cursor| cursor.value(depth + 1), depth),
            b't' => self.literal("true"),
            b'f' => self.literal("false"),
            b'n' => self.literal("null"),
            _ => self.integer(),
        }
    }

    /// Members in strictly ascending order of ASCII names: sorted, and none twice.
    fn object(&mut self, depth: u32, member: &mut dyn FnMut(&mut Self, &'a str) -> Option<()>) -> Option<()> {
        self.byte(b'{')?;
        if depth > MAX_DEPTH {
            return None;
        }
        if self.byte(b'}').is_some() {
            return Some(());
        }
        let mut before: Option<&str> = None;
        loop {
            let name = self.string()?;
            if !name.is_ascii() || before.is_some_and(|before| before >= name) {
                return None;
            }
            before = Some(name);
            self.byte(b':')?;
            member(self, name)?;
            if self.byte(b',').is_none() {
                return self.byte(b'}');
            }
        }
    }

    fn array(&mut self, mut item: impl FnMut(&mut Self) -> Option<()>, depth: u32) -> Option<()> {
        self.byte(b'[')?;
        if depth > MAX_DEPTH {
            return None;
        }
        if self.byte(b']').is_some() {
            return Some(());
        }
        loop {
            item(self)?;
            if self.byte(b',').is_none() {
                return self.byte(b']');
            }
        }
    }

    fn strings(&mut self) -> Option<()> {
        self.array(|cursor| cursor.string().map(|_| ()), 1)
    }

    /// An object of exactly these two strings; the names are given with the later one first.
    fn two_strings(&mut self, [later, earlier]: [&str; 2]) -> Option<[&'a str; 2]> {
        let (mut first, mut second) = (None, None);
        self.object(1, &mut |cursor, name| {
            let text = cursor.string()?;
            match name {
                _ if name == earlier => second = Some(text),
                _ if name == later => first = Some(text),
                _ => return None,
            }
            Some(())
        })?;
        Some([first?, second?])
    }

    /// `{"line":<integer>,"object":<string>}`: the object and the line.
    fn source(&mut self) -> Option<(&'a str, u64)> {
        self.literal("{\"line\":")?;
        let from = self.at;
        self.integer()?;
        // None of a negative one.
        let line = self.text[from..self.at].parse().ok()?;
        self.literal(",\"object\":")?;
        let object = self.string()?;
        self.byte(b'}')?;
        Some((object, line))
    }

    /// `{"b":<string>,"k":<integer>,"p":<string>}`: a block, and it fits what came before it.
    fn block(&mut self, form: &mut Form<'_>) -> Option<()> {
        self.literal("{\"b\":")?;
        let b = self.string()?;
        self.literal(",\"k\":")?;
        let from = self.at;
        self.integer()?;
        let k = self.text[from..self.at].parse().ok()?;
        self.literal(",\"p\":")?;
        form.block(b, k, self.string()?).ok()?;
        self.byte(b'}')
    }

    /// A string without escapes, which canonical form has none of unless it must.
    fn string(&mut self) -> Option<&'a str> {
        self.byte(b'"')?;
        let start = self.at;
        let rest = &self.text.as_bytes()[start..];
        let end = start + plain_length(rest);
        self.at = end;
        self.byte(b'"')?;
        // A quotation mark is never inside a character, so both ends are boundaries.
        self.text.get(start..end)
    }

    /// An integer that a double holds for certain, in its only form.
    fn integer(&mut self) -> Option<()> {
        let negative = self.byte(b'-').is_some();
        let start = self.at;
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        let digits = &self.text.as_bytes()[start..self.at];
        let plain = match digits {
            [] => false,
            [b'0'] => !negative,
            [b'0', ..] => false,
            _ => digits.len() <= SAFE_DIGITS,
        };
        // A fraction or an exponent would follow here; both are left to the slow reader.
        (plain && matches!(self.peek(), Some(b',' | b'}' | b']'))).then_some(())
    }
}

/// How many bytes come before the first quotation mark, backslash or control character: eight at a time.
fn plain_length(bytes: &[u8]) -> usize {
    let mut at = 0;
    while let Some(word) = bytes.get(at..at + 8) {
        let word = u64::from_le_bytes([word[0], word[1], word[2], word[3], word[4], word[5], word[6], word[7]]);
        let special = zero_bytes(word ^ (ONES * 0x22)) | zero_bytes(word ^ (ONES * 0x5c)) | below_space(word);
        if special != 0 {
            return at + (special.trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    let tail = bytes[at..].iter().position(|byte| matches!(byte, b'"' | b'\\' | 0..=0x1f));
    at + tail.unwrap_or(bytes.len() - at)
}

/// The high bit of each byte that is zero; bytes above the lowest such one may be marked falsely.
fn zero_bytes(word: u64) -> u64 {
    word.wrapping_sub(ONES) & !word & HIGHS
}

/// The high bit of each byte below 0x20, with the same caveat.
fn below_space(word: u64) -> u64 {
    word.wrapping_sub(ONES * 0x20) & !word & HIGHS
}

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGHS: u64 = 0x8080_8080_8080_8080;
/// Integers of up to 15 digits are below 2^53.
const SAFE_DIGITS: usize = 15;
/// Entries nest three levels deep; the slow reader takes what is deeper.
const MAX_DEPTH: u32 = 16;
/// `activity`, `lineageToken`, `policyVersion`, `schemaVersion`.
const OTHER_MEMBERS: u32 = 4;

#[cfg(test)]
mod tests {
    use super::super::PendingEntry;
    use super::super::tests::{pending, sealed};
    use super::*;
    use proptest::prelude::*;

    /// What the slow reader makes of the same line.
    fn slow(line: &str) -> Option<[String; 7]> {
        let header = check_text(line).ok()?;
        let entry = super::super::Entry::read(line.as_bytes()).ok()?;
        let record = header.record.key(&header.org);
        let sealed = format!("{} {}", entry.key_ids.len(), entry.sealed.len());
        let line = entry.source.line.to_string();
        Some([record, header.occurred_at, entry.event_type, header.object, line, header.event_id, sealed])
    }

    fn quick(line: &str) -> Option<[String; 7]> {
        let Scanned { event_id, org, record, occurred_at, event_type, object, line, key_ids, blocks } = scan(line)?;
        let mut key = String::new();
        record.write_key(org, &mut key);
        let sealed = format!("{key_ids} {blocks}");
        let others = [occurred_at, event_type, object, &line.to_string(), event_id, &sealed].map(str::to_owned);
        let [occurred_at, event_type, object, line, event_id, sealed] = others;
        Some([key, occurred_at, event_type, object, line, event_id, sealed])
    }

    #[test]
    fn a_usual_line_needs_no_second_reader() {
        let mut entry = pending("acme", "c-1", 3);
        let line = entry.to_line().unwrap().into_text();
        assert_eq!(quick(&line), slow(&line));
        assert!(quick(&line).is_some());
        entry.record = Record::Entity { kind: "User".to_owned(), id: "u-9".to_owned() };
        entry.late = true;
        entry.time_from_envelope = true;
        entry.zone_assumed = true;
        entry.sealed = sealed();
        let line = entry.to_line().unwrap().into_text();
        assert_eq!(quick(&line).unwrap()[0], "acme/User/u-9");
        assert_eq!(quick(&line), slow(&line));
    }

    /// A mark in a form that no entry has is no entry to either reader; one that the quick reader does not know is left.
    #[test]
    fn marks_of_another_form_are_for_the_slow_reader_to_say() {
        let mut entry = pending("acme", "c-1", 3);
        (entry.time_from_envelope, entry.zone_assumed) = (true, true);
        let line = entry.to_line().unwrap().into_text();
        for (from, to, reads) in [
            ("\"timeFrom\":\"envelope\"", "\"timeFrom\":\"elsewhere\"", true),
            ("\"timeFrom\":\"envelope\"", "\"timeFrom\":null", true),
            ("\"timeFrom\":\"envelope\"", "\"timeFrom\":true", false),
            ("\"timeFrom\":\"envelope\"", "\"timeFrom\":[\"envelope\"]", false),
            ("\"zoneAssumed\":true", "\"zoneAssumed\":false", true),
            ("\"zoneAssumed\":true", "\"zoneAssumed\":1", false),
            ("\"zoneAssumed\":true", "\"zoneAssumed\":\"true\"", false),
        ] {
            let changed = line.replacen(from, to, 1);
            assert_ne!(changed, line);
            assert_eq!(slow(&changed).is_some(), reads, "{to}");
            assert_eq!(check(&changed, |_| ()).is_ok(), reads, "{to}");
            assert!(quick(&changed).is_none_or(|read| Some(read) == slow(&changed)), "{to}");
        }
    }

    #[test]
    fn what_the_quick_reader_leaves_the_slow_one_decides() {
        let line = pending("acme", "c-1", 3).to_line().unwrap().into_text();
        for (from, to, accepted) in [
            ("VOICE", "VO\\\"ICE", true),
            ("1250", "1250.5", true),
            ("1250", "1e300", false),
            ("1250", "-0", false),
            ("1250", "01", false),
            ("\"media\"", "\"durationMs\"", false),
            ("{\"activity\"", "{ \"activity\"", false),
            ("\"v\":1", "\"v\":10", false),
            ("\"v\":1", "\"v\":1,\"z\":[[[1,{}]]]", true),
            ("\"org\":\"acme\"", "\"org\":\"a/b\"", false),
        ] {
            let changed = line.replacen(from, to, 1);
            assert_ne!(changed, line);
            let seen = check(&changed, |scanned| scanned.org.to_owned());
            assert_eq!(seen.is_ok(), accepted, "{from} → {to}: {seen:?}");
            assert_eq!(check_text(&changed).is_ok(), accepted);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]
        /// Any one edit of a line: a yes of the quick reader is a yes of the slow one, with the same reading.
        #[test]
        fn a_quick_yes_is_a_slow_yes(
            at in any::<prop::sample::Index>(),
            drop in 0_usize..3,
            insert in prop_oneof![
                Just(String::new()), "[0-9\"\\\\{}\\[\\],:. a-zA-Z-]{1,3}", any::<char>().prop_map(String::from),
            ],
            (entity, late, time_from_envelope, zone_assumed, has_blocks) in any::<(bool, bool, bool, bool, bool)>(),
        ) {
            let mut entry = PendingEntry { late, time_from_envelope, zone_assumed, ..pending("acme", "c-1", 3) };
            if has_blocks {
                entry.sealed = sealed();
            }
            if entity {
                entry.record = Record::Entity { kind: "User".to_owned(), id: "u-9".to_owned() };
            }
            let mut line = entry.to_line().unwrap().into_text();
            prop_assert!(quick(&line).is_some() && quick(&line) == slow(&line), "{}", line);
            let from = at.index(line.len());
            line.replace_range(from..(from + drop).min(line.len()), &insert);
            if let Some(read) = quick(&line) {
                prop_assert_eq!(Some(read), slow(&line));
            }
        }

        #[test]
        fn plain_bytes_are_counted_as_one_by_one(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            let special = |byte: &u8| matches!(byte, b'"' | b'\\' | 0..=0x1f);
            prop_assert_eq!(plain_length(&bytes), bytes.iter().position(special).unwrap_or(bytes.len()));
        }
    }
}
