//! Which open requests name an identifier, in the keys table: what an access answer says of requests under way, also once an erasure has
//! made the person unknown.
//!
//! Invariant: a request is among its identifiers' rows from before it is made until after it is closed. An erasure deletes a row with the
//! last of its requests.

use std::collections::BTreeSet;
use std::sync::Arc;

use ledgerline_ledger::store::StoreError;
use serde::Deserialize;

use crate::table::{Condition, Key, Returning, Row, Table, Value, Write, read_row};

/// The key of an identifier's row in an org.
pub fn key(org: &str, pseudonym: &str) -> Key {
    Key::new(format!("{ASKED}{org}/{pseudonym}"), SK)
}

/// The org and the pseudonym whose row a key is of.
pub fn parse_key(key: &Key) -> Option<(&str, &str)> {
    key.pk.strip_prefix(ASKED).filter(|_| key.sk == SK)?.split_once('/')
}

/// The rows of all identifiers.
#[derive(Debug, Clone)]
pub struct Asked {
    keys: Arc<dyn Table>,
}

impl Asked {
    /// Rows of the keys table.
    pub fn new(keys: Arc<dyn Table>) -> Self {
        Self { keys }
    }

    /// Says of these identifiers, each an org and a pseudonym, that the request names them.
    ///
    /// # Errors
    /// The table's; some may be said then.
    pub async fn add(&self, names: &[(&str, &str)], id: &str) -> Result<(), StoreError> {
        for (org, pseudonym) in names {
            let write = Write::update(key(org, pseudonym)).add(REQUESTS, one(id));
            self.keys.write("note whom a request names", write, Returning::Nothing).await?;
        }
        Ok(())
    }

    /// Says of these identifiers that the request names them no more. With `deletes` a row goes with the last of its requests, which is
    /// the eraser's to do; without, an empty one stays, which says nothing.
    ///
    /// # Errors
    /// The table's; some may be said then.
    pub async fn take(&self, names: &[(&str, &str)], id: &str, deletes: bool) -> Result<(), StoreError> {
        let what = "note whom a request names no more";
        for (org, pseudonym) in names {
            let key = key(org, pseudonym);
            // Taking from a row that is not there would make one.
            let write = Write::update(key.clone()).take(REQUESTS, one(id)).when(Condition::Exists);
            match self.keys.write(what, write, Returning::Nothing).await {
                Ok(_) | Err(StoreError::Conflict(_)) => {}
                Err(error) => return Err(error),
            }
            if deletes {
                let delete = Write::delete(key).when(Condition::lacks(REQUESTS));
                match self.keys.write(what, delete, Returning::Nothing).await {
                    // Another request names the identifier.
                    Ok(_) | Err(StoreError::Conflict(_)) => {}
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(())
    }

    /// The requests that name any of these identifiers, each an org and a pseudonym. They are distinct.
    ///
    /// # Errors
    /// The table's; `Corrupt` for a row of another form.
    pub async fn of(&self, names: &[(&str, &str)]) -> Result<BTreeSet<String>, StoreError> {
        let keys: Vec<Key> = names.iter().map(|(org, pseudonym)| key(org, pseudonym)).collect();
        let rows = self.keys.batch_get("read which requests name somebody", &keys).await?;
        let all = rows.into_iter().flatten().map(read).collect::<Result<Vec<_>, _>>()?;
        Ok(all.into_iter().flatten().collect())
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Stored {
    requests: BTreeSet<String>,
}

/// The requests in a row.
///
/// # Errors
/// `Corrupt` for a row of another form.
pub fn read(row: Row) -> Result<BTreeSet<String>, StoreError> {
    read_row("read which requests name somebody", row).map(|Stored { requests }| requests)
}

fn one(id: &str) -> Value {
    Value::Ss(vec![id.to_owned()])
}

const ASKED: &str = "ASKED#";
const SK: &str = "REQ";
/// The requests' ids; DynamoDB takes the set away with the last of them.
const REQUESTS: &str = "requests";
