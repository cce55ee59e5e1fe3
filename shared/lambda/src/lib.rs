//! Runtime glue that functions share: configuration, batch answers, the API's methods, requests and their callers, dispositions,
//! telemetry, the clock, randomness.
//!
//! No domain knowledge lives here.

pub mod api;
pub mod caller;
pub mod clock;
pub mod config;
pub mod disposition;
pub mod notification;
pub mod random;
pub mod routes;
pub mod sqs;
pub mod telemetry;
