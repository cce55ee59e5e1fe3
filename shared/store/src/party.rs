//! Who takes part in a record, in the keys table: the way back from the record to its subjects, and what erasures did to it.
//!
//! Invariant: a subject takes part from the transaction on that links it to the record, and is added only while erasures and cutoff
//! are as they were read: no link escapes an erasure that looks for it here, and a run that read them before an erasure links nobody
//! after it. An erasure counts itself, sets the cutoff of a record that goes whole, and takes its subject out.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ledgerline_ledger::store::StoreError;
use serde::Deserialize;

use crate::cutoff::Cutoff;
use crate::table::{Beside, Condition, Key, Returning, Row, Table, Write, corrupt, read_row};
use crate::{held, record};

/// The key of a record's row.
pub fn key(record: &str) -> Key {
    Key::new(record::partition(record), PARTY)
}

/// The record whose row a key is of.
pub fn parse_key(key: &Key) -> Option<&str> {
    record::parse_partition(&key.pk).filter(|_| key.sk == PARTY)
}

/// Subjects that a record's row names at most: at some 40 bytes each 40 KB, so that the rows of one transaction, which each new subject
/// rewrites, stay far below its 4 MB. Beyond it none is added; runs at once may add some more before they see it.
pub const SUBJECTS_PER_RECORD: usize = 1_000;

/// A record's row; [`Party::default`] where there is none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Party {
    /// The subjects that take part.
    pub subjects: BTreeSet<String>,
    /// How many erasures reached the record.
    pub erasures: u64,
    /// Up to when its events are suppressed, if all of it was erased.
    pub cutoff: Option<Cutoff>,
    /// Subjects that are to be erased from it once no hold is on it.
    pub pending_erase: BTreeSet<String>,
    /// Up to when they are.
    pub pending_until: Option<Cutoff>,
    /// What the acts of that erasure are named by: 64 random hex digits, once it was begun.
    pub pending_act: Option<String>,
    /// Whether it was full before an erasure took a subject out: it may still have more subjects than it names.
    pub full: bool,
}

impl Party {
    /// That nothing was put off since, or done of it.
    fn pends(&self) -> Condition {
        Condition::All(vec![
            Condition::size(PENDING, self.pending_erase.len()),
            Condition::equals_or_lacks(PENDING_UNTIL, self.pending_until.map(Cutoff::to_text)),
        ])
    }

    /// Whether it may have more subjects than it names: such a record is always shared.
    pub fn is_full(&self) -> bool {
        self.seen().is_full()
    }

    /// What a write that adds a subject depends on.
    pub fn seen(&self) -> PartySeen {
        PartySeen { subjects: self.subjects.len(), erasures: self.erasures, cutoff: self.cutoff, full: self.full }
    }
}

/// What a run saw of a record's row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PartySeen {
    /// How many subjects it named.
    pub subjects: usize,
    /// How many erasures had reached the record.
    pub erasures: u64,
    /// Up to when its events were suppressed.
    pub cutoff: Option<Cutoff>,
    /// Whether it was full once.
    pub full: bool,
}

/// How an erasure reaches a record.
#[derive(Clone, Copy, Debug)]
pub struct Reach<'a> {
    /// The subjects that it takes out, of those that take part.
    pub take: &'a BTreeSet<String>,
    /// Up to when the record's events are suppressed from now on, if all of it goes; an earlier cutoff than the row's changes nothing.
    pub cutoff: Option<Cutoff>,
}

impl PartySeen {
    /// Whether a new link adds nobody to the row.
    pub fn is_full(self) -> bool {
        self.full || self.subjects >= SUBJECTS_PER_RECORD
    }

    /// That no erasure reached the record since.
    fn holds(self) -> Condition {
        let erasures = Some(self.erasures).filter(|erasures| *erasures > 0);
        Condition::All(vec![
            Condition::equals_or_lacks(ERASURES, erasures),
            Condition::equals_or_lacks(CUTOFF, self.cutoff.map(Cutoff::to_text)),
        ])
    }

    /// Whether no erasure reached the record since; others may have come to take part.
    fn is_of(self, now: &Party) -> bool {
        (self.erasures, self.cutoff) == (now.erasures, now.cutoff)
    }
}

/// The write that a new link to the record makes beside itself: it adds the subject, and fails if an erasure reached the record
/// since. A link to a full one has none, and asks nothing: such a record is shared, and never erased whole.
pub(crate) fn joined(record: &str, seen: PartySeen, subject_id: &str) -> Write {
    let subject = BTreeSet::from([subject_id.to_owned()]);
    Write::update(key(record)).add(SUBJECTS, &subject).when(seen.holds())
}

/// That no erasure reached the record since, in a transaction that does not write its row.
pub(crate) fn unchanged(record: &str, seen: PartySeen) -> Write {
    Write::check(key(record), seen.holds())
}

/// The rows of all records.
#[derive(Clone, Debug)]
pub struct Parties {
    table: Arc<dyn Table>,
}

impl Parties {
    /// Rows of the keys table.
    pub fn new(table: Arc<dyn Table>) -> Self {
        Self { table }
    }

    /// The rows of these records, each `<org>/<record>`, in their order. They are distinct.
    ///
    /// # Errors
    /// The table's; `Corrupt` for a row of another form.
    pub async fn read(&self, records: &[&str]) -> Result<Vec<Party>, StoreError> {
        let keys: Vec<Key> = records.iter().map(|record| key(record)).collect();
        let rows = self.table.batch_get("read who takes part", &keys).await?;
        rows.into_iter().map(|row| row.map_or_else(|| Ok(Party::default()), read)).collect()
    }

    /// Whether no erasure reached any of these records since their rows were seen.
    ///
    /// # Errors
    /// The table's.
    pub async fn are_as_seen(&self, seen: &BTreeMap<&str, PartySeen>) -> Result<bool, StoreError> {
        let records: Vec<&str> = seen.keys().copied().collect();
        let now = self.read(&records).await?;
        Ok(seen.values().zip(&now).all(|(seen, now)| seen.is_of(now)))
    }

    /// Lets an erasure reach a record on which no hold is, by `control`'s rows: it is counted, its subjects are out, and what comes up to
    /// the cutoff is suppressed.
    ///
    /// # Errors
    /// `Conflict` if a hold is on it, or the row is not as it was seen: read again.
    pub async fn reach(
        &self,
        control: &Arc<dyn Table>,
        record: &str,
        seen: &Party,
        reach: &Reach<'_>,
    ) -> Result<(), StoreError> {
        let mut write = Write::update(key(record))
            .add(ERASURES, 1_u64)
            .when(Condition::size(SUBJECTS, seen.subjects.len()))
            .when(seen.seen().holds());
        let taken: BTreeSet<String> = seen.subjects.intersection(reach.take).cloned().collect();
        if !taken.is_empty() {
            write = write.take(SUBJECTS, &taken);
            if seen.is_full() {
                write = write.set(FULL, true);
            }
        }
        if let Some(cutoff) = reach.cutoff.filter(|cutoff| seen.cutoff.is_none_or(|old| old < *cutoff)) {
            write = write.set(CUTOFF, cutoff.to_text());
        }
        let beside =
            Beside { table: Arc::clone(control), writes: vec![Write::check(held::key(record), held::not_held())] };
        self.table.transact("reach a record", vec![write], vec![beside]).await
    }

    /// Puts the erasure of these subjects from a record, up to `until`, off until no hold is on it any more; of two such ends the larger
    /// one counts. `own` may be empty, of a record that was listed.
    ///
    /// # Errors
    /// `Conflict` if no hold is on it, or the row is not as it was seen: read again.
    pub async fn postpone(
        &self,
        control: &Arc<dyn Table>,
        record: &str,
        seen: &Party,
        own: &BTreeSet<String>,
        until: Cutoff,
    ) -> Result<(), StoreError> {
        let until = seen.pending_until.map_or(until, |old| old.max(until));
        let mut write = Write::update(key(record)).set(PENDING_UNTIL, until.to_text()).when(seen.pends());
        if !own.is_empty() {
            write = write.add(PENDING, own);
        }
        let beside =
            Beside { table: Arc::clone(control), writes: vec![Write::check(held::key(record), held::is_held())] };
        self.table.transact("put an erasure off", vec![write], vec![beside]).await
    }

    /// Notes what the acts of what was put off are named by, 64 random hex digits, unless that is noted; what holds.
    ///
    /// # Errors
    /// The table's; `Conflict` if nothing is put off any more.
    pub async fn name_act(&self, record: &str, drawn: &str) -> Result<String, StoreError> {
        let what = "name the acts of what was put off";
        let write = Write::update(key(record)).set_if_absent(PENDING_ACT, drawn).when(Condition::has(PENDING_UNTIL));
        let row = read(self.table.write(what, write, Returning::After).await?)?;
        row.pending_act.ok_or_else(|| corrupt(what))
    }

    /// What was put off is done.
    ///
    /// # Errors
    /// `Conflict` if more was put off since the row was seen: read again.
    pub async fn postponed_done(&self, record: &str, seen: &Party) -> Result<(), StoreError> {
        let write =
            Write::update(key(record)).remove(PENDING).remove(PENDING_UNTIL).remove(PENDING_ACT).when(seen.pends());
        self.table.write("end what was put off", write, Returning::Nothing).await.map(drop)
    }
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Stored {
    subjects: BTreeSet<String>,
    erasures: u64,
    cutoff: Option<String>,
    pending_erase: BTreeSet<String>,
    pending_until: Option<String>,
    pending_act: Option<String>,
    full: bool,
}

/// Who takes part, in a row.
///
/// # Errors
/// `Corrupt` for a row of another form.
pub fn read(row: Row) -> Result<Party, StoreError> {
    let Stored { subjects, erasures, cutoff, pending_erase, pending_until, pending_act, full } =
        read_row("read who takes part", row)?;
    let parse = |text: String| Cutoff::parse(&text).ok_or_else(|| corrupt("a record's cutoff is no time"));
    let (cutoff, pending_until) = (cutoff.map(parse).transpose()?, pending_until.map(parse).transpose()?);
    Ok(Party { subjects, erasures, cutoff, pending_erase, pending_until, pending_act, full })
}

/// The row's place in its partition; what those of keys begin with.
pub(crate) const PARTY: &str = "PARTY";
const SUBJECTS: &str = "subjects";
const ERASURES: &str = "erasures";
const CUTOFF: &str = "cutoff";
const PENDING: &str = "pendingErase";
const PENDING_UNTIL: &str = "pendingUntil";
const PENDING_ACT: &str = "pendingAct";
const FULL: &str = "full";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::{IntoValue as _, Value};

    #[test]
    fn a_row_is_read_as_it_is_written_and_each_attribute_may_be_missing() {
        assert_eq!(read(Row::new()).unwrap(), Party::default());
        let texts = |text: &str| BTreeSet::from([text.to_owned()]);
        let row = Row::from([
            ("subjects".to_owned(), (&texts("s_1")).into_value()),
            ("erasures".to_owned(), 2_u64.into_value()),
            ("cutoff".to_owned(), "closed".into_value()),
            ("pendingErase".to_owned(), (&texts("s_2")).into_value()),
            ("pendingUntil".to_owned(), "1970-01-01T00:00:00.007Z".into_value()),
            ("pendingAct".to_owned(), "0a".into_value()),
            ("full".to_owned(), true.into_value()),
        ]);
        let party = Party {
            subjects: texts("s_1"),
            erasures: 2,
            cutoff: Some(Cutoff::Closed),
            pending_erase: texts("s_2"),
            pending_until: Some(Cutoff::At(7)),
            pending_act: Some("0a".to_owned()),
            full: true,
        };
        assert_eq!(read(row.clone()).unwrap(), party);
        for bad in ["".into_value(), "open".into_value(), Value::Bool(true)] {
            let row = row.clone().into_iter().chain([("cutoff".to_owned(), bad)]).collect();
            assert!(matches!(read(row), Err(StoreError::Corrupt(_))));
        }
    }
}
