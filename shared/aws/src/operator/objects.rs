//! Buckets as an operator sees them: the ledger's settings, what lies below a prefix.

use aws_sdk_s3::types::{BucketVersioningStatus, ExpirationStatus, LifecycleRule, ObjectLockEnabled};
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

    /// Days after which the bucket deletes objects below a prefix; `None`: never.
    ///
    /// # Errors
    /// The bucket's.
    pub async fn expiry_days(&self, bucket: &str, prefix: &str) -> Result<Option<u32>, StoreError> {
        let asked = self.s3.get_bucket_lifecycle_configuration().bucket(bucket).send().await;
        match asked.map_err(|error| store_error(format!("read the lifecycle of {bucket}"), error)) {
            Ok(lifecycle) => Ok(lifecycle.rules().iter().filter_map(|rule| expiry(rule, prefix)).min()),
            // S3 answers 404 where there is none.
            Err(StoreError::NotFound(_)) => Ok(None),
            Err(error) => Err(error),
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

/// After how many days a rule deletes objects below a prefix.
#[expect(deprecated, reason = "S3 still answers the older form of a rule's prefix for rules that were written in it")]
fn expiry(rule: &LifecycleRule, prefix: &str) -> Option<u32> {
    let filter = rule.filter().and_then(|filter| filter.prefix());
    let covers = filter.or(rule.prefix()).is_some_and(|of| prefix.starts_with(of));
    let days = rule.expiration().and_then(|expiration| expiration.days())?;
    (covers && *rule.status() == ExpirationStatus::Enabled).then(|| u32::try_from(days).ok())?
}

#[cfg(test)]
mod tests {
    use aws_sdk_s3::types::{LifecycleExpiration, LifecycleRuleFilter};

    use super::*;

    #[test]
    fn a_rule_counts_for_what_lies_below_its_prefix_while_it_is_enabled() {
        let rule = |prefix: &str, days, status| {
            let rule = LifecycleRule::builder().filter(LifecycleRuleFilter::builder().prefix(prefix).build());
            let expiration = LifecycleExpiration::builder().days(days).build();
            rule.expiration(expiration).status(status).build().unwrap()
        };
        let enabled = rule("quarantine/", 30, ExpirationStatus::Enabled);
        assert_eq!((expiry(&enabled, "quarantine/"), expiry(&enabled, "errors/")), (Some(30), None));
        assert_eq!(expiry(&rule("quarantine/", 30, ExpirationStatus::Disabled), "quarantine/"), None);
        assert_eq!(expiry(&rule("", 7, ExpirationStatus::Enabled), "errors/"), Some(7));
    }
}
