//! Data keys, wrapped by KMS, in the control table: one partition a purpose, one row a version.
//!
//! Invariant: a stored version is never replaced. Of two functions that start first at the same time one writes the version,
//! and both use what is stored.

use std::sync::Arc;

use ledgerline_ledger::store::{Failure, StoreError};
use ledgerline_privacy::pseudonym::KeyBytes;
use ledgerline_privacy::{PseudonymKey, RULES, SuppressionKey, SuppressionRing};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use crate::table::{Key, Query, Returning, Row, Table, Write, corrupt, read_row, to_row};
use crate::wrapping::{Context, Wrapping};

/// What a data key is for. Part of its KMS encryption context, so that one purpose's key cannot stand in for another's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Pseudonyms of identifiers.
    Pseudonym,
    /// Claim ids. Never rotated: an event that is sent again is known for good.
    Event,
    /// Tombstones' names. A version stays while one of its tombstones lives.
    Suppression,
}

impl Purpose {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Pseudonym, Self::Event, Self::Suppression];

    /// The rules that what such a key names is normalised by; others have none that change.
    fn rules(self) -> u32 {
        match self {
            Self::Pseudonym => RULES,
            Self::Event | Self::Suppression => FIRST_RULES,
        }
    }

    /// Its name in keys and encryption contexts.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pseudonym => "pseudonym",
            Self::Event => "event",
            Self::Suppression => "suppression",
        }
    }
}

/// A key that only KMS opens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrappedKey {
    /// Counted from 1.
    pub version: u32,
    /// The rules of the normaliser that were in force when it was made.
    pub rules: u32,
    /// What KMS made.
    pub wrapped: Vec<u8>,
}

/// The rules of versions that do not say them.
pub const FIRST_RULES: u32 = 1;

/// The key of a version's row.
pub fn key(purpose: Purpose, version: u32) -> Key {
    Key::new(partition(purpose.as_str()), version.to_string())
}

/// Whether a key is of a wrapped key.
pub fn is_key(key: &Key) -> bool {
    Purpose::ALL.iter().any(|purpose| key.pk == partition(purpose.as_str()))
}

/// The wrapped keys of one deployment.
#[derive(Clone, Debug)]
pub struct WrappedKeys {
    table: Arc<dyn Table>,
}

impl WrappedKeys {
    /// Rows of the control table.
    pub fn new(table: Arc<dyn Table>) -> Self {
        Self { table }
    }

    /// All versions, oldest first; none before the first event was ever transformed.
    ///
    /// # Errors
    /// The table's; `Corrupt` for a row that is not a wrapped key.
    pub async fn all(&self, purpose: Purpose) -> Result<Vec<WrappedKey>, StoreError> {
        let what = format!("read wrapped {} keys", purpose.as_str());
        let rows = self.table.query(&what, &Query::partition(partition(purpose.as_str()))).await?;
        let read = |(sk, row): (String, Row)| {
            let KeyRow { wrapped, rules, .. } = read_row(&what, row)?;
            let version = sk.parse().map_err(|_| corrupt(what.as_str()))?;
            Ok(WrappedKey { version, rules: rules.unwrap_or(FIRST_RULES), wrapped: wrapped.into_vec() })
        };
        let mut keys = rows.into_iter().map(read).collect::<Result<Vec<_>, StoreError>>()?;
        keys.sort_by_key(|key| key.version);
        Ok(keys)
    }

    /// Keeps a version, made at `now`, RFC 3339.
    ///
    /// # Errors
    /// `Conflict`: another start was first, and its key is the key.
    pub async fn create(&self, purpose: Purpose, new: &WrappedKey, now: &str) -> Result<(), StoreError> {
        let what = format!("create {} key {}", purpose.as_str(), new.version);
        let row = KeyRow {
            wrapped: ByteBuf::from(new.wrapped.clone()),
            created_at: Some(now.to_owned()),
            rules: Some(new.rules),
        };
        let write = Write::create(key(purpose, new.version), to_row(&what, &row)?);
        self.table.write(&what, write, Returning::Nothing).await.map(drop)
    }
}

/// An unwrapped key. No `Debug`: nothing may print it.
pub struct DataKey {
    /// Counted from 1.
    pub version: u32,
    /// The rules of the normaliser that were in force when it was made.
    pub rules: u32,
    /// The key itself, zeroed when it is dropped.
    pub bytes: KeyBytes,
}

/// The data keys of one deployment, opened by the key that wraps them.
///
/// The wrapping key is asked once per version and cold start, never per record.
#[derive(Clone, Debug)]
pub struct DataKeys {
    rows: WrappedKeys,
    wrapping: Arc<dyn Wrapping>,
    deployment: String,
}

impl DataKeys {
    /// Rows of the control table, opened by `wrapping`.
    pub fn new(control: Arc<dyn Table>, wrapping: Arc<dyn Wrapping>, deployment: impl Into<String>) -> Self {
        Self { rows: WrappedKeys::new(control), wrapping, deployment: deployment.into() }
    }

    /// All versions, oldest first; none before the first event was ever transformed.
    ///
    /// # Errors
    /// The table's or the key's; `Corrupt` for a row that is not a wrapped key.
    pub async fn all(&self, purpose: Purpose) -> Result<Vec<DataKey>, StoreError> {
        let mut keys = Vec::new();
        for WrappedKey { version, rules, wrapped } in self.rows.all(purpose).await? {
            let what = format!("unwrap {} key {version}", purpose.as_str());
            let bytes = self.wrapping.unwrap(&what, &self.context(purpose, version), &wrapped).await?;
            keys.push(DataKey { version, rules, bytes });
        }
        Ok(keys)
    }

    /// All versions of the pseudonym key, oldest first.
    ///
    /// # Errors
    /// As [`DataKeys::all`].
    pub async fn pseudonym_keys(&self) -> Result<Vec<PseudonymKey>, StoreError> {
        let keys = self.all(Purpose::Pseudonym).await?;
        Ok(keys.into_iter().map(|key| PseudonymKey::under_rules(key.rules, key.version, key.bytes.lend())).collect())
    }

    /// All versions of the suppression key; `None` before transform's first start.
    ///
    /// # Errors
    /// As [`DataKeys::all`].
    pub async fn suppression_ring(&self) -> Result<Option<SuppressionRing>, StoreError> {
        Ok(ring(&self.all(Purpose::Suppression).await?))
    }

    /// The same, after making the first if there is none. `now` is an RFC 3339 time for the row.
    ///
    /// # Errors
    /// As [`DataKeys::all`].
    pub async fn suppression_ring_or_new(&self, now: &str) -> Result<SuppressionRing, StoreError> {
        let keys = self.all_or_new(Purpose::Suppression, now).await?;
        ring(&keys).ok_or_else(|| StoreError::NotFound(Failure::new("a data key that was just made is not there")))
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
        // The plaintext that comes along is dropped: every start opens what is stored, the first one too.
        let what = format!("create {} key {version}", purpose.as_str());
        let wrapped = self.wrapping.generate(&what, &self.context(purpose, version)).await?;
        match self.rows.create(purpose, &WrappedKey { version, rules: purpose.rules(), wrapped }, now).await {
            // Conflict: another cold start was first, and its key is the key.
            Ok(()) | Err(StoreError::Conflict(_)) => self.all(purpose).await,
            Err(error) => Err(error),
        }
    }

    /// A key for one request alone, wrapped: what carries the request out opens it, whoever makes it does not.
    ///
    /// # Errors
    /// The key's.
    pub async fn new_request_key(&self) -> Result<Vec<u8>, StoreError> {
        self.wrapping.generate("make a request's key", &self.request_context()).await
    }

    /// The same, and the key itself, to seal by it at once what is kept for whoever carries the request out.
    ///
    /// # Errors
    /// The key's.
    pub async fn new_open_request_key(&self) -> Result<(Vec<u8>, KeyBytes), StoreError> {
        self.wrapping.generate_open("make a request's key", &self.request_context()).await
    }

    /// Opens a request's own key.
    ///
    /// # Errors
    /// The key's.
    pub async fn open_request_key(&self, wrapped: &[u8]) -> Result<KeyBytes, StoreError> {
        self.wrapping.unwrap("open a request's key", &self.request_context(), wrapped).await
    }

    fn request_context(&self) -> Context {
        Context { deployment: self.deployment.clone(), purpose: REQUEST.to_owned(), version: "1".to_owned() }
    }

    fn context(&self, purpose: Purpose, version: u32) -> Context {
        let (purpose, version) = (purpose.as_str().to_owned(), version.to_string());
        Context { deployment: self.deployment.clone(), purpose, version }
    }
}

fn ring(keys: &[DataKey]) -> Option<SuppressionRing> {
    SuppressionRing::new(keys.iter().map(|key| SuppressionKey::new(key.version, key.bytes.lend())))
}

/// The version that must be made so that there is one for these rules; `None` if there is one. Versions of later rules, by a
/// deployment that was rolled back since, stay and are looked up.
fn next_version(keys: impl Iterator<Item = (u32, u32)>, rules: u32) -> Option<u32> {
    let (versions, rules_of): (Vec<u32>, Vec<u32>) = keys.unzip();
    (!rules_of.contains(&rules)).then(|| versions.iter().max().map_or(1, |newest| newest + 1))
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct KeyRow {
    wrapped: ByteBuf,
    created_at: Option<String>,
    rules: Option<u32>,
}

/// The partition of keys of this purpose.
pub(crate) fn partition(purpose: &str) -> String {
    format!("{KEY}{purpose}")
}

const KEY: &str = "KEY#";
/// The purpose of a request's own key, which lies beside whom the request is about.
const REQUEST: &str = "request";

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
