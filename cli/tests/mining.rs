//! `mining` on a folder with silver: what is in a log, what arrives at an engine, and how much memory a million events take.

mod engine;
mod lake;
mod million;
mod pushing;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

use crate::export::folder;
use lake::{Lake, Told};

fn run(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_ledgerline")).args(arguments).output().unwrap()
}

/// The JSON answer of a command that ended with `code`.
fn answer(output: &Output, code: i32) -> Value {
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(code), "{said}{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_str(&said).unwrap()
}

/// Midnight at the end of 2026-03-02.
const MIDNIGHT_MS: i64 = 1_772_496_000_000;
const HOUR_MS: i64 = 3_600_000;

/// The kinds of a call, and when, in milliseconds after it began.
const CALL: [(&str, i64); 7] = [
    ("customer.start", 0),
    ("acd.start", 200),
    ("user.start", 15_000),
    ("acd.end", 20_000),
    ("user.end", 90_000),
    ("customer.end", 90_000),
    ("acw", 120_000),
];

/// A call that begins then.
fn call(id: &str, begins_ms: i64) -> Vec<Told> {
    CALL.iter().map(|(kind, after_ms)| Told::new(id, kind, begins_ms + after_ms)).collect()
}

/// A lake in a folder of a test's own: calls at noon, across midnight, the day before, and in a far future; told in three objects, the last
/// event of each call first.
fn small(name: &str) -> PathBuf {
    let root = folder(name);
    let calls = [
        call("noon", MIDNIGHT_MS - 12 * HOUR_MS),
        call("midnight", MIDNIGHT_MS - 60_000),
        call("eve", MIDNIGHT_MS - 30 * HOUR_MS),
        // 2100-01-01T00:00:00Z
        call("future", 4_102_444_800_000),
    ]
    .concat();
    let mut lake = Lake::new(&root);
    for object in 0..3 {
        let of_it = calls.iter().rev().enumerate().filter(|(place, _)| place % 3 == object).map(|(_, told)| told);
        lake.write(of_it);
    }
    lake.write([&Told { org: "beta", ..Told::new("others", "acd.start", MIDNIGHT_MS - 1) }]);
    root
}

fn export(root: &Path, format: &str, out: &Path, more: &[&str]) -> Output {
    let (root, out) = (root.to_str().unwrap(), out.to_str().unwrap());
    let arguments = ["--json", "mining", "export", "--folder", root, "--org", "acme", "--format", format, "--out", out];
    run(&[&arguments, more].concat())
}

const DAY: [&str; 2] = ["--from", "2026-03-02"];

/// By case: kind and order, as events.csv has them.
fn table(folder: &Path) -> BTreeMap<String, Vec<(String, String)>> {
    let mut reader = csv::Reader::from_path(folder.join("events.csv")).unwrap();
    let headings = reader.headers().unwrap().clone();
    let place = |name: &str| headings.iter().position(|heading| heading == name).unwrap();
    let (case, kind, order) = (place("case_id"), place("event_type"), place("event_order"));
    let mut cases: BTreeMap<String, Vec<(String, String)>> = BTreeMap::new();
    for row in reader.records() {
        let row = row.unwrap();
        cases.entry(row[case].to_owned()).or_default().push((row[kind].to_owned(), row[order].to_owned()));
    }
    cases
}

#[test]
fn a_days_conversations_are_whole_also_across_midnight_and_those_that_are_not_settled_wait() {
    let root = small("mining-tables");
    let out = root.join("out");
    let said = answer(&export(&root, "csv", &out, &DAY), 0);
    assert_eq!((&said["cases"], &said["events"], &said["unsettled"]), (&2.into(), &14.into(), &0.into()), "{said}");
    let cases = table(&out);
    assert_eq!(cases.keys().collect::<Vec<_>>(), ["midnight", "noon"]);
    let expected: Vec<(String, String)> =
        CALL.iter().zip(1..).map(|((kind, _), order): (_, u32)| ((*kind).to_owned(), order.to_string())).collect();
    assert!(cases.values().all(|events| *events == expected), "{cases:?}");
    let beside: Vec<String> =
        std::fs::read_dir(&root).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    assert!(!beside.iter().any(|name| name.ends_with(".sorting")), "{beside:?}");

    let later = answer(&export(&root, "csv", &root.join("later"), &["--from", "2026-03-03"]), 0);
    assert_eq!(later["cases"], 0, "what began the day before is that day's");
    let both = answer(&export(&root, "csv", &root.join("both"), &["--from", "2026-03-01", "--to", "2026-03-02"]), 0);
    assert_eq!(both["cases"], 3);
    let future = answer(&export(&root, "csv", &root.join("future"), &["--from", "2100-01-01"]), 0);
    assert_eq!((&future["cases"], &future["unsettled"]), (&0.into(), &1.into()));
}

#[test]
fn each_form_has_the_same_events_and_equal_input_gives_equal_bytes() {
    let root = small("mining-forms");
    let (xes, ocel) = (root.join("log.xes"), root.join("log.json"));
    for view in ["milestones", "intervals"] {
        let more = [&DAY[..], &["--view", view, "--differences"]].concat();
        let counted = answer(&export(&root, "xes", &xes, &more), 0);
        let text = std::fs::read_to_string(&xes).unwrap();
        assert_eq!(text.matches("<trace>").count(), 2);
        assert_eq!(text.matches("<event>").count() as u64, counted["events"].as_u64().unwrap());
        assert_eq!(text.matches("key=\"time:timestamp\"").count(), text.matches("<event>").count() + 1);
        answer(&export(&root, "ocel", &ocel, &more), 0);
        let log: Value = serde_json::from_slice(&std::fs::read(&ocel).unwrap()).unwrap();
        assert_eq!(log["events"].as_array().unwrap().len() as u64, counted["events"].as_u64().unwrap());
        let pairs =
            counted["differences"]["pairs"].as_array().unwrap().iter().map(|row| row["pairs"].as_u64().unwrap());
        assert_eq!(pairs.sum::<u64>(), counted["events"].as_u64().unwrap() - 2);
        answer(&export(&root, "xes", &xes, &more), 0);
        assert_eq!(std::fs::read_to_string(&xes).unwrap(), text);
    }
    let left: Vec<String> =
        std::fs::read_dir(&root).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    assert!(left.iter().all(|name| !name.ends_with(".part") && !name.ends_with(".events")), "{left:?}");
}

#[test]
fn names_are_those_that_were_asked_for() {
    let root = small("mining-names");
    let agent_of = |more: &[&str]| {
        let out = root.join("log.xes");
        answer(&export(&root, "xes", &out, &[&DAY[..], more].concat()), 0);
        let text = std::fs::read_to_string(&out).unwrap();
        let agents = text.split("key=\"org:resource\" value=\"").skip(1);
        let agents: std::collections::BTreeSet<String> =
            agents.map(|rest| rest.split('"').next().unwrap().to_owned()).collect();
        (agents, text.contains("c_of_noon"))
    };
    let (own, named) = agent_of(&[]);
    assert!(own.iter().all(|agent| agent.starts_with("p1_")) && own.len() == 1 && !named);
    let (one, named) = agent_of(&["--recipient", "one", "--customers"]);
    let (other, _) = agent_of(&["--recipient", "other"]);
    assert!(one.iter().all(|agent| agent.starts_with("r_")) && one != other && !named, "{one:?}");
    assert!(agent_of(&["--customers"]).1);
}

#[test]
fn what_it_cannot_do_says_what_to_do() {
    let root = small("mining-faults");
    let out = root.join("x");
    for (more, said) in [
        (&["--from", "today"][..], "--from is no date"),
        (&["--from", "2026-03-02", "--settle", "4s"], "5s or more"),
        (&["--from", "2026-03-02", "--around", "0"], "--around"),
    ] {
        let refused = answer(&export(&root, "xes", &out, more), 2);
        assert!(refused["error"].to_string().contains(said), "{refused}");
    }
    let nowhere = root.join("nowhere");
    let refused = answer(&export(&nowhere, "xes", &out, &DAY), 2);
    assert!(refused["error"].to_string().contains("aws s3 sync"), "{refused}");
    let damaged = root.join("silver/events/date=2026-03-02").join(format!("{}.parquet", "0".repeat(32)));
    std::fs::write(damaged, b"PAR1").unwrap();
    let refused = answer(&export(&root, "xes", &out, &DAY), 2);
    assert!(refused["error"].to_string().contains("not Parquet"), "{refused}");
    assert!(!out.exists(), "a log that is not whole has no name");
}

#[test]
fn a_view_is_printed_as_sql() {
    let printed = run(&["mining", "sql", "--view", "intervals", "--from", "2026-03-02", "--to", "2026-03-03"]);
    let text = String::from_utf8(printed.stdout).unwrap();
    assert!(text.contains("BETWEEN '2026-03-02' AND '2026-03-03'") && text.contains("'After-call work'"), "{text}");
}
