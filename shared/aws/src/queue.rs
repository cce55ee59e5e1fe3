//! The FIFO queue of pointers.
//!
//! Invariant: `send` returns `Ok` only when the queue took every pointer. Sending one twice is harmless: its
//! deduplication id is its place, and audit-write's markers outlive every redelivery.

use std::time::Duration;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::SendMessageBatchRequestEntry;
use ledgerline_lake::plan::Pointer;
use ledgerline_lake::ports::SendPointers;
use ledgerline_ledger::store::{Failure, StoreError};

use crate::config::store_error;

/// Messages in one batch: the service's limit. A pointer is some 300 bytes, so the batch's 1 MiB is never near.
const MESSAGES_PER_BATCH: usize = 10;
/// Rounds for entries that the queue refused. Waits double from 50 ms: 50 ms × (2^6 − 1) = 3.2 s in all.
const ROUNDS: u32 = 7;
const FIRST_WAIT: Duration = Duration::from_millis(50);

/// The queue that audit-write reads.
#[derive(Clone, Debug)]
pub struct PointerQueue {
    client: Client,
    url: String,
}

impl PointerQueue {
    /// The queue at `url`.
    pub fn new(client: Client, url: impl Into<String>) -> Self {
        Self { client, url: url.into() }
    }

    /// Sends one batch until the queue took all of it, so that a log's chunks are queued in their order.
    async fn send_batch(&self, pointers: &[Pointer]) -> Result<(), StoreError> {
        let what = format!("send {} pointers", pointers.len());
        let mut open: Vec<usize> = (0..pointers.len()).collect();
        for round in 0..ROUNDS {
            let entries = open.iter().map(|&at| entry(at, &pointers[at])).collect::<Result<Vec<_>, _>>()?;
            let sent = self.client.send_message_batch().queue_url(&self.url).set_entries(Some(entries)).send().await;
            let refused = sent.map_err(|error| store_error(what.as_str(), error))?.failed;
            if refused.is_empty() {
                return Ok(());
            }
            if let Some(code) = refused.iter().find(|failed| failed.sender_fault).map(|failed| failed.code.as_str()) {
                return Err(StoreError::Unknown(Failure::new(format!(
                    "{what}: the queue refused one as faulty, {code}"
                ))));
            }
            open.retain(|at| refused.iter().any(|failed| failed.id == at.to_string()));
            tokio::time::sleep(FIRST_WAIT * 2u32.pow(round)).await;
        }
        Err(StoreError::Throttled(Failure::new(format!("{what}: {} refused {ROUNDS} times", open.len()))))
    }
}

impl SendPointers for PointerQueue {
    async fn send(&self, pointers: &[Pointer]) -> Result<(), StoreError> {
        for batch in pointers.chunks(MESSAGES_PER_BATCH) {
            self.send_batch(batch).await?;
        }
        Ok(())
    }
}

fn entry(at: usize, pointer: &Pointer) -> Result<SendMessageBatchRequestEntry, StoreError> {
    SendMessageBatchRequestEntry::builder()
        .id(at.to_string())
        .message_body(pointer.to_body()?)
        .message_group_id(pointer.group())
        .message_deduplication_id(pointer.deduplication_id())
        .build()
        .map_err(|error| StoreError::Unknown(Failure::caused_by("build a pointer's message", error)))
}
