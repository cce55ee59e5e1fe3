//! What a CRM says of people and of records, and what an erasure leaves of it.

use std::collections::BTreeSet;

use ledgerline_privacy::Kind;
use ledgerline_store::crm::{self, CrmName, CrmOrgs, CrmPut, CrmRow, CrmRows};
use ledgerline_store::tombstone::Tombs;
use ledgerline_testkit::table::value;

use crate::steps::filled;
use crate::traffic::{ADA, BOB, Person, T0, call, nobody};
use crate::world::{Asking, SLICE, World, places};

const SECOND: i64 = 1_000;

impl World {
    /// A CRM says something of these, as the API puts it.
    pub(crate) async fn crm_says(&self, org: &str, names: &[CrmName]) {
        let kinds = ["email", "external_contact", "phone", "record"].map(str::to_owned);
        CrmOrgs::new(self.control.port()).note(org, &kinds.into()).await.unwrap();
        let row = CrmRow { tier: Some("Gold".to_owned()), product: Some("Credit card".to_owned()), owner: None };
        let rows: Vec<CrmPut> = names.iter().map(|name| CrmPut { name: name.clone(), row: row.clone() }).collect();
        let unchanged = Tombs::new(self.control.port()).unchanged([]);
        CrmRows::new(self.keys.port()).put(org, &rows, unchanged).await.unwrap();
    }

    /// Whom a CRM names so.
    pub(crate) fn in_crm(&self, who: Person, kind: Kind) -> CrmName {
        CrmName::Pseudonym(self.ring().newest().pseudonym(&who.identifier(kind)).as_str().to_owned())
    }

    /// Of whom and of what a CRM says something, by org.
    pub(crate) fn said(&self) -> BTreeSet<(String, CrmName)> {
        self.keys.look(|rows| {
            let names = rows.keys().filter_map(crm::parse_key);
            names.map(|(org, name)| (org.to_owned(), name)).collect()
        })
    }
}

pub(crate) fn record(id: &str) -> CrmName {
    CrmName::Record(id.to_owned())
}

/// What a CRM says that goes with Ada.
pub(crate) fn adas(world: &World) -> Vec<CrmName> {
    let kinds = [Kind::Phone, Kind::Email, Kind::ExternalContact];
    let of_her = kinds.map(|kind| world.in_crm(ADA, kind));
    of_her.into_iter().chain(["c-1", "c-3"].map(record)).collect()
}

/// What it says that is Bob's.
pub(crate) fn bobs(world: &World) -> Vec<CrmName> {
    vec![world.in_crm(BOB, Kind::Phone), record("c-2")]
}

pub(crate) fn in_acme(names: Vec<CrmName>) -> BTreeSet<(String, CrmName)> {
    names.into_iter().map(|name| ("acme".to_owned(), name)).collect()
}

#[tokio::test(start_paused = true)]
async fn what_is_said_of_a_person_and_of_her_records_goes_and_what_is_said_of_others_stays() {
    let world = filled().await;
    let both = [adas(&world), bobs(&world)].concat();
    world.crm_says("beta", &[world.in_crm(ADA, Kind::Phone)]).await;
    let of_beta = BTreeSet::from([("beta".to_owned(), world.in_crm(ADA, Kind::Phone))]);
    assert_eq!(world.said(), &in_acme(both) | &of_beta);
    let told = |world: &World| -> BTreeSet<(String, u64)> {
        let rows = world.silver().into_iter();
        rows.filter(|(_, row)| row.contains_key("crm_tier")).map(|(place, _)| place).collect()
    };
    let before = told(&world);
    assert!(before.is_superset(&places("a", &[0, 1, 2, 3, 4])), "{before:?}");
    world.erase(Asking::whole(ADA)).await;
    assert_eq!(world.said(), &in_acme(bobs(&world)) | &of_beta, "another org's is not erased with it");
    assert_eq!(told(&world), &before - &world.nulled());
}

#[tokio::test(start_paused = true)]
async fn of_a_shared_record_something_is_said_unless_it_was_given_up() {
    for given_up in [false, true] {
        let world = World::new().await;
        world.crm_says("acme", &[record("c-1")]).await;
        world.fill("a", &[call("c-1", ADA, T0), call("c-1", BOB, T0 + SECOND), nobody("c-1", T0 + 2 * SECOND)]).await;
        let shared: &[&str] = if given_up { &["acme/c-1"] } else { &[] };
        world.erase(Asking::whole(ADA).erasing(shared)).await;
        assert_eq!(world.keys.party("acme/c-1").cutoff, None);
        assert_eq!(world.said().is_empty(), given_up);
        // Nobody is left who shares it.
        world.erase(Asking::whole(BOB)).await;
        assert!(world.said().is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn a_held_records_row_stays_until_the_hold_is_lifted() {
    let world = filled().await;
    world.hold("acme/c-1").await;
    world.erase(Asking::whole(ADA)).await;
    let left = in_acme([bobs(&world), vec![record("c-1")]].concat());
    assert_eq!(world.said(), left, "her own are not the record's");
    world.lift("acme/c-1").await;
    world.finish(&[]).await;
    assert_eq!(world.said(), in_acme(bobs(&world)));
}

#[tokio::test(start_paused = true)]
async fn a_held_record_that_was_given_up_loses_its_row_when_the_hold_is_lifted() {
    let world = World::new().await;
    world.crm_says("acme", &[record("c-1")]).await;
    world.fill("a", &[call("c-1", ADA, T0), call("c-1", BOB, T0 + SECOND), nobody("c-1", T0 + 2 * SECOND)]).await;
    world.hold("acme/c-1").await;
    world.erase(Asking::whole(ADA).erasing(&["acme/c-1"])).await;
    assert_eq!(world.said(), in_acme(vec![record("c-1")]));
    world.lift("acme/c-1").await;
    world.finish(&[]).await;
    assert!(world.said().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_listed_record_loses_its_row() {
    let world = World::new().await;
    world.crm_says("acme", &["c-1", "c-2"].map(record)).await;
    world.fill("a", &[nobody("c-1", T0), nobody("c-2", T0 + SECOND)]).await;
    world.erase(Asking::listed(&["c-1"])).await;
    assert_eq!(world.said(), in_acme(vec![record("c-2")]));
}

#[tokio::test(start_paused = true)]
async fn a_record_that_a_hint_ends_loses_its_row() {
    let world = World::new().await;
    world.crm_says("acme", &["c-3", "c-9"].map(record)).await;
    world.fill("a", &[call("c-1", ADA, T0)]).await;
    world.erase(Asking::whole(ADA)).await;
    let lines = [nobody("c-9", T0 + SECOND), nobody("c-3", T0 + 2 * SECOND), call("c-9", ADA, T0 + 3 * SECOND)];
    world.fill("b", &lines).await;
    world.finish(&[]).await;
    assert_eq!(world.redacted(), &places("a", &[0]) | &places("b", &[0, 2]));
    assert_eq!(world.said(), in_acme(vec![record("c-3")]));
}

#[tokio::test(start_paused = true)]
async fn whoever_is_asked_for_by_a_subjects_id_is_known_to_the_crm_by_the_identifier() {
    let world = filled().await;
    let subject = world.subject("acme", ADA, Kind::Phone).await.unwrap().subject_id;
    world.erase(Asking { orgs: vec!["acme"], subjects: vec![subject], ..Asking::default() }).await;
    assert!(!world.said().contains(&("acme".to_owned(), world.in_crm(ADA, Kind::Phone))));
    assert!(world.said().contains(&("acme".to_owned(), world.in_crm(ADA, Kind::Email))), "nobody asked for it");
}

#[tokio::test(start_paused = true)]
async fn what_an_identifier_that_names_too_many_stands_for_stays_said() {
    let world = World::capped(2).await;
    world.crm_says("acme", &[world.in_crm(ADA, Kind::Phone)]).await;
    world.fill("a", &[call("c-1", ADA, T0), call("c-2", ADA, T0 + SECOND), call("c-3", ADA, T0 + 2 * SECOND)]).await;
    world.erase(Asking::of(ADA, &[Kind::Phone])).await;
    assert_eq!(world.said().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn rows_that_are_put_back_meanwhile_are_found_when_all_is_read_back() {
    for name in ["her number's", "her record's"] {
        let world = filled().await;
        let id = world.approved(Asking::whole(ADA)).await;
        let is_read_back = |world: &World| world.step_of(&id) == "readback";
        for _ in 0..6 {
            if !world.invoke_until(&World::erase_note(&id), is_read_back).await {
                break;
            }
            world.pass(700_000);
        }
        assert!(is_read_back(&world));
        assert_eq!(world.said(), in_acme(bobs(&world)));
        let back = if name == "her number's" { world.in_crm(ADA, Kind::Phone) } else { record("c-1") };
        // As a restored table has it: past the product, which could not.
        world.keys.change(&crm::key("acme", &back), |row| drop(row.insert("tier".to_owned(), value("Gold"))));
        world.pass(SLICE + 31_000);
        world.finish(&[&id]).await;
        assert_eq!(world.said(), in_acme(bobs(&world)), "{name}");
    }
}
