//! What the function is told at cold start.

use ledgerline_figures::ReportZone;
use ledgerline_lambda::config::{ConfigError, Env};

/// The function's configuration.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where gold's documents and silver's files are.
    pub lake_bucket: String,
    /// Where bronze objects are looked for.
    pub bronze_bucket: String,
    /// Where the ledger is.
    pub ledger_bucket: String,
    /// The table of heads, objects and what is gone.
    pub control_table: String,
    /// The table of pins, postings and tokens.
    pub index_table: String,
    /// By whose dates days are reported.
    pub zone: ReportZone,
}

impl Config {
    /// Reads and checks the environment.
    ///
    /// # Errors
    /// All that is wrong with it.
    pub fn from_env(mut env: Env) -> Result<Self, ConfigError> {
        let zone = ReportZone::named(&env.text_or("REPORT_TIME_ZONE", "UTC"));
        if let Err(error) = &zone {
            env.reject("REPORT_TIME_ZONE", &error.to_string(), "set it as gold's is");
        }
        let config = Self {
            lake_bucket: env.text("LAKE_BUCKET"),
            bronze_bucket: env.text("BRONZE_BUCKET"),
            ledger_bucket: env.text("LEDGER_BUCKET"),
            control_table: env.text("CONTROL_TABLE"),
            index_table: env.text("INDEX_TABLE"),
            zone: zone.unwrap_or_else(|_| ReportZone::utc()),
        };
        env.finish().map(|()| config)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_that_is_missing_is_named() {
        let error = Config::from_env(Env::from_lookup(|_| None)).unwrap_err().to_string();
        for name in ["LAKE_BUCKET", "BRONZE_BUCKET", "LEDGER_BUCKET", "CONTROL_TABLE", "INDEX_TABLE"] {
            assert!(error.contains(name), "{error}");
        }
    }

    #[test]
    fn a_zone_that_gold_could_not_report_by_is_refused() {
        let zone = |zone: &'static str| {
            Config::from_env(Env::from_lookup(move |name| {
                Some(if name == "REPORT_TIME_ZONE" { zone } else { "x" }.to_owned())
            }))
        };
        assert_eq!(zone("Europe/Berlin").unwrap().zone.name(), "Europe/Berlin");
        assert!(zone("Berlin").unwrap_err().to_string().contains("REPORT_TIME_ZONE"));
    }
}
