//! Bronze objects that erasures wait for, in the control table: nobody rewrites an object before it is planned.
//!
//! Invariant: a row says since when, and never changes; it goes once the object is planned and its lines are taken out, or the wait is
//! given up. It holds ids and a bronze key, nothing of a person.

use std::sync::Arc;

use ledgerline_ledger::store::StoreError;
use serde::{Deserialize, Serialize};

use crate::table::{Key, Returning, Table, Write, read_row, to_row};

/// The key of the row of an object that a request waits for.
pub fn key(object: &str, request: &str) -> Key {
    Key::new(format!("{WAIT}{object}"), request)
}

/// The object and the request whose row a key is of.
pub fn parse_key(key: &Key) -> Option<(&str, &str)> {
    Some((key.pk.strip_prefix(WAIT)?, &key.sk))
}

/// An object that is waited for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waits {
    /// The bronze object's key.
    pub key: String,
    /// Since when, RFC 3339.
    pub since: String,
}

/// The waits of all erasures.
#[derive(Debug, Clone)]
pub struct Waiting {
    control: Arc<dyn Table>,
}

impl Waiting {
    /// Rows of the control table.
    pub fn new(control: Arc<dyn Table>) -> Self {
        Self { control }
    }

    /// Notes that a request waits for an object since `since`, RFC 3339, unless that is noted.
    ///
    /// # Errors
    /// The table's.
    pub async fn put(&self, object: &str, request: &str, object_key: &str, since: &str) -> Result<(), StoreError> {
        let what = format!("wait for object {object}");
        let row = to_row(&what, &Waits { key: object_key.to_owned(), since: since.to_owned() })?;
        match self.control.write(&what, Write::create(key(object, request), row), Returning::Nothing).await {
            // Conflict: it waits for it already.
            Ok(_) | Err(StoreError::Conflict(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Since when a request waits for each of these objects, in their order. They are distinct.
    ///
    /// # Errors
    /// The table's; `Corrupt` for a row of another form.
    pub async fn of(&self, objects: &[&str], request: &str) -> Result<Vec<Option<Waits>>, StoreError> {
        let keys: Vec<Key> = objects.iter().map(|object| key(object, request)).collect();
        let rows = self.control.batch_get("read what is waited for", &keys).await?;
        rows.into_iter().map(|row| row.map(|row| read_row("read what is waited for", row)).transpose()).collect()
    }

    /// Waits for these objects no more. They are distinct.
    ///
    /// # Errors
    /// The table's; some may be waited for then.
    pub async fn delete(&self, objects: &[&str], request: &str) -> Result<(), StoreError> {
        let deletes = objects.iter().map(|object| Write::delete(key(object, request))).collect();
        self.control.batch_write("wait no more", deletes).await
    }
}

const WAIT: &str = "WAIT#";
