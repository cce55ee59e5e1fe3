//! What is sealed on the local stack: the holder of the month's private key opens it, by the opener in Python, and nobody whose key was
//! destroyed.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;

use aws_sdk_dynamodb::types::AttributeValue;
use ledgerline_ledger::tree::Hash;
use ledgerline_store::gone::Gone;
use ledgerline_store::party_key::{RowName, parse_key};
use ledgerline_store::record;
use ledgerline_tests::access::ask;
use ledgerline_tests::org::Org;
use ledgerline_tests::stack::{Stack, key_of};
use serde_json::{Value, json};

use crate::chain::{DAY, event, now};
use crate::operator::{answer, ledgerline};

/// The opener that the documentation has.
const OPENER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/open_sealed.py");

/// Has Python open these entries' blocks: its exit code, and what it says of each.
fn opened(stack: &Stack, entries: &[Value]) -> (Option<i32>, Vec<Value>) {
    let file = xtask::paths::target().join("tmp").join(format!("sealed-{}.jsonl", uuid::Uuid::new_v4().simple()));
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    std::fs::write(&file, entries.iter().map(|entry| format!("{entry}\n")).collect::<String>()).unwrap();
    let description = stack.description();
    let variables = stack.deployed("TransformFunction").environment.unwrap().variables.unwrap();
    let venv = xtask::tools::Venv::stack().unwrap_or_else(|fault| panic!("{fault}"));
    let mut python = venv.command("python");
    python.arg(OPENER).arg(&file).args(["--deployment", &variables["DEPLOYMENT_ID"]]);
    python.args(["--control", description.table("ControlTable").unwrap()]);
    python.args(["--keys-table", description.table("KeysTable").unwrap(), "--endpoint", &description.endpoint]);
    python.env("AWS_ACCESS_KEY_ID", "test").env("AWS_SECRET_ACCESS_KEY", "test");
    let output = python.env("AWS_DEFAULT_REGION", &description.region).output().unwrap();
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    let said = String::from_utf8(output.stdout).unwrap();
    (output.status.code(), said.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
}

/// Destroys every key of a record as an erasure does: says so, then deletes the rows.
fn destroy(stack: &Stack, record: &str, key_ids: &BTreeSet<String>) {
    let clients = stack.block(stack.description().clients());
    let gone = Gone::new(stack.description().rows_of(&clients, "ControlTable").unwrap());
    stack.block(gone.put(&key_ids.iter().map(String::as_str).collect::<Vec<_>>())).unwrap();
    let table = stack.description().table("KeysTable").unwrap();
    for key in stack.items("KeysTable", &record::partition(record)).iter().map(key_of) {
        if parse_key(&key).is_some_and(|RowName { record: of, .. }| of == record) {
            let delete = stack.dynamodb.delete_item().table_name(table);
            let delete = delete.key("pk", AttributeValue::S(key.pk)).key("sk", AttributeValue::S(key.sk));
            stack.block(delete.send()).unwrap();
        }
    }
}

fn key_ids(entry: &Value) -> impl Iterator<Item = String> {
    entry["keyIds"].as_array().unwrap().iter().map(|id| id.as_str().unwrap().to_owned())
}

#[test]
fn python_opens_every_block_and_none_whose_key_was_destroyed() {
    let Some(stack) = Stack::running() else { return };
    let org = Org::new(&stack, "sealed");
    let calls = [(); 2].map(|()| uuid::Uuid::new_v4().to_string());
    let sent: Vec<Vec<u8>> = (0..4).map(|n| event(&org, &calls[n as usize % 2], now() - DAY, n)).collect();
    stack.send(&sent);
    org.settled(4);
    let entries = org.entries();
    assert_eq!(entries.len(), 4);

    let (code, told) = opened(&stack, &entries);
    let blocks: usize = entries.iter().map(|entry| entry["sealed"].as_array().unwrap().len()).sum();
    assert_eq!((code, told.len()), (Some(0), blocks), "{told:?}");
    let raws: BTreeSet<String> =
        told.iter().filter_map(|one| one["opened"]["raw"].as_str()).map(str::to_owned).collect();
    assert_eq!(raws, sent.iter().map(|bytes| Hash::of_object(bytes).hex()).collect());
    let customers: Vec<&Value> = told.iter().filter(|one| one["party"] == "customer").collect();
    assert_eq!(customers.len(), 4);
    assert!(customers.iter().all(|one| one["opened"].to_string().contains("+13175550142")), "{customers:?}");

    // The first call's keys are destroyed: its blocks are noise, the other's are as they were.
    let of_first = |entry: &&Value| entry["interactionId"] == *calls[0];
    let destroyed: BTreeSet<String> = entries.iter().filter(of_first).flat_map(key_ids).collect();
    destroy(&stack, &format!("{}/{}", org.name, calls[0]), &destroyed);
    let (code, told) = opened(&stack, &entries);
    assert_eq!(code, Some(1));
    for one in &told {
        let is_destroyed = destroyed.contains(one["keyId"].as_str().unwrap());
        assert_eq!(one.get("opened").is_none(), is_destroyed, "{one}");
    }
    for (call, is_destroyed) in calls.iter().zip([true, false]) {
        let shown = answer(&ledgerline(Some(&stack), &["show", "interaction", call, "--json"]), 0);
        let entries = shown["entries"].as_array().unwrap();
        assert_eq!(entries.len(), 2);
        for entry in entries {
            let sealed = entry["sealed"].as_array().unwrap();
            assert!(!sealed.is_empty() && sealed.iter().all(|block| block["destroyed"] == is_destroyed), "{entry}");
        }
    }
    let question = json!({ "identifiers": [{ "kind": "phone", "value": "+13175550142" }], "org": org.name });
    let (status, body) = ask(&stack, Some(&stack.description().api_key), &question);
    assert_eq!(status, 200, "{body}");
    let mut said = BTreeSet::new();
    for interaction in body["interactions"].as_array().unwrap() {
        let call = interaction["interactionId"].as_str().unwrap();
        let states = interaction["entries"].as_array().unwrap().iter().map(|entry| &entry["sealed"]["customer"]);
        said.extend(states.map(|state| (call.to_owned(), state.as_str().unwrap().to_owned())));
    }
    let wanted = calls.iter().zip(["destroyed", "closed"]).map(|(call, state)| (call.clone(), state.to_owned()));
    assert_eq!(said, wanted.collect());
}
