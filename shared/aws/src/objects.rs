//! S3 as transform uses it: bronze read as a stream, silver and quarantine put, plans put once, poison kept.
//!
//! Invariant: a plan is never overwritten; every put of one names If-None-Match. A silver file is overwritten only if it
//! says something else and whoever wrote it is dead without a plan, see [`RUNS_S`].

use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::operation::get_object::GetObjectOutput;
use aws_sdk_s3::primitives::{ByteStream, DateTime, DateTimeFormat};
use bytes::Bytes;
use ledgerline_lake::ports::{KeepPoison, PlanStore, Put, Quarantine, ReadBody, ReadBronze, WriteSilver};
use ledgerline_lake::{ObjectId, keys};
use ledgerline_ledger::store::{Failure, StoreError};

use crate::config::store_error;

/// Times that a conditional put is tried while S3 answers that another one for its key is under way (HTTP 409). Such a
/// put ends within seconds: 5 tries, 100 ms × (1 + 2 + 4 + 8) = 1.5 s of waiting.
const RACES: u32 = 5;
const FIRST_WAIT: Duration = Duration::from_millis(100);

/// A silver file that was written longer ago than this belongs to no run that could still plan: a run of transform lasts
/// 300 s at most. Nor had it planned: whoever finds the file began 300 s ago at most, and would have found the plan then.
/// 600 s, and half as much again to be sure. Both times that are compared are S3's.
const RUNS_S: i64 = 900;

/// One bucket.
#[derive(Clone, Debug)]
pub struct Bucket {
    client: Client,
    name: String,
}

impl Bucket {
    /// The bucket named `name`.
    pub fn new(client: Client, name: impl Into<String>) -> Self {
        Self { client, name: name.into() }
    }

    async fn get(&self, what: &str, key: &str, range: Option<String>) -> Result<GetObjectOutput, StoreError> {
        let got = self.client.get_object().bucket(&self.name).key(key).set_range(range).send().await;
        got.map_err(|error| match error.code() {
            // A bucket that is not there is a wrong configuration, not an object that was deleted.
            Some("NoSuchBucket") => StoreError::Denied(Failure::caused_by(what, error)),
            _ => store_error(what, error),
        })
    }

    async fn put(&self, what: &str, key: &str, kind: &str, bytes: Bytes) -> Result<(), StoreError> {
        let put = self.client.put_object().bucket(&self.name).key(key).content_type(kind).body(bytes.into());
        put.send().await.map(drop).map_err(|error| store_error(what, error))
    }
}

/// What a put under If-None-Match found.
enum Found {
    /// Nothing; the object is there now.
    Nothing,
    /// An object, at this time of S3's clock.
    Object(Option<DateTime>),
}

impl Bucket {
    /// Puts an object if its key is free.
    async fn put_if_free(&self, what: &str, key: &str, kind: &str, bytes: &Bytes) -> Result<Found, StoreError> {
        let mut wait = FIRST_WAIT;
        for race in 1.. {
            let put = self.client.put_object().bucket(&self.name).key(key).if_none_match("*");
            let error = match put.content_type(kind).body(bytes.clone().into()).send().await {
                Ok(_) => return Ok(Found::Nothing),
                Err(error) => error,
            };
            match status(&error) {
                412 => return Ok(Found::Object(date(&error))),
                409 if race < RACES => tokio::time::sleep(wait).await,
                _ => return Err(store_error(what, error)),
            }
            wait *= 2;
        }
        Err(StoreError::Conflict(Failure::new(what)))
    }
}

impl ReadBronze for Bucket {
    type Body = Body;

    async fn open(&self, key: &str) -> Result<Body, StoreError> {
        // The key names a time and a delivery stream, nothing of a person.
        let what = format!("read bronze object {key}");
        let stream = self.get(&what, key, None).await?.body;
        Ok(Body::new(what, stream))
    }
}

/// An object under way.
#[derive(Debug)]
pub struct Body {
    what: String,
    stream: ByteStream,
}

impl Body {
    /// The body of an answer; `what` names the read in its errors.
    pub(crate) fn new(what: String, stream: ByteStream) -> Self {
        Self { what, stream }
    }
}

impl ReadBody for Body {
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

impl WriteSilver for Bucket {
    async fn put(&self, key: &str, parquet: Bytes) -> Result<(), StoreError> {
        let what = format!("put {key}");
        let Found::Object(now) = self.put_if_free(&what, key, PARQUET, &parquet).await? else { return Ok(()) };
        let there = self.get(&what, key, None).await?;
        let (tag, written) = (there.e_tag, there.last_modified);
        let bytes =
            there.body.collect().await.map_err(|error| StoreError::Unknown(Failure::caused_by(&what, error)))?;
        if bytes.into_bytes() == parquet {
            return Ok(());
        }
        let Some(tag) = tag.filter(|_| is_dead(now, written)) else {
            return Err(StoreError::Conflict(Failure::new(format!("{what}: another run wrote other rows just now"))));
        };
        // Only what was read is replaced: if somebody else was faster, this fails and the message comes back.
        let put = self.client.put_object().bucket(&self.name).key(key).content_type(PARQUET).if_match(tag);
        put.body(parquet.into()).send().await.map(drop).map_err(|error| store_error(what, error))
    }
}

const PARQUET: &str = "application/vnd.apache.parquet";

/// Whether a run that wrote a file at one time cannot plan at the other any more. Without the times it may.
fn is_dead(now: Option<DateTime>, written: Option<DateTime>) -> bool {
    now.zip(written).is_some_and(|(now, written)| now.secs() - written.secs() > RUNS_S)
}

impl Quarantine for Bucket {
    async fn put(&self, object: ObjectId, lines_gz: Bytes) -> Result<(), StoreError> {
        let key = keys::quarantine_of(object);
        Bucket::put(self, &format!("put {key}"), &key, "application/gzip", lines_gz).await
    }
}

impl KeepPoison for Bucket {
    async fn keep(&self, function: &str, id: &str, document: Bytes) -> Result<(), StoreError> {
        let key = keys::poison(function, id);
        Bucket::put(self, &format!("put {key}"), &key, "application/json", document).await
    }
}

impl PlanStore for Bucket {
    async fn put_if_absent(&self, object: ObjectId, plan: Bytes) -> Result<Put, StoreError> {
        let key = keys::staged(object);
        let what = format!("put plan {key}");
        Ok(match self.put_if_free(&what, &key, "application/gzip", &plan).await? {
            Found::Nothing => Put::Created,
            Found::Object(_) => Put::Exists,
        })
    }

    async fn get_head(&self, object: ObjectId, limit: usize) -> Result<Option<Bytes>, StoreError> {
        let key = keys::staged(object);
        let what = format!("read the head of plan {key}");
        let range = format!("bytes=0-{}", limit.saturating_sub(1));
        match self.get(&what, &key, Some(range)).await {
            Ok(got) => {
                let read = got.body.collect().await;
                let read = read.map_err(|error| StoreError::Unknown(Failure::caused_by(what, error)))?;
                Ok(Some(read.into_bytes()))
            }
            Err(StoreError::NotFound(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

fn status<E>(error: &SdkError<E, aws_smithy_runtime_api::client::orchestrator::HttpResponse>) -> u16 {
    error.raw_response().map_or(0, |response| response.status().as_u16())
}

/// When S3 answered, by its own clock.
fn date<E>(error: &SdkError<E, aws_smithy_runtime_api::client::orchestrator::HttpResponse>) -> Option<DateTime> {
    let date = error.raw_response()?.headers().get("date")?;
    DateTime::from_str(date, DateTimeFormat::HttpDate).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_silver_file_is_given_up_for_dead_only_when_no_run_can_be_left() {
        let at = |text: &str| DateTime::from_str(text, DateTimeFormat::HttpDate).ok();
        let written = at("Mon, 02 Mar 2026 14:00:00 GMT");
        assert!(written.is_some());
        assert!(!is_dead(at("Mon, 02 Mar 2026 14:15:00 GMT"), written));
        assert!(is_dead(at("Mon, 02 Mar 2026 14:15:01 GMT"), written));
        assert!(!is_dead(at("Mon, 02 Mar 2026 13:00:00 GMT"), written), "clocks that disagree decide nothing");
        assert!(!is_dead(None, written) && !is_dead(written, None));
    }
}
