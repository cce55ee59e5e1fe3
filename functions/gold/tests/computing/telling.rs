//! First contact resolution, night after night.

use ledgerline_gold::Schedule;
use serde_json::{Value, json};
use time::macros::date;

use crate::world::{DAY_MS, HOUR_MS, NOW_MS, TODAY, World, at};

fn resolved(world: &World, date: time::Date) -> Value {
    serde_json::to_value(world.daily(date).totals).unwrap()["fcr_rate_pct"].clone()
}

/// The nights that follow, up to the one of this date.
async fn nights(world: &mut World, count: i64) {
    for _ in 0..count {
        world.now_ms += DAY_MS;
        let answer = world.run(Schedule::Nightly).await;
        assert_eq!((answer.failures, answer.races, answer.left), (0, 0, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn repeats_are_told_by_night_and_are_final_once_their_days_are_over() {
    let mut world = World::new();
    world.deliver("a", &[(at(TODAY, 9), "q-1", 60_000), (at(TODAY, 9), "q-2", 60_000)]).await;
    world.settle().await;
    assert_eq!((resolved(&world, TODAY), world.daily(TODAY).fcr_provisional), (Value::Null, true));
    nights(&mut world, 1).await;
    assert_eq!((resolved(&world, TODAY), world.daily(TODAY).fcr_provisional), (json!(100.0), true));
    // On the sixth day the first customer comes again.
    world.now_ms = NOW_MS + 6 * DAY_MS;
    world.deliver("b", &[(at(TODAY, 6 * 24 + 9), "q-1", 60_000)]).await;
    nights(&mut world, 1).await;
    assert_eq!((resolved(&world, TODAY), world.daily(TODAY).fcr_provisional), (json!(50.0), true));
    nights(&mut world, 1).await;
    let day = world.daily(TODAY);
    assert_eq!((day.fcr_provisional, &*day.fcr_final_on), (false, "2026-03-10"));
    assert_eq!(day.totals.counts.repeats.map(|told| (told.fcr_eligible, told.fcr_resolved)), Some((2, 1)));
    let told = |world: &World| world.control.dump().matches("settled").count();
    assert!(told(&world) > 0, "the dates are noted");
}

#[tokio::test(start_paused = true)]
async fn what_came_late_is_told_the_next_night_of_the_days_that_it_bears_on() {
    let mut world = World::new();
    world.deliver("a", &[(at(TODAY, 9), "q-1", 60_000)]).await;
    world.settle().await;
    nights(&mut world, 20).await;
    let quiet = world.run(Schedule::Nightly).await;
    assert_eq!((quiet.told.len(), quiet.put), (0, 0), "everything is settled");
    assert_eq!((resolved(&world, TODAY), world.daily(TODAY).fcr_provisional), (json!(100.0), false));
    // Another call of the same customer's, twelve days late, two days after the first.
    world.deliver("late", &[(at(TODAY, 2 * 24 + 9), "q-1", 60_000)]).await;
    let night = world.run(Schedule::Nightly).await;
    assert!(night.told.contains(&"2026-03-02".to_owned()) && night.told.contains(&"2026-03-04".to_owned()));
    assert_eq!(resolved(&world, TODAY), json!(0.0));
    assert_eq!(resolved(&world, date!(2026 - 03 - 04)), json!(100.0));
}

#[tokio::test(start_paused = true)]
async fn counting_a_date_again_keeps_what_was_told_of_it() {
    let mut world = World::new();
    world.deliver("a", &[(at(TODAY, 9), "q-1", 60_000)]).await;
    world.settle().await;
    nights(&mut world, 1).await;
    world.deliver("more", &[(at(TODAY, 10), "q-2", 60_000)]).await;
    world.settle().await;
    let day = world.daily(TODAY);
    let told = day.rows.iter().map(|row| row.counts.repeats.map(|told| told.fcr_eligible));
    assert_eq!((told.collect::<Vec<_>>(), resolved(&world, TODAY)), (vec![Some(1), Some(0)], json!(100.0)));
    nights(&mut world, 1).await;
    let told = world.daily(TODAY).totals.counts.repeats;
    assert_eq!(told.map(|told| (told.fcr_eligible, told.fcr_resolved)), Some((2, 2)));
}

#[tokio::test(start_paused = true)]
async fn one_question_is_asked_a_night() {
    let mut world = World::new();
    for back in 0..7 {
        world.deliver(&format!("day-{back}"), &[(NOW_MS - back * DAY_MS, "q-1", 60_000)]).await;
    }
    world.settle().await;
    world.now_ms += 13 * HOUR_MS;
    let before = world.athena.scanned().len();
    let night = world.run(Schedule::Nightly).await;
    assert_eq!(world.athena.scanned().len(), before + 1);
    assert_eq!(night.told.last().map(String::as_str), Some("2026-03-02"));
    assert!(!night.told.contains(&"2026-03-03".to_owned()), "the running date's night is the next one");
}

#[tokio::test(start_paused = true)]
async fn a_night_without_any_silver_notes_nothing_and_asks_nothing() {
    let world = World::new();
    let answer = world.run(Schedule::Nightly).await;
    assert_eq!((answer.told.len(), answer.computed.len(), world.athena.scanned().len()), (0, 0, 0));
}
