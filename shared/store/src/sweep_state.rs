//! Derived state in the staged bucket that a scheduled function carries from one run to the next.
//!
//! Invariant: it is worth nothing as evidence and can be lost at any time. Of two runs at once one writes, the other
//! learns that it lost and leaves its result.

use std::sync::Arc;

use bytes::Bytes;
use ledgerline_ledger::store::StoreError;

use crate::bucket::{self, Bucket, Get, PutOutcome, found, refused};

/// State as it was loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loaded {
    /// The bytes.
    pub bytes: Bytes,
    /// What a writer must name to replace exactly these.
    pub tag: String,
}

/// States by their keys below [`FOLDER`].
#[derive(Clone, Debug)]
pub struct SweepStates {
    bucket: Arc<dyn Bucket>,
}

impl SweepStates {
    /// Objects of the staged bucket.
    pub fn new(bucket: Arc<dyn Bucket>) -> Self {
        Self { bucket }
    }

    /// The state; `None` before the first, or once it was lost.
    ///
    /// # Errors
    /// The bucket's.
    pub async fn load(&self, key: &str) -> Result<Option<Loaded>, StoreError> {
        let read = found(self.bucket.get(&format!("load {key}"), Get::current(key)).await)?;
        Ok(read.map(|object| Loaded { bytes: object.bytes, tag: object.tag }))
    }

    /// Replaces the state that has this tag (If-Match); with none, writes the first (If-None-Match).
    ///
    /// # Errors
    /// The bucket's; `Conflict`: another run wrote in between.
    pub async fn store(&self, key: &str, bytes: Vec<u8>, tag: Option<&str>) -> Result<(), StoreError> {
        let what = format!("store {key}");
        let put = bucket::Put::of(key, bytes, BINARY).in_place_of(tag);
        // A state that was loaded and is gone is as good as replaced by another.
        match found(self.bucket.put(&what, put).await)? {
            Some(PutOutcome::Written { .. }) => Ok(()),
            Some(PutOutcome::Refused { .. }) | None => Err(refused(&what)),
        }
    }
}

/// Where they lie.
pub const FOLDER: &str = "sweep/";
const BINARY: &str = "application/octet-stream";
