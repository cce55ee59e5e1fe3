//! A log's committed segments, one behind the other, read and checked.
//!
//! Invariant: what is committed is what the posting of a segment's first record names, by key and version; what a crash left
//! behind, or somebody laid beside it, is passed over. Delete markers hide nothing.

use std::collections::VecDeque;

use ledgerline_ledger::entry::{Entry, EntryError};
use ledgerline_ledger::log::LogId;
use ledgerline_ledger::segment::{Segment, SegmentError, SegmentName};
use ledgerline_ledger::store::StoreError;
use ledgerline_store::ledger::LedgerStores;
use ledgerline_store::segment::SegmentVersion;

/// Where a log's segments are found and read.
#[derive(Debug)]
pub struct CommittedSegments<'a> {
    log: &'a LogId,
    stores: &'a LedgerStores,
    listed: VecDeque<SegmentVersion>,
}

/// Why a segment cannot be told.
#[derive(Debug, thiserror::Error)]
pub enum CommittedError {
    /// A store call failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A segment is not what its name says.
    #[error("{key} is no segment: {error}; verify the log")]
    Segment {
        /// The object's key.
        key: String,
        /// What is wrong with it.
        error: SegmentError,
    },
    /// A committed line is no entry.
    #[error("{key} holds a line that is no entry: {error}; verify the log")]
    Entry {
        /// The object's key.
        key: String,
        /// What is wrong with it.
        error: EntryError,
    },
}

impl<'a> CommittedSegments<'a> {
    /// A log's.
    pub fn new(log: &'a LogId, stores: &'a LedgerStores) -> Self {
        Self { log, stores, listed: VecDeque::new() }
    }

    /// The committed segment that begins at `first`. Asked in order, it lists a page at a time.
    ///
    /// # Errors
    /// What keeps it from being told.
    pub async fn beginning_at(&mut self, first: u64) -> Result<Option<(Segment, SegmentVersion)>, CommittedError> {
        while self.listed.front().is_some_and(|version| begins(version).is_none_or(|at| at < first)) {
            self.listed.pop_front();
        }
        // Versions of one place may go on behind the page.
        let all_listed = self.listed.back().is_some_and(|version| begins(version).is_some_and(|at| at > first));
        if !all_listed {
            self.listed = self.stores.segments.from(self.log, first, PAGE).await?.into();
        }
        let mut unreadable = None;
        for version in self.listed.iter().filter(|version| begins(version) == Some(first)) {
            let bytes = self.stores.segments.read(&version.key, &version.version_id).await?;
            let (segment, record) = match read(version, &bytes) {
                Ok(read) => read,
                // Whatever it is, the committed one may lie beside or below it.
                Err(error) => {
                    unreadable.get_or_insert(error);
                    continue;
                }
            };
            let committed = self.stores.postings.place(&record, self.log, first).await?;
            if committed.is_some_and(|(key, id)| key == version.key && id == version.version_id) {
                return Ok(Some((segment, version.clone())));
            }
        }
        unreadable.map_or(Ok(None), Err)
    }

    /// Where the first committed segment begins: 0, unless a log was pruned. `None` if there is none.
    ///
    /// # Errors
    /// What keeps it from being told.
    pub async fn begin(&mut self) -> Result<Option<u64>, CommittedError> {
        let mut from = 0;
        while let Some(version) = self.stores.segments.from(self.log, from, 1).await?.first() {
            let Some(first) = begins(version) else { return Ok(None) };
            if self.beginning_at(first).await?.is_some() {
                return Ok(Some(first));
            }
            from = first + 1;
        }
        Ok(None)
    }
}

/// A segment, and the key of its first entry's record.
fn read(version: &SegmentVersion, bytes: &[u8]) -> Result<(Segment, String), CommittedError> {
    let key = || version.key.clone();
    let segment = Segment::read(&version.key, bytes);
    let segment = segment.map_err(|error| CommittedError::Segment { key: key(), error })?;
    let record = first_record(&segment).map_err(|error| CommittedError::Entry { key: key(), error })?;
    Ok((segment, record))
}

/// The key of the record of a segment's first entry.
///
/// # Errors
/// The line is no entry.
pub fn first_record(segment: &Segment) -> Result<String, EntryError> {
    let line = segment.lines().next().unwrap_or_default();
    let entry = Entry::read(line.as_bytes())?;
    let record = entry.record().ok_or(EntryError::Invalid("interactionId or entity"))?;
    Ok(record.key(&entry.org))
}

fn begins(version: &SegmentVersion) -> Option<u64> {
    SegmentName::parse(&version.key).map(|name| name.first)
}

/// Versions asked for at once: a page of S3's.
const PAGE: usize = 1_000;
