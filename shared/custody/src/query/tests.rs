use ledgerline_privacy::PseudonymKey;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn parse(body: Value) -> Result<Query, QueryError> {
    Query::parse(body.to_string().as_bytes(), Region::US)
}

fn ring(versions: &[u32]) -> KeyRing {
    KeyRing::new(versions.iter().map(|v| PseudonymKey::new(*v, [u8::try_from(*v).unwrap(); 32]))).unwrap()
}

fn refusal(body: Value) -> String {
    match parse(body).unwrap_err() {
        QueryError::Unprocessable(detail) => detail,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_customer_is_a_subject_a_pseudonym_or_a_name_given_upstream() {
    let who = |hash: &str| parse(json!({ "customerIdHash": hash })).unwrap().who;
    let subject = format!("s_{}", "0a".repeat(16));
    assert!(matches!(who(&subject), Who::Subject(id) if id == subject));
    let pseudonym = format!("p1_{}", "0a".repeat(32));
    assert!(matches!(who(&pseudonym), Who::Pseudonym(one) if one.as_str() == pseudonym));
    let kinds = |hash: &str| match who(hash) {
        Who::Identifiers(all) => all.iter().map(Identifier::kind).collect::<Vec<_>>(),
        other => panic!("{other:?}"),
    };
    assert_eq!(kinds("CUST-1"), [Kind::CustomerIdHash]);
    assert_eq!(kinds("s_short"), [Kind::CustomerIdHash]);
    let digest_of_any = [Kind::CustomerIdHash, Kind::PhoneHash, Kind::EmailHash, Kind::AccountHash];
    assert_eq!(kinds(&"ab".repeat(32)), digest_of_any);
    assert_eq!(kinds(&"AB".repeat(16)), digest_of_any, "MD5 has 32 digits");
    assert_eq!(kinds("cust_hash_9f86d08"), [Kind::CustomerIdHash]);
    assert_eq!(kinds("3f1c1e0e-7a3f-4a53-9a38-7e3f5f8f0b11"), [Kind::CustomerIdHash, Kind::ExternalContact]);
}

#[test]
fn identifiers_are_normalised_and_read_as_every_kind_they_may_have() {
    let all = |kind: &str, value: &str| {
        let query = parse(json!({ "identifiers": [{ "kind": kind, "value": value }] })).unwrap();
        query.names(Some(&ring(&[1, 2]))).pseudonyms
    };
    assert_eq!(all("phone", "(555) 555-0142"), all("PHONE", "tel:+15555550142"));
    assert_eq!(all("phone", "+15555550142").len(), 2, "nothing but a phone, under two keys");
    assert_eq!(all("email", "Ada@Example.com "), all("email", "ada@example.com"));
    assert_eq!(all("externalContact", "abc"), all("external_contact", "abc"));
    let digest = "ab".repeat(32);
    assert_eq!(all("emailHash", &digest.to_uppercase()), all("email_hash", &digest));
    assert_eq!(all("account-hash", &digest.to_uppercase()), all("account_hash", &digest));
    assert_eq!(all("account_hash", "ab01").len(), 2, "nothing but what was named, under two keys");
    let shared = |a: &[Pseudonym], b: &[Pseudonym]| a.iter().filter(|one| b.contains(one)).count();
    assert_eq!(shared(&all("messaging_address", "+15555550142"), &all("phone", "+15555550142")), 2);
    assert_eq!(
        shared(&all("phone", "+15555550142"), &all("messaging_address", "15555550142")),
        0,
        "a service's own id"
    );
    assert_eq!(shared(&all("messaging_address", "ada@example.com"), &all("email", "ada@example.com")), 2);
}

#[test]
fn a_value_may_be_a_number_that_keeps_its_digits() {
    let asked = |value: Value| parse(json!({ "identifiers": [{ "kind": "account", "value": value }] }));
    let names = |value: Value| asked(value).unwrap().names(Some(&ring(&[1]))).pseudonyms;
    assert_eq!(names(json!(40_017_722)), names(json!("40017722")));
    for lossy in [json!(9_007_199_254_740_993_u64), json!(-7), json!(1.5)] {
        assert!(asked(lossy).unwrap_err().to_string().contains("send it as a text"));
    }
}

#[test]
fn a_query_says_what_else_its_customer_may_be_known_by() {
    let query = |all: &[(&str, &str)]| {
        let all: Vec<Value> = all.iter().map(|(kind, value)| json!({ "kind": kind, "value": value })).collect();
        parse(json!({ "identifiers": all })).unwrap()
    };
    let (with, without) = (("phone", "+55 11 96123 4567"), ("phone", "+55 11 6123 4567"));
    assert_eq!(query(&[with]).other_spellings(), 1);
    assert_eq!(query(&[with, without]).other_spellings(), 0, "both are asked");
    assert_eq!(query(&[with, ("phone", "+54 11 2345 6789")]).other_spellings(), 2);
    assert_eq!(query(&[("email", "ada@example.com")]).other_spellings(), 0);
    assert!(query(&[("phoneHash", "ab01")]).is_weak() && !query(&[("phone_hash", &"ab".repeat(32))]).is_weak());
    assert!(parse(json!({ "customerIdHash": "cust_hash_9f86d08" })).unwrap().is_weak());
    assert!(!parse(json!({ "customerIdHash": format!("s_{}", "0a".repeat(16)) })).unwrap().is_weak());
}

#[test]
fn a_query_asks_every_org_or_the_one_that_it_names() {
    let org = |org: Value| parse(json!({ "customerIdHash": "C", "org": org })).map(|query| query.org);
    assert_eq!(parse(json!({ "customerIdHash": "C" })).unwrap().org, None);
    assert_eq!(org(Value::Null), Ok(None));
    assert_eq!(org(json!("Acme-1.eu_2")), Ok(Some("Acme-1.eu_2".to_owned())));
    for bad in
        [json!(""), json!(".."), json!("a/b"), json!("secret corp"), json!("x".repeat(65)), json!(7), json!(["a"])]
    {
        let error = org(bad).unwrap_err();
        assert_eq!(error, QueryError::NoOrg);
        assert!(!error.to_string().contains("secret"), "{error}");
    }
}

#[test]
fn without_a_key_there_is_nothing_to_look_up() {
    let query = parse(json!({ "identifiers": [{ "kind": "phone", "value": "+15555550142" }] })).unwrap();
    assert_eq!(query.names(None), Names::default());
}

#[test]
fn a_range_has_inclusive_ends_in_any_offset() {
    let range = |from: Value, to: Value| {
        parse(json!({ "customerIdHash": "C", "dateRange": { "from": from, "to": to } })).unwrap().range
    };
    let berlin = range(json!("2026-03-02T15:00:00+01:00"), json!("2026-03-02t23:59:59.9999-05:30"));
    assert_eq!(berlin.from.as_deref(), Some("2026-03-02T14:00:00.000Z"));
    assert_eq!(berlin.to.as_deref(), Some("2026-03-03T05:29:59.999Z"));
    assert!(berlin.overlaps("2026-03-01T00:00:00.000Z", "2026-03-02T14:00:00.000Z"));
    assert!(berlin.begins_after("2026-03-01T00:00:00.000Z"));
    assert!(!berlin.begins_after("2026-03-02T14:00:00.000Z"));
    assert!(berlin.overlaps("2026-03-03T05:29:59.999Z", "2026-03-09T00:00:00.000Z"));
    assert!(!berlin.overlaps("2026-03-01T00:00:00.000Z", "2026-03-02T13:59:59.999Z"));
    assert!(!berlin.overlaps("2026-03-03T05:30:00.000Z", "2026-03-09T00:00:00.000Z"));
    let inward = range(json!("2026-03-02T14:00:00.0001Z"), json!("2026-03-02T14:00:00.0029Z"));
    assert_eq!(inward.from.as_deref(), Some("2026-03-02T14:00:00.001Z"));
    assert_eq!(inward.to.as_deref(), Some("2026-03-02T14:00:00.002Z"));
    let open = range(Value::Null, json!("2026-03-02T14:00:00Z"));
    assert!(open.from.is_none() && open.overlaps("0001-01-01T00:00:00.000Z", "2026-01-01T00:00:00.000Z"));
    assert!(DateRange::default().overlaps("b", "a"));
}

fn range(range: Value) -> (Option<String>, Option<String>) {
    let DateRange { from, to } = parse(json!({ "customerIdHash": "C", "dateRange": range })).unwrap().range;
    (from, to)
}

fn ends(from: &str, to: &str) -> (Option<String>, Option<String>) {
    (Some(from.to_owned()), Some(to.to_owned()))
}

#[test]
fn start_and_end_are_from_and_to() {
    let guide = ends("2023-01-01T00:00:00.000Z", "2023-12-31T23:59:59.999Z");
    let (start, end) = ("2023-01-01T00:00:00Z", "2023-12-31T23:59:59Z");
    for given in [
        json!({ "start": start, "end": end }),
        json!({ "from": start, "to": end }),
        json!({ "from": start, "end": end }),
        json!({ "start": start, "to": end }),
        json!({ "start": start, "end": end, "from": null, "to": null }),
    ] {
        assert_eq!(range(given.clone()), guide, "{given}");
    }
    assert_eq!(range(json!({ "start": start })), (guide.0, None));
    assert_eq!(range(json!({ "end": end })), (None, guide.1));
}

#[test]
fn an_end_is_the_last_millisecond_of_what_it_names() {
    for (given, first, last) in [
        ("2023-01-01", "2023-01-01T00:00:00.000Z", "2023-01-01T23:59:59.999Z"),
        ("2024-02-29", "2024-02-29T00:00:00.000Z", "2024-02-29T23:59:59.999Z"),
        ("2026-03-02T14:00:00Z", "2026-03-02T14:00:00.000Z", "2026-03-02T14:00:00.999Z"),
        ("2026-03-02T15:00:00+01:00[Europe/Berlin]", "2026-03-02T14:00:00.000Z", "2026-03-02T14:00:00.999Z"),
        ("20260302T140000Z", "2026-03-02T14:00:00.000Z", "2026-03-02T14:00:00.999Z"),
        ("1772460000", "2026-03-02T14:00:00.000Z", "2026-03-02T14:00:00.999Z"),
        ("2016-12-31T23:59:60Z", "2016-12-31T23:59:59.999Z", "2016-12-31T23:59:59.999Z"),
        ("1969-12-31T23:59:58Z", "1969-12-31T23:59:58.000Z", "1969-12-31T23:59:58.999Z"),
        ("1970-01-01T00:00:00Z", "1970-01-01T00:00:00.000Z", "1970-01-01T00:00:00.999Z"),
        // A fraction says which millisecond; without seconds it is the whole minute.
        ("2026-03-02T14:00:00.0Z", "2026-03-02T14:00:00.000Z", "2026-03-02T14:00:00.000Z"),
        ("2026-03-02T14:00:00.35Z", "2026-03-02T14:00:00.350Z", "2026-03-02T14:00:00.350Z"),
        ("2026-03-02T14:00Z", "2026-03-02T14:00:00.000Z", "2026-03-02T14:00:59.999Z"),
        ("1772460000350", "2026-03-02T14:00:00.350Z", "2026-03-02T14:00:00.350Z"),
    ] {
        assert_eq!(range(json!({ "from": given, "to": given })), ends(first, last), "{given}");
        assert_eq!(range(json!({ "start": given, "end": given })), ends(first, last), "{given}");
    }
    let inward = json!({ "start": "2026-03-02T14:00:00.9991Z", "end": "2026-03-02T14:00:01,0009Z" });
    assert_eq!(range(inward), ends("2026-03-02T14:00:01.000Z", "2026-03-02T14:00:01.000Z"));
}

#[test]
fn a_member_named_twice_is_malformed_wherever_it_stands() {
    let identifiers = |value: &str| format!(r#"[{{"kind":"email","value":"{value}"}}]"#);
    let (one, other) = (identifiers("planted@example.com"), identifiers("second@example.com"));
    for body in [
        format!(r#"{{"identifiers":{one},"identifiers":{other}}}"#),
        format!(r#"{{"identifiers":{one},"identif\u0069ers":{other}}}"#),
        format!(r#"{{"identifiers":{one},"identifiers":{one}}}"#),
        r#"{"identifiers":[{"kind":"email","value":"planted@example.com","value":"b@example.com"}]}"#.to_owned(),
        format!(r#"{{"identifiers":{one},"dateRange":{{"from":"2026-03-01","from":"2020-01-01"}}}}"#),
        format!(r#"{{"identifiers":{one},"pageSize":1,"pageSize":2}}"#),
        format!(r#"{{"identifiers":{one},"planted":[{{"a":{{"planted":1,"planted":1}}}}]}}"#),
    ] {
        let error = Query::parse(body.as_bytes(), Region::US).unwrap_err();
        let QueryError::Malformed(detail) = error else { panic!("{body}: {error}") };
        assert!(detail.contains("names a member twice"), "{body}: {detail}");
        assert!(!detail.contains("planted") && !detail.contains("identif"), "{detail}");
    }
}

#[test]
fn a_body_that_two_programs_read_differently_is_malformed() {
    let deep = format!(r#"{{"planted":{}1{}}}"#, "[".repeat(100), "]".repeat(100));
    for (body, why) in [
        (&b""[..], "empty"),
        (b" \n", "empty"),
        (b"\xff", "not UTF-8"),
        (b"{\"customerIdHash\":\"planted\xff\"}", "not UTF-8"),
        (br#"{"customerIdHash":"planted\ud800"}"#, "surrogate"),
        (br#"{"customerIdHash":"C","pageSize":1e999}"#, "double"),
        (br#"{"customerIdHash":"planted"} {"customerIdHash":"C"}"#, "line 1, column 30"),
        (br#"{"customerIdHash":"planted"}]"#, "line 1, column 29"),
        (b"{\"customerIdHash\":\n  'planted'}", "line 2, column 3"),
        (b"\xef\xbb\xbf{}", "not JSON"),
        (deep.as_bytes(), "nested"),
    ] {
        let error = Query::parse(body, Region::US).unwrap_err();
        let QueryError::Malformed(detail) = error else { panic!("{why}: {error}") };
        assert!(detail.contains(why) && !detail.contains("planted"), "{why}: {detail}");
    }
}

#[test]
fn what_is_no_request_is_refused_with_the_place_and_without_the_value() {
    let id = |kind: &str, value: &str| json!({ "identifiers": [{ "kind": "email", "value": "a@b.example" }, { "kind": kind, "value": value }] });
    let range = |from: &str, to: &str| json!({ "customerIdHash": "C", "dateRange": { "from": from, "to": to } });
    for (body, place) in [
        (json!([]), "object"),
        (json!({}), "names no customer"),
        (json!({ "customerIdHash": "secret", "identifiers": [] }), "not both"),
        (json!({ "customerIdHash": 5_550_142 }), "`customerIdHash` must be a string"),
        (json!({ "customerIdHash": " " }), "names nobody"),
        (json!({ "identifiers": [] }), "1 to 50"),
        (json!({ "identifiers": "secret" }), "array"),
        (json!({ "identifiers": ["secret"] }), "identifiers[0]"),
        (json!({ "identifiers": vec![json!({}); 51] }), "1 to 50"),
        (id("secret", "x"), "`identifiers[1]`.kind must be one of phone, email"),
        (id("agent", "x"), "identifiers[1]"),
        (id("phone", "secret"), "`identifiers[1]`.value"),
        (id("phone", "anonymous"), "`identifiers[1]`.value"),
        (json!({ "identifiers": [{ "kind": "phone", "value": "+15555550142", "secret": 1 }] }), "not known"),
        (json!({ "customerIdHash": "C", "secret": 1 }), "not known"),
        (json!({ "customerIdHash": "C", "requestType": "secret" }), "ACCESS, PORTABILITY, KNOW, AUDIT"),
        (json!({ "customerIdHash": "C", "dateRange": "secret" }), "`dateRange`"),
        (json!({ "customerIdHash": "C", "dateRange": { "since": "secret" } }), "not known"),
        (range("2026-03", "2026-03-03T00:00:00Z"), "`dateRange.from`"),
        (range("2026-02-30", "2026-03-03T00:00:00Z"), "`dateRange.from`"),
        (range("20260302", "2026-03-03T00:00:00Z"), "`dateRange.from`"),
        (range("2026-03-02T00:00:00Z", "2026-03-03T00:00:00"), "`dateRange.to`"),
        (range("2026-03-02T00:00:00Z", "2026-03-03T00:00:00[Europe/Berlin]"), "`dateRange.to`"),
        (range("20260302000000", "2026-03-03T00:00:00Z"), "`dateRange.from`"),
        (range("", "2026-03-03T00:00:00Z"), "`dateRange.from`"),
        (range("0000-01-01T00:00:00+14:00", "2026-03-03T00:00:00Z"), "`dateRange.from`"),
        (json!({ "customerIdHash": "C", "dateRange": { "start": "secret" } }), "`dateRange.start`"),
        (json!({ "customerIdHash": "C", "dateRange": { "end": "2026-03-02T00:00:00" } }), "`dateRange.end`"),
        (
            json!({ "customerIdHash": "C", "dateRange": { "start": "2026-03-02", "from": "2026-03-02" } }),
            "both `from` and `start`",
        ),
        (json!({ "customerIdHash": "C", "dateRange": { "to": "2026-03-02", "end": "secret" } }), "both `to` and `end`"),
        (
            json!({ "customerIdHash": "C", "dateRange": { "from": "2026-03-02", "to": "2026-03-02", "start": "2026-03-02", "end": "2026-03-02" } }),
            "Give one of them",
        ),
        (
            json!({ "customerIdHash": "C", "dateRange": { "start": "2026-03-03", "end": "2026-03-02" } }),
            "`dateRange.start` is later than `dateRange.end`",
        ),
        (json!({ "customerIdHash": "C", "dateRange": { "from": 1_772_460_000 } }), "must be a string"),
        (range("2026-03-03T00:00:00Z", "2026-03-03T00:59:59+01:00"), "later"),
        (json!({ "customerIdHash": "C", "pageSize": 0 }), "`pageSize`"),
        (json!({ "customerIdHash": "C", "pageSize": 2001 }), "`pageSize`"),
        (json!({ "customerIdHash": "C", "pageSize": 1.5 }), "`pageSize`"),
        (json!({ "customerIdHash": "C", "pageToken": 7 }), "`pageToken`"),
    ] {
        let detail = refusal(body.clone());
        assert!(detail.contains(place), "{place} missing in {detail}");
        assert!(!detail.contains("secret") && !detail.contains("5550142"), "{detail}");
    }
    let broken = Query::parse(b"{\"customerIdHash\": secret}", Region::US).unwrap_err();
    assert_eq!(broken, QueryError::Malformed("The body is not JSON: the error is at line 1, column 20.".to_owned()));
    assert!(matches!(Query::parse(b"\xff", Region::US), Err(QueryError::Malformed(_))));
}

#[test]
fn debug_output_of_a_query_shows_no_identifier() {
    let query = parse(json!({ "identifiers": [{ "kind": "phone", "value": "+15555550142" }] })).unwrap();
    assert!(!format!("{query:?}").contains("5550142"));
}

#[test]
fn the_digest_names_the_question_and_not_the_page() {
    let ring = ring(&[1, 2]);
    let digest = |body: Value| parse(body).unwrap().digest("asker", &ring, 1);
    let phone = |value: &str| json!({ "kind": "phone", "value": value });
    let base = digest(json!({ "identifiers": [phone("+15555550142"), phone("+15555550143")] }));
    assert_eq!(base.len(), 32);
    assert_eq!(
        base,
        digest(
            json!({ "identifiers": [phone("1 555 555 0143"), phone("+15555550142")], "pageSize": 3, "pageToken": "t",
            "requestType": "access", "dateRange": {} })
        )
    );
    let others = [
        json!({ "identifiers": [phone("+15555550142")] }),
        json!({ "identifiers": [phone("+15555550142"), phone("+15555550143")], "requestType": "PORTABILITY" }),
        json!({ "identifiers": [phone("+15555550142"), phone("+15555550143")], "dateRange": { "from": "2026-01-01T00:00:00Z" } }),
        json!({ "identifiers": [phone("+15555550142"), phone("+15555550143")], "dateRange": { "to": "2026-01-01T00:00:00Z" } }),
        json!({ "identifiers": [phone("+15555550142"), phone("+15555550143")], "org": "acme" }),
        json!({ "customerIdHash": "C" }),
    ];
    for other in others {
        assert_ne!(base, digest(other));
    }
}

#[test]
fn a_rotation_between_two_pages_keeps_the_digest() {
    let query = parse(json!({ "identifiers": [{ "kind": "phone", "value": "+15555550142" }] })).unwrap();
    assert_eq!(query.digest("asker", &ring(&[1]), 1), query.digest("asker", &ring(&[1, 2]), 1));
    assert_ne!(query.digest("asker", &ring(&[1, 2]), 1), query.digest("asker", &ring(&[1, 2]), 2));
    let direct = parse(json!({ "customerIdHash": format!("p1_{}", "0a".repeat(32)) })).unwrap();
    let other = parse(json!({ "customerIdHash": format!("p1_{}", "0b".repeat(32)) })).unwrap();
    assert_ne!(direct.digest("asker", &ring(&[1, 2]), 2), other.digest("asker", &ring(&[1, 2]), 2));
}

proptest! {
    #[test]
    fn an_end_is_the_same_instant_in_every_offset(ms in 0i64..4_000_000_000_000, minutes in -1439i32..1440) {
        let (sign, hours, rest) = (if minutes < 0 { '-' } else { '+' }, minutes.abs() / 60, minutes.abs() % 60);
        let offset = format!("{sign}{hours:02}:{rest:02}");
        let spelt = instant(ms + i64::from(minutes) * 60_000).unwrap().replace('Z', &offset);
        let range = parse(json!({ "customerIdHash": "C", "dateRange": { "from": spelt, "to": spelt } })).unwrap().range;
        let plain = instant(ms).unwrap();
        prop_assert_eq!(range.from.as_deref(), Some(plain.as_str()));
        prop_assert_eq!(range.to.as_deref(), Some(plain.as_str()));
        prop_assert!(range.overlaps(&plain, &plain));
    }

    #[test]
    fn text_order_of_instants_is_time_order(a in -62_000_000_000_000i64..200_000_000_000_000, b in -62_000_000_000_000i64..200_000_000_000_000) {
        prop_assert_eq!(instant(a).unwrap().cmp(&instant(b).unwrap()), a.cmp(&b));
    }

    #[test]
    fn overlap_is_what_it_says(from in 0i64..50, to in 0i64..50, first in 0i64..50, length in 0i64..50) {
        prop_assume!(from <= to);
        let last = first + length;
        let range = DateRange { from: instant(from), to: instant(to) };
        let shares_a_moment = (first..=last).any(|at| (from..=to).contains(&at));
        prop_assert_eq!(range.overlaps(&instant(first).unwrap(), &instant(last).unwrap()), shares_a_moment);
    }

    #[test]
    fn no_body_panics_or_is_repeated(body in "[ -~]{0,60}") {
        if let Err(error) = Query::parse(body.as_bytes(), Region::US) {
            prop_assert!(body.len() < 12 || !error.to_string().contains(&body));
        }
    }
}
