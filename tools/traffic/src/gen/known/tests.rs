//! The plan, its events and its figures against each other, by hand where a mistake would be the same on both sides.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use time::macros::date;

use super::truth::{Cell, Counters};
use super::*;

fn args(interactions: u32, seed: u64) -> KnownArgs {
    KnownArgs { interactions, seed, date: date!(2026 - 03 - 02), org: "acme".to_owned(), expected: None }
}

fn bodies(records: &[Vec<u8>]) -> Vec<(String, Value)> {
    let read = |record: &Vec<u8>| {
        let event: Value = serde_json::from_slice(record).unwrap();
        match event.get("detail-type") {
            Some(topic) => (topic.as_str().unwrap().to_owned(), event["detail"]["eventBody"].clone()),
            None => ("survey".to_owned(), event),
        }
    };
    records.iter().map(read).collect()
}

fn sum(expected: &Expected, counter: &str) -> i64 {
    let intervals = expected.days.values().flat_map(|day| &day.intervals);
    intervals.map(|interval| interval.counters[counter]).sum()
}

#[test]
fn the_same_arguments_give_the_same_day_and_another_seed_another() {
    let [once, again, other] = [1, 1, 2].map(|seed| generate(&args(60, seed)));
    assert_eq!((&once.in_time, &once.late, &once.again), (&again.in_time, &again.late, &again.again));
    assert_eq!(once.expected, again.expected);
    assert!(once.in_time != other.in_time && once.expected != other.expected);
}

#[test]
fn what_is_told_adds_up_to_what_is_expected() {
    let day = generate(&args(300, 3));
    let told = bodies(&[day.in_time.clone(), day.late.clone()].concat());
    let of = |kind: &str| -> Vec<&Value> {
        told.iter().filter(|(topic, _)| topic.ends_with(&format!(".{kind}"))).map(|(_, body)| body).collect()
    };
    let total = |events: &[&Value], name: &str| -> i64 { events.iter().filter_map(|body| body[name].as_i64()).sum() };
    let ended = of("acd.end");
    let by_outcome = |outcome: &str| ended.iter().filter(|body| body["acdOutcome"] == outcome).count() as i64;
    let expected = &day.expected;
    assert_eq!(sum(expected, "offered"), of("acd.start").len() as i64);
    assert_eq!(sum(expected, "answered"), by_outcome("ANSWERED"));
    assert_eq!(sum(expected, "abandoned"), by_outcome("ABANDON"));
    assert_eq!(sum(expected, "flow_out"), by_outcome("FLOW_OUT"));
    let untold = ended.iter().filter(|body| body.get("acdOutcome").is_none()).count();
    assert_eq!(sum(expected, "outcome_unknown"), untold as i64);
    let ended = of("user.end");
    assert_eq!(sum(expected, "talk_ms"), total(&ended, "interactingDurationMs"));
    assert_eq!(sum(expected, "held_ms"), total(&ended, "heldDurationMs"));
    let dialled = total(&ended, "dialingDurationMs") + total(&ended, "contactingDurationMs");
    assert_eq!(sum(expected, "dial_ms"), dialled);
    assert_eq!(sum(expected, "acw_ms"), total(&of("acw"), "wrapupDurationMs"));
    assert!(total(&of("wrapup"), "wrapupDurationMs") > 0, "some of the work is told twice");
    let handed_over = |how: &str| ended.iter().filter(|body| body["disconnectType"] == how).count() as i64;
    assert_eq!(sum(expected, "transfers_blind"), handed_over("TRANSFER"));
    let surveys = told.iter().filter(|(topic, _)| topic == "survey").count();
    assert_eq!(sum(expected, "surveys"), surveys as i64);
    let counted = ["acd.start", "acd.end", "user.end", "acw"].map(|kind| of(kind).len()).iter().sum::<usize>();
    assert_eq!(sum(expected, "events"), (counted + surveys) as i64);
}

#[test]
fn every_counter_counts_something_and_every_ratio_is_one() {
    let day = generate(&args(300, 3));
    for counter in OF_INTERVALS {
        assert!(sum(&day.expected, counter) > 0, "{counter}");
    }
    let totals = &day.expected.days["2026-03-02"].totals;
    for (name, ratio) in &totals.hundredths {
        assert!(ratio.is_some_and(|ratio| ratio > 0), "{name}");
    }
    let percents = ["service_level_pct", "fcr_rate_pct", "no_contact_7d_pct", "abandon_rate_pct"];
    assert!(percents.iter().all(|name| totals.hundredths[name].unwrap() < 10_000), "{totals:?}");
    assert!(totals.counters["fcr_resolved"] > totals.counters["no_contact_7d"]);
    let media: BTreeSet<&str> = day.expected.days["2026-03-02"].daily.iter().map(|row| row.media).collect();
    assert_eq!(media, BTreeSet::from(["CALLBACK", "CHAT", "EMAIL", "MESSAGE", "VOICE"]));
}

#[test]
fn a_callback_counts_as_one_and_its_call_nowhere_else() {
    let day = generate(&args(300, 3));
    let told = bodies(&[day.in_time.clone(), day.late.clone()].concat());
    let callbacks: BTreeSet<&str> = told
        .iter()
        .filter(|(topic, body)| topic.ends_with("acd.end") && body["mediaType"] == "CALLBACK")
        .map(|(_, body)| body["conversationId"].as_str().unwrap())
        .collect();
    let legs = |media: &str| {
        let ended = told.iter().filter(|(topic, _)| topic.ends_with("user.end"));
        ended
            .filter(|(_, body)| {
                body["mediaType"] == media && callbacks.contains(body["conversationId"].as_str().unwrap())
            })
            .count()
    };
    assert!(callbacks.len() > 1 && legs("CALLBACK") == callbacks.len() && legs("VOICE") == callbacks.len());
    let rows = day.expected.days.values().flat_map(|day| &day.intervals);
    let rows: Vec<&Interval> = rows.filter(|row| row.cell.media == "CALLBACK").collect();
    let sum = |counter: &str| rows.iter().map(|row| row.counters[counter]).sum::<i64>();
    let all = callbacks.len() as i64;
    assert_eq!((sum("offered"), sum("answered"), sum("handled")), (all, all, all));
    assert!(sum("handle_sessions") > all, "some callbacks had work after them beside that of their calls");
    assert!(rows.iter().all(|row| row.cell.direction == "INBOUND"));
}

#[test]
fn what_is_late_is_missing_before_and_there_after() {
    let day = generate(&args(300, 3));
    assert!(day.late.len() > 20 && day.late.len() * 5 < day.in_time.len(), "{}", day.late.len());
    for counter in ["answered", "acw_ms", "surveys", "events"] {
        assert!(sum(&day.expected_in_time, counter) < sum(&day.expected, counter), "{counter}");
    }
}

#[test]
fn who_comes_again_counts_to_the_millisecond_of_the_week() {
    // By hand: the distances of the plan, of people who were answered once and came again answered.
    let day = generate(&args(2_000, 1));
    let told = bodies(&[day.in_time.clone(), day.late.clone()].concat());
    let mut contacts: BTreeMap<String, (String, i64, bool)> = BTreeMap::new();
    for (topic, body) in &told {
        let Some(id) = body["conversationId"].as_str() else { continue };
        let entry = contacts.entry(id.to_owned()).or_insert((String::new(), 0, false));
        if topic.ends_with("customer.start") && body["direction"] == "INBOUND" {
            let address = ["ani", "addressFrom"].iter().find_map(|name| body[*name].as_str());
            let address = address.or_else(|| body["callbackNumbers"][0].as_str()).unwrap_or_default();
            *entry = (address.trim_start_matches("tel:").to_owned(), body["eventTime"].as_i64().unwrap(), entry.2);
        }
        entry.2 |= topic.ends_with("acd.end") && body["acdOutcome"] == "ANSWERED";
    }
    contacts.retain(|_, (address, ..)| !address.is_empty() && !address.starts_with("sip:"));
    let answered: Vec<&(String, i64, bool)> = contacts.values().filter(|one| one.2).collect();
    let came_again = |one: &(String, i64, bool)| {
        answered.iter().any(|other| other.0 == one.0 && other.1 > one.1 && other.1 - one.1 <= 7 * 86_400_000)
    };
    let resolved = answered.iter().filter(|one| !came_again(one)).count() as i64;
    let sums = |name: &str| day.expected.days.values().map(|day| day.totals.counters[name]).sum::<i64>();
    assert_eq!((sums("fcr_eligible"), sums("fcr_resolved")), (answered.len() as i64, resolved));
    let exactly = |distance_ms: i64| {
        answered.iter().any(|one| answered.iter().any(|other| other.0 == one.0 && other.1 - one.1 == distance_ms))
    };
    assert!(exactly(7 * 86_400_000) && exactly(7 * 86_400_000 + 1), "both sides of the week are in the plan");
}

#[test]
fn ratios_are_rounded_half_up_once() {
    let counters = |pairs: &[(&'static str, i64)]| pairs.iter().copied().collect::<Counters>();
    let sums = super::truth::Sums::of(counters(&[
        ("answered", 2),
        ("abandoned", 1),
        ("within_target", 2),
        ("handled", 8),
        ("talk_ms", 1_000),
    ]));
    assert_eq!(sums.hundredths["service_level_pct"], Some(6_667));
    assert_eq!(sums.hundredths["avg_duration_sec"], Some(13), "0.125 s");
    assert_eq!(sums.hundredths["fcr_rate_pct"], None);
    assert_eq!(sums.counters["total_contacts"], 3);
}

#[test]
fn no_two_rows_are_of_the_same_cell() {
    let day = generate(&args(300, 3));
    for day in day.expected.days.values() {
        let cells: BTreeSet<&Cell> = day.intervals.iter().map(|row| &row.cell).collect();
        assert_eq!(cells.len(), day.intervals.len());
    }
}
