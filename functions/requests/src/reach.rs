//! What a request reaches: its subjects, their records, who else has part in them, and how much lies where.
//!
//! Invariant: every store is read whole or the call fails: a preview that misses records must not be approved. The work is bounded by
//! [`MAX_RECORDS`]. A subject that an erasure ended leads to records as long as its links stand. Lines and entries are those of the records, and so the most that could go of them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures_util::future::try_join;
use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use ledgerline_custody::own::{OwnList, Standing};
use ledgerline_custody::request::preview::{Other, Reach, Seen};
use ledgerline_ledger::store::StoreError;
use ledgerline_store::request::{Approved, RequestRow, Who};
use ledgerline_store::subject::{SubjectName, SubjectState};

use crate::Call;
use crate::problem::Problem;
use crate::stores::Stores;

/// Records of one preview: two queries each, 16 at once, 5 ms each, are 6 of the function's 29 seconds; an answer that names all of
/// them as shared has some 4 of 6 MB.
pub(crate) const MAX_RECORDS: usize = 10_000;
/// Rows of one read: the table's limit. Those of records have at most 40 KB each, and a call gives 16 MB.
const ROWS_PER_READ: usize = 100;
/// Calls under way at once.
const PARALLEL: usize = 16;

/// What a request reaches, and how much lies where.
#[derive(Debug)]
pub(crate) struct Preview {
    pub(crate) reach: Reach,
    /// The person's subjects.
    pub(crate) subjects: usize,
    /// Those of them whose identifiers name no person ([`Nobodys`]): nothing is erased by them.
    pub(crate) subjects_shared: usize,
    pub(crate) bronze_objects: usize,
    pub(crate) bronze_lines: u64,
    pub(crate) silver_files: usize,
    pub(crate) entries: u64,
}

impl Preview {
    /// What an approval of it binds.
    pub(crate) fn approved(&self) -> Approved {
        Approved {
            digest: self.reach.digest.clone(),
            records: self.reach.records as u64,
            shared: self.reach.shared.len() as u64,
            lines: self.bronze_lines,
            entries: self.entries,
        }
    }
}

/// The identifier of a live subject.
pub(crate) async fn name_of(stores: &Stores, subject: &str) -> Result<Option<SubjectName>, StoreError> {
    Ok(live(stores, &[subject]).await?.remove(subject).and_then(|state| state.name))
}

/// The live subjects of these orgs that have one of these pseudonyms, or these ids.
pub(crate) async fn active(
    stores: &Stores,
    orgs: &[String],
    pseudonyms: &[String],
    subjects: &[String],
) -> Result<BTreeMap<String, SubjectState>, StoreError> {
    let names: Vec<(&str, &str)> =
        orgs.iter().flat_map(|org| pseudonyms.iter().map(|one| (org.as_str(), one.as_str()))).collect();
    let found: Vec<_> = stream::iter(names.chunks(ROWS_PER_READ))
        .map(|names| stores.subjects.identifiers(names))
        .buffered(PARALLEL)
        .try_collect()
        .await?;
    let mut ids: BTreeSet<String> = found.into_iter().flatten().flatten().map(|subject| subject.subject_id).collect();
    ids.extend(subjects.iter().cloned());
    let mut live = live(stores, &ids.iter().map(String::as_str).collect::<Vec<_>>()).await?;
    live.retain(|_, state| orgs.iter().any(|org| state.is_of(org)));
    Ok(live)
}

/// The states of those of these subjects that are live. They are distinct.
async fn live(stores: &Stores, subjects: &[&str]) -> Result<BTreeMap<String, SubjectState>, StoreError> {
    let read = |subjects: Vec<String>| async move {
        let asked: Vec<&str> = subjects.iter().map(String::as_str).collect();
        let states = stores.subjects.states(&asked).await?;
        // Asked after the states: of a subject that is gone a row may be left.
        let gone = stores.gone.among(asked.iter().copied()).await?;
        let is_live = |(subject, state): &(&str, SubjectState)| state.active && !gone.contains(subject);
        let found = asked.iter().copied().zip(states).filter_map(|(subject, state)| Some((subject, state?)));
        Ok::<Vec<_>, StoreError>(found.filter(is_live).map(|(subject, state)| (subject.to_owned(), state)).collect())
    };
    let all: Vec<Vec<_>> =
        stream::iter(chunks(subjects, ROWS_PER_READ)).map(read).buffered(PARALLEL).try_collect().await?;
    Ok(all.into_iter().flatten().collect())
}

fn chunks(texts: &[&str], most: usize) -> Vec<Vec<String>> {
    texts.chunks(most).map(|chunk| chunk.iter().map(|text| (*text).to_owned()).collect()).collect()
}

/// What a request reaches now.
pub(crate) async fn preview(call: &Call<'_>, id: &str, row: &RequestRow, who: &Who) -> Result<Preview, Problem> {
    let stores = call.stores();
    let subjects = active(stores, &row.orgs, &who.pseudonyms, &who.subjects).await?;
    let nobodys = Nobodys::of(call, &row.orgs).await?;
    let mut named: Vec<&str> =
        subjects.iter().filter(|(_, state)| !nobodys.has(state)).map(|(subject, _)| subject.as_str()).collect();
    let subjects_shared = subjects.len() - named.len();
    // Of an erasure that waits: those that it ended are the person's still, and lead to what is left.
    let ended = who.erased();
    named.extend(ended.iter().map(|subject| subject.subject_id.as_str()));
    let mut records = records(stores, row, who, &named).await?;
    if records.len() > MAX_RECORDS {
        return Err(Problem::too_many_records());
    }
    let mut held = Held::default();
    read_parties(stores, &mut records).await?;
    count(stores, &mut records, &mut held).await?;
    let ended_ids = ended.iter().map(|subject| subject.subject_id.clone());
    let own: BTreeSet<String> = subjects.keys().cloned().chain(ended_ids).collect();
    let seen: Vec<Seen> = records.into_values().collect();
    let others: BTreeSet<&str> =
        seen.iter().flat_map(|seen| seen.subjects.difference(&own)).map(String::as_str).collect();
    let others = live(stores, &others.into_iter().collect::<Vec<_>>()).await?;
    let other = |(subject, state): (String, SubjectState)| {
        let kind = state.name.as_ref()?.kind;
        Some((subject, Other { kind, is_shared: nobodys.has(&state) }))
    };
    let others: BTreeMap<String, Other> = others.into_iter().filter_map(other).collect();
    Ok(Preview {
        reach: Reach::of(id, seen, &own, &others),
        subjects: own.len(),
        subjects_shared,
        bronze_objects: held.objects.len(),
        bronze_lines: held.lines,
        silver_files: held.files.len(),
        entries: held.entries,
    })
}

/// What names no person: an identifier at the cap or marked, and one of the company's own, also where it came on a list since.
struct Nobodys {
    cap: u64,
    parameter: OwnList,
    by_org: BTreeMap<String, Arc<OwnList>>,
}

impl Nobodys {
    async fn of(call: &Call<'_>, orgs: &[String]) -> Result<Self, Problem> {
        let (keys, settings) = (call.keys_of_request().await?, call.settings());
        let lists = call.stores().own.of_each(orgs, call.now_ms).await?;
        let parameter = OwnList::of(&settings.own_numbers, Some(&keys.ring));
        Ok(Self { cap: settings.fan_out_cap, parameter, by_org: orgs.iter().cloned().zip(lists).collect() })
    }

    fn has(&self, subject: &SubjectState) -> bool {
        let is_own = subject.name.as_ref().is_some_and(|name| {
            let lists = self.by_org.get(&name.org).map(|list| &**list).into_iter().chain([&self.parameter]);
            lists
                .map(|list| list.standing([name.pseudonym.as_str()], None))
                .any(|standing| standing == Standing::InForce)
        });
        is_own || subject.is_shared(self.cap)
    }
}

/// The records that these subjects have part in, and those that are listed, each of them once.
async fn records(
    stores: &Stores,
    row: &RequestRow,
    who: &Who,
    subjects: &[&str],
) -> Result<BTreeMap<String, Seen>, Problem> {
    let seen = |record: String, is_listed| {
        let seen = Seen { record: record.clone(), is_listed, subjects: BTreeSet::new(), is_full: false };
        (record, seen)
    };
    let listed = row.orgs.iter().flat_map(|org| who.interactions.iter().map(move |id| format!("{org}/{id}")));
    let mut records: BTreeMap<String, Seen> = listed.map(|record| seen(record, true)).collect();
    let mut links = stream::iter(subjects.to_vec()).map(|subject| stores.subjects.links(subject)).buffered(PARALLEL);
    while let Some(links) = links.try_next().await? {
        for (record, _) in links {
            // Linked and listed: what an identifier leads to needs no list.
            let (record, seen) = seen(record, false);
            records.insert(record, seen);
        }
        if records.len() > MAX_RECORDS {
            return Err(Problem::too_many_records());
        }
    }
    Ok(records)
}

async fn read_parties(stores: &Stores, records: &mut BTreeMap<String, Seen>) -> Result<(), StoreError> {
    let keys: Vec<&str> = records.keys().map(String::as_str).collect();
    let read = |records: Vec<String>| async move {
        let parties = stores.parties.read(&records.iter().map(String::as_str).collect::<Vec<_>>()).await?;
        Ok::<Vec<_>, StoreError>(records.into_iter().zip(parties).collect())
    };
    let parties: Vec<Vec<_>> =
        stream::iter(chunks(&keys, ROWS_PER_READ)).map(read).buffered(PARALLEL).try_collect().await?;
    for (record, party) in parties.into_iter().flatten() {
        if let Some(seen) = records.get_mut(&record) {
            seen.is_full = party.is_full();
            seen.subjects = party.subjects;
        }
    }
    Ok(())
}

/// How much lies where.
#[derive(Default)]
struct Held {
    objects: BTreeSet<String>,
    lines: u64,
    /// By date and object.
    files: BTreeSet<(String, String)>,
    entries: u64,
}

/// Counts what lies of these records; a listed one of which nothing lies anywhere is none.
async fn count(stores: &Stores, records: &mut BTreeMap<String, Seen>, held: &mut Held) -> Result<(), StoreError> {
    let keys: Vec<String> = records.keys().cloned().collect();
    let read = |record: String| async move {
        let read = try_join(stores.records.bronze(&record), stores.postings.of(&record)).await;
        read.map(|(bronze, postings)| (record, bronze, postings))
    };
    let mut read = stream::iter(keys).map(read).buffered(PARALLEL);
    while let Some((record, bronze, postings)) = read.try_next().await? {
        let is_nothing = bronze.is_empty() && postings.is_empty();
        if is_nothing && records.get(&record).is_some_and(|seen| seen.is_listed && seen.subjects.is_empty()) {
            records.remove(&record);
        }
        for object in bronze {
            held.lines += object.lines;
            held.files.extend(object.dates.into_iter().map(|date| (date, object.object.clone())));
            held.objects.insert(object.object);
        }
        let members = postings.iter().flat_map(|posting| &posting.members);
        held.entries += members.map(|member| member.at.len() as u64).sum::<u64>();
    }
    Ok(())
}
