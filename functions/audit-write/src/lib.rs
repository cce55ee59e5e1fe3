//! Appends planned chunks to the ledger: one segment, one transaction, then the index.
//!
//! Invariant: each chunk is committed exactly once, in its group's order, however often its pointer comes and wherever a
//! run stops. Tiles, checkpoints and signatures are not here yet.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent, SqsMessage};
use futures_util::FutureExt as _;
use futures_util::future::join_all;
use ledgerline_lake::plan::Pointer;
use ledgerline_lake::ports::{KeepPoison, ReadChunk};
use ledgerline_lambda::clock::Clock;
use ledgerline_lambda::disposition::Disposition;
use ledgerline_lambda::sqs;
use ledgerline_ledger::log::LogId;
use ledgerline_ledger::ports::{CommitAppend, ReadHead, ReadSegment, ReleaseMessages, WritePostings, WriteSegment};

mod append;
mod config;
mod error;
mod poison;

use append::Task;
pub use config::{AppendConfig, Config};
pub use error::{AppendError, EvidenceError, disposition};

/// What the function may do, capability by capability; its role in the template reads alike.
#[derive(Debug, Clone)]
pub struct Ports<C, L, I, R, K, Q> {
    /// Heads, markers and counts.
    pub control: C,
    /// Segments.
    pub ledger: L,
    /// Postings.
    pub index: I,
    /// Chunks of plans.
    pub plans: R,
    /// Messages that no retry can help.
    pub poison: K,
    /// The queue that failed messages return to.
    pub queue: Q,
}

/// Handles one batch of pointers. Groups (logs) go side by side, each in its own order.
///
/// # Errors
/// What only an operator can mend; the other groups have been worked off by then.
pub async fn handle<C, L, I, R, K, Q>(
    ports: &Ports<C, L, I, R, K, Q>,
    config: &AppendConfig,
    clock: &impl Clock,
    deadline_ms: i64,
    event: SqsEvent,
) -> Result<SqsBatchResponse, AppendError>
where
    C: ReadHead + CommitAppend,
    L: ReadSegment + WriteSegment,
    I: WritePostings,
    R: ReadChunk,
    K: KeepPoison,
    Q: ReleaseMessages,
{
    let messages = event.records;
    let mut groups = by_group(&messages);
    let runs = groups.iter_mut().map(|(group, tasks)| async move {
        let log = LogId::parse(group);
        // A panic is this group's alone: what it had finished is finished, the rest comes back.
        let worked_off = AssertUnwindSafe(work_off(ports, config, clock, deadline_ms, log.ok(), tasks)).catch_unwind();
        worked_off.await.unwrap_or_else(|_| {
            tracing::error!(group, "a group made audit-write panic; its messages come back");
            Ok(())
        })
    });
    let halted = join_all(runs).await.into_iter().find_map(Result::err);
    if let Some(error) = halted {
        tracing::error!(%error, "halted");
        return Err(error);
    }
    let mut done = vec![false; messages.len()];
    for task in groups.iter().flat_map(|(_, tasks)| tasks) {
        done[task.place] = task.finished;
    }
    let answer = sqs::fifo_answer(&messages, &done);
    release(ports, &messages, &answer).await;
    Ok(answer)
}

/// Tries until the group is worked off or too little time is left.
async fn work_off<C, L, I, R, K, Q>(
    ports: &Ports<C, L, I, R, K, Q>,
    config: &AppendConfig,
    clock: &impl Clock,
    deadline_ms: i64,
    log: Option<LogId>,
    tasks: &mut [Task],
) -> Result<(), AppendError>
where
    C: ReadHead + CommitAppend,
    L: ReadSegment + WriteSegment,
    I: WritePostings,
    R: ReadChunk,
    K: KeepPoison,
{
    for attempt in 0.. {
        let now_ms = clock.now_ms();
        if attempt > 0 && now_ms + RESERVE_MS > deadline_ms {
            break;
        }
        let outcome = match &log {
            Some(log) => ports.append(config, log, tasks, now_ms).await,
            None => ports.keep_messages_without_pointer(tasks).await,
        };
        let Err(error) = outcome else { break };
        match disposition(&error) {
            Disposition::Retry => tracing::warn!(%error, attempt, "trying again"),
            Disposition::Poison | Disposition::Halt => return Err(error),
        }
        tokio::time::sleep(jittered(attempt)).await;
    }
    Ok(())
}

/// The batch's messages by group, in the order of delivery.
fn by_group(messages: &[SqsMessage]) -> Vec<(String, Vec<Task>)> {
    let mut groups: Vec<(String, Vec<Task>)> = Vec::new();
    for (place, message) in messages.iter().enumerate() {
        let group = sqs::group(message);
        let task = Task {
            place,
            message_id: message.message_id.clone().unwrap_or_default(),
            pointer: read_pointer(group, message.body.as_deref().unwrap_or_default()),
            finished: false,
        };
        match groups.iter_mut().find(|(known, _)| known == group) {
            Some((_, tasks)) => tasks.push(task),
            None => groups.push((group.to_owned(), vec![task])),
        }
    }
    groups
}

fn read_pointer(group: &str, body: &str) -> Result<Pointer, &'static str> {
    let pointer = Pointer::parse(body).map_err(|_| poison::NOT_A_POINTER)?;
    // The queue keeps order by group alone.
    if pointer.group() == group { Ok(pointer) } else { Err(poison::POINTER_OF_ANOTHER_GROUP) }
}

/// Makes what failed visible again within seconds. Should this fail, the queue's own time-out does it later.
async fn release<C, L, I, R, K, Q: ReleaseMessages>(
    ports: &Ports<C, L, I, R, K, Q>,
    messages: &[SqsMessage],
    answer: &SqsBatchResponse,
) {
    let failed: Vec<&str> = answer.batch_item_failures.iter().map(|item| item.item_identifier.as_str()).collect();
    let is_failed = |message: &&SqsMessage| message.message_id.as_deref().is_some_and(|id| failed.contains(&id));
    let handles: Vec<String> =
        messages.iter().filter(is_failed).filter_map(|message| message.receipt_handle.clone()).collect();
    if handles.is_empty() {
        return;
    }
    tracing::warn!(messages = handles.len(), "returned to the queue");
    if let Err(error) = ports.queue.release(&handles, RETURN_AFTER_S).await {
        tracing::warn!(%error, "messages return only after their visibility time-out");
    }
}

/// A random part of a wait that doubles from 100 ms to 6.4 s, so that writers which failed together do not meet again.
fn jittered(attempt: u32) -> Duration {
    let longest_ms = 100 << attempt.min(6);
    let random = getrandom::u64().unwrap_or(longest_ms);
    Duration::from_millis(random % longest_ms + 1)
}

/// No attempt begins with less time than this: one takes some 0.5 s, and 10 s with the SDK's own retries.
const RESERVE_MS: i64 = 15_000;
/// Failed pointers come back after this long, not after the visibility time-out of six times the function's time-out.
const RETURN_AFTER_S: u32 = 5;
