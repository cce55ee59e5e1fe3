//! What must be said nowhere.

use ledgerline_ledger::store::StoreError;
use serde_json::json;

use crate::world::*;

#[tokio::test]
async fn nothing_that_a_caller_typed_is_logged_sent_back_or_stored_beside_the_stream() {
    let world = World::new().await;
    world.send(INGEST, &identity("i-1").to_string()).await;
    let typed = json!({ "auditEvent": { "eventType": "IDENTITY_RESOLUTION", "timestamp": "2026-03-02T13:00:00Z",
        "interactionId": "planted person", "resolvedCustomerId": "planted-customer", "note": "planted note" } });
    for (path, headers, body) in [
        (format!("{INGEST}/planted-path"), json!({}), "{}".to_owned()),
        (INGEST.to_owned(), json!({ "x-processmining-token": "planted-guess" }), "planted".to_owned()),
        (INGEST.to_owned(), json!({ "authorization": "Bearer planted-guess" }), "planted".to_owned()),
        ("/api/v1/planted".to_owned(), json!({ "x-processmining-token": TOKEN }), "planted".to_owned()),
        (INGEST.to_owned(), json!({ "x-processmining-token": TOKEN }), "planted text".to_owned()),
        (
            INGEST.to_owned(),
            json!({ "x-processmining-token": TOKEN }),
            "[\"planted\",{\"planted\":1,\"planted\":2}]".to_owned(),
        ),
        (INGEST.to_owned(), json!({ "x-processmining-token": TOKEN }), "[{\"planted\":".to_owned()),
        (INGEST.to_owned(), json!({ "x-processmining-token": TOKEN }), typed.to_string()),
        (INGEST.to_owned(), json!({ "x-processmining-token": TOKEN }), "{\"planted\":\"planted\"}\nplanted".to_owned()),
        (
            INGEST.to_owned(),
            json!({ "authorization": format!("Bearer {SIGNER_TOKEN}"), "x-ledgerline-signature": "planted" }),
            "planted".to_owned(),
        ),
    ] {
        let answer = world.call(&path, headers, &body).await;
        assert!(!answer.body.to_string().contains("planted"), "{answer:?}");
    }
    world.stream.set_refusal(Some(StoreError::Denied));
    world.send(INGEST, &typed.to_string()).await;
    let log = captured().text();
    assert!(log.contains("call-1") && log.contains("\"client\":\"flows\""), "the log names call and client");
    for planted in ["planted", PHONE_HASH, "5550142", "p1_"] {
        assert!(!log.contains(planted), "{planted} in the log");
    }
    let stored = world.dump();
    assert!(!stored.contains("planted") && !stored.contains(PHONE_HASH), "{stored}");
}
