//! Records that were erased whole, and to which somebody else is linked: by what came behind the cutoff, or from before it.

use ledgerline_ledger::store::StoreError;
use ledgerline_privacy::{Identifier, Kind, Region};
use ledgerline_store::cutoff::Cutoff;
use serde_json::{Value, json};

use crate::world::*;

/// The full hour that c-1 is erased up to, the second of March at 11:00.
const CUTOFF: Cutoff = Cutoff::At(1_772_449_200_000);
const FIRST_BEHIND: &str = "2026-03-02T11:00:00.001Z";

/// Entries 1 to 3 of c-1 up to the cutoff, the third at it, 4 and 5 behind it; the phone is in those two. As many entries a
/// segment as `together` says.
async fn both_sides(together: usize, stage: Stage) -> World {
    let world = World::new().await;
    world.link(&phone(PHONE), "acme/c-1", "11:01", "12:00").await;
    let entries: Vec<_> = (1..)
        .zip(["10:00", "10:30", "11:00", "11:01", "12:00"])
        .map(|(n, clock)| entry("c-1", clock, "wrapup", n))
        .collect();
    for entries in entries.chunks(together) {
        world.append(entries, 2, stage).await;
    }
    world.keys.erase_record("acme/c-1", Some(CUTOFF));
    world
}

fn email() -> Identifier {
    Identifier::parse(Kind::Email, "ada@example.com", Region::US).unwrap()
}

fn by_email() -> Value {
    json!({ "identifiers": [{ "kind": "email", "value": "ada@example.com" }] })
}

fn named(numbers: &[u64]) -> Vec<(String, Vec<u64>)> {
    vec![("c-1".to_owned(), numbers.to_vec())]
}

#[tokio::test]
async fn what_occurred_up_to_the_cutoff_is_not_given() {
    assert_eq!(CUTOFF.to_text(), time("11:00"));
    for (together, first) in [(5, FIRST_BEHIND), (4, FIRST_BEHIND), (3, &time("11:01")), (1, &time("11:01"))] {
        for stage in [Stage::Committed, Stage::Posted, Stage::Indexed] {
            let world = both_sides(together, stage).await;
            let (_, answer) = world.ask(by_phone()).await;
            assert_eq!((given(&answer), &answer["complete"]), (named(&[4, 5]), &json!(true)), "{together}: {answer}");
            let one = &answer["interactions"][0];
            // A whole segment is read before the cutoffs are; what it holds bounds the first one as a posting does.
            let first = if stage == Stage::Indexed { first } else { FIRST_BEHIND };
            assert_eq!((&one["first"], &one["last"]), (&json!(first), &json!(time("12:00"))), "{together}");
            assert!(one.get("pending").is_none() && answer.get("filtered").is_none(), "{answer}");
            let pages = world.all(json!({ "identifiers": by_phone()["identifiers"], "pageSize": 1 })).await;
            assert_eq!(pages.iter().flat_map(given).collect::<Vec<_>>(), [named(&[4]), named(&[5])].concat());
        }
    }
}

#[tokio::test]
async fn a_record_without_a_cutoff_is_given_whole_though_erasures_reached_it() {
    let world = both_sides(5, Stage::Indexed).await;
    world.keys.change(&ledgerline_store::party::key("acme/c-1"), |row| drop(row.remove("cutoff")));
    assert_eq!(world.keys.party("acme/c-1").erasures, 1);
    assert_eq!(given(&world.ask(by_phone()).await.1), named(&[1, 2, 3, 4, 5]));
}

#[tokio::test]
async fn evidence_of_what_is_cut_is_not_read() {
    let world = both_sides(3, Stage::Indexed).await;
    let (_, answer) = world.ask(by_phone()).await;
    assert_eq!(answer["systems"]["ledger"], json!({ "asked": 1, "answered": 1, "failed": 0 }));
}

#[tokio::test]
async fn a_range_asks_what_is_left() {
    let world = both_sides(5, Stage::Indexed).await;
    for (from, to, wanted) in [("10:00", "11:00", vec![]), ("11:00", "11:30", named(&[4, 5]))] {
        let mut question = by_phone();
        question["dateRange"] = json!({ "from": time(from), "to": time(to) });
        let (_, answer) = world.ask(question).await;
        assert_eq!((given(&answer), &answer["complete"]), (wanted, &json!(true)), "{from}");
    }
}

/// `(interactions, filtered, complete)`.
fn said(answer: &Value) -> (Vec<(String, Vec<u64>)>, Value, bool) {
    (given(answer), answer["filtered"].clone(), answer["complete"] == json!(true))
}

#[tokio::test]
async fn of_a_record_of_which_nothing_is_left_nothing_is_said() {
    let nothing = (vec![], Value::Null, true);
    for cutoff in [CUTOFF, Cutoff::Closed] {
        for is_shared in [false, true] {
            let world = World::new().await;
            // Links from before: c-1 is committed, c-2 under way; c-3 and c-4 are linked by filtered lines, c-3 has a pin.
            for record in ["c-1", "c-2"] {
                world.link(&phone(PHONE), &format!("acme/{record}"), "10:00", "11:00").await;
            }
            world.append(&[entry("c-1", "10:00", "wrapup", 1)], 1, Stage::Indexed).await;
            world.link_filtered(&email(), "acme/c-3").await;
            world.pin("acme/c-3").await;
            let subject = world.link_filtered(&email(), "acme/c-4").await;
            let before = world.ask(by_phone()).await.1;
            assert_eq!((given(&before).len(), before["complete"] == json!(true)), (2, false));
            for n in 1..=4 {
                world.keys.erase_record(&format!("acme/c-{n}"), Some(cutoff));
            }
            if is_shared {
                world.keys.share(&subject, &time("12:00"));
            }
            assert_eq!(said(&world.ask(by_phone()).await.1), nothing, "{cutoff:?}");
            let (named, filtered, complete) = said(&world.ask(by_email()).await.1);
            assert_eq!((named, filtered, complete), (vec![], Value::Null, !is_shared), "{cutoff:?}");
        }
    }
}

#[tokio::test]
async fn a_shared_subject_names_no_record_of_which_nothing_is_left() {
    for (cutoff, first) in [(CUTOFF, Some(FIRST_BEHIND)), (Cutoff::Closed, None)] {
        let world = World::new().await;
        world.link(&phone(PHONE), "acme/c-1", "10:00", "10:30").await;
        let subject = world.link(&phone(PHONE), "acme/c-2", "10:00", "12:00").await;
        world.keys.share(&subject, &time("12:00"));
        for record in ["acme/c-1", "acme/c-2"] {
            world.keys.erase_record(record, Some(cutoff));
        }
        let answer = world.ask(by_phone()).await.1;
        let firsts: Vec<_> =
            answer["interactions"].as_array().unwrap().iter().map(|one| one["first"].as_str()).collect();
        assert_eq!(firsts, first.map(Some).into_iter().collect::<Vec<_>>(), "{cutoff:?}: {answer}");
    }
}

#[tokio::test]
async fn what_is_under_way_behind_the_cutoff_is_pending() {
    let world = both_sides(5, Stage::Indexed).await;
    world.link(&email(), "acme/c-1", "12:30", "12:30").await;
    let (_, answer) = world.ask(by_email()).await;
    assert_eq!((&answer["interactions"][0]["pending"], &answer["complete"]), (&json!(true), &json!(false)));
    assert_eq!(given(&answer), named(&[4, 5]));
}

#[tokio::test]
async fn what_is_under_way_up_to_the_cutoff_is_not() {
    let world = World::new().await;
    world.link(&email(), "acme/c-1", "10:15", "10:15").await;
    world.append(&[entry("c-1", "11:01", "wrapup", 4)], 1, Stage::Indexed).await;
    assert_eq!(world.ask(by_email()).await.1["interactions"][0]["pending"], json!(true));
    world.keys.erase_record("acme/c-1", Some(CUTOFF));
    let (_, answer) = world.ask(by_email()).await;
    assert_eq!((given(&answer), &answer["complete"]), (named(&[4]), &json!(true)), "{answer}");
}

#[tokio::test]
async fn cutoffs_are_read_for_the_records_that_a_page_looks_at_and_all_at_once() {
    let world = World::new().await;
    for n in 0..40 {
        world.link_filtered(&phone(PHONE), &format!("acme/c-{n}")).await;
    }
    assert_eq!(world.ask(by_phone()).await.1["filtered"], json!(40));
    assert_eq!(world.trips.reads("read who takes part"), 2);
    world.trips.on("read who takes part", StoreError::Throttled);
    assert_eq!(world.ask(by_phone()).await.0, 503);
}
