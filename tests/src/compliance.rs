//! Requests of persons over HTTP, as callers of several parts send them.

use serde_json::{Value, json};

use crate::access::{Answer, bearer, exchange};
use crate::org::Org;
use crate::stack::Stack;

/// Where they go.
const BASE: &str = "/api/v1/compliance/";

/// Status and body of a call of this part's; with a body it is a POST.
pub fn call(stack: &Stack, part: &str, path: &str, body: Option<&Value>) -> (u16, Value) {
    let answer = call_as(stack, stack.description().token(part).unwrap(), path, body);
    (answer.status, answer.body)
}

/// What a call with this token is answered. One that the usage plan turns away has done nothing, and is made again.
pub fn call_as(stack: &Stack, token: &str, path: &str, body: Option<&Value>) -> Answer {
    call_whole(stack, token, &format!("{BASE}{path}"), body)
}

/// The same, of a path that is given whole.
fn call_whole(stack: &Stack, token: &str, path: &str, body: Option<&Value>) -> Answer {
    let token = bearer(token);
    let headers = [("authorization", token.as_str()), ("x-api-key", stack.description().api_key.as_str())];
    stack.wait_for("the usage plan to let a call in", || {
        let answer = exchange(stack, path, &headers, body);
        if answer.is_problem(429, "too-many-requests") { Err(format!("{answer:?}")) } else { Ok(answer) }
    })
}

/// The body that a POST of this part's is answered with.
///
/// # Panics
/// If the status is another.
pub fn posted(stack: &Stack, part: &str, path: &str, body: &Value, expected: u16) -> Value {
    let (status, answer) = call(stack, part, path, Some(body));
    assert_eq!(status, expected, "{path}: {answer}");
    answer
}

/// Two interactions of one customer, in one of which another one has part; the customer's phone number.
pub fn customers_call(org: &Org<'_>) -> String {
    let phone = org.phone();
    let event = |interaction: &str, name: &str, value: &str| {
        json!({ "interactionId": interaction, "timestamp": "2026-03-02T14:00:00Z", "eventType": "answered", "orgId": org.name,
            name: value })
        .to_string()
        .into_bytes()
    };
    let mail = format!("{}@example.com", org.name);
    org.stack.send(&[
        event("i-1", "customerPhone", &phone),
        event("i-2", "customerPhone", &phone),
        event("i-2", "customerEmail", &mail),
    ]);
    org.committed(3);
    phone
}

/// Loads what an organisation's CRM says of its customers, as its export does.
///
/// # Panics
/// If not all of it is taken.
pub fn load_crm(org: &Org<'_>, rows: &[Value]) {
    let (stack, body) = (org.stack, json!({ "org": org.name, "rows": rows }));
    let answer = call_whole(stack, stack.description().token("loader").unwrap(), "/api/v1/reference/crm", Some(&body));
    assert_eq!((answer.status, &answer.body["loaded"]), (200, &json!(rows.len())), "{:?}", answer.body);
}

/// The erasure of the customer of a phone number, in one organisation.
pub fn erasure(org: &Org<'_>, phone: &str) -> Value {
    json!({ "type": "ERASURE", "identifiers": [{ "kind": "phone", "value": phone }], "org": org.name })
}
