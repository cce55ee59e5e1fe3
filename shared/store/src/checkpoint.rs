//! Checkpoints in the ledger's bucket: each archived once under lock, and one live checkpoint that follows.

use std::sync::Arc;

use bytes::Bytes;
use ledgerline_ledger::checkpoint::{archive_folder, archive_key, archived_size, live_key};
use ledgerline_ledger::lock::Lock;
use ledgerline_ledger::log::LogId;
use ledgerline_ledger::store::StoreError;
use ledgerline_ledger::tree::Hash;

use crate::bucket::{self, Bucket, Get, PutOutcome, VersionMarker, found, refused};
use crate::segment::{Put, put_locked};

/// Whether a key is of an archived checkpoint.
pub fn is_archived_key(key: &str) -> bool {
    let log = key.rsplit_once('/').and_then(|(folder, _)| log_before(folder, "/checkpoints"));
    log.is_some_and(|log| archived_size(&log, key).is_some())
}

/// Whether a key is of a log's live checkpoint.
pub fn is_live_key(key: &str) -> bool {
    log_before(key, "/checkpoint").is_some_and(|log| live_key(&log) == key)
}

fn log_before(key: &str, suffix: &str) -> Option<LogId> {
    LogId::parse(key.strip_prefix("ledger/")?.strip_suffix(suffix)?).ok()
}

/// A checkpoint in a log's archive, one of its versions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArchivedCheckpoint {
    /// The size in its name.
    pub size: u64,
    /// Its object key.
    pub key: String,
    /// The version id.
    pub version_id: String,
}

/// The checkpoints of all logs.
#[derive(Clone, Debug)]
pub struct Checkpoints {
    bucket: Arc<dyn Bucket>,
}

impl Checkpoints {
    /// Objects of the ledger's bucket.
    pub fn new(bucket: Arc<dyn Bucket>) -> Self {
        Self { bucket }
    }

    /// Up to `limit` versions of archived checkpoints whose size is at least `from`, smallest first. Those below a
    /// delete marker count, too: a marker hides, it does not undo.
    ///
    /// # Errors
    /// The bucket's.
    pub async fn archived(&self, log: &LogId, from: u64, limit: usize) -> Result<Vec<ArchivedCheckpoint>, StoreError> {
        let folder = archive_folder(log);
        let what = format!("list the versions of {folder}");
        let behind = from.checked_sub(1).map(|before| archive_key(log, before));
        let mut behind = behind.map(|key| VersionMarker { key, version_id: None });
        let mut checkpoints = Vec::new();
        loop {
            let (page, next) = self.bucket.list_versions(&what, &folder, behind, PAGE).await?;
            for one in page.into_iter().filter(|one| !one.is_delete_marker) {
                // Anything else in the folder is for the verification to name.
                if let Some(size) = archived_size(log, &one.key).filter(|size| *size >= from) {
                    checkpoints.push(ArchivedCheckpoint { size, key: one.key, version_id: one.version_id });
                }
            }
            checkpoints.truncate(limit);
            if checkpoints.len() == limit || next.is_none() {
                return Ok(checkpoints);
            }
            behind = next;
        }
    }

    /// The bytes of an archived one.
    ///
    /// # Errors
    /// The bucket's.
    pub async fn read(&self, archived: &ArchivedCheckpoint) -> Result<Bytes, StoreError> {
        let get = Get::version(&archived.key, &archived.version_id);
        Ok(self.bucket.get(&format!("get {}", archived.key), get).await?.bytes)
    }

    /// The bytes of the archived one of this size; `None` if there is none, or a marker hides it.
    ///
    /// # Errors
    /// The bucket's.
    pub async fn of_size(&self, log: &LogId, size: u64) -> Result<Option<Bytes>, StoreError> {
        let key = archive_key(log, size);
        let read = found(self.bucket.get(&format!("get {key}"), Get::current(&key)).await)?;
        Ok(read.map(|object| object.bytes))
    }

    /// Archives one, once: with If-None-Match, its checksum and its lock.
    ///
    /// # Errors
    /// The bucket's.
    pub async fn put_archived(&self, log: &LogId, size: u64, note: &[u8], lock: &Lock) -> Result<Put, StoreError> {
        put_locked(&*self.bucket, &archive_key(log, size), note, &Hash::of_object(note), lock, NOTE).await
    }

    /// The live checkpoint and its entity tag, if there is one.
    ///
    /// # Errors
    /// The bucket's.
    pub async fn live(&self, log: &LogId) -> Result<Option<(Bytes, String)>, StoreError> {
        let key = live_key(log);
        let read = found(self.bucket.get(&format!("get {key}"), Get::current(key)).await)?;
        Ok(read.map(|object| (object.bytes, object.tag)))
    }

    /// Replaces the live checkpoint that has this entity tag, or writes the first one.
    ///
    /// # Errors
    /// The bucket's; `Conflict`: it has changed.
    pub async fn put_live(&self, log: &LogId, note: &[u8], replaces: Option<&str>) -> Result<(), StoreError> {
        let key = live_key(log);
        let what = format!("put {key}");
        let put = bucket::Put::of(key, Bytes::copy_from_slice(note), NOTE).in_place_of(replaces);
        let put = bucket::Put { sha256: Some(Hash::of_object(note)), tag: Some(LIVE), ..put };
        match self.bucket.put(&what, put).await? {
            PutOutcome::Written { .. } => Ok(()),
            PutOutcome::Refused { .. } => Err(refused(&what)),
        }
    }
}

const NOTE: &str = "text/plain; charset=utf-8";
/// What the bucket's lifecycle knows live checkpoints by; the template names the same value.
const LIVE: &str = "live";
/// Versions per page of the archive: all that is asked is whether there is one beyond a size, or a few.
const PAGE: usize = 10;
