//! Events sent to capture over HTTP, as a webhook or a data action sends them.

use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::access::{Answer, post};
use crate::org::Org;
use crate::stack::Stack;

/// Where events go.
pub const INGEST: &str = "/api/v1/ingest";
/// Where audit events go.
pub const AUDIT_EVENTS: &str = "/api/v1/audit-events";
/// The header of a client's token.
pub const TOKEN: &str = "x-processmining-token";
/// The header of a signature.
pub const SIGNATURE: &str = "x-ledgerline-signature";
/// The status of a call that came too soon.
pub const TOO_MANY: u16 = 429;

/// What became of a body that the local client sends: it is sent until the stage has room for it.
pub fn sent(stack: &Stack, path: &str, body: &[u8]) -> Answer {
    sent_with(stack, path, &[(TOKEN, &stack.description().capture.token)], body)
}

/// The same, with these headers and no others.
pub fn sent_with(stack: &Stack, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
    stack.wait_for("the stage to have room for a call", || {
        let answer = post(stack, path, headers, body);
        if answer.status == TOO_MANY { Err(format!("{answer:?}")) } else { Ok(answer) }
    })
}

/// An identity event about an interaction of an org's, which names somebody by a telephone number.
pub fn identity(org: &Org<'_>, interaction: &str, phone: &str) -> Value {
    json!({ "auditEvent": {
        "eventType": "IDENTITY_RESOLUTION", "timestamp": "2026-03-02T13:59:58Z", "orgId": org.name, "interactionId": interaction,
        "channelType": "VOICE", "resolutionSource": "CRM_API_LOOKUP", "customerPhone": phone,
    } })
}

/// The signature of a body, by a client's secret.
pub fn signature(secret: &str, time_s: u64, body: &[u8]) -> String {
    let keyed = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    let mac = keyed.chain_update(format!("{time_s}.")).chain_update(body).finalize().into_bytes();
    format!("t={time_s},v1={}", mac.iter().map(|byte| format!("{byte:02x}")).collect::<String>())
}
