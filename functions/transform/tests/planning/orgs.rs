//! Orgs: one identifier in two of them is two subjects, each linked in its own org alone; and an org is noted before it has any.

use std::collections::{BTreeMap, BTreeSet};

use ledgerline_custody::own::parse_list;
use ledgerline_privacy::{Kind, Region};
use ledgerline_store::orgs::Orgs;
use ledgerline_store::subject::{parse_identifier_key, parse_link_key, parse_state_key, read_state};
use ledgerline_testkit::faults::{ALL_FAULTS, Faults};
use ledgerline_testkit::table::item;
use serde_json::json;

use crate::own::answered;
use crate::world::{World, key, lines};

const PHONE: &str = "+15555550142";

/// A caller of two orgs, calling the one twice; and a customer of the other by e-mail.
fn calls() -> Vec<u8> {
    let call = |org: &str, interaction: &str, phone: &str| {
        answered(org, interaction, "answered", json!({"customerPhone": phone}))
    };
    lines(&[
        call("acme", "c-1", PHONE),
        call("beta", "c-1", "(555) 555-0142"),
        call("acme", "c-2", "tel:+15555550142"),
        answered("beta", "c-2", "answered", json!({"customerEmail": "ada@example.com"})),
    ])
}

/// Subject ids by `(org, kind)`, as the identifiers' rows have them; each subject's state says the same.
fn subjects(world: &World) -> BTreeMap<(String, String), String> {
    world.keys.look(|rows| {
        let identifiers = rows.iter().filter_map(|(key, row)| Some((parse_identifier_key(key)?, item(row))));
        let found: BTreeMap<_, _> = identifiers
            .map(|((org, pseudonym), row)| {
                let text = |name: &str| row[name].as_str().unwrap().to_owned();
                let (kind, subject) = (text("kind"), text("subjectId"));
                let (_, state) = rows.iter().find(|(key, _)| parse_state_key(key) == Some(&subject)).unwrap();
                let name = read_state(state.clone()).unwrap().name.unwrap();
                assert_eq!((name.org.as_str(), name.kind.label(), name.pseudonym.as_str()), (org, &*kind, pseudonym));
                ((org.to_owned(), kind), subject)
            })
            .collect();
        assert_eq!(found.len(), rows.keys().filter_map(parse_state_key).count());
        found
    })
}

/// The records that a subject is linked to.
fn linked(world: &World, subject: &str) -> Vec<String> {
    let links = |(of, record): (&str, &str)| (of == subject).then(|| record.to_owned());
    world.keys.look(|rows| rows.keys().filter_map(parse_link_key).filter_map(links).collect())
}

#[tokio::test]
async fn one_phone_in_two_orgs_is_two_subjects_linked_in_their_own_orgs() {
    let world = World::new();
    world.bronze.seed(&key("a"), calls());
    world.settle(&[&key("a")]).await;
    let found = subjects(&world);
    let of = |org: &str, kind: Kind| &found[&(org.to_owned(), kind.label().to_owned())];
    assert_eq!(found.len(), 3);
    assert_eq!(linked(&world, of("acme", Kind::Phone)), ["acme/c-1", "acme/c-2"]);
    assert_eq!(linked(&world, of("beta", Kind::Phone)), ["beta/c-1"]);
    assert_eq!(linked(&world, of("beta", Kind::Email)), ["beta/c-2"]);
    let all = world.everything_but_bronze();
    let refs: BTreeSet<&str> = all.match_indices("customer_ref: \"c_").map(|(at, _)| &all[at + 15..at + 49]).collect();
    assert_eq!(refs.len(), 3, "silver's rows of two orgs have no customer_ref in common: {refs:?}");
    assert_eq!(Orgs::new(world.others_control()).all().await.unwrap(), ["acme", "beta"]);

    // The one org's mark is not the other's.
    world.keys.share(of("acme", Kind::Phone), "2026-03-02T14:00:30.000Z");
    let again = |org: &str| answered(org, "c-3", "answered", json!({"customerPhone": PHONE}));
    world.bronze.seed(&key("b"), lines(&[again("acme"), again("beta")]));
    world.settle(&[&key("b")]).await;
    assert_eq!(linked(&world, of("acme", Kind::Phone)), ["acme/c-1", "acme/c-2"]);
    assert_eq!(linked(&world, of("beta", Kind::Phone)), ["beta/c-1", "beta/c-3"]);
    world.check();
}

/// Panics if an identifier has a row in an org that is not noted.
async fn all_are_noted(world: &World, case: &str) {
    let noted = Orgs::new(world.others_control()).all().await.unwrap();
    let orgs: BTreeSet<String> =
        world.keys.look(|rows| rows.keys().filter_map(parse_identifier_key).map(|(org, _)| org.to_owned()).collect());
    assert!(orgs.iter().all(|org| noted.contains(org)), "{case}: {orgs:?}, noted are {noted:?}");
}

#[tokio::test]
async fn an_org_is_noted_before_its_first_subject_whatever_write_fails() {
    let world = World::new();
    world.bronze.seed(&key("a"), calls());
    world.settle(&[&key("a")]).await;
    let writes = world.faults.log();
    assert_eq!(subjects(&world).len(), 3);
    for (nth, write) in writes.iter().enumerate() {
        for fault in ALL_FAULTS {
            let case = format!("{write} (#{nth}) {fault:?}");
            let world = World::with(Faults::at(nth, fault));
            world.bronze.seed(&key("a"), calls());
            world.deliver(&[&key("a")]).await;
            all_are_noted(&world, &case).await;
            world.settle(&[&key("a")]).await;
            all_are_noted(&world, &case).await;
            assert_eq!(subjects(&world).len(), 3, "{case}");
        }
    }
}

#[tokio::test]
async fn an_org_is_noted_where_its_own_hotline_alone_is_named_and_not_where_nobody_is() {
    let mut world = World::new();
    world.own_numbers = parse_list(PHONE, Region::US).unwrap();
    let hotline = answered("acme", "c-1", "answered", json!({"customerPhone": PHONE}));
    world.bronze.seed(&key("a"), lines(&[hotline, answered("beta", "c-1", "answered", json!({}))]));
    world.settle(&[&key("a")]).await;
    assert_eq!(Orgs::new(world.others_control()).all().await.unwrap(), ["acme"]);
    assert!(subjects(&world).is_empty());
}
