//! Serves analysts what was computed for them: `GET /api/v2/analytics/gold/summary`.
//!
//! Invariant: it writes nothing, opens no key, knows no person and starts no query: an answer costs one read of what a run of gold put
//! down. Nothing that a caller typed is logged or sent back in an error, and nothing is told of an organisation that the caller's token
//! does not name. Left out: what the figures are and how they are made, which `functions/gold` and `shared/figures` say.

mod config;
mod problem;
mod stores;
mod summary;

use aws_lambda_events::apigw::ApiGatewayProxyResponse;
use ledgerline_lambda::api::{self, NO_ID, Request};

pub use config::Config;
pub use stores::{Ports, Stores};
pub use summary::BODY_BYTES;

use problem::Problem;

/// What the paths that this function answers begin with.
pub const BASE: &str = "/api/v2/analytics/";

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
enum Route {
    Summary,
}

impl Route {
    fn of(method: &str, path: &str) -> Result<Self, Problem> {
        let route = match path {
            "gold/summary" => Self::Summary,
            _ => return Err(Problem::no_such_path()),
        };
        if method == "GET" { Ok(route) } else { Err(Problem::no_such_method("GET")) }
    }
}

async fn answer(stores: &Stores, request: &Request<'_>) -> Result<ApiGatewayProxyResponse, Problem> {
    let path = request.below(BASE).ok_or_else(Problem::no_such_path)?;
    let route = Route::of(request.method(), path)?;
    let caller = request.allowed(&format!("{BASE}{path}"))?;
    match route {
        Route::Summary => summary::answer(stores, request, &caller).await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_path_and_method_is_one_thing_or_refused() {
        let of = |method, path| Route::of(method, path).map_err(|Problem(problem)| problem.status());
        assert_eq!(of("GET", "gold/summary"), Ok(Route::Summary));
        for method in ["POST", "HEAD", "get", ""] {
            assert_eq!(of(method, "gold/summary"), Err(405), "{method}");
        }
        for path in ["", "gold", "gold/summary/x", "GOLD/SUMMARY", "silver/summary"] {
            assert_eq!(of("GET", path), Err(404), "{path}");
        }
    }
}
