//! The row of a bronze object in the control table: whether it was begun, whether it is planned, how its events were
//! counted, and how much of its plan is committed. The ledger's own acts have such rows, too, under keys of their own:
//! transform's role, which writes those of bronze objects, writes none of these.
//!
//! Invariant: `startedAt` and the counts never change once they are set. `startedAt` is the processing time of everything
//! that becomes of the object, so that any run that computes it again, after a crash or beside another, computes the same.
//! transform, audit-write and sweep update the row in any order; none touches another's attributes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ledgerline_event::instant;
use ledgerline_lake::ObjectId;
use ledgerline_lake::keys::{PlanOf, plan_of};
use ledgerline_lake::plan::{Counts, Header};
use ledgerline_ledger::chunk::ChunkId;
use ledgerline_ledger::store::StoreError;
use serde::Deserialize;

use crate::table::{Condition, Key, Returning, Row, Scan, ScanPage, Table, Value, Write, corrupt, read_row};

/// The key of an object's row, or of an act's.
pub fn key(of: PlanOf, object: impl std::fmt::Display) -> Key {
    let (partition, row) = names(of);
    Key::new(format!("{partition}{object}"), row)
}

/// Whose row a key is.
pub fn parse_key(key: &Key) -> Option<(PlanOf, ObjectId)> {
    [PlanOf::Bronze, PlanOf::Acts].into_iter().find_map(|of| {
        let (partition, row) = names(of);
        Some((of, key.pk.strip_prefix(partition).filter(|_| key.sk == row)?.parse().ok()?))
    })
}

/// What partitions begin with, and the sort key.
fn names(of: PlanOf) -> (&'static str, &'static str) {
    match of {
        PlanOf::Bronze => ("OBJ#", "OBJ"),
        PlanOf::Acts => ("ACT#", "ACT"),
    }
}

/// What the row said when an object was taken up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opened {
    /// When the object was first taken up, RFC 3339.
    pub started_at: String,
    /// Whether this is not the first time: a plan may exist.
    pub again: bool,
    /// Whether the object is planned and all its pointers are sent: nothing is left to do.
    pub planned: bool,
    /// Whether any chunk of its plan is committed and counted.
    pub begun: bool,
    /// Whether all of them are.
    pub committed: bool,
}

/// An object's row, as far as it says whether the object is through.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Progress {
    /// When it was first taken up, epoch milliseconds.
    pub started_at_ms: Option<i64>,
    /// When it was planned, if it is.
    pub planned_at_ms: Option<i64>,
    /// What transform counted; zeros until it is planned.
    pub counts: Counts,
    /// Entries committed.
    pub committed: u64,
    /// Chunks planned.
    pub chunks: u64,
    /// Ordinals of committed chunks.
    pub done: BTreeSet<u32>,
    /// Chunks that were kept as poison: ordinal to entries.
    pub poisoned: BTreeMap<u32, u64>,
    /// The last turn that was taken for it.
    pub swept_at_ms: Option<i64>,
    /// How many turns were taken.
    pub turns: u32,
}

impl Progress {
    /// Whether a chunk's pointer may still do something.
    pub fn is_missing(&self, ordinal: u32) -> bool {
        !self.done.contains(&ordinal) && !self.poisoned.contains_key(&ordinal)
    }

    /// Whether what is not committed of the object was kept as poison.
    pub fn is_poisoned(&self) -> bool {
        let kept = self.poisoned.keys().filter(|ordinal| !self.done.contains(ordinal));
        !self.poisoned.is_empty() && (self.done.len() + kept.count()) as u64 >= self.chunks
    }
}

/// The sum of all objects' rows: `input = committed + filtered + duplicate + quarantined + in flight`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    /// Objects that have a row.
    pub objects: u64,
    /// Objects taken up and not planned yet.
    pub unplanned: u64,
    /// Events read.
    pub input: u64,
    /// Left out by the policy.
    pub filtered: u64,
    /// Claimed by another object.
    pub duplicate: u64,
    /// Set aside by transform.
    pub quarantined: u64,
    /// Planned for the ledger.
    pub planned: u64,
    /// In the ledger.
    pub committed: u64,
    /// Of what is in flight: kept as poison, so that it stays there until somebody repairs it.
    pub poisoned: u64,
}

impl Totals {
    /// Counts one more object.
    pub fn add(&mut self, row: &Progress) {
        let Progress { counts, committed, poisoned, planned_at_ms, .. } = row;
        self.objects += 1;
        self.unplanned += u64::from(planned_at_ms.is_none());
        self.input += counts.input;
        self.filtered += counts.filtered;
        self.duplicate += counts.duplicate;
        self.quarantined += counts.quarantined;
        self.planned += counts.planned;
        self.committed += committed;
        self.poisoned += poisoned.values().sum::<u64>();
    }

    /// Planned and not committed yet.
    pub fn in_flight(&self) -> u64 {
        self.planned.saturating_sub(self.committed)
    }

    /// Whether every event is accounted for: nothing lost, nothing doubled.
    pub fn balance(&self) -> bool {
        self.planned >= self.committed && self.input == self.planned + self.filtered + self.duplicate + self.quarantined
    }
}

/// The rows of all objects.
#[derive(Clone, Debug)]
pub struct ObjectRows {
    table: Arc<dyn Table>,
}

impl ObjectRows {
    /// Rows of the control table.
    pub fn new(table: Arc<dyn Table>) -> Self {
        Self { table }
    }

    /// Notes that the object is taken up, unless that is noted, and says what the row said before.
    ///
    /// # Errors
    /// The table's.
    pub async fn open(&self, object: ObjectId, object_key: &str, now: &str) -> Result<Opened, StoreError> {
        self.open_until(object, object_key, now, None).await
    }

    /// The same, of a row that goes at a time, epoch seconds, if there is one.
    ///
    /// # Errors
    /// The table's.
    pub async fn open_until(
        &self,
        object: ObjectId,
        object_key: &str,
        now: &str,
        expires_at_s: Option<i64>,
    ) -> Result<Opened, StoreError> {
        let write = Write::update(key(plan_of(object_key), object));
        let mut write = write.set_if_absent(KEY, object_key).set_if_absent(STARTED_AT, now);
        if let Some(expires_at_s) = expires_at_s {
            write = write.set_if_absent("ttl", expires_at_s);
        }
        let old = self.table.write(&format!("open the row of object {object}"), write, Returning::Before).await?;
        let started_at = match old.get(STARTED_AT) {
            Some(Value::S(started_at)) => started_at.clone(),
            _ => now.to_owned(),
        };
        let planned = old.get(STATUS) == Some(&Value::S(PLANNED.to_owned()));
        let done = match old.get(DONE) {
            Some(Value::Ns(done)) => done.len(),
            _ => 0,
        };
        let committed = planned && old.get(CHUNKS) == Some(&Value::N(done.to_string()));
        Ok(Opened { started_at, again: !old.is_empty(), planned, begun: done > 0, committed })
    }

    /// Notes that the object is planned, with its plan's counts. What audit-write has added stays.
    ///
    /// # Errors
    /// The table's.
    pub async fn planned(&self, plan: &Header, now: &str) -> Result<(), StoreError> {
        let Counts { input, filtered, duplicate, quarantined, planned } = plan.counts;
        let write = Write::update(key(plan.of(), plan.object))
            .set(KEY, &plan.key)
            .set(STATUS, PLANNED)
            .set_if_absent(PLANNED_AT, now)
            .set("in", input)
            .set("filtered", filtered)
            .set("duplicate", duplicate)
            .set("quarantined", quarantined)
            .set(PLANNED, planned)
            .set(CHUNKS, plan.chunks.len());
        let what = format!("mark object {} planned", plan.object);
        self.table.write(&what, write, Returning::Nothing).await.map(drop)
    }

    /// Adds a committed chunk to its object's counts, once. Repeating it changes nothing.
    ///
    /// # Errors
    /// The table's.
    pub async fn count_committed(&self, chunk: &ChunkId, count: u64) -> Result<(), StoreError> {
        let write = Write::update(key(chunk.of, &chunk.object))
            .add(COMMITTED, count)
            .add(DONE, Value::Ns(vec![chunk.ordinal.to_string()]))
            // What was poison and is committed after all was repaired.
            .remove(poison(chunk));
        // Counted before: by the run that crashed, or by another writer.
        self.unless_done(format!("count chunk {chunk}"), chunk, write).await
    }

    /// Notes that a chunk of so many entries was kept as poison, unless it is committed. Repeating it changes nothing;
    /// [`ObjectRows::count_committed`] takes it back.
    ///
    /// # Errors
    /// The table's.
    pub async fn mark_poison(&self, chunk: &ChunkId, count: u64) -> Result<(), StoreError> {
        let write = Write::update(key(chunk.of, &chunk.object)).set(poison(chunk), count);
        // Committed after all, by another writer.
        self.unless_done(format!("mark chunk {chunk} as poison"), chunk, write).await
    }

    /// The rows of these objects and acts, in their order.
    ///
    /// # Errors
    /// The table's; `Corrupt` for a row that does not read.
    pub async fn progress(&self, objects: &[(PlanOf, ObjectId)]) -> Result<Vec<Option<Progress>>, StoreError> {
        let keys: Vec<Key> = objects.iter().map(|(of, object)| key(*of, object)).collect();
        let rows = self.table.batch_get("read objects' rows", &keys).await?;
        rows.into_iter().map(|row| row.map(read_progress).transpose()).collect()
    }

    /// Takes the object's next turn: notes `now_ms` and one turn more, if the row's last turn is still `before`'s. `false`:
    /// another run took it.
    ///
    /// # Errors
    /// The table's.
    pub async fn take_turn(
        &self,
        object: ObjectId,
        object_key: &str,
        before: Option<i64>,
        now_ms: i64,
    ) -> Result<bool, StoreError> {
        let write = Write::update(key(plan_of(object_key), object))
            .set_if_absent(KEY, object_key)
            .set(SWEPT_AT, instant::to_rfc3339(now_ms))
            .add(TURNS, 1_u64)
            .when(Condition::equals_or_lacks(SWEPT_AT, before.map(instant::to_rfc3339)));
        match self.table.write(&format!("take a turn of object {object}"), write, Returning::Nothing).await {
            Ok(_) => Ok(true),
            Err(StoreError::Conflict(_)) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Adds up the rows of all objects and acts.
    ///
    /// # Errors
    /// The table's; `Corrupt` for a row that does not read.
    pub async fn totals(&self) -> Result<Totals, StoreError> {
        let (mut totals, mut after) = (Totals::default(), None);
        loop {
            let (rows, next) = self.page(after).await?;
            rows.iter().for_each(|(_, row)| totals.add(row));
            after = next;
            if after.is_none() {
                return Ok(totals);
            }
        }
    }

    /// One page of the rows of all objects and acts, behind the row `after`; with the row to go on behind.
    ///
    /// # Errors
    /// The table's; `Corrupt` for a row that does not read.
    pub async fn page(&self, after: Option<Key>) -> Result<(Vec<(Key, Progress)>, Option<Key>), StoreError> {
        let all = Scan::Partitions([PlanOf::Bronze, PlanOf::Acts].map(|of| names(of).0.to_owned()).into());
        let (rows, next): ScanPage = self.table.scan_page("read the objects' rows", &all, after).await?;
        let read = |(key, row)| Ok((key, read_progress(row)?));
        Ok((rows.into_iter().map(read).collect::<Result<_, StoreError>>()?, next))
    }

    async fn unless_done(&self, what: String, chunk: &ChunkId, write: Write) -> Result<(), StoreError> {
        let write = write.when(Condition::excludes(DONE, chunk.ordinal));
        match self.table.write(&what, write, Returning::Nothing).await {
            Ok(_) | Err(StoreError::Conflict(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

/// The attribute that holds how many entries of a chunk were kept as poison.
fn poison(chunk: &ChunkId) -> String {
    format!("{POISON}{}", chunk.ordinal)
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ProgressRow {
    started_at: Option<String>,
    planned_at: Option<String>,
    r#in: u64,
    filtered: u64,
    duplicate: u64,
    quarantined: u64,
    planned: u64,
    committed: u64,
    chunks: u64,
    done: BTreeSet<u32>,
    swept_at: Option<String>,
    turns: u32,
}

/// What a row says.
///
/// # Errors
/// `Corrupt` if one of its attributes is of another form.
pub fn read_progress(row: Row) -> Result<Progress, StoreError> {
    let poisoned = row.iter().filter_map(|(name, count)| {
        let ordinal = name.strip_prefix(POISON)?.parse().ok()?;
        let count = match count {
            Value::N(count) => count.parse().ok(),
            _ => None,
        };
        Some(count.map(|count| (ordinal, count)).ok_or_else(|| corrupt("an object's row counts no entries as poison")))
    });
    let poisoned = poisoned.collect::<Result<_, _>>()?;
    let row: ProgressRow = read_row("read an object's row", row)?;
    let time = |name: &str, at: Option<String>| match at {
        None => Ok(None),
        Some(at) => {
            let malformed = || corrupt(format!("an object's row has no readable {name}"));
            instant::parse(&at).map(Some).ok_or_else(malformed)
        }
    };
    Ok(Progress {
        started_at_ms: time(STARTED_AT, row.started_at)?,
        planned_at_ms: time(PLANNED_AT, row.planned_at)?,
        counts: Counts {
            input: row.r#in,
            filtered: row.filtered,
            duplicate: row.duplicate,
            quarantined: row.quarantined,
            planned: row.planned,
        },
        committed: row.committed,
        chunks: row.chunks,
        done: row.done,
        poisoned,
        swept_at_ms: time(SWEPT_AT, row.swept_at)?,
        turns: row.turns,
    })
}

const KEY: &str = "key";
const STARTED_AT: &str = "startedAt";
const STATUS: &str = "status";
const CHUNKS: &str = "chunks";
/// The status of a planned object, and the attribute that counts its planned entries.
const PLANNED: &str = "planned";
const PLANNED_AT: &str = "plannedAt";
const COMMITTED: &str = "committed";
const DONE: &str = "done";
const POISON: &str = "poison#";
const SWEPT_AT: &str = "sweptAt";
const TURNS: &str = "turns";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::IntoValue;

    #[test]
    fn a_row_reads_as_transform_audit_write_and_sweep_write_it() {
        let row = Row::from(
            [
                ("startedAt", "1970-01-01T00:00:01.000Z".into_value()),
                ("plannedAt", "1970-01-01T00:00:02.000Z".into_value()),
                ("planned", 5_u64.into_value()),
                ("committed", 3_u64.into_value()),
                ("done", Value::Ns(vec!["0".to_owned(), "2".to_owned()])),
                ("sweptAt", "1970-01-01T00:00:03.000Z".into_value()),
                ("turns", 1_u64.into_value()),
                ("chunks", 4_u64.into_value()),
                ("poison#3", 2_u64.into_value()),
            ]
            .map(|(name, value)| (name.to_owned(), value)),
        );
        let read = read_progress(row.clone()).unwrap();
        assert_eq!((read.started_at_ms, read.planned_at_ms, read.swept_at_ms), (Some(1000), Some(2000), Some(3000)));
        assert_eq!((read.counts.planned, read.committed, read.turns), (5, 3, 1));
        assert_eq!((read.done, read.poisoned, read.chunks), (BTreeSet::from([0, 2]), BTreeMap::from([(3, 2)]), 4));
        assert_eq!(read_progress(Row::new()).unwrap(), Progress::default());
        for (name, value) in [
            ("plannedAt", "x".into_value()),
            ("planned", "5".into_value()),
            ("done", 0_u64.into_value()),
            ("sweptAt", 0_u64.into_value()),
            ("plannedAt", Value::Null(true)),
            ("poison#3", "2".into_value()),
        ] {
            let mut row = row.clone();
            row.insert(name.to_owned(), value);
            assert!(matches!(read_progress(row), Err(StoreError::Corrupt(_))), "{name}");
        }
    }

    #[test]
    fn totals_balance_when_every_event_has_one_end() {
        let totals = Totals { input: 10, filtered: 2, duplicate: 1, planned: 7, committed: 5, ..Totals::default() };
        assert!(totals.balance());
        assert_eq!(totals.in_flight(), 2);
        assert!(!Totals { input: 11, ..totals }.balance());
        assert!(!Totals { committed: 8, ..totals }.balance());
    }
}
