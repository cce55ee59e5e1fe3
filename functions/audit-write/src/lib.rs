//! Appends planned chunks to the ledger: one segment, one transaction, then index, tiles and a signed checkpoint.
//!
//! Invariant: each chunk is committed exactly once, in its group's order, however often its pointer comes and wherever a
//! run stops. What stops one log stops no other.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent, SqsMessage};
use futures_util::FutureExt as _;
use futures_util::future::join_all;
use ledgerline_custody::publication::Memory;
use ledgerline_lake::plan::{PlanError, Pointer};
use ledgerline_lambda::clock::Clock;
use ledgerline_lambda::disposition::Disposition;
use ledgerline_lambda::sqs;
use ledgerline_ledger::log::LogId;

mod append;
mod config;
mod error;
mod poison;
mod stores;

use append::{Appender, Task};
pub use config::{AppendConfig, Config};
pub use error::{AppendError, disposition};
pub use stores::{Ports, Stores};

/// Handles one batch of pointers. Groups (logs) go side by side, each in its own order; the messages of one that cannot go
/// on come back, and the others do not notice.
pub async fn handle(
    stores: &Stores,
    config: &AppendConfig,
    memory: &Memory,
    clock: &impl Clock,
    deadline_ms: i64,
    event: SqsEvent,
) -> SqsBatchResponse {
    let messages = event.records;
    let mut groups = by_group(&messages);
    let appender = Appender { stores, config, memory };
    let runs = groups.iter_mut().map(|group| async {
        // A panic is this group's alone: what it had finished is finished, the rest comes back.
        let worked_off = AssertUnwindSafe(work_off(&appender, clock, deadline_ms, group)).catch_unwind();
        if worked_off.await.is_err() {
            tracing::error!(group = group.name, "a group made audit-write panic; its messages come back");
        }
    });
    join_all(runs).await;
    let mut done = vec![false; messages.len()];
    for task in groups.iter().flat_map(|group| &group.tasks) {
        done[task.place] = task.finished;
    }
    let answer = sqs::fifo_answer(&messages, &done);
    release(stores, &messages, &groups, &answer).await;
    answer
}

/// The messages of one log, in the order of delivery.
#[derive(Debug)]
struct Group {
    name: String,
    tasks: Vec<Task>,
    /// Whether trying again within seconds is no use: what is left comes back after the queue's visibility time-out, and
    /// in the end lies in the dead-letter queue.
    waits: bool,
}

/// Tries until the group is worked off, too little time is left, or its log is stopped.
async fn work_off(appender: &Appender<'_>, clock: &impl Clock, deadline_ms: i64, group: &mut Group) {
    let log = LogId::parse(&group.name).ok();
    for attempt in 0.. {
        let now_ms = clock.now_ms();
        if group.tasks.is_empty() || (attempt > 0 && now_ms + RESERVE_MS > deadline_ms) {
            return;
        }
        let outcome = match &log {
            Some(log) => appender.append(log, &mut group.tasks, u64::try_from(now_ms).unwrap_or_default()).await,
            None => appender.keep_messages_without_pointer(&mut group.tasks).await,
        };
        let Err(error) = outcome else { return };
        match disposition(&error) {
            Disposition::Retry => tracing::warn!(%error, attempt, "trying again"),
            Disposition::Poison | Disposition::Halt => {
                // The template's alarm looks for this word. All of the group's messages come back, the finished ones too:
                // a log that contradicts itself takes no new ones meanwhile.
                tracing::error!(log = group.name, %error, "halted");
                group.tasks.iter_mut().for_each(|task| task.finished = false);
                group.waits = true;
                return;
            }
        }
        tokio::time::sleep(jittered(attempt, deadline_ms, &group.name)).await;
    }
}

/// The batch's messages by group, in the order of delivery. A pointer that a newer writer sent is left to a newer reader,
/// with all that comes after it in its group: during a deployment there are both.
fn by_group(messages: &[SqsMessage]) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for (place, message) in messages.iter().enumerate() {
        let name = sqs::group(message);
        let at = groups.iter().position(|group| group.name == name).unwrap_or_else(|| {
            groups.push(Group { name: name.to_owned(), tasks: Vec::new(), waits: false });
            groups.len() - 1
        });
        let group = &mut groups[at];
        if group.waits {
            continue;
        }
        let pointer = match Pointer::parse(message.body.as_deref().unwrap_or_default()) {
            // The queue keeps order by group alone.
            Ok(pointer) if pointer.group() == name => {
                pointer.chunk_id().map(|id| (id, pointer)).map_err(|_| poison::NOT_A_POINTER)
            }
            Ok(_) => Err(poison::POINTER_OF_ANOTHER_GROUP),
            Err(PlanError::Version(version)) => {
                tracing::warn!(log = name, version, "a pointer of another version comes back");
                group.waits = true;
                continue;
            }
            Err(_) => Err(poison::NOT_A_POINTER),
        };
        let message_id = message.message_id.clone().unwrap_or_default();
        group.tasks.push(Task { place, message_id, pointer, finished: false });
    }
    groups
}

/// Makes what failed for the moment visible again within seconds. Should this fail, the queue's own time-out does it later.
async fn release(stores: &Stores, messages: &[SqsMessage], groups: &[Group], answer: &SqsBatchResponse) {
    let failed: Vec<&str> = answer.batch_item_failures.iter().map(|item| item.item_identifier.as_str()).collect();
    let comes_back_soon = |message: &&SqsMessage| {
        let waits = groups.iter().any(|group| group.waits && group.name == sqs::group(message));
        !waits && message.message_id.as_deref().is_some_and(|id| failed.contains(&id))
    };
    let handles: Vec<String> =
        messages.iter().filter(comes_back_soon).filter_map(|message| message.receipt_handle.clone()).collect();
    if handles.is_empty() {
        return;
    }
    tracing::warn!(messages = handles.len(), "returned to the queue");
    if let Err(error) = stores.queue.release(&handles, RETURN_AFTER_S).await {
        tracing::warn!(%error, "messages return only after their visibility time-out");
    }
}

/// A part of a wait that doubles from 100 ms to 6.4 s. Which part follows from the run's deadline, so that writers which
/// failed together do not meet again, and the same run can be had again.
fn jittered(attempt: u32, deadline_ms: i64, group: &str) -> Duration {
    let longest_ms = 100 << attempt.min(6);
    let mut hasher = DefaultHasher::new();
    (attempt, deadline_ms, group).hash(&mut hasher);
    Duration::from_millis(hasher.finish() % longest_ms + 1)
}

/// No attempt begins with less time than this: one takes some 0.5 s, and 10 s with the SDK's own retries.
const RESERVE_MS: i64 = 15_000;
/// Failed pointers come back after this long, not after the visibility time-out of six times the function's time-out.
const RETURN_AFTER_S: u32 = 5;
