//! The emulator's process: started in a group of its own, found again by its pid, ended with everything that it started.
//!
//! Invariant: a pid is believed only if its command line is the emulator's, so that a number which the system gave to
//! somebody else meanwhile is neither trusted nor killed.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::fault::Fault;
use crate::paths;
use crate::tools::{self, Venv};

/// The region that the local stack pretends to be in.
pub(crate) const REGION: &str = "us-east-1";
const SCRIPT: &str = "local/emulator.py";
/// How often to ask whether it is there, or gone.
const POLL: Duration = Duration::from_millis(50);
/// 30 s: it starts in half a second; a busy machine may take many times that.
const START_POLLS: u32 = 600;
/// 5 s for an orderly end.
const END_POLLS: u32 = 100;
/// 1 s for one that did not hear.
const KILL_POLLS: u32 = 20;

/// A running emulator, as `target/local/emulator.json` remembers it.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Emulator {
    pub(crate) pid: u32,
    pub(crate) endpoint: String,
    /// What it was started from; changed, and it must start again.
    launch: String,
    /// What was last deployed into it.
    pub(crate) deployed: Option<String>,
}

impl Emulator {
    /// The emulator of the last `up`, if it still runs.
    pub(crate) fn running() -> Option<Self> {
        let remembered: Self = serde_json::from_str(&paths::read(&memory())?).ok()?;
        is_ours(remembered.pid).then_some(remembered)
    }

    /// Starts it on a free loopback port and waits until it answers.
    pub(crate) fn start(venv: &Venv) -> Result<Self, Fault> {
        let launch = launch()?;
        let port = free_port()?;
        let endpoint = format!("http://127.0.0.1:{port}");
        let log_file = log();
        let state = paths::local().join("state");
        // State of an earlier run: a start is always a fresh account.
        let _ = fs::remove_dir_all(&state);
        let (log, log_again) = fs::create_dir_all(state.join("tmp"))
            .and_then(|()| File::create(&log_file))
            .and_then(|file| file.try_clone().map(|again| (file, again)))
            .map_err(|error| {
                Fault::caused_by(format!("cannot write {}", log_file.display()), error, "make room below target/")
            })?;
        let mut command = venv.command("python");
        command.arg(paths::infra(SCRIPT)).process_group(0).stdin(Stdio::null()).stdout(log).stderr(log_again);
        // Nothing of the caller's AWS settings or proxies may reach it or the functions that it runs.
        command
            .env_clear()
            .env("PATH", paths::path_with(venv.bin()))
            .envs(paths::variable("HOME").map(|home| ("HOME", home)));
        command.envs([
            ("BIND_HOST", "127.0.0.1"),
            ("MINISTACK_HOST", "127.0.0.1"),
            ("GATEWAY_PORT", &port.to_string()),
            ("AWS_ENDPOINT_URL", &endpoint),
            ("AWS_DEFAULT_REGION", REGION),
            ("MINISTACK_REGION", REGION),
            ("AWS_ACCESS_KEY_ID", "test"),
            ("AWS_SECRET_ACCESS_KEY", "test"),
            ("AWS_EC2_METADATA_DISABLED", "true"),
            // Every call of a function is held against its role in the template.
            ("AUTH", "true"),
            // Listeners that nothing here needs; the second one is not on loopback alone.
            ("SFTP_ENABLED", "0"),
            ("IOT_MTLS_ENABLED", "0"),
            ("PYTHONDONTWRITEBYTECODE", "1"),
        ]);
        command.env("STATE_DIR", &state).env("S3_DATA_DIR", state.join("s3")).env("TMPDIR", state.join("tmp"));
        let mut child = command.spawn().map_err(|error| {
            Fault::caused_by("cannot start the emulator", error, "remove target/local and run this again")
        })?;
        let emulator = Self { pid: child.id(), endpoint, launch, deployed: None };
        emulator.remember().and_then(|()| emulator.wait_until_ready(&mut child)).inspect_err(|_| give_up(&emulator))?;
        Ok(emulator)
    }

    /// Whether it was started from the files that are there now.
    pub(crate) fn is_current(&self) -> bool {
        launch().is_ok_and(|now| now == self.launch)
    }

    /// Whether it answers.
    pub(crate) fn answers(&self) -> bool {
        answers(&self.endpoint)
    }

    pub(crate) fn remember(&self) -> Result<(), Fault> {
        let text = serde_json::to_string(self)
            .map_err(|error| Fault::caused_by("cannot describe the emulator", error, "report this"))?;
        paths::write(&memory(), &text)
    }

    /// Ends it with the functions that it runs, and forgets the stack.
    pub(crate) fn end(&self) -> Result<(), Fault> {
        for (name, polls) in [("TERM", END_POLLS), ("KILL", KILL_POLLS)] {
            signal(name, self.pid);
            for _ in 0..polls {
                if !is_ours(self.pid) {
                    // Functions that outlived it are in its group still.
                    signal("KILL", self.pid);
                    for file in [memory(), paths::local().join("stack.json")] {
                        let _ = fs::remove_file(file);
                    }
                    return Ok(());
                }
                thread::sleep(POLL);
            }
        }
        let pid = self.pid;
        Err(Fault::new(format!("the emulator, process {pid}, does not end"), format!("end it: kill -s KILL -- -{pid}")))
    }

    fn wait_until_ready(&self, child: &mut Child) -> Result<(), Fault> {
        for _ in 0..START_POLLS {
            if self.answers() {
                return Ok(());
            }
            // Asked of the child itself: its command line is empty for a moment while it starts.
            if !matches!(child.try_wait(), Ok(None)) {
                break;
            }
            thread::sleep(POLL);
        }
        let said = tools::tail(&paths::read(&log()).unwrap_or_default(), 15);
        let remedy =
            format!("read {}; remove target/local/venv if a package is broken, and run this again", log().display());
        Err(Fault::new(format!("the emulator does not start:\n{said}"), remedy))
    }
}

/// Ends an emulator after a failure that is told already; that it does not end is told beside it.
pub(crate) fn give_up(emulator: &Emulator) {
    if let Err(fault) = emulator.end() {
        tools::say(&fault.to_string());
    }
}

/// Where the emulator and the functions write.
pub fn log() -> PathBuf {
    paths::local().join("ministack.log")
}

/// Whether an emulator answers at an endpoint.
pub fn answers(endpoint: &str) -> bool {
    let address = endpoint.trim_start_matches("http://");
    let ask = || -> std::io::Result<bool> {
        let mut stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(Duration::from_secs(2)))?;
        stream.write_all(
            format!("GET /_ministack/health HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").as_bytes(),
        )?;
        let mut first = [0; 12];
        stream.read_exact(&mut first)?;
        Ok(first.ends_with(b" 200"))
    };
    ask().unwrap_or(false)
}

fn memory() -> PathBuf {
    paths::local().join("emulator.json")
}

fn launch() -> Result<String, Fault> {
    let made_of = [SCRIPT, "local/conditions.py", "local/requirements.txt"].map(paths::infra);
    tools::fingerprint(&made_of.each_ref().map(PathBuf::as_path))
}

/// Another program could take the port before the emulator does; its log says so, and the next `up` takes another.
fn free_port() -> Result<u16, Fault> {
    let bound = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    bound.map(|address| address.port()).map_err(|error| {
        Fault::caused_by(
            "cannot open a port on 127.0.0.1",
            error,
            "allow this program to listen on the loopback interface",
        )
    })
}

fn is_ours(pid: u32) -> bool {
    let command_line = fs::read(format!("/proc/{pid}/cmdline")).ok().or_else(|| {
        let asked = Command::new("ps").args(["-o", "command=", "-p", &pid.to_string()]).output();
        asked.ok().map(|output| output.stdout)
    });
    command_line.is_some_and(|line| String::from_utf8_lossy(&line).contains(SCRIPT))
}

/// Signals the process group: the emulator leads one of its own.
fn signal(name: &str, pid: u32) {
    // The shell's own `kill`, as a machine may have no other; `-s`, as dash knows a negative pid only after that. It fails where nobody is left, which is what was wanted.
    let _ = Command::new("sh").args(["-c", &format!("kill -s {name} -- -{pid}")]).stderr(Stdio::null()).status();
}
