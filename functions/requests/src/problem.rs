//! What is wrong with a request, as problem documents: what, where, and what to do; never a value of the request.

use ledgerline_custody::page::{NotSealed, TokenError};
use ledgerline_custody::query::QueryError;
use ledgerline_custody::request::machine::Refused;
use ledgerline_lambda::api;
use ledgerline_ledger::store::StoreError;

use crate::reach::MAX_RECORDS;

/// Why a request is not answered.
#[derive(Debug)]
pub(crate) struct Problem(pub(crate) api::Problem);

impl Problem {
    pub(crate) fn no_such_path() -> Self {
        Self::new(
            404,
            "not-found",
            "No such path",
            "This function answers for requests below /api/v1/compliance/ only.",
        )
    }

    pub(crate) fn no_such_method(allow: &'static str) -> Self {
        let detail = format!("This path takes {allow} only.");
        Self(api::Problem::new(405, "method-not-allowed", "Method not allowed", detail).header("allow", allow))
    }

    /// An unknown id, and one of orgs that the caller may not see, are the same to the caller.
    pub(crate) fn no_such_request() -> Self {
        let detail = "There is no request with this id among those that your token lets you see.";
        Self::new(404, "no-such-request", "No such request", detail)
    }

    /// An unknown organisation, and one that the caller may not see, are the same to the caller.
    pub(crate) fn no_org() -> Self {
        let detail = "There is no organisation to ask: `org` is none that your token lets you see, or none of yours has events that name people.";
        Self::new(422, "no-such-org", "No organisation to ask", detail)
    }

    pub(crate) fn too_many_orgs(most: usize) -> Self {
        let detail = format!("There are more than {most} organisations. Name the one to ask in `org`.");
        Self::new(422, "too-many-orgs", "Too many organisations to ask at once", detail)
    }

    pub(crate) fn own_number() -> Self {
        let detail = "An identifier is the company's own: it names everybody who called it. Ask by the customer's.";
        Self::new(422, "own-identifier", "An identifier names no customer", detail)
    }

    pub(crate) fn no_subject() -> Self {
        let detail = "`customerIdHash` is a subject id, and no organisation that you may ask has such a customer.";
        Self::new(422, "no-such-subject", "Nobody has this subject id", detail)
    }

    pub(crate) fn used_up(seconds: i64) -> Self {
        let detail = "You have done this as often as one may in a day. Ask again after the seconds in `retry-after`.";
        let problem = api::Problem::new(429, "used-up", "Too many in one day", detail);
        Self(problem.header("retry-after", seconds.to_string()))
    }

    pub(crate) fn too_many_records() -> Self {
        let detail = format!(
            "The request reaches more than {MAX_RECORDS} records, which nobody can approve at once. Cancel it, and make several requests of fewer identifiers or interactions each."
        );
        Self::new(422, "too-many-records", "Too many records", detail)
    }

    pub(crate) fn too_many_listed() -> Self {
        let detail = format!(
            "The listed interactions, each in every organisation that is asked, are more than {MAX_RECORDS} records. Name the organisation to ask in `org`, or make several requests of fewer interactions each."
        );
        Self::new(422, "too-many-records", "Too many records", detail)
    }

    pub(crate) fn no_certificate() -> Self {
        let detail = "The request has no certificate: it asks for no erasure, or its erasure is not done yet.";
        Self::new(404, "no-certificate", "No certificate", detail)
    }

    pub(crate) fn certificate_expired() -> Self {
        let detail = "The certificate is not kept any longer. The request says its digest, and the ledger has it; whoever was given the file has the file.";
        Self::new(410, "certificate-expired", "The certificate is gone", detail)
    }

    pub(crate) fn no_such_format() -> Self {
        Self::new(400, "invalid-query", "The query cannot be read", "`format` must be json or html.")
    }

    pub(crate) fn no_such_part() -> Self {
        Self::new(400, "invalid-query", "The query cannot be read", "`part` must be a whole number, from 0.")
    }

    pub(crate) fn in_parts(parts: usize) -> Self {
        let detail = format!(
            "The certificate is too large for one answer. Ask for `part=0` to `part={}`, and join what they say; behind the last a part is empty.",
            parts.saturating_sub(1)
        );
        Self::new(422, "certificate-in-parts", "The certificate comes in parts", detail)
    }

    pub(crate) fn not_yet_verified() -> Self {
        let detail = "A preview is shown of a request that is verified and not closed.";
        Self::new(409, "wrong-state", "Not in this state", detail)
    }

    pub(crate) fn preview_changed() -> Self {
        let detail = "The preview has changed since it was looked at: other records are reached, or shared by others. Look at it again, and approve what it shows now.";
        Self::new(409, "preview-changed", "The preview has changed", detail)
    }

    pub(crate) fn not_shared() -> Self {
        let detail = "`shared` names a record that is not among the preview's shared ones.";
        Self::new(422, "not-shared", "The record is not shared", detail)
    }

    /// What is recorded with the act of a step could not be: nothing was done, or nobody knows.
    pub(crate) fn not_recorded(error: &StoreError, what: &str) -> Self {
        Self(api::Problem::not_recorded(error, what))
    }

    pub(crate) fn of_query(error: QueryError) -> Self {
        match error {
            QueryError::Malformed(detail) => Self::new(400, "invalid-body", "The body cannot be read", detail),
            QueryError::Unprocessable(detail) => {
                Self::new(422, "invalid-request", "The request cannot be processed", detail)
            }
            QueryError::NoOrg => Self::new(422, "invalid-org", "Not an organisation's name", error.to_string()),
        }
    }

    pub(crate) fn of_refused(refused: Refused) -> Self {
        match refused {
            Refused::State(state) => {
                let detail =
                    format!("The request is {}: this cannot be done about it any more, or not yet.", state.as_str());
                Self::new(409, "wrong-state", "Not in this state", detail)
            }
            Refused::ExtendedBefore => {
                let detail = "The request was given more time before, and the law allows it once.";
                Self::new(409, "extended-before", "Extended before", detail)
            }
            Refused::ExtendedTooLate => {
                let detail = "The request is overdue, and the law lets its time be extended only while it runs. Do it, or refuse it with a reason.";
                Self::new(409, "extended-too-late", "Overdue", detail)
            }
            Refused::SelfApproval => {
                let detail = "Somebody else must approve: you made this request, asked for the same while it was open, or verified it.";
                Self::new(403, "self-approval", "Somebody else must approve", detail)
            }
            Refused::SelfVerification => {
                let detail =
                    "Somebody else must verify: you made this request, or asked for the same while it was open.";
                Self::new(403, "self-verification", "Somebody else must verify", detail)
            }
            Refused::NoHuman => {
                let detail = "A person must do this, and this token was given to a program: its `gty` or `idtyp` says so, or its `client_id` or `azp` is its `sub`. Sign in as a person.";
                Self::new(403, "no-human", "A person must do this", detail)
            }
            Refused::NoSignOfPerson => {
                let detail = "A person must do this, and nothing in this token says that one signed in: it has none of the claims that the deployment's parameter PersonClaims names (`auth_time` and `amr`, unless it names others). Have your identity provider put one of them into the access tokens of people, or the operator name a claim that it does put there; functions/authorizer/README.md says how, by provider.";
                Self::new(403, "no-human", "A person must do this", detail)
            }
        }
    }

    fn new(status: u16, kind: &'static str, title: &'static str, detail: impl Into<String>) -> Self {
        Self(api::Problem::new(status, kind, title, detail))
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        let again = "A store did not answer in time, or others wrote the same. Send the same again after the seconds in `retry-after`: what was done already is not done twice.";
        Self(api::Problem::of_store(&error, again))
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

impl From<api::Problem> for Problem {
    fn from(problem: api::Problem) -> Self {
        Self(problem)
    }
}
