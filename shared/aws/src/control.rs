//! The ledger's part of the control table: heads, the list of logs, chunk markers, and the committed counts of OBJ rows.
//!
//! Invariant: a head changes only in a transaction or update whose condition names the state it was loaded in, and a
//! marker is only ever created.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::BuildError;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::{AttributeValue, Put, TransactWriteItem, Update};
use ledgerline_ledger::append::{Commit, Marker};
use ledgerline_ledger::chunk::ChunkId;
use ledgerline_ledger::head::{SegmentRef, SigningTurn, StoredHead};
use ledgerline_ledger::log::LogId;
use ledgerline_ledger::ports::{AllowKeys, CommitAppend, FinishSegments, ListLogs, MarkPoison, ReadHead, SigningTurns};
use ledgerline_ledger::store::{Failure, StoreError};
use ledgerline_ledger::tree::{Edge, Hash};

use crate::config::store_error;
use crate::items::{self, Item, number, text};

/// The control table.
#[derive(Clone, Debug)]
pub struct ControlTable {
    pub(crate) client: Client,
    pub(crate) table: String,
}

impl ControlTable {
    /// The table named `table`.
    pub fn new(client: Client, table: impl Into<String>) -> Self {
        Self { client, table: table.into() }
    }
}

impl ReadHead for ControlTable {
    async fn head(&self, log: &LogId) -> Result<Option<StoredHead>, StoreError> {
        let what = format!("read head of {log}");
        let answer = self
            .client
            .get_item()
            .table_name(&self.table)
            .set_key(Some(items::key(&log_partition(log), HEAD)))
            .consistent_read(true)
            .send()
            .await
            .map_err(|error| store_error(&what, error))?;
        answer.item.as_ref().map(read_head).transpose()
    }
}

impl CommitAppend for ControlTable {
    async fn markers(&self, log: &LogId, chunks: &[ChunkId]) -> Result<Vec<Marker>, StoreError> {
        let sort_keys: Vec<String> = chunks.iter().map(marker_sort_key).collect();
        let keys: Vec<(String, &str)> = sort_keys.iter().map(|sk| (log_partition(log), sk.as_str())).collect();
        let rows = items::batch_get(&self.client, &self.table, &format!("read markers of {log}"), &keys).await?;
        let found = chunks.iter().zip(&rows).filter_map(|(chunk, row)| row.as_ref().map(|row| (chunk, row)));
        found.map(|(chunk, row)| read_marker(chunk, row)).collect()
    }

    async fn commit(&self, commit: &Commit) -> Result<(), StoreError> {
        let what = format!("commit {}", commit.segment.key);
        let built = |error: BuildError| StoreError::Unknown(Failure::caused_by(&what, error));
        let head = TransactWriteItem::builder().update(self.head_update(commit).map_err(built)?).build();
        let mut writes = vec![head];
        if commit.before.0 == 0 {
            let listed = self.listed_put(&commit.log).map_err(built)?;
            writes.push(TransactWriteItem::builder().put(listed).build());
        }
        for marker in &commit.markers {
            let put = self.marker_put(commit, marker).map_err(built)?;
            writes.push(TransactWriteItem::builder().put(put).build());
        }
        let sent = self.client.transact_write_items().set_transact_items(Some(writes)).send().await;
        sent.map(|_| ()).map_err(|error| items::transaction_error(&what, error))
    }
}

impl FinishSegments for ControlTable {
    async fn count_committed(&self, chunk: &ChunkId, count: u64) -> Result<(), StoreError> {
        let what = format!("count chunk {chunk}");
        let sent = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(items::key(&format!("OBJ#{}", chunk.object), "OBJ")))
            // What was poison and is committed after all was repaired.
            .update_expression("ADD #committed :count, #done :ordinals REMOVE #poison")
            .condition_expression("attribute_not_exists(#done) OR NOT contains(#done, :ordinal)")
            .expression_attribute_names("#committed", "committed")
            .expression_attribute_names("#done", "done")
            .expression_attribute_names("#poison", format!("{POISON}{}", chunk.ordinal))
            .expression_attribute_values(":count", number(count))
            .expression_attribute_values(":ordinals", AttributeValue::Ns(vec![chunk.ordinal.to_string()]))
            .expression_attribute_values(":ordinal", number(chunk.ordinal))
            .send()
            .await;
        match sent.map_err(|error| store_error(&what, error)) {
            // Counted before: by the run that crashed, or by another writer.
            Ok(_) | Err(StoreError::Conflict(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    async fn mark_indexed(&self, log: &LogId, segment: &SegmentRef) -> Result<(), StoreError> {
        // What begins at `indexed` is one segment, since a head only ever grows by whole ones.
        let update = self
            .change_head(log)
            .update_expression("SET #indexed = :end")
            .condition_expression("#indexed = :first AND #size >= :end")
            .expression_attribute_names("#indexed", "indexed")
            .expression_attribute_names("#size", "size")
            .expression_attribute_values(":end", number(segment.end()))
            .expression_attribute_values(":first", number(segment.first));
        changed(format!("mark indexed {}", segment.key), update).await
    }

    async fn mark_published(&self, log: &LogId, oldest: &[SegmentRef]) -> Result<(), StoreError> {
        let (Some(first), Some(last)) = (oldest.first(), oldest.last()) else { return Ok(()) };
        // DynamoDB takes all places as they were before the update; from the last to the first, nobody need know that.
        let places: Vec<String> = (0..oldest.len()).rev().map(|place| format!("#unpublished[{place}]")).collect();
        let update = self
            .change_head(log)
            .update_expression(format!("SET #published = :end REMOVE {}", places.join(", ")))
            .condition_expression(format!(
                "#published = :first AND #indexed >= :end AND #unpublished[{}].#key = :last",
                oldest.len() - 1
            ))
            .expression_attribute_names("#published", "published")
            .expression_attribute_names("#indexed", "indexed")
            .expression_attribute_names("#unpublished", "unpublished")
            .expression_attribute_names("#key", "key")
            .expression_attribute_values(":end", number(last.end()))
            .expression_attribute_values(":first", number(first.first))
            .expression_attribute_values(":last", text(&last.key));
        changed(format!("mark published {}", last.key), update).await
    }
}

impl SigningTurns for ControlTable {
    async fn take_signing_turn(&self, log: &LogId, turn: &SigningTurn) -> Result<(), StoreError> {
        let update = self
            .change_keys(log, &turn.keys_before, &turn.keys, "#at = :before AND ")
            .update_expression("SET #at = :now, #keys = :keys")
            .expression_attribute_names("#at", "signedAt")
            .expression_attribute_values(":now", number(turn.now_ms))
            .expression_attribute_values(":before", number(turn.before_ms));
        changed(format!("take the turn to sign {log}"), update).await
    }

    async fn mark_signed(&self, log: &LogId, size: u64) -> Result<(), StoreError> {
        let update = self
            .change_head(log)
            .update_expression("SET #signed = :size")
            .condition_expression("#signed < :size AND #published >= :size")
            .expression_attribute_names("#signed", "signed")
            .expression_attribute_names("#published", "published")
            .expression_attribute_values(":size", number(size));
        changed(format!("mark {log} signed at {size}"), update).await
    }
}

impl AllowKeys for ControlTable {
    async fn allow_signing_keys(&self, log: &LogId, before: &[String], after: &[String]) -> Result<(), StoreError> {
        let update = self.change_keys(log, before, after, "attribute_exists(pk) AND ");
        changed(format!("allow a signing key of {log}"), update.update_expression("SET #keys = :keys")).await
    }
}

impl MarkPoison for ControlTable {
    async fn mark_poison(&self, chunk: &ChunkId, count: u64) -> Result<(), StoreError> {
        let update = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(items::key(&format!("OBJ#{}", chunk.object), "OBJ")))
            .update_expression("SET #poison = :count")
            .condition_expression("attribute_not_exists(#done) OR NOT contains(#done, :ordinal)")
            .expression_attribute_names("#poison", format!("{POISON}{}", chunk.ordinal))
            .expression_attribute_names("#done", "done")
            .expression_attribute_values(":count", number(count))
            .expression_attribute_values(":ordinal", number(chunk.ordinal));
        match update.send().await.map_err(|error| store_error(format!("mark chunk {chunk} as poison"), error)) {
            // Committed after all, by another writer.
            Ok(_) | Err(StoreError::Conflict(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

/// The attribute of an object's row, before the ordinal, that holds how many entries of a chunk were kept as poison.
pub(crate) const POISON: &str = "poison#";

impl ListLogs for ControlTable {
    async fn logs(&self) -> Result<Vec<LogId>, StoreError> {
        let rows = items::query(&self.client, &self.table, "list the logs", LOGS, None).await?;
        let log = |row: &Item| {
            let log = LogId::parse(&items::read_text(row, "sk")?);
            log.map_err(|_| corrupt("the list of logs names no log"))
        };
        rows.iter().map(log).collect()
    }
}

/// Sends an update of a head and maps its failure.
async fn changed(what: String, update: UpdateItemFluentBuilder) -> Result<(), StoreError> {
    update.send().await.map(drop).map_err(|error| store_error(what, error))
}

impl ControlTable {
    fn change_head(&self, log: &LogId) -> UpdateItemFluentBuilder {
        self.client.update_item().table_name(&self.table).set_key(Some(items::key(&log_partition(log), HEAD)))
    }

    /// An update of the keys that may sign, under the condition that they are as loaded.
    fn change_keys(&self, log: &LogId, before: &[String], after: &[String], and: &str) -> UpdateItemFluentBuilder {
        let update = self
            .change_head(log)
            .expression_attribute_names("#keys", "signingKeys")
            .expression_attribute_values(":keys", texts(after));
        if before.is_empty() {
            return update.condition_expression(format!("{and}attribute_not_exists(#keys)"));
        }
        update
            .condition_expression(format!("{and}#keys = :keys_before"))
            .expression_attribute_values(":keys_before", texts(before))
    }

    /// The log's name, where whoever looks after all logs finds it.
    fn listed_put(&self, log: &LogId) -> Result<Put, BuildError> {
        Put::builder().table_name(&self.table).set_item(Some(items::key(LOGS, log.as_str()))).build()
    }

    /// The head from the loaded to the new state; a log's first append creates it.
    fn head_update(&self, commit: &Commit) -> Result<Update, BuildError> {
        let (size, root) = commit.before;
        let update = Update::builder()
            .table_name(&self.table)
            .set_key(Some(items::key(&log_partition(&commit.log), HEAD)))
            .expression_attribute_names("#size", "size")
            .expression_attribute_names("#root", "root")
            .expression_attribute_names("#edge", "edge")
            .expression_attribute_names("#unpublished", "unpublished")
            .expression_attribute_values(":size", number(commit.after.size()))
            .expression_attribute_values(":root", blob(&commit.after.root().0))
            .expression_attribute_values(":edge", edge_blob(&commit.after))
            .expression_attribute_values(":segment", AttributeValue::L(vec![segment_item(&commit.segment)]));
        let update = if size == 0 {
            update
                .update_expression(
                    "SET #v = :v, #size = :size, #root = :root, #edge = :edge, #unpublished = :segment, \
                     #indexed = :zero, #published = :zero, #signed = :zero, #signedAt = :zero",
                )
                .condition_expression("attribute_not_exists(pk)")
                .expression_attribute_names("#v", "v")
                .expression_attribute_names("#indexed", "indexed")
                .expression_attribute_names("#published", "published")
                .expression_attribute_names("#signed", "signed")
                .expression_attribute_names("#signedAt", "signedAt")
                .expression_attribute_values(":v", number(VERSION))
                .expression_attribute_values(":zero", number(0))
        } else {
            update
                .update_expression(
                    "SET #size = :size, #root = :root, #edge = :edge, \
                     #unpublished = list_append(#unpublished, :segment)",
                )
                .condition_expression("#size = :before_size AND #root = :before_root")
                .expression_attribute_values(":before_size", number(size))
                .expression_attribute_values(":before_root", blob(&root.0))
        };
        update.build()
    }

    fn marker_put(&self, commit: &Commit, marker: &Marker) -> Result<Put, BuildError> {
        let mut item = items::key(&log_partition(&commit.log), &marker_sort_key(&marker.chunk));
        item.insert("first".to_owned(), number(marker.first));
        item.insert("count".to_owned(), number(marker.count));
        item.insert("segment".to_owned(), text(&marker.segment));
        item.insert("ttl".to_owned(), number(commit.markers_expire_at_s));
        Put::builder()
            .table_name(&self.table)
            .set_item(Some(item))
            .condition_expression("attribute_not_exists(pk)")
            .build()
    }
}

fn log_partition(log: &LogId) -> String {
    format!("LOG#{log}")
}

fn marker_sort_key(chunk: &ChunkId) -> String {
    format!("CHUNK#{chunk}")
}

fn texts(values: &[String]) -> AttributeValue {
    AttributeValue::L(values.iter().map(text).collect())
}

fn blob(bytes: &[u8]) -> AttributeValue {
    AttributeValue::B(Blob::new(bytes))
}

fn edge_blob(edge: &Edge) -> AttributeValue {
    blob(&edge.roots().iter().flat_map(|root| root.0).collect::<Vec<u8>>())
}

fn segment_item(segment: &SegmentRef) -> AttributeValue {
    let chunks = segment.chunks.iter().map(|(chunk, count)| text(format!("{chunk}#{count}"))).collect();
    AttributeValue::M(Item::from([
        ("first".to_owned(), number(segment.first)),
        ("count".to_owned(), number(segment.count)),
        ("key".to_owned(), text(&segment.key)),
        ("versionId".to_owned(), text(&segment.version_id)),
        ("bytes".to_owned(), number(segment.bytes)),
        ("chunks".to_owned(), AttributeValue::L(chunks)),
    ]))
}

fn read_head(item: &Item) -> Result<StoredHead, StoreError> {
    if items::read_number(item, "v")? != VERSION {
        return Err(corrupt("a head has an unknown version"));
    }
    let root = item.get("root").and_then(|value| value.as_b().ok()).and_then(|root| Hash::from_slice(root.as_ref()));
    let edge = item.get("edge").and_then(|value| value.as_b().ok()).ok_or_else(|| corrupt("a head has no edge"))?;
    let edge: Option<Vec<Hash>> = edge.as_ref().chunks(HASH_BYTES).map(Hash::from_slice).collect();
    let unpublished = item.get("unpublished").and_then(|value| value.as_l().ok());
    Ok(StoredHead {
        size: items::read_number(item, "size")?,
        root: root.ok_or_else(|| corrupt("a head has no root"))?,
        edge: edge.ok_or_else(|| corrupt("a head's edge is cut off"))?,
        unpublished: unpublished
            .ok_or_else(|| corrupt("a head has no list of unpublished segments"))?
            .iter()
            .map(read_segment)
            .collect::<Result<_, _>>()?,
        indexed: items::read_number(item, "indexed")?,
        published: items::read_number(item, "published")?,
        signed: items::read_number(item, "signed")?,
        signed_at_ms: items::read_number(item, "signedAt")?,
        signing_keys: read_keys(item)?,
    })
}

/// Heads that were written when there was no such list have none.
fn read_keys(item: &Item) -> Result<Vec<String>, StoreError> {
    let Some(keys) = item.get("signingKeys") else { return Ok(Vec::new()) };
    let keys = keys.as_l().map_err(|_| corrupt("a head's signing keys are no list"))?;
    let text = |key: &AttributeValue| key.as_s().cloned().map_err(|_| corrupt("a head's signing key is no text"));
    keys.iter().map(text).collect()
}

fn read_segment(value: &AttributeValue) -> Result<SegmentRef, StoreError> {
    let item = value.as_m().map_err(|_| corrupt("an unpublished segment is no map"))?;
    let chunks = item.get("chunks").and_then(|value| value.as_l().ok());
    Ok(SegmentRef {
        first: items::read_number(item, "first")?,
        count: items::read_number(item, "count")?,
        key: items::read_text(item, "key")?,
        version_id: items::read_text(item, "versionId")?,
        bytes: items::read_number(item, "bytes")?,
        chunks: chunks
            .ok_or_else(|| corrupt("an unpublished segment has no chunks"))?
            .iter()
            .map(|chunk| read_chunk(chunk).ok_or_else(|| corrupt("an unpublished segment's chunk is malformed")))
            .collect::<Result<_, _>>()?,
    })
}

/// `<object>#<ordinal>#<count>`
fn read_chunk(value: &AttributeValue) -> Option<(ChunkId, u64)> {
    let (chunk, count) = value.as_s().ok()?.rsplit_once('#')?;
    Some((ChunkId::parse(chunk)?, count.parse().ok()?))
}

fn read_marker(chunk: &ChunkId, item: &Item) -> Result<Marker, StoreError> {
    Ok(Marker {
        chunk: chunk.clone(),
        first: items::read_number(item, "first")?,
        count: items::read_number(item, "count")?,
        segment: items::read_text(item, "segment")?,
    })
}

fn corrupt(what: &str) -> StoreError {
    StoreError::Corrupt(Failure::new(what))
}

const HEAD: &str = "HEAD";
/// The partition that lists all logs.
const LOGS: &str = "LOGS";
const VERSION: u64 = 1;
const HASH_BYTES: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;
    use ledgerline_ledger::tree::leaf_hash;

    fn segment() -> SegmentRef {
        SegmentRef {
            first: 0,
            count: 3,
            key: "ledger/k".to_owned(),
            version_id: "v".to_owned(),
            bytes: 9,
            chunks: vec![(ChunkId { object: "ab".to_owned(), ordinal: 7 }, 3)],
        }
    }

    fn head_item() -> Item {
        let mut edge = Edge::empty();
        (0..3_u8).for_each(|index| edge.append(leaf_hash(&[index])));
        Item::from([
            ("v".to_owned(), number(1)),
            ("size".to_owned(), number(3)),
            ("root".to_owned(), blob(&edge.root().0)),
            ("edge".to_owned(), edge_blob(&edge)),
            ("unpublished".to_owned(), AttributeValue::L(vec![segment_item(&segment())])),
            ("indexed".to_owned(), number(3)),
            ("published".to_owned(), number(0)),
            ("signed".to_owned(), number(0)),
            ("signedAt".to_owned(), number(7)),
        ])
    }

    #[test]
    fn a_head_reads_back_what_a_commit_writes() {
        let head = read_head(&head_item()).unwrap();
        assert_eq!(head.unpublished, [segment()]);
        assert_eq!((head.size, head.edge.len(), head.indexed), (3, 2, 3));
        assert_eq!((head.published, head.signed, head.signed_at_ms), (0, 0, 7));
        assert!(head.signing_keys.is_empty(), "as before the list of keys came in");
        let mut item = head_item();
        item.insert("signingKeys".to_owned(), texts(&["old".to_owned(), "new".to_owned()]));
        assert_eq!(read_head(&item).unwrap().signing_keys, ["old", "new"]);
    }

    #[test]
    fn a_head_with_a_part_missing_or_damaged_is_corrupt() {
        for (name, value) in [
            ("v", Some(number(2))),
            ("size", None),
            ("size", Some(text("3"))),
            ("root", None),
            ("root", Some(blob(&[0; 31]))),
            ("edge", Some(blob(&[0; 33]))),
            ("unpublished", None),
            ("unpublished", Some(AttributeValue::L(vec![text("x")]))),
            ("indexed", Some(number(-1))),
            ("published", None),
            ("signed", None),
            ("signedAt", None),
            ("signingKeys", Some(text("old"))),
            ("signingKeys", Some(AttributeValue::L(vec![number(1)]))),
        ] {
            let mut item = head_item();
            match value {
                Some(value) => item.insert(name.to_owned(), value),
                None => item.remove(name),
            };
            assert!(matches!(read_head(&item), Err(StoreError::Corrupt(_))), "{name}");
        }
    }
}
