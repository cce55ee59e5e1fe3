//! Paging: everything once, and no token for another question.

use serde_json::{Value, json};

use crate::world::*;

/// 7 interactions of 0 to 12 entries; entries of different interactions share members.
async fn busy() -> (World, Vec<u64>) {
    let world = World::new().await;
    let mut all = Vec::new();
    for n in 0..60_u64 {
        let interaction = format!("c-{}", (n * n) % 7);
        all.push(entry(&interaction, &format!("10:{:02}", 59 - n), "wrapup", n));
    }
    for id in 0..7 {
        world.link(&phone(PHONE), &format!("acme/c-{id}"), "10:00", "10:59").await;
    }
    world.append(&all[..30], 4, Stage::Indexed).await;
    world.append(&all[30..45], 256, Stage::Posted).await;
    world.append(&all[45..], 256, Stage::Committed).await;
    (world, (0..60).collect())
}

#[tokio::test]
async fn pages_of_every_size_give_each_entry_once_and_in_order() {
    let (world, wanted) = busy().await;
    let (_, whole) = world.ask(by_phone()).await;
    assert!(whole.get("nextPageToken").is_none());
    for size in [1, 2, 3, 5, 7, 13, 59, 60, 61] {
        let mut question = by_phone();
        question["pageSize"] = json!(size);
        let pages = world.all(question).await;
        let mut entries = Vec::new();
        for page in &pages {
            let of_page: Vec<_> = page["interactions"]
                .as_array()
                .unwrap()
                .iter()
                .flat_map(|one| {
                    assert_eq!(one["org"], "acme");
                    one["entries"].as_array().unwrap().clone()
                })
                .collect();
            assert!(of_page.len() <= size);
            entries.extend(of_page);
        }
        let expected: Vec<Value> = whole["interactions"]
            .as_array()
            .unwrap()
            .iter()
            .flat_map(|one| one["entries"].as_array().unwrap().clone())
            .collect();
        assert_eq!(entries, expected, "page size {size}");
        let mut numbers: Vec<u64> = pages.iter().flat_map(given).flat_map(|(_, n)| n).collect();
        numbers.sort_unstable();
        assert_eq!(numbers, wanted);
    }
}

#[tokio::test]
async fn an_interaction_larger_than_a_page_says_where_it_goes_on() {
    let world = World::new().await;
    world.link(&phone(PHONE), "acme/c-1", "10:00", "10:59").await;
    let entries: Vec<_> = (0..5).map(|n| entry("c-1", &format!("10:{n:02}"), "wrapup", n)).collect();
    world.append(&entries, 1, Stage::Indexed).await;
    let mut question = by_phone();
    question["pageSize"] = json!(2);
    let pages = world.all(question).await;
    let marks = |name: &str| pages.iter().map(|page| page["interactions"][0][name] == json!(true)).collect::<Vec<_>>();
    assert_eq!(marks("continued"), [false, true, true]);
    assert_eq!(marks("continues"), [true, true, false]);
    assert_eq!(pages.iter().flat_map(given).flat_map(|(_, n)| n).collect::<Vec<_>>(), [0, 1, 2, 3, 4]);
}

#[tokio::test]
async fn a_later_page_does_not_read_again_what_lies_before_it() {
    let world = World::new().await;
    world.link(&phone(PHONE), "acme/c-1", "10:00", "10:59").await;
    for n in 0..6 {
        world.append(&[entry("c-1", &format!("10:{n:02}"), "wrapup", n)], 1, Stage::Indexed).await;
    }
    let mut question = by_phone();
    question["pageSize"] = json!(4);
    let (_, first) = world.ask(question.clone()).await;
    assert_eq!(first["systems"]["ledger"]["asked"], 6);
    question["pageToken"] = first["nextPageToken"].clone();
    let (_, second) = world.ask(question).await;
    assert_eq!(second["systems"]["ledger"]["asked"], 3, "the last one given and the two after it");
    assert_eq!(given(&second), [("c-1".to_owned(), vec![4, 5])]);
}

#[tokio::test]
async fn all_pages_speak_for_the_first_ones_moment_and_remember_what_was_missing() {
    let world = World::new().await;
    world.link(&phone(PHONE), "acme/a", "10:00", "10:00").await;
    world.link(&phone(PHONE), "acme/b", "10:00", "10:00").await;
    world.append(&[entry("b", "10:00", "customer.start", 1)], 256, Stage::Indexed).await;
    let mut question = by_phone();
    question["pageSize"] = json!(1);
    let (_, first) = world.ask(question.clone()).await;
    assert_eq!((&first["complete"], &first["interactions"][0]["pending"]), (&json!(false), &json!(true)));
    question["pageToken"] = first["nextPageToken"].clone();
    let (_, second) = world.ask_at(NOW_MS + 60_000, question).await;
    assert_eq!(given(&second), [("b".to_owned(), vec![1])]);
    assert_eq!((&second["complete"], &second["asOf"]), (&json!(false), &first["asOf"]));
}

#[tokio::test]
async fn what_is_committed_between_two_pages_takes_nothing_away() {
    let (world, wanted) = busy().await;
    let mut question = by_phone();
    question["pageSize"] = json!(10);
    let (_, first) = world.ask(question.clone()).await;
    let mut numbers: Vec<u64> = given(&first).into_iter().flat_map(|(_, n)| n).collect();
    world.link(&phone(PHONE), "acme/a-new", "09:00", "09:00").await;
    let more = [
        entry("c-0", "09:00", "wrapup", 100),
        entry("c-1", "11:00", "wrapup", 101),
        entry("a-new", "09:00", "wrapup", 102),
    ];
    world.append(&more, 256, Stage::Posted).await;
    question["pageToken"] = first["nextPageToken"].clone();
    for page in world.all(question).await {
        numbers.extend(given(&page).into_iter().flat_map(|(_, n)| n));
    }
    numbers.sort_unstable();
    let before: Vec<u64> = numbers.iter().copied().filter(|n| *n < 100).collect();
    assert_eq!(before, wanted);
    assert_eq!(numbers.iter().filter(|n| **n >= 100).count(), 1, "only what lies after the first page's end is new");
}

#[tokio::test]
async fn a_page_ends_after_two_thousand_records_outside_the_range() {
    let world = World::new().await;
    for n in 0..2_050 {
        world.link(&phone(PHONE), &format!("acme/c-{n:04}"), "08:00", "08:00").await;
    }
    world.link(&phone(PHONE), "acme/z", "10:00", "10:00").await;
    world.append(&[entry("z", "10:00", "customer.start", 1)], 256, Stage::Indexed).await;
    let mut question = by_phone();
    question["dateRange"] = json!({ "from": "2026-03-02T10:00:00Z" });
    let pages = world.all(question).await;
    assert_eq!(pages.len(), 2);
    assert!(given(&pages[0]).is_empty());
    assert_eq!(given(&pages[1]), [("z".to_owned(), vec![1])]);
}

#[tokio::test]
async fn a_token_is_for_its_question_its_deployment_and_its_day_only() {
    let (world, _) = busy().await;
    let mut question = by_phone();
    question["pageSize"] = json!(1);
    let (_, first) = world.ask(question.clone()).await;
    let token = first["nextPageToken"].as_str().unwrap().to_owned();
    question["pageToken"] = json!(token);
    assert_eq!(world.ask(question.clone()).await.0, 200);

    let mut other = json!({ "customerIdHash": "CUST-1", "pageToken": token });
    let (status, problem) = world.ask(other.clone()).await;
    assert_eq!((status, problem["type"].as_str()), (400, Some("urn:ledgerline:problem:invalid-page-token")));
    assert!(problem["detail"].as_str().unwrap().contains("another query"), "{problem}");
    other = question.clone();
    other["dateRange"] = json!({ "from": "2026-01-01T00:00:00Z" });
    assert_eq!(world.ask(other).await.0, 400);

    let mut changed = question.clone();
    let flipped = if token.as_bytes()[20] == b'A' { "B" } else { "A" };
    changed["pageToken"] = json!(format!("{}{flipped}{}", &token[..20], &token[21..]));
    assert!(world.ask(changed).await.1["detail"].as_str().unwrap().contains("changed on its way"));

    let day = ledgerline_custody::page::TOKEN_TTL_MS;
    assert_eq!(world.ask_at(NOW_MS + day, question.clone()).await.0, 200);
    let (status, problem) = world.ask_at(NOW_MS + day + 1, question.clone()).await;
    assert!(status == 400 && problem["detail"].as_str().unwrap().contains("expired"));

    let elsewhere = World::new().await;
    let (status, problem) = elsewhere.ask(question.clone()).await;
    assert!(
        status == 400 && problem["detail"].as_str().unwrap().contains("expired"),
        "the same deployment and key, and not the act that the token goes by: {problem}"
    );
    let without_a_key = World::empty();
    assert_eq!(without_a_key.ask(question).await.0, 400);
}
