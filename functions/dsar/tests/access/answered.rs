//! That a question was answered is an act: one in each org, with the first page, of nobody.

use std::sync::atomic::Ordering;

use ledgerline_lake::plan::Header;
use ledgerline_lambda::caller::Orgs as Allowed;
use ledgerline_ledger::store::StoreError;
use serde_json::{Value, json};

use crate::world::*;

/// The planned acts.
fn acts(world: &World) -> Vec<Value> {
    let mut acts = Vec::new();
    for (_, plan) in world.staged.under("staged/acts/") {
        let (header, header_bytes) = Header::read(&plan).unwrap();
        for pointer in header.pointers(header_bytes) {
            let range = pointer.offset as usize..(pointer.offset + pointer.length) as usize;
            let lines = pointer.read(&plan[range]).unwrap();
            acts.extend(lines.iter().map(|line| serde_json::from_str::<Value>(line).unwrap()));
        }
    }
    acts
}

async fn two_orgs() -> World {
    let world = World::new().await;
    for (n, record) in (0..).zip(["acme/c-1", "acme/c-2", "globex/c-1"]) {
        world.link(&phone(PHONE), record, "10:00", "10:00").await;
        if record.starts_with("acme") {
            let id = record.split_once('/').unwrap().1;
            world.append(&[entry(id, "10:00", "customer.start", n)], 256, Stage::Indexed).await;
        }
    }
    world
}

#[tokio::test]
async fn each_question_is_one_act_in_each_org_and_not_one_for_each_page() {
    let world = two_orgs().await;
    let mut body = by_phone();
    body["pageSize"] = json!(1);
    let pages = world.all(body).await;
    assert!(pages.len() > 1);
    let told = acts(&world);
    assert_eq!(told.iter().map(|act| act["org"].as_str().unwrap()).collect::<Vec<_>>(), ["acme", "globex"]);
    for act in &told {
        assert_eq!(
            (act["type"].as_str(), act["occurredAt"].as_str()),
            (Some("ACCESS_ANSWERED"), Some("2026-03-02T00:00:00.000Z"))
        );
        assert_eq!(act["entity"]["type"], "access");
        assert_eq!((&act["fields"]["kinds"], &act["fields"]["records"]), (&json!(["phone"]), &json!(3)));
        assert!(act["fields"]["by"].as_str().unwrap().starts_with("u_"));
        let text = act.to_string();
        assert!(
            !text.contains("p1_") && !text.contains("s_0") && !text.contains("5550142") && !text.contains("c-1"),
            "{text}"
        );
    }
    assert_eq!(told[0]["entity"], told[1]["entity"], "one question");
    // Asked again it is another question, by the same principal.
    world.ask(by_phone()).await;
    let again = acts(&world);
    assert_eq!(again.len(), 4);
    let by: std::collections::BTreeSet<&str> = again.iter().map(|act| act["fields"]["by"].as_str().unwrap()).collect();
    let of: std::collections::BTreeSet<&str> = again.iter().map(|act| act["entity"]["id"].as_str().unwrap()).collect();
    assert_eq!((by.len(), of.len()), (1, 2));
}

#[tokio::test]
async fn what_cannot_be_told_is_not_answered() {
    let world = two_orgs().await;
    let errors: [MakeError; 5] =
        [StoreError::Unknown, StoreError::Throttled, StoreError::Denied, StoreError::NotFound, StoreError::Corrupt];
    for part in ["open the row of object", "note act/access", "read a principal's alias"] {
        for error in errors {
            world.trips.on(part, error);
            let (status, answer) = world.ask(by_phone()).await;
            assert_eq!((status, answer["type"].as_str()), (503, Some("urn:ledgerline:problem:unavailable")), "{part}");
            assert!(answer["detail"].as_str().unwrap().contains("could not be recorded"), "{answer}");
            assert!(answer.get("interactions").is_none());
            world.trips.clear();
        }
    }
    assert!(acts(&world).is_empty());
}

#[tokio::test]
async fn nobody_found_is_an_answer_and_no_org_asked_is_none() {
    let world = two_orgs().await;
    let mut unknown = json!({ "customerIdHash": "cust-never-seen", "org": "acme" });
    world.ask(unknown.clone()).await;
    let told = acts(&world);
    assert_eq!((told.len(), &told[0]["fields"]["records"]), (1, &json!(0)));
    unknown["org"] = json!("nowhere");
    world.ask(unknown).await;
    assert_eq!(acts(&world).len(), 1, "there is no log to say it in");
}

/// A token may be given more orgs between two pages, and an org may come: what the act does not name is not asked.
#[tokio::test]
async fn no_page_asks_an_org_that_the_act_does_not_name() {
    let world = two_orgs().await;
    let mut question = by_phone();
    question["pageSize"] = json!(1);
    let narrow = caller("u-1", Allowed::Only(["acme".to_owned()].into()));
    let (_, first) = world.ask_as(&narrow, NOW_MS, question.clone()).await;
    question["pageToken"] = first["nextPageToken"].clone();
    let wide = caller("u-1", Allowed::All);
    let mut orgs = Vec::new();
    while question["pageToken"].is_string() {
        let (status, page) = world.ask_as(&wide, NOW_MS, question.clone()).await;
        assert_eq!((status, &page["request"]["orgs"]), (200, &json!(["acme"])), "{page}");
        orgs.extend(page["interactions"].as_array().unwrap().iter().map(|one| one["org"].clone()));
        question["pageToken"] = page["nextPageToken"].clone();
    }
    assert_eq!(orgs, ["acme"]);
    let told: Vec<Value> = acts(&world);
    assert_eq!(told.iter().map(|act| act["org"].as_str().unwrap()).collect::<Vec<_>>(), ["acme"]);
    // Whoever wants to know of the other asks a question of its own.
    let (_, again) = world.ask_as(&wide, NOW_MS, by_phone()).await;
    assert_eq!((&again["request"]["orgs"], acts(&world).len()), (&json!(["acme", "globex"]), 3));
}

/// Two questions never have one id; a put that S3 kept without the answer being heard comes to the same.
#[tokio::test]
async fn a_question_whose_plan_is_there_already_adds_nothing() {
    let world = two_orgs().await;
    world.ask(by_phone()).await;
    world.drawn.store(1, Ordering::SeqCst);
    let (status, _) = world.ask(by_phone()).await;
    assert_eq!((status, acts(&world).len()), (200, 2));
}
