//! Legal holds in the control table: what was meant, which the S3 holds and the ledger's entry carry out.
//!
//! Invariant: the words of the first call hold; a hold that is lifted stays so.

use std::sync::Arc;

use ledgerline_ledger::log::LogId;
use ledgerline_ledger::store::{Failure, StoreError};
use serde::{Deserialize, Serialize};

use crate::table::{Condition, Key, Returning, Row, Scan, Table, Value, Write, corrupt, read_row, to_row};

/// The key of a hold on a record.
pub fn key(hold: &str, record_key: &str) -> Key {
    Key::new(format!("{HOLD}{hold}"), record_key)
}

/// Whether a key is of a hold.
pub fn is_key(key: &Key) -> bool {
    key.pk.starts_with(HOLD)
}

/// A hold's row: what was meant, which the S3 holds and the entry carry out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HoldRow {
    /// The hold's name.
    pub hold: String,
    /// `<org>/<record>`.
    pub record_key: String,
    /// The record's log.
    pub log: LogId,
    /// Why.
    pub purpose: String,
    /// On which legal basis.
    pub basis: String,
    /// When it must be looked at again.
    pub review: String,
    /// When it was placed first: it names the act, so that placing it again is the same act.
    pub placed_at: String,
    /// When it was lifted, if it was.
    pub lifted_at: Option<String>,
}

/// All holds.
#[derive(Clone, Debug)]
pub struct Holds {
    table: Arc<dyn Table>,
}

impl Holds {
    /// Rows of the control table.
    pub fn new(table: Arc<dyn Table>) -> Self {
        Self { table }
    }

    /// Notes that a hold is meant, unless that is noted, and returns the row as it is: the first call's words hold.
    ///
    /// # Errors
    /// The table's.
    pub async fn note(&self, hold: &HoldRow) -> Result<HoldRow, StoreError> {
        let what = format!("note hold {}", hold.hold);
        let write = Write::create(key(&hold.hold, &hold.record_key), to_row(&what, &Stored::of(hold))?);
        match self.table.write(&what, write, Returning::Nothing).await {
            Ok(_) => Ok(hold.clone()),
            Err(StoreError::Conflict(_)) => {
                let missing = || StoreError::Conflict(Failure::new(format!("{what}: it was there, and is gone")));
                self.hold(&hold.hold, &hold.record_key).await?.ok_or_else(missing)
            }
            Err(error) => Err(error),
        }
    }

    /// A hold's row.
    ///
    /// # Errors
    /// The table's.
    pub async fn hold(&self, hold: &str, record_key: &str) -> Result<Option<HoldRow>, StoreError> {
        let key = key(hold, record_key);
        let row = self.table.get(&format!("read hold {hold}"), &key).await?;
        row.map(|row| read(&key, row)).transpose()
    }

    /// Notes that a hold is lifted, once; returns when that was. `now` is RFC 3339.
    ///
    /// # Errors
    /// The table's; `Conflict` if there is no such hold.
    pub async fn note_lifted(&self, hold: &str, record_key: &str, now: &str) -> Result<String, StoreError> {
        let what = format!("note that hold {hold} is lifted");
        let write = Write::update(key(hold, record_key)).set_if_absent(LIFTED_AT, now).when(Condition::Exists);
        match self.table.write(&what, write, Returning::After).await?.remove(LIFTED_AT) {
            Some(Value::S(at)) => Ok(at),
            _ => Err(corrupt(what)),
        }
    }

    /// All holds that were ever placed, lifted ones too, by hold and record.
    ///
    /// # Errors
    /// The table's.
    pub async fn all(&self) -> Result<Vec<HoldRow>, StoreError> {
        let (scan, mut after, mut holds) = (Scan::Partitions(vec![HOLD.to_owned()]), None, Vec::new());
        loop {
            let (rows, next) = self.table.scan_page("list the holds", &scan, after).await?;
            for (key, row) in rows {
                holds.push(read(&key, row)?);
            }
            after = next;
            if after.is_none() {
                break;
            }
        }
        holds.sort_by(|one, other| (&one.hold, &one.record_key).cmp(&(&other.hold, &other.record_key)));
        Ok(holds)
    }
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Stored {
    v: u32,
    log: String,
    purpose: String,
    basis: String,
    review: String,
    placed_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    lifted_at: Option<String>,
}

impl Stored {
    fn of(hold: &HoldRow) -> Self {
        let HoldRow { log, purpose, basis, review, placed_at, lifted_at, .. } = hold.clone();
        Self { v: 1, log: log.to_string(), purpose, basis, review, placed_at, lifted_at }
    }
}

fn read(key: &Key, row: Row) -> Result<HoldRow, StoreError> {
    let Stored { v: _, log, purpose, basis, review, placed_at, lifted_at } = read_row("read a hold", row)?;
    let log = LogId::parse(&log);
    Ok(HoldRow {
        hold: key.pk.strip_prefix(HOLD).unwrap_or(&key.pk).to_owned(),
        record_key: key.sk.clone(),
        log: log.map_err(|error| StoreError::Corrupt(Failure::caused_by("read a hold's log", error)))?,
        purpose,
        basis,
        review,
        placed_at,
        lifted_at,
    })
}

const HOLD: &str = "HOLD#";
const LIFTED_AT: &str = "liftedAt";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::IntoValue;

    #[test]
    fn a_hold_reads_back_as_it_was_noted() {
        let hold = HoldRow {
            hold: "matter-7".to_owned(),
            record_key: "acme/c-1".to_owned(),
            log: LogId::parse("acme/interaction/1/0").unwrap(),
            purpose: "litigation".to_owned(),
            basis: "legal-claims".to_owned(),
            review: "2027-01-01".to_owned(),
            placed_at: "2026-03-02T14:00:00.000Z".to_owned(),
            lifted_at: None,
        };
        let key = key("matter-7", "acme/c-1");
        let mut row = to_row("", &Stored::of(&hold)).unwrap();
        assert_eq!(read(&key, row.clone()).unwrap(), hold);
        row.insert("liftedAt".to_owned(), "2026-04-02T14:00:00.000Z".into_value());
        assert!(read(&key, row.clone()).unwrap().lifted_at.is_some());
        row.remove("review");
        assert!(matches!(read(&key, row), Err(StoreError::Corrupt(_))));
    }
}
