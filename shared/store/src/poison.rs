//! Messages that no retry can help, in the staged bucket: kept before they are acknowledged.

use std::sync::Arc;

use bytes::Bytes;
use ledgerline_lake::keys;
use ledgerline_ledger::store::StoreError;

use crate::bucket::{self, Bucket};

/// The messages that functions kept.
#[derive(Clone, Debug)]
pub struct Poison {
    bucket: Arc<dyn Bucket>,
}

impl Poison {
    /// Objects of the staged bucket.
    pub fn new(bucket: Arc<dyn Bucket>) -> Self {
        Self { bucket }
    }

    /// Puts the document at `poison/<function>/<id>.json`; the same message may be put again.
    ///
    /// # Errors
    /// The bucket's.
    pub async fn keep(&self, function: &str, id: &str, document: Bytes) -> Result<(), StoreError> {
        let key = keys::poison(function, id);
        self.bucket.put(&format!("put {key}"), bucket::Put::of(key, document, "application/json")).await.map(drop)
    }
}
