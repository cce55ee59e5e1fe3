//! That a question was answered, as an act of the ledger in each org that was asked: by whom, by which kinds of identifiers, how many
//! records, on which day.
//!
//! Invariant: the act is planned before the question's first page is given, or no page is: 503. A page token exists for a question
//! whose act is planned, so that the other pages add none. Nothing of it leads to the person who was asked about: neither a pseudonym nor
//! a time, and the question's id is random.

use ledgerline_custody::acts::record_acts;
use ledgerline_custody::query::{Query, instant};
use ledgerline_custody::request::acts::access_answered;
use ledgerline_lambda::caller::Caller;
use ledgerline_ledger::store::StoreError;
use ledgerline_store::principal;

use crate::keys::Keys;
use crate::stores::Stores;

/// Records that the caller's question is answered in these orgs, of which the person has so many records.
pub(crate) async fn record(
    stores: &Stores,
    keys: &Keys,
    caller: &Caller,
    (query, orgs, records): (&Query, &[String], usize),
    now_ms: i64,
) -> Result<(), StoreError> {
    // No org was asked: there is no log, and nothing was answered about anybody.
    if orgs.is_empty() {
        return Ok(());
    }
    let pseudonyms = keys.ring.of_principal(&caller.principal());
    let by = stores.principals.alias(&pseudonyms, &principal::of_random(stores.draw())).await?;
    let question = format!("{:032x}", u128::from_be_bytes(stores.draw()));
    let (purpose, acts) = access_answered(&question, orgs, &by, &query.kinds(), records, now_ms)?;
    record_acts(&stores.acts(), &purpose, &acts, &instant(now_ms).unwrap_or_default()).await.map(drop)
}
