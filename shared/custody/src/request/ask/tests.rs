use ledgerline_privacy::Kind;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::query::Who;

fn parse(body: &Value) -> Result<Asked, QueryError> {
    Asked::parse(body.to_string().as_bytes(), Region::US)
}

fn said<T: std::fmt::Debug>(outcome: Result<T, QueryError>) -> String {
    outcome.unwrap_err().to_string()
}

fn by_phone() -> Value {
    json!([{ "kind": "phone", "value": "+1 555 555 0142" }])
}

#[test]
fn a_request_says_what_for_about_whom_and_by_which_law() {
    let asked = parse(&json!({ "type": "erasure", "regime": "CCPA", "identifiers": by_phone(), "org": "acme",
        "interactions": ["c-2", "c-1", "c-2"], "reference": " ticket 7 " }))
    .unwrap();
    assert_eq!((asked.kind, asked.regime, asked.org.as_deref()), (RequestKind::Erasure, Regime::Ccpa, Some("acme")));
    assert_eq!(asked.interactions, ["c-1", "c-2"]);
    assert_eq!(asked.reference.as_deref(), Some("ticket 7"));
    let Some(Who::Identifiers(identifiers)) = asked.who else { panic!("no identifiers") };
    assert_eq!(identifiers[0].kind(), Kind::Phone);
    let listed =
        parse(&json!({ "type": "ACCESS", "interactions": ["c-1"], "identifiers": null, "reference": "" })).unwrap();
    assert!(listed.who.is_none() && listed.regime == Regime::Gdpr && listed.reference.is_none());
    let subject = format!("s_{}", "0f".repeat(16));
    let asked = parse(&json!({ "type": "PORTABILITY", "customerIdHash": subject })).unwrap();
    assert!(matches!(asked.who, Some(Who::Subject(id)) if id == subject));
}

#[test]
fn the_short_form_of_the_guide_is_read_to_the_letter() {
    let body = json!({ "customerIdHash": "cust_hash_9f86d08", "deletionReason": "RTBF_REQUEST", "requestId": "dsar-req-998877" });
    let asked = Asked::parse_rtbf(body.to_string().as_bytes(), Region::US).unwrap();
    assert_eq!((asked.kind, asked.regime), (RequestKind::Erasure, Regime::Gdpr));
    assert_eq!(asked.reference.as_deref(), Some("dsar-req-998877"));
    assert_eq!(asked.deletion_reason.as_deref(), Some("RTBF_REQUEST"));
    for (name, value) in [("type", "ERASURE"), ("regime", "GDPR"), ("deletionReason", "because Jane asked")] {
        let mut body = body.clone();
        body[name] = json!(value);
        let error = said(Asked::parse_rtbf(body.to_string().as_bytes(), Region::US));
        assert!(!error.contains("Jane"), "{error}");
    }
    assert!(Asked::parse_rtbf(b"{}", Region::US).is_err());
}

#[test]
fn what_is_wrong_is_said_without_a_word_of_it() {
    let long = "x".repeat(2_001);
    for (body, part) in [
        (json!({ "identifiers": by_phone() }), "`type` must be one of ERASURE, ACCESS, PORTABILITY"),
        (json!({ "type": "planted", "identifiers": by_phone() }), "`type` must be one of"),
        (json!({ "type": 7, "identifiers": by_phone() }), "`type` must be a string"),
        (json!({ "type": "ERASURE" }), "about nobody and nothing"),
        (json!({ "type": "ERASURE", "identifiers": [] }), "1 to 50"),
        (json!({ "type": "ERASURE", "identifiers": by_phone(), "customerIdHash": "planted" }), "not both"),
        (json!({ "type": "ERASURE", "identifiers": by_phone(), "regime": "planted" }), "GDPR, CCPA"),
        (json!({ "type": "ERASURE", "identifiers": by_phone(), "org": "planted planted" }), "`org`"),
        (json!({ "type": "ERASURE", "identifiers": by_phone(), "planted": 1 }), "a member that is not known"),
        (json!({ "type": "ERASURE", "interactions": [] }), "1 to 500"),
        (json!({ "type": "ERASURE", "interactions": "planted" }), "1 to 500"),
        (json!({ "type": "ERASURE", "interactions": ["c-1", "planted/planted"] }), "`interactions[1]`"),
        (json!({ "type": "ERASURE", "interactions": [7] }), "`interactions[0]`"),
        (json!({ "type": "ERASURE", "interactions": vec!["c"; 501] }), "1 to 500"),
        (json!({ "type": "ERASURE", "identifiers": by_phone(), "reference": long }), "more than 256 characters"),
    ] {
        let error = said(parse(&body));
        assert!(error.contains(part) && !error.contains("planted"), "{error} for {body}");
    }
    for bad in
        [&b""[..], b"[]", b"null", b"{", b"\xff", br#"{"type":"ACCESS","type":"ERASURE"}"#, br#"{"reason":"\ud83d"}"#]
    {
        assert!(Asked::parse(bad, Region::US).is_err() && reason(bad).is_err() && approval(bad).is_err());
    }
}

#[test]
fn bodies_of_steps_are_read_whole_or_not_at_all() {
    let read = |body: Value| verification(body.to_string().as_bytes());
    let good = read(json!({ "method": "in-person", "reference": "desk 4" })).unwrap();
    assert_eq!(good, Verification { method: Method::InPerson, reference: Some("desk 4".to_owned()) });
    assert!(said(read(json!({}))).contains("document, account, callback"));
    assert!(read(json!({ "method": "document", "by": "me" })).is_err());

    let digest = "0f".repeat(32);
    let read = |body: Value| approval(body.to_string().as_bytes());
    let good = read(json!({ "previewDigest": digest, "shared": { "acme/c-1": "erase", "acme/c-2": "keep" } })).unwrap();
    assert_eq!(good.shared, BTreeMap::from([("acme/c-1".to_owned(), true), ("acme/c-2".to_owned(), false)]));
    assert!(read(json!({ "previewDigest": digest })).unwrap().shared.is_empty());
    for bad in [
        json!({}),
        json!({ "previewDigest": "0f" }),
        json!({ "previewDigest": digest.to_uppercase() }),
        json!({ "previewDigest": digest, "shared": ["acme/c-1"] }),
        json!({ "previewDigest": digest, "shared": { "acme/c-1": true } }),
        json!({ "previewDigest": digest, "shared": { "acme/c-1": "planted" } }),
    ] {
        assert!(!said(read(bad)).contains("planted"));
    }

    let read = |body: Value| reason(body.to_string().as_bytes());
    assert_eq!(read(json!({ "reason": "taken back" })), Ok("taken back".to_owned()));
    for bad in [json!({}), json!({ "reason": " " }), json!({ "reason": null }), json!({ "reason": "x".repeat(2_001) })]
    {
        assert!(read(bad).is_err());
    }
}

/// A value of any kind, with members that bodies know among others.
fn any_body() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "planted[ -~]{0,12}".prop_map(Value::from),
        "\\PC{0,8}".prop_map(Value::from),
        prop::sample::select(vec!["ERASURE", "GDPR", "phone", "erase", "document", "acme"]).prop_map(Value::from),
    ];
    let names = [
        "type",
        "regime",
        "identifiers",
        "customerIdHash",
        "interactions",
        "org",
        "reference",
        "kind",
        "value",
        "previewDigest",
        "shared",
        "reason",
        "method",
        "planted",
        "requestId",
        "deletionReason",
    ];
    leaf.prop_recursive(3, 24, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(prop::sample::select(names.to_vec()), inner, 0..6)
                .prop_map(|members| members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()),
        ]
    })
}

proptest! {
    /// No body makes a panic, and no error repeats what was planted in one.
    #[test]
    fn any_body_is_read_or_refused_without_a_word_of_it(body in any_body(), cut in 0_usize..64) {
        let text = body.to_string();
        let cut = text.len().saturating_sub(cut);
        for bytes in [text.as_bytes(), &text.as_bytes()[..cut]] {
            let errors = [
                Asked::parse(bytes, Region::US).err(),
                Asked::parse_rtbf(bytes, Region::US).err(),
                verification(bytes).err(),
                approval(bytes).err(),
                reason(bytes).err(),
            ];
            for error in errors.into_iter().flatten() {
                prop_assert!(!error.to_string().contains("planted"), "{}", error);
            }
        }
    }
}
