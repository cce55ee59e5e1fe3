//! The port of the SQS queues, and the families of their messages: pointers to chunks, notifications, notes to the eraser.
//!
//! Invariant: a send returns `Ok` only when the queue took every message, in their order.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use ledgerline_event::instant;
use ledgerline_lake::ObjectId;
use ledgerline_lake::plan::Pointer;
use ledgerline_ledger::store::StoreError;
use serde::Deserialize;
use serde_json::json;

use crate::{deletion, request};

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

    /// Sends that a request's erasure is to be looked at.
    ///
    /// # Errors
    /// The queue's.
    pub async fn erase(&self, request: &str) -> Result<(), StoreError> {
        let body = json!({ "v": 1, "kind": "erase", "request": request });
        self.queue.send(&format!("send {request} to the eraser"), body.to_string()).await
    }

    /// Sends that a day, `yyyy-mm-dd`, has come on which acts of deletion are recorded.
    ///
    /// # Errors
    /// The queue's.
    pub async fn pool(&self, day: &str) -> Result<(), StoreError> {
        let body = json!({ "v": 1, "kind": "pool", "day": day });
        self.queue.send(&format!("send the pool of {day} to the eraser"), body.to_string()).await
    }

    /// Sends what a `WAKE` row says: its time, RFC 3339, and its request or what stands in its place.
    ///
    /// # Errors
    /// The queue's.
    pub async fn wake(&self, (at, id): (&str, &str)) -> Result<(), StoreError> {
        match at.split_once('T') {
            Some((day, _)) if id == deletion::WAKES_POOL => self.pool(day).await,
            _ => self.erase(id).await,
        }
    }

    /// Sends that no hold is on a record any more, of which an erasure was put off.
    ///
    /// # Errors
    /// The queue's.
    pub async fn released(&self, record: &str) -> Result<(), StoreError> {
        let body = json!({ "v": 1, "kind": "released", "record": record });
        // A record's id may hold an alias: no error says it.
        self.queue.send("send a released record to the eraser", body.to_string()).await
    }
}

/// A message of the erase queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EraseNote {
    /// A request's erasure is to be looked at.
    Erase {
        /// The request.
        request: String,
    },
    /// An object holds lines which an erasure before them covers.
    Suppressed {
        /// The bucket.
        bucket: String,
        /// The object's key.
        key: String,
        /// The object's id.
        object: String,
    },
    /// No hold is on a record any more, of which an erasure was put off.
    Released {
        /// `<org>/<record>`.
        record: String,
    },
    /// A day has come on which acts of deletion are recorded.
    Pool {
        /// The day, `yyyy-mm-dd`.
        day: String,
    },
}

impl EraseNote {
    /// Reads what [`EraseNotes`] sends, and nothing else: the object is the one that bucket and key name.
    pub fn parse(body: &str) -> Option<Self> {
        let Versioned { v: 1, note } = serde_json::from_str(body).ok()? else { return None };
        let fits = match &note {
            RawNote::Erase { request } => request::is_id(request),
            RawNote::Suppressed { bucket, key, object } => ObjectId::of(bucket, key).to_hex() == *object,
            RawNote::Released { record } => {
                record.split_once('/').is_some_and(|(org, id)| !org.is_empty() && !id.is_empty())
            }
            RawNote::Pool { day } => instant::parse(&deletion::midnight(day)).is_some(),
        };
        fits.then_some(match note {
            RawNote::Erase { request } => Self::Erase { request },
            RawNote::Suppressed { bucket, key, object } => Self::Suppressed { bucket, key, object },
            RawNote::Released { record } => Self::Released { record },
            RawNote::Pool { day } => Self::Pool { day },
        })
    }
}

#[derive(Deserialize)]
struct Versioned {
    v: u32,
    #[serde(flatten)]
    note: RawNote,
}

#[derive(Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
enum RawNote {
    Erase { request: String },
    Suppressed { bucket: String, key: String, object: String },
    Released { record: String },
    Pool { day: String },
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_to_the_eraser_is_read_as_it_is_sent_and_nothing_else_is() {
        let (id, object) = (request::id_of_random([7; 16]), ObjectId::of("b", "bronze/a").to_hex());
        let suppressed = format!(r#"{{"v":1,"kind":"suppressed","bucket":"b","key":"bronze/a","object":"{object}"}}"#);
        let notes = [
            (format!(r#"{{"v":1,"kind":"erase","request":"{id}"}}"#), EraseNote::Erase { request: id.clone() }),
            (suppressed.clone(), EraseNote::Suppressed { bucket: "b".into(), key: "bronze/a".into(), object }),
            (
                r#"{"v":1,"kind":"released","record":"acme/c-1"}"#.into(),
                EraseNote::Released { record: "acme/c-1".into() },
            ),
            (r#"{"v":1,"kind":"pool","day":"2026-03-02"}"#.into(), EraseNote::Pool { day: "2026-03-02".into() }),
        ];
        for (body, note) in notes {
            assert_eq!(EraseNote::parse(&body), Some(note), "{body}");
            assert_eq!(EraseNote::parse(&body.replacen('1', "2", 1)), None, "another version");
            assert_eq!(EraseNote::parse(&body.replacen("kind", "sort", 1)), None);
        }
        let bad = ["", "[]", "1", r#"{"v":1,"kind":"erase"}"#, r#"{"v":1,"kind":"erase","request":"7"}"#];
        let bad = bad.into_iter().chain([
            r#"{"v":1,"kind":"released","record":"acme"}"#,
            r#"{"v":1,"kind":"all"}"#,
            r#"{"v":1,"kind":"pool","day":"x"}"#,
        ]);
        for body in bad.map(str::to_owned).chain([suppressed.replace("bronze/a", "bronze/b")]) {
            assert_eq!(EraseNote::parse(&body), None, "{body}");
        }
    }
}
