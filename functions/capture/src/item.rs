//! An item as it goes into the stream: cut, and in the envelope that says who sent it.
//!
//! Invariant: sensitive authentication data is cut before anything is stored. Whatever our own code does with an item, it costs no other
//! item its way.

use std::panic::{AssertUnwindSafe, catch_unwind};

use bytes::Bytes;
use ledgerline_event::capture::Captured;
use ledgerline_event::document::{Rejection, parse};
use ledgerline_event::names::{self, Names};
use ledgerline_event::sensitive;
use ledgerline_store::stream::RECORD_BYTES_MAX;

use crate::body::Item;

/// An item that goes into the stream.
pub(crate) struct Taken {
    /// Its place in the body, from 0.
    pub(crate) index: usize,
    /// What goes into the stream.
    pub(crate) record: Bytes,
    /// What may be said of it.
    pub(crate) names: Names,
}

/// An item that does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Refused {
    /// Its place in the body, from 0.
    pub(crate) index: usize,
    /// Why.
    pub(crate) reason: Rejection,
}

/// The items that go into the stream, and those that do not.
pub(crate) fn read(by: Captured<'_>, items: Vec<Item<'_>>) -> (Vec<Taken>, Vec<Refused>) {
    let (mut taken, mut refused) = (Vec::with_capacity(items.len()), Vec::new());
    for (index, item) in items.into_iter().enumerate() {
        let record = match item {
            Item::Bad(reason) => Err(reason),
            // Nothing of it is shared: a panic leaves nothing behind.
            Item::Document(bytes) => {
                catch_unwind(AssertUnwindSafe(|| wrapped(by, &bytes))).unwrap_or(Err(Rejection::Defect))
            }
        };
        match record {
            Ok((record, names)) => taken.push(Taken { index, record: record.into(), names }),
            Err(reason) => refused.push(Refused { index, reason }),
        }
    }
    (taken, refused)
}

fn wrapped(by: Captured<'_>, document: &[u8]) -> Result<(Vec<u8>, Names), Rejection> {
    let (kept, _) = sensitive::cut(document);
    let record = by.wrap(&kept);
    if record.len() > RECORD_BYTES_MAX {
        return Err(Rejection::TooLong);
    }
    // In the envelope it may be nested too deep.
    parse(&record)?;
    let names = names::of(&record, 1).into_iter().next();
    Ok((record, names.unwrap_or(Names { lineage_token: None, interaction_id: None })))
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::*;

    const BY: Captured<'_> = Captured { client: "flows", source: "flows", org: Some("acme") };

    #[test]
    fn an_item_is_cut_wrapped_and_named() {
        let card = br#"{"interactionId":"c-1","eventType":"x","timestamp":"2026-03-02T14:00:00Z","cvv":"123"}"#;
        let items = vec![Item::Document(Cow::Borrowed(card)), Item::Bad(Rejection::NotObject)];
        let (taken, refused) = read(BY, items);
        assert_eq!(refused, [Refused { index: 1, reason: Rejection::NotObject }]);
        let text = std::str::from_utf8(&taken[0].record).unwrap();
        assert!(text.starts_with(r#"{"source":"ledgerline.capture/flows/flows/acme","detail":{"interactionId":"c-1""#));
        assert!(!text.contains("123"), "{text}");
        assert_eq!(taken[0].names.interaction_id.as_deref(), Some("c-1"));
    }

    #[test]
    fn what_is_too_long_or_too_deep_for_the_envelope_is_refused_alone() {
        let long = format!("{{\"a\":\"{}\"}}", "x".repeat(RECORD_BYTES_MAX));
        let depth = ledgerline_json::lexer::MAX_DEPTH;
        let deep = |depth: usize| format!("{}1{}", "{\"a\":".repeat(depth), "}".repeat(depth));
        // As deep as a document may be at all, found by trying: the envelope is one level more.
        let deepest = (1..=depth + 1).rev().map(deep).find(|text| parse(text.as_bytes()).is_ok()).unwrap();
        let of = |text: &str| Item::Document(Cow::Owned(text.as_bytes().to_vec()));
        let (taken, refused) = read(BY, vec![of(&long), of(&deepest), of("{}")]);
        let refused: Vec<_> = refused.iter().map(|one| (one.index, one.reason)).collect();
        assert_eq!(refused, [(0, Rejection::TooLong), (1, Rejection::TooDeep)]);
        assert_eq!((taken.len(), taken[0].index, &taken[0].names.interaction_id), (1, 2, &None));
    }
}
