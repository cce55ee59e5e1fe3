//! What earlier erasures say of an object's lines. Pure, but for the one read.
//!
//! Invariant: every line is asked, whatever becomes of it: kept, repeated or filtered; by the record that it is about, by the alias that
//! names the record, and by everybody whom the line names. What expires is asked as of the time at which the object was taken up, so
//! that a later run of the object answers as the first did, unless there was another erasure.

use std::collections::{BTreeSet, HashMap};

use ledgerline_custody::erasure::cutoff_from;
use ledgerline_ledger::entry::Record;
use ledgerline_ledger::store::StoreError;
use ledgerline_privacy::pseudonym::is_alias;
use ledgerline_store::party::Party;
use ledgerline_store::tombstone::Suppression;

use crate::config::Settings;
use crate::reading::{Adapted, Read, RecordSeen};
use crate::stores::Stores;

/// The erasures that an object's lines meet, as they were read.
#[derive(Debug)]
pub struct Gate<'r> {
    read: &'r Read,
    /// The row of each of [`Read::records`].
    parties: Vec<Party>,
    /// The tombstones of whom the lines name and of whom they are about, by org and pseudonym; of the company's own identifiers
    /// there are none.
    tombs: HashMap<(&'r str, &'r str), Suppression>,
    /// The aliases, of those that name records, that are gone.
    gone: BTreeSet<&'r str>,
    /// Whether an erasure covers each line, by [`Adapted::place`].
    suppressed: Vec<bool>,
}

impl<'r> Gate<'r> {
    /// Reads what the lines of an object that was taken up at `started_at_ms` meet.
    pub(crate) async fn read(
        stores: &Stores,
        settings: &Settings,
        read: &'r Read,
        started_at_ms: i64,
    ) -> Result<Self, StoreError> {
        let records: Vec<&str> = read.records.iter().map(|record| record.key.as_str()).collect();
        let mentions = read.adapted().flat_map(|line| line.identifiers.iter().map(|&at| (read.org(line), at)));
        let mentions: BTreeSet<(&str, usize)> = mentions.collect();
        let of_mention = |&(org, at): &(&'r str, usize)| {
            let Read { identifiers, .. } = read;
            identifiers[at].pseudonyms.iter().map(move |pseudonym| (org, pseudonym.as_str()))
        };
        // Under a key of other rules two identifiers may have one pseudonym.
        let of_record =
            |record: &'r RecordSeen| record.names.iter().map(|pseudonym| (record.org.as_str(), pseudonym.as_str()));
        let of_records = read.records.iter().flat_map(of_record);
        let whom: BTreeSet<(&str, &str)> = mentions.iter().flat_map(of_mention).chain(of_records).collect();
        let whom: Vec<(&str, &str)> = whom.into_iter().collect();
        let (parties, tombs, gone) = tokio::try_join!(
            stores.parties.read(&records),
            stores.tombs.read(&settings.suppression, &whom),
            stores.gone.among(read.records.iter().filter_map(alias_of)),
        )?;
        let tombs = whom.into_iter().zip(tombs).collect();
        let mut gate = Self { read, parties, tombs, gone, suppressed: Vec::new() };
        gate.suppressed = vec![false; read.adapted().count()];
        for line in read.adapted() {
            gate.suppressed[line.place] = gate.is_covered(line, started_at_ms);
        }
        Ok(gate)
    }

    fn is_covered(&self, line: &Adapted, started_at_ms: i64) -> bool {
        // The eraser says that an alias is gone before it deletes the alias's rows: a run that looked the alias up earlier learns of it
        // here, whatever became of the rows.
        if alias_of(&self.read.records[line.record]).is_some_and(|alias| self.gone.contains(alias)) {
            return true;
        }
        let reached_ms = cutoff_from(line.occurred_at_ms, line.received_at_ms, line.only_widens);
        let org = self.read.org(line);
        let of_record = self.read.records[line.record].names.iter();
        let of_record = of_record.filter_map(|pseudonym| self.tombs.get(&(org, pseudonym.as_str())));
        let of_people = line.identifiers.iter().flat_map(|&identifier| self.tombs(org, identifier)).chain(of_record);
        let of_people = of_people.filter_map(|tomb| tomb.cutoff(started_at_ms));
        let mut cutoffs = self.parties[line.record].cutoff.into_iter().chain(of_people);
        cutoffs.any(|cutoff| cutoff.covers(reached_ms, reached_ms))
    }

    /// Whether an erasure covers the line.
    pub fn suppresses(&self, line: &Adapted) -> bool {
        self.suppressed[line.place]
    }

    /// How many lines erasures cover.
    pub fn suppressed(&self) -> usize {
        self.suppressed.iter().filter(|suppressed| **suppressed).count()
    }

    /// What was read of an identifier's tombstones in an org.
    pub fn tombs<'g>(&'g self, org: &'g str, identifier: usize) -> impl Iterator<Item = &'g Suppression> {
        let pseudonyms = &self.read.identifiers[identifier].pseudonyms;
        pseudonyms.iter().filter_map(move |pseudonym| self.tombs.get(&(org, pseudonym.as_str())))
    }

    /// What was read of who takes part in one of [`Read::records`].
    pub fn party(&self, record: usize) -> &Party {
        &self.parties[record]
    }
}

/// The alias that names the record, if one does.
fn alias_of(record: &RecordSeen) -> Option<&str> {
    match &record.about {
        Record::Entity { id, .. } => Some(id.as_str()).filter(|id| is_alias(id)),
        Record::Interaction(_) => None,
    }
}
