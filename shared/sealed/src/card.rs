//! Numbers of payment cards, as people and programs write them.
//!
//! Invariant: in doubt a text holds one: a tenth of all numbers of that length do, by their check digit alone.

/// Whether digits of the text may be a payment card's number: 13 to 19 of them from one mark to another, with a right check digit,
/// whatever zeros stand before them; digits of another script, so many of them; or more digits in a row than any card has. Between two
/// digits there may be two signs that are neither letters nor digits, or an x.
pub fn holds_card_number(text: &str) -> bool {
    let (mut digits, mut marks) = (Vec::new(), 0);
    for character in text.chars() {
        if character.is_numeric() {
            let value = character.to_digit(10).and_then(|value| u8::try_from(value).ok());
            digits.push(Digit { value, is_first: marks > 0 || digits.is_empty() });
            marks = 0;
        } else if !digits.is_empty() {
            marks += match character {
                'x' | 'X' => MARKS_MAX,
                _ if character.is_alphabetic() => MARKS_MAX + 1,
                _ => 1,
            };
            if marks > MARKS_MAX {
                if is_card(&digits) {
                    return true;
                }
                digits.clear();
                marks = 0;
            }
        }
    }
    is_card(&digits)
}

struct Digit {
    /// None of a digit of another script.
    value: Option<u8>,
    /// Nothing or a mark stands before it.
    is_first: bool,
}

fn is_card(digits: &[Digit]) -> bool {
    if digits.len() < DIGITS_MIN {
        return false;
    }
    let Some(values) = digits.iter().map(|digit| digit.value).collect::<Option<Vec<u8>>>() else { return true };
    let mut is_only_zeros = true;
    for (start, digit) in digits.iter().enumerate() {
        let is_behind_zeros = !digit.is_first && is_only_zeros;
        is_only_zeros = (digit.is_first || is_only_zeros) && values[start] == 0;
        if !digit.is_first && !is_behind_zeros {
            continue;
        }
        let group = digits[start + 1..].iter().take_while(|digit| !digit.is_first).count() + 1;
        if group > DIGITS_MAX {
            return true;
        }
        let ends_group = |end: &usize| digits.get(*end).is_none_or(|next| next.is_first);
        let mut ends = (start + DIGITS_MIN..=values.len().min(start + DIGITS_MAX)).filter(ends_group);
        if ends.any(|end| is_luhn(&values[start..end])) {
            return true;
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

const DIGITS_MIN: usize = 13;
const DIGITS_MAX: usize = 19;
const MARKS_MAX: usize = 2;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_found_in_any_spelling() {
        // Test numbers that the networks and ISO 7812's own example give; 13, 15, 16 and 19 digits.
        for number in ["4222222222222", "378282246310005", "4111111111111111", "6304000000000000000"] {
            let groups: Vec<&str> =
                number.as_bytes().chunks(4).map(|group| std::str::from_utf8(group).unwrap()).collect();
            let marks = ["-", ".", "_", " ", "--", "x", "X", "\u{2013}", "\u{2011}", "\u{b7}", "\u{200b}", "\u{a0}/"];
            for spelled in marks.map(|mark| groups.join(mark)).into_iter().chain([
                number.to_owned(),
                format!("card:{number}"),
                format!("{number}=2512"),
                format!("x{number}y"),
                format!("{}/12/26", groups.join("-")),
                format!("12-{number}"),
                format!("00-{number}"),
                format!("000000000{}", groups.join("-")),
                format!("Karte {number}, rot"),
            ]) {
                assert!(holds_card_number(&spelled), "{spelled}");
            }
        }
        // More digits than a card has may hide one anywhere; digits of another script any.
        for other in ["41111111111111111111", "00004111111111111111", "٤١١١١١١١١١١١١١١١", "４１１１-1111-1111-1111"]
        {
            assert!(holds_card_number(other), "{other}");
        }
    }

    #[test]
    fn another_number_is_none() {
        for other in [
            "",
            "0",
            "4111111111111112",
            "411111111117",
            "4111---1111---1111---1111",
            "4111a1111a1111a1111",
            "4111xx1111xx1111xx1111",
            "+15555550142",
            "2026-03-02T14:00:00.350Z",
            "203.0.113.57",
            "550e8400-e29b-41d4-a716-446655440000",
            "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
            "٤١١١",
        ] {
            assert!(!holds_card_number(other), "{other}");
        }
    }
}
