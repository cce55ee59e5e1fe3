//! The data keys that lines are read by and tombstones named by, opened once and kept for a while.
//!
//! Invariant: they are opened again after [`KEYS_TTL_MS`], so that a version made meanwhile is not missed. None is made here: before the
//! first event and the first request there is nobody to erase.

use std::sync::{Arc, Mutex, PoisonError};

use ledgerline_custody::own::{OwnItem, OwnList};
use ledgerline_ledger::store::{Failure, StoreError};
use ledgerline_privacy::{KeyRing, SuppressionRing};
use ledgerline_store::data_key::DataKeys;

/// How long opened keys are used.
pub const KEYS_TTL_MS: i64 = 5 * 60 * 1000;

/// All versions of both, and what follows from them.
pub(crate) struct Keys {
    /// For pseudonyms.
    pub(crate) ring: KeyRing,
    /// For tombstones' names.
    pub(crate) suppression: SuppressionRing,
    /// The company's own numbers, addresses and domains, in every org.
    pub(crate) own_numbers: OwnList,
}

/// Keys, and since when.
#[derive(Default)]
pub(crate) struct KeyCache(Mutex<Option<(i64, Arc<Keys>)>>);

impl KeyCache {
    /// The keys, from memory or opened now.
    ///
    /// # Errors
    /// The table's or the key's; `NotFound` before there are any.
    pub(crate) async fn get(
        &self,
        store: &DataKeys,
        own_numbers: &[OwnItem],
        now_ms: i64,
    ) -> Result<Arc<Keys>, StoreError> {
        if let Some((since_ms, keys)) = &*self.0.lock().unwrap_or_else(PoisonError::into_inner)
            && now_ms.saturating_sub(*since_ms) < KEYS_TTL_MS
        {
            return Ok(Arc::clone(keys));
        }
        let missing = |what: &str| StoreError::NotFound(Failure::new(format!("there is no {what} key yet")));
        let ring = KeyRing::new(store.pseudonym_keys().await?).ok_or_else(|| missing("pseudonym"))?;
        let suppression = store.suppression_ring().await?.ok_or_else(|| missing("suppression"))?;
        let own_numbers = OwnList::of(own_numbers, Some(&ring));
        let keys = Arc::new(Keys { ring, suppression, own_numbers });
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((now_ms, Arc::clone(&keys)));
        Ok(keys)
    }
}
