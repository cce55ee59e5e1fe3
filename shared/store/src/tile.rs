//! Hash tiles in the ledger's bucket: full ones put once and locked, partial ones unlocked and tagged.

use std::sync::Arc;

use bytes::Bytes;
use ledgerline_ledger::lock::Lock;
use ledgerline_ledger::store::StoreError;
use ledgerline_ledger::tree::Hash;

use crate::bucket::{self, Bucket, Get, found};
use crate::segment::{Put, put_locked};

/// The tiles of all logs.
#[derive(Clone, Debug)]
pub struct Tiles {
    bucket: Arc<dyn Bucket>,
}

impl Tiles {
    /// Objects of the ledger's bucket.
    pub fn new(bucket: Arc<dyn Bucket>) -> Self {
        Self { bucket }
    }

    /// The current bytes of a tile; `None` if there are none.
    ///
    /// # Errors
    /// The bucket's.
    pub async fn tile(&self, key: &str) -> Result<Option<Bytes>, StoreError> {
        let read = found(self.bucket.get(&format!("get {key}"), Get::current(key)).await)?;
        Ok(read.map(|object| object.bytes))
    }

    /// Puts a full tile, once: with If-None-Match, its checksum and its lock.
    ///
    /// # Errors
    /// The bucket's; `Conflict` is a race (HTTP 409).
    pub async fn put_full(&self, key: &str, bytes: &[u8], lock: &Lock) -> Result<Put, StoreError> {
        put_locked(&*self.bucket, key, bytes, &Hash::of_object(bytes), lock, BINARY).await
    }

    /// Puts a partial tile, unlocked and tagged as such. Its name fixes its bytes, so that putting it again is harmless.
    ///
    /// # Errors
    /// The bucket's.
    pub async fn put_partial(&self, key: &str, bytes: &[u8]) -> Result<(), StoreError> {
        let sha256 = Some(Hash::of_object(bytes));
        let put = bucket::Put::of(key, Bytes::copy_from_slice(bytes), BINARY);
        let put = bucket::Put { sha256, tag: Some(PARTIAL), ..put };
        self.bucket.put(&format!("put {key}"), put).await.map(drop)
    }

    /// Tags a partial tile that no checkpoint to come needs, so that the bucket's lifecycle takes it away.
    ///
    /// # Errors
    /// The bucket's.
    pub async fn retire_partial(&self, key: &str) -> Result<(), StoreError> {
        self.bucket.put_tag(&format!("retire {key}"), key, RETIRED).await
    }
}

const BINARY: &str = "application/octet-stream";
/// What the bucket's lifecycle knows partial tiles by; the template names the same values.
const PARTIAL: &str = "partial";
const RETIRED: &str = "retired";
