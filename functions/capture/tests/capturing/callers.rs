//! Who is let in, and by what.

use serde_json::{Value, json};

use crate::world::*;

#[tokio::test]
async fn a_token_opens_by_the_way_that_it_was_made_for_and_nothing_else_does() {
    let world = World::new().await;
    let path = |token: &str| format!("{INGEST}/{token}");
    let bearer = |token: &str| json!({ "authorization": format!("bearer  {token}") });
    let header = |token: &str| json!({ "x-processmining-token": token });
    for (at, headers, status) in [
        (INGEST.to_owned(), header(TOKEN), 202),
        (AUDIT_EVENTS.to_owned(), header(TOKEN), 202),
        (INGEST.to_owned(), bearer(TOKEN), 202),
        (format!("/live{INGEST}/"), bearer(TOKEN), 202),
        (path(PATH_TOKEN), json!({}), 202),
        (path(PATH_TOKEN), json!(null), 202),
        // The one header's is wrong, and the other's is right.
        (INGEST.to_owned(), json!({ "x-processmining-token": "x", "authorization": format!("Bearer {TOKEN}") }), 202),
        (INGEST.to_owned(), json!({}), 401),
        (INGEST.to_owned(), json!(null), 401),
        (INGEST.to_owned(), header(""), 401),
        (INGEST.to_owned(), header("planted-tokeN"), 401),
        (INGEST.to_owned(), header(PATH_TOKEN), 401),
        (INGEST.to_owned(), json!({ "authorization": TOKEN }), 401),
        (INGEST.to_owned(), json!({ "authorization": format!("Basic {TOKEN}") }), 401),
        (INGEST.to_owned(), json!({ "x-processmining-token": TOKEN, "X-ProcessMining-Token": TOKEN }), 401),
        (path(TOKEN), json!({}), 401),
        (path("x"), header(TOKEN), 401),
        (format!("{AUDIT_EVENTS}/{PATH_TOKEN}"), json!({}), 404),
        (format!("{INGEST}/{PATH_TOKEN}/x"), json!({}), 404),
        ("/api/v1/other".to_owned(), header(TOKEN), 404),
        ("/".to_owned(), header(TOKEN), 404),
    ] {
        let answer = world.call(&at, headers.clone(), "{\"a\":1}").await;
        assert_eq!(answer.status, status, "{at} {headers}: {answer:?}");
        if status == 401 {
            assert_eq!(answer.problem(), "unauthenticated");
        }
    }
    for method in ["GET", "PUT", "DELETE", "get"] {
        let answer = world.event(&event(method, INGEST, header(TOKEN), "")).await;
        assert_eq!((answer.status, answer.problem()), (405, "method-not-allowed"), "{method}");
    }
}

#[tokio::test]
async fn of_a_stranger_nothing_is_read_and_nothing_is_kept() {
    let world = World::new().await;
    let long = "x".repeat(2 * 1024 * 1024);
    for body in ["", "{}", &long] {
        assert_eq!(world.call(INGEST, json!({ "x-processmining-token": "x" }), body).await.status, 401);
    }
    assert_eq!(world.calls.total(), 0);
}

#[tokio::test]
async fn a_signature_is_asked_for_checked_and_accepted_once() {
    let world = World::new().await;
    let body = identity("i-1").to_string();
    let unsigned = json!({ "Authorization": format!("Bearer {SIGNER_TOKEN}") });
    let answer = world.call(INGEST, unsigned.clone(), &body).await;
    assert_eq!((answer.status, answer.problem()), (401, "no-signature"));
    let mut other = unsigned.clone();
    other["X-Ledgerline-Signature"] = json!(signature(b"another body", SECRETS[0], NOW_S));
    let answer = world.call(INGEST, other, &body).await;
    assert_eq!((answer.status, answer.problem()), (401, "bad-signature"));
    for time_s in [NOW_S - 301, NOW_S + 301] {
        let answer = world.send_signed(&body, SECRETS[0], time_s).await;
        assert_eq!((answer.status, answer.problem()), (401, "stale-signature"));
    }
    assert!(world.records().is_empty() && world.journaled().is_empty());

    assert_eq!(world.send_signed(&body, SECRETS[0], NOW_S).await.status, 202);
    // Sent again, also under the secret that takes the other's place.
    for secret in SECRETS {
        let answer = world.send_signed(&body, secret, NOW_S).await;
        assert_eq!((answer.status, answer.problem()), (409, "replayed"));
    }
    assert_eq!(world.records().len(), 1, "nothing of a replay goes into the stream");
    assert_eq!(world.send_signed(&body, SECRETS[1], NOW_S + 1).await.status, 202, "a retry is signed anew");
    assert_eq!((world.records().len(), world.journaled().len()), (2, 1));
}

#[tokio::test]
async fn a_client_that_does_not_sign_is_not_asked_to() {
    let world = World::new().await;
    let headers = json!({ "X-ProcessMining-Token": TOKEN, "X-Ledgerline-Signature": "t=1,v1=x" });
    assert_eq!(world.call(INGEST, headers, "{\"a\":1}").await.status, 202);
}

#[tokio::test]
async fn a_client_with_an_organisation_sends_for_that_one_and_no_other() {
    let world = World::new().await;
    let mut event = identity("i-1");
    event["auditEvent"]["organizationId"] = json!("victim");
    assert_eq!(world.send_signed(&event.to_string(), SECRETS[0], NOW_S).await.status, 202);
    assert_eq!(world.send(INGEST, &event.to_string()).await.status, 202);
    let records: Vec<String> = world.journaled().into_iter().map(|(record, _)| record).collect();
    assert_eq!(records, ["acme/i-1", "victim/i-1"]);
    let sources: Vec<Value> = world.records().iter().map(|one| serde_json::from_str(one).unwrap()).collect();
    assert_eq!(sources[0]["source"], "ledgerline.capture/identity-service/crm/acme");
    assert_eq!(sources[1]["source"], "ledgerline.capture/flows/flows");
    assert_eq!(sources[1]["detail"], event);
}

#[tokio::test]
async fn no_payload_fails_an_invocation() {
    let world = World::new().await;
    for payload in [json!(null), json!([]), json!({}), json!({ "httpMethod": "POST" }), json!("x")] {
        let answer = world.event(&payload).await;
        assert!((400..500).contains(&answer.status), "{payload}: {answer:?}");
    }
    for headers in [json!("x"), json!([]), json!({ "x-processmining-token": ["a"] }), json!({ "\u{130}": 7 })] {
        assert_eq!(world.call(INGEST, headers, "{}").await.status, 401);
    }
}
