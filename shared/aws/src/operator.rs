//! What an operator's command reads and does in a deployment: its description, queues, rows, settings, legal holds,
//! subjects, what goes back into the stream.
//!
//! Invariant: names come from the deployment's own description, never from a pattern, and what is written here is a hold,
//! its row, or the mark of a shared subject, and nothing else. What a replay writes, `ledgerline_custody::replay` decides.

use std::sync::Arc;

use ledgerline_ledger::store::StoreError;
use ledgerline_store::bucket::Bucket;
use ledgerline_store::ledger::LedgerStores;
use ledgerline_store::queue::{Inbox, Queue};
use ledgerline_store::stream::Stream;
use ledgerline_store::table::Table;

use crate::bucket::S3Bucket;
use crate::config;
use crate::firehose::DeliveryStream;
use crate::sqs::SqsQueue;
use crate::table::DynamoTable;

mod deployment;
mod keys;
mod objects;
mod people;
mod queues;

pub use deployment::Deployment;
pub use keys::{FunctionSettings, KeySettings};
pub use objects::BucketSettings;
pub use queues::{Depth, QueueSettings};

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
    firehose: aws_sdk_firehose::Client,
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
            firehose: aws_sdk_firehose::Client::new(&config),
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

    /// A table's rows.
    ///
    /// # Errors
    /// The description names none.
    pub fn rows_of(&self, logical: &str) -> Result<Arc<dyn Table>, StoreError> {
        Ok(Arc::new(DynamoTable::new(self.dynamodb.clone(), self.table(logical)?)))
    }

    /// A bucket's objects.
    ///
    /// # Errors
    /// The description names none.
    pub fn objects_of(&self, logical: &str) -> Result<Arc<dyn Bucket>, StoreError> {
        Ok(Arc::new(S3Bucket::new(self.s3.clone(), self.bucket(logical)?)))
    }

    /// A queue's messages.
    ///
    /// # Errors
    /// The description names none.
    pub fn messages_of(&self, logical: &str) -> Result<Arc<dyn Queue>, StoreError> {
        Ok(Arc::new(SqsQueue::new(self.sqs.clone(), self.queue(logical)?)))
    }

    /// A queue's messages, to take out of it.
    ///
    /// # Errors
    /// The description names none.
    pub fn inbox_of(&self, logical: &str) -> Result<Arc<dyn Inbox>, StoreError> {
        Ok(Arc::new(SqsQueue::new(self.sqs.clone(), self.queue(logical)?)))
    }

    /// A delivery stream.
    ///
    /// # Errors
    /// The description names none.
    pub fn stream_of(&self, logical: &str) -> Result<Arc<dyn Stream>, StoreError> {
        let name = Deployment::named(&self.deployment.streams, logical)?;
        Ok(Arc::new(DeliveryStream::new(self.firehose.clone(), name)))
    }

    /// The ledger.
    ///
    /// # Errors
    /// The description does not name its tables and its bucket.
    pub fn ledger(&self) -> Result<LedgerStores, StoreError> {
        let (control, index) = (self.rows_of("ControlTable")?, self.rows_of("IndexTable")?);
        Ok(LedgerStores::new(&control, &index, &self.objects_of("LedgerBucket")?))
    }
}
