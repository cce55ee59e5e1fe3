//! Erasures under way, in the control table: how far each has come, who carries it on, and when somebody is to wake it.
//!
//! | row | says |
//! |---|---|
//! | `REQ#<request>`, `ERASE` | up to when the request erases, the saga's position, the lease, what is counted |
//! | `WAKE`, `<time>#<request>` | that the request is to be looked at from this time on |
//!
//! Invariant: whoever moves an erasure on holds its lease, and its row is written only while that is so. A request has one `WAKE` row at
//! most, at the place that its `ERASE` row names: the two change in one transaction. Neither holds anything of a person; an erasure
//! leaves the one and deletes the other.

use std::sync::Arc;

use ledgerline_event::instant;
use ledgerline_ledger::store::{Failure, StoreError};
use ledgerline_saga::Position;
use serde::{Deserialize, Serialize};

use crate::request;
use crate::table::{Condition, Key, Query, Returning, Row, Table, Write, corrupt, read_row, to_row, to_value};

/// The key of an erasure's row.
pub fn key(request: &str) -> Key {
    Key::new(request::partition(request), SK)
}

/// The request whose erasure's row a key is of.
pub fn parse_key(key: &Key) -> Option<&str> {
    request::parse_partition(&key.pk).filter(|_| key.sk == SK)
}

/// The key of the row that says when a request is to be looked at, RFC 3339 UTC with three decimals.
pub fn wake_key(at: &str, request: &str) -> Key {
    Key::new(WAKE, format!("{at}#{request}"))
}

/// The time and the request of such a row.
pub fn parse_wake_key(key: &Key) -> Option<(&str, &str)> {
    (key.pk == WAKE).then(|| key.sk.split_once('#'))?
}

/// An erasure under way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Erasing {
    /// Up to when it erases, epoch milliseconds: when it began. It never changes.
    pub cutoff_ms: i64,
    /// How far it has come.
    pub position: Position,
    /// Who carries it on.
    pub lease: Option<Lease>,
    /// When somebody is to look at it again, RFC 3339 UTC with three decimals: the place of its `WAKE` row. Empty: there is none.
    pub wake: String,
    /// The day, `yyyy-mm-dd`, that its records are counted into, once they are.
    pub counted: Option<String>,
    /// What it found and did.
    pub counts: Counts,
    /// The day, `yyyy-mm-dd`, on which its acts of deletion are recorded, once that is set.
    pub pool: Option<String>,
    /// When all was read back, RFC 3339.
    pub read_back: Option<String>,
    /// Its certificate, once that is written.
    pub certificate: Option<request::Certificate>,
}

/// A lease of an erasure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// Whose it is: random hex digits.
    pub by: String,
    /// Until when, epoch milliseconds.
    pub until_ms: i64,
}

/// What an erasure found and did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Counts {
    /// Records that the person has part in.
    pub records: u64,
    /// Of these, such that another customer has part in, too.
    pub shared: u64,
    /// Of these, such that a hold is on.
    pub held: u64,
    /// Bronze objects that were rewritten.
    pub objects: u64,
    /// Lines that were taken out of them.
    pub lines: u64,
    /// Rows of silver whose values were taken out.
    pub silver_rows: u64,
    /// Keys that were destroyed.
    pub keys: u64,
    /// Links that were deleted.
    pub links: u64,
    /// Objects that are not planned yet, which it waits for.
    pub waiting: u64,
    /// Objects that it waited for too long.
    pub waiting_given_up: u64,
}

/// The rows of all erasures.
#[derive(Debug, Clone)]
pub struct ErasingRows {
    control: Arc<dyn Table>,
}

impl ErasingRows {
    /// Rows of the control table.
    pub fn new(control: Arc<dyn Table>) -> Self {
        Self { control }
    }

    /// A request's erasure; `None` before it begins.
    ///
    /// # Errors
    /// The table's; `Corrupt` for a row of another form.
    pub async fn read(&self, id: &str) -> Result<Option<Erasing>, StoreError> {
        let row = self.control.get(&format!("read the erasure of {id}"), &key(id)).await?;
        row.map(read).transpose()
    }

    /// Takes the lease, if nobody has one at `now_ms`, for `by` until `until_ms`; the erasure with it. `None`: somebody has it, or was
    /// faster.
    ///
    /// # Errors
    /// The table's.
    pub async fn take(
        &self,
        id: &str,
        seen: &Erasing,
        by: &str,
        until_ms: i64,
        now_ms: i64,
    ) -> Result<Option<Erasing>, StoreError> {
        if seen.lease.as_ref().is_some_and(|lease| now_ms <= lease.until_ms) {
            return Ok(None);
        }
        let until = instant::to_rfc3339(until_ms);
        let write = Write::update(key(id)).set(LEASE, by).set(LEASE_UNTIL, &until).when(Condition::Exists);
        let before = seen.lease.as_ref();
        let write = write
            .when(Condition::equals_or_lacks(LEASE, before.map(|lease| &lease.by)))
            .when(Condition::equals_or_lacks(LEASE_UNTIL, before.map(|lease| instant::to_rfc3339(lease.until_ms))));
        match self.control.write(&format!("take the lease of {id}"), write, Returning::After).await {
            Ok(row) => read(row).map(Some),
            Err(StoreError::Conflict(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Moves the erasure on from `held`, whose lease is the caller's, to `next`, and its `WAKE` row with it. `false`: the lease is
    /// somebody else's, or the request was woken since, and nothing was saved. A `next` without a lease gives it back.
    ///
    /// # Errors
    /// The table's.
    pub async fn save(&self, id: &str, held: &Erasing, next: &Erasing) -> Result<bool, StoreError> {
        let what = format!("move the erasure of {id} on");
        for _ in 0..ROUNDS {
            let mut writes = vec![saving(id, held, next)?];
            writes.extend(moving(id, &held.wake, &next.wake));
            let outcome = match writes.len() {
                1 => self.control.write(&what, writes.remove(0), Returning::Nothing).await.map(drop),
                _ => self.control.transact(&what, writes, Vec::new()).await,
            };
            match outcome {
                Ok(()) => return Ok(true),
                // Another transaction holds one of the rows for a moment, or the lease is lost.
                Err(StoreError::Conflict(_)) => {
                    let now = self.read(id).await?;
                    if !now.is_some_and(|now| now.wake == held.wake && is_of(&now, held)) {
                        return Ok(false);
                    }
                }
                Err(error) => return Err(error),
            }
        }
        Err(StoreError::Conflict(Failure::new(format!("{what}: others wrote {ROUNDS} times"))))
    }
}

/// Whether a row's lease is still the one that is held.
pub(crate) fn is_of(now: &Erasing, held: &Erasing) -> bool {
    let by = |erasing: &Erasing| erasing.lease.as_ref().map(|lease| lease.by.clone());
    now.lease.is_some() && by(now) == by(held)
}

/// The write of a new erasure's row, in a transaction with the request's.
pub(crate) fn beginning(id: &str, new: &Erasing) -> Result<Write, StoreError> {
    let stored = Stored::of(new);
    Ok(Write::create(key(id), to_row("begin an erasure", &stored)?))
}

/// The write that moves a row on under the lease that is held.
pub(crate) fn saving(id: &str, held: &Erasing, next: &Erasing) -> Result<Write, StoreError> {
    let what = "move an erasure on";
    let by = held.lease.as_ref().map(|lease| lease.by.as_str());
    let by = by.ok_or_else(|| corrupt(format!("{what}: without a lease")))?;
    let mut row = to_row(what, &Stored::of(next))?;
    let write = Write::update(key(id))
        .when(Condition::equals(LEASE, by))
        .when(Condition::equals_or_lacks(WAKE_AT, Some(&held.wake).filter(|wake| !wake.is_empty())));
    let write = OPTIONAL.iter().filter(|name| !row.contains_key(**name)).fold(write, |write, name| write.remove(*name));
    for fixed in ["v", CUTOFF] {
        row.remove(fixed);
    }
    Ok(row.into_iter().fold(write, |write, (name, value)| write.set(name, value)))
}

/// The write that marks an erasure's records as counted into a day, under the lease that is held.
pub(crate) fn counting(id: &str, held: &Erasing, day: &str) -> Result<Write, StoreError> {
    let by = held.lease.as_ref().map(|lease| lease.by.as_str());
    let by = by.ok_or_else(|| corrupt("count an erasure: without a lease"))?;
    let write = Write::update(key(id)).set(COUNTED, to_value("count an erasure", &day)?);
    Ok(write.when(Condition::equals(LEASE, by)).when(Condition::lacks(COUNTED)))
}

/// The write that says in a request's row where its `WAKE` row was put by somebody without a lease.
pub(crate) fn woken(id: &str, at: &str) -> Write {
    Write::update(key(id)).set(WAKE_AT, at).when(Condition::Exists)
}

/// The writes that move a `WAKE` row from one time to another; an empty one is no place.
pub(crate) fn moving(id: &str, from: &str, to: &str) -> Vec<Write> {
    if from == to {
        return Vec::new();
    }
    let old = (!from.is_empty()).then(|| Write::delete(wake_key(from, id)));
    let new = (!to.is_empty()).then(|| Write::put(wake_key(to, id), Row::new()));
    old.into_iter().chain(new).collect()
}

/// The `WAKE` rows of all requests.
#[derive(Debug, Clone)]
pub struct Wakes {
    control: Arc<dyn Table>,
}

impl Wakes {
    /// Rows of the control table.
    pub fn new(control: Arc<dyn Table>) -> Self {
        Self { control }
    }

    /// Up to `limit` requests that are to be looked at by `now`, RFC 3339 UTC with three decimals, the longest due first: since when each is,
    /// and the request, or what stands for a day's acts of deletion ([`crate::deletion::WAKES_POOL`]).
    ///
    /// # Errors
    /// The table's.
    pub async fn due(&self, now: &str, limit: usize) -> Result<Vec<(String, String)>, StoreError> {
        let query = Query { limit: Some(limit), ..Query::partition(WAKE) };
        let rows = self.control.query("look for requests that are due", &query).await?;
        let due = rows.iter().filter_map(|(place, _)| place.split_once('#')).take_while(|(at, _)| *at <= now);
        Ok(due.map(|(at, id)| (at.to_owned(), id.to_owned())).collect())
    }

    /// Looks at a request no more: it is closed, and nobody will move its row.
    ///
    /// # Errors
    /// The table's.
    pub async fn remove(&self, id: &str, at: &str) -> Result<(), StoreError> {
        let write = Write::delete(wake_key(at, id));
        self.control.write(&format!("look at {id} no more"), write, Returning::Nothing).await.map(drop)
    }
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Stored {
    v: u32,
    cutoff: String,
    step: String,
    pass: u32,
    cursor: u64,
    backs: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    lease: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lease_until: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    wait_until: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    wake: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    counted: Option<String>,
    counts: Counts,
    #[serde(skip_serializing_if = "Option::is_none")]
    pool: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    read_back: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    certificate: Option<request::Certificate>,
}

impl Stored {
    fn of(erasing: &Erasing) -> Self {
        let Erasing { cutoff_ms, position, lease, wake, counted, counts, pool, read_back, certificate } =
            erasing.clone();
        let Position { step, pass, cursor, wait_until_ms, reason, backs } = position;
        let (by, until_ms) = lease.map(|lease| (lease.by, lease.until_ms)).unzip();
        Self {
            v: 1,
            cutoff: instant::to_rfc3339(cutoff_ms),
            step,
            pass,
            cursor,
            backs,
            lease: by,
            lease_until: until_ms.map(instant::to_rfc3339),
            wait_until: wait_until_ms.map(instant::to_rfc3339),
            reason,
            wake: Some(wake).filter(|wake| !wake.is_empty()),
            counted,
            counts,
            pool,
            read_back,
            certificate,
        }
    }
}

/// The erasure in a row.
///
/// # Errors
/// `Corrupt` for a row of another form.
pub fn read(row: Row) -> Result<Erasing, StoreError> {
    let stored: Stored = read_row("read an erasure", row)?;
    let time = |text: &str| instant::parse(text).ok_or_else(|| corrupt("a time of an erasure does not read"));
    let lease = match (stored.lease, stored.lease_until) {
        (Some(by), Some(until)) => Some(Lease { by, until_ms: time(&until)? }),
        (None, None) => None,
        _ => return Err(corrupt("an erasure has a part of a lease")),
    };
    let position = Position {
        step: stored.step,
        pass: stored.pass,
        cursor: stored.cursor,
        wait_until_ms: stored.wait_until.as_deref().map(time).transpose()?,
        reason: stored.reason,
        backs: stored.backs,
    };
    Ok(Erasing {
        cutoff_ms: time(&stored.cutoff)?,
        position,
        lease,
        wake: stored.wake.unwrap_or_default(),
        counted: stored.counted,
        counts: stored.counts,
        pool: stored.pool,
        read_back: stored.read_back,
        certificate: stored.certificate,
    })
}

const SK: &str = "ERASE";
const WAKE: &str = "WAKE";
const CUTOFF: &str = "cutoff";
const LEASE: &str = "lease";
const LEASE_UNTIL: &str = "leaseUntil";
const WAKE_AT: &str = "wake";
const COUNTED: &str = "counted";
/// What a row may have no more. What it is counted into stays: that is never taken back.
const OPTIONAL: [&str; 5] = [LEASE, LEASE_UNTIL, "waitUntil", "reason", WAKE_AT];
/// How often a save is tried that another transaction is in the way of.
const ROUNDS: usize = 5;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_read_as_it_is_written_with_and_without_what_it_may_lack() {
        let bare = Erasing {
            cutoff_ms: 1_772_460_000_350,
            position: Position::at("tombs"),
            lease: None,
            wake: String::new(),
            counted: None,
            counts: Counts::default(),
            pool: None,
            read_back: None,
            certificate: None,
        };
        let whole = Erasing {
            position: Position {
                step: "settle".to_owned(),
                pass: 2,
                cursor: 7,
                wait_until_ms: Some(9),
                reason: Some("drain".to_owned()),
                backs: 1,
            },
            lease: Some(Lease { by: "ab".to_owned(), until_ms: 8 }),
            wake: "1970-01-01T00:00:00.009Z".to_owned(),
            counted: Some("2026-03-02".to_owned()),
            counts: Counts { records: 1, shared: 2, waiting_given_up: 3, ..Counts::default() },
            pool: Some("2026-03-03".to_owned()),
            read_back: Some("2026-03-02T15:00:00.000Z".to_owned()),
            certificate: Some(request::Certificate {
                id: "0a".to_owned(),
                sha256: "0b".to_owned(),
                until: "2026-04-02T15:00:00.000Z".to_owned(),
            }),
            ..bare.clone()
        };
        for erasing in [bare, whole] {
            let row = to_row("", &Stored::of(&erasing)).unwrap();
            assert_eq!(read(row.clone()).unwrap(), erasing);
            let half = row.into_iter().chain([(LEASE.to_owned(), crate::table::IntoValue::into_value("x"))]);
            let is_half = erasing.lease.is_none();
            assert_eq!(read(half.collect()).is_err(), is_half);
        }
    }

    #[test]
    fn a_wake_row_is_moved_and_an_empty_time_is_no_place() {
        let keys = |from, to| moving("req_1", from, to).into_iter().map(|write| write.key.sk).collect::<Vec<_>>();
        assert_eq!(keys("a", "b"), ["a#req_1", "b#req_1"]);
        assert_eq!((keys("", "b"), keys("a", "")), (vec!["b#req_1".to_owned()], vec!["a#req_1".to_owned()]));
        assert!(keys("a", "a").is_empty() && keys("", "").is_empty());
        assert_eq!(parse_wake_key(&wake_key("a", "req_1")), Some(("a", "req_1")));
    }
}
