//! The counters: what the SQL sums per half hour, and how they add up.
//!
//! Invariant: a counter is a plain sum over rows, so that any two may be added; none is negative. The names are the SQL's
//! columns, the Parquet files' and the document's.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

macro_rules! counters {
    ($(#[$outer:meta])* $type:ident { $($(#[$doc:meta])* $name:ident,)* }) => {
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
        $(#[$outer])*
        pub struct $type {
            $($(#[$doc])* pub $name: i64,)*
        }

        impl $type {
            /// The counters' names, in the order of [`Self::values`].
            pub const NAMES: &'static [&'static str] = &[$(stringify!($name)),*];

            /// The counters, in the order of [`Self::NAMES`].
            pub fn values(&self) -> Vec<i64> {
                vec![$(self.$name),*]
            }

            /// The counter of this name, to set it.
            pub fn named(&mut self, name: &str) -> Option<&mut i64> {
                match name {
                    $(stringify!($name) => Some(&mut self.$name),)*
                    _ => None,
                }
            }

            /// Adds another's. No sum that a centre could reach is beyond an `i64`; one that is stays at its end.
            pub fn add(&mut self, other: &Self) {
                $(self.$name = self.$name.saturating_add(other.$name);)*
            }
        }
    };
}

counters! {
    /// What the interval SQL sums. Times are milliseconds.
    #[serde(default)]
    Counters {
        /// Contacts that began to wait for a queue: `acd.start`.
        offered,
        /// Contacts that somebody answered.
        answered,
        /// Contacts whose caller gave up.
        abandoned,
        /// Of these, those within [`crate::SHORT_ABANDON_MS`].
        abandoned_short,
        /// Contacts that left the queue for another flow or queue.
        flow_out,
        /// Contacts of which the source did not say how they left the queue.
        outcome_unknown,
        /// Answered contacts that waited no longer than the queue's target.
        within_target,
        /// For how long the answered waited.
        answer_wait_ms,
        /// For how long the abandoned waited.
        abandon_wait_ms,
        /// Agents' legs, but for alerts that nobody took and legs of a callback without talk.
        handled,
        /// Agents' legs with any handle time.
        handle_sessions,
        /// Alerts that nobody took.
        not_responding,
        /// Talk.
        talk_ms,
        /// Hold.
        held_ms,
        /// Contacting and dialling.
        dial_ms,
        /// Work after the contact.
        acw_ms,
        /// Blind transfers.
        transfers_blind,
        /// Transfers after a consultation, by a conference or by forwarding.
        transfers_consulted,
        /// Surveys with a score.
        surveys,
        /// The sum of their scores, in hundredths.
        survey_score_centi,
        /// Rows that were counted at all.
        events,
    }
}

counters! {
    /// What the SQL of repeats sums: first contact resolution. All of them are there, or none.
    Repeats {
        /// Answered inbound contacts of an identified customer.
        fcr_eligible,
        /// Of these, those without a further answered contact within [`crate::FCR_DAYS`], start to start.
        fcr_resolved,
        /// Of these, those without any further contact in that time, answered or not.
        no_contact_7d,
    }
}

/// Of what an interval's counters are.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct IntervalKey {
    /// The org.
    pub org: String,
    /// The division, if the source told one.
    pub division: Option<String>,
    /// The queue; none for what happened beside all queues.
    pub queue_id: Option<String>,
    /// The media, `UNKNOWN` if the source told none.
    pub media: String,
    /// The direction, `UNKNOWN` if the source told none.
    pub direction: String,
    /// When the half hour began, in epoch milliseconds.
    pub interval_start_ms: i64,
}

/// One row of the interval file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interval {
    /// Of what.
    pub key: IntervalKey,
    /// How much.
    pub counters: Counters,
}

/// Of what a day's counters are.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct DayKey {
    /// The org.
    pub org: String,
    /// The queue; none for what happened beside all queues.
    pub queue_id: Option<String>,
    /// The media.
    pub media: String,
}

/// One row of the daily file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DayRow {
    /// What the day's intervals add up to.
    pub counters: Counters,
    /// First contact resolution, once a nightly run has told it.
    pub repeats: Option<Repeats>,
}

/// Adds up the intervals of one day: those that `is_of_day` names by their beginning. Repeats of a queue without any interval make a
/// row, too: its answer's leg may be told late.
pub fn by_day<'a>(
    intervals: impl IntoIterator<Item = &'a Interval>,
    is_of_day: impl Fn(i64) -> bool,
    repeats: Option<&BTreeMap<DayKey, Repeats>>,
) -> BTreeMap<DayKey, DayRow> {
    let mut rows: BTreeMap<DayKey, DayRow> = BTreeMap::new();
    for Interval { key, counters } in intervals {
        if is_of_day(key.interval_start_ms) {
            let IntervalKey { org, queue_id, media, .. } = key.clone();
            rows.entry(DayKey { org, queue_id, media }).or_default().counters.add(counters);
        }
    }
    let Some(repeats) = repeats else { return rows };
    // A queue that the nightly run does not name has no eligible contact.
    rows.values_mut().for_each(|row| row.repeats = Some(Repeats::default()));
    for (key, repeats) in repeats {
        rows.entry(key.clone()).or_default().repeats = Some(*repeats);
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interval(queue: &str, division: &str, start_ms: i64, answered: i64) -> Interval {
        let key = IntervalKey {
            org: "acme".to_owned(),
            division: Some(division.to_owned()),
            queue_id: Some(queue.to_owned()),
            media: "VOICE".to_owned(),
            direction: "INBOUND".to_owned(),
            interval_start_ms: start_ms,
        };
        Interval { key, counters: Counters { answered, talk_ms: 7, ..Counters::default() } }
    }

    fn day_key(queue: &str) -> DayKey {
        DayKey { org: "acme".to_owned(), queue_id: Some(queue.to_owned()), media: "VOICE".to_owned() }
    }

    #[test]
    fn names_values_and_fields_are_in_one_order() {
        let mut counters = Counters::default();
        for (at, name) in Counters::NAMES.iter().enumerate() {
            *counters.named(name).unwrap() = at as i64 + 1;
        }
        let ascending: Vec<i64> = (1..=Counters::NAMES.len() as i64).collect();
        assert_eq!(counters.values(), ascending);
        assert_eq!((counters.offered, counters.events, counters.named("queue_id")), (1, 21, None));
        counters.add(&counters.clone());
        assert_eq!(counters.values(), ascending.iter().map(|value| value * 2).collect::<Vec<_>>());
        assert_eq!(Repeats::NAMES, ["fcr_eligible", "fcr_resolved", "no_contact_7d"]);
    }

    #[test]
    fn divisions_and_half_hours_add_up_and_another_day_stays_out() {
        let intervals = [interval("q", "a", 0, 2), interval("q", "b", 1_800_000, 3), interval("q", "a", 86_400_000, 9)];
        let rows = by_day(&intervals, |start_ms| start_ms < 86_400_000, None);
        assert_eq!(rows.len(), 1);
        let row = rows[&day_key("q")];
        assert_eq!((row.counters.answered, row.counters.talk_ms, row.repeats), (5, 14, None));
    }

    #[test]
    fn a_queue_that_no_repeat_names_has_none_and_one_that_only_they_name_has_a_row() {
        let told = Repeats { fcr_eligible: 4, fcr_resolved: 3, no_contact_7d: 2 };
        let repeats = BTreeMap::from([(day_key("late"), told)]);
        let rows = by_day(&[interval("q", "a", 0, 2)], |_| true, Some(&repeats));
        assert_eq!(rows[&day_key("q")].repeats, Some(Repeats::default()));
        assert_eq!(rows[&day_key("late")], DayRow { counters: Counters::default(), repeats: Some(told) });
    }
}
