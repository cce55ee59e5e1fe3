//! The locked bucket: segments, full tiles and archived checkpoints are put once, with checksum and lock. Partial tiles and
//! the live checkpoint follow from these; they carry no lock, and a tag.
//!
//! Invariant: no call here can delete or shorten, and none can overwrite what is locked. Lock headers are set through the
//! SDK's own fields on every such put: the bucket has no default retention to fall back on.

use aws_sdk_s3::Client;
use aws_sdk_s3::operation::get_object::builders::GetObjectFluentBuilder;
use aws_sdk_s3::operation::head_object::HeadObjectOutput;
use aws_sdk_s3::operation::put_object::builders::PutObjectFluentBuilder;
use aws_sdk_s3::primitives::{ByteStream, DateTime};
use aws_sdk_s3::types::{ChecksumMode, ObjectLockMode, ObjectLockRetention, ObjectLockRetentionMode, Tag, Tagging};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ledgerline_ledger::checkpoint::{archive_folder, archive_key, archived_size, live_key};
use ledgerline_ledger::log::LogId;
use ledgerline_ledger::ports::{
    ArchivedCheckpoint, Checkpoints, Lock, LockMode, ObjectState, Put, ReadSegment, Tiles, WriteSegment,
};
use ledgerline_ledger::store::{Failure, StoreError};
use ledgerline_ledger::tree::Hash;

use crate::config::store_error;
use crate::versions::VersionPages;

/// The bucket with Object Lock.
#[derive(Clone, Debug)]
pub struct LedgerBucket {
    client: Client,
    bucket: String,
}

impl LedgerBucket {
    /// The bucket named `bucket`.
    pub fn new(client: Client, bucket: impl Into<String>) -> Self {
        Self { client, bucket: bucket.into() }
    }
}

impl WriteSegment for LedgerBucket {
    async fn put_segment(&self, key: &str, bytes: &[u8], sha256: &Hash, lock: &Lock) -> Result<Put, StoreError> {
        self.put_once(key, bytes, sha256, lock, GZIP).await
    }

    async fn segment_state(&self, key: &str) -> Result<ObjectState, StoreError> {
        let what = format!("look at {key}");
        let head = self
            .client
            .head_object()
            .bucket(&self.bucket)
            .key(key)
            .checksum_mode(ChecksumMode::Enabled)
            .send()
            .await
            .map_err(|error| store_error(&what, error))?;
        let sha256 = head.checksum_sha256().and_then(|text| STANDARD.decode(text).ok());
        Ok(ObjectState {
            bytes: head.content_length().and_then(|bytes| u64::try_from(bytes).ok()).unwrap_or_default(),
            sha256: sha256.and_then(|bytes| Hash::from_slice(&bytes)),
            lock: lock_of(&head),
            version_id: version(&what, head.version_id)?,
        })
    }

    async fn extend_lock(&self, key: &str, version_id: &str, lock: &Lock) -> Result<(), StoreError> {
        let mode = match lock.mode {
            LockMode::Governance => ObjectLockRetentionMode::Governance,
            LockMode::Compliance => ObjectLockRetentionMode::Compliance,
        };
        let retention = ObjectLockRetention::builder().mode(mode).retain_until_date(date(lock.retain_until_s)).build();
        let sent = self
            .client
            .put_object_retention()
            .bucket(&self.bucket)
            .key(key)
            .version_id(version_id)
            .retention(retention)
            .send()
            .await;
        sent.map(|_| ()).map_err(|error| store_error(format!("extend the lock of {key}"), error))
    }
}

impl ReadSegment for LedgerBucket {
    async fn segment(&self, key: &str, version_id: &str) -> Result<Vec<u8>, StoreError> {
        self.read(&format!("get {key}"), self.get(key, version_id)).await
    }

    async fn segment_range(
        &self,
        key: &str,
        version_id: &str,
        offset: u64,
        length: u64,
    ) -> Result<Vec<u8>, StoreError> {
        let what = format!("get {length} bytes at {offset} of {key}");
        let Some(last) = length.checked_sub(1).and_then(|length| offset.checked_add(length)) else {
            return Err(StoreError::Corrupt(Failure::new(what)));
        };
        let bytes = self.read(&what, self.get(key, version_id).range(format!("bytes={offset}-{last}"))).await?;
        if bytes.len() as u64 != length {
            return Err(StoreError::Corrupt(Failure::new(format!("{what}: got {}", bytes.len()))));
        }
        Ok(bytes)
    }
}

impl Tiles for LedgerBucket {
    async fn tile(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let get = self.client.get_object().bucket(&self.bucket).key(key);
        found(self.read(&format!("get {key}"), get).await)
    }

    async fn put_full_tile(&self, key: &str, bytes: &[u8], lock: &Lock) -> Result<Put, StoreError> {
        self.put_once(key, bytes, &Hash::of_object(bytes), lock, BINARY).await
    }

    async fn put_partial_tile(&self, key: &str, bytes: &[u8]) -> Result<(), StoreError> {
        let put = self.put(key, bytes, &Hash::of_object(bytes), BINARY).tagging(PARTIAL);
        put.send().await.map(drop).map_err(|error| store_error(format!("put {key}"), error))
    }

    async fn retire_partial_tile(&self, key: &str) -> Result<(), StoreError> {
        let what = format!("retire {key}");
        let tag = Tag::builder().key(TAG).value(RETIRED).build();
        let tags = tag.and_then(|tag| Tagging::builder().tag_set(tag).build());
        let tags = tags.map_err(|error| StoreError::Unknown(Failure::caused_by(what.as_str(), error)))?;
        let sent = self.client.put_object_tagging().bucket(&self.bucket).key(key).tagging(tags).send().await;
        sent.map(drop).map_err(|error| store_error(what, error))
    }
}

impl Checkpoints for LedgerBucket {
    async fn archived(&self, log: &LogId, from: u64, limit: usize) -> Result<Vec<ArchivedCheckpoint>, StoreError> {
        let folder = archive_folder(log);
        let pages = VersionPages::below(&self.client, &self.bucket, &folder).in_pages_of(PAGE);
        let mut pages = pages.behind(from.checked_sub(1).map(|before| archive_key(log, before)));
        let mut found = Vec::new();
        while let Some(page) = pages.next().await? {
            for version in page.versions.unwrap_or_default() {
                let (Some(key), Some(version_id)) = (version.key, version.version_id) else { continue };
                // Anything else in the folder is for the verification to name.
                if let Some(size) = archived_size(log, &key).filter(|size| *size >= from) {
                    found.push(ArchivedCheckpoint { size, key, version_id });
                }
            }
            if found.len() >= limit {
                found.truncate(limit);
                break;
            }
        }
        Ok(found)
    }

    async fn checkpoint(&self, archived: &ArchivedCheckpoint) -> Result<Vec<u8>, StoreError> {
        self.read(&format!("get {}", archived.key), self.get(&archived.key, &archived.version_id)).await
    }

    async fn put_archived(&self, log: &LogId, size: u64, note: &[u8], lock: &Lock) -> Result<Put, StoreError> {
        self.put_once(&archive_key(log, size), note, &Hash::of_object(note), lock, NOTE).await
    }

    async fn live(&self, log: &LogId) -> Result<Option<(Vec<u8>, String)>, StoreError> {
        let key = live_key(log);
        let what = format!("get {key}");
        let sent = self.client.get_object().bucket(&self.bucket).key(key).send().await;
        let Some(answer) = found(sent.map_err(|error| store_error(&what, error)))? else { return Ok(None) };
        let tag = answer.e_tag.ok_or_else(|| StoreError::Corrupt(Failure::new(format!("{what}: no entity tag"))))?;
        let body = answer.body.collect().await;
        let body = body.map_err(|error| StoreError::Unknown(Failure::caused_by(what, error)))?;
        Ok(Some((body.to_vec(), tag)))
    }

    async fn put_live(&self, log: &LogId, note: &[u8], replaces: Option<&str>) -> Result<(), StoreError> {
        let key = live_key(log);
        let put = self.put(&key, note, &Hash::of_object(note), NOTE).tagging(LIVE);
        let put = match replaces {
            Some(tag) => put.if_match(tag),
            None => put.if_none_match("*"),
        };
        put.send().await.map(drop).map_err(|error| store_error(format!("put {key}"), error))
    }
}

impl LedgerBucket {
    fn put(&self, key: &str, bytes: &[u8], sha256: &Hash, content_type: &str) -> PutObjectFluentBuilder {
        self.client
            .put_object()
            .bucket(&self.bucket)
            .key(key)
            .checksum_sha256(STANDARD.encode(sha256.0))
            .content_type(content_type)
            .body(ByteStream::from(bytes.to_vec()))
    }

    /// One put under lock, if nothing lies under the key.
    async fn put_once(
        &self,
        key: &str,
        bytes: &[u8],
        sha256: &Hash,
        lock: &Lock,
        content_type: &str,
    ) -> Result<Put, StoreError> {
        let what = format!("put {key}");
        let mode = match lock.mode {
            LockMode::Governance => ObjectLockMode::Governance,
            LockMode::Compliance => ObjectLockMode::Compliance,
        };
        let put = self.put(key, bytes, sha256, content_type).if_none_match("*").object_lock_mode(mode);
        match put.object_lock_retain_until_date(date(lock.retain_until_s)).send().await {
            Ok(answer) => Ok(Put::Written { version_id: version(&what, answer.version_id)? }),
            Err(error) if error.raw_response().is_some_and(|response| response.status().as_u16() == 412) => {
                Ok(Put::Exists)
            }
            Err(error) => Err(store_error(what, error)),
        }
    }

    fn get(&self, key: &str, version_id: &str) -> GetObjectFluentBuilder {
        self.client.get_object().bucket(&self.bucket).key(key).version_id(version_id)
    }

    async fn read(&self, what: &str, request: GetObjectFluentBuilder) -> Result<Vec<u8>, StoreError> {
        let answer = request.send().await.map_err(|error| store_error(what, error))?;
        let body = answer.body.collect().await;
        body.map(|body| body.to_vec()).map_err(|error| StoreError::Unknown(Failure::caused_by(what, error)))
    }
}

/// `None` for what is not there.
fn found<T>(read: Result<T, StoreError>) -> Result<Option<T>, StoreError> {
    match read {
        Ok(found) => Ok(Some(found)),
        Err(StoreError::NotFound(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The lock that a version's headers tell.
pub(crate) fn lock_of(head: &HeadObjectOutput) -> Option<Lock> {
    let mode = match head.object_lock_mode()? {
        ObjectLockMode::Governance => LockMode::Governance,
        ObjectLockMode::Compliance => LockMode::Compliance,
        _ => return None,
    };
    let retain_until_s = u64::try_from(head.object_lock_retain_until_date()?.secs()).ok()?;
    Some(Lock { mode, retain_until_s })
}

fn date(epoch_s: u64) -> DateTime {
    DateTime::from_secs(i64::try_from(epoch_s).unwrap_or(i64::MAX))
}

/// A bucket with Object Lock always versions: an answer without a version id comes from another kind of bucket.
fn version(what: &str, version_id: Option<String>) -> Result<String, StoreError> {
    version_id.ok_or_else(|| StoreError::Corrupt(Failure::new(format!("{what}: the bucket does not keep versions"))))
}

const GZIP: &str = "application/gzip";
const BINARY: &str = "application/octet-stream";
const NOTE: &str = "text/plain; charset=utf-8";
/// The tag by which the bucket's lifecycle knows what is no evidence; the template names the same values.
const TAG: &str = "ledgerline";
const PARTIAL: &str = "ledgerline=partial";
const RETIRED: &str = "retired";
const LIVE: &str = "ledgerline=live";
/// Versions per page of a listing: all that is asked is whether there is one beyond a size, or a few.
const PAGE: usize = 10;
