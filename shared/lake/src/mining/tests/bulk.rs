//! Batches: whole cases, within the limits, the same ones again after an interruption.

use serde_json::Value;

use super::super::bulk::{Batch, Batcher, Limits, Position};
use super::*;

/// Cases of so many events each.
fn cases(sizes: &[usize]) -> Vec<Case> {
    let of = |(number, size): (usize, &usize)| {
        let event = |n: usize| Event { case: format!("c-{number:03}"), ..event("hold", n as i64, "l") };
        case((0..*size).map(event).collect())
    };
    sizes.iter().enumerate().map(of).collect()
}

fn batcher(limits: Limits, after: Option<Position>) -> Batcher {
    Batcher::new(labels(View::Milestones, People::default()), limits, after)
}

/// All batches of these cases, as if each arrived.
fn all(cases: &[Case], limits: Limits, after: Option<Position>) -> Vec<Batch> {
    let (mut batcher, mut batches) = (batcher(limits, after), Vec::new());
    let mut send = |batcher: &mut Batcher, is_last: bool| {
        while is_last || batcher.is_full() {
            let Some(batch) = batcher.next_batch() else { break };
            batcher.sent(&batch);
            batches.push(batch);
        }
    };
    for case in cases {
        batcher.push(case);
        send(&mut batcher, false);
    }
    send(&mut batcher, true);
    batches
}

fn records(batch: &Batch) -> Vec<(String, u64)> {
    let body: Value = serde_json::from_slice(&batch.body).unwrap();
    assert_eq!(body["batch_id"], batch.id);
    assert_eq!(body["process_name"], "Support & <more>");
    let of = |record: &Value| (record["case_id"].as_str().unwrap().to_owned(), record["event_order"].as_u64().unwrap());
    body["records"].as_array().unwrap().iter().map(of).collect()
}

#[test]
fn a_case_is_whole_in_a_batch_unless_it_is_larger_than_one() {
    let cases = cases(&[4, 4, 4, 25, 3, 1, 10]);
    let limits = Limits { records: 10, ..Limits::default() };
    let batches = all(&cases, limits, None);
    let sizes: Vec<usize> = batches.iter().map(|batch| batch.records).collect();
    assert_eq!(sizes, [8, 4, 10, 10, 9, 10]);
    let sent: Vec<(String, u64)> = batches.iter().flat_map(records).collect();
    let expected: Vec<(String, u64)> = cases
        .iter()
        .flat_map(|case| (1..=case.events().len() as u64).map(|order| (case.id().to_owned(), order)))
        .collect();
    assert_eq!(sent, expected);
}

#[test]
fn no_batch_is_beyond_its_bytes() {
    let cases = cases(&[5; 40]);
    let limits = Limits { bytes: 4_096, ..Limits::default() };
    let batches = all(&cases, limits, None);
    assert!(batches.len() > 5);
    assert!(batches.iter().all(|batch| batch.body.len() <= limits.bytes), "{:?}", batches[0].body.len());
    assert_eq!(batches.iter().map(|batch| batch.records).sum::<usize>(), 200);
}

#[test]
fn what_goes_on_after_an_interruption_sends_the_same_batches_under_the_same_ids() {
    let cases = cases(&[4, 4, 4, 25, 3, 1, 10, 9, 9]);
    let limits = Limits { records: 10, ..Limits::default() };
    let whole = all(&cases, limits, None);
    for arrived in 0..whole.len() {
        let after = arrived.checked_sub(1).map(|last| whole[last].last.clone());
        assert_eq!(all(&cases, limits, after), whole[arrived..], "after {arrived}");
    }
    let ids: BTreeSet<&String> = whole.iter().map(|batch| &batch.id).collect();
    assert_eq!(ids.len(), whole.len());
    assert!(whole[0].id.starts_with("batch_20260302_"), "{}", whole[0].id);
}

#[test]
fn a_batch_that_is_too_large_is_halved_until_it_is_one_record() {
    let mut batcher = batcher(Limits { records: 8, ..Limits::default() }, None);
    batcher.push(&cases(&[8])[0]);
    let mut sizes = Vec::new();
    loop {
        let batch = batcher.next_batch().unwrap();
        sizes.push(batch.records);
        if !batcher.halve(&batch) {
            break;
        }
    }
    assert_eq!((sizes, batcher.limit()), (vec![8, 4, 2, 1], 1));
}

#[test]
fn an_interval_is_one_record_from_its_start_to_its_end() {
    let mut batcher = Batcher::new(labels(View::Intervals, People::default()), Limits::default(), None);
    assert_eq!(batcher.push(&case(call())), 4);
    let body: Value = serde_json::from_slice(&batcher.next_batch().unwrap().body).unwrap();
    let told = |record: &Value| {
        ["activity", "transition", "start_time", "end_time"].map(|name| record[name].as_str().unwrap().to_owned())
    };
    let told: Vec<[String; 4]> = body["records"].as_array().unwrap().iter().map(told).collect();
    let expected = [
        ["IVR", "complete", "2026-03-02T23:59:00.400+00:00", "2026-03-02T23:59:45.000+00:00"],
        ["Queue", "complete", "2026-03-02T23:59:45.200+00:00", "2026-03-03T00:00:03.000+00:00"],
        ["Agent", "complete", "2026-03-02T23:59:58.700+00:00", "2026-03-03T00:03:03.000+00:00"],
        ["After-call work", "complete", "2026-03-03T00:03:03.000+00:00", "2026-03-03T00:03:18.000+00:00"],
    ];
    assert_eq!(told, expected);
    let records = &body["records"];
    assert_eq!((&records[3]["imputed"], &records[2]["imputed"]), (&Value::Bool(true), &Value::Null));
    assert_eq!((&records[2]["resource"], &records[1]["activity_map"]), (&"p1_aa".into(), &activity_map().into()));
}
