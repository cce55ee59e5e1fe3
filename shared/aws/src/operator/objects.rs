//! Buckets as an operator sees them: the ledger's settings, what lies below a prefix.

use aws_sdk_s3::types::{BucketVersioningStatus, ObjectLockEnabled};
use ledgerline_ledger::store::StoreError;

use super::Operator;
use crate::config::store_error;

/// The settings of the ledger's bucket that evidence depends on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BucketSettings {
    /// Versions are kept.
    pub versioned: bool,
    /// Objects can be locked.
    pub object_lock: bool,
    /// The default retention's mode, which there should not be.
    pub default_retention: bool,
    /// The bucket's policy, as JSON.
    pub policy: Option<String>,
}

impl Operator {
    /// The settings of the ledger's bucket.
    ///
    /// # Errors
    /// The bucket's.
    pub async fn bucket_settings(&self, bucket: &str) -> Result<BucketSettings, StoreError> {
        let versioning = self.s3.get_bucket_versioning().bucket(bucket).send().await;
        let versioning =
            versioning.map_err(|error| store_error(format!("look at the versioning of {bucket}"), error))?;
        let lock = self.s3.get_object_lock_configuration().bucket(bucket).send().await;
        let lock = match lock.map_err(|error| store_error(format!("look at the Object Lock of {bucket}"), error)) {
            Ok(lock) => lock.object_lock_configuration,
            // S3 answers 404 where it was never turned on.
            Err(StoreError::NotFound(_)) => None,
            Err(error) => return Err(error),
        };
        let policy = self.s3.get_bucket_policy().bucket(bucket).send().await;
        let policy = match policy.map_err(|error| store_error(format!("read the policy of {bucket}"), error)) {
            Ok(policy) => policy.policy,
            Err(StoreError::NotFound(_)) => None,
            Err(error) => return Err(error),
        };
        let enabled = lock.as_ref().and_then(|lock| lock.object_lock_enabled());
        Ok(BucketSettings {
            versioned: versioning.status() == Some(&BucketVersioningStatus::Enabled),
            object_lock: enabled == Some(&ObjectLockEnabled::Enabled),
            default_retention: lock.as_ref().is_some_and(|lock| lock.rule().is_some()),
            policy,
        })
    }

    /// How many objects lie below a prefix, counted up to a limit.
    ///
    /// # Errors
    /// The bucket's.
    pub async fn count_objects(&self, bucket: &str, prefix: &str, limit: u64) -> Result<u64, StoreError> {
        let (mut count, mut after) = (0, None);
        loop {
            let asked = self.s3.list_objects_v2().bucket(bucket).prefix(prefix).set_continuation_token(after.take());
            let page = asked.send().await;
            let page = page.map_err(|error| store_error(format!("list {prefix} in {bucket}"), error))?;
            count += page.contents().len() as u64;
            after = page.next_continuation_token;
            if count >= limit || after.is_none() {
                return Ok(count.min(limit));
            }
        }
    }

    /// Whether an object is there.
    ///
    /// # Errors
    /// The bucket's, other than that it is not.
    pub async fn exists(&self, bucket: &str, key: &str) -> Result<bool, StoreError> {
        let looked = self.s3.head_object().bucket(bucket).key(key).send().await;
        match looked.map_err(|error| store_error(format!("look for {key} in {bucket}"), error)) {
            Ok(_) => Ok(true),
            Err(StoreError::NotFound(_)) => Ok(false),
            Err(error) => Err(error),
        }
    }
}
