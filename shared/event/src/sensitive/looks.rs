//! What a value looks like, where its name leaves a doubt.

use super::SensitiveKind;
use super::names::Name;
use ledgerline_json::lexer::unescape;

/// How many values were met so far that look like something; two readings tell what lies between.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Looks {
    /// Three or four digits.
    card_codes: usize,
    /// Three to eight digits, as PINs have.
    pins: usize,
    /// The content of a stripe: a card's number, and what parts it from the rest.
    tracks: usize,
}

impl Looks {
    /// Notes the text of a string or number, escapes in it undone.
    fn note(&mut self, text: &[u8]) {
        let digits = digits(text);
        self.card_codes += usize::from(matches!(digits, Some(3..=4)));
        self.pins += usize::from(matches!(digits, Some(3..=8)));
        self.tracks += usize::from(is_track(text));
    }

    /// Notes the inside of a string, its escapes still in it.
    pub(super) fn note_string(&mut self, raw: &[u8], escaped: bool) {
        if !escaped {
            self.note(raw);
        } else if raw.len() <= ESCAPED_BYTES_MAX {
            self.note(&unescape(raw));
        }
    }

    /// Notes a number as it is written.
    pub(super) fn note_number(&mut self, number: &[u8]) {
        self.note(number);
    }

    /// Whether a value is cut that has this name, and within which `self` became `after`.
    pub(super) fn confirm(self, name: Name, after: Self) -> bool {
        name.certain
            || match name.kind {
                SensitiveKind::CardVerification => after.card_codes > self.card_codes,
                SensitiveKind::Pin | SensitiveKind::Password => after.pins > self.pins,
                SensitiveKind::Track => after.tracks > self.tracks,
            }
    }
}

/// All that a stripe holds, six bytes for each character.
const ESCAPED_BYTES_MAX: usize = 6 * 107;

/// How many digits a text consists of, spaces aside; `None` for any other.
fn digits(text: &[u8]) -> Option<usize> {
    // No text of eight digits is longer, however it is spoken.
    if text.len() > 32 {
        return None;
    }
    let mut seen = text.iter().filter(|byte| !byte.is_ascii_whitespace());
    seen.all(u8::is_ascii_digit).then(|| text.iter().filter(|byte| byte.is_ascii_digit()).count())
}

/// Whether a text holds a card's number followed by a separator of a magnetic stripe.
fn is_track(text: &[u8]) -> bool {
    let mut run = 0;
    for byte in text {
        match byte {
            b'0'..=b'9' => run += 1,
            b'=' | b'^' | b'D' | b'd' if run >= CARD_DIGITS_MIN => return true,
            _ => run = 0,
        }
    }
    false
}

/// The shortest card numbers have twelve digits.
const CARD_DIGITS_MIN: usize = 12;
