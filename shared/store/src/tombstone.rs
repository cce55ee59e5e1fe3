//! Tombstones in the control table: a person's pseudonym in an org, and up to when events that carry it are suppressed.
//!
//! Invariant: a tombstone has a row under every version of the suppression key, and none says who it is for: its name is
//! an HMAC. The larger cutoff wins. Readers look at the ttl themselves, as DynamoDB deletes rows days after it. An erasure
//! writes them; they go by their ttl, once no copy is left from which one of the person's events could be sent again.

use std::collections::BTreeMap;
use std::sync::Arc;

use ledgerline_ledger::store::{Failure, StoreError};
use ledgerline_privacy::SuppressionRing;
use serde::{Deserialize, Serialize};

use crate::cutoff::Cutoff;
use crate::table::{Beside, Condition, Key, Row, Table, Write, corrupt, read_row, to_row};

/// The key of a tombstone, by its name under one version of the suppression key.
pub fn key(name: &str) -> Key {
    Key::new(format!("{TOMB}{name}"), SK)
}

/// Whether a key is of a tombstone.
pub fn is_key(key: &Key) -> bool {
    key.pk.starts_with(TOMB) && key.sk == SK
}

/// What was read of one pseudonym's tombstones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suppression {
    /// One row under each version of the suppression key.
    rows: Vec<(Key, Option<Tomb>)>,
}

impl Suppression {
    /// How many rows a transaction checks for it: one under each version of the suppression key.
    pub fn rows(&self) -> usize {
        self.rows.len()
    }

    /// The largest cutoff that is in force at `now_ms`.
    pub fn cutoff(&self, now_ms: i64) -> Option<Cutoff> {
        let tombs = self.rows.iter().filter_map(|(_, tomb)| tomb.as_ref());
        tombs.filter(|tomb| now_ms < tomb.ttl.saturating_mul(1_000)).map(|tomb| tomb.cutoff).max().map(Cutoff::At)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Tomb {
    cutoff: i64,
    ttl: i64,
}

/// The tombstones of one deployment.
#[derive(Clone, Debug)]
pub struct Tombs {
    table: Arc<dyn Table>,
}

impl Tombs {
    /// Rows of the control table.
    pub fn new(table: Arc<dyn Table>) -> Self {
        Self { table }
    }

    /// What suppresses these, each an org and a pseudonym, in their order. They are distinct.
    ///
    /// # Errors
    /// The table's; `Corrupt` for a row that is not a tombstone.
    pub async fn read(&self, ring: &SuppressionRing, whom: &[(&str, &str)]) -> Result<Vec<Suppression>, StoreError> {
        let names = whom.iter().flat_map(|(org, pseudonym)| ring.tombstones(org, pseudonym));
        let keys: Vec<Key> = names.map(|name| key(&name)).collect();
        let rows = self.table.batch_get("read tombstones", &keys).await?;
        let rows = rows.into_iter().map(|row| row.map(read).transpose()).collect::<Result<Vec<_>, _>>()?;
        let mut rows = keys.into_iter().zip(rows);
        Ok(whom.iter().map(|_| Suppression { rows: rows.by_ref().take(ring.versions()).collect() }).collect())
    }

    /// What a transaction checks so that nothing has changed in these since they were read: 100 rows hold the transaction's
    /// own writes and one row for each version of the suppression key.
    pub fn unchanged<'s>(&self, seen: impl IntoIterator<Item = &'s Suppression>) -> Beside {
        let check = |(key, tomb): &(Key, Option<Tomb>)| Write::check(key.clone(), as_seen(*tomb));
        let writes = seen.into_iter().flat_map(|seen| seen.rows.iter().map(check)).collect();
        Beside { table: Arc::clone(&self.table), writes }
    }

    /// Whether no tombstone was put, moved on or taken away since these were read.
    ///
    /// # Errors
    /// The table's; `Corrupt` for a row that is not a tombstone.
    pub async fn are_as_seen<'s>(&self, seen: impl IntoIterator<Item = &'s Suppression>) -> Result<bool, StoreError> {
        let cutoff = |tomb: Tomb| tomb.cutoff;
        let rows = seen.into_iter().flat_map(|seen| &seen.rows);
        let seen: BTreeMap<&Key, Option<i64>> = rows.map(|(key, tomb)| (key, tomb.map(cutoff))).collect();
        let keys: Vec<Key> = seen.keys().copied().cloned().collect();
        let now = self.table.batch_get("read tombstones again", &keys).await?;
        let now = now.into_iter().map(|row| Ok(row.map(read).transpose()?.map(cutoff)));
        Ok(now.collect::<Result<Vec<_>, StoreError>>()?.iter().eq(seen.values()))
    }

    /// Suppresses an org's events that carry the pseudonym, up to `cutoff_ms`, epoch milliseconds, until `expires_at_s`. Of
    /// two cutoffs, and of two such ends, the larger one stays.
    ///
    /// # Errors
    /// The table's; `Conflict` if others keep putting tombstones of this pseudonym.
    pub async fn put(
        &self,
        ring: &SuppressionRing,
        org: &str,
        pseudonym: &str,
        cutoff_ms: i64,
        expires_at_s: i64,
    ) -> Result<(), StoreError> {
        let what = "put a tombstone";
        for _ in 0..ROUNDS {
            let mut writes = Vec::new();
            for Suppression { rows } in self.read(ring, &[(org, pseudonym)]).await? {
                for (key, seen) in rows {
                    let old = seen.unwrap_or(Tomb { cutoff: i64::MIN, ttl: i64::MIN });
                    let new = Tomb { cutoff: old.cutoff.max(cutoff_ms), ttl: old.ttl.max(expires_at_s) };
                    if seen != Some(new) {
                        let row = Stored { cutoff: Cutoff::At(new.cutoff).to_text(), ttl: new.ttl };
                        writes.push(Write::put(key, to_row(what, &row)?).when(as_seen(seen)));
                    }
                }
            }
            if writes.is_empty() {
                return Ok(());
            }
            match self.table.transact(what, writes, Vec::new()).await {
                Err(StoreError::Conflict(_)) => {}
                done => return done,
            }
        }
        Err(StoreError::Conflict(Failure::new(format!("{what}: others wrote {ROUNDS} times"))))
    }
}

/// The condition that a row is as it was seen: there is none, or it has the same cutoff. The ttl is not compared: it is the cutoff and the
/// longest life of a copy, so that every erasure moves both on, and a row that DynamoDB deleted is seen to be missing.
fn as_seen(tomb: Option<Tomb>) -> Condition {
    match tomb {
        None => Condition::Absent,
        Some(tomb) => Condition::equals(CUTOFF, Cutoff::At(tomb.cutoff).to_text()),
    }
}

#[derive(Serialize, Deserialize)]
struct Stored {
    cutoff: String,
    ttl: i64,
}

fn read(row: Row) -> Result<Tomb, StoreError> {
    let Stored { cutoff, ttl } = read_row("read a tombstone", row)?;
    match Cutoff::parse(&cutoff) {
        Some(Cutoff::At(cutoff)) => Ok(Tomb { cutoff, ttl }),
        // A tombstone that is not understood must not be taken for none.
        _ => Err(corrupt("a tombstone's cutoff is no time")),
    }
}

/// How often a put reads again: two erasures of one person at once are rare, and the second round settles them.
const ROUNDS: usize = 8;
const TOMB: &str = "TOMB#";
const SK: &str = "TOMB";
const CUTOFF: &str = "cutoff";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::IntoValue;

    #[test]
    fn a_tombstone_is_in_force_up_to_its_ttl_and_the_larger_cutoff_wins() {
        let tomb = |cutoff, ttl| (key("a"), Some(Tomb { cutoff, ttl }));
        let cutoff = |rows: &[(Key, Option<Tomb>)]| Suppression { rows: rows.to_vec() }.cutoff(9_999);
        assert_eq!(cutoff(&[(key("a"), None)]), None);
        assert_eq!(cutoff(&[tomb(7, 9)]), None, "expired, and not deleted yet");
        assert_eq!(cutoff(&[tomb(7, 10)]), Some(Cutoff::At(7)));
        assert_eq!(cutoff(&[tomb(7, 10), tomb(8, 10), tomb(9, 9), (key("b"), None)]), Some(Cutoff::At(8)));
    }

    #[test]
    fn what_is_not_a_tombstone_is_not_taken_for_none() {
        let row = |cutoff: &str| {
            Row::from([("cutoff".to_owned(), cutoff.into_value()), ("ttl".to_owned(), 9_i64.into_value())])
        };
        assert_eq!(read(row("1970-01-01T00:00:00.007Z")).unwrap(), Tomb { cutoff: 7, ttl: 9 });
        for bad in ["", "closed", "1970-01-01"] {
            assert!(matches!(read(row(bad)), Err(StoreError::Corrupt(_))), "{bad}");
        }
        assert!(matches!(read(Row::new()), Err(StoreError::Corrupt(_))));
    }
}
