//! The built command against folders and files that were made to mislead or to harm whoever reads them, and against what a
//! caller may get wrong: nothing that was not checked is called good.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::builder::{DEPLOYMENT, Ledger, line, log, note, vkey};
use crate::export;
use ledgerline_ledger::checkpoint::{archive_key, live_key};
use ledgerline_ledger::signing::{KeyKind, LocalSigner};
use ledgerline_ledger::tree::leaf_hash;
use serde_json::Value;

const LOG: &str = "acme/interaction/1/0";
const OTHER: &str = "acme/entity/1/0";
const SEED: u8 = 7;

/// Two logs, signed by one key each.
fn ledger() -> Ledger {
    let mut ledger = Ledger::default();
    for (name, count) in [(LOG, 300), (OTHER, 40)] {
        let log = log(name);
        ledger.open(&log, DEPLOYMENT, SEED);
        ledger.append(&log, &(0..count).map(|seq| line(&log, seq)).collect::<Vec<_>>());
    }
    ledger
}

fn folder(test: &str) -> PathBuf {
    export::folder(&format!("hostile/{test}"))
}

fn exported(test: &str, ledger: &Ledger) -> PathBuf {
    let root = folder(test).join("export");
    export::export(&root, ledger, "logs.vkey", &format!("{}\n{}\n", key(LOG), key(OTHER)));
    root
}

fn key(name: &str) -> String {
    vkey(DEPLOYMENT, &log(name), SEED)
}

fn witness(name: &str) -> String {
    LocalSigner::from_seed(name, &[9; 32]).unwrap().verifying_key(KeyKind::Witness).vkey()
}

fn run(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_ledgerline")).args(arguments).output().unwrap()
}

fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// The exit code and all that was said.
fn said(arguments: &[&str]) -> (i32, String) {
    let output = run(arguments);
    let text = [output.stdout, output.stderr].concat();
    (output.status.code().unwrap(), String::from_utf8_lossy(&text).into_owned())
}

fn json(arguments: &[&str]) -> (i32, Value) {
    let output = run(&[arguments, &["--json"]].concat());
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    (output.status.code().unwrap(), serde_json::from_slice(&output.stdout).unwrap())
}

/// Every file below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

#[test]
fn what_is_handed_over_and_cannot_be_used_is_refused_not_passed_over() {
    let ledger = ledger();
    let root = exported("handed-over", &ledger);
    let aside = root.parent().unwrap();
    let file = |name: &str, bytes: &[u8]| {
        fs::write(aside.join(name), bytes).unwrap();
        aside.join(name).to_str().unwrap().to_owned()
    };
    let (key, other) = (key(LOG), key(OTHER));
    let garbage = file("garbage", b"no checkpoint\n");
    let foreign = file("foreign", &note(DEPLOYMENT, &log(LOG), SEED + 1, 300, leaf_hash(b"")));
    let of_other = file("other", &ledger.bytes(&live_key(&log(OTHER))));
    let empty = file("empty.vkey", b"\n");
    let (one, log_key) = (witness("w1"), key.clone());
    let base = ["verify", path(&root), "--key", &key, "--key", &other];
    for more in [
        &["--checkpoint", garbage.as_str()][..],
        &["--checkpoint", &foreign],
        &["--checkpoint", &of_other, "--log", LOG],
        &["--cosigned", &garbage, "--witness", &one],
        &["--log", LOG, "--log", "acme/interaction/2/0"],
        &["--witness", &log_key],
        &["--key", &one],
        &["--key", &empty],
        &["--witness", &one, "--quorum", "0"],
        &["--witness", &one, "--quorum", "2"],
    ] {
        let (code, said) = said(&[&base, more].concat());
        assert_eq!(code, 2, "{more:?}: {said}");
    }
    assert_eq!(said(&base).0, 0, "{}", said(&base).1);
    // A witness that is named twice is one, and nobody asks for two.
    let (_, told) = json(&[&base[..], &["--witness", &one, "--witness", &one]].concat());
    assert_eq!(told["witnessesAsked"], 1);
}

#[test]
fn a_log_that_was_removed_whole_is_missed_by_whoever_has_its_key() {
    let mut ledger = ledger();
    ledger.objects.retain(|key, _| !key.contains("/entity/"));
    ledger.heads.retain(|head| head.log.as_str() == LOG);
    ledger.postings.retain(|posting| posting.log.as_str() == LOG);
    let root = exported("removed-log", &ledger);
    let (key, other) = (key(LOG), key(OTHER));
    let (code, told) = json(&["verify", path(&root), "--key", &key, "--key", &other]);
    assert_eq!((code, told["findings"][0]["key"].as_str()), (1, Some("ledger/acme/entity/1/0/checkpoint")), "{told}");
    assert_eq!(json(&["verify", path(&root), "--key", &key, "--key", &other, "--log", LOG]).0, 0);
    assert_eq!(json(&["verify", path(&root), "--key", &key]).0, 0);
    assert_eq!(json(&["rebuild-postings", path(&root), "--log", OTHER]).0, 2);
}

#[test]
fn a_line_that_is_no_entry_cannot_choose_where_its_proof_is_written() {
    let mut ledger = ledger();
    let segment = ledger.segment(&log(LOG), 0);
    let victim = folder("traversal-victim").join("victim");
    ledger.rewrite(&segment, |lines| {
        let id = lines[7].split("\"eventId\":\"").nth(1).unwrap()[..32].to_owned();
        lines[7] = lines[7].replace(&id, path(&victim));
    });
    ledger.rewrite_derived(&log(LOG), Some(SEED));
    let root = exported("traversal", &ledger);
    let out = folder("traversal-out");
    let (code, said) = said(&["prove", "--index", "7", "--log", LOG, "--folder", path(&root), "--out", path(&out)]);
    assert_eq!(code, 2, "{said}");
    assert!(said.contains("is no entry"), "{said}");
    assert!(files(victim.parent().unwrap()).is_empty() && files(&out).is_empty());
}

#[test]
fn nothing_is_shown_as_signed_that_is_not() {
    let mut ledger = ledger();
    let log = log(LOG);
    let show = ["show", "entry", "--index", "3", "--log", LOG, "--folder"];
    let good = exported("signed", &ledger);
    let (code, told) = json(&[&show[..], &[path(&good)]].concat());
    assert_eq!((code, &told["entries"][0]["place"]["signature"]), (0, &Value::from("good")));

    // The same tree under the signature of a key that nobody knows.
    let clean = ledger.clone();
    ledger.rewrite_derived(&log, Some(SEED + 1));
    let root = exported("unknown-signature", &ledger);
    let (code, told) = json(&[&show[..], &[path(&root)]].concat());
    let place = &told["entries"][0]["place"];
    assert_eq!((code, &place["signature"], &place["signedSize"]), (0, &Value::from("unknown"), &Value::Null));
    let (_, text) = said(&[&show[..], &[path(&root)]].concat());
    assert!(text.contains("signed by no key known here") && !text.contains("in the signed tree"), "{text}");
    let (_, heads) = json(&["show", "head", "--folder", path(&root)]);
    let signature = |log: &str| {
        heads["heads"].as_array().unwrap().iter().find(|head| head["log"] == log).unwrap()["signature"].clone()
    };
    assert_eq!((signature(LOG), signature(OTHER)), ("unknown".into(), "good".into()));

    // A signature that a known key never made.
    let mut ledger = clean;
    let archived = archive_key(&log, 300);
    ledger.change(&archived, |note| {
        let at = note.len() - 20;
        note[at] = if note[at] == b'A' { b'B' } else { b'A' };
    });
    let root = exported("false-signature", &ledger);
    for arguments in [&show[..], &["show", "head", "--folder"]] {
        let (code, text) = said(&[arguments, &[path(&root)]].concat());
        assert_eq!(code, 1, "{text}");
    }
    assert_eq!(said(&["trace", "0d3f1c5e-7a3f-4a53-9a38-000000000000", "--folder", path(&root)]).0, 1);
}

#[test]
fn an_entry_whose_place_another_line_took_is_shown_as_that() {
    let mut ledger = ledger();
    let segment = ledger.segment(&log(LOG), 0);
    let interaction = "0d3f1c5e-7a3f-4a53-9a38-000000000000";
    // The segment gets the name that fits it; tiles and signatures are as they were.
    ledger.rewrite(&segment, |lines| lines[3] = lines[3].replace("INBOUND", "OUTBOUND"));
    let root = exported("took-its-place", &ledger);
    let (code, told) = json(&["show", "interaction", interaction, "--folder", path(&root)]);
    let entries = told["entries"].as_array().unwrap();
    let not_in_tree: Vec<_> = entries.iter().filter(|one| one["place"]["inTree"] == false).collect();
    assert_eq!((code, entries.len(), not_in_tree.len()), (1, 32, 1), "sixteen in each log");
    let event = not_in_tree[0]["entry"]["eventId"].as_str().unwrap();
    for arguments in [
        &["show", "entry", event, "--folder", path(&root)][..],
        &["show", "entry", "--index", "3", "--log", LOG, "--folder", path(&root)],
        &["trace", interaction, "--folder", path(&root)],
    ] {
        let (code, text) = said(arguments);
        assert_eq!(code, 1, "{arguments:?}: {text}");
        assert!(text.contains("another line has its place"), "{text}");
    }
}

#[test]
fn what_a_crash_left_is_not_shown_as_a_contradiction() {
    let mut ledger = ledger();
    let interaction = log(LOG);
    // The same lines under another packing: a segment that was put and never committed.
    let segment = ledger.segment(&interaction, 0);
    let lines = ledger.lines_of(&segment);
    let bytes = crate::builder::pack(&lines[..200]);
    let name = ledgerline_ledger::segment::SegmentName::of(&interaction, 100, 200, &bytes).key();
    ledger.put(&name, bytes, true);
    let root = exported("orphan", &ledger);
    let (code, told) = json(&["show", "interaction", "0d3f1c5e-7a3f-4a53-9a38-000000000000", "--folder", path(&root)]);
    assert_eq!((code, told["entries"].as_array().map(Vec::len)), (0, Some(32)), "sixteen in each log");
    assert_eq!(said(&["show", "entry", "--index", "150", "--log", LOG, "--folder", path(&root)]).0, 0);
}

#[test]
fn names_cannot_steer_the_terminal() {
    let mut ledger = ledger();
    let segment = ledger.segment(&log(LOG), 0);
    ledger.rewrite(&segment, |lines| {
        lines[3] = lines[3].replace("\"direction\"", "\"di\\u001b[2Jrection\"").replace("INBOUND", "\u{202e}dnuobni");
    });
    ledger.rewrite_derived(&log(LOG), Some(SEED));
    let root = exported("steering", &ledger);
    let strange = format!(
        "{}\n",
        r#"{"key":"ledger/\u001b[2Jacme","versionId":"v\u001b[1A","isLatest":true,"bytes":1,"lastModifiedMs":1}"#
    );
    let list = root.join("versions.jsonl");
    fs::write(&list, fs::read_to_string(&list).unwrap() + &strange).unwrap();
    let plain = |text: &str| text.chars().all(|sign| sign == '\n' || !sign.is_control() && sign != '\u{202e}');
    for arguments in [
        &["show", "entry", "--index", "3", "--log", LOG, "--folder", path(&root)][..],
        &["verify", path(&root)],
        &["retention", path(&root)],
        &["trace", "\u{1b}[2J", "--folder", path(&root)],
        &["verify", "/no/such\u{1b}[2J"],
    ] {
        let (_, text) = said(arguments);
        assert!(plain(&text), "{arguments:?}: {text:?}");
    }
}

#[test]
fn files_without_end_are_refused() {
    let root = exported("without-end", &ledger());
    let out = folder("without-end-out");
    assert_eq!(
        run(&["prove", "--index", "7", "--log", LOG, "--folder", path(&root), "--out", path(&out)]).status.code(),
        Some(0)
    );
    let proof = files(&out).into_iter().find(|file| file.extension().unwrap() == "tlog-proof").unwrap();
    let hashes = "A".repeat(43) + "=\n";
    let million = format!("c2sp.org/tlog-proof@v1\nindex 7\n{}\nnote\n", hashes.repeat(1_000_000));
    fs::write(out.join("million.tlog-proof"), million).unwrap();
    let endless = out.join("endless");
    fs::File::create(&endless).unwrap().set_len(1 << 40).unwrap();
    let (key, entry) = (key(LOG), proof.with_extension("json"));
    for arguments in [
        &["check-proof", path(&out.join("million.tlog-proof")), "--entry", path(&entry), "--key", &key][..],
        &["check-proof", path(&endless), "--entry", path(&entry), "--key", &key],
        &["check-proof", path(&proof), "--entry", path(&endless), "--key", &key],
        &["check-proof", path(&proof), "--key", path(&endless)],
        &["verify", path(&root), "--checkpoint", path(&endless)],
        &["verify", path(&root), "--key", path(&endless)],
    ] {
        let (code, text) = said(arguments);
        assert_eq!(code, 2, "{arguments:?}: {text}");
    }
    let (code, told) = json(&["check-proof", path(&proof), "--key", &key]);
    assert_eq!((code, told["index"].as_u64()), (0, Some(7)));
    assert!(path(&entry).contains(told["eventId"].as_str().unwrap()), "{told}");
}

#[test]
fn a_proof_is_made_by_the_key_that_the_caller_has() {
    let root = exported("own-key", &ledger());
    fs::remove_dir_all(root.join("keys")).unwrap();
    let out = folder("own-key-out");
    let prove = ["prove", "--index", "7", "--log", LOG, "--folder", path(&root), "--out", path(&out)];
    assert_eq!(said(&prove).0, 2, "no key came with the folder");
    let (key, other) = (key(LOG), vkey(DEPLOYMENT, &log(LOG), SEED + 1));
    assert_eq!(said(&[&prove[..], &["--key", &other]].concat()).0, 2);
    assert!(files(&out).is_empty());
    assert_eq!(said(&[&prove[..], &["--key", &key]].concat()).0, 0);
}

#[test]
fn a_witness_is_not_told_that_all_is_well_with_no_log_at_all() {
    let root = exported("no-log", &ledger());
    let place = folder("no-log-witness");
    let files = ["w.key", "state.json", "out"].map(|name| place.join(name).to_str().unwrap().to_owned());
    let (code, text) = said(&[
        "witness",
        path(&root),
        "--name",
        "w1",
        "--key",
        &witness("w1"),
        "--key-file",
        &files[0],
        "--state",
        &files[1],
        "--out",
        &files[2],
    ]);
    assert_eq!(code, 2, "{text}");
}

#[test]
fn a_wrong_command_line_is_json_for_whoever_asked_for_json() {
    for arguments in [&["verify"][..], &["nonsense"], &["prove", "--index", "x"], &["verify", "a", "b"]] {
        let (code, told) = json(arguments);
        assert_eq!((code, told["outcome"].as_str()), (2, Some("could_not_check")));
        let (what, remedy) = (told["error"]["what"].as_str().unwrap(), told["error"]["remedy"].as_str().unwrap());
        assert!(!what.is_empty() && !what.ends_with(':') && remedy.starts_with("Usage:"), "{told}");
    }
    let help = run(&["verify", "--help", "--json"]);
    assert_eq!(help.status.code(), Some(0));
}

#[test]
fn the_manual_has_every_command_and_its_options() {
    let (_, page) = said(&["man"]);
    for part in
        [".SH \"LEDGERLINE SHOW ENTRY\"", ".SH \"LEDGERLINE SHOW HEAD\"", "\\-\\-index", "\\-\\-quorum", ".SS SYNOPSIS"]
    {
        assert!(page.contains(part), "{part}");
    }
}
