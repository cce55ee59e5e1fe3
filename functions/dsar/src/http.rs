//! The envelope: an API Gateway REST proxy request in, a response out.

use std::borrow::Cow;

use aws_lambda_events::apigw::{ApiGatewayProxyRequest, ApiGatewayProxyResponse};
use aws_lambda_events::encodings::Body;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ledgerline_custody::query::BODY_BYTES;

use crate::PATH;
use crate::problem::Problem;

/// API Gateway's id of the request, for log and answer.
pub(crate) fn request_id(request: &ApiGatewayProxyRequest) -> String {
    request.request_context.request_id.clone().unwrap_or_else(|| "none".to_owned())
}

/// The request's body, if path, method, type and size are right.
pub(crate) fn body(request: &ApiGatewayProxyRequest) -> Result<Cow<'_, [u8]>, Problem> {
    // Behind a custom domain the path may have a base path before it; the resource never has.
    let is_ours = |path: &Option<String>| path.as_deref().is_some_and(|path| path.trim_end_matches('/') == PATH);
    if !is_ours(&request.path) && !is_ours(&request.resource) {
        return Err(Problem::no_such_path());
    }
    if request.http_method != "POST" {
        return Err(Problem::no_such_method());
    }
    let content_type = request.headers.get("content-type").map(|value| value.to_str().unwrap_or_default());
    if content_type.is_some_and(|value| !is_json(value)) {
        return Err(Problem::not_json());
    }
    let text = request.body.as_deref().unwrap_or_default();
    if !request.is_base64_encoded {
        return if text.len() > BODY_BYTES { Err(Problem::too_large()) } else { Ok(Cow::Borrowed(text.as_bytes())) };
    }
    if text.len() > BODY_BYTES.div_ceil(3) * 4 {
        return Err(Problem::too_large());
    }
    STANDARD.decode(text).map(Cow::Owned).map_err(|_| Problem::not_base64())
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
