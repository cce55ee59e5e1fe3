//! Postings: the index rows that say where a record's entries lie. Derived from a segment's bytes alone.
//!
//! Invariant: over all postings of a segment each of its entries is named exactly once, so the index can be rebuilt from
//! the segments at any time and compared with what is stored.

use crate::acts::DATA_DELETION;
use crate::entry::EntryError;
use crate::log::LogId;
use crate::segment::Segment;
use crate::summary::Summary;

/// Where one record's entries of one segment lie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Posting {
    /// `<org>/<record>`.
    pub record_key: String,
    /// The log.
    pub log: LogId,
    /// The segment's first index.
    pub first: u64,
    /// The segment's object key.
    pub segment: String,
    /// The segment's version id.
    pub version_id: String,
    /// Occurrence of the record's earliest entry here; empty where there is none but acts of deletion.
    pub from: String,
    /// Occurrence of its latest; empty as `from` is.
    pub to: String,
    /// The members that hold its entries.
    pub members: Vec<PostingMember>,
}

/// A record's lines in one gzip member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PostingMember {
    /// Where the member's bytes begin in the segment.
    pub offset: u64,
    /// How many bytes it has.
    pub length: u64,
    /// The log's index of the member's first line.
    pub first: u64,
    /// The record's line numbers inside the member, from 0.
    pub at: Vec<u32>,
}

/// What an entry adds to the time that a record lasted: an act of deletion adds none. Whoever reads of a record for another person must not
/// see in its times that somebody was erased from it, nor when.
pub(crate) fn time_of<'e>(event_type: &str, occurred_at: &'e str) -> &'e str {
    if event_type == DATA_DELETION { "" } else { occurred_at }
}

/// Widens a span of stored times, which sort as time does, by one; an empty one is none.
pub(crate) fn widen((from, to): (&mut String, &mut String), time: &str) {
    if time.is_empty() {
        return;
    }
    if from.is_empty() || time < from.as_str() {
        from.replace_range(.., time);
    }
    if time > to.as_str() {
        to.replace_range(.., time);
    }
}

/// The postings of a stored segment, sorted by record key.
///
/// # Errors
/// A line that is no entry.
pub fn postings(segment: &Segment, version_id: &str) -> Result<Vec<Posting>, EntryError> {
    Ok(Summary::of(segment)?.postings(version_id))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::append::plan_append;
    use crate::chunk::tests::chunk;
    use crate::head::Head;
    use crate::segment::read_member;

    #[test]
    fn an_act_of_deletion_widens_no_time() {
        let (mut from, mut to) = (String::new(), String::new());
        let spans = [
            ("DATA_DELETION", "9"),
            ("customer.start", "5"),
            ("DATA_DELETION", "1"),
            ("customer.end", "7"),
            ("x", "3"),
        ];
        let expected = [("", ""), ("5", "5"), ("5", "5"), ("5", "7"), ("3", "7")];
        for ((event_type, at), expected) in spans.into_iter().zip(expected) {
            widen((&mut from, &mut to), time_of(event_type, at));
            assert_eq!((from.as_str(), to.as_str()), expected);
        }
    }

    #[test]
    fn every_entry_is_posted_once_and_found_by_its_member() {
        let log = LogId::parse("acme/interaction/1/0").unwrap();
        let chunks = [chunk(0, 0..7), chunk(1, 7..140), chunk(2, 140..300), chunk(3, 300..303)];
        let plan = plan_append(&log, &Head::empty(), &chunks).unwrap();
        let segment = Segment::read(&plan.name.key(), &plan.bytes).unwrap();
        let postings = postings(&segment, "v1").unwrap();
        assert_eq!(
            postings.iter().map(|posting| posting.record_key.as_str()).collect::<Vec<_>>(),
            ["acme/c-0", "acme/c-1", "acme/c-2"]
        );
        let mut seen = Vec::new();
        for posting in &postings {
            for member in &posting.members {
                let range = member.offset as usize..(member.offset + member.length) as usize;
                let entries = read_member(&plan.bytes[range], member.first).unwrap();
                for at in &member.at {
                    let found = &entries[*at as usize];
                    let entry = found.entry().unwrap();
                    assert_eq!(entry.record().unwrap().key("acme"), posting.record_key);
                    assert!(posting.from <= entry.occurred_at && entry.occurred_at <= posting.to);
                    seen.push(found.index);
                }
            }
        }
        seen.sort_unstable();
        assert_eq!(seen, (0..303).collect::<Vec<_>>());
    }
}
