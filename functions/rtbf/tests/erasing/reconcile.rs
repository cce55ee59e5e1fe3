//! After a table was put back: what came back of people who were erased goes again, and what nobody but a person can put right is named.

use std::collections::{BTreeMap, BTreeSet};

use ledgerline_custody::restored::{Found, How, Report, Restored};
use ledgerline_privacy::Kind;
use ledgerline_store::request::{self, State};
use ledgerline_store::table::{IntoValue as _, Row};
use ledgerline_store::{party, party_key, principal};
use ledgerline_testkit::calls::Calls;
use ledgerline_testkit::faults::{ALL_FAULTS, Faults};
use ledgerline_testkit::table::{FakeTable, Rows};

use crate::crm;
use crate::steps::{adas, filled};
use crate::traffic::{ADA, HOUR, call};
use crate::world::{Asking, World};

/// The command's stores, whose writes meet these faults.
fn restored(world: &World, faults: &Faults) -> Restored {
    let table = |table: &FakeTable| table.seen_by(faults.clone(), Calls::default()).port();
    let queue = world.erase_queue.seen_by(faults.clone(), Calls::default()).port();
    let ledger = world.ledger.seen_by(faults.clone(), Calls::default()).port();
    Restored::new(&table(&world.control), &table(&world.index), &table(&world.keys), &ledger, &queue)
}

async fn reconcile(world: &World, applies: bool) -> Report {
    let how = How { applies, since_ms: None, now_ms: world.now_ms() };
    restored(world, &Faults::none()).reconcile(&how, &|| {}).await.unwrap()
}

/// A request that is done, the rows of keys before it was carried out, and what is there of keys once it is.
async fn erased() -> (World, String, Rows, Rows) {
    let world = filled().await;
    let id = world.approved(Asking::whole(ADA)).await;
    let dump = world.keys.rows();
    world.finish(&[&id]).await;
    let after = world.keys.rows();
    (world, id, dump, after)
}

/// Every row as it was in the dump, beside those that came since.
fn put_back(table: &FakeTable, dump: &Rows) {
    table.restore(table.rows().into_iter().chain(dump.clone()).collect());
}

/// The rows without those that say who takes part, and these: whom they name, and whether they are suppressed.
fn compared(rows: &Rows) -> (Rows, BTreeMap<String, (BTreeSet<String>, bool)>) {
    let (mut rest, mut parties) = (rows.clone(), BTreeMap::new());
    rest.retain(|key, row| {
        let Some(record) = party::parse_key(key) else { return true };
        let party = party::read(row.clone()).unwrap();
        parties.insert(record.to_owned(), (party.subjects, party.cutoff.is_some()));
        false
    });
    (rest, parties)
}

#[tokio::test(start_paused = true)]
async fn what_came_back_with_the_table_of_keys_goes_again_and_nothing_else() {
    let (world, id, dump, after) = erased().await;
    let needles = world.needles(ADA).await;
    assert_eq!(reconcile(&world, true).await.found, Found::default(), "nothing came back yet");
    put_back(&world.keys, &dump);
    let full = world.keys.rows();

    let dry = reconcile(&world, false).await;
    assert_eq!(world.keys.rows(), full, "nothing is written unless asked");
    let Found { identifiers, subjects, links, records, keys, aliases, requests, asked, .. } = dry.found;
    // A phone, an address and a contact's id; their calls c-1, c-3, c-4 and the contact's record.
    assert_eq!((identifiers, subjects, links, requests), (3, 3, 4, 1), "{dry:?}");
    assert!(records == 4 && keys >= 4 && aliases == 1 && asked == 3, "{dry:?}");
    assert_eq!((dry.found.not_gone, dry.found.put_off, dry.found.released), (0, 0, 0));
    assert_eq!(
        dry.found.crm as usize,
        crm::adas(&world).len(),
        "of her identifiers, and of records that are hers alone"
    );
    assert!(dry.repeat.is_empty() && dry.lost.is_empty() && dry.destroyed > 0 && dry.segments > 0, "{dry:?}");

    let applied = reconcile(&world, true).await;
    assert_eq!((applied.found, applied.left), (dry.found, 0));
    assert_eq!(compared(&world.keys.rows()), compared(&after));
    assert!(world.keys.peek(&request::who_key(&id)).is_none());
    let again = reconcile(&world, true).await;
    assert_eq!(again.found, Found::default(), "it is empty");
    for needle in &needles {
        let text = format!("{:?}", world.keys.rows());
        assert!(!text.contains(needle.as_str()));
    }
    // A new call of hers is a stranger's, and what comes late of the old one is suppressed by its record alone.
    world.pass(2 * HOUR);
    world.fill("c", &[call("c-7", ADA, world.now_ms())]).await;
    assert!(world.subject("acme", ADA, Kind::Phone).await.is_some());
    assert_eq!(reconcile(&world, true).await.found, Found::default(), "who lives is left");
}

#[tokio::test(start_paused = true)]
async fn a_run_that_fails_anywhere_is_ended_by_the_next_one() {
    let undisturbed = erased().await;
    put_back(&undisturbed.0.keys, &undisturbed.2);
    let faults = Faults::none();
    let how = How { applies: true, since_ms: None, now_ms: undisturbed.0.now_ms() };
    restored(&undisturbed.0, &faults).reconcile(&how, &|| {}).await.unwrap();
    let writes = faults.log();
    assert!(writes.len() > 15, "{writes:?}");
    for (nth, write) in writes.iter().enumerate() {
        for fault in ALL_FAULTS {
            let case = format!("{write} (#{nth}) {fault:?}");
            let (world, _, dump, after) = erased().await;
            put_back(&world.keys, &dump);
            let faults = Faults::at(nth, fault);
            // It may get over it, or end there.
            let _ = restored(&world, &faults).reconcile(&how, &|| {}).await;
            assert_eq!(faults.struck(), 1, "{case}: the fault never struck");
            assert_eq!(reconcile(&world, true).await.left, 0, "{case}");
            assert_eq!(compared(&world.keys.rows()), compared(&after), "{case}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn of_a_held_record_nothing_goes_and_what_was_put_off_is_put_off_again() {
    let world = filled().await;
    let subject = world.subject("acme", ADA, Kind::Phone).await.unwrap().subject_id;
    world.hold("acme/c-1").await;
    let id = world.approved(Asking::whole(ADA)).await;
    let dump = world.keys.rows();
    world.finish(&[&id]).await;
    put_back(&world.keys, &dump);
    assert!(world.keys.party("acme/c-1").pending_until.is_none(), "it is forgotten");

    let applied = reconcile(&world, true).await;
    assert_eq!((applied.found.put_off, applied.found.released), (1, 0), "{applied:?}");
    let party = world.keys.party("acme/c-1");
    assert!(party.subjects.contains(&subject) && party.pending_erase.contains(&subject));
    assert_eq!(world.links(&subject), ["acme/c-1".to_owned()].into());
    assert_eq!(reconcile(&world, true).await.found, Found::default(), "it waits as it should");

    // The hold is lifted, and the message of that is lost.
    ledgerline_store::held::Held::new(world.control.port()).remove("acme/c-1", "case-7").await.unwrap();
    assert_eq!(reconcile(&world, true).await.found, Found { released: 1, ..Found::default() });
    world.finish(&[&id]).await;
    assert_eq!(world.redacted(), adas());
    assert!(world.keys.party("acme/c-1").pending_until.is_none() && world.links(&subject).is_empty());
}

#[tokio::test(start_paused = true)]
async fn if_the_control_table_went_back_too_keys_are_gone_by_the_ledger_and_the_erasure_is_named() {
    let world = filled().await;
    let id = world.approved(Asking::whole(ADA)).await;
    let (keys, control) = (world.keys.rows(), world.control.rows());
    let at_ms = world.now_ms();
    world.pass(1);
    world.finish(&[&id]).await;
    let destroyed: BTreeSet<String> = world.deletions().into_iter().flat_map(|(_, act)| act.key_ids).collect();
    world.keys.restore(keys);
    world.control.restore(control);
    assert!(!destroyed.is_empty() && world.gone().is_empty());

    let dry = reconcile(&world, false).await;
    assert_eq!((dry.destroyed, dry.found.not_gone), (destroyed.len() as u64, destroyed.len() as u64));
    assert!(world.gone().is_empty(), "nothing is written unless asked");
    // Of the ledger only what came since the day is read.
    let how = How { applies: true, since_ms: Some(at_ms + 1), now_ms: world.now_ms() };
    let applied = restored(&world, &Faults::none()).reconcile(&how, &|| {}).await.unwrap();
    assert!(applied.segments < dry.segments, "{applied:?}");
    assert_eq!((applied.found.not_gone, applied.found.keys), (destroyed.len() as u64, destroyed.len() as u64));
    assert_eq!(world.gone(), destroyed);
    let held: BTreeSet<String> = world.keys.look(|rows| {
        let of_keys = rows.iter().filter(|(key, _)| party_key::parse_key(key).is_some());
        of_keys.flat_map(|(_, row)| party_key::read(row.clone()).unwrap().keys.into_keys()).collect()
    });
    assert!(held.is_disjoint(&destroyed) && !held.is_empty());
    // That she is gone follows from nothing: the request is named, and runs again.
    let [repeat] = &applied.repeat[..] else { panic!("{applied:?}") };
    assert_eq!((&repeat.request, repeat.state), (&id, Some(State::CoolingOff)));
    assert_eq!(repeat.orgs, ["acme".to_owned()].into());
    assert!(world.subject("acme", ADA, Kind::Phone).await.is_some());
    let nothing_read = How { since_ms: Some(i64::MAX), ..how };
    let later = restored(&world, &Faults::none()).reconcile(&nothing_read, &|| {}).await.unwrap();
    assert_eq!((later.segments, later.repeat.len(), later.found), (0, 0, Found::default()));
}

#[tokio::test(start_paused = true)]
async fn a_done_request_that_the_control_table_does_not_know_is_named_too() {
    let (world, id, ..) = erased().await;
    world.control.tamper(|rows| rows.remove(&request::key(&id)));
    let [repeat] = &reconcile(&world, true).await.repeat[..] else { panic!("one is to be repeated") };
    assert_eq!((&repeat.request, repeat.state), (&id, None));
}

#[tokio::test(start_paused = true)]
async fn what_an_erasure_under_way_ended_is_left_to_it() {
    for step in ["enumerate", "records", "links", "objects"] {
        let world = filled().await;
        let id = world.approved(Asking::whole(ADA)).await;
        assert!(!world.invoke_until(&World::erase_note(&id), |world| world.step_of(&id) == step).await, "{step}");
        assert!(world.gone().iter().any(|name| name.starts_with("s_")), "{step}");
        let before = world.keys.rows();
        let applied = reconcile(&world, true).await;
        let Found { identifiers, subjects, links, records, requests, .. } = applied.found;
        assert_eq!((identifiers, subjects, links, records, requests), (0, 0, 0, 0, 0), "{step}: {applied:?}");
        assert!(step != "enumerate" || world.keys.rows() == before, "{step}");
        world.pass(1_000_000);
        world.finish(&[&id]).await;
        assert_eq!(world.redacted(), adas(), "{step}");
    }
}

/// A person who took a step of an open request, and whose alias is gone, would be somebody new.
#[tokio::test(start_paused = true)]
async fn open_requests_that_lost_who_took_their_steps_or_whom_they_are_about_are_named() {
    let world = filled().await;
    let id = world.approved(Asking::whole(ADA)).await;
    let put = |alias: &str| {
        let row = Row::from([("alias".to_owned(), alias.into_value())]);
        world.keys.tamper(|rows| rows.insert(principal::key(&format!("p1_{alias}")), row));
    };
    put("u_1");
    put("u_2");
    let report = reconcile(&world, true).await;
    let named: Vec<(&str, State)> = report.strangers.iter().map(|one| (one.request.as_str(), one.state)).collect();
    assert_eq!(named, [(id.as_str(), State::CoolingOff)], "u_3 approved it");
    assert!(report.lost.is_empty());
    put("u_3");
    assert!(reconcile(&world, true).await.strangers.is_empty());
    world.keys.tamper(|rows| rows.remove(&request::who_key(&id)));
    let report = reconcile(&world, true).await;
    assert_eq!(report.lost.iter().map(|one| &one.request).collect::<Vec<_>>(), [&id]);
}
