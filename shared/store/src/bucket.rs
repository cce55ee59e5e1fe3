//! The port of the S3 buckets.
//!
//! Invariant: a call either did what it says or returns a [`StoreError`] that says what is known about the outcome;
//! nothing is retried here but a put that [`put_if_free`] races. A bucket that is not there is `Denied`: a wrong
//! configuration, not a deleted object.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use ledgerline_ledger::lock::Lock;
use ledgerline_ledger::store::{Failure, StoreError};
use ledgerline_ledger::tree::Hash;

/// Which bytes to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Get {
    /// The key.
    pub key: String,
    /// The version; without one, the current one.
    pub version_id: Option<String>,
    /// Offset and length; without them, all of it. An object that ends before the offset is `Corrupt`, and so is a range
    /// without bytes; an object that ends within the range gives fewer bytes.
    pub range: Option<(u64, u64)>,
}

impl Get {
    /// All of the current version.
    pub fn current(key: impl Into<String>) -> Self {
        Self { key: key.into(), version_id: None, range: None }
    }

    /// All of one version.
    pub fn version(key: impl Into<String>, version_id: impl Into<String>) -> Self {
        Self { version_id: Some(version_id.into()), ..Self::current(key) }
    }

    /// Only so many bytes behind the offset.
    #[must_use]
    pub fn range(self, offset: u64, length: u64) -> Self {
        Self { range: Some((offset, length)), ..self }
    }
}

/// An object as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// The bytes asked for.
    pub bytes: Bytes,
    /// Its entity tag: what a put must name to replace exactly this.
    pub tag: String,
    /// When it was written, in epoch milliseconds by the bucket's clock.
    pub written_at_ms: Option<i64>,
    /// Which version it is; none where the bucket keeps no versions.
    pub version_id: Option<String>,
    /// How it is stored; none for the standard class.
    pub class: Option<StorageClass>,
}

/// How an object is stored, as S3 says it: what takes an object's place keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StorageClass(pub String);

/// An object that is read piece by piece, so that none need fit into memory.
#[derive(Debug)]
pub struct Opened {
    /// Its bytes in their order.
    pub body: Box<dyn Body>,
    /// Which version they are of; none where the bucket keeps no versions.
    pub version_id: Option<String>,
}

/// An object's bytes, piece by piece.
#[async_trait]
pub trait Body: fmt::Debug + Send {
    /// The next piece, never empty; `None` after the last. A connection that breaks is `Unknown`.
    async fn next(&mut self) -> Result<Option<Bytes>, StoreError>;
}

/// When a put is done at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OnlyIf {
    /// No object has the key (If-None-Match: *).
    Free,
    /// The key's object has this entity tag (If-Match).
    Tag(String),
}

/// An object to put.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Put {
    /// The key.
    pub key: String,
    /// The bytes.
    pub bytes: Bytes,
    /// Their media type.
    pub content_type: &'static str,
    /// Their SHA-256, for the bucket to check and keep.
    pub sha256: Option<Hash>,
    /// The lock to put it under.
    pub lock: Option<Lock>,
    /// The value of its tag [`TAG`], by which the bucket's lifecycle knows what is not evidence.
    pub tag: Option<&'static str>,
    /// When it is done.
    pub only_if: Option<OnlyIf>,
    /// How it is stored; without one, in the standard class.
    pub class: Option<StorageClass>,
}

impl Put {
    /// These bytes, without conditions.
    pub fn of(key: impl Into<String>, bytes: impl Into<Bytes>, content_type: &'static str) -> Self {
        let (key, bytes) = (key.into(), bytes.into());
        Self { key, bytes, content_type, sha256: None, lock: None, tag: None, only_if: None, class: None }
    }

    /// Only if no object has the key.
    #[must_use]
    pub fn if_free(self) -> Self {
        Self { only_if: Some(OnlyIf::Free), ..self }
    }

    /// Only in the place of the object with this tag; without one, only if no object has the key.
    #[must_use]
    pub fn in_place_of(self, tag: Option<&str>) -> Self {
        let only_if = tag.map_or(OnlyIf::Free, |tag| OnlyIf::Tag(tag.to_owned()));
        Self { only_if: Some(only_if), ..self }
    }
}

/// The tag by which a lifecycle knows objects.
pub const TAG: &str = "ledgerline";

/// What a put found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PutOutcome {
    /// It was written, as this version where the bucket keeps versions.
    Written {
        /// The version id.
        version_id: Option<String>,
    },
    /// The key has an object, or one of another tag (HTTP 412). HTTP 409, a race, is a `Conflict` instead.
    Refused {
        /// When the bucket answered, in epoch milliseconds by its clock.
        at_ms: Option<i64>,
    },
}

/// What a bucket says of a version without its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// The version id.
    pub version_id: Option<String>,
    /// Its size.
    pub bytes: u64,
    /// Its SHA-256, if the bucket keeps it.
    pub sha256: Option<Hash>,
    /// Its lock, if it has one. A mode that this code does not know is `Compliance`, an end that it cannot read the last
    /// second of all: neither is a reason to delete.
    pub lock: Option<Lock>,
    /// Whether somebody holds it.
    pub legal_hold: bool,
}

/// An object in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// The key.
    pub key: String,
    /// Its entity tag: another one once it was replaced.
    pub tag: String,
    /// When it was written, in epoch milliseconds by the bucket's clock.
    pub written_at_ms: i64,
}

/// A version in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedVersion {
    /// The key.
    pub key: String,
    /// The version id; `null` for one from before the bucket kept versions.
    pub version_id: String,
    /// Whether a GET without a version finds it.
    pub is_latest: bool,
    /// Whether it is a delete marker, which holds nothing and hides what came before.
    pub is_delete_marker: bool,
    /// Its size.
    pub bytes: u64,
    /// When it was written, in epoch milliseconds by the bucket's clock.
    pub written_at_ms: i64,
}

/// Where a list of versions goes on.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct VersionMarker {
    /// Behind this key, whether there is such a key or not.
    pub key: String,
    /// Behind this version of it; without one, behind all of them.
    pub version_id: Option<String>,
}

/// Some versions, and where to go on if there are more. A list that is cut and does not say where is `Corrupt`.
pub type VersionPage = (Vec<ListedVersion>, Option<VersionMarker>);

/// One bucket. Errors name attempts by `what`, with ids only.
#[async_trait]
pub trait Bucket: fmt::Debug + Send + Sync {
    /// An object's bytes. `NotFound` if it is gone.
    async fn get(&self, what: &str, get: Get) -> Result<Object, StoreError>;

    /// An object, to read piece by piece. `NotFound` if it is gone.
    async fn open(&self, what: &str, get: Get) -> Result<Opened, StoreError>;

    /// Puts an object. `NotFound`: the object that was to be replaced is gone.
    async fn put(&self, what: &str, put: Put) -> Result<PutOutcome, StoreError>;

    /// What the bucket says of a version, or of the current one. `NotFound` if it is gone.
    async fn head(&self, what: &str, key: &str, version_id: Option<&str>) -> Result<Head, StoreError>;

    /// Makes a version's lock longer or stronger; the bucket refuses to make it weaker.
    async fn put_retention(&self, what: &str, key: &str, version_id: &str, lock: &Lock) -> Result<(), StoreError>;

    /// Lays or lifts a legal hold.
    async fn put_legal_hold(&self, what: &str, key: &str, version_id: &str, on: bool) -> Result<(), StoreError>;

    /// Sets the value of the current version's tag [`TAG`].
    async fn put_tag(&self, what: &str, key: &str, value: &str) -> Result<(), StoreError>;

    /// Deletes a version for good; without one, in a bucket that keeps versions, puts a delete marker. What is gone
    /// already is not an error; what is locked or held is `Denied`.
    async fn delete(&self, what: &str, key: &str, version_id: Option<&str>) -> Result<(), StoreError>;

    /// At most `limit` objects below a prefix, behind the key `after`, in the order of their keys. Fewer than `limit` are
    /// the last.
    async fn list(&self, what: &str, prefix: &str, after: &str, limit: usize) -> Result<Vec<Listed>, StoreError>;

    /// At most `limit` versions below a prefix, and no more than 1,000, delete markers included, in the order of their
    /// keys, the newest of a key first.
    async fn list_versions(
        &self,
        what: &str,
        prefix: &str,
        behind: Option<VersionMarker>,
        limit: usize,
    ) -> Result<VersionPage, StoreError>;
}

/// Buckets that messages name.
pub trait Buckets: fmt::Debug + Send + Sync {
    /// The bucket of this name, whether there is one or not.
    fn named(&self, name: &str) -> Arc<dyn Bucket>;
}

/// Puts an object if its key is free, trying again while the bucket answers that another put of the key is under way.
///
/// # Errors
/// The bucket's; `Conflict` if the race does not end.
pub async fn put_if_free(bucket: &dyn Bucket, what: &str, put: Put) -> Result<PutOutcome, StoreError> {
    let (put, mut wait) = (put.if_free(), FIRST_WAIT);
    for _ in 1..RACES {
        match bucket.put(what, put.clone()).await {
            Err(StoreError::Conflict(_)) => tokio::time::sleep(wait).await,
            other => return other,
        }
        wait *= 2;
    }
    bucket.put(what, put).await
}

/// All versions of one object and its delete markers, the newest first.
///
/// # Errors
/// The bucket's.
pub async fn versions_of(bucket: &dyn Bucket, what: &str, key: &str) -> Result<Vec<ListedVersion>, StoreError> {
    let (mut found, mut behind) = (Vec::new(), None);
    loop {
        let (page, next) = bucket.list_versions(what, key, behind, VERSIONS_PER_LIST).await?;
        // The key itself comes before all that begin with it.
        let is_over = page.iter().any(|one| one.key != key);
        found.extend(page.into_iter().filter(|one| one.key == key));
        behind = next;
        if is_over || behind.is_none() {
            return Ok(found);
        }
    }
}

/// Deletes for good what lies behind the version `own` of an object, older versions and delete markers: never a version that somebody
/// put after it, and nothing if `own` is not there any more. How many it deleted.
///
/// # Errors
/// The bucket's; some may be deleted then.
pub async fn delete_behind(bucket: &dyn Bucket, what: &str, key: &str, own: &str) -> Result<usize, StoreError> {
    let versions = versions_of(bucket, what, key).await?;
    let behind = versions.iter().skip_while(|one| one.version_id != own).skip(1);
    let mut deleted = 0;
    for one in behind {
        bucket.delete(what, key, Some(&one.version_id)).await?;
        deleted += 1;
    }
    Ok(deleted)
}

/// Versions in one answer: S3's most.
const VERSIONS_PER_LIST: usize = 1_000;

/// Times that a conditional put is tried while S3 answers that another one for its key is under way (HTTP 409). Such a
/// put ends within seconds: 5 tries, 100 ms × (1 + 2 + 4 + 8) = 1.5 s of waiting.
const RACES: u32 = 5;
const FIRST_WAIT: Duration = Duration::from_millis(100);

/// `None` for what is not there.
pub(crate) fn found<T>(read: Result<T, StoreError>) -> Result<Option<T>, StoreError> {
    match read {
        Ok(found) => Ok(Some(found)),
        Err(StoreError::NotFound(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The put that was to find its key free, or the object with its tag, did not.
pub(crate) fn refused(what: &str) -> StoreError {
    StoreError::Conflict(Failure::new(what))
}
