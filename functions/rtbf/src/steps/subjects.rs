//! 2. Subjects end, one transaction each: it is gone, erasing, without identifiers, and the request knows whom it ended.
//!
//! A subject that was made beside the tombstones is a stranger's, however often this is done: whoever makes it has seen them, and links
//! nothing that they cover. One that was made before them is not, although that may have been after the cutoff. So the first thing that the
//! step does is to save, as its cursor, a time at which all of them were there; only subjects that were made by then end. Where an
//! identifier has no tombstone, its subject names no person and stays.
//!
//! | crash leaves | done again |
//! |---|---|
//! | whole subjects that ended, others that did not | who is gone and has no identifier is passed over |

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use ledgerline_event::instant;
use ledgerline_ledger::store::{Failure, StoreError};
use ledgerline_saga::{Outcome, Position, Step};
use ledgerline_store::cutoff::Cutoff;
use ledgerline_store::subject::{Ending, SubjectName, SubjectRef};

use crate::people::{KEYS_PER_READ, Name, States, borrowed, flat, groups};
use crate::record::pause;
use crate::request::Request;
use crate::rules::tombs_of;

pub(super) const NAME: &str = "subjects";

pub(super) struct Subjects;

/// How often all is read again since others wrote.
const ROUNDS: u32 = 10;

#[async_trait]
impl<'a> Step<Request<'a>> for Subjects {
    fn name(&self) -> &'static str {
        NAME
    }

    async fn run(&self, request: &Request<'a>, at: &Position, _: i64) -> Result<Outcome, StoreError> {
        let made_by_ms = match i64::try_from(at.cursor) {
            // Sent back here, long after.
            _ if at.backs > 0 => request.cutoff_ms,
            Ok(0) => return Ok(Outcome::More(u64::try_from(request.call.now_ms()).unwrap_or_default())),
            Ok(tombed_ms) => tombed_ms,
            Err(_) => request.cutoff_ms,
        };
        for round in 0..ROUNDS {
            let ends = ends(request, made_by_ms).await?;
            let mut clashed = false;
            for (subject, names) in &ends {
                let ending = Ending { request: request.id, subject, identifiers: &borrowed(names) };
                match request.call.stores.subjects.end(&request.call.stores.control, &ending).await {
                    Ok(()) => {}
                    // A run of transform is linking it, or another request was faster.
                    Err(StoreError::Conflict(_)) => clashed = true,
                    Err(error) => return Err(error),
                }
            }
            if !clashed {
                return Ok(Outcome::Done);
            }
            pause(request.call.stores.random(), round).await;
        }
        Err(StoreError::Conflict(Failure::new(format!("subjects: others wrote them {ROUNDS} times"))))
    }
}

/// Who is to end yet of those who were made by a time, each with the identifiers whose rows name it.
pub(super) async fn ends(request: &Request<'_>, made_by_ms: i64) -> Result<Vec<(SubjectRef, Vec<Name>)>, StoreError> {
    let (row, who) = (request.row().await?, request.who().await?);
    let (stores, cap) = (request.call.stores, request.call.settings.fan_out_cap);
    let names = flat(&groups(&row, &who));
    let mut named = identifiers(request, &names).await?;
    let given: BTreeSet<String> = who.subjects.iter().cloned().collect();
    let found = named.values().flatten().map(|(subject, _)| subject.subject_id.clone());
    let all: BTreeSet<String> = found.chain(given.iter().cloned()).collect();
    let states = States::read(stores, &all).await?;
    // Identifiers of subjects that were asked for by their ids.
    let of_given: BTreeSet<Name> =
        given.iter().filter_map(|one| states.live(one)?.name.as_ref().map(name_of)).collect();
    let more: Vec<Name> = of_given.iter().filter(|name| !names.contains(name)).cloned().collect();
    named.extend(identifiers(request, &more).await?);
    let asked: BTreeSet<Name> = names.into_iter().chain(more).collect();
    let tombs = tombs_of(&request.call, &request.keys, &asked).await?;
    let is_tombed = |name: &Name| tombs.get(name).is_some_and(|cutoff| *cutoff >= Cutoff::At(request.cutoff_ms));

    let mut ends: BTreeMap<String, (SubjectRef, Vec<Name>)> = BTreeMap::new();
    for (name, of_name) in &named {
        if let Some((subject, created_at)) = of_name {
            let was_made = created_at.as_ref().is_none_or(|at| *at <= instant::to_rfc3339(made_by_ms));
            if was_made && is_tombed(name) && states.live(&subject.subject_id).is_some() {
                let end = ends.entry(subject.subject_id.clone()).or_insert_with(|| (subject.clone(), Vec::new()));
                end.1.push(name.clone());
            }
        }
    }
    for subject_id in given {
        let Some(state) = states.live(&subject_id) else { continue };
        let is_tombed = state.name.as_ref().map(name_of).is_some_and(|name| is_tombed(&name));
        let Some(customer_ref) = state.customer_ref.clone().filter(|_| is_tombed || !state.is_shared(cap)) else {
            continue;
        };
        let is_named = |of_name: &(SubjectRef, Option<String>)| of_name.0.subject_id == subject_id;
        let names = named.iter().filter(|(_, of_name)| of_name.iter().any(is_named)).map(|(name, _)| name.clone());
        let names = names.collect();
        ends.entry(subject_id.clone()).or_insert((SubjectRef { subject_id, customer_ref }, names));
    }
    Ok(ends.into_values().collect())
}

fn name_of(name: &SubjectName) -> Name {
    (name.org.clone(), name.pseudonym.clone())
}

/// Whom these names name, and since when.
type Named = BTreeMap<Name, Option<(SubjectRef, Option<String>)>>;

async fn identifiers(request: &Request<'_>, names: &[Name]) -> Result<Named, StoreError> {
    let mut found = Named::new();
    for asked in names.chunks(KEYS_PER_READ) {
        let rows = request.call.stores.subjects.identifier_rows(&borrowed(asked)).await?;
        let named = asked.iter().zip(rows);
        found.extend(named.map(|(name, row)| (name.clone(), row.map(|row| (row.subject, row.created_at)))));
    }
    Ok(found)
}
