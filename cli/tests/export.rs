//! Exported folders for the command to read, and the other implementation that reads them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::builder::Ledger;

/// An empty folder of one test's own.
pub(crate) fn folder(place: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(place);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

/// A ledger, exported into a folder, its keys in a file of this name.
pub(crate) fn export(root: &Path, ledger: &Ledger, file: &str, keys: &str) {
    fs::create_dir_all(root.join("keys")).unwrap();
    ledger.export(root);
    fs::write(root.join("keys").join(file), keys).unwrap();
}

/// The other implementation's exit code for a folder: Python's hashlib and `cryptography`.
pub(crate) struct Python(PathBuf);

impl Python {
    /// `None`, said loudly, where its interpreter and `cryptography` are not.
    pub(crate) fn here() -> Option<Self> {
        let local = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/local/venv/bin/python");
        let python = if local.exists() { local } else { PathBuf::from("python3") };
        let has = Command::new(&python).args(["-c", "import cryptography"]).output();
        if has.is_ok_and(|output| output.status.success()) {
            return Some(Self(python));
        }
        eprintln!("SKIPPED: no Python with `cryptography`; `cargo xtask up` makes one");
        None
    }

    pub(crate) fn verify(&self, root: &Path, arguments: &[&str]) -> Option<i32> {
        self.run("verify_export.py", &[&[root.to_str().unwrap()], arguments].concat())
    }

    /// The exit code of one of the scripts.
    pub(crate) fn run(&self, script: &str, arguments: &[&str]) -> Option<i32> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests").join(script);
        Command::new(&self.0).arg(&script).args(arguments).output().unwrap().status.code()
    }
}
