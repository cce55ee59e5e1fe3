//! `rebuild-postings`: the index of entries, derived again from the segments and compared with what is stored: postings, and in a
//! deployment the rows by which records are found by their lineage tokens.
//!
//! Invariant: nothing is written unless asked, and then only what is missing or differs; a row that no segment explains is
//! named and left alone, since it may be what somebody must look at. A source's token of an entry that an erasure of its whole record
//! covers is not noted again.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use ledgerline_ledger::log::LogId;
use ledgerline_ledger::posting::{Posting, postings};
use ledgerline_ledger::segment::Segment;
use ledgerline_ledger::tree::leaf_hash;
use ledgerline_ledger::verify::{Evidence, Given};
use serde_json::{Value, json};

use crate::answer::{Answer, Answered, Outcome};
use crate::args::RebuildArgs;
use crate::context::Context;
use crate::fault::Fault;
use crate::reading::Inventory;
use crate::screen::{Mark, Screen, counted, grouped};
use crate::source::{Locks, Source, evidence_fault, logs_of};
use crate::tree::Tree;

use super::token_rows::TokenRows;

/// Differences that a person is shown; JSON has all of them.
const SHOWN: usize = 20;

/// Derives, compares and, if asked, writes.
pub(super) fn run(args: &RebuildArgs, context: &Context) -> Answered {
    let logs = logs_of(&args.logs)?;
    let only = if let [log] = logs.as_slice() { Some(log) } else { None };
    let source = Source::open(&args.source.place(), only, Locks::OnDemand)?;
    let evidence = source.evidence.as_ref();
    let inventory = Inventory::of(evidence, context)?;
    // A log that is not there has nothing that differs: that must not read as if it were well.
    logs.iter().try_for_each(|log| inventory.log(log).map(drop))?;
    let wanted = |log: &LogId| logs.is_empty() || logs.contains(log);
    // Heads first, rows after: whatever a head calls indexed has rows by then.
    let indexed = indexed(evidence)?;
    let mut stored = BTreeMap::new();
    let mut twice = Vec::new();
    let given = evidence.postings(&mut |posting| {
        if wanted(&posting.log) {
            twice.extend(stored.insert(key(&posting), posting));
        }
    });
    if given.map_err(|error| evidence_fault(&error))? == Given::NotPartOfIt {
        return Err(Fault::new(
            format!("{} holds no postings to compare with", source.name),
            "use an export that has a postings.jsonl, or the deployment itself with --stack",
        ));
    }
    let mut answer = Compared { name: source.name.clone(), ..Compared::default() };
    let (mut to_write, mut tokens) = (Vec::new(), TokenRows::default());
    let progress = context.progress("reading segments", None);
    for (log, objects) in inventory.logs.iter().filter(|(log, _)| wanted(log)) {
        let leaves = Tree::of(log, objects, evidence);
        for (name, version) in objects.segments.values() {
            progress.inc(1);
            // The log's next run, or the sweep, writes their rows.
            if indexed.get(log).is_some_and(|indexed| name.first >= *indexed) {
                answer.unindexed += 1;
                continue;
            }
            let bytes = evidence.read(version).map_err(|error| evidence_fault(&error))?;
            let segment = Segment::read(&version.key, &bytes).map_err(|error| damaged(&version.key, &error))?;
            let first = segment.lines().next().map(|line| leaf_hash(line.as_bytes()));
            if !leaves.has(name.first, first)? {
                answer.orphans += 1;
                continue;
            }
            tokens.add(&segment, &version.key)?;
            let derived = postings(&segment, &version.version_id).map_err(|error| damaged(&version.key, &error))?;
            for posting in derived {
                answer.derived += 1;
                match stored.remove(&key(&posting)) {
                    Some(other) if other == posting => {}
                    Some(_) => answer.note("differs", &posting, &mut to_write),
                    None => answer.note("missing", &posting, &mut to_write),
                }
            }
        }
    }
    progress.finish_and_clear();
    // A table has one row of a key; a folder's list can have several.
    let leftover: BTreeSet<_> = stored.into_keys().chain(twice.iter().map(key)).collect();
    answer.surplus = leftover.into_iter().map(|(record, log, first)| format!("{record}, {log} from {first}")).collect();
    write(args, &source, &to_write, &mut answer)?;
    tokens.compare(args, &source, &mut answer)?;
    Ok(Box::new(answer))
}

/// Up to where each log says that it is indexed; a log without a head is taken whole.
fn indexed(evidence: &dyn Evidence) -> Result<BTreeMap<LogId, u64>, Fault> {
    let heads = evidence.heads().map_err(|error| evidence_fault(&error))?.unwrap_or_default();
    Ok(heads.into_iter().map(|head| (head.log, head.indexed)).collect())
}

#[cfg(feature = "aws")]
fn write(args: &RebuildArgs, source: &Source, rows: &[Posting], answer: &mut Compared) -> Result<(), Fault> {
    if !args.write || rows.is_empty() {
        return Ok(());
    }
    let Some(cloud) = source.cloud() else { return Ok(()) };
    let postings = cloud.ledger()?.postings;
    for some in rows.chunks(1_000) {
        cloud.ask(postings.put(some))?;
        answer.written += some.len() as u64;
    }
    Ok(())
}

#[cfg(not(feature = "aws"))]
#[expect(clippy::unnecessary_wraps, reason = "a folder is compared, never written")]
fn write(_: &RebuildArgs, _: &Source, _: &[Posting], _: &mut Compared) -> Result<(), Fault> {
    Ok(())
}

fn key(posting: &Posting) -> (String, String, u64) {
    (posting.record_key.clone(), posting.log.to_string(), posting.first)
}

pub(super) fn damaged(key: &str, error: &(dyn std::error::Error + 'static)) -> Fault {
    Fault::caused_by(format!("{key} cannot be read"), error, "run `ledgerline verify` to see what is broken")
}

#[derive(Debug, Default)]
pub(super) struct Compared {
    name: String,
    derived: u64,
    unindexed: u64,
    orphans: u64,
    missing: Vec<String>,
    differs: Vec<String>,
    surplus: Vec<String>,
    written: u64,
    /// Rows of tokens that entries call for, those that are not there, and those that were written.
    pub(super) tokens: u64,
    pub(super) tokens_missing: u64,
    pub(super) tokens_written: u64,
}

impl Compared {
    fn note(&mut self, how: &str, posting: &Posting, to_write: &mut Vec<Posting>) {
        let row = format!("{}, {} from {}", posting.record_key, posting.log, posting.first);
        if how == "missing" {
            self.missing.push(row)
        } else {
            self.differs.push(row)
        }
        to_write.push(posting.clone());
    }

    fn differences(&self) -> u64 {
        (self.missing.len() + self.differs.len()) as u64
    }
}

impl Answer for Compared {
    fn outcome(&self) -> Outcome {
        let is_whole = self.differences() == self.written && self.tokens_missing == self.tokens_written;
        Outcome::of(self.surplus.is_empty() && is_whole)
    }

    fn json(&self) -> Value {
        json!({
            "derived": self.derived, "missing": self.missing, "differs": self.differs, "surplus": self.surplus,
            "unindexedSegments": self.unindexed, "orphanSegments": self.orphans, "written": self.written,
            "tokens": { "derived": self.tokens, "missing": self.tokens_missing, "written": self.tokens_written },
        })
    }

    fn draw(&self, screen: &mut Screen<'_>) -> io::Result<()> {
        screen.title("REBUILD-POSTINGS", &self.name)?;
        screen.fact("derived", &counted(self.derived, "row", "rows"))?;
        screen.fact("not due yet", &counted(self.unindexed, "segment", "segments"))?;
        screen.fact("orphans", &counted(self.orphans, "segment", "segments"))?;
        screen.fact("tokens", &counted(self.tokens, "row", "rows"))?;
        screen.gap()?;
        let groups =
            [("missing", &self.missing), ("differs", &self.differs), ("no segment explains it", &self.surplus)];
        for (how, rows) in groups {
            for row in rows.iter().take(SHOWN) {
                screen.check(Mark::Bad, row, how)?;
            }
            if rows.len() > SHOWN {
                screen.say(&format!(
                    "and {} more of these; --json names them all",
                    grouped((rows.len() - SHOWN) as u64)
                ))?;
            }
        }
        if self.tokens_missing > self.tokens_written {
            screen.check(Mark::Bad, &counted(self.tokens_missing, "row of a token", "rows of tokens"), "missing")?;
        }
        if self.tokens_written > 0 {
            screen.check(
                Mark::Good,
                &format!("{} written", counted(self.tokens_written, "row of a token", "rows of tokens")),
                "",
            )?;
        }
        if self.written > 0 {
            screen.check(Mark::Good, &format!("{} written", counted(self.written, "row", "rows")), "")?;
        }
        match self.outcome() {
            Outcome::Holds if self.written + self.tokens_written > 0 => {
                screen.verdict(Mark::Good, "The index is what the segments say, now.")
            }
            Outcome::Holds => screen.verdict(Mark::Good, "The index is what the segments say."),
            Outcome::Broken | Outcome::Unchecked => screen.verdict(
                Mark::Bad,
                "The index is not what the segments say. In a deployment, --write puts missing and differing rows right.",
            ),
        }
    }
}
