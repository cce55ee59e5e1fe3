//! The data keys of this function: those of every function that answers, and that of suppression, which is made here if nobody has made it.

use ledgerline_custody::keys;
use ledgerline_custody::page::TokenKeys;
use ledgerline_event::instant;
use ledgerline_ledger::store::StoreError;
use ledgerline_privacy::{KeyRing, SuppressionRing};
use ledgerline_store::data_key::DataKeys;

/// All versions of both.
pub(crate) struct Keys {
    /// For pseudonyms.
    pub(crate) ring: KeyRing,
    /// For digests of requests.
    pub(crate) suppression: SuppressionRing,
    /// For page tokens.
    pub(crate) tokens: TokenKeys,
}

impl Keys {
    /// Opens them; `None` before transform made the first pseudonym key.
    pub(crate) async fn open(store: &DataKeys, deployment: &str, now_ms: i64) -> Result<Option<Self>, StoreError> {
        let Some(keys::Keys { ring, tokens }) = keys::Keys::open(store, deployment).await? else { return Ok(None) };
        let suppression = store.suppression_ring_or_new(&instant::to_rfc3339(now_ms)).await?;
        Ok(Some(Self { ring, suppression, tokens }))
    }
}

impl AsRef<KeyRing> for Keys {
    fn as_ref(&self) -> &KeyRing {
        &self.ring
    }
}
