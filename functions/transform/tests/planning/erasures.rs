//! What erasures left: lines that a tombstone or a record's cutoff covers are planned, name nobody, and are told of; who is gone is
//! somebody new.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::{join, join3};
use ledgerline_custody::own::parse_list;
use ledgerline_event::instant;
use ledgerline_lake::ObjectId;
use ledgerline_lake::silver::is_erased;
use ledgerline_privacy::{KeyRing, PseudonymKey, Region, SuppressionKey, SuppressionRing};
use ledgerline_sealed::{KeyRow, WrappedKey};
use ledgerline_store::cutoff::Cutoff;
use ledgerline_store::gone::Gone;
use ledgerline_store::party_key::RowName;
use ledgerline_store::subject::{identifier_key, parse_identifier_key, parse_link_key, parse_state_key, state_key};
use ledgerline_store::table::{IntoValue as _, Key, Row, to_row};
use ledgerline_store::tombstone::Tombs;
use ledgerline_store::{gone, party, party_key};
use ledgerline_testkit::faults::{ALL_FAULTS, Faults};
use ledgerline_testkit::table::item;
use parquet::file::reader::{FileReader as _, SerializedFileReader};
use parquet::record::Field;
use serde_json::json;

use crate::own::answered;
use crate::subjects::{links, subjects};
use crate::world::{BUCKET, T0, World, conversation_id, event, key, lines, settings, turns};

pub(crate) const PHONE: &str = "+15555550142";
/// When every line of these tests was received.
pub(crate) const RECEIVED: i64 = T0 + 30_000;
/// Until when tombstones live here: long after every test's clock.
pub(crate) const EXPIRES_S: i64 = T0 / 1_000 + 86_400;

/// Something of somebody's interaction, as the flat source tells it.
pub(crate) fn told(interaction: &str, kind: &str, phone: &str) -> String {
    json!({"interactionId": interaction, "eventType": kind, "timestamp": "2026-03-02T14:00:05Z", "mediaType": "VOICE",
        "customerPhone": phone})
    .to_string()
}

pub(crate) fn call(interaction: &str, phone: &str) -> String {
    told(interaction, "answered", phone)
}

/// An audit of a customer's identity, of a kind, at a second of 14:00.
pub(crate) fn identity(kind: &str, at: &str) -> String {
    let said = json!({"auditEvent": {"eventType": kind, "timestamp": format!("2026-03-02T14:00:{at}.000Z"),
        "interactionId": "i-1", "resolvedCustomerId": "cust_hash_0a1b2c3", "deletionReason": "RTBF_REQUEST", "status": "SUCCESS"}});
    said.to_string()
}

/// The pseudonyms of everybody whom these lines name, by org, as a world without erasures knows them.
pub(crate) async fn named_in(raws: &[String]) -> BTreeSet<(String, String)> {
    let world = World::new();
    world.bronze.seed(&key("a"), lines(raws));
    world.settle(&[&key("a")]).await;
    let own = |(org, pseudonym): (&str, &str)| (org.to_owned(), pseudonym.to_owned());
    world.keys.look(|rows| rows.keys().filter_map(parse_identifier_key).map(own).collect())
}

/// Plants the tombstones of everybody whom these lines name, as an erasure does, unseen by faults and counts.
pub(crate) async fn plant(world: &World, raws: &[String], cutoff_ms: i64) {
    plant_until(world, raws, cutoff_ms, EXPIRES_S).await;
}

async fn plant_until(world: &World, raws: &[String], cutoff_ms: i64, expires_at_s: i64) {
    let tombs = Tombs::new(world.others_control());
    for (org, pseudonym) in named_in(raws).await {
        tombs.put(&settings().suppression, &org, &pseudonym, cutoff_ms, expires_at_s).await.unwrap();
    }
}

pub(crate) async fn set_gone(world: &World, names: &[&str]) {
    Gone::new(world.others_control()).put(names).await.unwrap();
}

/// The rows of silver, by column; a column that is null is not there.
pub(crate) fn silver(world: &World) -> Vec<BTreeMap<String, String>> {
    let mut all = Vec::new();
    for (_, bytes) in world.lake.under("silver/") {
        let reader = SerializedFileReader::new(bytes).unwrap();
        all.extend(reader.get_row_iter(None).unwrap().map(|row| {
            let row = row.unwrap();
            let there = row.get_column_iter().filter(|(_, field)| !matches!(field, Field::Null));
            there.map(|(name, field)| (name.clone(), field.to_string())).collect()
        }));
    }
    all
}

pub(crate) fn is_erased_row(row: &BTreeMap<String, String>) -> bool {
    row["erased"] == "true"
}

/// How many rows of silver name a customer, and how many are an erased one's.
pub(crate) fn named_and_erased(world: &World) -> (usize, usize) {
    let rows = silver(world);
    let named = rows.iter().filter(|row| row.contains_key("customer_ref")).count();
    (named, rows.iter().filter(|row| is_erased_row(row)).count())
}

/// What the eraser is told of an object.
pub(crate) fn note(name: &str) -> String {
    let object = ObjectId::of(BUCKET, &key(name)).to_hex();
    json!({"v": 1, "kind": "suppressed", "bucket": BUCKET, "key": key(name), "object": object}).to_string()
}

pub(crate) async fn settle(world: &World, name: &str, raws: &[String]) {
    world.bronze.seed(&key(name), lines(raws));
    world.settle(&[&key(name)]).await;
    world.check();
}

#[tokio::test]
async fn what_a_tombstone_covers_is_planned_names_nobody_and_is_told_of_once() {
    let (world, without) = (World::new(), World::new());
    let (theirs, anothers) = ([call("c-1", PHONE), call("c-2", PHONE)], call("c-3", "+15555550143"));
    plant(&world, &theirs, RECEIVED).await;
    let raws = [&theirs[..], &[anothers]].concat();
    settle(&world, "a", &raws).await;
    settle(&without, "a", &raws).await;
    assert_eq!(world.check().counts, without.check().counts, "planned all the same");
    assert_eq!((subjects(&world).len(), links(&world).len()), (1, 1));
    assert_eq!(named_and_erased(&world), (1, 2));
    assert_eq!(world.erase_queue.bodies(), [note("a")]);
    assert!(without.erase_queue.bodies().is_empty());
    for (pseudonym, is_there) in [(named_in(&theirs).await, false), (named_in(&raws[2..]).await, true)] {
        let (_, pseudonym) = pseudonym.into_iter().next().unwrap();
        assert_eq!(world.everything_but_bronze().contains(&pseudonym), is_there);
    }
    // Their rows have nothing of a person; where, when and what stays.
    let (rows, whole) = (silver(&world), silver(&without));
    for (row, whole) in rows.iter().zip(&whole).filter(|(row, _)| is_erased_row(row)) {
        let from = row["lineage_from"].trim_matches('"');
        for (column, value) in whole.iter().filter(|(column, _)| *column != "erased") {
            assert_eq!(row.get(column), Some(value).filter(|_| !is_erased(column, from)), "{column}");
        }
        assert!(whole.contains_key("phone_ref") && whole.contains_key("lineage_provenance"));
        assert!(row.keys().all(|column| whole.contains_key(column)));
    }
    // Again: it is planned, and nothing is sent.
    world.settle(&[&key("a")]).await;
    assert_eq!(world.erase_queue.bodies().len(), 1);
}

#[tokio::test]
async fn a_cutoff_covers_what_occurred_or_was_received_by_then() {
    // The event occurred five seconds before it was received, or after: a source's clock.
    for (occurred, cutoff, covered) in [
        (RECEIVED - 5_000, RECEIVED - 5_001, false),
        (RECEIVED - 5_000, RECEIVED - 5_000, true),
        (RECEIVED + 5_000, RECEIVED - 1, false),
        (RECEIVED + 5_000, RECEIVED, true),
    ] {
        let world = World::new();
        let body = json!({"interactionId": "c-1", "eventType": "answered", "mediaType": "VOICE", "customerPhone": PHONE,
            "timestamp": instant::to_rfc3339(occurred)});
        let raws = [body.to_string()];
        plant(&world, &raws, cutoff).await;
        settle(&world, "a", &raws).await;
        let (named, erased) = named_and_erased(&world);
        assert_eq!((named, erased, subjects(&world).len()), (1 - erased, usize::from(covered), 1 - erased), "{cutoff}");
        assert_eq!(world.erase_queue.bodies().len(), erased);
    }
}

#[tokio::test]
async fn a_line_that_says_nowhere_when_it_came_came_as_early_as_its_sources_clock_allows() {
    let (started, two_days) = (T0 + 60_000, 2 * 86_400_000);
    let earliest = started + 5_000 - two_days;
    for (cutoff, covered) in [(earliest - 1, false), (earliest, true), (started, true)] {
        let world = World::new();
        let body = json!({"interactionId": "c-1", "eventType": "answered", "mediaType": "VOICE", "customerPhone": PHONE,
            "timestamp": instant::to_rfc3339(started + 5_000)});
        plant(&world, &[body.to_string()], cutoff).await;
        // Others loaded it, as it is.
        world.bronze.seed(&key("a"), format!("{body}\n"));
        world.settle(&[&key("a")]).await;
        assert_eq!(named_and_erased(&world).1, usize::from(covered), "{cutoff}");
    }
}

#[tokio::test]
async fn a_tombstone_that_has_expired_and_one_of_another_org_cover_nothing() {
    let world = World::new();
    let raws = [call("c-1", PHONE)];
    plant_until(&world, &raws, RECEIVED, T0 / 1_000).await;
    plant(&world, &[answered("beta", "c-1", "answered", json!({"customerPhone": PHONE}))], RECEIVED).await;
    settle(&world, "a", &raws).await;
    assert_eq!((named_and_erased(&world), world.erase_queue.bodies().len()), ((1, 0), 0));
}

#[tokio::test]
async fn the_companys_own_numbers_are_not_asked() {
    let mut world = World::new();
    let raws =
        [answered("acme", "c-1", "answered", json!({"customerPhone": PHONE, "customerEmail": "ada@example.com"}))];
    plant(&world, &[call("c-9", PHONE)], RECEIVED).await;
    world.own_numbers = parse_list(PHONE, Region::US).unwrap();
    settle(&world, "a", &raws).await;
    assert_eq!((named_and_erased(&world), world.erase_queue.bodies().len()), ((1, 0), 0));
}

#[tokio::test]
async fn a_records_cutoff_covers_all_of_its_lines_whomever_they_name() {
    for (cutoff, covered) in [(Cutoff::At(T0 + 999), 0), (Cutoff::At(RECEIVED), 4), (Cutoff::Closed, 4)] {
        let world = World::new();
        world.keys.erase_record(&format!("acme/{}", conversation_id(1)), Some(cutoff));
        let raws: Vec<String> = (0..4).map(|nth| event(1, nth)).chain([event(2, 0)]).collect();
        settle(&world, "a", &raws).await;
        assert_eq!(named_and_erased(&world).1, covered, "{cutoff:?}");
        assert_eq!(
            (subjects(&world).len(), world.erase_queue.bodies().len()),
            if covered > 0 { (1, 1) } else { (2, 0) }
        );
    }
}

#[tokio::test]
async fn filtered_and_repeated_lines_that_are_covered_make_nobody_and_are_told_of() {
    let beat = json!({"interactionId": "beat-1", "eventType": "heartbeat", "timestamp": "2026-03-02T14:00:00Z",
        "mediaType": "VOICE", "customerPhone": PHONE});
    let (beat, call) = (beat.to_string(), call("c-1", PHONE));
    // A filtered line.
    let world = World::new();
    plant(&world, std::slice::from_ref(&beat), RECEIVED).await;
    settle(&world, "a", &[beat]).await;
    assert_eq!((world.check().counts.filtered, subjects(&world).len()), (1, 0));
    assert_eq!(world.erase_queue.bodies(), [note("a")]);

    // An event that was planned before the erasure, and comes again.
    let world = World::new();
    settle(&world, "a", std::slice::from_ref(&call)).await;
    plant(&world, std::slice::from_ref(&call), RECEIVED).await;
    let before = (subjects(&world), links(&world));
    settle(&world, "b", std::slice::from_ref(&call)).await;
    assert_eq!((world.check().counts.duplicate, (subjects(&world), links(&world))), (1, before));
    assert_eq!(world.erase_queue.bodies(), [note("b")]);

    // An event that stands in its object twice.
    let world = World::new();
    plant(&world, std::slice::from_ref(&call), RECEIVED).await;
    settle(&world, "a", &[call.clone(), call]).await;
    assert_eq!((named_and_erased(&world), world.erase_queue.bodies().len()), ((0, 1), 1));
}

#[tokio::test]
async fn a_deletion_is_covered_by_any_cutoff() {
    let world = World::new();
    let (resolved, deletion) = (identity("IDENTITY_RESOLUTION", "20"), identity("DATA_DELETION", "25"));
    plant(&world, std::slice::from_ref(&resolved), T0).await;
    settle(&world, "a", &[resolved, deletion]).await;
    assert_eq!(named_and_erased(&world), (1, 1), "what came later is not covered, the deletion is");
    let (_, link) = links(&world).remove(0);
    assert_eq!(link["first"], link["last"]);
}

#[tokio::test]
async fn tombstones_are_asked_under_every_version_of_both_keys() {
    let raws = [call("c-1", PHONE)];
    let mut world = World::new();
    plant(&world, &raws, RECEIVED).await;
    // A pseudonym key that is newer than the erasure: the tombstone has the older version's pseudonym.
    world.pseudonyms = KeyRing::new([PseudonymKey::new(1, [1; 32]), PseudonymKey::new(2, [9; 32])]);
    settle(&world, "a", &raws).await;
    assert_eq!(named_and_erased(&world), (0, 1));
    let ring = SuppressionRing::new([SuppressionKey::new(1, [3; 32]), SuppressionKey::new(2, [4; 32])]).unwrap();
    let tombs = Tombs::new(world.others_control());
    let (org, pseudonym) = named_in(&raws).await.into_iter().next().unwrap();
    let read = tombs.read(&ring, &[(&org, &pseudonym)]).await.unwrap();
    assert_eq!(read[0].cutoff(T0), Some(Cutoff::At(RECEIVED)), "under one version is enough");
}

#[tokio::test]
async fn who_is_gone_is_somebody_new_and_who_is_being_erased_is_waited_for() {
    let world = World::new();
    settle(&world, "a", &[call("c-1", PHONE)]).await;
    let old = subjects(&world).remove(0);
    world.keys.set_state(&old, "erasing");
    let before = world.keys.rows();
    world.bronze.seed(&key("b"), lines(&[call("c-2", PHONE)]));
    assert_eq!(world.deliver(&[&key("b")]).await, ["m0"], "it comes back");
    assert_eq!(world.keys.rows(), before);
    assert!(world.staged.under("staged/").len() == 1, "nothing is planned that names nobody by chance");

    // The subject is gone; its rows are not yet.
    set_gone(&world, &[&old]).await;
    world.settle(&[&key("b")]).await;
    world.check();
    assert_eq!((subjects(&world).len(), named_and_erased(&world)), (2, (2, 0)));
    let (org, pseudonym) = named_in(&[call("c-2", PHONE)]).await.into_iter().next().unwrap();
    let named = world.stores().subjects.identifiers(&[(&org, &pseudonym)]).await.unwrap().remove(0).unwrap();
    assert_ne!(named.subject_id, old);
    let of_old = |(key, _): &&(Key, _)| parse_link_key(key).is_some_and(|(of, _)| of == old);
    assert_eq!(links(&world).iter().filter(of_old).count(), 1, "nothing is written for who is gone");

    // With its rows gone, too, the next is somebody new again.
    set_gone(&world, &[&named.subject_id]).await;
    world.keys.tamper(|rows| rows.remove(&identifier_key(&org, &pseudonym)));
    settle(&world, "c", &[call("c-3", PHONE)]).await;
    assert_eq!(subjects(&world).len(), 3);
}

/// Erases everybody whom the lines name at once, as the eraser does step by step: tombstones, then who is gone, rows, records. Gives
/// the records that they took part in.
pub(crate) async fn erase(world: &World, whom: &BTreeSet<(String, String)>, cutoff_ms: i64) -> BTreeSet<String> {
    let tombs = Tombs::new(world.others_control());
    for (org, pseudonym) in whom {
        tombs.put(&settings().suppression, org, pseudonym, cutoff_ms, EXPIRES_S).await.unwrap();
    }
    let mut reached = BTreeSet::new();
    let found: Vec<(String, String, String)> = world.keys.look(|rows| {
        let theirs = rows.iter().filter_map(|(key, row)| Some((parse_identifier_key(key)?, row)));
        let theirs = theirs.filter(|((org, name), _)| whom.contains(&((*org).to_owned(), (*name).to_owned())));
        let subject = |row| item(row)["subjectId"].as_str().unwrap().to_owned();
        theirs.map(|((org, name), row)| (org.to_owned(), name.to_owned(), subject(row))).collect()
    });
    for (org, pseudonym, subject) in found {
        set_gone(world, &[&subject]).await;
        let links: Vec<String> = world.keys.look(|rows| {
            let links = rows.keys().filter_map(parse_link_key).filter(|(of, _)| *of == subject);
            links.map(|(_, record)| record.to_owned()).collect()
        });
        for record in &links {
            assert!(world.keys.party(record).subjects.contains(&subject), "{record} does not name who is linked to it");
            world.keys.erase_record(record, None);
            destroy(world, record, Cutoff::At(cutoff_ms), |key| key.subjects.contains(&subject));
            take_out(world, record, &BTreeSet::from([subject.clone()]));
        }
        reached.extend(links);
        world.keys.tamper(|rows| {
            rows.remove(&state_key(&subject));
            rows.remove(&identifier_key(&org, &pseudonym));
        });
    }
    reached
}

/// Takes subjects out of a record, and their links to it away.
fn take_out(world: &World, record: &str, subjects: &BTreeSet<String>) {
    let left = world.keys.party(record).subjects.difference(subjects).cloned().collect::<BTreeSet<_>>();
    world.keys.change(&party::key(record), |row| match left.is_empty() {
        true => drop(row.remove("subjects")),
        false => drop(row.insert("subjects".to_owned(), (&left).into_value())),
    });
    let is_theirs = |(of, at): (&str, &str)| at == record && subjects.contains(of);
    world.keys.tamper(|rows| rows.retain(|key, _| !parse_link_key(key).is_some_and(is_theirs)));
}

/// Erases a whole record at once, as the eraser does, and finds whom it names by its row alone; gives them.
pub(crate) fn erase_whole(world: &World, record: &str, cutoff: Cutoff) -> BTreeSet<String> {
    let subjects = world.keys.party(record).subjects;
    world.keys.erase_record(record, Some(cutoff));
    destroy(world, record, cutoff, |_| true);
    take_out(world, record, &subjects);
    subjects
}

/// Destroys those of a record's keys that sealed something up to the cutoff: says that they are gone, and takes them out of their rows.
pub(crate) fn destroy(world: &World, record: &str, cutoff: Cutoff, goes: impl Fn(&WrappedKey) -> bool) {
    let is_covered = |key: &WrappedKey| {
        let first = instant::parse(&key.first).unwrap();
        cutoff.covers(first, first)
    };
    for (name, row) in key_rows(world) {
        let gone = row.keys.iter().filter(|(_, key)| is_covered(key) && goes(key)).map(|(id, _)| id.clone());
        let gone: BTreeSet<String> = gone.collect();
        let name = RowName { record: &name.0, object: &name.1, run: &name.2 };
        if name.record != record || gone.is_empty() {
            continue;
        }
        world.control.tamper(|rows| rows.extend(gone.iter().map(|id| (gone::key(id), Row::new()))));
        let left = KeyRow { keys: row.keys.into_iter().filter(|(id, _)| !gone.contains(id)).collect(), ..row };
        world.keys.tamper(|rows| match left.keys.is_empty() {
            true => rows.remove(&party_key::key(name)),
            false => rows.insert(party_key::key(name), to_row("", &left).unwrap()),
        });
    }
}

/// The rows of wrapped keys, by record, object and run.
pub(crate) fn key_rows(world: &World) -> BTreeMap<(String, String, String), KeyRow> {
    let read = |(key, row): (&Key, &Row)| {
        let RowName { record, object, run } = party_key::parse_key(key)?;
        Some(((record.to_owned(), object.to_owned(), run.to_owned()), party_key::read(row.clone()).unwrap()))
    };
    world.keys.look(|rows| rows.iter().filter_map(read).collect())
}

/// What holds after an erasure of everybody in the middle of runs.
fn check_nobody_is_left(world: &World, case: &str) {
    world.check();
    let left: Vec<_> = world.keys.look(|rows| {
        let is_persons = |key: &&Key| {
            parse_identifier_key(key).is_some() || parse_state_key(key).is_some() || parse_link_key(key).is_some()
        };
        rows.keys().filter(is_persons).cloned().collect()
    });
    assert!(left.is_empty(), "{case}: {left:?}");
    let parties = ["acme/c-1", "acme/c-2"].map(|record| world.keys.party(record).subjects.len());
    assert_eq!(parties, [0, 0], "{case}: who was erased takes part again");
}

#[tokio::test]
async fn an_erasure_between_any_two_calls_of_a_run_leaves_nobody() {
    // The two are linked to the one record one after the other.
    let raws = [call("c-1", PHONE), told("c-1", "ended", "+15555550143"), call("c-2", "+15555550143")];
    let whom = named_in(&raws).await;
    let mut met = BTreeSet::new();
    for later in 0..120 {
        let world = World::new();
        world.bronze.seed(&key("a"), lines(&raws));
        let a = key("a");
        let a = [a.as_str()];
        let erasure = async {
            turns(later).await;
            let planned = !world.staged.under("staged/").is_empty();
            (erase(&world, &whom, RECEIVED).await, planned)
        };
        let ((), (reached, planned)) = join(world.settle(&a), erasure).await;
        let case = format!("after {later} turns, reached: {reached:?}, planned: {planned}");
        check_nobody_is_left(&world, &case);
        // Whom the erasure found in a record, silver may name there: the eraser waits for such an object's plan.
        let rows = silver(&world);
        let named = rows.iter().filter(|row| row.contains_key("customer_ref"));
        let named: BTreeSet<String> =
            named.map(|row| format!("acme/{}", row["interaction_id"].trim_matches('"'))).collect();
        assert!(planned || named.is_subset(&reached), "{case}: silver names somebody in {named:?}");
        let (named_rows, erased) = named_and_erased(&world);
        assert_eq!(named_rows + erased, 3, "{case}");
        met.insert((reached.len(), named.len()));
    }
    assert!(met.is_superset(&BTreeSet::from([(0, 0), (1, 0), (2, 2)])), "{met:?}");
}

#[tokio::test]
async fn an_identifier_that_was_never_seen_races_its_tombstone() {
    let raws = [call("c-1", PHONE)];
    let whom = named_in(&raws).await;
    let (mut before, mut after) = (0, 0);
    for later in 0..60 {
        let world = World::new();
        world.bronze.seed(&key("a"), lines(&raws));
        let a = key("a");
        let a = [a.as_str()];
        let planting = async {
            turns(later).await;
            let tombs = Tombs::new(world.others_control());
            let (org, pseudonym) = whom.iter().next().unwrap();
            tombs.put(&settings().suppression, org, pseudonym, RECEIVED, EXPIRES_S).await.unwrap();
            !subjects(&world).is_empty()
        };
        let ((), existed) = join(world.settle(&a), planting).await;
        assert_eq!(subjects(&world).len(), usize::from(existed), "after {later} turns: a subject beside its tombstone");
        before += usize::from(!existed);
        after += usize::from(existed);
        world.check();
    }
    assert!(before > 0 && after > 0);
}

#[tokio::test]
async fn an_erasure_in_the_midst_of_two_writers_leaves_nobody() {
    let (one, other) = ([call("c-1", PHONE), call("c-2", PHONE)], [call("c-1", PHONE), told("c-2", "ended", PHONE)]);
    let whom = named_in(&one).await;
    for later in 0..80 {
        let world = World::new();
        world.bronze.seed(&key("a"), lines(&one));
        world.bronze.seed(&key("b"), lines(&other));
        let (a, b) = (key("a"), key("b"));
        let (a, b) = ([a.as_str()], [b.as_str()]);
        let erasure = async {
            turns(later).await;
            erase(&world, &whom, RECEIVED).await
        };
        join3(world.settle(&a), world.settle(&b), erasure).await;
        check_nobody_is_left(&world, &format!("after {later} turns"));
    }
}

#[tokio::test]
async fn whatever_write_fails_what_is_covered_names_nobody_and_is_told_of_before_the_plan() {
    let beat = json!({"interactionId": "beat-1", "eventType": "heartbeat", "timestamp": "2026-03-02T14:00:00Z",
        "mediaType": "VOICE", "customerPhone": PHONE});
    let raws = [call("c-1", PHONE), beat.to_string(), call("c-2", "+15555550143"), call("c-1", "+15555550143")];
    let seed = async |world: &World| {
        plant(world, &raws[..2], RECEIVED).await;
        world.bronze.seed(&key("a"), lines(&raws));
    };
    let undisturbed = World::new();
    seed(&undisturbed).await;
    undisturbed.settle(&[&key("a")]).await;
    let writes = undisturbed.faults.log();
    let told = writes.iter().position(|write| write == "sqs:SendMessage").unwrap();
    let planned = writes.iter().position(|write| write.ends_with(" staged")).unwrap();
    assert!(told < planned, "{writes:?}");
    for (nth, write) in writes.iter().enumerate() {
        for fault in ALL_FAULTS {
            for twice in [false, true] {
                let case = format!("{write} (#{nth}) {fault:?}, twice: {twice}");
                let world = World::with(Faults::at(nth, fault));
                seed(&world).await;
                let a = key("a");
                let a = [a.as_str()];
                world.deliver(&a).await;
                if twice {
                    tokio::join!(world.deliver(&a), world.deliver(&a));
                }
                world.settle(&a).await;
                assert_eq!(world.check().counts.planned, 3, "{case}");
                assert_eq!(
                    (named_and_erased(&world), subjects(&world).len(), links(&world).len()),
                    ((2, 1), 1, 2),
                    "{case}"
                );
                let notes = world.erase_queue.bodies();
                assert!(!notes.is_empty() && notes.iter().all(|body| *body == note("a")), "{case}: {notes:?}");
            }
        }
    }
}
