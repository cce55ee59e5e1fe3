//! `verify`: everything that the evidence says is derived again and compared, and what is wrong is named.
//!
//! Invariant: "it holds" is said of evidence that was read to its end, all of it. Keys that come with the evidence are used
//! only if the caller gives none, and then the answer says so.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::PathBuf;

use indicatif::ProgressBar;
use ledgerline_ledger::checkpoint::{UnverifiedCheckpoint, live_key};
use ledgerline_ledger::log::LogId;
use ledgerline_ledger::signing::VerifyingKeys;
use ledgerline_ledger::verify::{
    Finding, FindingKind, LockRule, LogReport, Options, Part, Progress, Report, Trust, verify,
};
use serde_json::{Value, json};

use crate::answer::{Answer, Answered, Outcome};
use crate::args::VerifyArgs;
use crate::context::Context;
use crate::fault::Fault;
use crate::screen::{Mark, Screen, bytes, counted, grouped};
use crate::source::{Locks, Source, evidence_fault, log_of_origin, logs_of, read_text, vkeys, witnesses};

/// Findings that a person is shown; JSON has all of them.
const SHOWN: usize = 40;
/// The table's headings; the last only where witnesses were asked for.
const HEADINGS: [&str; 6] = ["log", "result", "entries", "unsigned", "read", "witnessed"];
/// Instead of a number: none, or not known.
const NONE: &str = "–";
/// File managers' files that a person is shown; JSON has all of them.
const PASSED_OVER_SHOWN: usize = 5;

/// Verifies a folder, a deployment or a bucket.
pub(super) fn run(args: &VerifyArgs, context: &Context) -> Answered {
    let logs = logs_of(&args.logs)?;
    let mut keys = vkeys(&args.trust.keys)?;
    let (witnesses, witness_quorum) = witnesses(&args.trust.witnesses, args.trust.quorum)?;
    // Before anything is read: what is handed over and cannot be used must not be passed over.
    let checkpoints = handed_over(&args.checkpoints, &logs)?;
    let cosigned = handed_over(&args.cosigned, &logs)?;
    let only = if let [log] = logs.as_slice() { Some(log) } else { None };
    let source = Source::open(&args.source.place(), only, Locks::Listed)?;
    let evidence = source.evidence.as_ref();
    let mut keys_from = None;
    if keys.is_empty() {
        let heads = evidence.heads().map_err(|error| evidence_fault(&error))?.unwrap_or_default();
        let names: Vec<LogId> =
            if logs.is_empty() { heads.into_iter().map(|head| head.log).collect() } else { logs.clone() };
        let (own, from) = source.own_keys(&names)?;
        keys = own;
        keys_from = Some(from);
        if keys.is_empty() {
            return Err(Fault::new(
                format!("no key is known for {}", source.name),
                "name the log's public key with --key; the operator has it, and an export has it in keys/*.vkey",
            ));
        }
    }
    let by_keys = VerifyingKeys::parse(&keys)
        .map_err(|error| Fault::caused_by("the keys cannot be used together", &error, "give each key once"))?;
    let trust = Trust {
        keys,
        checkpoints: checkpoints.into_iter().map(|given| relied_on(given, &by_keys)).collect::<Result<_, _>>()?,
        cosigned: cosigned.into_iter().map(|given| given.note).collect(),
        witness_quorum,
        witnesses,
        witnessed_within_s: args.witnessed_within,
    };
    let policy = if args.without_locks { None } else { source.lock_policy()? };
    let options = Options {
        logs: logs.clone(),
        first: Vec::new(),
        threads: context.threads,
        now_ms: context.now_ms,
        locks: if args.without_locks {
            LockRule::Ignore
        } else {
            policy.clone().map_or(LockRule::Present, LockRule::AtLeast)
        },
        incremental: false,
    };
    let bar = context.progress("reading entries", Some(0));
    let verified = verify(evidence, &trust, &options, &mut |progress| show(&bar, &progress));
    bar.finish_and_clear();
    let mut report = verified.map_err(|error| evidence_fault(&error))?;
    if report.logs.is_empty() && report.findings.is_empty() && report.unchecked.is_empty() {
        return Err(Fault::new(
            format!("{} holds no log", source.name),
            "name another place, or wait for the first entry",
        ));
    }
    let looked_at = report.logs.iter().map(|log| &log.log).chain(report.unchecked.iter().map(|log| &log.log));
    let seen: BTreeSet<&str> = looked_at.map(String::as_str).collect();
    if let Some(log) = logs.iter().find(|log| !seen.contains(log.as_str())) {
        let known: Vec<&str> = seen.into_iter().take(8).collect();
        let remedy = format!("name logs that are there with --log; of those named, there are: {}", known.join(", "));
        return Err(Fault::new(format!("{} holds no log {log}", source.name), remedy));
    }
    if keys_from.is_none() {
        let missing = absent(&by_keys, &logs, &seen);
        report.findings.extend(missing);
    }
    Ok(Box::new(Verified {
        name: source.name.clone(),
        verbose: args.verbose,
        report,
        passed_over: source.passed_over()?,
        keys_from,
        witnessed: trust.witness_quorum,
        without_locks: args.without_locks,
        lock_policy: policy.map(|policy| policy.to_string()),
    }))
}

/// Logs whose keys were given, and of which there is nothing: whoever removes a whole log leaves no trace of it.
fn absent(keys: &VerifyingKeys, asked: &[LogId], seen: &BTreeSet<&str>) -> Vec<Finding> {
    let logs: BTreeSet<LogId> = keys.iter().filter_map(|key| log_of_origin(key.name())).collect();
    let missing = logs.iter().filter(|log| !seen.contains(log.as_str()) && (asked.is_empty() || asked.contains(log)));
    let finding = |log: &LogId| Finding {
        kind: FindingKind::CheckpointMissing,
        key: live_key(log),
        entry: None,
        detail: "the log's key was given, and there is nothing of the log; --log names those that are meant".to_owned(),
    };
    missing.map(finding).collect()
}

fn show(bar: &ProgressBar, progress: &Progress<'_>) {
    bar.set_length(progress.total);
    bar.set_position(progress.done);
    bar.set_message(progress.log.to_string());
}

/// A checkpoint from the caller's hand.
struct HandedOver {
    path: PathBuf,
    note: String,
}

/// Reads checkpoints that the caller hands over. One that no log of the run would ever look at is refused.
fn handed_over(paths: &[PathBuf], logs: &[LogId]) -> Result<Vec<HandedOver>, Fault> {
    let remedy = "name a file that holds a checkpoint: a signed note, as ledger/<log>/checkpoint is one";
    let read = |path: &PathBuf| {
        let note = read_text(path, remedy)?;
        let parsed = UnverifiedCheckpoint::parse(note.as_bytes())
            .map_err(|error| Fault::caused_by(format!("{} holds no checkpoint", path.display()), &error, remedy))?;
        let log = log_of_origin(parsed.claimed_origin()).ok_or_else(|| {
            Fault::new(
                format!("{} is the checkpoint of {}, which is no log", path.display(), parsed.claimed_origin()),
                remedy,
            )
        })?;
        if !logs.is_empty() && !logs.contains(&log) {
            return Err(Fault::new(
                format!("{} is a checkpoint of {log}, which is not looked at", path.display()),
                "name its log with --log, too, or leave the checkpoint out",
            ));
        }
        Ok(HandedOver { path: path.clone(), note })
    };
    paths.iter().map(read).collect()
}

/// A checkpoint that was handed over is believed if a key that is believed signed it.
fn relied_on(given: HandedOver, keys: &VerifyingKeys) -> Result<String, Fault> {
    let verified = UnverifiedCheckpoint::parse(given.note.as_bytes()).and_then(|parsed| parsed.verify(keys));
    verified.map(|_| given.note).map_err(|error| {
        Fault::caused_by(
            format!("the checkpoint in {} cannot be relied on", given.path.display()),
            &error,
            "name the key that signed it with --key, too; or another copy of the checkpoint",
        )
    })
}

struct Verified {
    name: String,
    /// Each log's details are shown, too.
    verbose: bool,
    report: Report,
    /// Files that file managers left in the folder.
    passed_over: Vec<String>,
    keys_from: Option<&'static str>,
    witnessed: usize,
    without_locks: bool,
    /// What was asked of locks, in words; `None` where only their presence was.
    lock_policy: Option<String>,
}

impl Verified {
    /// A row for each log: what is wrong first, then what could not be checked, then what has unsigned entries, then the
    /// rest, each by name. A log of which nothing but a finding is left has its row, too.
    fn draw_logs(&self, screen: &mut Screen<'_>) -> io::Result<()> {
        let Report { logs, unchecked, .. } = &self.report;
        let wrong = self.findings_by_log();
        let seen: BTreeMap<&str, &LogReport> = logs.iter().map(|log| (log.log.as_str(), log)).collect();
        let unchecked: BTreeSet<&str> = unchecked.iter().map(|log| log.log.as_str()).collect();
        let names: BTreeSet<&str> =
            seen.keys().chain(&unchecked).copied().chain(wrong.keys().map(LogId::as_str)).collect();
        let row = |name: &str| {
            let log = seen.get(name);
            let unsigned = log.map_or(0, |log| log.size.saturating_sub(log.signed));
            let count = LogId::parse(name).ok().and_then(|log| wrong.get(&log)).copied().unwrap_or_default();
            let (rank, result) = match (count, unchecked.contains(name)) {
                (1.., _) => (0, format!("{} wrong", grouped(count))),
                (0, true) => (1, "unchecked".to_owned()),
                (0, false) => (if unsigned > 0 { 2 } else { 3 }, "holds".to_owned()),
            };
            let mut row = vec![name.to_owned(), result];
            row.extend(log.map_or([NONE; 3].map(str::to_owned), |log| {
                let unsigned = if unsigned > 0 { grouped(unsigned) } else { NONE.to_owned() };
                [grouped(log.size), unsigned, bytes(log.bytes)]
            }));
            if self.witnessed > 0 {
                row.push(log.map_or(NONE.to_owned(), |log| grouped(log.witnessed)));
            }
            (rank, row)
        };
        let mut rows: Vec<_> = names.into_iter().map(row).collect();
        rows.sort_by_key(|(rank, _)| *rank);
        let rows: Vec<Vec<String>> = rows.into_iter().map(|(_, row)| row).collect();
        let columns = if self.witnessed > 0 { HEADINGS.len() } else { HEADINGS.len() - 1 };
        screen.log_table(&HEADINGS[..columns], &rows)?;
        if self.verbose || rows.len() == 1 {
            for log in rows.iter().filter_map(|row| seen.get(row[0].as_str())) {
                screen.gap()?;
                draw_details(log, screen)?;
            }
        }
        Ok(())
    }

    /// How many findings each log has. An object outside of every log counts for none.
    fn findings_by_log(&self) -> BTreeMap<LogId, u64> {
        let mut count = BTreeMap::new();
        for log in self.report.findings.iter().filter_map(Finding::log) {
            *count.entry(log).or_default() += 1;
        }
        count
    }

    fn draw_what_holds(&self, screen: &mut Screen<'_>) -> io::Result<()> {
        let signed: u64 = self.report.logs.iter().map(|log| log.signed.min(log.size)).sum();
        let unsigned = self.report.logs.iter().map(|log| log.size).sum::<u64>() - signed;
        if unsigned > 0 {
            screen.gap()?;
            let what = format!("{} beyond the last signature", counted(unsigned, "entry", "entries"));
            screen.check(Mark::Look, &what, "they agree with the rest, and nobody has vouched for them yet")?;
        }
        let logs = counted(self.report.logs.len() as u64, "log", "logs");
        let entries = counted(signed, "signed entry", "signed entries");
        self.draw_what_nobody_saw(screen)?;
        let pruned: u64 = self.report.logs.iter().map(|log| log.pruned_to).sum();
        let mut removed = "none removed";
        if pruned > 0 {
            removed = "none removed before its time";
            screen.gap()?;
            let what =
                format!("{} pruned when their retention had ended", counted(pruned, "entry was", "entries were"));
            screen.check(Mark::Look, &what, "their hashes remain and are checked; --verbose says it of each log")?;
        }
        screen.verdict(Mark::Good, &format!("It holds: {entries} in {logs}, {removed}, none changed."))
    }

    /// What must not be read into "it holds".
    fn draw_what_nobody_saw(&self, screen: &mut Screen<'_>) -> io::Result<()> {
        let unseen: u64 = self.report.logs.iter().map(|log| log.size.saturating_sub(log.witnessed)).sum();
        if self.witnessed > 0 && unseen > 0 {
            screen.gap()?;
            let what = format!("{} beyond the newest cosigned checkpoint", counted(unseen, "entry", "entries"));
            screen.check(Mark::Look, &what, "no witness has seen them yet")?;
        }
        if !self.report.left_out.is_empty() {
            screen.gap()?;
            let parts: Vec<&str> = self.report.left_out.iter().map(|part| name_of(*part)).collect();
            screen.check(Mark::Look, "not part of this evidence, or its maker's word alone", &parts.join("; "))?;
        }
        Ok(())
    }

    fn draw_what_was_passed_over(&self, screen: &mut Screen<'_>) -> io::Result<()> {
        let count = self.passed_over.len();
        if count == 0 {
            return Ok(());
        }
        screen.gap()?;
        let what =
            format!("{} left by a file manager: no part of the evidence", counted(count as u64, "file", "files"));
        let mut names = self.passed_over[..count.min(PASSED_OVER_SHOWN)].join(", ");
        if count > PASSED_OVER_SHOWN {
            names
                .push_str(&format!(" and {} more; --json names them all", grouped((count - PASSED_OVER_SHOWN) as u64)));
        }
        screen.check(Mark::Look, &what, &names)
    }

    fn draw_findings(&self, screen: &mut Screen<'_>) -> io::Result<()> {
        let count = self.report.findings.len();
        screen.section("what is wrong")?;
        for finding in self.report.findings.iter().take(SHOWN) {
            let entry = finding.entry.map(|entry| format!(", entry\u{a0}{}", grouped(entry))).unwrap_or_default();
            screen.check(Mark::Bad, finding.kind.meaning(), &format!("{}{entry}", finding.key))?;
            screen.fact("    seen", &finding.detail)?;
            screen.fact("    to do", finding.kind.remedy())?;
        }
        if count > SHOWN {
            screen.say(&format!(
                "and {} more; --log asks for one log alone, --json names them all",
                grouped((count - SHOWN) as u64)
            ))?;
        }
        let findings = counted(count as u64, "contradiction", "contradictions");
        let place = match self.findings_by_log().len() as u64 {
            0 => String::new(),
            logs => format!(" in {}", counted(logs, "log", "logs")),
        };
        screen.verdict(Mark::Bad, &format!("The evidence is broken: {findings}{place}."))
    }
}

impl Answer for Verified {
    fn outcome(&self) -> Outcome {
        if self.report.findings.is_empty() && !self.report.unchecked.is_empty() {
            return Outcome::Unchecked;
        }
        Outcome::of(self.report.holds())
    }

    fn json(&self) -> Value {
        let findings: Vec<Value> = self.report.findings.iter().map(finding).collect();
        let Report { logs, unchecked, .. } = &self.report;
        json!({
            "logs": logs, "findings": findings, "unchecked": unchecked, "leftOut": self.report.left_out,
            "passedOver": self.passed_over,
            "keysFrom": self.keys_from.unwrap_or("the caller"),
            "locksChecked": !self.without_locks, "lockPolicy": self.lock_policy, "witnessesAsked": self.witnessed,
        })
    }

    fn draw(&self, screen: &mut Screen<'_>) -> io::Result<()> {
        screen.title("VERIFY", &self.name)?;
        self.draw_logs(screen)?;
        if let Some(from) = self.keys_from {
            screen.gap()?;
            let advice = "name the key that you have from elsewhere with --key, to know who signed";
            screen.check(Mark::Look, from, advice)?;
        }
        if self.without_locks {
            screen.gap()?;
            screen.check(Mark::Look, "locks were not looked at", "leave --without-locks out to ask for them")?;
        }
        self.draw_what_was_passed_over(screen)?;
        if !self.report.unchecked.is_empty() {
            screen.section("what could not be checked")?;
            for log in &self.report.unchecked {
                screen.check(Mark::Look, &log.log, &log.fault.to_string())?;
            }
        }
        match self.outcome() {
            Outcome::Holds => self.draw_what_holds(screen),
            Outcome::Broken => self.draw_findings(screen),
            Outcome::Unchecked => {
                let unchecked = counted(self.report.unchecked.len() as u64, "log", "logs");
                let verdict = format!("It could not be checked: {unchecked}. What could be read holds.");
                screen.verdict(Mark::Look, &verdict)
            }
        }
    }
}

/// What a log's row has no room for.
fn draw_details(log: &LogReport, screen: &mut Screen<'_>) -> io::Result<()> {
    screen.fact("root of", &log.log)?;
    screen.fact("", &log.root)?;
    let segments = counted(log.segments, "segment", "segments");
    let checkpoints = counted(log.checkpoints, "checkpoint", "checkpoints");
    screen.fact("", &format!("{segments}; {checkpoints}, signed to {}", grouped(log.signed)))?;
    if log.pruned_to > 0 {
        screen.fact("", &format!("entries below {} are pruned: their hashes are left", grouped(log.pruned_to)))?;
    }
    if log.orphans + log.in_flight > 0 {
        let orphans = counted(log.orphans, "orphan", "orphans");
        screen.fact("", &format!("{orphans}, harmless; {} under way", grouped(log.in_flight)))?;
    }
    Ok(())
}

fn name_of(part: Part) -> &'static str {
    match part {
        Part::Heads => "heads (whether more was committed than lies here)",
        Part::Postings => "postings (whether access requests find every entry)",
        Part::Locks => "locks (whether the evidence could be deleted)",
        Part::DeleteMarkers => "delete markers (whether somebody tried to)",
    }
}

fn finding(finding: &Finding) -> Value {
    json!({
        "kind": finding.kind.code(), "key": finding.key, "entry": finding.entry, "detail": finding.detail,
        "meaning": finding.kind.meaning(), "remedy": finding.kind.remedy(),
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use ledgerline_ledger::verify::{EvidenceFault, Unchecked, head_row};

    use super::*;

    #[test]
    fn a_finding_is_told_with_its_code_its_meaning_and_its_remedy() {
        let kind = ledgerline_ledger::verify::FindingKind::DeleteMarker;
        let told = finding(&Finding { kind, key: "ledger/k".to_owned(), entry: Some(7), detail: "seen".to_owned() });
        assert_eq!(told["kind"], "delete_marker");
        assert_eq!(told["entry"], 7);
        assert!(told["remedy"].as_str().is_some_and(|remedy| !remedy.is_empty()));
    }

    fn log(name: &str, size: u64, signed: u64) -> LogReport {
        LogReport {
            log: name.to_owned(),
            size,
            root: "ab".repeat(32),
            signed,
            witnessed: 0,
            witnessed_at_s: None,
            from: 0,
            entries: size,
            newest_event: None,
            bytes: 1_500_000,
            segments: 3,
            tiles: 1,
            checkpoints: 2,
            pruned_to: 0,
            orphans: 1,
            in_flight: 0,
            keys: Vec::new(),
            checkpoint: None,
        }
    }

    fn wrong(key: &str) -> Finding {
        Finding { kind: FindingKind::HeadMissing, key: key.to_owned(), entry: None, detail: "seen".to_owned() }
    }

    fn drawn(width: usize, verbose: bool, report: Report) -> String {
        let verified = Verified {
            name: "folder".to_owned(),
            verbose,
            report,
            passed_over: Vec::new(),
            keys_from: None,
            witnessed: 0,
            without_locks: false,
            lock_policy: None,
        };
        let mut out = Vec::new();
        verified.draw(&mut Screen::new(&mut out, width, false)).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn what_is_wrong_comes_first_and_every_finding_has_its_words() {
        let [a, b, c] = ["a", "b", "c"].map(|org| format!("{org}/interaction/1/0"));
        let logs = vec![log(&a, 1_000, 1_000), log(&b, 9, 7), log(&c, 5, 5)];
        let fault = Arc::new(EvidenceFault::Missing("segment".to_owned()));
        let unchecked = vec![Unchecked { log: "d/entity/1/0".to_owned(), fault }];
        let findings = vec![
            wrong(&head_row(&LogId::parse(&c).unwrap())),
            wrong("ledger/gone/entity/1/0/checkpoint"),
            wrong("ledger/x"),
        ];
        let told = drawn(80, false, Report { logs, unchecked, findings, ..Report::default() });
        let table = "
  VERIFY  folder

  log                 result      entries   unsigned     read
  c/interaction/1/0   1 wrong           5          –   1.5 MB
  gone/entity/1/0     1 wrong           –          –        –
  d/entity/1/0        unchecked         –          –        –
  b/interaction/1/0   holds             9          2   1.5 MB
  a/interaction/1/0   holds         1,000          –   1.5 MB

";
        assert!(told.starts_with(table), "{told}");
        assert!(told.contains("The evidence is broken: 3 contradictions in 2 logs."), "{told}");
        assert_eq!(told.matches("Restore the control table;").count(), 3, "{told}");
        assert!(told.contains("what could not be checked") && told.contains("ledger/x"), "{told}");
    }

    #[test]
    fn one_log_has_its_details_and_verbose_shows_those_of_all() {
        let one = |name: &str| log(name, 9, 9);
        let told = drawn(80, false, Report { logs: vec![one("a/interaction/1/0")], ..Report::default() });
        let details = format!(
            "
  root of             a/interaction/1/0
                      {}
                      3 segments; 2 checkpoints, signed to 9
                      1 orphan, harmless; 0 under way
",
            "ab".repeat(32)
        );
        assert!(told.contains(&details), "{told}");
        let two = || Report { logs: vec![one("a/interaction/1/0"), one("b/interaction/1/0")], ..Report::default() };
        assert!(!drawn(80, false, two()).contains("root of"));
        assert_eq!(drawn(80, true, two()).matches("root of").count(), 2);
    }

    #[test]
    fn what_retention_pruned_is_not_called_there() {
        let pruned = |to| {
            let one = |name: &str| LogReport { pruned_to: to, ..log(name, 9, 9) };
            let logs = vec![one("a/interaction/1/0"), one("b/interaction/1/0")];
            drawn(100, false, Report { logs, ..Report::default() })
        };
        assert!(pruned(0).contains("none removed, none changed.") && !pruned(0).contains("pruned"));
        let told = pruned(4);
        assert!(told.contains("8 entries were pruned when their retention had ended"), "{told}");
        assert!(told.contains("none removed before its time, none changed."), "{told}");
    }

    #[test]
    fn thirty_logs_fit_one_screen_and_a_long_name_is_cut_in_the_middle() {
        let long = format!("{}/interaction/1/0", "long".repeat(16));
        let report = || {
            let mut logs: Vec<LogReport> =
                (0..29).map(|org| log(&format!("org-{org:02}/interaction/1/0"), 1_234_567, 1_234_567)).collect();
            logs.push(log(&long, 9, 9));
            Report { logs, ..Report::default() }
        };
        for width in [80, 100] {
            let told = drawn(width, false, report());
            assert!(told.lines().count() <= 45 && told.lines().all(|line| line.chars().count() <= width), "{told}");
            assert!(told.contains('…') && !told.contains(&long) && !told.contains('\u{1b}'), "{told}");
        }
        assert!(drawn(80, true, report()).contains(&long));
    }
}
