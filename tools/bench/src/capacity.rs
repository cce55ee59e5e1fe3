//! What DynamoDB charges: units by the sizes of items, family by family.
//!
//! The fake does everything; what goes through a [`Metered`] one is weighed on its way.

use std::any::Any;
use std::collections::BTreeMap;
use std::iter::Sum;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use ledgerline_ledger::store::StoreError;
use ledgerline_store::Family;
use ledgerline_store::table::{Beside, Key, Query, Returning, Row, Scan, ScanPage, Table, Write};
use ledgerline_testkit::table::{FakeTable, item_bytes};

/// Write and read units.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Units {
    pub(crate) write: u64,
    pub(crate) read: u64,
}

impl Sum for Units {
    fn sum<I: Iterator<Item = Self>>(units: I) -> Self {
        units.fold(Self::default(), |all, of| Self { write: all.write + of.write, read: all.read + of.read })
    }
}

/// Units by the family of the rows; `None`: a query for rows of several families.
pub(crate) type ByFamily = BTreeMap<Option<Family>, Units>;

/// Units used, shared by the tables of a run.
#[derive(Debug, Clone, Default)]
pub(crate) struct Capacity(Arc<Mutex<ByFamily>>);

impl Capacity {
    /// Units so far.
    pub(crate) fn by_family(&self) -> ByFamily {
        self.lock().clone()
    }

    /// Starts over.
    pub(crate) fn reset(&self) {
        self.lock().clear();
    }

    fn wrote(&self, key: &Key, item_bytes: usize, times: u64) {
        self.lock().entry(Family::of_key(key)).or_default().write += times * write_units(item_bytes);
    }

    fn read_consistently(&self, key: &Key, item_bytes: usize) {
        self.lock().entry(Family::of_key(key)).or_default().read += read_units(item_bytes);
    }

    fn lock(&self) -> MutexGuard<'_, ByFamily> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
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
pub(crate) struct Metered {
    /// The fake behind it.
    pub(crate) fake: FakeTable,
    /// What its calls used.
    pub(crate) used: Capacity,
}

/// What a write costs in a transaction, beside one on its own. DynamoDB charges a row that is only checked as a written one.
const IN_TRANSACTION: u64 = 2;

impl Metered {
    /// As the product takes it.
    pub(crate) fn port(&self) -> Arc<dyn Table> {
        Arc::new(self.clone())
    }

    /// A write costs the larger of what was there and what is.
    async fn weighed<T>(
        &self,
        rows: Vec<(FakeTable, Key)>,
        times: u64,
        write: impl Future<Output = Result<T, StoreError>> + Send,
    ) -> Result<T, StoreError> {
        let before: Vec<usize> = rows.iter().map(|(fake, key)| bytes(fake, key)).collect();
        let written = write.await;
        for ((fake, key), before) in rows.iter().zip(before) {
            self.used.wrote(key, before.max(bytes(fake, key)), times);
        }
        written
    }

    fn rows(&self, writes: &[Write]) -> Vec<(FakeTable, Key)> {
        writes.iter().map(|write| (self.fake.clone(), write.key.clone())).collect()
    }
}

fn bytes(fake: &FakeTable, key: &Key) -> usize {
    fake.peek(key).map_or(0, |row| item_bytes(key, &row))
}

#[async_trait]
impl Table for Metered {
    async fn get(&self, what: &str, key: &Key) -> Result<Option<Row>, StoreError> {
        self.used.read_consistently(key, bytes(&self.fake, key));
        self.fake.get(what, key).await
    }

    async fn batch_get(&self, what: &str, keys: &[Key]) -> Result<Vec<Option<Row>>, StoreError> {
        keys.iter().for_each(|key| self.used.read_consistently(key, bytes(&self.fake, key)));
        self.fake.batch_get(what, keys).await
    }

    async fn query(&self, what: &str, query: &Query) -> Result<Vec<(String, Row)>, StoreError> {
        let rows = self.fake.query(what, query).await?;
        let bytes = rows.iter().map(|(sk, row)| item_bytes(&Key::new(&query.pk, sk), row)).sum();
        self.used.read_consistently(&Key::new(&query.pk, query.prefix.as_deref().unwrap_or_default()), bytes);
        Ok(rows)
    }

    async fn write(&self, what: &str, write: Write, returning: Returning) -> Result<Row, StoreError> {
        self.weighed(self.rows(std::slice::from_ref(&write)), 1, self.fake.write(what, write, returning)).await
    }

    async fn transact(&self, what: &str, writes: Vec<Write>, beside: Vec<Beside>) -> Result<(), StoreError> {
        let mut rows = self.rows(&writes);
        for Beside { table, writes } in &beside {
            let fake = FakeTable::of(&**table);
            rows.extend(writes.iter().map(|write| (fake.clone(), write.key.clone())));
        }
        self.weighed(rows, IN_TRANSACTION, self.fake.transact(what, writes, beside)).await
    }

    fn as_any(&self) -> &dyn Any {
        self.fake.as_any()
    }

    async fn batch_write(&self, what: &str, writes: Vec<Write>) -> Result<(), StoreError> {
        self.weighed(self.rows(&writes), 1, self.fake.batch_write(what, writes)).await
    }

    async fn scan_page(&self, what: &str, scan: &Scan, after: Option<Key>) -> Result<ScanPage, StoreError> {
        let (rows, next) = self.fake.scan_page(what, scan, after).await?;
        let bytes = rows.iter().map(|(key, row)| item_bytes(key, row)).sum();
        self.used.read_consistently(&Key::new(String::new(), String::new()), bytes);
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
    use ledgerline_ledger::origin::PlanOf;
    use ledgerline_ledger::tree::{Edge, Hash};
    use ledgerline_store::head::{Heads, head_key};
    use ledgerline_store::record::pin_key;
    use ledgerline_testkit::calls::Calls;
    use ledgerline_testkit::faults::Faults;

    #[test]
    fn units_are_begun_kilobytes() {
        let units = |bytes: [usize; 4]| bytes.map(write_units);
        assert_eq!(units([0, 1, 1_024, 1_025]), [1, 1, 1, 2]);
        assert_eq!([0, 4_096, 4_097].map(read_units), [1, 1, 2]);
        let (used, head) = (Capacity::default(), head_key(&LogId::parse("bench/interaction/1/0").unwrap()));
        used.wrote(&head, 1_025, 1);
        used.wrote(&head, 1_025, IN_TRANSACTION);
        used.read_consistently(&head, 1);
        used.read_consistently(&pin_key("bench/c-1"), 4_097);
        let [of_head, of_pin] = [Units { write: 6, read: 1 }, Units { write: 0, read: 2 }];
        assert_eq!(used.by_family(), [(Some(Family::Head), of_head), (Some(Family::Pin), of_pin)].into());
        used.reset();
        assert_eq!(used.by_family(), ByFamily::new());
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
            chunks: (0..chunks)
                .map(|ordinal| (ChunkId { of: PlanOf::Bronze, object: "0".repeat(32), ordinal }, 256))
                .collect(),
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
        let head_bytes = || bytes(&table.fake, &head_key(&log));
        let committed = head_bytes();
        heads.mark_indexed(&log, &segment).await.unwrap();
        heads.mark_published(&log, std::slice::from_ref(&segment)).await.unwrap();
        heads.head(&log).await.unwrap();
        let used: Units = table.used.by_family().into_values().sum();
        (committed, head_bytes(), used.write, used.read)
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
