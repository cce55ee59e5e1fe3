//! A DynamoDB table: [`Table`]'s writes and conditions as expressions, batches that finish what the table left
//! unprocessed, and the reasons of a cancelled transaction.
//!
//! Invariant: a batch call returns only when every key of it was answered, or with an error. Names and values go by
//! placeholders throughout, as many of our names are reserved words.

use std::any::Any;
use std::collections::HashMap;
use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::{BuildError, SdkError};
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{
    AttributeValue, ConditionCheck, Delete, DeleteRequest, KeysAndAttributes, Put, PutRequest, ReturnValue,
    TransactWriteItem, Update, WriteRequest,
};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use ledgerline_ledger::store::{Failure, StoreError};
use ledgerline_store::table::{
    Action, Beside, Change, Condition, Key, Path, Query, Returning, Row, Scan, ScanPage, Table, Value, Write, corrupt,
};

use crate::config::store_error;

/// Keys in one `BatchGetItem`: the service's limit.
const KEYS_PER_READ: usize = 100;
/// Items in one `BatchWriteItem`: the service's limit.
const ITEMS_PER_WRITE: usize = 25;
/// Rounds for what comes back unprocessed. Waits double from 50 ms: 50 ms × (2^7 − 1) = 6.4 s in all.
const ROUNDS: u32 = 8;
const FIRST_WAIT: Duration = Duration::from_millis(50);

/// A table by its name.
#[derive(Clone, Debug)]
pub struct DynamoTable {
    client: Client,
    name: String,
}

impl DynamoTable {
    /// The table named `name`.
    pub fn new(client: Client, name: impl Into<String>) -> Self {
        Self { client, name: name.into() }
    }

    async fn batch_write_all(&self, what: &str, requests: &[WriteRequest]) -> Result<(), StoreError> {
        for chunk in requests.chunks(ITEMS_PER_WRITE) {
            let mut open = chunk.to_vec();
            for round in 0.. {
                let sent = self.client.batch_write_item().request_items(&self.name, open).send().await;
                let answer = sent.map_err(|error| store_error(what, error))?;
                match answer.unprocessed_items.and_then(|mut left| left.remove(&self.name)) {
                    Some(left) if !left.is_empty() => open = left,
                    _ => break,
                }
                wait(round, what).await?;
            }
        }
        Ok(())
    }

    fn transact_items(&self, what: &str, writes: Vec<Write>) -> Result<Vec<TransactWriteItem>, StoreError> {
        let items = writes.into_iter().map(|write| self.transact_item(write)).collect::<Result<_, _>>();
        items.map_err(|error| unbuilt(what, error))
    }

    fn transact_item(&self, write: Write) -> Result<TransactWriteItem, BuildError> {
        let Expressions { condition, update, names, values } = Expressions::of(&write);
        let (key, item) = (Some(key_item(&write.key)), TransactWriteItem::builder());
        Ok(match write.action {
            Action::Put(row) => {
                let put = Put::builder().table_name(&self.name).set_item(Some(whole_item(&write.key, row)));
                let put = put.set_condition_expression(condition).set_expression_attribute_names(names);
                item.put(put.set_expression_attribute_values(values).build()?)
            }
            Action::Update(_) => {
                let update = Update::builder().table_name(&self.name).set_key(key).set_update_expression(update);
                let update = update.set_condition_expression(condition).set_expression_attribute_names(names);
                item.update(update.set_expression_attribute_values(values).build()?)
            }
            Action::Delete => {
                let delete = Delete::builder().table_name(&self.name).set_key(key);
                let delete = delete.set_condition_expression(condition).set_expression_attribute_names(names);
                item.delete(delete.set_expression_attribute_values(values).build()?)
            }
            Action::Check => {
                let check = ConditionCheck::builder().table_name(&self.name).set_key(key);
                let check = check.set_condition_expression(condition).set_expression_attribute_names(names);
                item.condition_check(check.set_expression_attribute_values(values).build()?)
            }
        }
        .build())
    }
}

#[async_trait]
impl Table for DynamoTable {
    async fn get(&self, what: &str, key: &Key) -> Result<Option<Row>, StoreError> {
        let get = self.client.get_item().table_name(&self.name).set_key(Some(key_item(key))).consistent_read(true);
        let answer = get.send().await.map_err(|error| store_error(what, error))?;
        Ok(answer.item.map(|item| take_row(item).1))
    }

    async fn batch_get(&self, what: &str, keys: &[Key]) -> Result<Vec<Option<Row>>, StoreError> {
        let mut found: HashMap<Key, Row> = HashMap::with_capacity(keys.len());
        for chunk in keys.chunks(KEYS_PER_READ) {
            let mut open: Vec<Item> = chunk.iter().map(key_item).collect();
            for round in 0.. {
                let asked = KeysAndAttributes::builder().set_keys(Some(open)).consistent_read(true).build();
                let asked = asked.map_err(|error| unbuilt(what, error))?;
                let sent = self.client.batch_get_item().request_items(&self.name, asked).send().await;
                let answer = sent.map_err(|error| store_error(what, error))?;
                for item in answer.responses.unwrap_or_default().remove(&self.name).unwrap_or_default() {
                    let (key, row) = take_row(item);
                    found.insert(key.ok_or_else(|| keyless(what))?, row);
                }
                match answer.unprocessed_keys.and_then(|mut left| left.remove(&self.name)) {
                    Some(left) if !left.keys.is_empty() => open = left.keys,
                    _ => break,
                }
                wait(round, what).await?;
            }
        }
        Ok(keys.iter().map(|key| found.remove(key)).collect())
    }

    async fn query(&self, what: &str, query: &Query) -> Result<Vec<(String, Row)>, StoreError> {
        let keys = if query.prefix.is_some() { "pk=:pk AND begins_with(sk,:prefix)" } else { "pk=:pk" };
        let mut values = Item::from([(":pk".to_owned(), AttributeValue::S(query.pk.clone()))]);
        values.extend(query.prefix.clone().map(|prefix| (":prefix".to_owned(), AttributeValue::S(prefix))));
        let mut start = query.after.as_ref().map(|after| key_item(&Key::new(&query.pk, after)));
        let limit = query.limit.unwrap_or(usize::MAX);
        let mut rows = Vec::new();
        loop {
            let page = i32::try_from(limit - rows.len()).ok();
            let sent = self
                .client
                .query()
                .table_name(&self.name)
                .consistent_read(true)
                .key_condition_expression(keys)
                .set_expression_attribute_values(Some(values.clone()))
                .set_exclusive_start_key(start.take())
                .set_limit(page)
                .send()
                .await;
            let answer = sent.map_err(|error| store_error(what, error))?;
            for item in answer.items.unwrap_or_default() {
                let (key, row) = take_row(item);
                rows.push((key.ok_or_else(|| keyless(what))?.sk, row));
            }
            start = answer.last_evaluated_key.filter(|key| !key.is_empty());
            if start.is_none() || rows.len() >= limit {
                return Ok(rows);
            }
        }
    }

    async fn write(&self, what: &str, write: Write, returning: Returning) -> Result<Row, StoreError> {
        let Expressions { condition, update, names, values } = Expressions::of(&write);
        let (key, returning) = (Some(key_item(&write.key)), return_value(returning));
        let attributes = match write.action {
            Action::Put(row) => {
                let put = self.client.put_item().table_name(&self.name).set_item(Some(whole_item(&write.key, row)));
                let put = put.set_condition_expression(condition).set_expression_attribute_names(names);
                let put = put.set_expression_attribute_values(values).return_values(returning);
                put.send().await.map_err(|error| store_error(what, error))?.attributes
            }
            Action::Update(_) => {
                let write = self.client.update_item().table_name(&self.name).set_key(key).set_update_expression(update);
                let write = write.set_condition_expression(condition).set_expression_attribute_names(names);
                let write = write.set_expression_attribute_values(values).return_values(returning);
                write.send().await.map_err(|error| store_error(what, error))?.attributes
            }
            Action::Delete => {
                let delete = self.client.delete_item().table_name(&self.name).set_key(key);
                let delete = delete.set_condition_expression(condition).set_expression_attribute_names(names);
                let delete = delete.set_expression_attribute_values(values).return_values(returning);
                delete.send().await.map_err(|error| store_error(what, error))?.attributes
            }
            Action::Check => return Err(corrupt(format!("{what}: a check is a part of a transaction"))),
        };
        Ok(take_row(attributes.unwrap_or_default()).1)
    }

    async fn transact(&self, what: &str, writes: Vec<Write>, beside: Vec<Beside>) -> Result<(), StoreError> {
        let mut items = self.transact_items(what, writes)?;
        for Beside { table, writes } in beside {
            let other = table.as_any().downcast_ref::<Self>();
            let other = other.ok_or_else(|| corrupt(format!("{what}: a table beside is not DynamoDB's")))?;
            items.extend(other.transact_items(what, writes)?);
        }
        let sent = self.client.transact_write_items().set_transact_items(Some(items)).send().await;
        sent.map(drop).map_err(|error| transaction_error(what, error))
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    async fn batch_write(&self, what: &str, writes: Vec<Write>) -> Result<(), StoreError> {
        let request = |write: Write| {
            let request = WriteRequest::builder();
            Ok(match write.action {
                Action::Put(row) => {
                    let put = PutRequest::builder().set_item(Some(whole_item(&write.key, row)));
                    request.put_request(put.build().map_err(|error| unbuilt(what, error))?)
                }
                Action::Delete => {
                    let delete = DeleteRequest::builder().set_key(Some(key_item(&write.key)));
                    request.delete_request(delete.build().map_err(|error| unbuilt(what, error))?)
                }
                Action::Update(_) | Action::Check => return Err(corrupt(format!("{what}: a batch puts and deletes"))),
            }
            .build())
        };
        let requests = writes.into_iter().map(request).collect::<Result<Vec<_>, _>>()?;
        self.batch_write_all(what, &requests).await
    }

    async fn scan_page(&self, what: &str, scan: &Scan, after: Option<Key>) -> Result<ScanPage, StoreError> {
        let (name, prefixes) = match scan {
            Scan::All => ("pk", &[][..]),
            Scan::Partitions(prefixes) => ("pk", &prefixes[..]),
            Scan::Rows(prefix) => ("sk", std::slice::from_ref(prefix)),
        };
        let filter: Vec<String> = (0..prefixes.len()).map(|at| format!("begins_with({name}, :prefix{at})")).collect();
        let mut asked = self.client.scan().table_name(&self.name).consistent_read(true);
        for (at, prefix) in prefixes.iter().enumerate() {
            asked = asked.expression_attribute_values(format!(":prefix{at}"), AttributeValue::S(prefix.clone()));
        }
        if !filter.is_empty() {
            asked = asked.filter_expression(filter.join(" OR "));
        }
        let sent = asked.set_exclusive_start_key(after.as_ref().map(key_item)).send().await;
        let page = sent.map_err(|error| store_error(format!("{what} in {}", self.name), error))?;
        let row = |item| {
            let (key, row) = take_row(item);
            key.map(|key| (key, row)).ok_or_else(|| keyless(what))
        };
        let rows = page.items.unwrap_or_default().into_iter().map(row).collect::<Result<_, _>>()?;
        let next = page.last_evaluated_key.filter(|key| !key.is_empty());
        Ok((rows, next.and_then(|key| take_row(key).0)))
    }
}

/// An item as the SDK has it: a row with its key.
type Item = HashMap<String, AttributeValue>;

fn key_item(key: &Key) -> Item {
    let text = |text: &String| AttributeValue::S(text.clone());
    Item::from([("pk".to_owned(), text(&key.pk)), ("sk".to_owned(), text(&key.sk))])
}

fn whole_item(key: &Key, row: Row) -> Item {
    let mut item = key_item(key);
    item.extend(row.into_iter().map(|(name, value)| (name, value.into())));
    item
}

/// Key and row of an item; no key where an answer names attributes alone.
fn take_row(mut item: Item) -> (Option<Key>, Row) {
    let key = match (item.remove("pk"), item.remove("sk")) {
        (Some(AttributeValue::S(pk)), Some(AttributeValue::S(sk))) => Some(Key { pk, sk }),
        _ => None,
    };
    (key, item.into_iter().map(|(name, value)| (name, Value::from(value))).collect())
}

fn keyless(what: &str) -> StoreError {
    corrupt(format!("{what}: an item without a key"))
}

fn unbuilt(what: &str, error: BuildError) -> StoreError {
    StoreError::Unknown(Failure::caused_by(what, error))
}

fn return_value(returning: Returning) -> ReturnValue {
    match returning {
        Returning::Nothing => ReturnValue::None,
        Returning::Before => ReturnValue::AllOld,
        Returning::After => ReturnValue::AllNew,
        Returning::Changed => ReturnValue::UpdatedNew,
    }
}

async fn wait(round: u32, what: &str) -> Result<(), StoreError> {
    if round + 1 >= ROUNDS {
        return Err(StoreError::Throttled(Failure::new(format!("{what}: items left unprocessed {ROUNDS} times"))));
    }
    tokio::time::sleep(FIRST_WAIT * 2u32.pow(round)).await;
    Ok(())
}

/// A write's expressions, with the names and values that they use: DynamoDB refuses one that none of them uses.
#[derive(Debug, Default, PartialEq)]
struct Expressions {
    condition: Option<String>,
    update: Option<String>,
    names: Option<HashMap<String, String>>,
    values: Option<Item>,
}

impl Expressions {
    fn of(write: &Write) -> Self {
        let mut used = Used::default();
        let update = match &write.action {
            Action::Update(changes) => Some(used.update(changes)),
            Action::Put(_) | Action::Delete | Action::Check => None,
        };
        let condition = write.condition.as_ref().map(|condition| used.condition(condition));
        let names = used.names.into_iter().enumerate().map(|(nth, name)| (format!("#{nth}"), name));
        let values = used.values.into_iter().enumerate().map(|(nth, value)| (format!(":{nth}"), value.into()));
        let (names, values): (HashMap<_, _>, Item) = (names.collect(), values.collect());
        Self {
            condition,
            update,
            names: (!names.is_empty()).then_some(names),
            values: (!values.is_empty()).then_some(values),
        }
    }
}

/// Names and values by the number of their placeholder.
#[derive(Debug, Default)]
struct Used {
    names: Vec<String>,
    values: Vec<Value>,
}

impl Used {
    fn name(&mut self, name: &str) -> String {
        let nth = self.names.iter().position(|known| known == name).unwrap_or_else(|| {
            self.names.push(name.to_owned());
            self.names.len() - 1
        });
        format!("#{nth}")
    }

    fn value(&mut self, value: &Value) -> String {
        let nth = self.values.iter().position(|known| known == value).unwrap_or_else(|| {
            self.values.push(value.clone());
            self.values.len() - 1
        });
        format!(":{nth}")
    }

    fn path(&mut self, path: &Path) -> String {
        let name = self.name(&path.attribute);
        match &path.inside {
            None => name,
            Some((index, member)) => format!("{name}[{index}].{}", self.name(member)),
        }
    }

    fn condition(&mut self, condition: &Condition) -> String {
        match condition {
            Condition::Exists => "attribute_exists(pk)".to_owned(),
            Condition::Absent => "attribute_not_exists(pk)".to_owned(),
            Condition::Has(path) => format!("attribute_exists({})", self.path(path)),
            Condition::Lacks(path) => format!("attribute_not_exists({})", self.path(path)),
            Condition::Equals(path, value) => format!("{}={}", self.path(path), self.value(value)),
            Condition::Below(path, value) => format!("{}<{}", self.path(path), self.value(value)),
            Condition::AtMost(path, value) => format!("{}<={}", self.path(path), self.value(value)),
            Condition::AtLeast(path, value) => format!("{}>={}", self.path(path), self.value(value)),
            Condition::Excludes(path, value) => {
                let (path, value) = (self.path(path), self.value(value));
                format!("(attribute_not_exists({path}) OR NOT contains({path},{value}))")
            }
            // What is not there has no size: asking for it is an error. No set is empty.
            Condition::Size(path, 0) => format!("attribute_not_exists({})", self.path(path)),
            Condition::Size(path, members) => {
                let (path, members) = (self.path(path), self.value(&Value::N(members.to_string())));
                format!("attribute_exists({path}) AND size({path})={members}")
            }
            Condition::All(all) => all.iter().map(|one| self.condition(one)).collect::<Vec<_>>().join(" AND "),
        }
    }

    fn update(&mut self, changes: &[Change]) -> String {
        let (mut sets, mut adds, mut takes, mut removes) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for change in changes {
            match change {
                Change::Set(name, value) => sets.push(format!("{}={}", self.name(name), self.value(value))),
                Change::SetIfAbsent(name, value) => {
                    let name = self.name(name);
                    sets.push(format!("{name}=if_not_exists({name},{})", self.value(value)));
                }
                Change::Append(name, values) => {
                    let name = self.name(name);
                    sets.push(format!("{name}=list_append({name},{})", self.value(&Value::L(values.clone()))));
                }
                Change::Add(name, value) => adds.push(format!("{} {}", self.name(name), self.value(value))),
                Change::Take(name, value) => takes.push(format!("{} {}", self.name(name), self.value(value))),
                Change::Remove(name) => removes.push(self.name(name)),
                // DynamoDB takes all places as they were before the update; from the last to the first, any reader does.
                Change::RemoveFirst(name, count) => {
                    let name = self.name(name);
                    removes.extend((0..*count).rev().map(|place| format!("{name}[{place}]")));
                }
                Change::RemoveMember(name, member) => {
                    removes.push(format!("{}.{}", self.name(name), self.name(member)));
                }
            }
        }
        let clauses = [("SET", sets), ("ADD", adds), ("DELETE", takes), ("REMOVE", removes)];
        let clauses = clauses.into_iter().filter(|(_, parts)| !parts.is_empty());
        clauses.map(|(word, parts)| format!("{word} {}", parts.join(","))).collect::<Vec<_>>().join(" ")
    }
}

/// Maps a failed transaction: a condition that did not hold and a clash with another transaction are both `Conflict`,
/// since both ask the caller to read again.
fn transaction_error(what: &str, error: SdkError<TransactWriteItemsError, HttpResponse>) -> StoreError {
    let reasons: Vec<String> = match error.as_service_error() {
        Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) => {
            cancelled.cancellation_reasons().iter().filter_map(|reason| reason.code.clone()).collect()
        }
        _ => return store_error(what, error),
    };
    let any = |codes: &[&str]| reasons.iter().any(|reason| codes.contains(&reason.as_str()));
    let failure = Failure::caused_by(what, error);
    if any(&["ConditionalCheckFailed", "TransactionConflict", "DuplicateItem"]) {
        StoreError::Conflict(failure)
    } else if any(&["ThrottlingError", "ProvisionedThroughputExceeded"]) {
        StoreError::Throttled(failure)
    } else {
        StoreError::Unknown(failure)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(expressions: &Expressions) -> usize {
        expressions.values.as_ref().map_or(0, HashMap::len)
    }

    #[test]
    fn every_change_and_condition_is_an_expression_and_each_name_and_value_stands_once() {
        let write = Write::update(Key::new("p", "s"))
            .set("size", 3_u64)
            .set_if_absent("key", "k")
            .and(Change::Append("list".into(), vec![Value::N("3".into())]))
            .add("count", 3_u64)
            .add("done", Value::Ns(vec!["3".into()]))
            .take("holds", Value::Ss(vec!["h".into()]))
            .remove("old")
            .and(Change::RemoveFirst("list".into(), 2))
            .remove_member("keys", "k-1")
            .when(Condition::Exists)
            .when(Condition::at_most("size", 3_u64))
            .when(Condition::equals(Path::inside("list", 1, "key"), "k"))
            .when(Condition::excludes("done", 3_u64))
            .when(Condition::lacks("gone"))
            .when(Condition::size("done", 3))
            .when(Condition::size("gone", 0));
        let expressions = Expressions::of(&write);
        assert_eq!(
            expressions.update.as_deref(),
            Some(
                "SET #0=:0,#1=if_not_exists(#1,:1),#2=list_append(#2,:2) ADD #3 :0,#4 :3 DELETE #5 :4 REMOVE #6,#2[1],#2[0],#7.#8"
            )
        );
        assert_eq!(
            expressions.condition.as_deref(),
            Some(
                "attribute_exists(pk) AND #0<=:0 AND #2[1].#1=:1 AND \
                 (attribute_not_exists(#4) OR NOT contains(#4,:0)) AND attribute_not_exists(#9) AND \
                 attribute_exists(#4) AND size(#4)=:0 AND attribute_not_exists(#9)"
            )
        );
        let names = expressions.names.as_ref().unwrap();
        assert_eq!((names.len(), names["#9"].as_str(), values(&expressions)), (10, "gone", 5));
    }

    #[test]
    fn a_write_without_names_or_values_gives_none() {
        let expressions = Expressions::of(&Write::create(Key::new("p", "s"), Row::new()));
        assert_eq!(
            expressions,
            Expressions { condition: Some("attribute_not_exists(pk)".to_owned()), ..Expressions::default() }
        );
        let bare = Write::put(Key::new("p", "s"), Row::new()).when(Condition::has("a"));
        assert_eq!(values(&Expressions::of(&bare)), 0);
    }

    #[test]
    fn an_item_is_its_key_and_its_row() {
        let row = Row::from([("a".to_owned(), Value::N("1".to_owned()))]);
        let key = Key::new("p", "s");
        let item = whole_item(&key, row.clone());
        assert_eq!(item.len(), 3);
        assert_eq!(take_row(item), (Some(key), row));
    }
}
