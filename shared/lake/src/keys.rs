//! The key of every object outside the ledger: bronze, quarantine, errors, silver, staged plans, poison.
//!
//! Invariant: a key that is built here is read back here, and a key of one sort is never taken for another. The
//! bronze keys themselves are written by Firehose, after the partition keys that ingest answers.

use std::fmt;

use time::Date;

use crate::ids::ObjectId;

/// Where Firehose puts source events; notified to transform.
pub const BRONZE: &str = "bronze/";
/// What is no event, kept whole and replayable; never notified.
pub const QUARANTINE: &str = "quarantine/";
/// What Firehose could not have transformed or delivered; notified to redrive.
pub const ERRORS: &str = "errors/";
/// Parquet for analysts.
pub const SILVER: &str = "silver/";
/// Plans.
pub const STAGED: &str = "staged/";
/// Messages that no retry can help, kept before they are acknowledged.
pub const POISON: &str = "poison/";

/// The first partition of bronze.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Family {
    /// Events of interactions.
    Interaction,
    /// Events about entities.
    Entity,
    /// Events whose occurrence is in the future or long past, by day of arrival.
    Late,
}

impl Family {
    /// The value of `event_type=` in a bronze key.
    pub fn label(self) -> &'static str {
        match self {
            Self::Interaction => "interaction",
            Self::Entity => "entity",
            Self::Late => "late",
        }
    }

    fn from_label(label: &str) -> Option<Self> {
        [Self::Interaction, Self::Entity, Self::Late].into_iter().find(|family| family.label() == label)
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.label())
    }
}

/// The partition of a bronze object: a hint from a Firehose record's first document, never a line's own time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct BronzePartition {
    /// The family.
    pub family: Family,
    /// The UTC day.
    pub date: Date,
    /// The UTC hour, 0 to 23.
    pub hour: u8,
}

impl BronzePartition {
    /// `bronze/event_type=…/year=…/month=…/day=…/hour=…/`.
    pub fn prefix(&self) -> String {
        let (year, month, day) = (self.date.year(), u8::from(self.date.month()), self.date.day());
        let (family, hour) = (self.family, self.hour);
        format!("{BRONZE}event_type={family}/year={year:04}/month={month:02}/day={day:02}/hour={hour:02}/")
    }

    /// The partition that a bronze object's key names, or `None` if it is no such key.
    pub fn of_key(key: &str) -> Option<Self> {
        let mut parts = key.strip_prefix(BRONZE)?.split('/');
        let mut part = |name: &str| parts.next()?.strip_prefix(name)?.strip_prefix('=');
        let family = Family::from_label(part("event_type")?)?;
        let (year, month, day) = (part("year")?, part("month")?, part("day")?);
        let hour = number(part("hour")?, 2).filter(|hour| *hour < 24)?;
        let date = date(year, month, day)?;
        let named = parts.next().is_some_and(|name| !name.is_empty()) && parts.next().is_none();
        named.then_some(Self { family, date, hour: u8::try_from(hour).ok()? })
    }
}

/// `silver/events/date=YYYY-MM-DD/<object id>.parquet`: the rows of one bronze object that occurred on one day.
pub fn silver_events(date: Date, object: ObjectId) -> String {
    format!("{SILVER}events/date={}/{object}.parquet", iso_date(date))
}

/// The day and the bronze object of a silver file, or `None` if the key is none.
pub fn parse_silver_events(key: &str) -> Option<(Date, ObjectId)> {
    let (day, name) = key.strip_prefix(SILVER)?.strip_prefix("events/date=")?.split_once('/')?;
    let mut parts = day.split('-');
    let day = date(parts.next()?, parts.next()?, parts.next()?)?;
    if parts.next().is_some() {
        return None;
    }
    Some((day, name.strip_suffix(".parquet")?.parse().ok()?))
}

/// `staged/<object id>.jsonl.gz`: what a bronze object turned into, written once.
pub fn staged(object: ObjectId) -> String {
    format!("{STAGED}{object}.jsonl.gz")
}

/// The bronze object of a plan, or `None` if the key is no plan's.
pub fn parse_staged(key: &str) -> Option<ObjectId> {
    key.strip_prefix(STAGED)?.strip_suffix(".jsonl.gz")?.parse().ok()
}

/// `quarantine/transform/<object id>.jsonl.gz`: the lines of a bronze object that transform found to be no events.
pub fn quarantine_of(object: ObjectId) -> String {
    format!("{QUARANTINE}transform/{object}.jsonl.gz")
}

/// The bronze object of transform's quarantine, or `None` if the key is none.
pub fn parse_quarantine_of(key: &str) -> Option<ObjectId> {
    key.strip_prefix(QUARANTINE)?.strip_prefix("transform/")?.strip_suffix(".jsonl.gz")?.parse().ok()
}

/// `poison/<function>/<id>.json`: a message that the function could not read. The id names the message, not its
/// content; what it may not hold in a key becomes `_`.
pub fn poison(function: &str, id: &str) -> String {
    format!("{POISON}{}/{}.json", key_part(function), key_part(id))
}

/// The function and id of a poison object, or `None` if the key is none.
pub fn parse_poison(key: &str) -> Option<(&str, &str)> {
    let (function, name) = key.strip_prefix(POISON)?.split_once('/')?;
    let id = name.strip_suffix(".json")?;
    let plain = |part: &str| !part.is_empty() && key_part(part) == part;
    (plain(function) && plain(id)).then_some((function, id))
}

/// Why Firehose put an object under its error prefix, `errors/<type>/…`: `processing-failed` when the transformation
/// failed, another word when the delivery did.
pub fn error_type(key: &str) -> Option<&str> {
    let (kind, rest) = key.strip_prefix(ERRORS)?.split_once('/')?;
    let plain = !kind.is_empty() && kind.bytes().all(|b| b.is_ascii_lowercase() || b == b'-');
    (plain && !rest.is_empty()).then_some(kind)
}

/// `YYYY-MM-DD`.
pub fn iso_date(date: Date) -> String {
    format!("{:04}-{:02}-{:02}", date.year(), u8::from(date.month()), date.day())
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
    fn bronze_partition_reads_its_own_prefix() {
        for family in [Family::Interaction, Family::Entity, Family::Late] {
            let partition = BronzePartition { family, date: date!(2026 - 03 - 02), hour: 7 };
            let key = format!("{}stream-1-2026-03-02-07-00-00-abc.gz", partition.prefix());
            assert_eq!(BronzePartition::of_key(&key), Some(partition));
        }
        let day = BronzePartition { family: Family::Entity, date: date!(2026 - 03 - 02), hour: 0 };
        assert_eq!(day.prefix(), "bronze/event_type=entity/year=2026/month=03/day=02/hour=00/");
    }

    #[test]
    fn bronze_partition_rejects_other_keys() {
        for key in [
            "bronze/event_type=interaction/year=2026/month=03/day=02/hour=07/",
            "bronze/event_type=interaction/year=2026/month=03/day=02/hour=07",
            "bronze/event_type=interaction/year=2026/month=03/day=02/hour=07/a/b",
            "bronze/event_type=interaction/year=2026/month=3/day=02/hour=07/a",
            "bronze/event_type=interaction/year=2026/month=02/day=30/hour=07/a",
            "bronze/event_type=interaction/year=2026/month=03/day=02/hour=24/a",
            "bronze/event_type=other/year=2026/month=03/day=02/hour=07/a",
            "quarantine/event_type=interaction/year=2026/month=03/day=02/hour=07/a",
            "xbronze/event_type=interaction/year=2026/month=03/day=02/hour=07/a",
            "bronze/year=2026",
            "",
        ] {
            assert_eq!(BronzePartition::of_key(key), None, "{key}");
        }
    }

    #[test]
    fn each_key_is_read_by_its_own_parser_only() {
        let object = ObjectId::of("bucket", "bronze/x");
        let silver = silver_events(date!(2026 - 12 - 31), object);
        assert_eq!(silver, format!("silver/events/date=2026-12-31/{object}.parquet"));
        assert_eq!(parse_silver_events(&silver), Some((date!(2026 - 12 - 31), object)));
        assert_eq!(parse_staged(&staged(object)), Some(object));
        assert_eq!(parse_quarantine_of(&quarantine_of(object)), Some(object));
        assert_eq!(parse_poison(&poison("audit-write", "m-1")), Some(("audit-write", "m-1")));
        let keys = [silver, staged(object), quarantine_of(object), poison("audit-write", "m-1")];
        for key in &keys {
            let readers = [
                parse_silver_events(key).is_some(),
                parse_staged(key).is_some(),
                parse_quarantine_of(key).is_some(),
                parse_poison(key).is_some(),
            ];
            assert_eq!(readers.iter().filter(|read| **read).count(), 1, "{key}");
            assert_eq!(BronzePartition::of_key(key), None, "{key}");
            assert_eq!(error_type(key), None, "{key}");
        }
    }

    #[test]
    fn poison_keys_stay_in_their_folder() {
        assert_eq!(poison("audit-write", "../../x y"), "poison/audit-write/.._.._x_y.json");
        assert_eq!(poison("..", ""), "poison/_/_.json");
        assert_eq!(poison("f", &"a".repeat(500)).len(), "poison/f/.json".len() + MAX_PART_CHARS);
    }

    #[test]
    fn error_type_is_the_first_folder() {
        assert_eq!(error_type("errors/processing-failed/year=2026/x"), Some("processing-failed"));
        for key in ["errors/", "errors//x", "errors/processing-failed/", "errors/UPPER/x", "bronze/processing-failed/x"]
        {
            assert_eq!(error_type(key), None, "{key}");
        }
    }
}
