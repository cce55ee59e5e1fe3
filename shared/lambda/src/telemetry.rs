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

/// Says of how many events of an object no row of the look-up knows the outcome's word; nothing, if of none. The template's metric counts
/// `events` of this line.
pub fn unknown_outcomes(events: u64) {
    if events > 0 {
        tracing::warn!(events, "outcomes unknown");
    }
}

/// Says of how many events of an object a CRM says anything, of how many it does not, and how many values of its rows the policy masked;
/// nothing, if no event's org has a CRM. The template's metrics count this line.
pub fn crm_looked_up(hits: u64, misses: u64, masked: u64) {
    if hits + misses > 0 {
        tracing::info!(hits, misses, masked, "CRM looked up");
    }
}

/// Says that a subject has become busy: with how many new links on this day. It is said by the write that made it so, and
/// by no other of that day; the template's alarm counts this line. A subject's id is random, and names it to an operator.
pub fn busy_subject(subject: &str, links: u64) {
    tracing::warn!(subject, links, "busy subject");
}

/// Says that bronze is not planned beyond this moment (RFC 3339), with how many objects are left and the oldest one's key; the
/// template's alarm counts this line.
pub fn bronze_behind(through: &str, unplanned: usize, oldest: Option<&str>) {
    tracing::error!(through, unplanned, oldest, "bronze is behind: not planned for over an hour");
}

/// Says that so many events that capture took are not committed after an hour, and since when the oldest of them is; the template's alarm
/// counts this line.
pub fn journal_behind(events: u64, oldest: Option<&str>) {
    tracing::error!(events, oldest, "journal is behind: not committed for over an hour");
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
    fn lines_are_told_as_the_templates_filters_read_them() {
        let written = Written::default();
        let writer = written.clone();
        tracing::subscriber::with_default(json_lines(move || writer.clone()), || {
            quarantined("no_time", 3);
            quarantined("not_json", 0);
            unknown_outcomes(0);
            unknown_outcomes(2);
            crm_looked_up(0, 0, 0);
            crm_looked_up(7, 2, 1);
            busy_subject("s_1", 100);
            bronze_behind("2026-03-02T14:00:00.000Z", 2, Some("bronze/a"));
            journal_behind(3, Some("2026-03-02T12:00:00.000Z"));
        });
        let text = String::from_utf8(written.0.lock().unwrap().clone()).unwrap();
        let mut lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        for line in &mut lines {
            line.as_object_mut().unwrap().retain(|name, _| !matches!(name.as_str(), "level" | "target"));
        }
        let wanted = [
            json!({ "message": "quarantined", "reason": "no_time", "lines": 3 }),
            json!({ "message": "outcomes unknown", "events": 2 }),
            json!({ "message": "CRM looked up", "hits": 7, "misses": 2, "masked": 1 }),
            json!({ "message": "busy subject", "subject": "s_1", "links": 100 }),
            json!({ "message": "bronze is behind: not planned for over an hour", "through": "2026-03-02T14:00:00.000Z",
                    "unplanned": 2, "oldest": "bronze/a" }),
            json!({ "message": "journal is behind: not committed for over an hour", "events": 3,
                    "oldest": "2026-03-02T12:00:00.000Z" }),
        ];
        assert_eq!(lines, wanted, "{text}");
    }
}
