//! A record whose row names somebody who is gone: what becomes of it, decided; and done, on the condition that the row is as it was read.

use std::collections::BTreeSet;

use ledgerline_event::instant;
use ledgerline_ledger::store::StoreError;
use ledgerline_privacy::pseudonym::is_alias;
use ledgerline_store::cutoff::Cutoff;
use ledgerline_store::party::{Party, Reach};

use super::{How, Report, Restored};
use crate::erasure::{full_hour, is_closed};

/// How often a record is read again since others wrote its row.
const ROUNDS: usize = 5;

/// What becomes of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Mending {
    /// There is nothing to do.
    Nothing,
    /// A hold is on it: these are to be erased once there is none.
    PutOff(BTreeSet<String>),
    /// No hold is on it any more, and something was put off: the eraser is told.
    GoOn,
    /// These have no part in it any more; if nobody else has, all of it is suppressed.
    Reach(BTreeSet<String>, bool),
}

impl Mending {
    fn of(party: &Party, gone: &BTreeSet<String>, is_held: bool) -> Self {
        let named: BTreeSet<String> = party.subjects.intersection(gone).cloned().collect();
        match (is_held, party.pending_until.is_some()) {
            (false, true) => Self::GoOn,
            (true, _) if named.is_subset(&party.pending_erase) => Self::Nothing,
            (true, _) => Self::PutOff(named),
            (false, false) if named.is_empty() => Self::Nothing,
            (false, false) => {
                let is_whole = named.len() == party.subjects.len() && !party.is_full();
                Self::Reach(named, is_whole)
            }
        }
    }

    /// Whether nobody has part in the record any more.
    fn is_whole(&self) -> bool {
        matches!(self, Self::Reach(_, true))
    }

    fn count(&self, report: &mut Report) {
        match self {
            Self::Nothing => {}
            Self::PutOff(_) => report.found.put_off += 1,
            Self::GoOn => report.found.released += 1,
            Self::Reach(..) => report.found.records += 1,
        }
    }
}

impl Restored {
    /// Puts a record right, of whose subjects these are gone. Whether all of it is suppressed then, or would be.
    pub(super) async fn mend(
        &self,
        how: &How,
        record: &str,
        seen: &Party,
        gone: &BTreeSet<String>,
        report: &mut Report,
    ) -> Result<bool, StoreError> {
        let mut party = seen.clone();
        for round in 0..ROUNDS {
            let mending = Mending::of(&party, gone, self.held.is_held(record).await?);
            if round == 0 {
                mending.count(report);
            }
            if !how.applies {
                return Ok(mending.is_whole());
            }
            let control = &self.control;
            let done = match &mending {
                Mending::Nothing => Ok(()),
                Mending::GoOn => self.erase.released(record).await,
                Mending::PutOff(own) => {
                    self.parties.postpone(control, record, &party, own, Cutoff::At(how.now_ms)).await
                }
                Mending::Reach(take, is_whole) => {
                    let cutoff = if *is_whole { Some(self.cutoff(record, how.now_ms).await?) } else { None };
                    self.parties.reach(control, record, &party, &Reach { take, cutoff }).await
                }
            };
            match done {
                Err(StoreError::Conflict(_)) => {}
                done => return done.map(|()| mending.is_whole()),
            }
            party = self.parties.read(&[record]).await?.into_iter().next().unwrap_or_default();
        }
        report.left += 1;
        Ok(false)
    }

    /// Up to when a record is suppressed in which nobody has part any more. When it was erased is not known any more: up to now, or for
    /// ever if nothing more is to come of it.
    async fn cutoff(&self, record: &str, now_ms: i64) -> Result<Cutoff, StoreError> {
        let postings = self.postings.of(record).await?;
        let last_ms = postings.iter().filter_map(|posting| instant::parse(&posting.to)).max();
        let is_over = is_of_alias(record) || is_closed(last_ms, now_ms);
        Ok(if is_over { Cutoff::Closed } else { Cutoff::At(full_hour(now_ms)) })
    }
}

/// Whether a record's id, behind org and type, is an alias: whoever comes back has another one.
fn is_of_alias(record: &str) -> bool {
    record.split('/').nth(2).is_some_and(is_alias)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    fn party(subjects: &[&str], pending: &[&str]) -> Party {
        let pending_until = (!pending.is_empty()).then_some(Cutoff::At(7));
        Party { subjects: set(subjects), pending_erase: set(pending), pending_until, ..Party::default() }
    }

    #[test]
    fn who_is_gone_goes_unless_the_record_is_held() {
        let gone = set(&["s_1", "s_9"]);
        let of = |party: &Party, is_held| Mending::of(party, &gone, is_held);
        assert_eq!(of(&party(&["s_2"], &[]), false), Mending::Nothing);
        assert_eq!(of(&party(&["s_1", "s_2"], &[]), false), Mending::Reach(set(&["s_1"]), false));
        assert_eq!(of(&party(&["s_1", "s_9"], &[]), false), Mending::Reach(set(&["s_1", "s_9"]), true));
        // It may have more than it names.
        let full = Party { full: true, ..party(&["s_1"], &[]) };
        assert_eq!(of(&full, false), Mending::Reach(set(&["s_1"]), false));
        assert_eq!(of(&party(&["s_1", "s_2"], &[]), true), Mending::PutOff(set(&["s_1"])));
        assert_eq!(of(&party(&["s_1"], &["s_1"]), true), Mending::Nothing, "it waits as it should");
        assert_eq!(of(&party(&["s_1"], &["s_1"]), false), Mending::GoOn);
        assert_eq!(of(&party(&["s_2"], &["s_3"]), false), Mending::GoOn, "whoever it was put off for");
    }

    #[test]
    fn a_record_of_an_alias_is_known_by_its_id() {
        let alias = format!("x_{}", "0a".repeat(16));
        assert!(is_of_alias(&format!("acme/Contact/{alias}")));
        assert!(!is_of_alias(&format!("acme/{alias}")) && !is_of_alias("acme/Contact/c-1"));
    }
}
