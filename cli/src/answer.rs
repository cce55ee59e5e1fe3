//! What a command found, for a person or for a program.
//!
//! Invariant: both forms say the same, and the exit code follows from the outcome alone: 0 it holds, 1 it does not, 2 it
//! could not be checked, or not all of it and the rest holds. What could not be begun is a [`Fault`], exit code 2, too.

use std::io;

use serde_json::{Value, json};

use crate::fault::Fault;
use crate::screen::Screen;

/// Whether what was checked holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It does, or there was nothing to check.
    Holds,
    /// It does not.
    Broken,
    /// Some of it could not be checked, and what could be holds.
    Unchecked,
}

impl Outcome {
    /// Holds or broken.
    pub(crate) fn of(holds: bool) -> Self {
        if holds { Self::Holds } else { Self::Broken }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Holds => "holds",
            Self::Broken => "broken",
            Self::Unchecked => COULD_NOT_CHECK,
        }
    }
}

/// A command's answer.
pub(crate) trait Answer {
    /// Whether it holds.
    fn outcome(&self) -> Outcome {
        Outcome::Holds
    }

    /// Its members as JSON, an object.
    fn json(&self) -> Value;

    /// Its form for a person.
    fn draw(&self, screen: &mut Screen<'_>) -> io::Result<()>;
}

/// What every command returns.
pub(crate) type Answered = Result<Box<dyn Answer>, Fault>;

/// The one document that `--json` writes.
pub(crate) fn document(command: &str, answered: &Answered) -> Value {
    let (outcome, members) = match answered {
        Ok(answer) => (answer.outcome().name(), answer.json()),
        Err(fault) => (COULD_NOT_CHECK, json!({ "error": fault })),
    };
    let mut document = json!({ "command": command, "outcome": outcome });
    if let (Some(document), Value::Object(members)) = (document.as_object_mut(), members) {
        document.extend(members);
    }
    document
}

/// The outcome of whatever leaves it open whether the evidence holds.
const COULD_NOT_CHECK: &str = "could_not_check";

/// Text that is written as it is: completions, the manual page.
pub(crate) struct Raw(pub(crate) Vec<u8>);

impl Answer for Raw {
    fn json(&self) -> Value {
        json!({ "text": String::from_utf8_lossy(&self.0) })
    }

    fn draw(&self, screen: &mut Screen<'_>) -> io::Result<()> {
        screen.raw(&self.0)
    }
}
