//! A chunk: a range of a plan for one log, read and checked before anything of it is committed.
//!
//! Invariant: a [`Chunk`] has exactly the announced number of canonical lines, all of the log's org and of the announced object,
//! acts where it is of acts and source events where it is of a bronze object, each with the id that follows from its place. An act
//! holds nothing sealed, and a source event names no key but those of its blocks.

use std::fmt;

use crate::acts::is_act;
use crate::entry::EntryError;
use crate::entry::scan::{self, Scanned};
use crate::log::LogId;
use crate::member::{self, MemberError};
use crate::origin::PlanOf;
use crate::summary::LineSummaries;
use crate::tree::{Hash, leaf_hash};

/// Names a chunk: the object whose plan it is of, and its ordinal in that plan.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ChunkId {
    /// What its plan is of: a bronze object and an act may have one id, and are two.
    pub of: PlanOf,
    /// The object's id.
    pub object: String,
    /// Its place in the plan, from 0 over all logs.
    pub ordinal: u32,
}

impl ChunkId {
    /// `<object>#<ordinal, 6 digits>`, of acts behind `act#`: the end of the marker's key.
    pub fn parse(text: &str) -> Option<Self> {
        let (of, place) = match text.strip_prefix(ACT) {
            Some(place) => (PlanOf::Acts, place),
            None => (PlanOf::Bronze, text),
        };
        let (object, ordinal) = place.split_once('#')?;
        Some(Self { of, object: object.to_owned(), ordinal: ordinal.parse().ok()? })
    }

    /// Whether an entry may stand in this chunk, for this log.
    fn check(&self, log: &LogId, entry: &Scanned<'_>) -> Result<(), ChunkError> {
        if entry.org != log.org() {
            return Err(ChunkError::WrongLog);
        }
        if entry.object != self.object {
            return Err(ChunkError::WrongObject);
        }
        // Who may write a plan is told by where it lies: transform, which reads what sources send, cannot say what the ledger did.
        match (self.of, is_act(entry.event_type)) {
            (PlanOf::Bronze, true) => return Err(ChunkError::ActFromASource),
            (PlanOf::Acts, false) => return Err(ChunkError::SourceEventFromAnAct),
            (PlanOf::Bronze, false) if entry.blocks < entry.key_ids => return Err(ChunkError::KeysWithoutBlocks),
            (PlanOf::Acts, true) if entry.blocks > 0 => return Err(ChunkError::ActWithBlocks),
            (PlanOf::Bronze, false) | (PlanOf::Acts, true) => {}
        }
        // Else a planner could give one event two ids, or put into an id what an event says.
        if entry.event_id != self.of.event_id(entry.object, entry.line) {
            return Err(ChunkError::WrongEventId);
        }
        Ok(())
    }
}

impl fmt::Display for ChunkId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of = match self.of {
            PlanOf::Bronze => "",
            PlanOf::Acts => ACT,
        };
        write!(f, "{of}{}#{:06}", self.object, self.ordinal)
    }
}

/// What names a chunk of acts.
const ACT: &str = "act#";

/// A chunk whose lines have been checked.
#[derive(Debug, Clone)]
pub struct Chunk {
    id: ChunkId,
    packed: Vec<u8>,
    text: String,
    leaves: Vec<Hash>,
    lines: LineSummaries,
}

impl Chunk {
    /// Unpacks and checks the bytes that a pointer names. `count` and the chunk's object are what the pointer says.
    pub fn check(id: ChunkId, log: &LogId, count: usize, packed: Vec<u8>) -> Result<Self, ChunkError> {
        let (text, taken) = member::unpack(&packed, member::MAX_TEXT_BYTES)?;
        if taken != packed.len() {
            return Err(ChunkError::NotOneMember);
        }
        let lines = member::lines(&text)?;
        if lines.len() != count || count > member::MAX_LINES {
            return Err(ChunkError::WrongCount);
        }
        let mut leaves = Vec::with_capacity(count);
        let mut summaries = LineSummaries::with_capacity(count);
        for line in lines {
            scan::check(line, |entry| {
                summaries.push(&entry);
                id.check(log, &entry)
            })??;
            leaves.push(leaf_hash(line.as_bytes()));
        }
        Ok(Self { id, packed, text, leaves, lines: summaries })
    }

    /// Which chunk it is.
    pub fn id(&self) -> &ChunkId {
        &self.id
    }

    /// How many lines it has.
    pub fn count(&self) -> usize {
        self.leaves.len()
    }

    /// Its lines, each with its newline.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Its lines' leaf hashes, in order.
    pub fn leaves(&self) -> &[Hash] {
        &self.leaves
    }

    /// What its lines are about.
    pub(crate) fn lines(&self) -> &LineSummaries {
        &self.lines
    }

    /// Its one gzip member, as it lies in the plan.
    pub fn packed(&self) -> &[u8] {
        &self.packed
    }
}

/// Why a chunk cannot be committed. Its code is stored with the kept message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ChunkError {
    /// Not a readable gzip member.
    #[error(transparent)]
    Member(#[from] MemberError),
    /// The range holds more than one member.
    #[error("the range is not one gzip member")]
    NotOneMember,
    /// Not as many lines as announced, or more than a member may have.
    #[error("the chunk does not have the announced number of lines")]
    WrongCount,
    /// A line is no canonical entry.
    #[error(transparent)]
    Entry(#[from] EntryError),
    /// A line of another org.
    #[error("the chunk holds an entry of another log")]
    WrongLog,
    /// A line of another bronze object.
    #[error("the chunk holds an entry of another bronze object")]
    WrongObject,
    /// A plan of source events holds a line whose type is an act's: only sweep and the operator say what the ledger did.
    #[error("the chunk of a bronze object holds an act")]
    ActFromASource,
    /// A plan of acts holds a line of any other type.
    #[error("the chunk of acts holds a source event")]
    SourceEventFromAnAct,
    /// A source event names keys and holds nothing sealed: that is how the act of an erasure names those that it destroyed.
    #[error("the chunk of a bronze object names keys without blocks")]
    KeysWithoutBlocks,
    /// An act holds something sealed, for which nobody drew a key.
    #[error("the chunk of acts holds a sealed block")]
    ActWithBlocks,
    /// A line whose event id is not the one of its place.
    #[error("the chunk holds an entry whose id does not follow from its object and line")]
    WrongEventId,
}

impl ChunkError {
    /// The reason as a closed code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Member(MemberError::NotGzip) | Self::NotOneMember => "chunk_not_gzip",
            Self::Member(MemberError::TooLarge) => "chunk_too_large",
            Self::Member(MemberError::NotText | MemberError::NotLines) => "chunk_not_lines",
            Self::WrongCount => "chunk_wrong_count",
            Self::Entry(EntryError::NotCanonical | EntryError::Canonical(_)) => "line_not_canonical",
            Self::Entry(EntryError::NotJson | EntryError::Invalid(_)) => "line_not_an_entry",
            Self::Entry(EntryError::UnknownVersion) => "line_unknown_version",
            Self::Entry(EntryError::Sealed(_)) => "line_sealed_malformed",
            Self::Entry(EntryError::TooLong) => "line_too_long",
            Self::WrongLog => "chunk_of_another_log",
            Self::WrongObject => "chunk_of_another_object",
            Self::ActFromASource => "act_from_a_source",
            Self::SourceEventFromAnAct => "source_event_from_an_act",
            Self::KeysWithoutBlocks => "keys_without_blocks",
            Self::ActWithBlocks => "act_with_blocks",
            Self::WrongEventId => "event_id_of_another_place",
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::entry::tests::{pending, sealed};
    use crate::entry::{Entry, Field, PendingEntry, Record, Sealed, check_text};
    use proptest::prelude::*;

    pub(crate) fn text_of(range: std::ops::Range<u64>) -> String {
        range
            .map(|seq| pending("acme", &format!("c-{}", seq % 3), seq).to_line().unwrap().as_str().to_owned() + "\n")
            .collect()
    }

    pub(crate) fn chunk(ordinal: u32, range: std::ops::Range<u64>) -> Chunk {
        let count = (range.end - range.start) as usize;
        check(ordinal, count, member::pack(text_of(range).as_bytes())).unwrap()
    }

    fn check(ordinal: u32, count: usize, packed: Vec<u8>) -> Result<Chunk, ChunkError> {
        check_as(PlanOf::Bronze, ordinal, count, packed)
    }

    fn check_as(of: PlanOf, ordinal: u32, count: usize, packed: Vec<u8>) -> Result<Chunk, ChunkError> {
        let id = ChunkId { of, object: "0123456789abcdef0123456789abcdef".to_owned(), ordinal };
        Chunk::check(id, &LogId::parse("acme/interaction/1/0").unwrap(), count, packed)
    }

    #[test]
    fn a_chunk_id_comes_back_from_its_text() {
        for (of, text) in [(PlanOf::Bronze, "ab#000007"), (PlanOf::Acts, "act#ab#000007")] {
            let id = ChunkId { of, object: "ab".to_owned(), ordinal: 7 };
            assert_eq!(id.to_string(), text);
            assert_eq!(ChunkId::parse(text), Some(id));
        }
        for text in ["ab", "act#ab", "act#", "", "ab#x"] {
            assert_eq!(ChunkId::parse(text), None, "{text}");
        }
    }

    #[test]
    fn what_does_not_match_its_pointer_is_refused() {
        let good = text_of(0..3);
        let packed = |text: &str| member::pack(text.as_bytes());
        assert_eq!(check(0, 3, packed(&good)).unwrap().count(), 3);
        assert_eq!(check(0, 2, packed(&good)).unwrap_err(), ChunkError::WrongCount);
        assert_eq!(check(0, 3, packed(good.trim_end())).unwrap_err(), ChunkError::Member(MemberError::NotLines));
        let mut two = packed(&good);
        two.extend_from_slice(&packed(&good));
        assert_eq!(check(0, 6, two).unwrap_err(), ChunkError::NotOneMember);
        let foreign = good.replace("\"org\":\"acme\"", "\"org\":\"acmf\"");
        assert_eq!(check(0, 3, packed(&foreign)).unwrap_err(), ChunkError::WrongLog);
        let other = good.replace("0123456789abcdef0123456789abcdef", "1123456789abcdef0123456789abcdef");
        assert_eq!(check(0, 3, packed(&other)).unwrap_err(), ChunkError::WrongObject);
        let loose = good.replacen("\"v\":1", "\"v\": 1", 1);
        assert_eq!(check(0, 3, packed(&loose)).unwrap_err().code(), "line_not_canonical");
        let blank = format!("{good}\n");
        assert_eq!(check(0, 4, packed(&blank)).unwrap_err().code(), "line_not_an_entry");
        let many = text_of(0..257);
        assert_eq!(check(0, 257, packed(&many)).unwrap_err(), ChunkError::WrongCount);
    }

    #[test]
    fn an_entry_has_the_id_of_its_place_and_a_type_of_its_plan() {
        let event = pending("acme", "c-1", 3);
        let object = event.source.object.clone();
        let act = PendingEntry {
            event_type: "HOLD_PLACED".to_owned(),
            event_id: PlanOf::Acts.event_id(&object, 3),
            ..event.clone()
        };
        let checked = |of, entry: &PendingEntry| {
            let packed = member::pack(format!("{}\n", entry.to_line().unwrap().as_str()).as_bytes());
            check_as(of, 0, 1, packed).map(drop).map_err(|error| error.code())
        };
        assert_eq!(checked(PlanOf::Bronze, &event), Ok(()));
        assert_eq!(checked(PlanOf::Acts, &act), Ok(()));
        assert_eq!(checked(PlanOf::Bronze, &act), Err("act_from_a_source"));
        assert_eq!(checked(PlanOf::Acts, &event), Err("source_event_from_an_act"));
        let ids = [PlanOf::Bronze.event_id(&object, 4), PlanOf::Acts.event_id(&object, 3), "0".repeat(32)];
        for event_id in ids {
            let moved = PendingEntry { event_id, ..event.clone() };
            assert_eq!(checked(PlanOf::Bronze, &moved), Err("event_id_of_another_place"), "{}", moved.event_id);
        }
        let moved = PendingEntry { event_id: event.event_id, ..act };
        assert_eq!(checked(PlanOf::Acts, &moved), Err("event_id_of_another_place"));
    }

    #[test]
    fn only_a_source_event_holds_blocks_and_only_an_act_names_keys_without() {
        let event = pending("acme", "c-1", 3);
        let act = PendingEntry {
            event_type: "ERASURE_COMPLETED".to_owned(),
            event_id: PlanOf::Acts.event_id(&event.source.object, 3),
            ..event.clone()
        };
        let keys_alone = Sealed { blocks: Vec::new(), ..sealed() };
        for (of, entry) in [(PlanOf::Bronze, event), (PlanOf::Acts, act)] {
            let checked = |sealed: &Sealed| {
                let entry = PendingEntry { sealed: sealed.clone(), ..entry.clone() };
                let packed = member::pack(format!("{}\n", entry.to_line().unwrap().as_str()).as_bytes());
                check_as(of, 0, 1, packed).map(drop).map_err(|error| error.code())
            };
            assert_eq!(checked(&Sealed::default()), Ok(()));
            let is_act = of == PlanOf::Acts;
            assert_eq!(checked(&sealed()), if is_act { Err("act_with_blocks") } else { Ok(()) });
            assert_eq!(checked(&keys_alone), if is_act { Ok(()) } else { Err("keys_without_blocks") });
        }
    }

    /// The whole check of one line by the full parser, which knows nothing of the quick reader.
    fn check_in_full(line: &str) -> Result<(), ChunkError> {
        let header = check_text(line)?;
        let entry = Entry::read(line.as_bytes())?;
        if header.org != "acme" {
            return Err(ChunkError::WrongLog);
        }
        if header.object != "0123456789abcdef0123456789abcdef" {
            return Err(ChunkError::WrongObject);
        }
        if entry.event_type.starts_with(|first: char| first.is_ascii_uppercase()) {
            return Err(ChunkError::ActFromASource);
        }
        if entry.sealed.is_empty() && !entry.key_ids.is_empty() {
            return Err(ChunkError::KeysWithoutBlocks);
        }
        if entry.event_id != PlanOf::Bronze.event_id(&entry.source.object, entry.source.line) {
            return Err(ChunkError::WrongEventId);
        }
        Ok(())
    }

    fn check_line(line: &str) -> Result<(), ChunkError> {
        check(0, 1, member::pack(format!("{line}\n").as_bytes())).map(drop)
    }

    #[test]
    fn lines_made_to_deceive_are_judged_as_by_the_full_parser() {
        let line = pending("acme", "c-1", 3).to_line().unwrap().into_text();
        let mut refused = 0;
        for (from, to) in [
            ("\"v\":1", "\"v\":1,\"v\":1"),
            ("\"v\":1", "\"v\":1.0"),
            ("\"v\":1", "\"v\":1,\"z\":1e0"),
            ("\"v\":1", "\"v\":1,\"z\":9007199254740993"),
            ("\"v\":1", "\"v\":1,\"z\":[1,2.50]"),
            ("\"v\":1", "\"v\":1,\"z\":\"\\u0061\""),
            ("\"v\":1", "\"v\":1,\"z\":\"\u{7f}\u{2028}\u{1f600}\""),
            ("\"v\":1", "\"v\":1,\"\u{fb33}\":1,\"\u{1f600}\":2"),
            ("\"v\":1", "\"v\":1,\"\u{1f600}\":1,\"\u{fb33}\":2"),
            ("\"v\":1", "\"v\":\"1\""),
            ("\"v\":1", "\"v\":01"),
            ("\"v\":1}", "\"v\":1} "),
            ("\"v\":1}", "\"v\":1,}"),
            ("{\"activity\"", "\u{feff}{\"activity\""),
            ("\"keyIds\"", "\"interactionId\":\"c-2\",\"keyIds\""),
            ("\"eventId\"", "\"entity\":{\"id\":\"u-1\",\"type\":\"User\"},\"eventId\""),
            ("\"interactionId\":\"c-1\"", "\"interactionId\":null"),
            ("\"interactionId\":\"c-1\"", "\"interactionId\":\"c/1\""),
            ("\"line\":3", "\"line\":3.5"),
            ("\"line\":3", "\"line\":-3"),
            ("\"line\":3", "\"line\":4"),
            ("\"line\":3", "\"line\":9007199254740991"),
            ("\"type\":\"c", "\"type\":\"C"),
            ("\"eventId\":\"", "\"eventId\":\"\\u0030"),
            ("\"masked\":[\"ani\"]", "\"masked\":[1]"),
            ("\"masked\":[\"ani\"]", "\"masked\":{}"),
            ("\"keyIds\":[]", "\"keyIds\":[],\"late\":false"),
            ("\"keyIds\":[]", "\"keyIds\":[],\"late\":1"),
            ("\"activity\":\"Customer connected\",", ""),
            ("\"salt\":\"BwcHBwcHBwcHBwcHBwcHBw\",", ""),
            ("\"org\":\"acme\"", "\"org\":\"acm\""),
            ("\"object\":\"0", "\"object\":\"1"),
            ("\"object\":\"0", "\"object\":\"g"),
            ("14:00:03.350Z", "14:00:03,350Z"),
        ] {
            let changed = line.replacen(from, to, 1);
            assert_ne!(changed, line, "{from}");
            assert_eq!(check_line(&changed), check_in_full(&changed), "{from} → {to}");
            refused += u32::from(check_line(&changed).is_err());
        }
        assert_eq!(refused, 30);
        // What the index could not read is refused before it is committed, not found out afterwards.
        let without_activity = line.replacen("\"activity\":\"Customer connected\",", "", 1);
        assert!(check_text(&without_activity).is_ok());
        assert_eq!(check_line(&without_activity), Err(ChunkError::Entry(EntryError::NotJson)));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]
        /// Edits of a line: the same answer, for the same reason, as from the full parser.
        #[test]
        fn every_line_is_judged_as_by_the_full_parser(
            edits in prop::collection::vec(
                (any::<prop::sample::Index>(), 0_usize..3, prop_oneof![
                    Just(String::new()), "[0-9\"\\\\{}\\[\\],:. a-zA-Z-]{1,3}", any::<char>().prop_map(String::from),
                ]),
                0..3,
            ),
            text in any::<String>(),
            number in prop_oneof![any::<f64>().prop_map(Field::Float), any::<i64>().prop_map(Field::Int)],
            (entity, has_blocks) in any::<(bool, bool)>(),
        ) {
            let mut entry = pending("acme", "c-1", 3);
            if has_blocks {
                entry.sealed = sealed();
            }
            entry.fields.insert("text".to_owned(), Field::Text(text));
            entry.fields.insert("number".to_owned(), number);
            if entity {
                entry.record = Record::Entity { kind: "User".to_owned(), id: "u-9".to_owned() };
            }
            let mut line = entry.to_line().unwrap().into_text();
            for (at, drop, insert) in edits {
                let mut from = at.index(line.len());
                let mut to = (from + drop).min(line.len());
                while !line.is_char_boundary(from) { from -= 1; }
                while !line.is_char_boundary(to) { to += 1; }
                line.replace_range(from..to, &insert);
            }
            prop_assume!(!line.contains('\n'));
            prop_assert_eq!(check_line(&line), check_in_full(&line));
        }
    }
}
