//! The data keys of a function that answers questions, opened once and kept: by them identifiers are looked up and page tokens are sealed.
//!
//! Invariant: the absence of keys is never kept, nor is a ring without a key for today's rules. Before the first event there is no key and
//! nobody is known; a function that started then must find the key once it is made. Keys that are there are opened again after
//! [`KEYS_TTL_MS`], so that a version made meanwhile is not missed, which would make answers incomplete without their saying so.

use std::sync::{Arc, Mutex, PoisonError};

use ledgerline_ledger::store::StoreError;
use ledgerline_privacy::KeyRing;
use ledgerline_store::data_key::DataKeys;

use crate::page::TokenKeys;

/// How long opened keys are used: one KMS call per version in five minutes of steady work costs a cent in three weeks.
pub const KEYS_TTL_MS: i64 = 5 * 60 * 1000;

/// All versions of the pseudonym key.
pub struct Keys {
    /// For look-ups.
    pub ring: KeyRing,
    /// For page tokens.
    pub tokens: TokenKeys,
}

impl Keys {
    /// Opens them; `None` if there are none yet.
    ///
    /// # Errors
    /// The store's, or the wrapping key's.
    pub async fn open(store: &DataKeys, deployment: &str) -> Result<Option<Self>, StoreError> {
        let opened = store.pseudonym_keys().await?;
        let tokens = TokenKeys::of(&opened, deployment);
        Ok(KeyRing::new(opened).map(|ring| Self { ring, tokens }))
    }
}

impl AsRef<KeyRing> for Keys {
    fn as_ref(&self) -> &KeyRing {
        &self.ring
    }
}

/// Opened keys, and since when.
pub struct KeyCache<K>(Mutex<Option<(i64, Arc<K>)>>);

impl<K> Default for KeyCache<K> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: AsRef<KeyRing>> KeyCache<K> {
    /// The keys, from memory or as `opened` gives them, which is not begun where they are in memory.
    ///
    /// # Errors
    /// Those of `opened`.
    pub async fn get(
        &self,
        now_ms: i64,
        opened: impl Future<Output = Result<Option<K>, StoreError>>,
    ) -> Result<Option<Arc<K>>, StoreError> {
        if let Some((since_ms, keys)) = &*self.0.lock().unwrap_or_else(PoisonError::into_inner)
            && now_ms.saturating_sub(*since_ms) < KEYS_TTL_MS
        {
            return Ok(Some(Arc::clone(keys)));
        }
        let Some(keys) = opened.await?.map(Arc::new) else { return Ok(None) };
        // A ring from before transform made a key for today's rules would not find whom it names with that.
        if (*keys).as_ref().is_current() {
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((now_ms, Arc::clone(&keys)));
        }
        Ok(Some(keys))
    }
}
