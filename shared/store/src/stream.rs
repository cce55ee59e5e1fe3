//! The port of the delivery stream.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

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

/// A stream that takes no more than so much in a second from this caller, so that live events keep the rest of its quota.
#[derive(Debug, Clone)]
pub struct Paced {
    stream: Arc<dyn Stream>,
    records_per_s: u32,
    bytes_per_s: u32,
}

impl Paced {
    /// At most so many records and bytes in a second; neither is 0.
    pub fn new(stream: Arc<dyn Stream>, records_per_s: u32, bytes_per_s: u32) -> Self {
        Self { stream, records_per_s: records_per_s.max(1), bytes_per_s: bytes_per_s.max(1) }
    }

    /// How long a batch keeps the next one waiting.
    fn rest(&self, records: &[Bytes]) -> Duration {
        let bytes: usize = records.iter().map(Bytes::len).sum();
        let ms = |amount: usize, per_s: u32| (amount as u64 * 1_000).div_ceil(per_s.into());
        Duration::from_millis(ms(records.len(), self.records_per_s).max(ms(bytes, self.bytes_per_s)))
    }
}

#[async_trait]
impl Stream for Paced {
    /// Rests before it returns, so that whatever follows is no sooner.
    async fn put(&self, records: Vec<Bytes>) -> Result<(), StoreError> {
        let rest = self.rest(&records);
        self.stream.put(records).await?;
        tokio::time::sleep(rest).await;
        Ok(())
    }
}
