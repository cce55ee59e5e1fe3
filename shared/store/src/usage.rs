//! How often a principal used what is counted, and how many records erasures reached, by the day, in the control table.
//!
//! Invariant: counting comes before the work, so that what fails counts, too. A row goes two days later; it names nobody but by an alias.

use std::sync::Arc;

use ledgerline_ledger::store::{Failure, StoreError};

use crate::erasing::{self, Erasing, ErasingRows};
use crate::table::{Condition, Key, Returning, Table, Value, Write, corrupt};

/// The key of a principal's row of a day, `yyyy-mm-dd`.
pub fn key(alias: &str, day: &str) -> Key {
    Key::new(format!("{USED}{alias}"), day)
}

/// Whether a key is of such a row.
pub fn is_key(key: &Key) -> bool {
    key.pk.starts_with(USED)
}

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// Making a request.
    Request,
    /// Looking at what a request would do, and approving it.
    Preview,
    /// Any other step of a request.
    Step,
}

/// How long a row is kept behind its day.
pub const KEPT_DAYS: u32 = 2;

/// The counts of all principals.
#[derive(Clone, Debug)]
pub struct Usage {
    table: Arc<dyn Table>,
}

impl Usage {
    /// Rows of the control table.
    pub fn new(table: Arc<dyn Table>) -> Self {
        Self { table }
    }

    /// Counts one more use on this day, `yyyy-mm-dd`, until `expires_at_s`, and says how many it is.
    ///
    /// # Errors
    /// The table's.
    pub async fn count(&self, alias: &str, what: Use, day: &str, expires_at_s: i64) -> Result<u64, StoreError> {
        let name = match what {
            Use::Request => "requests",
            Use::Preview => "previews",
            Use::Step => "steps",
        };
        let write = Write::update(key(alias, day)).add(name, 1_u32).set("ttl", expires_at_s);
        let row = self.table.write("count a use", write, Returning::Changed).await?;
        match row.get(name) {
            Some(Value::N(count)) => count.parse().map_err(|_| corrupt("a count of uses is no number")),
            _ => Err(corrupt("a count of uses is no number")),
        }
    }

    /// Counts the records of an erasure whose lease is held into a day, `yyyy-mm-dd`, until `expires_at_s`, once. `false`: with them the
    /// day would have more than `limit`, and nothing is counted.
    ///
    /// # Errors
    /// The table's; `Conflict` if the lease is lost, or others keep counting.
    pub async fn spend(
        &self,
        id: &str,
        held: &Erasing,
        records: u64,
        day: &str,
        limit: u64,
        expires_at_s: i64,
    ) -> Result<bool, StoreError> {
        let what = "count an erasure's records";
        let key = key(ERASURE, day);
        for _ in 0..ROUNDS {
            let row = self.table.get(what, &key).await?.unwrap_or_default();
            let before = row.get(RECORDS).map(|count| match count {
                Value::N(count) => count.parse::<u64>().map_err(|_| corrupt("a count of records is no number")),
                _ => Err(corrupt("a count of records is no number")),
            });
            let before = before.transpose()?;
            if before.unwrap_or_default().saturating_add(records) > limit {
                // Counted before, by a slice whose answer was lost: it is within the limit.
                return self.is_counted(id).await;
            }
            let used = Write::update(key.clone()).add(RECORDS, records).set("ttl", expires_at_s);
            let used = used.when(Condition::equals_or_lacks(RECORDS, before));
            let counted = erasing::counting(id, held, day)?;
            match self.table.transact(what, vec![used, counted], Vec::new()).await {
                Err(StoreError::Conflict(_)) if self.is_counted(id).await? => return Ok(true),
                Err(StoreError::Conflict(_)) => {}
                done => return done.map(|()| true),
            }
        }
        Err(StoreError::Conflict(Failure::new(format!("{what}: others wrote {ROUNDS} times"))))
    }

    async fn is_counted(&self, id: &str) -> Result<bool, StoreError> {
        let erasing = ErasingRows::new(Arc::clone(&self.table)).read(id).await?;
        Ok(erasing.is_some_and(|erasing| erasing.counted.is_some()))
    }
}

/// Under whose name erasures' records are counted: no principal's alias is like it.
const ERASURE: &str = "erasure";
const RECORDS: &str = "records";
const ROUNDS: usize = 8;

const USED: &str = "USED#";
