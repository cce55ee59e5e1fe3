//! The control table's heads, markers and committed counts, strict: a head changes only from the state that the caller
//! names, a marker is created once, and a transaction is done whole or not at all.

use ledgerline_ledger::append::{Commit, Marker};
use ledgerline_ledger::chunk::ChunkId;
use ledgerline_ledger::head::{SegmentRef, SigningTurn, StoredHead};
use ledgerline_ledger::log::LogId;
use ledgerline_ledger::ports::{AllowKeys, CommitAppend, FinishSegments, ListLogs, MarkPoison, ReadHead, SigningTurns};
use ledgerline_ledger::store::StoreError;
use ledgerline_ledger::tree::Hash;
use serde_json::{Value, json};

use crate::fakes::calls::Calls;
use crate::fakes::table::{ITEMS_PER_TRANSACTION, Item, Items, Table, condition_failed, key, put};
use crate::faults::Faults;

/// Heads, markers and counts in memory.
#[derive(Clone, Debug, Default)]
pub struct FakeControl {
    /// The table below, for looking at it and for tampering with it.
    pub table: Table,
}

impl FakeControl {
    /// An empty table.
    pub fn new(faults: Faults, calls: Calls) -> Self {
        Self { table: Table::new(faults, calls) }
    }

    /// Shares a table with the fakes of its other rows.
    pub fn over(table: Table) -> Self {
        Self { table }
    }

    /// The names of all logs that have a head.
    pub fn logs(&self) -> Vec<LogId> {
        self.table.look(|items| {
            let heads = items.keys().filter(|(_, sk)| sk == HEAD);
            heads.filter_map(|(pk, _)| LogId::parse(pk.strip_prefix("LOG#")?).ok()).collect()
        })
    }

    /// A log's head as it is now; no call of the product's.
    pub fn stored_head(&self, log: &LogId) -> Option<StoredHead> {
        let at = key(log_partition(log), HEAD);
        self.table.look(|items| items.get(&at).map(read_head))
    }

    /// All markers of a log.
    pub fn all_markers(&self, log: &LogId) -> Vec<Marker> {
        let partition = log_partition(log);
        self.table.look(|items| {
            let rows = items.iter().filter(|((pk, _), _)| *pk == partition);
            rows.filter_map(|((_, sk), item)| Some(read_marker(ChunkId::parse(sk.strip_prefix("CHUNK#")?)?, item)))
                .collect()
        })
    }

    /// What is counted as committed for a bronze object: the number of entries, and the ordinals of its chunks.
    pub fn counted(&self, object: &str) -> (u64, Vec<u32>) {
        let row = self.table.peek(&object_key(object)).unwrap_or_default();
        let done = row.get("done").and_then(Value::as_array).cloned().unwrap_or_default();
        (row.get("committed").map_or(0, number), done.iter().map(|ordinal| number(ordinal) as u32).collect())
    }

    /// Entries of an object's chunks that were kept as poison.
    pub fn poisoned(&self, object: &str) -> u64 {
        let row = self.table.peek(&object_key(object)).unwrap_or_default();
        row.iter().filter(|(name, _)| name.starts_with("poison#")).map(|(_, count)| number(count)).sum()
    }

    /// All bronze objects that have a row.
    pub fn objects(&self) -> Vec<String> {
        let object = |(pk, _): &(String, String)| pk.strip_prefix("OBJ#").map(str::to_owned);
        self.table.look(|items| items.keys().filter_map(object).collect())
    }
}

impl ReadHead for FakeControl {
    async fn head(&self, log: &LogId) -> Result<Option<StoredHead>, StoreError> {
        self.table.get_as(&log_partition(log), HEAD, read_head).await
    }
}

impl CommitAppend for FakeControl {
    async fn markers(&self, log: &LogId, chunks: &[ChunkId]) -> Result<Vec<Marker>, StoreError> {
        let keys: Vec<_> = chunks.iter().map(|chunk| marker_key(log, chunk)).collect();
        let rows = self.table.batch_get(&keys).await?;
        Ok(chunks.iter().zip(rows).filter_map(|(chunk, row)| Some(read_marker(chunk.clone(), &row?))).collect())
    }

    async fn commit(&self, commit: &Commit) -> Result<(), StoreError> {
        let items = commit.markers.len() + 1 + usize::from(commit.before.0 == 0);
        assert!(items <= ITEMS_PER_TRANSACTION, "a transaction of {items} items");
        self.table.write("dynamodb:TransactWriteItems", |items| apply_commit(items, commit)).await
    }
}

impl MarkPoison for FakeControl {
    async fn mark_poison(&self, chunk: &ChunkId, count: u64) -> Result<(), StoreError> {
        let at = object_key(&chunk.object);
        self.table
            .write("dynamodb:UpdateItem", |items| {
                let mut item = items.get(&at).cloned().unwrap_or_default();
                let done = item.get("done").and_then(Value::as_array).cloned().unwrap_or_default();
                if !done.contains(&json!(chunk.ordinal)) {
                    item.insert(format!("poison#{}", chunk.ordinal), json!(count));
                    put(items, at, item);
                }
                Ok(())
            })
            .await
    }
}

impl FinishSegments for FakeControl {
    async fn count_committed(&self, chunk: &ChunkId, count: u64) -> Result<(), StoreError> {
        let at = object_key(&chunk.object);
        self.table
            .write("dynamodb:UpdateItem", |items| {
                let mut item = items.get(&at).cloned().unwrap_or_default();
                let mut done = item.get("done").and_then(Value::as_array).cloned().unwrap_or_default();
                if done.contains(&json!(chunk.ordinal)) {
                    return Ok(());
                }
                done.push(json!(chunk.ordinal));
                let committed = item.get("committed").map_or(0, number) + count;
                item.insert("committed".into(), json!(committed));
                item.insert("done".into(), Value::Array(done));
                item.remove(&format!("poison#{}", chunk.ordinal));
                put(items, at, item);
                Ok(())
            })
            .await
    }

    async fn mark_indexed(&self, log: &LogId, segment: &SegmentRef) -> Result<(), StoreError> {
        self.change_head("mark indexed", log, |item| {
            let as_loaded = number(&item["indexed"]) == segment.first && number(&item["size"]) >= segment.end();
            as_loaded.then(|| drop(item.insert("indexed".into(), json!(segment.end()))))
        })
        .await
    }

    async fn mark_published(&self, log: &LogId, oldest: &[SegmentRef]) -> Result<(), StoreError> {
        let (Some(first), Some(last)) = (oldest.first(), oldest.last()) else { return Ok(()) };
        self.change_head("mark published", log, |item| {
            let as_loaded = number(&item["published"]) == first.first
                && number(&item["indexed"]) >= last.end()
                && item["unpublished"][oldest.len() - 1]["key"] == last.key.as_str();
            as_loaded.then(|| {
                item.insert("published".into(), json!(last.end()));
                if let Some(unpublished) = item.get_mut("unpublished").and_then(Value::as_array_mut) {
                    unpublished.drain(..oldest.len());
                }
            })
        })
        .await
    }
}

impl SigningTurns for FakeControl {
    async fn take_signing_turn(&self, log: &LogId, turn: &SigningTurn) -> Result<(), StoreError> {
        let (before, keys) = (&turn.keys_before, &turn.keys);
        let first = before.is_empty() && keys.len() == 1;
        assert!(first || (!keys.is_empty() && before.ends_with(keys)), "{log}: a turn of a key that may not sign");
        self.change_head("take the turn to sign", log, |item| {
            let as_loaded = number(&item["signedAt"]) == turn.before_ms && keys_of(item) == *before;
            as_loaded.then(|| {
                item.insert("signedAt".into(), json!(turn.now_ms));
                item.insert(KEYS.into(), json!(keys));
            })
        })
        .await
    }

    async fn mark_signed(&self, log: &LogId, size: u64) -> Result<(), StoreError> {
        self.change_head("mark signed", log, |item| {
            let grows = number(&item["signed"]) < size && number(&item["published"]) >= size;
            grows.then(|| drop(item.insert("signed".into(), json!(size))))
        })
        .await
    }
}

impl AllowKeys for FakeControl {
    async fn allow_signing_keys(&self, log: &LogId, before: &[String], after: &[String]) -> Result<(), StoreError> {
        let adds = after.len() > before.len() && after.starts_with(before);
        let withdraws = !after.is_empty() && after.len() < before.len() && before.starts_with(after);
        assert!(adds || withdraws, "{log}: keys are added at the end, or withdrawn from there");
        self.change_head("allow a signing key", log, |item| {
            (keys_of(item) == before).then(|| drop(item.insert(KEYS.into(), json!(after))))
        })
        .await
    }
}

impl ListLogs for FakeControl {
    async fn logs(&self) -> Result<Vec<LogId>, StoreError> {
        tokio::task::yield_now().await;
        Ok(self.table.look(|items| {
            let rows = items.keys().filter(|(pk, _)| pk == LOGS);
            rows.filter_map(|(_, sk)| LogId::parse(sk).ok()).collect()
        }))
    }
}

impl FakeControl {
    /// One conditional update of a head; `change` says by `None` that its condition does not hold.
    async fn change_head(
        &self,
        what: &'static str,
        log: &LogId,
        change: impl FnOnce(&mut Item) -> Option<()>,
    ) -> Result<(), StoreError> {
        let at = key(log_partition(log), HEAD);
        self.table
            .write("dynamodb:UpdateItem", |items| {
                let mut item = items.get(&at).cloned().ok_or_else(|| condition_failed(what))?;
                change(&mut item).ok_or_else(|| condition_failed(what))?;
                put(items, at, item);
                Ok(())
            })
            .await
    }
}

/// Checks every condition before it writes anything.
fn apply_commit(items: &mut Items, commit: &Commit) -> Result<(), StoreError> {
    let at = key(log_partition(&commit.log), HEAD);
    let before = items.get(&at).map(read_head);
    let (size, root) = commit.before;
    let as_loaded = before.as_ref().map_or(size == 0, |head| size > 0 && head.size == size && head.root == root);
    let fresh = commit.markers.iter().all(|marker| !items.contains_key(&marker_key(&commit.log, &marker.chunk)));
    if !as_loaded || !fresh {
        return Err(condition_failed("commit"));
    }
    assert!(commit.after.size() > size, "a log only grows");
    let mut unpublished = before.as_ref().map_or_else(Vec::new, |head| head.unpublished.clone());
    unpublished.push(commit.segment.clone());
    let mut head = Item::from([
        ("v".into(), json!(1)),
        ("size".into(), json!(commit.after.size())),
        ("root".into(), json!(commit.after.root().hex())),
        ("edge".into(), json!(commit.after.roots().iter().map(Hash::hex).collect::<Vec<_>>())),
        ("unpublished".into(), unpublished.iter().map(write_segment).collect()),
        ("indexed".into(), json!(before.as_ref().map_or(0, |head| head.indexed))),
        ("published".into(), json!(before.as_ref().map_or(0, |head| head.published))),
        ("signed".into(), json!(before.as_ref().map_or(0, |head| head.signed))),
        ("signedAt".into(), json!(before.as_ref().map_or(0, |head| head.signed_at_ms))),
    ]);
    if let Some(keys) = items.get(&at).and_then(|item| item.get(KEYS)) {
        head.insert(KEYS.into(), keys.clone());
    }
    put(items, at, head);
    if before.is_none() {
        put(items, key(LOGS, commit.log.as_str()), Item::new());
    }
    for marker in &commit.markers {
        let row = Item::from([
            ("first".into(), json!(marker.first)),
            ("count".into(), json!(marker.count)),
            ("segment".into(), json!(marker.segment)),
            ("ttl".into(), json!(commit.markers_expire_at_s)),
        ]);
        put(items, marker_key(&commit.log, &marker.chunk), row);
    }
    Ok(())
}

fn read_head(item: &Item) -> StoredHead {
    StoredHead {
        size: number(&item["size"]),
        root: hash(&item["root"]),
        edge: list(&item["edge"]).map(hash).collect(),
        unpublished: list(&item["unpublished"]).map(read_segment).collect(),
        indexed: number(&item["indexed"]),
        published: number(&item["published"]),
        signed: number(&item["signed"]),
        signed_at_ms: number(&item["signedAt"]),
        signing_keys: keys_of(item),
    }
}

fn keys_of(item: &Item) -> Vec<String> {
    item.get(KEYS).map_or_else(Vec::new, |keys| list(keys).map(text).collect())
}

fn write_segment(segment: &SegmentRef) -> Value {
    let chunks: Vec<_> = segment.chunks.iter().map(|(chunk, count)| json!([chunk.to_string(), count])).collect();
    json!({
        "first": segment.first, "count": segment.count, "key": segment.key, "versionId": segment.version_id,
        "bytes": segment.bytes, "chunks": chunks,
    })
}

fn read_segment(value: &Value) -> SegmentRef {
    let chunk = |pair: &Value| Some((ChunkId::parse(pair[0].as_str()?)?, number(&pair[1])));
    SegmentRef {
        first: number(&value["first"]),
        count: number(&value["count"]),
        key: text(&value["key"]),
        version_id: text(&value["versionId"]),
        bytes: number(&value["bytes"]),
        chunks: list(&value["chunks"]).filter_map(chunk).collect(),
    }
}

fn read_marker(chunk: ChunkId, item: &Item) -> Marker {
    Marker { chunk, first: number(&item["first"]), count: number(&item["count"]), segment: text(&item["segment"]) }
}

fn log_partition(log: &LogId) -> String {
    format!("LOG#{log}")
}

fn marker_key(log: &LogId, chunk: &ChunkId) -> (String, String) {
    key(log_partition(log), format!("CHUNK#{chunk}"))
}

fn object_key(object: &str) -> (String, String) {
    key(format!("OBJ#{object}"), "OBJ")
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_default()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn hash(value: &Value) -> Hash {
    let digits = value.as_str().unwrap_or_default().as_bytes().chunks(2);
    let byte =
        |pair: &[u8]| pair.iter().try_fold(0, |byte, digit| Some(byte << 4 | char::from(*digit).to_digit(16)? as u8));
    digits.map(byte).collect::<Option<Vec<u8>>>().and_then(|bytes| Hash::from_slice(&bytes)).unwrap_or(Hash([0; 32]))
}

const HEAD: &str = "HEAD";
const KEYS: &str = "signingKeys";
/// The partition that lists all logs.
const LOGS: &str = "LOGS";
