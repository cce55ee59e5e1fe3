//! Verification: everything that stored evidence says is derived again and compared; every contradiction is named.
//!
//! Invariant: nothing is trusted but the keys and checkpoints that the caller hands over. No AWS, no clock, plain threads;
//! memory grows with the number of objects in a listing, never with the number of entries.

mod acts;
mod chain;
mod comparing;
mod ending;
pub mod evidence;
mod file_managers;
mod finding_log;
pub mod findings;
pub mod folder;
mod inventory;
mod jobs;
mod logs;
mod notes;
mod postings;
mod reader;
mod spine;
mod workers;

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use serde::{Serialize, Serializer};

pub use evidence::{Evidence, EvidenceFault, Given, HeadRow, ObjectVersion};
pub use finding_log::head_row;
pub use findings::{Finding, FindingKind};

use crate::checkpoint::Checkpoint;
use crate::log::LogId;
use crate::retention::LockPolicy;
use inventory::Inventory;
use logs::{Found, Scope};
use notes::Keys;
use postings::Stored;

/// Verifies evidence. `Err` means that none of it could be looked at, never that it is wrong; a single log that could not
/// be is named in [`Report::unchecked`], and the others are verified all the same.
///
/// Heads are read first, then the listing, then postings: of a bucket that is being written, each later part has at least
/// what an earlier one speaks of.
pub fn verify<E: Evidence + ?Sized>(
    evidence: &E,
    trust: &Trust,
    options: &Options,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<Report, EvidenceFault> {
    let heads = evidence.heads()?;
    let heads_are_given = heads.is_some();
    let wanted = |log: &LogId| options.logs.is_empty() || options.logs.contains(log);
    let heads: HashMap<LogId, HeadRow> =
        heads.into_iter().flatten().filter(|row| wanted(&row.log)).map(|row| (row.log.clone(), row)).collect();
    let (inventories, findings) = inventory::list(evidence, options)?;
    let mut stored = Stored::read(evidence, wanted)?;
    let copies = copies(inventories.iter());
    // A log that is gone as a whole is named by what was handed over of it.
    let handed_over = trust.checkpoints.iter().chain(&trust.cosigned);
    let handed_over = handed_over.filter_map(|note| notes::log_of(note)).filter(|log| wanted(log));
    let names: BTreeSet<LogId> = inventories.keys().cloned().chain(heads.keys().cloned()).chain(handed_over).collect();
    let none = Inventory::default();
    let left_out = Part::missing_from(evidence, heads_are_given, stored.is_some(), &options.locks);
    let mut report = Report { left_out, ..Report::default() };
    let mut found = Found { findings, differing: Vec::new() };
    // What lies before it was not read, and what lies behind it was committed meanwhile.
    let mut ranges: HashMap<LogId, (u64, std::ops::Range<u64>)> = HashMap::new();
    let first = options.first.iter().filter(|log| names.contains(log));
    for log in first.chain(names.iter().filter(|log| !options.first.contains(log))) {
        let inventory = inventories.get(log).unwrap_or(&none);
        let keys = Keys::of(log, trust)?;
        let differed = found.differing.len();
        let looked = trusted(log, trust, &keys).and_then(|trusted| {
            let cosigned = trust.cosigned.iter().map(String::as_str);
            let scope = Scope {
                evidence,
                log,
                inventory,
                options,
                head: heads.get(log),
                heads_are_given,
                trusted,
                cosigned: cosigned.filter(|note| notes::is_claimed_by(log, note)).collect(),
                witnessed_within_s: trust.witnessed_within_s,
                copies: &copies,
            };
            logs::check(&scope, keys, &mut stored, &mut found, progress)
        });
        let range = match looked {
            Ok(seen) => {
                let newest_ms = inventory.segments.last().map_or(0, |segment| segment.row.written_ms);
                let growing = newest_ms.abs_diff(options.now_ms) < logs::GRACE_MS;
                let meanwhile = if growing { seen.size..seen.size.saturating_add(MEANWHILE_ENTRIES) } else { 0..0 };
                let range = (seen.from, meanwhile);
                report.logs.push(seen);
                range
            }
            Err(fault) => {
                // Its postings were compared in part: nothing is said of them.
                found.differing.truncate(differed);
                report.unchecked.push(Unchecked { log: log.to_string(), fault: Arc::new(fault) });
                (u64::MAX, 0..0)
            }
        };
        ranges.insert(log.clone(), range);
    }
    if let Some(stored) = stored {
        let in_range = |log: &LogId, first: u64| {
            ranges.get(log).is_none_or(|(from, meanwhile)| first >= *from && !meanwhile.contains(&first))
        };
        let Found { differing, findings } = &mut found;
        stored.findings(evidence, differing, in_range, findings, &mut report.unchecked);
        let unchecked = &report.unchecked;
        report.logs.retain(|seen| unchecked.iter().all(|log| log.log != seen.log));
    }
    report.findings = found.findings;
    Ok(report)
}

/// The caller's checkpoints of one log. Believed, but only under a key that is believed, too.
fn trusted(log: &LogId, trust: &Trust, keys: &Keys) -> Result<Vec<Checkpoint>, EvidenceFault> {
    let of_log = trust.checkpoints.iter().filter(|note| notes::is_claimed_by(log, note));
    let check = |note: &String| {
        keys.check(log, note.as_bytes()).map_err(|(_, detail)| {
            EvidenceFault::Malformed(format!(
                "the checkpoint of {log} that was handed over cannot be relied on: {detail}"
            ))
        })
    };
    of_log.map(check).collect()
}

/// Segments' digests that stand at several places, with the logs of these places.
fn copies<'a>(inventories: impl Iterator<Item = (&'a LogId, &'a Inventory)>) -> HashMap<u64, Vec<LogId>> {
    let mut digests: Vec<(u64, &LogId)> = inventories
        .flat_map(|(log, inventory)| inventory.segments.iter().map(move |segment| (segment.digest(), log)))
        .collect();
    digests.sort_unstable();
    let groups = digests.chunk_by(|left, right| left.0 == right.0).filter(|group| group.len() > 1);
    groups.map(|group| (group[0].0, group.iter().map(|(_, log)| (*log).clone()).collect())).collect()
}

/// What the caller believes without proof.
#[derive(Debug, Clone, Default)]
pub struct Trust {
    /// Verification keys (`<origin>+<hash>+<base64>`): a log accepts those whose name is its origin. Of one log the oldest
    /// first: once a later one has signed, an earlier one does not count for what is larger. Those that entries add come
    /// after these by themselves.
    pub keys: Vec<String>,
    /// Checkpoints that were verified or seen before, as signed notes: their logs must contain them.
    pub checkpoints: Vec<String>,
    /// Checkpoints that witnesses cosigned, wherever they are kept; stored ones are looked at, too.
    pub cosigned: Vec<String>,
    /// Verification keys of witnesses.
    pub witnesses: Vec<String>,
    /// How many different witnesses must have cosigned one checkpoint of each log.
    pub witness_quorum: usize,
    /// How long ago, in seconds, the last of these cosignatures may be at most, by its witness's clock and the caller's; of
    /// any age if not given.
    pub witnessed_within_s: Option<u64>,
}

/// What to look at, and how.
#[derive(Debug, Clone)]
pub struct Options {
    /// These logs only; all, if there is none.
    pub logs: Vec<LogId>,
    /// These logs before the others, in this order, for whoever may not come to all; the others follow by name.
    pub first: Vec<LogId>,
    /// Threads that read and hash.
    pub threads: usize,
    /// Now, in epoch milliseconds: what was written in the last hour may still be on its way.
    pub now_ms: u64,
    /// What is asked of locks.
    pub locks: LockRule,
    /// Begin at each log's trusted checkpoint instead of at its first entry: what lies before it is listed, not read.
    pub incremental: bool,
}

/// What is asked of the locks of segments, full tiles and archived checkpoints.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LockRule {
    /// Nothing: the evidence does not tell of locks.
    Ignore,
    /// Each has one.
    Present,
    /// Each has one of at least this policy's mode, for at least its days from when it was written; nothing is asked once
    /// these are over.
    AtLeast(LockPolicy),
}

/// What verification found.
#[derive(Debug, Default, Serialize)]
pub struct Report {
    /// What was seen of each log, in the order in which they were looked at.
    pub logs: Vec<LogReport>,
    /// All contradictions, by log in the order in which they were met.
    pub findings: Vec<Finding>,
    /// What the evidence does not tell of, or tells on its maker's word alone: nothing is said of it.
    pub left_out: Vec<Part>,
    /// Logs that could not be looked at to the end. None of them is among `logs`; what was found in one before that is
    /// among the findings.
    pub unchecked: Vec<Unchecked>,
}

/// What evidence may have beside entries, tiles and checkpoints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Part {
    /// The heads: whether more was committed than lies here.
    Heads,
    /// The index: whether an access request finds every entry. How far a folder's log is indexed is its maker's word: rows
    /// beyond that are not asked for.
    Postings,
    /// The locks: whether evidence could be deleted. A folder's list of them is its maker's word.
    Locks,
    /// Delete markers: whether somebody tried to. A folder's list of them is its maker's word.
    DeleteMarkers,
}

impl Part {
    fn missing_from<E: Evidence + ?Sized>(evidence: &E, heads: bool, postings: bool, locks: &LockRule) -> Vec<Self> {
        let copied = !evidence.is_live();
        let parts = [
            (Self::Heads, !heads),
            (Self::Postings, copied || !postings),
            (Self::Locks, copied || *locks == LockRule::Ignore),
            (Self::DeleteMarkers, copied),
        ];
        parts.into_iter().filter(|(_, missing)| *missing).map(|(part, _)| part).collect()
    }
}

/// A log that could not be looked at to the end, which says nothing of whether it holds.
#[derive(Debug, Serialize)]
pub struct Unchecked {
    /// The log.
    pub log: String,
    /// Why.
    #[serde(serialize_with = "as_text")]
    pub fault: Arc<EvidenceFault>,
}

fn as_text<S: Serializer>(fault: &EvidenceFault, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(fault)
}

impl Report {
    /// Whether the evidence holds: all of it was looked at, and nothing contradicts anything.
    pub fn holds(&self) -> bool {
        self.findings.is_empty() && self.unchecked.is_empty()
    }
}

/// What was seen of one log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LogReport {
    /// The log.
    pub log: String,
    /// How many entries it has.
    pub size: u64,
    /// Its root, in hex.
    pub root: String,
    /// The size of the largest checkpoint whose signature and root were found good.
    pub signed: u64,
    /// The size of the largest checkpoint that enough witnesses cosigned.
    pub witnessed: u64,
    /// Since when so many have, in epoch seconds by their clocks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub witnessed_at_s: Option<u64>,
    /// Entries below it were not read in this run.
    pub from: u64,
    /// Entries read and hashed in this run.
    pub entries: u64,
    /// The index of the newest entry read in this run that is no act of the ledger's own ([`crate::acts`]).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub newest_event: Option<u64>,
    /// Bytes of segments read in this run.
    pub bytes: u64,
    /// Segments of the log.
    pub segments: u64,
    /// Tiles compared.
    pub tiles: u64,
    /// Checkpoints whose signature and root were found good.
    pub checkpoints: u64,
    /// Entries below it are pruned: only their hashes are left.
    pub pruned_to: u64,
    /// Segments outside the log, all of whose entries are committed elsewhere: left by crashes, and harmless.
    pub orphans: u64,
    /// Segments outside the log, written in the last hour: their commit may still come.
    pub in_flight: u64,
    /// The keys that count for this log, oldest first, those that its entries added included: what to trust next time.
    pub keys: Vec<String>,
    /// The newest good checkpoint, as stored: what to trust next time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checkpoint: Option<String>,
}

impl LogReport {
    fn of(log: &LogId) -> Self {
        Self {
            log: log.as_str().to_owned(),
            size: 0,
            root: String::new(),
            signed: 0,
            witnessed: 0,
            witnessed_at_s: None,
            from: 0,
            entries: 0,
            newest_event: None,
            bytes: 0,
            segments: 0,
            tiles: 0,
            checkpoints: 0,
            pruned_to: 0,
            orphans: 0,
            in_flight: 0,
            keys: Vec::new(),
            checkpoint: None,
        }
    }
}

/// How far a run has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress<'a> {
    /// The log being read.
    pub log: &'a LogId,
    /// Entries of it behind us.
    pub done: u64,
    /// Entries of it in all.
    pub total: u64,
    /// Entries of it read so far that are no acts of the ledger's own ([`crate::acts`]).
    pub events: u64,
}

/// More entries than a log gets while it is verified. A row beyond them is nobody's, however busy the log.
const MEANWHILE_ENTRIES: u64 = 1 << 32;
/// The field of a `SIGNING_KEY_ADDED` entry that holds the new verification key.
pub const KEY_FIELD: &str = "key";
/// The field of a `LOG_PRUNED` entry that holds the index below which segments may be gone.
pub const PRUNED_TO_FIELD: &str = "prunedTo";
