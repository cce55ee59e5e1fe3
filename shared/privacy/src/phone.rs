//! Telephone numbers as sources write them, normalised to E.164: `tel:` and `sip:` addresses, messaging services' addresses,
//! national and international spellings, extensions, visual separators.
//!
//! Invariant: two subscribers never have one normal form, and a normal form is its own. What does not name one line of one
//! subscriber (withheld, an internal extension, a local number without its area code, a vanity word) gives nothing: a
//! customer who is not found is a gap that shows, two who are merged are a breach that does not. The numbering plans are a
//! library's ([`plans`]); it alone would merge strangers, so these rules stand before it. What this leaves out: whether a
//! number is assigned. Numbers in films and documentation (555) are like any other.

use plans::{Found, Plans};

use crate::region::Region;

pub(crate) mod plans;

/// A number in its normal form.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Number {
    /// `+` and 7 to 15 digits.
    pub(crate) e164: String,
    /// Only the region says of which country it is.
    pub(crate) country_assumed: bool,
}

/// The number, or `None` if the value names no subscriber. `region` is where a number without its country belongs to.
pub(crate) fn normalise(raw: &str, region: Region) -> Option<Number> {
    if raw.len() > MAX_ADDRESS_BYTES {
        return None;
    }
    let visible = visible(raw);
    let address = inside_brackets(visible.trim())?;
    let (user, context) = subscriber_part(address)?;
    let number = without_extension(user)?;
    let spelled = match context {
        Some(context) if !number.trim_start().starts_with(['+', '\u{FF0B}']) => format!("{context}{number}"),
        _ => number.to_owned(),
    };
    let by_service = SERVICES.iter().any(|scheme| strip_prefix_ignoring_case(address, scheme).is_some());
    let (number, found) = read(&spelled, by_service, region)?;
    // "+44 (0)20": a zero that is dialled only inside the country. Italy's belongs to the number.
    let without_zero = || read(&spelled.replacen("(0)", "", 1), by_service, region).filter(|(_, found)| found.valid);
    let zero = !number.country_assumed && !found.valid && spelled.contains("(0)");
    let (number, found) = zero.then(without_zero).flatten().unwrap_or((number, found));
    // A plan strips what is dialled before a number. What it would strip of its own result is not a result.
    let stable = Plans::get()?.international(&found.e164[1..])?.e164 == found.e164;
    let nanp = found.e164.strip_prefix("+1").is_none_or(is_nanp);
    (stable && nanp && found.e164.len() > MIN_DIGITS).then_some(number)
}

/// What digits and separators name. `by_service`: their service writes no plus before the country.
fn read(spelled: &str, by_service: bool, region: Region) -> Option<(Number, Found)> {
    let (plus, digits) = plain_digits(spelled)?;
    let same = digits.bytes().all(|digit| digits.as_bytes().first() == Some(&digit));
    if digits.len() < MIN_DIGITS || same || is_spelled_withheld(&digits) {
        return None;
    }
    let plans = Plans::get()?;
    let (found, country_assumed) = if plus || (by_service && !digits.starts_with('0')) {
        (plans.international(&digits)?, false)
    } else if digits.starts_with("00") {
        (plans.dialled_abroad(&digits, region)?, false)
    } else {
        let unprefixed = digits.starts_with(&region.calling_code()).then(|| plans.international(&digits)).flatten();
        (unprefixed.filter(|found| found.valid).or_else(|| plans.national(&digits, region))?, true)
    };
    Some((Number { e164: found.e164.clone(), country_assumed }, found))
}

/// The other number that may be the same subscriber's by another spelling, of a number in its normal form: with or without
/// Argentina's mobile 9 and Brazil's ninth digit. The two are not folded into one, for each may be another subscriber's.
pub(crate) fn other_spelling(e164: &str) -> Option<String> {
    let with_nine = |area: &str, rest: &str| format!("{area}9{rest}");
    if let Some(national) = e164.strip_prefix("+54") {
        return match (national.strip_prefix('9'), national.len()) {
            (Some(rest), 11) => Some(format!("+54{rest}")),
            (None, 10) => Some(with_nine("+54", national)),
            _ => None,
        };
    }
    // An area of two digits, then eight: nine since mobile numbers have a 9 before them. Those began with 6 to 9.
    let national = e164.strip_prefix("+55")?;
    let (area, number) = (e164.get(..5)?, national.get(2..)?);
    let is_mobile = |number: &str| number.starts_with(|c: char| ('6'..='9').contains(&c));
    match number.len() {
        8 if is_mobile(number) => Some(with_nine(area, number)),
        9 => number.strip_prefix('9').filter(|rest| is_mobile(rest)).map(|rest| format!("{area}{rest}")),
        _ => None,
    }
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

/// The text without marks that nobody sees.
pub(crate) fn visible(raw: &str) -> String {
    raw.chars().filter(|c| !is_invisible(*c)).collect()
}

/// What stands between angle brackets, as in `"A name" <sip:…>`, or the whole text if there are none. A name in quotes may hold
/// anything, another's address too: it does not count. `None` if there are two addresses, or something behind the one.
pub(crate) fn inside_brackets(text: &str) -> Option<&str> {
    let behind_name = text.strip_prefix('"').and_then(|rest| rest.rsplit_once('"')).map(|(_, behind)| behind.trim());
    // A text that is quoted as a whole is no name.
    let text = match behind_name {
        Some("") => text.trim_matches('"'),
        Some(behind) => behind,
        None => text.trim_matches('\''),
    };
    let Some((_, rest)) = text.split_once('<') else { return Some(text.trim()) };
    let (address, behind) = rest.split_once('>')?;
    let behind = behind.trim_start();
    let alone =
        !address.contains('<') && (behind.is_empty() || behind.starts_with(';')) && !behind.contains(['<', '>']);
    alone.then(|| address.trim())
}

pub(crate) fn strip_prefix_ignoring_case<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let head = text.get(..prefix.len())?;
    head.eq_ignore_ascii_case(prefix).then(|| &text[prefix.len()..])
}

/// The number of an address and its RFC 3966 global context, if it has one: what follows the scheme, before parameters
/// and, in a SIP address, before the host and without a password. `None` if the word in the number's place says that it is
/// withheld, or the host that it is nobody's.
fn subscriber_part(address: &str) -> Option<(&str, Option<&str>)> {
    let rest = SCHEMES.iter().find_map(|scheme| strip_prefix_ignoring_case(address, scheme));
    let rest = rest.unwrap_or(address).trim_start_matches('/');
    let (address, parameters) = rest.split_once([';', '?']).unwrap_or((rest, ""));
    let (user, host) = address.split_once('@').unwrap_or((address, ""));
    let user = user.split(':').next().unwrap_or_default();
    // A second number behind the first names a second person.
    let another =
        parameters.split(';').any(|parameter| !parameter.contains('=') && count_digits(parameter) >= MIN_DIGITS);
    if another || is_withheld(user) || is_nobodys_host(host.split(':').next().unwrap_or_default()) {
        return None;
    }
    let context = parameters.split(';').find_map(|parameter| strip_prefix_ignoring_case(parameter, "phone-context="));
    let context = context.map(|context| context.split('@').next().unwrap_or_default());
    Some((user, context.filter(|context| context.starts_with('+'))))
}

/// Whether no address at this host is anybody's: RFC 6761 reserves `invalid`, and SIP writes withheld callers
/// `anonymous@anonymous.invalid` (RFC 3323).
pub(crate) fn is_nobodys_host(host: &str) -> bool {
    let top = host.trim_end_matches('.').rsplit('.').next().unwrap_or_default();
    top.eq_ignore_ascii_case("invalid")
}

/// The number without an extension written after it: `… ext. 12`, `… x12`, `…#12`, `…,,12`. `None` if that is long enough to be
/// another number.
fn without_extension(number: &str) -> Option<&str> {
    let lower = number.to_ascii_lowercase();
    let end = EXTENSIONS.iter().filter_map(|mark| lower.find(mark)).min().unwrap_or(number.len());
    (count_digits(&number[end..]) < MIN_DIGITS).then(|| number[..end].trim())
}

fn count_digits(text: &str) -> usize {
    text.bytes().filter(u8::is_ascii_digit).count()
}

/// Whether there is a `+`, and the digits without visual separators; `None` if anything else is in it.
fn plain_digits(number: &str) -> Option<(bool, String)> {
    let number = number.replace("%2B", "+").replace("%2b", "+");
    let (mut plus, mut slash) = (false, None);
    let mut digits = String::with_capacity(16);
    for c in number.chars() {
        match c {
            '0'..='9' => digits.push(c),
            '\u{FF10}'..='\u{FF19}' => digits.push(ascii_digit(c, 0xFF10)),
            '\u{0660}'..='\u{0669}' => digits.push(ascii_digit(c, 0x0660)),
            '\u{06F0}'..='\u{06F9}' => digits.push(ascii_digit(c, 0x06F0)),
            '+' | '\u{FF0B}' if digits.is_empty() && !plus => plus = true,
            '/' if slash.is_none() => slash = Some(digits.len()),
            '-' | '.' | '(' | ')' | '[' | ']' | '\u{2010}'..='\u{2015}' | '\u{2212}' => {}
            c if c.is_whitespace() => {}
            _ => return None,
        }
        // Longer than any prefix and number together: nothing that follows can make it one.
        if digits.len() > MAX_DIGITS + 4 {
            return None;
        }
    }
    // A slash stands behind an area code. Elsewhere it stands between two numbers, or before the last digits of a second one.
    let behind_area = |at: usize| at <= if plus { 8 } else { 5 } && digits.len() - at >= 3;
    slash.is_none_or(behind_area).then_some((plus, digits))
}

/// Whether the digits are one of the words for a number that is not shown, dialled on a telephone's keys: some carriers send
/// them as if they were a number.
fn is_spelled_withheld(digits: &str) -> bool {
    WITHHELD.iter().any(|word| word.bytes().map(key_of).eq(digits.bytes()))
}

/// The telephone's key that a lower-case letter stands on.
fn key_of(letter: u8) -> u8 {
    match letter {
        b'a'..=b'c' => b'2',
        b'd'..=b'f' => b'3',
        b'g'..=b'i' => b'4',
        b'j'..=b'l' => b'5',
        b'm'..=b'o' => b'6',
        b'p'..=b's' => b'7',
        b't'..=b'v' => b'8',
        _ => b'9',
    }
}

/// Marks of direction and width that come along when a number is copied out of an address book.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{AD}' | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{2069}' | '\u{FEFF}')
}

fn ascii_digit(c: char, zero: u32) -> char {
    char::from_digit(u32::from(c) - zero, 10).unwrap_or('0')
}

/// Area codes of the North American plan begin with 2 to 9, and its numbers have ten digits.
fn is_nanp(national: &str) -> bool {
    national.len() == 10 && national.starts_with(|c: char| ('2'..='9').contains(&c))
}

/// Longer than any address: no rule looks at more.
const MAX_ADDRESS_BYTES: usize = 512;

/// E.164: a number has at most 15 digits, its calling code included.
const MAX_DIGITS: usize = 15;

/// Fewer digits are an internal extension or a short code, which many subscribers share.
const MIN_DIGITS: usize = 7;

/// Services that write a number with its country and no plus.
const SERVICES: &[&str] = &["whatsapp:", "viber:"];

const SCHEMES: &[&str] = &["tel:", "sips:", "sip:", "callto:", "whatsapp:", "sms:", "mms:", "viber:"];

const EXTENSIONS: &[&str] = &["ext", "x", "#", ","];

/// Words that carriers and platforms send for a number that is not shown, letters only, lower case.
pub(crate) const WITHHELD: &[&str] = &[
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const REGIONS: &[&str] =
        &["US", "DE", "GB", "IT", "FR", "CI", "MX", "BR", "AR", "RU", "JP", "SM", "NO", "SG", "AU", "HU", "BY", "MN"];

    fn nanp(raw: &str) -> Option<String> {
        in_country(raw, "US")
    }

    fn in_country(raw: &str, region: &str) -> Option<String> {
        normalise(raw, region.parse().unwrap()).map(|number| number.e164)
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
            ("020 7946 0958", "GB", "+442079460958"),
            ("+44 (0)20 7946 0958", "GB", "+442079460958"),
            ("+44 (0)20 7946 0958", "US", "+442079460958"),
            ("0044 20 7946 0958", "GB", "+442079460958"),
            ("44 20 7946 0958", "GB", "+442079460958"),
            ("0151 23456789", "DE", "+4915123456789"),
            ("49 151 23456789", "DE", "+4915123456789"),
            ("+49 151 23456789", "US", "+4915123456789"),
            ("06 698 12345", "IT", "+390669812345"),
            ("+39 06 698 12345", "IT", "+390669812345"),
            ("1 23 45 67 89", "FR", "+33123456789"),
            ("01 23 45 67 89", "FR", "+33123456789"),
            ("(0) 20 7946 0958", "GB", "+442079460958"),
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
            assert_eq!(number, None, "{raw}");
        }
    }

    #[test]
    fn digits_without_a_plus_are_read_where_they_were_dialled() {
        // The same digits are valid in two countries: only the region decides. With the plus nothing does.
        for (raw, region, number) in [
            ("15555550142", "DE", Some("+4915555550142")),
            ("4795550142", "US", Some("+14795550142")),
            ("4795550142", "NO", Some("+4795550142")),
            ("+4795550142", "US", Some("+4795550142")),
            // Behind an office's 9 for an outside line an American number looks like an Indian one.
            ("914155550171", "US", None),
            ("4915123456789", "US", None),
            ("07 55 55 01 42", "CI", Some("+2250755550142")),
            ("06 5555 0142", "IT", Some("+390655550142")),
            ("+39 (0)6 5555 0142", "US", Some("+390655550142")),
            ("0039 06 5555 0142", "US", Some("+390655550142")),
            ("+44 (0)20 7946 0958", "IT", Some("+442079460958")),
            ("+352 (0) 27 12 30 17", "US", Some("+35227123017")),
            ("00 43 0000", "DE", None),
            ("5550142", "US", None),
        ] {
            assert_eq!(in_country(raw, region).as_deref(), number, "{raw} in {region}");
        }
        let assumed = |raw: &str| normalise(raw, Region::US).map(|number| number.country_assumed);
        assert_eq!(
            ["+15555550142", "00 1 555 555 0142", "tel:5555550142;phone-context=+1"].map(assumed),
            [Some(false); 3]
        );
        assert_eq!(["15555550142", "(555) 555-0142", "011 49 151 23456789"].map(assumed), [Some(true); 3]);
    }

    #[test]
    fn one_subscriber_has_one_form_and_two_may_have_two() {
        let all = |spelled: &[&str], region: &str| {
            let mut all: Vec<_> = spelled.iter().map(|raw| in_country(raw, region)).collect();
            all.dedup();
            all
        };
        let mexico = ["+52 1 55 1234 5678", "+52 55 1234 5678", "55 1234 5678", "whatsapp:+5215512345678"];
        assert_eq!(all(&mexico, "MX"), [Some("+525512345678".to_owned())]);
        for (one, other, region) in
            [("+54 9 11 2345 6789", "+54 11 2345 6789", "AR"), ("+55 11 96123 4567", "+55 11 6123 4567", "BR")]
        {
            let [one, other] = [one, other].map(|raw| in_country(raw, region).unwrap());
            assert_ne!(one, other);
            assert_eq!((other_spelling(&one), other_spelling(&other)), (Some(other), Some(one)));
        }
        for other in ["+15555550142", "+541112345", "+551121234567", "+4915123456789", "+525512345678"] {
            assert_eq!(other_spelling(other), None, "{other}");
        }
    }

    #[test]
    fn an_address_nobody_has_is_nobodys() {
        for raw in [
            "anonymous@anonymous.invalid",
            "<sip:15555550142@anonymous.invalid>",
            "sip:Restricted@192.0.2.1",
            "\"Unavailable\" <sip:unavailable@gateway.example>",
            "+15555550142@edge.INVALID.",
            "1111111111",
            "+44 444 444 4444",
            "1-800-FLOWERS",
        ] {
            assert_eq!(nanp(raw), None, "{raw}");
        }
        assert_eq!(nanp(&"1".repeat(MAX_ADDRESS_BYTES + 1)), None);
    }

    #[test]
    fn messaging_services_write_numbers_behind_their_name() {
        for raw in [
            "whatsapp:+15555550143",
            "sms:+15555550143",
            "sms:+15555550143?body=x",
            "mms:5555550143",
            "viber://+15555550143",
        ] {
            assert_eq!(nanp(raw).as_deref(), Some("+15555550143"), "{raw}");
        }
    }

    #[test]
    fn a_service_that_leaves_the_plus_away_means_its_country_wherever_it_is_read() {
        for raw in [
            "whatsapp:4795550142",
            "viber://4795550142",
            "WhatsApp:47 95 55 01 42",
            "\u{202a}whatsapp:4795550142",
            "whatsapp:\u{ff14}795550142",
        ] {
            for region in ["US", "DE", "NO"] {
                assert_eq!(in_country(raw, region).as_deref(), Some("+4795550142"), "{raw} in {region}");
            }
        }
    }

    #[test]
    fn the_plans_are_those_that_the_pseudonyms_were_made_by() {
        use sha2::{Digest as _, Sha256};
        let digest: String =
            Sha256::digest(include_bytes!("phone/plans.bin")).iter().map(|b| format!("{b:02x}")).collect();
        assert_eq!(
            digest, "62362deceaee888d0f7b94ce42b2d429ef71774f8c37c2a61761632b12dc42f2",
            "other plans are other rules: count RULES up"
        );
        assert!(Plans::get().is_some());
    }

    #[test]
    fn withheld_spelled_on_keys_is_withheld_in_every_country() {
        // ANONYMOUS, RESTRICTED, BLOCKED, UNKNOWN, UNAVAILABLE, NO CALLER ID, WITHHELD, PRIVATE, PAYPHONE.
        let words = "266696687 7378742833 2562533 8656696 86282452253 6622553743 94844353 7748283 72974663";
        for word in words.split(' ') {
            for raw in [format!("tel:{word}"), format!("+{word}"), word.to_owned()] {
                for region in REGIONS {
                    assert_eq!(in_country(&raw, region), None, "{raw} in {region}");
                }
            }
        }
    }

    #[test]
    fn a_local_number_without_its_area_names_nobody_and_a_prefix_is_its_countrys() {
        for (raw, region, number) in [
            ("9555 0142", "AU", None),
            ("99123-4567", "BR", None),
            ("946 0958", "GB", None),
            ("5550142", "DE", None),
            ("0555 0142", "DE", Some("+495550142")),
            ("151 23456789", "DE", Some("+4915123456789")),
            ("20 7946 0958", "GB", Some("+442079460958")),
            // Other countries dial abroad otherwise: these are a Norwegian's, a Singaporean's and a German's.
            ("001 47 9555 0142", "KR", Some("+4795550142")),
            ("0011 65 6234 5678", "AU", Some("+6562345678")),
            ("0031 49 30 1234567", "BR", Some("+49301234567")),
            ("0049 30 1234567", "US", Some("+49301234567")),
            ("0049 30 1234567", "FR", Some("+49301234567")),
            ("0049 30 1234567", "KR", Some("+49301234567")),
            ("001 47 9555 0142", "SG", Some("+4795550142")),
            ("0049 30 1234567", "SG", Some("+49301234567")),
        ] {
            assert_eq!(in_country(raw, region).as_deref(), number, "{raw} in {region}");
        }
    }

    #[test]
    fn a_name_before_an_address_is_not_the_address_and_two_numbers_are_nobodys() {
        for (raw, number) in [
            ("\"Eve <tel:+15555550142>\" <sip:+14155550171@x>", Some("+14155550171")),
            ("\"Eve \\\" <tel:+15555550142>\" <sip:+14155550171@x>;tag=1", Some("+14155550171")),
            ("<tel:+15555550142> <tel:+14155550171>", None),
            ("<tel:+15555550142> Eve", None),
            ("<tel:+15555550142", None),
            ("+1 555 555 0142, 415 555 0171", None),
            ("+15555550142; 14155550171", None),
            ("'+15555550142'", Some("+15555550142")),
            ("\"+15555550142\"", Some("+15555550142")),
            ("(+1) 555-555-0142", Some("+15555550142")),
            ("5550142 / 555", None),
            ("415/5550171", Some("+14155550171")),
        ] {
            assert_eq!(nanp(raw).as_deref(), number, "{raw}");
        }
        for (raw, number) in [
            ("030/1234567", Some("+49301234567")),
            ("+49 30/1234567", Some("+49301234567")),
            ("030 123456/57", None),
            ("123456/654321", None),
            ("030/123456 - 030/12", None),
        ] {
            assert_eq!(in_country(raw, "DE").as_deref(), number, "{raw}");
        }
    }

    proptest! {
        #[test]
        fn normalising_twice_changes_nothing(raw in "\\PC{0,40}", region in prop::sample::select(REGIONS)) {
            if let Some(once) = in_country(&raw, region) {
                prop_assert_eq!(in_country(&once, region), Some(once.clone()));
                prop_assert!(once.starts_with('+') && once[1..].bytes().all(|b| b.is_ascii_digit()));
                prop_assert!((8..=16).contains(&once.len()));
            }
        }

        #[test]
        fn digits_in_any_layout_normalise_idempotently(
            raw in "(tel:|sip:|)(\\+|00|0|)[0-9]{1,4}[ .()/-]{0,2}[0-9]{0,7}[ .-]{0,1}[0-9]{0,6}(@host|;ext=[0-9]{2}| x12|)",
            region in prop::sample::select(REGIONS),
        ) {
            if let Some(once) = in_country(&raw, region) {
                prop_assert_eq!(in_country(&once, region), Some(once.clone()));
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
            prop_assert_eq!(nanp(&spelled), Some(expected));
        }
    }
}
