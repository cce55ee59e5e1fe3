//! `test`: every test of the workspace, then the end-to-end ones on the local stack, and one sum at the end.
//!
//! Invariant: the last line is `N passed, N failed, N skipped` over all runs, and a run that ends without saying how it
//! went counts as a failure.

use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::Stdio;

use crate::fault::Fault;
use crate::{local, paths, tools};

/// The crate of the end-to-end tests: it needs the stack, and runs after all others.
const END_TO_END: &str = "ledgerline-tests";
/// Its tests, by the names of their binaries: with `--package` Cargo would choose other features for the SDKs than the run
/// before, and build them all a second time.
const END_TO_END_TESTS: [&str; 5] = ["--workspace", "--test", "rotation", "--test", "stack"];
/// A test that could not run here prints this word first, with its reason.
const SKIPPED: &str = "SKIPPED";

/// What the runs said.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Tally {
    passed: u64,
    failed: u64,
    skipped: u64,
}

impl Tally {
    fn read(&mut self, line: &str) {
        // test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s
        if let Some(counts) =
            line.strip_prefix("test result: ").and_then(|rest| rest.split_once(". ")).map(|both| both.1)
        {
            for part in counts.split("; ") {
                let mut words = part.split(' ');
                let count = words.next().and_then(|word| word.parse::<u64>().ok()).unwrap_or(0);
                match words.next() {
                    Some("passed") => self.passed += count,
                    Some("failed") => self.failed += count,
                    Some("ignored") => self.skipped += count,
                    _ => {}
                }
            }
        } else if line.trim_start().starts_with(SKIPPED) {
            // Such a test passes in libtest's eyes; here it is what it is.
            self.skipped += 1;
            self.passed = self.passed.saturating_sub(1);
        }
    }
}

/// Runs everything. `true` if nothing failed.
///
/// # Errors
/// Cargo cannot be started; the stack cannot be started.
pub fn run() -> Result<bool, Fault> {
    let mut tally = Tally::default();
    let mut good = cargo_test(&["--workspace", "--exclude", END_TO_END], None, &mut tally)?;
    match local::up() {
        Ok(_) => good &= cargo_test(&END_TO_END_TESTS, Some(paths::stack_json()), &mut tally)?,
        Err(fault) => {
            out(&format!("the end-to-end tests did not run: {fault}"));
            tally.failed += 1;
        }
    }
    if !good && tally.failed == 0 {
        // It did not compile, or a test ended its process.
        tally.failed = 1;
    }
    out(&format!("{} passed, {} failed, {} skipped", tally.passed, tally.failed, tally.skipped));
    Ok(tally.failed == 0)
}

fn cargo_test(arguments: &[&str], stack: Option<PathBuf>, tally: &mut Tally) -> Result<bool, Fault> {
    // Nocapture would mix the tests' lines; show-output prints them after each run, and with them the skipped ones.
    let mut child = tools::cargo()
        .args(["test", "--quiet", "--no-fail-fast"])
        .args(arguments)
        .args(["--", "--show-output"])
        .current_dir(paths::root())
        .envs(stack.map(|path| (paths::STACK_VARIABLE, path)))
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| Fault::caused_by("cannot start cargo", error, "put cargo on PATH"))?;
    if let Some(lines) = child.stdout.take() {
        for line in BufReader::new(lines).split(b'\n').map_while(Result::ok) {
            let line = String::from_utf8_lossy(&line).into_owned();
            tally.read(&line);
            out(&line);
        }
    }
    let ended = child.wait().map_err(|error| Fault::caused_by("cargo test was lost", error, "run it again"))?;
    Ok(ended.success())
}

fn out(line: &str) {
    // A closed standard output is no reason to leave tests unrun.
    let _ = writeln!(std::io::stdout().lock(), "{line}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_over_runs_and_takes_skipped_ones_out_of_the_passed() {
        let mut tally = Tally::default();
        for line in [
            "test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s",
            "SKIPPED: LEDGERLINE_CORPUS is not set",
            "test result: FAILED. 5 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.10s",
            "all 9 passed; nothing else",
        ] {
            tally.read(line);
        }
        assert_eq!(tally, Tally { passed: 7, failed: 2, skipped: 2 });
    }
}
