//! Complete interactions get one entry that says so, whatever fails, comes again or is lost; triggers lengthen locks.

use ledgerline_custody::acts::{Act, ActKind, Recorded, record_acts, record_of_log};
use ledgerline_lake::ObjectId;
use ledgerline_lake::keys::{PlanOf, staged};
use ledgerline_ledger::log::LogId;
use ledgerline_store::table::Value;
use ledgerline_store::{head, object_row};
use ledgerline_sweep::follow::state_key;
use ledgerline_testkit::table::value;

use crate::world::*;

const COMPLETED: &str = "INTERACTION_SEALED";
const CALL: [Event<'_>; 3] = [("c-1", "customer.start", 0), ("c-1", "user.start", 1), ("c-1", "customer.end", 2)];

fn log() -> LogId {
    LogId::parse(LOG).unwrap()
}

async fn complete_call(world: World) -> World {
    world.events("bronze/a", &CALL).await;
    world.append_all(true).await;
    world.run().await;
    world.pass(5 * MINUTE_MS);
    world
}

async fn assert_one_completion(world: &World, case: &str) {
    world.settle().await;
    world.pass(2 * DAY_MS);
    world.settle().await;
    let completions = world.entries_of(COMPLETED).await;
    assert_eq!(completions.len(), 1, "{case}");
    assert_eq!((number(&completions[0], "count"), number(&completions[0], "late")), (Some(3), None), "{case}");
    world.check().unwrap_or_else(|problems| panic!("{case}: {problems:?}"));
}

#[tokio::test]
async fn an_interaction_is_completed_after_five_quiet_minutes_and_never_again() {
    let world = World::new();
    world.events("bronze/a", &CALL).await;
    world.append_all(true).await;
    let summary = world.run().await;
    assert_eq!((summary.followed, summary.open, summary.completed, summary.failures), (1, 1, 0, 0));
    world.pass(5 * MINUTE_MS);
    assert_eq!(world.run().await.completed, 1);
    assert_one_completion(&world, "plain").await;
    let completion = &world.entries_of(COMPLETED).await[0];
    assert_eq!(completion.interaction_id.as_deref(), Some("c-1"));
    assert_eq!(completion.fields["completion"], "final");
    assert_eq!(completion.fields["firstOccurredAt"], "2026-03-02T13:00:00.000Z");
    assert_eq!(completion.fields["lastOccurredAt"], "2026-03-02T13:00:02.000Z");
}

#[tokio::test]
async fn every_write_of_a_completing_run_may_fail() {
    matrix(5, complete_call, |world, case| async move { assert_one_completion(&world, &case).await }).await;
}

#[tokio::test]
async fn two_sweeps_at_once_write_one_completion() {
    let world = complete_call(World::new()).await;
    let (one, two) = tokio::join!(world.run(), world.run());
    assert_eq!(one.failures + two.failures, 0);
    assert_one_completion(&world, "two at once").await;
}

#[tokio::test]
async fn state_that_is_lost_or_damaged_is_built_again() {
    for damage in [false, true] {
        let world = complete_call(World::new()).await;
        world.run().await;
        let key = state_key(&log());
        if damage {
            world.staged.damage(&key)
        } else {
            world.staged.lose(Some(&key))
        }
        // Before the completion is in the log, and after.
        world.run().await;
        world.append_all(true).await;
        if damage {
            world.staged.damage(&key)
        } else {
            world.staged.lose(Some(&key))
        }
        assert_one_completion(&world, "lost").await;
    }
}

#[tokio::test]
async fn an_interaction_that_falls_silent_is_completed_after_a_day() {
    let world = World::new();
    world.events("bronze/a", &CALL[..2]).await;
    world.append_all(true).await;
    world.run().await;
    world.pass(DAY_MS - 1);
    assert_eq!(world.run().await.completed, 0);
    world.pass(1);
    assert_eq!(world.run().await.completed, 1);
    world.settle().await;
    assert_eq!(world.entries_of(COMPLETED).await[0].fields["completion"], "silent");
}

#[tokio::test]
async fn what_comes_later_is_completed_again_and_counted_as_late() {
    let world = complete_call(World::new()).await;
    world.settle().await;
    world.events("bronze/b", &[("c-1", "acw", 9), ("c-1", "wrapup", 10)]).await;
    world.append_all(true).await;
    world.run().await;
    world.pass(5 * MINUTE_MS);
    world.settle().await;
    let completions = world.entries_of(COMPLETED).await;
    let said: Vec<_> = completions.iter().map(|entry| (number(entry, "count"), number(entry, "late"))).collect();
    assert_eq!(said, [(Some(3), None), (Some(5), Some(2))]);
    assert_ne!(completions[0].fields["digest"], completions[1].fields["digest"]);
}

#[tokio::test]
async fn an_orphan_beside_a_committed_segment_is_not_followed() {
    let world = World::new();
    world.orphan("bronze/lost", &[("c-9", "customer.end", 0)]).await;
    world.orphan("bronze/same-record", &[("c-1", "customer.end", 7)]).await;
    let world = complete_call(world).await;
    world.settle().await;
    let completed = world.entries_of(COMPLETED).await;
    assert_eq!(completed.len(), 1);
    assert_eq!((completed[0].interaction_id.as_deref(), number(&completed[0], "count")), (Some("c-1"), Some(3)));
}

#[tokio::test]
async fn a_segment_that_is_gone_is_told_and_what_was_reached_is_kept() {
    let world = complete_call(World::new()).await;
    world.events("bronze/b", &[("c-2", "customer.start", 0)]).await;
    world.append_all(true).await;
    world.ledger.erase(&world.segments()[&3].0.clone());
    let summary = world.run().await;
    // Tiles need it, too.
    assert_eq!((summary.failures, summary.followed, summary.completed), (2, 0, 1));
    assert_eq!(world.run().await.failures, 2, "and told again until somebody has looked");
}

#[tokio::test]
async fn a_trigger_lengthens_all_of_its_records_locks_and_says_so_once() {
    let world = World::new();
    world.events("bronze/a", &CALL[..1]).await;
    world.events("bronze/other", &[("c-2", "customer.start", 0)]).await;
    world.events("bronze/b", &[("c-1", "survey", 3)]).await;
    world.append_all(true).await;
    let summary = world.run().await;
    assert_eq!((summary.extended, summary.failures), (1, 0));
    let until_s = ((START_MS - HOUR_MS + 3_000) / 1000) as u64 + 400 * 86_400;
    let locks = |world: &World| -> Vec<bool> {
        world.segments().values().map(|(key, _)| world.lock_of(key).retain_until_s == until_s).collect()
    };
    assert_eq!(locks(&world), [true, false, true]);
    // What comes after it is kept as long, from the next completion on.
    world.events("bronze/c", &[("c-1", "customer.end", 9)]).await;
    world.append_all(true).await;
    world.run().await;
    world.pass(5 * MINUTE_MS);
    world.settle().await;
    let extended = world.entries_of("RETENTION_EXTENDED").await;
    assert_eq!(extended.len(), 1);
    assert_eq!(extended[0].fields["until"], "2027-04-06T13:00:03.000Z");
    assert_eq!(extended[0].fields["trigger"], "survey");
    let kept = world.segments().values().filter(|(key, _)| world.lock_of(key).retain_until_s == until_s).count();
    assert_eq!(kept, 4, "both segments before it, the extension's own, and the end's");
}

#[tokio::test]
async fn every_write_of_an_extension_may_fail() {
    let prepare = |world: World| async {
        world.events("bronze/a", &CALL[..1]).await;
        world.events("bronze/b", &[("c-1", "survey", 3)]).await;
        world.append_all(true).await;
        world
    };
    matrix(7, prepare, |world, case| async move {
        world.settle().await;
        assert_eq!(world.entries_of("RETENTION_EXTENDED").await.len(), 1, "{case}");
        let longest = world.start_until_days(400);
        assert!(world.segments().range(..2).all(|(_, (key, _))| world.lock_of(key).retain_until_s > longest), "{case}");
        world.check().unwrap_or_else(|problems| panic!("{case}: {problems:?}"));
    })
    .await;
}

/// Whoever records an act and fails anywhere calls again with the same purpose, perhaps with other words.
#[tokio::test]
async fn an_act_is_in_the_log_once_whatever_write_of_it_fails() {
    use ledgerline_testkit::faults::ALL_FAULTS;
    for fault in ALL_FAULTS {
        for nth in 0.. {
            let world = World::new();
            world.faults.plan(nth, fault);
            let stores = world.act_stores();
            let act = |occurred_at: &str| Act {
                log: log(),
                kind: ActKind::SigningKeyAdded,
                record: record_of_log(&log()),
                occurred_at: occurred_at.to_owned(),
                fields: [].into(),
                key_ids: Vec::new(),
            };
            let first = act("2026-03-02T14:00:00.000Z");
            let failed = record_acts(&stores, "key/2", &[first], "2026-03-02T14:00:00.000Z").await.is_err();
            if world.faults.struck() == 0 {
                assert_eq!(nth, 5, "row, note, plan, pointer, planned");
                break;
            }
            let again = act("2026-03-02T15:00:00.000Z");
            record_acts(&stores, "key/2", &[again], "2026-03-02T15:00:00.000Z").await.unwrap();
            world.append_all(true).await;
            assert!(failed, "{fault:?} at {nth}");
            assert_eq!(world.entries().await.len(), 1, "{fault:?} at {nth}");
            world.check().unwrap();
        }
    }
}

fn key_added() -> Act {
    let occurred_at = "2026-03-02T14:00:00.000Z".to_owned();
    let (kind, record) = (ActKind::SigningKeyAdded, record_of_log(&log()));
    Act { log: log(), kind, record, occurred_at, fields: [].into(), key_ids: Vec::new() }
}

/// Transform may write the rows of bronze objects, under an act's id, too: what it says there is not the act's.
#[tokio::test]
async fn an_act_is_recorded_whatever_the_row_of_a_bronze_object_with_its_id_says() {
    let world = World::new();
    let now = "2026-03-02T14:00:00.000Z";
    let object = ObjectId::of_act("key/2");
    let stores = world.act_stores();
    stores.rows.open(object, "bronze/x", now).await.unwrap();
    let forged = object_row::key(PlanOf::Bronze, object);
    world.control.change(&forged, |row| {
        let done = Value::Ns(vec!["0".to_owned()]);
        let says = [("status", value("planned")), ("chunks", value(1_u64)), ("done", done)];
        row.extend(says.map(|(name, value)| (name.to_owned(), value)));
    });
    assert_eq!(record_acts(&stores, "key/2", &[key_added()], now).await.unwrap(), Recorded::Now(object));
    assert_eq!(record_acts(&stores, "key/2", &[key_added()], now).await.unwrap(), Recorded::Before(object));
    world.append_all(true).await;
    assert_eq!(world.entries().await.len(), 1);
    world.control.tamper(|rows| rows.remove(&forged));
    world.check().unwrap();
}

/// Plans expire, and so do chunk markers. That an act is committed its row says for good.
#[tokio::test]
async fn an_act_is_in_the_log_once_when_its_plan_and_its_marker_are_gone() {
    let world = World::new();
    let now = "2026-03-02T14:00:00.000Z";
    let stores = world.act_stores();
    record_acts(&stores, "key/2", &[key_added()], now).await.unwrap();
    world.append_all(true).await;
    let object = ObjectId::of_act("key/2");
    world.staged.erase(&staged(PlanOf::Acts, object));
    world.control.tamper(|rows| rows.retain(|key, _| head::parse_marker_key(key).is_none()));
    world.pointers.lose_all();
    assert_eq!(record_acts(&stores, "key/2", &[key_added()], now).await.unwrap(), Recorded::Before(object));
    assert_eq!(world.staged.get(&staged(PlanOf::Acts, object)), None, "no second plan");
    assert!(world.pointers.messages().is_empty(), "no second pointer");
    assert_eq!(world.control.stored_head(&log()).unwrap().size, 1);
}

#[tokio::test]
async fn an_act_whose_plan_expired_when_a_part_of_it_was_committed_is_an_operators() {
    let world = World::new();
    let now = "2026-03-02T14:00:00.000Z";
    let stores = world.act_stores();
    let elsewhere = LogId::parse("acme/interaction/1/1").unwrap();
    let acts = [key_added(), Act { log: elsewhere, ..key_added() }];
    record_acts(&stores, "key/2", &acts, now).await.unwrap();
    world.append_all(true).await;
    let object = ObjectId::of_act("key/2");
    world.staged.erase(&staged(PlanOf::Acts, object));
    // One of its chunks is not.
    let done = Value::Ns(vec!["0".to_owned()]);
    world.control.change(&object_row::key(PlanOf::Acts, object), |row| drop(row.insert("done".to_owned(), done)));
    let refused = record_acts(&stores, "key/2", &acts, now).await.unwrap_err();
    assert!(refused.to_string().contains("only a part of it is committed"), "{refused}");
    assert_eq!(world.staged.get(&staged(PlanOf::Acts, object)), None);
}

/// Nothing is on its way any more: what the call says now is recorded.
#[tokio::test]
async fn an_act_whose_plan_expired_before_it_was_committed_is_planned_again() {
    let world = World::new();
    let now = "2026-03-02T14:00:00.000Z";
    let stores = world.act_stores();
    record_acts(&stores, "key/2", &[key_added()], now).await.unwrap();
    let object = ObjectId::of_act("key/2");
    assert_eq!(record_acts(&stores, "key/2", &[key_added()], now).await.unwrap(), Recorded::Before(object));
    world.pointers.lose_all();
    world.staged.erase(&staged(PlanOf::Acts, object));
    assert_eq!(record_acts(&stores, "key/2", &[key_added()], now).await.unwrap(), Recorded::Now(object));
    world.append_all(true).await;
    assert_eq!(world.entries().await.len(), 1);
    world.check().unwrap();
}
