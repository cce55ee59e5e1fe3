//! 9. Whatever was under way when the subjects ended has ended by now, and is looked for once more: until nothing is new, all of 3 to 7 is
//!    done again as the next pass.
//!
//! Objects that are not planned are waited for, and given up after some days.
//!
//! | crash leaves | done again |
//! |---|---|
//! | the next pass's list, and no pass | the list counts, and the pass comes |
//! | a wait that was ended and not counted | it is not counted |

use async_trait::async_trait;
use ledgerline_event::instant;
use ledgerline_ledger::store::StoreError;
use ledgerline_saga::{Outcome, Position, Step};

use super::enumerate;
use crate::list::List;
use crate::people::KEYS_PER_READ;
use crate::request::Request;

pub(super) struct Settle;

/// Why it waits.
const DRAIN: &str = "drain";
const PLANS: &str = "plans";
/// How often it looks whether an object is planned that it waits for.
const LOOK_MS: i64 = 15 * 60_000;
const DAY_MS: i64 = 86_400_000;

#[async_trait]
impl<'a> Step<Request<'a>> for Settle {
    fn name(&self) -> &'static str {
        "settle"
    }

    async fn run(&self, request: &Request<'a>, at: &Position, _: i64) -> Result<Outcome, StoreError> {
        let (call, now_ms) = (&request.call, request.call.now_ms());
        if at.pass == 0 && at.wait_until_ms.is_none() {
            return Ok(Outcome::WaitUntil(now_ms + call.settings.drain_ms, DRAIN));
        }
        let latest = request.list(at.pass).await?;
        end_waits(request, at.pass, &latest).await?;
        let fresh = enumerate::made(request, at.pass + 1).await?;
        let drained_ms = request.cutoff_ms - call.settings.drain_ms;
        // An object that was planned while somebody's runs were under way is looked at once more.
        let is_recent = |planned_ms: i64| planned_ms >= drained_ms;
        let is_seen_once = at.pass == 0 && latest.objects.iter().any(|one| one.planned_at_ms.is_some_and(is_recent));
        if fresh.is_news_to(&latest) || is_seen_once {
            request.put_list(at.pass + 1, &fresh).await?;
            return Ok(Outcome::Again(enumerate::NAME));
        }
        let waits = waits(request, &fresh, now_ms).await?;
        request.count(|counts| counts.waiting = waits);
        Ok(if waits > 0 { Outcome::WaitUntil(now_ms + LOOK_MS, PLANS) } else { Outcome::Done })
    }
}

/// Waits no more for what was planned by this pass: its lines are taken out.
async fn end_waits(request: &Request<'_>, pass: u32, latest: &List) -> Result<(), StoreError> {
    let Some(before) = pass.checked_sub(1) else { return Ok(()) };
    let before = request.list(before).await?;
    let unplanned = latest.unplanned();
    let done: Vec<&str> = before.unplanned().into_iter().filter(|one| !unplanned.contains(one)).collect();
    request.call.stores.waiting.delete(&done, request.id).await
}

/// How many objects are waited for yet; those for which that took too long are given up, and counted.
async fn waits(request: &Request<'_>, fresh: &List, now_ms: i64) -> Result<u64, StoreError> {
    let (waiting, days) = (&request.call.stores.waiting, request.call.settings.wait_days);
    let (unplanned, mut left) = (Vec::from_iter(fresh.unplanned()), 0);
    for asked in unplanned.chunks(KEYS_PER_READ) {
        let since = waiting.of(asked, request.id).await?;
        let waited = asked.iter().zip(since).filter_map(|(object, waits)| Some((*object, waits?)));
        let (over, open): (Vec<_>, Vec<_>) = waited.partition(|(_, waits)| {
            instant::parse(&waits.since).is_none_or(|since_ms| now_ms - since_ms >= days * DAY_MS)
        });
        left += open.len() as u64;
        if !over.is_empty() {
            let over: Vec<&str> = over.into_iter().map(|(object, _)| object).collect();
            tracing::warn!(
                request = request.id,
                objects = over.len(),
                "objects are not planned and waited for no more"
            );
            waiting.delete(&over, request.id).await?;
            request.count(|counts| counts.waiting_given_up += over.len() as u64);
        }
    }
    Ok(left)
}
