//! `ledgerline`: checks, proves, shows and keeps the evidence of a deployment, from a folder or from the account itself.
//!
//! Exit codes: 0 it holds, 1 the evidence is broken, 2 it could not be checked. `main` alone reads the clock and the
//! terminal; everything below takes them as arguments.

mod answer;
mod args;
#[cfg(feature = "aws")]
mod cloud;
mod command;
mod context;
mod fault;
mod reading;
mod screen;
mod source;
mod tree;

use std::io::{self, IsTerminal as _, Write as _};
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::Parser as _;

use crate::answer::{Answered, Outcome};
use crate::args::Arguments;
use crate::context::Context;
use crate::screen::Screen;

/// What could not be checked; clap's own code for a wrong command line, too.
const COULD_NOT_CHECK: u8 = 2;
/// The screen's width where nobody looks.
const DEFAULT_WIDTH: usize = 100;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let context = Context {
        now_ms: now_ms(),
        threads: std::thread::available_parallelism().map_or(2, usize::from),
        progress: !arguments.json && io::stderr().is_terminal(),
    };
    let name = command::name(&arguments.command);
    let answered = command::run(arguments.command, &context);
    let written = if arguments.json { write_json(name, &answered) } else { write_text(&answered) };
    match written {
        // `ledgerline … | head` is no failure.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => ExitCode::from(COULD_NOT_CHECK),
        _ => match answered.map(|answer| answer.outcome()) {
            Ok(Outcome::Holds) => ExitCode::SUCCESS,
            Ok(Outcome::Broken) => ExitCode::FAILURE,
            Ok(Outcome::Unchecked) | Err(_) => ExitCode::from(COULD_NOT_CHECK),
        },
    }
}

fn write_json(name: &str, answered: &Answered) -> io::Result<()> {
    let mut out = io::stdout().lock();
    serde_json::to_writer_pretty(&mut out, &answer::document(name, answered))?;
    writeln!(out)?;
    out.flush()
}

fn write_text(answered: &Answered) -> io::Result<()> {
    match answered {
        Ok(answer) => {
            let width = console::Term::stdout().size_checked().map_or(DEFAULT_WIDTH, |(_, columns)| columns.into());
            let mut out = io::BufWriter::new(io::stdout().lock());
            answer.draw(&mut Screen::new(&mut out, width, console::colors_enabled()))?;
            out.flush()
        }
        Err(fault) => writeln!(io::stderr(), "error: {fault}"),
    }
}

#[expect(clippy::disallowed_methods, reason = "main reads the clock, once")]
fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
