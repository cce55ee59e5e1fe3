//! What a certificate says, collected from the request, from what the erasure counted, and from the ledger, with a proof of each act.
//!
//! Invariant: nothing is in it that is not committed and signed: an act that is not yet is waited for. Which acts there are follows from
//! their rows: a record has one if its act was recorded under the request's own name for it, and is held or kept if not.

use std::collections::{BTreeMap, HashMap};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ledgerline_certificate::{Asked, Body, Counts, Deletion, Facts, ProvenLog, ReadBack, VERSION, guide, remaining};
use ledgerline_custody::proving::{Planned, Proving, Signed};
use ledgerline_event::instant;
use ledgerline_lake::ObjectId;
use ledgerline_lake::keys::PlanOf;
use ledgerline_ledger::log::LogId;
use ledgerline_ledger::store::{Failure, StoreError};
use ledgerline_ledger::tree::Hash;
use ledgerline_store::erasing;
use ledgerline_store::request::{RequestRow, Step, Who};
use ledgerline_store::subject::date_of;
use serde_json::Value;

use crate::list::List;
use crate::people::KEYS_PER_READ;
use crate::request::{Request, corrupt};
use crate::stores::Stores;
use crate::{CALLS_AT_ONCE, at_once};

const DAY_MS: i64 = 86_400_000;

/// What came of collecting.
pub(crate) enum Collected {
    /// All of it.
    Whole(Box<Body>),
    /// Something is not committed, or not signed yet.
    NotYet,
    /// The slice's time is over.
    OutOfTime,
}

/// The acts of the request's records, and those that have none.
#[derive(Default)]
struct Found {
    objects: Vec<ObjectId>,
    held: Vec<String>,
    kept: Vec<String>,
    /// All that is recorded is committed.
    is_committed: bool,
}

/// Collects what the certificate of a pass's list says.
pub(crate) async fn collect(request: &Request<'_>, list: &List) -> Result<Collected, StoreError> {
    let who = request.who().await?;
    let found = find(request, list, &who).await?;
    if !found.is_committed {
        return Ok(Collected::NotYet);
    }
    let mut by_log: BTreeMap<LogId, Vec<Planned>> = BTreeMap::new();
    for objects in found.objects.chunks(KEYS_PER_READ) {
        if request.call.is_over() {
            return Ok(Collected::OutOfTime);
        }
        for one in planned(request.call.stores, objects).await? {
            by_log.entry(one.log.clone()).or_default().push(one);
        }
    }
    let asked = asked(request, &request.row().await?, &who)?;
    let mut proofs = Proofs::default();
    for (log, acts) in by_log {
        let Some((signed, entries)) = prove(&request.call.stores.proving, &log, acts).await? else {
            return Ok(Collected::NotYet);
        };
        proofs.add(&asked, &log, signed, entries)?;
    }
    body(request, list, &who, asked, found, proofs).await.map(|body| Collected::Whole(Box::new(body)))
}

/// Which records have acts, and which are held or kept.
async fn find(request: &Request<'_>, list: &List, who: &Who) -> Result<Found, StoreError> {
    let (stores, own) = (request.call.stores, request.whom(who).await?.own);
    let mut found = Found { is_committed: true, ..Found::default() };
    for records in list.records.chunks(KEYS_PER_READ) {
        let names: Vec<&str> = records.iter().map(|one| one.record.as_str()).collect();
        let parties = stores.parties.read(&names).await?;
        let mut asked: Vec<&str> = Vec::new();
        let has = progress(request, &names, 0, &mut found).await?;
        for ((one, party), has) in records.iter().zip(&parties).zip(has) {
            match has {
                true => asked.push(&one.record),
                // One whose hold was lifted since has an act of its own.
                false if !one.listed || crate::steps::is_put_off(party, &own, request.id) => {
                    found.held.push(one.record.clone());
                }
                false => found.kept.push(one.record.clone()),
            }
        }
        // Further acts of records that had more keys than one holds.
        for nth in 1.. {
            if asked.is_empty() {
                break;
            }
            let has = progress(request, &asked, nth, &mut found).await?;
            asked = asked.into_iter().zip(has).filter_map(|(record, has)| has.then_some(record)).collect();
        }
    }
    found.held.sort();
    found.kept.sort();
    Ok(found)
}

/// Whether each of these records has its nth act; adds their objects.
async fn progress(
    request: &Request<'_>,
    records: &[&str],
    nth: u32,
    found: &mut Found,
) -> Result<Vec<bool>, StoreError> {
    let objects: Vec<ObjectId> = records.iter().map(|record| request.acts.object(record, nth)).collect();
    let rows: Vec<_> = objects.iter().map(|object| (PlanOf::Acts, *object)).collect();
    let rows = request.call.stores.act_rows().progress(&rows).await?;
    let mut has = Vec::with_capacity(records.len());
    for (object, row) in objects.into_iter().zip(rows) {
        has.push(row.is_some());
        if let Some(row) = row {
            found.objects.push(object);
            found.is_committed &= row.planned_at_ms.is_some() && row.done.len() as u64 >= row.chunks;
        }
    }
    Ok(has)
}

async fn planned(stores: &Stores, objects: &[ObjectId]) -> Result<Vec<Planned>, StoreError> {
    let reads = objects.iter().map(|object| Proving::planned(&stores.plans, *object));
    let plans = at_once(CALLS_AT_ONCE, reads.collect()).await?;
    let lines = plans.into_iter().map(|plan| plan.ok_or_else(|| corrupt("the plan of an act of deletion expired")));
    Ok(lines.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect())
}

/// An act with its place and its proof.
pub(crate) struct Proven {
    pub(crate) index: u64,
    pub(crate) path: Vec<Hash>,
    pub(crate) entry: Value,
}

/// A log's checkpoint, and the proofs that it covers these acts, by their places; `None` if it does not yet.
pub(crate) async fn prove(
    proving: &Proving,
    log: &LogId,
    acts: Vec<Planned>,
) -> Result<Option<(Signed, Vec<Proven>)>, StoreError> {
    let chunks: Vec<_> = acts.iter().map(|act| act.chunk.clone()).collect();
    let indexes = proving.indexes(log, &chunks).await?;
    let Some(indexes) = indexes.into_iter().collect::<Option<Vec<u64>>>() else { return Ok(None) };
    let covers = |signed: &Signed| indexes.iter().all(|index| *index < signed.size);
    let Some(signed) = proving.signed(log).await?.filter(covers) else { return Ok(None) };
    let paths = match proving.paths(log, &signed, &indexes).await {
        Ok(paths) => paths,
        // A tile that another one takes the place of.
        Err(StoreError::NotFound(_)) => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut proven = Vec::with_capacity(acts.len());
    for ((act, index), path) in acts.into_iter().zip(indexes).zip(paths) {
        let entry = serde_json::from_str(&act.line);
        let entry = entry.map_err(|error| StoreError::Corrupt(Failure::caused_by("read an act's line", error)))?;
        proven.push(Proven { index, path, entry });
    }
    proven.sort_by_key(|one| one.index);
    Ok(Some((signed, proven)))
}

/// The proofs of a body: each hash once.
#[derive(Default)]
struct Proofs {
    logs: Vec<ProvenLog>,
    nodes: Vec<String>,
    places: HashMap<[u8; 32], u64>,
    deletions: Vec<Deletion>,
}

impl Proofs {
    fn add(&mut self, asked: &Asked, log: &LogId, signed: Signed, entries: Vec<Proven>) -> Result<(), StoreError> {
        let place = self.logs.len() as u64;
        self.logs.push(ProvenLog { log: log.to_string(), keys: signed.keys, checkpoint: signed.note });
        for Proven { index, path, entry } in entries {
            let path = path.into_iter().map(|hash| self.node(hash)).collect();
            let guide = guide(asked, &entry);
            self.deletions.push(Deletion { log: place, index, path, entry, guide });
        }
        Ok(())
    }

    fn node(&mut self, hash: Hash) -> u64 {
        let Self { nodes, places, .. } = self;
        *places.entry(hash.0).or_insert_with(|| {
            nodes.push(STANDARD.encode(hash.0));
            nodes.len() as u64 - 1
        })
    }
}

/// What was asked, as the request and its history have it.
fn asked(request: &Request<'_>, row: &RequestRow, who: &Who) -> Result<Asked, StoreError> {
    let at = |step: Step| {
        let done = row.history.iter().rfind(|done| done.step == step);
        done.map(|done| done.at.clone()).ok_or_else(|| corrupt("an erasing request lacks a step"))
    };
    let given = request.given(who)?;
    Ok(Asked {
        request_id: request.id.to_owned(),
        reference: who.reference.clone(),
        customer_id_hash: given.map(|given| given.expose_for_certificate().to_owned()),
        deletion_reason: who.deletion_reason.clone(),
        regime: row.regime.as_str().to_owned(),
        orgs: row.orgs.clone(),
        received_at: row.received_at.clone(),
        verified_at: at(Step::Verified)?,
        approved_at: at(Step::Approved)?,
        cutoff: instant::to_rfc3339(request.cutoff_ms),
    })
}

async fn body(
    request: &Request<'_>,
    list: &List,
    who: &Who,
    asked: Asked,
    Found { held, kept, .. }: Found,
    Proofs { logs, nodes, deletions, .. }: Proofs,
) -> Result<Body, StoreError> {
    let (call, erasing) = (&request.call, request.held());
    let pooled = match &erasing.pool {
        Some(day) => call.stores.deletions.pooled(day, request.id).await?,
        None => 1,
    };
    let not_a_person = request.whom(who).await?.kept.len() as u64;
    let numbers = Numbers { not_a_person, pooled };
    let counts = counts(&erasing.counts, &deletions, (&held, &kept), numbers);
    let facts = facts(request, &counts);
    let mut random = [0; 48];
    (call.stores.random())(&mut random);
    let (name, salt) = random.split_at(16);
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let now_ms = call.now_ms();
    let day = |days: i64| date_of(&instant::to_rfc3339(now_ms + days * DAY_MS)).to_owned();
    Ok(Body {
        v: VERSION,
        certificate: hex(name),
        salt: hex(salt),
        made_at: instant::to_rfc3339(now_ms),
        request: asked,
        read_back: ReadBack {
            at: erasing.read_back.ok_or_else(|| corrupt("an erasure was not read back"))?,
            objects: list.objects.iter().filter(|one| one.planned_at_ms.is_some()).count() as u64,
            records: list.records.len() as u64,
        },
        logs,
        nodes,
        deletions,
        held,
        kept,
        remains: remaining(&facts, &day),
        counts,
    })
}

/// Numbers that nothing else says.
struct Numbers {
    not_a_person: u64,
    pooled: u64,
}

fn counts(
    done: &erasing::Counts,
    deletions: &[Deletion],
    (held, kept): (&[String], &[String]),
    Numbers { not_a_person, pooled }: Numbers,
) -> Counts {
    let record = |one: &Deletion| {
        let org = one.entry.get("org").and_then(Value::as_str).unwrap_or_default().to_owned();
        (org, ledgerline_certificate::record_of(&one.entry))
    };
    let erased: std::collections::BTreeSet<_> = deletions.iter().map(record).collect();
    let keys = |one: &Deletion| one.entry.get("keyIds").and_then(Value::as_array).map_or(0, Vec::len) as u64;
    let (held, kept) = (held.len() as u64, kept.len() as u64);
    Counts {
        records: erased.len() as u64 + held + kept,
        deletions: deletions.len() as u64,
        keys: deletions.iter().map(keys).sum(),
        objects: done.objects,
        lines: done.lines,
        silver_rows: done.silver_rows,
        links: done.links,
        shared: done.shared,
        held,
        kept,
        not_a_person,
        given_up: done.waiting_given_up,
        pooled,
    }
}

fn facts(request: &Request<'_>, counts: &Counts) -> Facts {
    let settings = request.call.settings;
    let kept = settings.kept;
    Facts {
        shared: counts.shared,
        held: counts.held,
        given_up: counts.given_up,
        not_a_person: counts.not_a_person,
        pooled: counts.pooled,
        bronze_days: settings.bronze_expire_days,
        quarantine_days: kept.quarantine_days,
        staged_days: kept.staged_days,
        keys_pitr_days: kept.keys_pitr_days,
        claim_days: kept.claim_days,
        log_days: kept.log_days,
        certificate_days: settings.certificate_days,
    }
}
