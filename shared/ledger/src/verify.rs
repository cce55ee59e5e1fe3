//! Verification: everything that stored evidence says is derived anew and compared; every contradiction is named.
//!
//! Invariant: nothing is trusted but the keys and checkpoints that the caller hands over. No AWS, no clock, plain threads;
//! memory grows with the number of objects in a listing, never with the number of entries.

pub mod evidence;
pub mod findings;
pub mod folder;
mod spine;

use serde::Serialize;

pub use evidence::{Evidence, EvidenceFault, Given, HeadRow, ObjectVersion};
pub use findings::{Finding, FindingKind};

use crate::log::LogId;
use crate::ports::LockMode;

/// What the caller believes without proof.
#[derive(Debug, Clone, Default)]
pub struct Trust {
    /// Verification keys (`<origin>+<hash>+<base64>`): a log accepts those whose name is its origin.
    pub keys: Vec<String>,
    /// Checkpoints that were verified or seen before, as signed notes: their logs must contain them.
    pub checkpoints: Vec<String>,
    /// Checkpoints that witnesses cosigned, wherever they are kept; stored ones are looked at, too.
    pub cosigned: Vec<String>,
    /// Verification keys of witnesses.
    pub witnesses: Vec<String>,
    /// How many different witnesses must have cosigned one checkpoint of each log.
    pub witness_quorum: usize,
}

/// What to look at, and how.
#[derive(Debug, Clone)]
pub struct Options {
    /// These logs only; all, if there is none.
    pub logs: Vec<LogId>,
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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LockRule {
    /// Nothing: the evidence does not tell of locks.
    Ignore,
    /// Each has one.
    Present,
    /// Each has one of this mode or a stronger one, for at least so many days from when it was written.
    AtLeast {
        /// The mode.
        mode: LockMode,
        /// The days.
        days: u32,
    },
}

/// What verification found.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Report {
    /// What was seen of each log, by name.
    pub logs: Vec<LogReport>,
    /// All contradictions, by log in the order in which they were met.
    pub findings: Vec<Finding>,
}

impl Report {
    /// Whether the evidence holds.
    pub fn holds(&self) -> bool {
        self.findings.is_empty()
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
    /// Entries read and hashed in this run.
    pub entries: u64,
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
    /// The newest good checkpoint, as stored: what to trust next time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checkpoint: Option<String>,
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
}

/// The field of a `SIGNING_KEY_ADDED` entry that holds the new verification key.
pub const KEY_FIELD: &str = "key";
/// The field of a `LOG_PRUNED` entry that holds the index below which segments may be gone.
pub const PRUNED_TO_FIELD: &str = "prunedTo";
