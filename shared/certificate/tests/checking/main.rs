//! The check of a certificate: a good one has no problem, and any byte, proof or count that is altered is named.
#![allow(clippy::unwrap_used, missing_docs, reason = "a test fails by panicking")]

mod sample;

use ledgerline_certificate::{Certificate, Problem, check, page};
use ledgerline_ledger::signing::VerifyingKeys;
use proptest::prelude::*;
use sample::{certified, sample};
use serde_json::{Value, json};

fn keys(key: &str) -> VerifyingKeys {
    VerifyingKeys::parse([key]).unwrap()
}

fn problems(certificate: &Certificate, key: &str) -> Vec<Problem> {
    check(&certificate.to_bytes().unwrap(), &keys(key)).problems
}

/// The places that are named once a member was changed and the file written again in its one spelling.
fn places(value: &Value, key: &str) -> Vec<String> {
    let text = ledgerline_ledger::canonical::to_string(value).unwrap() + "\n";
    check(text.as_bytes(), &keys(key)).problems.into_iter().map(|one| one.place).collect()
}

#[test]
fn a_good_certificate_has_no_problem_for_one_record_or_many() {
    for records in [0, 1, 2, 3, 300] {
        let (good, key) = sample(records);
        assert_eq!(problems(&good, &key), [], "{records}");
        let read = check(&good.to_bytes().unwrap(), &keys(&key)).certificate.unwrap();
        assert_eq!(read, good);
    }
}

#[test]
fn the_key_is_known_under_any_logs_name_and_another_one_is_not() {
    let (good, key) = sample(2);
    let other = ledgerline_ledger::signing::vkey(
        "trial-1/acme/request/1/0",
        &[
            // The public key of the seed of sevens is not this one.
            0xd7, 0x5a, 0x98, 0x01, 0x82, 0xb1, 0x0a, 0xb7, 0xd5, 0x4b, 0xfe, 0xd3, 0xc9, 0x64, 0x07, 0x3a, 0x0e, 0xe1,
            0x72, 0xf3, 0xda, 0xa6, 0x23, 0x25, 0xaf, 0x02, 0x1a, 0x68, 0xf7, 0x07, 0x51, 0x1a,
        ],
    );
    let places: Vec<String> = problems(&good, &other).into_iter().map(|one| one.place).collect();
    assert_eq!(places, ["body.logs[0].keys", "certified[0].keys"]);
    assert_eq!(problems(&good, &key), []);
}

#[test]
fn every_member_that_is_altered_is_named() {
    let (good, key) = sample(3);
    let good = serde_json::to_value(&good).unwrap();
    let mut leaves = Vec::new();
    walk(&good, String::new(), &mut leaves);
    assert!(leaves.len() > 120, "{}", leaves.len());
    for pointer in leaves {
        let mut altered = good.clone();
        let member = altered.pointer_mut(&pointer).unwrap();
        *member = other(member);
        let named = places(&altered, &key);
        assert!(!named.is_empty(), "{pointer} was altered, and nothing is named");
        if pointer.starts_with("/body/") {
            assert!(named.iter().any(|place| place.starts_with("body") || place == "the file"), "{pointer}: {named:?}");
        }
    }
}

#[test]
fn every_member_that_goes_or_comes_is_named() {
    let (good, key) = sample(3);
    let good = serde_json::to_value(&good).unwrap();
    let mut members = Vec::new();
    containers(&good, String::new(), &mut members);
    for pointer in members {
        let mut more = good.clone();
        match more.pointer_mut(&pointer).unwrap() {
            Value::Object(map) => drop(map.insert("zz".to_owned(), json!(1))),
            Value::Array(list) => list.push(list.last().cloned().unwrap_or(json!("zz"))),
            _ => unreachable!("a container"),
        }
        assert!(!places(&more, &key).is_empty(), "{pointer} has more");
        let mut less = good.clone();
        let goes = match less.pointer_mut(&pointer).unwrap() {
            Value::Object(map) => map.keys().next_back().cloned().map(|name| map.remove(&name)).is_some(),
            Value::Array(list) => list.pop().is_some(),
            _ => unreachable!("a container"),
        };
        assert!(!goes || !places(&less, &key).is_empty(), "{pointer} has less");
    }
}

#[test]
fn a_faked_body_that_its_maker_certifies_anew_fails_by_what_is_false_in_it() {
    type Change = fn(&mut Certificate);
    let cases: [(&str, Change); 12] = [
        ("body.counts.deletions", |one| one.body.counts.deletions += 1),
        ("body.counts.keys", |one| one.body.counts.keys -= 1),
        ("body.counts.held", |one| one.body.counts.held = 0),
        ("body.counts.kept", |one| one.body.counts.kept = 9),
        ("body.counts.records", |one| one.body.counts.records += 1),
        ("body.deletions[1].path", |one| one.body.deletions[1].index += 1),
        ("body.deletions[0].path", |one| {
            one.body.deletions[0].path.pop();
        }),
        ("body.deletions[2].guide", |one| one.body.deletions[2].guide["auditEvent"]["status"] = json!("FAILED")),
        ("body.deletions[0].path", |one| one.body.deletions[0].entry["keyIds"] = json!([])),
        ("body.deletions", |one| one.body.deletions.swap(0, 1)),
        ("body.nodes", |one| one.body.nodes.push(one.body.nodes[0].clone())),
        ("body.held", |one| one.body.held = vec!["acme/c-0".to_owned()]),
    ];
    for (place, change) in cases {
        let (mut faked, key) = sample(3);
        change(&mut faked);
        faked.certified = vec![certified(&faked.body)];
        let named: Vec<String> = problems(&faked, &key).into_iter().map(|one| one.place).collect();
        assert!(named.iter().any(|named| named.starts_with(place)), "{place}: {named:?}");
    }
}

#[test]
fn a_signature_that_nobody_proves_is_named() {
    let (good, key) = sample(2);
    let mut more = good.clone();
    let line = more.certified[0].checkpoint.lines().last().unwrap().replace("acme/request", "acme/other");
    more.certified[0].checkpoint.push_str(&line);
    more.certified[0].checkpoint.push('\n');
    let places: Vec<String> = problems(&more, &key).into_iter().map(|one| one.place).collect();
    assert_eq!(places, ["certified[0].checkpoint"]);
    // The act of another organisation's requests.
    let mut twice = good;
    twice.certified.push(twice.certified[0].clone());
    let places: Vec<String> = problems(&twice, &key).into_iter().map(|one| one.place).collect();
    assert_eq!(places, ["certified"]);
}

#[test]
fn what_is_no_certificate_is_said_to_be_none() {
    let (_, key) = sample(1);
    for bytes in [&b""[..], b"{}", b"\xff", b"[]", b"null", b"{\"v\":1}"] {
        let checked = check(bytes, &keys(&key));
        assert_eq!((checked.certificate, checked.problems.len()), (None, 1));
    }
}

#[test]
fn the_page_tells_everything_and_lets_nothing_in() {
    let (mut good, _) = sample(4_900);
    good.body.held = vec!["acme/<script>alert(1)</script>".to_owned()];
    let page = page(&good);
    assert!(page.contains("4,900 interactions were erased") && page.contains("dsar-req-998877 &lt;\u{fc}&gt;"));
    assert!(page.contains("acme/&lt;script&gt;") && !page.contains("<script"));
    for one in &good.body.remains {
        assert!(page.contains(&format!("<th>{}</th>", one.kind.replace('\'', "&#39;"))), "{}", one.kind);
    }
    assert!(page.contains("c-0 ") && page.contains("c-9798 "));
    assert!(!page.contains("http") && !page.contains("src="), "it loads nothing");
    assert!(page.len() < 3_000_000, "{}", page.len());
    assert!(sample(1).0.body.counts.deletions == 1 && super_page(1).contains("One interaction was erased"));
}

fn super_page(records: usize) -> String {
    page(&sample(records).0)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn any_byte_that_is_altered_is_noticed(at in any::<prop::sample::Index>(), flip in 1_u8..) {
        let (good, key) = sample(3);
        let mut bytes = good.to_bytes().unwrap();
        let at = at.index(bytes.len());
        bytes[at] ^= flip;
        prop_assert!(!check(&bytes, &keys(&key)).problems.is_empty(), "byte {}", at);
    }

    #[test]
    fn any_byte_that_goes_or_comes_is_noticed(at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let (good, key) = sample(2);
        let bytes = good.to_bytes().unwrap();
        let at = at.index(bytes.len());
        let (mut less, mut more) = (bytes.clone(), bytes);
        less.remove(at);
        more.insert(at, byte);
        prop_assert!(!check(&less, &keys(&key)).problems.is_empty());
        prop_assert!(!check(&more, &keys(&key)).problems.is_empty());
    }
}

/// Pointers to everything that is no list and no object.
fn walk(value: &Value, pointer: String, leaves: &mut Vec<String>) {
    match value {
        Value::Object(map) => map.iter().for_each(|(name, one)| walk(one, format!("{pointer}/{name}"), leaves)),
        Value::Array(list) => {
            list.iter().enumerate().for_each(|(at, one)| walk(one, format!("{pointer}/{at}"), leaves));
        }
        _ => leaves.push(pointer),
    }
}

fn containers(value: &Value, pointer: String, found: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            map.iter().for_each(|(name, one)| containers(one, format!("{pointer}/{name}"), found));
        }
        Value::Array(list) => {
            list.iter().enumerate().for_each(|(at, one)| containers(one, format!("{pointer}/{at}"), found));
        }
        _ => return,
    }
    found.push(pointer);
}

/// Another value of the same kind.
fn other(value: &Value) -> Value {
    match value {
        Value::String(text) => {
            let mut text = text.clone();
            match text.pop() {
                Some('0') => text.push('1'),
                Some(_) => text.push('0'),
                None => text.push('x'),
            }
            json!(text)
        }
        Value::Number(number) => json!(number.as_u64().unwrap_or_default() + 1),
        Value::Bool(flag) => json!(!flag),
        _ => json!("x"),
    }
}
