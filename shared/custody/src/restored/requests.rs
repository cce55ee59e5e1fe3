//! Requests under way: whom their erasures ended, who took their steps, and of which nobody knows whom they are about.

use std::collections::{BTreeMap, BTreeSet};

use ledgerline_ledger::store::StoreError;
use ledgerline_store::request::{RequestRow, State};

use super::{Open, Report, Restored};

/// Requests of an org's list in one query.
const PAGE: usize = 100;

/// What is known of the requests under way.
#[derive(Debug, Default)]
pub(super) struct UnderWay {
    /// Subjects that erasures under way ended.
    pub(super) ended: BTreeSet<String>,
    /// Aliases of those who took their steps and were not met yet, and the requests.
    unknown: BTreeMap<String, BTreeSet<String>>,
    states: BTreeMap<String, State>,
    /// Whether any of them erases now.
    pub(super) erases: bool,
    /// Aliases that are gone and were counted: each has several rows.
    pub(super) aliases: BTreeSet<String>,
}

impl UnderWay {
    fn note(&mut self, id: &str, row: &RequestRow) {
        let by = row.history.iter().map(|done| &done.by).chain(&row.also_asked_by);
        for alias in by {
            self.unknown.entry(alias.clone()).or_default().insert(id.to_owned());
        }
        self.erases |= row.state == State::Erasing;
        self.states.insert(id.to_owned(), row.state);
    }

    /// Somebody has this alias.
    pub(super) fn is_known(&mut self, alias: &str) {
        self.unknown.remove(alias);
    }

    /// The requests of which somebody who took a step has no alias any more.
    pub(super) fn of_strangers(&self) -> Vec<Open> {
        let ids: BTreeSet<&String> = self.unknown.values().flatten().collect();
        let open = |id: &String| Some(Open { request: id.clone(), state: *self.states.get(id)? });
        ids.into_iter().filter_map(open).collect()
    }
}

impl Restored {
    /// Reads the requests of these orgs that are open.
    pub(super) async fn open_requests(
        &self,
        orgs: &BTreeSet<String>,
        report: &mut Report,
    ) -> Result<UnderWay, StoreError> {
        let mut open = UnderWay::default();
        for org in orgs {
            let mut behind: Option<String> = None;
            loop {
                let listed = self.requests.of_org(org, behind.as_deref(), PAGE).await?;
                let ids: BTreeSet<&str> = listed.iter().map(|one| one.id.as_str()).collect();
                let new: Vec<&str> = ids.into_iter().filter(|id| !open.states.contains_key(*id)).collect();
                let rows = self.requests.requests(&new).await?;
                // Those that are closed come last.
                let is_over = listed.len() < PAGE || rows.iter().flatten().any(|row| row.state.is_final());
                for (id, row) in new.iter().zip(rows) {
                    if let Some(row) = row.filter(|row| !row.state.is_final()) {
                        open.note(id, &row);
                        self.note_who(id, &row, &mut open, report).await?;
                    }
                }
                if is_over {
                    break;
                }
                behind = listed.last().map(|one| one.place.clone());
            }
        }
        Ok(open)
    }

    async fn note_who(
        &self,
        id: &str,
        row: &RequestRow,
        open: &mut UnderWay,
        report: &mut Report,
    ) -> Result<(), StoreError> {
        // At the beginning of time nothing has expired.
        match self.requests.who(id, i64::MIN).await? {
            Some(who) if row.state == State::Erasing => {
                open.ended.extend(who.erased().into_iter().map(|subject| subject.subject_id));
            }
            Some(_) => {}
            None => report.lost.push(Open { request: id.to_owned(), state: row.state }),
        }
        Ok(())
    }
}
