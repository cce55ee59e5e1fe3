//! The lexical search, for bytes that are no JSON: whatever follows a listed name and `:` or `=`.

use super::names::{KEY_BYTES_MAX, kind_of_key};
use super::{Cut, Found, SensitiveKind, replace};
use ledgerline_json::lexer::unescape;

/// Which names count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Names {
    /// Those between quotes, and words that no quote is around.
    All,
    /// Those between quotes: a sentence may say `pin: ` and mean no field.
    Quoted,
}

/// Replaces what follows a sensitive name and `:` or `=` in bytes that are no JSON, whatever the quotes: up to the
/// closing quote or bracket, or to the end where there is none.
pub fn cut_garbage(bytes: &[u8]) -> (Vec<u8>, Vec<Cut>) {
    let found = values_in(bytes, Names::All).into_iter();
    replace(bytes, found.map(|(start, end, kind)| Found { start, end, kind, pointer: Some(String::new()) }).collect())
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
        let Some(kind) = name_before(&bytes[..sign], names) else { continue };
        let (start, end) = value_after(bytes, sign + 1);
        if start < end && bytes[start..end].trim_ascii() != b"null" {
            found.push((start, end, kind));
        }
        at = end.max(at);
    }
    found
}

/// NUL counts as space, so that UTF-16 is searched, too.
fn is_gap(byte: u8) -> bool {
    byte <= b' '
}

fn is_quote(byte: u8) -> bool {
    matches!(byte, b'"' | b'\'' | b'`' | b'\\')
}

/// The kind of the name that ends right before a `:` or `=`.
fn name_before(bytes: &[u8], names: Names) -> Option<SensitiveKind> {
    let window = &bytes[bytes.len().saturating_sub(2 * KEY_BYTES_MAX)..];
    let end = window.iter().rposition(|byte| !is_gap(*byte))? + 1;
    let (name, quoted) = match window[end - 1] {
        b'"' | b'\'' | b'`' => {
            let quote = window[end - 1];
            // An escaped quote, as in JSON within a string, belongs to the quote.
            let inside = window[..end - 1].strip_suffix(b"\\").unwrap_or(&window[..end - 1]);
            let start = inside.iter().rposition(|byte| *byte == quote).map_or(0, |quote| quote + 1);
            (&inside[start..], true)
        }
        _ => (&window[..end], false),
    };
    if quoted {
        return kind_of_key(&unescape(name));
    }
    if names == Names::Quoted {
        return None;
    }
    let start = name.iter().rposition(|b| !(b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.' | 0)));
    let word = &name[start.map_or(0, |before| before + 1)..];
    // `card.cvv=`, `data-pin=`: the last part names the field, too.
    let last = word.rsplit(|byte| matches!(byte, b'.' | b'-')).next();
    kind_of_key(word).or_else(|| last.and_then(kind_of_key))
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
