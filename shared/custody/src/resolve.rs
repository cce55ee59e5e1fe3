//! From the customer side's identifiers to subjects, and from subjects to the interactions that they took part in. An identifier in
//! the events of two orgs is two mentions, and two subjects.
//!
//! An identifier whose subject is shared resolves nobody. One whose subject is gone gets a new one. What clashes with another
//! writer, an erasure that is under way among them, is tried again by itself as long as what the gate read of it still holds. If
//! it does not, the caller must ask the gate again.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use ledgerline_ledger::store::{Failure, StoreError};
use ledgerline_privacy::Kind;
use ledgerline_store::gone::Gone;
use ledgerline_store::party::Parties;
use ledgerline_store::subject::{Link, SubjectName, SubjectRef, SubjectState, SubjectWrite, Subjects, links_of_create};
use ledgerline_store::tombstone::{Suppression, Tombs};

use crate::acts::Random;
use crate::subjects::{Limits, LinkPlan, WantedLink, count_links, plan_links};

/// Calls under way at once: enough to hide a round trip of some 5 ms behind the others (16 / 5 ms = 3,200 a second).
const CALLS_AT_ONCE: usize = 16;

/// Clashes before the message goes back to the queue. On average half of 100 + 200 + 400 + 800 +
/// 1,600 + 5 × 3,200 ms: 10 s of waiting, far inside the function's time-out.
const CLASHES: u32 = 10;

/// Where subjects are resolved.
#[derive(Clone, Copy)]
pub struct ResolveStores<'a> {
    /// Identifiers, subjects, links.
    pub subjects: &'a Subjects,
    /// Who takes part in records.
    pub parties: &'a Parties,
    /// Up to when people's events are suppressed.
    pub tombs: &'a Tombs,
    /// Names that are gone for good.
    pub gone: &'a Gone,
    /// Fills new subjects' names, and jitter.
    pub random: Random<'a>,
    /// Is told of each subject that becomes busy, with its new links of the day, by the write that makes it so.
    pub tell_busy: &'a (dyn Fn(&str, u64) + Send + Sync),
}

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
    /// The org's records that it takes part in, each once, with their rows as the gate read them.
    pub links: Vec<WantedLink>,
}

/// Who took part in what.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resolved {
    /// (The identifier's place, record) to its subject. Absent: nobody.
    pub names: BTreeMap<(usize, String), SubjectRef>,
    /// How many new links each record got: no erasure had reached it by then since the gate read its row.
    pub joined: BTreeMap<String, usize>,
}

/// Resolves every mention, writing what is new, and tells of each subject that becomes busy. `now` is RFC 3339: a new
/// subject's time, and the day that new links are counted into.
///
/// A crash anywhere in here leaves complete subjects and complete links, each with its subject in the record's row: each write is one
/// transaction. The next run finds them and writes only what is missing.
///
/// # Errors
/// `Conflict` if an erasure changed what the gate read of something that clashed or of who has a subject already, or clashes outlast
/// the pauses; `Corrupt`, once all else is written, for a subject without a state; whatever else the stores report.
pub async fn resolve(
    stores: &ResolveStores<'_>,
    mentions: &[Mention<'_>],
    limits: Limits,
    now: &str,
    clashes: &mut Clashes,
) -> Result<Resolved, StoreError> {
    let mut resolved = Resolved::default();
    let mut stateless = 0;
    let mut open: Vec<usize> = (0..mentions.len()).filter(|&mention| !mentions[mention].links.is_empty()).collect();
    while !open.is_empty() {
        let mut round = read(stores, mentions, &open, limits).await?;
        stateless += round.stateless;
        open.clear();
        for batch in batches(round.plans) {
            let joined = &resolved.joined;
            let steps: Vec<(Step, Plan)> = stream::iter(batch)
                .map(|plan| async move {
                    let step = carry_out(stores, &mentions[plan.mention], &plan, joined, limits, now).await?;
                    Ok::<_, StoreError>((step, plan))
                })
                .buffered(CALLS_AT_ONCE)
                .try_collect()
                .await?;
            for (step, plan) in steps {
                match step {
                    Step::Settled => plan.into_resolved(mentions, &mut resolved),
                    Step::MoreToWrite => {
                        plan.note_joined(&mut resolved);
                        open.push(plan.mention);
                    }
                    Step::Clashed => round.clashed.push(plan.mention),
                }
            }
        }
        let clashed = round.clashed;
        if !clashed.is_empty() {
            if !are_as_seen(stores, clashed.iter().map(|&mention| &mentions[mention])).await? {
                return Err(StoreError::Conflict(Failure::new("an erasure reached what is being resolved")));
            }
            let what = format!("{} subjects clashed with other writers", clashed.len());
            clashes.pause(Failure::new(what), stores.random).await?;
            open.extend(clashed);
        }
    }
    if stateless > 0 {
        let what = format!("{stateless} identifiers' rows name subjects that have no state and are not gone");
        return Err(StoreError::Corrupt(Failure::new(what)));
    }
    Ok(resolved)
}

/// Whether all that the gate read of these mentions still holds: their records' rows and their tombstones.
async fn are_as_seen<'m>(
    stores: &ResolveStores<'_>,
    mentions: impl Iterator<Item = &'m Mention<'m>> + Clone,
) -> Result<bool, StoreError> {
    let records = mentions.clone().flat_map(|mention| &mention.links);
    let records = records.map(|link| (link.record.as_str(), link.party)).collect();
    let tombs = mentions.flat_map(|mention| mention.tombs.iter().copied());
    Ok(stores.parties.are_as_seen(&records).await? && stores.tombs.are_as_seen(tombs).await?)
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
}

impl Plan {
    /// The records whose rows its new links add the subject to.
    fn joins(&self) -> impl Iterator<Item = &str> {
        self.links.writes.iter().filter(|write| write.joins()).map(|write| write.record.as_str())
    }

    fn note_joined(&self, resolved: &mut Resolved) {
        for record in self.joins() {
            *resolved.joined.entry(record.to_owned()).or_default() += 1;
        }
    }

    fn into_resolved(self, mentions: &[Mention<'_>], resolved: &mut Resolved) {
        self.note_joined(resolved);
        let Mention { identifier, links, .. } = &mentions[self.mention];
        for (want, linked) in links.iter().zip(self.links.linked) {
            if linked {
                resolved.names.insert((*identifier, want.record.clone()), self.subject.clone());
            }
        }
    }
}

/// The plans in batches whose writes may be under way at once: no two of one batch touch the row of one record, for they would
/// clash. So n identifiers of one record are n calls in a row.
fn batches(plans: Vec<Plan>) -> Vec<Vec<Plan>> {
    let mut batches: Vec<Vec<Plan>> = Vec::new();
    // The first batch that each record is not in yet.
    let mut free: HashMap<String, usize> = HashMap::new();
    for plan in plans {
        let at = plan.joins().filter_map(|record| free.get(record)).max().copied().unwrap_or(0);
        free.extend(plan.joins().map(|record| (record.to_owned(), at + 1)));
        if at == batches.len() {
            batches.push(Vec::new());
        }
        batches[at].push(plan);
    }
    batches
}

/// What was read of the open mentions.
#[derive(Default)]
struct Round {
    /// Those that resolve nobody have none.
    plans: Vec<Plan>,
    /// Those whose subject is being erased: it is gone soon.
    clashed: Vec<usize>,
    /// How many name a subject that is not gone and has no state, which no writer leaves behind.
    stateless: usize,
}

/// Reads what is stored about the open mentions and plans each.
async fn read(
    stores: &ResolveStores<'_>,
    mentions: &[Mention<'_>],
    open: &[usize],
    limits: Limits,
) -> Result<Round, StoreError> {
    let of_mention = |&mention: &usize| {
        let Mention { org, pseudonyms, .. } = &mentions[mention];
        pseudonyms.iter().map(|pseudonym| (org.as_str(), pseudonym.as_str()))
    };
    let names: Vec<(&str, &str)> = open.iter().flat_map(of_mention).collect();
    let rows = stores.subjects.identifiers(&names).await?;
    let found = rows.iter().flatten().map(|subject| subject.subject_id.as_str());
    let dead: BTreeSet<String> = stores.gone.among(found).await?.into_iter().map(str::to_owned).collect();
    let mut rows = rows.into_iter();
    let mut round = Round::default();
    let mut known = Vec::new();
    for &mention in open {
        // All of this mention's rows are taken, whichever of them is found first.
        let Mention { org, kind, pseudonyms, links: wanted, .. } = &mentions[mention];
        let found: Vec<Option<SubjectRef>> = rows.by_ref().take(pseudonyms.len()).collect();
        let of_newest = found.first().and_then(Option::as_ref).map(|subject| subject.subject_id.clone());
        let alive = found.into_iter().flatten().find(|subject| !dead.contains(&subject.subject_id));
        match (alive, pseudonyms.first()) {
            (Some(subject), _) => known.push((mention, subject)),
            (None, Some(newest)) => {
                let state = SubjectState::NEW;
                let tombstones = mentions[mention].tombs.iter().map(|seen| seen.rows()).sum();
                let links = plan_links(state.room(limits.cap), wanted, &vec![None; wanted.len()])
                    .at_most(links_of_create(tombstones));
                let subject = SubjectRef::from_random(random_32(stores.random));
                let create = Some(SubjectName { org: org.clone(), kind: *kind, pseudonym: newest.clone() });
                round.plans.push(Plan { mention, create, replaces: of_newest, subject, state, links });
            }
            (None, None) => {}
        }
    }
    if known.is_empty() {
        return Ok(round);
    }
    let ids: Vec<&str> = known.iter().map(|(_, subject)| subject.subject_id.as_str()).collect();
    let pairs: Vec<(&str, &str)> = known
        .iter()
        .flat_map(|(mention, subject)| {
            mentions[*mention].links.iter().map(|want| (subject.subject_id.as_str(), want.record.as_str()))
        })
        .collect();
    let (states, links) = stores.subjects.read(&ids, &pairs).await?;
    // Somebody who came back after an erasure has a new subject, made beside a tombstone: what that covers is not theirs. The gate may
    // have asked before there was one.
    let tombs = known.iter().flat_map(|(mention, _)| mentions[*mention].tombs.iter().copied());
    if !stores.tombs.are_as_seen(tombs).await? {
        return Err(StoreError::Conflict(Failure::new("an erasure reached whom it resolves")));
    }
    // A state goes after its subject is gone: one that went since the first look is seen to be by the second.
    let stateless = ids.iter().zip(&states).filter(|(_, state)| state.is_none()).map(|(subject, _)| *subject);
    let dead = stores.gone.among(stateless).await?;
    let mut links = links.into_iter();
    for ((mention, subject), state) in known.iter().zip(states) {
        let (mention, subject) = (*mention, subject.clone());
        let existing: Vec<Option<Link>> = links.by_ref().take(mentions[mention].links.len()).collect();
        match state {
            Some(state) if state.active => {
                let links = plan_links(state.room(limits.cap), &mentions[mention].links, &existing);
                round.plans.push(Plan { mention, create: None, replaces: None, subject, state, links });
            }
            None if !dead.contains(subject.subject_id.as_str()) => round.stateless += 1,
            Some(_) | None => round.clashed.push(mention),
        }
    }
    Ok(round)
}

/// Writes what the plan has to write.
async fn carry_out(
    stores: &ResolveStores<'_>,
    mention: &Mention<'_>,
    plan: &Plan,
    joined: &BTreeMap<String, usize>,
    limits: Limits,
    now: &str,
) -> Result<Step, StoreError> {
    let mut links = plan.links.writes.clone();
    if links.is_empty() {
        // Nothing is new and nothing widens; or the subject is shared, and no subject is made for nobody.
        return Ok(Step::Settled);
    }
    for link in &mut links {
        link.party.subjects += joined.get(&link.record).unwrap_or(&0);
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
                (stores.tell_busy)(&plan.subject.subject_id, links);
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
