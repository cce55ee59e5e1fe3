//! Event logs of conversations, as other makers' tools read them, and beside what DuckDB finds in silver.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::BufWriter;
use std::path::{Path, PathBuf};

use ledgerline_lake::mining::ocel::Ocel;
use ledgerline_lake::mining::xes::Xes;
use ledgerline_lake::mining::{Case, Event, Labels, Log, People, View};
use ledgerline_lake::{keys, sql};
use ledgerline_tests::gold;
use ledgerline_tests::mining as reader;
use ledgerline_tests::org::Org;
use ledgerline_tests::stack::{Stack, skipped};
use serde_json::{Value, json};
use time::Date;
use time::format_description::well_known::Rfc3339;
use time::macros::date;

use crate::chain::DAY;
use crate::figures::{known, send_in_objects};
use crate::operator::{answer, ledgerline};

const VIEWS: [View; 2] = [View::Milestones, View::Intervals];
/// Days around a date that `ledgerline mining` reads unless told.
const AROUND: i32 = 2;

/// A variant, and how often it is there.
type Variants = BTreeMap<Vec<String>, u64>;

/// What a log must be to whoever reads it.
#[derive(Debug, Default)]
struct Expected {
    events: u64,
    cases: u64,
    variants: Variants,
}

impl Expected {
    fn add(&mut self, activities: Vec<String>) {
        (self.events, self.cases) = (self.events + activities.len() as u64, self.cases + 1);
        *self.variants.entry(activities).or_default() += 1;
    }
}

fn folder(name: &str) -> PathBuf {
    let folder = xtask::paths::target().join("mining").join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

/// What pm4py, r4pm and the schema of OCEL say of two files of one log.
fn assert_read(xes: &Path, ocel: &Path, expected: &Expected) {
    let schema = concat!(env!("CARGO_MANIFEST_DIR"), "/ocel20.schema.json");
    let Some(found) = reader::python(&["read", xes.to_str().unwrap(), ocel.to_str().unwrap(), schema]) else { return };
    let variants = |found: &Value| -> Variants {
        let all = found["variants"].as_array().unwrap().iter();
        let names = |one: &Value| serde_json::from_value(one[0].clone()).unwrap();
        all.map(|one| (names(one), one[1].as_u64().unwrap())).collect()
    };
    let document: Value = serde_json::from_slice(&fs::read(ocel).unwrap()).unwrap();
    let objects = document["objects"].as_array().unwrap().len() as u64;
    for tool in ["pm4py", "r4pm"] {
        let found = &found[tool];
        if found.is_null() {
            skipped(&format!("{tool} is not installed: nobody else reads the logs by it"));
            continue;
        }
        assert_eq!((&found["events"], &found["cases"]), (&json!(expected.events), &json!(expected.cases)), "{tool}");
        assert_eq!(variants(found), expected.variants, "{tool}");
        assert_eq!(found["ocelEvents"], json!(expected.events), "{tool}");
        // pm4py leaves out what no event names: the object that says what the file is of.
        assert_eq!(found["ocelObjects"], json!(objects - u64::from(tool == "pm4py")), "{tool}");
    }
    if found["pm4py"].is_object() {
        assert_eq!(found["pm4py"]["nulls"], 0, "an event lacks its name, time or transition");
    }
    match &found["schema"] {
        Value::Null => skipped("jsonschema is not installed: nothing checks OCEL by its schema"),
        complaints => assert_eq!(*complaints, json!([])),
    }
}

/// Needs no stack.
#[test]
fn logs_are_read_by_other_makers_tools_whatever_stands_in_them() {
    let folder = folder("made");
    let event = |case: &str, kind: &str, at_ms: i64, leg: &str| Event {
        case: case.to_owned(),
        at_ms: 1_772_495_940_000 + at_ms,
        rank: 1,
        id: format!("{case} {kind} {at_ms}"),
        kind: kind.to_owned(),
        activity: format!("It is \"{kind}\" & <more>"),
        queue: (kind != "flow.start").then(|| "Billing & <Voice> 'é'".to_owned()),
        agent: kind.starts_with("user").then(|| "p1_aa".to_owned()),
        leg: Some(leg.to_owned()),
        acd_outcome: (kind == "acd.end").then(|| "ABANDON".to_owned()),
        wrapup_ms: Some(1_000),
        ..Event::default()
    };
    let call = |case: &str| {
        let kinds = ["flow.start", "flow.end", "acd.start", "user.start", "acd.end", "user.end", "acw"];
        let told = kinds.iter().zip(0..).map(|(kind, n): (_, i64)| event(case, kind, n * 20_000, &kind[..3]));
        Case::new(told.collect()).unwrap()
    };
    let cases = [call("c-1"), call("=2+3"), Case::new(vec![event("<c>&\"3\"", "acd.start", 0, "acd")]).unwrap()];
    for view in VIEWS {
        let (xes, ocel) = (folder.join("log.xes"), folder.join("log.json"));
        let (day, people) = (date!(2026 - 03 - 02), People::new(Some("tests".to_owned()), false));
        let labels = Labels { process: "A & B".to_owned(), view, from: day, to: day, people };
        let spool =
            |name: &str| File::options().read(true).write(true).create(true).truncate(true).open(folder.join(name));
        let out = |path: &Path| BufWriter::new(File::create(path).unwrap());
        let mut logs: [Box<dyn Log>; 2] = [
            Box::new(Xes::new(out(&xes), labels.clone()).unwrap()),
            Box::new(Ocel::new(out(&ocel), spool("objects").unwrap(), spool("events").unwrap(), labels).unwrap()),
        ];
        let mut expected = Expected::default();
        for case in &cases {
            let steps = view.steps(case);
            expected.add(steps.iter().map(|step| step.activity.to_owned()).collect());
            logs.iter_mut().for_each(|log| log.case(case, &steps).unwrap());
        }
        logs.into_iter().for_each(|log| log.finish().unwrap());
        assert_read(&xes, &ocel, &expected);
    }
}

/// Needs no stack: the texts that Athena is given on AWS.
#[test]
fn athena_trino_and_duckdb_read_one_tree_in_both_views() {
    let folder = folder("sql");
    let day = date!(2026 - 03 - 02);
    let paths = VIEWS.map(|view| {
        let path = folder.join(format!("{}.sql", view.as_str()));
        fs::write(&path, sql::mining(view, day - DAY, day + DAY)).unwrap();
        path.display().to_string()
    });
    let found = gold::python(&["dialects", &paths[0], &paths[1]]);
    for view in VIEWS {
        let name = format!("{}.sql", view.as_str());
        assert_eq!(found[&name], json!({ "athena": true, "trino": true, "duckdb": true }), "{name}");
    }
}

/// A row of a table, by the names of its columns.
type Cells = BTreeMap<String, String>;

fn table(path: &Path) -> Vec<Cells> {
    let text = fs::read_to_string(path).unwrap();
    let mut lines = text.lines();
    let headings: Vec<&str> = lines.next().unwrap().split(',').collect();
    // Cells of what the traffic invents have no commas but the map's version, which is the last.
    let cells = |line: &str| -> Cells {
        headings
            .iter()
            .map(|name| (*name).to_owned())
            .zip(line.splitn(headings.len(), ',').map(str::to_owned))
            .collect()
    };
    lines.map(cells).collect()
}

fn ms(time: &str) -> i64 {
    i64::try_from(time::OffsetDateTime::parse(time, &Rfc3339).unwrap().unix_timestamp_nanos() / 1_000_000).unwrap()
}

/// The exported files of a view of an organisation's day.
fn exported(stack: &Stack, org: &Org<'_>, day: Date, view: View, folder: &Path) -> [PathBuf; 3] {
    let date = keys::iso_date(day);
    [("xes", "log.xes"), ("ocel", "log.json"), ("csv", "tables")].map(|(format, name)| {
        let path = folder.join(view.as_str()).join(name);
        let what = ["mining", "export", "--json", "--org", &org.name, "--from", &date, "--view", view.as_str()];
        let arguments = [&what[..], &["--format", format, "--out", path.to_str().unwrap()]].concat();
        let said = answer(&ledgerline(Some(stack), &arguments), 0);
        assert_eq!(said["unsettled"], 0, "{said}");
        path
    })
}

/// Rows of the SQL over silver, by case: those of cases of the organisation that began on the day.
fn by_sql(found: &Value, org: &str, day: Date, start: &str) -> BTreeMap<String, Vec<Value>> {
    let mut cases: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for row in found.as_array().unwrap().iter().filter(|row| row["org"] == org) {
        cases.entry(row["case_id"].as_str().unwrap().to_owned()).or_default().push(row.clone());
    }
    let midnight = day.midnight().assume_utc().unix_timestamp() * 1_000;
    let began = |rows: &Vec<Value>| rows.iter().filter_map(|row| row[start].as_i64()).min().unwrap();
    cases.retain(|_, rows| (midnight..midnight + 86_400_000).contains(&began(rows)));
    cases
}

#[test]
fn a_days_log_is_what_duckdb_finds_in_silver_and_names_nobody() {
    let Some(stack) = Stack::running() else { return };
    let org = Org::new(&stack, "mining");
    let day = date!(2025 - 10 - 06);
    let sent = known(&org, 250, 8, day);
    send_in_objects(&stack, [sent.in_time.clone(), sent.again.clone()].concat(), 3, 5);
    send_in_objects(&stack, sent.late.clone(), 1, 6);
    org.committed((sent.in_time.len() + sent.late.len()) as u64);

    let folder = folder(&org.name);
    let (from, to) = (day - DAY * AROUND, day + DAY * AROUND);
    let mut read = from;
    while read <= to {
        gold::download(&stack, &keys::silver_events_of(read), &folder);
        read += DAY;
    }
    let texts = VIEWS.map(|view| {
        let path = folder.join(format!("{}.sql", view.as_str()));
        fs::write(&path, sql::mining(view, from, to)).unwrap();
        path.display().to_string()
    });
    let found = reader::duckdb(&["sql", folder.to_str().unwrap(), &texts[0], &texts[1]]);

    let milestones = by_sql(&found["milestones.sql"], &org.name, day, "occurred_at_ms");
    let [xes, ocel, tables] = exported(&stack, &org, day, View::Milestones, &folder);
    let mut expected = Expected::default();
    for rows in milestones.values() {
        expected.add(rows.iter().map(|row| row["activity"].as_str().unwrap().to_owned()).collect());
    }
    assert!(expected.cases > 200 && expected.variants.len() > 10, "{} cases", expected.cases);
    assert_read(&xes, &ocel, &expected);
    assert_milestones(&table(&tables.join("events.csv")), &milestones);
    assert_nobody_is_named(&[xes.clone(), ocel, tables.join("events.csv"), tables.join("cases.csv")], &sent.in_time);

    let [.., tables] = exported(&stack, &org, day, View::Intervals, &folder);
    assert_intervals(
        &table(&tables.join("events.csv")),
        &found["intervals.sql"],
        &org.name,
        milestones.keys().collect(),
    );
    assert_model(&xes, &folder.join("log.bpmn"), &expected);
}

/// Cell by cell; the order without a gap; no agent before the queue that it is from.
fn assert_milestones(rows: &[Cells], by_case: &BTreeMap<String, Vec<Value>>) {
    let mut ours: BTreeMap<&str, Vec<&Cells>> = BTreeMap::new();
    rows.iter().for_each(|row| ours.entry(&row["case_id"]).or_default().push(row));
    assert_eq!(ours.keys().copied().collect::<Vec<_>>(), by_case.keys().collect::<Vec<_>>());
    for (case, rows) in &ours {
        for (place, (row, found)) in rows.iter().zip(&by_case[*case]).enumerate() {
            assert_eq!(row["event_order"], (place + 1).to_string(), "{case}");
            assert_eq!(found["event_order"], json!(place + 1), "{case}");
            assert_eq!(json!(ms(&row["timestamp"])), found["occurred_at_ms"], "{case}");
            for column in [
                "activity",
                "transition",
                "resource",
                "event_type",
                "queue",
                "flow",
                "campaign",
                "leg",
                "media",
                "direction",
                "acd_outcome",
                "disconnect_type",
                "wrapup_code",
                "flow_outcome",
            ] {
                assert_eq!(row[column], found[column].as_str().unwrap_or_default(), "{case}: {column}");
            }
            let since = found["since_previous_ms"].as_i64().map_or_else(String::new, |since| since.to_string());
            assert_eq!(row["since_previous_ms"], since, "{case}");
        }
        assert_eq!(rows.len(), by_case[*case].len(), "{case}");
        let first =
            |kind: &str, queue: &str| rows.iter().position(|row| row["event_type"] == kind && row["queue"] == queue);
        for agent in rows.iter().filter(|row| row["event_type"] == "user.start" && !row["queue"].is_empty()) {
            if let Some(queued) = first("acd.start", &agent["queue"]) {
                assert!(queued < first("user.start", &agent["queue"]).unwrap(), "{case}: an agent before its queue");
            }
        }
    }
}

/// What lasted, from when to when: as the SQL says it.
fn assert_intervals(rows: &[Cells], found: &Value, org: &str, cases: BTreeSet<&String>) {
    type Lasted = (String, String, i64, i64, String, String);
    let mut ours: BTreeMap<(&str, &str), Vec<&Cells>> = BTreeMap::new();
    rows.iter().for_each(|row| ours.entry((&row["case_id"], &row["instance"])).or_default().push(row));
    let ours: BTreeSet<Lasted> = ours
        .into_iter()
        .map(|((case, _), rows)| {
            let (first, last) = (rows[0], rows[rows.len() - 1]);
            assert!(rows.len() <= 2 && first["activity"] == last["activity"], "{case}");
            let queue = if last["queue"].is_empty() { first["queue"].clone() } else { last["queue"].clone() };
            let (from, to) = (ms(&first["timestamp"]), ms(&last["timestamp"]));
            (case.to_owned(), first["activity"].clone(), from, to, last["transition"].clone(), queue)
        })
        .collect();
    let theirs: BTreeSet<Lasted> = found
        .as_array()
        .unwrap()
        .iter()
        .filter(|row| row["org"] == org && cases.contains(&row["case_id"].as_str().unwrap().to_owned()))
        .map(|row| {
            let text = |name: &str| row[name].as_str().unwrap_or_default().to_owned();
            let int = |name: &str| row[name].as_i64().unwrap();
            (text("case_id"), text("activity"), int("start_ms"), int("end_ms"), text("transition"), text("queue"))
        })
        .collect();
    assert!(theirs.len() > 500, "{}", theirs.len());
    assert_eq!(ours, theirs);
    for transition in ["start", "complete", "abort"] {
        assert!(rows.iter().any(|row| row["transition"] == transition), "{transition}");
    }
    let work: Vec<&Cells> = rows.iter().filter(|row| row["activity"] == "After-call work").collect();
    assert!(!work.is_empty());
    assert!(work.iter().all(|row| (row["imputed"] == "true") == (row["transition"] == "start")));
}

/// No address that the events name their customers by is in any byte.
fn assert_nobody_is_named(files: &[PathBuf], records: &[Vec<u8>]) {
    let mut planted = BTreeSet::new();
    for record in records {
        let text = String::from_utf8_lossy(record);
        for sign in ["tel:+", "+1", "customer"] {
            let found = text.match_indices(sign).map(|(at, _)| &text[at..]);
            let ends = |text: &str| text.find(['"', '\\', ',']).unwrap_or(text.len());
            planted.extend(found.map(|text| text[..ends(text)].trim_start_matches("tel:").to_owned()));
        }
    }
    planted.retain(|text| text.len() >= 10 && (text.starts_with('+') || text.contains('@')));
    assert!(planted.len() > 50, "{}", planted.len());
    for file in files {
        let text = fs::read_to_string(file).unwrap();
        for one in &planted {
            assert!(!text.contains(one.trim_start_matches('+')), "{} names somebody", file.display());
        }
        assert!(!text.contains("c_"), "{} names customers", file.display());
    }
}

/// pm4py makes a model of it that has an activity for each of ours.
fn assert_model(xes: &Path, out: &Path, expected: &Expected) {
    let Some(model) = reader::python(&["bpmn", xes.to_str().unwrap(), out.to_str().unwrap()]) else { return };
    if model.is_null() {
        return skipped("pm4py is not installed: no BPMN is made");
    }
    let activities: BTreeSet<&String> = expected.variants.keys().flatten().collect();
    let tasks: BTreeSet<&str> = model["tasks"].as_array().unwrap().iter().map(|task| task.as_str().unwrap()).collect();
    assert_eq!(tasks, activities.iter().map(|name| name.as_str()).collect());
    let bpmn = fs::read_to_string(out).unwrap();
    assert!(
        bpmn.contains("http://www.omg.org/spec/BPMN/20100524/MODEL")
            && bpmn.matches("<bpmn:task ").count() >= tasks.len()
    );
}
