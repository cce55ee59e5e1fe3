//! Versions of objects, page by page.
//!
//! Invariant: a list that ends says so itself; one that is cut and does not say where it goes on is an error, never an end.

use aws_sdk_s3::Client;
use aws_sdk_s3::operation::list_object_versions::ListObjectVersionsOutput;
use ledgerline_ledger::store::{Failure, StoreError};

use crate::config::store_error;

/// The versions below a prefix, delete markers included, in the order of their keys.
#[derive(Debug)]
pub(crate) struct VersionPages<'a> {
    client: &'a Client,
    bucket: &'a str,
    prefix: &'a str,
    page: Option<i32>,
    key_marker: Option<String>,
    version_marker: Option<String>,
    has_more: bool,
}

impl<'a> VersionPages<'a> {
    /// All of them.
    pub(crate) fn below(client: &'a Client, bucket: &'a str, prefix: &'a str) -> Self {
        Self { client, bucket, prefix, page: None, key_marker: None, version_marker: None, has_more: true }
    }

    /// Only what lies behind this key, whether there is such a key or not.
    pub(crate) fn behind(self, key: Option<String>) -> Self {
        Self { key_marker: key, ..self }
    }

    /// So many at once at most; S3 gives no more than 1,000.
    pub(crate) fn in_pages_of(self, versions: usize) -> Self {
        Self { page: Some(i32::try_from(versions).unwrap_or(i32::MAX)), ..self }
    }

    /// The next page; `None` behind the last.
    pub(crate) async fn next(&mut self) -> Result<Option<ListObjectVersionsOutput>, StoreError> {
        if !self.has_more {
            return Ok(None);
        }
        let what = format!("list the versions of {} in {}", self.prefix, self.bucket);
        let list = self.client.list_object_versions().bucket(self.bucket).prefix(self.prefix);
        let list = list.set_key_marker(self.key_marker.take()).set_version_id_marker(self.version_marker.take());
        let sent = list.set_max_keys(self.page).send().await;
        let mut answer = sent.map_err(|error| store_error(&what, error))?;
        self.has_more = answer.is_truncated.unwrap_or_default();
        (self.key_marker, self.version_marker) = (answer.next_key_marker.take(), answer.next_version_id_marker.take());
        if self.has_more && self.key_marker.is_none() {
            return Err(StoreError::Corrupt(Failure::new(format!("{what}: a cut list names no next key"))));
        }
        Ok(Some(answer))
    }
}
