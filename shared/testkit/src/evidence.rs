//! The strict fakes as evidence, so that a test can run the real verification over what the product wrote.
//!
//! Invariant: nothing is left out or made up: every version and delete marker of the bucket, every head, every posting, as
//! they are when they are asked for.

use std::sync::{Arc, Mutex, PoisonError};

use ledgerline_ledger::posting::Posting;
use ledgerline_ledger::store::{Failure, StoreError};
use ledgerline_ledger::verify::{Evidence, EvidenceFault, Given, HeadRow, ObjectVersion};

use crate::bucket::{FakeBucket, Version};
use crate::table::FakeTable;

/// The stores behind one ledger, for reading.
#[derive(Clone, Debug)]
pub struct FakeEvidence {
    ledger: FakeBucket,
    control: FakeTable,
    index: Option<FakeTable>,
    watching: Arc<Mutex<Watching>>,
}

#[derive(Debug, Default)]
struct Watching {
    unavailable: bool,
    unreadable: Option<String>,
    read: Vec<String>,
}

impl FakeEvidence {
    /// Bucket, heads and postings.
    pub fn new(ledger: &FakeBucket, control: &FakeTable, index: &FakeTable) -> Self {
        let (ledger, control, index) = (ledger.clone(), control.clone(), Some(index.clone()));
        Self { ledger, control, index, watching: Arc::default() }
    }

    /// The same, silent about postings.
    pub fn without_postings(self) -> Self {
        Self { index: None, ..self }
    }

    /// Whether the store answers from now on.
    pub fn set_available(&self, available: bool) {
        self.watching().unavailable = !available;
    }

    /// Nothing below this folder can be read from now on; `None`: everything can.
    pub fn set_unreadable(&self, folder: Option<&str>) {
        self.watching().unreadable = folder.map(str::to_owned);
    }

    /// Whether bytes of anything below a folder were read since [`Self::take_read`].
    pub fn has_read(&self, folder: &str) -> bool {
        self.watching().read.iter().any(|key| key.starts_with(folder))
    }

    /// The keys whose bytes were read since this was last asked, sorted.
    pub fn take_read(&self) -> Vec<String> {
        let mut read = std::mem::take(&mut self.watching().read);
        read.sort();
        read
    }

    fn answer(&self) -> Result<(), EvidenceFault> {
        if self.watching().unavailable {
            return Err(StoreError::Throttled(Failure::new("read the evidence (injected fault)")).into());
        }
        Ok(())
    }

    fn watching(&self) -> std::sync::MutexGuard<'_, Watching> {
        self.watching.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Evidence for FakeEvidence {
    fn versions(&self, each: &mut dyn FnMut(ObjectVersion)) -> Result<(), EvidenceFault> {
        self.answer()?;
        let listed: Vec<ObjectVersion> = self.ledger.look(|objects| {
            let versions_of = |(key, versions): (&String, &Vec<Version>)| {
                let newest = versions.len().saturating_sub(1);
                let listed = |(place, version): (usize, &Version)| ObjectVersion {
                    key: key.clone(),
                    version_id: version.version_id.clone(),
                    is_latest: place == newest,
                    is_delete_marker: version.is_delete_marker,
                    bytes: version.bytes.len() as u64,
                    lock: version.lock,
                    legal_hold: version.legal_hold,
                    last_modified_ms: u64::try_from(version.written_at_ms).unwrap_or_default(),
                };
                versions.iter().enumerate().map(listed).collect::<Vec<_>>()
            };
            objects.iter().flat_map(versions_of).collect()
        });
        listed.into_iter().for_each(each);
        Ok(())
    }

    fn read(&self, version: &ObjectVersion) -> Result<Vec<u8>, EvidenceFault> {
        self.answer()?;
        self.watching().read.push(version.key.clone());
        if self.watching().unreadable.as_ref().is_some_and(|folder| version.key.starts_with(folder)) {
            return Err(StoreError::Throttled(Failure::new("read the evidence (injected fault)")).into());
        }
        let found = self.ledger.stored(&version.key, &version.version_id);
        found.map(|found| found.bytes.to_vec()).ok_or_else(|| EvidenceFault::Missing(version.key.clone()))
    }

    fn heads(&self) -> Result<Option<Vec<HeadRow>>, EvidenceFault> {
        self.answer()?;
        let heads = self.control.logs().into_iter();
        Ok(Some(heads.filter_map(|log| Some(HeadRow::of(&log, &self.control.stored_head(&log)?))).collect()))
    }

    fn postings(&self, each: &mut dyn FnMut(Posting)) -> Result<Given, EvidenceFault> {
        self.answer()?;
        let Some(index) = &self.index else { return Ok(Given::NotPartOfIt) };
        index.postings().into_iter().for_each(each);
        Ok(Given::All)
    }
}
