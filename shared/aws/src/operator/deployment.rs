//! A deployment's description, `stack.json`: logical names of the template to physical names.
//!
//! Invariant: a name that the description does not give is an error, never guessed.

use std::collections::BTreeMap;

use aws_config::{Region, SdkConfig};
use aws_sdk_s3::config::{Credentials, SharedCredentialsProvider};
use ledgerline_ledger::store::{Failure, StoreError};
use serde::Deserialize;

use crate::config;

/// Logical names of the template to physical names of a deployment; queues by URL.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Deployment {
    /// Where the AWS APIs are, if not at the region's own endpoints.
    #[serde(default)]
    pub endpoint: Option<String>,
    /// The region.
    pub region: String,
    /// The deployment's id, the first part of every log's origin. Read from the control table's name if it is not there.
    #[serde(default)]
    pub deployment_id: Option<String>,
    /// Buckets.
    pub buckets: BTreeMap<String, String>,
    /// Tables.
    pub tables: BTreeMap<String, String>,
    /// Queues, by URL.
    #[serde(default)]
    pub queues: BTreeMap<String, String>,
    /// Delivery streams.
    #[serde(default)]
    pub streams: BTreeMap<String, String>,
    /// Functions.
    #[serde(default)]
    pub functions: BTreeMap<String, String>,
    /// KMS keys.
    #[serde(default)]
    pub keys: BTreeMap<String, String>,
}

impl Deployment {
    /// Reads a stack.json.
    ///
    /// # Errors
    /// It is not in that form.
    pub fn read(json: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(json)
    }

    /// The physical name of a bucket, table, queue, stream, function or key.
    ///
    /// # Errors
    /// The description names none.
    pub fn named<'a>(names: &'a BTreeMap<String, String>, logical: &str) -> Result<&'a str, StoreError> {
        let missing = || StoreError::Denied(Failure::new(format!("the stack file names no {logical}")));
        names.get(logical).map(String::as_str).ok_or_else(missing)
    }

    /// The first part of every log's origin.
    ///
    /// # Errors
    /// It is neither given nor to be read from the control table's name.
    pub fn id(&self) -> Result<&str, StoreError> {
        if let Some(id) = &self.deployment_id {
            return Ok(id);
        }
        let table = Self::named(&self.tables, "ControlTable")?;
        let id = table.strip_prefix("ledgerline-").and_then(|rest| rest.strip_suffix("-control"));
        id.ok_or_else(|| StoreError::Denied(Failure::new("the stack file names no deploymentId")))
    }

    /// The SDK's configuration. Credentials are those of the environment; an emulator on this machine takes any.
    pub fn sdk_config(&self) -> SdkConfig {
        let config = config::load();
        let Some(endpoint) = &self.endpoint else {
            return config.into_builder().region(Region::new(self.region.clone())).build();
        };
        let builder = config.into_builder().region(Region::new(self.region.clone())).endpoint_url(endpoint);
        if is_loopback(endpoint) {
            let any = Credentials::new("test", "test", None, None, "an emulator on this machine");
            return builder.credentials_provider(SharedCredentialsProvider::new(any)).build();
        }
        builder.build()
    }
}

fn is_loopback(endpoint: &str) -> bool {
    let host = endpoint.split_once("://").map_or(endpoint, |(_, rest)| rest);
    ["127.0.0.1", "localhost", "[::1]"]
        .iter()
        .any(|name| host.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with([':', '/'])))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_takes_any_credentials() {
        assert!(is_loopback("http://127.0.0.1:4566") && is_loopback("http://localhost"));
        assert!(!is_loopback("https://localhost.example.com") && !is_loopback("https://s3.eu-west-1.amazonaws.com"));
    }

    #[test]
    fn a_stack_file_without_an_id_is_named_by_its_control_table() {
        let json = r#"{"region":"r","buckets":{},"tables":{"ControlTable":"ledgerline-local-control"},"later":1}"#;
        let mut deployment = Deployment::read(json).unwrap();
        assert_eq!(deployment.id().unwrap(), "local");
        deployment.deployment_id = Some("other".to_owned());
        assert_eq!(deployment.id().unwrap(), "other");
    }
}
