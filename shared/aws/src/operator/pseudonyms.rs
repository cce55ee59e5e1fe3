//! The deployment's pseudonym key, opened with the operator's own credentials: for looking a person up, never for making a key.

use ledgerline_custody::access::ReadPseudonymKeys as _;
use ledgerline_ledger::store::{Failure, StoreError};
use ledgerline_privacy::KeyRing;

use super::{Deployment, Operator};
use crate::data_keys::DataKeys;
use crate::reads::PseudonymKeys;

impl Operator {
    /// All versions of the pseudonym key, wrapped as transform is told; `None` before transform made the first.
    ///
    /// # Errors
    /// Lambda's, the table's, KMS's; `Denied` if the stack file or transform lacks a name.
    pub async fn key_ring(&self) -> Result<Option<KeyRing>, StoreError> {
        let transform = Deployment::named(&self.deployment.functions, "TransformFunction")?;
        let variables = self.function_settings(transform).await?.variables;
        let told = |name: &str| {
            let missing = || StoreError::Denied(Failure::new(format!("transform is told no {name}")));
            variables.get(name).cloned().ok_or_else(missing)
        };
        let control = self.table("ControlTable")?;
        let (key, deployment) = (told("DATA_KEY_ID")?, told("DEPLOYMENT_ID")?);
        let keys = PseudonymKeys(DataKeys::new(self.dynamodb.clone(), self.kms.clone(), control, key, deployment));
        Ok(KeyRing::new(keys.pseudonym_keys().await?))
    }
}
