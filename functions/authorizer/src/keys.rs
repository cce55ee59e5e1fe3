//! The issuer's public keys: a JWK set (RFC 7517), as far as tokens may be signed by it.
//!
//! Invariant: a key's algorithm is its own (`alg`, or what its type leaves), never a token's. A key without an id, of another use, type
//! or algorithm is left out, as if it were not there; the others stand.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey};
use serde::Deserialize;
use serde_json::Value;

/// The keys by their ids.
#[derive(Clone, Debug, Default)]
pub struct KeySet(BTreeMap<String, Key>);

/// A key and its algorithm.
#[derive(Clone, Debug)]
pub(crate) struct Key {
    pub(crate) algorithm: Algorithm,
    pub(crate) public: DecodingKey,
}

/// A document that is no JWK set, or one without any key that could be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoKeys;

impl KeySet {
    /// Reads a JWK set.
    ///
    /// # Errors
    /// It is none, or has no key that can be used.
    pub fn parse(document: &[u8]) -> Result<Self, NoKeys> {
        let set: Set = serde_json::from_slice(document).map_err(|_| NoKeys)?;
        let mut keys = BTreeMap::new();
        // A key is read by itself, so that one of a kind that is not known leaves the others standing.
        for jwk in set.keys.into_iter().take(MAX_KEYS).filter_map(|key| serde_json::from_value::<Jwk>(key).ok()) {
            if let Some((id, key)) = jwk.key() {
                // Of two with one id the first counts, always.
                keys.entry(id).or_insert(key);
            }
        }
        if keys.is_empty() { Err(NoKeys) } else { Ok(Self(keys)) }
    }

    pub(crate) fn get(&self, id: &str) -> Option<&Key> {
        self.0.get(id)
    }
}

#[derive(Deserialize)]
struct Set {
    keys: Vec<Value>,
}

#[derive(Deserialize)]
struct Jwk {
    kty: String,
    kid: Option<String>,
    alg: Option<String>,
    r#use: Option<String>,
    key_ops: Option<Vec<String>>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

impl Jwk {
    fn key(self) -> Option<(String, Key)> {
        let verifies = self.r#use.as_deref().is_none_or(|purpose| purpose == "sig")
            && self.key_ops.as_ref().is_none_or(|all| all.iter().any(|one| one == "verify"));
        let (algorithm, name, public) = match (self.kty.as_str(), self.crv.as_deref()) {
            ("RSA", None) => {
                let (n, e) = (bytes(self.n?)?, bytes(self.e?)?);
                (Algorithm::RS256, "RS256", DecodingKey::from_rsa_raw_components(&n, &e))
            }
            ("EC", Some("P-256")) => {
                let (x, y) = (bytes(self.x?)?, bytes(self.y?)?);
                let point = [&[UNCOMPRESSED], &*x, &*y].concat();
                let fits = x.len() == COORDINATE_BYTES && y.len() == COORDINATE_BYTES;
                (Algorithm::ES256, "ES256", fits.then(|| DecodingKey::from_ec_der(&point))?)
            }
            ("OKP", Some("Ed25519")) => {
                let x = bytes(self.x?)?;
                let fits = x.len() == COORDINATE_BYTES;
                (Algorithm::EdDSA, "EdDSA", fits.then(|| DecodingKey::from_ed_der(&x))?)
            }
            _ => return None,
        };
        let is_its = self.alg.is_none_or(|alg| alg == name);
        let id = self.kid.filter(|id| !id.is_empty())?;
        (verifies && is_its).then_some((id, Key { algorithm, public }))
    }
}

fn bytes(text: String) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

/// Issuers publish two or three; whatever a set holds beyond a hundred is not looked at.
const MAX_KEYS: usize = 100;
/// How a point that is not compressed begins.
const UNCOMPRESSED: u8 = 4;
/// A coordinate of both curves.
const COORDINATE_BYTES: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn ed(more: Value) -> Value {
        let mut key = json!({ "kty": "OKP", "crv": "Ed25519", "kid": "a", "x": URL_SAFE_NO_PAD.encode([7; 32]) });
        key.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        key
    }

    fn is_usable(key: Value) -> bool {
        KeySet::parse(json!({ "keys": [key] }).to_string().as_bytes()).is_ok()
    }

    #[test]
    fn a_key_is_used_for_what_it_is_for() {
        for good in [
            json!({}),
            json!({ "alg": "EdDSA", "use": "sig" }),
            json!({ "key_ops": ["verify"], "x5c": ["?"], "other": 7 }),
        ] {
            assert!(is_usable(ed(good.clone())), "{good}");
        }
        for bad in [
            json!({ "use": "enc" }),
            json!({ "key_ops": ["sign"] }),
            json!({ "alg": "ES256" }),
            json!({ "alg": "none" }),
            json!({ "alg": "HS256" }),
            json!({ "kid": null }),
            json!({ "kid": "" }),
            json!({ "kid": 7 }),
            json!({ "crv": "Ed448" }),
            json!({ "crv": "P-256" }),
            json!({ "kty": "oct", "k": "AAAA" }),
            json!({ "kty": "EC" }),
            json!({ "x": "AA" }),
            json!({ "x": "not base64!" }),
            json!({ "x": null }),
        ] {
            assert!(!is_usable(ed(bad.clone())), "{bad}");
        }
        let coordinate = URL_SAFE_NO_PAD.encode([7; 32]);
        let ec = json!({ "kty": "EC", "crv": "P-256", "kid": "b", "x": coordinate, "y": coordinate });
        assert!(is_usable(ec.clone()));
        // Together as long as two coordinates, and none of them one.
        let mut shifted = ec;
        (shifted["x"], shifted["y"]) = (json!(URL_SAFE_NO_PAD.encode([7; 31])), json!(URL_SAFE_NO_PAD.encode([7; 33])));
        assert!(!is_usable(shifted));
        assert!(is_usable(json!({ "kty": "RSA", "kid": "c", "n": "AQAB", "e": "AQAB" })));
        assert!(!is_usable(json!({ "kty": "RSA", "kid": "c", "n": "AQAB", "e": "AQAB", "alg": "PS256" })));
    }

    #[test]
    fn one_key_of_another_kind_leaves_the_others_standing() {
        let keys = json!({ "keys": [7, { "kty": "new" }, ed(json!({ "alg": "RSA-OAEP" })), ed(json!({})), ed(json!({ "kid": "b" }))] });
        let set = KeySet::parse(keys.to_string().as_bytes()).unwrap();
        assert!(set.get("a").is_some() && set.get("b").is_some() && set.get("c").is_none());
    }

    #[test]
    fn what_is_no_set_is_refused() {
        for text in ["", "[]", "{}", "null", r#"{"keys":7}"#, r#"{"keys":[]}"#, r#"{"keys":[{}]}"#] {
            assert_eq!(KeySet::parse(text.as_bytes()).unwrap_err(), NoKeys, "{text}");
        }
    }
}
