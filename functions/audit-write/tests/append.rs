//! Flows of the append: order, redelivery, poison, partial failures, halts.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use crate::world::doubles::{Rivalled, Silent};
use crate::world::*;
use aws_lambda_events::sqs::SqsEvent;
use ledgerline_audit_write::{Stores, handle};
use ledgerline_custody::acts::ActKind;
use ledgerline_lake::keys::PlanOf;
use ledgerline_lake::plan::Pointer;
use ledgerline_lambda::clock::{Clock, FixedClock};
use ledgerline_ledger::log::LogId;
use ledgerline_ledger::member;
use ledgerline_ledger::segment::SegmentName;
use ledgerline_store::ledger::LedgerStores;
use ledgerline_store::plan::Plans;
use ledgerline_store::table::Table;
use ledgerline_store::{act_note, head, object_row};
use ledgerline_testkit::faults::{Fault, Faults};
use ledgerline_testkit::table::value;
use serde_json::json;

#[tokio::test(start_paused = true)]
async fn chunks_are_committed_in_the_order_of_their_messages() {
    let world = World::new(&Faults::none());
    let (first, second) = (world.plan(LOG, "b", 300), world.plan(LOG, "a", 7));
    let pointers = [first, second].concat();
    assert_eq!(pointers.len(), 3);
    let answer = world.run(LONG, &messages(&pointers)).await;
    assert!(returned(&answer).is_empty());
    let found = world.check().unwrap();
    assert_eq!((found.entries, found.segments, found.chunks), (307, 1, 3));
    assert_eq!((found.open_chunks, found.orphans), (0, 0));
    let objects: Vec<String> = world.lines(LOG).iter().map(|line| object_of(line)).collect();
    assert_eq!(objects[0], pointers[0].object.to_string());
    assert_eq!(objects[306], pointers[2].object.to_string());
}

#[tokio::test(start_paused = true)]
async fn one_batch_of_several_logs_appends_to_each() {
    let world = World::new(&Faults::none());
    let entity = "acme/entity/1/0";
    let pointers = [world.plan(LOG, "a", 3), world.plan(entity, "b", 4), world.plan(LOG, "c", 5)].concat();
    world.run(LONG, &messages(&pointers)).await;
    let found = world.check().unwrap();
    assert_eq!((found.entries, found.segments, found.chunks), (12, 2, 3));
    assert_eq!((world.lines(LOG).len(), world.lines(entity).len()), (8, 4));
}

#[tokio::test(start_paused = true)]
async fn everything_of_a_log_is_locked_for_its_class() {
    let world = World::new(&Faults::none());
    let entity = "acme/entity/1/0";
    world.run(LONG, &messages(&[world.plan(LOG, "a", 300), world.plan(entity, "b", 300)].concat())).await;
    for (log, days) in [(LOG, RETENTION_DAYS), (entity, ENTITY_DAYS)] {
        let mut locked = Vec::new();
        for (key, versions) in world.ledger.all() {
            let Some(rest) = key.strip_prefix(&format!("ledger/{log}/")) else { continue };
            if let Some(lock) = versions[0].lock {
                let (days_s, hour_s) = (days * 86_400, 3_600);
                assert_eq!(lock.retain_until_s, NOW_MS as u64 / 1000 + days_s + hour_s, "{key}");
                locked.push(rest.split('/').next().unwrap().to_owned());
            }
        }
        assert_eq!(locked, ["checkpoints", "segment", "tile"], "{log}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_same_batch_three_times_changes_nothing_more() {
    let faults = Faults::none();
    let world = World::new(&faults);
    let batch = messages(&world.plan(LOG, "a", 300));
    world.run(LONG, &batch).await;
    let writes = faults.writes();
    for _ in 0..2 {
        assert!(returned(&world.run(LONG, &batch).await).is_empty());
    }
    assert_eq!(faults.writes(), writes, "a redelivery writes nothing");
    assert_eq!(world.check().unwrap().entries, 300);
}

#[tokio::test(start_paused = true)]
async fn the_same_pointer_twice_in_a_batch_is_committed_once() {
    let world = World::new(&Faults::none());
    let pointers = world.plan(LOG, "a", 9);
    let mut again = message(&pointers[0]);
    again.message_id = Some("another".to_owned());
    assert!(returned(&world.run(LONG, &[message(&pointers[0]), again]).await).is_empty());
    assert_eq!(world.check().unwrap().entries, 9);
}

#[tokio::test(start_paused = true)]
async fn more_chunks_than_one_transaction_holds_become_several_segments() {
    let world = World::new(&Faults::none());
    let pointers: Vec<Pointer> = (0..103).flat_map(|n| world.plan(LOG, &format!("o{n}"), 2)).collect();
    assert!(returned(&world.run(LONG, &messages(&pointers)).await).is_empty());
    let found = world.check().unwrap();
    assert_eq!((found.entries, found.segments, found.chunks), (206, 2, 103));
}

#[tokio::test(start_paused = true)]
async fn a_retry_returns_its_message_and_all_after_it_of_its_group() {
    let world = World::new(&Faults::none());
    let entity = "acme/entity/1/0";
    let (a, b, c) = (world.plan(LOG, "a", 2), world.plan(LOG, "b", 2), world.plan(LOG, "c", 2));
    let other = world.plan(entity, "d", 2);
    let batch = messages(&[a, b.clone(), other, c.clone()].concat());
    let silent = Silent { inner: world.staged.port(), about: b[0].plan.clone() };
    let stores = Stores { plans: Plans::new(Arc::new(silent)), ..world.stores.clone() };
    let clock = Ticking(AtomicI64::new(NOW_MS));
    let answer = handle(&stores, &config(), &world.memory, &clock, NOW_MS + 60_000, event(&batch)).await;
    let back = [b[0].deduplication_id(), c[0].deduplication_id()];
    assert_eq!(returned(&answer), back);
    assert_eq!(world.released(), back.each_ref().map(|id| format!("handle of {id}")));
    let found = world.check().unwrap();
    assert_eq!((found.entries, found.open_chunks), (4, 2), "what came before, and the other group, are committed");

    // The redelivery, in a healthy world.
    assert!(returned(&world.run(LONG, &messages(&[b.clone(), c.clone()].concat())).await).is_empty());
    let objects: Vec<String> = world.lines(LOG).iter().map(|line| object_of(line)).collect();
    assert_eq!((&objects[2], &objects[4]), (&b[0].object.to_string(), &c[0].object.to_string()));
    assert_eq!(world.check().unwrap().open_chunks, 0);
}

/// A clock on which each look takes a second.
struct Ticking(AtomicI64);

impl Clock for Ticking {
    fn now_ms(&self) -> i64 {
        self.0.fetch_add(1_000, Ordering::Relaxed)
    }
}

#[tokio::test(start_paused = true)]
async fn poison_is_kept_with_its_reason_and_the_group_goes_on() {
    let world = World::new(&Faults::none());
    let good = world.plan(LOG, "good", 4);
    let chunk = world.staged.get(&good[0].plan).unwrap().slice(good[0].offset as usize..);
    let text = member::unpack(&chunk, member::MAX_TEXT_BYTES).unwrap().0;

    // A pointer at a plan that consists of these bytes alone.
    let bad = |name: &str, bytes: Vec<u8>, count: u32| {
        let mut pointer = world.plan(LOG, name, 1).remove(0);
        (pointer.offset, pointer.length, pointer.count) = (0, bytes.len() as u64, count);
        world.staged.seed(&pointer.plan, bytes);
        pointer
    };
    let object_of_bad = |name: &str| ledgerline_lake::ObjectId::of("bronze", name).to_string();
    let own = |name: &str| text.replace(&good[0].object.to_string(), &object_of_bad(name));
    let mut corrupt = member::pack(own("corrupt").as_bytes());
    let middle = corrupt.len() / 2;
    corrupt[middle] ^= 0x55;
    let loose = own("loose").replacen("\"v\":1", "\"v\": 1", 1);
    let foreign = own("foreign").replace("\"org\":\"acme\"", "\"org\":\"acmf\"");
    let mut beyond = world.plan(LOG, "beyond", 2).remove(0);
    beyond.offset += 1_000_000;
    let missing = world.plan(LOG, "missing", 2).remove(0);
    world.staged.erase(&missing.plan);
    let mut pointers = vec![
        (bad("corrupt", corrupt, 4), "chunk_not_gzip"),
        (bad("loose", member::pack(loose.as_bytes()), 4), "line_not_canonical"),
        (bad("foreign", member::pack(foreign.as_bytes()), 4), "chunk_of_another_log"),
        (bad("other", member::pack(text.as_bytes()), 4), "chunk_of_another_object"),
        (bad("count", member::pack(own("count").as_bytes()), 5), "chunk_wrong_count"),
        (bad("cut", member::pack(own("cut").trim_end().as_bytes()), 4), "chunk_not_lines"),
        // As sound as any, but for the ids: they are those of the lines of another object.
        (bad("moved", member::pack(own("moved").as_bytes()), 4), "event_id_of_another_place"),
        (beyond, "chunk_out_of_range"),
        (missing, "plan_missing"),
    ];
    let mut batch: Vec<_> = pointers.iter().map(|(pointer, _)| message(pointer)).collect();
    batch.push(raw_message("garbage", LOG, "{\"phone\":\"+15550100\"}"));
    batch.push(raw_message("stray", "acme/entity/1/0", &good[0].to_body().unwrap()));
    batch.push(raw_message("no-log", "somewhere", "x"));
    batch.push(message(&good[0]));

    assert!(returned(&world.run(LONG, &batch).await).is_empty());
    assert_eq!(world.lines(LOG).len(), 4);
    let kept = world.poison();
    assert_eq!(kept.len(), pointers.len() + 3);
    for (pointer, reason) in pointers.drain(..) {
        let note = &kept[&pointer.deduplication_id()];
        assert_eq!(
            (note["reason"].as_str().unwrap(), note["pointer"]["plan"].as_str().unwrap()),
            (reason, pointer.plan.as_str())
        );
        assert_eq!(world.control.poisoned(&pointer.object.to_string()), u64::from(pointer.count), "{reason}");
    }
    assert_eq!(kept["garbage"]["reason"], "not_a_pointer");
    assert_eq!(kept["stray"]["reason"], "pointer_of_another_group");
    assert_eq!(kept["no-log"]["reason"], "not_a_pointer");
    assert!(!kept["garbage"].to_string().contains("5550100"), "no content is kept");
}

/// Transform says what sources sent, sweep and the operator what the ledger did; where a plan lies tells whose it is.
#[tokio::test(start_paused = true)]
async fn an_act_from_a_source_and_a_source_event_from_an_act_are_kept_as_poison_and_the_group_goes_on() {
    let world = World::new(&Faults::none());
    let mut refused = Vec::new();
    // Those of later versions, too.
    for kind in ActKind::ALL.map(ActKind::name).into_iter().chain(["LATER_ACT", "X"]) {
        let forged = world.plan_of_types(&format!("bronze/{kind}"), &["acw", kind, "acw"]);
        assert!(forged[0].plan.starts_with("staged/") && !forged[0].plan.starts_with("staged/acts/"));
        refused.extend(forged.into_iter().map(|pointer| (pointer, "act_from_a_source")));
    }
    for (key, types) in [("act/a", ["HOLD_PLACED", "acw"]), ("act/b", ["acw", "acw"])] {
        let stray = world.plan_of_types(key, &types);
        assert!(stray[0].plan.starts_with("staged/acts/"));
        refused.extend(stray.into_iter().map(|pointer| (pointer, "source_event_from_an_act")));
    }
    // Among them, one after each, what is as it should be.
    let mut batch = Vec::new();
    for (at, (pointer, _)) in refused.iter().enumerate() {
        batch.push(message(pointer));
        batch.extend(messages(&world.plan(LOG, &format!("bronze/good-{at}"), 2)));
    }
    batch.extend(messages(&world.plan_of_types("act/good", &ActKind::ALL.map(ActKind::name))));
    assert!(returned(&world.run(LONG, &batch).await).is_empty());

    let committed = 2 * refused.len() + ActKind::ALL.len();
    assert_eq!(world.lines(LOG).len(), committed, "nothing of a refused chunk is committed");
    let found = world.check().unwrap();
    assert_eq!((found.entries, found.open_chunks), (committed as u64, refused.len()));
    let kept = world.poison();
    assert_eq!(kept.len(), refused.len());
    for (pointer, reason) in refused {
        let note = &kept[&pointer.deduplication_id()];
        assert_eq!((&note["reason"], &note["pointer"]["plan"]), (&json!(reason), &json!(pointer.plan)));
        let row = world.control.progress(pointer.plan_of().unwrap(), &pointer.object.to_string());
        assert_eq!((row.poisoned, row.committed), ([(0, u64::from(pointer.count))].into(), 0), "{reason}");
    }
}

/// Transform may put a plan under any id, an act's too. Whatever becomes of it, and whichever comes first, the act is committed.
#[tokio::test(start_paused = true)]
async fn nothing_under_an_acts_id_but_the_act_takes_its_place() {
    let act = act_note::object_of("act/hold/1").unwrap();
    for types in [&["acw", "acw"][..], &["HOLD_PLACED"]] {
        for act_is_first in [false, true] {
            let world = World::new(&Faults::none());
            let forged = messages(&world.plan_under(act, "bronze/x", types));
            let genuine = messages(&world.plan_under(act, "act/hold/1", &["HOLD_PLACED"]));
            let (first, second) = if act_is_first { (&genuine, &forged) } else { (&forged, &genuine) };
            for batch in [first, second, first, second] {
                assert!(returned(&world.run(LONG, batch).await).is_empty());
            }
            let found = world.check().unwrap();
            let events = types.len() as u64 * u64::from(types[0] == "acw");
            assert_eq!((found.entries, found.open_chunks), (1 + events, usize::from(events == 0)), "{types:?}");
            let row = world.control.progress(PlanOf::Acts, &act.to_string());
            assert_eq!((row.committed, row.done, row.poisoned), (1, [0].into(), [].into()));
            assert_eq!(world.control.counted(&act.to_string()).0, events);
        }
    }
}

/// Transform may write to the queue. What it says of an act's plan counts only as far as the plan says the same.
#[tokio::test(start_paused = true)]
async fn a_pointer_that_an_acts_plan_does_not_give_is_kept_and_marks_nothing() {
    const ELSEWHERE: &str = "acme/interaction/1/1";
    let world = World::new(&Faults::none());
    let given = world.plan_of_types("act/two-chunks", &["HOLD_PLACED"; 300]);
    let [first, second] = given.as_slice() else { panic!("two chunks") };
    let garbage = world.plan_of_types("act/garbage", &["HOLD_PLACED"]).remove(0);
    world.staged.tamper(&garbage.plan, 0);
    let to_come = world.plan_of_types("act/to-come", &["HOLD_PLACED"]).remove(0);
    let to_come_plan = world.staged.get(&to_come.plan).unwrap();
    world.staged.erase(&to_come.plan);
    let stray = world.plan_of_types("act/in-the-place-of-another", &["HOLD_PLACED"]).remove(0);
    world.staged.seed(&stray.plan, world.staged.get(&first.plan).unwrap());
    let forged = [
        Pointer { ordinal: 2, ..first.clone() },
        Pointer { ordinal: 1, ..first.clone() },
        Pointer { ordinal: 0, ..second.clone() },
        Pointer { log: ELSEWHERE.to_owned(), ..first.clone() },
        Pointer { offset: first.offset + 1, ..first.clone() },
        Pointer { offset: 0, ..first.clone() },
        Pointer { length: first.length - 1, ..first.clone() },
        Pointer { count: first.count - 1, ..first.clone() },
    ];
    let mut batch: Vec<_> = (0..)
        .zip(&forged)
        .map(|(at, pointer)| raw_message(&format!("forged-{at}"), &pointer.log, &pointer.to_body().unwrap()))
        .collect();
    batch.extend(messages(&[garbage.clone(), stray.clone(), to_come.clone()]));

    assert!(returned(&world.run(LONG, &batch).await).is_empty());
    let kept = world.poison();
    let reason = |id: &str| kept[id]["reason"].as_str().unwrap().to_owned();
    for (at, pointer) in forged.iter().enumerate() {
        assert_eq!(reason(&format!("forged-{at}")), "pointer_not_of_its_plan", "{pointer:?}");
    }
    for (pointer, expected) in
        [(&garbage, "pointer_not_of_its_plan"), (&stray, "pointer_not_of_its_plan"), (&to_come, "plan_missing")]
    {
        assert_eq!(reason(&pointer.deduplication_id()), expected);
    }
    assert_eq!(kept.len(), batch.len());
    assert_eq!((world.lines(LOG).len(), world.lines(ELSEWHERE).len()), (0, 0));
    assert_eq!(world.control.objects(), [], "no row says that a chunk is poison");

    // What the plan gives is committed once, whatever was said of it before, and said again afterwards.
    world.staged.seed(&to_come.plan, to_come_plan);
    world.staged.erase(&garbage.plan);
    world.staged.erase(&stray.plan);
    let genuine = [messages(&given), messages(&[to_come])].concat();
    assert!(returned(&world.run(LONG, &genuine).await).is_empty());
    assert!(returned(&world.run(LONG, &batch[..forged.len()]).await).is_empty());
    assert_eq!((world.lines(LOG).len(), world.lines(ELSEWHERE).len()), (301, 0));
    assert_eq!(world.check().unwrap().open_chunks, 0);
}

#[tokio::test(start_paused = true)]
async fn an_acts_plan_that_cannot_be_read_now_is_read_later() {
    let world = World::new(&Faults::none());
    let act = world.plan_of_types("act/a", &["HOLD_PLACED"]);
    let silent = Silent { inner: world.staged.port(), about: act[0].plan.clone() };
    let stores = Stores { plans: Plans::new(Arc::new(silent)), ..world.stores.clone() };
    let clock = Ticking(AtomicI64::new(NOW_MS));
    let answer = handle(&stores, &config(), &world.memory, &clock, NOW_MS + 60_000, event(&messages(&act))).await;
    assert_eq!(returned(&answer).len(), 1);
    assert!(world.poison().is_empty());
    world.run(LONG, &messages(&act)).await;
    assert_eq!(world.check().unwrap().entries, 1);
}

/// What the plan gives and is no good all the same is poison as ever: it is not sent again.
#[tokio::test(start_paused = true)]
async fn an_acts_chunk_that_is_damaged_is_marked_as_poison() {
    let world = World::new(&Faults::none());
    let act = world.plan_of_types("act/a", &["HOLD_PLACED"]).remove(0);
    world.staged.tamper(&act.plan, act.offset as usize);
    assert!(returned(&world.run(LONG, &[message(&act)]).await).is_empty());
    assert_eq!(world.poison()[&act.deduplication_id()]["reason"], "chunk_not_gzip");
    assert_eq!(world.control.progress(PlanOf::Acts, &act.object.to_string()).poisoned, [(0, 1)].into());
}

#[tokio::test(start_paused = true)]
async fn poison_that_could_not_be_kept_is_not_acknowledged() {
    for fault in [Fault::Lost, Fault::PersistedButErrored] {
        let world = World::new(&Faults::at(0, fault));
        let batch = [raw_message("garbage", LOG, "x")];
        assert_eq!(returned(&world.run(ONE_ATTEMPT, &batch).await), ["garbage"]);
        assert!(returned(&world.run(ONE_ATTEMPT, &batch).await).is_empty());
        assert_eq!(world.poison().len(), 1);
    }
}

/// Write 0 is the note, write 1 the mark in the object's row.
#[tokio::test(start_paused = true)]
async fn poison_that_could_not_be_marked_is_not_acknowledged() {
    for fault in [Fault::Lost, Fault::PersistedButErrored] {
        let world = World::new(&Faults::at(1, fault));
        let missing = world.plan(LOG, "missing", 2).remove(0);
        world.staged.erase(&missing.plan);
        assert_eq!(returned(&world.run(ONE_ATTEMPT, &[message(&missing)]).await).len(), 1);
        assert!(returned(&world.run(ONE_ATTEMPT, &[message(&missing)]).await).is_empty());
        assert_eq!(world.control.poisoned(&missing.object.to_string()), 2);
    }
}

#[tokio::test(start_paused = true)]
async fn poison_that_is_repaired_counts_as_committed() {
    let world = World::new(&Faults::none());
    let pointer = world.plan(LOG, "a", 2).remove(0);
    let plan = world.staged.get(&pointer.plan).unwrap();
    world.staged.erase(&pointer.plan);
    world.run(LONG, &[message(&pointer)]).await;
    let object = pointer.object.to_string();
    assert_eq!((world.control.poisoned(&object), world.control.counted(&object).0), (2, 0));
    world.staged.seed(&pointer.plan, plan);
    world.run(LONG, &[message(&pointer)]).await;
    assert_eq!((world.control.poisoned(&object), world.control.counted(&object).0), (0, 2));
}

#[tokio::test(start_paused = true)]
async fn an_unknown_commit_outcome_is_settled_by_the_markers() {
    for fault in [Fault::Lost, Fault::PersistedButErrored] {
        // Write 0 is the segment, write 1 the transaction.
        let faults = Faults::at(1, fault);
        let world = World::new(&faults);
        let batch = messages(&world.plan(LOG, "a", 20));
        assert!(returned(&world.run(LONG, &batch).await).is_empty());
        let commits = faults.log().iter().filter(|write| *write == "dynamodb:TransactWriteItems").count();
        assert_eq!(commits, if fault == Fault::Lost { 2 } else { 1 });
        let found = world.check().unwrap();
        assert_eq!((found.entries, found.segments, found.orphans), (20, 1, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn a_crash_after_the_commit_is_repaired_by_the_logs_next_message() {
    let faults = Faults::at(2, Fault::Lost);
    let world = World::new(&faults);
    let (a, b) = (world.plan(LOG, "a", 20), world.plan(LOG, "b", 3));
    assert_eq!(returned(&world.run(ONE_ATTEMPT, &messages(&a)).await).len(), 1);
    assert!(world.check().is_err(), "committed, but neither indexed nor counted");
    world.run(LONG, &messages(&b)).await;
    assert_eq!(world.check().unwrap().entries, 23);
}

#[tokio::test(start_paused = true)]
async fn a_message_committed_by_a_writer_that_died_is_not_acknowledged_before_it_is_indexed() {
    let world = Arc::new(World::new(&Faults::at(2, Fault::Lost)));
    let batch = messages(&world.plan(LOG, "a", 20));
    let rivalled = Rivalled { world: Arc::clone(&world), batch: batch.clone(), met: AtomicBool::new(false) };
    let control: Arc<dyn Table> = Arc::new(rivalled);
    let ledger = LedgerStores::new(&control, &world.index.port(), &world.ledger.port());
    let stores = Stores { ledger, ..world.stores.clone() };
    let answer = handle(&stores, &config(), &world.memory, &FixedClock(NOW_MS), NOW_MS + LONG, event(&batch)).await;
    assert!(returned(&answer).is_empty());
    assert_eq!(world.check().unwrap().entries, 20);
}

#[tokio::test(start_paused = true)]
async fn poison_that_could_not_be_kept_holds_back_what_comes_after_it() {
    let world = World::new(&Faults::at(0, Fault::Lost));
    let (a, b, c) = (world.plan(LOG, "a", 2), world.plan(LOG, "b", 2), world.plan(LOG, "c", 2));
    world.staged.erase(&b[0].plan);
    let answer = world.run(ONE_ATTEMPT, &messages(&[a, b, c].concat())).await;
    assert!(returned(&answer).is_empty());
    let found = world.check().unwrap();
    assert_eq!((found.entries, found.segments), (4, 2), "what came after waited for the note");
}

#[tokio::test(start_paused = true)]
async fn an_orphan_is_taken_over_and_its_lock_made_long_enough() {
    let world = World::new(&Faults::at(1, Fault::Lost));
    let batch = messages(&world.plan(LOG, "a", 20));
    let long_ago = NOW_MS - 20 * 86_400_000;
    // The fake's clock stands at NOW; 30 days from then, it is still locked.
    assert_eq!(returned(&world.run_at(long_ago, ONE_ATTEMPT, &batch).await).len(), 1);
    world.run(ONE_ATTEMPT, &batch).await;
    let found = world.check().unwrap();
    assert_eq!((found.segments, found.orphans), (1, 0), "check_everything also asks for the whole lock");
}

#[tokio::test(start_paused = true)]
async fn other_bytes_under_a_segments_name_halt() {
    let world = World::new(&Faults::at(1, Fault::Lost));
    let batch = messages(&world.plan(LOG, "a", 20));
    world.run(ONE_ATTEMPT, &batch).await;
    let key = world.ledger.segments().into_keys().next().unwrap();
    world.ledger.tamper(&key, 30);
    assert_eq!(returned(&world.run(LONG, &batch).await).len(), 1);
    assert!(world.released().len() == 1, "the first run's message came back early, the second's not");
    assert!(world.control.logs().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_head_that_contradicts_itself_halts_its_log_and_no_other() {
    let world = World::new(&Faults::none());
    let entity = "acme/entity/1/0";
    world.run(LONG, &messages(&world.plan(LOG, "a", 5))).await;
    damage(&world, "head row");
    let batch = messages(&[world.plan(LOG, "b", 5), world.plan(entity, "c", 5)].concat());
    let answer = world.run(LONG, &batch).await;
    assert_eq!(returned(&answer), [batch[0].message_id.as_deref().unwrap()]);
    assert!(world.released().is_empty(), "it waits for the queue's own time-out");
    assert_eq!((world.lines(LOG).len(), world.lines(entity).len()), (5, 5));
}

#[tokio::test(start_paused = true)]
async fn a_missing_permission_halts_at_once() {
    let world = World::new(&Faults::none());
    let a = world.plan(LOG, "a", 5);
    world.staged.set_denied(Some(&a[0].plan));
    let clock = Ticking(AtomicI64::new(NOW_MS));
    let answer = handle(&world.stores, &config(), &world.memory, &clock, NOW_MS + LONG, event(&messages(&a))).await;
    assert_eq!(returned(&answer).len(), 1);
    assert_eq!(clock.now_ms(), NOW_MS + 1_000, "one look at the clock: one attempt");
}

/// The checker itself: each kind of damage is found.
#[tokio::test(start_paused = true)]
async fn check_everything_finds_what_was_changed() {
    let cases = [
        ("digest", "segment byte"),
        ("postings", "posting row"),
        ("markers", "marker row"),
        ("counts", "count row"),
        ("root", "head row"),
        ("no plan", "plan"),
        ("orphan", "stray segment"),
        ("does not follow", "tile"),
        ("no such tile", "missing tile"),
        ("signature", "archived checkpoint"),
        ("is not an archived", "live checkpoint"),
    ];
    for (word, damaged) in cases {
        let world = World::new(&Faults::none());
        world.run(LONG, &messages(&world.plan(LOG, "a", 300))).await;
        world.check().unwrap();
        damage(&world, damaged);
        let problems = world.check().unwrap_err().join("; ");
        assert!(problems.contains(word), "{damaged}: {problems}");
    }
}

fn damage(world: &World, what: &str) {
    let log = LogId::parse(LOG).unwrap();
    let key = world.ledger.segments().into_keys().next().unwrap();
    match what {
        "segment byte" => world.ledger.tamper(&key, 40),
        "posting row" => world.index.tamper(|rows| drop(rows.pop_first())),
        "marker row" => world.control.tamper(|rows| {
            rows.retain(|key, _| head::parse_marker_key(key).is_none_or(|(_, chunk)| chunk.ordinal != 1));
        }),
        "count row" => world.control.tamper(|rows| rows.retain(|key, _| object_row::parse_key(key).is_none())),
        "head row" => world.control.change(&head::head_key(&log), |row| {
            row.insert("root".to_owned(), value(&[0_u8; 32][..]));
        }),
        "tile" => world.ledger.tamper(&format!("ledger/{LOG}/tile/0/000"), 40),
        "missing tile" => world.ledger.erase(&format!("ledger/{LOG}/tile/0/001.p/44")),
        "archived checkpoint" => world.ledger.tamper(&format!("ledger/{LOG}/checkpoints/{:020}", 300), 1),
        "live checkpoint" => world.ledger.tamper(&format!("ledger/{LOG}/checkpoint"), 1),
        "plan" => world.staged.erase(&world.staged.under("staged/").into_keys().next().unwrap()),
        "stray segment" => {
            let bytes = member::pack(b"{}\n");
            let lock = world.ledger.all()[&key][0].lock.unwrap();
            world.ledger.seed_locked(&SegmentName::of(&log, 300, 1, &bytes).key(), bytes, lock);
        }
        other => panic!("{other}"),
    }
}

fn object_of(line: &str) -> String {
    ledgerline_ledger::entry::Entry::read(line.as_bytes()).unwrap().source.object
}

/// The trigger as Lambda sends it: pointers whose plan is not here, and one that is no pointer at all.
#[tokio::test(start_paused = true)]
async fn the_events_of_this_trigger_are_read() {
    for (file, reasons) in [
        (include_str!("../../../events/sqs-ledger-pointers.json"), ["plan_missing"; 2].as_slice()),
        (include_str!("../../../events/sqs-ledger-malformed.json"), &["not_a_pointer"]),
    ] {
        let world = World::new(&Faults::none());
        let event: SqsEvent = serde_json::from_str(file).unwrap();
        assert!(returned(&world.run(LONG, &event.records).await).is_empty());
        let kept: Vec<String> =
            world.poison().values().map(|note| note["reason"].as_str().unwrap().to_owned()).collect();
        assert_eq!(kept, reasons);
    }
}
