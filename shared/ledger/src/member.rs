//! Gzip members: the unit that a ranged read fetches.
//!
//! Invariant: [`pack`] gives the same bytes for the same text (no time, no name, OS 255); [`unpack`] takes exactly one
//! member, checks its CRC, and never yields more than the caller's limit, whatever the bytes claim.

use std::io::{Read, Write};

use flate2::bufread::GzDecoder;
use flate2::{Compression, GzBuilder};

/// Most lines in one member.
pub const MAX_LINES: usize = 256;
/// What a member may unpack to: 256 lines of some 1,700 bytes are 435 KB; 16 MiB leaves 64 KiB per line on average, and
/// ten such chunks (a FIFO batch) are read one after the other, never at once.
pub const MAX_TEXT_BYTES: usize = 16 * 1024 * 1024;

/// What is reserved for a member at most before its text is there: 256 lines without sealed blocks, and room. What follows a
/// member in a segment may be thousands of others, each of which is held.
const USUAL_TEXT_BYTES: usize = 256 * 1024;

/// Packs text into one member.
pub fn pack(text: &[u8]) -> Vec<u8> {
    let mut encoder = GzBuilder::new()
        .mtime(0)
        .operating_system(OS_UNKNOWN)
        .write(Vec::with_capacity(text.len() / 4 + HEADER_BYTES), Compression::new(LEVEL));
    // Writing into a Vec cannot fail; were it to, the empty member would fail every later check.
    encoder.write_all(text).and_then(|()| encoder.finish()).unwrap_or_default()
}

/// Unpacks the member at the start of `bytes` and says how many bytes it took.
pub fn unpack(bytes: &[u8], limit_bytes: usize) -> Result<(String, usize), MemberError> {
    let mut decoder = GzDecoder::new(bytes);
    let mut text = Vec::with_capacity(bytes.len().saturating_mul(4).min(limit_bytes).min(USUAL_TEXT_BYTES));
    let read = decoder.by_ref().take(limit_bytes as u64 + 1).read_to_end(&mut text);
    match read {
        Err(_) => Err(MemberError::NotGzip),
        Ok(_) if text.len() > limit_bytes => Err(MemberError::TooLarge),
        Ok(_) => {
            let taken = bytes.len() - decoder.into_inner().len();
            text.shrink_to_fit();
            String::from_utf8(text).map(|text| (text, taken)).map_err(|_| MemberError::NotText)
        }
    }
}

/// Whether the member's header is the plain one that [`pack`] writes: no name, no comment, no time, nothing to hide in.
pub(crate) fn has_plain_header(bytes: &[u8]) -> bool {
    bytes.len() > HEADER_BYTES && bytes[..8] == [0x1f, 0x8b, 8, 0, 0, 0, 0, 0] && bytes[9] == OS_UNKNOWN
}

/// The lines of a text in which every line, the last one too, ends with a newline.
pub fn lines(text: &str) -> Result<Vec<&str>, MemberError> {
    let Some(body) = text.strip_suffix('\n') else {
        return Err(MemberError::NotLines);
    };
    Ok(body.split('\n').collect())
}

/// Why bytes are no member.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MemberError {
    /// No gzip, cut off, or with a wrong checksum.
    #[error("not a whole gzip member")]
    NotGzip,
    /// It unpacks to more than the limit.
    #[error("the gzip member unpacks to more than the limit")]
    TooLarge,
    /// It holds no UTF-8.
    #[error("the gzip member holds no UTF-8")]
    NotText,
    /// It is empty or its last line has no newline.
    #[error("the gzip member does not end with a whole line")]
    NotLines,
}

/// Zlib's own default: level 9 costs three times the CPU for 1% on canonical JSON.
const LEVEL: u32 = 6;
const OS_UNKNOWN: u8 = 255;
const HEADER_BYTES: usize = 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packed_member_is_plain_and_comes_back() {
        let text = "{\"a\":1}\n{\"a\":2}\n";
        let packed = pack(text.as_bytes());
        assert!(has_plain_header(&packed));
        assert_eq!(packed, pack(text.as_bytes()));
        let mut two = packed.clone();
        two.extend_from_slice(&packed);
        assert_eq!(unpack(&two, MAX_TEXT_BYTES), Ok((text.to_owned(), packed.len())));
    }

    #[test]
    fn damaged_members_are_refused() {
        let packed = pack(b"{\"a\":1}\n");
        for cut in 0..packed.len() {
            assert_eq!(unpack(&packed[..cut], 100), Err(MemberError::NotGzip), "cut at {cut}");
        }
        let mut flipped = packed.clone();
        let crc_at = packed.len() - 8;
        flipped[crc_at] ^= 1;
        assert_eq!(unpack(&flipped, 100), Err(MemberError::NotGzip));
        assert_eq!(unpack(&pack(&[0xff, b'\n']), 100), Err(MemberError::NotText));
    }

    #[test]
    fn a_bomb_stops_at_the_limit() {
        let packed = pack(&vec![b'a'; 1_000_000]);
        assert!(packed.len() < 2_000);
        assert_eq!(unpack(&packed, 999_999), Err(MemberError::TooLarge));
        assert_eq!(unpack(&packed, 1_000_000).unwrap().0.len(), 1_000_000);
    }

    #[test]
    fn a_small_member_takes_little_memory_whatever_follows_it() {
        let small = pack(b"{\"a\":1}\n");
        let (text, taken) = unpack(&small.repeat(100_000), MAX_TEXT_BYTES).unwrap();
        assert_eq!((text.as_str(), taken), ("{\"a\":1}\n", small.len()));
        assert!(text.capacity() < 1024, "{} bytes are held", text.capacity());
    }

    #[test]
    fn lines_end_with_newlines() {
        assert_eq!(lines("a\nb\n"), Ok(vec!["a", "b"]));
        assert_eq!(lines(""), Err(MemberError::NotLines));
        assert_eq!(lines("a\nb"), Err(MemberError::NotLines));
    }
}
