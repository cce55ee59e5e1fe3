//! Bronze objects: source events as Firehose delivered them, to stream and to list; an erasure puts them again without somebody's lines,
//! and then a lifecycle would keep them too long: they are deleted on the day on which they would have gone.

use std::sync::Arc;

use bytes::Bytes;
use ledgerline_ledger::store::{Failure, StoreError};

use crate::bucket::{Body, Bucket, Get, Object, Put, PutOutcome, found, versions_of};

/// An object of bronze in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BronzeObject {
    /// Its key.
    pub key: String,
    /// When it was written, epoch milliseconds.
    pub written_at_ms: i64,
}

/// The media type that Firehose gives them.
const BINARY: &str = "application/octet-stream";
/// Objects in one page: S3's most.
pub const PAGE: usize = 1_000;

/// How often an object's versions are listed until none is left: an erasure that read it before may put it once more, and not again
/// once it is gone.
const ROUNDS: usize = 4;

/// All bronze objects.
#[derive(Clone, Debug)]
pub struct BronzeObjects {
    bucket: Arc<dyn Bucket>,
}

impl BronzeObjects {
    /// Objects of the bronze bucket.
    pub fn new(bucket: Arc<dyn Bucket>) -> Self {
        Self { bucket }
    }

    /// Opens the object at the key.
    ///
    /// # Errors
    /// The bucket's; `NotFound` if it is gone.
    pub async fn open(&self, key: &str) -> Result<Box<dyn Body>, StoreError> {
        // The key names a time and a delivery stream, nothing of a person.
        Ok(self.bucket.open(&format!("read bronze object {key}"), Get::current(key)).await?.body)
    }

    /// All of the object at the key; `None` if it is gone.
    ///
    /// # Errors
    /// The bucket's.
    pub async fn read(&self, key: &str) -> Result<Option<Object>, StoreError> {
        found(self.bucket.get(&format!("read bronze object {key}"), Get::current(key)).await)
    }

    /// Puts the object, from which somebody's lines were taken, in the place of what was read, and in its storage class.
    ///
    /// # Errors
    /// The bucket's; `NotFound` if it is gone, `Conflict` if another put is under way: read again.
    pub async fn replace(&self, key: &str, bytes: Bytes, read: &Object) -> Result<PutOutcome, StoreError> {
        let put = Put { class: read.class.clone(), ..Put::of(key, bytes, BINARY) };
        self.bucket.put(&format!("replace bronze object {key}"), put.in_place_of(Some(&read.tag))).await
    }

    /// Whether the object is there. The list says so, which reads nothing of it.
    ///
    /// # Errors
    /// The bucket's.
    pub async fn is_there(&self, key: &str) -> Result<bool, StoreError> {
        let listed = self.bucket.list(&format!("look for {key}"), key, "", 1).await?;
        Ok(listed.first().is_some_and(|one| one.key == key))
    }

    /// Deletes an object for good, every version of it and every delete marker. The newest goes last: until then a GET finds what it found
    /// before, and no older version comes to light. How many it deleted; none of an object that is gone already.
    ///
    /// # Errors
    /// The bucket's, and some may be deleted then; `Conflict` if somebody keeps putting it.
    pub async fn expire(&self, key: &str) -> Result<usize, StoreError> {
        let what = format!("expire bronze object {key}");
        let mut deleted = 0;
        for _ in 0..ROUNDS {
            let versions = versions_of(&*self.bucket, &what, key).await?;
            if versions.is_empty() {
                return Ok(deleted);
            }
            for one in versions.iter().rev() {
                self.bucket.delete(&what, key, Some(&one.version_id)).await?;
                deleted += 1;
            }
        }
        Err(StoreError::Conflict(Failure::new(format!("{what}: others put it {ROUNDS} times"))))
    }

    /// Up to a page of objects under the prefix, behind the key `after`, in the order of their keys. Fewer than
    /// [`PAGE`] are the last.
    ///
    /// # Errors
    /// The bucket's.
    pub async fn page(&self, prefix: &str, after: &str) -> Result<Vec<BronzeObject>, StoreError> {
        let listed = self.bucket.list(&format!("list {prefix}"), prefix, after, PAGE).await?;
        Ok(listed.into_iter().map(|one| BronzeObject { key: one.key, written_at_ms: one.written_at_ms }).collect())
    }
}
