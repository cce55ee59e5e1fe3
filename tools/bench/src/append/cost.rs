//! What appending costs at AWS, by how many entries an invocation brings: the real function on strict fakes, its calls
//! counted and priced.
//!
//! Left out: Lambda's GB-seconds (some milliseconds of CPU and the waits, `latency` has them), storage, empty receives of
//! the queue's poller, logs, and `SendMessageBatch`, which is transform's.

use std::collections::BTreeMap;
use std::time::Duration;

use super::world::{World, in_virtual_time};
use crate::entries::UNDER_WAY;

/// Entries per invocation, and how many invocations are counted.
const BATCHES: [(u64, u64); 4] = [(1, 2_560), (10, 1_280), (256, 200), (2_560, 40)];
/// Between two invocations: ten of them share a signature, or each has its own.
const PACES: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(10)];

/// List prices of us-east-1 in dollars per million, as its vendor's pages had them in 2026.
mod prices {
    /// aws.amazon.com/s3/pricing: S3 Standard, PUT, COPY, POST and LIST, $0.005 per 1,000. Tagging is counted as a PUT.
    pub(super) const S3_PUT: f64 = 5.0;
    /// The same page: GET, HEAD and all other requests, $0.0004 per 1,000.
    pub(super) const S3_GET: f64 = 0.4;
    /// aws.amazon.com/dynamodb/pricing/on-demand: write request units, Standard table class. Transactions use two.
    pub(super) const WRITE_UNIT: f64 = 0.625;
    /// The same page: read request units.
    pub(super) const READ_UNIT: f64 = 0.125;
    /// aws.amazon.com/kms/pricing: asymmetric requests but RSA 2048, $0.15 per 10,000.
    pub(super) const KMS_SIGN: f64 = 15.0;
    /// aws.amazon.com/sqs/pricing: FIFO requests, $0.50 (standard ones $0.40).
    pub(super) const SQS_FIFO: f64 = 0.5;
    /// aws.amazon.com/lambda/pricing: requests, $0.20.
    pub(super) const LAMBDA: f64 = 0.2;
}

/// Requests of the queue's poller per invocation: one receive, one delete.
const POLLER_CALLS: u64 = 2;

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

/// What some invocations used.
#[derive(Debug, Default)]
struct Bill {
    entries: u64,
    calls: BTreeMap<&'static str, u64>,
    write_units: u64,
    read_units: u64,
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
    calls.insert(POLLED, POLLER_CALLS * invocations);
    calls.insert(INVOKED, invocations);
    let (write_units, read_units) = (world.used.write_units(), world.used.read_units());
    Ok(Bill { entries: entries * invocations, calls, write_units, read_units })
}

/// The queue's poller.
const POLLED: &str = "sqs:ReceiveMessage, DeleteMessage";
/// The function itself.
const INVOKED: &str = "lambda:Invoke";

/// Dollars per million calls; what DynamoDB's calls cost is in their units. A call without a price is no free call.
fn price(call: &str) -> Result<f64, String> {
    match call {
        "s3:PutObject" | "s3:ListObjectVersions" | "s3:PutObjectTagging" => Ok(prices::S3_PUT),
        "s3:GetObject" | "s3:HeadObject" => Ok(prices::S3_GET),
        "kms:Sign" => Ok(prices::KMS_SIGN),
        POLLED => Ok(prices::SQS_FIFO),
        INVOKED => Ok(prices::LAMBDA),
        other if other.starts_with(DYNAMODB) => Ok(0.0),
        other => Err(format!("no price is known for {other}")),
    }
}

const DYNAMODB: &str = "dynamodb:";

impl Bill {
    /// Dollars per million entries.
    fn dollars(&self) -> Result<f64, String> {
        let mut micros = self.write_units as f64 * prices::WRITE_UNIT + self.read_units as f64 * prices::READ_UNIT;
        for (call, times) in &self.calls {
            micros += *times as f64 * price(call)?;
        }
        Ok(micros / self.entries as f64)
    }

    /// Calls per million entries whose name is fit.
    fn calls(&self, fit: impl Fn(&str) -> bool) -> f64 {
        self.per_million(self.calls.iter().filter(|(call, _)| fit(call)).map(|(_, times)| times).sum())
    }

    fn per_million(&self, times: u64) -> f64 {
        times as f64 * 1e6 / self.entries as f64
    }

    fn line(&self, entries: u64, pace: Duration) -> Result<String, String> {
        let is_get = |call: &str| matches!(call, "s3:GetObject" | "s3:HeadObject");
        // The poller's and Lambda's own are not the function's calls.
        let all = self.calls(|call| call != INVOKED);
        let puts = self.calls(|call| call.starts_with("s3:") && !is_get(call));
        Ok(format!(
            "  {entries:>7} {:>4} s {all:>10.0} {puts:>9.0} {:>9.0} {:>9.0} {:>11.0} {:>10.0} {:>8.2}",
            pace.as_secs(),
            self.calls(is_get),
            self.calls(|call| call.starts_with(DYNAMODB)),
            self.per_million(self.write_units),
            self.calls(|call| call == "kms:Sign"),
            self.dollars()?
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bill_is_calls_by_their_prices_and_units_by_theirs() {
        let calls = [("s3:PutObject", 2), ("s3:GetObject", 5), ("kms:Sign", 1), ("dynamodb:UpdateItem", 9)];
        let bill = Bill { entries: 10, calls: calls.into(), write_units: 8, read_units: 4 };
        // 2 × 5 + 5 × 0.4 + 15 + 8 × 0.625 + 4 × 0.125 millionths of a dollar for ten entries.
        assert!((bill.dollars().unwrap() - 3.25).abs() < 1e-9, "{bill:?}");
        assert!((bill.calls(|call| call.starts_with("s3:")) - 700_000.0).abs() < 1e-6);
    }

    #[test]
    fn a_call_without_a_price_is_not_free() {
        let bill = Bill { entries: 1, calls: [("s3:Unheard", 1)].into(), ..Bill::default() };
        assert!(bill.dollars().unwrap_err().contains("s3:Unheard"));
    }

    #[test]
    fn counted_calls_are_what_an_append_makes() {
        let bill = in_virtual_time(bill(2_560, 10, PACES[0])).unwrap();
        // Per invocation one segment, one transaction, ten chunks read and counted; per second checkpoint one signature.
        let times = |call: &str| bill.calls.get(call).copied().unwrap_or_default();
        assert_eq!((times("dynamodb:TransactWriteItems"), times("kms:Sign")), (10, 1));
        assert!(times("s3:GetObject") >= 100, "{bill:?}");
        // Ten markers and the head, twice each, ten counts, and a posting for each of some 200 calls.
        assert!((10 * 230..10 * 330).contains(&bill.write_units), "{bill:?}");
    }
}
