//! The function's configuration: read once, checked whole, before the first message.

use ledgerline_custody::own::{self, BadItems, OwnItem, OwnList};
use ledgerline_custody::subjects::Limits;
use ledgerline_event::catalogue::{Switches, built_in};
use ledgerline_event::instant;
use ledgerline_json::Json;
use ledgerline_lambda::clock::Clock;
use ledgerline_lambda::config::{ConfigError, Env, StartError};
use ledgerline_ledger::store::{Failure, StoreError};
use ledgerline_privacy::{BadRegion, Clear, EventKey, KeyRing, Policy, PseudonymKey, Region, Regions, SuppressionRing};
use ledgerline_store::data_key::{DataKeys, Purpose};

/// Names and numbers from the environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Names the deployment in the keys' encryption context.
    pub deployment_id: String,
    /// The organisation of events that name none.
    pub default_org: String,
    /// Where telephone numbers without their country belong to.
    pub regions: Regions,
    /// The company's own numbers, addresses and domains, in every org.
    pub own_numbers: Vec<OwnItem>,
    /// What is filtered beside what always is.
    pub switches: Switches,
    /// The sources whose records may have long numbers for ids.
    pub numeric_id_sources: Vec<String>,
    /// The control table.
    pub control_table: String,
    /// The index table.
    pub index_table: String,
    /// The keys table.
    pub keys_table: String,
    /// The bronze bucket.
    pub bronze_bucket: String,
    /// The lake bucket.
    pub lake_bucket: String,
    /// The bucket of plans.
    pub staged_bucket: String,
    /// The URL of the pointers' queue.
    pub ledger_queue_url: String,
    /// The URL of the eraser's queue.
    pub erase_queue_url: String,
    /// The KMS key that wraps data keys.
    pub data_key_id: String,
    /// Days that claims are kept.
    pub claim_days: u32,
    /// Links at which a subject is shared, and new links in a day at which it is busy.
    pub limits: Limits,
}

impl Config {
    /// Reads and checks every variable.
    ///
    /// # Errors
    /// All problems at once, each with the variable's name and the remedy.
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
        let state_changes_only = env.flag("STATE_CHANGES_ONLY", false);
        let switches = Switches::new(state_changes_only, &env.text_or("KEEP_MEDIA", "")).unwrap_or_else(|error| {
            env.reject("KEEP_MEDIA", &error.to_string(), "set media by comma, such as VOICE,CHAT,EMAIL, or nothing");
            Switches::default()
        });
        let numeric_id_sources = env.text_or("NUMERIC_ID_SOURCES", "");
        let numeric_id_sources = numeric_id_sources.split(',').map(str::trim).filter(|name| !name.is_empty());
        let config = Self {
            switches,
            numeric_id_sources: numeric_id_sources.map(str::to_owned).collect(),
            deployment_id: env.text("DEPLOYMENT_ID"),
            default_org,
            regions,
            own_numbers,
            control_table: env.text("CONTROL_TABLE"),
            index_table: env.text("INDEX_TABLE"),
            keys_table: env.text("KEYS_TABLE"),
            bronze_bucket: env.text("BRONZE_BUCKET"),
            lake_bucket: env.text("LAKE_BUCKET"),
            staged_bucket: env.text("STAGED_BUCKET"),
            ledger_queue_url: env.text("LEDGER_QUEUE_URL"),
            erase_queue_url: env.text("ERASE_QUEUE_URL"),
            data_key_id: env.text("DATA_KEY_ID"),
            // At least as long as a message can come back: 14 days in a queue and 14 in its dead-letter queue.
            claim_days: env.number("CLAIM_DAYS", 400, 30..=3650),
            limits: Limits {
                cap: env.number("FAN_OUT_CAP", 5000, 1..=1_000_000),
                busy: env.number("BUSY_SUBJECT_LINKS", 100, 1..=1_000_000),
            },
        };
        env.finish().map(|()| config)
    }

    /// What transforming takes, with the keys unwrapped.
    pub fn settings(&self, Keys { pseudonyms, event_key, suppression }: Keys) -> Settings {
        let policy = built_in().policy();
        Settings {
            deployment: self.deployment_id.clone(),
            bronze_bucket: self.bronze_bucket.clone(),
            default_org: self.default_org.clone(),
            regions: self.regions.clone(),
            own_numbers: OwnList::of(&self.own_numbers, Some(&pseudonyms)),
            switches: self.switches.clone(),
            numeric_id_sources: self.numeric_id_sources.clone(),
            claim_days: self.claim_days,
            limits: self.limits,
            policy_hash: policy.hash(),
            process_names: process_names(policy, pseudonyms.newest()),
            policy,
            pseudonyms,
            event_key,
            suppression,
        }
    }
}

/// The keys, unwrapped.
#[derive(Debug)]
pub struct Keys {
    /// The keys of pseudonyms.
    pub pseudonyms: KeyRing,
    /// The key of claim ids.
    pub event_key: EventKey,
    /// The keys of tombstones' names.
    pub suppression: SuppressionRing,
}

/// Unwraps the keys once per cold start; the first start of a deployment makes them.
///
/// # Errors
/// Whatever the control table or KMS refuses, with what the function's role must be allowed.
pub async fn open_keys(data_keys: &DataKeys, clock: &impl Clock) -> Result<Keys, StartError> {
    opened(data_keys, clock)
        .await
        .map_err(|error| StartError::new("cannot open the data keys", &error, OPEN_KEYS_REMEDY))
}

const OPEN_KEYS_REMEDY: &str = "allow the function's role dynamodb:Query and dynamodb:PutItem on CONTROL_TABLE, and \
    kms:GenerateDataKey and kms:Decrypt on DATA_KEY_ID for the encryption context's deployment; see that the key is enabled";

async fn opened(data_keys: &DataKeys, clock: &impl Clock) -> Result<Keys, StoreError> {
    let now = instant::to_rfc3339(clock.now_ms());
    let pseudonyms = data_keys.all_or_new(Purpose::Pseudonym, &now).await?;
    let pseudonyms = pseudonyms.iter().map(|key| PseudonymKey::under_rules(key.rules, key.version, key.bytes.lend()));
    let pseudonyms = KeyRing::new(pseudonyms);
    let event = data_keys.all_or_new(Purpose::Event, &now).await?;
    let suppression = data_keys.suppression_ring_or_new(&now).await?;
    // The event key has one version for good.
    match (pseudonyms, event.into_iter().next()) {
        (Some(pseudonyms), Some(event)) => {
            Ok(Keys { pseudonyms, event_key: EventKey::new(event.bytes.lend()), suppression })
        }
        _ => Err(StoreError::NotFound(Failure::new("a data key that was just made is not there"))),
    }
}

/// What decides how an object is transformed.
#[derive(Debug)]
pub struct Settings {
    /// The deployment's id, which sealed blocks and wrapped keys are bound to.
    pub deployment: String,
    /// The bucket whose notifications count.
    pub bronze_bucket: String,
    /// The organisation of events that name none.
    pub default_org: String,
    /// Where telephone numbers without their country belong to.
    pub regions: Regions,
    /// The company's own numbers, addresses and domains, in every org.
    pub own_numbers: OwnList,
    /// What is filtered beside what always is.
    pub switches: Switches,
    /// The sources whose records may have long numbers for ids.
    pub numeric_id_sources: Vec<String>,
    /// Days that claims are kept.
    pub claim_days: u32,
    /// Links at which a subject is shared, and new links in a day at which it is busy.
    pub limits: Limits,
    /// What may be stored in clear.
    pub policy: &'static Policy,
    /// The processes that are told by direction, by the direction.
    pub process_names: ProcessNames,
    /// The policy's hash.
    pub policy_hash: String,
    /// The keys of pseudonyms.
    pub pseudonyms: KeyRing,
    /// The key of claim ids.
    pub event_key: EventKey,
    /// The keys of tombstones' names.
    pub suppression: SuppressionRing,
}

/// Names of processes, by the direction of their interactions, as silver stores them.
pub type ProcessNames = Vec<(&'static str, Clear)>;

/// The field that a process' name is.
pub const PROCESS_NAME: &str = "process_name";

/// The names that the description gives to processes whose source gives none. They pass the policy as a source's own would.
pub fn process_names(policy: &Policy, key: &PseudonymKey) -> ProcessNames {
    let masked = |(direction, name): (&'static str, &'static str)| {
        let name = Json::from(name);
        let masked = policy.mask(key, [(PROCESS_NAME, &name)]);
        masked.clear.into_iter().next().map(|(_, name)| (direction, name))
    };
    built_in().process_names().filter_map(masked).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(change: (&'static str, &'static str)) -> Env {
        Env::from_lookup(move |name| match name {
            name if name == change.0 => Some(change.1.to_owned()),
            "CLAIM_DAYS" | "FAN_OUT_CAP" | "BUSY_SUBJECT_LINKS" | "DEFAULT_REGION" | "SOURCE_REGIONS"
            | "OWN_NUMBERS" | "STATE_CHANGES_ONLY" | "KEEP_MEDIA" | "NUMERIC_ID_SOURCES" => None,
            name => Some(name.to_ascii_lowercase()),
        })
    }

    #[test]
    fn a_whole_environment_is_read() {
        let config = Config::from_env(env(("CLAIM_DAYS", "30"))).unwrap();
        assert_eq!((config.claim_days, config.regions), (30, Region::US.into()));
        assert_eq!(config.limits, Limits { cap: 5000, busy: 100 });
        assert_eq!((config.index_table.as_str(), config.default_org.as_str()), ("index_table", "default_org"));
    }

    #[test]
    fn each_bad_value_is_named_with_its_remedy() {
        for (name, value, remedy) in [
            ("DEFAULT_ORG", "a/b", "1 to 64 of"),
            ("DEFAULT_REGION", "49", "such as US, DE or CI"),
            ("SOURCE_REGIONS", "crm=DE,dialer", "item 2 is not a source and its region"),
            ("SOURCE_REGIONS", "crm=49", "the region of item 1 is not a country"),
            ("OWN_NUMBERS", "example.com,12", "item 2: not a phone number"),
            ("CLAIM_DAYS", "7", "30 to 3650"),
            ("FAN_OUT_CAP", "none", "1 to 1000000"),
            ("BUSY_SUBJECT_LINKS", "0", "1 to 1000000"),
            ("STATE_CHANGES_ONLY", "yes", "true or false"),
            ("KEEP_MEDIA", "VOICE,FAX", "VOICE,CHAT,EMAIL"),
            ("DATA_KEY_ID", "", "set it"),
        ] {
            let message = Config::from_env(env((name, value))).unwrap_err().to_string();
            assert!(message.contains(name) && message.contains(remedy), "{message}");
        }
    }

    #[test]
    fn a_default_org_is_what_the_ledger_takes_for_a_logs_name() {
        let long: &'static str = Box::leak("o".repeat(65).into_boxed_str());
        for (org, good) in [
            ("acme", true),
            ("A.b_c-9", true),
            (&long[1..], true),
            (".", false),
            ("..", false),
            ("a b", false),
            (long, false),
        ] {
            assert_eq!(ledgerline_ledger::log::LogId::first_of(org, "interaction").is_ok(), good, "{org}");
            let config = Config::from_env(env(("DEFAULT_ORG", org)));
            assert_eq!(config.is_ok(), good, "{org}");
            let told = config.map_or_else(|error| error.to_string(), |_| String::new());
            assert!(good || told.contains("DEFAULT_ORG is no organisation's name: set 1 to 64 of"), "{told}");
        }
    }
}
