//! What an event is called: by its place wherever it is told of, by what it says in its claim alone.

use std::collections::HashSet;

use ledgerline_event::{Context, adapt, content_id, document};
use ledgerline_lake::ObjectId;
use ledgerline_lake::keys::PlanOf;

use crate::world::{BUCKET, World, captured, event, event_key, key, lines};

/// A body of which everything is known but the caller's number.
fn told(number: u32) -> String {
    format!(
        r#"{{"interactionId":"c-1","eventType":"STATE_CHANGE","timestamp":"2026-03-02T14:00:00Z","ani":"tel:+1555{number:07}"}}"#
    )
}

/// Some 2 µs a guess.
const GUESSES: u32 = 1_000_000;

#[tokio::test]
async fn a_million_guesses_with_the_event_key_at_hand_match_no_event_id() {
    let world = World::new();
    let called = 5_550_142 % GUESSES;
    world.bronze.seed(&key("a"), lines(&[told(called), event(1, 0)]));
    world.settle(&[&key("a")]).await;
    let planned = world.check();
    assert_eq!(planned.counts.planned, 2);
    let ids: HashSet<&str> = planned.entries.iter().map(|entry| entry.event_id.as_str()).collect();
    let halves: HashSet<u128> = ids.iter().map(|id| u128::from_str_radix(id, 16).unwrap()).collect();

    // What the content id reads of the adapted event is the same for every number.
    let known = told(0);
    let tree = document::parse(known.as_bytes()).unwrap();
    let adapted = adapt(&tree, &Context { default_org: "acme", numeric_id_sources: &[] }).unwrap();
    let (event_key, mut hits) = (event_key(), Vec::new());
    let mut guess = known.clone().into_bytes();
    let digits = guess.len() - "0000000\"}".len();
    for number in 0..GUESSES {
        let mut rest = number;
        for digit in guess[digits..digits + 7].iter_mut().rev() {
            *digit = b'0' + (rest % 10) as u8;
            rest /= 10;
        }
        let content = content_id(&adapted, &document::parse(&guess).unwrap());
        let bare = u128::from_be_bytes(content.as_bytes()[..16].try_into().unwrap());
        let keyed = event_key.claim_id(content.as_bytes());
        assert!(!ids.contains(keyed.as_str()) && !halves.contains(&bare), "{number:07} is told by an event's id");
        if planned.events.contains_key(&keyed) {
            hits.push((number, keyed));
        }
    }

    // The guesses are good ones: they find the claim, which is where such an id stands, and nothing else.
    let [(number, claim_id)] = hits.as_slice() else { panic!("{} claims were guessed", hits.len()) };
    assert_eq!(*number, called);
    assert_eq!(world.index.dump().matches(claim_id).count(), 1);
    assert_eq!(world.everything_but_bronze().matches(claim_id).count(), 1);
    assert!(!captured().text().contains(claim_id));
}

#[tokio::test]
async fn an_event_in_two_objects_is_planned_in_one_and_its_id_is_of_its_place_there() {
    let sent = [event(1, 0), event(1, 1), event(1, 2)];
    let (first, second) = (lines(&sent[..2]), lines(&sent[1..]));
    let mut claimed = HashSet::new();
    for (one, other, line) in [("a", "b", 1), ("b", "a", 0)] {
        let world = World::new();
        world.bronze.seed(&key("a"), first.clone());
        world.bronze.seed(&key("b"), second.clone());
        world.settle(&[&key(one)]).await;
        world.settle(&[&key(other)]).await;
        let planned = world.check();
        assert_eq!((planned.counts.planned, planned.counts.duplicate), (3, 1));
        let owner = ObjectId::of(BUCKET, &key(one));
        let id = owner.event_id(PlanOf::Bronze, line);
        let entries: Vec<_> = planned.entries.iter().filter(|entry| entry.event_id == id).collect();
        let [entry] = entries.as_slice() else { panic!("{} entries of {one}'s line {line}", entries.len()) };
        assert_eq!((&entry.source.object, entry.source.line), (&owner.to_hex(), line));
        let object = ObjectId::of(BUCKET, &key(other)).to_hex();
        let others = planned.entries.iter().filter(|entry| entry.source.object == object).count();
        assert_eq!(others, 1, "the other object plans what it alone holds");
        claimed.insert(planned.events.into_keys().collect::<Vec<_>>());
    }
    assert_eq!(claimed.len(), 1, "whichever came first, the claims are the same");
}
