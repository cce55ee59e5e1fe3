//! What appending costs at AWS, by how many entries an invocation brings: the real function on strict fakes, its calls
//! counted and priced.
//!
//! Left out: Lambda's GB-seconds (some milliseconds of CPU and the waits, `latency` has them), storage, empty receives of
//! the queue's poller, logs, and `SendMessageBatch`, which is transform's: `units` has it.

use std::time::Duration;

use super::world::{World, in_virtual_time};
use crate::bill::{self, Bill, DYNAMODB, FIFO_POLLED, INVOKED, POLLER_CALLS};
use crate::entries::UNDER_WAY;

/// Entries per invocation, and how many invocations are counted.
const BATCHES: [(u64, u64); 4] = [(1, 2_560), (10, 1_280), (256, 200), (2_560, 40)];
/// Between two invocations: ten of them share a signature, or each has its own.
const PACES: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(10)];

/// A line per batch and pace.
pub(crate) fn measure() -> Result<Vec<String>, String> {
    let mut lines = vec![format!(
        "  {:>7} {:>6} {:>10} {:>9} {:>9} {:>9} {:>11} {:>10} {:>8}",
        "entries", "every", "calls", "S3 puts", "S3 gets", "DynamoDB", "write units", "signatures", "dollars"
    )];
    for pace in PACES {
        for (entries, invocations) in BATCHES {
            let bill = in_virtual_time(bill(entries, invocations, pace))?;
            lines.push(bill.line(entries, pace)?);
        }
    }
    lines.push(format!(
        "  per million entries of one log, {UNDER_WAY} calls of 16 events under way at a time; without Lambda's GB-seconds"
    ));
    Ok(lines)
}

async fn bill(entries: u64, invocations: u64, pace: Duration) -> Result<Bill, String> {
    let mut world = World::new()?;
    // A log's first append creates its rows, and a process looks into the archive once.
    world.append(entries).await?;
    world.calls.reset();
    world.used.reset();
    for _ in 0..invocations {
        tokio::time::sleep(pace).await;
        world.append(entries).await?;
    }
    let mut calls = world.calls.by_name();
    calls.insert(FIFO_POLLED, POLLER_CALLS * invocations);
    calls.insert(INVOKED, invocations);
    Ok(Bill { events: entries * invocations, calls, used: world.used.by_family() })
}

impl Bill {
    fn line(&self, entries: u64, pace: Duration) -> Result<String, String> {
        // The poller's and Lambda's own are not the function's calls.
        let all = self.calls(|call| call != INVOKED);
        let puts = self.calls(|call| call.starts_with("s3:") && !bill::is_get(call));
        Ok(format!(
            "  {entries:>7} {:>4} s {all:>10.0} {puts:>9.0} {:>9.0} {:>9.0} {:>11.0} {:>10.0} {:>8.2}",
            pace.as_secs(),
            self.calls(bill::is_get),
            self.calls(|call| call.starts_with(DYNAMODB)),
            self.per_million(self.units().write),
            self.calls(|call| call == "kms:Sign"),
            self.dollars()?
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counted_calls_are_what_an_append_makes() {
        let bill = in_virtual_time(bill(2_560, 10, PACES[0])).unwrap();
        // Per invocation one segment, one transaction, ten chunks read and counted; per second checkpoint one signature.
        let times = |call: &str| bill.calls.get(call).copied().unwrap_or_default();
        assert_eq!((times("dynamodb:TransactWriteItems"), times("kms:Sign")), (10, 1));
        assert!(times("s3:GetObject") >= 100, "{bill:?}");
        // Ten markers and the head, twice each, ten counts, and a posting for each of some 200 calls.
        assert!((10 * 230..10 * 330).contains(&bill.units().write), "{bill:?}");
    }
}
