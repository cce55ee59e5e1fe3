//! The index table, strict: claims never change owner, pins never change.

use ledgerline_custody::claims::{BronzeRow, Claim, ClaimEvents, EVENTS_PER_CLAIM, NoteBronze, PinLogs};
use ledgerline_ledger::store::StoreError;
use serde_json::{Value, json};

use crate::fakes::calls::Calls;
use crate::fakes::table::{Item, Table, key, put};
use crate::faults::Faults;

/// The real table's largest update expression.
const EXPRESSION_BYTES: usize = 4 * 1024;

/// Claims, pins and bronze rows in memory.
#[derive(Clone, Debug, Default)]
pub struct FakeIndex {
    /// The table below, for looking at it.
    pub table: Table,
}

impl FakeIndex {
    /// An empty index.
    pub fn new(faults: Faults, calls: Calls) -> Self {
        Self { table: Table::new(faults, calls) }
    }

    /// The owner of every claimed event: event id to object id.
    ///
    /// # Panics
    /// If an event was claimed in two items: one event, one hour.
    pub fn owners(&self) -> std::collections::BTreeMap<String, String> {
        let mut owners = std::collections::BTreeMap::new();
        for ((_, sk), item) in self.table.items() {
            for (name, owner) in item.iter().filter(|(name, _)| sk.starts_with("CLAIM#") && *name != "ttl") {
                let clash = owners.insert(name[1..].to_owned(), text(owner));
                assert_eq!(clash, None, "event {name} has two claims");
            }
        }
        owners
    }
}

impl ClaimEvents for FakeIndex {
    async fn claim(&self, claim: &Claim<'_>) -> Result<Vec<String>, StoreError> {
        assert!((1..=EVENTS_PER_CLAIM).contains(&claim.events.len()), "{} events in a claim", claim.events.len());
        assert!("SET #t=:t".len() + claim.events.len() * ",#e00=if_not_exists(#e00,:o)".len() <= EXPRESSION_BYTES);
        let at = key(format!("INT#{}", claim.record), format!("CLAIM#{}", claim.shard));
        self.table
            .write("dynamodb:UpdateItem", |items| {
                let mut item = items.get(&at).cloned().unwrap_or_default();
                item.insert("ttl".into(), json!(claim.expires_at_s));
                let own = |event: &&str| text(item.entry(format!("e{event}")).or_insert_with(|| json!(claim.object)));
                let owners = claim.events.iter().map(own).collect();
                put(items, at, item);
                Ok(owners)
            })
            .await
    }
}

impl PinLogs for FakeIndex {
    async fn logs(&self, records: &[&str]) -> Result<Vec<Option<String>>, StoreError> {
        let keys: Vec<_> = records.iter().map(|record| key(format!("INT#{record}"), "LOG")).collect();
        let rows = self.table.batch_get(&keys).await?;
        Ok(rows.into_iter().map(|row| row.map(|item| text(&item["log"]))).collect())
    }

    async fn pin(&self, record: &str, log: &str) -> Result<String, StoreError> {
        let at = key(format!("INT#{record}"), "LOG");
        self.table
            .write("dynamodb:UpdateItem", |items| {
                let pinned = items.get(&at).map_or_else(|| log.to_owned(), |item| text(&item["log"]));
                put(items, at, Item::from([("log".into(), json!(pinned))]));
                Ok(pinned)
            })
            .await
    }
}

impl NoteBronze for FakeIndex {
    async fn note(&self, rows: &[BronzeRow<'_>]) -> Result<(), StoreError> {
        let row = |row: &BronzeRow<'_>| {
            let item = Item::from([("key".into(), json!(row.key)), ("lines".into(), json!(row.lines))]);
            (key(format!("INT#{}", row.record), format!("BRZ#{}", row.object)), item)
        };
        let rows: Vec<_> = rows.iter().map(row).collect();
        for (at, item) in &rows {
            let before = self.table.peek(at);
            assert!(before.is_none_or(|before| before == *item), "bronze row {at:?} changed: a reading must repeat");
        }
        self.table.batch_put(rows).await
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
