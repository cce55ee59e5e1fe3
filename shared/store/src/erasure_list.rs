//! What an erasure found to do, in the staged bucket: a list for each pass, and what its certificate will say, sealed under the request's key, which this module does
//! not have.
//!
//! Invariant: a list is put once; of two slices that make one at once the stored one counts for both. An erasure deletes its lists when
//! it closes, and whoever has the request's key no more reads none before that.

use std::sync::Arc;

use bytes::Bytes;
use ledgerline_ledger::store::StoreError;

use crate::bucket::{self, Bucket, Get, PutOutcome, found, put_if_free, refused};

/// The key of a pass's list.
pub fn key(request: &str, pass: u32) -> String {
    format!("{FOLDER}{request}/{pass}")
}

/// The key of what an erasure's certificate will say.
pub fn draft_key(request: &str) -> String {
    format!("{FOLDER}{request}/{DRAFT}")
}

/// The lists of all erasures.
#[derive(Debug, Clone)]
pub struct ErasureLists {
    bucket: Arc<dyn Bucket>,
}

impl ErasureLists {
    /// Objects of the staged bucket.
    pub fn new(bucket: Arc<dyn Bucket>) -> Self {
        Self { bucket }
    }

    /// Puts a pass's list unless there is one; the list that counts.
    ///
    /// # Errors
    /// The bucket's; `Conflict` if the list went meanwhile.
    pub async fn put_if_free(&self, request: &str, pass: u32, bytes: Bytes) -> Result<Bytes, StoreError> {
        self.put(key(request, pass), bytes).await
    }

    /// Puts what a certificate will say unless that lies there; what counts.
    ///
    /// # Errors
    /// The bucket's; `Conflict` if it went meanwhile.
    pub async fn put_draft_if_free(&self, request: &str, bytes: Bytes) -> Result<Bytes, StoreError> {
        self.put(draft_key(request), bytes).await
    }

    /// What a certificate will say; `None` if there is none.
    ///
    /// # Errors
    /// The bucket's.
    pub async fn draft(&self, request: &str) -> Result<Option<Bytes>, StoreError> {
        self.read(draft_key(request)).await
    }

    async fn put(&self, key: String, bytes: Bytes) -> Result<Bytes, StoreError> {
        let what = format!("put {key}");
        let put = bucket::Put::of(key.clone(), bytes.clone(), BINARY);
        match put_if_free(&*self.bucket, &what, put).await? {
            PutOutcome::Written { .. } => Ok(bytes),
            PutOutcome::Refused { .. } => self.read(key).await?.ok_or_else(|| refused(&what)),
        }
    }

    async fn read(&self, key: String) -> Result<Option<Bytes>, StoreError> {
        let read = self.bucket.get(&format!("read {key}"), Get::current(key)).await;
        Ok(found(read)?.map(|object| object.bytes))
    }

    /// A pass's list; `None` if there is none.
    ///
    /// # Errors
    /// The bucket's.
    pub async fn get(&self, request: &str, pass: u32) -> Result<Option<Bytes>, StoreError> {
        self.read(key(request, pass)).await
    }

    /// Deletes all lists of a request.
    ///
    /// # Errors
    /// The bucket's; some may be deleted then.
    pub async fn delete_all(&self, request: &str) -> Result<(), StoreError> {
        let what = format!("delete the lists of {request}");
        loop {
            let listed = self.bucket.list(&what, &format!("{FOLDER}{request}/"), "", PAGE).await?;
            for one in &listed {
                self.bucket.delete(&what, &one.key, None).await?;
            }
            if listed.len() < PAGE {
                return Ok(());
            }
        }
    }
}

/// Where they lie.
pub const FOLDER: &str = "erasure/";
/// Among the passes: none has this name.
const DRAFT: &str = "certificate";
const BINARY: &str = "application/octet-stream";
/// Lists that are looked for at once: S3's most.
const PAGE: usize = 1_000;
