//! A queue, strict: batches of ten, messages of at most 1 MiB, one body per deduplication id.
//!
//! It forgets nothing, as if every message were sent after the real queue's five minutes of deduplication: what was
//! sent twice lies here twice, unless a test loses it. What a test puts into it ([`FakeQueue::leave`]) can be received: ten at most at
//! once, hidden until it is deleted, released, or a test lets time go by, and never two batches of a group at once.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use ledgerline_ledger::store::{Failure, StoreError};
use ledgerline_store::queue::{FifoMessage, Inbox, Queue, Received};

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
    letters: Vec<Letter>,
    receipts: usize,
}

/// A message that can be received.
#[derive(Debug, Clone)]
struct Letter {
    received: Received,
    hidden: bool,
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

    /// Puts a message into the queue, to be received.
    pub fn leave(&self, body: &str, sent_at_ms: i64) {
        self.leave_one(body, sent_at_ms, None);
    }

    /// Puts a message of a group into the queue, to be received.
    pub fn leave_fifo(&self, message: &FifoMessage, sent_at_ms: i64) {
        let fifo = Some((message.group.clone(), message.deduplication_id.clone()));
        self.leave_one(&message.body, sent_at_ms, fifo);
    }

    /// The bodies of the messages that nobody deleted, hidden ones too, in order.
    pub fn letters(&self) -> Vec<String> {
        self.lock().letters.iter().map(|letter| letter.received.body.clone()).collect()
    }

    /// How many of them are hidden.
    pub fn hidden(&self) -> usize {
        self.lock().letters.iter().filter(|letter| letter.hidden).count()
    }

    /// Lets so much time go by that nothing is hidden any more.
    pub fn show_all(&self) {
        self.lock().letters.iter_mut().for_each(|letter| letter.hidden = false);
    }

    fn leave_one(&self, body: &str, sent_at_ms: i64, fifo: Option<(String, String)>) {
        let mut state = self.lock();
        let id = format!("m-{}", state.letters.len() + state.receipts);
        let (receipt, body, sent_at_ms) = (String::new(), body.to_owned(), Some(sent_at_ms));
        state.letters.push(Letter { received: Received { id, receipt, body, sent_at_ms, fifo }, hidden: false });
        state.backlog += 1;
    }

    /// As an operator's command takes messages out of it.
    pub fn inbox(&self) -> Arc<dyn Inbox> {
        Arc::new(self.clone())
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
                let shown = state
                    .letters
                    .iter_mut()
                    .filter(|letter| after_s == 0 && handles.contains(&letter.received.receipt));
                shown.for_each(|letter| letter.hidden = false);
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

#[async_trait]
impl Inbox for FakeQueue {
    async fn receive(&self, _: &str, hidden_s: u32) -> Result<Vec<Received>, StoreError> {
        const CALL: &str = "sqs:ReceiveMessage";
        assert!((1..=HIDDEN_S).contains(&hidden_s), "a message hidden for {hidden_s} s");
        self.faults.latency().await;
        self.calls.add(CALL, 1);
        self.calls.touch(CALL, self.name, String::new(), "");
        self.faults.read(CALL)?;
        let State { letters, receipts, .. } = &mut *self.lock();
        let group = |letter: &Letter| letter.received.fifo.as_ref().map(|(group, _)| group.clone());
        let busy: BTreeSet<String> = letters.iter().filter(|letter| letter.hidden).filter_map(group).collect();
        let is_free = |letter: &Letter| !letter.hidden && group(letter).is_none_or(|group| !busy.contains(&group));
        let mut taken = Vec::new();
        for letter in letters.iter_mut().filter(|letter| is_free(letter)).take(MESSAGES_PER_BATCH) {
            *receipts += 1;
            letter.hidden = true;
            letter.received.receipt = format!("{}#{receipts}", letter.received.id);
            taken.push(letter.received.clone());
        }
        Ok(taken)
    }

    async fn delete(&self, _: &str, receipts: &[String]) -> Result<(), StoreError> {
        assert!((1..=MESSAGES_PER_BATCH).contains(&receipts.len()), "{} receipts at once", receipts.len());
        let delete = |state: &mut State| {
            let before = state.letters.len();
            state
                .letters
                .retain(|letter| letter.received.receipt.is_empty() || !receipts.contains(&letter.received.receipt));
            state.backlog = state.backlog.saturating_sub((before - state.letters.len()) as u64);
            Ok(())
        };
        self.call("sqs:DeleteMessageBatch", "sqs:DeleteMessage", delete).await
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
    async fn what_is_received_is_hidden_until_it_is_released_or_deleted() {
        let fake = FakeQueue::new("BronzeDeadLetterQueue", Faults::none(), Calls::default());
        (0..12).for_each(|number| fake.leave(&number.to_string(), 7));
        let (inbox, port) = (fake.inbox(), fake.port());
        let first = inbox.receive("", 30).await.unwrap();
        assert_eq!((first.len(), first[3].body.as_str(), first[3].sent_at_ms), (10, "3", Some(7)));
        assert_eq!(inbox.receive("", 30).await.unwrap().len(), 2);
        assert!(inbox.receive("", 30).await.unwrap().is_empty());
        port.release(&[first[3].receipt.clone()], 0).await.unwrap();
        let again = inbox.receive("", 30).await.unwrap();
        assert_eq!((again.len(), &again[0].id), (1, &first[3].id));
        inbox.delete("", &[again[0].receipt.clone()]).await.unwrap();
        fake.show_all();
        assert_eq!((fake.letters().len(), fake.hidden(), port.depth().await.unwrap()), (11, 0, 11));
    }

    #[tokio::test]
    async fn a_group_of_which_a_message_is_out_gives_no_other() {
        let fake = FakeQueue::new("LedgerDeadLetterQueue", Faults::none(), Calls::default());
        (0..11).for_each(|number| fake.leave_fifo(&message(number, "x"), 0));
        let inbox = fake.inbox();
        let first = inbox.receive("", 30).await.unwrap();
        assert_eq!(first.len(), 10);
        assert!(inbox.receive("", 30).await.unwrap().is_empty());
        let receipts: Vec<String> = first.into_iter().map(|message| message.receipt).collect();
        inbox.delete("", &receipts).await.unwrap();
        assert_eq!(inbox.receive("", 30).await.unwrap().len(), 1);
    }

    #[tokio::test]
    #[should_panic(expected = "SQS takes no such id")]
    async fn an_id_that_sqs_refuses_is_a_defect() {
        let port = FakeQueue::new("LedgerQueue", Faults::none(), Calls::default()).port();
        drop(port.send_fifo("", vec![FifoMessage { group: "a b".to_owned(), ..message(0, "x") }]).await);
    }
}
