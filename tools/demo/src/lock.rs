//! An administrator against a locked segment: every permission, every attempt, S3's own answers.
//!
//! Invariant: the attempts are real calls with nothing held back but the bypass of governance mode, which is a
//! permission of its own; afterwards the object is read back and compared.

use std::time::Duration;

use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::primitives::DateTime;
use aws_sdk_s3::types::{ObjectLockRetention, ObjectLockRetentionMode};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use ledgerline_ledger::segment::SegmentName;
use xtask::fault::Fault;

use super::chain::Chain;
use super::report::{Attempt, Lock};

/// Attacks a segment; `now` is the wall clock.
pub(super) async fn attack(chain: &Chain, key: &str, now: Duration) -> Result<Lock, Fault> {
    let before = held(chain, key).await?;
    let s3 = &chain.clients.s3;
    let bucket = chain.stack.bucket("LedgerBucket")?;
    let delete = s3.delete_object().bucket(bucket).key(key).version_id(&before.version_id).send().await;
    let soon =
        DateTime::from_secs(i64::try_from(now.as_secs()).unwrap_or(i64::MAX).saturating_add(SHORTENED_TO_SECONDS));
    let shorter = ObjectLockRetention::builder()
        .mode(ObjectLockRetentionMode::from(before.mode.as_str()))
        .retain_until_date(soon)
        .build();
    let shorten = s3.put_object_retention().bucket(bucket).key(key).version_id(&before.version_id).retention(shorter);
    let attempts = vec![
        attempt("delete this version for good", "DeleteObject", delete.map(|_| ())),
        attempt("let its lock end in a minute", "PutObjectRetention", shorten.send().await.map(|_| ())),
    ];
    let after = held(chain, key).await.ok();
    Ok(Lock {
        key: key.to_owned(),
        version_id: before.version_id.clone(),
        mode: before.mode.clone(),
        retain_until: before.retain_until.clone(),
        attempts,
        unchanged: after.is_some_and(|after| after == before && after.is_whole),
    })
}

/// What S3 says about the object, and whether its bytes are those that its name promises.
#[derive(PartialEq, Eq)]
struct Held {
    version_id: String,
    mode: String,
    retain_until: String,
    is_whole: bool,
}

async fn held(chain: &Chain, key: &str) -> Result<Held, Fault> {
    let bucket = chain.stack.bucket("LedgerBucket")?;
    let head = chain.clients.s3.head_object().bucket(bucket).key(key).send().await;
    let head = head.map_err(|error| chain.stack.unreachable(format!("cannot look at {key}"), error.into_source()))?;
    let remedy =
        "the segment was put without a lock: see audit-write's LOCK_MODE, and deploy again: cargo xtask down, then up";
    let missing = |what: &str| Fault::new(format!("{key} has no {what}"), remedy);
    let until = head.object_lock_retain_until_date().ok_or_else(|| missing("retain-until date"))?;
    let bytes = chain.object("LedgerBucket", key).await?;
    Ok(Held {
        version_id: head.version_id().ok_or_else(|| missing("version id"))?.to_owned(),
        mode: head.object_lock_mode().ok_or_else(|| missing("lock mode"))?.as_str().to_owned(),
        retain_until: ledgerline_traffic::r#gen::milliseconds(until.secs() * 1000),
        is_whole: SegmentName::parse(key).is_some_and(|name| name.fits(&bytes)),
    })
}

/// A call, and what came of it.
pub(super) fn attempt<E: ProvideErrorMetadata>(
    what: &str,
    call: &str,
    answer: Result<(), SdkError<E, HttpResponse>>,
) -> Attempt {
    let mut attempt = Attempt {
        what: what.to_owned(),
        call: call.to_owned(),
        status: 200,
        code: String::new(),
        message: String::new(),
    };
    if let Err(error) = answer {
        attempt.status = error.raw_response().map_or(0, |response| response.status().as_u16());
        // Where no answer came, nothing was refused.
        attempt.code = error.code().unwrap_or_default().to_owned();
        attempt.message = error.message().unwrap_or("no answer").to_owned();
    }
    attempt
}

/// How far in the future the lock is tried to be shortened to: real S3 refuses dates in the past for another reason.
const SHORTENED_TO_SECONDS: i64 = 60;
