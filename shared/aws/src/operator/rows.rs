//! Rows that say how far events have come: the sums of all objects' rows, and where a record's lines lie.

use ledgerline_ledger::log::LogId;
use ledgerline_ledger::store::{Failure, StoreError};

use super::Operator;
use crate::config::store_error;
use crate::control::POISON;
use crate::evidence::scan;
use crate::items::{self, read_text, text};

/// The sum of all objects' rows: `input = committed + filtered + duplicate + quarantined + in flight`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    /// Objects that have a row.
    pub objects: u64,
    /// Objects taken up and not planned yet.
    pub unplanned: u64,
    /// Events read.
    pub input: u64,
    /// Left out by the policy.
    pub filtered: u64,
    /// Claimed by another object.
    pub duplicate: u64,
    /// Set aside by transform.
    pub quarantined: u64,
    /// Planned for the ledger.
    pub planned: u64,
    /// In the ledger.
    pub committed: u64,
    /// Of what is in flight: kept as poison, so that it stays there until somebody repairs it.
    pub poisoned: u64,
}

impl Totals {
    /// Planned and not committed yet.
    pub fn in_flight(&self) -> u64 {
        self.planned.saturating_sub(self.committed)
    }

    /// Whether every event is accounted for: nothing lost, nothing doubled.
    pub fn balance(&self) -> bool {
        self.planned >= self.committed && self.input == self.planned + self.filtered + self.duplicate + self.quarantined
    }
}

impl Operator {
    /// Adds up the objects' rows.
    ///
    /// # Errors
    /// The table's.
    pub async fn totals(&self) -> Result<Totals, StoreError> {
        let mut totals = Totals::default();
        let table = self.table("ControlTable")?;
        scan(&self.dynamodb, table, "read the objects' rows", "sk = :row", (":row", "OBJ"), &mut |item| {
            let count = |name| items::read_number(item, name).unwrap_or_default();
            totals.objects += 1;
            totals.unplanned += u64::from(!item.contains_key("status"));
            totals.input += count("in");
            totals.filtered += count("filtered");
            totals.duplicate += count("duplicate");
            totals.quarantined += count("quarantined");
            totals.planned += count("planned");
            totals.committed += count("committed");
            totals.poisoned += item.keys().filter(|name| name.starts_with(POISON)).map(|name| count(name)).sum::<u64>();
            Ok(())
        })
        .await?;
        Ok(totals)
    }

    /// The bronze objects that hold any line of a record: object id, key, lines.
    ///
    /// # Errors
    /// The table's.
    pub async fn bronze_of(&self, record_key: &str) -> Result<Vec<(String, String, u64)>, StoreError> {
        let what = format!("read the bronze rows of {record_key}");
        let (mut found, mut after) = (Vec::new(), None);
        loop {
            let page = self
                .dynamodb
                .query()
                .table_name(self.table("IndexTable")?)
                .consistent_read(true)
                .key_condition_expression("pk = :pk AND begins_with(sk, :prefix)")
                .expression_attribute_values(":pk", text(format!("INT#{record_key}")))
                .expression_attribute_values(":prefix", text(BRONZE_ROW))
                .set_exclusive_start_key(after.take())
                .send()
                .await
                .map_err(|error| store_error(&what, error))?;
            for item in page.items() {
                let object = read_text(item, "sk")?;
                let lines = items::read_number(item, "lines").unwrap_or_default();
                found.push((object.trim_start_matches(BRONZE_ROW).to_owned(), read_text(item, "key")?, lines));
            }
            after = page.last_evaluated_key.filter(|key| !key.is_empty());
            if after.is_none() {
                return Ok(found);
            }
        }
    }

    /// The log that a record is pinned to; `None` if it was never seen.
    ///
    /// # Errors
    /// The table's.
    pub async fn log_of(&self, record_key: &str) -> Result<Option<LogId>, StoreError> {
        let asked = self.dynamodb.get_item().table_name(self.table("IndexTable")?).consistent_read(true);
        let asked = asked.set_key(Some(items::key(&format!("INT#{record_key}"), "LOG"))).send().await;
        let asked = asked.map_err(|error| store_error(format!("read the log of {record_key}"), error))?;
        let Some(item) = asked.item else { return Ok(None) };
        let log = LogId::parse(&read_text(&item, "log")?);
        log.map(Some).map_err(|error| StoreError::Corrupt(Failure::caused_by("read a record's log", error)))
    }
}

const BRONZE_ROW: &str = "BRZ#";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn totals_balance_when_every_event_has_one_end() {
        let totals = Totals { input: 10, filtered: 2, duplicate: 1, planned: 7, committed: 5, ..Totals::default() };
        assert!(totals.balance());
        assert_eq!(totals.in_flight(), 2);
        assert!(!Totals { input: 11, ..totals }.balance());
        assert!(!Totals { committed: 8, ..totals }.balance());
    }
}
