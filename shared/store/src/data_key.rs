//! Data keys, wrapped by KMS, in the control table: one partition a purpose, one row a version.
//!
//! Invariant: a stored version is never replaced. Of two functions that start first at the same time one writes the version,
//! and both use what is stored.

use std::sync::Arc;

use ledgerline_ledger::store::StoreError;
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use crate::table::{Key, Query, Returning, Row, Table, Write, corrupt, read_row, to_row};

/// What a data key is for. Part of its KMS encryption context, so that one purpose's key cannot stand in for another's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Pseudonyms of identifiers.
    Pseudonym,
    /// Event ids. Never rotated: an event's identity holds.
    Event,
}

impl Purpose {
    /// Its name in keys and encryption contexts.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pseudonym => "pseudonym",
            Self::Event => "event",
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
fn key(purpose: Purpose, version: u32) -> Key {
    Key::new(partition(purpose), version.to_string())
}

/// Whether a key is of a wrapped key.
pub fn is_key(key: &Key) -> bool {
    key.pk.starts_with(KEY)
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
        let rows = self.table.query(&what, &Query::partition(partition(purpose))).await?;
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

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct KeyRow {
    wrapped: ByteBuf,
    created_at: Option<String>,
    rules: Option<u32>,
}

fn partition(purpose: Purpose) -> String {
    format!("{KEY}{}", purpose.as_str())
}

const KEY: &str = "KEY#";
