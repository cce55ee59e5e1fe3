//! From the customer side's identifiers to subjects, and from subjects to the interactions that they took part in. An identifier in
//! the events of two orgs is two mentions, and two subjects.
//!
//! An identifier that cannot resolve (its subject is being erased, or is shared) resolves nobody; it never stops a batch. Clashes with other transactions are settled by reading again, with pauses, until the deadline.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use ledgerline_custody::subjects::{Limits, LinkPlan, WantedLink, count_links, plan_links};
use ledgerline_lambda::telemetry;
use ledgerline_ledger::store::{Failure, StoreError};
use ledgerline_privacy::Kind;
use ledgerline_store::subject::{Link, SubjectName, SubjectRef, SubjectState, SubjectWrite, Subjects};

use crate::{CALLS_AT_ONCE, Random};

/// Clashes in a row of rounds before the message goes back to the queue. On average half of 100 + 200 + 400 + 800 +
/// 1,600 + 5 × 3,200 ms: 10 s of waiting, far inside the function's time-out.
const CLASHES: u32 = 10;

/// What an object's events of one org say about one identifier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mention {
    /// The identifier's place in the object.
    pub identifier: usize,
    /// The org.
    pub org: String,
    /// What the identifier is.
    pub kind: Kind,
    /// The identifier's pseudonyms under all versions of the key, newest first; the newest names a new subject.
    pub pseudonyms: Vec<String>,
    /// The org's records that it takes part in, each once.
    pub links: Vec<WantedLink>,
}

/// Who took part in what: (the identifier's place, record) to `customer_ref`. Absent: nobody.
pub type Resolved = BTreeMap<(usize, String), String>;

/// Resolves every mention, writing what is new, and tells of each subject that becomes busy. `now` is RFC 3339: a new
/// subject's time, and the day that new links are counted into.
///
/// A crash anywhere in here leaves complete subjects and complete links: each write is one transaction. The next run
/// finds them and writes only what is missing.
///
/// # Errors
/// `Conflict` if clashes outlast ten pauses; whatever else the store reports.
pub async fn resolve(
    subjects: &Subjects,
    mentions: &[Mention],
    limits: Limits,
    now: &str,
    random: Random<'_>,
) -> Result<Resolved, StoreError> {
    let mut resolved = Resolved::new();
    let mut open: Vec<usize> = (0..mentions.len()).filter(|&mention| !mentions[mention].links.is_empty()).collect();
    let mut clashes = 0;
    while !open.is_empty() {
        let plans = read(subjects, mentions, &open, limits, random).await?;
        let steps: Vec<(Step, Plan)> = stream::iter(plans)
            .map(|plan| async move {
                let step = carry_out(subjects, &plan, limits, now).await?;
                Ok::<_, StoreError>((step, plan))
            })
            .buffered(CALLS_AT_ONCE)
            .try_collect()
            .await?;
        open.clear();
        let mut clashed = false;
        for (step, plan) in steps {
            clashed |= step == Step::Clashed;
            match step {
                Step::Settled => plan.into_resolved(mentions, &mut resolved),
                Step::MoreToWrite | Step::Clashed => open.push(plan.mention),
            }
        }
        if clashed {
            clashes += 1;
            if clashes > CLASHES {
                let what = format!("{} subjects kept clashing with other writers", open.len());
                return Err(StoreError::Conflict(Failure::new(what)));
            }
            pause(clashes, random).await;
        }
    }
    Ok(resolved)
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
    subject: SubjectRef,
    state: SubjectState,
    links: LinkPlan,
}

impl Plan {
    fn into_resolved(self, mentions: &[Mention], resolved: &mut Resolved) {
        let Mention { identifier, links, .. } = &mentions[self.mention];
        for (want, linked) in links.iter().zip(self.links.linked) {
            if linked {
                resolved.insert((*identifier, want.record.clone()), self.subject.customer_ref.clone());
            }
        }
    }
}

/// Reads what is stored about the open mentions and plans each; mentions that resolve nobody have no plan.
async fn read(
    subjects: &Subjects,
    mentions: &[Mention],
    open: &[usize],
    limits: Limits,
    random: Random<'_>,
) -> Result<Vec<Plan>, StoreError> {
    let of_mention = |&mention: &usize| {
        let Mention { org, pseudonyms, .. } = &mentions[mention];
        pseudonyms.iter().map(|pseudonym| (org.as_str(), pseudonym.as_str()))
    };
    let names: Vec<(&str, &str)> = open.iter().flat_map(of_mention).collect();
    let mut rows = subjects.identifiers(&names).await?.into_iter();
    let mut plans = Vec::with_capacity(open.len());
    let mut known = Vec::new();
    for &mention in open {
        // All of this mention's rows are taken, whichever of them is found first.
        let Mention { org, kind, pseudonyms, links: wanted, .. } = &mentions[mention];
        let found: Vec<SubjectRef> = rows.by_ref().take(pseudonyms.len()).flatten().collect();
        match (found.into_iter().next(), pseudonyms.first()) {
            (Some(subject), _) => known.push((mention, subject)),
            (None, Some(newest)) => {
                let state = SubjectState::NEW;
                let links = plan_links(state.room(limits.cap), wanted, &vec![None; wanted.len()]);
                let subject = SubjectRef::from_random(random_32(random));
                let create = Some(SubjectName { org: org.clone(), kind: *kind, pseudonym: newest.clone() });
                plans.push(Plan { mention, create, subject, state, links });
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
    let (states, links) = subjects.read(&ids, &pairs).await?;
    let mut links = links.into_iter();
    let planned: Vec<Plan> = known
        .iter()
        .zip(states)
        .filter_map(|((mention, subject), state)| {
            let existing: Vec<Option<Link>> = links.by_ref().take(mentions[*mention].links.len()).collect();
            let state = state.filter(|state| state.active)?;
            let links = plan_links(state.room(limits.cap), &mentions[*mention].links, &existing);
            Some(Plan { mention: *mention, create: None, subject: subject.clone(), state, links })
        })
        .collect();
    plans.extend(planned);
    Ok(plans)
}

/// Writes what the plan has to write.
async fn carry_out(subjects: &Subjects, plan: &Plan, limits: Limits, now: &str) -> Result<Step, StoreError> {
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
            SubjectWrite::Create { name, subject, created_at, fills, links }
        }
        None => SubjectWrite::Link {
            subject_id: &plan.subject.subject_id,
            generation: plan.state.generation,
            links_at_most: count.links_at_most,
            growth: count.growth,
            links,
        },
    };
    match subjects.write(&write).await {
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

/// Full jitter: somewhere between nothing and 50 ms × 2^clashes, at most 3.2 s.
async fn pause(clashes: u32, random: Random<'_>) {
    let longest_ms = 50u64 << clashes.min(6);
    let mut bytes = [0; 8];
    random(&mut bytes);
    tokio::time::sleep(Duration::from_millis(u64::from_le_bytes(bytes) % longest_ms)).await;
}

fn random_32(random: Random<'_>) -> [u8; 32] {
    let mut bytes = [0; 32];
    random(&mut bytes);
    bytes
}
