//! DynamoDB items: attributes in and out, batch reads and writes that finish what the table left unprocessed, and the
//! reasons of a cancelled transaction.
//!
//! Invariant: a batch call returns only when every key of it was answered, or with an error.

use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{AttributeValue, DeleteRequest, KeysAndAttributes, PutRequest, WriteRequest};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use ledgerline_ledger::store::{Failure, StoreError};

use crate::config::store_error;

/// An item as the SDK has it.
pub(crate) type Item = HashMap<String, AttributeValue>;

/// Keys in one `BatchGetItem`: the service's limit.
const KEYS_PER_READ: usize = 100;
/// Items in one `BatchWriteItem`: the service's limit.
const ITEMS_PER_WRITE: usize = 25;
/// Rounds for what comes back unprocessed. Waits double from 50 ms: 50 ms × (2^7 − 1) = 6.4 s in all.
const ROUNDS: u32 = 8;
const FIRST_WAIT: Duration = Duration::from_millis(50);

/// A string attribute.
pub(crate) fn text(value: impl Into<String>) -> AttributeValue {
    AttributeValue::S(value.into())
}

/// A number attribute.
pub(crate) fn number(value: impl ToString) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

/// The key of an item in any of our tables.
pub(crate) fn key(pk: &str, sk: &str) -> Item {
    Item::from([("pk".to_owned(), text(pk)), ("sk".to_owned(), text(sk))])
}

/// A string attribute that the item must have.
pub(crate) fn read_text(item: &Item, name: &str) -> Result<String, StoreError> {
    match item.get(name) {
        Some(AttributeValue::S(value)) => Ok(value.clone()),
        _ => Err(StoreError::Corrupt(Failure::new(format!("an item has no text attribute {name}")))),
    }
}

/// A whole number that the item must have.
pub(crate) fn read_number(item: &Item, name: &str) -> Result<u64, StoreError> {
    match item.get(name) {
        Some(AttributeValue::N(value)) => value.parse().ok(),
        _ => None,
    }
    .ok_or_else(|| StoreError::Corrupt(Failure::new(format!("an item has no whole number {name}"))))
}

/// All items of a partition, read consistently, in the order of their sort keys; only those that begin with `prefix`, if there is one.
pub(crate) async fn query(
    client: &Client,
    table: &str,
    what: &str,
    pk: &str,
    prefix: Option<&str>,
) -> Result<Vec<Item>, StoreError> {
    let keys = if prefix.is_some() { "pk=:pk AND begins_with(sk,:prefix)" } else { "pk=:pk" };
    let mut values = Item::from([(":pk".to_owned(), text(pk))]);
    values.extend(prefix.map(|prefix| (":prefix".to_owned(), text(prefix))));
    let (mut rows, mut after) = (Vec::new(), None);
    loop {
        let answer = client
            .query()
            .table_name(table)
            .consistent_read(true)
            .key_condition_expression(keys)
            .set_expression_attribute_values(Some(values.clone()))
            .set_exclusive_start_key(after)
            .send()
            .await
            .map_err(|error| store_error(what, error))?;
        rows.extend(answer.items.unwrap_or_default());
        after = answer.last_evaluated_key.filter(|key| !key.is_empty());
        if after.is_none() {
            return Ok(rows);
        }
    }
}

/// Reads items consistently, in the order of `keys`. Keys must be distinct.
pub(crate) async fn batch_get(
    client: &Client,
    table: &str,
    what: &str,
    keys: &[(String, &str)],
) -> Result<Vec<Option<Item>>, StoreError> {
    let mut found: HashMap<(String, String), Item> = HashMap::with_capacity(keys.len());
    for chunk in keys.chunks(KEYS_PER_READ) {
        let mut open: Vec<Item> = chunk.iter().map(|(pk, sk)| key(pk, sk)).collect();
        for round in 0.. {
            let asked = KeysAndAttributes::builder()
                .set_keys(Some(std::mem::take(&mut open)))
                .consistent_read(true)
                .build()
                .map_err(|error| StoreError::Unknown(Failure::caused_by(what, error)))?;
            let answer = client
                .batch_get_item()
                .request_items(table, asked)
                .send()
                .await
                .map_err(|error| store_error(what, error))?;
            for item in answer.responses.unwrap_or_default().remove(table).unwrap_or_default() {
                found.insert((read_text(&item, "pk")?, read_text(&item, "sk")?), item);
            }
            match answer.unprocessed_keys.and_then(|mut left| left.remove(table)) {
                Some(left) if !left.keys.is_empty() => open = left.keys,
                _ => break,
            }
            wait(round, what).await?;
        }
    }
    Ok(keys.iter().map(|(pk, sk)| found.remove(&(pk.clone(), (*sk).to_owned()))).collect())
}

/// Puts items, without conditions, in no particular order. Keys must be distinct.
pub(crate) async fn batch_put(client: &Client, table: &str, what: &str, items: Vec<Item>) -> Result<(), StoreError> {
    let mut requests = Vec::with_capacity(items.len());
    for item in items {
        let put = PutRequest::builder().set_item(Some(item)).build();
        let put = put.map_err(|error| StoreError::Unknown(Failure::caused_by(what, error)))?;
        requests.push(WriteRequest::builder().put_request(put).build());
    }
    batch_write(client, table, what, &requests).await
}

/// Deletes items, whether they are there or not, in no particular order. Keys must be distinct.
pub(crate) async fn batch_delete(client: &Client, table: &str, what: &str, keys: Vec<Item>) -> Result<(), StoreError> {
    let mut requests = Vec::with_capacity(keys.len());
    for key in keys {
        let delete = DeleteRequest::builder().set_key(Some(key)).build();
        let delete = delete.map_err(|error| StoreError::Unknown(Failure::caused_by(what, error)))?;
        requests.push(WriteRequest::builder().delete_request(delete).build());
    }
    batch_write(client, table, what, &requests).await
}

async fn batch_write(client: &Client, table: &str, what: &str, requests: &[WriteRequest]) -> Result<(), StoreError> {
    for chunk in requests.chunks(ITEMS_PER_WRITE) {
        let mut open = chunk.to_vec();
        for round in 0.. {
            let answer = client
                .batch_write_item()
                .request_items(table, open)
                .send()
                .await
                .map_err(|error| store_error(what, error))?;
            match answer.unprocessed_items.and_then(|mut left| left.remove(table)) {
                Some(left) if !left.is_empty() => open = left,
                _ => break,
            }
            wait(round, what).await?;
        }
    }
    Ok(())
}

async fn wait(round: u32, what: &str) -> Result<(), StoreError> {
    if round + 1 >= ROUNDS {
        return Err(StoreError::Throttled(Failure::new(format!("{what}: items left unprocessed {ROUNDS} times"))));
    }
    tokio::time::sleep(FIRST_WAIT * 2u32.pow(round)).await;
    Ok(())
}

/// Maps a failed transaction: a condition that did not hold and a clash with another transaction are both `Conflict`,
/// since both ask the caller to read again.
pub(crate) fn transaction_error(what: &str, error: SdkError<TransactWriteItemsError, HttpResponse>) -> StoreError {
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
