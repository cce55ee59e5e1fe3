//! What the ledger needs from storage, one capability per trait.
//!
//! A function that takes none of these traits cannot hold the permission behind it. Adapters report the closed
//! [`StoreError`]; what an error means for a message is the caller's decision.

use std::future::Future;

use crate::append::{Commit, Marker};
use crate::chunk::ChunkId;
use crate::head::{SegmentRef, SigningTurn, StoredHead};
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
}

/// Does what follows a commit: counts and the head's marks. Whoever appends needs it, and whoever finishes for others.
pub trait FinishSegments {
    /// Adds a committed chunk to its bronze object's counts, once. Repeating it changes nothing.
    fn count_committed(&self, chunk: &ChunkId, count: u64) -> impl Future<Output = Result<(), StoreError>> + Send;
    /// Moves `indexed` from the segment's first index past its end. `Conflict`: somebody did so before.
    fn mark_indexed(&self, log: &LogId, segment: &SegmentRef) -> impl Future<Output = Result<(), StoreError>> + Send;
    /// Takes these, the oldest unpublished segments, out of the head and moves `published` past them. `Conflict`:
    /// somebody did so before, or these are not the oldest.
    fn mark_published(&self, log: &LogId, oldest: &[SegmentRef])
    -> impl Future<Output = Result<(), StoreError>> + Send;
}

/// Says of chunks that they can never be read (ControlTable: UpdateItem on `OBJ#`).
pub trait MarkPoison {
    /// Notes in its object's row that a chunk of so many entries was kept as poison, unless it is committed. Repeating it
    /// changes nothing; [`FinishSegments::count_committed`] takes it back.
    fn mark_poison(&self, chunk: &ChunkId, count: u64) -> impl Future<Output = Result<(), StoreError>> + Send;
}

/// Takes turns in signing a log's checkpoints.
pub trait SigningTurns {
    /// Sets the time of the last attempt and the keys that may sign, from what the head had when it was loaded. `Conflict`:
    /// another writer has the turn, or the keys have changed.
    fn take_signing_turn(&self, log: &LogId, turn: &SigningTurn)
    -> impl Future<Output = Result<(), StoreError>> + Send;
    /// Says that the checkpoint of this size lies in the archive. `Conflict`: one of at least this size does already.
    fn mark_signed(&self, log: &LogId, size: u64) -> impl Future<Output = Result<(), StoreError>> + Send;
}

/// Says who may sign a log's checkpoints.
pub trait AllowKeys {
    /// Puts the keys `after` in the place of `before`, which is empty where the head has no list. `Conflict`: they are
    /// others by now.
    fn allow_signing_keys(
        &self,
        log: &LogId,
        before: &[String],
        after: &[String],
    ) -> impl Future<Output = Result<(), StoreError>> + Send;
}

/// Names the logs.
pub trait ListLogs {
    /// Every log that was ever appended to, by name.
    fn logs(&self) -> impl Future<Output = Result<Vec<LogId>, StoreError>> + Send;
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

/// What came of putting an object once.
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

/// Reads and writes hash tiles under a log's folder.
pub trait Tiles {
    /// The current bytes of a tile; `None` if there are none.
    fn tile(&self, key: &str) -> impl Future<Output = Result<Option<Vec<u8>>, StoreError>> + Send;
    /// Puts a full tile, once: with If-None-Match, its checksum and its lock. `Conflict` is a race (HTTP 409).
    fn put_full_tile(
        &self,
        key: &str,
        bytes: &[u8],
        lock: &Lock,
    ) -> impl Future<Output = Result<Put, StoreError>> + Send;
    /// Puts a partial tile, unlocked and tagged as such. Its name fixes its bytes, so that putting it again is harmless.
    fn put_partial_tile(&self, key: &str, bytes: &[u8]) -> impl Future<Output = Result<(), StoreError>> + Send;
    /// Tags a partial tile that no checkpoint to come needs, so that the bucket's lifecycle takes it away.
    fn retire_partial_tile(&self, key: &str) -> impl Future<Output = Result<(), StoreError>> + Send;
}

/// A checkpoint in a log's archive, one of its versions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArchivedCheckpoint {
    /// The size in its name.
    pub size: u64,
    /// Its object key.
    pub key: String,
    /// The version id.
    pub version_id: String,
}

/// Reads and writes a log's checkpoints: the archive, which is locked, and the live one.
pub trait Checkpoints {
    /// Up to `limit` versions of archived checkpoints whose size is at least `from`, smallest first. Those below a
    /// delete marker count, too: a marker hides, it does not undo.
    fn archived(
        &self,
        log: &LogId,
        from: u64,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<ArchivedCheckpoint>, StoreError>> + Send;
    /// The bytes of an archived one.
    fn checkpoint(&self, archived: &ArchivedCheckpoint) -> impl Future<Output = Result<Vec<u8>, StoreError>> + Send;
    /// Archives one, once: with If-None-Match, its checksum and its lock.
    fn put_archived(
        &self,
        log: &LogId,
        size: u64,
        note: &[u8],
        lock: &Lock,
    ) -> impl Future<Output = Result<Put, StoreError>> + Send;
    /// The live checkpoint and its entity tag, if there is one.
    fn live(&self, log: &LogId) -> impl Future<Output = Result<Option<(Vec<u8>, String)>, StoreError>> + Send;
    /// Replaces the live checkpoint that has this entity tag, or writes the first one. `Conflict`: it has changed.
    fn put_live(
        &self,
        log: &LogId,
        note: &[u8],
        replaces: Option<&str>,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;
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
