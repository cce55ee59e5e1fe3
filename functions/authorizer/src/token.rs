//! A bearer token (RFC 7519, RFC 9068): whether it holds, and whom it names.
//!
//! Invariant: nothing of a token is believed before its signature holds, but which key to ask for. The key says by which algorithm,
//! and the token must agree. Time is the caller's, never the machine's, so that every test of it is exact; hence `jsonwebtoken` is told not to
//! look at `exp` and `nbf`. What a claim may be is checked where it is read: one that is there and is not what it must be refuses the token,
//! since a limit that cannot be read must not become none.

use std::collections::{BTreeMap, BTreeSet};

use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Validation, decode, decode_header};
use ledgerline_lambda::caller::{Caller, Orgs};
use ledgerline_lambda::routes::SCOPES;
use serde::Deserialize;
use serde_json::Value;

use crate::config::Issuer;
use crate::key_cache::{Keys, NoKeysNow};
use crate::members::Members;
use crate::person::PersonClaims;
use crate::refusal::Refusal;

/// For clocks that differ: both ends of this question keep time by NTP.
pub const LEEWAY_SECONDS: f64 = 10.0;
/// Longest `sub`, as OpenID Connect has it.
const SUBJECT_BYTES: usize = 255;
/// Organisations of one token: 100 names of 64 bytes are 6.4 KB, and API Gateway takes some 8 KB of an authorizer.
const MAX_ORGS: usize = 100;
/// A token says what it is, or nothing: the others that an issuer signs (of a logout, of a security event) are no access tokens.
const TYPES: [&str; 2] = ["jwt", "at+jwt"];

/// Why a token lets nobody in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TokenError {
    /// For what it is.
    Refused(Refusal),
    /// Because nobody can tell.
    NoKeysNow,
}

impl From<Refusal> for TokenError {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<NoKeysNow> for TokenError {
    fn from(NoKeysNow: NoKeysNow) -> Self {
        Self::NoKeysNow
    }
}

/// Whom a token names, if it holds.
pub(crate) async fn caller(token: &str, issuer: &Issuer, keys: &Keys, now_ms: i64) -> Result<Caller, TokenError> {
    let header = decode_header(token).map_err(|_| Refusal::Malformed)?;
    let id = header.kid.filter(|id| !id.is_empty()).ok_or(Refusal::NoKeyId)?;
    if !header.typ.is_none_or(|name| TYPES.contains(&plain_type(&name).as_str())) {
        return Err(Refusal::Malformed.into());
    }
    let key = keys.get(&id, now_ms).await?.ok_or(Refusal::UnknownKey)?;
    let mut validation = Validation::new(key.algorithm);
    validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
    validation.set_issuer(&[&issuer.name]);
    validation.set_audience(&[&issuer.audience]);
    // By the clock that was given, below.
    validation.validate_exp = false;
    let claims: Claims = decode(token, &key.public, &validation).map_err(|error| refusal(error.kind()))?.claims;
    Ok(claims.caller(&issuer.person, now_ms)?)
}

/// `application/at+jwt` and `at+JWT` are the same (RFC 7515, 4.1.9).
fn plain_type(name: &str) -> String {
    let name = name.to_ascii_lowercase();
    name.strip_prefix("application/").map_or_else(|| name.clone(), str::to_owned)
}

fn refusal(error: &ErrorKind) -> Refusal {
    match error {
        ErrorKind::InvalidSignature => Refusal::Signature,
        ErrorKind::InvalidAlgorithm | ErrorKind::InvalidKeyFormat | ErrorKind::UnsupportedAlgorithm => {
            Refusal::Algorithm
        }
        ErrorKind::InvalidIssuer => Refusal::Issuer,
        ErrorKind::InvalidAudience => Refusal::Audience,
        ErrorKind::MissingRequiredClaim(_) | ErrorKind::InvalidClaimFormat(_) | ErrorKind::Json(_) => Refusal::Claims,
        // What is left is of the form, before the signature was looked at.
        _ => Refusal::Malformed,
    }
}

/// A token's claims. One that is named twice refuses it, whatever it is: of two readers each might take another.
#[derive(Deserialize)]
#[serde(try_from = "Members<Value>")]
struct Claims(BTreeMap<String, Value>);

impl TryFrom<Members<Value>> for Claims {
    type Error = &'static str;

    fn try_from(Members(all): Members<Value>) -> Result<Self, Self::Error> {
        let count = all.len();
        let claims: BTreeMap<String, Value> = all.into_iter().collect();
        if claims.len() == count { Ok(Self(claims)) } else { Err("a claim is named twice") }
    }
}

impl Claims {
    fn caller(&self, person: &PersonClaims, now_ms: i64) -> Result<Caller, Refusal> {
        let now = now_ms as f64 / 1000.0;
        if self.number("exp")?.ok_or(Refusal::Claims)? + LEEWAY_SECONDS <= now {
            return Err(Refusal::Expired);
        }
        for begin in ["nbf", "iat"] {
            if self.number(begin)?.is_some_and(|begin| begin - LEEWAY_SECONDS > now) {
                return Err(Refusal::NotYet);
            }
        }
        // One text: an issuer is never a list.
        let (issuer, subject) = (self.text("iss")?, self.text("sub")?);
        let fits = (1..=SUBJECT_BYTES).contains(&subject.len()) && !subject.chars().any(char::is_control);
        if !fits {
            return Err(Refusal::Claims);
        }
        let orgs = self.orgs()?;
        let granted: BTreeSet<&str> = ["scope", "scp"]
            .into_iter()
            .flat_map(|name| self.texts(name))
            .flat_map(str::split_ascii_whitespace)
            .collect();
        let scopes = SCOPES.into_iter().filter(|scope| granted.contains(scope)).map(str::to_owned).collect();
        let (is_client, is_person) = (self.is_client(subject), person.are_in(&self.0));
        let (issuer, subject) = (issuer.to_owned(), subject.to_owned());
        Ok(Caller { issuer, subject, orgs, scopes, is_client, is_person })
    }

    /// A claim that must be a text.
    fn text(&self, name: &str) -> Result<&str, Refusal> {
        self.0.get(name).and_then(Value::as_str).ok_or(Refusal::Claims)
    }

    /// A claim that is a number, if it is there.
    fn number(&self, name: &str) -> Result<Option<f64>, Refusal> {
        self.0.get(name).map(|value| value.as_f64().ok_or(Refusal::Claims)).transpose()
    }

    /// The texts of a claim; none of one that is anything else.
    fn texts(&self, name: &str) -> Vec<&str> {
        self.0.get(name).and_then(texts).unwrap_or_default()
    }

    /// Without the claim every organisation; with it those that it names, one at least.
    fn orgs(&self) -> Result<Orgs, Refusal> {
        let Some(claim) = self.0.get("org") else { return Ok(Orgs::All) };
        let names = texts(claim).ok_or(Refusal::Orgs)?;
        let fit = (1..=MAX_ORGS).contains(&names.len()) && names.iter().all(|name| is_org(name));
        if fit { Ok(Orgs::Only(names.into_iter().map(str::to_owned).collect())) } else { Err(Refusal::Orgs) }
    }

    /// Whether a program got the token in its own name, by the marks of the issuers that are known.
    fn is_client(&self, subject: &str) -> bool {
        let says = |name: &str, word: &str| self.texts(name).contains(&word);
        says("gty", "client-credentials")
            || says("gty", "client_credentials")
            || says("idtyp", "app")
            || says("client_id", subject)
            || says("azp", subject)
    }
}

/// A text, or all texts of a list of nothing else.
fn texts(claim: &Value) -> Option<Vec<&str>> {
    match claim {
        Value::String(text) => Some(vec![text]),
        Value::Array(list) => list.iter().map(Value::as_str).collect(),
        _ => None,
    }
}

/// Whether a text may name an organisation, as `ledgerline_event::adapters::is_org` has it, whose crate would make a cold start longer.
fn is_org(text: &str) -> bool {
    !matches!(text, "." | "..")
        && (1..=64).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ledgerline_event::adapters;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn an_organisation_is_named_as_in_events(text in "[A-Za-z0-9._/ *-]{0,3}|[a-z]{60,70}|\\PC{0,4}") {
            prop_assert_eq!(is_org(&text), adapters::is_org(&text));
        }
    }

    #[test]
    fn a_type_is_compared_as_media_types_are() {
        for name in ["JWT", "at+jwt", "application/at+JWT"] {
            assert!(TYPES.contains(&plain_type(name).as_str()), "{name}");
        }
        for name in ["logout+jwt", "JOSE", "", "application/", "text/jwt"] {
            assert!(!TYPES.contains(&plain_type(name).as_str()), "{name}");
        }
    }
}
