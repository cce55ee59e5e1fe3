//! A file manager's files in an exported folder: no part of the evidence, and no place to hide anything.

use std::fs;
use std::path::{Path, PathBuf};

use ledgerline_ledger::lock::{Lock, LockMode};
use ledgerline_ledger::verify::folder::{Folder, KEYS_FOLDER, VERSIONS_FILE};
use ledgerline_ledger::verify::{Evidence as _, FindingKind, ObjectVersion, Report};

use super::builder::{DEPLOYMENT, Ledger, vkey};
use super::{SEED, calls, check, clean, options, trusting};

fn exported(test: &str, ledger: &Ledger) -> PathBuf {
    let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join("file-managers").join(test);
    let _ = fs::remove_dir_all(&root);
    ledger.export(&root);
    fs::create_dir(root.join(KEYS_FOLDER)).unwrap();
    fs::write(root.join(KEYS_FOLDER).join("log.vkey"), vkey(DEPLOYMENT, &calls(), SEED)).unwrap();
    root
}

/// All folders (the root, too) and all files below, as paths relative to the root.
fn all(root: &Path) -> (Vec<String>, Vec<String>) {
    let (mut folders, mut files, mut open) = (Vec::new(), Vec::new(), vec![root.to_owned()]);
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else {
                files.push(path.strip_prefix(root).unwrap().to_str().unwrap().to_owned());
            }
        }
        folders.push(folder.strip_prefix(root).unwrap().to_str().unwrap().to_owned());
    }
    (folders, files)
}

/// Writes a file and says how it is called below the root.
fn put(root: &Path, path: &str, bytes: &[u8]) -> String {
    let at = root.join(path);
    fs::create_dir_all(at.parent().unwrap()).unwrap();
    fs::write(at, bytes).unwrap();
    path.to_owned()
}

fn beside(folder: &str, name: &str) -> String {
    if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") }
}

/// `.DS_Store`, and what Windows has, in every folder.
fn dress_as_finder(root: &Path) -> Vec<String> {
    let (folders, _) = all(root);
    let names = [".DS_Store", "Thumbs.db", "desktop.ini"];
    let left = folders.iter().flat_map(|folder| names.map(|name| beside(folder, name)));
    left.map(|path| put(root, &path, &[0, 0, 0, 1, 0x42, 0x75, 0x64, 0x31])).collect()
}

/// An AppleDouble file beside every file, its bytes no text; and beside a key one whose bytes are text.
fn dress_as_usb(root: &Path) -> Vec<String> {
    let (_, files) = all(root);
    let double = |path: String| match path.rsplit_once('/') {
        Some((folder, name)) => format!("{folder}/._{name}"),
        None => format!("._{path}"),
    };
    let mut left: Vec<String> =
        files.into_iter().map(double).map(|path| put(root, &path, &[0, 5, 0x16, 7, 0, 2, 0, 0, 0xff])).collect();
    left.push(put(root, "keys/._text.vkey", b"no key at all\n"));
    left
}

/// Folders of a disk, of an archive and of file servers, with files of any name in them.
fn dress_as_disk(root: &Path) -> Vec<String> {
    let inside = [
        "ledger/__MACOSX/acme/interaction/1/0/segment/notes.txt",
        "ledger/acme/interaction/1/0/.AppleDouble/checkpoint",
        "ledger/acme/interaction/1/0/tile/@eaDir/000@SynoEAStream",
        "versions/ledger/acme/.Trash-1000/info/a.trashinfo",
        "keys/.AppleDouble/log.vkey",
    ];
    let mut left: Vec<String> = inside.into_iter().map(|path| put(root, path, &[0xff, 0])).collect();
    for folder in ["$RECYCLE.BIN", "System Volume Information", ".fseventsd", "lost+found"] {
        put(root, &format!("{folder}/a file"), b"");
        left.push(folder.to_owned());
    }
    left
}

/// Adds files to a folder and says how they are called below it.
type Dress = fn(&Path) -> Vec<String>;

const DRESSES: [(&str, Dress); 3] = [("finder", dress_as_finder), ("usb", dress_as_usb), ("disk", dress_as_disk)];

fn report(root: &Path, ledger: &Ledger) -> Report {
    check(&Folder::open(root).unwrap(), &trusting(ledger), &options(ledger))
}

#[test]
fn a_dressed_folder_holds_and_says_what_it_passed_over() {
    let ledger = clean();
    for (name, dress) in DRESSES {
        let root = exported(name, &ledger);
        let folder = Folder::open(&root).unwrap();
        assert_eq!(folder.passed_over().unwrap(), [""; 0], "{name}");
        let keys = folder.keys().unwrap();
        let mut left = dress(&root);
        left.sort_unstable();
        assert_eq!(report(&root, &ledger).findings, [], "{name}");
        assert_eq!(folder.passed_over().unwrap(), left, "{name}");
        assert_eq!(folder.keys().unwrap(), keys, "{name}");
    }
}

#[test]
fn a_dressed_folder_hides_no_change() {
    let mut ledger = clean();
    let segment = ledger.segment(&calls(), 2);
    ledger.change(&segment, |bytes| bytes[100] ^= 1);
    for (name, dress) in DRESSES {
        let root = exported(&format!("{name}-flipped"), &ledger);
        let before = report(&root, &ledger).findings;
        assert!(before.iter().any(|finding| finding.key == segment));
        dress(&root);
        assert_eq!(report(&root, &ledger).findings, before, "{name}");
    }
}

#[test]
fn a_file_of_any_other_name_stays_a_finding() {
    let ledger = clean();
    for path in ["ledger/notes.txt", "ledger/.hidden", "ledger/.DS_Store.bak", "ledger/._acme/notes.txt"] {
        let root = exported("foreign", &ledger);
        dress_as_finder(&root);
        put(&root, path, b"");
        let findings = report(&root, &ledger).findings;
        let told: Vec<_> = findings.iter().map(|finding| (finding.kind, finding.key.as_str())).collect();
        assert_eq!(told, [(FindingKind::ForeignObject, path)]);
    }
}

/// Evidence that was moved to where file managers write is gone, whether the list says so or not.
#[test]
fn nothing_is_hidden_under_a_file_managers_name() {
    let ledger = clean();
    let segment = ledger.segment(&calls(), 2);
    let (folder, name) = segment.rsplit_once('/').unwrap();
    for to in [format!("{folder}/._{name}"), format!("{folder}/__MACOSX/{name}"), "ledger/Thumbs.db".to_owned()] {
        let root = exported("hidden", &ledger);
        fs::create_dir_all(root.join(&to).parent().unwrap()).unwrap();
        fs::rename(root.join(&segment), root.join(&to)).unwrap();
        let missing = report(&root, &ledger).findings;
        assert!(
            missing.iter().any(|finding| finding.kind == FindingKind::ObjectMissing && finding.key == segment),
            "{to}: {missing:?}"
        );
        let list = fs::read_to_string(root.join(VERSIONS_FILE)).unwrap();
        let without: String = list.split_inclusive('\n').filter(|line| !line.contains(name)).collect();
        fs::write(root.join(VERSIONS_FILE), without).unwrap();
        assert!(!report(&root, &ledger).holds(), "{to}");
    }
}

/// What the bucket lists is somebody's writing to the bucket, whatever its name.
#[test]
fn what_the_list_names_is_no_file_managers() {
    let ledger = clean();
    let root = exported("listed", &ledger);
    dress_as_finder(&root);
    let key = "ledger/acme/interaction/1/0/.DS_Store";
    let version = ObjectVersion {
        key: key.to_owned(),
        version_id: "v-1".to_owned(),
        is_latest: true,
        is_delete_marker: false,
        bytes: 8,
        lock: Some(Lock { mode: LockMode::Compliance, retain_until_s: 1 << 40 }),
        legal_hold: false,
        last_modified_ms: ledger.now_ms,
    };
    let list = fs::read_to_string(root.join(VERSIONS_FILE)).unwrap();
    fs::write(root.join(VERSIONS_FILE), list + &version.to_json() + "\n").unwrap();
    let findings = report(&root, &ledger).findings;
    let told: Vec<_> = findings.iter().map(|finding| (finding.kind, finding.key.as_str())).collect();
    assert_eq!(told, [(FindingKind::ForeignObject, key)]);
    let left = Folder::open(&root).unwrap().passed_over().unwrap();
    assert!(!left.contains(&key.to_owned()) && left.contains(&"ledger/.DS_Store".to_owned()), "{left:?}");
}

/// An org may be called as a disk's folder is: its objects are looked at, listed or not.
#[test]
fn an_org_is_evidence_whatever_it_is_called() {
    let ledger = clean();
    let root = exported("org", &ledger);
    let tile = "ledger/.Trashes/interaction/1/0/tile/0/000";
    put(&root, tile, &[0; 32]);
    let findings = report(&root, &ledger).findings;
    assert!(findings.iter().any(|finding| finding.key.starts_with("ledger/.Trashes/")), "{findings:?}");
    assert_eq!(Folder::open(&root).unwrap().passed_over().unwrap(), [""; 0]);
}

/// A trash that only its owner may open, and links of such names: neither is opened.
#[cfg(unix)]
#[test]
fn what_is_passed_over_is_not_opened() {
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    let ledger = clean();
    let root = exported("closed", &ledger);
    let trash = root.join("ledger/acme/.Trashes");
    fs::create_dir(&trash).unwrap();
    symlink("/etc/hostname", root.join("ledger/acme/._link")).unwrap();
    symlink("/etc/hostname", root.join(KEYS_FOLDER).join("._link.vkey")).unwrap();
    fs::set_permissions(&trash, fs::Permissions::from_mode(0o000)).unwrap();
    let folder = Folder::open(&root).unwrap();
    // Whoever may open every folder sees an empty one.
    let closed = fs::read_dir(&trash).is_err();
    let (findings, left) = (report(&root, &ledger).findings, folder.passed_over());
    let mut versions = 0;
    let listed = folder.versions(&mut |_| versions += 1);
    fs::set_permissions(&trash, fs::Permissions::from_mode(0o700)).unwrap();
    assert_eq!(findings, []);
    assert!(listed.is_ok() && versions == ledger.objects.values().flatten().count());
    let mut expected = vec!["keys/._link.vkey", "ledger/acme/._link"];
    expected.extend(closed.then_some("ledger/acme/.Trashes"));
    assert_eq!(left.unwrap(), expected);
    assert_eq!(folder.keys().unwrap().len(), 1);
}
