//! What the function reads from its environment, checked whole at cold start.

use ledgerline_lambda::config::{ConfigError, Env};
use ledgerline_ledger::lock::LockMode;
use ledgerline_ledger::retention::LockPolicy;

use crate::patience::Patience;

/// The function's configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// The table of heads, and of what the last good run left.
    pub control_table: String,
    /// The table of postings.
    pub index_table: String,
    /// The bucket with Object Lock.
    pub ledger_bucket: String,
    /// The key that signs checkpoints.
    pub signing_key_id: String,
    /// The deployment's first one; the same where no key was rotated.
    pub first_signing_key_id: String,
    /// How to judge.
    pub rules: Rules,
}

/// What evidence is held against.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// The deployment's id: a log's origin is `<deployment id>/<log>`.
    pub deployment: String,
    /// What locks must be at least.
    pub locks: LockPolicy,
    /// For how long each log may be silent.
    pub patience: Patience,
}

impl Config {
    /// Reads and checks the environment.
    ///
    /// # Errors
    /// Everything that is wrong with it, at once.
    pub fn from_env(mut env: Env) -> Result<Self, ConfigError> {
        let patience = Patience::parse(&env.text_or("QUIET_HOURS", DEFAULT_QUIET_HOURS));
        if let Err(problem) = &patience {
            let remedy = "set hours, as 72, or with others by class or org, as 72,entity=720,acme/interaction=24";
            env.reject("QUIET_HOURS", problem, remedy);
        }
        let locks = LockPolicy::read(|variable| env.text_or(variable, "")).unwrap_or_else(|errors| {
            for error in errors {
                env.reject(error.variable(), &error.to_string(), error.remedy());
            }
            LockPolicy::uniform(LockMode::Governance, 1)
        });
        let config = Self {
            control_table: env.text("CONTROL_TABLE"),
            index_table: env.text("INDEX_TABLE"),
            ledger_bucket: env.text("LEDGER_BUCKET"),
            signing_key_id: env.text("SIGNING_KEY_ID"),
            first_signing_key_id: env.text("FIRST_SIGNING_KEY_ID"),
            rules: Rules { deployment: env.text("DEPLOYMENT_ID"), locks, patience: patience.unwrap_or_default() },
        };
        env.finish().map(|()| config)
    }
}

/// A weekend without a call is usual for many centres; a third day is worth a look.
const DEFAULT_QUIET_HOURS: &str = "72";

#[cfg(test)]
mod tests {
    use ledgerline_ledger::retention::Classes;

    use super::*;

    fn env(change: (&'static str, &'static str)) -> Env {
        let known = [
            ("CONTROL_TABLE", "control"),
            ("INDEX_TABLE", "index"),
            ("LEDGER_BUCKET", "ledger"),
            ("SIGNING_KEY_ID", "key"),
            ("FIRST_SIGNING_KEY_ID", "key"),
            ("DEPLOYMENT_ID", "trial"),
            ("LOCK_MODE", "COMPLIANCE"),
            ("RETENTION_DAYS", "2555"),
            ("RETENTION_CLASSES", "entity=3650"),
        ];
        Env::from_lookup(move |name| {
            let value = (change.0 == name).then_some(change.1);
            value.or(known.iter().find(|(known, _)| *known == name).map(|(_, value)| *value)).map(str::to_owned)
        })
    }

    #[test]
    fn a_complete_environment_is_accepted() {
        let config = Config::from_env(env(("QUIET_HOURS", "24,entity=720"))).unwrap();
        let classes = Classes::parse("entity=3650", 2555).unwrap();
        assert_eq!(config.rules.locks, LockPolicy { mode: LockMode::Compliance, classes });
        assert_eq!(config.rules.patience, Patience::parse("24,entity=720").unwrap());
        assert_eq!(Config::from_env(env(("", ""))).unwrap().rules.patience, Patience::parse("72").unwrap());
    }

    #[test]
    fn what_is_wrong_with_the_hours_is_said() {
        let error = Config::from_env(env(("QUIET_HOURS", "72,entity=soon"))).unwrap_err().to_string();
        assert!(
            error.contains("QUIET_HOURS has \"soon\" where a whole number of hours from 1 to 8760 is expected: set "),
            "{error}"
        );
    }

    #[test]
    fn a_bad_value_is_named() {
        for (name, value) in [
            ("LOCK_MODE", "SOFT"),
            ("QUIET_HOURS", "0"),
            ("RETENTION_DAYS", "x"),
            ("RETENTION_CLASSES", "entity=1"),
            ("SIGNING_KEY_ID", ""),
        ] {
            let error = Config::from_env(env((name, value))).unwrap_err().to_string();
            assert!(error.contains(name), "{error}");
        }
    }
}
