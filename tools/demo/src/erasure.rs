//! Act 4: the person who asked is erased, and everybody else is as before.
//!
//! Invariant: three tokens ask, verify and approve, and the API decides; what went is what the eraser counted, and what stayed is read back
//! by asking again. The sweep is run at once instead of within its minute, as is the scheduled verification.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::time::Duration;

use aws_sdk_lambda::primitives::Blob;
use ledgerline_ledger::tree::Hash;
use ledgerline_traffic::stack::Stack;
use serde_json::{Value, json};
use xtask::fault::Fault;

use super::access;
use super::certificate;
use super::chain::Chain;
use super::report::{Certificate, Check, Erasure, grouped};
use super::screen::Screen;

/// Everybody else's entries, by interaction.
type Others = BTreeMap<String, Vec<Value>>;

/// Erases the owner of a phone number; `others` are all other numbers that were sent.
pub(super) async fn erase(chain: &Chain, org: &str, phone: &str, others: &[String]) -> Result<Erasure, Fault> {
    let stack = &chain.stack;
    let person = json!([{ "kind": "phone", "value": phone }]);
    let before = answers(stack, org, others)?;
    let begun = tokio::time::Instant::now();
    let body = json!({ "type": "ERASURE", "identifiers": person, "org": org, "reference": "demo" });
    let made = call(stack, "officer", "requests", Some(&body))?;
    let id = made["requestId"].as_str().unwrap_or_default().to_owned();
    call(stack, "verifier", &format!("requests/{id}/verify"), Some(&json!({ "method": "callback" })))?;
    let preview = call(stack, "approver", &format!("requests/{id}/preview"), None)?;
    let approval = json!({ "previewDigest": preview["digest"], "shared": {} });
    call(stack, "approver", &format!("requests/{id}/approve"), Some(&approval))?;
    let shown = done(chain, &id).await?;
    let seconds = begun.elapsed().as_secs_f64();
    // What is not done has none.
    let certificate = match shown["state"] == "done" {
        true => certificate::fetch(chain, org, &id).await?,
        false => Certificate::default(),
    };
    let (found, after) = (found(stack, org, &person)?, answers(stack, org, others)?);
    let verified = invoke(chain, "VerifyFunction", &json!({ "look": "everything" })).await?;
    // A record that the person shares with another customer is kept, without what was the person's own.
    let shared: BTreeSet<&str> = preview["shared"].as_array().into_iter().flatten().filter_map(interaction).collect();
    let digest = |others: &Others| {
        let whole: BTreeMap<_, _> = others.iter().filter(|(id, _)| !shared.contains(id.as_str())).collect();
        (whole.len() as u64, Hash::of_object(json!(whole).to_string().as_bytes()).hex())
    };
    let ((other_interactions, digest_before), (_, digest_after)) = (digest(&before), digest(&after));
    let count = |name: &str| shown["erasure"]["counts"][name].as_u64().unwrap_or_default();
    Ok(Erasure {
        request_id: id,
        state: shown["state"].as_str().unwrap_or_default().to_owned(),
        records: preview["records"].as_u64().unwrap_or_default(),
        shared: shared.len() as u64,
        entries: preview["systems"]["ledger"]["entries"].as_u64().unwrap_or_default(),
        seconds,
        objects: count("objects"),
        lines: count("lines"),
        silver_rows: count("silverRows"),
        keys: count("keys"),
        links: count("links"),
        found,
        others: others.len() as u64,
        other_interactions,
        digest_before,
        digest_after,
        verified_entries: verified["entries"].as_u64().unwrap_or_default(),
        holds: verified["holds"] == true,
        certificate,
    })
}

/// Shows it.
pub(super) fn tell(screen: &mut Screen<impl Write>, erasure: &Erasure) -> io::Result<()> {
    screen.fact("asked", "POST /api/v1/compliance/requests  one person asks, another verifies, a third approves")?;
    screen.fact("request", &format!("{}: {}", erasure.request_id, erasure.state))?;
    screen.fact(
        "previewed",
        &format!(
            "{} interactions, {} entries; {} shared with another customer",
            grouped(erasure.records),
            grouped(erasure.entries),
            grouped(erasure.shared)
        ),
    )?;
    screen.fact(
        "erased",
        &format!(
            "in {:.0} s: {} keys, {} links, {} lines in {} bronze objects, {} rows of silver",
            erasure.seconds,
            grouped(erasure.keys),
            grouped(erasure.links),
            grouped(erasure.lines),
            grouped(erasure.objects),
            grouped(erasure.silver_rows)
        ),
    )?;
    screen.fact("asked again", if erasure.found { "STILL FOUND" } else { "nothing is found: as if never seen" })?;
    let same = if erasure.digest_before == erasure.digest_after { "the same" } else { "NOT THE SAME" };
    let others =
        format!("{} other numbers, {} interactions", grouped(erasure.others), grouped(erasure.other_interactions));
    screen.fact(
        "everybody else",
        &format!("{others}: {same}, {}…", erasure.digest_after.get(..16).unwrap_or_default()),
    )?;
    let holds = if erasure.holds { "holds" } else { "DOES NOT HOLD" };
    screen.fact(
        "the evidence",
        &format!("{holds}: {} entries, none of them changed", grouped(erasure.verified_entries)),
    )?;
    screen.gap()?;
    screen.say(
        "The entries stay, locked, and every proof over them: what they held sealed is noise now, since its keys are gone.",
    )?;
    certificate::tell(screen, &erasure.certificate)
}

/// What must hold of it.
pub(super) fn checks(erasure: &Erasure) -> [Check; 5] {
    let check = |name: &str, passed: bool, detail: String, remedy: &str| Check {
        name: name.to_owned(),
        passed,
        detail,
        remedy: (!passed).then(|| remedy.to_owned()),
    };
    let [holds, notices] = certificate::checks(&erasure.certificate, &erasure.request_id);
    [
        check(
            "Who was erased is not found any more",
            erasure.state == "done" && !erasure.found,
            format!("{} in {:.0} s; found again: {}", erasure.state, erasure.seconds, erasure.found),
            "read what rtbf logs in target/local/ministack.log",
        ),
        check(
            "Everybody else's answers are the same",
            erasure.digest_before == erasure.digest_after && erasure.other_interactions > 0,
            format!("{} numbers, {} interactions", grouped(erasure.others), grouped(erasure.other_interactions)),
            "ask for a number before and after, and compare",
        ),
        check(
            "The evidence verifies after the erasure",
            erasure.holds && erasure.verified_entries > 0,
            format!("{} entries", grouped(erasure.verified_entries)),
            "run ledgerline verify --stack target/local/stack.json",
        ),
        holds,
        notices,
    ]
}

/// Waits until a request is done, or for as long as the demo has: how it stands then.
async fn done(chain: &Chain, id: &str) -> Result<Value, Fault> {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    loop {
        let shown = call(&chain.stack, "approver", &format!("requests/{id}"), None)?;
        if shown["state"] == "done" || tokio::time::Instant::now() > deadline {
            return Ok(shown);
        }
        tokio::time::sleep(GLANCE).await;
        invoke(chain, "SweepFunction", &json!({})).await?;
    }
}

/// What is held on all of these numbers, by interaction.
fn answers(stack: &Stack, org: &str, phones: &[String]) -> Result<Others, Fault> {
    let mut others = Others::new();
    for phones in phones.chunks(NUMBERS_PER_QUESTION) {
        let identifiers: Vec<Value> = phones.iter().map(|phone| json!({ "kind": "phone", "value": phone })).collect();
        let question = json!({ "identifiers": identifiers, "org": org, "pageSize": 2_000 });
        for page in access::pages(stack, &question)? {
            for one in page["interactions"].as_array().into_iter().flatten() {
                let entries = one["entries"].as_array().cloned().unwrap_or_default();
                others.entry(access::name(one)).or_default().extend(entries);
            }
        }
    }
    Ok(others)
}

fn found(stack: &Stack, org: &str, person: &Value) -> Result<bool, Fault> {
    let pages = access::pages(stack, &json!({ "identifiers": person, "org": org }))?;
    Ok(pages.iter().any(|page| page["customer"]["found"] == true || page["interactions"] != json!([])))
}

/// The interaction of a shared record.
fn interaction(shared: &Value) -> Option<&str> {
    shared["record"].as_str()?.split_once('/').map(|(_, record)| record)
}

/// A call of the compliance API's, in somebody's part.
fn call(stack: &Stack, part: &str, path: &str, body: Option<&Value>) -> Result<Value, Fault> {
    let (status, text) = asked(stack, part, path, body)?;
    let value: Value = serde_json::from_str(&text).unwrap_or(Value::Null);
    if matches!(status, 200 | 201) && value.is_object() {
        return Ok(value);
    }
    Err(refused(status, &value))
}

/// A document that the compliance API gives in somebody's part, as it is.
pub(super) fn document(stack: &Stack, part: &str, path: &str) -> Result<String, Fault> {
    let (status, text) = asked(stack, part, path, None)?;
    if status == 200 {
        return Ok(text);
    }
    Err(refused(status, &serde_json::from_str(&text).unwrap_or(Value::Null)))
}

fn refused(status: u16, value: &Value) -> Fault {
    let detail = value["detail"].as_str().or_else(|| value["message"].as_str()).unwrap_or("no problem document");
    Fault::new(format!("the requests API answers {status}: {detail}"), REMEDY)
}

/// The status and the body of an answer.
fn asked(stack: &Stack, part: &str, path: &str, body: Option<&Value>) -> Result<(u16, String), Fault> {
    let url = format!("{}/api/v1/compliance/{path}", stack.api_url);
    let agent: ureq::Agent =
        ureq::Agent::config_builder().http_status_as_error(false).timeout_global(Some(PATIENCE)).build().into();
    let (token, key) = (format!("Bearer {}", stack.token(part)?), stack.api_key.as_str());
    let answer = match body {
        Some(body) => {
            let post = agent.post(&url).header("content-type", "application/json");
            post.header("authorization", &token).header("x-api-key", key).send(body.to_string().as_bytes())
        }
        None => agent.get(&url).header("authorization", &token).header("x-api-key", key).call(),
    };
    let mut answer = answer.map_err(|error| Fault::caused_by("the requests API does not answer", error, REMEDY))?;
    let status = answer.status().as_u16();
    let text = answer.body_mut().read_to_string();
    let text = text.map_err(|error| Fault::caused_by("the requests API's answer cannot be read", error, REMEDY))?;
    Ok((status, text))
}

/// Runs a function of the deployment, as its schedule would.
async fn invoke(chain: &Chain, logical: &str, event: &Value) -> Result<Value, Fault> {
    let stack = &chain.stack;
    let name = stack.functions.get(logical);
    let name =
        name.ok_or_else(|| Fault::new(format!("stack.json names no {logical}"), "cargo xtask down; cargo xtask up"))?;
    let lambda = aws_sdk_lambda::Client::new(&stack.sdk_config().await);
    let answer = lambda.invoke().function_name(name).payload(Blob::new(event.to_string())).send().await;
    let answer = answer.map_err(|error| stack.unreachable(format!("cannot run {name}"), error.into_source()))?;
    let said = answer.payload.as_ref().map_or(&[][..], Blob::as_ref);
    Ok(serde_json::from_slice(said).unwrap_or(Value::Null))
}

const REMEDY: &str = "see whether the stack is up (cargo xtask up) and what requests logs";
/// A question names 50 identifiers at most.
const NUMBERS_PER_QUESTION: usize = 50;
/// How long the erasure may take: its drain is two seconds here.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often it is looked at.
const GLANCE: Duration = Duration::from_millis(300);

#[cfg(test)]
mod tests {
    use super::super::report::sample;
    use super::*;

    #[test]
    fn the_checks_want_the_person_gone_and_all_else_as_it_was() {
        let erasure = sample::report().erasure;
        let passed = |erasure: &Erasure| checks(erasure)[..3].iter().map(|check| check.passed).collect::<Vec<_>>();
        assert_eq!(passed(&erasure), [true; 3]);
        assert_eq!(passed(&Erasure { found: true, ..erasure.clone() }), [false, true, true]);
        assert_eq!(passed(&Erasure { state: "erasing".to_owned(), ..erasure.clone() }), [false, true, true]);
        assert_eq!(passed(&Erasure { digest_after: "0".repeat(64), ..erasure.clone() }), [true, false, true]);
        assert_eq!(passed(&Erasure { other_interactions: 0, ..erasure.clone() }), [true, false, true]);
        assert_eq!(passed(&Erasure { holds: false, ..erasure.clone() }), [true, true, false]);
        assert_eq!(passed(&Erasure { verified_entries: 0, ..erasure }), [true, true, false]);
    }

    #[test]
    fn a_shared_record_is_an_interaction_of_the_org() {
        assert_eq!(interaction(&json!({ "record": "demo/c-1" })), Some("c-1"));
    }
}
