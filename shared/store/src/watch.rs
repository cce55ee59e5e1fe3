//! What the scheduled verification remembers of a log, in the control table.
//!
//! Invariant: a memory is replaced only by a run that read it. The partition is its own, so that a role can be allowed to
//! write it and no head.

use std::sync::Arc;

use ledgerline_ledger::log::LogId;
use ledgerline_ledger::store::StoreError;
use serde::{Deserialize, Serialize};

use crate::table::{Condition, Key, Returning, Row, Table, Write, corrupt, read_row, to_row};

/// The key of a log's memory.
pub fn key(log: &LogId) -> Key {
    Key::new(format!("{WATCH}{log}"), "WATCH")
}

/// The log whose memory a key is of.
pub fn parse_key(key: &Key) -> Option<LogId> {
    LogId::parse(key.pk.strip_prefix(WATCH)?).ok()
}

/// A log as the last good run left it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Watched {
    /// Entries that were verified.
    pub size: u64,
    /// The signed checkpoint that the next run begins at, as it was stored.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checkpoint: Option<String>,
    /// The verification keys that counted for the log then: what the next run trusts, and nothing besides. Never empty.
    pub keys: Vec<String>,
    /// When this was found, in epoch milliseconds.
    #[serde(rename = "verifiedAt")]
    pub verified_at_ms: i64,
    /// When a source's entry was last seen to have come, in epoch milliseconds. The ledger's own acts are no sign of life.
    #[serde(rename = "grewAt")]
    pub grew_at_ms: i64,
    /// When the log was last found good by a look at all of it, in epoch milliseconds.
    #[serde(rename = "wholeAt", skip_serializing_if = "Option::is_none")]
    pub whole_at_ms: Option<i64>,
    /// When a run last came to the log and did not find it good to its end, in epoch milliseconds: the others go first.
    #[serde(rename = "triedAt", skip_serializing_if = "Option::is_none")]
    pub tried_at_ms: Option<i64>,
}

/// The memories of all logs.
#[derive(Clone, Debug)]
pub struct Watch {
    table: Arc<dyn Table>,
}

impl Watch {
    /// Rows of the control table.
    pub fn new(table: Arc<dyn Table>) -> Self {
        Self { table }
    }

    /// What the last good run left; `None` before the first.
    ///
    /// # Errors
    /// The table's; `Corrupt` for a row that does not read.
    pub async fn watched(&self, log: &LogId) -> Result<Option<Watched>, StoreError> {
        let row = self.table.get(&format!("read what was verified of {log}"), &key(log)).await?;
        row.map(read).transpose()
    }

    /// Replaces `before`.
    ///
    /// # Errors
    /// `Conflict`: another run did so meanwhile, and its word stands.
    pub async fn remember(&self, log: &LogId, before: Option<&Watched>, now: &Watched) -> Result<(), StoreError> {
        let what = format!("remember what was verified of {log}");
        let write = Write::put(key(log), to_row(&what, now)?);
        let write = write.when(match before {
            None => Condition::Absent,
            Some(before) => Condition::equals(VERIFIED_AT, before.verified_at_ms),
        });
        self.table.write(&what, write, Returning::Nothing).await.map(drop)
    }
}

/// The memory in a row.
///
/// # Errors
/// `Corrupt` if it has no keys: without them nothing of it could be checked, and that is not a reason to trust others.
pub fn read(row: Row) -> Result<Watched, StoreError> {
    let watched: Watched = read_row("read a row of verification", row)?;
    if watched.keys.is_empty() {
        return Err(corrupt("a row of verification has no list of keys"));
    }
    Ok(watched)
}

const WATCH: &str = "WATCH#";
const VERIFIED_AT: &str = "verifiedAt";
