//! What the function is told at cold start.

use ledgerline_custody::own::{self, BadItems, OwnItem};
use ledgerline_lambda::config::{ConfigError, Env};
use ledgerline_privacy::{BadRegion, Region};

/// The function's configuration.
#[derive(Clone, Debug)]
pub struct Config {
    /// The deployment, which page tokens belong to.
    pub deployment: String,
    /// Heads and wrapped keys.
    pub control_table: String,
    /// Postings.
    pub index_table: String,
    /// Identifiers, subjects, links.
    pub keys_table: String,
    /// The evidence.
    pub ledger_bucket: String,
    /// Where plans of acts go.
    pub staged_bucket: String,
    /// audit-write's queue.
    pub ledger_queue_url: String,
    /// The KMS key that wraps the data keys.
    pub data_key_id: String,
    /// Where phone numbers in requests belong to that say no country; transform must have the same.
    pub region: Region,
    /// The company's own numbers, addresses and domains, in every org; transform must have the same.
    pub own_numbers: Vec<OwnItem>,
    /// Links that a subject may have; transform must have the same.
    pub fan_out_cap: u64,
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
        let config = Self {
            deployment: env.text("DEPLOYMENT_ID"),
            control_table: env.text("CONTROL_TABLE"),
            index_table: env.text("INDEX_TABLE"),
            keys_table: env.text("KEYS_TABLE"),
            ledger_bucket: env.text("LEDGER_BUCKET"),
            staged_bucket: env.text("STAGED_BUCKET"),
            ledger_queue_url: env.text("LEDGER_QUEUE_URL"),
            data_key_id: env.text("DATA_KEY_ID"),
            region,
            own_numbers,
            fan_out_cap: env.number("FAN_OUT_CAP", 5000, 1..=1_000_000),
        };
        env.finish().map(|()| config)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: [&str; 8] = [
        "DEPLOYMENT_ID",
        "CONTROL_TABLE",
        "INDEX_TABLE",
        "KEYS_TABLE",
        "LEDGER_BUCKET",
        "STAGED_BUCKET",
        "LEDGER_QUEUE_URL",
        "DATA_KEY_ID",
    ];

    #[test]
    fn every_variable_that_is_missing_is_named() {
        let error = Config::from_env(Env::from_lookup(|_| None)).unwrap_err().to_string();
        for name in NAMES {
            assert!(error.contains(name), "{name} missing in {error}");
        }
    }

    #[test]
    fn the_fan_out_cap_is_checked_and_defaults_to_transforms() {
        let with = |cap: Option<&'static str>| {
            Config::from_env(Env::from_lookup(move |name| match name {
                "FAN_OUT_CAP" => cap.map(str::to_owned),
                "DEFAULT_REGION" | "OWN_NUMBERS" => None,
                _ => Some("x".to_owned()),
            }))
        };
        assert_eq!(with(None).unwrap().fan_out_cap, 5000);
        assert_eq!(with(Some("7")).unwrap().fan_out_cap, 7);
        for wrong in ["0", "1000001", "none"] {
            assert!(with(Some(wrong)).unwrap_err().to_string().contains("FAN_OUT_CAP"), "{wrong}");
        }
    }

    #[test]
    fn own_numbers_are_checked_and_an_item_that_is_none_is_told_by_its_place() {
        let with = |own: Option<&'static str>| {
            Config::from_env(Env::from_lookup(move |name| match name {
                "OWN_NUMBERS" => own.map(str::to_owned),
                "FAN_OUT_CAP" | "DEFAULT_REGION" => None,
                _ => Some("x".to_owned()),
            }))
        };
        assert_eq!(with(None).unwrap().own_numbers, []);
        assert_eq!(with(Some("example.com, @example.org")).unwrap().own_numbers.len(), 2);
        let error = with(Some("example.com,+4930,help@example.com")).unwrap_err().to_string();
        assert!(
            error.contains("OWN_NUMBERS has item 2: not a phone number") && error.contains("with + and"),
            "{error}"
        );
        assert!(!error.contains("4930") && !error.contains("help@"), "{error}");
    }

    #[test]
    fn a_region_is_checked_and_defaults_to_the_united_states() {
        let with = |region: Option<&'static str>| {
            Config::from_env(Env::from_lookup(move |name| match name {
                "DEFAULT_REGION" => region.map(str::to_owned),
                "FAN_OUT_CAP" | "OWN_NUMBERS" => None,
                _ => Some("x".to_owned()),
            }))
        };
        assert_eq!(with(None).unwrap().region, Region::US);
        assert_eq!(with(Some("gb")).unwrap().region.to_string(), "GB");
        let error = with(Some("+44")).unwrap_err().to_string();
        assert!(error.contains("DEFAULT_REGION") && !error.contains("+44"), "{error}");
    }
}
