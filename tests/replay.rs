//! `ledgerline replay` on the local stack: what was set aside goes back once what made it so is mended, and is committed once.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;

use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_lambda::types::Environment;
use ledgerline_event::lineage::derived_token;
use ledgerline_store::dead_letter::{Kind, Pointer};
use ledgerline_store::queue::notification;
use ledgerline_store::replay_mark::{self, Place};
use ledgerline_store::spill::{self, SpillLine};
use ledgerline_tests::org::{Org, assert_once_and_in_order};
use ledgerline_tests::quarantine;
use ledgerline_tests::stack::{Stack, key_of, text};
use serde_json::{Value, json};
use time::format_description::well_known::Rfc3339;

use crate::chain::now;
use crate::operator::{answer, ledgerline};

/// Where transform is told which sources number their records.
const VARIABLE: &str = "NUMERIC_ID_SOURCES";
const EVENTS: u64 = 3;

/// What `ledgerline` says, as JSON. It never shows what was sent.
fn replay(org: &Org<'_>, arguments: &[&str]) -> Value {
    let output = ledgerline(Some(org.stack), &[&["replay", "--json"], arguments].concat());
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(!said.contains(&org.name) && !said.contains("5550142"), "{said}");
    answer(&output, 0)
}

/// Deploys transform with these sources whose records may have numbers for ids.
fn deploy(stack: &Stack, sources: &str) {
    let variables = || stack.deployed("TransformFunction").environment.unwrap().variables.unwrap();
    let mut changed = variables();
    changed.insert(VARIABLE.to_owned(), sources.to_owned());
    let environment = Environment::builder().set_variables(Some(changed)).build();
    let name = &stack.description().functions["TransformFunction"];
    let update = stack.lambda.update_function_configuration().function_name(name);
    stack.block(update.environment(environment).send()).unwrap();
    stack.wait_for("the sources to be deployed", || {
        let now = variables()[VARIABLE].clone();
        if now == sources { Ok(()) } else { Err(now) }
    });
}

/// An event of a source that numbers its records: a telephone number, as far as anybody knows.
fn numbered(org: &Org<'_>, source: &str) -> Value {
    let number = uuid::Uuid::new_v4().as_u128() % 10_000_000_000;
    let at = (now() - time::Duration::hours(1)).format(&Rfc3339).unwrap();
    json!({
        "interactionId": format!("99{number:010}"), "eventType": "answered", "timestamp": at, "orgId": org.name,
        "source": source, "ani": "+13175550142",
    })
}

/// Takes the marks away, as if the runs before had ended between sending and marking.
fn forget_marks(stack: &Stack) {
    let table = stack.description().table("ControlTable").unwrap();
    for item in stack.items("ControlTable", &replay_mark::key("", 0).pk) {
        let key = key_of(&item);
        let delete = stack.dynamodb.delete_item().table_name(table).key("pk", AttributeValue::S(key.pk));
        stack.block(delete.key("sk", AttributeValue::S(key.sk)).send()).unwrap();
    }
}

#[test]
fn bad_lines_go_back_once_their_cause_is_mended_and_each_is_committed_once() {
    let Some(stack) = Stack::running() else { return };
    let org = Org::new(&stack, "replay");
    let source = format!("crm-{}", uuid::Uuid::new_v4().simple());
    let before = stack.deployed("TransformFunction").environment.unwrap().variables.unwrap()[VARIABLE].clone();
    stack.send(&(0..EVENTS).map(|_| numbered(&org, &source).to_string().into_bytes()).collect::<Vec<_>>());
    let ours = || {
        let kept = quarantine::kept(&stack, "quarantine/transform/");
        let is_ours = |bytes: &Vec<u8>| String::from_utf8_lossy(bytes).contains(&source);
        kept.into_iter().filter(|kept| kept.reason == "numeric_id" && is_ours(&kept.bytes)).count() as u64
    };
    stack.wait_for("the lines to be set aside", || if ours() == EVENTS { Ok(()) } else { Err(ours().to_string()) });
    stack.drained();
    assert!(org.objects().is_empty(), "they are about nothing that may be named");

    let chosen = ["quarantine", "--reason", "numeric_id", "--source", "transform", "--replayed-at-most", "0"];
    let apply = [&chosen[..], &["--apply"]].concat();
    let look = replay(&org, &chosen);
    assert!(look["open"].as_u64().unwrap() >= EVENTS && look["sent"] == 0, "{look}");
    stack.drained();
    assert_eq!((ours(), org.objects().len()), (EVENTS, 0), "a look changes nothing");

    deploy(&stack, &source);
    let sent = replay(&org, &apply);
    assert!(sent["sent"].as_u64().unwrap() >= EVENTS, "{sent}");
    org.committed(EVENTS);
    stack.drained();
    let counts = org.counts();
    assert_eq!((counts.committed, counts.duplicate), (EVENTS, 0), "{counts:?}");

    // Again: everything is marked. Again without the marks: everything is sent, and is a duplicate.
    let again = replay(&org, &apply);
    assert!(again["replayedBefore"].as_u64().unwrap() >= EVENTS, "{again}");
    stack.drained();
    assert_eq!(org.counts(), counts);
    forget_marks(&stack);
    replay(&org, &apply);
    stack.wait_for("the duplicates", || {
        let counts = org.counts();
        if counts.duplicate == EVENTS { Ok(()) } else { Err(format!("{counts:?}")) }
    });
    stack.drained();
    let counts = org.counts();
    assert_eq!((counts.committed, counts.duplicate), (EVENTS, EVENTS), "{counts:?}");
    assert_once_and_in_order(&org.entries());
    assert_eq!(org.entries().len() as u64, EVENTS);
    deploy(&stack, &before);
    stack.drained();
}

#[test]
fn what_is_refused_again_says_how_often() {
    let Some(stack) = Stack::running() else { return };
    let org = Org::new(&stack, "refused");
    let garbage = format!("no document of {}", org.name).into_bytes();
    let mine = || {
        let kept = quarantine::kept(&stack, "quarantine/event_type=");
        let replayed = |kept: quarantine::Kept| (kept.bytes == garbage).then_some(kept.replayed);
        kept.into_iter().filter_map(replayed).collect::<BTreeSet<u64>>()
    };
    stack.send(std::slice::from_ref(&garbage));
    for round in 0..2 {
        let seen: BTreeSet<u64> = (0..=round).collect();
        stack.wait_for("the record to be set aside", || {
            if mine() == seen { Ok(()) } else { Err(format!("{:?}", mine())) }
        });
        let most = round.to_string();
        replay(&org, &["quarantine", "--reason", "not_json", "--replayed-at-most", &most, "--apply"]);
    }
    stack.wait_for("the record's third refusal", || {
        if mine().contains(&2) { Ok(()) } else { Err(format!("{:?}", mine())) }
    });
    stack.drained();
}

#[test]
fn a_spilled_record_is_found_by_its_token_goes_back_and_its_dead_letter_goes() {
    let Some(stack) = Stack::running() else { return };
    let org = Org::new(&stack, "spilled");
    let conversation = uuid::Uuid::new_v4().to_string();
    let record = crate::chain::event(&org, &conversation, now() - time::Duration::hours(1), 1);
    let now_ms = now().unix_timestamp() * 1_000;
    let key = spill::key(now_ms, uuid::Uuid::new_v4().into_bytes());
    let mut line = Vec::new();
    SpillLine { received_at_ms: now_ms, reason: "denied".to_owned(), record }.write(&mut line);
    let put = stack.s3.put_object().bucket(stack.bucket("BronzeBucket")).key(&key).body(line.into());
    stack.block(put.send()).unwrap();
    let token = derived_token(&conversation);
    let names = serde_json::from_value(json!({ "lineageToken": token, "interactionId": conversation })).unwrap();
    let pointer = Pointer::new(Kind::Spilled, Place { object_key: key, line: 0 }, "denied", vec![names]);
    let send = |queue: &str, body: String| {
        let send = stack.sqs.send_message().queue_url(stack.description().queue(queue).unwrap());
        stack.block(send.message_body(body).send()).unwrap();
    };
    send("ErrorsDeadLetterQueue", serde_json::to_string(&pointer).unwrap());

    let look = replay(&org, &["dlq"]);
    let found = look["pointers"].as_array().unwrap().iter().find(|seen| seen["message"]["key"] == json!(pointer.key));
    let found = found.unwrap_or_else(|| panic!("{look}"));
    assert_eq!((&found["isBack"], &found["message"]["events"][0]["lineageToken"]), (&json!(false), &json!(token)));
    let waits = replay(&org, &["dlq", "--apply"]);
    assert_eq!(waits["waitForTheirLine"], 1, "it stays until its line is back: {waits}");
    let sent = replay(&org, &["spill", "--apply"]);
    assert!(sent["sent"].as_u64().unwrap() >= 1, "{sent}");
    org.committed(1);
    let gone = replay(&org, &["dlq", "--apply"]);
    assert_eq!((&gone["waitForTheirLine"], &gone["sent"]), (&json!(0), &json!(1)), "{gone}");

    // A notification that was given up goes back to its queue, where its object is known.
    let object = org.objects().into_iter().next().unwrap();
    let bronze = text(&stack.object_row(&object).unwrap(), "key");
    send("BronzeDeadLetterQueue", notification(stack.bucket("BronzeBucket"), &bronze));
    let moved = replay(&org, &["dlq", "--apply", "--source", "BronzeDeadLetterQueue"]);
    assert_eq!(moved["sent"], 1, "{moved}");
    stack.drained();
    assert_eq!(org.entries().len(), 1);
}
