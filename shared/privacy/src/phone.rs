//! Telephone numbers as sources write them, normalised to E.164: `tel:` and `sip:` addresses, national and
//! international spellings, extensions, visual separators.
//!
//! Invariant: every accepted spelling of a number gives the same text, and that text gives itself. What does not name
//! one line of one subscriber (withheld, an internal extension, a local number without its area code, a vanity word)
//! gives nothing. What this leaves out: whether a number is assigned, and national plans beyond trunk prefixes.

use crate::identifier::CallingCode;

/// The number as `+` and 7 to 15 digits, or `None` if the value names no subscriber.
pub(crate) fn normalise(raw: &str, calling_code: CallingCode) -> Option<String> {
    let visible: String = raw.chars().filter(|c| !is_invisible(*c)).collect();
    let address = inside_brackets(visible.trim());
    let (number, context) = subscriber_part(address)?;
    let number = without_extension(number);
    if is_withheld(number) {
        return None;
    }
    let digits = match context {
        Some(context) if !number.trim_start().starts_with(['+', '\u{FF0B}']) => format!("{context}{number}"),
        _ => number.to_owned(),
    };
    let (plus, digits) = plain_digits(&digits)?;
    if SPELLED_WITHHELD.contains(&digits.as_str()) {
        return None;
    }
    let international = if plus { digits } else { to_international(&digits, calling_code)? };
    let fits = (MIN_DIGITS..=MAX_DIGITS).contains(&international.len()) && !international.starts_with('0');
    let nanp = !international.starts_with('1') || international.len() != 11 || is_area_code(&international[1..]);
    (fits && nanp).then(|| format!("+{international}"))
}

/// Whether the text begins as a telephone address does.
pub(crate) fn has_scheme(text: &str) -> bool {
    SCHEMES.iter().any(|scheme| strip_prefix_ignoring_case(text, scheme).is_some())
}

/// Whether the value is one of the words that stand for a number that is not shown.
pub(crate) fn is_withheld(value: &str) -> bool {
    let word: String = value.chars().filter(char::is_ascii_alphabetic).map(|c| c.to_ascii_lowercase()).collect();
    let digits = value.bytes().any(|byte| byte.is_ascii_digit());
    !digits && WITHHELD.contains(&word.as_str())
}

/// What stands between angle brackets, as in `"A name" <sip:…>`, or the whole text.
pub(crate) fn inside_brackets(text: &str) -> &str {
    match text.split_once('<') {
        Some((_, rest)) => rest.split('>').next().unwrap_or_default().trim(),
        None => text,
    }
}

pub(crate) fn strip_prefix_ignoring_case<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let head = text.get(..prefix.len())?;
    head.eq_ignore_ascii_case(prefix).then(|| &text[prefix.len()..])
}

/// The number of an address and its RFC 3966 global context, if it has one: what follows the scheme, before parameters
/// and, in a SIP address, before the host and without a password.
fn subscriber_part(address: &str) -> Option<(&str, Option<&str>)> {
    let rest = SCHEMES.iter().find_map(|scheme| strip_prefix_ignoring_case(address, scheme));
    let rest = rest.unwrap_or(address).trim_start_matches('/');
    let (user, parameters) = rest.split_once([';', '?']).unwrap_or((rest, ""));
    let user = user.split('@').next().unwrap_or_default();
    let user = user.split(':').next().unwrap_or_default();
    let context = parameters.split(';').find_map(|parameter| strip_prefix_ignoring_case(parameter, "phone-context="));
    let context = context.map(|context| context.split('@').next().unwrap_or_default());
    Some((user, context.filter(|context| context.starts_with('+'))))
}

/// The number without an extension written after it: `… ext. 12`, `… x12`, `…#12`, `…,,12`.
fn without_extension(number: &str) -> &str {
    let lower = number.to_ascii_lowercase();
    let end = EXTENSIONS.iter().filter_map(|mark| lower.find(mark)).min().unwrap_or(number.len());
    number[..end].trim()
}

/// Whether there is a `+`, and the digits without visual separators; `None` if anything else is in it.
fn plain_digits(number: &str) -> Option<(bool, String)> {
    let number = number.replace("%2B", "+").replace("%2b", "+");
    let plus = number.starts_with(['+', '\u{FF0B}']);
    // "+44 (0)20 …": the trunk zero that is dialled only inside the country.
    let number = if plus || number.starts_with("00") { number.replace("(0)", "") } else { number };
    let mut digits = String::with_capacity(16);
    for (at, c) in number.chars().enumerate() {
        match c {
            '0'..='9' => digits.push(c),
            '\u{FF10}'..='\u{FF19}' => digits.push(ascii_digit(c, 0xFF10)),
            '\u{0660}'..='\u{0669}' => digits.push(ascii_digit(c, 0x0660)),
            '\u{06F0}'..='\u{06F9}' => digits.push(ascii_digit(c, 0x06F0)),
            '+' | '\u{FF0B}' if at == 0 => {}
            '-' | '.' | '(' | ')' | '[' | ']' | '/' | '\u{2010}'..='\u{2015}' | '\u{2212}' => {}
            c if c.is_whitespace() => {}
            _ => return None,
        }
        // Longer than any prefix and number together: nothing that follows can make it one.
        if digits.len() > MAX_DIGITS + 4 {
            return None;
        }
    }
    Some((plus, digits))
}

/// Marks of direction and width that come along when a number is copied out of an address book.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{2069}' | '\u{FEFF}')
}

fn ascii_digit(c: char, zero: u32) -> char {
    char::from_digit(u32::from(c) - zero, 10).unwrap_or('0')
}

/// A number without `+`: dialled with an international prefix, nationally, or international already.
fn to_international(digits: &str, calling_code: CallingCode) -> Option<String> {
    if digits.len() < MIN_DIGITS {
        return None;
    }
    if let Some(rest) = digits.strip_prefix("00") {
        return Some(rest.to_owned());
    }
    let code = calling_code.number().to_string();
    if calling_code == CallingCode::NANP {
        return match digits.len() {
            // A local number without its area code names a different subscriber in every city.
            ..=9 => None,
            10 if is_area_code(digits) => Some(format!("1{digits}")),
            _ => Some(digits.strip_prefix("011").unwrap_or(digits).to_owned()),
        };
    }
    if let Some(national) = digits.strip_prefix('0') {
        // Italy, San Marino and the Vatican keep the zero as a part of the number.
        let kept = if KEEPS_TRUNK_ZERO.contains(&code.as_str()) { digits } else { national };
        return Some(format!("{code}{kept}"));
    }
    if digits.starts_with(&code) && digits.len() > MAX_UNPREFIXED_DIGITS {
        return Some(digits.to_owned());
    }
    Some(format!("{code}{digits}"))
}

/// Area codes of the North American plan begin with 2 to 9.
fn is_area_code(digits: &str) -> bool {
    digits.starts_with(|c: char| ('2'..='9').contains(&c))
}

/// E.164: a number has at most 15 digits, its calling code included.
const MAX_DIGITS: usize = 15;

/// Fewer digits are an internal extension or a short code, which many subscribers share.
const MIN_DIGITS: usize = 7;

/// A national number written without its trunk zero has at most 10 digits in most plans; one that is longer and begins
/// with the calling code is an international number whose `+` got lost.
const MAX_UNPREFIXED_DIGITS: usize = 10;

const SCHEMES: &[&str] = &["tel:", "sips:", "sip:", "callto:"];

const EXTENSIONS: &[&str] = &["ext", "x", "#", ","];

const KEEPS_TRUNK_ZERO: &[&str] = &["39", "378", "379"];

/// Words that carriers and platforms send for a number that is not shown, letters only, lower case.
const WITHHELD: &[&str] = &[
    "anonymous",
    "blocked",
    "calleridblocked",
    "hidden",
    "invalid",
    "nocallerid",
    "nonumber",
    "notavailable",
    "payphone",
    "private",
    "privatenumber",
    "restricted",
    "unavailable",
    "unknown",
    "unknowncaller",
    "withheld",
];

/// The same words spelled on a telephone's keys, which carriers send as if they were numbers: ANONYMOUS, RESTRICTED,
/// BLOCKED, UNKNOWN, UNAVAILABLE.
const SPELLED_WITHHELD: &[&str] = &["266696687", "7378742833", "2562533", "8656696", "86282452253"];

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn nanp(raw: &str) -> Option<String> {
        normalise(raw, CallingCode::NANP)
    }

    fn in_country(raw: &str, code: &str) -> Option<String> {
        normalise(raw, code.parse().unwrap())
    }

    #[test]
    fn every_spelling_of_a_number_gives_one_text() {
        for raw in [
            "+15555550142",
            "tel:+15555550142",
            "TEL:+1-555-555-0142",
            "tel:+1(555)555.0142",
            "tel:+15555550142;ext=12",
            "tel:+15555550142;phone-context=example.com",
            "tel:5555550142;phone-context=+1",
            "tel:555-0142;phone-context=+1-555",
            "sip:+15555550142@edge.example.com",
            "sip:+15555550142@edge.example.com:5061;transport=tls",
            "sip:+15555550142:secret@edge.example.com",
            "sips:5555550142@example.com;user=phone",
            "sip:%2B15555550142@example.com",
            "\"Jane Doe\" <sip:+15555550142@example.com;user=phone>;tag=88",
            "<tel:+15555550142>",
            "+1 555 555 0142",
            "  +1 (555) 555-0142  ",
            "+1\u{a0}555\u{2011}555\u{2013}0142",
            "\u{202a}+1 555 555 0142\u{202c}",
            "\u{ff0b}\u{ff11}5555550142",
            "+1 555 555 0142 ext. 12",
            "+1 555 555 0142 x12",
            "+15555550142,,12#",
            "5555550142",
            "(555) 555-0142",
            "1-555-555-0142",
            "15555550142",
            "0015555550142",
            "01115555550142",
            "callto:+15555550142",
        ] {
            assert_eq!(nanp(raw).as_deref(), Some("+15555550142"), "{raw}");
        }
    }

    #[test]
    fn national_numbers_belong_to_the_calling_code() {
        for (raw, code, number) in [
            ("020 7946 0958", "44", "+442079460958"),
            ("+44 (0)20 7946 0958", "44", "+442079460958"),
            ("+44 (0)20 7946 0958", "1", "+442079460958"),
            ("0044 20 7946 0958", "44", "+442079460958"),
            ("44 20 7946 0958", "44", "+442079460958"),
            ("0151 23456789", "49", "+4915123456789"),
            ("49 151 23456789", "49", "+4915123456789"),
            ("+49 151 23456789", "1", "+4915123456789"),
            ("4915123456789", "1", "+4915123456789"),
            ("06 698 12345", "39", "+390669812345"),
            ("+39 06 698 12345", "39", "+390669812345"),
            ("1 23 45 67 89", "33", "+33123456789"),
            ("01 23 45 67 89", "33", "+33123456789"),
            ("33123456789", "1", "+33123456789"),
            ("(0) 20 7946 0958", "44", "+442079460958"),
        ] {
            assert_eq!(in_country(raw, code).as_deref(), Some(number), "{raw} in {code}");
        }
    }

    #[test]
    fn what_names_no_subscriber_gives_nothing() {
        for raw in [
            "",
            "   ",
            "+",
            "tel:",
            "sip:",
            "anonymous",
            "Anonymous",
            "tel:anonymous",
            "sip:anonymous@anonymous.invalid",
            "\"Anonymous\" <sip:anonymous@anonymous.invalid>",
            "restricted",
            "tel:Restricted",
            "unknown",
            "unavailable",
            "private number",
            "Caller ID blocked",
            "withheld",
            "+266696687",
            "tel:266696687",
            "sip:1234@example.com",
            "tel:7042",
            "911",
            "555-014",
            "555-0142",
            "sip:jane.doe@example.com",
            "jane.doe@example.com",
            "1-800-FLOWERS",
            "+0123456789",
            "0000000000",
            "00000000000",
            "+1234567890123456",
            "+1 055 555 0142",
            "+15555550142 or +15555550143",
            "5555550142;5555550143;",
            "null",
            "+1\n555555\u{7}0142",
        ] {
            let number = nanp(raw);
            // One of these names a number before its parameters.
            let expected = (raw == "5555550142;5555550143;").then_some("+15555550142");
            assert_eq!(number.as_deref(), expected, "{raw}");
        }
    }

    #[test]
    fn withheld_spelled_on_keys_is_withheld_in_every_country() {
        for word in SPELLED_WITHHELD {
            for raw in [format!("tel:{word}"), format!("+{word}")] {
                assert_eq!(in_country(&raw, "49"), None, "{raw}");
                assert_eq!(in_country(&raw, "1"), None, "{raw}");
            }
        }
    }

    proptest! {
        #[test]
        fn normalising_twice_changes_nothing(raw in "\\PC{0,40}", code in 1u16..1000) {
            let code = code.to_string();
            if let Some(once) = in_country(&raw, &code) {
                prop_assert_eq!(in_country(&once, &code), Some(once.clone()));
                prop_assert!(once.starts_with('+') && once[1..].bytes().all(|b| b.is_ascii_digit()));
                prop_assert!((8..=16).contains(&once.len()));
            }
        }

        #[test]
        fn digits_in_any_layout_normalise_idempotently(
            raw in "(tel:|sip:|)(\\+|00|0|)[0-9]{1,4}[ .()/-]{0,2}[0-9]{0,7}[ .-]{0,1}[0-9]{0,6}(@host|;ext=[0-9]{2}| x12|)",
            code in "[1-9][0-9]{0,2}",
        ) {
            if let Some(once) = in_country(&raw, &code) {
                prop_assert_eq!(in_country(&once, &code), Some(once.clone()));
                // Only the international spelling is independent of where it was read.
                prop_assert_eq!(nanp(&once), Some(once));
            }
        }

        #[test]
        fn two_spellings_never_give_two_numbers(
            digits in "[2-9][0-9]{9}",
            before in prop::sample::select(vec!["+1", "tel:+1", "sip:+1", "001", "0111", "1", "", "tel:1", "+1 ", "(+1)"]),
            cut in 1usize..9,
            between in prop::sample::select(vec!["", " ", "-", ".", ") ", "\u{a0}", "\u{2010}"]),
            after in prop::sample::select(vec!["", "@host", ";ext=5", " x5", " ", ";user=phone"]),
        ) {
            let spelled = format!("{before}{}{between}{}{after}", &digits[..cut], &digits[cut..]);
            let expected = format!("+1{digits}");
            if before == "(+1)" {
                // Not a spelling that we know: nothing rather than something else.
                prop_assert_eq!(nanp(&spelled), None);
            } else {
                prop_assert_eq!(nanp(&spelled), Some(expected));
            }
        }
    }
}
