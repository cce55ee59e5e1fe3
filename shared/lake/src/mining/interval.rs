//! What lasted: a start and its end, of one activity and one leg.
//!
//! Invariant: an end belongs to the start that stands directly before it among the starts and ends of its activity and leg; `sql/activities.sql`
//! says the same. A start without an end, and an end without a start, stand alone. After-call work is told once it is done: its start is
//! computed, and says so.

use std::collections::BTreeMap;

use super::case::Case;
use super::event::{Event, Order};

/// A moment of an interval.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Moment<'a> {
    pub(super) at_ms: i64,
    /// Whether it was computed from the end and how long it took.
    pub(super) imputed: bool,
    /// What tells of it.
    pub(super) event: &'a Event,
}

/// An activity from its start to its end; one of the two may be unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Interval<'a> {
    pub(super) activity: &'static str,
    pub(super) start: Option<Moment<'a>>,
    pub(super) end: Option<Moment<'a>>,
    /// Whoever waited gave up.
    pub(super) aborted: bool,
}

impl<'a> Interval<'a> {
    /// What is known of it first.
    pub(super) fn first(&self) -> Option<Moment<'a>> {
        self.start.or(self.end)
    }

    fn order(&self) -> Option<Order<'a>> {
        self.first().map(|first| first.event.order_at(first.at_ms))
    }

    /// What is known of it last.
    pub(super) fn last(&self) -> Option<Moment<'a>> {
        self.end.or(self.start)
    }
}

/// The intervals of a case, in the order of their first moments.
pub(super) fn intervals(case: &Case) -> Vec<Interval<'_>> {
    let mut all = Vec::new();
    let mut open: BTreeMap<(&'static str, Option<&str>), usize> = BTreeMap::new();
    for event in case.events() {
        let moment = Moment { at_ms: event.at_ms, imputed: false, event };
        match edge(&event.kind) {
            Some((activity, Edge::Start)) => {
                open.insert((activity, event.leg.as_deref()), all.len());
                all.push(Interval { activity, start: Some(moment), end: None, aborted: false });
            }
            Some((activity, Edge::End)) => {
                let aborted = event.acd_outcome.as_deref() == Some("ABANDON");
                match open.remove(&(activity, event.leg.as_deref())) {
                    Some(place) => (all[place].end, all[place].aborted) = (Some(moment), aborted),
                    None => all.push(Interval { activity, start: None, end: Some(moment), aborted }),
                }
            }
            Some((activity, Edge::Done)) => {
                let start =
                    event.wrapup_ms.map(|took_ms| Moment { at_ms: event.at_ms - took_ms, imputed: true, event });
                all.push(Interval { activity, start, end: Some(moment), aborted: false });
            }
            None => {}
        }
    }
    all.sort_by(|one: &Interval<'_>, other| one.order().cmp(&other.order()));
    all
}

/// What an event says of an interval.
enum Edge {
    Start,
    End,
    /// The end, and how long it took.
    Done,
}

fn edge(kind: &str) -> Option<(&'static str, Edge)> {
    Some(match kind {
        "flow.start" => ("IVR", Edge::Start),
        "flow.end" => ("IVR", Edge::End),
        "acd.start" => ("Queue", Edge::Start),
        "acd.end" => ("Queue", Edge::End),
        "user.start" => ("Agent", Edge::Start),
        "user.end" => ("Agent", Edge::End),
        "voicemail.start" => ("Voicemail", Edge::Start),
        "voicemail.end" => ("Voicemail", Edge::End),
        "acw" => ("After-call work", Edge::Done),
        _ => return None,
    })
}
