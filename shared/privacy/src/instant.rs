//! Instants as epoch milliseconds: the one reader of what sources and callers call a time, and the one stored form, RFC 3339,
//! UTC, exactly three decimals, `Z`.
//!
//! Invariant: a text is read as the one instant that its grammar allows or not at all. Nothing is guessed: a run of digits
//! whose length names no unit is not a time, and a civil time without an offset is marked. No input panics or takes more
//! than linear time. Left out: names of zones, which are skipped; dates without a time of day; and the clock.

use ledgerline_json::Json;

/// 9999-12-31T23:59:59.999Z: the last instant that RFC 3339 can write.
pub const MAX_MS: i64 = 253_402_300_799_999;
/// 1990-01-01T00:00:00Z: before any contact centre sent JSON.
pub const EARLIEST_MS: i64 = 631_152_000_000;
/// 48 hours: how far a source's clock may run ahead of ours, which is more than any civil time read as UTC does (14 h).
pub const AHEAD_MS: i64 = 2 * DAY_MS;
const DAY_MS: i64 = 86_400_000;

/// A point in time, as a source wrote it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Instant {
    /// Epoch milliseconds; what is finer was cut.
    pub ms: i64,
    /// It was a civil time without an offset, taken as UTC.
    pub zone_assumed: bool,
}

/// How much of an instant a text spelled out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Precision {
    /// Hours and minutes.
    Minutes,
    /// Seconds.
    Seconds,
    /// A fraction that whole milliseconds hold.
    Millis,
    /// A fraction of which a part was cut: the instant lies after its millisecond and before the next.
    Finer,
}

/// An instant and how much of it was spelled out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spelled {
    /// The instant.
    pub instant: Instant,
    /// How much of it the text said.
    pub precision: Precision,
}

/// Reads what sources call a time; instants outside 1970…9999 and the epoch itself are not times.
///
/// - ISO 8601 extended, `YYYY-MM-DD`, `T`, `t` or a space, `hh:mm`, `:ss`, a fraction; or basic, `YYYYMMDDThhmm`, `ss`, a
///   fraction. Seconds and fraction may be missing. A fraction follows a dot or a comma, and is cut to milliseconds.
/// - Then `Z`, `z`, `±hh`, `±hhmm` or `±hh:mm`; without one the time is taken as UTC and marked. A zone's name in brackets at
///   the end is skipped. A leap second is the last millisecond of the second before it.
/// - Decimal digits, by how many there are: 10 are seconds, 13 milliseconds, 16 microseconds, 19 nanoseconds since 1970; 14
///   are `yyyyMMddHHmmss`, 17 the same with milliseconds. Counts may have a fraction after a dot; one with an exponent, as
///   some programs print numbers, stands for its value.
pub fn read(text: &str) -> Option<Instant> {
    spelled(text).and_then(within_reach)
}

/// [`read`] of a JSON string or number.
pub fn read_value(value: &Json<'_>) -> Option<Instant> {
    match value {
        Json::String(text) => read(text),
        Json::Number(number) => read_number(number.lexeme()),
        _ => None,
    }
}

/// The instant that a JSON number is. It differs from [`read`], which takes digits as they stand, where a double does not hold
/// them all: `1772460000.350999999` is …351 as a number, to every program that sends it, and …350 as a text.
fn read_number(text: &str) -> Option<Instant> {
    let number = Number::of(text)?;
    let spelled = if number.is_whole() { number.spelled() } else { double(text.parse().ok()?) };
    spelled.and_then(within_reach)
}

/// The milliseconds of [`read`].
pub fn parse(text: &str) -> Option<i64> {
    read(text).map(|instant| instant.ms)
}

/// The milliseconds of [`read_value`].
pub fn parse_value(value: &Json<'_>) -> Option<i64> {
    read_value(value).map(|instant| instant.ms)
}

/// Whether an event that was received then may have occurred at `ms`.
pub fn is_plausible(ms: i64, received_at_ms: i64) -> bool {
    (EARLIEST_MS..=received_at_ms.saturating_add(AHEAD_MS)).contains(&ms)
}

/// [`read`] for callers that need the precision: any instant of the years 0 to 9999 (and, through an offset, a
/// day more at each end).
pub fn spelled(text: &str) -> Option<Spelled> {
    let text = text.trim();
    let bytes = text.as_bytes();
    match (bytes.get(4), bytes.get(8)) {
        (Some(b'-'), _) => extended(bytes),
        (_, Some(b'T' | b't')) => basic(bytes),
        _ => Number::of(text)?.spelled(),
    }
}

/// Whether a JSON text spells an instant, be it one that [`read`] does not reach: `0001-01-01T00:00:00Z`.
pub fn is_spelled(value: &Json<'_>) -> bool {
    value.as_str().is_some_and(|text| spelled(text).is_some())
}

fn within_reach(spelled: Spelled) -> Option<Instant> {
    (1..=MAX_MS).contains(&spelled.instant.ms).then_some(spelled.instant)
}

/// `YYYY-MM-DD(T|t| )hh:mm(:ss(fraction)?)?(offset)?([zone])?`
fn extended(rest: &[u8]) -> Option<Spelled> {
    let (year, rest) = digits(rest, 4)?;
    let (month, rest) = digits(one_of(rest, b"-")?, 2)?;
    let (day, rest) = digits(one_of(rest, b"-")?, 2)?;
    let (hour, rest) = digits(one_of(rest, b"Tt ")?, 2)?;
    let (minute, rest) = digits(one_of(rest, b":")?, 2)?;
    let date = [year, month, day];
    match one_of(rest, b":") {
        None => zoned(date, [hour, minute, 0], (0, Precision::Minutes), rest),
        Some(rest) => {
            let (second, rest) = digits(rest, 2)?;
            let (fraction, rest) = fraction(rest)?;
            zoned(date, [hour, minute, second], fraction, rest)
        }
    }
}

/// `YYYYMMDD(T|t)hhmm(ss(fraction)?)?(offset)?([zone])?`
fn basic(rest: &[u8]) -> Option<Spelled> {
    let (year, rest) = digits(rest, 4)?;
    let (month, rest) = digits(rest, 2)?;
    let (day, rest) = digits(rest, 2)?;
    let (hour, rest) = digits(one_of(rest, b"Tt")?, 2)?;
    let (minute, rest) = digits(rest, 2)?;
    let date = [year, month, day];
    match digits(rest, 2) {
        None => zoned(date, [hour, minute, 0], (0, Precision::Minutes), rest),
        Some((second, rest)) => {
            let (fraction, rest) = fraction(rest)?;
            zoned(date, [hour, minute, second], fraction, rest)
        }
    }
}

/// A civil time, with what stands behind it: an offset, a zone's name, both or neither, and nothing else.
fn zoned(date: [i64; 3], time: [i64; 3], (millis, precision): (u64, Precision), rest: &[u8]) -> Option<Spelled> {
    let local = local_ms(date, time, millis)?;
    let (offset, rest) = offset_minutes(rest)?;
    let zone_ends = rest.is_empty() || is_zone(rest);
    let instant = Instant { ms: local - offset.unwrap_or(0) * 60_000, zone_assumed: offset.is_none() };
    zone_ends.then_some(Spelled { instant, precision })
}

/// The milliseconds of what follows seconds, and how much was said. A missing fraction is allowed; a dot without digits is not.
fn fraction(rest: &[u8]) -> Option<((u64, Precision), &[u8])> {
    let Some(rest) = one_of(rest, b".,") else { return Some(((0, Precision::Seconds), rest)) };
    let (digits, rest) = rest.split_at(leading_digits(rest));
    (!digits.is_empty()).then(|| (cut(digits), rest))
}

/// Digits after a decimal point, cut to milliseconds.
fn cut(digits: &[u8]) -> (u64, Precision) {
    let millis = (0..3).fold(0, |millis, place| millis * 10 + digits.get(place).map_or(0, |b| u64::from(b - b'0')));
    let finer = digits.iter().skip(3).any(|digit| *digit != b'0');
    (millis, if finer { Precision::Finer } else { Precision::Millis })
}

fn offset_minutes(rest: &[u8]) -> Option<(Option<i64>, &[u8])> {
    let (sign, rest) = match rest {
        [b'Z' | b'z', rest @ ..] => return Some((Some(0), rest)),
        [b'+', rest @ ..] => (1, rest),
        [b'-', rest @ ..] => (-1, rest),
        _ => return Some((None, rest)),
    };
    let (hours, rest) = digits(rest, 2)?;
    let (minutes, rest) = match rest {
        [b':', rest @ ..] => digits(rest, 2)?,
        [b'0'..=b'9', ..] => digits(rest, 2)?,
        _ => (0, rest),
    };
    (hours <= 23 && minutes <= 59).then_some((Some(sign * (hours * 60 + minutes)), rest))
}

/// `[Europe/Berlin]`, `[GMT+02:00]`: what Java's `ZonedDateTime` and RFC 9557 append. A critical one, `[!…]`, may not be
/// skipped, so it is not one.
fn is_zone(rest: &[u8]) -> bool {
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || b"/_+-.:".contains(byte);
    matches!(rest, [b'[', name @ .., b']'] if !name.is_empty() && name.iter().all(is_part))
}

/// A number as JSON spells it, without a sign.
struct Number<'a> {
    text: &'a str,
    whole: &'a str,
    fraction: &'a str,
    has_exponent: bool,
}

impl<'a> Number<'a> {
    fn of(text: &'a str) -> Option<Self> {
        let (whole, rest) = text.split_at(leading_digits(text.as_bytes()));
        let (fraction, rest) = match rest.strip_prefix('.') {
            Some(rest) => rest.split_at(leading_digits(rest.as_bytes())),
            None => ("", rest),
        };
        let exponent = rest.strip_prefix(['e', 'E']);
        let has_digits = |digits: &str| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        let fits = has_digits(whole)
            && (whole == "0" || !whole.starts_with('0'))
            && (fraction.is_empty() != text[whole.len()..].starts_with('.'))
            && match exponent {
                Some(exponent) => has_digits(exponent.strip_prefix(['+', '-']).unwrap_or(exponent)),
                None => rest.is_empty(),
            };
        fits.then_some(Self { text, whole, fraction, has_exponent: exponent.is_some() })
    }

    fn is_whole(&self) -> bool {
        self.fraction.is_empty() && !self.has_exponent
    }

    fn spelled(&self) -> Option<Spelled> {
        if self.has_exponent {
            return double(self.text.parse().ok()?);
        }
        let digits = u32::try_from(self.whole.len()).ok().filter(|digits| *digits <= MAX_DIGITS)?;
        count(self.whole.parse().ok()?, digits, self.fraction)
    }
}

/// A double stands for the shortest decimal that is read as this double, which is what wrote it, if a program did.
fn double(value: f64) -> Option<Spelled> {
    // Display never writes an exponent, so the text is bounded first.
    let text = (value > 0.0 && value < 1e19).then(|| value.to_string())?;
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    // The last digits of seventeen are not in a double: they would be a civil time's milliseconds.
    let digits = u32::try_from(whole.len()).ok().filter(|digits| *digits != 17)?;
    count(whole.parse().ok()?, digits, fraction)
}

/// What so many digits count, with the digits after their decimal point.
fn count(whole: u64, digits: u32, fraction: &str) -> Option<Spelled> {
    let (millis, said) = cut(fraction.as_bytes());
    let has_rest = fraction.bytes().any(|digit| digit != b'0');
    let epoch = |ms: u64, precision| {
        let ms = i64::try_from(ms).ok()?;
        Some(Spelled { instant: Instant { ms, zone_assumed: false }, precision })
    };
    let of_unit = |per_ms: u64| {
        let finer = has_rest || !whole.is_multiple_of(per_ms);
        epoch(whole / per_ms, if finer { Precision::Finer } else { Precision::Millis })
    };
    match digits {
        10 => epoch(whole * 1_000 + millis, if fraction.is_empty() { Precision::Seconds } else { said }),
        13 => of_unit(1),
        16 => of_unit(1_000),
        19 => of_unit(1_000_000),
        14 if !has_rest => civil_number(whole, (0, Precision::Seconds)),
        17 if !has_rest => civil_number(whole / 1_000, (whole % 1_000, Precision::Millis)),
        _ => None,
    }
}

/// `yyyyMMddHHmmss`
fn civil_number(whole: u64, fraction: (u64, Precision)) -> Option<Spelled> {
    let pair = |below: u64| (whole / below % 100) as i64;
    let date = [(whole / 10_000_000_000) as i64, pair(100_000_000), pair(1_000_000)];
    zoned(date, [pair(10_000), pair(100), pair(1)], fraction, b"")
}

/// The milliseconds of a civil time as if it were UTC.
fn local_ms([year, month, day]: [i64; 3], [hour, minute, second]: [i64; 3], millis: u64) -> Option<i64> {
    let is_day = (1..=12).contains(&month) && (1..=days_in(year, month)).contains(&day);
    if !is_day || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    // A leap second is the last millisecond of the second before it.
    let in_minute = if second == 60 { 59_999 } else { second * 1_000 + millis as i64 };
    Some(days_from_civil(year, month, day) * DAY_MS + hour * 3_600_000 + minute * 60_000 + in_minute)
}

/// The value of the first `count` bytes, which are decimal digits, and the bytes after them.
fn digits(bytes: &[u8], count: usize) -> Option<(i64, &[u8])> {
    let (digits, rest) = bytes.split_at_checked(count)?;
    let value =
        digits.iter().try_fold(0, |value, byte| byte.is_ascii_digit().then(|| value * 10 + i64::from(byte - b'0')))?;
    Some((value, rest))
}

/// The bytes after the first, if this is one of those.
fn one_of<'a>(bytes: &'a [u8], expected: &[u8]) -> Option<&'a [u8]> {
    let (first, rest) = bytes.split_first()?;
    expected.contains(first).then_some(rest)
}

fn leading_digits(bytes: &[u8]) -> usize {
    bytes.iter().take_while(|byte| byte.is_ascii_digit()).count()
}

fn days_in(year: i64, month: i64) -> i64 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        _ => 31,
    }
}

fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let y = if month <= 2 { year - 1 } else { year };
    let era = y.div_euclid(400);
    let yoe = y.rem_euclid(400);
    let mp = if month > 2 { month - 3 } else { month + 9 };
    let doy = (153 * mp + 2) / 5 + day - 1;
    era * 146_097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719_468
}

/// The parts of a partition path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Civil {
    /// Year, 1970 to 9999.
    pub year: u16,
    /// Month, 1 to 12.
    pub month: u8,
    /// Day of the month, 1 to 31.
    pub day: u8,
    /// Hour, 0 to 23.
    pub hour: u8,
    minute: u8,
    second: u8,
    millis: u16,
}

/// Splits an instant into its UTC parts. Instants outside 1970…9999 are clamped to these bounds.
pub fn civil(ms: i64) -> Civil {
    let ms = ms.clamp(0, MAX_MS);
    let (days, in_day) = (ms / DAY_MS, ms % DAY_MS);
    // Howard Hinnant's civil_from_days, for non-negative days.
    let z = days + 719_468;
    let era = z / 146_097;
    let doe = z - era * 146_097;
    let yoe = (doe - doe / 1_460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let month = if mp < 10 { mp + 3 } else { mp - 9 };
    let year = yoe + era * 400 + i64::from(month <= 2);
    Civil {
        year: year as u16,
        month: month as u8,
        day: (doy - (153 * mp + 2) / 5 + 1) as u8,
        hour: (in_day / 3_600_000) as u8,
        minute: (in_day / 60_000 % 60) as u8,
        second: (in_day / 1_000 % 60) as u8,
        millis: (in_day % 1_000) as u16,
    }
}

/// Appends the stored form, `2026-03-02T14:00:00.350Z`: 24 bytes.
pub fn write(ms: i64, out: &mut Vec<u8>) {
    let c = civil(ms);
    let mut text = *b"0000-00-00T00:00:00.000Z";
    write_digits(&mut text[0..4], c.year.into());
    write_digits(&mut text[5..7], c.month.into());
    write_digits(&mut text[8..10], c.day.into());
    write_digits(&mut text[11..13], c.hour.into());
    write_digits(&mut text[14..16], c.minute.into());
    write_digits(&mut text[17..19], c.second.into());
    write_digits(&mut text[20..23], c.millis.into());
    out.extend_from_slice(&text);
}

/// The stored form as a string.
pub fn to_rfc3339(ms: i64) -> String {
    let mut out = Vec::with_capacity(24);
    write(ms, &mut out);
    String::from_utf8_lossy(&out).into_owned()
}

fn write_digits(slot: &mut [u8], mut value: u32) {
    for byte in slot.iter_mut().rev() {
        *byte = b'0' + (value % 10) as u8;
        value /= 10;
    }
}

/// Nanoseconds have this many digits until 2286; u64 holds any of them.
const MAX_DIGITS: u32 = 19;

#[cfg(test)]
mod tests;
