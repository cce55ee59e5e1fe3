//! An object of lines taken apart: gzip of any number of members or plain, told apart by its first two bytes, by line.
//!
//! Invariant: at most one line and one piece of the object are in memory, whatever it unpacks to; no byte between two line feeds is
//! left out.

use std::io::Write as _;

use flate2::write::MultiGzDecoder;
use ledgerline_ledger::store::{Failure, StoreError};

/// A record of 1,000 KiB is 1.4 MB as base64, and 1.9 MB if it was a quarantine line before; the members around it take
/// some hundred bytes. What is longer is not a line of Firehose's or of ours.
const LINE_BYTES_MAX: usize = 4 * 1024 * 1024;

/// The lines of an object that arrives in pieces, each with its line feed.
#[derive(Debug)]
pub struct Lines {
    what: String,
    input: Input,
    text: Vec<u8>,
    /// Where the next line begins in `text`, and how much of it is known to hold no line feed.
    start: usize,
    searched: usize,
}

#[derive(Debug)]
enum Input {
    /// Too few bytes to tell.
    Unknown(Vec<u8>),
    Plain,
    Gzip(Box<MultiGzDecoder<Vec<u8>>>),
}

impl Lines {
    /// Of the object at this key, which its errors name.
    pub fn new(key: &str) -> Self {
        let input = Input::Unknown(Vec::new());
        Self { what: format!("gunzip {key}"), input, text: Vec::new(), start: 0, searched: 0 }
    }

    /// Takes the next piece.
    ///
    /// # Errors
    /// `Corrupt` if the bytes are not gzip, although they begin like it.
    pub fn push(&mut self, piece: &[u8]) -> Result<(), StoreError> {
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
    pub fn next_line(&mut self) -> Option<Vec<u8>> {
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
    ///
    /// # Errors
    /// `Corrupt` if the gzip stream is cut off.
    pub fn finish(mut self) -> Result<Vec<Vec<u8>>, StoreError> {
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

#[cfg(test)]
mod tests {
    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn all(bytes: &[u8], piece: usize) -> Result<Vec<Vec<u8>>, StoreError> {
        let (mut lines, mut read) = (Lines::new("errors/x"), Vec::new());
        for piece in bytes.chunks(piece) {
            lines.push(piece)?;
            read.extend(std::iter::from_fn(|| lines.next_line()));
        }
        read.extend(lines.finish()?);
        Ok(read)
    }

    #[test]
    fn plain_and_gzipped_lines_are_the_same_in_any_pieces() {
        let text = b"one\n\ntwo\nthe last";
        let members = [gzip(&text[..5]), gzip(&text[5..])].concat();
        for piece in [1, 2, 7, 1_000] {
            for object in [&text[..], &members] {
                assert_eq!(all(object, piece).unwrap(), [&b"one\n"[..], b"\n", b"two\n", b"the last"]);
            }
        }
        assert_eq!(all(b"", 1).unwrap().concat(), b"");
    }

    #[test]
    fn a_damaged_object_is_told_by_its_key_and_nothing_else() {
        let whole = gzip(b"one\n");
        let error = all(&whole[..whole.len() - 4], 3).unwrap_err();
        assert!(matches!(&error, StoreError::Corrupt(_)) && error.to_string().contains("errors/x"), "{error}");
    }

    #[test]
    fn a_line_beyond_the_bound_is_given_in_parts() {
        let mut object = vec![b'x'; LINE_BYTES_MAX + 100 * 1024];
        object.extend_from_slice(b"\nnext");
        let lines = all(&object, 64 * 1024).unwrap();
        assert!(lines.len() >= 3 && lines.concat() == object, "{} lines", lines.len());
    }
}
