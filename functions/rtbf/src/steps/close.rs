//! 12, its end. What the erasure itself kept of the person goes, and then, in one transaction, whom the request is about, with the request
//! closed, the digest of its certificate, and nobody to look at it any more. Last the act of it.
//!
//! | crash leaves | done again |
//! |---|---|
//! | lists and states that went, and an open request | the rest |
//! | a closed request whose act is not planned | sweep plans it from the row |

use async_trait::async_trait;
use ledgerline_custody::request::{acts, machine};
use ledgerline_event::instant;
use ledgerline_ledger::store::{Failure, StoreError};
use ledgerline_saga::{Outcome, Position, Step as SagaStep};
use ledgerline_store::request::RequestRow;

use crate::people::{borrowed, flat, groups};
use crate::request::{Request, corrupt};

pub(super) struct Close;

/// How often the request is read again since another step of it was taken.
const ROUNDS: usize = 4;

#[async_trait]
impl<'a> SagaStep<Request<'a>> for Close {
    fn name(&self) -> &'static str {
        "close"
    }

    async fn run(&self, request: &Request<'a>, _: &Position, _: i64) -> Result<Outcome, StoreError> {
        let (stores, who) = (request.call.stores, request.who().await?);
        let whom = request.whom(&who).await?;
        stores.asked.take(&borrowed(&flat(&groups(&request.row().await?, &who))), request.id, true).await?;
        stores.subjects.delete_states(&whom.own.iter().map(String::as_str).collect::<Vec<_>>()).await?;
        stores.lists.delete_all(request.id).await?;
        for _ in 0..ROUNDS {
            let row = request.row().await?;
            let now_ms = request.call.now_ms();
            let (now, now_s) = (instant::to_rfc3339(now_ms), now_ms.div_euclid(1_000));
            let next = machine::finish(&row, now_ms).ok_or_else(|| corrupt("an erasure ends that was not approved"))?;
            let next = RequestRow { certificate: request.held().certificate, ..next };
            match stores
                .requests
                .close(request.id, (&row, &next), &who.duplicates, (&now, now_s), &request.held())
                .await
            {
                Ok(()) => {
                    request.set_closed();
                    record(request, &next, &now).await;
                    return Ok(Outcome::Done);
                }
                // It was given more time in this moment, or the lease is lost.
                Err(StoreError::Conflict(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Err(StoreError::Conflict(Failure::new("others took steps of the same request")))
    }
}

/// Records the act, for which the note is there: what fails here sweep does.
async fn record(request: &Request<'_>, row: &RequestRow, now: &str) {
    let step = row.history.len().saturating_sub(1);
    if let Err(error) = acts::record(&request.call.stores.acts(), request.id, row, step, now).await {
        tracing::warn!(request = request.id, %error, "the act of a done request is left to sweep");
    }
}
