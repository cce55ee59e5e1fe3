//! What the function reads from its environment, checked whole at cold start.

use ledgerline_custody::publication;
use ledgerline_custody::reconciliation::LATE_AFTER_HOURS_MAX;
use ledgerline_custody::retention::Triggers;
use ledgerline_lambda::config::{ConfigError, Env};
use ledgerline_ledger::lock::LockMode;
use ledgerline_ledger::retention::{DAYS_MAX, LockPolicy};

/// The function's configuration.
#[derive(Debug, Clone)]
pub struct Config {
    /// The table of heads, logs, objects' rows and months' keys.
    pub control_table: String,
    /// The table of postings.
    pub index_table: String,
    /// The bucket of plans and of this function's state.
    pub staged_bucket: String,
    /// The bucket with Object Lock.
    pub ledger_bucket: String,
    /// transform's queue.
    pub bronze_queue_url: String,
    /// audit-write's queue.
    pub ledger_queue_url: String,
    /// The eraser's queue.
    pub erase_queue_url: String,
    /// The KMS key that signs checkpoints.
    pub signing_key_id: String,
    /// The KMS key that wraps the private halves of months' keys.
    pub data_key_id: String,
    /// What decides how a run goes.
    pub settings: Settings,
}

/// What decides how a run goes.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The bucket whose objects are notified.
    pub bronze_bucket: String,
    /// How checkpoints are signed and objects locked.
    pub publication: publication::Settings,
    /// After how long without an event an interaction is complete.
    pub silence_ms: i64,
    /// What keeps evidence for longer than its class.
    pub triggers: Triggers,
    /// How late ingest puts an event into the partition of its occurrence.
    pub late_after_ms: i64,
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
            bronze_queue_url: env.text("BRONZE_QUEUE_URL"),
            ledger_queue_url: env.text("LEDGER_QUEUE_URL"),
            erase_queue_url: env.text("ERASE_QUEUE_URL"),
            signing_key_id: env.text("SIGNING_KEY_ID"),
            data_key_id: env.text("DATA_KEY_ID"),
            settings: Settings {
                bronze_bucket: env.text("BRONZE_BUCKET"),
                publication: publication::Settings { deployment: env.text("DEPLOYMENT_ID"), locks },
                silence_ms: env.number("SILENCE_HOURS", DEFAULT_SILENCE_HOURS, 1..=SILENCE_HOURS_MAX) * HOUR_MS,
                triggers: triggers(&mut env),
                late_after_ms: env.number("LATE_AFTER_HOURS", DEFAULT_LATE_AFTER_HOURS, 1..=LATE_AFTER_HOURS_MAX)
                    * HOUR_MS,
            },
        };
        env.finish().map(|()| config)
    }
}

fn triggers(env: &mut Env) -> Triggers {
    let text = env.text_or("AUDIT_TRIGGERS", "");
    let types: Vec<String> =
        text.split(',').map(str::trim).filter(|word| !word.is_empty()).map(str::to_owned).collect();
    let is_type = |word: &String| word.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'.');
    if !types.iter().all(is_type) {
        env.reject("AUDIT_TRIGGERS", "names no event types", "set event types such as survey,data.access");
    }
    let days = env.number("EXTEND_DAYS", 0, 1..=DAYS_MAX);
    if !types.is_empty() && days == 0 {
        env.reject("EXTEND_DAYS", "is not set", "set for how many days a trigger keeps its record's evidence");
    }
    Triggers { types, days }
}

const HOUR_MS: i64 = 60 * 60 * 1000;
const DEFAULT_SILENCE_HOURS: i64 = 24;
/// ingest's own default.
const DEFAULT_LATE_AFTER_HOURS: i64 = 48;
/// A year: what is silent for longer was never going to end.
const SILENCE_HOURS_MAX: i64 = 366 * 24;

#[cfg(test)]
mod tests {
    use super::*;

    type Changes = &'static [(&'static str, &'static str)];

    fn env(changes: Changes) -> Env {
        Env::from_lookup(move |name| {
            let changed = changes.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
            changed.or_else(|| match name {
                "LOCK_MODE" => Some("COMPLIANCE".to_owned()),
                "RETENTION_DAYS" => Some("30".to_owned()),
                "SILENCE_HOURS" | "RETENTION_CLASSES" | "AUDIT_TRIGGERS" | "EXTEND_DAYS" | "LATE_AFTER_HOURS" => None,
                name => Some(name.to_ascii_lowercase()),
            })
        })
    }

    #[test]
    fn a_whole_environment_is_read() {
        let config = Config::from_env(env(&[
            ("RETENTION_CLASSES", "interaction=2555"),
            ("AUDIT_TRIGGERS", "survey, data.access"),
            ("EXTEND_DAYS", "365"),
        ]));
        let settings = config.unwrap().settings;
        let log = |text| ledgerline_ledger::log::LogId::parse(text).unwrap();
        assert_eq!(settings.publication.locks.classes.days(&log("acme/interaction/1/0")), 2555);
        assert_eq!(settings.publication.locks.classes.days(&log("acme/entity/1/0")), 30);
        assert_eq!(
            settings.triggers,
            Triggers { types: vec!["survey".to_owned(), "data.access".to_owned()], days: 365 }
        );
        assert_eq!((settings.silence_ms, settings.late_after_ms), (24 * HOUR_MS, 48 * HOUR_MS));
        assert_eq!(settings.publication.deployment, "deployment_id");
    }

    #[test]
    fn each_bad_value_is_named_with_its_remedy() {
        let cases: [(Changes, &str, &str); 9] = [
            (&[("LATE_AFTER_HOURS", "201")], "LATE_AFTER_HOURS", "from 1 to 200"),
            (&[("RETENTION_DAYS", "0")], "RETENTION_DAYS", "1 for a trial"),
            (&[("RETENTION_CLASSES", "interaction=29")], "RETENTION_CLASSES", "of 30 to 36500 days"),
            (&[("AUDIT_TRIGGERS", "Survey"), ("EXTEND_DAYS", "1")], "AUDIT_TRIGGERS", "survey"),
            (&[("AUDIT_TRIGGERS", "survey")], "EXTEND_DAYS", "for how many days"),
            (&[("SILENCE_HOURS", "0")], "SILENCE_HOURS", "from 1 to 8784"),
            (&[("LOCK_MODE", "none")], "LOCK_MODE", "GOVERNANCE"),
            (&[("SIGNING_KEY_ID", "")], "SIGNING_KEY_ID", "set it"),
            (&[("DATA_KEY_ID", "")], "DATA_KEY_ID", "set it"),
        ];
        for (changes, name, remedy) in cases {
            let message = Config::from_env(env(changes)).unwrap_err().to_string();
            assert!(message.contains(name) && message.contains(remedy), "{message}");
        }
    }
}
