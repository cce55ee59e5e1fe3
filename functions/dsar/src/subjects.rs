//! Whom a question names: the orgs that are asked, and the subjects of theirs that its names stand for.
//!
//! Invariant: an org is asked if transform noted it and the caller may ask it, and no other. A subject is of one org, and stands in no
//! answer that did not ask that org, by whatever name it was asked for. One that is gone was never seen.

use std::collections::BTreeSet;

use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use ledgerline_custody::keys::Keys;
use ledgerline_custody::query::{Names, Query, Who};
use ledgerline_lambda::caller::Orgs;
use ledgerline_ledger::store::StoreError;
use ledgerline_privacy::Identifier;
use ledgerline_store::subject::SubjectState;

use crate::problem::Problem;
use crate::stores::Stores;

/// Identifiers looked up in one call: the table's limit.
const NAMES_PER_READ: usize = 100;
/// Calls under way at once: 50 identifiers of 5 readings under 2 keys in 1,000 orgs are 5,000 calls of 10 ms each, three seconds of
/// the function's 29.
const PARALLEL: usize = 16;
/// Orgs that a question asks which names none: an event names its own org, so that anybody who may send events could add more.
pub(crate) const MAX_ORGS: usize = 1_000;

/// The orgs that the question asks, sorted: the one that it names, or all that the caller may ask.
pub(crate) async fn orgs(stores: &Stores, query: &Query, allowed: &Orgs) -> Result<Vec<String>, Problem> {
    let named: Vec<&String> = match (&query.org, allowed) {
        // Whether there is such an org or not: it is the token's fault alone.
        (Some(only), allowed) if !allowed.allows(only) => return Err(Problem::org_not_allowed()),
        (Some(only), _) => vec![only],
        (None, Orgs::Only(orgs)) => orgs.iter().collect(),
        (None, Orgs::All) => {
            let orgs = stores.orgs.first(MAX_ORGS + 1).await?;
            return if orgs.len() > MAX_ORGS { Err(Problem::too_many_orgs()) } else { Ok(orgs) };
        }
    };
    let known: Vec<bool> =
        stream::iter(&named).map(|org| stores.orgs.has(org)).buffered(PARALLEL).try_collect().await?;
    Ok(named.into_iter().zip(known).filter(|(_, known)| *known).map(|(org, _)| org.clone()).collect())
}

/// Of the orgs that were asked on the first page those that the caller may still ask.
pub(crate) fn allowed(orgs: Vec<String>, query: &Query, allowed: &Orgs) -> Result<Vec<String>, Problem> {
    if query.org.as_ref().is_some_and(|org| !allowed.allows(org)) {
        return Err(Problem::org_not_allowed());
    }
    Ok(orgs.into_iter().filter(|org| allowed.allows(org)).collect())
}

/// Whom a question names.
#[derive(Default)]
pub(crate) struct Active {
    /// Each once, sorted.
    pub(crate) subjects: Vec<(String, SubjectState)>,
    /// The pseudonyms that lead to one of them.
    pub(crate) leading: BTreeSet<String>,
}

/// The active subjects of these orgs that the question names: any other has no links to show.
pub(crate) async fn active(
    stores: &Stores,
    query: &Query,
    orgs: &[String],
    keys: Option<&Keys>,
) -> Result<Active, StoreError> {
    if keys.is_none() && matches!(query.who, Who::Identifiers(_)) {
        return Ok(Active::default());
    }
    let Names { mut subjects, pseudonyms, .. } = query.names(keys.map(|keys| &keys.ring));
    let names: Vec<(&str, &str)> =
        orgs.iter().flat_map(|org| pseudonyms.iter().map(|name| (org.as_str(), name.as_str()))).collect();
    let found: Vec<_> = stream::iter(names.chunks(NAMES_PER_READ))
        .map(|names| stores.subjects.identifiers(names))
        .buffered(PARALLEL)
        .try_collect()
        .await?;
    let found = names.iter().zip(found.into_iter().flatten());
    let named: Vec<(&str, String)> =
        found.filter_map(|((_, name), subject)| Some((*name, subject?.subject_id))).collect();
    subjects.extend(named.iter().map(|(_, subject)| subject.clone()));
    subjects.sort();
    subjects.dedup();
    if subjects.is_empty() {
        return Ok(Active::default());
    }
    let asked: Vec<&str> = subjects.iter().map(String::as_str).collect();
    let states = stores.subjects.states(&asked).await?;
    // Asked after the states: of a subject that is gone a row may be left.
    let gone = stores.gone.among(asked.iter().copied()).await?;
    let shown = |state: &SubjectState| state.active && orgs.iter().any(|org| state.is_of(org));
    let living = asked.iter().zip(states).filter(|(subject, _)| !gone.contains(**subject));
    let subjects: Vec<(String, SubjectState)> =
        living.filter_map(|(subject, state)| Some(((*subject).to_owned(), state.filter(shown)?))).collect();
    let is_shown = |subject: &String| subjects.binary_search_by(|(known, _)| known.cmp(subject)).is_ok();
    let leading = named.iter().filter(|(_, subject)| is_shown(subject)).map(|(name, _)| (*name).to_owned()).collect();
    Ok(Active { subjects, leading })
}

/// How many of the identifiers that were given lead to somebody, and how many do not. One of our own names counts as one. An identifier
/// that is given twice is one, so that known ones cannot be given again and again beside guesses.
pub(crate) fn counted(
    query: &Query,
    keys: Option<&Keys>,
    subjects: usize,
    leading: &BTreeSet<String>,
) -> (usize, usize) {
    if query.given.is_empty() {
        return if subjects == 0 { (0, 1) } else { (1, 0) };
    }
    let leads = |identifier: &Identifier| {
        keys.is_some_and(|keys| keys.ring.pseudonyms(identifier).iter().any(|one| leading.contains(one.as_str())))
    };
    let found = query.given.iter().filter(|readings| readings.iter().any(leads)).count();
    (found, query.given.len() - found)
}
