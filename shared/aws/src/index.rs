//! The index table as transform writes it: claims, log pins, bronze rows. Derived data: all of it can be rebuilt from
//! bronze and the ledger.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue};
use ledgerline_custody::claims::{BronzeRow, Claim, ClaimEvents, NoteBronze, PinLogs};
use ledgerline_ledger::store::{Failure, StoreError};

use crate::config::store_error;
use crate::items::{self, Item, number, text};

/// The index table.
#[derive(Clone, Debug)]
pub struct IndexTable {
    client: Client,
    table: String,
}

impl IndexTable {
    /// The table named `table`.
    pub fn new(client: Client, table: impl Into<String>) -> Self {
        Self { client, table: table.into() }
    }
}

impl ClaimEvents for IndexTable {
    async fn claim(&self, claim: &Claim<'_>) -> Result<Vec<String>, StoreError> {
        let what = format!("claim {} events of {} in {}", claim.events.len(), claim.record, claim.shard);
        let mut update = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(items::key(&partition(claim.record), &format!("CLAIM#{}", claim.shard))))
            .expression_attribute_values(":o", text(claim.object))
            .expression_attribute_values(":t", number(claim.expires_at_s))
            .expression_attribute_names("#t", "ttl")
            .return_values(ReturnValue::UpdatedNew);
        let mut expression = String::from("SET #t=:t");
        for (n, event) in claim.events.iter().enumerate() {
            expression.push_str(&format!(",#e{n}=if_not_exists(#e{n},:o)"));
            update = update.expression_attribute_names(format!("#e{n}"), attribute(event));
        }
        let answer = update.update_expression(expression).send().await.map_err(|error| store_error(&what, error))?;
        let owners = answer.attributes.unwrap_or_default();
        claim.events.iter().map(|event| items::read_text(&owners, &attribute(event))).collect()
    }
}

impl PinLogs for IndexTable {
    async fn logs(&self, records: &[&str]) -> Result<Vec<Option<String>>, StoreError> {
        let keys: Vec<(String, &str)> = records.iter().map(|record| (partition(record), "LOG")).collect();
        let rows = items::batch_get(&self.client, &self.table, "read log pins", &keys).await?;
        rows.iter().map(|row| row.as_ref().map(|item| items::read_text(item, "log")).transpose()).collect()
    }

    async fn pin(&self, record: &str, log: &str) -> Result<String, StoreError> {
        let what = format!("pin {record} to its log");
        let answer = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(items::key(&partition(record), "LOG")))
            .update_expression("SET #l=if_not_exists(#l,:l)")
            .expression_attribute_names("#l", "log")
            .expression_attribute_values(":l", text(log))
            .return_values(ReturnValue::UpdatedNew)
            .send()
            .await
            .map_err(|error| store_error(&what, error))?;
        match answer.attributes.and_then(|mut row| row.remove("log")) {
            Some(AttributeValue::S(log)) => Ok(log),
            _ => Err(StoreError::Corrupt(Failure::new(what))),
        }
    }
}

impl NoteBronze for IndexTable {
    async fn note(&self, rows: &[BronzeRow<'_>]) -> Result<(), StoreError> {
        let items = rows.iter().map(bronze_item).collect();
        items::batch_put(&self.client, &self.table, "note bronze rows", items).await
    }
}

fn bronze_item(row: &BronzeRow<'_>) -> Item {
    let mut item = items::key(&partition(row.record), &format!("BRZ#{}", row.object));
    item.insert("key".to_owned(), text(row.key));
    item.insert("lines".to_owned(), number(row.lines));
    item
}

fn partition(record: &str) -> String {
    format!("INT#{record}")
}

/// The name of the attribute that holds an event's owner.
fn attribute(event: &str) -> String {
    format!("e{event}")
}
