//! Steps through JSON that a pass found well-formed, for what needs a place in the bytes and no tree.
//!
//! Commas and colons are taken for granted: on bytes that are not JSON a walk ends early or steps over rubbish, and never panics.

use crate::lexer::{Lexer, MAX_DEPTH, Text};

/// Follows a value, and keeps nothing.
pub fn skip(lexer: &mut Lexer<'_>, depth: usize) -> Option<()> {
    if depth > MAX_DEPTH {
        return None;
    }
    match lexer.after_space().ok()? {
        b'"' => lexer.string().ok().map(drop),
        b'{' => members(lexer, |lexer, _| skip(lexer, depth + 1)),
        b'[' => elements(lexer, |lexer| skip(lexer, depth + 1)),
        b'-' | b'0'..=b'9' => lexer.number().ok().map(drop),
        _ => lexer.literal().ok().map(drop),
    }
}

/// Goes through an object; `at` stands on its brace, and at each call of `member` before a value.
pub fn members<'a>(
    lexer: &mut Lexer<'a>,
    mut member: impl FnMut(&mut Lexer<'a>, Text<'a>) -> Option<()>,
) -> Option<()> {
    lexer.at += 1;
    while lexer.after_space().ok()? != b'}' {
        let key = lexer.string().ok()?;
        lexer.after_space().ok()?;
        lexer.at += 1;
        member(lexer, key)?;
        if lexer.after_space().ok()? == b',' {
            lexer.at += 1;
        }
    }
    lexer.at += 1;
    Some(())
}

/// Goes through an array; `at` stands on its bracket, and at each call of `element` before a value.
pub fn elements<'a>(lexer: &mut Lexer<'a>, mut element: impl FnMut(&mut Lexer<'a>) -> Option<()>) -> Option<()> {
    lexer.at += 1;
    while lexer.after_space().ok()? != b']' {
        element(lexer)?;
        if lexer.after_space().ok()? == b',' {
            lexer.at += 1;
        }
    }
    lexer.at += 1;
    Some(())
}
