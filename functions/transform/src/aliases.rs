//! The aliases of people whose ids name records: looked up while an object is read, given to those who have none.
//!
//! Invariant: a person has one alias in an org until it is gone, whichever object names that person first, and none is given
//! for lines that a tombstone covers: the write asks that all of the person's tombstones are as they were read.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use ledgerline_ledger::store::{Failure, StoreError};
use ledgerline_store::tombstone::Suppression;

use crate::CALLS_AT_ONCE;
use crate::config::Settings;
use crate::reading::{Alias, Person, Unnamed, random_alias};
use crate::resolve::Clashes;
use crate::stores::Stores;

/// The aliases of all who are unnamed: the stored ones, new ones, and none where the tombstones that were in force when the object
/// was taken up, at `started_at_ms`, cover all lines that wait; so a later run of the object answers as the first did.
///
/// A crash in here leaves whole aliases, which the next run finds.
///
/// # Errors
/// `Conflict` if clashes outlast ten pauses; whatever else the stores report.
pub async fn look_up(
    stores: &Stores,
    settings: &Settings,
    started_at_ms: i64,
    unnamed: Unnamed,
) -> Result<BTreeMap<Person, Alias>, StoreError> {
    let mut aliases = BTreeMap::new();
    let (mut open, mut clashes) = (unnamed, Clashes::default());
    while !open.is_empty() {
        let stored = Stored::read(stores, names(open.keys())).await?;
        let tombs = tombs(stores, settings, all_names(open.keys())).await?;
        let mut nameless = Vec::new();
        for (person, latest_ms) in &open {
            let in_force = all_of(person).filter_map(|name| tombs.get(&name)?.cutoff(started_at_ms));
            let cutoff = in_force.max();
            let name = stored.living(person).map(str::to_owned);
            let is_covered = cutoff.is_some_and(|cutoff| cutoff.covers(*latest_ms, *latest_ms));
            if name.is_some() || is_covered {
                aliases.insert(person.clone(), Alias { name, cutoff });
            } else {
                nameless.push((person, *latest_ms, cutoff));
            }
        }
        for org in nameless.iter().map(|(person, ..)| person.org.as_str()).collect::<BTreeSet<_>>() {
            stores.note_org(org).await?;
        }
        let given: Vec<Option<String>> = stream::iter(&nameless)
            .map(|(person, ..)| give(stores, person, &stored, &tombs))
            .buffered(CALLS_AT_ONCE)
            .try_collect()
            .await?;
        let mut clashed = Unnamed::new();
        for ((person, latest_ms, cutoff), name) in nameless.into_iter().zip(given) {
            match name {
                Some(name) => drop(aliases.insert(person.clone(), Alias { name: Some(name), cutoff })),
                None => drop(clashed.insert(person.clone(), latest_ms)),
            }
        }
        open = clashed;
        if !open.is_empty() {
            let what = format!("{} aliases clashed with other writers", open.len());
            clashes.pause(Failure::new(what), stores.random()).await?;
        }
    }
    Ok(aliases)
}

/// An org and a pseudonym.
type Name<'p> = (&'p str, &'p str);

/// A person's names, of other rules, too.
fn all_of(person: &Person) -> impl Iterator<Item = Name<'_>> {
    person.all_names().map(|name| (person.org.as_str(), name.as_str()))
}

/// What [`all_of`] has of these people, each once.
fn all_names<'p>(people: impl IntoIterator<Item = &'p Person>) -> Vec<Name<'p>> {
    people.into_iter().flat_map(all_of).collect::<BTreeSet<_>>().into_iter().collect()
}

/// The names by which a person's alias is looked up.
fn of(person: &Person) -> impl Iterator<Item = Name<'_>> {
    person.names.iter().flatten().map(|name| (person.org.as_str(), name.as_str()))
}

/// What [`of`] has of these people, each once.
fn names<'p>(people: impl IntoIterator<Item = &'p Person>) -> Vec<Name<'p>> {
    people.into_iter().flat_map(of).collect::<BTreeSet<_>>().into_iter().collect()
}

/// What is stored under some names.
struct Stored<'p> {
    aliases: HashMap<Name<'p>, String>,
    /// Those of them that are gone.
    gone: HashSet<String>,
}

impl<'p> Stored<'p> {
    async fn read(stores: &Stores, names: Vec<Name<'p>>) -> Result<Self, StoreError> {
        let rows = stores.aliases.read(&names).await?;
        let aliases: HashMap<_, _> = names.into_iter().zip(rows).filter_map(|(name, row)| Some((name, row?))).collect();
        let gone = stores.gone.among(aliases.values().map(String::as_str)).await?;
        let gone = gone.into_iter().map(str::to_owned).collect();
        Ok(Self { aliases, gone })
    }

    /// The alias that a person has under any name: of two, which no run gives, the first.
    fn living<'s>(&'s self, person: &'s Person) -> Option<&'s str> {
        let stored = of(person).filter_map(|name| self.aliases.get(&name));
        stored.map(String::as_str).find(|alias| !self.gone.contains(*alias))
    }
}

/// What suppresses these.
async fn tombs<'p>(
    stores: &Stores,
    settings: &Settings,
    names: Vec<Name<'p>>,
) -> Result<HashMap<Name<'p>, Suppression>, StoreError> {
    let seen = stores.tombs.read(&settings.suppression, &names).await?;
    Ok(names.into_iter().zip(seen).collect())
}

/// Gives a new alias, under the newest pseudonym of each identifier; `None` if somebody else wrote.
async fn give(
    stores: &Stores,
    person: &Person,
    stored: &Stored<'_>,
    tombs: &HashMap<Name<'_>, Suppression>,
) -> Result<Option<String>, StoreError> {
    let org = person.org.as_str();
    let newest = person.names.iter().filter_map(|names| names.first());
    let newest: Vec<(&str, Option<&str>)> =
        newest.map(|name| (name.as_str(), stored.aliases.get(&(org, name.as_str())).map(String::as_str))).collect();
    let alias = random_alias(stores.random());
    let unchanged = stores.tombs.unchanged(all_of(person).filter_map(|name| tombs.get(&name)));
    match stores.aliases.give(org, &newest, &alias, unchanged).await {
        Ok(()) => Ok(Some(alias)),
        Err(StoreError::Conflict(_)) => Ok(None),
        Err(error) => Err(error),
    }
}
