//! What the function is told at cold start.

use ledgerline_custody::own::{self, BadItems, OwnItem};
use ledgerline_custody::request::machine::{Rules, Separation};
use ledgerline_lambda::config::{ConfigError, Env};
use ledgerline_privacy::{BadRegion, Region};

/// The function's configuration.
#[derive(Clone, Debug)]
pub struct Config {
    /// Requests, wrapped keys, rows and notes of acts.
    pub control_table: String,
    /// Postings, and which bronze objects hold lines.
    pub index_table: String,
    /// Whom requests are about; identifiers, subjects, links.
    pub keys_table: String,
    /// Where plans of acts go.
    pub staged_bucket: String,
    /// audit-write's queue.
    pub ledger_queue_url: String,
    /// The eraser's queue.
    pub erase_queue_url: String,
    /// The KMS key that wraps the data keys.
    pub data_key_id: String,
    /// What decides how requests are dealt with.
    pub settings: Settings,
}

/// What decides how requests are dealt with.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The deployment, which data keys belong to.
    pub deployment: String,
    /// Where phone numbers in requests belong to that say no country; transform must have the same.
    pub region: Region,
    /// The company's own numbers, addresses and domains, in every org; transform must have the same.
    pub own_numbers: Vec<OwnItem>,
    /// Links that a subject may have; transform must have the same.
    pub fan_out_cap: u64,
    /// Who may approve, and how long an erasure can be taken back.
    pub rules: Rules,
    /// Requests that one principal may make in a day, and previews that one may look at.
    pub daily_cap: u64,
    /// For how long it is kept whom a request was about that was taken back or refused.
    pub closed_kept_days: i64,
}

impl Config {
    /// Reads and checks the environment.
    ///
    /// # Errors
    /// All that is wrong with it.
    pub fn from_env(mut env: Env) -> Result<Self, ConfigError> {
        let region = env.text_or("DEFAULT_REGION", "US").parse().unwrap_or_else(|error: BadRegion| {
            env.reject("DEFAULT_REGION", &error.to_string(), "set the template's parameter DefaultRegion");
            Region::US
        });
        let own_numbers = own::parse_list(&env.text_or("OWN_NUMBERS", ""), region).unwrap_or_else(|bad| {
            env.reject("OWN_NUMBERS", &format!("has {bad}"), BadItems::REMEDY);
            Vec::new()
        });
        let separation = env.choice("REQUEST_SEPARATION", &Separation::WORDS).unwrap_or_default();
        let config = Self {
            control_table: env.text("CONTROL_TABLE"),
            index_table: env.text("INDEX_TABLE"),
            keys_table: env.text("KEYS_TABLE"),
            staged_bucket: env.text("STAGED_BUCKET"),
            ledger_queue_url: env.text("LEDGER_QUEUE_URL"),
            erase_queue_url: env.text("ERASE_QUEUE_URL"),
            data_key_id: env.text("DATA_KEY_ID"),
            settings: Settings {
                deployment: env.text("DEPLOYMENT_ID"),
                region,
                own_numbers,
                fan_out_cap: env.number("FAN_OUT_CAP", 5000, 1..=1_000_000),
                rules: Rules {
                    separation,
                    cooling_off_ms: env.number("ERASURE_COOLING_HOURS", 24, 0..=MAX_COOLING_HOURS) * HOUR_MS,
                },
                daily_cap: env.number("REQUESTS_PER_DAY", 100, 1..=1_000_000),
                closed_kept_days: env.number("CLOSED_REQUEST_DAYS", 30, 1..=3_650),
            },
        };
        env.finish().map(|()| config)
    }
}

const HOUR_MS: i64 = 3_600_000;
/// Two weeks: half of the time that the shortest clock gives.
const MAX_COOLING_HOURS: i64 = 336;

#[cfg(test)]
mod tests {
    use super::*;

    /// Names and the values that they have instead.
    type Changes = &'static [(&'static str, &'static str)];

    fn env(changes: Changes) -> Env {
        Env::from_lookup(move |name| {
            let changed = changes.iter().find(|(changed, _)| *changed == name).map(|(_, value)| (*value).to_owned());
            changed.or_else(|| match name {
                "REQUEST_SEPARATION" => Some("creator".to_owned()),
                "DEFAULT_REGION"
                | "OWN_NUMBERS"
                | "FAN_OUT_CAP"
                | "ERASURE_COOLING_HOURS"
                | "REQUESTS_PER_DAY"
                | "CLOSED_REQUEST_DAYS" => None,
                _ => Some(name.to_lowercase()),
            })
        })
    }

    #[test]
    fn what_is_not_said_has_its_default() {
        let config = Config::from_env(env(&[])).unwrap();
        let settings = config.settings;
        assert_eq!(settings.rules.separation, Separation::Creator);
        assert_eq!(settings.rules.cooling_off_ms, 24 * HOUR_MS);
        assert_eq!((settings.daily_cap, settings.closed_kept_days, settings.fan_out_cap), (100, 30, 5_000));
        assert_eq!((config.control_table.as_str(), settings.deployment.as_str()), ("control_table", "deployment_id"));
    }

    #[test]
    fn each_bad_value_is_named_with_its_remedy() {
        let cases: [(Changes, &str, &str); 6] = [
            (&[("REQUEST_SEPARATION", "nobody")], "REQUEST_SEPARATION", "creator, creator-and-verifier, all"),
            (&[("ERASURE_COOLING_HOURS", "337")], "ERASURE_COOLING_HOURS", "from 0 to 336"),
            (&[("REQUESTS_PER_DAY", "0")], "REQUESTS_PER_DAY", "from 1"),
            (&[("CLOSED_REQUEST_DAYS", "0")], "CLOSED_REQUEST_DAYS", "from 1 to 3650"),
            (&[("DEFAULT_REGION", "+44")], "DEFAULT_REGION", "DefaultRegion"),
            (&[("KEYS_TABLE", "")], "KEYS_TABLE", "set it"),
        ];
        for (changes, name, remedy) in cases {
            let message = Config::from_env(env(changes)).unwrap_err().to_string();
            assert!(message.contains(name) && message.contains(remedy), "{message}");
            assert!(!message.contains("+44") && !message.contains("nobody"), "{message}");
        }
    }
}
