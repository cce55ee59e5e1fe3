//! What can go wrong in an append, and what then becomes of the message.

use ledgerline_lambda::disposition::Disposition;
use ledgerline_ledger::entry::EntryError;
use ledgerline_ledger::head::HeadError;
use ledgerline_ledger::segment::SegmentError;
use ledgerline_ledger::store::StoreError;

/// Why an append stopped.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// A chunk could not be read.
    #[error("{0}")]
    Chunk(#[source] StoreError),
    /// Any other store call failed.
    #[error("{0}")]
    Store(#[from] StoreError),
    /// The log's head contradicts itself.
    #[error("log {log} is stopped: {error}; compare its head with its segments before anything is appended")]
    Head {
        /// The log.
        log: String,
        /// What is wrong with its head.
        error: HeadError,
    },
    /// A segment is not what was put or committed.
    #[error("{key} is not the evidence that was committed: {error}; compare all its versions")]
    Evidence {
        /// The segment's key.
        key: String,
        /// What is wrong with it.
        error: EvidenceError,
    },
}

/// What is wrong with a segment.
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
}

/// What becomes of the message at hand.
pub fn disposition(error: &AppendError) -> Disposition {
    match error {
        // The plan is written before its pointers are sent and is not deleted while they can come: no plan, or one that
        // is shorter than the range, will not mend.
        AppendError::Chunk(StoreError::NotFound(_) | StoreError::Corrupt(_)) => Disposition::Poison,
        AppendError::Chunk(StoreError::Conflict(_) | StoreError::Throttled(_) | StoreError::Unknown(_)) => {
            Disposition::Retry
        }
        AppendError::Chunk(StoreError::Denied(_)) => Disposition::Halt,
        // A conflict is another writer: reloading the head settles it. An unknown outcome is settled by the markers.
        AppendError::Store(StoreError::Conflict(_) | StoreError::Throttled(_) | StoreError::Unknown(_)) => {
            Disposition::Retry
        }
        // A missing table, bucket or committed segment, a missing permission, a damaged row: an operator's matter.
        AppendError::Store(StoreError::NotFound(_) | StoreError::Denied(_) | StoreError::Corrupt(_)) => {
            Disposition::Halt
        }
        AppendError::Head { .. } | AppendError::Evidence { .. } => Disposition::Halt,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ledgerline_ledger::store::Failure;

    #[test]
    fn every_error_has_its_disposition() {
        use Disposition::{Halt, Poison, Retry};
        type Kind = fn(Failure) -> StoreError;
        let kinds: [(Kind, Disposition, Disposition); 6] = [
            (StoreError::NotFound, Poison, Halt),
            (StoreError::Conflict, Retry, Retry),
            (StoreError::Throttled, Retry, Retry),
            (StoreError::Denied, Halt, Halt),
            (StoreError::Corrupt, Poison, Halt),
            (StoreError::Unknown, Retry, Retry),
        ];
        for (kind, of_chunk, elsewhere) in kinds {
            let error = || kind(Failure::new("x"));
            assert_eq!(disposition(&AppendError::Chunk(error())), of_chunk, "{}", error().kind());
            assert_eq!(disposition(&AppendError::Store(error())), elsewhere, "{}", error().kind());
        }
        assert_eq!(disposition(&AppendError::Head { log: "a".into(), error: HeadError::Gap }), Halt);
        assert_eq!(disposition(&AppendError::Evidence { key: "k".into(), error: EvidenceError::OtherBytes }), Halt);
    }
}
