//! What an operator's command reads and does in a deployment: its description, queues, rows, settings, legal holds,
//! subjects.
//!
//! Invariant: names come from the deployment's own description, never from a pattern, and what is written here is a hold,
//! its row, or the mark of a shared subject, and nothing else.

use ledgerline_ledger::store::StoreError;

use crate::config;
use crate::evidence::Tables;

mod deployment;
mod holds;
mod keys;
mod objects;
mod pseudonyms;
mod queues;
mod rows;
mod subjects;

pub use deployment::Deployment;
pub use holds::HoldRow;
pub use keys::{FunctionSettings, KeySettings};
pub use objects::BucketSettings;
pub use queues::{Depth, QueueSettings};
pub use rows::Totals;

/// The client of buckets, for whoever has a bucket and no deployment.
pub type S3 = aws_sdk_s3::Client;

/// A deployment and the clients to talk to it.
#[derive(Clone, Debug)]
pub struct Operator {
    /// Its description.
    pub deployment: Deployment,
    /// Buckets.
    pub s3: aws_sdk_s3::Client,
    /// Tables.
    pub dynamodb: aws_sdk_dynamodb::Client,
    /// Queues.
    pub sqs: aws_sdk_sqs::Client,
    /// Keys.
    pub kms: aws_sdk_kms::Client,
    lambda: aws_sdk_lambda::Client,
}

impl Operator {
    /// Makes the clients.
    pub fn new(deployment: Deployment) -> Self {
        let config = deployment.sdk_config();
        Self {
            s3: config::s3(&config),
            dynamodb: aws_sdk_dynamodb::Client::new(&config),
            sqs: aws_sdk_sqs::Client::new(&config),
            kms: aws_sdk_kms::Client::new(&config),
            lambda: aws_sdk_lambda::Client::new(&config),
            deployment,
        }
    }

    /// The name of a bucket.
    ///
    /// # Errors
    /// The description names none.
    pub fn bucket(&self, logical: &str) -> Result<&str, StoreError> {
        Deployment::named(&self.deployment.buckets, logical)
    }

    /// The name of a table.
    ///
    /// # Errors
    /// The description names none.
    pub fn table(&self, logical: &str) -> Result<&str, StoreError> {
        Deployment::named(&self.deployment.tables, logical)
    }

    /// The URL of a queue.
    ///
    /// # Errors
    /// The description names none.
    pub fn queue(&self, logical: &str) -> Result<&str, StoreError> {
        Deployment::named(&self.deployment.queues, logical)
    }

    /// The tables that are evidence.
    ///
    /// # Errors
    /// The description does not name them.
    pub fn tables(&self) -> Result<Tables, StoreError> {
        Ok(Tables {
            client: self.dynamodb.clone(),
            control: self.table("ControlTable")?.to_owned(),
            index: self.table("IndexTable")?.to_owned(),
        })
    }
}
