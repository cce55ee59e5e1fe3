//! Makes the months' keys before transform seals to them.
//!
//! Invariant: a month's key is put once. KMS makes the pair and wraps its private half, which this function may not open.

use ledgerline_lambda::clock::Clock;
use ledgerline_ledger::store::StoreError;
use ledgerline_sealed::MonthKey;
use ledgerline_store::month_key;
use ledgerline_store::table::corrupt;
use ledgerline_store::wrapping::{Context, NewPair};

use crate::Run;
use crate::error::SweepError;

impl<C: Clock> Run<'_, C> {
    /// Makes a month's key if it has none.
    pub(crate) async fn make_month_key(&self, month: &str) -> Result<(), SweepError> {
        let keys = &self.stores.month_keys;
        if keys.of(month).await?.is_some() {
            return Ok(());
        }
        let context = Context {
            deployment: self.settings.publication.deployment.clone(),
            purpose: month_key::PURPOSE.to_owned(),
            version: month.to_owned(),
        };
        let what = format!("make the key of {month}");
        let NewPair { public_der, wrapped } = self.stores.wrapping.generate_pair(&what, &context).await?;
        let public = MonthKey::from_der(&public_der).ok_or_else(|| corrupt(what))?;
        match keys.create(month, &public, &wrapped, &self.now()).await {
            Ok(()) => tracing::info!(month, "made the month's key"),
            // Another run was first: its key is the key.
            Err(StoreError::Conflict(_)) => {}
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }
}
