//! The programs that the commands need and a machine with Rust and Python 3 does not have yet.
//!
//! Invariant: each is pinned, and is made again when its pin changes: a stamp beside it holds what it was made from. All live below
//! `target/`, but for Cargo's tools: those take minutes to build and are the same for every checkout, so that they are kept in the
//! user's cache, where there is one.

use std::ffi::OsString;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use indicatif::ProgressBar;
use sha2::{Digest, Sha256};

use crate::fault::Fault;
use crate::paths;

/// What `cargo run` says of this package to the process that it starts. Build scripts that ask for the same names (ring's
/// does) count as changed under a Cargo that inherits them: whatever hangs on them would be built again by turns.
const OF_THIS_PACKAGE: [&str; 7] = [
    "CARGO_MANIFEST_DIR",
    "CARGO_MANIFEST_LINKS",
    "CARGO_PKG_NAME",
    "CARGO_PKG_VERSION_MAJOR",
    "CARGO_PKG_VERSION_MINOR",
    "CARGO_PKG_VERSION_PATCH",
    "CARGO_PKG_VERSION_PRE",
];

/// The oldest Python that the pinned packages run on.
const PYTHON_MINOR: u32 = 10;

/// A virtual environment of Python.
#[derive(Debug, Clone)]
pub struct Venv {
    bin: PathBuf,
}

impl Venv {
    /// The stack's environment, made if it is missing or its requirements changed.
    ///
    /// # Errors
    /// Python is missing or too old, or its packages cannot be fetched.
    pub fn stack() -> Result<Self, Fault> {
        Self::make("venv", &paths::infra("local/requirements.txt"))
    }

    /// The linters' environment.
    ///
    /// # Errors
    /// As [`Venv::stack`].
    pub fn lint() -> Result<Self, Fault> {
        Self::make("venv-lint", &paths::infra("local/requirements-lint.txt"))
    }

    /// The environment of a bench's own Python, with the packages that `pins` names.
    ///
    /// # Errors
    /// As [`Venv::stack`].
    pub fn bench(pins: &Path) -> Result<Self, Fault> {
        Self::make("venv-bench", pins)
    }

    /// The environment of the end-to-end tests' own Python, with the packages that `pins` names.
    ///
    /// # Errors
    /// As [`Venv::stack`].
    pub fn tests(pins: &Path) -> Result<Self, Fault> {
        Self::make("venv-tests", pins)
    }

    /// The environment in which other makers' tools read event logs, with the packages that `pins` names.
    ///
    /// # Errors
    /// As [`Venv::stack`].
    pub fn mining(pins: &Path) -> Result<Self, Fault> {
        Self::make("venv-mining", pins)
    }

    fn make(name: &str, pins: &Path) -> Result<Self, Fault> {
        let directory = paths::local().join(name);
        let venv = Self { bin: directory.join("bin") };
        let wanted = fingerprint(&[pins])?;
        let stamp = directory.join("stamp");
        if paths::read(&stamp).as_deref() == Some(wanted.as_str()) && venv.bin.join("python").exists() {
            return Ok(venv);
        }
        python_version()?;
        say(&format!("making {} from {} (once; a minute or two)", directory.display(), pins.display()));
        // What is left of an interrupted attempt would look complete to pip.
        let _ = fs::remove_dir_all(&directory);
        run(Command::new("python3").args(["-m", "venv"]).arg(&directory), || {
            "Python's venv module is missing or broken: install it (Debian, Ubuntu: apt install python3-venv)"
                .to_owned()
        })?;
        let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input", "-r"];
        run(venv.command("python").args(pip).arg(pins), || {
            "the packages come from PyPI: check the network, or set PIP_INDEX_URL to a mirror, and run this again"
                .to_owned()
        })?;
        paths::write(&stamp, &wanted)?;
        Ok(venv)
    }

    /// A command of this environment, which finds its other programs first.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.bin.join(program));
        command.env("PATH", paths::path_with(&self.bin)).env("PYTHONDONTWRITEBYTECODE", "1");
        command
    }

    /// Where its programs lie.
    pub fn bin(&self) -> &Path {
        &self.bin
    }
}

/// Cargo, as from a shell: without what its caller says of this package.
pub fn cargo() -> Command {
    let mut cargo = Command::new("cargo");
    for name in OF_THIS_PACKAGE {
        cargo.env_remove(name);
    }
    cargo
}

/// Builds a program of the workspace as far as its sources changed. Returns where it is.
///
/// # Errors
/// What the compiler says.
pub fn build_program(name: &str) -> Result<PathBuf, Fault> {
    let program = paths::target().join("debug").join(name);
    if !program.exists() {
        say(&format!("building {name} (the first time takes some minutes)"));
    }
    let mut build = cargo();
    // By the whole workspace's features, as its tests are: what they share is built once.
    build.args(["build", "--workspace", "--bin", name]).current_dir(paths::root());
    run_watched(&mut build, name, || "repair what the compiler names, and run this again".to_owned())?;
    Ok(program)
}

/// The same, and becomes it. Returns only if that fails.
pub fn become_program(package: &str, arguments: &[OsString]) -> Fault {
    let program = match build_program(package) {
        Ok(program) => program,
        Err(fault) => return fault,
    };
    let failed = Command::new(&program).args(arguments).exec();
    Fault::caused_by(format!("cannot start {}", program.display()), failed, "build into this checkout's own target/")
}

/// A Cargo tool, installed by its version in the user's cache, where there is one, or else below `target/`.
///
/// # Errors
/// It cannot be fetched or built.
pub fn cargo_tool(name: &str, version: &str, arguments: &[&str]) -> Result<PathBuf, Fault> {
    let home = paths::cache().unwrap_or_else(paths::target).join("tools").join(format!("{name}-{version}"));
    let binary = home.join("bin").join(name);
    let stamp = home.join("stamp");
    let wanted = arguments.join(" ");
    if binary.exists() && paths::read(&stamp).as_deref() == Some(wanted.as_str()) {
        return Ok(binary);
    }
    say(&format!("building {name} {version} into {} (once; some minutes)", home.display()));
    let mut install = cargo();
    // In the profile that builds quickest: each runs for seconds.
    install.args(["install", "--debug", "--quiet", "--locked", "--force", "--root"]).arg(&home);
    // Its own target directory, kept: an interrupted build goes on where it stopped.
    let build = paths::target().join("tools").join("build");
    install.args(["--version", version, name]).args(arguments).env("CARGO_TARGET_DIR", build);
    run_watched(&mut install, name, || {
        "the tool comes from crates.io: check the network and run this again".to_owned()
    })?;
    paths::write(&stamp, &wanted)?;
    Ok(binary)
}

/// Runs a command, and says what it wrote if it failed.
///
/// # Errors
/// It cannot be started, or it failed.
pub fn run(command: &mut Command, remedy: impl FnOnce() -> String) -> Result<Output, Fault> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.stdin(Stdio::null()).output().map_err(|error| {
        Fault::caused_by(format!("cannot start {name}"), error, "install it, or check that it may be executed")
    })?;
    if output.status.success() {
        return Ok(output);
    }
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    Err(Fault::new(format!("{name} failed ({}):\n{}", output.status, tail(&said, 40)), remedy()))
}

/// As [`run`], for what takes minutes: shows the last line that the command says while it works, where there is a terminal.
///
/// # Errors
/// As [`run`].
pub fn run_watched(command: &mut Command, label: &str, remedy: impl FnOnce() -> String) -> Result<(), Fault> {
    let name = command.get_program().to_string_lossy().into_owned();
    let started = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn();
    let mut child = started.map_err(|error| {
        Fault::caused_by(format!("cannot start {name}"), error, "install it, or check that it may be executed")
    })?;
    let spinner = ProgressBar::new_spinner().with_message(label.to_owned());
    spinner.enable_steady_tick(Duration::from_millis(120));
    let mut said = String::new();
    if let Some(lines) = child.stderr.take() {
        for line in BufReader::new(lines).split(b'\n').map_while(Result::ok) {
            let line = String::from_utf8_lossy(&line).into_owned();
            spinner.set_message(format!("{label}: {}", line.trim()));
            said.push_str(&line);
            said.push('\n');
        }
    }
    spinner.finish_and_clear();
    let status = child.wait().map_err(|error| Fault::caused_by(format!("{name} was lost"), error, "run it again"))?;
    if status.success() {
        Ok(())
    } else {
        Err(Fault::new(format!("{name} failed ({status}):\n{}", tail(&said, 40)), remedy()))
    }
}

/// The last lines of a text.
pub fn tail(text: &str, lines: usize) -> String {
    let all: Vec<&str> = text.lines().collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}

/// SHA-256 over files, in hex.
///
/// # Errors
/// One cannot be read.
pub fn fingerprint(files: &[&Path]) -> Result<String, Fault> {
    let mut hash = Sha256::new();
    for file in files {
        let content = fs::read(file).map_err(|error| {
            Fault::caused_by(format!("cannot read {}", file.display()), error, "restore it with git checkout")
        })?;
        hash.update((content.len() as u64).to_be_bytes());
        hash.update(&content);
    }
    Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Tells the person at the terminal what goes on. Standard output is for results.
pub fn say(line: &str) {
    // A closed standard error is no reason to stop.
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}

fn python_version() -> Result<(), Fault> {
    let remedy = || format!("install Python 3.{PYTHON_MINOR} or newer, so that `python3` starts it");
    let asked = run(Command::new("python3").args(["-c", "import sys; print(*sys.version_info[:2])"]), remedy)?;
    let answer = String::from_utf8_lossy(&asked.stdout);
    let mut numbers = answer.split_whitespace().map(|number| number.parse::<u32>().unwrap_or(0));
    match (numbers.next(), numbers.next()) {
        (Some(3), Some(minor)) if minor >= PYTHON_MINOR => Ok(()),
        _ => Err(Fault::new(format!("python3 is {}", answer.trim().replace(' ', ".")), remedy())),
    }
}
