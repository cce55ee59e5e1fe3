//! For how long evidence is locked, and in which mode: a deployment's policy, by the retention class of the log.
//!
//! Invariant: whatever a deployment says is understood whole or refused, and no class is locked for less than the days
//! that the bucket's own policy demands of every put.

use std::collections::BTreeMap;
use std::fmt;

use crate::lock::{Lock, LockMode};
use crate::log::{CLASSES, LogId};

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
                // A class alone is a class of any org. One that no log has is a slip of the pen: what it was to keep would go.
                let (org, class) = name.split_once('/').unwrap_or(("any", name));
                LogId::first_of(org, class).ok().filter(|_| CLASSES.contains(&class))?;
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

    /// The days of what nothing names: none is kept for less.
    pub fn least(&self) -> u64 {
        self.least
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
    /// All of them that cannot be used; classes are judged by days that can.
    pub fn read(mut variable: impl FnMut(&str) -> String) -> Result<Self, Vec<PolicyError>> {
        let mode = match variable(MODE).as_str() {
            GOVERNANCE => Ok(LockMode::Governance),
            COMPLIANCE => Ok(LockMode::Compliance),
            _ => Err(PolicyError::Mode),
        };
        let days = variable(DAYS).parse().ok().filter(|days| (1..=DAYS_MAX).contains(days)).ok_or(PolicyError::Days);
        let classes = Classes::parse(&variable(RETENTION_CLASSES), *days.as_ref().unwrap_or(&1));
        match (mode, days, classes) {
            (Ok(mode), Ok(_), Ok(classes)) => Ok(Self { mode, classes }),
            (mode, days, classes) => Err([mode.err(), days.err(), classes.err()].into_iter().flatten().collect()),
        }
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

/// As a person reads it: `COMPLIANCE, 365 days; interaction 2555`.
impl fmt::Display for LockPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mode = match self.mode {
            LockMode::Governance => GOVERNANCE,
            LockMode::Compliance => COMPLIANCE,
        };
        let least = self.classes.least;
        write!(f, "{mode}, {least} {}", if least == 1 { "day" } else { "days" })?;
        let mut between = "; ";
        for (name, days) in &self.classes.others {
            write!(f, "{between}{name} {days}")?;
            between = ", ";
        }
        Ok(())
    }
}

/// What is wrong with a deployment's policy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// Another word, or none.
    #[error("is no mode of locks")]
    Mode,
    /// No number of days.
    #[error("is no number of days from 1 to {DAYS_MAX}")]
    Days,
    /// No list of classes.
    #[error(
        "has {part:?} where <class>=<days> or <org>/<class>=<days> is expected, once each, of {least} to {DAYS_MAX} days; \
         classes are {}", CLASSES.join(", ")
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
            Self::Classes { .. } => RETENTION_CLASSES,
        }
    }

    /// What to do.
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::Mode => "set one of GOVERNANCE, COMPLIANCE",
            Self::Days => "set for how many days evidence is locked at least, 1 for a trial",
            Self::Classes { .. } => {
                "set classes that have days of their own, such as interaction=2555,acme/entity=3650, or nothing"
            }
        }
    }
}

const MODE: &str = "LOCK_MODE";
const DAYS: &str = "RETENTION_DAYS";
const RETENTION_CLASSES: &str = "RETENTION_CLASSES";
const GOVERNANCE: &str = "GOVERNANCE";
const COMPLIANCE: &str = "COMPLIANCE";
const CLOCK_SLACK_S: u64 = 60;
const HOUR_S: u64 = 60 * 60;
const DAY_S: u64 = 24 * HOUR_S;

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(mode: &str, days: &str, classes: &str) -> Result<LockPolicy, Vec<PolicyError>> {
        let given = [(MODE, mode), (DAYS, days), (RETENTION_CLASSES, classes)];
        LockPolicy::read(|name| given.iter().find(|(known, _)| *known == name).unwrap().1.to_owned())
    }

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
            "entity=9,entity=9",
            "Entity=9",
            "interactions=9",
            "a b/entity=9",
            "=9",
            "/entity=9",
            "x/y/entity=9",
            "entity=9.5",
        ] {
            let error = Classes::parse(bad, 7).unwrap_err();
            assert_eq!(error.variable(), "RETENTION_CLASSES", "{bad}");
            assert!(error.to_string().contains("of 7 to 36500 days"), "{error}");
        }
        for bad in ["", "0", "36501", "x", "-1"] {
            assert_eq!(policy("COMPLIANCE", bad, ""), Err(vec![PolicyError::Days]), "{bad}");
        }
        let all = policy("NONE", "0", "entity").unwrap_err();
        assert_eq!(all.iter().map(PolicyError::variable).collect::<Vec<_>>(), [MODE, DAYS, RETENTION_CLASSES]);
    }

    #[test]
    fn what_a_version_lacks_is_never_less_than_it_has() {
        let policy = policy("COMPLIANCE", "10", "").unwrap();
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
    fn a_policy_is_told_in_a_line() {
        let told = |mode, days, classes| policy(mode, days, classes).unwrap().to_string();
        assert_eq!(told("GOVERNANCE", "1", ""), "GOVERNANCE, 1 day");
        let classes = "interaction=2555,acme/entity=400";
        assert_eq!(told("COMPLIANCE", "365", classes), "COMPLIANCE, 365 days; acme/entity 400, interaction 2555");
    }

    #[test]
    fn a_lock_lasts_for_its_class_and_an_hour_more() {
        let policy = policy("COMPLIANCE", "1", "interaction=10").unwrap();
        let lock = |log| policy.lock(&LogId::parse(log).unwrap(), 5_999);
        let until = |days: u64| Lock { mode: LockMode::Compliance, retain_until_s: 5 + days * DAY_S + HOUR_S };
        assert_eq!(lock("acme/interaction/1/0"), until(10));
        assert_eq!(lock("acme/entity/1/0"), until(1));
        let demanded = policy.demands(&LogId::parse("acme/entity/1/0").unwrap(), 5);
        assert_eq!(demanded.retain_until_s, 5 + DAY_S);
        assert_eq!(policy.demands(&LogId::parse("acme/entity/1/0").unwrap(), u64::MAX).retain_until_s, u64::MAX);
    }
}
