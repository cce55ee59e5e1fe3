//! A day of contacts whose figures are known before it is sent: a plan of what happened is drawn, told as events, and counted, each by
//! itself.
//!
//! Invariant: as for all of `gen`, the output is a function of the arguments alone, and everything personal in it is invented. What the
//! figures must be follows from the plan; no event is read for it, and none of the product's code is run.
//!
//! Left out: what goes wrong between a source and the stream. [`crate::gen::generate`] has that.

mod plan;
mod play;
#[cfg(test)]
mod tests;
mod truth;

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;

use time::Date;

pub use self::truth::{Arrived, Cell, Counters, Daily, Day, Expected, Interval, OF_INTERVALS, OF_REPEATS, Sums};

use self::plan::Plan;
use super::dice::Dice;
use super::{day, organization};

/// What to generate. The same arguments always give the same bytes.
#[derive(Debug, Clone, clap::Args)]
pub struct KnownArgs {
    /// How many interactions begin on the day; some more of the same people are on days before and after it
    #[arg(long, value_name = "N", default_value_t = 2_000, value_parser = clap::value_parser!(u32).range(1..=MOST_INTERACTIONS))]
    pub interactions: u32,
    /// Seed of everything random
    #[arg(long, value_name = "S", default_value_t = 1)]
    pub seed: u64,
    /// The day (UTC)
    #[arg(long, value_name = "YYYY-MM-DD", default_value = "2026-03-02", value_parser = day)]
    pub date: Date,
    /// The Genesys organization that the events name as theirs
    #[arg(long, value_name = "ID", default_value = "00000000-0000-4000-8000-000000000001", value_parser = organization)]
    pub org: String,
    /// Where to write what the figures must be, as JSON
    #[arg(long, value_name = "FILE")]
    pub expected: Option<PathBuf>,
}

/// A day, as it is sent and as it was.
#[derive(Debug)]
pub struct KnownDay {
    /// What is heard of in time, in the order of occurrence, each record one event.
    pub in_time: Vec<Vec<u8>>,
    /// What is heard of when the day's figures may be made already.
    pub late: Vec<Vec<u8>>,
    /// Every third event that is heard of in time, sent again: under other envelope ids, if it has an envelope.
    pub again: Vec<Vec<u8>>,
    /// The figures before the late part has come.
    pub expected_in_time: Expected,
    /// The figures of all of it.
    pub expected: Expected,
}

/// Writes a day as NDJSON to `out`, the late part and the repeated events last, and what its figures must be where the arguments say.
///
/// # Errors
/// A file cannot be written.
pub fn run(args: &KnownArgs, out: &mut impl Write) -> io::Result<()> {
    let day = generate(args);
    for record in day.in_time.iter().chain(&day.late).chain(&day.again) {
        out.write_all(record)?;
        out.write_all(b"\n")?;
    }
    out.flush()?;
    if let Some(path) = &args.expected {
        let named = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", path.display()));
        let mut file = BufWriter::new(File::create(path).map_err(named)?);
        serde_json::to_writer_pretty(&mut file, &day.expected).map_err(|error| named(error.into()))?;
        file.write_all(b"\n").and_then(|()| file.flush()).map_err(named)?;
    }
    Ok(())
}

/// Generates a day in memory.
pub fn generate(args: &KnownArgs) -> KnownDay {
    let midnight_ms = args.date.midnight().assume_utc().unix_timestamp() * 1_000;
    let plan = Plan::draw(&mut Dice::new(args.seed, PLAN_STREAM), args.interactions, midnight_ms);
    let mut dice = Dice::new(args.seed, ENVELOPE_STREAM);
    let (mut in_time, mut late, mut again) = (Vec::new(), Vec::new(), Vec::new());
    for (number, told) in play::play(&plan, &args.org).into_iter().enumerate() {
        let mut send = |later_ms: i64| told.event.send(&args.org, &mut dice, told.event.occurred_ms + later_ms);
        let record = send(300);
        if told.is_late {
            late.push(record);
            continue;
        }
        in_time.push(record);
        if number % AGAIN_EVERY == 0 {
            again.push(send(60_000));
        }
    }
    KnownDay {
        in_time,
        late,
        again,
        expected_in_time: Expected::of(&args.org, &plan, Arrived::InTime),
        expected: Expected::of(&args.org, &plan, Arrived::All),
    }
}

/// With those who come again, far below the contacts of a plan, and below the phones that may be invented.
const MOST_INTERACTIONS: i64 = 5_000;
/// Streams of this day's own.
const PLAN_STREAM: u64 = 4;
const ENVELOPE_STREAM: u64 = 5;
const AGAIN_EVERY: usize = 3;
