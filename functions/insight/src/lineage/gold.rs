//! The figures that a record's events are counted in: which half hour of which queue, how much, and by which run.
//!
//! Invariant: what an event adds follows from the entries of its record alone ([`ledgerline_figures::facts`]); that gold has counted it is
//! said only if the run that counted the half hours of its date lists the file that the event lies in.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::ops::Range;

use ledgerline_event::instant;
use ledgerline_figures::Targets;
use ledgerline_figures::facts::{self, Event, Fact};
use ledgerline_figures::summary::Granularity;
use ledgerline_figures::zone::utc_date_of;
use ledgerline_lake::keys::{self, iso_date};
use ledgerline_ledger::store::StoreError;
use ledgerline_store::gold::RunNote;
use serde::Serialize;
use serde_json::{Map, Value};
use time::Date;

use super::find::Known;
use super::places::silver_key;
use super::read::{Read, ReadEntry};
use crate::Stores;
use crate::summary::drill_arguments;

/// A half hour that an event is counted in.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Cell {
    table: &'static str,
    /// The UTC date, which is the table's partition.
    date: String,
    /// The local date whose figures have it.
    report_date: String,
    queue_id: Option<String>,
    division: Option<String>,
    media: String,
    direction: String,
    /// When the half hour began.
    interval_start: String,
    /// What the event adds to it.
    metrics: BTreeMap<&'static str, i64>,
    /// The revision of the local date's figures; none while it has none.
    revision: Option<u64>,
    /// The note of the run that counted the half hour.
    run: Option<String>,
    /// Whether that run lists the event's file.
    counted: bool,
    /// Arguments of `ledgerline figure` that list the events of the figure.
    figure: Vec<String>,
}

/// What the events of a range of a record's entries are counted in.
pub(super) async fn of(
    stores: &Stores,
    known: &Known,
    read: &Read,
    range: Range<usize>,
) -> Result<Vec<Option<Cell>>, StoreError> {
    let entries = &read.entries[range.clone()];
    let mut cells: Vec<Option<Cell>> = entries.iter().map(|_| None).collect();
    let Some((org, _)) = known.key.split_once('/').filter(|(_, record)| !record.contains('/')) else {
        return Ok(cells);
    };
    let events: Vec<Event> = read.entries.iter().map(event).collect();
    let facts = facts::facts(org, &events);
    let mut days: BTreeMap<Date, Day> = BTreeMap::new();
    for ((entry, fact), cell) in entries.iter().zip(facts.into_iter().skip(range.start)).zip(&mut cells) {
        let Some(fact) = fact.filter(|_| !entry.is_act) else { continue };
        let start_ms = fact.key.interval_start_ms;
        let Some((date, utc)) = stores.zone.date_of(start_ms).zip(utc_date_of(start_ms)) else { continue };
        let day = match days.entry(date) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(free) => free.insert(Day::read(stores, date).await?),
        };
        let run = day.run_of(stores, date, utc).await?;
        *cell = Some(Cell::of(entry, fact, (date, utc), day, run));
    }
    Ok(cells)
}

impl Cell {
    fn of(entry: &ReadEntry, fact: Fact, (date, utc): (Date, Date), day: &Day, run: Option<u64>) -> Self {
        let Fact { key, counters } = fact.judged(&day.targets);
        let lists = |revision: &u64| silver_key(entry).is_some_and(|file| day.lists(*revision, &file));
        let counted = run.as_ref().is_some_and(lists);
        Self {
            table: "gold_interval_queue_metrics",
            date: iso_date(utc),
            report_date: iso_date(date),
            figure: drill_arguments(&iso_date(date), key.queue_id.as_deref(), &key.org, Some(&key.media)),
            queue_id: key.queue_id,
            division: key.division,
            media: key.media,
            direction: key.direction,
            interval_start: instant::to_rfc3339(key.interval_start_ms),
            metrics: facts::told(&counters),
            revision: day.revision,
            run: run.map(|run| keys::gold_run(date, run)),
            counted,
        }
    }
}

/// A local date's figures, as far as they say what they were counted of.
struct Day {
    revision: Option<u64>,
    targets: Targets,
    counted_by: BTreeMap<String, u64>,
    notes: BTreeMap<u64, RunNote>,
}

impl Day {
    async fn read(stores: &Stores, date: Date) -> Result<Self, StoreError> {
        let mut day =
            Self { revision: None, targets: Targets::default(), counted_by: BTreeMap::new(), notes: BTreeMap::new() };
        let Some((summary, _)) = stores.gold.summary(date, Granularity::Daily).await? else { return Ok(day) };
        day.targets = summary.definitions.targets_ms;
        day.revision = Some(summary.revision);
        if let Some(note) = stores.gold.run(date, summary.revision).await? {
            day.counted_by.clone_from(&note.counted_by);
            day.notes.insert(summary.revision, note);
        }
        Ok(day)
    }

    /// The revision whose note lists what a UTC date's half hours were counted of.
    async fn run_of(&mut self, stores: &Stores, date: Date, utc: Date) -> Result<Option<u64>, StoreError> {
        let Some(run) = self.counted_by.get(&iso_date(utc)).copied() else { return Ok(None) };
        if let Entry::Vacant(free) = self.notes.entry(run) {
            let Some(note) = stores.gold.run(date, run).await? else { return Ok(None) };
            free.insert(note);
        }
        Ok(Some(run))
    }

    fn lists(&self, run: u64, file: &str) -> bool {
        self.notes.get(&run).is_some_and(|note| note.lists(file))
    }
}

/// An entry as gold's SQL sees its row in silver.
fn event(entry: &ReadEntry) -> Event {
    let fields = &entry.entry.fields;
    let text = |name: &str| fields.get(name).and_then(Value::as_str).map(str::to_owned);
    let int = |name: &str| fields.get(name).and_then(Value::as_i64);
    if entry.is_act {
        return Event::default();
    }
    Event {
        event_type: entry.entry.event_type.clone(),
        occurred_at_ms: instant::parse(&entry.entry.occurred_at).unwrap_or_default(),
        session_id: text("session_id"),
        division: text("division"),
        queue_id: text("queue_id"),
        media: text("media"),
        direction: text("direction"),
        acd_outcome: text("acd_outcome"),
        disconnect_type: text("disconnect_type"),
        connected_duration_ms: int("connected_duration_ms"),
        interacting_duration_ms: int("interacting_duration_ms"),
        held_duration_ms: int("held_duration_ms"),
        contacting_duration_ms: int("contacting_duration_ms"),
        dialing_duration_ms: int("dialing_duration_ms"),
        alerting_duration_ms: int("alerting_duration_ms"),
        wrapup_duration_ms: int("wrapup_duration_ms"),
        survey_score_centi: int("survey_score_centi"),
    }
}

/// A centre's own identifier, as its events name it.
pub(super) fn contact_center_id(fields: &Map<String, Value>) -> Option<&str> {
    fields.get("contact_center_id").and_then(Value::as_str)
}
