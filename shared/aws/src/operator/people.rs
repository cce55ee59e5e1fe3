//! Who is who, looked up with the operator's own credentials: never to make a subject or a key.

use std::sync::Arc;

use ledgerline_custody::query::Who;
use ledgerline_ledger::store::{Failure, StoreError};
use ledgerline_privacy::KeyRing;
use ledgerline_store::data_key::DataKeys;
use ledgerline_store::subject::Subjects;

use super::{Deployment, Operator};
use crate::wrapping::KmsWrapping;

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
        let wrapping = Arc::new(KmsWrapping::new(self.kms.clone(), told("DATA_KEY_ID")?));
        let keys = DataKeys::new(self.rows_of("ControlTable")?, wrapping, told("DEPLOYMENT_ID")?);
        Ok(KeyRing::new(keys.pseudonym_keys().await?))
    }

    /// The ids of the subjects that `who` names, sorted, each once. Identifiers are looked up under all versions of the
    /// pseudonym key.
    ///
    /// # Errors
    /// The tables' or KMS's.
    pub async fn subjects_named(&self, who: &Who) -> Result<Vec<String>, StoreError> {
        let ring = match who {
            Who::Subject(_) | Who::Pseudonym(_) => None,
            Who::Identifiers(_) => self.key_ring().await?,
        };
        let names = who.names(ring.as_ref());
        let pseudonyms: Vec<&str> = names.pseudonyms.iter().map(|one| one.as_str()).collect();
        let mut subjects = names.subjects;
        let found = self.subjects()?.identifiers(&pseudonyms).await?;
        subjects.extend(found.into_iter().flatten().map(|subject| subject.subject_id));
        subjects.sort();
        subjects.dedup();
        Ok(subjects)
    }

    /// Identifiers, subjects, links.
    ///
    /// # Errors
    /// `Denied` if the stack file does not name the table.
    pub fn subjects(&self) -> Result<Subjects, StoreError> {
        Ok(Subjects::new(self.rows_of("KeysTable")?))
    }
}
