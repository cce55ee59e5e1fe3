//! Evidence read from a bucket and its tables, for verification: every version with its lock and its legal hold, bytes by
//! version, heads, postings.
//!
//! Invariant: nothing here writes. Verification is synchronous and asks from its own threads; each call waits for the
//! runtime whose handle it was given, so none of them may be one of that runtime's own threads.

use std::sync::Arc;

use ledgerline_ledger::log::LogId;
use ledgerline_ledger::posting::Posting;
use ledgerline_ledger::store::{Failure, StoreError};
use ledgerline_ledger::verify::{Evidence, EvidenceFault, Given, HeadRow, ObjectVersion};
use ledgerline_store::bucket::{Bucket, Get, ListedVersion};
use ledgerline_store::head::Heads;
use ledgerline_store::posting::Postings;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// Where the ledger's objects lie.
const ROOT: &str = "ledger/";
/// Looks at versions under way at once: S3 answers 5,500 of them per second and prefix; 48 at 20 ms are 2,400.
const LOOKS: usize = 48;
/// S3's most.
const VERSIONS_PER_PAGE: usize = 1_000;

/// A ledger's bucket and, where they are part of the evidence, its tables.
#[derive(Clone, Debug)]
pub struct StoredEvidence {
    runtime: Handle,
    bucket: Arc<dyn Bucket>,
    /// What says what is committed and where entries lie.
    tables: Option<(Heads, Postings)>,
    log: Option<LogId>,
    locks: bool,
    postings: bool,
}

impl StoredEvidence {
    /// The evidence in a bucket. Nothing is said about heads and postings.
    pub fn new(runtime: Handle, bucket: Arc<dyn Bucket>) -> Self {
        Self { runtime, bucket, tables: None, log: None, locks: true, postings: true }
    }

    /// The same, with heads and postings.
    #[must_use]
    pub fn with_tables(self, heads: Heads, postings: Postings) -> Self {
        Self { tables: Some((heads, postings)), ..self }
    }

    /// Only one log of it: what lies elsewhere is neither listed nor read.
    pub fn only(self, log: LogId) -> Self {
        Self { log: Some(log), ..self }
    }

    /// The same, silent about locks and holds: each costs a call of its own.
    pub fn without_locks(self) -> Self {
        Self { locks: false, ..self }
    }

    /// The same, silent about postings: reading them all costs as much as the index is large.
    pub fn without_postings(self) -> Self {
        Self { postings: false, ..self }
    }

    /// A version with its lock and hold.
    ///
    /// # Errors
    /// The bucket's.
    pub fn looked_at(&self, version: ObjectVersion) -> Result<ObjectVersion, EvidenceFault> {
        Ok(self.runtime.block_on(look(&*self.bucket, version))?)
    }

    /// Every version below `prefix`, with lock and hold where they are asked for.
    async fn list(&self, prefix: &str, each: &mut (dyn FnMut(ObjectVersion) + '_)) -> Result<(), StoreError> {
        let mut behind = None;
        loop {
            let what = format!("list the versions of {prefix}");
            let (page, next) = self.bucket.list_versions(&what, prefix, behind, VERSIONS_PER_PAGE).await?;
            let version = |version: ListedVersion| ObjectVersion {
                key: version.key,
                version_id: version.version_id,
                is_latest: version.is_latest,
                is_delete_marker: version.is_delete_marker,
                bytes: version.bytes,
                // The lock comes with a second look: listings do not have it.
                lock: None,
                legal_hold: false,
                last_modified_ms: u64::try_from(version.written_at_ms).unwrap_or_default(),
            };
            let (markers, listed): (Vec<_>, Vec<_>) =
                page.into_iter().map(version).partition(|version| version.is_delete_marker);
            markers.into_iter().for_each(&mut *each);
            if self.locks {
                self.look_at(listed, each).await?;
            } else {
                listed.into_iter().for_each(&mut *each);
            }
            behind = next;
            if behind.is_none() {
                return Ok(());
            }
        }
    }

    /// Adds each version's lock and hold.
    async fn look_at(
        &self,
        listed: Vec<ObjectVersion>,
        each: &mut (dyn FnMut(ObjectVersion) + '_),
    ) -> Result<(), StoreError> {
        let room = Arc::new(Semaphore::new(LOOKS));
        let mut looks = JoinSet::new();
        for version in listed {
            let (bucket, room) = (Arc::clone(&self.bucket), Arc::clone(&room));
            looks.spawn_on(
                async move {
                    let _one = room.acquire().await;
                    look(&*bucket, version).await
                },
                &self.runtime,
            );
        }
        while let Some(looked) = looks.join_next().await {
            let looked =
                looked.map_err(|error| StoreError::Unknown(Failure::caused_by("look at a version's lock", error)))?;
            each(looked?);
        }
        Ok(())
    }

    async fn head_rows(&self, heads: &Heads) -> Result<Vec<HeadRow>, StoreError> {
        let logs = match &self.log {
            Some(log) => vec![log.clone()],
            None => heads.logs().await?,
        };
        let mut rows = Vec::with_capacity(logs.len());
        for log in logs {
            // A listed log without a head has lost it: its segments will tell.
            if let Some(head) = heads.head(&log).await? {
                rows.push(HeadRow::of(&log, &head));
            }
        }
        Ok(rows)
    }
}

impl Evidence for StoredEvidence {
    fn versions(&self, each: &mut dyn FnMut(ObjectVersion)) -> Result<(), EvidenceFault> {
        let prefix = self.log.as_ref().map_or_else(|| ROOT.to_owned(), |log| format!("{ROOT}{log}/"));
        Ok(self.runtime.block_on(self.list(&prefix, each))?)
    }

    fn read(&self, version: &ObjectVersion) -> Result<Vec<u8>, EvidenceFault> {
        let get = Get::version(&version.key, &version.version_id);
        let read = self.runtime.block_on(self.bucket.get(&format!("get {}", version.key), get))?;
        Ok(read.bytes.into())
    }

    fn heads(&self) -> Result<Option<Vec<HeadRow>>, EvidenceFault> {
        let Some((heads, _)) = &self.tables else { return Ok(None) };
        Ok(Some(self.runtime.block_on(self.head_rows(heads))?))
    }

    fn postings(&self, each: &mut dyn FnMut(Posting)) -> Result<Given, EvidenceFault> {
        let tables = self.tables.as_ref().filter(|_| self.postings);
        let Some((_, postings)) = tables else { return Ok(Given::NotPartOfIt) };
        let mut after = None;
        loop {
            let (page, next) = self.runtime.block_on(postings.page(self.log.as_ref(), after))?;
            page.into_iter().for_each(&mut *each);
            after = next;
            if after.is_none() {
                return Ok(Given::All);
            }
        }
    }
}

/// What a version's own headers say of its lock and hold.
async fn look(bucket: &dyn Bucket, version: ObjectVersion) -> Result<ObjectVersion, StoreError> {
    match bucket.head(&format!("look at {}", version.key), &version.key, Some(&version.version_id)).await {
        Ok(head) => Ok(ObjectVersion { lock: head.lock, legal_hold: head.legal_hold, ..version }),
        // A partial tile may be replaced while one looks: what was listed is said as it was listed.
        Err(StoreError::NotFound(_)) => Ok(version),
        Err(error) => Err(error),
    }
}
