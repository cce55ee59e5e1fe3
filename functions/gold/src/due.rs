//! Which dates a run computes. Decisions only.
//!
//! Invariant: a dirty date is due to one of the two schedules, whatever its age; no date that an event can have is passed over for
//! good.

use std::collections::BTreeSet;

use ledgerline_figures::zone::utc_date_of;
use ledgerline_store::gold_date::GoldDate;
use ledgerline_store::gold_repeats::Told;
use time::{Date, Duration};

/// The frequent schedule comes every so many minutes.
pub const SLOT_MINUTES: i64 = 15;
/// Dates that are no older are computed by the frequent schedule, older ones at night.
const RECENT_DAYS: i64 = 7;
/// A touch marks the day before and after, too: today's events keep these dates dirty all day.
const BESIDE_DAYS: i64 = 1;
/// Local dates that one question about repeats is of at most: a night's usual ten, and some that were late. The question reads
/// 17 + 16 dates of silver.
const TARGETS_PER_QUESTION: i64 = 17;
/// An event bears on contacts that began so many days before.
const REPEAT_DAYS: i64 = 7;
/// From when on nothing but a late event changes a UTC date's repeats: its seven days are over in every zone.
const SETTLED_AFTER_DAYS: i64 = 9;

/// The dirty dates that the frequent schedule computes at this moment, the newest first. The running one and those beside it come
/// every `current_minutes` only.
pub fn recent(dates: &[GoldDate], now_ms: i64, current_minutes: i64) -> Vec<Date> {
    let Some(today) = utc_date_of(now_ms) else { return Vec::new() };
    let is_turn = now_ms.div_euclid(SLOT_MINUTES * MINUTE_MS).rem_euclid((current_minutes / SLOT_MINUTES).max(1)) == 0;
    let is_current = |date: Date| date >= shifted(today, -BESIDE_DAYS);
    dirty(dates, |date| is_recent(date, today) && (is_turn || !is_current(date)))
}

/// The dirty dates that the nightly schedule computes, the newest first.
pub fn old(dates: &[GoldDate], now_ms: i64) -> Vec<Date> {
    let today = utc_date_of(now_ms);
    today.map_or_else(Vec::new, |today| dirty(dates, |date| !is_recent(date, today)))
}

fn is_recent(date: Date, today: Date) -> bool {
    date >= shifted(today, -RECENT_DAYS)
}

fn dirty(dates: &[GoldDate], is_due: impl Fn(Date) -> bool) -> Vec<Date> {
    dates.iter().rev().filter(|date| date.is_dirty() && is_due(date.date)).map(|date| date.date).collect()
}

/// The UTC dates whose repeats a night tells again, and what it may note of each afterwards. The running date's night is the next one.
pub fn untold(dates: &[GoldDate], told: &[Told], now_ms: i64) -> Vec<(Told, bool)> {
    let Some(today) = utc_date_of(now_ms) else { return Vec::new() };
    let of = |date: Date| told.binary_search_by_key(&date, |told| told.date).ok().map(|at| told[at]);
    let due = dates.iter().filter(|marked| marked.date < today).filter_map(|marked| {
        let before = of(marked.date);
        let is_news = before.is_none_or(|before| before.touched < marked.touched);
        let is_settled = before.is_some_and(|before| before.settled);
        let settled = marked.date <= shifted(today, -SETTLED_AFTER_DAYS);
        let after = Told { date: marked.date, touched: marked.touched, settled };
        (is_news || !is_settled).then_some((after, is_news))
    });
    due.collect()
}

/// The UTC dates of contacts that what was untold bears on.
pub fn bearing(untold: &[(Told, bool)]) -> BTreeSet<Date> {
    let of = |(told, is_news): &(Told, bool)| {
        let days = if *is_news { REPEAT_DAYS } else { 0 };
        let last = told.date;
        (0..=days).map(move |back| shifted(last, -back))
    };
    untold.iter().flat_map(of).collect()
}

/// Dates, parted into spans for one question each.
pub fn questions(dates: &BTreeSet<Date>) -> Vec<Vec<Date>> {
    let mut questions: Vec<Vec<Date>> = Vec::new();
    for date in dates {
        match questions.last_mut() {
            Some(question)
                if question.first().is_some_and(|first| *date - *first < Duration::days(TARGETS_PER_QUESTION)) =>
            {
                question.push(*date);
            }
            _ => questions.push(vec![*date]),
        }
    }
    questions
}

pub(crate) fn shifted(date: Date, days: i64) -> Date {
    date.saturating_add(Duration::days(days))
}

const MINUTE_MS: i64 = 60_000;

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::date;

    /// 2026-03-02T14:00:00Z.
    const NOW_MS: i64 = 1_772_460_000_000;

    fn marked(date: Date, touched: u64, computed: u64) -> GoldDate {
        GoldDate { date, touched, computed }
    }

    #[test]
    fn the_running_date_comes_hourly_late_ones_at_once_and_old_ones_at_night() {
        let dates = [
            marked(date!(2026 - 02 - 22), 1, 0),
            marked(date!(2026 - 02 - 23), 1, 0),
            marked(date!(2026 - 02 - 24), 2, 2),
            marked(date!(2026 - 02 - 28), 9, 8),
            marked(date!(2026 - 03 - 01), 5, 4),
            marked(date!(2026 - 03 - 02), 5, 4),
            marked(date!(2026 - 03 - 03), 5, 4),
        ];
        let at = |minutes: i64| recent(&dates, NOW_MS + minutes * MINUTE_MS, 60);
        let late = [date!(2026 - 02 - 28), date!(2026 - 02 - 23)];
        let current = [date!(2026 - 03 - 03), date!(2026 - 03 - 02), date!(2026 - 03 - 01)];
        assert_eq!(at(0), [&current[..], &late[..]].concat());
        assert_eq!((at(14), at(15), at(45)), (at(0), late.to_vec(), late.to_vec()));
        assert_eq!(at(60), at(0));
        assert_eq!(recent(&dates, NOW_MS + 15 * MINUTE_MS, 15), at(0));
        assert_eq!(old(&dates, NOW_MS), [date!(2026 - 02 - 22)]);
    }

    #[test]
    fn a_night_tells_what_is_news_and_what_is_not_settled() {
        let dates = [
            marked(date!(2026 - 02 - 10), 3, 3),
            marked(date!(2026 - 02 - 11), 3, 3),
            marked(date!(2026 - 02 - 21), 3, 3),
            marked(date!(2026 - 03 - 01), 3, 3),
            marked(date!(2026 - 03 - 02), 3, 3),
        ];
        let told = |date, touched, settled| Told { date, touched, settled };
        let before = [
            told(date!(2026 - 02 - 10), 3, true),
            told(date!(2026 - 02 - 11), 2, true),
            told(date!(2026 - 02 - 21), 3, false),
        ];
        let night = untold(&dates, &before, NOW_MS);
        let wanted = [
            (told(date!(2026 - 02 - 11), 3, true), true),
            (told(date!(2026 - 02 - 21), 3, true), false),
            (told(date!(2026 - 03 - 01), 3, false), true),
        ];
        assert_eq!(night, wanted);
        let bearing = bearing(&night);
        assert!(bearing.contains(&date!(2026 - 02 - 04)) && !bearing.contains(&date!(2026 - 02 - 03)));
        assert!(bearing.contains(&date!(2026 - 02 - 21)) && !bearing.contains(&date!(2026 - 02 - 20)));
        assert_eq!(bearing.len(), 8 + 1 + 8);
    }

    #[test]
    fn one_question_spans_no_more_than_its_dates() {
        let days = |from: Date, count: i64| (0..count).map(move |at| shifted(from, at));
        let dates: BTreeSet<Date> = days(date!(2026 - 01 - 01), 20).chain([date!(2026 - 03 - 01)]).collect();
        let parted: Vec<(Date, usize)> = questions(&dates).iter().map(|one| (one[0], one.len())).collect();
        assert_eq!(parted, [(date!(2026 - 01 - 01), 17), (date!(2026 - 01 - 18), 3), (date!(2026 - 03 - 01), 1)]);
    }
}
