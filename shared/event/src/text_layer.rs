//! A layer of a document that its source wrote as JSON in a string, put back in its place: the bodies of notifications, and the
//! `detail` of services that write it as text.
//!
//! Invariant: one level of text is undone, the outermost. What it becomes is read, named and split like any other document; bronze
//! keeps the bytes as they came.

use std::borrow::Cow;

use ledgerline_json::Json;
use ledgerline_json::lexer::Lexer;
use ledgerline_json::walk::{members, skip};
use memchr::memmem;

use crate::adapters;

/// Longest text that is undone: EventBridge and SNS carry events of up to 256 KiB.
const TEXT_BYTES_MAX: usize = 256 * 1024;

/// The document with its text layer as the object that it is; as it is where there is none.
pub fn undone(document: &[u8]) -> Cow<'_, [u8]> {
    // One of them is necessary for a text that holds an object, and both are rare.
    if [&b"\"{"[..], br#"\""#, br"\u0022"].iter().all(|sign| memmem::find(document, sign).is_none()) {
        return Cow::Borrowed(document);
    }
    spliced(document).map_or(Cow::Borrowed(document), Cow::Owned)
}

fn spliced(document: &[u8]) -> Option<Vec<u8>> {
    let tree = ledgerline_json::parse(document).ok()?;
    let path = adapters::text_layer(&tree)?;
    let text = path.iter().try_fold(&tree, |value, key| value.as_object()?.get(key))?.as_str()?;
    let fits = text.len() <= TEXT_BYTES_MAX;
    // What is not an object would only make the whole document unreadable.
    if !fits || !matches!(ledgerline_json::parse(text.as_bytes()), Ok(Json::Object(_))) {
        return None;
    }
    let place = place_of(&mut Lexer::new(document), &path)?;
    let spliced = [&document[..place.start], text.as_bytes(), &document[place.end..]].concat();
    // In its place it may be nested too deep.
    ledgerline_json::parse(&spliced).is_ok().then_some(spliced)
}

/// Where the value at these keys lies.
fn place_of(lexer: &mut Lexer<'_>, path: &[&str]) -> Option<std::ops::Range<usize>> {
    lexer.after_space().ok()?;
    let Some((first, rest)) = path.split_first() else {
        let start = lexer.at;
        skip(lexer, 0)?;
        return Some(start..lexer.at);
    };
    let mut found = None;
    members(lexer, |lexer, key| {
        if found.is_none() && key.decode() == *first {
            found = Some(place_of(lexer, rest)?);
            return Some(());
        }
        skip(lexer, 0)
    })?;
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(document: &str) -> String {
        String::from_utf8(undone(document.as_bytes()).into_owned()).unwrap()
    }

    #[test]
    fn one_level_of_text_is_undone_where_a_layer_stands() {
        for (document, expected) in [
            (r#"{"source":"x","detail":"{\"a\": 1}"}"#, r#"{"source":"x","detail":{"a": 1}}"#),
            (
                r#"{"source":"x", "detail" : " {\"a\":\"\\u00e9\"}" ,"z":0}"#,
                r#"{"source":"x", "detail" :  {"a":"\u00e9"} ,"z":0}"#,
            ),
            (r#"{"source":"x","detail":{"eventBody":"{}"}}"#, r#"{"source":"x","detail":{"eventBody":{}}}"#),
            (
                r#"{"TopicArn":"arn","Message":"{\"source\":\"x\",\"detail\":\"{}\"}"}"#,
                r#"{"TopicArn":"arn","Message":{"source":"x","detail":"{}"}}"#,
            ),
            (r#"{"source":"x","detail":" {\u0022a\u0022:1}"}"#, r#"{"source":"x","detail": {"a":1}}"#),
            (r#"{"specversion":"1.0","data":"{\"a\":1}"}"#, r#"{"specversion":"1.0","data":{"a":1}}"#),
        ] {
            assert_eq!(after(document), expected);
        }
    }

    #[test]
    fn what_is_not_a_layer_or_not_an_object_stays() {
        let long = format!(r#"{{"source":"x","detail":"{{\"a\":\"{}\"}}"}}"#, "y".repeat(TEXT_BYTES_MAX));
        for document in [
            r#"{"detail":"{}"}"#,
            r#"{"source":"x","detail":"{\"a\":"}"#,
            r#"{"source":"x","detail":"{\"a\":1,\"a\":2}"}"#,
            r#"{"source":"x","detail":"{} and more"}"#,
            r#"{"source":"x","other":"{\"a\":1}"}"#,
            r#"{"data":"{\"a\":1}"}"#,
            r#"{"message":"{\"a\":1}"}"#,
            r#"not "{ json"#,
            &long,
        ] {
            assert_eq!(after(document), document);
        }
    }
}
