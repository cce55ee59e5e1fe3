//! What is said of an interaction as a whole: summaries with a lineage token (guide 000), bulk batches for process
//! mining (guide 001), contact rows (guide 004).
//!
//! Invariant: a batch holds cases of one process that ended one after the other, and is sent when the last one did;
//! each of its records counts as a document and as an event of its own.

use serde_json::{Value, json};

use super::{QUEUES, Telling, media, process, seconds};
use crate::r#gen::envelope::{Body, Event, Topic, milliseconds};
use crate::r#gen::planted::Planted;

/// An interaction as process mining loads it.
pub(super) struct Case {
    id: String,
    process: &'static str,
    ended_ms: i64,
    records: Vec<Value>,
}

impl Telling<'_> {
    /// Guide 000: one when it begins, as analytics stores it, and one at its end, as it left Genesys or behind a
    /// middleware that put the token into JSON in a string.
    pub(super) fn summaries(&mut self) {
        const SOURCE: &str = "interaction-summary";
        let token = format!("lt-{}", self.dice.between(10_000, 999_999));
        let (begins, ends) = (self.interaction.started_ms, self.interaction.ended_ms);
        let provenance = |at_ms: i64| {
            let metadata = json!({
                "version": "1.0",
                "processedAt": milliseconds(at_ms),
                "processorId": "middleware-node-03",
                "status": "SUCCESS",
            });
            json!({"id": token, "metadata": metadata}).to_string()
        };
        let id = self.interaction.id.as_str();
        let center = self.house.contact_center.as_str();
        let media = media(self.interaction.channel);
        if self.dice.percent(50.0) {
            let stored = Body::default()
                .with("id", id)
                .with("contactCenterId", center)
                .with("startTime", milliseconds(begins))
                .with("customFields", json!({"lineageProvenance": provenance(begins)}));
            self.emit(SOURCE, begins, stored);
        }
        let whole = Body::default()
            .with("id", id)
            .with("interactionType", media)
            .with("contactCenterId", center)
            .with("startTime", milliseconds(begins))
            .with("endTime", milliseconds(ends));
        let whole = if self.dice.percent(30.0) {
            whole.with("customFields", json!({"lineageToken": provenance(ends)}))
        } else {
            whole.with("lineageToken", token.as_str())
        };
        self.emit(SOURCE, ends, whole);
    }

    /// Guide 004: a row of the contact table.
    pub(super) fn contact_row(&mut self) {
        const SOURCE: &str = "contact-row";
        let ends = self.interaction.ended_ms;
        let phone = self.phone(SOURCE, "/phone_number");
        let row = Body::default()
            .with("event_id", self.dice.uuid())
            .with("timestamp", seconds(ends))
            .with("event_type", "CONTACT")
            .with("contact_id", self.interaction.id.as_str())
            .with("phone_number", phone)
            .with("queue_name", QUEUES[self.dice.index(QUEUES.len())].1)
            .with("duration_seconds", (ends - self.interaction.started_ms) / 1000)
            .with("outcome_status", self.dice.pick(&["Completed", "Completed", "Resolved", "Abandoned", "Cancelled"]))
            .with("masking_enabled", self.dice.percent(80.0));
        self.emit(SOURCE, ends, row);
    }

    /// Guide 001: what a bulk load says of it.
    pub(super) fn case(&mut self) -> Case {
        let interaction = self.interaction;
        let word = match media(interaction.channel) {
            "VOICE" => "Call",
            "CHAT" => "Chat",
            "EMAIL" => "Email",
            "CALLBACK" => "Callback",
            _ => "Message",
        };
        let steps = self.steps();
        let records = steps.windows(2).map(|pair| {
            json!({
                "case_id": interaction.id,
                "activity": format!("{word}_{}", pair[0].activity),
                "start_time": seconds(self.at(pair[0].at_percent)),
                "end_time": seconds(self.at(pair[1].at_percent)),
            })
        });
        let records = records.collect();
        Case {
            id: interaction.id.clone(),
            process: process(interaction.channel),
            ended_ms: interaction.ended_ms,
            records,
        }
    }
}

/// Guide 001: `{process_name, batch_id, records: [{case_id, activity, start_time, end_time}]}`.
pub(super) fn batches(org: &str, mut cases: Vec<Case>, planted: &mut Planted) -> Vec<Event> {
    cases.sort_by(|a, b| (a.process, a.ended_ms, &a.id).cmp(&(b.process, b.ended_ms, &b.id)));
    let day = planted.date.replace('-', "");
    let mut number = 0;
    let mut batches = Vec::new();
    for alike in cases.chunk_by(|a, b| a.process == b.process) {
        for some in alike.chunks(CASES_PER_BATCH) {
            let Some(last) = some.last() else { continue };
            number += 1;
            let records: Vec<Value> = some.iter().flat_map(|case| case.records.iter().cloned()).collect();
            for case in some {
                case.records.iter().for_each(|_| planted.count_flat(&case.id, BATCH));
            }
            let body = Body::default()
                .with("process_name", last.process)
                .with("batch_id", format!("batch_{day}_{number:03}"))
                .with("records", records)
                .with("orgId", org);
            let (topic, id) = (Topic::Flat(BATCH), last.id.clone());
            batches.push(Event { topic, id, occurred_ms: last.ended_ms, version: "", body });
        }
    }
    batches
}

const BATCH: &str = "process-batch";

/// A batch holds some ten records.
const CASES_PER_BATCH: usize = 3;
