//! A page of the table of keys: what it names, what of that is gone, and what goes with it.

use std::collections::{BTreeMap, BTreeSet};

use ledgerline_ledger::store::StoreError;
use ledgerline_sealed::KeyRow;
use ledgerline_store::alias;
use ledgerline_store::asked;
use ledgerline_store::crm::CrmName;
use ledgerline_store::party::{self, Party};
use ledgerline_store::party_key;
use ledgerline_store::principal;
use ledgerline_store::request::{self, State};
use ledgerline_store::subject;
use ledgerline_store::table::{Key, Row};

use super::requests::UnderWay;
use super::{How, Report, Restored};

/// The rows of a page, read.
#[derive(Debug, Default)]
pub(super) struct Page {
    /// Each an org, a pseudonym and the subject that it names.
    identifiers: Vec<(String, String, String)>,
    /// Subjects that have a state.
    states: Vec<String>,
    /// Each a subject and a record.
    links: Vec<(String, String)>,
    parties: Vec<(String, Party)>,
    keys: Vec<(Key, KeyRow)>,
    /// Each an org, an alias and pseudonyms that it lies under.
    aliases: Vec<(String, String, BTreeSet<String>)>,
    /// Requests with whom they are about, and whether that expires.
    who: Vec<(String, bool)>,
    /// Each an org, a pseudonym and the requests that name it.
    asked: Vec<(String, String, BTreeSet<String>)>,
    /// Aliases of those who call the API.
    pub(super) principals: Vec<String>,
}

impl Page {
    pub(super) fn read(rows: Vec<(Key, Row)>) -> Result<Self, StoreError> {
        let mut page = Self::default();
        for (key, row) in rows {
            page.add(key, row)?;
        }
        Ok(page)
    }

    fn add(&mut self, key: Key, row: Row) -> Result<(), StoreError> {
        let two = |(one, other): (&str, &str)| (one.to_owned(), other.to_owned());
        if let Some((org, name)) = subject::parse_identifier_key(&key).map(two) {
            self.identifiers.push((org, name, subject::read_identifier(row)?.subject.subject_id));
        } else if let Some(of) = subject::parse_state_key(&key) {
            self.states.push(of.to_owned());
        } else if let Some(link) = subject::parse_link_key(&key).map(two) {
            self.links.push(link);
        } else if let Some(record) = party::parse_key(&key) {
            self.parties.push((record.to_owned(), party::read(row)?));
        } else if party_key::parse_key(&key).is_some() {
            self.keys.push((key, party_key::read(row)?));
        } else if let Some((org, name)) = alias::parse_key(&key).map(two) {
            self.aliases.push((org, alias::read(row)?, [name].into()));
        } else if let Some((org, alias)) = alias::parse_names_key(&key).map(two) {
            self.aliases.push((org, alias, alias::read_names(row)?));
        } else if let Some(id) = request::parse_who_key(&key) {
            self.who.push((id.to_owned(), request::read_who(row)?.ttl.is_some()));
        } else if let Some((org, name)) = asked::parse_key(&key).map(two) {
            self.asked.push((org, name, asked::read(row)?));
        } else if principal::parse_key(&key).is_some() {
            self.principals.push(principal::read(row)?);
        }
        Ok(())
    }

    /// All names that may be gone.
    fn names(&self) -> BTreeSet<&str> {
        let subjects = self.identifiers.iter().map(|(.., subject)| subject).chain(&self.states);
        let linked = self.links.iter().map(|(subject, _)| subject);
        let parts = self.parties.iter().flat_map(|(_, party)| &party.subjects);
        let keys = self.keys.iter().flat_map(|(_, row)| row.keys.keys());
        let aliases = self.aliases.iter().map(|(_, alias, _)| alias);
        subjects.chain(linked).chain(parts).chain(keys).chain(aliases).map(String::as_str).collect()
    }
}

impl Restored {
    /// Looks at a page's rows, and takes away what goes.
    pub(super) async fn look_at(
        &self,
        how: &How,
        page: &Page,
        open: &mut UnderWay,
        report: &mut Report,
    ) -> Result<(), StoreError> {
        let gone: BTreeSet<String> = self.gone.among(page.names()).await?.into_iter().map(str::to_owned).collect();
        self.forget_identifiers(how, page, &gone, report).await?;
        self.destroy_keys(how, page, &gone, report).await?;
        // What an erasure under way ended is its own to take away; whose an alias was, nothing says, and it still asks for its names.
        if !open.erases {
            self.delete_aliases(how, page, &gone, open, report).await?;
        }
        let ended: BTreeSet<String> = gone.difference(&open.ended).cloned().collect();
        self.delete_links(how, page, &ended, report).await?;
        self.delete_states(how, page, &ended, report).await?;
        let mut whole = self.suppressed(page).await?;
        for (record, party) in &page.parties {
            let is_open = party.pending_until.is_some() || !party.subjects.is_disjoint(&ended);
            if is_open && self.mend(how, record, party, &ended, report).await? {
                whole.insert(record);
            }
        }
        let of_record =
            |record: &str| record.split_once('/').map(|(org, id)| (org.to_owned(), CrmName::Record(id.to_owned())));
        self.forget_crm(how, whole.into_iter().filter_map(of_record).collect(), report).await?;
        self.forget_requests(how, page, report).await
    }

    async fn forget_identifiers(
        &self,
        how: &How,
        page: &Page,
        gone: &BTreeSet<String>,
        report: &mut Report,
    ) -> Result<(), StoreError> {
        let goes: Vec<_> = page.identifiers.iter().filter(|(.., subject)| gone.contains(subject)).collect();
        // First: once the identifier is gone, nothing leads to what is said of it.
        let said = goes.iter().map(|(org, name, _)| (org.clone(), CrmName::Pseudonym(name.clone())));
        self.forget_crm(how, said.collect(), report).await?;
        for (org, name, subject) in goes {
            report.found.identifiers += 1;
            if how.applies {
                self.subjects.forget(org, name, subject).await?;
            }
        }
        Ok(())
    }

    /// The records that are suppressed already, up to some time. Of one that a hold is on what is said stays.
    async fn suppressed<'p>(&self, page: &'p Page) -> Result<BTreeSet<&'p str>, StoreError> {
        let closed = page.parties.iter().filter(|(_, party)| party.cutoff.is_some() && party.pending_until.is_none());
        let closed: BTreeSet<&str> = closed.map(|(record, _)| record.as_str()).collect();
        let held = self.held.among(closed.iter().copied()).await?;
        Ok(closed.difference(&held).copied().collect())
    }

    /// Deletes what a CRM says of these, each an org and a name, where there is anything.
    async fn forget_crm(
        &self,
        how: &How,
        names: BTreeSet<(String, CrmName)>,
        report: &mut Report,
    ) -> Result<(), StoreError> {
        if names.is_empty() {
            return Ok(());
        }
        let names = names.iter().map(|(org, name)| (org.as_str(), name.clone())).collect();
        let there: BTreeSet<(&str, CrmName)> = self.crm.read(&names).await?.into_keys().collect();
        report.found.crm += there.len() as u64;
        if how.applies && !there.is_empty() {
            self.crm.delete(&there).await?;
        }
        Ok(())
    }

    async fn destroy_keys(
        &self,
        how: &How,
        page: &Page,
        gone: &BTreeSet<String>,
        report: &mut Report,
    ) -> Result<(), StoreError> {
        let goes = |(key, row): &(Key, KeyRow)| {
            let ids: BTreeSet<String> = row.keys.keys().filter(|id| gone.contains(*id)).cloned().collect();
            (!ids.is_empty()).then(|| (key.clone(), row.clone(), ids))
        };
        let goes: Vec<_> = page.keys.iter().filter_map(goes).collect();
        report.found.keys += goes.iter().map(|(.., ids)| ids.len() as u64).sum::<u64>();
        if how.applies && !goes.is_empty() {
            self.party_keys.destroy(&goes).await?;
        }
        Ok(())
    }

    async fn delete_aliases(
        &self,
        how: &How,
        page: &Page,
        gone: &BTreeSet<String>,
        open: &mut UnderWay,
        report: &mut Report,
    ) -> Result<(), StoreError> {
        for (org, alias, names) in page.aliases.iter().filter(|(_, alias, _)| gone.contains(alias)) {
            report.found.aliases += u64::from(open.aliases.insert(alias.clone()));
            if how.applies {
                self.aliases.delete(org, alias, names).await?;
            }
        }
        Ok(())
    }

    async fn delete_links(
        &self,
        how: &How,
        page: &Page,
        ended: &BTreeSet<String>,
        report: &mut Report,
    ) -> Result<(), StoreError> {
        let of_ended = page.links.iter().filter(|(subject, _)| ended.contains(subject));
        let goes = self.links_that_go(of_ended.collect()).await?;
        report.found.links += goes.len() as u64;
        if how.applies && !goes.is_empty() {
            self.subjects.delete_links(&goes).await?;
        }
        Ok(())
    }

    /// A state goes with the last of its links: one that stays is of a record that a hold is on.
    async fn delete_states(
        &self,
        how: &How,
        page: &Page,
        ended: &BTreeSet<String>,
        report: &mut Report,
    ) -> Result<(), StoreError> {
        for subject in page.states.iter().filter(|subject| ended.contains(*subject)) {
            let links: Vec<(String, String)> =
                self.subjects.links(subject).await?.into_iter().map(|(record, _)| (subject.clone(), record)).collect();
            let goes = self.links_that_go(links.iter().collect()).await?;
            if goes.len() < links.len() {
                continue;
            }
            report.found.subjects += 1;
            if how.applies {
                self.subjects.delete_links(&goes).await?;
                self.subjects.delete_states(&[subject]).await?;
            }
        }
        Ok(())
    }

    /// Those of links whose record no hold keeps, and of which nothing was put off.
    async fn links_that_go<'l>(&self, links: Vec<&'l (String, String)>) -> Result<Vec<(&'l str, &'l str)>, StoreError> {
        let records: BTreeSet<&str> = links.iter().map(|(_, record)| record.as_str()).collect();
        let held = self.held.among(records.iter().copied()).await?;
        let records: Vec<&str> = records.into_iter().collect();
        let parties = self.parties.read(&records).await?;
        let waits: BTreeMap<&str, bool> =
            records.into_iter().zip(parties).map(|(record, party)| (record, party.pending_until.is_some())).collect();
        let stays = |record: &str| held.contains(record) || waits.get(record).copied().unwrap_or_default();
        let goes = links.into_iter().filter(|(_, record)| !stays(record));
        Ok(goes.map(|(subject, record)| (subject.as_str(), record.as_str())).collect())
    }

    /// Closed requests are about nobody any more: whom they were about, and what names them.
    async fn forget_requests(&self, how: &How, page: &Page, report: &mut Report) -> Result<(), StoreError> {
        let named = page.asked.iter().flat_map(|(.., requests)| requests);
        let ids: BTreeSet<&str> = page.who.iter().map(|(id, _)| id).chain(named).map(String::as_str).collect();
        let ids: Vec<&str> = ids.into_iter().collect();
        let rows = self.requests.requests(&ids).await?;
        let states: BTreeMap<&str, State> =
            ids.into_iter().zip(rows).filter_map(|(id, row)| Some((id, row?.state))).collect();
        for (id, expires) in &page.who {
            // Of one that was taken back or refused it goes by its expiry, which a row that came back lacks.
            let goes = match states.get(id.as_str()) {
                Some(State::Done) => true,
                Some(State::Cancelled | State::Refused) => !expires,
                _ => false,
            };
            if goes {
                report.found.requests += 1;
                if how.applies {
                    self.requests.forget(id).await?;
                }
            }
        }
        for (org, name, requests) in &page.asked {
            let is_open = |id: &String| states.get(id.as_str()).is_some_and(|state| !state.is_final());
            for id in requests.iter().filter(|id| !is_open(id)) {
                report.found.asked += 1;
                if how.applies {
                    self.asked.take(&[(org, name)], id, true).await?;
                }
            }
        }
        Ok(())
    }
}
