//! A plain Python handler beside ours: what the guides' Lambdas do, written as a Python engineer would, over the same bytes.
//!
//! Invariant: it runs in turns with ours, in the same minute, and measures the CPU time of its handler alone; every turn must have
//! made as many of everything as ours did, or nothing is printed. Of `json` and `orjson` the quicker one counts.

use std::fmt;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};
use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;
use xtask::fault::Fault;
use xtask::paths;
use xtask::tools::Venv;

use super::pair::Pair;

const LIBRARIES: [&str; 2] = ["json", "orjson"];

/// A handler's process, and what its turns took.
pub(super) struct Plain {
    child: Child,
    asked: ChildStdin,
    answers: BufReader<ChildStdout>,
    /// By library. The first turn of each warms it up.
    times: [Vec<Duration>; 2],
    /// What ours made.
    expected: Value,
    failed: Option<Fault>,
}

/// What a turn says of itself.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Turn {
    cpu_ns: u64,
    counts: Value,
}

impl Plain {
    /// Starts a script of this folder in an environment of its own. `expected`: what each turn must count.
    ///
    /// # Errors
    /// Python or its packages cannot be had.
    pub(super) fn start(script: &str, arguments: &[&str], expected: Value) -> Result<Self, Fault> {
        let venv = Venv::bench(&scripts().join("requirements.txt"))?;
        let mut command = venv.command("python");
        command.arg(scripts().join(script)).args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
        let lost = |error: Option<std::io::Error>| {
            let remedy = "remove target/local/venv-bench and run this again";
            match error {
                Some(error) => Fault::caused_by(format!("cannot start {script}"), error, remedy),
                None => Fault::new(format!("cannot talk to {script}"), remedy),
            }
        };
        let mut child = command.spawn().map_err(|error| lost(Some(error)))?;
        let (Some(asked), Some(answers)) = (child.stdin.take(), child.stdout.take()) else { return Err(lost(None)) };
        let answers = BufReader::new(answers);
        Ok(Self { child, asked, answers, times: [Vec::new(), Vec::new()], expected, failed: None })
    }

    /// One turn with each library. What goes wrong is told at the end.
    pub(super) fn turn(&mut self) {
        for (at, library) in LIBRARIES.iter().enumerate() {
            if self.failed.is_none() {
                match self.one_turn(library) {
                    Ok(time) => self.times[at].push(time),
                    Err(fault) => self.failed = Some(fault),
                }
            }
        }
    }

    fn one_turn(&mut self, library: &str) -> Result<Duration, Fault> {
        let ended = |error| Fault::caused_by("the plain Python handler ended", error, "see what it says above");
        let mut answer = String::new();
        writeln!(self.asked, "{library}").and_then(|()| self.answers.read_line(&mut answer)).map_err(ended)?;
        let turn: Turn = serde_json::from_str(&answer)
            .map_err(|error| Fault::caused_by("the plain Python handler answers otherwise", error, "see above"))?;
        if turn.counts != self.expected {
            let said = format!("the plain Python handler made {}, ours {}", turn.counts, self.expected);
            return Err(Fault::new(said, "make both do the same work before comparing them"));
        }
        Ok(Duration::from_nanos(turn.cpu_ns))
    }

    /// What it took, beside ours of the same turns.
    ///
    /// # Errors
    /// A turn went wrong, or made something else than ours.
    fn finish(mut self, pair: &Pair) -> Result<Beside, Fault> {
        if let Some(fault) = self.failed.take() {
            return Err(fault);
        }
        let us = |times: &[Duration]| pair.per_event_us(times.get(1..).unwrap_or_default());
        let per_event_us = [us(&self.times[0]), us(&self.times[1])];
        let quicker = usize::from(per_event_us[1] < per_event_us[0]);
        let ratios = self.times[quicker].iter().skip(1).zip(&pair.ours);
        let mut ratios: Vec<f64> = ratios.map(|(plain, ours)| plain.as_secs_f64() / ours.as_secs_f64()).collect();
        ratios.sort_by(f64::total_cmp);
        Ok(Beside { per_event_us, quicker, ratio: ratios[ratios.len() / 2], counts: self.expected.clone() })
    }
}

impl Drop for Plain {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Figures of the plain handler to print below ours; why there are none, where it could not be started.
///
/// # Errors
/// As [`Plain::finish`].
pub(super) fn beside(plain: Result<Plain, Fault>, pair: &Pair) -> Result<String, Fault> {
    match plain {
        Ok(plain) => plain.finish(pair).map(|beside| beside.to_string()),
        Err(fault) => Ok(format!("  plain Python was not measured: {fault}")),
    }
}

/// The plain handler's figures.
struct Beside {
    per_event_us: [f64; 2],
    quicker: usize,
    ratio: f64,
    counts: Value,
}

impl fmt::Display for Beside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (us, other) = (self.per_event_us[self.quicker], 1 - self.quicker);
        writeln!(
            f,
            "  plain Python {us:.2} µs of CPU per event, {:.0} events per second per core, with {} ({} {:.2} µs)",
            1e6 / us,
            LIBRARIES[self.quicker],
            LIBRARIES[other],
            self.per_event_us[other]
        )?;
        write!(f, "  ours is {:.1} times as fast; both made {}", self.ratio, self.counts)
    }
}

fn scripts() -> PathBuf {
    paths::root().join("tools/bench/src/plain")
}

/// Files that a handler reads, below `target/bench`; gone with this.
pub(super) struct Inputs(PathBuf);

impl Inputs {
    /// Writes them, each under its name.
    ///
    /// # Errors
    /// The disk's.
    pub(super) fn write<'a>(files: impl IntoIterator<Item = (String, &'a [u8])>) -> Result<Self, Fault> {
        let folder = paths::target().join("bench").join(format!("plain-{}", std::process::id()));
        let inputs = Self(folder);
        let written = fs::create_dir_all(inputs.path())
            .and_then(|()| files.into_iter().try_for_each(|(name, bytes)| fs::write(inputs.path().join(name), bytes)));
        let failed = |error| {
            Fault::caused_by(format!("cannot write {}", inputs.path().display()), error, "make room below target/")
        };
        written.map_err(failed)?;
        Ok(inputs)
    }

    /// The folder.
    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Inputs {
    fn drop(&mut self) {
        // What is left is below target/ and does no harm.
        let _ = fs::remove_dir_all(&self.0);
    }
}
