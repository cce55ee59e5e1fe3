//! Where a value stands, as far as there is room to say it.

use super::POINTER_BYTES_MAX;

/// What ends a pointer that was cut short.
pub(super) const ELLIPSIS: &str = "…";

/// The pointer of the value that is being read, up to [`POINTER_BYTES_MAX`] bytes of it.
#[derive(Default)]
pub(super) struct Pointer {
    text: String,
    /// Whether something is missing at the end.
    short: bool,
}

impl Pointer {
    /// What [`Self::back_to`] goes back to.
    pub(super) fn mark(&self) -> (usize, bool) {
        (self.text.len(), self.short)
    }

    pub(super) fn back_to(&mut self, (length, short): (usize, bool)) {
        self.text.truncate(length);
        self.short = short;
    }

    pub(super) fn push(&mut self, key: &str) {
        self.push_character('/');
        for character in key.chars() {
            match character {
                '~' => "~0".chars().for_each(|c| self.push_character(c)),
                '/' => "~1".chars().for_each(|c| self.push_character(c)),
                other => self.push_character(other),
            }
            if self.short {
                return;
            }
        }
    }

    fn push_character(&mut self, character: char) {
        self.short |= self.text.len() + character.len_utf8() > POINTER_BYTES_MAX;
        if !self.short {
            self.text.push(character);
        }
    }

    pub(super) fn to_text(&self) -> String {
        if self.short { [&self.text, ELLIPSIS].concat() } else { self.text.clone() }
    }
}
