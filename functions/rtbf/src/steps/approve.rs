//! 3, behind it. What was found is what was approved, or not much more; else the request waits for another approval. Then its records are
//! counted into the day.
//!
//! Of the first pass alone: later ones find what came while it was at work.
//!
//! | crash leaves | done again |
//! |---|---|
//! | a request that waits; records that are counted | read again |

use std::collections::BTreeSet;

use async_trait::async_trait;
use ledgerline_custody::erasure::{RecordSeen, exceeds, record_rule};
use ledgerline_custody::request::machine;
use ledgerline_ledger::store::{Failure, StoreError};
use ledgerline_saga::{Outcome, Position, Step};
use ledgerline_store::request::Approved;

use crate::breaker;
use crate::list::List;
use crate::people::{KEYS_PER_READ, Others, Whom};
use crate::request::{APPROVAL, Request, corrupt};

pub(super) const NAME: &str = "approve";

pub(super) struct Approve;

/// How often the request is read again since another step of it was taken.
const ROUNDS: usize = 4;

#[async_trait]
impl<'a> Step<Request<'a>> for Approve {
    fn name(&self) -> &'static str {
        NAME
    }

    async fn run(&self, request: &Request<'a>, at: &Position, _: i64) -> Result<Outcome, StoreError> {
        if at.pass > 0 {
            return Ok(Outcome::Done);
        }
        let list = request.list(at.pass).await?;
        let shared = shared(request, &list).await?;
        for _ in 0..ROUNDS {
            let row = request.row().await?;
            let Some(next) = machine::wait(&row) else { return Ok(Outcome::Stuck(APPROVAL)) };
            let approved = row.approved.as_ref().ok_or_else(|| corrupt("an erasing request was never approved"))?;
            let found = Approved {
                digest: approved.digest.clone(),
                records: list.records.len() as u64,
                shared,
                lines: list.lines,
                entries: list.entries,
            };
            if !exceeds(approved, &found) {
                let stopped = breaker::spend(request, list.records.len() as u64).await?;
                return Ok(stopped.unwrap_or(Outcome::Done));
            }
            match request.call.stores.requests.wait(request.id, &row, &next).await {
                Ok(()) => return Ok(Outcome::Stuck(APPROVAL)),
                Err(StoreError::Conflict(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Err(StoreError::Conflict(Failure::new("others took steps of the same request")))
    }
}

/// How many of the records are shared, as the preview counts them: whoever the request names is no other there, also where nothing is
/// erased by the identifier.
async fn shared(request: &Request<'_>, list: &List) -> Result<u64, StoreError> {
    let (call, who) = (&request.call, request.who().await?);
    let Whom { own, kept, .. } = request.whom(&who).await?;
    let own: BTreeSet<String> = own.into_iter().chain(kept).collect();
    let others = Others::new(call.stores, call.settings.fan_out_cap);
    let mut shared = 0;
    for records in list.records.chunks(KEYS_PER_READ) {
        let asked: Vec<&str> = records.iter().map(|one| one.record.as_str()).collect();
        let parties = call.stores.parties.read(&asked).await?;
        let subjects: BTreeSet<String> = parties.iter().flat_map(|party| &party.subjects).cloned().collect();
        let known = others.of(&subjects.difference(&own).cloned().collect()).await?;
        for (one, party) in records.iter().zip(parties) {
            let seen = RecordSeen { party, listed: one.listed, last_ms: one.last_ms, decided_erase: false };
            let rule = record_rule(&seen, &own, &known.dead, &known.live, request.cutoff_ms, call.now_ms());
            shared += u64::from(rule.shared);
        }
    }
    Ok(shared)
}
