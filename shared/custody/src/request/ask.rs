//! The bodies of requests and of what is done about them.
//!
//! Invariant: as in [`crate::query`]: what names a person becomes [`Identifier`](ledgerline_privacy::Identifier)s at once, whose values
//! cannot be printed, and no error repeats anything of a body. What a caller typed for people to read is handed on as text, bounded.

use std::collections::BTreeMap;

use ledgerline_event::{Rejection, document};
use ledgerline_json::{Json, Object};
use ledgerline_privacy::Region;
use ledgerline_store::request::{Method, Regime, RequestKind};

use super::given::Given;
use crate::query::{self, QueryError, only_members, text, unprocessable};

/// Longest body that is read: a thousand records that an approval names, of 64 bytes, or 50 identifiers of 512, escaped, twice over.
pub const BODY_BYTES: usize = 64 * 1024;
/// Interactions that a request may list.
pub const MAX_INTERACTIONS: usize = 500;
/// Longest reference: a ticket's number or a link to it.
pub const MAX_REFERENCE_CHARS: usize = 256;
/// Longest reason: half a page.
pub const MAX_REASON_CHARS: usize = 2_000;
/// Longest id of an interaction.
const MAX_ID_BYTES: usize = 256;

/// A request as asked.
#[derive(Debug)]
pub struct Asked {
    /// What for.
    pub kind: RequestKind,
    /// By which law.
    pub regime: Regime,
    /// About whom; nobody if interactions alone are listed.
    pub who: Option<query::Who>,
    /// The customer's id or hash as it was typed, if it was asked by one.
    pub given: Option<Given>,
    /// Interactions that are listed, sorted, each once.
    pub interactions: Vec<String>,
    /// The only organisation that is asked; every one that the caller may see unless it is given.
    pub org: Option<String>,
    /// The caller's own name for it.
    pub reference: Option<String>,
    /// The caller's word for why, of the short form.
    pub deletion_reason: Option<String>,
}

impl Asked {
    /// Reads the body of `POST …/requests`. `region` is where phone numbers belong to that say no country.
    ///
    /// # Errors
    /// What is wrong with it, without a word of it.
    pub fn parse(body: &[u8], region: Region) -> Result<Self, QueryError> {
        let body = object(body)?;
        only_members(&body, "The body", MEMBERS)?;
        let kind = word(&body, "type", &RequestKind::ALL, RequestKind::as_str)?
            .ok_or_else(|| must_be("type", &RequestKind::ALL.map(RequestKind::as_str)))?;
        let interactions = interactions(&body)?;
        let names_somebody = ["customerIdHash", "identifiers"].iter().any(|name| given(&body, name));
        if !names_somebody && interactions.is_empty() {
            return Err(unprocessable(
                "Give `customerIdHash`, `identifiers` or `interactions`: the request is about nobody and nothing.",
            ));
        }
        Ok(Self {
            kind,
            regime: word(&body, "regime", &Regime::ALL, Regime::as_str)?.unwrap_or_default(),
            who: names_somebody.then(|| query::who(&body, region)).transpose()?,
            given: given_hash(&body)?,
            interactions,
            org: query::org(&body)?,
            reference: bounded(&body, "reference", MAX_REFERENCE_CHARS)?,
            deletion_reason: None,
        })
    }

    /// Reads the body of `POST …/rtbf`, the short form: an erasure under the GDPR.
    ///
    /// # Errors
    /// What is wrong with it, without a word of it.
    pub fn parse_rtbf(body: &[u8], region: Region) -> Result<Self, QueryError> {
        let body = object(body)?;
        only_members(&body, "The body", RTBF_MEMBERS)?;
        Ok(Self {
            kind: RequestKind::Erasure,
            regime: Regime::Gdpr,
            who: Some(query::who(&body, region)?),
            given: given_hash(&body)?,
            interactions: Vec::new(),
            org: query::org(&body)?,
            reference: bounded(&body, "requestId", MAX_REFERENCE_CHARS)?,
            deletion_reason: deletion_reason(&body)?,
        })
    }
}

/// What is said with a step.
#[derive(Debug, PartialEq, Eq)]
pub struct Verification {
    /// How.
    pub method: Method,
    /// What proves it.
    pub reference: Option<String>,
}

/// Reads the body of `POST …/verify`.
///
/// # Errors
/// What is wrong with it, without a word of it.
pub fn verification(body: &[u8]) -> Result<Verification, QueryError> {
    let body = object(body)?;
    only_members(&body, "The body", &["method", "reference"])?;
    let method = word(&body, "method", &Method::ALL, Method::as_str)?;
    Ok(Verification {
        method: method.ok_or_else(|| must_be("method", &Method::ALL.map(Method::as_str)))?,
        reference: bounded(&body, "reference", MAX_REFERENCE_CHARS)?,
    })
}

/// What an approval says.
#[derive(Debug, PartialEq, Eq)]
pub struct Approval {
    /// The digest of the preview that was looked at.
    pub digest: String,
    /// Of shared records that it names, whether the joint content goes.
    pub shared: BTreeMap<String, bool>,
}

/// Reads the body of `POST …/approve`.
///
/// # Errors
/// What is wrong with it, without a word of it.
pub fn approval(body: &[u8]) -> Result<Approval, QueryError> {
    let body = object(body)?;
    only_members(&body, "The body", &["previewDigest", "shared"])?;
    let is_digest = |text: &&str| text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    let digest = text(&body, "previewDigest", "`previewDigest`")?.filter(is_digest);
    let digest = digest.ok_or_else(|| {
        unprocessable(
            "`previewDigest` must be the `digest` of the request's preview: an approval is of what the preview shows.",
        )
    })?;
    let shared = match body.get("shared") {
        None | Some(Json::Null) => BTreeMap::new(),
        Some(Json::Object(shared)) => shared
            .iter()
            .map(|(record, decision)| match decision {
                Json::String(word) if &**word == "erase" => Ok((record.to_owned(), true)),
                Json::String(word) if &**word == "keep" => Ok((record.to_owned(), false)),
                _ => Err(unprocessable("Each member of `shared` must be \"erase\" or \"keep\".")),
            })
            .collect::<Result<_, _>>()?,
        Some(_) => return Err(unprocessable("`shared` must be an object: \"erase\" or \"keep\" by record.")),
    };
    Ok(Approval { digest: digest.to_owned(), shared })
}

/// Reads the body of `POST …/cancel`, `…/refuse` and `…/extend`.
///
/// # Errors
/// What is wrong with it, without a word of it.
pub fn reason(body: &[u8]) -> Result<String, QueryError> {
    let body = object(body)?;
    only_members(&body, "The body", &["reason"])?;
    bounded(&body, "reason", MAX_REASON_CHARS)?
        .ok_or_else(|| unprocessable("Give a `reason`: the person who asked may want to know it."))
}

fn object(body: &[u8]) -> Result<Object<'_>, QueryError> {
    let value = match document::parse(body) {
        Err(Rejection::Empty | Rejection::NotObject) => return Err(unprocessable("The body must be a JSON object.")),
        parsed => parsed.map_err(|rejection| query::unreadable(body, rejection))?,
    };
    if value.is_damaged() {
        return Err(query::unreadable(body, Rejection::LoneSurrogate));
    }
    match value {
        Json::Object(object) => Ok(object),
        _ => Err(unprocessable("The body must be a JSON object.")),
    }
}

/// The customer's id or hash as it was typed.
fn given_hash(body: &Object<'_>) -> Result<Option<Given>, QueryError> {
    Ok(text(body, "customerIdHash", "`customerIdHash`")?.map(Given::new))
}

fn given(body: &Object<'_>, name: &str) -> bool {
    body.get(name).is_some_and(|value| !value.is_null())
}

/// A word of a closed list, in any case.
fn word<T: Copy>(
    body: &Object<'_>,
    name: &str,
    all: &[T],
    spelled: fn(T) -> &'static str,
) -> Result<Option<T>, QueryError> {
    let Some(word) = text(body, name, &format!("`{name}`"))? else { return Ok(None) };
    let found = all.iter().copied().find(|one| spelled(*one).eq_ignore_ascii_case(word));
    let words: Vec<&str> = all.iter().copied().map(spelled).collect();
    found.map(Some).ok_or_else(|| must_be(name, &words))
}

fn must_be(name: &str, words: &[&str]) -> QueryError {
    unprocessable(format!("`{name}` must be one of {}.", words.join(", ")))
}

/// A text for people to read; an empty one is none.
fn bounded(body: &Object<'_>, name: &str, most_chars: usize) -> Result<Option<String>, QueryError> {
    let Some(text) = text(body, name, &format!("`{name}`"))?.map(str::trim).filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    if text.chars().count() > most_chars {
        return Err(unprocessable(format!("`{name}` has more than {most_chars} characters.")));
    }
    Ok(Some(text.to_owned()))
}

/// Ids as they are stored: what no record can be called is no interaction.
fn interactions(body: &Object<'_>) -> Result<Vec<String>, QueryError> {
    let list = match body.get("interactions") {
        None | Some(Json::Null) => return Ok(Vec::new()),
        Some(Json::Array(list)) if (1..=MAX_INTERACTIONS).contains(&list.len()) => list,
        Some(_) => {
            return Err(unprocessable(format!("`interactions` must be an array of 1 to {MAX_INTERACTIONS} ids.")));
        }
    };
    let mut all = Vec::with_capacity(list.len());
    for (index, id) in list.iter().enumerate() {
        match id {
            Json::String(id) if is_interaction(id) => all.push(id.to_string()),
            _ => return Err(unprocessable(format!("`interactions[{index}]` is not an interaction's id."))),
        }
    }
    all.sort();
    all.dedup();
    Ok(all)
}

fn is_interaction(id: &str) -> bool {
    (1..=MAX_ID_BYTES).contains(&id.len()) && !id.contains(|c: char| c == '/' || c.is_control() || c.is_whitespace())
}

fn deletion_reason(body: &Object<'_>) -> Result<Option<String>, QueryError> {
    let Some(word) = text(body, "deletionReason", "`deletionReason`")? else { return Ok(None) };
    let fits = (1..=64).contains(&word.len()) && word.bytes().all(|b| b.is_ascii_uppercase() || b == b'_');
    if !fits {
        return Err(unprocessable("`deletionReason` must be a word of A-Z and _, such as RTBF_REQUEST."));
    }
    Ok(Some(word.to_owned()))
}

const MEMBERS: &[&str] = &["type", "regime", "customerIdHash", "identifiers", "interactions", "org", "reference"];
const RTBF_MEMBERS: &[&str] = &["customerIdHash", "identifiers", "org", "deletionReason", "requestId"];

#[cfg(test)]
mod tests;
