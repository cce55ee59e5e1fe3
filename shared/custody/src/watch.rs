//! What the scheduled verification remembers of a log from one run to the next, and what the log's growth says.
//!
//! Invariant: a log is remembered at a size only when everything up to it was found good; after a finding the memory
//! stays where it was, so that the next run looks at the same entries again and the alarm does not go away by itself.

use std::future::Future;

use ledgerline_ledger::log::LogId;
use ledgerline_ledger::store::StoreError;
use ledgerline_ledger::verify::LogReport;

/// A log as the last good run left it. Row `WATCH#<log>`, `WATCH` of the control table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Watched {
    /// Entries that were verified.
    pub size: u64,
    /// The signed checkpoint that the next run begins at, as it was stored.
    pub checkpoint: Option<String>,
    /// The verification keys that counted for the log then: what the next run trusts, and nothing besides. Never empty.
    pub keys: Vec<String>,
    /// When this was found, in epoch milliseconds.
    pub verified_at_ms: i64,
    /// When the log was last seen larger than before, in epoch milliseconds.
    pub grew_at_ms: i64,
}

/// Keeps [`Watched`] per log.
pub trait WatchLogs {
    /// What the last good run left; `None` before the first.
    fn watched(&self, log: &LogId) -> impl Future<Output = Result<Option<Watched>, StoreError>> + Send;
    /// Replaces `before`. `Conflict`: another run did so meanwhile, and its word stands.
    fn remember(
        &self,
        log: &LogId,
        before: Option<&Watched>,
        now: &Watched,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;
}

/// What a log did since the last good run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Growth {
    /// So many entries came.
    Delivered {
        /// The entries.
        entries: u64,
    },
    /// Nothing came, for so long; shorter than the deployment's patience.
    Nothing {
        /// Milliseconds.
        for_ms: i64,
    },
    /// Nothing came for longer than the deployment's patience: a source may have fallen silent.
    Quiet {
        /// Milliseconds.
        for_ms: i64,
    },
    /// The log is shorter than it was found before. A checkpoint would tell, too, but its tail may not have had one.
    Shrunk {
        /// How many entries fewer.
        by: u64,
    },
}

/// Compares a log's size with what is remembered of it.
pub fn growth(before: Option<&Watched>, size: u64, now_ms: i64, patience_ms: i64) -> Growth {
    let Some(before) = before else { return Growth::Delivered { entries: size } };
    if size > before.size {
        return Growth::Delivered { entries: size - before.size };
    }
    if size < before.size {
        return Growth::Shrunk { by: before.size - size };
    }
    let for_ms = (now_ms - before.grew_at_ms).max(0);
    if for_ms > patience_ms { Growth::Quiet { for_ms } } else { Growth::Nothing { for_ms } }
}

/// What a run saw of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen<'a> {
    /// Entries of the log.
    pub size: u64,
    /// Its newest good checkpoint, as stored.
    pub checkpoint: Option<&'a str>,
    /// The verification keys that count for it now.
    pub keys: &'a [String],
}

impl<'a> From<&'a LogReport> for Seen<'a> {
    fn from(report: &'a LogReport) -> Self {
        Self { size: report.size, checkpoint: report.checkpoint.as_deref(), keys: &report.keys }
    }
}

/// What to remember after a run without findings.
pub fn after(before: Option<&Watched>, seen: &Seen<'_>, now_ms: i64) -> Watched {
    let grew = before.is_none_or(|before| seen.size > before.size);
    Watched {
        size: seen.size,
        checkpoint: seen.checkpoint.map(str::to_owned).or_else(|| before?.checkpoint.clone()),
        keys: seen.keys.to_vec(),
        verified_at_ms: now_ms,
        grew_at_ms: before.filter(|_| !grew).map_or(now_ms, |before| before.grew_at_ms),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600_000;

    fn seen(size: u64, grew_at_ms: i64) -> Watched {
        let (checkpoint, keys) = (Some("note".to_owned()), vec!["old key".to_owned()]);
        Watched { size, checkpoint, keys, verified_at_ms: grew_at_ms, grew_at_ms }
    }

    fn keys(keys: &[&str]) -> Vec<String> {
        keys.iter().map(|key| (*key).to_owned()).collect()
    }

    #[test]
    fn growth_is_told_from_silence_and_silence_from_too_much_of_it() {
        assert_eq!(growth(None, 7, 0, HOUR), Growth::Delivered { entries: 7 });
        assert_eq!(growth(Some(&seen(7, 0)), 9, HOUR, HOUR), Growth::Delivered { entries: 2 });
        assert_eq!(growth(Some(&seen(7, 0)), 7, HOUR, HOUR), Growth::Nothing { for_ms: HOUR });
        assert_eq!(growth(Some(&seen(7, 0)), 7, HOUR + 1, HOUR), Growth::Quiet { for_ms: HOUR + 1 });
        assert_eq!(growth(Some(&seen(7, 0)), 5, HOUR, HOUR), Growth::Shrunk { by: 2 });
        // A clock that was set back is no silence.
        assert_eq!(growth(Some(&seen(7, HOUR)), 7, 0, HOUR), Growth::Nothing { for_ms: 0 });
    }

    #[test]
    fn the_time_of_growth_outlives_runs_without_any() {
        let (old, both) = (keys(&["old key"]), keys(&["old key", "new key"]));
        let first = after(None, &Seen { size: 7, checkpoint: Some("note at 7"), keys: &old }, 10);
        let second = after(Some(&first), &Seen { size: 7, checkpoint: None, keys: &old }, 20);
        assert_eq!((second.verified_at_ms, second.grew_at_ms), (20, 10));
        assert_eq!(second.checkpoint.as_deref(), Some("note at 7"));
        let third = after(Some(&second), &Seen { size: 8, checkpoint: Some("note at 8"), keys: &both }, 30);
        assert_eq!((first.keys, second.keys, third.keys), (old.clone(), old, both));
        assert_eq!((third.grew_at_ms, third.checkpoint.as_deref()), (30, Some("note at 8")));
    }
}
