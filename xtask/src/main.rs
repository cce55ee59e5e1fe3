//! The project's own commands: `cargo xtask <command>`.
//!
//! A command that fails prints one message with its cause and its remedy, and ends with a non-zero status.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::builder::{PossibleValuesParser, TypedValueParser as _};
use clap::{Parser, Subcommand};
use ledgerline_fuzz::Target;
use xtask::fault::Fault;
use xtask::r#gen::GenArgs;
use xtask::stack::Stack;
use xtask::{bench, check, demo, fuzz, r#gen, local, send, suite, tools};

#[derive(Debug, Parser)]
#[command(name = "cargo xtask", about = "Ledgerline's own commands", disable_help_subcommand = true)]
struct Arguments {
    #[command(subcommand)]
    command: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Show the whole chain in a minute, and leave a report to forward
    Demo(demo::DemoArgs),
    /// Start the local stack, or bring it up to date
    Up,
    /// End the local stack; everything in it is gone
    Down,
    /// Put events into the delivery stream: JSON documents or NDJSON lines
    Send {
        /// Files to read; - is standard input
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
        /// Return only when everything sent is processed
        #[arg(long)]
        wait: bool,
    },
    /// Write a day of Genesys traffic to standard output, with --guides also what other systems tell of it
    Gen(GenArgs),
    /// Check formatting, lints, documentation, dependencies and the template
    Check,
    /// Measure the product's own code beside what the work cannot do without
    Bench {
        /// What to measure
        #[arg(value_enum, default_value = "all")]
        subject: bench::Subject,
        /// The largest ledger that verify reads; 10000000 takes 1.6 GB of disk and some minutes to make, once
        #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1..))]
        entries: u64,
    },
    /// Verify a folder of `bench verify`, which starts this
    #[command(hide = true)]
    VerifyFolder {
        /// The folder
        folder: PathBuf,
    },
    /// Look for bytes of which a property of fuzz/ does not hold
    Fuzz {
        /// The property
        #[arg(value_parser = PossibleValuesParser::new(Target::ALL.map(Target::name)).map(target))]
        target: Target,
        /// How long to look
        #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..))]
        seconds: u32,
    },
    /// Run every test, those on the local stack included
    Test,
}

/// The property of a name that the parser let through.
fn target(name: String) -> Target {
    Target::from_name(&name).unwrap_or(Target::Splitter)
}

fn main() -> ExitCode {
    match run(Arguments::parse().command) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(fault) => {
            tools::say(&format!("error: {fault}"));
            ExitCode::FAILURE
        }
    }
}

fn run(task: Task) -> Result<bool, Fault> {
    match task {
        Task::Demo(arguments) => demo::run(&arguments).map(|()| true),
        Task::Up => local::up().map(|_| true),
        Task::Down => local::down().map(|()| true),
        Task::Send { files, wait } => block(send_files(&files, wait))?.map(|()| true),
        Task::Gen(arguments) => generate(&arguments).map(|()| true),
        Task::Check => check::run(),
        Task::Bench { subject, entries } => bench::run(subject, entries).map(|()| true),
        Task::VerifyFolder { folder } => {
            let verified = bench::verify_folder(&folder)?;
            writeln!(io::stdout(), "{verified}")
                .map(|()| true)
                .map_err(|error| Fault::caused_by("cannot write the answer", error, "leave standard output open"))
        }
        Task::Fuzz { target, seconds } => fuzz::run(target, seconds),
        Task::Test => suite::run(),
    }
}

async fn send_files(files: &[PathBuf], wait: bool) -> Result<(), Fault> {
    let stack = Stack::load()?;
    let mut records = Vec::new();
    for file in files {
        records.extend(send::read(file)?);
    }
    let sent = send::put(&stack, &records).await?;
    tools::say(&format!(
        "sent {} records, {} bytes, in {} calls; {} were sent again",
        sent.records, sent.bytes, sent.calls, sent.repeated
    ));
    if wait {
        let totals = stack.wait_until_drained(DRAIN_PATIENCE).await?;
        tools::say(&format!(
            "in all {} objects: {} in = {} committed + {} filtered + {} duplicate + {} quarantined + {} in flight",
            totals.objects,
            totals.in_,
            totals.committed,
            totals.filtered,
            totals.duplicate,
            totals.quarantined,
            totals.in_flight()
        ));
    }
    Ok(())
}

/// How long `send --wait` waits before it says what is stuck.
const DRAIN_PATIENCE: std::time::Duration = std::time::Duration::from_secs(300);

fn generate(arguments: &GenArgs) -> Result<(), Fault> {
    let mut out = io::BufWriter::new(io::stdout().lock());
    match r#gen::run(arguments, &mut out).and_then(|()| out.flush()) {
        // `gen … | head` is no failure.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other.map_err(|error| Fault::caused_by("cannot write the traffic", error, "make room where it goes")),
    }
}

fn block<T>(future: impl Future<Output = T>) -> Result<T, Fault> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime =
        runtime.map_err(|error| Fault::caused_by("cannot start", error, "free some memory or file handles"))?;
    Ok(runtime.block_on(future))
}
