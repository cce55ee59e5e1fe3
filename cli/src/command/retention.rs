//! `retention`: what is kept of each class, until when, and what lacks a lock.
//!
//! Invariant: every version is counted, delete markers apart; what must be locked is what the layout says is written once.

use std::collections::BTreeMap;
use std::io;

use ledgerline_ledger::ports::LockMode;
use ledgerline_ledger::verify::ObjectVersion;
use serde::Serialize;
use serde_json::{Value, json};

use crate::answer::{Answer, Answered, Outcome};
use crate::args::RetentionArgs;
use crate::context::{Context, moment};
use crate::screen::{Mark, Screen, bytes, counted, grouped};
use crate::source::{Locks, Source, evidence_fault};

/// Unlocked objects that a person is shown; JSON has all of them.
const SHOWN: usize = 20;

/// Reports on the evidence's retention.
pub(super) fn run(args: &RetentionArgs, context: &Context) -> Answered {
    let source = Source::open(&args.source.place(), None, Locks::Listed)?;
    let mut report = Report { name: source.name.clone(), now_s: context.now_ms / 1000, ..Report::default() };
    let progress = context.progress("looking at locks", None);
    let listed = source.evidence.versions(&mut |version| {
        progress.inc(1);
        report.add(&version);
    });
    progress.finish_and_clear();
    listed.map_err(|error| evidence_fault(&error))?;
    report.unlocked.sort();
    Ok(Box::new(report))
}

#[derive(Debug, Default)]
struct Report {
    name: String,
    now_s: u64,
    rows: BTreeMap<(String, &'static str), Row>,
    unlocked: Vec<String>,
    delete_markers: u64,
}

/// One class of record, one kind of object.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    objects: u64,
    bytes: u64,
    governance: u64,
    compliance: u64,
    held: u64,
    unlocked: u64,
    expired: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    earliest_retain_until_s: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    latest_retain_until_s: Option<u64>,
}

impl Report {
    fn add(&mut self, version: &ObjectVersion) {
        if version.is_delete_marker {
            self.delete_markers += 1;
            return;
        }
        let (class, kind, must_lock) = kind_of(&version.key);
        let row = self.rows.entry((class.to_owned(), kind)).or_default();
        row.objects += 1;
        row.bytes += version.bytes;
        row.held += u64::from(version.legal_hold);
        match version.lock {
            Some(lock) => {
                match lock.mode {
                    LockMode::Governance => row.governance += 1,
                    LockMode::Compliance => row.compliance += 1,
                }
                let until = lock.retain_until_s;
                row.expired += u64::from(until <= self.now_s);
                row.earliest_retain_until_s = Some(row.earliest_retain_until_s.map_or(until, |at| at.min(until)));
                row.latest_retain_until_s = Some(row.latest_retain_until_s.map_or(until, |at| at.max(until)));
            }
            None if must_lock => {
                row.unlocked += 1;
                self.unlocked.push(format!("{} (version {})", version.key, version.version_id));
            }
            None => {}
        }
    }
}

/// The retention class of an object, what it is, and whether it must be locked.
fn kind_of(key: &str) -> (&str, &'static str, bool) {
    let parts: Vec<&str> = key.split('/').collect();
    let class = parts.get(2).copied().unwrap_or("–");
    match parts.get(5).copied() {
        Some("segment") => (class, "segments", true),
        Some("checkpoints") => (class, "archived checkpoints", true),
        Some("tile") if key.contains(".p/") => (class, "partial tiles", false),
        Some("tile") => (class, "full tiles", true),
        Some("checkpoint") => (class, "live checkpoints", false),
        _ => (class, "other objects", false),
    }
}

impl Answer for Report {
    fn outcome(&self) -> Outcome {
        Outcome::of(self.unlocked.is_empty() && self.delete_markers == 0)
    }

    fn json(&self) -> Value {
        let classes: Vec<Value> = self
            .rows
            .iter()
            .map(|((class, kind), row)| {
                let mut value = json!({ "class": class, "kind": kind });
                if let (Some(value), Ok(Value::Object(row))) = (value.as_object_mut(), serde_json::to_value(row)) {
                    value.extend(row);
                }
                value
            })
            .collect();
        json!({ "classes": classes, "unlocked": self.unlocked, "deleteMarkers": self.delete_markers })
    }

    fn draw(&self, screen: &mut Screen<'_>) -> io::Result<()> {
        screen.title("RETENTION", &self.name)?;
        let until = |at: Option<u64>| at.map_or_else(|| "–".to_owned(), moment);
        let rows: Vec<Vec<String>> = self
            .rows
            .iter()
            .map(|((class, kind), row)| {
                vec![
                    class.clone(),
                    (*kind).to_owned(),
                    grouped(row.objects),
                    bytes(row.bytes),
                    until(row.earliest_retain_until_s),
                    until(row.latest_retain_until_s),
                    grouped(row.held),
                    grouped(row.unlocked),
                ]
            })
            .collect();
        screen.table(&["class", "what", "objects", "size", "earliest end", "latest end", "held", "unlocked"], &rows)?;
        let expired: u64 = self.rows.values().map(|row| row.expired).sum();
        if expired > 0 || self.outcome() == Outcome::Broken {
            screen.gap()?;
        }
        if expired > 0 {
            let what = format!("{} past the end of retention", counted(expired, "version is", "versions are"));
            screen.check(
                Mark::Look,
                &what,
                "the sweep deletes expired segments once a signed pruned-to covers them",
            )?;
        }
        for key in self.unlocked.iter().take(SHOWN) {
            screen.check(
                Mark::Bad,
                key,
                "it must be locked and is not: run `ledgerline verify`, then lock it again",
            )?;
        }
        if self.unlocked.len() > SHOWN {
            screen
                .say(&format!("and {} more; --json names them all", grouped((self.unlocked.len() - SHOWN) as u64)))?;
        }
        if self.delete_markers > 0 {
            let what = counted(self.delete_markers, "delete marker hides an object", "delete markers hide objects");
            screen.check(Mark::Bad, &what, "the locked versions below are still there: find the call in CloudTrail")?;
        }
        match self.outcome() {
            Outcome::Holds if expired > 0 => {
                screen.verdict(Mark::Good, "Everything whose retention has not ended is locked.")
            }
            Outcome::Holds => screen.verdict(Mark::Good, "Everything that must be locked is."),
            Outcome::Broken | Outcome::Unchecked => screen.verdict(Mark::Bad, "Evidence lacks its lock."),
        }
    }
}
