//! An SQS queue.
//!
//! Invariant: a batch is sent until the queue took all of it, before the next one is, so that a log's chunks are queued in
//! their order.

use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::error::BuildError;
use aws_sdk_sqs::types::{
    BatchResultErrorEntry, ChangeMessageVisibilityBatchRequestEntry, DeleteMessageBatchRequestEntry, Message,
    MessageSystemAttributeName, QueueAttributeName, SendMessageBatchRequestEntry,
};
use ledgerline_ledger::store::{Failure, StoreError};
use ledgerline_store::queue::{FifoMessage, Inbox, Queue, Received};

use crate::config::store_error;

/// Messages in one batch: the service's limit. A pointer is some 300 bytes, so the batch's 1 MiB is never near.
const MESSAGES_PER_BATCH: usize = 10;
/// Rounds for entries that the queue refused. Waits double from 50 ms: 50 ms × (2^7 − 1) = 6.4 s in all.
const ROUNDS: u32 = 7;
const FIRST_WAIT: Duration = Duration::from_millis(50);
/// Waiting asks all of the service's servers, of which a short question asks a few; no message within this time, and there is none.
const ASK_ALL_S: i32 = 1;

/// A queue by its URL.
#[derive(Clone, Debug)]
pub struct SqsQueue {
    client: Client,
    url: String,
}

impl SqsQueue {
    /// The queue at `url`.
    pub fn new(client: Client, url: impl Into<String>) -> Self {
        Self { client, url: url.into() }
    }

    async fn send_batch(&self, what: &str, messages: &[FifoMessage]) -> Result<(), StoreError> {
        let mut open: Vec<usize> = (0..messages.len()).collect();
        for round in 0..ROUNDS {
            let entries = open.iter().map(|&at| entry(at, &messages[at])).collect::<Result<Vec<_>, _>>();
            let entries = Some(entries.map_err(|error| unbuilt(what, error))?);
            let sent = self.client.send_message_batch().queue_url(&self.url).set_entries(entries).send().await;
            open = left_open(what, &open, &sent.map_err(|error| store_error(what, error))?.failed)?;
            if open.is_empty() {
                return Ok(());
            }
            tokio::time::sleep(FIRST_WAIT * 2u32.pow(round)).await;
        }
        Err(StoreError::Throttled(Failure::new(format!("{what}: {} refused {ROUNDS} times", open.len()))))
    }
}

#[async_trait]
impl Queue for SqsQueue {
    async fn send_fifo(&self, what: &str, messages: Vec<FifoMessage>) -> Result<(), StoreError> {
        for batch in messages.chunks(MESSAGES_PER_BATCH) {
            self.send_batch(what, batch).await?;
        }
        Ok(())
    }

    async fn send(&self, what: &str, body: String) -> Result<(), StoreError> {
        let sent = self.client.send_message().queue_url(&self.url).message_body(body).send().await;
        sent.map(drop).map_err(|error| store_error(what, error))
    }

    async fn release(&self, receipt_handles: &[String], after_s: u32) -> Result<(), StoreError> {
        let what = format!("release {} messages", receipt_handles.len());
        let after_s = i32::try_from(after_s).unwrap_or(i32::MAX);
        for handles in receipt_handles.chunks(MESSAGES_PER_BATCH) {
            let entry = |(id, handle): (usize, &String)| {
                let entry = ChangeMessageVisibilityBatchRequestEntry::builder().id(id.to_string());
                entry.receipt_handle(handle).visibility_timeout(after_s).build()
            };
            let entries = handles.iter().enumerate().map(entry).collect::<Result<Vec<_>, _>>();
            let entries = Some(entries.map_err(|error| unbuilt(&what, error))?);
            let batch = self.client.change_message_visibility_batch().queue_url(&self.url).set_entries(entries);
            let answer = batch.send().await.map_err(|error| store_error(&what, error))?;
            if !answer.failed().is_empty() {
                return Err(StoreError::Unknown(Failure::new(format!("{what}: {} refused", answer.failed().len()))));
            }
        }
        Ok(())
    }

    async fn depth(&self) -> Result<u64, StoreError> {
        use QueueAttributeName::{ApproximateNumberOfMessages, ApproximateNumberOfMessagesNotVisible};
        let kinds = [ApproximateNumberOfMessages, ApproximateNumberOfMessagesNotVisible];
        let ask = self.client.get_queue_attributes().queue_url(&self.url).set_attribute_names(Some(kinds.into()));
        let answer = ask.send().await.map_err(|error| store_error("ask for a queue's depth", error))?;
        let attributes = answer.attributes.unwrap_or_default();
        Ok(attributes.values().filter_map(|value| value.parse::<u64>().ok()).sum())
    }
}

#[async_trait]
impl Inbox for SqsQueue {
    async fn receive(&self, what: &str, hidden_s: u32) -> Result<Vec<Received>, StoreError> {
        let ask = self.client.receive_message().queue_url(&self.url).max_number_of_messages(MESSAGES_PER_BATCH as i32);
        let ask = ask.visibility_timeout(i32::try_from(hidden_s).unwrap_or(i32::MAX)).wait_time_seconds(ASK_ALL_S);
        let answer = ask.message_system_attribute_names(MessageSystemAttributeName::All).send().await;
        let messages = answer.map_err(|error| store_error(what, error))?.messages.unwrap_or_default();
        Ok(messages.into_iter().filter_map(received).collect())
    }

    async fn delete(&self, what: &str, receipts: &[String]) -> Result<(), StoreError> {
        let entry = |(id, receipt): (usize, &String)| {
            DeleteMessageBatchRequestEntry::builder().id(id.to_string()).receipt_handle(receipt).build()
        };
        let entries = receipts.iter().enumerate().map(entry).collect::<Result<Vec<_>, _>>();
        let entries = Some(entries.map_err(|error| unbuilt(what, error))?);
        let sent = self.client.delete_message_batch().queue_url(&self.url).set_entries(entries).send().await;
        let answer = sent.map_err(|error| store_error(what, error))?;
        match answer.failed().is_empty() {
            true => Ok(()),
            false => Err(StoreError::Unknown(Failure::new(format!("{what}: {} refused", answer.failed().len())))),
        }
    }
}

/// A message without an id or a receipt can neither be known again nor deleted: the service sends none.
fn received(message: Message) -> Option<Received> {
    let attribute = |name| message.attributes.as_ref().and_then(|attributes| attributes.get(&name)).cloned();
    let sent_at_ms = attribute(MessageSystemAttributeName::SentTimestamp).and_then(|ms| ms.parse().ok());
    let group = attribute(MessageSystemAttributeName::MessageGroupId);
    let fifo = group.zip(attribute(MessageSystemAttributeName::MessageDeduplicationId));
    let (id, receipt) = (message.message_id?, message.receipt_handle?);
    Some(Received { id, receipt, body: message.body.unwrap_or_default(), sent_at_ms, fifo })
}

fn entry(at: usize, message: &FifoMessage) -> Result<SendMessageBatchRequestEntry, BuildError> {
    SendMessageBatchRequestEntry::builder()
        .id(at.to_string())
        .message_body(&message.body)
        .message_group_id(&message.group)
        .message_deduplication_id(&message.deduplication_id)
        .build()
}

/// Which messages of a batch are still to be sent, in their order.
fn left_open(what: &str, sent: &[usize], refused: &[BatchResultErrorEntry]) -> Result<Vec<usize>, StoreError> {
    if let Some(faulty) = refused.iter().find(|failed| failed.sender_fault) {
        return Err(StoreError::Unknown(Failure::new(format!(
            "{what}: the queue refused one as faulty, {}",
            faulty.code
        ))));
    }
    let is_open = |at: &usize| refused.iter().any(|failed| failed.id == at.to_string());
    let open: Vec<usize> = sent.iter().copied().filter(is_open).collect();
    // A refusal that names no message of ours leaves open which one it is about.
    if open.is_empty() && !refused.is_empty() {
        return Err(StoreError::Unknown(Failure::new(format!(
            "{what}: the queue refused a message that was not sent"
        ))));
    }
    Ok(open)
}

fn unbuilt(what: &str, error: BuildError) -> StoreError {
    StoreError::Unknown(Failure::caused_by(what, error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_refused_is_sent_again_and_in_order() {
        let refused = |id: &str, is_faulty| {
            BatchResultErrorEntry::builder().id(id).code("x").sender_fault(is_faulty).build().unwrap()
        };
        assert_eq!(left_open("x", &[0, 1, 2], &[]).unwrap(), [0; 0]);
        assert_eq!(left_open("x", &[0, 1, 2], &[refused("2", false), refused("0", false)]).unwrap(), [0, 2]);
        assert!(left_open("x", &[0, 1], &[refused("7", false)]).is_err());
        let faulty = left_open("x", &[0, 1], &[refused("0", false), refused("1", true)]);
        assert!(matches!(faulty, Err(StoreError::Unknown(_))));
    }

    #[test]
    fn an_entry_carries_its_messages_ids() {
        let [group, deduplication_id, body] = ["log", "object-3", "{}"].map(str::to_owned);
        let entry = entry(7, &FifoMessage { group, deduplication_id, body }).unwrap();
        assert_eq!((entry.id(), entry.message_body()), ("7", "{}"));
        assert_eq!((entry.message_group_id(), entry.message_deduplication_id()), (Some("log"), Some("object-3")));
    }
}
