//! From a bronze object's bytes to its lines: gzip (any number of members) or plain, told apart by the first two bytes.
//!
//! Invariant: at most one line and the decoder's window are in memory, whatever the object unpacks to.

use std::io::{self, Write};

use flate2::write::MultiGzDecoder;

/// Longest line that is read. The longest that ingest writes is a record of 1,000 KiB that holds a newline, as base64:
/// 1,000 KiB × 4 / 3 = 1,334 KiB, and some 2 KiB around it.
pub const MAX_LINE_BYTES: usize = 2 * 1024 * 1024;

/// Takes lines as they come.
pub trait TakeLine {
    /// A line without its newline. `cut` says that it was longer than [`MAX_LINE_BYTES`] and this is its beginning.
    fn line(&mut self, line: &[u8], cut: bool);
}

/// Not gzip, although it begins like it, or cut off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Damaged;

/// Unpacks what is pushed and passes the lines on.
pub struct Decoder<T: TakeLine>(State<T>);

impl<T: TakeLine> std::fmt::Debug for Decoder<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Decoder")
    }
}

enum State<T: TakeLine> {
    /// Fewer bytes than tell gzip from plain.
    Unknown(Vec<u8>, Lines<T>),
    Plain(Lines<T>),
    Gzip(Box<MultiGzDecoder<Lines<T>>>),
    /// Only inside `push` and after damage.
    Gone,
}

impl<T: TakeLine> Decoder<T> {
    /// A decoder that passes lines to `taker`.
    pub fn new(taker: T) -> Self {
        Self(State::Unknown(Vec::new(), Lines { taker, partial: Vec::new(), cut: false }))
    }

    /// Takes the next piece.
    ///
    /// # Errors
    /// [`Damaged`] if the bytes are no gzip any more.
    pub fn push(&mut self, piece: &[u8]) -> Result<(), Damaged> {
        match &mut self.0 {
            State::Plain(lines) => lines.take(piece),
            State::Gzip(decoder) => decoder.write_all(piece).map_err(|_| Damaged)?,
            State::Gone => return Err(Damaged),
            State::Unknown(begun, _) => {
                begun.extend_from_slice(piece);
                if begun.len() >= GZIP_MAGIC.len() {
                    return self.decide();
                }
            }
        }
        Ok(())
    }

    /// Whoever takes the lines, between two pieces; nobody after damage.
    pub fn taker(&mut self) -> Option<&mut T> {
        match &mut self.0 {
            State::Unknown(_, lines) | State::Plain(lines) => Some(&mut lines.taker),
            State::Gzip(decoder) => Some(&mut decoder.get_mut().taker),
            State::Gone => None,
        }
    }

    /// Ends the object: passes on a last line without newline, and gives the taker back.
    ///
    /// # Errors
    /// [`Damaged`] if the gzip stream is cut off.
    pub fn finish(mut self) -> Result<T, Damaged> {
        if matches!(self.0, State::Unknown(..)) {
            self.decide()?;
        }
        let lines = match self.0 {
            State::Plain(lines) => lines,
            State::Gzip(decoder) => (*decoder).finish().map_err(|_| Damaged)?,
            State::Unknown(..) | State::Gone => return Err(Damaged),
        };
        Ok(lines.finish())
    }

    fn decide(&mut self) -> Result<(), Damaged> {
        let State::Unknown(begun, lines) = std::mem::replace(&mut self.0, State::Gone) else { return Err(Damaged) };
        self.0 = match is_gzip(&begun) {
            true => State::Gzip(Box::new(MultiGzDecoder::new(lines))),
            false => State::Plain(lines),
        };
        self.push(&begun)
    }
}

/// Whether an object that begins so is gzip.
pub(crate) fn is_gzip(begun: &[u8]) -> bool {
    begun.starts_with(&GZIP_MAGIC)
}

/// Cuts bytes into lines.
struct Lines<T> {
    taker: T,
    /// A line that is not complete.
    partial: Vec<u8>,
    /// Whether bytes of it were dropped.
    cut: bool,
}

impl<T: TakeLine> Lines<T> {
    fn take(&mut self, mut bytes: &[u8]) {
        while let Some(at) = memchr::memchr(b'\n', bytes) {
            let (end, rest) = (&bytes[..at], &bytes[at + 1..]);
            if self.partial.is_empty() && end.len() <= MAX_LINE_BYTES {
                self.taker.line(end, false);
            } else {
                self.keep(end);
                self.pass_on();
            }
            bytes = rest;
        }
        self.keep(bytes);
    }

    fn keep(&mut self, bytes: &[u8]) {
        let fits = bytes.len().min(MAX_LINE_BYTES - self.partial.len());
        self.partial.extend_from_slice(&bytes[..fits]);
        self.cut |= fits < bytes.len();
    }

    fn pass_on(&mut self) {
        self.taker.line(&self.partial, self.cut);
        self.partial.clear();
        self.cut = false;
    }

    fn finish(mut self) -> T {
        if !self.partial.is_empty() {
            self.pass_on();
        }
        self.taker
    }
}

impl<T: TakeLine> Write for Lines<T> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.take(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::Compression;
    use flate2::write::GzEncoder;

    #[derive(Default)]
    struct Taken(Vec<(Vec<u8>, bool)>);

    impl TakeLine for Taken {
        fn line(&mut self, line: &[u8], cut: bool) {
            self.0.push((line.to_vec(), cut));
        }
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn lines(bytes: &[u8], piece: usize) -> Result<Vec<String>, Damaged> {
        let mut decoder = Decoder::new(Taken::default());
        for piece in bytes.chunks(piece) {
            decoder.push(piece)?;
        }
        let taken = decoder.finish()?.0;
        Ok(taken
            .into_iter()
            .map(|(line, cut)| format!("{}{}", String::from_utf8(line).unwrap(), if cut { "…" } else { "" }))
            .collect())
    }

    #[test]
    fn plain_and_gzip_of_many_members_give_the_same_lines_in_any_pieces() {
        let (first, second) = (b"one\ntw".as_slice(), b"o\n\nlast".as_slice());
        let members = [gzip(first), gzip(b""), gzip(second)].concat();
        for piece in [1, 2, 3, 7, 1000] {
            assert_eq!(lines(&[first, second].concat(), piece).unwrap(), ["one", "two", "", "last"]);
            assert_eq!(lines(&members, piece).unwrap(), ["one", "two", "", "last"]);
        }
    }

    #[test]
    fn objects_of_no_or_one_byte_are_plain() {
        assert!(lines(b"", 1).unwrap().is_empty());
        assert_eq!(lines(b"a", 1).unwrap(), ["a"]);
        assert!(lines(b"\n", 1).unwrap() == [""]);
    }

    #[test]
    fn damaged_gzip_is_refused() {
        let good = gzip(b"one\ntwo\n");
        assert_eq!(lines(&good[..good.len() - 4], 5), Err(Damaged), "cut off");
        let mut wrong = good.clone();
        let at = good.len() - 6;
        wrong[at] ^= 1;
        assert_eq!(lines(&wrong, 1000), Err(Damaged), "checksum");
        assert_eq!(lines(&good[..2], 1), Err(Damaged), "header only");
        assert_eq!(lines(&[good.as_slice(), b"rubbish"].concat(), 1000), Err(Damaged), "no member after the first");
    }

    #[test]
    fn a_line_beyond_the_bound_is_cut_and_the_next_is_whole() {
        let mut bytes = vec![b'x'; MAX_LINE_BYTES + 10];
        bytes.extend_from_slice(b"\nnext\n");
        let mut decoder = Decoder::new(Taken::default());
        for piece in gzip(&bytes).chunks(100) {
            decoder.push(piece).unwrap();
        }
        let taken = decoder.finish().unwrap().0;
        assert_eq!(taken.len(), 2);
        assert_eq!((taken[0].0.len(), taken[0].1), (MAX_LINE_BYTES, true));
        assert_eq!(taken[1], (b"next".to_vec(), false));
    }
}
