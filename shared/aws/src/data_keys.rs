//! Data keys, wrapped by KMS and kept in the control table: one purpose, many versions.
//!
//! Invariant: a stored version is never replaced. Of two functions that start first at the same time one writes the
//! version, and both use what is stored. KMS is called once per version and cold start, never per record.

use aws_sdk_dynamodb::Client as Dynamo;
use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_kms::Client as Kms;
use aws_sdk_kms::types::DataKeySpec;
use ledgerline_ledger::store::{Failure, StoreError};
use ledgerline_privacy::pseudonym::KeyBytes;

use crate::config::store_error;
use crate::items::{self, Item, text};

/// What a data key is for. Part of its KMS encryption context, so that one purpose's key cannot stand in for another's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Pseudonyms of identifiers.
    Pseudonym,
    /// Event ids. Never rotated: an event's identity holds.
    Event,
}

impl Purpose {
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

    /// All versions, after making the first one if there is none. `now` is an RFC 3339 time for the row.
    ///
    /// # Errors
    /// As [`DataKeys::all`].
    pub async fn all_or_first(&self, purpose: Purpose, now: &str) -> Result<Vec<DataKey>, StoreError> {
        let keys = self.all(purpose).await?;
        if !keys.is_empty() {
            return Ok(keys);
        }
        match self.create(purpose, 1, now).await {
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
        Ok(DataKey { version: version.parse().map_err(|_| corrupt())?, bytes })
    }
}

fn partition(purpose: Purpose) -> String {
    format!("KEY#{}", purpose.as_str())
}
