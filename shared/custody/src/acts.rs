//! The ledger's own entries: what it did itself, with no source event behind it.
//!
//! An act goes the way of every event: into a plan that is written once, through the queue, into a segment. It has no
//! bronze object; its purpose stands in for one. The **purpose id** says what is done and for what, so that doing it
//! again, after a crash or by somebody else, is the same plan and writes nothing more.
//!
//! Invariant: one purpose id is in the log at most once, with the entries of the call that planned it first: by its plan, and once it is
//! committed by its row, which is never deleted. An act names no person. Its type is one of [`ActKind`], which no adapter gives to
//! a source event; its plan, its row and its chunks' markers have keys apart from those of bronze objects ([`PlanOf`]), where
//! transform may not write, and audit-write takes an act from nowhere else.

use std::collections::BTreeMap;

use ledgerline_event::catalogue::built_in;
use ledgerline_event::lineage::derived_token;
use ledgerline_lake::ObjectId;
use ledgerline_lake::keys::{ACT, PlanOf};
use ledgerline_lake::plan::{Counts, Plan, PlanWriter};
use ledgerline_ledger::acts as types;
use ledgerline_ledger::entry::{Field, PendingEntry, Record, Sealed, Source};
use ledgerline_ledger::log::LogId;
use ledgerline_ledger::store::{Failure, StoreError};
use ledgerline_store::act_note::ActNotes;
use ledgerline_store::delivery;
use ledgerline_store::object_row::ObjectRows;
use ledgerline_store::plan::Plans;
use ledgerline_store::queue::Pointers;

use crate::access::corrupt;

/// The schema version of acts.
pub const SCHEMA_VERSION: &str = "ledgerline/1";
/// What the ledger does itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ActKind {
    /// An interaction is complete: how many entries it has, and their digest.
    InteractionSealed,
    /// A legal hold was placed.
    HoldPlaced,
    /// A legal hold was lifted.
    HoldLifted,
    /// Evidence is locked for longer.
    RetentionExtended,
    /// Expired evidence below an index is deleted.
    LogPruned,
    /// A key whose signatures count from here on.
    SigningKeyAdded,
    /// A person's data, or their erasure, was asked for.
    RequestReceived,
    /// The identity of whoever made a request was checked.
    RequestVerified,
    /// A second person approved a request.
    RequestApproved,
    /// A request was turned down.
    RequestRefused,
    /// A request was withdrawn.
    RequestCancelled,
    /// A request was given a later deadline.
    RequestExtended,
    /// What a request asked for is done.
    RequestDone,
    /// A question about a person was answered.
    AccessAnswered,
    /// Of a record what was a person's is erased.
    DataDeletion,
    /// An erasure is certified.
    ErasureCertified,
}

impl ActKind {
    /// All of them.
    pub const ALL: [Self; 16] = [
        Self::InteractionSealed,
        Self::HoldPlaced,
        Self::HoldLifted,
        Self::RetentionExtended,
        Self::LogPruned,
        Self::SigningKeyAdded,
        Self::RequestReceived,
        Self::RequestVerified,
        Self::RequestApproved,
        Self::RequestRefused,
        Self::RequestCancelled,
        Self::RequestExtended,
        Self::RequestDone,
        Self::AccessAnswered,
        Self::DataDeletion,
        Self::ErasureCertified,
    ];

    /// The entry's type, which is its activity, too.
    pub fn name(self) -> &'static str {
        match self {
            Self::InteractionSealed => types::INTERACTION_SEALED,
            Self::HoldPlaced => types::HOLD_PLACED,
            Self::HoldLifted => types::HOLD_LIFTED,
            Self::RetentionExtended => types::RETENTION_EXTENDED,
            Self::LogPruned => types::LOG_PRUNED,
            Self::SigningKeyAdded => types::SIGNING_KEY_ADDED,
            Self::RequestReceived => types::REQUEST_RECEIVED,
            Self::RequestVerified => types::REQUEST_VERIFIED,
            Self::RequestApproved => types::REQUEST_APPROVED,
            Self::RequestRefused => types::REQUEST_REFUSED,
            Self::RequestCancelled => types::REQUEST_CANCELLED,
            Self::RequestExtended => types::REQUEST_EXTENDED,
            Self::RequestDone => types::REQUEST_DONE,
            Self::AccessAnswered => types::ACCESS_ANSWERED,
            Self::DataDeletion => types::DATA_DELETION,
            Self::ErasureCertified => types::ERASURE_CERTIFIED,
        }
    }

    /// The act of an entry's type; `None` for a source event's.
    pub fn of(event_type: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == event_type)
    }
}

/// One entry of the ledger's own.
#[derive(Debug, Clone, PartialEq)]
pub struct Act {
    /// The log that it goes to.
    pub log: LogId,
    /// What it is.
    pub kind: ActKind,
    /// What it is about; [`record_of_log`] if that is the log itself.
    pub record: Record,
    /// When it was done: RFC 3339, UTC, exactly three decimals.
    pub occurred_at: String,
    /// What is to be said of it: codes, numbers, times, never a person.
    pub fields: BTreeMap<String, Field>,
    /// Ids of keys that were destroyed, sorted; of an act of deletion alone.
    pub key_ids: Vec<String>,
}

/// The record of acts that are about a whole log: entity type `log`, its id the log's name with `:` for `/`.
pub fn record_of_log(log: &LogId) -> Record {
    Record::Entity { kind: "log".to_owned(), id: log.as_str().replace('/', ":") }
}

/// Fills a buffer with random bytes.
pub type Random<'a> = &'a (dyn Fn(&mut [u8]) + Send + Sync);

/// Where acts go.
pub struct ActStores<'a> {
    /// Plans.
    pub plans: &'a Plans,
    /// The queue of pointers.
    pub queue: &'a Pointers,
    /// Rows of planned objects.
    pub rows: &'a ObjectRows,
    /// Notes of acts by the hour.
    pub notes: &'a ActNotes,
    /// For salts.
    pub random: Random<'a>,
}

/// What became of acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recorded {
    /// They are on their way now.
    Now(ObjectId),
    /// This purpose was carried out before: it is committed, or its plan lies there, and should its pointer have died since, sweep
    /// sends it again.
    Before(ObjectId),
}

impl Recorded {
    /// The plan's object, which is the entries' `source.object`.
    pub fn object(self) -> ObjectId {
        match self {
            Self::Now(object) | Self::Before(object) => object,
        }
    }
}

/// Records acts under a purpose id. They are committed once audit-write has worked off the queue. After a crash
/// anywhere, the same call again finishes it; the acts of the first call that came as far as the plan are what holds.
///
/// # Errors
/// The stores', and `Corrupt` for an act that is no valid entry.
pub async fn record_acts(
    stores: &ActStores<'_>,
    purpose: &str,
    acts: &[Act],
    now: &str,
) -> Result<Recorded, StoreError> {
    record(stores, purpose, acts, now, None).await
}

/// The same of acts whose row goes at a time, epoch seconds: whoever knows their purpose is gone by then, so that nobody does them again.
///
/// # Errors
/// As [`record_acts`].
pub async fn record_passing_acts(
    stores: &ActStores<'_>,
    purpose: &str,
    acts: &[Act],
    now: &str,
    expires_at_s: i64,
) -> Result<Recorded, StoreError> {
    record(stores, purpose, acts, now, Some(expires_at_s)).await
}

async fn record(
    stores: &ActStores<'_>,
    purpose: &str,
    acts: &[Act],
    now: &str,
    expires_at_s: Option<i64>,
) -> Result<Recorded, StoreError> {
    let object = ObjectId::of_act(purpose);
    let key = format!("{ACT}{purpose}");
    // 1. Take the purpose up. A crash after it leaves a row without a plan.
    let opened = stores.rows.open_until(object, &key, now, expires_at_s).await?;
    // The row stays, while the plan and the markers that leave its chunks out a second time expire.
    if opened.committed {
        return Ok(Recorded::Before(object));
    }
    let found = if opened.again { delivery::find(stores.plans, PlanOf::Acts, object).await? } else { None };
    // Planned, its plan expired, and not committed: nothing is on its way any more, so that it is planned again.
    if opened.planned && found.is_some() {
        return Ok(Recorded::Before(object));
    }
    // What is committed of it must not be in the log twice, nor with other words.
    if opened.begun && found.is_none() {
        return Err(StoreError::Corrupt(Failure::new(format!(
            "the plan of act {object} is gone, and only a part of it is committed"
        ))));
    }
    // 2. Note it. A crash after it leaves a note of an act without a plan, which is passed over.
    stores.notes.note(object, &key, now).await?;
    // 3. The plan that is there, or this one. A crash after it leaves a plan without pointers: sweep sends them, if nobody
    // calls again.
    let kept = match found {
        Some(kept) => kept,
        None => delivery::keep(stores.plans, plan(object, &key, acts, stores.random)?).await?,
    };
    // 4. Pointers and "planned", as for every plan.
    delivery::carry_out(stores.queue, stores.rows, &kept, now).await?;
    Ok(Recorded::Now(object))
}

/// The plan of these acts. All of it but the salts follows from the purpose and the acts.
fn plan(object: ObjectId, key: &str, acts: &[Act], random: Random<'_>) -> Result<Plan, StoreError> {
    let mut writer = PlanWriter::new(object, key, built_in().version());
    for (line, act) in (0..).zip(acts) {
        let entry = pending(act, object, line, random);
        let text = entry.to_line().map_err(|error| corrupt("an act is no entry", error))?;
        writer.push(&act.log, text.as_str().as_bytes())?;
    }
    Ok(writer.finish(Counts { input: acts.len() as u64, ..Counts::default() })?)
}

fn pending(act: &Act, object: ObjectId, line: u64, random: Random<'_>) -> PendingEntry {
    let mut salt = [0; 16];
    random(&mut salt);
    let record = match &act.record {
        Record::Interaction(id) => id.clone(),
        Record::Entity { kind, id } => format!("{kind}/{id}"),
    };
    PendingEntry {
        event_id: object.event_id(PlanOf::Acts, line),
        org: act.log.org().to_owned(),
        event_type: act.kind.name().to_owned(),
        activity: act.kind.name().to_owned(),
        record: act.record.clone(),
        occurred_at: act.occurred_at.clone(),
        time_from_envelope: false,
        zone_assumed: false,
        late: false,
        fields: act.fields.clone(),
        masked: Vec::new(),
        sealed: Sealed { key_ids: act.key_ids.clone(), blocks: Vec::new() },
        lineage_token: derived_token(&record),
        schema_version: SCHEMA_VERSION.to_owned(),
        policy_version: built_in().version().to_owned(),
        source: Source { object: object.to_hex(), line },
        salt,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ledgerline_ledger::chunk::{Chunk, ChunkId};

    fn act(record: Record) -> Act {
        Act {
            log: LogId::parse("acme/interaction/1/0").unwrap(),
            kind: ActKind::HoldPlaced,
            record,
            occurred_at: "2026-03-02T14:00:00.000Z".to_owned(),
            fields: BTreeMap::from([("purpose".to_owned(), Field::Text("litigation".to_owned()))]),
            key_ids: Vec::new(),
        }
    }

    #[test]
    fn an_acts_plan_is_one_that_audit_write_accepts() {
        let log = LogId::parse("acme/interaction/1/0").unwrap();
        let object = ObjectId::of_act("hold/1");
        let acts = [act(Record::Interaction("c-1".to_owned())), act(record_of_log(&log))];
        let plan = plan(object, "act/hold/1", &acts, &|salt| salt.fill(7)).unwrap();
        let pointers = plan.header.pointers(plan.header_bytes);
        let [pointer] = pointers.as_slice() else { panic!("one chunk") };
        let range = pointer.offset as usize..(pointer.offset + pointer.length) as usize;
        assert_eq!(pointer.plan, format!("staged/acts/{object}.jsonl.gz"));
        let id = ChunkId { of: PlanOf::Acts, object: object.to_hex(), ordinal: 0 };
        let chunk = Chunk::check(id, &log, 2, plan.bytes[range].to_vec()).unwrap();
        assert_eq!(chunk.count(), 2);
        assert!(chunk.text().contains(r#""type":"HOLD_PLACED""#));
        assert!(chunk.text().contains(r#""entity":{"id":"acme:interaction:1:0","type":"log"}"#));
        assert_eq!(plan.header.counts, Counts { input: 2, planned: 2, ..Counts::default() });
    }

    #[test]
    fn an_event_id_follows_from_the_purpose_and_the_line() {
        // printf 'ledgerline act%s1' "$(printf 'ledgerline:act:hold/1' | sha256sum | cut -c1-32)" | sha256sum | cut -c1-32
        let entry = pending(&act(Record::Interaction("c-1".to_owned())), ObjectId::of_act("hold/1"), 1, &|_| ());
        assert_eq!(entry.event_id, KNOWN);
    }

    #[test]
    fn an_act_about_no_record_is_refused() {
        let error = plan(ObjectId::of_act("x"), "act/x", &[act(Record::Interaction(String::new()))], &|_| ());
        assert!(matches!(error, Err(StoreError::Corrupt(_))));
    }

    #[test]
    fn no_source_events_type_is_an_act() {
        for kind in ActKind::ALL {
            assert_eq!(ActKind::of(kind.name()), Some(kind));
            assert_eq!(built_in().rank_of(kind.name(), None), u8::MAX, "an adapter could make a {}", kind.name());
        }
        assert!(built_in().event_types().count() > 30);
        for event_type in built_in().event_types() {
            assert!(!types::is_act(event_type), "an adapter makes a {event_type}");
        }
        assert_eq!(ActKind::of("customer.end"), None);
    }

    #[test]
    fn verification_knows_the_same_acts() {
        assert_eq!(ActKind::ALL.map(ActKind::name), types::TYPES);
    }

    const KNOWN: &str = "e1e49d1b7114c08cd07ca98501f1e128";
}
