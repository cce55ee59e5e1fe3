//! A bronze object in which transform found lines that an erasure covers, as a message says: a hint, and nothing more.
//!
//! Invariant: only what is found in the object, and what the tables say of it, makes a line go; a forged message destroys nothing. A record
//! gets a cutoff from here only if a tombstone covers one of its lines and nobody who lives has part in it; then, and only then, its other
//! objects are looked at, so that a flood of messages costs an object each. The object itself comes last: its lines lead to the records.
//!
//! | crash after | what is stored | who repairs |
//! |---|---|---|
//! | some records, some of their objects | the lines that led there | the message comes back, and looks at all of them |

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use ledgerline_custody::erasure::{LineOf, LineRecord, Rules, line_goes};
use ledgerline_event::instant;
use ledgerline_lake::ObjectId;
use ledgerline_lake::keys::PlanOf;
use ledgerline_ledger::store::{Failure, StoreError};
use ledgerline_store::cutoff::Cutoff;

use crate::keys::Keys;
use crate::object::{Deciding, OfAlias, Target, erase, look};
use crate::people::{KEYS_PER_READ, Others};
use crate::record::{Coming, Erasure, HINT, pass_over, reach};
use crate::rules::{cutoffs_of, held_of, tombs_of};
use crate::{Call, Ended, LargeObjects};

/// How often it is looked whether the object is planned, and how long between: transform sends the message just before the plan.
const LOOKS: u32 = 15;
const LOOK_AFTER: Duration = Duration::from_secs(2);
/// Looks at an object.
pub(crate) async fn suppressed(call: &Call<'_>, key: &str, object: ObjectId) -> Result<Ended, StoreError> {
    if !is_planned_soon(call, object).await? {
        return Ok(Ended::ComesBack);
    }
    let keys = call.stores.keys(&call.settings.own_numbers, call.now_ms()).await?;
    let Some(read) = call.stores.bronze.read(key).await? else { return Ok(Ended::Done) };
    let lines = Lines::of(call, &keys, &read.bytes).await?;
    drop(read);
    let large = LargeObjects::default();
    let mut ended = Ended::Done;
    for (record, cutoff_ms) in lines.records_of_the_dead() {
        if call.is_over() {
            return Ok(Ended::ComesBack);
        }
        if whole_record(call, &keys, &large, object, record, cutoff_ms).await? == Ended::ComesBack {
            ended = Ended::ComesBack;
        }
    }
    if ended == Ended::ComesBack {
        return Ok(ended);
    }
    // Read again: records have cutoffs by now.
    let records = lines.records.keys().cloned().collect();
    let cutoffs = cutoffs_of(call.stores, &records).await?;
    let held = held_of(call.stores, &records).await?;
    put_off(call, &lines, &cutoffs, &held).await?;
    let rules = Rules { cutoffs, held, ..lines.rules };
    let (refs, whole) = (&BTreeSet::new(), &BTreeSet::new());
    let deciding = Deciding { call, keys: &keys, rules: &rules, refs, whole, large: &large };
    // Its days are those of the records of the lines that go.
    let (records, dates, of_aliases) = (BTreeSet::new(), BTreeSet::new(), Vec::new());
    let erased = erase(&deciding, &Target { object, key: key.to_owned(), records, dates, of_aliases }).await?;
    tracing::info!(%object, lines = erased.lines, silver_rows = erased.rows, "hint");
    Ok(Ended::Done)
}

/// Notes in held records that lines of theirs go when they are not held any more.
async fn put_off(
    call: &Call<'_>,
    lines: &Lines,
    cutoffs: &HashMap<String, Cutoff>,
    held: &BTreeSet<String>,
) -> Result<(), StoreError> {
    let (own, others) = (BTreeSet::new(), Others::new(call.stores, call.settings.fan_out_cap));
    let of_the_dead: BTreeMap<&str, i64> = lines.records_of_the_dead().collect();
    for record in held {
        let of_tomb = of_the_dead.get(record.as_str()).copied();
        let Some(cutoff_ms) = of_tomb.or(cutoffs.get(record).map(|_| call.now_ms())) else { continue };
        let erasure = Erasure { name: HINT, own: &own, cutoff_ms, others: &others, acts: None };
        let coming = Coming { record, is_listed: false, last_ms: None, is_decided: false, is_new: false };
        pass_over(call, &erasure, &coming).await?;
    }
    Ok(())
}

/// Whether the object is planned, or is within half a minute.
async fn is_planned_soon(call: &Call<'_>, object: ObjectId) -> Result<bool, StoreError> {
    for look in 0..LOOKS {
        let progress = call.stores.rows.progress(&[(PlanOf::Bronze, object)]).await?;
        if progress.into_iter().flatten().any(|progress| progress.planned_at_ms.is_some()) {
            return Ok(true);
        }
        if look + 1 < LOOKS && !call.is_over() {
            tokio::time::sleep(LOOK_AFTER).await;
        }
    }
    Ok(false)
}

/// What an object's lines say, and the tombstones of whom they name.
struct Lines {
    /// The tombstones alone.
    rules: Rules,
    /// The lines of each record, by what decides about them.
    records: BTreeMap<String, Vec<LineOf>>,
}

impl Lines {
    async fn of(call: &Call<'_>, keys: &Keys, bytes: &[u8]) -> Result<Self, StoreError> {
        let (mut names, mut records) = (BTreeSet::new(), BTreeMap::<String, Vec<LineOf>>::new());
        look(call, keys, bytes, |_, line| {
            names.extend(line.names.iter().map(|name| (line.org.clone(), name.clone())));
            if let LineRecord::Key(record) = &line.record {
                records.entry(record.clone()).or_default().push(line);
            }
        })
        .await?;
        let rules = Rules { tombs: tombs_of(call, keys, &names).await?, ..Rules::default() };
        Ok(Self { rules, records })
    }

    /// The records that have a line which a tombstone covers, each with the latest such tombstone's end.
    fn records_of_the_dead(&self) -> impl Iterator<Item = (&str, i64)> {
        self.records.iter().filter_map(|(record, lines)| {
            let covered = lines.iter().filter(|line| line_goes(0, line, &self.rules));
            let ends = covered.flat_map(|line| self.ends(line));
            let latest = ends.filter_map(|end| if let Cutoff::At(at_ms) = end { Some(at_ms) } else { None }).max();
            Some((record.as_str(), latest?))
        })
    }

    /// Up to when those are erased whom a line names.
    fn ends(&self, line: &LineOf) -> impl Iterator<Item = Cutoff> {
        line.names.iter().filter_map(|name| self.rules.tombs.get(&(line.org.clone(), name.clone())).copied())
    }
}

/// Lets the erasure of a tombstone that ends at `cutoff_ms` reach a record, and all of its objects but the hint's own if that changed it.
async fn whole_record(
    call: &Call<'_>,
    keys: &Keys,
    large: &LargeObjects,
    own_object: ObjectId,
    record: &str,
    cutoff_ms: i64,
) -> Result<Ended, StoreError> {
    let (stores, others) = (call.stores, Others::new(call.stores, call.settings.fan_out_cap));
    let own = BTreeSet::new();
    let erasure = Erasure { name: HINT, own: &own, cutoff_ms, others: &others, acts: None };
    let last_ms = last_of(call, record).await?;
    let coming = Coming { record, is_listed: false, last_ms, is_decided: false, is_new: false };
    let reached = reach(call, &erasure, &coming).await?;
    // A message that came before may have died in the midst of the objects.
    if reached.is_held || !(reached.is_changed || call.receives > 1) {
        return Ok(Ended::Done);
    }
    let cutoffs = cutoffs_of(stores, &BTreeSet::from([record.to_owned()])).await?;
    if cutoffs.is_empty() {
        return Ok(Ended::Done);
    }
    let rules = Rules { cutoffs, ..Rules::default() };
    let (refs, whole) = (&BTreeSet::new(), &BTreeSet::new());
    let deciding = Deciding { call, keys, rules: &rules, refs, whole, large };
    erase_objects(&deciding, record, None, Some(own_object)).await
}

/// Takes what goes out of a record's objects: all of it, if an alias names the record that lies under these names and is gone. It comes
/// back if one of them is not planned, or the time is over.
pub(crate) async fn erase_objects(
    deciding: &Deciding<'_>,
    record: &str,
    alias: Option<&BTreeSet<String>>,
    but: Option<ObjectId>,
) -> Result<Ended, StoreError> {
    let (call, mut ended) = (deciding.call, Ended::Done);
    let bronze = call.stores.records.bronze(record).await?;
    for some in bronze.chunks(KEYS_PER_READ) {
        let ids = some.iter().map(|one| one.object.parse::<ObjectId>()).collect::<Result<Vec<_>, _>>();
        let ids = ids.map_err(|error| StoreError::Corrupt(Failure::caused_by("read a bronze row's object", error)))?;
        let rows: Vec<_> = ids.iter().map(|id| (PlanOf::Bronze, *id)).collect();
        let progress = call.stores.rows.progress(&rows).await?;
        for ((one, object), progress) in some.iter().zip(ids).zip(progress) {
            if but == Some(object) {
                continue;
            }
            if call.is_over() || progress.is_none_or(|progress| progress.planned_at_ms.is_none()) {
                ended = Ended::ComesBack;
                continue;
            }
            let (key, dates) = (one.key.clone(), one.dates.iter().cloned().collect());
            let records = BTreeSet::from([record.to_owned()]);
            let of_alias = |names: &BTreeSet<String>| {
                let at = (one.lines <= one.at.len() as u64).then(|| one.at.iter().copied().collect());
                OfAlias { record: record.to_owned(), names: names.clone(), at, is_gone: true }
            };
            let of_aliases = alias.map(of_alias).into_iter().collect();
            erase(deciding, &Target { object, key, records, dates, of_aliases }).await?;
        }
    }
    Ok(ended)
}

/// When a record's last event occurred, as far as its entries say.
pub(crate) async fn last_of(call: &Call<'_>, record: &str) -> Result<Option<i64>, StoreError> {
    let postings = call.stores.postings.of(record).await?;
    Ok(postings.iter().filter_map(|posting| instant::parse(&posting.to)).max())
}
