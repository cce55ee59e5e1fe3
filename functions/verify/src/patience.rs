//! For how long a log may be silent: one time for all, and others for classes or for an org's class.
//!
//! Invariant: whatever a deployment says is understood whole or refused; a log that nothing names has the default.

use ledgerline_ledger::log::{LogId, REQUESTS};

/// The hours of silence that each log is granted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Patience {
    default_hours: i64,
    /// By `<org>/<class>` or `<class>`.
    others: Vec<(String, i64)>,
}

impl Patience {
    /// Reads `72` or `72,entity=720,acme/interaction=24`.
    ///
    /// # Errors
    /// The first part that cannot be understood, and why.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut parts = text.split(',');
        let default_hours = hours(parts.next().unwrap_or_default())?;
        let mut others: Vec<(String, i64)> = Vec::new();
        for part in parts {
            let (of, after) = part.split_once('=').ok_or_else(|| {
                format!(
                    "has {part:?} where <class>=<hours> or <org>/<class>=<hours> is expected; the default comes first"
                )
            })?;
            // A class alone is a class of any org.
            let (org, class) = of.split_once('/').unwrap_or(("any", of));
            LogId::first_of(org, class)
                .map_err(|_| format!("has {of:?}, which is neither a class nor <org>/<class>"))?;
            if others.iter().any(|(known, _)| known == of) {
                return Err(format!("names {of} twice"));
            }
            others.push((of.to_owned(), hours(after)?));
        }
        Ok(Self { default_hours, others })
    }

    /// After how long without a source's entry this log counts as fallen silent, in milliseconds. Of what names it the
    /// longest counts: `<org>/<class>` over `<class>` over the default. No source feeds a log of requests: none is silent.
    pub fn of_ms(&self, log: &LogId) -> i64 {
        if log.class() == REQUESTS {
            return i64::MAX;
        }
        let mut parts = log.as_str().split('/');
        let (org, class) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        let named = |name: &str| self.others.iter().find(|(of, _)| of == name).map(|(_, hours)| *hours);
        named(&format!("{org}/{class}")).or_else(|| named(class)).unwrap_or(self.default_hours) * HOUR_MS
    }
}

fn hours(text: &str) -> Result<i64, String> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let hours = text.parse().ok().filter(|hours| digits && (1..=MAX_HOURS).contains(hours));
    hours.ok_or_else(|| format!("has {text:?} where a whole number of hours from 1 to {MAX_HOURS} is expected"))
}

const HOUR_MS: i64 = 3_600_000;
/// A year.
const MAX_HOURS: i64 = 8_760;

#[cfg(test)]
mod tests {
    use super::*;

    fn of(patience: &str, log: &str) -> i64 {
        Patience::parse(patience).unwrap().of_ms(&LogId::parse(log).unwrap()) / HOUR_MS
    }

    #[test]
    fn the_longest_name_wins_whatever_the_order() {
        for patience in ["72,entity=720,acme/entity=24", "72,acme/entity=24,entity=720"] {
            assert_eq!(of(patience, "acme/entity/1/0"), 24);
            assert_eq!(of(patience, "acme/entity/2/3"), 24);
            assert_eq!(of(patience, "globex/entity/1/0"), 720);
            assert_eq!(of(patience, "big-acme/entity/1/0"), 720);
            assert_eq!(of(patience, "acme/interaction/1/0"), 72);
        }
        assert_eq!(of("8760", "acme/entity/1/0"), 8760);
        assert_eq!(of("1,request=1", "acme/request/1/0"), i64::MAX / HOUR_MS);
    }

    #[test]
    fn what_is_wrong_is_said_exactly() {
        let number = |text: &str| format!("has {text:?} where a whole number of hours from 1 to 8760 is expected");
        let pair = |part: &str| {
            format!("has {part:?} where <class>=<hours> or <org>/<class>=<hours> is expected; the default comes first")
        };
        let name = |of: &str| format!("has {of:?}, which is neither a class nor <org>/<class>");
        for (text, problem) in [
            ("", number("")),
            ("0", number("0")),
            ("8761", number("8761")),
            ("+7", number("+7")),
            ("entity=720", number("entity=720")),
            ("72,", pair("")),
            ("72,24", pair("24")),
            ("72,entity=", number("")),
            ("72,entity=1.5", number("1.5")),
            ("72, entity=24", name(" entity")),
            ("72,acme/=24", name("acme/")),
            ("72,acme/entity/1/0=24", name("acme/entity/1/0")),
            ("72,entity=24,entity=24", "names entity twice".to_owned()),
        ] {
            assert_eq!(Patience::parse(text), Err(problem), "{text:?}");
        }
    }
}
