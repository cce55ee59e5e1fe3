//! The data keys that lines are read by and tombstones named by, opened once and kept by [`ledgerline_custody::keys::KeyCache`].
//!
//! Invariant: none is made here. Before the first event and the first request there is nobody to erase.

use ledgerline_custody::own::{OwnItem, OwnList};
use ledgerline_ledger::store::{Failure, StoreError};
use ledgerline_privacy::{KeyRing, SuppressionRing};
use ledgerline_store::data_key::DataKeys;

/// All versions of both, and what follows from them.
pub(crate) struct Keys {
    /// For pseudonyms.
    pub(crate) ring: KeyRing,
    /// For tombstones' names.
    pub(crate) suppression: SuppressionRing,
    /// The company's own numbers, addresses and domains, in every org.
    pub(crate) own_numbers: OwnList,
}

impl Keys {
    /// Opens them; own numbers are of the settings.
    ///
    /// # Errors
    /// The table's or the key's; `NotFound` before there are any suppression keys.
    pub(crate) async fn open(store: &DataKeys, own_numbers: &[OwnItem]) -> Result<Option<Self>, StoreError> {
        let Some(ring) = KeyRing::new(store.pseudonym_keys().await?) else { return Ok(None) };
        let suppression = store.suppression_ring().await?.ok_or_else(|| missing("suppression"))?;
        let own_numbers = OwnList::of(own_numbers, Some(&ring));
        Ok(Some(Self { ring, suppression, own_numbers }))
    }
}

impl AsRef<KeyRing> for Keys {
    fn as_ref(&self) -> &KeyRing {
        &self.ring
    }
}

/// The failure of what needs a key that nobody has made.
pub(crate) fn missing(what: &str) -> StoreError {
    StoreError::NotFound(Failure::new(format!("there is no {what} key yet")))
}
