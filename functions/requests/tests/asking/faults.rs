//! Every write lost, or persisted and reported as lost: the same call again, or another one beside it, comes to the same end, and each step
//! has its act, or a note from which sweep makes it.

use ledgerline_store::act_note;
use ledgerline_store::asked;
use ledgerline_store::request::{act_key, parse_act_key};
use ledgerline_store::table::Value as Stored;
use ledgerline_testkit::faults::{ALL_FAULTS, Fault, Faults};
use serde_json::{Value, json};

use crate::world::*;

/// Writes of making a request: key of suppression, alias, count, the identifier in two orgs, transaction; row, note, plan, two pointers'
/// message, "planned" of its act.
const WRITES: usize = 10;

/// Runs `scenario` once per write and kind of fault, until a fault no longer strikes.
async fn matrix<F: Future<Output = ()>>(least: usize, scenario: impl Fn(World, String) -> F) {
    for fault in ALL_FAULTS {
        let mut struck = 0;
        for nth in 0.. {
            let faults = Faults::at(nth, fault);
            scenario(World::with(settings(), faults.clone()).await, format!("{fault:?} at {nth}")).await;
            if faults.struck() == 0 {
                break;
            }
            struck += 1;
        }
        assert!(struck >= least, "only {struck} writes were struck by {fault:?}");
    }
}

/// Each step of each request has an act that is planned, or a note that leads to it.
fn assert_told(world: &World, case: &str) {
    let notes: Vec<String> = world.control.look(|rows| {
        let notes = rows.iter().filter(|(key, _)| act_note::is_key(key));
        let key = |row: &ledgerline_store::table::Row| match row.get("key") {
            Some(Stored::S(key)) => key.clone(),
            other => panic!("{case}: a note of {other:?}"),
        };
        notes.map(|(_, row)| key(row)).collect()
    });
    let ids: Vec<String> = world.control.look(|rows| {
        rows.keys().filter_map(|key| ledgerline_store::request::parse_key(key).map(str::to_owned)).collect()
    });
    for id in ids {
        for step in 0..world.row(&id).history.len() {
            assert!(notes.contains(&act_key(&id, step)), "{case}: step {step} has no note");
        }
    }
    for note in &notes {
        let (id, step) = parse_act_key(note).unwrap();
        assert!(step < world.row(id).history.len(), "{case}: a note of a step that was not taken");
    }
}

/// Each open request lies under its identifier in each of its orgs, and no closed one.
fn assert_asked(world: &World, case: &str) {
    let ids: Vec<String> = world.control.look(|rows| {
        rows.keys().filter_map(|key| ledgerline_store::request::parse_key(key).map(str::to_owned)).collect()
    });
    for id in ids {
        let (row, who) = (world.row(&id), world.who(&id));
        for (org, name) in row.orgs.iter().flat_map(|org| who.pseudonyms.iter().map(move |name| (org, name))) {
            let lies = match world.keys.peek(&asked::key(org, name)).unwrap_or_default().get("requests") {
                Some(Stored::Ss(requests)) => requests.contains(&id),
                _ => false,
            };
            assert_eq!(lies, !row.state.is_final(), "{case}: {id} in {org}");
        }
    }
}

/// Asks until the answer is none that says to ask again.
async fn until_answered(world: &World, caller: &Value, path: &str, body: &Value, case: &str) -> (i64, Value) {
    for _ in 0..4 {
        let (status, answer) = world.post(caller, path, body.clone()).await;
        if status != 503 {
            return (status, answer);
        }
        assert_eq!(answer["type"], "urn:ledgerline:problem:unavailable", "{case}");
    }
    panic!("{case}: never answered")
}

#[tokio::test]
async fn any_write_of_making_a_request_fails_and_the_same_comes_again() {
    matrix(WRITES, |world, case| async move {
        let (status, answer) = until_answered(&world, &officer(), "requests", &erasure(), &case).await;
        assert!(matches!(status, 200 | 201), "{case}: {status} {answer}");
        let again = until_answered(&world, &officer(), "requests", &erasure(), &case).await;
        assert_eq!((again.0, &again.1["requestId"]), (200, &answer["requestId"]), "{case}");
        assert_eq!((world.requests(), world.act_types().len()), (1, 2), "{case}: one request, an act in each org");
        assert_told(&world, &case);
        assert_asked(&world, &case);
    })
    .await;
}

#[tokio::test]
async fn any_write_of_making_a_request_fails_while_another_asks_for_the_same() {
    matrix(WRITES, |world, case| async move {
        let other = caller("other", "request:write", "*");
        let (one, two) = (officer(), other);
        let body = erasure();
        let (one, two) = tokio::join!(
            until_answered(&world, &one, "requests", &body, &case),
            until_answered(&world, &two, "requests", &body, &case)
        );
        assert!(one.0 < 300 && two.0 < 300, "{case}: {one:?} {two:?}");
        assert_eq!(one.1["requestId"], two.1["requestId"], "{case}");
        assert_eq!(world.requests(), 1, "{case}");
        assert_told(&world, &case);
        assert_asked(&world, &case);
    })
    .await;
}

/// The writes of a step: alias, transaction; row, note, plan, message, "planned" of its act; of one that closes the request its identifiers'.
#[tokio::test]
async fn any_write_of_a_step_fails_and_the_same_comes_again() {
    for (verb, by, body) in [
        ("verify", verifier(), json!({ "method": "document", "reference": "r" })),
        ("refuse", verifier(), json!({ "reason": "r" })),
        ("cancel", officer(), json!({ "reason": "r" })),
        ("extend", officer(), json!({ "reason": "r" })),
    ] {
        for fault in ALL_FAULTS {
            for nth in 0.. {
                let case = format!("{verb}: {fault:?} at {nth}");
                let (world, struck) = struck_after_making(fault, nth).await;
                let id = world.1;
                let (status, answer) =
                    until_answered(&world.0, &by, &format!("requests/{id}/{verb}"), &body, &case).await;
                assert_eq!(status, 200, "{case}: {answer}");
                // That a closed one's identifiers forget it is written again: the fault may fall there.
                let again = until_answered(&world.0, &by, &format!("requests/{id}/{verb}"), &body, &case).await;
                assert_eq!(again, (200, answer), "{case}");
                assert_eq!(world.0.row(&id).history.len(), 2, "{case}: one step");
                assert_eq!(world.0.act_types().len(), 4, "{case}: two acts in each org");
                assert_told(&world.0, &case);
                assert_asked(&world.0, &case);
                if struck.struck() == 0 {
                    assert!(nth >= 6, "{verb}: only {nth} writes");
                    break;
                }
            }
        }
    }
}

/// A request that was made without a fault; the `nth` write from then on is struck.
async fn struck_after_making(fault: Fault, nth: usize) -> ((World, String), Faults) {
    let faults = Faults::none();
    let world = World::with(settings(), faults.clone()).await;
    let id = world.made(erasure()).await;
    faults.plan(faults.writes() + nth, fault);
    ((world, id), faults)
}

/// Whatever keeps a request, a step or its act from being recorded, nobody is told that it can never be.
#[tokio::test]
async fn what_cannot_be_recorded_is_to_be_sent_again() {
    let access = |name: &str| json!({ "type": "ACCESS", "customerIdHash": name });
    let other = caller("other", "request:write", "*");
    let cases = [
        // Making one, asking for the same, and each step.
        (officer(), "requests".to_owned(), access("cust-2")),
        (other, "requests".to_owned(), access("cust-1")),
        (verifier(), "verify".to_owned(), json!({ "method": "document" })),
        (officer(), "cancel".to_owned(), json!({ "reason": "r" })),
        (officer(), "extend".to_owned(), json!({ "reason": "r" })),
        (verifier(), "refuse".to_owned(), json!({ "reason": "r" })),
    ];
    for (by, what, body) in cases {
        for fault in [Fault::Denied, Fault::Throttled, Fault::Lost] {
            let mut refused = 0;
            for nth in 0.. {
                let faults = Faults::none();
                let world = World::with(settings(), faults.clone()).await;
                let id = world.made(access("cust-1")).await;
                let path = if what == "requests" { what.clone() } else { format!("requests/{id}/{what}") };
                faults.plan(faults.writes() + nth, fault);
                let (status, answer) = world.post(&by, &path, body.clone()).await;
                let case = format!("{what}: {fault:?} at {nth}: {answer}");
                assert!(matches!(status, 200 | 201 | 503), "{status} {case}");
                if faults.struck() == 0 {
                    break;
                }
                refused += usize::from(status == 503);
                if fault == Fault::Denied && status == 503 {
                    assert!(answer["detail"].as_str().unwrap().contains("operator"), "{case}");
                }
                let again = world.post(&by, &path, body.clone()).await;
                assert!(matches!(again.0, 200 | 201), "{case}: {again:?}");
                assert_told(&world, &case);
            }
            assert!(refused >= 2, "{what}: {fault:?} was refused {refused} times");
        }
    }
}

#[tokio::test]
async fn any_write_of_an_approval_fails_while_the_request_is_taken_back() {
    for fault in ALL_FAULTS {
        for nth in 0.. {
            let case = format!("{fault:?} at {nth}");
            let faults = Faults::none();
            let world = World::with(settings(), faults.clone()).await;
            let id = world.verified(erasure()).await;
            let digest = world.digest(&id).await;
            faults.plan(faults.writes() + nth, fault);
            let (approve, cancel) = (format!("requests/{id}/approve"), format!("requests/{id}/cancel"));
            let (digest, reason) = (json!({ "previewDigest": digest }), json!({ "reason": "r" }));
            let (by, officer) = (approver(), officer());
            let (approved, cancelled) = tokio::join!(
                until_answered(&world, &by, &approve, &digest, &case),
                until_answered(&world, &officer, &cancel, &reason, &case)
            );
            assert!(matches!(approved.0, 200 | 409), "{case}: {approved:?}");
            assert_eq!(cancelled.0, 200, "{case}: {cancelled:?}");
            let row = world.row(&id);
            assert_eq!(row.state.as_str(), "cancelled", "{case}");
            assert_eq!(row.history.len() as u64, row.version, "{case}");
            assert_told(&world, &case);
            assert_asked(&world, &case);
            if faults.struck() == 0 {
                assert!(nth >= 8, "only {nth} writes");
                break;
            }
        }
    }
}
