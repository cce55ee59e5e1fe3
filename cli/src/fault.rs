//! The one error of the command: what could not be done, why, and what to do about it.
//!
//! Invariant: a fault means "could not check" (exit code 2), never "the evidence is broken". Its remedy is something that
//! the reader can do now.

use std::error::Error;
use std::fmt;

use serde::Serialize;

use crate::screen::plain;

/// A command that could not do its work.
#[derive(Debug, Serialize)]
pub(crate) struct Fault {
    what: String,
    because: Vec<String>,
    remedy: String,
}

impl Fault {
    /// `what` names the attempt, the place and the cause; `remedy` what to do.
    pub(crate) fn new(what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { what: what.into(), because: Vec::new(), remedy: remedy.into() }
    }

    /// As [`Fault::new`], telling what lies beneath.
    pub(crate) fn caused_by(
        what: impl Into<String>,
        source: &(dyn Error + 'static),
        remedy: impl Into<String>,
    ) -> Self {
        let mut because: Vec<String> = Vec::new();
        let mut beneath = Some(source);
        while let Some(cause) = beneath {
            let text = cause.to_string();
            // Many errors repeat the one below them.
            if because.last().is_none_or(|last| !last.contains(&text)) {
                because.push(text);
            }
            beneath = cause.source();
        }
        Self { what: what.into(), because, remedy: remedy.into() }
    }

    /// What could not be done and why, in one line; and what to do. For an answer that names one of several attempts.
    #[cfg(feature = "aws")]
    pub(crate) fn told(&self) -> (String, String) {
        let causes = std::iter::once(&self.what).chain(&self.because);
        (causes.map(String::as_str).collect::<Vec<_>>().join(": "), self.remedy.clone())
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Names of foreign objects stand in them.
        write!(f, "{}", plain(&self.what))?;
        for cause in &self.because {
            write!(f, "\n  because: {}", plain(cause))?;
        }
        write!(f, "\n  to do: {}", plain(&self.remedy))
    }
}

impl Error for Fault {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_what_why_and_what_to_do() {
        let cause = std::io::Error::other("the disk is full");
        let fault = Fault::caused_by("cannot write report", &cause, "make room");
        let steering = Fault::new("no log \u{1b}[2J", "name\none of: \u{202e}");
        assert_eq!(steering.to_string(), "no log \u{fffd}[2J\n  to do: name\u{fffd}one of: \u{fffd}");
        assert_eq!(fault.to_string(), "cannot write report\n  because: the disk is full\n  to do: make room");
    }
}
