//! 1. Tombstones: from here on transform suppresses what names the person, up to the cutoff.
//!
//! An identifier whose subject in an org is at the cap or marked as shared names no person: there it has none, under no version of the key.
//!
//! | crash leaves | done again |
//! |---|---|
//! | some tombstones: events are suppressed early | put again, the larger cutoff wins |

use std::collections::BTreeSet;

use async_trait::async_trait;
use ledgerline_ledger::store::StoreError;
use ledgerline_saga::{Outcome, Position, Step};

use crate::people::{KEYS_PER_READ, Name, States, borrowed, flat, groups};
use crate::request::Request;
use crate::{CALLS_AT_ONCE, at_once};

pub(super) const NAME: &str = "tombs";

pub(super) struct Tombs;

#[async_trait]
impl<'a> Step<Request<'a>> for Tombs {
    fn name(&self) -> &'static str {
        NAME
    }

    async fn run(&self, request: &Request<'a>, _: &Position, _: i64) -> Result<Outcome, StoreError> {
        let (row, who) = (request.row().await?, request.who().await?);
        let groups = groups(&row, &who);
        let shared = shared(request, &flat(&groups)).await?;
        let is_persons = |group: &&Vec<Name>| !group.iter().any(|name| shared.contains(name));
        let names = flat(&groups.iter().filter(is_persons).cloned().collect::<Vec<_>>());
        let (call, ring) = (&request.call, &request.keys.suppression);
        let expires_at_s = expires_at_s(request);
        let puts = names.iter().map(|(org, name)| {
            let tombs = &call.stores.tombs;
            tombs.put(ring, org, name, request.cutoff_ms, expires_at_s)
        });
        at_once(CALLS_AT_ONCE, puts.collect()).await?;
        Ok(Outcome::Done)
    }
}

/// Until when tombstones live: no copy of an event can be sent again then.
fn expires_at_s(request: &Request<'_>) -> i64 {
    let days = request.call.settings.bronze_expire_days + DAYS_BEYOND;
    request.cutoff_ms.div_euclid(1_000) + days * DAY_S
}

/// Those of these names whose live subject names no person.
async fn shared(request: &Request<'_>, names: &[Name]) -> Result<BTreeSet<Name>, StoreError> {
    let (stores, cap) = (request.call.stores, request.call.settings.fan_out_cap);
    let mut found = Vec::new();
    for asked in names.chunks(KEYS_PER_READ) {
        let rows = stores.subjects.identifiers(&borrowed(asked)).await?;
        let named = asked.iter().zip(rows).filter_map(|(name, row)| Some((name.clone(), row?.subject_id)));
        found.extend(named);
    }
    let subjects = found.iter().map(|(_, subject)| subject.clone()).collect();
    let states = States::read(stores, &subjects).await?;
    let is_shared = |subject: &str| states.live(subject).is_some_and(|state| state.is_shared(cap));
    Ok(found.into_iter().filter(|(_, subject)| is_shared(subject)).map(|(name, _)| name).collect())
}

/// A message may lie so long in a queue and its dead-letter queue, and some days to be sure.
const DAYS_BEYOND: i64 = 30;
const DAY_S: i64 = 86_400;
