//! How times and texts are spelled in logs.

use std::borrow::Cow;

use ledgerline_event::instant::to_rfc3339;

/// `2026-03-02T14:00:00.350+00:00`: some tools want an offset in digits.
pub(super) fn with_offset(ms: i64) -> String {
    let mut text = to_rfc3339(ms);
    text.pop();
    text + "+00:00"
}

/// The text without what XML 1.0 has no way to spell, even escaped; a mark in its place.
pub(super) fn for_xml(text: &str) -> Cow<'_, str> {
    let is_bad =
        |sign: char| matches!(sign, '\0'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}');
    if text.contains(is_bad) { Cow::Owned(text.replace(is_bad, "\u{fffd}")) } else { Cow::Borrowed(text) }
}

/// The text as a cell that no spreadsheet takes for a formula: one that could be has an apostrophe before it.
pub(super) fn for_cell(text: &str) -> Cow<'_, str> {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']) {
        Cow::Owned(format!("'{text}"))
    } else {
        Cow::Borrowed(text)
    }
}
