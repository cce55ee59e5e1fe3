//! What the index needs of a segment: where its gzip members lie, and each line's record and time.
//!
//! Invariant: a summary follows from the segment's bytes alone. Who packs the bytes has it from the chunks
//! ([`AppendPlan::summary`](crate::append::AppendPlan)), who finds them stored reads it from them ([`Summary::of`]), and
//! the two are equal. Postings are made of a summary and of nothing else.

use std::collections::HashMap;

use crate::entry::EntryError;
use crate::entry::scan::{self, Scanned};
use crate::posting::{Posting, PostingMember, time_of, widen};
use crate::segment::{Segment, SegmentName};

/// A segment as the index sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    name: SegmentName,
    members: Vec<MemberSummary>,
}

/// One gzip member: its place and what its lines are about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MemberSummary {
    pub(crate) offset: u64,
    pub(crate) length: u64,
    /// The log's index of its first line.
    pub(crate) first: u64,
    pub(crate) lines: LineSummaries,
}

/// Record keys and times of lines, in the lines' order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct LineSummaries {
    /// `<record key><time>` of one line after the other.
    text: String,
    /// Where in `text` each line's key and each line's time end.
    ends: Vec<[usize; 2]>,
}

impl LineSummaries {
    pub(crate) fn with_capacity(lines: usize) -> Self {
        Self { text: String::with_capacity(lines * TYPICAL_BYTES), ends: Vec::with_capacity(lines) }
    }

    pub(crate) fn push(&mut self, entry: &Scanned<'_>) {
        entry.record.write_key(entry.org, &mut self.text);
        let key_end = self.text.len();
        self.text.push_str(time_of(entry.event_type, entry.occurred_at));
        self.ends.push([key_end, self.text.len()]);
    }

    pub(crate) fn append(&mut self, more: &Self) {
        let base = self.text.len();
        self.text.push_str(&more.text);
        self.ends.extend(more.ends.iter().map(|[key_end, end]| [base + key_end, base + end]));
    }

    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    /// Record key and time, line by line.
    fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        let starts = std::iter::once(0).chain(self.ends.iter().map(|[_, end]| *end));
        starts.zip(&self.ends).map(|(start, [key_end, end])| (&self.text[start..*key_end], &self.text[*key_end..*end]))
    }
}

impl Summary {
    /// Reads the lines of a stored segment.
    ///
    /// # Errors
    /// A line that is no entry.
    pub fn of(segment: &Segment) -> Result<Self, EntryError> {
        let mut members = Vec::with_capacity(segment.members().len());
        for member in segment.members() {
            let mut lines = LineSummaries::default();
            for line in member.lines() {
                scan::read(line, |entry| lines.push(&entry))?;
            }
            members.push(MemberSummary { offset: member.offset, length: member.length, first: member.first, lines });
        }
        Ok(Self { name: segment.name().clone(), members })
    }

    pub(crate) fn new(name: SegmentName, members: Vec<MemberSummary>) -> Self {
        Self { name, members }
    }

    /// The postings of the segment's version, sorted by record key.
    pub fn postings(&self, version_id: &str) -> Vec<Posting> {
        let key = self.name.key();
        let mut places: HashMap<&str, usize> = HashMap::new();
        let mut postings: Vec<Posting> = Vec::new();
        for member in &self.members {
            for (at, (record_key, occurred_at)) in (0..).zip(member.lines.iter()) {
                let place = *places.entry(record_key).or_insert_with(|| {
                    postings.push(Posting {
                        record_key: record_key.to_owned(),
                        log: self.name.log.clone(),
                        first: self.name.first,
                        segment: key.clone(),
                        version_id: version_id.to_owned(),
                        from: occurred_at.to_owned(),
                        to: occurred_at.to_owned(),
                        members: Vec::new(),
                    });
                    postings.len() - 1
                });
                postings[place].add(member, at, occurred_at);
            }
        }
        postings.sort_unstable_by(|one, other| one.record_key.cmp(&other.record_key));
        postings
    }
}

impl Posting {
    fn add(&mut self, member: &MemberSummary, at: u32, occurred_at: &str) {
        match self.members.last_mut() {
            Some(last) if last.offset == member.offset => last.at.push(at),
            _ => self.members.push(PostingMember {
                offset: member.offset,
                length: member.length,
                first: member.first,
                at: vec![at],
            }),
        }
        widen((&mut self.from, &mut self.to), occurred_at);
    }
}

/// An org, a UUID and a time; one allocation then suffices for most members.
const TYPICAL_BYTES: usize = 80;

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::append::plan_append;
    use crate::chunk::{Chunk, ChunkId};
    use crate::entry::tests::pending;
    use crate::entry::{Entry, Field, Record};
    use crate::head::{Head, StoredHead};
    use crate::log::LogId;
    use crate::member;
    use crate::origin::PlanOf;
    use proptest::prelude::*;

    fn log() -> LogId {
        LogId::parse("acme/interaction/1/0").unwrap()
    }

    /// Lines of few records and scattered times; every form that the quick reader takes or leaves.
    fn line(seq: u64, record: u8, minute: u8, form: u8) -> String {
        let mut entry = pending("acme", &format!("c-{}", record % 5), seq);
        if record >= 5 {
            entry.record = Record::Entity { kind: "User".to_owned(), id: format!("u-{}", record % 3) };
        }
        entry.occurred_at = format!("2026-03-02T14:{:02}:00.000Z", minute % 60);
        match form {
            0 => entry.activity = "quoted \"twice\"\n".to_owned(),
            1 => entry.fields = BTreeMap::from([("score".to_owned(), Field::Float(0.25))]),
            2 => entry.fields = BTreeMap::from([("größe".to_owned(), Field::Int(1))]),
            3 => entry.late = true,
            _ => {}
        }
        entry.to_line().unwrap().into_text()
    }

    fn chunk(ordinal: u32, lines: &[String]) -> Chunk {
        let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
        let id = ChunkId { of: PlanOf::Bronze, object: "0123456789abcdef0123456789abcdef".to_owned(), ordinal };
        Chunk::check(id, &log(), lines.len(), member::pack(text.as_bytes())).unwrap()
    }

    fn head_of(size: u64) -> Head {
        let mut edge = crate::tree::Edge::empty();
        (0..size).for_each(|index| edge.append(crate::tree::leaf_hash(&index.to_be_bytes())));
        let (root, edge) = (edge.root(), edge.roots().to_vec());
        let (unpublished, indexed, published) = (vec![], size, size);
        StoredHead {
            size,
            root,
            edge,
            unpublished,
            indexed,
            published,
            signed: 0,
            signed_at_ms: 0,
            signing_keys: vec![],
        }
        .verify(&log())
        .unwrap()
    }

    /// Postings by the full parser, line by line.
    fn postings_in_full(segment: &Segment, version_id: &str) -> Vec<Posting> {
        let mut by_record: BTreeMap<String, Posting> = BTreeMap::new();
        for member in segment.members() {
            for (at, line) in (0..).zip(member.lines()) {
                let entry = Entry::read(line.as_bytes()).unwrap();
                let time = entry.occurred_at.clone();
                let posting =
                    by_record.entry(entry.record().unwrap().key(&entry.org)).or_insert_with_key(|record_key| Posting {
                        record_key: record_key.clone(),
                        log: log(),
                        first: segment.name().first,
                        segment: segment.name().key(),
                        version_id: version_id.to_owned(),
                        from: time.clone(),
                        to: time.clone(),
                        members: vec![],
                    });
                posting.from = posting.from.clone().min(time.clone());
                posting.to = posting.to.clone().max(time);
                if posting.members.last().is_none_or(|last| last.first != member.first) {
                    let (offset, length, first) = (member.offset, member.length, member.first);
                    posting.members.push(PostingMember { offset, length, first, at: vec![] });
                }
                posting.members.last_mut().unwrap().at.push(at);
            }
        }
        by_record.into_values().collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        #[test]
        fn what_the_writer_knows_is_what_the_stored_bytes_say(
            chunks in prop::collection::vec(
                prop_oneof![3 => 1_usize..40, 1 => 127_usize..=256]
                    .prop_flat_map(|lines| prop::collection::vec((0_u8..8, any::<u8>(), 0_u8..20), lines)),
                1..6,
            ),
            size in 0_u64..600,
        ) {
            let mut seq = 0;
            let chunks: Vec<Chunk> = (0..).zip(&chunks).map(|(ordinal, forms)| {
                let lines: Vec<String> = forms.iter().map(|(record, minute, form)| {
                    seq += 1;
                    line(seq, *record, *minute, *form)
                }).collect();
                chunk(ordinal, &lines)
            }).collect();
            let plan = plan_append(&log(), &head_of(size), &chunks).unwrap();
            let stored = Segment::read(&plan.name.key(), &plan.bytes).unwrap();
            prop_assert_eq!(&plan.summary, &Summary::of(&stored).unwrap());
            prop_assert_eq!(&plan.leaves, &stored.leaves().collect::<Vec<_>>());
            prop_assert_eq!(plan.sha256, crate::tree::Hash::of_object(&plan.bytes));
            prop_assert_eq!(plan.summary.postings("v1"), postings_in_full(&stored, "v1"));
        }
    }

    #[test]
    fn a_stored_line_that_is_not_canonical_is_posted_all_the_same() {
        let text = format!("{}\n{}\n", line(0, 0, 0, 9).replace("\"v\":1", "\"v\": 1"), line(1, 7, 1, 9));
        let text = text.replace("\"User\"", "\"\"");
        let bytes = member::pack(text.as_bytes());
        let key = SegmentName::of(&log(), 0, 2, &bytes).key();
        let stored = Segment::read(&key, &bytes).unwrap();
        let postings = Summary::of(&stored).unwrap().postings("v1");
        assert_eq!(postings, postings_in_full(&stored, "v1"));
        assert_eq!(
            postings.iter().map(|posting| posting.record_key.as_str()).collect::<Vec<_>>(),
            ["acme//u-1", "acme/c-0"]
        );
    }
}
