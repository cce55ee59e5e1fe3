//! Putting back into the stream what was set aside: quarantined lines, error objects, spilled records, dead letters.
//!
//! Invariant: a line is marked once the stream took it, and not before; an error object is deleted once all of its lines are marked, a
//! dead letter once its message is where it belongs. So a run that ends anywhere loses nothing, and the same run again goes on from
//! there. What is sent twice is claimed once: transform counts the second as a duplicate. Records go the way of every record, through
//! Firehose and ingest, with a count of their replays at their end. Memory holds one piece of an object, one line, one batch.
//! Left out: what a line says. A report has codes, dates, counts and keys.

mod kept;
mod letters;
mod report;

use std::sync::Arc;

use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use ledgerline_ledger::store::StoreError;
use ledgerline_store::bucket::{Bucket, Listed, Opened};
use ledgerline_store::kept_object::{KeptObjects, PAGE};
use ledgerline_store::lines::Lines;
use ledgerline_store::replay_mark::{Place, ReplayMarks};
use ledgerline_store::stream::{BATCH_RECORDS_MAX, Stream};
use ledgerline_store::table::Table;

pub use kept::Origin;
pub use letters::{LetterQueue, Letters};
pub use report::{Group, LettersReport, Report, Seen, Tally, Wanted};

use kept::{Kept, Read};

/// The stores of lines that were kept, and where they go.
#[derive(Clone, Debug)]
pub struct Replaying {
    objects: KeptObjects,
    marks: ReplayMarks,
    stream: Arc<dyn Stream>,
    /// Now, epoch milliseconds.
    now_ms: i64,
    /// Days after which the bucket deletes what is replayed; `None`: never.
    expires_days: Option<u32>,
}

/// Whether a run changes anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// It tells what would be sent.
    Look,
    /// It sends, marks and deletes.
    Send,
}

/// Lines that are asked about, sent and marked together. Bytes: a quarter of what one call takes, so that a stream at its lowest quota,
/// 1 MiB in a second, takes a batch at once.
const CHUNK_LINES: usize = BATCH_RECORDS_MAX;
const CHUNK_BYTES: usize = 1024 * 1024;
/// Marks that are written at once.
const MARKS_AT_ONCE: usize = 16;

impl Replaying {
    /// Over the bronze bucket, the control table and the delivery stream.
    pub fn new(
        bronze: Arc<dyn Bucket>,
        control: Arc<dyn Table>,
        stream: Arc<dyn Stream>,
        now_ms: i64,
        expires_days: Option<u32>,
    ) -> Self {
        Self { objects: KeptObjects::new(bronze), marks: ReplayMarks::new(control), stream, now_ms, expires_days }
    }

    /// Goes through everything of one origin. What was done before an error is in the report, and the same call again goes on from
    /// there.
    ///
    /// # Errors
    /// The stores'.
    pub async fn run(
        &self,
        origin: Origin,
        wanted: &Wanted,
        mode: Mode,
        report: &mut Report,
    ) -> Result<(), StoreError> {
        let mut chunk = Chunk::default();
        let mut after = String::new();
        loop {
            let page = self.objects.page(origin.prefix(), &after).await?;
            let is_last = page.len() < PAGE;
            after = page.last().map(|last| last.key.clone()).unwrap_or_default();
            for listed in page.iter().filter(|listed| !wanted.is_before(listed.written_at_ms)) {
                self.object(origin, listed, wanted, mode, &mut chunk, report).await?;
            }
            if is_last {
                return self.settle(&mut chunk, mode, report).await;
            }
        }
    }

    /// Takes an object's lines. What of an error object is put back whole is deleted: it holds records from which nothing was cut yet.
    async fn object(
        &self,
        origin: Origin,
        listed: &Listed,
        wanted: &Wanted,
        mode: Mode,
        chunk: &mut Chunk,
        report: &mut Report,
    ) -> Result<(), StoreError> {
        let Some(Opened { mut body, version_id }) = self.objects.open(&listed.key).await? else { return Ok(()) };
        report.objects += 1;
        let mut lines = Lines::new(&listed.key);
        let expires_ms = self.expires_days.map(|days| listed.written_at_ms + i64::from(days) * DAY_MS);
        let mut taking = Taking { origin, listed, wanted, expires_ms, number: 0, is_whole: true };
        let mut is_read = true;
        while is_read && let Some(piece) = body.next().await? {
            is_read = told(lines.push(&piece), listed, report)?.is_some();
            while let Some(line) = lines.next_line() {
                taking.take(&line, chunk, report);
                if chunk.is_full() {
                    self.settle(chunk, mode, report).await?;
                }
            }
        }
        let last = if is_read { told(lines.finish(), listed, report)? } else { None };
        taking.is_whole &= last.is_some();
        for line in last.into_iter().flatten() {
            taking.take(&line, chunk, report);
        }
        if origin == Origin::Errors && mode == Mode::Send {
            self.settle(chunk, mode, report).await?;
            if taking.is_whole {
                self.objects.delete(&listed.key, version_id.as_deref()).await?;
                report.deleted += 1;
            }
        }
        Ok(())
    }

    /// Sends the lines of the chunk that are not marked, then marks them. A crash in between sends them again.
    async fn settle(&self, chunk: &mut Chunk, mode: Mode, report: &mut Report) -> Result<(), StoreError> {
        let lines = std::mem::take(&mut chunk.lines);
        chunk.bytes = 0;
        if lines.is_empty() {
            return Ok(());
        }
        let places: Vec<Place> = lines.iter().map(|line| line.place.clone()).collect();
        let marked = self.marks.of(&places).await?;
        report.marked += marked.iter().filter(|is_marked| **is_marked).count() as u64;
        let open: Vec<Line> =
            lines.into_iter().zip(marked).filter_map(|(line, is_marked)| (!is_marked).then_some(line)).collect();
        for line in &open {
            report.saw(line.kept.group.clone(), line.kept.replayed, line.expires_ms);
        }
        if mode == Mode::Look {
            return Ok(());
        }
        for batch in batches(open.iter().flat_map(|line| line.kept.records.iter().cloned())) {
            self.stream.put(batch).await?;
        }
        // Each by itself: of two runs at once one marks a line, and the other finds it marked.
        stream::iter(&open)
            .map(|line| self.marks.mark(&line.place, self.now_ms, self.expires_days))
            .buffer_unordered(MARKS_AT_ONCE)
            .try_for_each(|_| std::future::ready(Ok(())))
            .await?;
        open.into_iter().for_each(|line| report.sent(&line.kept.group));
        Ok(())
    }
}

/// A damaged object is told of, and the run goes on with the next one: `None`. What else fails ends the run.
fn told<T>(read: Result<T, StoreError>, listed: &Listed, report: &mut Report) -> Result<Option<T>, StoreError> {
    match read {
        Ok(read) => Ok(Some(read)),
        Err(StoreError::Corrupt(_)) => {
            report.damaged(&listed.key);
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// Records in batches that one call takes.
fn batches(records: impl Iterator<Item = Bytes>) -> Vec<Vec<Bytes>> {
    let (mut all, mut bytes) = (Vec::<Vec<Bytes>>::new(), 0);
    for record in records {
        let fits = |batch: &Vec<Bytes>| batch.len() < BATCH_RECORDS_MAX && bytes + record.len() <= CHUNK_BYTES;
        match all.last_mut().filter(|batch| fits(batch)) {
            Some(batch) => {
                bytes += record.len();
                batch.push(record);
            }
            None => {
                bytes = record.len();
                all.push(vec![record]);
            }
        }
    }
    all
}

/// How far an object was read.
struct Taking<'a> {
    origin: Origin,
    listed: &'a Listed,
    wanted: &'a Wanted,
    expires_ms: Option<i64>,
    /// The next line's.
    number: u64,
    /// Whether every line so far goes back, or did.
    is_whole: bool,
}

impl Taking<'_> {
    fn take(&mut self, line: &[u8], chunk: &mut Chunk, report: &mut Report) {
        let number = self.number;
        // A line that is too long for memory comes in parts, of which the last alone ends it.
        self.number += u64::from(line.ends_with(b"\n"));
        match self.origin.read(self.listed, line) {
            Read::Nothing => return,
            Read::Kept(kept) if self.wanted.wants(&kept) => {
                let place = Place { object_key: self.listed.key.clone(), line: number };
                return chunk.add(place, self.expires_ms, kept);
            }
            Read::Kept(_) => report.not_wanted += 1,
            Read::Unreadable => report.unreadable += 1,
            Read::TooLarge => report.too_large += 1,
        }
        self.is_whole = false;
    }
}

/// Lines that are read and not settled.
#[derive(Default)]
struct Chunk {
    lines: Vec<Line>,
    bytes: usize,
}

struct Line {
    place: Place,
    expires_ms: Option<i64>,
    kept: Kept,
}

impl Chunk {
    fn add(&mut self, place: Place, expires_ms: Option<i64>, kept: Kept) {
        self.bytes += kept.records.iter().map(Bytes::len).sum::<usize>();
        self.lines.push(Line { place, expires_ms, kept });
    }

    fn is_full(&self) -> bool {
        self.lines.len() >= CHUNK_LINES || self.bytes >= CHUNK_BYTES
    }
}

const DAY_MS: i64 = 86_400_000;
