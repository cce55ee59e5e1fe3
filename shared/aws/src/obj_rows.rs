//! The bronze objects' rows in the control table, as transform writes them.
//!
//! Acts of the ledger's own have such rows, too, and a note by the hour, since no object in bronze tells of them.
//!
//! Both transform and audit-write update the row, in either order; neither touches the other's attributes.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue};
use ledgerline_custody::acts::{ACT_HOUR_CHARS, NoteAct};
use ledgerline_event::instant;
use ledgerline_lake::ObjectId;
use ledgerline_lake::object_row::{ObjectRows, Opened};
use ledgerline_lake::plan::Header;
use ledgerline_ledger::store::StoreError;

use crate::config::store_error;
use crate::items::{self, number, text};

const PLANNED: &str = "planned";

/// The rows of bronze objects.
#[derive(Clone, Debug)]
pub struct ObjectRowTable {
    client: Client,
    table: String,
}

impl ObjectRowTable {
    /// Rows in the control table named `table`.
    pub fn new(client: Client, table: impl Into<String>) -> Self {
        Self { client, table: table.into() }
    }
}

impl ObjectRows for ObjectRowTable {
    async fn open(&self, object: ObjectId, key: &str, now: &str) -> Result<Opened, StoreError> {
        let what = format!("open the row of object {object}");
        let answer = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(items::key(&format!("OBJ#{object}"), "OBJ")))
            .update_expression("SET #key=if_not_exists(#key,:key), #started=if_not_exists(#started,:now)")
            .expression_attribute_names("#key", "key")
            .expression_attribute_names("#started", "startedAt")
            .expression_attribute_values(":key", text(key))
            .expression_attribute_values(":now", text(now))
            .return_values(ReturnValue::AllOld)
            .send()
            .await
            .map_err(|error| store_error(what, error))?;
        let old = answer.attributes.filter(|item| !item.is_empty());
        let again = old.is_some();
        let old = old.unwrap_or_default();
        let planned = matches!(old.get("status"), Some(AttributeValue::S(status)) if status == PLANNED);
        let started_at = items::read_text(&old, "startedAt").unwrap_or_else(|_| now.to_owned());
        Ok(Opened { started_at, again, planned })
    }

    async fn planned(&self, plan: &Header, now: &str) -> Result<(), StoreError> {
        let what = format!("mark object {} planned", plan.object);
        let counts = plan.counts;
        let numbers = [
            ("in", counts.input),
            ("filtered", counts.filtered),
            ("duplicate", counts.duplicate),
            ("quarantined", counts.quarantined),
            ("planned", counts.planned),
            ("chunks", plan.chunks.len() as u64),
        ];
        let mut expression = String::from("SET #key=:key, #status=:status, #at=if_not_exists(#at,:at)");
        let mut update = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(items::key(&format!("OBJ#{}", plan.object), "OBJ")))
            .expression_attribute_names("#key", "key")
            .expression_attribute_names("#status", "status")
            .expression_attribute_names("#at", "plannedAt")
            .expression_attribute_values(":key", text(&plan.key))
            .expression_attribute_values(":status", text(PLANNED))
            .expression_attribute_values(":at", text(now));
        for (name, value) in numbers {
            // Several of these names are reserved words, so all go by a placeholder.
            expression.push_str(&format!(", #{name}=:{name}"));
            update = update
                .expression_attribute_names(format!("#{name}"), name)
                .expression_attribute_values(format!(":{name}"), number(value));
        }
        let sent = update.update_expression(expression).send().await;
        sent.map(drop).map_err(|error| store_error(what, error))
    }
}

impl NoteAct for ObjectRowTable {
    async fn note(&self, object: ObjectId, key: &str, now: &str) -> Result<(), StoreError> {
        let hour = now.get(..ACT_HOUR_CHARS).unwrap_or(now);
        let expires_s = instant::parse(now).unwrap_or_default() / 1000 + NOTE_KEPT_S;
        let update = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(items::key(&act_partition(hour), &object.to_hex())))
            .update_expression("SET #key=:key, #at=:at, #ttl=:ttl")
            .expression_attribute_names("#key", "key")
            .expression_attribute_names("#at", NOTED_AT)
            .expression_attribute_names("#ttl", "ttl")
            .expression_attribute_values(":key", text(key))
            .expression_attribute_values(":at", text(now))
            .expression_attribute_values(":ttl", number(u64::try_from(expires_s).unwrap_or_default()));
        update.send().await.map(drop).map_err(|error| store_error(format!("note {key}"), error))
    }
}

/// The partition of the acts that were noted in an hour.
pub(crate) fn act_partition(hour: &str) -> String {
    format!("ACTS#{hour}")
}

/// When an act was noted.
pub(crate) const NOTED_AT: &str = "at";
/// A fortnight: longer than anybody looks for an act.
const NOTE_KEPT_S: i64 = 14 * 24 * 60 * 60;
