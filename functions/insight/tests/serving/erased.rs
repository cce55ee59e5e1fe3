//! The lineage of an interaction that was erased: what stays, and that it names nobody. The rows are those that the eraser leaves.

use ledgerline_event::lineage::derived_token;
use ledgerline_lake::ObjectId;
use ledgerline_store::gone::Gone;
use ledgerline_store::token;
use serde_json::{Value, json};

use crate::ledger::*;

/// What an erasure does of a call: its keys are gone, its rows in silver nulled, its source's token forgotten. Bronze has its objects, with
/// placeholders for its lines.
async fn erase(world: &Deployment, interaction: &str) {
    let keys: Vec<String> = (1..=2)
        .map(|number| format!("bronze/event_type=interaction/year=2026/month=03/day=02/hour=14/{number:08}.gz"))
        .collect();
    for (key, events) in keys.iter().zip(CALL.chunks(2)) {
        let object = ObjectId::of("bucket", key);
        Gone::new(world.control.port()).put(&[&key_id(object)]).await.unwrap();
        let of_call =
            events.iter().zip(1..).map(|(event, line)| entry("acme", interaction, TOKEN, object, line, event));
        let other = ledgerline_testkit::entries::pending("acme", "c-other", &object.to_hex(), 0);
        let entries: Vec<_> = std::iter::once(other).chain(of_call).collect();
        world.silver(object, &entries, |line| line > 0);
    }
    world.index.tamper(|rows| rows.remove(&token::key(TOKEN, &format!("acme/{interaction}"))));
}

#[tokio::test]
async fn places_times_figures_and_proofs_stay_and_name_nobody() {
    let world = Deployment::with_call("1").await;
    world.count(&world.files());
    let before = world.lineage("c-1", &[("proof", "true")]).await;
    erase(&world, "c-1").await;
    let (status, _) = world.ask("*", &format!("/api/v1/lineage/{TOKEN}"), &[]).await;
    assert_eq!(status, 404, "the source's token leads nowhere any more");
    let after = world.lineage("c-1", &[("proof", "true")]).await;
    assert_eq!(world.lineage(&derived_token("c-1"), &[("proof", "true")]).await, after);
    let entries = |body: &Value| body["records"][0]["entries"].as_array().unwrap().clone();
    assert_eq!((entries(&after).len(), &after["complete"]), (4, &json!(true)));
    for (was, is) in entries(&before).iter().zip(entries(&after)) {
        assert_eq!(
            (&was["gold"], &was["ledger"]),
            (&is["gold"], &is["ledger"]),
            "figures and evidence are as they were"
        );
        assert_eq!((&is["bronze"]["state"], &is["silver"]["state"]), (&json!("erased"), &json!("erased")));
        assert_eq!((&is["lineageToken"], &is["lineageProvenance"]), (&json!(derived_token("c-1")), &Value::Null));
        assert_eq!(is["transform"]["masked"], json!([]), "of what was masked the entry says nothing");
    }
    // The line of an entry is evidence, and has the token that it was written with; nothing else of the answer has it.
    let plain = world.lineage("c-1", &[]).await.to_string();
    assert!(!plain.contains(TOKEN), "{plain}");
}

#[tokio::test]
async fn the_guides_shape_says_that_it_was_erased() {
    let world = Deployment::with_call("1").await;
    erase(&world, "c-1").await;
    let (status, body) = world.ask("acme", "/api/v2/analytics/interactions/c-1", &[]).await;
    assert_eq!(status, 200, "{body}");
    let provenance: Value = serde_json::from_str(body["customFields"]["lineageProvenance"].as_str().unwrap()).unwrap();
    assert_eq!(
        (&provenance["id"], &provenance["metadata"]["status"]),
        (&json!(derived_token("c-1")), &json!("erased"))
    );
}

/// An erasure that destroyed the keys and has not come to silver yet; and one of a line that held nothing sealed.
#[tokio::test]
async fn either_sign_of_an_erasure_is_enough() {
    let world = Deployment::with_call("1").await;
    let files = world.files();
    let object = |file: &str| ledgerline_lake::keys::parse_silver_events(file).unwrap().1;
    Gone::new(world.control.port()).put(&[&key_id(object(&files[0]))]).await.unwrap();
    let body = world.lineage("c-1", &[]).await;
    let states: Vec<(Value, bool)> = body["records"][0]["entries"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| (entry["bronze"]["state"].clone(), entry["silver"]["key"] == json!(files[0])))
        .collect();
    assert!(
        states.iter().all(|(state, is_of_gone)| *state == json!(if *is_of_gone { "erased" } else { "kept" })),
        "{states:?}"
    );
    let of_other = ledgerline_testkit::entries::pending("acme", "c-1", &object(&files[1]).to_hex(), 1);
    world.silver(object(&files[1]), &[of_other], |_| true);
    let body = world.lineage("c-1", &[]).await;
    let erased =
        body["records"][0]["entries"].as_array().unwrap().iter().filter(|entry| entry["bronze"]["state"] == "erased");
    assert_eq!(erased.count(), 3, "two of a destroyed key, and the line whose row says so");
}
