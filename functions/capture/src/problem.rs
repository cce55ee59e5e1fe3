//! Why events are not taken, as problem documents: what, where, and what to do; never a value of the call.

use ledgerline_lambda::api;
use ledgerline_ledger::store::StoreError;

use crate::body::{BODY_BYTES, BadBody, ITEMS_MAX, UNPACKED_BYTES};
use crate::signature::Refused;

/// Why a call is refused.
#[derive(Debug)]
pub(crate) struct Problem(pub(crate) api::Problem);

/// When to send again what the stream had no room for.
const THROTTLED_S: u32 = 5;
/// When to send again where transform has to start first.
const NO_KEY_S: u32 = 60;

impl Problem {
    pub(crate) fn no_such_path() -> Self {
        let detail = "This function answers for /api/v1/ingest and /api/v1/audit-events only.";
        Self::new(404, "not-found", "No such path", detail)
    }

    pub(crate) fn no_such_method() -> Self {
        let detail = "This path takes POST only.";
        Self(api::Problem::new(405, "method-not-allowed", "Method not allowed", detail).header("allow", "POST"))
    }

    /// Whether a token is missing, unknown, or of another way is the same to the caller.
    pub(crate) fn no_client() -> Self {
        let detail = "The call has no token of a client. Send it in `X-ProcessMining-Token` or as `Authorization: Bearer`, or post to the client's own path.";
        let problem = api::Problem::new(401, "unauthenticated", "Not a client", detail);
        Self(problem.header("www-authenticate", "Bearer"))
    }

    pub(crate) fn not_signed() -> Self {
        let detail = "The client signs its calls, and this one has no signature: send `X-Ledgerline-Signature: t=<epoch seconds>,v1=<hex of HMAC-SHA-256 over t, a full stop and the body>`.";
        Self::of_signature("no-signature", detail)
    }

    pub(crate) fn of_refused(refused: Refused) -> Self {
        match refused {
            Refused::Mac => {
                let detail = "The signature is not this body's under the client's secret. Sign the bytes that are sent, compressed ones as they are.";
                Self::of_signature("bad-signature", detail)
            }
            Refused::Time => {
                let detail = "The signature's time is more than five minutes from ours. Set the sender's clock, and sign each attempt anew.";
                Self::of_signature("stale-signature", detail)
            }
        }
    }

    fn of_signature(kind: &'static str, detail: &str) -> Self {
        let problem = api::Problem::new(401, kind, "The signature does not hold", detail);
        Self(problem.header("www-authenticate", "Bearer"))
    }

    pub(crate) fn replayed() -> Self {
        let detail = "A call with this signature was accepted before. Nothing is to be done about a retry: its events were taken. Sign new ones with a new time.";
        Self::new(409, "replayed", "The signature was used", detail)
    }

    pub(crate) fn of_body(bad: BadBody) -> Self {
        match bad {
            BadBody::NotGzip => Self::new(
                400,
                "invalid-body",
                "The body cannot be read",
                "The body begins like gzip and cannot be unpacked.",
            ),
            BadBody::TooLarge => {
                let detail = format!(
                    "The body unpacks to more than {UNPACKED_BYTES} bytes; as it is sent it may have {BODY_BYTES}. Send it in parts."
                );
                Self::new(413, "body-too-large", "Body too large", &detail)
            }
            BadBody::TooMany => {
                let detail = format!("The body has more than {ITEMS_MAX} events. Send it in parts.");
                Self::new(413, "too-many-events", "Too many events", &detail)
            }
            BadBody::Empty => Self::new(400, "invalid-body", "The body cannot be read", "The body has no event in it."),
            BadBody::NotJson => {
                let detail = "The body is an array that is not JSON. Send a JSON object, an array of objects, an object a line, or an object with a list `events` or `records`.";
                Self::new(400, "invalid-body", "The body cannot be read", detail)
            }
        }
    }

    /// Nothing of the body is an event.
    pub(crate) fn none_is_an_event(items: usize, reason: &str) -> Self {
        let detail = format!(
            "None of the {items} items is an I-JSON object (RFC 7493); the first is refused as {reason}. functions/capture/README.md lists the reasons."
        );
        Self::new(422, "no-event", "Nothing is an event", &detail)
    }

    /// The stream has no room: whoever waits and sends again loses nothing.
    pub(crate) fn throttled(error: &StoreError) -> Self {
        let detail = "More events come than are taken now. Send the same again after the seconds in `retry-after`: what was taken of it already is a duplicate then.";
        let problem = api::Problem::new(429, "too-many-requests", "Too many events", detail);
        Self(problem.header("retry-after", THROTTLED_S.to_string()).caused_by(error.kind(), error))
    }

    /// Before transform has made the keys under which people are found.
    pub(crate) fn no_key() -> Self {
        let detail = "The event is on its way, and cannot be journaled: there is no key yet under which people are found. The first events that come make it. Send the same again after the seconds in `retry-after`: it is a duplicate then.";
        let problem = api::Problem::new(503, "no-key", "No events yet", detail);
        Self(problem.header("retry-after", NO_KEY_S.to_string()))
    }

    /// Events may have been taken, and it could not be recorded.
    pub(crate) fn not_recorded(error: &StoreError) -> Self {
        let what = "Not all that was sent could be recorded. What was taken of it is a duplicate when it comes again.";
        Self(api::Problem::not_recorded(error, what))
    }

    fn new(status: u16, kind: &'static str, title: &'static str, detail: &str) -> Self {
        Self(api::Problem::new(status, kind, title, detail))
    }
}

impl From<api::Problem> for Problem {
    fn from(problem: api::Problem) -> Self {
        Self(problem)
    }
}
