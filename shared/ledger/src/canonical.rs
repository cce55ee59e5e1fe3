//! RFC 8785 (JCS): the one byte form of a JSON value.
//!
//! Invariant: `to_string(parse(to_string(v))) == to_string(v)`, so a stored line can be checked by parsing and writing
//! it again. Integers that a double cannot hold exactly are refused, never rounded: the entry writes them as strings.

use serde_json::{Map, Number, Value};

/// A value has no canonical form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CanonicalError {
    /// The integer would be another one after a reader took it as a double.
    #[error("a number that a double cannot carry must be written as a string")]
    NumberBeyondIJson,
}

/// The canonical text of a value.
pub fn to_string(value: &Value) -> Result<String, CanonicalError> {
    let mut text = String::with_capacity(TYPICAL_LINE_BYTES);
    write_value(&mut text, value)?;
    Ok(text)
}

pub(crate) fn write_value(text: &mut String, value: &Value) -> Result<(), CanonicalError> {
    match value {
        Value::Null => text.push_str("null"),
        Value::Bool(true) => text.push_str("true"),
        Value::Bool(false) => text.push_str("false"),
        Value::Number(number) => write_number(text, number)?,
        Value::String(string) => write_string(text, string),
        Value::Array(items) => write_array(text, items)?,
        Value::Object(members) => write_object(text, members)?,
    }
    Ok(())
}

fn write_array(text: &mut String, items: &[Value]) -> Result<(), CanonicalError> {
    text.push('[');
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            text.push(',');
        }
        write_value(text, item)?;
    }
    text.push(']');
    Ok(())
}

/// Members in the order of their names' UTF-16 code units (RFC 8785, 3.2.3), whatever order the map keeps.
fn write_object(text: &mut String, members: &Map<String, Value>) -> Result<(), CanonicalError> {
    let mut sorted: Vec<(&String, &Value)> = members.iter().collect();
    if sorted.iter().all(|(name, _)| name.is_ascii()) {
        sorted.sort_unstable_by_key(|(name, _)| *name);
    } else {
        sorted.sort_unstable_by(|(left, _), (right, _)| left.encode_utf16().cmp(right.encode_utf16()));
    }
    text.push('{');
    for (index, (name, value)) in sorted.into_iter().enumerate() {
        if index > 0 {
            text.push(',');
        }
        write_string(text, name);
        text.push(':');
        write_value(text, value)?;
    }
    text.push('}');
    Ok(())
}

/// Short escapes where JSON has them, `\u00xx` in lower case for other control characters, everything else as it is.
pub fn write_string(text: &mut String, string: &str) {
    text.push('"');
    // Nearly every string. Without an early end the test runs over whole vectors of bytes, the loop below over single ones.
    let needs_escape = |byte: u8| (byte < 0x20) | (byte == b'"') | (byte == b'\\');
    if !string.bytes().fold(false, |found, byte| found | needs_escape(byte)) {
        text.push_str(string);
        text.push('"');
        return;
    }
    let mut plain_from = 0;
    for (index, byte) in string.bytes().enumerate() {
        let escape = match byte {
            b'"' => "\\\"",
            b'\\' => "\\\\",
            0x08 => "\\b",
            0x09 => "\\t",
            0x0a => "\\n",
            0x0c => "\\f",
            0x0d => "\\r",
            0x00..=0x1f => "",
            _ => continue,
        };
        text.push_str(&string[plain_from..index]);
        if escape.is_empty() {
            text.push_str("\\u00");
            text.push(char::from(HEX_DIGITS[usize::from(byte >> 4)]));
            text.push(char::from(HEX_DIGITS[usize::from(byte & 0x0f)]));
        } else {
            text.push_str(escape);
        }
        plain_from = index + 1;
    }
    text.push_str(&string[plain_from..]);
    text.push('"');
}

/// Writes a number in canonical form.
///
/// # Errors
/// A double does not carry it.
pub fn write_number(text: &mut String, number: &Number) -> Result<(), CanonicalError> {
    let safe = number.as_i64().is_some_and(|integer| integer.unsigned_abs() <= MAX_SAFE_INTEGER);
    if safe {
        use std::fmt::Write as _;
        let _ = write!(text, "{number}");
        return Ok(());
    }
    let double = number.as_f64().ok_or(CanonicalError::NumberBeyondIJson)?;
    let start = text.len();
    write_double(text, double);
    let is_integer = number.is_u64() || number.is_i64();
    if is_integer && text[start..] != number.to_string() {
        return Err(CanonicalError::NumberBeyondIJson);
    }
    Ok(())
}

/// ECMAScript's `Number::toString`: the shortest digits that read back as the same double, laid out by its rules.
fn write_double(text: &mut String, double: f64) {
    if double == 0.0 {
        text.push('0');
        return;
    }
    if double < 0.0 {
        text.push('-');
    }
    let Digits { digits, point } = Digits::of(double.abs());
    let count = digits.len() as i32;
    if count <= point && point <= 21 {
        text.push_str(&digits);
        text.extend(std::iter::repeat_n('0', (point - count) as usize));
    } else if 0 < point && point <= 21 {
        text.push_str(&digits[..point as usize]);
        text.push('.');
        text.push_str(&digits[point as usize..]);
    } else if -6 < point && point <= 0 {
        text.push_str("0.");
        text.extend(std::iter::repeat_n('0', (-point) as usize));
        text.push_str(&digits);
    } else {
        text.push_str(&digits[..1]);
        if count > 1 {
            text.push('.');
            text.push_str(&digits[1..]);
        }
        let exponent = point - 1;
        text.push_str(if exponent < 0 { "e-" } else { "e+" });
        text.push_str(&exponent.unsigned_abs().to_string());
    }
}

/// The shortest decimal digits of a double: its value is 0.digits × 10^point (ECMAScript's n).
struct Digits {
    digits: String,
    point: i32,
}

impl Digits {
    /// Taken from serde_json's own shortest output, whose layout differs but whose digits are ECMAScript's. The standard
    /// library's are not: of two equally near candidates it does not choose the even one.
    fn of(double: f64) -> Self {
        let shortest = Number::from_f64(double).map(|number| number.to_string()).unwrap_or_default();
        let (mantissa, exponent) = shortest.split_once('e').unwrap_or((&shortest, "0"));
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let all = format!("{whole}{fraction}");
        let leading_zeros = all.len() - all.trim_start_matches('0').len();
        let exponent: i32 = exponent.parse().unwrap_or(0);
        Self { digits: all.trim_matches('0').to_owned(), point: whole.len() as i32 + exponent - leading_zeros as i32 }
    }
}

/// 2^53 − 1: the largest integer that I-JSON (RFC 7493) lets two parties agree on.
pub const MAX_SAFE_INTEGER: u64 = (1 << 53) - 1;
/// A line without sealed blocks is some 700 bytes, and with two small ones 1,700: one allocation then suffices.
pub(crate) const TYPICAL_LINE_BYTES: usize = 2048;
const HEX_DIGITS: &[u8; 16] = b"0123456789abcdef";

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn double(bits: u64) -> String {
        let mut text = String::new();
        write_double(&mut text, f64::from_bits(bits));
        text
    }

    /// RFC 8785, appendix B.
    #[test]
    fn the_rfc_table_of_doubles() {
        for (bits, text) in [
            (0x0000_0000_0000_0000, "0"),
            (0x8000_0000_0000_0000, "0"),
            (0x0000_0000_0000_0001, "5e-324"),
            (0x8000_0000_0000_0001, "-5e-324"),
            (0x7fef_ffff_ffff_ffff, "1.7976931348623157e+308"),
            (0xffef_ffff_ffff_ffff, "-1.7976931348623157e+308"),
            (0x4340_0000_0000_0000, "9007199254740992"),
            (0xc340_0000_0000_0000, "-9007199254740992"),
            (0x4430_0000_0000_0000, "295147905179352830000"),
            (0x44b5_2d02_c7e1_4af5, "9.999999999999997e+22"),
            (0x44b5_2d02_c7e1_4af6, "1e+23"),
            (0x44b5_2d02_c7e1_4af7, "1.0000000000000001e+23"),
            (0x444b_1ae4_d6e2_ef4e, "999999999999999700000"),
            (0x444b_1ae4_d6e2_ef4f, "999999999999999900000"),
            (0x444b_1ae4_d6e2_ef50, "1e+21"),
            (0x3eb0_c6f7_a0b5_ed8c, "9.999999999999997e-7"),
            (0x3eb0_c6f7_a0b5_ed8d, "0.000001"),
            (0x41b3_de43_5555_5553, "333333333.3333332"),
            (0x41b3_de43_5555_5554, "333333333.33333325"),
            (0x41b3_de43_5555_5555, "333333333.3333333"),
            (0x41b3_de43_5555_5556, "333333333.3333334"),
            (0x41b3_de43_5555_5557, "333333333.33333343"),
            (0xbecb_f647_612f_3696, "-0.0000033333333333333333"),
            (0x4314_3ff3_c1cb_0959, "1424953923781206.2"),
        ] {
            assert_eq!(double(bits), text);
        }
    }

    #[test]
    fn names_sort_by_utf16_code_units_not_by_code_points() {
        // U+FB33 sorts after U+1F600, whose first code unit is the surrogate D83D.
        let value = json!({"\u{fb33}": 1, "\u{1f600}": 2, "\r": 3, "1": 4});
        assert_eq!(to_string(&value).unwrap(), "{\"\\r\":3,\"1\":4,\"\u{1f600}\":2,\"\u{fb33}\":1}");
    }

    #[test]
    fn strings_escape_only_what_they_must() {
        assert_eq!(to_string(&json!("\u{0}\u{1f}\u{7f}/\"\\\u{8}é")).unwrap(), "\"\\u0000\\u001f\u{7f}/\\\"\\\\\\bé\"");
    }

    #[test]
    fn an_integer_that_a_double_cannot_hold_is_refused_not_rounded() {
        assert_eq!(to_string(&json!(9_007_199_254_740_991_i64)).unwrap(), "9007199254740991");
        assert_eq!(to_string(&json!(9_007_199_254_740_992_i64)).unwrap(), "9007199254740992");
        assert_eq!(to_string(&json!(9_007_199_254_740_993_i64)), Err(CanonicalError::NumberBeyondIJson));
        assert_eq!(to_string(&json!(u64::MAX)), Err(CanonicalError::NumberBeyondIJson));
        assert_eq!(to_string(&json!(i64::MIN)), Err(CanonicalError::NumberBeyondIJson));
    }

    proptest! {
        #[test]
        fn writing_is_idempotent_and_loses_no_double(bits in any::<u64>()) {
            let value = f64::from_bits(bits);
            prop_assume!(value.is_finite());
            let text = to_string(&json!(value)).unwrap();
            prop_assert_eq!(text.parse::<f64>().unwrap(), value);
            let parsed: Value = serde_json::from_str(&text).unwrap();
            prop_assert_eq!(to_string(&parsed).unwrap(), text);
        }
    }
}
