//! What is handed out, in the staged bucket: certificates of erasures, until they expire.
//!
//! Invariant: an object is put before the request that it belongs to is done, and expires by the bucket's lifecycle. It is the one place
//! where a person's deletion entries are joined.

use std::sync::Arc;

use bytes::Bytes;
use ledgerline_ledger::store::StoreError;

use crate::bucket::{self, Bucket, Get, found};

/// Where it lies.
pub const FOLDER: &str = "packages/";

/// The forms of a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// The file that proves.
    Json,
    /// The page that people read.
    Html,
}

impl Form {
    fn of(self) -> (&'static str, &'static str) {
        match self {
            Self::Json => ("json", "application/json"),
            Self::Html => ("html", "text/html; charset=utf-8"),
        }
    }

    /// What it is served as.
    pub fn content_type(self) -> &'static str {
        self.of().1
    }
}

/// The key of a request's certificate.
pub fn certificate_key(request: &str, form: Form) -> String {
    format!("{FOLDER}erasure/{request}/certificate.{}", form.of().0)
}

/// What is handed out.
#[derive(Debug, Clone)]
pub struct Packages {
    bucket: Arc<dyn Bucket>,
}

impl Packages {
    /// Objects of the staged bucket.
    pub fn new(bucket: Arc<dyn Bucket>) -> Self {
        Self { bucket }
    }

    /// Puts a request's certificate; again, it takes the place of the one before, which says the same.
    ///
    /// # Errors
    /// The bucket's.
    pub async fn put_certificate(&self, request: &str, form: Form, bytes: Bytes) -> Result<(), StoreError> {
        let put = bucket::Put::of(certificate_key(request, form), bytes, form.content_type());
        self.bucket.put(&format!("put the certificate of {request}"), put).await.map(drop)
    }

    /// A request's certificate; `None` before it is made, and once it expired.
    ///
    /// # Errors
    /// The bucket's.
    pub async fn certificate(&self, request: &str, form: Form) -> Result<Option<Bytes>, StoreError> {
        let get = Get::current(certificate_key(request, form));
        let read = self.bucket.get(&format!("read the certificate of {request}"), get).await;
        Ok(found(read)?.map(|object| object.bytes))
    }
}
