//! Sources' lineage tokens: one that two records have is in no later entry, so that it joins nobody to anybody.

use std::collections::{BTreeMap, BTreeSet};

use ledgerline_event::lineage::derived_token;
use ledgerline_ledger::entry::MAX_LINE_BYTES;
use ledgerline_privacy::{Identifier, Kind, PseudonymKey, Region};
use ledgerline_store::token;
use ledgerline_testkit::faults::{ALL_FAULTS, Faults};
use ledgerline_transform::tokens::is_replaceable;
use parquet::file::reader::{FileReader as _, SerializedFileReader};
use serde_json::{Value, json};

use crate::cases::flat;
use crate::faults::{Then, begin};
use crate::world::{T0, World, key, lines, turns};

const TOKEN: &str = "lt-98765";

/// The n-th event, of interaction `c-<n>`, or of another.
fn event(n: u32, more: Value) -> String {
    let mut members = json!({"timestamp": T0 + i64::from(n), "customFields": {"lineageToken": TOKEN}});
    members.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    flat(n, members)
}

async fn deliver(world: &World, name: &str, raws: &[String]) {
    world.bronze.seed(&key(name), lines(raws));
    world.settle(&[&key(name)]).await;
}

/// The records that have a token, by token.
fn rows(world: &World) -> BTreeMap<String, BTreeSet<String>> {
    world.index.look(|rows| {
        let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (token, record) in rows.keys().filter_map(token::parse_key) {
            found.entry(token.to_owned()).or_default().insert(record.to_owned());
        }
        found
    })
}

/// The tokens of the entries, by event: the n-th millisecond.
fn planned(world: &World) -> BTreeMap<String, String> {
    let entries = world.check().entries.into_iter();
    entries.map(|entry| (entry.occurred_at[20..23].to_owned(), entry.lineage_token)).collect()
}

/// What silver says of each event: its token, where that is from, and the derived one.
fn silver(world: &World) -> BTreeMap<String, (String, String, Option<String>)> {
    let mut found = BTreeMap::new();
    for (_, bytes) in world.lake.under("silver/") {
        for row in SerializedFileReader::new(bytes).unwrap().get_row_iter(None).unwrap() {
            let row = row.unwrap();
            let of = |name: &str| row.get_column_iter().find(|(column, _)| *column == name).unwrap().1.to_string();
            let text = |name: &str| of(name).trim_matches('"').to_owned();
            let derived = Some(text("lineage_derived")).filter(|token| token != "null");
            found.insert(text("interaction_id"), (text("lineage_token"), text("lineage_from"), derived));
        }
    }
    found
}

fn texts<const N: usize>(pairs: [(&str, &str); N]) -> BTreeMap<String, String> {
    pairs.into_iter().map(|(left, right)| (left.to_owned(), right.to_owned())).collect()
}

#[tokio::test]
async fn a_token_of_one_record_stays_and_is_noted() {
    let world = World::new();
    deliver(&world, "a", &[event(1, json!({})), event(2, json!({"interactionId": "c-1"}))]).await;
    deliver(&world, "b", &[event(3, json!({"interactionId": "c-1"}))]).await;
    assert_eq!(planned(&world), texts([("001", TOKEN), ("002", TOKEN), ("003", TOKEN)]));
    let record = BTreeSet::from(["acme/c-1".to_owned()]);
    let both = [(TOKEN.to_owned(), record.clone()), (derived_token("c-1"), record)];
    assert_eq!(rows(&world), BTreeMap::from(both), "its own, and the one that is derived from its id");
    assert_eq!(silver(&world)["c-1"], (TOKEN.to_owned(), "source".to_owned(), None));
}

#[tokio::test]
async fn a_refused_token_is_not_noted_and_the_derived_one_is() {
    let world = World::new();
    let without = event(1, json!({"customFields": {}}));
    deliver(&world, "a", &[without, event(2, json!({"customFields": {"lineageToken": "Jane Doe"}}))]).await;
    assert_eq!(planned(&world), texts([("001", &derived_token("c-1")), ("002", &derived_token("c-2"))]));
    let noted = ["c-1", "c-2"].map(|id| (derived_token(id), BTreeSet::from([format!("acme/{id}")])));
    assert_eq!(rows(&world), BTreeMap::from(noted));
}

/// A record that is pinned has its row, whatever write was lost (`check_index`): what comes of it later writes none.
#[tokio::test]
async fn the_derived_token_is_noted_once() {
    let world = World::new();
    deliver(&world, "a", &[event(1, json!({"customFields": {}}))]).await;
    let writes = world.faults.log();
    deliver(&world, "b", &[event(2, json!({"interactionId": "c-1", "customFields": {}}))]).await;
    let batches = |writes: &[String]| writes.iter().filter(|write| write.contains("BatchWriteItem")).count();
    assert_eq!((batches(&writes), batches(&world.faults.log())), (2, 3), "the second object notes its lines alone");
}

#[tokio::test]
async fn a_token_that_a_second_record_brings_is_shared_from_then_on_for_both() {
    for (first, second) in [(1, 2), (2, 1)] {
        let world = World::new();
        deliver(&world, "a", &[event(first, json!({}))]).await;
        deliver(&world, "b", &[event(second, json!({}))]).await;
        let (kept, replaced) = (format!("c-{first}"), format!("c-{second}"));
        deliver(&world, "c", &[event(3, json!({"interactionId": kept}))]).await;
        let (kept_at, replaced_at) = (format!("00{first}"), format!("00{second}"));
        let (of_second, of_first) = (derived_token(&replaced), derived_token(&kept));
        let expected = texts([(&*kept_at, TOKEN), (&*replaced_at, &of_second), ("003", &of_first)]);
        assert_eq!(planned(&world), expected, "an earlier entry keeps the token it was written with");
        assert_eq!(silver(&world)[&replaced], (TOKEN.to_owned(), "shared".to_owned(), Some(of_second)));
        assert_eq!(rows(&world)[TOKEN].len(), 2);
    }
}

#[tokio::test]
async fn a_token_of_two_records_in_one_object_is_neithers_whatever_their_orgs() {
    let world = World::new();
    let other = event(2, json!({"interactionId": "c-1", "orgId": "beta"}));
    deliver(&world, "a", &[event(1, json!({})), other]).await;
    let records = rows(&world).remove(TOKEN).unwrap();
    assert_eq!(records.len(), 2, "{records:?}");
    assert!(planned(&world).values().all(|token| *token == derived_token("c-1")), "derived from the record's id");
}

#[tokio::test]
async fn of_two_records_at_once_one_at_most_keeps_the_token() {
    let mut kept = BTreeSet::new();
    for later in 0..60 {
        let world = World::new();
        world.bronze.seed(&key("a"), lines(&[event(1, json!({}))]));
        world.bronze.seed(&key("b"), lines(&[event(2, json!({}))]));
        let (a, b) = (key("a"), key("b"));
        let (first, second) = ([a.as_str()], [b.as_str()]);
        let other = async {
            turns(later).await;
            world.deliver(&second).await
        };
        let (one, two) = tokio::join!(world.deliver(&first), other);
        assert!(one.is_empty() && two.is_empty(), "{later}");
        let with_token = planned(&world).values().filter(|token| *token == TOKEN).count();
        assert!(with_token <= 1, "{later}: both records' entries have the token");
        assert_eq!(rows(&world)[TOKEN].len(), 2, "{later}");
        kept.insert(with_token);
    }
    assert_eq!(kept, BTreeSet::from([0, 1]));
}

#[tokio::test]
async fn a_token_that_a_hundred_others_have_gets_no_row_more() {
    for (others, noted) in [(99, true), (100, false), (150, false)] {
        let world = World::new();
        world.index.tamper(|rows| {
            for n in 0..others {
                rows.insert(token::key(TOKEN, &format!("acme/b-{n:03}")), Default::default());
            }
        });
        deliver(&world, "a", &[event(1, json!({}))]).await;
        assert_eq!(planned(&world), texts([("001", &derived_token("c-1"))]), "{others}");
        assert_eq!(rows(&world)[TOKEN].contains("acme/c-1"), noted, "{others}");
    }
    // Many records of one object: as many rows as tell, and no more.
    let world = World::new();
    let raws: Vec<String> = (1..=150).map(|n| event(n, json!({}))).collect();
    deliver(&world, "a", &raws).await;
    assert_eq!(rows(&world)[TOKEN].len(), 100);
    let batches = world.faults.log().iter().filter(|write| write.contains("BatchWriteItem")).count();
    assert_eq!(batches, 6 + 6 + 4, "150 derived tokens, 150 rows of records and 100 of the token");
    assert!(planned(&world).values().all(|token| token != TOKEN));
}

#[tokio::test]
async fn an_event_that_an_erasure_covers_is_planned_with_the_derived_token_and_notes_none() {
    let world = World::new();
    let phone = Identifier::parse(Kind::Phone, "+15555550142", Region::US).unwrap();
    let pseudonym = PseudonymKey::new(1, [1; 32]).pseudonym(&phone);
    world.plant("acme", pseudonym.as_str(), T0 + 60_000, T0 + 86_400_000);
    deliver(&world, "a", &[event(1, json!({"customerPhone": "+15555550142"})), event(2, json!({}))]).await;
    assert_eq!(rows(&world)[TOKEN], BTreeSet::from(["acme/c-2".to_owned()]));
    // The other's line has the token alone; what is covered does not make it shared.
    assert_eq!(planned(&world), texts([("001", &derived_token("c-1")), ("002", TOKEN)]));
    let nothing = "null".to_owned();
    assert_eq!(silver(&world)["c-1"], (nothing, "shared".to_owned(), Some(derived_token("c-1"))));
    assert_eq!(silver(&world)["c-2"], (TOKEN.to_owned(), "source".to_owned(), None));
}

#[test]
fn a_line_is_too_long_only_if_it_is_so_with_the_derived_token() {
    let line = |bytes: usize| "a".repeat(bytes);
    for token in
        ["lt-98765", "bd86e063-8107-5582-8732-b94e6fbe5587", "a-token-that-is-longer-than-what-takes-its-place"]
    {
        let longest = MAX_LINE_BYTES + token.len() - 36;
        assert!(is_replaceable(&line(longest), token) && !is_replaceable(&line(longest + 1), token), "{token}");
    }
}

#[tokio::test]
async fn every_write_lost_or_persisted_but_errored_leaves_the_token_to_one_record_at_most() {
    let (a, b) = (key("a"), key("b"));
    let seed = |world: &World| {
        world.bronze.seed(&a, lines(&[event(1, json!({})), event(2, json!({"interactionId": "c-1"}))]));
        world.bronze.seed(&b, lines(&[event(3, json!({}))]));
    };
    let world = World::new();
    seed(&world);
    world.settle(&[&a]).await;
    let writes = world.faults.log();
    for (nth, write) in writes.iter().enumerate() {
        for fault in ALL_FAULTS {
            for then in Then::ALL {
                let case = format!("{write} (#{nth}) {fault:?}, then {then:?}");
                let world = World::with(Faults::at(nth, fault));
                seed(&world);
                begin(&world, then, [&a, &b]).await;
                // Silver of a run that died says what was true before the other came.
                world.lake.grow_old();
                world.settle(&[&a]).await;
                world.settle(&[&b]).await;
                assert_eq!(world.faults.struck(), 1, "{case}");
                assert_eq!(rows(&world)[TOKEN], BTreeSet::from(["acme/c-1", "acme/c-3"].map(str::to_owned)), "{case}");
                let planned = planned(&world);
                assert_eq!(planned["001"], planned["002"], "{case}: one object, one answer");
                assert!(planned["001"] != TOKEN || planned["003"] != TOKEN, "{case}");
            }
        }
    }
}
