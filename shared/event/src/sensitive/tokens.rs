//! A name taken apart: its letters and digits, folded to ASCII, and where its words begin.
//!
//! `CVV2Code`, `cvv_2_code` and `CVV 2 Code` are the same words. Linear in the name, which may be anything.

use ledgerline_json::DAMAGE;

/// A name's words.
pub(super) struct Tokens {
    /// The letters in ASCII lower case, without accents, and the digits. Words that only join others are left out.
    pub(super) text: Vec<u8>,
    /// Whether a word begins here. One longer than the text: its end counts as a beginning.
    begins: Vec<bool>,
    /// Where the last part of a path such as `IVR.Pin` begins.
    pub(super) last_part: usize,
}

impl Tokens {
    /// Takes a name apart. Bytes that are not UTF-8 are read as Latin-1.
    pub(super) fn of(name: &[u8]) -> Self {
        let characters = characters(name);
        let size = characters.len();
        let mut tokens = Self { text: Vec::with_capacity(size), begins: Vec::with_capacity(size + 1), last_part: 0 };
        let mut before = Class::Gap;
        for (at, character) in characters.iter().enumerate() {
            let starts = begins(before, character.class, &characters[at + 1..]);
            if starts {
                tokens.end_word();
                if before == Class::Path {
                    tokens.last_part = tokens.text.len();
                }
            }
            tokens.push(character.plain, starts);
            // A gap beside a dot is part of the path's sign.
            before = match (before, character.class) {
                (Class::Path, Class::Gap) => Class::Path,
                (_, class) => class,
            };
        }
        tokens.end_word();
        tokens.last_part = tokens.last_part.min(tokens.text.len());
        tokens.begins.push(true);
        tokens
    }

    fn push(&mut self, plain: &str, begins: bool) {
        for (at, letter) in plain.bytes().enumerate() {
            self.text.push(letter);
            self.begins.push(begins && at == 0);
        }
    }

    /// Drops the word that ends here if it only joins others: `código de la tarjeta`.
    fn end_word(&mut self) {
        let from = self.text.len().saturating_sub(JOINING_BYTES_MAX);
        let Some(ahead) = self.begins[from..].iter().rposition(|begins| *begins) else { return };
        if JOINING.contains(&&self.text[from + ahead..]) {
            self.text.truncate(from + ahead);
            self.begins.truncate(from + ahead);
        }
    }

    /// Whether a word begins or the name ends here.
    pub(super) fn begins(&self, at: usize) -> bool {
        self.begins.get(at).is_some_and(|begins| *begins)
    }

    /// Whether a word begins between the two places.
    pub(super) fn is_parted(&self, start: usize, end: usize) -> bool {
        self.begins[start + 1..end].iter().any(|begins| *begins)
    }

    /// From here to the end of the word, if that is a word as short as those that anybody lists.
    pub(super) fn rest_of_word(&self, at: usize) -> Option<&[u8]> {
        let near = &self.begins[at..self.begins.len().min(at + WORD_BYTES_MAX + 1)];
        let length = near.iter().skip(1).position(|begins| *begins).map(|ahead| ahead + 1);
        length.map(|length| &self.text[at..at + length])
    }

    /// The places at which words begin.
    pub(super) fn places(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.text.len()).filter(|at| self.begins[*at])
    }
}

/// Longest word of a list, with room.
const WORD_BYTES_MAX: usize = 24;

/// Words that join others, in the five languages.
const JOINING: [&[u8]; 15] =
    [b"de", b"da", b"do", b"del", b"des", b"du", b"la", b"le", b"les", b"el", b"der", b"dem", b"den", b"of", b"the"];
const JOINING_BYTES_MAX: usize = 3;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    Lower,
    Upper,
    Digit,
    Gap,
    Path,
}

/// A character, as far as it matters: nothing of a gap.
#[derive(Clone, Copy)]
struct Character {
    class: Class,
    plain: &'static str,
}

impl Character {
    #[inline]
    fn of(character: char) -> Self {
        const PLAIN: &str = "abcdefghijklmnopqrstuvwxyz0123456789";
        let at = |first: char, offset: usize| (character as usize - first as usize) + offset;
        let (class, place) = match character {
            'a'..='z' => (Class::Lower, at('a', 0)),
            'A'..='Z' => (Class::Upper, at('A', 0)),
            '0'..='9' => (Class::Digit, at('0', 26)),
            '.' | '/' | ':' | '[' | ']' | '>' => return Self { class: Class::Path, plain: "" },
            '\0'..='\x7F' => return Self { class: Class::Gap, plain: "" },
            other => return Self::of_other(other),
        };
        Self { class, plain: &PLAIN[place..=place] }
    }

    #[cold]
    fn of_other(character: char) -> Self {
        if let wide @ 0xFF01..=0xFF5E = u32::from(character) {
            return char::from_u32(wide - 0xFEE0).map_or(Self::of('-'), Self::of);
        }
        let lower = character.to_lowercase().next().unwrap_or(character);
        let listed = ACCENTED.iter().find(|(accented, _)| accented.contains(lower));
        match listed {
            Some((_, plain)) if character == lower => Self { class: Class::Lower, plain },
            Some((_, plain)) => Self { class: Class::Upper, plain },
            None => Self { class: Class::Gap, plain: "" },
        }
    }
}

/// Whether a word begins with a character, by the one before it and those after it.
fn begins(before: Class, class: Class, after: &[Character]) -> bool {
    match (before, class) {
        (_, Class::Gap | Class::Path) => false,
        (Class::Gap | Class::Path, _) | (Class::Lower, Class::Upper) => true,
        // `CVVCode`; but the `s` of `PINs` belongs to its word.
        (Class::Upper, Class::Upper) => {
            let is_lower = |at: usize| after.get(at).is_some_and(|next| next.class == Class::Lower);
            is_lower(0) && (after[0].plain != "s" || is_lower(1))
        }
        (before, class) => (before == Class::Digit) != (class == Class::Digit),
    }
}

/// The characters that can be seen: without accents that stand alone, NUL (UTF-16 is searched, too) and the invisible ones.
fn characters(name: &[u8]) -> Vec<Character> {
    let mut characters = Vec::with_capacity(name.len());
    let is_seen = |character: &char| !matches!(character, '\0' | '\u{AD}' | '\u{300}'..='\u{36F}' | '\u{200B}'..='\u{200F}' | '\u{2060}' | '\u{FEFF}');
    for chunk in name.utf8_chunks() {
        // The digits of half a surrogate pair, which stand behind its mark, are not letters of the name.
        let mut digits = 0;
        let is_of_the_name = |character: &char| {
            if *character == DAMAGE {
                digits = 4;
                return true;
            }
            let is_digit = digits > 0 && character.is_ascii_hexdigit();
            digits = usize::saturating_sub(digits, 1);
            !is_digit
        };
        characters.extend(chunk.valid().chars().filter(is_seen).filter(is_of_the_name).map(Character::of));
        characters.extend(chunk.invalid().iter().map(|byte| Character::of(char::from(*byte))));
    }
    characters
}

/// Accented Latin letters in lower case, and what they are without.
const ACCENTED: [(&str, &str); 20] = [
    ("àáâãäåāăą", "a"),
    ("çćĉċč", "c"),
    ("ďđð", "d"),
    ("èéêëēĕėęě", "e"),
    ("ĝğġģ", "g"),
    ("ìíîïĩīĭįı", "i"),
    ("ĺļľł", "l"),
    ("ñńņň", "n"),
    ("òóôõöøōŏő", "o"),
    ("ŕŗř", "r"),
    ("śŝşš", "s"),
    ("ţťŧ", "t"),
    ("ùúûüũūŭůűų", "u"),
    ("ŵ", "w"),
    ("ýÿŷ", "y"),
    ("źżž", "z"),
    ("ß", "ss"),
    ("æ", "ae"),
    ("œ", "oe"),
    ("þ", "th"),
];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The words, with `|` between them, and what the last part begins with.
    fn words(name: &[u8]) -> String {
        let tokens = Tokens::of(name);
        let mut text = String::new();
        for (at, byte) in tokens.text.iter().enumerate() {
            if at > 0 && tokens.begins(at) {
                text.push(if at == tokens.last_part { '/' } else { '|' });
            }
            text.push(char::from(*byte));
        }
        text
    }

    #[test]
    fn words_are_told_apart_however_they_are_joined() {
        for (name, expected) in [
            ("cardCode", "card|code"),
            ("CVV2Code", "cvv|2|code"),
            ("PIN_attempt_1", "pin|attempt|1"),
            (" CVV Input ", "cvv|input"),
            ("IVR.Pin", "ivr/pin"),
            ("a . b.. Card PIN.", "a|b/card|pin"),
            ("payment[cvv]", "payment/cvv"),
            ("PINs", "pins"),
            ("someCVVsLeft", "some|cvvs|left"),
            ("shipping", "shipping"),
            ("SPIN", "spin"),
            ("código de segurança", "codigo|seguranca"),
            ("codigoDaTarjeta", "codigo|tarjeta"),
            ("Prüfziffer", "prufziffer"),
            ("Pru\u{308}fziffer", "prufziffer"),
            ("STRAẞE", "strasse"),
            ("ＣＶＶ２", "cvv|2"),
            ("c\u{200B}v\u{AD}v", "cvv"),
            ("p\0i\0n\0", "pin"),
            ("密码pin", "pin"),
            ("пароль", ""),
            ("", ""),
            ("de", ""),
        ] {
            assert_eq!(words(name.as_bytes()), expected, "{name}");
        }
        assert_eq!(words(b"Pr\xFCfziffer"), "prufziffer", "Latin-1");
    }

    proptest! {
        #[test]
        fn any_name_is_taken_apart_and_nothing_grows(
            name in prop_oneof![
                proptest::collection::vec(any::<u8>(), 0..80),
                "\\PC{0,40}".prop_map(String::into_bytes),
                "[aB1 ._de]{0,40}".prop_map(String::into_bytes),
            ],
        ) {
            let tokens = Tokens::of(&name);
            prop_assert!(tokens.text.len() <= 2 * name.len());
            prop_assert_eq!(tokens.begins.len(), tokens.text.len() + 1);
            prop_assert!(tokens.text.iter().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit()));
            prop_assert!(tokens.text.is_empty() || tokens.begins(0));
            prop_assert!(tokens.begins(tokens.last_part));
            prop_assert!(tokens.places().all(|at| tokens.rest_of_word(at).is_none_or(|word| !word.is_empty())));
        }
    }
}
