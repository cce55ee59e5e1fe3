//! `show`: an entry, an interaction's entries, the heads of logs.
//!
//! Invariant: an entry is shown with its place and with what was checked about it; its line is shown byte for byte in JSON
//! and spread over lines for a person. Of what it holds sealed party and key are said, and that the key was destroyed where the
//! deployment says so; nothing is opened.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use ledgerline_event::catalogue::built_in;
use ledgerline_ledger::entry::Block;
use ledgerline_ledger::log::LogId;
use ledgerline_ledger::tree::Hash;
use serde_json::{Value, json};

use super::prove::{candidates, not_found};
use crate::answer::{Answer, Answered, Outcome};
use crate::args::{FolderOption, ShowCommand, WhichEntry};
use crate::context::{Context, moment};
use crate::fault::Fault;
use crate::reading::{Found, Inventory, is_about, raw_id_fault};
use crate::screen::{Mark, Screen, counted, grouped};
use crate::source::{Locks, Source, evidence_fault, log_of};
use crate::tree::{Signature, Tree};

/// Shows one of them.
pub(super) fn run(what: &ShowCommand, context: &Context) -> Answered {
    match what {
        ShowCommand::Entry { which, source, log } => entry(which, source, log.as_deref(), context),
        ShowCommand::Interaction { record, source } => interaction(record, source, context),
        ShowCommand::Head { source, log } => heads(source, log.as_deref(), context),
    }
}

fn entry(which: &WhichEntry, source: &FolderOption, log: Option<&str>, context: &Context) -> Answered {
    let log = log.map(log_of).transpose()?;
    let source = Source::open(&source.place(), log.as_ref(), Locks::OnDemand)?;
    let evidence = source.evidence.as_ref();
    let inventory = Inventory::of(evidence, context)?;
    let mut candidates = candidates(&inventory, evidence, context, which, log.as_ref())?;
    source.look_at(&mut candidates)?;
    let mut shown = standings(candidates, &inventory, &source)?;
    // Of several lines at one place the tree has one; a crash leaves copies whose entries stand at other places.
    if which.index.is_some() && shown.iter().any(|(_, standing)| *standing != Standing::Elsewhere) {
        shown.retain(|(_, standing)| *standing != Standing::Elsewhere);
    }
    let shown = without_copies(shown);
    if shown.is_empty() {
        return Err(not_found(which));
    }
    Ok(Box::new(Entries::of("ENTRY", source.name.clone(), shown, &source)?))
}

fn interaction(record: &str, source: &FolderOption, context: &Context) -> Answered {
    let source = Source::open(&source.place(), None, Locks::OnDemand)?;
    let evidence = source.evidence.as_ref();
    let inventory = Inventory::of(evidence, context)?;
    let segments = source.segments_of(record, &inventory)?;
    let mut found = inventory.find_in(evidence, context, segments.as_ref(), &|_, _, line| is_about(line, record))?;
    source.look_at(&mut found)?;
    let entries = in_event_order(standings(found, &inventory, &source)?)?;
    if entries.is_empty() {
        return Err(raw_id_fault(record).unwrap_or_else(|| {
            Fault::new(
                format!("no entry is about {record:?}"),
                "name an interaction id, or an entity as <type>/<id>; a new entry takes a minute to arrive",
            )
        }));
    }
    Ok(Box::new(Entries::of("INTERACTION", record.to_owned(), entries, &source)?))
}

/// Entries as they occurred: by time, by the kind's rank, by place.
pub(super) fn in_event_order(entries: Vec<(Found, Standing)>) -> Result<Vec<(Found, Standing)>, Fault> {
    let entries = without_copies(entries);
    let mut keyed = Vec::with_capacity(entries.len());
    for (found, standing) in entries {
        let entry = found.entry()?;
        let rank = built_in().rank_of_entry(&entry.event_type, &entry.fields);
        keyed.push(((entry.occurred_at, rank, found.index), (found, standing)));
    }
    keyed.sort_by(|(one, _), (other, _)| one.cmp(other));
    Ok(keyed.into_iter().map(|(_, entry)| entry).collect())
}

/// Leaves out what a crash left: a line that is not in the tree at its place, and stands elsewhere word for word. Any other
/// such line stays: something took its place, and whoever asks must see that.
fn without_copies(mut entries: Vec<(Found, Standing)>) -> Vec<(Found, Standing)> {
    let kept = entries.iter().filter(|(_, standing)| *standing != Standing::Elsewhere);
    let kept: BTreeSet<Hash> = kept.map(|(found, _)| found.leaf()).collect();
    entries.retain(|(found, standing)| *standing != Standing::Elsewhere || !kept.contains(&found.leaf()));
    entries
}

/// How an entry stands to its log's newest checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// It is in the tree of this size, whose checkpoint is signed thus.
    InTree(u64, Signature),
    /// It lies beyond the newest checkpoint.
    NotSignedYet,
    /// Another line has its place in the tree: a copy that a crash left, its entry being committed elsewhere, or a forgery.
    Elsewhere,
}

impl Standing {
    /// Whether it is what an untouched ledger has.
    pub(super) fn holds(self) -> bool {
        !matches!(self, Self::Elsewhere | Self::InTree(_, Signature::False))
    }

    /// For a person.
    pub(super) fn told(self) -> (Mark, String) {
        match self {
            Self::InTree(size, Signature::Good) => (Mark::Good, format!("in the signed tree of {}", grouped(size))),
            Self::InTree(size, Signature::Unknown) => {
                (Mark::Look, format!("in the tree of {}, signed by no key known here", grouped(size)))
            }
            Self::InTree(size, Signature::False) => {
                (Mark::Bad, format!("in the tree of {}, whose signature is false", grouped(size)))
            }
            Self::NotSignedYet => (Mark::Look, "beyond the newest checkpoint".to_owned()),
            Self::Elsewhere => {
                (Mark::Bad, "not in the tree: another line has its place; run `ledgerline verify`".to_owned())
            }
        }
    }
}

/// Sets each entry against its log's tree.
pub(super) fn standings(
    found: Vec<Found>,
    inventory: &Inventory,
    source: &Source,
) -> Result<Vec<(Found, Standing)>, Fault> {
    let evidence = source.evidence.as_ref();
    let logs: BTreeSet<LogId> = found.iter().map(|found| found.log.clone()).collect();
    let keys = source.showing_keys(&logs.into_iter().collect::<Vec<_>>());
    let mut claims = BTreeMap::new();
    let mut standings = Vec::with_capacity(found.len());
    for found in found {
        let tree = Tree::of(&found.log, inventory.log(&found.log)?, evidence);
        if !claims.contains_key(&found.log) {
            let claim = tree.newest()?;
            let signature = claim.as_ref().map_or(Signature::Unknown, |claim| claim.signature(&keys));
            claims.insert(found.log.clone(), claim.map(|claim| (claim, signature)));
        }
        let standing = match claims.get(&found.log).and_then(Option::as_ref) {
            Some((claim, signature)) if claim.size > found.index => {
                let proven = tree.prove(std::slice::from_ref(&found), claim)?.is_some();
                if proven { Standing::InTree(claim.size, *signature) } else { Standing::Elsewhere }
            }
            _ => Standing::NotSignedYet,
        };
        standings.push((found, standing));
    }
    Ok(standings)
}

fn heads(source: &FolderOption, log: Option<&str>, context: &Context) -> Answered {
    let log = log.map(log_of).transpose()?;
    let source = Source::open(&source.place(), log.as_ref(), Locks::OnDemand)?;
    let evidence = source.evidence.as_ref();
    let inventory = Inventory::of(evidence, context)?;
    let rows = evidence.heads().map_err(|error| evidence_fault(&error))?.unwrap_or_default();
    let mut names: Vec<LogId> = inventory.logs.keys().cloned().chain(rows.iter().map(|row| row.log.clone())).collect();
    names.sort();
    names.dedup();
    names.retain(|name| log.as_ref().is_none_or(|log| log == name));
    let keys = source.showing_keys(&names);
    let mut heads = Vec::new();
    for name in names {
        let row = rows.iter().find(|row| row.log == name);
        let objects = inventory.logs.get(&name);
        let claim = objects.map(|objects| Tree::of(&name, objects, evidence).newest()).transpose()?.flatten();
        heads.push(Head {
            head: row.map(|row| (row.size, row.root.hex())),
            signature: claim.as_ref().map(|claim| claim.signature(&keys)),
            signed: claim.map(|claim| (claim.size, claim.root.hex())),
            segments: objects.map_or(0, |objects| objects.segments.len() as u64),
            checkpoints: objects.map_or(0, |objects| objects.checkpoints.len() as u64),
            log: name,
        });
    }
    if let (Some(log), true) = (&log, heads.is_empty()) {
        return Err(inventory.log(log).map(|_| ()).err().unwrap_or_else(|| {
            Fault::new(format!("there is nothing of {log}"), "see `ledgerline show head` for all logs")
        }));
    }
    Ok(Box::new(Heads { of: source.name.clone(), heads }))
}

struct Entries {
    title: &'static str,
    of: String,
    entries: Vec<(Found, Standing)>,
    /// The keys of their blocks that were destroyed; `None` where the evidence does not tell.
    destroyed: Option<BTreeSet<String>>,
}

impl Entries {
    fn of(title: &'static str, of: String, entries: Vec<(Found, Standing)>, source: &Source) -> Result<Self, Fault> {
        let mut key_ids = BTreeSet::new();
        for (found, _) in &entries {
            key_ids.extend(found.entry()?.blocks().map(|(_, id)| id.to_owned()));
        }
        let destroyed = source.destroyed(&key_ids)?;
        Ok(Self { title, of, entries, destroyed })
    }

    /// Whether a key was destroyed, if that can be told.
    fn is_destroyed(&self, key_id: &str) -> Option<bool> {
        self.destroyed.as_ref().map(|destroyed| destroyed.contains(key_id))
    }
}

/// An entry's place, for programs.
pub(super) fn place(found: &Found, standing: Standing) -> Value {
    json!({
        "log": found.log.as_str(), "index": found.index, "segment": found.segment,
        "versionId": found.version.version_id, "member": { "offset": found.member.0, "length": found.member.1 },
        "leafHash": found.leaf().hex(),
        "signedSize": if let Standing::InTree(size, Signature::Good) = standing { Some(size) } else { None },
        "treeSize": if let Standing::InTree(size, _) = standing { Some(size) } else { None },
        "signature": if let Standing::InTree(_, signature) = standing { Some(signature.name()) } else { None },
        "inTree": match standing {
            Standing::InTree(..) => Some(true),
            Standing::Elsewhere => Some(false),
            Standing::NotSignedYet => None,
        },
        "retainUntil": found.version.lock.map(|lock| moment(lock.retain_until_s)),
        "legalHold": found.version.legal_hold,
    })
}

impl Answer for Entries {
    fn outcome(&self) -> Outcome {
        Outcome::of(self.entries.iter().all(|(_, standing)| standing.holds()))
    }

    fn json(&self) -> Value {
        let entries = self.entries.iter().map(|(found, standing)| {
            let line: Value = serde_json::from_str(&found.line).unwrap_or_default();
            let block = |(block, id): (&Block, &str)| {
                json!({ "party": block.p, "keyId": id, "destroyed": self.is_destroyed(id) })
            };
            let sealed: Vec<Value> =
                found.entry().map(|entry| entry.blocks().map(block).collect()).unwrap_or_default();
            json!({ "place": place(found, *standing), "sealed": sealed, "line": found.line, "entry": line })
        });
        json!({ "entries": entries.collect::<Vec<_>>() })
    }

    fn draw(&self, screen: &mut Screen<'_>) -> io::Result<()> {
        screen.title(self.title, &self.of)?;
        if self.entries.len() > 1 {
            let span = |at: usize| self.entries.get(at).and_then(|(found, _)| found.entry().ok());
            if let (Some(first), Some(last)) = (span(0), span(self.entries.len() - 1)) {
                let count = counted(self.entries.len() as u64, "entry", "entries");
                screen.say(&format!("{count}, {} to {}", first.occurred_at, last.occurred_at))?;
                screen.gap()?;
            }
        }
        for (found, standing) in &self.entries {
            let Ok(entry) = found.entry() else { continue };
            let (mark, said) = standing.told();
            screen.check(mark, &format!("{}  {}", entry.occurred_at, entry.event_type), "")?;
            screen.fact("  place", &format!("{} #{}, {said}", found.log, grouped(found.index)))?;
            screen.fact("  segment", &found.segment)?;
            if self.entries.len() == 1 {
                screen.fact("  version", &found.version.version_id)?;
                screen.fact("  leaf", &found.leaf().hex())?;
            }
            screen.fact("  event", &entry.event_id)?;
            for (name, value) in &entry.fields {
                let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                screen.fact(&format!("  {name}"), &text)?;
            }
            if !entry.masked.is_empty() {
                screen.fact("  masked", &entry.masked.join(", "))?;
            }
            for (block, id) in entry.blocks() {
                let destroyed = if self.is_destroyed(id) == Some(true) { ", destroyed" } else { "" };
                screen.fact("  sealed", &format!("{} under {id}{destroyed}", block.p.as_str()))?;
            }
        }
        Ok(())
    }
}

struct Heads {
    of: String,
    heads: Vec<Head>,
}

struct Head {
    log: LogId,
    head: Option<(u64, String)>,
    signed: Option<(u64, String)>,
    /// What the newest checkpoint's signature is worth.
    signature: Option<Signature>,
    segments: u64,
    checkpoints: u64,
}

impl Answer for Heads {
    fn outcome(&self) -> Outcome {
        Outcome::of(self.heads.iter().all(|head| head.signature != Some(Signature::False)))
    }

    fn json(&self) -> Value {
        let part =
            |part: &Option<(u64, String)>| part.as_ref().map(|(size, root)| json!({ "size": size, "root": root }));
        let heads = self.heads.iter().map(|head| {
            json!({
                "log": head.log.as_str(), "head": part(&head.head), "signed": part(&head.signed),
                "signature": head.signature.map(Signature::name),
                "segments": head.segments, "checkpoints": head.checkpoints,
            })
        });
        json!({ "heads": heads.collect::<Vec<_>>() })
    }

    fn draw(&self, screen: &mut Screen<'_>) -> io::Result<()> {
        screen.title("HEADS", &self.of)?;
        if self.heads.is_empty() {
            return screen.say("There is no log yet.");
        }
        let size =
            |part: &Option<(u64, String)>| part.as_ref().map_or_else(|| "–".to_owned(), |(size, _)| grouped(*size));
        let rows: Vec<Vec<String>> = self
            .heads
            .iter()
            .map(|head| {
                let root = head.signed.as_ref().or(head.head.as_ref()).map(|(_, root)| root.clone());
                vec![
                    head.log.to_string(),
                    size(&head.head),
                    size(&head.signed),
                    grouped(head.segments),
                    grouped(head.checkpoints),
                    root.map_or_else(|| "–".to_owned(), |root| format!("{}…", root.get(..16).unwrap_or(&root))),
                ]
            })
            .collect();
        screen.table(&["log", "committed", "signed", "segments", "checkpoints", "root"], &rows)?;
        screen.gap()?;
        for head in &self.heads {
            let (mark, said) = match head.signature {
                Some(Signature::Good) | None => continue,
                Some(Signature::Unknown) => (Mark::Look, "no key known here signed its newest checkpoint"),
                Some(Signature::False) => (Mark::Bad, "the signature of its newest checkpoint is false"),
            };
            screen.check(mark, head.log.as_str(), said)?;
        }
        screen.gap()
    }
}
