//! The data keys, which transform makes: of pseudonyms, by which people are found; of claims, by which transform will know the event again;
//! of tombstones.
//!
//! Invariant: capture makes no key and cannot put one: it stands before the network. Without all three nothing is journaled.

use ledgerline_ledger::store::StoreError;
use ledgerline_privacy::{EventKey, KeyRing, SuppressionRing};
use ledgerline_store::data_key::{DataKeys, Purpose};

/// All versions of all three.
pub(crate) struct Keys {
    /// For pseudonyms.
    pub(crate) ring: KeyRing,
    /// For claim ids.
    pub(crate) event: EventKey,
    /// For tombstones' names.
    pub(crate) suppression: SuppressionRing,
}

impl Keys {
    /// Opens them; `None` before transform's first start.
    pub(crate) async fn open(store: &DataKeys) -> Result<Option<Self>, StoreError> {
        let Some(ring) = KeyRing::new(store.pseudonym_keys().await?) else { return Ok(None) };
        let Some(event) = store.all(Purpose::Event).await?.into_iter().next() else { return Ok(None) };
        let Some(suppression) = store.suppression_ring().await? else { return Ok(None) };
        Ok(Some(Self { ring, event: EventKey::new(event.bytes.lend()), suppression }))
    }
}

impl AsRef<KeyRing> for Keys {
    fn as_ref(&self) -> &KeyRing {
        &self.ring
    }
}
