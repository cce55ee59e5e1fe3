//! Genesys audits: changes to entities that are no interaction.
//!
//! Invariant: the record of an audit is `entityType/entityId`, its id a user's, a queue's, or that of a contact whom conversations name, too; a person's name is in the entity's name, the user's
//! display and the changed values, as in the captured samples.

use serde_json::{Value, json};

use super::centre::Centre;
use super::dice::Dice;
use super::envelope::{Body, Event, Topic, milliseconds};
use super::planted::{Place, Planted};

/// About one audit for ten interactions.
pub(super) fn day(
    centre: &Centre,
    dice: &mut Dice,
    planted: &mut Planted,
    midnight_ms: i64,
    interactions: u32,
) -> Vec<Event> {
    (0..interactions.div_ceil(10))
        .map(|_| {
            let at = midnight_ms + super::centre::moment_of_day_ms(dice);
            audit(centre, dice, planted, at)
        })
        .collect()
}

/// What an agent's id is listed as.
const AGENT: &str = "agent";

/// What changed, and on what.
struct Change {
    service: &'static str,
    action: &'static str,
    entity_type: &'static str,
    entity_id: String,
    /// What a person's id is listed as; empty for an id of nobody.
    id_kind: &'static str,
    entity_name: String,
    changes: Value,
    personal: Vec<Personal>,
}

/// A personal value in the change.
struct Personal {
    kind: &'static str,
    value: String,
    written: String,
    pointer: &'static str,
}

impl Personal {
    fn new(kind: &'static str, value: &str, pointer: &'static str) -> Self {
        Self { kind, value: value.to_owned(), written: value.to_owned(), pointer }
    }
}

fn audit(centre: &Centre, dice: &mut Dice, planted: &mut Planted, at_ms: i64) -> Event {
    let change = match dice.weighted(&[6, 2, 1, 2]) {
        0 => presence(centre, dice),
        1 => user(centre, dice),
        2 => queue(centre, dice),
        _ => contact(centre, dice),
    };
    let by = centre.agent(dice);
    let record = format!("{}/{}", change.entity_type, change.entity_id);
    let ip = format!("203.0.113.{}", dice.between(1, 254));
    let who = [Personal::new("ip", &ip, "/remoteIp/0"), Personal::new("name", &by.name, "/userDisplay")];
    for personal in change.personal.iter().chain(&who) {
        let place = Place { record: &record, topic: "audit", pointer: personal.pointer, resolves: false };
        planted.note(personal.kind, &personal.value, &personal.written, &place);
    }
    let ids = [(change.id_kind, change.entity_id.as_str(), "/entity/id"), (AGENT, by.id.as_str(), "/userId")];
    for (kind, id, pointer) in ids.into_iter().filter(|(kind, ..)| !kind.is_empty()) {
        planted.note(kind, id, id, &Place { record: &record, topic: "audit", pointer, resolves: false });
    }
    planted.count(&record, "audit");
    let body = Body::default()
        .with("id", dice.uuid())
        .with("userId", by.id.as_str())
        .with("userHomeOrgId", centre.org.as_str())
        .with("username", json!({"id": by.id}))
        .with("userDisplay", by.name.as_str())
        .with("clientId", json!({"id": dice.uuid()}))
        .with("remoteIp", json!([ip]))
        .with("serviceName", change.service)
        .with("eventTime", milliseconds(at_ms))
        .with("action", change.action)
        .with("entityType", change.entity_type)
        .with("entity", json!({"id": change.entity_id, "name": change.entity_name}))
        .with("propertyChanges", change.changes);
    let topic = Topic::Audit { entity_type: change.entity_type };
    Event { topic, id: change.entity_id, occurred_ms: at_ms, version: "2", body }
}

fn presence(centre: &Centre, dice: &mut Dice) -> Change {
    let agent = centre.agent(dice);
    let (old, new) = (dice.pick(&["Break", "Meal", "Available"]), dice.pick(&["Available", "On Queue", "Busy"]));
    Change {
        service: "Presence",
        action: "Update",
        entity_type: "UserPresence",
        entity_id: agent.id.clone(),
        id_kind: AGENT,
        entity_name: agent.name.clone(),
        changes: json!([{"property": "PRESENCE", "oldValues": [old], "newValues": [new]}]),
        personal: vec![Personal::new("name", &agent.name, "/entity/name")],
    }
}

fn user(centre: &Centre, dice: &mut Dice) -> Change {
    let agent = centre.agent(dice);
    Change {
        service: "Directory",
        action: "Update",
        entity_type: "User",
        entity_id: agent.id.clone(),
        id_kind: AGENT,
        entity_name: agent.name.clone(),
        changes: json!([{"property": "email", "oldValues": [], "newValues": [agent.email]}]),
        personal: vec![
            Personal::new("name", &agent.name, "/entity/name"),
            Personal::new("email", &agent.email, "/propertyChanges/0/newValues/0"),
        ],
    }
}

fn queue(centre: &Centre, dice: &mut Dice) -> Change {
    let queue = centre.queue(dice);
    Change {
        service: "ContactCenter",
        action: "Update",
        entity_type: "Queue",
        entity_id: queue.id.clone(),
        id_kind: "",
        entity_name: queue.name.to_owned(),
        changes: json!([{"property": "acwTimeoutMs", "oldValues": ["30000"], "newValues": ["45000"]}]),
        personal: Vec::new(),
    }
}

fn contact(centre: &Centre, dice: &mut Dice) -> Change {
    let caller = centre.caller(dice);
    // Of somebody whom no conversation has referred to yet.
    let unknown = dice.uuid();
    let national = super::conversation::national(&caller.phone).to_owned();
    Change {
        service: "ExternalContacts",
        action: "Update",
        entity_type: "Contact",
        entity_id: caller.external_contact.clone().unwrap_or(unknown),
        id_kind: "externalContact",
        entity_name: caller.name.clone(),
        changes: json!([
            {"property": "cellPhone", "oldValues": [], "newValues": [national]},
            {"property": "personalEmail", "oldValues": [], "newValues": [caller.email]},
        ]),
        personal: vec![
            Personal::new("name", &caller.name, "/entity/name"),
            Personal {
                kind: "phone",
                value: caller.phone.clone(),
                written: national.clone(),
                pointer: "/propertyChanges/0/newValues/0",
            },
            Personal::new("email", &caller.email, "/propertyChanges/1/newValues/0"),
        ],
    }
}
