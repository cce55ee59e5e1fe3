//! Who may call the API of the local stack: through API Gateway and the authorizer, as a caller outside meets them.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ledgerline_tests::access::{Answer, bearer, send};
use ledgerline_tests::issuer::{Issuer, now};
use ledgerline_tests::org::Org;
use ledgerline_tests::scan::log_lines;
use ledgerline_tests::stack::Stack;
use serde_json::{Value, json};

/// A question that finds nobody.
fn question() -> Value {
    json!({ "identifiers": [{ "kind": "email", "value": "nobody-ever@example.com" }] })
}

/// Asks with a token and the API key.
fn ask(stack: &Stack, token: &str, body: &Value) -> Answer {
    let (token, key) = (bearer(token), &stack.description().api_key);
    send(stack, &[("authorization", &token), ("x-api-key", key)], body)
}

#[test]
fn each_part_may_do_what_its_token_says() {
    let Some(stack) = Stack::running() else { return };
    let parts: Vec<&str> = stack.description().tokens.keys().map(String::as_str).collect();
    assert_eq!(parts, ["analyst", "approver", "loader", "officer", "reader", "verifier"]);
    for part in parts {
        let answer = ask(&stack, stack.description().token(part).unwrap(), &question());
        if ["officer", "reader"].contains(&part) {
            assert_eq!(answer.status, 200, "{part}: {answer:?}");
        } else {
            assert!(answer.is_problem(403, "forbidden"), "{part}: {answer:?}");
        }
    }
}

#[test]
fn a_token_that_does_not_hold_is_a_problem_document_and_leaves_nothing_of_itself_in_a_log() {
    let Some(stack) = Stack::running() else { return };
    let issuer = Issuer::of(&stack);
    let good = issuer.token(json!({}), json!({}));
    assert_eq!(ask(&stack, &good, &question()).status, 200);
    let [head, body, signature] = good.split('.').collect::<Vec<_>>()[..] else { panic!() };
    let none = URL_SAFE_NO_PAD.encode(json!({ "alg": "none", "kid": "local-1" }).to_string());
    let evil = Issuer::forged(&stack);
    let tokens = [
        ("expired", issuer.token(json!({ "exp": now() - 60 }), json!({}))),
        ("future", issuer.token(json!({ "nbf": now() + 3600 }), json!({}))),
        ("audience", issuer.token(json!({ "aud": "other" }), json!({}))),
        ("issuer", issuer.token(json!({ "iss": "https://evil.example" }), json!({}))),
        ("no exp", issuer.token(json!({ "exp": null }), json!({}))),
        ("no sub", issuer.token(json!({ "sub": null }), json!({}))),
        ("org of no form", issuer.token(json!({ "org": "" }), json!({}))),
        ("no key", issuer.token(json!({}), json!({ "kid": null }))),
        ("unknown key", issuer.token(json!({}), json!({ "kid": "local-2" }))),
        ("algorithm", issuer.token(json!({}), json!({ "alg": "RS256" }))),
        ("HMAC", issuer.token(json!({}), json!({ "alg": "HS256" }))),
        ("another's key", evil.token(json!({}), json!({}))),
        ("none", format!("{none}.{body}.")),
        ("no signature", format!("{head}.{body}.")),
        ("cut", format!("{head}.{body}.{}", &signature[..40])),
        ("two parts", format!("{head}.{body}")),
        ("oversized", issuer.token(json!({ "padding": "x".repeat(9_000) }), json!({}))),
        ("empty", String::new()),
    ];
    for (name, token) in &tokens {
        let answer = ask(&stack, token, &question());
        assert!(answer.is_problem(401, "unauthenticated"), "{name}: {answer:?}");
        assert_eq!(answer.headers["www-authenticate"], "Bearer", "{name}");
    }
    let key = stack.description().api_key.as_str();
    for headers in [
        vec![],
        vec![("x-api-key", key)],
        vec![("authorization", "Basic dXNlcjp3b3Jk"), ("x-api-key", key)],
        vec![("authorization", good.as_str()), ("x-api-key", key)],
    ] {
        let answer = send(&stack, &headers, &question());
        assert!(answer.is_problem(401, "unauthenticated"), "{answer:?}");
    }
    let twice = bearer(&good);
    let answer = send(&stack, &[("authorization", &twice), ("authorization", &twice), ("x-api-key", key)], &question());
    assert!(answer.is_problem(401, "unauthenticated"), "{answer:?}");

    let log = log_lines(&stack);
    assert!(log.contains(r#""principal":"test|u-1""#) && log.contains(r#""reason":"expired""#));
    for (name, token) in tokens.iter().map(|(name, token)| (*name, token)).chain([("good", &good)]) {
        let mut parts = token.split('.').filter(|part| part.len() > 16);
        assert!(parts.all(|part| !log.contains(part)), "{name} is in a log");
    }
}

#[test]
fn a_key_is_needed_beside_the_token_and_too_many_requests_are_told_when_to_come_back() {
    let Some(stack) = Stack::running() else { return };
    let reader = bearer(stack.description().token("reader").unwrap());
    for headers in [vec![("authorization", &*reader)], vec![("authorization", &*reader), ("x-api-key", "wrong")]] {
        let answer = send(&stack, &headers, &question());
        assert!(answer.is_problem(403, "invalid-api-key"), "{answer:?}");
    }
    // The plan lets twenty through at once and ten a second.
    let asked = |_| ask(&stack, stack.description().token("reader").unwrap(), &question());
    let answers: Vec<Answer> = std::thread::scope(|scope| {
        let callers: Vec<_> = (0..16).map(|_| scope.spawn(|| (0..20).map(asked).collect::<Vec<_>>())).collect();
        callers.into_iter().flat_map(|caller| caller.join().unwrap()).collect()
    });
    let (let_in, refused): (Vec<&Answer>, Vec<&Answer>) = answers.iter().partition(|answer| answer.status == 200);
    assert!(let_in.len() >= 20 && !refused.is_empty(), "{} of {}", refused.len(), answers.len());
    for answer in refused {
        assert!(answer.is_problem(429, "too-many-requests"), "{answer:?}");
        assert_eq!(answer.headers["retry-after"], "1");
    }
}

#[test]
fn a_caller_is_answered_by_the_orgs_of_the_token_and_pages_on_with_that_token_alone() {
    let Some(stack) = Stack::running() else { return };
    let issuer = Issuer::of(&stack);
    let orgs = [Org::new(&stack, "mine"), Org::new(&stack, "theirs")];
    let phone = orgs[0].phone();
    for org in &orgs {
        let call = |kind: &str| {
            json!({ "interactionId": "i-1", "timestamp": "2026-03-02T14:00:00Z", "eventType": kind, "orgId": org.name,
                "customerPhone": phone })
            .to_string()
            .into_bytes()
        };
        stack.send(&[call("answered"), call("ended")]);
    }
    for org in &orgs {
        org.committed(2);
    }
    let [mine, theirs] = orgs.each_ref().map(|org| org.name.as_str());
    let token = issuer.token(json!({ "org": [mine], "sub": "test|mine" }), json!({}));
    let mut question = json!({ "identifiers": [{ "kind": "phone", "value": phone }] });
    let whole = ask(&stack, &token, &question);
    assert_eq!((whole.status, &whole.body["request"]["orgs"]), (200, &json!([mine])), "{whole:?}");
    assert_eq!(whole.body["customer"]["subjects"], 1);
    assert!(!whole.body.to_string().contains(theirs));
    for other in [theirs, "no-such-org"] {
        question["org"] = json!(other);
        let answer = ask(&stack, &token, &question);
        assert!(answer.is_problem(403, "org-not-allowed"), "{answer:?}");
    }
    question["org"] = json!(mine);
    question["pageSize"] = json!(1);
    question["pageToken"] = ask(&stack, &token, &question).body["nextPageToken"].clone();
    assert!(question["pageToken"].is_string());
    let other = issuer.token(json!({ "org": [mine], "sub": "test|somebody-else" }), json!({}));
    let answer = ask(&stack, &other, &question);
    assert!(answer.is_problem(400, "invalid-page-token"), "{answer:?}");
    assert_eq!(ask(&stack, &token, &question).status, 200);
}
