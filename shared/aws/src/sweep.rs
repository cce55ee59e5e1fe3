//! What sweep asks of the stores beyond what appends do: rows and queues to bring back what was forgotten, versions and
//! locks to prune what has expired, and its own state.
//!
//! Invariant: the one call that deletes evidence names a version, and S3 refuses it while a lock or a hold lies on it.

use std::collections::BTreeSet;

use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_s3::primitives::DateTime;
use aws_sdk_s3::types::{ChecksumMode, ObjectLockLegalHoldStatus, ObjectLockMode};
use aws_sdk_sqs::types::QueueAttributeName;
use ledgerline_custody::access::ReadPostings;
use ledgerline_custody::acts::NoteAct;
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
use ledgerline_lake::object_row::{ObjectRows, Opened};
use ledgerline_lake::plan::{Header, Pointer};
use ledgerline_lake::ports::SendPointers;
use ledgerline_ledger::log::LogId;
use ledgerline_ledger::ports::{Lock, LockMode, ReadSegment as _, WriteSegment as _};
use ledgerline_ledger::posting::Posting;
use ledgerline_ledger::segment::{SegmentName, folder};
use ledgerline_ledger::store::{Failure, StoreError};

use crate::config::store_error;
use crate::control::POISON;
use crate::items::{self, Item, number, text};
use crate::ledger::LedgerBucket;
use crate::obj_rows::{NOTED_AT, ObjectRowTable, act_partition};
use crate::queue::PointerQueue;
use crate::reads::IndexReader;
use crate::versions::VersionPages;

/// Rows of bronze objects and of acts in the control table.
#[derive(Clone, Debug)]
pub struct SweptRows {
    client: aws_sdk_dynamodb::Client,
    table: String,
    rows: ObjectRowTable,
}

impl SweptRows {
    /// Rows in the control table named `table`.
    pub fn new(client: aws_sdk_dynamodb::Client, table: &str) -> Self {
        Self { rows: ObjectRowTable::new(client.clone(), table), table: table.to_owned(), client }
    }
}

impl ObjectRows for SweptRows {
    async fn open(&self, object: ObjectId, key: &str, now: &str) -> Result<Opened, StoreError> {
        self.rows.open(object, key, now).await
    }

    async fn planned(&self, plan: &Header, now: &str) -> Result<(), StoreError> {
        self.rows.planned(plan, now).await
    }
}

impl NoteAct for SweptRows {
    async fn note(&self, object: ObjectId, key: &str, now: &str) -> Result<(), StoreError> {
        self.rows.note(object, key, now).await
    }
}

impl ListActs for SweptRows {
    async fn acts(&self, hour: &str, after: &str) -> Result<NotedActs, StoreError> {
        let what = format!("list the acts of {hour}");
        // An act's id follows from its key alone.
        let after = Some(after).filter(|after| !after.is_empty()).map(|after| object_id("", after).to_hex());
        let mut start = after.map(|after| items::key(&act_partition(hour), &after));
        let mut noted = NotedActs::default();
        loop {
            let page = self
                .client
                .query()
                .table_name(&self.table)
                .consistent_read(true)
                .key_condition_expression("pk = :pk")
                .expression_attribute_values(":pk", text(act_partition(hour)))
                .set_exclusive_start_key(start.take())
                .limit(i32::try_from(PAGE - noted.acts.len()).unwrap_or(i32::MAX))
                .send()
                .await
                .map_err(|error| store_error(&what, error))?;
            for row in page.items() {
                take_act(&mut noted, row);
            }
            start = page.last_evaluated_key.filter(|key| !key.is_empty());
            if noted.acts.len() >= PAGE || start.is_none() {
                return Ok(noted);
            }
        }
    }
}

fn take_act(noted: &mut NotedActs, row: &Item) {
    let text = |name: &str| row.get(name).and_then(|value| value.as_s().ok()).map(String::as_str);
    noted.take(text("sk").unwrap_or_default(), text("key"), text(NOTED_AT));
}

impl SweepRows for SweptRows {
    async fn progress(&self, objects: &[ObjectId]) -> Result<Vec<Option<Progress>>, StoreError> {
        let keys: Vec<(String, &str)> = objects.iter().map(|object| (row_partition(*object), ROW)).collect();
        let rows = items::batch_get(&self.client, &self.table, "read objects' rows", &keys).await?;
        rows.iter().map(|row| row.as_ref().map(progress).transpose()).collect()
    }

    async fn take_turn(
        &self,
        object: ObjectId,
        key: &str,
        before: Option<i64>,
        now_ms: i64,
    ) -> Result<bool, StoreError> {
        let update = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(items::key(&row_partition(object), ROW)))
            .update_expression("SET #key=if_not_exists(#key,:key), #swept=:now ADD #turns :one")
            .expression_attribute_names("#key", "key")
            .expression_attribute_names("#swept", SWEPT_AT)
            .expression_attribute_names("#turns", TURNS)
            .expression_attribute_values(":key", text(key))
            .expression_attribute_values(":now", text(instant::to_rfc3339(now_ms)))
            .expression_attribute_values(":one", number(1));
        let update = match before {
            None => update.condition_expression("attribute_not_exists(#swept)"),
            Some(before) => update
                .condition_expression("#swept=:before")
                .expression_attribute_values(":before", text(instant::to_rfc3339(before))),
        };
        match update.send().await.map_err(|error| store_error(format!("take a turn of object {object}"), error)) {
            Ok(_) => Ok(true),
            Err(StoreError::Conflict(_)) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

fn progress(row: &Item) -> Result<Progress, StoreError> {
    let malformed = |name: &str| StoreError::Corrupt(Failure::new(format!("an object's row has no readable {name}")));
    let time = |name: &str| match row.get(name) {
        None => Ok(None),
        Some(AttributeValue::S(at)) => instant::parse(at).map(Some).ok_or_else(|| malformed(name)),
        Some(_) => Err(malformed(name)),
    };
    let count = |name: &str| if row.contains_key(name) { items::read_number(row, name) } else { Ok(0) };
    let done: Option<BTreeSet<u32>> = match row.get("done") {
        None => Some(BTreeSet::new()),
        Some(AttributeValue::Ns(ordinals)) => ordinals.iter().map(|ordinal| ordinal.parse().ok()).collect(),
        Some(_) => None,
    };
    Ok(Progress {
        started_at_ms: time("startedAt")?,
        planned_at_ms: time("plannedAt")?,
        planned: count("planned")?,
        committed: count("committed")?,
        chunks: count("chunks")?,
        poisoned: row.keys().filter_map(|name| name.strip_prefix(POISON)?.parse().ok()).collect(),
        done: done.ok_or_else(|| malformed("done"))?,
        swept_at_ms: time(SWEPT_AT)?,
        turns: u32::try_from(count(TURNS)?).unwrap_or(u32::MAX),
    })
}

/// The ledger's bucket: its segments' versions and what protects them.
#[derive(Clone, Debug)]
pub struct EvidenceKeeper {
    client: aws_sdk_s3::Client,
    bucket: String,
    locks: LedgerBucket,
}

impl EvidenceKeeper {
    /// The bucket named `bucket`.
    pub fn new(client: aws_sdk_s3::Client, bucket: &str) -> Self {
        Self { locks: LedgerBucket::new(client.clone(), bucket), bucket: bucket.to_owned(), client }
    }
}

impl ListSegments for EvidenceKeeper {
    async fn segments_from(&self, log: &LogId, first: u64, limit: usize) -> Result<Vec<SegmentVersion>, StoreError> {
        let folder = folder(log);
        // `/` comes after `-` and before digits, so this stands behind all that begins before `first` and before the rest.
        let behind = first.checked_sub(1).map(|before| format!("{folder}{before:020}/"));
        let pages = VersionPages::below(&self.client, &self.bucket, &folder).behind(behind);
        let mut pages = pages.in_pages_of(limit.min(PAGE));
        let mut found = Vec::new();
        while let Some(page) = pages.next().await? {
            for version in page.versions.unwrap_or_default() {
                let (Some(key), Some(version_id)) = (version.key, version.version_id) else { continue };
                // Anything else in the folder is for the verification to name.
                let is_wanted = SegmentName::parse(&key).is_some_and(|name| name.first >= first);
                let written_at_ms = version.last_modified.as_ref().and_then(|date| ms(date).ok());
                let written_at_ms = written_at_ms.ok_or_else(|| unreadable(&format!("list {folder}")))?;
                found.extend(is_wanted.then_some(SegmentVersion { key, version_id, written_at_ms }));
            }
            if found.len() >= limit {
                found.truncate(limit);
                break;
            }
        }
        Ok(found)
    }
}

impl ReadHidden for EvidenceKeeper {
    async fn oldest(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let mut pages = VersionPages::below(&self.client, &self.bucket, key).in_pages_of(PAGE);
        let mut oldest = None;
        while let Some(page) = pages.next().await? {
            let versions = page.versions.unwrap_or_default();
            // The key itself comes before those that only begin like it; its newest version first.
            let is_passed = versions.last().is_some_and(|version| version.key() != Some(key));
            let own = versions.into_iter().filter(|version| version.key() == Some(key));
            oldest = own.filter_map(|version| version.version_id).next_back().or(oldest);
            if is_passed {
                break;
            }
        }
        match oldest {
            Some(version_id) => self.locks.segment(key, &version_id).await.map(Some),
            None => Ok(None),
        }
    }
}

impl InspectVersion for EvidenceKeeper {
    async fn protection(&self, key: &str, version_id: &str) -> Result<Option<Protection>, StoreError> {
        let what = format!("look at {key}");
        let head = self
            .client
            .head_object()
            .bucket(&self.bucket)
            .key(key)
            .version_id(version_id)
            .checksum_mode(ChecksumMode::Enabled)
            .send()
            .await;
        let head = match head.map_err(|error| store_error(&what, error)) {
            Ok(head) => head,
            Err(StoreError::NotFound(_)) => return Ok(None),
            Err(error) => return Err(error),
        };
        let until = head.object_lock_retain_until_date().map(|date| u64::try_from(date.secs()).unwrap_or_default());
        let mode = match head.object_lock_mode() {
            None => None,
            Some(ObjectLockMode::Governance) => Some(LockMode::Governance),
            // A mode that is yet to be invented is no reason to delete.
            Some(_) => Some(LockMode::Compliance),
        };
        let legal_hold =
            head.object_lock_legal_hold_status().is_some_and(|hold| *hold != ObjectLockLegalHoldStatus::Off);
        let lock = mode.map(|mode| Lock { mode, retain_until_s: until.unwrap_or(u64::MAX) });
        Ok(Some(Protection { lock, legal_hold }))
    }
}

impl LengthenLock for EvidenceKeeper {
    async fn lengthen(&self, key: &str, version_id: &str, lock: &Lock) -> Result<(), StoreError> {
        self.locks.extend_lock(key, version_id, lock).await
    }
}

impl DeleteExpired for EvidenceKeeper {
    async fn delete(&self, key: &str, version_id: &str) -> Result<(), StoreError> {
        let deleted = self.client.delete_object().bucket(&self.bucket).key(key).version_id(version_id).send().await;
        deleted.map(drop).map_err(|error| store_error(format!("delete the expired {key}"), error))
    }
}

/// The index table's postings, to read and to remove.
#[derive(Clone, Debug)]
pub struct SweptIndex {
    client: aws_sdk_dynamodb::Client,
    table: String,
    reader: IndexReader,
}

impl SweptIndex {
    /// The table named `table`.
    pub fn new(client: aws_sdk_dynamodb::Client, table: &str) -> Self {
        Self { reader: IndexReader::new(client.clone(), table), table: table.to_owned(), client }
    }
}

impl ReadPostings for SweptIndex {
    async fn postings(&self, record: &str) -> Result<Vec<Posting>, StoreError> {
        self.reader.postings(record).await
    }
}

impl FindCommitted for SweptIndex {
    async fn committed(&self, log: &LogId, first: u64, record: &str) -> Result<Option<(String, String)>, StoreError> {
        let answer = self
            .client
            .get_item()
            .table_name(&self.table)
            .set_key(Some(posting_key(record, log, first)))
            .consistent_read(true)
            .send()
            .await
            .map_err(|error| store_error(format!("read a posting of {log} at {first}"), error))?;
        let place = |row: &Item| Ok((items::read_text(row, "segment")?, items::read_text(row, "versionId")?));
        answer.item.as_ref().map(place).transpose()
    }
}

impl ForgetPostings for SweptIndex {
    async fn forget(&self, postings: &[Posting]) -> Result<(), StoreError> {
        let Some(first) = postings.first() else { return Ok(()) };
        let what = format!("remove {} postings of {}", postings.len(), first.segment);
        let key = |posting: &Posting| posting_key(&posting.record_key, &posting.log, posting.first);
        items::batch_delete(&self.client, &self.table, &what, postings.iter().map(key).collect()).await
    }
}

fn posting_key(record: &str, log: &LogId, first: u64) -> Item {
    items::key(&format!("INT#{record}"), &format!("POST#{log}#{first:020}"))
}

/// State in the staged bucket.
#[derive(Clone, Debug)]
pub struct StateBucket {
    client: aws_sdk_s3::Client,
    bucket: String,
}

impl StateBucket {
    /// The bucket named `bucket`.
    pub fn new(client: aws_sdk_s3::Client, bucket: &str) -> Self {
        Self { client, bucket: bucket.to_owned() }
    }
}

impl KeepState for StateBucket {
    async fn load(&self, key: &str) -> Result<Option<Loaded>, StoreError> {
        let what = format!("load {key}");
        let answer = self.client.get_object().bucket(&self.bucket).key(key).send().await;
        let answer = match answer.map_err(|error| store_error(&what, error)) {
            Ok(answer) => answer,
            Err(StoreError::NotFound(_)) => return Ok(None),
            Err(error) => return Err(error),
        };
        let tag = answer.e_tag.clone().ok_or_else(|| unreadable(&what))?;
        let body = answer.body.collect().await;
        let body = body.map_err(|error| StoreError::Unknown(Failure::caused_by(what, error)))?;
        Ok(Some(Loaded { bytes: body.to_vec(), tag }))
    }

    async fn store(&self, key: &str, bytes: Vec<u8>, tag: Option<&str>) -> Result<(), StoreError> {
        let put = self.client.put_object().bucket(&self.bucket).key(key).body(bytes.into());
        let put = match tag {
            Some(tag) => put.if_match(tag),
            None => put.if_none_match("*"),
        };
        match put.send().await.map_err(|error| store_error(format!("store {key}"), error)) {
            Ok(_) => Ok(()),
            // The state that was loaded is gone: as good as replaced by another.
            Err(StoreError::NotFound(failure)) if tag.is_some() => Err(StoreError::Conflict(failure)),
            Err(error) => Err(error),
        }
    }
}

/// The bronze bucket, to list.
#[derive(Clone, Debug)]
pub struct BronzeLister {
    client: aws_sdk_s3::Client,
    bucket: String,
}

impl BronzeLister {
    /// The bucket named `bucket`.
    pub fn new(client: aws_sdk_s3::Client, bucket: &str) -> Self {
        Self { client, bucket: bucket.to_owned() }
    }
}

impl ListBronze for BronzeLister {
    async fn page(&self, prefix: &str, after: &str) -> Result<Vec<BronzeObject>, StoreError> {
        let what = format!("list {prefix}");
        let after = Some(after).filter(|after| !after.is_empty()).map(str::to_owned);
        let list = self.client.list_objects_v2().bucket(&self.bucket).prefix(prefix).set_start_after(after);
        let answer = list.max_keys(i32::try_from(PAGE).unwrap_or(i32::MAX)).send().await;
        let objects = answer.map_err(|error| store_error(&what, error))?.contents.unwrap_or_default();
        let object = |object: aws_sdk_s3::types::Object| {
            let written_at_ms = object.last_modified.as_ref().and_then(|date| ms(date).ok());
            Some(BronzeObject { key: object.key?, written_at_ms: written_at_ms? })
        };
        objects.into_iter().map(|one| object(one).ok_or_else(|| unreadable(&what))).collect()
    }
}

/// transform's queue, to notify it as S3 does.
#[derive(Clone, Debug)]
pub struct NotificationQueue {
    client: aws_sdk_sqs::Client,
    url: String,
}

impl NotificationQueue {
    /// The queue at `url`.
    pub fn new(client: aws_sdk_sqs::Client, url: &str) -> Self {
        Self { client, url: url.to_owned() }
    }
}

impl NotifyBronze for NotificationQueue {
    async fn backlog(&self) -> Result<u64, StoreError> {
        depth(&self.client, &self.url).await
    }

    async fn notify(&self, bucket: &str, key: &str) -> Result<(), StoreError> {
        let send = self.client.send_message().queue_url(&self.url).message_body(notification(bucket, key));
        send.send().await.map(drop).map_err(|error| store_error(format!("notify of {key}"), error))
    }
}

/// audit-write's queue, to send pointers again and to ask how many wait.
#[derive(Clone, Debug)]
pub struct SweptPointers {
    client: aws_sdk_sqs::Client,
    url: String,
    queue: PointerQueue,
}

impl SweptPointers {
    /// The queue at `url`.
    pub fn new(client: aws_sdk_sqs::Client, url: &str) -> Self {
        Self { queue: PointerQueue::new(client.clone(), url), url: url.to_owned(), client }
    }
}

impl SendPointers for SweptPointers {
    async fn send(&self, pointers: &[Pointer]) -> Result<(), StoreError> {
        self.queue.send(pointers).await
    }
}

impl PointerBacklog for SweptPointers {
    async fn backlog(&self) -> Result<u64, StoreError> {
        depth(&self.client, &self.url).await
    }
}

/// Messages of a queue that wait or are worked on.
async fn depth(client: &aws_sdk_sqs::Client, url: &str) -> Result<u64, StoreError> {
    let kinds =
        [QueueAttributeName::ApproximateNumberOfMessages, QueueAttributeName::ApproximateNumberOfMessagesNotVisible];
    let ask = client.get_queue_attributes().queue_url(url).set_attribute_names(Some(kinds.into()));
    let answer = ask.send().await.map_err(|error| store_error("ask for a queue's depth", error))?;
    let attributes = answer.attributes.unwrap_or_default();
    Ok(attributes.values().filter_map(|value| value.parse::<u64>().ok()).sum())
}

fn ms(date: &DateTime) -> Result<i64, aws_smithy_types::date_time::ConversionError> {
    date.to_millis()
}

fn unreadable(what: &str) -> StoreError {
    StoreError::Corrupt(Failure::new(format!("{what}: the answer lacks a member")))
}

fn row_partition(object: ObjectId) -> String {
    format!("OBJ#{object}")
}

const ROW: &str = "OBJ";
const SWEPT_AT: &str = "sweptAt";
const TURNS: &str = "turns";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_of_another_form_is_no_act_and_no_error() {
        let id = object_id("", "act/hold/1").to_hex();
        let row = Item::from([
            ("sk".to_owned(), text(id)),
            ("key".to_owned(), text("act/hold/1")),
            (NOTED_AT.to_owned(), text("1970-01-01T00:00:01.000Z")),
        ]);
        let mut noted = NotedActs::default();
        take_act(&mut noted, &row);
        assert_eq!(noted.acts, [BronzeObject { key: "act/hold/1".to_owned(), written_at_ms: 1000 }]);
        for (name, value) in [("sk", number(1)), ("key", number(1)), (NOTED_AT, text("x"))] {
            let mut row = row.clone();
            row.insert(name.to_owned(), value);
            take_act(&mut noted, &row);
        }
        take_act(&mut noted, &Item::new());
        assert_eq!((noted.acts.len(), noted.unreadable), (1, 4));
    }

    #[test]
    fn a_row_is_read_as_transform_audit_write_and_sweep_write_it() {
        let at = |text_: &str| text(text_);
        let row = Item::from([
            ("startedAt".to_owned(), at("1970-01-01T00:00:01.000Z")),
            ("plannedAt".to_owned(), at("1970-01-01T00:00:02.000Z")),
            ("planned".to_owned(), number(5)),
            ("committed".to_owned(), number(3)),
            ("done".to_owned(), AttributeValue::Ns(vec!["0".to_owned(), "2".to_owned()])),
            (SWEPT_AT.to_owned(), at("1970-01-01T00:00:03.000Z")),
            (TURNS.to_owned(), number(1)),
            ("chunks".to_owned(), number(4)),
            (format!("{POISON}3"), number(2)),
        ]);
        let read = progress(&row).unwrap();
        assert_eq!((read.started_at_ms, read.planned_at_ms, read.swept_at_ms), (Some(1000), Some(2000), Some(3000)));
        assert_eq!((read.planned, read.committed, read.turns), (5, 3, 1));
        assert_eq!((read.done, read.poisoned, read.chunks), (BTreeSet::from([0, 2]), BTreeSet::from([3]), 4));
        assert_eq!(progress(&Item::new()).unwrap(), Progress::default());
        for (name, value) in
            [("plannedAt", text("x")), ("planned", text("5")), ("done", number(0)), (SWEPT_AT, number(0))]
        {
            let mut row = row.clone();
            row.insert(name.to_owned(), value);
            assert!(matches!(progress(&row), Err(StoreError::Corrupt(_))), "{name}");
        }
    }
}
