//! What the function reads from its environment, checked whole at cold start.

use ledgerline_custody::publication::Settings;
use ledgerline_lambda::config::{ConfigError, Env};
use ledgerline_ledger::lock::LockMode;
use ledgerline_ledger::retention::{DAYS_MAX, LockPolicy};

/// The function's configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// The table of heads, markers and OBJ rows.
    pub control_table: String,
    /// The table of postings.
    pub index_table: String,
    /// The bucket of plans and poison.
    pub staged_bucket: String,
    /// The bucket with Object Lock.
    pub ledger_bucket: String,
    /// The queue of pointers, to which failed ones return within seconds.
    pub queue_url: String,
    /// The KMS key that signs checkpoints.
    pub signing_key: String,
    /// How an append locks and marks.
    pub append: AppendConfig,
}

/// How an append locks, publishes and marks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppendConfig {
    /// How segments are locked and logs published.
    pub publication: Settings,
    /// How long markers are kept: as long as claims, which outlive every redelivery.
    pub marker_days: u64,
}

impl Config {
    /// Reads and checks the environment.
    ///
    /// # Errors
    /// Everything that is wrong with it, at once.
    pub fn from_env(mut env: Env) -> Result<Self, ConfigError> {
        let locks = LockPolicy::read(|variable| env.text_or(variable, "")).unwrap_or_else(|errors| {
            for error in errors {
                env.reject(error.variable(), &error.to_string(), error.remedy());
            }
            LockPolicy::uniform(LockMode::Governance, 1)
        });
        let config = Self {
            control_table: env.text("CONTROL_TABLE"),
            index_table: env.text("INDEX_TABLE"),
            staged_bucket: env.text("STAGED_BUCKET"),
            ledger_bucket: env.text("LEDGER_BUCKET"),
            queue_url: env.text("LEDGER_QUEUE_URL"),
            signing_key: env.text("SIGNING_KEY_ID"),
            append: AppendConfig {
                publication: Settings { deployment: env.text("DEPLOYMENT_ID"), locks },
                marker_days: env.number("CLAIM_DAYS", DEFAULT_CLAIM_DAYS, 30..=DAYS_MAX),
            },
        };
        env.finish().map(|()| config)
    }
}

/// Claims' own default; markers must outlive 14 days in the queue and 14 more in its dead-letter queue.
const DEFAULT_CLAIM_DAYS: u64 = 400;

#[cfg(test)]
mod tests {
    use ledgerline_ledger::retention::Classes;

    use super::*;

    fn env(change: (&'static str, &'static str)) -> Env {
        let defaults = [
            ("CONTROL_TABLE", "control"),
            ("INDEX_TABLE", "index"),
            ("STAGED_BUCKET", "staged"),
            ("LEDGER_BUCKET", "ledger"),
            ("SIGNING_KEY_ID", "key"),
            ("DEPLOYMENT_ID", "trial"),
            ("LEDGER_QUEUE_URL", "http://localhost/q.fifo"),
            ("LOCK_MODE", "COMPLIANCE"),
            ("RETENTION_DAYS", "2555"),
            ("RETENTION_CLASSES", "entity=3650"),
            ("CLAIM_DAYS", "500"),
        ];
        Env::from_lookup(move |name| {
            let value = if change.0 == name { Some(change.1) } else { None };
            value.or(defaults.iter().find(|(known, _)| *known == name).map(|(_, value)| *value)).map(str::to_owned)
        })
    }

    #[test]
    fn a_complete_environment_is_accepted() {
        let config = Config::from_env(env(("", ""))).unwrap();
        let locks = LockPolicy { mode: LockMode::Compliance, classes: Classes::parse("entity=3650", 2555).unwrap() };
        let publication = Settings { deployment: "trial".to_owned(), locks };
        let append = AppendConfig { publication, marker_days: 500 };
        assert_eq!((config.append, config.ledger_bucket.as_str()), (append, "ledger"));
    }

    #[test]
    fn every_bad_value_is_refused_by_name() {
        for (name, value) in [
            ("CONTROL_TABLE", ""),
            ("INDEX_TABLE", ""),
            ("STAGED_BUCKET", ""),
            ("LEDGER_BUCKET", ""),
            ("LEDGER_QUEUE_URL", ""),
            ("SIGNING_KEY_ID", ""),
            ("DEPLOYMENT_ID", ""),
            ("LOCK_MODE", "COMPLY"),
            ("LOCK_MODE", ""),
            ("RETENTION_DAYS", "0"),
            ("RETENTION_DAYS", ""),
            ("RETENTION_DAYS", "36501"),
            ("RETENTION_CLASSES", "entity=365"),
            ("CLAIM_DAYS", "1"),
        ] {
            let error = Config::from_env(env((name, value))).unwrap_err().to_string();
            assert!(error.contains(name), "{name}={value}: {error}");
        }
    }
}
