//! What decides about lines, read for some records at a time.

use std::collections::{BTreeSet, HashMap};

use ledgerline_custody::erasure::Rules;
use ledgerline_ledger::store::StoreError;
use ledgerline_store::cutoff::Cutoff;

use crate::Call;
use crate::keys::Keys;
use crate::people::{KEYS_PER_READ, Name};
use crate::record::{Coming, Erasure, Read};
use crate::stores::Stores;

/// The rules for lines of some records.
pub(crate) struct OfRecords {
    pub(crate) rules: Rules,
    /// The records whose joint content goes, although they have no cutoff.
    pub(crate) whole: BTreeSet<String>,
}

/// Reads what decides about lines that name anybody of `tombs`, or are of one of these records.
pub(crate) async fn of_records(
    call: &Call<'_>,
    erasure: &Erasure<'_>,
    tombs: &HashMap<Name, Cutoff>,
    coming: &[Coming<'_>],
) -> Result<OfRecords, StoreError> {
    let records: BTreeSet<String> = coming.iter().map(|one| one.record.to_owned()).collect();
    let cutoffs = cutoffs_of(call.stores, &records).await?;
    let held = held_of(call.stores, &records).await?;
    let (mut joint, mut whole) = (HashMap::new(), BTreeSet::new());
    let is_asked = |one: &&Coming<'_>| (one.is_listed || one.is_decided) && !cutoffs.contains_key(one.record);
    for one in coming.iter().filter(is_asked) {
        let read = Read::of(call, erasure, one).await?;
        if read.rule.joint_goes {
            whole.insert(one.record.to_owned());
        }
        joint.extend(read.joint_rule(one).map(|rule| (one.record.to_owned(), rule)));
    }
    let rules = Rules { tombs: tombs.clone(), cutoffs, held, joint, ..Rules::default() };
    Ok(OfRecords { rules, whole })
}

/// The tombstones of these, up to when each covers.
pub(crate) async fn tombs_of(
    call: &Call<'_>,
    keys: &Keys,
    names: &BTreeSet<Name>,
) -> Result<HashMap<Name, Cutoff>, StoreError> {
    let versions = keys.suppression.versions().max(1);
    let names: Vec<&Name> = names.iter().collect();
    let mut found = HashMap::new();
    for names in names.chunks((KEYS_PER_READ / versions).max(1)) {
        let asked: Vec<(&str, &str)> = names.iter().map(|(org, name)| (org.as_str(), name.as_str())).collect();
        let seen = call.stores.tombs.read(&keys.suppression, &asked).await?;
        let now_ms = call.now_ms();
        let in_force = names.iter().zip(seen);
        found.extend(in_force.filter_map(|(name, seen)| Some(((*name).clone(), seen.cutoff(now_ms)?))));
    }
    Ok(found)
}

/// Up to when all of each of these records goes, of those of which all does.
pub(crate) async fn cutoffs_of(
    stores: &Stores,
    records: &BTreeSet<String>,
) -> Result<HashMap<String, Cutoff>, StoreError> {
    let records: Vec<&str> = records.iter().map(String::as_str).collect();
    let mut found = HashMap::new();
    for records in records.chunks(KEYS_PER_READ) {
        let parties = stores.parties.read(records).await?;
        let cutoffs = records.iter().zip(parties);
        found.extend(cutoffs.filter_map(|(one, party)| Some(((*one).to_owned(), party.cutoff?))));
    }
    Ok(found)
}

/// Those of these records that a hold is on.
pub(crate) async fn held_of(stores: &Stores, records: &BTreeSet<String>) -> Result<BTreeSet<String>, StoreError> {
    let records: Vec<&str> = records.iter().map(String::as_str).collect();
    let mut found = BTreeSet::new();
    for records in records.chunks(KEYS_PER_READ) {
        let held = stores.held.among(records.iter().copied()).await?;
        found.extend(held.into_iter().map(str::to_owned));
    }
    Ok(found)
}
