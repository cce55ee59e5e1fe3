//! What the function is told at cold start.

use ledgerline_lambda::config::{ConfigError, Env};

/// The function's configuration.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where gold's documents are.
    pub lake_bucket: String,
}

impl Config {
    /// Reads and checks the environment.
    ///
    /// # Errors
    /// All that is wrong with it.
    pub fn from_env(mut env: Env) -> Result<Self, ConfigError> {
        let config = Self { lake_bucket: env.text("LAKE_BUCKET") };
        env.finish().map(|()| config)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_that_is_missing_is_named() {
        let error = Config::from_env(Env::from_lookup(|_| None)).unwrap_err().to_string();
        assert!(error.contains("LAKE_BUCKET"), "{error}");
    }
}
