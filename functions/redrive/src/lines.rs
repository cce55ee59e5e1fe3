//! An error object taken apart: gzip or not, by line, each line one record as base64.
//!
//! What is no such line is given back as it is: the caller keeps it.

use std::io::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use flate2::write::MultiGzDecoder;
use ledgerline_event::pieces::pieces;
use ledgerline_lake::bronze::{self, BronzeLine};
use ledgerline_ledger::store::{Failure, StoreError};
use ledgerline_store::stream::RECORD_BYTES_MAX;
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

/// What a line holds.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Content {
    /// A record, as it goes back into the stream: itself, or the pieces of one that was too much for an answer.
    Records(Vec<Bytes>),
    /// A record that came round too often, as its source sent it.
    Unprocessable(Vec<u8>),
    /// No record, or one that the stream never took.
    None,
}

/// How often a record goes back. A round takes the queue's rest of a quarter of an hour and some minutes in the stream:
/// 96 rounds are more than a day, longer than most outages of a function.
const ROUNDS_MAX: usize = 96;

/// Marks a round, at a record's end: white space is no part of a document, and sources end theirs otherwise if at all.
/// Nothing else of a record is kept by Firehose from one round to the next.
const ROUND: u8 = b'\t';

/// Reads a line.
pub(crate) fn read_line(line: &[u8]) -> Content {
    let line: Result<ErrorLine<'_>, _> = serde_json::from_slice(line);
    let data = line.ok().and_then(|line| STANDARD.decode(line.raw_data.as_bytes()).ok());
    match data.map(before_ingest) {
        Some(record) => next_round(record),
        None => Content::None,
    }
}

/// A record has one round more behind it, and so has each of its pieces, unless it had all of them. One that has no room for the
/// marks goes back without: it is never given up, for want of a place to count.
fn next_round(mut record: Vec<u8>) -> Content {
    let rounds = record.iter().rev().take_while(|byte| **byte == ROUND).count();
    record.truncate(record.len() - rounds);
    if rounds >= ROUNDS_MAX {
        return Content::Unprocessable(record);
    }
    let marked = |mut piece: Vec<u8>| {
        let room = RECORD_BYTES_MAX.saturating_sub(piece.len());
        piece.resize(piece.len() + room.min(rounds + 1), ROUND);
        Bytes::from(piece)
    };
    let pieces = match pieces(&record) {
        // Nothing but marks: it is a record all the same.
        none if none.is_empty() => vec![record],
        pieces => pieces,
    };
    // What the stream never took, it does not take now.
    match pieces.iter().all(|piece| piece.len() <= RECORD_BYTES_MAX) {
        true => Content::Records(pieces.into_iter().map(marked).collect()),
        false => Content::None,
    }
}

/// A record whose delivery failed after ingest holds bronze lines: their sources' bytes are what goes back, one a line. A record with
/// any other line in it goes back as it is.
fn before_ingest(data: Vec<u8>) -> Vec<u8> {
    let mut sent = Vec::new();
    for line in data.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        sent.push(match bronze::read(line) {
            BronzeLine::Event(event) if event.received_at_ms.is_some() => event.raw,
            BronzeLine::Quarantine(kept) if kept.received_at_ms.is_some() => kept.bytes,
            _ => return data,
        });
    }
    sent.join(&b"\n"[..])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(content: Content) -> Bytes {
        match content {
            Content::Records(mut records) if records.len() == 1 => records.remove(0),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn each_piece_of_a_record_of_many_documents_bears_its_rounds() {
        let documents: String = (0..9_000).map(|n| format!("{{\"interactionId\":\"i-{n}\"}}")).collect();
        let record = [documents.as_bytes(), b"\t\t"].concat();
        let Content::Records(pieces) = next_round(record) else { panic!("given up") };
        assert!(pieces.len() > 2 && pieces.iter().all(|piece| piece.ends_with(b"}\t\t\t")));
        let whole: Vec<u8> = pieces.iter().flat_map(|piece| piece[..piece.len() - 3].to_vec()).collect();
        assert_eq!(whole, documents.as_bytes());
        assert_eq!(one(next_round(b"\t".to_vec())).as_ref(), b"\t\t");
    }

    #[test]
    fn rounds_are_counted_at_the_end_of_a_record_and_end() {
        let mut record = b"{\"a\":\"\t\"}\n".to_vec();
        for round in 1..=ROUNDS_MAX {
            let next = one(next_round(record));
            assert!(next.ends_with(&vec![ROUND; round]) && next[next.len() - round - 1] == b'\n');
            record = next.to_vec();
        }
        assert_eq!(next_round(record), Content::Unprocessable(b"{\"a\":\"\t\"}\n".to_vec()));
    }

    #[test]
    fn a_record_without_room_for_a_mark_goes_back_as_it_is() {
        let full = vec![b'x'; RECORD_BYTES_MAX];
        assert_eq!(one(next_round(full.clone())), full);
        let last = one(next_round(full[1..].to_vec()));
        assert_eq!((last.len(), last.last()), (RECORD_BYTES_MAX, Some(&ROUND)));
    }
}
