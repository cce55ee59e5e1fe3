//! Figures: gold computes a date that is marked from the silver of the day and of those beside it. Silver that an erasure writes marks its
//! days, so that no figures stay that are of what is not there any more.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use ledgerline_lake::ObjectId;
use ledgerline_lake::keys::{SILVER, silver_events_of};
use ledgerline_store::gold_date::GoldDates;
use time::Date;
use time::macros::date;

use crate::steps::filled;
use crate::traffic::{ADA, BOB, DAY, T0, call, nobody};
use crate::world::{Asking, BUCKET, SLICE, World, key, places};

/// What each date was computed from when it was computed last.
pub(crate) type Figures = Arc<Mutex<BTreeMap<Date, BTreeMap<String, Bytes>>>>;

impl World {
    /// Gold computes every date that is marked.
    pub(crate) async fn compute(&self) {
        let dates = GoldDates::new(self.control.port());
        for marked in dates.dirty().await.unwrap() {
            self.figures.lock().unwrap().insert(marked.date, self.silver_around(marked.date));
            dates.computed(marked.date, marked.touched).await.unwrap();
        }
    }

    /// The dates that are marked.
    pub(crate) async fn dirty(&self) -> BTreeSet<Date> {
        let dirty = GoldDates::new(self.control.port()).dirty().await.unwrap();
        dirty.into_iter().map(|marked| marked.date).collect()
    }

    /// The dates whose figures are of silver that is not there any more, and that nobody marked.
    pub(crate) async fn outdated(&self) -> Vec<Date> {
        let all = GoldDates::new(self.control.port()).all().await.unwrap();
        let figures = self.figures.lock().unwrap();
        let computed = all.iter().filter(|marked| !marked.is_dirty()).map(|marked| marked.date);
        computed.filter(|date| figures.get(date) != Some(&self.silver_around(*date))).collect()
    }

    fn silver_around(&self, date: Date) -> BTreeMap<String, Bytes> {
        let days = [date.previous_day(), Some(date), date.next_day()];
        days.into_iter().flatten().flat_map(|day| self.lake.under(&silver_events_of(day))).collect()
    }
}

/// A day and those beside it.
fn around(day: Date) -> BTreeSet<Date> {
    [day.previous_day(), Some(day), day.next_day()].into_iter().flatten().collect()
}

/// When everything of the usual traffic is.
const TODAY: Date = date!(2026 - 03 - 02);

#[tokio::test(start_paused = true)]
async fn the_days_of_an_erased_persons_rows_are_computed_again_and_no_others() {
    let world = filled().await;
    world.fill("c", &[call("c-7", ADA, T0 - 5 * DAY)]).await;
    world.fill("d", &[call("c-8", BOB, T0 - 10 * DAY)]).await;
    world.compute().await;
    assert!(world.dirty().await.is_empty() && world.outdated().await.is_empty());
    world.erase(Asking::whole(ADA)).await;
    assert_eq!(world.dirty().await, &around(TODAY) | &around(date!(2026 - 02 - 25)));
    assert_eq!(world.outdated().await, []);
    // All of it once more writes no silver, and nothing is outdated.
    world.compute().await;
    assert_eq!(world.outdated().await, []);
}

#[tokio::test(start_paused = true)]
async fn a_hint_marks_the_days_of_its_own_object_and_of_the_records_others() {
    let world = World::new().await;
    world.fill("a", &[call("c-1", ADA, T0)]).await;
    world.erase(Asking::whole(ADA)).await;
    world.fill("b", &[nobody("c-9", T0 - 5 * DAY)]).await;
    world.fill("c", &[nobody("c-9", T0 - 10 * DAY), call("c-9", ADA, T0 + 1_000)]).await;
    // What transform marked is computed; the hint is on its way.
    world.compute().await;
    world.finish(&[]).await;
    assert!(world.nulled().is_superset(&(&places("b", &[0]) | &places("c", &[0]))), "{:?}", world.nulled());
    assert_eq!(world.outdated().await, []);
    let days = [TODAY, date!(2026 - 02 - 25), date!(2026 - 02 - 20)].map(around);
    assert_eq!(world.dirty().await, days.into_iter().flatten().collect());
}

#[tokio::test(start_paused = true)]
async fn a_hint_that_died_marks_them_when_it_comes_again() {
    let (key, object) = (key("c"), ObjectId::of(BUCKET, &key("c")));
    let hint = format!(r#"{{"v":1,"kind":"suppressed","bucket":"{BUCKET}","key":"{key}","object":"{object}"}}"#);
    for calls in 1..120 {
        let world = World::new().await;
        world.fill("a", &[call("c-1", ADA, T0)]).await;
        world.erase(Asking::whole(ADA)).await;
        world.fill("b", &[nobody("c-9", T0 - 5 * DAY)]).await;
        world.fill("c", &[nobody("c-9", T0 - 10 * DAY), call("c-9", ADA, T0 + 1_000)]).await;
        world.compute().await;
        let world = world.counting();
        let has_ended = world.invoke_until(&hint, |world| world.calls.total() >= calls).await;
        world.compute().await;
        assert!(world.invoke(&hint, 2).await);
        assert_eq!(world.outdated().await, [], "died at call {calls}");
        if has_ended {
            assert!(calls > 20, "{calls}");
            return;
        }
    }
    panic!("it never ends");
}

#[tokio::test(start_paused = true)]
async fn the_days_of_a_released_records_rows_are_computed_again() {
    let world = filled().await;
    world.hold("acme/c-1").await;
    world.erase(Asking::whole(ADA)).await;
    world.compute().await;
    let before = world.nulled();
    world.lift("acme/c-1").await;
    world.finish(&[]).await;
    assert!(world.nulled().len() > before.len());
    assert_eq!((world.dirty().await, world.outdated().await), (around(TODAY), Vec::new()));
}

#[tokio::test(start_paused = true)]
async fn days_are_marked_where_bronze_has_expired_whenever_it_died() {
    let ready = async || {
        let world = filled().await;
        world.bronze.erase(&key("a"));
        world.bronze.erase(&key("b"));
        world.counting()
    };
    let undisturbed = ready().await;
    let before = undisturbed.lake.under(SILVER);
    undisturbed.erase(Asking::whole(ADA)).await;
    assert_ne!(undisturbed.lake.under(SILVER), before);
    assert_eq!(undisturbed.dirty().await, around(TODAY));
    for calls in 1..undisturbed.calls.total() {
        let world = ready().await;
        let id = world.approved(Asking::whole(ADA)).await;
        world.invoke_until(&World::erase_note(&id), |world| world.calls.total() >= calls).await;
        world.compute().await;
        world.pass(SLICE + 31_000);
        world.finish(&[&id]).await;
        assert_eq!(world.outdated().await, [], "died at call {calls}");
    }
}
