//! The pseudonym keys, opened once and kept: by them identifiers are looked up and page tokens are sealed.
//!
//! Invariant: the absence of keys is never kept, nor is a ring without a key for today's rules. Before the first event there is no key and nobody is known; a function
//! that started then must find the key once it is made. Keys that are there are opened again after [`KEYS_TTL_MS`], so
//! that a version made meanwhile is not missed, which would make answers incomplete without their saying so.

use std::sync::{Arc, Mutex, PoisonError};

use ledgerline_custody::page::TokenKeys;
use ledgerline_ledger::store::StoreError;
use ledgerline_privacy::KeyRing;
use ledgerline_store::data_key::DataKeys;

/// How long opened keys are used: one KMS call per version in five minutes of steady work costs a cent in three weeks.
pub const KEYS_TTL_MS: i64 = 5 * 60 * 1000;

/// All versions of the pseudonym key.
pub(crate) struct Keys {
    /// For look-ups.
    pub(crate) ring: KeyRing,
    /// For page tokens.
    pub(crate) tokens: TokenKeys,
}

/// Keys, and since when.
#[derive(Default)]
pub(crate) struct KeyCache(Mutex<Option<(i64, Arc<Keys>)>>);

impl KeyCache {
    /// The keys, from memory or opened now; `None` if there are none yet.
    pub(crate) async fn get(
        &self,
        store: &DataKeys,
        deployment: &str,
        now_ms: i64,
    ) -> Result<Option<Arc<Keys>>, StoreError> {
        if let Some((since_ms, keys)) = &*self.0.lock().unwrap_or_else(PoisonError::into_inner)
            && now_ms.saturating_sub(*since_ms) < KEYS_TTL_MS
        {
            return Ok(Some(Arc::clone(keys)));
        }
        let opened = store.pseudonym_keys().await?;
        let tokens = TokenKeys::of(&opened, deployment);
        let Some(ring) = KeyRing::new(opened) else { return Ok(None) };
        let keys = Arc::new(Keys { ring, tokens });
        // A ring from before transform made a key for today's rules would not find whom it names with that.
        if keys.ring.is_current() {
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((now_ms, Arc::clone(&keys)));
        }
        Ok(Some(keys))
    }
}
