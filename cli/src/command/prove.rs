//! `prove`: one entry is in its log, as a C2SP tlog-proof and the entry's line, to be checked by anybody, offline.
//!
//! Invariant: what is written has passed the check that `check-proof` makes, by the keys given or the evidence's own; and it
//! is written below `--out` and nowhere else.

use std::io;
use std::path::{Path, PathBuf};

use ledgerline_ledger::entry::Line;
use ledgerline_ledger::log::LogId;
use ledgerline_ledger::signing::VerifyingKeys;
use ledgerline_ledger::verify::Evidence;
use serde_json::{Value, json};

use crate::answer::{Answer, Answered};
use crate::args::{ProveArgs, WhichEntry};
use crate::context::Context;
use crate::fault::Fault;
use crate::private;
use crate::reading::{Found, Inventory, is_event};
use crate::screen::{Mark, Screen, grouped};
use crate::source::{Locks, Source, log_of, vkeys};
use crate::tree::Tree;

/// Writes the proof of an entry.
pub(super) fn run(args: &ProveArgs, context: &Context) -> Answered {
    let log = args.log.as_deref().map(log_of).transpose()?;
    let mut keys = vkeys(&args.keys)?;
    let source = Source::open(&args.source.place(), log.as_ref(), Locks::OnDemand)?;
    let evidence = source.evidence.as_ref();
    let inventory = Inventory::of(evidence, context)?;
    let candidates = candidates(&inventory, evidence, context, &args.which, log.as_ref())?;
    let [first, ..] = candidates.as_slice() else { return Err(not_found(&args.which)) };
    let log = first.log.clone();
    let tree = Tree::of(&log, inventory.log(&log)?, evidence);
    let claim = tree.covering(first.index)?;
    let same_place: Vec<Found> = candidates.iter().filter(|found| found.log == log).cloned().collect();
    let (found, proof) = tree.prove(&same_place, &claim)?.ok_or_else(|| not_in_tree(first))?;
    if keys.is_empty() {
        (keys, _) = source.own_keys(std::slice::from_ref(&log))?;
    }
    if keys.is_empty() {
        return Err(Fault::new(format!("no key is known for {}", source.name), "name the log's public key with --key"));
    }
    let keys = VerifyingKeys::parse(&keys).map_err(|error| {
        Fault::caused_by("the keys cannot be used", &error, "name the log's public key with --key, once")
    })?;
    let bytes = proof.to_bytes();
    proof.check(found.line.as_bytes(), &keys).map_err(|error| {
        let what = format!("the proof of entry {} of {log} does not check out", found.index);
        Fault::caused_by(
            what,
            &error,
            "run `ledgerline verify`: the checkpoint was altered, or another key signed it: name that one with --key",
        )
    })?;
    // Checked whole: the id becomes a file's name, and a line that is no entry may have any.
    let line = Line::check(&found.line).map_err(|error| {
        let what = format!("what stands at {} of {log} is no entry", found.index);
        Fault::caused_by(what, &error, "run `ledgerline verify` to see what else is wrong")
    })?;
    let event = &line.header().event_id;
    let (proof, entry) = (args.out.join(format!("{event}.tlog-proof")), args.out.join(format!("{event}.json")));
    write(&proof, &bytes)?;
    write(&entry, format!("{}\n", found.line).as_bytes())?;
    let vkeys = keys.iter().filter(|key| key.name() == claim.origin).map(|key| key.vkey()).collect();
    Ok(Box::new(Proved { found: found.clone(), size: claim.size, proof, entry, bytes: bytes.len(), vkeys }))
}

/// The entries that may be meant; several only where a crash left a copy of a segment.
pub(super) fn candidates(
    inventory: &Inventory,
    evidence: &dyn Evidence,
    context: &Context,
    which: &WhichEntry,
    log: Option<&LogId>,
) -> Result<Vec<Found>, Fault> {
    match (&which.event, which.index, log) {
        (Some(event), _, log) => {
            if event.len() != 32 || !event.bytes().all(|byte| byte.is_ascii_hexdigit()) {
                return Err(Fault::new(format!("{event:?} is no event id"), "an event id is 32 hex digits"));
            }
            let event = event.to_ascii_lowercase();
            let logs: Vec<LogId> = log.into_iter().cloned().collect();
            inventory.find(evidence, context, &logs, &|_, _, line| is_event(line, &event))
        }
        (None, Some(index), Some(log)) => inventory.at(evidence, context, log, index),
        // Clap asks for one of both, and for the log with an index.
        (None, ..) => Ok(Vec::new()),
    }
}

/// There is no such entry.
pub(super) fn not_found(which: &WhichEntry) -> Fault {
    let what = match (&which.event, which.index) {
        (Some(event), _) => format!("no entry has the event id {event}"),
        (None, index) => format!("the log has no entry {}", index.unwrap_or_default()),
    };
    Fault::new(what, "see `ledgerline show head` for the logs and their sizes; a new entry takes a minute to arrive")
}

fn not_in_tree(found: &Found) -> Fault {
    Fault::new(
        format!("{} holds the entry, and the log's tree does not", found.segment),
        "it may be left by a crash, its entries being committed elsewhere: `ledgerline verify` says which",
    )
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), Fault> {
    private::write_file(path, bytes).map_err(|error| {
        Fault::caused_by(format!("cannot write {}", path.display()), &error, "name another folder with --out")
    })
}

struct Proved {
    found: Found,
    size: u64,
    proof: PathBuf,
    entry: PathBuf,
    bytes: usize,
    vkeys: Vec<String>,
}

impl Answer for Proved {
    fn json(&self) -> Value {
        json!({
            "log": self.found.log.as_str(), "index": self.found.index, "size": self.size,
            "leafHash": self.found.leaf().hex(), "proof": self.proof, "entry": self.entry, "keys": self.vkeys,
        })
    }

    fn draw(&self, screen: &mut Screen<'_>) -> io::Result<()> {
        screen.title("PROVE", self.found.log.as_str())?;
        screen.fact("entry", &format!("{} of {}", grouped(self.found.index), grouped(self.size)))?;
        screen.fact("leaf", &self.found.leaf().hex())?;
        screen.fact("proof", &format!("{} ({} bytes)", self.proof.display(), self.bytes))?;
        screen.fact("entry's line", &self.entry.display().to_string())?;
        for key in &self.vkeys {
            screen.fact("key", key)?;
        }
        screen.fact(
            "check it with",
            &format!("ledgerline check-proof {} --key <the log's vkey>", self.proof.display()),
        )?;
        screen.verdict(Mark::Good, "Proved. Hand over both files; the key must reach the reader another way.")
    }
}
