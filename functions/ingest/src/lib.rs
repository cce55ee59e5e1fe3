//! The Firehose transformation: every record becomes bronze lines or quarantine.
//!
//! Invariant: every record id of a request is answered exactly once and in order; a record is answered whole or, as
//! `ProcessingFailed`, left whole to the error prefix; the answer stays below Lambda's limit whatever arrives. Nothing
//! is read but the request: time comes from Firehose, so that a retried batch is answered alike.

mod answer;
mod record;

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use ledgerline_event::adapters::is_org;
use ledgerline_event::document::Rejection;
use ledgerline_event::instant;
use ledgerline_lambda::config::Env;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;

use answer::Answers;
use record::{Bronze, Workspace};

/// What the function is told at cold start.
#[derive(Debug, Clone)]
pub struct Config {
    /// The organisation of events that name none.
    pub default_org: String,
    /// Events that happened longer before their arrival than this go to `late`.
    pub late_after_ms: i64,
}

impl Config {
    /// Reads `DEFAULT_ORG` and `LATE_AFTER_HOURS`; problems are remembered by `env`.
    pub fn from_env(env: &mut Env) -> Self {
        let default_org = env.text_or("DEFAULT_ORG", "default");
        if !is_org(&default_org) {
            env.reject("DEFAULT_ORG", "is no organisation", "use 1 to 64 letters, digits, '.', '_' or '-'");
        }
        let hours = env.number("LATE_AFTER_HOURS", LATE_AFTER_HOURS, 1..=LATE_AFTER_HOURS_MAX);
        Self { default_org, late_after_ms: i64::from(hours) * 3_600_000 }
    }
}

/// 48 hours × 2 families leave four fifths of Firehose's 500 active partitions to skew and quarantine.
const LATE_AFTER_HOURS: u32 = 48;
/// 200 hours × 2 families = 400 active partitions, and a fifth left.
const LATE_AFTER_HOURS_MAX: u32 = 200;

/// What one invocation did, for its log line.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    /// Records in the request.
    pub records: u64,
    /// Events written as bronze lines.
    pub events: u64,
    /// Quarantine lines, by their reason.
    pub quarantined: BTreeMap<Rejection, u64>,
    /// Records that hold nothing but quarantine lines.
    pub unreadable_records: u64,
    /// Records put off because the answer was full.
    pub put_off: u64,
    /// Records of more events than fit an answer: they come back through `redrive`, in pieces.
    pub outgrown: u64,
    /// Records without an id: nothing can be answered of them, and Firehose keeps them under its error prefix.
    pub without_id: u64,
    /// Records whose handling panicked; they are in quarantine.
    pub panicked: u64,
}

/// The answer to Firehose, as JSON, and what it says.
#[derive(Debug)]
pub struct Response {
    /// `{"records":[…]}`.
    pub body: String,
    /// What happened.
    pub counts: Counts,
}

/// A request that is none of Firehose's.
#[derive(Debug)]
pub struct BadRequest(serde_json::Error);

impl std::fmt::Display for BadRequest {
    /// The position only: serde's own message may repeat content.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (line, column) = (self.0.line(), self.0.column());
        write!(
            f,
            "the request is no Firehose transformation event (line {line}, column {column}): \
             invoke this function only as the processor of a delivery stream"
        )
    }
}

impl std::error::Error for BadRequest {}

/// What Firehose sends, borrowed.
#[derive(Deserialize)]
struct Request<'a> {
    #[serde(borrow)]
    records: Vec<Input<'a>>,
}

/// One record of it. The id is echoed as it was spelled.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Input<'a> {
    #[serde(borrow)]
    record_id: &'a RawValue,
    #[serde(borrow)]
    data: Cow<'a, str>,
    #[serde(borrow)]
    approximate_arrival_timestamp: Option<&'a RawValue>,
}

/// A request of which a record is not what Firehose sends: each is read by itself, so that it costs none of the others its answer.
#[derive(Deserialize)]
struct LooseRequest<'a> {
    #[serde(borrow)]
    records: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct LooseInput<'a> {
    #[serde(borrow)]
    record_id: Option<&'a RawValue>,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
    #[serde(borrow)]
    approximate_arrival_timestamp: Option<&'a RawValue>,
}

/// A record that can be answered.
struct Answerable<'a> {
    id: &'a str,
    arrival: Option<&'a RawValue>,
    data: Data<'a>,
}

enum Data<'a> {
    /// Base64, as it should be.
    Text(Cow<'a, str>),
    /// The record as it came, which has no such data.
    None(&'a str),
}

impl<'a> Answerable<'a> {
    /// The records of a request that have an id, and how many have none.
    ///
    /// # Errors
    /// It has no list of records.
    fn all(request: &'a [u8]) -> Result<(Vec<Self>, u64), BadRequest> {
        if let Ok(request) = serde_json::from_slice::<Request<'_>>(request)
            && request.records.iter().all(|input| is_text(input.record_id))
        {
            let whole = |input: Input<'a>| Self {
                id: input.record_id.get(),
                arrival: input.approximate_arrival_timestamp,
                data: Data::Text(input.data),
            };
            return Ok((request.records.into_iter().map(whole).collect(), 0));
        }
        let LooseRequest { records } = serde_json::from_slice(request).map_err(BadRequest)?;
        let all = records.len();
        let answerable: Vec<Self> = records.into_iter().filter_map(Self::loose).collect();
        let without_id = (all - answerable.len()) as u64;
        Ok((answerable, without_id))
    }

    fn loose(record: &'a RawValue) -> Option<Self> {
        let LooseInput { record_id, data, approximate_arrival_timestamp } = serde_json::from_str(record.get()).ok()?;
        let text = data.and_then(|data| serde_json::from_str(data.get()).ok());
        Some(Self {
            id: record_id.filter(|id| is_text(id))?.get(),
            arrival: approximate_arrival_timestamp,
            data: text.map_or(Data::None(record.get()), Data::Text),
        })
    }

    fn arrival_ms(&self, now_ms: i64) -> i64 {
        let stated = self.arrival.and_then(|raw| instant::parse(raw.get().trim_matches('"')));
        stated.unwrap_or(now_ms)
    }
}

fn is_text(id: &RawValue) -> bool {
    id.get().starts_with('"')
}

/// Answers a request. Pure but for the clock's reading `now_ms`, which counts only where Firehose stamps no arrival.
///
/// # Errors
/// Only if the request is no Firehose event: then there are no ids to answer.
pub fn handle(config: &Config, now_ms: i64, request: &[u8]) -> Result<Response, BadRequest> {
    answer_with(request, now_ms, |workspace, arrival_ms, data| record::to_bronze(config, workspace, arrival_ms, data))
}

/// [`handle`] over any way to turn a record into bronze.
fn answer_with(
    request: &[u8],
    now_ms: i64,
    to_bronze: impl Fn(&mut Workspace, i64, &str) -> Option<Bronze>,
) -> Result<Response, BadRequest> {
    let (records, without_id) = Answerable::all(request)?;
    let mut answers = Answers::new(records.iter().map(|record| record.id.len()));
    let mut workspace = Workspace::default();
    let mut counts = Counts { records: records.len() as u64 + without_id, without_id, ..Counts::default() };
    for record in &records {
        let arrival_ms = record.arrival_ms(now_ms);
        let id = record.id;
        let data = match &record.data {
            Data::Text(data) => data,
            Data::None(record) => {
                workspace.lines.clear();
                let kept = record::whole(&mut workspace, arrival_ms, Rejection::BadEnvelope, record.as_bytes());
                settle(&mut answers, &mut counts, (id, arrival_ms), &kept, &workspace.lines);
                continue;
            }
        };
        // A panic leaves nothing behind but the workspace, which is made again. The record is quarantined whole: given back
        // as failed it would come round by the error prefix and panic again for ever.
        let mut bronze = catch_unwind(AssertUnwindSafe(|| to_bronze(&mut workspace, arrival_ms, data)));
        if bronze.is_err() {
            workspace = Workspace::default();
            counts.panicked += 1;
            bronze = catch_unwind(AssertUnwindSafe(|| Some(record::defective(&mut workspace, arrival_ms, data))));
        }
        match bronze {
            Err(_) => {
                workspace = Workspace::default();
                answers.failed(id, arrival_ms);
            }
            Ok(None) => {
                counts.outgrown += 1;
                answers.failed(id, arrival_ms);
            }
            Ok(Some(bronze)) => settle(&mut answers, &mut counts, (id, arrival_ms), &bronze, &workspace.lines),
        }
    }
    Ok(Response { body: answers.finish(), counts })
}

/// Answers a record with its lines, or puts it off where the answer has no room for them.
fn settle(answers: &mut Answers, counts: &mut Counts, (id, arrival_ms): (&str, i64), bronze: &Bronze, lines: &[u8]) {
    if !answers.ok(id, &bronze.partition, lines) {
        counts.put_off += 1;
        return answers.failed(id, arrival_ms);
    }
    counts.events += bronze.events;
    counts.unreadable_records += u64::from(bronze.events == 0);
    for (reason, lines) in &bronze.quarantined {
        *counts.quarantined.entry(*reason).or_default() += lines;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use answer::Partition;

    #[test]
    fn a_record_that_panics_is_quarantined_whole_and_the_others_go_on() {
        let request = br#"{"records":[{"recordId":"a","data":"YQ=="},{"recordId":"b","data":"Yg=="},{"recordId":"c","data":"Yw=="}]}"#;
        let response = answer_with(request, 1_772_460_400_000, |workspace, arrival_ms, data| {
            workspace.lines.clear();
            workspace.lines.extend_from_slice(data.as_bytes());
            assert!(data != "Yg==", "a defect that only this record meets");
            Some(Bronze { partition: Partition::quarantine(arrival_ms), events: 1, quarantined: BTreeMap::new() })
        });
        let response = response.unwrap();
        let results: Vec<&str> =
            response.body.split("\"result\":\"").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
        assert_eq!(results, ["Ok", "Ok", "Ok"]);
        assert_eq!((response.counts.panicked, response.counts.events), (1, 2));
        assert_eq!(response.counts.quarantined, BTreeMap::from([(Rejection::Defect, 1)]));
        let second = response.body.split("\"data\":\"").nth(2).and_then(|rest| rest.split('"').next()).unwrap();
        let line = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, second).unwrap();
        let line = String::from_utf8(line).unwrap();
        assert!(line.contains("\"reason\":\"defect\"") && line.contains("\"rawBase64\":\"Yg==\""), "{line}");
    }
}
