//! What the command line says.
//!
//! Invariant: an option that a build cannot serve is not in its help: without the `aws` feature there is no `--stack`.
#![allow(rustdoc::invalid_html_tags, reason = "doc comments are the help's text here, and <x> is its placeholder")]

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;

#[cfg(feature = "aws")]
use crate::fault::Fault;

/// The whole command line.
#[derive(Debug, Parser)]
#[command(
    name = "ledgerline",
    version,
    about = "Checks, proves, shows and keeps the evidence of a Ledgerline deployment",
    long_about = "Checks, proves, shows and keeps the evidence of a Ledgerline deployment.\n\n\
                  Exit codes: 0 it holds; 1 the evidence is broken; 2 it could not be checked.",
    disable_help_subcommand = true,
    arg_required_else_help = true
)]
pub(crate) struct Arguments {
    /// Write one JSON document instead of text
    #[arg(long, global = true)]
    pub(crate) json: bool,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Check every object of the evidence, and name what is wrong with it
    Verify(VerifyArgs),
    /// Write an auditor's folder: evidence, keys, and how to check both by hand
    #[cfg(feature = "aws")]
    Export(ExportArgs),
    /// Prove that one entry is in a log: a tlog-proof file and the entry's line
    Prove(ProveArgs),
    /// Check such a proof, offline, by the log's public key alone
    CheckProof(CheckProofArgs),
    /// Show an entry, an interaction's entries, or the heads of logs
    #[command(subcommand)]
    Show(ShowCommand),
    /// Every place where an interaction, or what a lineage token names, is kept
    Trace(TraceArgs),
    /// Place, lift and list legal holds; each is an entry of the log, too
    #[cfg(feature = "aws")]
    #[command(subcommand)]
    Hold(HoldCommand),
    /// Mark an identifier that names no person, such as a switchboard's; take the mark away; show both
    #[cfg(feature = "aws")]
    #[command(subcommand)]
    Subject(SubjectCommand),
    /// Requests of persons that come by phone or by post: make, list, verify, approve, refuse
    #[cfg(feature = "aws")]
    #[command(subcommand)]
    Request(RequestCommand),
    /// What your CRM says of customers, for the rows that analysts read
    #[cfg(feature = "aws")]
    #[command(subcommand)]
    Crm(CrmCommand),
    /// A day's figures of queues: handle time, service level, first contact resolution, satisfaction
    #[cfg(feature = "aws")]
    #[command(subcommand)]
    Gold(GoldCommand),
    /// Put back into the stream what was set aside: quarantine, error objects, dead letters, spilled records
    #[cfg(feature = "aws")]
    #[command(subcommand)]
    Replay(ReplayCommand),
    /// What is kept, until when, and what lacks a lock
    Retention(RetentionArgs),
    /// Build the index of entries again from the segments, and compare it with what is stored
    RebuildPostings(RebuildArgs),
    /// Derive every log's tiles again from its segments, and compare them with what is stored
    #[cfg(feature = "aws")]
    RebuildTiles(RebuildTilesArgs),
    /// Announce a new signing key in every log, and let it sign once the old one vouches for it
    #[cfg(feature = "aws")]
    RotateKey(RotateKeyArgs),
    /// The company's own numbers, addresses and domains: they name no customer
    #[cfg(feature = "aws")]
    #[command(subcommand)]
    OwnNumbers(OwnNumbersCommand),
    /// Cosign the logs' checkpoints, if they only grew since this witness last looked
    Witness(WitnessArgs),
    /// How a deployment is doing, on one screen
    #[cfg(feature = "aws")]
    Status(StatusArgs),
    /// What of a deployment is misconfigured, and the remedy
    #[cfg(feature = "aws")]
    Doctor(DeploymentArgs),
    /// Write a shell's completions
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Write the manual page
    Man,
}

/// Evidence to read, its folder named first.
#[derive(Debug, Args)]
#[group(id = "evidence", required = true, multiple = false)]
pub(crate) struct FolderFirst {
    /// An exported folder
    #[arg(value_name = "FOLDER")]
    pub(crate) folder: Option<PathBuf>,
    /// A deployment, by its stack.json
    #[cfg(feature = "aws")]
    #[arg(long, value_name = "FILE")]
    pub(crate) stack: Option<PathBuf>,
    /// A ledger bucket alone: no heads, no index
    #[cfg(feature = "aws")]
    #[arg(long, value_name = "NAME")]
    pub(crate) bucket: Option<String>,
}

/// Evidence to read, where something else is named first.
#[derive(Debug, Args)]
#[group(id = "source", required = true, multiple = false)]
pub(crate) struct FolderOption {
    /// An exported folder
    #[arg(long, value_name = "DIR")]
    pub(crate) folder: Option<PathBuf>,
    /// A deployment, by its stack.json
    #[cfg(feature = "aws")]
    #[arg(long, value_name = "FILE")]
    pub(crate) stack: Option<PathBuf>,
    /// A ledger bucket alone: no heads, no index
    #[cfg(feature = "aws")]
    #[arg(long, value_name = "NAME")]
    pub(crate) bucket: Option<String>,
}

/// Where evidence is read from.
#[derive(Debug, Clone)]
pub(crate) enum Place {
    /// An exported folder.
    Folder(PathBuf),
    /// A deployment's stack.json.
    #[cfg(feature = "aws")]
    Stack(PathBuf),
    /// A bucket.
    #[cfg(feature = "aws")]
    Bucket(String),
}

impl FolderFirst {
    /// The one place that was named.
    pub(crate) fn place(&self) -> Place {
        #[cfg(feature = "aws")]
        return place(self.folder.as_ref(), self.stack.as_ref(), self.bucket.as_ref());
        #[cfg(not(feature = "aws"))]
        Place::Folder(self.folder.clone().unwrap_or_default())
    }
}

impl FolderOption {
    /// The one place that was named.
    pub(crate) fn place(&self) -> Place {
        #[cfg(feature = "aws")]
        return place(self.folder.as_ref(), self.stack.as_ref(), self.bucket.as_ref());
        #[cfg(not(feature = "aws"))]
        Place::Folder(self.folder.clone().unwrap_or_default())
    }
}

/// Clap has seen to it that exactly one is given.
#[cfg(feature = "aws")]
fn place(folder: Option<&PathBuf>, stack: Option<&PathBuf>, bucket: Option<&String>) -> Place {
    match (stack, bucket) {
        (Some(stack), _) => Place::Stack(stack.clone()),
        (None, Some(bucket)) => Place::Bucket(bucket.clone()),
        (None, None) => Place::Folder(folder.cloned().unwrap_or_default()),
    }
}

/// Whom to believe.
#[derive(Debug, Args)]
pub(crate) struct TrustArgs {
    /// A log's public key: a vkey, or a file that holds one; of several of one log, the oldest first. Without it the evidence's own keys are taken, and the answer says so
    #[arg(long = "key", value_name = "VKEY|FILE")]
    pub(crate) keys: Vec<String>,
    /// A witness whose cosignature must be there: a vkey, or a file that holds one
    #[arg(long = "witness", value_name = "VKEY|FILE")]
    pub(crate) witnesses: Vec<String>,
    /// How many of the witnesses must have cosigned; all of them unless told
    #[arg(long, value_name = "N", requires = "witnesses", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) quorum: Option<u16>,
}

/// `verify`
#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    #[command(flatten)]
    pub(crate) source: FolderFirst,
    #[command(flatten)]
    pub(crate) trust: TrustArgs,
    /// Only this log; may be repeated
    #[arg(long = "log", value_name = "LOG")]
    pub(crate) logs: Vec<String>,
    /// A checkpoint that you trust already: the log must have grown from it
    #[arg(long = "checkpoint", value_name = "FILE")]
    pub(crate) checkpoints: Vec<PathBuf>,
    /// A checkpoint that witnesses cosigned, as `ledgerline witness` writes it
    #[arg(long = "cosigned", value_name = "FILE", requires = "witnesses")]
    pub(crate) cosigned: Vec<PathBuf>,
    /// The witnesses must have cosigned within this time: a number and s, m, h or d, such as 36h
    #[arg(long, value_name = "DURATION", requires = "witnesses", value_parser = duration_s)]
    pub(crate) witnessed_within: Option<u64>,
    /// Do not ask for locks: for a copy whose versions.jsonl is lost
    #[arg(long)]
    pub(crate) without_locks: bool,
    /// Show each log's details below the table, as for one log alone
    #[arg(long)]
    pub(crate) verbose: bool,
}

/// A duration in seconds.
fn duration_s(text: &str) -> Result<u64, String> {
    let units = [('s', 1), ('m', 60), ('h', 3_600), ('d', 86_400)];
    let read = units.into_iter().find_map(|(unit, seconds)| {
        let number = text.strip_suffix(unit)?;
        // `parse` takes a sign, too.
        number.bytes().all(|byte| byte.is_ascii_digit()).then(|| number.parse::<u64>().ok()?.checked_mul(seconds))?
    });
    read.ok_or_else(|| "write a whole number and its unit, one of s, m, h and d, such as 90m or 36h".to_owned())
}

/// A deployment to talk to.
#[cfg(feature = "aws")]
#[derive(Debug, Args)]
pub(crate) struct DeploymentArgs {
    /// The deployment's stack.json
    #[arg(long, value_name = "FILE")]
    pub(crate) stack: PathBuf,
}

/// `status`
#[cfg(feature = "aws")]
#[derive(Debug, Args)]
pub(crate) struct StatusArgs {
    #[command(flatten)]
    pub(crate) deployment: DeploymentArgs,
    /// Show each log's details below the table, as for one log alone
    #[arg(long)]
    pub(crate) verbose: bool,
}

/// `export`
#[cfg(feature = "aws")]
#[derive(Debug, Args)]
pub(crate) struct ExportArgs {
    #[command(flatten)]
    pub(crate) deployment: DeploymentArgs,
    /// The folder to write; it must be new or empty
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,
    /// Only this log; may be repeated
    #[arg(long = "log", value_name = "LOG")]
    pub(crate) logs: Vec<String>,
    /// A key to put before the deployment's own: one that signed before a rotation, where verification has not seen it
    #[arg(long = "key", value_name = "VKEY|FILE")]
    pub(crate) keys: Vec<String>,
}

/// Which entry.
#[derive(Debug, Args)]
#[group(id = "which", required = true, multiple = false)]
pub(crate) struct WhichEntry {
    /// The entry's event id
    #[arg(value_name = "EVENT-ID")]
    pub(crate) event: Option<String>,
    /// The entry's index in its log; needs --log
    #[arg(long, value_name = "N", requires = "log")]
    pub(crate) index: Option<u64>,
}

/// `prove`
#[derive(Debug, Args)]
pub(crate) struct ProveArgs {
    #[command(flatten)]
    pub(crate) which: WhichEntry,
    #[command(flatten)]
    pub(crate) source: FolderOption,
    /// The entry's log
    #[arg(long, value_name = "LOG")]
    pub(crate) log: Option<String>,
    /// The log's public key: a vkey, or a file that holds one. Without it the proof is checked by the evidence's own keys
    #[arg(long = "key", value_name = "VKEY|FILE")]
    pub(crate) keys: Vec<String>,
    /// The folder for <event id>.tlog-proof and <event id>.json
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub(crate) out: PathBuf,
}

/// `check-proof`
#[derive(Debug, Args)]
pub(crate) struct CheckProofArgs {
    /// The tlog-proof file
    #[arg(value_name = "PROOF")]
    pub(crate) proof: PathBuf,
    /// The entry's line; the file beside the proof with the ending .json unless told
    #[arg(long, value_name = "FILE")]
    pub(crate) entry: Option<PathBuf>,
    /// The log's public key: a vkey, or a file that holds one
    #[arg(long = "key", value_name = "VKEY|FILE", required = true)]
    pub(crate) keys: Vec<String>,
    /// A witness whose cosignature must be there: a vkey, or a file that holds one
    #[arg(long = "witness", value_name = "VKEY|FILE")]
    pub(crate) witnesses: Vec<String>,
    /// How many of the witnesses must have cosigned; all of them unless told
    #[arg(long, value_name = "N", requires = "witnesses", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) quorum: Option<u16>,
}

/// `show`
#[derive(Debug, Subcommand)]
pub(crate) enum ShowCommand {
    /// One entry, by its event id or its place
    Entry {
        #[command(flatten)]
        which: WhichEntry,
        #[command(flatten)]
        source: FolderOption,
        /// The entry's log
        #[arg(long, value_name = "LOG")]
        log: Option<String>,
    },
    /// All entries of an interaction or entity, in event order
    Interaction {
        /// An interaction id, or <entity type>/<entity id>
        #[arg(value_name = "ID")]
        record: String,
        #[command(flatten)]
        source: FolderOption,
    },
    /// The heads and checkpoints of the logs
    Head {
        #[command(flatten)]
        source: FolderOption,
        /// Only this log
        #[arg(long, value_name = "LOG")]
        log: Option<String>,
    },
}

/// `trace`
#[derive(Debug, Args)]
pub(crate) struct TraceArgs {
    /// An interaction id, <entity type>/<entity id>, or a lineage token
    #[arg(value_name = "ID|TOKEN")]
    pub(crate) subject: String,
    #[command(flatten)]
    pub(crate) source: FolderOption,
}

/// `hold`
#[cfg(feature = "aws")]
#[derive(Debug, Subcommand)]
pub(crate) enum HoldCommand {
    /// Keep an interaction's evidence beyond its retention
    Place(HoldPlaceArgs),
    /// End a hold; what its retention still covers stays locked
    Lift(WhichHold),
    /// The holds of the logs, and whether each segment they name is held
    List(DeploymentArgs),
}

/// Which hold, of which record.
#[cfg(feature = "aws")]
#[derive(Debug, Args)]
pub(crate) struct WhichHold {
    /// An interaction id, or <entity type>/<entity id>
    #[arg(value_name = "ID")]
    pub(crate) record: String,
    #[command(flatten)]
    pub(crate) deployment: DeploymentArgs,
    /// The org that the record belongs to
    #[arg(long)]
    pub(crate) org: String,
    /// The hold's name, such as a matter's number: placing it twice changes nothing
    #[arg(long, value_name = "NAME")]
    pub(crate) hold: String,
}

/// `hold place`
#[cfg(feature = "aws")]
#[derive(Debug, Args)]
pub(crate) struct HoldPlaceArgs {
    #[command(flatten)]
    pub(crate) which: WhichHold,
    /// Why it is kept; a closed list, as it stands in the ledger for ever
    #[arg(long, value_enum)]
    pub(crate) purpose: HoldPurpose,
    /// The legal basis; a closed list
    #[arg(long, value_enum)]
    pub(crate) basis: HoldBasis,
    /// When somebody must look at it again: YYYY-MM-DD
    #[arg(long, value_name = "DATE")]
    pub(crate) review: String,
}

/// Why evidence is held.
#[cfg(feature = "aws")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum HoldPurpose {
    Litigation,
    Regulator,
    Complaint,
    Investigation,
    Audit,
}

/// What allows it to be held.
#[cfg(feature = "aws")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum HoldBasis {
    LegalClaims,
    LegalObligation,
    PublicInterest,
    LegitimateInterest,
}

/// `subject`
#[cfg(feature = "aws")]
#[derive(Debug, Subcommand)]
pub(crate) enum SubjectCommand {
    /// Link nothing more to it, and answer access requests about it by naming its interactions alone
    Share(WhichSubject),
    /// Link to it again; what came meanwhile stays unlinked
    Unshare(WhichSubject),
    /// Its state, its links, and whether it is shared
    Show(WhichSubject),
}

/// Which subject.
#[cfg(feature = "aws")]
#[derive(Debug, Args)]
pub(crate) struct WhichSubject {
    /// A subject id (s_…) or a pseudonym (p1_…); or -, and one line kind:value on standard input, such as phone:+1 555 555 0142
    #[arg(value_name = "WHO")]
    pub(crate) who: String,
    /// The org whose customer is meant; needed where a deployment has several, unless WHO is a subject id
    #[arg(long)]
    pub(crate) org: Option<String>,
    #[command(flatten)]
    pub(crate) deployment: DeploymentArgs,
}

/// `request`
#[cfg(feature = "aws")]
#[derive(Debug, Subcommand)]
pub(crate) enum RequestCommand {
    /// Make a request; the same one again is the first one, while that is open
    Create(RequestCreateArgs),
    /// Open requests, what is due first
    List(RequestListArgs),
    /// One request, its history, and what may be done next
    Show(RequestShowArgs),
    /// The requester's identity was checked
    Verify(RequestVerifyArgs),
    /// What the preview shows may be done; never by anyone who asked for it
    Approve(RequestApproveArgs),
    /// The request is withdrawn
    Cancel(RequestReasonArgs),
    /// What is asked is not to be done
    Refuse(RequestReasonArgs),
    /// The deadline moves; once
    Extend(RequestReasonArgs),
}

/// Which API. Who asks is said by the environment: LEDGERLINE_TOKEN, and LEDGERLINE_API_KEY for the usage plan.
#[cfg(feature = "aws")]
#[derive(Debug, Args)]
pub(crate) struct ApiArgs {
    /// The API's URL, the stack's output ApiUrl; the token comes from LEDGERLINE_TOKEN, the key from LEDGERLINE_API_KEY
    #[arg(long, value_name = "URL")]
    pub(crate) api: String,
}

/// Which request.
#[cfg(feature = "aws")]
#[derive(Debug, Args)]
pub(crate) struct WhichRequest {
    /// The request's id (req_…)
    #[arg(value_name = "ID")]
    pub(crate) id: String,
    #[command(flatten)]
    pub(crate) api: ApiArgs,
}

/// `request create`
#[cfg(feature = "aws")]
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("about").required(true).multiple(true))]
pub(crate) struct RequestCreateArgs {
    /// What is asked for
    #[arg(long = "type", value_enum)]
    pub(crate) kind: RequestKindArg,
    /// Whose clock runs
    #[arg(long, value_enum, default_value_t = RegimeArg::Gdpr)]
    pub(crate) regime: RegimeArg,
    /// Read identifiers from standard input, one kind:value a line, such as phone:+1 555 555 0142
    #[arg(long, group = "about", conflicts_with = "customer")]
    pub(crate) stdin: bool,
    /// The customer's id or hash as the source sends it, a pseudonym (p1_…) or a subject id (s_…). A shell's history keeps it: on a shared machine give
    /// it by --stdin, as customer_id_hash:…
    #[arg(long, value_name = "HASH", group = "about")]
    pub(crate) customer: Option<String>,
    /// An interaction that the request names; may be repeated
    #[arg(long = "interaction", value_name = "ID", group = "about")]
    pub(crate) interactions: Vec<String>,
    /// The only org that is asked; all of the token's unless told
    #[arg(long)]
    pub(crate) org: Option<String>,
    /// Your own name for it, such as a ticket's number
    #[arg(long, value_name = "TEXT")]
    pub(crate) reference: Option<String>,
    #[command(flatten)]
    pub(crate) api: ApiArgs,
}

/// `request list`
#[cfg(feature = "aws")]
#[derive(Debug, Args)]
pub(crate) struct RequestListArgs {
    /// Only this org's
    #[arg(long)]
    pub(crate) org: Option<String>,
    /// Closed ones, too
    #[arg(long)]
    pub(crate) all: bool,
    #[command(flatten)]
    pub(crate) api: ApiArgs,
}

/// `request show`
#[cfg(feature = "aws")]
#[derive(Debug, Args)]
pub(crate) struct RequestShowArgs {
    #[command(flatten)]
    pub(crate) which: WhichRequest,
    /// What it would reach, too, with the digest that an approval names
    #[arg(long)]
    pub(crate) preview: bool,
}

/// `request verify`
#[cfg(feature = "aws")]
#[derive(Debug, Args)]
pub(crate) struct RequestVerifyArgs {
    #[command(flatten)]
    pub(crate) which: WhichRequest,
    /// How
    #[arg(long, value_enum)]
    pub(crate) method: MethodArg,
    /// What proves it
    #[arg(long, value_name = "TEXT")]
    pub(crate) reference: Option<String>,
}

/// `request approve`
#[cfg(feature = "aws")]
#[derive(Debug, Args)]
pub(crate) struct RequestApproveArgs {
    #[command(flatten)]
    pub(crate) which: WhichRequest,
    /// The digest of the preview that you looked at: `request show --preview`
    #[arg(long, value_name = "DIGEST")]
    pub(crate) digest: String,
    /// A shared record whose joint content goes; may be repeated. One that is not named is kept
    #[arg(long, value_name = "RECORD")]
    pub(crate) erase: Vec<String>,
}

/// `request cancel`, `request refuse`, `request extend`
#[cfg(feature = "aws")]
#[derive(Debug, Args)]
pub(crate) struct RequestReasonArgs {
    #[command(flatten)]
    pub(crate) which: WhichRequest,
    /// Why
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: String,
}

/// What is asked for.
#[cfg(feature = "aws")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum RequestKindArg {
    Erasure,
    Access,
    Portability,
}

/// Whose clock runs.
#[cfg(feature = "aws")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum RegimeArg {
    Gdpr,
    Ccpa,
}

/// How a request is verified.
#[cfg(feature = "aws")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum MethodArg {
    Document,
    Account,
    Callback,
    Knowledge,
    InPerson,
    Representative,
}

/// `gold`
#[cfg(feature = "aws")]
#[derive(Debug, Subcommand)]
pub(crate) enum GoldCommand {
    /// The day's table
    Show(GoldShowArgs),
}

/// `gold show`
#[cfg(feature = "aws")]
#[derive(Debug, Args)]
pub(crate) struct GoldShowArgs {
    /// The date, in the zone of the deployment's reports
    #[arg(long, value_name = "YYYY-MM-DD")]
    pub(crate) date: String,
    /// Only this queue
    #[arg(long, value_name = "ID")]
    pub(crate) queue: Option<String>,
    /// Only this media, such as VOICE; a queue's media are added up unless one is named
    #[arg(long)]
    pub(crate) media: Option<String>,
    /// Only this org
    #[arg(long)]
    pub(crate) org: Option<String>,
    /// A row for each half hour
    #[arg(long)]
    pub(crate) half_hours: bool,
    #[command(flatten)]
    pub(crate) from: FiguresFrom,
}

/// Where figures are read from.
#[cfg(feature = "aws")]
#[derive(Debug, Args)]
#[group(id = "figures", required = true, multiple = false)]
pub(crate) struct FiguresFrom {
    /// The API's URL, the stack's output ApiUrl; the token comes from LEDGERLINE_TOKEN, the key from LEDGERLINE_API_KEY
    #[arg(long, value_name = "URL")]
    pub(crate) api: Option<String>,
    /// The deployment's stack.json, with credentials that may read the lake's bucket
    #[arg(long, value_name = "FILE")]
    pub(crate) stack: Option<PathBuf>,
}

/// `crm`
#[cfg(feature = "aws")]
#[derive(Debug, Subcommand)]
pub(crate) enum CrmCommand {
    /// Load tiers, products and owners from a CSV file; the same file again changes nothing
    Load(CrmLoadArgs),
}

/// `crm load`
#[cfg(feature = "aws")]
#[derive(Debug, Args)]
pub(crate) struct CrmLoadArgs {
    /// The file, with a line of headings
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// A column that names the customer, and by what: phone, email, account, external_contact, … or record, for an interaction's id; may be repeated
    #[arg(long = "key", value_name = "COLUMN=KIND", required = true)]
    pub(crate) keys: Vec<String>,
    /// The column of the tier; `tier` unless told
    #[arg(long, value_name = "COLUMN")]
    pub(crate) tier: Option<String>,
    /// The column of the product; `product` unless told
    #[arg(long, value_name = "COLUMN")]
    pub(crate) product: Option<String>,
    /// The column of the account's owner; `owner` unless told
    #[arg(long, value_name = "COLUMN")]
    pub(crate) owner: Option<String>,
    /// The org whose customers these are; needed where the token sees several
    #[arg(long)]
    pub(crate) org: Option<String>,
    /// What stands between cells: one character, or \t for a tab
    #[arg(long, value_name = "CHARACTER", default_value = ",")]
    pub(crate) delimiter: String,
    #[command(flatten)]
    pub(crate) api: ApiArgs,
}

#[cfg(feature = "aws")]
impl CrmLoadArgs {
    /// What stands between cells.
    pub(crate) fn delimiter(&self) -> Result<u8, Fault> {
        match self.delimiter.as_bytes() {
            [byte] => Ok(*byte),
            b"\\t" => Ok(b'\t'),
            _ => Err(Fault::new("--delimiter is not one character", "write it as ; or | or \\t")),
        }
    }
}

/// `replay`
#[cfg(feature = "aws")]
#[derive(Debug, Subcommand)]
pub(crate) enum ReplayCommand {
    /// Lines that are not events, once what made them so is mended
    Quarantine(ReplayArgs),
    /// Records that Firehose could not process or deliver, and redrive did not put back
    Errors(ReplayArgs),
    /// Messages of the dead-letter queues, to where they belong
    Dlq(ReplayArgs),
    /// Records that the stream refused when capture gave it
    Spill(ReplayArgs),
}

/// `replay quarantine`, `replay errors`, `replay dlq`, `replay spill`
#[cfg(feature = "aws")]
#[derive(Debug, Args)]
pub(crate) struct ReplayArgs {
    #[command(flatten)]
    pub(crate) deployment: DeploymentArgs,
    /// Put them back; without it the answer says what would be put back
    #[arg(long)]
    pub(crate) apply: bool,
    /// Say what would be put back, as without --apply
    #[arg(long, conflicts_with = "apply")]
    pub(crate) dry_run: bool,
    /// Only what came on this date (UTC) or later
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = date)]
    pub(crate) since: Option<time::Date>,
    /// Only what came on this date (UTC) or before
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = date)]
    pub(crate) until: Option<time::Date>,
    /// Only what was set aside for this reason, as the answer names it; may be repeated
    #[arg(long = "reason", value_name = "REASON")]
    pub(crate) reasons: Vec<String>,
    /// Only what this set aside, as the answer names it: a function, a queue; may be repeated
    #[arg(long = "source", value_name = "SOURCE")]
    pub(crate) sources: Vec<String>,
    /// Only what was put back, and refused again, at most so often
    #[arg(long, value_name = "N")]
    pub(crate) replayed_at_most: Option<u32>,
    /// Records that go back in a second, at most, so that live events keep the rest of the stream
    #[arg(long, value_name = "N", default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) rate: u32,
}

/// A date as it is stored.
#[cfg(feature = "aws")]
fn date(text: &str) -> Result<time::Date, String> {
    ledgerline_lake::keys::parse_iso_date(text).ok_or_else(|| "write a date such as 2026-03-02".to_owned())
}

/// `retention`
#[derive(Debug, Args)]
pub(crate) struct RetentionArgs {
    #[command(flatten)]
    pub(crate) source: FolderFirst,
    /// Lock for its full time, by the deployment's policy, what is locked for less; needs --stack
    #[cfg(feature = "aws")]
    #[arg(long, requires = "stack")]
    pub(crate) extend: bool,
}

/// `rebuild-postings`
#[derive(Debug, Args)]
pub(crate) struct RebuildArgs {
    #[command(flatten)]
    pub(crate) source: FolderFirst,
    /// Only this log; may be repeated
    #[arg(long = "log", value_name = "LOG")]
    pub(crate) logs: Vec<String>,
    /// Write the rows that are missing or differ
    #[cfg(feature = "aws")]
    #[arg(long, requires = "stack")]
    pub(crate) write: bool,
}

/// `rebuild-tiles`
#[cfg(feature = "aws")]
#[derive(Debug, Args)]
pub(crate) struct RebuildTilesArgs {
    #[command(flatten)]
    pub(crate) deployment: DeploymentArgs,
    /// Only this log; may be repeated
    #[arg(long = "log", value_name = "LOG")]
    pub(crate) logs: Vec<String>,
    /// A log's public key: a vkey, or a file that holds one; of several of one log, the oldest first. Without it those count that the deployment remembers
    #[arg(long = "key", value_name = "KEY")]
    pub(crate) keys: Vec<String>,
    /// Put the tiles that are missing, and partial ones that differ
    #[arg(long)]
    pub(crate) write: bool,
}

/// `rotate-key`
#[cfg(feature = "aws")]
#[derive(Debug, Args)]
pub(crate) struct RotateKeyArgs {
    #[command(flatten)]
    pub(crate) deployment: DeploymentArgs,
    /// The new KMS key: id, alias or ARN of an ECC_NIST_EDWARDS25519 signing key
    #[arg(long, value_name = "KEY")]
    pub(crate) new_key: String,
    /// The key before it, where the deployment uses the new one already: signs what logs that lack the new one need
    #[arg(long, value_name = "KEY")]
    pub(crate) old: Option<String>,
    /// Turn back to a key that may sign already: withdraws the later ones, so that nobody signs until it is deployed
    #[arg(long)]
    pub(crate) turn_back: bool,
    /// How long to wait for the checkpoints that cover the announcements, in minutes
    #[arg(long, value_name = "MINUTES", default_value_t = 10)]
    pub(crate) timeout: u64,
}

/// `own-numbers`
#[cfg(feature = "aws")]
#[derive(Debug, Subcommand)]
pub(crate) enum OwnNumbersCommand {
    /// Put phone numbers, e-mail addresses or domains on an org's list: they name nobody from then on
    Add(OwnItemsArgs),
    /// Take items off an org's list; that they stood on it stays known
    Remove(OwnItemsArgs),
    /// An org's list
    List(OwnListArgs),
}

/// Which org's list.
#[cfg(feature = "aws")]
#[derive(Debug, Args)]
pub(crate) struct OwnListArgs {
    #[command(flatten)]
    pub(crate) deployment: DeploymentArgs,
    /// The org whose list it is
    #[arg(long)]
    pub(crate) org: String,
}

/// `own-numbers add`, `own-numbers remove`
#[cfg(feature = "aws")]
#[derive(Debug, Args)]
pub(crate) struct OwnItemsArgs {
    /// A phone number, best with + and the country code; an e-mail address; or a domain for all of its addresses, such as example.com
    #[arg(value_name = "ITEM", required = true)]
    pub(crate) items: Vec<String>,
    #[command(flatten)]
    pub(crate) list: OwnListArgs,
}

/// `witness`
#[derive(Debug, Args)]
pub(crate) struct WitnessArgs {
    #[command(flatten)]
    pub(crate) source: FolderFirst,
    /// The witness's name: a URL without its scheme, such as witness.example.com/w1
    #[arg(long, value_name = "NAME")]
    pub(crate) name: String,
    /// The witness's private key; made, readable by its owner alone, if it is not there
    #[arg(long, value_name = "FILE")]
    pub(crate) key_file: PathBuf,
    /// What the witness remembers: the last checkpoint of each log
    #[arg(long, value_name = "FILE")]
    pub(crate) state: PathBuf,
    /// The folder for cosignatures: <origin with / as _>.cosigned
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,
    /// A log's public key: a vkey, or a file that holds one; after a rotation both, the oldest first. A witness trusts nothing that the log says of itself
    #[arg(long = "key", value_name = "VKEY|FILE", required = true)]
    pub(crate) keys: Vec<String>,
}
