//! For how long evidence is locked, and in which mode: a deployment's policy, by the retention class of the log.
//!
//! Invariant: whatever a deployment says is understood whole or refused, and no class is locked for less than the days
//! that the bucket's own policy demands of every put.

use std::collections::BTreeMap;

use crate::log::LogId;
use crate::ports::{Lock, LockMode};

/// Longest retention: Object Lock takes up to 100 years.
pub const DAYS_MAX: u64 = 36_500;

/// Days per retention class.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Classes {
    least: u64,
    /// By `<org>/<class>` or `<class>`.
    others: BTreeMap<String, u64>,
}

impl Classes {
    /// Every class is kept for so many days.
    pub fn uniform(days: u64) -> Self {
        Self { least: days, others: BTreeMap::new() }
    }

    /// Reads `interaction=2555,acme/entity=365`; what it does not name is kept for `least` days, and nothing for less.
    ///
    /// # Errors
    /// [`PolicyError::Classes`] with the first part that cannot be understood, is named twice or asks for less.
    pub fn parse(text: &str, least: u64) -> Result<Self, PolicyError> {
        let mut others = BTreeMap::new();
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            let read = || {
                let (name, days) = part.split_once('=')?;
                // A class alone is a class of any org; a log of it must be possible, or the name is a slip of the pen.
                let (org, class) = name.split_once('/').unwrap_or(("any", name));
                LogId::first_of(org, class).ok()?;
                Some((name.to_owned(), days.parse().ok().filter(|days| (least..=DAYS_MAX).contains(days))?))
            };
            let bad = || PolicyError::Classes { part: part.to_owned(), least };
            let (name, days) = read().ok_or_else(bad)?;
            if others.insert(name, days).is_some() {
                return Err(bad());
            }
        }
        Ok(Self { least, others })
    }

    /// For how many days a log's evidence is kept. Of what names it the longest name counts: `<org>/<class>` over
    /// `<class>` over all.
    pub fn days(&self, log: &LogId) -> u64 {
        let named = |name: &str| self.others.get(name).copied();
        named(&format!("{}/{}", log.org(), log.class())).or_else(|| named(log.class())).unwrap_or(self.least)
    }
}

/// How a deployment locks evidence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockPolicy {
    /// The mode of every lock.
    pub mode: LockMode,
    /// For how long, from writing.
    pub classes: Classes,
}

impl LockPolicy {
    /// Every log's evidence in this mode for so many days.
    pub fn uniform(mode: LockMode, days: u64) -> Self {
        Self { mode, classes: Classes::uniform(days) }
    }

    /// From the variables `LOCK_MODE`, `RETENTION_DAYS` and `RETENTION_CLASSES`, as a deployment gives them to its functions; one
    /// that is absent is an empty text.
    ///
    /// # Errors
    /// The first of them that cannot be used.
    pub fn read(mut variable: impl FnMut(&str) -> String) -> Result<Self, PolicyError> {
        Self::parse(&variable(MODE), &variable(DAYS), &variable(CLASSES))
    }

    /// From the texts of these variables.
    ///
    /// # Errors
    /// The first of them that cannot be used.
    pub fn parse(mode: &str, days: &str, classes: &str) -> Result<Self, PolicyError> {
        let mode = match mode {
            "GOVERNANCE" => LockMode::Governance,
            "COMPLIANCE" => LockMode::Compliance,
            _ => return Err(PolicyError::Mode),
        };
        let days = days.parse().ok().filter(|days| (1..=DAYS_MAX).contains(days)).ok_or(PolicyError::Days)?;
        Ok(Self { mode, classes: Classes::parse(classes, days)? })
    }

    /// The lock that evidence of this log must have, if it was written then (epoch seconds).
    fn demands(&self, log: &LogId, written_s: u64) -> Lock {
        let retain_until_s = written_s.saturating_add(self.classes.days(log).saturating_mul(DAY_S));
        Lock { mode: self.mode, retain_until_s }
    }

    /// The lock that evidence of this log lacks, if it was written then and has this one: what the policy demands, and no less
    /// than it has. `None` if it has enough, and of what the policy's time is over for, which no lock can be put on any more.
    /// Times in epoch milliseconds.
    pub fn lacking(&self, log: &LogId, held: Option<Lock>, written_ms: u64, now_ms: u64) -> Option<Lock> {
        let demanded = self.demands(log, written_ms / 1000);
        // Locks are set before the store notes when it wrote.
        let enough = Lock { retain_until_s: demanded.retain_until_s.saturating_sub(CLOCK_SLACK_S), ..demanded };
        let is_over = demanded.retain_until_s <= now_ms / 1000;
        let is_enough = is_over || held.is_some_and(|held| held.covers(&enough));
        (!is_enough).then(|| held.map_or(demanded, |held| held.stronger(&demanded)))
    }

    /// The lock of what is written now (epoch milliseconds), an hour longer than demanded: the bucket refuses a lock of less
    /// than the retention, which S3 counts in days from its own clock when the put arrives, and it does not say how it
    /// rounds.
    pub fn lock(&self, log: &LogId, now_ms: u64) -> Lock {
        let demanded = self.demands(log, now_ms / 1000);
        Lock { retain_until_s: demanded.retain_until_s.saturating_add(HOUR_S), ..demanded }
    }
}

/// What is wrong with a deployment's policy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// Another word, or none.
    #[error("is no mode of locks")]
    Mode,
    /// No number of days.
    #[error("is no number of days")]
    Days,
    /// No list of classes.
    #[error(
        "has {part:?} where <class>=<days> or <org>/<class>=<days> is expected, once each, of {least} to {DAYS_MAX} days"
    )]
    Classes {
        /// What cannot be used.
        part: String,
        /// The days of what is not named, and the least.
        least: u64,
    },
}

impl PolicyError {
    /// The setting that is wrong.
    pub fn variable(&self) -> &'static str {
        match self {
            Self::Mode => MODE,
            Self::Days => DAYS,
            Self::Classes { .. } => CLASSES,
        }
    }

    /// What to do.
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::Mode => "set one of GOVERNANCE, COMPLIANCE",
            Self::Days => "set for how many days evidence is locked at least, 1 for a trial, 36500 at most",
            Self::Classes { .. } => {
                "set classes that are kept for longer, such as interaction=2555,acme/entity=3650, or nothing"
            }
        }
    }
}

const MODE: &str = "LOCK_MODE";
const DAYS: &str = "RETENTION_DAYS";
const CLASSES: &str = "RETENTION_CLASSES";
const CLOCK_SLACK_S: u64 = 60;
const HOUR_S: u64 = 60 * 60;
const DAY_S: u64 = 24 * HOUR_S;

#[cfg(test)]
mod tests {
    use super::*;

    fn days(classes: &str, log: &str) -> u64 {
        Classes::parse(classes, 7).unwrap().days(&LogId::parse(log).unwrap())
    }

    #[test]
    fn the_longest_name_wins_and_the_rest_has_the_least() {
        for classes in ["interaction=2555, acme/interaction=30", "acme/interaction=30,interaction=2555"] {
            assert_eq!(days(classes, "acme/interaction/1/0"), 30);
            assert_eq!(days(classes, "acme/interaction/2/3"), 30);
            assert_eq!(days(classes, "globex/interaction/1/0"), 2555);
            assert_eq!(days(classes, "acme/entity/1/0"), 7);
        }
        assert_eq!(days("", "acme/entity/1/0"), 7);
    }

    #[test]
    fn slips_of_the_pen_are_refused() {
        for bad in [
            "interaction",
            "interaction=",
            "interaction=6",
            "interaction=36501",
            "a=9,a=9",
            "A=9",
            "a b=9",
            "=9",
            "/a=9",
            "x/y/z=9",
            "a=9.5",
        ] {
            let error = Classes::parse(bad, 7).unwrap_err();
            assert_eq!(error.variable(), "RETENTION_CLASSES", "{bad}");
            assert!(error.to_string().contains("of 7 to 36500 days"), "{error}");
        }
        assert_eq!(LockPolicy::parse("NONE", "1", ""), Err(PolicyError::Mode));
        for bad in ["", "0", "36501", "x", "-1"] {
            assert_eq!(LockPolicy::parse("COMPLIANCE", bad, ""), Err(PolicyError::Days), "{bad}");
        }
    }

    #[test]
    fn what_a_version_lacks_is_never_less_than_it_has() {
        let policy = LockPolicy::parse("COMPLIANCE", "10", "").unwrap();
        let (log, written_ms) = (LogId::parse("acme/entity/1/0").unwrap(), 1_000_000_000);
        let lock = |mode, retain_until_s| Lock { mode, retain_until_s };
        let until = written_ms / 1000 + 10 * DAY_S;
        let lacking = |held, now_s: u64| policy.lacking(&log, held, written_ms, now_s * 1000);
        assert_eq!(lacking(None, 0), Some(lock(LockMode::Compliance, until)));
        assert_eq!(lacking(Some(lock(LockMode::Compliance, until - 60)), 0), None);
        assert_eq!(lacking(Some(lock(LockMode::Compliance, until - 61)), 0), Some(lock(LockMode::Compliance, until)));
        let longer = Some(lock(LockMode::Governance, until + 5));
        assert_eq!(lacking(longer, 0), Some(lock(LockMode::Compliance, until + 5)));
        assert_eq!(lacking(None, until - 1), Some(lock(LockMode::Compliance, until)));
        assert_eq!(lacking(None, until), None);
    }

    #[test]
    fn a_lock_lasts_for_its_class_and_an_hour_more() {
        let policy = LockPolicy::parse("COMPLIANCE", "1", "interaction=10").unwrap();
        let lock = |log| policy.lock(&LogId::parse(log).unwrap(), 5_999);
        let until = |days: u64| Lock { mode: LockMode::Compliance, retain_until_s: 5 + days * DAY_S + HOUR_S };
        assert_eq!(lock("acme/interaction/1/0"), until(10));
        assert_eq!(lock("acme/entity/1/0"), until(1));
        let demanded = policy.demands(&LogId::parse("acme/entity/1/0").unwrap(), 5);
        assert_eq!(demanded.retain_until_s, 5 + DAY_S);
        assert_eq!(policy.demands(&LogId::parse("acme/entity/1/0").unwrap(), u64::MAX).retain_until_s, u64::MAX);
    }
}
