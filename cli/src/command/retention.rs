//! `retention`: what is kept of each class, until when, and what lacks its lock or has a shorter one than the deployment's
//! policy asks for. With `--extend` locks are made as long as that.
//!
//! Invariant: every version is counted, delete markers apart; what must be locked is what the layout says is written once. No
//! lock is made shorter or weaker.

use std::collections::BTreeMap;
use std::io;

use ledgerline_ledger::lock::{Lock, LockMode};
use ledgerline_ledger::log::LogId;
use ledgerline_ledger::retention::LockPolicy;
use ledgerline_ledger::verify::ObjectVersion;
use serde::Serialize;
use serde_json::{Value, json};

use crate::answer::{Answer, Answered, Outcome};
use crate::args::RetentionArgs;
use crate::context::{Context, moment};
use crate::fault::Fault;
use crate::screen::{Mark, Screen, bytes, counted, grouped};
use crate::source::{Locks, Source, evidence_fault};

/// Unlocked objects that a person is shown; JSON has all of them.
const SHOWN: usize = 20;
/// Of a moment such as `2026-03-02T14:00:00Z`.
const DAY_CHARS: usize = 10;

/// Reports on the evidence's retention.
pub(super) fn run(args: &RetentionArgs, context: &Context) -> Answered {
    let source = Source::open(&args.source.place(), None, Locks::Listed)?;
    let policy = source.lock_policy()?;
    let before = Report::of(&source, policy.as_ref(), context)?;
    let failed = extend(args, &source, &before.short, context)?;
    let Some(failed) = failed.filter(|_| !before.short.is_empty()) else { return Ok(Box::new(before)) };
    // What the locks are now is what the bucket says, not what was asked of it.
    let now = Report::of(&source, policy.as_ref(), context)?;
    let still = |short: &Short| now.short.iter().any(|now| now.is_same(short));
    let extended = before.short.into_iter().filter(|short| !still(short)).collect();
    Ok(Box::new(Report { extended, failed, ..now }))
}

/// Locks for as long as the policy says what is locked for less or not at all, if asked to; says what failed. Each call names its
/// version and may be repeated.
#[cfg(feature = "aws")]
fn extend(
    args: &RetentionArgs,
    source: &Source,
    short: &[Short],
    context: &Context,
) -> Result<Option<Vec<String>>, Fault> {
    let Some(cloud) = source.cloud().filter(|_| args.extend) else { return Ok(None) };
    let segments = cloud.ledger()?.segments;
    let progress = context.progress("lengthening locks", Some(short.len() as u64));
    let mut failed = Vec::new();
    for one in short {
        if let Err(fault) = cloud.ask(segments.extend_lock(&one.key, &one.version_id, &one.wanted)) {
            failed.push(fault.to_string().replace("\n  ", "; "));
        }
        progress.inc(1);
    }
    progress.finish_and_clear();
    Ok(Some(failed))
}

#[cfg(not(feature = "aws"))]
#[expect(clippy::unnecessary_wraps, reason = "a folder has no locks to lengthen")]
fn extend(_: &RetentionArgs, _: &Source, _: &[Short], _: &Context) -> Result<Option<Vec<String>>, Fault> {
    Ok(None)
}

#[derive(Debug, Default)]
struct Report {
    name: String,
    now_s: u64,
    /// What is asked of locks, in words; of a folder or a bucket alone nobody says.
    policy: Option<String>,
    rows: BTreeMap<(String, &'static str), Row>,
    unlocked: Vec<String>,
    short: Vec<Short>,
    /// What was too short before, and how it was.
    extended: Vec<Short>,
    /// What could not be lengthened, and why.
    failed: Vec<String>,
    delete_markers: u64,
}

/// A version whose lock is not what the policy asks for.
#[derive(Debug)]
struct Short {
    key: String,
    version_id: String,
    /// The lock that it has.
    held: Option<Lock>,
    /// The lock that it should have.
    wanted: Lock,
}

impl Short {
    fn is_same(&self, other: &Self) -> bool {
        (&self.key, &self.version_id) == (&other.key, &other.version_id)
    }

    fn json(&self) -> Value {
        let held = self.held.map(|held| held.retain_until_s);
        let wanted = self.wanted.retain_until_s;
        json!({ "key": self.key, "versionId": self.version_id, "heldUntilS": held, "wantedUntilS": wanted })
    }
}

/// What a column counts.
type Count = fn(&Row) -> u64;

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
    short: u64,
    expired: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    earliest_retain_until_s: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    latest_retain_until_s: Option<u64>,
}

impl Report {
    fn of(source: &Source, policy: Option<&LockPolicy>, context: &Context) -> Result<Self, Fault> {
        let mut report = Self {
            name: source.name.clone(),
            now_s: context.now_ms / 1000,
            policy: policy.map(ToString::to_string),
            ..Self::default()
        };
        let progress = context.progress("looking at locks", None);
        let listed = source.evidence.versions(&mut |version| {
            progress.inc(1);
            report.add(&version, policy, context.now_ms);
        });
        progress.finish_and_clear();
        listed.map_err(|error| evidence_fault(&error))?;
        report.unlocked.sort();
        report.short.sort_by(|left, right| left.key.cmp(&right.key));
        Ok(report)
    }

    fn add(&mut self, version: &ObjectVersion, policy: Option<&LockPolicy>, now_ms: u64) {
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
        let lacking = |policy: &LockPolicy| {
            let log = LogId::parse(&version.key.split('/').skip(1).take(4).collect::<Vec<_>>().join("/")).ok()?;
            policy.lacking(&log, version.lock, version.last_modified_ms, now_ms)
        };
        if let Some(wanted) = policy.filter(|_| must_lock).and_then(lacking) {
            row.short += u64::from(version.lock.is_some());
            let (key, version_id) = (version.key.clone(), version.version_id.clone());
            self.short.push(Short { key, version_id, held: version.lock, wanted });
        }
    }
}

/// The retention class of an object, what it is, and whether it must be locked.
fn kind_of(key: &str) -> (&str, &'static str, bool) {
    let parts: Vec<&str> = key.split('/').collect();
    let class = parts.get(2).copied().unwrap_or("–");
    // Of the log's name, too, a part may end so.
    let is_partial = parts.iter().skip(6).any(|part| part.ends_with(".p"));
    match parts.get(5).copied() {
        Some("segment") => (class, "segments", true),
        Some("checkpoints") => (class, "checkpoints", true),
        Some("tile") if is_partial => (class, "partial tiles", false),
        Some("tile") => (class, "full tiles", true),
        Some("checkpoint") => (class, "live checkpoints", false),
        _ => (class, "other objects", false),
    }
}

impl Answer for Report {
    fn outcome(&self) -> Outcome {
        Outcome::of(self.unlocked.is_empty() && self.short.is_empty() && self.delete_markers == 0)
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
        let list = |some: &[Short]| some.iter().map(Short::json).collect::<Vec<_>>();
        json!({
            "policy": self.policy,
            "classes": classes,
            "unlocked": self.unlocked,
            "short": self.policy.is_some().then(|| list(&self.short)),
            "extended": list(&self.extended),
            "failed": self.failed,
            "deleteMarkers": self.delete_markers,
        })
    }

    fn draw(&self, screen: &mut Screen<'_>) -> io::Result<()> {
        screen.title("RETENTION", &self.name)?;
        // The day says enough to a person, and leaves room; JSON has the second.
        let until =
            |at: Option<u64>| at.map_or_else(|| "–".to_owned(), |at| moment(at).chars().take(DAY_CHARS).collect());
        let mut columns = vec!["class", "what", "objects", "size", "first end", "last end"];
        // What there is none of needs no column.
        let counts: [(&str, Count); 3] =
            [("held", |row| row.held), ("unlocked", |row| row.unlocked), ("short", |row| row.short)];
        let counts = counts.into_iter().filter(|(_, count)| self.rows.values().any(|row| count(row) > 0));
        let counts: Vec<_> = counts.collect();
        columns.extend(counts.iter().map(|(name, _)| name));
        let rows: Vec<Vec<String>> = self
            .rows
            .iter()
            .map(|((class, kind), row)| {
                let mut cells = vec![
                    class.clone(),
                    (*kind).to_owned(),
                    grouped(row.objects),
                    bytes(row.bytes),
                    until(row.earliest_retain_until_s),
                    until(row.latest_retain_until_s),
                ];
                cells.extend(counts.iter().map(|(_, count)| grouped(count(row))));
                cells
            })
            .collect();
        screen.table(&columns, &rows)?;
        if let Some(policy) = &self.policy {
            screen.gap()?;
            screen.fact("policy", policy)?;
        }
        let expired: u64 = self.rows.values().map(|row| row.expired).sum();
        if expired > 0 || !self.extended.is_empty() || self.outcome() == Outcome::Broken {
            screen.gap()?;
        }
        if !self.extended.is_empty() {
            let lengthened = counted(self.extended.len() as u64, "lock was", "locks were");
            let what = format!("{lengthened} made as long as the policy asks");
            screen.check(Mark::Good, &what, "the rows above say how it is now; --json says how each was")?;
        }
        for why in self.failed.iter().take(SHOWN) {
            screen.check(Mark::Bad, "a lock could not be lengthened", why)?;
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
                "it must be locked and is not: run `ledgerline verify`, then lock it with --stack … --extend",
            )?;
        }
        if self.unlocked.len() > SHOWN {
            screen
                .say(&format!("and {} more; --json names them all", grouped((self.unlocked.len() - SHOWN) as u64)))?;
        }
        let short: u64 = self.rows.values().map(|row| row.short).sum();
        if short > 0 {
            let what =
                format!("{} for less than the policy asks", counted(short, "version is locked", "versions are locked"));
            let remedy = "run `ledgerline verify` to see which and why; --extend locks them for their full time";
            screen.check(Mark::Bad, &what, remedy)?;
        }
        if self.delete_markers > 0 {
            let what = counted(self.delete_markers, "delete marker hides an object", "delete markers hide objects");
            screen.check(Mark::Bad, &what, "the locked versions below are still there: find the call in CloudTrail")?;
        }
        match self.outcome() {
            Outcome::Holds if expired > 0 => {
                screen.verdict(Mark::Good, "Everything whose retention has not ended is locked.")
            }
            Outcome::Holds if self.policy.is_none() => {
                screen.verdict(Mark::Good, "Everything that must be locked is. For how long, only --stack can judge.")
            }
            Outcome::Holds => screen.verdict(Mark::Good, "Everything that must be locked is, for as long as it must."),
            Outcome::Broken | Outcome::Unchecked => {
                screen.verdict(Mark::Bad, "Evidence lacks its lock, or has one that is not as it should be.")
            }
        }
    }
}
