//! Open requests about whom a question asks for; and an erased person, who was never seen.

use std::collections::BTreeSet;

use ledgerline_lambda::caller::Orgs as Allowed;
use ledgerline_store::asked::Asked;
use ledgerline_store::orgs::Orgs;
use ledgerline_store::request::{Done, Regime, RequestKind, RequestRow, Requests, State, Step, Who, id_of_random, key};
use ledgerline_store::subject::{Ending, Subjects};
use ledgerline_store::table::IntoValue as _;
use serde_json::{Value, json};

use crate::world::*;

/// A request about the phone's owner in these orgs, due on a day of April.
async fn request(world: &World, number: u8, kind: RequestKind, orgs: &[&str], day: u8) -> String {
    let (id, at) = (id_of_random([number; 16]), time("09:00"));
    let name = pseudonym(world).await;
    let row = RequestRow {
        kind,
        regime: Regime::Gdpr,
        orgs: orgs.iter().map(|org| (*org).to_owned()).collect(),
        state: State::Received,
        received_at: at.clone(),
        due_at: format!("2026-04-{day:02}T23:59:59.999Z"),
        extended: false,
        version: 1,
        history: vec![Done { step: Step::Received, at: at.clone(), by: "u_1".to_owned(), method: None }],
        approved: None,
        cooling_off_until: None,
        waits_for_approval: false,
        also_asked_by: BTreeSet::new(),
        certificate: None,
    };
    let who = Who { pseudonyms: vec![name.clone()], duplicates: vec![format!("digest-{number}")], ..Who::default() };
    let names: Vec<(&str, &str)> = orgs.iter().map(|org| (*org, name.as_str())).collect();
    Asked::new(world.keys.port()).add(&names, &id).await.unwrap();
    Requests::new(world.control.port(), world.keys.port()).create(&id, &row, &who, &[], &at).await.unwrap();
    id
}

async fn pseudonym(world: &World) -> String {
    world.key(1).await.pseudonym(&phone(PHONE)).as_str().to_owned()
}

fn close(world: &World, id: &str, state: State) {
    world.control.change(&key(id), |row| drop(row.insert("state".to_owned(), state.as_str().into_value())));
}

fn told(answer: &Value) -> Vec<&str> {
    answer["requests"].as_array().into_iter().flatten().map(|one| one["requestId"].as_str().unwrap()).collect()
}

async fn noted(world: &World, orgs: &[&str]) {
    for org in orgs {
        Orgs::new(world.control.port()).note(org).await.unwrap();
    }
}

#[tokio::test]
async fn open_requests_are_told_on_every_page_what_is_due_first_and_of_somebody_unknown_too() {
    let world = World::new().await;
    noted(&world, &["acme"]).await;
    let copy = request(&world, 2, RequestKind::Access, &["acme"], 9).await;
    let erasure = request(&world, 3, RequestKind::Erasure, &["acme"], 2).await;
    let (_, answer) = world.ask(by_phone()).await;
    let expected = json!([
        { "requestId": erasure, "type": "ERASURE", "state": "received", "dueAt": "2026-04-02T23:59:59.999Z" },
        { "requestId": copy, "type": "ACCESS", "state": "received", "dueAt": "2026-04-09T23:59:59.999Z" },
    ]);
    assert_eq!((&answer["requests"], &answer["customer"]["found"]), (&expected, &json!(false)), "{answer}");
    let subject = world.link(&phone(PHONE), "acme/c-1", "10:00", "10:02").await;
    let entries: Vec<_> =
        (1..).zip(["10:00", "10:01", "10:02"]).map(|(n, clock)| entry("c-1", clock, "wrapup", n)).collect();
    world.append(&entries, 256, Stage::Indexed).await;
    let mut paged = by_phone();
    paged["pageSize"] = json!(1);
    let pages = world.all(paged).await;
    assert_eq!(pages.len(), 3);
    assert!(pages.iter().all(|page| page["requests"] == expected), "{pages:?}");
    // By whatever name the person is asked for.
    for name in [subject, pseudonym(&world).await] {
        assert_eq!(world.ask(json!({ "customerIdHash": name })).await.1["requests"], expected);
    }
    // And nothing of anybody else's.
    let other = json!({ "identifiers": [{ "kind": "phone", "value": "+1 555 555 0199" }] });
    assert_eq!(world.ask(other).await.1.get("requests"), None);
}

#[tokio::test]
async fn a_request_is_told_to_whoever_may_ask_each_of_its_orgs() {
    let world = World::new().await;
    noted(&world, &["acme", "beta"]).await;
    let (one, both) = (
        request(&world, 1, RequestKind::Erasure, &["acme"], 1).await,
        request(&world, 2, RequestKind::Erasure, &["acme", "beta"], 2).await,
    );
    let of = |orgs: Allowed| caller("somebody", orgs);
    let only = |orgs: &[&str]| Allowed::Only(orgs.iter().map(|org| (*org).to_owned()).collect::<BTreeSet<_>>());
    let cases = [
        (Allowed::All, vec![&one, &both]),
        (only(&["acme", "beta"]), vec![&one, &both]),
        (only(&["acme"]), vec![&one]),
        (only(&["beta"]), vec![]),
    ];
    for (orgs, expected) in cases {
        let case = format!("{orgs:?}");
        let (status, answer) = world.ask_as(&of(orgs), NOW_MS, by_phone()).await;
        assert_eq!((status, told(&answer)), (200, expected.into_iter().map(String::as_str).collect()), "{case}");
    }
}

#[tokio::test]
async fn what_is_closed_or_never_was_made_is_not_told() {
    let world = World::new().await;
    noted(&world, &["acme"]).await;
    let mut ids = Vec::new();
    for (number, state) in (1..).zip(State::ALL) {
        let id = request(&world, number, RequestKind::Erasure, &["acme"], number).await;
        close(&world, &id, state);
        if !state.is_final() {
            ids.push(id);
        }
    }
    // One whose making ended before it was made.
    let name = pseudonym(&world).await;
    Asked::new(world.keys.port()).add(&[("acme", &name)], &id_of_random([99; 16])).await.unwrap();
    let (status, answer) = world.ask(by_phone()).await;
    assert_eq!((status, told(&answer), ids.len()), (200, ids.iter().map(String::as_str).collect(), 5));
}

#[tokio::test]
async fn a_table_that_does_not_answer_fails_the_answer() {
    let world = World::new().await;
    noted(&world, &["acme"]).await;
    request(&world, 1, RequestKind::Erasure, &["acme"], 1).await;
    for part in ["read which requests name somebody", "read a request"] {
        world.trips.on(part, ledgerline_ledger::store::StoreError::Throttled);
        assert_eq!(world.ask(by_phone()).await.0, 503, "{part}");
        world.trips.clear();
    }
}

/// The rows that the eraser leaves: from the end of the subject on the answer is the one about somebody who was never seen, but for the request
/// as long as it is open.
#[tokio::test]
async fn an_erased_person_was_never_seen() {
    let never = World::new().await;
    noted(&never, &["acme"]).await;
    let never = never.ask(by_phone()).await.1;
    let world = World::new().await;
    let subject = world.link(&phone(PHONE), "acme/c-1", "10:00", "10:02").await;
    world.append(&[entry("c-1", "10:00", "customer.start", 1)], 256, Stage::Indexed).await;
    let id = request(&world, 1, RequestKind::Erasure, &["acme"], 1).await;
    assert_eq!(given(&world.ask(by_phone()).await.1).len(), 1);

    let (subjects, name) = (Subjects::new(world.keys.port()), pseudonym(&world).await);
    let row = subjects.identifier_rows(&[("acme", &name)]).await.unwrap().remove(0).unwrap();
    let ending = Ending { request: &id, subject: &row.subject, identifiers: &[("acme", &name)] };
    subjects.end(&world.control.port(), &ending).await.unwrap();
    close(&world, &id, State::Erasing);
    let mut open = never.clone();
    open["requests"] =
        json!([{ "requestId": id, "type": "ERASURE", "state": "erasing", "dueAt": "2026-04-01T23:59:59.999Z" }]);
    assert_eq!(world.ask(by_phone()).await.1, open, "ended, with all its links");

    subjects.delete_links(&[(&subject, "acme/c-1")]).await.unwrap();
    subjects.delete_states(&[&subject]).await.unwrap();
    Asked::new(world.keys.port()).take(&[("acme", &name)], &id, true).await.unwrap();
    close(&world, &id, State::Done);
    assert_eq!(world.ask(by_phone()).await.1, never);
    let by_id = world.ask(json!({ "customerIdHash": subject })).await.1;
    assert_eq!((&by_id["customer"], &by_id["interactions"]), (&never["customer"], &json!([])));
}
