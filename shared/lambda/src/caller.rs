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
    /// The token says that a person signed in. One that says neither may be anybody's.
    pub is_person: bool,
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

    /// The names behind each other, or a word that is no name.
    pub fn to_text(&self) -> String {
        match self {
            Self::All => ALL_ORGS.to_owned(),
            Self::Only(orgs) => join(orgs),
        }
    }
}

fn join(texts: &BTreeSet<String>) -> String {
    texts.iter().map(String::as_str).collect::<Vec<_>>().join(" ")
}

impl Caller {
    /// As API Gateway hands it on.
    pub fn context(&self) -> BTreeMap<&'static str, String> {
        BTreeMap::from([
            ("iss", self.issuer.clone()),
            ("sub", self.subject.clone()),
            ("orgs", self.orgs.to_text()),
            ("scopes", join(&self.scopes)),
            ("client", self.is_client.to_string()),
            ("person", self.is_person.to_string()),
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
        let (is_client, is_person) = (flag(&context.client)?, flag(&context.person)?);
        let is_named = !context.iss.is_empty() && !context.sub.is_empty() && orgs != Orgs::Only(BTreeSet::new());
        let scopes = split(&context.scopes);
        is_named.then_some(Self { issuer: context.iss, subject: context.sub, orgs, scopes, is_client, is_person })
    }

    /// Issuer and subject as one text, which no other caller has: an issuer is a URL and holds no control character.
    pub fn principal(&self) -> String {
        format!("{}\u{1f}{}", self.issuer, self.subject)
    }

    /// The caller's name in a log: the subject where it can only be an id, otherwise `sha256:` and the first eight hex digits of SHA-256
    /// over [`Caller::principal`]. Eight tell the callers of a deployment apart; more would give back a phone number to anyone who tries all of them.
    pub fn name(&self) -> String {
        if is_id(&self.subject) {
            return self.subject.clone();
        }
        let digest = Sha256::digest(self.principal());
        digest[..4].iter().fold("sha256:".to_owned(), |text, byte| text + &format!("{byte:02x}"))
    }
}

/// Whether a subject is an id, and can be neither an e-mail address nor a phone number: short, of plain characters, with a letter in each
/// of the parts that `|` and `:` make (`sms|49…`, `tel:49-170-…`), and without a word of seven digits or more.
fn is_id(subject: &str) -> bool {
    let has_letter = |text: &str| text.bytes().any(|b| b.is_ascii_alphabetic());
    subject.len() <= MAX_NAME_BYTES
        && subject.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-' | b'|' | b':'))
        && subject.split(['|', ':']).all(has_letter)
        && subject.split(['|', ':', '.', '_', '-']).all(|word| word.len() < PHONE_DIGITS || has_letter(word))
}

/// The subject may be an e-mail address or a phone number.
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
    person: String,
}

fn flag(text: &str) -> Option<bool> {
    match text {
        "false" => Some(false),
        "true" => Some(true),
        _ => None,
    }
}

/// No organisation is called so.
const ALL_ORGS: &str = "*";
/// Issuers' ids are UUIDs or as long as two.
const MAX_NAME_BYTES: usize = 80;
/// The fewest digits of a phone number that leads to somebody.
const PHONE_DIGITS: usize = 7;

#[cfg(test)]
mod tests {
    use super::*;

    fn caller(subject: &str, orgs: Orgs) -> Caller {
        let scopes = ["dsar:read", "request:write"].map(str::to_owned).into();
        let (issuer, subject) = ("https://id.example".to_owned(), subject.to_owned());
        Caller { issuer, subject, orgs, scopes, is_client: false, is_person: true }
    }

    fn written(caller: &Caller) -> serde_json::Value {
        serde_json::json!(caller.context())
    }

    #[test]
    fn a_caller_comes_back_as_it_was() {
        let only = Orgs::Only(["acme", "acme-2"].map(str::to_owned).into());
        for orgs in [Orgs::All, only] {
            for (is_client, is_person) in [(true, false), (false, true), (false, false), (true, true)] {
                let caller = Caller { is_client, is_person, ..caller("u-1", orgs.clone()) };
                assert_eq!(Caller::read(&written(&caller).to_string()), Some(caller));
            }
        }
    }

    #[test]
    fn a_context_that_lacks_anything_is_nobody() {
        let whole = written(&caller("u-1", Orgs::All));
        for member in ["iss", "sub", "orgs", "scopes", "client", "person"] {
            let mut lacking = whole.clone();
            lacking.as_object_mut().unwrap().remove(member);
            assert_eq!(Caller::read(&lacking.to_string()), None, "{member}");
            lacking[member] = serde_json::Value::Null;
            assert_eq!(Caller::read(&lacking.to_string()), None, "{member}");
        }
        for member in ["iss", "sub", "orgs", "client", "person"] {
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
    fn a_log_names_an_id_and_neither_an_address_nor_a_phone_number() {
        let name = |subject| caller(subject, Orgs::All).name();
        for id in [
            "auth0|5f7c8ec7c33c6c004bbafe82",
            "0f8b6a52-4f3e-41d4-a716-44665544000a",
            "test|u-1",
            "00u1a2b3c4D5e6F7g8h9",
        ] {
            assert_eq!(name(id), id);
        }
        let long = "x".repeat(81);
        let addresses = [
            "ada@example.com",
            "auth0|ada@example.com",
            "mailto:ada@example.com",
            "ada example",
            "a\nb",
            "ä",
            long.as_str(),
        ];
        let phones = [
            "491701234567",
            "+491701234567",
            "49-170-1234567",
            "1.555.010.0199",
            "tel:491701234567",
            "tel:49-170-123-4567",
            "sms|491701234567",
            "sms|+491701234567",
            "whatsapp:49_170_123_4567",
            "user-491701234567",
            "5550199",
        ];
        for subject in addresses.into_iter().chain(phones) {
            let told = name(subject);
            assert!(told.len() == 15 && told.starts_with("sha256:"), "{subject}: {told}");
            assert!(told[7..].bytes().all(|b| b.is_ascii_hexdigit()), "{told}");
            assert_eq!(told, name(subject));
        }
        assert_ne!(name(phones[0]), name(phones[1]));
        // SHA-256 over issuer, 0x1F and subject, by Python's hashlib.
        assert_eq!(name("ada@example.com"), "sha256:a2b65521");
        let shown = format!("{:?} {:?}", caller("ada@example.com", Orgs::All), caller("sms|491701234567", Orgs::All));
        assert!(!shown.contains("ada@") && !shown.contains("4917"), "{shown}");
    }
}
