//! What is not answered, and what is said of it.

use ledgerline_figures::summary::Granularity;
use ledgerline_lake::keys;
use ledgerline_testkit::faults::Weather;
use serde_json::{Value, json};

use crate::world::*;

fn kind(body: &Value) -> &str {
    body["type"].as_str().unwrap_or_default().trim_start_matches("urn:ledgerline:problem:")
}

#[tokio::test]
async fn a_date_without_figures_is_not_found_and_one_without_rows_is_empty() {
    let world = World::new();
    let (status, body) = world.ask("*", &[("date", "2026-03-01")]).await;
    assert_eq!((status, kind(&body)), (404, "no-figures"));
    for granularity in Granularity::ALL {
        let query = [("date", "2026-03-03"), ("granularity", granularity.as_str())];
        let (status, body) = world.ask("*", &query).await;
        assert_eq!((status, &body["rows"], &body["totals"]["total_contacts"]), (200, &json!([]), &json!(0)));
    }
}

#[tokio::test]
async fn a_parameter_that_is_missing_wrong_unknown_or_doubled_is_named_and_never_repeated() {
    let world = World::new();
    for (query, named) in [
        (vec![], "`date`"),
        (vec![("date", "planted")], "`date`"),
        (vec![("date", "2026-03-02"), ("granularity", "planted")], "`granularity`"),
        (vec![("date", "2026-03-02"), ("media", "planted+1")], "`media`"),
        (vec![("date", "2026-03-02"), ("queue_id", "planted\u{7}")], "`queue_id`"),
        (vec![("date", "2026-03-02"), ("org", "planted org")], "`org`"),
        (vec![("date", "2026-03-02"), ("planted", "planted")], "queue_id"),
    ] {
        let (status, body) = world.ask("*", &query).await;
        assert_eq!((status, kind(&body)), (400, "invalid-parameter"), "{query:?}");
        let text = body.to_string();
        assert!(text.contains(named) && !text.contains("planted"), "{text}");
    }
    let mut twice = event(&analyst("gold:read", "*"), "GET", &[("date", "2026-03-02")], json!({}));
    twice["multiValueQueryStringParameters"]["date"] = json!(["2026-03-01", "2026-03-02"]);
    assert_eq!(world.handle(&twice.to_string()).await.0, 400);
    world.ask("planted-org", &[("date", "2026-03-02"), ("org", "planted-other"), ("queue_id", "planted-queue")]).await;
    assert!(!captured().text().contains("planted"), "nothing that was typed is in the log");
}

#[tokio::test]
async fn an_answer_beyond_five_mebibytes_is_refused_with_what_makes_it_smaller() {
    let world = World::new();
    let queue = |number: usize| format!("q-{number}");
    let rows: Vec<_> = (0..12_000).map(|number| row(("acme", &queue(number), "VOICE"), 1, 1, None)).collect();
    world.store(DAY, Granularity::Daily, rows);
    let (status, body) = world.ask("*", &[("date", "2026-03-02")]).await;
    assert_eq!((status, kind(&body)), (413, "answer-too-large"));
    assert!(body["detail"].as_str().unwrap().contains("`queue_id`"));
    let (status, body) = world.ask("*", &[("date", "2026-03-02"), ("queue_id", "q-7")]).await;
    assert_eq!((status, body["rows"].as_array().unwrap().len()), (200, 1));
}

#[tokio::test]
async fn only_a_caller_with_the_scope_is_answered_and_only_here() {
    let world = World::new();
    let day = [("date", "2026-03-02")];
    let call = |caller: &Value, method: &str| event(caller, method, &day, json!({})).to_string();
    let (status, body, _) = world.handle(&call(&Value::Null, "GET")).await;
    assert_eq!((status, kind(&body)), (401, "unauthenticated"));
    for scopes in ["", "dsar:read", "lineage:read crm:write request:approve"] {
        let (status, body, _) = world.handle(&call(&analyst(scopes, "*"), "GET")).await;
        assert_eq!((status, kind(&body)), (403, "forbidden"), "{scopes}");
    }
    let (status, _, response) = world.handle(&call(&analyst("gold:read", "*"), "POST")).await;
    assert_eq!((status, &response.headers["allow"]), (405, &"GET".parse().unwrap()));
    let mut elsewhere = event(&analyst("gold:read", "*"), "GET", &day, json!({}));
    elsewhere["path"] = json!("/api/v2/analytics/gold");
    assert_eq!(world.handle(&elsewhere.to_string()).await.0, 404);
    for payload in ["", "null", "{}", "[]", "{\"httpMethod\":7}"] {
        assert_eq!(world.handle(payload).await.0, 400, "{payload}");
    }
    assert_eq!(world.calls.total(), 0, "nothing was read");
}

#[tokio::test]
async fn a_store_that_does_not_answer_is_told_and_so_is_one_that_holds_something_else() {
    let world = World::new();
    let day = [("date", "2026-03-02")];
    world.lake.seed(&keys::gold_summary(DAY, Granularity::Daily), "no document");
    let (status, body) = world.ask("*", &day).await;
    assert_eq!((status, kind(&body)), (500, "internal"));
    world.lake.set_denied(Some("gold/"));
    let (status, body) = world.ask("*", &day).await;
    assert_eq!((status, kind(&body)), (500, "internal"));
    world.lake.set_denied(None);
    world.faults.set_weather(Weather { unread: 1_000, ..Weather::default() });
    let (status, body, response) = world.ask_with("*", &day, json!({})).await;
    assert_eq!((status, kind(&body), &response.headers["retry-after"]), (503, "unavailable", &"5".parse().unwrap()));
}
