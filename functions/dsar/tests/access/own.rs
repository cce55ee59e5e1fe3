//! Requests that name the company itself: a hotline, an address of its own domain, and what once was one of these.

use ledgerline_custody::own::{LIST_TTL_MS, parse_list};
use ledgerline_dsar::Config;
use ledgerline_ledger::store::StoreError;
use ledgerline_privacy::{Identifier, Kind, Region};
use ledgerline_store::own::Change;
use serde_json::{Value, json};

use crate::world::*;

/// A customer of one interaction, committed.
async fn one(world: &World) -> String {
    let subject = world.link(&phone(PHONE), "acme/c-1", "10:00", "10:00").await;
    world.append(&[entry("c-1", "10:00", "customer.start", 1)], 256, Stage::Indexed).await;
    subject
}

fn by(kind: &str, value: &str) -> Value {
    json!({ "identifiers": [{ "kind": kind, "value": value }] })
}

/// `(customer, complete)` of an answer.
fn said(answer: &Value) -> (Value, bool) {
    (answer["customer"].clone(), answer["complete"] == json!(true))
}

#[tokio::test]
async fn a_number_on_its_orgs_list_or_in_the_parameter_is_not_one_person() {
    let shared = json!({ "found": true, "subjects": 1, "shared": true });
    let by_parameter = World::with(Config { own_numbers: parse_list(PHONE, Region::US).unwrap(), ..config("t") });
    by_parameter.add_key(1).await;
    one(&by_parameter).await;
    assert_eq!(said(&by_parameter.ask(by_phone()).await.1), (shared.clone(), false));

    let world = World::new().await;
    let subject = one(&world).await;
    world.change_own("acme", PHONE, Change::Add).await;
    let pseudonym = world.key(1).await.pseudonym(&phone(PHONE)).as_str().to_owned();
    for question in [
        by_phone(),
        by("phone", "(555) 555-0142"),
        by("messaging_address", PHONE),
        json!({ "customerIdHash": pseudonym }),
        json!({ "customerIdHash": subject }),
    ] {
        assert_eq!(said(&world.ask(question.clone()).await.1), (shared.clone(), false), "{question}");
    }
    // Beside an identifier of a person, too; and where nobody was ever linked.
    let both = json!({ "identifiers": [{ "kind": "email", "value": "ada@example.com" }, { "kind": "phone", "value": PHONE }] });
    assert_eq!(said(&world.ask(both).await.1), (shared, false));
    world.change_own("acme", "+15555550199", Change::Add).await;
    let later = world.ask_at(NOW_MS + LIST_TTL_MS, by("phone", "+15555550199")).await.1;
    assert_eq!(said(&later), (json!({ "found": false, "subjects": 0, "shared": true }), false));
    let ada = world.ask_at(NOW_MS + LIST_TTL_MS, by("email", "ada@example.com")).await.1;
    assert_eq!(said(&ada), (json!({ "found": false, "subjects": 0 }), true), "nobody else is touched");
}

#[tokio::test]
async fn an_address_of_an_own_domain_is_not_one_person_and_one_of_its_subdomain_is() {
    let world = World::new().await;
    let address = |value: &str| Identifier::parse(Kind::Email, value, Region::US).unwrap();
    for (record, value) in [("acme/c-1", "ada@example.com"), ("acme/c-2", "ada@mail.example.com")] {
        world.link(&address(value), record, "10:00", "10:00").await;
    }
    let entries = [entry("c-1", "10:00", "customer.start", 1), entry("c-2", "10:00", "customer.start", 2)];
    world.append(&entries, 256, Stage::Indexed).await;
    world.change_own("acme", "example.com", Change::Add).await;
    let shared = json!({ "found": true, "subjects": 1, "shared": true });
    assert_eq!(said(&world.ask(by("email", "Ada@EXAMPLE.com")).await.1), (shared, false));
    let own = json!({ "found": true, "subjects": 1 });
    assert_eq!(said(&world.ask(by("email", "ada@mail.example.com")).await.1), (own, true));
}

#[tokio::test]
async fn what_was_removed_is_a_person_again_and_not_a_complete_answer() {
    let world = World::new().await;
    one(&world).await;
    world.change_own("acme", PHONE, Change::Add).await;
    world.change_own("acme", PHONE, Change::Remove).await;
    let (customer, complete) = said(&world.ask(by_phone()).await.1);
    assert_eq!((customer, complete), (json!({ "found": true, "subjects": 1, "limited": true }), false));
    world.change_own("acme", PHONE, Change::Restore).await;
    let again = world.ask_at(NOW_MS + LIST_TTL_MS, by_phone()).await.1;
    assert_eq!(said(&again), (json!({ "found": true, "subjects": 1, "shared": true }), false));
}

#[tokio::test]
async fn a_row_from_before_a_rotation_counts_after_it() {
    let world = World::new().await;
    one(&world).await;
    world.change_own("acme", PHONE, Change::Add).await;
    world.add_key(2).await;
    assert_eq!(said(&world.ask(by_phone()).await.1).0["shared"], json!(true));
}

#[tokio::test]
async fn lists_are_kept_for_a_minute() {
    let world = World::new().await;
    one(&world).await;
    assert!(said(&world.ask(by_phone()).await.1).1);
    world.change_own("acme", PHONE, Change::Add).await;
    for (after_ms, complete) in [(LIST_TTL_MS - 1, true), (LIST_TTL_MS, false)] {
        assert_eq!(said(&world.ask_at(NOW_MS + after_ms, by_phone()).await.1).1, complete, "{after_ms}");
    }
}

#[tokio::test]
async fn a_list_that_does_not_answer_fails_the_request() {
    for (trip, error, status) in [
        ("own numbers", StoreError::Throttled as MakeError, 503),
        ("own numbers", StoreError::Denied, 500),
        ("orgs", StoreError::Unknown, 503),
        ("subjects", StoreError::Throttled, 503),
    ] {
        let world = World::new().await;
        let subject = one(&world).await;
        world.trips.on(trip, error);
        let (answered, _) = world.ask(json!({ "customerIdHash": subject })).await;
        assert_eq!(answered, status, "{trip}");
        world.trips.clear();
        assert_eq!(world.ask(by_phone()).await.0, 200);
    }
}
