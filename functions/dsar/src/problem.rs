//! Problem documents (RFC 9457): what is wrong, where, and what to do; never a value of the request.

use aws_lambda_events::apigw::ApiGatewayProxyResponse;
use ledgerline_custody::page::TokenError;
use ledgerline_custody::query::{BODY_BYTES, QueryError};
use ledgerline_lambda::disposition::Disposition;
use ledgerline_ledger::store::StoreError;
use serde_json::json;

use crate::subjects::MAX_ORGS;
use crate::{PATH, http};

/// Why a request is not answered.
#[derive(Debug)]
pub(crate) struct Problem {
    status: u16,
    /// The last part of its type.
    kind: &'static str,
    title: &'static str,
    detail: String,
    headers: &'static [(&'static str, &'static str)],
    /// For the log only.
    cause: Option<Box<StoreError>>,
}

impl Problem {
    pub(crate) fn no_event() -> Self {
        let detail = format!(
            "The function was invoked with something other than an API Gateway REST proxy event (payload format 1.0). Send the request as POST {PATH} to the API."
        );
        Self::new(400, "invalid-event", "Not an API Gateway event", detail)
    }

    pub(crate) fn no_such_path() -> Self {
        Self::new(404, "not-found", "No such path", format!("This function answers POST {PATH} only."))
    }

    pub(crate) fn no_such_method() -> Self {
        let detail =
            format!("{PATH} takes POST only: an access request carries its identifiers in a body, never in a URL.");
        Self { headers: &[("allow", "POST")], ..Self::new(405, "method-not-allowed", "Method not allowed", detail) }
    }

    pub(crate) fn too_large() -> Self {
        let detail = format!("The body is longer than {BODY_BYTES} bytes. Ask for fewer identifiers at a time.");
        Self::new(413, "body-too-large", "Body too large", detail)
    }

    pub(crate) fn not_json() -> Self {
        let detail = "The content type must be application/json. Set the header `content-type: application/json`.";
        Self::new(415, "unsupported-media-type", "Unsupported media type", detail)
    }

    pub(crate) fn not_base64() -> Self {
        Self::new(400, "invalid-body", "The body cannot be read", "The body is marked as base64 and is none.")
    }

    pub(crate) fn too_many_orgs() -> Self {
        let detail = format!("There are more than {MAX_ORGS} organisations. Name the one to ask in the member `org`.");
        Self::new(422, "too-many-orgs", "Too many organisations to ask at once", detail)
    }

    /// An answer that could not be written as JSON: a stored line that passed every check is no JSON after all.
    pub(crate) fn unwritable(_: serde_json::Error) -> Self {
        Self::internal("The answer could not be written.")
    }

    fn internal(what: &str) -> Self {
        let detail = format!("{what} Trying again will not help; give the operator the request id in `instance`.");
        Self::new(500, "internal", "The request cannot be answered", detail)
    }

    fn new(status: u16, kind: &'static str, title: &'static str, detail: impl Into<String>) -> Self {
        Self { status, kind, title, detail: detail.into(), headers: &[], cause: None }
    }

    /// One line: ids, the status, the kind. A store's error names its own request and never the caller's words, which
    /// no store is ever given.
    pub(crate) fn log(&self, request_id: &str) {
        let (status, problem) = (self.status, self.kind);
        match &self.cause {
            None => tracing::info!(request_id, status, problem, "refused"),
            Some(cause) => {
                let chain = chain(cause);
                tracing::error!(request_id, status, problem, kind = cause.kind(), cause = chain, "failed");
            }
        }
    }

    pub(crate) fn response(self, request_id: &str) -> ApiGatewayProxyResponse {
        let body = json!({
            "type": format!("urn:ledgerline:problem:{}", self.kind),
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            "instance": format!("urn:ledgerline:request:{request_id}"),
        });
        http::response(self.status, "application/problem+json", body.to_string(), self.headers)
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
            (Disposition::Retry, _) => Self {
                headers: &[("retry-after", "5")],
                ..Self::new(
                    503,
                    "unavailable",
                    "Temporarily unavailable",
                    "A store did not answer in time, so nothing is answered rather than a part. Ask again, with the same page token, after the seconds in `retry-after`.",
                )
            },
            (_, StoreError::Denied(_)) => Self::internal("The function may not read a store or use a key."),
            (_, StoreError::NotFound(_)) => {
                Self::internal("A store that the function is configured to read does not exist.")
            }
            _ => Self::internal("A store holds something that is not what was written there."),
        };
        Self { cause: Some(Box::new(error)), ..problem }
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

fn chain(error: &StoreError) -> String {
    let mut text = error.to_string();
    let mut next = std::error::Error::source(error);
    while let Some(error) = next {
        text.push_str(": ");
        text.push_str(&error.to_string());
        next = error.source();
    }
    text
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
            assert!(chain(&error).ends_with("read links: connection refused"));
            let response = Problem::from(error).response("r-1");
            assert_eq!(response.status_code, i64::from(status));
            assert_eq!(response.headers.contains_key("retry-after"), status == 503);
        }
    }
}
