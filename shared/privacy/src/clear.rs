//! The only values that may be persisted: what the policy recognised as harmless.
//!
//! Invariant: a [`Clear`] is made inside this crate and nowhere else, by the policy, after the value was seen to be
//! what its name promises. Whatever stores fields takes this type.

use std::borrow::Cow;

use serde::ser::SerializeSeq;
use serde::{Serialize, Serializer};
use serde_json::Value;

use crate::instant;

/// A value that may be stored. Read it through [`Clear::view`].
#[derive(Debug, Clone, PartialEq)]
pub struct Clear(Inner);

#[derive(Debug, Clone, PartialEq)]
enum Inner {
    Text(Cow<'static, str>),
    Int(i64),
    Bool(bool),
    Time(i64),
    List(Vec<Clear>),
}

/// What a [`Clear`] holds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum View<'a> {
    /// A word of a closed vocabulary, a UUID, a version, a pseudonym.
    Text(&'a str),
    /// A count or a duration.
    Int(i64),
    /// A flag.
    Bool(bool),
    /// A time, in epoch milliseconds.
    Time(i64),
    /// Several of them.
    List(&'a [Clear]),
}

impl Clear {
    pub(crate) fn text(text: impl Into<Cow<'static, str>>) -> Self {
        Self(Inner::Text(text.into()))
    }

    pub(crate) fn int(number: i64) -> Self {
        Self(Inner::Int(number))
    }

    pub(crate) fn bool(flag: bool) -> Self {
        Self(Inner::Bool(flag))
    }

    pub(crate) fn time(epoch_ms: i64) -> Self {
        Self(Inner::Time(epoch_ms))
    }

    pub(crate) fn list(items: Vec<Clear>) -> Self {
        Self(Inner::List(items))
    }

    /// The value, to be read.
    pub fn view(&self) -> View<'_> {
        match &self.0 {
            Inner::Text(text) => View::Text(text),
            Inner::Int(number) => View::Int(*number),
            Inner::Bool(flag) => View::Bool(*flag),
            Inner::Time(epoch_ms) => View::Time(*epoch_ms),
            Inner::List(items) => View::List(items),
        }
    }

    /// The text, if it is one.
    pub fn as_text(&self) -> Option<&str> {
        match &self.0 {
            Inner::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The value as JSON; a time becomes RFC 3339 UTC with milliseconds.
    pub fn to_json(&self) -> Value {
        match &self.0 {
            Inner::Text(text) => Value::from(text.as_ref()),
            Inner::Int(number) => Value::from(*number),
            Inner::Bool(flag) => Value::from(*flag),
            Inner::Time(epoch_ms) => Value::from(instant::to_rfc3339(*epoch_ms)),
            Inner::List(items) => items.iter().map(Self::to_json).collect(),
        }
    }
}

impl Serialize for Clear {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.0 {
            Inner::Text(text) => serializer.serialize_str(text),
            Inner::Int(number) => serializer.serialize_i64(*number),
            Inner::Bool(flag) => serializer.serialize_bool(*flag),
            Inner::Time(epoch_ms) => serializer.serialize_str(&instant::to_rfc3339(*epoch_ms)),
            Inner::List(items) => {
                let mut seq = serializer.serialize_seq(Some(items.len()))?;
                for item in items {
                    seq.serialize_element(item)?;
                }
                seq.end()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_in_utc_with_three_decimals() {
        // date -u -d @1772460000.350 +%FT%T.%3NZ
        assert_eq!(Clear::time(1_772_460_000_350).to_json(), "2026-03-02T14:00:00.350Z");
        assert_eq!(Clear::time(0).to_json(), "1970-01-01T00:00:00.000Z");
        assert_eq!(Clear::time(951_782_400_001).to_json(), "2000-02-29T00:00:00.001Z");
    }

    #[test]
    fn serialisation_and_to_json_agree() {
        let all = Clear::list(vec![
            Clear::text("VOICE"),
            Clear::int(-1),
            Clear::bool(true),
            Clear::time(1_772_460_000_350),
            Clear::list(vec![]),
        ]);
        assert_eq!(serde_json::to_value(&all).unwrap(), all.to_json());
        assert_eq!(all.to_json().to_string(), r#"["VOICE",-1,true,"2026-03-02T14:00:00.350Z",[]]"#);
    }
}
