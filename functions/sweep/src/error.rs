//! What can stop a part of a run.

use ledgerline_custody::committed::CommittedError;
use ledgerline_custody::publication::LogError;
use ledgerline_ledger::entry::EntryError;
use ledgerline_ledger::segment::SegmentError;
use ledgerline_ledger::store::StoreError;

/// Why a part stopped. The other parts go on; the next run takes this one up again.
#[derive(Debug, thiserror::Error)]
pub enum SweepError {
    /// A store call failed.
    #[error("a store call failed: {0}")]
    Store(#[from] StoreError),
    /// The work on a log stopped.
    #[error(transparent)]
    Log(#[from] LogError),
    /// No committed segment begins where the last one ended.
    #[error("no committed segment of {log} begins at {first}: verify the log; its evidence or its postings are gone")]
    SegmentMissing {
        /// The log.
        log: String,
        /// Where it should begin.
        first: u64,
    },
    /// A segment is not what its name says.
    #[error("{key} is no segment: {error}; verify the log")]
    Segment {
        /// The object's key.
        key: String,
        /// What is wrong with it.
        error: SegmentError,
    },
    /// A committed line is no entry.
    #[error("{key} holds a line that is no entry: {error}; verify the log")]
    Entry {
        /// The object's key.
        key: String,
        /// What is wrong with it.
        error: EntryError,
    },
    /// Postings lead to something else than the record's entries.
    #[error("the postings of a record do not lead to its entries in {key}: {reason}; verify the log")]
    Posting {
        /// The object's key.
        key: String,
        /// What is wrong.
        reason: &'static str,
    },
    /// A row says that something expires which is not an object of bronze.
    #[error(
        "a row EXP#{day} of the control table names no object of bronze, and nothing was deleted for it: delete the row, and find out who wrote it"
    )]
    NotBronze {
        /// The day, `yyyy-mm-dd`.
        day: String,
    },
    /// Own state could not be written as JSON.
    #[error("the sweep's state could not be written: {0}")]
    State(#[from] serde_json::Error),
}

impl From<CommittedError> for SweepError {
    fn from(error: CommittedError) -> Self {
        match error {
            CommittedError::Store(error) => Self::Store(error),
            CommittedError::Segment { key, error } => Self::Segment { key, error },
            CommittedError::Entry { key, error } => Self::Entry { key, error },
        }
    }
}

impl SweepError {
    /// Whether another run wrote first: its result stands, and there is nothing to tell.
    pub fn is_race(&self) -> bool {
        match self {
            Self::Store(StoreError::Conflict(_)) | Self::Log(LogError::Store(StoreError::Conflict(_))) => true,
            Self::Store(_)
            | Self::Log(_)
            | Self::SegmentMissing { .. }
            | Self::Segment { .. }
            | Self::Entry { .. }
            | Self::Posting { .. }
            | Self::NotBronze { .. }
            | Self::State(_) => false,
        }
    }
}
