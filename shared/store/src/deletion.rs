//! Acts of deletion that are due, in the control table: which keys of a record an erasure destroys, and on which day that is recorded.
//!
//! | row | says |
//! |---|---|
//! | `DEL#<name>`, `DEL` | a record, and ids of keys of it that an erasure destroys |
//! | `POOL#<yyyy-mm-dd>`, `<name>` | that the act of this name is recorded on that day |
//! | `POOLED#<yyyy-mm-dd>`, `POOL` | the requests whose acts are recorded on it |
//!
//! A name is 64 hex digits, an HMAC under a key of the request's own: names of one request cannot be told from another's, so that their
//! order is a shuffle over all requests of a day.
//!
//! Invariant: a key's id stands in a row before the key is destroyed, and until the act that names it is planned. Rows are deleted behind
//! the plan. They name records, and nobody.

use std::collections::BTreeSet;
use std::sync::Arc;

use ledgerline_ledger::store::StoreError;
use serde::Deserialize;

use crate::erasing;
use crate::table::{Key, Query, Returning, Row, Table, Write, read_row};

/// The key of the row of an act that is due.
pub fn key(name: &str) -> Key {
    Key::new(format!("{DELETION}{name}"), SK)
}

/// The act whose row a key is.
pub fn parse_key(key: &Key) -> Option<&str> {
    key.pk.strip_prefix(DELETION).filter(|_| key.sk == SK)
}

/// The key of the row that says on which day, `yyyy-mm-dd`, an act is recorded.
pub fn pool_key(day: &str, name: &str) -> Key {
    Key::new(format!("{POOL}{day}"), name)
}

/// The day and the act of such a row.
pub fn parse_pool_key(key: &Key) -> Option<(&str, &str)> {
    Some((key.pk.strip_prefix(POOL)?, &key.sk))
}

/// The key of the row of the requests whose acts are recorded on a day.
pub fn pooled_key(day: &str) -> Key {
    Key::new(format!("{POOLED}{day}"), POOLED_SK)
}

/// The day whose row a key is.
pub fn parse_pooled_key(key: &Key) -> Option<&str> {
    key.pk.strip_prefix(POOLED).filter(|_| key.sk == POOLED_SK)
}

/// What stands where a request does in the `WAKE` row of a day's acts.
pub const WAKES_POOL: &str = "pool";

/// An act of deletion that is due.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Deletion {
    /// `<org>/<record>`.
    pub record: String,
    /// Ids of destroyed keys.
    pub key_ids: BTreeSet<String>,
}

/// The acts of deletion that are due.
#[derive(Debug, Clone)]
pub struct Deletions {
    control: Arc<dyn Table>,
}

impl Deletions {
    /// Rows of the control table.
    pub fn new(control: Arc<dyn Table>) -> Self {
        Self { control }
    }

    /// Notes of an act that it is due, and that it names these keys, beside those that it names already.
    ///
    /// # Errors
    /// The table's.
    pub async fn note(&self, name: &str, record: &str, key_ids: &BTreeSet<String>) -> Result<(), StoreError> {
        let mut write = Write::update(key(name)).set_if_absent(RECORD, record);
        if !key_ids.is_empty() {
            write = write.add(KEY_IDS, key_ids);
        }
        self.control.write("note an act of deletion", write, Returning::Nothing).await.map(drop)
    }

    /// These acts, in their order; `None` of one that is not due, or is planned. They are distinct.
    ///
    /// # Errors
    /// The table's; `Corrupt` for a row of another form.
    pub async fn of(&self, names: &[&str]) -> Result<Vec<Option<Deletion>>, StoreError> {
        let what = "read acts of deletion";
        let keys: Vec<Key> = names.iter().map(|name| key(name)).collect();
        let rows = self.control.batch_get(what, &keys).await?;
        rows.into_iter().map(|row| row.map(|row| read_row(what, row)).transpose()).collect()
    }

    /// Says that these acts are recorded on a day, `yyyy-mm-dd`, and that somebody is to do it then. They are distinct.
    ///
    /// # Errors
    /// The table's; of some it may be said then.
    pub async fn pool(&self, day: &str, names: &[&str]) -> Result<(), StoreError> {
        let what = "pool acts of deletion";
        let puts = names.iter().map(|name| Write::put(pool_key(day, name), Row::new())).collect();
        self.control.batch_write(what, puts).await?;
        let wake = Write::put(erasing::wake_key(&midnight(day), WAKES_POOL), Row::new());
        self.control.write(what, wake, Returning::Nothing).await.map(drop)
    }

    /// Counts a request among those whose acts are recorded on a day; the row goes at a time, epoch seconds.
    ///
    /// # Errors
    /// The table's.
    pub async fn join(&self, day: &str, request: &str, expires_at_s: i64) -> Result<(), StoreError> {
        let one = BTreeSet::from([request.to_owned()]);
        let write = Write::update(pooled_key(day)).add(REQUESTS, &one).set("ttl", expires_at_s);
        self.control.write("join a pool", write, Returning::Nothing).await.map(drop)
    }

    /// How many requests' acts are recorded on a day together with this one's; 1 if it is not among them.
    ///
    /// # Errors
    /// The table's; `Corrupt` for a row of another form.
    pub async fn pooled(&self, day: &str, request: &str) -> Result<u64, StoreError> {
        let what = "read a pool";
        let row = self.control.get(what, &pooled_key(day)).await?;
        let pooled: Option<Pooled> = row.map(|row| read_row(what, row)).transpose()?;
        let pooled = pooled.filter(|pooled| pooled.requests.contains(request));
        Ok(pooled.map_or(1, |pooled| pooled.requests.len() as u64))
    }

    /// Up to `limit` acts that are recorded on a day, by their names.
    ///
    /// # Errors
    /// The table's.
    pub async fn on(&self, day: &str, limit: usize) -> Result<Vec<String>, StoreError> {
        let query = Query { limit: Some(limit), ..Query::partition(format!("{POOL}{day}")) };
        let rows = self.control.query("list a day's acts of deletion", &query).await?;
        Ok(rows.into_iter().map(|(name, _)| name).collect())
    }

    /// These acts are planned. They are distinct; `day` is theirs if they were pooled.
    ///
    /// # Errors
    /// The table's; some may be due still then.
    pub async fn planned(&self, day: Option<&str>, names: &[&str]) -> Result<(), StoreError> {
        let what = "forget acts of deletion";
        let deletes = names.iter().map(|name| Write::delete(key(name))).collect();
        self.control.batch_write(what, deletes).await?;
        let Some(day) = day else { return Ok(()) };
        // The rows of the day last: as long as one is there, somebody comes by again.
        let deletes = names.iter().map(|name| Write::delete(pool_key(day, name))).collect();
        self.control.batch_write(what, deletes).await
    }
}

/// The beginning of a day.
pub fn midnight(day: &str) -> String {
    format!("{day}T00:00:00.000Z")
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Pooled {
    requests: BTreeSet<String>,
}

const DELETION: &str = "DEL#";
const SK: &str = "DEL";
const POOL: &str = "POOL#";
const POOLED: &str = "POOLED#";
const POOLED_SK: &str = "POOL";
const RECORD: &str = "record";
const KEY_IDS: &str = "keyIds";
const REQUESTS: &str = "requests";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_row_is_known_by_its_own_key_only() {
        let (act, day) = ("0a".repeat(32), "2026-03-02");
        let keys = [key(&act), pool_key(day, &act), pooled_key(day)];
        assert_eq!(keys.each_ref().map(|key| parse_key(key).is_some()), [true, false, false]);
        assert_eq!(keys.each_ref().map(|key| parse_pool_key(key).is_some()), [false, true, false]);
        assert_eq!(keys.each_ref().map(|key| parse_pooled_key(key).is_some()), [false, false, true]);
        assert_eq!(parse_pool_key(&keys[1]), Some((day, act.as_str())));
    }
}
