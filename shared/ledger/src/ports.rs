//! What the ledger needs from storage, one capability per trait.
//!
//! A function that takes none of these traits cannot hold the permission behind it. Adapters report the closed
//! [`StoreError`]; what an error means for a message is the caller's decision.

use std::future::Future;

use crate::append::{Commit, Marker};
use crate::chunk::ChunkId;
use crate::head::{SegmentRef, StoredHead};
use crate::log::LogId;
use crate::posting::Posting;
use crate::store::StoreError;
use crate::tree::Hash;

/// Reads a log's head.
pub trait ReadHead {
    /// The head, read consistently; `None` if the log has none.
    fn head(&self, log: &LogId) -> impl Future<Output = Result<Option<StoredHead>, StoreError>> + Send;
}

/// Commits appends.
pub trait CommitAppend {
    /// The markers of those chunks that are committed, read consistently.
    fn markers(&self, log: &LogId, chunks: &[ChunkId]) -> impl Future<Output = Result<Vec<Marker>, StoreError>> + Send;
    /// One transaction. `Conflict`: the head has moved or a marker exists. `Unknown`: it may have happened.
    fn commit(&self, commit: &Commit) -> impl Future<Output = Result<(), StoreError>> + Send;
    /// Adds a committed chunk to its bronze object's counts, once. Repeating it changes nothing.
    fn count_committed(&self, chunk: &ChunkId, count: u64) -> impl Future<Output = Result<(), StoreError>> + Send;
    /// Moves `indexed` past the segment and takes it out of `unpublished`. `Conflict`: somebody did so before.
    fn mark_indexed(&self, log: &LogId, segment: &SegmentRef) -> impl Future<Output = Result<(), StoreError>> + Send;
}

/// How an object is locked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LockMode {
    /// A principal with a special permission can lift it: for trials.
    Governance,
    /// Nobody can lift it before its time.
    Compliance,
}

/// A lock: its mode and its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lock {
    /// The mode.
    pub mode: LockMode,
    /// Its end, in epoch seconds.
    pub retain_until_s: u64,
}

impl Lock {
    /// Whether this lock binds at least as strongly and as long as `other`.
    pub fn covers(&self, other: &Self) -> bool {
        self.mode >= other.mode && self.retain_until_s >= other.retain_until_s
    }

    /// The weakest lock that covers both.
    pub fn stronger(&self, other: &Self) -> Self {
        Self { mode: self.mode.max(other.mode), retain_until_s: self.retain_until_s.max(other.retain_until_s) }
    }
}

/// What came of putting a segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Put {
    /// It was written as this version.
    Written {
        /// The version id.
        version_id: String,
    },
    /// An object of that key exists (HTTP 412).
    Exists,
}

/// What the bucket says of an object's current version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectState {
    /// The version id.
    pub version_id: String,
    /// Its size.
    pub bytes: u64,
    /// Its SHA-256, if the store keeps it.
    pub sha256: Option<Hash>,
    /// Its lock, if it has one.
    pub lock: Option<Lock>,
}

/// Writes evidence into the locked bucket.
pub trait WriteSegment {
    /// Puts a segment, once: with If-None-Match, its checksum and its lock. `Conflict` is a race (HTTP 409): try again.
    fn put_segment(
        &self,
        key: &str,
        bytes: &[u8],
        sha256: &Hash,
        lock: &Lock,
    ) -> impl Future<Output = Result<Put, StoreError>> + Send;
    /// What lies under the key now.
    fn segment_state(&self, key: &str) -> impl Future<Output = Result<ObjectState, StoreError>> + Send;
    /// Makes a version's lock longer or stronger; it cannot make it weaker.
    fn extend_lock(
        &self,
        key: &str,
        version_id: &str,
        lock: &Lock,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;
}

/// Reads evidence, always by version.
pub trait ReadSegment {
    /// A whole segment.
    fn segment(&self, key: &str, version_id: &str) -> impl Future<Output = Result<Vec<u8>, StoreError>> + Send;
    /// One member's bytes.
    fn segment_range(
        &self,
        key: &str,
        version_id: &str,
        offset: u64,
        length: u64,
    ) -> impl Future<Output = Result<Vec<u8>, StoreError>> + Send;
}

/// Writes the index of entries.
pub trait WritePostings {
    /// Puts these rows; repeating it changes nothing.
    fn put_postings(&self, postings: &[Posting]) -> impl Future<Output = Result<(), StoreError>> + Send;
}

/// Gives messages back to their queue early.
pub trait ReleaseMessages {
    /// Makes these messages visible again after so many seconds.
    fn release(&self, receipt_handles: &[String], after_s: u32) -> impl Future<Output = Result<(), StoreError>> + Send;
}

/// Signs checkpoints with an Ed25519 key that never leaves its keeper.
pub trait Sign {
    /// The raw public key.
    fn public_key(&self) -> impl Future<Output = Result<[u8; 32], StoreError>> + Send;
    /// The Ed25519 signature (RFC 8032, no prehash) of these bytes.
    fn sign(&self, message: &[u8]) -> impl Future<Output = Result<[u8; 64], StoreError>> + Send;
}
