//! Persons are erased on the local stack: through API Gateway, by the eraser's binary, seen from outside.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use aws_sdk_dynamodb::types::{AttributeValue, PutRequest, WriteRequest};
use ledgerline_event::instant;
use ledgerline_ledger::origin::PlanOf;
use ledgerline_store::subject::parse_link_key;
use ledgerline_store::table::Key;
use ledgerline_store::{crm, gone, object_row, party};
use ledgerline_tests::access::ask;
use ledgerline_tests::compliance::{call, load_crm};
use ledgerline_tests::erasure::{
    Customer, Erasure, Lines, Paused, Version, binary_of, event, is_placeholder, message, version_text, versions, with,
};
use ledgerline_tests::gold;
use ledgerline_tests::org::Org;
use ledgerline_tests::quarantine;
use ledgerline_tests::scan::{Place, everywhere_but_bronze, found};
use ledgerline_tests::silver::{self, Row};
use ledgerline_tests::stack::{Item, Stack, key_of};
use ledgerline_traffic::host::{Moment, Outcome, Strike};
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};

use crate::operator::{answer, ledgerline};

/// Long past: a record that is erased whole is closed.
const AT: &str = "2026-03-02T14:00:00Z";
const RECOMPUTE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/recompute_root.py");

/// What comes back must come later.
fn now_ms() -> i64 {
    i64::try_from(std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_millis()).unwrap()
}

/// An access answer about a customer, in this org alone.
fn asked(org: &Org<'_>, identifiers: &Value) -> Value {
    let question = json!({ "identifiers": identifiers, "org": org.name });
    let (status, answer) = ask(org.stack, Some(&org.stack.description().api_key), &question);
    assert_eq!(status, 200, "{answer}");
    answer
}

/// An access answer without the moments that it was given at.
fn timeless(mut answer: Value) -> Value {
    for name in ["asOf", "systems"] {
        answer.as_object_mut().unwrap().remove(name);
    }
    answer
}

/// Rows of the keys table that have any of these words in them, by key.
fn keys_with(stack: &Stack, words: &[String]) -> BTreeMap<Key, String> {
    let has = |item: &Item| {
        let text = format!("{item:?}");
        words.iter().any(|word| text.contains(word))
    };
    let row = |item: &Item| (key_of(item), sorted(item));
    stack.items("KeysTable", "").iter().filter(|item| has(item)).map(row).collect()
}

/// An item as one text: attributes by name, members of sets in order.
fn sorted(item: &Item) -> String {
    fn member(value: &AttributeValue) -> String {
        match value {
            AttributeValue::Ss(members) => format!("{:?}", members.iter().collect::<BTreeSet<_>>()),
            AttributeValue::M(members) => sorted(members),
            AttributeValue::L(members) => format!("{:?}", members.iter().map(member).collect::<Vec<_>>()),
            other => format!("{other:?}"),
        }
    }
    let attributes: BTreeMap<&String, String> = item.iter().map(|(name, value)| (name, member(value))).collect();
    format!("{attributes:?}")
}

/// The calls of a person and of another customer, in the same bronze objects, and one in which both have part.
fn calls(org: &Org<'_>, person: &Customer, other: &Customer) {
    let of = |interaction: &str, kind: &str, members: &[(&str, &str)]| event(org, interaction, kind, AT, members);
    org.stack.send(&[
        of("i-1", "answered", &[("customerPhone", &person.phone)]),
        of("i-1", "ended", &[]),
        of("o-1", "answered", &[("customerPhone", &other.phone)]),
        of("i-2", "answered", &[("customerPhone", &person.phone), ("customerEmail", &person.mail)]),
        of("s-1", "answered", &[("customerPhone", &person.phone)]),
        of("s-1", "joined", &[("customerPhone", &other.phone)]),
        of("o-2", "answered", &[("customerEmail", &other.mail)]),
    ]);
    org.committed(7);
    org.stack.drained();
}

/// Waits until every bronze line of the org that holds one of these words is a placeholder, and gives the lines.
fn redacted(org: &Org<'_>, words: &[&str]) -> Lines {
    org.stack.wait_for("the lines to be redacted", || {
        let lines = org.bronze_lines();
        let left: usize = words.iter().map(|word| with(&lines, word).len()).sum();
        if left == 0 { Ok(lines) } else { Err(format!("{left} lines are left")) }
    })
}

/// Whose rows the organisation's CRM has: the names in their keys.
fn said_by_crm(org: &Org<'_>) -> BTreeSet<String> {
    let keys: Vec<Key> = org.stack.items("KeysTable", "").iter().map(key_of).collect();
    let names = keys.iter().filter_map(crm::parse_key).filter(|(of, _)| *of == org.name);
    names
        .map(|(_, name)| match name {
            crm::CrmName::Pseudonym(name) | crm::CrmName::Record(name) => name,
        })
        .collect()
}

// What remains by intent, and is named: rows that say that a random id is gone for good.
fn is_gone_row(place: &Place) -> bool {
    place.name.starts_with("ControlTable") && place.name.contains(&gone::key("").pk)
}

/// Sends what is no event and names the person, and waits until it is set aside: nothing can tell whose it is.
fn set_aside(stack: &Stack, person: &Customer) {
    stack.send(&[format!("called back {}", person.phone).into_bytes()]);
    stack.wait_for("the record to be set aside", || {
        let kept = quarantine::kept(stack, "quarantine/event_type=");
        let is_there = kept.iter().any(|kept| String::from_utf8_lossy(&kept.bytes).contains(&person.phone));
        if is_there { Ok(()) } else { Err(format!("{} others are", kept.len())) }
    });
}

#[test]
fn nothing_of_the_erased_is_left() {
    let Some(stack) = Stack::running() else { return };
    let org = Org::new(&stack, "forgets");
    let (person, other) = (Customer::of(&org, 0), Customer::of(&org, 1));
    let says =
        |kind: &str, value: &str| json!({ "kind": kind, "value": value, "tier": "Gold", "owner": "Enterprise team" });
    let theirs = [says("phone", &person.phone), says("email", &person.mail), says("record", "i-1")];
    load_crm(&org, &[&theirs[..], &[says("phone", &other.phone), says("record", "o-1")]].concat());
    calls(&org, &person, &other);
    // The person as a record of their own, too: its id stands in the ledger as a random alias.
    let contact = uuid::Uuid::new_v4().to_string();
    let of_contact = json!({ "eventId": format!("{}-contact", org.name), "entityType": "ExternalContact", "entityId": contact,
        "timestamp": AT, "orgId": org.name });
    stack.send(&[of_contact.to_string().into_bytes()]);
    org.committed(8);
    stack.drained();
    let mut identifiers = person.identifiers();
    identifiers.as_array_mut().unwrap().push(json!({ "kind": "external_contact", "value": contact }));
    let mut needles = [person.spellings(), vec![contact]].concat();
    needles.extend(person.pseudonyms(&stack).iter().map(|name| name[3..].to_owned()));
    let refs = silver::rows(&org).into_iter().filter(|row| row.get("interaction_id").is_some_and(|id| id == "i-1"));
    let refs: BTreeSet<String> = refs.filter_map(|row| row.get("customer_ref")?.as_str().map(str::to_owned)).collect();
    let subjects = person.subjects(&org);
    assert!(!refs.is_empty() && subjects.len() == 2, "{refs:?} {subjects:?}");
    let ids: Vec<String> = refs.into_iter().chain(subjects).collect();
    assert_eq!(said_by_crm(&org).len(), 5);
    set_aside(&stack, &person);
    // What gold made of them, and what Athena answered, is searched, too.
    gold::compute(&stack, &AT[..10]);
    let unknown = timeless(asked(&org, &Customer::of(&org, 4).identifiers()));

    let shown = org.erase(&identifiers);
    stack.drained();
    let step = |step: &Value| (step["step"].as_str().unwrap().to_owned(), step["doneAt"].is_string());
    let steps: Vec<(String, bool)> = shown["steps"].as_array().unwrap().iter().map(step).collect();
    assert_eq!(steps, ["received", "verified", "approved", "done"].map(|step| (step.to_owned(), true)));
    assert_eq!(shown["erasure"]["systems"], "none configured");
    assert_eq!(shown["erasure"]["certificate"]["sha256"].as_str().map(str::len), Some(64));
    assert_eq!(timeless(asked(&org, &person.identifiers())), unknown, "as if never seen");

    let mut places = everywhere_but_bronze(&stack);
    for searched in ["LakeBucket/gold/summary/", "LakeBucket/athena/", "ControlTable Some(S(\"GOLD\"))"] {
        assert!(places.iter().any(|place| place.name.starts_with(searched)), "{searched}");
    }
    let bronze = versions(&stack, "BronzeBucket", "");
    places.extend(bronze.iter().filter(|version| version.etag.is_some()).map(|version| {
        let content = version_text(&stack, "BronzeBucket", version);
        let kept: String = quarantine::decoded(&version.key, &content).collect();
        let content = format!("{}{kept}", String::from_utf8_lossy(&content));
        Place::new(format!("BronzeBucket/{} {}", version.key, version.id), content)
    }));
    // What was set aside names the person until it expires: what remains by intent, and nothing else does.
    let (aside, mut places): (Vec<Place>, Vec<Place>) =
        places.into_iter().partition(|place| place.name.starts_with("BronzeBucket/quarantine/"));
    assert_eq!(found(std::slice::from_ref(&person.phone), &aside).len(), 1);
    assert_eq!(found(&needles, &places), Vec::<String>::new());
    places.retain(|place| !is_gone_row(place));
    assert_eq!(found(&ids, &places), Vec::<String>::new());
    // What the search would find: the other customer is there.
    let others: Vec<String> = other.pseudonyms(&stack).iter().map(|name| name[3..].to_owned()).collect();
    assert_eq!(found(&others, &places).len(), 2);
    let of_other = other.pseudonyms(&stack).into_iter().chain(["o-1".to_owned()]).collect();
    let said = said_by_crm(&org);
    assert!(said.len() == 2 && said.is_subset(&of_other), "{said:?}");
    let left = keys_with(&stack, &[format!("{}/i-1", org.name), format!("{}/i-2", org.name)]);
    assert!(left.values().all(|row| !row.contains("wrapped")), "{left:?}");
}

/// What is everybody else's.
#[derive(Debug, PartialEq)]
struct Others {
    lines: Lines,
    rows: Vec<Row>,
    keys: BTreeMap<Key, String>,
}

impl Others {
    fn of(org: &Org<'_>, other: &Customer) -> Self {
        let mut rows = silver::rows(org);
        rows.retain(|row| row["interaction_id"].as_str().is_some_and(|id| id.starts_with("o-")));
        let lines = org.bronze_lines();
        let of_calls = ["o-1", "o-2"].map(|call| with(&lines, &format!("\"{call}\""))).into_iter().flatten();
        let own = ["o-1", "o-2"].map(|call| format!("{}/{call}", org.name));
        let words = [other.subjects(org), own.to_vec()].concat();
        // The other one's link to the call that both share stays, too.
        Self { lines: of_calls.collect(), rows, keys: keys_with(org.stack, &words) }
    }
}

#[test]
fn others_are_byte_for_byte_the_same() {
    let Some(stack) = Stack::running() else { return };
    let org = Org::new(&stack, "others");
    let (person, other) = (Customer::of(&org, 0), Customer::of(&org, 1));
    calls(&org, &person, &other);
    let ledger = || -> BTreeSet<Version> {
        versions(&stack, "LedgerBucket", &format!("ledger/{}/interaction/", org.name)).into_iter().collect()
    };
    let segments = |all: BTreeSet<Version>| -> BTreeSet<Version> {
        all.into_iter().filter(|version| version.key.contains("/segment/")).collect()
    };
    stack.signed(&format!("{}/interaction/1/0", org.name), 7);
    // In the call that both share the person's own block is closed for good: there each entry's line is compared.
    let answered = |customer: &Customer| {
        let mut told = timeless(asked(&org, &customer.identifiers()));
        for one in told["interactions"].as_array_mut().unwrap().iter_mut().filter(|one| one["interactionId"] == "s-1") {
            for entry in one["entries"].as_array_mut().unwrap() {
                entry.as_object_mut().unwrap().remove("sealed");
            }
        }
        told
    };
    let (before, evidence, told) = (Others::of(&org, &other), segments(ledger()), answered(&other));
    assert!(before.lines.len() == 2 && before.rows.len() == 2 && !before.keys.is_empty(), "{before:?}");

    let erasure = Erasure::asked(&org, &person.identifiers());
    let shared = erasure.preview()["shared"].clone();
    assert_eq!(shared, json!([{ "record": format!("{}/s-1", org.name), "otherCustomers": 1 }]));
    erasure.approve(&[]);
    let counts = erasure.done()["erasure"]["counts"].clone();
    assert_eq!((&counts["records"], &counts["shared"]), (&json!(3), &json!(1)), "{counts}");
    stack.drained();
    let after = Others::of(&org, &other);
    assert_eq!((after.lines, after.rows), (before.lines, before.rows));
    // Of the shared call's row the person is taken out, and nothing else of the other's changes.
    let of_shared = |key: &Key| key.pk.ends_with("/s-1") && parse_link_key(key).is_none();
    let whole = |keys: BTreeMap<Key, String>| -> BTreeMap<Key, String> {
        keys.into_iter().filter(|(key, _)| !of_shared(key)).collect()
    };
    assert_eq!(whole(after.keys), whole(before.keys));
    assert!(evidence.is_subset(&segments(ledger())), "no segment is put again, and none goes");
    assert_eq!(answered(&other), told, "and the answer about the other one is the same");
    // In the shared call the person's own line is gone, the other's stands.
    let lines = org.bronze_lines();
    assert_eq!((with(&lines, &person.phone).len(), with(&lines, "\"joined\"").len()), (0, 1));

    let log = format!("{}/interaction/1/0", org.name);
    assert_eq!(answer(&ledgerline(Some(&stack), &["verify", "--log", &log, "--json"]), 0)["outcome"], "holds");
    let python = xtask::tools::Venv::stack().unwrap_or_else(|fault| panic!("{fault}"));
    let stack_json = xtask::paths::stack_json();
    let recompute = [RECOMPUTE, stack_json.to_str().unwrap(), "--org", &org.name];
    let output = python.command("python").args(recompute).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn bronze_keeps_its_form() {
    let Some(stack) = Stack::running() else { return };
    let org = Org::new(&stack, "form");
    let (person, other) = (Customer::of(&org, 0), Customer::of(&org, 1));
    calls(&org, &person, &other);
    let keys = org.bronze_keys();
    let rows = || -> Vec<Option<String>> {
        let row = |object: &String| stack.item("ControlTable", &object_row::key(PlanOf::Bronze, object));
        org.objects().iter().map(|object| row(object).as_ref().map(sorted)).collect()
    };
    let plans = || -> Vec<Version> {
        let objects = org.objects();
        let of_ours = |version: &Version| objects.iter().any(|object| version.key.contains(object));
        versions(&stack, "StagedBucket", "staged/").into_iter().filter(of_ours).collect()
    };
    // Other tests' lines are set aside meanwhile; transform names a quarantine object after that of the lines.
    let quarantine = || -> Vec<String> {
        let objects = org.objects();
        let keys = stack.keys("BronzeBucket", "quarantine/transform/").into_iter();
        keys.filter(|key| objects.iter().any(|object| key.contains(object))).collect()
    };
    let packed = |key: &String| stack.object("BronzeBucket", key).0.starts_with(&[0x1f, 0x8b]);
    let state = || (org.bronze_keys(), rows(), plans(), quarantine());
    let (before, lines) = (state(), org.bronze_lines());
    assert!(keys.iter().all(packed) && lines.len() >= 7);

    org.erase(&person.identifiers());
    stack.drained();
    let after = org.bronze_lines();
    assert_eq!(state(), before, "and nothing is planned again, although S3 told of new versions");
    assert_eq!(after.keys().collect::<Vec<_>>(), lines.keys().collect::<Vec<_>>(), "line by line");
    for (at, line) in &lines {
        let goes = ["\"i-1\"", "\"i-2\""].iter().any(|call| line.contains(call)) || line.contains(&person.phone);
        assert_eq!(goes, is_placeholder(&after[at]), "{}", after[at]);
        assert!(goes || *line == after[at], "{}", after[at]);
        if goes {
            let kept = |line: &String| serde_json::from_str::<Value>(line).unwrap()["receivedAt"].clone();
            assert_eq!(kept(&after[at]), kept(line));
        }
    }
    for key in &keys {
        let all = versions(&stack, "BronzeBucket", key);
        assert!(packed(key) && all.iter().filter(|version| version.key == *key).count() == 1, "{all:?}");
    }
}

#[test]
fn what_was_in_flight_is_erased() {
    let Some(stack) = Stack::running() else { return };
    let org = Org::new(&stack, "flight");
    let (person, other) = (Customer::of(&org, 0), Customer::of(&org, 1));
    let call = |interaction: &str, kind: &str, members: &[(&str, &str)]| event(&org, interaction, kind, AT, members);
    let theirs = call("i-2", "answered", &[("customerPhone", &person.phone)]);
    stack.send(&[call("i-1", "answered", &[("customerPhone", &person.phone)])]);
    org.committed(1);
    stack.drained();
    // Before the cutoff in bronze, and behind it in the plan.
    let paused = Paused::new(&stack, "TransformFunction");
    stack.send(&[theirs.clone(), call("o-1", "answered", &[("customerPhone", &other.phone)])]);
    stack.wait_for("both lines to lie in bronze", || {
        let held = stack.block(async {
            let clients = stack.description().clients().await;
            stack.description().messages(&clients, "BronzeQueue").await.unwrap()
        });
        if held > 0 { Ok(()) } else { Err("nothing is notified".to_owned()) }
    });
    org.erase(&person.identifiers());
    drop(paused);
    org.committed(3);
    stack.drained();
    let of = |interaction: &str| -> Value {
        let is_it = |entry: &Value| entry["interactionId"] == interaction;
        org.entries().into_iter().find(is_it).unwrap()
    };
    assert!(of("i-2").get("sealed").is_none_or(|blocks| blocks.as_array().is_some_and(Vec::is_empty)), "{}", of("i-2"));
    assert!(!of("o-1")["sealed"].as_array().unwrap().is_empty());
    assert_eq!(asked(&org, &person.identifiers())["customer"]["found"], false);
    redacted(&org, &["\"i-1\"", "\"i-2\""]);
    // Then what names nobody, in a third object; the same once more; and what the policy filters.
    stack.send(&[call("i-2", "ended", &[])]);
    org.committed(4);
    stack.drained();
    stack.send(&[theirs, call("i-2", "heartbeat", &[("customerPhone", &person.phone)])]);
    let counts = org.settled(6);
    stack.drained();
    assert!(counts.reconcile() && counts.committed == 4 && (counts.duplicate, counts.filtered) == (1, 1), "{counts:?}");
    let lines = redacted(&org, &["\"i-1\"", "\"i-2\"", &person.phone]);
    assert_eq!(with(&lines, "\"o-1\"").len(), 1);
}

/// As if the full hour that a record's end is rounded up to had gone by: the end is put an hour earlier.
fn hour_is_over(org: &Org<'_>, interaction: &str) {
    let key = party::key(&format!("{}/{interaction}", org.name));
    let hour = 3_600_000;
    let earlier = instant::to_rfc3339(now_ms() / hour * hour);
    let update = org.stack.dynamodb.update_item().table_name(org.stack.description().table("KeysTable").unwrap());
    let update = update.key("pk", AttributeValue::S(key.pk)).key("sk", AttributeValue::S(key.sk));
    let update = update.update_expression("SET #c = :earlier").expression_attribute_names("#c", "cutoff");
    let update = update.expression_attribute_values(":earlier", AttributeValue::S(earlier));
    org.stack.block(update.condition_expression("attribute_exists(#c)").send()).unwrap();
}

#[test]
fn what_comes_again_is_erased_and_who_comes_back_is_new() {
    let Some(stack) = Stack::running() else { return };
    let org = Org::new(&stack, "again");
    let (person, other) = (Customer::of(&org, 0), Customer::of(&org, 1));
    let began = instant::to_rfc3339(now_ms());
    let theirs = [("customerPhone", person.phone.as_str())];
    let sent = [
        event(&org, "i-1", "answered", AT, &theirs),
        event(&org, "both-sides", "answered", &began, &theirs),
        event(&org, "o-1", "answered", AT, &[("customerPhone", &other.phone)]),
    ];
    stack.send(&sent);
    org.committed(3);
    stack.drained();
    let before = person.subjects(&org);
    org.erase(&person.identifiers());
    stack.drained();

    // The originals come again: duplicates, and their new lines go.
    stack.send(&sent);
    let counts = org.settled(6);
    assert_eq!((counts.committed, counts.duplicate), (3, 3), "{counts:?}");
    stack.drained();
    redacted(&org, &["\"i-1\"", &person.phone]);
    assert_eq!(person.subjects(&org), Vec::<String>::new());

    // A new call is a stranger's; of the call on both sides all goes until the next full hour.
    let now = || instant::to_rfc3339(now_ms());
    stack.send(&[
        event(&org, "both-sides", "held", &began, &[]),
        event(&org, "both-sides", "resumed", &now(), &[]),
        event(&org, "i-9", "answered", &now(), &theirs),
    ]);
    org.committed(6);
    stack.drained();
    redacted(&org, &["\"held\"", "\"resumed\""]);
    hour_is_over(&org, "both-sides");
    stack.send(&[event(&org, "both-sides", "ended", &now(), &[])]);
    org.committed(7);
    stack.drained();
    let lines = org.bronze_lines();
    assert_eq!((with(&lines, "\"both-sides\"").len(), with(&lines, "\"i-9\"").len()), (1, 1));
    let after = person.subjects(&org);
    assert!(after.len() == 1 && !before.contains(&after[0]), "{before:?} {after:?}");
    let told = asked(&org, &person.identifiers());
    let records: Vec<&str> =
        told["interactions"].as_array().unwrap().iter().map(|one| one["interactionId"].as_str().unwrap()).collect();
    assert_eq!(records, ["i-9"], "{told}");
}

/// What came back is found by nobody, and `ledgerline reconcile` takes it away again.
#[test]
fn a_restored_table_brings_nobody_back() {
    let Some(stack) = Stack::running() else { return };
    let org = Org::new(&stack, "restored");
    let (person, other) = (Customer::of(&org, 0), Customer::of(&org, 1));
    calls(&org, &person, &other);
    let subjects = person.subjects(&org);
    let words = [subjects.clone(), vec![org.name.clone()]].concat();
    let is_ours = |item: &Item| {
        let text = format!("{item:?}");
        words.iter().any(|word| text.contains(word))
    };
    let dump: Vec<Item> = stack.items("KeysTable", "").into_iter().filter(is_ours).collect();
    org.erase(&person.identifiers());
    stack.drained();
    let table = stack.description().table("KeysTable").unwrap();
    for items in dump.chunks(25) {
        let put = |item: &Item| PutRequest::builder().set_item(Some(item.clone())).build().unwrap();
        let writes = items.iter().map(|item| WriteRequest::builder().put_request(put(item)).build()).collect();
        let write = stack.dynamodb.batch_write_item().request_items(table, writes);
        assert!(stack.block(write.send()).unwrap().unprocessed_items().is_none_or(|left| left.is_empty()));
    }
    assert_eq!(person.subjects(&org), subjects, "the rows are there");
    let nobody = |question: &Value| {
        let (status, answer) = ask(&stack, Some(&stack.description().api_key), question);
        assert_eq!((status, &answer["customer"]["found"], &answer["interactions"]), (200, &json!(false), &json!([])));
    };
    nobody(&json!({ "identifiers": person.identifiers(), "org": org.name }));
    for subject in &subjects {
        nobody(&json!({ "customerIdHash": subject, "org": org.name }));
    }
    // Every reader asks whether a key is gone, however its row came back.
    let shown = answer(&ledgerline(Some(&stack), &["show", "interaction", "i-2", "--json"]), 0);
    let entries = shown["entries"].as_array().unwrap().iter().filter(|entry| entry["entry"]["org"] == org.name);
    let blocks: Vec<&Value> = entries.flat_map(|entry| entry["sealed"].as_array().unwrap()).collect();
    let customers: Vec<&&Value> = blocks.iter().filter(|block| block["party"] != "agent").collect();
    assert!(!customers.is_empty() && customers.iter().all(|block| block["destroyed"] == true), "{blocks:?}");
    // Counted first, and then taken away. Other tests' erasures are under way on the same stack: their rows are not looked at here.
    let moment = instant::to_rfc3339(now_ms());
    let reconcile = |apply: &[&str]| -> Value {
        let arguments = [&["reconcile", "--json", "--restored-to", &moment][..], apply].concat();
        serde_json::from_slice(&ledgerline(Some(&stack), &arguments).stdout).unwrap()
    };
    let before = keys_with(&stack, &words);
    let counted = reconcile(&[]);
    let found = |name: &str| counted["found"][name].as_u64().unwrap();
    assert!(found("identifiers") >= 2 && found("links") >= 3 && found("keys") >= 2, "{counted}");
    assert_eq!((keys_with(&stack, &words), &counted["applied"]), (before, &json!(false)), "nothing was written");
    assert_eq!(reconcile(&["--apply"])["applied"], true);
    assert_eq!(keys_with(&stack, &subjects), BTreeMap::new(), "nothing of the person is left");
    let left = keys_with(&stack, &[format!("{}/i-1", org.name), format!("{}/i-2", org.name)]);
    assert!(left.values().all(|row| !row.contains("wrapped")), "{left:?}");
    assert_eq!(other.subjects(&org).len(), 2, "others are left");
    // A new call is not put to what came back.
    let later = instant::to_rfc3339(now_ms() + 2 * 3_600_000);
    stack.send(&[event(&org, "i-9", "answered", &later, &[("customerPhone", &person.phone)])]);
    org.committed(8);
    stack.drained();
    let told = asked(&org, &json!([{ "kind": "phone", "value": person.phone }]));
    let records: Vec<&Value> =
        told["interactions"].as_array().unwrap().iter().map(|one| &one["interactionId"]).collect();
    assert_eq!(records, ["i-9"], "{told}");
}

/// How often the eraser is killed at least.
const KILLS: u32 = 50;
/// Another seed strikes elsewhere; a failure names the one it happened with.
const SEED_VARIABLE: &str = "LEDGERLINE_SEED";

/// As if the time of a lease that a killed run left were over.
fn end_lease(stack: &Stack, request: &str) {
    let key = ledgerline_store::erasing::key(request);
    let update = stack.dynamodb.update_item().table_name(stack.description().table("ControlTable").unwrap());
    let update = update.key("pk", AttributeValue::S(key.pk)).key("sk", AttributeValue::S(key.sk));
    let update = update.update_expression("REMOVE #l, #u").expression_attribute_names("#l", "lease");
    let update = update.expression_attribute_names("#u", "leaseUntil");
    // Nothing to end before the first run took one.
    let _ = stack.block(update.condition_expression("attribute_exists(#l)").send());
}

/// People who are erased two by two, of whom so many are there at most.
const PEOPLE: usize = 12;
const CALLS_OF_EACH: usize = 2;

/// Two persons of the same bronze objects at once, messages twice at a time, killed between calls, with a hold placed on the way; two by two,
/// until the eraser was killed often enough. That there is one entry of a deletion for each record is for the version that writes them.
#[test]
fn killed_and_raced() {
    let Some(stack) = Stack::running() else { return };
    let seed = xtask::paths::variable(SEED_VARIABLE).map_or(1, |seed| seed.parse().unwrap());
    let mut dice = ChaCha8Rng::seed_from_u64(seed);
    let org = Org::new(&stack, "killed");
    let people: Vec<Customer> = (0..PEOPLE).map(|place| Customer::of(&org, place)).collect();
    let other = Customer::of(&org, PEOPLE);
    let mut sent = vec![event(&org, "o-1", "answered", AT, &[("customerPhone", &other.phone)])];
    for (n, person) in people.iter().enumerate() {
        let phone = [("customerPhone", person.phone.as_str())];
        sent.extend((0..CALLS_OF_EACH).map(|call| event(&org, &format!("i-{n}-{call}"), "answered", AT, &phone)));
    }
    stack.send(&sent);
    org.committed(sent.len() as u64);
    stack.drained();
    let others = Others::of(&org, &other);
    let paused = Paused::new(&stack, "RtbfFunction");
    let rtbf = binary_of(&stack, "RtbfFunction", "rtbf");
    let (mut kills, mut erased, mut held) = (0, 0, false);
    for two in people.chunks(2) {
        let requests: Vec<Erasure<'_>> = two
            .iter()
            .map(|person| Erasure::asked(&org, &json!([{ "kind": "phone", "value": person.phone }])))
            .collect();
        requests.iter().for_each(|request| drop(request.approve(&[])));
        for turn in 0.. {
            assert!(turn < 400, "seed {seed}: never done after {kills} kills");
            let open: Vec<&Erasure<'_>> =
                requests.iter().filter(|request| request.shown()["state"] != "done").collect();
            let (Some(one), Some(last)) = (open.get(dice.random_range(0..open.len().max(1))), open.last()) else {
                break;
            };
            open.iter().for_each(|request| end_lease(&stack, &request.id));
            // The same message at the same time, or the other person's; both are struck, until enough were.
            let of = |request: &str| message(&json!({ "v": 1, "kind": "erase", "request": request }));
            let (event, twin) = (of(&one.id), of(if turn % 3 == 0 { &last.id } else { &one.id }));
            let mut strike = || {
                (kills < KILLS && dice.random_bool(0.9)).then(|| Strike {
                    call: dice.random_range(1..=60),
                    moment: if dice.random_bool(0.5) { Moment::Before } else { Moment::After },
                })
            };
            let strikes = [strike(), strike()];
            let (first, second) =
                stack.block(async { tokio::join!(rtbf.run(&event, strikes[0]), rtbf.run(&twin, strikes[1])) });
            for run in [first, second] {
                assert!(!matches!(run.outcome, Outcome::Failed(_)), "seed {seed}, {strikes:?}: {:?}", run.outcome);
                kills += u32::from(run.outcome == Outcome::Killed);
            }
            // Between the list and what it leads to: what is held by then stays whole.
            let step = requests[0].shown()["erasure"]["step"].as_str().map(str::to_owned);
            if erased == 0 && !held && step.is_some_and(|step| ["approve", "records"].contains(&step.as_str())) {
                hold(&stack, &org, "place");
                held = true;
            }
        }
        erased += two.len();
        if kills >= KILLS {
            break;
        }
    }
    assert!(kills >= KILLS, "seed {seed}: {kills} kills");
    if held {
        assert_held_or_gone(&stack, &org, seed);
    }
    drop(paused);
    if held {
        hold(&stack, &org, "lift");
    }
    stack.drained();
    let phones: Vec<&str> = people[..erased].iter().map(|person| person.phone.as_str()).collect();
    let lines = redacted(&org, &phones);
    let left = people[erased..].iter().map(|person| with(&lines, &person.phone).len()).sum::<usize>();
    assert_eq!((with(&lines, "\"o-1\"").len(), left), (1, CALLS_OF_EACH * (PEOPLE - erased)), "seed {seed}");
    assert_eq!(Others::of(&org, &other), others, "seed {seed}");
    let is_erased = |row: &Row| {
        let n = row["interaction_id"].as_str().and_then(|id| id.strip_prefix("i-")?.split('-').next()?.parse().ok());
        n.is_some_and(|n: usize| n < erased)
    };
    let rows = silver::rows(&org);
    assert_eq!(rows.iter().filter(|row| is_erased(row)).count(), CALLS_OF_EACH * erased);
    for row in &rows {
        let names_nobody = row.get("customer_ref").is_none_or(Value::is_null);
        assert_eq!((row["erased"] == true, names_nobody), (is_erased(row), is_erased(row)), "seed {seed}: {row:?}");
    }
    let log = format!("{}/interaction/1/0", org.name);
    assert_eq!(answer(&ledgerline(Some(&stack), &["verify", "--log", &log, "--json"]), 0)["outcome"], "holds");
}

fn hold(stack: &Stack, org: &Org<'_>, verb: &str) {
    let mut arguments = vec!["hold", verb, "--json", "--org", &org.name, "--hold", "matter-9", "i-0-0"];
    if verb == "place" {
        arguments.extend(["--purpose", "litigation", "--basis", "legal-claims", "--review", "2027-01-31"]);
    }
    let output = ledgerline(Some(stack), &arguments);
    // A record that was erased by then is not held, and said to be so.
    let is_erased = String::from_utf8_lossy(&output.stdout).contains("is erased") && output.status.code() == Some(2);
    assert!(output.status.success() || is_erased || verb == "lift", "{}", String::from_utf8_lossy(&output.stdout));
}

/// A held record has its line, or had lost it before the hold: never a part of it.
fn assert_held_or_gone(stack: &Stack, org: &Org<'_>, seed: u64) {
    let record = format!("{}/i-0-0", org.name);
    let is_held =
        stack.item("ControlTable", &ledgerline_store::held::key(&record)).is_some_and(|row| row.contains_key("holds"));
    let row = stack.item("KeysTable", &ledgerline_store::party::key(&record)).unwrap_or_default();
    let waits = row.contains_key("pendingErase");
    let line = with(&org.bronze_lines(), "\"i-0-0\"").len() == 1;
    let keys = keys_with(stack, &[record]).values().filter(|row| row.contains("wrapped")).count();
    assert_eq!(waits, is_held && line, "seed {seed}: {row:?}");
    assert!(!waits || keys > 0, "seed {seed}: keys of what is held are gone");
}

#[test]
fn an_attackers_number_erases_nothing_of_the_victims() {
    let Some(stack) = Stack::running() else { return };
    let org = Org::new(&stack, "seeded");
    let (victim, attacker) = (Customer::of(&org, 0), Customer::of(&org, 1));
    stack.send(&[
        event(&org, "o-1", "answered", AT, &[("customerPhone", &victim.phone), ("customerEmail", &victim.mail)]),
        event(&org, "o-1", "ended", AT, &[]),
        event(&org, "o-2", "answered", AT, &[("customerPhone", &victim.phone)]),
    ]);
    org.committed(3);
    // A webhook names the victim's call with the attacker's number, by a word that is no kind of event: it is an `other`.
    stack.send(&[event(&org, "o-1", "noted", AT, &[("customerPhone", &attacker.phone)])]);
    org.committed(4);
    stack.drained();
    let record = format!("{}/o-1", org.name);
    let of_victim = |org: &Org<'_>| {
        let lines = org.bronze_lines();
        (with(&lines, &victim.phone), with(&lines, "\"ended\""), victim.subjects(org))
    };
    let blocks = || -> BTreeMap<String, String> {
        let shown = answer(&ledgerline(Some(&stack), &["show", "interaction", "o-1", "--json"]), 0);
        let ours = shown["entries"].as_array().unwrap().iter().filter(|entry| entry["entry"]["org"] == org.name);
        let state = |entry: &Value| (entry["entry"]["type"].as_str().unwrap().to_owned(), entry["sealed"].to_string());
        ours.map(state).filter(|(kind, _)| kind != "other").collect()
    };
    let (before, opened) = (of_victim(&org), blocks());
    assert_eq!((before.0.len(), before.1.len(), before.2.len()), (2, 1, 2));

    let erasure = Erasure::asked(&org, &attacker.identifiers());
    let preview = erasure.preview();
    assert_eq!(preview["shared"], json!([{ "record": record, "otherCustomers": 2 }]), "{preview}");
    assert_eq!(preview["kinds"], json!(["phone", "email"]), "the other kinds are named");
    erasure.approve(&[]);
    erasure.done();
    stack.drained();
    assert_eq!((of_victim(&org), blocks()), (before.clone(), opened.clone()));
    assert_eq!(with(&org.bronze_lines(), &attacker.phone).len(), 0, "the attacker's own line is gone");

    // Hints that nobody has cause for: of a whole object, and of a record that waits for nothing.
    let queue = &stack.description().queues["EraseQueue"];
    let key = org.bronze_keys().remove(0);
    let object = org.objects().into_iter().next().unwrap();
    for forged in [
        json!({ "v": 1, "kind": "suppressed", "bucket": stack.bucket("BronzeBucket"), "key": key, "object": object }),
        json!({ "v": 1, "kind": "released", "record": record }),
        json!({ "v": 1, "kind": "erase", "request": erasure.id }),
    ] {
        stack.block(stack.sqs.send_message().queue_url(queue).message_body(forged.to_string()).send()).unwrap();
    }
    stack.drained();
    assert_eq!((of_victim(&org), blocks()), (before, opened));
    let told = asked(&org, &victim.identifiers());
    assert_eq!((&told["customer"]["subjects"], &told["complete"]), (&json!(2), &json!(true)), "{told}");
}

/// What a person's request is about is told with their data, as long as it is open, to whoever may see it.
#[test]
fn an_access_answer_names_the_open_erasure_and_the_command_line_shows_its_preview() {
    let Some(stack) = Stack::running() else { return };
    let org = Org::new(&stack, "open");
    let (person, other) = (Customer::of(&org, 0), Customer::of(&org, 1));
    calls(&org, &person, &other);
    let erasure = Erasure::asked(&org, &person.identifiers());
    let told = asked(&org, &person.identifiers());
    let due = erasure.shown()["clock"]["dueAt"].clone();
    let expected = json!([{ "requestId": erasure.id, "type": "ERASURE", "state": "verified", "dueAt": due }]);
    assert_eq!(told["requests"], expected, "{told}");
    assert_eq!(asked(&org, &other.identifiers()).get("requests"), None);
    let description = stack.description();
    let mut command = Command::new(xtask::paths::target().join("debug/ledgerline"));
    command.env_clear().env("LEDGERLINE_TOKEN", description.token("approver").unwrap());
    command.env("LEDGERLINE_API_KEY", &description.api_key);
    command.args(["--json", "erase", "--preview", &erasure.id, "--api", &description.api_url]);
    let shown = answer(&command.output().unwrap(), 0);
    assert_eq!(shown["preview"]["digest"], erasure.preview()["digest"], "{shown}");
    erasure.approve(&[]);
    erasure.done();
    assert_eq!(asked(&org, &person.identifiers()).get("requests"), None, "done, it is none of theirs any more");
}

const CHECK: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/check_certificate.py");

/// The certificate of a request, fetched as an officer does, its folder, and the public key of the org's log of requests.
fn certificate(stack: &Stack, org: &Org<'_>, request: &str) -> (Value, std::path::PathBuf, String) {
    let folder = xtask::paths::target().join("tmp").join(format!("certificate-{}", org.name));
    let description = stack.description();
    let mut command = Command::new(xtask::paths::target().join("debug/ledgerline"));
    command.env_clear().env("LEDGERLINE_TOKEN", description.token("officer").unwrap());
    command.env("LEDGERLINE_API_KEY", &description.api_key);
    command.args(["--json", "request", "certificate", request, "--api", &description.api_url, "--out"]).arg(&folder);
    answer(&command.output().unwrap(), 0);
    let file = folder.join("certificate.json");
    let said: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    // Of the ledger's head, as it reaches a regulator another way.
    let head = stack.head(&format!("{}/request/1/0", org.name)).unwrap();
    let AttributeValue::L(keys) = &head["signingKeys"] else { panic!("no keys: {head:?}") };
    (said, file, keys[0].as_s().unwrap().clone())
}

/// The certificate is checked by the command and by Python, without the stack; whatever is altered in it is named.
#[test]
fn a_certificate_holds_and_whatever_is_altered_in_it_is_named() {
    let Some(stack) = Stack::running() else { return };
    let org = Org::new(&stack, "certified");
    let (person, other) = (Customer::of(&org, 0), Customer::of(&org, 1));
    calls(&org, &person, &other);
    let erasure = Erasure::asked(&org, &person.identifiers());
    let before = call(&stack, "officer", &format!("requests/{}/certificate", erasure.id), None);
    assert_eq!(before.0, 404, "{}", before.1);
    erasure.approve(&[]);
    let shown = erasure.done();
    let (said, file, key) = certificate(&stack, &org, &erasure.id);
    let counts = &said["body"]["counts"];
    // i-1 and i-2, and s-1, which is the other one's, too.
    assert_eq!(
        (&counts["records"], &counts["deletions"], &counts["shared"]),
        (&json!(3), &json!(3), &json!(1)),
        "{counts}"
    );
    assert_eq!(said["certified"][0]["entry"]["fields"]["sha256"], shown["erasure"]["certificate"]["sha256"]);
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(person.spellings().iter().all(|spelling| !text.contains(spelling)));
    let page = std::fs::read_to_string(file.with_extension("html")).unwrap();
    assert!(page.contains("3 interactions were erased") && !page.contains("<script"));

    let check = |file: &std::path::Path| {
        let output = ledgerline(None, &["check-certificate", file.to_str().unwrap(), "--key", &key, "--json"]);
        let said: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        (output.status.code().unwrap(), said)
    };
    let python = xtask::tools::Venv::stack().unwrap_or_else(|fault| panic!("{fault}"));
    let agrees = |file: &std::path::Path| {
        let output = python.command("python").args([CHECK, file.to_str().unwrap(), "--key", &key]).output().unwrap();
        (output.status.code().unwrap(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (code, told) = check(&file);
    assert_eq!((code, &told["good"]), (0, &json!(true)), "{told}");
    assert_eq!(agrees(&file).0, 0, "{}", agrees(&file).1);

    let altered = file.with_file_name("altered.json");
    for (at, from, to) in [
        (
            "body.counts.keys",
            format!("\"keys\":{}", counts["keys"]),
            format!("\"keys\":{}", counts["keys"].as_u64().unwrap() + 1),
        ),
        ("body", "\"why\":\"".to_owned(), "\"why\":\"Not: ".to_owned()),
        ("body.deletions[0].path", "\"occurredAt\":\"20".to_owned(), "\"occurredAt\":\"19".to_owned()),
        ("the file", "{\"body\":".to_owned(), "{ \"body\":".to_owned()),
    ] {
        assert!(text.contains(&from), "{from}");
        std::fs::write(&altered, text.replacen(&from, &to, 1)).unwrap();
        let (code, told) = check(&altered);
        let named = told["problems"].as_array().unwrap().iter().any(|one| one["place"] == at);
        assert!(code == 1 && named, "{at}: {told}");
        assert_eq!(agrees(&altered).0, 1, "{at}");
    }
    let mut bytes = text.into_bytes();
    let mut dice = ChaCha8Rng::seed_from_u64(7);
    for _ in 0..20 {
        let at = dice.random_range(0..bytes.len());
        let bit = 1 << dice.random_range(0..7);
        bytes[at] ^= bit;
        std::fs::write(&altered, &bytes).unwrap();
        assert_eq!((check(&altered).0, agrees(&altered).0), (1, 1), "byte {at}");
        bytes[at] ^= bit;
    }
    // Whoever made it cannot approve it.
    let own = Erasure::asked(&org, &other.identifiers());
    let body = json!({ "previewDigest": own.preview()["digest"] });
    let (status, refused) = call(&stack, "officer", &format!("requests/{}/approve", own.id), Some(&body));
    assert_eq!(status, 403, "{refused}");
}

/// Two people asked for at once whose entries are pooled: the day is brought forward, as a clock would, and their entries stand mixed.
#[test]
fn entries_that_are_pooled_join_nothing() {
    let Some(stack) = Stack::running() else { return };
    let org = Org::new(&stack, "pooled");
    let people: Vec<Customer> = (0..PERSONS).map(|place| Customer::of(&org, place)).collect();
    let sent: Vec<Vec<u8>> = (0..CALLS_POOLED)
        .flat_map(|n| people.iter().enumerate().map(move |(place, person)| (n, place, person)))
        .map(|(n, place, person)| {
            event(&org, &format!("p-{place}-{n}"), "answered", AT, &[("customerPhone", &person.phone)])
        })
        .collect();
    stack.send(&sent);
    org.committed(sent.len() as u64);
    stack.drained();
    // The deployed function pools nothing, so that no other test waits for tomorrow; this one does.
    let paused = Paused::new(&stack, "RtbfFunction");
    let mut rtbf = binary_of(&stack, "RtbfFunction", "rtbf");
    rtbf.environment.retain(|(name, _)| name != POOL_DAYS);
    rtbf.environment.push((POOL_DAYS.to_owned(), "1".to_owned()));
    let run = |body: &Value| {
        let run = stack.block(rtbf.run(&message(body), None));
        assert!(matches!(run.outcome, Outcome::Answered(_)), "{:?}", run.outcome);
    };
    let erasures: Vec<Erasure<'_>> = people.iter().map(|person| Erasure::asked(&org, &person.identifiers())).collect();
    erasures.iter().for_each(|erasure| drop(erasure.approve(&[])));
    for erasure in &erasures {
        stack.wait_for("the acts to be pooled", || {
            run(&json!({ "v": 1, "kind": "erase", "request": erasure.id }));
            let shown = erasure.shown();
            let waits = shown["erasure"]["step"] == "deletions" && shown["erasure"]["reason"] == "pool";
            if waits { Ok(()) } else { Err(shown["erasure"].to_string()) }
        });
    }
    let deletions = || -> Vec<Value> {
        org.ledger()[&format!("{}/interaction/1/0", org.name)]
            .iter()
            .filter(|entry| entry["type"] == "DATA_DELETION")
            .cloned()
            .collect()
    };
    assert!(deletions().is_empty(), "not before their day");
    let today = bring_forward(&stack, &erasures);
    run(&json!({ "v": 1, "kind": "pool", "day": today }));
    drop(paused);
    erasures.iter().for_each(|erasure| drop(erasure.done()));
    let acts = deletions();
    assert_eq!(acts.len(), PERSONS * CALLS_POOLED);
    let person = |act: &Value| act["interactionId"].as_str().unwrap().split('-').nth(1).unwrap().to_owned();
    let order: Vec<String> = acts.iter().map(person).collect();
    let alike = order.windows(2).filter(|pair| pair[0] == pair[1]).count();
    assert!(alike < order.len() / 2, "{order:?}");
    // Each value of an act and of its row is its own, or others' on the same day have it, too.
    let mut seen: BTreeMap<String, BTreeMap<String, BTreeSet<String>>> = BTreeMap::new();
    for act in &acts {
        let object = act["source"]["object"].as_str().unwrap();
        let row = stack.item("ControlTable", &object_row::key(PlanOf::Acts, object)).unwrap();
        let mut values: BTreeSet<String> = row.iter().map(|(name, value)| format!("{name} {value:?}")).collect();
        let members =
            ["eventId", "salt", "lineageToken", "occurredAt"].map(|name| act[name].as_str().unwrap().to_owned());
        values.extend(members);
        values.extend(act["keyIds"].as_array().unwrap().iter().map(Value::to_string));
        let record = act["interactionId"].as_str().unwrap();
        let party = ledgerline_store::party::key(&format!("{}/{record}", org.name));
        let party = stack.item("KeysTable", &party).unwrap_or_default();
        values.extend(party.iter().map(|(name, value)| format!("PARTY {name} {value:?}")));
        for value in values {
            seen.entry(value).or_default().entry(person(act)).or_default().insert(record.to_owned());
        }
    }
    for (value, by) in &seen {
        let joins = by.values().any(|records| records.len() > 2);
        assert!(!joins || by.len() > 1, "{value} joins the records of one person");
    }
    for erasure in &erasures {
        let (said, ..) = certificate(&stack, &org, &erasure.id);
        assert_eq!(said["body"]["counts"]["deletions"], CALLS_POOLED);
        assert_eq!(said["body"]["counts"]["pooled"], PERSONS);
    }
}

const POOL_DAYS: &str = "ERASURE_POOL_DAYS";
/// People whose entries are pooled, and how many calls each of them has.
const PERSONS: usize = 10;
const CALLS_POOLED: usize = 20;

/// Moves the pool of the day that comes to today, and the erasures that wait for it, as the clock would; today.
fn bring_forward(stack: &Stack, erasures: &[Erasure<'_>]) -> String {
    use ledgerline_store::{deletion, erasing};
    let text = |text: &str| AttributeValue::S(text.to_owned());
    let table = stack.description().table("ControlTable").unwrap();
    let today = instant::to_rfc3339(now_ms())[..10].to_owned();
    for item in stack.items("ControlTable", &deletion::pool_key("", "").pk) {
        let key = key_of(&item);
        let Some((day, name)) = deletion::parse_pool_key(&key) else { continue };
        let wake = erasing::wake_key(&deletion::midnight(day), deletion::WAKES_POOL);
        let ended = stack.dynamodb.delete_item().table_name(table).key("pk", text(&wake.pk)).key("sk", text(&wake.sk));
        stack.block(ended.send()).unwrap();
        let moved = deletion::pool_key(&today, name);
        let put = stack.dynamodb.put_item().table_name(table).item("pk", text(&moved.pk)).item("sk", text(&moved.sk));
        stack.block(put.send()).unwrap();
        let delete = stack.dynamodb.delete_item().table_name(table).key("pk", text(&key.pk)).key("sk", text(&key.sk));
        stack.block(delete.send()).unwrap();
    }
    let ids = erasures.iter().map(|erasure| erasure.id.clone()).collect();
    let pooled = deletion::pooled_key(&today);
    let put = stack.dynamodb.put_item().table_name(table).item("pk", text(&pooled.pk)).item("sk", text(&pooled.sk));
    stack.block(put.item("requests", AttributeValue::Ss(ids)).send()).unwrap();
    for erasure in erasures {
        let key = erasing::key(&erasure.id);
        let row = stack.item("ControlTable", &key).unwrap();
        let wake = row["wake"].as_s().unwrap().clone();
        let now = instant::to_rfc3339(now_ms());
        let update = stack.dynamodb.update_item().table_name(table).key("pk", text(&key.pk)).key("sk", text(&key.sk));
        let update = update.update_expression("SET #w = :now, #u = :now, #p = :day");
        let update = update.expression_attribute_names("#w", "wake").expression_attribute_names("#u", "waitUntil");
        let update = update.expression_attribute_names("#p", "pool").expression_attribute_values(":day", text(&today));
        stack.block(update.expression_attribute_values(":now", text(&now)).send()).unwrap();
        for (key, puts) in
            [(erasing::wake_key(&wake, &erasure.id), false), (erasing::wake_key(&now, &erasure.id), true)]
        {
            if puts {
                let put =
                    stack.dynamodb.put_item().table_name(table).item("pk", text(&key.pk)).item("sk", text(&key.sk));
                stack.block(put.send()).unwrap();
            } else {
                let delete = stack.dynamodb.delete_item().table_name(table);
                stack.block(delete.key("pk", text(&key.pk)).key("sk", text(&key.sk)).send()).unwrap();
            }
        }
    }
    today
}
