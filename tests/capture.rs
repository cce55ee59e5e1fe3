//! Events that are sent to capture over HTTP on the local stack, up to whoever asks for them.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::io::Write as _;
use std::sync::Mutex;
use std::time::SystemTime;

use flate2::Compression;
use flate2::write::GzEncoder;
use ledgerline_store::{journal, record};
use ledgerline_tests::access::{Answer, ask, post};
use ledgerline_tests::capture::*;
use ledgerline_tests::org::{Org, assert_once_and_in_order};
use ledgerline_tests::scan::{everywhere_but_bronze, found, log_lines};
use ledgerline_tests::stack::{Stack, key_of, text};
use serde_json::{Value, json};

/// A call: its path, headers and body.
type Call<'a> = (&'a str, &'a [(&'a str, &'a str)], &'a [u8]);

/// An event of an org's that no audit is about.
fn answered(org: &Org<'_>, interaction: &str) -> Value {
    json!({ "interactionId": interaction, "timestamp": "2026-03-02T14:00:00Z", "eventType": "answered", "orgId": org.name })
}

/// Transform's first start makes the keys under which people are found.
fn with_keys(org: &Org<'_>) {
    org.stack.send(&[answered(org, "i-0").to_string().into_bytes()]);
    org.committed(1);
}

/// The entries of an interaction, in the answer about whoever has this number.
fn entries(stack: &Stack, org: &Org<'_>, phone: &str, interaction: &str) -> Vec<Value> {
    let question = json!({ "identifiers": [{ "kind": "phone", "value": phone }], "org": org.name });
    let (status, answer) = ask(stack, Some(&stack.description().api_key), &question);
    assert_eq!(status, 200, "{answer}");
    let of = |one: &&Value| one["interactionId"] == interaction;
    let found = answer["interactions"].as_array().unwrap().iter().find(of).cloned();
    found.map(|one| one["entries"].as_array().unwrap().clone()).unwrap_or_default()
}

/// What the journal's rows of an org say of an attribute.
fn journaled(org: &Org<'_>, name: &str) -> Vec<String> {
    let rows = org.stack.items("IndexTable", &record::partition(&format!("{}/", org.name)));
    rows.iter().filter(|row| journal::parse_key(&key_of(row)).is_some()).map(|row| text(row, name)).collect()
}

#[test]
fn an_audit_event_is_found_by_the_next_access_request_and_at_any_time_exactly_once() {
    let Some(stack) = Stack::running() else { return };
    let org = Org::new(&stack, "audit");
    let phone = org.phone();
    with_keys(&org);
    // On a machine that stood still the event may be committed before anybody asks: then another one is sent.
    let mut count = 0;
    let (interaction, on_its_way) = stack.wait_for("an event that is on its way", || {
        count += 1;
        let interaction = format!("i-{count}");
        let answer = sent(&stack, AUDIT_EVENTS, identity(&org, &interaction, &phone).to_string().as_bytes());
        assert_eq!((answer.status, &answer.body["events"][0]["journaled"]), (202, &json!(true)), "{answer:?}");
        let found = entries(&stack, &org, &phone, &interaction);
        assert_eq!(found.len(), 1, "{found:?}");
        if found[0]["journal"] == true { Ok((interaction, found[0].clone())) } else { Err(format!("{:?}", found[0])) }
    });
    assert!(on_its_way.get("place").is_none() && on_its_way["receivedAt"].as_str().unwrap().ends_with('Z'));
    assert_eq!(on_its_way["entry"]["type"], "identity.resolution", "{on_its_way}");
    assert!(!on_its_way.to_string().contains(&phone));

    let placed = stack.wait_for("the event to be committed", || {
        let mut found = entries(&stack, &org, &phone, &interaction);
        assert_eq!(found.len(), 1, "never none, and never two: {found:?}");
        let one = found.remove(0);
        if one.get("place").is_some() { Ok(one) } else { Err(one.to_string()) }
    });
    assert!(placed.get("journal").is_none() && placed.get("receivedAt").is_none(), "{placed}");
    assert_eq!(placed["entry"]["occurredAt"], on_its_way["entry"]["occurredAt"]);
    assert_eq!(org.committed(1 + count).committed, 1 + count);

    // Transform told the row which entry it becomes, and sweep notes that this is committed; a minute later it deletes the row.
    assert!(journaled(&org, "eventId").iter().all(|id| !id.is_empty()));
    stack.sweep();
    assert!(journaled(&org, "committedAt").iter().all(|at| !at.is_empty()));
    assert_eq!(entries(&stack, &org, &phone, &interaction), [placed]);
}

#[test]
fn one_event_in_every_form_of_a_body_and_by_every_way_is_one_entry() {
    let Some(stack) = Stack::running() else { return };
    let org = Org::new(&stack, "forms");
    with_keys(&org);
    let (one, two) = (answered(&org, "i-1").to_string(), identity(&org, "i-2", &org.phone()).to_string());
    let array = format!("[{one},{two}]");
    let lines = format!("{one}\n{two}\n");
    let mut packed = GzEncoder::new(Vec::new(), Compression::default());
    packed.write_all(array.as_bytes()).unwrap();
    let capture = &stack.description().capture;
    let bearer = format!("Bearer {}", capture.token);
    let by_path = format!("{INGEST}/{}", capture.path_token);
    let packed = packed.finish().unwrap();
    let all: [Call<'_>; 5] = [
        (INGEST, &[(TOKEN, &capture.token)], array.as_bytes()),
        (INGEST, &[("authorization", &bearer)], lines.as_bytes()),
        (AUDIT_EVENTS, &[(TOKEN, &capture.token), ("content-type", "application/gzip")], &packed),
        (&by_path, &[], array.as_bytes()),
        (INGEST, &[(TOKEN, &capture.token)], array.as_bytes()),
    ];
    for (path, headers, body) in all {
        let answer = sent_with(&stack, path, headers, body);
        assert_eq!((answer.status, &answer.body["accepted"]), (202, &json!(2)), "{answer:?}");
        assert_eq!(answer.body["events"][1]["journaled"], true, "{answer:?}");
    }
    // Part of a body may be taken, and the caller hears which part was not.
    let part = sent(&stack, INGEST, format!("{one}\nnot an event\n").as_bytes());
    assert_eq!((part.status, &part.body["refused"][0]["index"]), (207, &json!(1)), "{part:?}");
    let counts = org.settled(1 + 2 * 5 + 1);
    stack.drained();
    assert_eq!((counts.committed, counts.duplicate), (3, 9), "{counts:?}");
    assert_once_and_in_order(&org.entries());
}

#[test]
fn who_has_no_token_or_signed_nothing_new_is_refused() {
    let Some(stack) = Stack::running() else { return };
    let org = Org::new(&stack, "refused");
    let body = answered(&org, "i-1").to_string().into_bytes();
    let capture = &stack.description().capture;
    let in_path = format!("{INGEST}/{}", capture.token);
    let nobodys: [(&str, &[(&str, &str)]); 5] = [
        (INGEST, &[]),
        (INGEST, &[(TOKEN, "planted-and-nobodys")]),
        (AUDIT_EVENTS, &[("authorization", "Bearer planted-and-nobodys")]),
        // A token for one way opens no other.
        (INGEST, &[(TOKEN, &capture.path_token)]),
        (&in_path, &[]),
    ];
    for (path, headers) in nobodys {
        let answer = sent_with(&stack, path, headers, &body);
        assert!(answer.is_problem(401, "unauthenticated"), "{answer:?}");
        assert!(!answer.body.to_string().contains("planted"), "{answer:?}");
    }

    let signer = &capture.signer;
    let now_s = SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs();
    let signed = |time_s: u64, of: &[u8]| -> Answer {
        let signature = signature(&signer.secret, time_s, of);
        sent_with(&stack, INGEST, &[(TOKEN, &signer.token), (SIGNATURE, &signature)], &body)
    };
    assert!(sent_with(&stack, INGEST, &[(TOKEN, &signer.token)], &body).is_problem(401, "no-signature"));
    assert!(signed(now_s, b"another body").is_problem(401, "bad-signature"));
    assert!(signed(now_s - 3_600, &body).is_problem(401, "stale-signature"));
    assert_eq!(signed(now_s, &body).status, 202);
    assert!(signed(now_s, &body).is_problem(409, "replayed"));
    assert_eq!(signed(now_s + 1, &body).status, 202, "a signature of its own: the event is a duplicate");

    let large = vec![b' '; (1 << 20) + 1];
    assert!(sent(&stack, INGEST, &large).is_problem(413, "body-too-large"));
    assert!(sent(&stack, INGEST, b"[1,2]").is_problem(422, "no-event"));
    assert!(sent(&stack, INGEST, b"").is_problem(400, "invalid-body"));
    let counts = org.settled(2);
    assert_eq!((counts.committed, counts.duplicate), (1, 1), "{counts:?}");
}

/// Senders at once, and what each has to send: ten times what the local stage takes in a second.
const SENDERS: usize = 20;
const EVENTS_EACH: usize = 10;

#[test]
fn ten_times_the_stages_limit_is_told_to_wait_and_nothing_is_lost() {
    let Some(stack) = Stack::running() else { return };
    let org = Org::new(&stack, "flood");
    let seen = Mutex::new(Vec::new());
    let send = |sender: usize| {
        for number in 0..EVENTS_EACH {
            let body = answered(&org, &format!("i-{sender}-{number}")).to_string();
            stack.wait_for("the stage to have room", || {
                let answer = post(&stack, INGEST, &[(TOKEN, &stack.description().capture.token)], body.as_bytes());
                let waits = answer.headers.get("retry-after").cloned();
                seen.lock().unwrap().push((answer.status, waits));
                if answer.status == 202 { Ok(()) } else { Err(format!("{answer:?}")) }
            });
        }
    };
    std::thread::scope(|scope| {
        for sender in 0..SENDERS {
            scope.spawn(move || send(sender));
        }
    });
    let seen = seen.into_inner().unwrap();
    let statuses: BTreeSet<u16> = seen.iter().map(|(status, _)| *status).collect();
    assert_eq!(statuses, BTreeSet::from([202, TOO_MANY]), "of {} calls", seen.len());
    let untold = seen.iter().filter(|(status, waits)| *status == TOO_MANY && waits.is_none()).count();
    assert_eq!(untold, 0, "429 without a time to wait");

    let all = SENDERS * EVENTS_EACH;
    org.committed(all as u64);
    stack.drained();
    let entries = org.entries();
    assert_once_and_in_order(&entries);
    let records: BTreeSet<&str> = entries.iter().map(|entry| entry["interactionId"].as_str().unwrap()).collect();
    assert_eq!((entries.len(), records.len()), (all, all));
}

#[test]
fn nothing_that_somebody_typed_is_stored_in_clear_or_logged() {
    let Some(stack) = Stack::running() else { return };
    let org = Org::new(&stack, "typed");
    with_keys(&org);
    let phone = org.phone();
    let digits: String = phone.chars().filter(char::is_ascii_digit).collect();
    let planted = |what: &str| format!("{what}-{}", org.name.replace("typed-", "planted"));
    // A flow's variables with a name and a free text in them.
    let mut typed = identity(&org, "i-1", &phone);
    typed["auditEvent"]["customerName"] = json!(planted("name"));
    typed["auditEvent"]["payload"] = json!({ "freeText": planted("text") });
    let answer = sent(&stack, AUDIT_EVENTS, typed.to_string().as_bytes());
    assert_eq!((answer.status, &answer.body["events"][0]["journaled"]), (202, &json!(true)), "{answer:?}");
    assert!(!answer.body.to_string().contains("planted"), "{answer:?}");
    for (body, status) in [(planted("garbage"), 422), (format!("[{}", planted("array")), 400)] {
        let answer = sent(&stack, INGEST, body.as_bytes());
        assert!(answer.status == status && !answer.body.to_string().contains("planted"), "{answer:?}");
    }
    let nobody = sent_with(&stack, INGEST, &[(TOKEN, &planted("token"))], b"{}");
    assert_eq!(nobody.status, 401, "{nobody:?}");
    let in_path = sent_with(&stack, &format!("{INGEST}/{}", planted("path")), &[], b"{}");
    assert_eq!(in_path.status, 401, "{in_path:?}");
    assert_eq!(journaled(&org, "line").len(), 1);

    org.committed(2);
    stack.drained();
    let whats = ["name", "text", "garbage", "array", "token"].map(planted);
    let needles: Vec<String> = whats.into_iter().chain([digits.clone(), digits[1..].to_owned(), phone]).collect();
    assert_eq!(found(&needles, &everywhere_but_bronze(&stack)), Vec::<String>::new());
    // The emulator itself logs the paths that it is called by; the functions do not.
    let logs = log_lines(&stack);
    assert!(logs.contains("captured"), "capture has logged nothing: the search would prove nothing");
    let tokens = &stack.description().capture;
    for secret in [&planted("path"), &tokens.token, &tokens.path_token, &tokens.signer.token, &tokens.signer.secret] {
        assert!(!logs.contains(secret.as_str()), "a token is in the functions' logs");
    }
}
