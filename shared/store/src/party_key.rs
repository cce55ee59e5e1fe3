//! The wrapped party keys of a record, in the keys table: a row for each run of transform over a bronze object that seals something of
//! it. What opens the blocks of the record's entries is there, and nowhere else.
//!
//! Invariant: a row comes to be in one transaction with the question whether an erasure reached the record meanwhile, and never
//! twice: an erasure that looks for the record's rows after it said so finds every key that a plan may name. After that a row only
//! loses keys. Of another run over the same object there is another row.

use std::sync::Arc;

use ledgerline_ledger::store::StoreError;
use ledgerline_sealed::KeyRow;

use crate::party::{self, PartySeen};
use crate::record;
use crate::table::{Condition, Key, Row, Table, Write, read_row, to_row};

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

    /// Keeps a run's keys, if no erasure reached the record since its `PARTY` row was seen.
    ///
    /// # Errors
    /// `Conflict`, with nothing written: an erasure did, another transaction holds one of the two rows, or this one is there. After any
    /// other it may be there, or have been and an erasure has taken its keys out: they must not be kept again.
    pub async fn keep(&self, name: RowName<'_>, seen: PartySeen, row: &KeyRow) -> Result<(), StoreError> {
        // A record's id may hold an alias: no error says it.
        let what = "keep a record's wrapped keys";
        // An update, not a put: who may put a row of a record could replace `PARTY`.
        let attributes = to_row(what, row)?.into_iter();
        let update = attributes.fold(Write::update(key(name)), |update, (name, value)| update.set(name, value));
        let writes = vec![party::unchanged(name.record, seen), update.when(Condition::Absent)];
        self.table.transact(what, writes, Vec::new()).await
    }
}

/// The keys in a row.
///
/// # Errors
/// `Corrupt` for a row of another form.
pub fn read(row: Row) -> Result<KeyRow, StoreError> {
    read_row("read a record's wrapped keys", row)
}

const PARTY_KEYS: &str = "PARTY#";

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
