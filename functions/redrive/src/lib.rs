//! Reads Firehose error objects and feeds their records back.
//!
//! Invariant: every line of an error object is put back into the stream or kept in quarantine before the object is
//! deleted, and it is deleted before its notification is acknowledged: it holds records as their sources sent them, from
//! which nothing was cut yet. Records may be put back twice, after any crash: events are claimed by content, so that the
//! second is a counted duplicate.

mod lines;

use std::sync::Arc;

use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent, SqsMessage};
use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use ledgerline_event::document::Rejection;
use ledgerline_event::names;
use ledgerline_event::sensitive::cut_garbage;
use ledgerline_lake::ObjectId;
use ledgerline_lake::bronze::{NewQuarantine, write_quarantine};
use ledgerline_lake::keys::ERRORS;
use ledgerline_lambda::config::{ConfigError, Env};
use ledgerline_lambda::disposition::Disposition;
use ledgerline_lambda::notification::{Created, created};
use ledgerline_lambda::sqs::standard_answer;
use ledgerline_lambda::telemetry::quarantined;
use ledgerline_ledger::store::{Failure, StoreError};
use ledgerline_store::bucket::Opened;
use ledgerline_store::dead_letter::{DeadLetters, Kind, NAMES_MAX, Pointer};
use ledgerline_store::error_object::ErrorObjects;
use ledgerline_store::lines::Lines;
use ledgerline_store::quarantine::redriven;
use ledgerline_store::replay_mark::Place;
use ledgerline_store::stream::{BATCH_BYTES_MAX, BATCH_RECORDS_MAX, Stream};

use lines::{Content, read_line};

/// What the function is told at cold start.
#[derive(Debug, Clone)]
pub struct Config {
    /// The delivery stream that takes records back.
    pub stream_name: String,
    /// The queue of dead letters, where it tells of what it gave up.
    pub dead_letter_queue_url: String,
}

/// What redrive reads and writes; the test of its permissions holds the calls against its role in the template.
#[derive(Clone, Debug)]
pub struct Stores {
    /// Error objects, and what cannot go back.
    pub errors: ErrorObjects,
    /// Takes records back.
    pub stream: Arc<dyn Stream>,
    /// Where somebody is told of what did not go back.
    pub dead_letters: DeadLetters,
}

impl Config {
    /// Reads `STREAM_NAME` and `DEAD_LETTER_QUEUE_URL`.
    ///
    /// # Errors
    /// Names what is wrong and what to do about it.
    pub fn from_env(mut env: Env) -> Result<Self, ConfigError> {
        let stream_name = env.text("STREAM_NAME");
        let dead_letter_queue_url = env.text("DEAD_LETTER_QUEUE_URL");
        env.finish().map(|()| Self { stream_name, dead_letter_queue_url })
    }
}

/// What one object became.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Counts {
    put_back: u64,
    /// Lines in quarantine, for whatever reason.
    kept: u64,
    /// Those of them that came round too often.
    unprocessable: u64,
}

/// What is done about an error. A notification that always fails ends in the queue's dead-letter queue, its object under
/// the error prefix.
pub fn disposition(error: &StoreError) -> Disposition {
    match error {
        StoreError::Conflict(_) | StoreError::Throttled(_) | StoreError::Unknown(_) | StoreError::Corrupt(_) => {
            Disposition::Retry
        }
        // This function or the lifecycle deleted it: there is nothing left to put back.
        StoreError::NotFound(_) => Disposition::Poison,
        StoreError::Denied(_) => Disposition::Halt,
    }
}

/// Handles a batch of notifications.
///
/// # Errors
/// Only if nothing can succeed before an operator acts, such as a missing permission.
pub async fn handle(stores: &Stores, now_ms: i64, event: SqsEvent) -> Result<SqsBatchResponse, StoreError> {
    let mut failed: Vec<&SqsMessage> = Vec::new();
    for message in &event.records {
        match message_done(stores, now_ms, message).await {
            Ok(()) => {}
            Err(error) if disposition(&error) == Disposition::Halt => return Err(error),
            Err(error) => {
                tracing::warn!(message = message.message_id, error = %error, "will be tried again");
                failed.push(message);
            }
        }
    }
    Ok(standard_answer(failed))
}

async fn message_done(stores: &Stores, now_ms: i64, message: &SqsMessage) -> Result<(), StoreError> {
    // What names no object is given back and ends in the dead-letter queue, where somebody is told of it; what the same
    // message says of others is done first.
    let unreadable = || StoreError::Corrupt(Failure::new("a message that is no S3 notification"));
    let notices = created(message.body.as_deref().unwrap_or_default()).map_err(|_| unreadable())?;
    let mut failed = None;
    for notice in notices {
        let Ok(notice) = notice else {
            failed = Some(unreadable());
            continue;
        };
        if !notice.key.starts_with(ERRORS) {
            continue;
        }
        match redrive(stores, now_ms, &notice).await {
            Ok(Counts { put_back, kept, unprocessable }) => {
                // The template's alarms look for what was kept, and for why.
                tracing::info!(key = notice.key, put_back, kept, unprocessable, "redriven");
                quarantined(Rejection::Unprocessable.code(), unprocessable);
                quarantined(Rejection::BadEnvelope.code(), kept - unprocessable);
            }
            Err(error) => match disposition(&error) {
                Disposition::Poison => tracing::warn!(key = notice.key, error = %error, "gone, acknowledged"),
                Disposition::Halt => return Err(error),
                Disposition::Retry => failed = Some(error),
            },
        }
    }
    failed.map_or(Ok(()), Err)
}

/// Puts the records of one object back, batch by batch, keeps the rest, and deletes the object. A crash anywhere before
/// the deletion leaves the object, and the next delivery puts all of it back again.
async fn redrive(stores: &Stores, now_ms: i64, notice: &Created) -> Result<Counts, StoreError> {
    let Opened { mut body, version_id } = stores.errors.open(&notice.bucket, &notice.key).await?;
    let mut lines = Lines::new(&notice.key);
    let mut pending = Pending {
        notice,
        now_ms,
        batch: Vec::new(),
        batch_bytes: 0,
        kept: Vec::new(),
        kept_lines: 0,
        pointers: Vec::new(),
        part: 0,
        counts: Counts::default(),
    };
    while let Some(piece) = body.next().await? {
        lines.push(&piece)?;
        while let Some(line) = lines.next_line() {
            pending.take(stores, &line).await?;
        }
    }
    for line in lines.finish()? {
        pending.take(stores, &line).await?;
    }
    pending.put_batch(stores).await?;
    pending.put_kept(stores).await?;
    stores.errors.delete(&notice.bucket, &notice.key, version_id.as_deref()).await?;
    Ok(pending.counts)
}

/// Dead letters that are sent at once: at 10 ms each, 1,600 in a second, so that 400,000 records of 300 bytes, the most that an object of
/// 128 MB holds, are told of in some four minutes of the function's fifteen.
const SENT_AT_ONCE: usize = 16;

/// Quarantine lines that are kept in one object; more make further ones.
const KEPT_BYTES_MAX: usize = 8 * 1024 * 1024;

/// What was read and is not yet written.
struct Pending<'a> {
    notice: &'a Created,
    now_ms: i64,
    batch: Vec<Bytes>,
    batch_bytes: usize,
    kept: Vec<u8>,
    kept_lines: u64,
    /// What is told of the lines in `kept`.
    pointers: Vec<Pointer>,
    part: u32,
    counts: Counts,
}

impl Pending<'_> {
    async fn take(&mut self, stores: &Stores, line: &[u8]) -> Result<(), StoreError> {
        if line.iter().all(u8::is_ascii_whitespace) {
            return Ok(());
        }
        let records = match read_line(line) {
            Content::Records(records) => records,
            Content::Unprocessable(record, replayed) => {
                self.counts.unprocessable += 1;
                return self.quarantine(stores, Rejection::Unprocessable, replayed, &record).await;
            }
            Content::None => return self.quarantine(stores, Rejection::BadEnvelope, 0, line).await,
        };
        for record in records {
            if self.batch.len() == BATCH_RECORDS_MAX || self.batch_bytes + record.len() > BATCH_BYTES_MAX {
                self.put_batch(stores).await?;
            }
            self.batch_bytes += record.len();
            self.batch.push(record);
        }
        Ok(())
    }

    async fn quarantine(
        &mut self,
        stores: &Stores,
        reason: Rejection,
        replayed: u32,
        bytes: &[u8],
    ) -> Result<(), StoreError> {
        let (kept, cut) = cut_garbage(bytes);
        let line = NewQuarantine { received_at_ms: self.now_ms, reason, replayed, cut: &cut, bytes: &kept };
        write_quarantine(&line, &mut self.kept);
        // A record that is given up. What is not a record names nothing, and its alarm and its object tell of it.
        if reason == Rejection::Unprocessable {
            let place = Place { object_key: self.kept_key(), line: self.kept_lines };
            self.pointers.push(Pointer::new(Kind::Kept, place, reason.code(), names::of(&kept, NAMES_MAX)));
        }
        self.kept_lines += 1;
        self.counts.kept += 1;
        if self.kept.len() >= KEPT_BYTES_MAX { self.put_kept(stores).await } else { Ok(()) }
    }

    async fn put_batch(&mut self, stores: &Stores) -> Result<(), StoreError> {
        if self.batch.is_empty() {
            return Ok(());
        }
        let records = self.batch.len() as u64;
        stores.stream.put(std::mem::take(&mut self.batch)).await?;
        self.counts.put_back += records;
        self.batch_bytes = 0;
        Ok(())
    }

    /// Keeps the lines, and then tells of each record among them in the queue of dead letters. A crash in between leaves lines of which the next attempt
    /// tells; one that told of some tells of them again.
    async fn put_kept(&mut self, stores: &Stores) -> Result<(), StoreError> {
        if self.kept.is_empty() {
            return Ok(());
        }
        let lines = Bytes::from(std::mem::take(&mut self.kept));
        stores.errors.keep(&self.notice.bucket, &self.kept_key(), lines).await?;
        self.part += 1;
        self.kept_lines = 0;
        let pointers = std::mem::take(&mut self.pointers);
        stream::iter(&pointers)
            .map(|pointer| stores.dead_letters.send(pointer))
            .buffer_unordered(SENT_AT_ONCE)
            .try_collect()
            .await
    }

    /// The name is the error object's, so that another attempt writes the same objects again.
    fn kept_key(&self) -> String {
        redriven(ObjectId::of(&self.notice.bucket, &self.notice.key), self.part)
    }
}
