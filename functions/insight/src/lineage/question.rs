//! What is asked: a record or a token, of which organisations, with proofs or without, from where on.
//!
//! Invariant: a page token is a place and nothing else: it opens nothing that the question before it does not, so that nobody gains by
//! writing one.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ledgerline_custody::order::EventOrder;
use ledgerline_lambda::api;
use ledgerline_lambda::caller::Orgs;
use percent_encoding::percent_decode_str;
use serde::{Deserialize, Serialize};

use crate::problem::Problem;
use crate::summary::is_org;

/// What may stand in the query.
pub(super) const PARAMETERS: [&str; 3] = ["org", "proof", "pageToken"];
/// Longer is no id and no token: ids have at most 256 bytes, tokens 512.
const MAX_SUBJECT_BYTES: usize = 640;
const MAX_TOKEN_CHARS: usize = 2_048;

/// What is asked.
#[derive(Debug)]
pub(super) struct Question {
    /// An interaction's id, an entity's type and id, or a token.
    pub(super) subject: String,
    /// The organisations that may be told of; all of them if there is no such list.
    pub(super) orgs: Option<BTreeSet<String>>,
    pub(super) proof: bool,
    /// Where the page before ended.
    pub(super) after: Option<Position>,
}

impl Question {
    pub(super) fn read(
        record: &str,
        parameters: &BTreeMap<&'static str, String>,
        allowed: &Orgs,
    ) -> Result<Self, Problem> {
        let given = |name: &str| parameters.get(name).map(String::as_str);
        let orgs = match (given("org"), allowed) {
            (None, Orgs::All) => None,
            (None, Orgs::Only(orgs)) => Some(orgs.clone()),
            (Some(org), _) if !is_org(org) => return Err(Problem::bad_parameter("org", "an organisation's name")),
            (Some(org), allowed) if allowed.allows(org) => Some(BTreeSet::from([org.to_owned()])),
            (Some(_), _) => return Err(Problem::org_not_allowed()),
        };
        let proof = match given("proof") {
            None | Some("false") => false,
            Some("true") => true,
            Some(_) => return Err(Problem::bad_parameter("proof", "true or false")),
        };
        let after = given("pageToken").map(Position::read).transpose()?;
        Ok(Self { subject: subject(record).ok_or_else(Problem::bad_record)?, orgs, proof, after })
    }
}

/// The text that a path's end stands for: some gateways decode it, some do not. No id has a `%`.
fn subject(record: &str) -> Option<String> {
    let decoded = percent_decode_str(record).decode_utf8().ok()?;
    let fits = (1..=MAX_SUBJECT_BYTES).contains(&decoded.len()) && !decoded.chars().any(char::is_control);
    fits.then(|| decoded.into_owned())
}

/// Behind which entry of which record a page begins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Position {
    #[serde(rename = "k")]
    pub(super) record: String,
    #[serde(rename = "o", skip_serializing_if = "Option::is_none")]
    order: Option<EventOrder>,
}

impl Position {
    /// Behind an entry of a record.
    pub(super) fn after(record: &str, order: &EventOrder) -> Self {
        Self { record: record.to_owned(), order: Some(order.clone()) }
    }

    /// At a record's first entry.
    pub(super) fn before(record: &str) -> Self {
        Self { record: record.to_owned(), order: None }
    }

    /// Whether an entry comes behind it.
    pub(super) fn is_behind(&self, order: &EventOrder) -> bool {
        self.order.as_ref().is_none_or(|own| order > own)
    }

    pub(super) fn to_token(&self) -> String {
        // Texts and numbers alone: writing them cannot fail.
        URL_SAFE_NO_PAD.encode(serde_json::to_vec(self).unwrap_or_default())
    }

    fn read(token: &str) -> Result<Self, Problem> {
        let bytes = (token.len() <= MAX_TOKEN_CHARS).then(|| URL_SAFE_NO_PAD.decode(token).ok()).flatten();
        let read = bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok());
        read.ok_or_else(|| Problem(api::Problem::bad_page_token(&"is not one that an answer gave")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(record: &str, given: &[(&'static str, &str)], allowed: &Orgs) -> Result<Question, u16> {
        let given = given.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        Question::read(record, &given, allowed).map_err(|Problem(problem)| problem.status())
    }

    #[test]
    fn a_path_may_come_decoded_or_not() {
        for (path, id) in [("c-1", "c-1"), ("Queue/q-1", "Queue/q-1"), ("Queue%2Fq-1", "Queue/q-1"), ("lt%3A1", "lt:1")]
        {
            assert_eq!(read(path, &[], &Orgs::All).unwrap().subject, id);
        }
        for path in ["%ff", "a%0Ab", &"x".repeat(641)] {
            assert_eq!(read(path, &[], &Orgs::All).err(), Some(400), "{path}");
        }
    }

    #[test]
    fn what_cannot_be_meant_is_refused_and_so_is_anothers_org() {
        let acme = Orgs::Only(BTreeSet::from(["acme".to_owned()]));
        for given in [("proof", "yes"), ("org", "a b"), ("pageToken", "x"), ("pageToken", "e30")] {
            assert_eq!(read("c-1", &[given], &acme).err(), Some(400), "{given:?}");
        }
        assert_eq!(read("c-1", &[("org", "globex")], &acme).err(), Some(403));
        assert_eq!(read("c-1", &[], &acme).unwrap().orgs, Some(BTreeSet::from(["acme".to_owned()])));
        assert!(read("c-1", &[("proof", "true")], &acme).unwrap().proof);
    }

    #[test]
    fn a_position_is_read_as_it_was_written() {
        let order = EventOrder { occurred_at: "t".to_owned(), rank: 3, log: "l".to_owned(), index: 7 };
        for position in [Position::before("acme/c-1"), Position::after("acme/c-1", &order)] {
            assert_eq!(Position::read(&position.to_token()).unwrap(), position);
        }
        let later = EventOrder { index: 8, ..order.clone() };
        let position = Position::after("acme/c-1", &order);
        assert!(!position.is_behind(&order) && position.is_behind(&later));
    }
}
