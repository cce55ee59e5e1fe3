//! The port of the delivery stream.

use std::fmt;

use async_trait::async_trait;
use bytes::Bytes;
use ledgerline_ledger::store::StoreError;

/// The service's limits of one batch: 500 records and 4 MiB.
pub const BATCH_RECORDS_MAX: usize = 500;
/// See [`BATCH_RECORDS_MAX`].
pub const BATCH_BYTES_MAX: usize = 4 * 1024 * 1024;
/// The service's limit of one record, before base64.
pub const RECORD_BYTES_MAX: usize = 1_000 * 1024;

/// A delivery stream.
#[async_trait]
pub trait Stream: fmt::Debug + Send + Sync {
    /// Puts a batch within the service's limits: `Ok` only when the stream took every record. An error means that some may
    /// not have been taken. A record may be put twice: events are claimed by content, so that the second is a counted
    /// duplicate.
    async fn put(&self, records: Vec<Bytes>) -> Result<(), StoreError>;
}
