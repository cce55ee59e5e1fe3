//! 5. Whatever finds the person's records: links, and the aliases in records' ids. And what a CRM says.
//!
//! A CRM's rows go of the person's identifiers, and of records whose joint content went. Of a record that a hold is on the links stay, and
//! so does an alias of one, and what a CRM says of it. Another customer's link to a record goes with the last that
//! is that customer's own there, where the joint content went: no key of theirs is left then, and no line names them that stays.
//!
//! | crash leaves | done again |
//! |---|---|
//! | some links, rows of a CRM, rows of an alias that is gone | the rest goes: the list has the records and the aliases |

use std::collections::BTreeSet;

use async_trait::async_trait;
use ledgerline_custody::erasure::{LineRecord, line_goes};
use ledgerline_ledger::store::StoreError;
use ledgerline_saga::{Outcome, Position, Step};
use ledgerline_store::party::Reach;

use super::objects::About;
use crate::crm;
use crate::object::look;
use crate::people::Others;
use crate::record::{Coming, Read};
use crate::request::Request;
use crate::rules::{OfRecords, held_of};

pub(super) const NAME: &str = "links";

pub(super) struct Links;

#[async_trait]
impl<'a> Step<Request<'a>> for Links {
    fn name(&self) -> &'static str {
        NAME
    }

    async fn run(&self, request: &Request<'a>, at: &Position, _: i64) -> Result<Outcome, StoreError> {
        let about = About::read(request, at.pass).await?;
        let records: BTreeSet<String> = about.list.records.iter().map(|one| one.record.clone()).collect();
        let held = held_of(request.call.stores, &records).await?;
        let free: BTreeSet<&str> = records.difference(&held).map(String::as_str).collect();
        delete_own(request, &about, &free).await?;
        for coming in about.coming(&free).into_iter().filter(|one| one.is_listed || one.is_decided) {
            if request.call.is_over() {
                return Ok(Outcome::More(0));
            }
            unlink_others(request, &about, &coming).await?;
        }
        delete_crm_rows(request, &about, &free).await?;
        delete_aliases(request, &about, &held).await?;
        Ok(Outcome::Done)
    }
}

/// Deletes the links of the request's subjects to these records.
async fn delete_own(request: &Request<'_>, about: &About, free: &BTreeSet<&str>) -> Result<(), StoreError> {
    let subjects = &request.call.stores.subjects;
    for subject in &about.whom.own {
        let links = subjects.links(subject).await?;
        let links: Vec<(&str, &str)> = links
            .iter()
            .map(|(record, _)| (subject.as_str(), record.as_str()))
            .filter(|(_, record)| free.contains(record))
            .collect();
        if !links.is_empty() {
            subjects.delete_links(&links).await?;
            request.count(|counts| counts.links += links.len() as u64);
        }
    }
    Ok(())
}

/// Takes those away from a record whose joint content went of whom nothing is left in it.
async fn unlink_others(request: &Request<'_>, about: &About, coming: &Coming<'_>) -> Result<(), StoreError> {
    let stores = request.call.stores;
    let others = Others::new(stores, request.call.settings.fan_out_cap);
    let read = Read::of(&request.call, &about.erasure(request, &others), coming).await?;
    if !read.rule.joint_goes {
        return Ok(());
    }
    let owners: BTreeSet<&String> =
        read.rows.iter().flat_map(|(_, row)| row.keys.values()).flat_map(|key| &key.subjects).collect();
    let candidates = read.party.subjects.iter().filter(|one| read.known.live.contains_key(*one));
    let mut candidates: BTreeSet<String> = candidates.filter(|one| !owners.contains(one)).cloned().collect();
    if candidates.is_empty() {
        return Ok(());
    }
    let Some(named) = named_by_what_stays(request, about, coming.record).await? else { return Ok(()) };
    candidates.retain(|one| read.known.names.get(one).is_some_and(|name| !named.contains(name)));
    for subject in &candidates {
        if stores.subjects.unlink(subject, coming.record).await? {
            request.count(|counts| counts.links += 1);
        }
    }
    if candidates.is_empty() {
        return Ok(());
    }
    let reach = Reach { take: &candidates, cutoff: None };
    match stores.parties.reach(&stores.control, coming.record, &read.party, &reach).await {
        // Somebody came to take part, or a hold came on it: the next pass sees to it.
        Ok(()) | Err(StoreError::Conflict(_)) => Ok(()),
        Err(error) => Err(error),
    }
}

/// The pseudonyms in a record's lines that stay; `None` if not all of its lines can be read.
async fn named_by_what_stays(
    request: &Request<'_>,
    about: &About,
    record: &str,
) -> Result<Option<BTreeSet<String>>, StoreError> {
    let OfRecords { rules, .. } = about.rules_of(request, &BTreeSet::from([record])).await?;
    let place = about.list.records.iter().position(|one| one.record == record);
    let objects = about.list.objects.iter().filter(|one| place.is_some_and(|place| one.records.contains(&place)));
    let mut named = BTreeSet::new();
    for one in objects {
        if one.planned_at_ms.is_none() {
            return Ok(None);
        }
        let Some(object) = request.call.stores.bronze.read(&one.key).await? else { return Ok(None) };
        look(&request.call, &request.keys, &object.bytes, |number, line| {
            let is_of = matches!(&line.record, LineRecord::Key(of) if of == record);
            if is_of && !line_goes(number, &line, &rules) {
                named.extend(line.names);
            }
        })
        .await?;
    }
    Ok(Some(named))
}

/// Deletes what a CRM says of the person, and of those of these records whose joint content went.
async fn delete_crm_rows(request: &Request<'_>, about: &About, free: &BTreeSet<&str>) -> Result<(), StoreError> {
    let OfRecords { rules, whole } = about.rules_of(request, free).await?;
    let went = rules.cutoffs.into_keys().chain(whole).filter(|record| !rules.held.contains(record)).collect();
    let names = about.tombed().chain(about.whom.names.iter().cloned()).collect();
    crm::delete(request.call.stores, &names, &went).await
}

/// Aliases: gone first, then their rows, their names last.
async fn delete_aliases(request: &Request<'_>, about: &About, held: &BTreeSet<String>) -> Result<(), StoreError> {
    let (gone, aliases) = (&request.call.stores.gone, &request.call.stores.aliases);
    for (org, alias) in &about.list.aliases {
        let is_of = |record: &String| record.strip_prefix(org.as_str()).is_some_and(|rest| rest.ends_with(alias));
        if held.iter().any(is_of) {
            continue;
        }
        gone.put(&[alias]).await?;
        let names = aliases.names(org, alias).await?;
        aliases.delete(org, alias, &names).await?;
    }
    Ok(())
}
