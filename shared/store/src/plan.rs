//! Plans in the staged bucket: what a bronze object turned into, or what the ledger did itself, written once.
//!
//! Invariant: a plan is never overwritten; every put of one names If-None-Match.

use std::sync::Arc;

use bytes::Bytes;
use ledgerline_lake::keys::PlanOf;
use ledgerline_lake::plan::Pointer;
use ledgerline_lake::{ObjectId, keys};
use ledgerline_ledger::store::StoreError;

use crate::bucket::{self, Bucket, Get, PutOutcome, found, put_if_free};

/// What a conditional put found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Put {
    /// Nothing was there; it is now.
    Created,
    /// Something was there and was left alone.
    Exists,
}

/// All plans.
#[derive(Clone, Debug)]
pub struct Plans {
    bucket: Arc<dyn Bucket>,
}

impl Plans {
    /// Objects of the staged bucket.
    pub fn new(bucket: Arc<dyn Bucket>) -> Self {
        Self { bucket }
    }

    /// Puts the plan if its key is free (If-None-Match: *). Both outcomes are a success: there is a plan.
    ///
    /// # Errors
    /// The bucket's.
    pub async fn put_if_absent(&self, of: PlanOf, object: ObjectId, plan: Bytes) -> Result<Put, StoreError> {
        let key = keys::staged(of, object);
        let what = format!("put plan {key}");
        Ok(match put_if_free(&*self.bucket, &what, bucket::Put::of(key, plan, GZIP)).await? {
            PutOutcome::Written { .. } => Put::Created,
            PutOutcome::Refused { .. } => Put::Exists,
        })
    }

    /// At most the first `limit` bytes of the object's plan, and at least one; `None` if there is no plan.
    ///
    /// # Errors
    /// The bucket's.
    pub async fn get_head(&self, of: PlanOf, object: ObjectId, limit: usize) -> Result<Option<Bytes>, StoreError> {
        let key = keys::staged(of, object);
        let what = format!("read the head of plan {key}");
        let read = self.bucket.get(&what, Get::current(key).range(0, limit.max(1) as u64)).await;
        Ok(found(read)?.map(|object| object.bytes))
    }

    /// The bytes of the pointer's range.
    ///
    /// # Errors
    /// The bucket's; `NotFound` if the plan is gone, `Corrupt` if it ends before the chunk begins.
    pub async fn read_chunk(&self, pointer: &Pointer) -> Result<Bytes, StoreError> {
        let what = format!("read chunk {} of {}", pointer.ordinal, pointer.plan);
        let get = Get::current(&pointer.plan).range(pointer.offset, pointer.length);
        Ok(self.bucket.get(&what, get).await?.bytes)
    }
}

const GZIP: &str = "application/gzip";
