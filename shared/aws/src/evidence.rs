//! Evidence read from a bucket and its tables, for verification: every version with its lock and its legal hold, bytes by
//! version, heads, postings.
//!
//! Invariant: nothing here writes. Verification is synchronous and asks from its own threads; each call waits for the
//! runtime whose handle it was given, so none of them may be one of that runtime's own threads.

use std::sync::Arc;

use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_s3::operation::head_object::HeadObjectOutput;
use aws_sdk_s3::types::ObjectLockLegalHoldStatus;
use aws_smithy_types::DateTime;
use ledgerline_ledger::log::LogId;
use ledgerline_ledger::ports::{ListLogs, ReadHead, ReadSegment};
use ledgerline_ledger::posting::Posting;
use ledgerline_ledger::store::{Failure, StoreError};
use ledgerline_ledger::verify::{Evidence, EvidenceFault, Given, HeadRow, ObjectVersion};
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::config::store_error;
use crate::control::ControlTable;
use crate::items::{Item, read_text, text};
use crate::ledger::{LedgerBucket, lock_of};
use crate::reads::posting;
use crate::versions::VersionPages;

/// Where the ledger's objects lie.
const ROOT: &str = "ledger/";
/// Looks at versions under way at once: S3 answers 5,500 of them per second and prefix; 48 at 20 ms are 2,400.
const LOOKS: usize = 48;

/// A ledger's bucket and, where they are part of the evidence, its tables.
#[derive(Clone, Debug)]
pub struct StoredEvidence {
    runtime: Handle,
    s3: aws_sdk_s3::Client,
    bucket: String,
    tables: Option<Tables>,
    log: Option<LogId>,
    locks: bool,
    postings: bool,
}

/// The tables that say what is committed and where entries lie.
#[derive(Clone, Debug)]
pub struct Tables {
    /// The client.
    pub client: aws_sdk_dynamodb::Client,
    /// The control table: heads.
    pub control: String,
    /// The index table: postings.
    pub index: String,
}

impl StoredEvidence {
    /// The evidence in a bucket. Without tables nothing is said about heads and postings.
    pub fn new(runtime: Handle, s3: aws_sdk_s3::Client, bucket: impl Into<String>, tables: Option<Tables>) -> Self {
        Self { runtime, s3, bucket: bucket.into(), tables, log: None, locks: true, postings: true }
    }

    /// Only one log of it: what lies elsewhere is neither listed nor read.
    pub fn only(self, log: LogId) -> Self {
        Self { log: Some(log), ..self }
    }

    /// The same, silent about locks and holds: each costs a call of its own.
    pub fn without_locks(self) -> Self {
        Self { locks: false, ..self }
    }

    /// The same, silent about postings: reading them all costs as much as the index is large.
    pub fn without_postings(self) -> Self {
        Self { postings: false, ..self }
    }

    /// A version with its lock and hold.
    ///
    /// # Errors
    /// The bucket's.
    pub fn looked_at(&self, version: ObjectVersion) -> Result<ObjectVersion, EvidenceFault> {
        Ok(self.runtime.block_on(look(&self.s3, &self.bucket, version))?)
    }

    /// Every version below `prefix`, with lock and hold where they are asked for.
    async fn list(&self, prefix: &str, each: &mut (dyn FnMut(ObjectVersion) + '_)) -> Result<(), StoreError> {
        let mut pages = VersionPages::below(&self.s3, &self.bucket, prefix);
        while let Some(page) = pages.next().await? {
            let mut listed = Vec::new();
            for object in page.versions() {
                listed.push(ObjectVersion {
                    key: object.key().unwrap_or_default().to_owned(),
                    version_id: object.version_id().unwrap_or("null").to_owned(),
                    is_latest: object.is_latest().unwrap_or(false),
                    is_delete_marker: false,
                    bytes: object.size().and_then(|size| u64::try_from(size).ok()).unwrap_or_default(),
                    // The lock comes with a second look: listings do not have it.
                    lock: None,
                    legal_hold: false,
                    last_modified_ms: epoch_ms(object.last_modified()),
                });
            }
            for marker in page.delete_markers() {
                each(ObjectVersion {
                    key: marker.key().unwrap_or_default().to_owned(),
                    version_id: marker.version_id().unwrap_or("null").to_owned(),
                    is_latest: marker.is_latest().unwrap_or(false),
                    is_delete_marker: true,
                    bytes: 0,
                    lock: None,
                    legal_hold: false,
                    last_modified_ms: epoch_ms(marker.last_modified()),
                });
            }
            if self.locks {
                self.look_at(listed, each).await?;
            } else {
                listed.into_iter().for_each(&mut *each);
            }
        }
        Ok(())
    }

    /// Adds each version's lock and hold.
    async fn look_at(
        &self,
        listed: Vec<ObjectVersion>,
        each: &mut (dyn FnMut(ObjectVersion) + '_),
    ) -> Result<(), StoreError> {
        let room = Arc::new(Semaphore::new(LOOKS));
        let mut looks = JoinSet::new();
        for version in listed {
            let (s3, bucket, room) = (self.s3.clone(), self.bucket.clone(), Arc::clone(&room));
            looks.spawn_on(
                async move {
                    let _one = room.acquire().await;
                    look(&s3, &bucket, version).await
                },
                &self.runtime,
            );
        }
        while let Some(looked) = looks.join_next().await {
            let looked =
                looked.map_err(|error| StoreError::Unknown(Failure::caused_by("look at a version's lock", error)))?;
            each(looked?);
        }
        Ok(())
    }

    async fn head_rows(&self, tables: &Tables) -> Result<Vec<HeadRow>, StoreError> {
        let control = ControlTable::new(tables.client.clone(), &tables.control);
        let logs = match &self.log {
            Some(log) => vec![log.clone()],
            None => control.logs().await?,
        };
        let mut rows = Vec::with_capacity(logs.len());
        for log in logs {
            // A listed log without a head has lost it: its segments will tell.
            if let Some(head) = control.head(&log).await? {
                rows.push(HeadRow::of(&log, &head));
            }
        }
        Ok(rows)
    }
}

impl Evidence for StoredEvidence {
    fn versions(&self, each: &mut dyn FnMut(ObjectVersion)) -> Result<(), EvidenceFault> {
        let prefix = self.log.as_ref().map_or_else(|| ROOT.to_owned(), |log| format!("{ROOT}{log}/"));
        Ok(self.runtime.block_on(self.list(&prefix, each))?)
    }

    fn read(&self, version: &ObjectVersion) -> Result<Vec<u8>, EvidenceFault> {
        let bucket = LedgerBucket::new(self.s3.clone(), &self.bucket);
        Ok(self.runtime.block_on(bucket.segment(&version.key, &version.version_id))?)
    }

    fn heads(&self) -> Result<Option<Vec<HeadRow>>, EvidenceFault> {
        let Some(tables) = &self.tables else { return Ok(None) };
        Ok(Some(self.runtime.block_on(self.head_rows(tables))?))
    }

    fn postings(&self, each: &mut dyn FnMut(Posting)) -> Result<Given, EvidenceFault> {
        let Some(tables) = self.tables.as_ref().filter(|_| self.postings) else { return Ok(Given::NotPartOfIt) };
        let prefix = self.log.as_ref().map_or_else(|| "POST#".to_owned(), |log| format!("POST#{log}#"));
        let mut handed = |item: &Item| {
            let record = read_text(item, "pk")?;
            each(posting(record.strip_prefix("INT#").unwrap_or(&record), item)?);
            Ok(())
        };
        let filter = "begins_with(sk, :prefix)";
        let scanned =
            scan(&tables.client, &tables.index, "list the postings", filter, (":prefix", &prefix), &mut handed);
        self.runtime.block_on(scanned)?;
        Ok(Given::All)
    }
}

/// What a version's own headers say of its lock and hold.
async fn look(s3: &aws_sdk_s3::Client, bucket: &str, version: ObjectVersion) -> Result<ObjectVersion, StoreError> {
    let looked = s3.head_object().bucket(bucket).key(&version.key).version_id(&version.version_id).send().await;
    match looked {
        Ok(head) => Ok(ObjectVersion { lock: lock_of(&head), legal_hold: is_held(&head), ..version }),
        Err(error) => match store_error(format!("look at {}", version.key), error) {
            // A partial tile may be replaced while one looks: what was listed is said as it was listed.
            StoreError::NotFound(_) => Ok(version),
            other => Err(other),
        },
    }
}

fn is_held(head: &HeadObjectOutput) -> bool {
    head.object_lock_legal_hold_status() == Some(&ObjectLockLegalHoldStatus::On)
}

fn epoch_ms(date: Option<&DateTime>) -> u64 {
    date.and_then(|date| date.to_millis().ok()).and_then(|ms| u64::try_from(ms).ok()).unwrap_or_default()
}

/// Hands over every item of a table that a filter with one value lets pass, read consistently.
pub(crate) async fn scan(
    client: &aws_sdk_dynamodb::Client,
    table: &str,
    what: &str,
    filter: &str,
    (name, value): (&str, &str),
    each: &mut (dyn FnMut(&Item) -> Result<(), StoreError> + '_),
) -> Result<(), StoreError> {
    let mut after: Option<std::collections::HashMap<String, AttributeValue>> = None;
    loop {
        let page = client
            .scan()
            .table_name(table)
            .consistent_read(true)
            .filter_expression(filter)
            .expression_attribute_values(name, text(value))
            .set_exclusive_start_key(after.take())
            .send()
            .await
            .map_err(|error| store_error(format!("{what} in {table}"), error))?;
        for item in page.items() {
            each(item)?;
        }
        after = page.last_evaluated_key.filter(|key| !key.is_empty());
        if after.is_none() {
            return Ok(());
        }
    }
}
