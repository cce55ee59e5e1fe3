//! How far a caller gets with requests of persons on the local stack, through API Gateway, the authorizer and the function: nobody approves a
//! request of their own, hears of another organisation's, or does more than the token's one scope; and no program approves.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use ledgerline_tests::compliance::{call, call_as, customers_call, erasure, posted};
use ledgerline_tests::issuer::{Issuer, now};
use ledgerline_tests::org::Org;
use ledgerline_tests::stack::Stack;
use serde_json::{Value, json};

const EVERY_SCOPE: &str = "request:write request:verify request:approve";

/// A request as the officer sees it.
fn shown(stack: &Stack, id: &str) -> Value {
    let (status, shown) = call(stack, "officer", &format!("requests/{id}"), None);
    assert_eq!(status, 200, "{shown}");
    shown
}

/// What was done about it, in order.
fn steps(request: &Value) -> Vec<&str> {
    request["history"].as_array().unwrap().iter().map(|done| done["step"].as_str().unwrap()).collect()
}

/// The approval of a request's preview as it is now.
fn approval(stack: &Stack, id: &str) -> Value {
    let (status, preview) = call(stack, "approver", &format!("requests/{id}/preview"), None);
    assert_eq!(status, 200, "{preview}");
    json!({ "previewDigest": preview["digest"] })
}

#[test]
fn who_made_a_request_does_not_approve_it_by_any_token() {
    let Some(stack) = Stack::running() else { return };
    let (issuer, org) = (Issuer::of(&stack), Org::new(&stack, "alone"));
    let phone = customers_call(&org);
    let maker = format!("test|maker-{}", org.name);
    let token = issuer.person(&maker, EVERY_SCOPE);
    let made = call_as(&stack, &token, "requests", Some(&erasure(&org, &phone)));
    assert_eq!(made.status, 201, "{made:?}");
    let id = made.body["requestId"].as_str().unwrap();
    let at = |verb: &str| format!("requests/{id}/{verb}");
    let verified = call_as(&stack, &token, &at("verify"), Some(&json!({ "method": "document" })));
    assert_eq!(verified.status, 200, "{verified:?}");
    let approval = approval(&stack, id);
    // The same person with a token of one scope is the same person still.
    for token in [token, issuer.person(&maker, "request:approve")] {
        let answer = call_as(&stack, &token, &at("approve"), Some(&approval));
        assert!(answer.is_problem(403, "self-approval"), "{answer:?}");
    }
    assert_eq!(shown(&stack, id)["state"], "verified");
    let approved = posted(&stack, "approver", &at("approve"), &approval, 200);
    assert_eq!(steps(&approved), ["received", "verified", "approved"]);
    let by: Vec<&Value> = approved["history"].as_array().unwrap().iter().map(|done| &done["by"]).collect();
    assert!(by[0] == by[1] && by[1] != by[2], "{by:?}");
    assert!(!approved.to_string().contains("maker"), "who acted is told by an alias");
}

#[test]
fn a_request_of_another_org_is_answered_as_one_that_is_not_there() {
    let Some(stack) = Stack::running() else { return };
    let issuer = Issuer::of(&stack);
    let [mine, theirs] = ["asks", "hidden"].map(|what| Org::new(&stack, what));
    let phones = [&mine, &theirs].map(customers_call);
    let made = posted(&stack, "officer", "requests", &erasure(&theirs, &phones[1]), 201);
    let id = made["requestId"].as_str().unwrap();
    posted(&stack, "verifier", &format!("requests/{id}/verify"), &json!({ "method": "document" }), 200);
    let of = |org: &Org<'_>| {
        let claims = json!({ "sub": format!("test|of-{}", org.name), "scope": EVERY_SCOPE, "org": [org.name] });
        issuer.token(claims, json!({}))
    };
    let (token, digits) = (of(&mine), phones[1].replace(|sign: char| !sign.is_ascii_digit(), ""));
    // But for the id of the call, which every problem names.
    let refused = |path: &str, body: Option<&Value>, status: u16, kind: &str| {
        let mut answer = call_as(&stack, &token, path, body);
        assert!(answer.is_problem(status, kind), "{path}: {answer:?}");
        answer.body["instance"] = Value::Null;
        for hidden in [id, &theirs.name, &digits] {
            assert!(!answer.body.to_string().contains(hidden), "{path} tells of it");
        }
        answer.body
    };
    let reason = json!({ "reason": "a reason" });
    for (verb, body) in [
        ("", None),
        ("/preview", None),
        ("/verify", Some(json!({ "method": "document" }))),
        ("/approve", Some(approval(&stack, id))),
        ("/cancel", Some(reason.clone())),
        ("/refuse", Some(reason.clone())),
        ("/extend", Some(reason)),
    ] {
        let asked = |id: &str| refused(&format!("requests/{id}{verb}"), body.as_ref(), 404, "no-such-request");
        assert_eq!(asked(id), asked(&format!("req_{}", "0".repeat(32))), "{verb}");
    }
    // Nor does it stand in a list, and nobody asks in an organisation of others.
    let unknown = Org::new(&stack, "unknown").name;
    let listed = |org: &str| refused(&format!("requests?org={org}"), None, 422, "no-such-org");
    assert_eq!(listed(&theirs.name), listed(&unknown));
    refused("requests", Some(&erasure(&theirs, &phones[1])), 422, "no-such-org");
    let own = call_as(&stack, &token, "requests", Some(&erasure(&mine, &phones[0])));
    assert_eq!(own.status, 201, "{own:?}");
    let list = call_as(&stack, &token, "requests", None).body;
    let ids: Vec<&Value> = list["requests"].as_array().unwrap().iter().map(|one| &one["requestId"]).collect();
    assert_eq!(ids, [&own.body["requestId"]]);
    // It is there, as it was, for those who may see it.
    assert_eq!(steps(&shown(&stack, id)), ["received", "verified"]);
    assert_eq!(call_as(&stack, &of(&theirs), &format!("requests/{id}"), None).status, 200);
}

#[test]
fn a_stolen_token_of_one_scope_does_nothing_beyond_it() {
    let Some(stack) = Stack::running() else { return };
    let (issuer, org) = (Issuer::of(&stack), Org::new(&stack, "stolen"));
    let phone = customers_call(&org);
    let token = |scope: &str| issuer.person(&format!("test|victim-{}", org.name), scope);
    let body = erasure(&org, &phone);
    let made = call_as(&stack, &token("request:write"), "requests", Some(&body));
    assert_eq!(made.status, 201, "{made:?}");
    let id = made.body["requestId"].as_str().unwrap();
    let at = |verb: &str| format!("requests/{id}/{verb}");
    // It makes requests, and sees nothing of what they would reach before somebody has verified them.
    let preview = call_as(&stack, &token("request:write"), &at("preview"), None);
    assert!(preview.is_problem(409, "wrong-state"), "{preview:?}");
    let (verify, reason) = (json!({ "method": "document" }), json!({ "reason": "a reason" }));
    let approve = json!({ "previewDigest": "0f".repeat(32) });
    let question = json!({ "identifiers": body["identifiers"] });
    let calls: [(String, &Value, &[&str]); 8] = [
        ("requests".to_owned(), &body, &["request:write"]),
        ("rtbf".to_owned(), &question, &["request:write"]),
        (at("cancel"), &reason, &["request:write"]),
        (at("extend"), &reason, &["request:write"]),
        (at("verify"), &verify, &["request:verify"]),
        (at("approve"), &approve, &["request:approve"]),
        (at("refuse"), &reason, &["request:verify", "request:approve"]),
        ("dsar/audit-trail".to_owned(), &question, &[]),
    ];
    for scope in EVERY_SCOPE.split(' ') {
        for (path, body, _) in calls.iter().filter(|(.., opens)| !opens.contains(&scope)) {
            let answer = call_as(&stack, &token(scope), path, Some(body));
            assert!(answer.is_problem(403, "forbidden"), "{scope}, {path}: {answer:?}");
        }
    }
    assert_eq!(steps(&shown(&stack, id)), ["received"]);
}

#[test]
fn a_program_approves_nothing() {
    let Some(stack) = Stack::running() else { return };
    let (issuer, org) = (Issuer::of(&stack), Org::new(&stack, "program"));
    let phone = customers_call(&org);
    let made = posted(&stack, "officer", "requests", &erasure(&org, &phone), 201);
    let id = made["requestId"].as_str().unwrap();
    let at = |verb: &str| format!("requests/{id}/{verb}");
    posted(&stack, "verifier", &at("verify"), &json!({ "method": "document" }), 200);
    let approval = approval(&stack, id);
    let subject = format!("test|program-{}", org.name);
    // By the marks that issuers give a program's token, and by the lack of what a person's has: the time of signing in.
    for (mark, kind) in [
        (json!({ "gty": "client-credentials" }), "no-human"),
        (json!({ "idtyp": "app" }), "no-human"),
        (json!({ "client_id": subject }), "no-human"),
        (json!({ "azp": subject }), "no-human"),
        // Some issuers give a program's token the time, too.
        (json!({ "client_id": subject, "auth_time": now() - 5 }), "no-human"),
        (json!({}), "no-human"),
    ] {
        let mut claims = json!({ "sub": subject, "scope": "request:approve", "auth_time": null });
        claims.as_object_mut().unwrap().extend(mark.as_object().unwrap().clone());
        let answer = call_as(&stack, &issuer.token(claims, json!({})), &at("approve"), Some(&approval));
        assert!(answer.is_problem(403, kind), "{mark}: {answer:?}");
    }
    assert_eq!(steps(&shown(&stack, id)), ["received", "verified"]);
    let person = issuer.person(&subject, "request:approve");
    let approved = call_as(&stack, &person, &at("approve"), Some(&approval));
    assert_eq!((approved.status, &approved.body["state"]), (200, &json!("cooling_off")), "{approved:?}");
}
