//! `check-proof`: an entry was in a log when its checkpoint was signed, by public keys alone.
//!
//! Invariant: no network, no folder, no trust in anything but the keys given.

use std::io;
use std::path::PathBuf;

use ledgerline_ledger::entry::{Header, Line};
use ledgerline_ledger::proof::{Proven, TlogProof};
use ledgerline_ledger::signing::VerifyingKeys;
use serde_json::{Value, json};

use crate::answer::{Answer, Answered, Outcome};
use crate::args::CheckProofArgs;
use crate::context::moment;
use crate::fault::Fault;
use crate::screen::{Mark, Screen, counted, grouped};
use crate::source::{read_file, vkeys, witnesses};

/// Checks a proof.
pub(super) fn run(args: &CheckProofArgs) -> Answered {
    let entry_path = args.entry.clone().unwrap_or_else(|| args.proof.with_extension("json"));
    let remedy = "name the .tlog-proof, and with --entry the line's file; `ledgerline prove` wrote both";
    let proof = read_file(&args.proof, remedy)?;
    let line = read_file(&entry_path, remedy)?;
    // The newline ends the line; it is no part of the entry.
    let line = line.strip_suffix(b"\n").unwrap_or(&line);
    let (witnesses, quorum) = witnesses(&args.witnesses, args.quorum)?;
    let given = [vkeys(&args.keys)?, witnesses].concat();
    let keys = VerifyingKeys::parse(&given)
        .map_err(|error| Fault::caused_by("the keys given cannot be used together", &error, "give each key once"))?;
    let parsed = TlogProof::parse(&proof).map_err(|error| {
        Fault::caused_by(
            format!("{} cannot be read", args.proof.display()),
            &error,
            "name the .tlog-proof that `ledgerline prove` wrote",
        )
    })?;
    let origin = parsed.checkpoint.claimed_origin().to_owned();
    let problem = match parsed.check(line, &keys) {
        Err(error) => Err(error.to_string()),
        Ok(proven) if witnessed(&proven) < quorum => {
            Err(format!("{} of the witnesses cosigned, {quorum} must have", witnessed(&proven)))
        }
        Ok(proven) => match str::from_utf8(line).map(Line::check) {
            Ok(Ok(line)) => Ok((proven, line.header().clone())),
            Ok(Err(error)) => Err(format!("the line is in the log, and is no entry: {error}")),
            Err(_) => Err("the line is in the log, and is no text".to_owned()),
        },
    };
    Ok(Box::new(Checked { proof: args.proof.clone(), origin, problem }))
}

/// Witnesses by name: two keys of one witness are one witness.
fn witnessed(proven: &Proven) -> usize {
    let names: std::collections::BTreeSet<&str> =
        proven.checkpoint.cosignatures().iter().map(|one| one.witness.as_str()).collect();
    names.len()
}

struct Checked {
    proof: PathBuf,
    origin: String,
    problem: Result<(Proven, Header), String>,
}

impl Answer for Checked {
    fn outcome(&self) -> Outcome {
        Outcome::of(self.problem.is_ok())
    }

    fn json(&self) -> Value {
        match &self.problem {
            Ok((proven, header)) => json!({
                "eventId": header.event_id, "record": header.record.key(&header.org), "occurredAt": header.occurred_at,
                "origin": self.origin, "index": proven.index, "size": proven.checkpoint.size(),
                "root": proven.checkpoint.root().hex(),
                "cosignatures": proven.checkpoint.cosignatures().iter()
                    .map(|one| json!({ "witness": one.witness, "time": moment(one.time_s) })).collect::<Vec<_>>(),
            }),
            Err(problem) => json!({ "origin": self.origin, "problem": problem }),
        }
    }

    fn draw(&self, screen: &mut Screen<'_>) -> io::Result<()> {
        screen.title("CHECK-PROOF", &self.proof.display().to_string())?;
        screen.fact("log", &self.origin)?;
        match &self.problem {
            Ok((proven, header)) => {
                screen.fact("entry", &grouped(proven.index))?;
                screen.fact("event", &header.event_id)?;
                screen.fact("about", &header.record.key(&header.org))?;
                screen.fact("occurred at", &header.occurred_at)?;
                screen.fact("signed at", &counted(proven.checkpoint.size(), "entry", "entries"))?;
                for one in proven.checkpoint.cosignatures() {
                    screen.fact("witness", &format!("{} at {}", one.witness, moment(one.time_s)))?;
                }
                screen.verdict(Mark::Good, "The entry was in this log, at this place, when the checkpoint was signed.")
            }
            Err(problem) => {
                screen.check(
                    Mark::Bad,
                    problem,
                    "the proof, the line or the key is not the right one, or one was altered",
                )?;
                screen.verdict(Mark::Bad, "This proves nothing.")
            }
        }
    }
}
