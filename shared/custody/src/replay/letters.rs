//! Dead letters go back to where they belong: notifications and pointers into their queues, events into the stream.
//!
//! Invariant: a message is deleted once it was sent, and not before. A message that points at a kept line is deleted once that line was
//! put back, and stays until then. What stays is shown to others again when the run ends.

use std::collections::BTreeSet;
use std::sync::Arc;

use ledgerline_ledger::store::StoreError;
use ledgerline_store::dead_letter::{Home, Pointer};
use ledgerline_store::queue::{FifoMessage, Inbox, Queue, Received};
use ledgerline_store::replay_mark::ReplayMarks;
use ledgerline_store::stream::Stream;
use ledgerline_store::table::Table;

use super::kept::{Read, UNKNOWN, going_back, is_code};
use super::report::{Group, LettersReport, Seen, Wanted};
use super::{Mode, batches};

/// A dead-letter queue and where its messages belong.
#[derive(Clone, Debug)]
pub struct LetterQueue {
    /// The template's name.
    pub name: &'static str,
    /// Its messages.
    pub inbox: Arc<dyn Inbox>,
    /// The same queue, to show messages again.
    pub dead: Arc<dyn Queue>,
    /// Where its messages belong.
    pub home: Home,
    /// The queue that they go back to; the stream's have none.
    pub back: Option<Arc<dyn Queue>>,
}

/// What dead letters need beside their queues.
#[derive(Clone, Debug)]
pub struct Letters {
    marks: ReplayMarks,
    stream: Arc<dyn Stream>,
}

/// What a message is, in the place of a reason.
const NOTIFICATION: &str = "notification";
const CHUNK: &str = "chunk";
const EVENT: &str = "event";

/// For how long a message is hidden while a run works: longer than a thousand messages take.
const HIDDEN_S: u32 = 300;
/// Messages of one queue that stay and are remembered: enough to tell what is there. Their receipts are 0.4 MB.
const LEFT_MAX: usize = 1_000;

/// What becomes of a message.
enum Fate {
    /// It goes back, and then it is deleted.
    Goes(Group),
    /// It stays.
    Stays,
}

impl Letters {
    /// Over the control table and the delivery stream.
    pub fn new(control: Arc<dyn Table>, stream: Arc<dyn Stream>) -> Self {
        Self { marks: ReplayMarks::new(control), stream }
    }

    /// Goes through the messages of a queue. What was done before an error is in the report, and the same call again goes on from there.
    ///
    /// # Errors
    /// The stores'. What was received and stays is hidden for some minutes then.
    pub async fn run(
        &self,
        queue: &LetterQueue,
        wanted: &Wanted,
        mode: Mode,
        report: &mut LettersReport,
    ) -> Result<(), StoreError> {
        let (mut left, mut receipts) = (BTreeSet::new(), Vec::new());
        let mut is_round = false;
        while !is_round {
            let messages = queue.inbox.receive(&format!("receive from {}", queue.name), HIDDEN_S).await?;
            if messages.is_empty() {
                break;
            }
            let mut going = Vec::new();
            for message in messages {
                // One that stays is here again: the others were looked at while it was hidden.
                if left.contains(&message.id) {
                    is_round = true;
                    receipts.push(message.receipt);
                    continue;
                }
                match self.judge(queue, &message, wanted, report).await? {
                    Fate::Goes(group) if mode == Mode::Send => going.push((group, message)),
                    Fate::Goes(_) | Fate::Stays => {
                        left.insert(message.id);
                        receipts.push(message.receipt);
                    }
                }
            }
            self.send(queue, going, report).await?;
            if left.len() >= LEFT_MAX {
                report.cut_short.push(queue.name.to_owned());
                break;
            }
        }
        if receipts.is_empty() { Ok(()) } else { queue.dead.release(&receipts, 0).await }
    }

    async fn judge(
        &self,
        queue: &LetterQueue,
        message: &Received,
        wanted: &Wanted,
        report: &mut LettersReport,
    ) -> Result<Fate, StoreError> {
        let at_ms = message.sent_at_ms.unwrap_or_default();
        let pointer = Pointer::read(&message.body);
        let reason = match (&pointer, queue.home) {
            (Some(pointer), _) if is_code(&pointer.reason) => pointer.reason.as_str(),
            (Some(_), _) => UNKNOWN,
            (None, Home::Queue(_)) => NOTIFICATION,
            (None, Home::Fifo(_)) => CHUNK,
            (None, Home::Stream) => EVENT,
        };
        let group = Group::new(at_ms, queue.name, reason);
        if !wanted.wants_group(&group.reason, &group.source) || !wanted.wants_time(at_ms) {
            report.not_wanted += 1;
            return Ok(Fate::Stays);
        }
        if let Some(pointer) = pointer {
            let is_back = self.marks.of(&[pointer.place()]).await? == [true];
            report.points(Seen { queue: queue.name.to_owned(), pointer, is_back });
            if !is_back {
                return Ok(Fate::Stays);
            }
        } else if !goes(queue.home, &group, message) {
            report.unreadable += 1;
            return Ok(Fate::Stays);
        }
        report.saw(&group);
        Ok(Fate::Goes(group))
    }

    /// Sends messages to where they belong, and then deletes them. A crash in between sends them again.
    async fn send(
        &self,
        queue: &LetterQueue,
        going: Vec<(Group, Received)>,
        report: &mut LettersReport,
    ) -> Result<(), StoreError> {
        if going.is_empty() {
            return Ok(());
        }
        let what = format!("send {} messages of {} back", going.len(), queue.name);
        // A pointer's line is back already: the message has nothing more to say.
        let letters = || going.iter().filter(|(_, message)| Pointer::read(&message.body).is_none());
        match (queue.home, &queue.back) {
            (Home::Queue(_), Some(back)) => {
                for (_, message) in letters() {
                    back.send(&what, message.body.clone()).await?;
                }
            }
            (Home::Fifo(_), Some(back)) => back.send_fifo(&what, letters().filter_map(fifo).collect()).await?,
            (Home::Stream, _) => {
                let records = letters().filter_map(|(group, message)| match event(group, message) {
                    Read::Kept(kept) => Some(kept.records),
                    Read::Nothing | Read::Unreadable | Read::TooLarge => None,
                });
                for batch in batches(records.flatten()) {
                    self.stream.put(batch).await?;
                }
            }
            (Home::Queue(_) | Home::Fifo(_), None) => return Ok(()),
        }
        let receipts: Vec<String> = going.iter().map(|(_, message)| message.receipt.clone()).collect();
        queue.inbox.delete(&format!("delete {} messages of {}", receipts.len(), queue.name), &receipts).await?;
        going.iter().for_each(|(group, _)| report.sent(group));
        Ok(())
    }
}

/// Whether a message can go where those of its queue belong.
fn goes(home: Home, group: &Group, message: &Received) -> bool {
    match home {
        Home::Queue(_) => !message.body.is_empty(),
        Home::Fifo(_) => message.fifo.is_some() && !message.body.is_empty(),
        Home::Stream => matches!(event(group, message), Read::Kept(_)),
    }
}

/// The event that a message is. It never reached ingest: it is sent for the first time, and marked all the same, so that it is told from
/// one that came by itself.
fn event(group: &Group, message: &Received) -> Read {
    going_back(group.clone(), message.sent_at_ms.unwrap_or_default(), 0, message.body.as_bytes())
}

fn fifo((_, message): &(Group, Received)) -> Option<FifoMessage> {
    let (group, deduplication_id) = message.fifo.clone()?;
    Some(FifoMessage { group, deduplication_id, body: message.body.clone() })
}
