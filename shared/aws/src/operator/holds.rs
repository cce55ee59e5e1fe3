//! Rows of legal holds: what was meant, which the S3 holds and the entry carry out.
//!
//! Invariant: the words of the first call hold; a hold that is lifted stays so.

use aws_sdk_dynamodb::types::AttributeValue;
use ledgerline_ledger::log::LogId;
use ledgerline_ledger::store::{Failure, StoreError};

use super::Operator;
use crate::config::store_error;
use crate::evidence::scan;
use crate::items::{self, Item, number, read_text, text};

/// A hold's row: what was meant, which the S3 holds and the entry carry out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HoldRow {
    /// The hold's name.
    pub hold: String,
    /// `<org>/<record>`.
    pub record_key: String,
    /// The record's log.
    pub log: LogId,
    /// Why.
    pub purpose: String,
    /// On which legal basis.
    pub basis: String,
    /// When it must be looked at again.
    pub review: String,
    /// When it was placed first: it names the act, so that placing it again is the same act.
    pub placed_at: String,
    /// When it was lifted, if it was.
    pub lifted_at: Option<String>,
}

impl Operator {
    /// Notes that a hold is meant, unless that is noted, and returns the row as it is: the first call's words hold.
    ///
    /// # Errors
    /// The table's.
    pub async fn note_hold(&self, hold: &HoldRow) -> Result<HoldRow, StoreError> {
        let what = format!("note hold {}", hold.hold);
        let put = self
            .dynamodb
            .put_item()
            .table_name(self.table("ControlTable")?)
            .set_item(Some(hold_item(hold)))
            .condition_expression("attribute_not_exists(pk)")
            .send()
            .await;
        match put.map_err(|error| store_error(&what, error)) {
            Ok(_) => Ok(hold.clone()),
            Err(StoreError::Conflict(_)) => {
                let missing = || StoreError::Conflict(Failure::new(format!("{what}: it was there, and is gone")));
                self.hold(&hold.hold, &hold.record_key).await?.ok_or_else(missing)
            }
            Err(error) => Err(error),
        }
    }

    /// A hold's row.
    ///
    /// # Errors
    /// The table's.
    pub async fn hold(&self, hold: &str, record_key: &str) -> Result<Option<HoldRow>, StoreError> {
        let asked = self.dynamodb.get_item().table_name(self.table("ControlTable")?).consistent_read(true);
        let asked = asked.set_key(Some(items::key(&hold_partition(hold), record_key))).send().await;
        let asked = asked.map_err(|error| store_error(format!("read hold {hold}"), error))?;
        asked.item.as_ref().map(read_hold).transpose()
    }

    /// Notes that a hold is lifted, once; returns when that was.
    ///
    /// # Errors
    /// The table's.
    pub async fn note_lifted(&self, hold: &str, record_key: &str, now: &str) -> Result<String, StoreError> {
        let update = self
            .dynamodb
            .update_item()
            .table_name(self.table("ControlTable")?)
            .set_key(Some(items::key(&hold_partition(hold), record_key)))
            .update_expression("SET #lifted = if_not_exists(#lifted, :now)")
            .condition_expression("attribute_exists(pk)")
            .expression_attribute_names("#lifted", "liftedAt")
            .expression_attribute_values(":now", text(now))
            .return_values(aws_sdk_dynamodb::types::ReturnValue::AllNew)
            .send()
            .await;
        let update = update.map_err(|error| store_error(format!("note that hold {hold} is lifted"), error))?;
        read_text(&update.attributes.unwrap_or_default(), "liftedAt")
    }

    /// All holds that were ever placed, lifted ones too.
    ///
    /// # Errors
    /// The table's.
    pub async fn holds(&self) -> Result<Vec<HoldRow>, StoreError> {
        let mut holds = Vec::new();
        let table = self.table("ControlTable")?;
        scan(&self.dynamodb, table, "list the holds", "begins_with(pk, :hold)", (":hold", HOLD), &mut |item| {
            holds.push(read_hold(item)?);
            Ok(())
        })
        .await?;
        holds.sort_by(|one, other| (&one.hold, &one.record_key).cmp(&(&other.hold, &other.record_key)));
        Ok(holds)
    }
}

fn hold_partition(hold: &str) -> String {
    format!("{HOLD}{hold}")
}

fn hold_item(hold: &HoldRow) -> Item {
    let mut item = items::key(&hold_partition(&hold.hold), &hold.record_key);
    let texts = [
        ("log", hold.log.as_str()),
        ("purpose", &hold.purpose),
        ("basis", &hold.basis),
        ("review", &hold.review),
        ("placedAt", &hold.placed_at),
    ];
    item.extend(texts.map(|(name, value)| (name.to_owned(), text(value))));
    item.insert("v".to_owned(), number(1));
    item
}

fn read_hold(item: &Item) -> Result<HoldRow, StoreError> {
    let name = read_text(item, "pk")?;
    let log = LogId::parse(&read_text(item, "log")?);
    Ok(HoldRow {
        hold: name.strip_prefix(HOLD).unwrap_or(&name).to_owned(),
        record_key: read_text(item, "sk")?,
        log: log.map_err(|error| StoreError::Corrupt(Failure::caused_by("read a hold's log", error)))?,
        purpose: read_text(item, "purpose")?,
        basis: read_text(item, "basis")?,
        review: read_text(item, "review")?,
        placed_at: read_text(item, "placedAt")?,
        lifted_at: match item.get("liftedAt") {
            Some(AttributeValue::S(at)) => Some(at.clone()),
            _ => None,
        },
    })
}

const HOLD: &str = "HOLD#";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hold_reads_back_as_it_was_noted() {
        let hold = HoldRow {
            hold: "matter-7".to_owned(),
            record_key: "acme/c-1".to_owned(),
            log: LogId::parse("acme/interaction/1/0").unwrap(),
            purpose: "litigation".to_owned(),
            basis: "legal-claims".to_owned(),
            review: "2027-01-01".to_owned(),
            placed_at: "2026-03-02T14:00:00.000Z".to_owned(),
            lifted_at: None,
        };
        let mut item = hold_item(&hold);
        assert_eq!(read_hold(&item).unwrap(), hold);
        item.insert("liftedAt".to_owned(), text("2026-04-02T14:00:00.000Z"));
        assert!(read_hold(&item).unwrap().lifted_at.is_some());
        item.remove("review");
        assert!(matches!(read_hold(&item), Err(StoreError::Corrupt(_))));
    }
}
