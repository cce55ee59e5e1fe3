//! Segments: one locked object of entries, several gzip members of at most 256 lines each.
//!
//! Invariant: the name holds the first index, the count and the first 16 hex digits of the object's SHA-256, and
//! [`Segment::read`] yields nothing from bytes that do not fit their name. Any gunzip reads the object whole; a ranged
//! read of one member's bytes reads that member.

use crate::append::{MAX_CHUNKS, MAX_SEGMENT_TEXT_BYTES};
use crate::entry::SequencedEntry;
use crate::log::LogId;
use crate::member::{self, MemberError};
use crate::tree::{Hash, leaf_hash};

/// What a segment's object key says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SegmentName {
    /// The log.
    pub log: LogId,
    /// The index of its first entry.
    pub first: u64,
    /// How many entries it has.
    pub count: u64,
    /// The first 16 hex digits of the object's SHA-256.
    pub digest: String,
}

impl SegmentName {
    /// The name of these bytes at this place of a log.
    pub fn of(log: &LogId, first: u64, count: u64, bytes: &[u8]) -> Self {
        Self::of_hash(log, first, count, &Hash::of_object(bytes))
    }

    /// The name of bytes with this SHA-256.
    pub(crate) fn of_hash(log: &LogId, first: u64, count: u64, sha256: &Hash) -> Self {
        let mut digest = sha256.hex();
        digest.truncate(DIGEST_CHARS);
        Self { log: log.clone(), first, count, digest }
    }

    /// `ledger/<log>/segment/<first, 20 digits>-<count>-<digest>.jsonl.gz`
    pub fn key(&self) -> String {
        format!("{}{:020}-{}-{}{SUFFIX}", folder(&self.log), self.first, self.count, self.digest)
    }

    /// Parses an object key.
    pub fn parse(key: &str) -> Option<Self> {
        let (log, file) = key.strip_prefix(ROOT)?.split_once(FOLDER)?;
        let mut parts = file.strip_suffix(SUFFIX)?.split('-');
        let (first, count, digest) = (parts.next()?, parts.next()?, parts.next()?);
        let name = Self {
            log: LogId::parse(log).ok()?,
            first: first.parse().ok()?,
            count: count.parse().ok()?,
            digest: digest.to_owned(),
        };
        // Writing it again catches every other spelling: signs, missing zeros, surplus parts, upper case digits.
        let hex = digest.len() == DIGEST_CHARS && digest.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        // A foreign name may claim what no log can have; its end must still be a number.
        let ends = name.first.checked_add(name.count).is_some();
        (hex && ends && name.count > 0 && name.key() == key).then_some(name)
    }

    /// The index after its last entry.
    pub fn end(&self) -> u64 {
        self.first + self.count
    }

    /// Whether the bytes are the ones that were named.
    pub fn fits(&self, bytes: &[u8]) -> bool {
        Hash::of_object(bytes).hex().starts_with(&self.digest)
    }
}

/// The prefix of a log's segments.
pub fn folder(log: &LogId) -> String {
    format!("{ROOT}{log}{FOLDER}")
}

/// A segment's bytes, unpacked and checked against its name.
#[derive(Debug, Clone)]
pub struct Segment {
    name: SegmentName,
    members: Vec<Member>,
}

/// One gzip member of a segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Where its bytes begin in the object.
    pub offset: u64,
    /// How many bytes it has.
    pub length: u64,
    /// The log's index of its first line.
    pub first: u64,
    text: String,
}

impl Member {
    /// Its lines, without newlines.
    pub fn lines(&self) -> impl Iterator<Item = &str> {
        self.text.strip_suffix('\n').unwrap_or(&self.text).split('\n')
    }
}

impl Segment {
    /// Reads a whole object.
    pub fn read(key: &str, bytes: &[u8]) -> Result<Self, SegmentError> {
        let name = SegmentName::parse(key).ok_or(SegmentError::NotAName)?;
        if bytes.len() > MAX_BYTES {
            return Err(SegmentError::TooLarge);
        }
        if !name.fits(bytes) {
            return Err(SegmentError::NotItsBytes);
        }
        let mut members = Vec::new();
        let (mut offset, mut first, mut text_bytes) = (0, name.first, 0);
        while offset < bytes.len() {
            let (text, length) = member::unpack(&bytes[offset..], MAX_MEMBER_TEXT_BYTES)?;
            let count = member::lines(&text)?.len();
            if count > member::MAX_LINES {
                return Err(SegmentError::WrongCount);
            }
            text_bytes += text.len();
            if text_bytes > MAX_TEXT_BYTES {
                return Err(SegmentError::TooLarge);
            }
            members.push(Member { offset: offset as u64, length: length as u64, first, text });
            offset += length;
            first += count as u64;
            // A few bytes can unpack to thousands of lines: no more of them than were named.
            if first > name.end() {
                return Err(SegmentError::WrongCount);
            }
        }
        if first != name.end() {
            return Err(SegmentError::WrongCount);
        }
        Ok(Self { name, members })
    }

    /// What its key says.
    pub fn name(&self) -> &SegmentName {
        &self.name
    }

    /// Its gzip members in order.
    pub fn members(&self) -> &[Member] {
        &self.members
    }

    /// Its entries in order, without newlines.
    pub fn lines(&self) -> impl Iterator<Item = &str> {
        self.members.iter().flat_map(Member::lines)
    }

    /// Its entries' leaf hashes in order.
    pub fn leaves(&self) -> impl Iterator<Item = Hash> {
        self.lines().map(|line| leaf_hash(line.as_bytes()))
    }

    /// Its entries with their places.
    pub fn entries(&self) -> impl Iterator<Item = SequencedEntry> {
        (self.name.first..).zip(self.lines()).map(|(index, line)| SequencedEntry { index, text: line.to_owned() })
    }
}

/// The entries of one member fetched by a ranged read; `first` is the posting's index of its first line.
pub fn read_member(bytes: &[u8], first: u64) -> Result<Vec<SequencedEntry>, SegmentError> {
    let (text, taken) = member::unpack(bytes, MAX_MEMBER_TEXT_BYTES)?;
    if taken != bytes.len() {
        return Err(SegmentError::WrongCount);
    }
    let lines = member::lines(&text)?;
    Ok((first..).zip(lines).map(|(index, line)| SequencedEntry { index, text: line.to_owned() }).collect())
}

/// Why bytes are no segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SegmentError {
    /// Larger than a segment may be, packed or unpacked.
    #[error("the segment is larger than any that is written")]
    TooLarge,
    /// The key is no segment's.
    #[error("the key is not a segment's name")]
    NotAName,
    /// The bytes have another SHA-256 than the name says.
    #[error("the segment's bytes do not fit the digest in its name")]
    NotItsBytes,
    /// A member cannot be read.
    #[error(transparent)]
    Member(#[from] MemberError),
    /// Another number of lines than the name or the format says.
    #[error("the segment does not have the number of lines that its name says")]
    WrongCount,
}

/// The folder of all logs.
pub const ROOT: &str = "ledger/";
const FOLDER: &str = "/segment/";
const SUFFIX: &str = ".jsonl.gz";
const DIGEST_CHARS: usize = 16;
/// What a segment may unpack to: what the writer fills it up to, or one chunk, and the lines that it adds to either.
const MAX_TEXT_BYTES: usize = MAX_SEGMENT_TEXT_BYTES + MAX_MEMBER_TEXT_BYTES;
/// The largest segment that is read, in bytes as stored: text that cannot be packed at all, and what packing adds.
pub const MAX_BYTES: usize = MAX_TEXT_BYTES + MAX_TEXT_BYTES / 64;
/// Most lines of a segment: those of its chunks, and a chunk's worth to spare.
pub(crate) const MAX_SEGMENT_LINES: usize = (MAX_CHUNKS + 1) * member::MAX_LINES;
/// A member is one chunk or several small ones packed together: at most two chunks' worth of text.
const MAX_MEMBER_TEXT_BYTES: usize = 2 * member::MAX_TEXT_BYTES;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chunk::tests::text_of;

    fn log() -> LogId {
        LogId::parse("acme/interaction/1/0").unwrap()
    }

    fn two_members() -> (String, Vec<u8>, usize) {
        let mut bytes = member::pack(text_of(0..2).as_bytes());
        let cut = bytes.len();
        bytes.extend(member::pack(text_of(2..5).as_bytes()));
        (SegmentName::of(&log(), 40, 5, &bytes).key(), bytes, cut)
    }

    #[test]
    fn a_segment_is_read_whole_and_by_member() {
        let (key, bytes, cut) = two_members();
        let segment = Segment::read(&key, &bytes).unwrap();
        let whole: Vec<SequencedEntry> = segment.entries().collect();
        assert_eq!(whole.iter().map(|entry| entry.index).collect::<Vec<_>>(), [40, 41, 42, 43, 44]);
        let second = &segment.members()[1];
        assert_eq!((second.offset, second.first), (cut as u64, 42));
        assert_eq!(read_member(&bytes[cut..], 42).unwrap(), whole[2..]);
        assert_eq!(segment.leaves().collect::<Vec<_>>(), whole.iter().map(SequencedEntry::leaf).collect::<Vec<_>>());
    }

    #[test]
    fn bytes_that_do_not_fit_their_name_are_refused() {
        let (key, bytes, cut) = two_members();
        let mut flipped = bytes.clone();
        flipped[cut + 20] ^= 1;
        assert_eq!(Segment::read(&key, &flipped).unwrap_err(), SegmentError::NotItsBytes);
        let short = SegmentName::of(&log(), 40, 4, &bytes).key();
        assert_eq!(Segment::read(&short, &bytes).unwrap_err(), SegmentError::WrongCount);
        let cut_off = SegmentName::of(&log(), 40, 5, &bytes[..bytes.len() - 1]).key();
        assert!(matches!(Segment::read(&cut_off, &bytes[..bytes.len() - 1]), Err(SegmentError::Member(_))));
        assert!(read_member(&bytes, 40).is_err(), "a range over two members is no member");
    }

    #[test]
    fn names_have_one_spelling() {
        let (key, _, _) = two_members();
        assert_eq!(SegmentName::parse(&key).unwrap().key(), key);
        for bad in [
            key.replace("00000000000000000040", "40"),
            key.replace("-5-", "-05-"),
            key.replace("-5-", "-+5-"),
            key.replace("-5-", "-0-"),
            key.replace(".jsonl.gz", ".jsonl"),
            key.replace(".jsonl.gz", "-1.jsonl.gz"),
            key.replace("ledger/", "ledgers/"),
            key.replace("/segment/", "/segments/"),
            key.replace("acme/", ""),
        ] {
            assert_ne!(bad, key);
            assert_eq!(SegmentName::parse(&bad), None, "{bad}");
        }
    }
}
