//! Error objects: what Firehose could not transform or deliver, which redrive reads, keeps and deletes. The bucket is the
//! one that the notification names.

use std::borrow::Cow;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use ledgerline_event::{instant, replayed};
use ledgerline_lake::bronze::{self, BronzeLine};
use ledgerline_ledger::store::StoreError;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::bucket::{self, Buckets, Get, Opened};

/// All error objects.
#[derive(Clone, Debug)]
pub struct ErrorObjects {
    buckets: Arc<dyn Buckets>,
}

impl ErrorObjects {
    /// Objects of buckets that notifications name.
    pub fn new(buckets: Arc<dyn Buckets>) -> Self {
        Self { buckets }
    }

    /// Opens the object's newest version.
    ///
    /// # Errors
    /// The bucket's; `NotFound` if it is gone.
    pub async fn open(&self, bucket: &str, key: &str) -> Result<Opened, StoreError> {
        // The key names a time and a delivery stream, nothing of a person.
        self.buckets.named(bucket).open(&format!("read {key}"), Get::current(key)).await
    }

    /// Deletes the version for good. One that is gone already is not an error.
    ///
    /// # Errors
    /// The bucket's.
    pub async fn delete(&self, bucket: &str, key: &str, version_id: Option<&str>) -> Result<(), StoreError> {
        // Naming the version deletes it; without, a bucket with versions would only hide it under a marker.
        self.buckets.named(bucket).delete(&format!("delete {key}"), key, version_id).await
    }

    /// Puts lines that cannot go back into the stream; the same lines may be put again.
    ///
    /// # Errors
    /// The bucket's.
    pub async fn keep(&self, bucket: &str, key: &str, lines: Bytes) -> Result<(), StoreError> {
        let put = bucket::Put::of(key, lines, "application/x-ndjson");
        self.buckets.named(bucket).put(&format!("put {key}"), put).await.map(drop)
    }
}

/// What Firehose writes of a record that it could not process; the other members tell of the attempts.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Line<'a> {
    #[serde(borrow, alias = "RawData")]
    raw_data: Cow<'a, str>,
    #[serde(borrow, default)]
    error_code: Option<&'a RawValue>,
    #[serde(borrow, default)]
    arrival_timestamp: Option<&'a RawValue>,
}

/// A record that Firehose could not process or deliver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failed {
    /// The record as its source sent it, with the marks that it came with ([`replayed`]).
    pub record: Vec<u8>,
    /// Firehose's code for what failed, where it is spelled as a code is.
    pub code: Option<String>,
    /// When the record reached Firehose, epoch milliseconds.
    pub arrived_at_ms: Option<i64>,
}

/// Reads a line of an error object; `None` if it is not a record.
pub fn read_line(line: &[u8]) -> Option<Failed> {
    let Line { raw_data, error_code, arrival_timestamp } = serde_json::from_slice(line).ok()?;
    let record = before_ingest(STANDARD.decode(raw_data.as_bytes()).ok()?);
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    let is_code = |code: &String| (1..=CODE_BYTES_MAX).contains(&code.len()) && code.bytes().all(plain);
    let code = error_code.and_then(|code| serde_json::from_str::<String>(code.get()).ok()).filter(is_code);
    Some(Failed { record, code, arrived_at_ms: arrival_timestamp.and_then(|at| instant::parse(at.get())) })
}

/// Firehose's codes have some 30 bytes, such as `Lambda.ProcessingFailedStatus`.
const CODE_BYTES_MAX: usize = 64;

/// A record whose delivery failed after ingest holds bronze lines: their sources' bytes are what goes back, one a line, marked as often as
/// any of them was replayed. A record with any other line in it goes back as it is.
fn before_ingest(data: Vec<u8>) -> Vec<u8> {
    let (mut sent, mut times) = (Vec::new(), 0);
    for line in data.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        let (bytes, replayed) = match bronze::read(line) {
            BronzeLine::Event(event) if event.received_at_ms.is_some() => (event.raw, event.replayed),
            BronzeLine::Quarantine(kept) if kept.received_at_ms.is_some() => (kept.bytes, kept.replayed),
            _ => return data,
        };
        sent.push(bytes);
        times = times.max(replayed);
    }
    replayed::marked(sent.join(&b"\n"[..]), times, crate::stream::RECORD_BYTES_MAX)
}

#[cfg(test)]
mod tests {
    use ledgerline_event::document::Rejection;
    use ledgerline_lake::bronze::{NewQuarantine, write_quarantine};

    use super::*;

    fn line(data: &[u8], members: &str) -> String {
        format!("{{\"rawData\":\"{}\"{members}}}", STANDARD.encode(data))
    }

    #[test]
    fn a_line_is_a_record_with_what_failed_and_when_it_came() {
        let members = ",\"errorCode\":\"Lambda.FunctionError\",\"arrivalTimestamp\":1772460000000,\"attemptsMade\":3";
        let read = read_line(line(b"{}\t", members).as_bytes()).unwrap();
        let code = Some("Lambda.FunctionError".to_owned());
        assert_eq!(read, Failed { record: b"{}\t".to_vec(), code, arrived_at_ms: Some(1_772_460_000_000) });
        let odd = read_line(line(b"{}", ",\"errorCode\":\"said by somebody\"").as_bytes()).unwrap();
        assert_eq!((odd.code, odd.arrived_at_ms), (None, None));
        let later = read_line(line(b"{}", ",\"errorCode\":7,\"arrivalTimestamp\":{}").as_bytes()).unwrap();
        assert_eq!((later.record, later.code), (b"{}".to_vec(), None), "what is told beside a record loses none");
        for line in ["", "{}", "{\"rawData\":\"not base64!\"}", "{\"rawData\":7}"] {
            assert_eq!(read_line(line.as_bytes()), None, "{line}");
        }
    }

    #[test]
    fn what_failed_after_ingest_keeps_how_often_it_was_replayed() {
        let mut lines = Vec::new();
        for replayed in [0, 2] {
            let (received_at_ms, reason) = (0, Rejection::NotJson);
            write_quarantine(
                &NewQuarantine { received_at_ms, reason, replayed, cut: &[], bytes: b"garbage" },
                &mut lines,
            );
        }
        let read = read_line(line(&lines, "").as_bytes()).unwrap();
        assert_eq!(replayed::read(&read.record), (&b"garbage\ngarbage"[..], 2));
    }
}
