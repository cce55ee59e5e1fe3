//! Heads, markers of committed chunks, and the list of logs, in the control table: what one commit writes.
//!
//! Invariant: a head changes only in a transaction or update whose condition names the state it was loaded in, and a
//! marker is only ever created.

use std::sync::Arc;

use ledgerline_ledger::append::{Commit, Marker};
use ledgerline_ledger::chunk::ChunkId;
use ledgerline_ledger::head::{SegmentRef, SigningTurn, StoredHead};
use ledgerline_ledger::log::LogId;
use ledgerline_ledger::store::StoreError;
use ledgerline_ledger::tree::{Edge, Hash};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use crate::table::{
    Change, Condition, Key, Path, Query, Returning, Row, Table, Value, Write, corrupt, read_row, to_row,
};

/// The key of a log's head.
pub fn head_key(log: &LogId) -> Key {
    Key::new(log_partition(log), HEAD)
}

/// The key of the marker of a committed chunk.
pub fn marker_key(log: &LogId, chunk: &ChunkId) -> Key {
    Key::new(log_partition(log), format!("{MARKER}{chunk}"))
}

/// The markers of all chunks that a log has committed, but for those that have expired.
pub fn markers(log: &LogId) -> Query {
    Query::partition(log_partition(log)).beginning(MARKER)
}

/// The key of a log's place in the list of logs.
pub fn listed_key(log: &LogId) -> Key {
    Key::new(LOGS, log.as_str())
}

/// The log whose head a key is of.
pub fn parse_head_key(key: &Key) -> Option<LogId> {
    let log = key.pk.strip_prefix(LOG).filter(|_| key.sk == HEAD)?;
    LogId::parse(log).ok()
}

/// The log that a row of the list of logs names.
pub fn parse_listed_key(key: &Key) -> Option<LogId> {
    LogId::parse(&key.sk).ok().filter(|_| key.pk == LOGS)
}

/// The log and the chunk whose marker a key is of.
pub fn parse_marker_key(key: &Key) -> Option<(LogId, ChunkId)> {
    let log = LogId::parse(key.pk.strip_prefix(LOG)?).ok()?;
    Some((log, ChunkId::parse(key.sk.strip_prefix(MARKER)?)?))
}

/// The heads of all logs.
#[derive(Clone, Debug)]
pub struct Heads {
    table: Arc<dyn Table>,
}

impl Heads {
    /// Rows of the control table.
    pub fn new(table: Arc<dyn Table>) -> Self {
        Self { table }
    }

    /// A log's head, not trusted yet; `None` if the log has none.
    ///
    /// # Errors
    /// The table's; `Corrupt` for a row that is not a head.
    pub async fn head(&self, log: &LogId) -> Result<Option<StoredHead>, StoreError> {
        let row = self.table.get(&format!("read head of {log}"), &head_key(log)).await?;
        row.map(read_head).transpose()
    }

    /// Every log that was ever appended to, by name.
    ///
    /// # Errors
    /// The table's.
    pub async fn logs(&self) -> Result<Vec<LogId>, StoreError> {
        let rows = self.table.query("list the logs", &Query::partition(LOGS)).await?;
        let log = |sk: String| LogId::parse(&sk).map_err(|_| corrupt("the list of logs names no log"));
        rows.into_iter().map(|(sk, _)| log(sk)).collect()
    }

    /// The markers of those chunks that are committed.
    ///
    /// # Errors
    /// The table's.
    pub async fn markers(&self, log: &LogId, chunks: &[ChunkId]) -> Result<Vec<Marker>, StoreError> {
        let keys: Vec<Key> = chunks.iter().map(|chunk| marker_key(log, chunk)).collect();
        let rows = self.table.batch_get(&format!("read markers of {log}"), &keys).await?;
        let found = chunks.iter().zip(rows).filter_map(|(chunk, row)| Some((chunk, row?)));
        found.map(|(chunk, row)| read_marker(chunk.clone(), row)).collect()
    }

    /// Commits an append in one transaction.
    ///
    /// # Errors
    /// `Conflict`: the head has moved or a marker exists. `Unknown`: it may have happened.
    pub async fn commit(&self, commit: &Commit) -> Result<(), StoreError> {
        let mut writes = vec![head_write(commit)?];
        if commit.before.0 == 0 {
            // Unconditional: a table that was put back to an earlier moment may list a log whose head it lost.
            writes.push(Write::put(listed_key(&commit.log), Row::new()));
        }
        for Marker { chunk, first, count, segment } in &commit.markers {
            let row =
                MarkerRow { first: *first, count: *count, segment: segment.clone(), ttl: commit.markers_expire_at_s };
            writes.push(Write::create(marker_key(&commit.log, chunk), to_row("a marker", &row)?));
        }
        self.table.transact(&format!("commit {}", commit.segment.key), writes, Vec::new()).await
    }

    /// Moves `indexed` from the segment's first index past its end.
    ///
    /// # Errors
    /// `Conflict`: another writer did so before.
    pub async fn mark_indexed(&self, log: &LogId, segment: &SegmentRef) -> Result<(), StoreError> {
        // What begins at `indexed` is one segment, since a head only ever grows by whole ones.
        let write = Write::update(head_key(log)).set(INDEXED, segment.end());
        let write =
            write.when(Condition::equals(INDEXED, segment.first)).when(Condition::at_least(SIZE, segment.end()));
        self.change(format!("mark indexed {}", segment.key), write).await
    }

    /// Takes these, the oldest unpublished segments, out of the head and moves `published` past them.
    ///
    /// # Errors
    /// `Conflict`: another writer did so before, or these are not the oldest.
    pub async fn mark_published(&self, log: &LogId, oldest: &[SegmentRef]) -> Result<(), StoreError> {
        let (Some(first), Some(last)) = (oldest.first(), oldest.last()) else { return Ok(()) };
        let write = Write::update(head_key(log))
            .set(PUBLISHED, last.end())
            .and(Change::RemoveFirst(UNPUBLISHED.to_owned(), oldest.len()))
            .when(Condition::equals(PUBLISHED, first.first))
            .when(Condition::at_least(INDEXED, last.end()))
            .when(Condition::equals(Path::inside(UNPUBLISHED, oldest.len() - 1, "key"), &last.key));
        self.change(format!("mark published {}", last.key), write).await
    }

    /// Sets the time of the last attempt to sign and the keys that may, from what the head had when it was loaded.
    ///
    /// # Errors
    /// `Conflict`: another writer has the turn, or the keys have changed.
    pub async fn take_signing_turn(&self, log: &LogId, turn: &SigningTurn) -> Result<(), StoreError> {
        let write = Write::update(head_key(log)).set(SIGNED_AT, turn.now_ms);
        let write = write.when(Condition::equals(SIGNED_AT, turn.before_ms));
        self.change(format!("take the turn to sign {log}"), with_keys(write, &turn.keys_before, &turn.keys)).await
    }

    /// Says that the checkpoint of this size lies in the archive.
    ///
    /// # Errors
    /// `Conflict`: one of at least this size does already.
    pub async fn mark_signed(&self, log: &LogId, size: u64) -> Result<(), StoreError> {
        let write = Write::update(head_key(log)).set(SIGNED, size);
        let write = write.when(Condition::below(SIGNED, size)).when(Condition::at_least(PUBLISHED, size));
        self.change(format!("mark {log} signed at {size}"), write).await
    }

    /// Puts the keys `after` that may sign in the place of `before`, which is empty where the head has no list.
    ///
    /// # Errors
    /// `Conflict`: they are others by now.
    pub async fn allow_signing_keys(&self, log: &LogId, before: &[String], after: &[String]) -> Result<(), StoreError> {
        let write = Write::update(head_key(log)).when(Condition::Exists);
        self.change(format!("allow a signing key of {log}"), with_keys(write, before, after)).await
    }

    async fn change(&self, what: String, write: Write) -> Result<(), StoreError> {
        self.table.write(&what, write, Returning::Nothing).await.map(drop)
    }
}

/// Sets the keys that may sign, under the condition that they are as loaded.
fn with_keys(write: Write, before: &[String], after: &[String]) -> Write {
    let loaded = (!before.is_empty()).then_some(before);
    write.set(SIGNING_KEYS, after).when(Condition::equals_or_lacks(SIGNING_KEYS, loaded))
}

/// The head from the loaded to the new state; a log's first append creates it.
fn head_write(commit: &Commit) -> Result<Write, StoreError> {
    let (size, root) = commit.before;
    let segment = to_row("a segment of a head", &SegmentRow::of(&commit.segment))?;
    let segment = vec![Value::M(segment)];
    let write = Write::update(head_key(&commit.log))
        .set(SIZE, commit.after.size())
        .set(ROOT, &commit.after.root().0[..])
        .set("edge", &edge_bytes(&commit.after)[..]);
    if size > 0 {
        let write = write.and(Change::Append(UNPUBLISHED.to_owned(), segment));
        return Ok(write.when(Condition::equals(SIZE, size)).when(Condition::equals(ROOT, &root.0[..])));
    }
    let write = write.set("v", VERSION).set(UNPUBLISHED, Value::L(segment));
    let write = [INDEXED, PUBLISHED, SIGNED, SIGNED_AT].into_iter().fold(write, |write, name| write.set(name, 0_u64));
    Ok(write.when(Condition::Absent))
}

fn edge_bytes(edge: &Edge) -> Vec<u8> {
    edge.roots().iter().flat_map(|root| root.0).collect()
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct HeadRow {
    v: u64,
    size: u64,
    root: ByteBuf,
    edge: ByteBuf,
    unpublished: Vec<SegmentRow>,
    indexed: u64,
    published: u64,
    signed: u64,
    signed_at: u64,
    /// Heads that were written when there was no such list have none.
    #[serde(default)]
    signing_keys: Vec<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct SegmentRow {
    first: u64,
    count: u64,
    key: String,
    version_id: String,
    bytes: u64,
    /// `<object>#<ordinal>#<count>`
    chunks: Vec<String>,
}

impl SegmentRow {
    fn of(segment: &SegmentRef) -> Self {
        Self {
            first: segment.first,
            count: segment.count,
            key: segment.key.clone(),
            version_id: segment.version_id.clone(),
            bytes: segment.bytes,
            chunks: segment.chunks.iter().map(|(chunk, count)| format!("{chunk}#{count}")).collect(),
        }
    }

    fn read(self) -> Option<SegmentRef> {
        let Self { first, count, key, version_id, bytes, chunks } = self;
        let chunk = |text: &String| {
            let (chunk, count) = text.rsplit_once('#')?;
            Some((ChunkId::parse(chunk)?, count.parse().ok()?))
        };
        let chunks = chunks.iter().map(chunk).collect::<Option<_>>()?;
        Some(SegmentRef { first, count, key, version_id, bytes, chunks })
    }
}

#[derive(Serialize, Deserialize)]
struct MarkerRow {
    first: u64,
    count: u64,
    segment: String,
    ttl: u64,
}

/// The head in a row.
///
/// # Errors
/// `Corrupt` if the row is not a head of this version.
pub fn read_head(row: Row) -> Result<StoredHead, StoreError> {
    let row: HeadRow = read_row("read a head", row)?;
    if row.v != VERSION {
        return Err(corrupt("a head has an unknown version"));
    }
    let edge = row.edge.chunks(HASH_BYTES).map(Hash::from_slice).collect::<Option<Vec<Hash>>>();
    let unpublished = row.unpublished.into_iter().map(SegmentRow::read).collect::<Option<_>>();
    Ok(StoredHead {
        size: row.size,
        root: Hash::from_slice(&row.root).ok_or_else(|| corrupt("a head's root is cut off"))?,
        edge: edge.ok_or_else(|| corrupt("a head's edge is cut off"))?,
        unpublished: unpublished.ok_or_else(|| corrupt("an unpublished segment's chunk is malformed"))?,
        indexed: row.indexed,
        published: row.published,
        signed: row.signed,
        signed_at_ms: row.signed_at,
        signing_keys: row.signing_keys,
    })
}

/// The marker in a row.
///
/// # Errors
/// `Corrupt` if the row is not a marker.
pub fn read_marker(chunk: ChunkId, row: Row) -> Result<Marker, StoreError> {
    let row = read_row(&format!("read the marker of {chunk}"), row);
    row.map(|MarkerRow { first, count, segment, ttl: _ }| Marker { chunk, first, count, segment })
}

fn log_partition(log: &LogId) -> String {
    format!("{LOG}{log}")
}

const LOG: &str = "LOG#";
const HEAD: &str = "HEAD";
const MARKER: &str = "CHUNK#";
/// The partition that lists all logs.
const LOGS: &str = "LOGS";
const VERSION: u64 = 1;
const HASH_BYTES: usize = 32;
const SIZE: &str = "size";
const ROOT: &str = "root";
const UNPUBLISHED: &str = "unpublished";
const INDEXED: &str = "indexed";
const PUBLISHED: &str = "published";
const SIGNED: &str = "signed";
const SIGNED_AT: &str = "signedAt";
const SIGNING_KEYS: &str = "signingKeys";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::IntoValue;
    use ledgerline_ledger::origin::PlanOf;
    use ledgerline_ledger::tree::leaf_hash;

    fn segment() -> SegmentRef {
        SegmentRef {
            first: 0,
            count: 3,
            key: "ledger/k".to_owned(),
            version_id: "v".to_owned(),
            bytes: 9,
            chunks: vec![(ChunkId { of: PlanOf::Bronze, object: "ab".to_owned(), ordinal: 7 }, 3)],
        }
    }

    fn head_row() -> Row {
        let mut edge = Edge::empty();
        (0..3_u8).for_each(|index| edge.append(leaf_hash(&[index])));
        let segment = Value::M(to_row("", &SegmentRow::of(&segment())).unwrap());
        Row::from([
            ("v".to_owned(), 1_u64.into_value()),
            ("size".to_owned(), 3_u64.into_value()),
            ("root".to_owned(), edge.root().0[..].into_value()),
            ("edge".to_owned(), edge_bytes(&edge)[..].into_value()),
            ("unpublished".to_owned(), Value::L(vec![segment])),
            ("indexed".to_owned(), 3_u64.into_value()),
            ("published".to_owned(), 0_u64.into_value()),
            ("signed".to_owned(), 0_u64.into_value()),
            ("signedAt".to_owned(), 7_u64.into_value()),
        ])
    }

    #[test]
    fn a_head_reads_back_what_a_commit_writes() {
        let head = read_head(head_row()).unwrap();
        assert_eq!(head.unpublished, [segment()]);
        assert_eq!((head.size, head.edge.len(), head.indexed), (3, 2, 3));
        assert_eq!((head.published, head.signed, head.signed_at_ms), (0, 0, 7));
        assert!(head.signing_keys.is_empty(), "as before the list of keys came in");
        let mut row = head_row();
        row.insert("signingKeys".to_owned(), ["old".to_owned(), "new".to_owned()][..].into_value());
        assert_eq!(read_head(row).unwrap().signing_keys, ["old", "new"]);
    }

    #[test]
    fn a_head_with_a_part_missing_or_damaged_is_corrupt() {
        for (name, value) in [
            ("v", Some(2_u64.into_value())),
            ("size", None),
            ("size", Some("3".into_value())),
            ("root", None),
            ("root", Some([0; 31][..].into_value())),
            ("edge", Some([0; 33][..].into_value())),
            ("unpublished", None),
            ("unpublished", Some(["x".to_owned()][..].into_value())),
            ("indexed", Some((-1_i64).into_value())),
            ("published", None),
            ("signed", None),
            ("signedAt", None),
            ("signingKeys", Some("old".into_value())),
            ("signingKeys", Some(Value::L(vec![1_u64.into_value()]))),
        ] {
            let mut row = head_row();
            match value {
                Some(value) => row.insert(name.to_owned(), value),
                None => row.remove(name),
            };
            assert!(matches!(read_head(row), Err(StoreError::Corrupt(_))), "{name}");
        }
    }
}
