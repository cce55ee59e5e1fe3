//! The name of a log: `<org>/<class>/<generation>/<shard>`.
//!
//! Invariant: a [`LogId`] is safe inside an object key and a table key; each of its parts is checked once, here.

use std::fmt;

/// The retention classes that there are: an event's log is of the class of its kind of record, and what is done about requests of persons
/// stands in logs of its own.
pub const CLASSES: [&str; 3] = ["interaction", "entity", REQUESTS];
/// The class of logs that hold what was done about requests of persons: acts alone.
pub const REQUESTS: &str = "request";

/// One append-only ledger of one org, retention class, generation and shard.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LogId(String);

impl LogId {
    /// Parses `<org>/<class>/<generation>/<shard>`.
    pub fn parse(text: &str) -> Result<Self, LogIdError> {
        let parts: Vec<&str> = text.split('/').collect();
        let [org, class, generation, shard] = parts.as_slice() else {
            return Err(LogIdError);
        };
        let fits = is_name(org, MAX_ORG_CHARS) && is_class(class) && is_counter(generation) && is_counter(shard);
        if fits { Ok(Self(text.to_owned())) } else { Err(LogIdError) }
    }

    /// The log of an org's retention class: its first generation and only shard.
    pub fn first_of(org: &str, class: &str) -> Result<Self, LogIdError> {
        Self::parse(&format!("{org}/{class}/1/0"))
    }

    /// The whole name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The org whose events this log holds.
    pub fn org(&self) -> &str {
        self.0.split('/').next().unwrap_or_default()
    }

    /// The retention class: what decides how long the log's evidence is kept.
    pub fn class(&self) -> &str {
        self.0.split('/').nth(1).unwrap_or_default()
    }
}

impl fmt::Display for LogId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The text is no `<org>/<class>/<generation>/<shard>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a log name: expected <org>/<class>/<generation>/<shard>")]
pub struct LogIdError;

/// Whether `text` is 1 to `max` characters of `[A-Za-z0-9._-]`, and not `.` or `..`, which no object key may hold.
pub(crate) fn is_name(text: &str, max: usize) -> bool {
    (1..=max).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'))
        && !matches!(text, "." | "..")
}

fn is_class(text: &str) -> bool {
    (1..=MAX_CLASS_CHARS).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

fn is_counter(text: &str) -> bool {
    (1..=MAX_COUNTER_DIGITS).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_digit())
        && (text == "0" || !text.starts_with('0'))
}

/// Longest org name.
pub(crate) const MAX_ORG_CHARS: usize = 64;
const MAX_CLASS_CHARS: usize = 32;
/// Generations and shards are counted by hand: six digits are plenty.
const MAX_COUNTER_DIGITS: usize = 6;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_name_has_four_checked_parts() {
        let log = LogId::parse("acme/interaction/1/0").unwrap();
        assert_eq!((log.org(), log.class()), ("acme", "interaction"));
        assert_eq!(LogId::first_of("acme", "entity").unwrap().as_str(), "acme/entity/1/0");
    }

    #[test]
    fn what_could_leave_its_folder_is_refused() {
        for text in [
            "",
            "acme",
            "acme/interaction/1",
            "acme/interaction/1/0/0",
            "../interaction/1/0",
            "a b/interaction/1/0",
            "acme//1/0",
            "acme/Interaction/1/0",
            "acme/interaction/01/0",
            "acme/interaction/-1/0",
            "acme/interaction/1/0\n",
        ] {
            assert_eq!(LogId::parse(text), Err(LogIdError), "{text:?}");
        }
    }
}
