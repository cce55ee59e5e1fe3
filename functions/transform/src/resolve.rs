//! From the customer side's identifiers to subjects, and from subjects to the interactions that they took part in. An identifier in
//! the events of two orgs is two mentions, and two subjects.
//!
//! An identifier whose subject is shared resolves nobody. One whose subject is gone gets a new one. Whatever clashes with
//! another writer, an erasure that is under way among them, is for the caller to ask and resolve again: the gate first, as
//! the erasure's tombstone may stand by then.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use ledgerline_custody::subjects::{Limits, LinkPlan, WantedLink, count_links, plan_links};
use ledgerline_lambda::telemetry;
use ledgerline_ledger::store::{Failure, StoreError};
use ledgerline_privacy::Kind;
use ledgerline_store::party::{Parties, Party};
use ledgerline_store::subject::{Link, SubjectName, SubjectRef, SubjectState, SubjectWrite, links_of_create};
use ledgerline_store::tombstone::Suppression;

use crate::stores::Stores;
use crate::{CALLS_AT_ONCE, Random};

/// Clashes before the message goes back to the queue. On average half of 100 + 200 + 400 + 800 +
/// 1,600 + 5 × 3,200 ms: 10 s of waiting, far inside the function's time-out.
const CLASHES: u32 = 10;

/// What an object's events of one org say about one identifier.
#[derive(Clone, Debug)]
pub struct Mention<'g> {
    /// The identifier's place in the object.
    pub identifier: usize,
    /// The org.
    pub org: String,
    /// What the identifier is.
    pub kind: Kind,
    /// The identifier's pseudonyms under all versions of the key, newest first; the newest names a new subject.
    pub pseudonyms: Vec<String>,
    /// Its tombstones as the gate read them: they must be the same when it gets a subject.
    pub tombs: Vec<&'g Suppression>,
    /// The org's records that it takes part in, each once.
    pub links: Vec<WantedLink>,
}

/// Who took part in what.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resolved {
    /// (The identifier's place, record) to `customer_ref`. Absent: nobody.
    pub names: BTreeMap<(usize, String), String>,
    /// The subjects that have a link to each record, shared ones too.
    pub linked: BTreeMap<String, BTreeSet<String>>,
}

/// Resolves every mention, writing what is new, and tells of each subject that becomes busy. `now` is RFC 3339: a new
/// subject's time, and the day that new links are counted into.
///
/// A crash anywhere in here leaves complete subjects and complete links: each write is one transaction. The next run
/// finds them and writes only what is missing.
///
/// # Errors
/// `Conflict` if any of it clashed with another writer, whatever else could be written; whatever else the stores report.
pub async fn resolve(
    stores: &Stores,
    mentions: &[Mention<'_>],
    limits: Limits,
    now: &str,
) -> Result<Resolved, StoreError> {
    let mut resolved = Resolved::default();
    let mut open: Vec<usize> = (0..mentions.len()).filter(|&mention| !mentions[mention].links.is_empty()).collect();
    while !open.is_empty() {
        let plans = read(stores, mentions, &open, limits).await?;
        let steps: Vec<(Step, Plan)> = stream::iter(plans)
            .map(|plan| async move {
                let step = carry_out(stores, &mentions[plan.mention], &plan, limits, now).await?;
                Ok::<_, StoreError>((step, plan))
            })
            .buffered(CALLS_AT_ONCE)
            .try_collect()
            .await?;
        open.clear();
        let mut clashed = 0;
        for (step, plan) in steps {
            match step {
                Step::Settled => plan.into_resolved(mentions, &mut resolved),
                Step::MoreToWrite => open.push(plan.mention),
                Step::Clashed => clashed += 1,
            }
        }
        if clashed > 0 {
            return Err(StoreError::Conflict(Failure::new(format!("{clashed} subjects clashed with other writers"))));
        }
    }
    Ok(resolved)
}

/// Admits to each record those who are linked to it, and sees that no erasure reached it since the gate read its row.
///
/// # Errors
/// `Conflict` if one did, or another run wrote a row; whatever else the store reports.
pub async fn admit<'a>(
    parties: &Parties,
    admissions: impl Iterator<Item = (&'a str, &'a Party, &'a BTreeSet<String>)>,
) -> Result<(), StoreError> {
    let admitted = stream::iter(admissions).map(|(record, seen, subjects)| parties.admit(record, seen, subjects));
    // None is given up half way: it would clash with its own repetition.
    let admitted: Vec<Result<(), StoreError>> = admitted.buffered(CALLS_AT_ONCE).collect().await;
    admitted.into_iter().collect()
}

/// Clashes of one run with other writers.
#[derive(Debug, Default)]
pub struct Clashes(u32);

impl Clashes {
    /// Waits before it is all asked again.
    ///
    /// # Errors
    /// The clash, as `Conflict`, once there were too many.
    pub async fn pause(&mut self, clash: Failure, random: Random<'_>) -> Result<(), StoreError> {
        self.0 += 1;
        if self.0 > CLASHES {
            return Err(StoreError::Conflict(clash));
        }
        // Full jitter: somewhere between nothing and 50 ms × 2^clashes, at most 3.2 s.
        let longest_ms = 50u64 << self.0.min(6);
        let mut bytes = [0; 8];
        random(&mut bytes);
        tokio::time::sleep(Duration::from_millis(u64::from_le_bytes(bytes) % longest_ms)).await;
        Ok(())
    }
}

/// What became of a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// Everything it wanted is stored.
    Settled,
    /// Stored, and more is left than one transaction holds.
    MoreToWrite,
    /// Somebody else wrote: read again.
    Clashed,
}

/// What one round will do about one mention.
struct Plan {
    mention: usize,
    /// What to create the subject under, if there is none.
    create: Option<SubjectName>,
    /// The subject that the identifier's row names and that is gone.
    replaces: Option<String>,
    subject: SubjectRef,
    state: SubjectState,
    links: LinkPlan,
    /// Of each wanted link, whether there was one.
    existed: Vec<bool>,
}

impl Plan {
    fn into_resolved(self, mentions: &[Mention<'_>], resolved: &mut Resolved) {
        let Mention { identifier, links, .. } = &mentions[self.mention];
        for ((want, linked), existed) in links.iter().zip(self.links.linked).zip(self.existed) {
            if linked {
                resolved.names.insert((*identifier, want.record.clone()), self.subject.customer_ref.clone());
            }
            if linked || existed {
                let subjects = resolved.linked.entry(want.record.clone()).or_default();
                subjects.insert(self.subject.subject_id.clone());
            }
        }
    }
}

/// Reads what is stored about the open mentions and plans each; mentions that resolve nobody have no plan. A subject that is
/// being erased is a clash: it is gone soon.
async fn read(
    stores: &Stores,
    mentions: &[Mention<'_>],
    open: &[usize],
    limits: Limits,
) -> Result<Vec<Plan>, StoreError> {
    let of_mention = |&mention: &usize| {
        let Mention { org, pseudonyms, .. } = &mentions[mention];
        pseudonyms.iter().map(|pseudonym| (org.as_str(), pseudonym.as_str()))
    };
    let names: Vec<(&str, &str)> = open.iter().flat_map(of_mention).collect();
    let rows = stores.subjects.identifiers(&names).await?;
    let found: BTreeSet<&str> = rows.iter().flatten().map(|subject| subject.subject_id.as_str()).collect();
    let found: Vec<&str> = found.into_iter().collect();
    let gone = stores.gone.of(&found).await?;
    let gone: BTreeSet<String> =
        found.into_iter().zip(gone).filter(|(_, gone)| *gone).map(|(subject, _)| subject.to_owned()).collect();
    let mut rows = rows.into_iter();
    let mut plans = Vec::with_capacity(open.len());
    let mut known = Vec::new();
    for &mention in open {
        // All of this mention's rows are taken, whichever of them is found first.
        let Mention { org, kind, pseudonyms, links: wanted, .. } = &mentions[mention];
        let found: Vec<Option<SubjectRef>> = rows.by_ref().take(pseudonyms.len()).collect();
        let of_newest = found.first().and_then(Option::as_ref).map(|subject| subject.subject_id.clone());
        let alive = found.into_iter().flatten().find(|subject| !gone.contains(&subject.subject_id));
        match (alive, pseudonyms.first()) {
            (Some(subject), _) => known.push((mention, subject)),
            (None, Some(newest)) => {
                let state = SubjectState::NEW;
                let tombstones = mentions[mention].tombs.iter().map(|seen| seen.rows()).sum();
                let links = plan_links(state.room(limits.cap), wanted, &vec![None; wanted.len()])
                    .at_most(links_of_create(tombstones));
                let subject = SubjectRef::from_random(random_32(stores.random()));
                let create = Some(SubjectName { org: org.clone(), kind: *kind, pseudonym: newest.clone() });
                let existed = vec![false; wanted.len()];
                plans.push(Plan { mention, create, replaces: of_newest, subject, state, links, existed });
            }
            (None, None) => {}
        }
    }
    if known.is_empty() {
        return Ok(plans);
    }
    let ids: Vec<&str> = known.iter().map(|(_, subject)| subject.subject_id.as_str()).collect();
    let pairs: Vec<(&str, &str)> = known
        .iter()
        .flat_map(|(mention, subject)| {
            mentions[*mention].links.iter().map(|want| (subject.subject_id.as_str(), want.record.as_str()))
        })
        .collect();
    let (states, links) = stores.subjects.read(&ids, &pairs).await?;
    let mut links = links.into_iter();
    for ((mention, subject), state) in known.iter().zip(states) {
        let (mention, subject) = (*mention, subject.clone());
        let existing: Vec<Option<Link>> = links.by_ref().take(mentions[mention].links.len()).collect();
        let Some(state) = state.filter(|state| state.active) else {
            return Err(StoreError::Conflict(Failure::new("a subject is being erased")));
        };
        let links = plan_links(state.room(limits.cap), &mentions[mention].links, &existing);
        let existed = existing.iter().map(Option::is_some).collect();
        plans.push(Plan { mention, create: None, replaces: None, subject, state, links, existed });
    }
    Ok(plans)
}

/// Writes what the plan has to write.
async fn carry_out(
    stores: &Stores,
    mention: &Mention<'_>,
    plan: &Plan,
    limits: Limits,
    now: &str,
) -> Result<Step, StoreError> {
    let links = plan.links.writes.clone();
    if links.is_empty() {
        // Nothing is new and nothing widens; or the subject is shared, and no subject is made for nobody.
        return Ok(Step::Settled);
    }
    let count = count_links(&plan.state, limits, now, plan.links.new);
    let write = match &plan.create {
        Some(name) => {
            let (name, subject, created_at) = (name.clone(), plan.subject.clone(), now.to_owned());
            let fills = count.growth.is_some_and(|growth| growth.fills);
            let tombs = stores.tombs.unchanged(mention.tombs.iter().copied());
            SubjectWrite::Create { name, replaces: plan.replaces.as_deref(), subject, created_at, fills, links, tombs }
        }
        None => SubjectWrite::Link {
            subject_id: &plan.subject.subject_id,
            generation: plan.state.generation,
            links_at_most: count.links_at_most,
            growth: count.growth,
            links,
        },
    };
    match stores.subjects.write(write).await {
        Ok(()) => {
            if let Some(links) = count.busy {
                telemetry::busy_subject(&plan.subject.subject_id, links);
            }
            Ok(if plan.links.complete { Step::Settled } else { Step::MoreToWrite })
        }
        Err(StoreError::Conflict(_)) => Ok(Step::Clashed),
        Err(error) => Err(error),
    }
}

fn random_32(random: Random<'_>) -> [u8; 32] {
    let mut bytes = [0; 32];
    random(&mut bytes);
    bytes
}
