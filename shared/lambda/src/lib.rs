//! Runtime glue: configuration, batches, dispositions, telemetry.

pub mod config;
pub mod disposition;
pub mod sqs;
pub mod telemetry;
