//! A chunk: a range of a plan for one log, read and checked before anything of it is committed.
//!
//! Invariant: a [`Chunk`] has exactly the announced number of canonical lines, all of the log's org and of the announced
//! bronze object.

use std::fmt;

use crate::entry::{EntryError, check_text};
use crate::log::LogId;
use crate::member::{self, MemberError};

/// Names a chunk: the bronze object whose plan it is of, and its ordinal in that plan.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ChunkId {
    /// The bronze object's id.
    pub object: String,
    /// Its place in the plan, from 0 over all logs.
    pub ordinal: u32,
}

impl ChunkId {
    /// `<object>#<ordinal, 6 digits>`: the end of the marker's key.
    pub fn parse(text: &str) -> Option<Self> {
        let (object, ordinal) = text.split_once('#')?;
        Some(Self { object: object.to_owned(), ordinal: ordinal.parse().ok()? })
    }
}

impl fmt::Display for ChunkId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{:06}", self.object, self.ordinal)
    }
}

/// A chunk whose lines have been checked.
#[derive(Debug, Clone)]
pub struct Chunk {
    id: ChunkId,
    packed: Vec<u8>,
    text: String,
    count: usize,
}

impl Chunk {
    /// Unpacks and checks the bytes that a pointer names. `count` and the chunk's object are what the pointer says.
    pub fn check(id: ChunkId, log: &LogId, count: usize, packed: Vec<u8>) -> Result<Self, ChunkError> {
        let (text, taken) = member::unpack(&packed, member::MAX_TEXT_BYTES)?;
        if taken != packed.len() {
            return Err(ChunkError::NotOneMember);
        }
        let lines = member::lines(&text)?;
        if lines.len() != count || count > member::MAX_LINES {
            return Err(ChunkError::WrongCount);
        }
        for line in lines {
            let header = check_text(line)?;
            if header.org != log.org() {
                return Err(ChunkError::WrongLog);
            }
            if header.object != id.object {
                return Err(ChunkError::WrongObject);
            }
        }
        Ok(Self { id, packed, text, count })
    }

    /// Which chunk it is.
    pub fn id(&self) -> &ChunkId {
        &self.id
    }

    /// How many lines it has.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Its lines, each with its newline.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Its one gzip member, as it lies in the plan.
    pub fn packed(&self) -> &[u8] {
        &self.packed
    }
}

/// Why a chunk cannot be committed. Its code is stored with the kept message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ChunkError {
    /// Not a readable gzip member.
    #[error(transparent)]
    Member(#[from] MemberError),
    /// The range holds more than one member.
    #[error("the range is not one gzip member")]
    NotOneMember,
    /// Not as many lines as announced, or more than a member may have.
    #[error("the chunk does not have the announced number of lines")]
    WrongCount,
    /// A line is no canonical entry.
    #[error(transparent)]
    Entry(#[from] EntryError),
    /// A line of another org.
    #[error("the chunk holds an entry of another log")]
    WrongLog,
    /// A line of another bronze object.
    #[error("the chunk holds an entry of another bronze object")]
    WrongObject,
}

impl ChunkError {
    /// The reason as a closed code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Member(MemberError::NotGzip) | Self::NotOneMember => "chunk_not_gzip",
            Self::Member(MemberError::TooLarge) => "chunk_too_large",
            Self::Member(MemberError::NotText | MemberError::NotLines) => "chunk_not_lines",
            Self::WrongCount => "chunk_wrong_count",
            Self::Entry(EntryError::NotCanonical | EntryError::Canonical(_)) => "line_not_canonical",
            Self::Entry(EntryError::NotJson | EntryError::Invalid(_)) => "line_not_an_entry",
            Self::Entry(EntryError::UnknownVersion) => "line_unknown_version",
            Self::Entry(EntryError::TooLong) => "line_too_long",
            Self::WrongLog => "chunk_of_another_log",
            Self::WrongObject => "chunk_of_another_object",
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::entry::tests::pending;

    pub(crate) fn text_of(range: std::ops::Range<u64>) -> String {
        range
            .map(|seq| pending("acme", &format!("c-{}", seq % 3), seq).to_line().unwrap().as_str().to_owned() + "\n")
            .collect()
    }

    pub(crate) fn chunk(ordinal: u32, range: std::ops::Range<u64>) -> Chunk {
        let count = (range.end - range.start) as usize;
        check(ordinal, count, member::pack(text_of(range).as_bytes())).unwrap()
    }

    fn check(ordinal: u32, count: usize, packed: Vec<u8>) -> Result<Chunk, ChunkError> {
        let id = ChunkId { object: "0123456789abcdef0123456789abcdef".to_owned(), ordinal };
        Chunk::check(id, &LogId::parse("acme/interaction/1/0").unwrap(), count, packed)
    }

    #[test]
    fn a_chunk_id_comes_back_from_its_text() {
        let id = ChunkId { object: "ab".to_owned(), ordinal: 7 };
        assert_eq!(id.to_string(), "ab#000007");
        assert_eq!(ChunkId::parse("ab#000007"), Some(id));
        assert_eq!(ChunkId::parse("ab"), None);
    }

    #[test]
    fn what_does_not_match_its_pointer_is_refused() {
        let good = text_of(0..3);
        let packed = |text: &str| member::pack(text.as_bytes());
        assert_eq!(check(0, 3, packed(&good)).unwrap().count(), 3);
        assert_eq!(check(0, 2, packed(&good)).unwrap_err(), ChunkError::WrongCount);
        assert_eq!(check(0, 3, packed(good.trim_end())).unwrap_err(), ChunkError::Member(MemberError::NotLines));
        let mut two = packed(&good);
        two.extend_from_slice(&packed(&good));
        assert_eq!(check(0, 6, two).unwrap_err(), ChunkError::NotOneMember);
        let foreign = good.replace("\"org\":\"acme\"", "\"org\":\"acmf\"");
        assert_eq!(check(0, 3, packed(&foreign)).unwrap_err(), ChunkError::WrongLog);
        let other = good.replace("0123456789abcdef0123456789abcdef", "1123456789abcdef0123456789abcdef");
        assert_eq!(check(0, 3, packed(&other)).unwrap_err(), ChunkError::WrongObject);
        let loose = good.replacen("\"v\":1", "\"v\": 1", 1);
        assert_eq!(check(0, 3, packed(&loose)).unwrap_err().code(), "line_not_canonical");
        let blank = format!("{good}\n");
        assert_eq!(check(0, 4, packed(&blank)).unwrap_err().code(), "line_not_an_entry");
        let many = text_of(0..257);
        assert_eq!(check(0, 257, packed(&many)).unwrap_err(), ChunkError::WrongCount);
    }
}
