//! One identity event, sent as an Architect data action sends it, and asked for by the very next call.
//!
//! Invariant: the answer is looked at as it came; whether the event was on its way or committed already is the stack's to say.

use std::collections::BTreeMap;
use std::io;

use ledgerline_traffic::r#gen::milliseconds;
use ledgerline_traffic::stack::Stack;
use serde_json::{Value, json};
use tokio::time::Instant;
use xtask::fault::Fault;

use super::access::{self, Answer};
use super::report::{AtOnce, Check};
use super::screen::Screen;

/// What came back from capture.
struct Sent {
    status: u16,
    journaled: bool,
}

/// Sends the event, asks for it, waits until it is committed, and asks again.
pub(super) async fn run(stack: &Stack, org: &str, phone: &str, now_ms: i64) -> Result<AtOnce, Fault> {
    let interaction = format!("demo-{now_ms:x}");
    let event = json!({ "auditEvent": {
        "eventType": "IDENTITY_RESOLUTION", "timestamp": milliseconds(now_ms), "orgId": org, "interactionId": interaction,
        "channelType": "VOICE", "resolutionSource": "CRM_API_LOOKUP", "customerPhone": phone,
    } });
    let clock = Instant::now();
    let sent = send(stack, &event)?;
    let sent_after = clock.elapsed();
    let first = access::ask(stack, org, phone)?;
    let asked_after = clock.elapsed();
    stack.wait_until_drained(super::run::PATIENCE).await?;
    let later = access::ask(stack, org, phone)?;
    let whole = |elapsed: std::time::Duration| u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
    let held = |answer: &Answer, of: &BTreeMap<String, u64>| -> (u64, u64) {
        (answer.entries.get(&interaction).map_or(0, Vec::len) as u64, of.get(&interaction).copied().unwrap_or_default())
    };
    let (at_once, on_its_way) = held(&first, &first.on_their_way);
    let (committed, still_on_its_way) = held(&later, &later.on_their_way);
    Ok(AtOnce {
        status: sent.status,
        journaled: sent.journaled,
        milliseconds_to_send: whole(sent_after),
        milliseconds_to_answer: whole(asked_after),
        at_once,
        on_its_way,
        committed: committed - still_on_its_way.min(committed),
        still_on_its_way,
        interaction_id: interaction,
    })
}

fn send(stack: &Stack, event: &Value) -> Result<Sent, Fault> {
    let url = format!("{}/api/v1/audit-events", stack.api_url);
    let agent: ureq::Agent =
        ureq::Agent::config_builder().http_status_as_error(false).timeout_global(Some(access::PATIENCE)).build().into();
    let post = agent.post(&url).header("x-processmining-token", &stack.capture.token);
    let remedy = "see whether the stack is up (cargo xtask up) and what capture logs";
    let answer = post.header("content-type", "application/json").send(event.to_string().as_bytes());
    let mut answer = answer.map_err(|error| Fault::caused_by("capture does not answer", error, remedy))?;
    let body: Value =
        serde_json::from_str(&answer.body_mut().read_to_string().unwrap_or_default()).unwrap_or(Value::Null);
    Ok(Sent { status: answer.status().as_u16(), journaled: body["events"][0]["journaled"] == true })
}

/// Tells it.
pub(super) fn tell(screen: &mut Screen<io::Stdout>, told: &AtOnce) -> io::Result<()> {
    let AtOnce { status, milliseconds_to_send, milliseconds_to_answer, at_once, on_its_way, committed, .. } = told;
    let where_to = if *on_its_way > 0 { "on its way, and in the answer" } else { "in the answer" };
    screen.fact("one event more", "POST /api/v1/audit-events  IDENTITY_RESOLUTION, sent as a data action sends it")?;
    screen.fact("taken", &format!("{status} after {milliseconds_to_send} ms"))?;
    screen
        .fact("asked at once", &format!("{at_once} entry {where_to}, {milliseconds_to_answer} ms after it was sent"))?;
    screen.fact("asked later", &format!("{committed} entry, with its place in the ledger"))
}

/// What must hold of it.
pub(super) fn check(told: &AtOnce) -> Check {
    let AtOnce { status, journaled, at_once, committed, still_on_its_way, .. } = *told;
    let passed = status == 202 && journaled && (at_once, committed, still_on_its_way) == (1, 1, 0);
    Check {
        name: "What was just sent is in the next answer, and later once".to_owned(),
        passed,
        detail: format!("{status}, then {at_once} in the answer, then {committed} in the ledger"),
        remedy: (!passed).then(|| "look at the journal's rows in the index table and at what capture logs".to_owned()),
    }
}
