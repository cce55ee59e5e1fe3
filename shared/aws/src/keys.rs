//! The keys table: identifier → subject, subject state, subject → interaction links.
//!
//! Invariant: no write here is unconditional. Each names the state and generation that it read, so that a subject
//! erased meanwhile stays erased.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::BuildError;
use aws_sdk_dynamodb::types::{AttributeValue, ConditionCheck, Put, TransactWriteItem, Update};
use ledgerline_custody::subjects::{
    FIRST_GENERATION, Link, LinkWrite, Span, SubjectRef, SubjectState, SubjectWrite, Subjects,
};
use ledgerline_ledger::store::{Failure, StoreError};

use crate::items::{self, Item, number, text};

const ACTIVE: &str = "active";
/// Where a link's sort key begins; the record follows.
pub(crate) const LINK: &str = "INT#";
// A span's attributes.
const LOG: &str = "log";
const FIRST: &str = "first";
const LAST: &str = "last";

/// The keys table.
#[derive(Clone, Debug)]
pub struct KeysTable {
    client: Client,
    table: String,
}

impl KeysTable {
    /// The table named `table`.
    pub fn new(client: Client, table: impl Into<String>) -> Self {
        Self { client, table: table.into() }
    }

    /// An identifier row that must not exist, a state row that must not exist, and the links.
    fn create(
        &self,
        pseudonym: &str,
        subject: &SubjectRef,
        created_at: &str,
        links: &[LinkWrite],
    ) -> Result<Vec<TransactWriteItem>, BuildError> {
        let mut identifier = items::key(&format!("ID#{pseudonym}"), "SUBJECT");
        identifier.insert("subjectId".to_owned(), text(&subject.subject_id));
        identifier.insert("customerRef".to_owned(), text(&subject.customer_ref));
        identifier.insert("createdAt".to_owned(), text(created_at));
        let mut state = items::key(&partition(&subject.subject_id), "STATE");
        state.insert("state".to_owned(), text(ACTIVE));
        state.insert("generation".to_owned(), number(FIRST_GENERATION));
        state.insert("customerRef".to_owned(), text(&subject.customer_ref));
        state.insert("links".to_owned(), number(links.len()));
        state.insert("pseudonym".to_owned(), text(pseudonym));
        let mut all = vec![self.put_new(identifier)?, self.put_new(state)?];
        for link in links {
            all.push(self.link(&subject.subject_id, link)?);
        }
        Ok(all)
    }

    /// The state row, as read and with room (counted up by the new links), and the links.
    fn extend(
        &self,
        subject_id: &str,
        generation: u64,
        links_at_most: u64,
        links: &[LinkWrite],
    ) -> Result<Vec<TransactWriteItem>, BuildError> {
        let new = links.iter().filter(|link| link.replaces.is_none()).count();
        let state_key = items::key(&partition(subject_id), "STATE");
        let state = if new == 0 {
            let check = ConditionCheck::builder()
                .table_name(&self.table)
                .set_key(Some(state_key))
                .condition_expression("#s=:active AND generation=:g")
                .expression_attribute_names("#s", "state")
                .expression_attribute_values(":active", text(ACTIVE))
                .expression_attribute_values(":g", number(generation));
            TransactWriteItem::builder().condition_check(check.build()?).build()
        } else {
            let update = Update::builder()
                .table_name(&self.table)
                .set_key(Some(state_key))
                .update_expression("ADD links :new")
                .condition_expression("#s=:active AND generation=:g AND links<=:most")
                .expression_attribute_names("#s", "state")
                .expression_attribute_values(":active", text(ACTIVE))
                .expression_attribute_values(":g", number(generation))
                .expression_attribute_values(":most", number(links_at_most))
                .expression_attribute_values(":new", number(new));
            TransactWriteItem::builder().update(update.build()?).build()
        };
        let mut all = vec![state];
        for link in links {
            all.push(self.link(subject_id, link)?);
        }
        Ok(all)
    }

    fn link(&self, subject_id: &str, write: &LinkWrite) -> Result<TransactWriteItem, BuildError> {
        let mut item = items::key(&partition(subject_id), &format!("{LINK}{}", write.record));
        if let Some(Span { log, first, last }) = &write.link.span {
            item.extend([(LOG, log), (FIRST, first), (LAST, last)].map(|(name, value)| (name.to_owned(), text(value))));
        }
        let Some(old) = &write.replaces else { return self.put_new(item) };
        let put = Put::builder().table_name(&self.table).set_item(Some(item));
        let put = match &old.span {
            None => put
                .condition_expression("attribute_exists(pk) AND attribute_not_exists(#f)")
                .expression_attribute_names("#f", FIRST),
            Some(old) => put
                .condition_expression("#f=:f AND #l=:l")
                .expression_attribute_names("#f", FIRST)
                .expression_attribute_names("#l", LAST)
                .expression_attribute_values(":f", text(&old.first))
                .expression_attribute_values(":l", text(&old.last)),
        };
        Ok(TransactWriteItem::builder().put(put.build()?).build())
    }

    fn put_new(&self, item: Item) -> Result<TransactWriteItem, BuildError> {
        let put = Put::builder()
            .table_name(&self.table)
            .set_item(Some(item))
            .condition_expression("attribute_not_exists(pk)")
            .build()?;
        Ok(TransactWriteItem::builder().put(put).build())
    }
}

impl Subjects for KeysTable {
    async fn identifiers(&self, pseudonyms: &[&str]) -> Result<Vec<Option<SubjectRef>>, StoreError> {
        let keys: Vec<(String, &str)> = pseudonyms.iter().map(|name| (format!("ID#{name}"), "SUBJECT")).collect();
        let rows = items::batch_get(&self.client, &self.table, "read identifiers", &keys).await?;
        rows.iter()
            .map(|row| {
                let Some(item) = row else { return Ok(None) };
                let subject_id = items::read_text(item, "subjectId")?;
                Ok(Some(SubjectRef { subject_id, customer_ref: items::read_text(item, "customerRef")? }))
            })
            .collect()
    }

    async fn read(
        &self,
        subjects: &[&str],
        links: &[(&str, &str)],
    ) -> Result<(Vec<Option<SubjectState>>, Vec<Option<Link>>), StoreError> {
        let link_rows: Vec<String> = links.iter().map(|(_, record)| format!("{LINK}{record}")).collect();
        let states = subjects.iter().map(|subject| (partition(subject), "STATE"));
        let all: Vec<(String, &str)> = states
            .chain(links.iter().zip(&link_rows).map(|((subject, _), row)| (partition(subject), row.as_str())))
            .collect();
        let rows = items::batch_get(&self.client, &self.table, "read subjects and links", &all).await?;
        let (states, links) = rows.split_at(subjects.len());
        let states = states.iter().map(|row| row.as_ref().map(state).transpose()).collect::<Result<_, _>>()?;
        let links = links.iter().map(|row| row.as_ref().map(link).transpose()).collect::<Result<_, _>>()?;
        Ok((states, links))
    }

    async fn write(&self, write: &SubjectWrite<'_>) -> Result<(), StoreError> {
        let (what, built) = match write {
            SubjectWrite::Create { pseudonym, subject, created_at, links } => {
                (format!("create {}", subject.subject_id), self.create(pseudonym, subject, created_at, links))
            }
            SubjectWrite::Link { subject_id, generation, links_at_most, links } => {
                (format!("link {subject_id}"), self.extend(subject_id, *generation, *links_at_most, links))
            }
        };
        let all = built.map_err(|error| StoreError::Unknown(Failure::caused_by(what.as_str(), error)))?;
        let sent = self.client.transact_write_items().set_transact_items(Some(all)).send().await;
        sent.map(drop).map_err(|error| items::transaction_error(&what, error))
    }
}

fn state(item: &Item) -> Result<SubjectState, StoreError> {
    let active = matches!(item.get("state"), Some(AttributeValue::S(state)) if state == ACTIVE);
    let generation = items::read_number(item, "generation")?;
    Ok(SubjectState { active, generation, links: items::read_number(item, "links")? })
}

/// The link in a row: with all of a span's attributes, or with none of them.
pub(crate) fn link(item: &Item) -> Result<Link, StoreError> {
    if [LOG, FIRST, LAST].iter().all(|name| !item.contains_key(*name)) {
        return Ok(Link { span: None });
    }
    let (first, last) = (items::read_text(item, FIRST)?, items::read_text(item, LAST)?);
    Ok(Link { span: Some(Span { log: items::read_text(item, LOG)?, first, last }) })
}

fn partition(subject_id: &str) -> String {
    format!("SUB#{subject_id}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_dynamodb::config::BehaviorVersion;

    const FILTERED: Link = Link { span: None };

    fn spanned(first: &str, last: &str) -> Link {
        Link { span: Some(Span { log: "acme/interaction/1/0".into(), first: first.into(), last: last.into() }) }
    }

    /// The put that a write becomes: no call is made.
    fn put(link: Link, replaces: Option<Link>) -> Put {
        let config = aws_sdk_dynamodb::Config::builder().behavior_version(BehaviorVersion::v2026_01_12()).build();
        let table = KeysTable::new(Client::from_conf(config), "keys");
        let write = LinkWrite { record: "acme/User/u-1".into(), link, replaces };
        table.link("s_1", &write).unwrap().put.unwrap()
    }

    #[test]
    fn a_links_row_has_all_of_its_span_or_nothing_of_it() {
        for stored in [FILTERED, spanned("a", "b")] {
            let item = put(stored.clone(), None).item;
            assert_eq!((&item["pk"], &item["sk"]), (&text("SUB#s_1"), &text("INT#acme/User/u-1")));
            assert_eq!(item.len(), if stored == FILTERED { 2 } else { 5 });
            assert_eq!(link(&item).unwrap(), stored);
        }
        for missing in [LOG, FIRST, LAST] {
            let mut item = put(spanned("a", "b"), None).item;
            item.remove(missing);
            assert!(matches!(link(&item), Err(StoreError::Corrupt(_))), "without {missing}");
            let only = Item::from([(missing.to_owned(), text("a"))]);
            assert!(matches!(link(&only), Err(StoreError::Corrupt(_))), "{missing} alone");
        }
    }

    #[test]
    fn a_link_is_replaced_only_as_it_was_read() {
        let condition = |put: &Put| put.condition_expression.clone().unwrap();
        let new = put(FILTERED, None);
        assert_eq!((condition(&new).as_str(), &new.expression_attribute_values), ("attribute_not_exists(pk)", &None));
        let first = put(spanned("a", "b"), Some(FILTERED));
        assert_eq!(condition(&first), "attribute_exists(pk) AND attribute_not_exists(#f)");
        assert_eq!(first.expression_attribute_names.unwrap()["#f"], FIRST);
        assert_eq!(first.expression_attribute_values, None, "a value that no condition names is refused");
        let wider = put(spanned("a", "c"), Some(spanned("a", "b")));
        assert_eq!(condition(&wider), "#f=:f AND #l=:l");
        let values = wider.expression_attribute_values.unwrap();
        assert_eq!((&values[":f"], &values[":l"]), (&text("a"), &text("b")));
    }
}
