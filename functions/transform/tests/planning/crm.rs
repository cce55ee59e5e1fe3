//! What a CRM says of customers, in silver: found, missed, masked, and gone with an erasure.

use std::collections::{BTreeMap, BTreeSet};

use ledgerline_privacy::{Identifier, KeyRing, Kind, PseudonymKey, Region};
use ledgerline_store::crm::{CrmName, CrmOrgs, CrmPut, CrmRow, CrmRows};
use ledgerline_store::tombstone::Tombs;
use ledgerline_testkit::calls::Calls;
use ledgerline_testkit::faults::Faults;
use serde_json::json;

use crate::erasures::{RECEIVED, call, is_erased_row, plant, silver};
use crate::own::answered;
use crate::world::{World, captured, event, key, lines};

const PHONE: &str = "+15555550142";

/// A customer's name under a version of the key.
fn name_of(version: u32, kind: Kind, raw: &str) -> CrmName {
    let identifier = Identifier::parse(kind, raw, Region::US).unwrap();
    let key = PseudonymKey::new(version, [u8::try_from(version).unwrap(); 32]);
    CrmName::Pseudonym(key.pseudonym(&identifier).as_str().to_owned())
}

fn said(tier: &str, product: &str, owner: &str) -> CrmRow {
    let said = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    CrmRow { tier: said(tier), product: said(product), owner: said(owner) }
}

/// Loads rows of an org as the API does, unseen by faults and counts.
async fn load(world: &World, org: &str, kinds: &[&str], rows: &[(CrmName, CrmRow)]) {
    let kinds: BTreeSet<String> = kinds.iter().map(|kind| (*kind).to_owned()).collect();
    CrmOrgs::new(world.others_control()).note(org, &kinds).await.unwrap();
    let keys = world.keys.seen_by(Faults::none(), Calls::default()).port();
    let puts: Vec<CrmPut> = rows.iter().map(|(name, row)| CrmPut { name: name.clone(), row: row.clone() }).collect();
    CrmRows::new(keys).put(org, &puts, Tombs::new(world.others_control()).unchanged([])).await.unwrap();
}

/// Tier, product and owner of each interaction's row.
fn told(world: &World) -> BTreeMap<String, [Option<String>; 3]> {
    let cell =
        |row: &BTreeMap<String, String>, column: &str| row.get(column).map(|text| text.trim_matches('"').to_owned());
    let of = |row: BTreeMap<String, String>| {
        let crm = ["crm_tier", "crm_product", "crm_owner"].map(|column| cell(&row, column));
        (cell(&row, "interaction_id").unwrap(), crm)
    };
    silver(world).into_iter().map(of).collect()
}

fn row(tier: &str, product: &str, owner: &str) -> [Option<String>; 3] {
    [tier, product, owner].map(|text| Some(text.to_owned()).filter(|text| !text.is_empty()))
}

async fn settle(world: &World, name: &str, raws: &[String]) {
    world.bronze.seed(&key(name), lines(raws));
    world.settle(&[&key(name)]).await;
    world.check();
}

#[tokio::test]
async fn the_first_identifier_of_which_anything_is_said_counts_and_then_the_record() {
    let world = World::new();
    let rows = [
        (name_of(1, Kind::Email, "ada@example.com"), said("Gold", "Mobile", "Enterprise team")),
        (name_of(1, Kind::Phone, PHONE), said("Silver", "", &format!("p1_{}", "0f".repeat(32)))),
        (CrmName::Record("c-9822-voice".to_owned()), said("VIP", "Insurance", "")),
    ];
    load(&world, "acme", &["phone", "email", "record"], &rows).await;
    let raws = [
        answered("acme", "c-1", "answered", json!({"customerPhone": PHONE, "customerEmail": "ada@example.com"})),
        answered("acme", "c-2", "answered", json!({"customerEmail": "Ada@Example.com"})),
        answered("acme", "c-9822-voice", "answered", json!({"customerPhone": "+15555550143"})),
        answered("acme", "c-4", "answered", json!({"customerPhone": "+15555550143"})),
        answered("acme", "c-5", "wrapup", json!({})),
        // Another org's customer of the same number is somebody else.
        answered("beta", "c-6", "answered", json!({"customerPhone": PHONE})),
    ];
    settle(&world, "a", &raws).await;
    let told = told(&world);
    let owner = format!("p1_{}", "0f".repeat(32));
    for (interaction, expected) in [
        ("c-1", row("Silver", "", &owner)),
        ("c-2", row("Gold", "Mobile", "Enterprise team")),
        ("c-9822-voice", row("VIP", "Insurance", "")),
        ("c-4", row("", "", "")),
        ("c-5", row("", "", "")),
        ("c-6", row("", "", "")),
    ] {
        assert_eq!(told[interaction], expected, "{interaction}");
    }
    let text = captured().text();
    let mut told = text.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let counts = json!({"message": "CRM looked up", "hits": 3, "misses": 2, "masked": 0});
    let is_it = |line: &serde_json::Value| counts.as_object().unwrap().iter().all(|(name, count)| line[name] == *count);
    assert!(told.any(|line| is_it(&line)), "three of acme's five events are found");
}

#[tokio::test]
async fn a_row_under_an_older_key_is_found_and_one_under_the_newest_counts() {
    let mut world = World::new();
    world.pseudonyms =
        KeyRing::new([1, 2].map(|version| PseudonymKey::new(version, [u8::try_from(version).unwrap(); 32])));
    let old = [name_of(1, Kind::Phone, PHONE), name_of(1, Kind::Phone, "+15555550143")];
    load(&world, "acme", &["phone"], &old.map(|name| (name, said("Silver", "", "")))).await;
    load(&world, "acme", &["phone"], &[(name_of(2, Kind::Phone, PHONE), said("Gold", "", ""))]).await;
    settle(&world, "a", &[call("c-1", PHONE), call("c-2", "+15555550143")]).await;
    assert_eq!(
        [&told(&world)["c-1"][0], &told(&world)["c-2"][0]],
        [&Some("Gold".to_owned()), &Some("Silver".to_owned())]
    );
}

#[tokio::test]
async fn what_the_policy_does_not_know_is_masked_whoever_wrote_it() {
    let world = World::new();
    let name = name_of(1, Kind::Phone, PHONE);
    load(&world, "acme", &["phone"], &[(name, said("Ludmila Zaborowska", "Mobile", "Ludmila Zaborowska"))]).await;
    settle(&world, "a", &[call("c-1", PHONE)]).await;
    assert_eq!(told(&world)["c-1"], row("", "Mobile", ""));
    let lake: Vec<String> = silver(&world).iter().map(|row| format!("{row:?}")).collect();
    assert!(!lake.concat().contains("Ludmila"));
}

#[tokio::test]
async fn of_an_erased_customer_nothing_is_asked_or_told() {
    let world = World::new();
    load(&world, "acme", &["phone"], &[(name_of(1, Kind::Phone, PHONE), said("Gold", "Mobile", ""))]).await;
    plant(&world, &[call("c-1", PHONE)], RECEIVED).await;
    settle(&world, "a", &[call("c-1", PHONE), call("c-2", "+15555550143")]).await;
    assert_eq!(silver(&world).iter().filter(|row| is_erased_row(row)).count(), 1);
    assert_eq!(told(&world)["c-1"], row("", "", ""));
}

/// Without a CRM it costs one look an org and minute; with one, identifiers of other kinds are not looked up.
#[tokio::test]
async fn only_orgs_with_a_crm_and_only_kinds_that_it_has_are_looked_up() {
    let calls = |world: &World, name: &str| world.calls.by_name().get(name).copied().unwrap_or_default();
    let raws: Vec<String> = (0..200).map(|n| event(n, 0)).collect();
    let (without, with, other) = (World::new(), World::new(), World::new());
    let loaded = [(name_of(1, Kind::Phone, PHONE), said("Gold", "", ""))];
    load(&with, "acme", &["phone"], &loaded).await;
    load(&other, "acme", &["account"], &loaded).await;
    for world in [&without, &with, &other] {
        settle(world, "a", &raws).await;
    }
    let reads = [&without, &with, &other].map(|world| calls(world, "dynamodb:BatchGetItem"));
    assert!(reads[0] < reads[1] && reads[0] == reads[2], "{reads:?}");
    let looks = [&without, &with, &other].map(|world| calls(world, "dynamodb:GetItem"));
    assert_eq!(looks[0], looks[1]);
    assert_eq!(told(&other).values().filter(|row| row[0].is_some()).count(), 0);
}

#[tokio::test]
async fn rows_that_are_loaded_after_an_object_are_told_of_later_ones_alone() {
    let world = World::new();
    settle(&world, "a", &[call("c-1", PHONE)]).await;
    load(&world, "acme", &["phone"], &[(name_of(1, Kind::Phone, PHONE), said("Gold", "", ""))]).await;
    settle(&world, "b", &[call("c-2", PHONE)]).await;
    world.settle(&[&key("a")]).await;
    assert_eq!([&told(&world)["c-1"][0], &told(&world)["c-2"][0]], [&None, &Some("Gold".to_owned())]);
}
