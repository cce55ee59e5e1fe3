//! Ids of people: as ids of records they stand as aliases, and what silver keeps of masked values joins rows and tells nobody.

use std::collections::{BTreeMap, BTreeSet};

use ledgerline_event::{Context, adapt, content_id, document, lineage};
use ledgerline_lake::ObjectId;
use ledgerline_ledger::entry::Record;
use ledgerline_privacy::{EventKey, Identifier, KeyRing, Kind, Pseudonym, PseudonymKey};
use ledgerline_store::subject::{identifier_key, link_key, parse_link_key};
use ledgerline_store::table::Key;
use ledgerline_testkit::table::{Item, item};
use ledgerline_transform::config::Settings;
use ledgerline_transform::reading::{Event, Read, Reading};
use serde_json::{Value, json};

use crate::subjects::links;
use crate::world::{T0, World, event, key, lines, settings};

const USER: &str = "53160ee1-1a1b-5836-889e-f11a79e65ec7";
const CONTACT: &str = "cd68e249-e098-5dc9-9073-5e6b8a2b8180";

fn read_with(settings: &Settings, raws: &[String]) -> Read {
    let random = |salt: &mut [u8]| salt.fill(1);
    let mut reading = Reading::new(settings, ObjectId::of("bronze", "bronze/aliases"), T0 + 60_000, &random);
    reading.push(&lines(raws)).unwrap();
    reading.finish().unwrap()
}

fn read(raws: &[String]) -> Read {
    read_with(&settings(), raws)
}

/// The audit of a change to something, by an agent.
fn audit(n: u32, service: &str, kind: &str, id: &str) -> String {
    json!({
        "detail-type": "v2.audits.entitytype.{id}.entityid.{id}",
        "source": "aws.partner/genesys.com/cloud/acme/fixture",
        "detail": {"topicName": format!("v2.audits.entitytype.{kind}.entityid.{id}"), "version": "2", "eventBody": {
            "id": format!("671caae1-a237-5bee-a4ad-{n:012}"), "userId": USER, "username": {"id": USER},
            "serviceName": service, "eventTime": "2026-03-02T14:00:07.000Z", "action": "Update",
            "entityType": kind, "entity": {"id": id, "name": "Avery Quill"},
        }},
    })
    .to_string()
}

fn entity(kind: &str, id: &str) -> String {
    json!({"eventId": format!("{kind}-{id}"), "entityType": kind, "entityId": id, "timestamp": T0}).to_string()
}

/// The type and id of each record.
fn entities(read: &Read) -> Vec<(String, String)> {
    let entity = |about: &Record| match about {
        Record::Entity { kind, id } => (kind.clone(), id.clone()),
        Record::Interaction(id) => (String::new(), id.clone()),
    };
    read.records.iter().map(|record| entity(&record.about)).collect()
}

fn alias(kind: &str, id: &str) -> String {
    EventKey::new([2; 32]).alias("acme", kind, id)
}

#[test]
fn what_is_not_on_the_list_is_a_persons_and_what_is_keeps_its_id() {
    for (kind, stored) in [
        ("Queue", "Queue"),
        ("queue", "queue"),
        ("WRAPUP_CODE", "WRAPUP_CODE"),
        ("Recording", "Recording"),
        ("Audit", "Audit"),
        ("OperationalEvent", "OperationalEvent"),
        ("Conversation", "Conversation"),
    ] {
        assert_eq!(entities(&read(&[entity(kind, "abc-1")])), [(stored.to_owned(), "abc-1".to_owned())]);
    }
    for (kind, stored) in [
        ("User", "User"),
        ("user", "user"),
        ("AuthUser", "AuthUser"),
        ("UserPresence", "UserPresence"),
        ("Contact", "Contact"),
        ("Customer", "Customer"),
        ("Row", "Row"),
        // A type that nobody knows is neither stored nor trusted.
        ("Zaborowska", "Other"),
        ("Other", "Other"),
    ] {
        assert_eq!(entities(&read(&[entity(kind, "abc-1")])), [(stored.to_owned(), alias(kind, "abc-1"))], "{kind}");
    }
    let two = entities(&read(&[entity("Zaborowska", "1001"), entity("Xyzzy", "1001")]));
    assert_eq!(two.len(), 2, "two types that nobody knows are two records");
}

#[test]
fn one_person_has_one_record_whatever_the_object_the_pseudonym_key_and_the_spelling() {
    let rotated = || {
        let pseudonyms = KeyRing::new([PseudonymKey::new(1, [1; 32]), PseudonymKey::new(2, [9; 32])]).unwrap();
        Settings { pseudonyms, ..settings() }
    };
    let raw = [audit(1, "Directory", "User", USER), audit(2, "Directory", "User", &USER.to_uppercase())];
    let (one, other) = (read(&raw), read_with(&rotated(), &raw[1..]));
    assert_eq!(entities(&one), [("User".to_owned(), alias("User", USER))]);
    assert_eq!((entities(&other), one.records[0].lines), (entities(&one), 2));
    let presence = read(&[json!({
        "detail-type": "v2.users.{id}.presence", "source": "aws.partner/genesys.com/cloud/acme/fixture",
        "detail": {"topicName": format!("v2.users.{USER}.presence"), "eventBody": {"modifiedDate": "2026-03-02T14:00:00Z"}},
    })
    .to_string()]);
    assert_eq!(entities(&presence), entities(&one));
    let elsewhere = read(&[raw[0].replace("cloud/acme", "cloud/beta")]);
    assert_ne!(entities(&elsewhere), entities(&one), "another org's record tells nobody");
    assert_ne!(entities(&read(&[audit(3, "Directory", "AuthUser", USER)]))[0].1, entities(&one)[0].1);
}

#[test]
fn an_alias_changes_no_identity_and_its_token_tells_no_id() {
    let raw = audit(1, "Directory", "User", USER);
    let read = read(std::slice::from_ref(&raw));
    let tree = document::parse(raw.as_bytes()).unwrap();
    let source = adapt(&tree, &Context { default_org: "acme", numeric_id_sources: &[] }).unwrap();
    assert_eq!(source.record.id(), format!("User/{USER}"), "the event itself names the user");
    let id = EventKey::new([2; 32]).claim_id(content_id(&source, &tree).as_bytes());
    let event = &read.events[0];
    assert_eq!(event.claim_id, id);
    let alias = alias("User", USER);
    assert!(event.line.contains(&format!("{{\"id\":\"{alias}\",\"type\":\"User\"}}")), "{}", event.line);
    assert_eq!(event.lineage_token, lineage::derived_token(&format!("User/{alias}")));
    assert!(event.line.contains(&format!("\"lineageToken\":\"{}\"", event.lineage_token)));
    let queue = self::read(&[entity("Queue", "q-1")]);
    assert_eq!(queue.events[0].lineage_token, lineage::derived_token("Queue/q-1"));
}

#[test]
fn an_alias_that_a_source_sends_is_an_id_like_any_other() {
    let sent = alias("User", USER);
    assert_eq!(entities(&read(&[entity("User", &sent)])), [("User".to_owned(), alias("User", &sent))]);
}

#[test]
fn a_contact_and_a_customer_are_whom_their_ids_name_and_a_user_is_nobodys_customer() {
    let pseudonyms = |read: &Read| -> Vec<Vec<String>> {
        read.events[0].adapted.identifiers.iter().map(|&at| read.identifiers[at].pseudonyms.clone()).collect()
    };
    let named = |kind: Kind, raw: &str| {
        let identifier = Identifier::parse(kind, raw, ledgerline_privacy::Region::US).unwrap();
        vec![vec![PseudonymKey::new(1, [1; 32]).pseudonym(&identifier).as_str().to_owned()]]
    };
    for (raw, expected) in [
        (audit(1, "ExternalContacts", "Contact", CONTACT), named(Kind::ExternalContact, CONTACT)),
        (audit(1, "ExternalContacts", "Contact", &CONTACT.to_uppercase()), named(Kind::ExternalContact, CONTACT)),
        (entity("ExternalContact", "c-77"), named(Kind::ExternalContact, "c-77")),
        (aggregate("CustomerUpdated", json!({})), named(Kind::Account, "cust-77")),
        (aggregate("IdentityResolved", json!({})), named(Kind::CustomerIdHash, "cust-77")),
        // Named twice, once.
        (aggregate("CustomerUpdated", json!({"customerId": "cust-77"})), named(Kind::Account, "cust-77")),
        (audit(1, "Directory", "User", USER), Vec::new()),
        (audit(1, "ContactCenter", "Queue", CONTACT), Vec::new()),
    ] {
        assert_eq!(pseudonyms(&read(std::slice::from_ref(&raw))), expected, "{raw}");
    }
}

fn aggregate(word: &str, payload: Value) -> String {
    json!({"eventId": "e-1", "aggregateId": "cust-77", "aggregateType": "Customer", "eventType": word, "occurredAt": T0, "payload": payload})
        .to_string()
}

/// A conversation's start that names its contact.
fn call_of_the_contact() -> String {
    let mut call: Value = serde_json::from_str(&event(1, 0)).unwrap();
    call["detail"]["eventBody"]["externalContactId"] = json!(CONTACT);
    call["detail"]["eventBody"]["conversationExternalContactIds"] = json!([CONTACT]);
    call["detail"]["eventBody"]["userId"] = json!(USER);
    call.to_string()
}

#[tokio::test]
async fn a_subject_is_linked_to_calls_and_audits_alike_and_no_id_of_anybody_lies_outside_of_bronze() {
    let world = World::new();
    world.bronze.seed(&key("call"), lines(&[call_of_the_contact()]));
    let audits = [
        audit(1, "ExternalContacts", "Contact", CONTACT),
        audit(2, "Directory", "User", USER),
        audit(3, "Presence", "UserPresence", USER),
        entity("Zaborowska", "jane-doe-77"),
        aggregate("CustomerUpdated", json!({"customerId": "cust-77"})),
    ];
    world.bronze.seed(&key("audits"), lines(&audits));
    // The same audit again is a duplicate.
    world.bronze.seed(&key("again"), lines(&audits[..1]));
    for name in ["call", "audits", "again"] {
        world.settle(&[&key(name)]).await;
    }
    let counts = world.check().counts;
    assert_eq!((counts.planned, counts.duplicate), (6, 1));

    let contact = Identifier::parse(Kind::ExternalContact, CONTACT, ledgerline_privacy::Region::US).unwrap();
    let pseudonym = PseudonymKey::new(1, [1; 32]).pseudonym(&contact);
    let identifier = item(&world.keys.peek(&identifier_key("acme", pseudonym.as_str())).unwrap());
    let subject = identifier["subjectId"].as_str().unwrap();
    let mut links: BTreeMap<Key, Item> = links(&world).into_iter().collect();
    links.retain(|key, _| parse_link_key(key).is_some_and(|(of, _)| of == subject));
    let record = format!("acme/Contact/{}", alias("Contact", CONTACT));
    assert_eq!(links.len(), 2, "the call and the audit");
    assert_eq!(links[&link_key(subject, &record)]["log"], "acme/entity/1/0");

    let all = world.everything_but_bronze();
    for record in [alias("Contact", CONTACT), alias("User", USER), alias("Zaborowska", "jane-doe-77")] {
        // In the index's claims, pin and note, in plan and silver.
        assert!(all.matches(&record).count() >= 4, "{record}");
    }
    for planted in [CONTACT, USER, "jane-doe", "cust-77", "Avery", "Quill", "Zaborowska"] {
        assert!(!all.contains(planted) && !all.contains(&planted.to_uppercase()), "{planted} is in clear");
    }
}

fn flat(n: u32, members: Value) -> String {
    let mut event = json!({"eventId": format!("e-{n}"), "interactionId": format!("c-{n}"), "timestamp": T0});
    event.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    event.to_string()
}

const REFS: [&str; 5] = ["account_ref", "email_ref", "name_ref", "payment_ref", "phone_ref"];

fn refs(event: &Event) -> BTreeMap<&'static str, String> {
    let of = |name: &'static str| {
        let (_, value) = event.fields.iter().find(|(known, _)| *known == name)?;
        Some((name, value.as_text().unwrap().to_owned()))
    };
    REFS.into_iter().filter_map(of).collect()
}

#[test]
fn rows_are_joined_by_refs_of_what_is_masked_and_entries_by_nothing() {
    let read = read(&[
        flat(
            1,
            json!({
                "phoneNumber": "(555) 555-0142", "emailAddress": "Avery.Quill@Example.com", "accountNumber": "ACC 77421",
                "customerName": " Avery  QUILL", "paymentToken": "tok_9f3a7c21",
            }),
        ),
        flat(
            2,
            json!({
                "direction": "INBOUND", "mediaType": "VOICE", "ani": "tel:+15555550142", "email": "avery.quill@example.com",
                "customerId": "ACC77421", "callbackUserName": "avery quill", "payload": {"paymentToken": "tok_9f3a7c21 "},
            }),
        ),
        flat(
            3,
            json!({"phoneNumber": "anonymous", "email": "none", "accountNumber": "0", "customerName": "Unknown caller", "paymentToken": "null"}),
        ),
        // Of several the first that names somebody; the customer's name before that of whom to call back.
        flat(4, json!({"customerName": "n/a", "callbackUserName": "Avery Quill"})),
        flat(5, json!({"callbackUserName": "Robin Hale", "customerName": "Avery Quill"})),
        flat(6, json!({"customerName": ["Avery Quill"], "paymentToken": 77421, "agentName": "Avery Quill"})),
        flat(7, json!({"phoneHash": "ab01", "userId": USER})),
    ]);
    let all: Vec<BTreeMap<&str, String>> = read.events.iter().map(refs).collect();
    assert_eq!(all[0].keys().copied().collect::<Vec<_>>(), REFS);
    assert_eq!(all[0], all[1], "two spellings of one value");
    assert_eq!(all[0].values().collect::<BTreeSet<_>>().len(), 5, "kinds are apart");
    assert!(all[2].is_empty() && all[5].is_empty() && all[6].is_empty(), "{all:?}");
    assert_eq!(all[3], all[4]);
    assert_eq!(all[3].iter().collect::<Vec<_>>(), [(&"name_ref", &all[0]["name_ref"])]);
    let pseudonyms: BTreeSet<&str> =
        read.identifiers.iter().flat_map(|named| &named.pseudonyms).map(|name| &name.as_str()[3..]).collect();
    for (event, refs) in read.events.iter().zip(&all) {
        assert!(event.fields.is_sorted_by_key(|(name, _)| *name));
        for one in refs.values() {
            assert!(one.starts_with("r1_") && one.len() == 67 && Pseudonym::parse(one).is_none(), "{one}");
            assert!(!pseudonyms.contains(&one[3..]), "whoever reads silver cannot ask by it");
        }
        assert!(REFS.iter().all(|name| !event.line.contains(name)) && !event.line.contains("r1_"), "{}", event.line);
        assert!(event.masked.iter().all(|name| !REFS.contains(name)));
    }
    assert!(read.events[0].masked.contains(&"customer_name") && read.events[0].masked.contains(&"payment_token"));
}

#[test]
fn two_values_of_one_kind_in_an_event_are_the_first_of_its_identifiers() {
    let of = |members: Value| refs(&read(&[flat(1, members)]).events[0]);
    let one = of(json!({"phone": "+15555550142", "phoneNumber": "+15555550143"}));
    assert_eq!(one, of(json!({"phone": "+15555550142"})));
    assert_ne!(one, of(json!({"phone": "+15555550143"})));
}
