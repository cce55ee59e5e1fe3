//! 3. Which records and objects the pass is about, after the subjects ended: nobody links them any more.
//!
//! Links, listed interactions, records whose ids hold the person's alias, and the records of the passes before. An object that is not
//! planned is noted as waited for.
//!
//! | crash leaves | done again |
//! |---|---|
//! | rows of objects that are waited for, and no list | the list is made again; the stored one counts |

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use futures_util::future::try_join;
use ledgerline_event::catalogue::built_in;
use ledgerline_event::instant;
use ledgerline_lake::ObjectId;
use ledgerline_lake::keys::PlanOf;
use ledgerline_ledger::posting::Posting;
use ledgerline_ledger::store::{Failure, StoreError};
use ledgerline_saga::{Outcome, Position, Step};
use ledgerline_store::record::HoldingObject;
use ledgerline_store::request::{RequestRow, Who};

use crate::list::{List, ListObject, ListRecord};
use crate::people::{KEYS_PER_READ, Name, borrowed, flat, groups};
use crate::request::Request;
use crate::rules::tombs_of;
use crate::{CALLS_AT_ONCE, at_once};

pub(super) const NAME: &str = "enumerate";

pub(super) struct Enumerate;

/// Records whose rows are in memory at once: of an object each some hundred bytes.
const RECORDS_AT_ONCE: usize = 200;

#[async_trait]
impl<'a> Step<Request<'a>> for Enumerate {
    fn name(&self) -> &'static str {
        NAME
    }

    async fn run(&self, request: &Request<'a>, at: &Position, _: i64) -> Result<Outcome, StoreError> {
        let list = match request.find_list(at.pass).await? {
            Some(list) => list,
            None => request.put_list(at.pass, &made(request, at.pass).await?).await?,
        };
        wait_for_unplanned(request, at.pass, &list).await?;
        Ok(Outcome::Done)
    }
}

/// Notes of the objects that are not planned, and of which that is new, that they are waited for.
async fn wait_for_unplanned(request: &Request<'_>, pass: u32, list: &List) -> Result<(), StoreError> {
    let before = match pass.checked_sub(1) {
        Some(before) => request.list(before).await?.unplanned().into_iter().map(str::to_owned).collect(),
        None => BTreeSet::new(),
    };
    let unplanned = list.objects.iter().filter(|one| one.planned_at_ms.is_none());
    let new: Vec<&ListObject> = unplanned.filter(|one| !before.contains(&one.object)).collect();
    let since = &instant::to_rfc3339(request.call.now_ms());
    let waiting = &request.call.stores.waiting;
    let puts = new.iter().map(|one| waiting.put(&one.object, request.id, &one.key, since));
    at_once(CALLS_AT_ONCE, puts.collect()).await?;
    let waits = list.unplanned().len() as u64;
    request.count(|counts| counts.waiting = waits);
    Ok(())
}

/// What is known of a record before its rows are read.
#[derive(Default)]
struct Found {
    listed: bool,
    linked: bool,
    last_ms: Option<i64>,
    /// It was in the list before: its entries are not read again.
    known: bool,
}

/// The list of a pass, made now.
pub(super) async fn made(request: &Request<'_>, pass: u32) -> Result<List, StoreError> {
    let (row, who) = (request.row().await?, request.who().await?);
    let before = match pass.checked_sub(1) {
        Some(before) => Some(request.list(before).await?),
        None => None,
    };
    let aliases = match &before {
        // One that was given since the tombstones were put is a stranger's.
        Some(before) => before.aliases.clone(),
        None => aliases(request, &row, &who).await?,
    };
    let mut found: BTreeMap<String, Found> = BTreeMap::new();
    for one in before.iter().flat_map(|list| &list.records) {
        let known = Found { listed: one.listed, linked: !one.listed, last_ms: one.last_ms, known: true };
        found.insert(one.record.clone(), known);
    }
    for record in row.orgs.iter().flat_map(|org| who.interactions.iter().map(move |id| format!("{org}/{id}"))) {
        found.entry(record).or_default().listed = true;
    }
    let of_alias = |(org, alias): &(String, String)| -> Vec<String> {
        built_in().personal_entities().map(|kind| format!("{org}/{kind}/{alias}")).collect()
    };
    let of_aliases: BTreeSet<String> = aliases.iter().flat_map(of_alias).collect();
    for record in &of_aliases {
        found.entry(record.clone()).or_default();
    }
    links(request, &who, &mut found).await?;
    let (lines, entries) = before.as_ref().map_or((0, 0), |before| (before.lines, before.entries));
    let mut list = List { aliases, lines: 0, entries, ..List::default() };
    let mut objects: BTreeMap<String, ListObject> = BTreeMap::new();
    let mut found = found.into_iter();
    loop {
        // So many records' rows are in memory at once.
        let some: Vec<_> = found.by_ref().take(RECORDS_AT_ONCE).collect();
        if some.is_empty() {
            break;
        }
        let reads = some.into_iter().map(|(record, found)| read(request, record, found));
        for one in at_once(CALLS_AT_ONCE, reads.collect()).await? {
            add(&mut list, &mut objects, &of_aliases, one);
        }
    }
    list.lines = list.lines.max(lines);
    list.objects = objects.into_values().collect();
    note_plans(request, &mut list).await?;
    Ok(list)
}

/// Adds a record and its objects to a list.
fn add(
    list: &mut List,
    objects: &mut BTreeMap<String, ListObject>,
    of_aliases: &BTreeSet<String>,
    Stored { record, found, bronze, postings }: Stored,
) {
    // A listed interaction of which nothing lies anywhere is none; nor is a record of an alias's that there is not.
    if bronze.is_empty() && postings.is_empty() && !found.linked && !found.known {
        return;
    }
    let members = postings.iter().flat_map(|posting| &posting.members);
    list.entries += members.map(|member| member.at.len() as u64).sum::<u64>();
    let last_ms = last_of(&found, &bronze, &postings);
    let place = list.records.len();
    let is_alias = of_aliases.contains(&record);
    // Linked and listed: what an identifier leads to needs no list.
    list.records.push(ListRecord { record, listed: found.listed && !found.linked, last_ms });
    for one in bronze {
        list.lines += one.lines;
        let object = objects.entry(one.object.clone()).or_insert_with(|| object_of(&one));
        object.dates.extend(one.dates);
        object.records.insert(place);
        if is_alias {
            let at = Some(one.at).filter(|at| one.lines <= at.len() as u64);
            object.of_aliases.insert(place, at);
        }
    }
}

fn object_of(one: &HoldingObject) -> ListObject {
    ListObject {
        object: one.object.clone(),
        key: one.key.clone(),
        dates: BTreeSet::new(),
        records: BTreeSet::new(),
        planned_at_ms: None,
        of_aliases: BTreeMap::new(),
    }
}

/// The aliases that stand for the person in records' ids; none of who is not erased, since the identifier names no person.
async fn aliases(request: &Request<'_>, row: &RequestRow, who: &Who) -> Result<BTreeSet<(String, String)>, StoreError> {
    let names: BTreeSet<Name> = flat(&groups(row, who)).into_iter().collect();
    let tombs = tombs_of(&request.call, &request.keys, &names).await?;
    let names: Vec<Name> = names.into_iter().filter(|name| tombs.contains_key(name)).collect();
    let mut found = BTreeSet::new();
    for asked in names.chunks(KEYS_PER_READ) {
        let aliases = request.call.stores.aliases.read(&borrowed(asked)).await?;
        found.extend(asked.iter().zip(aliases).filter_map(|((org, _), alias)| Some((org.clone(), alias?))));
    }
    Ok(found)
}

/// Adds the records that the person's subjects are linked to.
async fn links(request: &Request<'_>, who: &Who, found: &mut BTreeMap<String, Found>) -> Result<(), StoreError> {
    let whom = request.whom(who).await?;
    let links = whom.own.iter().map(|subject| request.call.stores.subjects.links(subject));
    for links in at_once(CALLS_AT_ONCE, links.collect()).await? {
        for (record, link) in links {
            let one = found.entry(record).or_default();
            one.linked = true;
            let last_ms = link.span.as_ref().and_then(|span| instant::parse(&span.last));
            one.last_ms = one.last_ms.max(last_ms);
        }
    }
    Ok(())
}

/// A record with what lies of it.
struct Stored {
    record: String,
    found: Found,
    bronze: Vec<HoldingObject>,
    postings: Vec<Posting>,
}

async fn read(request: &Request<'_>, record: String, found: Found) -> Result<Stored, StoreError> {
    let stores = request.call.stores;
    let postings = async {
        match found.known {
            true => Ok(Vec::new()),
            false => stores.postings.of(&record).await,
        }
    };
    let (bronze, postings) = try_join(stores.records.bronze(&record), postings).await?;
    Ok(Stored { record, found, bronze, postings })
}

/// When a record's last event occurred, as far as its rows say: its entries', its link's, or the end of its lines' last day.
fn last_of(found: &Found, bronze: &[HoldingObject], postings: &[Posting]) -> Option<i64> {
    let of_postings = postings.iter().filter_map(|posting| instant::parse(&posting.to));
    let days = bronze.iter().flat_map(|one| &one.dates).max();
    let of_days = days.and_then(|day| instant::parse(&format!("{day}T23:59:59.999Z")));
    of_postings.chain(of_days).chain(found.last_ms).max()
}

/// Asks of each object when it was planned.
async fn note_plans(request: &Request<'_>, list: &mut List) -> Result<(), StoreError> {
    let rows = &request.call.stores.rows;
    for objects in list.objects.chunks_mut(KEYS_PER_READ) {
        let id = |one: &ListObject| one.object.parse::<ObjectId>().map(|id| (PlanOf::Bronze, id));
        let ids = objects.iter().map(id).collect::<Result<Vec<_>, _>>();
        let ids = ids.map_err(|error| StoreError::Corrupt(Failure::caused_by("read a bronze row's object", error)))?;
        for (one, progress) in objects.iter_mut().zip(rows.progress(&ids).await?) {
            one.planned_at_ms = progress.and_then(|progress| progress.planned_at_ms);
        }
    }
    Ok(())
}
