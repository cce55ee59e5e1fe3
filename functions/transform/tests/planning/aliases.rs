//! Ids of people: as ids of records they stand as random aliases, one a person and org, whatever meets whatever; and what silver
//! keeps of masked values joins rows and tells nobody.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ledgerline_custody::erasure::{RecordSeen, keys_that_go, record_rule};
use ledgerline_event::{Context, adapt, content_id, document, lineage};
use ledgerline_lake::ObjectId;
use ledgerline_lake::keys::{PlanOf, staged};
use ledgerline_ledger::entry::{Party, Record};
use ledgerline_privacy::pseudonym::is_alias;
use ledgerline_privacy::{EventKey, Identifier, KeyRing, Kind, Pseudonym, PseudonymKey, RULES};
use ledgerline_store::alias::{self, Aliases};
use ledgerline_store::gone::{self, Gone};
use ledgerline_store::party::{Parties, Reach};
use ledgerline_store::party_key::PartyKeys;
use ledgerline_store::subject::{Subjects, identifier_key, link_key, parse_link_key};
use ledgerline_store::table::Key;
use ledgerline_testkit::calls::Calls;
use ledgerline_testkit::faults::{ALL_FAULTS, Faults};
use ledgerline_testkit::table::{Item, item};
use ledgerline_transform::reading::{Alias, Event, Found, Person, Read, Reading, Wanted};
use serde_json::{Value, json};

use crate::erasures::named_and_erased;
use crate::faults::{Then, begin};
use crate::subjects::links;
use crate::world::{BUCKET, T0, World, counting, event, gzip, key, line, lines, settings, turns};

const USER: &str = "53160ee1-1a1b-5836-889e-f11a79e65ec7";
const CONTACT: &str = "cd68e249-e098-5dc9-9073-5e6b8a2b8180";

fn read(raws: &[String]) -> Read {
    let object = ObjectId::of("bronze", "bronze/aliases");
    Reading::alone(&settings(), object, T0 + 60_000, &counting(), &lines(raws)).unwrap()
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

/// The pseudonym that the alias of a user, or of somebody of an unknown type, lies under.
fn of_record(kind: &str, id: &str) -> String {
    PseudonymKey::new(1, [1; 32]).of_record(kind, id).as_str().to_owned()
}

/// The pseudonym that the alias of a contact lies under.
fn of_identifier(kind: Kind, id: &str) -> String {
    let identifier = Identifier::parse(kind, id, ledgerline_privacy::Region::US).unwrap();
    PseudonymKey::new(1, [1; 32]).pseudonym(&identifier).as_str().to_owned()
}

/// All stored aliases, by org and pseudonym.
fn stored(world: &World) -> BTreeMap<(String, String), String> {
    world.keys.look(|rows| {
        let aliases = rows.iter().filter_map(|(key, row)| Some((alias::parse_key(key)?, item(row))));
        let text = |row: Item| row["alias"].as_str().unwrap().to_owned();
        aliases.map(|((org, name), row)| ((org.to_owned(), name.to_owned()), text(row))).collect()
    })
}

fn stored_of(world: &World, pseudonym: &str) -> Option<String> {
    stored(world).remove(&("acme".to_owned(), pseudonym.to_owned()))
}

/// The ids of the entities of this type that entries are about.
fn planned(world: &World, kind: &str) -> BTreeSet<String> {
    let entities = world.check().entries.into_iter().filter_map(|entry| entry.entity);
    entities.filter(|entity| entity.kind == kind).map(|entity| entity.id).collect()
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
        let entities = entities(&read(&[entity(kind, "abc-1")]));
        assert!(entities.len() == 1 && entities[0].0 == stored && is_alias(&entities[0].1), "{kind}: {entities:?}");
    }
    let two = entities(&read(&[entity("Zaborowska", "1001"), entity("Xyzzy", "1001")]));
    assert_eq!(two.len(), 2, "two types that nobody knows are two records");
}

#[test]
fn one_person_has_one_record_in_an_object_whatever_the_spelling_and_another_in_each_org() {
    let presence = json!({
        "detail-type": "v2.users.{id}.presence", "source": "aws.partner/genesys.com/cloud/acme/fixture",
        "detail": {"topicName": format!("v2.users.{USER}.presence"), "eventBody": {"modifiedDate": "2026-03-02T14:00:00Z"}},
    })
    .to_string();
    let audited = audit(1, "Directory", "User", USER);
    let read = read(&[
        audited.clone(),
        audit(2, "Directory", "User", &USER.to_uppercase()),
        presence,
        audited.replace("cloud/acme", "cloud/beta"),
        audit(3, "Directory", "AuthUser", USER),
    ]);
    let lines: Vec<(&str, u64)> = read.records.iter().map(|record| (record.org.as_str(), record.lines)).collect();
    assert_eq!(lines, [("acme", 3), ("beta", 1), ("acme", 1)]);
    assert_eq!(entities(&read).into_iter().collect::<BTreeSet<_>>().len(), 3, "another org's record tells nobody");
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
    let claimed = EventKey::new([2; 32]).claim_record("acme", "User", USER);
    assert_eq!(read.claims("o", 0)[0].record, format!("acme/User/{claimed}"));
    let alias = &entities(&read)[0].1;
    assert!(event.line.contains(&format!("{{\"id\":\"{alias}\",\"type\":\"User\"}}")), "{}", event.line);
    assert_eq!(event.lineage_token, lineage::derived_token(&format!("User/{alias}")));
    assert!(event.line.contains(&format!("\"lineageToken\":\"{}\"", event.lineage_token)));
    let queue = self::read(&[entity("Queue", "q-1")]);
    assert_eq!(queue.events[0].lineage_token, lineage::derived_token("Queue/q-1"));
    assert_eq!(queue.claims("o", 0)[0].record, "acme/Queue/q-1");
}

#[test]
fn an_alias_that_a_source_sends_is_an_id_like_any_other() {
    let sent = format!("x_{}", "0f".repeat(16));
    let entities = entities(&read(&[entity("User", &sent)]));
    assert!(is_alias(&entities[0].1) && entities[0].1 != sent);
}

/// What is read must not depend on the pieces that an object comes in, nor on when its people are looked up.
#[test]
fn lines_that_wait_are_read_in_their_order_whatever_the_pieces() {
    let mut bronze = Vec::new();
    for n in 0..2_500_u32 {
        bronze.extend(match n % 5 {
            0 => line(&event(n, 0)),
            1 => b"garbage\n".to_vec(),
            // What was sent before, now of somebody who is known and now of somebody for whom the first line waits still.
            2 => line(&audit(n / 4, "Directory", "User", &format!("u-{}", n / 4))),
            _ => line(&audit(n, "Directory", "User", &format!("u-{}", n / 2))),
        });
    }
    let (settings, random) = (settings(), counting());
    let alias = |(person, _): (Person, i64)| -> (Person, Alias) {
        let alias = format!("x_{}", &person.names[0][0][3..35]);
        (person, Alias::of(alias))
    };
    let lists = |orgs: BTreeSet<String>| orgs.into_iter().map(|org| (org, Arc::default())).collect();
    let found =
        |wanted: Wanted| Found { aliases: wanted.unnamed.into_iter().map(alias).collect(), lists: lists(wanted.orgs) };
    let read_by = |bytes: usize, at_once: bool, known: &[&str]| {
        let (object, known) = (ObjectId::of("bronze", "bronze/a"), known.iter().map(|org| (*org).to_owned()).collect());
        let mut reading = Reading::new(&settings, object, T0 + 60_000, lists(known), &random);
        let mut asked = 0;
        for piece in bronze.chunks(bytes) {
            reading.push(piece).unwrap();
            if at_once || reading.is_full() {
                asked += 1;
                let found = found(reading.wanted());
                reading.go_on(found);
            }
        }
        let ended = reading.end().unwrap();
        let found = found(ended.wanted());
        (ended.finish(found).unwrap(), asked)
    };
    let told = |read: &Read| {
        let events: Vec<(u64, String, String)> = read
            .events
            .iter()
            .map(|event| {
                let record = read.records[event.adapted.record].key.clone();
                (event.bronze_line, event.claim_id.clone(), record)
            })
            .collect();
        let records: BTreeMap<String, (u64, Vec<u64>)> =
            read.records.iter().map(|seen| (seen.key.clone(), (seen.lines, seen.at.clone()))).collect();
        (events, records, read.counts(read.events.len()), read.quarantine_gz.clone())
    };
    let (whole, once) = read_by(bronze.len(), false, &["acme"]);
    let (in_pieces, some) = read_by(4_096, false, &["acme"]);
    let (without_list, more) = read_by(4_096, false, &[]);
    let (line_by_line, often) = read_by(700, true, &[]);
    assert!(once == 1 && some > 0 && more >= some && often > more, "{once} {some} {more} {often}");
    assert_eq!(told(&whole), told(&in_pieces));
    assert_eq!(told(&whole), told(&without_list));
    assert_eq!(told(&whole), told(&line_by_line));
    assert_eq!(whole.quarantined.values().sum::<u64>(), 500);
}

#[test]
fn lines_that_wait_for_what_nobody_looked_up_are_not_forgotten() {
    let (settings, random) = (settings(), counting());
    for (raw, people, orgs) in [(audit(1, "Directory", "User", USER), 1, 0), (event(1, 0), 0, 1)] {
        let object = ObjectId::of("bronze", "bronze/a");
        let mut reading = Reading::new(&settings, object, T0 + 60_000, BTreeMap::new(), &random);
        reading.push(&line(&raw)).unwrap();
        let ended = reading.end().unwrap();
        let Wanted { unnamed, orgs: lists } = ended.wanted();
        assert_eq!((unnamed.len(), lists.len()), (people, orgs));
        assert!(ended.finish(Found::default()).unwrap_err().to_string().contains("nobody looked up"));
    }
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
    let contact = stored_of(&world, pseudonym.as_str()).unwrap();
    let record = format!("acme/Contact/{contact}");
    assert_eq!(links.len(), 2, "the call and the audit");
    assert_eq!(links[&link_key(subject, &record)]["log"], "acme/entity/1/0");

    let all = world.everything_but_bronze();
    let others = [of_record("User", USER), of_record("Zaborowska", "jane-doe-77")];
    for alias in others.iter().map(|name| stored_of(&world, name).unwrap()).chain([contact]) {
        // Its row, in the index's pin and note, in plan and silver.
        assert!(is_alias(&alias) && all.matches(&alias).count() >= 5, "{alias}");
    }
    let claimed = EventKey::new([2; 32]).claim_record("acme", "User", USER);
    assert_eq!(all.matches(&claimed).count(), world.index.dump().matches(&claimed).count(), "in claims alone");
    for planted in [CONTACT, USER, "jane-doe", "cust-77", "Avery", "Quill", "Zaborowska"] {
        assert!(!all.contains(planted) && !all.contains(&planted.to_uppercase()), "{planted} is in clear");
    }
}

#[tokio::test]
async fn one_person_has_one_alias_over_objects_types_and_rotations() {
    let mut world = World::new();
    let deliver = async |world: &World, name: &str, raws: &[String]| {
        world.bronze.seed(&key(name), lines(raws));
        world.settle(&[&key(name)]).await;
    };
    deliver(&world, "a", &[audit(1, "ExternalContacts", "Contact", CONTACT), audit(2, "Directory", "User", USER)])
        .await;
    let (contact, user) = (
        stored_of(&world, &of_identifier(Kind::ExternalContact, CONTACT)),
        stored_of(&world, &of_record("User", USER)),
    );
    assert!(contact.is_some() && user.is_some() && contact != user);
    deliver(&world, "b", &[audit(3, "ExternalContacts", "ExternalContact", &CONTACT.to_uppercase())]).await;
    world.pseudonyms = KeyRing::new([PseudonymKey::new(1, [1; 32]), PseudonymKey::new(2, [9; 32])]);
    deliver(&world, "c", &[audit(4, "Directory", "User", USER), audit(5, "Directory", "User", CONTACT)]).await;
    assert_eq!(planned(&world, "Contact"), contact.iter().cloned().collect());
    assert_eq!(planned(&world, "ExternalContact"), contact.into_iter().collect());
    let users = planned(&world, "User");
    assert!(users.len() == 2 && users.is_superset(&user.into_iter().collect()), "{users:?}");
    let stored: Vec<(String, String)> = stored(&world).into_keys().collect();
    assert_eq!(stored.iter().filter(|(_, name)| name.starts_with("p2_")).count(), 1, "the newest names who is new");
    assert_eq!(stored.len(), 3);
}

#[tokio::test]
async fn who_may_be_an_account_and_a_name_given_upstream_has_one_alias_under_both() {
    let world = World::new();
    world
        .bronze
        .seed(&key("a"), lines(&[aggregate("CustomerUpdated", json!({})), aggregate("IdentityResolved", json!({}))]));
    world.settle(&[&key("a")]).await;
    let names =
        [Kind::Account, Kind::CustomerIdHash].map(|kind| stored_of(&world, &of_identifier(kind, "cust-77")).unwrap());
    assert_eq!(names[0], names[1]);
    assert_eq!(planned(&world, "Customer"), BTreeSet::from([names[0].clone()]));
    assert_eq!(stored(&world).len(), 2);
}

#[tokio::test]
async fn an_alias_that_is_gone_is_replaced_and_what_is_sent_again_stays_a_duplicate() {
    let world = World::new();
    let (first, second) =
        (audit(1, "ExternalContacts", "Contact", CONTACT), audit(2, "ExternalContacts", "Contact", CONTACT));
    world.bronze.seed(&key("a"), lines(std::slice::from_ref(&first)));
    world.settle(&[&key("a")]).await;
    let name = of_identifier(Kind::ExternalContact, CONTACT);
    let old = stored_of(&world, &name).unwrap();
    // As an erasure that was cut short does it: the name is gone, its row is not deleted yet.
    say_gone(&world, &old);
    world.bronze.seed(&key("b"), lines(&[first, second]));
    world.settle(&[&key("b")]).await;
    let new = stored_of(&world, &name).unwrap();
    assert_ne!(new, old);
    let counts = world.check().counts;
    assert_eq!((counts.planned, counts.duplicate), (2, 1));
    assert_eq!(planned(&world, "Contact"), BTreeSet::from([old, new]));
}

/// As an eraser says it, before it deletes anything.
fn say_gone(world: &World, alias: &str) {
    let v = ledgerline_testkit::table::value(1_u32);
    world.control.change(&gone::key(alias), |row| row.extend([("v".to_owned(), v)]));
}

/// What was looked up before the erasure is read again by the gate: the line is planned under the alias that is gone, as one that an
/// erasure covers.
#[tokio::test]
async fn an_alias_that_goes_while_its_lines_are_read_covers_them() {
    let name = of_identifier(Kind::ExternalContact, CONTACT);
    let mut met = Vec::new();
    for later in 0..60 {
        let world = World::new();
        world.bronze.seed(&key("a"), lines(&[audit(1, "ExternalContacts", "Contact", CONTACT)]));
        world.settle(&[&key("a")]).await;
        let old = stored_of(&world, &name).unwrap();
        // Another line about the person, and one about somebody else.
        let more = [audit(2, "ExternalContacts", "Contact", CONTACT), audit(3, "Directory", "User", USER)];
        world.bronze.seed(&key("b"), lines(&more));
        let b = key("b");
        let b = [b.as_str()];
        let eraser = async {
            turns(later).await;
            say_gone(&world, &old);
            world.staged.get(&staged(PlanOf::Bronze, ObjectId::of(BUCKET, &key("b")))).is_some()
        };
        let ((), is_planned) = tokio::join!(world.settle(&b), eraser);
        let (erased, told) = (named_and_erased(&world).1, world.erase_queue.bodies().len());
        assert_eq!(erased, told, "{later}: what is covered is told of");
        met.push(match (planned(&world, "Contact").len(), erased) {
            (2, 0) => "another alias",
            (1, 1) => "covered",
            (1, 0) => "too late",
            other => panic!("{later}: {other:?}"),
        });
        assert!(!is_planned || met.last() == Some(&"too late"), "{later}: {met:?}");
        assert_eq!(planned(&world, "User").len(), 1, "{later}");
    }
    met.dedup();
    assert_eq!(met, ["another alias", "covered", "too late"]);
}

/// A run that fails leaves keys in the record of the alias that it looked up. The next run has another alias, and keys of its own; no plan
/// names the first ones, and the erasure of their record destroys them.
#[tokio::test]
async fn keys_of_a_run_that_another_alias_overtook_go_with_their_record() {
    let seed = |world: &World| {
        world.bronze.seed(&key("a"), lines(&[audit(1, "ExternalContacts", "Contact", CONTACT)]));
    };
    let undisturbed = World::new();
    seed(&undisturbed);
    undisturbed.settle(&[&key("a")]).await;
    let silver = undisturbed.faults.log().iter().position(|write| write == "s3:PutObject silver").unwrap();
    let world = World::with(Faults::at(silver, ALL_FAULTS[0]));
    seed(&world);
    assert_eq!(world.deliver(&[&key("a")]).await, ["m0"], "its silver file was lost");
    let old = stored_of(&world, &of_identifier(Kind::ExternalContact, CONTACT)).unwrap();
    say_gone(&world, &old);
    let (control, keys) = (world.others_control(), world.keys.seen_by(Faults::none(), Calls::default()).port());
    let aliases = Aliases::new(Arc::clone(&keys));
    aliases.delete("acme", &old, &aliases.names("acme", &old).await.unwrap()).await.unwrap();
    world.settle(&[&key("a")]).await;
    assert_eq!(world.check().unnamed.rows, 1);

    let (record, party_keys) = (format!("acme/Contact/{old}"), PartyKeys::new(Arc::clone(&keys)));
    let (party, rows) = party_keys.of(&record).await.unwrap();
    let (own, nobody, now_ms) = (party.subjects.clone(), BTreeSet::new(), T0 + 60_000);
    let seen = RecordSeen { party: party.clone(), listed: false, last_ms: None, decided_erase: false };
    let rule = record_rule(&seen, &own, &nobody, &BTreeMap::new(), now_ms, now_ms);
    let reach = Reach { take: &rule.take, cutoff: rule.cutoff };
    Parties::new(Arc::clone(&keys)).reach(&control, &record, &party, &reach).await.unwrap();
    let [(at, row)] = &rows[..] else { panic!("the keys of one run") };
    let ids = keys_that_go(row, &rule, &own, &nobody, &BTreeMap::new(), false);
    Gone::new(control).put(&ids.iter().map(String::as_str).collect::<Vec<_>>()).await.unwrap();
    party_keys.destroy(&[(at.clone(), row.clone(), ids)]).await.unwrap();
    let linked: Vec<(&str, &str)> = own.iter().map(|subject| (subject.as_str(), record.as_str())).collect();
    Subjects::new(keys).delete_links(&linked).await.unwrap();
    let left = party_keys.of(&record).await.unwrap().1;
    assert!(
        left.iter().flat_map(|(_, row)| row.keys.values()).all(|key| key.party == Party::Agent),
        "the agent's stays"
    );
    // What the second run planned opens as before, and both records' rows lead to the line.
    let entry = world.check().entries.remove(0).entity.unwrap();
    for alias in [&old, &entry.id] {
        let found = world.index.bronze_row(&format!("acme/Contact/{alias}"), &ObjectId::of(BUCKET, &key("a")).to_hex());
        assert_eq!(found.unwrap().at, [0]);
    }
}

fn alias_of_line(name: &str, line: u64) -> String {
    EventKey::new([2; 32]).alias_of_line(&ObjectId::of(BUCKET, &key(name)).to_hex(), line)
}

/// Who was erased may come back: what is later than the cutoff is of one person again, whatever else is in the object.
#[tokio::test]
async fn lines_later_than_a_tombstones_cutoff_have_an_alias_and_those_that_it_covers_their_own() {
    let at = |n: u32, second: u32| {
        audit(n, "ExternalContacts", "Contact", CONTACT).replace("14:00:07", &format!("14:00:{second:02}"))
    };
    let (early, late) = ([at(1, 5), at(2, 6)], [at(3, 8), at(4, 9)]);
    let name = of_identifier(Kind::ExternalContact, CONTACT);
    for (raws, own) in [([&early[..], &late].concat(), [0, 1]), ([&late[..], &early].concat(), [2, 3])] {
        let world = World::new();
        world.plant("acme", &name, T0 + 7_000, T0 + 86_400_000);
        world.bronze.seed(&key("a"), lines(&raws));
        world.settle(&[&key("a")]).await;
        let alias = stored_of(&world, &name).unwrap();
        let expected = own.map(|line| alias_of_line("a", line)).into_iter().chain([alias.clone()]);
        assert_eq!(planned(&world, "Contact"), expected.collect());
        // The next object finds the alias, and what is covered has none of it.
        world.bronze.seed(&key("b"), lines(&[at(5, 7), at(6, 10)]));
        world.settle(&[&key("b")]).await;
        assert_eq!(stored_of(&world, &name), Some(alias));
        assert!(planned(&world, "Contact").len() == 4 && planned(&world, "Contact").contains(&alias_of_line("b", 0)));
    }
}

#[tokio::test]
async fn under_a_tombstone_no_alias_is_made_and_each_line_is_a_record_of_its_own() {
    let world = World::new();
    let name = of_identifier(Kind::ExternalContact, CONTACT);
    world.plant("acme", &name, T0 + 7_000, T0 + 86_400_000);
    let raws = [1, 2].map(|n| audit(n, "ExternalContacts", "Contact", CONTACT));
    world.bronze.seed(&key("a"), lines(&raws));
    world.bronze.seed(&key("again"), lines(&raws[..1]));
    world.settle(&[&key("a")]).await;
    world.settle(&[&key("again")]).await;
    assert!(stored(&world).is_empty());
    assert_eq!(planned(&world, "Contact"), [0, 1].map(|line| alias_of_line("a", line)).into());
    let counts = world.check().counts;
    assert_eq!((counts.planned, counts.duplicate), (2, 1));
    // Another org's, and one that is expired, concern nobody here.
    for (org, expires_at_ms) in [("beta", T0 + 86_400_000), ("acme", T0)] {
        let world = World::new();
        world.plant(org, &name, T0 + 7_000, expires_at_ms);
        world.bronze.seed(&key("a"), lines(&raws));
        world.settle(&[&key("a")]).await;
        assert_eq!(
            planned(&world, "Contact").into_iter().collect::<Vec<_>>(),
            stored(&world).into_values().collect::<Vec<_>>()
        );
    }
}

/// What other rules normalised may be somebody else's id; an id that nobody normalises is one person's for good.
#[tokio::test]
async fn no_customer_has_an_alias_from_before_other_rules_and_a_tombstone_from_then_counts() {
    let ring_key = |rules: u32, version: u32| PseudonymKey::under_rules(rules, version, [version as u8; 32]);
    for (rules_before, contacts, covered) in [(RULES - 1, 2, false), (RULES, 1, false), (RULES - 1, 1, true)] {
        let mut world = World::new();
        let people =
            |n: u32| [audit(n, "ExternalContacts", "Contact", CONTACT), audit(n + 1, "Directory", "User", USER)];
        // As if those rules had been in force then.
        world.pseudonyms = Some(KeyRing::new([ring_key(RULES, 1)]).unwrap());
        world.bronze.seed(&key("a"), lines(&people(1)));
        world.settle(&[&key("a")]).await;
        world.pseudonyms = Some(KeyRing::new([ring_key(rules_before, 1), ring_key(RULES, 2)]).unwrap());
        if covered {
            world.plant("acme", &of_identifier(Kind::ExternalContact, CONTACT), T0 + 7_000, T0 + 86_400_000);
        }
        world.bronze.seed(&key("b"), lines(&people(3)));
        world.settle(&[&key("b")]).await;
        let aliases: BTreeSet<String> = stored(&world).into_values().collect();
        assert_eq!(
            (planned(&world, "User").len(), aliases.len()),
            (1, 1 + contacts),
            "rules {rules_before}, {covered}"
        );
        assert_eq!(world.erase_queue.bodies().len(), usize::from(covered));
    }
}

#[tokio::test]
async fn a_tombstone_covers_lines_about_its_person_whomever_they_name() {
    let user = audit(1, "Directory", "User", USER);
    for (others, name) in [(Vec::new(), of_record("User", USER)), (vec![2], of_record("User", CONTACT))] {
        let world = World::new();
        let raws = [vec![user.clone()], others.iter().map(|n| audit(*n, "Directory", "User", CONTACT)).collect()];
        world.plant("acme", &name, T0 + 7_000, T0 + 86_400_000);
        world.bronze.seed(&key("a"), lines(&raws.concat()));
        world.settle(&[&key("a")]).await;
        world.check();
        assert_eq!(world.erase_queue.bodies().len(), 1, "it names nobody, and is about somebody who is erased");
        assert_eq!(stored_of(&world, &of_record("User", USER)).is_some(), !others.is_empty());
    }
}

#[tokio::test]
async fn an_alias_that_lives_stays_while_its_person_has_a_tombstone() {
    let world = World::new();
    let name = of_identifier(Kind::ExternalContact, CONTACT);
    world.bronze.seed(&key("a"), lines(&[audit(1, "ExternalContacts", "Contact", CONTACT)]));
    world.settle(&[&key("a")]).await;
    world.plant("acme", &name, T0 - 86_400_000, T0 + 86_400_000);
    world.bronze.seed(&key("b"), lines(&[audit(2, "ExternalContacts", "Contact", CONTACT)]));
    world.settle(&[&key("b")]).await;
    assert_eq!(planned(&world, "Contact"), stored_of(&world, &name).into_iter().collect());
}

#[tokio::test]
async fn a_tombstone_between_any_two_calls_leaves_an_alias_from_before_or_none() {
    let name = of_identifier(Kind::ExternalContact, CONTACT);
    let mut before = BTreeSet::new();
    for later in 0..40 {
        let world = World::new();
        world.bronze.seed(&key("a"), lines(&[audit(1, "ExternalContacts", "Contact", CONTACT)]));
        let planter = async {
            turns(later).await;
            world.plant("acme", &name, T0 + 7_000, T0 + 86_400_000);
            stored_of(&world, &name)
        };
        let a = key("a");
        let one = [a.as_str()];
        let (failed, at_the_time) = tokio::join!(world.deliver(&one), planter);
        assert!(failed.is_empty(), "{later}");
        assert_eq!(stored_of(&world, &name), at_the_time, "{later}: an alias was made after the tombstone");
        let may_be = [at_the_time.clone(), Some(alias_of_line("a", 0))];
        let planned = planned(&world, "Contact");
        assert!(planned.len() == 1 && planned.iter().all(|alias| may_be.contains(&Some(alias.clone()))), "{later}");
        before.insert(at_the_time.is_some());
    }
    assert_eq!(before.len(), 2, "the tombstone came before the alias and after it");
}

#[tokio::test]
async fn two_objects_that_name_a_person_first_at_once_have_one_alias() {
    for later in 0..30 {
        let world = World::new();
        let (a, b) = (key("a"), key("b"));
        world.bronze.seed(&a, lines(&[audit(1, "Directory", "User", USER), aggregate("CustomerUpdated", json!({}))]));
        world.bronze.seed(&b, lines(&[audit(2, "Directory", "User", USER), aggregate("IdentityResolved", json!({}))]));
        let (first, second) = ([a.as_str()], [b.as_str()]);
        let other = async {
            turns(later).await;
            world.deliver(&second).await
        };
        let (one, two) = tokio::join!(world.deliver(&first), other);
        assert!(one.is_empty() && two.is_empty(), "{later}");
        assert_eq!(
            planned(&world, "User"),
            stored_of(&world, &of_record("User", USER)).into_iter().collect(),
            "{later}"
        );
        let customer = stored_of(&world, &of_identifier(Kind::Account, "cust-77"));
        assert_eq!(planned(&world, "Customer"), customer.into_iter().collect(), "{later}");
    }
}

#[tokio::test]
async fn every_alias_write_lost_or_persisted_but_errored_leaves_one_alias_a_person() {
    let seed = |world: &World| {
        let people =
            |n: u32| [audit(n, "ExternalContacts", "Contact", CONTACT), audit(n + 1, "Directory", "User", USER)];
        world.bronze.seed(&key("a"), gzip(&lines(&people(1)), 2));
        world.bronze.seed(&key("b"), lines(&people(3)));
    };
    let (a, b) = (key("a"), key("b"));
    let world = World::new();
    seed(&world);
    world.settle(&[&a]).await;
    let writes = world.faults.log();
    assert!(writes.iter().filter(|write| *write == "dynamodb:TransactWriteItems").count() >= 2, "{writes:?}");
    for (nth, write) in writes.iter().enumerate() {
        for fault in ALL_FAULTS {
            for then in Then::ALL {
                let case = format!("{write} (#{nth}) {fault:?}, then {then:?}");
                let world = World::with(Faults::at(nth, fault));
                seed(&world);
                begin(&world, then, [&a, &b]).await;
                world.settle(&[&a]).await;
                world.settle(&[&b]).await;
                assert_eq!(world.faults.struck(), 1, "{case}");
                assert_eq!(stored(&world).len(), 2, "{case}");
                for (kind, name) in
                    [("Contact", of_identifier(Kind::ExternalContact, CONTACT)), ("User", of_record("User", USER))]
                {
                    assert_eq!(planned(&world, kind), stored_of(&world, &name).into_iter().collect(), "{case}");
                }
            }
        }
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
