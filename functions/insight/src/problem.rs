//! Problem documents (RFC 9457): what is wrong, where, and what to do; never a value of the request.

use ledgerline_lambda::api;
use ledgerline_lambda::disposition::Disposition;
use ledgerline_ledger::store::StoreError;

use crate::BODY_BYTES;

/// Why a request is not answered.
#[derive(Debug)]
pub(crate) struct Problem(pub(crate) api::Problem);

impl Problem {
    pub(crate) fn no_such_path() -> Self {
        let detail = "This function answers GET of /api/v2/analytics/gold/summary, /api/v2/analytics/interactions/{interactionId} and /api/v1/lineage/{record}.";
        Self::new(404, "not-found", "No such path", detail)
    }

    pub(crate) fn no_such_method(allow: &'static str) -> Self {
        let detail = format!("This path takes {allow} only.");
        Self(api::Problem::new(405, "method-not-allowed", "Method not allowed", detail).header("allow", allow))
    }

    pub(crate) fn bad_parameter(name: &'static str, wanted: &str) -> Self {
        Self(api::Problem::bad_parameter(name, wanted))
    }

    pub(crate) fn org_not_allowed() -> Self {
        let detail = "The token does not let its holder ask the organisation in `org`. Leave the parameter out to ask all that it does.";
        Self::new(403, "org-not-allowed", "Not your organisation", detail)
    }

    pub(crate) fn no_figures() -> Self {
        let detail = "There are no figures of this date: nothing that they count is stored of it, or none were computed yet. The date is the reports' local one.";
        Self::new(404, "no-figures", "No figures of this date", detail)
    }

    pub(crate) fn bad_record() -> Self {
        let detail = "The path must end with an interaction's id, an entity as <type>/<id>, or a lineage token, of at most 640 bytes.";
        Self::new(400, "invalid-record", "No such name", detail)
    }

    pub(crate) fn unknown_record() -> Self {
        let detail = "No interaction, entity or token of this name is known in the organisations that the token lets its holder ask. \
            Events take minutes to arrive; the ids of people stand under aliases.";
        Self::new(404, "unknown-record", "Not known", detail)
    }

    pub(crate) fn too_many_orgs(most: usize) -> Self {
        let detail = format!("There are more than {most} organisations to look in. Name one with `org`.");
        Self::new(400, "org-missing", "Name an organisation", detail)
    }

    pub(crate) fn several_records() -> Self {
        let detail = "The name is that of several interactions. Name an organisation with `org`, or ask /api/v1/lineage/{record}, which answers all of them.";
        Self::new(409, "several-records", "Not one interaction", detail)
    }

    pub(crate) fn too_large() -> Self {
        let mib = BODY_BYTES / (1024 * 1024);
        let detail = format!(
            "The answer would be larger than {mib} MiB. Ask for one queue with `queue_id`, for one medium with `media`, or for the day with `granularity=daily`."
        );
        Self::new(413, "answer-too-large", "The answer is too large", detail)
    }

    pub(crate) fn unwritable() -> Self {
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
            (Disposition::Retry, _) => {
                let detail = "The store did not answer in time. Ask again after the seconds in `retry-after`.";
                api::Problem::new(503, "unavailable", "Temporarily unavailable", detail).header("retry-after", "5")
            }
            (_, StoreError::Denied(_)) => api::Problem::internal("The function may not read its store."),
            (_, StoreError::NotFound(_)) => {
                api::Problem::internal("The store that the function is configured to read does not exist.")
            }
            _ => api::Problem::internal("The store holds something that is not what was written there."),
        };
        Self(problem.caused_by(error.kind(), &error))
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
            let error = make(Failure::caused_by("read a day's figures", "connection refused"));
            assert_eq!(disposition(&error), expected, "{}", error.kind());
            let response = Problem::from(error).0.response("r-1");
            assert_eq!(response.status_code, i64::from(status));
            assert_eq!(response.headers.contains_key("retry-after"), status == 503);
        }
    }
}
