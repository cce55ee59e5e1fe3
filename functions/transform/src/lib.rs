//! Bronze objects become silver rows and a ledger plan, once.
//!
//! Invariant: each source event of a bronze object ends in exactly one of planned, filtered, duplicate, quarantined, and
//! the object's row says how many in each, however often, in whatever order and after whatever crash its notification
//! comes. Nothing that leaves this function for anywhere but quarantine holds personal data in clear.
//!
//! [`object`] has the steps in their order; [`reading`] and [`output`] are pure.

pub mod aliases;
pub mod config;
mod crm;
pub mod decode;
pub mod error;
pub mod gate;
pub mod object;
pub mod output;
mod own;
pub mod reading;
mod run_keys;
pub mod stores;
pub mod tokens;

use std::panic::AssertUnwindSafe;

pub use ledgerline_custody::resolve;

use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent, SqsMessage};
use bytes::Bytes;
use futures_util::FutureExt as _;
use ledgerline_lake::ObjectId;
use ledgerline_lake::plan::Counts;
use ledgerline_lambda::clock::Clock;
use ledgerline_lambda::disposition::Disposition;
use ledgerline_lambda::notification::{Created, created};
use ledgerline_lambda::sqs::standard_answer;
use ledgerline_ledger::store::StoreError;
use ledgerline_store::poison::Poison;
use serde_json::json;

use crate::config::Settings;
use crate::error::TransformError;
use crate::stores::Stores;

/// Calls under way at once for one object: enough to hide a round trip of some 5 ms behind the others (16 / 5 ms =
/// 3,200 a second), few enough that a burst of objects does not throttle a table that starts at 4,000 writes a second.
pub const CALLS_AT_ONCE: usize = 16;

/// Rows that a table takes in one call.
const ROWS_PER_BATCH: usize = 25;

/// No new object is begun this close to the invocation's deadline. The largest, 128 MB of lines, takes some 10 s on one
/// core and as long again for its calls; what is cut off all the same is only done again.
const RESERVE_MS: i64 = 20_000;

/// The function's name in poison keys.
const FUNCTION: &str = "transform";

/// Handles one batch of S3 notifications: the messages that failed come back.
pub async fn handle(
    stores: &Stores,
    settings: &Settings,
    clock: &impl Clock,
    deadline_ms: i64,
    event: SqsEvent,
) -> SqsBatchResponse {
    let mut failed = Vec::new();
    for message in &event.records {
        let done = clock.now_ms() + RESERVE_MS < deadline_ms && {
            // A panic is this message's alone: the others of the batch go on.
            let handled = AssertUnwindSafe(message_done(stores, settings, clock, message)).catch_unwind().await;
            handled.unwrap_or_else(|_| {
                tracing::error!(message_id = message.message_id, "a message made transform panic; it comes back");
                false
            })
        };
        if !done {
            failed.push(message);
        }
    }
    standard_answer(failed)
}

/// Whether the message is finished with: each of its objects is planned, or kept as poison.
async fn message_done(stores: &Stores, settings: &Settings, clock: &impl Clock, message: &SqsMessage) -> bool {
    let message_id = message.message_id.as_deref().unwrap_or("no-id");
    let created = match created(message.body.as_deref().unwrap_or_default()) {
        Ok(created) => created,
        Err(error) => return settled(&stores.poison, message_id, None, Err(error.into())).await,
    };
    let mut done = true;
    for (nth, created) in created.into_iter().enumerate() {
        let created = match created {
            Ok(created) => created,
            // This record's alone: the message's others are transformed.
            Err(error) => {
                done &= settled(&stores.poison, &format!("{message_id}-{nth}"), None, Err(error.into())).await;
                continue;
            }
        };
        let id = ObjectId::of(&created.bucket, &created.key);
        let outcome = match created.bucket == settings.bronze_bucket {
            true => object::transform(stores, settings, clock.now_ms(), id, &created.key).await,
            false => Err(TransformError::ForeignBucket),
        };
        done &= settled(&stores.poison, &id.to_hex(), Some(&created), outcome).await;
    }
    done
}

/// Logs the outcome, keeps poison, and says whether it needs no other try.
async fn settled(
    poison: &Poison,
    id: &str,
    created: Option<&Created>,
    outcome: Result<object::Outcome, TransformError>,
) -> bool {
    let error = match outcome {
        Ok(object::Outcome::AlreadyPlanned) => {
            tracing::info!(id, "already planned");
            return true;
        }
        Ok(object::Outcome::Planned(counts)) => {
            let Counts { input, filtered, duplicate, quarantined, planned } = counts;
            tracing::info!(id, input, filtered, duplicate, quarantined, planned, "planned");
            return true;
        }
        Err(error) => error,
    };
    let (reason, disposition) = (error.code(), error.disposition());
    tracing::error!(id, reason, ?disposition, error = %error, cause = chain(&error), "not planned");
    match disposition {
        // The queue brings it back, and after some tries keeps it for an operator. There is no state of the
        // configuration that this function could only see per record, so `Halt` has no other meaning here.
        Disposition::Retry | Disposition::Halt => false,
        Disposition::Poison => match keep(poison, id, created, reason).await {
            Ok(()) => {
                // The template's alarm looks for these words.
                tracing::error!(id, reason, "kept as poison");
                true
            }
            Err(error) => {
                tracing::error!(id, error = %error, "poison could not be kept; the message comes back");
                false
            }
        },
    }
}

/// What lies beneath an error, told by `Display`: `Debug` of an SDK error prints a whole HTTP answer.
fn chain(error: &dyn std::error::Error) -> String {
    std::iter::successors(error.source(), |error| error.source())
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(": ")
}

/// Keeps what no retry helps, for an operator: where it was and why, never what it was. No time in it: a message that
/// is poison twice leaves the same note.
async fn keep(poison: &Poison, id: &str, created: Option<&Created>, reason: &'static str) -> Result<(), StoreError> {
    let note = json!({
        "v": 1,
        "function": FUNCTION,
        "reason": reason,
        "bucket": created.map(|created| &created.bucket),
        "key": created.map(|created| &created.key),
    });
    poison.keep(FUNCTION, id, Bytes::from(note.to_string())).await
}
