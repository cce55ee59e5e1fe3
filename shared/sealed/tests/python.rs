//! The other opener, `docs/open_sealed.py`, where its interpreter and `cryptography` are.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ledgerline_ledger::entry::Party;
use ledgerline_sealed::{Buffer, PartyKey, Place, Sender};
use serde_json::{Value, json};

use crate::golden::{ENTRIES, KEYS, month_key, parsed};

/// Python with what the opener imports. Says that it is missing, so that the sum counts the test as skipped.
fn python() -> Option<PathBuf> {
    let local = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/local/venv/bin/python");
    let python = if local.exists() { local } else { PathBuf::from("python3") };
    let has = Command::new(&python).args(["-c", "import cryptography"]).output();
    if has.is_ok_and(|output| output.status.success()) {
        return Some(python);
    }
    eprintln!("SKIPPED: no Python with `cryptography`; `cargo xtask up` makes one");
    None
}

/// Runs the opener over these entries and keys: its exit code and what it says of each block.
fn run(python: &Path, name: &str, entries: &str, keys: &Value) -> (i32, Vec<Value>) {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let files = ["entries.jsonl", "keys.json"].map(|file| folder.join(format!("sealed-{name}-{file}")));
    fs::write(&files[0], entries).unwrap();
    fs::write(&files[1], keys.to_string()).unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/open_sealed.py");
    let output = Command::new(python).arg(script).args(&files).env("PYTHONDONTWRITEBYTECODE", "1").output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    (output.status.code().unwrap(), said.lines().map(parsed).collect())
}

#[test]
fn python_opens_the_frozen_files() {
    let Some(python) = python() else { return };
    let (code, said) = run(&python, "golden", ENTRIES, &parsed(KEYS));
    assert_eq!((code, said.len()), (0, 10));
    let written = parsed(include_str!("golden/written.json"));
    for told in said {
        let of_event = |written: &&Value| written["eventId"] == told["eventId"];
        let written = written.as_array().unwrap().iter().find(of_event).unwrap();
        assert_eq!(told["opened"], parsed(written["opened"][told["party"].as_str().unwrap()].as_str().unwrap()));
    }
}

#[test]
fn python_opens_what_is_sealed_and_wrapped_now_and_says_what_does_not() {
    let Some(python) = python() else { return };
    let sender = Sender::to(&month_key("2026-04"), "golden").unwrap();
    let place = Place { deployment: "golden", record: "acme/c-7", event_id: "00112233445566778899aabbccddeeff" };
    let mut buffer = Buffer::new();
    let mut content = buffer.event(true, &[0xAB; 32]);
    let value = ledgerline_json::parse(br#""tel:+15555550142""#).unwrap();
    content.add_identifier(Party::Customer, "phone", &value);
    content.add_unlisted(Party::Joint, "/n", &ledgerline_json::parse(b"1.0").unwrap());
    let keys: BTreeMap<Party, Arc<PartyKey>> =
        Party::ALL.into_iter().zip(1..).map(|(party, byte)| (party, Arc::new(PartyKey::of(&[byte; 32])))).collect();
    let seals = content.seal(&place, &|bytes| bytes.fill(3), |party| Arc::clone(&keys[&party]));
    let wrapped = |key: &PartyKey| json!({"wrapped": STANDARD.encode(sender.wrap(place.record, key))});
    let rows = json!({"record": place.record, "month": "2026-04", "enc": STANDARD.encode(sender.enc()),
        "keys": keys.values().map(|key| (key.id().to_string(), wrapped(key))).collect::<serde_json::Map<_, _>>()});
    let mut told = parsed(KEYS);
    told["rows"] = json!([rows]);
    let mut entry = serde_json::to_value(&seals.sealed).unwrap();
    entry["org"] = json!("acme");
    entry["interactionId"] = json!("c-7");
    entry["eventId"] = json!(place.event_id);

    let (code, said) = run(&python, "now", &entry.to_string(), &told);
    assert_eq!(code, 0, "{said:?}");
    assert_eq!(said[0]["opened"], json!({"phone": "tel:+15555550142", "raw": "ab".repeat(32)}));
    assert_eq!(said[1]["opened"], json!({"/n": "1.0"}));

    // Rows that are of no use keep no block closed: they are told of where they name one of its keys, and that is all. Of two rows with
    // one key id the one that opens counts, whichever comes first.
    let good = told["rows"][0].clone();
    let like = |change: &dyn Fn(&mut Value)| {
        let mut row = good.clone();
        change(&mut row);
        row
    };
    let no_point = like(&|row| row["enc"] = json!(STANDARD.encode([4; 65])));
    let no_month = like(&|row| row["month"] = json!("1999-01"));
    let of_others = like(&|row| {
        row["enc"] = json!("");
        row["keys"] = json!({"A".repeat(43): {"wrapped": ""}});
    });
    let changed = like(&|row| {
        row["keys"]
            .as_object_mut()
            .unwrap()
            .values_mut()
            .for_each(|key| key["wrapped"] = json!(STANDARD.encode([0; 48])));
    });
    let mut with_more = told.clone();
    with_more["rows"] = json!([no_point, changed, good, changed, no_month, of_others]);
    let (code, told_of) = run(&python, "rows", &entry.to_string(), &with_more);
    let (of_no_use, opened): (Vec<&Value>, Vec<&Value>) =
        told_of.iter().partition(|one| one.get("rowOfNoUse").is_some());
    assert_eq!((code, of_no_use.len(), opened), (0, 2, said.iter().collect()), "{told_of:?}");

    let refused = |name: &str, change: &dyn Fn(&mut Value, &mut Value)| {
        let (mut entry, mut told) = (entry.clone(), told.clone());
        change(&mut entry, &mut told);
        let (code, said) = run(&python, name, &entry.to_string(), &told);
        assert_eq!(code, 1, "{name}");
        said[0]["notOpened"].as_str().unwrap().to_owned()
    };
    let of_another = "the block does not belong to this entry";
    assert_eq!(refused("event", &|entry, _| entry["eventId"] = json!("00")), of_another);
    assert_eq!(refused("deployment", &|_, told| told["deployment"] = json!("x")), "the wrapped key does not open");
    assert_eq!(refused("gone", &|_, told| told["rows"] = json!([])), "no key of this id");
    let swap = |entry: &mut Value, _: &mut Value| {
        let b = entry["sealed"][0]["b"].take();
        entry["sealed"][0]["b"] = entry["sealed"][1]["b"].take();
        entry["sealed"][1]["b"] = b;
    };
    assert_eq!(refused("swapped", &swap), of_another);
    let order = |entry: &mut Value, _: &mut Value| entry["keyIds"].as_array_mut().unwrap().reverse();
    assert_eq!(refused("order", &order), "key ids or blocks are not in their order");
}
