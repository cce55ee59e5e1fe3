//! What transform found to be covered, and says so: lines that were under way, that come again, that are filtered; and messages that
//! nobody of ours sent.

use ledgerline_ledger::entry::Party;
use ledgerline_privacy::Kind;
use ledgerline_store::cutoff::Cutoff;
use ledgerline_testkit::faults::{ALL_FAULTS, Faults};

use crate::traffic::{ADA, BOB, HOUR, T0, beat, call, nobody};
use crate::world::{Asking, BUCKET, World, all, key, next_hour, places};

const SECOND: i64 = 1_000;

/// Ada was erased; there was nothing of hers but one call.
async fn erased() -> World {
    let world = World::new().await;
    world.fill("a", &[call("c-1", ADA, T0), call("c-2", BOB, T0 + SECOND)]).await;
    world.erase(Asking::whole(ADA)).await;
    world
}

fn hint(name: &str) -> String {
    let object = ledgerline_lake::ObjectId::of(BUCKET, &key(name));
    format!(r#"{{"v":1,"kind":"suppressed","bucket":"{BUCKET}","key":"{}","object":"{object}"}}"#, key(name))
}

#[tokio::test(start_paused = true)]
async fn what_was_under_way_is_committed_without_content_and_its_line_goes() {
    let world = erased().await;
    world.fill("b", &[call("c-9", ADA, T0 + 2 * SECOND), call("c-3", BOB, T0 + 3 * SECOND)]).await;
    let entries = world.entries();
    assert!(entries[&("b".to_owned(), 0)].key_ids.is_empty() && !entries[&("b".to_owned(), 1)].key_ids.is_empty());
    assert!(world.subject("acme", ADA, Kind::Phone).await.is_none());
    world.finish(&[]).await;
    assert_eq!(world.redacted(), all([places("a", &[0]), places("b", &[0])]));
    assert_eq!(world.nulled(), world.redacted());
    // An event of the same conversation that names nobody is covered by the record's cutoff.
    let cutoff = world.keys.party("acme/c-9").cutoff.unwrap();
    world.fill("c", &[nobody("c-9", T0 + 4 * SECOND), nobody("c-3", T0 + 5 * SECOND)]).await;
    world.finish(&[]).await;
    assert_eq!(world.redacted(), all([places("a", &[0]), places("b", &[0]), places("c", &[0])]));
    assert!(matches!(cutoff, Cutoff::At(_)));
    // Then a duplicate, and a filtered line.
    world.fill("d", &[call("c-9", ADA, T0 + 2 * SECOND), beat("c-8", ADA, T0 + 6 * SECOND)]).await;
    world.finish(&[]).await;
    assert!(world.redacted().is_superset(&places("d", &[0, 1])));
    assert_eq!(world.places_of(&world.needles(ADA).await), Vec::<String>::new());
    assert!(!world.closed(Party::Customer).contains(&("b".to_owned(), 1)));
}

#[tokio::test(start_paused = true)]
async fn what_came_of_the_conversation_before_the_hint_goes_with_it() {
    let world = erased().await;
    world.fill("b", &[nobody("c-9", T0 + 2 * SECOND), nobody("c-3", T0 + 3 * SECOND)]).await;
    world.finish(&[]).await;
    assert_eq!(world.redacted(), places("a", &[0]), "nothing says whose it is");
    world.fill("c", &[call("c-9", ADA, T0 + 4 * SECOND)]).await;
    world.finish(&[]).await;
    assert_eq!(world.redacted(), all([places("a", &[0]), places("b", &[0]), places("c", &[0])]));
    assert_eq!(world.closed(Party::Joint), places("b", &[0]));
}

#[tokio::test(start_paused = true)]
async fn a_record_in_which_somebody_lives_gets_no_cutoff_by_a_hint() {
    let world = erased().await;
    world.fill("b", &[call("c-9", BOB, T0 + 2 * SECOND), nobody("c-9", T0 + 3 * SECOND)]).await;
    world.fill("c", &[call("c-9", ADA, T0 + 4 * SECOND), nobody("c-9", T0 + 5 * SECOND)]).await;
    world.finish(&[]).await;
    assert_eq!(world.redacted(), all([places("a", &[0]), places("c", &[0])]));
    assert_eq!(world.keys.party("acme/c-9").cutoff, None);
    assert_eq!(world.closed(Party::Joint), places("x", &[]));
}

#[tokio::test(start_paused = true)]
async fn a_forged_hint_destroys_nothing() {
    let world = erased().await;
    world.fill("b", &[call("c-3", BOB, T0 + 2 * SECOND), nobody("c-3", T0 + 3 * SECOND)]).await;
    let stored = || (world.bronze.all(), world.lake.all(), world.keys.rows(), world.control.rows(), world.index.rows());
    let before = stored();
    for times in 1..4 {
        assert!(world.invoke(&hint("b"), times).await);
        assert!(world.invoke(&hint("a"), times).await, "all is done there");
    }
    assert_eq!(stored(), before);
    // An object that is gone.
    world.bronze.erase(&key("b"));
    assert!(world.invoke(&hint("b"), 1).await);
}

#[tokio::test(start_paused = true)]
async fn what_is_no_message_of_ours_is_kept_as_poison_without_a_word_of_it() {
    let world = erased().await;
    let other = hint("b").replace(BUCKET, "other");
    let object = ledgerline_lake::ObjectId::of("other", &key("b").replace(BUCKET, "other"));
    let foreign = other.replacen(&ledgerline_lake::ObjectId::of(BUCKET, &key("b")).to_hex(), &object.to_hex(), 1);
    for (body, reason) in [(foreign.as_str(), "foreign_bucket"), ("{\"planted\":1}", "not_a_note")] {
        world.staged.erase("poison/rtbf/m-1.json");
        assert!(world.invoke(body, 1).await, "{body}");
        let kept = String::from_utf8(world.staged.get("poison/rtbf/m-1.json").expect("poison").to_vec()).unwrap();
        assert!(kept.contains(reason) && !kept.contains("planted") && !kept.contains("other\""), "{kept}");
    }
    // What cannot be kept comes back.
    let failing = world.meeting(Faults::at(0, ALL_FAULTS[0]));
    assert!(!failing.invoke("", 1).await);
}

#[tokio::test(start_paused = true)]
async fn a_hint_of_an_object_that_is_not_planned_waits_and_comes_back() {
    let world = erased().await;
    world.put("b", &[call("c-9", ADA, T0 + 2 * SECOND)]);
    let noted = |world: &World| !world.erase_queue.bodies().iter().all(|body| !body.contains("/b.gz"));
    assert!(!world.transform_until("b", noted).await);
    assert!(!world.invoke(&hint("b"), 1).await);
    assert_eq!(world.redacted(), places("a", &[0]));
    world.lake.grow_old();
    world.transform("b").await;
    world.finish(&[]).await;
    assert_eq!(world.redacted(), all([places("a", &[0]), places("b", &[0])]));
}

#[tokio::test(start_paused = true)]
async fn a_hint_that_died_in_the_midst_is_ended_when_it_comes_again() {
    for calls in 1..90 {
        let world = erased().await;
        world.fill("b", &[nobody("c-9", T0 + 2 * SECOND)]).await;
        world.fill("c", &[call("c-9", ADA, T0 + 3 * SECOND)]).await;
        let world = world.counting();
        let ended = world.invoke_until(&hint("c"), |world| world.calls.total() >= calls).await;
        assert!(world.invoke(&hint("c"), 2).await);
        assert_eq!(world.redacted(), all([places("a", &[0]), places("b", &[0]), places("c", &[0])]), "{calls}");
        assert_eq!(world.closed(Party::Joint), places("b", &[0]), "{calls}");
        if ended {
            assert!(calls > 20);
            return;
        }
    }
    panic!("it never ends");
}

#[tokio::test(start_paused = true)]
async fn a_held_record_is_passed_over_by_a_hint() {
    let world = erased().await;
    world.hold("acme/c-9").await;
    world.fill("b", &[call("c-9", ADA, T0 + 2 * SECOND), beat("c-8", ADA, T0 + 3 * SECOND)]).await;
    world.finish(&[]).await;
    assert_eq!(world.redacted(), all([places("a", &[0]), places("b", &[1])]));
    world.lift("acme/c-9").await;
    world.finish(&[]).await;
    assert_eq!(world.redacted(), all([places("a", &[0]), places("b", &[0, 1])]));
}

#[tokio::test(start_paused = true)]
async fn what_comes_again_goes_again_and_who_comes_back_is_somebody_new() {
    let world = World::new().await;
    let lines = [call("c-1", ADA, T0), call("c-2", BOB, T0 + SECOND)];
    world.fill("a", &lines).await;
    let old = world.subject("acme", ADA, Kind::Phone).await.unwrap();
    world.erase(Asking::whole(ADA)).await;
    let begun = world.now_ms();
    world.pass(HOUR);
    // The originals, sent again: received now, occurred then.
    let again: Vec<_> = lines.iter().map(|line| line.again(world.now_ms())).collect();
    world.fill("b", &again).await;
    world.finish(&[]).await;
    assert_eq!(world.redacted(), all([places("a", &[0]), places("b", &[0])]));
    assert!(world.subject("acme", ADA, Kind::Phone).await.is_none());
    // A new call is a stranger's.
    world.fill("c", &[call("c-7", ADA, begun + 3 * HOUR)]).await;
    world.finish(&[]).await;
    let new = world.subject("acme", ADA, Kind::Phone).await.unwrap();
    assert_ne!(new.subject_id, old.subject_id);
    assert_eq!(world.redacted(), all([places("a", &[0]), places("b", &[0])]));
    assert_eq!(world.silver()[&("c".to_owned(), 0)]["customer_ref"], new.customer_ref);
    // And can be erased as anybody can.
    world.pass(4 * HOUR);
    world.erase(Asking::whole(ADA)).await;
    assert!(world.redacted().is_superset(&places("c", &[0])));
}

#[tokio::test(start_paused = true)]
async fn of_a_conversation_on_both_sides_only_what_is_after_the_full_hour_stays() {
    let world = World::new().await;
    let before = world.now_ms() - 60 * SECOND;
    world.fill("a", &[call("c-1", ADA, before)]).await;
    let id = world.approved(Asking::whole(ADA)).await;
    world.finish(&[&id]).await;
    let cutoff = world.erasing(&id).await.cutoff_ms;
    let hour = next_hour(cutoff);
    world.pass(hour + HOUR - world.now_ms());
    let same_hour = hour - 60 * SECOND;
    let lines = [
        nobody("c-1", same_hour),
        nobody("c-1", hour + 60 * SECOND),
        call("c-1", ADA, hour + 120 * SECOND),
        call("c-2", BOB, same_hour),
    ];
    assert!(same_hour > cutoff);
    world.fill("b", &lines).await;
    world.finish(&[]).await;
    assert_eq!(world.redacted(), all([places("a", &[0]), places("b", &[0])]));
    assert_eq!(world.keys.party("acme/c-1").cutoff, Some(Cutoff::At(hour)));
    assert!(world.subject("acme", ADA, Kind::Phone).await.is_some());
}
