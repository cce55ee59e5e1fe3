//! What the company's CRM says of its customers, for silver: in the keys table a row for each identifier, or record, that a CRM names
//! a customer by; in the control table the orgs that have such rows, and by which kinds.
//!
//! Invariant: a row is put only while nothing suppresses whom it is about: no tombstone of the identifier's is in force, the record was
//! not erased whole. So nothing is kept of somebody who was erased. What stands in a row passed the policy. An erasure deletes the rows
//! of the person's identifiers, and a record's with the content that all people of the record share.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ledgerline_ledger::store::StoreError;
use ledgerline_privacy::Kind;
use serde::{Deserialize, Serialize};

use crate::party;
use crate::table::{Beside, Key, Returning, Row, Table, Write, read_row, to_row};

/// Whom a row is about, in an org.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CrmName {
    /// An identifier, by its pseudonym.
    Pseudonym(String),
    /// A record, by its id, which names no person.
    Record(String),
}

/// The key of a row.
pub fn key(org: &str, name: &CrmName) -> Key {
    let (name, sk) = match name {
        CrmName::Pseudonym(pseudonym) => (pseudonym, OF_IDENTIFIER),
        CrmName::Record(id) => (id, OF_RECORD),
    };
    Key::new(format!("{CRM}{org}/{name}"), sk)
}

/// The org and the name whose row a key is of.
pub fn parse_key(key: &Key) -> Option<(&str, CrmName)> {
    let (org, name) = key.pk.strip_prefix(CRM)?.split_once('/')?;
    let name = match key.sk.as_str() {
        OF_IDENTIFIER => CrmName::Pseudonym(name.to_owned()),
        OF_RECORD => CrmName::Record(name.to_owned()),
        _ => return None,
    };
    Some((org, name))
}

/// The key of the row that says that an org has others.
pub fn org_key(org: &str) -> Key {
    Key::new(CRMS, org)
}

/// Whether a key is of such a row.
pub fn is_org_key(key: &Key) -> bool {
    key.pk == CRMS
}

/// What a CRM says of a customer: words of the policy's list, and an owner who may be a pseudonym.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CrmRow {
    /// The customer's tier.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tier: Option<String>,
    /// What the customer has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub product: Option<String>,
    /// Who looks after the account.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
}

/// What a CRM names customers by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CrmKind {
    /// An identifier of this kind.
    Identifier(Kind),
    /// The record's id, such as the `contact_id` of a contact's row.
    Record,
}

impl CrmKind {
    /// The label: the kind of identifier's, or `record`.
    pub fn label(self) -> &'static str {
        match self {
            Self::Identifier(kind) => kind.label(),
            Self::Record => "record",
        }
    }
}

/// A row to be put.
#[derive(Clone, Debug)]
pub struct CrmPut {
    /// Whom it is about.
    pub name: CrmName,
    /// What is said.
    pub row: CrmRow,
}

/// The rows of all orgs.
#[derive(Clone, Debug)]
pub struct CrmRows {
    table: Arc<dyn Table>,
}

impl CrmRows {
    /// Rows of the keys table.
    pub fn new(table: Arc<dyn Table>) -> Self {
        Self { table }
    }

    /// What is said of these, each an org and a name, of those of whom anything is.
    ///
    /// # Errors
    /// The table's; `Corrupt` for a row of another form.
    pub async fn read<'n>(
        &self,
        names: &BTreeSet<(&'n str, CrmName)>,
    ) -> Result<BTreeMap<(&'n str, CrmName), CrmRow>, StoreError> {
        let keys: Vec<Key> = names.iter().map(|(org, name)| key(org, name)).collect();
        let rows = self.table.batch_get("read what a CRM says", &keys).await?;
        let found = names.iter().zip(rows).filter_map(|(name, row)| Some((name, row?)));
        found.map(|((org, name), row)| Ok(((*org, name.clone()), read(row)?))).collect()
    }

    /// Puts these rows of an org in the place of what is there, in one transaction with the tombstones `unchanged`; those of records only
    /// where no erasure took the record whole. They are of distinct names. No error says whose they were.
    ///
    /// # Errors
    /// `Conflict` if a tombstone was put meanwhile or a record was erased: read again.
    pub async fn put(&self, org: &str, rows: &[CrmPut], unchanged: Beside) -> Result<(), StoreError> {
        let mut writes = Vec::with_capacity(2 * rows.len());
        for CrmPut { name, row } in rows {
            writes.push(Write::put(key(org, name), to_row("what a CRM says", row)?));
            if let CrmName::Record(id) = name {
                writes.push(party::not_closed(&format!("{org}/{id}")));
            }
        }
        self.table.transact("put what a CRM says", writes, vec![unchanged]).await
    }

    /// Deletes the rows of these, each an org and a name, where there are any: after what keeps a new one from being put, a tombstone or
    /// the record's end.
    ///
    /// # Errors
    /// The table's; some may be deleted then.
    pub async fn delete(&self, names: &BTreeSet<(&str, CrmName)>) -> Result<(), StoreError> {
        let deletes = names.iter().map(|(org, name)| Write::delete(key(org, name))).collect();
        self.table.batch_write("delete what a CRM says", deletes).await
    }
}

/// How many rows of a transaction a row of this name takes, `tombstones` of which are checked for it.
pub fn rows_of_put(name: &CrmName, tombstones: usize) -> usize {
    match name {
        CrmName::Pseudonym(_) => 1 + tombstones,
        CrmName::Record(_) => 2,
    }
}

/// The orgs that have rows.
#[derive(Clone, Debug)]
pub struct CrmOrgs {
    table: Arc<dyn Table>,
}

impl CrmOrgs {
    /// Rows of the control table.
    pub fn new(table: Arc<dyn Table>) -> Self {
        Self { table }
    }

    /// By which kinds the org's CRM names customers, as [`CrmKind::label`] spells them; by none if the org has no rows.
    ///
    /// # Errors
    /// The table's; `Corrupt` for a row of another form.
    pub async fn kinds(&self, org: &str) -> Result<BTreeSet<String>, StoreError> {
        let row = self.table.get("read by what a CRM names", &org_key(org)).await?;
        let read = |row| read_row("read by what a CRM names", row).map(|OrgRow { kinds }| kinds);
        row.map_or_else(|| Ok(BTreeSet::new()), read)
    }

    /// Notes that the org has rows by these kinds, of which there is one at least. Before the first such row is put.
    ///
    /// # Errors
    /// The table's.
    pub async fn note(&self, org: &str, kinds: &BTreeSet<String>) -> Result<(), StoreError> {
        let write = Write::update(org_key(org)).add(KINDS, kinds);
        self.table.write("note by what a CRM names", write, Returning::Nothing).await.map(drop)
    }
}

#[derive(Deserialize)]
struct OrgRow {
    kinds: BTreeSet<String>,
}

/// What a CRM says, in a row.
///
/// # Errors
/// `Corrupt` for a row of another form.
pub fn read(row: Row) -> Result<CrmRow, StoreError> {
    read_row("read what a CRM says", row)
}

const CRM: &str = "CRM#";
const OF_IDENTIFIER: &str = "CRM";
const OF_RECORD: &str = "RECORD";
const CRMS: &str = "CRMS";
const KINDS: &str = "kinds";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::Value;

    #[test]
    fn a_key_is_read_as_it_is_written_and_a_record_is_told_from_a_pseudonym() {
        let pseudonym = format!("p1_{}", "0f".repeat(32));
        let names = [CrmName::Pseudonym(pseudonym.clone()), CrmName::Record(pseudonym), CrmName::Record("a/b".into())];
        for name in &names {
            assert_eq!(parse_key(&key("acme", name)), Some(("acme", name.clone())));
        }
        assert_ne!(key("acme", &names[0]), key("acme", &names[1]), "a record may be called as a pseudonym is");
        for other in [Key::new("CRM#acme", "CRM"), Key::new("CRM#acme/x", "STATE"), org_key("acme")] {
            assert_eq!(parse_key(&other), None, "{other}");
        }
        assert!(is_org_key(&org_key("acme")) && !is_org_key(&key("acme", &names[0])));
    }

    #[test]
    fn what_is_not_said_is_no_attribute() {
        let row = CrmRow { tier: Some("Gold".into()), ..CrmRow::default() };
        let stored = to_row("", &row).unwrap();
        assert_eq!(stored.keys().collect::<Vec<_>>(), ["tier"]);
        assert_eq!(read(stored.clone()).unwrap(), row);
        assert_eq!(read(Row::new()).unwrap(), CrmRow::default());
        let bad = stored.into_iter().chain([("owner".to_owned(), Value::Bool(true))]).collect();
        assert!(matches!(read(bad), Err(StoreError::Corrupt(_))));
    }

    #[test]
    fn a_record_takes_a_row_and_the_check_of_its_erasure() {
        assert_eq!(rows_of_put(&CrmName::Record("c-1".into()), 6), 2);
        assert_eq!(rows_of_put(&CrmName::Pseudonym("p1_0".into()), 6), 7);
    }
}
