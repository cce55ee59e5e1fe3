//! A table in memory that does what DynamoDB does with [`Write`]s and [`Condition`]s, and refuses what it refuses: items of
//! 400 KB, batches of 100 reads and 25 writes, transactions of 100 rows and 4 MB whose conditions all hold or nothing is
//! written, two transactions on one row at once.
//!
//! A caller that breaks a limit is a defect in the product, not a condition to handle: the fake panics. `tests/table.rs`
//! holds it against the local stack's table.

use std::any::Any;
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use ledgerline_ledger::store::{Failure, StoreError};
use ledgerline_store::principal;
use ledgerline_store::table::{
    Action, Beside, Change, Condition, IntoValue, Key, Path, Query, Returning, Row, Scan, ScanPage, Table, Value, Write,
};
use ledgerline_store::{Family, data_key, gone, month_key};
use serde_json::json;

use crate::calls::Calls;
use crate::faults::Faults;
use crate::rules;

/// A row as tests look at it. Bytes are `{"bytes": "<hex>"}`, sets of numbers `{"numbers": […]}`, of texts `{"texts": […]}`.
pub type Item = BTreeMap<String, serde_json::Value>;
/// All rows by (pk, sk).
pub type Items = BTreeMap<(String, String), Item>;
/// Rows as they are stored.
pub type Rows = BTreeMap<Key, Row>;

/// DynamoDB's largest item.
const ITEM_BYTES: usize = 400 * 1024;
const KEYS_PER_READ: usize = 100;
const ITEMS_PER_WRITE: usize = 25;
/// DynamoDB's largest transaction, in rows and in the bytes of all of them.
const ITEMS_PER_TRANSACTION: usize = 100;
const TRANSACTION_BYTES: usize = 4 * 1024 * 1024;
/// An update's expression may have 4 KB; a change takes at most 31 bytes of it (`#000=if_not_exists(#000,:000),`).
const CHANGES: usize = 4 * 1024 / 31;
/// Rows on one page of a scan: few, so that a reader that forgets the next page is found out.
const ROWS_PER_SCAN: usize = 7;

/// The table; clones share it.
#[derive(Clone, Debug)]
pub struct FakeTable {
    name: &'static str,
    state: Arc<Mutex<State>>,
    faults: Faults,
    calls: Calls,
}

#[derive(Debug, Default)]
struct State {
    rows: Rows,
    /// Rows that transactions under way hold.
    held: BTreeSet<Key>,
    /// Families of rows that transactions have written.
    transacted: BTreeSet<String>,
    /// How many of the next transactions fail as if another one held their rows.
    clashes: usize,
    refused: usize,
    unreadable: Option<String>,
    /// The control table, if what is gone there may not come back here.
    gone_in: Option<FakeTable>,
}

impl FakeTable {
    /// An empty table. `name` is the template's, for calls held against its roles.
    pub fn new(name: &'static str, faults: Faults, calls: Calls) -> Self {
        Self { name, state: Arc::default(), faults, calls }
    }

    /// As the product takes it.
    pub fn port(&self) -> Arc<dyn Table> {
        Arc::new(self.clone())
    }

    /// The same rows, with other faults and a count of calls of its own.
    #[must_use]
    pub fn seen_by(&self, faults: Faults, calls: Calls) -> Self {
        Self { faults, calls, ..self.clone() }
    }

    /// All rows as they are now.
    pub fn items(&self) -> Items {
        self.lock().rows.iter().map(|(key, row)| ((key.pk.clone(), key.sk.clone()), item(row))).collect()
    }

    /// Looks at all rows as they are now.
    pub fn look<T>(&self, look: impl FnOnce(&Rows) -> T) -> T {
        look(&self.lock().rows)
    }

    /// Changes rows past the product, as a test or somebody else's hand does.
    pub fn tamper<T>(&self, change: impl FnOnce(&mut Rows) -> T) -> T {
        change(&mut self.lock().rows)
    }

    /// Changes one row past the product; makes it if there is none.
    pub fn change(&self, key: &Key, change: impl FnOnce(&mut Row)) {
        change(self.lock().rows.entry(key.clone()).or_default());
    }

    /// One row as it is now; no call of the product's.
    pub fn peek(&self, key: &Key) -> Option<Row> {
        self.lock().rows.get(key).cloned()
    }

    /// The rows as they are now, to put back later.
    pub fn rows(&self) -> Rows {
        self.lock().rows.clone()
    }

    /// Puts back all rows as they were at some time, as restoring a backup does; gives those that were there.
    pub fn restore(&self, rows: Rows) -> Rows {
        std::mem::replace(&mut self.lock().rows, rows)
    }

    /// Lets the next `times` transactions fail as if another one held their rows.
    pub fn clash(&self, times: usize) {
        self.lock().clashes = times;
    }

    /// How many transactions failed on a condition, or since another one held a row of theirs.
    pub fn refused(&self) -> usize {
        self.lock().refused
    }

    /// The rows of this partition cannot be read from now on; `None`: all can.
    pub fn set_unreadable(&self, pk: Option<&str>) {
        self.lock().unreadable = pk.map(str::to_owned);
    }

    /// A party key whose id is gone by that table's rows is not written here again: the test that does it ends.
    pub fn forbids_gone_of(&self, control: &Self) {
        assert!(!Arc::ptr_eq(&self.state, &control.state), "two tables");
        self.lock().gone_in = Some(control.clone());
    }

    /// Everything in the table as one text, for scans.
    pub fn dump(&self) -> String {
        format!("{:?}", self.lock().rows)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn count<'a>(&self, action: &'static str, times: usize, keys: impl IntoIterator<Item = &'a str>) {
        self.calls.add(action, times);
        self.allow(action, keys);
    }

    fn allow<'a>(&self, action: &'static str, keys: impl IntoIterator<Item = &'a str>) {
        for pk in keys {
            let part = if is_data_key(pk) { pk.to_owned() } else { leading(pk) };
            self.calls.touch(action, self.name, part.clone(), &part);
        }
    }

    async fn read<T>(
        &self,
        call: &'static str,
        times: usize,
        keys: impl IntoIterator<Item = &str> + Send,
        read: impl FnOnce(&Rows) -> T,
    ) -> Result<T, StoreError> {
        let keys: Vec<&str> = keys.into_iter().collect();
        self.faults.latency().await;
        self.count(call, times, keys.iter().copied());
        self.faults.read(call)?;
        let state = self.lock();
        if let Some(pk) = state.unreadable.as_deref().filter(|pk| keys.contains(pk)) {
            return Err(StoreError::Corrupt(Failure::new(format!("{pk} cannot be read"))));
        }
        Ok(read(&state.rows))
    }

    /// Takes the rows that a transaction writes, until it is done or its caller dies.
    fn hold(&self, writes: &[Write]) -> Result<Held, StoreError> {
        let state = &mut *self.lock();
        let clash = state.clashes > 0;
        if clash || writes.iter().any(|write| state.held.contains(&write.key)) {
            state.clashes -= usize::from(clash);
            state.refused += 1;
            return Err(StoreError::Conflict(Failure::new("another transaction holds a row")));
        }
        // A row that is only checked is held, too: another transaction that writes it meanwhile fails.
        let keys: Vec<Key> = writes.iter().map(|write| write.key.clone()).collect();
        state.held.extend(keys.iter().cloned());
        let written = writes.iter().filter(|write| !matches!(write.action, Action::Check));
        state.transacted.extend(written.map(|write| leading(&write.key.pk)));
        Ok(Held { state: Arc::clone(&self.state), keys })
    }

    fn apply(&self, writes: &[Write]) -> Result<Option<Row>, StoreError> {
        let gone = self.gone(writes);
        let mut state = self.lock();
        state.check(writes)?;
        Ok(state.change(writes, &gone))
    }

    /// The names that are gone. Asked before a table is locked that a transaction writes: the other one may be of the same transaction.
    fn gone(&self, writes: &[Write]) -> BTreeSet<String> {
        if !writes.iter().any(|write| Family::of_key(&write.key) == Some(Family::PartyKey)) {
            return BTreeSet::new();
        }
        let control = self.lock().gone_in.clone();
        let from = |rows: &Rows| {
            let names = rows.range(gone::key("")..).map_while(|(key, _)| gone::parse_key(key));
            names.map(str::to_owned).collect()
        };
        control.map(|control| control.look(from)).unwrap_or_default()
    }

    /// A table of a transaction: its name and calls are its own, whatever double it is behind.
    ///
    /// # Panics
    /// It is not a fake.
    pub fn of(table: &dyn Table) -> &Self {
        table.as_any().downcast_ref().expect("a fake table beside a fake table")
    }
}

impl State {
    fn check(&mut self, writes: &[Write]) -> Result<(), StoreError> {
        for write in writes {
            let row = self.rows.get(&write.key);
            if !write.condition.as_ref().is_none_or(|condition| holds(condition, row)) {
                let is_new_subject = Family::of_key(&write.key) == Some(Family::SubjectState)
                    && write.condition == Some(Condition::Absent);
                assert!(!is_new_subject, "two subjects share an id: the random source repeats");
                self.refused += 1;
                return Err(StoreError::Conflict(Failure::new(format!(
                    "the condition on {} does not hold",
                    write.key
                ))));
            }
        }
        Ok(())
    }

    /// The bytes of these writes' rows.
    fn bytes(&self, writes: &[Write]) -> usize {
        let rows = writes.iter().filter_map(|write| Some((&write.key, self.rows.get(&write.key)?)));
        rows.map(|(key, row)| item_bytes(key, row)).sum()
    }

    /// Does what the writes say; the last one's row as it was.
    fn change(&mut self, writes: &[Write], gone: &BTreeSet<String>) -> Option<Row> {
        let (mut before, mut counted_links) = (None, 0);
        let counting: BTreeSet<String> = writes.iter().filter_map(rules::counting).map(str::to_owned).collect();
        for Write { key, action, .. } in writes {
            let old = self.rows.get(key).cloned();
            let new = match action {
                Action::Put(row) => Some(row.clone()),
                Action::Delete => None,
                Action::Check => continue,
                Action::Update(changes) => {
                    let mut row = old.clone().unwrap_or_default();
                    change_row(key, &mut row, changes);
                    Some(row)
                }
            };
            rules::check(key, old.as_ref(), new.as_ref());
            rules::check_revived(key, old.as_ref(), new.as_ref(), gone);
            counted_links += rules::counted_links(key, old.as_ref(), new.as_ref(), &counting);
            match new {
                Some(row) => drop(self.rows.insert(key.clone(), fitting(key, row))),
                None => drop(self.rows.remove(key)),
            }
            before = old;
        }
        assert_eq!(counted_links, 0, "a subject counts other links than are made");
        before
    }
}

/// Rows that a transaction under way holds.
struct Held {
    state: Arc<Mutex<State>>,
    keys: Vec<Key>,
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.held.retain(|key| !self.keys.contains(key));
    }
}

#[async_trait]
impl Table for FakeTable {
    async fn get(&self, _: &str, key: &Key) -> Result<Option<Row>, StoreError> {
        rules::check_key(key);
        self.read("dynamodb:GetItem", 1, [key.pk.as_str()], |rows| rows.get(key).cloned()).await
    }

    async fn batch_get(&self, _: &str, keys: &[Key]) -> Result<Vec<Option<Row>>, StoreError> {
        assert_distinct(keys.iter());
        keys.iter().for_each(rules::check_key);
        let times = keys.len().div_ceil(KEYS_PER_READ);
        let read = |rows: &Rows| keys.iter().map(|key| rows.get(key).cloned()).collect();
        self.read("dynamodb:BatchGetItem", times, keys.iter().map(|key| key.pk.as_str()), read).await
    }

    async fn query(&self, _: &str, query: &Query) -> Result<Vec<(String, Row)>, StoreError> {
        assert!(!query.pk.is_empty(), "a query names its partition");
        let prefix = query.prefix.as_deref().unwrap_or_default();
        let found = |rows: &Rows| {
            let first = Key::new(&query.pk, query.after.as_deref().unwrap_or_default());
            let rows = rows.range(first..).take_while(|(key, _)| key.pk == query.pk);
            let rows = rows.filter(|(key, _)| {
                key.sk.starts_with(prefix) && query.after.as_ref().is_none_or(|after| key.sk > *after)
            });
            let rows = rows.take(query.limit.unwrap_or(usize::MAX));
            rows.map(|(key, row)| (key.sk.clone(), row.clone())).collect()
        };
        self.read("dynamodb:Query", 1, [query.pk.as_str()], found).await
    }

    async fn write(&self, _: &str, write: Write, returning: Returning) -> Result<Row, StoreError> {
        let call = action_name(&write.action);
        assert!(!matches!(write.action, Action::Check), "a check is a part of a transaction");
        let gives_new = matches!(returning, Returning::After | Returning::Changed);
        let is_update = matches!(write.action, Action::Update(_));
        assert!(is_update || !gives_new, "only an update gives back what it made, says the real table");
        self.faults.latency().await;
        self.count(call, 1, [write.key.pk.as_str()]);
        let changed = |before: Option<Row>| {
            let after = || self.peek(&write.key).unwrap_or_default();
            match (returning, &write.action) {
                (Returning::Nothing, _) => Row::new(),
                (Returning::Before, _) => before.unwrap_or_default(),
                (Returning::Changed, Action::Update(changes)) => {
                    let named: BTreeSet<&str> = changes.iter().map(changed_attribute).collect();
                    after().into_iter().filter(|(name, _)| named.contains(name.as_str())).collect()
                }
                (Returning::After | Returning::Changed, _) => after(),
            }
        };
        let clashes = self.lock().transacted.contains(&leading(&write.key.pk));
        self.faults.write_row(call, clashes, || {
            if self.lock().held.contains(&write.key) {
                return Err(StoreError::Conflict(Failure::new("a transaction holds the row")));
            }
            self.apply(std::slice::from_ref(&write)).map(changed)
        })
    }

    async fn transact(&self, _: &str, writes: Vec<Write>, beside: Vec<Beside>) -> Result<(), StoreError> {
        const CALL: &str = "dynamodb:TransactWriteItems";
        // In the order of their rows' places in memory, which is the order that all transactions lock them in.
        let mut parts = BTreeMap::from([(Arc::as_ptr(&self.state).addr(), (self, writes))]);
        for Beside { table, writes } in &beside {
            let other = Self::of(&**table);
            let part = parts.entry(Arc::as_ptr(&other.state).addr()).or_insert_with(|| (other, Vec::new()));
            part.1.extend(writes.iter().cloned());
        }
        let parts: Vec<(&Self, Vec<Write>)> = parts.into_values().filter(|(_, writes)| !writes.is_empty()).collect();
        let rows = parts.iter().map(|(_, writes)| writes.len()).sum();
        assert!((1..=ITEMS_PER_TRANSACTION).contains(&rows), "a transaction of {rows} rows");
        self.calls.add(CALL, 1);
        for (table, writes) in &parts {
            assert_distinct(writes.iter().map(|write| &write.key));
            // As AWS says: each is governed by the permissions of the operation that it is, so by the leading keys of its own row.
            for write in writes {
                table.allow(action_name(&write.action), [write.key.pk.as_str()]);
            }
        }
        let _held = parts.iter().map(|(table, writes)| table.hold(writes)).collect::<Result<Vec<Held>, _>>()?;
        self.faults.latency().await;
        self.faults.write(CALL, || {
            let gone: Vec<_> = parts.iter().map(|(table, writes)| table.gone(writes)).collect();
            let mut states: Vec<_> = parts.iter().map(|(table, _)| table.lock()).collect();
            for (state, (_, writes)) in states.iter_mut().zip(&parts) {
                state.check(writes)?;
            }
            for ((state, (_, writes)), gone) in states.iter_mut().zip(&parts).zip(&gone) {
                let _ = state.change(writes, gone);
            }
            let bytes: usize = states.iter().zip(&parts).map(|(state, (_, writes))| state.bytes(writes)).sum();
            assert!(bytes <= TRANSACTION_BYTES, "a transaction of {bytes} bytes");
            Ok(())
        })
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    async fn batch_write(&self, _: &str, writes: Vec<Write>) -> Result<(), StoreError> {
        const CALL: &str = "dynamodb:BatchWriteItem";
        assert_distinct(writes.iter().map(|write| &write.key));
        for batch in writes.chunks(ITEMS_PER_WRITE) {
            let bare =
                |write: &Write| matches!(write.action, Action::Put(_) | Action::Delete) && write.condition.is_none();
            assert!(batch.iter().all(bare), "a batch puts and deletes, without conditions");
            self.faults.latency().await;
            self.count(CALL, 1, batch.iter().map(|write| write.key.pk.as_str()));
            let processed = self.faults.processed_of(CALL, batch.len());
            self.faults.write(CALL, || {
                self.apply(&batch[..processed.unwrap_or(batch.len())])?;
                let left = batch.len() - processed.unwrap_or(batch.len());
                match processed {
                    None => Ok(()),
                    Some(_) => Err(StoreError::Throttled(Failure::new(format!("{left} rows were not processed")))),
                }
            })?;
        }
        Ok(())
    }

    async fn scan_page(&self, _: &str, scan: &Scan, after: Option<Key>) -> Result<ScanPage, StoreError> {
        let page = |rows: &Rows| {
            let rows: Vec<_> = rows.iter().filter(|(key, _)| after.as_ref().is_none_or(|after| *key > after)).collect();
            let next =
                rows.get(ROWS_PER_SCAN - 1).filter(|_| rows.len() > ROWS_PER_SCAN).map(|(key, _)| (*key).clone());
            let wanted = rows.into_iter().take(ROWS_PER_SCAN).filter(|(key, _)| match scan {
                Scan::All => true,
                Scan::Partitions(prefixes) => prefixes.iter().any(|prefix| key.pk.starts_with(prefix)),
                Scan::Rows(prefix) => key.sk.starts_with(prefix),
            });
            (wanted.map(|(key, row)| (key.clone(), row.clone())).collect(), next)
        };
        self.calls.touch("dynamodb:Scan", self.name, String::new(), "");
        self.read("dynamodb:Scan", 1, [], page).await
    }
}

fn action_name(action: &Action) -> &'static str {
    match action {
        Action::Put(_) => "dynamodb:PutItem",
        Action::Update(_) => "dynamodb:UpdateItem",
        Action::Delete => "dynamodb:DeleteItem",
        Action::Check => "dynamodb:ConditionCheckItem",
    }
}

/// Whether a partition is one that roles name whole.
fn is_data_key(pk: &str) -> bool {
    let key = Key::new(pk, "");
    data_key::is_key(&key) || month_key::parse_key(&key).is_some()
}

/// What a role's condition on leading keys names: the partition's family, or the whole of a partition that has none. Principals' aliases
/// are told from those of customers by what follows the family.
fn leading(pk: &str) -> String {
    let principals = principal::key("").pk;
    if pk.starts_with(&principals) {
        return principals + "*";
    }
    pk.split_once('#').map_or_else(|| pk.to_owned(), |(family, _)| format!("{family}#*"))
}

fn holds(condition: &Condition, row: Option<&Row>) -> bool {
    let value = |path: &Path| {
        let value = row?.get(&path.attribute)?;
        match (&path.inside, value) {
            (None, value) => Some(value),
            (Some((index, member)), Value::L(list)) => match list.get(*index)? {
                Value::M(map) => map.get(member),
                _ => None,
            },
            (Some(_), _) => None,
        }
    };
    let compares = |path: &Path, wanted: &Value, allowed: &[Ordering]| match (value(path), wanted) {
        (Some(Value::N(stored)), Value::N(wanted)) => allowed.contains(&number(stored).cmp(&number(wanted))),
        _ => false,
    };
    match condition {
        Condition::Exists => row.is_some(),
        Condition::Absent => row.is_none(),
        Condition::Has(path) => value(path).is_some(),
        Condition::Lacks(path) => value(path).is_none(),
        Condition::Equals(path, wanted) => match (value(path), wanted) {
            // Sets have no order.
            (Some(Value::Ss(stored)), Value::Ss(wanted)) => BTreeSet::from_iter(stored) == BTreeSet::from_iter(wanted),
            (stored, wanted) => stored == Some(wanted),
        },
        Condition::Below(path, wanted) => compares(path, wanted, &[Ordering::Less]),
        Condition::AtMost(path, wanted) => compares(path, wanted, &[Ordering::Less, Ordering::Equal]),
        Condition::AtLeast(path, wanted) => compares(path, wanted, &[Ordering::Greater, Ordering::Equal]),
        Condition::Excludes(path, wanted) => match (value(path), wanted) {
            (Some(Value::Ns(members)), Value::N(wanted)) | (Some(Value::Ss(members)), Value::S(wanted)) => {
                !members.contains(wanted)
            }
            _ => true,
        },
        Condition::Size(path, members) => match value(path) {
            None => *members == 0,
            Some(value) => *members > 0 && members_of(value) == *members,
        },
        Condition::All(all) => all.iter().all(|one| holds(one, row)),
    }
}

fn change_row(key: &Key, row: &mut Row, changes: &[Change]) {
    assert!((1..=CHANGES).contains(&changes.len()), "an update of {key} by {} changes", changes.len());
    let mut named = BTreeSet::new();
    for change in changes {
        let name = changed_attribute(change);
        let member = match change {
            Change::RemoveMember(_, member) => Some(member.as_str()),
            _ => None,
        };
        // Members of one map are places of their own; the map and one of its members overlap.
        let overlaps = |other: &(&str, Option<&str>)| {
            other.0 == name && (other.1.is_none() || member.is_none() || other.1 == member)
        };
        assert!(!named.iter().any(overlaps), "an update of {key} names {name} twice, which the real table refuses");
        named.insert((name, member));
        let empty = |value: &Value| matches!(value, Value::Ns(all) | Value::Ss(all) if all.is_empty());
        match change {
            Change::Set(_, value) | Change::Add(_, value) | Change::Take(_, value) if empty(value) => {
                panic!("an update of {key} has an empty set for {name}, which the real table refuses")
            }
            Change::Set(name, value) => drop(row.insert(name.clone(), value.clone())),
            Change::SetIfAbsent(name, value) => {
                let stored = row.entry(name.clone()).or_insert_with(|| value.clone());
                let is_object_key = name == "key" && Family::of_key(key) == Some(Family::ObjectRow);
                assert!(!is_object_key || stored == value, "{key} was opened under another key");
            }
            Change::Append(name, values) => match row.get_mut(name) {
                Some(Value::L(list)) => list.extend(values.iter().cloned()),
                other => panic!("{name} of {key} is not a list: {other:?}"),
            },
            Change::Add(name, added) => {
                let sum = match (row.get(name), added) {
                    (None, added) => added.clone(),
                    (Some(Value::N(stored)), Value::N(added)) => Value::N((number(stored) + number(added)).to_string()),
                    (Some(Value::Ns(stored)), Value::Ns(added)) => {
                        let new = added.iter().filter(|member| !stored.contains(member));
                        Value::Ns(stored.iter().chain(new).cloned().collect())
                    }
                    (Some(Value::Ss(stored)), Value::Ss(added)) => {
                        let new = added.iter().filter(|member| !stored.contains(member));
                        Value::Ss(stored.iter().chain(new).cloned().collect())
                    }
                    (stored, added) => panic!("{added:?} cannot be added to {stored:?} of {key}"),
                };
                row.insert(name.clone(), sum);
            }
            Change::Take(name, taken) => {
                let left = match (row.get(name), taken) {
                    (None, _) => continue,
                    (Some(Value::Ns(stored)), Value::Ns(taken)) => Value::Ns(without(stored, taken)),
                    (Some(Value::Ss(stored)), Value::Ss(taken)) => Value::Ss(without(stored, taken)),
                    (stored, taken) => panic!("{taken:?} cannot be taken from {stored:?} of {key}"),
                };
                match empty(&left) {
                    true => drop(row.remove(name)),
                    false => drop(row.insert(name.clone(), left)),
                }
            }
            Change::Remove(name) => drop(row.remove(name)),
            Change::RemoveFirst(name, count) => match row.get_mut(name) {
                Some(Value::L(list)) => drop(list.drain(..(*count).min(list.len()))),
                other => panic!("{name} of {key} is not a list: {other:?}"),
            },
            Change::RemoveMember(name, member) => match row.get_mut(name) {
                Some(Value::M(map)) => drop(map.remove(member)),
                other => panic!("{name} of {key} is not a map: {other:?}"),
            },
        }
    }
}

/// How many members a set, a list or a map has.
///
/// # Panics
/// It is none of them: no caller asks for the size of anything else.
fn members_of(value: &Value) -> usize {
    match value {
        Value::Ss(texts) => texts.len(),
        Value::Ns(numbers) => numbers.len(),
        Value::L(values) => values.len(),
        Value::M(values) => values.len(),
        other => panic!("the members of {other:?}"),
    }
}

fn without(stored: &[String], taken: &[String]) -> Vec<String> {
    stored.iter().filter(|member| !taken.contains(member)).cloned().collect()
}

fn changed_attribute(change: &Change) -> &str {
    let (Change::Set(name, _)
    | Change::SetIfAbsent(name, _)
    | Change::Append(name, _)
    | Change::Add(name, _)
    | Change::Take(name, _)
    | Change::Remove(name)
    | Change::RemoveFirst(name, _)
    | Change::RemoveMember(name, _)) = change;
    name
}

fn number(text: &str) -> i128 {
    text.parse().expect("a whole number")
}

/// The row, if it is within the table's size limit.
fn fitting(key: &Key, row: Row) -> Row {
    let bytes = item_bytes(key, &row);
    assert!(bytes <= ITEM_BYTES, "{key} would be {bytes} bytes, beyond 400 KB");
    assert!(!row.values().any(|value| matches!(value, Value::Null(_))), "{key}: no reader takes a NULL");
    row
}

/// The size of a row with its key, as DynamoDB counts and charges it: names and values.
pub fn item_bytes(key: &Key, row: &Row) -> usize {
    let key_bytes = "pk".len() + key.pk.len() + "sk".len() + key.sk.len();
    key_bytes + row.iter().map(|(name, value)| name.len() + bytes_of(value)).sum::<usize>()
}

fn bytes_of(value: &Value) -> usize {
    // A byte, and one for every two significant digits.
    let number = |text: &String| 1 + text.trim_end_matches('0').len().div_ceil(2);
    match value {
        Value::Null(_) | Value::Bool(_) => 1,
        Value::N(text) => number(text),
        Value::S(text) => text.len(),
        Value::B(bytes) => bytes.len(),
        Value::Ns(numbers) => numbers.iter().map(number).sum(),
        Value::Ss(texts) => texts.iter().map(String::len).sum(),
        Value::Bs(all) => all.iter().map(Vec::len).sum(),
        // Three bytes, and one more for each element.
        Value::L(values) => 3 + values.iter().map(|value| 1 + bytes_of(value)).sum::<usize>(),
        Value::M(values) => 3 + values.iter().map(|(name, value)| 1 + name.len() + bytes_of(value)).sum::<usize>(),
    }
}

fn assert_distinct<'a>(keys: impl Iterator<Item = &'a Key>) {
    let mut seen = BTreeSet::new();
    for key in keys {
        assert!(seen.insert(key), "a batch names {key} twice, which the real table refuses");
    }
}

/// A row as tests look at it.
pub fn item(row: &Row) -> Item {
    row.iter().map(|(name, value)| (name.clone(), to_json(value))).collect()
}

fn to_json(value: &Value) -> serde_json::Value {
    match value {
        Value::Null(_) => serde_json::Value::Null,
        Value::Bool(value) => json!(value),
        Value::N(text) => serde_json::from_str(text).expect("a number"),
        Value::S(text) => json!(text),
        Value::B(bytes) => json!({ "bytes": bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>() }),
        Value::Ns(numbers) => json!({ "numbers": numbers }),
        Value::Ss(texts) => json!({ "texts": BTreeSet::from_iter(texts) }),
        Value::Bs(_) => panic!("no row has such a set"),
        Value::L(values) => values.iter().map(to_json).collect(),
        Value::M(values) => values.iter().map(|(name, value)| (name.clone(), to_json(value))).collect(),
    }
}

/// A value for tampering with a row.
pub fn value(value: impl IntoValue) -> Value {
    value.into_value()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_counted_as_dynamodb_counts_them() {
        // The documentation's own: names and text by their bytes, numbers by pairs of significant digits and one.
        let number = |number: u64| bytes_of(&number.into_value());
        assert_eq!([0, 7, 12, 123, 1_000, 1_234].map(number), [1, 2, 2, 3, 2, 3]);
        let row = Row::from([("name".to_owned(), "0123456789".into_value())]);
        assert_eq!(item_bytes(&Key::new("abc", "d"), &row), 2 + 3 + 2 + 1 + 4 + 10);
        assert_eq!(bytes_of(&Value::L(vec!["ab".into_value(), "cd".into_value()])), 9);
    }

    #[tokio::test]
    async fn a_caller_that_dies_in_a_transaction_holds_its_rows_no_longer() {
        let port = FakeTable::new("ControlTable", Faults::none(), Calls::default()).port();
        let write = || vec![Write::put(Key::new("CONTRACT#", "a"), Row::new())];
        tokio::select! {
            biased;
            done = port.transact("", write(), Vec::new()) => panic!("{done:?} at once"),
            () = std::future::ready(()) => {}
        }
        port.transact("", write(), Vec::new()).await.unwrap();
    }

    #[tokio::test]
    async fn a_transaction_over_two_tables_is_done_whole_or_not_at_all() {
        let (faults, calls) = (Faults::none(), Calls::default());
        let table = |name| FakeTable::new(name, faults.clone(), calls.clone());
        let (one, other) = (table("KeysTable"), table("ControlTable"));
        let key = |sk: &str| Key::new("CONTRACT#", sk);
        let beside = |write| vec![Beside { table: other.port(), writes: vec![write] }];
        let create = |sk: &str| vec![Write::create(key(sk), Row::new())];
        let absent = || Write::check(key("a"), Condition::Absent);
        one.port().transact("", create("a"), beside(absent())).await.unwrap();
        other.tamper(|rows| rows.insert(key("a"), Row::new()));
        let refused = one.port().transact("", create("b"), beside(absent())).await;
        assert_eq!(refused.unwrap_err().kind(), "conflict");
        let refused = one.port().transact("", create("a"), beside(Write::delete(key("a")))).await;
        assert_eq!(refused.unwrap_err().kind(), "conflict");
        let both = one.port().transact("", create("b"), beside(Write::delete(key("a")))).await;
        both.unwrap();
        assert_eq!((one.rows().len(), other.rows().len()), (2, 0));
        // One call and one write for the whole; what a role must allow, by table.
        assert_eq!(calls.by_name(), BTreeMap::from([("dynamodb:TransactWriteItems", 4)]));
        assert_eq!(faults.writes(), 4);
        let touched: Vec<_> = calls.touched().into_iter().map(|one| (one.action, one.resource)).collect();
        let control = ["dynamodb:ConditionCheckItem", "dynamodb:DeleteItem"].map(|action| (action, "ControlTable"));
        assert_eq!(touched, [control[0], control[1], ("dynamodb:PutItem", "KeysTable")]);
        // A row of the other table is held like one's own.
        let (one, held) = (one.port(), Beside { table: other.port(), writes: vec![Write::put(key("d"), Row::new())] });
        let mut waits = std::pin::pin!(one.transact("", create("c"), vec![held]));
        tokio::select! {
            biased;
            done = &mut waits => panic!("{done:?} at once"),
            () = std::future::ready(()) => {}
        }
        let met = other.port().write("", Write::put(key("d"), Row::new()), Returning::Nothing).await;
        assert_eq!(met.unwrap_err().kind(), "conflict");
        waits.await.unwrap();
    }
}
