//! The one closed error that every storage adapter reports, and nothing of any particular store.
//!
//! Adapters map an SDK's error to it once; a function's exhaustive `disposition` then says what each kind means for
//! the record at hand. The text names ids, keys and counts, never content.

use std::error::Error;
use std::fmt;

/// What a store call failed with.
#[derive(Debug)]
pub enum StoreError {
    /// The object or item is not there.
    NotFound(Failure),
    /// A condition did not hold: somebody else wrote first, or an immutable key exists (HTTP 412, 409).
    Conflict(Failure),
    /// The store asked for patience (HTTP 429, 503, throttling).
    Throttled(Failure),
    /// The caller may not do this; a policy or a key grant is missing.
    Denied(Failure),
    /// What was read is not what was written: a checksum, a format or a count does not fit.
    Corrupt(Failure),
    /// The outcome is not known (time-outs, HTTP 5xx), or the error fits no other kind. The write may have happened.
    Unknown(Failure),
}

/// What was attempted, and the error below it.
#[derive(Debug)]
pub struct Failure {
    /// The attempt in a few words with ids only, such as `put segment ledger/acme/interaction/1/0/…`.
    pub what: String,
    /// The adapter's own error, kept for the log.
    pub source: Option<Box<dyn Error + Send + Sync>>,
}

impl Failure {
    /// A failure without an error below it.
    pub fn new(what: impl Into<String>) -> Self {
        Self { what: what.into(), source: None }
    }

    /// A failure that keeps the adapter's error.
    pub fn caused_by(what: impl Into<String>, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { what: what.into(), source: Some(source.into()) }
    }
}

impl StoreError {
    /// The kind in one word, for logs and metrics.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::NotFound(_) => "not_found",
            Self::Conflict(_) => "conflict",
            Self::Throttled(_) => "throttled",
            Self::Denied(_) => "denied",
            Self::Corrupt(_) => "corrupt",
            Self::Unknown(_) => "unknown",
        }
    }

    fn failure(&self) -> &Failure {
        match self {
            Self::NotFound(f)
            | Self::Conflict(f)
            | Self::Throttled(f)
            | Self::Denied(f)
            | Self::Corrupt(f)
            | Self::Unknown(f) => f,
        }
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind().replace('_', " "), self.failure().what)
    }
}

impl Error for StoreError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.failure().source.as_deref().map(|source| source as &(dyn Error + 'static))
    }
}
