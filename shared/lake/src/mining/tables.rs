//! Three CSV tables: events, cases, and the resources that did the work.
//!
//! Invariant: a row says the version of the map of activities, as a table has no other place for it, and no cell begins as a formula does.

use std::collections::BTreeMap;
use std::io::{self, Write};

use super::case::Case;
use super::step::Step;
use super::text::{for_cell, with_offset};
use super::{Labels, Log, activity_map};

/// The tables' names, in the order in which [`Tables::new`] takes their outputs.
pub const NAMES: [&str; 3] = ["events.csv", "cases.csv", "resources.csv"];

/// Tables that are being written.
#[derive(Debug)]
pub struct Tables<W: Write> {
    events: csv::Writer<W>,
    cases: csv::Writer<W>,
    resources: csv::Writer<W>,
    labels: Labels,
    map: String,
    /// By kind and name: a contact centre has some thousand agents and queues.
    seen: BTreeMap<(&'static str, String), Resource>,
}

#[derive(Debug)]
struct Resource {
    cases: u64,
    events: u64,
    first_ms: i64,
    last_ms: i64,
    last_case: String,
}

impl<W: Write> Tables<W> {
    /// Tables without a row.
    ///
    /// # Errors
    /// The outputs'.
    pub fn new([events, cases, resources]: [W; 3], labels: Labels) -> io::Result<Self> {
        let mut tables = Self {
            events: csv::Writer::from_writer(events),
            cases: csv::Writer::from_writer(cases),
            resources: csv::Writer::from_writer(resources),
            labels,
            map: activity_map(),
            seen: BTreeMap::new(),
        };
        tables.events.write_record(OF_EVENTS)?;
        let customer = tables.labels.people.names_customers().then_some("customer");
        tables.cases.write_record(OF_CASES.into_iter().chain(customer))?;
        tables.resources.write_record(OF_RESOURCES)?;
        Ok(tables)
    }

    fn event(&mut self, case: &Case, step: &Step<'_>, before_ms: Option<i64>) -> io::Result<()> {
        let event = step.event;
        let agent = event.agent.as_ref().map(|agent| self.labels.people.agent(agent).into_owned());
        let text = |value: &Option<String>| value.clone().unwrap_or_default();
        let cells = [
            case.id().to_owned(),
            step.order.to_string(),
            step.activity.to_owned(),
            step.transition.as_str().to_owned(),
            with_offset(step.at_ms),
            before_ms.map_or_else(String::new, |before_ms| (step.at_ms - before_ms).to_string()),
            step.instance.map_or_else(String::new, |instance| instance.to_string()),
            step.imputed.to_string(),
            agent.clone().unwrap_or_default(),
            event.kind.clone(),
            text(&event.queue),
            text(&event.flow),
            text(&event.campaign),
            text(&event.leg),
            text(&event.media),
            text(&event.direction),
            text(&event.acd_outcome),
            text(&event.disconnect_type),
            text(&event.wrapup_code),
            text(&event.flow_outcome),
            self.map.clone(),
        ];
        write(&mut self.events, &cells)?;
        for (kind, name) in [("agent", agent), ("queue", event.queue.clone())] {
            if let Some(name) = name {
                self.note(kind, name, case.id(), step.at_ms);
            }
        }
        Ok(())
    }

    fn note(&mut self, kind: &'static str, name: String, case: &str, at_ms: i64) {
        let seen = self.seen.entry((kind, name)).or_insert_with(|| Resource {
            cases: 0,
            events: 0,
            first_ms: at_ms,
            last_ms: at_ms,
            last_case: String::new(),
        });
        // Cases come one after the other.
        if seen.cases == 0 || seen.last_case != case {
            (seen.cases, seen.last_case) = (seen.cases + 1, case.to_owned());
        }
        seen.events += 1;
        (seen.first_ms, seen.last_ms) = (seen.first_ms.min(at_ms), seen.last_ms.max(at_ms));
    }
}

impl<W: Write> Log for Tables<W> {
    fn case(&mut self, case: &Case, steps: &[Step<'_>]) -> io::Result<()> {
        let mut before_ms = None;
        for step in steps {
            self.event(case, step, before_ms)?;
            before_ms = Some(step.at_ms);
        }
        let facts = case.facts();
        let text = |value: Option<&str>| value.unwrap_or_default().to_owned();
        let mut cells = vec![
            case.id().to_owned(),
            with_offset(case.first_ms()),
            with_offset(case.last_ms()),
            steps.len().to_string(),
            text(facts.media),
            text(facts.direction),
            text(facts.first_queue),
            text(facts.last_queue),
            facts.duration_ms.to_string(),
            facts.transfers.to_string(),
            text(facts.disposition),
            self.map.clone(),
        ];
        if self.labels.people.names_customers() {
            cells.push(self.labels.people.customer(facts.customer).unwrap_or_default().into_owned());
        }
        write(&mut self.cases, &cells)
    }

    fn finish(mut self: Box<Self>) -> io::Result<()> {
        for ((kind, name), seen) in &self.seen {
            let cells = [
                name.clone(),
                (*kind).to_owned(),
                seen.cases.to_string(),
                seen.events.to_string(),
                with_offset(seen.first_ms),
                with_offset(seen.last_ms),
                self.map.clone(),
            ];
            write(&mut self.resources, &cells)?;
        }
        self.events.flush()?;
        self.cases.flush()?;
        self.resources.flush()
    }
}

fn write<W: Write>(table: &mut csv::Writer<W>, cells: &[String]) -> io::Result<()> {
    Ok(table.write_record(cells.iter().map(|cell| for_cell(cell).into_owned()))?)
}

const OF_EVENTS: [&str; 21] = [
    "case_id",
    "event_order",
    "activity",
    "transition",
    "timestamp",
    "since_previous_ms",
    "instance",
    "imputed",
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
    "activity_map",
];
const OF_CASES: [&str; 12] = [
    "case_id",
    "start_time",
    "end_time",
    "events",
    "media",
    "direction",
    "first_queue",
    "last_queue",
    "duration_ms",
    "transfers",
    "disposition",
    "activity_map",
];
const OF_RESOURCES: [&str; 7] = ["resource", "kind", "cases", "events", "first_time", "last_time", "activity_map"];
