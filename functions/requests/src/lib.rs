//! Takes requests of persons, for their data or their erasure, from receipt to approval: `/api/v1/compliance/requests` and the short form
//! `/api/v1/compliance/rtbf`.
//!
//! Invariant: the function destroys nothing and may delete nothing; it tells the eraser that an erasure may begin. What names a person becomes pseudonyms before anything is stored;
//! nothing that a caller typed is logged, or sent back in an error. A request of an org that the caller may not see does not exist. Left
//! out: who calls (the API's authorizer), and carrying out what was approved.
//!
//! | crash after | what is stored | who repairs |
//! |---|---|---|
//! | a use counted | a use more | nobody needs to |
//! | a principal's alias | an alias without a request | the principal's next call finds it |
//! | suppression key, request's key | a key that nothing is named by; nothing | the next call finds the first |
//! | the request made: its rows, whom it is about, and the note of its act, in one transaction | a request whose act is not planned | the same body again is answered with the request and plans the act; sweep plans it from the row, half an hour later |
//! | the same asked again: the caller's alias in the request's row | that it is the caller's, too | nobody needs to: the caller asked |
//! | a step taken: row, list, whom it is about, and the note of its act, in one transaction | a step whose act is not planned | the same call again, or sweep, as above |
//! | the act: row, note, plan, pointers | part of it | the same call again; sweep |
//! | that its identifiers are asked about, before the request is made | the id of no request, under them | nobody needs to: what is no request is not told; the person's erasure takes the row |
//! | a request taken back or refused, before its identifiers forget it | a closed request's id under them, which is not told | the same call again |
//! | an approval that may begin at once, before its message | the row that sweep wakes it by | sweep, a minute later |
//! | before the answer is heard | all of it | the same call again by the same principal, with the same words, is answered 200 |
//!
//! The act follows the row and not the other way round: an entry of the ledger cannot be taken back if another writer was first.

mod certificate;
mod config;
mod create;
mod keys;
mod problem;
mod reach;
mod show;
mod step;
mod stores;

use std::sync::Arc;

use aws_lambda_events::apigw::ApiGatewayProxyResponse;
use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use ledgerline_custody::keys::KeyCache;
use ledgerline_custody::request::acts;
use ledgerline_custody::request::ask::{Asked, BODY_BYTES};
use ledgerline_event::instant;
use ledgerline_lambda::api::{self, Request};
use ledgerline_lambda::caller::Caller;
use ledgerline_lambda::clock::Clock;
use ledgerline_ledger::store::{Failure, StoreError};
use ledgerline_store::erasing::Erasing;
use ledgerline_store::principal;
use ledgerline_store::request::{RequestRow, State, Who, is_id};
use ledgerline_store::usage::{KEPT_DAYS, Use};
use serde_json::Value;

pub use config::{Config, Settings};
pub use stores::{Ports, Stores};

use keys::Keys;
use problem::Problem;
use step::Verb;

/// What the paths that this function answers begin with.
pub const BASE: &str = "/api/v1/compliance/";

/// The function with its stores, and the keys once they are opened.
pub struct Function {
    stores: Stores,
    settings: Settings,
    keys: KeyCache<Keys>,
}

impl Function {
    /// A function that has not opened its keys yet.
    pub fn new(stores: Stores, settings: Settings) -> Self {
        Self { stores, settings, keys: KeyCache::default() }
    }
}

/// Answers one call: an API Gateway REST proxy event, as its JSON text. Every error becomes a problem document; none fails the
/// invocation, whatever the payload is.
pub async fn handle(function: &Function, clock: &impl Clock, payload: &str) -> ApiGatewayProxyResponse {
    let (call_id, answered) = match Request::read(payload) {
        Some(request) => (request.id().to_owned(), answer(function, clock.now_ms(), &request).await),
        None => (api::NO_ID.to_owned(), Err(Problem(api::Problem::no_event()))),
    };
    match answered {
        Ok(Answered { status, what, request, state, by, body }) => {
            tracing::info!(request_id = call_id, status, what, request, state, by, "answered");
            match body {
                Said::Json(body) => api::answer(status, body.to_string()),
                Said::Document(content_type, text) => api::document(status, content_type, text),
            }
        }
        Err(Problem(problem)) => {
            problem.log(&call_id);
            problem.response(&call_id)
        }
    }
}

/// A good answer, and what the log says of it.
pub(crate) struct Answered {
    status: u16,
    what: &'static str,
    /// The request's id.
    request: Option<String>,
    state: Option<&'static str>,
    /// The principal's alias.
    by: Option<String>,
    body: Said,
}

/// What an answer says.
pub(crate) enum Said {
    Json(Value),
    /// Of this content type, as it is stored.
    Document(&'static str, String),
}

impl From<Value> for Said {
    fn from(body: Value) -> Self {
        Self::Json(body)
    }
}

/// What is asked of which request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Route<'p> {
    List,
    Create,
    ShortForm,
    Show(&'p str),
    Preview(&'p str),
    Certificate(&'p str),
    Step(&'p str, Verb),
}

impl<'p> Route<'p> {
    fn of(method: &str, path: &'p str) -> Result<Self, Problem> {
        let parts: Vec<&str> = path.split('/').collect();
        let only = |known, route| if method == known { Ok(route) } else { Err(Problem::no_such_method(known)) };
        match parts[..] {
            ["requests"] => match method {
                "GET" => Ok(Self::List),
                "POST" => Ok(Self::Create),
                _ => Err(Problem::no_such_method("GET, POST")),
            },
            ["rtbf"] => only("POST", Self::ShortForm),
            ["requests", id] => only("GET", Self::Show(id)),
            ["requests", id, "preview"] => only("GET", Self::Preview(id)),
            ["requests", id, "certificate"] => only("GET", Self::Certificate(id)),
            ["requests", id, word] => {
                let verb = Verb::of(word).ok_or_else(Problem::no_such_path)?;
                only("POST", Self::Step(id, verb))
            }
            _ => Err(Problem::no_such_path()),
        }
    }
}

async fn answer(function: &Function, now_ms: i64, request: &Request<'_>) -> Result<Answered, Problem> {
    let path = request.below(BASE).ok_or_else(Problem::no_such_path)?;
    let route = Route::of(request.method(), path)?;
    let caller = request.allowed(&format!("{BASE}{path}"))?;
    let call = Call { function, caller, now_ms, now: instant::to_rfc3339(now_ms) };
    let region = function.settings.region;
    match route {
        Route::List => show::list(&call, request).await,
        Route::Show(id) => show::one(&call, id).await,
        Route::Preview(id) => show::preview(&call, id).await,
        Route::Certificate(id) => certificate::certificate(&call, request, id).await,
        Route::Create => {
            let asked = Asked::parse(&request.body(BODY_BYTES)?, region).map_err(Problem::of_query)?;
            create::create(&call, asked, create::Form::Whole).await
        }
        Route::ShortForm => {
            let asked = Asked::parse_rtbf(&request.body(BODY_BYTES)?, region).map_err(Problem::of_query)?;
            create::create(&call, asked, create::Form::Short).await
        }
        Route::Step(id, verb) => step::take(&call, id, verb, &request.body(BODY_BYTES)?).await,
    }
}

/// One call: who makes it, and when.
pub(crate) struct Call<'f> {
    function: &'f Function,
    caller: Caller,
    now_ms: i64,
    now: String,
}

impl<'f> Call<'f> {
    fn stores(&self) -> &'f Stores {
        &self.function.stores
    }

    fn settings(&self) -> &'f Settings {
        &self.function.settings
    }

    fn now_s(&self) -> i64 {
        self.now_ms.div_euclid(1_000)
    }

    /// The data keys; `None` before the first event.
    async fn keys(&self) -> Result<Option<Arc<Keys>>, StoreError> {
        let opened = Keys::open(&self.stores().keys, &self.settings().deployment, self.now_ms);
        self.function.keys.get(self.now_ms, opened).await
    }

    /// The data keys, where a request exists: what made its pseudonyms is there.
    async fn keys_of_request(&self) -> Result<Arc<Keys>, StoreError> {
        let lost = || StoreError::Corrupt(Failure::new("no pseudonym key beside stored requests"));
        self.keys().await?.ok_or_else(lost)
    }

    /// The caller's alias.
    async fn alias(&self, keys: &Keys) -> Result<String, Problem> {
        let pseudonyms = keys.ring.of_principal(&self.caller.principal());
        let alias = self.stores().principals.alias(&pseudonyms, &principal::of_random(self.stores().draw())).await;
        alias.map_err(|error| {
            Problem::not_recorded(&error, "Who calls could not be recorded, so that nothing was done.")
        })
    }

    /// Counts a use of the caller's, before it is made.
    async fn count(&self, alias: &str, what: Use) -> Result<(), Problem> {
        let day = self.now.get(..DAY_CHARS).unwrap_or_default();
        let midnight_s = self.now_s().div_euclid(DAY_S).saturating_add(1) * DAY_S;
        let expires_at_s = midnight_s + i64::from(KEPT_DAYS) * DAY_S;
        let used = self.stores().usage.count(alias, what, day, expires_at_s).await;
        let used = used.map_err(|error| {
            Problem::not_recorded(&error, "The call could not be counted, so that nothing was done.")
        })?;
        let is_over = used > self.settings().daily_cap;
        if is_over { Err(Problem::used_up(midnight_s - self.now_s())) } else { Ok(()) }
    }

    /// A request that the caller may see: one of which every org is the caller's.
    async fn request(&self, id: &str) -> Result<RequestRow, Problem> {
        if !is_id(id) {
            return Err(Problem::no_such_request());
        }
        let row = self.stores().requests.request(id).await?;
        row.filter(|row| self.sees(row)).ok_or_else(Problem::no_such_request)
    }

    fn sees(&self, row: &RequestRow) -> bool {
        row.orgs.iter().all(|org| self.caller.orgs.allows(org))
    }

    async fn who(&self, id: &str) -> Result<Option<Who>, StoreError> {
        self.stores().requests.who(id, self.now_s()).await
    }

    /// Notes that a request is about its identifiers, in its orgs.
    async fn note_asked(&self, id: &str, orgs: &[String], who: &Who) -> Result<(), Problem> {
        let asked = &self.stores().asked;
        let note = |names: Vec<(String, String)>| async move { asked.add(&lent(&names), id).await };
        let noted: Result<(), StoreError> =
            stream::iter(named(orgs, who)).map(note).buffered(PARALLEL).try_collect().await;
        noted.map_err(|error| Problem::not_recorded(&error, ASKED_NOT_RECORDED))
    }

    /// Takes that back.
    async fn forget_asked(&self, id: &str, orgs: &[String], who: &Who) -> Result<(), Problem> {
        let asked = &self.stores().asked;
        // The row stays, empty: this function may delete none.
        let forget = |names: Vec<(String, String)>| async move { asked.take(&lent(&names), id, false).await };
        let forgotten: Result<(), StoreError> =
            stream::iter(named(orgs, who)).map(forget).buffered(PARALLEL).try_collect().await;
        forgotten.map_err(|error| Problem::not_recorded(&error, ASKED_NOT_RECORDED))
    }

    /// How far a request's erasure is, if it has begun.
    async fn erasing(&self, id: &str, row: &RequestRow) -> Result<Option<Erasing>, StoreError> {
        let has_begun = matches!(row.state, State::Erasing | State::Done);
        if has_begun { self.stores().erasing.read(id).await } else { Ok(None) }
    }

    /// Records the act of a request's last step. It is noted with the step: where that fails now, sweep does it, and the step stands.
    async fn settle(&self, id: &str, row: &RequestRow) {
        let last = row.history.len().saturating_sub(1);
        if let Err(error) = acts::record(&self.stores().acts(), id, row, last, &self.now).await {
            tracing::warn!(request = id, step = last, kind = error.kind(), %error, "an act waits for sweep");
        }
    }
}

const ASKED_NOT_RECORDED: &str =
    "Which identifiers requests are about could not be recorded; the same again records it.";

/// A request's identifiers by org, some at a time.
fn named(orgs: &[String], who: &Who) -> Vec<Vec<(String, String)>> {
    let of = |org: &String| who.pseudonyms.iter().map(|one| (org.clone(), one.clone())).collect::<Vec<_>>();
    let all: Vec<(String, String)> = orgs.iter().flat_map(of).collect();
    all.chunks(NAMES_AT_ONCE).map(<[_]>::to_vec).collect()
}

fn lent(names: &[(String, String)]) -> Vec<(&str, &str)> {
    names.iter().map(|(org, name)| (org.as_str(), name.as_str())).collect()
}

/// Identifiers that are noted in one go, and goes under way at once: 50 identifiers of 5 readings under 2 keys in 40 orgs are 20,000
/// writes of 5 ms, 64 at once, two seconds of the function's 29.
const NAMES_AT_ONCE: usize = 8;
const PARALLEL: usize = 64;
const DAY_CHARS: usize = "yyyy-mm-dd".len();
const DAY_S: i64 = 24 * 60 * 60;

#[cfg(test)]
mod tests {
    use super::*;
    use ledgerline_lambda::routes;

    #[test]
    fn each_path_and_method_is_one_thing_or_refused() {
        fn of<'p>(method: &str, path: &'p str) -> Result<Route<'p>, u16> {
            Route::of(method, path).map_err(|Problem(problem)| problem.status())
        }
        assert_eq!(of("GET", "requests"), Ok(Route::List));
        assert_eq!(of("POST", "requests"), Ok(Route::Create));
        assert_eq!(of("POST", "rtbf"), Ok(Route::ShortForm));
        assert_eq!(of("GET", "requests/x"), Ok(Route::Show("x")));
        assert_eq!(of("GET", "requests/x/preview"), Ok(Route::Preview("x")));
        assert_eq!(of("GET", "requests/x/certificate"), Ok(Route::Certificate("x")));
        for (word, verb) in Verb::WORDS {
            assert_eq!(of("POST", &format!("requests/x/{word}")), Ok(Route::Step("x", verb)));
            assert_eq!(of("GET", &format!("requests/x/{word}")), Err(405));
        }
        for method in ["PUT", "DELETE", "get", ""] {
            assert_eq!((of(method, "requests"), of(method, "rtbf")), (Err(405), Err(405)));
        }
        // What is answered here is in the API's table, and what the table has of requests is answered here.
        for route in routes::ROUTES {
            let path = route.path.strip_prefix(BASE).unwrap().replace("{id}", "x");
            assert_eq!(of(route.method, &path).is_ok(), !path.starts_with("dsar"), "{path}");
        }
        for path in ["", "request", "requests/x/y", "requests/x/verify/z", "dsar/audit-trail"] {
            assert_eq!(of("POST", path), Err(404), "{path}");
        }
    }
}
