//! What a token says only of a person who signed in.
//!
//! Invariant: a person must show. A token that has no mark of a program may still be a program's: issuers mark such tokens in their own ways,
//! or not at all. So who approves needs a claim that an issuer writes for a sign-in alone; which one that is, the deployment says.

use std::collections::BTreeMap;

use serde_json::Value;

/// Claims of which one says that a person signed in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PersonClaims(Vec<Sign>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Sign {
    claim: String,
    /// The word that it must be, or have; anything that says something, unless one is given.
    word: Option<String>,
}

impl Default for PersonClaims {
    /// When, and by which methods, somebody signed in (OpenID Connect Core, section 2).
    fn default() -> Self {
        Self(["auth_time", "amr"].map(|claim| Sign { claim: claim.to_owned(), word: None }).into())
    }
}

impl PersonClaims {
    /// What to do about a list that is none.
    pub(crate) const REMEDY: &str = "set the template's parameter PersonClaims to claims by comma, such as auth_time,amr or idtyp=user, none of which each token has";

    /// Reads a list of claims by comma, each `name` or `name=word`; `None` of what is no such list, or names a claim that each token has.
    pub fn parse(text: &str) -> Option<Self> {
        let sign = |item: &str| {
            let (claim, word) = item.split_once('=').map_or((item, None), |(claim, word)| (claim, Some(word)));
            let is_plain =
                |text: &str| (1..=MAX_BYTES).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic());
            let is_telling = !IN_EACH.contains(&claim) && (word.is_some() || !OF_BOTH.contains(&claim));
            let fits = is_plain(claim) && word.is_none_or(is_plain) && is_telling;
            fits.then(|| Sign { claim: claim.to_owned(), word: word.map(str::to_owned) })
        };
        text.split(',').map(|item| sign(item.trim_matches(' '))).collect::<Option<Vec<Sign>>>().map(Self)
    }

    /// Whether one of them is among a token's claims.
    pub(crate) fn are_in(&self, claims: &BTreeMap<String, Value>) -> bool {
        self.0.iter().any(|Sign { claim, word }| match (claims.get(claim), word) {
            (None, _) => false,
            (Some(value), None) => says_something(value),
            (Some(value), Some(word)) => has_word(value, word),
        })
    }
}

/// A claim that is there and empty says nothing; an `auth_time` of 0 is what Keycloak once wrote where nobody had signed in.
fn says_something(value: &Value) -> bool {
    match value {
        Value::Bool(is_so) => *is_so,
        Value::Number(number) => number.as_f64().is_some_and(|number| number > 0.0),
        Value::String(text) => !text.trim().is_empty(),
        Value::Array(list) => list.iter().any(says_something),
        Value::Null | Value::Object(_) => false,
    }
}

fn has_word(value: &Value, word: &str) -> bool {
    match value {
        Value::String(text) => text == word,
        Value::Array(list) => list.iter().any(|one| one == word),
        _ => false,
    }
}

/// Claims of each token, which tell nothing of a sign-in whatever they are.
const IN_EACH: [&str; 8] = ["iss", "sub", "aud", "exp", "nbf", "iat", "jti", "org"];
/// Claims of persons' and programs' tokens alike, which tell something by their word alone: those of OAuth, and what Entra, Auth0, Keycloak and
/// Okta write into the tokens of programs, too.
const OF_BOTH: [&str; 26] = [
    "acr",
    "appid",
    "appidacr",
    "azp",
    "azpacr",
    "cid",
    "client_id",
    "clientId",
    "email_verified",
    "groups",
    "gty",
    "idtyp",
    "oid",
    "permissions",
    "preferred_username",
    "realm_access",
    "resource_access",
    "roles",
    "scope",
    "scp",
    "session_state",
    "sid",
    "tid",
    "token_use",
    "typ",
    "ver",
];
/// Of a claim's name or word: a URL.
const MAX_BYTES: usize = 128;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_names_claims_that_tell_something() {
        for good in ["auth_time", "auth_time, amr", "idtyp=user", "https://id.example/person", "a=b,c"] {
            assert!(PersonClaims::parse(good).is_some(), "{good}");
        }
        for bad in [
            "",
            ",",
            "auth_time,",
            "sub",
            "iss=x",
            "idtyp",
            "scp",
            "auth_time,acr",
            "preferred_username",
            "oid",
            "a b",
            "\u{e4}",
            "=user",
            "amr=",
            &"x".repeat(129),
        ] {
            assert!(PersonClaims::parse(bad).is_none(), "{bad}");
        }
    }
}
