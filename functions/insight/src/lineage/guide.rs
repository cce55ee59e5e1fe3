//! The guide's own shape: what `GET /api/v2/analytics/interactions/{interactionId}` answers in its "verifying lineage by API".
//!
//! Invariant: `customFields.lineageProvenance` is JSON in a text with `id` and `metadata`, in UTC, whether the interaction was erased or
//! not: an erased one says so in its status, under the token that is derived from its id.

use ledgerline_event::lineage::{ERASED, Masked, PROCESSOR, PROVENANCE_VERSION, Provenance};
use serde::Serialize;

use super::answer::{Answer, Record};

/// The guide's members, and the whole answer beside them.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Shaped<'a> {
    id: &'a str,
    contact_center_id: &'a str,
    start_time: Option<&'a str>,
    end_time: Option<&'a str>,
    custom_fields: CustomFields,
    complete: bool,
    lineage: &'a Answer,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct CustomFields {
    lineage_token: String,
    lineage_provenance: String,
}

/// The answer in the guide's shape; `None` if it is not about one record.
pub(super) fn shaped(answer: &Answer) -> Option<Shaped<'_>> {
    let [record] = answer.records.as_slice() else { return None };
    let (start, end) = record.lasted.as_ref().map(|(first, last)| (first.as_str(), last.as_str())).unzip();
    Some(Shaped {
        id: record.interaction_id.as_deref().unwrap_or_default(),
        contact_center_id: record.contact_center_id.as_deref().unwrap_or(&record.org),
        start_time: start,
        end_time: end,
        custom_fields: custom_fields(record),
        complete: answer.complete,
        lineage: answer,
    })
}

/// The first event's that has any; of an interaction without entries, or of which an erasure took all of them, what is left to say.
fn custom_fields(record: &Record) -> CustomFields {
    let told = |entry: &super::answer::Entry| entry.lineage_token.clone().zip(entry.lineage_provenance.clone());
    let (lineage_token, lineage_provenance) = record.entries.iter().find_map(told).unwrap_or_else(|| {
        let is_erased = record.entries.iter().any(|entry| entry.lineage_token.is_some());
        let provenance = Provenance {
            token: record.derived_token.clone(),
            version: PROVENANCE_VERSION.to_owned(),
            processed_at_ms: None,
            processor_id: Some(PROCESSOR.to_owned()),
            status: Some(if is_erased { ERASED } else { PENDING }.to_owned()),
            masked: Masked::Names(Vec::new()),
        };
        (record.derived_token.clone(), provenance.write(""))
    });
    CustomFields { lineage_token, lineage_provenance }
}

/// Nothing of it is committed yet.
const PENDING: &str = "pending";
