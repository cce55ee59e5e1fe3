//! One segment read: bytes against name, members, lines, leaf hashes, and what a verifier needs of the entries.
//!
//! Invariant: a segment's text is never held whole, only one member of it; every line is checked to be a canonical entry.
//! What is wrong is reported and reading goes on as far as it can, so that one flipped byte does not hide a second one.

use std::io::Read as _;

use flate2::bufread::GzDecoder;

use super::evidence::{Evidence, EvidenceFault, ObjectVersion};
use super::findings::{Finding, FindingKind};
use super::inventory::SegmentRow;
use super::postings::{Common, Deriving, PostingHasher, PostingSum};
use crate::acts;
use crate::entry::Entry;
use crate::entry::scan::{self, RecordRef, Scanned};
use crate::log::LogId;
use crate::member;
use crate::segment::{MAX_BYTES, MAX_SEGMENT_LINES};
use crate::tree::{Hash, leaf_hash};

/// What a segment's bytes gave.
#[derive(Debug, Default)]
pub(crate) struct SegmentRead {
    pub(crate) leaves: Vec<Hash>,
    pub(crate) bytes: u64,
    pub(crate) acts: Vec<Act>,
    /// The index of the last entry that a source's event is behind.
    pub(crate) newest_event: Option<u64>,
    /// How many entries source events are behind.
    pub(crate) events: u64,
    pub(crate) postings: PostingSum,
    pub(crate) findings: Vec<Finding>,
}

/// An entry of the ledger's own that verification must know of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Act {
    pub(crate) entry: u64,
    /// The entry's hash.
    pub(crate) leaf: Hash,
    pub(crate) what: ActKind,
}

/// Which one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ActKind {
    KeyAdded(String),
    PrunedTo(u64),
}

/// What one thread reuses from segment to segment.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    text: Vec<u8>,
    deriving: Deriving,
}

/// Reads segments of one log.
#[derive(Debug)]
pub(crate) struct SegmentReader<'a, E: ?Sized> {
    pub(crate) evidence: &'a E,
    pub(crate) log: &'a LogId,
    /// Given if postings are compared.
    pub(crate) hasher: Option<&'a PostingHasher>,
}

impl<E: Evidence + ?Sized> SegmentReader<'_, E> {
    /// Reads and checks one segment.
    pub(crate) fn read(&self, scratch: &mut Scratch, segment: &SegmentRow) -> Result<SegmentRead, EvidenceFault> {
        let version = segment.row.version(segment.name(self.log).key());
        let mut reading = Reading {
            log: self.log,
            key: &version.key,
            hasher: self.hasher,
            read: SegmentRead::default(),
            line_findings: 0,
        };
        let Some(bytes) = read_listed(self.evidence, &version, Some(segment.first), &mut reading.read.findings)? else {
            return Ok(reading.read);
        };
        reading.read.bytes = bytes.len() as u64;
        if bytes.len() > MAX_BYTES {
            reading.finding(FindingKind::SegmentUnreadable, segment.first, "it is larger than any that is written");
            return Ok(reading.read);
        }
        if first_eight(&Hash::of_object(&bytes)) != segment.digest() {
            reading.finding(FindingKind::SegmentAltered, segment.first, "its SHA-256 is another one");
        }
        scratch.deriving.clear();
        reading.read.leaves.reserve(usize::try_from(segment.count).unwrap_or(0).min(MAX_SEGMENT_LINES));
        reading.members(scratch, segment, &bytes);
        if let Some(hasher) = self.hasher {
            let common =
                Common { log: self.log, first: segment.first, segment: &version.key, version_id: &version.version_id };
            reading.read.postings = scratch.deriving.sum(hasher, common);
        }
        Ok(reading.read)
    }
}

/// Reads a listed version; one that is not there is a finding, not a fault.
pub(crate) fn read_listed(
    evidence: &(impl Evidence + ?Sized),
    version: &ObjectVersion,
    entry: Option<u64>,
    findings: &mut Vec<Finding>,
) -> Result<Option<Vec<u8>>, EvidenceFault> {
    match evidence.read(version) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(EvidenceFault::Missing(_)) => {
            let detail = format!("version {} is listed and not there", version.version_id);
            findings.push(FindingKind::ObjectMissing.at(&version.key, entry, detail));
            Ok(None)
        }
        Err(fault) => Err(fault),
    }
}

/// The part of an object's SHA-256 that a segment's name holds.
pub(crate) fn first_eight(digest: &Hash) -> u64 {
    digest.0.iter().take(8).fold(0, |word, byte| word << 8 | u64::from(*byte))
}

struct Reading<'a> {
    log: &'a LogId,
    key: &'a str,
    hasher: Option<&'a PostingHasher>,
    read: SegmentRead,
    line_findings: u32,
}

impl Reading<'_> {
    fn finding(&mut self, kind: FindingKind, entry: u64, detail: impl Into<String>) {
        self.read.findings.push(kind.at(self.key, Some(entry), detail));
    }

    fn members(&mut self, scratch: &mut Scratch, segment: &SegmentRow, bytes: &[u8]) {
        let mut offset = 0;
        while offset < bytes.len() {
            let next = segment.first + self.read.leaves.len() as u64;
            if !member::has_plain_header(&bytes[offset..]) {
                let detail = format!("the gzip member at byte {offset} was not packed by the writer");
                self.finding(FindingKind::SegmentRepacked, next, detail);
            }
            let Some(length) = unpack(&bytes[offset..], &mut scratch.text) else {
                let detail = format!("the gzip member at byte {offset} is damaged or cut off");
                return self.finding(FindingKind::SegmentUnreadable, next, detail);
            };
            let Ok(text) = std::str::from_utf8(&scratch.text) else {
                return self.finding(FindingKind::SegmentUnreadable, next, "it holds bytes that are no UTF-8");
            };
            let Some(body) = text.strip_suffix('\n') else {
                return self.finding(FindingKind::SegmentUnreadable, next, "a member does not end with a whole line");
            };
            let before = self.read.leaves.len();
            let member = [offset as u64, length as u64, next];
            self.lines(&mut scratch.deriving, member, body);
            if self.read.leaves.len() > MAX_SEGMENT_LINES {
                let detail = format!("it has more than {MAX_SEGMENT_LINES} lines, which no segment has");
                return self.finding(FindingKind::SegmentUnreadable, next, detail);
            }
            if self.read.leaves.len() - before > member::MAX_LINES {
                let detail = format!("the gzip member at byte {offset} has more than {} lines", member::MAX_LINES);
                self.finding(FindingKind::SegmentRepacked, next, detail);
            }
            offset += length;
        }
        let lines = self.read.leaves.len() as u64;
        if lines != segment.count {
            let entry = segment.first + lines.min(segment.count);
            let detail = format!("{lines} lines, and its name says {}", segment.count);
            self.finding(FindingKind::SegmentWrongCount, entry, detail);
        }
    }

    fn lines(&mut self, deriving: &mut Deriving, member: [u64; 3], body: &str) {
        // Thirty kilobytes can unpack to thirty million lines: one too many is enough to say so.
        let room = (MAX_SEGMENT_LINES + 1).saturating_sub(self.read.leaves.len());
        for (at, line) in (0_u32..).zip(body.split('\n').take(room)) {
            let index = member[2] + u64::from(at);
            let leaf = leaf_hash(line.as_bytes());
            self.read.leaves.push(leaf);
            let (log, hasher) = (self.log, self.hasher);
            let mut act = None;
            let mut foreign = false;
            let mut own = false;
            let seen = scan::check(line, |entry| {
                foreign = entry.org != log.org();
                own = acts::is_act(entry.event_type);
                act = act_of(log, line, &entry);
                if let Some(hasher) = hasher {
                    deriving.add(hasher, member, at, entry);
                }
            });
            match seen {
                Ok(()) if !own => {
                    self.read.newest_event = Some(index);
                    self.read.events += 1;
                }
                Ok(()) => {}
                Err(error) => self.line_finding(FindingKind::EntryMalformed, index, error.to_string()),
            }
            if foreign {
                self.line_finding(FindingKind::EntryOfAnotherOrg, index, "the entry names another org than the log");
            }
            self.read.acts.extend(act.map(|what| Act { entry: index, leaf, what }));
        }
    }

    /// Of a segment full of such lines the first ones are named: one that was made to be so must not fill the memory.
    fn line_finding(&mut self, kind: FindingKind, index: u64, detail: impl Into<String>) {
        self.line_findings += 1;
        match self.line_findings {
            1..=MAX_LINE_FINDINGS => self.finding(kind, index, detail),
            BEYOND_LINE_FINDINGS => self.finding(kind, index, "and what follows it: no more lines of it are named"),
            _ => {}
        }
    }
}

/// Unpacks the member at the start of `bytes` and says how many bytes it took.
fn unpack(bytes: &[u8], text: &mut Vec<u8>) -> Option<usize> {
    text.clear();
    let mut decoder = GzDecoder::new(bytes);
    decoder.by_ref().take(MAX_MEMBER_TEXT_BYTES as u64 + 1).read_to_end(text).ok()?;
    (text.len() <= MAX_MEMBER_TEXT_BYTES).then(|| bytes.len() - decoder.into_inner().len())
}

/// An act about the whole log. No source event can have such a type and such a record.
fn act_of(log: &LogId, line: &str, entry: &Scanned<'_>) -> Option<ActKind> {
    if !matches!(entry.event_type, acts::SIGNING_KEY_ADDED | acts::LOG_PRUNED) {
        return None;
    }
    let about_the_log =
        matches!(entry.record, RecordRef::Entity { kind: "log", id } if id.replace(':', "/") == log.as_str());
    let read = about_the_log.then(|| Entry::read(line.as_bytes()).ok()).flatten()?;
    match entry.event_type {
        acts::SIGNING_KEY_ADDED => Some(ActKind::KeyAdded(read.fields.get(super::KEY_FIELD)?.as_str()?.to_owned())),
        _ => Some(ActKind::PrunedTo(read.fields.get(super::PRUNED_TO_FIELD)?.as_u64()?)),
    }
}

/// As in [`crate::segment`]: a member is one chunk or several small ones packed together.
const MAX_MEMBER_TEXT_BYTES: usize = 2 * member::MAX_TEXT_BYTES;
/// Findings about single lines of one segment: a member's worth of lines would hide all others on a screen.
const MAX_LINE_FINDINGS: u32 = 64;
const BEYOND_LINE_FINDINGS: u32 = MAX_LINE_FINDINGS + 1;
