//! An S3 bucket: [`Bucket`]'s calls as requests, and S3's answers to conditional puts.
//!
//! Invariant: a lock's and a condition's headers are set through the SDK's own fields, and no list that is cut without
//! saying where it goes on passes for a whole one.

use std::sync::Arc;

use async_trait::async_trait;
use aws_sdk_s3::Client;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::operation::get_object::GetObjectOutput;
use aws_sdk_s3::operation::head_object::HeadObjectOutput;
use aws_sdk_s3::operation::put_object::builders::PutObjectFluentBuilder;
use aws_sdk_s3::primitives::{ByteStream, DateTime, DateTimeFormat};
use aws_sdk_s3::types::{
    ChecksumMode, DeleteMarkerEntry, ObjectLockLegalHold, ObjectLockLegalHoldStatus, ObjectLockMode,
    ObjectLockRetention, ObjectLockRetentionMode, ObjectVersion, StorageClass as ObjectClass, Tag, Tagging,
};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use ledgerline_ledger::lock::{Lock, LockMode};
use ledgerline_ledger::store::{Failure, StoreError};
use ledgerline_ledger::tree::Hash;
use ledgerline_store::bucket::{
    Body, Bucket, Buckets, Get, Head, Listed, ListedVersion, Object, OnlyIf, Opened, Put, PutOutcome, StorageClass,
    TAG, VersionMarker, VersionPage,
};
use ledgerline_store::table::corrupt;

use crate::config::store_error;

/// Objects or versions in one answer: S3's most.
const PAGE: usize = 1_000;

/// A bucket by its name.
#[derive(Clone, Debug)]
pub struct S3Bucket {
    client: Client,
    name: String,
}

impl S3Bucket {
    /// The bucket named `name`.
    pub fn new(client: Client, name: impl Into<String>) -> Self {
        Self { client, name: name.into() }
    }

    async fn request(&self, what: &str, get: Get) -> Result<GetObjectOutput, StoreError> {
        let range = match get.range {
            None => None,
            Some(range) => Some(range_of(range).ok_or_else(|| corrupt(format!("{what}: no such range")))?),
        };
        let request = self.client.get_object().bucket(&self.name).key(get.key).set_version_id(get.version_id);
        request.set_range(range).send().await.map_err(|error| bucket_error(what, error))
    }

    fn put_request(&self, put: Put) -> PutObjectFluentBuilder {
        let request = self.client.put_object().bucket(&self.name).key(put.key).content_type(put.content_type);
        let request = request.body(put.bytes.into()).set_tagging(put.tag.map(|tag| format!("{TAG}={tag}")));
        let request = request.set_checksum_sha256(put.sha256.map(|sha256| STANDARD.encode(sha256.0)));
        let request = match put.lock {
            None => request,
            Some(lock) => request.object_lock_mode(match lock.mode {
                LockMode::Governance => ObjectLockMode::Governance,
                LockMode::Compliance => ObjectLockMode::Compliance,
            }),
        };
        let class = put.class.map(|StorageClass(class)| ObjectClass::from(class.as_str()));
        let request = request.set_storage_class(class);
        let request = request.set_object_lock_retain_until_date(put.lock.map(|lock| date(lock.retain_until_s)));
        match put.only_if {
            None => request,
            Some(OnlyIf::Free) => request.if_none_match("*"),
            Some(OnlyIf::Tag(tag)) => request.if_match(tag),
        }
    }
}

#[async_trait]
impl Bucket for S3Bucket {
    async fn get(&self, what: &str, get: Get) -> Result<Object, StoreError> {
        let answer = self.request(what, get).await?;
        let tag = answer.e_tag.ok_or_else(|| incomplete(what))?;
        let written_at_ms = answer.last_modified.as_ref().and_then(ms);
        let body = answer.body.collect().await;
        let body = body.map_err(|error| StoreError::Unknown(Failure::caused_by(what, error)))?;
        let (version_id, class) = (answer.version_id, answer.storage_class);
        let class = class.map(|class| StorageClass(class.as_str().to_owned()));
        Ok(Object { bytes: body.into_bytes(), tag, written_at_ms, version_id, class })
    }

    async fn open(&self, what: &str, get: Get) -> Result<Opened, StoreError> {
        let answer = self.request(what, get).await?;
        let body = Streamed { what: what.to_owned(), stream: answer.body };
        Ok(Opened { body: Box::new(body), version_id: answer.version_id })
    }

    async fn put(&self, what: &str, put: Put) -> Result<PutOutcome, StoreError> {
        let is_conditional = put.only_if.is_some();
        match self.put_request(put).send().await {
            Ok(answer) => Ok(PutOutcome::Written { version_id: answer.version_id }),
            Err(error) if is_conditional && status(&error) == 412 => {
                Ok(PutOutcome::Refused { at_ms: answered_at(&error).as_ref().and_then(ms) })
            }
            Err(error) => Err(bucket_error(what, error)),
        }
    }

    async fn head(&self, what: &str, key: &str, version_id: Option<&str>) -> Result<Head, StoreError> {
        let look = self.client.head_object().bucket(&self.name).key(key).set_version_id(version_id.map(str::to_owned));
        let head = look.checksum_mode(ChecksumMode::Enabled).send().await;
        Ok(read_head(head.map_err(|error| bucket_error(what, error))?))
    }

    async fn put_retention(&self, what: &str, key: &str, version_id: &str, lock: &Lock) -> Result<(), StoreError> {
        let mode = match lock.mode {
            LockMode::Governance => ObjectLockRetentionMode::Governance,
            LockMode::Compliance => ObjectLockRetentionMode::Compliance,
        };
        let retention = ObjectLockRetention::builder().mode(mode).retain_until_date(date(lock.retain_until_s)).build();
        let put = self.client.put_object_retention().bucket(&self.name).key(key).version_id(version_id);
        put.retention(retention).send().await.map(drop).map_err(|error| bucket_error(what, error))
    }

    async fn put_legal_hold(&self, what: &str, key: &str, version_id: &str, on: bool) -> Result<(), StoreError> {
        let status = if on { ObjectLockLegalHoldStatus::On } else { ObjectLockLegalHoldStatus::Off };
        let put = self.client.put_object_legal_hold().bucket(&self.name).key(key).version_id(version_id);
        let put = put.legal_hold(ObjectLockLegalHold::builder().status(status).build());
        put.send().await.map(drop).map_err(|error| bucket_error(what, error))
    }

    async fn put_tag(&self, what: &str, key: &str, value: &str) -> Result<(), StoreError> {
        let tag = Tag::builder().key(TAG).value(value).build();
        let tags = tag.and_then(|tag| Tagging::builder().tag_set(tag).build());
        let tags = tags.map_err(|error| StoreError::Unknown(Failure::caused_by(what, error)))?;
        let put = self.client.put_object_tagging().bucket(&self.name).key(key).tagging(tags);
        put.send().await.map(drop).map_err(|error| bucket_error(what, error))
    }

    async fn delete(&self, what: &str, key: &str, version_id: Option<&str>) -> Result<(), StoreError> {
        let version_id = version_id.map(str::to_owned);
        let delete = self.client.delete_object().bucket(&self.name).key(key).set_version_id(version_id);
        match delete.send().await.map_err(|error| bucket_error(what, error)) {
            Ok(_) | Err(StoreError::NotFound(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    async fn list(&self, what: &str, prefix: &str, after: &str, limit: usize) -> Result<Vec<Listed>, StoreError> {
        let (mut found, mut next) = (Vec::new(), None);
        while found.len() < limit {
            let after = Some(after).filter(|after| !after.is_empty()).map(str::to_owned);
            let list = self.client.list_objects_v2().bucket(&self.name).prefix(prefix).set_start_after(after);
            let list = list.set_continuation_token(next.take()).max_keys(max_keys(limit - found.len()));
            let answer = list.send().await.map_err(|error| bucket_error(what, error))?;
            for object in answer.contents.unwrap_or_default() {
                let written_at_ms = object.last_modified.as_ref().and_then(ms);
                let read = object.key.zip(object.e_tag).zip(written_at_ms);
                let read = read.map(|((key, tag), written_at_ms)| Listed { key, tag, written_at_ms });
                found.push(read.ok_or_else(|| incomplete(what))?);
            }
            if !answer.is_truncated.unwrap_or_default() {
                break;
            }
            next = Some(answer.next_continuation_token.ok_or_else(|| incomplete(what))?);
        }
        Ok(found)
    }

    async fn list_versions(
        &self,
        what: &str,
        prefix: &str,
        behind: Option<VersionMarker>,
        limit: usize,
    ) -> Result<VersionPage, StoreError> {
        let (key, version_id) = behind.map_or((None, None), |behind| (Some(behind.key), behind.version_id));
        let list = self.client.list_object_versions().bucket(&self.name).prefix(prefix).set_key_marker(key);
        let list = list.set_version_id_marker(version_id).max_keys(max_keys(limit));
        let answer = list.send().await.map_err(|error| bucket_error(what, error))?;
        let next = match answer.is_truncated.unwrap_or_default() {
            false => None,
            true => {
                let key = answer.next_key_marker.ok_or_else(|| incomplete(what))?;
                Some(VersionMarker { key, version_id: answer.next_version_id_marker })
            }
        };
        let versions = answer.versions.unwrap_or_default().into_iter().map(read_version).collect::<Option<_>>();
        let markers = answer.delete_markers.unwrap_or_default().into_iter().map(read_marker).collect::<Option<_>>();
        let (versions, markers) = versions.zip(markers).ok_or_else(|| incomplete(what))?;
        Ok((merged(versions, markers), next))
    }
}

/// The buckets that one client reaches.
#[derive(Clone, Debug)]
pub struct S3Buckets {
    client: Client,
}

impl S3Buckets {
    /// Those of this client.
    pub fn new(client: Client) -> Self {
        Self { client }
    }
}

impl Buckets for S3Buckets {
    fn named(&self, name: &str) -> Arc<dyn Bucket> {
        Arc::new(S3Bucket::new(self.client.clone(), name))
    }
}

/// An object under way.
#[derive(Debug)]
struct Streamed {
    what: String,
    stream: ByteStream,
}

#[async_trait]
impl Body for Streamed {
    async fn next(&mut self) -> Result<Option<Bytes>, StoreError> {
        loop {
            match self.stream.next().await {
                None => return Ok(None),
                Some(Ok(bytes)) if bytes.is_empty() => {}
                Some(Ok(bytes)) => return Ok(Some(bytes)),
                Some(Err(error)) => return Err(StoreError::Unknown(Failure::caused_by(self.what.as_str(), error))),
            }
        }
    }
}

fn bucket_error<E>(what: &str, error: SdkError<E, HttpResponse>) -> StoreError
where
    E: std::error::Error + ProvideErrorMetadata + Send + Sync + 'static,
{
    match (error.code(), status(&error)) {
        // A bucket that is not there is a wrong configuration, not an object that was deleted.
        (Some("NoSuchBucket"), _) => StoreError::Denied(Failure::caused_by(what, error)),
        // The object ends before the range begins.
        (_, 416) => StoreError::Corrupt(Failure::caused_by(what, error)),
        _ => store_error(what, error),
    }
}

fn status<E>(error: &SdkError<E, HttpResponse>) -> u16 {
    error.raw_response().map_or(0, |response| response.status().as_u16())
}

/// When S3 answered, by its own clock.
fn answered_at<E>(error: &SdkError<E, HttpResponse>) -> Option<DateTime> {
    let date = error.raw_response()?.headers().get("date")?;
    DateTime::from_str(date, DateTimeFormat::HttpDate).ok()
}

/// The header for a range of bytes; `None` for one without bytes or with an end beyond all numbers.
fn range_of((offset, length): (u64, u64)) -> Option<String> {
    let last = offset.checked_add(length.checked_sub(1)?)?;
    Some(format!("bytes={offset}-{last}"))
}

fn read_head(head: HeadObjectOutput) -> Head {
    let until = head.object_lock_retain_until_date().and_then(|date| u64::try_from(date.secs()).ok());
    let mode = head.object_lock_mode().map(|mode| match mode {
        ObjectLockMode::Governance => LockMode::Governance,
        _ => LockMode::Compliance,
    });
    let sha256 = head.checksum_sha256().and_then(|text| STANDARD.decode(text).ok());
    let hold = head.object_lock_legal_hold_status();
    Head {
        bytes: head.content_length().and_then(|bytes| u64::try_from(bytes).ok()).unwrap_or_default(),
        sha256: sha256.and_then(|bytes| Hash::from_slice(&bytes)),
        lock: mode.map(|mode| Lock { mode, retain_until_s: until.unwrap_or(u64::MAX) }),
        legal_hold: hold.is_some_and(|hold| *hold != ObjectLockLegalHoldStatus::Off),
        version_id: head.version_id,
    }
}

fn read_version(version: ObjectVersion) -> Option<ListedVersion> {
    Some(ListedVersion {
        key: version.key?,
        version_id: version.version_id.unwrap_or_else(|| NULL_VERSION.to_owned()),
        is_latest: version.is_latest.unwrap_or_default(),
        is_delete_marker: false,
        bytes: version.size.and_then(|size| u64::try_from(size).ok()).unwrap_or_default(),
        written_at_ms: ms(version.last_modified.as_ref()?)?,
    })
}

fn read_marker(marker: DeleteMarkerEntry) -> Option<ListedVersion> {
    Some(ListedVersion {
        key: marker.key?,
        version_id: marker.version_id.unwrap_or_else(|| NULL_VERSION.to_owned()),
        is_latest: marker.is_latest.unwrap_or_default(),
        is_delete_marker: true,
        bytes: 0,
        written_at_ms: ms(marker.last_modified.as_ref()?)?,
    })
}

/// S3 answers with versions and delete markers in two lists, each in order; this is the one that it cut them from.
fn merged(versions: Vec<ListedVersion>, markers: Vec<ListedVersion>) -> Vec<ListedVersion> {
    let mut all = Vec::with_capacity(versions.len() + markers.len());
    let (mut versions, mut markers) = (versions.into_iter().peekable(), markers.into_iter().peekable());
    while let (Some(version), Some(marker)) = (versions.peek(), markers.peek()) {
        let is_newer = marker.is_latest || (!version.is_latest && marker.written_at_ms > version.written_at_ms);
        let is_next = marker.key < version.key || (marker.key == version.key && is_newer);
        all.extend(if is_next { markers.next() } else { versions.next() });
    }
    all.extend(versions.chain(markers));
    all
}

fn max_keys(limit: usize) -> i32 {
    i32::try_from(limit.min(PAGE)).unwrap_or(i32::MAX)
}

fn date(epoch_s: u64) -> DateTime {
    DateTime::from_secs(i64::try_from(epoch_s).unwrap_or(i64::MAX))
}

fn ms(date: &DateTime) -> Option<i64> {
    date.to_millis().ok()
}

fn incomplete(what: &str) -> StoreError {
    corrupt(format!("{what}: the answer lacks a member"))
}

/// The version of an object from before its bucket kept versions.
const NULL_VERSION: &str = "null";

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_s3::config::BehaviorVersion;
    use aws_sdk_s3::error::ErrorMetadata;
    use aws_sdk_s3::operation::get_object::GetObjectError;
    use aws_smithy_types::body::SdkBody;

    fn failed(status: u16, code: &str) -> SdkError<GetObjectError, HttpResponse> {
        let error = GetObjectError::generic(ErrorMetadata::builder().code(code).build());
        let mut response = HttpResponse::new(status.try_into().unwrap(), SdkBody::empty());
        response.headers_mut().insert("date", "Mon, 02 Mar 2026 14:00:00 GMT");
        SdkError::service_error(error, response)
    }

    #[test]
    fn an_error_says_what_is_wrong_with_the_bucket_the_range_or_the_object() {
        for (status, code, kind) in [
            (404, "NoSuchBucket", "denied"),
            (404, "NoSuchKey", "not_found"),
            (404, "NoSuchVersion", "not_found"),
            (416, "InvalidRange", "corrupt"),
            (409, "ConditionalRequestConflict", "conflict"),
            (412, "PreconditionFailed", "conflict"),
            (403, "AccessDenied", "denied"),
            (503, "SlowDown", "throttled"),
            (500, "InternalError", "unknown"),
        ] {
            assert_eq!(bucket_error("x", failed(status, code)).kind(), kind, "{code}");
        }
        let answered = answered_at(&failed(412, "PreconditionFailed")).as_ref().and_then(ms);
        assert_eq!(answered, Some(1_772_460_000_000));
    }

    #[test]
    fn a_range_names_its_last_byte() {
        assert_eq!(range_of((0, 1)).as_deref(), Some("bytes=0-0"));
        assert_eq!(range_of((5, 10)).as_deref(), Some("bytes=5-14"));
        assert_eq!((range_of((5, 0)), range_of((u64::MAX, 2))), (None, None));
    }

    #[test]
    fn a_put_carries_all_that_it_says_and_nothing_else() {
        let config = aws_sdk_s3::Config::builder().behavior_version(BehaviorVersion::v2026_01_12()).build();
        let bucket = S3Bucket::new(Client::from_conf(config), "bucket");
        let lock = Lock { mode: LockMode::Compliance, retain_until_s: 7 };
        let whole = Put {
            sha256: Some(Hash([1; 32])),
            lock: Some(lock),
            tag: Some("live"),
            class: Some(StorageClass("STANDARD_IA".to_owned())),
            ..Put::of("key", "bytes", "text/plain").if_free()
        };
        let request = bucket.put_request(whole);
        let request = request.as_input();
        assert_eq!(request.get_object_lock_mode(), &Some(ObjectLockMode::Compliance));
        assert_eq!(request.get_object_lock_retain_until_date(), &Some(DateTime::from_secs(7)));
        assert_eq!(request.get_checksum_sha256(), &Some(STANDARD.encode([1; 32])));
        assert_eq!(request.get_tagging().as_deref(), Some("ledgerline=live"));
        assert_eq!(request.get_storage_class(), &Some(ObjectClass::StandardIa));
        assert_eq!((request.get_if_none_match().as_deref(), request.get_if_match()), (Some("*"), &None));
        let bare = bucket.put_request(Put::of("key", "bytes", "text/plain").in_place_of(Some("tag")));
        let bare = bare.as_input();
        assert_eq!((bare.get_if_none_match(), bare.get_if_match().as_deref()), (&None, Some("tag")));
        assert!(bare.get_object_lock_mode().is_none() && bare.get_object_lock_retain_until_date().is_none());
        assert!(bare.get_tagging().is_none() && bare.get_checksum_sha256().is_none());
        assert!(bare.get_storage_class().is_none());
    }

    #[test]
    fn what_a_head_says_of_a_lock_that_is_not_understood_is_no_reason_to_delete() {
        let head = HeadObjectOutput::builder().object_lock_mode(ObjectLockMode::from("LATER"));
        let read = read_head(head.object_lock_legal_hold_status(ObjectLockLegalHoldStatus::from("MAYBE")).build());
        assert_eq!(read.lock, Some(Lock { mode: LockMode::Compliance, retain_until_s: u64::MAX }));
        assert!(read.legal_hold);
        let head = HeadObjectOutput::builder().object_lock_mode(ObjectLockMode::Governance).content_length(3);
        let read = read_head(head.object_lock_retain_until_date(DateTime::from_secs(9)).build());
        assert_eq!(read.lock, Some(Lock { mode: LockMode::Governance, retain_until_s: 9 }));
        assert_eq!((read.bytes, read.legal_hold, read.sha256), (3, false, None));
        assert_eq!(read_head(HeadObjectOutput::builder().build()).lock, None);
    }

    #[test]
    fn versions_and_delete_markers_come_in_the_order_of_the_bucket() {
        let version = |key: &str, at: i64, is_latest| {
            let version = ObjectVersion::builder().key(key).version_id(format!("v{at}")).is_latest(is_latest).size(1);
            read_version(version.last_modified(DateTime::from_secs(at)).build()).unwrap()
        };
        let marker = |key: &str, at: i64, is_latest| {
            let marker = DeleteMarkerEntry::builder().key(key).version_id(format!("m{at}")).is_latest(is_latest);
            read_marker(marker.last_modified(DateTime::from_secs(at)).build()).unwrap()
        };
        let versions = vec![version("a", 4, false), version("a", 2, false), version("c", 1, true)];
        let markers = vec![marker("a", 4, true), marker("a", 3, false), marker("b", 9, true), marker("d", 1, true)];
        let all = merged(versions, markers);
        let ids: Vec<(&str, &str)> = all.iter().map(|one| (one.key.as_str(), one.version_id.as_str())).collect();
        assert_eq!(ids, [("a", "m4"), ("a", "v4"), ("a", "m3"), ("a", "v2"), ("b", "m9"), ("c", "v1"), ("d", "m1")]);
        assert!(read_version(ObjectVersion::builder().key("a").build()).is_none(), "no time");
        let old = ObjectVersion::builder().key("a").last_modified(DateTime::from_secs(1)).build();
        assert_eq!(read_version(old).unwrap().version_id, "null");
    }
}
