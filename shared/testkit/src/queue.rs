//! A queue, strict: batches of ten, messages of at most 1 MiB, one body per deduplication id.
//!
//! It forgets nothing, as if every message were sent after the real queue's five minutes of deduplication: what was
//! sent twice lies here twice, unless a test loses it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use ledgerline_ledger::store::{Failure, StoreError};
use ledgerline_store::queue::{FifoMessage, Queue};

use crate::calls::Calls;
use crate::faults::Faults;

const MESSAGES_PER_BATCH: usize = 10;
const MESSAGE_BYTES: usize = 1024 * 1024;
/// The longest group or deduplication id that SQS takes.
const ID_BYTES: usize = 128;
/// The longest time for which SQS hides a message.
const HIDDEN_S: u32 = 12 * 60 * 60;

/// The queue; clones share it.
#[derive(Clone, Debug)]
pub struct FakeQueue {
    name: &'static str,
    state: Arc<Mutex<State>>,
    faults: Faults,
    calls: Calls,
}

#[derive(Debug, Default)]
struct State {
    messages: Vec<FifoMessage>,
    bodies: Vec<String>,
    released: Vec<(String, u32)>,
    backlog: u64,
}

impl FakeQueue {
    /// An empty queue. `name` is the template's, for calls held against its roles.
    pub fn new(name: &'static str, faults: Faults, calls: Calls) -> Self {
        Self { name, state: Arc::default(), faults, calls }
    }

    /// As the product takes it.
    pub fn port(&self) -> Arc<dyn Queue> {
        Arc::new(self.clone())
    }

    /// The same messages, with other faults and a count of calls of its own.
    #[must_use]
    pub fn seen_by(&self, faults: Faults, calls: Calls) -> Self {
        Self { faults, calls, ..self.clone() }
    }

    /// What was sent to it as a FIFO queue, in order.
    pub fn messages(&self) -> Vec<FifoMessage> {
        self.lock().messages.clone()
    }

    /// What was sent to it as any other queue, in order.
    pub fn bodies(&self) -> Vec<String> {
        self.lock().bodies.clone()
    }

    /// Which messages were released, and after how many seconds each is seen again.
    pub fn released(&self) -> Vec<(String, u32)> {
        self.lock().released.clone()
    }

    /// Loses all messages, as if none had come.
    pub fn lose_all(&self) {
        let mut state = self.lock();
        state.messages.clear();
        state.bodies.clear();
    }

    /// Makes the queue this long: it cannot tell what waits, so it is empty until a test says otherwise.
    pub fn set_backlog(&self, messages: u64) {
        self.lock().backlog = messages;
    }

    async fn call<T>(
        &self,
        call: &'static str,
        action: &'static str,
        change: impl FnOnce(&mut State) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.faults.latency().await;
        self.calls.add(call, 1);
        self.calls.touch(action, self.name, String::new(), "");
        self.faults.write(call, || change(&mut self.lock()))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Queue for FakeQueue {
    async fn send_fifo(&self, _: &str, messages: Vec<FifoMessage>) -> Result<(), StoreError> {
        for batch in messages.chunks(MESSAGES_PER_BATCH) {
            let take = |state: &mut State| batch.iter().try_for_each(|message| take(state, message));
            self.call("sqs:SendMessageBatch", "sqs:SendMessage", take).await?;
        }
        Ok(())
    }

    async fn send(&self, _: &str, body: String) -> Result<(), StoreError> {
        const CALL: &str = "sqs:SendMessage";
        assert!((1..=MESSAGE_BYTES).contains(&body.len()), "a message of {} bytes", body.len());
        let push = |state: &mut State| {
            state.bodies.push(body);
            Ok(())
        };
        self.call(CALL, CALL, push).await
    }

    async fn release(&self, receipt_handles: &[String], after_s: u32) -> Result<(), StoreError> {
        assert!(after_s <= HIDDEN_S, "a message hidden for {after_s} s");
        for handles in receipt_handles.chunks(MESSAGES_PER_BATCH) {
            let release = |state: &mut State| {
                state.released.extend(handles.iter().map(|handle| (handle.clone(), after_s)));
                Ok(())
            };
            self.call("sqs:ChangeMessageVisibilityBatch", "sqs:ChangeMessageVisibility", release).await?;
        }
        Ok(())
    }

    async fn depth(&self) -> Result<u64, StoreError> {
        const CALL: &str = "sqs:GetQueueAttributes";
        self.faults.latency().await;
        self.calls.add(CALL, 1);
        self.calls.touch(CALL, self.name, String::new(), "");
        self.faults.read(CALL)?;
        Ok(self.lock().backlog)
    }
}

fn take(state: &mut State, message: &FifoMessage) -> Result<(), StoreError> {
    let FifoMessage { group, deduplication_id, body } = message;
    assert!((1..=MESSAGE_BYTES).contains(&body.len()), "a message of {} bytes", body.len());
    for id in [group, deduplication_id] {
        let fits = (1..=ID_BYTES).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic());
        assert!(fits, "SQS takes no such id: {id}");
    }
    let same = state.messages.iter().find(|sent| sent.deduplication_id == *deduplication_id);
    if same.is_some_and(|sent| sent != message) {
        return Err(StoreError::Corrupt(Failure::new(format!("{deduplication_id} was sent with another body"))));
    }
    state.messages.push(message.clone());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::faults::Fault;

    fn message(number: usize, body: &str) -> FifoMessage {
        FifoMessage { group: "log".to_owned(), deduplication_id: format!("o-{number}"), body: body.to_owned() }
    }

    #[tokio::test]
    async fn messages_are_sent_in_batches_of_ten_and_a_struck_batch_ends_it() {
        let (faults, calls) = (Faults::at(1, Fault::Lost), Calls::default());
        let fake = FakeQueue::new("LedgerQueue", faults, calls.clone());
        let messages: Vec<_> = (0..25).map(|number| message(number, "x")).collect();
        assert_eq!(fake.port().send_fifo("", messages.clone()).await.unwrap_err().kind(), "unknown");
        assert_eq!(fake.messages(), messages[..10]);
        fake.port().send_fifo("", messages).await.unwrap();
        assert_eq!((fake.messages().len(), calls.by_name()["sqs:SendMessageBatch"]), (35, 5));
        let other = fake.port().send_fifo("", vec![message(3, "y")]).await;
        assert_eq!(other.unwrap_err().kind(), "corrupt");
        fake.lose_all();
        assert!(fake.messages().is_empty());
    }

    #[tokio::test]
    async fn bodies_releases_and_depth_are_kept() {
        let calls = Calls::default();
        let fake = FakeQueue::new("BronzeQueue", Faults::none(), calls.clone());
        let port = fake.port();
        port.send("", "body".to_owned()).await.unwrap();
        port.release(&["a".to_owned(), "b".to_owned()], 7).await.unwrap();
        fake.set_backlog(9);
        assert_eq!((fake.bodies(), port.depth().await.unwrap()), (vec!["body".to_owned()], 9));
        assert_eq!(fake.released(), [("a".to_owned(), 7), ("b".to_owned(), 7)]);
        let actions: Vec<_> = calls.touched().into_iter().map(|one| one.action).collect();
        assert_eq!(actions, ["sqs:ChangeMessageVisibility", "sqs:GetQueueAttributes", "sqs:SendMessage"]);
    }

    #[tokio::test]
    #[should_panic(expected = "SQS takes no such id")]
    async fn an_id_that_sqs_refuses_is_a_defect() {
        let port = FakeQueue::new("LedgerQueue", Faults::none(), Calls::default()).port();
        drop(port.send_fifo("", vec![FifoMessage { group: "a b".to_owned(), ..message(0, "x") }]).await);
    }
}
