//! The template's schedules on the local stack. Every other test calls the functions itself.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use aws_sdk_dynamodb::primitives::Blob;
use ledgerline_store::{month_key, planned};
use ledgerline_tests::stack::{Stack, text};
use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Prints what the event bus calls when: schedule, state, target and its input, a line each.
const LIST_RULES: &str = r#"
import boto3, json, sys
events = boto3.client("events", endpoint_url=sys.argv[1], region_name="us-east-1", aws_access_key_id="test", aws_secret_access_key="test")
for rule in events.list_rules()["Rules"]:
    for target in events.list_targets_by_rule(Rule=rule["Name"])["Targets"]:
        print(json.dumps([rule["ScheduleExpression"], rule["State"], target["Arn"].split(":")[-1], target.get("Input")]))
"#;

#[test]
fn the_sweep_runs_by_itself_within_the_minute() {
    let Some(stack) = Stack::running() else { return };
    let begun = OffsetDateTime::from(now());
    stack.wait_for("a sweep that nobody called", || {
        let row = stack.item("ControlTable", &planned::key()).unwrap_or_default();
        let through = text(&row, "through");
        match OffsetDateTime::parse(&through, &Rfc3339) {
            Ok(at) if at > begun => Ok(()),
            _ => Err(format!("planned through {through}")),
        }
    });
}

/// The sweep makes them before anything is planned. Here somebody opens them who may do all: the account's own user.
#[test]
fn there_are_keys_to_seal_to_and_their_private_halves_open_under_their_context_alone() {
    let Some(stack) = Stack::running() else { return };
    let kms = aws_sdk_kms::Client::new(&stack.block(stack.description().sdk_config()));
    let variables = stack.deployed("SweepFunction").environment.unwrap().variables.unwrap();
    let open = |wrapped: &Blob, month: &str| {
        let open = kms.decrypt().key_id(&variables["DATA_KEY_ID"]).ciphertext_blob(wrapped.clone());
        let open = open.encryption_context("deployment", &variables["DEPLOYMENT_ID"]);
        let open = open.encryption_context("purpose", "party").encryption_context("version", month);
        stack.block(open.send()).ok().map(|opened| opened.plaintext.unwrap().into_inner())
    };
    let months = month_key::due(OffsetDateTime::from(now()).unix_timestamp() * 1_000);
    assert_eq!(months.len(), 3);
    for month in &months {
        let row = stack.item("ControlTable", &month_key::key(month)).unwrap_or_else(|| panic!("{month} has no key"));
        let [public, wrapped] = ["public", "wrapped"].map(|name| row[name].as_b().unwrap().clone());
        // PKCS#8 of an EC key has the public half, too (RFC 5915).
        let private = open(&wrapped, month).unwrap();
        assert!(private.windows(65).any(|bytes| bytes == public.as_ref()), "{month}: two halves of one pair");
        assert!(open(&wrapped, "2026-02").is_none());
    }
}

#[test]
fn every_schedule_of_the_template_is_deployed() {
    let Some(stack) = Stack::running() else { return };
    let python = xtask::tools::Venv::stack().unwrap_or_else(|fault| panic!("{fault}"));
    let output = python.command("python").args(["-c", LIST_RULES, &stack.description().endpoint]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let listed: Vec<Value> =
        output.stdout.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect();
    let functions = &stack.description().functions;
    for (schedule, function, input) in [
        ("rate(1 minute)", "SweepFunction", Value::Null),
        ("cron(0/15 * * * ? *)", "GoldFunction", Value::from(r#"{"run":"frequent"}"#)),
        ("cron(34 2 * * ? *)", "GoldFunction", Value::from(r#"{"run":"nightly"}"#)),
        ("cron(5 * * * ? *)", "VerifyFunction", Value::from(r#"{"look":"new"}"#)),
        ("cron(25 3 * * ? *)", "VerifyFunction", Value::from(r#"{"look":"everything"}"#)),
    ] {
        let rule =
            Value::from(vec![schedule.into(), "ENABLED".into(), Value::from(functions[function].as_str()), input]);
        assert!(listed.contains(&rule), "no {rule} among {listed:?}");
    }
}

#[expect(clippy::disallowed_methods, reason = "the schedule keeps the wall clock's time")]
fn now() -> std::time::SystemTime {
    std::time::SystemTime::now()
}
