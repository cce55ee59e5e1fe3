//! Access requests over HTTP on the local stack.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;

use ledgerline_tests::access::ask;
use ledgerline_tests::org::Org;
use ledgerline_tests::stack::Stack;
use ledgerline_traffic::r#gen::{GenArgs, generate};
use serde_json::{Value, json};
use time::OffsetDateTime;

/// All interactions of an answer, its pages together: id → event ids in order.
fn whole_answer(stack: &Stack, mut body: Value) -> BTreeMap<String, Vec<String>> {
    let mut interactions: BTreeMap<String, Vec<String>> = BTreeMap::new();
    loop {
        let (status, answer) = ask(stack, Some(&stack.description().api_key), &body);
        assert_eq!(status, 200, "{answer}");
        assert_eq!(answer["complete"], true, "{answer}");
        for interaction in answer["interactions"].as_array().unwrap() {
            let entries = interactions.entry(interaction["interactionId"].as_str().unwrap().to_owned()).or_default();
            let events = interaction["entries"].as_array().unwrap();
            entries.extend(events.iter().map(|placed| placed["entry"]["eventId"].as_str().unwrap().to_owned()));
        }
        match answer["nextPageToken"].as_str() {
            Some(token) => body["pageToken"] = json!(token),
            None => return interactions,
        }
    }
}

/// Sends a generated day under an org of its own and returns what was planted in it.
fn send_day(stack: &Stack, org: &Org<'_>, seed: u64) -> ledgerline_traffic::r#gen::Planted {
    let mut args = GenArgs::calm(40, seed, (now() - time::Duration::DAY).date());
    args.org.clone_from(&org.name);
    let generated = generate(&args);
    stack.send(&generated.records);
    org.settled(generated.planted.counts.documents);
    stack.drained();
    generated.planted
}

#[expect(clippy::disallowed_methods, reason = "events must be recent to be on time")]
fn now() -> OffsetDateTime {
    std::time::SystemTime::now().into()
}

#[test]
fn a_phone_number_finds_exactly_its_interactions_page_by_page() {
    let Some(stack) = Stack::running() else { return };
    let org = Org::new(&stack, "dsar");
    let planted = send_day(&stack, &org, 4711);
    let phones = planted.identifiers.iter().filter(|found| found.kind == "phone");
    let most = phones.max_by_key(|found| found.resolves.len()).unwrap();
    assert!(most.resolves.len() > 1, "no caller called twice");
    let body = json!({ "identifiers": [{ "kind": "phone", "value": most.value }] });
    let ours: BTreeMap<String, Vec<String>> =
        whole_answer(&stack, body.clone()).into_iter().filter(|(id, _)| most.resolves.contains(id)).collect();
    assert_eq!(ours.keys().collect::<Vec<_>>(), most.resolves.iter().collect::<Vec<_>>());
    for (interaction, events) in &ours {
        assert_eq!(events.len() as u64, planted.per_record[interaction], "{interaction}");
    }
    // Page by page it is the same, each entry once.
    let mut paged = body;
    paged["pageSize"] = json!(3);
    let again: BTreeMap<String, Vec<String>> =
        whole_answer(&stack, paged).into_iter().filter(|(id, _)| most.resolves.contains(id)).collect();
    assert_eq!(again, ours);
}

#[test]
fn a_range_finds_what_began_before_it_and_reaches_into_it() {
    let Some(stack) = Stack::running() else { return };
    let org = Org::new(&stack, "range");
    let planted = send_day(&stack, &org, 4712);
    let found = planted.identifiers.iter().find(|found| found.kind == "phone" && !found.resolves.is_empty()).unwrap();
    let interaction = found.resolves.first().unwrap();
    let key = stack.description().api_key.clone();
    let asked = |range: Value| {
        let body = json!({ "identifiers": [{ "kind": "phone", "value": found.value }], "dateRange": range });
        let (status, answer) = ask(&stack, Some(&key), &body);
        assert_eq!(status, 200, "{answer}");
        answer["interactions"].as_array().unwrap().iter().find(|one| one["interactionId"] == **interaction).cloned()
    };
    let whole = asked(json!({})).unwrap();
    let (first, last) = (whole["first"].as_str().unwrap(), whole["last"].as_str().unwrap());
    // Inclusive ends, to the millisecond, in another offset than the stored one.
    let shifted = |at: &str| {
        let at = OffsetDateTime::parse(at, &time::format_description::well_known::Rfc3339).unwrap();
        at.to_offset(time::macros::offset!(+05:30)).format(&time::format_description::well_known::Rfc3339).unwrap()
    };
    let reaching = asked(json!({ "from": shifted(last) })).unwrap();
    assert_eq!(reaching["beganBeforeRange"], true);
    assert_eq!(reaching["entries"].as_array().unwrap().len(), whole["entries"].as_array().unwrap().len());
    assert!(asked(json!({ "to": shifted(first) })).is_some());
    assert!(asked(json!({ "from": "2020-01-01T00:00:00Z", "to": "2020-12-31T23:59:59Z" })).is_none());
}

#[test]
fn an_unknown_customer_is_an_empty_complete_answer_and_errors_are_problem_documents() {
    let Some(stack) = Stack::running() else { return };
    let key = stack.description().api_key.clone();
    let unknown = json!({ "identifiers": [{ "kind": "email", "value": "nobody-ever@example.com" }] });
    let (status, answer) = ask(&stack, Some(&key), &unknown);
    assert_eq!(status, 200, "{answer}");
    assert_eq!((&answer["complete"], &answer["interactions"]), (&json!(true), &json!([])));
    assert!(answer["asOf"].as_str().unwrap().ends_with('Z'));

    let (status, _) = ask(&stack, None, &unknown);
    assert_eq!(status, 403, "the API answers without a key");

    let bad = json!({ "identifiers": [{ "kind": "phone", "value": "quite-wrong-7" }] });
    let (status, problem) = ask(&stack, Some(&key), &bad);
    assert_eq!(status, 422, "{problem}");
    assert!(problem["detail"].as_str().unwrap().contains('0'), "which one is not said: {problem}");
    assert!(!problem.to_string().contains("quite-wrong-7"));

    let (status, problem) = ask(&stack, Some(&key), &json!({ "pageToken": "forged", "customerIdHash": "x" }));
    assert_eq!(status, 400, "{problem}");
}
