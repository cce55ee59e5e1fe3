//! The FIFO queue as its reader has it: messages that failed are made visible again early.

use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::ChangeMessageVisibilityBatchRequestEntry;
use ledgerline_ledger::ports::ReleaseMessages;
use ledgerline_ledger::store::{Failure, StoreError};

use crate::config::store_error;

/// The queue of pointers.
#[derive(Clone, Debug)]
pub struct FifoQueue {
    client: Client,
    url: String,
}

impl FifoQueue {
    /// The queue at `url`.
    pub fn new(client: Client, url: impl Into<String>) -> Self {
        Self { client, url: url.into() }
    }
}

impl ReleaseMessages for FifoQueue {
    async fn release(&self, receipt_handles: &[String], after_s: u32) -> Result<(), StoreError> {
        let what = format!("release {} messages", receipt_handles.len());
        let after_s = i32::try_from(after_s).unwrap_or(i32::MAX);
        for handles in receipt_handles.chunks(ENTRIES_PER_BATCH) {
            let mut batch = self.client.change_message_visibility_batch().queue_url(&self.url);
            for (id, handle) in handles.iter().enumerate() {
                let entry = ChangeMessageVisibilityBatchRequestEntry::builder()
                    .id(id.to_string())
                    .receipt_handle(handle)
                    .visibility_timeout(after_s)
                    .build()
                    .map_err(|error| StoreError::Unknown(Failure::caused_by(&what, error)))?;
                batch = batch.entries(entry);
            }
            let answer = batch.send().await.map_err(|error| store_error(&what, error))?;
            if !answer.failed().is_empty() {
                return Err(StoreError::Unknown(Failure::new(format!("{what}: {} refused", answer.failed().len()))));
            }
        }
        Ok(())
    }
}

/// Entries in one `ChangeMessageVisibilityBatch`: the service's limit.
const ENTRIES_PER_BATCH: usize = 10;
