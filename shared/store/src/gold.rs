//! Gold's files in the lake's bucket, and what gold is made of: silver's files by key and tag, the owner's targets.
//!
//! Invariant: a file is put only in the place of what its writer had read (If-Match, or If-None-Match for the first), and not at all if
//! its bytes are there already: that is the lock between two runs. A run's note is put once.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use ledgerline_figures::Interval;
use ledgerline_figures::summary::{Granularity, Summary};
use ledgerline_lake::{gold, keys};
use ledgerline_ledger::store::{Failure, StoreError};
use serde::Deserialize;
use time::Date;

use crate::bucket::{self, Bucket, Get, PutOutcome, found, refused};

/// A file as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// Its bytes.
    pub bytes: Bytes,
    /// What a put must name to replace exactly these.
    pub tag: String,
}

/// A silver file that figures are made of.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Input {
    /// Its key.
    pub key: String,
    /// Its entity tag: the eraser rewrites files under their keys.
    pub tag: String,
}

/// What a run was made of, as far as lineage asks: other members are left unread.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RunNote {
    /// The UTC date that was counted; none of a run over repeats.
    #[serde(default)]
    pub utc_date: Option<String>,
    /// For each UTC date that the local date lies on, the revision whose note lists the files that its half hours were counted of.
    #[serde(default)]
    pub counted_by: BTreeMap<String, u64>,
    /// The input.
    pub inputs: RunInputs,
}

/// A run's input.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct RunInputs {
    /// Key and entity tag of each file, in the order of the keys; none of a run over repeats.
    #[serde(default)]
    pub listed: Option<Vec<(String, String)>>,
}

impl RunNote {
    /// Whether the run counted a file.
    pub fn lists(&self, key: &str) -> bool {
        let listed = self.inputs.listed.as_deref().unwrap_or_default();
        listed.binary_search_by(|(listed, _)| listed.as_str().cmp(key)).is_ok()
    }
}

/// Gold's files.
#[derive(Clone, Debug)]
pub struct Gold {
    bucket: Arc<dyn Bucket>,
}

impl Gold {
    /// Objects of the lake's bucket.
    pub fn new(bucket: Arc<dyn Bucket>) -> Self {
        Self { bucket }
    }

    /// A file; `None` before the first.
    ///
    /// # Errors
    /// The bucket's.
    pub async fn load(&self, key: &str) -> Result<Option<Stored>, StoreError> {
        let read = found(self.bucket.get(&format!("read {key}"), Get::current(key)).await)?;
        Ok(read.map(|object| Stored { bytes: object.bytes, tag: object.tag }))
    }

    /// The counters of a UTC date, as they were stored.
    ///
    /// # Errors
    /// As [`Gold::intervals_in`].
    pub async fn intervals(&self, date: Date) -> Result<Option<Vec<Interval>>, StoreError> {
        let stored = self.load(&keys::gold_intervals(date)).await?;
        stored.map(|stored| Self::intervals_in(date, &stored)).transpose()
    }

    /// The counters in a date's file.
    ///
    /// # Errors
    /// `Corrupt` for a file that does not read.
    pub fn intervals_in(date: Date, stored: &Stored) -> Result<Vec<Interval>, StoreError> {
        let corrupt =
            |error| StoreError::Corrupt(Failure::caused_by(format!("read {}", keys::gold_intervals(date)), error));
        gold::read_intervals(stored.bytes.clone()).map_err(corrupt)
    }

    /// The document of a local date, and its entity tag; `None` if the date was not computed.
    ///
    /// # Errors
    /// The bucket's; `Corrupt` for a document that does not read.
    pub async fn summary(&self, date: Date, granularity: Granularity) -> Result<Option<(Summary, String)>, StoreError> {
        let key = keys::gold_summary(date, granularity);
        let Some(stored) = self.load(&key).await? else { return Ok(None) };
        let corrupt = |error| StoreError::Corrupt(Failure::caused_by(format!("read {key}"), error));
        let summary = serde_json::from_slice(&stored.bytes).map_err(corrupt)?;
        Ok(Some((summary, stored.tag)))
    }

    /// Puts a document in the place of the one with this tag; without one, the first.
    ///
    /// # Errors
    /// The bucket's; `Conflict`: another run wrote in between.
    pub async fn put_summary(&self, date: Date, summary: &Summary, before: Option<&str>) -> Result<(), StoreError> {
        let key = keys::gold_summary(date, summary.granularity);
        let corrupt = |error| StoreError::Corrupt(Failure::caused_by(format!("put {key}"), error));
        let bytes = serde_json::to_vec(summary).map_err(corrupt)?;
        self.replace(&key, bytes.into(), before, JSON).await
    }

    /// Puts a Parquet file in the place of `before`, unless that has the same bytes. Whether it was put.
    ///
    /// # Errors
    /// The bucket's; `Conflict`: another run wrote in between.
    pub async fn put_parquet(&self, key: &str, bytes: Bytes, before: Option<&Stored>) -> Result<bool, StoreError> {
        if before.is_some_and(|before| before.bytes == bytes) {
            return Ok(false);
        }
        self.replace(key, bytes, before.map(|before| before.tag.as_str()), PARQUET).await?;
        Ok(true)
    }

    /// Puts what a run was made of. One that is there is of a run that came to the same figures, and stays.
    ///
    /// # Errors
    /// The bucket's.
    pub async fn put_run(&self, date: Date, revision: u64, json: Vec<u8>) -> Result<(), StoreError> {
        let key = keys::gold_run(date, revision);
        bucket::put_if_free(&*self.bucket, &format!("put {key}"), bucket::Put::of(&key, json, JSON)).await.map(drop)
    }

    /// Puts what OpenLineage tells of the run behind a date's revision. What is there stays, as the run's note does.
    ///
    /// # Errors
    /// The bucket's.
    pub async fn put_open_lineage(&self, date: Date, revision: u64, json_lines: String) -> Result<(), StoreError> {
        let key = keys::open_lineage(date, revision);
        let put = bucket::Put::of(&key, json_lines, JSON_LINES);
        bucket::put_if_free(&*self.bucket, &format!("put {key}"), put).await.map(drop)
    }

    /// What a run was made of; `None` if it has no note.
    ///
    /// # Errors
    /// The bucket's; `Corrupt` for a note that does not read.
    pub async fn run(&self, date: Date, revision: u64) -> Result<Option<RunNote>, StoreError> {
        let key = keys::gold_run(date, revision);
        let Some(stored) = self.load(&key).await? else { return Ok(None) };
        let corrupt = |error| StoreError::Corrupt(Failure::caused_by(format!("read {key}"), error));
        serde_json::from_slice(&stored.bytes).map(Some).map_err(corrupt)
    }

    /// Silver's files of a UTC date, in the order of their keys.
    ///
    /// # Errors
    /// The bucket's.
    pub async fn silver_of(&self, date: Date) -> Result<Vec<Input>, StoreError> {
        let prefix = keys::silver_events_of(date);
        let (mut files, mut after): (Vec<Input>, String) = (Vec::new(), String::new());
        loop {
            let page = self.bucket.list(&format!("list {prefix}"), &prefix, &after, LIST_PAGE).await?;
            let is_last = page.len() < LIST_PAGE;
            files.extend(page.into_iter().map(|listed| Input { key: listed.key, tag: listed.tag }));
            match files.last() {
                Some(last) if !is_last => after.clone_from(&last.key),
                _ => return Ok(files),
            }
        }
    }

    /// The owner's file of targets; `None` if there is none.
    ///
    /// # Errors
    /// The bucket's; `Corrupt` if it is no text.
    pub async fn targets(&self) -> Result<Option<String>, StoreError> {
        let Some(stored) = self.load(keys::REFERENCE_QUEUES).await? else { return Ok(None) };
        let text = String::from_utf8(stored.bytes.to_vec());
        let corrupt =
            |error| StoreError::Corrupt(Failure::caused_by(format!("read {}", keys::REFERENCE_QUEUES), error));
        text.map(Some).map_err(corrupt)
    }

    async fn replace(
        &self,
        key: &str,
        bytes: Bytes,
        before: Option<&str>,
        media_type: &'static str,
    ) -> Result<(), StoreError> {
        let what = format!("put {key}");
        let put = bucket::Put::of(key, bytes, media_type).in_place_of(before);
        // A file that was read and is gone is as good as replaced by another.
        match found(self.bucket.put(&what, put).await)? {
            Some(PutOutcome::Written { .. }) => Ok(()),
            Some(PutOutcome::Refused { .. }) | None => Err(refused(&what)),
        }
    }
}

/// S3's largest page.
const LIST_PAGE: usize = 1_000;
const JSON: &str = "application/json";
const JSON_LINES: &str = "application/jsonl";
const PARQUET: &str = "application/vnd.apache.parquet";
