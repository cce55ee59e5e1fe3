//! The company's own numbers and domains: they resolve nobody, the customer beside them is resolved all the same.

use ledgerline_custody::own::parse_list;
use ledgerline_privacy::{KeyRing, PseudonymKey, Region};
use ledgerline_store::own::{self, Change, OwnName, OwnNumbers};
use ledgerline_store::table::{Key, Row};
use serde_json::{Value, json};

use crate::subjects::{self, subjects};
use crate::world::{World, event, key, lines};

const HOTLINE: &str = "+15555550199";
const NOW: &str = "2026-03-02T13:00:00.000Z";

/// An event of a customer, named by whatever `who` has.
pub(crate) fn answered(org: &str, interaction: &str, kind: &str, who: Value) -> String {
    let mut detail = json!({"interactionId": interaction, "eventType": kind, "timestamp": "2026-03-02T14:00:05Z",
        "mediaType": "VOICE"});
    detail.as_object_mut().unwrap().extend(who.as_object().unwrap().clone());
    json!({"version": "0", "id": "6f65ecc3-c2f9-51d6-97d6-dd48974e8c97", "detail-type": "interaction", "time": "2026-03-02T14:00:05Z",
        "source": format!("aws.partner/genesys.com/cloud/{org}/fixture"), "detail": detail})
    .to_string()
}

async fn change(world: &World, org: &str, item: &str, change: Change) {
    let ring = KeyRing::new([PseudonymKey::new(1, [1; 32])]);
    for item in parse_list(item, Region::US).unwrap() {
        let lists = OwnNumbers::new(world.others_control());
        lists.change(org, &item.names(ring.as_ref())[0], change, NOW).await.unwrap();
    }
}

async fn planned(world: &World, lines_: &[String]) {
    world.bronze.seed(&key("a"), lines(lines_));
    world.settle(&[&key("a")]).await;
    assert_eq!(world.check().counts.input, lines_.len() as u64);
}

/// `(subjects, records that are linked)`.
fn linked(world: &World) -> (usize, Vec<String>) {
    let mut records = subjects::linked(world);
    records.sort();
    (subjects(world).len(), records)
}

fn named(world: &World) -> usize {
    world.everything_but_bronze().matches("customer_ref: \"c_").count()
}

#[tokio::test]
async fn a_hotline_as_the_callers_number_names_nobody_and_the_next_identifier_does() {
    for by_parameter in [false, true] {
        let mut world = World::new();
        match by_parameter {
            true => world.own_numbers = parse_list("(555) 555-0199", Region::US).unwrap(),
            false => change(&world, "acme", HOTLINE, Change::Add).await,
        }
        let both = json!({"customerPhone": HOTLINE, "customerEmail": "ada@example.com"});
        planned(
            &world,
            &[
                answered("acme", "c-1", "answered", json!({"customerPhone": "1 (555) 555-0199"})),
                answered("acme", "c-2", "answered", both),
                answered("acme", "c-3", "answered", json!({"customerEmail": "ada@example.com"})),
            ],
        )
        .await;
        assert_eq!(linked(&world), (1, vec!["acme/c-2".to_owned(), "acme/c-3".to_owned()]));
        assert_eq!(named(&world), 2, "the hotline's own event has no customer_ref");
        let rows = world.everything_but_bronze();
        assert_eq!((rows.matches("phone_ref: \"r").count(), rows.matches("email_ref: \"r").count()), (0, 2));
        assert_eq!(world.check().counts.planned, 3);
    }
}

#[tokio::test]
async fn addresses_of_an_own_domain_name_nobody_and_those_of_its_subdomains_do() {
    let world = World::new();
    change(&world, "acme", "Example.com", Change::Add).await;
    let mail =
        |interaction: &str, address: &str| answered("acme", interaction, "answered", json!({"customerEmail": address}));
    planned(
        &world,
        &[mail("c-1", "help@EXAMPLE.com"), mail("c-2", "jane@mail.example.com"), mail("c-3", "no@example.com")],
    )
    .await;
    assert_eq!((linked(&world), named(&world)), ((1, vec!["acme/c-2".to_owned()]), 1));
}

#[tokio::test]
async fn a_list_counts_in_its_own_org_and_what_was_removed_names_somebody_again() {
    let world = World::new();
    change(&world, "beta", HOTLINE, Change::Add).await;
    let call = |org: &str, interaction: &str| answered(org, interaction, "answered", json!({"customerPhone": HOTLINE}));
    planned(&world, &[call("acme", "c-1"), call("beta", "c-2")]).await;
    assert_eq!(linked(&world), (1, vec!["acme/c-1".to_owned()]));
    change(&world, "beta", HOTLINE, Change::Remove).await;
    world.bronze.seed(&key("b"), lines(&[call("beta", "c-3")]));
    world.settle(&[&key("b")]).await;
    assert_eq!(linked(&world), (2, vec!["acme/c-1".to_owned(), "beta/c-3".to_owned()]), "a subject in each org");
}

#[tokio::test]
async fn filtered_lines_of_a_hotline_link_nobody_either() {
    let world = World::new();
    change(&world, "acme", HOTLINE, Change::Add).await;
    let beat =
        |interaction: &str, phone: &str| answered("acme", interaction, "heartbeat", json!({"customerPhone": phone}));
    planned(&world, &[beat("c-1", HOTLINE), beat("c-2", "+15555550142")]).await;
    assert_eq!(world.check().counts.filtered, 2);
    assert_eq!(linked(&world), (1, vec!["acme/c-2".to_owned()]));
}

#[tokio::test]
async fn a_subject_from_before_gets_no_link_more_and_keeps_those_it_has() {
    let world = World::new();
    let call = |interaction: &str| answered("acme", interaction, "answered", json!({"customerPhone": HOTLINE}));
    planned(&world, &[call("c-1")]).await;
    change(&world, "acme", HOTLINE, Change::Add).await;
    world.bronze.seed(&key("b"), lines(&[call("c-2")]));
    world.settle(&[&key("b")]).await;
    assert_eq!((linked(&world), named(&world)), ((1, vec!["acme/c-1".to_owned()]), 1));
}

#[tokio::test]
async fn an_objects_list_is_read_once_and_not_at_all_where_nobody_is_named() {
    let world = World::new();
    let queries = || world.calls.by_name().get("dynamodb:Query").copied().unwrap_or_default();
    world.bronze.seed(&key("a"), lines(&[event(1, 1), event(2, 1)]));
    world.settle(&[&key("a")]).await;
    assert_eq!(queries(), 0);
    let calls: Vec<String> = (0..200).map(|n| event(n, 0)).collect();
    world.bronze.seed(&key("b"), lines(&calls));
    world.settle(&[&key("b")]).await;
    assert_eq!(queries(), 1);
}

#[tokio::test]
async fn without_the_list_nobody_is_resolved_and_the_message_comes_back() {
    let world = World::new();
    // What is no row: the table cannot be read as a list.
    let list = own::key("acme", &OwnName::Domain("example.com".to_owned()));
    let spoilt = Key { sk: "phone#+15555550199".to_owned(), ..list };
    world.control.tamper(|rows| rows.insert(spoilt, Row::new()));
    world.bronze.seed(&key("a"), lines(&[event(1, 0)]));
    assert_eq!(world.deliver(&[&key("a")]).await, ["m0"]);
    assert_eq!(linked(&world), (0, Vec::new()));
}
