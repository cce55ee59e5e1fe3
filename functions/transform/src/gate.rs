//! What earlier erasures say of an object's lines. Pure, but for the one read.
//!
//! Invariant: every line is asked, whatever becomes of it: kept, repeated or filtered; by the record that it is about and by everybody
//! whom it names. What expires is asked as of the time at which the object was taken up, so that a later run of the object
//! answers as the first did, unless there was another erasure.

use std::collections::{BTreeSet, HashMap};

use ledgerline_ledger::store::StoreError;
use ledgerline_store::party::Party;
use ledgerline_store::tombstone::Suppression;

use crate::config::Settings;
use crate::own::OwnMentions;
use crate::reading::{Adapted, Read};
use crate::stores::Stores;

/// The erasures that an object's lines meet, as they were read.
#[derive(Debug)]
pub struct Gate<'r> {
    read: &'r Read,
    started_at_ms: i64,
    /// The row of each of [`Read::records`].
    parties: Vec<Party>,
    /// The tombstones of whom the lines name, by org and pseudonym; of the company's own there are none.
    tombs: HashMap<(&'r str, &'r str), Suppression>,
}

impl<'r> Gate<'r> {
    /// Reads what the lines of an object that was taken up at `started_at_ms` meet.
    pub(crate) async fn read(
        stores: &Stores,
        settings: &Settings,
        read: &'r Read,
        own: &OwnMentions,
        started_at_ms: i64,
    ) -> Result<Self, StoreError> {
        let records: Vec<&str> = read.records.iter().map(|record| record.key.as_str()).collect();
        let mentions = read.adapted().flat_map(|line| line.identifiers.iter().map(|&at| (read.org(line), at)));
        let mentions: BTreeSet<(&str, usize)> = mentions.filter(|&(org, at)| !own.names(at, org)).collect();
        let of_mention = |&(org, at): &(&'r str, usize)| {
            let Read { identifiers, .. } = read;
            identifiers[at].pseudonyms.iter().map(move |pseudonym| (org, pseudonym.as_str()))
        };
        // Under a key of other rules two identifiers may have one pseudonym.
        let whom: BTreeSet<(&str, &str)> = mentions.iter().flat_map(of_mention).collect();
        let whom: Vec<(&str, &str)> = whom.into_iter().collect();
        let (parties, tombs) =
            tokio::try_join!(stores.parties.read(&records), stores.tombs.read(&settings.suppression, &whom))?;
        Ok(Self { read, started_at_ms, parties, tombs: whom.into_iter().zip(tombs).collect() })
    }

    /// Whether an erasure covers the line.
    pub fn suppresses(&self, line: &Adapted) -> bool {
        let received_at_ms = line.received_at_ms.unwrap_or(self.started_at_ms);
        let org = self.read.org(line);
        let of_people = line.identifiers.iter().flat_map(|&identifier| self.tombs(org, identifier));
        let of_people = of_people.filter_map(|tomb| tomb.cutoff(self.started_at_ms));
        let mut cutoffs = self.parties[line.record].cutoff.into_iter().chain(of_people);
        // Of somebody who was erased a deletion says nothing that is to be kept, whenever it comes.
        cutoffs.any(|cutoff| line.only_widens || cutoff.covers(line.occurred_at_ms, received_at_ms))
    }

    /// How many lines erasures cover.
    pub fn suppressed(&self) -> usize {
        self.read.adapted().filter(|line| self.suppresses(line)).count()
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
