//! Signatures of capture clients that were accepted, in the control table, so that none is accepted twice.
//!
//! Invariant: a row is there once the call that it signed was answered with good news. Left out: for how long a signature holds, which
//! its own time says; a row outlives it.

use std::sync::Arc;

use ledgerline_ledger::store::StoreError;

use crate::table::{IntoValue as _, Key, Returning, Row, Table, Write};

/// The key of a signature's row, by the client's id and the signature's digest, 64 hex digits.
pub fn key(client: &str, digest: &str) -> Key {
    Key::new(format!("{NONCE}{client}"), digest)
}

/// Whether a key is of a signature.
pub fn is_key(key: &Key) -> bool {
    key.pk.strip_prefix(NONCE).is_some_and(|client| !client.is_empty())
}

/// The signatures of all clients.
#[derive(Clone, Debug)]
pub struct Nonces {
    table: Arc<dyn Table>,
}

impl Nonces {
    /// Rows of the control table.
    pub fn new(table: Arc<dyn Table>) -> Self {
        Self { table }
    }

    /// Whether a signature was accepted before.
    ///
    /// # Errors
    /// The table's.
    pub async fn has(&self, client: &str, digest: &str) -> Result<bool, StoreError> {
        let row = self.table.get(&format!("look for a signature of {client}"), &key(client, digest)).await?;
        Ok(row.is_some())
    }

    /// Notes that a signature was accepted at `now_s`, epoch seconds; `false`: it was before, by another call.
    ///
    /// # Errors
    /// The table's.
    pub async fn note(&self, client: &str, digest: &str, now_s: i64) -> Result<bool, StoreError> {
        let row = Row::from([("ttl".to_owned(), (now_s + KEPT_S).into_value())]);
        let write = Write::create(key(client, digest), row);
        match self.table.write(&format!("note a signature of {client}"), write, Returning::Nothing).await {
            Ok(_) => Ok(true),
            Err(StoreError::Conflict(_)) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

const NONCE: &str = "NONCE#";
/// An hour: a signature holds for five minutes before and after its time.
const KEPT_S: i64 = 3_600;
