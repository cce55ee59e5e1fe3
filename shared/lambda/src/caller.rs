//! Who calls a method of the API: written by the authorizer into API Gateway's context, read from there by the functions behind it.
//!
//! Invariant: a context that is absent or incomplete is nobody. That a caller may ask every organisation stands in the context as a
//! word of its own, so that a member that gets lost cannot widen what a caller may see. API Gateway takes texts alone.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Deserialize;
use sha2::{Digest as _, Sha256};

/// A caller whose token holds.
#[derive(Clone, PartialEq, Eq)]
pub struct Caller {
    /// Who vouches for the caller: the token's `iss`.
    pub issuer: String,
    /// Who it is at the issuer: the token's `sub`.
    pub subject: String,
    /// Which organisations the caller may ask.
    pub orgs: Orgs,
    /// What the caller may do, of the scopes that the API knows.
    pub scopes: BTreeSet<String>,
    /// The token was given to a program, and no human stands behind it.
    pub is_client: bool,
}

/// Which organisations a caller may ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Orgs {
    /// Every one.
    All,
    /// These alone.
    Only(BTreeSet<String>),
}

impl Orgs {
    /// Whether an organisation is among them.
    pub fn allows(&self, org: &str) -> bool {
        match self {
            Self::All => true,
            Self::Only(orgs) => orgs.contains(org),
        }
    }
}

impl Caller {
    /// As API Gateway hands it on.
    pub fn context(&self) -> BTreeMap<&'static str, String> {
        let join = |texts: &BTreeSet<String>| texts.iter().map(String::as_str).collect::<Vec<_>>().join(" ");
        let orgs = match &self.orgs {
            Orgs::All => ALL_ORGS.to_owned(),
            Orgs::Only(orgs) => join(orgs),
        };
        BTreeMap::from([
            ("iss", self.issuer.clone()),
            ("sub", self.subject.clone()),
            ("orgs", orgs),
            ("scopes", join(&self.scopes)),
            ("client", self.is_client.to_string()),
        ])
    }

    /// Reads `requestContext.authorizer` of a proxy event, as its JSON text; `None` where it names no caller.
    pub fn read(context: &str) -> Option<Self> {
        let context: Context = serde_json::from_str(context).ok()?;
        let split = |text: &str| -> BTreeSet<String> { text.split_ascii_whitespace().map(str::to_owned).collect() };
        let orgs = match context.orgs.as_str() {
            ALL_ORGS => Orgs::All,
            orgs => Orgs::Only(split(orgs)),
        };
        let is_client = match context.client.as_str() {
            "false" => false,
            "true" => true,
            _ => return None,
        };
        let is_named = !context.iss.is_empty() && !context.sub.is_empty() && orgs != Orgs::Only(BTreeSet::new());
        let scopes = split(&context.scopes);
        is_named.then_some(Self { issuer: context.iss, subject: context.sub, orgs, scopes, is_client })
    }

    /// Issuer and subject as one text, which no other caller has: an issuer is a URL and holds no control character.
    pub fn principal(&self) -> String {
        format!("{}\u{1f}{}", self.issuer, self.subject)
    }

    /// The caller's name in a log: the subject, where it is an id of plain characters, and otherwise 32 hex digits of SHA-256 over
    /// [`Caller::principal`], so that no e-mail address stands in a log.
    pub fn name(&self) -> String {
        let is_plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-' | b'|' | b':');
        if self.subject.len() <= MAX_NAME_BYTES && self.subject.bytes().all(is_plain) {
            return self.subject.clone();
        }
        let digest = Sha256::digest(self.principal());
        digest[..16].iter().fold("sha256:".to_owned(), |text, byte| text + &format!("{byte:02x}"))
    }
}

/// The subject may be an e-mail address.
impl fmt::Debug for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Caller").field("name", &self.name()).field("orgs", &self.orgs).finish_non_exhaustive()
    }
}

#[derive(Deserialize)]
struct Context {
    iss: String,
    sub: String,
    orgs: String,
    scopes: String,
    client: String,
}

/// No organisation is called so.
const ALL_ORGS: &str = "*";
/// Issuers' ids are UUIDs or as long as two.
const MAX_NAME_BYTES: usize = 80;

#[cfg(test)]
mod tests {
    use super::*;

    fn caller(subject: &str, orgs: Orgs) -> Caller {
        let scopes = ["dsar:read", "request:write"].map(str::to_owned).into();
        Caller { issuer: "https://id.example".to_owned(), subject: subject.to_owned(), orgs, scopes, is_client: false }
    }

    fn written(caller: &Caller) -> serde_json::Value {
        serde_json::json!(caller.context())
    }

    #[test]
    fn a_caller_comes_back_as_it_was() {
        let only = Orgs::Only(["acme", "acme-2"].map(str::to_owned).into());
        for orgs in [Orgs::All, only] {
            for is_client in [true, false] {
                let caller = Caller { is_client, ..caller("u-1", orgs.clone()) };
                assert_eq!(Caller::read(&written(&caller).to_string()), Some(caller));
            }
        }
    }

    #[test]
    fn a_context_that_lacks_anything_is_nobody() {
        let whole = written(&caller("u-1", Orgs::All));
        for member in ["iss", "sub", "orgs", "scopes", "client"] {
            let mut lacking = whole.clone();
            lacking.as_object_mut().unwrap().remove(member);
            assert_eq!(Caller::read(&lacking.to_string()), None, "{member}");
            lacking[member] = serde_json::Value::Null;
            assert_eq!(Caller::read(&lacking.to_string()), None, "{member}");
        }
        for member in ["iss", "sub", "orgs", "client"] {
            let mut empty = whole.clone();
            empty[member] = "".into();
            assert_eq!(Caller::read(&empty.to_string()), None, "{member}");
        }
        for context in ["", "null", "{}", "[]", "7"] {
            assert_eq!(Caller::read(context), None, "{context}");
        }
    }

    #[test]
    fn only_the_named_orgs_are_allowed() {
        let only = Orgs::Only(["acme".to_owned()].into());
        assert!(only.allows("acme") && !only.allows("acme2") && !only.allows("*") && !only.allows(""));
        assert!(Orgs::All.allows("any"));
    }

    #[test]
    fn a_log_names_an_id_and_no_address() {
        let name = |subject| caller(subject, Orgs::All).name();
        assert_eq!(name("auth0|5f7c8ec7c33c6c004bbafe82"), "auth0|5f7c8ec7c33c6c004bbafe82");
        let long = "x".repeat(81);
        for subject in ["ada@example.com", "ada example", "a\nb", "ä", long.as_str()] {
            let told = name(subject);
            assert!(told.starts_with("sha256:") && told.len() == 39 && !told.contains("ada"), "{told}");
            assert_eq!(told, name(subject));
        }
        let shown = format!("{:?}", caller("ada@example.com", Orgs::All));
        assert!(!shown.contains("ada@"), "{shown}");
    }
}
