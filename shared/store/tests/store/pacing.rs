//! A stream that is fed no faster than it is told to be.

use std::time::Duration;

use bytes::Bytes;
use ledgerline_store::stream::{Paced, Stream as _};
use ledgerline_testkit::calls::Calls;
use ledgerline_testkit::faults::Faults;
use ledgerline_testkit::stream::FakeStream;

#[tokio::test(start_paused = true)]
async fn a_paced_stream_takes_no_more_in_a_second_than_it_may() {
    let fake = FakeStream::new("EventStream", Faults::none(), Calls::default());
    let began = tokio::time::Instant::now();
    let by_records = Paced::new(fake.port(), 100, 1_000_000);
    for _ in 0..3 {
        by_records.put(vec![Bytes::from_static(b"x"); 200]).await.unwrap();
    }
    assert_eq!(began.elapsed(), Duration::from_secs(6));
    let by_bytes = Paced::new(fake.port(), 1_000, 1_000);
    by_bytes.put(vec![Bytes::from(vec![b'x'; 2_500])]).await.unwrap();
    assert_eq!((began.elapsed(), fake.records().len()), (Duration::from_millis(8_500), 601));
}
