//! Runtime glue that every function shares: configuration, batch answers, dispositions, telemetry, the clock.
//!
//! No domain knowledge lives here.

pub mod clock;
pub mod config;
pub mod disposition;
pub mod notification;
pub mod sqs;
pub mod telemetry;
