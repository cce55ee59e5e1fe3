//! What may be said of a record in a message about it: the interactions that its documents are about, and their lineage tokens.
//!
//! Invariant: nothing but ids of impersonal form and tokens leaves this module. A document about an entity names its token alone, and only
//! where its source sent one: a derived token is a digest of the entity's id, which may be a person's.

use serde::{Deserialize, Serialize};

use crate::document::{Fragment, parse, split};
use crate::source_event::{Context, LineageFrom, Record};
use crate::{adapt, text_layer};

/// What one document names.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Names {
    /// The lineage token: the source's, or the one that is derived from the interaction.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lineage_token: Option<String>,
    /// The interaction's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interaction_id: Option<String>,
}

/// What the documents of a record name, each pair once, at most `limit`. Bytes that are no document name nothing, and neither does
/// a document that is about nothing that can be told.
pub fn of(record: &[u8], limit: usize) -> Vec<Names> {
    let mut all: Vec<Names> = Vec::new();
    for fragment in split(record) {
        let Fragment::Document(bytes, _) = fragment else { continue };
        let Some(names) = of_document(bytes).filter(|names| !all.contains(names)) else { continue };
        if all.len() == limit {
            break;
        }
        all.push(names);
    }
    all
}

/// Whose the record is, is not told here.
const ANY_ORG: &str = "any";

fn of_document(document: &[u8]) -> Option<Names> {
    let undone = text_layer::undone(document);
    let value = parse(&undone).ok()?;
    let event = adapt(&value, &Context { default_org: ANY_ORG, numeric_id_sources: &[] }).ok()?;
    let is_sent = matches!(event.lineage_from, LineageFrom::Source);
    let token = |said: bool| said.then(|| event.lineage_token.to_string());
    let names = match &event.record {
        Record::Interaction(id) => Names { lineage_token: token(true), interaction_id: Some(id.to_string()) },
        Record::Entity { .. } => Names { lineage_token: token(is_sent), interaction_id: None },
    };
    (names.lineage_token.is_some() || names.interaction_id.is_some()).then_some(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "f8497fa6-8e52-5c92-984e-0446f630c77f";

    #[test]
    fn an_interaction_is_named_with_its_token_sent_or_derived() {
        let sent = format!(
            r#"{{"interactionId":"c-1","eventType":"x","timestamp":"2026-03-02T14:00:00Z","lineageToken":"{TOKEN}","ani":"+13175550142"}}"#
        );
        let derived = r#"{"interactionId":"c-2","eventType":"x","timestamp":"2026-03-02T14:00:00Z"}"#;
        let record = format!("{sent}\n{derived}{sent}garbage");
        let names = of(record.as_bytes(), 10);
        let of_two = crate::lineage::derived_token("c-2");
        let expected = [(TOKEN, "c-1"), (of_two.as_str(), "c-2")]
            .map(|(token, id)| Names { lineage_token: Some(token.to_owned()), interaction_id: Some(id.to_owned()) });
        assert_eq!(names, expected);
        assert_eq!(of(record.as_bytes(), 1).len(), 1);
    }

    #[test]
    fn nothing_that_may_be_personal_is_named() {
        for record in [
            r#"{"interactionId":"+13175550142","eventType":"x","timestamp":"2026-03-02T14:00:00Z"}"#,
            r#"{"interactionId":"Ms Miller","eventType":"x","timestamp":"2026-03-02T14:00:00Z"}"#,
            r#"{"entityType":"contact","entityId":"k-1","eventType":"x","timestamp":"2026-03-02T14:00:00Z"}"#,
            "no document",
            "",
        ] {
            assert_eq!(of(record.as_bytes(), 10), [], "{record}");
        }
        let refused =
            r#"{"interactionId":"c-1","eventType":"x","timestamp":"2026-03-02T14:00:00Z","lineageToken":"Ms Miller"}"#;
        let names = of(refused.as_bytes(), 10);
        assert_eq!(names[0].lineage_token, Some(crate::lineage::derived_token("c-1")));
    }
}
