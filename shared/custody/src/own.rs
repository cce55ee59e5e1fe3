//! The company's own numbers, addresses and domains: they name the contact centre, never a customer.
//!
//! Invariant: a row is never deleted. What came while an item stood on the list was linked to nobody, and an answer
//! about that item must go on to say so. A number or an address is listed by its pseudonym under the key of the day; an
//! identifier is compared by its pseudonyms under all versions. A domain stands in clear, since a company is not a
//! person; it covers the addresses of exactly this domain. No error repeats an item: items are told by their places.
//! Left out: what a function does with an identifier that is the company's own.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use ledgerline_ledger::store::StoreError;
use ledgerline_privacy::{Identifier, KeyRing, Kind, Region};
use ledgerline_store::gone::Gone;
use ledgerline_store::own::{Change, OwnName, OwnNumbers, OwnRow};
use ledgerline_store::subject::Subjects;

/// How long a list that was read counts: an item is in force everywhere a minute after it was added.
pub const LIST_TTL_MS: i64 = 60_000;
/// Orgs whose lists are read at once.
const PARALLEL: usize = 16;

/// What a list says of an identifier. In this order, so that the greatest of several lists' words counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// It never was on the list.
    #[default]
    Never,
    /// It was: what came then was linked to nobody.
    Formerly,
    /// It is: it names nobody.
    InForce,
}

/// A list, or several together, to be asked.
#[derive(Clone, Debug, Default)]
pub struct OwnList(HashMap<String, Standing>);

impl OwnList {
    /// The list of these rows.
    pub fn new(rows: impl IntoIterator<Item = OwnRow>) -> Self {
        let mut list = Self::default();
        for OwnRow { name, removed_at, .. } in rows {
            list.note(&name, if removed_at.is_some() { Standing::Formerly } else { Standing::InForce });
        }
        list
    }

    /// The list that these items are, all of them in force. Without a key it has their domains alone.
    pub fn of(items: &[OwnItem], ring: Option<&KeyRing>) -> Self {
        let mut list = Self::default();
        for name in items.iter().flat_map(|item| item.names(ring)) {
            list.note(&name, Standing::InForce);
        }
        list
    }

    /// What the list says of an identifier: its pseudonyms under all versions of the key, and its domain if it is an
    /// e-mail address. No pseudonym is a domain, and those of two kinds never are equal.
    pub fn standing<'a>(&self, pseudonyms: impl IntoIterator<Item = &'a str>, domain: Option<&'a str>) -> Standing {
        let names = pseudonyms.into_iter().chain(domain);
        names.filter_map(|name| self.0.get(name).copied()).max().unwrap_or_default()
    }

    fn note(&mut self, name: &OwnName, standing: Standing) {
        let known = self.0.entry(name.name().to_owned()).or_default();
        *known = standing.max(*known);
    }
}

/// The domain of an identifier that is an e-mail address.
pub fn domain_of(identifier: &Identifier) -> Option<&str> {
    let address = (identifier.kind() == Kind::Email).then(|| identifier.value().expose_for_pseudonym())?;
    address.rsplit_once('@').map(|(_, domain)| domain)
}

/// An item that somebody wrote: of the parameter `OwnNumbers`, or on a command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OwnItem {
    /// A phone number or an e-mail address.
    Identifier(Identifier),
    /// A domain, lower case.
    Domain(String),
}

impl OwnItem {
    /// What a row about it may be called, the name for a new row first; none if that takes a key and there is none.
    pub fn names(&self, ring: Option<&KeyRing>) -> Vec<OwnName> {
        match self {
            Self::Domain(domain) => vec![OwnName::Domain(domain.clone())],
            Self::Identifier(identifier) => {
                let pseudonyms = ring.map(|ring| ring.pseudonyms(identifier)).unwrap_or_default();
                pseudonyms.into_iter().map(|name| OwnName::Identifier(identifier.kind(), name)).collect()
            }
        }
    }
}

/// Items that are not what an item may be, by their places, counted from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadItems(Vec<usize>);

impl BadItems {
    /// What to do.
    pub const REMEDY: &str = "write phone numbers with + and the country code, e-mail addresses, and domains such as example.com; \
        leave out what names nobody anyway, such as a number of two digits";
}

impl fmt::Display for BadItems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let places: Vec<String> = self.0.iter().map(|place| format!("item {place}")).collect();
        write!(f, "{}: not a phone number, an e-mail address or a domain", places.join(", "))
    }
}

impl std::error::Error for BadItems {}

/// Reads items that are separated by commas; there are none in a text of white space.
///
/// # Errors
/// The places of items that are none.
pub fn parse_list(text: &str, region: Region) -> Result<Vec<OwnItem>, BadItems> {
    if text.trim().is_empty() { Ok(Vec::new()) } else { parse_items(text.split(','), region) }
}

/// Reads items, each once.
///
/// # Errors
/// The places of items that are none.
pub fn parse_items<'a>(items: impl IntoIterator<Item = &'a str>, region: Region) -> Result<Vec<OwnItem>, BadItems> {
    let (mut all, mut bad) = (Vec::new(), Vec::new());
    for (place, text) in (1..).zip(items) {
        match parse_item(text.trim(), region) {
            None => bad.push(place),
            Some(item) if all.contains(&item) => {}
            Some(item) => all.push(item),
        }
    }
    if bad.is_empty() { Ok(all) } else { Err(BadItems(bad)) }
}

fn parse_item(text: &str, region: Region) -> Option<OwnItem> {
    let is_domain = text.starts_with('@') || (!text.contains('@') && text.contains(char::is_alphabetic));
    if is_domain {
        return parse_domain(text.trim_start_matches('@'), region).map(OwnItem::Domain);
    }
    let kind = if text.contains('@') { Kind::Email } else { Kind::Phone };
    Identifier::parse(kind, text, region).map(OwnItem::Identifier)
}

/// A domain as the normalised addresses of it have it.
fn parse_domain(text: &str, region: Region) -> Option<String> {
    let address = Identifier::parse(Kind::Email, &format!("own@{text}"), region)?;
    let domain = domain_of(&address)?;
    let is_label = |label: &str| !label.is_empty() && label.chars().all(|c| c.is_alphanumeric() || c == '-');
    let is_domain = domain.contains('.') && domain.split('.').all(is_label) && !text.contains('?');
    is_domain.then(|| domain.to_owned())
}

/// What puts an item on a list: a row under every version of the key that has none in force, since a subject of any of them may be
/// asked for by its id alone. `names` as [`OwnItem::names`] gives them.
pub fn plan_add(rows: &[OwnRow], names: &[OwnName]) -> Vec<(OwnName, Change)> {
    let change = |name: &OwnName| match rows.iter().find(|row| row.name == *name) {
        None => Some((name.clone(), Change::Add)),
        Some(row) => row.removed_at.is_some().then(|| (name.clone(), Change::Restore)),
    };
    names.iter().filter_map(change).collect()
}

/// What takes an item off a list: a row each under every version of the key that has one in force.
pub fn plan_remove(rows: &[OwnRow], names: &[OwnName]) -> Vec<(OwnName, Change)> {
    let known = rows.iter().filter(|row| names.contains(&row.name) && row.removed_at.is_none());
    known.map(|row| (row.name.clone(), Change::Remove)).collect()
}

/// How many subjects of an org an item names: who is gone was never seen. `None` of a domain, whose addresses nobody keeps.
///
/// # Errors
/// The stores'.
pub async fn count_subjects(
    subjects: &Subjects,
    gone: &Gone,
    org: &str,
    names: &[OwnName],
) -> Result<Option<u64>, StoreError> {
    let identifiers = names.iter().filter(|name| matches!(name, OwnName::Identifier(..)));
    let in_org: Vec<(&str, &str)> = identifiers.map(|name| (org, name.name())).collect();
    if in_org.is_empty() {
        return Ok(None);
    }
    let found = subjects.identifiers(&in_org).await?;
    let found: BTreeSet<&str> = found.iter().flatten().map(|subject| subject.subject_id.as_str()).collect();
    let gone = gone.among(found.iter().copied()).await?;
    Ok(Some((found.len() - gone.len()) as u64))
}

/// Lists, and since when.
type Kept = BTreeMap<String, (i64, Arc<OwnList>)>;

/// The lists, each read again once it is older than [`LIST_TTL_MS`]. One that cannot be read is an error: to go on with
/// the old one would link a customer to the company's number without a word.
#[derive(Debug)]
pub struct OwnLists {
    numbers: OwnNumbers,
    kept: Mutex<Kept>,
}

impl OwnLists {
    /// Lists of which none was read yet.
    pub fn new(numbers: OwnNumbers) -> Self {
        Self { numbers, kept: Mutex::default() }
    }

    /// The lists that count yet.
    pub fn kept(&self, now_ms: i64) -> BTreeMap<String, Arc<OwnList>> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let counts = kept.iter().filter(|(_, (since_ms, _))| now_ms.saturating_sub(*since_ms) < LIST_TTL_MS);
        counts.map(|(org, (_, list))| (org.clone(), Arc::clone(list))).collect()
    }

    /// An org's list.
    ///
    /// # Errors
    /// The store's.
    pub async fn of(&self, org: &str, now_ms: i64) -> Result<Arc<OwnList>, StoreError> {
        if let Some((since_ms, list)) = self.kept.lock().unwrap_or_else(PoisonError::into_inner).get(org)
            && now_ms.saturating_sub(*since_ms) < LIST_TTL_MS
        {
            return Ok(Arc::clone(list));
        }
        let list = Arc::new(OwnList::new(self.numbers.of(org).await?));
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.insert(org.to_owned(), (now_ms, Arc::clone(&list)));
        Ok(list)
    }

    /// The lists of these orgs, in their order.
    ///
    /// # Errors
    /// The store's.
    pub async fn of_each(&self, orgs: &[String], now_ms: i64) -> Result<Vec<Arc<OwnList>>, StoreError> {
        stream::iter(orgs).map(|org| self.of(org, now_ms)).buffered(PARALLEL).try_collect().await
    }
}

#[cfg(test)]
mod tests;
