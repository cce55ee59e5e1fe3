//! Records and their keys: what goes whole, what is shared, and which keys go.
//!
//! Invariant: whoever is neither in the request nor dead lives. Of a record that was listed, others who name no person do not count.
//! An agent's key never goes.

use std::collections::{BTreeMap, BTreeSet};

use ledgerline_event::instant;
use ledgerline_ledger::entry::Party as Side;
use ledgerline_sealed::{KeyRow, WrappedKey};
use ledgerline_store::cutoff::Cutoff;
use ledgerline_store::party::Party;
use ledgerline_store::request::Approved;

use crate::request::preview::Other;

/// A record that an erasure comes to, as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordSeen {
    /// Its row.
    pub party: Party,
    /// The request lists it, and no identifier leads to it.
    pub listed: bool,
    /// When its last event occurred, epoch milliseconds, as far as is known.
    pub last_ms: Option<i64>,
    /// The approver lets its joint content go, although it is shared.
    pub decided_erase: bool,
}

/// What becomes of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordRule {
    /// Somebody lives on who has part in it, or may have.
    pub shared: bool,
    /// Up to when all of its events are suppressed; of a shared record as far as they were before.
    pub cutoff: Option<Cutoff>,
    /// The subjects that are taken out of its row.
    pub take: BTreeSet<String>,
    /// What nobody owns goes.
    pub joint_goes: bool,
    /// Up to when anything of it goes.
    pub until: Cutoff,
}

/// What becomes of a record by the erasure of `own` up to `cutoff_ms`, decided at `now_ms`. `others` are those who live of the rest of its
/// subjects, `dead` those who do not.
pub fn record_rule(
    seen: &RecordSeen,
    own: &BTreeSet<String>,
    dead: &BTreeSet<String>,
    others: &BTreeMap<String, Other>,
    cutoff_ms: i64,
    now_ms: i64,
) -> RecordRule {
    let RecordSeen { party, listed, last_ms, decided_erase } = seen;
    // Whoever was not looked up may live.
    let unknown =
        party.subjects.iter().any(|one| !own.contains(one) && !dead.contains(one) && !others.contains_key(one));
    let is_full = party.is_full() || unknown;
    let shared = is_shared(counted(&party.subjects, own, others, *listed).count(), is_full);
    let whole = match is_closed(*last_ms, now_ms) {
        true => Cutoff::Closed,
        false => Cutoff::At(full_hour(cutoff_ms)),
    };
    let cutoff = party.cutoff.max((!shared).then_some(whole));
    let until = cutoff.map_or(Cutoff::At(cutoff_ms), |cutoff| cutoff.max(Cutoff::At(cutoff_ms)));
    let take = party.subjects.intersection(own).cloned().collect();
    RecordRule { shared, cutoff, take, joint_goes: !shared || *decided_erase, until }
}

/// Those of a record's subjects who count against erasing all of it, as preview and erasure see it: they live, they are not the request's
/// `own`, and of a record that was listed they name a person.
pub fn counted<'o>(
    subjects: &BTreeSet<String>,
    own: &BTreeSet<String>,
    others: &'o BTreeMap<String, Other>,
    listed: bool,
) -> impl Iterator<Item = &'o Other> {
    let live = subjects.difference(own).filter_map(|subject| others.get(subject));
    live.filter(move |other| !(listed && other.is_shared)).collect::<Vec<_>>().into_iter()
}

/// Whether a record is shared: by those who count, or since it may have more subjects than it names.
pub fn is_shared(counted: usize, is_full: bool) -> bool {
    counted > 0 || is_full
}

/// The keys of a record's row that go, by their ids.
pub fn keys_that_go(
    row: &KeyRow,
    rule: &RecordRule,
    own: &BTreeSet<String>,
    dead: &BTreeSet<String>,
    others: &BTreeMap<String, Other>,
    listed: bool,
) -> BTreeSet<String> {
    // Whoever was not looked up lives.
    let lives_on = |subject: &String| {
        let is_dead = match others.get(subject) {
            Some(other) => listed && other.is_shared,
            None => dead.contains(subject),
        };
        !own.contains(subject) && !is_dead
    };
    let goes = |key: &WrappedKey| {
        let is_joint = key.subjects.is_empty();
        match key.party {
            // It seals what was said of the agent's side.
            Side::Agent => false,
            Side::Joint => rule.joint_goes,
            Side::Customer if is_joint => rule.joint_goes,
            Side::Customer if !key.subjects.is_disjoint(own) => true,
            Side::Customer => (listed || !rule.shared) && !key.subjects.iter().any(lives_on),
        }
    };
    // A key whose first event's time does not read is taken for the earliest.
    let is_reached = |key: &WrappedKey| instant::parse(&key.first).is_none_or(|first| rule.until.covers(first, first));
    row.keys.iter().filter(|(_, key)| is_reached(key) && goes(key)).map(|(id, _)| id.clone()).collect()
}

/// The next full hour, or this moment if it is one; epoch milliseconds. The exact time of an erasure would join all of a person's records.
pub fn full_hour(ms: i64) -> i64 {
    ms.saturating_add(HOUR_MS - 1).div_euclid(HOUR_MS) * HOUR_MS
}

/// Whether nothing more is to come of a record: its last event is older than [`CLOSED_MS`].
pub fn is_closed(last_ms: Option<i64>, now_ms: i64) -> bool {
    last_ms.is_some_and(|last_ms| now_ms.saturating_sub(last_ms) > CLOSED_MS)
}

/// Whether an execution found so much more than was approved that somebody must approve it again: in any count more than a tenth, rounded
/// up, and five beside.
pub fn exceeds(approved: &Approved, found: &Approved) -> bool {
    let counts = |of: &Approved| [of.records, of.shared, of.lines, of.entries];
    let at_most = |count: u64| count.saturating_add(count.div_ceil(10)).saturating_add(5);
    counts(approved).into_iter().zip(counts(found)).any(|(approved, found)| found > at_most(approved))
}

const HOUR_MS: i64 = 3_600_000;
/// 14 days: no source sends an event so late.
const CLOSED_MS: i64 = 14 * 24 * HOUR_MS;

#[cfg(test)]
mod tests;
