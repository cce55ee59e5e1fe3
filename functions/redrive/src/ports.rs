//! What redrive may do: read error objects, put records back, keep what it cannot put back.

use std::future::Future;

use bytes::Bytes;
use ledgerline_aws::objects::Body;
use ledgerline_aws::stream::{DeliveryStream, ErrorObjects};
use ledgerline_lake::ports::ReadBody;
use ledgerline_ledger::store::StoreError;

/// Reads what Firehose left (BronzeBucket: GetObject on `errors/`).
pub trait ReadErrors {
    /// The object's bytes in their order.
    type Body: ReadBody;

    /// Opens the object; `NotFound` if it is gone.
    fn open(&self, bucket: &str, key: &str) -> impl Future<Output = Result<Self::Body, StoreError>> + Send;
}

/// Puts records back into the stream (DeliveryStream: PutRecordBatch).
pub trait PutRecords {
    /// Puts a batch within Firehose's limits. An error means that some may not have been taken: putting all of them
    /// again is harmless.
    fn put(&self, records: Vec<Bytes>) -> impl Future<Output = Result<(), StoreError>> + Send;
}

/// Keeps what is no record (BronzeBucket: PutObject on `quarantine/redrive/`).
pub trait KeepUnreadable {
    /// Puts the lines; the same lines may be put again.
    fn keep(&self, bucket: &str, key: &str, lines: Bytes) -> impl Future<Output = Result<(), StoreError>> + Send;
}

impl ReadErrors for ErrorObjects {
    type Body = Body;

    async fn open(&self, bucket: &str, key: &str) -> Result<Body, StoreError> {
        ErrorObjects::open(self, bucket, key).await
    }
}

impl KeepUnreadable for ErrorObjects {
    async fn keep(&self, bucket: &str, key: &str, lines: Bytes) -> Result<(), StoreError> {
        ErrorObjects::keep(self, bucket, key, lines).await
    }
}

impl PutRecords for DeliveryStream {
    async fn put(&self, records: Vec<Bytes>) -> Result<(), StoreError> {
        DeliveryStream::put(self, records).await
    }
}

/// The ports together, as `main` wires them.
#[derive(Debug)]
pub struct Ports<E, S> {
    /// Reads errors and keeps what is unreadable.
    pub errors: E,
    /// Takes records back.
    pub stream: S,
}
