//! How far bronze is planned: one row of the control table.

use ledgerline_custody::planned::{KeepPlanned, ROW, ReadPlanned, THROUGH, read_through};
use ledgerline_event::instant;
use ledgerline_ledger::store::StoreError;

use crate::config::store_error;
use crate::control::ControlTable;
use crate::items::{self, text};

impl ReadPlanned for ControlTable {
    async fn planned_through(&self) -> Result<Option<i64>, StoreError> {
        let get = self.client.get_item().table_name(&self.table).set_key(Some(items::key(ROW.0, ROW.1)));
        let answer = get.consistent_read(true).send().await;
        let row = answer.map_err(|error| store_error("read how far bronze is planned", error))?.item;
        let through =
            |row: items::Item| read_through(row.get(THROUGH).and_then(|value| value.as_s().ok()).map(String::as_str));
        row.map(through).transpose()
    }
}

impl KeepPlanned for ControlTable {
    async fn keep_planned_through(&self, through_ms: i64, before: Option<i64>) -> Result<(), StoreError> {
        let update = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(items::key(ROW.0, ROW.1)))
            .update_expression("SET #through=:through")
            .expression_attribute_names("#through", THROUGH)
            .expression_attribute_values(":through", text(instant::to_rfc3339(through_ms)));
        let update = match before {
            None => update.condition_expression("attribute_not_exists(#through)"),
            Some(before) => update
                .condition_expression("#through=:before")
                .expression_attribute_values(":before", text(instant::to_rfc3339(before))),
        };
        let sent = update.send().await;
        sent.map(drop).map_err(|error| store_error("note how far bronze is planned", error))
    }
}
