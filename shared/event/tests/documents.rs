//! Foreign bytes: records of several documents, garbage, and the two readers that must agree on every one of them.

use crate::support::plain;
use ledgerline_event::document::{BYTE_ORDER_MARK, Fragment, Rejection, parse, split};
use ledgerline_event::sensitive::cut_garbage;
use proptest::prelude::*;
use serde_json::Value;

/// Fragments as text: documents as they are, garbage with its reason.
fn fragments(record: &[u8]) -> Vec<(String, Option<Rejection>)> {
    split(record)
        .map(|fragment| match fragment {
            Fragment::Document(bytes, _) => (String::from_utf8_lossy(bytes).into_owned(), None),
            Fragment::Garbage(bytes, reason) => (String::from_utf8_lossy(bytes).into_owned(), Some(reason)),
        })
        .collect()
}

fn only_reason(record: &[u8]) -> Option<Rejection> {
    let all = fragments(record);
    assert_eq!(all.len(), 1, "{all:?}");
    all[0].1
}

/// Every byte is in one fragment, or is white space or a byte order mark outside of all.
fn assert_covered(record: &[u8]) {
    let base = record.as_ptr() as usize;
    let mut at = 0;
    for fragment in split(record) {
        let start = fragment.bytes().as_ptr() as usize - base;
        assert!(start >= at, "fragments overlap");
        assert!(is_space(&record[at..start]), "bytes between fragments are lost");
        at = start + fragment.bytes().len();
    }
    assert!(is_space(&record[at..]), "bytes at the end are lost");
}

fn is_space(mut bytes: &[u8]) -> bool {
    while let Some(rest) =
        bytes.strip_prefix(BYTE_ORDER_MARK).or_else(|| bytes.trim_ascii_start().strip_prefix(BYTE_ORDER_MARK))
    {
        bytes = rest;
    }
    bytes.trim_ascii_start().is_empty()
}

#[test]
fn concatenated_and_pretty_printed_documents_with_braces_in_strings_are_told_apart() {
    let record = b"{\"a\":\"}{\\\"\"}{\"b\":[{}]}\r\n\t{\n  \"c\" : {\n\"d\":1}\n}\n";
    let found = fragments(record);
    let texts: Vec<&str> = found.iter().map(|(text, _)| text.as_str()).collect();
    assert_eq!(texts, ["{\"a\":\"}{\\\"\"}", "{\"b\":[{}]}", "{\n  \"c\" : {\n\"d\":1}\n}"]);
    assert!(found.iter().all(|(_, reason)| reason.is_none()));
}

#[test]
fn a_truncated_document_costs_itself_and_the_next_line_is_read() {
    let found = fragments(b"{\"a\":1}\n{\"b\":\"cut at the ne\n{\"c\":3}");
    assert_eq!(found[0], ("{\"a\":1}".to_owned(), None));
    assert_eq!(found[1], ("{\"b\":\"cut at the ne".to_owned(), Some(Rejection::NotJson)));
    assert_eq!(found[2], ("{\"c\":3}".to_owned(), None));
}

#[test]
fn a_flawed_document_costs_exactly_itself() {
    let found = fragments(b"{\"a\":{\"x\":1,\"\\u0078\":2}}{\"b\":2}");
    assert_eq!(found[0].1, Some(Rejection::DuplicateKey));
    assert_eq!(found[1], ("{\"b\":2}".to_owned(), None));
}

#[test]
fn each_reason_is_given_for_what_it_means() {
    let deep = "[".repeat(100_000);
    let deep_object = format!("{}1{}", "{\"a\":".repeat(65), "}".repeat(65));
    let many: String = (0..200).map(|n| format!("\"k{n}\":{n},")).collect();
    let cases: Vec<(&[u8], Rejection)> = vec![
        (b"", Rejection::Empty),
        (b" \r\n\t", Rejection::Empty),
        (b"\xFF\xFE", Rejection::NotUtf8),
        (b"{\"a\":\"\xED\xA0\x80\"}", Rejection::NotUtf8),
        (b"{\"a\":\"\xC0\xAF\"}", Rejection::NotUtf8),
        (b"\xEF\xBB\xBF", Rejection::Empty),
        (b" \xEF\xBB\xBF\n\xEF\xBB\xBF\xEF\xBB\xBF", Rejection::Empty),
        (b"\xEF\xBB", Rejection::NotUtf8),
        (b"\xFF\xFE{\0}\0", Rejection::NotUtf8),
        (b"\xFE\xFF\0{\0}", Rejection::NotUtf8),
        (b"{\0}\0", Rejection::NotJson),
        (b"{\xEF\xBB\xBF}", Rejection::NotJson),
        (b"\"cvv\" : \"737\", \"x\":1}", Rejection::NotJson),
        (b"\"cvv\",\"pin\"]", Rejection::NotJson),
        (b"hello", Rejection::NotJson),
        (b"{\"a\":01}", Rejection::NotJson),
        (b"{\"a\":1,}", Rejection::NotJson),
        (b"{\"a\":\"\t\"}", Rejection::NotJson),
        (b"{'a':1}", Rejection::NotJson),
        (b"truefalse", Rejection::NotJson),
        (b"[{\"a\":1}]", Rejection::NotObject),
        (b"\"text\"", Rejection::NotObject),
        (b"-1.5e3", Rejection::NotObject),
        (b"null", Rejection::NotObject),
        (b"{\"a\":1,\"a\":1}", Rejection::DuplicateKey),
        (b"{\"\\udc00\":1}", Rejection::LoneSurrogate),
        (b"{\"\\ud800\\u0041\":1}", Rejection::LoneSurrogate),
        (b"{\"a\":1e400}", Rejection::NumberOutOfRange),
        (deep.as_bytes(), Rejection::TooDeep),
        (deep_object.as_bytes(), Rejection::TooDeep),
    ];
    for (record, reason) in cases {
        let shown = String::from_utf8_lossy(&record[..record.len().min(40)]).into_owned();
        assert_eq!(only_reason(record), Some(reason), "{shown}");
        assert_eq!(parse(record).err(), Some(reason), "{shown}");
    }
    let repeated = format!("{{{many}\"k7\":1}}");
    assert_eq!(only_reason(repeated.as_bytes()), Some(Rejection::DuplicateKey));
    let distinct = format!("{{{many}\"k200\":1}}");
    assert_eq!(only_reason(distinct.as_bytes()), None);
    assert!(parse(b"{\"a\":\"\\ud83d\\ude00\",\"b\":1e-400}").is_ok());
}

#[test]
fn byte_order_marks_around_documents_are_white_space() {
    const M: &str = "\u{FEFF}";
    for (record, expected) in [
        (format!("{M}{{}}"), vec![("{}", None)]),
        (format!("{M}{M} \r\n{M}{{\"a\":1}}{M}"), vec![("{\"a\":1}", None)]),
        (
            format!("{M}{{\"a\":1}}\n{{\"b\":2}}{M}{{\"c\":3}}\n{M}{{\"d\":4}}\n{M}\n"),
            vec![("{\"a\":1}", None), ("{\"b\":2}", None), ("{\"c\":3}", None), ("{\"d\":4}", None)],
        ),
        (format!("{{\"a{M}\":\"{M}\"}}"), vec![("{\"a\u{FEFF}\":\"\u{FEFF}\"}", None)]),
        (
            format!("{{\"a\":\"cut\n{M}{M}{{\"b\":2}}"),
            vec![("{\"a\":\"cut", Some(Rejection::NotJson)), ("{\"b\":2}", None)],
        ),
        (format!("hello{M} {M}\n{M}{{\"b\":2}}"), vec![("hello", Some(Rejection::NotJson)), ("{\"b\":2}", None)]),
        (format!("{M}[1]{M}"), vec![("[1]", Some(Rejection::NotObject))]),
    ] {
        assert_covered(record.as_bytes());
        let found = fragments(record.as_bytes());
        let found: Vec<_> = found.iter().map(|(text, reason)| (text.as_str(), *reason)).collect();
        assert_eq!(found, expected, "{record:?}");
    }
}

#[test]
fn binary_data_stays_whole_and_what_follows_it_is_found() {
    let binary: [&[u8]; 4] = [
        b"\x1F\x8B\x08\n{ \xC8\n{\"a\n \x00\n",
        b" \x80\n{",
        b"\xFF\xFE{\0\n\0}\0\x0A\x7B",
        b"\n\xEF\xBB\xBF\xFF\r\n \n",
    ];
    for data in binary {
        assert_eq!(split(data).map(|one| one.bytes().to_vec()).collect::<Vec<_>>(), [data]);
        assert_eq!(only_reason(data), Some(Rejection::NotUtf8));
        // The tabs are redrive's.
        assert_eq!(split(&[data, b"\t\t"].concat()).next().map(|one| one.bytes().to_vec()), Some(data.to_vec()));
        let followed = [data, b"\n{\"b\":2}\n{\"c\":3}\n"].concat();
        assert_covered(&followed);
        let all = fragments(&followed);
        assert_eq!(all[1..], [("{\"b\":2}".to_owned(), None), ("{\"c\":3}".to_owned(), None)]);
        assert_eq!(cut_garbage(data), (data.to_vec(), vec![]));
    }
    // Lines of JSON in a gzip that is stored, not compressed, are data of it; those after a flaw in Latin-1 are documents.
    let stored = b"\x1F\x8B\x08\0{\"cvv\":1}\n{\"cvv\":2}\n{\"cvv\":3}\n\xFF\xC3\0\0";
    assert_eq!(split(stored).map(|one| one.bytes().to_vec()).collect::<Vec<_>>(), [stored]);
    assert_eq!(cut_garbage(stored), (stored.to_vec(), vec![]));
    let latin = fragments(b"{\"name\":\"M\xFC\n{\"b\":2}\n{\"c\":");
    assert_eq!(
        latin.iter().map(|(_, reason)| *reason).collect::<Vec<_>>(),
        [Some(Rejection::NotUtf8), None, Some(Rejection::NotJson)]
    );
}

#[test]
fn hostile_records_of_a_megabyte_are_read_in_linear_time() {
    let mib = 1 << 20;
    let shapes = [
        "\n{".repeat(mib / 2),
        "\n\u{FEFF}{".repeat(mib / 5),
        "\u{FEFF}".repeat(mib / 3),
        "{\"a\":\n".repeat(mib / 6),
        "[\n{".repeat(mib / 3),
        format!("{{\"a\":[{}", "\n{},".repeat(mib / 4)),
        format!("{{\"a\":\"{}", "\\\"".repeat(mib / 2)),
        (0..mib / 12).map(|n| format!("{{\"{n:05}\":1}}")).collect(),
        format!("{{{}\"z\":1}}", (0..mib / 10).map(|n| format!("\"{n}\":1,")).collect::<String>()),
        "cvv:".repeat(mib / 4),
        "\"cvv\":\"".repeat(mib / 8),
        "cid=".repeat(mib / 4),
        "pins:".repeat(mib / 5),
        "cid:     ".repeat(mib / 9),
    ];
    // Names of a megabyte: of the beginnings of listed words, of words that join others, of one letter each.
    let names = ["pin", "shippin", "codigode", "track", "P_", "cvvx", "sicherheits", "ü", "de_la_", "PINs", "\u{300}"];
    let names = names.map(|word| format!("{{\"{}\":\"1\"}}", word.repeat(mib / word.len())));
    let binary = ["\n{", "{\"a\":\n", "\n{\"a\":[", "\n{}"].map(|line| line.repeat(mib / line.len()));
    for shape in shapes.into_iter().chain(names) {
        let started = std::time::SystemTime::now();
        assert_covered(shape.as_bytes());
        cut_garbage(shape.as_bytes());
        ledgerline_event::sensitive::cut(shape.as_bytes());
        // A quadratic pass over a megabyte takes minutes; this one takes milliseconds, a busy machine's included.
        let seconds = started.elapsed().map_or(0, |took| took.as_secs());
        assert!(seconds < 20, "{seconds} s for {}", shape.get(..12).unwrap_or_default());
    }
    for shape in binary {
        let started = std::time::SystemTime::now();
        for before in [&b"\xFF"[..], b"\xFF\0"] {
            let record = [before, shape.as_bytes(), b"["].concat();
            assert_covered(&record);
            cut_garbage(&record);
        }
        let seconds = started.elapsed().map_or(0, |took| took.as_secs());
        assert!(seconds < 20, "{seconds} s for {}", &shape[..2]);
    }
}

#[test]
fn hostile_strings_of_a_megabyte_are_searched_in_linear_time() {
    let mib = 1 << 20;
    let quoted = |text: &str| serde_json::to_string(text).unwrap();
    let mut nested = r#"{"cvv":"737"}"#.to_owned();
    while nested.len() < mib {
        nested = format!("{{\"x\":{}}}", quoted(&nested));
    }
    for text in [
        nested,
        format!("{{{}", r#""cvv":1,"#.repeat(mib / 8)),
        "'cvv':1,".repeat(mib / 8) + "\"",
        "'pins':a ".repeat(mib / 9) + "\"",
        r#""cvv":""#.repeat(mib / 7),
        "\"a\":[{".repeat(mib / 6),
        format!("[{}]", vec![quoted("\"a\":"); mib / 10].join(",")),
        format!("[{}]", vec![quoted("{\"cvv\":1}"); mib / 16].join(",")),
    ] {
        let document = format!("{{\"a\":{}}}", quoted(&text));
        let started = std::time::SystemTime::now();
        assert_eq!(only_reason(document.as_bytes()), None);
        let (kept, cuts) = ledgerline_event::sensitive::cut(document.as_bytes());
        assert!(parse(&kept).is_ok() && cuts.len() <= ledgerline_event::sensitive::CUTS_MAX + 1);
        // As above: minutes or milliseconds.
        let seconds = started.elapsed().map_or(0, |took| took.as_secs());
        assert!(seconds < 20, "{seconds} s for {}", &text[..8]);
    }
}

/// JSONTestSuite: what must be accepted, refused, or may be either; here only objects are accepted.
#[test]
fn json_test_suite_is_accounted_for() {
    let Some(corpus) = std::env::var_os("LEDGERLINE_CORPUS") else {
        eprintln!("SKIPPED json_test_suite_is_accounted_for: LEDGERLINE_CORPUS is not set");
        return;
    };
    let folder = std::path::Path::new(&corpus).join("badinput/json_test_suite/test_parsing");
    let mut files = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let bytes = std::fs::read(&path).unwrap();
        assert_covered(&bytes);
        // A document is what begins after the mark.
        let accepted = parse(bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&bytes)).is_ok();
        let all = fragments(&bytes);
        let split_accepts = all.len() == 1 && all[0].1.is_none();
        assert_eq!(accepted, split_accepts, "{name}");
        if name.starts_with("n_") {
            assert!(!accepted, "{name}");
        }
        if name.starts_with("y_") {
            let object = bytes.trim_ascii().first() == Some(&b'{');
            let expected = object && !name.contains("duplicated_key");
            assert_eq!(accepted, expected, "{name}: {all:?}");
            assert!(all.len() == 1 && all[0].1 != Some(Rejection::NotJson), "{name}: {all:?}");
        }
        files += 1;
    }
    assert!(files > 300, "only {files} files");
}

fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::from),
        // Eighths are exact: of other doubles serde_json may miss the last bit, on which nothing of ours rests.
        any::<i32>().prop_map(|eighths| Value::from(f64::from(eighths) / 8.0)),
        "\\PC{0,12}".prop_map(Value::from),
        "[{}\\[\\]\",:\\\\\n]{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 5, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            object_of(inner).prop_map(Value::Object),
        ]
    })
}

fn object_of(inner: impl Strategy<Value = Value>) -> impl Strategy<Value = serde_json::Map<String, Value>> {
    proptest::collection::vec(("\\PC{0,6}", inner), 0..5).prop_map(|members| members.into_iter().collect())
}

proptest! {
    #[test]
    fn documents_under_any_separators_come_back(
        documents in proptest::collection::vec((object_of(json()), any::<bool>()), 1..6),
        separators in proptest::collection::vec("[ \\t\\r\\n]{0,3}", 7),
    ) {
        let mut record = separators[6].clone();
        let mut expected = Vec::new();
        for ((document, pretty), separator) in documents.iter().zip(&separators) {
            let text = if *pretty { serde_json::to_string_pretty(document) } else { serde_json::to_string(document) };
            let text = text.unwrap();
            record.push_str(&text);
            record.push_str(separator);
            expected.push((text, None));
        }
        prop_assert_eq!(fragments(record.as_bytes()), expected);
    }

    #[test]
    fn any_bytes_are_covered_and_the_two_readers_agree(
        bytes in prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..200),
            proptest::collection::vec(prop::sample::select(b"{}[]\",:\\\n u0d8aetrf1.-\xC3\xA9\xFF\xEF\xBB\xBF".to_vec()), 0..60),
        ],
    ) {
        assert_covered(&bytes);
        let all = fragments(&bytes);
        let one_document = all.len() == 1 && all[0].1.is_none();
        let marks = bytes.windows(3).any(|three| three == BYTE_ORDER_MARK);
        prop_assert!(marks || parse(&bytes).is_ok() == one_document);
        let documents = split(&bytes).filter(|one| matches!(one, Fragment::Document(..)));
        for document in documents {
            prop_assert!(parse(document.bytes()).is_ok());
        }
        let (kept, cuts) = cut_garbage(&bytes);
        prop_assert!(cuts.len() <= bytes.len());
        prop_assert_eq!(cuts.is_empty(), kept == bytes);
        ledgerline_event::sensitive::cut(&bytes);
    }

    #[test]
    fn serde_and_the_tree_agree_on_every_document(document in object_of(json())) {
        let text = serde_json::to_vec(&document).unwrap();
        prop_assert_eq!(parse(&text).map(|tree| plain(&tree)), Ok(Value::Object(document)));
        prop_assert_eq!(only_reason(&text), None);
    }
}

#[test]
fn hostile_events_of_a_megabyte_are_adapted_named_and_split_in_linear_time() {
    let mib = 1 << 20;
    let unknown: String = (0..mib / 12).map(|n| format!("\"x{n}\":1,")).collect();
    // Known members in their second spelling, each among all the unknown ones.
    let known =
        r#""queue_id":"q","agent_id":"a","duration_ms":1,"state_name":"held","event_type":"x","media_type":"VOICE""#;
    let wrapped = (0..16).fold("lt-jane".to_owned(), |token, _| {
        let whole = serde_json::to_string(&serde_json::json!({ "id": token })).unwrap();
        if whole.len() > mib { token } else { whole }
    });
    let head = r#""interaction_id":"i-1","time_stamp":1,"timestamp":"2026-03-02T14:00:00Z""#;
    let element = r#"{"case_id":"c","end_time":"2026-03-02T14:00:00Z"}"#;
    for document in [
        format!("{{{unknown}{known},{head}}}"),
        format!("{{\"payload\":{{{unknown}{known}}},{head}}}"),
        format!("{{\"agents\":[{}{{}}],{head}}}", "{\"id\":null},".repeat(mib / 12)),
        format!("{{\"callbackNumbers\":[{}\"\"],{head}}}", "\"+13175550142\",".repeat(mib / 15)),
        format!("{{\"lineageToken\":{},{head}}}", serde_json::to_string(&wrapped).unwrap()),
        format!("{{\"interactionId\":\"i\",\"timestamp\":\"{}\"}}", "2".repeat(mib)),
        format!("{{\"interactionId\":\"i\",\"timestamp\":\"2026-03-02T14:00:00.{}Z\"}}", "3".repeat(mib)),
        format!("{{\"interactionId\":\"i\",\"timestamp\":{AT_MS},\"queueName\":\"{}\"}}", "sales ".repeat(mib / 6)),
        format!("{{\"batchId\":1,\"records\":[{}{element}]}}", format!("{element},").repeat(mib / 50)),
    ] {
        let started = std::time::SystemTime::now();
        let value = parse(document.as_bytes()).unwrap();
        let read = ledgerline_event::adapt(
            &value,
            &ledgerline_event::Context { default_org: "acme", numeric_id_sources: &[] },
        );
        if let Ok(event) = &read {
            ledgerline_event::content_id(event, &value);
        }
        if let Some(batch) = ledgerline_event::batch::split(document.as_bytes()) {
            assert_eq!(batch.documents().map(|one| one.len()).sum::<usize>(), batch.bytes());
        }
        // As above: minutes or milliseconds.
        let seconds = started.elapsed().map_or(0, |took| took.as_secs());
        assert!(seconds < 20, "{seconds} s for {}", &document[..12]);
    }
}

const AT_MS: i64 = 1_772_460_000_000;
