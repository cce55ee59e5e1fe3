//! Whose it is: what several customers share, what each of them owns, what is the agents'.

use ledgerline_ledger::entry::Party;
use ledgerline_privacy::Kind;
use ledgerline_store::token;

use crate::traffic::{ADA, BOB, Line, T0, both, call, mail, nobody, with_token};
use crate::world::{Asking, World, all, places};

const SECOND: i64 = 1_000;

/// A call of Ada's that was passed on to Bob, with what is of nobody's.
async fn conference() -> World {
    let world = World::new().await;
    let lines = [with_token("c-1", ADA, "lt-10001", T0), call("c-1", BOB, T0 + SECOND), nobody("c-1", T0 + 2 * SECOND)];
    world.fill("a", &lines).await;
    world
}

/// How many records have the source's token.
fn tokens(world: &World) -> usize {
    let of_source = token::key("lt-10001", "").pk;
    world.index.look(|rows| rows.keys().filter(|key| key.pk == of_source).count())
}

#[tokio::test(start_paused = true)]
async fn what_two_share_stays_while_one_of_them_does_and_goes_with_the_other() {
    let world = conference().await;
    let bob = world.subject("acme", BOB, Kind::Phone).await.unwrap().subject_id;
    let id = world.erase(Asking::whole(ADA)).await;
    assert_eq!((world.redacted(), world.nulled()), (places("a", &[0]), places("a", &[0])));
    assert_eq!(world.closed(Party::Customer), places("a", &[0]));
    assert!(world.closed(Party::Joint).is_empty() && world.closed(Party::Agent).is_empty());
    let party = world.keys.party("acme/c-1");
    assert_eq!((party.cutoff, party.subjects), (None, [bob.clone()].into()));
    assert_eq!((world.links(&bob).len(), tokens(&world)), (1, 1));
    assert_eq!(world.erasing(&id).await.counts.shared, 1);

    // Nobody is left who shares it.
    world.erase(Asking::whole(BOB)).await;
    assert_eq!(world.redacted(), places("a", &[0, 1, 2]));
    assert_eq!(world.closed(Party::Joint), places("a", &[2]));
    let party = world.keys.party("acme/c-1");
    assert!(party.cutoff.is_some() && party.subjects.is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_the_approver_lets_go_goes_but_for_what_another_owns() {
    let world = conference().await;
    let bob = world.subject("acme", BOB, Kind::Phone).await.unwrap().subject_id;
    world.erase(Asking::whole(ADA).erasing(&["acme/c-1"])).await;
    assert_eq!((world.redacted(), world.nulled()), (places("a", &[0, 2]), places("a", &[0, 2])));
    assert_eq!(world.closed(Party::Joint), places("a", &[2]));
    assert_eq!(world.closed(Party::Customer), places("a", &[0]));
    let party = world.keys.party("acme/c-1");
    assert_eq!((party.cutoff, party.subjects), (None, [bob.clone()].into()), "no cutoff: it is Bob's still");
    assert_eq!((world.links(&bob).len(), tokens(&world)), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn what_two_own_together_goes_with_either() {
    let world = World::new().await;
    let lines = [both("c-1", ADA, BOB, T0), nobody("c-1", T0 + SECOND), mail("c-2", BOB, T0 + 2 * SECOND)];
    world.fill("a", &lines).await;
    let bob = world.subject("acme", BOB, Kind::Email).await.unwrap().subject_id;
    world.erase(Asking::of(ADA, &[Kind::Phone])).await;
    assert_eq!(world.redacted(), places("a", &[0]));
    assert_eq!(world.closed(Party::Customer), places("a", &[0]));
    assert!(world.closed(Party::Joint).is_empty(), "the address of the other kind lives");
    assert_eq!(world.links(&bob), ["acme/c-1", "acme/c-2"].map(str::to_owned).into());
}

#[tokio::test(start_paused = true)]
async fn anothers_link_goes_with_the_last_that_is_theirs() {
    // Decided: the joint content goes, and of the call Bob owned only what both did.
    let world = World::new().await;
    let lines = [both("c-1", ADA, BOB, T0), nobody("c-1", T0 + SECOND), mail("c-2", BOB, T0 + 2 * SECOND)];
    world.fill("a", &lines).await;
    let bob = world.subject("acme", BOB, Kind::Email).await.unwrap().subject_id;
    let links = world.keys.state(&bob).unwrap().links;
    world.erase(Asking::of(ADA, &[Kind::Phone]).erasing(&["acme/c-1"])).await;
    assert_eq!(world.redacted(), places("a", &[0, 1]));
    assert_eq!(world.links(&bob), ["acme/c-2".to_owned()].into());
    assert_eq!(world.keys.state(&bob).unwrap().links, links - 1);
    assert!(world.keys.party("acme/c-1").subjects.is_empty());

    // With a line of his own it stays.
    let world = World::new().await;
    let lines = [both("c-1", ADA, BOB, T0), mail("c-1", BOB, T0 + SECOND), nobody("c-1", T0 + 2 * SECOND)];
    world.fill("a", &lines).await;
    let bob = world.subject("acme", BOB, Kind::Email).await.unwrap().subject_id;
    world.erase(Asking::of(ADA, &[Kind::Phone]).erasing(&["acme/c-1"])).await;
    assert_eq!(world.redacted(), places("a", &[0, 2]));
    assert_eq!(world.links(&bob), ["acme/c-1".to_owned()].into());
}

#[tokio::test(start_paused = true)]
async fn what_a_filtered_line_alone_names_keeps_the_record_shared() {
    let world = World::new().await;
    let lines: [Line; 3] =
        [call("c-1", ADA, T0), crate::traffic::beat("c-1", BOB, T0 + SECOND), nobody("c-1", T0 + 2 * SECOND)];
    world.fill("a", &lines).await;
    world.erase(Asking::whole(ADA)).await;
    assert_eq!(world.redacted(), places("a", &[0]));
}

#[tokio::test(start_paused = true)]
async fn the_agents_side_is_not_the_customers() {
    let world = conference().await;
    world.fill("b", &[call("c-2", ADA, T0)]).await;
    world.erase(Asking::whole(ADA)).await;
    world.erase(Asking::whole(BOB)).await;
    assert_eq!(world.redacted(), all([places("a", &[0, 1, 2]), places("b", &[0])]));
    assert!(world.closed(Party::Agent).is_empty());
    assert_eq!(world.contents().values().filter(|blocks| blocks[&Party::Agent].is_some()).count(), 4);
}

#[tokio::test(start_paused = true)]
async fn an_attackers_number_erases_nothing_of_the_victims() {
    let world = World::new().await;
    // The attacker names the victim's conversation, before and after the victim's own events.
    world.fill("a", &[call("c-1", ADA, T0), call("c-1", BOB, T0 + SECOND)]).await;
    world.fill("b", &[call("c-1", ADA, T0 + 2 * SECOND), nobody("c-1", T0 + 3 * SECOND)]).await;
    let bob = world.subject("acme", BOB, Kind::Phone).await.unwrap().subject_id;
    world.erase(Asking::whole(ADA)).await;
    assert_eq!(world.redacted(), all([places("a", &[0]), places("b", &[0])]));
    let party = world.keys.party("acme/c-1");
    assert_eq!((party.cutoff, party.subjects), (None, [bob].into()));
    assert!(!world.closed(Party::Customer).contains(&("a".to_owned(), 1)));
}
