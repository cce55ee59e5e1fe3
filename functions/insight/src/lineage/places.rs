//! Where events lie outside the ledger: whether bronze still has their objects, and what silver's rows say of their way.
//!
//! Invariant: of bronze a list is read, never an object; of silver the columns that say how an event came there ([`LineageRow`]).

use std::collections::{BTreeMap, BTreeSet};

use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use ledgerline_lake::keys::{parse_iso_date, silver_events};
use ledgerline_lake::silver::LineageRow;
use ledgerline_ledger::store::StoreError;

use super::read::{Read, ReadEntry};
use crate::Stores;

/// Silver files in memory at once, each some MB.
const PARALLEL_FILES: usize = 4;
/// Lists and rows under way at once.
const PARALLEL: usize = 16;

/// Where a page's events lie.
#[derive(Debug, Default)]
pub(super) struct Places {
    /// Objects that bronze has.
    bronze: BTreeSet<String>,
    /// Rows by file and line; a file that is not there has none.
    silver: BTreeMap<String, BTreeMap<u64, LineageRow>>,
    /// Key ids that were destroyed.
    gone: BTreeSet<String>,
}

impl Places {
    /// Whether bronze has the event's object.
    pub(super) fn has_bronze(&self, object: &str) -> bool {
        self.bronze.contains(object)
    }

    /// The event's row, if silver has it.
    pub(super) fn row(&self, entry: &ReadEntry) -> Option<&LineageRow> {
        self.silver.get(&silver_key(entry)?)?.get(&entry.entry.source.line)
    }

    /// Whether an erasure took what the event says of a person: its row says so, or a key that seals its entry is destroyed. Where neither
    /// row nor key is left, nothing tells.
    pub(super) fn is_erased(&self, entry: &ReadEntry) -> bool {
        !entry.is_act
            && (self.row(entry).is_some_and(|row| row.erased)
                || entry.entry.key_ids.iter().any(|id| self.gone.contains(id)))
    }
}

/// The silver file that has the event's row.
pub(super) fn silver_key(entry: &ReadEntry) -> Option<String> {
    let date = parse_iso_date(entry.entry.occurred_at.get(.."yyyy-mm-dd".len())?)?;
    (!entry.is_act).then(|| entry.entry.source.object.parse().ok())?.map(|object| silver_events(date, object))
}

/// Looks for a page's events.
pub(super) async fn of(stores: &Stores, read: &Read, page: &[ReadEntry]) -> Result<Places, StoreError> {
    let events = || page.iter().filter(|entry| !entry.is_act);
    let objects: BTreeSet<&str> = events().map(|entry| entry.entry.source.object.as_str()).collect();
    let keys = objects.into_iter().filter_map(|object| Some((object, read.key_of(object)?)));
    let there: Vec<Option<String>> = stream::iter(keys)
        .map(|(object, key)| async move {
            Ok::<_, StoreError>(stores.bronze.is_there(key).await?.then(|| object.to_owned()))
        })
        .buffered(PARALLEL)
        .try_collect()
        .await?;
    let mut lines: BTreeMap<String, BTreeSet<u64>> = BTreeMap::new();
    for entry in events() {
        if let Some(key) = silver_key(entry) {
            lines.entry(key).or_default().insert(entry.entry.source.line);
        }
    }
    let files: Vec<(String, BTreeMap<u64, LineageRow>)> = stream::iter(lines)
        .map(|(key, lines)| async move {
            let rows = stores.silver.lineage(&key, &lines).await?.unwrap_or_default();
            Ok::<_, StoreError>((key, rows))
        })
        .buffered(PARALLEL_FILES)
        .try_collect()
        .await?;
    // Asked last: no key that was destroyed by the time that silver was read is taken for one that is there.
    let key_ids = page.iter().filter(|entry| !entry.is_act).flat_map(|entry| &entry.entry.key_ids).map(String::as_str);
    let key_ids: BTreeSet<&str> = key_ids.collect();
    let gone = if key_ids.is_empty() { BTreeSet::new() } else { stores.gone.among(key_ids).await? };
    Ok(Places {
        bronze: there.into_iter().flatten().collect(),
        silver: files.into_iter().collect(),
        gone: gone.into_iter().map(str::to_owned).collect(),
    })
}
