//! Who may do what to whose request: by scope, by org, by who did what before, by how often.

use ledgerline_custody::request::machine::{Rules, Separation};
use ledgerline_requests::Settings;
use ledgerline_testkit::faults::Faults;
use serde_json::{Value, json};

use crate::world::*;

/// Every method with a body that it takes, and the scopes that let in.
fn methods(id: &str) -> Vec<(&'static str, String, Option<Value>, &'static [&'static str])> {
    let any: &[&str] = &["request:write", "request:verify", "request:approve"];
    let at = |verb: &str| format!("requests/{id}/{verb}");
    let reason = || Some(json!({ "reason": "x" }));
    vec![
        ("GET", "requests".to_owned(), None, any),
        ("GET", format!("requests/{id}"), None, any),
        ("GET", at("preview"), None, any),
        ("POST", "requests".to_owned(), Some(erasure()), &["request:write"]),
        ("POST", "rtbf".to_owned(), Some(json!({ "customerIdHash": "cust-9" })), &["request:write"]),
        ("POST", at("verify"), Some(json!({ "method": "account" })), &["request:verify"]),
        ("POST", at("approve"), Some(json!({ "previewDigest": "0f".repeat(32) })), &["request:approve"]),
        ("POST", at("extend"), reason(), &["request:write"]),
        ("POST", at("refuse"), reason(), &["request:verify", "request:approve"]),
        ("POST", at("cancel"), reason(), &["request:write"]),
    ]
}

#[tokio::test]
async fn each_method_asks_for_its_scope_and_an_authorizer() {
    let every =
        ["dsar:read", "request:write", "request:verify", "request:approve", "lineage:read", "gold:read", "crm:write"];
    let world = World::new().await;
    let id = world.verified(erasure()).await;
    for (method, path, body, scopes) in methods(&id) {
        let (status, answer) = world.call(None, method, &path, body.as_ref()).await;
        assert_eq!((status, answer["type"].as_str()), (401, Some("urn:ledgerline:problem:unauthenticated")));
        for scope in every.into_iter().filter(|scope| !scopes.contains(scope)) {
            let caller = caller("somebody", scope, "*");
            let (status, answer) = world.call(Some(&caller), method, &path, body.as_ref()).await;
            assert_eq!(
                (status, answer["type"].as_str()),
                (403, Some("urn:ledgerline:problem:forbidden")),
                "{scope} {path}"
            );
        }
        let others: Vec<&str> = every.into_iter().filter(|scope| !scopes.contains(scope)).collect();
        let caller = caller("somebody", &others.join(" "), "*");
        assert_eq!(world.call(Some(&caller), method, &path, body.as_ref()).await.0, 403, "all others together: {path}");
    }
    assert_eq!(world.row(&id).version, 2, "nothing was done");
    for (method, path, body, scopes) in methods(&id) {
        for scope in scopes {
            // Each is somebody else: who asks for the same does not approve it.
            let caller = caller(&path, scope, "*");
            let (status, answer) = world.call(Some(&caller), method, &path, body.as_ref()).await;
            assert!(!matches!(status, 401 | 403 | 404 | 405) && status < 500, "{scope} {path}: {status} {answer}");
        }
    }
}

#[tokio::test]
async fn a_request_of_another_org_does_not_exist() {
    let world = World::new().await;
    let of = |orgs: &str| caller("other", "request:write request:verify request:approve", orgs);
    let acme = world.made(json!({ "type": "ERASURE", "customerIdHash": "cust-1", "org": "acme" })).await;
    let both = world.made(json!({ "type": "ERASURE", "customerIdHash": "cust-1" })).await;
    let unknown = format!("req_{}", "f".repeat(32));
    let (status, nothing) = world.get(&of("acme"), &format!("requests/{unknown}")).await;
    assert_eq!(status, 404);
    for (id, orgs) in [(&acme, "globex"), (&both, "globex"), (&both, "acme"), (&acme, ""), (&unknown, "*")] {
        for (method, path, body, _) in methods(id).into_iter().filter(|(_, path, ..)| path.contains("req_")) {
            let (status, answer) = world.call(Some(&of(orgs)), method, &path, body.as_ref()).await;
            assert!(matches!(status, 401 | 404), "{path} for {orgs}");
            assert!(status == 401 || answer == nothing, "it is told from one that is not there: {answer}");
        }
    }
    assert_eq!((world.row(&acme).version, world.row(&both).version), (1, 1));
    // Of both orgs: seen by who sees both, in the list, too.
    let seen = async |orgs: &str| {
        let (_, page) = world.get(&of(orgs), "requests").await;
        page["requests"].as_array().unwrap().len()
    };
    assert_eq!((seen("acme").await, seen("globex").await, seen("acme globex").await, seen("*").await), (1, 0, 2, 2));
    assert_eq!(world.get(&of("acme globex"), &format!("requests/{both}")).await.0, 200);
    // Who sees one org asks in that one.
    let caller = caller("other", "request:write", "globex");
    let (status, answer) =
        world.post(&caller, "requests", json!({ "type": "ACCESS", "customerIdHash": "cust-1" })).await;
    assert_eq!(status, 201, "{answer}");
    assert_eq!(world.row(answer["requestId"].as_str().unwrap()).orgs, ["globex"]);
    for org in ["acme", "nowhere"] {
        let body = json!({ "type": "ACCESS", "customerIdHash": "cust-1", "org": org });
        let (status, answer) = world.post(&caller, "requests", body).await;
        assert_eq!((status, answer["type"].as_str()), (422, Some("urn:ledgerline:problem:no-such-org")), "{org}");
        assert_eq!(world.get(&caller, &format!("requests?org={org}")).await.0, 422);
    }
}

#[tokio::test]
async fn who_made_a_request_does_not_approve_it_and_no_program_does() {
    let world = World::new().await;
    let all = "request:write request:verify request:approve";
    let maker = caller("planted-maker", all, "*");
    let (_, made) = world.post(&maker, "requests", erasure()).await;
    let id = made["requestId"].as_str().unwrap();
    assert_eq!(world.post(&maker, &format!("requests/{id}/verify"), json!({ "method": "account" })).await.0, 200);
    let digest = world.digest(id).await;
    let (status, answer) = world.approve(&maker, id, &digest).await;
    assert_eq!((status, answer["type"].as_str()), (403, Some("urn:ledgerline:problem:self-approval")));
    // The same subject of another issuer is somebody else; a program is nobody.
    let mut other = maker.clone();
    other["iss"] = json!("https://other.example");
    let mut program = other.clone();
    program["client"] = json!("true");
    let (status, answer) = world.approve(&program, id, &digest).await;
    assert_eq!((status, answer["type"].as_str()), (403, Some("urn:ledgerline:problem:no-human")));
    assert_eq!(world.approve(&other, id, &digest).await.0, 200);
}

/// A program of an issuer that does not mark it as one.
#[tokio::test]
async fn a_caller_who_does_not_show_as_a_person_approves_nothing_and_is_told_what_to_do() {
    for kind in ["ERASURE", "ACCESS", "PORTABILITY"] {
        let world = World::new().await;
        let id = world.verified(json!({ "type": kind, "customerIdHash": "cust-1" })).await;
        let digest = world.digest(&id).await;
        let mut unknown = approver();
        unknown["person"] = json!("false");
        let (status, answer) = world.approve(&unknown, &id, &digest).await;
        assert_eq!((status, answer["type"].as_str()), (403, Some("urn:ledgerline:problem:no-human")));
        let detail = answer["detail"].as_str().unwrap();
        assert!(["auth_time", "amr", "PersonClaims"].iter().all(|part| detail.contains(part)), "{detail}");
        assert_eq!(world.row(&id).version, 2, "nothing was done");
        // All else may be a program's: a portal makes requests, an account system verifies.
        let mut portal = officer();
        portal["person"] = json!("false");
        let extend = format!("requests/{id}/extend");
        assert_eq!(world.post(&portal, &extend, json!({ "reason": "x" })).await.0, 200);
        assert_eq!(world.approve(&approver(), &id, &digest).await.0, 200);
    }
}

#[tokio::test]
async fn whoever_asks_for_the_same_does_not_approve_it() {
    let world = World::new().await;
    let all = "request:write request:verify request:approve";
    let (maker, other) = (caller("maker", all, "*"), caller("other", all, "*"));
    let (_, made) = world.post(&maker, "requests", erasure()).await;
    let id = made["requestId"].as_str().unwrap();
    for (caller, times) in [(&maker, 2), (&other, 2)] {
        for _ in 0..times {
            let (status, answer) = world.post(caller, "requests", erasure()).await;
            assert_eq!((status, &answer["requestId"]), (200, &made["requestId"]));
        }
    }
    let (_, shown) = world.get(&other, &format!("requests/{id}")).await;
    let also = shown["alsoAskedBy"].as_array().unwrap();
    assert_eq!(also.len(), 1, "the maker is in the history: {shown}");
    assert!(also[0].as_str().unwrap().starts_with("u_") && also[0] != shown["history"][0]["by"]);
    assert_eq!((world.row(id).version, world.act_types().len()), (1, 2), "it is no step");
    assert_eq!(world.post(&other, &format!("requests/{id}/verify"), json!({ "method": "account" })).await.0, 200);
    let digest = world.digest(id).await;
    for caller in [&maker, &other] {
        let (status, answer) = world.approve(caller, id, &digest).await;
        assert_eq!((status, answer["type"].as_str()), (403, Some("urn:ledgerline:problem:self-approval")));
    }
    assert_eq!(world.approve(&approver(), id, &digest).await.0, 200);
    // Behind its end it is another request, of whoever makes it.
    world.post(&maker, &format!("requests/{id}/cancel"), json!({ "reason": "x" })).await;
    let (status, again) = world.post(&other, "requests", erasure()).await;
    assert_eq!((status, world.row(id).also_asked_by.len()), (201, 1));
    assert!(world.row(again["requestId"].as_str().unwrap()).also_asked_by.is_empty());
}

#[tokio::test]
async fn a_principal_takes_only_so_many_steps_in_a_day() {
    let world = World::with(Settings { daily_cap: 3, ..settings() }, Faults::none()).await;
    let mut paths = Vec::new();
    for n in 0..4 {
        let body = json!({ "type": "ACCESS", "customerIdHash": format!("cust-{n}") });
        let (status, made) = world.post(&caller(&format!("maker-{n}"), "request:write", "*"), "requests", body).await;
        assert_eq!(status, 201);
        paths.push(format!("requests/{}/cancel", made["requestId"].as_str().unwrap()));
    }
    let (thief, reason) = (caller("thief", "request:write", "*"), json!({ "reason": "x" }));
    for path in &paths[..3] {
        // Asked twice it is one step.
        for _ in 0..2 {
            assert_eq!(world.post(&thief, path, reason.clone()).await.0, 200);
        }
    }
    let (status, answer) = world.post(&thief, &paths[3], reason.clone()).await;
    assert_eq!((status, answer["type"].as_str()), (429, Some("urn:ledgerline:problem:used-up")));
    assert_eq!(world.post(&thief, "requests", erasure()).await.0, 201, "counted apart");
    world.pass(DAY_MS);
    assert_eq!(world.post(&thief, &paths[3], reason).await.0, 200);
}

/// The list of one organisation leads past requests of several, of which nothing is to be learned.
#[tokio::test]
async fn a_page_token_of_the_list_shows_nothing_and_is_its_callers_alone() {
    let world = World::new().await;
    for n in 0..120 {
        world.made(json!({ "type": "ACCESS", "customerIdHash": format!("cust-{n}") })).await;
    }
    world.pass(DAY_MS);
    let own = world.made(json!({ "type": "ACCESS", "customerIdHash": "cust-own", "org": "acme" })).await;
    let of_acme = caller("clerk", "request:write", "acme");
    let (status, page) = world.get(&of_acme, "requests").await;
    assert_eq!((status, &page["requests"]), (200, &json!([])), "the first hundred are not the caller's to see");
    let token = page["nextPageToken"].as_str().unwrap().to_owned();
    assert!(!token.contains("req_") && !token.contains("2026") && !token.contains('#'), "{token}");
    let next = format!("requests?pageToken={token}");
    let (status, page) = world.get(&of_acme, &next).await;
    assert_eq!((status, page["requests"][0]["requestId"].as_str()), (200, Some(own.as_str())));
    assert!(page.get("nextPageToken").is_none());
    for (other, path) in [
        (caller("clerk", "request:write", "acme globex"), next.clone()),
        (caller("clerk", "request:write", "*"), next.clone()),
        (caller("somebody", "request:write", "acme"), next.clone()),
        (of_acme.clone(), format!("{next}&org=acme")),
        (of_acme.clone(), format!("requests?pageToken={}", &token[1..])),
        (of_acme.clone(), format!("requests?pageToken=2026-04-02T23:59:59.999Z#{own}")),
        (of_acme.clone(), "requests?pageToken=".to_owned()),
    ] {
        let (status, answer) = world.get(&other, &path).await;
        assert_eq!((status, answer["type"].as_str()), (400, Some("urn:ledgerline:problem:invalid-page-token")));
    }
    // Under a new key it is still known, and by the next day it is not.
    world.add_key(2).await;
    world.pass(HOUR_MS);
    assert_eq!(world.get(&of_acme, &next).await.0, 200);
    world.pass(DAY_MS);
    let (status, answer) = world.get(&of_acme, &next).await;
    assert!(status == 400 && answer["detail"].as_str().unwrap().contains("expired"), "{answer}");
}

#[tokio::test]
async fn a_deployment_may_ask_for_three_people() {
    let rules = Rules { separation: Separation::All, cooling_off_ms: 0 };
    let world = World::with(Settings { rules, ..settings() }, Faults::none()).await;
    let all = |name: &str| caller(name, "request:write request:verify request:approve", "*");
    let (_, made) = world.post(&all("one"), "requests", erasure()).await;
    let id = made["requestId"].as_str().unwrap();
    let verify = format!("requests/{id}/verify");
    let by_document = json!({ "method": "document" });
    let (status, answer) = world.post(&all("one"), &verify, by_document.clone()).await;
    assert_eq!((status, answer["type"].as_str()), (403, Some("urn:ledgerline:problem:self-verification")));
    assert_eq!(world.post(&all("two"), &verify, by_document).await.0, 200);
    let digest = world.digest(id).await;
    assert_eq!(world.approve(&all("two"), id, &digest).await.0, 403);
    let (status, approved) = world.approve(&all("three"), id, &digest).await;
    assert_eq!((status, approved["state"].as_str()), (200, Some("cooling_off")));
    assert_eq!(approved["coolingOffUntil"], "2026-03-02T14:00:00.350Z", "no time to cool off: it waits for its turn");
}

#[tokio::test]
async fn a_principal_does_only_so_much_in_a_day() {
    let world = World::with(Settings { daily_cap: 3, ..settings() }, Faults::none()).await;
    let id = world.verified(erasure()).await;
    let preview = format!("requests/{id}/preview");
    for n in 0..2 {
        assert_eq!(world.post(&officer(), "requests", erasure()).await.0, 200, "{n}");
    }
    let (status, answer) = world.post(&officer(), "requests", erasure()).await;
    assert_eq!((status, answer["type"].as_str()), (429, Some("urn:ledgerline:problem:used-up")));
    assert_eq!(world.post(&caller("other", "request:write", "*"), "requests", erasure()).await.0, 200);
    // Looks and approvals count together, and apart from requests.
    for _ in 0..2 {
        assert_eq!(world.get(&approver(), &preview).await.0, 200);
    }
    assert_eq!(world.approve(&approver(), &id, &"0f".repeat(32)).await.0, 409);
    assert_eq!(world.get(&approver(), &preview).await.0, 429);
    assert_eq!(world.get(&officer(), &preview).await.0, 200);
    world.pass(DAY_MS);
    assert_eq!(world.post(&officer(), "requests", erasure()).await.0, 200);
    assert_eq!(world.get(&approver(), &preview).await.0, 200);
}
