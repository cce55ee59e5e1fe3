//! Problem documents (RFC 9457): what is wrong, where, and what to do; never a value of the request.

use ledgerline_custody::page::{NotSealed, TokenError};
use ledgerline_custody::query::QueryError;
use ledgerline_lambda::api;
use ledgerline_ledger::store::StoreError;

use crate::PATH;
use crate::subjects::MAX_ORGS;

/// Why a request is not answered.
#[derive(Debug)]
pub(crate) struct Problem(pub(crate) api::Problem);

impl Problem {
    pub(crate) fn no_such_path() -> Self {
        Self::new(404, "not-found", "No such path", format!("This function answers POST {PATH} only."))
    }

    pub(crate) fn no_such_method() -> Self {
        let detail =
            format!("{PATH} takes POST only: an access request carries its identifiers in a body, never in a URL.");
        let Self(problem) = Self::new(405, "method-not-allowed", "Method not allowed", detail);
        Self(problem.header("allow", "POST"))
    }

    pub(crate) fn org_not_allowed() -> Self {
        let detail = "The token does not let its holder ask the organisation in `org`. Leave the member out to ask all that it does.";
        Self::new(403, "org-not-allowed", "Not your organisation", detail)
    }

    pub(crate) fn too_many_orgs() -> Self {
        let detail = format!("There are more than {MAX_ORGS} organisations. Name the one to ask in the member `org`.");
        Self::new(422, "too-many-orgs", "Too many organisations to ask at once", detail)
    }

    /// An answer that could not be written as JSON: a stored line that passed every check is no JSON after all.
    pub(crate) fn unwritable(_: serde_json::Error) -> Self {
        Self(api::Problem::internal("The answer could not be written."))
    }

    fn new(status: u16, kind: &'static str, title: &'static str, detail: impl Into<String>) -> Self {
        Self(api::Problem::new(status, kind, title, detail))
    }
}

impl From<api::Problem> for Problem {
    fn from(problem: api::Problem) -> Self {
        Self(problem)
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        let again = "A store did not answer in time, so nothing is answered rather than a part. Ask again, with the same page token, after the seconds in `retry-after`.";
        Self(api::Problem::of_store(&error, again))
    }
}

impl From<QueryError> for Problem {
    fn from(error: QueryError) -> Self {
        match error {
            QueryError::Malformed(detail) => Self::new(400, "invalid-body", "The body cannot be read", detail),
            QueryError::Unprocessable(detail) => {
                Self::new(422, "invalid-request", "The request cannot be processed", detail)
            }
            QueryError::NoOrg => Self::new(400, "invalid-org", "Not an organisation's name", error.to_string()),
        }
    }
}

impl From<NotSealed> for Problem {
    fn from(_: NotSealed) -> Self {
        Self(api::Problem::no_page_token())
    }
}

impl From<TokenError> for Problem {
    fn from(error: TokenError) -> Self {
        Self(api::Problem::bad_page_token(&error))
    }
}
