//! Why a date was not computed.

use ledgerline_figures::target::TargetError;
use ledgerline_lake::gold::GoldError as FileError;
use ledgerline_ledger::store::StoreError;

/// Why a date was not computed, or not to its end. It stays dirty.
#[derive(Debug, thiserror::Error)]
pub enum GoldError {
    /// What was asked for is no date.
    #[error(
        "the request's date is not one that figures are of: give it as YYYY-MM-DD, from 1990-01-01 on, and one that the report's zone has"
    )]
    Date,
    /// The time was over; the next run goes on.
    #[error("the run's time was over before the answer came")]
    OutOfTime,
    /// A store's.
    #[error("{0}")]
    Store(#[from] StoreError),
    /// The statement failed, again and again.
    #[error("Athena failed with {code}: look at execution {execution} in its console")]
    Query {
        /// Athena's code.
        code: String,
        /// Which one.
        execution: String,
    },
    /// The answer is not one to the statement.
    #[error("the answer of Athena's execution {execution} has a row that is not one of the statement's")]
    Answer {
        /// Which one.
        execution: String,
    },
    /// The owner's file of targets.
    #[error("{0}")]
    Target(#[from] TargetError),
    /// A file that could not be made.
    #[error("{0}")]
    File(#[from] FileError),
    /// A document that could not be made.
    #[error("a document of figures could not be written as JSON: {0}")]
    Json(#[from] serde_json::Error),
}

impl GoldError {
    /// Whether another run wrote first: its figures stand, and the date stays dirty.
    pub fn is_race(&self) -> bool {
        match self {
            Self::Store(StoreError::Conflict(_)) => true,
            Self::Date
            | Self::OutOfTime
            | Self::Store(_)
            | Self::Query { .. }
            | Self::Answer { .. }
            | Self::Target(_)
            | Self::File(_)
            | Self::Json(_) => false,
        }
    }
}
