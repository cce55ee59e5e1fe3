//! Logs: one JSON line per event on standard output, where Lambda's runtime collects it. Ids, counts, sizes and
//! dispositions only; CloudWatch stamps the time.

use tracing::Subscriber;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt::MakeWriter;
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
    json_lines(std::io::stdout).init();
}

/// Says how many lines went to quarantine for one reason, given by its closed code; nothing, if there are none. A function says it
/// once per reason and invocation, or object: the template's metrics of quarantine count this line, and `lines` of it.
pub fn quarantined(reason: &str, lines: u64) {
    if lines > 0 {
        tracing::info!(reason, lines, "quarantined");
    }
}

/// What writes each event as one line, its fields beside its message.
fn json_lines(writer: impl for<'w> MakeWriter<'w> + Send + Sync + 'static) -> impl Subscriber {
    let format = tracing_subscriber::fmt::layer().json().flatten_event(true).with_span_list(false).without_time();
    tracing_subscriber::registry().with(LevelFilter::INFO).with(format.with_writer(writer))
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use serde_json::{Value, json};

    use super::*;

    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Written {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// The template's filters read `$.message`, `$.reason` and `$.lines` at the top, and the last as a number.
    #[test]
    fn quarantined_lines_are_told_as_the_templates_filters_read_them() {
        let written = Written::default();
        let writer = written.clone();
        tracing::subscriber::with_default(json_lines(move || writer.clone()), || {
            quarantined("no_time", 3);
            quarantined("not_json", 0);
        });
        let text = String::from_utf8(written.0.lock().unwrap().clone()).unwrap();
        let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines.len(), 1, "{text}");
        for (field, value) in [("message", json!("quarantined")), ("reason", json!("no_time")), ("lines", json!(3))] {
            assert_eq!(lines[0][field], value, "{text}");
        }
    }
}
