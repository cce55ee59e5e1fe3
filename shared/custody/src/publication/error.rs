//! What can stop a log.

use ledgerline_ledger::entry::EntryError;
use ledgerline_ledger::head::HeadError;
use ledgerline_ledger::log::LogId;
use ledgerline_ledger::publish::PublishError;
use ledgerline_ledger::segment::SegmentError;
use ledgerline_ledger::store::StoreError;

/// Why work on a log stopped.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// A store call failed.
    #[error("{0}")]
    Store(#[from] StoreError),
    /// The log's head contradicts itself.
    #[error("log {log} is stopped: {error}; compare its head with its segments before anything is appended")]
    Head {
        /// The log.
        log: LogId,
        /// What is wrong with its head.
        error: HeadError,
    },
    /// The log's head contradicts what was signed.
    #[error("log {log} is stopped: {error}; was the control table restored? Bring the head to its archive first")]
    Archive {
        /// The log.
        log: LogId,
        /// What is wrong.
        error: ArchiveError,
    },
    /// An object is not what was put or committed.
    #[error("{key} is not the evidence that was committed: {error}; compare all its versions")]
    Evidence {
        /// The object's key.
        key: String,
        /// What is wrong with it.
        error: EvidenceError,
    },
}

impl LogError {
    /// Whether trying again may help: anything else is an operator's matter.
    pub fn is_transient(&self) -> bool {
        match self {
            // A conflict is another writer: reloading the head settles it, as it settles an unknown outcome.
            Self::Store(StoreError::Conflict(_) | StoreError::Throttled(_) | StoreError::Unknown(_)) => true,
            // A missing table, bucket or committed object, a missing permission, a damaged row.
            Self::Store(StoreError::NotFound(_) | StoreError::Denied(_) | StoreError::Corrupt(_)) => false,
            Self::Head { .. } | Self::Archive { .. } | Self::Evidence { .. } => false,
        }
    }
}

/// Why a key does not sign. It stops no log.
#[derive(Debug, thiserror::Error)]
pub enum SigningError {
    /// The key does not answer, or not with what a key answers.
    #[error(transparent)]
    Key(#[from] StoreError),
    /// No entry of the log announced the key, or a later one has taken its place.
    #[error(
        "{key} may not sign this log, {} may; announce it with `ledgerline rotate-key`, and until that says that it may \
         sign, deploy the former key",
        allowed.join(", ")
    )]
    NotAllowed {
        /// The key's vkey.
        key: String,
        /// Those that may.
        allowed: Vec<String>,
    },
}

/// What contradicts a log's archive of checkpoints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ArchiveError {
    /// A checkpoint of a larger tree is archived than the head knows of.
    #[error("the head has {size} entries, and a checkpoint of {archived} is archived")]
    HeadBehind {
        /// The head's size.
        size: u64,
        /// The archived checkpoint's.
        archived: u64,
    },
    /// What is archived under the head's size is no checkpoint of the head's tree.
    #[error("what is archived as the checkpoint of {size} entries is not one of the head's tree")]
    OtherTree {
        /// The size of both.
        size: u64,
    },
}

/// What is wrong with an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EvidenceError {
    /// Other bytes lie under the name.
    #[error("other bytes lie under its name")]
    OtherBytes,
    /// It cannot be unpacked, or not as its name says.
    #[error(transparent)]
    Segment(#[from] SegmentError),
    /// It holds a line that is no entry.
    #[error(transparent)]
    Entry(#[from] EntryError),
    /// A partial tile on which the next tiles are built is gone.
    #[error("it is gone, and the next tiles are built on it: run `ledgerline rebuild-tiles --write`")]
    TileMissing,
    /// The tiles and the new entries do not make the head's tree.
    #[error(transparent)]
    Tiles(#[from] PublishError),
}

#[cfg(test)]
mod tests {
    use super::*;
    use ledgerline_ledger::store::Failure;

    #[test]
    fn only_what_time_or_another_look_can_mend_is_transient() {
        type Kind = fn(Failure) -> StoreError;
        let kinds: [(Kind, bool); 6] = [
            (StoreError::NotFound, false),
            (StoreError::Conflict, true),
            (StoreError::Throttled, true),
            (StoreError::Denied, false),
            (StoreError::Corrupt, false),
            (StoreError::Unknown, true),
        ];
        for (kind, transient) in kinds {
            let error = LogError::Store(kind(Failure::new("x")));
            assert_eq!(error.is_transient(), transient, "{error}");
        }
        let log = LogId::parse("acme/interaction/1/0").unwrap();
        assert!(!LogError::Head { log: log.clone(), error: HeadError::Gap }.is_transient());
        assert!(!LogError::Archive { log, error: ArchiveError::OtherTree { size: 1 } }.is_transient());
        assert!(!LogError::Evidence { key: "k".into(), error: EvidenceError::OtherBytes }.is_transient());
    }
}
