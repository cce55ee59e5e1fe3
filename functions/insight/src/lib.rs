//! Serves analysts what was computed for them, and leads them back to the events behind it: `GET /api/v2/analytics/gold/summary`,
//! `GET /api/v1/lineage/{record+}`, `GET /api/v2/analytics/interactions/{interactionId}`.
//!
//! Invariant: it writes nothing, opens no key, asks no table of persons and starts no query: figures cost one read of what a run of gold put
//! down, and what lineage reads grows with the events of what is asked for, not with what is stored. Nothing that a caller typed is logged
//! or sent back in an error, and nothing is told of an organisation that the caller's token does not name. Lineage names places, ids and
//! times of events: nothing that an event says of a person, and nobody. Left out: what the figures are and how they are made, which
//! `functions/gold` and `shared/figures` say.

mod config;
mod lineage;
mod problem;
mod stores;
mod summary;

use aws_lambda_events::apigw::ApiGatewayProxyResponse;
use ledgerline_lambda::api::{self, NO_ID, Request};

pub use config::Config;
pub use lineage::PAGE_ENTRIES;
pub use stores::{Names, Ports, Stores};
pub use summary::BODY_BYTES;

use problem::Problem;

/// What the paths of figures and of the guide's interactions begin with.
pub const BASE: &str = "/api/v2/analytics/";
/// What the paths of lineage begin with.
pub const LINEAGE: &str = "/api/v1/lineage/";

/// Answers one call: an API Gateway REST proxy event, as its JSON text. Every error becomes a problem document; none fails the
/// invocation, whatever the payload is.
pub async fn handle(stores: &Stores, payload: &str) -> ApiGatewayProxyResponse {
    let Some(request) = Request::read(payload) else {
        let problem = api::Problem::no_event();
        problem.log(NO_ID);
        return problem.response(NO_ID);
    };
    match answer(stores, &request).await {
        Ok(response) => response,
        Err(Problem(problem)) => {
            problem.log(request.id());
            problem.response(request.id())
        }
    }
}

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Route<'p> {
    Summary,
    Lineage(&'p str),
    Interaction(&'p str),
}

impl<'p> Route<'p> {
    /// The route, and its path in the table of routes.
    fn of(request: &'p Request<'_>) -> Result<(Self, String), Problem> {
        let paths = [LINEAGE, BASE].map(|base| (base, request.below(base)));
        let known = paths.into_iter().find_map(|(base, path)| Some((base, path?)));
        let (base, path) = known.ok_or_else(Problem::no_such_path)?;
        Self::below(request.method(), base, path).map(|route| (route, format!("{base}{path}")))
    }

    fn below(method: &str, base: &str, path: &'p str) -> Result<Self, Problem> {
        let one = |rest: &'p str| (!rest.is_empty() && !rest.contains('/')).then_some(rest);
        let route = match (base, path) {
            (LINEAGE, record) if !record.is_empty() => Self::Lineage(record),
            (BASE, "gold/summary") => Self::Summary,
            (BASE, path) => {
                let id = path.strip_prefix("interactions/").and_then(one);
                Self::Interaction(id.ok_or_else(Problem::no_such_path)?)
            }
            _ => return Err(Problem::no_such_path()),
        };
        if method == "GET" { Ok(route) } else { Err(Problem::no_such_method("GET")) }
    }
}

async fn answer(stores: &Stores, request: &Request<'_>) -> Result<ApiGatewayProxyResponse, Problem> {
    let (route, path) = Route::of(request)?;
    let caller = request.allowed(&path)?;
    match route {
        Route::Summary => summary::answer(stores, request, &caller).await,
        Route::Lineage(record) => lineage::answer(stores, request, &caller, record).await,
        Route::Interaction(id) => lineage::guides_answer(stores, request, &caller, id).await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_path_and_method_is_one_thing_or_refused() {
        let of = |method, base, path| Route::below(method, base, path).map_err(|Problem(problem)| problem.status());
        assert_eq!(of("GET", BASE, "gold/summary"), Ok(Route::Summary));
        assert_eq!(of("GET", BASE, "interactions/c-1"), Ok(Route::Interaction("c-1")));
        assert_eq!(of("GET", LINEAGE, "c-1"), Ok(Route::Lineage("c-1")));
        assert_eq!(of("GET", LINEAGE, "Queue/q-1"), Ok(Route::Lineage("Queue/q-1")));
        for method in ["POST", "HEAD", "get", ""] {
            assert_eq!(of(method, BASE, "gold/summary"), Err(405), "{method}");
            assert_eq!(of(method, LINEAGE, "c-1"), Err(405), "{method}");
        }
        for path in [
            "",
            "gold",
            "gold/summary/x",
            "GOLD/SUMMARY",
            "silver/summary",
            "interactions",
            "interactions/",
            "interactions/a/b",
        ] {
            assert_eq!(of("GET", BASE, path), Err(404), "{path}");
        }
        assert_eq!(of("GET", LINEAGE, ""), Err(404));
    }
}
