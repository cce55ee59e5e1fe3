//! Every record arrives, once a batch, whatever the engine answers and whenever the command ends.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::{Command, Output};

use crate::export::folder;

use super::engine::{Does, Engine, Request};
use super::lake::{Lake, Told};
use super::{CALL, MIDNIGHT_MS, answer, call};

const CASES: usize = 300;

/// 300 calls of seven events, and one that is larger than a batch.
fn lake(name: &str) -> std::path::PathBuf {
    let root = folder(name);
    let mut told: Vec<Told> =
        (0..CASES).flat_map(|n| call(&format!("c-{n:04}"), MIDNIGHT_MS - 7_200_000 + n as i64 * 1_000)).collect();
    told.extend((0..1_200).map(|n| Told::new("c-0100-large", "hold", MIDNIGHT_MS - 7_200_000 + n)));
    Lake::new(&root).write(&told);
    root
}

fn push(root: &Path, url: &str, more: &[&str]) -> Output {
    let cursor = root.join("cursor.json");
    let mut command = Command::new(env!("CARGO_BIN_EXE_ledgerline"));
    command.args([
        "--json",
        "mining",
        "push",
        "--folder",
        root.to_str().unwrap(),
        "--org",
        "acme",
        "--from",
        "2026-03-02",
    ]);
    command.args(["--url", url, "--cursor", cursor.to_str().unwrap()]).args(more);
    command.env("LEDGERLINE_MINING_TOKEN", "of-the-engine").env("LEDGERLINE_TOKEN", "of-the-api").output().unwrap()
}

/// By batch, case and order: how often it arrived.
fn arrived(requests: &[Request]) -> BTreeMap<(String, String, u64), u32> {
    let mut counts = BTreeMap::new();
    for request in requests.iter().filter(|request| request.arrived()) {
        let body = request.json();
        let batch = body["batch_id"].as_str().unwrap();
        for record in body["records"].as_array().unwrap() {
            let (case, order) = (record["case_id"].as_str().unwrap(), record["event_order"].as_u64().unwrap());
            *counts.entry((batch.to_owned(), case.to_owned(), order)).or_default() += 1;
        }
    }
    counts
}

fn expected() -> BTreeSet<(String, u64)> {
    let calls = (0..CASES).flat_map(|n| (1..=CALL.len() as u64).map(move |order| (format!("c-{n:04}"), order)));
    calls.chain((1..=1_200).map(|order| ("c-0100-large".to_owned(), order))).collect()
}

fn assert_all_is_there_once_a_batch(requests: &[Request]) {
    let records = arrived(requests);
    let distinct: BTreeSet<(String, u64)> = records.keys().map(|(_, case, order)| (case.clone(), *order)).collect();
    assert_eq!(distinct, expected());
    assert_eq!(records.len(), distinct.len(), "a record came under two batches");
    for request in requests {
        assert_eq!(request.line, "POST /api/v1/processes/bulk-ingest HTTP/1.1");
        assert_eq!(request.authorization.as_deref(), Some("Bearer of-the-engine"));
        let body = request.json();
        assert!(body["records"].as_array().unwrap().len() <= 1_000 && request.body.len() <= 1024 * 1024);
    }
}

#[test]
fn an_engine_that_is_busy_breaks_off_and_finds_batches_too_large_gets_each_record() {
    let root = lake("mining-busy");
    let engine = Engine::start(|number, records| match number {
        0 => Does::Refuse(429, Some("0")),
        1 => Does::Refuse(503, Some("0")),
        2 => Does::TakeAndBreakOff,
        3 => Does::Take,
        4 => Does::Refuse(500, None),
        // From now on, whatever it took before.
        _ if records > 300 => Does::Refuse(413, None),
        _ => Does::Take,
    });
    let said = answer(&push(&root, &engine.url, &[]), 0);
    let requests = engine.requests();
    assert_all_is_there_once_a_batch(&requests);
    assert_eq!(said["records"], expected().len());
    // What was sent before the line broke is sent again, and is the same batch.
    let ids: Vec<_> = requests.iter().map(|request| request.json()["batch_id"].clone()).collect();
    assert_eq!((&ids[0], &ids[1], &ids[2]), (&ids[2], &ids[2], &ids[3]));
    let twice = arrived(&requests).into_values().filter(|count| *count > 1).count();
    assert!(twice > 0 && twice <= 1_000, "{twice}");
    assert!(requests.iter().any(|request| request.does == Does::Refuse(413, None)));
    // Seven records are a case: it is whole in its batch.
    for request in requests.iter().filter(|request| request.arrived()) {
        let mut sizes: BTreeMap<String, usize> = BTreeMap::new();
        for record in request.json()["records"].as_array().unwrap() {
            *sizes.entry(record["case_id"].as_str().unwrap().to_owned()).or_default() += 1;
        }
        assert!(sizes.iter().all(|(case, size)| case.contains("large") || *size == CALL.len()), "{sizes:?}");
    }
    // Done is done.
    let again = answer(&push(&root, &engine.url, &[]), 0);
    assert_eq!((&again["records"], &again["recordsBefore"]), (&said["records"], &said["records"]));
    assert_eq!(engine.requests().len(), requests.len(), "nothing is sent again");
}

#[test]
fn a_push_that_was_interrupted_goes_on_with_the_batch_that_did_not_arrive() {
    let root = lake("mining-interrupted");
    // It ends twice: once before a batch arrives, and once after one did of which it is told nothing good.
    let engine = Engine::start(|number, records| match number {
        1 => Does::Refuse(422, None),
        3 => Does::Refuse(401, None),
        _ if records > 600 => Does::Refuse(413, None),
        _ => Does::Take,
    });
    let mut ended = Vec::new();
    loop {
        let output = push(&root, &engine.url, &[]);
        if output.status.code() == Some(0) {
            break;
        }
        let refused = answer(&output, 2);
        let requests = engine.requests();
        let last = requests.last().unwrap().json()["batch_id"].as_str().unwrap().to_owned();
        let told = refused["error"].to_string();
        assert!(told.contains(&last), "{told}");
        ended.push(last);
        // Somebody who sends something else must not go on here.
        let other = answer(&push(&root, &engine.url, &["--view", "intervals"]), 2);
        assert!(other["error"].to_string().contains("another push"), "{other}");
        assert_eq!(engine.requests().len(), requests.len());
    }
    let requests = engine.requests();
    assert_eq!(ended.len(), 2);
    assert_all_is_there_once_a_batch(&requests);
    for batch in ended {
        let sent = requests.iter().filter(|request| request.json()["batch_id"] == batch.as_str());
        assert_eq!(sent.map(Request::arrived).collect::<Vec<_>>(), [false, true], "{batch}");
    }
}

#[test]
fn nothing_is_sent_where_others_could_read_it_nor_without_a_token() {
    let root = lake("mining-private");
    let refused = answer(&push(&root, "http://mining.example", &[]), 2);
    assert!(refused["error"].to_string().contains("is not https"), "{refused}");
    let mut command = Command::new(env!("CARGO_BIN_EXE_ledgerline"));
    command.args([
        "--json",
        "mining",
        "push",
        "--folder",
        root.to_str().unwrap(),
        "--org",
        "acme",
        "--from",
        "2026-03-02",
    ]);
    command.args(["--url", "https://mining.example", "--cursor", root.join("c").to_str().unwrap()]);
    let refused = answer(&command.env_remove("LEDGERLINE_MINING_TOKEN").output().unwrap(), 2);
    assert!(refused["error"].to_string().contains("LEDGERLINE_MINING_TOKEN is not set"), "{refused}");
}
