//! What the function reads from its environment, checked whole at cold start.

use ledgerline_custody::own::{self, BadItems, OwnItem};
use ledgerline_lambda::config::{ConfigError, Env};
use ledgerline_privacy::{BadRegion, Region, Regions};

/// The function's configuration.
#[derive(Clone, Debug)]
pub struct Config {
    /// Requests, tombstones, who is gone, objects' rows.
    pub control_table: String,
    /// Which bronze objects hold a record's lines, postings, tokens.
    pub index_table: String,
    /// Subjects, links, wrapped keys, whom requests are about.
    pub keys_table: String,
    /// Where silver is.
    pub lake_bucket: String,
    /// Lists, plans of acts, certificates, poison.
    pub staged_bucket: String,
    /// Tiles and checkpoints, for proofs.
    pub ledger_bucket: String,
    /// The function's own queue.
    pub erase_queue_url: String,
    /// audit-write's queue.
    pub ledger_queue_url: String,
    /// The KMS key that wraps data keys.
    pub data_key_id: String,
    /// What decides how an erasure goes.
    pub settings: Settings,
}

/// What decides how an erasure goes.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The deployment, which data keys belong to.
    pub deployment: String,
    /// The bucket whose objects are rewritten.
    pub bronze_bucket: String,
    /// The organisation of events that name none; transform must have the same, as in the four that follow.
    pub default_org: String,
    /// Where telephone numbers without their country belong to.
    pub regions: Regions,
    /// The company's own numbers, addresses and domains, in every org.
    pub own_numbers: Vec<OwnItem>,
    /// The sources whose records may have long numbers for ids.
    pub numeric_id_sources: Vec<String>,
    /// Links that a subject may have.
    pub fan_out_cap: u64,
    /// After how many days a bronze object expires.
    pub bronze_expire_days: i64,
    /// How long a run of transform may last that began before somebody was gone.
    pub drain_ms: i64,
    /// Records that erasures may reach in a day; the next one waits for the next day.
    pub records_per_day: u64,
    /// For how many days an object is waited for that is not planned.
    pub wait_days: i64,
    /// For how many days acts of deletion are pooled; 0: each request records its own at once.
    pub pool_days: i64,
    /// For how many days a certificate is kept.
    pub certificate_days: i64,
    /// For how long other things are kept, as the template has it: what a certificate says of them.
    pub kept: Kept,
}

/// For how many days things are kept that an erasure does not take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kept {
    /// What is no event, and what could not be delivered.
    pub quarantine_days: i64,
    /// Plans.
    pub staged_days: i64,
    /// The window in which the table of keys can be restored; 0: it cannot.
    pub keys_pitr_days: i64,
    /// Claims of events.
    pub claim_days: i64,
    /// Logs of functions.
    pub log_days: i64,
}

impl Config {
    /// Reads and checks the environment.
    ///
    /// # Errors
    /// Everything that is wrong with it, at once.
    pub fn from_env(mut env: Env) -> Result<Self, ConfigError> {
        let default_org = env.text("DEFAULT_ORG");
        if !default_org.is_empty() && !ledgerline_event::adapters::is_org(&default_org) {
            env.reject("DEFAULT_ORG", "is no organisation's name", "set 1 to 64 of A-Z a-z 0-9 . _ -");
        }
        let region = env.text_or("DEFAULT_REGION", "US").parse().unwrap_or_else(|error: BadRegion| {
            env.reject("DEFAULT_REGION", &error.to_string(), "set the template's parameter DefaultRegion");
            Region::US
        });
        let regions = Regions::new(region, &env.text_or("SOURCE_REGIONS", "")).unwrap_or_else(|error| {
            env.reject(
                "SOURCE_REGIONS",
                &error.to_string(),
                "set sources and regions by comma, such as crm=DE,dialer=CI",
            );
            region.into()
        });
        let own_numbers = own::parse_list(&env.text_or("OWN_NUMBERS", ""), region).unwrap_or_else(|bad| {
            env.reject("OWN_NUMBERS", &format!("has {bad}"), BadItems::REMEDY);
            Vec::new()
        });
        let numeric_id_sources = env.text_or("NUMERIC_ID_SOURCES", "");
        let numeric_id_sources = numeric_id_sources.split(',').map(str::trim).filter(|name| !name.is_empty());
        let config = Self {
            control_table: env.text("CONTROL_TABLE"),
            index_table: env.text("INDEX_TABLE"),
            keys_table: env.text("KEYS_TABLE"),
            lake_bucket: env.text("LAKE_BUCKET"),
            staged_bucket: env.text("STAGED_BUCKET"),
            ledger_bucket: env.text("LEDGER_BUCKET"),
            erase_queue_url: env.text("ERASE_QUEUE_URL"),
            ledger_queue_url: env.text("LEDGER_QUEUE_URL"),
            data_key_id: env.text("DATA_KEY_ID"),
            settings: Settings {
                deployment: env.text("DEPLOYMENT_ID"),
                bronze_bucket: env.text("BRONZE_BUCKET"),
                default_org,
                regions,
                own_numbers,
                numeric_id_sources: numeric_id_sources.map(str::to_owned).collect(),
                fan_out_cap: env.number("FAN_OUT_CAP", 5_000, 1..=1_000_000),
                bronze_expire_days: env.number("BRONZE_EXPIRE_DAYS", DEFAULT_BRONZE_DAYS, 1..=MAX_DAYS),
                // A run of transform ends after 300 s; twice that.
                drain_ms: env.number("ERASURE_DRAIN_SECONDS", 600, 1..=86_400) * SECOND_MS,
                records_per_day: env.number("ERASURE_RECORDS_PER_DAY", 20_000, 1..=10_000_000),
                wait_days: env.number("ERASURE_WAIT_DAYS", 14, 1..=365),
                pool_days: env.number("ERASURE_POOL_DAYS", 1, 0..=MAX_POOL_DAYS),
                certificate_days: env.number("CERTIFICATE_DAYS", 30, 1..=MAX_DAYS),
                kept: Kept {
                    quarantine_days: env.number("QUARANTINE_DAYS", 30, 1..=MAX_DAYS),
                    staged_days: env.number("STAGED_DAYS", 30, 1..=MAX_DAYS),
                    keys_pitr_days: env.number("KEYS_PITR_DAYS", 1, 0..=35),
                    claim_days: env.number("CLAIM_DAYS", 400, 1..=MAX_DAYS),
                    log_days: env.number("LOG_RETENTION_DAYS", 30, 1..=MAX_DAYS),
                },
            },
        };
        env.finish().map(|()| config)
    }
}

const SECOND_MS: i64 = 1_000;
/// The template's own default.
const DEFAULT_BRONZE_DAYS: i64 = 730;
/// Plans are kept for 14 days at least, and a certificate is made of them.
const MAX_POOL_DAYS: i64 = 7;
/// A hundred years: what is kept for longer was never going to expire.
const MAX_DAYS: i64 = 36_500;

#[cfg(test)]
mod tests {
    use super::*;

    fn env(change: (&'static str, &'static str)) -> Env {
        Env::from_lookup(move |name| match name {
            name if name == change.0 => Some(change.1.to_owned()),
            "DEFAULT_REGION"
            | "SOURCE_REGIONS"
            | "OWN_NUMBERS"
            | "NUMERIC_ID_SOURCES"
            | "FAN_OUT_CAP"
            | "BRONZE_EXPIRE_DAYS"
            | "ERASURE_DRAIN_SECONDS"
            | "ERASURE_RECORDS_PER_DAY"
            | "ERASURE_WAIT_DAYS"
            | "ERASURE_POOL_DAYS"
            | "CERTIFICATE_DAYS"
            | "QUARANTINE_DAYS"
            | "STAGED_DAYS"
            | "KEYS_PITR_DAYS"
            | "CLAIM_DAYS"
            | "LOG_RETENTION_DAYS" => None,
            name => Some(name.to_ascii_lowercase()),
        })
    }

    #[test]
    fn what_is_not_said_has_its_default() {
        let Config { settings, lake_bucket, .. } = Config::from_env(env(("", ""))).unwrap();
        assert_eq!((settings.drain_ms, settings.records_per_day, settings.wait_days), (600_000, 20_000, 14));
        assert_eq!((settings.pool_days, settings.certificate_days, settings.kept.claim_days), (1, 30, 400));
        assert_eq!((settings.fan_out_cap, settings.default_org.as_str()), (5_000, "default_org"));
        assert_eq!((lake_bucket.as_str(), settings.bronze_bucket.as_str()), ("lake_bucket", "bronze_bucket"));
    }

    #[test]
    fn each_bad_value_is_named_with_its_remedy() {
        for (name, value, remedy) in [
            ("DEFAULT_ORG", "a/b", "1 to 64 of"),
            ("DEFAULT_REGION", "49", "DefaultRegion"),
            ("SOURCE_REGIONS", "crm", "item 1"),
            ("OWN_NUMBERS", "12", "item 1: not a phone number"),
            ("ERASURE_DRAIN_SECONDS", "0", "from 1 to 86400"),
            ("ERASURE_RECORDS_PER_DAY", "all", "from 1"),
            ("ERASURE_WAIT_DAYS", "0", "from 1 to 365"),
            ("BRONZE_EXPIRE_DAYS", "0", "from 1"),
            ("ERASURE_POOL_DAYS", "8", "from 0 to 7"),
            ("CERTIFICATE_DAYS", "0", "from 1"),
            ("DATA_KEY_ID", "", "set it"),
        ] {
            let message = Config::from_env(env((name, value))).unwrap_err().to_string();
            assert!(message.contains(name) && message.contains(remedy), "{message}");
        }
    }
}
