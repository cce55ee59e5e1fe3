//! Settings that evidence depends on beside its bucket's: the signing key, functions' variables, a table's backups.

use std::collections::BTreeMap;

use ledgerline_ledger::store::{Failure, StoreError};

use super::Operator;
use crate::config::store_error;

/// What KMS says of a key.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeySettings {
    /// Its ARN.
    pub arn: String,
    /// `Enabled`, `PendingDeletion`…
    pub state: String,
    /// `ECC_NIST_EDWARDS25519`…
    pub spec: String,
    /// `SIGN_VERIFY`…
    pub usage: String,
}

/// A function's state and variables.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FunctionSettings {
    /// `Active`…
    pub state: String,
    /// The environment.
    pub variables: BTreeMap<String, String>,
}

impl Operator {
    /// What KMS says of a key.
    ///
    /// # Errors
    /// KMS's.
    pub async fn key_settings(&self, key: &str) -> Result<KeySettings, StoreError> {
        let asked = self.kms.describe_key().key_id(key).send().await;
        let asked = asked.map_err(|error| store_error(format!("look at key {key}"), error))?;
        let missing = || StoreError::Corrupt(Failure::new(format!("KMS says nothing of key {key}")));
        let about = asked.key_metadata.ok_or_else(missing)?;
        Ok(KeySettings {
            arn: about.arn.unwrap_or_default(),
            state: about.key_state.map(|state| state.as_str().to_owned()).unwrap_or_default(),
            spec: about.key_spec.map(|spec| spec.as_str().to_owned()).unwrap_or_default(),
            usage: about.key_usage.map(|usage| usage.as_str().to_owned()).unwrap_or_default(),
        })
    }

    /// A function's state and variables.
    ///
    /// # Errors
    /// Lambda's.
    pub async fn function_settings(&self, name: &str) -> Result<FunctionSettings, StoreError> {
        let asked = self.lambda.get_function_configuration().function_name(name).send().await;
        let asked = asked.map_err(|error| store_error(format!("look at function {name}"), error))?;
        let variables = asked.environment.and_then(|environment| environment.variables).unwrap_or_default();
        Ok(FunctionSettings {
            state: asked.state.map(|state| state.as_str().to_owned()).unwrap_or_default(),
            variables: variables.into_iter().collect(),
        })
    }

    /// Whether a table can be put back to an earlier moment.
    ///
    /// # Errors
    /// The table's.
    pub async fn has_recovery(&self, table: &str) -> Result<bool, StoreError> {
        let asked = self.dynamodb.describe_continuous_backups().table_name(table).send().await;
        let asked = asked.map_err(|error| store_error(format!("look at the backups of {table}"), error))?;
        let recovery = asked.continuous_backups_description.and_then(|all| all.point_in_time_recovery_description);
        let status = recovery.and_then(|recovery| recovery.point_in_time_recovery_status);
        Ok(status == Some(aws_sdk_dynamodb::types::PointInTimeRecoveryStatus::Enabled))
    }
}
