//! Which values may be sealed, and where those stand that no description of a source lists.
//!
//! Invariant: what is sealed of a value that no description lists, and each name that leads to it, is a short text of printable ASCII
//! without white space, so no text of a person's own, and no number of a payment card; and of one event it is at most [`EVENT_BYTES`].
//! In the ledger a sealed value is kept for years: what is in doubt is left out.

use ledgerline_json::Json;

pub use crate::card::holds_card_number;

/// The longest unlisted value, and the longest name that leads to one: a UUID has 36 bytes, a SHA-256 in hex 64.
pub const VALUE_BYTES: usize = 64;

/// The longest JSON Pointer of an unlisted value: as long as ingest's of what it cut.
pub const POINTER_BYTES: usize = 256;

/// The bytes of an event's unlisted values and their pointers: some fifty of usual ones, a sixth of a block.
pub const EVENT_BYTES: usize = 4 * 1024;

/// The longest text of a listed field: an e-mail address has 254 bytes at most.
pub const FIELD_BYTES: usize = 256;

/// Whether an unlisted value may be sealed.
pub fn may_be_sealed(value: &Json<'_>) -> bool {
    match value {
        Json::Null | Json::Array(_) | Json::Object(_) => false,
        Json::Bool(_) => true,
        Json::Number(number) => is_plain(number.lexeme()),
        Json::String(text) => is_plain(text) && !is_like_json(text),
    }
}

/// Whether a listed field's value may be sealed: it is a scalar or a list of scalars.
pub fn may_be_listed(value: &Json<'_>) -> bool {
    let is_short = |text: &str| text.len() <= FIELD_BYTES && !holds_card_number(text);
    match value {
        Json::Array(items) => items.iter().all(|item| item.as_array().is_none() && may_be_listed(item)),
        Json::Object(_) => false,
        Json::Null | Json::Bool(_) => true,
        Json::Number(number) => is_short(number.lexeme()),
        Json::String(text) => is_short(text) && !is_like_json(text) && !value.is_damaged(),
    }
}

fn is_plain(text: &str) -> bool {
    (1..=VALUE_BYTES).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_graphic())
        && !holds_card_number(text)
}

/// Whether a text may be JSON that holds values: these are walked, or left out.
fn is_like_json(text: &str) -> bool {
    text.trim_start().starts_with(['{', '['])
}

/// What a walk asks, and whom it gives what it finds.
pub trait Taker {
    /// Whether nothing is taken that stands under a member of this name.
    fn is_out(&self, name: &str) -> bool;

    /// Whether what a member of this name says may be sealed as a listed field's; it stands in the value that is walked, not deeper.
    fn is_listed(&self, name: &str) -> bool;

    /// Whether a value that may be sealed is wanted.
    fn wants(&self, value: &Json<'_>) -> bool;

    /// Takes a wanted value and its JSON Pointer.
    fn take(&mut self, pointer: &str, value: &Json<'_>);
}

/// A walk through one event's unlisted values.
#[derive(Debug)]
pub struct Walk {
    /// Where it is: a JSON Pointer (RFC 6901).
    pointer: String,
    /// What is left of [`EVENT_BYTES`]: nothing once a value did not fit.
    left: usize,
}

impl Walk {
    /// At its beginning.
    pub fn new() -> Self {
        Self { pointer: String::new(), left: EVENT_BYTES }
    }

    /// Gives what may be sealed of a value to `taker`, in its order; `path` leads from the document's root to the value. JSON in a string
    /// is walked as if it were the object or array that it is: each is shorter than what holds it, so that the walk ends.
    pub fn through<'p>(&mut self, path: impl IntoIterator<Item = &'p str>, value: &Json<'_>, taker: &mut impl Taker) {
        self.pointer.clear();
        if path.into_iter().all(|token| self.push(token)) {
            self.visit(value, true, taker);
        }
    }

    fn visit(&mut self, value: &Json<'_>, is_outermost: bool, taker: &mut impl Taker) {
        match value {
            Json::Object(object) => {
                for (name, value) in object.iter() {
                    if self.left == 0 {
                        return;
                    }
                    let length = self.pointer.len();
                    if !taker.is_out(name) && self.push(name) {
                        match value.as_str().filter(|_| is_outermost && taker.is_listed(name)) {
                            Some(_) => self.offer(value, may_be_listed, taker),
                            None => self.visit(value, false, taker),
                        }
                    }
                    self.pointer.truncate(length);
                }
            }
            Json::Array(items) => {
                for (index, value) in items.iter().enumerate() {
                    if self.left == 0 {
                        return;
                    }
                    let length = self.pointer.len();
                    if self.push(&index.to_string()) {
                        self.visit(value, false, taker);
                    }
                    self.pointer.truncate(length);
                }
            }
            Json::String(text) if is_like_json(text) => {
                if let Ok(inner) = ledgerline_json::parse(text.as_bytes()) {
                    self.visit(&inner, false, taker);
                }
            }
            scalar => self.offer(scalar, may_be_sealed, taker),
        }
    }

    fn offer(&mut self, value: &Json<'_>, may_be: impl Fn(&Json<'_>) -> bool, taker: &mut impl Taker) {
        if !may_be(value) || !taker.wants(value) {
            return;
        }
        let bytes = match value {
            Json::String(text) => text.len(),
            Json::Number(number) => number.lexeme().len(),
            _ => "false".len(),
        };
        match self.left.checked_sub(self.pointer.len() + bytes) {
            Some(left) => {
                self.left = left;
                taker.take(&self.pointer, value);
            }
            None => self.left = 0,
        }
    }

    /// Appends a member's name or an element's number to the pointer, if both may be sealed then.
    fn push(&mut self, token: &str) -> bool {
        let may = is_plain(token);
        if may {
            self.pointer.push('/');
            for character in token.chars() {
                match character {
                    '~' => self.pointer.push_str("~0"),
                    '/' => self.pointer.push_str("~1"),
                    other => self.pointer.push(other),
                }
            }
        }
        may && self.pointer.len() <= POINTER_BYTES
    }
}

impl Default for Walk {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(text: &str) -> Json<'_> {
        ledgerline_json::parse(text.as_bytes()).unwrap()
    }

    fn may(text: &str) -> bool {
        may_be_sealed(&json(text))
    }

    #[test]
    fn short_scalars_of_printable_ascii_without_white_space_may() {
        for json in ["true", "false", "0", "-1.50", r#""q-7""#, r#""550e8400-e29b-41d4-a716-446655440000""#, r#""!~""#]
        {
            assert!(may(json), "{json}");
        }
        assert!(may(&format!("\"{}\"", "a".repeat(64))));
        for json in [
            "null",
            "[]",
            "{}",
            "[1]",
            r#""""#,
            r#""two words""#,
            r#""a\tb""#,
            r#""a\u007f""#,
            "\"a\u{a0}b\"",
            "\"\u{0664}\"",
            "\"客户很生气\"",
            "\"so–so\"",
            "\"a\u{200b}b\"",
            r#""{x""#,
            r#""[]""#,
            r#""4111-1111-1111-1111""#,
            "4111111111111111",
        ] {
            assert!(!may(json), "{json}");
        }
        assert!(!may(&format!("\"{}\"", "a".repeat(65))) && !may(&format!("0.{}", "1".repeat(63))));
    }

    #[test]
    fn of_a_listed_field_short_texts_and_lists_of_them_may() {
        let may = |text: &str| may_be_listed(&json(text));
        for json in ["null", "true", "1.50", r#""""#, r#""Ludmila Zażółć""#, "[]", r#"["a b", 1, null, false]"#] {
            assert!(may(json), "{json}");
        }
        assert!(may(&format!("\"{}\"", "a".repeat(256))) && !may(&format!("\"{}\"", "a".repeat(257))));
        for json in [
            "{}",
            r#"{"a":1}"#,
            "[[1]]",
            r#"["a",{}]"#,
            r#"" {\"ssn\":\"078-05-1120\"}""#,
            r#"["a","4111 1111 1111 1111"]"#,
            r#""Ada 4111 1111 1111 1111""#,
            "4111111111111111",
            "\"a\u{fffd}\"",
            "[\"a\u{fffd}\"]",
        ] {
            assert!(!may(json), "{json}");
        }
    }

    /// Takes all but what stands under `out`.
    #[derive(Default)]
    struct Found(Vec<(String, String)>);

    impl Taker for Found {
        fn is_out(&self, name: &str) -> bool {
            name == "out"
        }

        fn is_listed(&self, name: &str) -> bool {
            name == "name"
        }

        fn wants(&self, value: &Json<'_>) -> bool {
            value.as_str() != Some("unwanted")
        }

        fn take(&mut self, pointer: &str, value: &Json<'_>) {
            let value = match value {
                Json::String(text) => text.to_string(),
                Json::Number(number) => number.lexeme().to_owned(),
                Json::Bool(flag) => flag.to_string(),
                other => format!("{other:?}"),
            };
            self.0.push((pointer.to_owned(), value));
        }
    }

    fn found(path: &[&str], document: &str) -> Vec<(String, String)> {
        let mut found = Found::default();
        Walk::new().through(path.iter().copied(), &json(document), &mut found);
        found.0
    }

    fn told(found: &[(String, String)]) -> Vec<(&str, &str)> {
        found.iter().map(|(pointer, value)| (pointer.as_str(), value.as_str())).collect()
    }

    #[test]
    fn scalars_are_found_under_their_pointers_in_strings_too() {
        let document = r#"{"a/b":{"m~n":[1,"x"]},"s":"{\"in\":\"[true]\",\"n\":null}","t":"{no","u":"unwanted"}"#;
        let expected = [("/r/a~1b/m~0n/0", "1"), ("/r/a~1b/m~0n/1", "x"), ("/r/s/in/0", "true")];
        assert_eq!(told(&found(&["r"], document)), expected);
        assert_eq!(told(&found(&["a", "0"], "7")), [("/a/0", "7")]);
    }

    #[test]
    fn names_are_held_to_what_values_are_and_nothing_below_others_is_walked() {
        let long = "n".repeat(65);
        for name in ["", "two words", "客户", "a\u{a0}b", "4111111111111111", "out", &long] {
            let document = format!(r#"{{"a":[{{"{name}":{{"b":[1]}}}}],"s":"{{\"{name}\":2}}","z":3}}"#);
            assert_eq!(told(&found(&["r"], &document)), [("/r/z", "3")], "{name}");
            assert!(name == "out" || found(&["r", name], "1").is_empty(), "{name}");
        }
        // A pointer of 256 bytes, and one of 257.
        let deep = |last: usize| {
            let name = "n".repeat(62);
            format!(r#"{{"{name}":{{"{name}":{{"{name}":{{"{}":1}}}}}}}}"#, "n".repeat(last))
        };
        assert_eq!(found(&["r"], &deep(63))[0].0.len(), 255);
        assert_eq!((found(&["rr"], &deep(63)).len(), found(&["rrr"], &deep(63)).len()), (1, 0));
    }

    #[test]
    fn a_name_for_people_may_be_a_text_where_it_says_what_the_value_is_called() {
        let document = r#"{"name":"Ada Lovelace","note":"two words","inner":{"name":"Ada Lovelace"},"id":"u-1"}"#;
        assert_eq!(told(&found(&["actor"], document)), [("/actor/name", "Ada Lovelace"), ("/actor/id", "u-1")]);
        assert_eq!(found(&["actor"], r#"{"name":{"name":"Ada Lovelace"}}"#), []);
    }

    #[test]
    fn of_one_event_four_kibibytes_are_taken_in_the_documents_order() {
        let mut walk = Walk::new();
        let mut taken = Found::default();
        walk.through(["a"], &json(r#"{"x":1}"#), &mut taken);
        let in_string = format!(r#"{{"s":"[{}]"}}"#, ["1"; 5_000].join(","));
        walk.through(["b"], &json(&in_string), &mut taken);
        // A shorter one behind the first that does not fit is not taken either.
        walk.through(["c"], &json("1"), &mut taken);
        let bytes: usize = taken.0.iter().map(|(pointer, value)| pointer.len() + value.len()).sum();
        assert!((EVENT_BYTES - 16..=EVENT_BYTES).contains(&bytes), "{bytes}");
        let pointers: Vec<&str> = taken.0.iter().map(|(pointer, _)| pointer.as_str()).collect();
        assert_eq!((&pointers[..3], pointers.contains(&"/c")), (&["/a/x", "/b/s/0", "/b/s/1"][..], false));
    }
}
