//! Access requests over HTTP, as a caller outside sends them.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::stack::Stack;

/// Where they go.
pub const PATH: &str = "/api/v1/compliance/dsar/audit-trail";

/// Status and body of a reader's request; `None` sends no key.
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

/// An access request with these headers.
pub fn send(stack: &Stack, headers: &[(&str, &str)], body: &Value) -> Answer {
    let url = format!("{}{PATH}", stack.description().api_url.trim_end_matches('/'));
    let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
    let request = agent.post(&url).header("content-type", "application/json");
    let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    let mut answer = request.send(body.to_string()).unwrap();
    let text = answer.body_mut().read_to_string().unwrap();
    let told = |value: &ureq::http::HeaderValue| value.to_str().unwrap_or_default().to_owned();
    Answer {
        status: answer.status().as_u16(),
        headers: answer.headers().iter().map(|(name, value)| (name.to_string(), told(value))).collect(),
        body: serde_json::from_str(&text).unwrap_or(Value::String(text)),
    }
}
