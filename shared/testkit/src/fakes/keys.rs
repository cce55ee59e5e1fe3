//! The keys table, strict: an identifier has one subject, a link only widens, and nothing is written for a subject that
//! is not active.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use ledgerline_custody::subjects::{
    FIRST_GENERATION, Link, LinkWrite, Span, SubjectRef, SubjectState, SubjectWrite, Subjects,
};
use ledgerline_ledger::store::{Failure, StoreError};
use serde_json::{Value, json};

use crate::fakes::calls::Calls;
use crate::fakes::table::{ITEMS_PER_TRANSACTION, Item, Items, Table, condition_failed, key, put};
use crate::faults::Faults;

/// Identifiers, subjects and links in memory.
#[derive(Clone, Debug, Default)]
pub struct FakeKeys {
    /// The table below, for looking at it.
    pub table: Table,
    clashes: Arc<AtomicUsize>,
}

impl FakeKeys {
    /// An empty table.
    pub fn new(faults: Faults, calls: Calls) -> Self {
        Self { table: Table::new(faults, calls), clashes: Arc::default() }
    }

    /// Lets the next `times` writes fail as if another transaction held their items.
    pub fn clash(&self, times: usize) {
        self.clashes.store(times, Ordering::SeqCst);
    }

    /// Sets a subject's state, as an erasure would.
    pub fn set_state(&self, subject_id: &str, state: &str) -> impl Future<Output = Result<(), StoreError>> {
        let (at, state) = (key(format!("SUB#{subject_id}"), "STATE"), state.to_owned());
        let table = self.table.clone();
        async move {
            let set = |items: &mut Items| {
                items.entry(at).or_default().insert("state".into(), json!(state));
                Ok(())
            };
            table.write("test:SetState", set).await
        }
    }
}

impl Subjects for FakeKeys {
    async fn identifiers(&self, pseudonyms: &[&str]) -> Result<Vec<Option<SubjectRef>>, StoreError> {
        let keys: Vec<_> = pseudonyms.iter().map(|name| key(format!("ID#{name}"), "SUBJECT")).collect();
        let named =
            |item: Item| SubjectRef { subject_id: text(&item["subjectId"]), customer_ref: text(&item["customerRef"]) };
        Ok(self.table.batch_get(&keys).await?.into_iter().map(|row| row.map(named)).collect())
    }

    async fn read(
        &self,
        subjects: &[&str],
        links: &[(&str, &str)],
    ) -> Result<(Vec<Option<SubjectState>>, Vec<Option<Link>>), StoreError> {
        let states = subjects.iter().map(|subject| key(format!("SUB#{subject}"), "STATE"));
        let links = links.iter().map(|(subject, record)| key(format!("SUB#{subject}"), format!("INT#{record}")));
        let mut rows = self.table.batch_get(&states.chain(links).collect::<Vec<_>>()).await?;
        let links = rows.split_off(subjects.len());
        Ok((
            rows.into_iter().map(|row| row.as_ref().map(state)).collect(),
            links.into_iter().map(|row| row.as_ref().map(link).transpose()).collect::<Result<_, _>>()?,
        ))
    }

    async fn write(&self, write: &SubjectWrite<'_>) -> Result<(), StoreError> {
        let clash = self.clashes.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        if clash.is_ok() {
            return Err(condition_failed("transaction conflict (injected)"));
        }
        self.table.write("dynamodb:TransactWriteItems", |items| apply(items, write)).await
    }
}

fn apply(items: &mut Items, write: &SubjectWrite<'_>) -> Result<(), StoreError> {
    match write {
        SubjectWrite::Create { pseudonym, subject, created_at, links } => {
            assert!(links.len() + 2 <= ITEMS_PER_TRANSACTION);
            assert!(links.iter().all(|link| link.replaces.is_none()), "a new subject has no links to replace");
            let identifier = key(format!("ID#{pseudonym}"), "SUBJECT");
            if items.contains_key(&identifier) {
                return Err(condition_failed("identifier exists"));
            }
            let state_key = key(format!("SUB#{}", subject.subject_id), "STATE");
            assert!(!items.contains_key(&state_key), "two subjects share an id: the random source repeats");
            let mut row = Item::from([("subjectId".into(), json!(subject.subject_id))]);
            row.insert("customerRef".into(), json!(subject.customer_ref));
            row.insert("createdAt".into(), json!(created_at));
            put(items, identifier, row);
            let mut state = Item::from([("state".into(), json!("active")), ("links".into(), json!(links.len()))]);
            state.insert("generation".into(), json!(FIRST_GENERATION));
            state.insert("customerRef".into(), json!(subject.customer_ref));
            state.insert("pseudonym".into(), json!(pseudonym));
            put(items, state_key, state);
            put_links(items, &subject.subject_id, links);
        }
        SubjectWrite::Link { subject_id, generation, links_at_most, links } => {
            assert!((1..ITEMS_PER_TRANSACTION).contains(&links.len()));
            let state_key = key(format!("SUB#{subject_id}"), "STATE");
            let Some(row) = items.get(&state_key) else { return Err(condition_failed("no such subject")) };
            let (now, new) = (state(row), links.iter().filter(|link| link.replaces.is_none()).count() as u64);
            let room = new == 0 || now.links <= *links_at_most;
            if !now.active || now.generation != *generation || !room {
                return Err(condition_failed("subject state"));
            }
            for write in links {
                let stored = items.get(&key(format!("SUB#{subject_id}"), format!("INT#{}", write.record)));
                if stored.map(link).transpose()? != write.replaces {
                    return Err(condition_failed("link changed"));
                }
            }
            items.entry(state_key).or_default().insert("links".into(), json!(now.links + new));
            put_links(items, subject_id, links);
        }
    }
    Ok(())
}

fn put_links(items: &mut Items, subject_id: &str, links: &[LinkWrite]) {
    for LinkWrite { record, link, replaces } in links {
        if let Some(old) = replaces {
            assert_ne!(link, old, "a link is written in vain");
            assert!(link.span.is_some(), "a link may only widen");
        }
        if let (Some(old), Some(new)) = (replaces.as_ref().and_then(|old| old.span.as_ref()), &link.span) {
            assert!(new.first <= old.first && old.last <= new.last, "a link may only widen");
            assert_eq!(new.log, old.log, "a link's log never changes");
        }
        let item = link.span.iter().flat_map(|Span { log, first, last }| {
            [("log", log), ("first", first), ("last", last)].map(|(name, value)| (name.to_owned(), json!(value)))
        });
        put(items, key(format!("SUB#{subject_id}"), format!("INT#{record}")), item.collect());
    }
}

fn state(item: &Item) -> SubjectState {
    let number = |name: &str| item.get(name).and_then(Value::as_u64).unwrap_or_default();
    let active = item.get("state").and_then(Value::as_str) == Some("active");
    SubjectState { active, generation: number("generation"), links: number("links") }
}

/// A link's row has all of a span or nothing of it, as the real table's reader asks.
fn link(item: &Item) -> Result<Link, StoreError> {
    let part = |name: &str| item.get(name).and_then(Value::as_str).map(str::to_owned);
    match (part("log"), part("first"), part("last")) {
        (Some(log), Some(first), Some(last)) => Ok(Link { span: Some(Span { log, first, last }) }),
        (None, None, None) => Ok(Link { span: None }),
        _ => Err(StoreError::Corrupt(Failure::new("a link has a part of a span"))),
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
