//! Bronze objects' rows, strict: what was first written of a start or a count never changes.

use ledgerline_custody::acts::{ACT_HOUR_CHARS, NoteAct};
use ledgerline_lake::ObjectId;
use ledgerline_lake::object_row::{ObjectRows, Opened};
use ledgerline_lake::plan::Header;
use ledgerline_ledger::store::StoreError;
use serde_json::{Value, json};

use crate::fakes::calls::Calls;
use crate::fakes::table::{Item, Table, key, put};
use crate::faults::Faults;

/// The rows in memory.
#[derive(Clone, Debug, Default)]
pub struct FakeObjectRows {
    /// The table below, for looking at it.
    pub table: Table,
}

impl FakeObjectRows {
    /// An empty table.
    pub fn new(faults: Faults, calls: Calls) -> Self {
        Self { table: Table::new(faults, calls) }
    }

    /// The row of an object.
    pub fn row(&self, object: ObjectId) -> Option<Item> {
        self.table.items().remove(&at(object))
    }
}

impl ObjectRows for FakeObjectRows {
    async fn open(&self, object: ObjectId, object_key: &str, now: &str) -> Result<Opened, StoreError> {
        self.table
            .write("dynamodb:UpdateItem", |items| {
                let old = items.get(&at(object)).cloned();
                let mut row = old.clone().unwrap_or_default();
                let started_at = row.entry("startedAt".into()).or_insert_with(|| json!(now)).clone();
                assert_eq!(row.entry("key".into()).or_insert_with(|| json!(object_key)), object_key);
                let planned = row.get("status").and_then(Value::as_str) == Some("planned");
                put(items, at(object), row);
                let started_at = started_at.as_str().unwrap_or_default().to_owned();
                Ok(Opened { started_at, again: old.is_some(), planned })
            })
            .await
    }

    async fn planned(&self, plan: &Header, now: &str) -> Result<(), StoreError> {
        let counts = plan.counts;
        let numbers = [
            ("in", counts.input),
            ("filtered", counts.filtered),
            ("duplicate", counts.duplicate),
            ("quarantined", counts.quarantined),
            ("planned", counts.planned),
            ("chunks", plan.chunks.len() as u64),
        ];
        self.table
            .write("dynamodb:UpdateItem", |items| {
                let mut row = items.get(&at(plan.object)).cloned().unwrap_or_default();
                for (name, value) in numbers {
                    let before = row.insert(name.into(), json!(value));
                    assert!(before.is_none_or(|before| before == value), "{name} of {} changed", plan.object);
                }
                row.insert("status".into(), json!("planned"));
                row.insert("key".into(), json!(plan.key));
                row.entry("plannedAt".into()).or_insert_with(|| json!(now));
                put(items, at(plan.object), row);
                Ok(())
            })
            .await
    }
}

impl NoteAct for FakeObjectRows {
    async fn note(&self, object: ObjectId, act_key: &str, now: &str) -> Result<(), StoreError> {
        self.table
            .write("dynamodb:UpdateItem", |items| {
                let at = key(format!("ACTS#{}", &now[..ACT_HOUR_CHARS]), object.to_hex());
                let mut row = items.get(&at).cloned().unwrap_or_default();
                row.insert("key".into(), json!(act_key));
                row.insert("at".into(), json!(now));
                put(items, at, row);
                Ok(())
            })
            .await
    }
}

fn at(object: ObjectId) -> (String, String) {
    key(format!("OBJ#{object}"), "OBJ")
}
