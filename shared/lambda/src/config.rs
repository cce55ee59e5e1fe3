//! Configuration from environment variables, read once at cold start.
//!
//! Every problem is collected, so that one failed initialisation names all that is wrong, each with its remedy; a bad
//! value never waits for a record to fail. Values are not echoed: a variable may hold a secret by mistake.

use std::fmt;
use std::str::FromStr;

/// Looks a variable up.
type Lookup = Box<dyn Fn(&str) -> Option<String>>;

/// Reads the variables of one function and remembers what is wrong with them.
pub struct Env {
    read: Lookup,
    problems: Vec<String>,
}

impl Env {
    /// The process's own environment. Called from `main` alone.
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the environment, called from main alone")]
    pub fn process() -> Self {
        Self::from_lookup(|name| std::env::var(name).ok())
    }

    /// Any other source of variables.
    pub fn from_lookup(read: impl Fn(&str) -> Option<String> + 'static) -> Self {
        Self { read: Box::new(read), problems: Vec::new() }
    }

    /// A variable that must be there and not be empty.
    pub fn text(&mut self, name: &str) -> String {
        match self.get(name) {
            Some(value) => value,
            None => self.problem(name, "is not set", "set it to the name that the template's resource has"),
        }
    }

    /// A variable that may be absent.
    pub fn text_or(&mut self, name: &str, default: &str) -> String {
        self.get(name).unwrap_or_else(|| default.to_owned())
    }

    /// A whole number within `range`, or `default` where the variable is absent.
    pub fn number<N>(&mut self, name: &str, default: N, range: std::ops::RangeInclusive<N>) -> N
    where
        N: FromStr + PartialOrd + fmt::Display + Copy,
    {
        let Some(value) = self.get(name) else { return default };
        match value.parse::<N>() {
            Ok(number) if range.contains(&number) => number,
            _ => {
                let remedy = format!("set a whole number from {} to {}", range.start(), range.end());
                self.problem(name, "is no number in its range", &remedy);
                default
            }
        }
    }

    /// One of a closed list of words.
    pub fn choice<T: Copy>(&mut self, name: &str, choices: &[(&str, T)]) -> Option<T> {
        let found = self.get(name).and_then(|value| choices.iter().find(|(word, _)| *word == value));
        if found.is_none() {
            let words: Vec<&str> = choices.iter().map(|(word, _)| *word).collect();
            self.problem(name, "is not set or none of its words", &format!("set one of {}", words.join(", ")));
        }
        found.map(|(_, choice)| *choice)
    }

    /// Reports a problem that the caller found in a value, for checks this type does not know.
    pub fn reject(&mut self, name: &str, problem: &str, remedy: &str) {
        self.problem(name, problem, remedy);
    }

    /// `true` or `false`, or `default` where the variable is absent.
    pub fn flag(&mut self, name: &str, default: bool) -> bool {
        match self.get(name).as_deref() {
            None => default,
            Some("true") => true,
            Some("false") => false,
            Some(_) => {
                self.problem(name, "is not a flag", "set true or false");
                default
            }
        }
    }

    /// The end of reading.
    ///
    /// # Errors
    /// All problems found, in the order of reading.
    pub fn finish(self) -> Result<(), ConfigError> {
        if self.problems.is_empty() { Ok(()) } else { Err(ConfigError { problems: self.problems }) }
    }

    fn get(&self, name: &str) -> Option<String> {
        (self.read)(name).filter(|value| !value.is_empty())
    }

    fn problem(&mut self, name: &str, problem: &str, remedy: &str) -> String {
        self.problems.push(format!("{name} {problem}: {remedy}"));
        String::new()
    }
}

/// Why a function refused to start: what its environment lacks.
pub struct ConfigError {
    problems: Vec<String>,
}

/// As `Display`: a `main` that returns an error prints it by `Debug`, and a person reads that.
impl fmt::Debug for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "configuration refused, {} problem(s): {}", self.problems.len(), self.problems.join("; "))
    }
}

impl std::error::Error for ConfigError {}

/// Why a function could not start: what a service refused it.
pub struct StartError {
    what: String,
    because: String,
    remedy: String,
}

impl StartError {
    /// `what` names the attempt, `cause` is told whole, `remedy` says what to do.
    pub fn new(what: &str, cause: &dyn std::error::Error, remedy: &str) -> Self {
        let mut because = cause.to_string();
        let mut beneath = cause.source();
        while let Some(error) = beneath {
            because.push_str(": ");
            because.push_str(&error.to_string());
            beneath = error.source();
        }
        Self { what: what.to_owned(), because, remedy: remedy.to_owned() }
    }
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, because {}; to do: {}", self.what, self.because, self.remedy)
    }
}

/// As `Display`, for the same reason as [`ConfigError`]'s.
impl fmt::Debug for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for StartError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(pairs: &'static [(&str, &str)]) -> Env {
        Env::from_lookup(move |name| pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned()))
    }

    #[test]
    fn all_problems_are_named_at_once_and_no_value_is_echoed() {
        let mut env = env(&[("DAYS", "4o0"), ("MODE", "hunter2"), ("EMPTY", "")]);
        assert_eq!(env.number("DAYS", 7, 1..=400), 7);
        assert!(env.choice("MODE", &[("GOVERNANCE", 1), ("COMPLIANCE", 2)]).is_none());
        env.text("EMPTY");
        env.text("ABSENT");
        let message = env.finish().unwrap_err().to_string();
        for part in ["4 problem(s)", "DAYS", "from 1 to 400", "GOVERNANCE, COMPLIANCE", "EMPTY", "ABSENT"] {
            assert!(message.contains(part), "{part} missing in {message}");
        }
        assert!(!message.contains("hunter2") && !message.contains("4o0"));
    }

    #[test]
    fn a_refused_start_tells_the_whole_chain_and_the_remedy() {
        let cause = ConfigError { problems: vec!["KEY is not set: set it".to_owned()] };
        let error = StartError::new("cannot open the keys", &cause, "allow kms:Decrypt");
        let told = format!("{error:?}");
        assert_eq!(told, error.to_string());
        assert!(told.starts_with("cannot open the keys, because configuration refused"), "{told}");
        assert!(told.ends_with("to do: allow kms:Decrypt"), "{told}");
    }

    #[test]
    fn a_good_environment_passes() {
        let mut env = env(&[("DAYS", "400"), ("MODE", "COMPLIANCE"), ("TABLE", "control")]);
        assert_eq!(env.number("DAYS", 7, 1..=400), 400);
        assert_eq!(env.number("UNSET", 7, 1..=400), 7);
        assert_eq!(env.choice("MODE", &[("GOVERNANCE", 1), ("COMPLIANCE", 2)]), Some(2));
        assert_eq!(env.text("TABLE"), "control");
        assert_eq!(env.text_or("ORG", "default"), "default");
        assert!(env.finish().is_ok());
    }
}
