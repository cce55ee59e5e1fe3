//! How often a principal used what is counted, by the day, in the control table.
//!
//! Invariant: counting comes before the work, so that what fails counts, too. A row goes two days later; it names nobody but by an alias.

use std::sync::Arc;

use ledgerline_ledger::store::StoreError;

use crate::table::{Key, Returning, Table, Value, Write, corrupt};

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
}

const USED: &str = "USED#";
