//! What DynamoDB charges: units by the sizes of items, in the layout in which `ledgerline_aws` writes them.
//!
//! The fakes do everything; what goes through a [`Metered`] one is weighed on its way.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ledgerline_ledger::append::{Commit, Marker};
use ledgerline_ledger::chunk::ChunkId;
use ledgerline_ledger::head::{SegmentRef, SigningTurn, StoredHead};
use ledgerline_ledger::log::LogId;
use ledgerline_ledger::ports::{CommitAppend, FinishSegments, MarkPoison, ReadHead, SigningTurns, WritePostings};
use ledgerline_ledger::posting::Posting;
use ledgerline_ledger::store::StoreError;
use ledgerline_testkit::fakes::control::FakeControl;
use ledgerline_testkit::fakes::index::FakeIndex;

/// Units used, shared by the tables of a run.
#[derive(Debug, Clone, Default)]
pub(super) struct Capacity {
    write: Arc<AtomicU64>,
    read: Arc<AtomicU64>,
}

impl Capacity {
    /// Write units so far.
    pub(super) fn write_units(&self) -> u64 {
        self.write.load(Ordering::Relaxed)
    }

    /// Read units so far.
    pub(super) fn read_units(&self) -> u64 {
        self.read.load(Ordering::Relaxed)
    }

    /// Starts over.
    pub(super) fn reset(&self) {
        self.write.store(0, Ordering::Relaxed);
        self.read.store(0, Ordering::Relaxed);
    }

    fn wrote(&self, item_bytes: usize) {
        self.write.fetch_add(write_units(item_bytes), Ordering::Relaxed);
    }

    /// A transaction costs twice.
    fn wrote_in_transaction(&self, item_bytes: usize) {
        self.write.fetch_add(2 * write_units(item_bytes), Ordering::Relaxed);
    }

    fn read_consistently(&self, item_bytes: usize) {
        self.read.fetch_add(read_units(item_bytes), Ordering::Relaxed);
    }
}

/// One unit per KB that is begun.
fn write_units(item_bytes: usize) -> u64 {
    item_bytes.div_ceil(1024).max(1) as u64
}

/// One unit per 4 KB that are begun, and one for what is not there: all reads here are consistent ones.
fn read_units(item_bytes: usize) -> u64 {
    item_bytes.div_ceil(4 * 1024).max(1) as u64
}

/// A table whose reads and writes are weighed.
#[derive(Debug, Clone)]
pub(super) struct Metered<T> {
    /// The fake behind it.
    pub(super) fake: T,
    /// What its calls used.
    pub(super) used: Capacity,
}

impl Metered<FakeControl> {
    fn head_bytes(&self, log: &LogId) -> usize {
        self.fake.stored_head(log).map_or(0, |head| head_bytes(log, &head))
    }

    /// An update costs the larger of what was there and what is.
    async fn update<T>(
        &self,
        log: &LogId,
        update: impl Future<Output = Result<T, StoreError>> + Send,
    ) -> Result<T, StoreError> {
        let before = self.head_bytes(log);
        let updated = update.await;
        self.used.wrote(before.max(self.head_bytes(log)));
        updated
    }
}

impl ReadHead for Metered<FakeControl> {
    async fn head(&self, log: &LogId) -> Result<Option<StoredHead>, StoreError> {
        self.used.read_consistently(self.head_bytes(log));
        self.fake.head(log).await
    }
}

impl CommitAppend for Metered<FakeControl> {
    async fn markers(&self, log: &LogId, chunks: &[ChunkId]) -> Result<Vec<Marker>, StoreError> {
        // No marker is anywhere near 4 KB, and one that is not there costs the same.
        chunks.iter().for_each(|_| self.used.read_consistently(0));
        self.fake.markers(log, chunks).await
    }

    async fn commit(&self, commit: &Commit) -> Result<(), StoreError> {
        self.fake.commit(commit).await?;
        self.used.wrote_in_transaction(self.head_bytes(&commit.log));
        if commit.before.0 == 0 {
            self.used.wrote_in_transaction(commit.log.as_str().len());
        }
        commit.markers.iter().for_each(|marker| self.used.wrote_in_transaction(marker_bytes(&commit.log, marker)));
        Ok(())
    }
}

impl FinishSegments for Metered<FakeControl> {
    async fn count_committed(&self, chunk: &ChunkId, count: u64) -> Result<(), StoreError> {
        self.fake.count_committed(chunk, count).await?;
        let (_, done) = self.fake.counted(&chunk.object);
        let ordinals: usize = done.iter().map(|ordinal| number(u64::from(*ordinal))).sum();
        self.used.wrote(OBJECT_ROW_BYTES + ordinals);
        Ok(())
    }

    async fn mark_indexed(&self, log: &LogId, segment: &SegmentRef) -> Result<(), StoreError> {
        self.update(log, self.fake.mark_indexed(log, segment)).await
    }

    async fn mark_published(&self, log: &LogId, oldest: &[SegmentRef]) -> Result<(), StoreError> {
        self.update(log, self.fake.mark_published(log, oldest)).await
    }
}

impl MarkPoison for Metered<FakeControl> {
    async fn mark_poison(&self, chunk: &ChunkId, count: u64) -> Result<(), StoreError> {
        self.used.wrote(OBJECT_ROW_BYTES);
        self.fake.mark_poison(chunk, count).await
    }
}

impl SigningTurns for Metered<FakeControl> {
    async fn take_signing_turn(&self, log: &LogId, turn: &SigningTurn) -> Result<(), StoreError> {
        self.update(log, self.fake.take_signing_turn(log, turn)).await
    }

    async fn mark_signed(&self, log: &LogId, size: u64) -> Result<(), StoreError> {
        self.update(log, self.fake.mark_signed(log, size)).await
    }
}

impl WritePostings for Metered<FakeIndex> {
    async fn put_postings(&self, postings: &[Posting]) -> Result<(), StoreError> {
        self.fake.put_postings(postings).await?;
        postings.iter().for_each(|posting| self.used.wrote(posting_bytes(posting)));
        Ok(())
    }
}

/// A bronze object's row without its set of ordinals: key, state, two times, eight counts. Some 300 bytes; what matters is
/// that it is less than a KB.
const OBJECT_ROW_BYTES: usize = 300;
/// What S3 gives as a version id; the fakes' own are shorter.
const VERSION_ID_BYTES: usize = 32;
const HASH_BYTES: usize = 32;

fn head_bytes(log: &LogId, head: &StoredHead) -> usize {
    let segments = head.unpublished.iter().map(|segment| {
        let chunk = |(chunk, count): &(ChunkId, u64)| format!("{chunk}#{count}").len();
        attributes(&[
            ("first", number(segment.first)),
            ("count", number(segment.count)),
            ("key", segment.key.len()),
            ("versionId", VERSION_ID_BYTES),
            ("bytes", number(segment.bytes)),
            ("chunks", nested(segment.chunks.iter().map(chunk))),
        ]) + NESTED_BYTES
            + 6
    });
    attributes(&[
        ("pk", "LOG#".len() + log.as_str().len()),
        ("sk", "HEAD".len()),
        ("v", number(1)),
        ("size", number(head.size)),
        ("root", HASH_BYTES),
        ("edge", head.edge.len() * HASH_BYTES),
        ("unpublished", nested(segments)),
        ("indexed", number(head.indexed)),
        ("published", number(head.published)),
        ("signed", number(head.signed)),
        ("signedAt", number(head.signed_at_ms)),
        ("signingKeys", nested(head.signing_keys.iter().map(String::len))),
    ])
}

fn marker_bytes(log: &LogId, marker: &Marker) -> usize {
    attributes(&[
        ("pk", "LOG#".len() + log.as_str().len()),
        ("sk", "CHUNK#".len() + marker.chunk.to_string().len()),
        ("first", number(marker.first)),
        ("count", number(marker.count)),
        ("segment", marker.segment.len()),
        ("ttl", number(1_800_000_001)),
    ])
}

fn posting_bytes(posting: &Posting) -> usize {
    let members = posting.members.iter().map(|member| {
        attributes(&[
            ("offset", number(member.offset)),
            ("length", number(member.length)),
            ("first", number(member.first)),
            ("at", nested(member.at.iter().map(|at| number(u64::from(*at))))),
        ]) + NESTED_BYTES
            + 4
    });
    attributes(&[
        ("pk", "INT#".len() + posting.record_key.len()),
        ("sk", "POST##".len() + posting.log.as_str().len() + 20),
        ("segment", posting.segment.len()),
        ("versionId", VERSION_ID_BYTES),
        ("from", posting.from.len()),
        ("to", posting.to.len()),
        ("members", nested(members)),
    ])
}

/// DynamoDB counts an attribute's name and its value.
fn attributes(all: &[(&str, usize)]) -> usize {
    all.iter().map(|(name, value_bytes)| name.len() + value_bytes).sum()
}

/// A byte, and one for every two significant digits.
fn number(value: u64) -> usize {
    let text = value.to_string();
    1 + text.trim_end_matches('0').len().div_ceil(2)
}

/// A list: three bytes, and one more for each element.
fn nested(elements: impl Iterator<Item = usize>) -> usize {
    NESTED_BYTES + elements.map(|bytes| 1 + bytes).sum::<usize>()
}

/// What a list or a map costs beside its elements.
const NESTED_BYTES: usize = 3;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_begun_kilobytes() {
        let units = |bytes: [usize; 4]| bytes.map(write_units);
        assert_eq!(units([0, 1, 1_024, 1_025]), [1, 1, 1, 2]);
        assert_eq!([0, 4_096, 4_097].map(read_units), [1, 1, 2]);
        let used = Capacity::default();
        used.wrote(1_025);
        used.wrote_in_transaction(1_025);
        used.read_consistently(1);
        assert_eq!((used.write_units(), used.read_units()), (6, 1));
        used.reset();
        assert_eq!((used.write_units(), used.read_units()), (0, 0));
    }

    #[test]
    fn sizes_are_counted_as_dynamodb_counts_them() {
        // The documentation's own: names and text by their bytes, numbers by pairs of significant digits and one.
        assert_eq!([0, 7, 12, 123, 1_000, 1_234].map(number), [1, 2, 2, 3, 2, 3]);
        assert_eq!(attributes(&[("pk", 3), ("name", 10)]), 19);
        assert_eq!(nested([2, 2].into_iter()), 9);
    }

    #[test]
    fn a_head_grows_by_its_segments_and_its_edge() {
        let log = LogId::parse("bench/interaction/1/0").unwrap();
        let chunk = |ordinal| (ChunkId { object: "0".repeat(32), ordinal }, 256);
        let segment = |chunks: u32| SegmentRef {
            first: 0,
            count: 256,
            key: "k".repeat(100),
            version_id: "v".to_owned(),
            bytes: 20_000,
            chunks: (0..chunks).map(chunk).collect(),
        };
        let head = |edge: usize, unpublished: Vec<SegmentRef>| StoredHead {
            size: 1,
            root: ledgerline_ledger::tree::Hash([0; 32]),
            edge: vec![ledgerline_ledger::tree::Hash([0; 32]); edge],
            unpublished,
            indexed: 1,
            published: 1,
            signed: 1,
            signed_at_ms: 1,
            signing_keys: vec![],
        };
        let bytes = |edge, unpublished| head_bytes(&log, &head(edge, unpublished));
        let bare = bytes(1, vec![]);
        assert!((150..200).contains(&bare), "{bare}");
        assert_eq!(bytes(20, vec![]) - bare, 19 * 32);
        // A key of 100, a version id of 32, and some 70 more; 44 for each chunk: object, ordinal and count.
        let of_one = bytes(1, vec![segment(1)]) - bare;
        assert!((210..270).contains(&of_one), "{of_one}");
        assert_eq!(bytes(1, vec![segment(10)]) - bare - of_one, 9 * 44);
    }
}
