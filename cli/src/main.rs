//! `ledgerline`: checks, proves, shows and keeps the evidence of a deployment, from a folder or from the account itself.
//!
//! Exit codes: 0 it holds, 1 the evidence is broken, 2 it could not be checked. `main` alone reads the clock, the environment and the
//! terminal; everything below takes them as arguments.

mod answer;
#[cfg(feature = "aws")]
mod api;
mod args;
#[cfg(feature = "aws")]
mod cloud;
mod command;
mod context;
mod fault;
mod private;
#[cfg(feature = "aws")]
mod question;
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
#[cfg(feature = "aws")]
use crate::context::Secret;
use crate::fault::Fault;
use crate::screen::Screen;

/// What could not be checked; clap's own code for a wrong command line, too.
const COULD_NOT_CHECK: u8 = 2;
/// The screen's width where nobody looks.
const DEFAULT_WIDTH: usize = 100;

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return refused(&error),
    };
    let context = Context {
        now_ms: now_ms(),
        threads: std::thread::available_parallelism().map_or(2, usize::from),
        progress: !arguments.json && io::stderr().is_terminal() && !is_dumb(),
        #[cfg(feature = "aws")]
        token: secret(api::TOKEN),
        #[cfg(feature = "aws")]
        api_key: secret(api::API_KEY),
        #[cfg(feature = "aws")]
        mining_token: secret(command::MINING_TOKEN),
    };
    let name = command::name(&arguments.command);
    let answered = command::run(arguments.command, &context);
    let written = if arguments.json { write_json(name, &answered) } else { write_text(&answered) };
    match written {
        // `ledgerline … | head` is no failure.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            let _ = writeln!(io::stderr(), "error: cannot write the answer: {error}\n  to do: see where it goes to");
            ExitCode::from(COULD_NOT_CHECK)
        }
        _ => match answered.map(|answer| answer.outcome()) {
            Ok(Outcome::Holds) => ExitCode::SUCCESS,
            Ok(Outcome::Broken) => ExitCode::FAILURE,
            Ok(Outcome::Unchecked) | Err(_) => ExitCode::from(COULD_NOT_CHECK),
        },
    }
}

/// A command line that asks for help or for nothing that there is. Whoever wants JSON gets JSON for this, too.
fn refused(error: &clap::Error) -> ExitCode {
    let json = std::env::args_os().take_while(|argument| argument != "--").any(|argument| argument == "--json");
    if !(error.use_stderr() && json) {
        error.exit();
    }
    let text = error.to_string();
    let (what, usage) = text.split_once("Usage:").unwrap_or((&text, ""));
    let one_line = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let what = one_line(what.trim_start_matches("error: "));
    let remedy = one_line(&format!("Usage: {usage}"));
    // Somebody who went away has no use for an error either.
    let _ = write_json("ledgerline", &Err(Fault::new(what, remedy)));
    ExitCode::from(COULD_NOT_CHECK)
}

/// Whether the terminal can only write one line after the other.
#[expect(clippy::disallowed_methods, reason = "main asks what the terminal can do, once")]
fn is_dumb() -> bool {
    std::env::var("TERM").is_ok_and(|term| term == "dumb")
}

/// What only the environment may say: an argument would stand in `ps` and in a shell's history.
#[cfg(feature = "aws")]
#[expect(clippy::disallowed_methods, reason = "main reads the environment, once")]
fn secret(name: &str) -> Option<Secret> {
    std::env::var(name).ok().filter(|value| !value.is_empty()).map(Secret::new)
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
