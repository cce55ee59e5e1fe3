//! The fault matrix: every write of the eraser is lost, or persisted and reported as an error, and then others come.

use ledgerline_testkit::faults::{ALL_FAULTS, Faults};

use crate::steps::filled;
use crate::traffic::{ADA, T0, call, nobody};
use crate::twice::check;
use crate::world::{Asking, World, all, places};

#[tokio::test(start_paused = true)]
async fn every_write_lost_or_persisted_but_errored() {
    let undisturbed = filled().await;
    undisturbed.erase(Asking::whole(ADA)).await;
    let writes = undisturbed.faults.log();
    assert!(writes.len() > 60, "{}", writes.len());
    for (nth, write) in writes.iter().enumerate() {
        for fault in ALL_FAULTS {
            let case = format!("{write} (#{nth}) {fault:?}");
            let world = filled().await.meeting(Faults::at(nth, fault));
            let needles = world.needles(ADA).await;
            let id = world.erase(Asking::whole(ADA)).await;
            assert_eq!(world.faults.struck(), 1, "{case}: the fault never struck");
            check(&world, &id, &needles, &case).await;
        }
    }
}

/// What a hint does, and what is done when a hold is lifted.
async fn after(world: &World) {
    world.fill("d", &[nobody("c-9", T0 + 50_000)]).await;
    world.fill("e", &[call("c-9", ADA, T0 + 51_000)]).await;
    world.finish(&[]).await;
    world.lift("acme/c-1").await;
    world.finish(&[]).await;
}

#[tokio::test(start_paused = true)]
async fn every_write_of_a_hint_and_of_a_released_record() {
    let ready = async || {
        let world = filled().await;
        world.hold("acme/c-1").await;
        world.erase(Asking::whole(ADA)).await;
        world.compute().await;
        world.meeting(Faults::none())
    };
    let undisturbed = ready().await;
    after(&undisturbed).await;
    let (writes, redacted) = (undisturbed.faults.log(), undisturbed.redacted());
    assert_eq!(redacted, all([crate::steps::adas(), places("d", &[0]), places("e", &[0])]));
    assert!(writes.len() > 15, "{writes:?}");
    for (nth, write) in writes.iter().enumerate() {
        for fault in ALL_FAULTS {
            let case = format!("{write} (#{nth}) {fault:?}");
            let world = ready().await.meeting(Faults::at(nth, fault));
            after(&world).await;
            assert_eq!(world.faults.struck(), 1, "{case}: the fault never struck");
            assert_eq!((world.redacted(), world.gone().len()), (redacted.clone(), undisturbed.gone().len()), "{case}");
            assert!(world.keys.party("acme/c-1").pending_until.is_none(), "{case}");
            assert_eq!((world.said(), world.outdated().await), (undisturbed.said(), Vec::new()), "{case}");
        }
    }
}
