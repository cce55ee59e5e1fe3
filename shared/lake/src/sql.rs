//! Gold's SQL, and that of process mining's two views: texts beside this file, and the values that are put into them; what a person asks of
//! silver is in [`drill`].
//!
//! Invariant: nothing is put into those beside this file but dates of the calendar and whole numbers, so that no name and no file can change
//! what is asked. The texts keep to what Athena, Trino and DuckDB read alike: sums of CASE, coalesce, joins, row_number, lead, lag,
//! %, dates as texts; no function of timestamps. A text orders its rows by every column that it groups by.

use std::fmt::Write as _;
use std::sync::LazyLock;

use ledgerline_figures::zone::utc_date_of;
use sha2::{Digest, Sha256};
use time::{Date, Duration};

use crate::keys::iso_date;
use crate::mining::View;

pub mod drill;

/// Legs of agents, one row each: for analysts, and a part of [`INTERVALS`].
pub const SESSIONS: &str = include_str!("sql/sessions.sql");
/// The counters of a date's half hours.
pub const INTERVALS: &str = include_str!("sql/intervals.sql");
/// First contact resolution by the half hour of the last answer.
pub const REPEATS: &str = include_str!("sql/repeats.sql");
/// Each event of conversations, numbered within its own: [`crate::mining::View::Milestones`].
pub const MILESTONES: &str = include_str!("sql/milestones.sql");
/// What lasted in conversations, from its start to its end: [`crate::mining::View::Intervals`].
pub const ACTIVITIES: &str = include_str!("sql/activities.sql");
/// What a column of answers within a target is called, before the target's milliseconds.
pub const WITHIN: &str = "within_";

/// SHA-256 of gold's three texts, in hex.
pub static SHA256: LazyLock<String> = LazyLock::new(|| {
    let digest = Sha256::new().chain_update(SESSIONS).chain_update(INTERVALS).chain_update(REPEATS).finalize();
    digest.iter().fold(String::with_capacity(64), |mut hex, byte| {
        // Writing to a String cannot fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
});

/// Agents' legs that have an event from one date to another.
pub fn sessions(from: Date, to: Date) -> String {
    dated(SESSIONS, from, to)
}

/// A view of the conversations that have an event from one date to another, as far as their events occurred on these.
pub fn mining(view: View, from: Date, to: Date) -> String {
    let text = match view {
        View::Milestones => MILESTONES,
        View::Intervals => ACTIVITIES,
    };
    dated(text, from, to)
}

/// Counts the half hours of a UTC date, reading the day before and after, too: a leg's work may be told across midnight. For
/// each of the targets, in milliseconds, there is a column of answers within it.
pub fn intervals(date: Date, targets_ms: &[i64]) -> String {
    let (from, to) = read_for_intervals(date);
    let within = targets_ms.iter().fold(String::new(), |mut sums, target_ms| {
        // Writing to a String cannot fail.
        let _ = writeln!(
            sums,
            "sum(CASE WHEN f.event_type = 'acd.end' AND f.acd_outcome = 'ANSWERED' AND f.wait_ms <= {target_ms} \
             THEN 1 ELSE 0 END) AS {WITHIN}{target_ms},"
        );
        sums
    });
    let sql = whole(INTERVALS, ["", ""]).replace("{within}", within.trim_end());
    dated(&sql, from, to).replace("{date}", &iso_date(date))
}

/// The interval text, or a part of it, with the sessions, and with more columns of events and of facts.
fn whole(text: &str, [ev, fact]: [&str; 2]) -> String {
    text.replace("{sessions}", SESSIONS.trim_end()).replace("{ev}", ev).replace("{fact}", fact)
}

/// The dates of silver that [`intervals`] reads.
pub fn read_for_intervals(date: Date) -> (Date, Date) {
    (shifted(date, -1), shifted(date, 1))
}

/// Counts repeats of contacts whose last answer came within `first_ms..end_ms`.
pub fn repeats(first_ms: i64, end_ms: i64) -> Option<String> {
    let (from, to) = read_for_repeats(first_ms, end_ms)?;
    let sql = dated(REPEATS, from, to);
    Some(sql.replace("{first_ms}", &first_ms.to_string()).replace("{end_ms}", &end_ms.to_string()))
}

/// The dates of silver that [`repeats`] reads: from the eighth day before, as an e-mail may have waited for days before it was answered, to
/// the eighth day after. `None` beyond the calendar.
pub fn read_for_repeats(first_ms: i64, end_ms: i64) -> Option<(Date, Date)> {
    Some((shifted(utc_date_of(first_ms)?, -8), shifted(utc_date_of(end_ms - 1)?, 8)))
}

fn dated(sql: &str, from: Date, to: Date) -> String {
    sql.replace("{from}", &iso_date(from)).replace("{to}", &iso_date(to))
}

fn shifted(date: Date, days: i64) -> Date {
    date.saturating_add(Duration::days(days))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::silver::ERASED;
    use ledgerline_figures::zone::start_of_utc;
    use time::macros::date;

    #[test]
    fn a_text_has_its_dates_and_numbers_and_no_place_is_left() {
        let start_ms = start_of_utc(date!(2026 - 03 - 02));
        let texts = [
            sessions(date!(2026 - 03 - 01), date!(2026 - 03 - 03)),
            intervals(date!(2026 - 03 - 02), &[20_000, 86_400_000]),
            repeats(start_ms, start_ms + 86_400_000).unwrap(),
            mining(View::Milestones, date!(2026 - 03 - 02), date!(2026 - 03 - 02)),
            mining(View::Intervals, date!(2026 - 03 - 02), date!(2026 - 03 - 02)),
        ];
        for sql in &texts {
            assert!(!sql.contains(['{', '}', ';']) && !sql.contains("--"), "{sql}");
        }
        assert!(texts[1].contains("BETWEEN '2026-03-01' AND '2026-03-03'") && texts[1].contains("= '2026-03-02'"));
        assert!(texts[1].contains("AS within_20000,") && texts[1].contains("f.wait_ms <= 86400000 THEN"));
        assert!(texts[2].contains("BETWEEN '2026-02-22' AND '2026-03-10'"), "{}", texts[2]);
        assert!(texts[2].contains(&format!("a.occurred_at_ms >= {start_ms} AND")));
    }

    /// So that a run after an erasure gives the same bytes.
    #[test]
    fn the_interval_sql_names_no_column_that_an_erasure_nulls() {
        let words = |sql: &str| -> Vec<String> {
            sql.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').map(str::to_owned).collect()
        };
        let of_intervals = words(&intervals(date!(2026 - 03 - 02), &[20_000]));
        for column in ERASED.iter().chain(&["lineage_token", "event_id", "custom"]) {
            assert!(!of_intervals.iter().any(|word| word == column), "{column}");
        }
        for (text, column) in
            [MILESTONES, ACTIVITIES].iter().flat_map(|text| ERASED.iter().map(move |column| (text, column)))
        {
            assert!(!words(text).iter().any(|word| word == column), "{column}: nor do the views of conversations");
        }
        assert!(words(REPEATS).iter().any(|word| word == "customer_ref"), "the test sees columns");
    }

    #[test]
    fn the_texts_keep_to_what_the_engines_read_alike() {
        for sql in [SESSIONS, INTERVALS, REPEATS, MILESTONES, ACTIVITIES] {
            let upper = sql.to_ascii_uppercase();
            for word in
                ["FILTER", "TIMESTAMP", "AT TIME ZONE", "CREATE", "INTERVAL '", "EXTRACT", "DATE_", "NOW(", "::"]
            {
                assert!(!upper.contains(word), "{word}");
            }
        }
        assert_eq!((SHA256.len(), SHA256.bytes().all(|byte| byte.is_ascii_hexdigit())), (64, true));
    }
}
