//! `figure`: the events behind a figure of gold's, each with its place in bronze.
//!
//! Invariant: the events are the rows that the figure's own SQL sums, by the same expression: what they add up to is held against what
//! gold put down, and the outcome says whether it is the same. Names and times are told, nothing else of an event.

use std::io;

use ledgerline_event::instant;
use ledgerline_figures::summary::{Counts, Granularity, Selection, Summary};
use ledgerline_figures::{INTERVAL_MS, ReportZone};
use ledgerline_lake::keys::{iso_date, parse_iso_date};
use ledgerline_lake::sql::drill::{self, Behind, TOTAL_CONTACTS};
use ledgerline_store::gold::Gold;
use serde_json::{Value, json};
use time::Date;

use crate::answer::{Answer, Answered, Outcome};
use crate::args::FigureArgs;
use crate::cloud::{Cloud, told};
use crate::context::Context;
use crate::fault::Fault;
use crate::question::{self, Cells, number, text};
use crate::screen::{Mark, Screen, counted, grouped};

/// Events that a person is shown; JSON has all of them.
const SHOWN: usize = 40;

/// Lists.
pub(super) fn run(args: &FigureArgs, context: &Context) -> Answered {
    let date = parse_iso_date(&args.date)
        .ok_or_else(|| Fault::new("DATE is no date", "write it as YYYY-MM-DD, such as 2026-03-02"))?;
    let cloud = Cloud::open(&args.stack)?;
    let summary = summary(&cloud, args, date)?;
    let zone = ReportZone::named(&summary.time_zone).map_err(|error| {
        Fault::caused_by(
            "the zone of the figures is not known here",
            &error,
            "use the ledgerline of the deployment's version",
        )
    })?;
    let (first_ms, end_ms) = span(args, &zone, date)?;
    let queue_id = (args.queue != "-").then_some(args.queue.as_str());
    let behind = Behind {
        queue_id,
        media: args.media.as_deref(),
        org: args.org.as_deref(),
        metric: &args.metric,
        first_ms,
        end_ms,
    };
    let mut events = Vec::new();
    for utc in zone.utc_dates_of(date) {
        let text = drill::facts(utc, &behind, &summary.definitions.targets_ms).ok_or_else(|| no_metric(args))?;
        let what = format!("list the events of a figure of {}", iso_date(utc));
        for cells in question::rows(&cloud, context, &what, &text)? {
            events.push(Event::of(&cells).ok_or_else(|| {
                Fault::new(
                    "Athena's answer has a row that is not one of the statement's",
                    "use the ledgerline of the deployment's version",
                )
            })?);
        }
    }
    let figure = figure(&summary, args, queue_id, first_ms);
    let sum = events.iter().map(|event| event.counted).sum();
    Ok(Box::new(Behinds {
        args: Shown::of(args),
        revision: summary.revision,
        stale: summary.stale,
        figure,
        sum,
        events,
    }))
}

/// The document that has the figure: of the day, or of half hours where one is named.
fn summary(cloud: &Cloud, args: &FigureArgs, date: Date) -> Result<Summary, Fault> {
    let granularity = if args.half_hour.is_some() { Granularity::HalfHourly } else { Granularity::Daily };
    let gold = Gold::new(told(cloud.operator.objects_of("LakeBucket"))?);
    let found = cloud.ask(gold.summary(date, granularity))?;
    found.map(|(summary, _)| summary).ok_or_else(|| {
        let remedy = "the date had no events, or gold has not come to it yet: it computes the running date hourly";
        Fault::new(format!("there are no figures of {}", args.date), remedy)
    })
}

/// From when to when the figure's half hours last.
fn span(args: &FigureArgs, zone: &ReportZone, date: Date) -> Result<(i64, i64), Fault> {
    let half_hours = zone.half_hours_of(date);
    let (Some(first), Some(last)) = (half_hours.first(), half_hours.last()) else {
        return Err(Fault::new(format!("{} has no such date", zone.name()), "name another date"));
    };
    let Some(named) = &args.half_hour else { return Ok((*first, last + INTERVAL_MS)) };
    let start = instant::parse(named).filter(|start| half_hours.contains(start));
    start.map(|start| (start, start + INTERVAL_MS)).ok_or_else(|| {
        let remedy = "write it as the figures have it in interval_start, such as 2026-03-02T09:30:00.000Z";
        Fault::new("--half-hour is no half hour of the date", remedy)
    })
}

fn no_metric(args: &FigureArgs) -> Fault {
    let known = ledgerline_figures::Counters::NAMES.join(", ");
    Fault::new(
        format!("{:?} is no count of figures, or a name cannot be one", args.metric),
        format!(
            "name one of {TOTAL_CONTACTS}, {known}; a ratio's are in the figures' definitions, and repeats are told of three weeks"
        ),
    )
}

/// What gold put down, if it has the counter.
fn figure(summary: &Summary, args: &FigureArgs, queue_id: Option<&str>, first_ms: i64) -> Option<i64> {
    let orgs = args.org.clone().map(|org| [org].into());
    let narrowed = summary.clone().narrowed(&Selection { orgs, queue_id: None, media: args.media.clone() });
    let start = args.half_hour.as_ref().map(|_| instant::to_rfc3339(first_ms));
    let mut counts = Counts::default();
    let rows = narrowed.rows.iter().filter(|row| row.queue_id.as_deref() == queue_id && row.interval_start == start);
    rows.for_each(|row| counts.add(&row.counts));
    let mut counters = counts.counters;
    match args.metric.as_str() {
        TOTAL_CONTACTS => Some(counters.answered + counters.abandoned + counters.flow_out + counters.outcome_unknown),
        name => counters.named(name).map(|counter| *counter),
    }
}

/// An event, and what it adds.
struct Event {
    interaction: String,
    org: String,
    kind: String,
    occurred_at_ms: i64,
    object: String,
    line: i64,
    counted: i64,
}

impl Event {
    fn of(cells: &Cells) -> Option<Self> {
        Some(Self {
            interaction: text(cells, "interaction_id")?.to_owned(),
            org: text(cells, "org")?.to_owned(),
            kind: text(cells, "event_type")?.to_owned(),
            occurred_at_ms: number(cells, "occurred_at_ms")?,
            object: text(cells, "bronze_object")?.to_owned(),
            line: number(cells, "bronze_line")?,
            counted: number(cells, "counted")?,
        })
    }
}

/// What was asked.
struct Shown {
    date: String,
    queue: String,
    metric: String,
}

impl Shown {
    fn of(args: &FigureArgs) -> Self {
        Self { date: args.date.clone(), queue: args.queue.clone(), metric: args.metric.clone() }
    }
}

struct Behinds {
    args: Shown,
    revision: u64,
    stale: bool,
    figure: Option<i64>,
    sum: i64,
    events: Vec<Event>,
}

impl Answer for Behinds {
    fn outcome(&self) -> Outcome {
        match self.figure {
            Some(figure) if figure == self.sum => Outcome::Holds,
            // Events came since gold looked: it will count again.
            _ => Outcome::Unchecked,
        }
    }

    fn json(&self) -> Value {
        let event = |event: &Event| {
            json!({
                "org": event.org, "interactionId": event.interaction, "type": event.kind,
                "occurredAt": instant::to_rfc3339(event.occurred_at_ms), "object": event.object, "line": event.line, "counted": event.counted,
            })
        };
        json!({
            "date": self.args.date, "queue": self.args.queue, "metric": self.args.metric, "revision": self.revision,
            "stale": self.stale, "figure": self.figure, "sum": self.sum, "events": self.events.iter().map(event).collect::<Vec<_>>(),
        })
    }

    fn draw(&self, screen: &mut Screen<'_>) -> io::Result<()> {
        let Shown { date, queue, metric } = &self.args;
        screen.title("FIGURE", &format!("{metric} of {queue}, {date}"))?;
        screen.fact("figure", &self.figure.map_or_else(|| "–".to_owned(), |figure| figure.to_string()))?;
        screen.fact("events", &grouped(self.events.len() as u64))?;
        screen.fact("they add up to", &self.sum.to_string())?;
        screen.fact("revision", &self.revision.to_string())?;
        screen.gap()?;
        let row = |event: &Event| {
            let at = instant::to_rfc3339(event.occurred_at_ms);
            vec![
                at,
                event.kind.clone(),
                event.interaction.clone(),
                event.object.clone(),
                event.line.to_string(),
                event.counted.to_string(),
            ]
        };
        let rows: Vec<Vec<String>> = self.events.iter().take(SHOWN).map(row).collect();
        if !rows.is_empty() {
            screen.table(&["occurred", "type", "interaction", "bronze object", "line", "adds"], &rows)?;
        }
        if self.events.len() > SHOWN {
            screen.say(&format!(
                "and {} more; --json names them all",
                counted((self.events.len() - SHOWN) as u64, "event", "events")
            ))?;
        }
        screen.gap()?;
        match self.outcome() {
            Outcome::Holds => screen.verdict(Mark::Good, "The events are what the figure counts."),
            Outcome::Broken | Outcome::Unchecked => screen.verdict(
                Mark::Look,
                "The events are not what the figure counts: more came since, or they were summed up. Gold counts again.",
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cells(counted: &str) -> Cells {
        let cells = [
            ("org", "acme"),
            ("interaction_id", "c-1"),
            ("event_type", "acd.end"),
            ("occurred_at_ms", "1772460000000"),
            ("bronze_object", "0f"),
            ("bronze_line", "3"),
            ("counted", counted),
        ];
        cells.map(|(name, cell)| (name.to_owned(), Some(cell.to_owned()))).into()
    }

    #[test]
    fn a_row_is_an_event_and_one_that_lacks_a_cell_is_none() {
        let event = Event::of(&cells("2")).unwrap();
        assert_eq!((event.interaction.as_str(), event.line, event.counted), ("c-1", 3, 2));
        assert!(Event::of(&cells("two")).is_none() && Event::of(&Cells::new()).is_none());
    }

    #[test]
    fn what_the_events_add_up_to_is_held_against_the_figure() {
        let behinds = |figure| Behinds {
            args: Shown { date: "2026-03-02".to_owned(), queue: "q-1".to_owned(), metric: "answered".to_owned() },
            revision: 3,
            stale: false,
            figure,
            sum: 2,
            events: vec![Event::of(&cells("2")).unwrap()],
        };
        let outcomes = [Some(2), Some(1), None].map(|figure| behinds(figure).outcome());
        assert_eq!(outcomes, [Outcome::Holds, Outcome::Unchecked, Outcome::Unchecked]);
        let mut out = Vec::new();
        behinds(Some(2)).draw(&mut Screen::new(&mut out, 120, false)).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(
            text.contains("answered of q-1") && text.contains("c-1") && text.contains("what the figure counts"),
            "{text}"
        );
    }
}
