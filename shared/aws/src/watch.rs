//! What the scheduled verification remembers, in the control table: row `WATCH#<log>`, `WATCH`. Its partition is
//! its own, so that a role can be allowed to write it and no head.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use ledgerline_custody::watch::{WatchLogs, Watched};
use ledgerline_ledger::log::LogId;
use ledgerline_ledger::store::{Failure, StoreError};

use crate::config::store_error;
use crate::items::{self, Item, number, text};

/// The rows of the control table that verification keeps.
#[derive(Clone, Debug)]
pub struct WatchTable {
    client: Client,
    table: String,
}

impl WatchTable {
    /// Rows in the control table named `table`.
    pub fn new(client: Client, table: impl Into<String>) -> Self {
        Self { client, table: table.into() }
    }
}

impl WatchLogs for WatchTable {
    async fn watched(&self, log: &LogId) -> Result<Option<Watched>, StoreError> {
        let answer = self
            .client
            .get_item()
            .table_name(&self.table)
            .set_key(Some(row(log)))
            .consistent_read(true)
            .send()
            .await
            .map_err(|error| store_error(format!("read what was verified of {log}"), error))?;
        answer.item.as_ref().map(read).transpose()
    }

    async fn remember(&self, log: &LogId, before: Option<&Watched>, now: &Watched) -> Result<(), StoreError> {
        let mut item = row(log);
        item.insert("size".to_owned(), number(now.size));
        item.insert("keys".to_owned(), AttributeValue::L(now.keys.iter().map(text).collect()));
        item.insert("verifiedAt".to_owned(), number(now.verified_at_ms));
        item.insert("grewAt".to_owned(), number(now.grew_at_ms));
        for (name, at_ms) in [("wholeAt", now.whole_at_ms), ("triedAt", now.tried_at_ms)] {
            item.extend(at_ms.map(|at_ms| (name.to_owned(), number(at_ms))));
        }
        if let Some(checkpoint) = &now.checkpoint {
            item.insert("checkpoint".to_owned(), text(checkpoint));
        }
        let put = self.client.put_item().table_name(&self.table).set_item(Some(item));
        let put = match before {
            None => put.condition_expression("attribute_not_exists(pk)"),
            Some(before) => put
                .condition_expression("verifiedAt = :before")
                .expression_attribute_values(":before", number(before.verified_at_ms)),
        };
        let sent = put.send().await;
        sent.map(|_| ()).map_err(|error| store_error(format!("remember what was verified of {log}"), error))
    }
}

fn row(log: &LogId) -> Item {
    items::key(&format!("WATCH#{log}"), "WATCH")
}

fn read(item: &Item) -> Result<Watched, StoreError> {
    let time = |name: &str| match item.get(name) {
        Some(AttributeValue::N(value)) => value.parse().ok(),
        _ => None,
    };
    let corrupt = || StoreError::Corrupt(Failure::new("a row of verification lacks a time"));
    let keys = match item.get("keys") {
        Some(AttributeValue::L(keys)) => keys.iter().map(|key| key.as_s().ok().cloned()).collect::<Option<Vec<_>>>(),
        _ => None,
    };
    // Without keys nothing of it could be checked; that is no reason to trust others.
    let keyless = || StoreError::Corrupt(Failure::new("a row of verification has no list of keys"));
    Ok(Watched {
        size: items::read_number(item, "size")?,
        checkpoint: items::read_text(item, "checkpoint").ok(),
        keys: keys.filter(|keys| !keys.is_empty()).ok_or_else(keyless)?,
        verified_at_ms: time("verifiedAt").ok_or_else(corrupt)?,
        grew_at_ms: time("grewAt").ok_or_else(corrupt)?,
        whole_at_ms: time("wholeAt"),
        tried_at_ms: time("triedAt"),
    })
}
