//! The lists of the company's own numbers, addresses and domains, in the control table: one partition an org.
//!
//! Invariant: a row is made once, changed only from the state that the change names, and never deleted. The partition is
//! the lists' own, so that a role can be allowed to read it and nothing else.

use std::sync::Arc;

use ledgerline_ledger::store::StoreError;
use ledgerline_privacy::{Kind, Pseudonym};
use serde::Deserialize;

use crate::table::{Condition, Key, Query, Returning, Row, Table, Write, corrupt, read_row};

/// The key of an item's row in an org's list.
pub fn key(org: &str, name: &OwnName) -> Key {
    Key::new(format!("{OWN}{org}"), name.to_key())
}

/// The org in whose list a key is.
pub fn parse_key(key: &Key) -> Option<&str> {
    key.pk.strip_prefix(OWN)
}

/// What a row is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum OwnName {
    /// A number, an address or an account, by its pseudonym.
    Identifier(Kind, Pseudonym),
    /// All e-mail addresses of a domain, lower case.
    Domain(String),
}

impl OwnName {
    /// The row's sort key: `<kind>#<pseudonym>` or `domain#<domain>`.
    pub fn to_key(&self) -> String {
        format!("{}#{}", self.kind(), self.name())
    }

    /// Reads a sort key.
    pub fn parse(key: &str) -> Option<Self> {
        let (kind, name) = key.split_once('#')?;
        if kind == DOMAIN {
            return Some(Self::Domain(name.to_owned()));
        }
        let kind = Kind::of_label(kind)?;
        Pseudonym::parse(name).map(|name| Self::Identifier(kind, name))
    }

    /// `phone`, `email`…, or `domain`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Identifier(kind, _) => kind.label(),
            Self::Domain(_) => DOMAIN,
        }
    }

    /// The pseudonym or the domain.
    pub fn name(&self) -> &str {
        match self {
            Self::Identifier(_, pseudonym) => pseudonym.as_str(),
            Self::Domain(domain) => domain,
        }
    }
}

/// A row of an org's list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnRow {
    /// What it is about.
    pub name: OwnName,
    /// When it came on the list first, RFC 3339.
    pub added_at: String,
    /// Since when it is not in force any more; absent while it is.
    pub removed_at: Option<String>,
    /// It was removed once and added again: between the two it could name a customer.
    pub formerly: bool,
}

/// What is done to a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// There is no such row: one is made.
    Add,
    /// It was removed: it is in force again, and `formerly` keeps that it was not.
    Restore,
    /// It is in force: it is removed.
    Remove,
}

/// The lists of all orgs.
#[derive(Clone, Debug)]
pub struct OwnNumbers {
    table: Arc<dyn Table>,
}

impl OwnNumbers {
    /// Rows of the control table.
    pub fn new(table: Arc<dyn Table>) -> Self {
        Self { table }
    }

    /// All rows of an org's list, removed ones too.
    ///
    /// # Errors
    /// The table's; `Corrupt` for a row that names nothing.
    pub async fn of(&self, org: &str) -> Result<Vec<OwnRow>, StoreError> {
        let query = Query::partition(format!("{OWN}{org}"));
        let rows = self.table.query(&format!("read the own numbers of {org}"), &query).await?;
        rows.into_iter().map(|(sk, row)| read(&sk, row)).collect()
    }

    /// Carries a change out, if the row is as the change expects it. `now` is RFC 3339.
    ///
    /// # Errors
    /// `Conflict` if another hand changed the row meanwhile.
    pub async fn change(&self, org: &str, name: &OwnName, change: Change, now: &str) -> Result<(), StoreError> {
        let write = Write::update(key(org, name));
        let write = match change {
            Change::Add => write.set(ADDED_AT, now).when(Condition::Absent),
            Change::Restore => write.set("formerly", true).remove(REMOVED_AT).when(Condition::has(REMOVED_AT)),
            Change::Remove => write.set(REMOVED_AT, now).when(Condition::Exists).when(Condition::lacks(REMOVED_AT)),
        };
        self.table.write(&format!("change the own numbers of {org}"), write, Returning::Nothing).await.map(drop)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct OwnNumberRow {
    added_at: String,
    removed_at: Option<String>,
    #[serde(default)]
    formerly: bool,
}

fn read(sk: &str, row: Row) -> Result<OwnRow, StoreError> {
    let name = OwnName::parse(sk).ok_or_else(|| corrupt("a row of own numbers names nothing"))?;
    let OwnNumberRow { added_at, removed_at, formerly } = read_row("read a row of own numbers", row)?;
    Ok(OwnRow { name, added_at, removed_at, formerly })
}

const OWN: &str = "OWN#";
const ADDED_AT: &str = "addedAt";
const REMOVED_AT: &str = "removedAt";
/// What a domain's row has for a kind. No kind of identifier is called so.
const DOMAIN: &str = "domain";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::IntoValue;

    #[test]
    fn a_row_is_read_as_it_was_written() {
        let name = OwnName::Domain("example.com".to_owned());
        let sk = name.to_key();
        let mut row = Row::new();
        assert!(matches!(read(&sk, row.clone()), Err(StoreError::Corrupt(_))), "no time");
        row.insert("addedAt".to_owned(), "a".into_value());
        let added = OwnRow { name, added_at: "a".to_owned(), removed_at: None, formerly: false };
        assert_eq!(read(&sk, row.clone()).unwrap(), added);
        row.insert("formerly".to_owned(), true.into_value());
        row.insert("removedAt".to_owned(), "b".into_value());
        let removed = OwnRow { removed_at: Some("b".to_owned()), formerly: true, ..added };
        assert_eq!(read(&sk, row.clone()).unwrap(), removed);
        assert!(matches!(read("phone#+15555550100", row.clone()), Err(StoreError::Corrupt(_))), "a number in clear");
        row.insert("removedAt".to_owned(), true.into_value());
        assert!(matches!(read(&sk, row), Err(StoreError::Corrupt(_))), "what was removed must not come back in force");
    }
}
