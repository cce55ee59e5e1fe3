//! What sweep asks beyond appends, strict: nothing that is locked or held is deleted, a lock only grows, a turn is taken
//! once, state is replaced only by who loaded it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ledgerline_custody::derivation::ReadHidden;
use ledgerline_custody::reconciliation::{
    BronzeObject, ListActs, ListBronze, NotedActs, NotifyBronze, PAGE, PointerBacklog, Progress, SweepRows,
    notification, object_id,
};
use ledgerline_custody::retention::{DeleteExpired, ForgetPostings, InspectVersion, LengthenLock, Protection};
use ledgerline_custody::sealing::{FindCommitted, ListSegments, SegmentVersion};
use ledgerline_custody::state::{KeepState, Loaded};
use ledgerline_event::instant;
use ledgerline_lake::ObjectId;
use ledgerline_ledger::log::LogId;
use ledgerline_ledger::ports::{Lock, WriteSegment as _};
use ledgerline_ledger::posting::Posting;
use ledgerline_ledger::segment::SegmentName;
use ledgerline_ledger::store::{Failure, StoreError};
use serde_json::{Value, json};

use crate::fakes::calls::Calls;
use crate::fakes::index::FakeIndex;
use crate::fakes::ledger::FakeLedgerBucket;
use crate::fakes::obj_rows::FakeObjectRows;
use crate::fakes::objects::FakeBucket;
use crate::fakes::queue::FakeQueue;
use crate::fakes::table::{condition_failed, key, put};
use crate::faults::Faults;

/// What every fake here knows beside its store: the faults and calls of the run.
#[derive(Clone, Debug, Default)]
struct Wire {
    faults: Faults,
    calls: Calls,
}

impl Wire {
    /// One write call, which a fault may strike.
    async fn write<T>(
        &self,
        call: &'static str,
        change: impl FnOnce() -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.faults.latency().await;
        self.calls.add(call, 1);
        self.faults.write(call, change)
    }

    async fn read<T>(&self, call: &'static str, look: impl FnOnce() -> T) -> T {
        self.faults.latency().await;
        self.calls.add(call, 1);
        look()
    }
}

/// The ledger's bucket as who prunes it has it: when versions were written, holds, deletion.
#[derive(Clone, Debug, Default)]
pub struct FakeEvidence {
    bucket: FakeLedgerBucket,
    state: Arc<Mutex<EvidenceState>>,
    wire: Wire,
}

#[derive(Debug, Default)]
struct EvidenceState {
    now_ms: i64,
    written_at_ms: BTreeMap<(String, String), i64>,
    held: BTreeSet<(String, String)>,
    deleted: BTreeMap<String, Vec<u8>>,
    /// A version that somebody holds as soon as its deletion is asked for.
    held_at_deletion: Option<(String, String)>,
}

impl FakeEvidence {
    /// Over the bucket that appends write.
    pub fn over(bucket: FakeLedgerBucket, faults: Faults, calls: Calls) -> Self {
        Self { bucket, state: Arc::default(), wire: Wire { faults, calls } }
    }

    /// Moves both clocks. What was written since the last move was written at this time.
    pub fn set_now_ms(&self, now_ms: i64) {
        self.bucket.set_now_s(u64::try_from(now_ms / 1000).unwrap_or_default());
        let mut state = self.lock();
        state.now_ms = now_ms;
        for (key, versions) in self.bucket.all() {
            for version in versions {
                state.written_at_ms.entry((key.clone(), version.version_id)).or_insert(now_ms);
            }
        }
    }

    /// Lays a legal hold on a version.
    pub fn hold(&self, key: &str, version_id: &str) {
        self.lock().held.insert((key.to_owned(), version_id.to_owned()));
    }

    /// Lays a legal hold on a version in the moment in which its deletion is asked for.
    pub fn hold_at_deletion(&self, key: &str, version_id: &str) {
        self.lock().held_at_deletion = Some((key.to_owned(), version_id.to_owned()));
    }

    /// Releases every hold.
    pub fn release_all(&self) {
        self.lock().held.clear();
    }

    /// What was deleted, by key.
    pub fn deleted(&self) -> BTreeMap<String, Vec<u8>> {
        self.lock().deleted.clone()
    }

    fn protection_of(&self, key: &str, version_id: &str) -> Option<Protection> {
        let version = self.bucket.all().remove(key)?.into_iter().find(|one| one.version_id == version_id)?;
        let legal_hold = self.lock().held.contains(&(key.to_owned(), version_id.to_owned()));
        Some(Protection { lock: version.lock, legal_hold })
    }

    fn lock(&self) -> MutexGuard<'_, EvidenceState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ListSegments for FakeEvidence {
    async fn segments_from(&self, log: &LogId, first: u64, limit: usize) -> Result<Vec<SegmentVersion>, StoreError> {
        let all = self.wire.read("s3:ListObjectVersions", || self.bucket.all()).await;
        let state = self.lock();
        let mut found = Vec::new();
        for (key, versions) in all {
            let Some(name) = SegmentName::parse(&key).filter(|name| name.log == *log && name.first >= first) else {
                continue;
            };
            // The newest first, as S3 lists them.
            for version in versions.into_iter().rev().filter(|version| !version.is_delete_marker) {
                let at = (name.key(), version.version_id.clone());
                let written_at_ms = state.written_at_ms.get(&at).copied().unwrap_or(state.now_ms);
                found.push(SegmentVersion { key: key.clone(), version_id: version.version_id, written_at_ms });
            }
        }
        found.truncate(limit);
        Ok(found)
    }
}

impl ReadHidden for FakeEvidence {
    async fn oldest(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let versions = self.wire.read("s3:ListObjectVersions", || self.bucket.versions(key)).await;
        Ok(versions.into_iter().find(|version| !version.is_delete_marker).map(|version| version.bytes))
    }
}

impl InspectVersion for FakeEvidence {
    async fn protection(&self, key: &str, version_id: &str) -> Result<Option<Protection>, StoreError> {
        Ok(self.wire.read("s3:HeadObject", || self.protection_of(key, version_id)).await)
    }
}

impl LengthenLock for FakeEvidence {
    async fn lengthen(&self, key: &str, version_id: &str, lock: &Lock) -> Result<(), StoreError> {
        let now_s = u64::try_from(self.lock().now_ms / 1000).unwrap_or_default();
        assert!(lock.retain_until_s > now_s, "{key} would be locked until a time in the past");
        self.bucket.extend_lock(key, version_id, lock).await
    }
}

impl DeleteExpired for FakeEvidence {
    async fn delete(&self, key: &str, version_id: &str) -> Result<(), StoreError> {
        assert!(SegmentName::parse(key).is_some(), "{key} is no segment: nothing else is ever deleted");
        let at = (key.to_owned(), version_id.to_owned());
        if self.lock().held_at_deletion.take_if(|held| *held == at).is_some() {
            self.hold(key, version_id);
        }
        self.wire
            .write("s3:DeleteObject", || {
                let Some(protection) = self.protection_of(key, version_id) else { return Ok(()) };
                let now_s = u64::try_from(self.lock().now_ms / 1000).unwrap_or_default();
                if protection.legal_hold || protection.lock.is_some_and(|lock| lock.retain_until_s > now_s) {
                    return Err(StoreError::Denied(Failure::new(format!("delete {key}"))));
                }
                let versions = self.bucket.all().remove(key).unwrap_or_default();
                assert_eq!(versions.len(), 1, "{key} has several versions");
                self.bucket.erase(key);
                let bytes = versions.into_iter().next().map(|version| version.bytes).unwrap_or_default();
                self.lock().deleted.insert(key.to_owned(), bytes);
                Ok(())
            })
            .await
    }
}

impl FindCommitted for FakeIndex {
    async fn committed(&self, log: &LogId, first: u64, record: &str) -> Result<Option<(String, String)>, StoreError> {
        let row = self.table.get(&format!("INT#{record}"), &format!("POST#{log}#{first:020}")).await?;
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        Ok(row.map(|row| (text(&row["segment"]), text(&row["versionId"]))))
    }
}

impl ForgetPostings for FakeIndex {
    async fn forget(&self, postings: &[Posting]) -> Result<(), StoreError> {
        for batch in postings.chunks(25) {
            self.table
                .write("dynamodb:BatchWriteItem", |items| {
                    for posting in batch {
                        let sk = format!("POST#{}#{:020}", posting.log, posting.first);
                        items.remove(&key(format!("INT#{}", posting.record_key), sk));
                    }
                    Ok(())
                })
                .await?;
        }
        Ok(())
    }
}

impl SweepRows for FakeObjectRows {
    async fn progress(&self, objects: &[ObjectId]) -> Result<Vec<Option<Progress>>, StoreError> {
        let keys: Vec<_> = objects.iter().map(|object| row_key(*object)).collect();
        let rows = self.table.batch_get(&keys).await?;
        let read = |row: BTreeMap<String, Value>| {
            let time = |name: &str| row.get(name).and_then(Value::as_str).and_then(instant::parse);
            let count = |name: &str| row.get(name).and_then(Value::as_u64).unwrap_or_default();
            let done = row.get("done").and_then(Value::as_array).into_iter().flatten();
            Progress {
                started_at_ms: time("startedAt"),
                planned_at_ms: time("plannedAt"),
                planned: count("planned"),
                committed: count("committed"),
                chunks: count("chunks"),
                poisoned: row.keys().filter_map(|name| name.strip_prefix("poison#")?.parse().ok()).collect(),
                done: done.filter_map(|ordinal| u32::try_from(ordinal.as_u64()?).ok()).collect(),
                swept_at_ms: time("sweptAt"),
                turns: count("turns") as u32,
            }
        };
        Ok(rows.into_iter().map(|row| row.map(read)).collect())
    }

    async fn take_turn(
        &self,
        object: ObjectId,
        object_key: &str,
        before: Option<i64>,
        now_ms: i64,
    ) -> Result<bool, StoreError> {
        let at = row_key(object);
        let taken = self.table.write("dynamodb:UpdateItem", |items| {
            let mut row = items.get(&at).cloned().unwrap_or_default();
            if row.get("sweptAt").and_then(Value::as_str).and_then(instant::parse) != before {
                return Err(condition_failed("take a turn"));
            }
            row.entry("key".into()).or_insert_with(|| json!(object_key));
            row.insert("sweptAt".into(), json!(instant::to_rfc3339(now_ms)));
            let turns = row.get("turns").and_then(Value::as_u64).unwrap_or_default();
            row.insert("turns".into(), json!(turns + 1));
            put(items, at, row);
            Ok(true)
        });
        match taken.await {
            Err(StoreError::Conflict(_)) => Ok(false),
            other => other,
        }
    }
}

impl ListActs for FakeObjectRows {
    async fn acts(&self, hour: &str, after: &str) -> Result<NotedActs, StoreError> {
        tokio::task::yield_now().await;
        let after = Some(after).filter(|after| !after.is_empty()).map(|after| object_id("", after).to_hex());
        let (first, pk) = (after.unwrap_or_default(), format!("ACTS#{hour}"));
        let mut noted = NotedActs::default();
        for ((_, id), row) in self.table.items().into_iter().filter(|((at, id), _)| *at == pk && *id > first) {
            let text = |name: &str| row.get(name).and_then(Value::as_str);
            noted.take(&id, text("key"), text("at"));
            if noted.acts.len() == PAGE {
                break;
            }
        }
        Ok(noted)
    }
}

fn row_key(object: ObjectId) -> (String, String) {
    key(format!("OBJ#{object}"), "OBJ")
}

/// Tag and bytes by key.
type States = BTreeMap<String, (u64, Vec<u8>)>;

/// State by key, replaced only by who loaded it.
#[derive(Clone, Debug, Default)]
pub struct FakeStates {
    states: Arc<Mutex<States>>,
    wire: Wire,
}

impl FakeStates {
    /// No state yet.
    pub fn new(faults: Faults, calls: Calls) -> Self {
        Self { states: Arc::default(), wire: Wire { faults, calls } }
    }

    /// Loses a state, or all of them.
    pub fn lose(&self, key: Option<&str>) {
        self.lock().retain(|known, _| key.is_some_and(|key| key != known));
    }

    /// Replaces a state by something that is none.
    pub fn damage(&self, key: &str) {
        self.lock().insert(key.to_owned(), (u64::MAX / 2, b"damaged".to_vec()));
    }

    /// A state's bytes.
    pub fn get(&self, key: &str) -> Option<Vec<u8>> {
        self.lock().get(key).map(|(_, bytes)| bytes.clone())
    }

    fn lock(&self) -> MutexGuard<'_, States> {
        self.states.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl KeepState for FakeStates {
    async fn load(&self, key: &str) -> Result<Option<Loaded>, StoreError> {
        let found = self.wire.read("s3:GetObject", || self.lock().get(key).cloned()).await;
        Ok(found.map(|(tag, bytes)| Loaded { bytes, tag: tag.to_string() }))
    }

    async fn store(&self, key: &str, bytes: Vec<u8>, tag: Option<&str>) -> Result<(), StoreError> {
        self.wire
            .write("s3:PutObject sweep", || {
                let mut states = self.lock();
                let before = states.get(key).map(|(tag, _)| *tag);
                if before.map(|tag| tag.to_string()).as_deref() != tag {
                    return Err(StoreError::Conflict(Failure::new(format!("store {key}"))));
                }
                states.insert(key.to_owned(), (before.unwrap_or_default() + 1, bytes));
                Ok(())
            })
            .await
    }
}

/// The bronze bucket as who lists it has it: when objects were written.
#[derive(Clone, Debug, Default)]
pub struct FakeBronzeList {
    bucket: FakeBucket,
    written_at_ms: Arc<Mutex<BTreeMap<String, i64>>>,
    wire: Wire,
}

impl FakeBronzeList {
    /// Over the bucket that transform reads.
    pub fn over(bucket: FakeBucket, calls: Calls) -> Self {
        Self { bucket, written_at_ms: Arc::default(), wire: Wire { faults: Faults::none(), calls } }
    }

    /// Puts an object, written at this time.
    pub fn seed(&self, key: &str, bytes: Vec<u8>, written_at_ms: i64) {
        self.bucket.seed(key, bytes);
        let mut written = self.written_at_ms.lock().unwrap_or_else(PoisonError::into_inner);
        written.insert(key.to_owned(), written_at_ms);
    }

    /// Takes an object away, as its expiry or an operator does.
    pub fn remove(&self, key: &str) {
        self.bucket.remove(key);
    }
}

impl ListBronze for FakeBronzeList {
    async fn page(&self, prefix: &str, after: &str) -> Result<Vec<BronzeObject>, StoreError> {
        assert!(prefix.starts_with("bronze/event_type="), "{prefix} is no family of bronze");
        let objects = self.wire.read("s3:ListObjectsV2", || self.bucket.under(prefix)).await;
        let written = self.written_at_ms.lock().unwrap_or_else(PoisonError::into_inner);
        let object = |key: String| {
            let written_at_ms = *written.get(&key).expect("an object was seeded past the list");
            BronzeObject { key, written_at_ms }
        };
        Ok(objects.into_keys().filter(|key| key.as_str() > after).take(PAGE).map(object).collect())
    }
}

/// transform's queue: bodies in the order in which they were sent.
#[derive(Clone, Debug, Default)]
pub struct FakeNotices {
    bodies: Arc<Mutex<Vec<String>>>,
    backlog: Arc<Mutex<u64>>,
    wire: Wire,
}

impl FakeNotices {
    /// An empty queue.
    pub fn new(faults: Faults, calls: Calls) -> Self {
        Self { bodies: Arc::default(), backlog: Arc::default(), wire: Wire { faults, calls } }
    }

    /// All bodies ever sent.
    pub fn bodies(&self) -> Vec<String> {
        self.bodies.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Makes the queue this long.
    pub fn set_backlog(&self, messages: u64) {
        *self.backlog.lock().unwrap_or_else(PoisonError::into_inner) = messages;
    }
}

impl NotifyBronze for FakeNotices {
    async fn backlog(&self) -> Result<u64, StoreError> {
        let look = || *self.backlog.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(self.wire.read("sqs:GetQueueAttributes", look).await)
    }

    async fn notify(&self, bucket: &str, key: &str) -> Result<(), StoreError> {
        self.wire
            .write("sqs:SendMessage", || {
                let mut bodies = self.bodies.lock().unwrap_or_else(PoisonError::into_inner);
                bodies.push(notification(bucket, key));
                Ok(())
            })
            .await
    }
}

impl PointerBacklog for FakeQueue {
    /// It forgets nothing, so it cannot tell what waits: as if audit-write kept up.
    async fn backlog(&self) -> Result<u64, StoreError> {
        tokio::task::yield_now().await;
        Ok(0)
    }
}
