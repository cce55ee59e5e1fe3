//! What transform, audit-write and redrive ask of the object stores, queues and the stream: one narrow trait per capability, so
//! that a function which cannot name a port cannot hold its permission.
//!
//! Invariant: a port either did what it says or returns a [`StoreError`] that says what is known about the outcome;
//! nothing is retried here. Keys are those of [`crate::keys`].

use std::future::Future;

use bytes::Bytes;
use ledgerline_ledger::store::StoreError;

use crate::ids::ObjectId;
use crate::plan::{PlanError, Pointer};

/// Streams a bronze object (BronzeBucket: GetObject on `bronze/`).
pub trait ReadBronze {
    /// The object's bytes in the order of the object.
    type Body: ReadBody;

    /// Opens the object at the key. `NotFound` if it is gone.
    fn open(&self, key: &str) -> impl Future<Output = Result<Self::Body, StoreError>> + Send;
}

/// An object's bytes, piece by piece, so that no object need fit into memory.
pub trait ReadBody: Send {
    /// The next piece, never empty; `None` after the last. A connection that breaks is `Unknown`.
    fn next(&mut self) -> impl Future<Output = Result<Option<Bytes>, StoreError>> + Send;
}

/// Writes silver files (LakeBucket: PutObject, GetObject on `silver/`).
pub trait WriteSilver {
    /// Puts the file; the same rows at the same key may be put again. Other rows replace what is there only once
    /// whoever wrote that can no longer plan by it; before, this is a `Conflict`, and trying again later helps.
    fn put(&self, key: &str, parquet: Bytes) -> impl Future<Output = Result<(), StoreError>> + Send;
}

/// What a conditional put found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Put {
    /// Nothing was there; it is now.
    Created,
    /// Something was there and was left alone.
    Exists,
}

/// Writes plans once and finds them again (StagedBucket: PutObject, GetObject on `staged/`).
pub trait PlanStore {
    /// Puts the plan if its key is free (If-None-Match: *). Both outcomes are a success: there is a plan.
    fn put_if_absent(&self, object: ObjectId, plan: Bytes) -> impl Future<Output = Result<Put, StoreError>> + Send;

    /// At most the first `limit` bytes of the object's plan; `None` if there is no plan.
    fn get_head(
        &self,
        object: ObjectId,
        limit: usize,
    ) -> impl Future<Output = Result<Option<Bytes>, StoreError>> + Send;
}

/// Sends pointers to the FIFO queue (LedgerQueue: SendMessage).
pub trait SendPointers {
    /// Sends all of them in batches; group and deduplication id are the pointer's. An error means that some may not
    /// have been sent: sending all again is harmless.
    fn send(&self, pointers: &[Pointer]) -> impl Future<Output = Result<(), StoreError>> + Send;
}

/// Keeps the lines of a bronze object that are no events (BronzeBucket: PutObject on `quarantine/transform/`).
pub trait Quarantine {
    /// Puts the gzipped lines under the object's own key; the same lines may be put again.
    fn put(&self, object: ObjectId, lines_gz: Bytes) -> impl Future<Output = Result<(), StoreError>> + Send;
}

/// Reads one chunk of a plan (StagedBucket: GetObject on `staged/`).
pub trait ReadChunk {
    /// The bytes of the pointer's range. `NotFound` if the plan is gone.
    fn read_chunk(&self, pointer: &Pointer) -> impl Future<Output = Result<Bytes, StoreError>> + Send;
}

/// Keeps a message that no retry can help, before it is acknowledged (StagedBucket: PutObject on `poison/`).
pub trait KeepPoison {
    /// Puts the document at `poison/<function>/<id>.json`; the same message may be put again.
    fn keep(&self, function: &str, id: &str, document: Bytes) -> impl Future<Output = Result<(), StoreError>> + Send;
}

/// Reads what Firehose could not transform or deliver (BronzeBucket: GetObject on `errors/`). The bucket is the one that
/// the notification names.
pub trait ReadErrors {
    /// The object's bytes in their order.
    type Body: ReadBody;

    /// Opens the object's newest version. `NotFound` if it is gone.
    fn open(&self, bucket: &str, key: &str) -> impl Future<Output = Result<Opened<Self::Body>, StoreError>> + Send;
}

/// An object that was opened.
#[derive(Debug)]
pub struct Opened<Body> {
    /// Its bytes.
    pub body: Body,
    /// Which version they are of; none where the bucket keeps no versions.
    pub version_id: Option<String>,
}

/// Deletes an error object whose records are all back in the stream or in quarantine (BronzeBucket: DeleteObject and
/// DeleteObjectVersion on `errors/`).
pub trait DeleteErrors {
    /// Deletes the version for good. One that is gone already is no error.
    fn delete(
        &self,
        bucket: &str,
        key: &str,
        version_id: Option<&str>,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;
}

/// Keeps what cannot go back into the stream (BronzeBucket: PutObject on `quarantine/redrive/`).
pub trait KeepUnreadable {
    /// Puts the lines; the same lines may be put again.
    fn keep(&self, bucket: &str, key: &str, lines: Bytes) -> impl Future<Output = Result<(), StoreError>> + Send;
}

/// Puts records back into the stream (DeliveryStream: PutRecordBatch).
pub trait PutRecords {
    /// Puts a batch within Firehose's limits: `Ok` only when the stream took every record. An error means that some may
    /// not have been taken: putting all of them again is harmless.
    fn put(&self, records: Vec<Bytes>) -> impl Future<Output = Result<(), StoreError>> + Send;
}

impl From<PlanError> for StoreError {
    /// A plan or chunk that is not one was changed or cut after it was written.
    fn from(error: PlanError) -> Self {
        let what = error.to_string();
        Self::Corrupt(ledgerline_ledger::store::Failure::caused_by(what, error))
    }
}
