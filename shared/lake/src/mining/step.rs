//! What a view shows of a case, in order.

use super::case::Case;
use super::event::Event;
use super::interval::intervals as intervals_of;

/// Where in its activity a step stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transition {
    /// It begins.
    Start,
    /// It is over.
    Complete,
    /// It is over, as somebody gave up.
    Abort,
}

impl Transition {
    /// As files spell it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Complete => "complete",
            Self::Abort => "abort",
        }
    }
}

/// One line of a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step<'a> {
    /// From 1, without a gap.
    pub order: u64,
    /// What happens.
    pub activity: &'a str,
    /// Whether it begins or ends.
    pub transition: Transition,
    /// When, epoch milliseconds.
    pub at_ms: i64,
    /// Whether that time was computed.
    pub imputed: bool,
    /// Which of the case's intervals it belongs to, from 1; none among milestones.
    pub instance: Option<u64>,
    /// What tells of it.
    pub event: &'a Event,
}

/// Every event, as something that is complete.
pub(super) fn milestones(case: &Case) -> Vec<Step<'_>> {
    let numbered = (1..).zip(case.events());
    numbered.map(|(order, event)| step(order, event, &event.activity, Transition::Complete)).collect()
}

fn step<'a>(order: u64, event: &'a Event, activity: &'a str, transition: Transition) -> Step<'a> {
    Step { order, activity, transition, at_ms: event.at_ms, imputed: false, instance: None, event }
}

/// The starts and ends of what lasted.
pub(super) fn intervals(case: &Case) -> Vec<Step<'_>> {
    let mut steps = Vec::new();
    for (instance, interval) in (1..).zip(intervals_of(case)) {
        let end = if interval.aborted { Transition::Abort } else { Transition::Complete };
        let moments = [(interval.start, Transition::Start), (interval.end, end)];
        for (moment, transition) in moments.into_iter().filter_map(|(moment, transition)| Some((moment?, transition))) {
            let told = step(0, moment.event, interval.activity, transition);
            steps.push(Step { at_ms: moment.at_ms, imputed: moment.imputed, instance: Some(instance), ..told });
        }
    }
    // A start that was computed has its end's event: at the same instant it comes first.
    let order = |step: &Step<'_>| (step.transition != Transition::Start, step.instance);
    steps.sort_by(|one, other| {
        let places = one.event.order_at(one.at_ms).cmp(&other.event.order_at(other.at_ms));
        places.then_with(|| order(one).cmp(&order(other)))
    });
    (1..).zip(&mut steps).for_each(|(order, step)| step.order = order);
    steps
}
