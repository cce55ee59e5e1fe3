//! The key of every object outside the ledger: bronze, quarantine, errors, silver, gold, staged plans, poison.
//!
//! Invariant: a key of one sort is never taken for another. The bronze keys themselves are written by Firehose, after the
//! partition keys that ingest answers.

use ledgerline_figures::summary::Granularity;
use time::Date;

pub use ledgerline_ledger::origin::PlanOf;

use crate::ids::ObjectId;

/// Where Firehose puts source events; notified to transform.
pub const BRONZE: &str = "bronze/";
/// What is no event, kept whole and replayable; never notified.
pub const QUARANTINE: &str = "quarantine/";
/// What Firehose could not have transformed or delivered; notified to redrive.
pub const ERRORS: &str = "errors/";
/// Records that the stream refused; never notified.
pub const SPILL: &str = "spill/";
/// Parquet for analysts.
pub const SILVER: &str = "silver/";
/// Figures.
pub const GOLD: &str = "gold/";
/// Counters of a UTC date's half hours.
pub const GOLD_INTERVALS: &str = "gold/gold_interval_queue_metrics/";
/// Figures of a local date.
pub const GOLD_DAILY: &str = "gold/gold_daily_queue_metrics/";
/// The documents that the API serves.
pub const GOLD_SUMMARY: &str = "gold/summary/";
/// What runs were made of.
pub const GOLD_RUNS: &str = "gold/runs/";
/// What Athena writes for gold; it expires.
pub const QUERY_RESULTS: &str = "athena/";
/// Service level targets of queues, put by the deployment's owner.
pub const REFERENCE_QUEUES: &str = "reference/queues.csv";
/// Plans of bronze objects, and below it, at [`STAGED_ACTS`], those of acts.
pub const STAGED: &str = "staged/";
/// Plans of the ledger's own acts. Transform may not write there, so that nothing that a source sent becomes an act.
pub const STAGED_ACTS: &str = "staged/acts/";
/// What an act's key begins with, where a bronze object's begins with [`BRONZE`]. No object has such a key.
pub const ACT: &str = "act/";
/// Messages that no retry can help, kept before they are acknowledged.
pub const POISON: &str = "poison/";

/// `silver/events/date=YYYY-MM-DD/<object id>.parquet`: the rows of one bronze object that occurred on one day.
pub fn silver_events(date: Date, object: ObjectId) -> String {
    format!("{SILVER}events/date={}/{object}.parquet", iso_date(date))
}

/// Where the silver files of a day lie.
pub fn silver_events_of(date: Date) -> String {
    format!("{SILVER}events/date={}/", iso_date(date))
}

/// `gold/gold_interval_queue_metrics/date=YYYY-MM-DD/part.parquet`, by the UTC date.
pub fn gold_intervals(date: Date) -> String {
    format!("{GOLD_INTERVALS}date={}/part.parquet", iso_date(date))
}

/// `gold/gold_daily_queue_metrics/date=YYYY-MM-DD/part.parquet`, by the local date.
pub fn gold_daily(date: Date) -> String {
    format!("{GOLD_DAILY}date={}/part.parquet", iso_date(date))
}

/// `gold/summary/date=YYYY-MM-DD/<granularity>.json`, by the local date.
pub fn gold_summary(date: Date, granularity: Granularity) -> String {
    format!("{GOLD_SUMMARY}date={}/{}.json", iso_date(date), granularity.as_str())
}

/// `gold/runs/date=YYYY-MM-DD/<revision>.json`, by the local date.
pub fn gold_run(date: Date, revision: u64) -> String {
    format!("{GOLD_RUNS}date={}/{revision}.json", iso_date(date))
}

/// Whether the key is one of gold's.
pub fn is_gold(key: &str) -> bool {
    let dated = |folder: &str| key.strip_prefix(folder)?.strip_prefix("date=")?.split_once('/');
    let name_of = |folder: &str| dated(folder).filter(|(day, _)| parse_iso_date(day).is_some()).map(|(_, name)| name);
    let is_part = |folder: &str| name_of(folder) == Some("part.parquet");
    let stem = |folder: &str| name_of(folder)?.strip_suffix(".json");
    is_part(GOLD_INTERVALS)
        || is_part(GOLD_DAILY)
        || stem(GOLD_SUMMARY).is_some_and(|stem| Granularity::parse(stem).is_some())
        || stem(GOLD_RUNS).is_some_and(|stem| stem.bytes().all(|b| b.is_ascii_digit()) && stem.parse::<u64>().is_ok())
}

/// The day and the bronze object of a silver file, or `None` if the key is none.
pub fn parse_silver_events(key: &str) -> Option<(Date, ObjectId)> {
    let (day, name) = key.strip_prefix(SILVER)?.strip_prefix("events/date=")?.split_once('/')?;
    Some((parse_iso_date(day)?, name.strip_suffix(".parquet")?.parse().ok()?))
}

/// What the plan of the object at this key is of.
pub fn plan_of(key: &str) -> PlanOf {
    if key.starts_with(ACT) { PlanOf::Acts } else { PlanOf::Bronze }
}

/// `staged/<object id>.jsonl.gz`, of acts `staged/acts/<object id>.jsonl.gz`: what an object turned into, written once.
pub fn staged(of: PlanOf, object: ObjectId) -> String {
    let folder = match of {
        PlanOf::Bronze => STAGED,
        PlanOf::Acts => STAGED_ACTS,
    };
    format!("{folder}{object}.jsonl.gz")
}

/// What a plan is of, and its object; `None` if the key is no plan's.
pub fn parse_staged(key: &str) -> Option<(PlanOf, ObjectId)> {
    let (of, name) = match key.strip_prefix(STAGED_ACTS) {
        Some(name) => (PlanOf::Acts, name),
        None => (PlanOf::Bronze, key.strip_prefix(STAGED)?),
    };
    Some((of, name.strip_suffix(".jsonl.gz")?.parse().ok()?))
}

/// `quarantine/transform/<object id>.jsonl.gz`: the lines of a bronze object that transform found to be no events.
pub fn quarantine_of(object: ObjectId) -> String {
    format!("{QUARANTINE}transform/{object}.jsonl.gz")
}

/// `poison/<function>/<id>.json`: a message that the function could not read. The id names the message, not its
/// content; what it may not hold in a key becomes `_`.
pub fn poison(function: &str, id: &str) -> String {
    format!("{POISON}{}/{}.json", key_part(function), key_part(id))
}

/// `YYYY-MM-DD`.
pub fn iso_date(date: Date) -> String {
    format!("{:04}-{:02}-{:02}", date.year(), u8::from(date.month()), date.day())
}

/// The date that is written as `YYYY-MM-DD`.
pub fn parse_iso_date(text: &str) -> Option<Date> {
    let mut parts = text.split('-');
    let day = date(parts.next()?, parts.next()?, parts.next()?)?;
    parts.next().is_none().then_some(day)
}

fn key_part(text: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-') { c } else { '_' };
    let part: String = text.chars().take(MAX_PART_CHARS).map(plain).collect();
    // Empty or only dots would name the folder itself or the one above it.
    if part.bytes().all(|b| b == b'.') { "_".to_owned() } else { part }
}

fn date(year: &str, month: &str, day: &str) -> Option<Date> {
    let month = u8::try_from(number(month, 2)?).ok()?.try_into().ok()?;
    Date::from_calendar_date(i32::from(number(year, 4)?), month, u8::try_from(number(day, 2)?).ok()?).ok()
}

/// A number of exactly so many digits.
fn number(text: &str, digits: usize) -> Option<u16> {
    (text.len() == digits && text.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse().ok())?
}

/// S3 keys have at most 1,024 bytes; a message id has 36 characters, a deduplication id at most 128.
const MAX_PART_CHARS: usize = 200;

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::date;

    #[test]
    fn each_key_is_read_by_its_own_parser_only() {
        let object = ObjectId::of("bucket", "bronze/x");
        let silver = silver_events(date!(2026 - 12 - 31), object);
        assert_eq!(silver, format!("silver/events/date=2026-12-31/{object}.parquet"));
        assert_eq!(parse_silver_events(&silver), Some((date!(2026 - 12 - 31), object)));
        for (of, key) in [
            (PlanOf::Bronze, format!("staged/{object}.jsonl.gz")),
            (PlanOf::Acts, format!("staged/acts/{object}.jsonl.gz")),
        ] {
            assert_eq!((staged(of, object), parse_staged(&key)), (key, Some((of, object))));
        }
        for key in
            ["staged/acts/acts/", "acts/", "staged/x/", "staged//"].map(|folder| format!("{folder}{object}.jsonl.gz"))
        {
            assert_eq!(parse_staged(&key), None, "{key}");
        }
        assert_eq!(parse_staged(&silver), None);
        let plan = staged(PlanOf::Bronze, object);
        for key in [plan, quarantine_of(object), poison("audit-write", "m-1"), format!("x{silver}")] {
            assert_eq!(parse_silver_events(&key), None, "{key}");
        }
        assert_eq!([plan_of("act/hold/1"), plan_of("bronze/x")], [PlanOf::Acts, PlanOf::Bronze]);
        for day in ["2026-02-30", "2026-2-03", "2026-02-03-04"] {
            assert_eq!(parse_silver_events(&format!("silver/events/date={day}/{object}.parquet")), None, "{day}");
        }
    }

    #[test]
    fn golds_keys_are_golds_and_no_others_are() {
        let day = date!(2026 - 03 - 02);
        let daily = gold_summary(day, Granularity::Daily);
        let half_hourly = gold_summary(day, Granularity::HalfHourly);
        assert_eq!(half_hourly, "gold/summary/date=2026-03-02/30min.json");
        for key in [gold_intervals(day), gold_daily(day), daily, half_hourly, gold_run(day, 17)] {
            assert!(is_gold(&key) && !is_gold(&format!("x{key}")) && !is_gold(&format!("{key}x")), "{key}");
            assert!(!is_gold(&key.replace("2026-03-02", "2026-02-30")), "{key}");
        }
        for key in ["gold/", "gold/runs/date=2026-03-02/.json", "gold/runs/date=2026-03-02/+1.json", REFERENCE_QUEUES] {
            assert!(!is_gold(key), "{key}");
        }
        assert_eq!(
            (parse_iso_date("2026-03-02"), parse_iso_date("2026-03-02-1"), parse_iso_date("26-3-2")),
            (Some(day), None, None)
        );
        assert!(silver_events(day, ObjectId::of("b", "k")).starts_with(&silver_events_of(day)));
    }

    #[test]
    fn poison_keys_stay_in_their_folder() {
        assert_eq!(poison("audit-write", "../../x y"), "poison/audit-write/.._.._x_y.json");
        assert_eq!(poison("..", ""), "poison/_/_.json");
        assert_eq!(poison("f", &"a".repeat(500)).len(), "poison/f/.json".len() + MAX_PART_CHARS);
    }
}
