//! Documents of tests between the form in which they are changed and the one in which they are read.

#![allow(dead_code, reason = "each test crate uses what it needs")]

use ledgerline_event::document;
use ledgerline_json::Json;
use serde_json::{Map, Number, Value};

/// A document as it is read. It stays for as long as the test's process.
pub(crate) fn tree(document: &Value) -> &'static Json<'static> {
    let text = document.to_string();
    Box::leak(Box::new(
        document::parse(text.as_bytes()).unwrap_or_else(|reason| panic!("{reason}: {text}")).into_owned(),
    ))
}

/// What a tree holds, to be compared and changed.
pub(crate) fn plain(tree: &Json<'_>) -> Value {
    match tree {
        Json::Null => Value::Null,
        Json::Bool(flag) => Value::Bool(*flag),
        Json::Number(number) => Value::Number(match (number.as_i64(), number.as_u64()) {
            (Some(number), _) => number.into(),
            (None, Some(number)) => number.into(),
            (None, None) => Number::from_f64(number.as_f64()).unwrap_or_else(|| panic!("not a double")),
        }),
        Json::String(text) => Value::from(&**text),
        Json::Array(items) => items.iter().map(plain).collect(),
        Json::Object(object) => {
            Value::Object(object.iter().map(|(key, value)| (key.to_owned(), plain(value))).collect::<Map<_, _>>())
        }
    }
}
