//! A record's entries, and what is known of the objects that they come from.
//!
//! Invariant: the head is read before the postings: a segment is indexed before it leaves its head's list, so that an entry is found in one
//! or the other, or in both, where the second find changes nothing. A table that does not answer fails the request; evidence that does
//! not is named, and the rest is told.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::stream::{self, StreamExt as _};
use ledgerline_custody::access::{
    Entries, Fault, Found, MemberRead, SegmentPlace, accept_segment, plan_reads, unindexed,
};
use ledgerline_custody::order::EventOrder;
use ledgerline_lake::ObjectId;
use ledgerline_lake::keys::PlanOf;
use ledgerline_ledger::acts::is_act;
use ledgerline_ledger::entry;
use ledgerline_ledger::head::Head;
use ledgerline_ledger::log::LogId;
use ledgerline_ledger::store::{Failure, StoreError};
use ledgerline_ledger::tree::Hash;
use ledgerline_store::object_row::Progress;
use ledgerline_store::record::HoldingObject;

use super::find::Known;
use crate::Stores;
use crate::problem::Problem;

/// Ranged reads under way at once; a member has some 60 KB.
const PARALLEL: usize = 16;
/// Whole segments under way at once.
const PARALLEL_SEGMENTS: usize = 2;

/// An entry of a record.
#[derive(Debug)]
pub(super) struct ReadEntry {
    pub(super) order: EventOrder,
    pub(super) place: SegmentPlace,
    pub(super) leaf: Hash,
    /// The canonical line.
    pub(super) text: String,
    pub(super) entry: entry::Entry,
    /// The ledger says it of itself: no event lies behind it.
    pub(super) is_act: bool,
}

/// A record as it was read.
#[derive(Debug, Default)]
pub(super) struct Read {
    /// In event order.
    pub(super) entries: Vec<ReadEntry>,
    /// The objects that hold lines of it.
    pub(super) holding: Vec<HoldingObject>,
    /// What is known of objects, by id: of those that hold lines, and of those behind acts.
    pub(super) objects: BTreeMap<String, Progress>,
    /// Its log's head, and which log that is.
    pub(super) head: Option<(LogId, Head)>,
    /// Evidence that could not be read.
    pub(super) faults: Vec<Fault>,
}

impl Read {
    /// The objects whose lines are not all planned and committed, or kept as poison: a line of the record may be among these.
    pub(super) fn pending(&self) -> Vec<&str> {
        let is_through = |object: &str| {
            self.objects
                .get(object)
                .is_some_and(|row| row.planned_at_ms.is_some() && row.committed >= row.counts.planned)
        };
        self.holding.iter().map(|one| one.object.as_str()).filter(|object| !is_through(object)).collect()
    }

    pub(super) fn is_complete(&self) -> bool {
        self.faults.is_empty() && self.pending().is_empty()
    }

    /// A bronze object's key.
    pub(super) fn key_of(&self, object: &str) -> Option<&str> {
        self.holding.iter().find(|one| one.object == object).map(|one| one.key.as_str())
    }
}

/// Reads a record.
pub(super) async fn record(stores: &Stores, known: &Known) -> Result<Read, Problem> {
    let mut read = Read::default();
    let mut found = Entries::default();
    let mut error = None;
    if let Some(log) = &known.log {
        let mut gathered = Gathering {
            stores,
            key: &known.key,
            found: &mut found,
            faults: &mut read.faults,
            error: &mut error,
            answered: 0,
        };
        read.head = gathered.head(log).await?;
        gathered.members().await?;
        let answered = gathered.answered;
        // Where nothing at all could be read, that is the answer.
        if let Some(error) = error.filter(|_| answered == 0) {
            return Err(error.into());
        }
    }
    read.holding = match &known.holding {
        Some(holding) => holding.clone(),
        None => stores.records.bronze(&known.key).await?,
    };
    for one in found.take(&known.key) {
        read.entries.push(ReadEntry::of(one)?);
    }
    read.objects = objects(stores, &read).await?;
    Ok(read)
}

impl ReadEntry {
    fn of(found: Found) -> Result<Self, StoreError> {
        let Found { order, place, leaf, text, .. } = found;
        // The line was checked: what it lacks is the other members.
        let corrupt = |error| StoreError::Corrupt(Failure::caused_by("read an entry", error));
        let entry = entry::Entry::read(text.as_bytes()).map_err(corrupt)?;
        let is_act = is_act(&entry.event_type);
        Ok(Self { order, place, leaf, text, entry, is_act })
    }
}

/// What is known of the objects behind entries and of those that hold lines.
async fn objects(stores: &Stores, read: &Read) -> Result<BTreeMap<String, Progress>, StoreError> {
    let of_entries = read.entries.iter().filter(|one| !one.is_act).map(|one| one.entry.source.object.as_str());
    let ids: BTreeSet<&str> = of_entries.chain(read.holding.iter().map(|one| one.object.as_str())).collect();
    let named: Vec<(&str, ObjectId)> = ids.into_iter().filter_map(|id| Some((id, id.parse().ok()?))).collect();
    if named.is_empty() {
        return Ok(BTreeMap::new());
    }
    let asked: Vec<(PlanOf, ObjectId)> = named.iter().map(|(_, object)| (PlanOf::Bronze, *object)).collect();
    let rows = stores.ledger.rows.progress(&asked).await?;
    Ok(named.into_iter().zip(rows).filter_map(|((id, _), row)| Some((id.to_owned(), row?))).collect())
}

/// Reads evidence and keeps account of it.
struct Gathering<'a> {
    stores: &'a Stores,
    key: &'a str,
    found: &'a mut Entries,
    faults: &'a mut Vec<Fault>,
    /// The first error of a store.
    error: &'a mut Option<StoreError>,
    answered: usize,
}

impl Gathering<'_> {
    /// The log's head; and what is committed and not indexed yet, read whole.
    async fn head(&mut self, log: &LogId) -> Result<Option<(LogId, Head)>, Problem> {
        let Some(head) = self.stores.ledger.heads.head(log).await? else { return Ok(None) };
        let Ok(head) = head.verify(log) else {
            self.faults.push(Fault::of_head(log));
            return Ok(None);
        };
        let wanted = BTreeSet::from([self.key]);
        let segments = &self.stores.ledger.segments;
        let read = stream::iter(unindexed(log, head.indexed(), head.unpublished())).map(|place| {
            let wanted = &wanted;
            async move {
                let bytes = segments.read(&place.segment, &place.version_id).await;
                let found = bytes.map(|bytes| accept_segment(&place, &bytes, wanted));
                (place, found)
            }
        });
        let read: Vec<_> = read.buffered(PARALLEL_SEGMENTS).collect().await;
        read.into_iter().for_each(|(place, found)| self.note(&place, found));
        Ok(Some((log.clone(), head)))
    }

    /// What is indexed, by member.
    async fn members(&mut self) -> Result<(), Problem> {
        let postings = self.stores.ledger.postings.of(self.key).await?;
        let segments = &self.stores.ledger.segments;
        let read = stream::iter(plan_reads(&postings)).map(|read: MemberRead| async move {
            let place = &read.place;
            let bytes = segments.read_range(&place.segment, &place.version_id, read.offset, read.length).await;
            let found = bytes.map(|bytes| read.accept(&bytes));
            (read.place, found)
        });
        let read: Vec<_> = read.buffered(PARALLEL).collect().await;
        read.into_iter().for_each(|(place, found)| self.note(&place, found));
        Ok(())
    }

    fn note(&mut self, place: &SegmentPlace, found: Result<Result<Vec<Found>, &'static str>, StoreError>) {
        let reason = match found {
            Ok(found) => {
                self.answered += 1;
                found.and_then(|found| self.found.add(found)).err()
            }
            Err(error) => {
                let kind = error.kind();
                self.error.get_or_insert(error);
                Some(kind)
            }
        };
        if let Some(reason) = reason {
            tracing::error!(segment = place.segment, reason, "evidence could not be read");
            self.faults.push(Fault::of(place, reason));
        }
    }
}
