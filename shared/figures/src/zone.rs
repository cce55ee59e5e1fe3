//! The zone of reports: which local date a half hour of UTC belongs to.
//!
//! Invariant: a half hour belongs to the date on which it begins there, so that the dates part the half hours. Zones whose
//! offset was ever a fraction of half an hour since [`FIRST_YEAR`] are refused: their midnight falls into the middle of one.

use std::fmt;

use jiff::Timestamp;
use jiff::tz::{TimeZone, TimeZoneDatabase};
use time::Date;

use crate::INTERVAL_MS;

/// A zone of the IANA database, as it is bundled with this code.
#[derive(Clone)]
pub struct ReportZone {
    name: String,
    zone: TimeZone,
}

/// Why a zone cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ZoneError {
    /// No such name.
    #[error("is not the name of a zone in the IANA database: set one such as UTC, Europe/Berlin or America/New_York")]
    Unknown,
    /// Its midnight is not at the edge of a half hour.
    #[error(
        "names a zone whose offset from UTC is {} min at some time from {FIRST_YEAR} on, which is no multiple of 30: \
         figures are counted by half hours of UTC; set a neighbouring zone, or UTC", .offset_s / 60
    )]
    Fraction {
        /// The offset in seconds.
        offset_s: i32,
    },
}

impl ReportZone {
    /// UTC, whose dates are the lake's.
    pub fn utc() -> Self {
        Self { name: "UTC".to_owned(), zone: TimeZone::UTC }
    }

    /// The zone of this name.
    ///
    /// # Errors
    /// See [`ZoneError`].
    pub fn named(name: &str) -> Result<Self, ZoneError> {
        let zone = TimeZoneDatabase::bundled().get(name).map_err(|_| ZoneError::Unknown)?;
        let checked = Self { name: zone.iana_name().unwrap_or(name).to_owned(), zone };
        let (from, to) = (second_of_year(FIRST_YEAR), second_of_year(LAST_YEAR));
        let from = Timestamp::from_second(from).map_err(|_| ZoneError::Unknown)?;
        let later = checked.zone.following(from).take_while(|change| change.timestamp().as_second() < to);
        let offsets = later.map(|change| change.offset().seconds());
        let fraction =
            std::iter::once(checked.zone.to_offset(from).seconds()).chain(offsets).find(|s| s % HALF_HOUR_S != 0);
        fraction.map_or(Ok(checked), |offset_s| Err(ZoneError::Fraction { offset_s }))
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The local date of an instant, in epoch milliseconds; `None` beyond the calendar.
    pub fn date_of(&self, epoch_ms: i64) -> Option<Date> {
        let at = Timestamp::from_millisecond(epoch_ms).ok()?;
        let offset_ms = i64::from(self.zone.to_offset(at).seconds()) * 1_000;
        date_of_day((epoch_ms + offset_ms).div_euclid(DAY_MS))
    }

    /// The beginnings of the half hours that belong to a local date, ascending.
    pub fn half_hours_of(&self, date: Date) -> Vec<i64> {
        let midnight_ms = start_of_utc(date);
        let candidates =
            (-FARTHEST_INTERVALS..INTERVALS_A_DAY + FARTHEST_INTERVALS).map(|at| midnight_ms + at * INTERVAL_MS);
        candidates.filter(|start_ms| self.date_of(*start_ms) == Some(date)).collect()
    }

    /// The UTC dates on which a local date's half hours lie, ascending. None for a date that the zone skipped.
    pub fn utc_dates_of(&self, date: Date) -> Vec<Date> {
        let mut dates: Vec<Date> = self.half_hours_of(date).into_iter().filter_map(utc_date_of).collect();
        dates.dedup();
        dates
    }

    /// The local dates that the half hours of a UTC date belong to, ascending.
    pub fn dates_of_utc(&self, date: Date) -> Vec<Date> {
        let start_ms = start_of_utc(date);
        let half_hours = (0..INTERVALS_A_DAY).map(|at| start_ms + at * INTERVAL_MS);
        let mut dates: Vec<Date> = half_hours.filter_map(|at| self.date_of(at)).collect();
        dates.sort_unstable();
        dates.dedup();
        dates
    }
}

impl fmt::Debug for ReportZone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ReportZone({})", self.name)
    }
}

/// When a UTC date begins, in epoch milliseconds.
pub fn start_of_utc(date: Date) -> i64 {
    i64::from(date.to_julian_day() - EPOCH_JULIAN) * DAY_MS
}

/// The UTC date of an instant, in epoch milliseconds; `None` beyond the calendar.
pub fn utc_date_of(epoch_ms: i64) -> Option<Date> {
    date_of_day(epoch_ms.div_euclid(DAY_MS))
}

fn date_of_day(day: i64) -> Option<Date> {
    Date::from_julian_day(i32::try_from(day).ok()?.checked_add(EPOCH_JULIAN)?).ok()
}

fn second_of_year(year: i32) -> i64 {
    Date::from_ordinal_date(year, 1).map_or(0, |date| start_of_utc(date) / 1_000)
}

/// The first year of gold: where the tables' projection begins.
pub const FIRST_YEAR: i32 = 1990;
/// Rules of today are looked at up to here.
const LAST_YEAR: i32 = 2100;
/// The Julian day of 1970-01-01.
const EPOCH_JULIAN: i32 = 2_440_588;
/// Milliseconds of a day of UTC.
pub const DAY_MS: i64 = 86_400_000;
const HALF_HOUR_S: i32 = 1_800;
const INTERVALS_A_DAY: i64 = DAY_MS / INTERVAL_MS;
/// No zone is further from UTC than 14 h since 1990; a day that is longer by an hour needs one more.
const FARTHEST_INTERVALS: i64 = 30;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use time::macros::date;

    fn zone(name: &str) -> ReportZone {
        ReportZone::named(name).unwrap()
    }

    #[test]
    fn zones_of_whole_half_hours_are_taken_and_others_refused() {
        for name in ["UTC", "Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe", "Asia/Kolkata", "Pacific/Apia"]
        {
            assert_eq!(zone(name).name(), name);
        }
        for (name, offset_s) in [("Asia/Kathmandu", 20_700), ("Pacific/Chatham", 49_500)] {
            assert!(
                matches!(ReportZone::named(name), Err(ZoneError::Fraction { offset_s: s }) if s == offset_s),
                "{name}"
            );
        }
        for name in ["", "Mars/Phobos", "../etc/passwd", "+02:00"] {
            assert_eq!(ReportZone::named(name).unwrap_err(), ZoneError::Unknown, "{name:?}");
        }
    }

    #[test]
    fn a_local_day_begins_where_the_zone_says() {
        let berlin = zone("Europe/Berlin");
        // 2026-03-29T22:30Z is 00:30 of the 30th in summer time.
        assert_eq!(berlin.date_of(start_of_utc(date!(2026 - 03 - 29)) + 45 * INTERVAL_MS), Some(date!(2026 - 03 - 30)));
        assert_eq!(berlin.half_hours_of(date!(2026 - 03 - 29)).len(), 46, "an hour is missing");
        assert_eq!(berlin.half_hours_of(date!(2026 - 10 - 25)).len(), 50, "an hour comes twice");
        assert_eq!(berlin.utc_dates_of(date!(2026 - 07 - 01)), [date!(2026 - 06 - 30), date!(2026 - 07 - 01)]);
        assert_eq!(berlin.dates_of_utc(date!(2026 - 07 - 01)), [date!(2026 - 07 - 01), date!(2026 - 07 - 02)]);
        assert_eq!(ReportZone::utc().dates_of_utc(date!(2026 - 07 - 01)), [date!(2026 - 07 - 01)]);
        assert!(zone("Pacific/Apia").half_hours_of(date!(2011 - 12 - 30)).is_empty(), "Samoa had no such day");
    }

    proptest! {
        #[test]
        fn the_dates_part_the_half_hours(
            name in prop::sample::select(vec!["UTC", "Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe",
                                              "America/Sao_Paulo", "Pacific/Apia", "Pacific/Kiritimati"]),
            day in 7_305i64..25_000,
        ) {
            let (zone, utc) = (zone(name), date_of_day(day).unwrap());
            let start_ms = start_of_utc(utc);
            let of_dates: Vec<i64> = zone.dates_of_utc(utc).into_iter().flat_map(|date| zone.half_hours_of(date)).collect();
            for at in 0..INTERVALS_A_DAY {
                let half_hour = start_ms + at * INTERVAL_MS;
                prop_assert_eq!(of_dates.iter().filter(|one| **one == half_hour).count(), 1);
            }
            prop_assert_eq!(utc_date_of(start_ms), Some(utc));
            prop_assert_eq!(utc_date_of(start_ms - 1), utc.previous_day());
        }
    }
}
