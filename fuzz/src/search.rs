//! `fuzz`: one property of `fuzz/` under libFuzzer, for as long as wanted. On the stable toolchain: what guides libFuzzer is a pass of
//! LLVM's that stable switches on, and of the sanitizers, which it does not have, none is missed where no code is unsafe.
//!
//! Invariant: everything lies below `target/fuzz`, the corpus too, which the next run goes on from.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use clap::Parser;
use clap::builder::{PossibleValuesParser, TypedValueParser as _};
use ledgerline_fuzz::change::TOKENS;
use ledgerline_fuzz::{Target, seeds};
use xtask::fault::Fault;
use xtask::paths;
use xtask::tools::{self, say};

/// What cargo-fuzz asks of the compiler, but for the sanitizer.
const FLAGS: &str = "--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares -Cllvm-args=-simplifycfg-branch-fold-threshold=0 -Ccodegen-units=1";

/// Inputs up to that many bytes; megabytes are the tests' affair.
const INPUT_BYTES_MAX: u32 = 64 * 1024;
/// An input that takes longer is a finding.
const INPUT_SECONDS_MAX: u32 = 10;

/// Look for bytes of which a property of fuzz/ does not hold
#[derive(Debug, Parser)]
#[command(bin_name = "xtask fuzz")]
pub(super) struct Arguments {
    /// The property
    #[arg(value_parser = PossibleValuesParser::new(Target::ALL.map(Target::name)).map(target))]
    target: Target,
    /// How long to look
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..))]
    seconds: u32,
}

/// The property of a name that the parser let through.
fn target(name: String) -> Target {
    Target::from_name(&name).unwrap_or(Target::Splitter)
}

/// Looks for so many seconds. `true` if nothing was found.
pub(super) fn run(Arguments { target, seconds }: Arguments) -> Result<bool, Fault> {
    let home = paths::target().join("fuzz");
    let host = host()?;
    let mut build = tools::cargo();
    // A target is named, so that build scripts and macros are not instrumented.
    build.args(["build", "--package", "ledgerline-fuzz", "--target", &host, "--target-dir"]).arg(&home);
    build.env("RUSTFLAGS", FLAGS.split_whitespace().collect::<Vec<_>>().join(" ")).current_dir(paths::root());
    tools::run_watched(&mut build, "fuzz", || "repair what the compiler names, and run this again".to_owned())?;

    let (corpus, from) = (home.join("corpus").join(target.name()), home.join("seeds"));
    let dictionary = home.join("tokens.dict");
    prepare(&corpus, &from, &dictionary).map_err(|error| {
        Fault::caused_by(format!("cannot write below {}", home.display()), error, "make room there")
    })?;
    let findings = home.join(format!("{}-", target.name()));
    let mut fuzzer = Command::new(home.join(&host).join("debug/ledgerline-fuzz"));
    fuzzer.arg(&corpus).arg(&from).env("LEDGERLINE_FUZZ_TARGET", target.name()).stdin(Stdio::null());
    for (name, value) in [
        ("max_total_time", seconds.to_string()),
        ("max_len", INPUT_BYTES_MAX.to_string()),
        ("timeout", INPUT_SECONDS_MAX.to_string()),
        ("dict", dictionary.display().to_string()),
        ("artifact_prefix", findings.display().to_string()),
        ("detect_leaks", "0".to_owned()),
        ("print_final_stats", "1".to_owned()),
    ] {
        fuzzer.arg(format!("-{name}={value}"));
    }
    let ended = fuzzer
        .status()
        .map_err(|error| Fault::caused_by("cannot start the fuzzer", error, "remove target/fuzz and run this again"))?;
    if !ended.success() {
        say(&format!(
            "{} does not hold: the bytes lie in {}*, as libFuzzer says above; make a test of the crate of them",
            target.name(),
            findings.display()
        ));
    }
    Ok(ended.success())
}

/// Writes the seeds and the tokens; the corpus of earlier runs stays.
fn prepare(corpus: &Path, from: &Path, dictionary: &Path) -> std::io::Result<()> {
    fs::create_dir_all(corpus)?;
    fs::create_dir_all(from)?;
    let others = paths::variable("LEDGERLINE_CORPUS").map(std::path::PathBuf::from);
    for (number, seed) in seeds::all(others.as_deref()).iter().enumerate() {
        fs::write(from.join(format!("{number:05}")), seed)?;
    }
    let coded = |token: &&[u8]| token.iter().map(|byte| format!("\\x{byte:02x}")).collect::<String>();
    fs::write(dictionary, TOKENS.iter().map(|token| format!("\"{}\"\n", coded(token))).collect::<String>())
}

/// The machine's own target, as the compiler calls it.
fn host() -> Result<String, Fault> {
    let asked = tools::run(Command::new("rustc").arg("-vV"), || "put rustc on PATH".to_owned())?;
    let told = String::from_utf8_lossy(&asked.stdout).into_owned();
    let host = told.lines().find_map(|line| line.strip_prefix("host: ")).map(str::to_owned);
    host.ok_or_else(|| Fault::new("rustc does not name its host", "see what rustc -vV says"))
}
