//! What the index table has of a record beside its claims and postings: the log that keeps it, and the bronze objects that
//! hold lines about it.
//!
//! Invariant: a record is pinned to one log for ever. What one run over an object notes of it is there for good: a run that takes the
//! object up again writes rows of its own where it found more, so that neither can lose what the other found, and readers unite them.
//! Derived data: all of it can be rebuilt from bronze and the ledger.

use std::sync::Arc;

use ledgerline_ledger::log::LogId;
use ledgerline_ledger::store::{Failure, StoreError};
use ledgerline_ledger::tree::Hash;
use serde::{Deserialize, Serialize};

use crate::table::{Key, Query, Returning, Row, Table, Value, Write, corrupt, read_row, to_row};

/// The partition of everything about a record, `<org>/<record>`, in the index table.
pub fn partition(record: &str) -> String {
    format!("{RECORD}{record}")
}

/// The record whose partition this is.
pub fn parse_partition(pk: &str) -> Option<&str> {
    pk.strip_prefix(RECORD)
}

/// The key of a record's pin.
pub fn pin_key(record: &str) -> Key {
    Key::new(partition(record), PIN)
}

/// The key of the row that an object holds lines about a record. Rows of runs that took it up again have further keys, behind this one.
pub fn bronze_key(record: &str, object: &str) -> Key {
    Key::new(partition(record), format!("{BRONZE}{object}"))
}

/// The key of such a further row, which follows from what is in it: the same is written once.
fn further_key(record: &str, object: &str, row: &Lines) -> Key {
    let Lines { key, lines, at, dates } = row;
    let digest = Hash::of_object(format!("{key}\n{lines}\n{at:?}\n{dates:?}").as_bytes());
    let digest: String = digest.0[..4].iter().map(|byte| format!("{byte:02x}")).collect();
    Key::new(partition(record), format!("{BRONZE}{object}#{digest}"))
}

/// The record whose pin a key is of.
pub fn parse_pin_key(key: &Key) -> Option<&str> {
    parse_partition(&key.pk).filter(|_| key.sk == PIN)
}

/// The record and the object that holds lines about it.
pub fn parse_bronze_key(key: &Key) -> Option<(&str, &str)> {
    Some((parse_partition(&key.pk)?, parse_object(&key.sk)?))
}

/// The object of a row's sort key.
fn parse_object(sk: &str) -> Option<&str> {
    sk.strip_prefix(BRONZE)?.split('#').next()
}

/// The row that says: this object holds lines about this record. Erasure finds the objects to rewrite by it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BronzeRow<'a> {
    /// `<org>/<record>`.
    pub record: &'a str,
    /// The bronze object's id.
    pub object: &'a str,
    /// The bronze object's key.
    pub key: &'a str,
    /// How many of its lines are about the record, duplicates and filtered ones too.
    pub lines: u64,
    /// Which lines, from 0, the first [`LINES_NAMED`] of them.
    pub at: &'a [u64],
    /// The days on which they occurred, `yyyy-mm-dd` UTC, in order.
    pub dates: &'a [String],
}

/// Lines that a bronze row names at most: 6 KB of numbers. One with more `lines` than that says by it that there are others.
pub const LINES_NAMED: usize = 1_000;

/// A bronze object that holds lines about a record, as read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HoldingObject {
    /// The bronze object's id.
    pub object: String,
    /// Its key.
    pub key: String,
    /// How many of its lines are about the record.
    pub lines: u64,
    /// Which lines, from 0; not all of them if there are more `lines`.
    pub at: Vec<u64>,
    /// The days on which they occurred, `yyyy-mm-dd` UTC, in order.
    pub dates: Vec<String>,
}

/// Pins and bronze rows of all records.
#[derive(Clone, Debug)]
pub struct Records {
    table: Arc<dyn Table>,
}

impl Records {
    /// Rows of the index table.
    pub fn new(table: Arc<dyn Table>) -> Self {
        Self { table }
    }

    /// The log that each of these records is pinned to, in their order. `None` for a record that has no entry, and none
    /// under way: a record is pinned before anything is planned of it.
    ///
    /// # Errors
    /// The table's; `Corrupt` for a pin that names no log.
    pub async fn pins(&self, records: &[&str]) -> Result<Vec<Option<LogId>>, StoreError> {
        let keys: Vec<Key> = records.iter().map(|record| pin_key(record)).collect();
        let rows = self.table.batch_get("read log pins", &keys).await?;
        rows.into_iter().map(|row| row.map(read_pin).transpose()).collect()
    }

    /// Pins a record to `log` unless it is pinned already; the log that it is pinned to now.
    ///
    /// # Errors
    /// The table's.
    pub async fn pin(&self, record: &str, log: &LogId) -> Result<LogId, StoreError> {
        let write = Write::update(pin_key(record)).set_if_absent(LOG, log.as_str());
        // A record's id may hold an alias: no error says it.
        read_pin(self.table.write("pin a record to its log", write, Returning::Changed).await?)
    }

    /// Notes which objects hold lines about records. A run that is not an object's first one (`again`) reads what is noted, and adds what
    /// is not: an earlier run may have read the same lines as another record's, and may be at work still.
    ///
    /// # Errors
    /// The table's.
    pub async fn note_bronze(&self, rows: &[BronzeRow<'_>], again: bool) -> Result<(), StoreError> {
        let what = "note bronze rows";
        let keys: Vec<Key> = rows.iter().map(|row| bronze_key(row.record, row.object)).collect();
        let noted = match again {
            true => self.table.batch_get("read bronze rows", &keys).await?,
            false => Vec::new(),
        };
        let mut noted = noted.into_iter();
        let mut writes = Vec::new();
        for (key, row) in keys.into_iter().zip(rows) {
            let BronzeRow { record, object, key: object_key, lines, at, dates } = *row;
            let stored = Lines { key: object_key.to_owned(), lines, at: at.to_vec(), dates: dates.to_vec() };
            let noted = noted.next().flatten().map(|row| read_lines(object, row)).transpose()?;
            if noted.is_some_and(|noted| noted.covers(&stored)) {
                continue;
            }
            let key = if again { further_key(record, object, &stored) } else { key };
            writes.push(Write::put(key, to_row(what, &stored)?));
        }
        self.table.batch_write(what, writes).await
    }

    /// The bronze objects that hold lines about a record.
    ///
    /// # Errors
    /// The table's; `Corrupt` for a row of another form.
    pub async fn bronze(&self, record: &str) -> Result<Vec<HoldingObject>, StoreError> {
        let query = Query::partition(partition(record)).beginning(BRONZE);
        let rows = self.table.query("read a record's bronze objects", &query).await?;
        let read = |(sk, row): (String, Row)| read_lines(parse_object(&sk).unwrap_or_default(), row);
        let rows = rows.into_iter().map(read).collect::<Result<Vec<_>, _>>()?;
        Ok(united(rows))
    }
}

/// What the rows of each object say together; those of one object follow each other.
pub fn united(rows: Vec<HoldingObject>) -> Vec<HoldingObject> {
    let mut all: Vec<HoldingObject> = Vec::with_capacity(rows.len());
    for row in rows {
        match all.last_mut() {
            Some(last) if last.object == row.object => last.unite(row),
            _ => all.push(row),
        }
    }
    all
}

impl HoldingObject {
    /// Whether it says all that a row would.
    fn covers(&self, row: &Lines) -> bool {
        let has = |line: &u64| self.at.binary_search(line).is_ok();
        self.lines >= row.lines && row.at.iter().all(has) && row.dates.iter().all(|date| self.dates.contains(date))
    }

    fn unite(&mut self, other: Self) {
        let both = |one: &mut Vec<u64>, other: Vec<u64>| {
            one.extend(other);
            one.sort_unstable();
            one.dedup();
        };
        both(&mut self.at, other.at);
        // More lines than are named say that others are not.
        self.lines = self.lines.max(other.lines).max(self.at.len() as u64);
        self.at.truncate(LINES_NAMED);
        self.dates.extend(other.dates);
        self.dates.sort_unstable();
        self.dates.dedup();
    }
}

#[derive(Serialize, Deserialize)]
struct Lines {
    key: String,
    lines: u64,
    at: Vec<u64>,
    dates: Vec<String>,
}

/// What a bronze row says of an object.
///
/// # Errors
/// `Corrupt` for a row of another form.
pub fn read_lines(object: &str, row: Row) -> Result<HoldingObject, StoreError> {
    let Lines { key, lines, at, dates } = read_row("read a bronze row", row)?;
    Ok(HoldingObject { object: object.to_owned(), key, lines, at, dates })
}

/// The log in a pin's row.
///
/// # Errors
/// `Corrupt` if it names no log.
pub fn read_pin(mut row: Row) -> Result<LogId, StoreError> {
    let what = "read a record's log";
    let Some(Value::S(log)) = row.remove(LOG) else { return Err(corrupt(what)) };
    LogId::parse(&log).map_err(|error| StoreError::Corrupt(Failure::caused_by(what, error)))
}

const RECORD: &str = "INT#";
const PIN: &str = "LOG";
const LOG: &str = "log";
const BRONZE: &str = "BRZ#";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::IntoValue;

    #[test]
    fn a_pin_names_a_log() {
        let row = |log: &str| Row::from([("log".to_owned(), log.into_value())]);
        assert!(matches!(read_pin(Row::new()), Err(StoreError::Corrupt(_))));
        assert_eq!(read_pin(row("acme/interaction/1/0")).unwrap().as_str(), "acme/interaction/1/0");
        assert!(matches!(read_pin(row("acme")), Err(StoreError::Corrupt(_))));
    }
}
