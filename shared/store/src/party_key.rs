//! The wrapped party keys of a record, in the keys table: a row for each run of transform over a bronze object that seals something of
//! it. What opens the blocks of the record's entries is there, and nowhere else.
//!
//! Invariant: a row comes to be in one transaction with the question whether an erasure reached the record meanwhile, and never
//! twice: an erasure that looks for the record's rows after it said so finds every key that a plan may name. After that a row only
//! loses keys. Of another run over the same object there is another row. Transform cannot overwrite the rows of its other runs by
//! accident, since each comes only where there is none. Were it taken over, it could not find them: a run is random, its role does not query
//! the table, and a read names the whole key.

use std::collections::BTreeSet;
use std::sync::Arc;

use ledgerline_ledger::store::StoreError;
use ledgerline_sealed::KeyRow;

use crate::party::{self, Party, PartySeen};
use crate::record;
use crate::table::{Condition, Key, Query, Returning, Row, Table, Write, read_row, to_row};

/// What names a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RowName<'k> {
    /// `<org>/<record>`, as its entries have it.
    pub record: &'k str,
    /// The bronze object's id.
    pub object: &'k str,
    /// The run: 8 random hex digits. Keys that one row cannot hold are in another, under digits of its own.
    pub run: &'k str,
}

/// The key of a row.
pub fn key(RowName { record, object, run }: RowName<'_>) -> Key {
    Key::new(record::partition(record), format!("{PARTY_KEYS}{object}#{run}"))
}

/// The row that a key is of.
pub fn parse_key(key: &Key) -> Option<RowName<'_>> {
    let (object, run) = key.sk.strip_prefix(PARTY_KEYS)?.split_once('#')?;
    Some(RowName { record: record::parse_partition(&key.pk)?, object, run })
}

/// The rows of all records.
#[derive(Clone, Debug)]
pub struct PartyKeys {
    table: Arc<dyn Table>,
}

impl PartyKeys {
    /// Rows of the keys table.
    pub fn new(table: Arc<dyn Table>) -> Self {
        Self { table }
    }

    /// Keeps keys of a record and an object in rows, by their runs: all of them at once, at most [`ROWS_AT_ONCE`], if no erasure reached
    /// the record since its `PARTY` row was seen.
    ///
    /// # Errors
    /// `Conflict`, with nothing written: an erasure did, another transaction holds one of the rows, or one of these is there. After any
    /// other they may be there, or have been and an erasure has taken their keys out: they must not be kept again.
    pub async fn keep(
        &self,
        record: &str,
        object: &str,
        seen: PartySeen,
        rows: &[(String, KeyRow)],
    ) -> Result<(), StoreError> {
        // A record's id may hold an alias: no error says it.
        let what = "keep a record's wrapped keys";
        let mut writes = vec![party::unchanged(record, seen)];
        for (run, row) in rows {
            // An update, so that a role that keeps keys needs no put.
            let update = Write::update(key(RowName { record, object, run }));
            let update = to_row(what, row)?.into_iter().fold(update, |update, (name, value)| update.set(name, value));
            writes.push(update.when(Condition::Absent));
        }
        self.table.transact(what, writes, Vec::new()).await
    }

    /// Who takes part in a record, and all rows of its keys, as one reading.
    ///
    /// # Errors
    /// The table's; `Corrupt` for a row of another form.
    pub async fn of(&self, record: &str) -> Result<(Party, Vec<(Key, KeyRow)>), StoreError> {
        let query = Query::partition(record::partition(record)).beginning(party::PARTY);
        let (mut party, mut keys) = (Party::default(), Vec::new());
        for (sk, row) in self.table.query("read who takes part, and the wrapped keys", &query).await? {
            let key = Key::new(&query.pk, sk);
            if party::parse_key(&key).is_some() {
                party = party::read(row)?;
            } else if parse_key(&key).is_some() {
                keys.push((key, read(row)?));
            }
        }
        Ok((party, keys))
    }

    /// Takes keys, by their ids, out of rows as they were read; a row without any other goes. Their ids must be gone before: whatever
    /// copy of a row comes back then opens nothing.
    ///
    /// # Errors
    /// The table's; some may be taken out then, and doing it again is harmless.
    pub async fn destroy(&self, goes: &[(Key, KeyRow, BTreeSet<String>)]) -> Result<(), StoreError> {
        let what = "destroy wrapped keys";
        let is_whole = |row: &KeyRow, ids: &BTreeSet<String>| row.keys.keys().all(|id| ids.contains(id));
        // A row only loses keys: one of which all go has no others by now.
        let whole = goes.iter().filter(|(_, row, ids)| is_whole(row, ids));
        self.table.batch_write(what, whole.map(|(key, ..)| Write::delete(key.clone())).collect()).await?;
        for (key, row, ids) in goes.iter().filter(|(_, row, ids)| !is_whole(row, ids)) {
            let there: Vec<&String> = ids.iter().filter(|id| row.keys.contains_key(*id)).collect();
            for some in there.chunks(KEYS_PER_UPDATE) {
                let update = Write::update(key.clone()).when(Condition::Exists);
                let update = some.iter().fold(update, |update, id| update.remove_member(KEYS, *id));
                match self.table.write(what, update, Returning::Nothing).await {
                    // No row: another erasure took it whole.
                    Ok(_) => {}
                    Err(StoreError::Conflict(_)) if self.table.get(what, key).await?.is_none() => {}
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(())
    }
}

/// The keys in a row.
///
/// # Errors
/// `Corrupt` for a row of another form.
pub fn read(row: Row) -> Result<KeyRow, StoreError> {
    read_row("read a record's wrapped keys", row)
}

/// Rows of one record that are kept at once. A transaction may have 4 MB, and a row has 300 KB at most; two transactions on one record
/// would keep each other from being done, for both ask its `PARTY`.
pub const ROWS_AT_ONCE: usize = 12;

/// Keys that one update takes out: an expression may have 4 KB, and each takes some ten bytes of it.
const KEYS_PER_UPDATE: usize = 100;
const PARTY_KEYS: &str = "PARTY#";
/// The keys by their ids, as the row has them.
const KEYS: &str = "keys";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_names_its_record_object_and_run() {
        let name = RowName { record: "acme/User/x_1", object: "0011", run: "89abcdef" };
        assert_eq!(parse_key(&key(name)), Some(name));
        for (pk, sk) in
            [("INT#acme/c-1", "PARTY"), ("INT#acme/c-1", "PARTY#0011"), ("SUB#acme/c-1", "PARTY#0011#89abcdef")]
        {
            assert_eq!(parse_key(&Key::new(pk, sk)), None, "{pk} {sk}");
        }
    }
}
