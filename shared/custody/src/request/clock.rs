//! By when a request is to be answered.
//!
//! Invariant: both ends of an extended time are counted from the request's receipt, and in UTC. A time of months ends with the day of the
//! same number, or with the month's last day where it has none (Regulation 1182/71, Article 3); the day of receipt is not counted, and
//! the last one is whole. No weekend or holiday puts the end off, so it is never later than the law's.

use ledgerline_event::instant;
use ledgerline_store::request::Regime;
use time::{Date, Duration, Month, OffsetDateTime};

/// By when a request is due that came at `received_ms`, epoch milliseconds: RFC 3339, the last millisecond of the last day.
pub fn due_at(regime: Regime, received_ms: i64, extended: bool) -> String {
    let received = OffsetDateTime::from_unix_timestamp(received_ms.div_euclid(1_000));
    let received = received.unwrap_or(OffsetDateTime::UNIX_EPOCH).date();
    let last = match (regime, extended) {
        (Regime::Gdpr, false) => months_later(received, 1),
        (Regime::Gdpr, true) => months_later(received, 1 + 2),
        (Regime::Ccpa, false) => days_later(received, 45),
        (Regime::Ccpa, true) => days_later(received, 45 + 45),
    };
    let after_ms = last.midnight().assume_utc().unix_timestamp().saturating_add(DAY_S).saturating_mul(1_000);
    instant::to_rfc3339(after_ms - 1)
}

/// How many days are left at `now_ms`, the day of `now_ms` itself not counted; negative once `due_at` is past.
pub fn days_left(due_at: &str, now_ms: i64) -> Option<i64> {
    let day = |at_ms: i64| at_ms.div_euclid(DAY_S * 1_000);
    Some(day(instant::parse(due_at)?) - day(now_ms))
}

/// The day of a time, at its first millisecond: what acts of requests are dated by.
pub fn day_of(at_ms: i64) -> String {
    let day_ms = DAY_S * 1_000;
    instant::to_rfc3339(at_ms.div_euclid(day_ms) * day_ms)
}

fn days_later(day: Date, days: i64) -> Date {
    day.checked_add(Duration::days(days)).unwrap_or(Date::MAX)
}

fn months_later(day: Date, months: i32) -> Date {
    let month = i32::from(u8::from(day.month())) - 1 + months;
    let (year, month) = (day.year() + month / 12, u8::try_from(month % 12 + 1).unwrap_or(1));
    let month = Month::try_from(month).unwrap_or(Month::January);
    let at = |number: u8| Date::from_calendar_date(year, month, number).ok();
    (0..=3).find_map(|fewer| at(day.day().saturating_sub(fewer).max(1))).unwrap_or(Date::MAX)
}

const DAY_S: i64 = 24 * 60 * 60;

#[cfg(test)]
mod tests {
    use super::*;

    fn due(regime: Regime, received: &str, extended: bool) -> String {
        due_at(regime, instant::parse(received).unwrap(), extended)
    }

    #[test]
    fn a_month_ends_with_the_same_day_or_the_last_one() {
        for (received, month, three) in [
            ("2026-03-02T14:00:00.350Z", "2026-04-02", "2026-06-02"),
            ("2026-01-31T00:00:00.000Z", "2026-02-28", "2026-04-30"),
            ("2026-01-29T23:59:59.999Z", "2026-02-28", "2026-04-29"),
            ("2028-01-31T12:00:00.000Z", "2028-02-29", "2028-04-30"),
            ("2028-02-29T12:00:00.000Z", "2028-03-29", "2028-05-29"),
            ("2026-05-31T12:00:00.000Z", "2026-06-30", "2026-08-31"),
            ("2026-11-30T12:00:00.000Z", "2026-12-30", "2027-02-28"),
            ("2027-11-30T12:00:00.000Z", "2027-12-30", "2028-02-29"),
            ("2026-12-31T23:59:59.999Z", "2027-01-31", "2027-03-31"),
        ] {
            assert_eq!(due(Regime::Gdpr, received, false), format!("{month}T23:59:59.999Z"), "{received}");
            assert_eq!(due(Regime::Gdpr, received, true), format!("{three}T23:59:59.999Z"), "{received}, extended");
        }
    }

    #[test]
    fn days_are_counted_over_leap_days() {
        for (received, once, twice) in [
            ("2026-01-15T10:00:00.000Z", "2026-03-01", "2026-04-15"),
            ("2028-01-15T10:00:00.000Z", "2028-02-29", "2028-04-14"),
            ("2026-12-01T00:00:00.000Z", "2027-01-15", "2027-03-01"),
        ] {
            assert_eq!(due(Regime::Ccpa, received, false), format!("{once}T23:59:59.999Z"), "{received}");
            assert_eq!(due(Regime::Ccpa, received, true), format!("{twice}T23:59:59.999Z"), "{received}, extended");
        }
    }

    #[test]
    fn what_is_left_is_told_in_days() {
        let left = |now: &str| days_left("2026-04-02T23:59:59.999Z", instant::parse(now).unwrap()).unwrap();
        assert_eq!(left("2026-03-02T14:00:00.000Z"), 31);
        assert_eq!((left("2026-04-02T00:00:00.000Z"), left("2026-04-02T23:59:59.999Z")), (0, 0));
        assert_eq!(left("2026-04-03T00:00:00.000Z"), -1);
        assert_eq!(days_left("soon", 0), None);
        assert_eq!(day_of(instant::parse("2026-03-02T23:59:59.999Z").unwrap()), "2026-03-02T00:00:00.000Z");
    }

    #[test]
    fn no_day_of_eight_years_is_due_before_its_month_is_over_or_after_a_month_of_31_days() {
        let first = instant::parse("2026-01-01T12:00:00.000Z").unwrap();
        for day in 0..8 * 366 {
            let received_ms = first + day * DAY_S * 1_000;
            let left = days_left(&due_at(Regime::Gdpr, received_ms, false), received_ms).unwrap();
            assert!((28..=31).contains(&left), "{left} days from {}", instant::to_rfc3339(received_ms));
            let left = days_left(&due_at(Regime::Gdpr, received_ms, true), received_ms).unwrap();
            assert!((89..=92).contains(&left), "{left} days from {}", instant::to_rfc3339(received_ms));
        }
    }
}
