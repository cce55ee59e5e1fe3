//! Completion: which interactions are over, and what the entry about it says.
//!
//! A follower reads a log's segments in their order and remembers of each interaction that is not completed when it last
//! grew. It is **due** once its final event (`customer.end`, `interaction.end`) came and five quiet minutes passed, or once it fell silent
//! for long. Its *completion* is an `INTERACTION_SEALED` entry ([`crate::acts`]) in the interaction's own log, about the same
//! record, with these fields (the stored type has its name from when completing was called sealing):
//!
//! | field | value |
//! |---|---|
//! | `count` | how many *event entries* the record has: entries of its postings whose type is no [`ActKind`] |
//! | `digest` | 64 hex digits: SHA-256 over the concatenated 32-byte RFC 6962 leaf hashes of those entries, ordered by `(occurredAt, eventId)`, both compared as text |
//! | `completion` | `final` or `silent` |
//! | `firstOccurredAt`, `lastOccurredAt` | of the first and the last entry in that order |
//! | `late` | only in a completion that follows another: how many of the entries lie behind the record's previous one in the log |
//!
//! So a verifier needs nothing but the record's lines: hash, sort, hash. Acts do not count: a completion, a hold or an extension
//! is no event of the interaction, and none of them opens it again.
//!
//! Invariant: a completion follows from the record's entries alone. The purpose of the act holds record, count and digest, so
//! that two followers, a repeated run or a lost state write it once; entries that come later make another count, and so
//! another completion. Left out: entities, which are never complete.

use std::collections::BTreeMap;

use ledgerline_event::catalogue::built_in;
use ledgerline_ledger::entry::{Entry, EntryError, Field, Record};
use ledgerline_ledger::log::LogId;
use ledgerline_ledger::member;
use ledgerline_ledger::segment::Segment;
use ledgerline_ledger::tree::Hash;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::access::{Found, split_record};
use crate::acts::{Act, ActKind};

/// How long an interaction whose final event came must be quiet: what belongs to it arrives within the delivery
/// stream's flush (two minutes by default) and a retry or two.
pub const QUIET_MS: i64 = 5 * 60 * 1000;
/// How long a completed interaction is remembered, so that after-call work completes it again after five minutes and not after
/// a silence.
pub const COMPLETED_KEPT_MS: i64 = 60 * 60 * 1000;
/// Interactions remembered per log. One takes some 110 bytes as text: 55 MB. Beyond it the longest silent are due early.
pub const OPEN_MAX: usize = 500_000;
/// Four times what [`OPEN_MAX`] records take.
const STATE_TEXT_MAX_BYTES: usize = 256 * 1024 * 1024;
const VERSION: u32 = 1;

/// Why an interaction is completed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Completion {
    /// Its final event came, and nothing after it for a while.
    Final,
    /// Nothing came for long.
    Silent,
}

impl Completion {
    fn name(self) -> &'static str {
        match self {
            Self::Final => "final",
            Self::Silent => "silent",
        }
    }
}

/// What a follower remembers of an interaction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Open {
    /// When its newest entry was committed; once completed, when that was.
    #[serde(rename = "t")]
    at_ms: i64,
    /// Event entries seen since it was opened.
    #[serde(rename = "n")]
    entries: u64,
    /// The log's index of the first of them.
    #[serde(rename = "i")]
    first: u64,
    /// Its final event came.
    #[serde(rename = "e", default, skip_serializing_if = "std::ops::Not::not")]
    ended: bool,
    /// A completion over all that was seen is on its way or in the log.
    #[serde(rename = "s", default, skip_serializing_if = "std::ops::Not::not")]
    completed: bool,
}

/// An entry whose type extends the retention of its record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trigger {
    /// `<org>/<record>`.
    pub record: String,
    /// The entry's event id.
    pub event_id: String,
    /// Its type.
    pub event_type: String,
    /// When it occurred.
    pub occurred_at: String,
}

/// How far a log was followed, and what is open behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Following {
    log: LogId,
    cursor: u64,
    /// Below it the follower caught up from nothing: of records that it opened there it saw every entry.
    caught_up_from_nothing_to: u64,
    looked_for_expired_at_ms: i64,
    records: BTreeMap<String, Open>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct HeaderLine {
    v: u32,
    log: String,
    cursor: u64,
    from_nothing_to: u64,
    looked_for_expired_at_ms: i64,
}

#[derive(Serialize, Deserialize)]
struct RecordLine {
    r: String,
    #[serde(flatten)]
    open: Open,
}

impl Following {
    /// Nothing followed yet of a log that has `indexed` entries with postings.
    pub fn from_nothing(log: &LogId, indexed: u64) -> Self {
        Self {
            log: log.clone(),
            cursor: 0,
            caught_up_from_nothing_to: indexed,
            looked_for_expired_at_ms: 0,
            records: BTreeMap::new(),
        }
    }

    /// Reads what [`Following::write`] wrote; `None` for anything else, from which the caller begins from nothing.
    pub fn read(log: &LogId, bytes: &[u8]) -> Option<Self> {
        let (text, taken) = member::unpack(bytes, STATE_TEXT_MAX_BYTES).ok()?;
        let mut lines = text.lines();
        let header: HeaderLine = serde_json::from_str(lines.next()?).ok()?;
        if taken != bytes.len() || header.v != VERSION || header.log != log.as_str() {
            return None;
        }
        let records = lines.map(|line| serde_json::from_str(line).map(|line: RecordLine| (line.r, line.open)));
        Some(Self {
            log: log.clone(),
            cursor: header.cursor,
            caught_up_from_nothing_to: header.from_nothing_to,
            looked_for_expired_at_ms: header.looked_for_expired_at_ms,
            records: records.collect::<Result<_, _>>().ok()?,
        })
    }

    /// The state as gzipped lines.
    ///
    /// # Errors
    /// None that these types can cause; serde's own.
    pub fn write(&self) -> Result<Vec<u8>, serde_json::Error> {
        let mut text = Vec::with_capacity(128 * (self.records.len() + 1));
        let header = HeaderLine {
            v: VERSION,
            log: self.log.to_string(),
            cursor: self.cursor,
            from_nothing_to: self.caught_up_from_nothing_to,
            looked_for_expired_at_ms: self.looked_for_expired_at_ms,
        };
        serde_json::to_writer(&mut text, &header)?;
        text.push(b'\n');
        for (record, open) in &self.records {
            serde_json::to_writer(&mut text, &RecordLine { r: record.clone(), open: open.clone() })?;
            text.push(b'\n');
        }
        Ok(member::pack(&text))
    }

    /// The index of the first entry that was not followed.
    pub fn cursor(&self) -> u64 {
        self.cursor
    }

    /// Interactions that are not completed.
    pub fn open(&self) -> usize {
        self.records.values().filter(|open| !open.completed).count()
    }

    /// The lowest index of an entry that an interaction not yet completed began with.
    pub fn needed_from(&self) -> Option<u64> {
        self.records.values().filter(|open| !open.completed).map(|open| open.first).min()
    }

    /// When expired segments were last looked for.
    pub fn looked_for_expired_at_ms(&self) -> i64 {
        self.looked_for_expired_at_ms
    }

    /// Notes that expired segments were looked for.
    pub fn looked_for_expired(&mut self, now_ms: i64) {
        self.looked_for_expired_at_ms = now_ms;
    }

    /// Goes on behind what was pruned.
    pub fn skip_to(&mut self, first: u64) {
        self.cursor = self.cursor.max(first);
    }

    /// Follows the segment at the cursor, committed at this time. What [`triggers`] finds in it must have been done
    /// before, or a crash would leave it undone.
    ///
    /// # Errors
    /// A line is no entry; nothing has changed then.
    pub fn follow(&mut self, segment: &Segment, committed_at_ms: i64) -> Result<(), EntryError> {
        let entries = segment.lines().map(|line| Entry::read(line.as_bytes())).collect::<Result<Vec<_>, _>>()?;
        for (index, entry) in (segment.name().first..).zip(entries) {
            let Some(record) = entry.record() else { continue };
            match (ActKind::of(&entry.event_type), &record) {
                (Some(ActKind::InteractionSealed), _) => self.saw_completion(&record.key(&entry.org), &entry),
                (None, Record::Interaction(_)) => {
                    self.saw_event(record.key(&entry.org), index, committed_at_ms, &entry.event_type);
                }
                (Some(_), _) | (None, Record::Entity { .. }) => {}
            }
        }
        self.cursor = segment.name().end();
        Ok(())
    }

    fn saw_event(&mut self, record: String, index: u64, committed_at_ms: i64, event_type: &str) {
        let new = Open { at_ms: committed_at_ms, entries: 0, first: index, ended: false, completed: false };
        let open = self.records.entry(record).or_insert(new);
        if open.completed {
            // It grew after its completion: to be completed again, and its end is known already.
            *open = Open { ended: open.ended, entries: 0, first: index, at_ms: committed_at_ms, completed: false };
        }
        open.entries += 1;
        open.at_ms = open.at_ms.max(committed_at_ms);
        open.ended |= built_in().is_final(event_type);
    }

    /// While it catches up from nothing, a follower knows a record's number of entries, and need not read those of a
    /// record whose completion says the same.
    fn saw_completion(&mut self, record: &str, entry: &Entry) {
        let counted = entry.fields.get(COUNT).and_then(Value::as_u64);
        let whole = self.cursor < self.caught_up_from_nothing_to;
        if whole && self.records.get(record).is_some_and(|open| Some(open.entries) == counted) {
            self.records.remove(record);
        }
    }

    /// Interactions that are to be completed now, the longest quiet first.
    pub fn due(&self, now_ms: i64, silence_ms: i64) -> Vec<(String, Completion)> {
        let mut open: Vec<(&String, &Open)> = self.records.iter().filter(|(_, open)| !open.completed).collect();
        open.sort_by_key(|(record, open)| (open.at_ms, *record));
        let too_many = open.len().saturating_sub(OPEN_MAX);
        let completion = |(place, (record, open)): (usize, (&String, &Open))| {
            let quiet_ms = now_ms - open.at_ms;
            let completion = match (open.ended && quiet_ms >= QUIET_MS, quiet_ms >= silence_ms || place < too_many) {
                (true, _) => Completion::Final,
                (false, true) => Completion::Silent,
                (false, false) => return None,
            };
            Some((record.clone(), completion))
        };
        open.into_iter().enumerate().filter_map(completion).collect()
    }

    /// Notes that a completion over all of the record's entries is on its way, or that there was one.
    pub fn completed(&mut self, record: &str, now_ms: i64) {
        if let Some(open) = self.records.get_mut(record) {
            open.completed = true;
            open.at_ms = now_ms;
        }
    }

    /// Forgets interactions that were completed a while ago.
    pub fn forget_completed(&mut self, now_ms: i64) {
        self.records.retain(|_, open| !open.completed || now_ms - open.at_ms < COMPLETED_KEPT_MS);
    }
}

/// A segment's entries of one of these types.
///
/// # Errors
/// A line is no entry.
pub fn triggers(segment: &Segment, types: &[String]) -> Result<Vec<Trigger>, EntryError> {
    if types.is_empty() {
        return Ok(Vec::new());
    }
    let entries = segment.lines().map(|line| Entry::read(line.as_bytes())).collect::<Result<Vec<_>, _>>()?;
    let triggers = entries.into_iter().filter(|entry| types.contains(&entry.event_type));
    Ok(triggers
        .filter_map(|entry| {
            let record = entry.record()?.key(&entry.org);
            let Entry { event_id, event_type, occurred_at, .. } = entry;
            Some(Trigger { record, event_id, event_type, occurred_at })
        })
        .collect())
}

/// A record's entry, as far as a completion needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    occurred_at: String,
    event_id: String,
    leaf: Hash,
    index: u64,
    /// Its type.
    pub event_type: String,
    act: Option<ActKind>,
    /// Of a completion: what it says.
    says: Option<(u64, String)>,
}

impl Mark {
    /// What is needed of an entry that was read and checked.
    ///
    /// # Errors
    /// The line is no entry.
    pub fn of(found: &Found) -> Result<Self, EntryError> {
        let entry = Entry::read(found.text.as_bytes())?;
        let act = ActKind::of(&entry.event_type);
        let digest = entry.fields.get(DIGEST).and_then(Value::as_str);
        let says = entry.fields.get(COUNT).and_then(Value::as_u64).zip(digest.map(str::to_owned));
        Ok(Self {
            occurred_at: entry.occurred_at,
            event_id: entry.event_id,
            leaf: found.leaf,
            index: found.order.index,
            event_type: entry.event_type,
            act,
            says: says.filter(|_| act == Some(ActKind::InteractionSealed)),
        })
    }

    /// When it occurred.
    pub fn occurred_at(&self) -> &str {
        &self.occurred_at
    }

    /// The source's event id.
    pub fn event_id(&self) -> &str {
        &self.event_id
    }
}

/// What a completion says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Completed {
    /// Event entries.
    pub count: u64,
    /// Their digest.
    pub digest: String,
    /// Occurrence of the first of them.
    pub first: String,
    /// Occurrence of the last.
    pub last: String,
    /// How many came behind the previous completion; `None` without one.
    pub late: Option<u64>,
}

/// The completion over a record's entries, in whatever order they come; `None` if there is nothing to say: no event entry, or
/// the record's newest completion says the same.
pub fn completed(marks: &[Mark]) -> Option<Completed> {
    let mut events: Vec<&Mark> = marks.iter().filter(|mark| mark.act.is_none()).collect();
    events.sort_unstable_by_key(|mark| (&mark.occurred_at, &mark.event_id));
    let (first, last) = (events.first()?.occurred_at.clone(), events.last()?.occurred_at.clone());
    let digest = events.iter().fold(Sha256::new(), |digest, mark| digest.chain_update(mark.leaf.0));
    let (count, digest) = (events.len() as u64, Hash(digest.finalize().into()).hex());
    let newest = marks.iter().filter(|mark| mark.act == Some(ActKind::InteractionSealed)).max_by_key(|mark| mark.index);
    if newest.is_some_and(|newest| newest.says.as_ref().is_some_and(|(n, d)| (*n, d) == (count, &digest))) {
        return None;
    }
    let late = newest.map(|newest| events.iter().filter(|mark| mark.index > newest.index).count() as u64);
    Some(Completed { count, digest, first, last, late })
}

impl Completed {
    /// The completion as an act and its purpose id; `None` if the key names no record.
    pub fn act(&self, log: &LogId, record: &str, completion: Completion, now: &str) -> Option<(String, Act)> {
        let (_, about) = split_record(record)?;
        let text = |value: &str| Field::Text(value.to_owned());
        let number = |value: u64| Field::Int(i64::try_from(value).unwrap_or(i64::MAX));
        let mut fields = BTreeMap::from([
            (COUNT.to_owned(), number(self.count)),
            (DIGEST.to_owned(), text(&self.digest)),
            ("completion".to_owned(), text(completion.name())),
            ("firstOccurredAt".to_owned(), text(&self.first)),
            ("lastOccurredAt".to_owned(), text(&self.last)),
        ]);
        fields.extend(self.late.map(|late| ("late".to_owned(), number(late))));
        let act = Act {
            log: log.clone(),
            kind: ActKind::InteractionSealed,
            record: about,
            occurred_at: now.to_owned(),
            fields,
            key_ids: Vec::new(),
        };
        Some((format!("seal/{log}/{record}/{}/{}", self.count, self.digest), act))
    }
}

const COUNT: &str = "count";
const DIGEST: &str = "digest";

#[cfg(test)]
mod tests;
