//! What functions behind the REST API share: an API Gateway proxy event in (payload format 1.0), a JSON answer or a problem document
//! (RFC 9457) out.
//!
//! Invariant: of an event only [`Request`]'s members are read. Headers are what a caller likes to send, in any script: none but the
//! content type, If-None-Match and a [`Credential`] is decoded, and no value of one leaves this module but the last, which nothing prints. A
//! problem says what is wrong, where, and what to do, never a value of
//! the request.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Display;

use aws_lambda_events::apigw::ApiGatewayProxyResponse;
use aws_lambda_events::encodings::Body;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ledgerline_ledger::store::StoreError;
use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;

use crate::caller::Caller;
use crate::disposition::Disposition;
use crate::routes::Route;

/// What stands for an id where API Gateway gave none.
pub const NO_ID: &str = "none";
/// API Gateway's ids are UUIDs.
const MAX_ID_BYTES: usize = 64;
/// When to ask again a store that was busy.
const RETRY_S: u32 = 5;
/// When to ask again where an operator has to look first.
const LOOK_S: u32 = 60;

/// What is read of an event.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Request<'a> {
    http_method: String,
    path: Option<String>,
    #[serde(borrow)]
    headers: Option<&'a RawValue>,
    #[serde(borrow)]
    query_string_parameters: Option<&'a RawValue>,
    #[serde(borrow)]
    multi_value_query_string_parameters: Option<&'a RawValue>,
    body: Option<String>,
    is_base64_encoded: Option<bool>,
    #[serde(borrow)]
    request_context: Option<RequestContext<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RequestContext<'a> {
    request_id: Option<String>,
    #[serde(borrow)]
    authorizer: Option<&'a RawValue>,
}

impl<'a> Request<'a> {
    /// Reads an invocation's payload; `None` of anything but such an event. `serde_json`'s own error may quote it, and goes nowhere.
    pub fn read(payload: &'a str) -> Option<Self> {
        serde_json::from_str(payload).ok()
    }

    /// API Gateway's id of the request, for log and answer. Anyone who invokes the function directly can write
    /// anything here, so that text which does not look like an id is ignored.
    pub fn id(&self) -> &str {
        let id = self.request_context.as_ref().and_then(|context| context.request_id.as_deref()).unwrap_or(NO_ID);
        let fits = (1..=MAX_ID_BYTES).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        if fits { id } else { NO_ID }
    }

    /// The method.
    pub fn method(&self) -> &str {
        &self.http_method
    }

    /// What follows the first `base` in the path, without slashes at its ends. A stage or a custom domain's base path may stand before
    /// it; whatever a caller types stands behind it, so that a `base` in there is what an id or a word would be.
    pub fn below(&self, base: &str) -> Option<&str> {
        let path = self.path.as_deref()?;
        path.find(base).map(|at| path[at + base.len()..].trim_matches('/'))
    }

    /// The query's parameters, each of which must be one of `known` and be given once: who misspells a filter must not be answered
    /// without it.
    ///
    /// # Errors
    /// 400: another one, or one given twice.
    pub fn parameters(&self, known: &[&'static str]) -> Result<BTreeMap<&'static str, String>, Problem> {
        let bad = || Problem::bad_query(known);
        // The console's test sends the one without the other.
        let single: Option<BTreeMap<String, Option<String>>> =
            read_or_null(self.query_string_parameters).map_err(|_| bad())?;
        let multiple: Option<BTreeMap<String, Vec<String>>> =
            read_or_null(self.multi_value_query_string_parameters).map_err(|_| bad())?;
        let mut found = BTreeMap::new();
        for (name, value) in single.into_iter().flatten() {
            let known = known.iter().find(|known| **known == name).ok_or_else(bad)?;
            found.extend(value.map(|value| (*known, value)));
        }
        for (name, values) in multiple.into_iter().flatten() {
            let known = known.iter().find(|known| **known == name).ok_or_else(bad)?;
            let [value] = values.as_slice() else { return Err(bad()) };
            found.insert(*known, value.clone());
        }
        Ok(found)
    }

    /// Whether the caller has the answer of this entity tag already (If-None-Match, RFC 9110: a list of tags, or `*`).
    pub fn has_tag(&self, tag: &str) -> bool {
        let opaque = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
        self.header("if-none-match").any(|value| {
            value.is_some_and(|value| value.split(',').any(|one| one.trim() == "*" || opaque(one) == opaque(tag)))
        })
    }

    /// Who calls, as the authorizer says it.
    ///
    /// # Errors
    /// 401: no authorizer stands before the method.
    fn caller(&self) -> Result<Caller, Problem> {
        let context = self.request_context.as_ref().and_then(|context| context.authorizer);
        context.and_then(|context| Caller::read(context.get())).ok_or_else(Problem::unauthenticated)
    }

    /// Who calls, if the table of routes lets them do it: a method before which the authorizer was forgotten must not be open. `path` is
    /// as the table has it, with whatever stands in an id's place.
    ///
    /// # Errors
    /// 401: no authorizer stands before the method. 403: it does, and the caller has no scope for it.
    pub fn allowed(&self, path: &str) -> Result<Caller, Problem> {
        let caller = self.caller()?;
        let scopes = Route::of_path(&self.http_method, path).map_or(&[][..], |route| route.scopes);
        let is_allowed = scopes.iter().any(|scope| caller.scopes.contains(*scope));
        if is_allowed { Ok(caller) } else { Err(Problem::forbidden(scopes)) }
    }

    /// The body, if its type and size are right: at most `most` bytes.
    ///
    /// # Errors
    /// 413, 415, or 400 if it is marked as base64 and is none.
    pub fn body(&self, most: usize) -> Result<Cow<'_, [u8]>, Problem> {
        if !self.may_be_json() {
            let detail = "The content type must be application/json. Set the header `content-type: application/json`.";
            return Err(Problem::new(415, "unsupported-media-type", "Unsupported media type", detail));
        }
        self.raw_body(most)
    }

    /// The body as it was sent, whatever its type: at most `most` bytes.
    ///
    /// # Errors
    /// 413, or 400 if it is marked as base64 and is none.
    pub fn raw_body(&self, most: usize) -> Result<Cow<'_, [u8]>, Problem> {
        let too_large = || {
            let detail = format!("The body is longer than {most} bytes.");
            Problem::new(413, "body-too-large", "Body too large", detail)
        };
        let text = self.body.as_deref().unwrap_or_default();
        if !self.is_base64_encoded.unwrap_or_default() {
            return if text.len() > most { Err(too_large()) } else { Ok(Cow::Borrowed(text.as_bytes())) };
        }
        if text.len() > most.div_ceil(3) * 4 {
            return Err(too_large());
        }
        let bytes = STANDARD.decode(text).map_err(|_| {
            Problem::new(400, "invalid-body", "The body cannot be read", "The body is marked as base64 and is none.")
        })?;
        // A body that is not a multiple of three bytes has room for two more in its base64.
        if bytes.len() > most { Err(too_large()) } else { Ok(Cow::Owned(bytes)) }
    }

    /// What a caller shows itself by in a header; none if the header is not there, is no text, or is there twice: of two nobody knows which
    /// one was meant.
    pub fn credential(&self, name: &'static str) -> Option<Credential> {
        let mut values = self.header(name);
        let value = values.next()??;
        values.next().is_none().then_some(Credential(value))
    }

    /// Whether no header says that the body is anything else.
    fn may_be_json(&self) -> bool {
        self.header("content-type").all(|value| value.is_some_and(|value| is_json(&value)))
    }

    /// The values of a header, in whatever case its name comes; `None` for one that is no text. The console's test sends null for all of
    /// them and for single ones, which is as if they were not there.
    fn header(&self, name: &'static str) -> impl Iterator<Item = Option<String>> {
        let headers: Option<BTreeMap<String, &RawValue>> =
            self.headers.and_then(|headers| serde_json::from_str(headers.get()).ok());
        let named = headers.into_iter().flatten().filter(move |(one, _)| one.eq_ignore_ascii_case(name));
        named.filter(|(_, value)| value.get() != "null").map(|(_, value)| serde_json::from_str(value.get()).ok())
    }
}

/// What a caller shows itself by: a secret, or a text that a secret made. It has neither `Display` nor `Debug` that shows it.
pub struct Credential(String);

impl Credential {
    /// A credential of a caller who has no header to send it in.
    pub fn of(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// For comparing it with what is known, and nothing else.
    pub fn expose_for_check(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Credential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Credential(***)")
    }
}

/// Why a request is not answered.
#[derive(Debug)]
pub struct Problem {
    status: u16,
    /// The last part of its type.
    kind: &'static str,
    title: &'static str,
    detail: String,
    headers: Vec<(&'static str, String)>,
    /// For the log only. Boxed, as it is rare, and a problem is in every result.
    cause: Option<Box<Cause>>,
}

/// What failed beneath.
#[derive(Debug)]
struct Cause {
    kind: &'static str,
    /// Its chain of errors.
    chain: String,
}

impl Problem {
    /// A problem of this status and kind.
    pub fn new(status: u16, kind: &'static str, title: &'static str, detail: impl Into<String>) -> Self {
        Self { status, kind, title, detail: detail.into(), headers: Vec::new(), cause: None }
    }

    /// The payload is no event of API Gateway's.
    pub fn no_event() -> Self {
        let detail = "The function was invoked with something other than an API Gateway REST proxy event (payload format 1.0). Send the request to the API.";
        Self::new(400, "invalid-event", "Not an API Gateway event", detail)
    }

    /// Nobody says who calls.
    pub fn unauthenticated() -> Self {
        let detail = "No authorizer says who calls. Send the request to the API, with a bearer token.";
        Self::new(401, "unauthenticated", "Nobody is signed in", detail).header("www-authenticate", "Bearer")
    }

    /// The caller has none of these scopes.
    fn forbidden(scopes: &[&str]) -> Self {
        let detail = format!("Your token has none of the scopes that this asks for: {}.", scopes.join(", "));
        Self::new(403, "forbidden", "Not allowed", detail)
    }

    /// A parameter is missing or is something else than what is `wanted`, such as `a date as YYYY-MM-DD`.
    pub fn bad_parameter(name: &'static str, wanted: &str) -> Self {
        let detail = format!("The parameter `{name}` must be {wanted}.");
        Self::new(400, "invalid-parameter", "A parameter is not accepted", detail)
    }

    /// The query has a parameter that is none of the known ones, or one of them twice.
    fn bad_query(known: &[&'static str]) -> Self {
        let detail = format!("The query may have these parameters, each once: {}.", known.join(", "));
        Self::new(400, "invalid-parameter", "A parameter is not accepted", detail)
    }

    /// The answer cannot be given, and trying again does not help.
    pub fn internal(what: &str) -> Self {
        let detail = format!("{what} Trying again will not help; give the operator the request id in `instance`.");
        Self::new(500, "internal", "The request cannot be answered", detail)
    }

    /// A page token that is not accepted, for a reason that follows its name.
    pub fn bad_page_token(reason: &impl Display) -> Self {
        let detail = format!("`pageToken` {reason}. Ask for the first page again, without a token.");
        Self::new(400, "invalid-page-token", "The page token is not accepted", detail)
    }

    /// The token of the next page could not be made.
    pub fn no_page_token() -> Self {
        Self::internal("The page token could not be written.")
    }

    /// The answer cannot be given now.
    pub fn unavailable(detail: impl Into<String>, retry_after_s: u32) -> Self {
        let problem = Self::new(503, "unavailable", "Temporarily unavailable", detail);
        problem.header("retry-after", retry_after_s.to_string())
    }

    /// What a store's error means for the caller: 503 where the next attempt may succeed, of which `again` says how it is made, and 500 where
    /// an operator must look.
    pub fn of_store(error: &StoreError, again: &'static str) -> Self {
        let problem = match (Disposition::of_call(error), error) {
            (Disposition::Retry, _) => Self::unavailable(again, RETRY_S),
            (_, StoreError::Denied(_)) => Self::internal("The function may not use a store or a key."),
            (_, StoreError::NotFound(_)) => {
                Self::internal("A store that the function is configured to use does not exist.")
            }
            _ => Self::internal("A store holds something that is not what was written there."),
        };
        problem.caused_by(error.kind(), error)
    }

    /// What had to be recorded could not be, whatever the store says to it, so that nothing was done: 503. `what` says what was not
    /// recorded, and what became of the call.
    pub fn not_recorded(error: &StoreError, what: &str) -> Self {
        let (retry_s, hint) = match Disposition::of_call(error) {
            Disposition::Retry => (RETRY_S, ""),
            Disposition::Poison | Disposition::Halt => {
                (LOOK_S, " If it stays so, give the operator the request id in `instance`.")
            }
        };
        let detail = format!("{what} Send the same again after the seconds in `retry-after`.{hint}");
        Self::unavailable(detail, retry_s).caused_by(error.kind(), error)
    }

    /// With a header.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// With what failed beneath: `kind` is a constant word, the error's texts name its own attempt and nothing of the request.
    #[must_use]
    pub fn caused_by(mut self, kind: &'static str, error: &dyn std::error::Error) -> Self {
        let chain = std::iter::successors(error.source(), |error| error.source());
        let chain = chain.fold(error.to_string(), |text, error| format!("{text}: {error}"));
        self.cause = Some(Box::new(Cause { kind, chain }));
        self
    }

    /// Its status.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// The last part of its type.
    pub fn kind(&self) -> &'static str {
        self.kind
    }

    /// One line: ids, the status, the kind.
    pub fn log(&self, request_id: &str) {
        let (status, problem) = (self.status, self.kind);
        match self.cause.as_deref() {
            None => tracing::info!(request_id, status, problem, "refused"),
            Some(Cause { kind, chain }) => tracing::error!(request_id, status, problem, kind, cause = chain, "failed"),
        }
    }

    /// The document.
    pub fn response(self, request_id: &str) -> ApiGatewayProxyResponse {
        let body = json!({
            "type": format!("urn:ledgerline:problem:{}", self.kind),
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            "instance": format!("urn:ledgerline:request:{request_id}"),
        });
        response(self.status, "application/problem+json", body.to_string(), &self.headers)
    }
}

/// An answer in JSON.
pub fn answer(status: u16, body: String) -> ApiGatewayProxyResponse {
    response(status, "application/json", body, &[])
}

/// An answer in JSON that its caller may keep, and ask by its entity tag whether it still holds.
pub fn tagged(body: String, tag: &str) -> ApiGatewayProxyResponse {
    response(200, "application/json", body, &kept(tag))
}

/// The caller's own copy still holds.
pub fn unchanged(tag: &str) -> ApiGatewayProxyResponse {
    let mut response = response(304, "application/json", String::new(), &kept(tag));
    response.headers.remove("content-type");
    response
}

/// Kept by nobody but the caller, and never used unasked.
fn kept(tag: &str) -> [(&'static str, String); 3] {
    [("cache-control", "private, no-cache".to_owned()), ("etag", tag.to_owned()), ("vary", "authorization".to_owned())]
}

/// Any answer. None may be kept by a cache on the way, unless its own headers say otherwise.
fn response(
    status: u16,
    content_type: &str,
    body: String,
    headers: &[(&'static str, String)],
) -> ApiGatewayProxyResponse {
    let mut response = ApiGatewayProxyResponse::default();
    response.status_code = i64::from(status);
    response.body = Some(Body::Text(body));
    let always = [("content-type", content_type), ("cache-control", "no-store"), ("x-content-type-options", "nosniff")];
    let own = headers.iter().map(|(name, value)| (*name, value.as_str()));
    for (name, value) in always.into_iter().chain(own) {
        // All names and values are constants and numbers of ours, and plain.
        if let Ok(value) = value.parse() {
            response.headers.insert(name, value);
        }
    }
    response
}

/// What a member holds; nothing is as good as null.
fn read_or_null<'a, T: Deserialize<'a>>(raw: Option<&'a RawValue>) -> serde_json::Result<Option<T>> {
    raw.map_or(Ok(None), |raw| serde_json::from_str(raw.get()))
}

fn is_json(content_type: &str) -> bool {
    content_type.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ledgerline_ledger::store::Failure;
    use serde_json::Value;

    fn text(event: Value) -> String {
        event.to_string()
    }

    #[test]
    fn a_path_is_read_from_its_first_base_on() {
        let below = |path: &str| {
            let event = text(json!({ "httpMethod": "GET", "path": path }));
            Request::read(&event).unwrap().below("/api/v1/compliance/").map(str::to_owned)
        };
        assert_eq!(below("/api/v1/compliance/requests").as_deref(), Some("requests"));
        assert_eq!(below("/privacy/api/v1/compliance/requests/x/verify/").as_deref(), Some("requests/x/verify"));
        assert_eq!(below("/api/v1/compliance/").as_deref(), Some(""));
        assert_eq!(below("/live/api/v1/compliance/rtbf").as_deref(), Some("rtbf"));
        let twice = "/live/api/v1/compliance/requests/x/api/v1/compliance/rtbf";
        assert_eq!(below(twice).as_deref(), Some("requests/x/api/v1/compliance/rtbf"));
        assert_eq!(below("/other"), None);
    }

    #[test]
    fn a_query_is_read_whole_or_refused() {
        let read = |query: &str| {
            let event = format!(r#"{{"httpMethod":"GET","queryStringParameters":{query}}}"#);
            Request::read(&event).unwrap().parameters(&["org", "pageToken"]).map_err(|problem| problem.status())
        };
        assert_eq!(read("null"), Ok(BTreeMap::new()));
        assert_eq!(read(r#"{"pageToken":null}"#), Ok(BTreeMap::new()));
        assert_eq!(read(r#"{"org":"acme"}"#), Ok([("org", "acme".to_owned())].into()));
        for bad in [
            r#"{"Org":"acme"}"#,
            r#"{"org ":"acme"}"#,
            r#"{"org":"acme","page":"2"}"#,
            r#"{"org":["acme"]}"#,
            r#"{"org":"\ud800"}"#,
            "[]",
            "7",
        ] {
            assert_eq!(read(bad), Err(400), "{bad}");
        }
    }

    #[test]
    fn headers_of_any_kind_make_no_error() {
        for (headers, good) in [
            (json!(null), true),
            (json!("none"), true),
            (json!({}), true),
            (json!({ "Content-Type": "Application/JSON; charset=utf-8" }), true),
            (json!({ "content-type": null, "x": 7, "\u{130}": ["a"] }), true),
            (json!({ "content-type": "text/plain" }), false),
            (json!({ "content-type": ["application/json"] }), false),
            (json!({ "content-type": "application/json", "CONTENT-TYPE": "text/xml" }), false),
        ] {
            let event = text(json!({ "httpMethod": "POST", "headers": headers, "body": "{}" }));
            let body = Request::read(&event).unwrap().body(9).map(Cow::into_owned).map_err(|problem| problem.status());
            assert_eq!(body, if good { Ok(b"{}".to_vec()) } else { Err(415) }, "{event}");
        }
    }

    #[test]
    fn a_credential_is_one_header_and_is_never_shown() {
        let read = |headers: Value| {
            let event = text(json!({ "httpMethod": "POST", "headers": headers }));
            let credential = Request::read(&event).unwrap().credential("x-token");
            credential.map(|credential| {
                assert_eq!(format!("{credential:?}"), "Credential(***)");
                credential.expose_for_check().to_owned()
            })
        };
        assert_eq!(read(json!({ "X-Token": "a" })).as_deref(), Some("a"));
        for none in
            [json!({}), json!({ "x-token": null }), json!({ "x-token": 7 }), json!({ "x-token": "a", "X-TOKEN": "b" })]
        {
            assert_eq!(read(none.clone()), None, "{none}");
        }
    }

    #[test]
    fn a_raw_body_is_bounded_by_its_bytes_whatever_carries_them() {
        let read = |body: &str, is_base64: bool| {
            let event = text(json!({ "httpMethod": "POST", "headers": { "content-type": "text/csv" }, "body": body,
                "isBase64Encoded": is_base64 }));
            Request::read(&event).unwrap().raw_body(4).map(Cow::into_owned).map_err(|problem| problem.status())
        };
        assert_eq!((read("abcd", false), read("abcde", false)), (Ok(b"abcd".to_vec()), Err(413)));
        assert_eq!((read("YWJjZA==", true), read("YWJjZGU=", true)), (Ok(b"abcd".to_vec()), Err(413)));
        assert_eq!((read("YWJjZGVmZ2g=", true), read("%", true)), (Err(413), Err(400)));
    }

    #[test]
    fn a_parameter_must_be_known_and_be_given_once() {
        let read = |single: Value, multiple: Value| {
            let event = text(json!({ "httpMethod": "GET", "queryStringParameters": single,
                "multiValueQueryStringParameters": multiple }));
            Request::read(&event).unwrap().parameters(&["date", "org"]).map_err(|problem| problem.status())
        };
        let date: BTreeMap<&str, String> = BTreeMap::from([("date", "d".to_owned())]);
        assert_eq!(read(json!(null), json!(null)), Ok(BTreeMap::new()));
        assert_eq!(read(json!({ "date": "d" }), json!(null)), Ok(date.clone()));
        assert_eq!(read(json!({ "date": "d" }), json!({ "date": ["d"] })), Ok(date));
        assert_eq!(read(json!({ "date": "e" }), json!({ "date": ["d", "e"] })), Err(400), "twice");
        for (single, multiple) in [
            (json!({ "Date": "d" }), json!(null)),
            (json!(null), json!({ "day": ["d"] })),
            (json!({ "date": 7 }), json!(null)),
            (json!([]), json!(null)),
        ] {
            assert_eq!(read(single.clone(), multiple), Err(400), "{single}");
        }
    }

    #[test]
    fn a_copy_that_the_caller_has_is_known_by_its_tag() {
        let has = |headers: Value| {
            let event = text(json!({ "httpMethod": "GET", "headers": headers }));
            Request::read(&event).unwrap().has_tag("\"a\"")
        };
        for value in ["\"a\"", "W/\"a\"", "\"b\", \"a\"", "*"] {
            assert!(has(json!({ "If-None-Match": value })), "{value}");
        }
        for value in ["", "a", "\"A\"", "\"b\"", "\"a"] {
            assert!(!has(json!({ "if-none-match": value })), "{value}");
        }
        for headers in [json!(null), json!({}), json!({ "if-none-match": null }), json!({ "if-none-match": ["\"a\""] })]
        {
            assert!(!has(headers.clone()), "{headers}");
        }
        let kept = tagged("{}".to_owned(), "\"a\"");
        assert_eq!(
            (&kept.headers["etag"], &kept.headers["cache-control"]),
            (&"\"a\"".parse().unwrap(), &"private, no-cache".parse().unwrap())
        );
        let unchanged = unchanged("\"a\"");
        assert_eq!((unchanged.status_code, unchanged.body), (304, Some(Body::Text(String::new()))));
        assert!(unchanged.headers["etag"] == "\"a\"" && !unchanged.headers.contains_key("content-type"));
    }

    #[test]
    fn a_body_is_bounded_in_both_of_its_forms() {
        let body = |body: &str, is_base64: bool| {
            let event = text(json!({ "httpMethod": "POST", "body": body, "isBase64Encoded": is_base64 }));
            Request::read(&event).unwrap().body(3).map(Cow::into_owned).map_err(|problem| problem.status())
        };
        assert_eq!((body("abc", false), body("abcd", false)), (Ok(b"abc".to_vec()), Err(413)));
        assert_eq!(
            (body("YWJj", true), body("YWJjZA==", true), body("?", true)),
            (Ok(b"abc".to_vec()), Err(413), Err(400))
        );
    }

    #[test]
    fn nobody_is_let_in_without_an_authorizer() {
        for context in
            [json!(null), json!({}), json!({ "authorizer": null }), json!({ "authorizer": { "principalId": "x" } })]
        {
            let event = text(json!({ "httpMethod": "GET", "requestContext": context }));
            assert_eq!(Request::read(&event).unwrap().caller().unwrap_err().status(), 401, "{event}");
        }
    }

    #[test]
    fn every_store_error_has_its_disposition_and_status() {
        type Make = fn(Failure) -> StoreError;
        let rows: [(Make, Disposition, u16, &str); 6] = [
            (StoreError::NotFound, Disposition::Halt, 500, "60"),
            (StoreError::Conflict, Disposition::Retry, 503, "5"),
            (StoreError::Throttled, Disposition::Retry, 503, "5"),
            (StoreError::Denied, Disposition::Halt, 500, "60"),
            (StoreError::Corrupt, Disposition::Halt, 500, "60"),
            (StoreError::Unknown, Disposition::Retry, 503, "5"),
        ];
        for (make, expected, status, not_recorded_s) in rows {
            let error = make(Failure::caused_by("read links", "connection refused"));
            assert_eq!(Disposition::of_call(&error), expected, "{}", error.kind());
            let response = Problem::of_store(&error, "Ask again.").response("r-1");
            assert_eq!(response.status_code, i64::from(status));
            assert_eq!(response.headers.contains_key("retry-after"), status == 503);
            // What must be recorded and cannot be is nobody's lasting refusal.
            let response = Problem::not_recorded(&error, "It could not be recorded.").response("r-1");
            assert_eq!(response.status_code, 503, "{}", error.kind());
            assert_eq!(response.headers["retry-after"], not_recorded_s);
            let Some(Body::Text(body)) = response.body else { panic!("no text") };
            assert!(!body.contains("connection refused") && !body.contains("read links"), "{body}");
        }
    }

    #[test]
    fn a_problem_is_a_document_with_its_headers() {
        let problem = Problem::new(429, "too-many", "Too many", "Wait.").header("retry-after", "60");
        let response = problem.response("r-1");
        assert_eq!(response.status_code, 429);
        assert_eq!(response.headers["retry-after"], "60");
        assert_eq!(response.headers["content-type"], "application/problem+json");
        let Some(Body::Text(body)) = response.body else { panic!("no text") };
        let body: Value = serde_json::from_str(&body).unwrap();
        assert_eq!(body["type"], "urn:ledgerline:problem:too-many");
        assert_eq!(body["instance"], "urn:ledgerline:request:r-1");
    }
}
