//! What the ledger says of requests.

use serde_json::{Value, json};

use crate::world::*;

#[tokio::test]
async fn each_step_is_an_act_in_each_org_dated_by_its_day() {
    let world = World::new().await;
    let id = world.verified(erasure()).await;
    let digest = world.digest(&id).await;
    world.approve(&approver(), &id, &digest).await;
    world.post(&officer(), &format!("requests/{id}/extend"), json!({ "reason": "planted-reason" })).await;
    world.post(&officer(), &format!("requests/{id}/cancel"), json!({ "reason": "planted-reason" })).await;
    let types = world.act_types();
    let each = ["REQUEST_APPROVED", "REQUEST_CANCELLED", "REQUEST_EXTENDED", "REQUEST_RECEIVED", "REQUEST_VERIFIED"];
    assert_eq!(types, each.into_iter().flat_map(|kind| [kind; 2]).collect::<Vec<_>>());
    let row = world.row(&id);
    for (log, line) in world.acts() {
        let entry: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(log, format!("{}/request/1/0", entry["org"].as_str().unwrap()));
        assert_eq!(entry["entity"], json!({ "type": "request", "id": id }));
        assert_eq!(entry["occurredAt"], "2026-03-02T00:00:00.000Z");
        assert!(row.history.iter().any(|done| entry["fields"]["by"] == json!(done.by)));
        assert!(!line.contains("planted") && !line.contains(&digest), "{line}");
    }
    assert_eq!(world.pointers.messages().len(), 10, "a chunk in each of two logs, for each of five steps");
}

#[tokio::test]
async fn a_refusal_and_its_repetition_are_one_act() {
    let world = World::new().await;
    let id = world.made(json!({ "type": "ACCESS", "customerIdHash": "cust-1", "org": "acme" })).await;
    for _ in 0..3 {
        let (status, answer) =
            world.post(&verifier(), &format!("requests/{id}/refuse"), json!({ "reason": "planted-reason" })).await;
        assert_eq!((status, answer["state"].as_str()), (200, Some("refused")));
        world.pass(HOUR_MS);
    }
    assert_eq!(world.act_types(), ["REQUEST_RECEIVED", "REQUEST_REFUSED"]);
}
