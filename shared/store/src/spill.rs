//! Records that the delivery stream refused for good, in the bronze bucket: kept whole until somebody puts them back.
//!
//! Invariant: a spill object is written once. Its key names the hour of its arrival and nothing else; its lines hold records exactly as
//! the stream would have taken them.

use std::borrow::Cow;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use ledgerline_event::instant;
use ledgerline_lake::keys::SPILL;
use ledgerline_ledger::store::StoreError;
use serde::{Deserialize, Serialize};

use crate::bucket::{self, Bucket, PutOutcome, put_if_free, refused};

/// `spill/<yyyy>/<mm>/<dd>/<hh>/<32 hex>.jsonl`: the hour of arrival, and a name that is drawn for each object.
pub fn key(received_at_ms: i64, name: [u8; 16]) -> String {
    let at = instant::civil(received_at_ms);
    let name: String = name.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{SPILL}{:04}/{:02}/{:02}/{:02}/{name}.jsonl", at.year, at.month, at.day, at.hour)
}

/// Whether a key is of a spill object.
pub fn is_key(key: &str) -> bool {
    let Some(rest) = key.strip_prefix(SPILL).and_then(|rest| rest.strip_suffix(".jsonl")) else { return false };
    let parts: Vec<&str> = rest.split('/').collect();
    let is_digits = |part: &str, digits: usize| part.len() == digits && part.bytes().all(|byte| byte.is_ascii_digit());
    let [year, month, day, hour, name] = parts[..] else { return false };
    is_digits(year, 4)
        && [month, day, hour].into_iter().all(|part| is_digits(part, 2))
        && name.len() == 32
        && name.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// A line of a spill object: one record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpillLine {
    /// When the record reached us, epoch milliseconds.
    pub received_at_ms: i64,
    /// Why the stream refused it: a word of [`StoreError::kind`].
    pub reason: String,
    /// What goes back into the stream, as it is.
    pub record: Vec<u8>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Stored<'a> {
    v: u8,
    #[serde(borrow)]
    received_at: Cow<'a, str>,
    #[serde(borrow)]
    reason: Cow<'a, str>,
    #[serde(borrow)]
    record_base64: Cow<'a, str>,
}

const VERSION: u8 = 1;

impl SpillLine {
    /// Reads a line; `None` if it is not one.
    pub fn parse(line: &[u8]) -> Option<Self> {
        let stored: Stored<'_> = serde_json::from_slice(line).ok().filter(|stored: &Stored<'_>| stored.v == VERSION)?;
        Some(Self {
            received_at_ms: instant::parse(&stored.received_at)?,
            reason: stored.reason.into_owned(),
            record: STANDARD.decode(stored.record_base64.as_bytes()).ok()?,
        })
    }

    /// Appends the line, its line feed included.
    pub fn write(&self, out: &mut Vec<u8>) {
        let stored = Stored {
            v: VERSION,
            received_at: instant::to_rfc3339(self.received_at_ms).into(),
            reason: self.reason.as_str().into(),
            record_base64: STANDARD.encode(&self.record).into(),
        };
        // Texts and a number: writing them into memory does not fail.
        let _ = serde_json::to_writer(&mut *out, &stored);
        out.push(b'\n');
    }
}

/// What the stream refused.
#[derive(Clone, Debug)]
pub struct Spill {
    bucket: Arc<dyn Bucket>,
}

impl Spill {
    /// Objects of the bronze bucket.
    pub fn new(bucket: Arc<dyn Bucket>) -> Self {
        Self { bucket }
    }

    /// Puts lines at a key that is drawn for them.
    ///
    /// # Errors
    /// The bucket's; `Conflict` if the key is taken, which a drawn one is not.
    pub async fn put(&self, key: &str, lines: &[SpillLine]) -> Result<(), StoreError> {
        let mut bytes = Vec::new();
        lines.iter().for_each(|line| line.write(&mut bytes));
        let what = format!("put {key}");
        let put = bucket::Put::of(key, Bytes::from(bytes), "application/x-ndjson");
        match put_if_free(self.bucket.as_ref(), &what, put).await? {
            PutOutcome::Written { .. } => Ok(()),
            PutOutcome::Refused { .. } => Err(refused(&what)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_names_an_hour_and_nothing_that_was_said() {
        let key = key(1_772_460_000_000, [0xAB; 16]);
        assert_eq!(key, "spill/2026/03/02/14/abababababababababababababababab.jsonl");
        assert!(is_key(&key));
        for other in [
            key.replace("spill/", "x/"),
            key.replace("/14/", "/1/"),
            key.replace(".jsonl", ".gz"),
            key.replace("ab.jsonl", "aG.jsonl"),
            key.replace("/14/", "/"),
        ] {
            assert!(!is_key(&other), "{other}");
        }
    }

    #[test]
    fn a_line_is_stored_in_this_form_and_read_back() {
        let line = SpillLine { received_at_ms: 1_772_460_000_000, reason: "denied".into(), record: b"\xFF\n".to_vec() };
        let mut stored = Vec::new();
        line.write(&mut stored);
        let form =
            "{\"v\":1,\"receivedAt\":\"2026-03-02T14:00:00.000Z\",\"reason\":\"denied\",\"recordBase64\":\"/wo=\"}\n";
        assert_eq!(String::from_utf8(stored).unwrap(), form);
        assert_eq!(SpillLine::parse(form.as_bytes()), Some(line));
        for other in
            ["", "{}", &form.replace("\"v\":1", "\"v\":2"), &form.replace("/wo=", "%"), &form.replace("14:00", "x")]
        {
            assert_eq!(SpillLine::parse(other.as_bytes()), None, "{other}");
        }
    }
}
