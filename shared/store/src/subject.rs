//! Subjects in the keys table: identifier → subject, the subject's state, subject → records.
//!
//! Invariant: an identifier has at most one subject in each org, a subject at most one link per record of its org, and no
//! link is written unless the subject is active in the generation that was read and not marked as shared: a warm function
//! cannot bring an erased subject back. With a new link the subject takes part in the record ([`party`]). Links only widen.
//! Two orgs never have one subject: what names a customer to the one may name another customer, or nobody, to the other.

use std::sync::Arc;

use ledgerline_ledger::store::StoreError;
use ledgerline_privacy::Kind;
use serde::{Deserialize, Serialize};

use crate::party::{self, PartySeen};
use crate::table::{
    Beside, Change, Condition, IntoValue as _, Key, Query, Returning, Row, Table, Write, corrupt, read_row, to_row,
};

/// The key of an identifier's row in an org.
pub fn identifier_key(org: &str, pseudonym: &str) -> Key {
    Key::new(format!("{IDENTIFIER}{org}/{pseudonym}"), SUBJECT_OF)
}

/// The key of a subject's state.
pub fn state_key(subject_id: &str) -> Key {
    Key::new(partition(subject_id), STATE)
}

/// The key of a subject's link to a record.
pub fn link_key(subject_id: &str, record: &str) -> Key {
    Key::new(partition(subject_id), format!("{LINK}{record}"))
}

/// The org and the pseudonym whose row a key is of.
pub fn parse_identifier_key(key: &Key) -> Option<(&str, &str)> {
    key.pk.strip_prefix(IDENTIFIER).filter(|_| key.sk == SUBJECT_OF)?.split_once('/')
}

/// The subject whose state a key is of.
pub fn parse_state_key(key: &Key) -> Option<&str> {
    key.pk.strip_prefix(SUBJECT).filter(|_| key.sk == STATE)
}

/// The subject and the record whose link a key is of.
pub fn parse_link_key(key: &Key) -> Option<(&str, &str)> {
    Some((key.pk.strip_prefix(SUBJECT)?, key.sk.strip_prefix(LINK)?))
}

/// Links written by one transaction. It may hold 100 items: 40 links, the rows of their 40 records, the identifier row, the state row,
/// and 18 tombstones: those of six versions of the pseudonym key under three of the suppression key.
pub const LINKS_PER_WRITE: usize = 40;

/// Links of the transaction that makes a subject: fewer, where there are more rows of tombstones to check. One at least: a subject is
/// made with a link or not at all.
pub fn links_of_create(tombstones: usize) -> usize {
    LINKS_PER_WRITE.min(98_usize.saturating_sub(tombstones) / 2).max(1)
}

/// The generation of a subject that was never erased.
pub const FIRST_GENERATION: u64 = 1;

/// Who an identifier names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubjectRef {
    /// `s_` and 32 random hex digits.
    pub subject_id: String,
    /// `c_` and 32 random hex digits: the subject's name in silver, never the pseudonym that finds it.
    pub customer_ref: String,
}

impl SubjectRef {
    /// Names a new subject from random bytes.
    pub fn from_random(random: [u8; 32]) -> Self {
        let (subject, customer) = random.split_at(16);
        Self { subject_id: format!("s_{}", hex(subject)), customer_ref: format!("c_{}", hex(customer)) }
    }
}

/// The identifier that a subject was made under.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubjectName {
    /// The org whose customer it names.
    pub org: String,
    /// What the identifier is.
    pub kind: Kind,
    /// Its pseudonym.
    pub pseudonym: String,
}

/// A subject's state row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubjectState {
    /// The identifier that it was made under; none of a subject that is about to be made.
    pub name: Option<SubjectName>,
    /// Whether links may be written: the row's state is `active`.
    pub active: bool,
    /// Counts the subject's lives; a write names the one that it read.
    pub generation: u64,
    /// How many links the subject has.
    pub links: u64,
    /// Since when it is marked as shared (RFC 3339), if it is.
    pub shared_at: Option<String>,
    /// Events may have been left unlinked, since it is shared or was: what is linked is not all.
    pub missed: bool,
    /// The last day on which it got new links.
    pub day: Option<Day>,
}

/// The new links that a subject got on one day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Day {
    /// `yyyy-mm-dd`, UTC.
    pub date: String,
    /// How many.
    pub links: u64,
}

impl SubjectState {
    /// The state of a subject that is about to be made.
    pub const NEW: Self = Self {
        name: None,
        active: true,
        generation: FIRST_GENERATION,
        links: 0,
        shared_at: None,
        missed: false,
        day: None,
    };

    /// Whether it is of this org.
    pub fn is_of(&self, org: &str) -> bool {
        self.name.as_ref().is_some_and(|name| name.org == org)
    }

    /// Whether its identifier names no person: it is marked, or has as many links as a subject may have.
    pub fn is_shared(&self, cap: u64) -> bool {
        self.shared_at.is_some() || self.links >= cap
    }

    /// How many more links it may get; none if it is shared.
    pub fn room(&self, cap: u64) -> u64 {
        if self.is_shared(cap) { 0 } else { cap - self.links }
    }

    /// Whether interactions may have been left unlinked.
    pub fn is_limited(&self, cap: u64) -> bool {
        self.missed || self.is_shared(cap)
    }

    /// The new links of a day so far.
    pub fn links_of(&self, date: &str) -> u64 {
        self.day.as_ref().filter(|day| day.date == date).map_or(0, |day| day.links)
    }
}

/// A link as stored: the subject takes part in the record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// The entries behind the link. `None` while only filtered lines name the subject in the record: erasure finds
    /// those lines by the link, and no entry comes of them.
    pub span: Option<Span>,
}

/// A link as it is listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedLink {
    /// `<org>/<record>`.
    pub record: String,
    /// The link.
    pub link: Link,
    /// Until when the journal may hold events of the record that name the subject (RFC 3339), if it ever did: see [`crate::journal`].
    pub journal_until: Option<String>,
}

/// The entries of a record that name a subject. Times are RFC 3339 UTC with three decimals, so that they order as text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    /// The log that keeps the record's entries.
    pub log: String,
    /// Earliest occurrence seen.
    pub first: String,
    /// Latest occurrence seen.
    pub last: String,
}

/// One link inside a write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkWrite {
    /// `<org>/<record>`.
    pub record: String,
    /// The link as it will be.
    pub link: Link,
    /// The link as it was read, which must still stand; `None` for a link that must not exist yet.
    pub replaces: Option<Link>,
    /// The record's row as it was seen: with a new link the subject takes part in the record, and no erasure came between.
    pub party: PartySeen,
}

impl LinkWrite {
    /// Whether it adds the subject to the record's row: it is new, and there is room.
    pub fn joins(&self) -> bool {
        self.replaces.is_none() && !self.party.is_full()
    }
}

/// One conditional transaction on the keys table.
#[derive(Clone, Debug)]
pub enum SubjectWrite<'a> {
    /// A new subject with its first links: fails with `Conflict` if the identifier has one by now, or a tombstone, or an erasure
    /// reached one of the records.
    Create {
        /// The identifier.
        name: SubjectName,
        /// The subject that the identifier's row names still, and that is gone.
        replaces: Option<&'a str>,
        /// The new subject's names.
        subject: SubjectRef,
        /// RFC 3339; its date is the day that the links are counted into.
        created_at: String,
        /// Whether the links fill the subject to the cap.
        fills: bool,
        /// At most [`links_of_create`] of the tombstones, all new, all to records of the identifier's org.
        links: Vec<LinkWrite>,
        /// That the identifier's tombstones are as they were read.
        tombs: Beside,
    },
    /// Links of a subject that exists: fails with `Conflict` unless it is active, in this generation, not marked as
    /// shared, with room left, each link stands as it was read, and no erasure reached the record of a new one.
    Link {
        /// The subject.
        subject_id: &'a str,
        /// The generation that was read.
        generation: u64,
        /// The largest number of links that the subject may have before this write.
        links_at_most: u64,
        /// How the new links are counted; `None` if there is none among `links`.
        growth: Option<Growth>,
        /// At most [`LINKS_PER_WRITE`], at least one.
        links: Vec<LinkWrite>,
    },
}

/// How a subject's row counts the new links of a write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Growth {
    /// How many, at least one.
    pub new: u64,
    /// Whether they fill the subject to the cap: from then on events are left unlinked.
    pub fills: bool,
    /// The day that they are counted into.
    pub day: DayCount,
}

/// How new links are counted into their day. A count is only added to under the condition that it is as it was taken to
/// be, so that no update is lost and the day's busy line is told once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DayCount {
    /// The first links of a day.
    First {
        /// `yyyy-mm-dd`.
        date: String,
        /// The day that the row has, and must still have.
        before: Option<String>,
    },
    /// More links of the day that the row has, and must still have.
    More {
        /// `yyyy-mm-dd`.
        date: String,
        /// The largest count that the day may have before this write; any, once the subject is busy.
        at_most: Option<u64>,
    },
}

/// States of subjects and links of theirs, each in the order asked; `None` where there is none.
pub type StatesAndLinks = (Vec<Option<SubjectState>>, Vec<Option<Link>>);

/// The date of an RFC 3339 time in UTC.
pub fn date_of(time: &str) -> &str {
    time.get(..10).unwrap_or(time)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// All subjects.
#[derive(Clone, Debug)]
pub struct Subjects {
    table: Arc<dyn Table>,
}

impl Subjects {
    /// Rows of the keys table.
    pub fn new(table: Arc<dyn Table>) -> Self {
        Self { table }
    }

    /// Whom these identifiers name, each given by its org and its pseudonym, in their order.
    ///
    /// # Errors
    /// The table's.
    pub async fn identifiers(&self, names: &[(&str, &str)]) -> Result<Vec<Option<SubjectRef>>, StoreError> {
        let keys: Vec<Key> = names.iter().map(|(org, pseudonym)| identifier_key(org, pseudonym)).collect();
        let rows = self.table.batch_get("read identifiers", &keys).await?;
        let read = |row| {
            let IdentifierRow { subject_id, customer_ref, .. } = read_row("read an identifier", row)?;
            Ok(SubjectRef { subject_id, customer_ref })
        };
        rows.into_iter().map(|row| row.map(read).transpose()).collect()
    }

    /// The states of `subjects`, and of each `(subject id, record)` the link, both in the order asked.
    ///
    /// # Errors
    /// The table's.
    pub async fn read(&self, subjects: &[&str], links: &[(&str, &str)]) -> Result<StatesAndLinks, StoreError> {
        let keys = subjects.iter().map(|subject| state_key(subject));
        let keys: Vec<Key> = keys.chain(links.iter().map(|(subject, record)| link_key(subject, record))).collect();
        let mut rows = self.table.batch_get("read subjects and links", &keys).await?;
        let links = rows.split_off(subjects.len());
        Ok((
            rows.into_iter().map(|row| row.map(read_state).transpose()).collect::<Result<_, _>>()?,
            links.into_iter().map(|row| row.map(read_link).transpose()).collect::<Result<_, _>>()?,
        ))
    }

    /// The states of these subjects, in their order; `None` for one that does not exist.
    ///
    /// # Errors
    /// The table's.
    pub async fn states(&self, subjects: &[&str]) -> Result<Vec<Option<SubjectState>>, StoreError> {
        Ok(self.read(subjects, &[]).await?.0)
    }

    /// All links of a subject, by record.
    ///
    /// # Errors
    /// The table's.
    pub async fn links(&self, subject_id: &str) -> Result<Vec<(String, Link)>, StoreError> {
        let query = Query::partition(partition(subject_id)).beginning(LINK);
        let rows = self.table.query("read links", &query).await?;
        let link =
            |(sk, row): (String, Row)| Ok((sk.strip_prefix(LINK).unwrap_or_default().to_owned(), read_link(row)?));
        rows.into_iter().map(link).collect()
    }

    /// The same, with until when the journal may know more of each record.
    ///
    /// # Errors
    /// The table's.
    pub async fn listed_links(&self, subject_id: &str) -> Result<Vec<ListedLink>, StoreError> {
        let query = Query::partition(partition(subject_id)).beginning(LINK);
        let rows = self.table.query("read links", &query).await?;
        let link = |(sk, row): (String, Row)| {
            let row: LinkRow = read_row("read a link", row)?;
            let (record, journal_until) = (sk.strip_prefix(LINK).unwrap_or_default(), row.journal_until.clone());
            Ok(ListedLink { record: record.to_owned(), link: row.into_link()?, journal_until })
        };
        rows.into_iter().map(link).collect()
    }

    /// That the journal may hold, until then, an event of the record that names these subjects, each in a link that must be there: for a
    /// transaction with the event's row.
    pub(crate) fn journaled(&self, subjects: &[&str], record: &str, until: &str) -> Vec<Write> {
        let write = |subject: &&str| Write::update(link_key(subject, record)).set(JOURNAL_UNTIL, until);
        subjects.iter().map(|subject| write(subject).when(Condition::Exists)).collect()
    }

    /// The table, for what is written there [`Beside`].
    pub(crate) fn table(&self) -> &Arc<dyn Table> {
        &self.table
    }

    /// Carries out one write, all of it or nothing. No error says whose it was: what is logged must not outlive a subject.
    ///
    /// # Errors
    /// `Conflict` if something is not as the write names it.
    pub async fn write(&self, write: SubjectWrite<'_>) -> Result<(), StoreError> {
        let (what, writes, beside) = match write {
            SubjectWrite::Create { name, replaces, subject, created_at, fills, links, tombs } => {
                let writes = create(&name, replaces, &subject, &created_at, fills, &links)?;
                ("create a subject", writes, vec![tombs])
            }
            SubjectWrite::Link { subject_id, generation, links_at_most, growth, links } => {
                let mut writes = vec![extend(subject_id, generation, links_at_most, growth.as_ref())];
                for link in &links {
                    writes.extend(link_writes(subject_id, link)?);
                }
                ("link a subject", writes, Vec::new())
            }
        };
        self.table.transact(what, writes, beside).await
    }

    /// Marks a subject as shared since `now`, or as not shared any more if there is none; returns its state before. A
    /// subject that is marked already keeps its time; what it missed stays missed.
    ///
    /// # Errors
    /// `Conflict` if it is not active in this generation.
    pub async fn mark_shared(
        &self,
        subject_id: &str,
        generation: u64,
        now: Option<&str>,
    ) -> Result<SubjectState, StoreError> {
        let write = Write::update(state_key(subject_id));
        let write = match now {
            Some(now) => write.set_if_absent(SHARED_AT, now).set(MISSED, true),
            None => write.remove(SHARED_AT),
        };
        let write = write.when(Condition::equals(STATE_OF, ACTIVE)).when(Condition::equals(GENERATION, generation));
        read_state(self.table.write("mark a subject", write, Returning::Before).await?)
    }
}

/// An identifier row that must not exist or name who is gone, a state row that must not exist, and the links.
fn create(
    name: &SubjectName,
    replaces: Option<&str>,
    subject: &SubjectRef,
    created_at: &str,
    fills: bool,
    links: &[LinkWrite],
) -> Result<Vec<Write>, StoreError> {
    let SubjectRef { subject_id, customer_ref } = subject.clone();
    let SubjectName { org, kind, pseudonym } = name;
    let kind = kind.label().to_owned();
    let created_at_text = Some(created_at.to_owned());
    let identifier = IdentifierRow { subject_id, customer_ref, kind: kind.clone(), created_at: created_at_text };
    let state = StateRow {
        state: ACTIVE.to_owned(),
        generation: FIRST_GENERATION,
        links: links.len() as u64,
        customer_ref: Some(subject.customer_ref.clone()),
        shared_at: None,
        missed: fills,
        day: Some(date_of(created_at).to_owned()),
        in_day: Some(links.len() as u64),
        org: org.clone(),
        kind,
        pseudonym: pseudonym.clone(),
    };
    let as_read = replaces.map_or(Condition::Absent, |gone| Condition::equals(SUBJECT_ID, gone));
    let mut writes = vec![
        Write::put(identifier_key(org, pseudonym), to_row("an identifier", &identifier)?).when(as_read),
        Write::create(state_key(&subject.subject_id), to_row("a subject", &state)?),
    ];
    for link in links {
        writes.extend(link_writes(&subject.subject_id, link)?);
    }
    Ok(writes)
}

/// The state row, as read and with room; counted up by the new links.
fn extend(subject_id: &str, generation: u64, links_at_most: u64, growth: Option<&Growth>) -> Write {
    let open = Condition::All(vec![
        Condition::equals(STATE_OF, ACTIVE),
        Condition::equals(GENERATION, generation),
        Condition::at_most(LINKS, links_at_most),
        Condition::lacks(SHARED_AT),
    ]);
    let Some(Growth { new, fills, day }) = growth else { return Write::check(state_key(subject_id), open) };
    let write = Write::update(state_key(subject_id)).add(LINKS, *new).when(open);
    let write = match day {
        DayCount::First { date, before } => {
            let write = write.set(DAY, date).set(IN_DAY, *new);
            write.when(Condition::equals_or_lacks(DAY, before.as_ref()))
        }
        DayCount::More { date, at_most } => {
            let write = write.add(IN_DAY, *new).when(Condition::equals(DAY, date));
            match at_most {
                Some(at_most) => write.when(Condition::at_most(IN_DAY, *at_most)),
                None => write,
            }
        }
    };
    if *fills { write.and(Change::Set(MISSED.to_owned(), true.into_value())) } else { write }
}

/// The link, and with a new one that the subject takes part in the record.
fn link_writes(subject_id: &str, write: &LinkWrite) -> Result<Vec<Write>, StoreError> {
    let joined = write.joins().then(|| party::joined(&write.record, write.party, subject_id));
    Ok(std::iter::once(link_write(subject_id, write)?).chain(joined).collect())
}

fn link_write(subject_id: &str, write: &LinkWrite) -> Result<Write, StoreError> {
    let key = link_key(subject_id, &write.record);
    let Some(replaces) = &write.replaces else {
        return Ok(Write::create(key, to_row("a link", &LinkRow::of(&write.link))?));
    };
    // Not put: what else the row says, the journal's `journalUntil`, stays.
    let LinkRow { log, first, last, .. } = LinkRow::of(&write.link);
    let update =
        [(LOG, log), (FIRST, first), (LAST, last)].into_iter().fold(Write::update(key), |update, (name, value)| {
            match value {
                Some(value) => update.set(name, value),
                None => update,
            }
        });
    Ok(match &replaces.span {
        None => update.when(Condition::Exists).when(Condition::lacks(FIRST)),
        Some(old) => update.when(Condition::equals(FIRST, &old.first)).when(Condition::equals(LAST, &old.last)),
    })
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct IdentifierRow {
    subject_id: String,
    customer_ref: String,
    kind: String,
    created_at: Option<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct StateRow {
    state: String,
    generation: u64,
    links: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    customer_ref: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    shared_at: Option<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    missed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    day: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    in_day: Option<u64>,
    org: String,
    kind: String,
    pseudonym: String,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct LinkRow {
    #[serde(skip_serializing_if = "Option::is_none")]
    log: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    first: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last: Option<String>,
    #[serde(rename = "journalUntil", skip_serializing_if = "Option::is_none")]
    journal_until: Option<String>,
}

impl LinkRow {
    fn of(link: &Link) -> Self {
        let Some(Span { log, first, last }) = link.span.clone() else { return Self::default() };
        Self { log: Some(log), first: Some(first), last: Some(last), journal_until: None }
    }

    fn into_link(self) -> Result<Link, StoreError> {
        match (self.log, self.first, self.last) {
            (Some(log), Some(first), Some(last)) => Ok(Link { span: Some(Span { log, first, last }) }),
            (None, None, None) => Ok(Link { span: None }),
            _ => Err(corrupt("a link has a part of a span")),
        }
    }
}

/// The state in a row, whatever it is.
///
/// # Errors
/// `Corrupt` if the row is not a subject's state.
pub fn read_state(row: Row) -> Result<SubjectState, StoreError> {
    let row: StateRow = read_row("read a subject's state", row)?;
    let day = match (row.day, row.in_day) {
        (Some(date), Some(links)) => Some(Day { date, links }),
        (None, _) => None,
        (Some(_), None) => return Err(corrupt("a subject's day has no count")),
    };
    let kind = Kind::of_label(&row.kind).ok_or_else(|| corrupt("a subject is of no kind of identifier"))?;
    Ok(SubjectState {
        name: Some(SubjectName { org: row.org, kind, pseudonym: row.pseudonym }),
        active: row.state == ACTIVE,
        generation: row.generation,
        links: row.links,
        shared_at: row.shared_at,
        missed: row.missed,
        day,
    })
}

/// The link in a row: with all of a span's attributes, or with none of them.
///
/// # Errors
/// `Corrupt` if the row has a part of them.
pub fn read_link(row: Row) -> Result<Link, StoreError> {
    read_row::<LinkRow>("read a link", row)?.into_link()
}

/// The partition of a subject's state and links.
pub fn partition(subject_id: &str) -> String {
    format!("{SUBJECT}{subject_id}")
}

const IDENTIFIER: &str = "ID#";
const SUBJECT_OF: &str = "SUBJECT";
const SUBJECT_ID: &str = "subjectId";
const SUBJECT: &str = "SUB#";
const STATE: &str = "STATE";
/// Where a link's sort key begins; the record follows.
const LINK: &str = "INT#";
const STATE_OF: &str = "state";
const ACTIVE: &str = "active";
const GENERATION: &str = "generation";
const LINKS: &str = "links";
const SHARED_AT: &str = "sharedAt";
const MISSED: &str = "missed";
const DAY: &str = "day";
const IN_DAY: &str = "inDay";
const LOG: &str = "log";
const FIRST: &str = "first";
const LAST: &str = "last";
const JOURNAL_UNTIL: &str = "journalUntil";

#[cfg(test)]
mod tests;
