//! What capture took and is not in the ledger yet, beside the entries of its record.
//!
//! Invariant: an event is told exactly once. The journal is read again behind the record's entries: of an event whose entry was read by then
//! the ledger's is told; one whose row names no entry, or another than was read, had none when the entries were read. A row that is gone by
//! then was deleted by sweep, which found the entry committed a minute before, longer than an answer takes, so that it was read; or by an
//! erasure. Nothing is told of a record that only shared subjects are linked to, nor of what an erasure of the whole record covers.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use ledgerline_custody::access::{Found, LinkedRecord};
use ledgerline_ledger::store::StoreError;
use ledgerline_store::journal::{Journal, Journaled};
use serde::Deserialize;

/// Reads under way at once.
const PARALLEL: usize = 16;

/// Events by record.
pub(crate) type OnItsWay = BTreeMap<String, Vec<Journaled>>;

/// What the journal knows of these of the window's records; of others nothing is asked.
pub(crate) async fn read(
    journal: &Journal,
    window: &[(String, LinkedRecord)],
    journaled: &BTreeSet<String>,
) -> Result<OnItsWay, StoreError> {
    let asked = window.iter().filter(|(key, linked)| !linked.shared && journaled.contains(key));
    of_each(journal, asked.map(|(key, _)| key.clone()).collect()).await
}

/// The same again of the records of which it knew anything.
pub(crate) async fn read_again(journal: &Journal, before: OnItsWay) -> Result<OnItsWay, StoreError> {
    of_each(journal, before.into_keys().collect()).await
}

async fn of_each(journal: &Journal, records: Vec<String>) -> Result<OnItsWay, StoreError> {
    let read = |record: String| async move { Ok::<_, StoreError>((journal.of(&record).await?, record)) };
    let found: Vec<_> = stream::iter(records).map(read).buffered(PARALLEL).try_collect().await?;
    Ok(found.into_iter().filter(|(events, _)| !events.is_empty()).map(|(events, record)| (record, events)).collect())
}

/// The events of a record, by when they occurred, that none of its entries tells.
pub(crate) fn without_committed(events: &[Journaled], entries: &[Found], linked: &LinkedRecord) -> Vec<Journaled> {
    if events.is_empty() {
        return Vec::new();
    }
    let committed: BTreeSet<String> = entries.iter().filter_map(|entry| event_id(&entry.text)).collect();
    let is_told = |event: &Journaled| event.planned.as_ref().is_some_and(|entry| committed.contains(&entry.event_id));
    let mut left: Vec<Journaled> =
        events.iter().filter(|event| !is_told(event) && !linked.is_erased(&event.occurred_at)).cloned().collect();
    left.sort_by(|one, other| (&one.occurred_at, &one.claim_id).cmp(&(&other.occurred_at, &other.claim_id)));
    left
}

/// An entry's event id.
fn event_id(line: &str) -> Option<String> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct EventId {
        event_id: String,
    }
    serde_json::from_str::<EventId>(line).ok().map(|entry| entry.event_id)
}
