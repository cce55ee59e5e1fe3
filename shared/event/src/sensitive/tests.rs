//! What is cut, what is kept, and what is said of it.

use super::*;
use proptest::prelude::*;

fn cut_text(document: &str) -> (String, Vec<(String, SensitiveKind)>) {
    let (bytes, cuts) = cut(document.as_bytes());
    let cuts = cuts.into_iter().map(|cut| (cut.pointer, cut.kind)).collect();
    (String::from_utf8(bytes).unwrap(), cuts)
}

#[test]
fn listed_fields_are_cut_at_any_depth_and_whatever_their_value_is() {
    let (text, cuts) = cut_text(
        r#"{"a":{"Card CVV":"737"," CVV_2 ":12,"card":[{"track2":{"x":"4111"}},{"pin":["1",2]}]},"\u0070assword":"x","keep":"y"}"#,
    );
    assert_eq!(
        text,
        r#"{"a":{"Card CVV":null," CVV_2 ":null,"card":[{"track2":null},{"pin":null}]},"\u0070assword":null,"keep":"y"}"#
    );
    let pointers: Vec<&str> = cuts.iter().map(|(pointer, _)| pointer.as_str()).collect();
    assert_eq!(pointers, ["/a/Card CVV", "/a/ CVV_2 ", "/a/card/0/track2", "/a/card/1/pin", "/password"]);
}

#[test]
fn pointers_escape_as_rfc_6901_says() {
    let (_, cuts) = cut_text(r#"{"a/b":{"m~n":{"pwd":"x"}}}"#);
    assert_eq!(cuts[0].0, "/a~1b/m~0n/pwd");
}

#[test]
fn a_long_key_over_many_cuts_is_not_repeated_and_every_value_is_cut() {
    let key = "ü~".repeat(100_000);
    let document = format!("{{\"{key}\":[{}]}}", vec![r#"{"cvv":"737"}"#; 60_000].join(","));
    let (kept, cuts) = cut(document.as_bytes());
    assert_eq!(cuts.len(), CUTS_MAX + 1);
    let bytes: usize = cuts.iter().map(|cut| cut.pointer.capacity()).sum();
    assert!(bytes <= (CUTS_MAX + 1) * (POINTER_BYTES_MAX + ELLIPSIS.len()), "{bytes}");
    assert!(cuts[..CUTS_MAX].iter().all(|cut| cut.pointer.starts_with("/ü~0ü~0") && cut.pointer.ends_with('…')));
    assert_eq!(cuts[CUTS_MAX], Cut { pointer: "…".to_owned(), kind: SensitiveKind::CardVerification });
    let text = String::from_utf8(kept).unwrap();
    assert!(!text.contains("737"));
    assert_eq!(text.matches(r#"{"cvv":null}"#).count(), 60_000);
    let (_, cuts) = cut_garbage("cvv=1,".repeat(1_000).as_bytes());
    assert_eq!((cuts.len(), cuts[CUTS_MAX].pointer.as_str()), (CUTS_MAX + 1, "…"));
}

#[test]
fn what_goes_with_an_outer_value_takes_no_room_in_the_list() {
    let document = format!("{{\"pin\":[{}],\"cvv\":1}}", vec![r#"{"pwd":"x"}"#; 100].join(","));
    let (text, cuts) = cut_text(&document);
    assert_eq!(text, r#"{"pin":null,"cvv":null}"#);
    assert_eq!(cuts.iter().map(|(pointer, _)| pointer.as_str()).collect::<Vec<_>>(), ["/pin", "/cvv"]);
}

#[test]
fn a_property_that_names_its_siblings_is_cut_wherever_the_name_stands() {
    for document in [
        r#"{"property":"password","oldValues":["a1"],"newValues":["b2"]}"#,
        r#"{"newValues":["b2"],"oldValues":["a1"],"property":"Pass\u0077ord"}"#,
        r#"{"name":"cvv","value":"b2"}"#,
        r#"{"Name":"card.cvv","VALUE":"b2"}"#,
    ] {
        let (text, cuts) = cut_text(document);
        assert!(!text.contains("a1") && !text.contains("b2"), "{text}");
        assert_eq!(cuts.len(), document.to_ascii_lowercase().matches("value").count(), "{document}");
    }
    let harmless = r#"{"property":"scopes","newValues":["users"]}"#;
    assert_eq!(cut_text(harmless), (harmless.to_owned(), vec![]));
}

#[test]
fn cutting_twice_cuts_nothing_more() {
    let (once, _) = cut_text(r#"{"cvv":"1","outer":{"password":{"password":"x"}}}"#);
    assert_eq!(cut_text(&once), (once.clone(), vec![]));
}

#[test]
fn a_doubtful_name_is_settled_by_the_value() {
    for (document, cut) in [
        (r#"{"cid":"916"}"#, r#"{"cid":null}"#),
        (r#"{"cid":9161}"#, r#"{"cid":null}"#),
        (r#"{"cid":"6b29fc40-ca47-1067-b31d-00dd010662da"}"#, r#"{"cid":"6b29fc40-ca47-1067-b31d-00dd010662da"}"#),
        (r#"{"IVR.cid":" 9 1 6 "}"#, r#"{"IVR.cid":null}"#),
        (
            r#"{"cvvResult":"M","pinAttempts":3,"cvvPresent":true}"#,
            r#"{"cvvResult":"M","pinAttempts":3,"cvvPresent":true}"#,
        ),
        (r#"{"cvvResult":"737","pinAttempts":"4711"}"#, r#"{"cvvResult":null,"pinAttempts":null}"#),
        (r#"{"pinStatus":{"b":[{"a":"\u0034711"}],"c":1},"d":[4711]}"#, r#"{"pinStatus":null,"d":[4711]}"#),
        (r#"{"a":4711,"pinStatus":{"b":[{"a":"x"}]}}"#, r#"{"a":4711,"pinStatus":{"b":[{"a":"x"}]}}"#),
        (r#"{"pinStatus":"{\"b\":4711}","x":"y"}"#, r#"{"pinStatus":null,"x":"y"}"#),
        (r#"{"pista":"5555550000000000=30121010000"}"#, r#"{"pista":null}"#),
        (r#"{"trilha":"%B5555550000000000^DOE/J^3012"}"#, r#"{"trilha":null}"#),
        (r#"{"pista":"central","track":"A5"}"#, r#"{"pista":"central","track":"A5"}"#),
        (r#"{"passwordExpiresAt":"2026-03-02T14:00:00Z"}"#, r#"{"passwordExpiresAt":"2026-03-02T14:00:00Z"}"#),
        (r#"{"name":"cid","value":"916"}"#, r#"{"name":"cid","value":null}"#),
        (r#"{"value":"call","name":"cid"}"#, r#"{"value":"call","name":"cid"}"#),
        (r#"{"cvv":true,"pin":false,"password":[true]}"#, r#"{"cvv":true,"pin":false,"password":null}"#),
    ] {
        assert_eq!(cut_text(document).0, cut);
    }
}

#[test]
fn similar_names_are_kept() {
    for key in ["pinned", "tracking", "securityLevel", "passengers", "carrier", "trackId", "shipping", "cvs"] {
        let document = format!("{{\"{key}\":\"kept\"}}");
        assert_eq!(cut_text(&document).0, document);
        assert!(!flagged(&document), "{key}");
    }
}

#[test]
fn garbage_is_searched_whatever_its_quotes_and_brackets_are() {
    for garbage in [
        r#"{"a":1,"cvv":"SECRET"#,
        r#"{"cvv" : "SECRET\"SECRET", "b""#,
        r#"{'password': 'SECRET', x"#,
        "login?user=me&password=SECRET&x=1",
        r#"{"body":"{\"cvv\":\"SECRET\",\"b\":1}", "#,
        r#"{"track2":{"data":"SECRET}", "more":["SECRET"]}, ,"#,
        r#"{"track2":["SECRET", {"#,
        r#"{"cv\u0076":"SECRET" ]"#,
        r#"{"cvv":SECRET,"cvv":SECRET}"#,
        "card.cvv=SECRET; path=/",
        "a=1&card%5Bcvv%5D=SECRET&b=2",
        "card[cvv]=SECRET&b=2",
        "c%C3%B3digo+de+seguran%C3%A7a=SECRET",
        "a;CVV Input: SECRET;b",
        "Prüfziffer=SECRET",
        "{\"pin\"\n:\n\"SECRET\nSECRET",
    ] {
        let (kept, cuts) = cut_garbage(garbage.as_bytes());
        let text = String::from_utf8(kept).unwrap();
        assert!(!text.contains("SECRET"), "{garbage} became {text}");
        assert!(!cuts.is_empty(), "{garbage}");
    }
    let harmless = b"time: 12:30, tracking=4, {\"conversationId\": \"c\"";
    assert_eq!(cut_garbage(harmless), (harmless.to_vec(), vec![]));
}

#[test]
fn json_in_latin_1_is_cut_by_its_grammar_and_bytes_that_are_no_text_are_not() {
    let document = b"{\"name\":\"M\xFCller\",\"cvv\":\"737\",\"Pr\xFCfziffer\":\"738\",\"note\":\"pin=1, \xFC\"}";
    let (kept, cuts) = cut_garbage(document);
    assert_eq!(kept, b"{\"name\":\"M\xFCller\",\"cvv\":null,\"Pr\xFCfziffer\":null,\"note\":\"pin=1, \xFC\"}");
    let pointers: Vec<&str> = cuts.iter().map(|cut| cut.pointer.as_str()).collect();
    assert_eq!(pointers, ["/cvv", "/Pr\u{FFFD}fziffer"]);
    // The same in a record with others, of which each is judged alone.
    let binary = b"\x1F\x8B\x08cvv=737\n{\xFFcvv=738\n";
    let record = [&document[..], b"\npassword=x\n", document, b"\n", binary, document].concat();
    let (all, cuts) = cut_garbage(&record);
    assert_eq!(all, [&kept[..], b"\npassword=null\n", &kept[..], b"\n", binary, &kept[..]].concat());
    assert_eq!(cuts.len(), 7);
    // Text that was cut amid a letter is text.
    assert_eq!(cut_garbage(b"{\"cvv\":\"737\",\"name\":\"M\xC3").0, b"{\"cvv\":null,\"name\":\"M\xC3");
}

#[test]
fn utf_16_garbage_is_searched() {
    let wide: Vec<u8> = r#"{"cvv":"737","b":1}"#.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let (kept, cuts) = cut_garbage(&wide);
    assert!(!kept.windows(2).any(|pair| pair == b"7\0"), "{kept:?}");
    assert_eq!(cuts.len(), 1);
}

/// The text as a JSON string.
fn quoted(text: &str) -> String {
    serde_json::to_string(text).unwrap()
}

/// The same, as encoders write it that escape all but letters, digits and spaces.
fn coded(text: &str) -> String {
    let unit =
        |c: char| if c.is_ascii_alphanumeric() || c == ' ' { c.to_string() } else { format!("\\u{:04x}", c as u32) };
    format!("\"{}\"", text.chars().map(unit).collect::<String>())
}

fn flagged(document: &str) -> bool {
    let mut fragments = crate::document::split(document.as_bytes());
    match (fragments.next(), fragments.next()) {
        (Some(crate::document::Fragment::Document(_, head)), None) => head.is_sensitive(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn json_in_a_string_is_searched_at_any_depth_and_nothing_else_of_it_changes() {
    let inner = r#"{"card":[{"cvv":"SECRET \"1\""},{"pin": 12 }],"note":"é\/ü","name":"password","value":["SECRET"]}"#;
    let kept = r#"{"card":[{"cvv":null},{"pin": null }],"note":"é\/ü","name":"password","value":null}"#;
    let pointers = ["/card/0/cvv", "/card/1/pin", "/value"];
    for encode in [quoted, coded] {
        let (mut text, mut expected, mut pointer) = (inner.to_owned(), kept.to_owned(), String::new());
        for _ in 0..4 {
            (text, expected) = (encode(&text), encode(&expected));
            let document = format!("{{\"attributes\":{{\"payload\":{text},\"b\":1}}}}");
            let (cut, cuts) = cut_text(&document);
            // `null` needs no escape, whoever wrote the rest.
            let (cut, wanted) =
                (plainly(&cut), plainly(&format!("{{\"attributes\":{{\"payload\":{expected},\"b\":1}}}}")));
            assert_eq!(cut, wanted);
            let found: Vec<&str> = cuts.iter().map(|(pointer, _)| pointer.as_str()).collect();
            assert_eq!(found, pointers.map(|place| format!("/attributes/payload{pointer}{place}")));
            assert!(flagged(&document) && !flagged(&cut_text(&document).0));
            text = format!("{{\"x\":{text}}}");
            expected = format!("{{\"x\":{expected}}}");
            pointer.push_str("/x");
        }
    }
}

/// A document's value, spelled one way.
fn plainly(document: &str) -> String {
    serde_json::from_str::<serde_json::Value>(document).unwrap().to_string()
}

#[test]
fn only_the_value_is_replaced_in_the_bytes() {
    let (text, cuts) =
        cut_text(r#"{"a" : "{\"b\\u002f\":\"\/\",\u0022cvv\u0022 : \u0022737\u0022, \"c\":\"\u00e9\"}"}"#);
    assert_eq!(text, r#"{"a" : "{\"b\\u002f\":\"\/\",\u0022cvv\u0022 : null, \"c\":\"\u00e9\"}"}"#);
    assert_eq!(cuts, [("/a/cvv".to_owned(), SensitiveKind::CardVerification)]);
}

#[test]
fn json_in_a_string_that_is_cut_short_amid_prose_or_too_deep_is_searched_lexically() {
    let mut deep = r#"{"pin":"SECRET","b":1}"#.to_owned();
    for _ in 0..7 {
        deep = format!("{{\"x\":{}}}", quoted(&deep));
    }
    for text in [
        r#"{"a":1,"cvv":"SECRET"#,
        r#"POST /pay {"cvv":"SECRET"} took 12 ms: ok"#,
        r#"{"password":"SECRET", "x":[1,2}, "b":1"#,
        "{\"track2\":\"SECRET\nSECRET\"}",
        r#"{"a":{"cvv":"SECRET"}} {"b":{"pwd":"SECRET"}} and so on"#,
        r#"{"body":"{\"cvv\":\"SECRET\"","more":{"#,
        &deep,
    ] {
        for encode in [quoted, coded] {
            let document = format!("{{\"message\":{},\"b\":1}}", encode(text));
            let (cut, cuts) = cut_text(&document);
            assert!(!cut.contains("SECRET"), "{document} became {cut}");
            assert!(cuts.iter().all(|(pointer, _)| pointer.starts_with("/message")) && !cuts.is_empty());
            assert!(flagged(&document), "{document}");
            // Still a document, and nothing is left to cut.
            plainly(&cut);
            assert_eq!(cut_text(&cut).1, []);
        }
    }
}

#[test]
fn what_is_said_is_not_searched_and_what_holds_nothing_is_not_touched() {
    for text in [
        r#"she said "hi", then: bye"#,
        "my pin: is in the \"usual\" place",
        r#"{"shipping":"4","securityLevel":"b","a":[{"b":"{\"c\":1}"}]}"#,
        r#""cvv""#,
        "a\\b: \"c\"",
    ] {
        let document = format!("{{\"a\":{}}}", quoted(text));
        assert_eq!(cut_text(&document), (document.clone(), vec![]));
        assert!(!flagged(&document), "{document}");
    }
}

#[test]
fn garbage_whose_quotes_are_coded_is_searched() {
    let garbage =
        r#"{"a":"{\u0022cvv\u0022:\u0022SEC\\u0022RET\u0022,\u0022b\u0022:1}","password":"SEC\u0022RET","c":1,"#;
    let (kept, cuts) = cut_garbage(garbage.as_bytes());
    assert_eq!(
        String::from_utf8(kept).unwrap(),
        r#"{"a":"{\u0022cvv\u0022:null,\u0022b\u0022:1}","password":null,"c":1,"#
    );
    assert_eq!(cuts.len(), 2);
}

/// The document with `\u0022` for each `\"`.
fn with_coded_quotes(document: &str) -> String {
    let mut coded = String::new();
    let mut rest = document.chars();
    while let Some(character) = rest.next() {
        match (character, if character == '\\' { rest.next() } else { None }) {
            (_, Some('"')) => coded.push_str("\\u0022"),
            (slash, escaped) => coded.extend([Some(slash), escaped].into_iter().flatten()),
        }
    }
    coded
}

/// Values with a secret in them, and what they become.
fn planted() -> impl Strategy<Value = (serde_json::Value, serde_json::Value)> {
    use serde_json::{Value, json};
    let plain = prop_oneof![
        "\\PC{0,8}".prop_map(Value::from),
        "[\\\\\"{}:,/ u02\n]{0,8}".prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        Just(Value::Null),
    ];
    let leaf = prop_oneof![
        4 => plain.prop_map(|value| (value.clone(), value)),
        1 => prop_oneof![Just("cvv"), Just("card PIN"), Just("old_password")]
            .prop_map(|name| (json!({ name: "SECRET \"\\ü" }), json!({ name: null }))),
    ];
    leaf.prop_recursive(5, 24, 4, |inner| {
        let pairs = proptest::collection::vec(("[a-zé\"\\\\/]{0,4}", inner.clone()), 0..4);
        let list = |pairs: Vec<(String, (Value, Value))>| {
            pairs.into_iter().map(|(_, pair)| pair).unzip::<_, _, Vec<_>, Vec<_>>()
        };
        prop_oneof![
            pairs.clone().prop_map(move |pairs| {
                let (before, after) = list(pairs);
                (Value::from(before), Value::from(after))
            }),
            pairs.prop_map(|pairs| {
                let side = |pick: fn((Value, Value)) -> Value| {
                    Value::Object(pairs.iter().cloned().map(|(key, pair)| (key, pick(pair))).collect())
                };
                (side(|pair| pair.0), side(|pair| pair.1))
            }),
            inner.prop_filter_map("within the levels", |(before, after)| {
                let (before, after) = (before.to_string(), after.to_string());
                (!before.contains(r"\\\\\\\")).then(|| (Value::from(before), Value::from(after)))
            }),
        ]
    })
}

proptest! {
    #[test]
    fn wherever_a_secret_is_planted_it_and_it_alone_is_cut((before, after) in planted(), spelled in any::<bool>()) {
        let text = |value: &serde_json::Value| {
            let text = format!("{{\"a\":{value}}}");
            if spelled { with_coded_quotes(&text) } else { text }
        };
        let document = text(&before);
        let (cut, cuts) = cut_text(&document);
        prop_assert!(!cut.contains("SECRET"), "{document}");
        prop_assert_eq!(plainly(&cut), plainly(&text(&after)));
        prop_assert_eq!(flagged(&document), !cuts.is_empty());
    }
}

#[test]
fn half_a_character_in_a_name_hides_nothing() {
    for document in [r#"{"\ud83dpin":"4712"}"#, r#"{"cvv\ude00":"471"}"#, r#"{"\ud83d\udcb3pin":"4712"}"#] {
        let (kept, cuts) = cut_garbage(document.as_bytes());
        let kept = String::from_utf8(kept).unwrap();
        assert!(!kept.contains("471") && cuts.len() == 1, "{kept}");
    }
}

#[test]
fn a_certain_name_is_not_hidden_by_a_doubtful_one_beside_it() {
    let document = br#"{"name":"pinAttempts","key":"pin","value":"ab12"}"#;
    let (kept, cuts) = cut(document);
    assert!(!String::from_utf8_lossy(&kept).contains("ab12") && cuts.len() == 1);
}
