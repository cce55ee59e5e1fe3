//! The lists of own numbers, strict: a row is made once, never deleted, and changed only from the state that the change
//! names.

use ledgerline_custody::own::{Change, ChangeOwn, OwnName, OwnRow, ReadOwn};
use ledgerline_ledger::store::{Failure, StoreError};
use serde_json::{Value, json};

use crate::fakes::calls::Calls;
use crate::fakes::table::{Item, Table, condition_failed, key, put};
use crate::faults::Faults;

/// The lists in memory.
#[derive(Clone, Debug, Default)]
pub struct FakeOwn {
    /// The table below, for looking at it.
    pub table: Table,
    calls: Calls,
    faults: Faults,
}

impl FakeOwn {
    /// No list has a row yet.
    pub fn new(faults: Faults, calls: Calls) -> Self {
        Self { table: Table::new(faults.clone(), calls.clone()), calls, faults }
    }
}

impl ReadOwn for FakeOwn {
    async fn own(&self, org: &str) -> Result<Vec<OwnRow>, StoreError> {
        const CALL: &str = "dynamodb:Query";
        self.faults.latency().await;
        self.calls.add(CALL, 1);
        self.faults.read(CALL)?;
        let partition = partition(org);
        let rows = self.table.items();
        rows.iter().filter(|((pk, _), _)| *pk == partition).map(|((_, sk), item)| row(sk, item)).collect()
    }
}

impl ChangeOwn for FakeOwn {
    async fn change(&self, org: &str, name: &OwnName, change: Change, now: &str) -> Result<(), StoreError> {
        let at = key(partition(org), name.to_key());
        self.table
            .write("dynamodb:UpdateItem", |items| {
                let stored = items.get(&at);
                let as_planned = match change {
                    Change::Add => stored.is_none(),
                    Change::Restore => stored.is_some_and(|item| item.contains_key(REMOVED)),
                    Change::Remove => stored.is_some_and(|item| !item.contains_key(REMOVED)),
                };
                if !as_planned {
                    return Err(condition_failed("own number"));
                }
                let mut item = stored.cloned().unwrap_or_else(|| Item::from([(ADDED.into(), json!(now))]));
                match change {
                    Change::Add => {}
                    Change::Restore => {
                        item.remove(REMOVED);
                        item.insert(FORMERLY.into(), json!(true));
                    }
                    Change::Remove => drop(item.insert(REMOVED.into(), json!(now))),
                }
                put(items, at, item);
                Ok(())
            })
            .await
    }
}

fn row(sk: &str, item: &Item) -> Result<OwnRow, StoreError> {
    let text = |name: &str| item.get(name).and_then(Value::as_str).map(str::to_owned);
    let corrupt = || StoreError::Corrupt(Failure::new("a row of own numbers"));
    Ok(OwnRow {
        name: OwnName::parse(sk).ok_or_else(corrupt)?,
        added_at: text(ADDED).ok_or_else(corrupt)?,
        removed_at: text(REMOVED),
        formerly: item.get(FORMERLY) == Some(&json!(true)),
    })
}

fn partition(org: &str) -> String {
    format!("OWN#{org}")
}

const ADDED: &str = "addedAt";
const REMOVED: &str = "removedAt";
const FORMERLY: &str = "formerly";
