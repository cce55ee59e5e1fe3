//! An error object taken apart: gzip or not, by line, each line one record as base64.
//!
//! What is no such line is given back as it is: the caller keeps it.

use std::io::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use flate2::write::MultiGzDecoder;
use ledgerline_aws::stream::RECORD_BYTES_MAX;
use ledgerline_lake::bronze::{self, BronzeLine};
use ledgerline_ledger::store::{Failure, StoreError};
use serde::Deserialize;
use std::borrow::Cow;

/// A record of 1,000 KiB is 1.4 MB as base64, and 1.9 MB if it was a quarantine line before; the members around it take
/// some hundred bytes. What is longer is no line of Firehose's.
const LINE_BYTES_MAX: usize = 4 * 1024 * 1024;

/// The lines of an object that arrives in pieces.
pub(crate) struct Lines {
    what: String,
    input: Input,
    text: Vec<u8>,
    /// Where the next line begins in `text`, and how much of it is known to hold no line feed.
    start: usize,
    searched: usize,
}

enum Input {
    /// Too few bytes to tell.
    Unknown(Vec<u8>),
    Plain,
    Gzip(Box<MultiGzDecoder<Vec<u8>>>),
}

impl Lines {
    pub(crate) fn new(key: &str) -> Self {
        let input = Input::Unknown(Vec::new());
        Self { what: format!("gunzip {key}"), input, text: Vec::new(), start: 0, searched: 0 }
    }

    /// Takes the next piece.
    pub(crate) fn push(&mut self, piece: &[u8]) -> Result<(), StoreError> {
        self.text.drain(..self.start);
        self.searched -= self.start;
        self.start = 0;
        match &mut self.input {
            Input::Unknown(seen) => {
                seen.extend_from_slice(piece);
                if seen.len() < 2 {
                    return Ok(());
                }
                let seen = std::mem::take(seen);
                let gzip = seen.starts_with(&[0x1F, 0x8B]);
                self.input = if gzip { Input::Gzip(Box::new(MultiGzDecoder::new(Vec::new()))) } else { Input::Plain };
                return self.push(&seen);
            }
            Input::Plain => self.text.extend_from_slice(piece),
            Input::Gzip(decoder) => {
                decoder.write_all(piece).map_err(|error| corrupt(&self.what, error))?;
                self.text.append(decoder.get_mut());
            }
        }
        Ok(())
    }

    /// The next whole line, or a part of one that is longer than any line may be.
    pub(crate) fn next_line(&mut self) -> Option<Vec<u8>> {
        let feed = self.text[self.searched..].iter().position(|byte| *byte == b'\n');
        let end = match feed {
            Some(ahead) => self.searched + ahead + 1,
            None if self.text.len() - self.start > LINE_BYTES_MAX => self.text.len(),
            None => {
                self.searched = self.text.len();
                return None;
            }
        };
        let line = self.text[self.start..end].to_vec();
        self.start = end;
        self.searched = end;
        Some(line)
    }

    /// What is left at the end: the last lines, if no line feed ends them.
    pub(crate) fn finish(mut self) -> Result<Vec<Vec<u8>>, StoreError> {
        match std::mem::replace(&mut self.input, Input::Plain) {
            Input::Unknown(seen) => self.text.extend_from_slice(&seen),
            Input::Plain => {}
            Input::Gzip(decoder) => {
                let rest = decoder.finish().map_err(|error| corrupt(&self.what, error))?;
                self.text.extend_from_slice(&rest);
            }
        }
        let mut lines: Vec<Vec<u8>> = std::iter::from_fn(|| self.next_line()).collect();
        lines.push(self.text.split_off(self.start));
        Ok(lines)
    }
}

fn corrupt(what: &str, error: std::io::Error) -> StoreError {
    StoreError::Corrupt(Failure::caused_by(what, error))
}

/// What Firehose writes of a record that it could not process; the other members say why.
#[derive(Deserialize)]
struct ErrorLine<'a> {
    #[serde(borrow, rename = "rawData", alias = "RawData")]
    raw_data: Cow<'a, str>,
}

/// The record of a line, as it was put into the stream; `None` if there is none in it, or none that may be put back.
pub(crate) fn read_line(line: &[u8]) -> Option<Bytes> {
    let line: ErrorLine<'_> = serde_json::from_slice(line).ok()?;
    let data = STANDARD.decode(line.raw_data.as_bytes()).ok()?;
    let record = before_ingest(data);
    (record.len() <= RECORD_BYTES_MAX).then(|| Bytes::from(record))
}

/// A record whose delivery failed after ingest holds bronze lines: their sources' bytes are what goes back. A record
/// with any other line in it goes back as it is.
fn before_ingest(data: Vec<u8>) -> Vec<u8> {
    let mut original = Vec::with_capacity(data.len());
    for line in data.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        let bytes = match bronze::read(line) {
            BronzeLine::Event(event) if event.received_at_ms.is_some() => event.raw,
            BronzeLine::Quarantine(kept) if kept.received_at_ms.is_some() => kept.bytes,
            _ => return data,
        };
        original.extend_from_slice(&bytes);
        original.push(b'\n');
    }
    original
}
