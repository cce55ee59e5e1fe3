//! Calls of the API over HTTP, as a caller outside makes them; access requests among them.

use std::collections::BTreeMap;

use serde_json::Value;
use ureq::RequestBuilder;
use ureq::http::HeaderValue;

use crate::stack::Stack;

/// Where access requests go.
pub const PATH: &str = "/api/v1/compliance/dsar/audit-trail";

/// Status and body of a reader's access request; `None` sends no key.
pub fn ask(stack: &Stack, key: Option<&str>, body: &Value) -> (u16, Value) {
    let reader = bearer(stack.description().token("reader").unwrap());
    let headers = key.map(|key| ("x-api-key", key)).into_iter().chain([("authorization", reader.as_str())]);
    let answer = send(stack, &headers.collect::<Vec<_>>(), body);
    (answer.status, answer.body)
}

/// The value of the header that carries a token.
pub fn bearer(token: &str) -> String {
    format!("Bearer {token}")
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The headers; of one that came twice the last.
    pub headers: BTreeMap<String, String>,
    /// The body, as a text where it is no JSON.
    pub body: Value,
}

impl Answer {
    /// Whether it is this problem, as a document.
    pub fn is_problem(&self, status: u16, kind: &str) -> bool {
        let body = &self.body;
        self.status == status
            && self.headers["content-type"] == "application/problem+json"
            && body["type"] == format!("urn:ledgerline:problem:{kind}")
            && body["instance"].as_str().is_some_and(|id| id.starts_with("urn:ledgerline:request:"))
            && body["title"].is_string()
            && body["detail"].is_string()
    }
}

/// An access request with these headers.
pub fn send(stack: &Stack, headers: &[(&str, &str)], body: &Value) -> Answer {
    exchange(stack, PATH, headers, Some(body))
}

/// A call with these headers, whatever bytes they hold; with a body it is a POST.
pub fn exchange(stack: &Stack, path: &str, headers: &[(&str, &str)], body: Option<&Value>) -> Answer {
    match body {
        Some(body) => post(stack, path, headers, body.to_string().as_bytes()),
        None => told(with_headers(agent().get(url(stack, path)), headers).call()),
    }
}

/// A POST of these bytes, which are JSON unless a header says what they are.
pub fn post(stack: &Stack, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
    let post = with_headers(agent().post(url(stack, path)), headers);
    let says_what = headers.iter().any(|(name, _)| *name == "content-type");
    let post = if says_what { post } else { post.header("content-type", "application/json") };
    told(post.send(body))
}

fn agent() -> ureq::Agent {
    ureq::Agent::config_builder().http_status_as_error(false).build().into()
}

fn url(stack: &Stack, path: &str) -> String {
    format!("{}{path}", stack.description().api_url.trim_end_matches('/'))
}

fn told(answer: Result<ureq::http::Response<ureq::Body>, ureq::Error>) -> Answer {
    let mut answer = answer.unwrap();
    let text = answer.body_mut().read_to_string().unwrap();
    let told = |value: &HeaderValue| value.to_str().unwrap_or_default().to_owned();
    Answer {
        status: answer.status().as_u16(),
        headers: answer.headers().iter().map(|(name, value)| (name.to_string(), told(value))).collect(),
        body: serde_json::from_str(&text).unwrap_or(Value::String(text)),
    }
}

fn with_headers<B>(request: RequestBuilder<B>, headers: &[(&str, &str)]) -> RequestBuilder<B> {
    let value = |text: &str| HeaderValue::from_bytes(text.as_bytes()).unwrap();
    headers.iter().fold(request, |request, (name, text)| request.header(*name, value(text)))
}
