//! Who is who, looked up with the operator's own credentials: never to make a subject or a key.

use std::sync::Arc;

use ledgerline_custody::query::Who;
use ledgerline_ledger::store::{Failure, StoreError};
use ledgerline_privacy::KeyRing;
use ledgerline_store::data_key::DataKeys;
use ledgerline_store::gone::Gone;
use ledgerline_store::orgs::Orgs;
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

    /// The ids of the subjects that `who` names and that are not gone, sorted, each once. Identifiers are looked up in the org, under all versions of
    /// the pseudonym key; a subject id needs no org.
    ///
    /// # Errors
    /// The tables' or KMS's.
    pub async fn subjects_named(&self, who: &Who, org: Option<&str>) -> Result<Vec<String>, StoreError> {
        let ring = match who {
            Who::Subject(_) | Who::Pseudonym(_) => None,
            Who::Identifiers(_) => self.key_ring().await?,
        };
        let names = who.names(ring.as_ref());
        let in_org = |org| names.pseudonyms.iter().map(move |one| (org, one.as_str()));
        let asked: Vec<(&str, &str)> = org.into_iter().flat_map(in_org).collect();
        let found = self.subjects()?.identifiers(&asked).await?;
        let mut subjects = names.subjects;
        subjects.extend(found.into_iter().flatten().map(|subject| subject.subject_id));
        subjects.sort();
        subjects.dedup();
        // Who is gone was never seen, whatever rows are left.
        let gone = Gone::new(self.rows_of("ControlTable")?);
        let gone = gone.among(subjects.iter().map(String::as_str)).await?;
        Ok(subjects.iter().filter(|subject| !gone.contains(subject.as_str())).cloned().collect())
    }

    /// Which orgs have customers.
    ///
    /// # Errors
    /// `Denied` if the stack file does not name the table.
    pub fn orgs(&self) -> Result<Orgs, StoreError> {
        Ok(Orgs::new(self.rows_of("ControlTable")?))
    }

    /// Identifiers, subjects, links.
    ///
    /// # Errors
    /// `Denied` if the stack file does not name the table.
    pub fn subjects(&self) -> Result<Subjects, StoreError> {
        Ok(Subjects::new(self.rows_of("KeysTable")?))
    }
}
