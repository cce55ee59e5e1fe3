//! The keys of what is about to be planned, on their way into the keys table: wrapped to the month's public key, a row for each record.
//!
//! Invariant: a key is kept before a plan names it, while no erasure has reached its record since the gate asked; so an erasure finds
//! every key that may be in a plan. A key that is kept, or might be, is not kept again: an erasure may have destroyed it.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::{StreamExt as _, stream};
use ledgerline_custody::erasure::cutoff_from;
use ledgerline_event::instant;
use ledgerline_lake::ObjectId;
use ledgerline_ledger::entry::Party;
use ledgerline_ledger::store::{Failure, StoreError};
use ledgerline_sealed::{KeyRow, MonthKey, Random, Sender, WrappedKey};
use ledgerline_store::month_key;
use ledgerline_store::party_key::ROWS_AT_ONCE;

use crate::CALLS_AT_ONCE;
use crate::config::Settings;
use crate::gate::Gate;
use crate::reading::{Drawn, Event, Owner, Read};
use crate::resolve::{Clashes, Resolved};
use crate::stores::Stores;

/// One run's keys.
pub(crate) struct RunKeys<'a> {
    stores: &'a Stores,
    read: &'a Read,
    deployment: &'a str,
    object: String,
    month: String,
    month_key: MonthKey,
    /// The run's encapsulation, once there is something to wrap.
    sender: Option<Sender>,
    /// The ids of keys that are in the table. What sends all of it back to the gate leaves them there: an erasure that came after them
    /// finds them, and what it covers is planned without its blocks.
    kept: BTreeSet<String>,
}

impl<'a> RunKeys<'a> {
    /// Of a run that began at `now_ms`: wrapped to that month's key, which sweep makes ahead. Of a past month it makes none.
    ///
    /// # Errors
    /// The table's; `NotFound` if the month has no key yet.
    pub(crate) async fn begin(
        stores: &'a Stores,
        settings: &'a Settings,
        object: ObjectId,
        read: &'a Read,
        now_ms: i64,
    ) -> Result<Self, StoreError> {
        let month = month_key::of_time(now_ms);
        Ok(Self {
            stores,
            read,
            deployment: &settings.deployment,
            object: object.to_hex(),
            month_key: stores.month_key(&month).await?,
            month,
            sender: None,
            kept: BTreeSet::new(),
        })
    }

    /// Keeps those keys of these events that are not kept yet, each record's with the question whether an erasure reached the record since
    /// the gate asked. What clashed with another writer is tried again while the gate's answer holds.
    ///
    /// # Errors
    /// `Conflict` if it does not, or clashes outlast the pauses; what the tables report. All calls have ended then.
    pub(crate) async fn keep(
        &mut self,
        gate: &Gate<'_>,
        events: impl Iterator<Item = &Event>,
        resolved: &Resolved,
        clashes: &mut Clashes,
    ) -> Result<(), StoreError> {
        let (stores, read) = (self.stores, self.read);
        let mut open = self.rows(events, resolved)?;
        while !open.is_empty() {
            let object = &self.object;
            let keep = |record: Rows| async move {
                let (key, seen) = (&read.records[record.record].key, gate.party(record.record).seen());
                let mut kept = 0;
                // One after the other: at once they would keep each other from being done, for each asks the record's `PARTY`.
                for rows in record.rows.chunks(ROWS_AT_ONCE) {
                    if let Err(error) = stores.party_keys.keep(key, object, seen, rows).await {
                        return (record, kept, Err(error));
                    }
                    kept += rows.len();
                }
                (record, kept, Ok(()))
            };
            let outcomes: Vec<(Rows, usize, Result<(), StoreError>)> =
                stream::iter(open).map(keep).buffered(CALLS_AT_ONCE).collect().await;
            open = Vec::new();
            for (mut record, kept, outcome) in outcomes {
                self.kept.extend(record.rows.drain(..kept).flat_map(|(_, row)| row.keys.into_keys()));
                match outcome {
                    Ok(()) => {}
                    Err(StoreError::Conflict(_)) => open.push(record),
                    // The rows may be there, or have been.
                    Err(error) => return Err(error),
                }
            }
            if !open.is_empty() {
                let seen = open.iter().map(|of| (read.records[of.record].key.as_str(), gate.party(of.record).seen()));
                if !stores.parties.are_as_seen(&seen.collect()).await? {
                    return Err(StoreError::Conflict(Failure::new("an erasure reached a record that is sealed")));
                }
                let what = format!("the keys of {} records clashed with other writers", open.len());
                clashes.pause(Failure::new(what), stores.random()).await?;
            }
        }
        Ok(())
    }

    /// The rows for those keys of these events that are not kept yet.
    fn rows<'e>(
        &mut self,
        events: impl Iterator<Item = &'e Event>,
        resolved: &Resolved,
    ) -> Result<Vec<Rows>, StoreError> {
        // Up to where a cutoff must reach to cover anything under a key, as the gate asks it of a line. Of what is kept alone: an earlier
        // line that an erasure covers says nothing of the key.
        let mut first_ms: BTreeMap<usize, i64> = BTreeMap::new();
        for Event { keys, adapted, .. } in events {
            let at = cutoff_from(adapted.occurred_at_ms, adapted.received_at_ms, false);
            for &key in keys {
                first_ms.entry(key).and_modify(|first| *first = at.min(*first)).or_insert(at);
            }
        }
        if first_ms.is_empty() {
            return Ok(Vec::new());
        }
        let unusable = |error| StoreError::Corrupt(Failure::caused_by("wrap keys to the month's", error));
        let sender = match self.sender.take() {
            Some(sender) => sender,
            None => Sender::to(&self.month_key, self.deployment).map_err(unusable)?,
        };
        let mut by_record: BTreeMap<usize, BTreeMap<String, WrappedKey>> = BTreeMap::new();
        for (place, first_ms) in first_ms {
            let Drawn { record, owner, key } = &self.read.keys[place];
            if self.kept.contains(key.id().as_str()) {
                continue;
            }
            let record_key = &self.read.records[*record].key;
            let wrapped = WrappedKey {
                party: party(owner),
                subjects: subjects(owner, record_key, resolved),
                first: instant::to_rfc3339(first_ms),
                wrapped: sender.wrap(record_key, key).to_vec().into(),
            };
            by_record.entry(*record).or_default().insert(key.id().to_string(), wrapped);
        }
        let rows = |(record, keys)| {
            let rows = KeyRow::rows(&self.month, sender.enc(), keys).into_iter();
            Rows { record, rows: rows.map(|row| (run(self.stores.random()), row)).collect() }
        };
        let rows = by_record.into_iter().map(rows).collect();
        self.sender = Some(sender);
        Ok(rows)
    }
}

/// Keys of one record.
struct Rows {
    /// The record, in [`Read::records`].
    record: usize,
    /// Each with what names it.
    rows: Vec<(String, KeyRow)>,
}

fn party(owner: &Owner) -> Party {
    match owner {
        Owner::Customer(_) => Party::Customer,
        Owner::Joint => Party::Joint,
        Owner::Agent => Party::Agent,
    }
}

/// The subjects that an owner's identifiers resolved in a record.
fn subjects(owner: &Owner, record: &str, resolved: &Resolved) -> BTreeSet<String> {
    let Owner::Customer(identifiers) = owner else { return BTreeSet::new() };
    let subject = |&identifier: &usize| resolved.names.get(&(identifier, record.to_owned()));
    identifiers.iter().filter_map(subject).map(|subject| subject.subject_id.clone()).collect()
}

/// What names a row beside its object: 8 hex digits.
fn run(random: Random<'_>) -> String {
    let mut bytes = [0; 4];
    random(&mut bytes);
    format!("{:08x}", u32::from_be_bytes(bytes))
}
