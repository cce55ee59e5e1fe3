//! Folders that were made to harm their reader: each is read in seconds and little memory, and none of them holds.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use ledgerline_ledger::checkpoint::{archive_key, live_key};
use ledgerline_ledger::member;
use ledgerline_ledger::segment::{Segment, SegmentError, SegmentName};
use ledgerline_ledger::tile::Tile;
use ledgerline_ledger::verify::folder::{Folder, HEADS_FILE, KEYS_FOLDER, VERSIONS_FILE};
use ledgerline_ledger::verify::{Evidence, EvidenceFault, FindingKind, Report, verify};

use super::builder::Ledger;
use super::{calls, clean, options, trusting};

/// More than any machine reads into memory; on the disk it takes nothing.
const ENDLESS: u64 = 1 << 40;

fn folder(test: &str, ledger: &Ledger) -> PathBuf {
    let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join("hostile").join(test);
    let _ = fs::remove_dir_all(&root);
    fs::create_dir_all(&root).unwrap();
    ledger.export(&root);
    root
}

fn report(root: &Path, ledger: &Ledger) -> Result<Report, EvidenceFault> {
    verify(&Folder::open(root).unwrap(), &trusting(ledger), &options(ledger), &mut |_| {})
}

fn names(report: &Report, kind: FindingKind, key: &str) -> bool {
    report.findings.iter().any(|finding| finding.kind == kind && finding.key == key)
}

#[test]
fn objects_without_end_are_refused_by_their_first_bytes() {
    let ledger = clean();
    let segment = ledger.segment(&calls(), 2);
    let tile = Tile::parse("tile/0/000").unwrap().key(&calls());
    for (key, kind) in [
        (archive_key(&calls(), 866), FindingKind::CheckpointMalformed),
        (live_key(&calls()), FindingKind::CheckpointMalformed),
        (tile, FindingKind::TileAltered),
        (segment, FindingKind::SegmentUnreadable),
    ] {
        let root = folder("endless", &ledger);
        // What is there stays in front: the first bytes alone would be good.
        File::options().write(true).open(root.join(&key)).unwrap().set_len(ENDLESS).unwrap();
        let report = report(&root, &ledger).unwrap();
        assert!(names(&report, kind, &key), "{key}: {:?}", report.findings);
    }
}

#[test]
fn a_list_without_end_is_no_list() {
    let ledger = clean();
    for list in [VERSIONS_FILE, HEADS_FILE] {
        let root = folder("endless-list", &ledger);
        File::options().write(true).open(root.join(list)).unwrap().set_len(ENDLESS).unwrap();
        let fault = report(&root, &ledger).unwrap_err();
        assert!(matches!(&fault, EvidenceFault::Malformed(what) if what.starts_with(list)), "{fault}");
    }
}

#[test]
fn keys_without_end_are_refused() {
    let root = folder("endless-keys", &clean());
    fs::create_dir(root.join(KEYS_FOLDER)).unwrap();
    File::create(root.join(KEYS_FOLDER).join("a.vkey")).unwrap().set_len(ENDLESS).unwrap();
    assert!(matches!(Folder::open(&root).unwrap().keys(), Err(EvidenceFault::Malformed(_))));
}

/// Opening a pipe waits for a writer that never comes.
#[cfg(unix)]
#[test]
fn a_pipe_in_the_place_of_a_file_keeps_nobody_waiting() {
    let ledger = clean();
    let pipe = |path: &Path| {
        let _ = fs::remove_file(path);
        assert!(std::process::Command::new("mkfifo").arg(path).status().unwrap().success());
    };
    let root = folder("pipe", &ledger);
    let segment = ledger.segment(&calls(), 1);
    pipe(&root.join(&segment));
    fs::create_dir_all(root.join("ledger/acme/interaction/1/0/tile/9")).unwrap();
    std::os::unix::fs::symlink("/no/such/file", root.join("ledger/acme/interaction/1/0/tile/9/000")).unwrap();
    let report = report(&root, &ledger).unwrap();
    assert!(names(&report, FindingKind::ObjectMissing, &segment), "{:?}", report.findings);
    assert!(names(&report, FindingKind::ForeignObject, "ledger/acme/interaction/1/0/tile/9/000"));

    fs::create_dir(root.join(KEYS_FOLDER)).unwrap();
    pipe(&root.join(KEYS_FOLDER).join("a.vkey"));
    assert!(Folder::open(&root).unwrap().keys().is_err());
    pipe(&root.join(HEADS_FILE));
    assert!(matches!(Folder::open(&root).unwrap().heads(), Ok(None)));
    pipe(&root.join(VERSIONS_FILE));
    assert!(Folder::open(&root).is_err());
}

/// Thirty kilobytes that unpack to thirty million lines, none of them an entry.
#[test]
fn a_segment_that_unpacks_to_millions_of_lines_is_named_once_and_left() {
    let mut ledger = clean();
    let bomb = member::pack(&vec![b'\n'; 30_000_000]);
    let segment = ledger.segment(&calls(), 2);
    let key = ledger.swap_segment(&segment, 170, 316, bomb);
    let report = report(&folder("bomb", &ledger), &ledger).unwrap();
    assert!(names(&report, FindingKind::SegmentUnreadable, &key), "{:?}", report.findings);
    let about = report.findings.iter().filter(|finding| finding.key == key).count();
    assert!(about < 100, "{about} findings about one segment");
}

#[test]
fn no_more_of_a_segment_is_unpacked_than_its_name_says() {
    // Each member is an honest one, and together they are a hundred thousand lines in a few kilobytes.
    let bytes = member::pack(&[b'\n'; 256]).repeat(400);
    let key = SegmentName::of(&calls(), 0, 3, &bytes).key();
    assert_eq!(Segment::read(&key, &bytes).unwrap_err(), SegmentError::WrongCount);
    let large = member::pack(&[vec![b'a'; member::MAX_TEXT_BYTES], b"\n".to_vec()].concat()).repeat(8);
    let key = SegmentName::of(&calls(), 0, 8, &large).key();
    assert_eq!(Segment::read(&key, &large).unwrap_err(), SegmentError::TooLarge);
}

#[test]
fn a_name_whose_end_is_no_number_is_no_name() {
    let key = SegmentName { log: calls(), first: u64::MAX, count: 5, digest: "0123456789abcdef".to_owned() }.key();
    assert_eq!(SegmentName::parse(&key), None);
}

#[test]
fn lists_that_are_no_text_say_which_line() {
    let ledger = clean();
    let root = folder("no-text", &ledger);
    let mut list = File::options().append(true).open(root.join(VERSIONS_FILE)).unwrap();
    list.write_all(b"\xff\xfe\n").unwrap();
    let lines = ledger.objects.values().flatten().count();
    let fault = report(&root, &ledger).unwrap_err();
    assert!(fault.to_string().contains(&format!("line {}", lines + 1)), "{fault}");
    assert!(Folder::open(&root).unwrap().heads().is_ok());
}
