//! Access requests over HTTP, as a caller outside sends them.

use serde_json::Value;

use crate::stack::Stack;

/// Where they go.
const PATH: &str = "/api/v1/compliance/dsar/audit-trail";

/// Status and body of a request; `None` sends no key.
pub fn ask(stack: &Stack, key: Option<&str>, body: &Value) -> (u16, Value) {
    let url = format!("{}{PATH}", stack.description().api_url.trim_end_matches('/'));
    let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
    let request = agent.post(&url).header("content-type", "application/json");
    let request = if let Some(key) = key { request.header("x-api-key", key) } else { request };
    let mut answer = request.send(body.to_string()).unwrap();
    let status = answer.status().as_u16();
    let text = answer.body_mut().read_to_string().unwrap();
    (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
}
