//! Erasures that are due: each is told to the eraser, and stays until the eraser moves it.

use std::sync::Arc;

use ledgerline_event::instant;
use ledgerline_store::erasing::wake_key;
use ledgerline_store::queue::EraseNote;
use ledgerline_store::request::id_of_random;
use ledgerline_store::table::{Returning, Row, Table, Write};
use ledgerline_testkit::calls::Calls;
use ledgerline_testkit::faults::{ALL_FAULTS, Faults};

use crate::world::*;

/// The control table, as others write it.
fn others_see(world: &World) -> Arc<dyn Table> {
    world.control.seen_by(Faults::none(), Calls::default()).port()
}

/// The requests that are to be woken `minutes` after the start, as an approval or the eraser puts them.
async fn due(world: &World, minutes: i64, numbers: std::ops::Range<u8>) -> Vec<String> {
    let at = instant::to_rfc3339(START_MS + minutes * MINUTE_MS);
    let mut ids = Vec::new();
    for number in numbers {
        let id = id_of_random([number; 16]);
        let write = Write::put(wake_key(&at, &id), Row::new());
        others_see(world).write("wake", write, Returning::Nothing).await.unwrap();
        ids.push(id);
    }
    ids
}

fn told(world: &World) -> Vec<String> {
    let id = |body: &String| match EraseNote::parse(body) {
        Some(EraseNote::Erase { request }) => request,
        other => panic!("{other:?}"),
    };
    world.erase.bodies().iter().map(id).collect()
}

#[tokio::test]
async fn what_is_due_is_woken_each_minute_until_the_eraser_moves_it_and_nothing_before() {
    let world = World::new();
    assert_eq!((world.run().await.woken, told(&world)), (0, vec![]));
    let (now, later) = (due(&world, 0, 1..3).await, due(&world, 1, 3..4).await);
    let summary = world.run().await;
    assert_eq!((summary.woken, summary.failures, told(&world)), (2, 0, now.clone()));
    // Nobody moved them: they are told again, with what has become due.
    world.erase.lose_all();
    world.pass(MINUTE_MS);
    assert_eq!((world.run().await.woken, told(&world)), (3, [now.clone(), later.clone()].concat()));
    world.erase.lose_all();
    for id in &now {
        let key = wake_key(&instant::to_rfc3339(START_MS), id);
        others_see(&world).write("move", Write::delete(key), Returning::Nothing).await.unwrap();
    }
    assert_eq!((world.run().await.woken, told(&world)), (1, later));
}

#[tokio::test]
async fn a_day_of_acts_of_deletion_is_told_with_the_requests() {
    let world = World::new();
    let day = ledgerline_store::deletion::Deletions::new(others_see(&world));
    day.pool("2000-01-02", &["0a"]).await.unwrap();
    day.pool("2999-01-02", &["0b"]).await.unwrap();
    assert_eq!(world.run().await.woken, 1);
    let told: Vec<Option<EraseNote>> = world.erase.bodies().iter().map(|body| EraseNote::parse(body)).collect();
    assert_eq!(told, [Some(EraseNote::Pool { day: "2000-01-02".to_owned() })]);
}

#[tokio::test]
async fn of_very_many_those_that_are_due_longest_come_first() {
    let world = World::new();
    let (second, first) = (due(&world, -1, 0..20).await, due(&world, -2, 20..40).await);
    assert_eq!(world.run().await.woken, 25);
    assert_eq!(told(&world), [first, second[..5].to_vec()].concat());
}

#[tokio::test]
async fn a_message_that_is_not_sent_fails_its_part_alone_and_the_next_run_sends_it() {
    for fault in ALL_FAULTS {
        let world = World::new();
        // The months' keys are made.
        world.run().await;
        let ids = due(&world, 0, 1..3).await;
        world.pass(MINUTE_MS);
        world.faults.plan(world.faults.writes(), fault);
        let summary = world.run().await;
        assert_eq!((world.faults.struck(), summary.woken, summary.failures), (1, 0, 1), "{fault:?}");
        assert_eq!(
            world.others.planned.through().await.unwrap(),
            Some(START_MS + MINUTE_MS),
            "the rest of the run goes on"
        );
        assert_eq!(world.run().await.woken, 2, "{fault:?}");
        let told = told(&world);
        assert!(ids.iter().all(|id| told.contains(id)), "{fault:?}: {told:?}");
    }
}

/// What the eraser is told, by whomever, is what the example says.
#[tokio::test]
async fn the_example_holds_what_sweep_sends_and_what_else_the_eraser_reads() {
    let example: serde_json::Value = serde_json::from_str(include_str!("../../../../events/sqs-erase.json")).unwrap();
    let bodies = example["Records"].as_array().unwrap().iter().map(|record| record["body"].as_str().unwrap());
    let notes: Vec<EraseNote> = bodies.clone().map(|body| EraseNote::parse(body).unwrap()).collect();
    let world = World::new();
    due(&world, 0, 1..2).await;
    world.run().await;
    let sent: Vec<serde_json::Value> =
        world.erase.bodies().iter().map(|body| serde_json::from_str(body).unwrap()).collect();
    let first: serde_json::Value = serde_json::from_str(bodies.clone().next().unwrap()).unwrap();
    assert_eq!(sent, [first]);
    assert!(matches!(
        &notes[..],
        [EraseNote::Erase { .. }, EraseNote::Suppressed { .. }, EraseNote::Released { .. }, EraseNote::Pool { .. }]
    ));
}
