//! What the function is told at cold start.

use ledgerline_custody::own::{self, BadItems, OwnItem};
use ledgerline_custody::subjects::Limits;
use ledgerline_event::adapters::is_org;
use ledgerline_event::catalogue::Switches;
use ledgerline_lambda::config::{ConfigError, Env};
use ledgerline_privacy::{BadRegion, Region, Regions};

use crate::clients::{BadClients, Clients};

/// The function's configuration.
#[derive(Debug)]
pub struct Config {
    /// Signatures, orgs, tombstones, lists of own numbers, wrapped keys.
    pub control_table: String,
    /// The journal, and claims.
    pub index_table: String,
    /// Identifiers, subjects, links.
    pub keys_table: String,
    /// Where what the stream refuses is spilled.
    pub bronze_bucket: String,
    /// The delivery stream.
    pub stream_name: String,
    /// The queue of pointers to what was spilled.
    pub dead_letter_queue_url: String,
    /// The KMS key that wraps the data keys.
    pub data_key_id: String,
    /// Who may send.
    pub clients: Clients,
    /// What decides how events are read.
    pub settings: Settings,
}

/// What decides how events are read: all of it as transform has it, or a journaled event would be another than the planned one.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The deployment, which data keys belong to.
    pub deployment: String,
    /// The organisation of events that name none, of clients that have none.
    pub default_org: String,
    /// Where telephone numbers without their country belong to.
    pub regions: Regions,
    /// The company's own numbers, addresses and domains, in every org.
    pub own_numbers: Vec<OwnItem>,
    /// What is filtered beside what always is.
    pub switches: Switches,
    /// The sources whose records may have long numbers for ids.
    pub numeric_id_sources: Vec<String>,
    /// Links at which a subject is shared, and new links in a day at which it is busy.
    pub limits: Limits,
}

impl Config {
    /// Reads and checks the environment.
    ///
    /// # Errors
    /// All that is wrong with it.
    pub fn from_env(mut env: Env) -> Result<Self, ConfigError> {
        let default_org = env.text_or("DEFAULT_ORG", "default");
        if !is_org(&default_org) {
            env.reject("DEFAULT_ORG", "is not an organisation's name", "set 1 to 64 of A-Z a-z 0-9 . _ -");
        }
        let region = env.text_or("DEFAULT_REGION", "US").parse().unwrap_or_else(|error: BadRegion| {
            env.reject("DEFAULT_REGION", &error.to_string(), "set the template's parameter DefaultRegion");
            Region::US
        });
        let regions = Regions::new(region, &env.text_or("SOURCE_REGIONS", "")).unwrap_or_else(|error| {
            env.reject("SOURCE_REGIONS", &error.to_string(), "set the template's parameter SourceRegions");
            region.into()
        });
        let own_numbers = own::parse_list(&env.text_or("OWN_NUMBERS", ""), region).unwrap_or_else(|bad| {
            env.reject("OWN_NUMBERS", &format!("has {bad}"), BadItems::REMEDY);
            Vec::new()
        });
        let state_changes_only = env.flag("STATE_CHANGES_ONLY", false);
        let switches = Switches::new(state_changes_only, &env.text_or("KEEP_MEDIA", "")).unwrap_or_else(|error| {
            env.reject("KEEP_MEDIA", &error.to_string(), "set the template's parameter KeepMedia");
            Switches::default()
        });
        let numeric = env.text_or("NUMERIC_ID_SOURCES", "");
        let numeric = numeric.split(',').map(str::trim).filter(|name| !name.is_empty());
        let clients = Clients::parse(&env.text_or("CAPTURE_CLIENTS", "")).unwrap_or_else(|error| {
            env.reject("CAPTURE_CLIENTS", &error.to_string(), BadClients::REMEDY);
            Clients::default()
        });
        let config = Self {
            control_table: env.text("CONTROL_TABLE"),
            index_table: env.text("INDEX_TABLE"),
            keys_table: env.text("KEYS_TABLE"),
            bronze_bucket: env.text("BRONZE_BUCKET"),
            stream_name: env.text("STREAM_NAME"),
            dead_letter_queue_url: env.text("DEAD_LETTER_QUEUE_URL"),
            data_key_id: env.text("DATA_KEY_ID"),
            clients,
            settings: Settings {
                deployment: env.text("DEPLOYMENT_ID"),
                default_org,
                regions,
                own_numbers,
                switches,
                numeric_id_sources: numeric.map(str::to_owned).collect(),
                limits: Limits {
                    cap: env.number("FAN_OUT_CAP", 5000, 1..=1_000_000),
                    busy: env.number("BUSY_SUBJECT_LINKS", 100, 1..=1_000_000),
                },
            },
        };
        env.finish().map(|()| config)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Names and the values that they have instead.
    type Changes = &'static [(&'static str, &'static str)];

    fn env(changes: Changes) -> Env {
        Env::from_lookup(move |name| {
            let changed = changes.iter().find(|(changed, _)| *changed == name).map(|(_, value)| (*value).to_owned());
            changed.or_else(|| match name {
                "CONTROL_TABLE"
                | "INDEX_TABLE"
                | "KEYS_TABLE"
                | "BRONZE_BUCKET"
                | "STREAM_NAME"
                | "DATA_KEY_ID"
                | "DEAD_LETTER_QUEUE_URL"
                | "DEPLOYMENT_ID" => Some(name.to_lowercase()),
                _ => None,
            })
        })
    }

    #[test]
    fn what_is_not_said_has_transforms_default() {
        let config = Config::from_env(env(&[])).unwrap();
        let Settings { default_org, limits, numeric_id_sources, .. } = config.settings;
        assert_eq!((default_org.as_str(), limits), ("default", Limits { cap: 5_000, busy: 100 }));
        assert!(numeric_id_sources.is_empty());
        assert_eq!(config.stream_name, "stream_name");
    }

    #[test]
    fn each_bad_value_is_named_with_its_remedy_and_not_repeated() {
        let cases: [(Changes, &str, &str); 8] = [
            (&[("CAPTURE_CLIENTS", "planted")], "CAPTURE_CLIENTS", "CaptureClients"),
            (&[("DEFAULT_ORG", "planted/x")], "DEFAULT_ORG", "1 to 64"),
            (&[("DEFAULT_REGION", "planted")], "DEFAULT_REGION", "DefaultRegion"),
            (&[("SOURCE_REGIONS", "planted")], "SOURCE_REGIONS", "SourceRegions"),
            (&[("OWN_NUMBERS", "planted-7")], "OWN_NUMBERS", "item 1"),
            (&[("KEEP_MEDIA", "planted!")], "KEEP_MEDIA", "KeepMedia"),
            (&[("FAN_OUT_CAP", "0")], "FAN_OUT_CAP", "from 1"),
            (&[("STREAM_NAME", "")], "STREAM_NAME", "set it"),
        ];
        for (changes, name, remedy) in cases {
            let message = Config::from_env(env(changes)).unwrap_err().to_string();
            assert!(message.contains(name) && message.contains(remedy), "{message}");
            assert!(!message.contains("planted"), "{message}");
        }
    }
}
