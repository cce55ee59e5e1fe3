//! Scheduled runs over a ledger that the product's own code wrote into strict fakes: what they find, what they read, and what
//! they remember.

use crate::world::*;
use ledgerline_ledger::lock::LockMode;
use ledgerline_ledger::retention::{Classes, LockPolicy};
use ledgerline_store::watch::{self, Watched};
use ledgerline_testkit::faults::{Fault, Weather};
use ledgerline_verify::{Look, VerifyError};

const HOUR_MS: i64 = 3_600_000;

#[tokio::test]
async fn a_clean_ledger_holds_and_the_memory_moves() {
    let world = World::new();
    world.append(CALLS, 5).await;
    world.append(AUDITS, 2).await;
    let found = world.run(Look::New).await.unwrap();
    assert_eq!((found.holds, found.findings, found.logs), (true, 0, 2));
    assert_eq!((found.entries, found.delivered, found.quiet), (7, 7, 0));
    let memory = world.memory(CALLS).unwrap();
    assert_eq!((memory.size, memory.verified_at_ms, memory.grew_at_ms), (5, world.now_ms(), world.now_ms()));
    assert!(memory.checkpoint.unwrap().starts_with(&format!("trial/{CALLS}\n5\n")));
    let found = world.run(Look::Everything).await.unwrap();
    assert_eq!((found.holds, found.entries, found.delivered), (true, 7, 0));
}

#[tokio::test]
async fn no_log_yet_is_no_finding() {
    let world = World::new();
    let found = world.run(Look::Everything).await.unwrap();
    assert_eq!((found.holds, found.logs, found.entries), (true, 0, 0));
}

#[tokio::test]
async fn a_run_for_what_is_new_reads_no_old_segment_and_one_for_everything_reads_all() {
    let world = World::new();
    let old = world.append(CALLS, 5).await;
    world.run(Look::New).await.unwrap();
    let new = world.append(CALLS, 3).await;
    world.take_read();
    let found = world.run(Look::New).await.unwrap();
    assert_eq!((found.holds, found.entries, found.delivered), (true, 3, 3));
    let read = world.take_read();
    assert!(read.contains(&new) && !read.contains(&old), "{read:?}");
    assert_eq!(world.memory(CALLS).unwrap().size, 8);
    assert_eq!(world.run(Look::New).await.unwrap().entries, 0);
    world.take_read();
    assert_eq!(world.run(Look::Everything).await.unwrap().entries, 8);
    let read = world.take_read();
    assert!(read.contains(&new) && read.contains(&old), "{read:?}");
}

#[tokio::test]
async fn an_altered_segment_is_told_again_until_it_is_mended_and_stops_no_other_log() {
    let world = World::new();
    world.append(CALLS, 5).await;
    world.run(Look::New).await.unwrap();
    let altered = world.append(CALLS, 3).await;
    world.append(AUDITS, 2).await;
    world.ledger.tamper(&altered, 20);
    for _ in 0..2 {
        let found = world.run(Look::New).await.unwrap();
        assert!(!found.holds && found.findings > 0, "{found:?}");
        assert_eq!(world.memory(CALLS).unwrap().size, 5, "the memory stays before what is wrong");
        assert_eq!(world.memory(AUDITS).unwrap().size, 2, "the other log is good");
    }
    world.ledger.tamper(&altered, 20);
    assert!(world.run(Look::New).await.unwrap().holds);
    assert_eq!(world.memory(CALLS).unwrap().size, 8);
}

#[tokio::test]
async fn what_was_altered_long_ago_is_found_by_the_run_over_everything() {
    let world = World::new();
    let old = world.append(CALLS, 5).await;
    world.run(Look::New).await.unwrap();
    world.append(CALLS, 3).await;
    world.ledger.tamper(&old, 20);
    assert!(world.run(Look::New).await.unwrap().holds, "it reads what is new");
    let memory = world.evidence_memory(CALLS);
    assert!(!world.run(Look::Everything).await.unwrap().holds);
    assert_eq!(world.evidence_memory(CALLS), memory);
}

#[tokio::test]
async fn a_head_that_was_rolled_back_is_found_by_either_run() {
    let world = World::new();
    world.append(CALLS, 5).await;
    let yesterday = world.control.rows();
    world.append(CALLS, 3).await;
    world.run(Look::New).await.unwrap();
    let memory = world.evidence_memory(CALLS);
    // The memory is of this morning.
    world.control.tamper(|rows| {
        rows.retain(|key, _| watch::parse_key(key).is_some());
        rows.extend(yesterday);
    });
    // A checkpoint of this very hour may have been signed after the head was read.
    world.pass(2 * HOUR_MS);
    for look in [Look::New, Look::Everything] {
        let found = world.run(look).await.unwrap();
        assert!(!found.holds, "{look:?}: {found:?}");
        assert_eq!(world.evidence_memory(CALLS), memory, "{look:?}");
    }
}

#[tokio::test]
async fn a_remembered_log_of_which_nothing_is_left_is_missed() {
    for signed in [true, false] {
        let world = World::new();
        for log in [CALLS, AUDITS] {
            world.append(log, 5).await;
        }
        world.run(Look::New).await.unwrap();
        let memory = world.memory(CALLS).unwrap();
        let checkpoint = memory.checkpoint.clone().filter(|_| signed);
        world.overwrite_memory(CALLS, &Watched { checkpoint, ..memory });
        let memory = world.evidence_memory(CALLS);
        world.vanish(CALLS);
        world.pass(2 * HOUR_MS);
        for look in [Look::New, Look::Everything, Look::New] {
            let found = world.run(look).await.unwrap();
            assert!(!found.holds && found.findings > 0, "signed {signed}, {look:?}: {found:?}");
            assert!(signed || found.findings == 1, "{look:?}: {found:?}");
            assert_eq!(world.evidence_memory(CALLS), memory, "signed {signed}, {look:?}");
            assert_eq!(world.memory(AUDITS).unwrap().verified_at_ms, world.now_ms(), "the other log is good");
        }
    }
}

#[tokio::test]
async fn a_posting_that_is_gone_is_found_by_the_run_over_everything() {
    let world = World::new();
    world.append(CALLS, 5).await;
    world.index.tamper(|rows| rows.pop_first());
    assert!(world.run(Look::New).await.unwrap().holds, "postings are not part of it");
    assert!(!world.run(Look::Everything).await.unwrap().holds);
}

#[tokio::test]
async fn a_lock_shorter_than_its_class_asks_for_is_found_until_its_time_is_over() {
    let mut world = World::new();
    for log in [CALLS, AUDITS] {
        world.append(log, 5).await;
    }
    assert!(world.run(Look::Everything).await.unwrap().holds);
    // The policy asks for more than what was written was locked for.
    world.locks.classes = Classes::parse("entity=40", 30).unwrap();
    let found = world.run(Look::Everything).await.unwrap();
    assert_eq!((found.holds, found.findings), (false, 2), "a segment and a checkpoint of one class: {found:?}");
    assert!(world.run(Look::New).await.unwrap().holds, "locks are not part of it");
    world.pass(41 * 24 * HOUR_MS);
    assert!(world.run(Look::Everything).await.unwrap().holds, "forty days are over");
    world.locks = LockPolicy::uniform(LockMode::Compliance, 45);
    assert_eq!(world.run(Look::Everything).await.unwrap().findings, 4);
}

#[tokio::test]
async fn silence_is_told_from_too_much_of_it() {
    let world = World::new();
    world.append(CALLS, 5).await;
    world.run(Look::New).await.unwrap();
    let grew_at_ms = world.now_ms();
    world.pass(QUIET_AFTER_MS);
    let found = world.run(Look::New).await.unwrap();
    assert_eq!((found.holds, found.delivered, found.quiet), (true, 0, 0));
    world.pass(HOUR_MS);
    world.append(AUDITS, 2).await;
    let found = world.run(Look::New).await.unwrap();
    assert_eq!((found.holds, found.delivered, found.quiet), (true, 2, 1), "a silence is no finding");
    assert_eq!(world.memory(CALLS).unwrap().grew_at_ms, grew_at_ms);
    world.append(CALLS, 1).await;
    let found = world.run(Look::New).await.unwrap();
    assert_eq!((found.delivered, found.quiet), (1, 0));
}

#[tokio::test]
async fn two_runs_at_once_say_the_same_and_remember_once() {
    let world = World::new();
    world.append(CALLS, 5).await;
    let (one, other) = tokio::join!(world.run(Look::New), world.run(Look::Everything));
    let (one, other) = (one.unwrap(), other.unwrap());
    assert!(one.holds && other.holds);
    assert_eq!((one.delivered, other.delivered), (5, 5));
    assert_eq!(world.memory(CALLS).unwrap().size, 5);
}

#[tokio::test]
async fn a_store_that_does_not_answer_is_an_error_and_no_finding() {
    let world = World::new();
    world.append(CALLS, 5).await;
    world.run(Look::New).await.unwrap();
    let memory = world.memory(CALLS);
    world.append(CALLS, 3).await;
    world.evidence.set_available(false);
    for look in [Look::New, Look::Everything] {
        assert!(matches!(world.run(look).await, Err(VerifyError::Evidence(_))), "{look:?}");
    }
    world.evidence.set_available(true);
    world.faults.set_weather(Weather { unread: 1_000, ..Weather::default() });
    assert!(matches!(world.run(Look::New).await, Err(VerifyError::Partly { unchecked: 1, forgotten: 0 })));
    world.faults.set_weather(Weather::default());
    assert_eq!(world.memory(CALLS), memory);
    assert!(world.run(Look::New).await.unwrap().holds);
}

#[tokio::test]
async fn a_memory_that_was_not_written_is_an_error_and_the_next_run_repeats_it() {
    for fault in [Fault::Lost, Fault::PersistedButErrored] {
        let world = World::new();
        world.append(CALLS, 5).await;
        world.faults.plan(world.faults.writes(), fault);
        let run = world.run(Look::New).await;
        assert!(matches!(run, Err(VerifyError::Partly { unchecked: 0, forgotten: 1 })), "{fault:?}: {run:?}");
        assert_eq!(world.faults.struck(), 1, "{fault:?}");
        let found = world.run(Look::New).await.unwrap();
        assert!(found.holds, "{fault:?}");
        assert_eq!(world.memory(CALLS).unwrap().size, 5, "{fault:?}");
    }
}

#[tokio::test]
async fn a_key_that_an_entry_announced_is_remembered_and_counts_for_what_it_signs() {
    let mut world = World::new();
    let (old, new) = (world.vkey(CALLS, 7), world.vkey(CALLS, 8));
    world.append(CALLS, 5).await;
    assert!(world.run(Look::New).await.unwrap().holds);
    assert_eq!(world.memory(CALLS).unwrap().keys, std::slice::from_ref(&old));
    world.announce(CALLS, 8).await;
    assert!(world.run(Look::New).await.unwrap().holds);
    assert_eq!(world.memory(CALLS).unwrap().keys, [old.clone(), new.clone()]);
    world.deploy_key(8);
    world.append(CALLS, 3).await;
    for look in [Look::New, Look::Everything] {
        assert!(world.run(look).await.unwrap().holds, "{look:?}");
        assert_eq!(world.memory(CALLS).unwrap().keys, [old.clone(), new.clone()], "{look:?}");
    }
    assert_eq!(world.memory(CALLS).unwrap().size, 9);
}

#[tokio::test]
async fn a_rotation_between_two_runs_is_followed() {
    let mut world = World::new();
    world.append(CALLS, 5).await;
    world.run(Look::New).await.unwrap();
    world.announce(CALLS, 8).await;
    world.deploy_key(8);
    world.append(CALLS, 3).await;
    assert!(world.run(Look::New).await.unwrap().holds);
    assert_eq!(world.memory(CALLS).unwrap().size, 9);
}

#[tokio::test]
async fn a_log_that_is_first_seen_after_a_rotation_is_verified_from_the_first_key_on() {
    let mut world = World::new();
    world.append(CALLS, 5).await;
    world.announce(CALLS, 8).await;
    world.deploy_key(8);
    world.append(CALLS, 3).await;
    assert!(world.run(Look::New).await.unwrap().holds);
    assert_eq!(world.memory(CALLS).unwrap().keys, [world.vkey(CALLS, 7), world.vkey(CALLS, 8)]);
}

#[tokio::test]
async fn a_key_that_is_deployed_but_was_never_announced_does_not_count() {
    let mut world = World::new();
    world.append(CALLS, 5).await;
    world.run(Look::New).await.unwrap();
    let memory = world.evidence_memory(CALLS);
    world.smuggle_key(CALLS, 8).await;
    world.deploy_key(8);
    world.append(CALLS, 3).await;
    for look in [Look::New, Look::Everything] {
        assert!(!world.run(look).await.unwrap().holds, "{look:?}");
        assert_eq!(world.evidence_memory(CALLS), memory, "{look:?}");
    }
}

#[tokio::test]
async fn a_retired_key_does_not_count_again() {
    let mut world = World::new();
    world.append(CALLS, 5).await;
    assert!(world.run(Look::New).await.unwrap().holds);
    world.announce(CALLS, 8).await;
    world.deploy_key(8);
    world.append(CALLS, 3).await;
    assert!(world.run(Look::New).await.unwrap().holds);
    let memory = world.evidence_memory(CALLS);
    world.smuggle_key(CALLS, 7).await;
    world.deploy_key(7);
    world.append(CALLS, 2).await;
    for look in [Look::New, Look::Everything] {
        assert!(!world.run(look).await.unwrap().holds, "{look:?}");
        assert_eq!(world.evidence_memory(CALLS), memory, "{look:?}");
    }
}
