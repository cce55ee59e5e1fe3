//! Values that no description of a source lists: which of them may be sealed, and where in a document they stand.
//!
//! Invariant: what is sealed of them is a scalar of at most [`VALUE_BYTES`] bytes without white space, so no text of a person's
//! own, and no number of a payment card. In the ledger a sealed value is kept for years: what is in doubt is left out.

use ledgerline_json::Json;

/// The longest unlisted value that is sealed: a UUID has 36, a SHA-256 in hex 64.
pub const VALUE_BYTES: usize = 64;

/// Whether an unlisted value may be sealed.
pub fn may_be_sealed(value: &Json<'_>) -> bool {
    match value {
        Json::Null | Json::Array(_) | Json::Object(_) => false,
        Json::Bool(_) => true,
        Json::Number(number) => number.lexeme().len() <= VALUE_BYTES && !holds_card_number(number.lexeme()),
        Json::String(text) => {
            // Digits of other scripts may be a card's number, too.
            let is_out =
                |character: char| character.is_whitespace() || (character.is_numeric() && !character.is_ascii());
            (1..=VALUE_BYTES).contains(&text.len()) && !text.contains(is_out) && !holds_card_number(text)
        }
    }
}

/// Calls `take` with each scalar in `value` and its JSON Pointer (RFC 6901), `pointer` being that of `value`. JSON in a string
/// is walked as if it were the object or array that it is: each is shorter than what holds it, so that the walk ends.
pub fn scalars(pointer: &mut String, value: &Json<'_>, take: &mut impl FnMut(&str, &Json<'_>)) {
    match value {
        Json::Object(object) => object.iter().for_each(|(name, value)| below(pointer, name, value, take)),
        Json::Array(items) => {
            for (index, value) in items.iter().enumerate() {
                below(pointer, &index.to_string(), value, take);
            }
        }
        Json::String(text) if text.trim_ascii_start().starts_with(['{', '[']) => {
            match ledgerline_json::parse(text.as_bytes()) {
                Ok(inner) => scalars(pointer, &inner, take),
                Err(_) => take(pointer, value),
            }
        }
        scalar => take(pointer, scalar),
    }
}

fn below(pointer: &mut String, token: &str, value: &Json<'_>, take: &mut impl FnMut(&str, &Json<'_>)) {
    let length = pointer.len();
    push_token(pointer, token);
    scalars(pointer, value, take);
    pointer.truncate(length);
}

/// Appends a member's name or an element's number to a JSON Pointer.
pub fn push_token(pointer: &mut String, token: &str) {
    pointer.push('/');
    for character in token.chars() {
        match character {
            '~' => pointer.push_str("~0"),
            '/' => pointer.push_str("~1"),
            other => pointer.push(other),
        }
    }
}

/// Whether digits of the text, with at most one mark between two of them, may be a payment card's number: from one mark to
/// another there are 13 to 19, and their check digit is right, as a tenth of all numbers' is.
fn holds_card_number(text: &str) -> bool {
    let bytes = text.as_bytes();
    let is_digit = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_digit);
    let starts = (0..bytes.len()).filter(|&at| is_digit(at) && !(at > 0 && is_digit(at - 1)));
    for start in starts {
        let mut digits = Vec::with_capacity(CARD_DIGITS_MAX);
        let mut at = start;
        while is_digit(at) && digits.len() < CARD_DIGITS_MAX {
            digits.push(bytes[at] - b'0');
            at += 1;
            let ends = !is_digit(at);
            if ends && digits.len() >= CARD_DIGITS_MIN && is_luhn(&digits) {
                return true;
            }
            if ends && bytes.get(at).is_some_and(u8::is_ascii_punctuation) {
                at += 1;
            }
        }
    }
    false
}

/// ISO/IEC 7812-1: doubled from the right, every second digit, the sum of all digits is a multiple of ten.
fn is_luhn(digits: &[u8]) -> bool {
    let doubled = |(place, digit): (usize, &u8)| match (place % 2, digit * 2) {
        (0, _) => *digit,
        (_, twice) => twice % 10 + twice / 10,
    };
    digits.iter().rev().enumerate().map(doubled).map(u32::from).sum::<u32>() % 10 == 0
}

const CARD_DIGITS_MIN: usize = 13;
const CARD_DIGITS_MAX: usize = 19;

#[cfg(test)]
mod tests {
    use super::*;

    fn may(json: &str) -> bool {
        may_be_sealed(&ledgerline_json::parse(json.as_bytes()).unwrap())
    }

    #[test]
    fn short_scalars_without_white_space_may() {
        for json in ["true", "false", "0", "-1.50", r#""q-7""#, r#""550e8400-e29b-41d4-a716-446655440000""#] {
            assert!(may(json), "{json}");
        }
        assert!(may(&format!("\"{}\"", "a".repeat(64))));
        for json in ["null", "[]", "{}", "[1]", r#""""#, r#""two words""#, r#""a\tb""#, "\"a\u{a0}b\"", "\"\u{0664}\""]
        {
            assert!(!may(json), "{json}");
        }
        assert!(!may(&format!("\"{}\"", "a".repeat(65))) && !may(&format!("\"{}\"", "é".repeat(33))));
        assert!(!may(&format!("0.{}", "1".repeat(63))));
    }

    #[test]
    fn card_numbers_may_not_in_any_spelling() {
        // Test numbers that the networks and ISO 7812's own example give; 13, 15, 16 and 19 digits.
        for number in ["4222222222222", "378282246310005", "4111111111111111", "6304000000000000000"] {
            let groups: Vec<&str> =
                number.as_bytes().chunks(4).map(|group| std::str::from_utf8(group).unwrap()).collect();
            for spelled in [
                number.to_owned(),
                groups.join("-"),
                groups.join("."),
                groups.join("_"),
                format!("card:{number}"),
                format!("{number}=2512"),
                format!("x{number}y"),
                format!("{}/12/26", groups.join("-")),
                format!("12-{number}"),
            ] {
                assert!(!may(&format!("\"{spelled}\"")), "{spelled}");
            }
            assert!(!may(number));
        }
        // Another check digit; too few; too many; two marks in between.
        for other in ["4111111111111112", "411111111117", "41111111111111111111", "411111111111--1111"] {
            assert!(may(&format!("\"{other}\"")), "{other}");
        }
    }

    #[test]
    fn scalars_are_found_under_their_pointers_in_strings_too() {
        let document = r#"{"a/b":{"m~n":[1,"x"]},"s":"{\"in\":\"[true]\",\"n\":null}","t":"{no","":{"":"e"}}"#;
        let mut found = Vec::new();
        let document = ledgerline_json::parse(document.as_bytes()).unwrap();
        scalars(&mut String::new(), &document, &mut |pointer, value| {
            let value = match value {
                Json::String(text) => text.to_string(),
                Json::Number(number) => number.lexeme().to_owned(),
                Json::Bool(flag) => flag.to_string(),
                other => format!("{other:?}"),
            };
            found.push((pointer.to_owned(), value));
        });
        let expected = [
            ("/a~1b/m~0n/0", "1"),
            ("/a~1b/m~0n/1", "x"),
            ("/s/in/0", "true"),
            ("/s/n", "null"),
            ("/t", "{no"),
            ("//", "e"),
        ];
        let expected: Vec<_> =
            expected.iter().map(|(pointer, value)| ((*pointer).to_owned(), (*value).to_owned())).collect();
        assert_eq!(found, expected);
    }
}
