//! Killed at any call, and each step done twice: in the end nothing is there that would not be there otherwise.

use std::collections::BTreeSet;

use ledgerline_ledger::entry::Party;
use ledgerline_store::request::{self, State};
use ledgerline_store::{deletion, erasing};
use ledgerline_testkit::table::value;

use crate::steps::{adas, filled};
use crate::traffic::ADA;
use crate::world::{Asking, SLICE, World};

/// What holds once Ada is erased, whatever happened on the way.
pub(crate) async fn check(world: &World, id: &str, needles: &[String], case: &str) {
    assert_eq!(world.row(id).await.state, State::Done, "{case}");
    assert_eq!(world.redacted(), adas(), "{case}");
    assert_eq!(world.nulled().len(), adas().len() - 1, "{case}");
    assert_eq!(world.places_of(needles), Vec::<String>::new(), "{case}");
    assert!(world.closed(Party::Agent).is_empty(), "{case}");
    let open = world.contents().into_iter().filter(|(place, blocks)| {
        adas().contains(place) && blocks.iter().any(|(party, content)| *party != Party::Agent && content.is_some())
    });
    assert_eq!(open.count(), 0, "{case}: a block of hers opens");
    for (key, versions) in world.bronze.all() {
        assert_eq!(versions.len(), 1, "{case}: {key}");
    }
    assert!(world.staged.keys("erasure/").is_empty(), "{case}");
    let wakes = world.control.look(|rows| rows.keys().filter(|key| erasing::parse_wake_key(key).is_some()).count());
    assert_eq!(wakes, 0, "{case}");
    check_proof(world, id, case);
    for record in ["acme/c-1", "acme/c-3", "acme/c-4"] {
        let party = world.keys.party(record);
        assert!(
            party.cutoff.is_some() && party.subjects.is_empty() && party.pending_until.is_none(),
            "{case}: {record}"
        );
    }
}

/// Of each of her records the ledger says once that it was erased, of each of its keys once that it was destroyed; the certificate holds.
fn check_proof(world: &World, id: &str, case: &str) {
    let acts = world.deletions();
    let records: BTreeSet<&str> = acts.iter().map(|(record, _)| record.as_str()).collect();
    assert_eq!((records.len(), acts.len()), (4, 4), "{case}: {records:?}");
    let told: Vec<&String> = acts.iter().flat_map(|(_, act)| &act.key_ids).collect();
    let gone = world.gone();
    let keys: BTreeSet<&String> = gone.iter().filter(|name| name.len() == KEY_ID_CHARS).collect();
    assert_eq!(told.iter().copied().collect::<BTreeSet<_>>(), keys, "{case}");
    assert_eq!(told.len(), keys.len(), "{case}: a key is told of twice");
    let (certificate, row) = (world.certificate(id), world.control.peek(&request::key(id)).unwrap());
    let kept = request::read_request(row).unwrap().certificate.unwrap();
    assert_eq!((Some(kept.sha256), kept.id), (certificate.body.sha256(), certificate.body.certificate), "{case}");
    assert_eq!(certificate.body.counts.deletions, 4, "{case}");
    assert_eq!(world.acts("ERASURE_CERTIFIED").len(), 1, "{case}");
    let left = |key: &ledgerline_store::table::Key| {
        deletion::parse_key(key).is_some() || deletion::parse_pool_key(key).is_some()
    };
    assert_eq!(world.control.look(|rows| rows.keys().filter(|key| left(key)).count()), 0, "{case}");
}

/// A key's id has so many characters; no subject and no alias has as many.
const KEY_ID_CHARS: usize = 43;

#[tokio::test(start_paused = true)]
async fn killed_at_any_call_it_is_ended_by_whoever_comes_next() {
    let undisturbed = filled().await;
    let id = undisturbed.erase(Asking::whole(ADA)).await;
    let all = undisturbed.calls.total();
    check(&undisturbed, &id, &[], "undisturbed").await;
    assert!(all > 100, "{all}");
    for calls in 1..all {
        let world = filled().await.counting();
        let needles = world.needles(ADA).await;
        let id = world.approved(Asking::whole(ADA)).await;
        let case = format!("killed at call {calls} of {all}");
        // Up to the slice in which it dies, whichever that is.
        let mut died = false;
        for _ in 0..12 {
            died = !world.invoke_until(&World::erase_note(&id), |world| world.calls.total() >= calls).await;
            if died {
                break;
            }
            world.commit().await;
            world.pass(700_000);
        }
        assert!(died || world.row(&id).await.state == State::Done, "{case}");
        world.pass(SLICE + 31_000);
        world.finish(&[&id]).await;
        check(&world, &id, &needles, &case).await;
    }
}

#[tokio::test(start_paused = true)]
async fn each_step_may_be_done_twice() {
    let steps = [
        "tombs",
        "subjects",
        "enumerate",
        "approve",
        "records",
        "links",
        "objects",
        "systems",
        "settle",
        "readback",
        "deletions",
        "certificate",
    ];
    let mut seen = BTreeSet::new();
    for step in steps {
        let world = filled().await;
        let needles = world.needles(ADA).await;
        let id = world.approved(Asking::whole(ADA)).await;
        let is_behind = |world: &World| {
            let (now, at) = (world.step_of(&id), steps.iter().position(|one| *one == step).unwrap());
            now == "close" || steps.iter().position(|one| *one == now).is_some_and(|now| now > at)
        };
        for _ in 0..12 {
            if !world.invoke_until(&World::erase_note(&id), is_behind).await {
                break;
            }
            world.commit().await;
            world.pass(700_000);
        }
        assert!(is_behind(&world), "{step}");
        seen.insert(world.step_of(&id));
        world.control.change(&erasing::key(&id), |row| {
            row.insert("step".to_owned(), value(step));
            row.insert("cursor".to_owned(), value(0_u64));
        });
        world.pass(SLICE + 31_000);
        world.finish(&[&id]).await;
        check(&world, &id, &needles, step).await;
    }
    assert!(seen.len() > 8, "{seen:?}");
}
