//! From an object's events to what is stored of them: silver files and the plan. Pure.
//!
//! Invariant: silver rows and plan entries are the same events in the same order, and equal input gives equal bytes.

use std::cmp::Ordering;

use ledgerline_event::catalogue::built_in;
use ledgerline_event::lineage::{Masked, PROCESSED, PROCESSOR, PROVENANCE_VERSION, Provenance};
use ledgerline_lake::ObjectId;
use ledgerline_lake::keys::iso_date;
use ledgerline_lake::plan::{Beside, Counts, Plan, PlanWriter};
use ledgerline_lake::silver::{Row, SilverFile, SilverWriter};
use ledgerline_ledger::entry::Record;
use ledgerline_ledger::log::LogId;
use ledgerline_sealed::Random;
use ledgerline_store::crm::CrmRow;

use crate::config::Settings;
use crate::error::TransformError;
use crate::reading::{Event, Read, Reading};
use crate::tokens::Rewritten;

/// How an event came by its token if its source's was replaced: other records have that, too, or an erasure covers the event.
const SHARED: &str = "shared";

/// The flaw of an event of which a text was damaged before it came.
const DAMAGED_TEXT: &str = "damaged_text";

/// The field of what the look-up says.
const OUTCOME: &str = "outcome";

/// What became of an event after its claim.
#[derive(Clone, Copy, Debug)]
pub struct Owned<'a> {
    /// The event.
    pub event: &'a Event,
    /// The customer's name in silver, if one resolved.
    pub customer_ref: Option<&'a str>,
    /// What a CRM says of the customer.
    pub crm: Option<&'a CrmRow>,
    /// An erasure covers it: its row has nothing of a person.
    pub suppressed: bool,
    /// What it is planned as, if not as it was read.
    pub rewritten: Option<&'a Rewritten>,
}

impl<'a> Owned<'a> {
    /// An event of nobody that no erasure covers, whose token nobody else has.
    pub fn of(event: &'a Event) -> Self {
        Self { event, customer_ref: None, crm: None, suppressed: false, rewritten: None }
    }
}

/// The order of events: when they occurred, the source's own sequence, what encloses what, and at last their ids, which
/// follow from their places, so that it is the same in every run.
pub fn event_order(a: &Event, b: &Event) -> Ordering {
    let order = |event: &Event| (event.adapted.occurred_at_ms, event.sequence, event.rank);
    order(a).cmp(&order(b)).then_with(|| a.event_id.cmp(&b.event_id))
}

/// The silver files of these events, which are in their order.
///
/// # Errors
/// If Parquet fails.
pub fn silver(
    object: ObjectId,
    read: &Read,
    owned: &[Owned<'_>],
    started_at_ms: i64,
    policy_hash: &str,
) -> Result<Vec<SilverFile>, TransformError> {
    let mut writer = SilverWriter::new(object)?;
    for Owned { event, customer_ref, crm, suppressed, rewritten } in owned {
        let derived = rewritten.and_then(|rewritten| rewritten.token.as_deref());
        let record = &read.records[event.adapted.record];
        let (interaction_id, entity_type, entity_id) = match &record.about {
            Record::Interaction(id) => (Some(id.as_str()), None, None),
            Record::Entity { kind, id } => (None, Some(kind.as_str()), Some(id.as_str())),
        };
        writer.push(&Row {
            org: &record.org,
            event_id: &event.event_id,
            interaction_id,
            entity_type,
            entity_id,
            source: event.source,
            topic: &event.topic,
            schema_version: &event.schema_version,
            event_type: event.event_type,
            activity: event.activity,
            lifecycle: Some(event.lifecycle),
            occurred_at_ms: event.adapted.occurred_at_ms,
            sequence: event.sequence,
            event_rank: event.rank,
            time_from_envelope: event.time_from_envelope,
            zone_assumed: event.zone_assumed,
            country_assumed: event.country_assumed,
            flaws: event.damaged.then_some(DAMAGED_TEXT),
            ingested_at_ms: event.adapted.received_at_ms,
            processed_at_ms: Some(started_at_ms),
            customer_ref: *customer_ref,
            crm_tier: crm.and_then(|crm| crm.tier.as_deref()),
            crm_product: crm.and_then(|crm| crm.product.as_deref()),
            crm_owner: crm.and_then(|crm| crm.owner.as_deref()),
            outcome_map: has_outcome(event).then(|| built_in().outcome_map()),
            fields: &event.fields,
            masked: &event.masked,
            policy_version: built_in().version(),
            lineage_token: &event.lineage_token,
            lineage_from: if derived.is_some() { SHARED } else { event.lineage_from.as_str() },
            lineage_ref: event.lineage_ref.as_deref(),
            lineage_derived: derived,
            erased: *suppressed,
            lineage_provenance: &provenance(event, started_at_ms, policy_hash),
            bronze_line: event.bronze_line,
            extra: &event.extra,
        })?;
    }
    Ok(writer.finish()?)
}

/// Whether the look-up said how an event's interaction ended.
fn has_outcome(event: &Event) -> bool {
    event.fields.binary_search_by(|(name, _)| (*name).cmp(OUTCOME)).is_ok()
}

/// What a plan says of the silver files that were written before it.
pub fn beside(files: &[SilverFile], policy_hash: &str) -> Beside {
    Beside {
        silver: files.iter().map(|file| iso_date(file.date)).collect(),
        policy_hash: policy_hash.to_owned(),
        code: env!("CARGO_PKG_VERSION").to_owned(),
    }
}

/// The plan of these events, which are in their order. `logs` has the log of each of the object's records.
///
/// # Errors
/// If the counts do not add up.
pub fn plan(
    object: ObjectId,
    key: &str,
    owned: &[Owned<'_>],
    logs: &[Option<LogId>],
    counts: Counts,
    beside: Beside,
) -> Result<Plan, TransformError> {
    let mut writer = PlanWriter::new(object, key, built_in().version()).beside(beside);
    for Owned { event, rewritten, .. } in owned {
        // A record with an owned event was pinned; were it not, the counts would not add up, and `finish` says so.
        if let Some(log) = &logs[event.adapted.record] {
            writer.push(log, rewritten.map_or(&event.line, |rewritten| &rewritten.line).as_bytes())?;
        }
    }
    Ok(writer.finish(counts)?)
}

/// What is told of an event's way here. The source's own provenance is not carried on: only its token was checked.
fn provenance(event: &Event, started_at_ms: i64, policy_hash: &str) -> String {
    let provenance = Provenance {
        token: event.lineage_token.clone(),
        version: PROVENANCE_VERSION.to_owned(),
        processed_at_ms: Some(started_at_ms),
        processor_id: Some(PROCESSOR.to_owned()),
        status: Some(PROCESSED.to_owned()),
        masked: Masked::Names(event.masked.iter().map(|name| (*name).to_owned()).collect()),
    };
    provenance.write(policy_hash)
}

/// What one object becomes if no other object ever held any of its events, and nobody resolves: the whole path without
/// a call, for measuring it.
#[derive(Debug)]
pub struct Alone {
    /// The silver files.
    pub silver: Vec<SilverFile>,
    /// The plan.
    pub plan: Plan,
    /// How many claims would have been made.
    pub claims: usize,
}

/// Reads, claims without an answer, masks and writes an object that is in memory. Pure but for `random`.
///
/// # Errors
/// As transforming it would have.
pub fn alone(
    settings: &Settings,
    object: ObjectId,
    key: &str,
    bronze: &[u8],
    started_at_ms: i64,
    random: Random<'_>,
) -> Result<Alone, TransformError> {
    let read = Reading::alone(settings, object, started_at_ms, random, bronze)?;
    let claims = read.claims(&object.to_hex(), 0).len();
    let mut owned: Vec<Owned<'_>> = read.events.iter().map(Owned::of).collect();
    owned.sort_unstable_by(|a, b| event_order(a.event, b.event));
    let logs: Vec<Option<LogId>> = read.records.iter().map(|record| Some(record.first_log.clone())).collect();
    let silver = silver(object, &read, &owned, started_at_ms, &settings.policy_hash)?;
    let beside = beside(&silver, &settings.policy_hash);
    let plan = plan(object, key, &owned, &logs, read.counts(owned.len()), beside)?;
    Ok(Alone { silver, plan, claims })
}
