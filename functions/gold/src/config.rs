//! What the function reads from its environment, checked whole at cold start.

use ledgerline_figures::{ReportZone, ServiceLevel};
use ledgerline_lambda::config::{ConfigError, Env};

use crate::due::SLOT_MINUTES;

/// The function's configuration.
#[derive(Debug, Clone)]
pub struct Config {
    /// The table of dates' marks.
    pub control_table: String,
    /// The bucket of silver, of gold, and of Athena's results.
    pub lake_bucket: String,
    /// Athena's workgroup.
    pub workgroup: String,
    /// Glue's database.
    pub database: String,
    /// What decides how a run goes.
    pub settings: Settings,
}

/// What decides how a run goes.
#[derive(Debug, Clone)]
pub struct Settings {
    /// By whose dates days are reported.
    pub zone: ReportZone,
    /// What counts against a service level.
    pub level: ServiceLevel,
    /// Every how many minutes the running date is computed.
    pub current_minutes: i64,
    /// The lake's bucket, as lineage names it.
    pub lake_bucket: String,
}

impl Config {
    /// Reads and checks the environment.
    ///
    /// # Errors
    /// Everything that is wrong with it, at once.
    pub fn from_env(mut env: Env) -> Result<Self, ConfigError> {
        let zone = ReportZone::named(&env.text_or("REPORT_TIME_ZONE", "UTC"));
        if let Err(error) = &zone {
            env.reject("REPORT_TIME_ZONE", &error.to_string(), "the zone decides which half hours are a day");
        }
        let current_minutes = env.number("CURRENT_MINUTES", 60, SLOT_MINUTES..=1_440);
        if current_minutes % SLOT_MINUTES != 0 {
            env.reject("CURRENT_MINUTES", "is not a multiple of 15", "set 15, 30, 60 or another one");
        }
        let lake_bucket = env.text("LAKE_BUCKET");
        let config = Self {
            control_table: env.text("CONTROL_TABLE"),
            lake_bucket: lake_bucket.clone(),
            workgroup: env.text("WORKGROUP"),
            database: env.text("DATABASE"),
            settings: Settings {
                zone: zone.unwrap_or_else(|_| ReportZone::utc()),
                level: ServiceLevel {
                    counts_flow_outs: env.flag("SERVICE_LEVEL_COUNTS_FLOW_OUTS", false),
                    leaves_out_short_abandons: env.flag("SERVICE_LEVEL_LEAVES_OUT_SHORT_ABANDONS", false),
                },
                current_minutes,
                lake_bucket,
            },
        };
        env.finish().map(|()| config)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(change: (&'static str, &'static str)) -> Env {
        let known =
            [("CONTROL_TABLE", "control"), ("LAKE_BUCKET", "lake"), ("WORKGROUP", "figures"), ("DATABASE", "figures")];
        Env::from_lookup(move |name| {
            let value = (change.0 == name).then_some(change.1);
            value.or(known.iter().find(|(known, _)| *known == name).map(|(_, value)| *value)).map(str::to_owned)
        })
    }

    #[test]
    fn a_complete_environment_is_accepted() {
        let settings = Config::from_env(env(("REPORT_TIME_ZONE", "Europe/Berlin"))).unwrap().settings;
        assert_eq!((settings.zone.name(), settings.current_minutes), ("Europe/Berlin", 60));
        assert_eq!(settings.level, ServiceLevel::default());
        let settings = Config::from_env(env(("SERVICE_LEVEL_COUNTS_FLOW_OUTS", "true"))).unwrap().settings;
        assert!(settings.level.counts_flow_outs && settings.zone.name() == "UTC");
    }

    #[test]
    fn a_bad_value_is_named_with_what_is_wrong() {
        for (name, value, said) in [
            ("REPORT_TIME_ZONE", "Asia/Kathmandu", "345 min"),
            ("REPORT_TIME_ZONE", "Berlin", "IANA"),
            ("CURRENT_MINUTES", "20", "multiple of 15"),
            ("CURRENT_MINUTES", "5", "from 15 to 1440"),
            ("SERVICE_LEVEL_COUNTS_FLOW_OUTS", "yes", "true or false"),
            ("WORKGROUP", "", "is not set"),
        ] {
            let error = Config::from_env(env((name, value))).unwrap_err().to_string();
            assert!(error.contains(name) && error.contains(said), "{error}");
        }
    }
}
