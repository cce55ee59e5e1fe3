//! From figures back to events: one Rust function held against the SQL; and on the local stack the API, the command line, and what
//! OpenLineage's own client says of gold's runs.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use ledgerline_event::lineage::derived_token;
use ledgerline_figures::facts::{COUNTED, Event, facts};
use ledgerline_figures::zone::{start_of_utc, utc_date_of};
use ledgerline_figures::{Counters, IntervalKey, Targets};
use ledgerline_lake::sql::drill::{self, Behind, TOTAL_CONTACTS};
use ledgerline_lake::{gold as gold_files, keys, sql};
use ledgerline_ledger::origin::PlanOf;
use ledgerline_tests::access::{Answer, bearer};
use ledgerline_tests::gold::{self, compute};
use ledgerline_tests::org::Org;
use ledgerline_tests::stack::Stack;
use ledgerline_traffic::r#gen::known::{KnownArgs, generate};
use rand::seq::IndexedRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng as Dice;
use serde_json::{Value, json};
use time::Date;
use time::macros::date;

use crate::operator::{answer, ledgerline};

const DAY: Date = date!(2026 - 03 - 02);
const DAY_MS: i64 = 86_400_000;
const ORG: &str = "acme";

/// Events of one interaction each, some of which share legs, over four days; every value that decides anything, and none.
fn random_events(dice: &mut Dice) -> BTreeMap<String, Vec<Event>> {
    let mut all = BTreeMap::new();
    for number in 0..1_500 {
        let count = dice.random_range(1..12);
        all.insert(format!("c-{number}"), (0..count).map(|_| random_event(dice)).collect());
    }
    all
}

fn random_event(dice: &mut Dice) -> Event {
    let kinds = [&COUNTED[..], &["user.start", "flow.end"]].concat();
    let text = |dice: &mut Dice, texts: &[&str]| {
        let text = texts.choose(dice).copied().unwrap_or_default();
        (!text.is_empty()).then(|| text.to_owned())
    };
    let time = |dice: &mut Dice| match dice.random_range(0..6) {
        0 => None,
        1 => Some(0),
        2 => Some(-5),
        3 => Some(40_000_000_000),
        _ => Some(dice.random_range(1..90_000)),
    };
    // Twice the weight around midnight: legs and surveys that are told on another day.
    let at_ms = start_of_utc(DAY) - DAY_MS + dice.random_range(0..3 * DAY_MS);
    Event {
        event_type: (*kinds.choose(dice).unwrap_or(&"acd.end")).to_owned(),
        occurred_at_ms: at_ms,
        session_id: text(dice, &["s-1", "s-2", ""]),
        division: text(dice, &["north", "", ""]),
        queue_id: text(dice, &["q-1", "q-2", "", ""]),
        media: text(dice, &["VOICE", "VOICE", "CHAT", "EMAIL", "CALLBACK", ""]),
        direction: text(dice, &["INBOUND", "OUTBOUND", ""]),
        acd_outcome: text(dice, &["ANSWERED", "ANSWERED", "ABANDON", "FLOW_OUT", "OTHER", ""]),
        disconnect_type: text(
            dice,
            &["TRANSFER", "CONSULT_TRANSFER", "NO_ANSWER_TRANSFER", "DND_ENDPOINT", "CLIENT", ""],
        ),
        connected_duration_ms: time(dice),
        interacting_duration_ms: time(dice),
        held_duration_ms: time(dice),
        contacting_duration_ms: time(dice),
        dialing_duration_ms: time(dice),
        alerting_duration_ms: time(dice),
        wrapup_duration_ms: time(dice),
        survey_score_centi: time(dice),
    }
}

/// The columns of silver that the interval text reads, with what DuckDB calls their types.
const COLUMNS: [(&str, &str); 23] = [
    ("org", "VARCHAR"),
    ("date", "VARCHAR"),
    ("interaction_id", "VARCHAR"),
    ("event_type", "VARCHAR"),
    ("occurred_at_ms", "BIGINT"),
    ("session_id", "VARCHAR"),
    ("division", "VARCHAR"),
    ("queue_id", "VARCHAR"),
    ("media", "VARCHAR"),
    ("direction", "VARCHAR"),
    ("agent_ref", "VARCHAR"),
    ("acd_outcome", "VARCHAR"),
    ("disconnect_type", "VARCHAR"),
    ("connected_duration_ms", "BIGINT"),
    ("interacting_duration_ms", "BIGINT"),
    ("held_duration_ms", "BIGINT"),
    ("contacting_duration_ms", "BIGINT"),
    ("dialing_duration_ms", "BIGINT"),
    ("alerting_duration_ms", "BIGINT"),
    ("wrapup_duration_ms", "BIGINT"),
    ("survey_score_centi", "BIGINT"),
    ("bronze_object", "VARCHAR"),
    ("bronze_line", "BIGINT"),
];

fn silver_row(interaction: &str, line: usize, event: &Event) -> Value {
    json!({
        "org": ORG, "date": keys::iso_date(utc_date_of(event.occurred_at_ms).unwrap()), "interaction_id": interaction,
        "event_type": event.event_type, "occurred_at_ms": event.occurred_at_ms, "session_id": event.session_id, "division": event.division,
        "queue_id": event.queue_id, "media": event.media, "direction": event.direction, "agent_ref": null, "acd_outcome": event.acd_outcome,
        "disconnect_type": event.disconnect_type, "connected_duration_ms": event.connected_duration_ms,
        "interacting_duration_ms": event.interacting_duration_ms, "held_duration_ms": event.held_duration_ms,
        "contacting_duration_ms": event.contacting_duration_ms, "dialing_duration_ms": event.dialing_duration_ms,
        "alerting_duration_ms": event.alerting_duration_ms, "wrapup_duration_ms": event.wrapup_duration_ms,
        "survey_score_centi": event.survey_score_centi, "bronze_object": "0f", "bronze_line": line,
    })
}

/// A folder of the test's own with silver as one file of rows.
fn laid(name: &str, events: &BTreeMap<String, Vec<Event>>) -> PathBuf {
    let folder = xtask::paths::target().join("lineage").join(name);
    std::fs::create_dir_all(&folder).unwrap();
    let columns: serde_json::Map<String, Value> =
        COLUMNS.iter().map(|(name, kind)| ((*name).to_owned(), json!(kind))).collect();
    let mut lines = vec![Value::Object(columns).to_string()];
    let rows = events.iter().flat_map(|(id, events)| events.iter().map(move |event| (id, event)));
    lines.extend(rows.enumerate().map(|(line, (id, event))| silver_row(id, line, event).to_string()));
    std::fs::write(folder.join("silver.jsonl"), lines.join("\n")).unwrap();
    folder
}

/// What SQL texts give over a folder's silver, by their names.
fn over(folder: &Path, texts: &[(String, String)]) -> Value {
    let paths: Vec<String> = texts.iter().map(|(name, _)| folder.join(name).display().to_string()).collect();
    paths.iter().zip(texts).for_each(|(path, (_, text))| std::fs::write(path, text).unwrap());
    let folder = folder.display().to_string();
    let arguments: Vec<&str> = ["over", &folder].into_iter().chain(paths.iter().map(String::as_str)).collect();
    gold::python(&arguments)
}

/// The interval text's rows as the product reads them.
fn intervals(rows: &Value, targets: &Targets) -> BTreeMap<IntervalKey, Counters> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let row = |row: &Value| {
        let key = IntervalKey {
            org: text(&row["org"]).unwrap(),
            division: text(&row["division"]),
            queue_id: text(&row["queue_id"]),
            media: text(&row["media"]).unwrap(),
            direction: text(&row["direction"]).unwrap(),
            interval_start_ms: row["interval_start_ms"].as_i64().unwrap(),
        };
        let mut counters = Counters::default();
        for name in Counters::NAMES {
            let column = match *name {
                "within_target" => format!("{}{}", sql::WITHIN, targets.of(key.queue_id.as_deref(), &key.media)),
                name => name.to_owned(),
            };
            *counters.named(name).unwrap() = row[&column].as_i64().unwrap_or_else(|| panic!("{column}: {row}"));
        }
        (key, counters)
    };
    rows.as_array().unwrap().iter().map(row).collect()
}

/// Needs no stack.
#[test]
fn one_interactions_facts_add_up_to_the_rows_of_the_sql() {
    let events = random_events(&mut Dice::seed_from_u64(1));
    let folder = laid("facts", &events);
    let targets = Targets::read("queue_id,media,target_seconds\nq-1,VOICE,60\n").unwrap();
    let dates = [DAY - time::Duration::DAY, DAY, DAY + time::Duration::DAY];
    let texts: Vec<(String, String)> = dates
        .iter()
        .map(|date| (format!("{}.sql", keys::iso_date(*date)), sql::intervals(*date, &targets.distinct())))
        .collect();
    let found = over(&folder, &texts);
    let mut ours: BTreeMap<Date, BTreeMap<IntervalKey, Counters>> = BTreeMap::new();
    for events in events.values() {
        for fact in facts(ORG, events).into_iter().flatten() {
            let fact = fact.judged(&targets);
            let date = utc_date_of(fact.key.interval_start_ms).unwrap();
            ours.entry(date).or_default().entry(fact.key).or_default().add(&fact.counters);
        }
    }
    for (date, (name, _)) in dates.iter().zip(&texts) {
        let theirs = intervals(&found[name], &targets);
        assert!(theirs.len() > 100, "{name}: {}", theirs.len());
        assert_eq!(ours.remove(date).unwrap_or_default(), theirs, "{name}");
    }
}

/// Needs no stack: for every queue and counter the events behind the figure are as many as it says, or add up to it.
#[test]
fn the_events_behind_every_figure_are_the_figure() {
    let events = random_events(&mut Dice::seed_from_u64(2));
    let folder = laid("drill", &events);
    let targets = Targets::read("queue_id,media,target_seconds\nq-2,CHAT,45\n").unwrap();
    let queues = [Some("q-1"), Some("q-2"), None];
    let metrics: Vec<&str> = Counters::NAMES.iter().copied().chain([TOTAL_CONTACTS]).collect();
    let (first_ms, end_ms) = (start_of_utc(DAY), start_of_utc(DAY) + DAY_MS);
    let mut texts = vec![("day.sql".to_owned(), sql::intervals(DAY, &targets.distinct()))];
    for queue in queues {
        for metric in &metrics {
            let behind = Behind { queue_id: queue, media: None, org: Some(ORG), metric, first_ms, end_ms };
            let text = drill::facts(DAY, &behind, &targets).unwrap();
            texts.push((format!("{}-{metric}.sql", queue.unwrap_or("none")), text));
        }
    }
    let found = over(&folder, &texts);
    let day = intervals(&found["day.sql"], &targets);
    for queue in queues {
        let mut sums = Counters::default();
        day.iter().filter(|(key, _)| key.queue_id.as_deref() == queue).for_each(|(_, counters)| sums.add(counters));
        for metric in &metrics {
            let figure = match sums.named(metric) {
                Some(counter) => *counter,
                None => sums.answered + sums.abandoned + sums.flow_out + sums.outcome_unknown,
            };
            let behind = found[&format!("{}-{metric}.sql", queue.unwrap_or("none"))].as_array().unwrap();
            let each: Vec<i64> = behind.iter().map(|event| event["counted"].as_i64().unwrap()).collect();
            let what = format!("{metric} of {queue:?}");
            assert!(figure > 0, "{what}: the test counts nothing");
            assert_eq!(each.iter().sum::<i64>(), figure, "{what}");
            if !metric.ends_with("_ms") && !metric.ends_with("_centi") {
                assert_eq!(each.len() as i64, figure, "{what}: each event counts for one");
            }
            let places: BTreeSet<i64> = behind.iter().map(|event| event["bronze_line"].as_i64().unwrap()).collect();
            assert_eq!(places.len(), each.len(), "{what}: an event is there once");
        }
    }
}

/// Needs no stack: what a person asks Athena, where no test of ours runs.
#[test]
fn athena_trino_and_duckdb_read_one_tree_in_what_a_person_asks() {
    let folder = xtask::paths::target().join("lineage").join("dialects");
    std::fs::create_dir_all(&folder).unwrap();
    let behind = |metric| Behind {
        queue_id: Some("o'neill"),
        media: Some("VOICE"),
        org: Some(ORG),
        metric,
        first_ms: 0,
        end_ms: 1,
    };
    let texts = [
        ("answered.sql", drill::facts(DAY, &behind("answered"), &Targets::default()).unwrap()),
        ("within.sql", drill::facts(DAY, &behind("within_target"), &Targets::default()).unwrap()),
        ("contacts.sql", drill::facts(DAY, &behind(TOTAL_CONTACTS), &Targets::default()).unwrap()),
        ("provenance.sql", drill::provenance(DAY, DAY, Some("processed"), Some("1.1"), Some(ORG), 10).unwrap()),
    ];
    let paths: Vec<String> = texts.iter().map(|(name, _)| folder.join(name).display().to_string()).collect();
    paths.iter().zip(&texts).for_each(|(path, (_, text))| std::fs::write(path, text).unwrap());
    let arguments: Vec<&str> = std::iter::once("dialects").chain(paths.iter().map(String::as_str)).collect();
    let found = gold::python(&arguments);
    for (name, _) in &texts {
        assert_eq!(found[name], json!({ "athena": true, "trino": true, "duckdb": true }), "{name}");
    }
}

/// An analyst's question at a path, asked again while the usage plan says so.
fn get(stack: &Stack, path: &str, query: &[(&str, &str)]) -> Answer {
    stack.wait_for("room in the usage plan", || {
        let answer = gold::ask_at(stack, path, query);
        if answer.status == 429 { Err("429".to_owned()) } else { Ok(answer) }
    })
}

fn lineage(stack: &Stack, record: &str, query: &[(&str, &str)]) -> Value {
    let answer = get(stack, &format!("/api/v1/lineage/{record}"), query);
    assert_eq!(answer.status, 200, "{record}: {:?}", answer.body);
    answer.body
}

fn entries(body: &Value) -> Vec<&Value> {
    let records = body["records"].as_array().unwrap().iter();
    records.flat_map(|record| record["entries"].as_array().unwrap()).collect()
}

#[test]
fn a_known_day_leads_from_each_figure_to_events_that_are_where_the_answer_says() {
    let Some(stack) = Stack::running() else { return };
    let org = Org::new(&stack, "lineage");
    let date = date!(2025 - 10 - 06);
    let name = keys::iso_date(date);
    let day = generate(&KnownArgs { interactions: 40, seed: 9, date, org: org.name.clone(), expected: None });
    stack.send(&day.in_time);
    org.committed(day.in_time.len() as u64);
    stack.drained();
    for date in day.expected_in_time.days.keys() {
        compute(&stack, date);
    }
    let ids: BTreeSet<String> =
        org.entries().iter().filter_map(|entry| entry["interactionId"].as_str().map(str::to_owned)).collect();
    assert!(ids.len() >= 40, "{}", ids.len());
    let mut ours: BTreeMap<IntervalKey, Counters> = BTreeMap::new();
    for id in &ids {
        let body = lineage(&stack, id, &[("org", &org.name)]);
        assert_eq!(body["complete"], true, "{body}");
        for entry in entries(&body) {
            assert_place(&stack, entry);
            let cell = &entry["gold"];
            if cell["date"] != json!(name) {
                continue;
            }
            assert_eq!((&cell["counted"], cell["revision"].is_u64()), (&json!(true), true), "{cell}");
            add(&mut ours, &org.name, cell);
        }
    }
    let (bytes, _) = stack.object("LakeBucket", &keys::gold_intervals(date));
    let theirs = gold_files::read_intervals(bytes.into()).unwrap().into_iter().filter(|row| row.key.org == org.name);
    let theirs: BTreeMap<IntervalKey, Counters> = theirs.map(|row| (row.key, row.counters)).collect();
    assert!(theirs.len() > 10);
    assert_eq!(ours, theirs, "the answers' cells add up to gold's file");

    // What the API's figures lead to: the same numbers, by the command line.
    let figures = gold::ask(&stack, &[("date", &name), ("org", &org.name), ("granularity", "daily")], &[]).body;
    let row =
        &figures["rows"].as_array().unwrap().iter().find(|row| row["counts"]["answered"].as_i64() > Some(0)).unwrap();
    for metric in ["answered", "talk_ms", "total_contacts"] {
        let arguments: Vec<String> = row["figure"]
            .as_array()
            .unwrap()
            .iter()
            .map(|word| word.as_str().unwrap().replace("METRIC", metric))
            .collect();
        let arguments: Vec<&str> =
            ["figure", "--json"].into_iter().chain(arguments.iter().map(String::as_str)).collect();
        let told = answer(&ledgerline(Some(&stack), &arguments), 0);
        let figure = if metric == "total_contacts" { &row[metric] } else { &row["counts"][metric] };
        assert_eq!((&told["figure"], &told["sum"]), (figure, figure), "{metric}");
    }
    assert_open_lineage(&stack, &name);
}

/// The event is at its line of its object, and its row in its file.
fn assert_place(stack: &Stack, entry: &Value) {
    let bronze = &entry["bronze"];
    if bronze.is_null() {
        return;
    }
    assert_eq!((&bronze["bucket"], &bronze["state"]), (&json!(stack.bucket("BronzeBucket")), &json!("kept")));
    let text = String::from_utf8(stack.text("BronzeBucket", bronze["key"].as_str().unwrap())).unwrap();
    let number = bronze["line"].as_u64().unwrap();
    let line: Value = serde_json::from_str(text.lines().nth(usize::try_from(number).unwrap()).unwrap()).unwrap();
    assert_eq!(line["occurredAt"], entry["occurredAt"], "{bronze}");
    let object = bronze["object"].as_str().unwrap();
    assert_eq!(PlanOf::Bronze.event_id(object, number), entry["eventId"].as_str().unwrap());
    assert_eq!(entry["silver"]["state"], "kept");
    assert!(stack.keys("LakeBucket", entry["silver"]["key"].as_str().unwrap()).len() == 1);
}

fn add(sums: &mut BTreeMap<IntervalKey, Counters>, org: &str, cell: &Value) {
    let text = |name: &str| cell[name].as_str().map(str::to_owned);
    let start = text("intervalStart").unwrap();
    let at = time::OffsetDateTime::parse(&start, &time::format_description::well_known::Rfc3339).unwrap();
    let key = IntervalKey {
        org: org.to_owned(),
        division: text("division"),
        queue_id: text("queueId"),
        media: text("media").unwrap(),
        direction: text("direction").unwrap(),
        interval_start_ms: i64::try_from(at.unix_timestamp_nanos() / 1_000_000).unwrap(),
    };
    let mut counters = Counters::default();
    for (name, value) in cell["metrics"].as_object().unwrap() {
        *counters.named(name).unwrap() = value.as_i64().unwrap();
    }
    sums.entry(key).or_default().add(&counters);
}

/// The official client takes what gold told of its runs, and says the same of it.
#[expect(clippy::print_stdout, reason = "`cargo xtask test` counts the word")]
fn assert_open_lineage(stack: &Stack, date: &str) {
    let folder = xtask::paths::target().join("lineage").join("runs");
    let _ = std::fs::remove_dir_all(&folder);
    gold::download(stack, &format!("{}date={date}/", keys::LINEAGE), &folder);
    let files: Vec<String> = stack
        .keys("LakeBucket", &format!("{}date={date}/", keys::LINEAGE))
        .iter()
        .map(|key| folder.join(key).display().to_string())
        .collect();
    assert!(!files.is_empty(), "gold told nothing of its runs");
    let arguments: Vec<&str> = files.iter().map(String::as_str).collect();
    let said = gold::python_file("open_lineage.py", &arguments);
    if said["missing"] == true {
        println!("SKIPPED: openlineage-python is not installed in the tests' environment");
        return;
    }
    assert_eq!((&said["differences"], said["events"].as_u64()), (&json!([]), Some(2 * files.len() as u64)), "{said}");
}

#[test]
fn by_id_own_token_and_derived_token_the_api_and_trace_say_the_same() {
    let Some(stack) = Stack::running() else { return };
    let org = Org::new(&stack, "tokens");
    let id = uuid::Uuid::new_v4().to_string();
    let own = format!("lt-{}", uuid::Uuid::new_v4());
    let event = |at: &str, kind: &str| {
        let raw = json!({
            "orgId": org.name, "interactionId": id, "eventType": kind, "timestamp": format!("2026-03-02T14:00:{at}.000Z"),
            "customFields": { "lineageToken": own },
        });
        raw.to_string().into_bytes()
    };
    stack.send(&[event("01", "CALL_STARTED"), event("02", "CALL_ENDED")]);
    org.committed(2);
    stack.signed(&format!("{}/interaction/1/0", org.name), 2);
    let by_id = lineage(&stack, &id, &[("org", &org.name)]);
    assert_eq!(entries(&by_id).len(), 2);
    for token in [own.as_str(), &derived_token(&id)] {
        assert_eq!(entries(&lineage(&stack, token, &[("org", &org.name)])), entries(&by_id), "{token}");
    }
    let traced = |subject: &str| {
        let told = answer(&ledgerline(Some(&stack), &["trace", "--json", subject]), 0);
        let events: Vec<Value> =
            told["entries"].as_array().unwrap().iter().map(|entry| entry["eventId"].clone()).collect();
        (told["records"].clone(), events)
    };
    let first = traced(&id);
    assert_eq!(first.1.len(), 2);
    for token in [own.as_str(), &derived_token(&id)] {
        assert_eq!(traced(token), first, "{token}");
    }
    // The guide's own shape, and its provenance beside silver's.
    let shaped = get(&stack, &format!("/api/v2/analytics/interactions/{id}"), &[("org", &org.name)]).body;
    let provenance: Value =
        serde_json::from_str(shaped["customFields"]["lineageProvenance"].as_str().unwrap()).unwrap();
    assert_eq!((&shaped["id"], &provenance["id"]), (&json!(id), &json!(own)));
    for row in ledgerline_tests::silver::rows(&org) {
        let entry = entries(&by_id).into_iter().find(|entry| entry["eventId"] == row["event_id"]).unwrap();
        assert_eq!(entry["lineageProvenance"], row["lineage_provenance"], "silver's own word");
    }
    // Proofs that are handed out are checked offline.
    assert_proofs(&stack, &org, &id);
}

/// Writes proofs by the command line, from the API, and checks each.
fn assert_proofs(stack: &Stack, org: &Org<'_>, id: &str) {
    let folder = xtask::paths::target().join("lineage").join(&org.name);
    let description = stack.description();
    let binary = xtask::paths::target().join("debug/ledgerline");
    let (api, folder_text) = (description.api_url.as_str(), folder.display().to_string());
    // The usage plan may send it back.
    let told = stack.wait_for("proofs", || {
        let mut command = std::process::Command::new(&binary);
        command.env_clear().env("LEDGERLINE_TOKEN", description.token("analyst").unwrap());
        command.env("LEDGERLINE_API_KEY", description.analyst_key().unwrap());
        command.args(["lineage", "--json", id, "--api", api, "--org", &org.name, "--proofs", &folder_text]);
        let output = command.output().unwrap();
        if output.status.success() { Ok(output) } else { Err(String::from_utf8_lossy(&output.stdout).into_owned()) }
    });
    assert_eq!(answer(&told, 0)["proofs"], 2);
    let exported = folder.join("export");
    let log = format!("{}/interaction/1/0", org.name);
    answer(&ledgerline(Some(stack), &["export", "--json", "--log", &log, "--out", exported.to_str().unwrap()]), 0);
    let key = std::fs::read_dir(exported.join("keys")).unwrap().map(|entry| entry.unwrap().path()).next().unwrap();
    let proofs = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
    let proofs: Vec<PathBuf> =
        proofs.filter(|path| path.extension().is_some_and(|kind| kind == "tlog-proof")).collect();
    assert_eq!(proofs.len(), 2);
    for proof in proofs {
        answer(
            &ledgerline(None, &["check-proof", "--json", proof.to_str().unwrap(), "--key", key.to_str().unwrap()]),
            0,
        );
    }
}

#[test]
fn a_search_by_status_and_version_finds_the_events_that_have_them() {
    let Some(stack) = Stack::running() else { return };
    let org = Org::new(&stack, "search");
    let (id, date) = (uuid::Uuid::new_v4().to_string(), date!(2025 - 09 - 01));
    let raw = json!({ "orgId": org.name, "interactionId": id, "eventType": "CALL_STARTED", "timestamp": "2025-09-01T10:00:00.000Z" });
    stack.send(&[raw.to_string().into_bytes()]);
    org.committed(1);
    let search = |status: &str, version: &str| {
        let date = keys::iso_date(date);
        let arguments =
            ["lineage", "--json", "--status", status, "--version", version, "--from", &date, "--org", &org.name];
        answer(&ledgerline(Some(&stack), &arguments), 0)["events"].as_array().unwrap().clone()
    };
    let found = search("processed", "1.1");
    assert_eq!(found.len(), 1);
    assert_eq!((&found[0]["record"], &found[0]["occurredAt"]), (&json!(id), &json!("2025-09-01T10:00:00.000Z")));
    let provenance: Value = serde_json::from_str(found[0]["lineageProvenance"].as_str().unwrap()).unwrap();
    assert_eq!(provenance["metadata"]["status"], "processed");
    assert!(search("failed", "1.1").is_empty() && search("processed", "2.0").is_empty());
}

#[test]
fn lineage_is_for_those_who_may_read_it() {
    let Some(stack) = Stack::running() else { return };
    let path = "/api/v1/lineage/c-1";
    let reader = bearer(stack.description().token("reader").unwrap());
    let key = stack.description().analyst_key().unwrap().to_owned();
    let refused = stack.wait_for("room in the usage plan", || {
        let answer = gold::at(&stack, path, &[], &[("x-api-key", key.as_str()), ("authorization", reader.as_str())]);
        if answer.status == 429 { Err("429".to_owned()) } else { Ok(answer) }
    });
    assert_eq!((refused.status, &refused.body["type"]), (403, &json!("urn:ledgerline:problem:forbidden")));
    let unknown = get(&stack, &format!("/api/v1/lineage/{}", uuid::Uuid::new_v4()), &[]);
    assert_eq!((unknown.status, &unknown.body["type"]), (404, &json!("urn:ledgerline:problem:unknown-record")));
}
