//! The keys table, strict: an identifier has one subject, a link only widens, and nothing is written for a subject that
//! is not active, or is shared. Of two transactions on one subject at once the later one fails, as in the real table.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use ledgerline_custody::subjects::{
    Day, DayCount, FIRST_GENERATION, Link, LinkWrite, Span, SubjectRef, SubjectState, SubjectWrite, Subjects, date_of,
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
    /// What transactions under way hold: a pseudonym, or a subject id.
    held: Arc<Mutex<BTreeSet<String>>>,
    refused: Arc<AtomicUsize>,
}

impl FakeKeys {
    /// An empty table.
    pub fn new(faults: Faults, calls: Calls) -> Self {
        Self { table: Table::new(faults, calls), ..Self::default() }
    }

    /// Lets the next `times` writes fail as if another transaction held their items.
    pub fn clash(&self, times: usize) {
        self.clashes.store(times, Ordering::SeqCst);
    }

    /// Sets a subject's state, as an erasure would.
    pub fn set_state(&self, subject_id: &str, state: &str) -> impl Future<Output = Result<(), StoreError>> {
        let state = json!(state);
        self.change(subject_id, move |row| drop(row.insert("state".into(), state)))
    }

    /// Marks a subject as shared, as an operator does.
    pub fn share(&self, subject_id: &str, at: &str) -> impl Future<Output = Result<(), StoreError>> {
        let at = json!(at);
        self.change(subject_id, move |row| row.extend([("sharedAt".into(), at), ("missed".into(), json!(true))]))
    }

    /// Takes the mark away: what was missed stays so.
    pub fn unshare(&self, subject_id: &str) -> impl Future<Output = Result<(), StoreError>> {
        self.change(subject_id, |row| drop(row.remove("sharedAt")))
    }

    fn change(&self, subject_id: &str, change: impl FnOnce(&mut Item)) -> impl Future<Output = Result<(), StoreError>> {
        let (at, table) = (key(format!("SUB#{subject_id}"), "STATE"), self.table.clone());
        async move {
            let changed = |items: &mut Items| {
                change(items.entry(at).or_default());
                Ok(())
            };
            table.write("test:ChangeSubject", changed).await
        }
    }

    /// A subject's state, as it is now; no call of the product's.
    pub fn state(&self, subject_id: &str) -> Option<SubjectState> {
        self.table.peek(&key(format!("SUB#{subject_id}"), "STATE")).as_ref().map(state)
    }

    /// How many transactions failed on a condition, or since another one held their item.
    pub fn refused(&self) -> usize {
        self.refused.load(Ordering::SeqCst)
    }

    fn holding<T>(&self, look: impl FnOnce(&mut BTreeSet<String>) -> T) -> T {
        look(&mut self.held.lock().unwrap_or_else(PoisonError::into_inner))
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
        let item = match write {
            SubjectWrite::Create { pseudonym, .. } => pseudonym,
            SubjectWrite::Link { subject_id, .. } => subject_id,
        };
        if !self.holding(|held| held.insert((*item).to_owned())) {
            self.refused.fetch_add(1, Ordering::SeqCst);
            return Err(condition_failed("another transaction holds the item"));
        }
        let written = self.table.write("dynamodb:TransactWriteItems", |items| apply(items, write)).await;
        self.holding(|held| held.remove(*item));
        self.refused.fetch_add(usize::from(matches!(written, Err(StoreError::Conflict(_)))), Ordering::SeqCst);
        written
    }
}

fn apply(items: &mut Items, write: &SubjectWrite<'_>) -> Result<(), StoreError> {
    match write {
        SubjectWrite::Create { pseudonym, subject, created_at, fills, links } => {
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
            state.extend([("day".into(), json!(date_of(created_at))), ("inDay".into(), json!(links.len()))]);
            if *fills {
                state.insert("missed".into(), json!(true));
            }
            put(items, state_key, state);
            put_links(items, &subject.subject_id, links);
        }
        SubjectWrite::Link { subject_id, generation, links_at_most, growth, links } => {
            assert!((1..ITEMS_PER_TRANSACTION).contains(&links.len()));
            let state_key = key(format!("SUB#{subject_id}"), "STATE");
            let Some(row) = items.get(&state_key) else { return Err(condition_failed("no such subject")) };
            let (now, new) = (state(row), links.iter().filter(|link| link.replaces.is_none()).count() as u64);
            assert_eq!(growth.as_ref().map_or(0, |growth| growth.new), new, "new links are counted");
            let good = now.active && now.generation == *generation && now.links <= *links_at_most;
            if !good || now.shared_at.is_some() {
                return Err(condition_failed("subject state"));
            }
            let day = growth.as_ref().map(|growth| counted(now.day.as_ref(), &growth.day, new)).transpose()?;
            for write in links {
                let stored = items.get(&key(format!("SUB#{subject_id}"), format!("INT#{}", write.record)));
                if stored.map(link).transpose()? != write.replaces {
                    return Err(condition_failed("link changed"));
                }
            }
            let row = items.entry(state_key).or_default();
            row.insert("links".into(), json!(now.links + new));
            if let Some(Day { date, links }) = day {
                row.extend([("day".into(), json!(date)), ("inDay".into(), json!(links))]);
            }
            if growth.as_ref().is_some_and(|growth| growth.fills) {
                row.insert("missed".into(), json!(true));
            }
            put_links(items, subject_id, links);
        }
    }
    Ok(())
}

/// The day as it will be, if it stands as the write says.
fn counted(now: Option<&Day>, count: &DayCount, new: u64) -> Result<Day, StoreError> {
    let before = match count {
        DayCount::First { before, .. } => (before.as_deref() == now.map(|day| day.date.as_str())).then_some(0),
        DayCount::More { date, at_most } => {
            let same = now.filter(|day| day.date == *date).map(|day| day.links);
            same.filter(|links| at_most.is_none_or(|most| *links <= most))
        }
    };
    let (DayCount::First { date, .. } | DayCount::More { date, .. }) = count;
    let before = before.ok_or_else(|| condition_failed("the day's count"))?;
    Ok(Day { date: date.clone(), links: before + new })
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
    let text = |name: &str| item.get(name).and_then(Value::as_str).map(str::to_owned);
    SubjectState {
        active: text("state").as_deref() == Some("active"),
        generation: number("generation"),
        links: number("links"),
        shared_at: text("sharedAt"),
        missed: item.get("missed") == Some(&json!(true)),
        day: text("day").map(|date| Day { date, links: number("inDay") }),
        pseudonym: text("pseudonym"),
    }
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
