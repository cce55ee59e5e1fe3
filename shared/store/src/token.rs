//! The records of a lineage token, in the index table: one row a record. By the rows of a source's token one of several records is known;
//! by all of them lineage finds a record by its token.
//!
//! Invariant: the row of the token that is derived from a record's id is there before the record is pinned, that of a source's token
//! before any of the record's entries carries it. Derived data: entries and bronze have the tokens. An erasure deletes a source's
//! token with the content that all people of the record share; the derived one says what the pin says, and stays as that does.

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

    /// Which of these rows of tokens and records are not there.
    ///
    /// # Errors
    /// The table's.
    pub async fn missing<'t>(&self, rows: &[(&'t str, &'t str)]) -> Result<Vec<(&'t str, &'t str)>, StoreError> {
        let keys: Vec<Key> = rows.iter().map(|(token, record)| key(token, record)).collect();
        let found = self.table.batch_get("look for records' tokens", &keys).await?;
        Ok(rows.iter().zip(found).filter(|(_, found)| found.is_none()).map(|(row, _)| *row).collect())
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
