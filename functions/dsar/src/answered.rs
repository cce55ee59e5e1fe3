//! That a question was answered, as an act of the ledger in each org that was asked: by whom, by which kinds of identifiers, how many
//! records, on which day.
//!
//! Invariant: the act is planned before the question's first page is given, or no page is: 503, whatever kept it from being planned. The other
//! pages add none, and ask no org that it does not name: a token that was given more orgs since, or an org that is new, is a question of
//! its own. Nothing of the act leads to the person who was asked about: neither a pseudonym nor a time, and the question's id is random.

use ledgerline_custody::acts::record_acts;
use ledgerline_custody::keys::Keys;
use ledgerline_custody::page::TokenError;
use ledgerline_custody::query::{Query, instant};
use ledgerline_custody::request::acts::{access_answered, access_purpose};
use ledgerline_lake::ObjectId;
use ledgerline_lake::keys::PlanOf;
use ledgerline_lambda::api;
use ledgerline_lambda::caller::Caller;
use ledgerline_ledger::log::LogId;
use ledgerline_ledger::store::StoreError;
use ledgerline_store::{delivery, principal};

use crate::problem::Problem;
use crate::stores::Stores;

/// Records that the caller's question is answered in these orgs, of which the person has so many records. The question's id; none where no
/// org was asked: there is no log, and nothing was answered about anybody.
pub(crate) async fn record(
    stores: &Stores,
    keys: &Keys,
    caller: &Caller,
    told: (&Query, &[String], usize),
    now_ms: i64,
) -> Result<String, Problem> {
    let (_, orgs, _) = told;
    if orgs.is_empty() {
        return Ok(String::new());
    }
    let what = "That the question is answered could not be recorded, so that it is not answered.";
    let recorded = planned(stores, keys, caller, told, now_ms).await;
    recorded.map_err(|error| Problem::from(api::Problem::not_recorded(&error, what)))
}

async fn planned(
    stores: &Stores,
    keys: &Keys,
    caller: &Caller,
    (query, orgs, records): (&Query, &[String], usize),
    now_ms: i64,
) -> Result<String, StoreError> {
    let pseudonyms = keys.ring.of_principal(&caller.principal());
    let by = stores.principals.alias(&pseudonyms, &principal::of_random(stores.draw())).await?;
    let question = format!("{:032x}", u128::from_be_bytes(stores.draw()));
    let (purpose, acts) = access_answered(&question, orgs, &by, &query.kinds(), records, now_ms)?;
    record_acts(&stores.acts(), &purpose, &acts, &instant(now_ms).unwrap_or_default()).await?;
    Ok(question)
}

/// The orgs that the act of a question names, sorted.
pub(crate) async fn orgs(stores: &Stores, question: &str) -> Result<Vec<String>, Problem> {
    let object = ObjectId::of_act(&access_purpose(question));
    // A plan outlives every token of its question, unless somebody deleted it.
    let plan = delivery::find(stores.acts().plans, PlanOf::Acts, object).await?.ok_or(TokenError::Expired)?;
    let logs = plan.header.pointers(plan.header_bytes);
    let mut orgs: Vec<String> =
        logs.iter().filter_map(|pointer| LogId::parse(&pointer.log).ok()).map(|log| log.org().to_owned()).collect();
    orgs.sort();
    orgs.dedup();
    Ok(orgs)
}
