//! A delivery stream, strict: batches are within the service's limits.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use ledgerline_ledger::store::{Failure, StoreError};
use ledgerline_store::stream::{BATCH_BYTES_MAX, BATCH_RECORDS_MAX, RECORD_BYTES_MAX, Stream};

use crate::calls::Calls;
use crate::faults::Faults;

/// How a stream says no.
pub type Refusal = fn(Failure) -> StoreError;

/// The stream; clones share it.
#[derive(Clone, Debug)]
pub struct FakeStream {
    name: &'static str,
    taken: Arc<Mutex<Vec<Vec<Bytes>>>>,
    /// For how many records there is room before it throttles; any number, until a test says otherwise.
    room: Arc<Mutex<Option<usize>>>,
    /// What it refuses everything with.
    refusal: Arc<Mutex<Option<Refusal>>>,
    faults: Faults,
    calls: Calls,
}

impl FakeStream {
    /// A stream that took nothing yet. `name` is the template's, for calls held against its roles.
    pub fn new(name: &'static str, faults: Faults, calls: Calls) -> Self {
        Self { name, taken: Arc::default(), room: Arc::default(), refusal: Arc::default(), faults, calls }
    }

    /// Takes so many records more and then throttles: of a batch that does not fit the first ones are taken, as by the service. `None`:
    /// takes any number again.
    pub fn set_room(&self, records: Option<usize>) {
        *self.room.lock().unwrap_or_else(PoisonError::into_inner) = records;
    }

    /// Refuses everything, with this error; `None`: nothing any more.
    pub fn set_refusal(&self, refusal: Option<Refusal>) {
        *self.refusal.lock().unwrap_or_else(PoisonError::into_inner) = refusal;
    }

    /// As the product takes it.
    pub fn port(&self) -> Arc<dyn Stream> {
        Arc::new(self.clone())
    }

    /// The batches that it took, in order.
    pub fn batches(&self) -> Vec<Vec<Bytes>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The records that it took, in order.
    pub fn records(&self) -> Vec<Bytes> {
        self.batches().concat()
    }
}

#[async_trait]
impl Stream for FakeStream {
    async fn put(&self, records: Vec<Bytes>) -> Result<(), StoreError> {
        const CALL: &str = "firehose:PutRecordBatch";
        let bytes: usize = records.iter().map(Bytes::len).sum();
        let fits = (1..=BATCH_RECORDS_MAX).contains(&records.len()) && bytes <= BATCH_BYTES_MAX;
        assert!(fits, "{} records, {bytes} bytes", records.len());
        assert!(records.iter().all(|record| record.len() <= RECORD_BYTES_MAX), "a record is too long");
        self.faults.latency().await;
        self.calls.add(CALL, 1);
        self.calls.touch(CALL, self.name, String::new(), "");
        self.faults.write(CALL, || {
            if let Some(refusal) = *self.refusal.lock().unwrap_or_else(PoisonError::into_inner) {
                return Err(refusal(Failure::new(CALL)));
            }
            let mut room = self.room.lock().unwrap_or_else(PoisonError::into_inner);
            let (all, fits) = (records.len(), room.unwrap_or(usize::MAX).min(records.len()));
            if let Some(left) = room.as_mut() {
                *left -= fits;
            }
            let taken: Vec<Bytes> = records.into_iter().take(fits).collect();
            if !taken.is_empty() {
                self.taken.lock().unwrap_or_else(PoisonError::into_inner).push(taken);
            }
            if fits < all { Err(StoreError::Throttled(Failure::new(CALL))) } else { Ok(()) }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::faults::Fault;

    #[tokio::test]
    async fn a_batch_is_lost_or_taken_whole() {
        let faults = Faults::at(0, Fault::Lost);
        faults.plan(1, Fault::PersistedButErrored);
        let fake = FakeStream::new("DeliveryStream", faults, Calls::default());
        let port = fake.port();
        for taken in [0, 2] {
            let put = port.put(vec![Bytes::from("a"), Bytes::from("b")]).await;
            assert_eq!((put.unwrap_err().kind(), fake.records().len()), ("unknown", taken));
        }
    }

    #[tokio::test]
    async fn what_there_is_room_for_is_taken_and_the_rest_throttled() {
        let fake = FakeStream::new("DeliveryStream", Faults::none(), Calls::default());
        let (port, batch) = (fake.port(), ["a", "b", "c"].map(Bytes::from).to_vec());
        fake.set_room(Some(2));
        for taken in [2, 2] {
            assert_eq!(port.put(batch.clone()).await.unwrap_err().kind(), "throttled");
            assert_eq!(fake.records().len(), taken);
        }
        fake.set_room(None);
        port.put(batch.clone()).await.unwrap();
        fake.set_refusal(Some(StoreError::Denied));
        assert_eq!((port.put(batch).await.unwrap_err().kind(), fake.records().len()), ("denied", 5));
    }

    #[tokio::test]
    #[should_panic(expected = "501 records")]
    async fn a_batch_beyond_the_limit_is_a_defect() {
        let port = FakeStream::new("DeliveryStream", Faults::none(), Calls::default()).port();
        drop(port.put(vec![Bytes::from("a"); 501]).await);
    }
}
