//! The head: a log's committed size, root and right edge, and how far the work after the commit has come.
//!
//! Invariant: storage returns a [`StoredHead`]; only [`StoredHead::verify`] makes a [`Head`], whose root follows from its
//! edge, whose unpublished segments reach without a gap from what is published to its size, and in which
//! signed ≤ published ≤ indexed ≤ size.

use crate::chunk::ChunkId;
use crate::log::LogId;
use crate::segment::SegmentName;
use crate::tree::{Edge, Hash};

/// A committed segment that is not published yet; perhaps neither indexed nor counted. It carries all that this needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SegmentRef {
    /// The index of its first entry.
    pub first: u64,
    /// How many entries it has.
    pub count: u64,
    /// Its object key.
    pub key: String,
    /// The object's version id: evidence is read by version, as a delete marker may hide it.
    pub version_id: String,
    /// The object's size.
    pub bytes: u64,
    /// The chunks in it, in order, with their counts.
    pub chunks: Vec<(ChunkId, u64)>,
}

impl SegmentRef {
    /// The index after its last entry.
    pub fn end(&self) -> u64 {
        self.first + self.count
    }
}

/// A head as it was read: not trusted yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredHead {
    /// How many entries are committed.
    pub size: u64,
    /// The log's root.
    pub root: Hash,
    /// The roots of the maximal full subtrees, left to right.
    pub edge: Vec<Hash>,
    /// Committed segments that are not published yet, in order.
    pub unpublished: Vec<SegmentRef>,
    /// Entries below it have postings and are counted.
    pub indexed: u64,
    /// Entries below it are in the tiles.
    pub published: u64,
    /// The size of the last checkpoint that is known to be signed and archived.
    pub signed: u64,
    /// When a signature was last attempted, in epoch milliseconds; 0 if never.
    pub signed_at_ms: u64,
    /// The verification keys of those who may sign now, oldest first; none before the first signature, and in heads that
    /// were written when there was no such list.
    pub signing_keys: Vec<String>,
}

impl StoredHead {
    /// Accepts the head if its parts agree with each other.
    pub fn verify(self, log: &LogId) -> Result<Head, HeadError> {
        let edge = Edge::from_parts(self.size, self.edge).ok_or(HeadError::EdgeOfAnotherSize)?;
        if edge.root() != self.root {
            return Err(HeadError::RootNotOfEdge);
        }
        if self.signed > self.published || self.published > self.indexed || self.indexed > self.size {
            return Err(HeadError::OutOfOrder);
        }
        let mut reached = self.published;
        let mut indexed_to_an_end = self.indexed == self.published;
        for segment in &self.unpublished {
            let name = SegmentName::parse(&segment.key).ok_or(HeadError::ForeignSegment)?;
            let agrees = name.log == *log && name.first == segment.first && name.count == segment.count;
            let chunk_count: u64 = segment.chunks.iter().map(|(_, count)| count).sum();
            if !agrees || chunk_count != segment.count {
                return Err(HeadError::ForeignSegment);
            }
            if segment.first != reached {
                return Err(HeadError::Gap);
            }
            reached = segment.end();
            indexed_to_an_end |= self.indexed == reached;
        }
        if reached != self.size || !indexed_to_an_end {
            return Err(HeadError::Gap);
        }
        let Self { unpublished, indexed, published, signed, signed_at_ms, signing_keys, .. } = self;
        Ok(Head { edge, unpublished, indexed, published, signed, signed_at_ms, signing_keys })
    }
}

/// A head whose parts agree.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Head {
    pub(crate) edge: Edge,
    pub(crate) unpublished: Vec<SegmentRef>,
    pub(crate) indexed: u64,
    published: u64,
    signed: u64,
    signed_at_ms: u64,
    signing_keys: Vec<String>,
}

impl Head {
    /// The head of a log that has no entry.
    pub fn empty() -> Self {
        Self::default()
    }

    /// How many entries are committed.
    pub fn size(&self) -> u64 {
        self.edge.size()
    }

    /// The log's root.
    pub fn root(&self) -> Hash {
        self.edge.root()
    }

    /// The right edge of the tree.
    pub fn edge(&self) -> &Edge {
        &self.edge
    }

    /// Committed segments that are not published yet, in order.
    pub fn unpublished(&self) -> &[SegmentRef] {
        &self.unpublished
    }

    /// Those of them that are not indexed yet either.
    pub fn unindexed(&self) -> impl Iterator<Item = &SegmentRef> {
        self.unpublished.iter().filter(|segment| segment.first >= self.indexed)
    }

    /// Entries below it have postings and are counted.
    pub fn indexed(&self) -> u64 {
        self.indexed
    }

    /// Entries below it are in the tiles.
    pub fn published(&self) -> u64 {
        self.published
    }

    /// The size of the last checkpoint that is known to be signed and archived.
    pub fn signed(&self) -> u64 {
        self.signed
    }

    /// When a signature was last attempted, in epoch milliseconds; 0 if never.
    pub fn signed_at_ms(&self) -> u64 {
        self.signed_at_ms
    }

    /// The verification keys of those who may sign now, oldest first; none before the first signature.
    pub fn signing_keys(&self) -> &[String] {
        &self.signing_keys
    }

    /// The turn in signing that a key would take; `None` if it may not sign. The first key to sign a log is the log's.
    pub fn turn(&self, key: &str, now_ms: u64) -> Option<SigningTurn> {
        let keys = match self.signing_keys.iter().position(|known| known == key) {
            Some(place) => self.signing_keys[place..].to_vec(),
            None if self.signing_keys.is_empty() => vec![key.to_owned()],
            None => return None,
        };
        Some(SigningTurn { before_ms: self.signed_at_ms, now_ms, keys_before: self.signing_keys.clone(), keys })
    }
}

/// A turn in signing a log, as it is asked for: all of it follows from the head as it was loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SigningTurn {
    /// When a signature was last attempted, as the head was loaded.
    pub before_ms: u64,
    /// Now, in epoch milliseconds.
    pub now_ms: u64,
    /// Who might sign, as the head was loaded.
    pub keys_before: Vec<String>,
    /// Who may sign from now on: the one whose turn it is, and those after it.
    pub keys: Vec<String>,
}

impl SigningTurn {
    /// Whether keys that could sign before cannot any more.
    pub fn retires(&self) -> bool {
        self.keys.len() < self.keys_before.len()
    }
}

/// A stored head contradicts itself: nothing may be appended to its log until a person has looked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HeadError {
    /// The edge has another number of roots than the size asks for.
    #[error("the head's edge does not belong to its size")]
    EdgeOfAnotherSize,
    /// The root is not the edge's.
    #[error("the head's root does not follow from its edge")]
    RootNotOfEdge,
    /// An unpublished segment's name contradicts its row or its log.
    #[error("the head names a segment that is not its own")]
    ForeignSegment,
    /// The unpublished segments do not reach from `published` to `size`, or `indexed` lies inside one of them.
    #[error("the head's unpublished segments leave a gap")]
    Gap,
    /// Not signed ≤ published ≤ indexed ≤ size.
    #[error("the head is signed, published or indexed beyond what it may be")]
    OutOfOrder,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::leaf_hash;

    fn log() -> LogId {
        LogId::parse("acme/interaction/1/0").unwrap()
    }

    fn stored() -> StoredHead {
        let mut edge = Edge::empty();
        (0..5_u8).for_each(|index| edge.append(leaf_hash(&[index])));
        let name = SegmentName::of(&log(), 2, 3, b"bytes");
        let chunk = ChunkId { of: crate::origin::PlanOf::Bronze, object: "a".to_owned(), ordinal: 0 };
        let segment = SegmentRef {
            first: 2,
            count: 3,
            key: name.key(),
            version_id: "v".to_owned(),
            bytes: 5,
            chunks: vec![(chunk, 3)],
        };
        StoredHead {
            size: 5,
            root: edge.root(),
            edge: edge.roots().to_vec(),
            unpublished: vec![segment],
            indexed: 2,
            published: 2,
            signed: 1,
            signed_at_ms: 7,
            signing_keys: vec!["old".to_owned(), "new".to_owned()],
        }
    }

    #[test]
    fn a_turn_is_for_a_key_of_the_list_and_retires_those_before_it() {
        let head = stored().verify(&log()).unwrap();
        let old = head.turn("old", 9).unwrap();
        assert_eq!((old.before_ms, old.now_ms, old.retires()), (7, 9, false));
        assert_eq!((&old.keys_before, &old.keys), (&stored().signing_keys, &stored().signing_keys));
        let new = head.turn("new", 9).unwrap();
        assert_eq!((new.retires(), new.keys), (true, vec!["new".to_owned()]));
        assert_eq!(head.turn("another", 9), None);
        // The first one to sign a log, or one whose head is older than the list.
        let first = StoredHead { signing_keys: vec![], ..stored() }.verify(&log()).unwrap().turn("any", 9).unwrap();
        assert_eq!((first.retires(), first.keys_before, first.keys), (false, vec![], vec!["any".to_owned()]));
    }

    #[test]
    fn a_head_whose_parts_agree_is_accepted() {
        let head = stored().verify(&log()).unwrap();
        assert_eq!((head.size(), head.indexed(), head.unpublished().len()), (5, 2, 1));
        assert_eq!((head.published(), head.signed(), head.signed_at_ms()), (2, 1, 7));
        assert_eq!(head.unindexed().count(), 1);
        let indexed = StoredHead { indexed: 5, ..stored() }.verify(&log()).unwrap();
        assert_eq!((indexed.unpublished().len(), indexed.unindexed().count()), (1, 0));
    }

    #[test]
    fn a_head_that_contradicts_itself_is_refused() {
        let broken = |change: fn(&mut StoredHead)| {
            let mut head = stored();
            change(&mut head);
            head.verify(&log()).unwrap_err()
        };
        // Six has as many set bits as five: only the segments' reach betrays it.
        assert_eq!(broken(|head| head.size = 6), HeadError::Gap);
        assert_eq!(broken(|head| head.size = 7), HeadError::EdgeOfAnotherSize);
        assert_eq!(broken(|head| head.root.0[0] ^= 1), HeadError::RootNotOfEdge);
        assert_eq!(broken(|head| head.edge[1].0[0] ^= 1), HeadError::RootNotOfEdge);
        assert_eq!(broken(|head| head.published = 1), HeadError::Gap);
        assert_eq!(broken(|head| head.indexed = 1), HeadError::OutOfOrder);
        assert_eq!(broken(|head| head.indexed = 3), HeadError::Gap);
        assert_eq!(broken(|head| head.indexed = 6), HeadError::OutOfOrder);
        assert_eq!(broken(|head| head.signed = 3), HeadError::OutOfOrder);
        assert_eq!(broken(|head| head.unpublished.clear()), HeadError::Gap);
        assert_eq!(broken(|head| head.unpublished[0].first = 3), HeadError::ForeignSegment);
        assert_eq!(broken(|head| head.unpublished[0].chunks[0].1 = 2), HeadError::ForeignSegment);
        assert_eq!(stored().verify(&LogId::parse("acme/entity/1/0").unwrap()), Err(HeadError::ForeignSegment));
    }
}
