//! Interactions that a request lists, because identifiers lead nowhere, or to too many.

use ledgerline_ledger::entry::Party;
use ledgerline_privacy::Kind;
use ledgerline_store::Family;
use ledgerline_store::request::State;

use crate::traffic::{ADA, BOB, T0, call, nobody};
use crate::world::{Asking, World, all, places};

const SECOND: i64 = 1_000;

/// Ada's number is a switchboard's: it has as many links as a subject may have.
async fn switchboard() -> World {
    let world = World::capped(2).await;
    world.fill("a", &[call("c-1", ADA, T0), nobody("c-1", T0 + SECOND), call("c-2", ADA, T0 + 2 * SECOND)]).await;
    world.fill("b", &[call("c-3", ADA, T0 + 3 * SECOND), call("c-1", BOB, T0 + 4 * SECOND)]).await;
    world
}

fn tombs(world: &World) -> usize {
    world.control.look(|rows| rows.keys().filter(|key| Family::of_key(key) == Some(Family::Tombstone)).count())
}

#[tokio::test(start_paused = true)]
async fn nothing_is_erased_by_an_identifier_that_names_too_many() {
    let world = switchboard().await;
    let subject = world.subject("acme", ADA, Kind::Phone).await.unwrap().subject_id;
    let id = world.erase(Asking::of(ADA, &[Kind::Phone])).await;
    assert!(world.redacted().is_empty() && world.nulled().is_empty() && world.gone().is_empty());
    assert_eq!(tombs(&world), 0);
    assert_eq!(world.row(&id).await.state, State::Done);
    assert_eq!(world.keys.state(&subject).map(|state| state.active), Some(true));
    // One that an operator marked is another such.
    let world = World::new().await;
    world.fill("a", &[call("c-1", ADA, T0)]).await;
    let subject = world.subject("acme", ADA, Kind::Phone).await.unwrap().subject_id;
    world.keys.share(&subject, "2026-03-02T13:00:00.000Z");
    world.erase(Asking::whole(ADA)).await;
    assert!(world.redacted().is_empty() && !world.is_gone(&subject));
}

#[tokio::test(start_paused = true)]
async fn of_a_listed_interaction_all_goes_that_nobody_owns_who_lives_on() {
    let world = switchboard().await;
    world.erase(Asking::listed(&["c-2"])).await;
    assert_eq!((world.redacted(), world.nulled()), (places("a", &[2]), places("a", &[2])));
    assert!(world.keys.party("acme/c-2").cutoff.is_some());
    assert_eq!(world.closed(Party::Customer), places("a", &[2]));
    assert_eq!(tombs(&world), 0);
    // The switchboard's link is of no use to anybody now.
    let subject = world.subject("acme", ADA, Kind::Phone).await.unwrap().subject_id;
    assert!(!world.links(&subject).contains("acme/c-2"));
    // What comes of it later, of whomever, is covered up to the full hour.
    world.fill("c", &[nobody("c-2", T0 + 9 * SECOND)]).await;
    world.finish(&[]).await;
    assert_eq!(world.redacted(), all([places("a", &[2]), places("c", &[0])]));
}

#[tokio::test(start_paused = true)]
async fn of_a_listed_interaction_that_somebody_shares_only_what_names_too_many_goes() {
    let world = switchboard().await;
    world.erase(Asking::listed(&["c-1"])).await;
    assert_eq!(world.redacted(), places("a", &[0]), "Bob's and what is of nobody's stays");
    assert_eq!(world.keys.party("acme/c-1").cutoff, None);
    assert!(world.closed(Party::Joint).is_empty());

    let world = switchboard().await;
    world.erase(Asking::listed(&["c-1"]).erasing(&["acme/c-1"])).await;
    assert_eq!(world.redacted(), places("a", &[0, 1]), "Bob's stays");
    assert_eq!(world.closed(Party::Joint), places("a", &[1]));
}

#[tokio::test(start_paused = true)]
async fn a_listed_interaction_without_anybody_goes_and_one_that_is_unknown_is_nothing() {
    let world = World::new().await;
    world.fill("a", &[nobody("c-1", T0), nobody("c-2", T0 + SECOND)]).await;
    let id = world.erase(Asking::listed(&["c-1", "c-9"])).await;
    assert_eq!(world.redacted(), places("a", &[0]));
    assert_eq!(world.closed(Party::Joint), places("a", &[0]));
    assert_eq!(world.erasing(&id).await.counts.records, 1);
    assert!(world.keys.look(|rows| rows.keys().all(|key| !key.pk.contains("c-9"))));
}

#[tokio::test(start_paused = true)]
async fn somebody_and_interactions_are_one_request() {
    let world = World::new().await;
    world.fill("a", &[call("c-1", ADA, T0), nobody("c-2", T0 + SECOND), call("c-3", BOB, T0 + 2 * SECOND)]).await;
    world.erase(Asking { interactions: vec!["c-2"], ..Asking::whole(ADA) }).await;
    assert_eq!(world.redacted(), places("a", &[0, 1]));
}
