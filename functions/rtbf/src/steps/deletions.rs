//! 11. The ledger says of each record that it was erased, and which keys were destroyed: an act for each, in the record's own log.
//!
//! At once, or on a day on which those of all requests are recorded in the order of their random names. Of a record that a hold keeps, none:
//! it has one when the hold is lifted; nor of a listed one of which nothing went.
//!
//! | crash leaves | done again |
//! |---|---|
//! | acts of some records, or their places in the day's pool | the same, under the same purposes |
//! | a pool, and nobody who waits for it | the day's own wake-up records it; the request's comes, too |

use std::collections::BTreeSet;

use async_trait::async_trait;
use ledgerline_ledger::store::StoreError;
use ledgerline_saga::{Outcome, Position, Step};
use ledgerline_store::party::Party;

use crate::acts::{begins_ms, day_of, due, pool, record};
use crate::list::ListRecord;
use crate::people::KEYS_PER_READ;
use crate::request::Request;

pub(super) const NAME: &str = "deletions";

pub(super) struct Deletions;

/// Why it waits.
const POOL: &str = "pool";
/// After the day has come the pool is looked at again so much later.
const LOOK_MS: i64 = 60_000;
const DAY_S: i64 = 86_400;
/// How long it is kept who was pooled: until their certificates are written, and some days to be sure.
const POOLED_DAYS: i64 = 60;

#[async_trait]
impl<'a> Step<Request<'a>> for Deletions {
    fn name(&self) -> &'static str {
        NAME
    }

    async fn run(&self, request: &Request<'a>, at: &Position, _: i64) -> Result<Outcome, StoreError> {
        let (call, list) = (&request.call, request.list(at.pass).await?);
        let pool_days = call.settings.pool_days;
        let Some(day) = request.held().pool else {
            // Fixed and saved before anything is recorded: a slice that comes again, on another day, goes on with it.
            request.set_pool(&day_of(call.now_ms(), pool_days));
            return Ok(Outcome::More(0));
        };
        let mut done = at.cursor as usize;
        if done < list.records.len() {
            if done == 0 && pool_days > 0 {
                let expires_at_s = call.now_ms().div_euclid(1_000) + POOLED_DAYS * DAY_S;
                call.stores.deletions.join(&day, request.id, expires_at_s).await?;
            }
            let own = request.whom(&request.who().await?).await?.own;
            for records in list.records[done..].chunks(KEYS_PER_READ) {
                if call.is_over() {
                    return Ok(Outcome::More(done as u64));
                }
                of_some(request, &day, records, &own).await?;
                done += records.len();
            }
            return Ok(Outcome::More(done as u64));
        }
        if list.records.is_empty() {
            return Ok(Outcome::Done);
        }
        // Also where nothing is pooled any more: it may have been when this began.
        let begins_ms = begins_ms(&day)?;
        if call.now_ms() < begins_ms {
            return Ok(Outcome::WaitUntil(begins_ms, POOL));
        }
        let is_empty = call.stores.deletions.on(&day, 1).await?.is_empty();
        Ok(if is_empty { Outcome::Done } else { Outcome::WaitUntil(call.now_ms() + LOOK_MS, POOL) })
    }
}

/// Records, or pools, the acts of these records.
async fn of_some(
    request: &Request<'_>,
    day: &str,
    records: &[ListRecord],
    own: &BTreeSet<String>,
) -> Result<(), StoreError> {
    let stores = request.call.stores;
    let names: Vec<&str> = records.iter().map(|one| one.record.as_str()).collect();
    let parties = stores.parties.read(&names).await?;
    let acts = due(stores, &request.acts, &names).await?;
    let erased: BTreeSet<&str> = records
        .iter()
        .zip(&parties)
        .filter(|(one, party)| is_erased(one, party) && !is_put_off(party, own, request.id))
        .map(|(one, _)| one.record.as_str())
        .collect();
    let acts: Vec<_> = acts
        .into_iter()
        // A key that was destroyed is told of whatever came on the record since.
        .filter(|(_, act)| !act.key_ids.is_empty() || erased.contains(act.record.as_str()))
        .collect();
    if request.call.settings.pool_days > 0 {
        return pool(stores, day, &acts).await;
    }
    record(&request.call, day, &acts).await?;
    stores.deletions.planned(None, &acts.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>()).await
}

/// Whether anything of a record went: of one that an identifier leads to the person's own did.
fn is_erased(one: &ListRecord, party: &Party) -> bool {
    !one.listed || party.cutoff.is_some()
}

/// Whether the request's part in a record waits until no hold is on it.
pub(crate) fn is_put_off(party: &Party, own: &BTreeSet<String>, request: &str) -> bool {
    party.pending_until.is_some() && (party.pending_erase.contains(request) || !party.pending_erase.is_disjoint(own))
}
