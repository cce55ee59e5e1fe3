//! `up` and `down`: the local stack, made of the same template as the one in AWS, and of the functions as the tests build them.
//!
//! Invariant: `up` may be run at any time. What is there and current is left alone, what changed is deployed again, what
//! failed leaves no emulator behind.

use std::fs::{self, File};
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::Value;

use crate::emulator::{self, Emulator};
use crate::fault::Fault;
use crate::paths;
use crate::tools::{self, Venv, say};

/// The functions: each is a binary, and a directory below `functions/`.
pub const FUNCTIONS: [&str; 12] = [
    "ingest",
    "transform",
    "audit-write",
    "authorizer",
    "dsar",
    "capture",
    "requests",
    "insight",
    "redrive",
    "sweep",
    "verify",
    "gold",
];

/// Brings the local stack up to the state of the working tree. Returns where it is described.
///
/// # Errors
/// Whatever is missing, with its remedy.
pub fn up() -> Result<PathBuf, Fault> {
    let _one_at_a_time = lock()?;
    build()?;
    bring_up()
}

/// The same, with the functions as `cargo test` has just built them beside the tests: `cargo build` would choose other features, and
/// build half of the workspace once more.
///
/// # Errors
/// As [`up`].
pub fn up_as_built() -> Result<PathBuf, Fault> {
    let _one_at_a_time = lock()?;
    bring_up()
}

/// Its caller holds the lock.
fn bring_up() -> Result<PathBuf, Fault> {
    let venv = Venv::stack()?;
    let mut emulator = match Emulator::running() {
        Some(running) if running.is_current() && running.answers() => running,
        Some(outdated) => {
            say("restarting the emulator");
            outdated.end()?;
            Emulator::start(&venv)?
        }
        None => Emulator::start(&venv)?,
    };
    let (wanted, described) = (deployment()?, paths::local().join("stack.json"));
    let is_current = emulator.deployed.as_deref() == Some(wanted.as_str());
    if is_current && paths::read(&described).is_some_and(|stack| tokens_hold(&stack)) {
        say(&format!("the local stack is up at {}, nothing changed", emulator.endpoint));
        return Ok(described);
    }
    deploy(&venv, &emulator).inspect_err(|_| emulator::give_up(&emulator))?;
    emulator.deployed = Some(wanted);
    emulator.remember()?;
    say(&format!("the local stack is up at {}, described by {}", emulator.endpoint, described.display()));
    Ok(described)
}

/// Whether the tokens in `stack.json` hold for some hours more: whoever starts the stack in the morning works with them until the evening.
fn tokens_hold(stack: &str) -> bool {
    let stack: Value = serde_json::from_str(stack).unwrap_or_default();
    let until = stack["tokensUntil"].as_u64().unwrap_or_default();
    #[expect(clippy::disallowed_methods, reason = "the commands have no clock but the machine's")]
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(u64::MAX, |since| since.as_secs());
    now.saturating_add(TOKENS_LEFT_SECONDS) < until
}

/// Half of a token's life, as infra/local/issuer.py has it.
const TOKENS_LEFT_SECONDS: u64 = 6 * 3600;

/// Ends the local stack. Everything in it is gone.
///
/// # Errors
/// The emulator does not end.
pub fn down() -> Result<(), Fault> {
    let _one_at_a_time = lock()?;
    match Emulator::running() {
        Some(running) => {
            running.end()?;
            say("the local stack is down");
        }
        None => say("the local stack is not up"),
    }
    Ok(())
}

/// Builds the functions for this machine, as far as their sources changed, with what the tests and the tools are built from.
fn build() -> Result<(), Fault> {
    let mut cargo = tools::cargo();
    cargo.args(["build", "--workspace"]).args(FUNCTIONS.iter().flat_map(|function| ["--bin", function]));
    cargo.current_dir(paths::root());
    if FUNCTIONS.iter().any(|function| !program(function).exists()) {
        say("building the functions (the first time takes some minutes)");
    }
    tools::run_watched(&mut cargo, "functions", || REPAIR.to_owned())
}

/// A function's binary, as the local stack runs it.
pub fn program(function: &str) -> PathBuf {
    paths::target().join("debug").join(function)
}

/// Builds the functions for Lambda, as far as their sources changed.
///
/// # Errors
/// What the compiler says.
pub fn build_for_lambda(venv: &Venv) -> Result<(), Fault> {
    let mut cargo = tools::cargo();
    cargo.args(["lambda", "build", "--release"]);
    // By package: what else is in the workspace must not decide over the features of what is deployed.
    cargo.args(FUNCTIONS.iter().flat_map(|function| ["--package".to_owned(), format!("ledgerline-{function}")]));
    cargo.args(FUNCTIONS.iter().flat_map(|function| ["--bin", function]));
    cargo.current_dir(paths::root()).env("PATH", paths::path_with(venv.bin()));
    if !bootstrap(FUNCTIONS[0]).exists() {
        say("building the functions for Amazon Linux (the first time takes some minutes)");
    }
    tools::run_watched(&mut cargo, "functions", || REPAIR.to_owned())
}

const REPAIR: &str = "repair what the compiler names, and run this again";

/// Where `cargo lambda build` puts a function.
pub fn bootstrap(function: &str) -> PathBuf {
    paths::target().join("lambda").join(function).join("bootstrap")
}

fn deploy(venv: &Venv, emulator: &Emulator) -> Result<(), Fault> {
    let mut script = venv.command("python");
    script.arg(paths::infra("local/deploy.py"));
    script.args(["--endpoint", &emulator.endpoint, "--region", emulator::REGION, "--pid", &emulator.pid.to_string()]);
    script.arg("--template").arg(paths::infra("template.yaml"));
    script.arg("--functions").arg(paths::target().join("debug"));
    script.arg("--out").arg(paths::local().join("stack.json"));
    script.env("NO_PROXY", "127.0.0.1");
    tools::run(&mut script, || {
        format!("repair the template where it is named; the emulator's side of it is in {}", emulator::log().display())
    })?;
    Ok(())
}

/// What a deployment is made of.
fn deployment() -> Result<String, Fault> {
    let functions = FUNCTIONS.map(program);
    let described = ["template.yaml", "local/deploy.py", "local/capture.py", "local/issuer.py"].map(paths::infra);
    let files: Vec<_> = functions.iter().chain(&described).map(PathBuf::as_path).collect();
    tools::fingerprint(&files)
}

/// Held while the stack is changed; the system lets go of it however this process ends.
fn lock() -> Result<File, Fault> {
    let path = paths::local().join("lock");
    let locked = fs::create_dir_all(paths::local()).and_then(|()| File::create(&path)).and_then(|file| {
        file.lock()?;
        Ok(file)
    });
    locked.map_err(|error| Fault::caused_by(format!("cannot lock {}", path.display()), error, "make target/ writable"))
}
