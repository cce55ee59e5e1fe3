//! Postings: the index rows that say where a record's entries lie. Derived from a segment's bytes alone.
//!
//! Invariant: over all postings of a segment each of its entries is named exactly once, so the index can be rebuilt from
//! the segments at any time and compared with what is stored.

use std::collections::BTreeMap;

use crate::entry::{Entry, EntryError};
use crate::log::LogId;
use crate::segment::{Member, Segment};

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
    /// Occurrence of the record's earliest entry here.
    pub from: String,
    /// Occurrence of its latest.
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

/// The postings of a segment, sorted by record key.
pub fn postings(segment: &Segment, version_id: &str) -> Result<Vec<Posting>, EntryError> {
    let mut by_record = BTreeMap::new();
    for member in segment.members() {
        for (at, line) in (0..).zip(member.lines()) {
            let entry = Entry::read(line.as_bytes())?;
            let record = entry.record().ok_or(EntryError::Invalid("interactionId or entity"))?;
            let posting = by_record
                .entry(record.key(&entry.org))
                .or_insert_with_key(|record_key| empty_posting(record_key, segment, version_id, &entry.occurred_at));
            posting.add(member, at, entry.occurred_at);
        }
    }
    Ok(by_record.into_values().collect())
}

fn empty_posting(record_key: &str, segment: &Segment, version_id: &str, occurred_at: &str) -> Posting {
    Posting {
        record_key: record_key.to_owned(),
        log: segment.name().log.clone(),
        first: segment.name().first,
        segment: segment.name().key(),
        version_id: version_id.to_owned(),
        from: occurred_at.to_owned(),
        to: occurred_at.to_owned(),
        members: Vec::new(),
    }
}

impl Posting {
    fn add(&mut self, member: &Member, at: u32, occurred_at: String) {
        match self.members.last_mut() {
            Some(last) if last.offset == member.offset => last.at.push(at),
            _ => self.members.push(PostingMember {
                offset: member.offset,
                length: member.length,
                first: member.first,
                at: vec![at],
            }),
        }
        // The stored form of a time sorts as time does.
        if occurred_at < self.from {
            self.from = occurred_at;
        } else if occurred_at > self.to {
            self.to = occurred_at;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::append::plan_append;
    use crate::chunk::tests::chunk;
    use crate::head::Head;
    use crate::segment::read_member;

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
