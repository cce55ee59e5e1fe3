//! Who may send events: clients, told by the hashes of their tokens.
//!
//! Invariant: a token is compared with every hash that is known, each in constant time, so that how long it takes says nothing of which one
//! is near. Only hashes of tokens are configured. The secrets that sign are not hashes, and are never shown: who signs must hold the same.
//! No error repeats a value: clients are told by their places.

use std::collections::BTreeSet;
use std::fmt;

use ledgerline_event::adapters::is_org;
use ledgerline_event::capture::{Captured, is_name};
use ledgerline_lambda::api::Credential;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use subtle::{Choice, ConstantTimeEq as _};

/// Which way a token comes: one that stands in a URL is seen by more eyes, and opens nothing but the URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// In a header.
    Header,
    /// In the path.
    Path,
}

/// A client.
pub struct Client {
    id: String,
    source: String,
    org: Option<String>,
    tokens: Vec<[u8; 32]>,
    path_tokens: Vec<[u8; 32]>,
    secrets: Vec<Secret>,
}

/// A key that signs. It has no `Debug` that shows it.
pub struct Secret(String);

impl Secret {
    /// For computing a signature, and nothing else.
    pub(crate) fn expose_for_signature(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl Client {
    /// Its id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// What signs its calls: none for a client that need not sign, two while one takes the place of the other.
    pub fn secrets(&self) -> &[Secret] {
        &self.secrets
    }

    /// Who sent its events.
    pub fn captured(&self) -> Captured<'_> {
        Captured { client: &self.id, source: &self.source, org: self.org.as_deref() }
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Client({})", self.id)
    }
}

/// All clients.
#[derive(Debug, Default)]
pub struct Clients(Vec<Client>);

/// What is wrong with the list of clients.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BadClients {
    /// It is not a JSON array of clients, at this line and column.
    NotAList(usize, usize),
    /// The client at this place, counted from 1, is not one.
    Client(usize, &'static str),
}

impl BadClients {
    /// What to do.
    pub const REMEDY: &str = "set the template's parameter CaptureClients, as functions/capture/README.md describes it";
}

impl fmt::Display for BadClients {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAList(line, column) => write!(f, "is not a JSON array of clients (line {line}, column {column})"),
            Self::Client(place, what) => write!(f, "has client {place}, {what}"),
        }
    }
}

impl std::error::Error for BadClients {}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Stated {
    id: String,
    source: Option<String>,
    org: Option<String>,
    #[serde(default)]
    token_hashes: Vec<String>,
    #[serde(default)]
    path_token_hashes: Vec<String>,
    #[serde(default)]
    authoritative: bool,
    #[serde(default)]
    secrets: Vec<String>,
}

/// A secret of fewer characters can be guessed.
const SECRET_CHARS_MIN: usize = 32;
/// One in force, and one that takes its place.
const SECRETS_MAX: usize = 2;

impl Clients {
    /// Reads the list: a JSON array; nothing is no client.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn parse(text: &str) -> Result<Self, BadClients> {
        if text.trim().is_empty() {
            return Ok(Self::default());
        }
        let stated: Vec<Stated> =
            serde_json::from_str(text).map_err(|error| BadClients::NotAList(error.line(), error.column()))?;
        let mut ids = BTreeSet::new();
        let mut clients = Vec::with_capacity(stated.len());
        for (place, one) in (1..).zip(stated) {
            let is_new = ids.insert(one.id.clone());
            let client = one.into_client().and_then(|client| is_new.then_some(client).ok_or("whose id is another's"));
            clients.push(client.map_err(|what| BadClients::Client(place, what))?);
        }
        Ok(Self(clients))
    }

    /// The client whose token this is. All are compared, whoever it is.
    pub fn of(&self, way: Way, token: &Credential) -> Option<&Client> {
        let hash: [u8; 32] = Sha256::digest(token.expose_for_check().as_bytes()).into();
        let mut found = None;
        for client in &self.0 {
            let hashes = match way {
                Way::Header => &client.tokens,
                Way::Path => &client.path_tokens,
            };
            let is_one = hashes.iter().fold(Choice::from(0), |is_one, known| is_one | known[..].ct_eq(&hash[..]));
            if bool::from(is_one) {
                found = Some(client);
            }
        }
        found
    }
}

impl Stated {
    fn into_client(self) -> Result<Client, &'static str> {
        let Self { id, source, org, token_hashes, path_token_hashes, authoritative, secrets } = self;
        let source = source.unwrap_or_else(|| id.clone());
        if !is_name(&id) || !is_name(&source) {
            return Err("whose `id` or `source` is not 1 to 64 of A-Z a-z 0-9 . _ -");
        }
        if !org.as_deref().is_none_or(is_org) {
            return Err("whose `org` is not 1 to 64 of A-Z a-z 0-9 . _ -");
        }
        let hashes = |all: &[String]| all.iter().map(|one| hash(one)).collect::<Option<Vec<_>>>();
        let not_a_hash = "of which a hash is not 64 lower-case hex digits: the SHA-256 of the token";
        let tokens = hashes(&token_hashes).ok_or(not_a_hash)?;
        let path_tokens = hashes(&path_token_hashes).ok_or(not_a_hash)?;
        if tokens.is_empty() && path_tokens.is_empty() {
            return Err("which has neither `tokenHashes` nor `pathTokenHashes`");
        }
        if secrets.len() > SECRETS_MAX || secrets.iter().any(|secret| secret.len() < SECRET_CHARS_MIN) {
            return Err("which has more than two `secrets`, or one of fewer than 32 characters");
        }
        if authoritative == secrets.is_empty() {
            return Err("which must have `secrets` if and only if it is `authoritative`");
        }
        let secrets = secrets.into_iter().map(Secret).collect();
        Ok(Client { id, source, org, tokens, path_tokens, secrets })
    }
}

/// 64 lower-case hex digits.
fn hash(text: &str) -> Option<[u8; 32]> {
    let mut hash = [0; 32];
    let is_hex = text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    for (at, byte) in hash.iter_mut().enumerate().filter(|_| is_hex) {
        *byte = u8::from_str_radix(text.get(2 * at..2 * at + 2)?, 16).ok()?;
    }
    is_hex.then_some(hash)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn hash_of(token: &str) -> String {
        Sha256::digest(token.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn a_client_is_told_by_its_token_the_way_it_came() {
        let text = json!([
            { "id": "a", "tokenHashes": [hash_of("token-a"), hash_of("token-a2")], "pathTokenHashes": [hash_of("path-a")] },
            { "id": "b", "source": "crm", "org": "acme", "tokenHashes": [hash_of("token-b")], "authoritative": true,
              "secrets": ["s".repeat(32)] },
        ]);
        let clients = Clients::parse(&text.to_string()).unwrap();
        let of = |way, token: &str| clients.of(way, &Credential::of(token)).map(Client::id);
        for (way, token, id) in [
            (Way::Header, "token-a", Some("a")),
            (Way::Header, "token-a2", Some("a")),
            (Way::Header, "token-b", Some("b")),
            (Way::Path, "path-a", Some("a")),
            (Way::Path, "token-a", None),
            (Way::Header, "path-a", None),
            (Way::Header, "", None),
            (Way::Header, &hash_of("token-a"), None),
        ] {
            assert_eq!(of(way, token), id, "{way:?} {token}");
        }
        let b = clients.of(Way::Header, &Credential::of("token-b")).unwrap();
        assert_eq!((b.captured(), b.secrets().len()), (Captured { client: "b", source: "crm", org: Some("acme") }, 1));
        assert_eq!(Clients::parse(" ").unwrap().of(Way::Header, &Credential::of("")).map(Client::id), None);
    }

    #[test]
    fn what_is_wrong_is_told_by_its_place_and_no_value_is_repeated() {
        let good = json!({ "id": "a", "tokenHashes": [hash_of("x")] });
        let with = |name: &str, value: serde_json::Value| {
            let mut bad = good.clone();
            bad[name] = value;
            json!([{ "id": "first", "tokenHashes": [hash_of("y")] }, bad]).to_string()
        };
        for (text, told) in [
            ("[{]".to_owned(), "line 1"),
            (with("planted", json!(1)), "line 1"),
            (with("id", json!("planted!")), "client 2"),
            (with("id", json!("first")), "another's"),
            (with("source", json!("planted/x")), "client 2"),
            (with("org", json!("planted/x")), "`org`"),
            (with("tokenHashes", json!(["planted"])), "SHA-256"),
            (with("tokenHashes", json!([hash_of("x").to_uppercase()])), "SHA-256"),
            (with("tokenHashes", json!([])), "neither"),
            (with("secrets", json!(["planted"])), "32 characters"),
            (with("secrets", json!(["p".repeat(32)])), "authoritative"),
            (with("authoritative", json!(true)), "authoritative"),
        ] {
            let error = Clients::parse(&text).unwrap_err().to_string();
            assert!(error.contains(told) && !error.contains("planted"), "{error}");
        }
    }
}
