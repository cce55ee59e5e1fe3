//! What a question costs: as many reads in a large ledger as in a small one; and what a store that does not answer means.

use std::collections::BTreeMap;

use ledgerline_testkit::faults::Weather;

use crate::ledger::*;

/// The calls that a question makes among so many interactions.
async fn calls(interactions: usize, proof: bool) -> BTreeMap<&'static str, u64> {
    let world = Deployment::new();
    world.neighbours(0, interactions / 2).await;
    world.call("c-1", Some(TOKEN)).await;
    world.neighbours(interactions / 2, interactions / 2).await;
    world.count(&world.files());
    world.calls.reset();
    let query: &[(&str, &str)] = if proof { &[("proof", "true")] } else { &[] };
    let body = world.lineage("c-1", query).await;
    assert_eq!(body["records"][0]["entries"].as_array().unwrap().len(), 4);
    assert!(proof == body["records"][0]["entries"][0]["ledger"].get("proof").is_some());
    world.calls.by_name()
}

#[tokio::test]
async fn a_hundred_thousand_interactions_cost_the_reads_of_a_hundred() {
    let small = calls(100, false).await;
    assert_eq!(calls(100_000, false).await, small);
    assert!(small.values().sum::<u64>() < 30, "{small:?}");
}

/// A proof's tiles grow with the logarithm of the log: one more level for each 256-fold.
#[tokio::test]
async fn a_proof_costs_a_few_tiles_more() {
    let (small, large) = (calls(100, true).await, calls(100_000, true).await);
    let gets = |calls: &BTreeMap<&'static str, u64>| calls["s3:GetObject"];
    assert!(gets(&large) <= gets(&small) + 8, "{small:?} {large:?}");
    let without = |mut calls: BTreeMap<&'static str, u64>| {
        calls.remove("s3:GetObject");
        calls
    };
    assert_eq!(without(large), without(small), "nothing else does");
}

#[tokio::test]
async fn a_store_that_does_not_answer_is_told() {
    let world = Deployment::with_call("1").await;
    world.faults.set_weather(Weather { unread: 1_000, ..Weather::default() });
    let (status, body) = world.ask("*", "/api/v1/lineage/c-1", &[]).await;
    assert_eq!((status, &body["type"]), (503, &serde_json::json!("urn:ledgerline:problem:unavailable")));
}
