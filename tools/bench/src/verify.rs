//! Verification of an exported folder beside `gzip -dc | sha256sum` over its segments: what it takes only to unpack and to
//! hash the same files. And its memory, by the size of the ledger.
//!
//! Invariant: both sides are child processes, measured alike from outside, in turns, over files that lie in memory; a run
//! that does not find that the ledger holds is no measure.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use ledgerline_ledger::verify::folder::Folder;
use ledgerline_ledger::verify::{Evidence as _, LockRule, Options, Trust, verify};
use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};

use super::folder;
use super::pair::Pair;

/// Ledgers whose verification is measured, if they are no larger than what was asked for.
const SIZES: [u64; 3] = [100_000, 1_000_000, 10_000_000];
/// The largest one that is verified several times in turns with the floor.
const TIMED: u64 = 1_000_000;
/// Turns of each side. Odd, so that the median is one of them.
const TURNS: usize = 7;
const THREADS: usize = 2;

/// What one verification says of itself.
#[derive(Debug, Serialize, Deserialize)]
struct Verified {
    entries: u64,
    findings: usize,
    peak_kb: u64,
}

/// Verifies a folder as `ledgerline verify FOLDER` does and prints what it took: the measured process.
pub(super) fn verify_folder(root: &Path) -> Result<String, String> {
    let folder = Folder::open(root).map_err(|error| error.to_string())?;
    let trust = Trust { keys: folder.keys().map_err(|error| error.to_string())?, ..Trust::default() };
    let now_ms = u64::try_from(clock_gettime(ClockId::Realtime).tv_sec).unwrap_or_default() * 1_000;
    let options = Options {
        logs: Vec::new(),
        first: Vec::new(),
        threads: THREADS,
        now_ms,
        locks: LockRule::Present,
        incremental: false,
    };
    folder.heads().map_err(|error| error.to_string())?;
    let report = verify(&folder, &trust, &options, &mut |_| ()).map_err(|error| error.to_string())?;
    let entries = report.logs.iter().map(|log| log.entries.min(log.signed)).sum();
    let verified = Verified { entries, findings: report.findings.len() + report.unchecked.len(), peak_kb: peak_kb()? };
    serde_json::to_string(&verified).map_err(|error| error.to_string())
}

/// Lines per size, and the ratios at the largest one that is timed. `program` is this one, `entries` the largest ledger.
pub(super) fn measure(program: &Path, parent: &Path, entries: u64, say: impl Fn(&str)) -> Result<Vec<String>, String> {
    let sizes = sizes_up_to(entries);
    let mut lines = Vec::new();
    for size in &sizes {
        say(&format!("verify: a ledger of {size} entries below {}, written unless it is there", parent.display()));
        let root = folder::of_entries(parent, *size)?;
        let verified = verify_once(program, &root, *size)?;
        lines.push(format!("  {size:>10} entries: peak of memory {:.1} MB", verified.peak_kb as f64 / 1e3));
    }
    let Some(timed) = sizes.iter().rev().find(|size| **size <= TIMED).or(sizes.first()) else { return Ok(lines) };
    let root = folder::of_entries(parent, *timed)?;
    lines.extend(time_in_turns(program, &root, *timed)?);
    Ok(lines)
}

/// The usual sizes up to the one that was asked for, and that one.
fn sizes_up_to(entries: u64) -> Vec<u64> {
    SIZES.into_iter().filter(|size| *size < entries).chain([entries]).collect()
}

fn time_in_turns(program: &Path, root: &Path, entries: u64) -> Result<Vec<String>, String> {
    let files = segments(root)?;
    let mut wall = Pair { floor: Vec::new(), ours: Vec::new(), events: usize::try_from(entries).unwrap_or(usize::MAX) };
    let mut cpu = wall.clone();
    for turn in 0..=TURNS {
        let (floor, ours) = (timed(|| unpack_and_hash(root, &files))?, timed(|| verify_once(program, root, entries))?);
        // The first one brings the files into memory.
        if turn > 0 {
            wall.floor.push(floor.wall);
            wall.ours.push(ours.wall);
            cpu.floor.push(floor.cpu);
            cpu.ours.push(ours.cpu);
        }
    }
    let line = |name: &str, pair: &Pair| {
        let (median, least, greatest) = pair.ratios();
        let us = |times: &[Duration]| pair.per_event_us(times);
        format!(
            "  {name:4} {median:5.2}  (least {least:.2}, greatest {greatest:.2}, {TURNS} turns; {:.2} µs per entry, floor {:.2})",
            us(&pair.ours),
            us(&pair.floor)
        )
    };
    Ok(vec![
        format!("  {entries} entries in {} segments, {THREADS} threads:", files.len()),
        line("wall", &wall),
        line("CPU", &cpu),
    ])
}

/// One measured process. That it says "holds", of all entries, is part of the measure.
fn verify_once(program: &Path, root: &Path, entries: u64) -> Result<Verified, String> {
    let output = finished(Command::new(program).arg("--verify-folder").arg(root))?;
    let verified: Verified = serde_json::from_slice(&output.stdout)
        .map_err(|error| format!("{} does not answer as a verification does: {error}", program.display()))?;
    if verified.findings > 0 || verified.entries != entries {
        return Err(format!(
            "{} does not hold: {} findings, {} of {entries} entries; remove the folder to have it made again",
            root.display(),
            verified.findings,
            verified.entries
        ));
    }
    Ok(verified)
}

/// The floor: everything unpacked by one program and hashed by the next.
fn unpack_and_hash(root: &Path, files: &[PathBuf]) -> Result<(), String> {
    let mut pipeline = Command::new("sh");
    pipeline.args(["-c", "gzip -dc -- \"$@\" | sha256sum", "sh"]).args(files).current_dir(root);
    let output = finished(&mut pipeline)?;
    // The pipeline's status is that of its end alone.
    if output.stdout.len() < 64 || !output.stderr.is_empty() {
        return Err(format!("gzip -dc | sha256sum failed: {}", String::from_utf8_lossy(&output.stderr)));
    }
    Ok(())
}

fn finished(command: &mut Command) -> Result<Output, String> {
    let output = command.stdin(Stdio::null()).output().map_err(|error| format!("cannot start {command:?}: {error}"))?;
    if output.status.success() {
        return Ok(output);
    }
    Err(format!("{command:?} ended with {}: {}", output.status, String::from_utf8_lossy(&output.stderr)))
}

/// The segments' paths below the folder, in order.
fn segments(root: &Path) -> Result<Vec<PathBuf>, String> {
    let fault = |error: std::io::Error| format!("cannot list {}: {error}", root.display());
    let (mut open, mut files) = (vec![root.join("ledger")], Vec::new());
    while let Some(folder) = open.pop() {
        for found in fs::read_dir(folder).map_err(fault)? {
            let path = found.map_err(fault)?.path();
            match path.extension() {
                _ if path.is_dir() => open.push(path),
                Some(extension) if extension == "gz" => {
                    files.extend(path.strip_prefix(root).map(Path::to_path_buf));
                }
                _ => {}
            }
        }
    }
    files.sort();
    Ok(files)
}

/// Times of one run of child processes.
struct Times {
    wall: Duration,
    cpu: Duration,
}

fn timed<T>(work: impl FnOnce() -> Result<T, String>) -> Result<Times, String> {
    let (wall, cpu) = (monotonic(), children_cpu()?);
    work()?;
    Ok(Times { wall: monotonic().saturating_sub(wall), cpu: children_cpu()?.saturating_sub(cpu) })
}

fn monotonic() -> Duration {
    let now = clock_gettime(ClockId::Monotonic);
    Duration::new(now.tv_sec.unsigned_abs(), u32::try_from(now.tv_nsec).unwrap_or(0))
}

/// CPU of all children that have ended, theirs included, as the kernel counts it.
fn children_cpu() -> Result<Duration, String> {
    let stat = fs::read_to_string("/proc/self/stat").map_err(|error| format!("this measure needs Linux: {error}"))?;
    children_ticks(&stat).map(|ticks| TICK * ticks).ok_or_else(|| "/proc/self/stat is of another form".to_owned())
}

/// Fields 16 and 17: user and system time of the children. The second field, a name, may hold anything but ends with the
/// last parenthesis.
fn children_ticks(stat: &str) -> Option<u32> {
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace().skip(13);
    let (user, system): (u32, u32) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    user.checked_add(system)
}

/// Linux counts in hundredths of a second for programs, whatever its own clock.
const TICK: Duration = Duration::from_millis(10);

/// The most memory that this process ever had resident.
pub(crate) fn peak_kb() -> Result<u64, String> {
    let status =
        fs::read_to_string("/proc/self/status").map_err(|error| format!("this measure needs Linux: {error}"))?;
    high_water(&status).ok_or_else(|| "/proc/self/status tells no VmHWM".to_owned())
}

fn high_water(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix(" kB")?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    fn scratch(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("ledgerline-bench-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        folder
    }

    #[test]
    fn a_generated_folder_holds_is_used_again_and_one_changed_byte_is_found() {
        let parent = scratch("folder");
        // A segment more than one checkpoint covers, and a last one that is not full.
        let entries = 9 * 2_560 + 77;
        let root = folder::of_entries(&parent, entries).unwrap();
        let verified = |root: &Path| serde_json::from_str::<Value>(&verify_folder(root).unwrap()).unwrap();
        let found = verified(&root);
        assert_eq!((&found["entries"], &found["findings"]), (&entries.into(), &0.into()), "{found}");
        assert!(found["peak_kb"].as_u64().unwrap() > 1_000);
        let files = segments(&root).unwrap();
        assert_eq!(files.len(), 10);
        unpack_and_hash(&root, &files).unwrap();
        let changed = root.join(&files[3]);
        let mut bytes = fs::read(&changed).unwrap();
        bytes[1_000] ^= 1;
        fs::write(&changed, bytes).unwrap();
        assert_eq!(folder::of_entries(&parent, entries).unwrap(), root);
        assert!(verified(&root)["findings"].as_u64().unwrap() > 0);
        assert!(unpack_and_hash(&root, &files).unwrap_err().contains("gzip"));
        fs::remove_dir_all(parent).unwrap();
    }

    #[test]
    fn the_sizes_end_with_the_one_that_was_asked_for() {
        assert_eq!(sizes_up_to(1_000_000), [100_000, 1_000_000]);
        assert_eq!(sizes_up_to(20_000_000), [100_000, 1_000_000, 10_000_000, 20_000_000]);
        assert_eq!(sizes_up_to(5), [5]);
    }

    #[test]
    fn the_kernels_figures_are_read() {
        let stat = "7 (a) b) c) S 1 2 3 4 5 6 7 8 9 10 11 12 130 14 15 16";
        assert_eq!(children_ticks(stat), Some(130 + 14));
        assert_eq!(high_water("Name:\tx\nVmHWM:\t    7712 kB\nVmRSS:\t 1 kB\n"), Some(7_712));
        assert_eq!(high_water("Name:\tx\n"), None);
    }

    #[test]
    fn cpu_of_ended_children_is_counted() {
        let burn = || finished(Command::new("sh").args(["-c", "i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done"]));
        let times = timed(burn).unwrap();
        assert!(times.cpu >= TICK && times.wall >= TICK, "{:?} of CPU, {:?}", times.cpu, times.wall);
    }
}
