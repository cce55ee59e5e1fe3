//! Files that a file manager leaves in a folder that it shows, or beside each file that it copies.
//!
//! Invariant: they are told by where they lie and never opened, so that nothing in one counts; and no file that lies
//! where an object of the ledger lies is one of them. The last part of a key is `checkpoint`, a number or
//! `<number>-….jsonl.gz`, so that no name here is one. An org, the first part, may be called anything (`.Trashes`,
//! too), and therefore each path is held against the form of keys before it is passed over. What a list of versions
//! names is evidence or a contradiction, whatever it is called: these are only ever files that no list names.

use super::inventory::is_key;

/// Whether a file or a folder of this name is a file manager's or a file system's own, wherever it lies.
pub fn is_file_managers(name: &str) -> bool {
    // AppleDouble: on a disk that cannot keep a file's attributes, macOS writes them beside it.
    name.starts_with("._")
        || name.ends_with(ZONE)
        || name.starts_with(TRASH_OF)
        || is_one_of(&FILES, name)
        || is_one_of(&FOLDERS, name)
}

/// Whether the file at a path below the folder, with slashes, is a file manager's: by its own name or by a folder's
/// that it lies in.
pub(super) fn is_left_by_one(path: &str) -> bool {
    let mut names = path.rsplit('/');
    let itself = names.next().is_some_and(is_file_managers);
    let mut within = || names.any(|name| is_one_of(&FOLDERS, name) || name.starts_with(TRASH_OF));
    // A version that is not the latest lies at its key, an @ and the version's id; no key has an @.
    let key = || path.strip_prefix("versions/").map_or(path, |path| path.split_once('@').map_or(path, |(key, _)| key));
    (itself || within()) && !is_key(key())
}

/// Windows spells some of them with capitals now and then.
fn is_one_of(names: &[&str], name: &str) -> bool {
    names.iter().any(|known| known.eq_ignore_ascii_case(name))
}

/// What Finder, Windows Explorer and KDE's file managers write into a folder.
const FILES: [&str; 11] = [
    ".DS_Store",
    ".localized",
    ".apdisk",
    ".LSOverride",
    ".VolumeIcon.icns",
    "Icon\r",
    "Thumbs.db",
    "ehthumbs.db",
    "ehthumbs_vista.db",
    "desktop.ini",
    ".directory",
];

/// What archives made on a Mac, disks of Macs, Windows and Linux, and file servers have beside what was put there.
const FOLDERS: [&str; 17] = [
    "__MACOSX",
    ".Spotlight-V100",
    ".Trashes",
    ".Trash",
    ".fseventsd",
    ".TemporaryItems",
    ".DocumentRevisions-V100",
    ".AppleDouble",
    ".AppleDB",
    ".AppleDesktop",
    "Network Trash Folder",
    "Temporary Items",
    "$RECYCLE.BIN",
    "System Volume Information",
    "lost+found",
    "@eaDir",
    "#recycle",
];
/// Linux desktops' trash on a disk; the user's number follows.
const TRASH_OF: &str = ".Trash-";
/// Where Windows' mark of what was downloaded becomes a file of its own, on a disk of another system.
const ZONE: &str = ":Zone.Identifier";

#[cfg(test)]
mod tests {
    use super::*;

    const KEYS: [&str; 5] = [
        "checkpoint",
        "checkpoints/00000000000000000100",
        "tile/0/000",
        "tile/1/x001/x234/067.p/8",
        "segment/00000000000000000000-5-0123456789abcdef.jsonl.gz",
    ];

    #[test]
    fn a_file_managers_file_is_told_by_its_name() {
        for path in [
            "ledger/.DS_Store",
            "ledger/acme/interaction/1/0/segment/.ds_store",
            "ledger/acme/interaction/1/0/segment/._00000000000000000000-5-0123456789abcdef.jsonl.gz",
            "versions/ledger/acme/interaction/1/0/tile/0/._000@v.1",
            "versions/THUMBS.DB",
            "keys/._dep-1_acme_interaction_1_0.vkey",
            "keys/Desktop.ini",
            "keys/a.vkey:Zone.Identifier",
            "ledger/acme/@eaDir/interaction@SynoEAStream",
            "versions/ledger/@eaDir/a",
            "ledger/acme/interaction/1/0/.AppleDouble/checkpoint",
            "ledger/__MACOSX/acme/notes.txt",
            "keys/.Trash-1000/files/a.vkey",
        ] {
            assert!(is_left_by_one(path), "{path}");
        }
        for path in [
            "ledger/notes.txt",
            "ledger/.hidden",
            "ledger/acme/DS_Store",
            "ledger/acme/x._checkpoint",
            "ledger/acme/.DS_Store.bak",
            "ledger/acme/interaction/1/0/tile/9/000",
            "ledger/.DS_Store/notes.txt",
            "ledger/._acme/notes.txt",
            "keys/a.vkey",
        ] {
            assert!(!is_left_by_one(path), "{path}");
        }
    }

    #[test]
    fn no_object_of_the_ledger_is_passed_over_whatever_its_org_is_called() {
        let orgs = FILES.iter().chain(&FOLDERS).copied().chain(["._acme", ".Trash-1000", "acme"]);
        // Spaces and other signs are in no org's name.
        let named = orgs.filter(|org| is_key(&format!("ledger/{org}/interaction/1/0/checkpoint")));
        let named: Vec<&str> = named.collect();
        assert!(named.contains(&".Trashes") && named.contains(&"__MACOSX") && named.contains(&"._acme"), "{named:?}");
        for org in named {
            for rest in KEYS {
                let key = format!("ledger/{org}/interaction/1/0/{rest}");
                assert!(!is_left_by_one(&key), "{key}");
                for id in ["v1", "._v1", "a@b.DS_Store"] {
                    let other = format!("versions/{key}@{id}");
                    assert!(!is_left_by_one(&other), "{other}");
                }
            }
        }
    }

    #[test]
    fn no_key_ends_in_such_a_name() {
        for rest in KEYS {
            let key = format!("ledger/acme/interaction/1/0/{rest}");
            let (folder, name) = key.rsplit_once('/').unwrap();
            assert!(is_key(&key) && !is_file_managers(name));
            for name in FILES.iter().chain(&FOLDERS).map(|name| (*name).to_owned()).chain([format!("._{name}")]) {
                assert!(!is_key(&format!("{folder}/{name}")), "{folder}/{name}");
            }
        }
    }
}
