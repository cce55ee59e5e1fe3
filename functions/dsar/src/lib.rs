//! Answers data subject access requests from the ledger: `POST /api/v1/compliance/dsar/audit-trail`.
//!
//! Invariant: nothing that the caller typed is logged or sent back; no organisation is asked that the caller's token does not name, nor on
//! a later page one that the act of the first does not name; an answer that misses anything, or may, says so; a customer who was never seen gets the same answer as one of whom nothing is left:
//! empty, and as complete. The function writes that it answered, and nothing else. Left out: who calls, which the authorizer says.

mod answered;
mod config;
mod gather;
mod journal;
mod own;
mod problem;
mod stores;
mod subjects;

use aws_lambda_events::apigw::ApiGatewayProxyResponse;
use ledgerline_custody::answer::{Answer, Asked, Customer, Systems};
use ledgerline_custody::keys::{KeyCache, Keys};
use ledgerline_custody::page::{AnswerPlace, Cursor, TOKEN_TTL_MS, TokenError};
use ledgerline_custody::planned::is_behind;
use ledgerline_custody::query::{BODY_BYTES, Query, instant};
use ledgerline_lambda::api::{self, NO_ID, Request};
use ledgerline_lambda::caller::Caller;
use ledgerline_lambda::clock::Clock;
use ledgerline_ledger::store::{Failure, StoreError};
use ledgerline_store::subject::SubjectState;

pub use config::Config;
pub use ledgerline_custody::keys::KEYS_TTL_MS;
pub use stores::{Ports, Stores};

use gather::{Gathered, Subject};
use own::Own;
use problem::Problem;
use subjects::Active;

/// The path that this function answers.
pub const PATH: &str = "/api/v1/compliance/dsar/audit-trail";

/// The function with its stores, and the keys once they are opened.
pub struct Dsar {
    stores: Stores,
    config: Config,
    keys: KeyCache<Keys>,
}

impl Dsar {
    /// A function that has not opened its keys yet.
    pub fn new(stores: Stores, config: Config) -> Self {
        Self { stores, config, keys: KeyCache::default() }
    }
}

/// Answers one request: an API Gateway REST proxy event, as its JSON text. Every error becomes a problem document; none
/// fails the invocation, whatever the payload is.
pub async fn handle(dsar: &Dsar, clock: &impl Clock, payload: &str) -> ApiGatewayProxyResponse {
    let Some(request) = Request::read(payload) else {
        let problem = api::Problem::no_event();
        problem.log(NO_ID);
        return problem.response(NO_ID);
    };
    let request_id = request.id();
    match answer(dsar, clock.now_ms(), &request).await {
        Ok(body) => api::answer(200, body),
        Err(Problem(problem)) => {
            problem.log(request_id);
            problem.response(request_id)
        }
    }
}

/// One straight line: check the envelope, read who asks what, open the keys, resolve, gather a page, say how it went.
async fn answer(dsar: &Dsar, now_ms: i64, request: &Request<'_>) -> Result<String, Problem> {
    if request.below(PATH) != Some("") {
        return Err(Problem::no_such_path());
    }
    if request.method() != "POST" {
        return Err(Problem::no_such_method());
    }
    let caller = request.allowed(PATH)?;
    let query = Query::parse(&request.body(BODY_BYTES)?, dsar.config.region)?;
    // Before anything is looked up: what was planned by then must be found, and its org noted; what is planned meanwhile may be.
    let through_ms = match query.page_token {
        None => dsar.stores.planned.through().await?,
        Some(_) => None,
    };
    let keys = dsar.keys.get(now_ms, Keys::open(&dsar.stores.keys, &dsar.config.deployment)).await?;
    let place = place(&query, &caller, keys.as_deref(), now_ms)?;
    let (as_of_ms, missing_before) = match &place {
        Some(place) => (place.as_of_ms, place.missing),
        None => (through_ms, is_behind(through_ms, now_ms, &query.range)),
    };
    let orgs = match &place {
        Some(place) => subjects::allowed(answered::orgs(&dsar.stores, &place.question).await?, &query, &caller.orgs)?,
        None => subjects::orgs(&dsar.stores, &query, &caller.orgs).await?,
    };
    let Active { subjects: active, leading } = subjects::active(&dsar.stores, &query, &orgs, keys.as_deref()).await?;
    let identifiers = subjects::counted(&query, keys.as_deref(), active.len(), &leading);
    let own = Own::of(&dsar.stores, &dsar.config, &query, &orgs, &active, keys.as_deref(), now_ms).await?;
    let cap = dsar.config.fan_out_cap;
    // Transform links a shared subject to nothing more, and nothing is kept of what it left out: there may be some. So it is with
    // what came while an identifier was the company's own.
    let limited = own.formerly || active.iter().any(|(_, state)| state.is_limited(cap));
    let of = |(id, state): (String, SubjectState)| Subject { id, shared: state.is_shared(cap) || own.names(&state) };
    let subjects: Vec<Subject> = active.into_iter().map(of).collect();
    let shared = !own.in_force.is_empty() || subjects.iter().any(|subject| subject.shared);

    let (question, start) = place.map(|place| (place.question, place.position)).unzip();
    let Gathered { interactions, records, filtered, reads, missing, next } =
        gather::page(&dsar.stores, &query, &orgs, &subjects, start, now_ms).await?;
    let question = match (question, keys.as_deref()) {
        (Some(question), _) => question,
        (None, Some(keys)) => answered::record(&dsar.stores, keys, &caller, (&query, &orgs, records), now_ms).await?,
        // Without a key nobody was ever seen, and nothing is answered about anybody.
        (None, None) => String::new(),
    };

    let missing = missing || missing_before || limited || shared;
    let newest = keys.as_deref().and_then(|keys| Some((keys, keys.tokens.newest()?)));
    let next_page_token = match (next, newest) {
        (Some(position), Some((keys, key))) => {
            let expires_ms = now_ms.saturating_add(TOKEN_TTL_MS);
            let query = query.digest(&caller.principal(), &keys.ring, key.version());
            let place = AnswerPlace { question, as_of_ms, missing, position };
            Some(key.seal(&Cursor { query, expires_ms, place }, dsar.stores.draw())?)
        }
        (None, _) => None,
        // A subject exists, so a key made its pseudonym: without one the control table has lost it.
        (Some(_), None) => {
            return Err(StoreError::Corrupt(Failure::new("no pseudonym key beside stored subjects")).into());
        }
    };
    let answer = Answer {
        as_of: as_of_ms.and_then(instant),
        complete: !missing,
        request: Asked::of(orgs, query.request_type, &query.range),
        customer: Customer {
            found: !subjects.is_empty(),
            subjects: subjects.len(),
            limited,
            shared,
            weak: query.is_weak(),
            other_spellings: query.other_spellings(),
        },
        systems: Systems { ledger: reads },
        interactions,
        filtered,
        next_page_token,
    };
    let body = serde_json::to_string(&answer).map_err(Problem::unwritable)?;
    log_answer(request.id(), &caller, query.page_token.is_some(), identifiers, &answer, body.len());
    Ok(body)
}

/// Where the page token says that the page before left off, if there is one and it belongs to this question of this caller.
fn place(query: &Query, caller: &Caller, keys: Option<&Keys>, now_ms: i64) -> Result<Option<AnswerPlace>, Problem> {
    let Some(token) = &query.page_token else { return Ok(None) };
    let keys = keys.ok_or(TokenError::Foreign)?;
    let opened = keys.tokens.open::<AnswerPlace>(token)?;
    let digest = query.digest(&caller.principal(), &keys.ring, opened.key_version);
    Ok(Some(opened.accept(&digest, now_ms)?))
}

/// One line. Of identifiers only how many lead to somebody and how many do not: the template's alarm on guesses adds them up.
fn log_answer(
    request_id: &str,
    caller: &Caller,
    is_next_page: bool,
    (identifiers_found, identifiers_not_found): (usize, usize),
    answer: &Answer,
    body_bytes: usize,
) {
    tracing::info!(
        request_id,
        principal = caller.name(),
        page = if is_next_page { "next" } else { "first" },
        status = 200,
        request_type = answer.request.request_type,
        orgs = answer.request.orgs.len(),
        identifiers_found,
        identifiers_not_found,
        subjects = answer.customer.subjects,
        limited = answer.customer.limited,
        shared = answer.customer.shared,
        interactions = answer.interactions.len(),
        filtered = answer.filtered,
        entries = answer.interactions.iter().map(|one| one.entries()).sum::<usize>(),
        reads = answer.systems.ledger.asked,
        reads_failed = answer.systems.ledger.failed,
        as_of = answer.as_of,
        complete = answer.complete,
        more = answer.next_page_token.is_some(),
        body_bytes,
        "answered"
    );
}
