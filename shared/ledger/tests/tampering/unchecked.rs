//! Evidence that cannot be read: the other logs are verified all the same, and "could not check" is never "holds".

use std::collections::BTreeSet;
use std::io;
use std::sync::Mutex;

use ledgerline_ledger::acts;
use ledgerline_ledger::entry::Field;
use ledgerline_ledger::posting::Posting;
use ledgerline_ledger::verify::FindingKind::*;
use ledgerline_ledger::verify::{Evidence, EvidenceFault, Given, HeadRow, ObjectVersion, Options, Report, Trust};

use super::builder::{self, Ledger, act_line, line};
use super::{calls, check, clean, globex, options, trusting};

/// A ledger with one object, or one folder, that cannot be read: at all, or more than so many times.
struct Failing<'a> {
    ledger: &'a Ledger,
    key: String,
    reads: Mutex<u32>,
}

fn failing(ledger: &Ledger, key: String, good_reads: u32) -> Failing<'_> {
    Failing { ledger, key, reads: Mutex::new(good_reads) }
}

impl Evidence for Failing<'_> {
    fn versions(&self, each: &mut dyn FnMut(ObjectVersion)) -> Result<(), EvidenceFault> {
        self.ledger.versions(each)
    }

    fn read(&self, version: &ObjectVersion) -> Result<Vec<u8>, EvidenceFault> {
        let mut reads = self.reads.lock().unwrap();
        let is_it = version.key.starts_with(&self.key);
        if is_it && *reads == 0 {
            let source = io::Error::other("the store is away");
            return Err(EvidenceFault::Unavailable(format!("read {}", version.key), Box::new(source)));
        }
        *reads -= u32::from(is_it);
        self.ledger.read(version)
    }

    fn heads(&self) -> Result<Option<Vec<HeadRow>>, EvidenceFault> {
        self.ledger.heads()
    }

    fn postings(&self, each: &mut dyn FnMut(Posting)) -> Result<Given, EvidenceFault> {
        self.ledger.postings(each)
    }
}

/// The logs that were verified, and those that could not be.
fn logs(report: &Report) -> (BTreeSet<&str>, Vec<&str>) {
    let seen = report.logs.iter().map(|log| log.log.as_str()).collect();
    (seen, report.unchecked.iter().map(|log| log.log.as_str()).collect())
}

#[test]
fn a_log_that_cannot_be_read_keeps_none_of_the_others_from_being_verified() {
    let mut ledger = clean();
    let unreadable = ledger.segment(&globex(), 1);
    let report = check(&failing(&ledger, unreadable.clone(), 0), &trusting(&ledger), &options(&ledger));
    let others = BTreeSet::from(["acme/entity/1/0", "acme/interaction/1/0", "acme/interaction/2/0"]);
    assert_eq!(logs(&report), (others.clone(), vec![globex().as_str()]));
    assert_eq!(report.findings, [], "and of its index nothing is said");
    assert!(!report.holds(), "what could not be looked at does not hold");
    let told = serde_json::to_value(&report).unwrap();
    assert_eq!(told["unchecked"][0]["fault"], format!("cannot read {unreadable}: the store is away"));

    let key = ledger.segment(&calls(), 2);
    let renamed = ledger.rewrite(&key, |lines| lines.swap(130, 140));
    let report = check(&failing(&ledger, unreadable, 0), &trusting(&ledger), &options(&ledger));
    assert_eq!(logs(&report), (others, vec![globex().as_str()]));
    let found: Vec<_> = report.findings.iter().map(|found| (found.kind, found.key.as_str())).collect();
    assert_eq!(found, [(EntryReordered, renamed.as_str())]);
}

#[test]
fn what_was_found_before_the_fault_stays_found() {
    let mut ledger = clean();
    let (damaged, unreadable) = (ledger.segment(&calls(), 0), ledger.segment(&calls(), 5));
    ledger.change(&damaged, |bytes| bytes.push(0));
    let report = check(&failing(&ledger, unreadable, 0), &trusting(&ledger), &options(&ledger));
    assert_eq!(logs(&report).1, [calls().as_str()]);
    assert!(report.findings.iter().any(|found| (found.kind, &found.key) == (SegmentAltered, &damaged)));
}

#[test]
fn a_segment_that_is_gone_when_its_postings_are_compared_leaves_its_log_unchecked() {
    let mut ledger = clean();
    let segment = ledger.segment(&calls(), 3);
    let row = ledger.postings.iter_mut().find(|row| row.segment == segment).unwrap();
    row.from = "2026-01-01T00:00:00.000Z".to_owned();
    let report = check(&failing(&ledger, segment, 1), &trusting(&ledger), &options(&ledger));
    assert_eq!(logs(&report).1, [calls().as_str()]);
    assert!(!logs(&report).0.contains(calls().as_str()));
    assert_eq!(report.findings, []);
}

#[test]
fn a_log_is_unchecked_once_however_many_of_its_segments_cannot_be_compared() {
    let mut ledger = clean();
    for at in [1, 3] {
        let segment = ledger.segment(&calls(), at);
        let row = ledger.postings.iter_mut().find(|row| row.segment == segment).unwrap();
        row.from = "2026-01-01T00:00:00.000Z".to_owned();
    }
    let folder = ledgerline_ledger::segment::folder(&calls());
    let report = check(&failing(&ledger, folder, 6), &trusting(&ledger), &options(&ledger));
    assert_eq!((logs(&report).1, report.findings.len()), (vec![calls().as_str()], 0));
}

#[test]
fn the_ledgers_own_entries_are_no_events() {
    let mut ledger = clean();
    let note = String::from_utf8(ledger.bytes(&ledgerline_ledger::checkpoint::live_key(&calls()))).unwrap();
    let newest = |report: &Report| {
        let seen = report.logs.iter().find(|seen| seen.log == calls().as_str()).unwrap();
        (seen.newest_event, seen.entries)
    };
    let whole = |ledger: &Ledger| newest(&check(ledger, &trusting(ledger), &options(ledger)));
    assert_eq!(whole(&ledger), (Some(865), 866));
    for (count, kind) in (1..).zip(acts::TYPES) {
        ledger.append(&calls(), &[act_line(&calls(), kind, "note", Field::Int(count))]);
    }
    let told = acts::TYPES.len() as u64;
    assert_eq!(whole(&ledger), (Some(865), 866 + told));
    let trust = Trust { checkpoints: vec![note], ..trusting(&ledger) };
    let since = |ledger: &Ledger| newest(&check(ledger, &trust, &Options { incremental: true, ..options(ledger) }));
    assert_eq!(since(&ledger), (None, told), "of this run, none");
    let lines = [line(&calls(), 900), act_line(&calls(), acts::HOLD_PLACED, "note", Field::Int(7))];
    ledger.append(&calls(), &lines);
    assert_eq!(since(&ledger), (Some(866 + told), told + 2));
    // A type alone makes an act, whatever the entry is about.
    let mut entry = builder::entry(&calls(), 901);
    entry.event_type = acts::INTERACTION_SEALED.to_owned();
    ledger.append(&calls(), &[entry.to_line().unwrap().into_text()]);
    assert_eq!(since(&ledger), (Some(866 + told), told + 3));
}

/// Evidence whose postings can be listed so many times.
struct Listing<'a, E> {
    evidence: &'a E,
    left: Mutex<u32>,
}

fn listed_once<E>(evidence: &E) -> Listing<'_, E> {
    Listing { evidence, left: Mutex::new(1) }
}

impl<E: Evidence> Evidence for Listing<'_, E> {
    fn versions(&self, each: &mut dyn FnMut(ObjectVersion)) -> Result<(), EvidenceFault> {
        self.evidence.versions(each)
    }

    fn read(&self, version: &ObjectVersion) -> Result<Vec<u8>, EvidenceFault> {
        self.evidence.read(version)
    }

    fn heads(&self) -> Result<Option<Vec<HeadRow>>, EvidenceFault> {
        self.evidence.heads()
    }

    fn postings(&self, each: &mut dyn FnMut(Posting)) -> Result<Given, EvidenceFault> {
        let mut left = self.left.lock().unwrap();
        if *left == 0 {
            let source = io::Error::other("the index is away");
            return Err(EvidenceFault::Unavailable("list the postings".to_owned(), Box::new(source)));
        }
        *left -= 1;
        self.evidence.postings(each)
    }
}

#[test]
fn postings_that_cannot_be_listed_again_leave_those_logs_unchecked_whose_rows_are_in_question() {
    let mut ledger = clean();
    let clean = check(&listed_once(&ledger), &trusting(&ledger), &options(&ledger));
    assert!(clean.holds(), "where nothing differs, once is enough");
    let key = ledger.segment(&calls(), 2);
    let renamed = ledger.rewrite(&key, |lines| lines.swap(130, 140));
    let lost = ledger.postings.iter().rposition(|row| row.log == globex()).unwrap();
    ledger.postings.remove(lost);
    let report = check(&listed_once(&ledger), &trusting(&ledger), &options(&ledger));
    assert_eq!(report.findings.iter().map(|found| found.key.as_str()).collect::<Vec<_>>(), [renamed.as_str()]);
    let good = BTreeSet::from(["acme/entity/1/0", "acme/interaction/1/0", "acme/interaction/2/0"]);
    assert_eq!(logs(&report), (good, vec![globex().as_str()]), "the rows of calls were built again");
    assert!(report.unchecked[0].fault.to_string().contains("the index is away"), "{}", report.unchecked[0].fault);

    // A log of which nothing but a row is there is not passed over, either.
    let stray = Posting { log: builder::log("nobody/entity/1/0"), ..ledger.postings[0].clone() };
    ledger.postings.push(stray);
    let report = check(&listed_once(&ledger), &trusting(&ledger), &options(&ledger));
    assert_eq!(logs(&report).1, [globex().as_str(), "nobody/entity/1/0"]);
}

#[test]
fn what_is_committed_meanwhile_needs_no_second_look_at_the_postings() {
    let mut ledger = clean();
    let written = ledger.postings.iter().rfind(|row| row.log == calls()).unwrap();
    let segment = written.segment.replace("00000000000000000776-90-", "00000000000000000866-90-");
    assert_ne!(segment, written.segment);
    let meanwhile = Posting { first: 866, segment, ..written.clone() };
    ledger.postings.push(meanwhile.clone());
    let report = check(&ledger, &trusting(&ledger), &options(&ledger));
    let found: Vec<_> = report.findings.iter().map(|found| (found.kind, found.key.as_str())).collect();
    let row = format!("INT#{} POST#{}#{:020}", meanwhile.record_key, calls(), 866);
    assert_eq!(found, [(PostingExtra, row.as_str())], "of a log that rests");
    ledger.now_ms -= 24 * 60 * 60 * 1000;
    let report = check(&listed_once(&ledger), &trusting(&ledger), &options(&ledger));
    assert!(report.holds(), "{report:?}");
    ledger.postings[0].from = "2026-01-01T00:00:00.000Z".to_owned();
    let report = check(&listed_once(&ledger), &trusting(&ledger), &options(&ledger));
    assert_eq!(logs(&report).1, [ledger.postings[0].log.as_str()], "a row of what was looked at still does");
}

#[test]
fn a_row_of_one_log_about_anothers_segment_is_that_logs_own() {
    let mut ledger = clean();
    let theirs = ledger.postings.iter().find(|row| row.log == calls()).unwrap().clone();
    ledger.postings.push(Posting { log: globex(), ..theirs });
    let report = check(&listed_once(&ledger), &trusting(&ledger), &options(&ledger));
    assert_eq!((logs(&report).1, logs(&report).0.len()), (vec![globex().as_str()], 3));
    let report = check(&ledger, &trusting(&ledger), &options(&ledger));
    let found: Vec<_> = report.findings.iter().map(|found| found.kind).collect();
    assert_eq!(found, [PostingExtra]);
    assert!(report.findings[0].key.contains(globex().as_str()), "{:?}", report.findings);
}

#[test]
fn a_log_that_was_not_read_needs_no_second_look_at_the_postings() {
    let ledger = clean();
    let unreadable = failing(&ledger, ledger.segment(&globex(), 0), 0);
    let report = check(&listed_once(&unreadable), &trusting(&ledger), &options(&ledger));
    assert_eq!((report.logs.len(), report.unchecked.len()), (3, 1));
}

#[test]
fn the_logs_named_first_are_looked_at_first() {
    let ledger = clean();
    let first = Options { first: vec![globex(), calls()], ..options(&ledger) };
    let report = check(&ledger, &trusting(&ledger), &first);
    assert!(report.holds());
    let names: Vec<&str> = report.logs.iter().map(|log| log.log.as_str()).collect();
    assert_eq!(names[..2], [globex().as_str(), calls().as_str()]);
    assert_eq!(names.len(), 4);
}
