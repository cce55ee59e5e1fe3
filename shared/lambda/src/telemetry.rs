//! Logs: one JSON line per event on standard output, where Lambda's runtime collects it. Ids, counts, sizes and
//! dispositions only; CloudWatch stamps the time.

use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

/// Installs the subscriber. Called once, first thing in `main`.
pub fn init() {
    tracing_subscriber::registry()
        .with(LevelFilter::INFO)
        .with(tracing_subscriber::fmt::layer().json().flatten_event(true).with_target(true).without_time())
        .init();
}
