//! What was approved bounds what is done: an execution that finds more waits for another approval; what is too much for a day waits for
//! the next.

use ledgerline_store::request::{Approved, State};

use crate::traffic::{ADA, BOB, DAY, Line, T0, call};
use crate::world::{Asking, World, captured, generous, places};

const SECOND: i64 = 1_000;

/// So many calls of Ada's, each a record, in one object.
async fn calls(many: u32) -> World {
    let world = World::new().await;
    let lines: Vec<Line> = (0..many).map(|n| call(&format!("c-{n}"), ADA, T0 + i64::from(n) * SECOND)).collect();
    world.fill("a", &lines).await;
    world
}

fn approved(records: u64, lines: u64) -> Approved {
    Approved { records, lines, shared: 0, entries: 100, ..generous() }
}

#[tokio::test(start_paused = true)]
async fn a_tenth_and_five_more_than_approved_is_done_and_one_more_is_not() {
    // Approved, found, whether it is done: a tenth is rounded up.
    for (records, found, done) in
        [(0, 5, true), (0, 6, false), (10, 16, true), (10, 17, false), (11, 18, true), (11, 19, false)]
    {
        let world = calls(found).await;
        let id = world.approved(Asking { approved: Some(approved(records, 100)), ..Asking::whole(ADA) }).await;
        world.work().await;
        for _ in 0..4 {
            world.pass(700_000);
            world.work().await;
        }
        let row = world.row(&id).await;
        assert_eq!(
            (row.waits_for_approval, row.state == State::Done),
            (!done, done),
            "{records} approved, {found} found"
        );
        assert_eq!(world.redacted().is_empty(), !done);
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_that_waits_destroys_no_more_and_goes_on_with_a_second_approval() {
    let world = calls(9).await;
    let id = world.approved(Asking { approved: Some(approved(1, 1)), ..Asking::whole(ADA) }).await;
    world.work().await;
    let row = world.row(&id).await;
    assert!(row.waits_for_approval && row.state == State::Erasing);
    assert_eq!((world.step_of(&id).as_str(), world.erasing(&id).await.wake.as_str()), ("approve", ""));
    assert!(world.redacted().is_empty());
    let keys = world.keys.rows();
    // Nobody wakes it, and a message changes nothing.
    world.pass(DAY);
    assert!(!world.work().await);
    assert!(world.invoke(&World::erase_note(&id), 1).await);
    assert_eq!((world.keys.rows(), world.row(&id).await), (keys, row.clone()));
    // Approved again, of which that is too little still.
    world.approve(&id, &row, approved(2, 2), Vec::new()).await;
    assert!(world.work().await);
    let row = world.row(&id).await;
    assert!(row.waits_for_approval);
    world.approve(&id, &row, approved(9, 9), Vec::new()).await;
    world.finish(&[&id]).await;
    assert_eq!(world.redacted(), places("a", &[0, 1, 2, 3, 4, 5, 6, 7, 8]));
    assert!(!world.row(&id).await.waits_for_approval);
}

#[tokio::test(start_paused = true)]
async fn what_is_too_much_for_a_day_waits_for_the_next() {
    let mut world = calls(3).await;
    world.settings.records_per_day = 5;
    world.fill("b", &[call("d-1", BOB, T0), call("d-2", BOB, T0 + SECOND), call("d-3", BOB, T0 + 2 * SECOND)]).await;
    let ada = world.approved(Asking::whole(ADA)).await;
    world.finish(&[&ada]).await;
    let bob = world.approved(Asking::whole(BOB)).await;
    world.work().await;
    assert_eq!(world.step_of(&bob), "approve");
    assert_eq!(world.redacted(), places("a", &[0, 1, 2]));
    let position = world.erasing(&bob).await.position;
    let midnight = (world.now_ms() / DAY + 1) * DAY;
    assert_eq!((position.wait_until_ms, position.reason.as_deref()), (Some(midnight), Some("breaker")));
    assert!(
        captured().text().lines().any(|line| line.contains("erasure stopped by the breaker") && line.contains(&bob))
    );
    world.finish(&[&bob]).await;
    assert!(world.now_ms() >= midnight);
    assert!(world.redacted().is_superset(&places("b", &[0, 1, 2])));
}
