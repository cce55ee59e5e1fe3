//! `test`: every test of the workspace, the end-to-end ones on the local stack among them, and one sum at the end. Everything is built
//! once, with one choice of features. What the functions' tests called is held against the template's roles ([`crate::permissions`]), each
//! difference being a failed test; `roles` runs no more than is needed for that.
//!
//! Invariant: the last line is `N passed, N failed, N skipped` over all runs, and a run that ends without saying how it
//! went counts as a failure.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::Stdio;

use crate::fault::Fault;
use crate::{local, paths, permissions, tools};

/// The functions' own tests. By the names of their binaries: with `--package` Cargo would choose other features, and build the SDKs once
/// more.
const OF_FUNCTIONS: [&str; 21] = [
    "--workspace",
    "--test",
    "planning",
    "--test",
    "appending",
    "--test",
    "verifying",
    "--test",
    "access",
    "--test",
    "asking",
    "--test",
    "capturing",
    "--test",
    "serving",
    "--test",
    "redrive",
    "--test",
    "sweeping",
    "--test",
    "computing",
];
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

    /// Says the sum; `true` if nothing failed.
    fn sum_up(mut self, good: bool) -> bool {
        if !good && self.failed == 0 {
            // It did not compile, or a test ended its process.
            self.failed = 1;
        }
        out(&format!("{} passed, {} failed, {} skipped", self.passed, self.failed, self.skipped));
        self.failed == 0
    }
}

/// Runs everything. `true` if nothing failed.
///
/// # Errors
/// Cargo cannot be started.
pub fn run() -> Result<bool, Fault> {
    let mut tally = Tally::default();
    let built = tools::cargo().args(["test", "--quiet", "--workspace", "--no-run"]).current_dir(paths::root()).status();
    let built = built.map_err(|error| Fault::caused_by("cannot start cargo", error, "put cargo on PATH"))?;
    if !built.success() {
        return Ok(tally.sum_up(false));
    }
    let stack = local::up_as_built().map(|_| (paths::STACK_VARIABLE, paths::stack_json()));
    if let Err(fault) = &stack {
        out(&format!("the end-to-end tests do not run: {fault}"));
        tally.failed += 1;
    }
    let good = held_against_roles(&["--workspace"], stack.ok(), &mut tally)?;
    Ok(tally.sum_up(good))
}

/// Runs the functions' tests and holds what they called against the roles. `true` if nothing failed and nothing differs.
///
/// # Errors
/// Cargo cannot be started; the template cannot be translated.
pub fn roles() -> Result<bool, Fault> {
    let mut tally = Tally::default();
    let good = held_against_roles(&OF_FUNCTIONS, None, &mut tally)?;
    Ok(tally.sum_up(good))
}

fn held_against_roles(arguments: &[&str], stack: Option<(&str, PathBuf)>, tally: &mut Tally) -> Result<bool, Fault> {
    let touched = paths::target().join("touched");
    // What is left of a former run would excuse what nothing needs any more.
    let _ = fs::remove_dir_all(&touched);
    fs::create_dir_all(&touched).map_err(|error| {
        Fault::caused_by(format!("cannot make {}", touched.display()), error, "make room or permission for it")
    })?;
    let variables = stack.into_iter().chain([(permissions::FOLDER_VARIABLE, touched.clone())]);
    if !cargo_test(arguments, variables, tally)? {
        out("the roles were not looked at: tests that failed may have called less than they would");
        return Ok(false);
    }
    let differences = permissions::differences(&touched)?;
    differences.iter().for_each(|difference| out(difference));
    tally.failed += differences.len() as u64;
    Ok(true)
}

fn cargo_test<'v>(
    arguments: &[&str],
    variables: impl Iterator<Item = (&'v str, PathBuf)>,
    tally: &mut Tally,
) -> Result<bool, Fault> {
    // Nocapture would mix the tests' lines; show-output prints them after each run, and with them the skipped ones.
    let mut child = tools::cargo()
        .args(["test", "--quiet", "--no-fail-fast"])
        .args(arguments)
        .args(["--", "--show-output"])
        .current_dir(paths::root())
        .envs(variables)
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
