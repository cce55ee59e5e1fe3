//! Other makers' readers of event logs, each in an environment of its own.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use xtask::tools::Venv;

use crate::stack::skipped;

/// What tests/mining.py prints; `None`, said loudly, where its packages cannot be had.
///
/// # Panics
/// If it fails.
pub fn python(arguments: &[&str]) -> Option<Value> {
    match Venv::mining(&tests().join("requirements-mining.txt")) {
        Ok(venv) => Some(ran(venv.command("python"), arguments)),
        Err(fault) => {
            skipped(&format!("pm4py and r4pm cannot be installed: {fault}").replace('\n', " "));
            None
        }
    }
}

/// The same with DuckDB, as the figures' tests have it.
///
/// # Panics
/// If its environment cannot be made, or it fails.
pub fn duckdb(arguments: &[&str]) -> Value {
    let venv = Venv::tests(&tests().join("requirements.txt")).unwrap_or_else(|fault| panic!("{fault}"));
    ran(venv.command("python"), arguments)
}

fn ran(mut command: Command, arguments: &[&str]) -> Value {
    let ran = command.arg(tests().join("mining.py")).args(arguments).output().unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    serde_json::from_slice(&ran.stdout).unwrap()
}

fn tests() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}
