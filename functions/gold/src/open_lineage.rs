//! The run as OpenLineage (2-0-2) tells it: two events, of its start and of its end, with which column follows from which, for catalogues
//! that show lineage.
//!
//! Invariant: what is said of a column is read off the SQL text that sums it and off the definitions of the figures. `masking` says that
//! the values of the input cannot be told from the output: counts and what they are counted by, but not sums. The events hold names of
//! files and columns, counts and times; nothing of an event.

use std::collections::{BTreeMap, BTreeSet};

use ledgerline_event::instant;
use ledgerline_figures::{Counters, Figures, Repeats};
use ledgerline_lake::gold::{GoldKind, daily_columns, interval_columns};
use ledgerline_lake::keys::{self, iso_date};
use ledgerline_lake::sql::{self, drill};
use serde_json::{Map, Value, json};
use time::Date;
use uuid::Uuid;

use crate::provenance::{Made, Of, digest};

/// What the events are of.
pub(crate) struct Told<'a> {
    pub(crate) made: &'a Made,
    pub(crate) lake_bucket: &'a str,
    /// The local date, and its revision.
    pub(crate) date: Date,
    pub(crate) revision: u64,
    pub(crate) now_ms: i64,
}

/// The events, a line each.
pub(crate) fn events(told: &Told<'_>) -> String {
    let Told { made, date, revision, .. } = *told;
    let place = format!("s3://{}/{}", told.lake_bucket, keys::gold_run(date, revision));
    let run = json!({ "runId": Uuid::new_v5(&Uuid::NAMESPACE_URL, place.as_bytes()).to_string(), "facets": {} });
    let job = json!({ "namespace": told.namespace(), "name": told.job(), "facets": told.job_facets() });
    let event = |kind: &str, at_ms: i64, outputs: Vec<Value>| {
        json!({
            "eventType": kind, "eventTime": instant::to_rfc3339(at_ms), "producer": PRODUCER, "schemaURL": RUN_EVENT,
            "run": run, "job": job, "inputs": [told.silver()], "outputs": outputs,
        })
    };
    let start = event("START", made.as_of_ms, Vec::new());
    let complete = event("COMPLETE", told.now_ms.max(made.as_of_ms), told.outputs());
    format!("{start}\n{complete}\n")
}

impl Told<'_> {
    fn namespace(&self) -> String {
        format!("s3://{}", self.lake_bucket)
    }

    fn job(&self) -> &'static str {
        match self.made.of {
            Of::Intervals(_) => "gold.intervals",
            Of::Repeats => "gold.repeats",
        }
    }

    /// The text without its dates, which is the same in every run.
    fn job_facets(&self) -> Value {
        let query = match self.made.of {
            Of::Intervals(_) => sql::INTERVALS,
            Of::Repeats => sql::REPEATS,
        };
        json!({
            "sql": facet("1-1-0", "SQLJobFacet", json!({ "query": query, "dialect": "athena" })),
            "jobType": facet("2-0-3", "JobTypeJobFacet", json!({ "processingType": "BATCH", "integration": "LEDGERLINE", "jobType": "QUERY" })),
        })
    }

    fn silver(&self) -> Value {
        let version =
            facet("1-0-1", "DatasetVersionDatasetFacet", json!({ "datasetVersion": digest(&self.made.inputs) }));
        json!({ "namespace": self.namespace(), "name": SILVER, "facets": { "version": version } })
    }

    fn outputs(&self) -> Vec<Value> {
        let daily = self.output(keys::GOLD_DAILY, &daily_columns(), &|name| self.of_daily(name));
        match self.made.of {
            Of::Intervals(_) => {
                vec![self.output(keys::GOLD_INTERVALS, &interval_columns(), &|name| self.of_interval(name)), daily]
            }
            Of::Repeats => vec![daily],
        }
    }

    fn output(&self, folder: &str, columns: &[(&str, GoldKind)], of: &dyn Fn(&str) -> Vec<Value>) -> Value {
        let fields: Vec<Value> =
            columns.iter().map(|(name, kind)| json!({ "name": name, "type": kind.glue() })).collect();
        let told = columns.iter().map(|(name, _)| (*name, of(name))).filter(|(_, inputs)| !inputs.is_empty());
        let told: Map<String, Value> =
            told.map(|(name, inputs)| (name.to_owned(), json!({ "inputFields": inputs }))).collect();
        let version = format!("{}/{}", iso_date(self.date), self.revision);
        json!({
            "namespace": self.namespace(), "name": folder.trim_end_matches('/'),
            "facets": {
                "schema": facet("1-1-1", "SchemaDatasetFacet", json!({ "fields": fields })),
                "version": facet("1-0-1", "DatasetVersionDatasetFacet", json!({ "datasetVersion": version })),
                "columnLineage": facet("1-2-0", "ColumnLineageDatasetFacet", json!({ "fields": told })),
            },
        })
    }

    fn of_interval(&self, column: &str) -> Vec<Value> {
        if KEYS.contains(&column) {
            return vec![self.input(SILVER, column, ("DIRECT", "IDENTITY"), false)];
        }
        match column {
            "interval_start_ms" => vec![self.input(SILVER, "occurred_at_ms", ("DIRECT", "TRANSFORMATION"), false)],
            name if Counters::NAMES.contains(&name) => self.of_counter(name),
            _ => Vec::new(),
        }
    }

    /// What a counter's expression names: what it adds up, and what decides whether it does.
    fn of_counter(&self, name: &str) -> Vec<Value> {
        let expression = drill::expression(name).unwrap_or_default();
        let added: BTreeSet<&str> = columns_in(&behind_then(expression)).into_iter().collect();
        let named: BTreeSet<&str> = columns_in(expression).into_iter().collect();
        let of = |column: &&str| {
            let is_sum = added.contains(column);
            let how = if is_sum { ("DIRECT", "AGGREGATION") } else { ("INDIRECT", "CONDITIONAL") };
            self.input(SILVER, column, how, !is_sum)
        };
        if named.is_empty() {
            // Rows themselves are counted.
            return vec![self.input(SILVER, "event_type", ("DIRECT", "AGGREGATION"), true)];
        }
        named.iter().map(of).collect()
    }

    fn of_daily(&self, column: &str) -> Vec<Value> {
        let intervals = keys::GOLD_INTERVALS.trim_end_matches('/');
        if KEYS.contains(&column) {
            return vec![self.input(intervals, column, ("DIRECT", "IDENTITY"), false)];
        }
        if Counters::NAMES.contains(&column) {
            return vec![self.input(intervals, column, ("DIRECT", "AGGREGATION"), false)];
        }
        if Repeats::NAMES.contains(&column) {
            let told = |field: &&str| self.input(SILVER, field, ("INDIRECT", "CONDITIONAL"), true);
            return OF_REPEATS.iter().map(told).collect();
        }
        let defined: BTreeMap<&str, &str> = Figures::DEFINED.iter().copied().collect();
        let words = defined.get(column).copied().unwrap_or_default();
        let words: BTreeSet<&str> = words.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').collect();
        let counters = words.iter().filter(|word| Counters::NAMES.contains(word));
        let counters = counters.map(|word| self.input(intervals, word, ("DIRECT", "TRANSFORMATION"), false));
        let is_of_repeats = words.iter().any(|word| Repeats::NAMES.contains(word));
        let repeats = OF_REPEATS.iter().filter(|_| is_of_repeats);
        counters.chain(repeats.map(|field| self.input(SILVER, field, ("INDIRECT", "CONDITIONAL"), true))).collect()
    }

    fn input(&self, dataset: &str, field: &str, (kind, subtype): (&str, &str), masking: bool) -> Value {
        json!({
            "namespace": self.namespace(), "name": dataset, "field": field,
            "transformations": [{ "type": kind, "subtype": subtype, "description": "", "masking": masking }],
        })
    }
}

/// What stands behind each THEN: what is added up.
fn behind_then(expression: &str) -> String {
    let parts = expression.split(" THEN ").skip(1);
    parts.map(|part| part.split(" ELSE ").next().unwrap_or_default()).collect::<Vec<_>>().join(" ")
}

/// The columns of silver that an expression over facts names.
fn columns_in(expression: &str) -> Vec<&'static str> {
    let words: BTreeSet<&str> =
        expression.split(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '_' | '.')).collect();
    let of = |(fact, _): &&(&str, &[&str])| words.contains(format!("f.{fact}").as_str());
    FACTS.iter().filter(of).flat_map(|(_, columns)| columns.iter().copied()).collect()
}

fn facet(version: &str, name: &str, members: Value) -> Value {
    let mut facet = members;
    if let Some(facet) = facet.as_object_mut() {
        facet.insert("_producer".to_owned(), json!(PRODUCER));
        facet.insert("_schemaURL".to_owned(), json!(format!("{FACETS}/{version}/{name}.json#/$defs/{name}")));
    }
    facet
}

const PRODUCER: &str = concat!("urn:ledgerline:gold:", env!("CARGO_PKG_VERSION"));
const RUN_EVENT: &str = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent";
const FACETS: &str = "https://openlineage.io/spec/facets";
/// Silver's folder of events.
const SILVER: &str = "silver/events";
/// What both tables group by under silver's own names.
const KEYS: [&str; 5] = ["org", "division", "queue_id", "media", "direction"];
/// A fact's columns, and silver's that they are made of.
const FACTS: [(&str, &[&str]); 13] = [
    ("event_type", &["event_type"]),
    ("acd_outcome", &["acd_outcome"]),
    ("disconnect_type", &["disconnect_type"]),
    ("leg_media", &["media"]),
    ("wait_ms", &["connected_duration_ms"]),
    ("talk_ms", &["interacting_duration_ms"]),
    ("held_ms", &["held_duration_ms"]),
    ("dial_ms", &["contacting_duration_ms", "dialing_duration_ms"]),
    ("alert_ms", &["alerting_duration_ms"]),
    ("acw_ms", &["wrapup_duration_ms"]),
    ("session_acw_ms", &["wrapup_duration_ms"]),
    ("contact_ms", &["interacting_duration_ms", "held_duration_ms", "contacting_duration_ms", "dialing_duration_ms"]),
    ("survey_score_centi", &["survey_score_centi"]),
];
/// What decides whether a contact is a repeat.
const OF_REPEATS: [&str; 5] = ["customer_ref", "event_type", "acd_outcome", "direction", "occurred_at_ms"];

#[cfg(test)]
mod tests {
    use super::*;
    use ledgerline_figures::summary::Definitions;
    use ledgerline_figures::{ServiceLevel, Targets};
    use time::macros::date;

    fn told(of: Of) -> Vec<Value> {
        let definitions = Definitions::of(ServiceLevel::default(), Targets::default());
        let made = Made { as_of_ms: 7, of, inputs: Vec::new(), executions: Vec::new(), definitions };
        let told = Told { made: &made, lake_bucket: "lake", date: date!(2026 - 03 - 02), revision: 3, now_ms: 9 };
        events(&told).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    fn inputs<'v>(output: &'v Value, column: &str) -> Vec<(&'v str, &'v str, bool)> {
        let fields = output["facets"]["columnLineage"]["fields"][column]["inputFields"].as_array().unwrap();
        let one = |field: &'v Value| {
            let how = &field["transformations"][0];
            (field["field"].as_str().unwrap(), how["subtype"].as_str().unwrap(), how["masking"].as_bool().unwrap())
        };
        fields.iter().map(one).collect()
    }

    #[test]
    fn every_column_says_what_it_follows_from_and_a_count_masks() {
        let [start, complete] = told(Of::Intervals(date!(2026 - 03 - 02))).try_into().unwrap();
        assert_eq!((&start["eventType"], &complete["eventType"]), (&json!("START"), &json!("COMPLETE")));
        assert_eq!(start["run"], complete["run"]);
        let outputs = complete["outputs"].as_array().unwrap();
        for (output, columns) in outputs.iter().zip([interval_columns(), daily_columns()]) {
            for (column, _) in columns {
                assert!(!inputs(output, column).is_empty(), "{column}");
            }
        }
        let talk = inputs(&outputs[0], "talk_ms");
        assert_eq!(talk, [("event_type", "CONDITIONAL", true), ("interacting_duration_ms", "AGGREGATION", false)]);
        assert_eq!(
            inputs(&outputs[0], "answered"),
            [("acd_outcome", "CONDITIONAL", true), ("event_type", "CONDITIONAL", true)]
        );
        assert_eq!(inputs(&outputs[1], "avg_answer_wait_sec").len(), 2);
        assert!(inputs(&outputs[1], "fcr_rate_pct").contains(&("customer_ref", "CONDITIONAL", true)));
    }

    #[test]
    fn a_run_over_repeats_says_so_and_runs_have_ids_of_their_own() {
        let [_, complete] = told(Of::Repeats).try_into().unwrap();
        assert_eq!(
            (&complete["job"]["name"], complete["outputs"].as_array().unwrap().len()),
            (&json!("gold.repeats"), 1)
        );
        assert_eq!(complete["run"]["runId"].as_str().unwrap().len(), 36);
    }
}
