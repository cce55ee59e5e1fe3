//! Aliases in the keys table: what stands in a record's id for the id of a person.
//!
//! Invariant: an alias is random, so that nothing leads from it to the person but its rows, and none is made for somebody
//! whose tombstone was planted meanwhile. The way back from an alias to the pseudonyms that it lies under is written with it.
//!
//! An erasure says that the alias is gone before it deletes anything: a row whose alias is gone counts as none and is replaced, and a
//! run that looked the alias up before finds it gone at its gate. Then it deletes the rows of the alias's names that have it still,
//! since one that was replaced is another alias's, and the names last.

use std::collections::BTreeSet;
use std::sync::Arc;

use ledgerline_ledger::store::StoreError;
use serde::{Deserialize, Serialize};

use crate::table::{Beside, Condition, IntoValue as _, Key, Returning, Row, Table, Write, read_row, to_row};

/// The key of a pseudonym's row in an org.
pub fn key(org: &str, pseudonym: &str) -> Key {
    Key::new(format!("{ALIAS}{org}/{pseudonym}"), SK)
}

/// The org and the pseudonym whose row a key is of.
pub fn parse_key(key: &Key) -> Option<(&str, &str)> {
    key.pk.strip_prefix(ALIAS).filter(|_| key.sk == SK)?.split_once('/').filter(|(org, _)| !org.is_empty())
}

/// The key of an alias's names.
pub fn names_key(org: &str, alias: &str) -> Key {
    Key::new(format!("{ALIAS}{org}/{alias}"), NAMES_SK)
}

/// The org and the alias whose names a key is of.
pub fn parse_names_key(key: &Key) -> Option<(&str, &str)> {
    key.pk.strip_prefix(ALIAS).filter(|_| key.sk == NAMES_SK)?.split_once('/')
}

/// An alias of random bytes: `x_` and 32 hex digits.
pub fn of_random(random: [u8; 16]) -> String {
    format!("x_{:032x}", u128::from_be_bytes(random))
}

/// The aliases of all people whose ids name records.
#[derive(Clone, Debug)]
pub struct Aliases {
    table: Arc<dyn Table>,
}

impl Aliases {
    /// Rows of the keys table.
    pub fn new(table: Arc<dyn Table>) -> Self {
        Self { table }
    }

    /// The aliases of these, each an org and a pseudonym, in their order, gone ones too. They are distinct.
    ///
    /// # Errors
    /// The table's.
    pub async fn read(&self, whom: &[(&str, &str)]) -> Result<Vec<Option<String>>, StoreError> {
        let keys: Vec<Key> = whom.iter().map(|(org, pseudonym)| key(org, pseudonym)).collect();
        let rows = self.table.batch_get("read aliases", &keys).await?;
        rows.into_iter().map(|row| row.map(read).transpose()).collect()
    }

    /// Gives a new alias to somebody of `org`, under each of these pseudonyms, which has none or the one that is gone, while the
    /// tombstones `unchanged` are as they were read.
    ///
    /// # Errors
    /// `Conflict` if another run gave one, or a tombstone was planted: read again.
    pub async fn give(
        &self,
        org: &str,
        names: &[(&str, Option<&str>)],
        alias: &str,
        unchanged: Beside,
    ) -> Result<(), StoreError> {
        // An alias in an error would stand in a log for a person who was erased.
        let what = "give an alias";
        let row = to_row(what, &Stored { alias: alias.to_owned() })?;
        let write = |(pseudonym, gone): &(&str, Option<&str>)| {
            let write = Write::put(key(org, pseudonym), row.clone());
            write.when(gone.map_or(Condition::Absent, |gone| Condition::equals(ATTRIBUTE, gone)))
        };
        let pseudonyms: BTreeSet<String> = names.iter().map(|(pseudonym, _)| (*pseudonym).to_owned()).collect();
        let row = Row::from([(NAMES.to_owned(), (&pseudonyms).into_value())]);
        let back = Write::put(names_key(org, alias), row).when(Condition::Absent);
        self.table.transact(what, names.iter().map(write).chain([back]).collect(), vec![unchanged]).await
    }

    /// The pseudonyms that an org's alias lies under; none once they are deleted.
    ///
    /// # Errors
    /// The table's; `Corrupt` for a row of another form.
    pub async fn names(&self, org: &str, alias: &str) -> Result<BTreeSet<String>, StoreError> {
        let row = self.table.get("read an alias's names", &names_key(org, alias)).await?;
        Ok(row.map(read_names).transpose()?.unwrap_or_default())
    }

    /// Deletes an alias that is gone: its rows under these names, as long as they have it, and then the names.
    ///
    /// # Errors
    /// The table's; some may be deleted then, and the names are there still.
    pub async fn delete(&self, org: &str, alias: &str, names: &BTreeSet<String>) -> Result<(), StoreError> {
        let what = "delete an alias";
        for pseudonym in names {
            let key = key(org, pseudonym);
            let delete = Write::delete(key.clone()).when(Condition::equals(ATTRIBUTE, alias));
            match self.table.write(what, delete, Returning::Nothing).await {
                Ok(_) => {}
                // There is none, or another alias's, which whoever was faster gave.
                Err(StoreError::Conflict(_)) if self.alias_at(&key).await?.as_deref() != Some(alias) => {}
                Err(error) => return Err(error),
            }
        }
        self.table.batch_write(what, vec![Write::delete(names_key(org, alias))]).await
    }

    async fn alias_at(&self, key: &Key) -> Result<Option<String>, StoreError> {
        self.table.get("read an alias", key).await?.map(read).transpose()
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
    read_row("read an alias", row).map(|Stored { alias }| alias)
}

/// The pseudonyms in a row of an alias's names.
///
/// # Errors
/// `Corrupt` for a row of another form.
pub fn read_names(row: Row) -> Result<BTreeSet<String>, StoreError> {
    read_row("read an alias's names", row).map(|Names { names }| names)
}

#[derive(Deserialize)]
struct Names {
    names: BTreeSet<String>,
}

const ALIAS: &str = "ALIAS#";
const SK: &str = "ALIAS";
const NAMES_SK: &str = "NAMES";
const NAMES: &str = "names";
const ATTRIBUTE: &str = "alias";

#[cfg(test)]
mod tests {
    use ledgerline_privacy::pseudonym::is_alias;

    use super::*;

    #[test]
    fn an_alias_of_random_bytes_has_an_aliass_form() {
        let alias = of_random([0xAB; 16]);
        assert!(is_alias(&alias) && is_alias(&of_random([0; 16])));
        assert_eq!(alias, format!("x_{}", "ab".repeat(16)));
    }
}
