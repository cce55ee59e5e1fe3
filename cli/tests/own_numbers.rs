//! `own-numbers` on the command line: what it refuses before it talks to a deployment, and that no item is repeated.

use std::process::{Command, Output};

use serde_json::Value;

fn run(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_ledgerline")).args(arguments).output().unwrap()
}

#[test]
fn what_it_cannot_do_says_what_to_do_and_repeats_no_item() {
    for (arguments, remedy) in [
        (&["--org", "a/b", "--stack", "none.json"], "1 to 64 of"),
        (&["--org", "acme", "--stack", "none.json"], "name the deployment's stack.json"),
    ] {
        for command in ["add", "remove"] {
            let item = ["--json", "own-numbers", command, "+15555550142"];
            let output = run(&[&item[..], &arguments[..]].concat());
            let text = String::from_utf8(output.stdout).unwrap();
            let answer: Value = serde_json::from_str(&text).unwrap();
            assert_eq!((output.status.code(), &answer["outcome"]), (Some(2), &"could_not_check".into()));
            assert!(text.contains(remedy) && !text.contains("5555550142"), "{text}");
        }
    }
}

#[test]
fn an_org_and_items_are_asked_for() {
    for arguments in [
        &["own-numbers", "add", "--org", "acme", "--stack", "none.json"][..],
        &["own-numbers", "add", "example.com", "--stack", "none.json"],
        &["own-numbers", "list", "--stack", "none.json"],
        &["own-numbers"],
    ] {
        assert_eq!(run(arguments).status.code(), Some(2), "{arguments:?}");
    }
}
