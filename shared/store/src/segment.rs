//! Segments in the ledger's bucket: one locked object each, put once, deleted by version once it has expired.
//!
//! Invariant: a segment is read by version, and nothing here can overwrite it or shorten its lock. The one call that
//! deletes evidence names a version, and S3 refuses it while a lock or a hold lies on it.

use std::sync::Arc;

use bytes::Bytes;
use ledgerline_ledger::lock::Lock;
use ledgerline_ledger::log::LogId;
use ledgerline_ledger::segment::{ROOT, SegmentName, folder};
use ledgerline_ledger::store::StoreError;
use ledgerline_ledger::tree::Hash;

use crate::bucket::{self, Bucket, Get, ListedVersion, PutOutcome, VersionMarker, found};
use crate::table::corrupt;

/// What came of putting an object once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Put {
    /// It was written as this version.
    Written {
        /// The version id.
        version_id: String,
    },
    /// An object of that key exists (HTTP 412).
    Exists,
}

/// What the bucket says of an object's current version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectState {
    /// The version id.
    pub version_id: String,
    /// Its size.
    pub bytes: u64,
    /// Its SHA-256, if the store keeps it.
    pub sha256: Option<Hash>,
    /// Its lock, if it has one.
    pub lock: Option<Lock>,
}

/// One version of an object below a log's `segment/`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SegmentVersion {
    /// Its key.
    pub key: String,
    /// Its version.
    pub version_id: String,
    /// When it was written, epoch milliseconds.
    pub written_at_ms: i64,
}

/// What protects a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Protection {
    /// Its lock, over or not.
    pub lock: Option<Lock>,
    /// Whether a legal hold lies on it.
    pub legal_hold: bool,
}

/// The segments of all logs.
#[derive(Clone, Debug)]
pub struct Segments {
    bucket: Arc<dyn Bucket>,
}

impl Segments {
    /// Objects of the ledger's bucket.
    pub fn new(bucket: Arc<dyn Bucket>) -> Self {
        Self { bucket }
    }

    /// Puts a segment, once: with If-None-Match, its checksum and its lock.
    ///
    /// # Errors
    /// The bucket's; `Conflict` is a race (HTTP 409): try again.
    pub async fn put(&self, key: &str, bytes: &[u8], sha256: &Hash, lock: &Lock) -> Result<Put, StoreError> {
        put_locked(&*self.bucket, key, bytes, sha256, lock, GZIP).await
    }

    /// What lies under the key now.
    ///
    /// # Errors
    /// The bucket's; `NotFound` if nothing does.
    pub async fn state(&self, key: &str) -> Result<ObjectState, StoreError> {
        let what = format!("look at {key}");
        let head = self.bucket.head(&what, key, None).await?;
        let version_id = version(&what, head.version_id)?;
        Ok(ObjectState { version_id, bytes: head.bytes, sha256: head.sha256, lock: head.lock })
    }

    /// What protects a version; `None` if the version is gone.
    ///
    /// # Errors
    /// The bucket's.
    pub async fn protection(&self, key: &str, version_id: &str) -> Result<Option<Protection>, StoreError> {
        let head = found(self.bucket.head(&format!("look at {key}"), key, Some(version_id)).await)?;
        Ok(head.map(|head| Protection { lock: head.lock, legal_hold: head.legal_hold }))
    }

    /// Makes a version's lock longer or stronger; it cannot make it weaker.
    ///
    /// # Errors
    /// The bucket's.
    pub async fn extend_lock(&self, key: &str, version_id: &str, lock: &Lock) -> Result<(), StoreError> {
        self.bucket.put_retention(&format!("extend the lock of {key}"), key, version_id, lock).await
    }

    /// Lays or lifts a legal hold on a version. Doing so twice is doing so once.
    ///
    /// # Errors
    /// The bucket's.
    pub async fn put_legal_hold(&self, key: &str, version_id: &str, on: bool) -> Result<(), StoreError> {
        self.bucket.put_legal_hold(&format!("set the legal hold of {key}"), key, version_id, on).await
    }

    /// Deletes one expired version, for good.
    ///
    /// # Errors
    /// The bucket's; `Denied`: it is locked or held after all.
    pub async fn delete(&self, key: &str, version_id: &str) -> Result<(), StoreError> {
        self.bucket.delete(&format!("delete the expired {key}"), key, Some(version_id)).await
    }

    /// A whole segment.
    ///
    /// # Errors
    /// The bucket's.
    pub async fn read(&self, key: &str, version_id: &str) -> Result<Bytes, StoreError> {
        Ok(self.bucket.get(&format!("get {key}"), Get::version(key, version_id)).await?.bytes)
    }

    /// One member's bytes.
    ///
    /// # Errors
    /// The bucket's; `Corrupt` if the segment does not have as many there.
    pub async fn read_range(&self, key: &str, version_id: &str, offset: u64, length: u64) -> Result<Bytes, StoreError> {
        let what = format!("get {length} bytes at {offset} of {key}");
        let bytes = self.bucket.get(&what, Get::version(key, version_id).range(offset, length)).await?.bytes;
        if bytes.len() as u64 != length {
            return Err(corrupt(format!("{what}: got {}", bytes.len())));
        }
        Ok(bytes)
    }

    /// Versions of segments whose first index is at least `first`, by name, at most `limit` of them. Delete markers are
    /// left out and hide nothing.
    ///
    /// # Errors
    /// The bucket's.
    pub async fn from(&self, log: &LogId, first: u64, limit: usize) -> Result<Vec<SegmentVersion>, StoreError> {
        let folder = folder(log);
        let what = format!("list {folder}");
        // `/` comes after `-` and before digits, so this stands behind all that begins before `first` and before the rest.
        let behind = first.checked_sub(1).map(|before| format!("{folder}{before:020}/"));
        let mut behind = behind.map(|key| VersionMarker { key, version_id: None });
        let mut segments = Vec::new();
        loop {
            let (page, next) = self.bucket.list_versions(&what, &folder, behind, limit).await?;
            for one in page.into_iter().filter(|one| !one.is_delete_marker) {
                // Anything else in the folder is for the verification to name.
                let is_wanted = SegmentName::parse(&one.key).is_some_and(|name| name.first >= first);
                let (key, version_id, written_at_ms) = (one.key, one.version_id, one.written_at_ms);
                segments.extend(is_wanted.then_some(SegmentVersion { key, version_id, written_at_ms }));
            }
            segments.truncate(limit);
            if segments.len() == limit || next.is_none() {
                return Ok(segments);
            }
            behind = next;
        }
    }

    /// A page of the versions of segments of all logs, in the order of their keys, behind this place; and where to go on, if there may be
    /// more. Delete markers are left out and hide nothing.
    ///
    /// # Errors
    /// The bucket's.
    pub async fn page(
        &self,
        behind: Option<VersionMarker>,
    ) -> Result<(Vec<SegmentVersion>, Option<VersionMarker>), StoreError> {
        let (page, next) = self.bucket.list_versions("list the segments", ROOT, behind, VERSIONS).await?;
        let is_segment = |one: &ListedVersion| !one.is_delete_marker && SegmentName::parse(&one.key).is_some();
        let version = |one: ListedVersion| {
            let ListedVersion { key, version_id, written_at_ms, .. } = one;
            SegmentVersion { key, version_id, written_at_ms }
        };
        Ok((page.into_iter().filter(is_segment).map(version).collect(), next))
    }

    /// The bytes of the oldest version under a key; `None` if there is none, or nothing but delete markers.
    ///
    /// # Errors
    /// The bucket's.
    pub async fn oldest(&self, key: &str) -> Result<Option<Bytes>, StoreError> {
        let what = format!("list the versions of {key}");
        let (mut oldest, mut behind) = (None, None);
        loop {
            let (page, next) = self.bucket.list_versions(&what, key, behind, VERSIONS).await?;
            // The key itself comes before those that only begin like it; its newest version first.
            let is_passed = page.last().is_some_and(|one| one.key != key);
            let own = page.into_iter().filter(|one| one.key == key && !one.is_delete_marker);
            oldest = own.map(|one| one.version_id).next_back().or(oldest);
            if is_passed || next.is_none() {
                break;
            }
            behind = next;
        }
        match oldest {
            Some(version_id) => self.read(key, &version_id).await.map(Some),
            None => Ok(None),
        }
    }
}

/// One put under lock, if nothing lies under the key.
pub(crate) async fn put_locked(
    bucket: &dyn Bucket,
    key: &str,
    bytes: &[u8],
    sha256: &Hash,
    lock: &Lock,
    content_type: &'static str,
) -> Result<Put, StoreError> {
    let what = format!("put {key}");
    let put = bucket::Put::of(key, Bytes::copy_from_slice(bytes), content_type).if_free();
    let put = bucket::Put { sha256: Some(*sha256), lock: Some(*lock), ..put };
    Ok(match bucket.put(&what, put).await? {
        PutOutcome::Written { version_id } => Put::Written { version_id: version(&what, version_id)? },
        PutOutcome::Refused { .. } => Put::Exists,
    })
}

/// A bucket with Object Lock always versions: an answer without a version id comes from another kind of bucket.
fn version(what: &str, version_id: Option<String>) -> Result<String, StoreError> {
    version_id.ok_or_else(|| corrupt(format!("{what}: the bucket does not keep versions")))
}

const GZIP: &str = "application/gzip";
/// Versions that are listed at once: S3's most.
const VERSIONS: usize = 1_000;
