//! What a CRM says of customers: who may say it, what is kept, and of whom nothing is.

use std::collections::{BTreeMap, BTreeSet};

use ledgerline_privacy::{Identifier, Kind, Region, SuppressionRing};
use ledgerline_store::crm::{self, CrmName, CrmOrgs, CrmRow};
use ledgerline_store::cutoff::Cutoff;
use ledgerline_store::tombstone::Tombs;
use ledgerline_testkit::faults::{ALL_FAULTS, Faults};
use serde_json::{Value, json};

use crate::world::*;

const PATH: &str = "/api/v1/reference/crm";

fn loader() -> Value {
    caller("planted-loader", "crm:write", "acme")
}

async fn load(world: &World, caller: &Value, body: &Value) -> (i64, Value) {
    world.call_at(Some(caller), "POST", PATH, Some(body)).await
}

fn row(kind: &str, value: &str, tier: &str) -> Value {
    json!({ "kind": kind, "value": value, "tier": tier, "product": "Credit card", "owner": "planted.owner@example.com" })
}

/// The rows of an org.
fn rows(world: &World, org: &str) -> BTreeMap<CrmName, CrmRow> {
    let of = |(key, row): (&ledgerline_store::table::Key, &ledgerline_store::table::Row)| {
        let (in_org, name) = crm::parse_key(key)?;
        (in_org == org).then(|| (name, crm::read(row.clone()).unwrap()))
    };
    world.keys.look(|rows| rows.iter().filter_map(of).collect())
}

async fn name_of(world: &World, kind: Kind, raw: &str) -> String {
    let identifier = Identifier::parse(kind, raw, Region::US).unwrap();
    world.key().await.pseudonym(&identifier).as_str().to_owned()
}

#[tokio::test]
async fn what_a_crm_says_is_kept_under_pseudonyms_and_of_records_under_their_ids() {
    let world = World::new().await;
    let body = json!({ "rows": [
        row("phone", "(555) 555-0142", "Gold"), row("record", "c-9822-voice", "vip"),
        row("email", "planted@example.com", "Planted Tier"), row("phone", "anonymous", "Gold"),
    ] });
    let (status, answer) = load(&world, &loader(), &body).await;
    let expected =
        json!({ "org": "acme", "loaded": 3, "suppressed": 0, "refused": [3], "masked": { "tier": 1, "product": 0 } });
    assert_eq!((status, answer), (200, expected));
    let rows = rows(&world, "acme");
    let phone = CrmName::Pseudonym(name_of(&world, Kind::Phone, PHONE).await);
    let CrmRow { tier, product, owner } = &rows[&phone];
    assert_eq!((tier.as_deref(), product.as_deref()), (Some("Gold"), Some("Credit card")));
    assert!(owner.as_deref().is_some_and(|owner| owner.starts_with("p1_")), "the owner is a person");
    assert_eq!(rows[&CrmName::Record("c-9822-voice".to_owned())].tier.as_deref(), Some("vip"));
    let mail = CrmName::Pseudonym(name_of(&world, Kind::Email, "planted@example.com").await);
    assert_eq!((rows[&mail].tier.as_deref(), rows.len()), (None, 3));
    let kinds = CrmOrgs::new(world.control.port()).kinds("acme").await.unwrap();
    assert_eq!(kinds, BTreeSet::from(["email", "phone", "record"].map(str::to_owned)));
    let stored = world.dump();
    assert!(!stored.contains("planted.owner") && !stored.contains("planted@") && !stored.contains("5550142"));
    // Again, with another tier: in the place of what was there.
    let (status, _) = load(&world, &loader(), &json!({ "rows": [row("phone", "+1 555 555 0142", "Silver")] })).await;
    assert_eq!((status, self::rows(&world, "acme")[&phone].tier.as_deref()), (200, Some("Silver")));
}

#[tokio::test]
async fn two_spellings_of_one_customer_are_one_row_and_the_later_counts() {
    let world = World::new().await;
    let body = json!({ "rows": [row("phone", PHONE, "Gold"), row("phone", "555-555-0142", "Silver")] });
    let (status, answer) = load(&world, &loader(), &body).await;
    assert_eq!((status, answer["loaded"].as_u64()), (200, Some(2)));
    let rows = rows(&world, "acme");
    assert_eq!(rows.values().map(|row| row.tier.as_deref()).collect::<Vec<_>>(), [Some("Silver")]);
}

/// The deployment's suppression keys, as the function opened them.
async fn suppression(world: &World) -> SuppressionRing {
    world.data_keys().suppression_ring_or_new("2026-03-02T14:00:00.000Z").await.unwrap()
}

#[tokio::test]
async fn of_whom_a_tombstone_suppresses_nothing_is_kept_nor_of_a_record_that_went_whole() {
    let world = World::new().await;
    let (tombs, ring) = (Tombs::new(world.control.port()), suppression(&world).await);
    let hers = name_of(&world, Kind::Phone, PHONE).await;
    let other = name_of(&world, Kind::Phone, "+15555550143").await;
    tombs.put(&ring, "acme", &hers, NOW_MS - 1, NOW_MS / 1_000 + 60).await.unwrap();
    // One that ended, and one of another org.
    tombs.put(&ring, "acme", &other, NOW_MS - 1, NOW_MS / 1_000 - 60).await.unwrap();
    tombs.put(&ring, "globex", &other, NOW_MS - 1, NOW_MS / 1_000 + 60).await.unwrap();
    world.keys.erase_record("acme/c-1", Some(Cutoff::At(NOW_MS)));
    world.keys.erase_record("acme/c-2", None);
    let body = json!({ "rows": [
        row("phone", PHONE, "Gold"), row("phone", "+15555550143", "Gold"), row("record", "c-1", "Gold"), row("record", "c-2", "Gold"),
    ] });
    let (status, answer) = load(&world, &loader(), &body).await;
    assert_eq!((status, answer["loaded"].as_u64(), answer["suppressed"].as_u64()), (200, Some(2), Some(2)), "{answer}");
    let names: Vec<CrmName> = rows(&world, "acme").into_keys().collect();
    assert_eq!(names, [CrmName::Pseudonym(other), CrmName::Record("c-2".to_owned())]);
}

#[tokio::test]
async fn each_call_is_of_one_org_that_the_caller_may_write_for() {
    let world = World::new().await;
    let one = |org: Option<&str>| {
        let mut body = json!({ "rows": [row("phone", PHONE, "Gold")] });
        org.into_iter().for_each(|org| body["org"] = json!(org));
        body
    };
    let of = |orgs: &str| caller("planted-loader", "crm:write", orgs);
    for (orgs, org, status, kind) in [
        ("acme", None, 200, ""),
        ("acme", Some("acme"), 200, ""),
        ("acme", Some("globex"), 422, "no-such-org"),
        ("acme globex", None, 422, "which-org"),
        ("acme globex", Some("globex"), 200, ""),
        ("*", None, 422, "which-org"),
        // Customers may be there before their first event.
        ("*", Some("initech"), 200, ""),
        ("acme", Some("planted org"), 422, "invalid-org"),
    ] {
        let (answered, body) = load(&world, &of(orgs), &one(org)).await;
        assert_eq!(answered, status, "{orgs} {org:?}: {body}");
        assert!(body["type"].as_str().unwrap_or_default().ends_with(kind), "{orgs} {org:?}: {body}");
    }
    assert_eq!(["acme", "globex", "initech"].map(|org| rows(&world, org).len()), [1, 1, 1]);
}

#[tokio::test]
async fn only_the_scope_lets_in_and_what_is_wrong_is_said_without_a_word_of_it() {
    let world = World::new().await;
    let body = json!({ "rows": [row("phone", PHONE, "Gold")] });
    let others = "dsar:read request:write request:verify request:approve lineage:read gold:read";
    assert_eq!(world.call_at(None, "POST", PATH, Some(&body)).await.0, 401);
    assert_eq!(load(&world, &caller("planted", others, "*"), &body).await.0, 403);
    assert_eq!(world.call_at(Some(&loader()), "GET", PATH, None).await.0, 405);
    assert_eq!(world.call_at(Some(&loader()), "POST", "/api/v1/reference/planted", Some(&body)).await.0, 404);
    assert_eq!(world.post(&loader(), "requests", erasure()).await.0, 403, "the scope opens nothing else");
    for body in [
        json!({ "rows": [] }),
        json!({ "rows": [{ "kind": "planted", "value": PHONE, "tier": "planted" }] }),
        json!({ "rows": [{ "kind": "phone", "value": PHONE }] }),
        json!({ "rows": vec![row("phone", PHONE, "planted"); 101] }),
    ] {
        let (status, answer) = load(&world, &loader(), &body).await;
        assert_eq!((status, answer["type"].as_str()), (422, Some("urn:ledgerline:problem:invalid-request")), "{body}");
        assert!(!answer.to_string().contains("planted") && !answer.to_string().contains("5550142"), "{answer}");
    }
    assert!(rows(&world, "acme").is_empty());
    let log = captured().text();
    assert!(!log.contains("planted") && !log.contains("5550142"), "the log repeats what was typed");
}

#[tokio::test]
async fn before_the_first_key_nothing_is_kept_and_it_is_said_to_come_again() {
    let world = World::empty(settings(), Faults::none());
    let (status, answer) = load(&world, &loader(), &json!({ "rows": [row("phone", PHONE, "Gold")] })).await;
    assert_eq!((status, answer["type"].as_str()), (503, Some("urn:ledgerline:problem:no-key")));
    assert!(rows(&world, "acme").is_empty());
}

#[tokio::test]
async fn any_write_of_a_load_fails_and_the_same_comes_again() {
    let all: Vec<Value> = (0..100).map(|n| row("phone", &format!("+1555555{:04}", 100 + n), "Gold")).collect();
    let body = json!({ "rows": all });
    for fault in ALL_FAULTS {
        for nth in 0.. {
            let faults = Faults::at(nth, fault);
            let world = World::with(settings(), faults.clone()).await;
            let mut answered = load(&world, &loader(), &body).await;
            for _ in 0..4 {
                if answered.0 != 503 {
                    break;
                }
                answered = load(&world, &loader(), &body).await;
            }
            assert_eq!(
                (answered.0, answered.1["loaded"].as_u64()),
                (200, Some(100)),
                "{fault:?} at {nth}: {}",
                answered.1
            );
            assert_eq!(rows(&world, "acme").len(), 100, "{fault:?} at {nth}");
            assert!(rows(&world, "acme").values().all(|row| row.tier.as_deref() == Some("Gold")));
            if faults.struck() == 0 {
                // The suppression key, the caller's alias, the kinds, and two transactions of fifty rows and their tombstones.
                assert!(nth >= 5, "only {nth} writes");
                break;
            }
        }
    }
}
