//! Forgotten bronze objects are notified, missing chunks pointed at, each at most every half hour.

use ledgerline_custody::acts::{Act, ActKind, record_acts, record_of_log};
use ledgerline_custody::reconciliation::BACKLOG_MAX;
use ledgerline_custody::request::machine::received;
use ledgerline_lake::ObjectId;
use ledgerline_lake::keys::PlanOf;
use ledgerline_lake::plan::{Counts, Header};
use ledgerline_lambda::notification::created;
use ledgerline_ledger::chunk::ChunkId;
use ledgerline_ledger::log::LogId;
use ledgerline_store::act_note::ActNotes;
use ledgerline_store::delivery;
use ledgerline_store::request::{Regime, RequestKind, Requests, Who, id_of_random};
use ledgerline_store::table::Key;
use ledgerline_testkit::calls::Calls;
use ledgerline_testkit::faults::Faults;
use ledgerline_testkit::table::{FakeTable, value};

use crate::logs::day;
use crate::world::*;

const NOW: &str = "2026-03-02T14:00:00.000Z";

/// An object of an hour ago that nobody took up.
async fn forgotten(world: World) -> World {
    world.bronze.seed_at(&day("interaction", "a b+ü"), Vec::new(), START_MS - HOUR_MS);
    world
}

/// An object whose plan was carried out but for one pointer.
async fn half_sent(world: World) -> World {
    let key = day("interaction", "a");
    world.bronze.seed_at(&key, Vec::new(), START_MS - HOUR_MS);
    let object = ObjectId::of(BRONZE, &key);
    world.others.ledger.rows.open(object, &key, NOW).await.unwrap();
    let events: Vec<Event<'_>> = (0..300).map(|second| ("c-1", "user.start", second)).collect();
    let pointers = world.plan(&key, &events);
    assert_eq!(pointers.len(), 2);
    world.others.pointers.send(&pointers[1..]).await.unwrap();
    let plan = world.staged.get(&pointers[0].plan).unwrap();
    world.others.ledger.rows.planned(&Header::read(&plan).unwrap().0, NOW).await.unwrap();
    world.append_all(true).await;
    world.pass(HOUR_MS);
    world
}

fn notified(world: &World) -> Vec<String> {
    let bodies = world.notices.bodies();
    bodies.iter().flat_map(|body| created(body).unwrap()).map(|one| one.unwrap().key).collect()
}

#[tokio::test]
async fn an_object_without_a_row_is_notified_as_s3_would() {
    let world = forgotten(World::new()).await;
    let summary = world.run().await;
    assert_eq!((summary.objects, summary.notified, summary.failures), (1, 1, 0));
    let bodies = world.notices.bodies();
    assert!(bodies[0].contains("event_type%3Dinteraction") && bodies[0].contains("a+b%2B%C3%BC.gz"), "{bodies:?}");
    let created = created(&bodies[0]).unwrap().remove(0).unwrap();
    assert_eq!((created.bucket.as_str(), created.key), (BRONZE, day("interaction", "a b+ü")));
}

#[tokio::test]
async fn a_turn_comes_at_most_every_half_hour_and_less_often_each_time() {
    let world = forgotten(World::new()).await;
    let mut at = Vec::new();
    for minute in 0..=(8 * 60) {
        if world.run().await.notified > 0 {
            at.push(minute);
        }
        world.pass(MINUTE_MS);
    }
    assert_eq!(at, [0, 30, 90, 210, 450]);
}

#[tokio::test]
async fn what_transform_took_up_meanwhile_is_left_alone() {
    let world = forgotten(World::new()).await;
    let key = day("interaction", "a b+ü");
    let opened = world.others.ledger.rows.open(ObjectId::of(BRONZE, &key), &key, NOW).await.unwrap();
    assert!(!opened.again);
    assert_eq!(world.run().await.notified, 0);
    let header = Header {
        v: 1,
        object: ObjectId::of(BRONZE, &key),
        key: key.clone(),
        policy_version: "1".to_owned(),
        counts: Counts::default(),
        chunks: Vec::new(),
    };
    world.others.ledger.rows.planned(&header, NOW).await.unwrap();
    world.pass(DAY_MS);
    assert_eq!(world.run().await.notified, 0);
    assert_eq!(world.run().await.objects, 0, "through, and never looked at again");
}

/// The row that a turn leaves must not look to transform like a plan that is under way.
#[tokio::test]
async fn transform_takes_up_an_object_that_had_a_turn() {
    let world = forgotten(World::new()).await;
    world.run().await;
    let key = day("interaction", "a b+ü");
    let opened = world.others.ledger.rows.open(ObjectId::of(BRONZE, &key), &key, NOW).await.unwrap();
    assert_eq!((opened.planned, opened.started_at.as_str()), (false, NOW));
}

#[tokio::test]
async fn every_write_of_a_notification_may_fail() {
    matrix(5, forgotten, |world, case| async move {
        // Struck after the turn was taken, the object waits for its next one.
        world.pass(HOUR_MS);
        world.run().await;
        assert!(!notified(&world).is_empty() && notified(&world).len() <= 2, "{case}: {:?}", notified(&world));
    })
    .await;
}

#[tokio::test]
async fn only_the_missing_chunks_are_pointed_at_again() {
    let world = half_sent(World::new()).await;
    let before = world.pointers.messages().len();
    let summary = world.run().await;
    assert_eq!((summary.resent, summary.notified, summary.failures), (1, 0, 0));
    let sent = world.pointers.messages();
    assert_eq!(sent.len(), before + 1);
    assert!(sent[before].deduplication_id.ends_with("-0"));
    world.settle().await;
    let found = world.check().unwrap();
    assert_eq!((found.entries, found.open_chunks), (300, 0));
}

#[tokio::test]
async fn every_write_of_a_resending_may_fail() {
    matrix(5, half_sent, |world, case| async move {
        world.pass(HOUR_MS);
        world.run().await;
        world.settle().await;
        let found = world.check().unwrap_or_else(|problems| panic!("{case}: {problems:?}"));
        assert_eq!((found.entries, found.open_chunks), (300, 0), "{case}");
    })
    .await;
}

#[tokio::test]
async fn two_sweeps_at_once_send_one_notification() {
    let world = forgotten(World::new()).await;
    let (one, two) = tokio::join!(world.run(), world.run());
    assert_eq!((one.notified + two.notified, one.failures + two.failures), (1, 0));
    assert_eq!(notified(&world).len(), 1);
}

#[tokio::test]
async fn nothing_is_added_to_a_long_queue() {
    let world = forgotten(World::new()).await;
    world.notices.set_backlog(BACKLOG_MAX);
    assert_eq!(world.run().await.notified, 0);
    world.notices.set_backlog(BACKLOG_MAX - 1);
    world.pass(30 * MINUTE_MS);
    assert_eq!(world.run().await.notified, 1);
}

#[tokio::test]
async fn what_is_never_through_is_given_up_after_four_days_and_told() {
    let world = forgotten(World::new()).await;
    let mut given_up = 0;
    for _ in 0..120 {
        given_up += world.run().await.given_up;
        world.pass(HOUR_MS);
    }
    assert_eq!(given_up, 1);
    assert_eq!(notified(&world).len(), 11);
}

#[tokio::test]
async fn late_and_young_objects_and_those_of_other_days_are_told_apart() {
    let world = World::new();
    world.bronze.seed_at(&day("late", "a"), Vec::new(), START_MS - 3 * DAY_MS);
    world.bronze.seed_at(&day("entity", "b"), Vec::new(), START_MS - 29 * MINUTE_MS);
    let old = "bronze/event_type=interaction/year=2026/month=02/day=20/hour=13/c.gz";
    world.bronze.seed_at(old, Vec::new(), START_MS - DAY_MS);
    assert_eq!(world.run().await.notified, 1);
    world.pass(30 * MINUTE_MS);
    world.run().await;
    assert_eq!(notified(&world).iter().filter(|key| key.ends_with("b.gz")).count(), 1);
    assert!(notified(&world).iter().all(|key| key != old));
}

/// What Firehose wrote four days ago may have occurred as long before as ingest puts events into their own partition.
#[tokio::test]
async fn an_object_of_late_events_is_found_as_late_as_ingest_is_told() {
    let key = "bronze/event_type=entity/year=2026/month=02/day=20/hour=13/c.gz";
    for (late_after_hours, notified) in [(48, 0), (200, 1)] {
        let mut world = World::new();
        world.settings.late_after_ms = late_after_hours * HOUR_MS;
        world.bronze.seed_at(key, Vec::new(), START_MS - 3 * DAY_MS);
        assert_eq!(world.run().await.notified, notified, "{late_after_hours}");
    }
}

/// Open objects beyond what a run can look at: it stops in its share of the time, goes on in the next run, and both complete.
#[tokio::test]
async fn a_long_list_of_open_objects_keeps_nobody_from_being_completed() {
    const OBJECTS: usize = 400;
    let world = World::new();
    world.events("bronze/call", &[("c-1", "customer.end", 0)]).await;
    world.append_all(true).await;
    for at in 0..OBJECTS {
        world.bronze.seed_at(&day("interaction", &format!("{at:03}")), Vec::new(), START_MS - HOUR_MS);
    }
    world.run().await;
    assert_eq!(notified(&world).len(), OBJECTS);
    world.pass(30 * MINUTE_MS);
    let first = world.run_of_slow_steps(500).await;
    assert!(first.notified > 0 && first.notified < OBJECTS as u64, "{first:?}");
    assert_eq!((first.completed, first.failures), (1, 0), "{first:?}");
    let mut again = first.notified;
    for _ in 0..100 {
        world.pass(MINUTE_MS);
        let run = world.run_of_slow_steps(500).await;
        again += run.notified;
        if again == OBJECTS as u64 {
            break;
        }
        assert!(run.notified > 0, "goes on where it stopped");
    }
    assert_eq!((again, notified(&world).len()), (OBJECTS as u64, 2 * OBJECTS), "each once more");
}

fn hold() -> (&'static str, Act) {
    let log = LogId::parse(LOG).unwrap();
    let act = Act {
        kind: ActKind::HoldPlaced,
        record: record_of_log(&log),
        occurred_at: NOW.to_owned(),
        fields: [].into(),
        key_ids: Vec::new(),
        log,
    };
    ("hold/1", act)
}

/// Records an act, with a fault in its write number `nth`, if there is one.
async fn act_recorded(world: &World, fault: Option<(usize, ledgerline_testkit::faults::Fault)>) {
    if let Some((nth, fault)) = fault {
        world.faults.plan(world.faults.writes() + nth, fault);
    }
    let (purpose, act) = hold();
    let recorded = record_acts(&world.act_stores(), purpose, &[act], NOW).await;
    assert_eq!(recorded.is_err(), fault.is_some());
}

#[tokio::test]
async fn an_act_whose_pointer_died_is_pointed_at_again() {
    let world = World::new();
    act_recorded(&world, None).await;
    world.pointers.lose_all();
    assert_eq!(world.run().await.resent, 0, "its pointer may still be under way");
    world.pass(HOUR_MS);
    let summary = world.run().await;
    assert_eq!((summary.resent, summary.notified, summary.failures), (1, 0, 0));
    world.settle().await;
    assert_eq!(world.entries_of("HOLD_PLACED").await.len(), 1);
    world.pass(HOUR_MS);
    assert_eq!(world.run().await.objects, 1, "through, and looked at for the last time");
    world.pass(HOUR_MS);
    assert_eq!(world.run().await.objects, 0);
}

#[tokio::test]
async fn an_acts_row_that_cannot_be_read_keeps_no_other_from_being_brought_back() {
    let world = World::new();
    act_recorded(&world, None).await;
    world.pointers.lose_all();
    let id = ObjectId::of_act(hold().0).to_hex();
    let hour = world.control.look(|rows| rows.keys().find(|key| key.sk == id).expect("the act was noted").pk.clone());
    assert!(hour.ends_with("2026-03-02T14"), "{hour}");
    // On either side of the sound row.
    for id in ["0", "f"] {
        let key = Key::new(&hour, id.repeat(32));
        world.control.change(&key, |row| drop(row.insert("at".to_owned(), value(7_u64))));
    }
    world.pass(HOUR_MS);
    let summary = world.run().await;
    assert_eq!((summary.unreadable, summary.resent, summary.failures), (2, 1, 0));
    world.settle().await;
    assert_eq!(world.entries_of("HOLD_PLACED").await.len(), 1);
    world.pass(3 * HOUR_MS);
    world.run().await;
    world.pass(HOUR_MS);
    assert_eq!(world.run().await.unreadable, 0, "of hours that are behind a pass nothing is asked again");
}

/// Nobody calls again: an act that came as far as its plan is finished, one that did not is nobody's.
#[tokio::test]
async fn an_act_whose_recorder_died_is_carried_out_from_its_plan_on() {
    use ledgerline_testkit::faults::Fault;
    // Row, note, plan, pointer, planned.
    for (nth, entries) in [(0, 0), (1, 0), (2, 0), (3, 1), (4, 1)] {
        let world = World::new();
        act_recorded(&world, Some((nth, Fault::Lost))).await;
        for _ in 0..3 {
            world.pass(HOUR_MS);
            world.settle().await;
        }
        assert_eq!(world.entries_of("HOLD_PLACED").await.len(), entries, "{nth}");
        world.check().unwrap();
    }
}

/// A step is taken and noted in one, and whoever took it died: its act follows from the request's row.
#[tokio::test]
async fn a_requests_step_whose_act_nobody_recorded_is_recorded_from_its_row() {
    let world = World::new();
    let unseen = || (Faults::none(), Calls::default());
    let control = world.control.seen_by(unseen().0, unseen().1);
    let people = FakeTable::new("KeysTable", unseen().0, unseen().1);
    let requests = Requests::new(control.port(), people.port());
    let orgs = ["acme", "globex"].map(str::to_owned).to_vec();
    let row = received(RequestKind::Erasure, Regime::Gdpr, orgs, "u_1", START_MS);
    let who = Who { duplicates: vec!["d".to_owned()], ..Who::default() };
    requests.create(&id_of_random([7; 16]), &row, &who, &[], NOW).await.unwrap();
    assert_eq!(world.run().await.resent, 0, "who took the step may be about to record it");
    world.pass(HOUR_MS);
    let summary = world.run().await;
    assert_eq!((summary.resent, summary.failures), (1, 0));
    world.settle().await;
    for org in ["acme", "globex"] {
        let log = LogId::first_of(org, "request").unwrap();
        assert_eq!(world.head(&log).await.size(), 1, "{org}");
    }
    for _ in 0..3 {
        world.pass(HOUR_MS);
        assert_eq!(world.run().await.resent, 0, "it is recorded once");
    }
    // A note that leads to no request is nobody's.
    world.control.tamper(|rows| rows.retain(|key, _| ledgerline_store::request::parse_key(key).is_none()));
    ActNotes::new(control.port()).note(ObjectId::of_act("request/x"), "act/request/x", NOW).await.unwrap();
    world.pass(HOUR_MS);
    assert_eq!((world.run().await.resent, world.run().await.failures), (0, 0));
}

#[tokio::test]
async fn what_was_kept_as_poison_is_not_sent_again() {
    let world = half_sent(World::new()).await;
    let object = ObjectId::of(BRONZE, &day("interaction", "a"));
    let chunk = ChunkId { of: PlanOf::Bronze, object: object.to_string(), ordinal: 0 };
    world.others.ledger.rows.mark_poison(&chunk, 256).await.unwrap();
    for _ in 0..6 {
        let summary = world.run().await;
        assert_eq!((summary.resent, summary.given_up, summary.failures), (0, 0, 0));
        // The completion of what is there, a day later.
        world.append_all(true).await;
        world.pass(DAY_MS);
    }
    // Repaired by hand, it counts like any other.
    let pointers = delivery::find(&world.others.plans, PlanOf::Bronze, object).await.unwrap().unwrap();
    world.others.pointers.send(&pointers.header.pointers(pointers.header_bytes)[..1]).await.unwrap();
    world.settle().await;
    assert_eq!(world.check().unwrap().open_chunks, 0);
    let control = &world.control;
    assert_eq!((control.counted(&object.to_string()).0, control.poisoned(&object.to_string())), (300, 0));
}
