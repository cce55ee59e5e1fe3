//! Which records legal holds are on, in the control table: what an erasure asks before it destroys anything.
//!
//! Invariant: a record's row names every hold on it from before the first segment is held until after the last one is
//! released, so that nothing that is held is erased. Holds are no person's: an erasure leaves them.

use std::collections::BTreeSet;
use std::sync::Arc;

use ledgerline_ledger::store::StoreError;

use crate::table::{Condition, Key, Returning, Row, Table, Value, Write};

/// The key of a record's row.
pub fn key(record: &str) -> Key {
    Key::new(format!("{HELD}{record}"), SK)
}

/// The record whose row a key is of.
pub fn parse_key(key: &Key) -> Option<&str> {
    key.pk.strip_prefix(HELD).filter(|_| key.sk == SK)
}

/// That no hold is on the record whose row it is asked of: whoever destroys something of a record does it in one transaction with this.
pub fn not_held() -> Condition {
    Condition::lacks(HOLDS)
}

/// That a hold is on it: whoever puts something off until there is none any more does it in one transaction with this.
pub fn is_held() -> Condition {
    Condition::has(HOLDS)
}

/// The holds by record.
#[derive(Clone, Debug)]
pub struct Held {
    table: Arc<dyn Table>,
}

impl Held {
    /// Rows of the control table.
    pub fn new(table: Arc<dyn Table>) -> Self {
        Self { table }
    }

    /// Whether a hold is on the record, `<org>/<record>`.
    ///
    /// # Errors
    /// The table's.
    pub async fn is_held(&self, record: &str) -> Result<bool, StoreError> {
        Ok(self.row(record).await?.contains_key(HOLDS))
    }

    /// Those of these records, each `<org>/<record>`, on which a hold is.
    ///
    /// # Errors
    /// The table's.
    pub async fn among<'r>(&self, records: impl IntoIterator<Item = &'r str>) -> Result<BTreeSet<&'r str>, StoreError> {
        let records: BTreeSet<&str> = records.into_iter().collect();
        let keys: Vec<Key> = records.iter().map(|record| key(record)).collect();
        let rows = self.table.batch_get("read which records are held", &keys).await?;
        let is_held = |row: &Option<Row>| row.as_ref().is_some_and(|row| row.contains_key(HOLDS));
        Ok(records.into_iter().zip(&rows).filter(|(_, row)| is_held(row)).map(|(record, _)| record).collect())
    }

    /// Says that the hold is on the record.
    ///
    /// # Errors
    /// The table's.
    pub async fn add(&self, record: &str, hold: &str) -> Result<(), StoreError> {
        let write = Write::update(key(record)).add(HOLDS, one(hold));
        self.table.write(&format!("note that {record} is held"), write, Returning::Nothing).await.map(drop)
    }

    /// Says that the hold is not on the record any more.
    ///
    /// # Errors
    /// The table's.
    pub async fn remove(&self, record: &str, hold: &str) -> Result<(), StoreError> {
        // Read first: taking from a row that is not there would make one.
        if !self.row(record).await?.contains_key(HOLDS) {
            return Ok(());
        }
        let write = Write::update(key(record)).take(HOLDS, one(hold));
        self.table.write(&format!("note that {record} is released"), write, Returning::Nothing).await.map(drop)
    }

    async fn row(&self, record: &str) -> Result<Row, StoreError> {
        Ok(self.table.get(&format!("read the holds on {record}"), &key(record)).await?.unwrap_or_default())
    }
}

fn one(hold: &str) -> Value {
    Value::Ss(vec![hold.to_owned()])
}

const HELD: &str = "HELD#";
const SK: &str = "HELD";
/// The holds' names; DynamoDB takes the set away with the last of them.
const HOLDS: &str = "holds";
