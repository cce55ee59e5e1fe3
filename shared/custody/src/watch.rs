//! What the scheduled verification remembers of a log from one run to the next, and what the log's growth says.
//!
//! Invariant: a log is remembered at a size only when everything up to it was found good; after a finding the memory
//! stays where it was, so that the next run looks at the same entries again and the alarm does not go away by itself.

use ledgerline_ledger::log::LogId;
use ledgerline_ledger::verify::{LogReport, Report};
use ledgerline_store::watch::Watched;

/// What a run saw of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen<'a> {
    /// Entries of the log.
    pub size: u64,
    /// The index of the newest entry read that is no act of the ledger's own.
    pub newest_event: Option<u64>,
    /// Its newest good checkpoint, as stored.
    pub checkpoint: Option<&'a str>,
    /// The verification keys that count for it now.
    pub keys: &'a [String],
    /// Whether the run looked at all of it.
    pub whole: bool,
}

impl<'a> Seen<'a> {
    /// What verification reported of a log.
    pub fn of(report: &'a LogReport, whole: bool) -> Self {
        let LogReport { size, newest_event, checkpoint, keys, .. } = report;
        Self { size: *size, newest_event: *newest_event, checkpoint: checkpoint.as_deref(), keys, whole }
    }
}

/// What a log did since the last good run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Growth {
    /// Entries of a source came.
    Delivered,
    /// No source's entry came, for so long; shorter than the deployment's patience with this log.
    Nothing {
        /// Milliseconds.
        for_ms: i64,
    },
    /// None came for longer than the deployment's patience: a source may have fallen silent.
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

/// Compares a log with what is remembered of it.
pub fn growth(before: Option<&Watched>, seen: &Seen<'_>, now_ms: i64, patience_ms: i64) -> Growth {
    if let Some(by) = before.and_then(|before| before.size.checked_sub(seen.size)).filter(|by| *by > 0) {
        return Growth::Shrunk { by };
    }
    if has_grown(before, seen) {
        return Growth::Delivered;
    }
    // Of a log that was not known, silence begins now.
    let for_ms = before.map_or(0, |before| (now_ms - before.grew_at_ms).max(0));
    if for_ms > patience_ms { Growth::Quiet { for_ms } } else { Growth::Nothing { for_ms } }
}

/// Whether a run over all logs met nothing of one that is remembered: neither a head nor an object. Without a checkpoint to
/// rely on, verification does not know that there was such a log.
pub fn is_gone(before: &Watched, log: &LogId, report: &Report) -> bool {
    let met = report.logs.iter().map(|seen| &seen.log).chain(report.unchecked.iter().map(|unchecked| &unchecked.log));
    before.size > 0 && met.into_iter().all(|name| name != log.as_str())
}

/// What to remember after a run without findings.
pub fn after(before: Option<&Watched>, seen: &Seen<'_>, now_ms: i64) -> Watched {
    let grew_at_ms = before.filter(|_| !has_grown(before, seen)).map_or(now_ms, |before| before.grew_at_ms);
    Watched {
        size: seen.size,
        checkpoint: seen.checkpoint.map(str::to_owned).or_else(|| before?.checkpoint.clone()),
        keys: seen.keys.to_vec(),
        verified_at_ms: now_ms,
        grew_at_ms,
        whole_at_ms: if seen.whole { Some(now_ms) } else { before.and_then(|before| before.whole_at_ms) },
        tried_at_ms: before.and_then(|before| before.tried_at_ms),
    }
}

/// A run may read a little of what was read before; only what comes behind it is new.
fn has_grown(before: Option<&Watched>, seen: &Seen<'_>) -> bool {
    seen.newest_event.is_some_and(|newest| before.is_none_or(|before| newest >= before.size))
}

/// In which order a run takes its logs, given that it may not come to all of them: whoever waits longest for a good end
/// goes first, and whoever kept a run busy without one goes behind those who waited meanwhile. Logs that nothing is
/// remembered of take turns, run by run, behind the others: one of them may be larger than a run.
pub fn order<T>(logs: Vec<T>, before: impl Fn(&T) -> Option<&Watched>, whole: bool, now_ms: i64) -> Vec<T> {
    let (mut known, mut unknown): (Vec<T>, Vec<T>) = logs.into_iter().partition(|log| before(log).is_some());
    known.sort_by_key(|log| {
        let good_ms = before(log).and_then(|seen| if whole { seen.whole_at_ms } else { Some(seen.verified_at_ms) });
        let tried_ms = before(log).and_then(|seen| seen.tried_at_ms);
        (good_ms.max(tried_ms), good_ms)
    });
    if !unknown.is_empty() {
        let turn = now_ms.div_euclid(TURN_MS).rem_euclid(unknown.len() as i64);
        unknown.rotate_left(usize::try_from(turn).unwrap_or_default());
    }
    known.extend(unknown);
    known
}

/// The shorter of the two schedules: each hour another log begins.
const TURN_MS: i64 = 3_600_000;

#[cfg(test)]
mod tests {
    use super::*;
    use ledgerline_ledger::verify::{EvidenceFault, Unchecked};
    use std::sync::Arc;

    const HOUR: i64 = 3_600_000;

    fn remembered(size: u64, grew_at_ms: i64) -> Watched {
        Watched {
            size,
            checkpoint: Some("note".to_owned()),
            keys: keys(&["old key"]),
            verified_at_ms: grew_at_ms,
            grew_at_ms,
            whole_at_ms: None,
            tried_at_ms: None,
        }
    }

    fn seen(size: u64, newest_event: Option<u64>) -> Seen<'static> {
        Seen { size, newest_event, checkpoint: None, keys: &[], whole: false }
    }

    fn keys(keys: &[&str]) -> Vec<String> {
        keys.iter().map(|key| (*key).to_owned()).collect()
    }

    #[test]
    fn growth_is_told_from_silence_and_silence_from_too_much_of_it() {
        let before = remembered(7, 0);
        assert_eq!(growth(None, &seen(7, Some(6)), 0, HOUR), Growth::Delivered);
        assert_eq!(growth(None, &seen(1, None), 9 * HOUR, HOUR), Growth::Nothing { for_ms: 0 });
        assert_eq!(growth(Some(&before), &seen(9, Some(7)), HOUR, HOUR), Growth::Delivered);
        assert_eq!(growth(Some(&before), &seen(7, None), HOUR, HOUR), Growth::Nothing { for_ms: HOUR });
        assert_eq!(growth(Some(&before), &seen(7, None), HOUR + 1, HOUR), Growth::Quiet { for_ms: HOUR + 1 });
        assert_eq!(growth(Some(&before), &seen(5, Some(4)), HOUR, HOUR), Growth::Shrunk { by: 2 });
        // A clock that was set back is no silence.
        assert_eq!(growth(Some(&remembered(7, HOUR)), &seen(7, None), 0, HOUR), Growth::Nothing { for_ms: 0 });
    }

    #[test]
    fn acts_and_events_read_again_are_no_growth() {
        let before = remembered(7, 0);
        for newest in [None, Some(6)] {
            let seen = seen(9, newest);
            assert_eq!(growth(Some(&before), &seen, 2 * HOUR, HOUR), Growth::Quiet { for_ms: 2 * HOUR });
            let now = after(Some(&before), &seen, 2 * HOUR);
            assert_eq!((now.size, now.grew_at_ms, now.verified_at_ms), (9, 0, 2 * HOUR));
        }
    }

    #[test]
    fn only_a_log_that_a_run_did_not_meet_is_gone() {
        let unchecked =
            |log: &str| Unchecked { log: log.to_owned(), fault: Arc::new(EvidenceFault::Missing("it".into())) };
        let log = LogId::parse("acme/entity/1/0").unwrap();
        let others = Report { unchecked: vec![unchecked("big-acme/entity/1/0")], ..Report::default() };
        assert!(is_gone(&remembered(7, 0), &log, &others));
        assert!(!is_gone(&remembered(0, 0), &log, &others), "nothing of it was there");
        let unread = Report { unchecked: vec![unchecked(log.as_str())], ..Report::default() };
        assert!(!is_gone(&remembered(7, 0), &log, &unread));
    }

    #[test]
    fn the_time_of_growth_outlives_runs_without_any() {
        let (old, both) = (keys(&["old key"]), keys(&["old key", "new key"]));
        let first = after(None, &Seen { checkpoint: Some("note at 7"), keys: &old, ..seen(7, Some(6)) }, 10);
        let second = after(Some(&first), &Seen { keys: &old, whole: true, ..seen(7, None) }, 20);
        assert_eq!((second.verified_at_ms, second.grew_at_ms), (20, 10));
        assert_eq!(second.checkpoint.as_deref(), Some("note at 7"));
        let third = after(Some(&second), &Seen { checkpoint: Some("note at 8"), keys: &both, ..seen(8, Some(7)) }, 30);
        assert_eq!((third.grew_at_ms, third.checkpoint.as_deref()), (30, Some("note at 8")));
        assert_eq!((first.whole_at_ms, second.whole_at_ms, third.whole_at_ms), (None, Some(20), Some(20)));
        assert_eq!((first.keys, second.keys, third.keys), (old.clone(), old, both));
    }

    #[test]
    fn who_waits_longest_goes_first_and_nobody_keeps_the_others_waiting() {
        let at = |whole_at_ms, tried_at_ms| Some(Watched { whole_at_ms, tried_at_ms, ..remembered(7, 0) });
        let order = |logs: Vec<(&'static str, Option<Watched>)>, now_ms| -> Vec<&'static str> {
            order(logs, |log| log.1.as_ref(), true, now_ms).into_iter().map(|log| log.0).collect()
        };
        let logs =
            || vec![("new", None), ("today", at(Some(9), None)), ("never", at(None, None)), ("old", at(Some(3), None))];
        assert_eq!(order(logs(), 0), ["never", "old", "today", "new"]);
        // It was begun at 5 and cut off: those who had waited since 3 come first now, and then it, before who was done at 5.
        let cut = vec![("done", at(Some(5), None)), ("cut", at(None, Some(5))), ("waits", at(Some(3), None))];
        assert_eq!(order(cut, 0), ["waits", "cut", "done"]);
        let unknown = || vec![("a", None), ("b", None), ("known", at(Some(9), None))];
        assert_eq!(order(unknown(), 0), ["known", "a", "b"]);
        assert_eq!(order(unknown(), HOUR), ["known", "b", "a"]);
    }
}
