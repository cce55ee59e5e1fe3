//! Aliases of those who call the API, in the keys table: what stands for them in histories of requests and in the ledger.
//!
//! Invariant: an alias is random and one for a principal in all orgs; nothing leads from it to the principal, and from the principal to
//! it but the pseudonym. A row never changes and is never deleted: an erasure of a customer leaves who dealt with it.

use std::sync::Arc;

use ledgerline_ledger::store::{Failure, StoreError};
use ledgerline_privacy::Pseudonym;
use serde::{Deserialize, Serialize};

use crate::table::{Key, Returning, Row, Table, Write, read_row, to_row};

/// The key of a principal's row.
pub fn key(pseudonym: &str) -> Key {
    Key::new(format!("{ALIAS}{pseudonym}"), SK)
}

/// The pseudonym of the principal whose row a key is of.
pub fn parse_key(key: &Key) -> Option<&str> {
    key.pk.strip_prefix(ALIAS).filter(|_| key.sk == SK)
}

/// An alias of random bytes: `u_` and 32 hex digits.
pub fn of_random(random: [u8; 16]) -> String {
    format!("u_{:032x}", u128::from_be_bytes(random))
}

/// The aliases of all principals.
#[derive(Clone, Debug)]
pub struct Principals {
    table: Arc<dyn Table>,
}

impl Principals {
    /// Rows of the keys table.
    pub fn new(table: Arc<dyn Table>) -> Self {
        Self { table }
    }

    /// The alias of who has these pseudonyms, newest first, or `new` from now on. Under a new version of the key it stays the same.
    ///
    /// # Errors
    /// The table's.
    pub async fn alias(&self, pseudonyms: &[Pseudonym], new: &str) -> Result<String, StoreError> {
        // Neither pseudonym nor alias stands in an error.
        let what = "read a principal's alias";
        let keys: Vec<Key> = pseudonyms.iter().map(|one| key(one.as_str())).collect();
        for _ in 0..ROUNDS {
            let rows = self.table.batch_get(what, &keys).await?;
            let has_newest = rows.first().is_some_and(Option::is_some);
            let known = rows.into_iter().flatten().next().map(read).transpose()?;
            if let Some(alias) = known.as_ref().filter(|_| has_newest) {
                return Ok(alias.clone());
            }
            let Some(newest) = keys.first() else { break };
            let alias = known.unwrap_or_else(|| new.to_owned());
            let row = to_row(what, &Stored { alias: alias.clone() })?;
            match self.table.write(what, Write::create(newest.clone(), row), Returning::Nothing).await {
                Ok(_) => return Ok(alias),
                // Another call of the same principal's was first: its alias is the alias.
                Err(StoreError::Conflict(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Err(StoreError::NotFound(Failure::new("a principal's alias that was just put is not there")))
    }
}

#[derive(Serialize, Deserialize)]
struct Stored {
    alias: String,
}

/// The alias in a row.
///
/// # Errors
/// `Corrupt` for a row of another form.
pub fn read(row: Row) -> Result<String, StoreError> {
    read_row("read a principal's alias", row).map(|Stored { alias }| alias)
}

/// A row that is put once is there in the second round.
const ROUNDS: usize = 3;
/// Of no org: a customer's alias has one before the slash.
const ALIAS: &str = "ALIAS#/";
const SK: &str = "ALIAS";
