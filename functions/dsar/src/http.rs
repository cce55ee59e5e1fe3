//! The envelope: an API Gateway REST proxy event in, a response out.
//!
//! Invariant: of an event only [`Request`]'s members are read. Headers are what a caller likes to send, in any script;
//! none but the content type is decoded, and no value of one leaves this module.

use std::borrow::Cow;
use std::collections::BTreeMap;

use aws_lambda_events::apigw::ApiGatewayProxyResponse;
use aws_lambda_events::encodings::Body;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ledgerline_custody::query::BODY_BYTES;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::PATH;
use crate::problem::Problem;

/// What stands for an id where API Gateway gave none.
pub(crate) const NO_ID: &str = "none";

/// What this function reads of an event.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Request<'a> {
    http_method: String,
    path: Option<String>,
    resource: Option<String>,
    #[serde(borrow)]
    headers: Option<&'a RawValue>,
    body: Option<String>,
    is_base64_encoded: Option<bool>,
    request_context: Option<RequestContext>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RequestContext {
    request_id: Option<String>,
}

impl<'a> Request<'a> {
    /// Reads an invocation's payload. `serde_json`'s own error may quote it, and goes nowhere.
    pub(crate) fn read(payload: &'a str) -> Result<Self, Problem> {
        serde_json::from_str(payload).map_err(|_| Problem::no_event())
    }

    /// API Gateway's id of the request, for log and answer. Anyone who invokes the function directly can write
    /// anything here, so that text which does not look like an id is ignored.
    pub(crate) fn id(&self) -> &str {
        let id = self.request_context.as_ref().and_then(|context| context.request_id.as_deref()).unwrap_or(NO_ID);
        let fits = (1..=MAX_ID_BYTES).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        if fits { id } else { NO_ID }
    }

    /// The request's body, if path, method, type and size are right.
    pub(crate) fn body(&self) -> Result<Cow<'_, [u8]>, Problem> {
        // Behind a custom domain the path may have a base path before it; the resource never has.
        let is_ours = |path: &Option<String>| path.as_deref().is_some_and(|path| path.trim_end_matches('/') == PATH);
        if !is_ours(&self.path) && !is_ours(&self.resource) {
            return Err(Problem::no_such_path());
        }
        if self.http_method != "POST" {
            return Err(Problem::no_such_method());
        }
        if !self.may_be_json() {
            return Err(Problem::not_json());
        }
        let text = self.body.as_deref().unwrap_or_default();
        if !self.is_base64_encoded.unwrap_or_default() {
            return if text.len() > BODY_BYTES {
                Err(Problem::too_large())
            } else {
                Ok(Cow::Borrowed(text.as_bytes()))
            };
        }
        if text.len() > BODY_BYTES.div_ceil(3) * 4 {
            return Err(Problem::too_large());
        }
        STANDARD.decode(text).map(Cow::Owned).map_err(|_| Problem::not_base64())
    }

    /// Whether no header says that the body is anything else. The console's test sends null for headers.
    fn may_be_json(&self) -> bool {
        let headers: Option<BTreeMap<String, &RawValue>> =
            self.headers.and_then(|headers| serde_json::from_str(headers.get()).ok());
        headers.into_iter().flatten().filter(|(name, _)| name.eq_ignore_ascii_case("content-type")).all(|(_, value)| {
            let value: Result<Option<String>, _> = serde_json::from_str(value.get());
            value.is_ok_and(|value| value.is_none_or(|value| is_json(&value)))
        })
    }
}

/// A good answer.
pub(crate) fn ok(body: String) -> ApiGatewayProxyResponse {
    response(200, "application/json", body, &[])
}

/// Any answer. None may be kept by a cache on the way.
pub(crate) fn response(
    status: u16,
    content_type: &'static str,
    body: String,
    headers: &[(&'static str, &'static str)],
) -> ApiGatewayProxyResponse {
    let mut response = ApiGatewayProxyResponse::default();
    response.status_code = i64::from(status);
    response.body = Some(Body::Text(body));
    let always = [("content-type", content_type), ("cache-control", "no-store"), ("x-content-type-options", "nosniff")];
    for (name, value) in always.iter().chain(headers) {
        // All names and values are constants of this crate, and plain.
        if let Ok(value) = value.parse() {
            response.headers.insert(*name, value);
        }
    }
    response
}

fn is_json(content_type: &str) -> bool {
    content_type.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"))
}

/// API Gateway's ids are UUIDs.
const MAX_ID_BYTES: usize = 64;
