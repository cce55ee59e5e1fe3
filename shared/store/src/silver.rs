//! Silver files in the lake's bucket: Parquet for analysts, one a bronze object and day.
//!
//! Invariant: a file is overwritten only if its writer is dead without a plan, see [`RUNS_MS`], or by an erasure, which takes values out
//! of the very bytes that it read.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;
use ledgerline_lake::silver::{LineageRow, lineage_rows};
use ledgerline_ledger::store::{Failure, StoreError};

use crate::bucket::{self, Bucket, Get, Object, PutOutcome, found, put_if_free, refused};

/// A silver file that was written longer ago than this belongs to no run that could still plan: a run of transform lasts
/// 300 s at most. Nor had it planned: a run that finds the file began 300 s ago at most, and would have found the plan
/// then. A run that finds its own rows in an older file writes them again. 600 s, and half as much again to be sure. Both times that are
/// compared are S3's.
pub const RUNS_MS: i64 = 900_000;

/// The silver files.
#[derive(Clone, Debug)]
pub struct Silver {
    bucket: Arc<dyn Bucket>,
}

impl Silver {
    /// Objects of the lake's bucket.
    pub fn new(bucket: Arc<dyn Bucket>) -> Self {
        Self { bucket }
    }

    /// What the file's rows of these lines say of their events' way; `None` if there is no such file.
    ///
    /// # Errors
    /// The bucket's; `Corrupt` for a file that is none of silver's.
    pub async fn lineage(
        &self,
        key: &str,
        lines: &BTreeSet<u64>,
    ) -> Result<Option<BTreeMap<u64, LineageRow>>, StoreError> {
        let what = format!("read {key}");
        let Some(object) = found(self.bucket.get(&what, Get::current(key)).await)? else { return Ok(None) };
        let rows = lineage_rows(&object.bytes, lines);
        rows.map(Some).map_err(|error| StoreError::Corrupt(Failure::caused_by(what, error)))
    }

    /// Puts the file; the same rows at the same key may be put again. What is there is replaced only once its writer can no longer plan
    /// by it.
    ///
    /// # Errors
    /// The bucket's; `Conflict`: the writer of other rows may be alive, and trying again later helps.
    pub async fn put(&self, key: &str, parquet: Bytes) -> Result<(), StoreError> {
        let what = format!("put {key}");
        let put = bucket::Put::of(key, parquet.clone(), PARQUET);
        let PutOutcome::Refused { at_ms } = put_if_free(&*self.bucket, &what, put.clone()).await? else {
            return Ok(());
        };
        let there = self.bucket.get(&what, Get::current(key)).await?;
        match (is_dead(at_ms, there.written_at_ms), there.bytes == parquet) {
            (false, true) => return Ok(()),
            (false, false) => return Err(refused(&format!("{what}: another run wrote other rows just now"))),
            // The same rows, too, are written again: this run plans by them, and must not be taken for the dead one.
            (true, _) => {}
        }
        // Only what was read is replaced: if another run was faster, this fails and the message comes back.
        match self.bucket.put(&what, put.in_place_of(Some(&there.tag))).await? {
            PutOutcome::Written { .. } => Ok(()),
            PutOutcome::Refused { .. } => Err(refused(&what)),
        }
    }

    /// The file; `None` if there is none.
    ///
    /// # Errors
    /// The bucket's.
    pub async fn read(&self, key: &str) -> Result<Option<Object>, StoreError> {
        found(self.bucket.get(&format!("read {key}"), Get::current(key)).await)
    }

    /// Puts the file, from which somebody's values were taken, in the place of the one with this tag.
    ///
    /// # Errors
    /// The bucket's; `NotFound` if it is gone, `Conflict` if another put is under way: read again.
    pub async fn replace(&self, key: &str, parquet: Bytes, tag: &str) -> Result<PutOutcome, StoreError> {
        let put = bucket::Put::of(key, parquet, PARQUET).in_place_of(Some(tag));
        self.bucket.put(&format!("replace {key}"), put).await
    }
}

/// Whether a run that wrote a file at one time cannot plan at the other any more. Without the times it may.
fn is_dead(now_ms: Option<i64>, written_at_ms: Option<i64>) -> bool {
    now_ms.zip(written_at_ms).is_some_and(|(now_ms, written_at_ms)| now_ms - written_at_ms > RUNS_MS)
}

const PARQUET: &str = "application/vnd.apache.parquet";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_silver_file_is_given_up_for_dead_only_when_no_run_can_be_left() {
        let (second_ms, written) = (1_000, Some(1_772_460_000_000));
        let later = |ms: i64| written.map(|written| written + ms);
        assert!(!is_dead(later(900 * second_ms), written));
        assert!(is_dead(later(901 * second_ms), written));
        assert!(!is_dead(later(-3_600 * second_ms), written), "clocks that disagree decide nothing");
        assert!(!is_dead(None, written) && !is_dead(written, None));
    }
}
