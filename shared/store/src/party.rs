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
use crate::record;
use crate::table::{Condition, Key, Row, Table, Write, corrupt, read_row};

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
}

impl Party {
    /// Whether it may have more subjects than it names: such a record is always shared.
    pub fn is_full(&self) -> bool {
        self.seen().is_full()
    }

    /// What a write that adds a subject depends on.
    pub fn seen(&self) -> PartySeen {
        PartySeen { subjects: self.subjects.len(), erasures: self.erasures, cutoff: self.cutoff }
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
}

impl PartySeen {
    /// Whether a new link adds nobody to the row.
    pub fn is_full(self) -> bool {
        self.subjects >= SUBJECTS_PER_RECORD
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

/// That no erasure took the record whole, in a transaction that does not write its row.
pub(crate) fn not_closed(record: &str) -> Write {
    Write::check(key(record), Condition::lacks(CUTOFF))
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
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Stored {
    subjects: BTreeSet<String>,
    erasures: u64,
    cutoff: Option<String>,
    pending_erase: BTreeSet<String>,
}

/// Who takes part, in a row.
///
/// # Errors
/// `Corrupt` for a row of another form.
pub fn read(row: Row) -> Result<Party, StoreError> {
    let Stored { subjects, erasures, cutoff, pending_erase } = read_row("read who takes part", row)?;
    let parse = |text: String| Cutoff::parse(&text).ok_or_else(|| corrupt("a record's cutoff is no time"));
    Ok(Party { subjects, erasures, cutoff: cutoff.map(parse).transpose()?, pending_erase })
}

const PARTY: &str = "PARTY";
const SUBJECTS: &str = "subjects";
const ERASURES: &str = "erasures";
const CUTOFF: &str = "cutoff";

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
        ]);
        let party =
            Party { subjects: texts("s_1"), erasures: 2, cutoff: Some(Cutoff::Closed), pending_erase: texts("s_2") };
        assert_eq!(read(row.clone()).unwrap(), party);
        for bad in ["".into_value(), "open".into_value(), Value::Bool(true)] {
            let row = row.clone().into_iter().chain([("cutoff".to_owned(), bad)]).collect();
            assert!(matches!(read(row), Err(StoreError::Corrupt(_))));
        }
    }
}
