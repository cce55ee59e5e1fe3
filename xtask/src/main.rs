//! The project's own commands: `cargo xtask <command>`.
//!
//! A command that fails prints one message with its cause and its remedy, and ends with a non-zero status. Commands that need the
//! product's own code are programs of their own, below `tools/` and in `fuzz/`: they are built when they are first asked for, and take
//! over with the rest of the command line.

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use xtask::fault::{self, Fault};
use xtask::{check, local, suite, tools};

#[derive(Debug, Parser)]
#[command(name = "cargo xtask", about = "Ledgerline's own commands", disable_help_subcommand = true)]
struct Arguments {
    #[command(subcommand)]
    command: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Show the whole chain in a minute, and leave a report to forward
    #[command(disable_help_flag = true)]
    Demo(Passed),
    /// Start the local stack, or bring it up to date
    Up,
    /// End the local stack; everything in it is gone
    Down,
    /// Put events into the delivery stream: JSON documents or NDJSON lines
    #[command(disable_help_flag = true)]
    Send(Passed),
    /// Write a day of Genesys traffic to standard output, with --guides also what other systems tell of it
    #[command(disable_help_flag = true)]
    Gen(Passed),
    /// Write a day of Genesys traffic whose figures are known to standard output, and with --expected FILE the figures
    #[command(disable_help_flag = true)]
    Known(Passed),
    /// Check formatting, lints, documentation, dependencies and the template
    Check,
    /// Measure the product's own code beside what the work cannot do without
    #[command(disable_help_flag = true)]
    Bench(Passed),
    /// Look for bytes of which a property of fuzz/ does not hold
    #[command(disable_help_flag = true)]
    Fuzz(Passed),
    /// Run every test, those on the local stack included
    Test,
    /// Hold what each function's tests call against its role in the template
    Roles,
}

/// A command line that another program reads.
#[derive(Debug, Args)]
struct Passed {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, hide = true)]
    arguments: Vec<OsString>,
}

fn main() -> ExitCode {
    fault::exit(run(Arguments::parse().command))
}

fn run(task: Task) -> Result<bool, Fault> {
    match task {
        Task::Up => local::up().map(|_| true),
        Task::Down => local::down().map(|()| true),
        Task::Check => check::run(),
        Task::Test => suite::run(),
        Task::Roles => suite::roles(),
        Task::Demo(passed) => Err(tools::become_program("ledgerline-demo", &passed.arguments)),
        Task::Bench(passed) => Err(tools::become_program("ledgerline-bench", &passed.arguments)),
        Task::Fuzz(passed) => Err(tools::become_program("ledgerline-fuzz", &passed.arguments)),
        Task::Gen(passed) => Err(traffic("gen", passed)),
        Task::Known(passed) => Err(traffic("known", passed)),
        Task::Send(passed) => Err(traffic("send", passed)),
    }
}

/// All are commands of one program.
fn traffic(command: &str, passed: Passed) -> Fault {
    let arguments: Vec<OsString> = std::iter::once(command.into()).chain(passed.arguments).collect();
    tools::become_program("ledgerline-traffic", &arguments)
}
