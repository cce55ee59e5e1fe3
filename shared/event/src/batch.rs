//! A list of events in one document, as the guides' bulk ingestion sends them, taken apart: one document per element.
//!
//! Invariant: each document is the whole one with this element alone in its list, byte for byte; together they hold each element once,
//! in their order. A list of one element, or of none, stays as it is.

use std::borrow::Cow;

use ledgerline_json::lexer::{Lexer, Text};
use ledgerline_json::walk::{elements, members, skip};

use crate::catalogue::{Catalogue, NameId, built_in};
use crate::document::{self, Fragment};
use crate::head::Head;
use crate::text_layer;

/// A document around its list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch<'a> {
    before: &'a [u8],
    elements: Vec<&'a [u8]>,
    after: &'a [u8],
}

/// The document that holds the list, if there is one: this document, or what it becomes once a layer that is JSON in a string is undone.
pub fn document_of<'d>(document: &'d [u8], head: &Head<'_>) -> Option<Cow<'d, [u8]>> {
    if head.is_batch() {
        return Some(Cow::Borrowed(document));
    }
    // A document with a layer that is text is the adapter's to read.
    if head.family().is_some() {
        return None;
    }
    let undone = text_layer::undone(document);
    let is_list =
        |text: &[u8]| matches!(document::split(text).next(), Some(Fragment::Document(_, head)) if head.is_batch());
    (matches!(undone, Cow::Owned(_)) && is_list(&undone)).then_some(undone)
}

/// The batch in an I-JSON document that [`crate::head::Head::is_batch`] says is one; `None` if its list has fewer than two elements, or none that names its interaction.
pub fn split(document: &[u8]) -> Option<Batch<'_>> {
    let mut lexer = Lexer::new(document);
    let list = list_in(built_in(), &mut lexer, 0)?;
    let mut lexer = Lexer::new(document);
    lexer.at = list.start;
    let mut found = Vec::new();
    elements(&mut lexer, |lexer| {
        lexer.after_space().ok()?;
        let start = lexer.at;
        skip(lexer, 0)?;
        found.push(&document[start..lexer.at]);
        Some(())
    })?;
    let events = found.iter().any(|element| is_event(built_in(), element));
    // Up to the bracket, and from the bracket that closes it.
    (events && found.len() > 1).then_some(Batch {
        before: &document[..=list.start],
        elements: found,
        after: &document[list.end - 1..],
    })
}

/// Whether an element has one of the members that make an event of it.
fn is_event(catalogue: &Catalogue, element: &[u8]) -> bool {
    if !element.starts_with(b"{") {
        return false;
    }
    let needed = |name: NameId| catalogue.layers.iter().any(|layer| layer.is_list && layer.needs.contains(&name));
    let mut found = false;
    let mut lexer = Lexer::new(element);
    let read = members(&mut lexer, |lexer, key| {
        found |= catalogue.name_of(&key.decode()).is_some_and(|spelled| needed(spelled.name));
        skip(lexer, 1)
    });
    read.is_some() && found
}

/// Where the list lies, its brackets included: in the document, or in what its envelope holds.
fn list_in(catalogue: &Catalogue, lexer: &mut Lexer<'_>, depth: usize) -> Option<std::ops::Range<usize>> {
    if lexer.after_space().ok()? != b'{' {
        return None;
    }
    let is = |key: Text<'_>, envelope: bool| {
        let name = catalogue.name_of(&key.decode()).map(|spelled| spelled.name);
        let mut layers =
            catalogue.layers.iter().filter(|layer| if envelope { layer.is_envelope } else { layer.is_list });
        name.is_some_and(|name| layers.any(|layer| layer.key == name))
    };
    let mut list = None;
    let mut inside = None;
    members(lexer, |lexer, key| {
        let start = {
            lexer.after_space().ok()?;
            lexer.at
        };
        let next = lexer.peek();
        if next == Some(b'{') && depth == 0 && is(key, true) {
            inside = list_in(catalogue, lexer, depth + 1);
            lexer.at = start;
        }
        skip(lexer, depth + 1)?;
        if next == Some(b'[') && list.is_none() && is(key, false) {
            list = Some(start..lexer.at);
        }
        Some(())
    })?;
    list.or(inside)
}

impl<'a> Batch<'a> {
    /// The documents, one at a time.
    pub fn documents(&self) -> impl Iterator<Item = Vec<u8>> + use<'_, 'a> {
        self.elements.iter().map(|element| [self.before, element, self.after].concat())
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.elements.len()
    }

    /// How many bytes all of them have together.
    pub fn bytes(&self) -> usize {
        let around = self.before.len() + self.after.len();
        self.elements.iter().map(|element| element.len() + around).sum()
    }

    /// Whether the list may be taken apart at all: each element repeats the document around it, and a large one would become
    /// gigabytes. Such a document is not an event, and is kept whole.
    pub fn can_be_split(&self) -> bool {
        self.bytes() <= SPLIT_BYTES_MAX
    }
}

/// Sixteen times the largest record: elements of 200 bytes in a document of 3 KB around them.
pub(crate) const SPLIT_BYTES_MAX: usize = 16 * 1_000 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    fn documents(document: &str) -> Vec<String> {
        let batch = split(document.as_bytes());
        batch.map(|batch| batch.documents().map(|one| String::from_utf8(one).unwrap()).collect()).unwrap_or_default()
    }

    #[test]
    fn each_element_stands_alone_in_the_document_around_it() {
        assert_eq!(
            documents(r#"{"process_name":"P", "records" : [ {"case_id":"a]"} ,{"b":[1,2]}, 7 ],"z":[{}]}"#),
            [
                r#"{"process_name":"P", "records" : [{"case_id":"a]"}],"z":[{}]}"#,
                r#"{"process_name":"P", "records" : [{"b":[1,2]}],"z":[{}]}"#,
                r#"{"process_name":"P", "records" : [7],"z":[{}]}"#,
            ]
        );
    }

    #[test]
    fn one_in_an_envelope_is_found_and_a_list_of_one_stays() {
        let inside = documents(r#"{"source":"etl","detail":{"batchId":"b","Records":[{"CaseId":1},{"x":2}]}}"#);
        assert_eq!(inside.len(), 2);
        assert_eq!(inside[1], r#"{"source":"etl","detail":{"batchId":"b","Records":[{"x":2}]}}"#);
        for other in [
            r#"{"records":[]}"#,
            r#"{"records":[{"x":1}]}"#,
            r#"{"records":7}"#,
            r#"{"a":{"records":[1,2]}}"#,
            r#"{"records":["x","y"]}"#,
            r#"{"records":[{"x":1},{"x":2}]}"#,
            "[1,2]",
        ] {
            assert_eq!(documents(other).len(), 0, "{other}");
        }
    }
}
