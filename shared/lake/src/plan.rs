//! The plan: what a bronze object turned into, or what the ledger did itself ([`PlanOf`]), written once and carried out from
//! then on, whatever the code of the day would compute. It is a gzip file like any other: member 0 is one header line, then
//! one member per chunk of at most 256 entry lines of one log.
//!
//! Invariant: equal input gives equal bytes, a chunk's range is exactly one gzip member, and its counts add up. Readers
//! check all of it and repeat nothing of a plan's content in an error.

use std::collections::BTreeMap;
use std::io::Write;

use flate2::{Compression, GzBuilder};
use ledgerline_ledger::chunk::ChunkId;
use ledgerline_ledger::entry::MAX_LINE_BYTES;
use ledgerline_ledger::log::LogId;
use ledgerline_ledger::member::{self, MAX_LINES, MAX_TEXT_BYTES, MemberError};
use ledgerline_ledger::store::{Failure, StoreError};
use serde::{Deserialize, Serialize};

use crate::ids::ObjectId;
use crate::keys::{self, PlanOf};

/// The version this crate writes. Its readers accept it and, once there is one, the version before.
pub const VERSION: u32 = 1;

/// Most entries of a chunk: as many as a segment's member has lines, so that a chunk's bytes can become one as they are.
pub const MAX_CHUNK_ENTRIES: usize = MAX_LINES;

/// How many bytes of a plan hold its header. A chunk takes some 25 compressed bytes of it, and 100,000 events in one
/// object make some 400 chunks: 10 KiB. This holds one hundred times as many.
pub const HEADER_READ_BYTES: usize = 1024 * 1024;

/// How a plan's events were counted. `in = filtered + duplicate + quarantined + planned`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Counts {
    /// Source events in the bronze object.
    #[serde(rename = "in")]
    pub input: u64,
    /// Those that the policy drops.
    pub filtered: u64,
    /// Those that another object owns, or that came twice in this one.
    pub duplicate: u64,
    /// Those that turned out to be no events.
    pub quarantined: u64,
    /// Those that the plan holds.
    pub planned: u64,
}

impl Counts {
    /// Whether every event that came in is accounted for exactly once.
    pub fn balanced(&self) -> bool {
        let parts = [self.filtered, self.duplicate, self.quarantined, self.planned];
        parts.iter().try_fold(0u64, |sum, part| sum.checked_add(*part)) == Some(self.input)
    }
}

/// Where a chunk lies; the offset counts from the end of the header's member.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChunkRange {
    /// The log that its entries belong to.
    pub log: String,
    /// Its number in the plan, from 0.
    pub ordinal: u32,
    /// First byte, from the end of the header.
    pub offset: u64,
    /// Bytes.
    pub length: u64,
    /// Entries.
    pub count: u32,
}

/// A plan's first line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Header {
    /// The format's version.
    pub v: u32,
    /// The bronze object.
    pub object: ObjectId,
    /// Its key.
    pub key: String,
    /// The policy that masked it.
    pub policy_version: String,
    /// The counts.
    pub counts: Counts,
    /// The chunks, in the order of their ordinals.
    pub chunks: Vec<ChunkRange>,
    /// What was written beside the plan. Plans of acts have none, nor have those of earlier code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub beside: Option<Beside>,
}

/// What transform wrote beside a plan, and by what: what lineage tells of an event's way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Beside {
    /// The days on which there is a silver file of the object, `yyyy-mm-dd` UTC, ascending.
    pub silver: Vec<String>,
    /// The hash of the policy that masked it.
    pub policy_hash: String,
    /// The version of the code that read it.
    pub code: String,
}

/// A plan as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The header.
    pub header: Header,
    /// Where the first chunk begins.
    pub header_bytes: u64,
    /// The whole object.
    pub bytes: Vec<u8>,
}

/// Gathers entries into chunks. Entries of one log keep the order in which they came.
#[derive(Debug)]
pub struct PlanWriter {
    object: ObjectId,
    key: String,
    policy_version: String,
    beside: Option<Beside>,
    logs: BTreeMap<LogId, LogChunks>,
    planned: u64,
}

#[derive(Debug, Default)]
struct LogChunks {
    members: Vec<(Vec<u8>, u32)>,
    pending: Vec<u8>,
    pending_count: u32,
}

impl PlanWriter {
    /// A plan for the bronze object at `key`.
    pub fn new(object: ObjectId, key: impl Into<String>, policy_version: impl Into<String>) -> Self {
        let (key, policy_version) = (key.into(), policy_version.into());
        Self { object, key, policy_version, beside: None, logs: BTreeMap::new(), planned: 0 }
    }

    /// The same, saying what was written beside it.
    #[must_use]
    pub fn beside(self, beside: Beside) -> Self {
        Self { beside: Some(beside), ..self }
    }

    /// Adds an entry's canonical line, given without its newline.
    pub fn push(&mut self, log: &LogId, line: &[u8]) -> Result<(), PlanError> {
        if line.is_empty() || line.contains(&b'\n') || line.len() > MAX_LINE_BYTES {
            return Err(PlanError::Line);
        }
        if !self.logs.contains_key(log) {
            self.logs.insert(log.clone(), LogChunks::default());
        }
        if let Some(chunks) = self.logs.get_mut(log) {
            chunks.push(line);
        }
        self.planned += 1;
        Ok(())
    }

    /// The plan's bytes. `counts.planned` is the writer's own and need not be filled in; the rest must add up with it.
    pub fn finish(self, counts: Counts) -> Result<Plan, PlanError> {
        let counts = Counts { planned: self.planned, ..counts };
        if !counts.balanced() {
            return Err(PlanError::Counts);
        }
        let mut chunks = Vec::new();
        let mut body = Vec::new();
        for (log, mut log_chunks) in self.logs {
            log_chunks.close();
            for (member, count) in log_chunks.members {
                chunks.push(ChunkRange {
                    log: log.to_string(),
                    ordinal: u32::try_from(chunks.len()).map_err(|_| PlanError::Counts)?,
                    offset: body.len() as u64,
                    length: member.len() as u64,
                    count,
                });
                body.extend_from_slice(&member);
            }
        }
        let Self { object, key, policy_version, beside, .. } = self;
        let header = Header { v: VERSION, object, key, policy_version, counts, chunks, beside };
        let mut line = serde_json::to_vec(&header).map_err(|error| PlanError::json("header", &error))?;
        line.push(b'\n');
        let mut bytes = gzip_member(&line);
        let header_bytes = bytes.len() as u64;
        bytes.append(&mut body);
        Ok(Plan { header, header_bytes, bytes })
    }
}

impl LogChunks {
    fn push(&mut self, line: &[u8]) {
        if self.pending.len() + line.len() + 1 > MAX_TEXT_BYTES {
            self.close();
        }
        self.pending.extend_from_slice(line);
        self.pending.push(b'\n');
        self.pending_count += 1;
        if self.pending_count as usize == MAX_CHUNK_ENTRIES {
            self.close();
        }
    }

    fn close(&mut self) {
        if self.pending_count > 0 {
            self.members.push((gzip_member(&self.pending), self.pending_count));
            self.pending.clear();
            self.pending_count = 0;
        }
    }
}

impl Header {
    /// Reads the header from a plan's first bytes (at most [`HEADER_READ_BYTES`] of them are needed), and says where
    /// the first chunk begins.
    pub fn read(plan: &[u8]) -> Result<(Self, u64), PlanError> {
        let (line, member_bytes) = member::unpack(plan, MAX_HEADER_LINE_BYTES)?;
        let Some(json) = line.strip_suffix('\n').filter(|json| !json.contains('\n')) else {
            return Err(PlanError::Malformed("the header is not one line"));
        };
        let version: VersionOnly = serde_json::from_str(json).map_err(|error| PlanError::json("header", &error))?;
        if version.v != VERSION {
            return Err(PlanError::Version(version.v));
        }
        let header: Self = serde_json::from_str(json).map_err(|error| PlanError::json("header", &error))?;
        header.check()?;
        Ok((header, member_bytes as u64))
    }

    /// What the plan is of, as its object's key says.
    pub fn of(&self) -> PlanOf {
        keys::plan_of(&self.key)
    }

    /// One pointer per chunk, in order.
    pub fn pointers(&self, header_bytes: u64) -> Vec<Pointer> {
        let plan = keys::staged(self.of(), self.object);
        let pointer = |chunk: &ChunkRange| Pointer {
            v: VERSION,
            object: self.object,
            plan: plan.clone(),
            log: chunk.log.clone(),
            ordinal: chunk.ordinal,
            offset: header_bytes + chunk.offset,
            length: chunk.length,
            count: chunk.count,
        };
        self.chunks.iter().map(pointer).collect()
    }

    fn check(&self) -> Result<(), PlanError> {
        let (mut offset, mut entries) = (0u64, 0u64);
        for (at, chunk) in self.chunks.iter().enumerate() {
            LogId::parse(&chunk.log).map_err(|_| PlanError::Malformed("a chunk's log is no log name"))?;
            if usize::try_from(chunk.ordinal) != Ok(at) {
                return Err(PlanError::Malformed("the chunks' ordinals do not run from 0"));
            }
            if chunk.offset != offset || chunk.length == 0 {
                return Err(PlanError::Malformed("the chunks do not lie one after the other"));
            }
            check_count(chunk.count)?;
            offset = offset.checked_add(chunk.length).ok_or(PlanError::Malformed("the chunks have no end"))?;
            entries += u64::from(chunk.count);
        }
        if !self.counts.balanced() || self.counts.planned != entries {
            return Err(PlanError::Counts);
        }
        Ok(())
    }
}

/// The message that names a chunk to audit-write: a place, never content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pointer {
    /// The format's version.
    pub v: u32,
    /// The bronze object.
    pub object: ObjectId,
    /// The plan's key.
    pub plan: String,
    /// The log.
    pub log: String,
    /// The chunk's number in the plan.
    pub ordinal: u32,
    /// First byte in the plan's object.
    pub offset: u64,
    /// Bytes.
    pub length: u64,
    /// Entries.
    pub count: u32,
}

impl Pointer {
    /// Reads and checks a message's body.
    pub fn parse(body: &str) -> Result<Self, PlanError> {
        let version: VersionOnly = serde_json::from_str(body).map_err(|error| PlanError::json("pointer", &error))?;
        if version.v != VERSION {
            return Err(PlanError::Version(version.v));
        }
        let pointer: Self = serde_json::from_str(body).map_err(|error| PlanError::json("pointer", &error))?;
        pointer.check()?;
        Ok(pointer)
    }

    /// The message's body.
    pub fn to_body(&self) -> Result<String, PlanError> {
        serde_json::to_string(self).map_err(|error| PlanError::json("pointer", &error))
    }

    /// The queue's message group: chunks of one log are taken in order.
    pub fn group(&self) -> &str {
        &self.log
    }

    /// The queue's deduplication id: a pointer that is sent again is the same message.
    pub fn deduplication_id(&self) -> String {
        format!("{}-{}", self.object, self.ordinal)
    }

    /// What its plan is of: that follows from where the plan lies, which a role allows or refuses, and from nothing that is in it.
    ///
    /// # Errors
    /// If its plan has no plan's key, or another object's.
    pub fn plan_of(&self) -> Result<PlanOf, PlanError> {
        match keys::parse_staged(&self.plan) {
            Some((of, object)) if object == self.object => Ok(of),
            _ => Err(PlanError::Malformed("the pointer's plan is not its object's")),
        }
    }

    /// The chunk that it names.
    ///
    /// # Errors
    /// As [`Pointer::plan_of`].
    pub fn chunk_id(&self) -> Result<ChunkId, PlanError> {
        Ok(ChunkId { of: self.plan_of()?, object: self.object.to_string(), ordinal: self.ordinal })
    }

    /// The log, parsed.
    pub fn log_id(&self) -> Result<LogId, PlanError> {
        LogId::parse(&self.log).map_err(|_| PlanError::Malformed("the pointer's log is no log name"))
    }

    /// The entries of its chunk, from the bytes of its range.
    pub fn read(&self, member: &[u8]) -> Result<ChunkLines, PlanError> {
        if member.len() as u64 != self.length {
            return Err(PlanError::Malformed("the chunk's bytes are not as many as the pointer says"));
        }
        ChunkLines::read(member, self.count)
    }

    fn check(&self) -> Result<(), PlanError> {
        self.log_id()?;
        self.plan_of()?;
        if self.length == 0 || self.length > MAX_MEMBER_BYTES || self.offset.checked_add(self.length).is_none() {
            return Err(PlanError::Malformed("the pointer's range is no chunk's"));
        }
        check_count(self.count)
    }
}

/// The entries of a chunk: canonical lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChunkLines {
    text: String,
}

impl ChunkLines {
    /// Reads one gzip member that must hold so many lines, and nothing after it.
    pub fn read(member: &[u8], count: u32) -> Result<Self, PlanError> {
        check_count(count)?;
        let (text, member_bytes) = member::unpack(member, MAX_TEXT_BYTES)?;
        if member_bytes != member.len() {
            return Err(PlanError::Malformed("the chunk's range holds more than its member"));
        }
        let lines = member::lines(&text)?;
        if lines.len() != count as usize {
            return Err(PlanError::Malformed("the chunk does not hold as many lines as its count says"));
        }
        if lines.iter().any(|line| line.is_empty() || line.len() > MAX_LINE_BYTES) {
            return Err(PlanError::Line);
        }
        Ok(Self { text })
    }

    /// The lines without their newlines.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        // `str::lines` would also drop a carriage return, and so change a leaf.
        self.text.strip_suffix('\n').unwrap_or(&self.text).split('\n')
    }

    /// The lines with their newlines, as they were compressed.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

/// Why a plan, a pointer or a chunk is not one. Names what is wrong and repeats none of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// Not the gzip member that it should be: cut off, changed, or too large.
    #[error("the plan's bytes are damaged: {0}")]
    Member(#[from] MemberError),
    /// Not the JSON that was expected.
    #[error("the plan's {part} is not the expected JSON: {problem} error in column {column}")]
    Json {
        /// What was read.
        part: &'static str,
        /// The sort of error.
        problem: &'static str,
        /// Where it was found.
        column: usize,
    },
    /// A version that this code does not know.
    #[error("the plan has version {0}; this code reads version {VERSION}")]
    Version(u32),
    /// The structure contradicts itself.
    #[error("the plan is malformed: {0}")]
    Malformed(&'static str),
    /// A line is empty, too long or holds a newline.
    #[error("a plan's line is empty, holds a newline or is longer than {MAX_LINE_BYTES} bytes")]
    Line,
    /// The counts do not add up.
    #[error("the plan's counts do not add up: in = filtered + duplicate + quarantined + planned")]
    Counts,
}

impl PlanError {
    /// What serde_json says may repeat a value; its category and place do not.
    fn json(part: &'static str, error: &serde_json::Error) -> Self {
        let problem = match error.classify() {
            serde_json::error::Category::Io => "input",
            serde_json::error::Category::Syntax => "syntax",
            serde_json::error::Category::Data => "data",
            serde_json::error::Category::Eof => "end-of-input",
        };
        Self::Json { part, problem, column: error.column() }
    }
}

/// Enough of a header or pointer to tell its version, whatever else a later one holds.
#[derive(Deserialize)]
struct VersionOnly {
    v: u32,
}

fn check_count(count: u32) -> Result<(), PlanError> {
    let fits = (1..=MAX_CHUNK_ENTRIES).contains(&(count as usize));
    if fits { Ok(()) } else { Err(PlanError::Malformed("a chunk's count is not from 1 to 256")) }
}

/// One gzip member, the same for the same bytes: no time, and "unknown" for the operating system.
fn gzip_member(bytes: &[u8]) -> Vec<u8> {
    let builder = GzBuilder::new().mtime(0).operating_system(OS_UNKNOWN);
    let mut encoder = builder.write(Vec::with_capacity(bytes.len() / 4 + 64), Compression::new(GZIP_LEVEL));
    // Writing into a Vec does not fail; were it to, every reader would refuse the empty member.
    encoder.write_all(bytes).and_then(|()| encoder.finish()).unwrap_or_default()
}

/// Measured on 2,560 entries of a voice call (zlib-rs, one core): level 1 takes 3.4 µs and 161 bytes an entry, level 2
/// 3.7 µs and 119, level 6 7.2 µs and 104. Level 2 has most of the gain at half of level 6's time, and transform is the
/// stage that must keep up with the stream.
const GZIP_LEVEL: u32 = 2;

/// RFC 1952: 255 = unknown.
const OS_UNKNOWN: u8 = 255;

/// 1 MiB of gzip that is a header unpacks to some ten times as much; a bomb unpacks to a thousand times.
const MAX_HEADER_LINE_BYTES: usize = 32 * 1024 * 1024;

/// Text that gzip could not shrink, stored as it is with 5 bytes for every 64 KiB of it: 1 MiB is ample.
const MAX_MEMBER_BYTES: u64 = MAX_TEXT_BYTES as u64 + 1024 * 1024;

impl From<PlanError> for StoreError {
    /// A plan or chunk that is not one was changed or cut after it was written.
    fn from(error: PlanError) -> Self {
        let what = error.to_string();
        Self::Corrupt(Failure::caused_by(what, error))
    }
}

#[cfg(test)]
mod tests;
