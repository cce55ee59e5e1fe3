//! The lexer: strings, numbers and white space of RFC 8259.
//!
//! A *fatal* error ends the document where it stands. Any other flaw (a duplicate key, bytes that are not UTF-8, a number beyond
//! a double) leaves the grammar intact: the document's end is still found, so that one flawed document costs exactly itself.

use std::borrow::Cow;

/// Levels of nesting that are followed. Events have fewer than ten; half of `serde_json`'s own limit (128) leaves
/// room for the envelopes that later steps put around a document.
pub const MAX_DEPTH: usize = 64;

/// What stands in a decoded text for half of a surrogate pair, before the four hexadecimal digits of that half: two texts that were
/// cut in different places stay two.
pub const DAMAGE: char = char::REPLACEMENT_CHARACTER;

/// Why bytes are not I-JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, thiserror::Error)]
pub enum Flaw {
    /// Not JSON text.
    #[error("not JSON")]
    NotJson,
    /// Bytes that are not UTF-8.
    #[error("not UTF-8")]
    NotUtf8,
    /// An object names one member twice.
    #[error("a member is named twice")]
    DuplicateKey,
    /// A surrogate escape without its partner, in a member's name.
    #[error("a lone surrogate in a member's name")]
    LoneSurrogate,
    /// A number beyond what a double holds.
    #[error("a number beyond a double")]
    NumberOutOfRange,
    /// Nested deeper than [`MAX_DEPTH`].
    #[error("nested too deep")]
    TooDeep,
}

/// The document cannot be followed beyond `Lexer::at`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fatal(pub Flaw);

/// The inside of a JSON string: the bytes between the quotes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Text<'a> {
    /// The bytes, escapes and all.
    pub raw: &'a [u8],
    /// There are escapes among them.
    pub escaped: bool,
    /// One of them is half of a surrogate pair.
    pub lone: bool,
}

impl<'a> Text<'a> {
    /// A text without escapes.
    pub fn unescaped(raw: &'a [u8]) -> Self {
        Self { raw, escaped: false, lone: false }
    }

    /// The string's content; a lone surrogate becomes [`DAMAGE`] and its digits.
    pub fn decode(self) -> Cow<'a, str> {
        if self.escaped {
            String::from_utf8_lossy(&unescape(self.raw)).into_owned().into()
        } else {
            String::from_utf8_lossy(self.raw)
        }
    }

    /// The content without copying, where it has no escapes and is UTF-8.
    pub fn plain(self) -> Option<&'a str> {
        if self.escaped { None } else { std::str::from_utf8(self.raw).ok() }
    }
}

/// A position in the bytes of one or more documents, and the first flaw met.
#[derive(Debug)]
pub struct Lexer<'a> {
    /// All bytes.
    pub bytes: &'a [u8],
    /// The position.
    pub at: usize,
    /// The first flaw that left the grammar intact.
    pub flaw: Option<Flaw>,
    /// White space held a line break.
    pub line_break: bool,
    /// The string that is being read holds a lone surrogate.
    lone: bool,
}

impl<'a> Lexer<'a> {
    /// A lexer at the first byte.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0, flaw: None, line_break: false, lone: false }
    }

    /// The byte at the position.
    #[inline(always)]
    pub fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    /// Skips white space and returns the byte after it, unconsumed.
    ///
    /// # Errors
    /// Nothing else comes.
    #[inline(always)]
    pub fn after_space(&mut self) -> Result<u8, Fatal> {
        match self.bytes.get(self.at) {
            Some(&byte) if byte > b' ' => Ok(byte),
            _ => self.after_space_slow(),
        }
    }

    fn after_space_slow(&mut self) -> Result<u8, Fatal> {
        while let Some(&byte) = self.bytes.get(self.at) {
            match byte {
                b' ' | b'\t' => {}
                b'\n' | b'\r' => self.line_break = true,
                _ => return Ok(byte),
            }
            self.at += 1;
        }
        Err(Fatal(Flaw::NotJson))
    }

    /// Notes a flaw that leaves the grammar intact; the first one stays.
    pub fn flawed(&mut self, flaw: Flaw) {
        self.flaw.get_or_insert(flaw);
    }

    /// Reads a member's name; `at` stands on its opening quote. Half of a surrogate pair in it is a flaw: nobody could say
    /// which of two damaged names is which.
    ///
    /// # Errors
    /// As for [`Self::string`].
    #[inline]
    pub fn key(&mut self) -> Result<Text<'a>, Fatal> {
        let key = self.string()?;
        if key.lone {
            self.flawed(Flaw::LoneSurrogate);
        }
        Ok(key)
    }

    /// Reads a string; `at` stands on its opening quote.
    ///
    /// # Errors
    /// It does not end, or holds what no string may hold.
    #[inline]
    pub fn string(&mut self) -> Result<Text<'a>, Fatal> {
        let start = self.at + 1;
        let mut at = start;
        let mut escaped = false;
        self.lone = false;
        let mut high = 0;
        loop {
            // Eight bytes at a time while none of them is a quote, a backslash or a control character.
            while let Some(chunk) = self.bytes.get(at..at + 8) {
                let word = u64::from_le_bytes([
                    chunk[0], chunk[1], chunk[2], chunk[3], chunk[4], chunk[5], chunk[6], chunk[7],
                ]);
                let stops = stops_in(word);
                if stops != 0 {
                    let ahead = stops.trailing_zeros() as usize / 8;
                    high |= word & HIGH & !(u64::MAX << (ahead * 8));
                    at += ahead;
                    break;
                }
                high |= word & HIGH;
                at += 8;
            }
            let Some(&byte) = self.bytes.get(at) else {
                self.at = at;
                return Err(Fatal(Flaw::NotJson));
            };
            match byte {
                b'"' => break,
                b'\\' => {
                    escaped = true;
                    self.at = at;
                    at = self.escape(at)?;
                }
                0..=0x1F => {
                    self.at = at;
                    return Err(Fatal(Flaw::NotJson));
                }
                _ => {
                    high |= u64::from(byte & 0x80);
                    at += 1;
                }
            }
        }
        self.at = at + 1;
        let raw = &self.bytes[start..at];
        if high != 0 && std::str::from_utf8(raw).is_err() {
            self.flawed(Flaw::NotUtf8);
        }
        Ok(Text { raw, escaped, lone: self.lone })
    }

    /// Checks the escape at `at` and returns the position after it, a surrogate pair being one escape.
    #[cold]
    fn escape(&mut self, at: usize) -> Result<usize, Fatal> {
        match self.bytes.get(at + 1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => Ok(at + 2),
            Some(b'u') => {
                let unit = hex4(self.bytes, at + 2).ok_or(Fatal(Flaw::NotJson))?;
                if !(0xD800..0xE000).contains(&unit) {
                    return Ok(at + 6);
                }
                let follows = self.bytes.get(at + 6..at + 8) == Some(b"\\u");
                let pair = if follows { hex4(self.bytes, at + 8) } else { None };
                if unit < 0xDC00 && pair.is_some_and(|low| (0xDC00..0xE000).contains(&low)) {
                    return Ok(at + 12);
                }
                self.lone = true;
                Ok(at + 6)
            }
            _ => Err(Fatal(Flaw::NotJson)),
        }
    }

    /// Reads a number; `at` stands on its first byte.
    ///
    /// # Errors
    /// It is not a number.
    #[inline]
    pub fn number(&mut self) -> Result<&'a [u8], Fatal> {
        let start = self.at;
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        match self.peek() {
            Some(b'0') => self.at += 1,
            Some(b'1'..=b'9') => self.digits(),
            _ => return Err(Fatal(Flaw::NotJson)),
        }
        let mut exponent = false;
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.some_digits()?;
        }
        if let Some(b'e' | b'E') = self.peek() {
            exponent = true;
            self.at += 1;
            if let Some(b'+' | b'-') = self.peek() {
                self.at += 1;
            }
            self.some_digits()?;
        }
        let lexeme = &self.bytes[start..self.at];
        // Without an exponent only a number of more than 308 digits can exceed a double.
        if (exponent || lexeme.len() > 308) && !is_finite(lexeme) {
            self.flawed(Flaw::NumberOutOfRange);
        }
        Ok(lexeme)
    }

    fn some_digits(&mut self) -> Result<(), Fatal> {
        if self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.digits();
            Ok(())
        } else {
            Err(Fatal(Flaw::NotJson))
        }
    }

    #[inline]
    fn digits(&mut self) {
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
    }

    /// Reads `true`, `false` or `null`.
    ///
    /// # Errors
    /// It is none of these.
    pub fn literal(&mut self) -> Result<&'a [u8], Fatal> {
        for word in [&b"true"[..], b"false", b"null"] {
            if self.bytes[self.at..].starts_with(word) {
                self.at += word.len();
                return Ok(&self.bytes[self.at - word.len()..self.at]);
            }
        }
        Err(Fatal(Flaw::NotJson))
    }
}

const HIGH: u64 = 0x8080_8080_8080_8080;
const ONES: u64 = 0x0101_0101_0101_0101;

/// Marks the high bit of each byte that is a quote, a backslash or a control character; exact for the lowest mark.
#[inline(always)]
fn stops_in(word: u64) -> u64 {
    let quote = word ^ (ONES * 0x22);
    let slash = word ^ (ONES * 0x5C);
    let control = word.wrapping_sub(ONES * 0x20) & !word;
    let quote = quote.wrapping_sub(ONES) & !quote;
    let slash = slash.wrapping_sub(ONES) & !slash;
    (control | quote | slash) & HIGH
}

fn is_finite(lexeme: &[u8]) -> bool {
    std::str::from_utf8(lexeme).ok().and_then(|text| text.parse::<f64>().ok()).is_some_and(f64::is_finite)
}

fn hex4(bytes: &[u8], at: usize) -> Option<u32> {
    let mut unit = 0;
    for byte in bytes.get(at..at + 4)? {
        unit = unit * 16 + char::from(*byte).to_digit(16)?;
    }
    Some(unit)
}

/// Undoes JSON escapes, leniently: what is not an escape stays as it is, half of a surrogate pair becomes [`DAMAGE`] and its digits.
pub fn unescape(raw: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(raw.len());
    let mut at = 0;
    while at < raw.len() {
        let plain = plain_run(&raw[at..]);
        out.extend_from_slice(&raw[at..at + plain]);
        at += plain;
        if at < raw.len() {
            let (unit, step) = escape_at(raw, at);
            out.extend_from_slice(unit.encode_utf8(&mut [0; 4]).as_bytes());
            if unit == DAMAGE && step == 6 && lone_half(raw, at) {
                out.extend(raw[at + 2..at + 6].iter().map(u8::to_ascii_lowercase));
            }
            at += step;
        }
    }
    out
}

/// Whether the `\u` escape at `at` is half of a pair.
fn lone_half(raw: &[u8], at: usize) -> bool {
    hex4(raw, at + 2).is_some_and(|unit| (0xD800..0xE000).contains(&unit))
}

/// Where positions in a string's content, which ascend, lie in its raw bytes.
pub fn raw_positions(raw: &[u8], places: &[usize]) -> Vec<usize> {
    let (mut at, mut content) = (0, 0);
    let to_raw = |&place: &usize| {
        while content < place && at < raw.len() {
            // Never looked at beyond the place, or many places in one run would be quadratic.
            let plain = plain_run(&raw[at..raw.len().min(at + place - content)]);
            at += plain;
            content += plain;
            if plain == 0 {
                let (unit, step) = escape_at(raw, at);
                content += unit.len_utf8() + if unit == DAMAGE && step == 6 && lone_half(raw, at) { 4 } else { 0 };
                at += step;
            }
        }
        at
    };
    places.iter().map(to_raw).collect()
}

/// How many bytes come before the next backslash.
fn plain_run(raw: &[u8]) -> usize {
    raw.iter().position(|byte| *byte == b'\\').unwrap_or(raw.len())
}

/// What the escape at `at` stands for, and how many bytes it takes.
fn escape_at(raw: &[u8], at: usize) -> (char, usize) {
    match raw.get(at + 1) {
        Some(b'u') => code_point(raw, at),
        Some(b'b') => ('\u{8}', 2),
        Some(b'f') => ('\u{C}', 2),
        Some(b'n') => ('\n', 2),
        Some(b'r') => ('\r', 2),
        Some(b't') => ('\t', 2),
        Some(&other) if other.is_ascii() => (char::from(other), 2),
        // Before a letter of several bytes a backslash is nothing; at the end it is itself.
        Some(_) | None => ('\\', 1),
    }
}

/// The character of the `\u` escape at `at`, and how many bytes it takes.
fn code_point(raw: &[u8], at: usize) -> (char, usize) {
    let Some(unit) = hex4(raw, at + 2) else { return (DAMAGE, 2) };
    let low = if raw.get(at + 6..at + 8) == Some(b"\\u") { hex4(raw, at + 8) } else { None };
    let (unit, step) = match (unit, low) {
        (0xD800..0xDC00, Some(low @ 0xDC00..0xE000)) => (0x1_0000 + ((unit - 0xD800) << 10) + (low - 0xDC00), 12),
        _ => (unit, 6),
    };
    (char::from_u32(unit).unwrap_or(DAMAGE), step)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_word_test_finds_the_first_stop_whatever_stands_around_it() {
        for stop in [0x00, 0x1F, b'"', b'\\'] {
            for filler in [b' ', b'!', b'#', b'[', b']', b'a', 0x7F, 0x80, 0xA2, 0xDC, 0xFF] {
                for place in 0..8 {
                    let mut bytes = [filler; 8];
                    bytes[place] = stop;
                    let marks = stops_in(u64::from_le_bytes(bytes));
                    assert_eq!(marks.trailing_zeros() / 8, place as u32, "{stop} in {filler}");
                }
                assert_eq!(stops_in(u64::from_le_bytes([filler; 8])), 0, "{filler}");
            }
        }
    }

    #[test]
    fn escapes_are_undone() {
        assert_eq!(unescape(br#"a\u0063\ud83d\ude00\n\"\/\u00e9"#), "ac😀\n\"/é".as_bytes());
        assert_eq!(unescape(br"\ud800x\u12"), "\u{FFFD}d800x\u{FFFD}12".as_bytes());
        assert_eq!(unescape("\\é\\".as_bytes()), "\\é\\".as_bytes());
    }

    #[test]
    fn positions_in_the_content_lie_where_its_characters_are_written() {
        let raw = br#"a\u0063\ud83d\ude00\n\"z"#;
        let content = "ac😀\n\"z";
        let starts: Vec<usize> = content.char_indices().map(|(at, _)| at).chain([content.len()]).collect();
        assert_eq!(raw_positions(raw, &starts), [0, 1, 7, 19, 21, 23, 24]);
        assert_eq!(raw_positions(raw, &[2, 2, 6]), [7, 7, 19]);
    }
}
