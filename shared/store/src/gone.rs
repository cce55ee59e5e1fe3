//! Names that are gone for good, in the control table: subjects, key ids and aliases of people who were erased.
//!
//! Invariant: what is gone stays gone; no clock decides. A row has a random name and nothing else, so nobody can be found
//! by it, and an erasure leaves it.

use std::collections::BTreeSet;
use std::sync::Arc;

use ledgerline_ledger::store::StoreError;

use crate::table::{IntoValue as _, Key, Row, Table, Write};

/// The key of a name's row.
pub fn key(name: &str) -> Key {
    Key::new(format!("{GONE}{name}"), SK)
}

/// The name that a key says is gone.
pub fn parse_key(key: &Key) -> Option<&str> {
    key.pk.strip_prefix(GONE).filter(|_| key.sk == SK)
}

/// The names that are gone.
#[derive(Clone, Debug)]
pub struct Gone {
    table: Arc<dyn Table>,
}

impl Gone {
    /// Rows of the control table.
    pub fn new(table: Arc<dyn Table>) -> Self {
        Self { table }
    }

    /// Those of these names that are gone.
    ///
    /// # Errors
    /// The table's.
    pub async fn among<'n>(&self, names: impl IntoIterator<Item = &'n str>) -> Result<BTreeSet<&'n str>, StoreError> {
        let names: BTreeSet<&str> = names.into_iter().collect();
        let keys: Vec<Key> = names.iter().map(|name| key(name)).collect();
        let rows = self.table.batch_get("read what is gone", &keys).await?;
        Ok(names.into_iter().zip(rows).filter_map(|(name, row)| row.map(|_| name)).collect())
    }

    /// Says that these names are gone. They are distinct.
    ///
    /// # Errors
    /// The table's; some may be put then.
    pub async fn put(&self, names: &[&str]) -> Result<(), StoreError> {
        let writes = names.iter().map(|name| saying(name)).collect();
        self.table.batch_write("note what is gone", writes).await
    }
}

/// Says that a name is gone, in a transaction with what makes it so.
pub(crate) fn saying(name: &str) -> Write {
    Write::put(key(name), Row::from([("v".to_owned(), 1_u32.into_value())]))
}

const GONE: &str = "GONE#";
const SK: &str = "GONE";
