//! The words that may be stored as their source spelled them: those of contact centres and of the software around them.
//!
//! Invariant: no first name and no common surname is among them, so a text that consists of them alone holds nobody's
//! full name, and none holds a number longer than two digits. The list is `words.txt`, one word a line, read by a person;
//! the tests compare it with lists of names. A member name that has a name inside (`pageCount`, `customFields`) stands in
//! it as one word.

use std::collections::HashSet;
use std::sync::LazyLock;

/// Whether the token is a word of the list, in any case.
pub fn is_word(token: &str) -> bool {
    is_listed(token.as_bytes())
}

/// Whether a text consists of words alone, as names of queues, states and members do: `q-sales-support`,
/// `Billing (voice)`, `IVR-CallerID`. One number of one or two digits may stand among them.
pub fn is_phrase(text: &str) -> bool {
    let bytes = text.as_bytes();
    if !(1..=MAX_PHRASE_BYTES).contains(&bytes.len()) || bytes.starts_with(b" ") || bytes.ends_with(b" ") {
        return false;
    }
    let (mut has_word, mut has_number) = (false, false);
    for part in bytes.split(|byte| SEPARATORS.contains(byte)) {
        let mut rest = part;
        while let Some(first) = rest.first() {
            let letters = first.is_ascii_alphabetic();
            let same = |byte: &u8| if letters { byte.is_ascii_alphabetic() } else { byte.is_ascii_digit() };
            let (run, behind) = rest.split_at(rest.iter().take_while(|byte| same(byte)).count());
            // A byte that is neither letter nor digit makes an empty run.
            let fits = if letters { are_words(run) } else { !has_number && (1..=MAX_DIGITS).contains(&run.len()) };
            if !fits {
                return false;
            }
            has_word |= letters;
            has_number |= !letters;
            rest = behind;
        }
    }
    has_word
}

/// What may be said of a name that no description of a source knows: the name itself if it consists of words, else `*`,
/// since it may be personal itself (a number, a sentence, somebody's name).
pub fn plain_name(name: &str) -> &str {
    if is_phrase(name) { name } else { "*" }
}

/// The words, for a policy's hash.
pub(crate) fn all() -> impl Iterator<Item = &'static str> {
    LIST.lines()
}

/// Whether a run of letters is one word, or words in camel case. A capital that is no word of its own belongs to the
/// word behind it, as in `OAuthClient`.
fn are_words(run: &[u8]) -> bool {
    if is_listed(run) {
        return true;
    }
    let mut rest = run;
    while !rest.is_empty() {
        let mut length = hump(rest);
        if length == 1 && !is_listed(&rest[..1]) {
            length += hump(&rest[1..]);
        }
        let (word, behind) = rest.split_at(length);
        if !is_listed(word) {
            return false;
        }
        rest = behind;
    }
    true
}

/// How long the first camel-case word is: small letters with at most one capital before them, or a run of capitals,
/// whose last one begins the next word if small letters follow (`IVRMenu`).
fn hump(run: &[u8]) -> usize {
    let capitals = run.iter().take_while(|byte| byte.is_ascii_uppercase()).count();
    let small = run[capitals..].iter().take_while(|byte| byte.is_ascii_lowercase()).count();
    match (capitals, small) {
        (0 | 1, _) => capitals + small,
        (_, 0) => capitals,
        _ => capitals - 1,
    }
}

fn is_listed(token: &[u8]) -> bool {
    let mut lower = [0; MAX_WORD_BYTES];
    let Some(lower) = lower.get_mut(..token.len()) else { return false };
    lower.copy_from_slice(token);
    lower.make_ascii_lowercase();
    WORDS.contains(&*lower)
}

/// What stands between words.
const SEPARATORS: &[u8] = b"-_./ ():&";

/// Longest phrase. Names of queues, states and members in the sources' models have at most 40 characters.
const MAX_PHRASE_BYTES: usize = 64;

/// Two digits: `Tier 2`, `Queue 12`; three begin to tell people apart.
const MAX_DIGITS: usize = 2;

/// Longest word of the list, a member name in one piece.
const MAX_WORD_BYTES: usize = 32;

const LIST: &str = include_str!("../words.txt");

static WORDS: LazyLock<HashSet<&'static [u8]>> = LazyLock::new(|| LIST.lines().map(str::as_bytes).collect());

#[cfg(test)]
mod tests;
