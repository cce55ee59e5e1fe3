//! What a replay is asked for, and what it tells: codes, dates, counts and keys, nothing of what a line says.

use std::collections::{BTreeMap, BTreeSet};

use ledgerline_event::instant;
use ledgerline_store::dead_letter::Pointer;

use super::kept::Kept;

/// Which lines are put back; by default all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Only these reasons; all, if there are none.
    pub reasons: BTreeSet<String>,
    /// Only what these set aside; all, if there are none.
    pub sources: BTreeSet<String>,
    /// Only what came at this time or later, epoch milliseconds.
    pub since_ms: Option<i64>,
    /// Only what came before this time, epoch milliseconds.
    pub before_ms: Option<i64>,
    /// Only what was replayed and refused so often at most.
    pub replayed_at_most: Option<u32>,
}

impl Wanted {
    /// Whether nothing in an object that was written then is wanted: its lines came before.
    pub(super) fn is_before(&self, written_at_ms: i64) -> bool {
        self.since_ms.is_some_and(|since_ms| written_at_ms < since_ms)
    }

    pub(super) fn wants(&self, kept: &Kept) -> bool {
        let group = &kept.group;
        self.wants_group(&group.reason, &group.source)
            && self.wants_time(kept.at_ms)
            && self.replayed_at_most.is_none_or(|most| kept.replayed <= most)
    }

    pub(super) fn wants_group(&self, reason: &str, source: &str) -> bool {
        let is_in = |set: &BTreeSet<String>, one: &str| set.is_empty() || set.contains(one);
        is_in(&self.reasons, reason) && is_in(&self.sources, source)
    }

    pub(super) fn wants_time(&self, at_ms: i64) -> bool {
        self.since_ms.is_none_or(|since_ms| at_ms >= since_ms)
            && self.before_ms.is_none_or(|before_ms| at_ms < before_ms)
    }
}

/// What lines are counted by.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Group {
    /// The UTC date on which they came.
    pub day: String,
    /// Who set them aside: a function, a queue, what failed of Firehose's.
    pub source: String,
    /// Why, as a closed code.
    pub reason: String,
}

impl Group {
    pub(super) fn new(at_ms: i64, source: impl Into<String>, reason: impl Into<String>) -> Self {
        let day = instant::to_rfc3339(at_ms).get(..DAY_CHARS).unwrap_or_default().to_owned();
        Self { day, source: source.into(), reason: reason.into() }
    }
}

/// `YYYY-MM-DD`.
const DAY_CHARS: usize = 10;

/// How many lines of one group there are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Lines that were not put back before.
    pub open: u64,
    /// Those of them that this run put back.
    pub sent: u64,
    /// Those of them that are back in quarantine after a replay.
    pub again: u64,
    /// How often the most replayed of these was.
    pub replayed_most: u32,
}

/// Keys of damaged objects that are named; all are counted.
const NAMED_MAX: usize = 100;

/// What a run found and did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Lines that go back, by group.
    pub groups: BTreeMap<Group, Tally>,
    /// Objects that were read.
    pub objects: u64,
    /// Lines that an earlier run put back.
    pub marked: u64,
    /// Lines that the choice leaves out.
    pub not_wanted: u64,
    /// Lines that are of no form that is known. They stay.
    pub unreadable: u64,
    /// Lines whose record is larger than the stream takes. They stay.
    pub too_large: u64,
    /// Damaged objects, of which the rest was put back.
    pub damaged: u64,
    /// The keys of the first of them.
    pub damaged_keys: Vec<String>,
    /// Error objects that were deleted, all of their records being back.
    pub deleted: u64,
    /// When the bucket deletes the first of the lines that go back, epoch milliseconds.
    pub first_expiry_ms: Option<i64>,
}

impl Report {
    /// Lines that go back.
    pub fn open(&self) -> u64 {
        self.groups.values().map(|tally| tally.open).sum()
    }

    /// Lines that went back in this run.
    pub fn sent_lines(&self) -> u64 {
        self.groups.values().map(|tally| tally.sent).sum()
    }

    /// Whether anything is left that no run puts back.
    pub fn needs_somebody(&self) -> bool {
        self.unreadable + self.too_large + self.damaged > 0
    }

    pub(super) fn saw(&mut self, group: Group, replayed: u32, expires_ms: Option<i64>) {
        let tally = self.groups.entry(group).or_default();
        tally.open += 1;
        tally.again += u64::from(replayed > 0);
        tally.replayed_most = tally.replayed_most.max(replayed);
        self.first_expiry_ms = [self.first_expiry_ms, expires_ms].into_iter().flatten().min();
    }

    pub(super) fn sent(&mut self, group: &Group) {
        if let Some(tally) = self.groups.get_mut(group) {
            tally.sent += 1;
        }
    }

    pub(super) fn damaged(&mut self, key: &str) {
        self.damaged += 1;
        if self.damaged_keys.len() < NAMED_MAX {
            self.damaged_keys.push(key.to_owned());
        }
    }
}

/// A message of a dead-letter queue that points at a kept line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// The queue, by the template's name.
    pub queue: String,
    /// What it points at.
    pub pointer: Pointer,
    /// Whether the line was put back.
    pub is_back: bool,
}

/// What was found in dead-letter queues, and done.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LettersReport {
    /// Messages by group, the source being the queue.
    pub groups: BTreeMap<Group, Tally>,
    /// Messages that point at kept lines, the first of them.
    pub pointers: Vec<Seen>,
    /// Pointers whose line is not put back yet: they stay.
    pub waiting: u64,
    /// Messages that the choice leaves out.
    pub not_wanted: u64,
    /// Messages that cannot go back. They stay.
    pub unreadable: u64,
    /// Queues in which there were more messages than one run looks at.
    pub cut_short: Vec<String>,
}

impl LettersReport {
    /// Messages that go back.
    pub fn open(&self) -> u64 {
        self.groups.values().map(|tally| tally.open).sum()
    }

    /// Messages that went back in this run.
    pub fn sent_letters(&self) -> u64 {
        self.groups.values().map(|tally| tally.sent).sum()
    }

    pub(super) fn saw(&mut self, group: &Group) {
        self.groups.entry(group.clone()).or_default().open += 1;
    }

    pub(super) fn sent(&mut self, group: &Group) {
        if let Some(tally) = self.groups.get_mut(group) {
            tally.sent += 1;
        }
    }

    pub(super) fn points(&mut self, seen: Seen) {
        self.waiting += u64::from(!seen.is_back);
        if self.pointers.len() < NAMED_MAX {
            self.pointers.push(seen);
        }
    }
}
