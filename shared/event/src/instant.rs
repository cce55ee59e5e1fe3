//! Instants as epoch milliseconds, and their one stored form: RFC 3339, UTC, exactly three decimals, `Z`.
//!
//! Reading is lenient about the forms that sources use; writing has one form. No clock is read here.

use serde_json::Value;

/// 9999-12-31T23:59:59.999Z: the last instant that RFC 3339 can write.
pub const MAX_MS: i64 = 253_402_300_799_999;
/// Below this, a bare number counts seconds: as milliseconds it would lie before March 1973, before any contact center
/// sent JSON; as seconds it reaches the year 5138.
const SECONDS_BELOW: i64 = 100_000_000_000;
const DAY_MS: i64 = 86_400_000;

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
    digits(&mut text[0..4], c.year.into());
    digits(&mut text[5..7], c.month.into());
    digits(&mut text[8..10], c.day.into());
    digits(&mut text[11..13], c.hour.into());
    digits(&mut text[14..16], c.minute.into());
    digits(&mut text[17..19], c.second.into());
    digits(&mut text[20..23], c.millis.into());
    out.extend_from_slice(&text);
}

/// The stored form as a string.
pub fn to_rfc3339(ms: i64) -> String {
    let mut out = Vec::with_capacity(24);
    write(ms, &mut out);
    String::from_utf8_lossy(&out).into_owned()
}

fn digits(slot: &mut [u8], mut value: u32) {
    for byte in slot.iter_mut().rev() {
        *byte = b'0' + (value % 10) as u8;
        value /= 10;
    }
}

/// Reads what sources call a time: ISO 8601 with any offset (none means UTC), or a number of milliseconds or seconds,
/// as a JSON number's text or a string. Zero, negative and out-of-range instants are no times.
pub fn parse(text: &str) -> Option<i64> {
    let text = text.trim();
    let ms = match iso(text.as_bytes()) {
        Some(ms) => ms,
        None => number(text)?,
    };
    (1..=MAX_MS).contains(&ms).then_some(ms)
}

/// [`parse`] of a JSON string or number.
pub fn parse_value(value: &Value) -> Option<i64> {
    match value {
        Value::String(text) => parse(text),
        Value::Number(number) => parse(&number.to_string()),
        _ => None,
    }
}

fn number(text: &str) -> Option<i64> {
    let bytes = text.as_bytes();
    // A calendar year or a date without separators is not a count of seconds.
    if !bytes.first()?.is_ascii_digit() || !bytes.iter().all(|b| matches!(b, b'0'..=b'9' | b'.' | b'e' | b'E' | b'+')) {
        return None;
    }
    let whole = match text.parse::<i64>() {
        Ok(whole) => whole,
        Err(_) => {
            let real = text.parse::<f64>().ok()?;
            // Seconds with decimals keep their milliseconds.
            if real < SECONDS_BELOW as f64 { (real * 1_000.0).round() as i64 } else { real as i64 }
        }
    };
    if text.parse::<i64>().is_ok() && whole < SECONDS_BELOW { whole.checked_mul(1_000) } else { Some(whole) }
}

/// `YYYY-MM-DD(T| )hh:mm(:ss(.f+)?)?(Z|±hh:mm|±hhmm|±hh)?`
fn iso(b: &[u8]) -> Option<i64> {
    if b.len() < 16 || b[4] != b'-' || b[7] != b'-' || !matches!(b[10], b'T' | b't' | b' ') || b[13] != b':' {
        return None;
    }
    let (year, month, day) = (decimal(&b[0..4])?, decimal(&b[5..7])?, decimal(&b[8..10])?);
    let (hour, minute) = (decimal(&b[11..13])?, decimal(&b[14..16])?);
    let mut rest = &b[16..];
    let (mut second, mut millis) = (0, 0);
    if rest.len() >= 3 && rest[0] == b':' {
        second = decimal(&rest[1..3])?;
        rest = &rest[3..];
        if rest.first().is_some_and(|c| matches!(c, b'.' | b',')) {
            let count = rest[1..].iter().take_while(|c| c.is_ascii_digit()).count();
            if count == 0 {
                return None;
            }
            for place in 0..3 {
                millis = millis * 10 + if place < count { i64::from(rest[1 + place] - b'0') } else { 0 };
            }
            rest = &rest[1 + count..];
        }
    }
    if !(1..=12).contains(&month) || day < 1 || day > days_in(year, month) || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    // A leap second is the last millisecond of the second before it.
    let in_minute = if second == 60 { 59_999 } else { second * 1_000 + millis };
    let local = days_from_civil(year, month, day) * DAY_MS + hour * 3_600_000 + minute * 60_000 + in_minute;
    Some(local - offset_minutes(rest)? * 60_000)
}

fn offset_minutes(rest: &[u8]) -> Option<i64> {
    let sign = match rest.first() {
        None => return Some(0),
        Some(b'Z' | b'z') => return (rest.len() == 1).then_some(0),
        Some(b'+') => 1,
        Some(b'-') => -1,
        Some(_) => return None,
    };
    let (hours, minutes) = match rest.len() {
        3 => (decimal(&rest[1..3])?, 0),
        5 => (decimal(&rest[1..3])?, decimal(&rest[3..5])?),
        6 if rest[3] == b':' => (decimal(&rest[1..3])?, decimal(&rest[4..6])?),
        _ => return None,
    };
    (hours <= 23 && minutes <= 59).then_some(sign * (hours * 60 + minutes))
}

fn decimal(b: &[u8]) -> Option<i64> {
    let mut value = 0;
    for byte in b {
        if !byte.is_ascii_digit() {
            return None;
        }
        value = value * 10 + i64::from(byte - b'0');
    }
    Some(value)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stored_form_round_trips_over_leap_years_and_the_bounds() {
        for ms in [1, 951_782_400_000, 1_709_164_799_999, 1_772_460_000_350, 4_107_542_400_000, MAX_MS] {
            assert_eq!(parse(&to_rfc3339(ms)), Some(ms), "{ms}");
        }
        assert_eq!(to_rfc3339(1_772_460_000_350), "2026-03-02T14:00:00.350Z");
        let c = civil(1_709_164_799_999);
        assert_eq!((c.year, c.month, c.day, c.hour), (2024, 2, 28, 23));
    }

    #[test]
    fn the_forms_that_sources_use_are_one_instant() {
        for text in [
            "2026-03-02T14:00:00.350Z",
            "2026-03-02T15:00:00.350+01:00",
            "2026-03-02 09:00:00.3500001-0500",
            "2026-03-02T14:00:00.35",
            "1772460000350",
            "1.77246000035e12",
            "1772460000.350",
        ] {
            assert_eq!(parse(text), Some(1_772_460_000_350), "{text}");
        }
        assert_eq!(parse("1772460000"), Some(1_772_460_000_000));
        assert_eq!(parse("2026-03-02T14:00Z"), Some(1_772_460_000_000));
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in [
            "",
            "0",
            "-1",
            "now",
            "2026-02-30T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "0001-01-01T00:00:00Z",
            "2026-03-02T24:00:00Z",
            "2026-03-02T14:00:00.Z",
            "2026-03-02T14:00:00+25:00",
            "1e300",
            "99999999999999999999",
            "2026-03-02",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
