//! Links that filtered lines alone made: counted, never called pending, and no way to lose an entry.

use ledgerline_ledger::store::StoreError;
use ledgerline_privacy::{Identifier, Kind, Region};
use serde_json::{Value, json};

use crate::world::*;

async fn filtered(records: &[&str]) -> World {
    let world = World::new().await;
    for record in records {
        world.link_filtered(&phone(PHONE), record).await;
    }
    world
}

/// `(given, filtered, complete)` of a page.
fn said(page: &Value) -> (Vec<(String, Vec<u64>)>, u64, bool) {
    (given(page), page.get("filtered").map_or(0, |count| count.as_u64().unwrap()), page["complete"] == json!(true))
}

#[tokio::test]
async fn an_interaction_of_filtered_lines_alone_is_counted_whatever_the_range() {
    let world = filtered(&["acme/c-1", "acme/Queue/q-1"]).await;
    world.link(&phone(PHONE), "acme/c-2", "10:00", "10:00").await;
    world.append(&[entry("c-2", "10:00", "customer.start", 1)], 256, Stage::Indexed).await;
    let (_, answer) = world.ask(by_phone()).await;
    assert_eq!(said(&answer), (vec![("c-2".to_owned(), vec![1])], 2, true));
    assert_eq!(answer["customer"], json!({ "found": true, "subjects": 1 }));
    for range in [json!({ "to": "2020-01-01" }), json!({ "from": "2030-01-01" })] {
        let mut question = by_phone();
        question["dateRange"] = range;
        assert_eq!(said(&world.ask(question).await.1), (vec![], 2, true));
    }
    let none = world.ask(json!({ "identifiers": [{ "kind": "phone", "value": "+15555550199" }] })).await.1;
    assert!(none.get("filtered").is_none(), "left out where there is none: {none}");
}

#[tokio::test]
async fn entries_beside_filtered_lines_are_answered_like_any_other() {
    for stage in [Stage::Committed, Stage::Posted, Stage::Indexed] {
        let world = filtered(&["acme/c-1"]).await;
        world.pin("acme/c-1").await;
        assert_eq!(said(&world.ask(by_phone()).await.1), (vec![], 0, false), "pinned: an entry is under way");
        world.append(&[entry("c-1", "10:00", "wrapup", 1), entry("c-1", "10:09", "wrapup", 2)], 1, stage).await;
        let (_, answer) = world.ask(by_phone()).await;
        assert_eq!(said(&answer), (vec![("c-1".to_owned(), vec![1, 2])], 0, true));
        let one = &answer["interactions"][0];
        assert_eq!((&one["first"], &one["last"]), (&json!(time("10:00")), &json!(time("10:09"))));
        assert!(one.get("pending").is_none());
        for (from, wanted) in [("10:05", vec![("c-1".to_owned(), vec![1, 2])]), ("10:10", vec![])] {
            let mut question = by_phone();
            question["dateRange"] = json!({ "from": time(from) });
            let (_, answer) = world.ask(question).await;
            assert_eq!(said(&answer), (wanted, 0, true), "its entries say whether it is in the range from {from}");
        }
    }
}

#[tokio::test]
async fn a_segment_indexed_between_the_reads_is_given_once() {
    let world = filtered(&["acme/c-1"]).await;
    world.pin("acme/c-1").await;
    let raced = world.append(&[entry("c-1", "10:00", "wrapup", 1)], 256, Stage::Committed).await;
    world.trips.index_after_head(raced);
    for _ in 0..2 {
        assert_eq!(said(&world.ask(by_phone()).await.1), (vec![("c-1".to_owned(), vec![1])], 0, true));
    }
}

#[tokio::test]
async fn of_two_subjects_links_the_one_with_a_span_counts() {
    let email = Identifier::parse(Kind::Email, "ada@example.com", Region::US).unwrap();
    for (whole, filtered) in [(phone(PHONE), email.clone()), (email.clone(), phone(PHONE))] {
        let world = World::new().await;
        world.link_filtered(&filtered, "acme/c-1").await;
        world.link(&whole, "acme/c-1", "10:00", "10:09").await;
        let both = json!([{ "kind": "phone", "value": PHONE }, { "kind": "email", "value": "ada@example.com" }]);
        let question = json!({ "identifiers": both });
        let (_, answer) = world.ask(question.clone()).await;
        assert_eq!(said(&answer), (vec![("c-1".to_owned(), vec![])], 0, false));
        assert_eq!((&answer["interactions"][0]["pending"], &answer["customer"]["subjects"]), (&json!(true), &json!(2)));
        let entries = [entry("c-1", "10:00", "customer.start", 1), entry("c-1", "10:09", "customer.end", 2)];
        world.append(&entries, 256, Stage::Committed).await;
        assert_eq!(said(&world.ask(question).await.1), (vec![("c-1".to_owned(), vec![1, 2])], 0, true));
    }
    let world = filtered(&["acme/c-1"]).await;
    world.link_filtered(&email, "acme/c-1").await;
    let both = json!([{ "kind": "phone", "value": PHONE }, { "kind": "email", "value": "ada@example.com" }]);
    assert_eq!(said(&world.ask(json!({ "identifiers": both })).await.1), (vec![], 1, true), "one interaction");
}

#[tokio::test]
async fn pages_count_each_once() {
    let world = filtered(&["acme/a-1", "acme/b-2", "acme/b-3", "acme/z-1"]).await;
    for record in ["b-1", "c-1", "d-1"] {
        world.link(&phone(PHONE), &format!("acme/{record}"), "10:00", "10:02").await;
        let entries = [entry(record, "10:00", "customer.start", 1), entry(record, "10:02", "customer.end", 2)];
        world.append(&entries, 256, Stage::Indexed).await;
    }
    let whole = said(&world.ask(by_phone()).await.1);
    assert_eq!((whole.0.len(), whole.1, whole.2), (3, 4, true));
    for size in 1..8 {
        let mut question = by_phone();
        question["pageSize"] = json!(size);
        let pages = world.all(question).await;
        assert!(pages.iter().all(|page| page["complete"] == json!(true)));
        assert_eq!(pages.iter().map(|page| said(page).1).sum::<u64>(), 4, "page size {size}");
        let numbers: Vec<u64> = pages.iter().flat_map(given).flat_map(|(_, n)| n).collect();
        assert_eq!(numbers, [1, 2, 1, 2, 1, 2], "page size {size}");
    }
}

#[tokio::test]
async fn two_thousand_filtered_records_end_a_page() {
    let world = World::new().await;
    for n in 0..2_050 {
        world.link_filtered(&phone(PHONE), &format!("acme/c-{n:04}")).await;
    }
    world.link(&phone(PHONE), "acme/z", "10:00", "10:00").await;
    world.append(&[entry("z", "10:00", "customer.start", 1)], 256, Stage::Indexed).await;
    let pages = world.all(by_phone()).await;
    let counts: Vec<u64> = pages.iter().map(|page| said(page).1).collect();
    assert_eq!((counts.len(), counts.iter().sum::<u64>()), (2, 2_050));
    assert_eq!(given(&pages[1]), [("z".to_owned(), vec![1])]);
}

#[tokio::test]
async fn what_could_not_be_read_may_hold_its_entries_and_the_answer_says_so() {
    let world = filtered(&["acme/c-1"]).await;
    world.pin("acme/c-1").await;
    world.link(&phone(PHONE), "acme/c-2", "10:00", "10:00").await;
    world.append(&[entry("c-2", "10:00", "customer.start", 2)], 256, Stage::Indexed).await;
    world.append(&[entry("c-1", "10:00", "wrapup", 1)], 256, Stage::Committed).await;
    world.trips.on("whole ", StoreError::NotFound);
    let (_, answer) = world.ask(by_phone()).await;
    assert_eq!(said(&answer), (vec![("c-2".to_owned(), vec![2])], 0, false));
    world.trips.clear();
    world.trips.on("pins", StoreError::Throttled);
    assert_eq!(world.ask(by_phone()).await.0, 503, "without pins one cannot say what is missing");
}

#[tokio::test]
async fn pins_are_read_only_where_no_link_names_the_log() {
    let world = World::new().await;
    world.link(&phone(PHONE), "acme/c-1", "10:00", "10:00").await;
    world.append(&[entry("c-1", "10:00", "customer.start", 1)], 256, Stage::Indexed).await;
    world.trips.on("pins", StoreError::Denied);
    assert_eq!(world.ask(by_phone()).await.0, 200);
    world.link_filtered(&phone(PHONE), "acme/c-2").await;
    assert_eq!(world.ask(by_phone()).await.0, 500);
}
