//! Logs: one JSON line per event on standard output, where Lambda's runtime collects it. Ids, counts, sizes and
//! dispositions only; CloudWatch stamps the time.

use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

/// Installs the subscriber and the panic hook. Called once, first thing in `main`.
///
/// The standard hook prints a panic's message, which may repeat a record's content; ours names the place alone.
pub fn init() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string);
        tracing::error!(place, "panicked");
    }));
    tracing_subscriber::registry()
        .with(LevelFilter::INFO)
        .with(tracing_subscriber::fmt::layer().json().flatten_event(true).with_span_list(false).without_time())
        .init();
}
