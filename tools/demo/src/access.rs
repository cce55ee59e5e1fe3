//! An access request by phone number, asked as a customer's portal would ask: over HTTP, with a bearer token and an API key.
//!
//! Invariant: every page is fetched, and the answer is compared with nothing but itself here; what it should hold is
//! the caller's business.

use std::collections::BTreeMap;
use std::time::Duration;

use ledgerline_traffic::stack::Stack;
use serde_json::{Map, Value, json};
use xtask::fault::Fault;

use super::report::{Access, Held};

/// Everything that an org holds on a phone number.
pub(super) struct Answer {
    /// As of when, according to the first page.
    pub as_of: String,
    /// Whether every page says that nothing is missing.
    pub complete: bool,
    /// Entries by interaction or entity, each in event order.
    pub entries: BTreeMap<String, Vec<Map<String, Value>>>,
    /// How many of them are not in the ledger yet.
    pub on_their_way: BTreeMap<String, u64>,
}

/// Asks until the last page.
pub(super) fn ask(stack: &Stack, org: &str, phone: &str) -> Result<Answer, Fault> {
    let mut answer =
        Answer { as_of: String::new(), complete: true, entries: BTreeMap::new(), on_their_way: BTreeMap::new() };
    let mut token: Option<String> = None;
    loop {
        let identifiers = json!([{"kind": "phone", "value": phone}]);
        let mut question = json!({"identifiers": identifiers, "requestType": "ACCESS", "org": org});
        if let Some(token) = &token {
            question["pageToken"] = token.as_str().into();
        }
        let page = post(stack, &question)?;
        if answer.as_of.is_empty() {
            answer.as_of = page["asOf"].as_str().unwrap_or_default().to_owned();
        }
        answer.complete &= page["complete"] == true;
        for interaction in page["interactions"].as_array().into_iter().flatten() {
            let entries = interaction["entries"].as_array().into_iter().flatten();
            let on_their_way = entries.clone().filter(|one| one["journal"] == true).count() as u64;
            *answer.on_their_way.entry(name(interaction)).or_default() += on_their_way;
            answer.entries.entry(name(interaction)).or_default().extend(entries.filter_map(entry));
        }
        token = page["nextPageToken"].as_str().map(str::to_owned);
        if token.is_none() {
            return Ok(answer);
        }
    }
}

impl Answer {
    /// The answer for the report.
    pub(super) fn told(&self, phone: &str, took: Duration) -> Access {
        let mut timeline: Vec<Held> = self.entries.iter().map(|(id, entries)| held(id, entries)).collect();
        timeline.sort_by(|a, b| a.from.cmp(&b.from));
        Access {
            phone: phone.to_owned(),
            milliseconds: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
            interactions: self.entries.len() as u64,
            entries: self.entries.values().map(|entries| entries.len() as u64).sum(),
            complete: self.complete,
            as_of: self.as_of.clone(),
            timeline,
            example: self.entries.values().flatten().next().cloned().unwrap_or_default(),
        }
    }
}

/// A typed number as E.164, as far as that can be said without knowing the country: ten digits are North American here.
pub(super) fn e164(typed: &str) -> Option<String> {
    let digits: String = typed.chars().filter(char::is_ascii_digit).collect();
    match (typed.trim_start().starts_with('+'), digits.len()) {
        (true, 7..=15) => Some(format!("+{digits}")),
        (false, 10) => Some(format!("+1{digits}")),
        (false, 11) if digits.starts_with('1') => Some(format!("+{digits}")),
        _ => None,
    }
}

fn post(stack: &Stack, question: &Value) -> Result<Value, Fault> {
    let url = format!("{}/api/v1/compliance/dsar/audit-trail", stack.api_url);
    let agent: ureq::Agent =
        ureq::Agent::config_builder().http_status_as_error(false).timeout_global(Some(PATIENCE)).build().into();
    let answer = agent
        .post(&url)
        .header("authorization", format!("Bearer {}", stack.token("reader")?))
        .header("x-api-key", &stack.api_key)
        .header("content-type", "application/json")
        .send(question.to_string().as_bytes());
    let remedy = "see whether the stack is up (cargo xtask up) and what dsar logs";
    let mut answer = answer.map_err(|error| Fault::caused_by("the access API does not answer", error, remedy))?;
    let status = answer.status().as_u16();
    let body = answer.body_mut().with_config().limit(ANSWER_BYTES).read_to_string();
    let body = body.map_err(|error| Fault::caused_by("the access API's answer cannot be read", error, remedy))?;
    let value: Value = serde_json::from_str(&body).unwrap_or(Value::Null);
    if status == 200 && value.is_object() {
        return Ok(value);
    }
    // A problem document says what is wrong; it repeats nothing of the question.
    let detail = value["detail"].as_str().or_else(|| value["message"].as_str()).unwrap_or("no problem document");
    Err(Fault::new(format!("the access API answers {status}: {detail}"), remedy))
}

fn name(interaction: &Value) -> String {
    match interaction["interactionId"].as_str() {
        Some(id) => id.to_owned(),
        None => {
            let part = |name: &str| interaction["entity"][name].as_str().unwrap_or_default();
            format!("{}/{}", part("type"), part("id"))
        }
    }
}

/// The entry itself, beside which an answer gives its place.
fn entry(found: &Value) -> Option<Map<String, Value>> {
    found.get("entry").unwrap_or(found).as_object().cloned()
}

fn held(id: &str, entries: &[Map<String, Value>]) -> Held {
    let texts =
        |name: &'static str| entries.iter().filter_map(move |entry| entry.get(name)?.as_str()).map(str::to_owned);
    Held {
        interaction_id: id.to_owned(),
        from: texts("occurredAt").min().unwrap_or_default(),
        to: texts("occurredAt").max().unwrap_or_default(),
        types: texts("type").collect(),
    }
}

/// One page's time: API Gateway gives up after 29 s.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);

/// A function answers with 6 MB at most.
const ANSWER_BYTES: u64 = 8 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_people_type_them() {
        for typed in ["+12025550143", "(202) 555-0143", "1-202-555-0143", " +1 202 555 0143"] {
            assert_eq!(e164(typed).as_deref(), Some("+12025550143"), "{typed}");
        }
        for typed in ["", "hello", "555-0143", "12"] {
            assert_eq!(e164(typed), None, "{typed}");
        }
    }

    #[test]
    fn an_answer_is_told_in_order_of_time() {
        let entry = |at: &str, kind: &str| json!({"occurredAt": at, "type": kind}).as_object().cloned().unwrap();
        let answer = Answer {
            as_of: "2026-03-03T00:00:00.000Z".to_owned(),
            complete: true,
            entries: BTreeMap::from([
                ("a".to_owned(), vec![entry("2026-03-02T15:00:00.000Z", "customer.start")]),
                (
                    "b".to_owned(),
                    vec![entry("2026-03-02T09:00:00.000Z", "customer.start"), entry("2026-03-02T09:05:00.000Z", "acw")],
                ),
            ]),
            on_their_way: BTreeMap::new(),
        };
        let told = answer.told("+12025550143", Duration::from_millis(12));
        assert_eq!((told.interactions, told.entries, told.milliseconds), (2, 3, 12));
        assert_eq!(told.timeline[0].interaction_id, "b");
        assert_eq!(told.timeline[0].types, ["customer.start", "acw"]);
    }
}
