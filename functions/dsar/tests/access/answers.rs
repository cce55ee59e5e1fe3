//! Who is found, what is answered, and in which order.

use ledgerline_ledger::entry::{Party, PendingEntry, Record, Sealed};
use ledgerline_privacy::{Identifier, Kind, Region};
use ledgerline_store::gone::Gone;
use ledgerline_store::subject::state_key;
use ledgerline_testkit::entries::block;
use ledgerline_testkit::table::value;
use serde_json::json;

use crate::world::*;

#[tokio::test]
async fn an_unknown_customer_is_an_empty_complete_answer_of_the_same_shape() {
    let world = World::new().await;
    world.link(&phone(PHONE), "acme/c-1", "10:00", "10:00").await;
    world.append(&[entry("c-1", "10:00", "customer.start", 1)], 256, Stage::Indexed).await;
    let (_, known) = world.ask(by_phone()).await;
    let members = |answer: &serde_json::Value| answer.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    for question in [
        json!({ "identifiers": [{ "kind": "phone", "value": "+15555550199" }] }),
        json!({ "customerIdHash": "CUST-UNKNOWN" }),
        json!({ "customerIdHash": format!("p1_{}", "ab".repeat(32)) }),
        json!({ "customerIdHash": format!("s_{}", "ab".repeat(16)) }),
    ] {
        let (status, answer) = world.ask(question).await;
        assert_eq!(status, 200);
        assert_eq!(members(&answer), members(&known));
        assert_eq!(
            answer,
            json!({
                "asOf": "2026-03-02T13:59:00.350Z", "complete": true,
                "request": { "orgs": ["acme"], "requestType": "ACCESS", "dateRange": {} },
                "customer": { "found": false, "subjects": 0 },
                "systems": { "ledger": { "asked": 0, "answered": 0, "failed": 0 } },
                "interactions": []
            })
        );
    }
}

#[tokio::test]
async fn before_the_first_event_nobody_is_known_and_the_key_is_found_once_it_is_made() {
    let world = World::empty();
    let (status, answer) = world.ask(by_phone()).await;
    assert_eq!((status, &answer["complete"], &answer["customer"]["found"]), (200, &json!(true), &json!(false)));
    world.ask(by_phone()).await;
    assert_eq!(world.keys_opened(), 2, "the absence of a key is not kept");
    world.add_key(1).await;
    world.link(&phone(PHONE), "acme/c-1", "10:00", "10:00").await;
    world.append(&[entry("c-1", "10:00", "customer.start", 1)], 256, Stage::Indexed).await;
    let (_, answer) = world.ask(by_phone()).await;
    assert_eq!(given(&answer), [("c-1".to_owned(), vec![1])]);
    world.ask(by_phone()).await;
    assert_eq!(world.keys_opened(), 3, "keys that are there are opened once");
}

#[tokio::test]
async fn an_audit_about_a_contact_is_found_by_the_contacts_id_and_named_by_its_alias() {
    let world = World::new().await;
    let (id, alias) = ("cd68e249-e098-5dc9-9073-5e6b8a2b8180", format!("x_{}", "0f".repeat(16)));
    let contact = Identifier::parse(Kind::ExternalContact, id, Region::US).unwrap();
    world.link(&contact, &format!("acme/Contact/{alias}"), "10:00", "10:00").await;
    let record = Record::Entity { kind: "Contact".to_owned(), id: alias.clone() };
    let audit = PendingEntry { record, ..entry("c-1", "10:00", "audit", 1) };
    world.append(&[audit], 256, Stage::Indexed).await;
    let by_contact = json!({ "identifiers": [{ "kind": "external_contact", "value": id.to_uppercase() }] });
    let (status, answer) = world.ask(by_contact).await;
    assert_eq!((status, &answer["complete"]), (200, &json!(true)), "{answer}");
    let found = answer["interactions"].as_array().unwrap();
    assert_eq!((found.len(), &found[0]["entity"]), (1, &json!({ "type": "Contact", "id": alias })));
    assert!(!answer.to_string().contains(id));
}

#[tokio::test]
async fn a_rotated_key_finds_what_each_version_named() {
    let world = World::new().await;
    world.link(&phone(PHONE), "acme/c-1", "10:00", "10:00").await;
    world.append(&[entry("c-1", "10:00", "customer.start", 1)], 256, Stage::Indexed).await;
    world.ask(by_phone()).await;
    world.add_key(2).await;
    let later = NOW_MS + ledgerline_dsar::KEYS_TTL_MS;
    let (_, answer) = world.ask_at(later, by_phone()).await;
    assert_eq!(given(&answer), [("c-1".to_owned(), vec![1])]);
    assert_eq!(world.keys_opened(), 2);
}

#[tokio::test]
async fn every_way_to_name_a_customer_finds_the_same() {
    let world = World::new().await;
    let hash = "ab".repeat(32);
    let customer = Identifier::parse(Kind::CustomerIdHash, &hash, Region::US).unwrap();
    let subject = world.link(&customer, "acme/c-1", "10:00", "10:00").await;
    world.append(&[entry("c-1", "10:00", "customer.start", 1)], 256, Stage::Indexed).await;
    for question in [
        json!({ "customerIdHash": hash }),
        json!({ "customerIdHash": hash.to_uppercase() }),
        json!({ "customerIdHash": world.key(1).await.pseudonym(&customer).as_str() }),
        json!({ "customerIdHash": subject }),
        json!({ "identifiers": [{ "kind": "customer_id_hash", "value": hash }] }),
        json!({ "identifiers": [{ "kind": "email", "value": "nobody@example.com" }, { "kind": "customerIdHash", "value": hash }] }),
    ] {
        let (_, answer) = world.ask(question).await;
        assert_eq!(given(&answer), [("c-1".to_owned(), vec![1])]);
        assert_eq!(answer["customer"], json!({ "found": true, "subjects": 1 }));
    }
}

#[tokio::test]
async fn several_subjects_links_to_one_interaction_are_one_interaction() {
    let world = World::new().await;
    let email = Identifier::parse(Kind::Email, "ada@example.com", Region::US).unwrap();
    world.link(&phone(PHONE), "acme/c-1", "10:00", "10:05").await;
    world.link(&email, "acme/c-1", "10:03", "10:09").await;
    world.link(&email, "acme/c-2", "11:00", "11:00").await;
    let entries = [entry("c-1", "10:00", "customer.start", 1), entry("c-2", "11:00", "customer.start", 2)];
    world.append(&entries, 256, Stage::Indexed).await;
    let both = json!([{ "kind": "phone", "value": PHONE }, { "kind": "email", "value": "Ada@example.com" }]);
    let (_, answer) = world.ask(json!({ "identifiers": both })).await;
    assert_eq!(given(&answer), [("c-1".to_owned(), vec![1]), ("c-2".to_owned(), vec![2])]);
    assert_eq!(answer["customer"]["subjects"], 2);
    let one = &answer["interactions"][0];
    assert_eq!((one["first"].as_str(), one["last"].as_str()), (Some(&*time("10:00")), Some(&*time("10:09"))));
}

#[tokio::test]
async fn a_subject_that_is_not_active_shows_nothing() {
    let world = World::new().await;
    let subject = world.link(&phone(PHONE), "acme/c-1", "10:00", "10:00").await;
    world.append(&[entry("c-1", "10:00", "customer.start", 1)], 256, Stage::Indexed).await;
    world.keys.set_state(&subject, "erasing");
    let (_, answer) = world.ask(by_phone()).await;
    assert_eq!((&answer["customer"]["found"], &answer["interactions"]), (&json!(false), &json!([])));
}

#[tokio::test]
async fn a_subject_that_is_gone_was_never_seen_whatever_is_left_of_it() {
    let world = World::new().await;
    let subject = world.link(&phone(PHONE), "acme/c-1", "10:00", "10:00").await;
    world.append(&[entry("c-1", "10:00", "customer.start", 1)], 256, Stage::Indexed).await;
    let never = world.ask(json!({"identifiers": [{"kind": "phone", "value": "+1 555 555 0199"}]})).await.1;
    Gone::new(world.control.port()).put(&[&subject]).await.unwrap();
    for who in [by_phone(), json!({ "customerIdHash": subject })] {
        let (_, answer) = world.ask(who).await;
        assert_eq!((&answer["customer"], &answer["interactions"]), (&never["customer"], &json!([])));
    }
}

#[tokio::test]
async fn entries_come_in_event_order_with_places_that_can_be_checked() {
    let world = World::new().await;
    world.link(&phone(PHONE), "acme/c-1", "10:00", "10:09").await;
    let late = [
        entry("c-1", "10:09", "customer.end", 5),
        entry("c-x", "10:00", "customer.start", 9),
        entry("c-1", "10:09", "user.end", 4),
    ];
    world.append(&late, 1, Stage::Indexed).await;
    let early = [
        entry("c-1", "10:00", "acd.start", 2),
        entry("c-1", "10:00", "customer.start", 1),
        entry("c-1", "10:05", "wrapup", 3),
    ];
    world.append(&early, 256, Stage::Indexed).await;
    let (_, answer) = world.ask(by_phone()).await;
    assert_eq!(given(&answer), [("c-1".to_owned(), vec![1, 2, 3, 4, 5])]);

    for placed in answer["interactions"][0]["entries"].as_array().unwrap() {
        let place = &placed["place"];
        let text = |name: &str| place[name].as_str().unwrap();
        assert_eq!(text("log"), "acme/interaction/1/0");
        let versions = &world.bucket.all()[text("segment")];
        assert_eq!(versions[0].version_id, text("versionId"));
        let segment = ledgerline_ledger::segment::Segment::read(text("segment"), &versions[0].bytes).unwrap();
        let entry = segment.entries().find(|one| one.index == place["index"].as_u64().unwrap()).unwrap();
        let canonical = ledgerline_ledger::canonical::to_string(&placed["entry"]).unwrap();
        assert_eq!(entry.text, canonical);
        assert_eq!(ledgerline_ledger::tree::leaf_hash(canonical.as_bytes()).hex(), text("leafHash"));
    }
}

#[tokio::test]
async fn an_entry_whose_time_is_of_lesser_standing_says_so() {
    let world = World::new().await;
    world.link(&phone(PHONE), "acme/c-1", "10:00", "10:02").await;
    let marked = |clock, n, time_from_envelope, zone_assumed| PendingEntry {
        time_from_envelope,
        zone_assumed,
        ..entry("c-1", clock, "wrapup", n)
    };
    let entries = [marked("10:00", 1, false, false), marked("10:01", 2, true, false), marked("10:02", 3, true, true)];
    world.append(&entries, 256, Stage::Indexed).await;
    let (_, answer) = world.ask(by_phone()).await;
    let entries = answer["interactions"][0]["entries"].as_array().unwrap();
    let said: Vec<_> =
        entries.iter().map(|one| (one["entry"].get("timeFrom"), one["entry"].get("zoneAssumed"))).collect();
    let (envelope, yes) = (json!("envelope"), json!(true));
    assert_eq!(said, [(None, None), (Some(&envelope), None), (Some(&envelope), Some(&yes))]);
}

#[tokio::test]
async fn what_an_entry_holds_sealed_is_closed_until_its_keys_are_destroyed() {
    let world = World::new().await;
    world.link(&phone(PHONE), "acme/c-1", "10:00", "10:02").await;
    let id = key_id;
    let sealed = |n: u8, p: &[Party]| {
        let blocks = p.iter().enumerate().map(|(k, p)| block(*p, k)).collect();
        Sealed { key_ids: (0..p.len() as u8).map(|k| id(4 * n + k)).collect(), blocks }
    };
    let with = |n: u8, sealed| PendingEntry { sealed, ..entry("c-1", &format!("10:0{n}"), "wrapup", u64::from(n)) };
    let entries = [
        with(1, Sealed::default()),
        with(2, sealed(2, &[Party::Customer, Party::Agent])),
        with(3, sealed(3, &[Party::Joint])),
    ];
    world.append(&entries, 256, Stage::Indexed).await;
    let gone = Gone::new(world.control.port());
    for (destroyed, customer, agent, joint) in [
        (&[][..], "closed", "closed", "closed"),
        (&[id(8), id(12)], "destroyed", "closed", "destroyed"),
        (&[id(9)], "destroyed", "destroyed", "destroyed"),
    ] {
        gone.put(&destroyed.iter().map(String::as_str).collect::<Vec<_>>()).await.unwrap();
        let (_, answer) = world.ask(by_phone()).await;
        let entries = answer["interactions"][0]["entries"].as_array().unwrap();
        let told: Vec<_> = entries.iter().map(|entry| entry.get("sealed").cloned()).collect();
        let both = json!({ "customer": customer, "agent": agent });
        assert_eq!(told, [None, Some(both), Some(json!({ "joint": joint }))]);
    }
    // The line is the ledger's as ever.
    let (_, answer) = world.ask(by_phone()).await;
    assert_eq!(answer["interactions"][0]["entries"][1]["entry"]["sealed"][1]["p"], "agent");
}

/// In the order of their numbers.
fn key_id(byte: u8) -> String {
    format!("{byte:042}A")
}

#[tokio::test]
async fn every_hash_made_upstream_finds_its_customer() {
    let world = World::new().await;
    let hash = "c0".repeat(32);
    for (kind, record, n) in [(Kind::PhoneHash, "c-1", 1), (Kind::EmailHash, "c-2", 2), (Kind::AccountHash, "c-3", 3)] {
        let identifier = Identifier::parse(kind, &hash, Region::US).unwrap();
        world.link(&identifier, &format!("acme/{record}"), "10:00", "10:00").await;
        world.append(&[entry(record, "10:00", "identity.resolution", n)], 256, Stage::Indexed).await;
        let question = json!({ "identifiers": [{ "kind": kind.label(), "value": hash.to_uppercase() }] });
        assert_eq!(given(&world.ask(question).await.1), [(record.to_owned(), vec![n])], "{kind}");
    }
    let (_, answer) = world.ask(json!({ "customerIdHash": hash })).await;
    assert_eq!(given(&answer).len(), 3);
    assert_eq!(answer["customer"], json!({ "found": true, "subjects": 3 }));
}

#[tokio::test]
async fn a_range_finds_what_reaches_into_it_and_answers_it_whole() {
    let world = World::new().await;
    // The link spans only the event that carried the number; the rest shows in postings or in a segment without them.
    world.link(&phone(PHONE), "acme/before", "08:00", "08:30").await;
    world.link(&phone(PHONE), "acme/reaches-by-link", "08:00", "09:00").await;
    world.link(&phone(PHONE), "acme/reaches-by-posting", "08:00", "08:00").await;
    world.link(&phone(PHONE), "acme/reaches-unindexed", "08:00", "08:00").await;
    world.link(&phone(PHONE), "acme/within", "09:30", "09:30").await;
    world.link(&phone(PHONE), "acme/at-the-end", "10:00", "11:00").await;
    world.link(&phone(PHONE), "acme/after", "10:01", "11:00").await;
    let indexed = [
        entry("before", "08:00", "customer.start", 1),
        entry("reaches-by-link", "08:00", "customer.start", 2),
        entry("reaches-by-posting", "08:00", "customer.start", 3),
        entry("reaches-by-posting", "09:10", "customer.end", 4),
        entry("reaches-unindexed", "08:00", "customer.start", 5),
        entry("within", "09:30", "customer.start", 7),
        entry("at-the-end", "10:00", "customer.start", 8),
        entry("after", "10:01", "customer.start", 9),
        entry("at-the-end", "11:00", "customer.end", 10),
    ];
    world.append(&indexed, 256, Stage::Indexed).await;
    world.append(&[entry("reaches-unindexed", "09:20", "customer.end", 6)], 256, Stage::Committed).await;
    let mut question = by_phone();
    question["dateRange"] = json!({ "from": "2026-03-02T10:00:00+01:00", "to": "2026-03-02T05:00:00-05:00" });
    let (_, answer) = world.ask(question).await;
    // An end without a fraction is that whole second.
    let range = json!({ "from": time("09:00"), "to": "2026-03-02T10:00:00.999Z" });
    assert_eq!(answer["request"]["dateRange"], range);
    let marked = answer["interactions"].as_array().unwrap().iter().map(|one| one["beganBeforeRange"] == json!(true));
    let found: Vec<_> = given(&answer).into_iter().zip(marked).map(|((id, n), mark)| (id, n, mark)).collect();
    let want = |id: &str, n: &[u64], mark| (id.to_owned(), n.to_vec(), mark);
    assert_eq!(
        found,
        [
            want("at-the-end", &[8, 10], false),
            want("reaches-by-link", &[2], true),
            want("reaches-by-posting", &[3, 4], true),
            want("reaches-unindexed", &[5, 6], true),
            want("within", &[7], false),
        ]
    );
    // What only a link shows to reach into the range has an entry that is not committed yet.
    let pending = answer["interactions"].as_array().unwrap().iter().filter(|one| one["pending"] == json!(true));
    assert_eq!(pending.map(|one| &one["interactionId"]).collect::<Vec<_>>(), ["reaches-by-link"]);
    assert_eq!(answer["complete"], false);
}

#[tokio::test]
async fn an_interaction_without_an_entry_yet_is_pending_and_the_answer_not_complete() {
    let world = World::new().await;
    world.link(&phone(PHONE), "acme/c-1", "10:00", "10:00").await;
    world.link(&phone(PHONE), "acme/c-2", "10:00", "10:00").await;
    world.append(&[entry("c-1", "10:00", "customer.start", 1)], 256, Stage::Indexed).await;
    let (_, answer) = world.ask(by_phone()).await;
    assert_eq!(answer["complete"], false);
    assert_eq!(given(&answer), [("c-1".to_owned(), vec![1]), ("c-2".to_owned(), vec![])]);
    assert!(answer["interactions"][0].get("pending").is_none());
    assert_eq!(answer["interactions"][1]["pending"], true);
    assert_eq!(answer["systems"]["ledger"]["failed"], 0);
    let mut outside = by_phone();
    outside["dateRange"] = json!({ "to": "2026-03-02T09:00:00Z" });
    let (_, answer) = world.ask(outside).await;
    assert_eq!((&answer["complete"], &answer["interactions"]), (&json!(true), &json!([])));
}

#[tokio::test]
async fn an_interaction_whose_link_reaches_beyond_its_entries_is_pending() {
    let world = World::new().await;
    world.link(&phone(PHONE), "acme/c-1", "09:55", "10:09").await;
    let said = |answer: &serde_json::Value| {
        let numbers = given(answer).remove(0).1;
        (numbers, answer["interactions"][0]["pending"] == json!(true), answer["complete"] == json!(true))
    };
    world.append(&[entry("c-1", "10:00", "wrapup", 2)], 256, Stage::Indexed).await;
    assert_eq!(said(&world.ask(by_phone()).await.1), (vec![2], true, false), "both ends are under way");
    world.append(&[entry("c-1", "10:09", "customer.end", 3)], 256, Stage::Indexed).await;
    assert_eq!(said(&world.ask(by_phone()).await.1), (vec![2, 3], true, false), "the beginning is under way");
    world.append(&[entry("c-1", "09:55", "customer.start", 1)], 256, Stage::Committed).await;
    assert_eq!(said(&world.ask(by_phone()).await.1), (vec![1, 2, 3], false, true), "an unindexed entry counts");

    // On a page that begins inside the interaction, too.
    world.link(&phone(PHONE), "acme/c-2", "11:00", "11:09").await;
    world.append(&[entry("c-2", "11:00", "wrapup", 4), entry("c-2", "11:01", "wrapup", 5)], 1, Stage::Committed).await;
    let mut question = by_phone();
    question["pageSize"] = json!(1);
    let pages = world.all(question).await;
    let marks = |name: &str| pages.iter().map(|page| page["interactions"][0][name] == json!(true)).collect::<Vec<_>>();
    assert_eq!(marks("pending"), [false, false, false, true, true]);
    let complete: Vec<_> = pages.iter().map(|page| page["complete"] == json!(true)).collect();
    assert_eq!(complete, [true, true, true, false, false]);
}

#[tokio::test]
async fn a_subject_at_the_fan_out_cap_is_shared_and_the_answer_says_so() {
    let world = World::new().await;
    let subject = world.link(&phone(PHONE), "acme/c-1", "10:00", "10:00").await;
    world.append(&[entry("c-1", "10:00", "customer.start", 1)], 256, Stage::Indexed).await;
    let customer = json!({ "found": true, "subjects": 1 });
    let shared = json!({ "found": true, "subjects": 1, "limited": true, "shared": true });
    for (links, customer, numbers) in
        [(4_999_u64, customer, vec![1]), (5_000, shared.clone(), vec![]), (5_001, shared, vec![])]
    {
        world.keys.change(&state_key(&subject), |row| drop(row.insert("links".to_owned(), value(links))));
        let (_, answer) = world.ask(by_phone()).await;
        assert_eq!((&answer["complete"], &answer["customer"]), (&json!(links < 5_000), &customer), "{links} links");
        assert_eq!(given(&answer), [("c-1".to_owned(), numbers)]);
    }
}
