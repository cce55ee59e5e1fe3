//! Dead letters: where each dead-letter queue's messages go back to, and the messages that point at a line that was kept.
//!
//! Invariant: a message holds no content, but those of `RuleDeadLetterQueue`, which EventBridge puts there whole and a key of KMS
//! encrypts. A pointer names a line by its object, and what the line is about by interaction and lineage token alone.

use std::sync::Arc;

use ledgerline_event::names::Names;
use ledgerline_ledger::store::{Failure, StoreError};
use serde::{Deserialize, Serialize};

use crate::queue::Queue;
use crate::replay_mark::Place;

/// Where a message of a dead-letter queue belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Home {
    /// Back into this queue.
    Queue(&'static str),
    /// Back into this FIFO queue, in its group.
    Fifo(&'static str),
    /// Into the delivery stream: the message is an event.
    Stream,
}

/// Each dead-letter queue, by the template's names, and where its messages belong. One that a deployment lacks has none.
pub const ROUTES: [(&str, Home); 5] = [
    ("BronzeDeadLetterQueue", Home::Queue("BronzeQueue")),
    ("LedgerDeadLetterQueue", Home::Fifo("LedgerQueue")),
    ("ErrorsDeadLetterQueue", Home::Queue("ErrorsQueue")),
    ("EraseDeadLetterQueue", Home::Queue("EraseQueue")),
    ("RuleDeadLetterQueue", Home::Stream),
];

/// Documents of one record that a pointer names. Each takes some 200 bytes: 20 KB of the 256 that a message may have.
pub const NAMES_MAX: usize = 100;

/// A line that was kept and did not go on, to be put back with `ledgerline replay`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pointer {
    /// The version of this form.
    pub v: u8,
    /// How it came to be kept.
    pub kind: Kind,
    /// The key of the object in the bronze bucket.
    pub key: String,
    /// The line in it, from 0.
    pub line: u64,
    /// Why, as a closed code.
    pub reason: String,
    /// What its documents are about, [`NAMES_MAX`] at most.
    #[serde(default)]
    pub events: Vec<Names>,
}

/// How a line came to be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Redrive gave it up: it lies in quarantine.
    Kept,
    /// The stream refused it: it was spilled.
    Spilled,
}

impl Pointer {
    /// A pointer of the form that is written now.
    pub fn new(kind: Kind, place: Place, reason: impl Into<String>, events: Vec<Names>) -> Self {
        Self { v: VERSION, kind, key: place.object_key, line: place.line, reason: reason.into(), events }
    }

    /// The pointer that a message is; `None` if it is another message.
    pub fn read(body: &str) -> Option<Self> {
        serde_json::from_str::<Self>(body).ok().filter(|pointer| pointer.v == VERSION)
    }

    /// The line.
    pub fn place(&self) -> Place {
        Place { object_key: self.key.clone(), line: self.line }
    }
}

/// The messages of one dead-letter queue that a function writes.
#[derive(Clone, Debug)]
pub struct DeadLetters {
    queue: Arc<dyn Queue>,
}

impl DeadLetters {
    /// Messages of the queue.
    pub fn new(queue: Arc<dyn Queue>) -> Self {
        Self { queue }
    }

    /// Sends a pointer; the same one may be sent again.
    ///
    /// # Errors
    /// The queue's.
    pub async fn send(&self, pointer: &Pointer) -> Result<(), StoreError> {
        let what = format!("tell of line {} of {}", pointer.line, pointer.key);
        let body = serde_json::to_string(pointer)
            .map_err(|error| StoreError::Corrupt(Failure::caused_by(what.as_str(), error)))?;
        self.queue.send(&what, body).await
    }
}

const VERSION: u8 = 1;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pointer_is_stored_in_this_form_and_nothing_else_is_one() {
        let place = Place { object_key: "quarantine/redrive/x.jsonl".to_owned(), line: 3 };
        let names = Names { lineage_token: Some("t".to_owned()), interaction_id: Some("c-1".to_owned()) };
        let pointer = Pointer::new(Kind::Kept, place, "unprocessable", vec![names]);
        let body = r#"{"v":1,"kind":"kept","key":"quarantine/redrive/x.jsonl","line":3,"reason":"unprocessable","events":[{"lineageToken":"t","interactionId":"c-1"}]}"#;
        assert_eq!(serde_json::to_string(&pointer).unwrap(), body);
        assert_eq!(Pointer::read(body), Some(pointer));
        for other in [
            "",
            "{}",
            r#"{"Records":[]}"#,
            r#"{"v":1,"kind":"suppressed","bucket":"b","key":"k","object":"o"}"#,
            &body.replace("\"v\":1", "\"v\":2"),
        ] {
            assert_eq!(Pointer::read(other), None, "{other}");
        }
    }
}
