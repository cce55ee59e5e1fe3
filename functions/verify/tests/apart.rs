//! Runs over several logs: what is wrong with one, or keeps it from being read or from being reached, is told of that one.

use crate::world::*;
use ledgerline_custody::acts::ActKind;
use ledgerline_ledger::log::LogId;
use ledgerline_ledger::posting::Posting;
use ledgerline_store::head::head_key;
use ledgerline_store::watch::{self, Watched};
use ledgerline_testkit::faults::Fault;
use ledgerline_verify::{Look, Summary, VerifyError};

const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;

fn assert_partly(run: &Result<Summary, VerifyError>, expected: (usize, usize), what: &str) {
    match run {
        Err(VerifyError::Partly { unchecked, forgotten }) => assert_eq!((*unchecked, *forgotten), expected, "{what}"),
        other => panic!("{what}: {other:?}"),
    }
}

/// Three logs, remembered whole at the same time, and something new in each.
async fn three_logs() -> World {
    let world = World::new();
    for log in [AUDITS, CALLS, GLOBEX] {
        world.append(log, 3).await;
    }
    assert!(world.run(Look::Everything).await.unwrap().holds);
    for log in [AUDITS, CALLS, GLOBEX] {
        world.append(log, 2).await;
    }
    world
}

#[tokio::test]
async fn a_log_whose_evidence_cannot_be_read_stops_no_other() {
    let world = three_logs().await;
    let memory = world.memory(CALLS);
    world.evidence.set_unreadable(Some(&format!("ledger/{CALLS}/")));
    for look in [Look::New, Look::Everything] {
        assert_partly(&world.run(look).await, (1, 0), &format!("{look:?}"));
        assert_eq!(world.memory(CALLS), memory, "{look:?}");
        assert_eq!((world.memory(AUDITS).unwrap().size, world.memory(GLOBEX).unwrap().size), (5, 5), "{look:?}");
    }
    world.evidence.set_unreadable(None);
    let found = world.run(Look::New).await.unwrap();
    assert_eq!((found.holds, found.delivered, world.memory(CALLS).unwrap().size), (true, 2, 5));
}

#[tokio::test]
async fn a_log_whose_memory_cannot_be_read_stops_no_other_and_is_not_judged() {
    let world = three_logs().await;
    world.control.set_unreadable(Some(&watch::key(&LogId::parse(CALLS).unwrap()).pk));
    for look in [Look::New, Look::Everything] {
        world.take_read();
        assert_partly(&world.run(look).await, (1, 0), &format!("{look:?}"));
        assert!(world.take_read().iter().all(|key| !key.contains(CALLS)), "{look:?}");
        assert_eq!((world.memory(AUDITS).unwrap().size, world.memory(GLOBEX).unwrap().size), (5, 5), "{look:?}");
    }
    assert_eq!(world.memory(CALLS).unwrap().size, 3);
    world.control.set_unreadable(None);
    assert!(world.run(Look::New).await.unwrap().holds);
}

#[tokio::test]
async fn a_log_whose_head_cannot_be_read_stops_no_other_and_is_not_judged() {
    let world = three_logs().await;
    world.control.set_unreadable(Some(&head_key(&LogId::parse(CALLS).unwrap()).pk));
    for look in [Look::New, Look::Everything] {
        assert_partly(&world.run(look).await, (1, 0), &format!("{look:?}"));
        let sizes = [AUDITS, CALLS, GLOBEX].map(|log| world.memory(log).unwrap().size);
        assert_eq!(sizes, [5, 3, 5], "{look:?}");
    }
    world.control.set_unreadable(None);
    assert!(world.run(Look::New).await.unwrap().holds);
}

#[tokio::test]
async fn a_memory_with_another_logs_key_or_checkpoint_counts_for_no_log() {
    let world = three_logs().await;
    let (ours, theirs) = (world.memory(CALLS).unwrap(), world.memory(GLOBEX).unwrap());
    let wrong = [
        Watched { keys: theirs.keys.clone(), ..ours.clone() },
        Watched { keys: vec!["no key".to_owned()], ..ours.clone() },
        Watched { checkpoint: theirs.checkpoint.clone(), ..ours.clone() },
    ];
    for wrong in wrong {
        world.overwrite_memory(CALLS, &wrong);
        assert_partly(&world.run(Look::New).await, (1, 0), &format!("{wrong:?}"));
        assert_eq!(world.memory(CALLS), Some(wrong));
        assert_eq!((world.memory(AUDITS).unwrap().size, world.memory(GLOBEX).unwrap().size), (5, 5));
    }
}

#[tokio::test]
async fn a_log_that_cannot_be_remembered_stops_no_other() {
    for fault in [Fault::Throttled, Fault::Lost, Fault::PersistedButErrored] {
        let world = three_logs().await;
        world.faults.plan(world.faults.writes() + 1, fault);
        assert_partly(&world.run(Look::New).await, (0, 1), &format!("{fault:?}"));
        let sizes: Vec<u64> = [AUDITS, CALLS, GLOBEX].map(|log| world.memory(log).unwrap().size).into();
        let written = fault == Fault::PersistedButErrored;
        assert_eq!(sizes, [5, if written { 5 } else { 3 }, 5], "{fault:?}");
        assert!(world.run(Look::New).await.unwrap().holds, "{fault:?}");
        assert_eq!(world.memory(CALLS).unwrap().size, 5, "{fault:?}");
    }
}

#[tokio::test]
async fn another_runs_word_stands_and_is_no_error() {
    let world = three_logs().await;
    world.faults.plan(world.faults.writes(), Fault::Conflict);
    assert!(world.run(Look::New).await.unwrap().holds);
    assert_eq!((world.memory(AUDITS).unwrap().size, world.memory(CALLS).unwrap().size), (3, 5));
}

#[tokio::test]
async fn a_log_whose_name_ends_like_another_keeps_it_from_nothing() {
    let world = World::new();
    let big = "big-acme/interaction/1/0";
    for log in [CALLS, big] {
        world.append(log, 3).await;
    }
    world.run(Look::New).await.unwrap();
    world.append(CALLS, 2).await;
    let altered = world.append(big, 2).await;
    world.ledger.tamper(&altered, 20);
    for look in [Look::New, Look::Everything] {
        assert!(!world.run(look).await.unwrap().holds, "{look:?}");
        assert_eq!((world.memory(CALLS).unwrap().size, world.memory(big).unwrap().size), (5, 3), "{look:?}");
    }
}

#[tokio::test]
async fn the_ledgers_own_entries_do_not_hide_a_silent_source() {
    let world = World::new();
    world.append(CALLS, 5).await;
    world.run(Look::New).await.unwrap();
    let grew_at_ms = world.now_ms();
    for look in [Look::New, Look::Everything] {
        world.pass(QUIET_AFTER_MS);
        world.act(CALLS, ActKind::RetentionExtended, &[]).await;
        let found = world.run(look).await.unwrap();
        assert_eq!((found.holds, found.delivered, found.quiet), (true, 0, 1), "{look:?}");
        assert_eq!(world.memory(CALLS).unwrap().grew_at_ms, grew_at_ms, "{look:?}");
    }
    assert_eq!(world.memory(CALLS).unwrap().size, 7);
    world.append(CALLS, 3).await;
    world.act(CALLS, ActKind::RetentionExtended, &[]).await;
    let found = world.run(Look::New).await.unwrap();
    assert_eq!((found.delivered, found.quiet), (3, 0), "an act is no event");
    assert_eq!(world.memory(CALLS).unwrap().grew_at_ms, world.now_ms());
}

#[tokio::test]
async fn each_class_has_a_patience_of_its_own() {
    let mut world = World::new();
    world.quiet_hours = "72,entity=720,globex/interaction=24";
    for log in [AUDITS, CALLS, GLOBEX] {
        world.append(log, 3).await;
    }
    world.run(Look::New).await.unwrap();
    for (hours, quiet) in [(24, 0), (1, 1), (48, 2), (647, 2), (1, 3)] {
        world.pass(hours * HOUR_MS);
        assert_eq!(world.run(Look::New).await.unwrap().quiet, quiet, "after {hours} more");
    }
}

#[tokio::test]
async fn a_run_out_of_time_says_which_logs_it_left_and_the_next_begins_with_them() {
    let world = three_logs().await;
    let sizes = || [AUDITS, CALLS, GLOBEX].map(|log| world.memory(log).unwrap().size);
    let grow = async || {
        for log in [AUDITS, CALLS, GLOBEX] {
            world.append(log, 1).await;
        }
        world.pass(DAY_MS);
    };
    let (first_ms, reached) = (world.now_ms(), |log: &str| world.evidence.has_read(&format!("ledger/{log}/")));
    assert_partly(&world.run_up_to(Look::Everything, CALLS).await, (2, 0), "first");
    assert_eq!((sizes(), reached(GLOBEX)), ([5, 3, 3], false));
    let tried = |log: &str| world.memory(log).unwrap().tried_at_ms;
    assert_eq!((tried(AUDITS), tried(CALLS), tried(GLOBEX)), (None, Some(first_ms), None));
    grow().await;
    // What was not reached comes first, then what was cut off, then what was good last time.
    assert_partly(&world.run_up_to(Look::Everything, CALLS).await, (2, 0), "second");
    assert_eq!((sizes(), reached(AUDITS)), ([5, 3, 6], false));
    grow().await;
    assert_partly(&world.run_up_to(Look::Everything, CALLS).await, (2, 0), "third");
    assert_eq!((sizes(), reached(GLOBEX)), ([7, 3, 6], false));
    assert!(world.run(Look::Everything).await.unwrap().holds);
    assert_eq!(sizes(), [7, 7, 7]);
    assert_eq!(world.memory(CALLS).unwrap().whole_at_ms, Some(world.now_ms()));
}

#[tokio::test]
async fn a_run_out_of_time_keeps_what_it_found_good_of_logs_that_are_being_written() {
    let world = three_logs().await;
    // Committed after the listing: a row that no log of this run has.
    let log = LogId::parse(CALLS).unwrap();
    let newest = world.index.all_postings(&log).into_iter().max_by_key(|row| row.first).unwrap();
    let meanwhile = Posting { first: 5, segment: "committed meanwhile".to_owned(), ..newest };
    world.stores.postings.put(&[meanwhile]).await.unwrap();
    let sizes = || [AUDITS, CALLS, GLOBEX].map(|log| world.memory(log).unwrap().size);
    assert_partly(&world.run_up_to(Look::Everything, GLOBEX).await, (1, 0), "out of time");
    assert_eq!(sizes(), [5, 5, 3]);
}

#[tokio::test]
async fn a_wrong_row_is_the_matter_of_its_own_log_in_a_run_out_of_time_as_in_any_other() {
    let world = three_logs().await;
    let mut wrong = world.index.all_postings(&LogId::parse(AUDITS).unwrap()).remove(0);
    wrong.from = "2025-01-01T00:00:00.000Z".to_owned();
    let rows = world.index.items();
    world.stores.postings.put(&[wrong]).await.unwrap();
    assert_ne!(world.index.items(), rows);
    let sizes = || [AUDITS, CALLS, GLOBEX].map(|log| world.memory(log).unwrap().size);
    assert_partly(&world.run_up_to(Look::Everything, GLOBEX).await, (2, 0), "its row was not looked at");
    assert_eq!(sizes(), [3, 5, 3]);
    let found = world.run(Look::Everything).await.unwrap();
    assert_eq!((found.holds, found.findings, found.unchecked), (false, 1, 0));
    assert_eq!(sizes(), [3, 5, 5]);
}

#[tokio::test]
async fn a_run_that_has_no_time_at_all_judges_nothing() {
    let world = three_logs().await;
    let memory = [AUDITS, CALLS, GLOBEX].map(|log| world.memory(log));
    for look in [Look::New, Look::Everything] {
        assert!(matches!(world.run_for(look, 30_000, None).await, Err(VerifyError::Evidence(_))), "{look:?}");
    }
    assert_eq!([AUDITS, CALLS, GLOBEX].map(|log| world.memory(log)), memory);
    assert!(world.run_for(Look::New, 30_001, None).await.unwrap().holds);
}
