//! What depends on what the caller trusts: keys and their rotation, checkpoints seen before, witnesses, pruning, and what
//! is not tampering at all.

use ledgerline_ledger::checkpoint::{UnverifiedCheckpoint, archive_key};
use ledgerline_ledger::entry::Field;
use ledgerline_ledger::log::LogId;
use ledgerline_ledger::segment::SegmentName;
use ledgerline_ledger::signing::{KeyKind, LocalSigner, VerifyingKeys};
use ledgerline_ledger::verify::FindingKind::{self, *};
use ledgerline_ledger::verify::{EvidenceFault, Options, Report, Trust, verify};

use super::builder::{self, DEPLOYMENT, Ledger, line, pack};
use super::{SEED, calls, check, check_both, clean, globex, options, trusting};

const DAY_MS: u64 = 24 * 60 * 60 * 1000;

pub(crate) fn found(report: &Report) -> Vec<(FindingKind, Option<u64>)> {
    report.findings.iter().map(|found| (found.kind, found.entry)).collect()
}

pub(crate) fn note_of(ledger: &Ledger, log: &LogId, size: u64) -> String {
    String::from_utf8(ledger.bytes(&archive_key(log, size))).unwrap()
}

pub(crate) fn seen<'a>(report: &'a Report, log: &LogId) -> &'a ledgerline_ledger::verify::LogReport {
    report.logs.iter().find(|seen| seen.log == log.as_str()).unwrap()
}

/// Writes something as of the time when the ledger was written, a day before it is verified.
pub(crate) fn before(ledger: &mut Ledger, write: impl FnOnce(&mut Ledger)) {
    ledger.now_ms -= DAY_MS;
    write(ledger);
    ledger.now_ms += DAY_MS;
}

#[test]
fn an_orphan_whose_entries_are_all_committed_is_harmless() {
    let mut ledger = clean();
    // A crash before the commit; then its first entries came in one append, the others in the next.
    let lines: Vec<String> = (150..300).map(|seq| line(&calls(), seq)).collect();
    let bytes = pack(&lines);
    before(&mut ledger, |ledger| {
        drop(ledger.put(&SegmentName::of(&calls(), 40, 150, &bytes).key(), bytes.clone(), true))
    });
    let report = check_both("benign", &ledger, &trusting(&ledger), &options(&ledger));
    assert_eq!(found(&report), []);
    assert_eq!(seen(&report, &calls()).orphans, 1);
}

#[test]
fn a_segment_of_the_last_hour_may_still_be_committed() {
    let mut ledger = clean();
    let bytes = pack(&[line(&calls(), 5_000)]);
    ledger.put(&SegmentName::of(&calls(), 866, 1, &bytes).key(), bytes, true);
    let report = check(&ledger, &trusting(&ledger), &options(&ledger));
    assert_eq!((found(&report), seen(&report, &calls()).in_flight), (vec![], 1));
    let late = Options { now_ms: ledger.now_ms + DAY_MS, ..options(&ledger) };
    assert_eq!(found(&check(&ledger, &trusting(&ledger), &late)), [(OrphanUncommitted, Some(866))]);
}

#[test]
fn another_key_than_the_trusted_one_proves_nothing() {
    let ledger = clean();
    let mut trust = trusting(&ledger);
    trust.keys.retain(|key| !key.contains(calls().as_str()));
    trust.keys.push(builder::vkey(DEPLOYMENT, &calls(), 9));
    let report = check(&ledger, &trust, &options(&ledger));
    // Six archived ones and six versions of the live one; then nobody has signed anything.
    let unsigned = report.findings.iter().filter(|found| found.kind == CheckpointUnsigned).count();
    assert_eq!(unsigned, 12);
    assert!(found(&report).contains(&(EntriesUnsigned, Some(0))));
}

#[test]
fn a_log_without_a_trusted_key_is_said_to_be_so_once() {
    let ledger = clean();
    let mut trust = trusting(&ledger);
    trust.keys.retain(|key| !key.contains(calls().as_str()));
    let report = check(&ledger, &trust, &options(&ledger));
    assert_eq!(found(&report), [(CheckpointUnsigned, None), (EntriesUnsigned, Some(0))]);
}

#[test]
fn a_key_added_under_the_old_key_is_accepted_from_there_on() {
    let mut ledger = clean();
    let vkey = builder::vkey(DEPLOYMENT, &calls(), 9);
    before(&mut ledger, |ledger| {
        let added = builder::act_line(&calls(), "SIGNING_KEY_ADDED", "key", Field::Text(vkey.clone()));
        ledger.append(&calls(), &[added]);
        ledger.rotate(&calls(), 9);
        ledger.append(&calls(), &[line(&calls(), 900)]);
    });
    let report = check_both("rotation", &ledger, &trusting(&ledger), &options(&ledger));
    assert_eq!(found(&report), []);
    assert_eq!(seen(&report, &calls()).signed, 868);
    assert!(seen(&report, &calls()).keys.contains(&vkey), "the next run must know the new key");
}

#[test]
fn a_key_that_a_source_event_names_is_not_added() {
    let mut ledger = clean();
    before(&mut ledger, |ledger| {
        let mut entry = builder::entry(&calls(), 900);
        entry.event_type = "SIGNING_KEY_ADDED".to_owned();
        entry.fields.insert("key".to_owned(), Field::Text(builder::vkey(DEPLOYMENT, &calls(), 9)));
        ledger.append(&calls(), &[entry.to_line().unwrap().into_text()]);
        ledger.rotate(&calls(), 9);
        ledger.append(&calls(), &[line(&calls(), 901)]);
    });
    let report = check(&ledger, &trusting(&ledger), &options(&ledger));
    assert!(found(&report).contains(&(CheckpointUnsigned, Some(868))), "{:?}", report.findings);
}

#[test]
fn a_whole_history_rewritten_with_the_stolen_key_contradicts_what_was_seen_before() {
    let before = clean();
    let mut ledger = clean();
    let key = ledger.segment(&calls(), 2);
    ledger.rewrite(&key, |lines| lines[130] = lines[130].replace("\"VOICE\"", "\"EMAIL\""));
    ledger.rewrite_derived(&calls(), Some(SEED));
    assert_eq!(found(&check(&ledger, &trusting(&ledger), &options(&ledger))), [], "nothing inside tells");
    let trust = Trust { checkpoints: vec![note_of(&before, &calls(), 866)], ..trusting(&ledger) };
    assert_eq!(found(&check_both("stolen", &ledger, &trust, &options(&ledger))), [(LogForked, Some(866))]);
}

#[test]
fn a_log_cut_off_as_a_whole_is_shorter_than_what_was_seen_before() {
    let whole = clean();
    let mut ledger = Ledger::default();
    ledger.open(&calls(), DEPLOYMENT, SEED);
    let lines: Vec<String> = (0..170).map(|seq| line(&calls(), seq)).collect();
    ledger.append(&calls(), &lines[..40]);
    ledger.append(&calls(), &lines[40..]);
    ledger.now_ms += DAY_MS;
    assert_eq!(found(&check(&ledger, &trusting(&ledger), &options(&ledger))), []);
    let trust = Trust { checkpoints: vec![note_of(&whole, &calls(), 866)], ..trusting(&ledger) };
    let report = check_both("shrunk", &ledger, &trust, &options(&ledger));
    assert!(found(&report).contains(&(LogShrunk, Some(170))), "{:?}", report.findings);
    // A log that is gone altogether was there, too.
    let trust = Trust { checkpoints: vec![note_of(&whole, &globex(), 91)], ..trusting(&whole) };
    assert!(found(&check(&ledger, &trust, &options(&ledger))).contains(&(LogShrunk, Some(0))));
    // What a witness cosigned says so, too.
    let trust = Trust { cosigned: vec![note_of(&whole, &globex(), 91)], ..trusting(&whole) };
    assert_ne!(found(&check(&ledger, &trust, &options(&ledger))), []);
}

#[test]
fn a_checkpoint_that_no_trusted_key_signed_is_not_trusted_either() {
    let ledger = clean();
    let trust = Trust { keys: vec![], checkpoints: vec![note_of(&ledger, &calls(), 866)], ..Trust::default() };
    let report = check(&ledger, &trust, &options(&ledger));
    let unchecked: Vec<&str> = report.unchecked.iter().map(|log| log.log.as_str()).collect();
    assert_eq!(unchecked, [calls().as_str()], "what was handed over is no reason to pass over the other logs");
    let trust = Trust { keys: vec!["no key".to_owned()], ..Trust::default() };
    assert!(matches!(verify(&ledger, &trust, &options(&ledger), &mut |_| {}), Err(EvidenceFault::Malformed(_))));
}

pub(crate) fn cosign(note: &str, keys: &[String], witness: &LocalSigner) -> String {
    cosign_at(note, keys, witness, builder::EPOCH_MS / 1000)
}

fn cosign_at(note: &str, keys: &[String], witness: &LocalSigner, time_s: u64) -> String {
    let checkpoint =
        UnverifiedCheckpoint::parse(note.as_bytes()).unwrap().verify(&VerifyingKeys::parse(keys).unwrap()).unwrap();
    let signature = witness.sign_now(&checkpoint.cosignature_message(time_s));
    let cosigned = checkpoint.with_cosignature(&witness.verifying_key(KeyKind::Witness), time_s, &signature).unwrap();
    String::from_utf8(cosigned.note()).unwrap()
}

#[test]
fn witnesses_must_have_cosigned_if_asked_for() {
    let ledger = clean();
    let witness = |seed: u8| LocalSigner::from_seed(&format!("witness-{seed}.example"), &[seed; 32]).unwrap();
    let only = Options { logs: vec![calls()], ..options(&ledger) };
    let mut trust = trusting(&ledger);
    trust.witnesses = [7, 8].map(|seed| witness(seed).verifying_key(KeyKind::Witness).vkey()).to_vec();
    trust.witness_quorum = 2;
    assert_eq!(found(&check(&ledger, &trust, &only)), [(WitnessMissing, None)]);
    let once = cosign(&note_of(&ledger, &calls(), 686), &trust.keys, &witness(7));
    trust.cosigned = vec![once.clone()];
    assert_eq!(found(&check(&ledger, &trust, &only)), [(WitnessMissing, None)]);
    trust.cosigned = vec![cosign(&once, &trust.keys, &witness(9))];
    assert_eq!(found(&check(&ledger, &trust, &only)), [(WitnessMissing, None)], "a stranger is no witness");
    let all_keys: Vec<String> = trust.keys.iter().chain(&trust.witnesses).cloned().collect();
    trust.cosigned = vec![cosign(&once, &all_keys, &witness(8))];
    let report = check(&ledger, &trust, &only);
    assert_eq!((found(&report), seen(&report, &calls()).witnessed), (vec![], 686));
    // What witnesses saw and the log does not have is a fork.
    let mut forked = clean();
    let key = forked.segment(&calls(), 2);
    forked.rewrite(&key, |lines| lines.swap(1, 2));
    forked.rewrite_derived(&calls(), Some(SEED));
    assert!(found(&check(&forked, &trust, &only)).contains(&(LogForked, Some(686))));
}

#[test]
fn a_cosignature_of_long_ago_satisfies_nobody_who_asks_for_a_new_one() {
    let ledger = clean();
    let now_s = ledger.now_ms / 1000;
    let witness = |seed: u8| LocalSigner::from_seed(&format!("witness-{seed}.example"), &[seed; 32]).unwrap();
    let only = Options { logs: vec![calls()], ..options(&ledger) };
    let mut trust = Trust { witness_quorum: 2, ..trusting(&ledger) };
    trust.witnesses = [7, 8].map(|seed| witness(seed).verifying_key(KeyKind::Witness).vkey()).to_vec();
    let keys: Vec<String> = trust.keys.iter().chain(&trust.witnesses).cloned().collect();
    let by_both = |size: u64, [one, other]: [u64; 2]| {
        let once = cosign_at(&note_of(&ledger, &calls(), size), &keys, &witness(7), one);
        cosign_at(&once, &keys, &witness(8), other)
    };
    let mut told = |cosigned: &[String], within_s: Option<u64>| {
        (trust.cosigned, trust.witnessed_within_s) = (cosigned.to_vec(), within_s);
        let report = check(&ledger, &trust, &only);
        (found(&report), seen(&report, &calls()).witnessed, seen(&report, &calls()).witnessed_at_s)
    };
    let old = by_both(686, [now_s - 7_200, now_s - 90_000]);
    assert_eq!(told(std::slice::from_ref(&old), None), (vec![], 686, Some(now_s - 90_000)), "of any age");
    let stale = vec![(WitnessStale, Some(686))];
    assert_eq!(told(std::slice::from_ref(&old), Some(7_200)), (stale, 686, Some(now_s - 90_000)), "one of two is old");
    assert_eq!(told(std::slice::from_ref(&old), Some(90_000)).0, []);
    // New cosignatures of the same size count, and so do those of a larger one, whatever else is older.
    let again = by_both(686, [now_s - 60, now_s]);
    assert_eq!(told(&[old.clone(), again], Some(7_200)), (vec![], 686, Some(now_s - 60)));
    assert_eq!(told(&[old, by_both(866, [now_s, now_s])], Some(7_200)), (vec![], 866, Some(now_s)));
    // A clock that is far ahead vouches for no present.
    assert_eq!(told(&[by_both(866, [now_s + 90_000; 2])], Some(7_200)).0, [(WitnessStale, Some(866))]);
}

#[test]
fn pruned_segments_need_a_signed_entry_that_says_so() {
    let prune = |to: i64, sign: bool| {
        let mut ledger = clean();
        before(&mut ledger, |ledger| {
            let said = builder::act_line(&calls(), "LOG_PRUNED", "prunedTo", Field::Int(to));
            ledger.commit(&calls(), &[said]);
            if sign {
                ledger.publish(&calls());
            }
        });
        for key in [ledger.segment(&calls(), 0), ledger.segment(&calls(), 1)] {
            ledger.objects.remove(&key);
        }
        ledger
    };
    let ledger = prune(170, true);
    let report = check_both("pruned", &ledger, &trusting(&ledger), &options(&ledger));
    assert_eq!(found(&report), [], "and postings below it say nothing any more");
    assert_eq!((seen(&report, &calls()).pruned_to, seen(&report, &calls()).signed), (170, 867));
    for (to, sign) in [(169, true), (170, false), (900, true)] {
        let ledger = prune(to, sign);
        let report = check(&ledger, &trusting(&ledger), &options(&ledger));
        assert!(found(&report).contains(&(PrunedWithoutRecord, Some(0))), "{to} {sign}: {:?}", report.findings);
    }
}

#[test]
fn a_run_may_begin_at_a_trusted_checkpoint() {
    let mut ledger = clean();
    let incremental = Options { incremental: true, ..options(&ledger) };
    let trust = Trust { checkpoints: vec![note_of(&ledger, &calls(), 686)], ..trusting(&ledger) };
    let report = check_both("incremental", &ledger, &trust, &incremental);
    assert_eq!(found(&report), []);
    let read = seen(&report, &calls());
    assert_eq!((read.from, read.entries, read.size, read.signed), (686, 180, 866, 866));
    assert_eq!(read.root, seen(&check(&ledger, &trust, &options(&ledger)), &calls()).root);
    // What was changed behind it is found; what was changed before it is found by a whole run.
    let key = ledger.segment(&calls(), 4);
    let renamed = ledger.rewrite(&key, |lines| lines.swap(3, 4));
    let report = check(&ledger, &trust, &incremental);
    assert_eq!(found(&report), [(EntryReordered, Some(689))]);
    assert_eq!(report.findings[0].key, renamed);
    let mut ledger = clean();
    ledger.objects.remove(&ledger.segment(&calls(), 1));
    let report = check(&ledger, &trust, &incremental);
    assert!(found(&report).contains(&(EntriesMissing, Some(40))), "the listing is looked at whole");
}

#[test]
fn only_the_logs_asked_for_are_looked_at() {
    let mut ledger = clean();
    let key = ledger.segment(&calls(), 2);
    ledger.change(&key, |bytes| bytes[100] ^= 1);
    let only = Options { logs: vec![globex()], ..options(&ledger) };
    let report = check(&ledger, &trusting(&ledger), &only);
    assert_eq!((report.logs.len(), found(&report)), (1, vec![]));
}

#[test]
fn one_thread_finds_what_many_find() {
    let mut ledger = clean();
    let key = ledger.segment(&calls(), 2);
    ledger.rewrite(&key, |lines| lines.swap(130, 140));
    let run = |threads| check(&ledger, &trusting(&ledger), &Options { threads, ..options(&ledger) }).findings;
    assert_eq!(run(1), run(8));
    assert_eq!(run(1).len(), 1);
}

#[test]
fn progress_reaches_the_end_of_each_log() {
    let ledger = clean();
    let mut ends = std::collections::BTreeMap::new();
    verify(&ledger, &trusting(&ledger), &options(&ledger), &mut |progress| {
        assert!(progress.done <= progress.total);
        ends.insert(progress.log.clone(), (progress.done, progress.total));
    })
    .unwrap();
    assert_eq!(ends[&calls()], (866, 866));
    assert_eq!(ends[&globex()], (91, 91));
}
