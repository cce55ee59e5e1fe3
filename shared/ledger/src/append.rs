//! The append plan: what one segment and one transaction must write. Pure.
//!
//! Invariant: the plan's bytes depend on nothing but the head and the chunks, so two writers that try the same append
//! name the same object with the same bytes. Chunks keep their order; no line is left out, changed or added.

use crate::chunk::{Chunk, ChunkId};
use crate::head::{Head, SegmentRef};
use crate::log::LogId;
use crate::member;
use crate::segment::SegmentName;
use crate::summary::{LineSummaries, MemberSummary, Summary};
use crate::tree::{Edge, Hash};

/// Most chunks in one segment: a transaction has 100 items, two of which are the head and, with a log's first append, the
/// log's name in the list of logs.
pub const MAX_CHUNKS: usize = 98;
/// Most text in one segment. A usual one (10 chunks × 256 lines × 1,700 bytes) is 4.4 MB; text, packed chunks, bytes and
/// summaries together stay below 4 × 64 MiB, inside 512 MB of memory.
pub const MAX_SEGMENT_TEXT_BYTES: usize = 64 * 1024 * 1024;

/// Everything that an append writes, decided before anything is written.
#[derive(Debug, Clone)]
pub struct AppendPlan {
    /// The log.
    pub log: LogId,
    /// The segment's name.
    pub name: SegmentName,
    /// The segment's bytes.
    pub bytes: Vec<u8>,
    /// SHA-256 of the bytes.
    pub sha256: Hash,
    /// Size and root of the head that the plan grows from.
    pub before: (u64, Hash),
    /// The edge after the append; its size and root are the new head's.
    pub after: Edge,
    /// The new entries' leaf hashes, for the tiles.
    pub leaves: Vec<Hash>,
    /// What the index needs of the segment: the same as is read from its bytes.
    pub summary: Summary,
    /// The chunks, in order, with their counts.
    pub chunks: Vec<(ChunkId, u64)>,
}

impl AppendPlan {
    /// The transaction, once the segment lies in the bucket under this version.
    pub fn commit(&self, version_id: String, markers_expire_at_s: u64) -> Commit {
        let mut first = self.before.0;
        let mut markers = Vec::with_capacity(self.chunks.len());
        for (chunk, count) in &self.chunks {
            markers.push(Marker { chunk: chunk.clone(), first, count: *count, segment: self.name.key() });
            first += count;
        }
        let segment = SegmentRef {
            first: self.name.first,
            count: self.name.count,
            key: self.name.key(),
            version_id,
            bytes: self.bytes.len() as u64,
            chunks: self.chunks.clone(),
        };
        Commit {
            log: self.log.clone(),
            before: self.before,
            after: self.after.clone(),
            segment,
            markers,
            markers_expire_at_s,
        }
    }
}

/// One transaction: the head from its loaded to its new state, and a marker per chunk, which must be absent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit {
    /// The log.
    pub log: LogId,
    /// Size and root that the head must have; size 0 means that there is no head yet.
    pub before: (u64, Hash),
    /// The new edge; size and root follow from it.
    pub after: Edge,
    /// Added to `unpublished`.
    pub segment: SegmentRef,
    /// One per chunk.
    pub markers: Vec<Marker>,
    /// When the markers may go, in epoch seconds.
    pub markers_expire_at_s: u64,
}

/// Says that a chunk is committed, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Marker {
    /// The chunk.
    pub chunk: ChunkId,
    /// The index of its first entry.
    pub first: u64,
    /// How many entries it has.
    pub count: u64,
    /// The segment's key.
    pub segment: String,
}

/// Plans the append of `chunks` to the log at `head`. `None` if there is nothing to append.
pub fn plan_append(log: &LogId, head: &Head, chunks: &[Chunk]) -> Option<AppendPlan> {
    if chunks.is_empty() {
        return None;
    }
    let (bytes, members) = pack_chunks(head.size(), chunks);
    let mut after = head.edge().clone();
    let leaves: Vec<Hash> = chunks.iter().flat_map(Chunk::leaves).copied().collect();
    leaves.iter().for_each(|leaf| after.append(*leaf));
    let sha256 = Hash::of_object(&bytes);
    let name = SegmentName::of_hash(log, head.size(), after.size() - head.size(), &sha256);
    Some(AppendPlan {
        log: log.clone(),
        summary: Summary::new(name.clone(), members),
        name,
        bytes,
        sha256,
        before: (head.size(), head.root()),
        after,
        leaves,
        chunks: chunks.iter().map(|chunk| (chunk.id().clone(), chunk.count() as u64)).collect(),
    })
}

/// How many chunks from the front fit one segment; at least one.
pub fn fit_segment(chunk_text_bytes: impl IntoIterator<Item = usize>) -> usize {
    let mut total = 0;
    let fitting = chunk_text_bytes.into_iter().take(MAX_CHUNKS).take_while(|bytes| {
        total += bytes;
        total <= MAX_SEGMENT_TEXT_BYTES
    });
    fitting.count().max(1)
}

/// The segment's bytes, and what its members are about. A chunk of at least half a member keeps its bytes as they are in
/// the plan (its lines were read from them, so nothing else can be in them); smaller neighbours are packed together, which
/// compresses better and keeps the number of members, and so of ranged reads, small.
fn pack_chunks(first: u64, chunks: &[Chunk]) -> (Vec<u8>, Vec<MemberSummary>) {
    let bytes = Vec::with_capacity(chunks.iter().map(|chunk| chunk.packed().len()).sum());
    let mut packing = Packing { bytes, members: Vec::new(), next: first };
    let mut gathered = Gathered::default();
    for chunk in chunks {
        if chunk.count() >= MIN_KEPT_LINES && member::has_plain_header(chunk.packed()) {
            gathered.flush_into(&mut packing);
            packing.push(chunk.packed(), chunk.lines().clone());
        } else {
            if !gathered.has_room_for(chunk) {
                gathered.flush_into(&mut packing);
            }
            gathered.text.push_str(chunk.text());
            gathered.lines.append(chunk.lines());
        }
    }
    gathered.flush_into(&mut packing);
    (packing.bytes, packing.members)
}

/// A segment on its way.
struct Packing {
    bytes: Vec<u8>,
    members: Vec<MemberSummary>,
    /// The log's index of the next member's first line.
    next: u64,
}

impl Packing {
    fn push(&mut self, packed: &[u8], lines: LineSummaries) {
        let (offset, first) = (self.bytes.len() as u64, self.next);
        self.bytes.extend_from_slice(packed);
        self.next += lines.len() as u64;
        self.members.push(MemberSummary { offset, length: packed.len() as u64, first, lines });
    }
}

/// Small chunks on their way into one member.
#[derive(Default)]
struct Gathered {
    text: String,
    lines: LineSummaries,
}

impl Gathered {
    fn has_room_for(&self, chunk: &Chunk) -> bool {
        self.lines.len() + chunk.count() <= member::MAX_LINES
            && self.text.len() + chunk.text().len() <= member::MAX_TEXT_BYTES
    }

    fn flush_into(&mut self, packing: &mut Packing) {
        if self.lines.len() > 0 {
            let Self { text, lines } = std::mem::take(self);
            packing.push(&member::pack(text.as_bytes()), lines);
        }
    }
}

/// Half a member: packing again could at best save every second member.
const MIN_KEPT_LINES: usize = member::MAX_LINES / 2;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chunk::tests::{chunk, text_of};
    use crate::head::StoredHead;
    use crate::origin::PlanOf;
    use crate::segment::Segment;
    use crate::tree::leaf_hash;
    use proptest::prelude::*;

    fn log() -> LogId {
        LogId::parse("acme/interaction/1/0").unwrap()
    }

    fn head_after(plan: &AppendPlan) -> Head {
        StoredHead {
            size: plan.after.size(),
            root: plan.after.root(),
            edge: plan.after.roots().to_vec(),
            unpublished: vec![],
            indexed: plan.after.size(),
            published: plan.after.size(),
            signed: 0,
            signed_at_ms: 0,
            signing_keys: vec![],
        }
        .verify(&log())
        .unwrap()
    }

    #[test]
    fn nothing_to_append_is_no_plan() {
        assert!(plan_append(&log(), &Head::empty(), &[]).is_none());
    }

    #[test]
    fn a_large_chunk_keeps_its_bytes_and_small_ones_share_a_member() {
        let chunks = [chunk(0, 0..10), chunk(1, 10..20), chunk(2, 20..200), chunk(3, 200..203)];
        let plan = plan_append(&log(), &Head::empty(), &chunks).unwrap();
        let segment = Segment::read(&plan.name.key(), &plan.bytes).unwrap();
        let counts: Vec<usize> = segment.members().iter().map(|member| member.lines().count()).collect();
        assert_eq!(counts, [20, 180, 3]);
        let kept = &segment.members()[1];
        let range = kept.offset as usize..(kept.offset + kept.length) as usize;
        assert_eq!(&plan.bytes[range], chunks[2].packed());
    }

    #[test]
    fn a_member_with_something_in_its_header_is_packed_anew() {
        let text = text_of(0..200);
        let mut encoder = flate2::GzBuilder::new().comment("hidden").write(Vec::new(), flate2::Compression::new(6));
        std::io::Write::write_all(&mut encoder, text.as_bytes()).unwrap();
        let packed = encoder.finish().unwrap();
        let id = ChunkId { of: PlanOf::Bronze, object: "0123456789abcdef0123456789abcdef".to_owned(), ordinal: 0 };
        let chunk = Chunk::check(id, &log(), 200, packed).unwrap();
        let plan = plan_append(&log(), &Head::empty(), &[chunk]).unwrap();
        assert!(!plan.bytes.windows(6).any(|window| window == b"hidden"));
    }

    #[test]
    fn markers_tile_the_segment() {
        let chunks = [chunk(4, 0..10), chunk(9, 10..13)];
        let first = plan_append(&log(), &Head::empty(), &chunks).unwrap();
        let plan = plan_append(&log(), &head_after(&first), &chunks).unwrap();
        let commit = plan.commit("v7".to_owned(), 99);
        assert_eq!(commit.before, (13, first.after.root()));
        assert_eq!(
            commit.markers.iter().map(|marker| (marker.first, marker.count)).collect::<Vec<_>>(),
            [(13, 10), (23, 3)]
        );
        assert_eq!((commit.segment.first, commit.segment.count, commit.segment.version_id.as_str()), (13, 13, "v7"));
    }

    #[test]
    fn a_segment_takes_at_most_what_a_transaction_and_memory_take() {
        assert_eq!(fit_segment(std::iter::repeat_n(10, 200)), MAX_CHUNKS);
        assert_eq!(fit_segment([MAX_SEGMENT_TEXT_BYTES + 1, 1]), 1);
        assert_eq!(fit_segment([MAX_SEGMENT_TEXT_BYTES / 2, MAX_SEGMENT_TEXT_BYTES / 2, 1]), 2);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        /// However lines are cut into chunks and chunks into appends, the log is the same.
        #[test]
        fn the_root_depends_on_the_lines_alone(cuts in proptest::collection::vec(1_u64..256, 1..5), appends in 1_usize..4) {
            let mut chunks = Vec::new();
            let mut next = 0;
            for (ordinal, count) in (0..).zip(&cuts) {
                chunks.push(chunk(ordinal, next..next + count));
                next += count;
            }
            let mut oracle = Edge::empty();
            text_of(0..next).lines().for_each(|line| oracle.append(leaf_hash(line.as_bytes())));
            let mut head = Head::empty();
            let mut lines = String::new();
            for part in chunks.chunks(chunks.len().div_ceil(appends)) {
                let plan = plan_append(&log(), &head, part).unwrap();
                let segment = Segment::read(&plan.name.key(), &plan.bytes).unwrap();
                segment.lines().for_each(|line| { lines.push_str(line); lines.push('\n'); });
                prop_assert_eq!(&plan.bytes, &plan_append(&log(), &head, part).unwrap().bytes);
                head = head_after(&plan);
            }
            prop_assert_eq!(head.root(), oracle.root());
            prop_assert_eq!(lines, text_of(0..next));
        }
    }
}
