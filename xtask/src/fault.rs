//! The one error of the project's own commands: what is wrong, why, and what to do about it.
//!
//! Invariant: a remedy is something that the reader can do now. There is no variant to match on: nobody but a person
//! handles these.

use std::error::Error;
use std::fmt;
use std::process::ExitCode;

use crate::tools;

/// A command that could not do its work.
#[derive(Debug)]
pub struct Fault {
    what: String,
    remedy: String,
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl Fault {
    /// `what` names the attempt and the cause, `remedy` what to do.
    pub fn new(what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { what: what.into(), remedy: remedy.into(), source: None }
    }

    /// As [`Fault::new`], keeping what lies beneath.
    pub fn caused_by(
        what: impl Into<String>,
        source: impl Into<Box<dyn Error + Send + Sync>>,
        remedy: impl Into<String>,
    ) -> Self {
        Self { what: what.into(), remedy: remedy.into(), source: Some(source.into()) }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.what)?;
        let mut beneath = self.source.as_deref().map(|source| source as &dyn Error);
        while let Some(cause) = beneath {
            write!(f, "\n  because: {cause}")?;
            beneath = cause.source();
        }
        write!(f, "\n  to do: {}", self.remedy)
    }
}

impl Error for Fault {
    // `Display` tells the whole chain already; a reporter that walks `source` would tell it twice.
}

/// How a command ends: whether what it looked at is well, or its fault, said.
pub fn exit(result: Result<bool, Fault>) -> ExitCode {
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(fault) => {
            tools::say(&format!("error: {fault}"));
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_what_why_and_what_to_do() {
        let fault = Fault::caused_by("cannot start", std::io::Error::other("port taken"), "choose another");
        assert_eq!(fault.to_string(), "cannot start\n  because: port taken\n  to do: choose another");
    }
}
