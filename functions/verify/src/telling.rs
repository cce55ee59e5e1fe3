//! The lines of the function's log that its metrics and alarms are made of.
//!
//! Invariant: the template's filters look for exactly these messages; they hold names, counts, indexes and digests, no content.

use ledgerline_ledger::log::LogId;
use ledgerline_ledger::verify::{Finding, FindingKind, LogReport};

use crate::{Look, Summary};

/// A contradiction.
pub(crate) fn broken(finding: &Finding) {
    let Finding { kind, key, entry, detail } = finding;
    tracing::error!(kind = kind.code(), key, entry, detail, remedy = kind.remedy(), "evidence broken");
}

/// A log that is shorter than it was.
pub(crate) fn shrunk(log: &LogId, size: u64, by: u64) {
    broken(&Finding {
        kind: FindingKind::LogShrunk,
        key: log.to_string(),
        entry: Some(size),
        detail: format!("{by} entries that were verified before are not in the log any more"),
    });
}

/// No source's entry came, and it need not have yet.
pub(crate) fn nothing(for_ms: i64, acts: u64, seen: &LogReport) {
    let LogReport { log, size, root, .. } = seen;
    tracing::info!(log, minutes = for_ms / MINUTE_MS, acts, size, root, "nothing was delivered");
}

/// No source's entry came, for too long.
pub(crate) fn silent(for_ms: i64, acts: u64, seen: &LogReport) {
    let LogReport { log, size, root, .. } = seen;
    tracing::error!(log, minutes = for_ms / MINUTE_MS, acts, size, root, "fallen silent");
}

/// A log of which nothing can be said.
pub(crate) fn not_verified(log: &str, fault: &dyn std::error::Error) {
    tracing::error!(log, %fault, "not verified");
}

/// A log that was verified, and the next run does not know it.
pub(crate) fn not_remembered(log: &LogId, fault: &dyn std::error::Error) {
    tracing::error!(%log, %fault, "not remembered");
}

/// A run has come to its end.
pub(crate) fn verified(look: Look, summary: &Summary) {
    let Summary { findings, logs, unchecked, forgotten, entries, delivered, quiet, .. } = *summary;
    tracing::info!(?look, findings, logs, unchecked, forgotten, entries, delivered, quiet, "verified");
}

const MINUTE_MS: i64 = 60_000;
