//! `cargo xtask gen`, `cargo xtask known` and `cargo xtask send`.

use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};
use ledgerline_traffic::r#gen::known::{self, KnownArgs};
use ledgerline_traffic::r#gen::{self, GenArgs};
use ledgerline_traffic::send;
use ledgerline_traffic::stack::{Stack, block};
use xtask::fault::{self, Fault};
use xtask::tools::say;

#[derive(Debug, Parser)]
#[command(bin_name = "xtask", disable_help_subcommand = true)]
struct Arguments {
    #[command(subcommand)]
    command: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
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
    /// Write a day of Genesys traffic whose figures are known to standard output, and the figures to a file
    Known(KnownArgs),
}

fn main() -> ExitCode {
    let done = match Arguments::parse().command {
        Task::Send { files, wait } => block(send_files(&files, wait)).and_then(|sent| sent),
        Task::Gen(arguments) => written(|out| r#gen::run(&arguments, out)),
        Task::Known(arguments) => written(|out| known::run(&arguments, out)),
    };
    fault::exit(done.map(|()| true))
}

async fn send_files(files: &[PathBuf], wait: bool) -> Result<(), Fault> {
    let stack = Stack::load()?;
    let mut records = Vec::new();
    for file in files {
        records.extend(send::read(file)?);
    }
    let sent = send::put(&stack, &records).await?;
    say(&format!(
        "sent {} records, {} bytes, in {} calls; {} were sent again",
        sent.records, sent.bytes, sent.calls, sent.repeated
    ));
    if wait {
        let totals = stack.wait_until_drained(DRAIN_PATIENCE).await?;
        say(&format!(
            "in all {} objects: {} in = {} committed + {} filtered + {} duplicate + {} quarantined + {} in flight",
            totals.objects,
            totals.input,
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
const DRAIN_PATIENCE: Duration = Duration::from_secs(300);

/// Writes to standard output.
fn written(write: impl FnOnce(&mut io::BufWriter<io::StdoutLock<'static>>) -> io::Result<()>) -> Result<(), Fault> {
    let mut out = io::BufWriter::new(io::stdout().lock());
    match write(&mut out).and_then(|()| out.flush()) {
        // `gen … | head` is no failure.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other.map_err(|error| Fault::caused_by("cannot write the traffic", error, "make room where it goes")),
    }
}
