//! A document as a tree that borrows its text.
//!
//! Invariant: what [`parse`] takes is I-JSON but for lone surrogates in values, and the tree says of it what the text says: numbers as
//! they are written, members in their order, each name once.

use std::borrow::Cow;
use std::fmt;

use crate::lexer::{DAMAGE, Fatal, Flaw, Lexer, MAX_DEPTH, Text};

/// A JSON value. Its `Debug` shows how it is put together and nothing of what it says: it may be somebody's.
#[derive(Clone, PartialEq)]
pub enum Json<'a> {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A number.
    Number(Number<'a>),
    /// A string.
    String(Cow<'a, str>),
    /// An array.
    Array(Vec<Json<'a>>),
    /// An object.
    Object(Object<'a>),
}

/// A number, as it is written.
#[derive(Clone, PartialEq, Eq)]
pub struct Number<'a>(Cow<'a, str>);

/// An object: its members, in the order in which they stand.
#[derive(Clone, PartialEq, Default)]
pub struct Object<'a> {
    members: Vec<(Cow<'a, str>, Json<'a>)>,
}

/// A value that a document states, or one that follows from others.
#[derive(Clone)]
pub enum Stated<'a> {
    /// The document's own.
    Sent(&'a Json<'a>),
    /// One that follows.
    Derived(Json<'a>),
}

impl<'a> std::ops::Deref for Stated<'a> {
    type Target = Json<'a>;

    fn deref(&self) -> &Json<'a> {
        match self {
            Self::Sent(value) => value,
            Self::Derived(value) => value,
        }
    }
}

impl<'a> Json<'a> {
    /// The string.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    /// The object.
    pub fn as_object(&self) -> Option<&Object<'a>> {
        match self {
            Self::Object(object) => Some(object),
            _ => None,
        }
    }

    /// The array.
    pub fn as_array(&self) -> Option<&[Json<'a>]> {
        match self {
            Self::Array(items) => Some(items),
            _ => None,
        }
    }

    /// The number, if it is an integer that `i64` holds.
    pub fn as_i64(&self) -> Option<i64> {
        self.number()?.as_i64()
    }

    /// The number, if it is an integer that `u64` holds.
    pub fn as_u64(&self) -> Option<u64> {
        self.number()?.as_u64()
    }

    /// The double nearest to the number.
    pub fn as_f64(&self) -> Option<f64> {
        Some(self.number()?.as_f64())
    }

    /// Whether it is a string.
    pub fn is_string(&self) -> bool {
        matches!(self, Self::String(_))
    }

    /// Whether it is an object.
    pub fn is_object(&self) -> bool {
        matches!(self, Self::Object(_))
    }

    /// Whether it is `null`.
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// The same value with a text of its own.
    pub fn into_owned(self) -> Json<'static> {
        let owned = |text: Cow<'_, str>| Cow::Owned(text.into_owned());
        match self {
            Self::Null => Json::Null,
            Self::Bool(flag) => Json::Bool(flag),
            Self::Number(Number(lexeme)) => Json::Number(Number(owned(lexeme))),
            Self::String(text) => Json::String(owned(text)),
            Self::Array(items) => Json::Array(items.into_iter().map(Json::into_owned).collect()),
            Self::Object(Object { members }) => Json::Object(Object {
                members: members.into_iter().map(|(key, value)| (owned(key), value.into_owned())).collect(),
            }),
        }
    }

    fn number(&self) -> Option<&Number<'a>> {
        match self {
            Self::Number(number) => Some(number),
            _ => None,
        }
    }
}

impl<'a> From<&'a str> for Json<'a> {
    fn from(text: &'a str) -> Self {
        Self::String(Cow::Borrowed(text))
    }
}

impl From<String> for Json<'_> {
    fn from(text: String) -> Self {
        Self::String(Cow::Owned(text))
    }
}

impl From<i64> for Json<'_> {
    fn from(number: i64) -> Self {
        Self::Number(Number(Cow::Owned(number.to_string())))
    }
}

impl fmt::Debug for Json<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Bool(_) | Self::Number(_) | Self::String(_) => f.write_str("***"),
            Self::Array(items) => f.debug_list().entries(items).finish(),
            Self::Object(object) => object.fmt(f),
        }
    }
}

impl fmt::Debug for Object<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.members.iter().map(|(_, value)| value)).finish()
    }
}

/// 2⁵³: below it every whole number is a double.
const WHOLE_END: f64 = 9_007_199_254_740_992.0;

impl Number<'_> {
    /// The number as it is written.
    pub fn lexeme(&self) -> &str {
        &self.0
    }

    /// The number, if it is an integer that `i64` holds.
    pub fn as_i64(&self) -> Option<i64> {
        self.integer()?.parse().ok()
    }

    /// The number, if it is an integer that `u64` holds.
    pub fn as_u64(&self) -> Option<u64> {
        self.integer()?.parse().ok()
    }

    /// The number, if it is whole, not negative and below 2⁵³, however it is written: beyond that doubles lose digits, and what
    /// wrote it may have.
    pub fn as_whole(&self) -> Option<u64> {
        let double = self.as_f64();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "whole and within the range")]
        let whole = (double.fract() == 0.0 && (0.0..WHOLE_END).contains(&double)).then_some(double as u64);
        whole
    }

    /// The double nearest to it; finite, as the lexer refuses every other.
    pub fn as_f64(&self) -> f64 {
        self.0.parse().unwrap_or(f64::NAN)
    }

    /// The digits of an integer. `-0` is a double: an integer has no such zero.
    fn integer(&self) -> Option<&str> {
        let plain = self.0.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-') && &*self.0 != "-0";
        plain.then_some(&self.0)
    }
}

impl fmt::Debug for Number<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl<'a> Object<'a> {
    /// The member of this name.
    pub fn get(&self, name: &str) -> Option<&Json<'a>> {
        self.members.iter().find(|(key, _)| key == name).map(|(_, value)| value)
    }

    /// The members, in their order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &Json<'a>)> {
        self.members.iter().map(|(key, value)| (&**key, value))
    }

    /// The members' names.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.members.iter().map(|(key, _)| &**key)
    }
}

/// Reads one value, nothing before or after it but white space.
///
/// # Errors
/// What is wrong; of several things the one that keeps the text from being followed, else the first.
pub fn parse(bytes: &[u8]) -> Result<Json<'_>, Flaw> {
    // Checked once, so that each string is a slice of it.
    let text = std::str::from_utf8(bytes).map_err(|_| Flaw::NotUtf8)?;
    let mut reader = Reader { text, lexer: Lexer::new(bytes) };
    let value = reader.value(0).map_err(|Fatal(flaw)| flaw)?;
    match (reader.lexer.after_space().is_ok(), reader.lexer.flaw) {
        (true, _) => Err(Flaw::NotJson),
        (false, Some(flaw)) => Err(flaw),
        (false, None) => Ok(value),
    }
}

struct Reader<'a> {
    text: &'a str,
    lexer: Lexer<'a>,
}

impl<'a> Reader<'a> {
    fn value(&mut self, depth: usize) -> Result<Json<'a>, Fatal> {
        Ok(match self.lexer.after_space()? {
            b'"' => {
                let text = self.lexer.string()?;
                Json::String(self.decoded(text))
            }
            b'{' => Json::Object(self.object(depth + 1)?),
            b'[' => Json::Array(self.array(depth + 1)?),
            b'-' | b'0'..=b'9' => {
                let start = self.lexer.at;
                self.lexer.number()?;
                Json::Number(Number(Cow::Borrowed(self.between(start, self.lexer.at))))
            }
            _ => match self.lexer.literal()? {
                b"null" => Json::Null,
                literal => Json::Bool(literal == b"true"),
            },
        })
    }

    fn array(&mut self, depth: usize) -> Result<Vec<Json<'a>>, Fatal> {
        self.open(depth)?;
        let mut items = Vec::new();
        if self.lexer.after_space()? == b']' {
            self.lexer.at += 1;
            return Ok(items);
        }
        loop {
            items.push(self.value(depth)?);
            if self.closes(b']')? {
                return Ok(items);
            }
        }
    }

    fn object(&mut self, depth: usize) -> Result<Object<'a>, Fatal> {
        self.open(depth)?;
        if self.lexer.after_space()? == b'}' {
            self.lexer.at += 1;
            return Ok(Object::default());
        }
        let mut members: Vec<(Cow<'a, str>, Json<'a>)> = Vec::with_capacity(USUAL_MEMBERS);
        let mut seen = 0_u64;
        loop {
            if self.lexer.after_space()? != b'"' {
                return Err(Fatal(Flaw::NotJson));
            }
            let key = self.lexer.key()?;
            let key = self.decoded(key);
            // Only a name whose bit is taken can stand there twice; large objects are checked when they close.
            let bit = bit_of(&key);
            if seen & bit != 0 && members.len() <= PAIRWISE_MAX && members.iter().any(|(other, _)| *other == key) {
                self.lexer.flawed(Flaw::DuplicateKey);
            }
            seen |= bit;
            if self.lexer.after_space()? != b':' {
                return Err(Fatal(Flaw::NotJson));
            }
            self.lexer.at += 1;
            let value = self.value(depth)?;
            members.push((key, value));
            if self.closes(b'}')? {
                break;
            }
        }
        if members.len() > PAIRWISE_MAX && has_duplicate(&members) {
            self.lexer.flawed(Flaw::DuplicateKey);
        }
        Ok(Object { members })
    }

    fn open(&mut self, depth: usize) -> Result<(), Fatal> {
        if depth > MAX_DEPTH {
            return Err(Fatal(Flaw::TooDeep));
        }
        self.lexer.at += 1;
        Ok(())
    }

    /// Whether the bracket closes here; a comma goes on.
    fn closes(&mut self, bracket: u8) -> Result<bool, Fatal> {
        let next = self.lexer.after_space()?;
        if next != b',' && next != bracket {
            return Err(Fatal(Flaw::NotJson));
        }
        self.lexer.at += 1;
        Ok(next == bracket)
    }

    /// The content of the string that was just read.
    fn decoded(&self, text: Text<'a>) -> Cow<'a, str> {
        if text.escaped {
            return Cow::Owned(text.decode().into_owned());
        }
        let end = self.lexer.at - 1;
        Cow::Borrowed(self.between(end - text.raw.len(), end))
    }

    fn between(&self, start: usize, end: usize) -> &'a str {
        // Both ends stand beside ASCII, so that neither is inside a character.
        self.text.get(start..end).unwrap_or_default()
    }
}

/// One of 64 bits: length, first and last byte tell most names of an object apart.
fn bit_of(key: &str) -> u64 {
    let bytes = key.as_bytes();
    let ends = [bytes.first(), bytes.last()].map(|byte| byte.copied().map_or(0, usize::from));
    1 << ((bytes.len() * 7 + ends[0] * 5 + ends[1]) % 64)
}

fn has_duplicate(members: &[(Cow<'_, str>, Json<'_>)]) -> bool {
    let mut keys: Vec<&str> = members.iter().map(|(key, _)| &**key).collect();
    keys.sort_unstable();
    keys.windows(2).any(|pair| pair[0] == pair[1])
}

impl Json<'_> {
    /// Whether any text in it holds a [`DAMAGE`] mark: half of a surrogate pair, or what another program put in place of a
    /// character that it could not read.
    pub fn is_damaged(&self) -> bool {
        match self {
            Self::Null | Self::Bool(_) | Self::Number(_) => false,
            Self::String(text) => text.contains(DAMAGE),
            Self::Array(items) => items.iter().any(Json::is_damaged),
            Self::Object(object) => object.iter().any(|(_, value)| value.is_damaged()),
        }
    }
}

/// Bodies have some twelve to sixteen members; one allocation then suffices.
const USUAL_MEMBERS: usize = 16;
/// Objects of more members than this are checked for duplicates once, by sorting, when they close.
const PAIRWISE_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    fn flaw(text: &str) -> Flaw {
        parse(text.as_bytes()).unwrap_err()
    }

    #[test]
    fn a_tree_says_what_its_text_says() {
        let text = r#" {"a":[1,-0,2.50,1e3,true,null,"x\n\ud83d\ude00"],"b":{"é":""}} "#;
        let tree = parse(text.as_bytes()).unwrap();
        let object = tree.as_object().unwrap();
        let items = object.get("a").and_then(Json::as_array).unwrap();
        assert_eq!(items[0].as_i64(), Some(1));
        assert_eq!((items[1].as_i64(), items[1].as_u64(), items[1].as_f64()), (None, None, Some(-0.0)));
        assert_eq!((items[2].as_i64(), items[2].as_f64()), (None, Some(2.5)));
        assert_eq!(items[3].as_f64(), Some(1000.0));
        assert_eq!((&items[4], &items[5]), (&Json::Bool(true), &Json::Null));
        assert_eq!(items[6].as_str(), Some("x\n😀"));
        assert_eq!(object.get("b").and_then(Json::as_object).and_then(|b| b.get("é")), Some(&Json::from("")));
        assert_eq!(object.keys().collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(tree.clone().into_owned(), tree);
        assert_eq!(format!("{tree:?}"), "[[***, ***, ***, ***, ***, null, ***], [***]]");
    }

    #[test]
    fn what_is_not_i_json_is_refused_by_name() {
        for (text, expected) in [
            ("", Flaw::NotJson),
            ("{} x", Flaw::NotJson),
            ("{,}", Flaw::NotJson),
            ("[1 2]", Flaw::NotJson),
            ("[1,]", Flaw::NotJson),
            (r#"{"a" 1}"#, Flaw::NotJson),
            (r#"{"a":1,"\u0061":2}"#, Flaw::DuplicateKey),
            (r#"{"\ud800":1}"#, Flaw::LoneSurrogate),
            ("1e999", Flaw::NumberOutOfRange),
        ] {
            assert_eq!(flaw(text), expected, "{text}");
        }
        assert_eq!(parse(b"\"\xFF\"").unwrap_err(), Flaw::NotUtf8);
        let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        assert!(parse(nested(MAX_DEPTH).as_bytes()).is_ok());
        assert_eq!(flaw(&nested(MAX_DEPTH + 1)), Flaw::TooDeep);
    }

    #[test]
    fn a_name_that_stands_twice_is_found_in_objects_of_any_size() {
        for members in [2, PAIRWISE_MAX, PAIRWISE_MAX + 1, 500] {
            let keys: Vec<String> = (0..members).map(|n| format!(r#""k{n}":0"#)).collect();
            assert!(parse(format!("{{{}}}", keys.join(",")).as_bytes()).is_ok());
            for again in [0, members / 2, members - 1] {
                let twice = format!(r#"{{{},"k{again}":1}}"#, keys.join(","));
                assert_eq!(flaw(&twice), Flaw::DuplicateKey, "{again} of {members}");
            }
        }
    }

    #[test]
    fn a_cut_character_in_a_value_stays_apart_from_others() {
        let tree = parse(br#"["a\ud83d","a\uD83E","a\ude00 b","whole \ud83d\ude00"]"#).unwrap();
        let items = tree.as_array().unwrap();
        assert_eq!(items[0].as_str(), Some("a\u{FFFD}d83d"));
        assert_eq!(items[1].as_str(), Some("a\u{FFFD}d83e"));
        assert_eq!(items.iter().map(Json::is_damaged).collect::<Vec<_>>(), [true, true, true, false]);
    }

    mod beside_serde_json {
        use proptest::prelude::*;
        use serde_json::Value;

        use super::*;

        fn same(ours: &Json<'_>, theirs: &Value) -> bool {
            match (ours, theirs) {
                (Json::Null, Value::Null) => true,
                (Json::Bool(a), Value::Bool(b)) => a == b,
                (Json::Number(a), Value::Number(b)) => {
                    (a.as_i64(), a.as_u64()) == (b.as_i64(), b.as_u64()) && Some(a.as_f64()) == b.as_f64()
                }
                (Json::String(a), Value::String(b)) => a == b,
                (Json::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
                (Json::Object(a), Value::Object(b)) => {
                    a.iter().len() == b.len() && a.iter().all(|(key, value)| b.get(key).is_some_and(|b| same(value, b)))
                }
                _ => false,
            }
        }

        fn document() -> impl Strategy<Value = Value> {
            let scalar = prop_oneof![
                Just(Value::Null),
                any::<bool>().prop_map(Value::from),
                any::<i64>().prop_map(Value::from),
                any::<u64>().prop_map(Value::from),
                any::<f64>().prop_map(Value::from),
                ".*".prop_map(Value::from),
            ];
            scalar.prop_recursive(4, 64, 8, |inner| {
                prop_oneof![
                    prop::collection::vec(inner.clone(), 0..8).prop_map(Value::from),
                    prop::collection::btree_map(".*", inner, 0..8)
                        .prop_map(|members| Value::Object(members.into_iter().collect())),
                ]
            })
        }

        proptest! {
            #[test]
            fn what_it_writes_is_read_alike(value in document()) {
                let text = value.to_string();
                prop_assert!(same(&parse(text.as_bytes()).unwrap(), &value));
            }

            #[test]
            fn what_it_refuses_is_refused(
                value in document(),
                at in any::<prop::sample::Index>(),
                byte in any::<u8>(),
            ) {
                let mut text = value.to_string().into_bytes();
                let at = at.index(text.len());
                text[at] = byte;
                let (ours, theirs) = (parse(&text), serde_json::from_slice::<Value>(&text));
                match (ours, theirs) {
                    (Ok(ours), Ok(theirs)) => prop_assert!(same(&ours, &theirs)),
                    // Both take what both call JSON, but for doubled names and cut characters.
                    (Ok(ours), Err(_)) => prop_assert!(ours.is_damaged()),
                    (Err(flaw), Ok(_)) => prop_assert_eq!(flaw, Flaw::DuplicateKey),
                    (Err(_), Err(_)) => {}
                }
            }
        }
    }
}
