//! Stores that answer badly, or at a bad moment, in ways that no plan of faults has.

use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use aws_lambda_events::sqs::SqsMessage;
use ledgerline_ledger::lock::Lock;
use ledgerline_ledger::store::{Failure, StoreError};
use ledgerline_store::bucket::{
    Bucket, Get, Head, Listed, Object, Opened, Put, PutOutcome, VersionMarker, VersionPage,
};
use ledgerline_store::table::{Beside, Key, Query, Returning, Row, Scan, ScanPage, Table, Write};

use super::{ONE_ATTEMPT, World, returned};

/// A bucket that does not answer to whoever reads this object.
#[derive(Debug)]
pub struct Silent {
    pub inner: Arc<dyn Bucket>,
    pub about: String,
}

#[async_trait]
impl Bucket for Silent {
    async fn get(&self, what: &str, get: Get) -> Result<Object, StoreError> {
        if get.key == self.about {
            return Err(StoreError::Unknown(Failure::new(what)));
        }
        self.inner.get(what, get).await
    }

    async fn open(&self, what: &str, get: Get) -> Result<Opened, StoreError> {
        self.inner.open(what, get).await
    }

    async fn put(&self, what: &str, put: Put) -> Result<PutOutcome, StoreError> {
        self.inner.put(what, put).await
    }

    async fn head(&self, what: &str, key: &str, version_id: Option<&str>) -> Result<Head, StoreError> {
        self.inner.head(what, key, version_id).await
    }

    async fn put_retention(&self, what: &str, key: &str, version_id: &str, lock: &Lock) -> Result<(), StoreError> {
        self.inner.put_retention(what, key, version_id, lock).await
    }

    async fn put_legal_hold(&self, what: &str, key: &str, version_id: &str, on: bool) -> Result<(), StoreError> {
        self.inner.put_legal_hold(what, key, version_id, on).await
    }

    async fn put_tag(&self, what: &str, key: &str, value: &str) -> Result<(), StoreError> {
        self.inner.put_tag(what, key, value).await
    }

    async fn delete(&self, what: &str, key: &str, version_id: Option<&str>) -> Result<(), StoreError> {
        self.inner.delete(what, key, version_id).await
    }

    async fn list(&self, what: &str, prefix: &str, after: &str, limit: usize) -> Result<Vec<Listed>, StoreError> {
        self.inner.list(what, prefix, after, limit).await
    }

    async fn list_versions(
        &self,
        what: &str,
        prefix: &str,
        behind: Option<VersionMarker>,
        limit: usize,
    ) -> Result<VersionPage, StoreError> {
        self.inner.list_versions(what, prefix, behind, limit).await
    }
}

/// A control table that lets another writer commit, and die before it indexes, between our look at the head and our look
/// at the markers.
#[derive(Debug)]
pub struct Rivalled {
    pub world: Arc<World>,
    pub batch: Vec<SqsMessage>,
    pub met: AtomicBool,
}

#[async_trait]
impl Table for Rivalled {
    async fn batch_get(&self, what: &str, keys: &[Key]) -> Result<Vec<Option<Row>>, StoreError> {
        if !self.met.swap(true, Ordering::Relaxed) {
            assert!(!returned(&self.world.run(ONE_ATTEMPT, &self.batch).await).is_empty());
        }
        self.world.control.batch_get(what, keys).await
    }

    async fn get(&self, what: &str, key: &Key) -> Result<Option<Row>, StoreError> {
        self.world.control.get(what, key).await
    }

    async fn query(&self, what: &str, query: &Query) -> Result<Vec<(String, Row)>, StoreError> {
        self.world.control.query(what, query).await
    }

    async fn write(&self, what: &str, write: Write, returning: Returning) -> Result<Row, StoreError> {
        self.world.control.write(what, write, returning).await
    }

    async fn transact(&self, what: &str, writes: Vec<Write>, beside: Vec<Beside>) -> Result<(), StoreError> {
        self.world.control.transact(what, writes, beside).await
    }

    fn as_any(&self) -> &dyn Any {
        self.world.control.as_any()
    }

    async fn batch_write(&self, what: &str, writes: Vec<Write>) -> Result<(), StoreError> {
        self.world.control.batch_write(what, writes).await
    }

    async fn scan_page(&self, what: &str, scan: &Scan, after: Option<Key>) -> Result<ScanPage, StoreError> {
        self.world.control.scan_page(what, scan, after).await
    }
}
