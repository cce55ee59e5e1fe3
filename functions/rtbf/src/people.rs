//! Who is the request's own, and who else has part in what it reaches.
//!
//! Invariant: whoever is not known to live is dead: a subject without a state, or one that is gone, keeps nothing from being erased. It is
//! asked after the request's own subjects are gone; so of two requests that end two people of one record at once one at least finds the
//! other's dead.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use ledgerline_custody::request::preview::Other;
use ledgerline_ledger::store::StoreError;
use ledgerline_store::request::{RequestRow, Who};
use ledgerline_store::subject::{SubjectName, SubjectState};

use crate::stores::Stores;

/// Keys of one read: the table's limit.
pub(crate) const KEYS_PER_READ: usize = 100;

/// An org and a pseudonym.
pub(crate) type Name = (String, String);

/// A request's identifiers in each of its orgs: for each org and identifier the names under all versions of the key.
pub(crate) fn groups(row: &RequestRow, who: &Who) -> Vec<Vec<Name>> {
    let alone = || who.pseudonyms.iter().map(|one| vec![one.clone()]).collect();
    let identifiers: Vec<Vec<String>> = if who.identifiers.is_empty() { alone() } else { who.identifiers.clone() };
    let in_org = |org: &String| -> Vec<Vec<Name>> {
        let names = |group: &Vec<String>| group.iter().map(|one| (org.clone(), one.clone())).collect();
        identifiers.iter().map(names).collect()
    };
    row.orgs.iter().flat_map(in_org).collect()
}

/// As the stores ask for them.
pub(crate) fn borrowed(names: &[Name]) -> Vec<(&str, &str)> {
    names.iter().map(|(org, name)| (org.as_str(), name.as_str())).collect()
}

/// Names, each once.
pub(crate) fn flat(groups: &[Vec<Name>]) -> Vec<Name> {
    groups.iter().flatten().cloned().collect::<BTreeSet<_>>().into_iter().collect()
}

/// The states of these subjects that are there, and which of them live.
pub(crate) struct States {
    pub(crate) found: BTreeMap<String, SubjectState>,
    live: BTreeSet<String>,
}

impl States {
    /// Reads the states of these subjects.
    pub(crate) async fn read(stores: &Stores, subjects: &BTreeSet<String>) -> Result<Self, StoreError> {
        let (mut found, mut live) = (BTreeMap::new(), BTreeSet::new());
        let subjects: Vec<&str> = subjects.iter().map(String::as_str).collect();
        for asked in subjects.chunks(KEYS_PER_READ) {
            let states = stores.subjects.states(asked).await?;
            // Asked after the states: of a subject that is gone a row may be left.
            let gone = stores.gone.among(asked.iter().copied()).await?;
            for (subject, state) in asked.iter().zip(states) {
                let Some(state) = state else { continue };
                if state.active && !gone.contains(subject) {
                    live.insert((*subject).to_owned());
                }
                found.insert((*subject).to_owned(), state);
            }
        }
        Ok(Self { found, live })
    }

    /// The state of a subject that lives.
    pub(crate) fn live(&self, subject: &str) -> Option<&SubjectState> {
        self.found.get(subject).filter(|_| self.live.contains(subject))
    }
}

/// The request's subjects.
#[derive(Clone, Debug, Default)]
pub(crate) struct Whom {
    /// Those that it erases.
    pub(crate) own: BTreeSet<String>,
    /// Those that live on, since their identifiers name no person, or too many.
    pub(crate) kept: BTreeSet<String>,
    /// The names in silver of those that it erases.
    pub(crate) refs: BTreeSet<String>,
    /// The identifiers of those that it erases, as far as their states are there.
    pub(crate) names: BTreeSet<Name>,
}

impl Whom {
    /// Reads whom a request is about, once its subjects have ended.
    pub(crate) async fn read(stores: &Stores, who: &Who) -> Result<Self, StoreError> {
        let erased = who.erased();
        let ended = erased.iter().map(|subject| subject.subject_id.clone());
        let all: BTreeSet<String> = who.subjects.iter().cloned().chain(ended).collect();
        let states = States::read(stores, &all).await?;
        let (kept, own): (BTreeSet<String>, BTreeSet<String>) =
            all.into_iter().partition(|one| states.live(one).is_some());
        let of_states = own.iter().filter_map(|subject| states.found.get(subject)?.customer_ref.clone());
        let refs = erased.into_iter().map(|subject| subject.customer_ref).chain(of_states).collect();
        let names = own.iter().filter_map(|subject| states.found.get(subject)?.name.as_ref());
        let names = names.map(|name| (name.org.clone(), name.pseudonym.clone())).collect();
        Ok(Self { own, kept, refs, names })
    }
}

/// Another subject that lives.
#[derive(Clone, Debug)]
struct Living {
    other: Other,
    name: SubjectName,
}

/// What is known of those who are not the request's own.
pub(crate) struct Others<'a> {
    stores: &'a Stores,
    cap: u64,
    /// `None`: dead.
    known: Mutex<BTreeMap<String, Option<Living>>>,
}

/// What is known of some of them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Known {
    /// Those that live.
    pub(crate) live: BTreeMap<String, Other>,
    /// The pseudonyms that they were made under.
    pub(crate) names: BTreeMap<String, String>,
    /// The rest.
    pub(crate) dead: BTreeSet<String>,
}

impl<'a> Others<'a> {
    pub(crate) fn new(stores: &'a Stores, cap: u64) -> Self {
        Self { stores, cap, known: Mutex::default() }
    }

    /// What is known of these, asked now if it is not.
    pub(crate) async fn of(&self, subjects: &BTreeSet<String>) -> Result<Known, StoreError> {
        let missing: BTreeSet<String> = {
            let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            subjects.iter().filter(|subject| !known.contains_key(*subject)).cloned().collect()
        };
        if !missing.is_empty() {
            let states = States::read(self.stores, &missing).await?;
            let living = |subject: &String| {
                let state = states.live(subject)?;
                let name = state.name.clone()?;
                Some(Living { other: Other { kind: name.kind, is_shared: state.is_shared(self.cap) }, name })
            };
            let learnt: Vec<_> = missing.iter().map(|subject| (subject.clone(), living(subject))).collect();
            self.known.lock().unwrap_or_else(PoisonError::into_inner).extend(learnt);
        }
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let mut found = Known::default();
        for subject in subjects {
            match known.get(subject) {
                Some(Some(Living { other, name })) => {
                    found.live.insert(subject.clone(), *other);
                    found.names.insert(subject.clone(), name.pseudonym.clone());
                }
                _ => drop(found.dead.insert(subject.clone())),
            }
        }
        Ok(found)
    }
}
