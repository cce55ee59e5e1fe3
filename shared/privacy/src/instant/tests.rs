//! Texts that are times, more that are not, each with where it comes from, and properties of all texts.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

/// The same value as a document holds it.
fn tree(value: &Value) -> Json<'static> {
    number(&value.to_string()).unwrap()
}

/// The number with this text; `None` where JSON has no such number.
fn number(text: &str) -> Option<Json<'static>> {
    ledgerline_json::parse(text.as_bytes()).ok().map(Json::into_owned)
}

/// 2026-03-02T14:00:00.350Z
const AT: i64 = 1_772_460_000_350;
/// The same without its fraction.
const SECOND: i64 = 1_772_460_000_000;

/// What is a time: text, milliseconds, whether a zone was assumed, origin.
const READ: &[(&str, i64, bool, &str)] = &[
    // Extended.
    ("2026-03-02T14:00:00.350Z", AT, false, "the stored form"),
    ("2026-03-02T15:00:00.350+01:00", AT, false, "RFC 3339, 5.8"),
    ("2026-03-02 09:00:00.3500001-0500", AT, false, "RFC 3339, 5.6: a space for readability"),
    ("2026-03-02T14:00:00.35", AT, true, "java.time.LocalDateTime"),
    ("2026-03-02T14:00:00.3509999999999Z", AT, false, "cut, not rounded"),
    ("2026-03-02T14:00Z", SECOND, false, "ISO 8601: without seconds"),
    ("2026-03-02T14:00", SECOND, true, "an HTML datetime-local field"),
    ("2026-03-02T14:00:00.000+0000", SECOND, false, "js-joda/js-joda issue 254"),
    ("2026-03-02T15:00:00.000+01", SECOND, false, "js-joda/js-joda issue 377"),
    ("2026-03-02T19:30:00+0530", SECOND, false, "colinhacks/zod issue 4666"),
    ("2026-03-02t14:00:00z", SECOND, false, "RFC 3339, 5.6: lower case"),
    ("2026-03-02T14:00:00,000Z", SECOND, false, "ISO 8601: a comma before the fraction"),
    ("2026-03-02T14:00:00-00:00", SECOND, false, "RFC 3339, 4.3: an offset all the same"),
    ("2026-03-02T15:00:00+01:00[Europe/Berlin]", SECOND, false, "java.time.ZonedDateTime; RFC 9557"),
    ("2026-03-02T16:00:00+02:00[GMT+02:00]", SECOND, false, "java.time.ZonedDateTime"),
    ("2026-03-02T14:00:00Z[Etc/UTC]", SECOND, false, "RFC 9557"),
    ("2026-03-02T14:00:00[America/Argentina/Buenos_Aires]", SECOND, true, "a name alone is no offset"),
    (" 2026-03-02T14:00:00Z\n", SECOND, false, "white space around"),
    ("2016-12-31T23:59:60Z", 1_483_228_799_999, false, "RFC 3339, 5.8: a leap second"),
    ("2016-12-31T15:59:60.5-08:00", 1_483_228_799_999, false, "RFC 3339, 5.8, with a fraction"),
    ("2024-02-29T00:00:00Z", 1_709_164_800_000, false, "a leap day"),
    ("1970-01-01T00:00:00.001Z", 1, false, "the first instant"),
    ("9999-12-31T23:59:59.999Z", MAX_MS, false, "the last instant"),
    // Basic.
    ("20260302T140000Z", SECOND, false, "ISO 8601 basic; iCalendar"),
    ("20260302T140000.350Z", AT, false, "ISO 8601 basic"),
    ("20260302T150000,35+01", AT, false, "ISO 8601 basic"),
    ("20260302T0900-0500", SECOND, false, "ISO 8601 basic without seconds"),
    ("20260302t140000+00:00", SECOND, false, "basic with an extended offset"),
    ("20260302T140000", SECOND, true, "iCalendar's floating time"),
    ("20260302T1400[Europe/Berlin]", SECOND, true, "a name alone is no offset"),
    // Counts.
    ("1772460000", SECOND, false, "seconds"),
    ("1772460000.350", AT, false, "seconds with milliseconds"),
    ("1772460000.35", AT, false, "seconds with hundredths"),
    ("1772460000.350123456", AT, false, "slaveofcode/goodwebtools pull request 43"),
    ("1772460000.350999999", AT, false, "cut, not rounded"),
    ("1772460000350", AT, false, "milliseconds"),
    ("1772460000350.0", AT, false, "a double, as Python prints it"),
    ("1772460000350.9", AT, false, "cut, not rounded"),
    ("1772460000350123", AT, false, "Netflix/atlas pull request 1673"),
    ("1772460000350999.9", AT, false, "cut, not rounded"),
    ("1772460000350123456", AT, false, "phonedotcom/events-integration-doc, timestamp_ns"),
    ("9999999999999999999", 9_999_999_999_999, false, "beyond 63 bits, within 64"),
    ("1.77246000035e12", AT, false, "a double, as JavaScript never and many programs do print it"),
    ("1.77246000035E+12", AT, false, "the same"),
    ("177246000035000e-2", 1_772_460_000_350, false, "the same"),
    ("1.77246e9", SECOND, false, "counts by its value: seconds"),
    ("1.772460000350123e15", AT, false, "counts by its value: microseconds"),
    // Civil digits.
    ("20260302140000", SECOND, true, "scrapinghub/dateparser issue 373"),
    ("20171222160001", 1_513_958_401_000, true, "scrapinghub/dateparser issue 373, its own value"),
    ("20260302140000350", AT, true, "the same with milliseconds"),
    ("20260302140000.0", SECOND, true, "the same as a double"),
    ("20161231235960", 1_483_228_799_999, true, "a leap second"),
];

/// What is not a time: text, origin.
const REFUSED: &[(&str, &str)] = &[
    ("", "nothing"),
    (" ", "nothing"),
    ("now", "a word"),
    ("yesterday", "a word"),
    ("null", "a word"),
    // Digits whose number names no unit.
    ("0", "a zero default"),
    ("0000000000", "a zero default, padded"),
    ("0000000000000", "a zero default, padded"),
    ("-1", "a default"),
    ("-1772460000", "ten digits and a sign"),
    ("+1772460000", "ten digits and a sign"),
    ("-177246000", "ten characters"),
    ("1", "seconds of 1970"),
    ("2026", "scrapinghub/dateparser issue 373: a year"),
    ("202603", "scrapinghub/dateparser issue 373: a month"),
    ("260302", "a date of two-digit years"),
    ("20260302", "globalbioticinteractions issue 287: a date"),
    ("999999999", "seconds before September 2001"),
    ("17724600000", "eleven digits"),
    ("15555550142", "eleven digits: a telephone number"),
    ("260302140000", "scrapinghub/dateparser issue 373: two-digit year"),
    ("202603021400", "twelve digits: no seconds"),
    ("177246000035012", "fifteen digits"),
    ("177246000035012345", "eighteen digits"),
    ("17724600003501234567", "twenty digits"),
    ("99999999999999999999", "twenty digits"),
    ("0001772460000", "thirteen digits by zeros before them"),
    ("00000001772460000350", "zeros before them"),
    ("20260230140000", "scrapinghub/dateparser issue 373: no such day"),
    ("20261302140000", "no such month"),
    ("20260302240000", "no such hour"),
    ("20260302146000", "no such minute"),
    ("20260302140061", "no such second"),
    ("02032026140000", "day first"),
    ("20260302140000.5", "half of a civil number's second"),
    ("19691231235959", "before 1970"),
    ("00000000000000", "MySQL's zero date as a number"),
    ("00000000000000000", "the same with milliseconds"),
    ("1772460000.", "no fraction after the dot"),
    ("1772460000,350", "a comma in a number"),
    (".1772460000", "no whole part"),
    ("1772460000.35.0", "two dots"),
    ("1772460000Z", "a number with a zone"),
    ("1772460000 ms", "a number with a unit"),
    ("1_772_460_000", "digits in groups"),
    ("1,772,460,000", "digits in groups"),
    ("0x69A598A0", "hexadecimal"),
    ("١٧٧٢٤٦٠٠٠٠", "digits of another script"),
    ("1e300", "far beyond"),
    ("1e999999999999999999999", "beyond a double"),
    ("1e-999999999999999999999", "zero as a double"),
    ("1e", "no exponent after the e"),
    ("1e+", "no exponent after the sign"),
    ("1.77246e8", "counts by its value: nine digits"),
    ("1.77246000035e11", "counts by its value: twelve digits"),
    ("2.026e3", "counts by its value: a year"),
    ("2.0260302140000352e16", "seventeen digits, which a double does not hold"),
    ("1.5e19", "twenty digits"),
    ("NaN", "a double that is none"),
    ("Infinity", "a double that is none"),
    // Civil times that are not.
    ("2026-03-02", "globalbioticinteractions issue 287: a date"),
    ("2026-03", "a month"),
    ("2026-W10-1T14:00:00Z", "ISO 8601: a week date"),
    ("2026-061T14:00:00Z", "ISO 8601: an ordinal date"),
    ("2026061T140000Z", "ISO 8601: an ordinal date, basic"),
    ("2026-02-29T00:00:00Z", "no leap year"),
    ("1900-02-29T00:00:00Z", "no leap year"),
    ("2026-02-30T00:00:00Z", "no such day"),
    ("2026-04-31T00:00:00Z", "no such day"),
    ("2026-13-01T00:00:00Z", "no such month"),
    ("2026-00-01T00:00:00Z", "no such month"),
    ("2026-03-00T00:00:00Z", "no such day"),
    ("2026-03-02T24:00:00Z", "ISO 8601:2004's midnight, which RFC 3339 has not"),
    ("2026-03-02T14:60:00Z", "no such minute"),
    ("2026-03-02T14:00:61Z", "no such second"),
    ("0000-00-00 00:00:00", "MySQL's zero date"),
    ("0001-01-01T00:00:00Z", "a zero time: Go's, .NET's"),
    ("0001-01-01T00:00:00+00:00", "the same"),
    ("1970-01-01T00:00:00Z", "a zero time: Unix'"),
    ("1970-01-01T00:00:00.000+01:00", "before it"),
    ("1969-12-31T23:59:59Z", "before it"),
    ("9999-12-31T23:59:59-00:01", "beyond what can be written"),
    ("+2026-03-02T14:00:00Z", "ECMAScript's expanded years have six digits"),
    ("+002026-03-02T14:00:00Z", "ECMAScript's expanded years"),
    ("-2026-03-02T14:00:00Z", "a year before Christ"),
    ("26-03-02T14:00:00Z", "a two-digit year"),
    ("2026-3-2T14:00:00Z", "one-digit month and day"),
    ("2026/03/02 14:00:00", "slashes"),
    ("2026.03.02 14:00:00", "dots"),
    ("02.03.2026 14:00:00", "day first"),
    ("03/02/2026 02:00 PM", "month first"),
    ("2026-03-02_14:00:00Z", "an underscore"),
    ("2026-03-02  14:00:00Z", "two spaces"),
    ("2026-03-02T14", "no minutes"),
    ("2026-03-02T14:00:", "no seconds after the colon"),
    ("2026-03-02T14:00:5Z", "one digit of seconds"),
    ("2026-03-02T1400Z", "half extended, half basic"),
    ("20260302T14:00:00Z", "half basic, half extended"),
    ("2026-03-02T14:00.5Z", "a fraction of a minute"),
    ("2026-03-02T14:00:00.Z", "no digits after the dot"),
    ("2026-03-02T14:00:00,", "no digits after the comma"),
    ("2026-03-02T14:00:00.1.2Z", "two fractions"),
    ("2026-03-02T14:00:00.-5Z", "a sign in the fraction"),
    ("2026-03-02T14:00:00 PM", "a half of the day"),
    ("2026-03-02T14:00:00UTC", "a zone's name without brackets"),
    ("2026-03-02 14:00:00 UTC", "a zone's name without brackets"),
    ("2026-03-02 14:00:00 +0000", "a space before the offset"),
    ("2026-03-02T14:00:00Z+01:00", "two offsets"),
    ("2026-03-02T14:00:00ZZ", "two offsets"),
    ("2026-03-02T14:00:00+", "an offset without digits"),
    ("2026-03-02T14:00:00+1", "js-joda/js-joda issue 377: one digit"),
    ("2026-03-02T14:00:00+010", "three digits"),
    ("2026-03-02T14:00:00+01:", "no minutes after the colon"),
    ("2026-03-02T14:00:00+01:0", "one digit of minutes"),
    ("2026-03-02T14:00:00+01:00:00", "an offset with seconds"),
    ("2026-03-02T14:00:00+24:00", "no such offset"),
    ("2026-03-02T14:00:00+25:00", "no such offset"),
    ("2026-03-02T14:00:00+01:60", "colinhacks/zod pull request 5006: no such offset"),
    ("2026-03-02T14:00:00\u{2212}05:00", "a minus sign that is no hyphen"),
    ("2026-03-02T14:00:00Z[]", "an empty zone"),
    ("2026-03-02T14:00:00Z[UTC", "a bracket that stays open"),
    ("2026-03-02T14:00:00Z[!Europe/Berlin]", "RFC 9557: may not be skipped"),
    ("2026-03-02T14:00:00Z[a][b]", "two names"),
    ("2026-03-02T14:00:00Z[Jane Doe]", "no zone's name"),
    ("2026-03-02T14:00:00[UTC]Z", "a name before the offset"),
    ("[UTC]", "a name alone"),
    ("14:00:00Z", "a time of day"),
    ("T14:00:00Z", "a time of day"),
    ("PT5M", "a duration"),
    ("2026-03-02T14:00:00Z/PT5M", "an interval"),
    ("2026-03-02T14:00:00Z 2026-03-02T14:00:00Z", "two times"),
    ("\"2026-03-02T14:00:00Z\"", "quotation marks"),
    ("Mon, 02 Mar 2026 14:00:00 GMT", "RFC 9110's dates"),
    ("Mon Mar 02 2026 14:00:00 GMT+0000", "JavaScript's toString"),
    ("/Date(1772460000350)/", "old .NET's JSON"),
    ("@1772460000", "date(1)'s notation"),
    ("2026-03-02T14:00:00Z\u{0}", "a byte after it"),
    ("2026-03-02T1\u{664}:00:00Z", "a digit of another script"),
    ("２０２６-03-02T14:00:00Z", "full-width digits"),
    ("20260302T140000ZZ", "two offsets, basic"),
    ("20260302T14", "no minutes, basic"),
    ("20260302T140", "one digit of minutes"),
    ("20260302T14000", "one digit of seconds"),
    ("20260302T1400.5", "a fraction of a minute, basic"),
    ("20260302 140000", "basic with a space"),
    ("20260302T250000Z", "no such hour, basic"),
    ("20260230T000000Z", "no such day, basic"),
];

#[test]
fn what_is_a_time_is_one_instant() {
    for (text, ms, zone_assumed, origin) in READ {
        let wanted = Some(Instant { ms: *ms, zone_assumed: *zone_assumed });
        assert_eq!(read(text), wanted, "{text} ({origin})");
        assert_eq!(read_value(&Json::from(*text)), wanted, "{text} ({origin})");
        assert_eq!(parse(text), Some(*ms), "{text}");
    }
}

#[test]
fn what_is_not_a_time_is_refused() {
    for (text, origin) in REFUSED {
        assert_eq!(read(text), None, "{text} ({origin})");
        assert_eq!(read_value(&Json::from(*text)), None, "{text} ({origin})");
        assert_eq!(read_number(text), None, "{text} ({origin})");
    }
    for value in [json!(null), json!(true), json!([1_772_460_000]), json!({"t": 1_772_460_000})] {
        assert_eq!(parse_value(&tree(&value)), None, "{value}");
    }
}

#[test]
fn a_json_number_counts_as_its_text_does() {
    for (text, ms) in [
        ("1772460000", Some(SECOND)),
        ("1772460000.350", Some(AT)),
        ("1772460000.350000000", Some(AT)),
        ("1772460000350", Some(AT)),
        ("1772460000350.0", Some(AT)),
        ("1772460000350123", Some(AT)),
        ("1772460000350123.0", Some(AT)),
        ("1772460000350123456", Some(AT)),
        ("1.77246000035e12", Some(AT)),
        ("1.772460000350123456e18", Some(AT)),
        ("9999999999999999999", Some(9_999_999_999_999)),
        ("20260302140000", Some(SECOND)),
        ("20260302140000.0", Some(SECOND)),
        ("20260302140000350", Some(AT)),
        // A double does not hold the last digits of these.
        ("20260302140000350.0", None),
        ("1772460000.350999999", Some(AT + 1)),
        ("0", None),
        ("-0", None),
        ("-1", None),
        ("-1772460000", None),
        ("-1772460000.5", None),
        ("2026", None),
        ("20260302", None),
        ("17724600003501234567", None),
        ("1e400", None),
        ("1e-400", None),
    ] {
        assert_eq!(read_number(text).map(|instant| instant.ms), ms, "{text}");
        // Beyond a double there is no such JSON value.
        if let Some(value) = number(text) {
            assert_eq!(parse_value(&value), ms, "{text}");
        }
    }
}

#[test]
fn how_much_was_spelled_out_is_known() {
    use Precision::{Finer, Millis, Minutes, Seconds};
    for (text, precision) in [
        ("2026-03-02T14:00Z", Minutes),
        ("20260302T1400", Minutes),
        ("2026-03-02T14:00:00Z", Seconds),
        ("2026-03-02T23:59:60Z", Seconds),
        ("20260302T140000", Seconds),
        ("1772460000", Seconds),
        ("20260302140000", Seconds),
        ("2026-03-02T14:00:00.0Z", Millis),
        ("2026-03-02T14:00:00.350000Z", Millis),
        ("1772460000.0", Millis),
        ("1772460000350", Millis),
        ("1772460000350.00", Millis),
        ("1772460000350000", Millis),
        ("20260302140000350", Millis),
        ("2026-03-02T14:00:00.0001Z", Finer),
        ("20260302T140000,0000001Z", Finer),
        ("1772460000.35000001", Finer),
        ("1772460000350.1", Finer),
        ("1772460000350001", Finer),
        ("1772460000350000001", Finer),
        ("1772460000350000000.1", Finer),
    ] {
        assert_eq!(spelled(text).map(|spelled| spelled.precision), Some(precision), "{text}");
    }
    let first = spelled("0000-01-01T00:00:00Z").map(|spelled| spelled.instant.ms);
    assert_eq!(first, Some(-62_167_219_200_000), "date -u -d 0000-01-01 +%s");
}

#[test]
fn a_plausible_instant_lies_between_1990_and_two_days_after_its_arrival() {
    assert_eq!(to_rfc3339(EARLIEST_MS), "1990-01-01T00:00:00.000Z");
    for (ms, plausible) in [
        (EARLIEST_MS - 1, false),
        (EARLIEST_MS, true),
        (AT, true),
        (AT + 48 * 3_600_000, true),
        (AT + 48 * 3_600_000 + 1, false),
        (i64::MIN, false),
        (i64::MAX, false),
    ] {
        assert_eq!(is_plausible(ms, AT), plausible, "{ms}");
    }
    assert!(is_plausible(i64::MAX, i64::MAX) && !is_plausible(EARLIEST_MS, i64::MIN));
}

#[test]
fn stored_form_round_trips_over_leap_years_and_the_bounds() {
    for ms in [1, 951_782_400_000, 1_709_164_799_999, AT, 4_107_542_400_000, MAX_MS] {
        assert_eq!(read(&to_rfc3339(ms)), Some(Instant { ms, zone_assumed: false }), "{ms}");
    }
    assert_eq!(to_rfc3339(AT), "2026-03-02T14:00:00.350Z");
    let c = civil(1_709_164_799_999);
    assert_eq!((c.year, c.month, c.day, c.hour), (2024, 2, 28, 23));
}

/// Counts the days one by one, which knows of no formula.
#[test]
fn every_day_of_the_calendar_is_written_and_read() {
    let mut ms = 1;
    for year in 1970..=9999_i64 {
        let leap = year % 400 == 0 || (year % 4 == 0 && year % 100 != 0);
        for (month, days) in (1..).zip([31, 28 + i64::from(leap), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]) {
            for day in 1..=days {
                let text = format!("{year:04}-{month:02}-{day:02}T00:00:00.001Z");
                assert_eq!((to_rfc3339(ms), parse(&text)), (text, Some(ms)));
                ms += DAY_MS;
            }
            assert_eq!(parse(&format!("{year:04}-{month:02}-{:02}T00:00:00.001Z", days + 1)), None);
        }
    }
    assert_eq!(ms, MAX_MS + 2);
}

/// Megabytes in each part of the grammar: a reader that looked twice at every byte would not come back.
#[test]
fn long_texts_are_read_in_time() {
    let long = |part: &str| part.repeat(4_000_000 / part.len());
    for (text, is_time) in [
        (long("1"), false),
        (long("0"), false),
        (format!("1772460000.{}", long("0")), true),
        (format!("1772460000.{}x", long("9")), false),
        (format!("1.{}e9", long("7")), true),
        (format!("1e{}9", long("0")), true),
        (format!("2026-03-02T14:00:00.{}Z", long("9")), true),
        (format!("2026-03-02T14:00:00.{}", long("9.")), false),
        (format!("2026-03-02T14:00:00Z[{}]", long("a/")), true),
        (format!("2026-03-02T14:00:00Z{}", long("[")), false),
        (format!("2026-03-02T14:00:00+{}", long("01:")), false),
        (format!("{}2026-03-02T14:00:00Z{}", long(" "), long("\u{2003}")), true),
        (format!("20260302T140000,{}", long("12")), true),
    ] {
        let start = text.get(..30).unwrap_or_default();
        assert_eq!(read(&text).is_some(), is_time, "{start}…");
        assert_eq!(read_value(&Json::from(text.as_str())).is_some(), is_time, "{start}…");
        // As a number it may be another one, and may be none.
        let _ = read_number(&text);
    }
}

/// A civil time of an instant, as its sources write it, and what a reader should make of it.
#[derive(Debug, Clone)]
struct Spelling {
    text: String,
    wanted: Instant,
}

fn offset() -> impl Strategy<Value = (i64, String, bool)> {
    let signed = |minutes: i64| (if minutes < 0 { '-' } else { '+' }, minutes.abs() / 60, minutes.abs() % 60);
    prop_oneof![
        prop::sample::select(vec!["Z", "z", "+00", "-0000", "+00:00"]).prop_map(|text| (0, text.to_owned(), false)),
        Just((0, String::new(), true)),
        (-1_439..=1_439_i64).prop_map(move |minutes| {
            let (sign, hours, rest) = signed(minutes);
            (minutes, format!("{sign}{hours:02}:{rest:02}"), false)
        }),
        (-1_439..=1_439_i64).prop_map(move |minutes| {
            let (sign, hours, rest) = signed(minutes);
            (minutes, format!("{sign}{hours:02}{rest:02}"), false)
        }),
        (-23..=23_i64).prop_map(move |hours| (
            hours * 60,
            format!("{}{:02}", signed(hours * 60).0, hours.abs()),
            false
        )),
    ]
}

/// Every ISO spelling of an instant that has milliseconds: both forms, each separator, any offset, more digits, a zone.
fn civil_spelling() -> impl Strategy<Value = Spelling> {
    let separator = prop::sample::select(vec!["T", "t", " "]);
    let zone = prop::sample::select(vec!["", "[Europe/Berlin]", "[GMT+02:00]", "[Etc/GMT-1]"]);
    // A day from the bounds, so that the civil time can be written.
    let ms = DAY_MS..=MAX_MS - DAY_MS;
    (ms, any::<bool>(), separator, prop::sample::select(vec![".", ","]), "[0-9]{0,9}", offset(), zone).prop_map(
        |(ms, basic, separator, point, digits, (minutes, offset, zone_assumed), zone)| {
            let stored = to_rfc3339(ms + minutes * 60_000);
            let mut text = stored.replace('T', separator).replace('.', point).replace('Z', &digits);
            if basic {
                text = stored.replace(['-', ':'], "").replace('.', point).replace('Z', &digits);
            }
            Spelling { text: text + &offset + zone, wanted: Instant { ms, zone_assumed } }
        },
    )
}

/// Every numeric spelling of an instant whose seconds have ten digits.
fn numeric_spelling() -> impl Strategy<Value = Spelling> {
    (1_000_000_000_000..=9_999_999_999_999_i64, 0..9_u8, "[0-9]{0,9}").prop_map(|(ms, form, more)| {
        let (seconds, millis) = (ms / 1_000, ms % 1_000);
        let padded = format!("{more:0<6}");
        let stored: String = to_rfc3339(ms).bytes().filter(u8::is_ascii_digit).map(char::from).collect();
        let epoch = |text: String| Spelling { text, wanted: Instant { ms, zone_assumed: false } };
        match form {
            0 => Spelling { text: seconds.to_string(), wanted: Instant { ms: seconds * 1_000, zone_assumed: false } },
            1 => epoch(format!("{seconds}.{millis:03}{more}")),
            2 => epoch(ms.to_string()),
            3 => epoch(format!("{ms}.{more}0")),
            4 => epoch(format!("{ms}{}", &padded[..3])),
            5 => epoch(format!("{ms}{}", &padded[..6])),
            6 => epoch(format!("{}.{:012}e12", ms / 1_000_000_000_000, ms % 1_000_000_000_000)),
            7 => Spelling { text: stored, wanted: Instant { ms, zone_assumed: true } },
            _ => {
                Spelling { text: stored[..14].to_owned(), wanted: Instant { ms: seconds * 1_000, zone_assumed: true } }
            }
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn every_spelling_of_an_instant_is_read_as_it(one in prop_oneof![civil_spelling(), numeric_spelling()]) {
        prop_assert_eq!(read(&one.text), Some(one.wanted), "{}", one.text);
    }

    #[test]
    fn the_stored_form_is_read_as_the_instant_it_is_of(ms in 1..=MAX_MS) {
        prop_assert_eq!(read(&to_rfc3339(ms)), Some(Instant { ms, zone_assumed: false }));
    }

    /// Whatever is read can be written, and is read again as itself.
    #[test]
    fn no_text_panics_and_what_is_read_can_be_written(
        text in prop_oneof![
            any::<String>(),
            "[0-9TtZz:+. ,eE\\[\\]/-]{0,40}",
            "[0-9]{1,22}(\\.[0-9]{0,9})?([eE][+-]?[0-9]{0,4})?",
            "[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}.{0,12}",
            "[12][0-9]{3}[01][0-9][0-3][0-9][Tt]?[0-2][0-9][0-6][0-9].{0,12}",
        ],
    ) {
        if let Some(instant) = read(&text) {
            prop_assert!((1..=MAX_MS).contains(&instant.ms));
            prop_assert_eq!(parse(&to_rfc3339(instant.ms)), Some(instant.ms));
            prop_assert_eq!(spelled(&text).map(|spelled| spelled.instant), Some(instant));
        }
        prop_assert_eq!(read_value(&Json::from(text.as_str())), read(&text));
        read_number(&text);
    }

    /// A number's text and the number that a JSON reader makes of it are the same instant.
    #[test]
    fn a_number_is_read_as_its_text(
        text in prop_oneof![
            "-?(0|[1-9][0-9]{0,20})(\\.[0-9]{1,12})?([eE][+-]?[0-9]{1,3})?",
            "1[0-9]{9}(\\.[0-9]{1,12})?",
            "1[0-9]{12}(\\.[0-9]{1,12})?",
            "1[0-9]{9}\\.[0-9]{2}(9{3,9}|0{3,9})",
            "1\\.[0-9]{6,20}e(9|12|15|18)",
            any::<f64>().prop_map(|double| json!(double).to_string()),
        ],
    ) {
        if let Some(value) = number(&text) {
            prop_assert_eq!(read_number(&text), read_value(&value), "{}", text);
        }
    }

    /// Up to fifteen digits a double holds whatever the text says.
    #[test]
    fn a_number_of_few_digits_is_read_alike_by_both(seconds in 1_000_000_000..10_000_000_000_i64, more in "[0-9]{1,5}") {
        let text = format!("{seconds}.{more}");
        prop_assert_eq!(read_number(&text), read(&text));
    }
}
