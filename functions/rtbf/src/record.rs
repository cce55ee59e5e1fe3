//! What an erasure does to one record: who takes part, up to when its events are suppressed, and its keys.
//!
//! Invariant: (a) the erasure is counted in the record's row, in one transaction with the question whether a hold is on the record;
//! (b) the record's keys are read after that, so that what a run admitted meanwhile is seen, and noted for the act of deletion; (c) a key is
//! gone before (d) it is deleted.
//! Of a record that a hold is on nothing is destroyed: who is to be erased from it is noted in its row until the last hold is lifted.
//!
//! | crash after | what is stored | who repairs |
//! |---|---|---|
//! | (a) | a row that counts the erasure, and keys that open still | done again, it is counted once more, which is harmless |
//! | (c) | keys that are gone, and rows that have them | done again: they are gone already, and go |

use std::collections::BTreeSet;
use std::time::Duration;

use ledgerline_custody::erasure::{JointRule, RecordRule, RecordSeen, keys_that_go, record_rule};
use ledgerline_ledger::store::{Failure, StoreError};
use ledgerline_sealed::KeyRow;
use ledgerline_store::cutoff::Cutoff;
use ledgerline_store::party::{Party, Reach};
use ledgerline_store::table::Key;

use crate::acts::{ActNames, note_keys};
use crate::people::{Known, Others};
use crate::released::alias_of;
use crate::{Call, Random};

/// How often a record is read again since others wrote its row.
const ROUNDS: u32 = 10;
/// What the row of a held record has beside subjects if the approver let its joint content go.
const DECIDED: &str = "erase";
/// What it has if a hint led to the record alone: what tombstones cover goes, and what the record's own end does.
pub(crate) const HINT: &str = "hint";
/// What subjects' ids begin with.
const SUBJECT: &str = "s_";

/// A record that an erasure comes to.
#[derive(Clone, Debug)]
pub(crate) struct Coming<'r> {
    /// `<org>/<record>`.
    pub(crate) record: &'r str,
    /// The request lists it, and no identifier leads to it.
    pub(crate) is_listed: bool,
    /// When its last event occurred, as far as is known.
    pub(crate) last_ms: Option<i64>,
    /// The approver lets its joint content go.
    pub(crate) is_decided: bool,
    /// No pass came to it before: it is counted even if nothing is to be done, so that no run that read it before admits anything.
    pub(crate) is_new: bool,
}

/// By whom, and up to when.
#[derive(Clone, Copy)]
pub(crate) struct Erasure<'e> {
    /// What stands for it in a held record that it lists: its request.
    pub(crate) name: &'e str,
    /// Whom it erases.
    pub(crate) own: &'e BTreeSet<String>,
    /// Epoch milliseconds.
    pub(crate) cutoff_ms: i64,
    pub(crate) others: &'e Others<'e>,
    /// What its acts of deletion are named by; none of a hint, which records nothing.
    pub(crate) acts: Option<&'e ActNames>,
}

/// What became of a record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Reached {
    pub(crate) is_held: bool,
    pub(crate) is_shared: bool,
    /// Whether its row was written.
    pub(crate) is_changed: bool,
    /// Keys that were destroyed.
    pub(crate) keys: usize,
}

/// A record as it was read, and what is to be done about it.
pub(crate) struct Read {
    pub(crate) party: Party,
    pub(crate) rows: Vec<(Key, KeyRow)>,
    pub(crate) rule: RecordRule,
    pub(crate) known: Known,
}

impl Read {
    /// Reads a record.
    pub(crate) async fn of(call: &Call<'_>, erasure: &Erasure<'_>, coming: &Coming<'_>) -> Result<Self, StoreError> {
        let (party, rows) = call.stores.party_keys.of(coming.record).await?;
        let owners = rows.iter().flat_map(|(_, row)| row.keys.values()).flat_map(|key| &key.subjects);
        let others: BTreeSet<String> = party.subjects.iter().chain(owners).cloned().collect();
        let others = others.difference(erasure.own).cloned().collect();
        let known = erasure.others.of(&others).await?;
        let Coming { is_listed, last_ms, is_decided, .. } = *coming;
        let seen = RecordSeen { party: party.clone(), listed: is_listed, last_ms, decided_erase: is_decided };
        let mut rule = record_rule(&seen, erasure.own, &known.dead, &known.live, erasure.cutoff_ms, call.now_ms());
        if alias_of(coming.record).is_some() {
            // The alias goes with it: whoever comes back has another one, and another record.
            rule.until = Cutoff::Closed;
            rule.cutoff = if rule.shared { rule.cutoff } else { Some(Cutoff::Closed) };
        }
        Ok(Self { party, rows, rule, known })
    }

    /// The keys that go, by the rows that have them.
    pub(crate) fn keys_that_go(&self, erasure: &Erasure<'_>, is_listed: bool) -> Vec<(Key, KeyRow, BTreeSet<String>)> {
        let Self { rows, rule, known, .. } = self;
        let goes = |(key, row): &(Key, KeyRow)| {
            let ids = keys_that_go(row, rule, erasure.own, &known.dead, &known.live, is_listed);
            (!ids.is_empty()).then(|| (key.clone(), row.clone(), ids))
        };
        rows.iter().filter_map(goes).collect()
    }

    /// Whether the record's row is to be changed.
    pub(crate) fn changes_row(&self) -> bool {
        let Self { party, rule, .. } = self;
        let goes_farther = rule.cutoff.is_some_and(|cutoff| party.cutoff.is_none_or(|old| old < cutoff));
        goes_farther || !party.subjects.is_disjoint(&rule.take)
    }

    /// What becomes of lines that nobody owns, or no live other, where the record has no cutoff.
    pub(crate) fn joint_rule(&self, coming: &Coming<'_>) -> Option<JointRule> {
        let Self { rule, known, .. } = self;
        if !rule.shared || !(coming.is_listed || coming.is_decided) {
            return None;
        }
        let counted = known.live.iter().filter(|(_, other)| !(coming.is_listed && other.is_shared));
        let others = counted.filter_map(|(subject, _)| known.names.get(subject).cloned()).collect();
        Some(JointRule { until: rule.until, with_nobody: rule.joint_goes, others })
    }
}

/// Lets an erasure reach a record: (a) to (d); or notes that it is put off, if a hold is on it.
pub(crate) async fn reach(call: &Call<'_>, erasure: &Erasure<'_>, coming: &Coming<'_>) -> Result<Reached, StoreError> {
    let (stores, record) = (call.stores, coming.record);
    for round in 0..ROUNDS {
        let read = Read::of(call, erasure, coming).await?;
        let is_shared = read.rule.shared;
        let is_anything =
            coming.is_new || read.changes_row() || !read.keys_that_go(erasure, coming.is_listed).is_empty();
        if !is_anything {
            return Ok(Reached { is_shared, ..Reached::default() });
        }
        let reach = Reach { take: &read.rule.take, cutoff: read.rule.cutoff };
        match stores.parties.reach(&stores.control, record, &read.party, &reach).await {
            Ok(()) => {
                let keys = destroy(call, erasure, coming).await?;
                return Ok(Reached { is_held: false, is_shared, is_changed: true, keys });
            }
            Err(StoreError::Conflict(_)) => {}
            Err(error) => return Err(error),
        }
        if stores.held.is_held(record).await? {
            match put_off(call, erasure, coming, &read).await {
                Ok(()) => return Ok(Reached { is_held: true, is_shared, is_changed: false, keys: 0 }),
                Err(StoreError::Conflict(_)) => {}
                Err(error) => return Err(error),
            }
        }
        pause(stores.random(), round).await;
    }
    Err(StoreError::Conflict(Failure::new(format!("a record: others wrote it {ROUNDS} times"))))
}

/// (b) to (d): reads the keys again, says that they are gone, deletes them.
async fn destroy(call: &Call<'_>, erasure: &Erasure<'_>, coming: &Coming<'_>) -> Result<usize, StoreError> {
    let read = Read::of(call, erasure, coming).await?;
    let goes = read.keys_that_go(erasure, coming.is_listed);
    let ids: BTreeSet<&str> = goes.iter().flat_map(|(.., ids)| ids).map(String::as_str).collect();
    if ids.is_empty() {
        return Ok(0);
    }
    if let Some(names) = erasure.acts {
        note_keys(call.stores, names, coming.record, &ids).await?;
    }
    call.stores.gone.put(&ids.iter().copied().collect::<Vec<_>>()).await?;
    call.stores.party_keys.destroy(&goes).await?;
    Ok(ids.len())
}

/// Notes in a record that a hold is on who is to be erased from it, when lines of it are passed over.
pub(crate) async fn pass_over(call: &Call<'_>, erasure: &Erasure<'_>, coming: &Coming<'_>) -> Result<(), StoreError> {
    for round in 0..ROUNDS {
        let read = Read::of(call, erasure, coming).await?;
        match put_off(call, erasure, coming, &read).await {
            Err(StoreError::Conflict(_)) if call.stores.held.is_held(coming.record).await? => {
                pause(call.stores.random(), round).await;
            }
            // Lifted in this moment: whoever reads back finds the lines.
            Ok(()) | Err(StoreError::Conflict(_)) => return Ok(()),
            Err(error) => return Err(error),
        }
    }
    Err(StoreError::Conflict(Failure::new(format!("a held record: others wrote it {ROUNDS} times"))))
}

/// Notes in a held record who is to be erased from it.
async fn put_off(call: &Call<'_>, erasure: &Erasure<'_>, coming: &Coming<'_>, read: &Read) -> Result<(), StoreError> {
    let mut own: BTreeSet<String> = read.party.subjects.intersection(erasure.own).cloned().collect();
    if own.is_empty() && !coming.is_listed {
        // They were taken out before the hold came; of their lines some may be left.
        own.clone_from(erasure.own);
    }
    // Where an alias names it, nobody need take part; nor where a hint leads to it.
    if coming.is_listed || own.is_empty() || alias_of(coming.record).is_some() {
        own.insert(erasure.name.to_owned());
    }
    if coming.is_decided {
        own.insert(DECIDED.to_owned());
    }
    let until = Cutoff::At(erasure.cutoff_ms);
    let is_noted = own.is_subset(&read.party.pending_erase) && read.party.pending_until >= Some(until);
    if is_noted {
        return Ok(());
    }
    call.stores.parties.postpone(&call.stores.control, coming.record, &read.party, &own, until).await
}

/// What was put off of a record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct PutOff {
    /// Whom to erase from it.
    pub(crate) own: BTreeSet<String>,
    /// A request lists it.
    pub(crate) is_listed: bool,
    /// The approver lets its joint content go.
    pub(crate) is_decided: bool,
}

impl PutOff {
    /// What a record's row says.
    pub(crate) fn of(party: &Party) -> Self {
        let (mut put_off, mut is_hint) = (Self::default(), false);
        for one in &party.pending_erase {
            match one.as_str() {
                DECIDED => put_off.is_decided = true,
                subject if subject.starts_with(SUBJECT) => drop(put_off.own.insert(subject.to_owned())),
                HINT => is_hint = true,
                // The request, which names nobody.
                _ => {}
            }
        }
        // Whom identifiers lead to it needs no list.
        put_off.is_listed = put_off.own.is_empty() && !is_hint && party.pending_until.is_some();
        put_off
    }
}

/// Waits before a record is read again: somewhere between nothing and 50 ms × 2^round, at most 3.2 s.
pub(crate) async fn pause(random: Random<'_>, round: u32) {
    let longest_ms = 50_u64 << round.min(6);
    let mut bytes = [0; 8];
    random(&mut bytes);
    tokio::time::sleep(Duration::from_millis(u64::from_le_bytes(bytes) % longest_ms)).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_put_off_is_read_from_the_row() {
        let of = |words: &[&str]| {
            let pending_erase = words.iter().map(|word| (*word).to_owned()).collect();
            PutOff::of(&Party { pending_erase, pending_until: Some(Cutoff::At(7)), ..Party::default() })
        };
        let own = BTreeSet::from(["s_1".to_owned()]);
        assert_eq!(PutOff::of(&Party::default()), PutOff::default());
        assert_eq!(of(&[]), PutOff { is_listed: true, ..PutOff::default() });
        assert_eq!(of(&["s_1"]), PutOff { own: own.clone(), ..PutOff::default() });
        assert_eq!(of(&["req_1"]), PutOff { is_listed: true, ..PutOff::default() });
        assert_eq!(of(&[HINT]), PutOff::default());
        assert_eq!(of(&["s_1", "req_1", "erase"]), PutOff { own, is_listed: false, is_decided: true });
    }
}
