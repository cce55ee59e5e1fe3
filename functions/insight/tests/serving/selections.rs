//! What is answered: whose rows, added up how, and when it is not sent again.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::world::*;

fn told(body: &Value) -> Vec<(String, String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let rows = body["rows"].as_array().unwrap().iter();
    rows.map(|row| (text(&row["org"]), text(&row["queue_id"]), text(&row["media"]))).collect()
}

fn row(org: &str, queue: &str, media: &str) -> (String, String, String) {
    (org.to_owned(), queue.to_owned(), media.to_owned())
}

#[tokio::test]
async fn a_day_is_one_read_and_has_the_guides_columns_with_the_media_of_a_queue_added_up() {
    let world = World::new();
    let (status, body) = world.ask("*", &[("date", "2026-03-02"), ("granularity", "daily")]).await;
    assert_eq!(status, 200, "{body}");
    assert_eq!(world.calls.by_name(), BTreeMap::from([("s3:GetObject", 1)]));
    assert_eq!(told(&body), [row("acme", "q-1", "-"), row("acme", "q-2", "-"), row("globex", "q-9", "-")]);
    let first = &body["rows"][0];
    // (600 + 100) s by 4; two of four came back within the week.
    for (column, value) in [
        ("date", json!("2026-03-02")),
        ("total_contacts", json!(4)),
        ("avg_duration_sec", json!(175.0)),
        ("service_level_pct", json!(100.0)),
        ("fcr_rate_pct", json!(50.0)),
        ("customer_satisfaction_avg", Value::Null),
    ] {
        assert_eq!(first[column], value, "{column}");
    }
    assert_eq!(first["counts"]["talk_ms"], 700_000);
    assert_eq!(first["lineage"], "gold/runs/date=2026-03-02/3.json");
    assert_eq!(first["figure"], json!(["2026-03-02", "q-1", "METRIC", "--org", "acme"]), "what leads to its events");
    assert_eq!(body["totals"]["total_contacts"], 10);
    for (member, value) in [
        ("granularity", json!("daily")),
        ("timeZone", json!("UTC")),
        ("asOf", json!("2026-03-03T00:15:00.000Z")),
        ("revision", json!(3)),
        ("stale", json!(false)),
        ("fcrProvisional", json!(true)),
        ("fcrFinalOn", json!("2026-03-10")),
    ] {
        assert_eq!(body[member], value, "{member}");
    }
    assert!(body["definitions"]["figures"]["avg_duration_sec"].is_string() && body["sqlSha256"].is_string());
}

#[tokio::test]
async fn half_hours_a_queue_and_a_medium_are_asked_for_by_name() {
    let world = World::new();
    let (_, body) = world.ask("*", &[("date", "2026-03-02"), ("granularity", "30min"), ("queue_id", "q-1")]).await;
    assert_eq!(told(&body), [row("acme", "q-1", "-"), row("acme", "q-1", "-")]);
    assert_eq!(body["rows"][1]["interval_start"], "2026-03-02T09:30:00.000Z");
    assert!(body["rows"][0]["counts"].get("fcr_eligible").is_none());
    assert_eq!(
        body["rows"][1]["figure"].as_array().unwrap()[5..],
        [json!("--half-hour"), json!("2026-03-02T09:30:00.000Z")]
    );
    let (_, body) = world.ask("*", &[("date", "2026-03-02"), ("media", "voice"), ("queue_id", "q-1")]).await;
    assert_eq!((told(&body), &body["totals"]["total_contacts"]), (vec![row("acme", "q-1", "VOICE")], &json!(3)));
    let (status, body) = world.ask("*", &[("date", "2026-03-02"), ("queue_id", "q-7")]).await;
    assert_eq!((status, told(&body), &body["totals"]["total_contacts"]), (200, vec![], &json!(0)));
}

#[tokio::test]
async fn nobody_hears_of_an_org_that_the_token_does_not_name() {
    let world = World::new();
    let day = ("date", "2026-03-02");
    let (_, body) = world.ask("globex", &[day]).await;
    assert_eq!((told(&body), &body["totals"]["total_contacts"]), (vec![row("globex", "q-9", "-")], &json!(4)));
    assert!(!body.to_string().contains("acme"));
    let (_, body) = world.ask("acme globex", &[day, ("org", "acme")]).await;
    assert_eq!(told(&body), [row("acme", "q-1", "-"), row("acme", "q-2", "-")]);
    let (status, body) = world.ask("initech", &[day]).await;
    assert_eq!((status, told(&body)), (200, vec![]));
    let (status, body) = world.ask("globex", &[day, ("org", "acme")]).await;
    assert_eq!((status, &body["type"]), (403, &json!("urn:ledgerline:problem:org-not-allowed")));
}

#[tokio::test]
async fn what_the_caller_has_is_not_sent_again_until_it_is_another() {
    let world = World::new();
    let day = [("date", "2026-03-02")];
    let (_, _, first) = world.ask_with("acme", &day, json!({})).await;
    let tag = first.headers["etag"].to_str().unwrap().to_owned();
    assert_eq!(first.headers["cache-control"], "private, no-cache");
    let headers = json!({ "If-None-Match": tag });
    world.calls.reset();
    let (status, body, again) = world.ask_with("acme", &day, headers.clone()).await;
    assert_eq!((status, body, &again.headers["etag"]), (304, Value::Null, &first.headers["etag"]));
    assert_eq!(world.calls.by_name(), BTreeMap::from([("s3:GetObject", 1)]));
    // Another caller's, another selection, and the same one once the figures changed.
    assert_eq!(world.ask_with("globex", &day, headers.clone()).await.0, 200);
    assert_eq!(world.ask_with("acme", &[day[0], ("media", "VOICE")], headers.clone()).await.0, 200);
    let granularity = ledgerline_figures::summary::Granularity::Daily;
    world.store(DAY, granularity, vec![crate::world::row(("acme", "q-1", "VOICE"), 5, 1_000, None)]);
    assert_eq!(world.ask_with("acme", &day, headers).await.0, 200);
}

/// Each example of `events/` that begins with the function's name.
#[tokio::test]
async fn the_examples_are_answered() {
    for file in ["apigw-insight-daily.json", "apigw-insight-30min.json"] {
        let path = format!("{}/../../events/{file}", env!("CARGO_MANIFEST_DIR"));
        let (status, body, response) = World::new().handle(&std::fs::read_to_string(path).unwrap()).await;
        assert_eq!(status, 200, "{file}: {body}");
        assert!(response.headers.contains_key("etag") && !told(&body).is_empty(), "{file}");
    }
}
