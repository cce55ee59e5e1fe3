//! A body, taken apart into items: one object, an array, lines of JSON, or an object around a list, as the guides' bulk ingestion sends it.
//!
//! Invariant: every item has a place, counted from 0, and is a document or says why it is none; nothing is dropped. An object around a list
//! becomes a document per element: with what stands around the list where the description says that it is about its elements, else the
//! element alone. What is compressed is unpacked up to a bound, and not beyond it.

use std::borrow::Cow;
use std::io::Read as _;

use flate2::read::MultiGzDecoder;
use ledgerline_event::document::{self, Fragment, Rejection};
use ledgerline_event::{Context, adapt, batch, text_layer};
use ledgerline_json::Flaw;
use ledgerline_json::lexer::Lexer;
use ledgerline_json::walk::{elements, members, skip};

/// The longest body, as it is sent.
pub const BODY_BYTES: usize = 1024 * 1024;
/// The longest body, unpacked: ten times as much.
pub const UNPACKED_BYTES: usize = 10 * BODY_BYTES;
/// Items of a body: as many as the stream takes in one batch.
pub const ITEMS_MAX: usize = 500;
/// What gzip begins with.
const GZIP: [u8; 2] = [0x1F, 0x8B];
/// The names of lists.
const LISTS: [&str; 2] = ["records", "events"];

/// One thing that was sent.
#[derive(Clone, PartialEq, Eq)]
pub enum Item<'b> {
    /// An I-JSON object.
    Document(Cow<'b, [u8]>),
    /// Something else.
    Bad(Rejection),
}

impl std::fmt::Debug for Item<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Document(bytes) => write!(f, "Document({} bytes)", bytes.len()),
            Self::Bad(reason) => write!(f, "Bad({reason})"),
        }
    }
}

/// Why a body is not taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BadBody {
    /// It is compressed, and cannot be unpacked.
    NotGzip,
    /// There is more of it than is unpacked.
    TooLarge,
    /// It has more items than one body may have.
    TooMany,
    /// There is nothing in it.
    Empty,
    /// It is an array that is not JSON, and of which nobody knows where its elements are.
    NotJson,
}

/// The body's bytes as its source wrote them.
///
/// # Errors
/// It is gzip that cannot be unpacked, or unpacks to too much.
pub fn unpacked(body: Cow<'_, [u8]>) -> Result<Cow<'_, [u8]>, BadBody> {
    if !body.starts_with(&GZIP) {
        return Ok(body);
    }
    let mut bytes = Vec::new();
    // One byte more tells that there is more.
    let mut decoder = MultiGzDecoder::new(&*body).take(UNPACKED_BYTES as u64 + 1);
    decoder.read_to_end(&mut bytes).map_err(|_| BadBody::NotGzip)?;
    if bytes.len() > UNPACKED_BYTES { Err(BadBody::TooLarge) } else { Ok(Cow::Owned(bytes)) }
}

/// The items of an unpacked body.
///
/// # Errors
/// It has none, too many, or is an array that is not JSON.
pub fn items(body: &[u8]) -> Result<Vec<Item<'_>>, BadBody> {
    let body = without_mark(body);
    let found = match body.first() {
        None => return Err(BadBody::Empty),
        Some(b'[') => of_array(body)?,
        Some(_) => of_documents(body)?,
    };
    match found.len() {
        0 => Err(BadBody::Empty),
        many if many > ITEMS_MAX => Err(BadBody::TooMany),
        _ => Ok(found),
    }
}

fn without_mark(mut body: &[u8]) -> &[u8] {
    loop {
        body = body.trim_ascii();
        match body.strip_prefix(document::BYTE_ORDER_MARK) {
            Some(rest) => body = rest,
            None => return body,
        }
    }
}

/// The elements of the array that the body is.
fn of_array(body: &[u8]) -> Result<Vec<Item<'_>>, BadBody> {
    // What is wrong inside an element is that element's alone.
    if matches!(ledgerline_json::parse(body), Err(Flaw::NotJson | Flaw::NotUtf8)) {
        return Err(BadBody::NotJson);
    }
    let mut lexer = Lexer::new(body);
    let found = list(&mut lexer, body).ok_or(BadBody::NotJson)?;
    if !body[lexer.at..].trim_ascii().is_empty() {
        return Err(BadBody::NotJson);
    }
    if found.len() > ITEMS_MAX {
        return Err(BadBody::TooMany);
    }
    Ok(found.into_iter().map(element).collect())
}

/// The elements of the list that the lexer stands before.
fn list<'b>(lexer: &mut Lexer<'b>, body: &'b [u8]) -> Option<Vec<&'b [u8]>> {
    let mut found = Vec::new();
    elements(lexer, |lexer| {
        lexer.after_space().ok()?;
        let start = lexer.at;
        skip(lexer, 0)?;
        found.push(&body[start..lexer.at]);
        Some(())
    })?;
    Some(found)
}

fn element(bytes: &[u8]) -> Item<'_> {
    match document::parse(bytes) {
        Ok(_) => Item::Document(Cow::Borrowed(bytes)),
        Err(reason) => Item::Bad(reason),
    }
}

/// The documents of a body, one behind the other or one a line, and what is none of them; of a single one around a list, the list's.
fn of_documents(body: &[u8]) -> Result<Vec<Item<'_>>, BadBody> {
    let mut found = Vec::new();
    for fragment in document::split(body) {
        if found.len() == ITEMS_MAX {
            return Err(BadBody::TooMany);
        }
        found.push(match fragment {
            Fragment::Document(bytes, _) => Item::Document(Cow::Borrowed(bytes)),
            Fragment::Garbage(_, Rejection::Empty) => return Err(BadBody::Empty),
            Fragment::Garbage(_, reason) => Item::Bad(reason),
        });
    }
    if let [Item::Document(Cow::Borrowed(only))] = found[..]
        && let Some(elements) = of_list(only)?
    {
        return Ok(elements);
    }
    Ok(found)
}

/// The elements of the list that a document is around; `None` if it is an event itself.
fn of_list(document: &[u8]) -> Result<Option<Vec<Item<'_>>>, BadBody> {
    let Some(range) = list_in(document) else { return Ok(None) };
    let is_around = is_about_its_elements(document);
    // An event may have a list of its own by such a name.
    if !is_around && is_event(document) {
        return Ok(None);
    }
    let mut lexer = Lexer::new(document);
    lexer.at = range.start;
    let Some(found) = list(&mut lexer, document) else { return Ok(None) };
    if found.len() > ITEMS_MAX {
        return Err(BadBody::TooMany);
    }
    if !is_around {
        return Ok(Some(found.into_iter().map(element).collect()));
    }
    // Up to the bracket, and from the bracket that closes it.
    let (before, after) = (&document[..=range.start], &document[range.end - 1..]);
    if found.len() * (before.len() + after.len()) > UNPACKED_BYTES {
        return Err(BadBody::TooLarge);
    }
    let alone = |one: &[u8]| match element(one) {
        Item::Document(_) => Item::Document(Cow::Owned([before, one, after].concat())),
        Item::Bad(reason) => Item::Bad(reason),
    };
    Ok(Some(found.into_iter().map(alone).collect()))
}

/// Where the list of a document lies, its brackets included.
fn list_in(document: &[u8]) -> Option<std::ops::Range<usize>> {
    let mut lexer = Lexer::new(document);
    let mut found = None;
    members(&mut lexer, |lexer, key| {
        lexer.after_space().ok()?;
        let start = lexer.at;
        let is_list = lexer.peek() == Some(b'[') && LISTS.iter().any(|name| key.decode().eq_ignore_ascii_case(name));
        skip(lexer, 1)?;
        if is_list && found.is_none() {
            found = Some(start..lexer.at);
        }
        Some(())
    })?;
    found
}

/// Whether the description says that what stands around the list is about its elements.
fn is_about_its_elements(document: &[u8]) -> bool {
    match document::split(document).next() {
        Some(Fragment::Document(bytes, head)) => batch::document_of(bytes, &head).is_some(),
        _ => false,
    }
}

/// Whether a document is an event by itself.
fn is_event(document: &[u8]) -> bool {
    let undone = text_layer::undone(document);
    let context = Context { default_org: "any", numeric_id_sources: &[] };
    document::parse(&undone).is_ok_and(|value| adapt(&value, &context).is_ok())
}

#[cfg(test)]
mod tests {
    use flate2::Compression;
    use flate2::write::GzEncoder;
    use proptest::prelude::*;
    use serde_json::{Value, json};
    use std::io::Write as _;

    use super::*;

    fn told(body: &str) -> Result<Vec<Result<String, &'static str>>, BadBody> {
        let text = |item: Item<'_>| match item {
            Item::Document(bytes) => Ok(String::from_utf8(bytes.into_owned()).unwrap()),
            Item::Bad(reason) => Err(reason.code()),
        };
        Ok(items(body.as_bytes())?.into_iter().map(text).collect())
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn one_array_lines_and_lists_are_taken_apart() {
        let one = || Ok("{\"a\":1}".to_owned());
        let two = || Ok("{\"b\":2}".to_owned());
        for (body, expected) in [
            ("{\"a\":1}", vec![one()]),
            (" \u{feff}\n{\"a\":1}\n", vec![one()]),
            ("[{\"a\":1}, {\"b\":2}]", vec![one(), two()]),
            ("{\"a\":1}\n{\"b\":2}\n", vec![one(), two()]),
            ("{\"a\":1}{\"b\":2}", vec![one(), two()]),
            ("{\"events\":[{\"a\":1},{\"b\":2}]}", vec![one(), two()]),
            ("{\"source\":\"x\",\"Records\":[{\"a\":1}]}", vec![one()]),
            (
                "[{\"a\":1},7,\"x\",[],{\"a\":1,\"a\":2}]",
                vec![one(), Err("not_object"), Err("not_object"), Err("not_object"), Err("duplicate_key")],
            ),
            ("{\"a\":1}\nnot json\n{\"b\":2}", vec![one(), Err("not_json"), two()]),
            ("{\"events\":[7,{\"a\":1}]}", vec![Err("not_object"), one()]),
            ("not json", vec![Err("not_json")]),
        ] {
            assert_eq!(told(body), Ok(expected), "{body}");
        }
    }

    #[test]
    fn a_bulk_body_of_the_guide_keeps_what_stands_around_its_records() {
        let body =
            r#"{"process_name":"P","batch_id":"b","records":[{"case_id":"c-1","activity":"A"},7,{"case_id":"c-2"}]}"#;
        assert_eq!(
            told(body),
            Ok(vec![
                Ok(r#"{"process_name":"P","batch_id":"b","records":[{"case_id":"c-1","activity":"A"}]}"#.to_owned()),
                Err("not_object"),
                Ok(r#"{"process_name":"P","batch_id":"b","records":[{"case_id":"c-2"}]}"#.to_owned()),
            ])
        );
        let single = r#"{"process_name":"P","batch_id":"b","records":[{"case_id":"c-1","activity":"A"}]}"#;
        assert_eq!(told(single), Ok(vec![Ok(single.to_owned())]));
    }

    #[test]
    fn an_event_with_a_list_of_its_own_stays_one() {
        let event =
            r#"{"conversationId":"c-1","eventTime":1772460000000,"eventType":"survey","events":[{"a":1},{"b":2}]}"#;
        assert_eq!(told(event), Ok(vec![Ok(event.to_owned())]));
    }

    #[test]
    fn what_is_nothing_or_too_much_is_refused_whole() {
        for (body, error) in [
            ("", BadBody::Empty),
            (" \n\u{feff} ", BadBody::Empty),
            ("[]", BadBody::Empty),
            ("{\"events\":[]}", BadBody::Empty),
            ("[{\"a\":1}", BadBody::NotJson),
            ("[{\"a\":1}] x", BadBody::NotJson),
            ("[{\"a\":1},]", BadBody::NotJson),
        ] {
            assert_eq!(told(body), Err(error), "{body}");
        }
        for (around, many) in [("[]", 500), ("{\"events\":[]}", 500)] {
            let (before, after) = around.split_at(around.find(']').unwrap());
            let body = |count: usize| format!("{before}{}{after}", vec!["{}"; count].join(","));
            assert_eq!(told(&body(many)).map(|items| items.len()), Ok(many));
            assert_eq!(told(&body(many + 1)), Err(BadBody::TooMany));
        }
        assert_eq!(told(&"{}\n".repeat(501)), Err(BadBody::TooMany));
        let wide = format!(
            r#"{{"process_name":"{}","batch_id":"b","records":[{}]}}"#,
            "x".repeat(100_000),
            vec![r#"{"case_id":"c"}"#; 200].join(",")
        );
        assert_eq!(told(&wide), Err(BadBody::TooLarge));
    }

    #[test]
    fn gzip_is_unpacked_up_to_ten_times_the_longest_body() {
        let plain = b"{\"a\":1}";
        assert_eq!(&*unpacked(Cow::Borrowed(plain)).unwrap(), plain);
        assert_eq!(&*unpacked(gzip(plain).into()).unwrap(), plain);
        assert_eq!(unpacked(gzip(&vec![b' '; UNPACKED_BYTES]).into()).unwrap().len(), UNPACKED_BYTES);
        assert_eq!(unpacked(gzip(&vec![b' '; UNPACKED_BYTES + 1]).into()), Err(BadBody::TooLarge));
        let cut = gzip(plain);
        assert_eq!(unpacked(cut[..cut.len() - 4].to_vec().into()), Err(BadBody::NotGzip));
    }

    fn any_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(json!(null)),
            any::<bool>().prop_map(Value::from),
            any::<i32>().prop_map(Value::from),
            ".{0,12}".prop_map(Value::from)
        ];
        leaf.prop_recursive(3, 24, 4, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                proptest::collection::btree_map("[a-z]{1,8}", inner, 0..4)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn any_bytes_are_taken_apart_or_refused(body in proptest::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(items) = items(&body) {
                prop_assert!((1..=ITEMS_MAX).contains(&items.len()));
                for item in items {
                    if let Item::Document(bytes) = item {
                        prop_assert!(document::parse(&bytes).is_ok());
                    }
                }
            }
        }

        #[test]
        fn an_array_and_its_lines_are_the_same_items(values in proptest::collection::vec(any_value(), 1..8)) {
            let array = Value::from(values.clone()).to_string();
            let found = told(&array).unwrap();
            prop_assert_eq!(found.len(), values.len());
            for (value, item) in values.iter().zip(&found) {
                match value {
                    Value::Object(_) => prop_assert_eq!(item.as_ref().ok(), Some(&value.to_string())),
                    _ => prop_assert!(item.is_err()),
                }
            }
            let objects: Vec<&Value> = values.iter().filter(|value| value.is_object()).collect();
            // One alone may be an object around a list.
            if objects.len() > 1 {
                let lines: String = objects.iter().map(|value| format!("{value}\n")).collect();
                let of_lines: Vec<String> = told(&lines).unwrap().into_iter().flatten().collect();
                let of_array: Vec<String> = found.into_iter().flatten().collect();
                prop_assert_eq!(of_lines, of_array);
            }
        }
    }
}
