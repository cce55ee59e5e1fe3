//! `mining`: what a log is of, in which form, and where it goes.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::duration_s;

/// `mining`
#[derive(Debug, Subcommand)]
pub(crate) enum MiningCommand {
    /// Write an event log: XES, OCEL 2.0 as JSON, or CSV tables
    Export(MiningExportArgs),
    /// Send conversations to an engine's bulk endpoint; what was interrupted goes on
    Push(MiningPushArgs),
    /// Print a view as SQL, for Athena
    Sql(MiningSqlArgs),
}

/// Which conversations, and what of them.
#[derive(Debug, Args)]
pub(crate) struct MiningWhatArgs {
    #[command(flatten)]
    pub(crate) lake: LakeArgs,
    /// The org whose conversations these are
    #[arg(long)]
    pub(crate) org: String,
    #[command(flatten)]
    pub(crate) dates: DatesArgs,
    /// Milestones: each event, complete at once. Intervals: IVR, queue, agent, voicemail, after-call work, from start to end
    #[arg(long, value_enum, default_value_t = ViewArg::Milestones)]
    pub(crate) view: ViewArg,
    /// Leave out conversations whose last event is younger than this: others may be on their way. 5s at least
    #[arg(long, value_name = "DURATION", default_value = "10m", value_parser = settle_s)]
    pub(crate) settle: u64,
    /// Days that are read before and after, so that a conversation across midnight is whole
    #[arg(long, value_name = "DAYS", default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=31))]
    pub(crate) around: u8,
    /// What the process is called
    #[arg(long, value_name = "NAME", default_value = "Customer_Support")]
    pub(crate) process: String,
    /// Give agents, and customers, names that are this recipient's alone: two recipients cannot compare theirs
    #[arg(long, value_name = "NAME")]
    pub(crate) recipient: Option<String>,
    /// Name each conversation's customer, too, by the random name that silver has
    #[arg(long)]
    pub(crate) customers: bool,
}

/// Where silver is.
#[derive(Debug, Args)]
#[group(id = "lake", required = true, multiple = false)]
pub(crate) struct LakeArgs {
    /// The deployment's stack.json, with credentials that may read the lake's bucket
    #[arg(long, value_name = "FILE")]
    pub(crate) stack: Option<PathBuf>,
    /// A copy of the lake's bucket: a folder with silver/events/date=YYYY-MM-DD/
    #[arg(long, value_name = "DIR")]
    pub(crate) folder: Option<PathBuf>,
}

/// From which date to which.
#[derive(Debug, Args)]
pub(crate) struct DatesArgs {
    /// The first UTC date on which conversations began
    #[arg(long, value_name = "YYYY-MM-DD")]
    pub(crate) from: String,
    /// The last one; the first one unless told
    #[arg(long, value_name = "YYYY-MM-DD")]
    pub(crate) to: Option<String>,
}

/// `mining export`
#[derive(Debug, Args)]
pub(crate) struct MiningExportArgs {
    #[command(flatten)]
    pub(crate) what: MiningWhatArgs,
    /// The form
    #[arg(long, value_enum)]
    pub(crate) format: FormatArg,
    /// The file to write, or for csv the folder for events.csv, cases.csv and resources.csv
    #[arg(long, value_name = "PATH")]
    pub(crate) out: PathBuf,
    /// Say how far apart consecutive events are
    #[arg(long)]
    pub(crate) differences: bool,
}

/// `mining push`
#[derive(Debug, Args)]
pub(crate) struct MiningPushArgs {
    #[command(flatten)]
    pub(crate) what: MiningWhatArgs,
    /// The engine's URL, before /api/v1/processes/bulk-ingest; https, unless it is this machine. A bearer token comes from LEDGERLINE_MINING_TOKEN
    #[arg(long, value_name = "URL")]
    pub(crate) url: String,
    /// Remembers what arrived: the same command with the same file goes on behind it
    #[arg(long, value_name = "FILE")]
    pub(crate) cursor: PathBuf,
}

/// `mining sql`
#[derive(Debug, Args)]
pub(crate) struct MiningSqlArgs {
    #[command(flatten)]
    pub(crate) dates: DatesArgs,
    /// The view
    #[arg(long, value_enum, default_value_t = ViewArg::Milestones)]
    pub(crate) view: ViewArg,
}

/// A log's form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum FormatArg {
    /// XES, IEEE 1849: one XML file
    Xes,
    /// OCEL 2.0: one JSON file
    Ocel,
    /// Three tables
    Csv,
}

/// What is shown of a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ViewArg {
    Milestones,
    Intervals,
}

/// What a late packet takes at least.
const LEAST_SETTLE_S: u64 = 5;

fn settle_s(text: &str) -> Result<u64, String> {
    let seconds = duration_s(text)?;
    if seconds < LEAST_SETTLE_S { Err(format!("write {LEAST_SETTLE_S}s or more")) } else { Ok(seconds) }
}
