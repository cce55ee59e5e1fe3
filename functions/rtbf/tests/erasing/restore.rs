//! Tables that were put back as they were before: a dead subject stays dead.

use std::collections::BTreeSet;

use ledgerline_privacy::Kind;
use ledgerline_sealed::KeyRow;
use ledgerline_store::crm::CrmName;
use ledgerline_store::request::State;
use ledgerline_store::{party_key, request};

use crate::crm;
use crate::steps::filled;
use crate::traffic::{ADA, HOUR, call};
use crate::world::{Asking, World};

#[tokio::test(start_paused = true)]
async fn a_restored_table_brings_nobody_back() {
    let world = filled().await;
    let old = world.subject("acme", ADA, Kind::Phone).await.unwrap();
    let dump = world.keys.rows();
    world.erase(Asking::whole(ADA)).await;
    let rows: Vec<_> = world.keys.rows().into_iter().chain(dump.clone()).collect();
    world.keys.restore(rows.into_iter().collect());
    // Every key of hers that is back is gone all the same: whoever asks does not open.
    let back: Vec<KeyRow> = world.keys.look(|rows| {
        let of_keys = rows.iter().filter(|(key, _)| party_key::parse_key(key).is_some());
        of_keys.map(|(_, row)| party_key::read(row.clone()).unwrap()).collect()
    });
    let hers = back.iter().flat_map(|row| &row.keys).filter(|(_, key)| key.subjects.contains(&old.subject_id));
    let hers: Vec<_> = hers.map(|(id, _)| id).collect();
    assert!(!hers.is_empty() && hers.iter().all(|id| world.is_gone(id)));
    assert!(world.is_gone(&old.subject_id));
    // A new call does not attach to whom the rows name.
    world.pass(2 * HOUR);
    world.fill("c", &[call("c-7", ADA, world.now_ms())]).await;
    let new = world.subject("acme", ADA, Kind::Phone).await.unwrap();
    assert_ne!(new.subject_id, old.subject_id);
    assert!(!world.links(&old.subject_id).contains("acme/c-7"));
}

#[tokio::test(start_paused = true)]
async fn a_request_whose_rows_went_back_is_erased_again() {
    let world = filled().await;
    let id = world.approved(Asking::whole(ADA)).await;
    let dump = world.keys.rows();
    world.finish(&[&id]).await;
    let redacted = world.redacted();
    world.keys.restore(dump);
    // The same again, by another request: nothing panics, nobody comes back, and it ends.
    let again = world.erase(Asking::whole(ADA)).await;
    assert_eq!((world.row(&again).await.state, world.redacted()), (State::Done, redacted));
    // Nobody is found by what a CRM says of records whose rows are back.
    let of_people = |said: BTreeSet<(String, CrmName)>| -> BTreeSet<(String, CrmName)> {
        said.into_iter().filter(|(_, name)| matches!(name, CrmName::Pseudonym(_))).collect()
    };
    assert_eq!(of_people(world.said()), of_people(crm::in_acme(crm::bobs(&world))));
    let subject = world.subject("acme", ADA, Kind::Phone).await;
    assert!(subject.is_none_or(|subject| world.is_gone(&subject.subject_id)));
    assert!(world.keys.peek(&request::who_key(&again)).is_none());
    let _ = World::erase_note(&again);
}
