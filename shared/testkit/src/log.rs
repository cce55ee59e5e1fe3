//! What the code under test logs, for tests that look for what must not be there.
//!
//! Invariant: one log for the process, of all its tests. A subscriber of one thread misses what another thread touched first; and a test
//! that finds nothing planted in it has searched what every other test of the binary made the code say.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use serde_json::Value;
pub use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};

/// A log in memory: a JSON line per event, its fields beside its message.
#[derive(Clone, Debug, Default)]
pub struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    /// All of it since it was installed.
    pub fn text(&self) -> String {
        String::from_utf8(self.bytes().clone()).expect("a log is text")
    }

    /// Its lines.
    pub fn lines(&self) -> Vec<Value> {
        self.text().lines().map(|line| serde_json::from_str(line).expect("a line of the log is JSON")).collect()
    }

    /// A test that fails while it logs must not make all others fail.
    fn bytes(&self) -> MutexGuard<'_, Vec<u8>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bytes().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The process's log, installed by the first call with the levels that it names: to be called before anything is logged.
pub fn captured(wanted: Targets) -> &'static Log {
    static LOG: OnceLock<Log> = OnceLock::new();
    LOG.get_or_init(|| {
        let log = Log::default();
        let writer = log.clone();
        let lines = tracing_subscriber::fmt::layer().json().flatten_event(true).with_writer(move || writer.clone());
        tracing::subscriber::set_global_default(tracing_subscriber::registry().with(lines.with_filter(wanted)))
            .expect("no test of the binary has installed another log");
        log
    })
}
