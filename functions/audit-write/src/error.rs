//! What can go wrong in an append, and what then becomes of the message.

use ledgerline_custody::publication::LogError;
use ledgerline_lambda::disposition::Disposition;
use ledgerline_ledger::store::StoreError;

/// Why an append stopped.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// A chunk could not be read.
    #[error("{0}")]
    Chunk(#[source] StoreError),
    /// Something about the log, or a store that does not answer.
    #[error(transparent)]
    Log(#[from] LogError),
}

impl From<StoreError> for AppendError {
    fn from(error: StoreError) -> Self {
        Self::Log(error.into())
    }
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
        AppendError::Log(error) if error.is_transient() => Disposition::Retry,
        AppendError::Log(_) => Disposition::Halt,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ledgerline_custody::publication::EvidenceError;
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
            assert_eq!(disposition(&AppendError::from(error())), elsewhere, "{}", error().kind());
        }
        let evidence = LogError::Evidence { key: "k".into(), error: EvidenceError::OtherBytes };
        assert_eq!(disposition(&evidence.into()), Halt);
    }
}
