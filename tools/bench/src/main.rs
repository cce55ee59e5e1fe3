//! `cargo xtask bench`.

use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use ledgerline_bench::Subject;
use xtask::fault::{self, Fault};

/// Measure the product's own code beside what the work cannot do without
#[derive(Debug, Parser)]
#[command(bin_name = "xtask bench")]
struct Arguments {
    /// What to measure
    #[arg(value_enum, default_value = "all")]
    subject: Subject,
    /// The largest ledger that verify reads; 10000000 takes 1.6 GB of disk and some minutes to make, once
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1..))]
    entries: u64,
    /// Verify a folder of `bench verify`, which starts this
    #[arg(long, hide = true)]
    verify_folder: Option<PathBuf>,
    /// Run gold over a folder of `bench gold`, which starts this
    #[arg(long, hide = true)]
    gold_folder: Option<PathBuf>,
}

fn main() -> ExitCode {
    fault::exit(run(Arguments::parse()).map(|()| true))
}

fn run(arguments: Arguments) -> Result<(), Fault> {
    let measured = match (arguments.verify_folder, arguments.gold_folder) {
        (Some(folder), _) => ledgerline_bench::verify_folder(&folder)?,
        (None, Some(folder)) => ledgerline_bench::run_gold(&folder)?,
        (None, None) => return ledgerline_bench::run(arguments.subject, arguments.entries),
    };
    writeln!(io::stdout(), "{measured}")
        .map_err(|error| Fault::caused_by("cannot write the answer", error, "leave standard output open"))
}
