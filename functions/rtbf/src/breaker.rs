//! How many records erasures may reach in a day: what would destroy more waits, and an alarm tells a person.
//!
//! Invariant: an erasure's records are counted once, into one day, before the first of them is reached; in one transaction with the
//! erasure's own row, so that a slice that comes again counts nothing twice.

use ledgerline_event::instant;
use ledgerline_ledger::store::StoreError;
use ledgerline_saga::Outcome;
use ledgerline_store::subject::date_of;
use ledgerline_store::usage::KEPT_DAYS;

use crate::request::Request;

/// Why an erasure waits for the next day.
const BREAKER: &str = "breaker";
const DAY_MS: i64 = 86_400_000;

/// Counts the request's records; what it waits for, if they are too many for the day.
pub(crate) async fn spend(request: &Request<'_>, records: u64) -> Result<Option<Outcome>, StoreError> {
    let held = request.held();
    if held.counted.is_some() {
        return Ok(None);
    }
    let (call, now_ms) = (&request.call, request.call.now_ms());
    let (now, limit) = (instant::to_rfc3339(now_ms), call.settings.records_per_day);
    let day = date_of(&now);
    let expires_at_s = now_ms.div_euclid(1_000) + i64::from(KEPT_DAYS) * DAY_MS / 1_000;
    if call.stores.usage.spend(request.id, &held, records, day, limit, expires_at_s).await? {
        request.set_counted(day);
        return Ok(None);
    }
    // The template's alarm looks for these words.
    tracing::error!(request = request.id, records, limit, "erasure stopped by the breaker");
    let midnight_ms = (now_ms.div_euclid(DAY_MS) + 1) * DAY_MS;
    Ok(Some(Outcome::WaitUntil(midnight_ms, BREAKER)))
}
