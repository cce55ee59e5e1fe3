//! A bronze object without some of its lines: each of them a placeholder, all others as they were.
//!
//! Invariant: no line changes its number, and every byte of the lines that stay is kept, what ends them too. An object of which nothing
//! goes is not written at all. Beside input and output there is one line and the decoder's window in memory.

use std::collections::BTreeSet;
use std::io::{self, Read as _, Write};

use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;
use flate2::{Compression, GzBuilder};
use memchr::memmem;

use crate::bronze::{self, BronzeLine};
use crate::lines::{Decoder, TakeLine, is_gzip};

/// An object that lines were to go of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redacted {
    /// The object without them, gzip in one member; plain if it was. `None`: nothing changed.
    pub gzip: Option<Vec<u8>>,
    /// All lines that are placeholders now, those that were before, too.
    pub placeholders: BTreeSet<u64>,
    /// How many of them were not before.
    pub changed: u64,
    /// How many lines the object has, blank ones too.
    pub lines: u64,
}

/// Why an object's lines cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RedactError {
    /// It begins like gzip, and is damaged or cut off.
    #[error("the object is damaged gzip")]
    Damaged,
}

/// Takes the lines out of an object of which `goes` says so, by number from 0 and without their line feeds. It is asked of each line once,
/// in order, but for blank ones, placeholders, and lines longer than any that is read.
///
/// # Errors
/// [`RedactError::Damaged`].
pub fn redact(gzip: &[u8], goes: &mut dyn FnMut(u64, &[u8]) -> bool) -> Result<Redacted, RedactError> {
    let mut decoder = Decoder::new(Asking { goes, lines: 0, goers: BTreeSet::new(), placeholders: BTreeSet::new() });
    for piece in gzip.chunks(PIECE_BYTES) {
        decoder.push(piece).map_err(|_| RedactError::Damaged)?;
    }
    let Asking { lines, goers, mut placeholders, .. } = decoder.finish().map_err(|_| RedactError::Damaged)?;
    let changed = goers.len() as u64;
    let written = match changed {
        0 => None,
        _ => Some(without(gzip, &goers).map_err(|_| RedactError::Damaged)?),
    };
    placeholders.extend(goers);
    Ok(Redacted { gzip: written, placeholders, changed, lines })
}

/// Finds the lines that go.
struct Asking<'g> {
    goes: &'g mut dyn FnMut(u64, &[u8]) -> bool,
    lines: u64,
    goers: BTreeSet<u64>,
    placeholders: BTreeSet<u64>,
}

impl TakeLine for Asking<'_> {
    fn line(&mut self, line: &[u8], cut: bool) {
        let number = self.lines;
        self.lines += 1;
        if cut || line.iter().all(u8::is_ascii_whitespace) {
            return;
        }
        if is_placeholder(line) {
            self.placeholders.insert(number);
        } else if (self.goes)(number, line) {
            self.goers.insert(number);
        }
    }
}

fn is_placeholder(line: &[u8]) -> bool {
    memmem::find(line, b"\"erased\"").is_some() && matches!(bronze::read(line), BronzeLine::Erased)
}

/// The object's bytes again, with placeholders for these lines.
fn without(object: &[u8], goers: &BTreeSet<u64>) -> io::Result<Vec<u8>> {
    let room = Vec::with_capacity(object.len());
    if !is_gzip(object) {
        let mut out = Replacing::new(room, goers);
        out.write_all(object)?;
        return out.finish();
    }
    let encoder = GzBuilder::new().mtime(0).operating_system(OS_UNKNOWN).write(room, Compression::default());
    let mut out = Replacing::new(encoder, goers);
    let (mut decoder, mut piece) = (MultiGzDecoder::new(object), vec![0; PIECE_BYTES]);
    loop {
        match decoder.read(&mut piece)? {
            0 => return out.finish().and_then(GzEncoder::finish),
            read => out.write_all(&piece[..read])?,
        }
    }
}

/// Copies lines, but for some.
struct Replacing<'g, W> {
    out: W,
    goers: &'g BTreeSet<u64>,
    line: u64,
    /// What has come of a line that goes.
    gone: Vec<u8>,
    placeholder: Vec<u8>,
}

impl<'g, W: Write> Replacing<'g, W> {
    fn new(out: W, goers: &'g BTreeSet<u64>) -> Self {
        Self { out, goers, line: 0, gone: Vec::new(), placeholder: Vec::new() }
    }

    /// Ends the last line, if no line feed did.
    fn finish(mut self) -> io::Result<W> {
        self.replace(false)?;
        Ok(self.out)
    }

    /// Writes the placeholder of the line that has come, if it goes.
    fn replace(&mut self, has_feed: bool) -> io::Result<()> {
        if self.goers.contains(&self.line) {
            self.placeholder.clear();
            bronze::write_erased(&self.gone, &mut self.placeholder);
            let end = self.placeholder.len() - usize::from(!has_feed);
            self.out.write_all(&self.placeholder[..end])?;
            self.gone.clear();
        }
        Ok(())
    }
}

impl<W: Write> Write for Replacing<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut rest = bytes;
        while !rest.is_empty() {
            let end = memchr::memchr(b'\n', rest);
            let (part, after) = rest.split_at(end.map_or(rest.len(), |at| at + 1));
            if self.goers.contains(&self.line) {
                self.gone.extend_from_slice(part.strip_suffix(b"\n").unwrap_or(part));
            } else {
                self.out.write_all(part)?;
            }
            if end.is_some() {
                self.replace(true)?;
                self.line += 1;
            }
            rest = after;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

const PIECE_BYTES: usize = 64 * 1024;
/// RFC 1952: no operating system is named, so that equal lines give equal bytes.
const OS_UNKNOWN: u8 = 255;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::bronze::{NewEvent, write_event};
    use crate::lines::MAX_LINE_BYTES;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn unpack(object: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        MultiGzDecoder::new(object).read_to_end(&mut bytes).unwrap();
        bytes
    }

    fn event(number: usize) -> Vec<u8> {
        let (raw, mut out) = (format!("{{\"ani\":\"+1555555{number:04}\"}}"), Vec::new());
        write_event(
            &NewEvent {
                org: "acme",
                lineage_token: None,
                received_at_ms: 1_772_460_001_000,
                occurred_at_ms: None,
                source: None,
                replayed: 0,
                cut: &[],
                raw: raw.as_bytes(),
                has_line_break: false,
            },
            &mut out,
        );
        out
    }

    fn placeholder(line: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        bronze::write_erased(line, &mut out);
        out
    }

    fn take(object: &[u8], goers: &[u64]) -> Redacted {
        redact(object, &mut |number, _| goers.contains(&number)).unwrap()
    }

    #[test]
    fn lines_go_and_the_others_keep_every_byte_and_their_numbers() {
        let (mark, plain) = (b"\xef\xbb\xbf{\"conversationId\":\"c\"}\r\n".to_vec(), b"{\"v\":1,\"garbage\n".to_vec());
        let last = b"{\"conversationId\":\"d\"}".to_vec();
        let all = [mark, event(1), b"\n".to_vec(), b" \r\n".to_vec(), plain, event(5), last];
        let members = all.concat();
        let packed = [gzip(&members[..40]), gzip(b""), gzip(&members[40..])].concat();
        for (goers, gone) in [(&[1, 6][..], &[1, 6][..]), (&[0], &[0]), (&[0, 1, 2, 3, 4, 5, 6], &[0, 1, 4, 5, 6])] {
            let found = take(&packed, goers);
            let expected: Vec<Vec<u8>> = all
                .iter()
                .enumerate()
                .map(|(number, line)| match gone.contains(&(number as u64)) {
                    true if number == 6 => placeholder(line).strip_suffix(b"\n").unwrap().to_vec(),
                    true => placeholder(line),
                    false => line.clone(),
                })
                .collect();
            let written = found.gzip.unwrap();
            assert_eq!(unpack(&written), expected.concat(), "{goers:?}");
            assert_eq!((found.lines, found.changed), (7, gone.len() as u64));
            assert_eq!(found.placeholders, gone.iter().copied().collect());
            // Again nothing goes: what is a placeholder is not asked, and told all the same.
            let again = redact(&written, &mut |number, _| {
                assert!(!gone.contains(&number));
                false
            });
            let again = again.unwrap();
            assert_eq!((again.gzip, again.changed, again.placeholders), (None, 0, found.placeholders));
            // What goes of the plain object is plain.
            let plain = take(&members, goers).gzip.unwrap();
            assert_eq!(plain, expected.concat());
        }
    }

    #[test]
    fn an_object_of_which_nothing_goes_is_not_written() {
        for object in [gzip(&event(1)), gzip(b""), event(1), Vec::new(), b"\n".to_vec()] {
            let found = take(&object, &[]);
            assert_eq!((found.gzip, found.changed, found.placeholders.len()), (None, 0, 0));
        }
        assert_eq!((take(b"", &[0]).lines, take(b"\n", &[0]).lines, take(b"a", &[1]).lines), (0, 1, 1));
    }

    #[test]
    fn a_line_that_is_longer_than_any_that_is_read_is_kept_whole() {
        let long = [b"{\"a\":\"".to_vec(), vec![b'x'; MAX_LINE_BYTES], b"\"}\n".to_vec()].concat();
        let object = gzip(&[long.clone(), event(1)].concat());
        let found = take(&object, &[0, 1]);
        assert_eq!(unpack(&found.gzip.unwrap()), [long, placeholder(&event(1))].concat());
        assert_eq!((found.placeholders, found.lines), (BTreeSet::from([1]), 2));
    }

    #[test]
    fn damaged_gzip_is_refused() {
        let mut wrong = gzip(&event(1).repeat(9));
        let at = wrong.len() - 6;
        assert_eq!(redact(&wrong[..at], &mut |_, _| true), Err(RedactError::Damaged));
        wrong[at] ^= 1;
        assert_eq!(redact(&wrong, &mut |_, _| false), Err(RedactError::Damaged));
    }

    #[test]
    fn equal_objects_give_equal_bytes_in_one_member() {
        let lines: Vec<u8> = (0..100).flat_map(event).collect();
        let packed = [gzip(&lines[..999]), gzip(&lines[999..])].concat();
        let (one, other) = (take(&packed, &[7]).gzip.unwrap(), take(&gzip(&lines), &[7]).gzip.unwrap());
        assert_eq!(one, other);
    }

    proptest! {
        #[test]
        fn any_object_keeps_what_does_not_go(
            lines in proptest::collection::vec(("[ -~]{0,40}", any::<bool>()), 0..12),
            ends in any::<bool>(),
            cut in any::<proptest::sample::Index>(),
        ) {
            let mut bytes: Vec<u8> = lines.iter().flat_map(|(line, _)| [line.as_bytes(), b"\n"].concat()).collect();
            if !ends {
                bytes.pop();
            }
            let at = cut.index(bytes.len() + 1);
            let packed = [gzip(&bytes[..at]), gzip(&bytes[at..])].concat();
            let found = redact(&packed, &mut |number, _| lines[number as usize].1).unwrap();
            let unpacked = found.gzip.as_ref().map_or_else(|| bytes.clone(), |gzip| unpack(gzip));
            let of = |bytes: &[u8]| bytes.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect::<Vec<_>>();
            let (before, after) = (of(&bytes), of(&unpacked));
            prop_assert_eq!(before.len(), after.len());
            for (number, (before, after)) in before.iter().zip(&after).enumerate() {
                let goes = found.placeholders.contains(&(number as u64));
                let expected = placeholder(before);
                prop_assert_eq!(after, if goes { expected.strip_suffix(b"\n").unwrap() } else { before });
                prop_assert_eq!(goes, lines.get(number).is_some_and(|(line, goes)| *goes && !line.trim_ascii().is_empty()));
            }
        }
    }
}
