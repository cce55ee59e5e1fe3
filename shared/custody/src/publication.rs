//! What follows a commit, in one order: postings, counts, head: indexed; tiles, head: published; checkpoint, head: signed.
//! audit-write does it for what it appends and for what a crash left open, sweep for logs to which nobody appends.
//!
//! Invariant: every step may be repeated by anybody at any time, also by two at once. Nothing is signed whose root does
//! not follow from the tiles, and no checkpoint of a log becomes smaller. What a process remembers ([`Memory`]) only saves
//! reads: it is never the reason for a write.

use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use ledgerline_ledger::head::{Head, SegmentRef};
use ledgerline_ledger::log::LogId;
use ledgerline_ledger::retention::LockPolicy;
use ledgerline_ledger::segment::Segment;
use ledgerline_ledger::store::StoreError;
use ledgerline_ledger::summary::Summary;
use ledgerline_store::ledger::LedgerStores;
use ledgerline_store::signer::Sign;

mod archive;
mod error;
mod memory;
mod tiles;

pub use error::{ArchiveError, EvidenceError, LogError, SigningError};
pub use memory::Memory;

/// How a deployment publishes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The deployment's id: a log's origin is `<deployment id>/<log>`.
    pub deployment: String,
    /// How evidence is locked.
    pub locks: LockPolicy,
}

impl Settings {
    /// The log's origin, which its checkpoints name.
    pub fn origin(&self, log: &LogId) -> String {
        format!("{}/{log}", self.deployment)
    }
}

/// The work after the commit.
#[derive(Debug)]
pub struct Publication<'a> {
    /// The stores.
    pub stores: &'a LedgerStores,
    /// The key that signs checkpoints.
    pub signer: &'a dyn Sign,
    /// How to publish.
    pub settings: &'a Settings,
    /// What this process has seen.
    pub memory: &'a Memory,
}

/// What came of publishing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Published {
    /// Whether tiles were written and the head says so.
    pub tiles: bool,
    /// What came of the checkpoint.
    pub checkpoint: Checkpointed,
}

/// What came of a checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Checkpointed {
    /// The tree has not grown since the last one, or that is less than ten seconds ago.
    NotDue,
    /// Another writer has the turn, or has signed a larger tree.
    ByAnother,
    /// It was signed, archived and made the live one.
    Signed,
    /// The key did not sign, or may not. It is logged, tried again in ten seconds, and stops nothing.
    Failed,
}

impl Publication<'_> {
    /// (1) The head, consistently. Before a process trusts a log for the first time, it must not be behind its archive.
    pub async fn load_head(&self, log: &LogId) -> Result<Head, LogError> {
        let head = self.read_head(log).await?;
        if self.memory.is_new(log) {
            self.look_into_archive(log, &head).await?;
            self.memory.note(log);
        }
        Ok(head)
    }

    /// Whether there is anything to publish at this time.
    pub fn is_due(&self, log: &LogId, head: &Head, now_ms: u64) -> bool {
        let has_unpublished = !head.unpublished().is_empty();
        (has_unpublished && head.unpublished().len() >= SEGMENTS_AT_ONCE)
            || ((has_unpublished || head.signed() < head.size()) && self.may_sign(log, head, now_ms))
    }

    /// A clock that went back must not keep a log from being signed: what counts is the distance. A process whose key was
    /// refused takes no turn from others, and keeps the same distance from its own attempts.
    fn may_sign(&self, log: &LogId, head: &Head, now_ms: u64) -> bool {
        let refused = self.memory.refused_at(log);
        [Some(head.signed_at_ms()), refused].into_iter().flatten().all(|at| at.abs_diff(now_ms) >= SIGN_EVERY_MS)
    }

    async fn read_head(&self, log: &LogId) -> Result<Head, LogError> {
        match self.stores.heads.head(log).await? {
            None => Ok(Head::empty()),
            Some(stored) => stored.verify(log).map_err(|error| LogError::Head { log: log.clone(), error }),
        }
    }

    /// The head, once all that it names as committed is indexed: what a crash after the commit left open is done here, from
    /// the stored bytes, by the same function as after every commit.
    pub async fn load_finished(&self, log: &LogId) -> Result<Head, LogError> {
        let head = self.load_head(log).await?;
        for segment in head.unindexed() {
            let bytes = self.stores.segments.read(&segment.key, &segment.version_id).await?;
            let evidence = |error: EvidenceError| LogError::Evidence { key: segment.key.clone(), error };
            let stored = Segment::read(&segment.key, &bytes).map_err(|error| evidence(error.into()))?;
            let summary = Summary::of(&stored).map_err(|error| evidence(error.into()))?;
            self.finish(log, segment, &summary).await?;
        }
        Ok(head)
    }

    /// Postings, counts and head of a committed segment, from the summary of its bytes: who has just put them has it at
    /// hand. Every step may be repeated; the order matters: the head says "indexed" last, since what it does not call so is
    /// what a repair begins with.
    pub async fn finish(&self, log: &LogId, committed: &SegmentRef, summary: &Summary) -> Result<(), LogError> {
        // (6) Rows that depend on the segment's bytes alone, in whatever order.
        let postings = summary.postings(&committed.version_id);
        let LedgerStores { postings: index, rows, .. } = self.stores;
        let puts: Vec<_> = postings.chunks(POSTINGS_AT_ONCE).map(|some| index.put(some)).collect();
        stream::iter(puts).buffer_unordered(PARALLEL).try_collect::<()>().await?;
        // Counts: each chunk is added to its object's row once; the ordinals in the row see to that.
        let counts: Vec<_> =
            committed.chunks.iter().map(|(chunk, count)| rows.count_committed(chunk, *count)).collect();
        stream::iter(counts).buffer_unordered(PARALLEL).try_collect::<()>().await?;
        // (7) A conflict means that another writer has finished this very segment.
        unless_conflict(self.stores.heads.mark_indexed(log, committed).await)
    }

    /// Whatever is left to do for a log: what a function does that appends nothing itself.
    pub async fn catch_up(&self, log: &LogId, now_ms: u64) -> Result<Option<Published>, LogError> {
        let head = self.load_finished(log).await?;
        if !self.is_due(log, &head, now_ms) {
            return Ok(None);
        }
        self.publish(log, &head, now_ms).await.map(Some)
    }

    /// (8), (9) Tiles up to the head's size, then, at most every ten seconds, a signed checkpoint of it.
    ///
    /// `head` is as [`Publication::load_finished`] gave it: all that it names is indexed. If it is out of date, a condition
    /// fails, and another writer has done this or will.
    pub async fn publish(&self, log: &LogId, head: &Head, now_ms: u64) -> Result<Published, LogError> {
        let mut tiles = false;
        if !head.unpublished().is_empty() {
            // (8a) A crash between two tiles leaves some of them: their names fix their bytes, and they are put again.
            let retired = self.put_tiles(log, head, now_ms).await?;
            // A crash before this mark repeats the tiles; the same writer or another one finds them there.
            match self.stores.heads.mark_published(log, head.unpublished()).await {
                Ok(()) => tiles = true,
                Err(StoreError::Conflict(_)) => return Ok(Published { tiles, checkpoint: Checkpointed::ByAnother }),
                Err(error) => return Err(error.into()),
            }
            self.memory.drop_leaves(head.unpublished());
            // What a crash or an error leaves unretired stays for good: some kilobytes, and harmless.
            for key in retired {
                if let Err(error) = self.stores.tiles.retire_partial(&key).await {
                    tracing::warn!(key, %error, "a former partial tile stays");
                }
            }
        }
        let due = head.signed() < head.size() && self.may_sign(log, head, now_ms);
        let checkpoint = if due { self.checkpoint(log, head, now_ms).await? } else { Checkpointed::NotDue };
        Ok(Published { tiles, checkpoint })
    }
}

/// A condition that did not hold because another writer has done the same.
fn unless_conflict(done: Result<(), StoreError>) -> Result<(), LogError> {
    match done {
        Ok(()) | Err(StoreError::Conflict(_)) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Calls under way at once, where their order says nothing: chunks of a batch, their rows, the tiles that follow.
const PARALLEL: usize = 8;
/// DynamoDB's largest batch of writes: fewer rows in a call would be more calls.
const POSTINGS_AT_ONCE: usize = 25;
/// A checkpoint covers what was appended since; one in ten seconds is 8,640 a day and log, some $0.13 of KMS and $0.09 of
/// puts.
const SIGN_EVERY_MS: u64 = 10_000;
/// Segments that are published at once between two checkpoints: each is one more entry of the head's row, which every
/// commit writes whole.
const SEGMENTS_AT_ONCE: usize = 8;
