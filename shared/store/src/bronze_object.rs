//! Bronze objects: source events as Firehose delivered them, to stream and to list.

use std::sync::Arc;

use ledgerline_ledger::store::StoreError;

use crate::bucket::{Body, Bucket, Get};

/// An object of bronze in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BronzeObject {
    /// Its key.
    pub key: String,
    /// When it was written, epoch milliseconds.
    pub written_at_ms: i64,
}

/// Objects in one page: S3's most.
pub const PAGE: usize = 1_000;

/// All bronze objects.
#[derive(Clone, Debug)]
pub struct BronzeObjects {
    bucket: Arc<dyn Bucket>,
}

impl BronzeObjects {
    /// Objects of the bronze bucket.
    pub fn new(bucket: Arc<dyn Bucket>) -> Self {
        Self { bucket }
    }

    /// Opens the object at the key.
    ///
    /// # Errors
    /// The bucket's; `NotFound` if it is gone.
    pub async fn open(&self, key: &str) -> Result<Box<dyn Body>, StoreError> {
        // The key names a time and a delivery stream, nothing of a person.
        Ok(self.bucket.open(&format!("read bronze object {key}"), Get::current(key)).await?.body)
    }

    /// Whether the object is there. The list says so, which reads nothing of it.
    ///
    /// # Errors
    /// The bucket's.
    pub async fn is_there(&self, key: &str) -> Result<bool, StoreError> {
        let listed = self.bucket.list(&format!("look for {key}"), key, "", 1).await?;
        Ok(listed.first().is_some_and(|one| one.key == key))
    }

    /// Up to a page of objects under the prefix, behind the key `after`, in the order of their keys. Fewer than
    /// [`PAGE`] are the last.
    ///
    /// # Errors
    /// The bucket's.
    pub async fn page(&self, prefix: &str, after: &str) -> Result<Vec<BronzeObject>, StoreError> {
        let listed = self.bucket.list(&format!("list {prefix}"), prefix, after, PAGE).await?;
        Ok(listed.into_iter().map(|one| BronzeObject { key: one.key, written_at_ms: one.written_at_ms }).collect())
    }
}
