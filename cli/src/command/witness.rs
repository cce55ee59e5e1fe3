//! `witness`: a second pair of eyes, in another account or on a laptop. It cosigns what only grew since it last looked.
//!
//! Order of writes, per log: the state first, then the cosignature. A crash between the two leaves a log remembered and not
//! cosigned at that size; the next run cosigns it. Invariant: no cosignature leaves for a checkpoint that is smaller than,
//! or forked from, what the state remembers; so the state is on the disk before the cosignature is.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use ledgerline_ledger::checkpoint::{Checkpoint, CheckpointError, UnverifiedCheckpoint};
use ledgerline_ledger::log::LogId;
use ledgerline_ledger::proof::{ProveError, verify_consistency};
use ledgerline_ledger::signing::{KeyKind, LocalSigner, VerifyingKeys};
use ledgerline_ledger::tree::Hash;
use ledgerline_ledger::verify::{Evidence, EvidenceFault};
use serde_json::{Value, json};

use crate::answer::{Answer, Answered, Outcome};
use crate::args::WitnessArgs;
use crate::context::Context;
use crate::fault::Fault;
use crate::reading::{Inventory, LogObjects};
use crate::screen::{Mark, Screen, grouped};
use crate::source::{Locks, Source, evidence_fault, log_of_origin, vkeys};
use crate::tree::{Claim, Tree};

/// Looks at every log whose key is given, and cosigns what holds.
pub(super) fn run(args: &WitnessArgs, context: &Context) -> Answered {
    let keys = VerifyingKeys::parse(vkeys(&args.keys)?)
        .map_err(|error| Fault::caused_by("the keys given cannot be used together", &error, "give each key once"))?;
    // Before the key is looked for: two that make it at once would sign by a key that nobody keeps.
    let _alone = alone(&args.state)?;
    let signer = signer(args)?;
    let mut state = State::read(&args.state)?;
    let source = Source::open(&args.source.place(), None, Locks::OnDemand)?;
    let inventory = Inventory::of(source.evidence.as_ref(), context)?;
    let mut seen = Vec::new();
    // A log that cannot be looked at keeps none of the others from being cosigned.
    let mut first_fault = None;
    for key in keys.iter().filter(|key| key.kind() == KeyKind::Log) {
        // The origin is <deployment>/<log>, and the key's name.
        let log = log_of_origin(key.name());
        if seen.iter().any(|one: &Seen| one.origin == key.name()) {
            continue;
        }
        let objects = log.as_ref().and_then(|log| inventory.logs.get(log));
        let outcome = match (&log, objects) {
            (Some(log), Some(objects)) => look(log, objects, source.evidence.as_ref(), &keys, key.name(), &state),
            // What was seen once cannot vanish.
            _ if state.logs.contains_key(key.name()) => Ok(Err("the log is gone".to_owned())),
            _ => {
                let remedy = "name the key of a log that is in this evidence";
                Err(Fault::new(format!("there is no log of {} in {}", key.name(), source.name), remedy))
            }
        };
        let outcome = match outcome {
            Ok(outcome) => outcome,
            Err(fault) => {
                first_fault.get_or_insert(fault);
                continue;
            }
        };
        let outcome = match outcome {
            Ok(checkpoint) => {
                state.logs.insert(key.name().to_owned(), checkpoint.note());
                state.write(&args.state)?;
                Ok(cosign(checkpoint, &signer, context.now_ms / 1000, &args.out)?)
            }
            Err(problem) => Err(problem),
        };
        seen.push(Seen { origin: key.name().to_owned(), outcome });
    }
    match first_fault {
        // A contradiction weighs more than what could not be looked at.
        Some(fault) if seen.iter().all(|seen| seen.outcome.is_ok()) => Err(fault),
        _ => Ok(Box::new(Witnessed { vkey: signer.verifying_key(KeyKind::Witness).vkey(), seen })),
    }
}

/// The newest checkpoint, if it is signed and the log grew to it from what was seen last; or why it does not hold.
fn look(
    log: &LogId,
    objects: &LogObjects,
    evidence: &dyn Evidence,
    keys: &VerifyingKeys,
    origin: &str,
    state: &State,
) -> Result<Result<Checkpoint, String>, Fault> {
    let tree = Tree::of(log, objects, evidence);
    let last = state.logs.get(origin).and_then(|note| Claim::read(note));
    let Some(claim) = newest(&tree, objects, evidence)? else {
        return match last {
            Some(last) => Ok(Err(format!("its checkpoints are gone; the last that was seen ended at {}", last.size))),
            None => {
                Err(Fault::new(format!("{log} has no checkpoint yet"), "wait for its first signature and run it again"))
            }
        };
    };
    let checkpoint = match UnverifiedCheckpoint::parse(&claim.note).and_then(|note| note.verify(keys)) {
        Ok(checkpoint) if checkpoint.origin() == origin => checkpoint,
        Ok(checkpoint) => return Ok(Err(format!("its checkpoint is signed for {}", checkpoint.origin()))),
        Err(CheckpointError::NotSigned) => {
            let hint = "; after a key rotation, verify an export from the key that you have, and name the new one, too";
            return Ok(Err(format!("{}{hint}", CheckpointError::NotSigned)));
        }
        Err(error) => return Ok(Err(error.to_string())),
    };
    let Some(last) = last else { return Ok(Ok(checkpoint)) };
    if is_retired(&checkpoint, &last, keys) {
        return Ok(Err("it is signed by a key that a later one had replaced when it was last seen".to_owned()));
    }
    if claim.size < last.size {
        return Ok(Err(format!("it shrank from {} to {}", last.size, claim.size)));
    }
    if claim.size == last.size {
        let same = claim.root == last.root;
        return Ok(if same { Ok(checkpoint) } else { Err(forked(&last, &claim)) });
    }
    match tree.consistency(last.size, &claim) {
        Ok(proof) if last.size == 0 || consistent(&last, &claim, &proof) => Ok(Ok(checkpoint)),
        Ok(_) => Ok(Err(forked(&last, &claim))),
        Err(ProveError::Read(EvidenceFault::Unavailable(what, error))) => {
            Err(evidence_fault(&EvidenceFault::Unavailable(what, error)))
        }
        Err(error) => Ok(Err(format!("it does not show that it grew from {} to {}: {error}", last.size, claim.size))),
    }
}

/// Whether the keys given say that a later one than this checkpoint's signed what was seen before.
fn is_retired(checkpoint: &Checkpoint, last: &Claim, keys: &VerifyingKeys) -> bool {
    let place = |signed: &Checkpoint| {
        let signers = keys.iter().enumerate();
        let signers = signers.filter(|(_, key)| key.name() == signed.origin() && signed.keys().contains(&key.id()));
        signers.map(|(place, _)| place).max()
    };
    let last = UnverifiedCheckpoint::parse(&last.note).and_then(|note| note.verify(keys));
    last.is_ok_and(|last| last.size() < checkpoint.size() && place(checkpoint) < place(&last))
}

/// The live checkpoint: what the log shows the world. The archive, if it is larger, since nothing larger may be hidden.
fn newest(tree: &Tree<'_>, objects: &LogObjects, evidence: &dyn Evidence) -> Result<Option<Claim>, Fault> {
    let archived = tree.newest()?;
    let Some(version) = &objects.live else { return Ok(archived) };
    let note = evidence.read(version).map_err(|error| evidence_fault(&error))?;
    let live = Claim::read(&note);
    Ok(match (archived, live) {
        (Some(archived), Some(live)) if live.size >= archived.size => Some(live),
        (Some(archived), _) => Some(archived),
        (None, live) => live,
    })
}

fn consistent(last: &Claim, now: &Claim, proof: &[Hash]) -> bool {
    verify_consistency((last.size, &last.root), (now.size, &now.root), proof).is_ok()
}

fn forked(last: &Claim, now: &Claim) -> String {
    format!("it forked: the log of {} does not begin with the one of {} that was seen", now.size, last.size)
}

/// Writes the checkpoint with the witness's line.
fn cosign(checkpoint: Checkpoint, signer: &LocalSigner, time_s: u64, out: &Path) -> Result<(u64, PathBuf), Fault> {
    let signature = signer.sign_now(&checkpoint.cosignature_message(time_s));
    let key = signer.verifying_key(KeyKind::Witness);
    let path = out.join(format!("{}.cosigned", checkpoint.origin().replace('/', "_")));
    let cosigned = checkpoint.with_cosignature(&key, time_s, &signature).map_err(|error| {
        Fault::caused_by(
            "the cosignature does not verify",
            &error,
            "the key file was altered: restore it, or make another witness",
        )
    })?;
    replace(&path, &cosigned.note(), false)?;
    Ok((cosigned.size(), path))
}

/// The witness's key; made, readable by its owner alone, if there is none.
fn signer(args: &WitnessArgs) -> Result<LocalSigner, Fault> {
    let path = &args.key_file;
    let fault = |what: &str, error: &(dyn std::error::Error + 'static)| {
        Fault::caused_by(
            format!("{what} {}", path.display()),
            error,
            "name the witness's own key file, or a place for one",
        )
    };
    match fs::read_to_string(path) {
        Ok(text) => {
            let signer =
                LocalSigner::parse(text.trim()).map_err(|error| fault("there is no witness's key in", &error))?;
            if signer.name() == args.name {
                return Ok(signer);
            }
            Err(Fault::new(
                format!("the key in {} is that of {}, not of {}", path.display(), signer.name(), args.name),
                "name the witness as its key does, or another key file",
            ))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let mut seed = [0; 32];
            getrandom::fill(&mut seed).map_err(|error| fault("there is no randomness for a key in", &error))?;
            let signer =
                LocalSigner::from_seed(&args.name, &seed).map_err(|error| fault("no key can be made for", &error))?;
            replace(path, format!("{}\n", *signer.skey()).as_bytes(), true)?;
            Ok(signer)
        }
        Err(error) => Err(fault("cannot read", &error)),
    }
}

/// Two witnesses on one state could each cosign another history.
fn alone(state: &Path) -> Result<File, Fault> {
    let path = state.with_extension("lock");
    let remedy = "see that no other witness runs on this state, and that its folder can be written";
    let file = OpenOptions::new().create(true).truncate(false).write(true).open(&path);
    let file = file.map_err(|error| Fault::caused_by(format!("cannot open {}", path.display()), &error, remedy))?;
    file.try_lock().map_err(|error| Fault::caused_by(format!("cannot lock {}", path.display()), &error, remedy))?;
    Ok(file)
}

/// Writes a file whole or not at all, and to the disk.
fn replace(path: &Path, bytes: &[u8], secret: bool) -> Result<(), Fault> {
    let write = || -> io::Result<()> {
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            fs::create_dir_all(folder)?;
        }
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let partial = path.with_file_name(format!(".{name}.partial"));
        let _ = fs::remove_file(&partial);
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        if secret {
            std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        }
        #[cfg(not(unix))]
        let _ = secret;
        let mut file = options.open(&partial)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&partial, path)
    };
    write().map_err(|error| {
        Fault::caused_by(format!("cannot write {}", path.display()), &error, "make room, and see who may write there")
    })
}

/// The last checkpoint of each log, by origin, as signed notes.
#[derive(Debug, Default)]
struct State {
    logs: BTreeMap<String, Vec<u8>>,
}

impl State {
    fn read(path: &Path) -> Result<Self, Fault> {
        let remedy =
            "restore the state from a backup; without it a witness starts again and must be told apart from this one";
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(Fault::caused_by(format!("cannot read {}", path.display()), &error, remedy)),
        };
        let damaged = || Fault::new(format!("{} is no witness's state", path.display()), remedy);
        let value: Value = serde_json::from_str(&text).map_err(|_| damaged())?;
        let logs = value.get("logs").and_then(Value::as_object).ok_or_else(damaged)?;
        let mut state = Self::default();
        for (origin, note) in logs {
            let note = note.as_str().filter(|note| Claim::read(note.as_bytes()).is_some()).ok_or_else(damaged)?;
            state.logs.insert(origin.clone(), note.as_bytes().to_vec());
        }
        Ok(state)
    }

    fn write(&self, path: &Path) -> Result<(), Fault> {
        let logs: BTreeMap<&String, _> =
            self.logs.iter().map(|(origin, note)| (origin, String::from_utf8_lossy(note))).collect();
        replace(path, format!("{:#}\n", json!({ "v": 1, "logs": logs })).as_bytes(), false)
    }
}

struct Seen {
    origin: String,
    outcome: Result<(u64, PathBuf), String>,
}

struct Witnessed {
    vkey: String,
    seen: Vec<Seen>,
}

impl Answer for Witnessed {
    fn outcome(&self) -> Outcome {
        Outcome::of(self.seen.iter().all(|seen| seen.outcome.is_ok()))
    }

    fn json(&self) -> Value {
        let seen = self.seen.iter().map(|seen| match &seen.outcome {
            Ok((size, path)) => json!({ "origin": seen.origin, "size": size, "cosigned": path }),
            Err(problem) => json!({ "origin": seen.origin, "problem": problem }),
        });
        json!({ "witness": self.vkey, "logs": seen.collect::<Vec<_>>() })
    }

    fn draw(&self, screen: &mut Screen<'_>) -> io::Result<()> {
        screen.title("WITNESS", &self.vkey)?;
        for seen in &self.seen {
            match &seen.outcome {
                Ok((size, path)) => {
                    screen.check(
                        Mark::Good,
                        &format!("{}  {}", seen.origin, grouped(*size)),
                        &path.display().to_string(),
                    )?;
                }
                Err(problem) => {
                    let advice =
                        "keep the state, the checkpoint and this answer: they are the proof; then ask the operator";
                    screen.check(Mark::Bad, &format!("{}: {problem}", seen.origin), advice)?;
                }
            }
        }
        match self.outcome() {
            Outcome::Holds => screen.verdict(Mark::Good, "Every log only grew. Cosigned."),
            Outcome::Broken | Outcome::Unchecked => {
                screen.verdict(Mark::Bad, "Not cosigned: a log is not what it was.")
            }
        }
    }
}
