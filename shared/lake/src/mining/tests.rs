//! What is told of a conversation stands in its order, in every form, and names nobody who was not asked for.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use time::macros::date;

use super::*;

mod bulk;
mod forms;
mod rows;

/// 2026-03-02T23:59:00Z: a minute before midnight.
const LATE_MS: i64 = 1_772_495_940_000;

/// An event of a kind, so many milliseconds after the first, on a leg.
fn event(kind: &str, after_ms: i64, leg: &str) -> Event {
    let built_in = ledgerline_event::catalogue::built_in();
    Event {
        case: "c-1".to_owned(),
        at_ms: LATE_MS + after_ms,
        rank: i64::from(built_in.rank_of(kind, Some(1))),
        id: format!("{kind} {after_ms}"),
        kind: kind.to_owned(),
        activity: format!("Activity of {kind}"),
        media: Some("VOICE".to_owned()),
        direction: Some("INBOUND".to_owned()),
        leg: Some(leg.to_owned()),
        ..Event::default()
    }
}

/// A call across midnight: flow, queue, agent, work afterwards.
fn call() -> Vec<Event> {
    let queue = |event: Event| Event { queue: Some("q-1".to_owned()), ..event };
    let agent = |event: Event| Event { agent: Some("p1_aa".to_owned()), ..queue(event) };
    let text = |text: &str| Some(text.to_owned());
    vec![
        Event { customer: text("c_aa"), ..event("customer.start", 0, "customer") },
        Event { flow: text("f-1"), ..event("flow.start", 400, "flow") },
        Event { flow: text("f-1"), ..event("flow.end", 45_000, "flow") },
        queue(event("acd.start", 45_200, "queue")),
        Event { acd_outcome: text("ANSWERED"), ..queue(event("acd.end", 63_000, "queue")) },
        agent(event("user.start", 58_700, "agent")),
        Event { disconnect_type: text("TRANSFER"), ..agent(event("user.end", 243_000, "agent")) },
        event("customer.end", 243_000, "customer"),
        Event { wrapup_ms: Some(15_000), wrapup_code: text("w-1"), ..agent(event("acw", 258_000, "agent")) },
        event("wrapup", 258_000, "agent"),
    ]
}

fn case(events: Vec<Event>) -> Case {
    Case::new(events).unwrap()
}

fn kinds(case: &Case) -> Vec<&str> {
    case.events().iter().map(|event| event.kind.as_str()).collect()
}

fn labels(view: View, people: People) -> Labels {
    Labels {
        process: "Support & <more>".to_owned(),
        view,
        from: date!(2026 - 03 - 02),
        to: date!(2026 - 03 - 02),
        people,
    }
}

/// An output that can be looked at while its writer is in a box.
#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl Shared {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The steps of a log of these cases, as it writes them.
fn write(mut log: Box<dyn Log>, view: View, cases: &[Case]) {
    cases.iter().for_each(|case| log.case(case, &view.steps(case)).unwrap());
    log.finish().unwrap();
}

/// In each of the three forms.
fn written(view: View, people: &People, cases: &[Case]) -> Vec<String> {
    let (xes, ocel) = (Shared::default(), Shared::default());
    let tables = [Shared::default(), Shared::default(), Shared::default()];
    let labels = || labels(view, people.clone());
    write(Box::new(xes::Xes::new(xes.clone(), labels()).unwrap()), view, cases);
    let spool = || io::Cursor::new(Vec::new());
    write(Box::new(ocel::Ocel::new(ocel.clone(), spool(), spool(), labels()).unwrap()), view, cases);
    write(Box::new(tables::Tables::new(tables.clone(), labels()).unwrap()), view, cases);
    [xes, ocel].into_iter().chain(tables).map(|form| form.text()).collect()
}

#[test]
fn events_stand_in_their_order_however_they_came() {
    let expected = kinds(&case(call())).into_iter().map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(
        expected,
        [
            "customer.start",
            "flow.start",
            "flow.end",
            "acd.start",
            "user.start",
            "acd.end",
            "user.end",
            "customer.end",
            "acw",
            "wrapup"
        ]
    );
    // Wrap-up before answer, as a slow network has it; a stray packet that comes last; every rotation.
    for rotated in 0..call().len() {
        let mut events = call();
        events.rotate_left(rotated);
        events.reverse();
        let case = case(events);
        assert_eq!(kinds(&case), expected, "{rotated}");
        for view in [View::Milestones, View::Intervals] {
            let steps = view.steps(&case);
            assert!((1..).zip(&steps).all(|(order, step)| step.order == order), "{view:?}");
            assert!(steps.windows(2).all(|pair| pair[0].at_ms <= pair[1].at_ms), "{view:?}");
        }
    }
}

#[test]
fn of_one_instant_the_sources_own_number_counts_before_the_rank_and_the_id_last() {
    let at = |kind: &str, sequence, id: &str| Event { sequence, id: id.to_owned(), ..event(kind, 0, "l") };
    let events = vec![
        at("customer.end", Some(1), "a"),
        at("acd.start", Some(2), "b"),
        at("flow.end", None, "d"),
        at("acd.start", None, "c"),
        at("acd.start", None, "b"),
    ];
    let case = case(events);
    let ids: Vec<(&str, &str)> = case.events().iter().map(|event| (event.kind.as_str(), event.id.as_str())).collect();
    let first = ["flow.end", "acd.start"].map(|kind| ledgerline_event::catalogue::built_in().rank_of(kind, Some(1)));
    assert!(first[0] < first[1], "the test's ranks");
    assert_eq!(
        ids,
        [("flow.end", "d"), ("acd.start", "b"), ("acd.start", "c"), ("customer.end", "a"), ("acd.start", "b")]
    );
}

#[test]
fn what_lasted_is_a_pair_of_one_name_and_one_instance() {
    let case = case(call());
    let steps = View::Intervals.steps(&case);
    let told: Vec<(&str, &str, i64, u64, bool)> = steps
        .iter()
        .map(|step| {
            (step.activity, step.transition.as_str(), step.at_ms - LATE_MS, step.instance.unwrap(), step.imputed)
        })
        .collect();
    assert_eq!(
        told,
        [
            ("IVR", "start", 400, 1, false),
            ("IVR", "complete", 45_000, 1, false),
            ("Queue", "start", 45_200, 2, false),
            ("Agent", "start", 58_700, 3, false),
            ("Queue", "complete", 63_000, 2, false),
            ("Agent", "complete", 243_000, 3, false),
            ("After-call work", "start", 243_000, 4, true),
            ("After-call work", "complete", 258_000, 4, false),
        ]
    );
}

#[test]
fn an_abandon_is_an_abort_and_what_has_no_other_half_stands_alone() {
    let given_up = Event { acd_outcome: Some("ABANDON".to_owned()), ..event("acd.end", 9_000, "queue") };
    let unbelievable = Event { wrapup_ms: None, ..event("acw", 20_000, "agent") };
    let events = vec![
        event("acd.start", 1_000, "queue"),
        given_up,
        event("user.start", 2_000, "one"),
        event("user.end", 3_000, "two"),
    ];
    let case = case([events, vec![unbelievable]].concat());
    let steps = View::Intervals.steps(&case);
    let told: Vec<(&str, &str)> = steps.iter().map(|step| (step.activity, step.transition.as_str())).collect();
    assert_eq!(
        told,
        [
            ("Queue", "start"),
            ("Agent", "start"),
            ("Agent", "complete"),
            ("Queue", "abort"),
            ("After-call work", "complete")
        ]
    );
    let instances: BTreeSet<u64> = steps.iter().filter_map(|step| step.instance).collect();
    assert_eq!(instances.len(), 4, "the agent's two halves are of two legs");
    assert_eq!(case.facts().disposition, Some("ABANDONED"));
}

#[test]
fn a_callback_and_its_voice_leg_are_one_case_and_each_leg_pairs_with_itself() {
    let callback = |event: Event| Event { media: Some("CALLBACK".to_owned()), ..event };
    let outbound = |event: Event| Event { direction: Some("OUTBOUND".to_owned()), ..event };
    let events = vec![
        callback(event("acd.start", 0, "queue")),
        callback(event("acd.end", 60_000, "queue")),
        // The callback is in the agent's hand from before the call until after it.
        callback(event("user.start", 61_000, "callback")),
        outbound(event("user.start", 70_000, "voice")),
        outbound(event("user.end", 170_000, "voice")),
        callback(event("user.end", 171_500, "callback")),
    ];
    let case = case(events);
    let steps = View::Intervals.steps(&case);
    let of_agents: Vec<(i64, u64)> = steps
        .iter()
        .filter(|step| step.activity == "Agent")
        .map(|step| (step.at_ms - LATE_MS, step.instance.unwrap()))
        .collect();
    assert_eq!(of_agents, [(61_000, 2), (70_000, 3), (170_000, 3), (171_500, 2)]);
    assert_eq!((case.facts().media, case.facts().direction), (Some("CALLBACK"), Some("INBOUND")));
}

#[test]
fn a_case_is_of_the_date_on_which_it_began_and_waits_until_it_is_settled() {
    let (case, minute_ms) = (case(call()), 60_000);
    let (day, next, last_ms) = (date!(2026 - 03 - 02), date!(2026 - 03 - 03), LATE_MS + 258_000);
    assert_eq!(case.last_ms(), last_ms);
    for (from, to, settled_ms, fit) in [
        (day, day, last_ms, Fit::In),
        (day, day, last_ms + minute_ms, Fit::In),
        (day, day, last_ms - 1, Fit::Unsettled),
        (next, next, last_ms, Fit::Elsewhere),
        (date!(2026 - 03 - 01), date!(2026 - 03 - 01), last_ms, Fit::Elsewhere),
        (date!(2026 - 03 - 01), next, last_ms, Fit::In),
    ] {
        assert_eq!(Window::new(from, to, settled_ms).fit(&case), fit, "{from} to {to}");
    }
    assert!(case.has_start());
    assert!(!super::tests::case(call().split_off(1)).has_start());
}

#[test]
fn facts_of_a_case_are_of_all_of_it() {
    let case = case(call());
    let facts = case.facts();
    assert_eq!((facts.first_queue, facts.last_queue, facts.transfers), (Some("q-1"), Some("q-1"), 1));
    assert_eq!((facts.duration_ms, facts.disposition, facts.customer), (258_000, Some("ANSWERED"), Some("c_aa")));
    let mut said = call();
    said[9].outcome = Some("RESOLVED".to_owned());
    assert_eq!(super::tests::case(said).facts().disposition, Some("RESOLVED"));
}

#[test]
fn events_in_order_are_grouped_into_cases_and_an_error_is_handed_on() {
    let of = |case: &str| Event { case: case.to_owned(), ..event("acd.start", 0, "l") };
    let events: Vec<Result<Event, &str>> = vec![Ok(of("a")), Ok(of("a")), Ok(of("b")), Err("broken"), Ok(of("c"))];
    let told: Vec<Result<(String, usize), &str>> = Cases::of(events.into_iter())
        .map(|case| case.map(|case| (case.id().to_owned(), case.events().len())))
        .collect();
    assert_eq!(told, [Ok(("a".to_owned(), 2)), Ok(("b".to_owned(), 1)), Err("broken"), Ok(("c".to_owned(), 1))]);
}

#[test]
fn a_recipient_has_names_of_its_own_and_customers_are_named_where_that_is_asked_for() {
    let to = |name: &str| People::new(Some(name.to_owned()), true);
    let (one, other) = (to("celonis"), to("apromore"));
    assert_eq!(one.agent("p1_aa"), to("celonis").agent("p1_aa"));
    assert_ne!(one.agent("p1_aa"), other.agent("p1_aa"));
    assert_ne!(one.agent("p1_aa"), one.agent("p1_ab"));
    assert!(one.agent("p1_aa").len() == 34 && one.agent("p1_aa").starts_with("r_"));
    assert_eq!(People::default().agent("p1_aa"), "p1_aa");
    assert_eq!(one.customer(Some("c_aa")), Some(one.agent("c_aa")));
    assert_eq!(People::default().customer(Some("c_aa")), None);
    for view in [View::Milestones, View::Intervals] {
        let forms = written(view, &one, &[case(call())]);
        assert!(forms.iter().all(|form| !form.contains("p1_aa") && !form.contains("c_aa")), "{view:?}");
        assert!(forms[0].contains(&*one.agent("p1_aa")) && forms[0].contains(&*one.agent("c_aa")));
    }
}
