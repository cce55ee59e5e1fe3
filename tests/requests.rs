//! Access requests over HTTP on the local stack.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};

use ledgerline_tests::access::ask;
use ledgerline_tests::org::Org;
use ledgerline_tests::silver;
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
    let body = json!({ "identifiers": [{ "kind": "phone", "value": most.value }], "org": org.name });
    let ours = whole_answer(&stack, body.clone());
    assert_eq!(ours.keys().collect::<Vec<_>>(), most.resolves.iter().collect::<Vec<_>>());
    for (interaction, events) in &ours {
        assert_eq!(events.len() as u64, planted.per_record[interaction], "{interaction}");
    }
    // Page by page it is the same, each entry once.
    let mut paged = body;
    paged["pageSize"] = json!(3);
    assert_eq!(whole_answer(&stack, paged), ours);
}

#[test]
fn one_phone_in_two_orgs_is_two_customers_and_an_answer_says_whom_it_asked() {
    let Some(stack) = Stack::running() else { return };
    let orgs = [Org::new(&stack, "two-a"), Org::new(&stack, "two-b")];
    let phone = orgs[0].phone();
    for org in &orgs {
        let call = |interaction: &str, kind: &str| {
            json!({"interactionId": interaction, "timestamp": "2026-03-02T14:00:00Z", "eventType": kind, "orgId": org.name,
                "customerPhone": phone})
            .to_string()
            .into_bytes()
        };
        stack.send(&[call("i-1", "answered"), call("i-2", "answered"), call("i-2", "ended")]);
    }
    let rows: Vec<silver::Row> = orgs
        .iter()
        .flat_map(|org| {
            org.committed(3);
            silver::rows(org)
        })
        .collect();
    let key = stack.description().api_key.clone();
    let by_phone = |size: usize| json!({ "identifiers": [{ "kind": "phone", "value": phone }], "pageSize": size });
    let in_org = |org: &str, size: usize| {
        let mut question = by_phone(size);
        question["org"] = json!(org);
        question
    };
    let asked = |question: &Value| {
        let (status, answer) = ask(&stack, Some(&key), question);
        assert_eq!(status, 200, "{answer}");
        answer
    };
    // The orgs of the interactions that an answer has, and how many entries.
    let told = |answer: &Value| -> Vec<(String, usize)> {
        let one = |one: &Value| (one["org"].as_str().unwrap().to_owned(), one["entries"].as_array().unwrap().len());
        answer["interactions"].as_array().unwrap().iter().map(one).collect()
    };
    let both = asked(&by_phone(100));
    let listed = both["request"]["orgs"].as_array().unwrap();
    assert!(orgs.iter().all(|org| listed.contains(&json!(org.name))) && listed.is_sorted_by_key(|org| org.as_str()));
    assert_eq!((&both["customer"]["subjects"], &both["complete"]), (&json!(2), &json!(true)), "{both}");
    let of = |org: &Org<'_>| vec![(org.name.clone(), 1), (org.name.clone(), 2)];
    assert_eq!(told(&both), orgs.iter().flat_map(of).collect::<Vec<_>>());
    for org in &orgs {
        let one = asked(&in_org(&org.name, 100));
        assert_eq!((&one["request"]["orgs"], &one["customer"]["subjects"]), (&json!([org.name]), &json!(1)));
        assert_eq!(told(&one), of(org));
    }

    // Pages of both hold what one answer does, and a page's token is for the orgs that were asked.
    let mut question = by_phone(2);
    let first = asked(&question);
    let token = first["nextPageToken"].clone();
    question["pageToken"] = token.clone();
    let (mut pages, mut next) = (told(&first), Some(asked(&question)));
    while let Some(page) = next.take() {
        pages.extend(told(&page));
        if page["nextPageToken"].is_string() {
            question["pageToken"] = page["nextPageToken"].clone();
            next = Some(asked(&question));
        }
    }
    assert_eq!(pages.iter().map(|(_, entries)| entries).sum::<usize>(), 6, "{pages:?}");
    let mut other = in_org(&orgs[0].name, 2);
    other["pageToken"] = token;
    let (status, problem) = ask(&stack, Some(&key), &other);
    assert_eq!((status, &problem["type"]), (400, &json!("urn:ledgerline:problem:invalid-page-token")), "{problem}");

    // An org that nobody knows has nobody; what cannot be one is refused. Neither is said again.
    let nobody = asked(&in_org("no-such-org-of-ours", 100));
    assert_eq!((&nobody["customer"]["found"], &nobody["complete"]), (&json!(false), &json!(true)));
    assert_eq!(nobody["request"]["orgs"], json!([]));
    let (status, problem) = ask(&stack, Some(&key), &in_org("quite/wrong", 100));
    assert_eq!((status, &problem["type"]), (400, &json!("urn:ledgerline:problem:invalid-org")), "{problem}");
    assert!(!problem.to_string().contains("quite/wrong") && !nobody.to_string().contains("no-such-org"));

    // Silver names the two by names that have nothing in common.
    let refs: BTreeSet<&str> = rows.iter().map(|row| row["customer_ref"].as_str().unwrap()).collect();
    assert_eq!((rows.len(), refs.len()), (6, 2));
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
        let identifiers = json!([{ "kind": "phone", "value": found.value }]);
        let body = json!({ "identifiers": identifiers, "dateRange": range, "org": org.name });
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
