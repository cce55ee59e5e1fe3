//! Data keys, wrapped by KMS and kept in the control table: one purpose, many versions.
//!
//! Invariant: a stored version is never replaced, and each pseudonym is made under one set of rules: where the normaliser's
//! rules changed since the newest version was made, there is a new one. Of two functions that start first at the same time one writes the
//! version, and both use what is stored. KMS is called once per version and cold start, never per record.

use aws_sdk_dynamodb::Client as Dynamo;
use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_kms::Client as Kms;
use aws_sdk_kms::types::DataKeySpec;
use ledgerline_ledger::store::{Failure, StoreError};
use ledgerline_privacy::RULES;
use ledgerline_privacy::pseudonym::KeyBytes;

use crate::config::store_error;
use crate::items::{self, Item, number, text};

/// What a data key is for. Part of its KMS encryption context, so that one purpose's key cannot stand in for another's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Pseudonyms of identifiers.
    Pseudonym,
    /// Event ids. Never rotated: an event's identity holds.
    Event,
}

impl Purpose {
    /// The rules that what such a key names is normalised by; event ids have none that change.
    fn rules(self) -> u32 {
        match self {
            Self::Pseudonym => RULES,
            Self::Event => FIRST_RULES,
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Pseudonym => "pseudonym",
            Self::Event => "event",
        }
    }
}

/// An unwrapped key. No `Debug`: nothing may print it.
pub struct DataKey {
    /// Counted from 1.
    pub version: u32,
    /// The version of the rules that were in force when it was made.
    pub rules: u32,
    /// The key itself, zeroed when it is dropped.
    pub bytes: KeyBytes,
}

/// Where wrapped keys lie and what unwraps them.
#[derive(Clone, Debug)]
pub struct DataKeys {
    dynamo: Dynamo,
    kms: Kms,
    control_table: String,
    kms_key: String,
    deployment: String,
}

impl DataKeys {
    /// Keys of one deployment, wrapped by `kms_key` (an ARN).
    pub fn new(
        dynamo: Dynamo,
        kms: Kms,
        control_table: impl Into<String>,
        kms_key: impl Into<String>,
        deployment: impl Into<String>,
    ) -> Self {
        let (control_table, kms_key, deployment) = (control_table.into(), kms_key.into(), deployment.into());
        Self { dynamo, kms, control_table, kms_key, deployment }
    }

    /// All versions, oldest first; none before the first event was ever transformed.
    ///
    /// # Errors
    /// Whatever the table or KMS reports; `Corrupt` for a row that is no wrapped key.
    pub async fn all(&self, purpose: Purpose) -> Result<Vec<DataKey>, StoreError> {
        let what = format!("read wrapped {} keys", purpose.as_str());
        let answer = self
            .dynamo
            .query()
            .table_name(&self.control_table)
            .consistent_read(true)
            .key_condition_expression("pk=:pk")
            .expression_attribute_values(":pk", text(partition(purpose)))
            .send()
            .await
            .map_err(|error| store_error(&what, error))?;
        let mut keys = Vec::new();
        for row in answer.items.unwrap_or_default() {
            keys.push(self.unwrap(purpose, &row).await?);
        }
        keys.sort_by_key(|key| key.version);
        Ok(keys)
    }

    /// All versions, after making one if there is none for today's rules. `now` is an RFC 3339 time for the row.
    ///
    /// # Errors
    /// As [`DataKeys::all`].
    pub async fn all_or_new(&self, purpose: Purpose, now: &str) -> Result<Vec<DataKey>, StoreError> {
        let keys = self.all(purpose).await?;
        let Some(version) = next_version(keys.iter().map(|key| (key.version, key.rules)), purpose.rules()) else {
            return Ok(keys);
        };
        match self.create(purpose, version, now).await {
            // Conflict: another cold start was first, and its key is the key.
            Ok(()) | Err(StoreError::Conflict(_)) => self.all(purpose).await,
            Err(error) => Err(error),
        }
    }

    /// The plaintext that KMS sends along is dropped: every start opens what is stored, the first one too.
    async fn create(&self, purpose: Purpose, version: u32, now: &str) -> Result<(), StoreError> {
        let what = format!("create {} key {version}", purpose.as_str());
        let made = self
            .kms
            .generate_data_key()
            .key_id(&self.kms_key)
            .key_spec(DataKeySpec::Aes256)
            .encryption_context("deployment", &self.deployment)
            .encryption_context("purpose", purpose.as_str())
            .encryption_context("version", version.to_string())
            .send()
            .await
            .map_err(|error| store_error(&what, error))?;
        let wrapped = made.ciphertext_blob.ok_or_else(|| StoreError::Corrupt(Failure::new(what.as_str())))?;
        let mut item = items::key(&partition(purpose), &version.to_string());
        item.insert("wrapped".to_owned(), AttributeValue::B(Blob::new(wrapped.into_inner())));
        item.insert("createdAt".to_owned(), text(now));
        item.insert(RULES_OF.to_owned(), number(purpose.rules()));
        self.dynamo
            .put_item()
            .table_name(&self.control_table)
            .set_item(Some(item))
            .condition_expression("attribute_not_exists(pk)")
            .send()
            .await
            .map(drop)
            .map_err(|error| store_error(what, error))
    }

    async fn unwrap(&self, purpose: Purpose, row: &Item) -> Result<DataKey, StoreError> {
        let version = items::read_text(row, "sk")?;
        let what = format!("unwrap {} key {version}", purpose.as_str());
        let corrupt = || StoreError::Corrupt(Failure::new(what.as_str()));
        let Some(AttributeValue::B(wrapped)) = row.get("wrapped") else { return Err(corrupt()) };
        let opened = self
            .kms
            .decrypt()
            .key_id(&self.kms_key)
            .ciphertext_blob(aws_sdk_kms::primitives::Blob::new(wrapped.as_ref()))
            .encryption_context("deployment", &self.deployment)
            .encryption_context("purpose", purpose.as_str())
            .encryption_context("version", &version)
            .send()
            .await
            .map_err(|error| store_error(&what, error))?;
        let plain = opened.plaintext.ok_or_else(corrupt)?;
        let bytes = KeyBytes::take(plain.into_inner()).ok_or_else(corrupt)?;
        let rules =
            if row.contains_key(RULES_OF) { items::read_number(row, RULES_OF)? } else { u64::from(FIRST_RULES) };
        let rules = u32::try_from(rules).map_err(|_| corrupt())?;
        Ok(DataKey { version: version.parse().map_err(|_| corrupt())?, rules, bytes })
    }
}

/// The version that must be made so that there is one for these rules; `None` if there is one. Versions of later rules, by a
/// deployment that was rolled back since, stay and are looked up.
fn next_version(keys: impl Iterator<Item = (u32, u32)>, rules: u32) -> Option<u32> {
    let (versions, rules_of): (Vec<u32>, Vec<u32>) = keys.unzip();
    (!rules_of.contains(&rules)).then(|| versions.iter().max().map_or(1, |newest| newest + 1))
}

/// The attribute that says which rules a version belongs to.
const RULES_OF: &str = "rules";
/// The rules of versions that do not say them.
const FIRST_RULES: u32 = 1;

fn partition(purpose: Purpose) -> String {
    format!("KEY#{}", purpose.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_made_where_none_is_for_the_rules() {
        for (keys, rules, next) in [
            (&[][..], 2, Some(1)),
            (&[(1, 1)], 2, Some(2)),
            (&[(1, 1), (2, 2)], 2, None),
            (&[(1, 2)], 2, None),
            // Rolled back, and forward again.
            (&[(1, 1), (2, 2)], 1, None),
            (&[(1, 2), (2, 3)], 4, Some(3)),
        ] {
            assert_eq!(next_version(keys.iter().copied(), rules), next, "{keys:?} for rules {rules}");
        }
    }
}
