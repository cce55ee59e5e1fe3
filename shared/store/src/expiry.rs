//! When rewritten bronze objects expire, in the control table: a bucket's lifecycle counts from the rewriting, and what is left of the
//! object must go on the day on which it would have gone.
//!
//! Invariant: the row is there before the object is put, and until no version of the object is left. It holds a bronze key, nothing of
//! a person.

use std::sync::Arc;

use ledgerline_ledger::store::StoreError;

use crate::table::{Key, Query, Returning, Row, Table, Write};

/// The key of the row of a bronze object that expires on a day, `yyyy-mm-dd`.
pub fn key(day: &str, object_key: &str) -> Key {
    Key::new(format!("{EXPIRES}{day}"), object_key)
}

/// The day and the bronze key whose row a key is.
pub fn parse_key(key: &Key) -> Option<(&str, &str)> {
    Some((key.pk.strip_prefix(EXPIRES)?, &key.sk))
}

/// The days of all rewritten objects.
#[derive(Debug, Clone)]
pub struct Expiries {
    control: Arc<dyn Table>,
}

impl Expiries {
    /// Rows of the control table.
    pub fn new(control: Arc<dyn Table>) -> Self {
        Self { control }
    }

    /// Notes these, each a day, `yyyy-mm-dd`, and a bronze key. They are distinct.
    ///
    /// # Errors
    /// The table's; some may be noted then.
    pub async fn put(&self, rows: &[(&str, &str)]) -> Result<(), StoreError> {
        let writes = rows.iter().map(|(day, object)| Write::put(key(day, object), Row::new())).collect();
        self.control.batch_write("note when bronze objects expire", writes).await
    }

    /// The bronze keys of up to `limit` objects that expire on a day, `yyyy-mm-dd`.
    ///
    /// # Errors
    /// The table's.
    pub async fn of(&self, day: &str, limit: usize) -> Result<Vec<String>, StoreError> {
        let query = Query { limit: Some(limit), ..Query::partition(format!("{EXPIRES}{day}")) };
        let rows = self.control.query("look for bronze objects that expire", &query).await?;
        Ok(rows.into_iter().map(|(object_key, _)| object_key).collect())
    }

    /// Notes no more that an object expires on a day: it is gone.
    ///
    /// # Errors
    /// The table's.
    pub async fn remove(&self, day: &str, object_key: &str) -> Result<(), StoreError> {
        let write = Write::delete(key(day, object_key));
        self.control.write("note what has expired", write, Returning::Nothing).await.map(drop)
    }
}

const EXPIRES: &str = "EXP#";
