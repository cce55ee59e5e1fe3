//! 4. Each record: who takes part, its cutoff, its keys; see [`crate::record`].
//!
//! Of a later pass a record is left alone of which nobody of the request's takes part any more, whose cutoff stands and none of whose keys
//! goes.
//!
//! | crash leaves | done again |
//! |---|---|
//! | records up to the last cursor, and some behind it | these are counted once more, and end the same |

use std::collections::BTreeSet;

use async_trait::async_trait;
use ledgerline_ledger::store::StoreError;
use ledgerline_saga::{Outcome, Position, Step};

use crate::people::Others;
use crate::record::{Coming, Erasure, Reached, reach};
use crate::request::Request;
use crate::{CALLS_AT_ONCE, at_once};

pub(super) const NAME: &str = "records";

pub(super) struct Records;

/// Records between two savings of the position, which takes a call: of ten a record.
const RECORDS_PER_SAVE: usize = 200;
/// Records whose others are asked for at once.
const RECORDS_AT_ONCE: usize = 100;

#[async_trait]
impl<'a> Step<Request<'a>> for Records {
    fn name(&self) -> &'static str {
        NAME
    }

    async fn run(&self, request: &Request<'a>, at: &Position, _: i64) -> Result<Outcome, StoreError> {
        let (call, list, who) = (&request.call, request.list(at.pass).await?, request.who().await?);
        let whom = request.whom(&who).await?;
        let decided: BTreeSet<&str> = who.erase_shared.iter().map(String::as_str).collect();
        let before = match at.pass.checked_sub(1) {
            Some(before) => Some(request.list(before).await?),
            None => None,
        };
        let known: BTreeSet<&str> =
            before.iter().flat_map(|list| &list.records).map(|one| one.record.as_str()).collect();
        let others = Others::new(call.stores, call.settings.fan_out_cap);
        let (acts, cutoff_ms) = (Some(&request.acts), request.cutoff_ms);
        let erasure = Erasure { name: request.id, own: &whom.own, cutoff_ms, others: &others, acts };
        if at.cursor == 0 {
            request.count(|counts| (counts.records, counts.shared, counts.held) = (0, 0, 0));
        }
        let mut done = at.cursor as usize;
        for records in list.records.get(done..).unwrap_or_default().chunks(RECORDS_AT_ONCE) {
            if call.is_over() || done - at.cursor as usize >= RECORDS_PER_SAVE {
                return Ok(Outcome::More(done as u64));
            }
            learn(request, &others, records, &whom.own).await?;
            let coming = records.iter().map(|one| Coming {
                record: &one.record,
                is_listed: one.listed,
                last_ms: one.last_ms,
                is_decided: decided.contains(one.record.as_str()),
                is_new: !known.contains(one.record.as_str()),
            });
            let coming: Vec<Coming<'_>> = coming.collect();
            let reaching = coming.iter().map(|coming| reach(call, &erasure, coming));
            let reached: Vec<Reached> = at_once(CALLS_AT_ONCE, reaching.collect()).await?;
            done += records.len();
            request.count(|counts| {
                counts.records += records.len() as u64;
                counts.shared += reached.iter().filter(|one| one.is_shared).count() as u64;
                counts.held += reached.iter().filter(|one| one.is_held).count() as u64;
                counts.keys += reached.iter().map(|one| one.keys as u64).sum::<u64>();
            });
        }
        Ok(Outcome::Done)
    }
}

/// Asks of all who take part in these records at once whether they live.
async fn learn(
    request: &Request<'_>,
    others: &Others<'_>,
    records: &[crate::list::ListRecord],
    own: &BTreeSet<String>,
) -> Result<(), StoreError> {
    let asked: Vec<&str> = records.iter().map(|one| one.record.as_str()).collect();
    let parties = request.call.stores.parties.read(&asked).await?;
    let subjects: BTreeSet<String> = parties.into_iter().flat_map(|party| party.subjects).collect();
    others.of(&subjects.difference(own).cloned().collect()).await.map(drop)
}
