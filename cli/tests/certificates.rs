//! The built command, and Python beside it, against certificates: good ones, and ones that were altered in any member.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use ledgerline_ledger::canonical;
use serde_json::{Value, json};

use crate::export::{self, Python};
use crate::sample::sample;

fn write(test: &str, text: &[u8]) -> PathBuf {
    let folder = export::folder(&format!("certificates/{test}"));
    fs::create_dir_all(&folder).unwrap();
    let path = folder.join("certificate.json");
    fs::write(&path, text).unwrap();
    path
}

fn check(path: &Path, keys: &[&str]) -> (i32, Value) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ledgerline"));
    command.args(["check-certificate", path.to_str().unwrap(), "--json"]);
    for key in keys {
        command.args(["--key", key]);
    }
    let output = command.output().unwrap();
    (output.status.code().unwrap(), serde_json::from_slice(&output.stdout).unwrap_or_default())
}

#[test]
fn a_good_certificate_is_told_with_what_it_says() {
    let (good, key) = sample(3);
    let path = write("good", &good.to_bytes().unwrap());
    let (code, said) = check(&path, &[&key]);
    assert_eq!((code, &said["good"]), (0, &json!(true)), "{said}");
    assert_eq!((&said["counts"]["deletions"], &said["requestId"]), (&json!(3), &json!(good.body.request.request_id)));
    assert_eq!(said["sha256"], json!(good.body.sha256()));
    let mut drawn = Command::new(env!("CARGO_BIN_EXE_ledgerline"));
    let drawn = drawn.args(["check-certificate", path.to_str().unwrap(), "--key", &key]).output().unwrap();
    let drawn = String::from_utf8_lossy(&drawn.stdout).into_owned();
    assert!(drawn.contains("The ledger certified this") && drawn.contains(&good.body.certificate), "{drawn}");
}

#[test]
fn what_is_altered_fails_by_its_name() {
    let (good, key) = sample(3);
    let good = serde_json::to_value(&good).unwrap();
    for (pointer, value, place) in [
        ("/body/counts/deletions", json!(4), "body.counts.deletions"),
        ("/body/counts/lines", json!(1), "body"),
        ("/body/deletions/1/index", json!(3), "body.deletions[1].path"),
        ("/body/deletions/2/entry/interactionId", json!("c-9"), "body.deletions[2].path"),
        ("/body/deletions/0/guide/auditEvent/requestId", json!("x"), "body.deletions[0].guide"),
        ("/body/nodes/0", json!("AAAA"), "body.nodes[0]"),
        ("/body/remains/0/until", json!("tomorrow"), "body"),
        ("/certified/0/index", json!(0), "certified[0].path"),
        ("/certified/0/entry/fields/sha256", json!("0".repeat(64)), "body"),
        ("/kind", json!("another"), "kind"),
    ] {
        let mut altered = good.clone();
        *altered.pointer_mut(pointer).unwrap() = value;
        let text = canonical::to_string(&altered).unwrap() + "\n";
        let (code, said) = check(&write("altered", text.as_bytes()), &[&key]);
        let named = said["problems"].as_array().unwrap().iter().any(|one| one["place"] == place);
        assert!(code == 1 && named, "{pointer}: {said}");
    }
    let spaced = serde_json::to_vec_pretty(&good).unwrap();
    let (code, said) = check(&write("spaced", &spaced), &[&key]);
    assert_eq!((code, &said["problems"][0]["place"]), (1, &json!("the file")));
}

#[test]
fn what_cannot_be_checked_is_neither_good_nor_bad() {
    let (good, key) = sample(1);
    let path = write("unchecked", &good.to_bytes().unwrap());
    assert_eq!(check(&path.with_extension("none"), &[&key]).0, 2);
    assert_eq!(check(&path, &["no key"]).0, 2);
    assert_eq!(check(&path, &[]).0, 2);
}

#[test]
fn python_agrees_about_good_ones_and_altered_ones() {
    let Some(python) = Python::here() else { return };
    let (good, key) = sample(5);
    let says = |text: &[u8]| {
        let path = write("python", text);
        python.run("check_certificate.py", &[path.to_str().unwrap(), "--key", &key])
    };
    assert_eq!(says(&good.to_bytes().unwrap()), Some(0));
    let value = serde_json::to_value(&good).unwrap();
    for (pointer, other) in [
        ("/body/counts/keys", json!(9)),
        ("/body/counts/lines", json!(9)),
        ("/body/salt", json!("00".repeat(32))),
        ("/body/deletions/0/entry/salt", json!("AAAAAAAAAAAAAAAAAAAAAA")),
        ("/body/deletions/3/path/0", json!(0)),
        ("/body/deletions/1/guide/auditEvent/status", json!("FAILED")),
        ("/certified/0/path/0", json!("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")),
    ] {
        let mut altered = value.clone();
        *altered.pointer_mut(pointer).unwrap() = other;
        let text = canonical::to_string(&altered).unwrap() + "\n";
        assert_eq!(says(text.as_bytes()), Some(1), "{pointer}");
    }
    let mut spaced = good.to_bytes().unwrap();
    spaced.push(b' ');
    assert_eq!(says(&spaced), Some(1));
}
