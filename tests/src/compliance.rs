//! Requests of persons over HTTP, as callers of several parts send them.

use serde_json::Value;

use crate::access::bearer;
use crate::stack::Stack;

/// Where they go.
const BASE: &str = "/api/v1/compliance/";

/// Status and body of a call of this part's; with a body it is a POST.
pub fn call(stack: &Stack, part: &str, path: &str, body: Option<&Value>) -> (u16, Value) {
    let description = stack.description();
    let url = format!("{}{BASE}{path}", description.api_url.trim_end_matches('/'));
    let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
    let (token, key) = (bearer(description.token(part).unwrap()), description.api_key.as_str());
    let mut answer = match body {
        Some(body) => {
            let post = agent.post(&url).header("content-type", "application/json");
            post.header("authorization", &token).header("x-api-key", key).send(body.to_string()).unwrap()
        }
        None => agent.get(&url).header("authorization", &token).header("x-api-key", key).call().unwrap(),
    };
    let status = answer.status().as_u16();
    let text = answer.body_mut().read_to_string().unwrap();
    (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
}
