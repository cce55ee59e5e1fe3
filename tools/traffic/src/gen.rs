//! `cargo xtask gen`: a day of a contact center's Genesys Cloud traffic, as EventBridge delivers it, and on request what
//! other systems tell of the same interactions, in the guides' shapes.
//!
//! Invariant: the output is a function of the arguments alone (no clock, no environment, no address), and everything
//! personal in it is invented, comes from a range reserved for fiction or tests, and is listed in [`Planted`] with the
//! place where it was put, so that a test can look for it everywhere it must not be.
//!
//! Deliberately left out: streaming. A day is built in memory and sorted by arrival; about 15 KB per interaction.

mod audit;
mod centre;
mod conversation;
mod dice;
mod digital;
mod disturb;
mod envelope;
mod guides;
pub mod known;
mod planted;
mod speech;
#[cfg(test)]
mod tests;
mod voice;

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;

use time::Date;
use time::macros::format_description;

use self::centre::Centre;
use self::conversation::Conversation;
use self::dice::Dice;
pub use self::envelope::milliseconds;
use self::guides::Guides;
pub use self::planted::{Counts, Planted};

/// What to generate. The same arguments always give the same bytes.
#[derive(Debug, Clone, clap::Args)]
pub struct GenArgs {
    /// How many interactions (calls, chats, messages, e-mails, callbacks) the day has
    #[arg(long, value_name = "N")]
    pub interactions: u32,
    /// Seed of everything random
    #[arg(long, value_name = "S")]
    pub seed: u64,
    /// Per cent of events sent a second time, under other envelope ids, some of them hours later
    #[arg(long, value_name = "PERCENT", default_value_t = 0.0, value_parser = percent)]
    pub duplicates: f64,
    /// Per cent of events that arrive up to ten minutes after their turn
    #[arg(long, value_name = "PERCENT", default_value_t = 0.0, value_parser = percent)]
    pub disorder: f64,
    /// Per cent of events with unknown fields, new enum values, missing fields or a newer version
    #[arg(long, value_name = "PERCENT", default_value_t = 0.0, value_parser = percent)]
    pub drift: f64,
    /// Per cent of events beside which a broken record is sent
    #[arg(long, value_name = "PERCENT", default_value_t = 0.0, value_parser = percent)]
    pub malformed: f64,
    /// Per cent of interactions that other systems tell of, too, in the guides' shapes: interaction log, state changes and
    /// their audit records, identity audit and flow variables, summaries with a lineage token, bulk batches, contact rows
    #[arg(long, value_name = "PERCENT", default_value_t = 0.0, value_parser = percent)]
    pub guides: f64,
    /// The day (UTC) on which it all happens
    #[arg(long, value_name = "YYYY-MM-DD", default_value = "2026-03-02", value_parser = day)]
    pub date: Date,
    /// The Genesys organization that the events name as theirs
    #[arg(long, value_name = "ID", default_value = "00000000-0000-4000-8000-000000000001", value_parser = organization)]
    pub org: String,
    /// Where to list every planted identifier and the counts to expect, as JSON
    #[arg(long, value_name = "FILE")]
    pub planted: Option<PathBuf>,
}

impl GenArgs {
    /// An undisturbed day of `interactions` interactions, of which Genesys alone tells.
    pub fn calm(interactions: u32, seed: u64, date: Date) -> Self {
        Self {
            interactions,
            seed,
            duplicates: 0.0,
            disorder: 0.0,
            drift: 0.0,
            malformed: 0.0,
            guides: 0.0,
            date,
            org: "00000000-0000-4000-8000-000000000001".to_owned(),
            planted: None,
        }
    }
}

/// A generated day: one Firehose record per element, in order of arrival, and what it holds.
#[derive(Debug)]
pub struct Traffic {
    /// The records, without a trailing newline; no record contains one.
    pub records: Vec<Vec<u8>>,
    /// What was planted, and the counts to expect.
    pub planted: Planted,
}

/// Writes a day as NDJSON to `out`, and its list of planted identifiers where the arguments say.
pub fn run(args: &GenArgs, out: &mut impl Write) -> io::Result<()> {
    let traffic = generate(args);
    for record in &traffic.records {
        out.write_all(record)?;
        out.write_all(b"\n")?;
    }
    out.flush()?;
    if let Some(path) = &args.planted {
        let named = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", path.display()));
        let mut file = BufWriter::new(File::create(path).map_err(named)?);
        serde_json::to_writer_pretty(&mut file, &traffic.planted).map_err(|e| named(e.into()))?;
        file.write_all(b"\n").and_then(|()| file.flush()).map_err(named)?;
    }
    Ok(())
}

/// Generates a day in memory.
pub fn generate(args: &GenArgs) -> Traffic {
    let midnight_ms = args.date.midnight().assume_utc().unix_timestamp() * 1000;
    let centre = Centre::new(args.seed, &args.org, args.interactions);
    let mut planted = Planted::new(args);
    let mut guides = Guides::new(args, &centre, midnight_ms);
    let mut events = Vec::new();
    for number in 0..args.interactions {
        // Each interaction has a stream of its own: interaction 7 is the same whether 10 or 10,000 are asked for,
        // as long as the number of callers is.
        let mut dice = Dice::new(args.seed, u64::from(number) + FIRST_INTERACTION_STREAM);
        let started_ms = midnight_ms + centre::moment_of_day_ms(&mut dice);
        let conversation = Conversation::new(&centre, &mut dice, &mut planted, started_ms);
        let (interaction, played) = conversation.play();
        guides.tell(number, &interaction, &mut planted);
        events.extend(played);
    }
    let mut dice = Dice::new(args.seed, AUDIT_STREAM);
    events.extend(audit::day(&centre, &mut dice, &mut planted, midnight_ms, args.interactions));
    // Last: what befalls Genesys' events does not depend on whether others tell of them.
    events.extend(guides.into_events(&mut planted));
    let mut dice = Dice::new(args.seed, DISTURBANCE_STREAM);
    let records = disturb::deliver(args, &mut dice, events, &mut planted);
    planted.finish(records.len());
    Traffic { records, planted }
}

fn percent(text: &str) -> Result<f64, String> {
    let value: f64 = text.trim_end_matches('%').parse().map_err(|_| "not a number".to_owned())?;
    if (0.0..=100.0).contains(&value) { Ok(value) } else { Err("a percentage lies between 0 and 100".to_owned()) }
}

fn day(text: &str) -> Result<Date, String> {
    Date::parse(text, format_description!("[year]-[month]-[day]")).map_err(|_| "expected YYYY-MM-DD".to_owned())
}

fn organization(text: &str) -> Result<String, String> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if (1..=64).contains(&text.len()) && text.chars().all(allowed) {
        Ok(text.to_owned())
    } else {
        Err("1 to 64 letters, digits, '.', '_' or '-'".to_owned())
    }
}

/// Streams of the seeded generator: one per concern, so that turning one knob leaves the rest of the day as it was.
const CENTRE_STREAM: u64 = 0;
const AUDIT_STREAM: u64 = 1;
const DISTURBANCE_STREAM: u64 = 2;
const GUIDES_STREAM: u64 = 3;
const FIRST_INTERACTION_STREAM: u64 = 16;
/// Above those of 2³² interactions.
const FIRST_GUIDE_STREAM: u64 = 1 << 40;
