//! Lines of bronze objects that are not events, in the bronze bucket: kept whole and replayable.

use std::sync::Arc;

use bytes::Bytes;
use ledgerline_lake::{ObjectId, keys};
use ledgerline_ledger::store::StoreError;

use crate::bucket::{self, Bucket};

/// Who set a line aside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum By {
    /// Ingest, through Firehose: it is not an I-JSON object.
    Ingest,
    /// Transform: a document that is not an event.
    Transform,
    /// Redrive: what cannot go back, or came round too often.
    Redrive,
}

impl By {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Ingest, Self::Transform, Self::Redrive];

    /// The function's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ingest => "ingest",
            Self::Transform => "transform",
            Self::Redrive => "redrive",
        }
    }

    /// Who put the object at this key; `None` if it is not an object of quarantine.
    pub fn of_key(key: &str) -> Option<Self> {
        let name = key.strip_prefix(keys::QUARANTINE)?;
        let is = |by: &Self| match by {
            // Firehose names it, below the partition that ingest answered.
            Self::Ingest => name.starts_with("event_type="),
            Self::Transform => name.starts_with("transform/") && name.ends_with(".jsonl.gz"),
            Self::Redrive => name.starts_with("redrive/") && name.ends_with(".jsonl"),
        };
        Self::ALL.into_iter().find(is)
    }
}

/// Whether a key is of lines that were set aside.
pub fn is_key(key: &str) -> bool {
    By::of_key(key).is_some()
}

/// Where redrive keeps lines of an error object: the first part, and further ones of an object that has very many.
pub fn redriven(object: ObjectId, part: u32) -> String {
    match part {
        0 => format!("{}redrive/{object}.jsonl", keys::QUARANTINE),
        part => format!("{}redrive/{object}-{part}.jsonl", keys::QUARANTINE),
    }
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
