//! The port that verification reads through: a bucket, or a folder exported from one.
//!
//! Invariant: verification sees every version and every delete marker, in whatever order the source lists them, and
//! reads bytes by version alone, so that nothing laid over a locked version hides it. Lists come through callbacks, since
//! a ledger's listing and its postings may be larger than memory.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::head::StoredHead;
use crate::lock::{Lock, LockMode};
use crate::log::LogId;
use crate::posting::Posting;
use crate::store::StoreError;
use crate::tree::Hash;

/// One version of one object, or one delete marker, as the bucket lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectVersion {
    /// The object's key.
    pub key: String,
    /// The version id.
    pub version_id: String,
    /// Whether a read without a version id gets this one.
    pub is_latest: bool,
    /// Whether it hides the object and holds nothing.
    pub is_delete_marker: bool,
    /// Its size.
    pub bytes: u64,
    /// Its retention, if it has one.
    pub lock: Option<Lock>,
    /// Whether a legal hold lies on it.
    pub legal_hold: bool,
    /// When it was written, in epoch milliseconds.
    pub last_modified_ms: u64,
}

/// Evidence to verify. Calls come from several threads.
pub trait Evidence: Sync {
    /// Calls `each` for every version and every delete marker under `ledger/`, in any order.
    fn versions(&self, each: &mut dyn FnMut(ObjectVersion)) -> Result<(), EvidenceFault>;
    /// Whether the store itself says when its versions were written. A folder only repeats what its maker wrote: nothing in
    /// it is under way.
    fn is_live(&self) -> bool {
        true
    }
    /// The bytes of one version.
    fn read(&self, version: &ObjectVersion) -> Result<Vec<u8>, EvidenceFault>;
    /// The heads of all logs; `None` if heads are not part of this evidence.
    fn heads(&self) -> Result<Option<Vec<HeadRow>>, EvidenceFault>;
    /// Calls `each` for every posting of every log, in any order.
    fn postings(&self, each: &mut dyn FnMut(Posting)) -> Result<Given, EvidenceFault>;
}

/// What verification asks of a log's head.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeadRow {
    /// The log.
    pub log: LogId,
    /// How many entries are committed.
    pub size: u64,
    /// The log's root.
    pub root: Hash,
    /// The roots of the maximal full subtrees, left to right.
    pub edge: Vec<Hash>,
    /// Entries below it have postings.
    pub indexed: u64,
    /// Key and version id of each segment that the head still names.
    pub segments: Vec<(String, String)>,
}

impl HeadRow {
    /// The row of a stored head.
    pub fn of(log: &LogId, head: &StoredHead) -> Self {
        let segments = head.unpublished.iter().map(|segment| (segment.key.clone(), segment.version_id.clone()));
        Self {
            log: log.clone(),
            size: head.size,
            root: head.root,
            edge: head.edge.clone(),
            indexed: head.indexed,
            segments: segments.collect(),
        }
    }
}

/// Whether something is part of the evidence at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Given {
    /// All of it was handed over.
    All,
    /// This evidence has none of it: nothing is said about it.
    NotPartOfIt,
}

/// Why evidence could not be looked at. Not a finding, but for [`EvidenceFault::Missing`] of a listed object.
#[derive(Debug)]
pub enum EvidenceFault {
    /// What was listed is not there.
    Missing(String),
    /// The evidence's own list is not in the form that this version reads.
    Malformed(String),
    /// A file or a store could not be read; trying again may help.
    Unavailable(String, Box<dyn std::error::Error + Send + Sync>),
}

impl fmt::Display for EvidenceFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(what) => write!(f, "{what} is not there"),
            Self::Malformed(what) => f.write_str(what),
            Self::Unavailable(what, source) => write!(f, "cannot {what}: {source}"),
        }
    }
}

impl std::error::Error for EvidenceFault {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Missing(_) | Self::Malformed(_) => None,
            Self::Unavailable(_, source) => Some(source.as_ref()),
        }
    }
}

impl From<StoreError> for EvidenceFault {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::NotFound(failure) => Self::Missing(failure.what),
            other => Self::Unavailable("read the store".to_owned(), Box::new(other)),
        }
    }
}

/// One line of `versions.jsonl`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct VersionLine {
    key: String,
    version_id: String,
    is_latest: bool,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    is_delete_marker: bool,
    bytes: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    lock_mode: Option<LockName>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    retain_until_s: Option<u64>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    legal_hold: bool,
    last_modified_ms: u64,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
enum LockName {
    Governance,
    Compliance,
}

impl ObjectVersion {
    /// Its line in `versions.jsonl`, without a newline.
    pub fn to_json(&self) -> String {
        let line = VersionLine {
            key: self.key.clone(),
            version_id: self.version_id.clone(),
            is_latest: self.is_latest,
            is_delete_marker: self.is_delete_marker,
            bytes: self.bytes,
            lock_mode: self.lock.map(|lock| match lock.mode {
                LockMode::Governance => LockName::Governance,
                LockMode::Compliance => LockName::Compliance,
            }),
            retain_until_s: self.lock.map(|lock| lock.retain_until_s),
            legal_hold: self.legal_hold,
            last_modified_ms: self.last_modified_ms,
        };
        // A struct of texts, numbers and flags always has a JSON form.
        serde_json::to_string(&line).unwrap_or_default()
    }

    /// Reads a line of `versions.jsonl`; `None` if it is none.
    pub fn from_json(line: &str) -> Option<Self> {
        let line: VersionLine = serde_json::from_str(line).ok()?;
        let lock = match (line.lock_mode, line.retain_until_s) {
            (Some(mode), Some(retain_until_s)) => {
                let mode = match mode {
                    LockName::Governance => LockMode::Governance,
                    LockName::Compliance => LockMode::Compliance,
                };
                Some(Lock { mode, retain_until_s })
            }
            (None, None) => None,
            _ => return None,
        };
        Some(Self {
            key: line.key,
            version_id: line.version_id,
            is_latest: line.is_latest,
            is_delete_marker: line.is_delete_marker,
            bytes: line.bytes,
            lock,
            legal_hold: line.legal_hold,
            last_modified_ms: line.last_modified_ms,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_comes_back_from_its_line() {
        let locked = ObjectVersion {
            key: "ledger/acme/interaction/1/0/checkpoint".to_owned(),
            version_id: "v1".to_owned(),
            is_latest: true,
            is_delete_marker: false,
            bytes: 7,
            lock: Some(Lock { mode: LockMode::Compliance, retain_until_s: 99 }),
            legal_hold: true,
            last_modified_ms: 12,
        };
        let marker = ObjectVersion { lock: None, is_delete_marker: true, legal_hold: false, ..locked.clone() };
        for version in [locked, marker] {
            assert_eq!(ObjectVersion::from_json(&version.to_json()), Some(version));
        }
    }

    #[test]
    fn half_a_lock_is_no_line() {
        let line =
            r#"{"key":"k","versionId":"v","isLatest":true,"bytes":1,"lockMode":"COMPLIANCE","lastModifiedMs":1}"#;
        assert_eq!(ObjectVersion::from_json(line), None);
        assert!(ObjectVersion::from_json(&line.replace("\"lockMode\":\"COMPLIANCE\",", "")).is_some());
    }
}
