//! Records that a legal hold is on: nothing of them is destroyed, and what was put off is done when it is lifted.

use ledgerline_ledger::entry::Party;
use ledgerline_privacy::Kind;
use ledgerline_store::request::State;

use crate::steps::{adas, filled};
use crate::traffic::{ADA, BOB, T0, call, nobody};
use crate::world::{Asking, World, all, places};

const SECOND: i64 = 1_000;

#[tokio::test(start_paused = true)]
async fn a_held_record_is_left_until_its_hold_is_lifted() {
    let world = filled().await;
    world.hold("acme/c-1").await;
    let (needles, subject) = (world.needles(ADA).await, world.subject("acme", ADA, Kind::Phone).await.unwrap());
    let contents = world.contents();
    let id = world.erase(Asking::whole(ADA)).await;
    let held = all([places("a", &[0, 1]), places("b", &[0])]);
    assert_eq!(world.redacted(), &adas() - &held);
    let now = world.contents();
    assert!(held.iter().all(|place| now[place] == contents[place]), "what is held opens");
    let party = world.keys.party("acme/c-1");
    assert_eq!((party.cutoff, party.erasures), (None, 0));
    assert!(party.subjects.contains(&subject.subject_id) && party.pending_erase.contains(&subject.subject_id));
    assert_eq!((world.row(&id).await.state, world.erasing(&id).await.counts.held), (State::Done, 1));
    assert_eq!(world.links(&subject.subject_id), ["acme/c-1".to_owned()].into());

    world.lift("acme/c-1").await;
    world.finish(&[]).await;
    assert_eq!(world.redacted(), adas());
    let party = world.keys.party("acme/c-1");
    assert!(party.cutoff.is_some() && party.pending_erase.is_empty() && party.pending_until.is_none());
    assert!(party.subjects.is_empty() && world.links(&subject.subject_id).is_empty());
    assert_eq!(world.closed(Party::Joint), places("a", &[1]));
    assert_eq!(world.places_of(&needles), Vec::<String>::new());
    // Once more, and by whoever wants it: nothing is left to do.
    let before = world.bronze.all();
    assert!(world.invoke(r#"{"v":1,"kind":"released","record":"acme/c-1"}"#, 1).await);
    assert_eq!(world.bronze.all(), before);
}

#[tokio::test(start_paused = true)]
async fn a_hold_that_comes_between_any_two_steps_loses_nothing_that_it_holds() {
    for step in ["subjects", "enumerate", "approve", "records", "links", "objects", "settle"] {
        let world = filled().await;
        let contents = world.contents();
        let id = world.approved(Asking::whole(ADA)).await;
        assert!(!world.invoke_until(&World::erase_note(&id), |world| world.step_of(&id) == step).await, "{step}");
        let was_reached = world.keys.party("acme/c-1").erasures > 0;
        world.hold("acme/c-1").await;
        let (lines, now) = (world.redacted(), world.contents());
        world.pass(1_000_000);
        world.finish(&[&id]).await;
        let of_record = all([places("a", &[0, 1]), places("b", &[0])]);
        let taken = &world.redacted() & &of_record;
        assert_eq!(taken, &lines & &of_record, "{step}: a line went while it was held");
        for place in &of_record {
            assert_eq!(world.contents()[place], now[place], "{step}: a key went while it was held");
            assert!(was_reached || now[place] == contents[place], "{step}");
        }
        world.lift("acme/c-1").await;
        world.finish(&[]).await;
        assert_eq!(world.redacted(), adas(), "{step}");
        assert!(
            of_record.iter().all(|place| !world.contents()[place].contains_key(&Party::Customer)
                || world.contents()[place][&Party::Customer].is_none()),
            "{step}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_held_record_that_is_listed_goes_when_its_hold_is_lifted() {
    let world = World::new().await;
    world.fill("a", &[nobody("c-1", T0), call("c-2", BOB, T0 + SECOND), nobody("c-2", T0 + 2 * SECOND)]).await;
    world.hold("acme/c-1").await;
    world.hold("acme/c-2").await;
    world.erase(Asking::listed(&["c-1", "c-2"]).erasing(&["acme/c-2"])).await;
    assert!(world.redacted().is_empty() && world.gone().is_empty());
    world.lift("acme/c-1").await;
    world.finish(&[]).await;
    assert_eq!(world.redacted(), places("a", &[0]));
    // What the approver decided counts then, too; Bob's stays.
    world.lift("acme/c-2").await;
    world.finish(&[]).await;
    assert_eq!(world.redacted(), places("a", &[0, 2]));
    assert!(!world.closed(Party::Customer).contains(&("a".to_owned(), 1)));
}

#[tokio::test(start_paused = true)]
async fn an_alias_stays_while_a_record_of_its_is_held() {
    let world = filled().await;
    let record = world.keys.look(|rows| {
        let parties = rows.keys().filter_map(ledgerline_store::party::parse_key);
        let contacts: Vec<String> = parties.filter(|one| one.contains("/Contact/")).map(str::to_owned).collect();
        contacts
    });
    let subject = world.subject("acme", ADA, Kind::ExternalContact).await.unwrap().subject_id;
    let hers = record.into_iter().find(|one| world.keys.party(one).subjects.contains(&subject)).unwrap();
    world.hold(&hers).await;
    world.erase(Asking::whole(ADA)).await;
    assert_eq!(world.redacted(), &adas() - &places("b", &[1]));
    let alias = hers.rsplit('/').next().unwrap();
    assert!(!world.is_gone(alias));
    world.lift(&hers).await;
    world.finish(&[]).await;
    assert_eq!(world.redacted(), adas());
    assert!(world.is_gone(alias));
    let names = world.names(&ADA.identifier(Kind::ExternalContact));
    assert!(world.places_of(&names).is_empty(), "{:?}", world.places_of(&names));
}

#[tokio::test(start_paused = true)]
async fn a_message_without_a_hold_that_was_lifted_does_nothing() {
    let world = filled().await;
    let before = (world.bronze.all(), world.keys.rows());
    for record in ["acme/c-1", "acme/c-9", "beta/c-6"] {
        assert!(world.invoke(&format!(r#"{{"v":1,"kind":"released","record":"{record}"}}"#), 1).await);
    }
    assert_eq!((world.bronze.all(), world.keys.rows()), before);
}
