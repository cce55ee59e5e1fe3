//! A bucket whose bytes are counted on their way.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use ledgerline_ledger::lock::Lock;
use ledgerline_ledger::store::{Failure, StoreError};
use ledgerline_store::bucket::{
    Bucket, Get, Head, Listed, Object, Opened, Put, PutOutcome, VersionMarker, VersionPage,
};

/// Bytes that were read and put, shared by the buckets of a run.
#[derive(Debug, Default)]
pub(crate) struct Bytes {
    pub(crate) read: AtomicU64,
    pub(crate) put: AtomicU64,
}

/// A bucket that is weighed.
#[derive(Debug, Clone)]
pub(crate) struct Weighed {
    /// The one behind it.
    pub(crate) bucket: Arc<dyn Bucket>,
    /// What went through.
    pub(crate) bytes: Arc<Bytes>,
}

#[async_trait]
impl Bucket for Weighed {
    async fn get(&self, what: &str, get: Get) -> Result<Object, StoreError> {
        let object = self.bucket.get(what, get).await?;
        self.bytes.read.fetch_add(object.bytes.len() as u64, Ordering::Relaxed);
        Ok(object)
    }

    async fn open(&self, what: &str, _: Get) -> Result<Opened, StoreError> {
        // The eraser reads objects whole; what it would read in pieces, nothing here would count.
        Err(StoreError::Denied(Failure::new(format!("{what}: pieces are not weighed"))))
    }

    async fn put(&self, what: &str, put: Put) -> Result<PutOutcome, StoreError> {
        self.bytes.put.fetch_add(put.bytes.len() as u64, Ordering::Relaxed);
        self.bucket.put(what, put).await
    }

    async fn head(&self, what: &str, key: &str, version_id: Option<&str>) -> Result<Head, StoreError> {
        self.bucket.head(what, key, version_id).await
    }

    async fn put_retention(&self, what: &str, key: &str, version_id: &str, lock: &Lock) -> Result<(), StoreError> {
        self.bucket.put_retention(what, key, version_id, lock).await
    }

    async fn put_legal_hold(&self, what: &str, key: &str, version_id: &str, on: bool) -> Result<(), StoreError> {
        self.bucket.put_legal_hold(what, key, version_id, on).await
    }

    async fn put_tag(&self, what: &str, key: &str, value: &str) -> Result<(), StoreError> {
        self.bucket.put_tag(what, key, value).await
    }

    async fn delete(&self, what: &str, key: &str, version_id: Option<&str>) -> Result<(), StoreError> {
        self.bucket.delete(what, key, version_id).await
    }

    async fn list(&self, what: &str, prefix: &str, after: &str, limit: usize) -> Result<Vec<Listed>, StoreError> {
        self.bucket.list(what, prefix, after, limit).await
    }

    async fn list_versions(
        &self,
        what: &str,
        prefix: &str,
        behind: Option<VersionMarker>,
        limit: usize,
    ) -> Result<VersionPage, StoreError> {
        self.bucket.list_versions(what, prefix, behind, limit).await
    }
}
