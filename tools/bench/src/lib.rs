//! `cargo xtask bench`: what the product's own code costs beside what the work cannot do without, as a ratio of CPU times
//! measured in one run; and for ingest and transform, what a plain Python handler of the same work costs in the same minute. Nothing
//! here asserts a time.
//!
//! One day of generated traffic goes down the chain: what one stage makes is the next one's input.

mod append;
mod authorizer;
mod bill;
mod capacity;
mod cold_start;
mod entries;
mod erase;
mod folder;
mod gold;
mod ingest;
mod pair;
mod plain;
mod prove;
mod size;
mod transform;
mod units;
mod verify;

use std::path::{Path, PathBuf};
use std::process::Stdio;

use ledgerline_lake::ObjectId;
use ledgerline_traffic::r#gen::{GenArgs, generate};
use time::macros::date;
use xtask::fault::Fault;
use xtask::tools::{self, Venv, say};
use xtask::{local, paths};

/// What to measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Subject {
    /// Firehose records to bronze lines
    Ingest,
    /// A bronze object to silver and plan
    Transform,
    /// transform's calls, units by stored family, and dollars, by events per object
    Units,
    /// An erasure's calls, bytes, units, dollars and virtual time, by the person's interactions, beside a scan of the lake
    Erase,
    /// Chunks to a segment and the tree; calls and dollars; entries per second by latency
    Append,
    /// A bearer token to a policy, by algorithm
    Authorizer,
    /// A folder beside gzip and sha256sum, and the memory it takes
    Verify,
    /// Bytes and tiles read per proof
    Prove,
    /// Gold's run for a day of a million events: bytes read, dollars, memory
    Gold,
    /// The zipped functions
    Size,
    /// From process start to the first request for work
    ColdStart,
    /// All of them
    All,
}

/// Interactions of the measured day: some 9,000 events, 10 MB.
const INTERACTIONS: u32 = 500;
const SEED: u64 = 1;
const DAY: time::Date = date!(2026 - 03 - 02);
/// Noon of the next day, as arrival: nothing is late and nothing in the future.
const ARRIVAL_MS: i64 = 1_772_539_200_000;
/// Measures and prints; `entries` is the largest ledger that is verified.
///
/// # Errors
/// What is missing for a measurement.
pub fn run(subject: Subject, entries: u64) -> Result<(), Fault> {
    let wants = |one| subject == one || subject == Subject::All;
    if wants(Subject::Ingest) {
        let day = day();
        ingest::measure(&day.requests, &day.records)?;
    }
    if wants(Subject::Transform) {
        transform_under_its_allocator()?;
    }
    if wants(Subject::Units) {
        tell("units: transform's AWS calls, capacity and dollars, counted on the strict fakes", units::measure())?;
    }
    if wants(Subject::Erase) {
        tell(
            "erase: rtbf's AWS calls, bytes, capacity, dollars and virtual time, counted on the strict fakes",
            erase::measure(),
        )?;
    }
    if wants(Subject::Append) {
        let day = day();
        append::measure(&transform::transformed(&transform::settings()?, day.object, &day.bronze)?.plan)?;
        tell("append: AWS calls and dollars, counted on the strict fakes", append::cost::measure())?;
        tell("append: one log, every AWS call takes so long, CPU not counted", append::latency::measure())?;
    }
    if wants(Subject::Authorizer) {
        authorizer::measure()
            .map_err(|error| Fault::new(format!("authorizer: {error}"), "report this, with the cause"))?;
    }
    if wants(Subject::Gold) {
        let measured = gold::measure(&this_program()?, &paths::target().join("bench"), say);
        tell("gold: one run for a day; bytes by the footers of silver's files, list prices of us-east-1", measured)?;
    }
    if wants(Subject::Verify) {
        let program = this_program()?;
        let measured = verify::measure(&program, &paths::target().join("bench"), entries, say);
        tell("verify: floor = gzip -dc | sha256sum over the same segments; both as child processes", measured)?;
    }
    if wants(Subject::Prove) {
        tell("prove: tlog-proof files with a checkpoint, each verified, over synthetic tiles", prove::measure())?;
    }
    if wants(Subject::Size) || wants(Subject::ColdStart) {
        local::build_for_lambda(&Venv::stack()?)?;
    }
    if wants(Subject::Size) {
        size::measure()?;
    }
    if wants(Subject::ColdStart) {
        cold_start::measure()?;
    }
    Ok(())
}

/// This program, which measures itself as a child.
fn this_program() -> Result<PathBuf, Fault> {
    std::env::current_exe().map_err(|error| {
        Fault::caused_by("cannot find this program, which measures itself", error, "run it as cargo xtask bench")
    })
}

/// transform in a process of its own, the example of that name, whose allocator is the one that the function runs with. The other
/// subjects stay with the C library's, as what they measure does.
fn transform_under_its_allocator() -> Result<(), Fault> {
    let mut cargo = tools::cargo();
    cargo.args(["run", "--quiet", "--package", "ledgerline-bench", "--example", "transform"]);
    let ended = cargo.current_dir(paths::root()).stdin(Stdio::null()).status();
    match ended.map_err(|error| Fault::caused_by("cannot start cargo", error, "put cargo on PATH"))?.success() {
        true => Ok(()),
        false => Err(Fault::new("transform was not measured", "see the message above")),
    }
}

/// Measures transform in this process and under its allocator.
///
/// # Errors
/// What is missing for a measurement.
pub fn measure_transform() -> Result<(), Fault> {
    let day = day();
    transform::measure(&transform::settings()?, day.object, &day.bronze)
}

/// One day of traffic, as it goes down the chain.
struct Day {
    records: Vec<Vec<u8>>,
    requests: Vec<Vec<u8>>,
    object: ObjectId,
    bronze: Vec<u8>,
}

fn day() -> Day {
    let mut args = GenArgs::calm(INTERACTIONS, SEED, DAY);
    args.duplicates = 2.0;
    let records = generate(&args).records;
    let requests = ingest::requests(&records);
    let bronze = ingest::bronze(&requests);
    Day { records, requests, object: ObjectId::of("bench", "bronze/bench"), bronze }
}

/// Prints a measure's lines below what they are.
fn tell(title: &str, measured: Result<Vec<String>, String>) -> Result<(), Fault> {
    let lines = measured.map_err(|error| Fault::new(format!("{title}: {error}"), "report this, with the cause"))?;
    say(&format!("{title}\n{}", lines.join("\n")));
    Ok(())
}

/// Runs gold over a folder of `bench gold`, and says what it took: the process that it starts and measures.
///
/// # Errors
/// The folder cannot be read, or gold fails.
pub fn run_gold(folder: &Path) -> Result<String, Fault> {
    gold::run_folder(folder).map_err(|error| {
        Fault::new(format!("cannot run gold over {}: {error}", folder.display()), "name a folder of bench gold's")
    })
}

/// Verifies a folder, and says what it took: the process that `bench verify` starts and measures.
///
/// # Errors
/// The folder cannot be looked at.
pub fn verify_folder(folder: &Path) -> Result<String, Fault> {
    verify::verify_folder(folder).map_err(|error| {
        Fault::new(format!("cannot verify {}: {error}", folder.display()), "name a folder of bench verify's")
    })
}
