//! Retention: how long evidence is kept, what makes it longer, and when it may go.
//!
//! A log's **class** is the second part of its name; the policy says for how many days each class is locked
//! ([`ledgerline_ledger::retention`]). A segment is **expired** once its class's days since its writing are over, its lock is
//! over, a day of grace has passed on both, and no legal hold lies on it. Expired segments go from the log's start only, and
//! only below `prunedTo` of a `LOG_PRUNED` entry of the log ([`crate::acts::record_of_log`]) that an archived, signed
//! checkpoint covers: so what is gone is told by evidence that is there. Tiles and checkpoints stay, and every proof of what remains.
//!
//! An **audit trigger** is an event type, such as a complaint's, that keeps all of its record's evidence until so many days after its
//! occurrence; the extension is a `RETENTION_EXTENDED` entry.
//!
//! Invariant: nothing here shortens. The decisions are pure; who may extend or delete is said by the ports.

use std::collections::BTreeMap;

use ledgerline_event::instant;
use ledgerline_ledger::entry::{Entry, Field};
use ledgerline_ledger::lock::{Lock, LockMode};
use ledgerline_ledger::log::LogId;
use ledgerline_ledger::segment::SegmentName;
use ledgerline_store::segment::{Protection, SegmentVersion};

use crate::access::{Found, split_record};
use crate::acts::{Act, ActKind, record_of_log};
use crate::completion::Trigger;

/// How long after its end a segment stays: clocks differ, and an operator may still want to place a hold.
pub const GRACE_MS: i64 = DAY_MS;
const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// Whether a version's class days, as far as its age alone says, are over.
pub fn is_old_enough(version: &SegmentVersion, days: u64, now_ms: i64) -> bool {
    let days_ms = i64::try_from(days).unwrap_or(i64::MAX).saturating_mul(DAY_MS);
    version.written_at_ms.saturating_add(days_ms).saturating_add(GRACE_MS) <= now_ms
}

/// Whether nothing protects it any more.
pub fn is_unprotected(protection: &Protection, now_ms: i64) -> bool {
    let over = |lock: Lock| {
        let until_ms = i64::try_from(lock.retain_until_s).unwrap_or(i64::MAX).saturating_mul(1000);
        until_ms.saturating_add(GRACE_MS) <= now_ms
    };
    !protection.legal_hold && protection.lock.is_none_or(over)
}

/// How far a log may be pruned: the furthest end of an expired segment, such that nothing that must stay begins or reaches
/// below it. The versions are in the order of their names, each with whether it is expired; orphans count like any other.
/// Nothing beyond `needed_from` goes.
pub fn prunable_to<'a>(versions: impl IntoIterator<Item = (&'a str, bool)>, needed_from: u64) -> u64 {
    let mut ends = Vec::new();
    let mut stays_from = needed_from;
    for (key, expired) in versions {
        let name = SegmentName::parse(key).filter(|name| expired && name.end() <= needed_from);
        let Some(name) = name else {
            // What follows begins no earlier, so this is the first that stays; of a key that is no name nothing is known.
            stays_from = SegmentName::parse(key).map_or(0, |name| name.first.min(stays_from));
            break;
        };
        ends.push(name.end());
    }
    ends.into_iter().filter(|end| *end <= stays_from).max().unwrap_or_default()
}

/// A pruning that the log tells of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pruned {
    /// Entries below it may be gone.
    pub to: u64,
    /// The entry's own index: a checkpoint must be larger to cover it.
    pub index: u64,
    /// When it was decided.
    pub at_ms: i64,
}

/// The log's furthest pruning among the entries of [`record_of_log`].
pub fn pruned(entries: &[Found]) -> Option<Pruned> {
    let read = |found: &Found| {
        let entry = Entry::read(found.text.as_bytes()).ok()?;
        let is_one = ActKind::of(&entry.event_type) == Some(ActKind::LogPruned);
        let to = entry.fields.get(PRUNED_TO)?.as_u64()?;
        // An entry that prunes itself away would leave nothing that tells of it.
        let pruned = Pruned { to, index: found.order.index, at_ms: instant::parse(&entry.occurred_at)? };
        (is_one && to <= pruned.index).then_some(pruned)
    };
    entries.iter().filter_map(read).max_by_key(|pruned| (pruned.to, pruned.index))
}

/// The act that tells of a pruning, and its purpose id.
pub fn prune_act(log: &LogId, to: u64, now: &str) -> (String, Act) {
    let act = Act {
        log: log.clone(),
        kind: ActKind::LogPruned,
        record: record_of_log(log),
        occurred_at: now.to_owned(),
        fields: BTreeMap::from([(PRUNED_TO.to_owned(), Field::Int(i64::try_from(to).unwrap_or(i64::MAX)))]),
        key_ids: Vec::new(),
    };
    (format!("prune/{log}/{to}"), act)
}

/// Which events extend, and by how much.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Triggers {
    /// Event types.
    pub types: Vec<String>,
    /// Days after the event's occurrence.
    pub days: u64,
}

impl Triggers {
    /// Until when an event that occurred then keeps its record, in epoch seconds. An occurrence in the future counts as
    /// `now`: nobody could undo a lock that a wrong clock made too long.
    pub fn until_s(&self, occurred_at: &str, now_ms: i64) -> Option<u64> {
        let from_ms = instant::parse(occurred_at)?.min(now_ms);
        let days_ms = i64::try_from(self.days).ok()?.checked_mul(DAY_MS)?;
        u64::try_from(from_ms.checked_add(days_ms)? / 1000).ok()
    }
}

/// The lock that a version gets so that it lasts until then; `None` if it does already.
pub fn longer(held: Option<Lock>, mode: LockMode, until_s: u64) -> Option<Lock> {
    let wanted = Lock { mode: held.map_or(mode, |held| held.mode), retain_until_s: until_s };
    (!held.is_some_and(|held| held.covers(&wanted))).then_some(wanted)
}

/// The act that tells of an extension, and its purpose id; `None` if the key names no record.
pub fn extension_act(log: &LogId, trigger: &Trigger, until_s: u64, now: &str) -> Option<(String, Act)> {
    let (_, about) = split_record(&trigger.record)?;
    let until = instant::to_rfc3339(i64::try_from(until_s).ok()?.checked_mul(1000)?);
    let fields =
        [("until", until), ("trigger", trigger.event_type.clone()), ("triggerEventId", trigger.event_id.clone())];
    let act = Act {
        log: log.clone(),
        kind: ActKind::RetentionExtended,
        record: about,
        occurred_at: now.to_owned(),
        fields: fields.into_iter().map(|(name, value)| (name.to_owned(), Field::Text(value))).collect(),
        key_ids: Vec::new(),
    };
    Some((format!("extend/{log}/{}/{}", trigger.record, trigger.event_id), act))
}

const PRUNED_TO: &str = "prunedTo";

#[cfg(test)]
mod tests {
    use super::*;

    fn log() -> LogId {
        LogId::parse("acme/interaction/1/0").unwrap()
    }

    fn version(days_old: i64) -> SegmentVersion {
        SegmentVersion { key: String::new(), version_id: String::new(), written_at_ms: -days_old * DAY_MS }
    }

    fn key(first: u64, count: u64) -> String {
        SegmentName::of(&log(), first, count, &first.to_be_bytes()).key()
    }

    #[test]
    fn a_segment_expires_by_its_class_its_lock_and_a_day_of_grace() {
        assert!(is_old_enough(&version(31), 30, 0));
        assert!(!is_old_enough(&version(30), 30, 0));
        assert!(!is_old_enough(&version(40_000), u64::MAX, 0));
        let lock = |until_s| Protection {
            lock: Some(Lock { mode: LockMode::Governance, retain_until_s: until_s }),
            legal_hold: false,
        };
        let day_s = (DAY_MS / 1000) as u64;
        assert!(is_unprotected(&lock(day_s), 2 * DAY_MS));
        assert!(!is_unprotected(&lock(day_s), 2 * DAY_MS - 1));
        assert!(!is_unprotected(&lock(u64::MAX), i64::MAX - 1));
        assert!(is_unprotected(&Protection { lock: None, legal_hold: false }, 0));
        assert!(!is_unprotected(&Protection { lock: None, legal_hold: true }, i64::MAX));
    }

    #[test]
    fn a_log_is_pruned_from_its_start_as_far_as_everything_is_expired() {
        let keys = [key(0, 10), key(10, 5), key(15, 5)];
        let to =
            |expired: [bool; 3], needed_from| prunable_to(keys.iter().map(String::as_str).zip(expired), needed_from);
        assert_eq!(to([true, true, true], u64::MAX), 20);
        assert_eq!(to([true, true, false], u64::MAX), 15);
        assert_eq!(to([false, true, true], u64::MAX), 0);
        assert_eq!(to([true, false, true], u64::MAX), 10);
        assert_eq!(to([true, true, true], 12), 10, "an interaction that is not completed began in the second");
        // An orphan that is not expired and begins inside the first: nothing of the first may go.
        let orphaned = [key(0, 10), key(4, 2), key(10, 5)];
        let expired = [true, false, true];
        assert_eq!(prunable_to(orphaned.iter().map(String::as_str).zip(expired), u64::MAX), 0);
        assert_eq!(prunable_to([("ledger/x", true)], u64::MAX), 0);
    }

    #[test]
    fn a_trigger_keeps_from_its_occurrence_and_never_from_the_future() {
        let triggers = Triggers { types: Vec::new(), days: 10 };
        assert_eq!(triggers.until_s("1970-01-02T00:00:00.000Z", 5 * DAY_MS), Some(11 * 86_400));
        assert_eq!(triggers.until_s("9999-01-01T00:00:00.000Z", 5 * DAY_MS), Some(15 * 86_400));
        assert_eq!(triggers.until_s("never", 0), None);
    }

    #[test]
    fn a_lock_is_only_ever_lengthened_and_keeps_its_mode() {
        let held = Lock { mode: LockMode::Compliance, retain_until_s: 100 };
        assert_eq!(longer(Some(held), LockMode::Governance, 100), None);
        assert_eq!(longer(Some(held), LockMode::Governance, 99), None);
        let longer_one = Lock { retain_until_s: 101, ..held };
        assert_eq!(longer(Some(held), LockMode::Governance, 101), Some(longer_one));
        let new = Lock { mode: LockMode::Governance, retain_until_s: 5 };
        assert_eq!(longer(None, LockMode::Governance, 5), Some(new));
    }
}
