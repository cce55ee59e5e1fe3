//! What the ledger says was erased: keys by its acts of deletion, and which requests were done.
//!
//! Invariant: a segment is what its name says, and only audit-write may put one: what it says of keys needs no other proof.

use std::collections::{BTreeMap, BTreeSet};

use ledgerline_ledger::acts::{DATA_DELETION, REQUEST_DONE};
use ledgerline_ledger::entry::Entry;
use ledgerline_ledger::segment::{Segment, SegmentName};
use ledgerline_ledger::store::StoreError;
use ledgerline_store::request::{RequestKind, State};
use ledgerline_store::subject::date_of;

use super::{How, Repeat, Report, Restored};
use crate::access::corrupt;

impl Restored {
    /// Reads the segments, and says of keys that were destroyed that they are gone where nothing says so. The orgs that have logs.
    pub(super) async fn read_ledger(
        &self,
        how: &How,
        step: &(dyn Fn() + Sync),
        report: &mut Report,
    ) -> Result<BTreeSet<String>, StoreError> {
        let (mut orgs, mut repeat, mut behind) = (BTreeSet::new(), BTreeMap::new(), None);
        loop {
            let (page, next) = self.segments.page(behind).await?;
            for one in page {
                let Some(name) = SegmentName::parse(&one.key) else { continue };
                orgs.insert(name.log.org().to_owned());
                if how.since_ms.is_some_and(|since_ms| one.written_at_ms < since_ms) {
                    continue;
                }
                let bytes = self.segments.read(&one.key, &one.version_id).await?;
                let segment =
                    Segment::read(&one.key, &bytes).map_err(|error| corrupt(&format!("read {}", one.key), error))?;
                let said =
                    Said::of(&segment).map_err(|error| corrupt(&format!("read a line of {}", one.key), error))?;
                report.segments += 1;
                self.say_gone(how, &said.destroyed, report).await?;
                self.note_undone(said.done, &mut repeat).await?;
                step();
            }
            behind = next;
            if behind.is_none() {
                report.repeat = repeat.into_values().collect();
                return Ok(orgs);
            }
        }
    }

    async fn say_gone(&self, how: &How, ids: &BTreeSet<String>, report: &mut Report) -> Result<(), StoreError> {
        let gone = self.gone.among(ids.iter().map(String::as_str)).await?;
        let missing: Vec<&str> = ids.iter().map(String::as_str).filter(|id| !gone.contains(id)).collect();
        report.destroyed += ids.len() as u64;
        report.found.not_gone += missing.len() as u64;
        if how.applies && !missing.is_empty() {
            self.gone.put(&missing).await?;
        }
        Ok(())
    }

    /// Of requests that the ledger says are done, those of which the control table does not say so.
    async fn note_undone(&self, done: Vec<Done>, repeat: &mut BTreeMap<String, Repeat>) -> Result<(), StoreError> {
        for Done { request, org, day } in done {
            if let Some(known) = repeat.get_mut(&request) {
                known.orgs.insert(org);
                continue;
            }
            let row = self.requests.request(&request).await?;
            let is_as_said =
                row.as_ref().is_some_and(|row| row.state == State::Done || row.kind != RequestKind::Erasure);
            if !is_as_said {
                let state = row.map(|row| row.state);
                repeat.insert(request.clone(), Repeat { request, orgs: [org].into(), done_on: day, state });
            }
        }
        Ok(())
    }
}

/// What a segment says.
#[derive(Debug, Default)]
struct Said {
    destroyed: BTreeSet<String>,
    done: Vec<Done>,
}

/// A request that is done.
#[derive(Debug)]
struct Done {
    request: String,
    org: String,
    day: String,
}

impl Said {
    fn of(segment: &Segment) -> Result<Self, ledgerline_ledger::entry::EntryError> {
        let mut said = Self::default();
        // Most lines are source events: they are not read.
        for line in segment.lines().filter(|line| line.contains(DATA_DELETION) || line.contains(REQUEST_DONE)) {
            let entry = Entry::read(line.as_bytes())?;
            match (entry.event_type.as_str(), entry.entity) {
                (DATA_DELETION, _) => said.destroyed.extend(entry.key_ids),
                (REQUEST_DONE, Some(entity)) => said.done.push(Done {
                    request: entity.id,
                    org: entry.org,
                    day: date_of(&entry.occurred_at).to_owned(),
                }),
                _ => {}
            }
        }
        Ok(said)
    }
}
