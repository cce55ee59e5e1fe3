//! Objects of the bronze bucket whose lines can be put back into the stream: quarantine, error objects, spilled records.

use std::sync::Arc;

use ledgerline_ledger::store::StoreError;

use crate::bucket::{Bucket, Get, Listed, Opened, found};

/// Objects in one page: S3's most.
pub const PAGE: usize = 1_000;

/// All of them.
#[derive(Clone, Debug)]
pub struct KeptObjects {
    bucket: Arc<dyn Bucket>,
}

impl KeptObjects {
    /// Objects of the bronze bucket.
    pub fn new(bucket: Arc<dyn Bucket>) -> Self {
        Self { bucket }
    }

    /// Up to a page of objects below the prefix, behind the key `after`, in the order of their keys. Fewer than [`PAGE`] are
    /// the last.
    ///
    /// # Errors
    /// The bucket's.
    pub async fn page(&self, prefix: &str, after: &str) -> Result<Vec<Listed>, StoreError> {
        self.bucket.list(&format!("list {prefix}"), prefix, after, PAGE).await
    }

    /// Opens the object's newest version; `None` if it is gone.
    ///
    /// # Errors
    /// The bucket's.
    pub async fn open(&self, key: &str) -> Result<Option<Opened>, StoreError> {
        // The key names a time and a function, nothing of a person.
        found(self.bucket.open(&format!("read {key}"), Get::current(key)).await)
    }

    /// Deletes the version for good. One that is gone already is not an error.
    ///
    /// # Errors
    /// The bucket's.
    pub async fn delete(&self, key: &str, version_id: Option<&str>) -> Result<(), StoreError> {
        // Naming the version deletes it; without, a bucket with versions would only hide it under a marker.
        self.bucket.delete(&format!("delete {key}"), key, version_id).await
    }
}
