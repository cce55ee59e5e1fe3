//! A folder's links, and lists that are not there.
#![cfg(unix)]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use ledgerline_ledger::verify::folder::{Folder, HEADS_FILE, KEYS_FOLDER, POSTINGS_FILE, VERSIONS_FILE};
use ledgerline_ledger::verify::{LockRule, Options, Part, verify};

use super::builder::Ledger;
use super::{calls, check, clean, options, trusting};

fn exported(test: &str, ledger: &Ledger) -> PathBuf {
    let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join("folders").join(test);
    let _ = fs::remove_dir_all(&root);
    ledger.export(&root);
    root
}

/// Why the folder, or a log of it, cannot be checked.
fn refusal(root: &Path, ledger: &Ledger) -> String {
    let run = || {
        let folder = Folder::open(root)?;
        folder.keys()?;
        verify(&folder, &trusting(ledger), &options(ledger), &mut |_| {})
    };
    match run() {
        Err(fault) => fault.to_string(),
        Ok(report) => {
            assert!(!report.holds());
            report.unchecked.iter().map(|log| log.fault.to_string()).collect()
        }
    }
}

#[test]
fn no_link_is_followed_on_any_part_of_the_way() {
    let ledger = clean();
    let segment = ledger.segment(&calls(), 2);
    let elsewhere = exported("elsewhere", &ledger);
    // Links to the very bytes that belong here.
    let files = [("file link", segment.as_str()), ("list link", VERSIONS_FILE), ("heads link", HEADS_FILE)];
    for (test, name) in files {
        let root = exported(test, &ledger);
        fs::remove_file(root.join(name)).unwrap();
        symlink(elsewhere.join(name), root.join(name)).unwrap();
        let told = refusal(&root, &ledger);
        assert!(told.contains(name) && told.contains("symbolic link"), "{told}");
    }
    let tiles = format!("ledger/{}/tile", calls());
    for (test, name) in [("folder link", tiles.as_str()), ("top link", "ledger")] {
        let root = exported(test, &ledger);
        fs::remove_dir_all(root.join(name)).unwrap();
        symlink(elsewhere.join(name), root.join(name)).unwrap();
        let told = refusal(&root, &ledger);
        assert!(told.contains(name) && told.contains("symbolic link"), "{told}");
    }
    let root = exported("key link", &ledger);
    fs::create_dir(root.join(KEYS_FOLDER)).unwrap();
    symlink("/etc/hostname", root.join(KEYS_FOLDER).join("a.vkey")).unwrap();
    assert!(refusal(&root, &ledger).contains("a.vkey is a symbolic link"));
}

#[test]
fn the_folder_itself_may_be_named_by_a_link() {
    let ledger = clean();
    let root = exported("itself", &ledger);
    let link = root.with_file_name("link to itself");
    let _ = fs::remove_file(&link);
    symlink(&root, &link).unwrap();
    assert!(check(&Folder::open(&link).unwrap(), &trusting(&ledger), &options(&ledger)).holds());
}

#[test]
fn what_a_folder_does_not_tell_is_named() {
    let ledger = clean();
    assert_eq!(check(&ledger, &trusting(&ledger), &options(&ledger)).left_out, []);
    let unasked = Options { locks: LockRule::Ignore, ..options(&ledger) };
    assert_eq!(check(&ledger, &trusting(&ledger), &unasked).left_out, [Part::Locks]);
    let root = exported("left out", &ledger);
    let told = || check(&Folder::open(&root).unwrap(), &trusting(&ledger), &options(&ledger)).left_out;
    assert_eq!(told(), [Part::Postings, Part::Locks, Part::DeleteMarkers]);
    fs::remove_file(root.join(HEADS_FILE)).unwrap();
    fs::remove_file(root.join(POSTINGS_FILE)).unwrap();
    assert_eq!(told(), [Part::Heads, Part::Postings, Part::Locks, Part::DeleteMarkers]);
}
