//! Subjects as an operator sees them, and the mark of shared ones.
//!
//! Invariant: nothing here makes a subject or a key. A mark is changed only on a subject that is active in the generation
//! that was read; `missed` is set with the mark and never taken away, since what came meanwhile stays unlinked.

use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue};
use ledgerline_custody::access::FindSubjects as _;
use ledgerline_custody::query::Who;
use ledgerline_custody::subjects::SubjectState;
use ledgerline_ledger::store::StoreError;

use super::Operator;
use crate::config::store_error;
use crate::items::{self, number, text};
use crate::keys::{self, ACTIVE, MISSED, SHARED_AT, STATE};
use crate::reads::KeysReader;

impl Operator {
    /// The ids of the subjects that `who` names, sorted, each once. Identifiers are looked up under all versions of the
    /// pseudonym key.
    ///
    /// # Errors
    /// The tables' or KMS's.
    pub async fn subjects_named(&self, who: &Who) -> Result<Vec<String>, StoreError> {
        let ring = match who {
            Who::Subject(_) | Who::Pseudonym(_) => None,
            Who::Identifiers(_) => self.key_ring().await?,
        };
        let names = who.names(ring.as_ref());
        let pseudonyms: Vec<&str> = names.pseudonyms.iter().map(|one| one.as_str()).collect();
        let mut subjects = names.subjects;
        subjects.extend(self.keys_reader()?.subjects_of(&pseudonyms).await?.into_iter().flatten());
        subjects.sort();
        subjects.dedup();
        Ok(subjects)
    }

    /// A subject's state; `None` if there is no such subject.
    ///
    /// # Errors
    /// The table's.
    pub async fn subject_state(&self, subject: &str) -> Result<Option<SubjectState>, StoreError> {
        Ok(self.keys_reader()?.states(&[subject]).await?.into_iter().next().flatten())
    }

    /// Marks a subject as shared since `now`, or as not shared any more if there is none; returns its state before. A
    /// subject that is marked already keeps its time.
    ///
    /// # Errors
    /// `Conflict` if it is not active in this generation; whatever else the table reports.
    pub async fn mark_shared(
        &self,
        subject: &str,
        generation: u64,
        now: Option<&str>,
    ) -> Result<SubjectState, StoreError> {
        let update = self.dynamodb.update_item().table_name(self.table("KeysTable")?);
        let update = mark(update, subject, generation, now).send().await;
        let update = update.map_err(|error| store_error(format!("mark {subject}"), error))?;
        keys::state(&update.attributes.unwrap_or_default())
    }

    /// The keys table, for looking subjects up.
    ///
    /// # Errors
    /// `Denied` if the stack file does not name it.
    pub fn keys_reader(&self) -> Result<KeysReader, StoreError> {
        Ok(KeysReader::new(self.dynamodb.clone(), self.table("KeysTable")?))
    }
}

fn mark(update: UpdateItemFluentBuilder, subject: &str, generation: u64, now: Option<&str>) -> UpdateItemFluentBuilder {
    let update = update
        .set_key(Some(items::key(&keys::partition(subject), STATE)))
        .condition_expression("#s=:active AND generation=:g")
        .expression_attribute_names("#s", "state")
        .expression_attribute_names("#at", SHARED_AT)
        .expression_attribute_values(":active", text(ACTIVE))
        .expression_attribute_values(":g", number(generation))
        .return_values(ReturnValue::AllOld);
    match now {
        None => update.update_expression("REMOVE #at"),
        Some(now) => update
            .update_expression("SET #at = if_not_exists(#at, :now), #missed = :true")
            .expression_attribute_names("#missed", MISSED)
            .expression_attribute_values(":now", text(now))
            .expression_attribute_values(":true", AttributeValue::Bool(true)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_dynamodb::Client;
    use aws_sdk_dynamodb::config::BehaviorVersion;

    #[test]
    fn a_mark_is_set_once_with_what_it_makes_one_miss_and_taking_it_away_leaves_that() {
        let config = aws_sdk_dynamodb::Config::builder().behavior_version(BehaviorVersion::v2026_01_12()).build();
        let client = Client::from_conf(config);
        for (now, change, values) in [
            (Some("2026-03-02T14:00:00.000Z"), "SET #at = if_not_exists(#at, :now), #missed = :true", 4),
            (None, "REMOVE #at", 2),
        ] {
            let update = mark(client.update_item(), "s_1", 3, now);
            assert_eq!(update.get_key().as_ref().unwrap()["pk"], text("SUB#s_1"));
            assert_eq!(update.get_key().as_ref().unwrap()["sk"], text("STATE"));
            assert_eq!(update.get_update_expression().as_deref(), Some(change));
            let condition = update.get_condition_expression().as_deref();
            assert_eq!(condition, Some("#s=:active AND generation=:g"), "never made, never for an erased one");
            let given = update.get_expression_attribute_values().as_ref().unwrap();
            assert_eq!((given.len(), &given[":g"]), (values, &number(3)), "a value that nothing names is refused");
            let named = update.get_expression_attribute_names().as_ref().unwrap();
            assert_eq!((named["#at"].as_str(), named.contains_key("#missed")), ("sharedAt", now.is_some()));
        }
    }
}
