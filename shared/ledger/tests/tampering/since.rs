//! What a run relies on that it does not read: trusted and cosigned checkpoints to which no entries lead, orphans across the
//! entry at which a run begins; and false alarms that the simulation found once.

use ledgerline_ledger::checkpoint::live_key;
use ledgerline_ledger::entry::Field;
use ledgerline_ledger::segment::SegmentName;
use ledgerline_ledger::signing::{KeyKind, LocalSigner};
use ledgerline_ledger::tile::Tile;
use ledgerline_ledger::verify::FindingKind::*;
use ledgerline_ledger::verify::{Options, Trust};

use super::builder::{Ledger, act_line, line, pack};
use super::trust::{before, cosign, found, note_of, seen};
use super::{SEED, calls, check, check_both, clean, options, trusting};

/// A segment of a writer that died, with these entries of [`calls`] and what `change` makes of them.
fn orphan(ledger: &mut Ledger, entries: std::ops::Range<u64>, change: impl FnOnce(&mut Vec<String>)) {
    let (first, count) = (entries.start, entries.end - entries.start);
    let mut lines: Vec<String> = entries.map(|seq| line(&calls(), seq)).collect();
    change(&mut lines);
    let bytes = pack(&lines);
    let key = SegmentName::of(&calls(), first, count, &bytes).key();
    before(ledger, |ledger| drop(ledger.put(&key, bytes, true)));
}

#[test]
fn a_run_reads_all_that_an_orphan_across_its_beginning_may_repeat() {
    let run = |ledger: &Ledger| {
        let trust = Trust { checkpoints: vec![note_of(ledger, &calls(), 686)], ..trusting(ledger) };
        let report = check_both("straddling", ledger, &trust, &Options { incremental: true, ..options(ledger) });
        (found(&report), seen(&report, &calls()).orphans, seen(&report, &calls()).from)
    };
    let mut ledger = clean();
    orphan(&mut ledger, 486..786, |_| {});
    assert_eq!(run(&ledger), (vec![], 1, 486), "its first entries were committed before the checkpoint");
    // Another orphan reaches over the beginning that the first one asks for.
    orphan(&mut ledger, 170..570, |_| {});
    assert_eq!(run(&ledger), (vec![], 2, 170));
    // One that ends before the run begins is the whole look's.
    let mut ledger = clean();
    orphan(&mut ledger, 170..400, |_| {});
    assert_eq!(run(&ledger), (vec![], 0, 686));
    // What is committed nowhere is found on both sides of the checkpoint.
    for (at, entry) in [(10, 496), (250, 736)] {
        let mut ledger = clean();
        orphan(&mut ledger, 486..786, |lines| lines[at] = line(&calls(), 5_000));
        assert_eq!(run(&ledger), (vec![(SegmentFork, Some(entry))], 0, 486));
    }
}

/// The log without its first segments, whose deletion a signed entry tells, and without its first leaf tile.
fn pruned_and_damaged(to: u64, segments: usize) -> Ledger {
    let mut ledger = clean();
    let said = act_line(&calls(), "LOG_PRUNED", "prunedTo", Field::Int(to as i64));
    before(&mut ledger, |ledger| drop(ledger.append(&calls(), &[said])));
    for _ in 0..segments {
        ledger.objects.remove(&ledger.segment(&calls(), 0));
    }
    for width in [40, 170, 256] {
        ledger.objects.remove(&Tile::new(0, 0, width).unwrap().key(&calls())).unwrap();
    }
    ledger
}

/// Another history of [`calls`], signed by the same key.
fn forked() -> Ledger {
    let mut ledger = clean();
    let key = ledger.segment(&calls(), 2);
    ledger.rewrite(&key, |lines| lines.swap(1, 2));
    ledger.rewrite_derived(&calls(), Some(SEED));
    ledger
}

#[test]
fn a_trusted_checkpoint_to_which_no_entries_lead_is_compared_by_tiles_or_named() {
    let (ledger, forked) = (pruned_and_damaged(686, 4), forked());
    let damage = (TileMissing, Some(0));
    let run = |note: String| {
        let trust = Trust { checkpoints: vec![note], ..trusting(&ledger) };
        found(&check_both("no entries", &ledger, &trust, &options(&ledger)))
    };
    assert_eq!(run(note_of(&ledger, &calls(), 486)), [damage], "other tiles give the tree of this size");
    assert_eq!(run(note_of(&forked, &calls(), 486)), [(LogForked, Some(486)), damage]);
    assert_eq!(run(note_of(&ledger, &calls(), 686)), [damage], "at the first entry that is there");
    assert_eq!(run(note_of(&forked, &calls(), 686)), [(LogForked, Some(686)), damage]);
    for ledger in [&ledger, &forked] {
        assert_eq!(run(note_of(ledger, &calls(), 170)), [(CheckpointUnverifiable, Some(170)), damage]);
    }
}

#[test]
fn a_cosigned_checkpoint_to_which_no_entries_lead_is_compared_by_tiles_or_named() {
    let (ledger, forked) = (pruned_and_damaged(686, 4), forked());
    let witness = LocalSigner::from_seed("witness.example", &[7; 32]).unwrap();
    let run = |note: String| {
        let mut trust = Trust { witness_quorum: 1, ..trusting(&ledger) };
        trust.cosigned = vec![cosign(&note, &trust.keys, &witness)];
        trust.witnesses = vec![witness.verifying_key(KeyKind::Witness).vkey()];
        let report = check(&ledger, &trust, &Options { logs: vec![calls()], ..options(&ledger) });
        let kinds: Vec<_> = found(&report).into_iter().filter(|(kind, _)| *kind != TileMissing).collect();
        (kinds, seen(&report, &calls()).witnessed)
    };
    assert_eq!(run(note_of(&ledger, &calls(), 486)), (vec![], 486));
    let unwitnessed = (WitnessMissing, None);
    assert_eq!(run(note_of(&forked, &calls(), 486)), (vec![(LogForked, Some(486)), unwitnessed], 0));
    let unverifiable = (CheckpointUnverifiable, Some(170));
    assert_eq!(run(note_of(&ledger, &calls(), 170)), (vec![unverifiable, unwitnessed], 0));
}

#[test]
fn a_trusted_checkpoint_is_not_passed_over_where_the_end_cannot_be_followed() {
    let mut ledger = clean();
    // Entries are missing up to the last segment, and no tile leads over the gap.
    ledger.objects.remove(&ledger.segment(&calls(), 4)).unwrap();
    let folder = format!("ledger/{}/tile/", calls());
    ledger.objects.retain(|key, _| !key.starts_with(&folder));
    for size in [776, 866] {
        let trust = Trust { checkpoints: vec![note_of(&ledger, &calls(), size)], ..trusting(&ledger) };
        let report = check(&ledger, &trust, &options(&ledger));
        assert!(found(&report).contains(&(CheckpointUnverifiable, Some(size))), "{size}: {:?}", report.findings);
    }
}

/// Found by the simulation: a writer died with two chunks in one segment, which were then committed in two. Nothing but the
/// postings tells which of them are the log.
#[test]
fn an_orphan_of_two_committed_segments_in_their_places_is_not_taken_for_the_log() {
    let mut ledger = clean();
    orphan(&mut ledger, 686..866, |_| {});
    let report = check_both("two in one", &ledger, &trusting(&ledger), &options(&ledger));
    assert_eq!((found(&report), seen(&report, &calls()).orphans), (vec![], 1));
}

/// Found by the simulation: a larger checkpoint took the place of the live one just after the clock had gone back.
#[test]
fn the_live_checkpoint_is_the_latest_version_whatever_the_clock_said() {
    let mut ledger = clean();
    let versions = ledger.objects.get_mut(&live_key(&calls())).unwrap();
    versions[0].version.last_modified_ms += 3 * 60 * 60 * 1000;
    let report = check_both("clock back", &ledger, &trusting(&ledger), &options(&ledger));
    assert_eq!((found(&report), seen(&report, &calls()).signed), (vec![], 866));
}
