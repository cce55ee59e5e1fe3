//! `export`: an auditor's folder.
//!
//! What is exported is one moment of each log, the one at which its head was read: what the log wrote while the copy went
//! on is left out, and nothing else is. Invariant: however the command ends, the folder is complete once `versions.jsonl` is
//! there, which gets its name last, when all of it is written; a folder without it is refused by every reader. What a machine
//! that loses its power keeps is the file system's affair: verify a folder before it is relied on.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use ledgerline_ledger::log::LogId;
use ledgerline_ledger::segment::SegmentName;
use ledgerline_ledger::tile::{FULL_WIDTH, Tile};
use ledgerline_ledger::verify::folder::{
    HEADS_FILE, KEYS_FOLDER, POSTINGS_FILE, VERSIONS_FILE, head_line, is_file_managers, object_path, posting_line,
};
use ledgerline_ledger::verify::{Evidence, EvidenceFault, HeadRow, ObjectVersion};
use serde_json::{Value, json};

use crate::answer::{Answer, Answered};
use crate::args::{ExportArgs, Place};
use crate::context::{Context, moment};
use crate::fault::Fault;
use crate::private;
use crate::screen::{Mark, Screen, bytes, grouped};
use crate::source::{Locks, Source, evidence_fault, logs_of, vkeys};

/// A segment is put at most two minutes (audit-write's time-out) before its commit; the rest is for clocks that differ.
const COMMIT_MS: u64 = 15 * 60 * 1000;
/// Tiles and checkpoints follow the commit: only clocks can differ.
const CLOCKS_MS: u64 = 60 * 1000;

const GUIDE: &str = include_str!("export_readme.md");
const CHECKER: &str = include_str!("../../../tests/verify_export.py");

/// Copies the evidence.
pub(super) fn run(args: &ExportArgs, context: &Context) -> Answered {
    let logs = logs_of(&args.logs)?;
    prepare(&args.out)?;
    let only = if let [log] = logs.as_slice() { Some(log) } else { None };
    let source = Source::open(&Place::Stack(args.deployment.stack.clone()), only, Locks::Listed)?;
    let evidence = source.evidence.as_ref();
    let wanted = |log: &LogId| logs.is_empty() || logs.contains(log);
    // Heads first: what is listed afterwards holds at least what they say.
    let heads = evidence.heads().map_err(|error| evidence_fault(&error))?.unwrap_or_default();
    let heads: BTreeMap<LogId, HeadRow> =
        heads.into_iter().filter(|head| wanted(&head.log)).map(|head| (head.log.clone(), head)).collect();
    // Before anything is copied: an export without keys is of no use.
    let logs: Vec<LogId> = heads.keys().cloned().collect();
    let mut keys = vkeys(&args.keys)?;
    keys.extend(source.own_keys(&logs)?.0);
    let versions = snapshot(list(evidence, context, &wanted)?, &heads, evidence, context.now_ms)?;
    let mut summary = Summary { out: args.out.clone(), at_s: context.now_ms / 1000, ..Summary::default() };
    let gone = copy(evidence, context, &args.out, &versions, &mut summary)?;
    let versions: Vec<ObjectVersion> =
        versions.into_iter().filter(|version| !gone.contains(&identity(version))).collect();
    write_lists(evidence, &args.out, &heads, &versions, &wanted)?;
    write_keys(&args.out, &keys)?;
    write_file(&args.out.join("verify_export.py"), CHECKER.as_bytes())?;
    write_file(&args.out.join("README.md"), guide(&heads, context.now_ms / 1000).as_bytes())?;
    write_versions(&args.out, &versions)?;
    summary.logs = heads.into_values().map(|head| (head.log.to_string(), head.size)).collect();
    summary.versions = versions.len() as u64;
    Ok(Box::new(summary))
}

/// An empty folder.
fn prepare(out: &Path) -> Result<(), Fault> {
    let remedy = "name a folder that is not there yet, on a disk with room";
    private::make_folder(out)
        .map_err(|error| Fault::caused_by(format!("cannot make {}", out.display()), &error, remedy))?;
    let entries = fs::read_dir(out)
        .map_err(|error| Fault::caused_by(format!("cannot look into {}", out.display()), &error, remedy))?;
    // A folder that a file manager showed may be empty but for what it left there.
    let is_its_own = |entry: &fs::DirEntry| is_file_managers(&entry.file_name().to_string_lossy());
    match entries.into_iter().find(|entry| !entry.as_ref().is_ok_and(is_its_own)) {
        None => Ok(()),
        Some(_) => Err(Fault::new(format!("{} is not empty", out.display()), remedy)),
    }
}

fn list(
    evidence: &dyn Evidence,
    context: &Context,
    wanted: &dyn Fn(&LogId) -> bool,
) -> Result<Vec<ObjectVersion>, Fault> {
    let progress = context.progress("listing objects", None);
    let mut versions = Vec::new();
    let listed = evidence.versions(&mut |version| {
        progress.inc(1);
        // What belongs to no log is evidence of somebody's writing and goes along, unless one log was asked for.
        if log_of(&version.key).is_none_or(|log| wanted(&log)) {
            versions.push(version);
        }
    });
    progress.finish_and_clear();
    listed.map_err(|error| evidence_fault(&error))?;
    versions.sort_by(|one, other| (&one.key, one.last_modified_ms).cmp(&(&other.key, other.last_modified_ms)));
    Ok(versions)
}

/// Leaves out what each log wrote after its head was read at `now_ms`.
fn snapshot(
    mut versions: Vec<ObjectVersion>,
    heads: &BTreeMap<LogId, HeadRow>,
    evidence: &dyn Evidence,
    now_ms: u64,
) -> Result<Vec<ObjectVersion>, Fault> {
    let mut fault = None;
    versions.retain(|version| {
        let Some(head) = log_of(&version.key).and_then(|log| heads.get(&log)) else { return true };
        if version.is_delete_marker || version.last_modified_ms + COMMIT_MS < now_ms {
            return true;
        }
        match reach(version, evidence) {
            Ok(Some((size, slack_ms))) => size <= head.size || version.last_modified_ms + slack_ms < now_ms,
            Ok(None) => true,
            Err(error) => {
                fault.get_or_insert(error);
                true
            }
        }
    });
    if let Some(error) = fault {
        return Err(evidence_fault(&error));
    }
    // Where the newest version of a live object was left out, the one before it was in force at that moment.
    for at in 0..versions.len() {
        let last = versions.get(at + 1).is_none_or(|next| next.key != versions[at].key);
        let any = versions[..=at].iter().rev().take_while(|version| version.key == versions[at].key);
        if last && !any.into_iter().any(|version| version.is_latest) {
            versions[at].is_latest = true;
        }
    }
    Ok(versions)
}

/// How large the log was, at least, for this object to exist, and how long before its commit it may have been written.
fn reach(version: &ObjectVersion, evidence: &dyn Evidence) -> Result<Option<(u64, u64)>, EvidenceFault> {
    if let Some(name) = SegmentName::parse(&version.key) {
        return Ok(Some((name.end(), COMMIT_MS)));
    }
    let path = version.key.splitn(6, '/').nth(5).unwrap_or_default();
    if let Some(size) = path.strip_prefix("checkpoints/").and_then(|size| size.parse().ok()) {
        return Ok(Some((size, CLOCKS_MS)));
    }
    if path == "checkpoint" {
        let note = evidence.read(version)?;
        let size = String::from_utf8_lossy(&note).lines().nth(1).and_then(|size| size.parse().ok());
        return Ok(size.map(|size| (size, CLOCKS_MS)));
    }
    Ok(Tile::parse(path).map(|tile| {
        let nodes = tile.index() * u64::from(FULL_WIDTH) + u64::from(tile.width());
        (nodes.saturating_mul(1_u64.checked_shl(8 * u32::from(tile.level())).unwrap_or(u64::MAX)), CLOCKS_MS)
    }))
}

/// Copies every version's bytes; returns those partial tiles that went meanwhile.
fn copy(
    evidence: &dyn Evidence,
    context: &Context,
    out: &Path,
    versions: &[ObjectVersion],
    summary: &mut Summary,
) -> Result<BTreeSet<(String, String)>, Fault> {
    let files: Vec<&ObjectVersion> = versions.iter().filter(|version| !version.is_delete_marker).collect();
    let progress = context.progress("copying objects", Some(files.len() as u64));
    let (next, copied) = (AtomicUsize::new(0), AtomicU64::new(0));
    let gone = Mutex::new(BTreeSet::new());
    let work = || -> Result<(), Fault> {
        while let Some(version) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
            match evidence.read(version) {
                Ok(bytes) => {
                    let path = object_path(version).ok_or_else(|| strange(version))?;
                    write_file(&out.join(path), &bytes)?;
                    copied.fetch_add(bytes.len() as u64, Ordering::Relaxed);
                }
                // Partial tiles expire once a full one is there.
                Err(EvidenceFault::Missing(_)) if version.key.contains(".p/") => {
                    gone.lock().unwrap_or_else(std::sync::PoisonError::into_inner).insert(identity(version));
                }
                Err(error) => return Err(evidence_fault(&error)),
            }
            progress.inc(1);
        }
        Ok(())
    };
    let outcome = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..COPIES).map(|_| scope.spawn(work)).collect();
        workers.into_iter().try_for_each(|worker| match worker.join() {
            Ok(done) => done,
            Err(panic) => std::panic::resume_unwind(panic),
        })
    });
    progress.finish_and_clear();
    outcome?;
    summary.bytes = copied.into_inner();
    Ok(gone.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner))
}

/// Copies under way: they wait for the network.
const COPIES: usize = 8;

fn write_lists(
    evidence: &dyn Evidence,
    out: &Path,
    heads: &BTreeMap<LogId, HeadRow>,
    versions: &[ObjectVersion],
    wanted: &dyn Fn(&LogId) -> bool,
) -> Result<(), Fault> {
    let lines: String = heads.values().map(|head| head_line(head) + "\n").collect();
    write_file(&out.join(HEADS_FILE), lines.as_bytes())?;
    let kept: BTreeSet<&str> = versions.iter().map(|version| version.key.as_str()).collect();
    let path = out.join(POSTINGS_FILE);
    let mut file = BufWriter::new(private::make_file(&path).map_err(|error| cannot_write(&path, &error))?);
    let mut failed = None;
    let given = evidence.postings(&mut |posting| {
        let before = heads.get(&posting.log).is_none_or(|head| posting.first < head.size);
        if wanted(&posting.log) && (before || kept.contains(posting.segment.as_str())) && failed.is_none() {
            failed = writeln!(file, "{}", posting_line(&posting)).err();
        }
    });
    given.map_err(|error| evidence_fault(&error))?;
    let written = failed.map_or(Ok(()), Err).and_then(|()| file.flush());
    written.map_err(|error| cannot_write(&path, &error))
}

/// The last step, and the one that makes the folder an export.
fn write_versions(out: &Path, versions: &[ObjectVersion]) -> Result<(), Fault> {
    let lines: String = versions.iter().map(|version| version.to_json() + "\n").collect();
    let path = out.join(VERSIONS_FILE);
    private::put_file(&path, lines.as_bytes()).map_err(|error| cannot_write(&path, &error))
}

fn write_keys(out: &Path, keys: &[String]) -> Result<(), Fault> {
    for (origin, keys) in by_origin(keys) {
        let lines: String = keys.into_iter().map(|key| format!("{key}\n")).collect();
        write_file(&out.join(KEYS_FOLDER).join(format!("{origin}.vkey")), lines.as_bytes())?;
    }
    Ok(())
}

/// One file per origin; a log whose key was rotated has several keys, each once, oldest first as they came.
fn by_origin(keys: &[String]) -> BTreeMap<String, Vec<&str>> {
    let mut by_origin: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for key in keys {
        let origin = key.split('+').next().unwrap_or_default().replace('/', "_");
        let of_log = by_origin.entry(origin).or_default();
        if !of_log.contains(&key.as_str()) {
            of_log.push(key);
        }
    }
    by_origin
}

fn guide(heads: &BTreeMap<LogId, HeadRow>, at_s: u64) -> String {
    let logs: String =
        heads.values().map(|head| format!("| `{}` | {} | `{}` |\n", head.log, head.size, head.root)).collect();
    GUIDE.replace("{{AT}}", &moment(at_s)).replace("{{LOGS}}", logs.trim_end())
}

fn identity(version: &ObjectVersion) -> (String, String) {
    (version.key.clone(), version.version_id.clone())
}

fn log_of(key: &str) -> Option<LogId> {
    let parts: Vec<&str> = key.strip_prefix("ledger/")?.splitn(5, '/').collect();
    LogId::parse(&parts.get(..4)?.join("/")).ok()
}

fn write_file(path: &Path, bytes: &[u8]) -> Result<(), Fault> {
    private::write_file(path, bytes).map_err(|error| cannot_write(path, &error))
}

fn cannot_write(path: &Path, error: &io::Error) -> Fault {
    Fault::caused_by(format!("cannot write {}", path.display()), error, "make room, then export into a new folder")
}

fn strange(version: &ObjectVersion) -> Fault {
    Fault::new(
        format!("the bucket has a key that no file can have: {:?}", version.key),
        "nothing of Ledgerline writes such keys: find out who did, and check the bucket itself with verify --stack",
    )
}

#[derive(Debug, Default)]
struct Summary {
    out: PathBuf,
    at_s: u64,
    logs: Vec<(String, u64)>,
    versions: u64,
    bytes: u64,
}

impl Answer for Summary {
    fn json(&self) -> Value {
        let logs: Vec<Value> = self.logs.iter().map(|(log, size)| json!({ "log": log, "entries": size })).collect();
        json!({ "folder": self.out, "asOf": moment(self.at_s), "logs": logs, "versions": self.versions, "bytes": self.bytes })
    }

    fn draw(&self, screen: &mut Screen<'_>) -> io::Result<()> {
        let folder = self.out.display().to_string();
        screen.title("EXPORT", &folder)?;
        let rows: Vec<Vec<String>> = self.logs.iter().map(|(log, size)| vec![log.clone(), grouped(*size)]).collect();
        screen.table(&["log", "entries"], &rows)?;
        screen.gap()?;
        screen.fact("as of", &moment(self.at_s))?;
        screen.fact("objects", &format!("{}, {}", grouped(self.versions), bytes(self.bytes)))?;
        screen.fact("check it with", &format!("ledgerline verify {folder} --key <the log's vkey>"))?;
        screen.fact("or by hand", &format!("{folder}/README.md"))?;
        screen.verdict(Mark::Good, "Exported.")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ledgerline_ledger::verify::folder::Folder;

    #[test]
    fn a_key_is_its_logs() {
        assert_eq!(log_of("ledger/acme/entity/1/0/tile/0/000").unwrap().as_str(), "acme/entity/1/0");
        assert!(log_of("ledger/acme/entity").is_none());
    }

    #[cfg(unix)]
    #[test]
    fn a_folder_is_its_makers_alone_with_all_that_is_in_it() {
        use std::os::unix::fs::PermissionsExt as _;
        let out = std::env::temp_dir().join(format!("ledgerline-export-{}", std::process::id()));
        prepare(&out).unwrap();
        write_keys(&out, &["dep/acme+0+k".to_owned()]).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        let keys = out.join(KEYS_FOLDER);
        assert_eq!([mode(&out), mode(&keys), mode(&keys.join("dep_acme.vkey"))], [0o700, 0o700, 0o600]);
        assert!(prepare(&out).is_err(), "not empty any more");
        fs::remove_dir_all(&out).unwrap();
        prepare(&out).unwrap();
        fs::write(out.join(".DS_Store"), "").unwrap();
        assert!(prepare(&out).is_ok(), "a file manager looked into it");
        fs::remove_dir_all(&out).unwrap();
    }

    #[test]
    fn a_logs_keys_stand_in_one_file_once_and_in_their_order() {
        let keys = ["d/acme/entity/1/0+2+b", "d/acme/entity/1/0+1+a", "d/b+1+a", "d/acme/entity/1/0+2+b"];
        let keys: Vec<String> = keys.map(str::to_owned).to_vec();
        let files = by_origin(&keys);
        assert_eq!(files["d_acme_entity_1_0"], [&keys[0], &keys[1]]);
        assert_eq!((files.len(), files["d_b"].len()), (2, 1));
    }

    #[test]
    fn an_export_that_was_interrupted_is_none() {
        let out = std::env::temp_dir().join(format!("ledgerline-interrupted-{}", std::process::id()));
        prepare(&out).unwrap();
        // Where the list is written until it is whole.
        fs::create_dir(out.join("versions.jsonl.part")).unwrap();
        assert!(write_versions(&out, &[]).is_err());
        assert!(!out.join(VERSIONS_FILE).exists());
        let refused = Folder::open(&out).unwrap_err().to_string();
        assert!(refused.contains("has no versions.jsonl") && refused.contains("did not end"), "{refused}");
        fs::remove_dir(out.join("versions.jsonl.part")).unwrap();
        write_versions(&out, &[]).unwrap();
        assert!(Folder::open(&out).is_ok());
        fs::remove_dir_all(&out).unwrap();
    }

    #[test]
    fn the_guide_has_no_gap() {
        let text = guide(&BTreeMap::new(), 1_772_460_000);
        assert!(text.contains("2026-03-02T14:00:00Z") && !text.contains("{{"));
    }
}
