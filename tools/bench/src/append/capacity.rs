//! What DynamoDB charges: units by the sizes of items, as the families store them.
//!
//! The fake does everything; what goes through a [`Metered`] one is weighed on its way.

use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use ledgerline_ledger::store::StoreError;
use ledgerline_store::table::{Beside, Key, Query, Returning, Row, Scan, ScanPage, Table, Write};
use ledgerline_testkit::table::{FakeTable, item_bytes};

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

    fn wrote(&self, item_bytes: usize, times: u64) {
        self.write.fetch_add(times * write_units(item_bytes), Ordering::Relaxed);
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
pub(super) struct Metered {
    /// The fake behind it.
    pub(super) fake: FakeTable,
    /// What its calls used.
    pub(super) used: Capacity,
}

/// What a write costs in a transaction, beside one on its own.
const IN_TRANSACTION: u64 = 2;

impl Metered {
    /// As the product takes it.
    pub(super) fn port(&self) -> Arc<dyn Table> {
        Arc::new(self.clone())
    }

    fn bytes(&self, key: &Key) -> usize {
        self.fake.peek(key).map_or(0, |row| item_bytes(key, &row))
    }

    /// A write costs the larger of what was there and what is.
    async fn weighed<T>(
        &self,
        keys: Vec<Key>,
        times: u64,
        write: impl Future<Output = Result<T, StoreError>> + Send,
    ) -> Result<T, StoreError> {
        let before: Vec<usize> = keys.iter().map(|key| self.bytes(key)).collect();
        let written = write.await;
        keys.iter().zip(before).for_each(|(key, before)| self.used.wrote(before.max(self.bytes(key)), times));
        written
    }
}

#[async_trait]
impl Table for Metered {
    async fn get(&self, what: &str, key: &Key) -> Result<Option<Row>, StoreError> {
        self.used.read_consistently(self.bytes(key));
        self.fake.get(what, key).await
    }

    async fn batch_get(&self, what: &str, keys: &[Key]) -> Result<Vec<Option<Row>>, StoreError> {
        keys.iter().for_each(|key| self.used.read_consistently(self.bytes(key)));
        self.fake.batch_get(what, keys).await
    }

    async fn query(&self, what: &str, query: &Query) -> Result<Vec<(String, Row)>, StoreError> {
        let rows = self.fake.query(what, query).await?;
        let bytes = rows.iter().map(|(sk, row)| item_bytes(&Key::new(&query.pk, sk), row)).sum();
        self.used.read_consistently(bytes);
        Ok(rows)
    }

    async fn write(&self, what: &str, write: Write, returning: Returning) -> Result<Row, StoreError> {
        self.weighed(vec![write.key.clone()], 1, self.fake.write(what, write, returning)).await
    }

    async fn transact(&self, what: &str, writes: Vec<Write>, beside: Vec<Beside>) -> Result<(), StoreError> {
        assert!(beside.is_empty(), "an append writes one table");
        let keys = writes.iter().map(|write| write.key.clone()).collect();
        self.weighed(keys, IN_TRANSACTION, self.fake.transact(what, writes, beside)).await
    }

    fn as_any(&self) -> &dyn Any {
        self.fake.as_any()
    }

    async fn batch_write(&self, what: &str, writes: Vec<Write>) -> Result<(), StoreError> {
        let keys = writes.iter().map(|write| write.key.clone()).collect();
        self.weighed(keys, 1, self.fake.batch_write(what, writes)).await
    }

    async fn scan_page(&self, what: &str, scan: &Scan, after: Option<Key>) -> Result<ScanPage, StoreError> {
        let (rows, next) = self.fake.scan_page(what, scan, after).await?;
        self.used.read_consistently(rows.iter().map(|(key, row)| item_bytes(key, row)).sum());
        Ok((rows, next))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ledgerline_ledger::append::Commit;
    use ledgerline_ledger::chunk::ChunkId;
    use ledgerline_ledger::head::SegmentRef;
    use ledgerline_ledger::log::LogId;
    use ledgerline_ledger::tree::{Edge, Hash};
    use ledgerline_store::head::{Heads, head_key};
    use ledgerline_testkit::calls::Calls;
    use ledgerline_testkit::faults::Faults;

    #[test]
    fn units_are_begun_kilobytes() {
        let units = |bytes: [usize; 4]| bytes.map(write_units);
        assert_eq!(units([0, 1, 1_024, 1_025]), [1, 1, 1, 2]);
        assert_eq!([0, 4_096, 4_097].map(read_units), [1, 1, 2]);
        let used = Capacity::default();
        used.wrote(1_025, 1);
        used.wrote(1_025, IN_TRANSACTION);
        used.read_consistently(1);
        assert_eq!((used.write_units(), used.read_units()), (6, 1));
        used.reset();
        assert_eq!((used.write_units(), used.read_units()), (0, 0));
    }

    /// The head's size after a first commit, and once its segment is published; with the units that all of it used.
    async fn head_bytes(nodes: u32, chunks: u32) -> (usize, usize, u64, u64) {
        let log = LogId::parse("bench/interaction/1/0").unwrap();
        let fake = FakeTable::new("ControlTable", Faults::none(), Calls::default());
        let table = Metered { fake, used: Capacity::default() };
        let (heads, size) = (Heads::new(table.port()), (1 << nodes) - 1);
        let segment = SegmentRef {
            first: 0,
            count: size,
            key: "k".repeat(100),
            version_id: "v".repeat(32),
            bytes: 20_000,
            chunks: (0..chunks).map(|ordinal| (ChunkId { object: "0".repeat(32), ordinal }, 256)).collect(),
        };
        let commit = Commit {
            log: log.clone(),
            before: (0, Hash([0; 32])),
            after: Edge::from_parts(size, vec![Hash([0; 32]); nodes as usize]).unwrap(),
            segment: segment.clone(),
            markers: vec![],
            markers_expire_at_s: 0,
        };
        heads.commit(&commit).await.unwrap();
        let committed = table.bytes(&head_key(&log));
        heads.mark_indexed(&log, &segment).await.unwrap();
        heads.mark_published(&log, std::slice::from_ref(&segment)).await.unwrap();
        heads.head(&log).await.unwrap();
        (committed, table.bytes(&head_key(&log)), table.used.write_units(), table.used.read_units())
    }

    #[tokio::test]
    async fn a_head_grows_by_its_segments_and_its_edge() {
        let (of_one, bare, written, read) = head_bytes(1, 1).await;
        assert!((120..200).contains(&bare), "{bare}");
        // Two rows in a transaction, and two updates; one reading.
        assert_eq!((written, read), (2 * 2 + 2, 1));
        // A key of 100, a version id of 32, and some 70 more; 44 for each chunk: object, ordinal and count.
        let of_one = of_one - bare;
        assert!((210..270).contains(&of_one), "{of_one}");
        let (of_ten, same, ..) = head_bytes(1, 10).await;
        assert_eq!((of_ten - bare - of_one, same), (9 * 44, bare));
        // 19 nodes more, and what the larger number takes in the size and the two places reached.
        assert_eq!(head_bytes(20, 1).await.1 - bare, 19 * 32 + 3 * 3);
    }

    #[tokio::test]
    async fn an_update_costs_the_larger_of_what_was_there_and_what_is() {
        // Thirty chunks are more than a KB: two units, twice each in the transaction; the last update leaves less.
        assert_eq!(head_bytes(1, 30).await.2, 2 * (2 + 1) + 2 + 2);
    }
}
