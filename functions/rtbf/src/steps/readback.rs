//! 10. Reads back what was done: objects with their versions, silver, keys, who is found. What is not as it should be is done again.
//!
//! | crash leaves | done again |
//! |---|---|
//! | nothing | read again from the last cursor |

use std::collections::BTreeSet;

use async_trait::async_trait;
use ledgerline_ledger::store::StoreError;
use ledgerline_saga::{Outcome, Position, Step};

use super::objects::{About, OBJECTS_PER_READ};
use super::{links, objects, records, subjects};
use crate::object::{Deciding, Target, is_clean};
use crate::people::Others;
use crate::record::{Coming, Read};
use crate::request::Request;
use crate::rules::{OfRecords, held_of};
use crate::{CALLS_AT_ONCE, LargeObjects, OBJECTS_AT_ONCE, at_once};

pub(super) struct Readback;

/// Records that are read between two looks at the clock.
const RECORDS_AT_ONCE: usize = 100;

#[async_trait]
impl<'a> Step<Request<'a>> for Readback {
    fn name(&self) -> &'static str {
        "readback"
    }

    async fn run(&self, request: &Request<'a>, at: &Position, _: i64) -> Result<Outcome, StoreError> {
        let (call, about) = (&request.call, About::read(request, at.pass).await?);
        let (all, mut done, large) = (about.list.objects.len(), at.cursor as usize, LargeObjects::default());
        for objects in about.list.objects.get(done..).unwrap_or_default().chunks(OBJECTS_PER_READ) {
            if call.is_over() {
                return Ok(Outcome::More(done as u64));
            }
            let planned = objects.iter().filter(|one| one.planned_at_ms.is_some());
            let targets: Vec<Target> = planned.map(|one| about.target(one)).collect::<Result<_, _>>()?;
            let OfRecords { rules, whole } = about.rules(request, &targets).await?;
            let (keys, refs, rules, whole) = (&*request.keys, &about.whom.refs, &rules, &whole);
            let deciding = Deciding { call, keys, rules, refs, whole, large: &large };
            let looks = targets.iter().map(|target| is_clean(&deciding, target));
            let clean: Vec<bool> = at_once(OBJECTS_AT_ONCE, looks.collect()).await?;
            if clean.contains(&false) {
                return Ok(sent_back(request, objects::NAME));
            }
            done += objects.len();
        }
        let mut read = done - all;
        for records in about.list.records.get(read..).unwrap_or_default().chunks(RECORDS_AT_ONCE) {
            if call.is_over() {
                return Ok(Outcome::More((all + read) as u64));
            }
            let names: BTreeSet<&str> = records.iter().map(|one| one.record.as_str()).collect();
            if !are_clean(request, &about, &names).await? {
                return Ok(sent_back(request, records::NAME));
            }
            read += records.len();
        }
        if !subjects::ends(request, request.cutoff_ms).await?.is_empty() {
            return Ok(sent_back(request, subjects::NAME));
        }
        if is_linked(request, &about).await? {
            return Ok(sent_back(request, links::NAME));
        }
        request.set_read_back();
        Ok(Outcome::Done)
    }
}

fn sent_back(request: &Request<'_>, step: &'static str) -> Outcome {
    tracing::warn!(request = request.id, step, "something was not as it should be; it is done again");
    Outcome::Back(step)
}

/// Whether nobody of the request's takes part in these records and none of the keys is there that go; held ones aside.
async fn are_clean(request: &Request<'_>, about: &About, records: &BTreeSet<&str>) -> Result<bool, StoreError> {
    let held = held_of(request.call.stores, &records.iter().map(|one| (*one).to_owned()).collect()).await?;
    let others = Others::new(request.call.stores, request.call.settings.fan_out_cap);
    let erasure = about.erasure(request, &others);
    let coming: Vec<_> = about.coming(records).into_iter().filter(|one| !held.contains(one.record)).collect();
    let reads = coming.iter().map(|coming| Read::of(&request.call, &erasure, coming));
    let reads = at_once(CALLS_AT_ONCE, reads.collect()).await?;
    let is_clean = |(read, coming): (&Read, &Coming<'_>)| {
        !read.changes_row() && read.keys_that_go(&erasure, coming.is_listed).is_empty()
    };
    Ok(reads.iter().zip(&coming).all(is_clean))
}

/// Whether a subject of the request's is linked to anything that is not held.
async fn is_linked(request: &Request<'_>, about: &About) -> Result<bool, StoreError> {
    for subject in &about.whom.own {
        let links = request.call.stores.subjects.links(subject).await?;
        let records: BTreeSet<String> = links.into_iter().map(|(record, _)| record).collect();
        if held_of(request.call.stores, &records).await? != records {
            return Ok(true);
        }
    }
    Ok(false)
}
