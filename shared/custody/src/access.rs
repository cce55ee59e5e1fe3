//! From a customer's links to the entries of their interactions: what is read, and what is accepted of it.
//!
//! Invariant: an entry is accepted only if its line is canonical, its record is the one asked for and its org is the
//! log's, and it is accepted once, however many ways lead to it. The order of reading makes nothing fall between index
//! and ledger: heads first (their segments without postings are read whole), postings after. What cannot be read or does
//! not check out is a [`Fault`], never silently absent. Left out: the reads themselves, and pages ([`crate::answer`]).

use std::collections::{BTreeMap, BTreeSet};

use ledgerline_event::catalogue::built_in;
use ledgerline_event::instant;
use ledgerline_ledger::acts::DATA_DELETION;
use ledgerline_ledger::entry::{Line, Record};
use ledgerline_ledger::head::SegmentRef;
use ledgerline_ledger::log::LogId;
use ledgerline_ledger::posting::Posting;
use ledgerline_ledger::segment::{Segment, SegmentName, read_member};
use ledgerline_ledger::store::StoreError;
use ledgerline_ledger::tree::Hash;
use ledgerline_store::cutoff::Cutoff;
use ledgerline_store::subject::Link;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::order::EventOrder;

/// A record that one or several of the customer's subjects are linked to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkedRecord {
    /// The log that keeps it. `None` where no link names one; see [`ledgerline_store::record::Records::pins`].
    pub log: Option<LogId>,
    /// From when to when it lasted, as far as is known; `None` where neither a link nor an entry says so.
    pub lasted: Option<Lasted>,
    /// Only shared subjects are linked to it: it may be anybody's, so that it is named and nothing of it is read.
    pub shared: bool,
    /// Up to when all of it was erased, once [`LinkedRecord::cut`] was told: nothing up to then is shown to anybody.
    pub cutoff: Option<Cutoff>,
}

/// Earliest and latest occurrence known of a record, RFC 3339 UTC with three decimals.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lasted {
    /// The earliest.
    pub first: String,
    /// The latest.
    pub last: String,
}

impl LinkedRecord {
    /// Widens what is known to hold `first` and `last`, too. A link spans the events that carried an identifier; the
    /// others of its interaction show in postings and entries alone. What an erasure covers widens nothing.
    pub fn widen(&mut self, first: &str, last: &str) {
        // An act of deletion has no time, and is nothing that whoever asks has had part in.
        if last.is_empty() || self.is_erased(last) {
            return;
        }
        // Not when the first entry behind the cutoff occurred: postings do not say that, and a range must not miss it.
        let left = match self.cutoff {
            Some(Cutoff::At(at_ms)) if self.is_erased(first) => Some(instant::to_rfc3339(at_ms + 1)),
            _ => None,
        };
        let first = left.as_deref().unwrap_or(first);
        match &mut self.lasted {
            None => self.lasted = Some(Lasted { first: first.to_owned(), last: last.to_owned() }),
            Some(lasted) => {
                if first < lasted.first.as_str() {
                    lasted.first = first.to_owned();
                }
                if last > lasted.last.as_str() {
                    lasted.last = last.to_owned();
                }
            }
        }
    }

    /// Tells it up to when all of the record was erased: that takes away what is known of the time up to then, and the postings of
    /// nothing but entries up to then.
    pub fn cut(&mut self, cutoff: Option<Cutoff>, postings: &mut Vec<Posting>) {
        self.cutoff = cutoff;
        postings.retain(|posting| !self.is_erased(&posting.to));
        if let Some(Lasted { first, last }) = self.lasted.take() {
            self.widen(&first, &last);
        }
    }

    /// Whether an erasure of the whole record covers what occurred then. An entry does not say when its event was received.
    pub fn is_erased(&self, occurred_at: &str) -> bool {
        let covers = |cutoff: Cutoff| instant::parse(occurred_at).is_none_or(|at_ms| cutoff.covers(at_ms, at_ms));
        self.cutoff.is_some_and(covers)
    }

    /// Whether an event that a link knows of is not committed: nothing is, or the links reach beyond all that is. To be
    /// asked before the record is cut and widened. An event under way that lies between committed ones does not show, nor does
    /// one of a record that only filtered lines link: no link knows of an event there. Nor is it asked of a shared one,
    /// of which nothing is read.
    pub fn is_pending(&self, key: &str, postings: &[Posting], entries: &Entries) -> bool {
        let Some(linked) = self.lasted.as_ref().filter(|_| !self.shared) else { return false };
        let timed = postings.iter().filter(|posting| !posting.to.is_empty());
        let indexed = timed.map(|posting| (posting.from.as_str(), posting.to.as_str()));
        let committed = indexed.chain(entries.span(key)).reduce(|one, other| (one.0.min(other.0), one.1.max(other.1)));
        committed.is_none_or(|(first, last)| linked.first.as_str() < first || linked.last.as_str() > last)
    }
}

/// The records of all links together, by record key. Spans of several subjects' links to one record are joined; links
/// without a span add nothing to one that has it. Each link comes with whether its subject is shared.
pub fn linked_records(
    links: impl IntoIterator<Item = (String, Link, bool)>,
) -> Result<BTreeMap<String, LinkedRecord>, StoreError> {
    let mut records: BTreeMap<String, LinkedRecord> = BTreeMap::new();
    for (record, link, shared) in links {
        let linked =
            records.entry(record).or_insert(LinkedRecord { log: None, lasted: None, shared: true, cutoff: None });
        linked.shared &= shared;
        if let Some(span) = link.span {
            let log = LogId::parse(&span.log).map_err(|error| corrupt("read a link's log", error))?;
            linked.log.get_or_insert(log);
            linked.widen(&span.first, &span.last);
        }
    }
    Ok(records)
}

/// One ranged read: a gzip member and the lines that are wanted of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberRead {
    /// The segment.
    pub place: SegmentPlace,
    /// Where the member's bytes begin.
    pub offset: u64,
    /// How many bytes it has.
    pub length: u64,
    /// The log's index of its first line.
    pub first: u64,
    /// Line number inside the member → record key.
    pub lines: BTreeMap<u32, String>,
}

/// Which object, at which version, of which log.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SegmentPlace {
    /// The log.
    pub log: LogId,
    /// The object's key.
    pub segment: String,
    /// The object's version.
    pub version_id: String,
}

/// The fewest reads that fetch all lines of these postings: a member that several records share is read once.
pub fn plan_reads<'a>(postings: impl IntoIterator<Item = &'a Posting>) -> Vec<MemberRead> {
    let mut reads: BTreeMap<(SegmentPlace, u64), MemberRead> = BTreeMap::new();
    for posting in postings {
        let place = SegmentPlace {
            log: posting.log.clone(),
            segment: posting.segment.clone(),
            version_id: posting.version_id.clone(),
        };
        for member in &posting.members {
            let read = reads.entry((place.clone(), member.offset)).or_insert_with(|| MemberRead {
                place: place.clone(),
                offset: member.offset,
                length: member.length,
                first: member.first,
                lines: BTreeMap::new(),
            });
            read.lines.extend(member.at.iter().map(|at| (*at, posting.record_key.clone())));
        }
    }
    reads.into_values().collect()
}

impl MemberRead {
    /// The wanted entries of the bytes that were read, but for acts of deletion; all of them, or a reason why none.
    pub fn accept(&self, bytes: &[u8]) -> Result<Vec<Found>, &'static str> {
        let entries = read_member(bytes, self.first).map_err(|_| NOT_A_MEMBER)?;
        let name = SegmentName::parse(&self.place.segment).filter(|name| name.log == self.place.log);
        let name = name.ok_or(NOT_A_SEGMENT)?;
        let mut found = Vec::with_capacity(self.lines.len());
        for (at, record) in &self.lines {
            let entry = usize::try_from(*at).ok().and_then(|at| entries.get(at)).ok_or(OUT_OF_PLACE)?;
            let line = Line::check(&entry.text).map_err(|_| NOT_AN_ENTRY)?;
            if !(name.first..name.end()).contains(&entry.index) || record_key(&line) != *record {
                return Err(OUT_OF_PLACE);
            }
            if is_deletion(line.as_str()) {
                continue;
            }
            found.push(Found::new(record.clone(), line, &self.place, entry.index)?);
        }
        Ok(found)
    }
}

/// The entries of a whole segment that are about one of `wanted`. Its digest is checked against its name.
pub fn accept_segment(place: &SegmentPlace, bytes: &[u8], wanted: &BTreeSet<&str>) -> Result<Vec<Found>, &'static str> {
    let segment = Segment::read(&place.segment, bytes).map_err(|_| NOT_A_SEGMENT)?;
    if segment.name().log != place.log {
        return Err(NOT_A_SEGMENT);
    }
    let mut found = Vec::new();
    for (index, text) in (segment.name().first..).zip(segment.lines()) {
        let line = Line::check(text).map_err(|_| NOT_AN_ENTRY)?;
        let record = record_key(&line);
        if wanted.contains(record.as_str()) && !is_deletion(line.as_str()) {
            found.push(Found::new(record, line, place, index)?);
        }
    }
    Ok(found)
}

/// Segments of a log that have no postings yet, by its head.
pub fn unindexed(log: &LogId, indexed: u64, segments: &[SegmentRef]) -> Vec<SegmentPlace> {
    let without = segments.iter().filter(|segment| segment.end() > indexed);
    without
        .map(|segment| SegmentPlace {
            log: log.clone(),
            segment: segment.key.clone(),
            version_id: segment.version_id.clone(),
        })
        .collect()
}

/// An entry, checked, with its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The record that it is about.
    pub record: String,
    /// Where it stands among the record's entries.
    pub order: EventOrder,
    /// The object that it was read from.
    pub place: SegmentPlace,
    /// Its leaf hash, computed from the line.
    pub leaf: Hash,
    /// The canonical line.
    pub text: String,
}

impl Found {
    fn new(record: String, line: Line, place: &SegmentPlace, index: u64) -> Result<Self, &'static str> {
        if line.header().org != place.log.org() {
            return Err(OUT_OF_PLACE);
        }
        let order = EventOrder {
            occurred_at: line.header().occurred_at.clone(),
            rank: rank_of(line.as_str()),
            log: place.log.as_str().to_owned(),
            index,
        };
        Ok(Self { record, order, place: place.clone(), leaf: line.leaf(), text: line.as_str().to_owned() })
    }
}

/// All entries found for records, each place once, in event order.
#[derive(Debug, Default)]
pub struct Entries {
    by_record: BTreeMap<String, BTreeMap<EventOrder, Found>>,
    seen: BTreeMap<(LogId, u64), Hash>,
}

impl Entries {
    /// Adds entries. One that is there already changes nothing; another line at the same place of a log is two ledgers
    /// where there should be one, and is refused.
    pub fn add(&mut self, found: Vec<Found>) -> Result<(), &'static str> {
        let fork = found.iter().any(|one| {
            let seen = self.seen.get(&(one.place.log.clone(), one.order.index));
            seen.is_some_and(|leaf| *leaf != one.leaf)
        });
        if fork {
            return Err(FORK);
        }
        for one in found {
            if self.seen.insert((one.place.log.clone(), one.order.index), one.leaf).is_none() {
                self.by_record.entry(one.record.clone()).or_default().insert(one.order.clone(), one);
            }
        }
        Ok(())
    }

    /// Occurrence of the record's earliest and latest entry.
    pub fn span(&self, record: &str) -> Option<(&str, &str)> {
        let entries = self.by_record.get(record)?;
        let (first, _) = entries.first_key_value()?;
        let (last, _) = entries.last_key_value()?;
        Some((&first.occurred_at, &last.occurred_at))
    }

    /// How many entries there are of this record.
    pub fn count(&self, record: &str) -> usize {
        self.by_record.get(record).map_or(0, BTreeMap::len)
    }

    /// Takes the record's entries out, in event order.
    pub fn take(&mut self, record: &str) -> Vec<Found> {
        self.by_record.remove(record).unwrap_or_default().into_values().collect()
    }
}

/// Evidence that could not be read or did not check out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Fault {
    /// The log.
    pub log: String,
    /// The object, unless the log's head itself is at fault.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub segment: Option<String>,
    /// Its version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version_id: Option<String>,
    /// One word or a few: the kind of a store's error, or what did not check out.
    pub reason: &'static str,
}

impl Fault {
    /// A fault of one object.
    pub fn of(place: &SegmentPlace, reason: &'static str) -> Self {
        Self {
            log: place.log.as_str().to_owned(),
            segment: Some(place.segment.clone()),
            version_id: Some(place.version_id.clone()),
            reason,
        }
    }

    /// A head that contradicts itself: which of its segments have no postings is not known.
    pub fn of_head(log: &LogId) -> Self {
        let log = log.as_str().to_owned();
        Self { log, segment: None, version_id: None, reason: HEAD }
    }
}

/// `Corrupt`, for a stored value that is not what was written.
pub fn corrupt(what: &str, error: impl std::error::Error + Send + Sync + 'static) -> StoreError {
    StoreError::Corrupt(ledgerline_ledger::store::Failure::caused_by(what, error))
}

fn record_key(line: &Line) -> String {
    line.header().record.key(&line.header().org)
}

/// The parts of a record key that an answer names: org and record.
pub fn split_record(record_key: &str) -> Option<(&str, Record)> {
    let (org, record) = record_key.split_once('/')?;
    let record = match record.split_once('/') {
        None => Record::Interaction(record.to_owned()),
        Some((kind, id)) => Record::Entity { kind: kind.to_owned(), id: id.to_owned() },
    };
    Some((org, record))
}

/// Where an entry stands among those of its instant.
fn rank_of(line: &str) -> u8 {
    #[derive(Deserialize)]
    struct TypeAndFields {
        #[serde(rename = "type")]
        event_type: String,
        #[serde(default)]
        fields: Map<String, Value>,
    }
    let entry = serde_json::from_str::<TypeAndFields>(line);
    entry.map_or(u8::MAX, |entry| built_in().rank_of_entry(&entry.event_type, &entry.fields))
}

/// Whether a line is an act of deletion: that somebody was erased from a record is nobody else's to know.
fn is_deletion(line: &str) -> bool {
    #[derive(Deserialize)]
    struct Typed<'l> {
        #[serde(rename = "type", borrow)]
        event_type: std::borrow::Cow<'l, str>,
    }
    serde_json::from_str::<Typed<'_>>(line).is_ok_and(|entry| entry.event_type == DATA_DELETION)
}

const NOT_A_MEMBER: &str = "not_a_gzip_member";
const NOT_A_SEGMENT: &str = "not_the_named_segment";
const NOT_AN_ENTRY: &str = "not_an_entry";
const OUT_OF_PLACE: &str = "entry_out_of_place";
const FORK: &str = "two_entries_at_one_place";
const HEAD: &str = "head_contradicts_itself";

#[cfg(test)]
mod tests {
    use super::*;
    use ledgerline_store::subject::Span;

    fn link(first: &str, last: &str) -> Link {
        Link { span: Some(Span { log: "acme/interaction/1/0".into(), first: first.into(), last: last.into() }) }
    }

    #[test]
    fn links_to_one_record_are_joined_and_one_without_a_span_adds_nothing() {
        let filtered = || Link { span: None };
        for links in [
            vec![filtered(), link("2", "3"), link("1", "2")],
            vec![link("1", "3"), filtered()],
            vec![link("1", "2"), filtered(), link("2", "3")],
        ] {
            let links = links.into_iter().map(|link| ("acme/a".to_owned(), link, false));
            let records = linked_records(links.chain([("acme/b".to_owned(), filtered(), false)])).unwrap();
            let whole = &records["acme/a"];
            assert_eq!(whole.log.as_ref().map(LogId::as_str), Some("acme/interaction/1/0"));
            assert_eq!(whole.lasted, Some(Lasted { first: "1".into(), last: "3".into() }));
            assert_eq!(records["acme/b"], LinkedRecord { log: None, lasted: None, shared: false, cutoff: None });
            // Nothing is committed of either.
            assert!(whole.is_pending("acme/a", &[], &Entries::default()));
            assert!(!records["acme/b"].is_pending("acme/b", &[], &Entries::default()));
        }
    }

    #[test]
    fn a_record_is_shared_if_all_its_subjects_are_and_then_nothing_of_it_is_pending() {
        for (subjects, shared) in [(vec![true, true], true), (vec![true, false], false), (vec![false, true], false)] {
            let links = subjects.iter().map(|shared| ("acme/a".to_owned(), link("1", "2"), *shared));
            let record = linked_records(links).unwrap().remove("acme/a").unwrap();
            assert_eq!(record.shared, shared, "{subjects:?}");
            assert_eq!(record.is_pending("acme/a", &[], &Entries::default()), !shared, "{subjects:?}");
        }
    }
}
