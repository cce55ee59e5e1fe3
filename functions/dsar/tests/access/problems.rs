//! Problem documents, the files in `events/`, and that nothing which was typed is ever seen again.

use std::collections::BTreeSet;

use aws_lambda_events::apigw::ApiGatewayProxyRequest;
use aws_lambda_events::encodings::Body;
use ledgerline_dsar::handle;
use ledgerline_lambda::clock::FixedClock;
use ledgerline_ledger::store::StoreError;
use serde_json::{Value, json};

use crate::world::*;

async fn ask(world: &World, request: &ApiGatewayProxyRequest) -> (i64, String, Value) {
    let response = handle(&world.dsar, &FixedClock(NOW_MS), request).await;
    let Some(Body::Text(text)) = &response.body else { panic!("no text body") };
    let content_type = response.headers["content-type"].to_str().unwrap().to_owned();
    if response.status_code == 405 {
        assert_eq!(response.headers["allow"], "POST");
    }
    (response.status_code, content_type, serde_json::from_str(text).unwrap())
}

fn with(change: impl FnOnce(&mut ApiGatewayProxyRequest)) -> ApiGatewayProxyRequest {
    let mut request = request(&by_phone().to_string());
    change(&mut request);
    request
}

#[tokio::test]
async fn every_refusal_is_a_problem_document() {
    let world = World::new();
    let header = |value: &'static str| {
        move |request: &mut ApiGatewayProxyRequest| {
            request.headers.insert("content-type", value.parse().unwrap());
        }
    };
    for (request, status, kind) in [
        (with(|request| request.body = Some("{".to_owned())), 400, "invalid-body"),
        (with(|request| request.body = None), 400, "invalid-body"),
        (with(|request| request.is_base64_encoded = true), 400, "invalid-body"),
        (
            with(|request| request.body = Some(json!({ "customerIdHash": "C", "pageToken": "x" }).to_string())),
            400,
            "invalid-page-token",
        ),
        (
            with(|request| {
                request.path = Some("/api/v1/other".to_owned());
                request.resource = None;
            }),
            404,
            "not-found",
        ),
        (with(|request| request.http_method = "GET".parse().unwrap()), 405, "method-not-allowed"),
        (with(|request| request.body = Some(" ".repeat(65_537))), 413, "body-too-large"),
        (
            with(|request| {
                request.body = Some("A".repeat(90_000));
                request.is_base64_encoded = true;
            }),
            413,
            "body-too-large",
        ),
        (with(header("application/x-www-form-urlencoded")), 415, "unsupported-media-type"),
        (with(|request| request.body = Some("{}".to_owned())), 422, "invalid-request"),
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
    let world = World::new();
    for request in [
        with(|request| {
            request.headers.remove("content-type");
        }),
        with(|request| {
            request.headers.insert("content-type", "Application/JSON".parse().unwrap());
        }),
        with(|request| request.path = Some("/base/api/v1/compliance/dsar/audit-trail".to_owned())),
        with(|request| {
            request.path = Some(format!("{}/", ledgerline_dsar::PATH));
            request.resource = None;
        }),
    ] {
        assert_eq!(ask(&world, &request).await.0, 200);
    }
}

#[tokio::test]
async fn an_identifier_that_names_nobody_is_refused_by_its_index() {
    let world = World::new();
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
        let request: ApiGatewayProxyRequest = serde_json::from_slice(&std::fs::read(file.path()).unwrap()).unwrap();
        let world = World::new();
        world.link(&phone(PHONE), "acme/c-1", "10:00", "10:00").await;
        world.append(&[entry("c-1", "10:00", "customer.start", 1)], 256, Stage::Indexed).await;
        let (status, _, answer) = ask(&world, &request).await;
        assert_eq!(status, 200, "{name}: {answer}");
        assert_eq!(answer["customer"]["found"], json!(name != "apigw-dsar-customer.json"), "{name}");
        seen.insert(name);
    }
    let wanted = ["apigw-dsar-base64.json", "apigw-dsar-customer.json", "apigw-dsar-identifiers.json"];
    assert_eq!(seen.iter().map(String::as_str).collect::<Vec<_>>(), wanted);
}

#[tokio::test]
async fn nothing_that_was_typed_is_logged_or_sent_back() {
    let world = World::new();
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
    let broken = with(|request| request.body = Some(format!("{{\"identifiers\": {}}}", planted[2])));
    answers.push_str(&ask(&world, &broken).await.2.to_string());
    for error in [StoreError::Denied as fn(_) -> _, StoreError::Unknown] {
        for part in ["identifiers", "links", "postings", "head", segment.key.as_str()] {
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
