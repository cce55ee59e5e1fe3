//! What tests ask of the fake tables, in the product's own terms; and what they play of other hands. None of it is a call of
//! the product's: nothing is counted and no fault strikes.

use std::collections::BTreeMap;

use ledgerline_event::instant;
use ledgerline_lake::keys::PlanOf;
use ledgerline_ledger::append::Marker;
use ledgerline_ledger::head::StoredHead;
use ledgerline_ledger::log::LogId;
use ledgerline_ledger::posting::Posting;
use ledgerline_store::cutoff::Cutoff;
use ledgerline_store::object_row::Progress;
use ledgerline_store::party::{self, Party};
use ledgerline_store::record::HoldingObject;
use ledgerline_store::subject::SubjectState;
use ledgerline_store::table::{IntoValue as _, Key};
use ledgerline_store::{claim, head, object_row, planned, posting, record, subject};

use crate::table::FakeTable;

/// The control table.
impl FakeTable {
    /// The names of all logs that have a head.
    pub fn logs(&self) -> Vec<LogId> {
        self.look(|rows| rows.keys().filter_map(head::parse_head_key).collect())
    }

    /// A log's head.
    pub fn stored_head(&self, log: &LogId) -> Option<StoredHead> {
        self.peek(&head::head_key(log)).map(|row| head::read_head(row).expect("a head"))
    }

    /// All markers of a log.
    pub fn all_markers(&self, log: &LogId) -> Vec<Marker> {
        self.look(|rows| {
            let markers = rows.iter().filter_map(|(key, row)| Some((head::parse_marker_key(key)?, row)));
            let of_log = markers.filter(|((of, _), _)| of == log);
            of_log.map(|((_, chunk), row)| head::read_marker(chunk, row.clone()).expect("a marker")).collect()
        })
    }

    /// What the row of an object or an act says; of one without a row, what an empty one does.
    pub fn progress(&self, of: PlanOf, object: &str) -> Progress {
        let row = self.peek(&object_row::key(of, object)).unwrap_or_default();
        object_row::read_progress(row).expect("an object's row")
    }

    /// What is counted as committed for a bronze object: the number of entries, and the ordinals of its chunks.
    pub fn counted(&self, object: &str) -> (u64, Vec<u32>) {
        let progress = self.progress(PlanOf::Bronze, object);
        (progress.committed, progress.done.into_iter().collect())
    }

    /// Entries of a bronze object's chunks that were kept as poison.
    pub fn poisoned(&self, object: &str) -> u64 {
        self.progress(PlanOf::Bronze, object).poisoned.values().sum()
    }

    /// All bronze objects and acts that have a row.
    pub fn objects(&self) -> Vec<(PlanOf, String)> {
        self.look(|rows| {
            let named = rows.keys().filter_map(object_row::parse_key);
            named.map(|(of, object)| (of, object.to_hex())).collect()
        })
    }

    /// Writes how far bronze is planned as sweep would, or removes it.
    pub fn set_planned_through(&self, through_ms: Option<i64>) {
        self.tamper(|rows| rows.remove(&planned::key()));
        if let Some(at_ms) = through_ms {
            let text = instant::to_rfc3339(at_ms).into_value();
            self.change(&planned::key(), |row| drop(row.insert("through".to_owned(), text)));
        }
    }
}

/// The index table.
impl FakeTable {
    /// The owner of every claimed event: claim id to object id.
    ///
    /// # Panics
    /// If an event was claimed in two rows: one event, one hour.
    pub fn owners(&self) -> BTreeMap<String, String> {
        self.look(|rows| {
            let mut owners = BTreeMap::new();
            for (event, owner) in rows.iter().flat_map(|(key, row)| claim::owners(key, row)) {
                let clash = owners.insert(event.to_owned(), owner.to_owned());
                assert_eq!(clash, None, "event {event} has two claims");
            }
            owners
        })
    }

    /// The log that a record is pinned to.
    pub fn pin(&self, record: &str) -> Option<LogId> {
        self.peek(&record::pin_key(record)).map(|row| record::read_pin(row).expect("a pin"))
    }

    /// How many lines about a record an object is noted to hold.
    pub fn bronze_lines(&self, record: &str, object: &str) -> Option<u64> {
        self.bronze_row(record, object).map(|row| row.lines)
    }

    /// What an object is noted to hold about a record.
    pub fn bronze_row(&self, record: &str, object: &str) -> Option<HoldingObject> {
        let is_of = |key: &Key| record::parse_bronze_key(key) == Some((record, object));
        let rows = self.look(|rows| {
            let of = rows.iter().filter(|(key, _)| is_of(key));
            of.map(|(_, row)| record::read_lines(object, row.clone()).expect("a bronze row")).collect()
        });
        record::united(rows).pop()
    }

    /// All postings, by record and segment.
    pub fn postings(&self) -> Vec<Posting> {
        self.look(|rows| rows.iter().filter_map(|(key, row)| posting::read(key, row.clone()).ok()).collect())
    }

    /// All postings of a log, by segment and record.
    pub fn all_postings(&self, log: &LogId) -> Vec<Posting> {
        let mut found = self.postings();
        found.retain(|posting| posting.log == *log);
        found.sort_by(|left, right| (left.first, &left.record_key).cmp(&(right.first, &right.record_key)));
        found
    }
}

/// The keys table.
impl FakeTable {
    /// A subject's state.
    pub fn state(&self, subject_id: &str) -> Option<SubjectState> {
        self.peek(&subject::state_key(subject_id)).map(|row| subject::read_state(row).expect("a state"))
    }

    /// Sets a subject's state, as an erasure would.
    pub fn set_state(&self, subject_id: &str, state: &str) {
        self.change(&subject::state_key(subject_id), |row| drop(row.insert("state".to_owned(), state.into_value())));
    }

    /// Marks a subject as shared, as an operator does.
    pub fn share(&self, subject_id: &str, at: &str) {
        let marks = [("sharedAt".to_owned(), at.into_value()), ("missed".to_owned(), true.into_value())];
        self.change(&subject::state_key(subject_id), |row| row.extend(marks));
    }

    /// Takes the mark away: what was missed stays so.
    pub fn unshare(&self, subject_id: &str) {
        self.change(&subject::state_key(subject_id), |row| drop(row.remove("sharedAt")));
    }

    /// Who takes part in a record.
    pub fn party(&self, record: &str) -> Party {
        self.peek(&party::key(record)).map_or_else(Party::default, |row| party::read(row).expect("a party"))
    }

    /// Does to a record's row what an erasure does: counts it, and sets the cutoff if the whole record goes.
    pub fn erase_record(&self, record: &str, cutoff: Option<Cutoff>) {
        let erasures = self.party(record).erasures + 1;
        self.change(&party::key(record), |row| {
            row.insert("erasures".to_owned(), erasures.into_value());
            row.extend(cutoff.map(|cutoff| ("cutoff".to_owned(), cutoff.to_text().into_value())));
        });
    }

    /// How many subjects there are, and how many links.
    pub fn subjects_and_links(&self) -> (usize, usize) {
        self.look(|rows| {
            let states = rows.keys().filter(|key| subject::parse_state_key(key).is_some());
            (states.count(), rows.keys().filter(|key| subject::parse_link_key(key).is_some()).count())
        })
    }
}
