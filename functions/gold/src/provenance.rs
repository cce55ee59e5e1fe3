//! What figures were made of: the note of a run.

use std::collections::BTreeMap;

use ledgerline_event::instant;
use ledgerline_figures::summary::Definitions;
use ledgerline_lake::{keys, sql};
use ledgerline_store::gold::Input;
use serde::Serialize;
use time::Date;

use crate::question::{Execution, hex};

/// What figures were made of.
#[derive(Debug, Clone)]
pub(crate) struct Made {
    /// The input was listed at this moment.
    pub(crate) as_of_ms: i64,
    /// What was counted.
    pub(crate) of: Of,
    /// Silver's files.
    pub(crate) inputs: Vec<Input>,
    /// What Athena did; nothing where there was nothing to ask.
    pub(crate) executions: Vec<Execution>,
    /// How figures are made of counters.
    pub(crate) definitions: Definitions,
}

/// What was counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Of {
    /// The half hours of a UTC date.
    Intervals(Date),
    /// The repeats of some dates.
    Repeats,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Note<'a> {
    v: u32,
    date: String,
    revision: u64,
    as_of: String,
    /// `intervals` or `repeats`.
    counted: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    utc_date: Option<String>,
    /// The version of the code.
    code: &'static str,
    sql_sha256: &'a str,
    definitions: &'a Definitions,
    executions: &'a [Execution],
    inputs: Inputs<'a>,
    /// For each UTC date that the local date lies on, the revision whose note lists the files that its half hours were counted of.
    counted_by: &'a BTreeMap<String, u64>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Inputs<'a> {
    files: usize,
    /// [`digest`] of them.
    digest: String,
    /// Key and entity tag of each; of repeats, which read three weeks, the digest alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    listed: Option<Vec<[&'a str; 2]>>,
}

impl Made {
    /// By which revisions a date's half hours were counted, from what the revision before said: this one's own date is its own.
    pub(crate) fn counted_by(&self, before: Option<BTreeMap<String, u64>>, revision: u64) -> BTreeMap<String, u64> {
        let mut counted_by = before.unwrap_or_default();
        if let Of::Intervals(date) = self.of {
            counted_by.insert(keys::iso_date(date), revision);
        }
        counted_by
    }

    /// The note of a local date's revision, as JSON.
    pub(crate) fn note(
        &self,
        date: Date,
        revision: u64,
        counted_by: &BTreeMap<String, u64>,
    ) -> Result<Vec<u8>, serde_json::Error> {
        let (counted, utc_date) = match self.of {
            Of::Intervals(date) => ("intervals", Some(keys::iso_date(date))),
            Of::Repeats => ("repeats", None),
        };
        let listed = utc_date.is_some().then(|| self.inputs.iter().map(|one| [&*one.key, &*one.tag]).collect());
        serde_json::to_vec(&Note {
            v: 1,
            date: keys::iso_date(date),
            revision,
            as_of: instant::to_rfc3339(self.as_of_ms),
            counted,
            utc_date,
            code: env!("CARGO_PKG_VERSION"),
            sql_sha256: &sql::SHA256,
            definitions: &self.definitions,
            executions: &self.executions,
            inputs: Inputs { files: self.inputs.len(), digest: digest(&self.inputs), listed },
            counted_by,
        })
    }
}

/// SHA-256 over the keys and tags of files, in hex, each with its length (eight bytes, big-endian) before it.
pub(crate) fn digest(inputs: &[Input]) -> String {
    let texts: Vec<&str> = inputs.iter().flat_map(|input| [&*input.key, &*input.tag]).collect();
    hex(&texts)
}
