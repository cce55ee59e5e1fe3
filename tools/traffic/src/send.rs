//! `send`: puts events from files into the delivery stream, as Genesys' rule would: one event per record, verbatim.
//!
//! Invariant: every byte of an input is sent in exactly one record (white space between documents aside). What is not JSON
//! is sent, too: the chain must cope, and quarantines it.

use std::fs;
use std::io::{self, Read};
use std::path::Path;
use std::time::Duration;

use aws_sdk_firehose::primitives::Blob;
use aws_sdk_firehose::types::Record;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;
use xtask::fault::Fault;

use crate::stack::Stack;

/// Firehose: 500 records and 4 MiB in one call, 1,000 KiB in one record.
const BATCH_RECORDS: usize = 500;
const BATCH_BYTES: usize = 4 * 1024 * 1024;
const RECORD_BYTES: usize = 1_000 * 1024;
/// Rounds of a batch whose records were refused for the moment; 100 ms, doubled: 6 s in all.
const ROUNDS: u32 = 6;
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// What was sent.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Sent {
    /// Records accepted.
    pub records: usize,
    /// Their bytes.
    pub bytes: usize,
    /// Calls that it took.
    pub calls: usize,
    /// Records that had to be sent again.
    pub repeated: usize,
}

/// Reads a file, or standard input for `-`, and cuts it into records.
///
/// # Errors
/// It cannot be read, or a record is larger than Firehose takes.
pub fn read(path: &Path) -> Result<Vec<Vec<u8>>, Fault> {
    let mut bytes = Vec::new();
    let read = if path == Path::new("-") {
        io::stdin().lock().read_to_end(&mut bytes).map(|_| ())
    } else {
        fs::read(path).map(|content| bytes = content)
    };
    read.map_err(|error| {
        Fault::caused_by(format!("cannot read {}", path.display()), error, "name a readable file, or -")
    })?;
    let records = cut(&bytes);
    match records.iter().find(|record| record.len() > RECORD_BYTES) {
        Some(large) => Err(Fault::new(
            format!("{}: a record of {} bytes; Firehose takes {RECORD_BYTES}", path.display(), large.len()),
            "split it",
        )),
        None => Ok(records),
    }
}

/// Cuts an input into records: lines where lines hold whole documents, else documents (of an array: its elements), else,
/// where some line is a document of its own, lines again; and what no rule fits is one record.
pub fn cut(bytes: &[u8]) -> Vec<Vec<u8>> {
    let lines = || bytes.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii).filter(|line| !line.is_empty());
    let owned = |parts: Vec<&[u8]>| parts.into_iter().map(<[u8]>::to_vec).collect();
    if lines().all(|line| documents(line).is_some()) {
        return match lines().collect::<Vec<_>>().as_slice() {
            [only] => owned(documents(only).map_or_else(|| vec![*only], elements)),
            several => owned(several.to_vec()),
        };
    }
    if let Some(documents) = documents(bytes) {
        return owned(elements(documents));
    }
    if lines().any(|line| line.starts_with(b"{") && documents(line).is_some()) {
        return owned(lines().collect());
    }
    vec![bytes.to_vec()]
}

/// Puts records into the stack's delivery stream.
///
/// # Errors
/// The stream does not take them.
pub async fn put(stack: &Stack, records: &[Vec<u8>]) -> Result<Sent, Fault> {
    let client = stack.clients().await.firehose;
    let stream = stack.stream("EventStream")?;
    let mut sent = Sent::default();
    for batch in batches(records) {
        let mut waiting: Vec<&[u8]> = batch.iter().map(Vec::as_slice).collect();
        let mut pause = FIRST_PAUSE;
        for _ in 0..ROUNDS {
            let answer = client
                .put_record_batch()
                .delivery_stream_name(stream)
                .set_records(Some(waiting.iter().map(|data| record(data)).collect()))
                .send()
                .await
                .map_err(|error| stack.unreachable(format!("cannot put records into {stream}"), error.into_source()))?;
            sent.calls += 1;
            let refused: Vec<&[u8]> = waiting
                .iter()
                .zip(answer.request_responses())
                .filter(|(_, response)| response.error_code().is_some())
                .map(|(data, _)| *data)
                .collect();
            sent.records += waiting.len() - refused.len();
            waiting = refused;
            if waiting.is_empty() {
                break;
            }
            sent.repeated += waiting.len();
            tokio::time::sleep(pause).await;
            pause *= 2;
        }
        if !waiting.is_empty() {
            return Err(Fault::new(
                format!("{stream} refused {} records again and again", waiting.len()),
                "wait and send again: duplicates are recognised; for a higher rate, raise the stream's quota",
            ));
        }
        sent.bytes += batch.iter().map(Vec::len).sum::<usize>();
    }
    Ok(sent)
}

/// All top-level documents of a text; `None` if anything in it is not JSON.
fn documents(bytes: &[u8]) -> Option<Vec<&[u8]>> {
    let text = std::str::from_utf8(bytes).ok()?;
    let values: Result<Vec<&RawValue>, _> = serde_json::Deserializer::from_str(text).into_iter().collect();
    values.ok().map(|values| values.into_iter().map(|value| value.get().as_bytes()).collect())
}

/// An array of objects that stands alone is a list of events.
fn elements(documents: Vec<&[u8]>) -> Vec<&[u8]> {
    let [only] = documents.as_slice() else { return documents };
    match serde_json::from_slice::<Vec<&RawValue>>(only) {
        Ok(values) if !values.is_empty() && values.iter().all(|value| is_object(value)) => {
            values.into_iter().map(|value| value.get().as_bytes()).collect()
        }
        _ => documents,
    }
}

fn is_object(value: &RawValue) -> bool {
    serde_json::from_str::<std::collections::BTreeMap<String, IgnoredAny>>(value.get()).is_ok()
}

fn batches(records: &[Vec<u8>]) -> Vec<&[Vec<u8>]> {
    let mut batches = Vec::new();
    let (mut start, mut bytes) = (0, 0);
    for (at, record) in records.iter().enumerate() {
        if at > start && (at - start == BATCH_RECORDS || bytes + record.len() > BATCH_BYTES) {
            batches.push(&records[start..at]);
            (start, bytes) = (at, 0);
        }
        bytes += record.len();
    }
    if start < records.len() {
        batches.push(&records[start..]);
    }
    batches
}

#[expect(clippy::expect_used, reason = "data is set on the line above the build")]
fn record(data: &[u8]) -> Record {
    // Unwrap safety: the builder misses nothing but data.
    Record::builder().data(Blob::new(data)).build().expect("a record with data")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(input: &str) -> Vec<String> {
        cut(input.as_bytes()).into_iter().map(|record| String::from_utf8(record).unwrap()).collect()
    }

    #[test]
    fn lines_stay_as_they_are() {
        assert_eq!(texts("{\"a\":1}\n\n{\"b\":2}{\"c\":3}\r\n"), ["{\"a\":1}", "{\"b\":2}{\"c\":3}"]);
    }

    #[test]
    fn a_document_over_several_lines_is_one_record() {
        assert_eq!(texts("{\n  \"a\": \"}{\"\n}\n{\"b\":\n2}"), ["{\n  \"a\": \"}{\"\n}", "{\"b\":\n2}"]);
    }

    #[test]
    fn an_array_of_objects_is_a_list_of_events() {
        assert_eq!(texts("[{\"a\":1},\n{\"b\":2}]"), ["{\"a\":1}", "{\"b\":2}"]);
        assert_eq!(texts("[{\"a\":1},2]"), ["[{\"a\":1},2]"]);
    }

    #[test]
    fn garbage_between_lines_is_a_record_of_its_own() {
        assert_eq!(texts("{\"a\":1}\n{\"b\":\n{\"c\":3}"), ["{\"a\":1}", "{\"b\":", "{\"c\":3}"]);
    }

    #[test]
    fn what_is_no_json_at_all_is_one_record() {
        assert_eq!(cut(b"[\"\xff\n\"]"), [b"[\"\xff\n\"]".to_vec()]);
    }

    #[test]
    fn batches_keep_to_both_limits() {
        let small = vec![vec![0; 10]; 1_001];
        assert_eq!(batches(&small).iter().map(|batch| batch.len()).collect::<Vec<_>>(), [500, 500, 1]);
        let large = vec![vec![0; 1_500_000]; 3];
        assert_eq!(batches(&large).iter().map(|batch| batch.len()).collect::<Vec<_>>(), [2, 1]);
    }
}
