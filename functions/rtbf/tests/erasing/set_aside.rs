//! What was set aside before anybody could tell whose it is: an erasure leaves it to the day on which it expires, as the certificate
//! says; what an operator puts back goes the way of every event, and is taken out.

use std::collections::BTreeSet;

use ledgerline_custody::replay::{Mode, Origin, Replaying, Report, Wanted};
use ledgerline_event::document::Rejection;
use ledgerline_event::replayed;
use ledgerline_lake::bronze::{NewQuarantine, write_quarantine};
use ledgerline_store::Family;
use ledgerline_store::spill::{self, SpillLine};
use ledgerline_testkit::calls::Calls;
use ledgerline_testkit::faults::Faults;
use ledgerline_testkit::stream::FakeStream;

use crate::traffic::{ADA, BOB, Line, T0, call};
use crate::world::{Asking, World, all, places};

const SECOND: i64 = 1_000;
/// What redrive sets aside.
const QUARANTINE: &str = "quarantine/redrive/2026-03-02/x.jsonl";

/// Sets one call aside as redrive does, and another as capture does; gives the keys.
fn set_aside(world: &World, quarantined: &Line, spilled: &Line) -> BTreeSet<String> {
    let (mut kept, mut refused) = (Vec::new(), Vec::new());
    let (received_at_ms, bytes) = (quarantined.received_ms, quarantined.raw.as_bytes());
    let line = NewQuarantine { received_at_ms, reason: Rejection::NotJson, replayed: 0, cut: &[], bytes };
    write_quarantine(&line, &mut kept);
    let (received_at_ms, record) = (spilled.received_ms, spilled.raw.clone().into_bytes());
    SpillLine { received_at_ms, reason: "denied".to_owned(), record }.write(&mut refused);
    let spill = spill::key(received_at_ms, [0xAB; 16]);
    world.bronze.seed(QUARANTINE, kept);
    world.bronze.seed(&spill, refused);
    BTreeSet::from([QUARANTINE.to_owned(), spill])
}

/// Puts back what was set aside; gives the records that the stream took, each replayed once.
async fn replay(world: &World) -> Vec<Vec<u8>> {
    let stream = FakeStream::new("EventStream", Faults::none(), Calls::default());
    for origin in [Origin::Quarantine, Origin::Spill] {
        let (bronze, control) = (world.bronze.port(), world.control.port());
        let replaying = Replaying::new(bronze, control, stream.port(), world.now_ms(), Some(30));
        replaying.run(origin, &Wanted::default(), Mode::Send, &mut Report::default()).await.unwrap();
    }
    let unmarked = |record: &bytes::Bytes| {
        let (bytes, times) = replayed::read(record);
        assert_eq!(times, 1);
        bytes.to_vec()
    };
    stream.records().iter().map(unmarked).collect()
}

/// The keys and rows that hold something of Ada.
async fn of_ada(world: &World) -> BTreeSet<String> {
    let found = world.places_of(&world.needles(ADA).await).into_iter();
    found.filter_map(|one| one.split_once(" in ").map(|(_, place)| place.to_owned())).collect()
}

#[tokio::test(start_paused = true)]
async fn it_stays_until_it_expires_and_what_of_it_is_replayed_is_taken_out() {
    let world = World::new().await;
    world.fill("a", &[call("c-1", ADA, T0), call("c-2", BOB, T0 + SECOND)]).await;
    let (quarantined, spilled) = (call("c-8", ADA, T0 + 2 * SECOND), call("c-9", ADA, T0 + 3 * SECOND));
    let aside = set_aside(&world, &quarantined, &spilled);
    let stored = || aside.iter().map(|key| world.bronze.under(key)).collect::<Vec<_>>();
    let before = stored();
    world.erase(Asking::whole(ADA)).await;
    assert_eq!(of_ada(&world).await, aside);

    let sent = replay(&world).await;
    assert_eq!(sent, [&quarantined, &spilled].map(|line| line.raw.clone().into_bytes()));
    let searched = world.families_searched();
    for family in [Family::Quarantine, Family::Spill, Family::ReplayMark] {
        assert!(searched.contains(&family), "{family:?}");
    }
    assert_eq!(of_ada(&world).await, aside, "a mark names a line, and nobody");

    // Ingest makes lines of the records, and says of them that they were replayed.
    let back = [&quarantined, &spilled].map(|line| Line { replayed: 1, ..line.again(world.now_ms()) });
    world.fill("b", &back).await;
    world.finish(&[]).await;
    assert_eq!(world.redacted(), all([places("a", &[0]), places("b", &[0, 1])]));
    assert_eq!(of_ada(&world).await, aside);
    assert_eq!(stored(), before, "what was set aside is nobody's to change");
}
