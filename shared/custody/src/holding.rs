//! Holding a record's evidence and releasing it: the record's row that keeps erasures off it, and S3's legal holds.
//!
//! Invariant: the row names a hold before S3 holds any segment for it, and until S3 holds none. So wherever a run ends, what is held
//! is not erased, and the same call comes to the same end. A segment is shared by many records: it is released only if no other
//! active hold needs it, which is asked again after the release. What an erasure left of the record to be done once no hold is on it is
//! asked after the row is released: an erasure that comes later finds no hold and does it itself. Left out: what is meant, and the acts
//! that say so.

use std::collections::BTreeSet;
use std::sync::Arc;

use ledgerline_ledger::entry::Entry;
use ledgerline_ledger::log::LogId;
use ledgerline_ledger::segment::Segment;
use ledgerline_ledger::store::StoreError;
use ledgerline_store::bucket::Bucket;
use ledgerline_store::cutoff::Cutoff;
use ledgerline_store::held::Held;
use ledgerline_store::hold::{HoldRow, Holds};
use ledgerline_store::ledger::LedgerStores;
use ledgerline_store::party::{Parties, Party};
use ledgerline_store::queue::{EraseNotes, Queue};
use ledgerline_store::table::Table;

use crate::access::corrupt;

/// A segment: its key and version id.
pub type Place = (String, String);

/// What was released.
#[derive(Debug, PartialEq, Eq)]
pub struct Released {
    /// The segments that nothing holds any more.
    pub segments: Vec<Place>,
    /// How many others of the record's other holds need.
    pub kept: usize,
    /// Whether an erasure waited for the last hold on the record, and goes on now.
    pub erases: bool,
}

/// The stores of holds.
#[derive(Clone, Debug)]
pub struct Holding {
    /// What was meant.
    pub holds: Holds,
    /// Which records holds are on.
    pub held: Held,
    /// What they hold.
    pub ledger: LedgerStores,
    /// What erasures did to records, and left to be done.
    pub parties: Parties,
    /// What tells the eraser that a record is not held any more.
    pub erase: EraseNotes,
}

impl Holding {
    /// Over the control, index and keys tables, the ledger's bucket and the eraser's queue.
    pub fn new(
        control: &Arc<dyn Table>,
        index: &Arc<dyn Table>,
        keys: &Arc<dyn Table>,
        bucket: &Arc<dyn Bucket>,
        erase_queue: &Arc<dyn Queue>,
    ) -> Self {
        Self {
            holds: Holds::new(Arc::clone(control)),
            held: Held::new(Arc::clone(control)),
            ledger: LedgerStores::new(control, index, bucket),
            parties: Parties::new(Arc::clone(keys)),
            erase: EraseNotes::new(Arc::clone(erase_queue)),
        }
    }

    /// Whether the record was erased for good: no hold brings anything of it back.
    ///
    /// # Errors
    /// The table's.
    pub async fn is_erased(&self, record_key: &str) -> Result<bool, StoreError> {
        Ok(self.party(record_key).await?.cutoff == Some(Cutoff::Closed))
    }

    /// Carries out a hold that is noted: no erasure destroys anything of the record from here on, and S3 holds its segments.
    ///
    /// # Errors
    /// The stores'; some segments may be held then.
    pub async fn place(&self, hold: &HoldRow) -> Result<BTreeSet<Place>, StoreError> {
        self.held.add(&hold.record_key, &hold.hold).await?;
        self.hold_all(hold).await
    }

    /// Holds every segment that keeps the record's entries now, and says which they are.
    ///
    /// # Errors
    /// The stores'; some segments may be held then.
    pub async fn hold_all(&self, hold: &HoldRow) -> Result<BTreeSet<Place>, StoreError> {
        let places = self.segments(&hold.log, &hold.record_key).await?;
        for (segment, version) in &places {
            self.ledger.segments.put_legal_hold(segment, version, true).await?;
        }
        Ok(places)
    }

    /// Notes that a hold is lifted, releases what no other hold needs, and lets erasures go on: one that waited is told.
    ///
    /// # Errors
    /// The stores'; some segments may be held then.
    pub async fn lift(&self, hold: &HoldRow, now: &str) -> Result<Released, StoreError> {
        self.holds.note_lifted(&hold.hold, &hold.record_key, now).await?;
        let (needed, all) = (self.needed().await?, self.segments(&hold.log, &hold.record_key).await?);
        let (kept, released): (Vec<Place>, Vec<Place>) = all.into_iter().partition(|place| needed.contains(place));
        for (segment, version) in &released {
            self.ledger.segments.put_legal_hold(segment, version, false).await?;
        }
        // A hold that was placed between the question and the release has its segments back.
        for (segment, version) in self.needed().await?.iter().filter(|place| released.contains(place)) {
            self.ledger.segments.put_legal_hold(segment, version, true).await?;
        }
        self.held.remove(&hold.record_key, &hold.hold).await?;
        let erases = self.go_on(&hold.record_key).await?;
        Ok(Released { segments: released, kept: kept.len(), erases })
    }

    /// Tells the eraser of a record on which no hold is any more, if an erasure waited for that.
    async fn go_on(&self, record_key: &str) -> Result<bool, StoreError> {
        // Asked in this order: an erasure waits in one transaction with a hold being there.
        let waits = !self.held.is_held(record_key).await? && self.party(record_key).await?.pending_until.is_some();
        if waits {
            self.erase.released(record_key).await?;
        }
        Ok(waits)
    }

    async fn party(&self, record_key: &str) -> Result<Party, StoreError> {
        Ok(self.parties.read(&[record_key]).await?.into_iter().next().unwrap_or_default())
    }

    /// The segments that keep a record's entries: those with postings, and those that are not indexed yet.
    ///
    /// # Errors
    /// The stores'; `Corrupt` for a segment that is not what its name says.
    pub async fn segments(&self, log: &LogId, record_key: &str) -> Result<BTreeSet<Place>, StoreError> {
        let LedgerStores { heads, postings, segments, .. } = &self.ledger;
        // The head first: what it does not name any more has postings.
        let head = heads.head(log).await?;
        let postings = postings.of(record_key).await?;
        let mut places: BTreeSet<Place> = postings.into_iter().map(|row| (row.segment, row.version_id)).collect();
        for segment in head.map(|head| head.unpublished).unwrap_or_default() {
            let bytes = segments.read(&segment.key, &segment.version_id).await?;
            let damaged = |error| corrupt(&format!("read {}", segment.key), error);
            let read = Segment::read(&segment.key, &bytes).map_err(damaged)?;
            if read.lines().any(|line| is_about(line, record_key)) {
                places.insert((segment.key, segment.version_id));
            }
        }
        Ok(places)
    }

    /// The segments that any active hold needs.
    async fn needed(&self) -> Result<BTreeSet<Place>, StoreError> {
        let mut needed = BTreeSet::new();
        for row in self.holds.all().await?.into_iter().filter(|row| row.lifted_at.is_none()) {
            needed.extend(self.segments(&row.log, &row.record_key).await?);
        }
        Ok(needed)
    }
}

fn is_about(line: &str, record_key: &str) -> bool {
    let entry = Entry::read(line.as_bytes()).ok();
    entry.and_then(|entry| Some(entry.record()?.key(&entry.org))).is_some_and(|key| key == record_key)
}
