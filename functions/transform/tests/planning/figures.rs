//! What silver has for figures: surveys, outcomes, and the dates that are marked when it changes.

use std::collections::BTreeMap;

use ledgerline_lake::ObjectId;
use ledgerline_lake::keys::PlanOf;
use ledgerline_store::gold_date::{GoldDate, GoldDates};
use ledgerline_store::object_row;
use ledgerline_testkit::faults::{Fault, Faults};
use serde_json::json;

use crate::erasures::{is_erased_row, plant, silver};
use crate::own::answered;
use crate::world::{BUCKET, T0, World, event, key, lines};

const DAY_MS: i64 = 86_400_000;

/// The dates that were touched, and how often.
async fn touched(world: &World) -> BTreeMap<String, u64> {
    let dates = GoldDates::new(world.others_control()).all().await.unwrap();
    let of = |GoldDate { date, touched, computed }: GoldDate| {
        assert_eq!(computed, 0, "transform computes nothing");
        (date.to_string(), touched)
    };
    dates.into_iter().map(of).collect()
}

fn dates(dates: &[(&str, u64)]) -> BTreeMap<String, u64> {
    dates.iter().map(|(date, touched)| ((*date).to_owned(), *touched)).collect()
}

/// A flat event of these instants.
fn told(interaction: &str, at_ms: i64) -> String {
    json!({"interactionId": interaction, "eventType": "answered", "timestamp": at_ms, "mediaType": "VOICE"}).to_string()
}

#[tokio::test]
async fn each_day_of_an_objects_events_and_those_beside_it_are_marked_once() {
    let world = World::new();
    let raws = [told("c-1", T0), told("c-2", T0 + 1), told("c-3", T0 - 9 * DAY_MS)];
    world.bronze.seed(&key("a"), lines(&raws));
    world.settle(&[&key("a")]).await;
    let first = [
        ("2026-02-20", 1),
        ("2026-02-21", 1),
        ("2026-02-22", 1),
        ("2026-03-01", 1),
        ("2026-03-02", 1),
        ("2026-03-03", 1),
    ];
    assert_eq!(touched(&world).await, dates(&first));
    // Planned: nothing is marked again. Another object: its dates are.
    world.settle(&[&key("a")]).await;
    assert_eq!(touched(&world).await, dates(&first));
    world.bronze.seed(&key("b"), lines(&[told("c-4", T0 + DAY_MS)]));
    world.settle(&[&key("b")]).await;
    let marks = touched(&world).await;
    assert_eq!((marks["2026-03-01"], marks["2026-03-02"], marks["2026-03-03"], marks["2026-03-04"]), (1, 2, 2, 1));
}

/// What lineage tells of the way: the object's row says on which days silver has it, by which policy and by which code.
#[tokio::test]
async fn a_planned_objects_row_names_its_silver_files_and_what_made_them() {
    let world = World::new();
    let raws = [told("c-1", T0), told("c-2", T0 + 1), told("c-3", T0 - 9 * DAY_MS)];
    world.bronze.seed(&key("a"), lines(&raws));
    world.settle(&[&key("a")]).await;
    let object = ObjectId::of(BUCKET, &key("a"));
    let row = world.control.progress(PlanOf::Bronze, &object.to_hex());
    assert_eq!(row.silver, ["2026-02-21", "2026-03-02"]);
    let files: Vec<String> = world.lake.under("silver/").into_keys().collect();
    let named: Vec<String> =
        row.silver.iter().map(|date| format!("silver/events/date={date}/{object}.parquet")).collect();
    assert_eq!(files, named);
    assert_eq!(
        (row.policy_hash.as_deref().map(str::len), row.code.as_deref()),
        (Some(64), Some(env!("CARGO_PKG_VERSION")))
    );
    // One that is planned before its row says so is carried out as it is: the plan itself has all of it.
    world.control.change(&object_row::key(PlanOf::Bronze, object.to_hex()), |row| {
        ["status", "silver", "policyHash", "code", "plannedAt"].iter().for_each(|name| drop(row.remove(*name)));
    });
    world.lake.under("silver/").keys().for_each(|key| world.lake.erase(key));
    world.settle(&[&key("a")]).await;
    assert_eq!(world.control.progress(PlanOf::Bronze, &object.to_hex()).silver, row.silver);
}

#[tokio::test]
async fn what_makes_no_silver_marks_nothing_and_dates_beyond_the_tables_are_not_marked() {
    let world = World::new();
    let beat = answered("acme", "c-1", "heartbeat", json!({}));
    world.bronze.seed(&key("a"), lines(&[beat, "{\"no\": 1}".to_owned()]));
    world.settle(&[&key("a")]).await;
    assert_eq!(touched(&world).await, dates(&[]));
    let early = json!({"interactionId": "c-2", "eventType": "answered", "timestamp": "1990-01-01T12:00:00Z"});
    world.bronze.seed(&key("b"), lines(&[early.to_string()]));
    world.settle(&[&key("b")]).await;
    assert_eq!(touched(&world).await, dates(&[("1990-01-01", 1), ("1990-01-02", 1)]));
}

/// Whatever is lost before the plan, the dates are marked behind the silver that counts, and before the plan is there.
#[tokio::test]
async fn dates_are_marked_behind_silver_and_before_the_plan_at_every_fault() {
    let seeded = |faults: Faults| {
        let world = World::with(faults);
        world.bronze.seed(&key("a"), lines(&[event(1, 0), event(1, 3)]));
        world
    };
    let world = seeded(Faults::none());
    assert!(world.deliver(&[&key("a")]).await.is_empty());
    let writes = world.faults.log();
    let (mut between, mut again) = (0, 0);
    for (nth, write) in writes.iter().enumerate() {
        for fault in [Fault::Lost, Fault::PersistedButErrored] {
            let world = seeded(Faults::at(nth, fault));
            let back = world.deliver(&[&key("a")]).await;
            let is_marked = touched(&world).await.len() == 3;
            let (silver, plan) = (world.lake.under("silver/"), world.staged.under("staged/"));
            assert!(plan.is_empty() || is_marked, "{fault:?} at {write}: a plan of dates that nobody computes");
            assert!(!silver.is_empty() || touched(&world).await.is_empty(), "{fault:?} at {write}: a mark too early");
            between += usize::from(!silver.is_empty() && !is_marked);
            if !back.is_empty() {
                world.lake.grow_old();
                world.settle(&[&key("a")]).await;
            }
            let marks = touched(&world).await;
            assert_eq!(marks.len(), 3, "{fault:?} at {write}");
            again += usize::from(marks.values().any(|touched| *touched > 1));
            assert_eq!(world.check().counts.planned, 2);
        }
    }
    assert!(between > 0 && again > 0, "no fault struck between silver and the last mark");
}

#[tokio::test]
async fn a_run_that_computes_between_silver_and_its_mark_finds_the_date_dirty_again() {
    let world = World::new();
    world.bronze.seed(&key("a"), lines(&[told("c-1", T0)]));
    world.settle(&[&key("a")]).await;
    let gold = GoldDates::new(world.others_control());
    for dirty in gold.dirty().await.unwrap() {
        assert!(gold.computed(dirty.date, dirty.touched).await.unwrap());
    }
    assert!(gold.dirty().await.unwrap().is_empty());
    world.bronze.seed(&key("b"), lines(&[told("c-2", T0)]));
    world.settle(&[&key("b")]).await;
    let dirty: Vec<String> = gold.dirty().await.unwrap().iter().map(|one| one.date.to_string()).collect();
    assert_eq!(dirty, ["2026-03-01", "2026-03-02", "2026-03-03"]);
}

#[tokio::test]
async fn surveys_outcomes_and_what_has_no_column_are_in_silver_and_scores_outlive_an_erasure() {
    let survey = json!({"conversationId": "c-1", "surveyId": "s-1", "surveyStatus": "Finished", "oSurveyTotalScore": 87.5,
        "surveyPromoterScore": 9, "queueId": "q-sales-support", "eventTime": "2026-03-02T14:00:05Z",
        "customerPhone": "+15555550142"});
    let row = json!({"event_id": "e-1", "timestamp": T0, "event_type": "CONTACT", "contact_id": "k-1", "outcome_status": "Cancelled"});
    let queued = json!({"interactionId": "c-2", "eventType": "acdEnd", "timestamp": T0, "requestedRoutings": ["standard"],
        "queueId": "5169b6fa-0543-5428-8d60-2e3d7a1d2909", "outboundCampaignId": "8b315b72-a4ce-5e30-a09f-addad0059a02"});
    let raws = [survey, row, queued].map(|raw| raw.to_string());
    let cell = |world: &World, event: &str, column: &str| {
        let rows = silver(world);
        let row = rows.iter().find(|row| row["event_type"] == format!("\"{event}\"")).unwrap();
        row.get(column).cloned()
    };
    let world = World::new();
    world.bronze.seed(&key("a"), lines(&raws));
    world.settle(&[&key("a")]).await;
    for (event, column, value) in [
        ("survey", "survey_score_centi", Some("8750")),
        ("survey", "survey_nps", Some("9")),
        ("survey", "queue_id", Some("\"q-sales-support\"")),
        ("survey", "outcome_map", None),
        ("interaction.end", "outcome", Some("\"ABANDONED\"")),
        ("interaction.end", "outcome_source", Some("\"Cancelled\"")),
        ("interaction.end", "outcome_map", Some("\"1\"")),
        ("interaction.end", "survey_score_centi", None),
        ("acd.end", "custom", Some("\"{\"requested_routings\":[\"STANDARD\"]}\"")),
        ("acd.end", "outbound_campaign_id", Some("\"8b315b72-a4ce-5e30-a09f-addad0059a02\"")),
    ] {
        assert_eq!(cell(&world, event, column).as_deref(), value, "{event}: {column}");
    }
    let erased = World::new();
    plant(&erased, &raws[..1], T0 + 60_000).await;
    erased.bronze.seed(&key("a"), lines(&raws));
    erased.settle(&[&key("a")]).await;
    assert_eq!(silver(&erased).iter().filter(|row| is_erased_row(row)).count(), 1);
    assert_eq!(cell(&erased, "survey", "survey_score_centi").as_deref(), Some("8750"));
}
