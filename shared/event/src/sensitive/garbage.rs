//! The lexical search, for text that is not JSON: whatever follows a sensitive name and `:` or `=`.

use super::finder::Finder;
use super::looks::Looks;
use super::memo::name_of;
use super::names::Name;
use super::{Cut, Found, SensitiveKind, replace};
use crate::document::{is_binary, resume_at};
use ledgerline_json::lexer::unescape;

/// Which names count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Names {
    /// Those between quotes, and words that no quote is around.
    All,
    /// Those between quotes: a sentence may say `pin: ` and mean no field.
    Quoted,
}

/// What is kept of bytes that are not accepted, as one document or as several.
///
/// What the grammar follows to its end, as it does JSON in Latin-1, is cut by the names of its members. Any other text is
/// searched lexically: what follows a sensitive name and `:` or `=` goes, whatever the quotes are, up to the closing quote
/// or bracket, or to the end where there is none. Nothing is cut from bytes that are neither: compressed ones look like
/// anything.
pub fn cut_garbage(bytes: &[u8]) -> (Vec<u8>, Vec<Cut>) {
    let mut finder = Finder::new(bytes);
    let mut lexical = Vec::new();
    while let Some(start) = finder.skip_space() {
        if finder.structure().is_some() {
            continue;
        }
        let mut end = resume_at(bytes, start, finder.at());
        if is_text(&bytes[start..end]) {
            let values = values_in(&bytes[start..end], Names::All).into_iter();
            lexical.extend(values.map(|(from, to, kind)| Found {
                start: start + from,
                end: start + to,
                kind,
                pointer: Some(String::new()),
            }));
        } else {
            // As the splitter does: chance may have made a line in them.
            let to_the_end = is_binary(&bytes[start..end]);
            while end < bytes.len() {
                finder.jump(end);
                if finder.is_followed(to_the_end) {
                    break;
                }
                end = resume_at(bytes, end, finder.at());
            }
        }
        finder.jump(end);
    }
    lexical.append(&mut finder.found);
    replace(bytes, lexical)
}

/// Whether bytes are UTF-8, cut short amid a character at most.
fn is_text(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).map_or_else(|error| error.error_len().is_none(), |_| true)
}

/// The ranges that follow a sensitive name, ascending and apart.
pub(super) fn values_in(bytes: &[u8], names: Names) -> Vec<(usize, usize, SensitiveKind)> {
    let Some((plain, quotes)) = with_plain_quotes(bytes) else { return plain_values_in(bytes, names) };
    // Each quote before a place took four bytes more in the original.
    let original = |place: usize| place + 4 * quotes.partition_point(|quote| quote + 2 <= place);
    let values = plain_values_in(&plain, names).into_iter();
    values.map(|(start, end, kind)| (original(start), original(end), kind)).collect()
}

/// The bytes with `\"` for each `\u0022`, as which some encoders write the quotes of JSON in a string, and where these
/// stand now; `None` where there is none.
fn with_plain_quotes(bytes: &[u8]) -> Option<(Vec<u8>, Vec<usize>)> {
    let mut plain = Vec::new();
    let mut quotes = Vec::new();
    let mut copied = 0;
    for (at, _) in bytes.windows(6).enumerate().filter(|(_, bytes)| *bytes == br"\u0022") {
        plain.extend_from_slice(&bytes[copied..at]);
        quotes.push(plain.len());
        plain.extend_from_slice(br#"\""#);
        copied = at + 6;
    }
    plain.extend_from_slice(&bytes[copied..]);
    (!quotes.is_empty()).then_some((plain, quotes))
}

fn plain_values_in(bytes: &[u8], names: Names) -> Vec<(usize, usize, SensitiveKind)> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(ahead) = bytes[at..].iter().position(|byte| matches!(byte, b':' | b'=')) {
        let sign = at + ahead;
        at = sign + 1;
        let Some(name) = name_before(&bytes[..sign], names) else { continue };
        // What a name leaves in doubt only a short value settles: a long one would be looked through again for each such name.
        let reach =
            if name.certain || opens_bracket(&bytes[sign + 1..]) { bytes.len() } else { sign + 1 + DOUBTFUL_BYTES };
        let (start, end) = value_after(&bytes[..reach.min(bytes.len())], sign + 1);
        if !is_meant(name, &bytes[start..end]) {
            continue;
        }
        found.push((start, end, name.kind));
        at = end.max(at);
    }
    found
}

/// More than any code has, its quotes, escapes and the spaces around it included.
const DOUBTFUL_BYTES: usize = 512;

/// Whether a value is in brackets. Where a gap is longer than a doubtful value reaches, it is not asked.
fn opens_bracket(bytes: &[u8]) -> bool {
    let first = bytes.iter().take(DOUBTFUL_BYTES).find(|byte| !is_gap(**byte));
    matches!(first, Some(b'{' | b'['))
}

/// NUL counts as space, so that UTF-16 is searched, too.
fn is_gap(byte: u8) -> bool {
    byte <= b' '
}

fn is_quote(byte: u8) -> bool {
    matches!(byte, b'"' | b'\'' | b'`' | b'\\')
}

/// Whether a value is cut: it is more than `null`, and what its name leaves in doubt it looks like. What is in brackets is
/// not looked into.
fn is_meant(name: Name, value: &[u8]) -> bool {
    let text = value.trim_ascii();
    if text.is_empty() || text == b"null" {
        return false;
    }
    let before = Looks::default();
    let mut after = before;
    let is_edge = |byte: &u8| is_gap(*byte) || is_quote(*byte);
    let start = text.iter().position(|byte| !is_edge(byte)).unwrap_or(0);
    let end = text.iter().rposition(|byte| !is_edge(byte)).map_or(start, |last| last + 1);
    after.note_string(&text[start..end], true);
    matches!(text[0], b'{' | b'[') || before.confirm(name, after)
}

/// Longest name that is read before a sign, with room for escapes.
const NAME_BYTES_MAX: usize = 128;

/// The name that ends right before a `:` or `=`.
fn name_before(bytes: &[u8], names: Names) -> Option<Name> {
    let window = &bytes[bytes.len().saturating_sub(NAME_BYTES_MAX)..];
    let end = window.iter().rposition(|byte| !is_gap(*byte))? + 1;
    if let quote @ (b'"' | b'\'' | b'`') = window[end - 1] {
        // An escaped quote, as in JSON within a string, belongs to the quote.
        let inside = window[..end - 1].strip_suffix(b"\\").unwrap_or(&window[..end - 1]);
        let start = inside.iter().rposition(|byte| *byte == quote).map_or(0, |quote| quote + 1);
        return name_of(&unescape(&inside[start..]));
    }
    if names == Names::Quoted {
        return None;
    }
    // Names have several words: `codigo de seguranca: `, `card[cvv]=`, `x=1&card.cvv=`.
    let mut name = &window[..end];
    match name.iter().rposition(|byte| ends_name(*byte)) {
        Some(sign) => name = &name[sign + 1..],
        // What is cut off may be the middle of a word.
        None if window.len() < bytes.len() => {
            let word = name.iter().position(|byte| !byte.is_ascii_alphanumeric())?;
            name = &name[word..];
        }
        None => {}
    }
    name_of(&without_percent_signs(name))
}

/// Whether a byte parts a name without quotes from what is before it.
fn ends_name(byte: u8) -> bool {
    matches!(byte, b'\n' | b'\r' | b'\t' | b',' | b';' | b'&' | b'?' | b'=' | b'{' | b'}' | b'(' | b')' | b'<' | b'|')
        || is_quote(byte)
}

/// The bytes that a form wrote as `%5B`.
fn without_percent_signs(name: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(name.len());
    let mut rest = name;
    while let Some((&byte, after)) = rest.split_first() {
        let coded = after.get(..2).filter(|_| byte == b'%').and_then(|hex| std::str::from_utf8(hex).ok());
        match coded.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(decoded) => {
                plain.push(decoded);
                rest = &after[2..];
            }
            None => {
                plain.push(byte);
                rest = after;
            }
        }
    }
    plain
}

/// The range of the value that begins after a `:` or `=`.
fn value_after(bytes: &[u8], from: usize) -> (usize, usize) {
    let gap = bytes[from..].iter().take_while(|byte| is_gap(**byte)).count();
    let start = from + gap;
    let Some(&first) = bytes.get(start) else { return (start, start) };
    let end = match first {
        byte if is_quote(byte) => end_of_quoted(bytes, start),
        b'{' | b'[' => end_of_bracketed(bytes, start),
        _ => {
            let stop = |byte: &u8| matches!(byte, b',' | b'}' | b']' | b'&' | b';' | b'\n' | b'\r' | b'"');
            start + bytes[start..].iter().position(stop).unwrap_or(bytes.len() - start)
        }
    };
    (start, end)
}

/// The position after the closing quote of the string at `start`, which may be `\"` within a string.
fn end_of_quoted(bytes: &[u8], start: usize) -> usize {
    let opening = bytes[start..].iter().take_while(|byte| **byte == b'\\').count();
    let Some(&quote) = bytes.get(start + opening) else { return bytes.len() };
    let mut at = start + opening + 1;
    let mut slashes = 0;
    while let Some(&byte) = bytes.get(at) {
        at += 1;
        match byte {
            b'\\' => slashes += 1,
            // The closing quote bears as many backslashes as the opening one; more of them escape it.
            byte if byte == quote && (slashes == opening || (opening == 0 && slashes % 2 == 0)) => return at,
            _ => slashes = 0,
        }
    }
    bytes.len()
}

/// The position after the bracket that closes the one at `start`; strings inside are skipped.
fn end_of_bracketed(bytes: &[u8], start: usize) -> usize {
    let mut open = 0_usize;
    let mut at = start;
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'"' => {
                at = end_of_quoted(bytes, at);
                continue;
            }
            b'{' | b'[' => open += 1,
            b'}' | b']' => {
                open -= 1;
                if open == 0 {
                    return at + 1;
                }
            }
            _ => {}
        }
        at += 1;
    }
    bytes.len()
}
