//! A Firehose delivery stream.
//!
//! Invariant: `put` returns `Ok` only when the stream took every record. A record may be put twice, after a lost answer
//! or a partial failure.

use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_firehose::primitives::Blob;
use aws_sdk_firehose::types::Record;
use bytes::Bytes;
use ledgerline_ledger::store::{Failure, StoreError};
use ledgerline_store::stream::Stream;

use crate::config::store_error;

/// Rounds for records that the stream refused. Waits double from 100 ms: 100 ms × (2^7 − 1) = 12.7 s in all, in which a
/// stream at its lower limit of 1 MiB a second takes three whole batches.
const ROUNDS: u32 = 8;
/// Rounds where a caller waits, who will try again by itself.
const FEW_ROUNDS: u32 = 2;
const FIRST_WAIT: Duration = Duration::from_millis(100);

/// A delivery stream.
#[derive(Clone, Debug)]
pub struct DeliveryStream {
    client: aws_sdk_firehose::Client,
    name: String,
    rounds: u32,
}

impl DeliveryStream {
    /// The stream named `name`.
    pub fn new(client: aws_sdk_firehose::Client, name: impl Into<String>) -> Self {
        Self { client, name: name.into(), rounds: ROUNDS }
    }

    /// The stream named `name`, for a caller who is waited for: what is refused is tried once more.
    pub fn impatient(client: aws_sdk_firehose::Client, name: impl Into<String>) -> Self {
        Self { rounds: FEW_ROUNDS, ..Self::new(client, name) }
    }
}

#[async_trait]
impl Stream for DeliveryStream {
    /// `Throttled` if some records were refused in every round; the others were taken.
    async fn put(&self, records: Vec<Bytes>) -> Result<(), StoreError> {
        let what = format!("put {} records", records.len());
        let mut open = records;
        for round in 0..self.rounds {
            let batch = open.iter().map(to_record).collect::<Result<Vec<_>, _>>()?;
            let request = self.client.put_record_batch().delivery_stream_name(&self.name).set_records(Some(batch));
            let response = request.send().await.map_err(|error| store_error(what.as_str(), error))?;
            if response.failed_put_count == 0 {
                return Ok(());
            }
            open = refused(open, response.request_responses.iter().map(|answer| answer.error_code.is_some()));
            if round + 1 < self.rounds {
                tokio::time::sleep(FIRST_WAIT * 2u32.pow(round)).await;
            }
        }
        Err(StoreError::Throttled(Failure::new(format!("{what}: {} refused {} times", open.len(), self.rounds))))
    }
}

fn to_record(record: &Bytes) -> Result<Record, StoreError> {
    let built = Record::builder().data(Blob::new(record.clone())).build();
    built.map_err(|error| StoreError::Unknown(Failure::caused_by("build a record", error)))
}

/// The records that were refused; all that has no answer counts as refused.
fn refused(records: Vec<Bytes>, answers: impl Iterator<Item = bool>) -> Vec<Bytes> {
    let answers = answers.chain(std::iter::repeat(true));
    records.into_iter().zip(answers).filter_map(|(record, failed)| failed.then_some(record)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_refused_and_unanswered_records_are_put_again() {
        let records: Vec<Bytes> = ["a", "b", "c", "d"].into_iter().map(Bytes::from).collect();
        assert_eq!(refused(records.clone(), [false, true, false].into_iter()), ["b", "d"]);
        assert!(refused(records, [false; 4].into_iter()).is_empty());
    }
}
