//! Error objects: what Firehose could not transform or deliver, which redrive reads, keeps and deletes. The bucket is the
//! one that the notification names.

use std::sync::Arc;

use bytes::Bytes;
use ledgerline_ledger::store::StoreError;

use crate::bucket::{self, Buckets, Get, Opened};

/// All error objects.
#[derive(Clone, Debug)]
pub struct ErrorObjects {
    buckets: Arc<dyn Buckets>,
}

impl ErrorObjects {
    /// Objects of buckets that notifications name.
    pub fn new(buckets: Arc<dyn Buckets>) -> Self {
        Self { buckets }
    }

    /// Opens the object's newest version.
    ///
    /// # Errors
    /// The bucket's; `NotFound` if it is gone.
    pub async fn open(&self, bucket: &str, key: &str) -> Result<Opened, StoreError> {
        // The key names a time and a delivery stream, nothing of a person.
        self.buckets.named(bucket).open(&format!("read {key}"), Get::current(key)).await
    }

    /// Deletes the version for good. One that is gone already is not an error.
    ///
    /// # Errors
    /// The bucket's.
    pub async fn delete(&self, bucket: &str, key: &str, version_id: Option<&str>) -> Result<(), StoreError> {
        // Naming the version deletes it; without, a bucket with versions would only hide it under a marker.
        self.buckets.named(bucket).delete(&format!("delete {key}"), key, version_id).await
    }

    /// Puts lines that cannot go back into the stream; the same lines may be put again.
    ///
    /// # Errors
    /// The bucket's.
    pub async fn keep(&self, bucket: &str, key: &str, lines: Bytes) -> Result<(), StoreError> {
        let put = bucket::Put::of(key, lines, "application/x-ndjson");
        self.buckets.named(bucket).put(&format!("put {key}"), put).await.map(drop)
    }
}
