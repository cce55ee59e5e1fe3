//! The built command over folders that a file manager showed or copied.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::builder::{DEPLOYMENT, Ledger, line, log, vkey};
use crate::export::{Python, export, folder};
use serde_json::Value;

const LOG: &str = "acme/interaction/1/0";
const SEED: u8 = 7;

fn ledger() -> Ledger {
    let mut ledger = Ledger::default();
    let log = log(LOG);
    ledger.open(&log, DEPLOYMENT, SEED);
    for range in [0..300, 300..310] {
        let lines: Vec<String> = range.map(|seq| line(&log, seq)).collect();
        ledger.append(&log, &lines);
    }
    ledger
}

fn exported(test: &str, ledger: &Ledger) -> PathBuf {
    let root = folder(&format!("file-managers/{test}"));
    export(&root, ledger, "dep-1_acme_interaction_1_0.vkey", &(key() + "\n"));
    root
}

fn key() -> String {
    vkey(DEPLOYMENT, &log(LOG), SEED)
}

/// In each folder `.DS_Store`, or beside each file one of AppleDouble's; how many.
fn dress(root: &Path, name: &dyn Fn(&Path) -> Option<String>) -> usize {
    let (mut open, mut paths) = (vec![root.to_owned()], Vec::new());
    while let Some(path) = open.pop() {
        if path.is_dir() {
            open.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        }
        paths.push(path);
    }
    let left = paths.iter().filter_map(|path| {
        let folder = if path.is_dir() { path } else { path.parent().unwrap() };
        name(path).map(|name| folder.join(name))
    });
    left.map(|path| fs::write(path, [0, 5, 0x16, 7, 0xff, 0xfe]).unwrap()).count()
}

fn as_finder(root: &Path) -> usize {
    dress(root, &|path| path.is_dir().then(|| ".DS_Store".to_owned()))
}

fn as_usb(root: &Path) -> usize {
    dress(root, &|path| (!path.is_dir()).then(|| format!("._{}", path.file_name().unwrap().to_str().unwrap())))
}

fn run(arguments: &[&str], root: &Path) -> (i32, String, Output) {
    let output = Command::new(env!("CARGO_BIN_EXE_ledgerline")).args(arguments).arg(root).output().unwrap();
    let said = String::from_utf8(output.stdout.clone()).unwrap();
    (output.status.code().unwrap(), said, output)
}

#[test]
fn a_dressed_folder_holds_by_its_own_keys_and_the_answer_names_what_is_no_evidence() {
    for (name, dress) in [("finder", as_finder as fn(&Path) -> usize), ("usb", as_usb)] {
        let root = exported(name, &ledger());
        let count = dress(&root);
        let (code, said, output) = run(&["verify"], &root);
        assert_eq!(code, 0, "{name}: {said}{}", String::from_utf8_lossy(&output.stderr));
        assert!(said.contains("It holds: 310 signed entries"), "{said}");
        assert!(said.contains(&format!("{count} files left by a file manager: no part of the evidence")), "{said}");
        let first = if name == "finder" { ".DS_Store" } else { "._heads.jsonl" };
        assert!(said.contains(first) && said.contains(&format!("and {} more", count - 5)), "{said}");
        let (code, told, _) = run(&["verify", "--json"], &root);
        let told: Value = serde_json::from_str(&told).unwrap();
        assert_eq!((code, told["outcome"].as_str()), (0, Some("holds")));
        assert_eq!(told["passedOver"].as_array().map(Vec::len), Some(count));
    }
    let (_, told, _) = run(&["verify", "--json"], &exported("plain", &ledger()));
    assert_eq!(serde_json::from_str::<Value>(&told).unwrap()["passedOver"], serde_json::json!([]));
}

#[test]
fn a_dressed_folder_with_a_flipped_byte_or_a_foreign_file_is_broken() {
    let mut flipped = ledger();
    let segment = flipped.segment(&log(LOG), 1);
    flipped.change(&segment, |bytes| bytes[100] ^= 1);
    for (name, dress) in [("finder", as_finder as fn(&Path) -> usize), ("usb", as_usb)] {
        let root = exported(&format!("{name}-flipped"), &flipped);
        dress(&root);
        let (code, said, _) = run(&["verify"], &root);
        assert_eq!(code, 1, "{name}: {said}");
        assert!(said.contains(&segment) && said.contains("left by a file manager"), "{said}");

        let root = exported(&format!("{name}-foreign"), &ledger());
        dress(&root);
        fs::write(root.join("ledger/notes.txt"), "").unwrap();
        let (code, told, _) = run(&["verify", "--json"], &root);
        let told: Value = serde_json::from_str(&told).unwrap();
        assert_eq!((code, &told["findings"][0]["key"]), (1, &"ledger/notes.txt".into()));
    }
}

#[test]
fn every_command_that_reads_a_folder_reads_a_dressed_one_alike() {
    let (plain, dressed) = (exported("alike-plain", &ledger()), exported("alike-dressed", &ledger()));
    as_usb(&dressed);
    as_finder(&dressed);
    let out = Path::new(env!("CARGO_TARGET_TMPDIR")).join("file-managers").join("out");
    let out = out.to_str().unwrap();
    for arguments in [
        &["show", "head", "--json", "--folder"][..],
        &["show", "entry", "--index", "3", "--log", LOG, "--json", "--folder"],
        &["prove", "--index", "3", "--log", LOG, "--out", out, "--json", "--folder"],
        &["retention", "--json"],
        &["rebuild-postings", "--json"],
    ] {
        let (alike, other) = (run(arguments, &plain), run(arguments, &dressed));
        assert_eq!(alike.0, 0, "{arguments:?}: {}", alike.1);
        let unnamed = |said: &str, root: &Path| said.replace(root.to_str().unwrap(), "");
        assert_eq!((other.0, unnamed(&other.1, &dressed)), (0, unnamed(&alike.1, &plain)), "{arguments:?}");
    }
}

/// The other implementation, where its interpreter and `cryptography` are.
#[test]
fn python_passes_over_the_same() {
    let Some(python) = Python::here() else { return };
    let check = |root: &Path| python.verify(root, &[]);
    for (name, dress) in [("finder", as_finder as fn(&Path) -> usize), ("usb", as_usb)] {
        let root = exported(&format!("python-{name}"), &ledger());
        dress(&root);
        let checkpoint = root.join("ledger").join(LOG).join("../.AppleDouble/checkpoint");
        fs::create_dir_all(checkpoint.parent().unwrap()).unwrap();
        fs::write(checkpoint, [0xff]).unwrap();
        assert_eq!(check(&root), Some(0), "{name}");
        let live = root.join("ledger").join(LOG).join("checkpoint");
        fs::write(&live, fs::read_to_string(&live).unwrap().replace("310", "309")).unwrap();
        assert_eq!(check(&root), Some(1), "{name}");
    }
}
