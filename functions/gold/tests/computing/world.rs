//! Strict fakes of what gold touches, and silver's files in a form of the tests' own: a line an answered contact, `<start ms> <queue> <talk ms>`.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use ledgerline_figures::Counters;
use ledgerline_figures::summary::{Granularity, Summary};
use ledgerline_figures::zone::{start_of_utc, utc_date_of};
use ledgerline_figures::{ReportZone, ServiceLevel};
use ledgerline_gold::config::Settings;
use ledgerline_gold::error::GoldError;
use ledgerline_gold::stores::{Ports, Stores};
use ledgerline_gold::{Answer, Request, Schedule, handle};
use ledgerline_lake::{ObjectId, keys};
use ledgerline_lambda::clock::FixedClock;
use ledgerline_store::gold_date::{GoldDate, GoldDates, touched_by};
use ledgerline_testkit::athena::{Answered, FakeAthena};
use ledgerline_testkit::bucket::FakeBucket;
use ledgerline_testkit::calls::Calls;
use ledgerline_testkit::faults::Faults;
use ledgerline_testkit::table::FakeTable;
use time::Date;
use time::macros::date;

/// 2026-03-02T14:00:00Z, when the running date is computed, too.
pub const NOW_MS: i64 = 1_772_460_000_000;
pub const HOUR_MS: i64 = 3_600_000;
pub const DAY_MS: i64 = 24 * HOUR_MS;
pub const TODAY: Date = date!(2026 - 03 - 02);
const HALF_HOUR_MS: i64 = 1_800_000;
const WEEK_MS: i64 = 7 * DAY_MS;

pub struct World {
    pub stores: Stores,
    pub control: FakeTable,
    pub lake: FakeBucket,
    pub athena: FakeAthena,
    pub settings: Settings,
    pub faults: Faults,
    pub dates: GoldDates,
    pub now_ms: i64,
}

impl World {
    pub fn new() -> Self {
        Self::with_faults(Faults::none())
    }

    pub fn with_faults(faults: Faults) -> Self {
        let calls = Calls::of_function("gold");
        let control = FakeTable::new("ControlTable", faults.clone(), calls.clone());
        let lake = FakeBucket::new("LakeBucket", faults.clone(), calls.clone(), NOW_MS);
        let seen = lake.clone();
        let athena = FakeAthena::new("GoldWorkgroup", faults.clone(), calls.clone(), move |sql| answered(&seen, sql));
        let ports = Ports { control: control.port(), lake: lake.port(), athena: athena.port() };
        // What transform does is not gold's to be faulted, nor to be allowed.
        let dates = GoldDates::new(control.seen_by(Faults::none(), Calls::default()).port());
        let settings = Settings {
            zone: ReportZone::utc(),
            level: ServiceLevel::default(),
            current_minutes: 60,
            lake_bucket: "lake".to_owned(),
        };
        Self { stores: Stores::new(ports), control, lake, athena, settings, faults, dates, now_ms: NOW_MS }
    }

    /// The same stores, reported in another zone.
    pub fn zoned(zone: &str) -> Self {
        let mut world = Self::new();
        world.settings.zone = ReportZone::named(zone).unwrap();
        world
    }

    /// What transform does: silver's files of an object, then the marks.
    pub async fn deliver(&self, object: &str, contacts: &[(i64, &str, i64)]) {
        let days = lay(&self.lake, object, contacts);
        for date in touched_by(days, self.now_ms) {
            self.dates.touch(date).await.unwrap();
        }
    }

    pub async fn run(&self, run: Schedule) -> Answer {
        self.asked(&Request { run, date: None }).await.unwrap()
    }

    pub async fn one(&self, date: &str) -> Result<Answer, GoldError> {
        self.asked(&Request { date: Some(date.to_owned()), ..Request::default() }).await
    }

    pub async fn asked(&self, request: &Request) -> Result<Answer, GoldError> {
        let deadline_ms = self.now_ms + 900_000;
        handle(&self.stores, &self.settings, &FixedClock(self.now_ms), deadline_ms, request).await
    }

    /// Runs until nothing of the last week is dirty.
    pub async fn settle(&self) {
        for _ in 0..4 {
            self.run(Schedule::Frequent).await;
            if self.dirty().await.is_empty() {
                return;
            }
        }
        panic!("still dirty: {:?}", self.dirty().await);
    }

    pub async fn dirty(&self) -> Vec<Date> {
        self.dates.dirty().await.unwrap().into_iter().map(|GoldDate { date, .. }| date).collect()
    }

    pub fn gold(&self) -> BTreeMap<String, Bytes> {
        self.lake.under("gold/")
    }

    pub fn document(&self, date: Date, granularity: Granularity) -> Option<Summary> {
        let bytes = self.lake.get(&keys::gold_summary(date, granularity))?;
        Some(serde_json::from_slice(&bytes).unwrap())
    }

    pub fn daily(&self, date: Date) -> Summary {
        self.document(date, Granularity::Daily).unwrap()
    }

    /// Each document's figures, whatever its moment and revision; whose revision has a note. And all Parquet.
    pub fn figures(&self) -> BTreeMap<String, String> {
        let files = self.gold();
        let told = files.iter().filter(|(key, _)| !key.starts_with(keys::GOLD_RUNS)).map(|(key, bytes)| {
            if !key.ends_with(".json") {
                return (key.clone(), format!("{bytes:?}"));
            }
            let mut document: Summary = serde_json::from_slice(bytes).unwrap();
            let note = keys::gold_run(keys::parse_iso_date(&document.date).unwrap(), document.revision);
            assert!(files.contains_key(&note), "{note} is missing");
            let told = keys::open_lineage(keys::parse_iso_date(&document.date).unwrap(), document.revision);
            assert!(self.lake.get(&told).is_some(), "{told} is missing");
            assert!(document.rows.iter().all(|row| row.lineage == note), "{key} names another note");
            (document.as_of, document.revision) = (String::new(), 0);
            document.rows.iter_mut().for_each(|row| row.lineage.clear());
            (key.clone(), serde_json::to_string(&document).unwrap())
        });
        told.collect()
    }
}

/// Silver's files of an object, one a day; the days.
pub fn lay(lake: &FakeBucket, object: &str, contacts: &[(i64, &str, i64)]) -> BTreeSet<Date> {
    let mut files: BTreeMap<Date, String> = BTreeMap::new();
    for (start_ms, queue, talk_ms) in contacts {
        let file = files.entry(utc_date_of(*start_ms).unwrap()).or_default();
        file.push_str(&format!("{start_ms} {queue} {talk_ms}\n"));
    }
    for (date, text) in &files {
        lake.seed(&keys::silver_events(*date, ObjectId::of("bucket", object)), text.clone());
    }
    files.into_keys().collect()
}

pub fn at(date: Date, hours: i64) -> i64 {
    start_of_utc(date) + hours * HOUR_MS
}

struct Contact {
    start_ms: i64,
    queue: String,
    talk_ms: i64,
}

fn contacts(lake: &FakeBucket) -> Vec<Contact> {
    let files = lake.under(keys::SILVER);
    let lines = files.values().flat_map(|bytes| std::str::from_utf8(bytes).unwrap().lines());
    let read = |line: &str| {
        let mut words = line.split(' ');
        let mut next = || words.next().unwrap().to_owned();
        Contact { start_ms: next().parse().unwrap(), queue: next(), talk_ms: next().parse().unwrap() }
    };
    lines.map(read).collect()
}

/// What Athena answers to either of gold's texts over silver as it lies there.
pub fn answered(lake: &FakeBucket, sql: &str) -> Answered {
    let number = |before: &str| -> Option<i64> {
        let text = sql.split_once(before)?.1;
        text[..text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len())].parse().ok()
    };
    match (sql.split_once("WHERE ev.\"date\" = '"), number("a.occurred_at_ms >= ").zip(number("a.occurred_at_ms < "))) {
        (Some((_, date)), _) => intervals(&contacts(lake), keys::parse_iso_date(&date[..10]).unwrap(), sql),
        (None, Some((first_ms, end_ms))) => repeats(&contacts(lake), first_ms, end_ms),
        (None, None) => panic!("none of gold's texts: {sql}"),
    }
}

fn intervals(contacts: &[Contact], date: Date, sql: &str) -> Answered {
    let mut rows: BTreeMap<(String, i64), Counters> = BTreeMap::new();
    for contact in contacts.iter().filter(|contact| utc_date_of(contact.start_ms) == Some(date)) {
        let start_ms = contact.start_ms - contact.start_ms % HALF_HOUR_MS;
        let counters = rows.entry((contact.queue.clone(), start_ms)).or_default();
        let talk_ms = contact.talk_ms;
        let (answered, handled, handle_sessions, events) = (1, 1, 1, 2);
        counters.add(&Counters { answered, handled, handle_sessions, events, talk_ms, ..Counters::default() });
    }
    let within = sql.split("AS within_").skip(1).map(|rest| rest.split(',').next().unwrap().parse::<i64>().unwrap());
    let within: Vec<i64> = within.collect();
    let names = ["org", "division", "queue_id", "media", "direction", "interval_start_ms"].map(str::to_owned);
    let counted = Counters::NAMES.iter().filter(|name| **name != "within_target");
    let columns = names.into_iter().chain(counted.clone().map(|name| (*name).to_owned()));
    let columns = columns.chain(within.iter().map(|target_ms| format!("within_{target_ms}"))).collect();
    let row = |((queue, start_ms), mut counters): ((String, i64), Counters)| {
        let texts = [Some("acme"), None, Some(&*queue), Some("VOICE"), Some("INBOUND")];
        let texts = texts.into_iter().map(|text| text.map(str::to_owned));
        let mut counts: Vec<i64> = counted.clone().map(|name| *counters.named(name).unwrap()).collect();
        // One of four contacts waited for longer than a minute, the others for half of one.
        counts.extend(within.iter().map(|target_ms| match target_ms {
            ..30_000 => 0,
            30_000..60_000 => counters.answered - counters.answered / 4,
            _ => counters.answered,
        }));
        texts.chain([Some(start_ms.to_string())]).chain(counts.iter().map(|count| Some(count.to_string()))).collect()
    };
    Answered::Rows(columns, rows.into_iter().map(row).collect())
}

/// Of one queue each contact is the same customer's.
fn repeats(contacts: &[Contact], first_ms: i64, end_ms: i64) -> Answered {
    let mut rows: BTreeMap<(String, i64), (i64, i64)> = BTreeMap::new();
    for contact in contacts.iter().filter(|contact| (first_ms..end_ms).contains(&contact.start_ms)) {
        let again = contact.start_ms + 1..=contact.start_ms + WEEK_MS;
        let is_repeated = contacts.iter().any(|other| other.queue == contact.queue && again.contains(&other.start_ms));
        let row = rows.entry((contact.queue.clone(), contact.start_ms - contact.start_ms % HALF_HOUR_MS)).or_default();
        row.0 += 1;
        row.1 += i64::from(!is_repeated);
    }
    let columns = ["org", "queue_id", "media", "interval_start_ms", "fcr_eligible", "fcr_resolved", "no_contact_7d"];
    let row = |((queue, start_ms), (eligible, resolved)): ((String, i64), (i64, i64))| {
        let cells = ["acme".to_owned(), queue, "VOICE".to_owned()].into_iter();
        cells.chain([start_ms, eligible, resolved, resolved].map(|number| number.to_string())).map(Some).collect()
    };
    Answered::Rows(columns.map(str::to_owned).into(), rows.into_iter().map(row).collect())
}
