//! Two slices of one erasure: each step is safe beside itself, and who has no lease saves nothing.

use std::pin::pin;
use std::task::Poll;

use futures_util::future::join3;

use crate::steps::{adas, filled};
use crate::traffic::ADA;
use crate::world::{Asking, SLICE, World};

#[tokio::test(start_paused = true)]
async fn of_three_messages_at_once_one_is_worked_on() {
    let world = filled().await;
    let id = world.approved(Asking::whole(ADA)).await;
    let note = World::erase_note(&id);
    let ended = join3(world.invoke(&note, 1), world.invoke(&note, 1), world.invoke(&note, 2)).await;
    assert_eq!(ended, (true, true, true));
    world.finish(&[&id]).await;
    assert_eq!((world.redacted(), world.nulled().len()), (adas(), adas().len() - 1));
}

#[tokio::test(start_paused = true)]
async fn a_slice_that_outlives_its_lease_does_no_harm() {
    let undisturbed = filled().await;
    let id = undisturbed.approved(Asking::whole(ADA)).await;
    undisturbed.invoke(&World::erase_note(&id), 1).await;
    let all = undisturbed.calls.total();
    assert!(all > 50);
    for calls in 1..all {
        let world = filled().await.counting();
        let id = world.approved(Asking::whole(ADA)).await;
        let note = World::erase_note(&id);
        let mut slow = pin!(world.invoke(&note, 1));
        // It does not stand still in a transaction: that would hold its rows, which no table does for long.
        let transactions = || world.calls.by_name().get("dynamodb:TransactWriteItems").copied();
        let mut before = None;
        let stood = std::future::poll_fn(|context| match world.calls.total() >= calls && transactions() == before {
            true => Poll::Ready(true),
            false => {
                before = transactions();
                slow.as_mut().poll(context).map(|_| false)
            }
        });
        if !stood.await {
            // It ended first: the last calls are of a transaction.
            assert!(calls + 5 > all, "{calls}");
            continue;
        }
        // Its lease ends, and another slice does all of it.
        world.pass(SLICE + 31_000);
        world.finish(&[&id]).await;
        let before = (world.redacted(), world.row(&id).await);
        assert_eq!(before.0, adas(), "{calls}");
        // Then it goes on: its time is over, or what it does is done.
        slow.await;
        world.finish(&[&id]).await;
        assert_eq!((world.redacted(), world.row(&id).await), before, "{calls}");
        assert!(world.places_of(&world.names(&ADA.identifier(ledgerline_privacy::Kind::Email))).is_empty(), "{calls}");
    }
}
