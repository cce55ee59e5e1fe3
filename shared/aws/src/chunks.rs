//! Chunks of plans, read by range from the staged bucket.

use aws_sdk_s3::Client;
use bytes::Bytes;
use ledgerline_lake::plan::Pointer;
use ledgerline_lake::ports::ReadChunk;
use ledgerline_ledger::store::{Failure, StoreError};

use crate::config::store_error;

/// The bucket of plans, for reading chunks of them.
#[derive(Clone, Debug)]
pub struct StagedChunks {
    client: Client,
    bucket: String,
}

impl StagedChunks {
    /// The bucket named `bucket`.
    pub fn new(client: Client, bucket: impl Into<String>) -> Self {
        Self { client, bucket: bucket.into() }
    }
}

impl ReadChunk for StagedChunks {
    async fn read_chunk(&self, pointer: &Pointer) -> Result<Bytes, StoreError> {
        let what = format!("read chunk {} of {}", pointer.ordinal, pointer.plan);
        let Some(last) = (pointer.offset + pointer.length).checked_sub(1) else {
            return Err(StoreError::Corrupt(Failure::new(what)));
        };
        let range = format!("bytes={}-{last}", pointer.offset);
        let sent = self.client.get_object().bucket(&self.bucket).key(&pointer.plan).range(range).send().await;
        let answer = match sent {
            Ok(answer) => answer,
            // The plan ends before the chunk begins.
            Err(error) if error.raw_response().is_some_and(|response| response.status().as_u16() == 416) => {
                return Err(StoreError::Corrupt(Failure::caused_by(what, error)));
            }
            Err(error) => return Err(store_error(what, error)),
        };
        let body = answer.body.collect().await;
        body.map(|body| body.into_bytes()).map_err(|error| StoreError::Unknown(Failure::caused_by(what, error)))
    }
}
