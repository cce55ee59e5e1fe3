//! What is said of records and their events.
//!
//! Invariant: of what an event says nothing is here but its type and when it occurred; and of an event that an erasure covers the token is the
//! one that is derived from the record's id, whatever its entry has.

use ledgerline_custody::access::{Fault, split_record};
use ledgerline_event::instant;
use ledgerline_event::lineage::{self, Masked, PROCESSED, PROCESSOR, PROVENANCE_VERSION, Provenance};
use ledgerline_ledger::checkpoint::archive_key;
use ledgerline_ledger::entry::Record as About;
use ledgerline_store::record::HoldingObject;
use serde::Serialize;

use super::find::Known;
use super::gold::Cell;
use super::places::{Places, silver_key};
use super::proof::Proof;
use super::read::{Read, ReadEntry};
use crate::Stores;

/// The form of the answer.
pub(super) const VERSION: u32 = 1;

/// The body of an answer.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Answer {
    pub(super) v: u32,
    /// What lay in bronze before this moment is in the answer, or its object is pending; null while nobody knows such a moment.
    pub(super) as_of: Option<String>,
    /// Nothing is missing of the records on this page.
    pub(super) complete: bool,
    /// By organisation and record.
    pub(super) records: Vec<Record>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) next_page_token: Option<String>,
}

/// A record.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Record {
    pub(super) org: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) interaction_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    entity: Option<Entity>,
    /// The token that is derived from the record's id.
    pub(super) derived_token: String,
    pub(super) log: Option<String>,
    /// Ids of objects that hold lines of it and are not planned, or not committed to the last of their entries.
    pending: Vec<String>,
    /// Evidence that could not be read.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    faults: Vec<Fault>,
    /// The objects that hold lines of it, duplicates and filtered ones counted.
    objects: Vec<Object>,
    /// In event order.
    pub(super) entries: Vec<Entry>,
    /// The contact centre, as its events name it; for the guide's shape.
    #[serde(skip)]
    pub(super) contact_center_id: Option<String>,
    /// The first and the last event, for the guide's shape.
    #[serde(skip)]
    pub(super) lasted: Option<(String, String)>,
}

#[derive(Debug, Serialize)]
struct Entity {
    r#type: String,
    id: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Object {
    object: String,
    key: String,
    lines: u64,
    planned: bool,
}

impl Record {
    pub(super) fn of(known: &Known, read: &Read, entries: Vec<Entry>) -> Self {
        let (org, about) = split_record(&known.key).unwrap_or(("", About::Interaction(known.key.clone())));
        let derived_token = derived(&about);
        let (interaction_id, entity) = match about {
            About::Interaction(id) => (Some(id), None),
            About::Entity { kind, id } => (None, Some(Entity { r#type: kind, id })),
        };
        let events = || read.entries.iter().filter(|entry| !entry.is_act);
        let object = |one: &HoldingObject| Object {
            object: one.object.clone(),
            key: one.key.clone(),
            lines: one.lines,
            planned: read.objects.get(&one.object).is_some_and(|row| row.planned_at_ms.is_some()),
        };
        let centre = events().find_map(|entry| super::gold::contact_center_id(&entry.entry.fields));
        let occurred = |entry: &ReadEntry| entry.entry.occurred_at.clone();
        Self {
            org: org.to_owned(),
            interaction_id,
            entity,
            derived_token,
            log: known.log.as_ref().map(ToString::to_string),
            pending: read.pending().into_iter().map(str::to_owned).collect(),
            faults: read.faults.clone(),
            objects: read.holding.iter().map(object).collect(),
            contact_center_id: centre.map(str::to_owned),
            lasted: events().next().map(occurred).zip(events().next_back().map(occurred)),
            entries,
        }
    }
}

/// The token that is derived from a record's id.
fn derived(about: &About) -> String {
    match about {
        About::Interaction(id) => lineage::derived_token(id),
        About::Entity { kind, id } => lineage::derived_token(&format!("{kind}/{id}")),
    }
}

/// An entry, and where its event is.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Entry {
    event_id: String,
    r#type: String,
    occurred_at: String,
    /// The ledger says it of itself: no event lies behind it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    act: bool,
    pub(super) lineage_token: Option<String>,
    /// The guide's own form: JSON in a text. None where an erasure took it.
    pub(super) lineage_provenance: Option<String>,
    bronze: Option<Bronze>,
    transform: Option<Transform>,
    silver: Option<Silver>,
    ledger: Ledger,
    gold: Option<Cell>,
}

/// What is left of an event somewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum State {
    Kept,
    /// An erasure took what it says of a person.
    Erased,
    /// Its time was over, or it was summed up.
    Gone,
}

#[derive(Debug, Serialize)]
struct Bronze {
    bucket: String,
    /// None if the index does not name the object.
    key: Option<String>,
    object: String,
    /// From 0.
    line: u64,
    state: State,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Transform {
    processor_id: &'static str,
    started_at: Option<String>,
    policy_version: String,
    policy_hash: Option<String>,
    schema_version: String,
    code: Option<String>,
    /// The names of what the policy masked in silver; of an event that is erased, of what its entry has neither in clear nor sealed.
    masked: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Silver {
    bucket: String,
    key: String,
    /// The row's `bronze_line`.
    line: u64,
    state: State,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Ledger {
    bucket: String,
    log: String,
    index: u64,
    segment: String,
    version_id: String,
    leaf_hash: String,
    /// The newest archived checkpoint that covers it; none for some seconds.
    checkpoint: Option<Checkpoint>,
    #[serde(skip_serializing_if = "Option::is_none")]
    proof: Option<Proof>,
}

#[derive(Debug, Serialize)]
struct Checkpoint {
    key: String,
    size: u64,
}

impl Entry {
    pub(super) fn of(
        stores: &Stores,
        read: &Read,
        one: &ReadEntry,
        places: &Places,
        gold: Option<Cell>,
        proof: Option<Proof>,
    ) -> Self {
        let entry = &one.entry;
        let is_erased = places.is_erased(one);
        let token = match entry.record().filter(|_| is_erased) {
            Some(about) => derived(&about),
            None => entry.lineage_token.clone(),
        };
        let row = read.objects.get(&entry.source.object);
        let provenance = || match places.row(one).and_then(|row| row.lineage_provenance.clone()) {
            Some(provenance) => Some(provenance),
            None => Some(recomputed(
                one,
                row.and_then(|row| row.started_at_ms),
                row.and_then(|row| row.policy_hash.as_deref()),
            )),
        };
        Self {
            event_id: entry.event_id.clone(),
            r#type: entry.event_type.clone(),
            occurred_at: entry.occurred_at.clone(),
            act: one.is_act,
            lineage_token: (!one.is_act).then_some(token),
            lineage_provenance: if one.is_act || is_erased { None } else { provenance() },
            bronze: (!one.is_act).then(|| bronze(stores, read, one, places, is_erased)),
            transform: (!one.is_act).then(|| Transform {
                processor_id: PROCESSOR,
                started_at: row.and_then(|row| row.started_at_ms).map(instant::to_rfc3339),
                policy_version: entry.policy_version.clone(),
                policy_hash: row.and_then(|row| row.policy_hash.clone()),
                schema_version: entry.schema_version.clone(),
                code: row.and_then(|row| row.code.clone()),
                masked: masked(one, places),
            }),
            silver: silver_key(one).map(|key| Silver {
                bucket: stores.names.lake.clone(),
                key,
                line: entry.source.line,
                state: match places.row(one) {
                    Some(row) if row.erased => State::Erased,
                    Some(_) => State::Kept,
                    None => State::Gone,
                },
            }),
            ledger: ledger(stores, read, one, proof),
            gold,
        }
    }
}

fn bronze(stores: &Stores, read: &Read, one: &ReadEntry, places: &Places, is_erased: bool) -> Bronze {
    let object = one.entry.source.object.clone();
    let state = match (places.has_bronze(&object), is_erased) {
        (false, _) => State::Gone,
        (true, true) => State::Erased,
        (true, false) => State::Kept,
    };
    let key = read.key_of(&object).map(str::to_owned);
    Bronze { bucket: stores.names.bronze.clone(), key, line: one.entry.source.line, object, state }
}

fn masked(one: &ReadEntry, places: &Places) -> Vec<String> {
    let row = places.row(one).filter(|row| !row.erased);
    match row {
        Some(row) => row.masked_fields.iter().flat_map(|names| names.split(',')).map(str::to_owned).collect(),
        None => one.entry.masked.clone(),
    }
}

/// The provenance of an event whose row is gone, from its entry: of what was masked the entry knows less than silver did.
fn recomputed(one: &ReadEntry, started_at_ms: Option<i64>, policy_hash: Option<&str>) -> String {
    let provenance = Provenance {
        token: one.entry.lineage_token.clone(),
        version: PROVENANCE_VERSION.to_owned(),
        processed_at_ms: started_at_ms,
        processor_id: Some(PROCESSOR.to_owned()),
        status: Some(PROCESSED.to_owned()),
        masked: Masked::Names(one.entry.masked.clone()),
    };
    provenance.write(policy_hash.unwrap_or_default())
}

fn ledger(stores: &Stores, read: &Read, one: &ReadEntry, proof: Option<Proof>) -> Ledger {
    let signed = read.head.as_ref().filter(|(log, head)| *log == one.place.log && head.signed() > one.order.index);
    Ledger {
        bucket: stores.names.ledger.clone(),
        log: one.place.log.to_string(),
        index: one.order.index,
        segment: one.place.segment.clone(),
        version_id: one.place.version_id.clone(),
        leaf_hash: one.leaf.hex(),
        checkpoint: signed.map(|(log, head)| Checkpoint { key: archive_key(log, head.signed()), size: head.signed() }),
        proof,
    }
}
