//! The records of a source's lineage token, in the index table: one row a record, so that a token of several is known.
//!
//! Invariant: a record's row is there before any of its entries carries the token. Derived data: bronze has the tokens. An
//! erasure deletes the row with the content that all people of the record share.

use std::sync::Arc;

use ledgerline_ledger::store::StoreError;

use crate::table::{Key, Query, Row, Table, Write};

/// The key of a record's row, `<org>/<record>`.
pub fn key(token: &str, record: &str) -> Key {
    Key::new(partition(token), record)
}

/// The token and the record that a key is of.
pub fn parse_key(key: &Key) -> Option<(&str, &str)> {
    Some((key.pk.strip_prefix(TOKEN)?, &key.sk))
}

/// Rows of a token that are read: with a hundred of other records it is known to be shared, and gets no more.
pub const RECORDS_READ: usize = 101;

/// The tokens of all records.
#[derive(Clone, Debug)]
pub struct Tokens {
    table: Arc<dyn Table>,
}

impl Tokens {
    /// Rows of the index table.
    pub fn new(table: Arc<dyn Table>) -> Self {
        Self { table }
    }

    /// The first [`RECORDS_READ`] records that have the token, each `<org>/<record>`, in the order of their names.
    ///
    /// # Errors
    /// The table's.
    pub async fn records(&self, token: &str) -> Result<Vec<String>, StoreError> {
        let query = Query { limit: Some(RECORDS_READ), ..Query::partition(partition(token)) };
        let rows = self.table.query("read the records of a token", &query).await?;
        Ok(rows.into_iter().map(|(record, _)| record).collect())
    }

    /// Notes of each of these tokens that the record has it. They are distinct.
    ///
    /// # Errors
    /// The table's.
    pub async fn put(&self, rows: &[(&str, &str)]) -> Result<(), StoreError> {
        let writes = rows.iter().map(|(token, record)| Write::put(key(token, record), Row::new())).collect();
        self.table.batch_write("note records' tokens", writes).await
    }

    /// Forgets of each of these tokens that the record has it, with the record's content. They are distinct.
    ///
    /// # Errors
    /// The table's; some may be forgotten then.
    pub async fn delete(&self, rows: &[(&str, &str)]) -> Result<(), StoreError> {
        let writes = rows.iter().map(|(token, record)| Write::delete(key(token, record))).collect();
        self.table.batch_write("forget records' tokens", writes).await
    }
}

fn partition(token: &str) -> String {
    format!("{TOKEN}{token}")
}

const TOKEN: &str = "TOK#";
