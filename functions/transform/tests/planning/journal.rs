//! What capture journaled: before anybody can commit an event, its row says which entry it becomes.

use std::collections::BTreeMap;
use std::io::Read as _;

use ledgerline_store::claim;
use ledgerline_store::journal;
use ledgerline_store::table::{IntoValue as _, Row, Value as Stored};
use ledgerline_testkit::faults::{ALL_FAULTS, Faults};
use serde_json::{Value, json};

use crate::faults::{Then, begin};
use crate::world::{World, key, lines};

const RECORD: &str = "acme/i-1";

/// As capture puts it into the stream.
fn captured(detail: &Value) -> String {
    format!(r#"{{"source":"ledgerline.capture/flows/flows/acme","detail":{detail}}}"#)
}

/// Of one record: one event that is journaled, and one that is not.
fn audit() -> Value {
    json!({"auditEvent": {"eventType": "AUDIT", "timestamp": "2026-03-02T13:00:00Z", "interactionId": "i-1"}})
}

fn survey() -> Value {
    json!({"conversationId": "i-1", "eventType": "survey", "timestamp": "2026-03-02T13:00:01Z"})
}

/// Two objects, and both have the audit event.
fn seed(world: &World) {
    world.bronze.seed(&key("a"), lines(&[captured(&audit()), captured(&survey())]));
    world.bronze.seed(&key("b"), lines(&[captured(&audit())]));
}

/// The claim ids of the record's events.
fn claimed(world: &World) -> Vec<String> {
    let ids = |row: &Row| row.keys().filter_map(|name| name.strip_prefix('e').map(str::to_owned)).collect::<Vec<_>>();
    world.index.look(|rows| rows.iter().filter(|(key, _)| claim::is_key(key)).flat_map(|(_, row)| ids(row)).collect())
}

/// The claim id of the audit event, found in a world of its own: ids are a function of the event and the key.
async fn id_of_audit() -> String {
    let world = World::new();
    world.bronze.seed(&key("b"), lines(&[captured(&audit())]));
    world.settle(&[&key("b")]).await;
    let ids = claimed(&world);
    assert_eq!(ids.len(), 1, "{ids:?}");
    ids[0].clone()
}

/// A row as capture puts it; what it holds beside is not transform's to look at.
fn journaled(world: &World, claim_id: &str) {
    world.index.change(&journal::key(RECORD, claim_id), |row| {
        row.extend([("client".to_owned(), "flows".into_value())]);
    });
}

/// What the journal's rows say: the entry and the object, by claim id.
fn noted(world: &World) -> BTreeMap<String, (Option<String>, Option<String>)> {
    let text = |row: &Row, name: &str| match row.get(name) {
        Some(Stored::S(text)) => Some(text.clone()),
        _ => None,
    };
    world.index.look(|rows| {
        let of = |(key, row): (_, &Row)| {
            let (_, claim_id) = journal::parse_key(key)?;
            Some((claim_id.to_owned(), (text(row, "eventId"), text(row, "object"))))
        };
        rows.iter().filter_map(of).collect()
    })
}

/// The object that owns an event.
fn owner(world: &World, claim_id: &str) -> Option<String> {
    let name = format!("e{claim_id}");
    world.index.look(|rows| {
        rows.iter().filter(|(key, _)| claim::is_key(key)).find_map(|(_, row)| match row.get(&name) {
            Some(Stored::S(object)) => Some(object.clone()),
            _ => None,
        })
    })
}

/// The lines of all plans.
fn planned(world: &World) -> String {
    let staged = world.staged.under("staged/").into_iter();
    let text = |(_, bytes): (String, bytes::Bytes)| {
        let mut text = String::new();
        flate2::read::MultiGzDecoder::new(&bytes[..]).read_to_string(&mut text).unwrap();
        text
    };
    staged.map(text).collect()
}

#[tokio::test]
async fn the_row_of_an_event_says_which_entry_it_becomes_and_no_row_is_made() {
    let id = id_of_audit().await;
    let world = World::new();
    seed(&world);
    journaled(&world, &id);
    world.settle(&[&key("a")]).await;
    let first = noted(&world);
    let (event_id, object) = first[&id].clone();
    assert_eq!((first.len(), object, claimed(&world).len()), (1, owner(&world, &id), 2));
    // As the plan has it.
    let event_id = format!(r#""eventId":"{}""#, event_id.unwrap());
    assert!(planned(&world).contains(&event_id), "no plan has {event_id}");
    // A duplicate changes nothing of it.
    world.settle(&[&key("b")]).await;
    assert_eq!(noted(&world), first);

    let world = World::new();
    seed(&world);
    world.settle(&[&key("a"), &key("b")]).await;
    assert!(noted(&world).is_empty());
}

#[tokio::test]
async fn the_same_event_that_came_another_way_first_is_noted_too() {
    let id = id_of_audit().await;
    let world = World::new();
    world.bronze.seed(&key("a"), lines(&[audit().to_string()]));
    journaled(&world, &id);
    world.settle(&[&key("a")]).await;
    let (event_id, object) = noted(&world)[&id].clone();
    assert!(event_id.is_some() && object == owner(&world, &id));
}

/// The writes of an undisturbed run.
async fn writes(id: &str) -> Vec<String> {
    let world = World::new();
    seed(&world);
    journaled(&world, id);
    world.settle(&[&key("a")]).await;
    world.settle(&[&key("b")]).await;
    world.faults.log()
}

#[tokio::test]
async fn whatever_write_fails_the_row_names_the_object_that_owns_the_event_before_that_is_planned() {
    let id = id_of_audit().await;
    for (nth, write) in writes(&id).await.iter().enumerate() {
        for fault in ALL_FAULTS {
            for then in Then::ALL {
                let case = format!("{write} (#{nth}) {fault:?}, then {then:?}");
                let world = World::with(Faults::at(nth, fault));
                seed(&world);
                journaled(&world, &id);
                let (a, b) = (key("a"), key("b"));
                begin(&world, then, [&a, &b]).await;
                // Where there is a plan of the owner's, the row names it.
                let said = noted(&world)[&id].1.clone();
                let is_planned =
                    |object: &str| world.staged.under("staged/").iter().any(|(key, _)| key.contains(object));
                if let Some(owner) = owner(&world, &id).filter(|owner| is_planned(owner)) {
                    assert_eq!(said, Some(owner), "{case}");
                }
                world.settle(&[&a]).await;
                world.settle(&[&b]).await;
                assert_eq!(world.faults.struck(), 1, "{case}: the fault never struck");
                assert_eq!(noted(&world)[&id].1, owner(&world, &id), "{case}");
                assert_eq!(world.check().counts.planned, 2, "{case}");
            }
        }
    }
}
