//! Carries erasures out: the steps of a request that was approved, in slices; the lines that transform found to be covered; the records
//! that a hold kept until it was lifted.
//!
//! Invariant: an erasure only goes forward. Every step may be repeated, and done by two at once; a message says no more than "look at
//! this": what is destroyed follows from what is stored, and from nothing that a message says. Nothing that is held is destroyed.
//!
//! [`steps`] has the steps in their order, each with what a crash in it leaves; [`request`] has a slice of one. Left out: deciding about
//! requests (the function `requests`), waking those that wait (sweep).

mod acts;
mod breaker;
mod certify;
mod config;
mod draft;
mod hint;
mod keys;
mod list;
mod message;
mod object;
mod people;
mod record;
mod released;
mod request;
mod rules;
mod steps;
mod stores;

use std::panic::AssertUnwindSafe;

use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent, SqsMessage};
use bytes::Bytes;
use futures_util::FutureExt as _;
use futures_util::lock::{Mutex, MutexGuard};
use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use ledgerline_lambda::clock::Clock;
use ledgerline_lambda::sqs::standard_answer;
use ledgerline_ledger::store::StoreError;
use serde_json::json;

pub use config::{Config, Kept, Settings};
pub use list::{List, ListObject, ListRecord};
pub use stores::{Ports, Stores};

use message::{Work, work_of};

/// A slice ends this long before the invocation does: what is under way then has time to end, and the position to be saved.
const RESERVE_MS: i64 = 60_000;
/// A lease lives this much longer than the invocation that has it: clocks differ, and a call may be under way.
const LEASE_MS: i64 = 30_000;
/// Calls under way at once for one request: with those of two requests at once far below what throttles a table.
const CALLS_AT_ONCE: usize = 8;
/// Objects that are rewritten at once: four of 8 MiB, read and written, are 64 MiB; a larger one is alone, and three may wait for it.
const OBJECTS_AT_ONCE: usize = 4;
const LARGE_BYTES: usize = 8 * 1024 * 1024;
/// The function's name in poison keys.
const FUNCTION: &str = "rtbf";

/// Fills a buffer with random bytes.
pub type Random<'a> = &'a (dyn Fn(&mut [u8]) + Send + Sync);

/// Objects that are large are rewritten one after the other.
#[derive(Default)]
pub(crate) struct LargeObjects(Mutex<()>);

impl LargeObjects {
    /// Waits for the others if an object of so many bytes is large.
    pub(crate) async fn turn(&self, bytes: usize) -> Option<MutexGuard<'_, ()>> {
        if bytes > LARGE_BYTES { Some(self.0.lock().await) } else { None }
    }
}

/// Does these, so many at once, and gives what came of them in their order. They are made before the first is begun: a closure that
/// makes them on the way is not one that a step's future may hold.
pub(crate) async fn at_once<T, F>(many: usize, futures: Vec<F>) -> Result<Vec<T>, StoreError>
where
    F: Future<Output = Result<T, StoreError>>,
{
    stream::iter(futures).buffered(many).try_collect().await
}

/// What one message is worked on with.
#[derive(Clone, Copy)]
pub(crate) struct Call<'a> {
    pub(crate) stores: &'a Stores,
    pub(crate) settings: &'a Settings,
    pub(crate) clock: &'a dyn Clock,
    /// When the invocation ends, epoch milliseconds.
    pub(crate) deadline_ms: i64,
    /// How often the message came, this time included.
    pub(crate) receives: u32,
}

impl Call<'_> {
    pub(crate) fn now_ms(&self) -> i64 {
        self.clock.now_ms()
    }

    /// When nothing new is begun any more, epoch milliseconds.
    pub(crate) fn until_ms(&self) -> i64 {
        self.deadline_ms - RESERVE_MS
    }

    pub(crate) fn is_over(&self) -> bool {
        self.now_ms() >= self.until_ms()
    }
}

/// What becomes of a message that was worked on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// Nothing is left of it to do.
    Done,
    /// It comes back: something that it needs is not there yet.
    ComesBack,
}

/// Handles one batch of messages: those that are not finished with come back.
pub async fn handle(
    stores: &Stores,
    settings: &Settings,
    clock: &impl Clock,
    deadline_ms: i64,
    event: SqsEvent,
) -> SqsBatchResponse {
    let mut failed = Vec::new();
    for message in &event.records {
        let call = Call { stores, settings, clock, deadline_ms, receives: receives(message) };
        let done = !call.is_over() && {
            // A panic is this message's alone.
            let handled = AssertUnwindSafe(message_done(&call, message)).catch_unwind().await;
            handled.unwrap_or_else(|_| {
                tracing::error!(message_id = message.message_id, "a message made rtbf panic; it comes back");
                false
            })
        };
        if !done {
            failed.push(message);
        }
    }
    standard_answer(failed)
}

/// Whether a message is finished with.
async fn message_done(call: &Call<'_>, message: &SqsMessage) -> bool {
    let message_id = message.message_id.as_deref().unwrap_or("no-id");
    let body = message.body.as_deref().unwrap_or_default();
    let work = match work_of(body, &call.settings.bronze_bucket) {
        Ok(work) => work,
        Err(reason) => return kept(call.stores, message_id, reason).await,
    };
    let (kind, outcome) = match &work {
        Work::Erase { request } => ("erase", request::erase(call, request).await),
        Work::Suppressed { key, object } => ("suppressed", hint::suppressed(call, key, *object).await),
        Work::Released { record } => ("released", released::released(call, record).await),
        Work::Pool { day } => ("pool", acts::record_pool(call, day).await),
    };
    match outcome {
        Ok(Ended::Done) => true,
        Ok(Ended::ComesBack) => {
            tracing::info!(message_id, kind, "comes back");
            false
        }
        Err(error) => {
            tracing::error!(message_id, kind, reason = error.kind(), error = %error, cause = chain(&error), "not erased");
            false
        }
    }
}

/// Keeps what no retry helps; whether that was done.
async fn kept(stores: &Stores, message_id: &str, reason: &'static str) -> bool {
    // Never what it was: a message that nobody of ours sent may say anything.
    let note = json!({ "v": 1, "function": FUNCTION, "reason": reason });
    match stores.poison.keep(FUNCTION, message_id, Bytes::from(note.to_string())).await {
        Ok(()) => {
            // The template's alarm looks for these words.
            tracing::error!(message_id, reason, "kept as poison");
            true
        }
        Err(error) => {
            tracing::error!(message_id, error = %error, "poison could not be kept; the message comes back");
            false
        }
    }
}

fn receives(message: &SqsMessage) -> u32 {
    message.attributes.get("ApproximateReceiveCount").and_then(|count| count.parse().ok()).unwrap_or(1)
}

/// What lies beneath an error, told by `Display`: `Debug` of an SDK error prints a whole HTTP answer.
fn chain(error: &StoreError) -> String {
    let beneath = std::iter::successors(std::error::Error::source(error), |error| error.source());
    beneath.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
