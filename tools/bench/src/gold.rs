//! Gold's run for a day of a million events: what the SQL reads of silver, counted from the files' footers; what it costs; and how much
//! memory the function takes, as a process of its own that reads the answers page by page.
//!
//! DuckDB answers the SQL once, in Athena's place: nothing is said of Athena's time. Silver is made by transform's own code and kept below
//! `target/bench`, whole once `whole` is there. Left out: Lambda's GB-seconds (a run waits for Athena nearly all of its time), storage.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use async_trait::async_trait;
use ledgerline_figures::{ReportZone, ServiceLevel, Targets};
use ledgerline_gold::config::Settings as GoldSettings;
use ledgerline_gold::stores::{Ports, Stores};
use ledgerline_gold::{Request, handle};
use ledgerline_lake::{ObjectId, keys, sql};
use ledgerline_lambda::clock::FixedClock;
use ledgerline_ledger::store::{Failure, StoreError};
use ledgerline_store::athena::{Athena, Page, State, Statement};
use ledgerline_store::gold_date::GoldDates;
use ledgerline_testkit::bucket::FakeBucket;
use ledgerline_testkit::calls::Calls;
use ledgerline_testkit::faults::Faults;
use ledgerline_testkit::table::FakeTable;
use ledgerline_traffic::r#gen::{GenArgs, generate};
use ledgerline_transform::output::{self, Owned, event_order};
use ledgerline_transform::reading::Reading;
use parquet::file::reader::{FileReader as _, SerializedFileReader};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use time::Date;
use xtask::paths;
use xtask::tools::{self, Venv};

use crate::append::in_virtual_time;
use crate::bill::{Bill, INVOKED, athena_dollars};
use crate::capacity::{Capacity, Metered};
use crate::transform::{counting, settings};
use crate::verify::peak_kb;
use crate::{ARRIVAL_MS, DAY, SEED, ingest};

/// Events of the measured days.
const SIZES: [u64; 2] = [100_000, 1_000_000];
/// Events of one bronze object, and interactions that have some more.
const OBJECT_EVENTS: usize = 100_000;
const OBJECT_INTERACTIONS: u32 = 12_000;
/// Part of the folder's name: a change of what is written asks for another.
const FORMAT: u32 = 1;
/// Rows of a page, the most that Athena gives.
const PAGE_ROWS: usize = 1_000;
const MIDNIGHT_MS: i64 = 1_772_409_600_000;
const DAY_MS: i64 = 86_400_000;
/// The running date is computed once an hour, over what has come by then: half of the day in the mean. Then the date before it, a week
/// of late events, once a day at most, and its repeats every night until they are final.
const HOURLY_RUNS: f64 = 24.0 / 2.0;
const LATE_RUNS: f64 = 7.0;
const NIGHTLY_RUNS: f64 = 8.0;

/// What a run of one size took, as the measured process says it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Ran {
    rows: u64,
    put: u64,
    peak_kb: u64,
    calls_dollars: f64,
}

/// The lines of a measure; `program` is this one, which measures itself as a child.
pub(crate) fn measure(program: &Path, parent: &Path, say: impl Fn(&str)) -> Result<Vec<String>, String> {
    let mut lines = Vec::new();
    for events in SIZES {
        say(&format!("gold: silver of {events} events below {}, made unless it is there", parent.display()));
        let root = silver(parent, events)?;
        let read = texts().map(|(name, text, (from, to))| Ok::<_, String>((name, scanned(&root, &text, (from, to))?)));
        let read: Vec<(&str, Scanned)> = read.into_iter().collect::<Result<_, _>>()?;
        answer(&root)?;
        let ran = run_once(program, &root)?;
        lines.push(format!(
            "  {events:>9} events: {} rows answered, {} files put, peak of memory {:.1} MB",
            ran.rows,
            ran.put,
            ran.peak_kb as f64 / 1e3
        ));
        for (name, Scanned { bytes, all, files }) in &read {
            lines.push(format!(
                "      {name}: reads {:.1} of {:.1} MB in {files} files, ${:.6} a run",
                *bytes as f64 / 1e6,
                *all as f64 / 1e6,
                athena_dollars(*bytes)
            ));
        }
        let [intervals, repeats] = [0, 1].map(|at| athena_dollars(read[at].1.bytes));
        let runs = intervals * (HOURLY_RUNS + LATE_RUNS) + repeats * NIGHTLY_RUNS;
        let calls = ran.calls_dollars * (24.0 + LATE_RUNS + NIGHTLY_RUNS);
        lines.push(format!(
            "      a day with its 24 runs, {LATE_RUNS} for late events and {NIGHTLY_RUNS} nights of repeats: ${:.4} of Athena, ${calls:.4} of calls; \
             ${:.4} per million events",
            runs,
            (runs + calls) * 1e6 / events as f64
        ));
    }
    Ok(lines)
}

/// The two questions of a date, by name, with the dates of silver that each reads.
fn texts() -> [(&'static str, String, (Date, Date)); 2] {
    let targets = Targets::default().distinct();
    let end_ms = MIDNIGHT_MS + DAY_MS;
    let repeats = sql::repeats(MIDNIGHT_MS, end_ms).unwrap_or_default();
    let dates = sql::read_for_repeats(MIDNIGHT_MS, end_ms).unwrap_or((DAY, DAY));
    [("half hours", sql::intervals(DAY, &targets), sql::read_for_intervals(DAY)), ("repeats", repeats, dates)]
}

/// Silver of so many events of a day, by transform's own code; every interaction is a customer of its own.
fn silver(parent: &Path, events: u64) -> Result<PathBuf, String> {
    let root = parent.join(format!("gold-{FORMAT}-{events}"));
    if root.join("whole").is_file() {
        return Ok(root);
    }
    // What an interrupted run left is no part of it.
    let _ = fs::remove_dir_all(&root);
    let settings = settings().map_err(|fault| fault.to_string())?;
    for part in 0..events / OBJECT_EVENTS as u64 {
        let records = generate(&GenArgs::calm(OBJECT_INTERACTIONS, SEED + part, DAY)).records;
        let records = records.get(..OBJECT_EVENTS).ok_or("the day has too few events")?;
        let bronze = ingest::bronze(&ingest::requests(records));
        let object = ObjectId::of("bench", &format!("bronze/bench-{part}"));
        let read = Reading::alone_unsealed(&settings, object, ARRIVAL_MS, &counting(), &bronze);
        let read = read.map_err(|error| error.to_string())?;
        let customers: Vec<String> = (0..read.records.len()).map(|record| customer(part, record)).collect();
        let mut owned: Vec<_> = read.events.iter().collect();
        owned.sort_unstable_by(|a, b| event_order(a, b));
        let of = |event| Owned { customer_ref: Some(&customers[event_record(event)]), ..Owned::of(event) };
        let owned: Vec<Owned<'_>> = owned.into_iter().map(of).collect();
        let files = output::silver(object, &read, &owned, ARRIVAL_MS, &settings.policy_hash);
        for file in files.map_err(|error| error.to_string())? {
            write(&root.join(&file.key), &file.parquet)?;
        }
    }
    write(&root.join("whole"), b"")?;
    Ok(root)
}

fn event_record(event: &ledgerline_transform::reading::Event) -> usize {
    event.adapted.record
}

/// A name as long and as random as a subject's.
fn customer(part: u64, record: usize) -> String {
    format!("c_{}", hex(&format!("{part} {record}"), 16))
}

/// What a text reads.
struct Scanned {
    bytes: u64,
    /// All of the files.
    all: u64,
    files: usize,
}

/// Sizes of the column chunks that a text names, in the files of the dates that it reads, as their footers have them.
fn scanned(root: &Path, text: &str, (from, to): (Date, Date)) -> Result<Scanned, String> {
    let words: BTreeSet<&str> = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').collect();
    let mut scanned = Scanned { bytes: 0, all: 0, files: 0 };
    for path in files_of(root, from, to)? {
        let file = File::open(&path).map_err(|error| unreadable(&path, &error))?;
        let reader = SerializedFileReader::new(file).map_err(|error| format!("{}: {error}", path.display()))?;
        scanned.files += 1;
        for column in reader.metadata().row_groups().iter().flat_map(|group| group.columns()) {
            let bytes = column.compressed_size().unsigned_abs();
            scanned.all += bytes;
            if column.column_path().parts().last().is_some_and(|name| words.contains(name.as_str())) {
                scanned.bytes += bytes;
            }
        }
    }
    Ok(scanned)
}

/// Silver's files from one date to another.
fn files_of(root: &Path, from: Date, to: Date) -> Result<Vec<PathBuf>, String> {
    let mut files = Vec::new();
    let mut date = from;
    while date <= to {
        let folder = root.join(keys::silver_events_of(date));
        if folder.is_dir() {
            let listed = fs::read_dir(&folder).map_err(|error| unreadable(&folder, &error))?;
            for entry in listed {
                files.push(entry.map_err(|error| unreadable(&folder, &error))?.path());
            }
        }
        date = date.next_day().ok_or("the calendar ends")?;
    }
    files.sort();
    Ok(files)
}

/// DuckDB's answers to the texts, unless they are there: `<name>.jsonl`, the columns first, then a row a line, its cells as texts.
fn answer(root: &Path) -> Result<(), String> {
    for (_, text, _) in texts() {
        let name = root.join(hex(&text, 16));
        if name.with_extension("jsonl").is_file() {
            continue;
        }
        write(&name.with_extension("sql"), text.as_bytes())?;
        let scripts = paths::root().join("tools/bench/src/plain");
        let venv = Venv::bench(&scripts.join("requirements.txt")).map_err(|fault| fault.to_string())?;
        let mut python = venv.command("python");
        python.arg(scripts.join("gold.py")).arg(root).arg(name.with_extension("sql"));
        tools::run(&mut python, || "see what DuckDB says above".to_owned()).map_err(|fault| fault.to_string())?;
    }
    Ok(())
}

/// One measured process.
fn run_once(program: &Path, root: &Path) -> Result<Ran, String> {
    let output = Command::new(program).arg("--gold-folder").arg(root).stdin(Stdio::null()).output();
    let output = output.map_err(|error| format!("cannot start {}: {error}", program.display()))?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    serde_json::from_slice(&output.stdout).map_err(|error| format!("the measured run answers otherwise: {error}"))
}

/// Runs gold for the day over a folder's answers, and says what it took: the process that is measured.
pub(crate) fn run_folder(root: &Path) -> Result<String, String> {
    let calls = Calls::default();
    let used = Capacity::default();
    let lake = FakeBucket::new("LakeBucket", Faults::none(), Calls::default(), ARRIVAL_MS);
    // Gold lists silver and reads none of it.
    for path in files_of(root, DAY.saturating_sub(WEEKS), DAY.saturating_add(WEEKS))? {
        let key = path.strip_prefix(root).map_err(|error| error.to_string())?.display().to_string();
        lake.seed(&key, key.clone());
    }
    let control = FakeTable::new("ControlTable", Faults::none(), calls.clone());
    let control = Metered { fake: control, used: used.clone() };
    let ports = Ports {
        control: control.port(),
        lake: lake.seen_by(Faults::none(), calls.clone()).port(),
        athena: Arc::new(Answers { root: root.to_owned() }),
    };
    let settings = GoldSettings {
        zone: ReportZone::utc(),
        level: ServiceLevel::default(),
        current_minutes: 60,
        lake_bucket: "lake".to_owned(),
    };
    let request = Request { date: Some(keys::iso_date(DAY)), ..Request::default() };
    let put = in_virtual_time(async {
        GoldDates::new(control.port()).touch(DAY).await.map_err(|error| error.to_string())?;
        calls.reset();
        used.reset();
        let answer = handle(&Stores::new(ports), &settings, &FixedClock(ARRIVAL_MS), i64::MAX, &request).await;
        answer.map(|answer| answer.put).map_err(|error| error.to_string())
    })?;
    let mut by_name = calls.by_name();
    by_name.insert(INVOKED, 1);
    let bill = Bill { events: 1, calls: by_name, used: used.by_family() };
    let mut rows = 0;
    for (_, text, _) in texts() {
        let path = root.join(hex(&text, 16)).with_extension("jsonl");
        let file = File::open(&path).map_err(|error| unreadable(&path, &error))?;
        rows += (BufReader::new(file).lines().count() as u64).saturating_sub(1);
    }
    let ran = Ran { rows, put, peak_kb: peak_kb()?, calls_dollars: bill.dollars()? / 1e6 };
    serde_json::to_string(&ran).map_err(|error| error.to_string())
}

/// Athena's place: answers that lie in files, read page by page.
#[derive(Debug)]
struct Answers {
    root: PathBuf,
}

impl Answers {
    fn rows(&self, execution: &str, from: u64) -> Result<Page, String> {
        let path = self.root.join(execution).with_extension("jsonl");
        let file = File::open(&path).map_err(|error| unreadable(&path, &error))?;
        let mut file = BufReader::new(file);
        let line = |file: &mut BufReader<File>| -> Result<Option<String>, String> {
            let mut line = String::new();
            let bytes = file.read_line(&mut line).map_err(|error| unreadable(&path, &error))?;
            Ok((bytes > 0).then_some(line))
        };
        let columns = line(&mut file)?.ok_or("the answer is empty")?;
        let columns = serde_json::from_str(&columns).map_err(|error| error.to_string())?;
        let begins = file.stream_position().map_err(|error| error.to_string())?;
        file.seek(SeekFrom::Start(from.max(begins))).map_err(|error| error.to_string())?;
        let mut rows = Vec::with_capacity(PAGE_ROWS);
        while rows.len() < PAGE_ROWS {
            let Some(row) = line(&mut file)? else { return Ok(Page { columns, rows, next: None }) };
            rows.push(serde_json::from_str(&row).map_err(|error| error.to_string())?);
        }
        let next = file.stream_position().map_err(|error| error.to_string())?;
        Ok(Page { columns, rows, next: Some(next.to_string()) })
    }
}

#[async_trait]
impl Athena for Answers {
    async fn start(&self, what: &str, statement: &Statement) -> Result<String, StoreError> {
        let name = hex(&statement.sql, 16);
        let is_there = self.root.join(&name).with_extension("jsonl").is_file();
        if is_there { Ok(name) } else { Err(StoreError::Denied(Failure::new(format!("{what}: another text")))) }
    }

    async fn state(&self, _: &str, _: &str) -> Result<State, StoreError> {
        Ok(State::Done { scanned_bytes: 0 })
    }

    async fn page(&self, what: &str, execution: &str, next: Option<&str>) -> Result<Page, StoreError> {
        let from = next.and_then(|next| next.parse().ok()).unwrap_or_default();
        self.rows(execution, from).map_err(|error| StoreError::Corrupt(Failure::new(format!("{what}: {error}"))))
    }
}

fn hex(text: &str, bytes: usize) -> String {
    Sha256::digest(text)[..bytes].iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"))
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), String> {
    let folder = path.parent().map_or(Ok(()), fs::create_dir_all);
    folder.and_then(|()| fs::write(path, bytes)).map_err(|error| format!("cannot write {}: {error}", path.display()))
}

fn unreadable(path: &Path, error: &dyn std::fmt::Display) -> String {
    format!("cannot read {}: {error}", path.display())
}

const WEEKS: time::Duration = time::Duration::weeks(2);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_given_page_by_page_and_whole() {
        let root = std::env::temp_dir().join(format!("ledgerline-bench-answers-{}", std::process::id()));
        let lines: String = (0..2_500).map(|row| format!("[\"{row}\",null]\n")).collect();
        write(&root.join("a.jsonl"), format!("[\"n\",\"m\"]\n{lines}").as_bytes()).unwrap();
        let answers = Answers { root: root.clone() };
        let (mut rows, mut pages, mut next) = (Vec::new(), 0, Some(0));
        while let Some(from) = next {
            let page = answers.rows("a", from).unwrap();
            assert_eq!(page.columns, ["n", "m"]);
            rows.extend(page.rows);
            pages += 1;
            next = page.next.map(|next| next.parse().unwrap());
        }
        assert_eq!((rows.len(), pages), (2_500, 3));
        assert!(rows.iter().enumerate().all(|(at, row)| row[..] == [Some(at.to_string()), None]));
        fs::remove_dir_all(root).unwrap();
    }

    #[test]
    fn the_texts_read_a_part_of_silver_and_never_event_ids() {
        let [(_, intervals, _), (_, repeats, _)] = texts();
        assert!(!intervals.is_empty() && !repeats.is_empty());
        assert!(!intervals.contains("event_id") && !repeats.contains("event_id"));
        assert_eq!(MIDNIGHT_MS, DAY.midnight().assume_utc().unix_timestamp() * 1_000);
    }
}
