//! What of events is sealed, and for whom: the guides' payloads whole, what nobody may keep at any depth, texts, numbers of cards, the
//! bounds of what no description lists, and a customer's number in nobody else's block.

use std::collections::BTreeMap;
use std::path::Path;

use ledgerline_event::document::{Fragment, split};
use ledgerline_event::{batch, sensitive};
use ledgerline_privacy::{Identifier, Kind, Region};
use ledgerline_sealed::unlisted::EVENT_BYTES;
use ledgerline_testkit::faults::Dice;
use ledgerline_transform::reading::{Event, Read};
use serde_json::{Map, Value, json};

use crate::cases::read_with;
use crate::erasures::{PHONE, identity};
use crate::own::answered;
use crate::sealed::opened;
use crate::world::settings;

type Opened = BTreeMap<&'static str, Value>;

fn file(name: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../events").join(name)).unwrap()
}

/// A file's documents as bronze holds them.
fn stored(name: &str) -> Vec<String> {
    let bytes = file(name);
    let Some(Fragment::Document(document, head)) = split(&bytes).next() else { panic!("no document") };
    let documents: Vec<Vec<u8>> = match head.is_batch().then(|| batch::split(document)).flatten() {
        Some(batch) => batch.documents().map(|one| one.to_vec()).collect(),
        None => vec![document.to_vec()],
    };
    let text = |one: Vec<u8>| {
        let kept: Value = serde_json::from_slice(&sensitive::cut(&one).0).unwrap();
        kept.to_string()
    };
    documents.into_iter().map(text).collect()
}

fn read(raws: &[String]) -> Read {
    read_with(&settings(), raws)
}

/// What the blocks of an event hold beside the digest of its bytes, by party.
fn without_raw(read: &Read, event: &Event) -> Value {
    let mut all = opened(read, event);
    assert_eq!(
        all.values_mut().filter_map(|content| content.as_object_mut()?.remove("raw")).count(),
        usize::from(!all.is_empty())
    );
    json!(all)
}

/// What the blocks of the one event hold, and the names of what it has nowhere.
fn content(raw: &str) -> (Opened, Vec<String>) {
    let read = read(&[raw.to_owned()]);
    let [event] = &read.events[..] else { panic!("no event: {raw}") };
    let entry: Value = serde_json::from_str(&event.line).unwrap();
    (opened(&read, event), serde_json::from_value(entry["masked"].clone()).unwrap())
}

/// A flat event of one interaction.
fn flat(members: Value) -> String {
    let mut event = json!({"interactionId": "i-1", "eventType": "answered", "timestamp": "2026-03-02T14:00:05Z"});
    event.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    event.to_string()
}

/// An audit of an agent.
fn of_user(members: Value) -> String {
    let mut event =
        json!({"entityType": "User", "entityId": "u-1", "action": "view", "timestamp": "2026-03-02T14:00:05Z"});
    event.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    event.to_string()
}

#[test]
fn every_payload_of_the_guides_is_sealed_as_its_reading_says() {
    let readings: Vec<Map<String, Value>> = serde_json::from_slice(&file("guide-readings.json")).unwrap();
    let mut files: Vec<&str> = readings.iter().map(|reading| reading["file"].as_str().unwrap()).collect();
    files.dedup();
    let (mut wrong, mut sealed) = (Vec::new(), 0);
    for file in files {
        let read = read(&stored(file));
        let ours: Vec<&Map<String, Value>> = readings.iter().filter(|reading| reading["file"] == file).collect();
        assert_eq!(read.events.len(), ours.len(), "{file}: {:?} {:?}", read.filtered, read.quarantined);
        for (event, reading) in read.events.iter().zip(ours) {
            let entry: Value = serde_json::from_str(&event.line).unwrap();
            let or = |name: &str, nothing: Value| reading.get(name).cloned().unwrap_or(nothing);
            let (expected, found) = (or("sealed", json!({})), without_raw(&read, event));
            let (masked, found_masked) = (or("dropped", json!([])), &entry["masked"]);
            sealed += usize::from(found != json!({}));
            if expected != found || masked != *found_masked {
                wrong.push(format!("{file} {}\n  sealed {found}\n  dropped {found_masked}", event.bronze_line));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(sealed > 10);
}

#[test]
fn the_identity_event_of_guide_003_says_who_was_resolved_by_which_hashes() {
    let (blocks, masked) = content(&stored("guide-003-identity-resolution.json")[0]);
    let customer = &blocks["customer"];
    let document: Value = serde_json::from_slice(&file("guide-003-identity-resolution.json")).unwrap();
    let said = &document["auditEvent"];
    for (kind, member) in [("customer_id_hash", "/resolvedCustomerId"), ("phone_hash", "/piiContext/phoneHash")] {
        assert!(said.pointer(member).is_some_and(Value::is_string), "{document}");
        assert_eq!(customer.get(kind), said.pointer(member), "{customer}");
    }
    assert!(!masked.iter().any(|name| name.contains("hash") || name.contains("customer")), "{masked:?}");
}

#[test]
fn an_audits_blocks_say_who_did_it_and_to_whom() {
    let (blocks, _) = content(&stored("audit-event.json")[0]);
    let actor =
        json!({"/auditEvent/actor/id": "d09ce1b6-dee1-5d05-89bf-4db81edbdebd", "/auditEvent/actor/name": "Robin Hale"});
    assert_eq!(blocks["agent"], actor);
    let (blocks, _) = content(&stored("genesys-audit.json")[0]);
    let own = |name: &str| blocks["agent"].get(format!("/detail/eventBody/{name}")).cloned();
    for (name, said) in [("entity/name", "Sam Ortega"), ("username/name", "Robin Hale")] {
        assert_eq!(own(name), Some(json!(said)), "{blocks:?}");
    }
    assert!(own("clientId/id").is_some() && blocks["agent"]["user_display"] == "Robin Hale");
}

#[test]
fn a_deletion_is_sealed_for_nobody() {
    let raws = [identity("DATA_DELETION", "25"), identity("IDENTITY_RESOLUTION", "20")];
    let read = read(&raws);
    let [deletion, resolution] = &read.events[..] else { panic!() };
    let entry: Value = serde_json::from_str(&deletion.line).unwrap();
    assert_eq!((&entry["keyIds"], &entry["sealed"], deletion.keys.len()), (&json!([]), &json!([]), 0));
    assert_eq!(entry["masked"], json!(["resolved_customer_id", "source_event_type"]));
    assert_eq!(resolution.keys.len(), read.keys.len(), "no key is drawn for it");
    assert!(!resolution.keys.is_empty());
}

/// A name of each dropped field, in the spellings that it may have.
const DROPPED: [&str; 13] = [
    "creditCardNumber",
    "card_number",
    "pan",
    "message",
    "notes",
    "Password",
    "ssn",
    "social-security-number",
    "SocialSecurityNumber",
    "subject",
    "transcript",
    "Transcripts",
    "wrapup_notes",
];

#[test]
fn what_is_dropped_is_in_no_block_however_deep_it_stands() {
    for name in DROPPED {
        let dropped = json!({name: "dropped-1", "beside": "kept-1"});
        let below = json!({name: {"deeper": ["dropped-1"], "name": "dropped-1"}, "beside": "kept-1"});
        for said in [dropped, below] {
            for (place, members) in [
                ("a bag", json!({"attributes": said})),
                ("a bag's object", json!({"customFields": {"a": {"b": said}}})),
                ("an unlisted object", json!({"customer": said})),
                ("a list", json!({"communications": [1, said]})),
                ("a list in an unlisted object", json!({"novel": {"list": [[said]]}})),
                ("JSON in a string", json!({"payload": said.to_string()})),
                ("JSON in a string of a bag", json!({"metadata": {"text": json!({"inner": said}).to_string()}})),
                ("a listed field's object", json!({"actor": said})),
                ("agents", json!({"agents": [said]})),
                ("an event's bag", json!({"data": {"details": said}})),
            ] {
                let (blocks, _) = content(&flat(members));
                let all = json!(blocks).to_string();
                assert!(all.contains("kept-1"), "{name} in {place}: {all}");
                assert!(!all.contains("dropped-1"), "{name} in {place}: {all}");
            }
        }
    }
}

#[test]
fn no_text_and_no_card_is_sealed_whatever_says_it() {
    let card = "4111-1111-1111-1111";
    let text = "very upset";
    for said in [
        json!({"attributes": {"a": card, "b": text, "c": "客户非常生气", "d": "x".repeat(65)}}),
        json!({"novel": {"4111111111111111": true, "Ada called crying": 1, "n\u{e9}e": 1, "": 1}}),
        json!({"wrapupCode": format!("Ada, {card}, {text}"), "deletionReason": text, "state": text, "outcome": text}),
        json!({"queueName": card, "resolutionMethod": {"name": text}, "currentValue": [text]}),
        json!({"paymentToken": card, "accountNumber": card, "customerName": format!("Ada {card}")}),
        json!({"customerName": "very upset ".repeat(30), "journeyCustomer": {"id": "j-1", "note": text, "card": card}}),
        json!({"entity": {"notes": text, "inner": {"name": text}, "card": card, "name": card}}),
        json!({"actor": [{"name": text}], "username": "{\"ssn\":\"very upset\"}"}),
    ] {
        let (blocks, _) = content(&flat(said.clone()));
        let all = json!(blocks).to_string();
        for never in ["4111", "upset", "客户", "crying", "née", "xxxx"] {
            assert!(!all.contains(never), "{said}: {all}");
        }
    }
    let (_, masked) =
        content(&flat(json!({"wrapupCode": text, "paymentToken": card, "actor": [{"id": 1}], "username": "{}"})));
    assert_eq!(masked, ["actor", "payment_token", "username", "wrapup_code"]);
    // What is in doubt and no text is sealed: a code that no rule knows.
    let (blocks, _) = content(&flat(json!({"wrapupCode": "WC-1138", "details": "late"})));
    assert_eq!((&blocks["joint"]["wrapup_code"], &blocks["joint"]["details"]), (&json!("WC-1138"), &json!("late")));
}

#[test]
fn what_a_listed_object_is_called_is_sealed_with_its_ids() {
    let (blocks, masked) = content(&of_user(json!({
        "actor": {"id": "u-2", "name": "Robin Meyer", "display_name": "R. Meyer", "team": {"name": "Team A"}},
        "entity": {"name": "Queue of Robin", "kind": "q", "remark": "two words"},
    })));
    let agents = json!({"/actor/id": "u-2", "/actor/name": "Robin Meyer", "/actor/display_name": "R. Meyer", "entity_id": "u-1",
        "/entity/name": "Queue of Robin", "/entity/kind": "q"});
    assert_eq!(blocks["agent"], agents);
    assert_eq!(masked, ["actor", "entity"]);
}

#[test]
fn an_identifier_is_sealed_under_its_kind_alone() {
    let mail = "avery@example.com";
    let (blocks, _) = content(&flat(json!({
        "customerEmail": mail, "contactId": mail, "username": mail, "accountNumber": 4711,
        "journeyCustomer": {"id": mail, "idType": "email"},
        "attributes": {"mail": mail, "account": "4711", "others": [mail, 4711, "q-1"]},
    })));
    let customer = blocks["customer"].as_object().unwrap();
    let places = |value: &Value| {
        customer.iter().filter(|(_, said)| *said == value).map(|(name, _)| name.as_str()).collect::<Vec<_>>()
    };
    assert_eq!(
        (places(&json!(mail)), places(&json!(4711)), places(&json!("4711"))),
        (vec!["email"], vec!["account"], vec![])
    );
    assert_eq!(
        (&customer["/journeyCustomer/idType"], &customer["/attributes/others/2"]),
        (&json!("email"), &json!("q-1"))
    );
    assert!(!blocks.contains_key("agent"));
}

/// How many members a block has that no description lists, and the bytes of their names and values.
fn unlisted(content: &Value) -> (usize, usize) {
    let members = content.as_object().unwrap().iter().filter(|(name, _)| name.starts_with('/'));
    members.fold((0, 0), |(count, bytes), (name, value)| {
        (count + 1, bytes + name.len() + value.as_str().map_or_else(|| value.to_string().len(), str::len))
    })
}

#[test]
fn what_no_description_lists_is_bounded_in_every_event() {
    let ones = |count: usize| vec![1; count];
    let long = "n".repeat(2_000);
    let in_string = json!(vec![1; 100_000]).to_string();
    for (said, least) in [
        (json!({"novel": ones(490_000)}), 300),
        (json!({long.as_str(): ones(490_000), "novel": 1}), 1),
        (json!({"attributes": ones(200_000), "agents": ones(200_000)}), 300),
        (json!({"n".repeat(64): ones(100_000)}), 50),
        (json!({"metadata": {"text": in_string, "other": ones(10)}}), 200),
        (json!({"details": vec![json!({"a": "b"}); 60_000]}), 200),
    ] {
        let said = [said, json!({"customerPhone": PHONE, "customerName": "Ada Lovelace", "agentId": "a-7"})];
        let members: Map<String, Value> = said.iter().flat_map(|part| part.as_object().unwrap().clone()).collect();
        let raw = flat(Value::Object(members));
        assert!(raw.len() < 1_024_000);
        let (blocks, _) = content(&raw);
        let found: Vec<(usize, usize)> = blocks.values().map(unlisted).collect();
        let (count, bytes) = found.into_iter().fold((0, 0), |(count, bytes), (more, of)| (count + more, bytes + of));
        assert!((least..=EVENT_BYTES / 3).contains(&count) && bytes <= EVENT_BYTES, "{count} values, {bytes} bytes");
        assert_eq!(blocks["customer"]["customer_name"], "Ada Lovelace");
        assert_eq!(blocks["customer"]["phone"], PHONE);
    }
    // A name of its sender's choice pushes nothing out.
    let (blocks, _) =
        content(&flat(json!({"n".repeat(24_600): true, "customerPhone": PHONE, "customerName": "Ada Lovelace"})));
    assert_eq!((unlisted(&blocks["customer"]), &blocks["customer"]["customer_name"]), ((0, 0), &json!("Ada Lovelace")));
}

/// A caller's number as systems write it.
const SPELLINGS: [&str; 14] = [
    "+15555550142",
    "15555550142",
    "5555550142",
    "555-555-0142",
    "(555)555-0142",
    "1-555-555-0142",
    "+1.555.555.0142",
    "+1(555)555-0142",
    "tel:+15555550142",
    "tel:+1-555-555-0142",
    "sip:+15555550142@edge.example",
    "<tel:+15555550142>",
    "tel:+15555550142;ext=2",
    "ada.lovelace@example.com",
];

/// Whether a block says any spelling of the caller's number, or the caller's address, wherever.
fn names_caller(content: &Value) -> bool {
    let mut content = content.clone();
    content.as_object_mut().unwrap().remove("raw");
    let text = content.to_string();
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    digits.contains("5555550142") || text.contains("lovelace")
}

#[test]
fn with_every_agents_and_joint_key_open_no_guess_at_an_erased_caller_matches() {
    for spelled in SPELLINGS {
        let kind = if spelled.contains("lovelace") { Kind::Email } else { Kind::Phone };
        assert!(Identifier::read(kind, spelled, Region::US).is_some(), "{spelled}");
    }
    let mut dice = Dice::new(142);
    let mut pick = |end: usize| dice.below(end as u64) as usize;
    let (mut joint, mut agents, mut customers) = (0, 0, 0);
    for nth in 0..4_000 {
        let mut caller = || match pick(SPELLINGS.len() + 1) {
            0 => json!(15_555_550_142_u64),
            at => json!(SPELLINGS[at - 1]),
        };
        let (one, two, three) = (caller(), caller(), caller());
        let name = two.as_str().map_or_else(|| two.to_string(), str::to_owned);
        let mut members = match pick(8) {
            0 => json!({"agents": [{"id": "a-7", "callbackNumber": one, "ani": two, name: 1}]}),
            1 => json!({"details": {"callback": one, "list": [two, three], name.as_str(): {"a": 1}}}),
            2 => json!({"payload": json!({"customerPhone": one, "other": {"ani": two}}).to_string()}),
            3 => json!({"attributes": {"inner": json!([{"phone": one}, two]).to_string()}}),
            4 => json!({"novel": {"a": one, name.as_str(): "x"}, name: three}),
            5 => json!({"actor": {"id": "u-7", "name": one, "phone": two}, "entity": {"displayName": three}}),
            6 => json!({"wrapupCode": one, "queueName": two, "details": three}),
            _ => json!({"data": {"details": {"callback": one}}, "communications": [{"to": two}, three]}),
        };
        let more = json!({"agentId": "a-7", "nth": nth, "flow": "f-1"});
        members.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let names_customer = pick(2) == 0;
        if names_customer {
            members["customerPhone"] = json!(PHONE);
        }
        let raw = match pick(3) {
            0 => of_user(members),
            1 => flat(members),
            _ => answered("acme", "c-1", "answered", members),
        };
        let (blocks, _) = content(&raw);
        for (party, content) in blocks {
            match party {
                "customer" => customers += usize::from(names_caller(&content)),
                _ => assert!(!names_caller(&content), "{party}: {content} of {raw}"),
            }
            joint += usize::from(party == "joint");
            agents += usize::from(party == "agent");
        }
    }
    // The customer's own block says it, and the others are there.
    assert!(customers > 500 && joint > 500 && agents > 2_000, "{customers} {joint} {agents}");
}

#[test]
fn what_no_party_is_named_for_is_the_customers_else_an_agents_else_everybodys() {
    let said = json!({"agents": [{"id": "a-7", "skill": "s-1"}], "remoteIp": "203.0.113.7", "novel": 1});
    let party_of = |raw: &str, name: &str| {
        let (blocks, _) = content(raw);
        blocks.into_iter().find(|(_, content)| content.get(name).is_some()).map(|(party, _)| party)
    };
    let mut with_customer = said.clone();
    with_customer["accountNumber"] = json!("4711");
    for name in ["/agents/0/skill", "remote_ip", "/novel"] {
        assert_eq!(party_of(&flat(said.clone()), name), Some("joint"), "{name}");
        assert_eq!(party_of(&flat(with_customer.clone()), name), Some("customer"), "{name}");
        assert_eq!(party_of(&of_user(said.clone()), name), Some("agent"), "{name}");
        assert_eq!(party_of(&of_user(with_customer.clone()), name), Some("customer"), "{name}");
    }
    // Somebody's account under a name of the agent's own object, spelled otherwise.
    let (blocks, _) = content(&of_user(json!({"accountNumber": "AC 4711", "actor": {"id": "u-1", "about": "ac4711"}})));
    assert_eq!(blocks["agent"], json!({"/actor/id": "u-1"}));
}
