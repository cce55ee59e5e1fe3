//! Shared subjects: an interaction that they alone are linked to is named, and nothing of it is read.

use ledgerline_ledger::store::StoreError;
use ledgerline_privacy::{Identifier, Kind, Region};
use ledgerline_store::record;
use serde_json::{Value, json};

use crate::world::*;

const SHARED_AT: &str = "2026-03-02T12:00:00.000Z";

fn email() -> Identifier {
    Identifier::parse(Kind::Email, "ada@example.com", Region::US).unwrap()
}

fn by_both() -> Value {
    json!({ "identifiers": [{ "kind": "phone", "value": PHONE }, { "kind": "email", "value": "ada@example.com" }] })
}

/// c-1 and c-2 of a shared phone, c-2 and c-3 of an e-mail address that is a person's. Entries 1 to 6, two of each.
async fn switchboard() -> (World, String) {
    let world = World::new().await;
    let subject = world.link(&phone(PHONE), "acme/c-1", "10:00", "10:02").await;
    world.link(&phone(PHONE), "acme/c-2", "11:00", "11:02").await;
    world.link(&email(), "acme/c-2", "11:01", "11:01").await;
    world.link(&email(), "acme/c-3", "12:00", "12:02").await;
    for n in 0..3 {
        let (id, hour) = (format!("c-{}", n + 1), 10 + n);
        let entries =
            [(0, 1), (2, 2)].map(|(minute, nth)| entry(&id, &format!("{hour}:0{minute}"), "wrapup", 2 * n + nth));
        world.append(&entries, 256, Stage::Indexed).await;
    }
    world.keys.share(&subject, SHARED_AT);
    (world, subject)
}

#[tokio::test]
async fn an_interaction_of_a_shared_subject_alone_is_named_and_the_answer_is_not_complete() {
    let (world, _) = switchboard().await;
    // Neither its pin nor postings or evidence of it may be asked for.
    for read in ["read log pins", "read postings"] {
        world.trips.on(&format!("{read} {}", record::partition("acme/c-1")), StoreError::Denied);
    }
    let (status, answer) = world.ask(by_both()).await;
    assert_eq!(status, 200, "{answer}");
    let named = json!({
        "org": "acme", "interactionId": "c-1", "first": time("10:00"), "last": time("10:02"), "shared": true,
        "entries": [],
    });
    assert_eq!(answer["interactions"][0], named);
    let wanted = [("c-1", vec![]), ("c-2", vec![3, 4]), ("c-3", vec![5, 6])].map(|(id, n)| (id.to_owned(), n));
    assert_eq!(given(&answer), wanted, "what a person is linked to, too, is answered whole");
    assert!(answer["interactions"][1].get("shared").is_none());
    let customer = json!({ "found": true, "subjects": 2, "limited": true, "shared": true });
    assert_eq!((&answer["customer"], &answer["complete"]), (&customer, &json!(false)));
    assert_eq!(answer["systems"]["ledger"]["asked"], 2);

    // By the phone alone nothing is read at all, and that is no failure.
    world.trips.on("head", StoreError::Denied);
    world.trips.on("postings", StoreError::Denied);
    let (status, answer) = world.ask(by_phone()).await;
    assert_eq!((status, given(&answer).len()), (200, 2), "{answer}");
    assert!(answer["interactions"].as_array().unwrap().iter().all(|one| one["shared"] == json!(true)), "{answer}");
    assert_eq!(answer["systems"]["ledger"], json!({ "asked": 0, "answered": 0, "failed": 0 }));
}

#[tokio::test]
async fn who_is_no_longer_shared_is_answered_whole_and_never_completely() {
    let (world, subject) = switchboard().await;
    world.keys.unshare(&subject);
    let (_, answer) = world.ask(by_phone()).await;
    assert_eq!(given(&answer), [("c-1".to_owned(), vec![1, 2]), ("c-2".to_owned(), vec![3, 4])]);
    let customer = json!({ "found": true, "subjects": 1, "limited": true });
    assert_eq!((&answer["customer"], &answer["complete"]), (&customer, &json!(false)));
}

#[tokio::test]
async fn nothing_of_it_is_pending_and_a_filtered_link_of_it_is_counted_without_a_look() {
    let world = World::new().await;
    // An event of c-1 is under way; c-2 has a pin.
    let subject = world.link(&phone(PHONE), "acme/c-1", "10:00", "10:02").await;
    world.link_filtered(&phone(PHONE), "acme/c-2").await;
    world.pin("acme/c-2").await;
    world.keys.share(&subject, SHARED_AT);
    world.trips.on("pins", StoreError::Denied);
    let (status, answer) = world.ask(by_phone()).await;
    assert_eq!((status, &answer["filtered"]), (200, &json!(1)), "{answer}");
    assert_eq!(given(&answer), [("c-1".to_owned(), vec![])]);
    assert!(answer["interactions"][0].get("pending").is_none(), "{answer}");
    // A person's link beside it asks whether an entry is under way.
    world.trips.clear();
    world.link_filtered(&email(), "acme/c-2").await;
    let (_, answer) = world.ask(by_both()).await;
    assert!(answer.get("filtered").is_none() && answer["complete"] == json!(false), "{answer}");
}

#[tokio::test]
async fn a_range_asks_what_the_link_of_it_says() {
    let (world, _) = switchboard().await;
    // An entry of c-1 without the phone: the link does not know of it.
    world.append(&[entry("c-1", "13:00", "wrapup", 7)], 1, Stage::Indexed).await;
    for (from, to, wanted) in
        [("10:02", "10:30", vec!["c-1"]), ("10:03", "13:00", vec!["c-2"]), ("13:00", "14:00", vec![])]
    {
        let mut question = by_phone();
        question["dateRange"] = json!({ "from": time(from), "to": time(to) });
        let (_, answer) = world.ask(question).await;
        let named: Vec<String> = given(&answer).into_iter().map(|(id, _)| id).collect();
        assert_eq!(named, wanted, "from {from} to {to}");
        assert_eq!(answer["complete"], json!(false));
        if from == "10:02" {
            assert_eq!(answer["interactions"][0]["beganBeforeRange"], json!(true));
        }
    }
}

#[tokio::test]
async fn pages_name_each_once_whatever_their_size() {
    let (world, _) = switchboard().await;
    for size in 1..7 {
        let mut question = by_both();
        question["pageSize"] = json!(size);
        let pages = world.all(question).await;
        assert!(pages.iter().all(|page| page["complete"] == json!(false)));
        let all: Vec<(String, Vec<u64>)> = pages.iter().flat_map(given).collect();
        assert_eq!(all.iter().filter(|(id, _)| id == "c-1").count(), 1, "page size {size}");
        assert_eq!(all.into_iter().flat_map(|(_, n)| n).collect::<Vec<_>>(), [3, 4, 5, 6], "page size {size}");
    }
}

#[tokio::test]
async fn what_becomes_shared_inside_an_interaction_ends_it_there_and_says_so() {
    let (world, subject) = switchboard().await;
    world.keys.unshare(&subject);
    let mut question = by_phone();
    question["pageSize"] = json!(1);
    let (_, first) = world.ask(question.clone()).await;
    assert_eq!(
        (given(&first), &first["interactions"][0]["continues"]),
        (vec![("c-1".to_owned(), vec![1])], &json!(true))
    );
    world.keys.share(&subject, SHARED_AT);
    question["pageToken"] = first["nextPageToken"].clone();
    let (_, second) = world.ask(question.clone()).await;
    let one = &second["interactions"][0];
    assert_eq!((given(&second), &second["complete"]), (vec![("c-1".to_owned(), vec![])], &json!(false)));
    assert_eq!((&one["continued"], &one["shared"], one.get("continues")), (&json!(true), &json!(true), None));
    question["pageToken"] = second["nextPageToken"].clone();
    assert_eq!(given(&world.ask(question.clone()).await.1), [("c-2".to_owned(), vec![])]);

    // And back: what the pages before left out stays missing, and every later page says so.
    world.keys.unshare(&subject);
    let (_, third) = world.ask(question).await;
    assert_eq!((given(&third), &third["complete"]), (vec![("c-2".to_owned(), vec![3])], &json!(false)));
}
