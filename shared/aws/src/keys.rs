//! The keys table: identifier → subject, subject state, subject → interaction links.
//!
//! Invariant: no write here is unconditional. Each names the state and generation that it read, so that a subject
//! erased meanwhile stays erased; and no link is written once the subject is marked as shared.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::BuildError;
use aws_sdk_dynamodb::types::{AttributeValue, ConditionCheck, Put, TransactWriteItem, Update};
use ledgerline_custody::subjects::{
    Day, DayCount, FIRST_GENERATION, Growth, Link, LinkWrite, Span, SubjectRef, SubjectState, SubjectWrite, Subjects,
    date_of,
};
use ledgerline_ledger::store::{Failure, StoreError};

use crate::items::{self, Item, number, text};

pub(crate) const ACTIVE: &str = "active";
/// The attribute of a subject that is marked as shared: since when.
pub(crate) const SHARED_AT: &str = "sharedAt";
/// The attribute of a subject whose links are not all: true.
const PSEUDONYM: &str = "pseudonym";
pub(crate) const MISSED: &str = "missed";
// The day that new links are counted into, and how many they are.
const DAY: &str = "day";
const IN_DAY: &str = "inDay";
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
        fills: bool,
        links: &[LinkWrite],
    ) -> Result<Vec<TransactWriteItem>, BuildError> {
        let mut identifier = items::key(&format!("ID#{pseudonym}"), "SUBJECT");
        identifier.insert("subjectId".to_owned(), text(&subject.subject_id));
        identifier.insert("customerRef".to_owned(), text(&subject.customer_ref));
        identifier.insert("createdAt".to_owned(), text(created_at));
        let mut state = items::key(&partition(&subject.subject_id), STATE);
        state.insert("state".to_owned(), text(ACTIVE));
        state.insert("generation".to_owned(), number(FIRST_GENERATION));
        state.insert("customerRef".to_owned(), text(&subject.customer_ref));
        state.insert("links".to_owned(), number(links.len()));
        state.insert(PSEUDONYM.to_owned(), text(pseudonym));
        state.insert(DAY.to_owned(), text(date_of(created_at)));
        state.insert(IN_DAY.to_owned(), number(links.len()));
        if fills {
            state.insert(MISSED.to_owned(), AttributeValue::Bool(true));
        }
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
        growth: Option<&Growth>,
        links: &[LinkWrite],
    ) -> Result<Vec<TransactWriteItem>, BuildError> {
        let mut all = vec![match growth {
            Some(growth) => self.grow(subject_id, generation, links_at_most, growth)?,
            None => {
                let check = ConditionCheck::builder()
                    .table_name(&self.table)
                    .set_key(Some(items::key(&partition(subject_id), STATE)))
                    .condition_expression(OPEN)
                    .expression_attribute_names("#s", "state")
                    .expression_attribute_values(":active", text(ACTIVE))
                    .expression_attribute_values(":g", number(generation))
                    .expression_attribute_values(":most", number(links_at_most));
                TransactWriteItem::builder().condition_check(check.build()?).build()
            }
        }];
        for link in links {
            all.push(self.link(subject_id, link)?);
        }
        Ok(all)
    }

    /// The state row's counts: of all links, and of the day's.
    fn grow(
        &self,
        subject_id: &str,
        generation: u64,
        links_at_most: u64,
        Growth { new, fills, day }: &Growth,
    ) -> Result<TransactWriteItem, BuildError> {
        let update = Update::builder()
            .table_name(&self.table)
            .set_key(Some(items::key(&partition(subject_id), STATE)))
            .expression_attribute_names("#s", "state")
            .expression_attribute_names("#day", DAY)
            .expression_attribute_values(":active", text(ACTIVE))
            .expression_attribute_values(":g", number(generation))
            .expression_attribute_values(":most", number(links_at_most))
            .expression_attribute_values(":new", number(new));
        // DynamoDB refuses a value that no expression names: each is given where it is used.
        let (mut sets, adds, condition, update) = match day {
            DayCount::First { date, before: None } => {
                let update = update.expression_attribute_values(":day", text(date));
                (vec!["#day=:day", "inDay=:new"], "links :new", "attribute_not_exists(#day)", update)
            }
            DayCount::First { date, before: Some(before) } => {
                let update = update.expression_attribute_values(":day", text(date));
                let update = update.expression_attribute_values(":before", text(before));
                (vec!["#day=:day", "inDay=:new"], "links :new", "#day=:before", update)
            }
            DayCount::More { date, at_most: None } => {
                (vec![], "links :new, inDay :new", "#day=:day", update.expression_attribute_values(":day", text(date)))
            }
            DayCount::More { date, at_most: Some(at_most) } => {
                let update = update.expression_attribute_values(":day", text(date));
                let update = update.expression_attribute_values(":few", number(at_most));
                (vec![], "links :new, inDay :new", "#day=:day AND inDay<=:few", update)
            }
        };
        let update = if *fills {
            sets.push("missed=:true");
            update.expression_attribute_values(":true", AttributeValue::Bool(true))
        } else {
            update
        };
        let sets = if sets.is_empty() { String::new() } else { format!("SET {} ", sets.join(", ")) };
        let update = update.update_expression(format!("{sets}ADD {adds}"));
        let update = update.condition_expression(format!("{OPEN} AND {condition}"));
        Ok(TransactWriteItem::builder().update(update.build()?).build())
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
        let states = subjects.iter().map(|subject| (partition(subject), STATE));
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
            SubjectWrite::Create { pseudonym, subject, created_at, fills, links } => {
                (format!("create {}", subject.subject_id), self.create(pseudonym, subject, created_at, *fills, links))
            }
            SubjectWrite::Link { subject_id, generation, links_at_most, growth, links } => {
                let all = self.extend(subject_id, *generation, *links_at_most, growth.as_ref(), links);
                (format!("link {subject_id}"), all)
            }
        };
        let all = built.map_err(|error| StoreError::Unknown(Failure::caused_by(what.as_str(), error)))?;
        let sent = self.client.transact_write_items().set_transact_items(Some(all)).send().await;
        sent.map(drop).map_err(|error| items::transaction_error(&what, error))
    }
}

/// What a link asks of its subject's row.
const OPEN: &str = "#s=:active AND generation=:g AND links<=:most AND attribute_not_exists(sharedAt)";

/// A subject's state row, whatever its state is.
pub(crate) fn state(item: &Item) -> Result<SubjectState, StoreError> {
    let text_of = |name| item.contains_key(name).then(|| items::read_text(item, name)).transpose();
    let day = match text_of(DAY)? {
        Some(date) => Some(Day { date, links: items::read_number(item, IN_DAY)? }),
        None => None,
    };
    Ok(SubjectState {
        active: items::read_text(item, "state")? == ACTIVE,
        generation: items::read_number(item, "generation")?,
        links: items::read_number(item, "links")?,
        shared_at: text_of(SHARED_AT)?,
        missed: matches!(item.get(MISSED), Some(AttributeValue::Bool(true))),
        day,
        pseudonym: text_of(PSEUDONYM)?,
    })
}

/// The link in a row: with all of a span's attributes, or with none of them.
pub(crate) fn link(item: &Item) -> Result<Link, StoreError> {
    if [LOG, FIRST, LAST].iter().all(|name| !item.contains_key(*name)) {
        return Ok(Link { span: None });
    }
    let (first, last) = (items::read_text(item, FIRST)?, items::read_text(item, LAST)?);
    Ok(Link { span: Some(Span { log: items::read_text(item, LOG)?, first, last }) })
}

/// The sort key of a subject's state row.
pub(crate) const STATE: &str = "STATE";

/// The partition of a subject's state and links.
pub(crate) fn partition(subject_id: &str) -> String {
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

    /// A table that no call is made to.
    fn table() -> KeysTable {
        let config = aws_sdk_dynamodb::Config::builder().behavior_version(BehaviorVersion::v2026_01_12()).build();
        KeysTable::new(Client::from_conf(config), "keys")
    }

    /// The put that a write becomes.
    fn put(link: Link, replaces: Option<Link>) -> Put {
        let write = LinkWrite { record: "acme/User/u-1".into(), link, replaces };
        table().link("s_1", &write).unwrap().put.unwrap()
    }

    #[test]
    fn new_links_are_counted_on_an_open_row_and_into_their_day_as_it_was_read() {
        let (date, before) = ("2026-03-02".to_owned(), Some("2026-03-01".to_owned()));
        // The day, whether the links fill the subject, the update, the condition after OPEN, and the values.
        for (day, fills, updates, also, values) in [
            (
                DayCount::First { date: date.clone(), before: None },
                false,
                "SET #day=:day, inDay=:new ADD links :new",
                "attribute_not_exists(#day)",
                vec![":day"],
            ),
            (
                DayCount::First { date: date.clone(), before },
                true,
                "SET #day=:day, inDay=:new, missed=:true ADD links :new",
                "#day=:before",
                vec![":before", ":day", ":true"],
            ),
            (
                DayCount::More { date: date.clone(), at_most: None },
                false,
                "ADD links :new, inDay :new",
                "#day=:day",
                vec![":day"],
            ),
            (
                DayCount::More { date, at_most: Some(97) },
                true,
                "SET missed=:true ADD links :new, inDay :new",
                "#day=:day AND inDay<=:few",
                vec![":day", ":few", ":true"],
            ),
        ] {
            let growth = Growth { new: 2, fills, day };
            let write = table().extend("s_1", 1, 4_998, Some(&growth), &[]).unwrap().remove(0).update.unwrap();
            assert_eq!((&write.key["pk"], &write.key["sk"]), (&text("SUB#s_1"), &text("STATE")));
            assert_eq!(write.update_expression, updates);
            let condition = write.condition_expression.unwrap();
            assert_eq!(
                condition,
                format!("#s=:active AND generation=:g AND links<=:most AND attribute_not_exists(sharedAt) AND {also}")
            );
            let given = write.expression_attribute_values.unwrap();
            assert_eq!((&given[":most"], &given[":new"], &given[":g"]), (&number(4_998), &number(2), &number(1)));
            let mut named: Vec<&str> = given.keys().map(String::as_str).collect();
            named.retain(|name| ![":active", ":g", ":most", ":new"].contains(name));
            named.sort_unstable();
            assert_eq!(named, values, "a value that no expression names is refused");
        }
        let check = table().extend("s_1", 1, 4_999, None, &[]).unwrap().remove(0).condition_check.unwrap();
        assert_eq!(check.condition_expression, OPEN, "a link is not widened either");
        assert_eq!(check.expression_attribute_values.unwrap().len(), 3);
    }

    #[test]
    fn a_state_row_reads_back_as_it_was_created_and_without_a_day_as_older_ones_are() {
        let subject = SubjectRef { subject_id: "s_1".into(), customer_ref: "c_1".into() };
        let links = [LinkWrite { record: "acme/c-1".into(), link: FILTERED, replaces: None }];
        for fills in [false, true] {
            let all = table().create("p1_x", &subject, "2026-03-02T14:00:00.000Z", fills, &links).unwrap();
            let mut row = all[1].put.clone().unwrap().item;
            let day = Some(Day { date: "2026-03-02".into(), links: 1 });
            let pseudonym = Some("p1_x".to_owned());
            let made = SubjectState { links: 1, missed: fills, day, pseudonym, ..SubjectState::NEW };
            assert_eq!(state(&row).unwrap(), made);
            row.insert(SHARED_AT.to_owned(), text("2026-03-03T09:00:00.000Z"));
            assert_eq!(state(&row).unwrap().shared_at.as_deref(), Some("2026-03-03T09:00:00.000Z"));
            row.remove(IN_DAY);
            assert!(state(&row).is_err());
            row.retain(|name, _| ![DAY, SHARED_AT, MISSED, PSEUDONYM].contains(&name.as_str()));
            assert_eq!(state(&row).unwrap(), SubjectState { links: 1, ..SubjectState::NEW });
            row.insert("state".to_owned(), text("erasing"));
            assert!(!state(&row).unwrap().active);
            for name in ["state", "generation", "links"] {
                let mut row = row.clone();
                row.remove(name);
                assert!(matches!(state(&row), Err(StoreError::Corrupt(_))), "without {name}");
            }
        }
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
