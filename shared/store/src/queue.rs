//! The port of the SQS queues, and the families of their messages: pointers to chunks, notifications, notes to the eraser.
//!
//! Invariant: a send returns `Ok` only when the queue took every message, in their order.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use ledgerline_lake::plan::Pointer;
use ledgerline_ledger::store::StoreError;
use serde_json::json;

/// A message for a FIFO queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FifoMessage {
    /// The group: messages of one are taken in order.
    pub group: String,
    /// The deduplication id: a message that is sent again within five minutes is the same message.
    pub deduplication_id: String,
    /// The body.
    pub body: String,
}

/// One queue. Errors name attempts by `what`, with ids only.
#[async_trait]
pub trait Queue: fmt::Debug + Send + Sync {
    /// Sends all of them to a FIFO queue, in batches, until it took each. An error means that some may not have been sent.
    async fn send_fifo(&self, what: &str, messages: Vec<FifoMessage>) -> Result<(), StoreError>;

    /// Sends one message to a queue that is not FIFO.
    async fn send(&self, what: &str, body: String) -> Result<(), StoreError>;

    /// Makes these messages visible again after so many seconds.
    async fn release(&self, receipt_handles: &[String], after_s: u32) -> Result<(), StoreError>;

    /// Messages that wait or are worked on.
    async fn depth(&self) -> Result<u64, StoreError>;
}

/// A message that was received, and is hidden from others for a while.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    /// The message's id, the same each time it is received.
    pub id: String,
    /// What names this receipt of it.
    pub receipt: String,
    /// The body.
    pub body: String,
    /// When it was sent, epoch milliseconds.
    pub sent_at_ms: Option<i64>,
    /// Its group and deduplication id, in a FIFO queue.
    pub fifo: Option<(String, String)>,
}

/// A queue that an operator takes messages out of. Functions have theirs from Lambda.
#[async_trait]
pub trait Inbox: fmt::Debug + Send + Sync {
    /// Up to ten messages that nobody else works on, hidden from others for so many seconds. None: the queue shows none now.
    async fn receive(&self, what: &str, hidden_s: u32) -> Result<Vec<Received>, StoreError>;

    /// Deletes received messages, ten at most, for good.
    async fn delete(&self, what: &str, receipts: &[String]) -> Result<(), StoreError>;
}

/// The pointers to chunks that audit-write takes. Sending one twice is harmless: its deduplication id is its place, and
/// audit-write's markers outlive every redelivery.
#[derive(Clone, Debug)]
pub struct Pointers {
    queue: Arc<dyn Queue>,
}

impl Pointers {
    /// Messages of audit-write's queue.
    pub fn new(queue: Arc<dyn Queue>) -> Self {
        Self { queue }
    }

    /// Sends all of them in batches; group and deduplication id are the pointer's.
    ///
    /// # Errors
    /// The queue's: some may not have been sent, and sending all again is harmless.
    pub async fn send(&self, pointers: &[Pointer]) -> Result<(), StoreError> {
        let message = |pointer: &Pointer| {
            let (group, deduplication_id) = (pointer.group().to_owned(), pointer.deduplication_id());
            Ok(FifoMessage { group, deduplication_id, body: pointer.to_body()? })
        };
        let messages = pointers.iter().map(message).collect::<Result<Vec<_>, StoreError>>()?;
        self.queue.send_fifo(&format!("send {} pointers", pointers.len()), messages).await
    }

    /// Makes these messages visible again after so many seconds.
    ///
    /// # Errors
    /// The queue's.
    pub async fn release(&self, receipt_handles: &[String], after_s: u32) -> Result<(), StoreError> {
        self.queue.release(receipt_handles, after_s).await
    }

    /// Messages that wait or are worked on.
    ///
    /// # Errors
    /// The queue's.
    pub async fn backlog(&self) -> Result<u64, StoreError> {
        self.queue.depth().await
    }
}

/// What is left for the eraser to do: hints, nothing more. Sending one twice is harmless.
#[derive(Clone, Debug)]
pub struct EraseNotes {
    queue: Arc<dyn Queue>,
}

impl EraseNotes {
    /// Messages of the erase queue.
    pub fn new(queue: Arc<dyn Queue>) -> Self {
        Self { queue }
    }

    /// Sends that an object holds lines which an erasure before them covers.
    ///
    /// # Errors
    /// The queue's.
    pub async fn suppressed(&self, bucket: &str, key: &str, object: &str) -> Result<(), StoreError> {
        let body = json!({ "v": 1, "kind": "suppressed", "bucket": bucket, "key": key, "object": object });
        self.queue.send(&format!("note suppressed lines of {object}"), body.to_string()).await
    }
}

/// Notifications of bronze objects to transform, as S3 sends them.
#[derive(Clone, Debug)]
pub struct Notices {
    queue: Arc<dyn Queue>,
}

impl Notices {
    /// Messages of transform's queue.
    pub fn new(queue: Arc<dyn Queue>) -> Self {
        Self { queue }
    }

    /// Sends the [`notification`] that the object was created.
    ///
    /// # Errors
    /// The queue's.
    pub async fn notify(&self, bucket: &str, key: &str) -> Result<(), StoreError> {
        self.queue.send(&format!("notify of {key}"), notification(bucket, key)).await
    }

    /// Messages that wait or are worked on.
    ///
    /// # Errors
    /// The queue's.
    pub async fn backlog(&self) -> Result<u64, StoreError> {
        self.queue.depth().await
    }
}

/// The message that S3 would have sent when the object was created, as far as anybody reads it: the key is encoded as HTML
/// forms are, a space as `+`.
pub fn notification(bucket: &str, key: &str) -> String {
    let mut encoded = String::with_capacity(key.len() + 16);
    for byte in key.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'*' | b'/' => {
                encoded.push(char::from(byte))
            }
            b' ' => encoded.push('+'),
            other => encoded.push_str(&format!("%{other:02X}")),
        }
    }
    let record = json!({
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "eventName": "ObjectCreated:Put",
        "s3": { "s3SchemaVersion": "1.0", "configurationId": "sweep", "bucket": { "name": bucket }, "object": { "key": encoded } },
    });
    json!({ "Records": [record] }).to_string()
}
