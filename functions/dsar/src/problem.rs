//! Problem documents (RFC 9457): what is wrong, where, and what to do; never a value of the request.

use ledgerline_custody::page::TokenError;
use ledgerline_custody::query::QueryError;
use ledgerline_lambda::api;
use ledgerline_lambda::disposition::Disposition;
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

/// What an error of a store means for a request. Poison is a message's fate: no error here has it.
pub(crate) fn disposition(error: &StoreError) -> Disposition {
    match error {
        StoreError::Conflict(_) | StoreError::Throttled(_) | StoreError::Unknown(_) => Disposition::Retry,
        StoreError::NotFound(_) | StoreError::Denied(_) | StoreError::Corrupt(_) => Disposition::Halt,
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        let problem = match (disposition(&error), &error) {
            (Disposition::Retry, _) => api::Problem::new(
                503,
                "unavailable",
                "Temporarily unavailable",
                "A store did not answer in time, so nothing is answered rather than a part. Ask again, with the same page token, after the seconds in `retry-after`.",
            )
            .header("retry-after", "5"),
            (_, StoreError::Denied(_)) => api::Problem::internal("The function may not read a store or use a key."),
            (_, StoreError::NotFound(_)) => {
                api::Problem::internal("A store that the function is configured to read does not exist.")
            }
            _ => api::Problem::internal("A store holds something that is not what was written there."),
        };
        Self(problem.caused_by(error.kind(), &error))
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

impl From<TokenError> for Problem {
    fn from(error: TokenError) -> Self {
        let detail = format!("`pageToken` {error}. Ask for the first page again, without a token.");
        Self::new(400, "invalid-page-token", "The page token is not accepted", detail)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ledgerline_ledger::store::Failure;

    #[test]
    fn every_store_error_has_its_disposition_and_status() {
        type Make = fn(Failure) -> StoreError;
        let rows: [(Make, Disposition, u16); 6] = [
            (StoreError::NotFound, Disposition::Halt, 500),
            (StoreError::Conflict, Disposition::Retry, 503),
            (StoreError::Throttled, Disposition::Retry, 503),
            (StoreError::Denied, Disposition::Halt, 500),
            (StoreError::Corrupt, Disposition::Halt, 500),
            (StoreError::Unknown, Disposition::Retry, 503),
        ];
        for (make, expected, status) in rows {
            let error = make(Failure::caused_by("read links", "connection refused"));
            assert_eq!(disposition(&error), expected, "{}", error.kind());
            let response = Problem::from(error).0.response("r-1");
            assert_eq!(response.status_code, i64::from(status));
            assert_eq!(response.headers.contains_key("retry-after"), status == 503);
        }
    }
}
