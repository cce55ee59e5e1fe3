//! `up` and `down`: the local stack, made of the same template and the same binaries as the one in AWS.
//!
//! Invariant: `up` may be run at any time. What is there and current is left alone, what changed is deployed again, what
//! failed leaves no emulator behind.

use std::fs::{self, File};
use std::path::PathBuf;

use crate::emulator::{self, Emulator};
use crate::fault::Fault;
use crate::paths;
use crate::stack::Stack;
use crate::tools::{self, Venv, say};

/// The functions: each is a binary, and a directory below `functions/`.
pub const FUNCTIONS: [&str; 7] = ["ingest", "transform", "audit-write", "dsar", "redrive", "sweep", "verify"];

/// Brings the local stack up to the state of the working tree.
///
/// # Errors
/// Whatever is missing, with its remedy.
pub fn up() -> Result<Stack, Fault> {
    let _one_at_a_time = lock()?;
    let venv = Venv::stack()?;
    build(&venv)?;
    let mut emulator = match Emulator::running() {
        Some(running) if running.is_current() && running.answers() => running,
        Some(outdated) => {
            say("restarting the emulator");
            outdated.end()?;
            Emulator::start(&venv)?
        }
        None => Emulator::start(&venv)?,
    };
    let wanted = deployment()?;
    if emulator.deployed.as_deref() == Some(wanted.as_str()) && paths::local().join("stack.json").exists() {
        say(&format!("the local stack is up at {}, nothing changed", emulator.endpoint));
        return Stack::load_from(&paths::local().join("stack.json"));
    }
    deploy(&venv, &emulator).inspect_err(|_| emulator::give_up(&emulator))?;
    emulator.deployed = Some(wanted);
    emulator.remember()?;
    let stack = Stack::load_from(&paths::local().join("stack.json"))?;
    say(&format!(
        "the local stack is up at {}, described by {}",
        emulator.endpoint,
        paths::local().join("stack.json").display()
    ));
    Ok(stack)
}

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

/// Builds the functions for Lambda, as far as their sources changed.
///
/// # Errors
/// What the compiler says.
pub fn build(venv: &Venv) -> Result<(), Fault> {
    let mut cargo = tools::cargo();
    cargo.args(["lambda", "build", "--release"]);
    // By package: what else is in the workspace must not decide over the features of what is deployed.
    cargo.args(FUNCTIONS.iter().flat_map(|function| ["--package".to_owned(), format!("ledgerline-{function}")]));
    cargo.args(FUNCTIONS.iter().flat_map(|function| ["--bin", function]));
    cargo.current_dir(paths::root()).env("PATH", paths::path_with(venv.bin()));
    if !functions_directory().join(FUNCTIONS[0]).join("bootstrap").exists() {
        say("building the functions for Amazon Linux (the first time takes some minutes)");
    }
    tools::run_watched(&mut cargo, "functions", || "repair what the compiler names, and run this again".to_owned())
}

/// Where `cargo lambda build` puts each function's `bootstrap`.
pub fn functions_directory() -> PathBuf {
    paths::target().join("lambda")
}

fn deploy(venv: &Venv, emulator: &Emulator) -> Result<(), Fault> {
    let mut script = venv.command("python");
    script.arg(paths::infra("local/deploy.py"));
    script.args(["--endpoint", &emulator.endpoint, "--region", emulator::REGION, "--pid", &emulator.pid.to_string()]);
    script.arg("--template").arg(paths::infra("template.yaml"));
    script.arg("--functions").arg(functions_directory());
    script.arg("--out").arg(paths::local().join("stack.json"));
    script.env("NO_PROXY", "127.0.0.1");
    tools::run(&mut script, || {
        format!("repair the template where it is named; the emulator's side of it is in {}", emulator::log().display())
    })?;
    Ok(())
}

/// What a deployment is made of.
fn deployment() -> Result<String, Fault> {
    let functions = FUNCTIONS.map(|function| functions_directory().join(function).join("bootstrap"));
    let described = [paths::infra("template.yaml"), paths::infra("local/deploy.py")];
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
