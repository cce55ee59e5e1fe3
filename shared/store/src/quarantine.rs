//! Lines of bronze objects that are not events, in the bronze bucket: kept whole and replayable.

use std::sync::Arc;

use bytes::Bytes;
use ledgerline_lake::{ObjectId, keys};
use ledgerline_ledger::store::StoreError;

use crate::bucket::{self, Bucket};

/// Whether a key is of lines that transform or redrive kept.
pub fn is_key(key: &str) -> bool {
    let is = |function, suffix| {
        key.strip_prefix(keys::QUARANTINE).is_some_and(|name| name.starts_with(function) && name.ends_with(suffix))
    };
    is("transform/", ".jsonl.gz") || is("redrive/", ".jsonl")
}

/// What transform keeps of bronze objects.
#[derive(Clone, Debug)]
pub struct Quarantine {
    bucket: Arc<dyn Bucket>,
}

impl Quarantine {
    /// Objects of the bronze bucket.
    pub fn new(bucket: Arc<dyn Bucket>) -> Self {
        Self { bucket }
    }

    /// Puts the gzipped lines under the object's own key; the same lines may be put again.
    ///
    /// # Errors
    /// The bucket's.
    pub async fn put(&self, object: ObjectId, lines_gz: Bytes) -> Result<(), StoreError> {
        let key = keys::quarantine_of(object);
        self.bucket.put(&format!("put {key}"), bucket::Put::of(key, lines_gz, "application/gzip")).await.map(drop)
    }
}
