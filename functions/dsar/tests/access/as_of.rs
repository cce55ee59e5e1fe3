//! As of when an answer is, and what that makes of `complete`.

use ledgerline_custody::planned::{FRESH_MS, GATHERED_MS};
use ledgerline_custody::query::instant;
use serde_json::{Value, json};

use crate::world::*;

/// A customer of two interactions, all of it committed.
async fn known() -> World {
    let world = World::new().await;
    for (id, n) in [("c-1", 1), ("c-2", 2)] {
        world.link(&phone(PHONE), &format!("acme/{id}"), "10:00", "10:00").await;
        world.append(&[entry(id, "10:00", "customer.start", n)], 256, Stage::Indexed).await;
    }
    world
}

fn until(to_ms: i64) -> Value {
    let mut question = by_phone();
    question["dateRange"] = json!({ "to": instant(to_ms) });
    question
}

fn said(answer: &Value) -> (Option<&str>, bool) {
    (answer["asOf"].as_str(), answer["complete"] == json!(true))
}

#[tokio::test]
async fn an_answer_is_as_of_what_is_planned_and_complete_while_that_is_fresh_or_behind_the_range() {
    let world = known().await;
    let old = NOW_MS - FRESH_MS - 1;
    for (through_ms, question, complete) in [
        (NOW_MS - FRESH_MS, by_phone(), true),
        (NOW_MS - FRESH_MS, until(NOW_MS), true),
        (old, by_phone(), false),
        (old, until(NOW_MS), false),
        (old, until(old - GATHERED_MS), false),
        (old, until(old - GATHERED_MS - 1), true),
    ] {
        world.control.set_planned_through(Some(through_ms));
        let (status, answer) = world.ask(question.clone()).await;
        assert_eq!(status, 200, "{answer}");
        assert_eq!(said(&answer), (instant(through_ms).as_deref(), complete), "{question}");
        assert_eq!(given(&answer).len(), 2, "what is there is answered all the same");
    }
}

#[tokio::test]
async fn a_deployment_that_sweep_never_came_by_answers_as_of_null_and_not_complete() {
    let world = known().await;
    world.control.set_planned_through(None);
    for question in [by_phone(), until(NOW_MS - 365 * 24 * 3_600_000)] {
        let (status, answer) = world.ask(question).await;
        assert_eq!((status, &answer["asOf"], &answer["complete"]), (200, &Value::Null, &json!(false)));
        assert!(answer.as_object().unwrap().contains_key("asOf"), "null, and not left out");
    }
}

/// An answer must not tell a stranger from a customer of whom nothing is left.
#[tokio::test]
async fn an_unknown_customers_answer_is_behind_as_anybodys() {
    let (world, empty) = (World::new().await, World::empty());
    for through_ms in [Some(NOW_MS - FRESH_MS - 1), None] {
        for world in [&world, &empty] {
            world.control.set_planned_through(through_ms);
            let (status, answer) = world.ask(by_phone()).await;
            assert_eq!((status, said(&answer)), (200, (through_ms.and_then(instant).as_deref(), false)));
            assert_eq!(answer["customer"]["found"], false);
        }
    }
}

#[tokio::test]
async fn every_page_is_as_of_the_first_ones_moment_and_as_complete() {
    for (first_ms, later_ms, complete) in [
        (Some(THROUGH_MS), Some(NOW_MS), true),
        (Some(THROUGH_MS), None, true),
        (Some(NOW_MS - FRESH_MS - 1), Some(NOW_MS), false),
        (None, Some(NOW_MS), false),
    ] {
        let world = known().await;
        world.control.set_planned_through(first_ms);
        let mut question = by_phone();
        question["pageSize"] = json!(1);
        let (_, first) = world.ask(question.clone()).await;
        question["pageToken"] = first["nextPageToken"].clone();
        world.control.set_planned_through(later_ms);
        // An answer does not age while one pages through it.
        let (status, second) = world.ask_at(NOW_MS + 2 * FRESH_MS, question).await;
        assert_eq!((status, given(&second)), (200, vec![("c-2".to_owned(), vec![2])]));
        for page in [&first, &second] {
            assert_eq!(said(page), (first_ms.and_then(instant).as_deref(), complete));
        }
    }
}
