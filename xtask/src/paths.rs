//! Where things lie, and the only reader of the environment in here.
//!
//! Everything that a command makes is below `target/`, so that `cargo clean` removes it; Cargo tools alone are kept in the user's cache.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use crate::fault::Fault;

/// Environment variable that names another stack's `stack.json`.
pub const STACK_VARIABLE: &str = "LEDGERLINE_STACK";

/// The root of the checkout.
pub fn root() -> PathBuf {
    // Set by `cargo run` and `cargo test`; a binary that is started by hand knows where it was built.
    let manifest =
        variable("CARGO_MANIFEST_DIR").map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    let found = manifest.ancestors().find(|directory| directory.join("infra/template.yaml").is_file());
    found.map_or_else(|| manifest.clone(), Path::to_path_buf)
}

/// Cargo's target directory.
pub fn target() -> PathBuf {
    variable("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), |set| root().join(PathBuf::from(set)))
}

/// Where programs that outlive a checkout are kept; `None` where the user has no cache.
pub fn cache() -> Option<PathBuf> {
    let named = variable("XDG_CACHE_HOME").map(PathBuf::from);
    let folder = named.or_else(|| variable("HOME").map(|home| PathBuf::from(home).join(".cache")))?;
    folder.is_dir().then(|| folder.join("ledgerline"))
}

/// What the local stack keeps: its environment, its log, `stack.json`.
pub fn local() -> PathBuf {
    target().join("local")
}

/// The stack to talk to: `LEDGERLINE_STACK`, or the local one.
pub fn stack_json() -> PathBuf {
    variable(STACK_VARIABLE).map_or_else(|| local().join("stack.json"), PathBuf::from)
}

/// A file of the deployment's description.
pub fn infra(file: &str) -> PathBuf {
    root().join("infra").join(file)
}

/// An environment variable that is set and not empty.
#[expect(clippy::disallowed_methods, reason = "the commands are read from the environment here and nowhere else")]
pub fn variable(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}

/// `PATH` with `first` before everything else.
pub fn path_with(first: &Path) -> OsString {
    let rest = env::var_os("PATH").unwrap_or_default();
    let all = std::iter::once(first.to_path_buf()).chain(env::split_paths(&rest));
    // Unwrap safety: the fallback is the path as it was; joining fails only where a directory's name holds the separator.
    env::join_paths(all).unwrap_or(rest)
}

/// Reads a small text file; `None` where there is none.
pub fn read(path: &Path) -> Option<String> {
    fs::read_to_string(path).ok()
}

/// Writes a file whole or not at all, making its directory.
///
/// # Errors
/// The disk's.
pub fn write(path: &Path, content: &str) -> Result<(), Fault> {
    let partial = path.with_extension("partial");
    let written = path
        .parent()
        .map_or(Ok(()), fs::create_dir_all)
        .and_then(|()| fs::write(&partial, content))
        .and_then(|()| fs::rename(&partial, path));
    written.map_err(|error| {
        Fault::caused_by(
            format!("cannot write {}", path.display()),
            error,
            "make room or permission for it below target/",
        )
    })
}
