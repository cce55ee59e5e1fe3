//! Batches for an engine's bulk endpoint: `{process_name, batch_id, records: [{case_id, activity, start_time, end_time, event_order, …}]}`.
//!
//! A record is what happened, from its start to its end: an interval, or an event whose start is its end.
//!
//! Invariant: a batch's id follows from what is in it, so that the same batch sent again is the same one to its receiver; a case is whole in a
//! batch unless it alone is larger than a batch may be; no batch is beyond [`Limits`].

use std::collections::VecDeque;
use std::fmt::Write as _;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::case::Case;
use super::interval::{Interval, intervals};
use super::text::with_offset;
use super::{Labels, View, activity_map};

/// What a batch may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Records.
    pub records: usize,
    /// Bytes of the body.
    pub bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { records: 1_000, bytes: 1024 * 1024 }
    }
}

/// A record's place: everything up to it came before.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Position {
    /// The case.
    pub case: String,
    /// The record's `event_order`.
    pub order: u64,
}

/// A batch, ready to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// Its id.
    pub id: String,
    /// The whole body.
    pub body: Vec<u8>,
    /// How many records it has.
    pub records: usize,
    /// The last of them.
    pub last: Position,
}

#[derive(Debug)]
struct Line {
    at: Position,
    /// `YYYYMMDD` of its start.
    day: String,
    json: String,
}

/// Makes batches of cases that come in their order.
#[derive(Debug)]
pub struct Batcher {
    labels: Labels,
    map: String,
    limits: Limits,
    after: Option<Position>,
    waiting: VecDeque<Line>,
    bytes: usize,
}

impl Batcher {
    /// Batches of what comes after this position.
    pub fn new(labels: Labels, limits: Limits, after: Option<Position>) -> Self {
        Self { labels, map: activity_map(), limits, after, waiting: VecDeque::new(), bytes: 0 }
    }

    /// Adds a case; how many records it has that were not sent before.
    pub fn push(&mut self, case: &Case) -> usize {
        let before = self.waiting.len();
        for line in lines(case, &self.labels, &self.map) {
            if self.after.as_ref().is_none_or(|after| line.at > *after) {
                self.bytes += line.json.len() + 1;
                self.waiting.push_back(line);
            }
        }
        self.waiting.len() - before
    }

    /// Whether there is enough for a batch, and one case more.
    pub fn is_full(&self) -> bool {
        self.waiting.len() > self.limits.records || self.bytes > self.limits.bytes
    }

    /// What is to be sent next; `None` if nothing waits.
    pub fn next_batch(&self) -> Option<Batch> {
        let mut bytes = ENVELOPE_BYTES + 6 * self.labels.process.len();
        let fits = |line: &&Line| {
            bytes += line.json.len() + 1;
            bytes <= self.limits.bytes
        };
        // One at least: a record is far below any limit.
        let most = self.waiting.iter().take(self.limits.records).take_while(fits).count().max(1);
        let is_whole = |end: usize| match (self.waiting.get(end - 1), self.waiting.get(end)) {
            (Some(last), Some(next)) => last.at.case != next.at.case,
            _ => true,
        };
        let end = (1..=most).rev().find(|end| is_whole(*end)).unwrap_or(most);
        let last = self.waiting.get(end - 1)?;
        let first = self.waiting.front()?;
        let records = self.waiting.iter().take(end).map(|line| line.json.as_str()).collect::<Vec<_>>().join(",");
        let process = serde_json::Value::from(self.labels.process.as_str());
        let id = format!("batch_{}_{}", first.day, digest(&[&self.labels.process, &records]));
        let body = format!("{{\"process_name\":{process},\"batch_id\":\"{id}\",\"records\":[{records}]}}");
        Some(Batch { id, body: body.into_bytes(), records: end, last: last.at.clone() })
    }

    /// The batch arrived: the next one begins after it.
    pub fn sent(&mut self, batch: &Batch) {
        for line in self.waiting.drain(..batch.records.min(self.waiting.len())) {
            self.bytes -= line.json.len() + 1;
        }
    }

    /// The batch was too large: from now on none has more than half as many records. `false` if it had only one.
    pub fn halve(&mut self, batch: &Batch) -> bool {
        self.limits.records = (batch.records / 2).max(1);
        batch.records > 1
    }

    /// How many records a batch may have.
    pub fn limit(&self) -> usize {
        self.limits.records
    }
}

#[derive(Serialize)]
struct Record<'a> {
    case_id: &'a str,
    activity: &'a str,
    start_time: String,
    end_time: String,
    event_order: u64,
    transition: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    resource: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    queue: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    media: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    direction: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    customer: Option<&'a str>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    imputed: bool,
    activity_map: &'a str,
}

fn lines(case: &Case, labels: &Labels, map: &str) -> Vec<Line> {
    let lasted = match labels.view {
        View::Milestones => case.events().iter().map(Lasted::of_event).collect(),
        View::Intervals => intervals(case).iter().filter_map(Lasted::of_interval).collect::<Vec<_>>(),
    };
    (1..).zip(lasted).filter_map(|(order, lasted)| lasted.line(order, case, labels, map)).collect()
}

/// Something from its start to its end, which may be the same.
struct Lasted<'a> {
    activity: &'a str,
    transition: &'static str,
    times_ms: (i64, i64),
    imputed: bool,
    /// What tells of its end, and if that says nothing, of its start.
    events: [&'a super::Event; 2],
}

impl<'a> Lasted<'a> {
    fn of_event(event: &'a super::Event) -> Self {
        let (activity, times_ms) = (event.activity.as_str(), (event.at_ms, event.at_ms));
        Self { activity, transition: "complete", times_ms, imputed: false, events: [event, event] }
    }

    fn of_interval(interval: &Interval<'a>) -> Option<Self> {
        let (first, last) = (interval.first()?, interval.last()?);
        let transition = match interval.end {
            None => "start",
            Some(_) if interval.aborted => "abort",
            Some(_) => "complete",
        };
        let times_ms = (first.at_ms, last.at_ms);
        let events = [last.event, first.event];
        Some(Self { activity: interval.activity, transition, times_ms, imputed: first.imputed, events })
    }

    fn line(&self, order: u64, case: &Case, labels: &Labels, map: &str) -> Option<Line> {
        let first = |of: fn(&super::Event) -> Option<&String>| self.events.into_iter().find_map(of).map(String::as_str);
        let agent = first(|event| event.agent.as_ref()).map(|agent| labels.people.agent(agent));
        let customer = labels.people.customer(case.facts().customer);
        let record = Record {
            case_id: case.id(),
            activity: self.activity,
            start_time: with_offset(self.times_ms.0),
            end_time: with_offset(self.times_ms.1),
            event_order: order,
            transition: self.transition,
            resource: agent.as_deref(),
            queue: first(|event| event.queue.as_ref()),
            media: first(|event| event.media.as_ref()),
            direction: first(|event| event.direction.as_ref()),
            customer: customer.as_deref(),
            imputed: self.imputed,
            activity_map: map,
        };
        let day = record.start_time.get(..10).unwrap_or_default().replace('-', "");
        // Texts and numbers always have a JSON form.
        let json = serde_json::to_string(&record).ok()?;
        Some(Line { at: Position { case: case.id().to_owned(), order }, day, json })
    }
}

/// The first 32 hex digits of SHA-256 over texts, each with its length before it.
pub fn digest(texts: &[&str]) -> String {
    let mut digest = Sha256::new();
    for text in texts {
        digest.update((text.len() as u64).to_be_bytes());
        digest.update(text);
    }
    digest.finalize().iter().take(16).fold(String::with_capacity(32), |mut hex, byte| {
        // Writing to a String cannot fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// What stands around a batch's records, the process's name apart, with its id.
const ENVELOPE_BYTES: usize = 128;
