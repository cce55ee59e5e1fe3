//! The locked bucket: segments are put once, with checksum and lock, and read by version.
//!
//! Invariant: no call here can delete, overwrite or shorten. Lock headers are set through the SDK's own fields on every
//! put: the bucket has no default retention to fall back on.

use aws_sdk_s3::Client;
use aws_sdk_s3::operation::get_object::builders::GetObjectFluentBuilder;
use aws_sdk_s3::primitives::{ByteStream, DateTime};
use aws_sdk_s3::types::{ChecksumMode, ObjectLockMode, ObjectLockRetention, ObjectLockRetentionMode};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ledgerline_ledger::ports::{Lock, LockMode, ObjectState, Put, ReadSegment, WriteSegment};
use ledgerline_ledger::store::{Failure, StoreError};
use ledgerline_ledger::tree::Hash;

use crate::config::store_error;

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
        let what = format!("put {key}");
        let mode = match lock.mode {
            LockMode::Governance => ObjectLockMode::Governance,
            LockMode::Compliance => ObjectLockMode::Compliance,
        };
        let sent = self
            .client
            .put_object()
            .bucket(&self.bucket)
            .key(key)
            .if_none_match("*")
            .checksum_sha256(STANDARD.encode(sha256.0))
            .object_lock_mode(mode)
            .object_lock_retain_until_date(date(lock.retain_until_s))
            .content_type(GZIP)
            .body(ByteStream::from(bytes.to_vec()))
            .send()
            .await;
        match sent {
            Ok(answer) => Ok(Put::Written { version_id: version(&what, answer.version_id)? }),
            Err(error) if error.raw_response().is_some_and(|response| response.status().as_u16() == 412) => {
                Ok(Put::Exists)
            }
            Err(error) => Err(store_error(what, error)),
        }
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
        let mode = head.object_lock_mode().and_then(|mode| match mode {
            ObjectLockMode::Governance => Some(LockMode::Governance),
            ObjectLockMode::Compliance => Some(LockMode::Compliance),
            _ => None,
        });
        let until = head.object_lock_retain_until_date().and_then(|date| u64::try_from(date.secs()).ok());
        Ok(ObjectState {
            bytes: head.content_length().and_then(|bytes| u64::try_from(bytes).ok()).unwrap_or_default(),
            sha256: sha256.and_then(|bytes| Hash::from_slice(&bytes)),
            lock: mode.zip(until).map(|(mode, retain_until_s)| Lock { mode, retain_until_s }),
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

impl LedgerBucket {
    fn get(&self, key: &str, version_id: &str) -> GetObjectFluentBuilder {
        self.client.get_object().bucket(&self.bucket).key(key).version_id(version_id)
    }

    async fn read(&self, what: &str, request: GetObjectFluentBuilder) -> Result<Vec<u8>, StoreError> {
        let answer = request.send().await.map_err(|error| store_error(what, error))?;
        let body = answer.body.collect().await;
        body.map(|body| body.to_vec()).map_err(|error| StoreError::Unknown(Failure::caused_by(what, error)))
    }
}

fn date(epoch_s: u64) -> DateTime {
    DateTime::from_secs(i64::try_from(epoch_s).unwrap_or(i64::MAX))
}

/// A bucket with Object Lock always versions: an answer without a version id comes from another kind of bucket.
fn version(what: &str, version_id: Option<String>) -> Result<String, StoreError> {
    version_id.ok_or_else(|| StoreError::Corrupt(Failure::new(format!("{what}: the bucket does not keep versions"))))
}

const GZIP: &str = "application/gzip";
