//! AWS calls of an erasure, counted: what it costs depends on its records and its objects, and on nothing else that is stored.

use std::collections::BTreeMap;

use crate::traffic::{ADA, Line, Person, T0, call};
use crate::world::{Asking, World};

type ByName = BTreeMap<&'static str, u64>;

/// The calls for so many of Ada's calls in so many objects, beside so many lines of others in each.
async fn calls(records: u32, objects: u32, others: u32) -> ByName {
    let world = World::new().await;
    for object in 0..objects {
        let hers = (0..records).filter(|record| record % objects == object);
        let hers = hers.map(|n| call(&format!("c-{n}"), ADA, T0 + i64::from(n)));
        let others = (0..others).map(|n| {
            let (who, n) = (Person(10 + n % 90), n + object * others);
            call(&format!("d-{n}"), who, T0 + 1_000_000 + i64::from(n))
        });
        let others = others.filter(|line| !line.raw.contains(&ADA.phone()));
        let lines: Vec<Line> = hers.chain(others).collect();
        world.fill(&format!("o-{object}"), &lines).await;
    }
    // Planned long before anybody asks.
    world.pass(3_600_000);
    world.erase(Asking::whole(ADA)).await;
    assert_eq!(world.redacted().len(), records as usize);
    let by_name = world.calls.by_name();
    assert!(!by_name.contains_key("dynamodb:Scan"), "{by_name:?}");
    by_name
}

fn total(calls: &ByName) -> u64 {
    calls.values().sum()
}

#[tokio::test(start_paused = true)]
async fn what_others_have_costs_nothing() {
    let (alone, among) = (calls(20, 5, 0).await, calls(20, 5, 200).await);
    assert_eq!(alone, among);
}

#[tokio::test(start_paused = true)]
async fn calls_by_records_and_by_objects_stay_within_their_bounds() {
    for (records, objects) in [(1, 1), (40, 10), (40, 40)] {
        let calls = total(&calls(records, objects, 10).await);
        let at_most = 14 * u64::from(objects) + 20 * u64::from(records) + 400;
        assert!(calls <= at_most, "{calls} calls for {records} records in {objects} objects");
    }
    // What one more costs.
    let calls = async |records, objects| total(&calls(records, objects, 0).await);
    let of_a_record = (calls(50, 5).await - calls(10, 5).await) / 40;
    let of_an_object = (calls(40, 40).await - calls(40, 8).await) / 32;
    // Ten of them for the act of deletion, which has a plan of its own, and the proof of it.
    assert!(of_a_record <= 20 && of_an_object <= 14, "{of_a_record} a record, {of_an_object} an object");
}
