//! Whether a name is that of a field that holds sensitive authentication data, by the words that it is made of.
//!
//! Invariant: the answer depends on the name's bytes alone. Linear in the name: at each of its letters a bounded number of
//! words is tried.
//!
//! Doubt is settled by the value, see [`super::looks`]: a name that says something *about* such data (`cvvResult`,
//! `pinAttempts`), and one that may mean something else (`cid`, `clave`). Decided here: `cid` is a card's code as the
//! whole name or as the last part of a path, if its value looks so, and beside a word for a card; never in `callCid` or
//! `cidNumber`. `pin` is one as a word wherever it stands, so also in `mapPin`, where nothing else tells. A password's
//! name is cut with everything that is not plainly said about it: `passwordReset` is, `passwordResetRequested` is not.

use std::sync::LazyLock;

use super::SensitiveKind;
use super::tokens::Tokens;
use super::words::{ABOUT, AFTER, ANSWERS, ASKING, Alone, BEFORE, CARD, SOUND, WORDS, Way, Word};

/// What a name says that its value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Name {
    /// The kind of data.
    pub(super) kind: SensitiveKind,
    /// Whether it is cut whatever it looks like.
    pub(super) certain: bool,
}

/// What a key of this name holds; `None` for nearly every one.
pub(super) fn read(name: &[u8]) -> Option<Name> {
    let tokens = Tokens::of(name);
    if tokens.text.len() < WORD_BYTES_MIN {
        return None;
    }
    let around = Around::of(&tokens);
    let mut doubtful = None;
    let mut word_start = 0;
    for at in 0..tokens.text.len() {
        if tokens.begins(at) {
            word_start = at;
        }
        for word in words_by(tokens.text[at]) {
            if !tokens.text[at..].starts_with(word.text.as_bytes()) {
                continue;
            }
            match judge(&tokens, &around, word, word_start, at) {
                Some(name) if name.certain => return Some(name),
                found => doubtful = doubtful.or(found),
            }
        }
    }
    doubtful
}

/// Whether a member of this name is cut whatever text or number it holds.
pub fn is_certain(name: &[u8]) -> bool {
    read(name).is_some_and(|name| name.certain)
}

/// No listed word is shorter.
const WORD_BYTES_MIN: usize = 3;

/// The words by their first letter.
fn words_by(first: u8) -> &'static [Word] {
    static BY_LETTER: LazyLock<[Vec<Word>; 26]> = LazyLock::new(|| {
        std::array::from_fn(|letter| {
            WORDS.iter().copied().filter(|word| usize::from(word.text.as_bytes()[0] - b'a') == letter).collect()
        })
    });
    first.checked_sub(b'a').and_then(|letter| BY_LETTER.get(usize::from(letter))).map_or(&[], Vec::as_slice)
}

/// What the other words of a name say.
struct Around {
    /// Where the last word begins that tells something about a value; and the last of those that a password may have.
    about: Option<usize>,
    about_password: Option<usize>,
    asks: bool,
    of_card: bool,
}

impl Around {
    fn of(tokens: &Tokens) -> Self {
        let mut around = Self { about: None, about_password: None, asks: false, of_card: false };
        for at in tokens.places() {
            let Some(word) = tokens.rest_of_word(at) else { continue };
            around.of_card |= is_listed(CARD, word);
            around.asks |= (at == 0 || at == tokens.last_part) && is_listed(ASKING, word);
            if is_listed(ABOUT, word) {
                around.about = Some(at);
                if is_listed(&ABOUT[..ABOUT.len() - ANSWERS], word) {
                    around.about_password = Some(at);
                }
            }
        }
        around
    }

    fn says_about(&self, kind: SensitiveKind, end: usize) -> bool {
        let about = if kind == SensitiveKind::Password { self.about_password } else { self.about };
        self.asks || about.is_some_and(|at| at >= end)
    }
}

/// What `word`, which stands at `at` in the word that begins at `word_start`, makes of the name.
fn judge(tokens: &Tokens, around: &Around, word: &Word, word_start: usize, at: usize) -> Option<Name> {
    let end = at + word.text.len();
    let kind = word.kind;
    let is_whole = end == tokens.text.len() && (at == 0 || at == tokens.last_part);
    let glued = || is_listed(BEFORE, &tokens.text[word_start..at]);
    let begins = tokens.begins(at) || word.way == Way::Long || glued();
    let is_one = begins && (is_whole || !tokens.is_parted(at, end));
    let rest = if tokens.begins(end) { Some(Rest::None) } else { tokens.rest_of_word(end).and_then(Rest::of) };
    let certain = match word.way {
        Way::Short if is_one => true,
        Way::Phrase | Way::Long if begins && !(kind == SensitiveKind::Track && is_sound(tokens, at)) => true,
        Way::Numbered if is_one && is_stripe(tokens, end) && !is_sound(tokens, at) => true,
        Way::Doubtful(alone) if is_one && rest == Some(Rest::None) => {
            doubtful(tokens, around, word, alone, at, is_whole)?
        }
        _ => return None,
    };
    let is_about = rest? == Rest::About || around.says_about(kind, end);
    Some(Name { kind, certain: certain && !is_about })
}

/// What a word goes on with to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rest {
    None,
    Value,
    About,
}

impl Rest {
    /// `None` where it makes another word of it.
    fn of(rest: &[u8]) -> Option<Self> {
        if is_listed(AFTER, rest) {
            Some(Self::Value)
        } else {
            // Several of them may be pins on a map.
            (rest == b"s" || is_listed(ABOUT, rest)).then_some(Self::About)
        }
    }
}

fn is_listed(list: &[&str], word: &[u8]) -> bool {
    list.iter().any(|listed| listed.as_bytes() == word)
}

/// Whether a doubtful word is certain; `None` where it means something else.
fn doubtful(tokens: &Tokens, around: &Around, word: &Word, alone: Alone, at: usize, is_whole: bool) -> Option<bool> {
    let end = at + word.text.len();
    let is_track = word.kind == SensitiveKind::Track;
    // `cscNumber`; but a conversation's or caller's `cidNumber` is none, nor is a vulnerability's.
    let goes_on = matches!(word.text, "csc" | "spc" | "cav")
        && tokens.rest_of_word(end).is_some_and(|next| is_listed(AFTER, next) || next[0].is_ascii_digit());
    match (alone, is_whole) {
        // Cards are delivered, and that is tracked: `trackCard`.
        _ if around.of_card => Some(!is_track),
        _ if goes_on => Some(true),
        (Alone::Certain, true) => Some(true),
        (Alone::ByValue, true) => Some(false),
        (_, false) => None,
    }
}

/// Whether the next word is the number of one of a stripe's tracks.
fn is_stripe(tokens: &Tokens, end: usize) -> bool {
    tokens.rest_of_word(end).is_some_and(|next| matches!(next, b"1" | b"2" | b"3"))
}

/// Whether the word before says that a track is one of sound.
fn is_sound(tokens: &Tokens, at: usize) -> bool {
    SOUND.iter().any(|sound| {
        let start = at.checked_sub(sound.len());
        start.is_some_and(|start| tokens.begins(start) && &tokens.text[start..at] == sound.as_bytes())
    })
}

/// Whether a member of this name may name its siblings, as in `{"property": "password", "newValues": ["…"]}`.
#[inline]
pub(crate) fn names_siblings(key: &[u8]) -> bool {
    ["property", "propertyName", "name", "key", "field", "fieldName", "attribute", "attributeName", "label"]
        .iter()
        .any(|word| key.eq_ignore_ascii_case(word.as_bytes()))
}

/// The siblings that such a member speaks of.
pub(super) fn is_named_value(key: &[u8]) -> bool {
    ["value", "values", "oldValue", "newValue", "oldValues", "newValues", "interpretedValue", "rawValue"]
        .iter()
        .any(|word| key.eq_ignore_ascii_case(word.as_bytes()))
}

#[cfg(test)]
#[path = "names_tests.rs"]
mod tests;
