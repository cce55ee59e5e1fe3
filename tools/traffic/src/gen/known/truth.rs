//! What the figures must be, told from the plan of the contacts.
//!
//! Invariant: nothing in here reads an event, and nothing of the product is used: names, targets and roundings are written down a second
//! time, so that a mistake on one side alone is found. Times are milliseconds, days are UTC's.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::plan::{
    Contact, DAY_MS, EMAIL_TARGET_MS, Leaves, Medium, Outcome, Plan, REPEAT_MS, SHORT_MS, Session, TARGET_MS, Visit,
};

/// What has arrived of a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrived {
    /// What is not late.
    InTime,
    /// All of it.
    All,
}

/// The figures of every day that anything was counted on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Expected {
    /// The organisation.
    pub org: String,
    /// By date, `YYYY-MM-DD`.
    pub days: BTreeMap<String, Day>,
}

/// The figures of a day.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Day {
    /// What happened in each half hour, where anything did.
    pub intervals: Vec<Interval>,
    /// What the day adds up to, by queue and media.
    pub daily: Vec<Daily>,
    /// What the day adds up to.
    pub totals: Sums,
}

/// A row of half an hour.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Interval {
    /// Of what.
    #[serde(flatten)]
    pub cell: Cell,
    /// How much of each, none left out.
    #[serde(flatten)]
    pub counters: Counters,
}

/// Of what counters are.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Cell {
    /// The division, if anything told it.
    pub division: Option<String>,
    /// The queue, if there was one.
    pub queue_id: Option<String>,
    /// The medium, as Genesys writes it.
    pub media: &'static str,
    /// The direction, as Genesys writes it.
    pub direction: &'static str,
    /// When the half hour began, in epoch milliseconds.
    pub interval_start_ms: i64,
}

/// A row of the day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Daily {
    /// The queue, if there was one.
    pub queue_id: Option<String>,
    /// The medium.
    pub media: &'static str,
    /// What it adds up to.
    #[serde(flatten)]
    pub sums: Sums,
}

/// Counters, and the ratios that follow from them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Sums {
    /// The counters by name, `total_contacts` among them, and of days those of repeated contacts.
    #[serde(flatten)]
    pub counters: Counters,
    /// The ratios by name, in hundredths, rounded half up; none without a denominator.
    pub hundredths: BTreeMap<&'static str, Option<i64>>,
}

/// Counters by name.
pub type Counters = BTreeMap<&'static str, i64>;

/// The counters of a half hour.
pub const OF_INTERVALS: [&str; 21] = [
    "offered",
    "answered",
    "abandoned",
    "abandoned_short",
    "flow_out",
    "outcome_unknown",
    "within_target",
    "answer_wait_ms",
    "abandon_wait_ms",
    "handled",
    "handle_sessions",
    "not_responding",
    "talk_ms",
    "held_ms",
    "dial_ms",
    "acw_ms",
    "transfers_blind",
    "transfers_consulted",
    "surveys",
    "survey_score_centi",
    "events",
];
/// Those that a day has beside them.
pub const OF_REPEATS: [&str; 3] = ["fcr_eligible", "fcr_resolved", "no_contact_7d"];

impl Expected {
    pub(super) fn of(org: &str, plan: &Plan, arrived: Arrived) -> Self {
        let mut counted = Counted { plan, arrived, intervals: BTreeMap::new() };
        let heard: Vec<&Contact> = plan.contacts.iter().filter(|one| counted.is_heard(one.is_late)).collect();
        heard.iter().for_each(|contact| counted.count(contact));
        let repeats = repeats(plan, &heard);
        let mut dates: BTreeSet<i64> = counted.intervals.keys().map(|cell| day_of(cell.interval_start_ms)).collect();
        dates.extend(repeats.keys().map(|(day, ..)| *day));
        let day = |day: i64| {
            let of_day = counted.intervals.iter().filter(|(cell, _)| day_of(cell.interval_start_ms) == day);
            let intervals: Vec<Interval> =
                of_day.map(|(cell, counters)| Interval { cell: cell.clone(), counters: counters.clone() }).collect();
            let of_day = repeats.iter().filter(|((of, ..), _)| *of == day);
            let repeats = of_day.map(|((_, queue, media), counters)| ((queue.clone(), *media), counters.clone()));
            (date(day), Day::of(intervals, repeats.collect()))
        };
        Self { org: org.to_owned(), days: dates.into_iter().map(day).collect() }
    }
}

impl Day {
    /// The day by queue, the media of each added up.
    pub fn by_queue(&self) -> BTreeMap<Option<String>, Sums> {
        let rows = self.daily.iter().map(|row| (row.queue_id.clone(), &row.sums.counters));
        added_up(rows)
    }

    /// A medium's half hours by queue and beginning, divisions and directions added up. They have no repeated contacts.
    pub fn half_hours(&self, media: &str) -> BTreeMap<(Option<String>, i64), Sums> {
        let rows = self.intervals.iter().filter(|row| row.cell.media == media);
        added_up(rows.map(|row| ((row.cell.queue_id.clone(), row.cell.interval_start_ms), &row.counters)))
    }

    fn of(intervals: Vec<Interval>, repeats: BTreeMap<(Option<String>, &'static str), Counters>) -> Self {
        let mut rows: BTreeMap<(Option<String>, &'static str), Counters> = BTreeMap::new();
        let rows_of_repeats = repeats.iter().map(|((queue, media), counters)| (queue, *media, counters));
        let of_intervals = intervals.iter().map(|one| (&one.cell.queue_id, one.cell.media, &one.counters));
        for (queue, media, counters) in of_intervals.chain(rows_of_repeats) {
            add(rows.entry((queue.clone(), media)).or_insert_with(nothing), counters);
        }
        let mut totals = nothing();
        rows.values().for_each(|counters| add(&mut totals, counters));
        let daily = rows.into_iter();
        let daily = daily.map(|((queue_id, media), counters)| Daily { queue_id, media, sums: Sums::of(counters) });
        Self { daily: daily.collect(), totals: Sums::of(totals), intervals }
    }
}

impl Sums {
    pub(super) fn of(counters: Counters) -> Self {
        let n = |name: &str| counters.get(name).copied().unwrap_or_default();
        let handle_ms = n("talk_ms") + n("held_ms") + n("dial_ms") + n("acw_ms");
        let left = n("answered") + n("abandoned") + n("flow_out") + n("outcome_unknown");
        let hundredths = BTreeMap::from([
            ("avg_duration_sec", ratio(handle_ms, 10 * n("handled"))),
            ("aht_genesys_sec", ratio(handle_ms, 10 * n("handle_sessions"))),
            ("service_level_pct", ratio(10_000 * n("within_target"), n("answered") + n("abandoned"))),
            ("fcr_rate_pct", ratio(10_000 * n("fcr_resolved"), n("fcr_eligible"))),
            ("no_contact_7d_pct", ratio(10_000 * n("no_contact_7d"), n("fcr_eligible"))),
            ("customer_satisfaction_avg", ratio(n("survey_score_centi"), n("surveys"))),
            ("abandon_rate_pct", ratio(10_000 * n("abandoned"), left)),
            ("avg_answer_wait_sec", ratio(n("answer_wait_ms"), 10 * n("answered"))),
        ]);
        let mut counters = counters;
        counters.insert(TOTAL, left);
        Self { counters, hundredths }
    }
}

/// Rounded half up; both are 0 or more.
fn ratio(numerator: i64, denominator: i64) -> Option<i64> {
    (denominator > 0).then(|| (2 * numerator + denominator) / (2 * denominator))
}

/// Half hours as they are counted.
struct Counted<'p> {
    plan: &'p Plan,
    arrived: Arrived,
    intervals: BTreeMap<Cell, Counters>,
}

impl Counted<'_> {
    fn is_heard(&self, is_late: bool) -> bool {
        !is_late || self.arrived == Arrived::All
    }

    fn count(&mut self, contact: &Contact) {
        contact.visits.iter().for_each(|visit| self.count_visit(contact, visit));
        contact.sessions.iter().for_each(|session| self.count_session(contact, session));
        let survey = contact.survey.as_ref().filter(|survey| self.is_heard(survey.is_late));
        // A survey is of the queue that answered last.
        if let (Some(survey), Some((queue, _))) = (survey, last_answer(contact)) {
            let way = (contact.medium, contact.is_outbound);
            let cell = self.cell(contact, way, Some(queue), survey.answered_ms);
            self.add(cell, &[("surveys", 1), ("survey_score_centi", survey.score_centi)]);
        }
    }

    fn count_visit(&mut self, contact: &Contact, visit: &Visit) {
        let way = (contact.medium, contact.is_outbound);
        let entered = self.cell(contact, way, Some(visit.queue), visit.entered_ms);
        self.add(entered, &[("offered", 1)]);
        let waited_ms = visit.waited_ms;
        let target_ms = if contact.medium == Medium::Email { EMAIL_TARGET_MS } else { TARGET_MS };
        let left = self.cell(contact, way, Some(visit.queue), visit.entered_ms + waited_ms);
        match visit.outcome {
            Outcome::Answered => {
                let in_time = i64::from(waited_ms <= target_ms);
                self.add(left, &[("answered", 1), ("within_target", in_time), ("answer_wait_ms", waited_ms)]);
            }
            Outcome::Abandoned => {
                let short = i64::from(waited_ms < SHORT_MS);
                self.add(left, &[("abandoned", 1), ("abandoned_short", short), ("abandon_wait_ms", waited_ms)]);
            }
            Outcome::FlowedOut => self.add(left, &[("flow_out", 1)]),
            Outcome::Untold => self.add(left, &[("outcome_unknown", 1)]),
        }
    }

    fn count_session(&mut self, contact: &Contact, session: &Session) {
        let way = (session.medium, session.is_outbound);
        let spoken = session.spoken;
        let dial_ms = spoken.dialing_ms + spoken.contacting_ms;
        let reached_ms = spoken.talk_ms + spoken.held_ms + dial_ms;
        let rang_only = matches!(spoken.leaves, Leaves::RangOut | Leaves::WasNotAvailable | Leaves::Refused);
        let work = session.work.as_ref().filter(|work| self.is_heard(work.is_late));
        // A callback is handled once, by the call that it leads to.
        let handled = reached_ms > 0 || !(rang_only || session.medium == Medium::Callback);
        let ended = self.cell(contact, way, session.queue, session.ended_ms);
        let is = |leaves: &[Leaves]| i64::from(leaves.contains(&spoken.leaves));
        self.add(
            ended,
            &[
                ("handled", i64::from(handled)),
                ("handle_sessions", i64::from(reached_ms > 0 || work.is_some())),
                ("not_responding", i64::from(rang_only && spoken.talk_ms == 0)),
                ("talk_ms", spoken.talk_ms),
                ("held_ms", spoken.held_ms),
                ("dial_ms", dial_ms),
                ("transfers_blind", is(&[Leaves::HandsOver])),
                (
                    "transfers_consulted",
                    is(&[Leaves::HandsOverAfterConsulting, Leaves::HandsOverFromConference, Leaves::Forwards]),
                ),
            ],
        );
        if let Some(work) = work {
            let done = self.cell(contact, way, session.queue, session.ended_ms + work.took_ms);
            self.add(done, &[("acw_ms", work.took_ms)]);
        }
    }

    /// Where something counts: all of a callback counts as one, whatever its parts come by.
    fn cell(&self, contact: &Contact, way: (Medium, bool), queue: Option<usize>, at_ms: i64) -> Cell {
        let (medium, is_outbound) = if contact.medium == Medium::Callback { (Medium::Callback, false) } else { way };
        let queue = queue.map(|queue| &self.plan.queues[queue]);
        Cell {
            division: queue.map(|queue| queue.division.clone()),
            queue_id: queue.map(|queue| queue.id.clone()),
            media: name(medium),
            direction: if is_outbound { "OUTBOUND" } else { "INBOUND" },
            interval_start_ms: at_ms - at_ms.rem_euclid(HALF_HOUR_MS),
        }
    }

    /// One thing that was told, and what it adds.
    fn add(&mut self, cell: Cell, counts: &[(&'static str, i64)]) {
        let counters =
            self.intervals.entry(cell).or_insert_with(|| OF_INTERVALS.iter().map(|name| (*name, 0)).collect());
        counts.iter().chain(&[("events", 1)]).for_each(|(name, count)| *counters.entry(name).or_default() += count);
    }
}

/// Who was answered and did not come again within the week; by the day, the queue and the medium of the last answer.
fn repeats(plan: &Plan, heard: &[&Contact]) -> BTreeMap<(i64, Option<String>, &'static str), Counters> {
    let inbound: Vec<&Contact> = heard.iter().copied().filter(|one| !one.is_outbound && one.person.is_some()).collect();
    let mut counted: BTreeMap<(i64, Option<String>, &'static str), Counters> = BTreeMap::new();
    for contact in &inbound {
        let Some((queue, answered_ms)) = last_answer(contact) else { continue };
        let again = |one: &&&Contact| {
            let after_ms = one.began_ms - contact.began_ms;
            one.person == contact.person && one.id != contact.id && (0..=REPEAT_MS).contains(&after_ms)
        };
        let any = inbound.iter().filter(again).count();
        let answered = inbound.iter().filter(again).filter(|one| last_answer(one).is_some()).count();
        let key = (day_of(answered_ms), Some(plan.queues[queue].id.clone()), name(contact.medium));
        let counters = counted.entry(key).or_insert_with(|| OF_REPEATS.iter().map(|name| (*name, 0)).collect());
        let counts = [1, i64::from(answered == 0), i64::from(any == 0)];
        OF_REPEATS.iter().zip(counts).for_each(|(name, count)| *counters.entry(name).or_default() += count);
    }
    counted
}

/// The queue that answered last, and when.
fn last_answer(contact: &Contact) -> Option<(usize, i64)> {
    let visit = contact.visits.iter().rfind(|visit| visit.outcome == Outcome::Answered)?;
    Some((visit.queue, visit.entered_ms + visit.waited_ms))
}

fn added_up<'c, K: Ord>(rows: impl Iterator<Item = (K, &'c Counters)>) -> BTreeMap<K, Sums> {
    let mut sums: BTreeMap<K, Counters> = BTreeMap::new();
    for (key, counters) in rows {
        // What follows from the others is made again.
        let counters = counters.iter().filter(|(name, _)| **name != TOTAL);
        add(sums.entry(key).or_default(), &counters.map(|(name, count)| (*name, *count)).collect());
    }
    sums.into_iter().map(|(key, counters)| (key, Sums::of(counters))).collect()
}

fn nothing() -> Counters {
    OF_INTERVALS.iter().chain(&OF_REPEATS).map(|name| (*name, 0)).collect()
}

fn add(sums: &mut Counters, counters: &Counters) {
    counters.iter().for_each(|(name, count)| *sums.entry(name).or_default() += count);
}

fn name(medium: Medium) -> &'static str {
    match medium {
        Medium::Voice => "VOICE",
        Medium::Callback => "CALLBACK",
        Medium::Chat => "CHAT",
        Medium::Message => "MESSAGE",
        Medium::Email => "EMAIL",
    }
}

fn day_of(at_ms: i64) -> i64 {
    at_ms.div_euclid(DAY_MS)
}

/// `YYYY-MM-DD` of a day since the epoch.
fn date(day: i64) -> String {
    super::super::milliseconds(day * DAY_MS).chars().take("YYYY-MM-DD".len()).collect()
}

/// What left a queue, in whatever way.
const TOTAL: &str = "total_contacts";
const HALF_HOUR_MS: i64 = 1_800_000;
