//! What the ledger says of an erasure, and the certificate: at once and pooled, of held and of kept records, of one with thousands of keys.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ledgerline_lake::ObjectId;
use ledgerline_lake::keys::{PlanOf, staged};
use ledgerline_ledger::entry::{Entry, Party};
use ledgerline_privacy::Kind;
use ledgerline_sealed::{KeyRow, WrappedKey};
use ledgerline_store::package::{Form, certificate_key};
use ledgerline_store::party_key::{self, RowName};
use ledgerline_store::request::State;
use ledgerline_store::table::to_row;
use ledgerline_store::{object_row, party};
use serde_json::Value;

use crate::steps::filled;
use crate::traffic::{ADA, BOB, DAY, Person, T0, call, nobody};
use crate::world::{Asking, World};

fn records(world: &World) -> Vec<String> {
    let mut records: Vec<String> = world.deletions().into_iter().map(|(record, _)| record).collect();
    records.sort();
    records
}

#[tokio::test(start_paused = true)]
async fn the_ledger_says_of_each_record_that_it_was_erased_and_not_whose_it_was() {
    let world = filled().await;
    let needles = world.needles(ADA).await;
    let id = world.erase(Asking { given: Some("cust_hash_9f86d08"), ..Asking::whole(ADA) }).await;
    let acts = world.deletions();
    assert_eq!(acts.len(), 4);
    for (record, act) in &acts {
        assert_eq!((act.occurred_at.as_str(), act.sealed.len()), ("2026-03-03T00:00:00.000Z", 0), "{record}");
        let words: Vec<&String> = act.fields.keys().collect();
        assert_eq!(words, ["deletion_reason", "status"]);
        let is_own_log = acts.iter().filter(|(other, _)| other == record).count() == 1;
        assert!(is_own_log && act.key_ids.is_sorted(), "{record}");
    }
    let file = world.certificate(&id);
    let body = &file.body;
    assert_eq!((body.counts.records, body.counts.deletions, body.counts.held, body.counts.kept), (4, 4, 0, 0));
    assert_eq!((body.counts.lines, body.counts.objects, body.counts.pooled), (6, 2, 1));
    assert_eq!((&body.request.request_id, body.request.orgs.as_slice()), (&id, &["acme".to_owned()][..]));
    assert_eq!(body.read_back.records, 4);
    for one in &body.deletions {
        let audit = &one.guide["auditEvent"];
        assert_eq!(
            (&audit["resolvedCustomerId"], &audit["requestId"]),
            (&Value::from("cust_hash_9f86d08"), &Value::from(&*id))
        );
    }
    assert!(
        body.remains.iter().any(|one| one.kind == "tombstones")
            && body.remains.iter().all(|one| one.kind != "held records")
    );
    // It joins the records; it names nobody by what was found, and what was typed is in it alone.
    assert_eq!(world.places_of(&needles), Vec::<String>::new());
    let places = world.places_of(&["cust_hash_9f86d08".to_owned()]);
    assert!(places.iter().all(|place| place.contains("packages/")) && !places.is_empty(), "{places:?}");
    let page = world.staged.under(&certificate_key(&id, Form::Html));
    let page = String::from_utf8(page.values().next().unwrap().to_vec()).unwrap();
    assert!(page.contains("4 interactions were erased") && page.contains(&body.certificate));
}

#[tokio::test(start_paused = true)]
async fn of_two_orgs_each_has_the_act_of_the_certificate_and_its_own_deletions() {
    let world = filled().await;
    world.fill("c", &[crate::traffic::call_in("beta", "c-6", ADA, T0 + 10_000)]).await;
    let id = world.erase(Asking { orgs: vec!["acme", "beta"], ..Asking::whole(ADA) }).await;
    let file = world.certificate(&id);
    let logs: Vec<&str> = file.body.logs.iter().map(|log| log.log.as_str()).collect();
    assert_eq!(logs, ["acme/entity/1/0", "acme/interaction/1/0", "beta/interaction/1/0"]);
    assert_eq!(world.acts("ERASURE_CERTIFIED"), ["acme/request/1/0", "beta/request/1/0"]);
    assert_eq!((file.certified.len(), file.body.counts.deletions), (2, 5));
}

#[tokio::test(start_paused = true)]
async fn a_held_record_is_named_and_has_its_own_act_when_the_hold_is_lifted() {
    for times in [1, 2] {
        let world = filled().await;
        world.hold("acme/c-1").await;
        let id = world.erase(Asking::whole(ADA)).await;
        assert!(!records(&world).contains(&"acme/c-1".to_owned()));
        let body = world.certificate(&id).body;
        assert_eq!((body.held, body.counts.deletions, body.counts.records), (vec!["acme/c-1".to_owned()], 3, 4));
        assert!(body.remains.iter().any(|one| one.kind == "held records"));
        let purposes = |world: &World| -> BTreeSet<String> {
            world.deletions().into_iter().map(|(_, act)| act.source.object).collect()
        };
        let before = purposes(&world);
        world.lift("acme/c-1").await;
        for _ in 0..times {
            assert!(world.invoke(r#"{"v":1,"kind":"released","record":"acme/c-1"}"#, 1).await);
        }
        world.finish(&[]).await;
        let all = records(&world);
        assert_eq!(all.iter().filter(|record| *record == "acme/c-1").count(), 1, "{all:?}");
        assert_eq!(purposes(&world).difference(&before).count(), 1);
        assert!(!world.deletions().iter().find(|(record, _)| record == "acme/c-1").unwrap().1.key_ids.is_empty());
        assert_eq!(world.keys.party("acme/c-1").pending_act, None);
    }
}

#[tokio::test(start_paused = true)]
async fn a_listed_record_of_somebody_elses_is_kept_and_has_no_act() {
    let world = World::new().await;
    world.fill("a", &[nobody("c-1", T0), call("c-2", BOB, T0 + 1_000)]).await;
    let id = world.erase(Asking::listed(&["c-1", "c-2"])).await;
    assert_eq!(records(&world), ["acme/c-1"]);
    let body = world.certificate(&id).body;
    assert_eq!((body.kept, body.counts.records), (vec!["acme/c-2".to_owned()], 2));
}

#[tokio::test(start_paused = true)]
async fn who_was_never_seen_has_a_certificate_that_says_so() {
    let world = filled().await;
    let id = world.erase(Asking::whole(Person(77))).await;
    let body = world.certificate(&id).body;
    assert_eq!((body.counts.records, body.deletions.len(), body.logs.len()), (0, 0, 0));
    assert!(world.deletions().is_empty());
}

#[tokio::test(start_paused = true)]
async fn keys_beyond_four_thousand_are_told_of_by_further_acts() {
    let world = filled().await;
    let subject = world.subject("acme", ADA, Kind::Phone).await.unwrap().subject_id;
    let mut all = BTreeSet::new();
    for run in 0..3_u32 {
        let key = |n: u32| {
            let mut id = [0; 32];
            id[..8].copy_from_slice(&(u64::from(run) << 32 | u64::from(n)).to_be_bytes());
            let (subjects, first) = (BTreeSet::from([subject.clone()]), "2026-03-02T14:00:00.000Z".to_owned());
            let wrapped = WrappedKey { party: Party::Customer, subjects, first, wrapped: vec![1; 48].into() };
            (URL_SAFE_NO_PAD.encode(id), wrapped)
        };
        let keys: BTreeMap<String, WrappedKey> = (0..1_500).map(key).collect();
        all.extend(keys.keys().cloned());
        let row = KeyRow { month: "2026-03".to_owned(), enc: vec![4; 65].into(), keys };
        let name = RowName { record: "acme/c-1", object: &"0".repeat(32), run: &format!("{run:08x}") };
        world.keys.tamper(|rows| rows.insert(party_key::key(name), to_row("", &row).unwrap()));
    }
    let id = world.erase(Asking::whole(ADA)).await;
    let acts: Vec<Entry> =
        world.deletions().into_iter().filter(|(record, _)| record == "acme/c-1").map(|(_, act)| act).collect();
    let told: BTreeSet<String> = acts.iter().flat_map(|act| act.key_ids.iter().cloned()).collect();
    assert_eq!(acts.len(), 2);
    assert!(acts.iter().all(|act| act.key_ids.len() <= 4_000 && act.key_ids.is_sorted()) && all.is_subset(&told));
    let counts = world.certificate(&id).body.counts;
    assert_eq!((counts.records, counts.deletions), (4, 5));
}

/// Ten people, each with so many interactions, all asked for at once.
async fn pooled(people: u32, interactions: u32) -> (World, Vec<String>) {
    let mut world = World::new().await;
    world.settings.pool_days = 1;
    for one in 0..people {
        let lines: Vec<_> = (0..interactions)
            .map(|n| call(&format!("c-{one}-{n}"), Person(20 + one), T0 + i64::from(n) * 7_919))
            .collect();
        world.fill(&format!("o-{one}"), &lines).await;
    }
    world.pass(3_600_000);
    let mut ids = Vec::new();
    for one in 0..people {
        ids.push(world.approved(Asking::of(Person(20 + one), &[Kind::Phone])).await);
    }
    (world, ids)
}

#[tokio::test(start_paused = true)]
async fn pooled_acts_wait_for_their_day_and_are_recorded_once_however_often_they_are_killed() {
    let total = {
        let (world, ids) = pooled(2, 3).await;
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        world.finish(&ids).await;
        for id in &ids {
            assert_eq!(world.certificate(id).body.counts.pooled, 2);
        }
        assert!(world.deletions().iter().all(|(_, act)| act.occurred_at == "2026-03-04T00:00:00.000Z"));
        world.calls.total()
    };
    for dies in (1..total).step_by(7) {
        let (world, ids) = pooled(2, 3).await;
        let world = world.counting();
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        let mut died = false;
        for _ in 0..40 {
            for (body, _) in world.due().await {
                died = died || !world.invoke_until(&body, |world| world.calls.total() >= dies).await;
            }
            if died {
                break;
            }
            assert!(world.now_ms() < T0 + 3 * DAY, "it does not end");
            world.commit().await;
            world.pass(700_000);
        }
        world.pass(crate::world::SLICE + 31_000);
        world.finish(&ids).await;
        let all = records(&world);
        assert_eq!((all.len(), all.iter().collect::<BTreeSet<_>>().len()), (6, 6), "killed at {dies}: {all:?}");
        for id in ids {
            assert_eq!(world.row(id).await.state, State::Done);
            assert_eq!(world.certificate(id).body.counts.deletions, 3, "killed at {dies}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_is_recorded_before_its_day_whoever_asks_for_it() {
    let (world, ids) = pooled(1, 2).await;
    for _ in 0..4 {
        world.work().await;
        world.commit().await;
        world.pass(700_000);
    }
    assert_eq!(world.step_of(&ids[0]), "deletions");
    assert!(world.invoke(r#"{"v":1,"kind":"pool","day":"2026-03-04"}"#, 1).await);
    world.commit().await;
    assert!(world.deletions().is_empty());
    world.finish(&[&ids[0]]).await;
    assert_eq!(world.deletions().len(), 2);
    assert!(world.now_ms() >= T0.div_euclid(DAY) * DAY + 2 * DAY);
}

#[tokio::test(start_paused = true)]
async fn a_persons_records_cannot_be_told_from_others_of_the_same_day() {
    let (world, ids) = pooled(10, 20).await;
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    world.finish(&ids).await;
    let acts = world.deletions();
    assert_eq!(acts.len(), 200);
    let person = |record: &str| record.split('-').nth(1).unwrap().to_owned();
    // Every value of an act, of its row and its plan, and of the record's row, by the people whose records have it.
    let mut seen: BTreeMap<String, BTreeMap<String, BTreeSet<String>>> = BTreeMap::new();
    for (record, act) in &acts {
        let object: ObjectId = act.source.object.parse().unwrap();
        let row = world.control.peek(&object_row::key(PlanOf::Acts, object)).unwrap();
        let plan = world.staged.all().remove(&staged(PlanOf::Acts, object)).unwrap();
        let party = world.keys.look(|rows| rows.get(&party::key(record)).cloned());
        let mut values: BTreeSet<String> = row.values().map(|value| format!("{value:?}")).collect();
        values.extend(party.into_iter().flatten().map(|(name, value)| format!("{name} {value:?}")));
        values.insert(format!("written {}", plan[0].written_at_ms));
        values.extend([&act.event_id, &act.lineage_token, &act.occurred_at].map(|text| format!("entry {text}")));
        values.extend(act.key_ids.iter().map(|id| format!("key {id}")));
        for value in values {
            seen.entry(value).or_default().entry(person(record)).or_default().insert(record.clone());
        }
    }
    for (value, by) in &seen {
        let joins = by.values().any(|records| records.len() > 1);
        assert!(!joins || by.len() > 1, "{value} joins the records of one person: {by:?}");
    }
    // Nor by their places: of two neighbours one in ten is of the same person, not nearly all.
    let order: Vec<String> = acts.iter().map(|(record, _)| person(record)).collect();
    let alike = order.windows(2).filter(|pair| pair[0] == pair[1]).count();
    assert!(alike < 50, "{alike} of 199 neighbours are of one person");
    for id in ids {
        assert_eq!(world.certificate(id).body.counts.pooled, 10);
    }
}
