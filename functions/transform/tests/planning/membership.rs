//! Who takes part in a record from the link on: erasures that look for people by their records, at every turn of a run.

use std::collections::{BTreeMap, BTreeSet};
use std::pin::pin;
use std::slice;
use std::task::Poll;
use std::time::Duration;

use futures_util::future::{FusedFuture as _, FutureExt as _, join, join_all};
use futures_util::poll;
use ledgerline_custody::subjects::WantedLink;
use ledgerline_privacy::Kind;
use ledgerline_store::cutoff::Cutoff;
use ledgerline_store::gone::Gone;
use ledgerline_store::party::{self, PartySeen, SUBJECTS_PER_RECORD};
use ledgerline_store::subject::{Link, identifier_key, parse_link_key, state_key};
use ledgerline_store::table::IntoValue as _;
use ledgerline_testkit::faults::{ALL_FAULTS, Fault, Faults};
use ledgerline_transform::resolve::{Clashes, Mention, resolve};
use serde_json::json;

use crate::erasures::{
    EXPIRES_S, PHONE, RECEIVED, call, erase, erase_whole, identity, is_erased_row, key_rows, named_and_erased,
    named_in, note, settle, silver, told,
};
use crate::own::answered;
use crate::subjects::{linked, links, subjects};
use crate::world::{T0, World, captured, event, key, lines, turns};

const OTHER: &str = "+15555550143";

/// A customer's call that names them by a phone number and an e-mail address.
fn by_phone_and_mail() -> String {
    answered("acme", "c-1", "answered", json!({"customerPhone": PHONE, "customerEmail": "ada@example.com"}))
}

/// Plants the tombstones of a pseudonym at once.
fn plant(world: &World, (org, pseudonym): &(String, String)) {
    world.plant(org, pseudonym, RECEIVED, EXPIRES_S * 1_000);
}

/// The pseudonyms of whom [`by_phone_and_mail`] names, by the one and by the other.
async fn phone_and_mail() -> [(String, String); 2] {
    let mail = answered("acme", "c-9", "answered", json!({"customerEmail": "ada@example.com"}));
    let [phone, mail] = [call("c-9", PHONE), mail].map(async |raw| named_in(&[raw]).await.into_iter().next().unwrap());
    [phone.await, mail.await]
}

/// Who is linked to a record.
fn linked_to(world: &World, record: &str) -> BTreeSet<String> {
    world.keys.look(|rows| {
        let links = rows.keys().filter_map(parse_link_key).filter(|(_, at)| *at == record);
        links.map(|(subject, _)| subject.to_owned()).collect()
    })
}

/// The interactions in which silver names a customer, with how many rows.
fn named_in_silver(world: &World) -> BTreeMap<String, usize> {
    let mut named = BTreeMap::new();
    for row in silver(world).into_iter().filter(|row| row.contains_key("customer_ref")) {
        assert!(!is_erased_row(&row));
        *named.entry(row["interaction_id"].trim_matches('"').to_owned()).or_default() += 1;
    }
    named
}

/// Runs the object `name` while somebody else does something after so many turns.
async fn run_beside<T>(world: &World, name: &str, later: usize, other: impl AsyncFnOnce(&World) -> T) -> T {
    let object = key(name);
    let object = [object.as_str()];
    let other = async {
        turns(later).await;
        other(world).await
    };
    // Tokio's own takes turns in being first, and so leaves out every other place between two calls.
    let ((), done) = join(world.settle(&object), other).await;
    world.check();
    done
}

#[tokio::test]
async fn of_two_identifiers_of_a_line_one_has_its_tombstone_at_any_turn() {
    let mut met = BTreeSet::new();
    for erased in phone_and_mail().await {
        for later in 0..80 {
            let world = World::new();
            world.bronze.seed(&key("a"), lines(&[by_phone_and_mail()]));
            let existed = run_beside(&world, "a", later, async |world| {
                plant(world, &erased);
                world.keys.peek(&identifier_key(&erased.0, &erased.1)).is_some()
            })
            .await;
            let exists = world.keys.peek(&identifier_key(&erased.0, &erased.1)).is_some();
            assert_eq!(exists, existed, "after {later} turns: a subject beside its tombstone");
            assert_eq!(named_and_erased(&world), if existed { (1, 0) } else { (0, 1) }, "after {later} turns");
            let linked = linked_to(&world, "acme/c-1");
            assert_eq!(linked.len(), subjects(&world).len());
            assert!(
                world.control.refused() <= 1,
                "after {later} turns: a write is tried again as if the gate's answer held"
            );
            met.insert((existed, linked.len()));
        }
    }
    assert_eq!(met, BTreeSet::from([(false, 0), (false, 1), (true, 2)]));
}

/// Runs the object `name` while somebody else does something after so many turns, a hundred times as fast.
async fn run_slowly_beside<T>(world: &World, name: &str, later: usize, other: impl AsyncFnOnce(&World) -> T) -> T {
    let object = key(name);
    let object = [object.as_str()];
    let mut run = pin!(world.settle(&object).fuse());
    let mut other = pin!(other(world));
    let mut turns = 0;
    let done = loop {
        if turns >= later
            && turns % 100 != 0
            && let Poll::Ready(done) = poll!(&mut other)
        {
            break done;
        }
        if turns < later || turns % 100 == 0 {
            let _ = poll!(&mut run);
        }
        turns += 1;
        tokio::task::yield_now().await;
    };
    if !run.is_terminated() {
        run.await;
    }
    world.check();
    done
}

#[tokio::test]
async fn what_a_tombstone_covers_is_not_that_of_the_next_subject_whose_first_line_overtakes_it() {
    let (covered, later_line) = (call("c-1", PHONE), call("c-2", PHONE).replace("14:00:05", "14:00:20"));
    let cutoff = T0 + 10_000;
    let whom = named_in(&[call("c-1", PHONE)]).await;
    let mut met = BTreeSet::new();
    for later in 0..80 {
        let world = World::new();
        world.bronze.seed(&key("a"), lines(slice::from_ref(&covered)));
        world.bronze.seed(&key("b"), lines(slice::from_ref(&later_line)));
        let found = run_slowly_beside(&world, "a", later, async |world| {
            // At once: the run may be in the middle of a transaction that checks them, for long.
            whom.iter().for_each(|(org, pseudonym)| world.plant(org, pseudonym, cutoff, EXPIRES_S * 1_000));
            let found = erase(world, &whom, cutoff).await;
            world.settle(&[&key("b")]).await;
            found
        })
        .await;
        // What the erasure finds linked it waits for, unless the run learns of it before it has kept its keys; whatever else it covers is
        // nobody's.
        let named = named_in_silver(&world);
        assert_eq!(named.get("c-2"), Some(&1), "after {later} turns");
        assert!(linked_to(&world, "acme/c-1").is_empty(), "after {later} turns");
        met.insert((named.contains_key("c-1"), found.contains("acme/c-1")));
    }
    assert_eq!(met, BTreeSet::from([(false, false), (false, true), (true, true)]));
}

#[tokio::test]
async fn whatever_write_of_two_identifiers_fails_and_one_has_its_tombstone_before_the_retry() {
    let seeded = |faults: Faults| {
        let world = World::with(faults);
        world.bronze.seed(&key("a"), lines(&[by_phone_and_mail()]));
        world
    };
    let undisturbed = seeded(Faults::none());
    undisturbed.settle(&[&key("a")]).await;
    let mut left = 0;
    for ((nth, write), fault) in
        undisturbed.faults.log().iter().enumerate().flat_map(|write| ALL_FAULTS.map(|fault| (write, fault)))
    {
        for erased in phone_and_mail().await {
            let case = format!("{write} (#{nth}) {fault:?}");
            let world = seeded(Faults::at(nth, fault));
            world.deliver(&[&key("a")]).await;
            let planned = !world.staged.under("staged/").is_empty();
            plant(&world, &erased);
            world.lake.grow_old();
            world.settle(&[&key("a")]).await;
            assert_eq!(world.check().counts.planned, 1, "{case}");
            assert_eq!(named_and_erased(&world), if planned { (1, 0) } else { (0, 1) }, "{case}");
            let linked = linked_to(&world, "acme/c-1");
            assert_eq!(world.keys.party("acme/c-1").subjects, linked, "{case}");
            left += usize::from(!planned && linked.len() == 1);
        }
    }
    assert!(left > 0, "no run died between the two links");
}

#[tokio::test]
async fn a_record_that_is_erased_at_any_turn_links_nobody_by_what_was_covered() {
    let raws = [call("c-1", PHONE), told("c-1", "ended", OTHER), call("c-2", OTHER)];
    for cutoff in [Cutoff::At(RECEIVED), Cutoff::Closed] {
        let mut met = BTreeSet::new();
        for later in 0..100 {
            let world = World::new();
            world.bronze.seed(&key("a"), lines(&raws));
            let (found, planned) = run_beside(&world, "a", later, async |world| {
                (erase_whole(world, "acme/c-1", cutoff), !world.staged.under("staged/").is_empty())
            })
            .await;
            let case = format!("{cutoff:?} after {later} turns, found: {}, planned: {planned}", found.len());
            assert!(linked_to(&world, "acme/c-1").is_empty(), "{case}");
            assert!(world.keys.party("acme/c-1").subjects.is_empty(), "{case}");
            let named = named_in_silver(&world);
            assert_eq!(named.get("c-2"), Some(&1), "{case}: the other record is as ever");
            assert_eq!(world.keys.party("acme/c-2").subjects.len(), 1, "{case}");
            // Both were linked, so that the eraser waits for the object's plan; or none is named.
            let of_record = named.get("c-1").copied().unwrap_or(0);
            assert!(of_record == 0 || of_record == 2 && found.len() == 2, "{case}: {of_record} rows name somebody");
            assert!(of_record > 0 || !planned, "{case}");
            met.insert((found.len(), of_record));
        }
        assert_eq!(met, BTreeSet::from([(0, 0), (1, 0), (2, 0), (2, 2)]), "{cutoff:?}");
    }
}

#[tokio::test]
async fn a_record_that_is_erased_up_to_a_time_before_its_lines_gets_them_as_ever() {
    let raws = [call("c-1", PHONE), told("c-1", "ended", OTHER)];
    for later in 0..60 {
        let world = World::new();
        world.bronze.seed(&key("a"), lines(&raws));
        let kept = run_beside(&world, "a", later, async |world| {
            drop(erase_whole(world, "acme/c-1", Cutoff::At(T0)));
            !key_rows(world).is_empty()
        })
        .await;
        assert_eq!(named_in_silver(&world).get("c-1"), Some(&2), "after {later} turns");
        // Whom the erasure found before the run had kept its keys is linked again; else the eraser waits for the object's plan.
        let linked = linked_to(&world, "acme/c-1").len();
        assert_eq!(linked, if kept { 0 } else { 2 }, "after {later} turns");
    }
}

/// How many batches of rows the runs read so far.
fn looks(world: &World) -> u64 {
    world.calls.by_name().get("dynamodb:BatchGetItem").copied().unwrap_or(0)
}

#[tokio::test]
async fn a_record_whose_events_name_nobody_is_looked_at_again_once_everybody_is_resolved() {
    let raws = [answered("acme", "c-1", "answered", json!({})), call("c-2", PHONE)];
    let mut met = BTreeSet::new();
    for later in 0..60 {
        let world = World::new();
        world.bronze.seed(&key("a"), lines(&raws));
        let seen = run_beside(&world, "a", later, async |world| {
            erase_whole(world, "acme/c-1", Cutoff::Closed);
            looks(world)
        })
        .await;
        let (named, erased) = named_and_erased(&world);
        assert_eq!(named, 1);
        assert!(erased == 1 || looks(&world) == seen, "after {later} turns: the run looked after the erasure");
        met.insert(erased);
    }
    assert_eq!(met, BTreeSet::from([0, 1]));
}

#[tokio::test]
async fn an_erasure_that_meets_subjects_and_links_of_before_is_seen_up_to_the_last_look() {
    let before = [call("c-1", PHONE), call("c-2", OTHER)];
    // The same customers at the same time: no link is new, and none widens.
    let raws = [told("c-1", "ended", PHONE), told("c-2", "ended", OTHER)];
    let whom = named_in(&raws).await;
    for whole in [false, true] {
        let mut met = BTreeSet::new();
        for later in 0..80 {
            let world = World::new();
            settle(&world, "a", &before).await;
            world.bronze.seed(&key("b"), lines(&raws));
            let seen = run_beside(&world, "b", later, async |world| {
                match whole {
                    true => drop(erase_whole(world, "acme/c-1", Cutoff::Closed)),
                    false => drop(erase(world, &whom, RECEIVED).await),
                }
                looks(world)
            })
            .await;
            let case = format!("whole: {whole}, after {later} turns");
            let (named, erased) = named_and_erased(&world);
            let (left, covered) = if whole { (1, 1) } else { (0, 2) };
            assert_eq!((links(&world).len(), linked_to(&world, "acme/c-1").len()), (left, 0), "{case}");
            // Two rows are of before.
            assert!(
                erased == covered && named == 4 - covered || erased == 0 && named == 4,
                "{case}: {named}, {erased}"
            );
            assert!(
                erased > 0 || looks(&world) == seen,
                "{case}: the run looked after the erasure, and names somebody"
            );
            met.insert(erased);
        }
        assert!(met.contains(&0) && met.contains(&if whole { 1 } else { 2 }), "{met:?}");
    }
}

#[tokio::test]
async fn what_a_run_that_died_had_linked_takes_part_already() {
    let raws = [call("c-1", PHONE)];
    let world = World::new();
    world.bronze.seed(&key("a"), lines(&raws));
    world.settle(&[&key("a")]).await;
    let created = world.faults.log().iter().rposition(|write| write == "dynamodb:TransactWriteItems").unwrap();
    let mut world = World::with(Faults::at(created, Fault::PersistedButErrored));
    world.bronze.seed(&key("a"), lines(&raws));
    assert_eq!(world.deliver(&[&key("a")]).await, ["m0"]);
    assert_eq!((links(&world).len(), world.keys.party("acme/c-1").subjects.len()), (1, 1));
    // Meanwhile the subject came to its cap: it names nobody, and takes part all the same.
    world.limits.cap = 1;
    world.settle(&[&key("a")]).await;
    assert_eq!((named_and_erased(&world).0, world.keys.party("acme/c-1").subjects.len()), (0, 1));
    world.check();
}

#[tokio::test]
async fn a_deletion_in_a_closed_record_and_one_that_comes_again_link_nobody() {
    let raws = [identity("IDENTITY_RESOLUTION", "20"), identity("DATA_DELETION", "25")];
    let world = World::new();
    world.keys.erase_record("acme/i-1", Some(Cutoff::Closed));
    settle(&world, "a", &raws).await;
    assert_eq!((named_and_erased(&world), linked(&world).len()), ((0, 2), 0));

    let world = World::new();
    settle(&world, "a", &raws).await;
    assert_eq!((named_and_erased(&world), linked(&world).len()), ((2, 0), 1));
    erase_whole(&world, "acme/i-1", Cutoff::Closed);
    let before = world.keys.rows();
    settle(&world, "b", &raws[1..]).await;
    assert_eq!((world.check().counts.duplicate, world.erase_queue.bodies()), (1, vec![note("b")]));
    assert_eq!(world.keys.rows(), before);
}

#[tokio::test]
async fn a_record_that_one_object_fills_has_room_for_no_more() {
    let world = World::new();
    let (phones, record) = ((0..5).map(|nth| format!("+1555555{:04}", 100 + nth)), "acme/c-1");
    let planted: BTreeSet<String> = (0..SUBJECTS_PER_RECORD - 2).map(|nth| format!("s_{nth:032x}")).collect();
    world.keys.change(&party::key(record), |row| drop(row.insert("subjects".to_owned(), (&planted).into_value())));
    let raws: Vec<String> = phones.map(|phone| call("c-1", &phone)).collect();
    settle(&world, "a", &raws).await;
    assert_eq!((world.keys.party(record).subjects.len(), links(&world).len()), (SUBJECTS_PER_RECORD, 5));
    assert_eq!(named_and_erased(&world), (5, 0));
}

#[tokio::test]
async fn who_is_named_when_an_event_is_told_again_takes_part_too() {
    let told_by =
        |phone: &str| call("c-1", phone).replace('{', r#"{"eventId":"6f65ecc3-c2f9-51d6-97d6-dd48974e8c97","#);
    for apart in [false, true] {
        let world = World::new();
        match apart {
            true => {
                settle(&world, "a", &[told_by(PHONE)]).await;
                settle(&world, "b", &[told_by(OTHER)]).await;
            }
            false => settle(&world, "a", &[told_by(PHONE), told_by(OTHER)]).await,
        }
        let counts = world.check().counts;
        assert_eq!((counts.planned, counts.duplicate), (1, 1));
        assert_eq!(linked_to(&world, "acme/c-1").len(), 2, "an erasure must find what bronze says of both");
        // As it is told the third time, nothing is new.
        let before = world.keys.rows();
        settle(&world, "c", &[told_by(OTHER)]).await;
        assert_eq!(world.keys.rows(), before);
    }
}

#[tokio::test]
async fn a_subject_without_a_state_is_told_of_once_all_others_are_linked() {
    let world = World::new();
    settle(&world, "a", &[call("c-1", PHONE)]).await;
    let subject = subjects(&world).remove(0);
    let state = world.keys.tamper(|rows| rows.remove(&state_key(&subject))).unwrap();
    let others: Vec<String> = (0..50).map(|nth| call(&format!("c-{}", 3 + nth), OTHER)).collect();
    let raws = [&[call("c-2", PHONE), call("c-2", OTHER)], &others[..]].concat();
    world.bronze.seed(&key("b"), lines(&raws));
    assert_eq!(world.deliver(&[&key("b")]).await, ["m0"]);
    assert!(captured().text().contains("1 identifiers' rows name subjects that have no state and are not gone"));
    assert_eq!(links(&world).len(), 1 + 51, "the other's are whole, and this one has no new one");
    assert_eq!(world.staged.under("staged/").len(), 1);
    // It comes back, or is gone after all.
    world.keys.tamper(|rows| rows.insert(state_key(&subject), state));
    world.settle(&[&key("b")]).await;
    world.check();
    assert_eq!(linked_to(&world, "acme/c-2").len(), 2);
    world.keys.tamper(|rows| rows.remove(&state_key(&subject)));
    Gone::new(world.others_control()).put(&[&subject]).await.unwrap();
    settle(&world, "c", &[call("c-2", PHONE)]).await;
    assert_eq!(world.check().counts.duplicate, 1);
    settle(&world, "d", &[told("c-2", "ended", PHONE)]).await;
    assert_eq!(linked_to(&world, "acme/c-2").len(), 3);
}

#[tokio::test]
async fn who_clashes_is_tried_again_alone_while_the_gates_answer_holds() {
    let world = World::new();
    let raws: Vec<String> = (0..20).map(|nth| event(nth, 0)).collect();
    let calls = |world: &World, name: &str| world.calls.by_name().get(name).copied().unwrap_or(0);
    world.bronze.seed(&key("a"), lines(&raws));
    world.keys.clash(1);
    world.settle(&[&key("a")]).await;
    // 20 links, one of them twice, and the keys of 20 records.
    assert_eq!(calls(&world, "dynamodb:TransactWriteItems"), 41);
    world.check();
}

/// Mentions of so many records, by somebody else each, or by two people each.
fn mentions<'g>(records: u32, people: usize) -> Vec<Mention<'g>> {
    let party = PartySeen::default();
    let link =
        |nth| WantedLink { record: format!("acme/c-{nth}"), link: Link { span: None }, only_widen: false, party };
    let mention = |(identifier, nth): (usize, u32)| Mention {
        identifier,
        org: "acme".into(),
        kind: Kind::Phone,
        pseudonyms: vec![format!("p1_{identifier}")],
        tombs: Vec::new(),
        links: vec![link(nth)],
    };
    (0..records).flat_map(|nth| (0..people).map(move |_| nth)).enumerate().map(mention).collect()
}

#[tokio::test(start_paused = true)]
async fn a_thousand_records_are_linked_as_many_at_once_as_calls_may_be_and_no_record_twice() {
    for people in [1, 2] {
        let world = World::new();
        world.faults.set_latency(Duration::from_millis(10));
        let began = tokio::time::Instant::now();
        let mentions = mentions(1_000, people);
        let mut clashes = Clashes::default();
        let resolved =
            resolve(&world.stores().resolving(), &mentions, world.limits, "2026-03-02T14:00:30.000Z", &mut clashes)
                .await;
        assert_eq!(resolved.unwrap().names.len(), 1_000 * people);
        assert_eq!(world.keys.refused(), 0, "a run clashes with itself");
        assert_eq!(world.calls.by_name()["dynamodb:TransactWriteItems"], 1_000 * people as u64);
        // 63 times 16 for every thousand, and two reads.
        let took = began.elapsed().as_millis() / 10;
        assert!(took <= 63 * people as u128 + 2, "{people} people a record: {took} calls one after another");
    }
}

#[tokio::test]
async fn two_runs_over_the_same_records_at_once_come_through_with_few_calls() {
    // 300 interactions of one caller, or of so many callers; the other object names everybody by mail.
    for callers in [1, 300] {
        let world = World::new();
        let who = |nth: u32, kind: &str| match kind {
            "a" => json!({"customerPhone": format!("+1555555{:04}", 100 + nth % callers)}),
            _ => json!({"customerEmail": format!("ada{}@example.com", nth % callers)}),
        };
        let raws = |kind: &str| -> Vec<String> {
            (0..300).map(|nth| answered("acme", &format!("c-{nth}"), "answered", who(nth, kind))).collect()
        };
        let runs = ["a", "b"].map(|name| {
            world.bronze.seed(&key(name), lines(&raws(name)));
            let world = world.clone();
            async move { world.settle(&[&key(name)]).await }
        });
        join_all(runs).await;
        assert_eq!((links(&world).len(), world.check().counts.planned), (600, 600));
        let met = world.keys.refused();
        let calls = world.calls.total();
        assert!(met > 0, "{callers} callers: the two never met");
        // Among them the keys of 300 records of each, which clash as links do.
        assert!(calls <= 3_600, "{callers} callers: {calls} calls, {met} of them refused");
    }
}
