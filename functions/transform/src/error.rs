//! What can go wrong with a bronze object, and what becomes of its message then.

use ledgerline_lake::plan::PlanError;
use ledgerline_lake::silver::SilverError;
use ledgerline_lambda::disposition::Disposition;
use ledgerline_ledger::store::StoreError;

use ledgerline_lambda::notification::NotANotification;

/// Why an object was not planned.
#[derive(Debug, thiserror::Error)]
pub enum TransformError {
    /// The message is no S3 notification.
    #[error(transparent)]
    Notification(#[from] NotANotification),
    /// The notification is about another bucket than bronze.
    #[error(
        "the notification names another bucket than BRONZE_BUCKET: remove that bucket's notification to this queue"
    )]
    ForeignBucket,
    /// The object is gone: a lifecycle, an erasure or an operator took it before it was planned.
    #[error("the bronze object was deleted before it was planned; its key is kept as poison")]
    Gone,
    /// The object's bytes are no gzip, although they begin like it.
    #[error("the bronze object is damaged gzip; the object itself stays in bronze")]
    Damaged,
    /// A store failed.
    #[error("a store call failed: {0}")]
    Store(#[source] StoreError),
    /// The plan that is stored, or the one that was computed, contradicts itself.
    #[error("the plan is no plan: {0}")]
    Plan(#[from] PlanError),
    /// Silver could not be written as Parquet.
    #[error("silver could not be written: {0}")]
    Silver(#[from] SilverError),
}

impl From<StoreError> for TransformError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl TransformError {
    /// The reason as a closed code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Notification(_) => "not_a_notification",
            Self::ForeignBucket => "foreign_bucket",
            Self::Gone => "bronze_object_gone",
            Self::Damaged => "damaged_gzip",
            Self::Store(error) => error.kind(),
            Self::Plan(_) => "plan_unreadable",
            Self::Silver(_) => "silver_unwritable",
        }
    }

    /// What becomes of the message.
    pub fn disposition(&self) -> Disposition {
        match self {
            // Nobody can bring these back by trying again.
            Self::Notification(_) | Self::ForeignBucket | Self::Gone | Self::Damaged => Disposition::Poison,
            Self::Store(error) => match error {
                // A permission, a key or a table can be mended while the message waits in its queue; the dead-letter
                // queue and its alarm tell of what is not.
                StoreError::Denied(_) | StoreError::NotFound(_) | StoreError::Corrupt(_) => Disposition::Retry,
                StoreError::Conflict(_) | StoreError::Throttled(_) | StoreError::Unknown(_) => Disposition::Retry,
            },
            // A defect or a changed file. The events are safe in bronze; acknowledging would forget them.
            Self::Plan(_) | Self::Silver(_) => Disposition::Retry,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ledgerline_ledger::store::Failure;

    #[test]
    fn every_error_has_its_disposition() {
        let store = |kind: fn(Failure) -> StoreError| TransformError::Store(kind(Failure::new("test")));
        let rows = [
            (TransformError::Notification(NotANotification), "not_a_notification", Disposition::Poison),
            (TransformError::ForeignBucket, "foreign_bucket", Disposition::Poison),
            (TransformError::Gone, "bronze_object_gone", Disposition::Poison),
            (TransformError::Damaged, "damaged_gzip", Disposition::Poison),
            (store(StoreError::NotFound), "not_found", Disposition::Retry),
            (store(StoreError::Conflict), "conflict", Disposition::Retry),
            (store(StoreError::Throttled), "throttled", Disposition::Retry),
            (store(StoreError::Denied), "denied", Disposition::Retry),
            (store(StoreError::Corrupt), "corrupt", Disposition::Retry),
            (store(StoreError::Unknown), "unknown", Disposition::Retry),
            (TransformError::Plan(PlanError::Counts), "plan_unreadable", Disposition::Retry),
            (TransformError::Silver(SilverError::Time), "silver_unwritable", Disposition::Retry),
        ];
        for (error, code, disposition) in rows {
            assert_eq!((error.code(), error.disposition()), (code, disposition), "{error}");
        }
    }
}
