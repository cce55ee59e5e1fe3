//! Subjects and links: one subject per identifier, links that only widen, and identifiers that resolve nobody.

use ledgerline_store::gone::Gone;
use ledgerline_store::subject::{parse_link_key, parse_state_key};
use ledgerline_store::table::{Key, Row};
use ledgerline_testkit::table::{Item, item};

use crate::erasures::key_rows;
use crate::world::{T0, World, event, key, lines};

pub(crate) fn links(world: &World) -> Vec<(Key, Item)> {
    world.keys.look(|rows| {
        let links = rows.iter().filter(|(key, _)| parse_link_key(key).is_some());
        links.map(|(key, row)| (key.clone(), item(row))).collect()
    })
}

/// The records of all links.
pub(crate) fn linked(world: &World) -> Vec<String> {
    world.keys.look(|rows| rows.keys().filter_map(parse_link_key).map(|(_, record)| record.to_owned()).collect())
}

pub(crate) fn subjects(world: &World) -> Vec<String> {
    world.keys.look(|rows| rows.keys().filter_map(parse_state_key).map(str::to_owned).collect())
}

/// Transactions on subjects: all but those that keep keys, in worlds where each of these was done.
pub(crate) fn writes(world: &World) -> usize {
    let transactions = world.faults.log().iter().filter(|write| *write == "dynamodb:TransactWriteItems").count();
    transactions - key_rows(world).len()
}

#[tokio::test]
async fn a_link_spans_its_events_and_widens_but_is_not_written_in_vain() {
    let world = World::new();
    world.bronze.seed(&key("end"), lines(&[event(0, 3)]));
    world.settle(&[&key("end")]).await;
    assert_eq!((subjects(&world).len(), writes(&world)), (1, 1));
    world.bronze.seed(&key("start"), lines(&[event(0, 0)]));
    world.settle(&[&key("start")]).await;
    let (_, link) = links(&world).pop().unwrap();
    assert_eq!(
        (link["first"].as_str(), link["last"].as_str()),
        (Some("2026-03-02T14:00:00.000Z"), Some("2026-03-02T14:00:00.030Z"))
    );
    assert_eq!((links(&world).len(), writes(&world)), (1, 2));
    // Between the two: nothing widens. Another body, so another event.
    let between = event(0, 3).replace(&(T0 + 30).to_string(), &(T0 + 20).to_string());
    world.bronze.seed(&key("between"), lines(&[between]));
    world.settle(&[&key("between")]).await;
    assert_eq!(writes(&world), 2);
    assert_eq!(world.check().counts.planned, 3);
}

#[tokio::test]
async fn a_link_that_filtered_lines_made_gets_its_span_from_the_first_entry() {
    let world = World::new();
    world.bronze.seed(&key("a"), lines(&[event(1, 0)]));
    world.settle(&[&key("a")]).await;
    // As if that line had been filtered.
    let (at, whole) = links(&world).pop().unwrap();
    world.keys.change(&at, Row::clear);
    world.bronze.seed(&key("b"), lines(&[event(1, 3)]));
    world.settle(&[&key("b")]).await;
    let (same, link) = links(&world).pop().unwrap();
    assert_eq!((links(&world).len(), &same, &link["log"]), (1, &at, &whole["log"]));
    assert_eq!((&link["first"], &link["last"]), (&link["last"], &"2026-03-02T14:00:01.030Z".into()));
}

#[tokio::test]
async fn a_repeat_caller_is_one_subject_and_silver_names_it_by_one_random_name() {
    let world = World::new();
    // The callers of conversations 1 and 51 have one number.
    world.bronze.seed(&key("a"), lines(&[event(1, 0), event(51, 0), event(1, 3)]));
    world.bronze.seed(&key("b"), lines(&[event(51, 3)]));
    world.settle(&[&key("a")]).await;
    world.settle(&[&key("b")]).await;
    assert_eq!((subjects(&world).len(), links(&world).len()), (1, 2));
    let silver = world.everything_but_bronze();
    let names: std::collections::BTreeSet<&str> =
        silver.match_indices("customer_ref: \"c_").map(|(at, _)| &silver[at + 15..at + 49]).collect();
    assert_eq!(names.len(), 1, "{names:?}");
}

#[tokio::test]
async fn a_subject_that_is_being_erased_is_waited_for_and_stays_erased() {
    let world = World::new();
    world.bronze.seed(&key("a"), lines(&[event(1, 0)]));
    world.settle(&[&key("a")]).await;
    let subject = subjects(&world).pop().unwrap();
    world.keys.set_state(&subject, "erasing");
    world.bronze.seed(&key("b"), lines(&[event(51, 0), event(2, 0)]));
    assert_eq!(world.deliver(&[&key("b")]).await, ["m0"]);
    let of_erased = |(key, _): &&(Key, _)| parse_link_key(key).is_some_and(|(of, _)| of == subject);
    assert_eq!(links(&world).iter().filter(of_erased).count(), 1, "a link for a subject that is being erased");
    assert_eq!(linked(&world).len(), 2, "nobody else waits for it");
    // The eraser is done with it; whose events come later is somebody new.
    Gone::new(world.others_control()).put(&[&subject]).await.unwrap();
    world.settle(&[&key("b")]).await;
    assert_eq!((world.check().counts.planned, linked(&world).len(), subjects(&world).len()), (3, 3, 3));
    assert_eq!(links(&world).iter().filter(of_erased).count(), 1, "a link for an erased subject");
}

#[tokio::test]
async fn one_object_may_link_more_interactions_than_a_transaction_holds() {
    let world = World::new();
    let raws: Vec<String> = (0..200).map(|n| event(1 + 50 * n, 0)).collect();
    world.bronze.seed(&key("a"), lines(&raws));
    world.settle(&[&key("a")]).await;
    assert_eq!((subjects(&world).len(), links(&world).len(), writes(&world)), (1, 200, 5));
}

#[tokio::test]
async fn clashes_are_settled_by_reading_again_and_given_up_after_a_while() {
    let world = World::new();
    world.bronze.seed(&key("a"), lines(&[event(1, 0), event(2, 0)]));
    world.keys.clash(5);
    assert!(world.deliver(&[&key("a")]).await.is_empty());
    assert_eq!(links(&world).len(), 2);
    world.bronze.seed(&key("b"), lines(&[event(3, 0)]));
    world.keys.clash(usize::MAX);
    assert_eq!(world.deliver(&[&key("b")]).await, ["m0"]);
    world.keys.clash(0);
    assert!(world.deliver(&[&key("b")]).await.is_empty());
    world.check();
}

#[tokio::test]
async fn two_objects_that_bring_a_caller_for_the_first_time_at_once_make_one_subject() {
    let world = World::new();
    world.bronze.seed(&key("a"), lines(&[event(1, 0)]));
    world.bronze.seed(&key("b"), lines(&[event(51, 0)]));
    let (a, b) = (key("a"), key("b"));
    let (a, b) = ([a.as_str()], [b.as_str()]);
    tokio::join!(world.settle(&a), world.settle(&b));
    assert_eq!((subjects(&world).len(), links(&world).len()), (1, 2));
    world.check();
}
