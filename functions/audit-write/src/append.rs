//! The append, one straight line. Each step names what a crash after it leaves behind and who repairs it.
//!
//! Invariant: a message is finished only when its chunk is committed, indexed and counted, or kept as poison. Nothing that
//! is remembered decides a write: after any error the next attempt begins with what the stores say.

use bytes::Bytes;
use futures_util::future::join_all;
use ledgerline_custody::publication::{EvidenceError, LogError, Memory, Publication};
use ledgerline_lake::keys::PlanOf;
use ledgerline_lake::plan::Pointer;
use ledgerline_lambda::disposition::Disposition;
use ledgerline_ledger::append::{AppendPlan, fit_segment, plan_append};
use ledgerline_ledger::chunk::{Chunk, ChunkId};
use ledgerline_ledger::head::Head;
use ledgerline_ledger::log::LogId;
use ledgerline_ledger::store::{Failure, StoreError};
use ledgerline_ledger::tree::Hash;
use ledgerline_store::delivery;
use ledgerline_store::segment::Put;

use crate::config::AppendConfig;
use crate::error::{AppendError, disposition};
use crate::poison;
use crate::stores::Stores;

/// A message of one log's group.
#[derive(Debug)]
pub(crate) struct Task {
    /// The message's place in the batch.
    pub(crate) place: usize,
    /// The message's id.
    pub(crate) message_id: String,
    /// The chunk that it names and its pointer, or why it has none.
    pub(crate) pointer: Result<(ChunkId, Pointer), &'static str>,
    /// Whether nothing is left to do for it.
    pub(crate) finished: bool,
}

impl Task {
    fn open_chunk(&self) -> Option<&(ChunkId, Pointer)> {
        self.pointer.as_ref().ok().filter(|_| !self.finished)
    }
}

/// Appends to logs.
#[derive(Debug)]
pub(crate) struct Appender<'a> {
    pub(crate) stores: &'a Stores,
    pub(crate) config: &'a AppendConfig,
    pub(crate) memory: &'a Memory,
}

impl Appender<'_> {
    /// Appends the chunks of all unfinished tasks, in their order, and finishes what an earlier run left open.
    pub(crate) async fn append(&self, log: &LogId, tasks: &mut [Task], now_ms: u64) -> Result<(), AppendError> {
        self.keep_messages_without_pointer(tasks).await?;
        let Stores { ledger, signer, .. } = self.stores;
        let settings = &self.config.publication;
        let publication = Publication { stores: ledger, signer: &**signer, settings, memory: self.memory };
        loop {
            // (1) The head, consistently; a process that meets the log for the first time compares it with its archive. A
            // segment that is committed but not indexed is finished first, by the same function as below, from its stored
            // bytes: a crash after (5) or (6) is repaired here.
            let head = publication.load_finished(log).await?;

            // A head that publication has lagged behind for so long has no room for another segment.
            if head.unpublished().len() >= MAX_UNPUBLISHED {
                publication.publish(log, &head, now_ms).await?;
                continue;
            }

            // (2) Chunks with a marker are committed; their messages are redeliveries.
            self.leave_out_committed(log, &head, tasks).await?;

            // (3) The chunks, read and checked; a segment's bytes, leaves, edge and root. Nothing is written yet.
            let chunks = self.read_chunks(log, tasks).await?;
            let Some(plan) = plan_append(log, &head, &chunks) else {
                // (8), (9) Tiles and checkpoint, some ten seconds' worth of segments at once. Put off and not tried again
                // here if a store does not answer: no chunk waits for it, and the log's next run, or sweep, repeats it.
                if publication.is_due(log, &head, now_ms) {
                    put_off_unless_final(log, publication.publish(log, &head, now_ms).await)?;
                }
                return Ok(());
            };

            // (4) The segment. A crash now leaves an orphan: locked, named by its bytes, in no head. It is benign, as its
            // chunks are committed by the redelivery, under the same name if nothing else was appended before.
            let version_id = self.put_segment(&plan, now_ms).await?;

            // (5) The commit: head and markers in one transaction. After it the entries are in the log for good. If its
            // outcome is unknown, the next attempt settles it by (1) and (2): there, or not there.
            let commit = plan.commit(version_id, now_ms / 1000 + self.config.marker_days * DAY_S);
            self.stores.ledger.heads.commit(&commit).await?;

            // (6), (7) Postings, counts, head: indexed. A crash before (7) leaves the segment in `unpublished` beyond
            // `indexed`, from where (1) repeats all three. The stored bytes are the plan's, and so is their summary.
            publication.finish(log, &commit.segment, &plan.summary).await?;
            for task in tasks.iter_mut() {
                task.finished |=
                    task.open_chunk().is_some_and(|(id, _)| plan.chunks.iter().any(|(done, _)| done == id));
            }
            tracing::info!(%log, first = plan.name.first, count = plan.name.count, "appended");
            self.memory.keep_leaves(&commit.segment, plan.leaves);
        }
    }

    async fn leave_out_committed(&self, log: &LogId, head: &Head, tasks: &mut [Task]) -> Result<(), AppendError> {
        let mut open: Vec<ChunkId> = tasks.iter().filter_map(|task| Some(task.open_chunk()?.0.clone())).collect();
        open.sort_unstable();
        open.dedup();
        if open.is_empty() {
            return Ok(());
        }
        let markers = self.stores.ledger.heads.markers(log, &open).await?;
        // Committed since the head was loaded, so perhaps not indexed: begin again, lest nobody finish it.
        if markers.iter().any(|marker| marker.first >= head.size()) {
            return Err(StoreError::Conflict(Failure::new(format!("head of {log} moved"))).into());
        }
        for task in tasks {
            task.finished |= task.open_chunk().is_some_and(|(id, _)| markers.iter().any(|marker| marker.chunk == *id));
        }
        Ok(())
    }

    /// As many chunks as fit one segment, from the front. A chunk that can never be read is kept as poison and finished;
    /// one that cannot be read now ends the row, so that those before it are committed and order holds.
    async fn read_chunks(&self, log: &LogId, tasks: &mut [Task]) -> Result<Vec<Chunk>, AppendError> {
        let reads = tasks.iter().map(|task| async {
            match task.open_chunk() {
                Some((_, pointer)) => Some(self.read_chunk(pointer).await),
                None => None,
            }
        });
        let reads = join_all(reads).await;
        let mut chunks: Vec<Chunk> = Vec::new();
        for (task, read) in tasks.iter_mut().zip(reads) {
            let (Some((id, pointer)), Some(read)) = (task.open_chunk(), read) else { continue };
            // The same pointer twice in a batch: the second is settled by the first one's marker.
            if chunks.iter().any(|chunk| chunk.id() == id) {
                continue;
            }
            let (reason, marked) = match read.map_err(AppendError::Chunk) {
                Ok(Read::Bytes(bytes)) => match check_chunk(id.clone(), log, pointer, bytes.into()) {
                    Ok(chunk) => {
                        chunks.push(chunk);
                        continue;
                    }
                    Err(reason) => (reason, Some(id)),
                },
                Ok(Read::Forged(reason)) => (reason, None),
                Err(error) => match (disposition(&error), &error) {
                    (Disposition::Poison, AppendError::Chunk(StoreError::NotFound(_))) => {
                        (poison::PLAN_MISSING, Some(id))
                    }
                    (Disposition::Poison, _) => (poison::CHUNK_OUT_OF_RANGE, Some(id)),
                    (Disposition::Retry | Disposition::Halt, _) if chunks.is_empty() => return Err(error),
                    (Disposition::Retry | Disposition::Halt, _) => break,
                },
            };
            match self.keep(&task.message_id, reason, Some(pointer), marked).await {
                Ok(()) => task.finished = true,
                Err(error) if chunks.is_empty() => return Err(error),
                Err(_) => break,
            }
        }
        chunks.truncate(fit_segment(chunks.iter().map(|chunk| chunk.text().len())));
        Ok(chunks)
    }

    /// The bytes that a pointer names. An act's pointer is first held against the act's plan: anyone who may write to the queue, as
    /// transform may, could else have an act committed again under another ordinal or in another log, or marked as poison.
    async fn read_chunk(&self, pointer: &Pointer) -> Result<Read, StoreError> {
        let plans = &self.stores.plans;
        if matches!(pointer.plan_of(), Ok(PlanOf::Acts)) {
            let kept = match delivery::find(plans, PlanOf::Acts, pointer.object).await {
                Ok(Some(kept)) => kept,
                Ok(None) => return Ok(Read::Forged(poison::PLAN_MISSING)),
                Err(StoreError::Corrupt(_)) => return Ok(Read::Forged(poison::POINTER_NOT_OF_ITS_PLAN)),
                Err(error) => return Err(error),
            };
            if !kept.header.pointers(kept.header_bytes).contains(pointer) {
                return Ok(Read::Forged(poison::POINTER_NOT_OF_ITS_PLAN));
            }
        }
        plans.read_chunk(pointer).await.map(Read::Bytes)
    }

    /// Puts the segment and returns its version. What lies there already must be the same bytes; its lock, which may be
    /// an orphan's of long ago, is made long enough.
    async fn put_segment(&self, plan: &AppendPlan, now_ms: u64) -> Result<String, AppendError> {
        let key = plan.name.key();
        let lock = self.config.publication.locks.lock(&plan.name.log, now_ms);
        let there = match self.stores.ledger.segments.put(&key, &plan.bytes, &plan.sha256, &lock).await? {
            Put::Written { version_id } => return Ok(version_id),
            Put::Exists => self.stores.ledger.segments.state(&key).await?,
        };
        let sha256 = match there.sha256 {
            Some(sha256) => sha256,
            None => Hash::of_object(&self.stores.ledger.segments.read(&key, &there.version_id).await?),
        };
        if sha256 != plan.sha256 || there.bytes != plan.bytes.len() as u64 {
            return Err(LogError::Evidence { key, error: EvidenceError::OtherBytes }.into());
        }
        if !there.lock.is_some_and(|held| held.covers(&lock)) {
            let at_least = there.lock.map_or(lock, |held| held.stronger(&lock));
            self.stores.ledger.segments.extend_lock(&key, &there.version_id, &at_least).await?;
        }
        Ok(there.version_id)
    }

    /// Keeps what is no pointer, or none of this group.
    pub(crate) async fn keep_messages_without_pointer(&self, tasks: &mut [Task]) -> Result<(), AppendError> {
        for task in tasks.iter_mut().filter(|task| !task.finished) {
            if let Err(reason) = &task.pointer {
                self.keep(&task.message_id, reason, None, None).await?;
                task.finished = true;
            }
        }
        Ok(())
    }

    async fn keep(
        &self,
        message_id: &str,
        reason: &str,
        pointer: Option<&Pointer>,
        marked: Option<&ChunkId>,
    ) -> Result<(), AppendError> {
        tracing::error!(message_id, reason, "kept as poison");
        self.stores.poison.keep(poison::FUNCTION, message_id, poison::note(message_id, reason, pointer)).await?;
        // A crash before this keeps it again. The row tells sweep not to send the pointer again, and operators what is in
        // flight for good. What an act's plan does not give is not marked: the chunk that it does give must still be sent.
        if let (Some(pointer), Some(chunk)) = (pointer, marked) {
            self.stores.ledger.rows.mark_poison(chunk, pointer.count.into()).await?;
        }
        Ok(())
    }
}

/// What a pointer led to.
enum Read {
    /// The bytes of its range.
    Bytes(Bytes),
    /// An act's pointer that no plan of an act gives, and why: what it names is not marked as poison.
    Forged(&'static str),
}

fn check_chunk(id: ChunkId, log: &LogId, pointer: &Pointer, bytes: Vec<u8>) -> Result<Chunk, &'static str> {
    if bytes.len() as u64 != pointer.length {
        return Err(poison::CHUNK_OUT_OF_RANGE);
    }
    Chunk::check(id, log, pointer.count as usize, bytes).map_err(|error| error.code())
}

/// What a store does not do now is done later. What contradicts itself stops the log.
fn put_off_unless_final<T>(log: &LogId, published: Result<T, LogError>) -> Result<(), AppendError> {
    match published {
        Ok(_) => Ok(()),
        Err(error) if error.is_transient() => {
            tracing::warn!(%log, %error, "publication is put off");
            Ok(())
        }
        Err(error) => Err(error.into()),
    }
}

/// Segments in a head. An entry of 98 chunks is some 98 × 49 + 300 bytes, 64 of them 330 KB, of an item's 400 KB.
const MAX_UNPUBLISHED: usize = 64;
const DAY_S: u64 = 24 * 60 * 60;
