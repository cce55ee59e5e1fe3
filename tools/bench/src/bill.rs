//! What calls and units cost, per million events.

use std::collections::BTreeMap;

use crate::capacity::{ByFamily, Units};

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
    /// The same page: symmetric requests, $0.03 per 10,000.
    pub(super) const KMS_DATA_KEY: f64 = 3.0;
    /// aws.amazon.com/sqs/pricing: FIFO requests, $0.50.
    pub(super) const SQS_FIFO: f64 = 0.5;
    /// The same page: standard requests, $0.40.
    pub(super) const SQS: f64 = 0.4;
    /// aws.amazon.com/athena/pricing: SQL queries, $5.00 per TB scanned, 10 MB at least.
    pub(super) const ATHENA_TB: f64 = 5.0;
    pub(super) const ATHENA_LEAST_BYTES: u64 = 10_000_000;
    /// aws.amazon.com/lambda/pricing: requests, $0.20.
    pub(super) const LAMBDA: f64 = 0.2;
}

/// Requests of a queue's poller per invocation: one receive, one delete.
pub(crate) const POLLER_CALLS: u64 = 2;
/// The poller of a FIFO queue.
pub(crate) const FIFO_POLLED: &str = "sqs:ReceiveMessage, DeleteMessage (FIFO)";
/// The poller of a standard queue.
pub(crate) const POLLED: &str = "sqs:ReceiveMessage, DeleteMessage";
/// The function itself.
pub(crate) const INVOKED: &str = "lambda:Invoke";
/// What the names of DynamoDB's calls begin with.
pub(crate) const DYNAMODB: &str = "dynamodb:";

/// Dollars of a statement of Athena's that scans so many bytes. A terabyte is taken for 10¹² bytes, the dearer reading.
pub(crate) fn athena_dollars(bytes: u64) -> f64 {
    bytes.max(prices::ATHENA_LEAST_BYTES) as f64 * prices::ATHENA_TB / 1e12
}

/// Whether S3 charges a call as it does a GET.
pub(crate) fn is_get(call: &str) -> bool {
    matches!(call, "s3:GetObject" | "s3:HeadObject")
}

/// Dollars per million calls; what DynamoDB's calls cost is in their units. A call without a price is no free call.
fn price(call: &str) -> Result<f64, String> {
    match call {
        "s3:PutObject" | "s3:ListObjectVersions" | "s3:ListObjectsV2" | "s3:PutObjectTagging" => Ok(prices::S3_PUT),
        // The same page: DELETE requests are free.
        "s3:DeleteObject" => Ok(0.0),
        get if is_get(get) => Ok(prices::S3_GET),
        "kms:Sign" => Ok(prices::KMS_SIGN),
        "kms:Decrypt" | "kms:GenerateDataKey" => Ok(prices::KMS_DATA_KEY),
        FIFO_POLLED | "sqs:SendMessageBatch" => Ok(prices::SQS_FIFO),
        POLLED | "sqs:SendMessage" => Ok(prices::SQS),
        INVOKED => Ok(prices::LAMBDA),
        other if other.starts_with(DYNAMODB) => Ok(0.0),
        other => Err(format!("no price is known for {other}")),
    }
}

/// What some events used.
#[derive(Debug, Default)]
pub(crate) struct Bill {
    pub(crate) events: u64,
    pub(crate) calls: BTreeMap<&'static str, u64>,
    pub(crate) used: ByFamily,
}

impl Bill {
    /// Units of all families.
    pub(crate) fn units(&self) -> Units {
        self.used.values().copied().sum()
    }

    /// Dollars per million events.
    pub(crate) fn dollars(&self) -> Result<f64, String> {
        let Units { write, read } = self.units();
        let mut micros = write as f64 * prices::WRITE_UNIT + read as f64 * prices::READ_UNIT;
        for (call, times) in &self.calls {
            micros += *times as f64 * price(call)?;
        }
        Ok(micros / self.events as f64)
    }

    /// Calls per million events whose name is fit.
    pub(crate) fn calls(&self, fit: impl Fn(&str) -> bool) -> f64 {
        self.per_million(self.calls.iter().filter(|(call, _)| fit(call)).map(|(_, times)| times).sum())
    }

    /// So many per million events.
    pub(crate) fn per_million(&self, times: u64) -> f64 {
        times as f64 * 1e6 / self.events as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ledgerline_store::Family;

    #[test]
    fn a_bill_is_calls_by_their_prices_and_units_by_theirs() {
        let calls = [("s3:PutObject", 2), ("s3:GetObject", 5), ("kms:Sign", 1), ("dynamodb:UpdateItem", 9)];
        let used = [(None, Units { write: 8, read: 1 }), (Some(Family::Pin), Units { write: 0, read: 3 })];
        let bill = Bill { events: 10, calls: calls.into(), used: used.into() };
        // 2 × 5 + 5 × 0.4 + 15 + 8 × 0.625 + 4 × 0.125 millionths of a dollar for ten events.
        assert!((bill.dollars().unwrap() - 3.25).abs() < 1e-9, "{bill:?}");
        assert!((bill.calls(|call| call.starts_with("s3:")) - 700_000.0).abs() < 1e-6);
    }

    #[test]
    fn athena_counts_ten_megabytes_at_least() {
        assert!((athena_dollars(1) - 0.000_05).abs() < 1e-12 && (athena_dollars(2_000_000_000) - 0.01).abs() < 1e-12);
    }

    #[test]
    fn a_call_without_a_price_is_not_free() {
        let bill = Bill { events: 1, calls: [("s3:Unheard", 1)].into(), ..Bill::default() };
        assert!(bill.dollars().unwrap_err().contains("s3:Unheard"));
    }
}
