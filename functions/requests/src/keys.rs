//! The data keys, opened once and kept: those of pseudonyms and of suppression.
//!
//! Invariant: the absence of a pseudonym key is never kept, nor is a ring without one for today's rules: before the first event nobody is
//! known, and after it transform has made a key. They are opened again after [`KEYS_TTL_MS`], so that a version made meanwhile is not
//! missed. The suppression key is made here if nobody has made it.

use std::sync::{Arc, Mutex, PoisonError};

use ledgerline_custody::page::TokenKeys;
use ledgerline_event::instant;
use ledgerline_ledger::store::StoreError;
use ledgerline_privacy::{KeyRing, SuppressionRing};
use ledgerline_store::data_key::DataKeys;

/// How long opened keys are used.
pub const KEYS_TTL_MS: i64 = 5 * 60 * 1000;

/// All versions of both.
pub(crate) struct Keys {
    /// For pseudonyms.
    pub(crate) ring: KeyRing,
    /// For digests of requests.
    pub(crate) suppression: SuppressionRing,
    /// For page tokens.
    pub(crate) tokens: TokenKeys,
}

/// Keys, and since when.
#[derive(Default)]
pub(crate) struct KeyCache(Mutex<Option<(i64, Arc<Keys>)>>);

impl KeyCache {
    /// The keys, from memory or opened now; `None` before transform made the first pseudonym key.
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
        let suppression = store.suppression_ring_or_new(&instant::to_rfc3339(now_ms)).await?;
        let keys = Arc::new(Keys { ring, suppression, tokens });
        if keys.ring.is_current() {
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((now_ms, Arc::clone(&keys)));
        }
        Ok(Some(keys))
    }
}
