//! The list of orgs in the control table: one partition, one row an org whose events name people.
//!
//! Invariant: an org's row is there before any row says of one of its identifiers whom it names, so that a question to all
//! orgs misses nobody. Never deleted. An erasure leaves it: an org is no person.

use std::sync::Arc;

use ledgerline_ledger::store::StoreError;

use crate::table::{Key, Query, Returning, Row, Table, Write};

/// The key of an org's row.
pub fn key(org: &str) -> Key {
    Key::new(ORGS, org)
}

/// The org whose row a key is of.
pub fn parse_key(key: &Key) -> Option<&str> {
    (key.pk == ORGS).then_some(&key.sk)
}

/// The orgs of one deployment.
#[derive(Clone, Debug)]
pub struct Orgs {
    table: Arc<dyn Table>,
}

impl Orgs {
    /// Rows of the control table.
    pub fn new(table: Arc<dyn Table>) -> Self {
        Self { table }
    }

    /// All orgs, in the order of their names.
    ///
    /// # Errors
    /// The table's.
    pub async fn all(&self) -> Result<Vec<String>, StoreError> {
        self.list(None).await
    }

    /// At most so many orgs, in the order of their names.
    ///
    /// # Errors
    /// The table's.
    pub async fn first(&self, limit: usize) -> Result<Vec<String>, StoreError> {
        self.list(Some(limit)).await
    }

    async fn list(&self, limit: Option<usize>) -> Result<Vec<String>, StoreError> {
        let query = Query { limit, ..Query::partition(ORGS) };
        let rows = self.table.query("list the orgs", &query).await?;
        Ok(rows.into_iter().map(|(org, _)| org).collect())
    }

    /// Whether an org is noted. Its name is in no error: anybody may ask for one.
    ///
    /// # Errors
    /// The table's.
    pub async fn has(&self, org: &str) -> Result<bool, StoreError> {
        // Of all that begin like it, it is the first. Whoever lists the partition may ask this, too.
        let query = Query { limit: Some(1), ..Query::partition(ORGS).beginning(org) };
        let rows = self.table.query("look for an org", &query).await?;
        Ok(rows.first().is_some_and(|(found, _)| found == org))
    }

    /// Notes an org, unless it is noted.
    ///
    /// # Errors
    /// The table's.
    pub async fn note(&self, org: &str) -> Result<(), StoreError> {
        let write = Write::create(key(org), Row::new());
        match self.table.write(&format!("note the org {org}"), write, Returning::Nothing).await {
            // Conflict: it is noted, as is wanted.
            Ok(_) | Err(StoreError::Conflict(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

const ORGS: &str = "ORGS";
