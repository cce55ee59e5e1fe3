//! Every write lost, or persisted and reported as lost: the same body again comes to the same end.

use ledgerline_ledger::store::StoreError;
use ledgerline_testkit::faults::{ALL_FAULTS, Fault, Faults};
use serde_json::json;

use crate::world::*;

/// Sends until the answer is none that says to send again.
async fn until_answered(world: &World, signed: bool, case: &str) {
    let body = json!([identity("i-1"), { "conversationId": "c-1", "eventType": "survey", "timestamp": "2026-03-02T13:00:00Z" }]);
    for attempt in 0..4_i64 {
        let answer = match signed {
            // A retry is signed anew.
            true => world.send_signed(&body.to_string(), SECRETS[0], NOW_S + attempt).await,
            false => world.send(INGEST, &body.to_string()).await,
        };
        match answer.status {
            202 => {
                assert_eq!(answer.body["events"][0]["journaled"], true, "{case}");
                return;
            }
            503 => assert_eq!(answer.problem(), "unavailable", "{case}"),
            429 => assert_eq!(answer.problem(), "too-many-requests", "{case}"),
            other => panic!("{case}: {other} {}", answer.body),
        }
    }
    panic!("{case}: never answered")
}

/// Runs once per write and kind of fault, until a fault no longer strikes.
async fn matrix(least: usize, kinds: &[Fault], signed: bool, refusing: bool) {
    for fault in kinds {
        let mut struck = 0;
        for nth in 0.. {
            let (faults, case) = (Faults::at(nth, *fault), format!("{fault:?} at {nth}"));
            let world = World::with(faults.clone()).await;
            if refusing {
                world.stream.set_refusal(Some(StoreError::Denied));
            }
            let org = if signed { "acme" } else { "default" };
            until_answered(&world, signed, &case).await;
            assert_eq!((world.journaled().len(), world.listed()), (1, 1), "{case}");
            let subject = world.subject(org).await.unwrap();
            assert!(world.journal_until(&subject, &format!("{org}/i-1")).is_some(), "{case}");
            assert_eq!(world.keys.subjects_and_links(), (1, 1), "{case}");
            match refusing {
                false => assert!(world.records().len() >= 2, "{case}"),
                true => {
                    assert!(!world.bronze.keys("spill/").is_empty() && world.dead_letters.bodies().len() >= 2, "{case}")
                }
            }
            if faults.struck() == 0 {
                break;
            }
            struck += 1;
        }
        assert!(struck >= least, "only {struck} writes were struck by {fault:?}");
    }
}

/// The stream, the org, the subject with its link, the journal's row.
#[tokio::test]
async fn any_write_fails_and_the_same_body_comes_again() {
    matrix(4, &ALL_FAULTS, false, false).await;
}

/// And the signature.
#[tokio::test]
async fn any_write_of_a_signed_call_fails_and_it_comes_again() {
    matrix(5, &ALL_FAULTS, true, false).await;
}

/// And the spilled object, and two dead letters.
#[tokio::test]
async fn any_write_of_what_is_spilled_fails_and_it_comes_again() {
    matrix(7, &ALL_FAULTS, false, true).await;
}

#[tokio::test]
async fn whatever_is_throttled_or_clashes_is_sent_again_and_nothing_is_doubled() {
    matrix(4, &[Fault::Throttled, Fault::Conflict], false, false).await;
}
