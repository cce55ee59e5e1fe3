//! Keys in their order: which one counts for which size, and which entries can add one.

use ledgerline_ledger::checkpoint::{archive_key, origin};
use ledgerline_ledger::entry::Field;
use ledgerline_ledger::signing::{KeyKind, LocalSigner};
use ledgerline_ledger::tile::Tile;
use ledgerline_ledger::verify::FindingKind::{self, *};
use ledgerline_ledger::verify::{Options, Report, Trust};

use super::builder::{self, DEPLOYMENT, Ledger, line};
use super::{SEED, calls, check, check_both, clean, options, trusting};

const DAY_MS: u64 = 24 * 60 * 60 * 1000;

fn vkey(seed: u8) -> String {
    builder::vkey(DEPLOYMENT, &calls(), seed)
}

fn added(seed: u8) -> String {
    builder::act_line(&calls(), "SIGNING_KEY_ADDED", "key", Field::Text(vkey(seed)))
}

fn kinds(report: &Report) -> Vec<FindingKind> {
    report.findings.iter().map(|found| found.kind).collect()
}

fn keys(report: &Report) -> &[String] {
    &report.logs.iter().find(|seen| seen.log == calls().as_str()).unwrap().keys
}

/// A ledger in which calls were signed in turn by the first key and by these, each announced under the one before it.
fn rotated(seeds: &[u8]) -> Ledger {
    let mut ledger = clean();
    ledger.now_ms -= DAY_MS;
    for (seed, nth) in seeds.iter().zip(900..) {
        ledger.append(&calls(), &[added(*seed)]);
        ledger.rotate(&calls(), *seed);
        ledger.append(&calls(), &[line(&calls(), nth)]);
    }
    ledger.now_ms += DAY_MS;
    ledger
}

fn with_keys(ledger: &Ledger, seeds: &[u8]) -> Trust {
    let mut trust = trusting(ledger);
    trust.keys.retain(|key| !key.contains(calls().as_str()));
    trust.keys.extend(seeds.iter().map(|seed| vkey(*seed)));
    trust
}

#[test]
fn a_log_whose_key_went_and_came_back_holds_from_the_first_key() {
    let ledger = rotated(&[9, 8, SEED]);
    let report = check_both("came-back", &ledger, &trusting(&ledger), &options(&ledger));
    assert_eq!(kinds(&report), []);
    assert_eq!(keys(&report), [vkey(9), vkey(8), vkey(SEED)], "in the order of their time");
}

#[test]
fn from_the_first_entry_on_entries_tell_the_order_of_keys() {
    let ledger = rotated(&[9, 8]);
    for seeds in [[SEED, 9, 8], [8, 9, SEED]] {
        let report = check(&ledger, &with_keys(&ledger, &seeds), &options(&ledger));
        assert_eq!(kinds(&report), [], "{seeds:?}");
        assert_eq!(keys(&report), [vkey(SEED), vkey(9), vkey(8)], "{seeds:?}");
    }
}

#[test]
fn a_run_that_begins_after_a_rotation_knows_the_retired_key_by_its_place() {
    let mut ledger = rotated(&[9]);
    let base = String::from_utf8(ledger.bytes(&archive_key(&calls(), 868))).unwrap();
    let trust = Trust { checkpoints: vec![base], ..with_keys(&ledger, &[SEED, 9]) };
    let incremental = Options { incremental: true, ..options(&ledger) };
    assert_eq!(kinds(&check(&ledger, &trust, &incremental)), []);
    ledger.now_ms -= DAY_MS;
    ledger.rotate(&calls(), SEED);
    ledger.append(&calls(), &[line(&calls(), 950)]);
    ledger.now_ms += DAY_MS;
    // As archived and as the live one; and nobody else has signed the entry.
    let report = check(&ledger, &trust, &incremental);
    assert_eq!(kinds(&report), [CheckpointRetiredKey, CheckpointRetiredKey, EntriesUnsigned]);
    assert_eq!(report.findings[0].key, archive_key(&calls(), 869));
}

#[test]
fn keys_that_came_and_went_in_a_pruned_range_are_not_held_against_each_other() {
    let mut ledger = rotated(&[9, SEED]);
    ledger.now_ms -= DAY_MS;
    let pruned = builder::act_line(&calls(), "LOG_PRUNED", "prunedTo", Field::Int(870));
    ledger.append(&calls(), &[pruned]);
    ledger.now_ms += DAY_MS;
    for name in ledger.segments(&calls()).into_iter().filter(|name| name.first < 870) {
        ledger.objects.remove(&name.key());
    }
    let trust = with_keys(&ledger, &[9, SEED]);
    assert_eq!(kinds(&check(&ledger, &trust, &options(&ledger))), []);
    // What is still there is: the former key signs nothing more.
    ledger.now_ms -= DAY_MS;
    ledger.rotate(&calls(), 9);
    ledger.append(&calls(), &[line(&calls(), 950)]);
    ledger.now_ms += DAY_MS;
    assert!(kinds(&check(&ledger, &trust, &options(&ledger))).contains(&CheckpointRetiredKey));
}

#[test]
fn a_checkpoint_of_the_size_at_which_keys_changed_may_be_either_keys() {
    // A writer that took long archived the same tree as the next one made live.
    let mut ledger = rotated(&[9]);
    let root = ledger.head(&calls()).root;
    ledger.replace(&archive_key(&calls(), 868), builder::note(DEPLOYMENT, &calls(), SEED, 868, root));
    assert_eq!(kinds(&check(&ledger, &trusting(&ledger), &options(&ledger))), []);
}

#[test]
fn a_log_has_room_for_so_many_keys_and_no_more() {
    // Every key of a seed, the first one's among them: 256. Another is of none of these seeds.
    let another = |n: u8| {
        let signer = LocalSigner::from_seed(&origin(DEPLOYMENT, &calls()), &std::array::from_fn(|at| n + at as u8));
        let vkey = signer.unwrap().verifying_key(KeyKind::Log).vkey();
        builder::act_line(&calls(), "SIGNING_KEY_ADDED", "key", Field::Text(vkey))
    };
    let announced = |lines: Vec<String>| {
        let mut ledger = clean();
        ledger.now_ms -= DAY_MS;
        ledger.append(&calls(), &lines);
        ledger
    };
    let at_rest = |mut ledger: Ledger, known: Option<&[String]>| {
        ledger.now_ms += DAY_MS;
        let trust = trusting(&ledger);
        let known = known.unwrap_or_default();
        let others = trust.keys.iter().filter(|key| !known.contains(key));
        let keys = known.iter().chain(others).cloned().collect();
        check(&ledger, &Trust { keys, ..trust.clone() }, &options(&ledger))
    };
    // One of them is announced twice.
    let mut full = announced((0..=255).chain([3]).map(added).collect());
    let report = at_rest(full.clone(), None);
    assert_eq!((kinds(&report), keys(&report).len()), (vec![], 256));
    // Whoever was handed all of them reads their entries again: they take no room twice.
    let again = at_rest(full.clone(), Some(keys(&report)));
    assert_eq!((kinds(&again), keys(&again).len()), (vec![], 256));

    full.append(&calls(), &[line(&calls(), 900), another(1), another(2)]);
    for known in [None, Some(keys(&report))] {
        let more = at_rest(full.clone(), known);
        assert_eq!((kinds(&more), keys(&more).len()), (vec![TooManyKeys], 256));
        assert_eq!(more.findings[0].entry, Some(866 + 257 + 1), "once, and the first");
    }

    // As many before any checkpoint covers them; and one known key, over and over.
    let report = at_rest(announced((0..=255).map(added).chain([another(1)]).collect()), None);
    assert_eq!((kinds(&report), report.findings[0].entry), (vec![TooManyKeys], Some(866 + 256)));
    let report = at_rest(announced(vec![added(3); 1_025]), None);
    assert_eq!((kinds(&report), report.findings[0].entry), (vec![TooManyKeys], Some(866 + 1_024)));
}

#[test]
fn an_entry_that_is_not_the_committed_one_adds_no_key() {
    let mut ledger = clean();
    let key = ledger.segment(&calls(), 2);
    ledger.rewrite(&key, |lines| lines[130] = added(9));
    ledger.now_ms -= DAY_MS;
    ledger.rotate(&calls(), 9);
    ledger.append(&calls(), &[line(&calls(), 900)]);
    ledger.now_ms += DAY_MS;
    let report = check_both("forged-key", &ledger, &trusting(&ledger), &options(&ledger));
    assert!(kinds(&report).contains(&EntryAltered), "{:?}", report.findings);
    assert!(kinds(&report).contains(&CheckpointUnsigned), "{:?}", report.findings);
    assert_eq!(keys(&report), [vkey(SEED)]);
}

/// Without the log's second leaf tile, and with a checkpoint by the key that an entry made up: it is not accepted.
fn assert_the_announced_key_counts_for_nothing(mut ledger: Ledger) {
    let gone = |key: &String| {
        Tile::parse_key(key).is_some_and(|(log, tile)| log == calls() && tile.level() == 0 && tile.index() == 1)
    };
    ledger.objects.retain(|key, _| !gone(key));
    ledger.now_ms -= DAY_MS;
    ledger.rotate(&calls(), 9);
    ledger.append(&calls(), &[line(&calls(), 900)]);
    ledger.now_ms += DAY_MS;
    let report = check(&ledger, &trusting(&ledger), &options(&ledger));
    let signed = report.logs.iter().find(|seen| seen.log == calls().as_str()).unwrap().signed;
    assert_eq!(signed, 866, "the last tree of the true key was found good: {:?}", report.findings);
    assert_eq!(keys(&report), [vkey(SEED)]);
}

#[test]
fn nor_does_an_entry_that_no_tile_speaks_of() {
    // The segment ends too early and its leaf tile is gone: the tree goes on behind it, from the tiles above.
    let mut ledger = clean();
    let key = ledger.segment(&calls(), 2);
    ledger.rewrite(&key, |lines| {
        lines[130] = added(9);
        lines.truncate(150);
    });
    assert_the_announced_key_counts_for_nothing(ledger);
}

#[test]
fn nor_does_an_entry_of_a_segment_that_cannot_be_followed() {
    // The leaf tile in which the segment begins is gone, and so is the segment before it.
    let mut ledger = clean();
    let forged = ledger.segment(&calls(), 3);
    ledger.rewrite(&forged, |lines| lines[3] = added(9));
    let before = ledger.segment(&calls(), 2);
    ledger.objects.remove(&before);
    assert_the_announced_key_counts_for_nothing(ledger);
}
