//! How far bronze is planned, strict: the row is replaced only by who read it.

use std::collections::BTreeMap;

use ledgerline_custody::planned::{KeepPlanned, ROW, ReadPlanned, THROUGH, read_through};
use ledgerline_event::instant;
use ledgerline_ledger::store::StoreError;
use serde_json::{Value, json};

use crate::fakes::control::FakeControl;
use crate::fakes::table::{condition_failed, key, put};

impl FakeControl {
    /// Writes the row as sweep would, or removes it.
    pub fn set_planned_through(&self, through_ms: Option<i64>) {
        let mut items = self.table.items();
        items.remove(&key(ROW.0, ROW.1));
        let row = |at_ms| BTreeMap::from([(THROUGH.to_owned(), json!(instant::to_rfc3339(at_ms)))]);
        items.extend(through_ms.map(|at_ms| (key(ROW.0, ROW.1), row(at_ms))));
        self.table.restore(items);
    }
}

impl ReadPlanned for FakeControl {
    async fn planned_through(&self) -> Result<Option<i64>, StoreError> {
        let row = self.table.get(ROW.0, ROW.1).await?;
        row.map(|row| read_through(row.get(THROUGH).and_then(Value::as_str))).transpose()
    }
}

impl KeepPlanned for FakeControl {
    async fn keep_planned_through(&self, through_ms: i64, before: Option<i64>) -> Result<(), StoreError> {
        let (at, text) = (key(ROW.0, ROW.1), |at_ms| json!(instant::to_rfc3339(at_ms)));
        self.table
            .write("dynamodb:UpdateItem BRONZE", |items| {
                let mut row = items.get(&at).cloned().unwrap_or_default();
                if row.insert(THROUGH.to_owned(), text(through_ms)) != before.map(text) {
                    return Err(condition_failed("note how far bronze is planned"));
                }
                put(items, at, row);
                Ok(())
            })
            .await
    }
}
