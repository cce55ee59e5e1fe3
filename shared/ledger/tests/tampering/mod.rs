//! The tampering matrix: what somebody with every permission could do to a ledger, each kind detected and named.
//!
//! Every case changes a clean ledger of four logs as a capable attacker would (a changed segment gets the name that fits
//! it, the index is rebuilt, where it says so tiles, heads and signatures are made again) and expects one finding by kind,
//! object and entry, and none of a kind that it does not list. Each case runs in memory and through an exported folder.

mod builder;
mod cases;
mod file_managers;
mod folder;
mod hostile;
mod rotation;
mod since;
mod trust;
mod unchecked;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::OnceLock;

use builder::{DEPLOYMENT, Ledger, log, vkey};
use ledgerline_ledger::checkpoint::archive_key;
use ledgerline_ledger::lock::LockMode;
use ledgerline_ledger::log::LogId;
use ledgerline_ledger::posting::Posting;
use ledgerline_ledger::retention::LockPolicy;
use ledgerline_ledger::segment::SegmentName;
use ledgerline_ledger::tile::Tile;
use ledgerline_ledger::verify::folder::{Folder, VERSIONS_FILE};
use ledgerline_ledger::verify::{Evidence, EvidenceFault, FindingKind, LockRule, Options, Report, Trust, verify};
use proptest::prelude::*;
use proptest::sample::Index;

/// The log that most cases change.
pub(crate) fn calls() -> LogId {
    log("acme/interaction/1/0")
}

pub(crate) fn entities() -> LogId {
    log("acme/entity/1/0")
}

pub(crate) fn globex() -> LogId {
    log("globex/interaction/1/0")
}

/// Entries per append of [`calls`]: 866 in all, three full tiles and a partial one.
pub(crate) const CUTS: [u64; 6] = [40, 130, 316, 200, 90, 90];
pub(crate) const SEED: u8 = 1;

pub(crate) fn clean() -> Ledger {
    static CLEAN: OnceLock<Ledger> = OnceLock::new();
    CLEAN.get_or_init(write_clean).clone()
}

fn write_clean() -> Ledger {
    let mut ledger = Ledger::default();
    for (name, cuts) in
        [(calls(), &CUTS[..]), (entities(), &[30]), (globex(), &[90, 1]), (log("acme/interaction/2/0"), &[256, 256])]
    {
        ledger.open(&name, DEPLOYMENT, SEED);
        let mut next = 0;
        for count in cuts {
            let lines: Vec<String> = (next..next + count).map(|seq| builder::line(&name, seq)).collect();
            ledger.append(&name, &lines);
            next += count;
        }
    }
    // A day later nothing is on its way any more.
    ledger.now_ms += 24 * 60 * 60 * 1000;
    ledger
}

pub(crate) fn trusting(ledger: &Ledger) -> Trust {
    let logs: BTreeSet<LogId> = ledger.heads.iter().map(|head| head.log.clone()).collect();
    Trust { keys: logs.iter().map(|log| vkey(DEPLOYMENT, log, SEED)).collect(), ..Trust::default() }
}

pub(crate) fn options(ledger: &Ledger) -> Options {
    Options {
        logs: vec![],
        first: vec![],
        threads: 3,
        now_ms: ledger.now_ms,
        locks: LockRule::AtLeast(LockPolicy::uniform(LockMode::Compliance, 365)),
        incremental: false,
    }
}

pub(crate) fn check(evidence: &impl Evidence, trust: &Trust, options: &Options) -> Report {
    verify(evidence, trust, options, &mut |_| {}).unwrap()
}

/// Checks in memory and as an exported folder, which must find the same.
pub(crate) fn check_both(name: &str, ledger: &Ledger, trust: &Trust, options: &Options) -> Report {
    let report = check(ledger, trust, options);
    let root = std::path::PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("tampering").join(name);
    let _ = std::fs::remove_dir_all(&root);
    ledger.export(&root);
    // What is listed and gone has no file.
    for stored in ledger.objects.values().flatten().filter(|stored| stored.bytes == builder::GONE) {
        std::fs::remove_file(root.join(&stored.version.key)).unwrap();
    }
    let exported = check(&Folder::open(&root).unwrap(), trust, options);
    assert_eq!(exported.findings, report.findings, "{name}: the folder");
    std::fs::remove_dir_all(&root).unwrap();
    report
}

/// One row of the matrix.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    /// Does the damage; gives the key and the entry that must be named.
    pub(crate) damage: fn(&mut Ledger) -> (String, Option<u64>),
    pub(crate) expect: FindingKind,
    /// Other kinds that the same damage may raise.
    pub(crate) also: &'static [FindingKind],
}

#[test]
fn a_clean_ledger_raises_nothing() {
    let ledger = clean();
    let report = check_both("clean", &ledger, &trusting(&ledger), &options(&ledger));
    assert_eq!(report.findings, []);
    assert!(report.holds());
    let seen = report.logs.iter().find(|seen| seen.log == calls().as_str()).unwrap();
    assert_eq!((seen.size, seen.signed, seen.entries, seen.segments), (866, 866, 866, 6));
    assert_eq!((seen.checkpoints, seen.orphans, seen.in_flight, seen.from), (6, 0, 0, 0));
    assert_eq!(seen.root, ledger.heads.iter().find(|head| head.log == calls()).unwrap().root.hex());
    // Every stored tile was looked at.
    let tiles = ledger.objects.keys().filter(|key| key.contains("acme/interaction/1/0/tile/")).count();
    assert_eq!(seen.tiles, tiles as u64);
}

#[test]
fn every_kind_of_tampering_is_detected_and_named() {
    let cases = cases::all();
    assert!(cases.len() >= 30, "only {} cases", cases.len());
    let names: BTreeSet<&str> = cases.iter().map(|case| case.name).collect();
    assert_eq!(names.len(), cases.len(), "two cases have the same name");
    let mut failures = Vec::new();
    for Case { name, damage, expect, also } in &cases {
        let mut ledger = clean();
        let (key, entry) = damage(&mut ledger);
        let report = check_both(name, &ledger, &trusting(&ledger), &options(&ledger));
        let named = report
            .findings
            .iter()
            .any(|found| (found.kind, found.key.as_str(), found.entry) == (*expect, key.as_str(), entry));
        let noise: Vec<FindingKind> = report
            .findings
            .iter()
            .map(|found| found.kind)
            .filter(|kind| kind != expect && !also.contains(kind))
            .collect();
        if !named || !noise.is_empty() {
            let mut failure = format!("{name}: expected {expect:?} {key} {entry:?}, got");
            for found in report.findings.iter().take(12) {
                let _ = write!(failure, "\n  {:?} {} {:?}: {}", found.kind, found.key, found.entry, found.detail);
            }
            failures.push(failure);
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn a_file_that_the_list_leaves_out_is_not_passed_over() {
    let ledger = clean();
    let root = std::path::PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("tampering").join("unlisted");
    let _ = std::fs::remove_dir_all(&root);
    ledger.export(&root);
    let listed = std::fs::read_to_string(root.join(VERSIONS_FILE)).unwrap();
    let segment = ledger.segment(&calls(), 2);
    let folder = || Folder::open(&root).unwrap();
    // A locked segment taken off the list has lost its lock; a file laid beside is a version over the listed one.
    let without: String =
        listed.lines().filter(|line| !line.contains(&segment)).map(|line| line.to_owned() + "\n").collect();
    std::fs::write(root.join(VERSIONS_FILE), without).unwrap();
    let found = check(&folder(), &trusting(&ledger), &options(&ledger)).findings;
    let kinds: Vec<FindingKind> = found.iter().map(|found| found.kind).collect();
    assert!(kinds.contains(&FindingKind::LockMissing) && found[0].key == segment, "{found:?}");
    std::fs::write(root.join(VERSIONS_FILE), &listed).unwrap();
    let other = root.join("versions").join(format!("{segment}@other"));
    std::fs::create_dir_all(other.parent().unwrap()).unwrap();
    std::fs::write(&other, b"x").unwrap();
    let found = check(&folder(), &trusting(&ledger), &options(&ledger)).findings;
    assert_eq!(
        found.iter().map(|found| (found.kind, found.key.as_str())).collect::<Vec<_>>(),
        [(FindingKind::ExtraVersion, segment.as_str())]
    );
    // No line of the list leads out of the folder.
    for bad in ["ledger/../../etc/passwd", "/etc/passwd", "ledger//x", "other/key"] {
        std::fs::write(root.join(VERSIONS_FILE), listed.replacen(&segment, bad, 1)).unwrap();
        let refused = verify(&folder(), &trusting(&ledger), &options(&ledger), &mut |_| {});
        assert!(matches!(refused, Err(EvidenceFault::Malformed(_))), "{bad}");
    }
    std::fs::remove_dir_all(&root).unwrap();
    assert!(matches!(Folder::open(&root), Err(EvidenceFault::Malformed(_))));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    /// Whatever bit of whatever stored version: it shows.
    #[test]
    fn no_bit_of_any_object_can_change_unseen(object in any::<Index>(), byte in any::<Index>(), bit in 0_u8..8) {
        let mut ledger = clean();
        let mut versions: Vec<_> = ledger.objects.values_mut().flatten().collect();
        let stored = object.get_mut(&mut versions);
        let at = byte.index(stored.bytes.len());
        stored.bytes[at] ^= 1 << bit;
        let key = stored.version.key.clone();
        let report = check(&ledger, &trusting(&ledger), &options(&ledger));
        prop_assert!(report.findings.iter().any(|found| found.key == key), "{key} byte {at}: {:?}", report.findings);
    }

    /// Foreign bytes under foreign names are findings, never a panic.
    #[test]
    fn whatever_lies_there_verification_ends(
        object in any::<Index>(),
        bytes in prop::collection::vec(any::<u8>(), 0..600),
        (first, count, level, index) in (any::<u64>(), any::<u64>(), 0_u8..9, any::<u64>()),
        place in any::<Index>(),
    ) {
        let mut ledger = clean();
        let mut versions: Vec<_> = ledger.objects.values_mut().flatten().collect();
        let stored = object.get_mut(&mut versions);
        stored.bytes = bytes.clone();
        let near = place.index(2_000) as u64;
        for (first, count) in [(first, count), (near, count >> 40), (near, 300)] {
            let digest = "0123456789abcdef".to_owned();
            ledger.put(&SegmentName { log: calls(), first, count, digest }.key(), bytes.clone(), true);
        }
        for index in [index, index >> 8, near / 256] {
            ledger.put(&Tile::new(level, index, 256).unwrap().key(&calls()), bytes.clone(), true);
        }
        ledger.put(&archive_key(&calls(), first), bytes.clone(), true);
        ledger.put(&archive_key(&calls(), near), bytes, true);
        prop_assert!(!check(&ledger, &trusting(&ledger), &options(&ledger)).holds());
    }
}

#[test]
fn rows_beyond_those_that_are_told_one_by_one_are_not_passed_over() {
    let mut ledger = clean();
    let gone = ledger.postings.iter().position(|row| row.log == calls() && row.first == 170).unwrap();
    ledger.postings.remove(gone);
    // Listed before all others, and more than are told.
    let other = ledger.postings.iter().find(|row| row.log != calls()).unwrap().clone();
    let made_up = (0..20_001).map(|n| Posting { record_key: format!("acme/made-up-{n}"), ..other.clone() });
    ledger.postings.extend(made_up);
    let report = check(&ledger, &trusting(&ledger), &options(&ledger));
    let of = |log: &LogId| report.findings.iter().filter(|found| found.key.contains(log.as_str())).count();
    assert_eq!(of(&calls()), 1, "one row is gone, and no room was left to say which");
    assert!(of(&other.log) >= 20_000);
}

#[test]
fn a_row_that_a_folder_lists_twice_is_named() {
    let mut ledger = clean();
    let at = ledger.postings.iter().position(|row| row.log == calls() && row.first == 170).unwrap();
    let mut altered = ledger.postings[at].clone();
    altered.members[0].at[0] += 1;
    // The builder lists the last first.
    ledger.postings.push(altered);
    let report = check(&ledger, &trusting(&ledger), &options(&ledger));
    assert_eq!(kinds_of(&report), [FindingKind::PostingExtra], "{:?}", report.findings);
}

#[test]
fn a_row_far_beyond_a_busy_logs_end_is_named() {
    let mut ledger = clean();
    // The log is being written.
    ledger.now_ms = ledger.objects.values().flatten().map(|stored| stored.version.last_modified_ms).max().unwrap();
    let mut row = ledger.postings.iter().find(|row| row.log == calls()).unwrap().clone();
    for (first, named) in [(1_000_000, 0), (1 << 40, 1)] {
        row.first = first;
        ledger.postings.push(row.clone());
        let report = check(&ledger, &trusting(&ledger), &options(&ledger));
        assert_eq!(report.findings.len(), named, "{first}: {:?}", report.findings);
    }
}

fn kinds_of(report: &Report) -> Vec<FindingKind> {
    report.findings.iter().map(|found| found.kind).collect()
}
