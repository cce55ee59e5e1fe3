//! What may be sent, and how much of it.

use std::io::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::GzEncoder;
use ledgerline_capture::body::{BODY_BYTES, ITEMS_MAX, UNPACKED_BYTES};
use serde_json::{Value, json};

use crate::world::*;

fn survey(id: &str) -> Value {
    json!({ "conversationId": id, "eventType": "survey", "timestamp": "2026-03-02T13:59:00Z" })
}

#[tokio::test]
async fn one_an_array_lines_and_the_guides_bulk_body_are_taken() {
    let world = World::new().await;
    let bulk =
        std::fs::read_to_string(format!("{}/../../events/guide-001-bulk-ingest.json", env!("CARGO_MANIFEST_DIR")));
    let bulk: Value = serde_json::from_str(&bulk.unwrap()).unwrap();
    let of_bulk = bulk["records"].as_array().unwrap().len();
    for (body, accepted) in [
        (survey("c-1").to_string(), 1),
        (json!([survey("c-1"), survey("c-2")]).to_string(), 2),
        (format!("{}\n{}\n", survey("c-1"), survey("c-2")), 2),
        (json!({ "events": [survey("c-1"), survey("c-2")] }).to_string(), 2),
        (bulk.to_string(), of_bulk),
    ] {
        let before = world.records().len();
        let answer = world.send(INGEST, &body).await;
        assert_eq!((answer.status, &answer.body["accepted"]), (202, &json!(accepted)), "{body}: {answer:?}");
        assert_eq!(answer.body.get("refused"), None);
        let events = answer.body["events"].as_array().unwrap();
        assert_eq!((events.len(), world.records().len() - before), (accepted, accepted));
        for (index, event) in events.iter().enumerate() {
            assert_eq!(event["index"], json!(index));
            assert!(event["interactionId"].is_string() && event["lineageToken"].is_string(), "{event}");
        }
    }
}

#[tokio::test]
async fn bad_items_are_answered_by_their_places_and_good_ones_taken() {
    let world = World::new().await;
    let answer = world.send(INGEST, &format!("[7,{},{{\"a\":1,\"a\":2}},{}]", survey("c-1"), survey("c-2"))).await;
    assert_eq!((answer.status, &answer.body["accepted"]), (207, &json!(2)));
    assert_eq!(
        answer.body["refused"],
        json!([{ "index": 0, "reason": "not_object" }, { "index": 2, "reason": "duplicate_key" }])
    );
    let places: Vec<&Value> = answer.body["events"].as_array().unwrap().iter().map(|one| &one["index"]).collect();
    assert_eq!((places, world.records().len()), (vec![&json!(1), &json!(3)], 2));

    let answer = world.send(INGEST, "[7,8]").await;
    assert_eq!((answer.status, answer.problem(), world.records().len()), (422, "no-event", 2));
    assert!(answer.body["detail"].as_str().unwrap().contains("not_object"));
}

/// What no shape places is transform's to set aside: here it is taken.
#[tokio::test]
async fn an_object_that_no_shape_places_is_taken_and_named_by_nothing() {
    let world = World::new().await;
    let answer = world.send(INGEST, r#"{"ticket":{"ref":"7"},"when":"2026-03-02","who":"planted"}"#).await;
    assert_eq!((answer.status, world.records().len()), (202, 1));
    assert_eq!(answer.body["events"], json!([{ "index": 0, "journaled": false }]));
}

#[tokio::test]
async fn the_limits_of_a_body_are_the_functions_own() {
    let world = World::new().await;
    let padded = |bytes: usize| {
        let event = survey("c-1").to_string();
        format!("{event}{}", " ".repeat(bytes - event.len()))
    };
    for (body, status, problem) in [
        (padded(BODY_BYTES), 202, ""),
        (padded(BODY_BYTES + 1), 413, "body-too-large"),
        (Value::from(vec![json!({}); ITEMS_MAX]).to_string(), 202, ""),
        (Value::from(vec![json!({}); ITEMS_MAX + 1]).to_string(), 413, "too-many-events"),
        (String::new(), 400, "invalid-body"),
        ("[".to_owned(), 400, "invalid-body"),
        ("hello".to_owned(), 422, "no-event"),
    ] {
        let answer = world.send(INGEST, &body).await;
        assert_eq!((answer.status, answer.problem()), (status, problem), "{} bytes", body.len());
    }
}

#[tokio::test]
async fn a_compressed_body_is_unpacked_ten_times_and_no_further() {
    let world = World::new().await;
    let packed = |bytes: usize| {
        let event = survey("c-1").to_string();
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(event.as_bytes()).unwrap();
        encoder.write_all(&vec![b' '; bytes - event.len()]).unwrap();
        encoder.finish().unwrap()
    };
    let whole = packed(UNPACKED_BYTES);
    for (body, status, problem) in [
        (whole.clone(), 202, ""),
        (packed(UNPACKED_BYTES + 1), 413, "body-too-large"),
        (whole[..whole.len() / 2].to_vec(), 400, "invalid-body"),
    ] {
        let mut event = event("POST", INGEST, json!({ "x-processmining-token": TOKEN }), &STANDARD.encode(&body));
        event["isBase64Encoded"] = json!(true);
        let answer = world.event(&event).await;
        assert_eq!((answer.status, answer.problem()), (status, problem), "{answer:?}");
    }
    let mut event = event("POST", INGEST, json!({ "x-processmining-token": TOKEN }), "%");
    event["isBase64Encoded"] = json!(true);
    assert_eq!(world.event(&event).await.status, 400);
}

#[tokio::test]
async fn a_card_code_is_cut_before_anything_is_kept() {
    let world = World::new().await;
    let mut event = survey("c-1");
    event["cvv"] = json!("737");
    assert_eq!(world.send(INGEST, &event.to_string()).await.status, 202);
    assert!(!world.records()[0].contains("737"), "{}", world.records()[0]);
}

/// Each example of `events/` that begins with the function's name.
#[tokio::test]
async fn every_example_is_answered() {
    let world = World::new().await;
    let folder = format!("{}/../../events", env!("CARGO_MANIFEST_DIR"));
    let files = ["apigw-capture-ingest.json", "apigw-capture-audit-event.json"];
    for file in files {
        let mut event: Value =
            serde_json::from_str(&std::fs::read_to_string(format!("{folder}/{file}")).unwrap()).unwrap();
        // The examples have a token that nobody has.
        assert_eq!(world.event(&event).await.status, 401, "{file}");
        event["headers"]["x-processmining-token"] = json!(TOKEN);
        let answer = world.event(&event).await;
        assert_eq!((answer.status, &answer.body["accepted"]), (202, &json!(1)), "{file}: {answer:?}");
    }
    assert_eq!(world.journaled().len(), 1, "the audit event");
    let names = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    assert_eq!(names.filter(|name| name.starts_with("apigw-capture-")).count(), files.len());
}
