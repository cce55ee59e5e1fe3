//! The guides' own failure cases, each by its name.

use ledgerline_lambda::api::Credential;
use ledgerline_ledger::store::StoreError;
use serde_json::{Value, json};

use crate::world::*;

const LINEAGE: &str = "f8497fa6-8e52-5c92-984e-0446f630c77f";

/// Guide 000, "Establishing a Persistent Correlation Identifier": middleware drops the token. What came with one is answered with it and
/// keeps it; what came without has one that follows from its interaction, the same each time.
#[tokio::test]
async fn stripped_token() {
    let world = World::new().await;
    let with = json!({ "id": "i-1", "interactionType": "Voice", "startTime": "2026-03-02T13:00:00.000Z", "lineageToken": LINEAGE });
    let mut without = with.clone();
    without.as_object_mut().unwrap().remove("lineageToken");
    let token = async |event: &Value| {
        let answer = world.send(INGEST, &event.to_string()).await;
        assert_eq!(answer.status, 202, "{answer:?}");
        answer.body["events"][0]["lineageToken"].as_str().unwrap().to_owned()
    };
    assert_eq!(token(&with).await, LINEAGE);
    assert!(world.records()[0].contains(LINEAGE), "it is immutable metadata");
    let derived = token(&without).await;
    assert_eq!((token(&without).await, derived.len()), (derived.clone(), LINEAGE.len()));
    assert_ne!(derived, LINEAGE);
}

/// Guide 001, "Duplicate Event Ingestion": a webhook is delivered twice. Both deliveries go into the stream as the same bytes, of which one
/// becomes an entry; the journal has one row.
#[tokio::test]
async fn duplicate_webhook() {
    let world = World::new().await;
    let body = identity("i-1").to_string();
    for _ in 0..3 {
        let answer = world.send(INGEST, &body).await;
        assert_eq!((answer.status, &answer.body["events"][0]["journaled"]), (202, &json!(true)));
        world.pass(1_000);
    }
    let records = world.records();
    assert_eq!(records.len(), 3);
    assert!(records.iter().all(|record| *record == records[0]), "nothing tells one delivery from another");
    assert_eq!((world.journaled().len(), world.listed()), (1, 1));
}

/// Guide 000, "Event Stream Backpressure and Data Loss": 429 in place of silence, the retry is a duplicate; and what fails for good is kept
/// whole, with a dead letter that names its lineage token.
#[tokio::test]
async fn back_pressure_with_the_token_kept() {
    let world = World::new().await;
    let event = |id: &str| json!({ "id": id, "interactionType": "Voice", "startTime": "2026-03-02T13:00:00.000Z", "lineageToken": LINEAGE });
    let body = json!([event("i-1"), event("i-2")]).to_string();
    world.stream.set_room(Some(1));
    let answer = world.send(INGEST, &body).await;
    assert_eq!((answer.status, answer.problem(), world.records().len()), (429, "too-many-requests", 1));
    assert!(answer.retry_after_s.is_some_and(|seconds| seconds > 0));
    world.stream.set_room(None);
    assert_eq!(world.send(INGEST, &body).await.status, 202);
    let records = world.records();
    assert_eq!((records.len(), &records[0]), (3, &records[1]), "the first was taken twice, as the same bytes");

    world.stream.set_refusal(Some(StoreError::Denied));
    let answer = world.send(INGEST, &body).await;
    let events = answer.body["events"].as_array().unwrap();
    assert_eq!((answer.status, &events[0]["spilled"], &events[1]["spilled"]), (202, &json!(true), &json!(true)));
    let spilled = world.bronze.keys("spill/");
    assert_eq!(spilled.len(), 1);
    assert!(spilled[0].starts_with("spill/2026/03/02/14/"), "{}", spilled[0]);
    let text = String::from_utf8(world.bronze.get(&spilled[0]).unwrap().to_vec()).unwrap();
    let lines: Vec<ledgerline_store::spill::SpillLine> =
        text.lines().map(|line| ledgerline_store::spill::SpillLine::parse(line.as_bytes()).unwrap()).collect();
    assert_eq!(
        lines.iter().map(|line| line.record.clone()).collect::<Vec<_>>(),
        [records[1].as_bytes(), records[2].as_bytes()]
    );
    assert!(lines.iter().all(|line| line.reason == "denied" && line.received_at_ms == NOW_MS));
    let mut letters: Vec<Value> =
        world.dead_letters.bodies().iter().map(|one| serde_json::from_str(one).unwrap()).collect();
    letters.sort_by_key(|letter| letter["line"].as_u64());
    for (line, (letter, id)) in letters.iter().zip(["i-1", "i-2"]).enumerate() {
        let expected = json!({ "v": 1, "kind": "spilled", "key": spilled[0], "line": line, "reason": "denied",
            "events": [{ "lineageToken": LINEAGE, "interactionId": id }] });
        assert_eq!(*letter, expected);
    }
    assert_eq!(letters.len(), 2);
}

/// Guide 003, "Storing Raw PII in Flow Variables": a flow sends a variable with a number in it. The stream has it, as bronze does, and
/// nothing else: no table, no dead letter, no log, no answer.
#[tokio::test]
async fn pii_in_a_flow_variable() {
    let world = World::new().await;
    let event = json!({ "audit": {
        "timestamp": "2026-03-02T13:59:58Z", "interactionId": "i-1", "customerId": "planted-customer",
        "resolutionMethod": "IVR-CallerID", "piiCollected": true, "customer_phone": PHONE, "phoneHash": PHONE_HASH,
    } });
    let answer = world.send(AUDIT_EVENTS, &event.to_string()).await;
    assert_eq!((answer.status, &answer.body["events"][0]["journaled"]), (202, &json!(true)), "{answer:?}");
    assert!(world.records()[0].contains(PHONE));
    let seen = [world.dump(), captured().text(), answer.body.to_string()];
    for (text, planted) in
        seen.iter().flat_map(|text| ["5550142", "planted-customer", PHONE_HASH].map(|one| (text, one)))
    {
        assert!(!text.contains(planted), "{planted} in {text}");
    }
    // What only looks like a token of the caller's is none here.
    assert!(!seen[0].contains(Credential::of(TOKEN).expose_for_check()));
}

/// Guide 003, "Data Connector Failures During Peak Load", and its batch connector that a request races: the event is found from the moment on
/// at which it was answered, by the customer's link, and still while the stream has it.
#[tokio::test]
async fn audit_event_that_an_access_request_races() {
    let world = World::new().await;
    let answer = world.send(AUDIT_EVENTS, &identity("i-1").to_string()).await;
    assert_eq!((answer.status, &answer.body["events"][0]["journaled"]), (202, &json!(true)));
    let subject = world.subject("default").await.unwrap();
    assert_eq!(world.journal_until(&subject, "default/i-1").as_deref(), Some("2026-04-01T14:00:00.000Z"));
    let journaled = world.journaled();
    let [(record, event)] = &journaled[..] else { panic!("{journaled:?}") };
    assert_eq!((record.as_str(), event.subjects.iter().cloned().collect::<Vec<_>>()), ("default/i-1", vec![subject]));
    assert_eq!(event.received_at, "2026-03-02T14:00:00.350Z");
    let line: Value = serde_json::from_str(&event.line).unwrap();
    assert_eq!((&line["type"], &line["interactionId"]), (&json!("identity.resolution"), &json!("i-1")));
    assert_eq!(line["occurredAt"], "2026-03-02T13:59:58.000Z");
}
