//! One run after another.

use ledgerline_figures::summary::Granularity;
use ledgerline_gold::Schedule;
use ledgerline_lake::{gold, keys};
use ledgerline_testkit::athena::Answered;
use serde_json::{Value, json};
use time::macros::date;

use crate::world::{DAY_MS, HOUR_MS, NOW_MS, TODAY, World, at, lay};

fn call(hours: i64) -> (i64, &'static str, i64) {
    (at(TODAY, hours), "q-1", 195_000)
}

#[tokio::test(start_paused = true)]
async fn a_dirty_date_gets_all_its_files_and_is_clean() {
    let world = World::new();
    world.deliver("a", &[call(9), (at(TODAY, 9) + 1_000, "q-2", 150_000), call(10)]).await;
    let answer = world.run(Schedule::Frequent).await;
    assert_eq!(answer.computed, ["2026-03-03", "2026-03-02", "2026-03-01"]);
    assert_eq!((answer.failures, answer.races, answer.left, answer.stale.len()), (0, 0, 0, 0));
    let files: Vec<String> = world.gold().into_keys().collect();
    let expected = [
        "gold/gold_daily_queue_metrics/date=2026-03-02/part.parquet",
        "gold/gold_interval_queue_metrics/date=2026-03-02/part.parquet",
        "gold/runs/date=2026-03-02/1.json",
        "gold/summary/date=2026-03-02/30min.json",
        "gold/summary/date=2026-03-02/daily.json",
    ];
    assert_eq!(files, expected, "the days beside it have nothing to say");
    let day = world.daily(TODAY);
    assert_eq!((day.rows.len(), day.revision, day.stale, day.fcr_provisional), (2, 1, false, true));
    assert_eq!((&*day.fcr_final_on, &*day.time_zone, &*day.as_of), ("2026-03-10", "UTC", "2026-03-02T14:00:00.000Z"));
    let totals = serde_json::to_value(day.totals).unwrap();
    assert_eq!((&totals["total_contacts"], &totals["avg_duration_sec"]), (&json!(3), &json!(180.0)));
    assert_eq!(totals["fcr_rate_pct"], Value::Null);
    let half_hours = world.document(TODAY, Granularity::HalfHourly).unwrap();
    let starts: Vec<_> = half_hours.rows.iter().map(|row| row.interval_start.as_deref().unwrap()).collect();
    assert_eq!(starts, ["2026-03-02T09:00:00.000Z", "2026-03-02T10:00:00.000Z", "2026-03-02T09:00:00.000Z"]);
    assert_eq!(half_hours.totals.counts.counters, day.totals.counts.counters);
    assert!(world.dirty().await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_run_says_what_it_was_made_of() {
    let world = World::new();
    world.deliver("a", &[call(9)]).await;
    world.deliver("b", &[call(-1)]).await;
    world.run(Schedule::Frequent).await;
    let note: Value = serde_json::from_slice(&world.lake.get(&keys::gold_run(TODAY, 1)).unwrap()).unwrap();
    assert_eq!(
        (&note["counted"], &note["utcDate"], &note["inputs"]["files"]),
        (&json!("intervals"), &json!("2026-03-02"), &json!(2))
    );
    assert_eq!(note["inputs"]["listed"].as_array().unwrap().len(), 2);
    assert_eq!(note["sqlSha256"], json!(*ledgerline_lake::sql::SHA256));
    assert!(note["executions"][0]["id"].as_str().unwrap().starts_with("execution-"));
    assert_eq!(note["countedBy"], json!({ "2026-03-02": 1 }));
}

/// Whoever asks what a figure was counted of finds the note in one step, whatever put the newest revision.
#[tokio::test(start_paused = true)]
async fn a_note_names_the_revision_that_counted_each_utc_date() {
    let world = World::zoned("Europe/Berlin");
    world.deliver("a", &[call(9)]).await;
    world.settle().await;
    world.deliver("b", &[(at(date!(2026 - 03 - 01), 23), "q-1", 30_000)]).await;
    world.settle().await;
    let counted_by = |revision| -> Value {
        let note = world.lake.get(&keys::gold_run(TODAY, revision)).unwrap();
        serde_json::from_slice::<Value>(&note).unwrap()["countedBy"].clone()
    };
    assert_eq!(counted_by(1), json!({ "2026-03-02": 1 }));
    let last = world.daily(TODAY).revision;
    assert_eq!(
        counted_by(last),
        json!({ "2026-03-01": last, "2026-03-02": 1 }),
        "23:00 of UTC is the next day in Berlin"
    );
    // Repeats list nothing, and keep what the note before knew.
    world.one("2026-03-02").await.unwrap();
    let told = world.daily(TODAY).revision;
    assert!(told > last);
    assert_eq!(counted_by(told), json!({ "2026-03-01": last, "2026-03-02": 1 }));
}

#[tokio::test(start_paused = true)]
async fn each_revision_is_told_to_open_lineage_once() {
    let world = World::new();
    world.deliver("a", &[call(9)]).await;
    world.settle().await;
    let key = keys::open_lineage(TODAY, 1);
    let told = String::from_utf8(world.lake.get(&key).unwrap().to_vec()).unwrap();
    let events: Vec<Value> = told.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let kinds: Vec<&str> = events.iter().map(|event| event["eventType"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["START", "COMPLETE"]);
    assert_eq!(events[1]["inputs"][0]["namespace"], "s3://lake");
    let note: Value = serde_json::from_slice(&world.lake.get(&keys::gold_run(TODAY, 1)).unwrap()).unwrap();
    let version = &events[1]["inputs"][0]["facets"]["version"]["datasetVersion"];
    assert_eq!(*version, note["inputs"]["digest"], "the very input of the note");
    world.one("2026-03-02").await.unwrap();
    assert_eq!(world.lake.under(keys::LINEAGE).len(), 2, "repeats are a revision of their own");
    assert_eq!(world.lake.get(&key).unwrap(), told.as_bytes());
}

#[tokio::test(start_paused = true)]
async fn nothing_is_put_or_scanned_again_where_nothing_changed() {
    let world = World::new();
    world.deliver("a", &[call(9)]).await;
    world.settle().await;
    let (before, scanned) = (world.lake.all(), world.athena.scanned().len());
    assert_eq!(world.run(Schedule::Frequent).await.computed.len(), 0);
    // By hand: the same text over the same input is the same execution.
    let asked = world.one("2026-03-02").await.unwrap();
    assert_eq!((asked.computed, world.athena.scanned().len()), (vec!["2026-03-02".to_owned()], scanned + 1));
    assert!(world.athena.scanned().last().unwrap().contains("fcr_eligible"), "only repeats were new");
    world.one("2026-03-02").await.unwrap();
    let changed = |world: &World| {
        let all = world.lake.all();
        all.into_iter()
            .filter(|(key, versions)| before.get(key) != Some(versions))
            .map(|(key, _)| key)
            .collect::<Vec<_>>()
    };
    let told = [
        "gold/gold_daily_queue_metrics/date=2026-03-02/part.parquet",
        "gold/runs/date=2026-03-02/2.json",
        "gold/summary/date=2026-03-02/daily.json",
        "lineage/date=2026-03-02/2.jsonl",
    ];
    assert_eq!(changed(&world), told);
    assert_eq!(world.document(TODAY, Granularity::HalfHourly).unwrap().revision, 1);
}

#[tokio::test(start_paused = true)]
async fn late_events_land_on_their_own_date_and_change_no_other_file() {
    let mut world = World::new();
    let days = [0, 1, 6, 9].map(|back| NOW_MS - back * DAY_MS);
    for (object, start_ms) in ["a", "b", "c", "d"].iter().zip(days) {
        world.deliver(object, &[(start_ms, "q-1", 60_000)]).await;
    }
    world.run(Schedule::Nightly).await;
    world.settle().await;
    world.now_ms += 8 * HOUR_MS;
    for (late_by, schedule) in [(0, Schedule::Frequent), (6, Schedule::Frequent), (9, Schedule::Nightly)] {
        let before = world.lake.all();
        let start_ms = NOW_MS - late_by * DAY_MS - HOUR_MS;
        let date = ledgerline_figures::zone::utc_date_of(start_ms).unwrap();
        let revision = world.daily(date).revision;
        world.deliver(&format!("late-{late_by}"), &[(start_ms, "q-1", 30_000)]).await;
        let after_delivery = world.lake.all();
        world.run(schedule).await;
        let day = world.daily(date);
        assert!(day.revision > revision && day.rows[0].figures.total_contacts == 2, "{date}");
        let of_date = format!("date={}/", keys::iso_date(date));
        let changed = world.lake.all().into_iter().filter(|(key, now)| after_delivery.get(key) != Some(now));
        for (key, _) in changed {
            // Repeats of the week before change by night, in documents that say so.
            assert!(
                key.contains(&of_date) || schedule == Schedule::Nightly && !key.contains("interval"),
                "{key} of {date}"
            );
        }
        assert_eq!(before.len(), after_delivery.len() - 1);
    }
    assert!(world.dirty().await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_day_of_another_zone_has_the_half_hours_that_are_its_own() {
    let world = World::zoned("Europe/Berlin");
    world
        .deliver("a", &[call(9), (at(TODAY, 23), "q-1", 60_000), (at(date!(2026 - 03 - 01), 23), "q-1", 30_000)])
        .await;
    world.settle().await;
    let contacts = |date| world.document(date, Granularity::Daily).map(|day| day.totals.figures.total_contacts);
    let days = [date!(2026 - 03 - 01), TODAY, date!(2026 - 03 - 03)].map(contacts);
    assert_eq!(days, [Some(0), Some(2), Some(1)], "23:00 of UTC is midnight in Berlin");
    for day in [TODAY, date!(2026 - 03 - 03)] {
        let half_hours = world.document(day, Granularity::HalfHourly).unwrap();
        assert_eq!(half_hours.totals.counts.counters, world.daily(day).totals.counts.counters);
        assert_eq!(half_hours.time_zone, "Europe/Berlin");
    }
    let intervals = gold::read_intervals(world.lake.get(&keys::gold_intervals(TODAY)).unwrap()).unwrap();
    assert_eq!(intervals.len(), 2, "the interval file goes by UTC");
}

#[tokio::test(start_paused = true)]
async fn the_order_of_objects_and_their_names_leave_the_figures_as_they_are() {
    let (one, other) = (World::new(), World::new());
    one.deliver("a", &[call(9), call(11)]).await;
    one.deliver("b", &[call(10)]).await;
    other.deliver("x", &[call(11)]).await;
    other.deliver("y", &[call(10)]).await;
    other.deliver("z", &[call(9)]).await;
    one.settle().await;
    other.settle().await;
    assert_eq!(one.figures(), other.figures());
}

#[tokio::test(start_paused = true)]
async fn a_rewritten_file_is_counted_again_and_equal_bytes_are_not_put() {
    let world = World::new();
    world.deliver("a", &[call(9)]).await;
    world.settle().await;
    let (before, scanned) = (world.gold(), world.athena.scanned().len());
    // As an erasure does: the same key, another tag; nothing that is counted changes.
    world.deliver("a", &[call(9)]).await;
    world.settle().await;
    assert_eq!((world.gold(), world.athena.scanned().len()), (before, scanned + 1));
}

#[tokio::test(start_paused = true)]
async fn the_owners_targets_decide_what_is_within() {
    let world = World::new();
    world.deliver("a", &[call(8), call(8), call(8), call(8)]).await;
    let level = |world: &World| serde_json::to_value(world.daily(TODAY).totals).unwrap()["service_level_pct"].clone();
    world.settle().await;
    assert_eq!(level(&world), json!(0.0));
    for (seconds, percent) in [(45, 75.0), (90, 100.0)] {
        world.lake.seed(keys::REFERENCE_QUEUES, format!("queue_id,media,target_seconds\nq-1,VOICE,{seconds}\n"));
        world.one("2026-03-02").await.unwrap();
        assert_eq!(level(&world), json!(percent));
    }
    assert_eq!(world.daily(TODAY).definitions.targets_ms.of(Some("q-1"), "VOICE"), 90_000);
    world.lake.seed(keys::REFERENCE_QUEUES, "queue_id,media,target_seconds\nq-1,FAX,20\n");
    let error = world.one("2026-03-02").await.unwrap_err().to_string();
    assert!(error.contains("line 2 of reference/queues.csv"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn what_failed_is_told_and_begun_again_within_bounds() {
    let mut world = World::new();
    world.deliver("a", &[call(9)]).await;
    world.athena.set_answer(|_| Answered::Failed("PERMISSION_DENIED"));
    let answer = world.run(Schedule::Frequent).await;
    assert_eq!((answer.failures, world.athena.scanned().len()), (1, 3));
    assert_eq!(world.dirty().await, [TODAY], "the days beside it had nothing to ask");
    let error = world.one("2026-03-02").await.unwrap_err().to_string();
    assert!(error.contains("PERMISSION_DENIED") && error.contains("execution-"), "{error}");
    assert_eq!(world.athena.scanned().len(), 3, "within the hour nothing is begun again");
    world.now_ms += HOUR_MS;
    let lake = world.lake.clone();
    world.athena.set_answer(move |sql| crate::world::answered(&lake, sql));
    world.settle().await;
    assert_eq!((world.daily(TODAY).totals.figures.total_contacts, world.athena.scanned().len()), (1, 4));
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_expired_is_asked_for_again() {
    let world = World::new();
    world.deliver("a", &[call(9)]).await;
    world.settle().await;
    let before = world.gold();
    world.athena.expire_all();
    // The same input, as if the run that asked had died before it wrote.
    world.one("2026-03-02").await.unwrap();
    assert_eq!(world.gold()[&keys::gold_intervals(TODAY)], before[&keys::gold_intervals(TODAY)]);
    assert!(world.dirty().await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_row_that_is_not_the_statements_is_refused() {
    let world = World::new();
    world.deliver("a", &[call(9)]).await;
    world.athena.set_answer(|_| Answered::Rows(vec!["org".to_owned()], vec![vec![Some("acme".to_owned())]]));
    let error = world.one("2026-03-02").await.unwrap_err().to_string();
    assert!(error.contains("not one of the statement's"), "{error}");
    assert!(world.gold().is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_empty_date_that_had_figures_is_written_empty() {
    let world = World::new();
    world.deliver("a", &[call(9)]).await;
    world.settle().await;
    for key in world.lake.keys(keys::SILVER) {
        world.lake.erase(&key);
    }
    world.dates.touch(TODAY).await.unwrap();
    world.settle().await;
    let day = world.daily(TODAY);
    assert_eq!((day.rows.len(), day.revision), (0, 2));
    assert!(lay(&world.lake, "none", &[]).is_empty());
}
