//! What events say of people, sealed for its owner: whose it is, what is in it, and the rows that its keys are kept in.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures_util::future::join;
use ledgerline_custody::own::{OwnList, parse_list};
use ledgerline_lake::ObjectId;
use ledgerline_ledger::entry::Entry;
use ledgerline_ledger::tree::Hash;
use ledgerline_privacy::Region;
use ledgerline_sealed::{KeyRow, Place, WrappedKey};
use ledgerline_store::month_key;
use ledgerline_testkit::faults::{ALL_FAULTS, Fault, Faults};
use ledgerline_transform::config::Settings;
use ledgerline_transform::reading::{Event, Found, Owner, Read, Reading};
use serde_json::{Value, json};

use crate::cases::read_with;
use crate::erasures::{PHONE, RECEIVED, call, destroy, erase, key_rows, named_in, plant, settle, told};
use crate::own::answered;
use crate::subjects::subjects;
use crate::world::{BUCKET, DEPLOYMENT, MONTH, T0, World, counting, event, key, lines, settings, turns};

const OTHER: &str = "+15555550143";
const MAIL: &str = "ada@example.com";
const HOTLINE: &str = "+15555550199";

fn settings_with_hotline() -> Settings {
    let settings = settings();
    let own_numbers = OwnList::of(&parse_list(HOTLINE, Region::US).unwrap(), Some(&settings.pseudonyms));
    Settings { own_numbers, ..settings }
}

/// An event of an interaction, of whomever `who` says.
fn said(interaction: &str, who: Value) -> String {
    answered("acme", interaction, "answered", who)
}

/// What an event's blocks hold, by party.
pub(crate) fn opened(read: &Read, event: &Event) -> BTreeMap<&'static str, Value> {
    let entry = Entry::read(event.line.as_bytes()).unwrap();
    let place =
        Place { deployment: DEPLOYMENT, record: &read.records[event.adapted.record].key, event_id: &event.event_id };
    let open = |block: &ledgerline_ledger::entry::Block| {
        let id = &entry.key_ids[block.k];
        let drawn = event.keys.iter().map(|&at| &read.keys[at]).find(|drawn| drawn.key.id().as_str() == id).unwrap();
        let opened = ledgerline_sealed::open(block, id, &place, &drawn.key).unwrap();
        (block.p.as_str(), serde_json::from_str(opened.expose_for_owner()).unwrap())
    };
    assert_eq!(entry.sealed.len(), event.keys.len());
    entry.sealed.iter().map(open).collect()
}

fn raw_of(raw: &str) -> String {
    Hash::of_object(raw.as_bytes()).hex()
}

#[test]
fn each_set_of_customers_has_a_key_of_its_own_in_each_record() {
    let raws = [
        said("c-1", json!({"customerPhone": PHONE})),
        said("c-1", json!({"customerPhone": OTHER})),
        said("c-1", json!({"customerPhone": PHONE, "customerEmail": MAIL})),
        said("c-1", json!({"customerPhone": HOTLINE})),
        said("c-1", json!({})),
        // The same customers, spelled and said otherwise.
        said("c-1", json!({"customerPhone": "(555) 555-0142"})),
        said("c-1", json!({"customerEmail": MAIL, "customerPhone": PHONE, "note": 1})),
        // The company's own beside a customer.
        answered("acme", "c-1", "hold", json!({"customerPhone": PHONE, "customerEmail": MAIL})),
        said("c-2", json!({"customerPhone": PHONE})),
        said("c-2", json!({})),
    ];
    let read = read_with(&settings_with_hotline(), &raws);
    let keys: Vec<usize> = read.events.iter().map(|event| event.keys[0]).collect();
    assert_eq!(keys, [0, 1, 2, 3, 3, 0, 2, 2, 4, 5], "{:?}", read.keys);
    let owners: Vec<(&str, bool)> = read
        .keys
        .iter()
        .map(|drawn| (read.records[drawn.record].key.as_str(), matches!(drawn.owner, Owner::Customer(_))))
        .collect();
    let expected = [
        ("acme/c-1", true),
        ("acme/c-1", true),
        ("acme/c-1", true),
        ("acme/c-1", false),
        ("acme/c-2", true),
        ("acme/c-2", false),
    ];
    assert_eq!(owners, expected);
    let ids: BTreeSet<&str> = read.keys.iter().map(|drawn| drawn.key.id().as_str()).collect();
    assert_eq!(ids.len(), read.keys.len());
}

#[test]
fn a_block_holds_what_its_party_said_and_the_digest_of_the_event() {
    let raws = [
        said(
            "c-1",
            json!({"customerPhone": PHONE, "agentId": "agent-7", "unknownField": "q-7", "unknownText": "two words"}),
        ),
        said("c-2", json!({"customerPhone": HOTLINE, "unknownField": {"a/b": [1, true]}})),
    ];
    let read = read_with(&settings_with_hotline(), &raws);
    let [first, second] = [&read.events[0], &read.events[1]].map(|event| opened(&read, event));
    let customers = &first["customer"];
    assert_eq!((&customers["phone"], &customers["raw"]), (&json!(PHONE), &json!(raw_of(&raws[0]))));
    assert_eq!(customers["/detail/unknownField"], "q-7");
    assert!(!customers.to_string().contains("words") && !customers.to_string().contains("agent-7"));
    assert!(first["agent"].to_string().contains("agent-7"));
    assert!(first["agent"].get("raw").is_none() && !first.contains_key("joint"));
    // The company's own number is nobody's, and stands in the joint block under its kind.
    let joint = &second["joint"];
    assert_eq!((&joint["phone"], &joint["raw"]), (&json!(HOTLINE), &json!(raw_of(&raws[1]))));
    assert_eq!(
        (&joint["/detail/unknownField/a~1b/0"], &joint["/detail/unknownField/a~1b/1"]),
        (&json!(1), &json!(true))
    );
    assert!(!second.contains_key("customer"));
    // Nothing of it is in clear.
    for event in &read.events {
        let entry: Value = serde_json::from_str(&event.line).unwrap();
        assert!(!entry.to_string().contains("agent-7") && !entry.to_string().contains("q-7"));
        assert_eq!(entry["masked"], json!([]), "what is sealed is not masked");
    }
}

#[test]
fn what_is_repeated_filtered_or_refused_seals_nothing() {
    let call = said("c-1", json!({"customerPhone": PHONE}));
    let raws = [call.clone(), call, answered("acme", "c-2", "heartbeat", json!({"customerPhone": OTHER}))];
    let read = read_with(&settings(), &raws);
    assert_eq!((read.events.len(), read.repeated_lines.len(), read.filtered_lines.len()), (1, 1, 1));
    assert_eq!(read.keys.len(), 1);
}

#[test]
fn of_two_lines_of_one_event_the_first_is_the_event_whether_the_list_is_at_hand_or_not() {
    let said = |who: Value| {
        let mut said = json!({"eventId": "e-1", "interactionId": "c-1", "eventType": "answered", "mediaType": "VOICE",
            "timestamp": "2026-03-02T14:00:05Z"});
        said.as_object_mut().unwrap().extend(who.as_object().unwrap().clone());
        said.to_string()
    };
    let raws = [said(json!({"customerPhone": PHONE})), said(json!({"note": 1}))];
    let (settings, random) = (settings(), counting());
    let list = |org: &str| (org.to_owned(), Arc::default());
    for at_hand in [true, false] {
        let lists = at_hand.then(|| list("acme")).into_iter().collect();
        let mut reading = Reading::new(&settings, ObjectId::of(BUCKET, "bronze/a"), T0 + 60_000, lists, &random);
        reading.push(&lines(&raws)).unwrap();
        assert_eq!(reading.is_full(), !at_hand);
        let found = reading.wanted().orgs.iter().map(|org| list(org)).collect();
        reading.go_on(Found { lists: found, ..Found::default() });
        let read = reading.end().unwrap().finish(Found::default()).unwrap();
        assert_eq!((read.events.len(), read.repeated_lines.len()), (1, 1));
        assert_eq!((read.events[0].bronze_line, read.keys.len()), (0, 1));
        assert!(matches!(read.keys[0].owner, Owner::Customer(_)));
    }
}

/// Each wrapped key with its record, by id.
fn wrapped(world: &World) -> BTreeMap<String, (String, WrappedKey)> {
    let mut all = BTreeMap::new();
    for ((record, ..), row) in key_rows(world) {
        for (id, key) in row.keys {
            assert!(all.insert(id, (record.clone(), key)).is_none(), "one key in two rows");
        }
    }
    all
}

/// The keys that plans name, of which each is kept; and how many rows no plan names.
pub(crate) fn planned_and_orphans(world: &World) -> (BTreeSet<String>, usize) {
    let entries = world.check().entries;
    let named: BTreeSet<String> = entries.iter().flat_map(|entry| entry.key_ids.iter().cloned()).collect();
    let kept: BTreeSet<String> = wrapped(world).into_keys().collect();
    let missing: Vec<&String> = named.difference(&kept).collect();
    assert!(missing.is_empty(), "keys of a plan are nowhere: {missing:?}");
    let is_orphan = |row: &&KeyRow| row.keys.keys().all(|id| !named.contains(id));
    let orphans = key_rows(world).values().filter(is_orphan).count();
    (named, orphans)
}

#[tokio::test]
async fn a_row_says_whose_its_keys_are_and_since_when_they_seal() {
    let world = World::new();
    let later = said("c-1", json!({"customerPhone": PHONE})).replace("14:00:05", "14:00:25");
    let raws =
        [later, said("c-1", json!({"customerPhone": PHONE, "note": 1})), said("c-1", json!({"agentId": "agent-7"}))];
    settle(&world, "a", &raws).await;
    let rows = key_rows(&world);
    assert_eq!(rows.len(), 1);
    let row = rows.values().next().unwrap();
    assert_eq!((row.month.as_str(), row.enc.len()), (MONTH, 65));
    let by_party: BTreeMap<&str, &WrappedKey> = row.keys.values().map(|key| (key.party.as_str(), key)).collect();
    assert_eq!(by_party.len(), row.keys.len());
    assert_eq!(by_party["customer"].subjects.iter().cloned().collect::<Vec<_>>(), subjects(&world));
    assert_eq!(by_party["customer"].first, "2026-03-02T14:00:05.000Z");
    assert!(by_party["joint"].subjects.is_empty() && by_party["agent"].subjects.is_empty());
    assert_eq!(planned_and_orphans(&world).1, 0);
}

#[tokio::test]
async fn keys_are_kept_before_the_plan_each_record_in_one_write() {
    let world = World::new();
    world.bronze.seed(&key("a"), lines(&(0..20).map(|nth| event(nth, 1)).collect::<Vec<_>>()));
    world.settle(&[&key("a")]).await;
    let writes = world.faults.log();
    let plan = writes.iter().position(|write| write.ends_with(" staged")).unwrap();
    let kept: Vec<usize> = (0..writes.len()).filter(|&at| writes[at] == "dynamodb:TransactWriteItems").collect();
    assert_eq!((kept.len(), key_rows(&world).len()), (20, 20), "nobody is named, so no link is written");
    assert!(kept.iter().all(|&at| at < plan));
    // A message of what is planned draws nothing.
    let rows = world.keys.rows();
    world.settle(&[&key("a")]).await;
    assert_eq!(world.keys.rows(), rows);
}

#[tokio::test]
async fn without_the_months_key_nothing_is_resolved_and_the_message_comes_back() {
    let world = World::new();
    let months = world.control.tamper(|rows| rows.remove(&month_key::key(MONTH))).unwrap();
    world.bronze.seed(&key("a"), lines(&[call("c-1", PHONE)]));
    assert_eq!(world.deliver(&[&key("a")]).await, ["m0"]);
    assert!(world.keys.rows().is_empty() && world.staged.under("staged/").is_empty());
    // Sweep makes it a minute later.
    world.control.tamper(|rows| rows.insert(month_key::key(MONTH), months));
    world.settle(&[&key("a")]).await;
    assert_eq!(key_rows(&world).values().map(|row| row.month.clone()).collect::<Vec<_>>(), [MONTH]);
    planned_and_orphans(&world);
}

#[tokio::test]
async fn what_an_erasure_covers_has_no_block_and_its_time_is_no_keys_first() {
    let world = World::new();
    let later = call("c-1", PHONE).replace("14:00:05", "14:00:20");
    let raws = [call("c-1", PHONE), later, call("c-1", OTHER), call("c-2", PHONE)];
    plant(&world, &[call("c-9", PHONE)], T0 + 10_000).await;
    settle(&world, "a", &raws).await;
    let entries: BTreeMap<u64, Entry> =
        world.check().entries.into_iter().map(|entry| (entry.source.line, entry)).collect();
    for covered in [0, 3] {
        assert!(entries[&covered].key_ids.is_empty() && entries[&covered].sealed.is_empty());
    }
    let wrapped = wrapped(&world);
    let of = |line: u64| &wrapped[&entries[&line].key_ids[0]];
    assert_eq!((of(1).0.as_str(), of(1).1.first.as_str()), ("acme/c-1", "2026-03-02T14:00:20.000Z"));
    assert_eq!(of(2).1.first, "2026-03-02T14:00:05.000Z");
    assert_eq!(wrapped.len(), 2, "no key of what is covered is kept");
}

#[tokio::test]
async fn of_two_customers_in_one_record_each_is_erased_alone() {
    for (erased, left) in [(PHONE, OTHER), (OTHER, PHONE)] {
        let world = World::new();
        let raws = [call("c-1", PHONE), told("c-1", "ended", OTHER), said("c-1", json!({}))];
        settle(&world, "a", &raws).await;
        let before = wrapped(&world);
        erase(&world, &named_in(&[call("c-9", erased)]).await, RECEIVED).await;
        let after = wrapped(&world);
        assert_eq!((before.len(), after.len()), (3, 2));
        let staying = world.stores().subjects;
        let (org, name) = named_in(&[call("c-9", left)]).await.into_iter().next().unwrap();
        let staying = staying.identifiers(&[(&org, &name)]).await.unwrap().remove(0).unwrap().subject_id;
        assert!(after.values().any(|(_, key)| key.subjects.contains(&staying)));
        assert!(after.values().any(|(_, key)| key.party.as_str() == "joint"));
        world.check();
    }
}

#[tokio::test]
async fn two_runs_of_one_object_keep_the_keys_of_both_and_one_plan() {
    let raws = [call("c-1", PHONE), told("c-1", "ended", OTHER), call("c-2", OTHER)];
    let mut met = BTreeSet::new();
    for later in 0..80 {
        let world = World::new();
        world.bronze.seed(&key("a"), lines(&raws));
        let a = key("a");
        let one = [a.as_str()];
        let second = async {
            turns(later).await;
            world.settle(&one).await;
        };
        join(world.settle(&one), second).await;
        let (named, orphans) = planned_and_orphans(&world);
        assert_eq!(named.len(), 3);
        // A run keeps two rows, one of each record.
        let rows = key_rows(&world).len();
        assert!(orphans <= rows - 2, "after {later} turns: {orphans} of {rows} rows are of no plan");
        met.insert((rows > 2, orphans > 0));
    }
    assert!(met.contains(&(false, false)) && met.contains(&(true, true)), "{met:?}");
}

#[tokio::test]
async fn two_objects_of_one_record_at_once_keep_the_keys_of_both() {
    for later in 0..50 {
        let world = World::new();
        world.bronze.seed(&key("a"), lines(&[call("c-1", PHONE), told("c-1", "ended", OTHER)]));
        world.bronze.seed(&key("b"), lines(&[call("c-1", OTHER), said("c-1", json!({"customerEmail": MAIL}))]));
        let (a, b) = (key("a"), key("b"));
        let second = async {
            turns(later).await;
            world.settle(&[b.as_str()]).await;
        };
        join(world.settle(&[a.as_str()]), second).await;
        let (named, orphans) = planned_and_orphans(&world);
        assert_eq!((named.len(), orphans, key_rows(&world).len()), (4, 0, 2), "after {later} turns");
    }
}

#[tokio::test]
async fn whatever_write_fails_the_plans_keys_are_kept_and_no_row_but_of_a_run_that_died_is_left_over() {
    let raws = [call("c-1", PHONE), told("c-1", "ended", OTHER), call("c-2", OTHER)];
    let seeded = |faults: Faults| {
        let world = World::with(faults);
        world.bronze.seed(&key("a"), lines(&raws));
        world
    };
    let undisturbed = seeded(Faults::none());
    undisturbed.settle(&[&key("a")]).await;
    let (mut lost, mut left) = (0, 0);
    for (nth, write) in undisturbed.faults.log().iter().enumerate() {
        for fault in ALL_FAULTS {
            let case = format!("{write} (#{nth}) {fault:?}");
            let world = seeded(Faults::at(nth, fault));
            world.settle(&[&key("a")]).await;
            world.lake.grow_old();
            let (named, orphans) = planned_and_orphans(&world);
            assert_eq!(named.len(), 3, "{case}");
            assert!(orphans <= 2, "{case}: {orphans}");
            lost += usize::from(orphans == 1);
            left += usize::from(orphans == 2);
        }
    }
    assert!(lost > 0 && left > 0, "no run died between two rows, or before the plan");
}

#[tokio::test]
async fn a_row_that_may_be_there_is_never_kept_again() {
    let raws = [call("c-1", PHONE)];
    let seeded = |faults: Faults| {
        let world = World::with(faults);
        world.bronze.seed(&key("a"), lines(&raws));
        world
    };
    let undisturbed = seeded(Faults::none());
    undisturbed.settle(&[&key("a")]).await;
    let keep = undisturbed.faults.log().iter().rposition(|write| write == "dynamodb:TransactWriteItems").unwrap();
    let world = seeded(Faults::at(keep, Fault::PersistedButErrored));
    assert_eq!(world.deliver(&[&key("a")]).await, ["m0"]);
    let before = wrapped(&world);
    // An erasure finds it, and destroys it; it does not come back, which the fake would tell.
    destroy(&world, "acme/c-1", ledgerline_store::cutoff::Cutoff::At(RECEIVED), |_| true);
    assert!(before.len() == 1 && wrapped(&world).is_empty());
    world.lake.grow_old();
    world.settle(&[&key("a")]).await;
    let (named, orphans) = planned_and_orphans(&world);
    assert_eq!((named.len(), orphans, named.is_disjoint(&before.into_keys().collect())), (1, 0, true));
}

#[tokio::test]
async fn an_erasure_between_any_two_calls_leaves_no_destroyed_key_in_a_row() {
    let raws = [call("c-1", PHONE), told("c-1", "ended", OTHER), call("c-2", OTHER)];
    let whom = named_in(&[call("c-9", PHONE)]).await;
    let mut met = BTreeSet::new();
    for later in 0..100 {
        let world = World::new();
        world.bronze.seed(&key("a"), lines(&raws));
        let a = key("a");
        let one = [a.as_str()];
        let erasure = async {
            turns(later).await;
            let before = wrapped(&world).len();
            erase(&world, &whom, RECEIVED).await;
            (before, !world.staged.under("staged/").is_empty())
        };
        let ((), (before, planned)) = join(world.settle(&one), erasure).await;
        let entries = world.check().entries;
        let kept = wrapped(&world);
        let theirs = entries.iter().filter(|entry| entry.source.line == 0).flat_map(|entry| &entry.key_ids);
        let theirs: Vec<bool> = theirs.map(|id| kept.contains_key(id)).collect();
        // Covered, so that it has none; or destroyed. A run that had not asked yet, and found nobody linked, cannot have planned it.
        assert!(theirs.iter().all(|kept| !kept), "after {later} turns, of {before} keys, planned: {planned}");
        let others = entries.iter().filter(|entry| entry.source.line > 0).flat_map(|entry| &entry.key_ids);
        assert!(others.into_iter().all(|id| kept.contains_key(id)), "after {later} turns: somebody else's key is gone");
        met.insert((before > 0, !theirs.is_empty()));
    }
    assert!(met.is_superset(&BTreeSet::from([(false, false), (true, true)])), "{met:?}");
}

#[tokio::test]
async fn a_record_of_thousands_of_owners_has_its_keys_in_several_rows() {
    let world = World::new();
    let raws: Vec<String> =
        (0..1_800).map(|nth| said("c-1", json!({"customerEmail": format!("ada{nth}@example.com")}))).collect();
    world.bronze.seed(&key("a"), lines(&raws));
    world.settle(&[&key("a")]).await;
    let rows = key_rows(&world);
    assert_eq!((rows.len(), wrapped(&world).len()), (2, 1_800));
    assert!(rows.values().all(|row| row.bytes() <= KeyRow::BYTES_MAX));
    assert_eq!(planned_and_orphans(&world).1, 0);
}

#[tokio::test]
async fn the_ten_thousandth_object_of_a_record_costs_what_the_second_did() {
    let world = World::new();
    let mut before = 0;
    let mut cost = |world: &World| {
        let calls = world.calls.total();
        let of_one = calls - before;
        before = calls;
        of_one
    };
    let mut first = 0;
    for nth in 0..10_000 {
        // A claim holds an hour's events of a record: some 8,000 at most.
        let name = key(&format!("o-{nth}"));
        let raw = said("c-1", json!({"customerPhone": PHONE, "nth": nth}));
        world.bronze.seed(&name, lines(&[raw.replace("T14:00:05", &format!("T{:02}:00:05", 14 - nth / 1_000))]));
        assert!(world.deliver(&[&name]).await.is_empty());
        let of_one = cost(&world);
        match nth {
            1 => first = of_one,
            // The first of its hour widens the link.
            _ if nth % 1_000 == 0 => {}
            _ => assert_eq!(of_one, first, "object {nth}"),
        }
    }
    assert_eq!(key_rows(&world).len(), 10_000);
}
