//! The journal is cleared of what is committed, a minute late, and of nothing else.

use ledgerline_lake::ObjectId;
use ledgerline_lake::keys::PlanOf;
use ledgerline_lake::plan::Header;
use ledgerline_store::claim::Unclaimed;
use ledgerline_store::journal::{Journaled, Kept, NewJournaled, PlannedAs};
use ledgerline_store::party::PartySeen;
use ledgerline_store::subject::Subjects;
use ledgerline_store::tombstone::Tombs;
use ledgerline_testkit::calls::Calls;
use ledgerline_testkit::faults::Faults;
use ledgerline_testkit::table::FakeTable;

use crate::world::*;

const RECORD: &str = "acme/c-1";
const OBJECT: &str = "bronze/event_type=interaction/a";

/// Journals the event, as capture does now.
async fn journaled(world: &World, claim_id: &str) {
    let table = |name| FakeTable::new(name, Faults::none(), Calls::default()).port();
    let (subjects, tombs) = (Subjects::new(table("KeysTable")), Tombs::new(table("ControlTable")));
    let new = NewJournaled {
        record: RECORD,
        claim: Unclaimed { record: RECORD, occurred_at_ms: START_MS, named_by_source: false, event: claim_id },
        line: "{}",
        occurred_at: "2026-03-02T14:00:00.000Z",
        received_at_ms: world.now_ms(),
        client: "flows",
        policy: "p",
        subjects: &[],
    };
    let kept = world.others.journal.keep(&new, PartySeen::default(), &subjects, tombs.unchanged([])).await.unwrap();
    assert_eq!(kept, Kept::Now);
}

/// Claim ids of these tests.
fn id(number: u8) -> String {
    format!("{number:032x}")
}

/// Plans the first event, as transform does, and queues it.
async fn planned(world: &World) -> ObjectId {
    let object = ObjectId::of(BRONZE, OBJECT);
    world.others.ledger.rows.open(object, OBJECT, "2026-03-02T14:00:00.000Z").await.unwrap();
    let entry = PlannedAs { event_id: object.event_id(PlanOf::Bronze, 0), object: object.to_hex() };
    assert!(world.others.journal.note_planned(RECORD, &id(1), &entry).await.unwrap());
    let pointers = world.plan(OBJECT, &[("c-1", "audit", 1)]);
    world.others.pointers.send(&pointers).await.unwrap();
    let plan = world.staged.get(&pointers[0].plan).unwrap();
    world.others.ledger.rows.planned(&Header::read(&plan).unwrap().0, "2026-03-02T14:00:00.000Z").await.unwrap();
    object
}

async fn left(world: &World) -> Vec<Journaled> {
    world.others.journal.of(RECORD).await.unwrap()
}

#[tokio::test]
async fn what_is_committed_goes_a_minute_later_and_what_is_not_stays() {
    let world = World::new();
    journaled(&world, &id(1)).await;
    journaled(&world, &id(2)).await;
    let summary = world.run().await;
    assert_eq!((summary.failures, summary.journaled, summary.cleared), (0, 2, 0));
    planned(&world).await;
    assert_eq!(world.run().await.journaled, 2, "planned is not committed");
    world.append_all(true).await;
    let summary = world.run().await;
    assert_eq!((summary.journaled, summary.cleared, left(&world).await.len()), (1, 0, 2), "found committed, and kept");
    world.pass(MINUTE_MS - 1);
    assert_eq!((world.run().await.cleared, left(&world).await.len()), (0, 2), "an answer may be under way");
    world.pass(1);
    assert_eq!(world.run().await.cleared, 1);
    let events = left(&world).await;
    assert_eq!(events.iter().map(|event| event.claim_id.clone()).collect::<Vec<_>>(), [id(2)]);
    assert_eq!(world.others.journal.listed("2026030214", None).await.unwrap().len(), 1);
}

#[tokio::test]
async fn what_an_erasure_deleted_leaves_the_list() {
    let world = World::new();
    journaled(&world, &id(1)).await;
    let listed = world.others.journal.listed("2026030214", None).await.unwrap();
    // As if the eraser's batch had been cut off between the two.
    let row = left(&world).await;
    world.others.journal.forget(RECORD, &row).await.unwrap();
    assert!(world.others.journal.listed("2026030214", None).await.unwrap().is_empty());
    journaled(&world, &id(1)).await;
    world.expire_journaled(RECORD, &id(1));
    assert_eq!(world.others.journal.listed("2026030214", None).await.unwrap(), listed);
    assert_eq!(world.run().await.failures, 0);
    assert!(world.others.journal.listed("2026030214", None).await.unwrap().is_empty());
}

#[tokio::test]
async fn what_is_older_than_three_hours_is_cleared_in_its_turn() {
    let world = World::new();
    journaled(&world, &id(1)).await;
    planned(&world).await;
    world.append_all(true).await;
    world.pass(5 * HOUR_MS);
    let mut cleared = 0;
    for _ in 0..3 * 30 * 24 {
        cleared += world.run().await.cleared;
        if cleared > 0 {
            break;
        }
        world.pass(MINUTE_MS);
    }
    assert_eq!((cleared, left(&world).await.len()), (1, 0));
}

#[tokio::test]
async fn every_write_of_clearing_may_fail() {
    let prepare = |world: World| async move {
        journaled(&world, &id(1)).await;
        planned(&world).await;
        world.append_all(true).await;
        world.run().await;
        world.pass(MINUTE_MS);
        world
    };
    matrix(2, prepare, |world, case| async move {
        world.pass(MINUTE_MS);
        world.settle().await;
        assert!(left(&world).await.is_empty(), "{case}");
        assert!(world.others.journal.listed("2026030214", None).await.unwrap().is_empty(), "{case}");
    })
    .await;
}
