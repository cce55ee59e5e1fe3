//! The lists of own numbers in the control table: partition `OWN#<org>`, a row each, which is never deleted. The partition
//! is its own, so that a role can be allowed to read it and nothing else.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::AttributeValue;
use ledgerline_custody::own::{Change, ChangeOwn, OwnName, OwnRow, ReadOwn};
use ledgerline_ledger::store::{Failure, StoreError};

use crate::config::store_error;
use crate::items::{self, Item, read_text, text};

/// The rows of the control table that are the lists.
#[derive(Clone, Debug)]
pub struct OwnTable {
    client: Client,
    table: String,
}

impl OwnTable {
    /// Rows in the control table named `table`.
    pub fn new(client: Client, table: impl Into<String>) -> Self {
        Self { client, table: table.into() }
    }

    /// The update that a change is.
    fn update(&self, org: &str, name: &OwnName, change: Change, now: &str) -> UpdateItemFluentBuilder {
        let update = self.client.update_item().table_name(&self.table);
        let update = update.set_key(Some(items::key(&partition(org), &name.to_key())));
        match change {
            Change::Add => update
                .update_expression("SET #added = :now")
                .condition_expression("attribute_not_exists(pk)")
                .expression_attribute_names("#added", ADDED)
                .expression_attribute_values(":now", text(now)),
            Change::Restore => update
                .update_expression("SET #formerly = :true REMOVE #removed")
                .condition_expression("attribute_exists(#removed)")
                .expression_attribute_names("#formerly", FORMERLY)
                .expression_attribute_names("#removed", REMOVED)
                .expression_attribute_values(":true", AttributeValue::Bool(true)),
            Change::Remove => update
                .update_expression("SET #removed = :now")
                .condition_expression("attribute_exists(pk) AND attribute_not_exists(#removed)")
                .expression_attribute_names("#removed", REMOVED)
                .expression_attribute_values(":now", text(now)),
        }
    }
}

impl ReadOwn for OwnTable {
    async fn own(&self, org: &str) -> Result<Vec<OwnRow>, StoreError> {
        let what = format!("read the own numbers of {org}");
        let rows = items::query(&self.client, &self.table, &what, &partition(org), None).await?;
        rows.iter().map(row).collect()
    }
}

impl ChangeOwn for OwnTable {
    async fn change(&self, org: &str, name: &OwnName, change: Change, now: &str) -> Result<(), StoreError> {
        let sent = self.update(org, name, change, now).send().await;
        sent.map(drop).map_err(|error| store_error(format!("change the own numbers of {org}"), error))
    }
}

fn partition(org: &str) -> String {
    format!("OWN#{org}")
}

fn row(item: &Item) -> Result<OwnRow, StoreError> {
    let name = OwnName::parse(&read_text(item, "sk")?);
    Ok(OwnRow {
        name: name.ok_or_else(|| StoreError::Corrupt(Failure::new("a row of own numbers names nothing")))?,
        added_at: read_text(item, ADDED)?,
        removed_at: item.contains_key(REMOVED).then(|| read_text(item, REMOVED)).transpose()?,
        formerly: item.get(FORMERLY) == Some(&AttributeValue::Bool(true)),
    })
}

const ADDED: &str = "addedAt";
const REMOVED: &str = "removedAt";
const FORMERLY: &str = "formerly";

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_dynamodb::config::BehaviorVersion;

    fn domain() -> OwnName {
        OwnName::Domain("example.com".to_owned())
    }

    #[test]
    fn a_row_is_read_as_it_was_written() {
        let mut item = items::key("OWN#acme", &domain().to_key());
        assert!(matches!(row(&item), Err(StoreError::Corrupt(_))), "no time");
        item.insert(ADDED.to_owned(), text("a"));
        let added = OwnRow { name: domain(), added_at: "a".to_owned(), removed_at: None, formerly: false };
        assert_eq!(row(&item).unwrap(), added);
        item.insert(FORMERLY.to_owned(), AttributeValue::Bool(true));
        item.insert(REMOVED.to_owned(), text("b"));
        assert_eq!(row(&item).unwrap(), OwnRow { removed_at: Some("b".to_owned()), formerly: true, ..added });
        item.insert(REMOVED.to_owned(), AttributeValue::Bool(true));
        assert!(matches!(row(&item), Err(StoreError::Corrupt(_))), "what was removed must not come back in force");
        item.remove(REMOVED);
        item.insert("sk".to_owned(), text("phone#+15555550100"));
        assert!(matches!(row(&item), Err(StoreError::Corrupt(_))), "a number in clear");
    }

    #[test]
    fn each_change_names_the_row_that_it_expects() {
        let config = aws_sdk_dynamodb::Config::builder().behavior_version(BehaviorVersion::v2026_01_12()).build();
        let table = OwnTable::new(Client::from_conf(config), "control");
        for (change, update, condition) in [
            (Change::Add, "SET #added = :now", "attribute_not_exists(pk)"),
            (Change::Restore, "SET #formerly = :true REMOVE #removed", "attribute_exists(#removed)"),
            (Change::Remove, "SET #removed = :now", "attribute_exists(pk) AND attribute_not_exists(#removed)"),
        ] {
            let built = table.update("acme", &domain(), change, "2026-03-02T14:00:00.000Z");
            let input = built.as_input();
            assert_eq!(input.get_key().as_ref().unwrap(), &items::key("OWN#acme", "domain#example.com"));
            assert_eq!(input.get_update_expression().as_deref(), Some(update));
            assert_eq!(input.get_condition_expression().as_deref(), Some(condition));
            // DynamoDB refuses a name or a value that no expression has.
            for name in input.get_expression_attribute_names().iter().flatten().map(|(name, _)| name) {
                assert!(update.contains(name) || condition.contains(name), "{name}");
            }
            for value in input.get_expression_attribute_values().iter().flatten().map(|(value, _)| value) {
                assert!(update.contains(value) || condition.contains(value), "{value}");
            }
        }
    }
}
