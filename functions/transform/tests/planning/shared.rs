//! Shared subjects, which name nobody, and busy ones, which are only told of.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use ledgerline_custody::subjects::{Limits, WantedLink, count_links, plan_links};
use ledgerline_privacy::{KeyRing, Kind, PseudonymKey};
use ledgerline_store::party::PartySeen;
use ledgerline_store::subject::{Day, Link, SubjectWrite};
use ledgerline_transform::resolve::{Clashes, Mention, resolve};

use crate::subjects::{linked, links, subjects, writes};
use crate::world::{T0, World, busy, conversation_id, event, key, lines, turns};

const SHARED_AT: &str = "2026-03-02T14:00:30.000Z";
/// A day in milliseconds.
const DAY_MS: i64 = 86_400_000;

/// How many rows of silver name a customer.
fn named(world: &World) -> usize {
    world.everything_but_bronze().matches("customer_ref: \"c_").count()
}

/// The calls numbered in `nths`, all of one caller, one event each.
fn calls(nths: std::ops::Range<u32>) -> Vec<u8> {
    lines(&nths.map(|nth| event(1 + 50 * nth, 0)).collect::<Vec<_>>())
}

async fn deliver(world: &World, name: &str, bronze: Vec<u8>) {
    world.bronze.seed(&key(name), bronze);
    world.settle(&[&key(name)]).await;
}

fn only_subject(world: &World) -> String {
    let mut all = subjects(world);
    assert_eq!(all.len(), 1, "{all:?}");
    all.remove(0)
}

#[tokio::test]
async fn events_of_a_shared_subject_name_nobody_and_touch_no_link() {
    let world = World::new();
    deliver(&world, "a", calls(0..1)).await;
    world.keys.share(&only_subject(&world), SHARED_AT);
    let (before, written) = (links(&world), writes(&world));
    // Another conversation, and the end of the one that is linked: it would widen the link.
    deliver(&world, "b", [calls(1..2), lines(&[event(1, 3)])].concat()).await;
    assert_eq!((links(&world), writes(&world)), (before, written));
    assert_eq!((world.check().counts.planned, named(&world)), (3, 1), "only the event from before is a customer's");

    // What came meanwhile stays unlinked; what comes now is linked again.
    world.keys.unshare(&only_subject(&world));
    deliver(&world, "c", calls(2..3)).await;
    assert_eq!((links(&world).len(), named(&world)), (2, 2));
    assert!(world.keys.state(&only_subject(&world)).unwrap().missed);
}

#[tokio::test]
async fn another_identifier_of_the_event_names_its_customer() {
    let world = World::new();
    deliver(&world, "a", calls(0..1)).await;
    world.keys.share(&only_subject(&world), SHARED_AT);
    let with_mail = event(51, 0).replace("\"dnis\"", "\"customerEmail\":\"ada@example.com\",\"dnis\"");
    deliver(&world, "b", lines(&[with_mail])).await;
    assert_eq!((subjects(&world).len(), links(&world).len(), named(&world)), (2, 2, 2));
}

#[tokio::test]
async fn the_links_that_fit_under_the_cap_are_written_and_then_the_subject_is_shared() {
    let mut world = World::new();
    world.limits.cap = 3;
    deliver(&world, "a", calls(0..2)).await;
    assert!(!world.keys.state(&only_subject(&world)).unwrap().missed);
    deliver(&world, "b", calls(2..5)).await;
    assert_eq!((world.check().counts.planned, links(&world).len(), named(&world)), (5, 3, 3));
    let state = world.keys.state(&only_subject(&world)).unwrap();
    assert_eq!((state.links, state.missed, state.shared_at), (3, true, None));
    // The end of a conversation that is linked.
    let (before, written) = (links(&world), writes(&world));
    deliver(&world, "c", lines(&[event(1, 3)])).await;
    assert_eq!((links(&world), writes(&world)), (before, written));
    assert_eq!(named(&world), 3);
    // A cap that is raised links what comes; that something was missed stays.
    world.limits.cap = 10;
    deliver(&world, "d", calls(5..6)).await;
    assert_eq!((links(&world).len(), world.keys.state(&only_subject(&world)).unwrap().missed), (4, true));
}

#[tokio::test]
async fn a_subject_that_one_object_fills_at_once_is_missing_something_too() {
    let mut world = World::new();
    world.limits.cap = 2;
    deliver(&world, "a", calls(0..3)).await;
    let state = world.keys.state(&only_subject(&world)).unwrap();
    assert_eq!((state.links, state.missed, named(&world)), (2, true, 2));
}

#[tokio::test]
async fn who_becomes_shared_after_the_read_is_read_again() {
    // The object has a new conversation of the caller, and a wider link. Shared meanwhile: after so many yields, and with
    // the object's first turn before or after the mark's.
    let mut refused = 0;
    for (later, delayed) in (0..40).flat_map(|later| [(later, 0), (later, 1)]) {
        let world = World::new();
        deliver(&world, "a", calls(0..1)).await;
        let subject = only_subject(&world);
        world.bronze.seed(&key("b"), [calls(1..2), lines(&[event(1, 3)])].concat());
        let b = key("b");
        let b = [b.as_str()];
        let share = async {
            turns(later).await;
            world.keys.share(&subject, SHARED_AT);
            links(&world)
        };
        let settle = async {
            turns(delayed).await;
            world.settle(&b).await;
        };
        let (before, ()) = tokio::join!(share, settle);
        assert_eq!(links(&world), before, "{later}: no link is written once it is shared");
        refused += world.keys.refused();
        assert_eq!(named(&world), if before.len() == 2 { 3 } else { 1 }, "{later}");
        world.check();
    }
    assert!(refused > 0, "no write met a mark that its read had not seen");
}

#[tokio::test]
async fn a_mark_and_a_full_subject_refuse_what_was_planned_before_them() {
    let world = World::new();
    deliver(&world, "a", calls(0..1)).await;
    let subject = only_subject(&world);
    let state = world.keys.state(&subject).unwrap();
    let stored = world.stores().subjects;
    let (_, link) = stored.read(&[], &[(&subject, &format!("acme/{}", conversation_id(1)))]).await.unwrap();
    let limits = Limits { cap: 2, busy: 9 };
    let wanted = |record: &str| WantedLink {
        record: record.to_owned(),
        link: link[0].clone().unwrap(),
        only_widen: false,
        party: PartySeen::default(),
    };
    let write = |new: u64| {
        let plan = plan_links(state.room(limits.cap), &[wanted("acme/x")], &[None]);
        let count = count_links(&state, limits, SHARED_AT, new);
        SubjectWrite::Link {
            subject_id: &subject,
            generation: 1,
            links_at_most: count.links_at_most,
            growth: count.growth,
            links: plan.writes,
        }
    };
    let stale = write(1);
    world.keys.share(&subject, SHARED_AT);
    assert!(stored.write(stale.clone()).await.is_err(), "marked");
    world.keys.unshare(&subject);
    stored.write(stale.clone()).await.unwrap();
    assert!(stored.write(stale).await.is_err(), "full");
}

#[tokio::test]
async fn a_busy_subject_is_told_of_once_a_day_and_is_not_shared() {
    let mut world = World::seeded(11);
    world.limits.busy = 5;
    deliver(&world, "a", calls(0..4)).await;
    let subject = only_subject(&world);
    assert_eq!(busy(&subject), [0; 0]);
    deliver(&world, "b", calls(4..7)).await;
    assert_eq!(busy(&subject), [7]);
    deliver(&world, "c", calls(7..20)).await;
    assert_eq!(busy(&subject), [7]);
    let state = world.keys.state(&subject).unwrap();
    assert_eq!((state.day, state.links), (Some(Day { date: "2026-03-02".into(), links: 20 }), 20));
    assert_eq!((state.shared_at, state.missed, named(&world)), (None, false, 20));

    // Widening counts nothing, and the next day counts from nothing.
    world.set_now_ms(T0 + DAY_MS);
    deliver(&world, "d", lines(&[event(1, 3)])).await;
    assert_eq!(world.keys.state(&subject).unwrap().day.unwrap().date, "2026-03-02");
    deliver(&world, "e", calls(20..24)).await;
    assert_eq!(busy(&subject), [7]);
    deliver(&world, "f", calls(24..25)).await;
    assert_eq!(busy(&subject), [7, 5]);
    // A run that began before midnight.
    world.set_now_ms(T0);
    deliver(&world, "g", calls(25..26)).await;
    let state = world.keys.state(&subject).unwrap();
    assert_eq!(state.day, Some(Day { date: "2026-03-03".into(), links: 6 }));
    assert_eq!(busy(&subject), [7, 5]);
}

#[tokio::test]
async fn a_subject_that_is_busy_from_its_first_object_on_is_told_of() {
    let mut world = World::seeded(12);
    world.limits.busy = 95;
    // Three transactions: 40 links, as many again, and 20.
    deliver(&world, "a", calls(0..100)).await;
    assert_eq!(busy(&only_subject(&world)), [100]);
    let mut world = World::seeded(13);
    world.limits.busy = 3;
    deliver(&world, "a", calls(0..3)).await;
    assert_eq!(busy(&only_subject(&world)), [3]);
}

#[tokio::test]
async fn under_many_keys_a_subject_is_made_with_fewer_links_and_gets_the_rest() {
    let mut world = World::new();
    // With 40 links, their records' rows and the subject's own two 20 tombstones are more than a transaction can check.
    let keys = (1..=20).map(|version| PseudonymKey::new(version, [version as u8; 32]));
    world.pseudonyms = Some(KeyRing::new(keys).unwrap());
    deliver(&world, "a", calls(0..100)).await;
    assert_eq!((subjects(&world).len(), links(&world).len(), named(&world)), (1, 100, 100));
    world.check();
}

#[tokio::test]
async fn four_hundred_calls_of_one_caller_by_eight_writers_at_once_are_one_subject_and_each_linked_once() {
    let mut refused = 0;
    // The writers begin in step, and then further and further apart.
    for apart in 0..4 {
        let mut world = World::seeded(100 + apart as u64);
        world.limits.busy = 100;
        let writers = (0..8u32).map(|writer| {
            let world = world.clone();
            async move {
                turns((writer * apart) as usize).await;
                // Ten objects of five calls each.
                for nth in 0..10 {
                    let from = 50 * writer + 5 * nth;
                    deliver(&world, &format!("{writer}-{nth}"), calls(from..from + 5)).await;
                }
            }
        });
        join_all(writers).await;
        let subject = only_subject(&world);
        let wanted: BTreeSet<String> = (0..400).map(|nth| format!("acme/{}", conversation_id(1 + 50 * nth))).collect();
        let linked = linked(&world);
        assert_eq!((linked.len(), linked.into_iter().collect::<BTreeSet<_>>()), (400, wanted));
        let state = world.keys.state(&subject).unwrap();
        assert_eq!((state.links, state.day.unwrap().links), (400, 400), "no count is lost");
        assert_eq!((world.check().counts.planned, named(&world)), (400, 400));
        assert_eq!(busy(&subject), [100], "told once, with the count that made it so");
        refused += world.keys.refused();
    }
    // How often they meet is up to the threads that write parquet; that they meet is what the counts above rest on.
    assert!(refused > 0, "no two writers met");
}

#[tokio::test]
async fn what_is_linked_already_is_not_counted_again() {
    let mut world = World::seeded(14);
    world.limits.busy = 2;
    world.bronze.seed(&key("a"), calls(0..2));
    let stores = world.stores();
    let link = Link { span: None };
    let wanted = |nth: u32| WantedLink {
        record: format!("acme/{}", conversation_id(nth)),
        link: link.clone(),
        only_widen: false,
        party: PartySeen::default(),
    };
    let links = (0..2).map(wanted).collect();
    let (pseudonyms, tombs) = (vec!["p1_x".into()], Vec::new());
    let mentions = [Mention { identifier: 0, org: "acme".into(), kind: Kind::Phone, pseudonyms, tombs, links }];
    for _ in 0..2 {
        resolve(&stores.resolving(), &mentions, world.limits, SHARED_AT, &mut Clashes::default()).await.unwrap();
    }
    assert_eq!(busy(&only_subject(&world)), [2]);
}
