//! Reads: what lies between index and ledger, what is read twice, what fails, what does not check out.

use ledgerline_ledger::posting::Posting;
use ledgerline_ledger::store::StoreError;
use ledgerline_store::head::head_key;
use ledgerline_testkit::table::value;
use serde_json::json;

use crate::world::*;

async fn one() -> World {
    let world = World::new().await;
    world.link(&phone(PHONE), "acme/c-1", "10:00", "10:00").await;
    world
}

#[tokio::test]
async fn a_segment_that_is_not_indexed_yet_is_read_whole() {
    let world = one().await;
    world.append(&[entry("c-1", "10:00", "customer.start", 1)], 256, Stage::Indexed).await;
    world
        .append(&[entry("c-2", "10:01", "wrapup", 8), entry("c-1", "10:02", "wrapup", 2)], 256, Stage::Committed)
        .await;
    let (_, answer) = world.ask(by_phone()).await;
    assert_eq!(given(&answer), [("c-1".to_owned(), vec![1, 2])]);
    assert_eq!((&answer["complete"], &answer["systems"]["ledger"]["answered"]), (&json!(true), &json!(2)));
}

#[tokio::test]
async fn what_index_and_head_both_name_is_given_once() {
    let world = one().await;
    let entries = [entry("c-1", "10:00", "customer.start", 1), entry("c-1", "10:02", "wrapup", 2)];
    world.append(&entries, 256, Stage::Posted).await;
    let (_, answer) = world.ask(by_phone()).await;
    assert_eq!(given(&answer), [("c-1".to_owned(), vec![1, 2])]);
}

#[tokio::test]
async fn a_segment_indexed_between_the_reads_is_given_once() {
    let world = one().await;
    let raced = world.append(&[entry("c-1", "10:00", "customer.start", 1)], 256, Stage::Committed).await;
    world.trips.index_after_head(raced);
    for _ in 0..2 {
        let (_, answer) = world.ask(by_phone()).await;
        assert_eq!(given(&answer), [("c-1".to_owned(), vec![1])]);
        assert_eq!(answer["complete"], true);
    }
}

#[tokio::test]
async fn a_member_that_several_interactions_share_is_read_once() {
    let world = World::new().await;
    let entries: Vec<_> = (0..20).map(|n| entry(&format!("c-{n}"), "10:00", "customer.start", n)).collect();
    for n in 0..20 {
        world.link(&phone(PHONE), &format!("acme/c-{n}"), "10:00", "10:00").await;
    }
    world.append(&entries, 256, Stage::Indexed).await;
    let (_, answer) = world.ask(by_phone()).await;
    assert_eq!((given(&answer).len(), &answer["systems"]["ledger"]["asked"]), (20, &json!(1)));
}

#[tokio::test]
async fn a_read_that_fails_is_named_and_the_rest_is_answered() {
    let world = one().await;
    world.link(&phone(PHONE), "acme/c-2", "10:02", "10:02").await;
    let (lost, _) = world.append(&[entry("c-1", "10:00", "customer.start", 1)], 256, Stage::Indexed).await;
    let rest = [entry("c-1", "10:02", "wrapup", 2), entry("c-2", "10:02", "wrapup", 3)];
    world.append(&rest, 256, Stage::Indexed).await;
    world.trips.on(&lost.key, StoreError::Unknown);
    let (status, answer) = world.ask(by_phone()).await;
    assert_eq!((status, &answer["complete"]), (200, &json!(false)));
    assert_eq!(given(&answer), [("c-1".to_owned(), vec![2]), ("c-2".to_owned(), vec![3])]);
    assert_eq!(answer["interactions"][0]["incomplete"], true);
    assert!(answer["interactions"][1].get("incomplete").is_none());
    let failure =
        json!({ "log": log().as_str(), "segment": lost.key, "versionId": lost.version_id, "reason": "unknown" });
    assert_eq!(answer["systems"]["ledger"], json!({ "asked": 2, "answered": 1, "failed": 1, "failures": [failure] }));
    world.trips.clear();
    assert_eq!(world.ask(by_phone()).await.1["complete"], true);
}

#[tokio::test]
async fn an_unindexed_segment_that_cannot_be_read_makes_the_answer_incomplete() {
    let world = one().await;
    world.append(&[entry("c-1", "10:00", "customer.start", 1)], 256, Stage::Indexed).await;
    world.append(&[entry("c-1", "10:02", "wrapup", 2)], 256, Stage::Committed).await;
    world.trips.on("whole ", StoreError::NotFound);
    let (status, answer) = world.ask(by_phone()).await;
    assert_eq!((status, &answer["complete"]), (200, &json!(false)));
    assert_eq!(answer["systems"]["ledger"]["failures"][0]["reason"], "not_found");
    assert_eq!(given(&answer), [("c-1".to_owned(), vec![1])]);
}

#[tokio::test]
async fn a_ledger_that_answers_nothing_is_an_error_and_no_page_of_holes() {
    let world = one().await;
    world.append(&[entry("c-1", "10:00", "customer.start", 1)], 256, Stage::Indexed).await;
    world.trips.on("range ", StoreError::Throttled);
    assert_eq!(world.ask(by_phone()).await.0, 503);
    world.trips.on("range ", StoreError::Denied);
    assert_eq!(world.ask(by_phone()).await.0, 500);
}

#[tokio::test]
async fn tampered_evidence_is_named_and_not_given() {
    for stage in [Stage::Indexed, Stage::Committed] {
        let world = one().await;
        let (segment, _) = world.append(&[entry("c-1", "10:00", "customer.start", 1)], 256, stage).await;
        world.bucket.tamper(&segment.key, usize::try_from(segment.bytes).unwrap() - 9);
        let (status, answer) = world.ask(by_phone()).await;
        assert_eq!((status, &answer["complete"]), (200, &json!(false)));
        assert_eq!(given(&answer), [("c-1".to_owned(), vec![])]);
        let failure = &answer["systems"]["ledger"]["failures"][0];
        assert_eq!((failure["segment"].as_str(), failure["reason"].is_string()), (Some(segment.key.as_str()), true));
    }
}

#[tokio::test]
async fn a_posting_that_points_at_somebody_elses_entry_shows_nothing_of_it() {
    let world = one().await;
    let entries = [entry("c-1", "10:00", "customer.start", 1), entry("other", "10:01", "customer.start", 2)];
    let (_, postings) = world.append(&entries, 256, Stage::Committed).await;
    let wrong = |change: fn(&mut Posting)| {
        let mut posting = postings[0].clone();
        change(&mut posting);
        posting
    };
    for (reason, posting) in [
        ("entry_out_of_place", wrong(|posting| posting.members[0].at = vec![1])),
        ("entry_out_of_place", wrong(|posting| posting.members[0].at = vec![7])),
        ("entry_out_of_place", wrong(|posting| posting.members[0].first = 500)),
        ("not_a_gzip_member", wrong(|posting| posting.members[0].length -= 1)),
        (
            "two_entries_at_one_place",
            wrong(|posting| {
                // A head counts on from here: the same place of the log, said to hold another line.
                posting.members[0] =
                    ledgerline_ledger::posting::PostingMember { first: 1, ..posting.members[0].clone() };
            }),
        ),
    ] {
        let read = ledgerline_custody::access::plan_reads([&posting]).remove(0);
        let bytes = world.bucket.all()[&posting.segment][0].bytes.clone();
        let range = usize::try_from(read.offset).unwrap()..usize::try_from(read.offset + read.length).unwrap();
        let found = read.accept(&bytes[range]);
        let mut entries = ledgerline_custody::access::Entries::default();
        let right = ledgerline_custody::access::plan_reads([&postings[0], &postings[1]]).remove(0);
        entries.add(right.accept(&bytes).unwrap()).unwrap();
        assert_eq!(found.and_then(|found| entries.add(found)).unwrap_err(), reason);
    }
}

#[tokio::test]
async fn a_head_that_contradicts_itself_is_named() {
    let world = one().await;
    world.append(&[entry("c-1", "10:00", "customer.start", 1)], 256, Stage::Indexed).await;
    world.control.change(&head_key(&log()), |row| drop(row.insert("indexed".to_owned(), value(7_u64))));
    let (status, answer) = world.ask(by_phone()).await;
    assert_eq!((status, &answer["complete"]), (200, &json!(false)));
    assert_eq!(given(&answer), [("c-1".to_owned(), vec![1])], "what is indexed is answered all the same");
    assert_eq!(
        answer["systems"]["ledger"]["failures"][0],
        json!({ "log": log().as_str(), "reason": "head_contradicts_itself" })
    );
}

#[tokio::test]
async fn a_table_that_does_not_answer_fails_the_request() {
    for table in ["planned", "identifiers", "subjects", "read links", "head", "postings", "takes part"] {
        let world = one().await;
        world.append(&[entry("c-1", "10:00", "customer.start", 1)], 256, Stage::Indexed).await;
        for (error, status) in [
            (StoreError::Throttled as fn(_) -> _, 503),
            (StoreError::Unknown, 503),
            (StoreError::Denied, 500),
            (StoreError::NotFound, 500),
            (StoreError::Corrupt, 500),
        ] {
            world.trips.on(table, error);
            let (answered, problem) = world.ask(by_phone()).await;
            assert_eq!((answered, problem["status"].as_i64()), (status, Some(status)), "{table}");
        }
    }
}

#[tokio::test]
async fn an_answer_costs_few_calls() {
    let world = one().await;
    world.append(&[entry("c-1", "10:00", "customer.start", 1)], 256, Stage::Indexed).await;
    world.calls.reset();
    world.ask(by_phone()).await;
    let calls = world.calls.by_name();
    assert_eq!(
        (calls["dynamodb:GetItem"], calls["s3:GetObject"]),
        (2, 1),
        "how far bronze is planned, one head, one member: {calls:?}"
    );
}
