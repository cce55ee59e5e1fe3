//! From a record or a token to its events: where each lies, what it is counted in, and the proof of it.

use ledgerline_event::lineage::derived_token;
use ledgerline_insight::PAGE_ENTRIES;
use ledgerline_lake::ObjectId;
use ledgerline_ledger::proof;
use serde_json::{Value, json};

use crate::ledger::*;
use crate::world::analyst;

fn entries(body: &Value) -> Vec<&Value> {
    let records = body["records"].as_array().unwrap().iter();
    records.flat_map(|record| record["entries"].as_array().unwrap()).collect()
}

fn kind(body: &Value) -> &str {
    body["type"].as_str().unwrap_or_default().trim_start_matches("urn:ledgerline:problem:")
}

#[tokio::test]
async fn by_its_id_its_own_token_and_the_derived_one_a_call_has_the_same_entries() {
    let world = Deployment::with_call("1").await;
    let by_id = world.lineage("c-1", &[]).await;
    let types: Vec<&str> = entries(&by_id).iter().map(|entry| entry["type"].as_str().unwrap()).collect();
    assert_eq!(types, ["acd.start", "acd.end", "user.end", "acw"]);
    assert_eq!((&by_id["complete"], &by_id["asOf"]), (&json!(true), &json!("2026-03-02T14:10:00.000Z")));
    assert_eq!(by_id["records"][0]["derivedToken"], json!(derived_token("c-1")));
    for token in [TOKEN.to_owned(), derived_token("c-1"), format!("{}%2D98765", "lt")] {
        assert_eq!(world.lineage(&token, &[]).await, by_id, "{token}");
    }
}

#[tokio::test]
async fn each_event_says_where_it_is_and_what_was_done_to_it() {
    let world = Deployment::with_call("1").await;
    let files = world.files();
    world.count(&files[..1]);
    let body = world.lineage("c-1", &[]).await;
    let entry = entries(&body)[1];
    let bronze = &entry["bronze"];
    let object = ObjectId::of("bucket", bronze["key"].as_str().unwrap());
    assert_eq!(bronze["object"], json!(object.to_hex()));
    assert_eq!(
        (&bronze["bucket"], &bronze["line"], &bronze["state"]),
        (&json!("the-bronze"), &json!(2), &json!("kept"))
    );
    let silver = &entry["silver"];
    assert_eq!(silver["key"], json!(format!("silver/events/date=2026-03-02/{object}.parquet")));
    assert_eq!((&silver["bucket"], &silver["line"], &silver["state"]), (&json!("the-lake"), &json!(2), &json!("kept")));
    let transform = &entry["transform"];
    for (member, value) in [
        ("startedAt", json!("2026-03-02T14:05:00.000Z")),
        ("processorId", json!("ledgerline/transform")),
        ("policyVersion", json!("1")),
        ("policyHash", json!("0f".repeat(32))),
        ("schemaVersion", json!("genesys/1")),
        ("code", json!("0.1.0")),
        ("masked", json!(["customer_name"])),
    ] {
        assert_eq!(transform[member], value, "{member}");
    }
    let ledger = &entry["ledger"];
    assert_eq!(
        (&ledger["bucket"], &ledger["log"], &ledger["index"]),
        (&json!("the-ledger"), &json!("acme/interaction/1/0"), &json!(2))
    );
    assert!(
        world
            .ledger
            .versions(ledger["segment"].as_str().unwrap())
            .iter()
            .any(|one| json!(one.version_id) == ledger["versionId"])
    );
    assert_eq!(ledger["checkpoint"]["size"], json!(6), "the newest, which covers all of both objects");
    assert!(ledger.get("proof").is_none());
    let provenance: Value = serde_json::from_str(entry["lineageProvenance"].as_str().unwrap()).unwrap();
    assert_eq!((&provenance["id"], &provenance["metadata"]["status"]), (&json!(TOKEN), &json!("processed")));
    assert_eq!(provenance["metadata"]["masked"], json!(["customer_name"]), "silver's own word");
}

#[tokio::test]
async fn an_event_says_what_it_is_counted_in_and_whether_gold_did() {
    let world = Deployment::with_call("1").await;
    let files = world.files();
    let before = world.lineage("c-1", &[]).await;
    assert_eq!(entries(&before)[1]["gold"]["revision"], Value::Null);
    assert_eq!(entries(&before)[1]["gold"]["counted"], json!(false), "no run, no figure");
    world.count(&files[..1]);
    let body = world.lineage("c-1", &[]).await;
    let told: Vec<&Value> = entries(&body).iter().map(|entry| &entry["gold"]).collect();
    let answered = told[1];
    for (member, value) in [
        ("table", json!("gold_interval_queue_metrics")),
        ("date", json!("2026-03-02")),
        ("reportDate", json!("2026-03-02")),
        ("queueId", json!("q-1")),
        ("media", json!("VOICE")),
        ("direction", json!("INBOUND")),
        ("intervalStart", json!("2026-03-02T14:00:00.000Z")),
        ("metrics", json!({ "answered": 1, "answer_wait_ms": 18_000, "events": 1, "within_target": 1 })),
        ("revision", json!(1)),
        ("run", json!("gold/runs/date=2026-03-02/1.json")),
        ("figure", json!(["2026-03-02", "q-1", "METRIC", "--org", "acme", "--media", "VOICE"])),
    ] {
        assert_eq!(answered[member], value, "{member}");
    }
    assert_eq!(told[2]["metrics"]["talk_ms"], json!(150_000));
    assert_eq!(
        (&told[3]["queueId"], &told[3]["metrics"]["acw_ms"]),
        (&json!("q-1"), &json!(45_000)),
        "the leg's queue"
    );
    // Of two files the run lists one: which of them is the first object's follows from their names.
    let is_counted = |at: usize| told[at]["counted"] == json!(true);
    let file = |at: usize| entries(&body)[at]["silver"]["key"] == json!(files[0]);
    for at in 0..4 {
        assert_eq!(is_counted(at), file(at), "{at}");
    }
    assert!((0..4).any(is_counted) && !(0..4).all(is_counted));
}

#[tokio::test]
async fn a_proof_that_is_handed_out_is_one() {
    let world = Deployment::new();
    world.neighbours(0, 300).await;
    world.call("c-1", Some(TOKEN)).await;
    world.neighbours(300, 300).await;
    let body = world.lineage("c-1", &[("proof", "true")]).await;
    let keys = world.keys("acme");
    for entry in entries(&body) {
        let ledger = &entry["ledger"];
        let (tlog, line) = (ledger["proof"]["tlogProof"].as_str().unwrap(), ledger["proof"]["entry"].as_str().unwrap());
        let proven = proof::check(tlog.as_bytes(), line.as_bytes(), &keys).unwrap();
        assert_eq!(
            (json!(proven.index), json!(proven.checkpoint.size())),
            (ledger["index"].clone(), ledger["checkpoint"]["size"].clone())
        );
        assert!(
            proof::check(
                tlog.as_bytes(),
                line.replace("acd", "acc").replace("acw", "acx").replace("user", "uses").as_bytes(),
                &keys
            )
            .is_err()
        );
    }
    assert_eq!(entries(&body).len(), 4);
}

#[tokio::test]
async fn what_is_known_and_not_committed_is_pending_and_what_is_not_known_is_not_found() {
    let world = Deployment::with_call("1").await;
    // Pinned and noted, and its object not planned.
    let key = world.new_key();
    world.pin("acme", "c-2").await;
    world.note("acme/c-2", &key, &[3]).await;
    let object = ObjectId::of("bucket", &key).to_hex();
    let body = world.lineage("c-2", &[]).await;
    assert_eq!((&body["complete"], entries(&body).len()), (&json!(false), 0));
    assert_eq!(body["records"][0]["pending"], json!([object]));
    // The same of a call of which some is committed.
    world.note("acme/c-1", &key, &[4]).await;
    let body = world.lineage("c-1", &[]).await;
    assert_eq!((&body["complete"], &body["records"][0]["pending"]), (&json!(false), &json!([object])));
    // Filtered lines alone: noted, and never pinned.
    world.note("acme/c-3", &key, &[5]).await;
    let body = world.lineage("c-3", &[]).await;
    assert_eq!((&body["records"][0]["log"], &body["records"][0]["objects"][0]["lines"]), (&Value::Null, &json!(1)));
    for unknown in ["c-4", "lt-12345", &derived_token("c-4"), "Queue/q-1"] {
        let (status, body) = world.ask("*", &format!("/api/v1/lineage/{unknown}"), &[]).await;
        assert_eq!((status, kind(&body)), (404, "unknown-record"), "{unknown}");
        assert!(!body.to_string().contains(unknown), "nothing that was typed comes back");
    }
}

#[tokio::test]
async fn nobody_hears_of_an_org_that_the_token_does_not_name() {
    let world = Deployment::with_call("1").await;
    world.deliver("globex", "c-1", None, &world.new_key(), &CALL[..1]).await;
    let orgs = |body: &Value| -> Vec<String> {
        body["records"].as_array().unwrap().iter().map(|record| record["org"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(orgs(&world.lineage("c-1", &[]).await), ["acme", "globex"]);
    let (status, body) = world.ask("globex", "/api/v1/lineage/c-1", &[]).await;
    assert_eq!((status, orgs(&body)), (200, vec!["globex".to_owned()]));
    assert!(!body.to_string().contains("acme"));
    let (status, body) = world.ask("globex", &format!("/api/v1/lineage/{TOKEN}"), &[]).await;
    assert_eq!((status, kind(&body)), (404, "unknown-record"), "the token is another's");
    let (status, body) = world.ask("globex", "/api/v1/lineage/c-1", &[("org", "acme")]).await;
    assert_eq!((status, kind(&body)), (403, "org-not-allowed"));
    let (status, body) = world.ask("*", "/api/v2/analytics/interactions/c-1", &[]).await;
    assert_eq!((status, kind(&body)), (409, "several-records"));
    let (status, body) = world.ask("*", "/api/v2/analytics/interactions/c-1", &[("org", "globex")]).await;
    assert_eq!((status, &body["contactCenterId"]), (200, &json!("globex")));
}

/// As the guide's "verifying lineage by API" has it.
#[tokio::test]
async fn the_guides_shape_has_provenance_as_json_in_a_text() {
    let world = Deployment::with_call("1").await;
    let (status, body) = world.ask("acme", "/api/v2/analytics/interactions/c-1", &[]).await;
    assert_eq!(status, 200, "{body}");
    assert_eq!((&body["id"], &body["contactCenterId"]), (&json!("c-1"), &json!("acme")));
    assert_eq!(
        (&body["startTime"], &body["endTime"]),
        (&json!("2026-03-02T14:00:00.000Z"), &json!("2026-03-02T14:03:33.000Z"))
    );
    let text = body["customFields"]["lineageProvenance"].as_str().unwrap();
    assert!(text.len() <= 512);
    let provenance: Value = serde_json::from_str(text).unwrap();
    assert_eq!(provenance["id"], json!(TOKEN));
    let metadata = &provenance["metadata"];
    assert_eq!((&metadata["version"], &metadata["status"]), (&json!("1.1"), &json!("processed")));
    assert_eq!(metadata["processedAt"], json!("2026-03-02T14:05:00.000Z"), "ISO 8601 in UTC");
    assert_eq!(body["lineage"], world.lineage("c-1", &[("org", "acme")]).await);
}

#[tokio::test]
async fn pages_that_follow_each_other_give_each_entry_once() {
    let world = Deployment::new();
    let all = 2 * PAGE_ENTRIES + 7;
    for _ in 0..all.div_ceil(50) {
        let events: Vec<Event> = (0..50).map(|at| Event { at_ms: T0 + at * 1_000, ..CALL[0] }).collect();
        world.deliver("acme", "c-1", Some(TOKEN), &world.new_key(), &events).await;
    }
    let (mut query, mut seen): (Vec<(String, String)>, Vec<String>) = (Vec::new(), Vec::new());
    let mut pages = 0;
    loop {
        let asked: Vec<(&str, &str)> = query.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let body = world.lineage("c-1", &asked).await;
        seen.extend(entries(&body).iter().map(|entry| entry["eventId"].as_str().unwrap().to_owned()));
        pages += 1;
        match body["nextPageToken"].as_str() {
            Some(token) => query = vec![("pageToken".to_owned(), token.to_owned())],
            None => break,
        }
    }
    let distinct: std::collections::BTreeSet<&String> = seen.iter().collect();
    assert_eq!((seen.len(), distinct.len(), pages), (250, 250, 3));
}

#[tokio::test]
async fn evidence_that_is_gone_is_named_and_the_rest_is_told() {
    let world = Deployment::with_call("1").await;
    let key = entries(&world.lineage("c-1", &[]).await)[0]["ledger"]["segment"].as_str().unwrap().to_owned();
    world.ledger.erase(&key);
    let body = world.lineage("c-1", &[]).await;
    assert_eq!((&body["complete"], entries(&body).len()), (&json!(false), 2));
    assert_eq!(body["records"][0]["faults"][0]["segment"], json!(key));
    // What bronze and silver have lost is said, too.
    let events = entries(&body);
    let (bronze, silver) = (events[0]["bronze"]["key"].as_str().unwrap(), events[0]["silver"]["key"].as_str().unwrap());
    world.bronze.erase(bronze);
    world.lake.erase(silver);
    let body = world.lineage("c-1", &[]).await;
    let event = entries(&body)[0];
    assert_eq!((&event["bronze"]["state"], &event["silver"]["state"]), (&json!("gone"), &json!("gone")));
    let provenance: Value = serde_json::from_str(event["lineageProvenance"].as_str().unwrap()).unwrap();
    assert_eq!(provenance["metadata"]["processedAt"], json!("2026-03-02T14:05:00.000Z"), "told again from the entry");
}

/// Each example of `events/` that begins with the function's name and asks for lineage.
#[tokio::test]
async fn the_examples_are_answered() {
    let world = Deployment::new();
    world.call("11111111-1111-4111-8111-111111111111", Some(TOKEN)).await;
    for file in ["apigw-insight-lineage.json", "apigw-insight-interaction.json"] {
        let path = format!("{}/../../events/{file}", env!("CARGO_MANIFEST_DIR"));
        let event: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        let query = event["queryStringParameters"].as_object().cloned().unwrap_or_default();
        let query: Vec<(&str, &str)> =
            query.iter().map(|(name, value)| (name.as_str(), value.as_str().unwrap())).collect();
        let (status, body) = world.ask("acme", event["path"].as_str().unwrap(), &query).await;
        assert_eq!(status, 200, "{file}: {body}");
        assert_eq!(
            event["requestContext"]["authorizer"]["scopes"],
            analyst("lineage:read gold:read", "acme")["scopes"],
            "{file}"
        );
    }
}
