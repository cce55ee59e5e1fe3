//! The FIFO queue of pointers, strict: batches of ten, messages of at most 1 MiB, one body per deduplication id.
//!
//! It forgets nothing, as if every message were sent after the real queue's five minutes of deduplication: what was
//! sent twice lies here twice, unless a test loses it.

use std::sync::{Arc, Mutex, PoisonError};

use ledgerline_lake::plan::Pointer;
use ledgerline_lake::ports::SendPointers;
use ledgerline_ledger::store::{Failure, StoreError};

use crate::fakes::calls::Calls;
use crate::faults::Faults;

const MESSAGES_PER_BATCH: usize = 10;
const MESSAGE_BYTES: usize = 1024 * 1024;
/// The longest group or deduplication id that SQS takes.
const ID_BYTES: usize = 128;

/// A message as the queue took it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The group: chunks of one log are taken in order.
    pub group: String,
    /// The deduplication id.
    pub deduplication_id: String,
    /// The body.
    pub body: String,
}

/// All messages ever sent, in order.
#[derive(Clone, Debug, Default)]
pub struct FakeQueue {
    messages: Arc<Mutex<Vec<Message>>>,
    faults: Faults,
    calls: Calls,
}

impl FakeQueue {
    /// An empty queue.
    pub fn new(faults: Faults, calls: Calls) -> Self {
        Self { messages: Arc::default(), faults, calls }
    }

    /// What was sent, in order.
    pub fn messages(&self) -> Vec<Message> {
        self.lock().clone()
    }

    /// Loses all messages, as if none had come.
    pub fn lose_all(&self) {
        self.lock().clear();
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Message>> {
        self.messages.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, pointer: &Pointer) -> Result<(), StoreError> {
        let body = pointer.to_body()?;
        let (group, deduplication_id) = (pointer.group().to_owned(), pointer.deduplication_id());
        assert!(body.len() <= MESSAGE_BYTES, "a message of {} bytes", body.len());
        for id in [&group, &deduplication_id] {
            let fits = (1..=ID_BYTES).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic());
            assert!(fits, "SQS takes no such id: {id}");
        }
        let mut messages = self.lock();
        let same = messages.iter().find(|message| message.deduplication_id == deduplication_id);
        if same.is_some_and(|message| message.body != body || message.group != group) {
            return Err(StoreError::Corrupt(Failure::new(format!("{deduplication_id} was sent with another body"))));
        }
        messages.push(Message { group, deduplication_id, body });
        Ok(())
    }
}

impl SendPointers for FakeQueue {
    async fn send(&self, pointers: &[Pointer]) -> Result<(), StoreError> {
        const CALL: &str = "sqs:SendMessageBatch";
        for batch in pointers.chunks(MESSAGES_PER_BATCH) {
            self.faults.latency().await;
            self.calls.add(CALL, 1);
            self.faults.write(CALL, || batch.iter().try_for_each(|pointer| self.take(pointer)))?;
        }
        Ok(())
    }
}
