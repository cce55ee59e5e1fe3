//! Lines that are not planned as they were read. Where several records have a source's lineage token, the line carries the token
//! derived from its own record. A line that an erasure covers carries that one, too, and nothing sealed.
//!
//! Invariant: a record that is pinned to a log has a row of the token that is derived from its id ([`note_derived`]), whether an entry
//! carries it or not. No entry carries a source's token unless the record has a row that says so and, when that was there, no other
//! record had one. Of two records that take a token up at once both read the other's row; an entry that was planned before
//! keeps the token.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use ledgerline_event::{LineageFrom, lineage};
use ledgerline_ledger::entry::{self, DERIVED_TOKEN_BYTES, MAX_LINE_BYTES, Record};
use ledgerline_ledger::store::{Failure, StoreError};
use ledgerline_store::token::{RECORDS_READ, Tokens};

use crate::gate::Gate;
use crate::reading::{Event, Read, RecordSeen};
use crate::{CALLS_AT_ONCE, ROWS_PER_BATCH};

/// What an event is planned as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rewritten {
    /// The token that is derived from the event's record, if it has that in the place of its source's.
    pub token: Option<String>,
    /// The ledger's line.
    pub line: String,
}

/// What becomes of events that are not planned as they were read, by their ids.
pub type RewrittenLines<'r> = HashMap<&'r str, Rewritten>;

/// Notes the records of the source's tokens of these events, and replaces those that are shared. The token of an event that
/// an erasure covers is replaced without a question, and noted nowhere: the next line of its record might not be covered, and an
/// entry cannot be changed; what is sealed of it goes, whose key nobody keeps. A crash in here leaves rows of records whose events are
/// not planned yet: theirs for good.
///
/// # Errors
/// The table's.
pub async fn rewritten<'r>(
    tokens: &Tokens,
    read: &'r Read,
    gate: &Gate<'_>,
    events: &[&'r Event],
) -> Result<RewrittenLines<'r>, StoreError> {
    let is_sent = |event: &Event| event.lineage_from == LineageFrom::Source;
    let (covered, others): (Vec<&Event>, Vec<&Event>) =
        events.iter().partition(|event| gate.suppresses(&event.adapted));
    let sent: Vec<&Event> = others.into_iter().filter(|event| is_sent(event)).collect();
    let record = |event: &Event| read.records[event.adapted.record].key.as_str();
    let mut by_token: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for event in &sent {
        by_token.entry(&event.lineage_token).or_default().insert(record(event));
    }
    let tokens_sent: Vec<&str> = by_token.keys().copied().collect();
    let mut known: HashMap<&str, BTreeSet<String>> =
        tokens_sent.iter().copied().zip(query(tokens, &tokens_sent).await?).collect();
    // A record that is new to a token gets its row, unless so many have it that it is known to be shared.
    let mut new = Vec::new();
    for (token, records) in &by_token {
        let known = known.entry(token).or_default();
        for record in records {
            if !known.contains(*record) && known.len() + 1 < RECORDS_READ {
                new.push((*token, *record));
                known.insert((*record).to_owned());
            }
        }
    }
    stream::iter(new.chunks(ROWS_PER_BATCH))
        .map(|rows| tokens.put(rows))
        .buffered(CALLS_AT_ONCE)
        .try_collect::<()>()
        .await?;
    let noted: Vec<&str> = new.iter().map(|(token, _)| *token).collect::<BTreeSet<_>>().into_iter().collect();
    for (token, records) in noted.iter().copied().zip(query(tokens, &noted).await?) {
        known.entry(token).or_default().extend(records);
    }
    let is_shared = |event: &&Event| {
        let records = known.get(event.lineage_token.as_str());
        records.is_some_and(|records| records.iter().any(|other| other != record(event)))
    };
    let derived_of = |event: &Event| derived(&read.records[event.adapted.record].about);
    let with_another_token = |event: &'r Event| {
        let token = derived_of(event);
        let line = entry::with_lineage_token(&event.line, &token);
        (event, Some(token), line)
    };
    let without_sealed = |event: &'r Event| {
        let token = is_sent(event).then(|| derived_of(event));
        let line = entry::without_sealed(&event.line, token.as_deref());
        (event, token, line)
    };
    let shared = sent.into_iter().filter(is_shared).map(with_another_token);
    let rewritten = shared.chain(covered.into_iter().map(without_sealed)).map(|(event, token, line)| {
        let line = line.map_err(|error| StoreError::Corrupt(Failure::caused_by("rewrite a line", error)))?;
        Ok((event.event_id.as_str(), Rewritten { token, line }))
    });
    rewritten.collect()
}

/// Notes the tokens that are derived from these records' ids.
///
/// # Errors
/// The table's.
pub async fn note_derived(tokens: &Tokens, records: &[&RecordSeen]) -> Result<(), StoreError> {
    let derived: Vec<String> = records.iter().map(|record| derived(&record.about)).collect();
    let rows: Vec<(&str, &str)> =
        derived.iter().map(String::as_str).zip(records.iter().map(|record| &*record.key)).collect();
    stream::iter(rows.chunks(ROWS_PER_BATCH))
        .map(|rows| tokens.put(rows))
        .buffered(CALLS_AT_ONCE)
        .try_collect::<()>()
        .await
}

/// The records of each of these tokens.
async fn query(tokens: &Tokens, asked: &[&str]) -> Result<Vec<BTreeSet<String>>, StoreError> {
    let records =
        stream::iter(asked).map(|token| async move { Ok(tokens.records(token).await?.into_iter().collect()) });
    records.buffered(CALLS_AT_ONCE).try_collect().await
}

/// Whether a line may yet have a derived token in the place of this one.
pub fn is_replaceable(line: &str, token: &str) -> bool {
    line.len() - token.len() + DERIVED_TOKEN_BYTES <= MAX_LINE_BYTES
}

/// The token of a record, from its id alone.
pub(crate) fn derived(about: &Record) -> String {
    match about {
        Record::Interaction(id) => lineage::derived_token(id),
        Record::Entity { kind, id } => lineage::derived_token(&format!("{kind}/{id}")),
    }
}
