//! The commands, one file each.
//!
//! Invariant: a command reads through its source, returns an answer or a fault, and writes to no terminal.

#[cfg(feature = "aws")]
mod acts;
mod check_proof;
#[cfg(feature = "aws")]
mod crm;
#[cfg(feature = "aws")]
mod doctor;
#[cfg(feature = "aws")]
mod export;
#[cfg(feature = "aws")]
mod finishing;
#[cfg(feature = "aws")]
mod gold;
#[cfg(feature = "aws")]
mod hold;
#[cfg(feature = "aws")]
mod own_numbers;
mod prove;
mod rebuild_postings;
#[cfg(feature = "aws")]
mod rebuild_tiles;
#[cfg(feature = "aws")]
mod replay;
#[cfg(feature = "aws")]
mod request;
mod retention;
#[cfg(feature = "aws")]
mod rotate_key;
mod shell;
mod show;
#[cfg(feature = "aws")]
mod status;
#[cfg(feature = "aws")]
mod subject;
mod trace;
mod verify;
mod witness;

use crate::answer::Answered;
use crate::args::Command;
use crate::context::Context;

/// The command's name, as it was typed.
pub(crate) fn name(command: &Command) -> &'static str {
    match command {
        Command::Verify(_) => "verify",
        #[cfg(feature = "aws")]
        Command::Export(_) => "export",
        Command::Prove(_) => "prove",
        Command::CheckProof(_) => "check-proof",
        Command::Show(_) => "show",
        Command::Trace(_) => "trace",
        #[cfg(feature = "aws")]
        Command::Hold(_) => "hold",
        #[cfg(feature = "aws")]
        Command::Subject(_) => "subject",
        #[cfg(feature = "aws")]
        Command::Request(_) => "request",
        #[cfg(feature = "aws")]
        Command::Crm(_) => "crm",
        #[cfg(feature = "aws")]
        Command::Gold(_) => "gold",
        #[cfg(feature = "aws")]
        Command::Replay(_) => "replay",
        Command::Retention(_) => "retention",
        Command::RebuildPostings(_) => "rebuild-postings",
        #[cfg(feature = "aws")]
        Command::RebuildTiles(_) => "rebuild-tiles",
        #[cfg(feature = "aws")]
        Command::RotateKey(_) => "rotate-key",
        #[cfg(feature = "aws")]
        Command::OwnNumbers(_) => "own-numbers",
        Command::Witness(_) => "witness",
        #[cfg(feature = "aws")]
        Command::Status(_) => "status",
        #[cfg(feature = "aws")]
        Command::Doctor(_) => "doctor",
        Command::Completions { .. } => "completions",
        Command::Man => "man",
    }
}

/// Carries a command out.
pub(crate) fn run(command: Command, context: &Context) -> Answered {
    match command {
        Command::Verify(args) => verify::run(&args, context),
        #[cfg(feature = "aws")]
        Command::Export(args) => export::run(&args, context),
        Command::Prove(args) => prove::run(&args, context),
        Command::CheckProof(args) => check_proof::run(&args),
        Command::Show(what) => show::run(&what, context),
        Command::Trace(args) => trace::run(&args, context),
        #[cfg(feature = "aws")]
        Command::Hold(what) => hold::run(&what, context),
        #[cfg(feature = "aws")]
        Command::Subject(what) => subject::run(&what, context),
        #[cfg(feature = "aws")]
        Command::Request(what) => request::run(&what, context),
        #[cfg(feature = "aws")]
        Command::Crm(what) => crm::run(&what, context),
        #[cfg(feature = "aws")]
        Command::Gold(what) => gold::run(&what, context),
        #[cfg(feature = "aws")]
        Command::Replay(what) => replay::run(&what, context),
        Command::Retention(args) => retention::run(&args, context),
        Command::RebuildPostings(args) => rebuild_postings::run(&args, context),
        #[cfg(feature = "aws")]
        Command::RebuildTiles(args) => rebuild_tiles::run(&args, context),
        #[cfg(feature = "aws")]
        Command::RotateKey(args) => rotate_key::run(&args, context),
        #[cfg(feature = "aws")]
        Command::OwnNumbers(what) => own_numbers::run(&what, context),
        Command::Witness(args) => witness::run(&args, context),
        #[cfg(feature = "aws")]
        Command::Status(args) => status::run(&args, context),
        #[cfg(feature = "aws")]
        Command::Doctor(args) => doctor::run(&args, context),
        Command::Completions { shell } => Ok(shell::completions(shell)),
        Command::Man => shell::manual(),
    }
}
