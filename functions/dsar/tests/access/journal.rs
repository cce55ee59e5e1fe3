//! What capture took and is not in the ledger yet: told at once, and once.

use ledgerline_ledger::store::StoreError;
use ledgerline_store::cutoff::Cutoff;
use ledgerline_store::journal::PlannedAs;
use serde_json::{Value, json};

use crate::world::*;

/// Of the answer's only interaction, which entries are `journal`, and their types or lines.
fn told(answer: &Value) -> Vec<(bool, String)> {
    let interactions = answer["interactions"].as_array().unwrap();
    let entries = interactions.iter().flat_map(|one| one["entries"].as_array().unwrap());
    let of = |entry: &Value| {
        let journal = entry.get("journal") == Some(&json!(true));
        assert_eq!(journal, entry.get("place").is_none(), "{entry}");
        assert_eq!(journal, entry.get("receivedAt").is_some(), "{entry}");
        let name = if journal { entry["entry"]["n"].to_string() } else { entry["entry"]["source"]["line"].to_string() };
        (journal, name)
    };
    entries.map(of).collect()
}

fn of(journal: bool, name: &str) -> (bool, String) {
    (journal, name.to_owned())
}

#[tokio::test]
async fn an_event_is_told_from_the_moment_on_at_which_it_was_journaled() {
    let world = World::new().await;
    let subject = world.link_filtered(&phone(PHONE), "acme/c-1").await;
    assert_eq!(told(&world.ask(by_phone()).await.1), []);
    world.journal("acme/c-1", 1, &subject, "10:00").await;
    let (status, answer) = world.ask(by_phone()).await;
    assert_eq!((status, told(&answer), &answer["complete"]), (200, vec![of(true, "1")], &json!(true)), "{answer}");
    let one = &answer["interactions"][0];
    assert_eq!(
        (&one["interactionId"], &one["first"], &one["last"]),
        (&json!("c-1"), &json!(time("10:00")), &json!(time("10:00")))
    );
    assert!(answer.get("filtered").is_none() && one.get("pending").is_none(), "{answer}");
    // In a range or out of it, as entries are.
    for (from, wanted) in [("09:00", 1), ("10:01", 0)] {
        let mut question = by_phone();
        question["dateRange"] = json!({ "from": time(from) });
        assert_eq!(told(&world.ask(question).await.1).len(), wanted, "{from}");
    }
}

#[tokio::test]
async fn it_is_told_once_from_the_stream_to_the_ledger() {
    for stage in [Stage::Committed, Stage::Posted, Stage::Indexed] {
        let world = World::new().await;
        let subject = world.link_filtered(&phone(PHONE), "acme/c-1").await;
        world.journal("acme/c-1", 1, &subject, "10:00").await;
        // Transform pins the record, widens the link, and plans the event.
        world.pin("acme/c-1").await;
        let (_, answer) = world.ask(by_phone()).await;
        assert_eq!((told(&answer), &answer["interactions"][0]["pending"]), (vec![of(true, "1")], &json!(true)));
        let entry = entry("c-1", "10:00", "consent", 7);
        let planned = PlannedAs { event_id: entry.event_id.clone(), object: "o".to_owned() };
        assert!(world.journals().note_planned("acme/c-1", &claim_id(1), &planned).await.unwrap());
        assert_eq!(told(&world.ask(by_phone()).await.1), [of(true, "1")]);
        world.append(&[entry], 256, stage).await;
        let (_, answer) = world.ask(by_phone()).await;
        assert_eq!((told(&answer), &answer["complete"]), (vec![of(false, "7")], &json!(true)), "the ledger's wins");
        let events = world.journals().of("acme/c-1").await.unwrap();
        world.journals().forget("acme/c-1", &events).await.unwrap();
        assert_eq!(told(&world.ask(by_phone()).await.1), [of(false, "7")]);
    }
}

/// An event that transform plans between the two looks of one answer: its row names no entry at the first, and its entry was not read.
#[tokio::test]
async fn another_records_entry_takes_no_journaled_events_place() {
    let world = World::new().await;
    let subject = world.link(&phone(PHONE), "acme/c-1", "10:00", "10:00").await;
    world.append(&[entry("c-1", "10:00", "customer.start", 7)], 256, Stage::Indexed).await;
    for (n, clock) in [(2, "10:02"), (1, "10:01")] {
        world.journal("acme/c-1", n, &subject, clock).await;
    }
    let planned = PlannedAs { event_id: "ee".repeat(16), object: "o".to_owned() };
    assert!(world.journals().note_planned("acme/c-1", &claim_id(1), &planned).await.unwrap());
    let (_, answer) = world.ask(by_phone()).await;
    assert_eq!(
        told(&answer),
        [of(true, "1"), of(true, "2"), of(false, "7")],
        "by when they occurred, before the entries"
    );
    // On pages of one entry each it stands on the first.
    world.append(&[entry("c-1", "10:09", "customer.end", 8)], 256, Stage::Indexed).await;
    let mut question = by_phone();
    question["pageSize"] = json!(1);
    let pages: Vec<Vec<(bool, String)>> = world.all(question).await.iter().map(told).collect();
    assert_eq!(pages, [vec![of(true, "1"), of(true, "2"), of(false, "7")], vec![of(false, "8")]]);
}

#[tokio::test]
async fn nothing_is_told_of_what_is_erased_shared_or_expired() {
    // The link says until when to look: a month after the event came.
    let world = World::new().await;
    let subject = world.link_filtered(&phone(PHONE), "acme/c-1").await;
    world.journal("acme/c-1", 1, &subject, "10:00").await;
    let (_, answer) = world.ask_at(NOW_MS + 31 * 86_400_000, by_phone()).await;
    assert_eq!(told(&answer), []);
    // Only a shared subject is linked to it.
    world.keys.share(&subject, &time("10:00"));
    assert_eq!(told(&world.ask(by_phone()).await.1), []);
    world.keys.unshare(&subject);
    assert_eq!(told(&world.ask(by_phone()).await.1).len(), 1);
    // All of the record was erased, up to a moment behind the event.
    world.keys.erase_record("acme/c-1", Some(Cutoff::At(NOW_MS)));
    assert_eq!(told(&world.ask(by_phone()).await.1), []);
}

#[tokio::test]
async fn a_journal_that_does_not_answer_fails_the_request() {
    let world = World::new().await;
    let subject = world.link_filtered(&phone(PHONE), "acme/c-1").await;
    world.journal("acme/c-1", 1, &subject, "10:00").await;
    world.trips.on("read journaled events", StoreError::Throttled);
    assert_eq!(world.ask(by_phone()).await.0, 503);
}

/// Records without the mark in any link cost nothing.
#[tokio::test]
async fn only_marked_links_are_looked_up() {
    let world = World::new().await;
    world.link(&phone(PHONE), "acme/c-1", "10:00", "10:00").await;
    world.append(&[entry("c-1", "10:00", "customer.start", 7)], 256, Stage::Indexed).await;
    world.ask(by_phone()).await;
    assert_eq!(world.trips.reads("read journaled events"), 0);
}
