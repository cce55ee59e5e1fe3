//! The figures that one event is counted in: the interval SQL once more, for the events of one interaction at a time.
//!
//! Invariant: summed up over all interactions, [`facts`] gives the rows that the SQL gives over silver (a test holds the two equal). Like the
//! SQL it looks no further than the day before and after an event's own.

use std::collections::BTreeMap;

use crate::counters::{Counters, IntervalKey};
use crate::target::Targets;
use crate::zone::DAY_MS;
use crate::{INTERVAL_MS, SHORT_ABANDON_MS};

/// An event of an interaction, as silver and the ledger's entries have it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Event {
    /// Its type, such as `acd.end`.
    pub event_type: String,
    /// When it occurred, epoch milliseconds.
    pub occurred_at_ms: i64,
    /// The leg.
    pub session_id: Option<String>,
    /// The division.
    pub division: Option<String>,
    /// The queue.
    pub queue_id: Option<String>,
    /// The media.
    pub media: Option<String>,
    /// The direction.
    pub direction: Option<String>,
    /// How the contact left the queue.
    pub acd_outcome: Option<String>,
    /// How the leg ended.
    pub disconnect_type: Option<String>,
    /// For how long the contact waited.
    pub connected_duration_ms: Option<i64>,
    /// Talk.
    pub interacting_duration_ms: Option<i64>,
    /// Hold.
    pub held_duration_ms: Option<i64>,
    /// Contacting.
    pub contacting_duration_ms: Option<i64>,
    /// Dialling.
    pub dialing_duration_ms: Option<i64>,
    /// Alerting.
    pub alerting_duration_ms: Option<i64>,
    /// Work after the contact.
    pub wrapup_duration_ms: Option<i64>,
    /// A survey's score in hundredths.
    pub survey_score_centi: Option<i64>,
}

/// What an event adds to a half hour.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fact {
    /// Of which queue, media and half hour.
    pub key: IntervalKey,
    /// How much; [`Fact::judged`] has filled in what depends on a target.
    pub counters: Counters,
}

/// The types of events that are counted.
pub const COUNTED: [&str; 5] = ["acd.start", "acd.end", "user.end", "acw", "survey"];

/// What each of an interaction's events adds, in their order; nothing where it is of no counted type.
pub fn facts(org: &str, events: &[Event]) -> Vec<Option<Fact>> {
    events.iter().map(|event| fact(org, event, events)).collect()
}

impl Fact {
    /// The same, by the target of its queue and media.
    #[must_use]
    pub fn judged(mut self, targets: &Targets) -> Self {
        let target_ms = targets.of(self.key.queue_id.as_deref(), &self.key.media);
        let is_within = self.counters.answered > 0 && self.counters.answer_wait_ms <= target_ms;
        self.counters.within_target = i64::from(is_within);
        self
    }
}

fn fact(org: &str, event: &Event, all: &[Event]) -> Option<Fact> {
    if !COUNTED.contains(&event.event_type.as_str()) {
        return None;
    }
    let day = |event: &Event| event.occurred_at_ms.div_euclid(DAY_MS);
    let near: Vec<&Event> = all.iter().filter(|other| (day(other) - day(event)).abs() <= 1).collect();
    let is = |kind: &str| event.event_type == kind;
    let session = if is("acw") || is("user.end") { Session::of(event, &near) } else { None };
    let answer = if is("survey") { answer(&near) } else { None };
    let told = |own: &Option<String>,
                of_session: fn(&Session) -> &Option<String>,
                of_answer: fn(&Event) -> &Option<String>| {
        let of_session = session.as_ref().and_then(|session| of_session(session).clone());
        own.clone().or(of_session).or_else(|| answer.and_then(|answer| of_answer(answer).clone()))
    };
    let is_callback = near.iter().any(|other| is_queue_event(other) && other.media.as_deref() == Some(CALLBACK));
    let unknown = || UNKNOWN.to_owned();
    let media = told(&event.media, |session| &session.media, |answer| &answer.media).unwrap_or_else(unknown);
    let direction =
        told(&event.direction, |session| &session.direction, |answer| &answer.direction).unwrap_or_else(unknown);
    let key = IntervalKey {
        org: org.to_owned(),
        division: told(&event.division, |session| &session.division, |answer| &answer.division)
            .filter(|text| !text.is_empty()),
        queue_id: told(&event.queue_id, |session| &session.queue_id, |answer| &answer.queue_id)
            .filter(|text| !text.is_empty()),
        media: if is_callback { CALLBACK.to_owned() } else { media },
        direction: if is_callback { "INBOUND".to_owned() } else { direction },
        interval_start_ms: event.occurred_at_ms - event.occurred_at_ms % INTERVAL_MS,
    };
    Some(Fact { key, counters: counters(event, session.map_or(0, |session| session.acw_ms)) })
}

fn is_queue_event(event: &Event) -> bool {
    matches!(event.event_type.as_str(), "acd.start" | "acd.end")
}

/// What the events of a leg say together.
#[derive(Default)]
struct Session {
    queue_id: Option<String>,
    media: Option<String>,
    division: Option<String>,
    direction: Option<String>,
    acw_ms: i64,
}

impl Session {
    /// The leg of an event, if the event names one.
    fn of(event: &Event, near: &[&Event]) -> Option<Self> {
        let id = event.session_id.as_ref()?;
        let mut session = Self::default();
        for other in near.iter().filter(|other| other.session_id.as_ref() == Some(id)) {
            match other.event_type.as_str() {
                "user.end" => {
                    largest(&mut session.queue_id, &other.queue_id);
                    largest(&mut session.media, &other.media);
                    largest(&mut session.division, &other.division);
                    largest(&mut session.direction, &other.direction);
                }
                "acw" => session.acw_ms += duration(other.wrapup_duration_ms),
                _ => {}
            }
        }
        Some(session)
    }
}

fn largest(of: &mut Option<String>, other: &Option<String>) {
    if *of < *other {
        of.clone_from(other);
    }
}

/// The last answer, which a survey speaks of.
fn answer<'e>(near: &[&'e Event]) -> Option<&'e Event> {
    let answers =
        near.iter().copied().filter(|event| event.event_type == "acd.end" && has(&event.acd_outcome, ANSWERED));
    let text = |text: &'e Option<String>| text.as_deref().unwrap_or_default();
    answers.min_by_key(|event| (-event.occurred_at_ms, text(&event.queue_id), text(&event.session_id)))
}

fn counters(event: &Event, session_acw_ms: i64) -> Counters {
    let mut counters = Counters { events: 1, ..Counters::default() };
    match event.event_type.as_str() {
        "acd.start" => counters.offered = 1,
        "acd.end" => left_the_queue(event, &mut counters),
        "user.end" => leg(event, session_acw_ms, &mut counters),
        "acw" => counters.acw_ms = duration(event.wrapup_duration_ms),
        _ => {
            let score = event.survey_score_centi.filter(|score| (0..=LARGEST_SCORE_CENTI).contains(score));
            counters.surveys = i64::from(score.is_some());
            counters.survey_score_centi = score.unwrap_or_default();
        }
    }
    counters
}

fn left_the_queue(event: &Event, counters: &mut Counters) {
    let wait_ms = duration(event.connected_duration_ms);
    match event.acd_outcome.as_deref() {
        Some(ANSWERED) => (counters.answered, counters.answer_wait_ms) = (1, wait_ms),
        Some("ABANDON") => {
            (counters.abandoned, counters.abandon_wait_ms) = (1, wait_ms);
            counters.abandoned_short = i64::from(wait_ms < SHORT_ABANDON_MS);
        }
        Some("FLOW_OUT") => counters.flow_out = 1,
        _ => counters.outcome_unknown = 1,
    }
}

fn leg(event: &Event, session_acw_ms: i64, counters: &mut Counters) {
    let (talk_ms, held_ms) = (duration(event.interacting_duration_ms), duration(event.held_duration_ms));
    let dial_ms = duration(event.contacting_duration_ms) + duration(event.dialing_duration_ms);
    let contact_ms = talk_ms + held_ms + dial_ms;
    let ended = event.disconnect_type.as_deref().unwrap_or_default();
    let is_of_callback = has(&event.media, CALLBACK);
    let is_untaken = UNTAKEN.contains(&ended) || ended == "DND_ENDPOINT" || is_of_callback;
    counters.handled = i64::from(contact_ms > 0 || !is_untaken);
    counters.handle_sessions = i64::from(contact_ms > 0 || session_acw_ms > 0);
    let is_alert = talk_ms == 0 && duration(event.alerting_duration_ms) > 0;
    counters.not_responding = i64::from(is_alert && UNTAKEN.contains(&ended));
    (counters.talk_ms, counters.held_ms, counters.dial_ms) = (talk_ms, held_ms, dial_ms);
    counters.transfers_blind = i64::from(ended == "TRANSFER");
    counters.transfers_consulted = i64::from(CONSULTED.contains(&ended));
}

fn has(text: &Option<String>, word: &str) -> bool {
    text.as_deref() == Some(word)
}

/// A duration that can be one: a leap year at most.
fn duration(ms: Option<i64>) -> i64 {
    ms.filter(|ms| (0..=LONGEST_MS).contains(ms)).unwrap_or_default()
}

/// The counters of one row by their names, for those that are not zero.
pub fn told(counters: &Counters) -> BTreeMap<&'static str, i64> {
    Counters::NAMES.iter().copied().zip(counters.values()).filter(|(_, count)| *count != 0).collect()
}

const LONGEST_MS: i64 = 366 * DAY_MS;
const LARGEST_SCORE_CENTI: i64 = 1_000_000;
const ANSWERED: &str = "ANSWERED";
const CALLBACK: &str = "CALLBACK";
const UNKNOWN: &str = "UNKNOWN";
/// Nobody took the alert.
const UNTAKEN: [&str; 3] = ["NO_ANSWER_TRANSFER", "NOT_AVAILABLE_TRANSFER", "DND_TRANSFER"];
const CONSULTED: [&str; 3] = ["CONSULT_TRANSFER", "CONFERENCE_TRANSFER", "FORWARD_TRANSFER"];

#[cfg(test)]
mod tests {
    use super::*;

    fn event(event_type: &str, occurred_at_ms: i64) -> Event {
        Event { event_type: event_type.to_owned(), occurred_at_ms, ..Event::default() }
    }

    fn text(text: &str) -> Option<String> {
        Some(text.to_owned())
    }

    #[test]
    fn an_event_is_counted_in_its_half_hour_and_others_in_none() {
        let answered = Event {
            queue_id: text("q-1"),
            media: text("VOICE"),
            acd_outcome: text(ANSWERED),
            connected_duration_ms: Some(18_000),
            ..event("acd.end", INTERVAL_MS + 7)
        };
        let found = facts("acme", &[answered, event("flow.end", 0)]);
        let fact = found[0].clone().unwrap();
        assert_eq!((fact.key.interval_start_ms, fact.key.direction.as_str()), (INTERVAL_MS, UNKNOWN));
        let judged = fact.judged(&Targets::default());
        assert_eq!(
            told(&judged.counters),
            BTreeMap::from([("answered", 1), ("answer_wait_ms", 18_000), ("events", 1), ("within_target", 1)])
        );
        assert_eq!(found[1], None);
    }

    #[test]
    fn work_after_a_contact_takes_its_legs_queue_and_a_survey_that_of_the_last_answer() {
        let leg = |session: &str, queue: &str| Event {
            session_id: text(session),
            queue_id: text(queue),
            media: text("VOICE"),
            ..event("user.end", 1_000)
        };
        let acw = Event { session_id: text("s-1"), wrapup_duration_ms: Some(9), ..event("acw", 2_000) };
        let answer =
            |queue: &str, at: i64| Event { queue_id: text(queue), acd_outcome: text(ANSWERED), ..event("acd.end", at) };
        let survey = Event { survey_score_centi: Some(450), ..event("survey", 9_000) };
        let late = Event { occurred_at_ms: 3 * DAY_MS, ..survey.clone() };
        let all = [leg("s-1", "q-1"), leg("s-2", "q-2"), acw, answer("q-3", 3_000), answer("q-4", 2_500), survey, late];
        let queues: Vec<Option<String>> =
            facts("acme", &all).into_iter().map(|fact| fact.unwrap().key.queue_id).collect();
        let expected = ["q-1", "q-2", "q-1", "q-3", "q-4", "q-3"].map(text);
        assert_eq!(queues[..6], expected);
        assert_eq!(queues[6], None, "three days later nothing tells it");
        let sessions = |at: usize| facts("acme", &all)[at].as_ref().unwrap().counters.handle_sessions;
        assert_eq!((sessions(0), sessions(1)), (1, 0), "the work after the first leg is its own");
    }

    #[test]
    fn a_duration_that_cannot_be_one_is_none() {
        assert_eq!([None, Some(-1), Some(LONGEST_MS), Some(LONGEST_MS + 1)].map(duration), [0, 0, LONGEST_MS, 0]);
    }
}
