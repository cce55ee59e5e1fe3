//! What a CRM says of whom an erasure reaches: the rows of the person's identifiers, and of records whose joint content goes.
//!
//! Invariant: a row goes after what keeps a new one from being put, the identifier's tombstone or the record's end, which a load checks in
//! the transaction that puts. Of a held record its own row stays.

use std::collections::BTreeSet;

use ledgerline_ledger::store::StoreError;
use ledgerline_store::crm::CrmName;

use crate::people::{KEYS_PER_READ, Name};
use crate::stores::Stores;

/// Deletes the rows of these identifiers and of these records, each `<org>/<record>`, where there are any.
pub(crate) async fn delete(
    stores: &Stores,
    names: &BTreeSet<Name>,
    records: &BTreeSet<String>,
) -> Result<(), StoreError> {
    stores.crm.delete(&rows_of(names, records)).await
}

/// Whether there is a row of any of these.
pub(crate) async fn is_any(
    stores: &Stores,
    names: &BTreeSet<Name>,
    records: &BTreeSet<String>,
) -> Result<bool, StoreError> {
    let rows = Vec::from_iter(rows_of(names, records));
    for asked in rows.chunks(KEYS_PER_READ) {
        if !stores.crm.read(&asked.iter().cloned().collect()).await?.is_empty() {
            return Ok(true);
        }
    }
    Ok(false)
}

fn rows_of<'n>(names: &'n BTreeSet<Name>, records: &'n BTreeSet<String>) -> BTreeSet<(&'n str, CrmName)> {
    let of_names = names.iter().map(|(org, name)| (org.as_str(), CrmName::Pseudonym(name.clone())));
    let of_record = |record: &'n String| record.split_once('/').map(|(org, id)| (org, CrmName::Record(id.to_owned())));
    of_names.chain(records.iter().filter_map(of_record)).collect()
}
