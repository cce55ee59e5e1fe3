//! Problem documents, the files in `events/`, and that nothing which was typed is ever seen again.

use std::collections::BTreeSet;
use std::path::PathBuf;

use aws_lambda_events::encodings::Body;
use ledgerline_dsar::handle;
use ledgerline_lambda::caller::{Caller, Orgs};
use ledgerline_lambda::clock::FixedClock;
use ledgerline_ledger::entry::PendingEntry;
use ledgerline_ledger::store::StoreError;
use ledgerline_privacy::{Identifier, Kind, Region};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::world::*;

/// Invokes the function with a payload as the runtime hands it over.
async fn invoke(world: &World, payload: &str) -> (i64, String, Value) {
    let payload: Box<RawValue> = serde_json::from_str(payload).unwrap();
    let response = handle(&world.dsar, &FixedClock(NOW_MS), payload.get()).await;
    let Some(Body::Text(text)) = &response.body else { panic!("no text body") };
    let content_type = response.headers["content-type"].to_str().unwrap().to_owned();
    if response.status_code == 405 {
        assert_eq!(response.headers["allow"], "POST");
    }
    (response.status_code, content_type, serde_json::from_str(text).unwrap())
}

async fn ask(world: &World, request: &Value) -> (i64, String, Value) {
    invoke(world, &request.to_string()).await
}

/// A good request with some members changed.
fn with(changes: Value) -> Value {
    let mut request = request(&by_phone().to_string());
    for (name, value) in changes.as_object().unwrap() {
        request[name] = value.clone();
    }
    request
}

#[tokio::test]
async fn every_refusal_is_a_problem_document() {
    let world = World::new().await;
    let header = |value: &str| with(json!({ "headers": { "content-type": value } }));
    let doubled = format!("{{\"identifiers\":[],{}", &by_phone().to_string()[1..]);
    for (request, status, kind) in [
        (with(json!({ "body": "{" })), 400, "invalid-body"),
        (with(json!({ "body": null })), 400, "invalid-body"),
        (with(json!({ "body": "\u{feff}" })), 400, "invalid-body"),
        (with(json!({ "body": doubled })), 400, "invalid-body"),
        (with(json!({ "isBase64Encoded": true })), 400, "invalid-body"),
        (
            with(json!({ "body": json!({ "customerIdHash": "C", "pageToken": "x" }).to_string() })),
            400,
            "invalid-page-token",
        ),
        (with(json!({ "path": "/api/v1/other", "resource": null })), 404, "not-found"),
        (with(json!({ "httpMethod": "GET" })), 405, "method-not-allowed"),
        (with(json!({ "httpMethod": "post" })), 405, "method-not-allowed"),
        (with(json!({ "body": " ".repeat(65_537) })), 413, "body-too-large"),
        (with(json!({ "body": "A".repeat(90_000), "isBase64Encoded": true })), 413, "body-too-large"),
        (header("application/x-www-form-urlencoded"), 415, "unsupported-media-type"),
        (header("application/jsön"), 415, "unsupported-media-type"),
        (header(""), 415, "unsupported-media-type"),
        (with(json!({ "headers": { "content-type": 7 } })), 415, "unsupported-media-type"),
        (
            with(json!({ "headers": { "content-type": "application/json", "Content-Type": "text/plain" } })),
            415,
            "unsupported-media-type",
        ),
        (with(json!({ "body": json!({ "customerIdHash": "C", "org": "a/b" }).to_string() })), 400, "invalid-org"),
        (with(json!({ "body": json!({ "customerIdHash": "C", "org": 7 }).to_string() })), 400, "invalid-org"),
        (with(json!({ "body": "{}" })), 422, "invalid-request"),
        (with(json!({ "body": "[]" })), 422, "invalid-request"),
    ] {
        let (answered, content_type, problem) = ask(&world, &request).await;
        assert_eq!(answered, status, "{problem}");
        assert_eq!(content_type, "application/problem+json");
        assert_eq!(problem["type"], format!("urn:ledgerline:problem:{kind}"));
        assert_eq!(problem["status"], status);
        assert_eq!(problem["instance"], "urn:ledgerline:request:req-1");
        assert!(problem["title"].is_string() && problem["detail"].as_str().is_some_and(|detail| detail.len() > 20));
    }
}

#[tokio::test]
async fn the_envelope_may_vary_where_api_gateway_lets_it() {
    let world = World::new().await;
    for changes in [
        json!({ "headers": null }),
        json!({ "headers": {} }),
        json!({ "headers": { "content-type": null } }),
        json!({ "headers": { "CONTENT-TYPE": "Application/JSON" } }),
        json!({ "headers": { "content-type": "application/json", "Content-Type": "application/json ; charset=utf-8" } }),
        json!({ "path": "/base/api/v1/compliance/dsar/audit-trail" }),
        json!({ "path": format!("{}/", ledgerline_dsar::PATH), "resource": null }),
        json!({ "isBase64Encoded": null }),
        json!({ "requestContext": { "authorizer": authorizer() } }),
    ] {
        assert_eq!(ask(&world, &with(changes.clone())).await.0, 200, "{changes}");
    }
}

/// As the authorizer does: a method before which it was forgotten must not be open to whoever may do something else.
#[tokio::test]
async fn a_caller_without_the_scope_is_refused_and_nothing_is_looked_up() {
    let world = World::new().await;
    for scopes in [&[][..], &["request:write", "request:verify", "request:approve", "gold:read"], &["dsar:read2"]] {
        let scopes = scopes.iter().map(|scope| (*scope).to_owned()).collect();
        let caller = Caller { scopes, ..caller("u-1", Orgs::All) };
        let (status, problem) = world.ask_as(&caller, NOW_MS, by_phone()).await;
        assert_eq!((status, &problem["type"]), (403, &json!("urn:ledgerline:problem:forbidden")));
        assert!(problem["detail"].as_str().unwrap().contains("dsar:read"), "{problem}");
    }
    assert_eq!(world.keys_opened(), 0);
}

/// The function stands behind the authorizer alone: what did not come by it is nobody's, whatever it asks.
#[tokio::test]
async fn nobody_is_answered_whom_the_authorizer_did_not_name() {
    let world = World::new().await;
    for context in [
        json!(null),
        json!({}),
        json!({ "requestId": "req-1", "authorizer": null }),
        json!({ "requestId": "req-1", "authorizer": {} }),
        json!({ "requestId": "req-1", "authorizer": "u-4711" }),
        json!({ "requestId": "req-1", "authorizer": { "principalId": "u-4711", "sub": "u-4711" } }),
        json!({ "requestId": "req-1", "identity": { "apiKeyId": "k1example" } }),
    ] {
        for body in [by_phone().to_string(), "{".to_owned()] {
            let (status, _, problem) = ask(&world, &with(json!({ "requestContext": context, "body": body }))).await;
            assert_eq!(
                (status, &problem["type"]),
                (401, &json!("urn:ledgerline:problem:unauthenticated")),
                "{context}"
            );
        }
    }
    assert_eq!(world.keys_opened(), 0);
}

/// What a caller writes into headers: names and values, none of which may be seen again.
const PLANTED: &str = "Planted-Näme";

#[tokio::test]
async fn no_header_loses_an_invocation_or_is_seen_again() {
    let world = World::new().await;
    let mut answers = String::new();
    for headers in [
        json!({ "content-type": "application/json", "x-requested-for": format!("{PLANTED} <naeme@example.com>") }),
        json!({ "x-requested-for": PLANTED, PLANTED: PLANTED }),
        json!({ PLANTED: null, "x-\u{0}": "\u{0}\r\n" }),
        json!({ PLANTED: [PLANTED], "x-number": 7, "x-object": { PLANTED: {} } }),
        json!(PLANTED),
        json!([PLANTED]),
    ] {
        let multi = json!({ PLANTED: [PLANTED, null] });
        let request = with(json!({ "headers": headers, "multiValueHeaders": multi }));
        let (status, _, answer) = ask(&world, &request).await;
        assert_eq!(status, 200, "{headers}");
        answers.push_str(&answer.to_string());
        let refused = with(json!({ "headers": headers, "multiValueHeaders": multi, "body": "{" }));
        let (status, _, problem) = ask(&world, &refused).await;
        assert_eq!(status, 400, "{headers}");
        answers.push_str(&problem.to_string());
    }
    let (status, _, problem) = ask(&world, &with(json!({ "headers": { "content-type": PLANTED } }))).await;
    assert_eq!(status, 415);
    answers.push_str(&problem.to_string());
    // What no JSON text should hold, JSON readers differ on: half a surrogate pair.
    let broken = with(json!({ "headers": { "x-name": "@@" } })).to_string().replace("@@", "\\ud800");
    assert_eq!(invoke(&world, &broken).await.0, 200);
    assert!(!answers.contains("Planted-N") && !captured().text().contains("Planted-N"));
    assert!(!answers.contains("naeme@") && !captured().text().contains("naeme@"));
}

#[tokio::test]
async fn what_is_no_api_gateway_event_is_a_problem_document_without_a_word_of_it() {
    let world = World::new().await;
    let proxy = with(json!({})).to_string();
    let twice = proxy.replacen('{', r#"{"httpMethod":"Planted-Word","#, 1);
    let lone = with(json!({ "body": "Planted-Word @@" })).to_string().replace("@@", "\\ud800");
    let odd =
        with(json!({ "requestContext": { "requestId": "Planted-Wörd", "authorizer": authorizer() }, "body": "{" }))
            .to_string();
    let long =
        with(json!({ "requestContext": { "requestId": "a".repeat(65), "authorizer": authorizer() }, "body": "{" }))
            .to_string();
    for (payload, kind) in [
        ("null", "invalid-event"),
        ("7", "invalid-event"),
        (r#""Planted-Word""#, "invalid-event"),
        (r#"["Planted-Word"]"#, "invalid-event"),
        ("{}", "invalid-event"),
        (r#"{"identifiers":[{"kind":"email","value":"Planted-Word"}]}"#, "invalid-event"),
        (r#"{"httpMethod":7,"path":"Planted-Word"}"#, "invalid-event"),
        (r#"{"httpMethod":"POST","path":["Planted-Word"]}"#, "invalid-event"),
        (r#"{"httpMethod":"POST","requestContext":"Planted-Word"}"#, "invalid-event"),
        (r#"{"version":"2.0","rawPath":"Planted-Word","requestContext":{"http":{"method":"POST"}}}"#, "invalid-event"),
        (r#"{"Records":[{"eventSource":"aws:sqs","body":"Planted-Word"}]}"#, "invalid-event"),
        (&twice, "invalid-event"),
        (&lone, "invalid-event"),
        (&odd, "invalid-body"),
        (&long, "invalid-body"),
    ] {
        let (status, content_type, problem) = invoke(&world, payload).await;
        assert_eq!((status, content_type.as_str()), (400, "application/problem+json"), "{payload}");
        assert_eq!(problem["type"], format!("urn:ledgerline:problem:{kind}"), "{payload}");
        assert_eq!(problem["instance"], "urn:ledgerline:request:none");
        assert!(!problem.to_string().contains("Planted-W"), "{problem}");
    }
    assert!(!captured().text().contains("Planted-W"));
}

/// Reported of other programs: a console's test whose headers are null, and a header in UTF-8.
#[tokio::test]
async fn reported_headers_are_answered() {
    let Some(folder) = corpus("cases/25-api-console-test-and-odd-headers") else { return };
    for name in ["null-headers.json", "odd-header.json"] {
        let world = World::new().await;
        let mut payload: Value = serde_json::from_str(&std::fs::read_to_string(folder.join(name)).unwrap()).unwrap();
        // The console's test goes past the authorizer.
        let (status, _, problem) = ask(&world, &payload).await;
        assert_eq!((status, &problem["type"]), (401, &json!("urn:ledgerline:problem:unauthenticated")), "{name}");
        payload["requestContext"]["authorizer"] = authorizer();
        let (status, _, answer) = ask(&world, &payload).await;
        assert_eq!((status, &answer["complete"]), (200, &json!(true)), "{name}: {answer}");
        assert!(!answer.to_string().contains("rgen"), "{answer}");
    }
    assert!(!captured().text().contains("rgen@") && !captured().text().contains("juergen"));
}

/// Reported of `serde_json` and others: of two members the last silently wins.
#[tokio::test]
async fn a_reported_request_with_a_member_twice_is_refused() {
    let Some(folder) = corpus("cases/26-access-request-with-a-member-twice") else { return };
    for name in ["dsar.json", "dsar-inner.json"] {
        let body = std::fs::read_to_string(folder.join(name)).unwrap();
        let (status, _, problem) = ask(&World::new().await, &request(&body)).await;
        assert_eq!((status, &problem["type"]), (400, &json!("urn:ledgerline:problem:invalid-body")), "{name}");
        assert!(!problem.to_string().contains("55501"), "{problem}");
    }
}

/// A folder of the corpus that `LEDGERLINE_CORPUS` names.
#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
fn corpus(below: &str) -> Option<PathBuf> {
    let Some(root) = std::env::var_os("LEDGERLINE_CORPUS") else {
        eprintln!("SKIPPED {below}: LEDGERLINE_CORPUS is not set");
        return None;
    };
    Some(PathBuf::from(root).join(below))
}

/// The body that the guide writes, to the letter.
#[tokio::test]
async fn the_guides_own_request_finds_its_customer() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../events/", "apigw-dsar-guide.json");
    let payload = std::fs::read_to_string(file).unwrap();
    let world = World::new().await;
    let customer = Identifier::parse(Kind::CustomerIdHash, "cust_hash_9f86d08", Region::US).unwrap();
    let moments = [
        ("before", "2022-12-31T23:59:59.999Z"),
        ("first", "2023-01-01T00:00:00.000Z"),
        ("in-the-last-second", "2023-12-31T23:59:59.999Z"),
        ("next-year", "2024-01-01T00:00:00.000Z"),
    ];
    let mut entries = Vec::new();
    for ((id, at), n) in moments.into_iter().zip(1..) {
        world.link_at(&customer, &format!("acme/{id}"), at, at).await;
        entries.push(PendingEntry { occurred_at: at.to_owned(), ..entry(id, "00:00", "customer.start", n) });
    }
    world.append(&entries, 256, Stage::Indexed).await;
    let (status, _, answer) = invoke(&world, &payload).await;
    assert_eq!(status, 200, "{answer}");
    let range = json!({ "from": "2023-01-01T00:00:00.000Z", "to": "2023-12-31T23:59:59.999Z" });
    assert_eq!(answer["request"], json!({ "orgs": ["acme"], "requestType": "ACCESS", "dateRange": range }));
    assert_eq!(answer["customer"], json!({ "found": true, "subjects": 1, "weak": true }));
    assert_eq!(answer["complete"], true);
    assert_eq!(given(&answer), [("first".to_owned(), vec![2]), ("in-the-last-second".to_owned(), vec![3])]);
}

#[tokio::test]
async fn an_identifier_that_names_nobody_is_refused_by_its_index() {
    let world = World::new().await;
    let body =
        json!({ "identifiers": [{ "kind": "phone", "value": PHONE }, { "kind": "phone", "value": "555-CALL-ADA" }] });
    let (status, problem) = world.ask(body).await;
    assert_eq!(status, 422);
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.contains("`identifiers[1]`.value") && !detail.contains("ADA"), "{detail}");
}

#[tokio::test]
async fn every_request_file_of_this_function_is_answered() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../events");
    let mut seen = BTreeSet::new();
    for file in std::fs::read_dir(folder).unwrap() {
        let file = file.unwrap();
        let name = file.file_name().into_string().unwrap();
        if !name.starts_with("apigw-dsar-") {
            continue;
        }
        let payload = std::fs::read_to_string(file.path()).unwrap();
        let world = World::new().await;
        world.link(&phone(PHONE), "acme/c-1", "10:00", "10:00").await;
        world.append(&[entry("c-1", "10:00", "customer.start", 1)], 256, Stage::Indexed).await;
        let (status, _, answer) = invoke(&world, &payload).await;
        assert_eq!(status, 200, "{name}: {answer}");
        let by_phone = ["apigw-dsar-base64.json", "apigw-dsar-identifiers.json"].contains(&name.as_str());
        assert_eq!(answer["customer"]["found"], json!(by_phone), "{name}");
        seen.insert(name);
    }
    let wanted =
        ["apigw-dsar-base64.json", "apigw-dsar-customer.json", "apigw-dsar-guide.json", "apigw-dsar-identifiers.json"];
    assert_eq!(seen.iter().map(String::as_str).collect::<Vec<_>>(), wanted);
}

#[tokio::test]
async fn nothing_that_was_typed_is_logged_or_sent_back() {
    let world = World::new().await;
    let subject = world.link(&phone(PHONE), "acme/c-1", "10:00", "10:09").await;
    let (segment, _) = world.append(&[entry("c-1", "10:00", "customer.start", 1)], 256, Stage::Indexed).await;
    world.append(&[entry("c-1", "10:02", "wrapup", 2)], 256, Stage::Committed).await;
    let planted = ["5555550142", "ada.lovelace@example.com", "Planted-Name", "ACC-998877"];
    let mut answers = String::new();
    let identifiers = json!([
        { "kind": "phone", "value": "+1 (555) 555-0142" }, { "kind": "phone", "value": PHONE },
        { "kind": "email", "value": planted[1] }, { "kind": "account", "value": planted[3] },
    ]);
    for body in [
        json!({ "identifiers": identifiers, "pageSize": 1 }),
        json!({ "identifiers": [{ "kind": "email", "value": planted[2] }] }),
        json!({ "identifiers": [{ "kind": planted[2], "value": PHONE }] }),
        json!({ "identifiers": identifiers, "Planted-Name": 1 }),
        json!({ "identifiers": identifiers, "pageToken": planted[1] }),
        json!({ "identifiers": identifiers, "requestType": planted[2] }),
        json!({ "identifiers": identifiers, "dateRange": { "from": planted[2] } }),
        json!({ "customerIdHash": planted[1] }),
    ] {
        answers.push_str(&world.ask(body).await.1.to_string());
    }
    let doubled = format!(r#"{{"identifiers":{identifiers},"{0}":1,"{0}":2}}"#, planted[2]);
    for broken in [format!("{{\"identifiers\": {}}}", planted[2]), doubled] {
        answers.push_str(&ask(&world, &with(json!({ "body": broken }))).await.2.to_string());
    }
    for error in [StoreError::Denied as fn(_) -> _, StoreError::Unknown] {
        for part in ["identifiers", "read links", "postings", "head", segment.key.as_str()] {
            world.trips.on(part, error);
            answers.push_str(&world.ask(json!({ "identifiers": identifiers })).await.1.to_string());
            world.trips.clear();
        }
    }

    // All tests of this binary log into one buffer, which makes this the stricter.
    let log = captured().text();
    assert!(log.contains("\"answered\"") && log.contains("\"refused\"") && log.contains("\"failed\""), "{log}");
    assert!(answers.contains("c-1"));
    for planted in planted.into_iter().chain(["555-0142"]) {
        assert!(!log.contains(planted), "{planted} in the log");
        assert!(!answers.contains(planted), "{planted} in an answer");
    }
    assert!(!log.contains("p1_") && !log.contains(&subject), "the log joins no requests of one person");
}
