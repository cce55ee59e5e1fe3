//! A table with the real one's limits: items by (pk, sk), 400 KB each, batches of 100 reads and 25 writes, transactions
//! of 100 items whose conditions all hold or nothing is written.
//!
//! A caller that breaks a limit is a defect in the product, not a condition to handle: the fake panics.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use ledgerline_ledger::store::{Failure, StoreError};
use serde_json::Value;

use crate::fakes::calls::Calls;
use crate::faults::Faults;

/// An item's attributes, without its key.
pub type Item = BTreeMap<String, Value>;
/// All items by (pk, sk).
pub type Items = BTreeMap<(String, String), Item>;

/// DynamoDB's largest item.
const ITEM_BYTES: usize = 400 * 1024;
const KEYS_PER_READ: usize = 100;
const ITEMS_PER_WRITE: usize = 25;
/// DynamoDB's largest transaction.
pub const ITEMS_PER_TRANSACTION: usize = 100;

/// The table.
#[derive(Clone, Debug, Default)]
pub struct Table {
    items: Arc<Mutex<Items>>,
    faults: Faults,
    calls: Calls,
}

impl Table {
    /// An empty table.
    pub fn new(faults: Faults, calls: Calls) -> Self {
        Self { items: Arc::default(), faults, calls }
    }

    /// A consistent batch read, in the order of `keys`.
    ///
    /// # Errors
    /// The weather's.
    pub async fn batch_get(&self, keys: &[(String, String)]) -> Result<Vec<Option<Item>>, StoreError> {
        const CALL: &str = "dynamodb:BatchGetItem";
        self.faults.latency().await;
        self.calls.add(CALL, keys.len().div_ceil(KEYS_PER_READ));
        assert_distinct(keys.iter());
        self.faults.read(CALL)?;
        let items = self.lock();
        Ok(keys.iter().map(|key| items.get(key).cloned()).collect())
    }

    /// A consistent read of one item.
    ///
    /// # Errors
    /// The weather's.
    pub async fn get(&self, pk: &str, sk: &str) -> Result<Option<Item>, StoreError> {
        self.get_as(pk, sk, Item::clone).await
    }

    /// The same, of which only what `read` makes of the item is kept.
    ///
    /// # Errors
    /// The weather's.
    pub async fn get_as<T>(&self, pk: &str, sk: &str, read: impl FnOnce(&Item) -> T) -> Result<Option<T>, StoreError> {
        const CALL: &str = "dynamodb:GetItem";
        self.faults.latency().await;
        self.calls.add(CALL, 1);
        self.faults.read(CALL)?;
        Ok(self.lock().get(&(pk.to_owned(), sk.to_owned())).map(read))
    }

    /// Unconditional puts.
    ///
    /// # Errors
    /// An injected fault; batches before the struck one stay written, as they would, and so does a part of that one.
    pub async fn batch_put(&self, rows: Vec<((String, String), Item)>) -> Result<(), StoreError> {
        const CALL: &str = "dynamodb:BatchWriteItem";
        assert_distinct(rows.iter().map(|(key, _)| key));
        for batch in rows.chunks(ITEMS_PER_WRITE) {
            let processed = self.faults.processed_of(CALL, batch.len());
            let write = |items: &mut Items| {
                let kept = batch.iter().take(processed.unwrap_or(batch.len()));
                kept.for_each(|(key, item)| put(items, key.clone(), item.clone()));
                match processed {
                    None => Ok(()),
                    Some(kept) => Err(unprocessed(batch.len() - kept)),
                }
            };
            self.write(CALL, write).await?;
        }
        Ok(())
    }

    /// One write call. `change` must check its conditions before it touches anything: all of it or nothing.
    ///
    /// # Errors
    /// What `change` returns, or an injected fault.
    pub async fn write<T>(
        &self,
        call: &'static str,
        change: impl FnOnce(&mut Items) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.faults.latency().await;
        self.calls.add(call, 1);
        self.faults.write(call, || change(&mut self.lock()))
    }

    /// Puts back all items as they were at some time, as restoring a backup does; gives those that were there.
    pub fn restore(&self, items: Items) -> Items {
        std::mem::replace(&mut self.lock(), items)
    }

    /// One item as it is now; no call of the product's.
    pub fn peek(&self, key: &(String, String)) -> Option<Item> {
        self.lock().get(key).cloned()
    }

    /// Looks at all items as they are now.
    pub fn look<T>(&self, look: impl FnOnce(&Items) -> T) -> T {
        look(&self.lock())
    }

    /// All items as they are now.
    pub fn items(&self) -> Items {
        self.lock().clone()
    }

    /// Everything in the table as one text, for scans.
    pub fn dump(&self) -> String {
        format!("{:?}", self.lock())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Items> {
        self.items.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Puts an item, within the table's size limit.
pub fn put(items: &mut Items, key: (String, String), item: Item) {
    let bytes: usize = item.iter().map(|(name, value)| name.len() + text_bytes(value)).sum();
    assert!(bytes + key.0.len() + key.1.len() <= ITEM_BYTES, "item {key:?} would be {bytes} bytes, beyond 400 KB");
    items.insert(key, item);
}

/// How long a value is as text, or a little less where characters are escaped.
fn text_bytes(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) => 4,
        Value::Number(number) => number.as_u64().map_or(20, |number| number.checked_ilog10().unwrap_or(0) as usize + 1),
        Value::String(text) => text.len() + 2,
        Value::Array(values) => 1 + values.iter().map(|value| text_bytes(value) + 1).sum::<usize>(),
        Value::Object(values) => {
            1 + values.iter().map(|(name, value)| name.len() + text_bytes(value) + 4).sum::<usize>()
        }
    }
}

/// The error of a condition that did not hold.
pub fn condition_failed(what: &str) -> StoreError {
    StoreError::Conflict(Failure::new(what))
}

fn unprocessed(rows: usize) -> StoreError {
    StoreError::Throttled(Failure::new(format!("{rows} rows of a batch were not processed")))
}

/// A key as the table has it.
pub fn key(pk: impl Into<String>, sk: impl Into<String>) -> (String, String) {
    (pk.into(), sk.into())
}

fn assert_distinct<'a>(keys: impl Iterator<Item = &'a (String, String)>) {
    let mut seen = BTreeSet::new();
    for key in keys {
        assert!(seen.insert(key), "a batch names {key:?} twice, which the real table refuses");
    }
}
